//! The exchanges and queues Watashi needs: creating them, auditing them, exporting them.
//!
//! Arguments of a queue cannot be changed later, so the ones below are chosen to be the same from
//! RabbitMQ 3.10 to 4.x. An audit never creates anything: existence is asked passively, equality
//! by declaring again what exists; the reply code decides, its text is only shown.

use super::connection::{self, step};
use super::failure::{self, ACCESS_REFUSED, NOT_FOUND, PRECONDITION_FAILED};
use super::{BrokerError, Settings};
use crate::model::Code;
use crate::model::codes::transport as codes;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};
use serde_json::{Map, Value, json};
use std::fmt;

/// What the exchanges and queues are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Exchange that upstream publishes to (topic; routing key = message type).
    pub incoming: String,
    /// Exchange that answers go to (topic).
    pub outgoing: String,
    /// Exchange for what the broker itself could not deliver (fanout).
    pub dead: String,
    /// Queue Watashi consumes.
    pub ingest: String,
    /// Queue behind `dead`, consumed too, so that nothing the broker sets aside is overlooked.
    pub undeliverable: String,
    /// Queue for the upstream system's answers, where the broker's operator wants Watashi to
    /// create it; bound to `outgoing` with `#`.
    pub answers: Option<String>,
}

impl Names {
    /// The names under a prefix: `<prefix>.in`, `.out`, `.dead`, `.ingest`, `.undeliverable` and
    /// `.out.health`.
    pub fn with_prefix(prefix: &str) -> Names {
        Names {
            incoming: format!("{prefix}.in"),
            outgoing: format!("{prefix}.out"),
            dead: format!("{prefix}.dead"),
            ingest: format!("{prefix}.ingest"),
            undeliverable: format!("{prefix}.undeliverable"),
            answers: Some(format!("{prefix}.out.health")),
        }
    }
}

impl Default for Names {
    fn default() -> Names {
        Names::with_prefix("watashi")
    }
}

/// Deliveries of one message before the broker sets it aside.
const DELIVERY_LIMIT: i32 = 20;
/// For queues with nowhere to set aside to: without a number of their own RabbitMQ 4 would drop
/// after 20.
const NO_DELIVERY_LIMIT: i32 = 1_000_000;

/// One exchange, queue or binding.
#[derive(Clone, Debug)]
enum Item {
    Exchange { name: String, kind: Kind },
    Queue { name: String, arguments: Vec<(&'static str, Argument)> },
    Binding { exchange: String, queue: String },
}

/// The kinds of exchange used.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Topic,
    Fanout,
}

/// A queue argument; AMQP and the definitions file write it each in its own way.
#[derive(Clone, Debug)]
enum Argument {
    Text(String),
    Number(i32),
    Flag(bool),
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Exchange { name, .. } => write!(formatter, "exchange {name}"),
            Item::Queue { name, .. } => write!(formatter, "queue {name}"),
            Item::Binding { exchange, queue } => write!(formatter, "binding {exchange} -> {queue}"),
        }
    }
}

fn text(value: &str) -> Argument {
    Argument::Text(value.to_owned())
}

/// Everything, in an order in which it can be created.
fn plan(names: &Names) -> Vec<Item> {
    let exchange = |name: &str, kind| Item::Exchange { name: name.to_owned(), kind };
    let binding = |exchange: &str, queue: &str| Item::Binding {
        exchange: exchange.to_owned(),
        queue: queue.to_owned(),
    };
    let mut items = vec![
        exchange(&names.incoming, Kind::Topic),
        exchange(&names.outgoing, Kind::Topic),
        exchange(&names.dead, Kind::Fanout),
        Item::Queue {
            name: names.undeliverable.clone(),
            arguments: vec![
                ("x-queue-type", text("quorum")),
                ("x-delivery-limit", Argument::Number(NO_DELIVERY_LIMIT)),
                ("x-overflow", text("reject-publish")),
            ],
        },
        binding(&names.dead, &names.undeliverable),
        Item::Queue {
            name: names.ingest.clone(),
            arguments: vec![
                ("x-queue-type", text("quorum")),
                ("x-single-active-consumer", Argument::Flag(true)),
                ("x-delivery-limit", Argument::Number(DELIVERY_LIMIT)),
                ("x-overflow", text("reject-publish")),
                ("x-dead-letter-exchange", text(&names.dead)),
                ("x-dead-letter-strategy", text("at-least-once")),
            ],
        },
        binding(&names.incoming, &names.ingest),
    ];
    if let Some(answers) = &names.answers {
        items.push(Item::Queue {
            name: answers.clone(),
            arguments: vec![
                ("x-queue-type", text("quorum")),
                ("x-delivery-limit", Argument::Number(NO_DELIVERY_LIMIT)),
                ("x-overflow", text("reject-publish")),
            ],
        });
        items.push(binding(&names.outgoing, answers));
    }
    items
}

