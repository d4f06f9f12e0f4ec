//! One delivery in our own words: what a producer may say, and nothing of the library's types.

use super::consumer::Receipt;
use bytes::Bytes;
use jiff::Timestamp;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use std::collections::BTreeMap;
use std::fmt;

/// The properties of a message as its producer set them; nothing is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties {
    /// `message_id`.
    pub message_id: Option<String>,
    /// `type`.
    pub message_type: Option<String>,
    /// `content_type`.
    pub content_type: Option<String>,
    /// `content_encoding`; Watashi takes none, but must notice one.
    pub content_encoding: Option<String>,
    /// `correlation_id`.
    pub correlation_id: Option<String>,
    /// `reply_to`.
    pub reply_to: Option<String>,
    /// `user_id`: the broker has checked that it is the producer's login.
    pub user_id: Option<String>,
    /// `timestamp`, whole seconds.
    pub timestamp: Option<Timestamp>,
    /// Headers that are UTF-8 text, such as `traceparent`, `watashi-operator` and
    /// `watashi-municipality`; other kinds of values are left out.
    pub headers: BTreeMap<String, String>,
    /// The routing key it was published with.
    pub routing_key: String,
    /// The queue it was taken from.
    pub queue: String,
    /// The broker has delivered it before; false does not mean that it is new.
    pub redelivered: bool,
}

/// Why and from where the broker set a message aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undeliverable {
    /// `rejected`, `expired`, `maxlen` or `delivery_limit`; empty when the broker did not say.
    pub reason: String,
    /// The queue it was in.
    pub queue: String,
}

/// One message as it came from the broker. Its `Debug` shows no body.
#[derive(Clone)]
pub struct Delivery {
    /// What the producer says about it.
    pub properties: Properties,
    /// The body.
    pub body: Bytes,
    /// Set when the broker had set the message aside.
    pub undeliverable: Option<Undeliverable>,
    /// To be handed back when the message is safe.
    pub receipt: Receipt,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Delivery")
            .field("queue", &self.properties.queue)
            .field("bytes", &self.body.len())
            .field("undeliverable", &self.undeliverable)
            .field("receipt", &self.receipt)
            .finish_non_exhaustive()
    }
}

/// Reads what the library delivered.
pub(super) fn read(
    raw: lapin::message::Delivery,
    queue: String,
    undeliverable: bool,
    receipt: Receipt,
) -> Delivery {
    let own = |value: &Option<ShortString>| value.as_ref().map(ToString::to_string);
    let from = &raw.properties;
    let table = from.headers();
    let headers = table.as_ref().map(texts).unwrap_or_default();
    let undeliverable =
        undeliverable.then(|| table.as_ref().and_then(first_death).unwrap_or_default());
    let properties = Properties {
        message_id: own(from.message_id()),
        message_type: own(from.kind()),
        content_type: own(from.content_type()),
        content_encoding: own(from.content_encoding()),
        correlation_id: own(from.correlation_id()),
        reply_to: own(from.reply_to()),
        user_id: own(from.user_id()),
        timestamp: from
            .timestamp()
            .and_then(|seconds| i64::try_from(seconds).ok())
            .and_then(|seconds| Timestamp::from_second(seconds).ok()),
        headers,
        routing_key: raw.routing_key.to_string(),
        queue,
        redelivered: raw.redelivered,
    };
    Delivery { properties, body: raw.data.into(), undeliverable, receipt }
}

fn texts(table: &FieldTable) -> BTreeMap<String, String> {
    table.into_iter().filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect()
}

fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// The newest entry of `x-death`, which stands first.
fn first_death(table: &FieldTable) -> Option<Undeliverable> {
    let AMQPValue::FieldArray(deaths) = table.inner().get("x-death")? else { return None };
    let AMQPValue::FieldTable(death) = deaths.as_slice().first()? else { return None };
    let field = |name: &str| death.inner().get(name).and_then(text).unwrap_or_default();
    Some(Undeliverable { reason: field("reason"), queue: field("queue") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::BasicProperties;

    fn receipt() -> Receipt {
        super::super::consumer::tests::receipt(1, 7)
    }

    fn long(value: &str) -> AMQPValue {
        AMQPValue::LongString(value.into())
    }

    #[test]
    fn properties_are_taken_over_and_other_kinds_of_headers_left_out() {
        let mut headers = FieldTable::default();
        headers.insert("watashi-operator".into(), long("taro"));
        headers.insert("number".into(), AMQPValue::LongInt(1));
        headers.insert("bytes".into(), AMQPValue::LongString(vec![0xff, 0xfe].into()));
        let mut raw =
            lapin::message::Delivery::mock(7, "watashi.in".into(), "a.b".into(), true, vec![1, 2]);
        raw.properties = BasicProperties::default()
            .with_message_id("m-1".into())
            .with_type("a.b".into())
            .with_timestamp(1_780_000_000)
            .with_headers(headers);
        let delivery = read(raw, "watashi.ingest".to_owned(), false, receipt());
        let properties = &delivery.properties;
        assert_eq!(properties.message_id.as_deref(), Some("m-1"));
        assert_eq!(properties.message_type.as_deref(), Some("a.b"));
        assert_eq!(properties.timestamp.unwrap().as_second(), 1_780_000_000);
        assert_eq!(properties.headers.len(), 1);
        assert_eq!(properties.headers["watashi-operator"], "taro");
        assert!(properties.redelivered && delivery.undeliverable.is_none());
        assert_eq!(&delivery.body[..], [1, 2]);
    }

    #[test]
    fn the_reason_for_setting_aside_is_read_and_may_be_missing() {
        let mut death = FieldTable::default();
        death.insert("reason".into(), long("delivery_limit"));
        death.insert("queue".into(), long("watashi.ingest"));
        let mut headers = FieldTable::default();
        headers.insert(
            "x-death".into(),
            AMQPValue::FieldArray(vec![AMQPValue::FieldTable(death)].into()),
        );
        let mut raw =
            lapin::message::Delivery::mock(1, "watashi.dead".into(), "a".into(), false, vec![]);
        raw.properties = BasicProperties::default().with_headers(headers);
        let undeliverable = read(raw, "q".to_owned(), true, receipt()).undeliverable.unwrap();
        assert_eq!(undeliverable.reason, "delivery_limit");
        assert_eq!(undeliverable.queue, "watashi.ingest");

        let bare = lapin::message::Delivery::mock(1, "".into(), "a".into(), false, vec![]);
        let delivery = read(bare, "q".to_owned(), true, receipt());
        assert_eq!(delivery.undeliverable, Some(Undeliverable::default()));
    }

    #[test]
    fn debug_shows_no_body() {
        let raw = lapin::message::Delivery::mock(
            1,
            "".into(),
            "".into(),
            false,
            b"123456789018".to_vec(),
        );
        let shown = format!("{:?}", read(raw, "q".to_owned(), false, receipt()));
        assert!(!shown.contains("123456789018") && shown.contains("bytes: 12"), "{shown}");
    }
}
