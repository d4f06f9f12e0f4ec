//! The health system's desk: posts messages in order, keeps what was acknowledged, takes answers.

use crate::Trouble;
use crate::demo::broker::Broker;
use crate::municipality::{MUNICIPALITY, Message, applications};
use crate::oracle::{Answer, Posted, Posting};
use crate::random::hash;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Connections the health system posts over at the same time.
const CONNECTIONS: usize = 12;

/// How long a message is offered again before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(180);

/// The way to the gateway.
pub enum Carrier {
    /// HTTPS with a client certificate.
    Https {
        /// Client.
        client: reqwest::Client,
        /// Base URL.
        ingest: String,
    },
    /// RabbitMQ.
    Amqp(Box<Broker>),
}

/// The desk; shared by the tasks that post and receive.
pub struct Desk {
    carrier: Carrier,
    seed: u64,
    pause: Duration,
    order: AtomicU64,
    /// Messages posted so far.
    pub done: AtomicUsize,
    posted: Mutex<Vec<Posted>>,
    answers: Mutex<Vec<Answer>>,
    received: Mutex<BTreeSet<String>>,
    /// Whether an application's status changes are posted when it has come.
    at_once: bool,
    /// Everything that came, each id once, in the order of coming.
    events: Mutex<(BTreeSet<String>, Vec<Value>)>,
}

impl Desk {
    /// A desk with nothing posted.
    pub fn new(carrier: Carrier, seed: u64) -> Arc<Self> {
        Desk::with_pause(carrier, seed, Duration::from_millis(200))
    }

    /// One that says nothing of applications by itself.
    pub fn that_waits(carrier: Carrier, seed: u64) -> Arc<Self> {
        Desk::make(carrier, seed, Duration::from_millis(200), false)
    }

    /// The same with another pause before something is offered again.
    pub fn with_pause(carrier: Carrier, seed: u64, pause: Duration) -> Arc<Self> {
        Desk::make(carrier, seed, pause, true)
    }

    fn make(carrier: Carrier, seed: u64, pause: Duration, at_once: bool) -> Arc<Self> {
        Arc::new(Desk {
            carrier,
            seed,
            pause,
            order: AtomicU64::new(0),
            done: AtomicUsize::new(0),
            posted: Mutex::default(),
            answers: Mutex::default(),
            received: Mutex::default(),
            at_once,
            events: Mutex::default(),
        })
    }