/// What is known about one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It exists and is as expected.
    Right,
    /// It was missing and has been created.
    Created,
    /// It does not exist.
    Missing,
    /// It exists with other properties; the broker's words, for display.
    Different(String),
    /// It exists, but the user may not compare it; the broker's words, for display.
    Forbidden(String),
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `exchange …`, `queue …` or `binding … -> …`.
    pub item: String,
    /// What is known about it.
    pub finding: Finding,
}

/// What an audit or an apply found, in the order of creation. Bindings cannot be asked for over
/// AMQP and appear only after an apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One line per item.
    pub lines: Vec<Line>,
}

impl Report {
    /// The first finding that makes messages unsafe, as an error with its remedy; `Forbidden` is
    /// none, because a user without that right is a legitimate choice.
    pub fn verdict(&self) -> Result<(), BrokerError> {
        for line in &self.lines {
            let (code, words): (&'static Code, &str) = match &line.finding {
                Finding::Right | Finding::Created | Finding::Forbidden(_) => continue,
                Finding::Missing => (&codes::TOPOLOGY_MISSING, "run `watashi broker apply`"),
                Finding::Different(words) => (&codes::TOPOLOGY_DIFFERENT, words),
            };
            return Err(BrokerError::new(code, format!("{}: {words}", line.item)));
        }
        Ok(())
    }
}

/// Creates what is missing; what exists with other properties is left alone and reported.
pub async fn apply(settings: &Settings) -> Result<Report, BrokerError> {
    let connection = connection::open(settings, "broker apply").await?;
    let mut report = Report::default();
    for item in plan(&settings.names) {
        let finding = match existence(&connection, &item).await? {
            Finding::Missing => match declare(&connection, &item).await? {
                Finding::Right => Finding::Created,
                other => other,
            },
            Finding::Right => declare(&connection, &item).await?,
            other => other,
        };
        report.lines.push(Line { item: item.to_string(), finding });
    }
    connection::close(&connection).await;
    Ok(report)
}

/// Audits without changing anything.
pub async fn check(settings: &Settings) -> Result<Report, BrokerError> {
    let connection = connection::open(settings, "broker check").await?;
    let report = audit(&connection, &settings.names).await;
    connection::close(&connection).await;
    report
}

/// Audits over a connection that is open already.
pub(super) async fn audit(connection: &Connection, names: &Names) -> Result<Report, BrokerError> {
    let mut report = Report::default();
    for item in plan(names) {
        if matches!(item, Item::Binding { .. }) {
            continue;
        }
        let finding = match existence(connection, &item).await? {
            Finding::Right => declare(connection, &item).await?,
            other => other,
        };
        report.lines.push(Line { item: item.to_string(), finding });
    }
    Ok(report)
}

/// Asks passively. A binding cannot be asked for and counts as existing.
async fn existence(connection: &Connection, item: &Item) -> Result<Finding, BrokerError> {
    if matches!(item, Item::Binding { .. }) {
        return Ok(Finding::Right);
    }
    attempt(connection, item, true).await
}

/// Declares, which creates or compares.
async fn declare(connection: &Connection, item: &Item) -> Result<Finding, BrokerError> {
    attempt(connection, item, false).await
}

/// Each on a channel of its own, because a refusal closes the channel.
async fn attempt(
    connection: &Connection,
    item: &Item,
    passive: bool,
) -> Result<Finding, BrokerError> {
    let channel = step("open channel", connection.create_channel()).await?;
    let outcome = tokio::time::timeout(super::STEP_TIMEOUT, send(&channel, item, passive)).await;
    let error = match outcome {
        Ok(Ok(())) => {
            let _ = step("close channel", channel.close(200, ShortString::default())).await;
            return Ok(Finding::Right);
        }
        Ok(Err(error)) => error,
        Err(_) => return Err(failure::timed_out("declare")),
    };
    let words = || match error.kind() {
        ErrorKind::ProtocolError(reply) => reply.get_message().to_string(),
        _ => String::new(),
    };
    match failure::reply_code(&error) {
        Some(NOT_FOUND) => Ok(Finding::Missing),
        Some(PRECONDITION_FAILED) => Ok(Finding::Different(words())),
        Some(ACCESS_REFUSED) => Ok(Finding::Forbidden(words())),
        _ => Err(failure::of("declare", &error)),
    }
}

