//! Publishing: persistent, mandatory, confirmed, each publish bounded in time, many at once.
//!
//! `Ok` means that the broker acknowledged the message and did not return it. The broker
//! acknowledges unroutable messages as well, so the acknowledgement alone says nothing.

use super::connection::{self, step};
use super::topology::short;
use super::{BrokerError, STEP_TIMEOUT, Settings, Status, failure};
use crate::model::Code;
use crate::model::codes::transport as codes;
use crate::transport::{Outgoing, PublishError, Publisher, Shutdown, stopped};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, Event, ExchangeKind};
use tokio::sync::{mpsc, watch};

/// AMQP's delivery mode "persistent".
const PERSISTENT: u8 = 2;

/// Publishes to the answers' exchange over a connection of its own, which a supervisor keeps up.
#[derive(Debug)]
pub struct AmqpPublisher {
    exchange: ShortString,
    link: watch::Receiver<Option<Link>>,
    broken: mpsc::UnboundedSender<u64>,
    status: watch::Receiver<Status>,
}

/// The channel to publish on, and which one it is.
#[derive(Clone, Debug)]
struct Link {
    generation: u64,
    channel: Channel,
}

impl AmqpPublisher {
    /// Starts the supervisor on the current tokio runtime; it ends with `shutdown` or with the
    /// publisher.
    ///
    /// # Errors
    /// Settings that can never work.
    pub fn start(settings: Settings, shutdown: Shutdown) -> Result<AmqpPublisher, BrokerError> {
        settings.check()?;
        let (links, link) = watch::channel(None);
        let (broken, breakages) = mpsc::unbounded_channel();
        let (statuses, status) = watch::channel(Status::default());
        let exchange = short(&settings.names.outgoing);
        let supervisor = Supervisor { settings, links, breakages, statuses, generation: 0 };
        tokio::spawn(supervisor.run(shutdown));
        Ok(AmqpPublisher { exchange, link, broken, status })
    }

    /// What the connection is doing.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    async fn attempt(&self, message: Outgoing) -> Result<(), PublishError> {
        let link = self.link.borrow().clone();
        let Some(link) = link else {
            return Err(refusal(&codes::PUBLISH_NOT_CONNECTED, "reconnecting"));
        };
        let properties = properties(&message)?;
        let routing_key = property("routing key", &message.routing_key)?;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let body = message.body.expose().as_slice();
        let exchange = self.exchange.clone();
        let publish = async {
            let publish =
                link.channel.basic_publish(exchange, routing_key, options, body, properties);
            publish.await?.await
        };
        let outcome = match tokio::time::timeout(STEP_TIMEOUT, publish).await {
            Ok(Ok(confirmation)) => judge(confirmation),
            Ok(Err(error)) => {
                let error = failure::of("publish", &error);
                Err(PublishError { code: error.code, detail: error.detail })
            }
            Err(_) => Err(refusal(&codes::PUBLISH_UNCONFIRMED, "no confirm")),
        };
        // A returned or refused message is the message's trouble; all else is the connection's.
        let ours = [&codes::PUBLISH_UNROUTABLE, &codes::PUBLISH_REFUSED];
        if outcome.as_ref().is_err_and(|error| !ours.contains(&error.code)) {
            let _ = self.broken.send(link.generation);
        }
        outcome
    }
}

impl Publisher for AmqpPublisher {
    fn publish(&self, message: Outgoing) -> BoxFuture<'_, Result<(), PublishError>> {
        Box::pin(self.attempt(message))
    }
}

fn refusal(code: &'static Code, detail: impl Into<String>) -> PublishError {
    PublishError { code, detail: detail.into() }
}

/// Only an acknowledgement without a returned message counts.
fn judge(confirmation: Confirmation) -> Result<(), PublishError> {
    match confirmation {
        Confirmation::Ack(None) => Ok(()),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => Err(refusal(
            &codes::PUBLISH_UNROUTABLE,
            format!("returned with {} {}", returned.reply_code, returned.reply_text),
        )),
        Confirmation::Nack(None) => Err(refusal(&codes::PUBLISH_REFUSED, "negative confirm")),
        Confirmation::NotRequested => {
            Err(refusal(&codes::PUBLISH_UNCONFIRMED, "confirms were not switched on"))
        }
    }
}

fn properties(message: &Outgoing) -> Result<BasicProperties, PublishError> {
    let mut headers = FieldTable::default();
    for (name, value) in &message.headers {
        headers
            .insert(property("header name", name)?, AMQPValue::LongString(value.as_str().into()));
    }
    let mut properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(property("message_id", &message.message_id)?)
        .with_type(property("type", &message.message_type)?)
        .with_content_type(property("content_type", &message.content_type)?)
        .with_headers(headers);
    if let Some(correlation_id) = &message.correlation_id {
        properties = properties.with_correlation_id(property("correlation_id", correlation_id)?);
    }
    Ok(properties)
}

