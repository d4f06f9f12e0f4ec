//! The health system's side of RabbitMQ: confirmed, mandatory publishes; answers acknowledged
//! only when they are safe. A lost connection is rebuilt at the next use.

use crate::Trouble;
use crate::municipality::{MUNICIPALITY, Message};
use crate::oracle::Posting;
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Exchange the gateway takes messages from.
const IN: &str = "watashi.in";
/// Exchange the gateway gives answers to.
const OUT: &str = "watashi.out";
/// The health system's own queue of answers.
const ANSWERS: &str = "watashi.out.health";
/// Longest wait for the broker.
const WITHIN: Duration = Duration::from_secs(10);

/// A link to the broker.
pub struct Broker {
    url: String,
    publishing: Mutex<Option<Line>>,
    consuming: Mutex<Option<(Line, Consumer)>>,
}

#[derive(Clone)]
struct Line {
    _connection: std::sync::Arc<Connection>,
    channel: Channel,
}

impl Broker {
    /// Connects at the first use.
    pub fn new(url: &str) -> Self {
        Broker { url: url.to_owned(), publishing: Mutex::default(), consuming: Mutex::default() }
    }

    /// Makes the queue of answers and empties it of an earlier run.
    pub async fn prepare(&self) -> Result<(), Trouble> {
        let line = self.connect().await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
        let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        let passive = QueueDeclareOptions { passive: true, ..options };
        let known =
            line.channel.queue_declare(ANSWERS.into(), passive, FieldTable::default()).await;
        let line = if known.is_ok() { line } else { self.connect().await? };
        if known.is_err() {
            line.channel.queue_declare(ANSWERS.into(), options, arguments).await?;
        }
        let bind = QueueBindOptions::default();
        line.channel
            .queue_bind(ANSWERS.into(), OUT.into(), "#".into(), bind, FieldTable::default())
            .await?;
        line.channel.queue_purge(ANSWERS.into(), Default::default()).await?;
        Ok(())
    }

    async fn connect(&self) -> Result<Line, Trouble> {
        let connect = Connection::connect(&self.url, ConnectionProperties::default());
        let connection = timeout(WITHIN, connect).await??;
        let channel = timeout(WITHIN, connection.create_channel()).await??;
        Ok(Line { _connection: std::sync::Arc::new(connection), channel })
    }

    async fn line(&self) -> Result<Line, Trouble> {
        let mut publishing = self.publishing.lock().await;
        if let Some(line) = publishing.as_ref().filter(|line| line.channel.status().connected()) {
            return Ok(line.clone());
        }
        let line = self.connect().await?;
        let confirm = line.channel.confirm_select(ConfirmSelectOptions::default());
        timeout(WITHIN, confirm).await??;
        *publishing = Some(line.clone());
        Ok(line)
    }

    /// Publishes one message; `Ok` means confirmed and routed.
    pub async fn publish(&self, message: &Message) -> Result<Posting, Trouble> {
        let line = self.line().await?;
        let published = timeout(WITHIN, publish(&line.channel, message)).await;
        match published {
            Ok(Ok(posting)) => Ok(posting),
            doubt => {
                self.publishing.lock().await.take();
                doubt?
            }
        }
    }

    /// The next answer as a CloudEvent, or `None` when there is none for a moment.
    pub async fn next_answer(&self) -> Result<Option<(Value, Delivery)>, Trouble> {
        let mut consuming = self.consuming.lock().await;
        if consuming.is_none() {
            let line = self.connect().await?;
            line.channel.basic_qos(50, BasicQosOptions::default()).await?;
            let options = BasicConsumeOptions::default();
            let tag = "health".into();
            let consumer =
                line.channel.basic_consume(ANSWERS.into(), tag, options, FieldTable::default());
            let consumer = timeout(WITHIN, consumer).await??;
            *consuming = Some((line, consumer));
        }
        let Some((_, consumer)) = consuming.as_mut() else { return Ok(None) };
        match timeout(Duration::from_millis(500), consumer.next()).await {
            Err(_) => Ok(None),
            Ok(Some(Ok(delivery))) => Ok(Some((event(&delivery)?, delivery))),
            Ok(_) => {
                *consuming = None;
                Err("the consumer ended".into())
            }
        }
    }

    /// Acknowledges an answer that is safe.
    pub async fn acknowledge(&self, delivery: Delivery) -> Result<(), Trouble> {
        // A stale acknowledgement is no harm: the answer comes again and is recognised.
        timeout(WITHIN, delivery.ack(BasicAckOptions::default())).await??;
        Ok(())
    }
}

async fn publish(channel: &Channel, message: &Message) -> Result<Posting, Trouble> {
    let mut headers = FieldTable::default();
    let text = |value: &str| AMQPValue::LongString(value.into());
    headers.insert("watashi-operator".into(), text(&message.operator));
    headers.insert("watashi-municipality".into(), text(MUNICIPALITY));
    let seconds = u64::try_from(crate::clock::now_ms() / 1_000)?;
    let properties = BasicProperties::default()
        .with_message_id(message.id.as_str().into())
        .with_type(message.message_type.into())
        .with_content_type("application/json".into())
        .with_timestamp(seconds)
        .with_delivery_mode(2)
        .with_headers(headers);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let body = message.body.to_string().into_bytes();
    let confirm = channel
        .basic_publish(IN.into(), message.message_type.into(), options, &body, properties)
        .await?
        .await?;
    match confirm {
        // An unroutable message is acknowledged as well, and returned: that is a failure.
        Confirmation::Ack(None) => Ok(Posting::Acknowledged),
        Confirmation::Ack(Some(_)) => Err("the broker returned the message".into()),
        Confirmation::Nack(_) | Confirmation::NotRequested => Err("not confirmed".into()),
    }
}

/// A delivery as a CloudEvent, whether it is one already or not.
fn event(delivery: &Delivery) -> Result<Value, Trouble> {
    let body: Value = serde_json::from_slice(&delivery.data)?;
    let properties = &delivery.properties;
    let content_type = properties.content_type().as_ref().map(|t| t.as_str()).unwrap_or_default();
    if content_type.starts_with("application/cloudevents+json") {
        return Ok(body);
    }
    let id = properties.message_id().as_ref().map(|id| id.as_str()).unwrap_or_default();
    let kind = properties.kind().as_ref().map(|kind| kind.as_str()).unwrap_or_default();
    let kind = if kind.is_empty() { delivery.routing_key.as_str() } else { kind };
    Ok(json!({"id": id, "type": kind, "data": body}))
}