async fn send(channel: &Channel, item: &Item, passive: bool) -> lapin::Result<()> {
    match item {
        Item::Exchange { name, kind } => {
            let options = ExchangeDeclareOptions {
                passive,
                durable: true,
                ..ExchangeDeclareOptions::default()
            };
            let arguments = FieldTable::default();
            let kind = match kind {
                Kind::Topic => ExchangeKind::Topic,
                Kind::Fanout => ExchangeKind::Fanout,
            };
            channel.exchange_declare(short(name), kind, options, arguments).await
        }
        Item::Queue { name, arguments } => {
            let options =
                QueueDeclareOptions { passive, durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(short(name), options, table(arguments)).await.map(|_| ())
        }
        Item::Binding { exchange, queue } => {
            let options = QueueBindOptions::default();
            let arguments = FieldTable::default();
            channel.queue_bind(short(queue), short(exchange), short("#"), options, arguments).await
        }
    }
}

/// AMQP's short string. A name longer than 255 bytes becomes the empty one, which the broker
/// refuses; the library's own conversion would panic.
pub(super) fn short(value: &str) -> ShortString {
    ShortString::try_new(value).unwrap_or_default()
}

fn table(arguments: &[(&'static str, Argument)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, argument) in arguments {
        let value = match argument {
            Argument::Text(text) => AMQPValue::LongString(text.as_str().into()),
            Argument::Number(number) => AMQPValue::LongInt(*number),
            Argument::Flag(flag) => AMQPValue::Boolean(*flag),
        };
        table.insert(short(name), value);
    }
    table
}

/// The same as a definitions file for `rabbitmqctl import_definitions`.
pub fn export(names: &Names, vhost: &str) -> Value {
    let (mut exchanges, mut queues, mut bindings) = (Vec::new(), Vec::new(), Vec::new());
    for item in plan(names) {
        match item {
            Item::Exchange { name, kind } => exchanges.push(json!({
                "name": name, "vhost": vhost, "durable": true,
                "type": match kind { Kind::Topic => "topic", Kind::Fanout => "fanout" },
                "auto_delete": false, "internal": false, "arguments": {},
            })),
            Item::Queue { name, arguments } => queues.push(json!({
                "name": name, "vhost": vhost, "durable": true, "auto_delete": false,
                "arguments": arguments.into_iter().map(|(name, argument)| {
                    (name.to_owned(), match argument {
                        Argument::Text(text) => Value::from(text),
                        Argument::Number(number) => Value::from(number),
                        Argument::Flag(flag) => Value::from(flag),
                    })
                }).collect::<Map<_, _>>(),
            })),
            Item::Binding { exchange, queue } => bindings.push(json!({
                "source": exchange, "vhost": vhost, "destination": queue,
                "destination_type": "queue", "routing_key": "#", "arguments": {},
            })),
        }
    }
    json!({ "exchanges": exchanges, "queues": queues, "bindings": bindings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exported_ingest_queue_is_the_safe_one() {
        let definitions = export(&Names::default(), "/");
        let queues = definitions["queues"].as_array().unwrap();
        let ingest = queues.iter().find(|queue| queue["name"] == "watashi.ingest").unwrap();
        assert_eq!(
            ingest["arguments"],
            json!({
                "x-queue-type": "quorum",
                "x-single-active-consumer": true,
                "x-delivery-limit": 20,
                "x-overflow": "reject-publish",
                "x-dead-letter-exchange": "watashi.dead",
                "x-dead-letter-strategy": "at-least-once",
            })
        );
        assert_eq!(definitions["bindings"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn the_verdict_names_the_first_fault_and_its_remedy() {
        let line = |item: &str, finding| Line { item: item.to_owned(), finding };
        let mut report = Report { lines: vec![line("queue a", Finding::Right)] };
        assert_eq!(report.verdict(), Ok(()));
        report.lines.push(line("queue b", Finding::Forbidden(String::new())));
        assert_eq!(report.verdict(), Ok(()));
        report.lines.push(line("queue c", Finding::Missing));
        let error = report.verdict().unwrap_err();
        assert_eq!(error.code.code, "N111");
        assert_eq!(error.detail, "queue c: run `watashi broker apply`");
    }

    #[test]
    fn overlong_names_do_not_panic() {
        assert_eq!(short(&"x".repeat(256)).as_str(), "");
    }
}