fn property(name: &'static str, value: &str) -> Result<ShortString, PublishError> {
    ShortString::try_new(value).map_err(|_| refusal(&codes::PUBLISH_MALFORMED, name))
}

/// Keeps one connection up and hands its channel to the publisher.
struct Supervisor {
    settings: Settings,
    links: watch::Sender<Option<Link>>,
    breakages: mpsc::UnboundedReceiver<u64>,
    statuses: watch::Sender<Status>,
    generation: u64,
}

impl Supervisor {
    async fn run(mut self, mut shutdown: Shutdown) {
        let mut pauses = connection::pauses();
        loop {
            let ended = tokio::select! {
                ended = self.session() => ended,
                () = stopped(&mut shutdown) => break,
            };
            self.links.send_replace(None);
            let Err(error) = ended else { break };
            tracing::warn!(code = error.code.code, detail = error.detail, "publishing lost");
            let before = self.statuses.send_replace(Status {
                cause: Some((error.code, error.detail)),
                ..Status::default()
            });
            if before.connected {
                pauses = connection::pauses();
            }
            tokio::select! {
                () = tokio::time::sleep(pauses.next().unwrap_or_default()) => {}
                () = stopped(&mut shutdown) => break,
            }
        }
        self.links.send_replace(None);
        self.statuses.send_replace(Status::default());
    }

    /// One connection; `Ok` when the publisher itself is gone.
    async fn session(&mut self) -> Result<(), BrokerError> {
        let (link, channel) = open(&self.settings).await?;
        let mut events = connection::events(&link);
        self.generation += 1;
        self.links.send_replace(Some(Link { generation: self.generation, channel }));
        self.report(None);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::Error(error)) => return Err(failure::of("connection", &error)),
                    None => {
                        return Err(BrokerError::new(&codes::BROKER_UNREACHABLE, "connection ended"));
                    }
                    Some(Event::ConnectionBlocked(_)) => self.report(Some("memory or disk alarm")),
                    Some(Event::ConnectionUnblocked) => self.report(None),
                    Some(_) => {}
                },
                broken = self.breakages.recv() => match broken {
                    None => {
                        connection::close(&link).await;
                        return Ok(());
                    }
                    Some(generation) if generation == self.generation => {
                        return Err(BrokerError::new(&codes::BROKER_TIMEOUT, "a publish failed"));
                    }
                    Some(_) => {}
                },
            }
        }
    }

    fn report(&self, blocked: Option<&str>) {
        let cause = blocked.map(|why| (&codes::BROKER_BLOCKED, why.to_owned()));
        self.statuses.send_replace(Status { connected: true, consuming: false, cause });
    }
}

/// Connection, channel, confirms; and the exchange must exist.
async fn open(settings: &Settings) -> Result<(Connection, Channel), BrokerError> {
    let link = connection::open(settings, "publish").await?;
    let channel = step("open channel", link.create_channel()).await?;
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let exchange = short(&settings.names.outgoing);
    let look =
        channel.exchange_declare(exchange, ExchangeKind::Topic, options, FieldTable::default());
    step("look for exchange", look).await?;
    step("confirm", channel.confirm_select(ConfirmSelectOptions::default())).await?;
    Ok((link, channel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn outgoing() -> Outgoing {
        Outgoing {
            routing_key: "inquiry.answered".to_owned(),
            message_id: "m-1".to_owned(),
            message_type: "inquiry.answered".to_owned(),
            correlation_id: None,
            content_type: "application/json".to_owned(),
            headers: vec![("traceparent".to_owned(), "00-x".to_owned())],
            body: Secret::new(b"{}".to_vec()),
        }
    }

    #[test]
    fn only_an_acknowledgement_counts() {
        assert!(judge(Confirmation::Ack(None)).is_ok());
        assert_eq!(judge(Confirmation::Nack(None)).unwrap_err().code.code, "N123");
        assert_eq!(judge(Confirmation::NotRequested).unwrap_err().code.code, "N124");
    }

    #[test]
    fn messages_are_persistent_and_overlong_properties_refused() {
        let properties = properties(&outgoing()).unwrap();
        assert_eq!(*properties.delivery_mode(), Some(PERSISTENT));
        let mut long = outgoing();
        long.message_id = "x".repeat(256);
        let error = super::properties(&long).unwrap_err();
        assert_eq!((error.code.code, error.detail.as_str()), ("N125", "message_id"));
    }
}