    /// Posts all messages; one lane's messages go one after the other over one connection.
    pub async fn post_all(self: &Arc<Self>, messages: Vec<Message>) -> Result<(), Trouble> {
        let mut piles: Vec<Vec<Message>> = vec![Vec::new(); CONNECTIONS];
        for message in messages {
            let pile = hash(message.lane.as_bytes()) as usize % CONNECTIONS;
            if let Some(pile) = piles.get_mut(pile) {
                pile.push(message);
            }
        }
        let mut tasks: JoinSet<Result<(), Trouble>> = JoinSet::new();
        for pile in piles {
            let desk = Arc::clone(self);
            tasks.spawn(async move {
                for message in pile {
                    desk.post(message).await?;
                }
                Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Posts one message until it is certain what became of it; about one in a hundred is posted
    /// again although it was acknowledged, as a sender does whose acknowledgement was lost.
    pub async fn post(&self, message: Message) -> Result<(), Trouble> {
        let order = self.order.fetch_add(1, Ordering::Relaxed) + 1;
        let posting = self.offer(&message).await?;
        if posting == Posting::Acknowledged && hash(message.id.as_bytes()).is_multiple_of(100) {
            self.offer(&message).await?;
        }
        lock(&self.posted).push(Posted { message, order, posting });
        self.done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Notes what reached the gateway as a message in another way, typed by an operator.
    pub fn typed(&self, message: Message, posting: Posting) {
        let order = self.order.fetch_add(1, Ordering::Relaxed) + 1;
        lock(&self.posted).push(Posted { message, order, posting });
    }

    /// Posts a message once more that was posted before.
    pub async fn repeat(&self, message: &Message) -> Result<(), Trouble> {
        self.offer(message).await.map(|_| ())
    }

    async fn offer(&self, message: &Message) -> Result<Posting, Trouble> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let tried = match &self.carrier {
                Carrier::Https { client, ingest } => https(client, ingest, message).await,
                Carrier::Amqp(broker) => broker.publish(message).await,
            };
            match tried {
                Ok(posting) => return Ok(posting),
                Err(doubt) if Instant::now() > deadline => {
                    return Err(format!("{} could not be posted: {doubt}", message.id).into());
                }
                Err(_) => tokio::time::sleep(self.pause).await,
            }
        }
    }

    /// Takes answers for ever; for each new application its status changes are posted.
    pub async fn take_answers(self: Arc<Self>) -> Result<(), Trouble> {
        loop {
            let taken = match &self.carrier {
                Carrier::Https { client, ingest } => self.take(client, ingest).await,
                Carrier::Amqp(broker) => self.consume(broker).await,
            };
            // The gateway or the broker is down for the moment: it will be back.
            if taken.is_err() || taken.is_ok_and(|count| count == 0) {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    async fn take(&self, client: &reqwest::Client, ingest: &str) -> Result<usize, Trouble> {
        let url = format!("{ingest}/v1/messages?max=100");
        let text = client.get(url).send().await?.error_for_status()?.text().await?;
        let page: Value = serde_json::from_str(&text)?;
        let messages = page.get("messages").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut receipts = Vec::new();
        for message in &messages {
            receipts.extend(message.get("receipt").cloned());
            if let Some(event) = message.get("event") {
                self.receive(event).await?;
            }
        }
        if !receipts.is_empty() {
            let body = serde_json::json!({"receipts": receipts}).to_string();
            let url = format!("{ingest}/v1/messages/acknowledge");
            let request = client.post(url).header("content-type", "application/json").body(body);
            request.send().await?.error_for_status()?;
        }
        Ok(messages.len())
    }

    async fn consume(&self, broker: &Broker) -> Result<usize, Trouble> {
        let Some((event, delivery)) = broker.next_answer().await? else { return Ok(0) };
        self.receive(&event).await?;
        broker.acknowledge(delivery).await?;
        Ok(1)
    }

    async fn receive(&self, event: &Value) -> Result<(), Trouble> {
        let text = |pointer: &str| {
            event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let message_type = text("/type");
        self.keep(text("/id"), event);
        let key = match message_type.as_str() {
            "application.received" => text("/data/receptionNumber"),
            "inquiry.answered" => text("/data/inquiryId"),
            // News of the gateway itself, e.g. of a dead letter: nothing that was asked for.
            _ => return Ok(()),
        };
        let status = text("/data/status");
        let answer = Answer { id: text("/id"), message_type, key: key.clone(), status };
        let application = answer.message_type == "application.received";
        lock(&self.answers).push(answer);
        if application && self.at_once && lock(&self.received).insert(key.clone()) {
            for message in applications::status_changes(self.seed, &key) {
                self.post(message).await?;
            }
        }
        Ok(())
    }

    fn keep(&self, id: String, event: &Value) {
        let mut events = lock(&self.events);
        if events.0.insert(id) {
            events.1.push(event.clone());
        }
    }

    /// What was posted so far.
    pub fn posted(&self) -> Vec<Posted> {
        lock(&self.posted).clone()
    }

    /// Answers received so far.
    pub fn answers(&self) -> Vec<Answer> {
        lock(&self.answers).clone()
    }

    /// How many different messages of a type came so far.
    pub fn came(&self, message_type: &str) -> usize {
        lock(&self.events).1.iter().filter(|one| is_of(one, message_type)).count()
    }

    /// The contents of all that came of a type, each once, in the order of coming.
    pub fn of_type(&self, message_type: &str) -> Vec<Value> {
        let events = lock(&self.events);
        let found = events.1.iter().filter(|one| is_of(one, message_type));
        found.filter_map(|one| one.get("data").cloned()).collect()
    }

    /// How many different answers were received so far.
    pub fn answered(&self) -> usize {
        let answers = lock(&self.answers);
        answers
            .iter()
            .map(|answer| (&answer.message_type, &answer.key))
            .collect::<BTreeSet<_>>()
            .len()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_of(event: &Value, message_type: &str) -> bool {
    event.get("type").and_then(Value::as_str) == Some(message_type)
}

async fn https(
    client: &reqwest::Client,
    ingest: &str,
    message: &Message,
) -> Result<Posting, Trouble> {
    let answer = client
        .post(format!("{ingest}/v1/messages/{}", message.message_type))
        .header("content-type", "application/json")
        .header("idempotency-key", &message.id)
        .header("watashi-operator", &message.operator)
        .header("watashi-municipality", MUNICIPALITY)
        .body(message.body.to_string())
        .send()
        .await?;
    let status = answer.status().as_u16();
    match status {
        202 => Ok(Posting::Acknowledged),
        400 | 403 | 404 | 409 | 413 | 415 | 422 => Ok(Posting::Refused),
        _ => Err(format!("the ingest answered {status}").into()),
    }
}
