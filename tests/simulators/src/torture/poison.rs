//! Forty kinds of messages that nobody may send: each must become a dead letter, and harm nothing.

use crate::Trouble;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use std::collections::BTreeSet;

/// One kind: its body, and what is odd about its properties.
struct Kind {
    body: Vec<u8>,
    message_type: &'static str,
    content_type: &'static str,
    municipality: &'static str,
}

/// Publishes all kinds; gives the ids that must be found among the dead letters. `good` is the body
/// of an honest notice, `number` a 個人番号 that must not be found anywhere.
pub async fn publish(
    url: &str,
    run: u64,
    good: &str,
    number: &str,
) -> Result<BTreeSet<String>, Trouble> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut ids = BTreeSet::new();
    for (index, kind) in kinds(good, number).into_iter().enumerate() {
        let id = format!("poison-{run}-{index}");
        let mut headers = FieldTable::default();
        let municipality = AMQPValue::LongString(kind.municipality.into());
        headers.insert("watashi-municipality".into(), municipality);
        let properties = BasicProperties::default()
            .with_message_id(id.as_str().into())
            .with_type(kind.message_type.into())
            .with_content_type(kind.content_type.into())
            .with_delivery_mode(2)
            .with_headers(headers);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let key = if kind.message_type.is_empty() { "x" } else { kind.message_type };
        let publish =
            channel.basic_publish("watashi.in".into(), key.into(), options, &kind.body, properties);
        publish.await?.await?;
        ids.insert(id);
    }
    Ok(ids)
}

fn kinds(good: &str, number: &str) -> Vec<Kind> {
    let honest = |body: Vec<u8>| Kind {
        body,
        message_type: "notice.requested",
        content_type: "application/json",
        municipality: "131237",
    };
    let text = |body: String| honest(body.into_bytes());
    let cut = |at: usize| honest(good.as_bytes().get(..at).unwrap_or_default().to_vec());
    let mut latin = good.as_bytes().to_vec();
    latin.push(0xFF);
    let mut all = vec![
        text(String::new()),
        text(" ".to_owned()),
        text("null".to_owned()),
        text("true".to_owned()),
        text("0".to_owned()),
        text("\"text\"".to_owned()),
        text("[]".to_owned()),
        text("{}".to_owned()),
        text("{\"a\":1,\"a\":2}".to_owned()),
        text(format!("{{\"individualNumber\":\"{number}\"}}")),
        text(number.to_owned()),
        text(format!("\"{number}")),
        text(format!("<number>{number}</number>")),
        text(format!("{good}{good}")),
        text(format!("{good},")),
        text(format!("[{good}]")),
        text(format!("\u{feff}{good}")),
        text(good.replacen('{', "{\"unknown\":1,", 1)),
        text(good.replacen('"', "'", 2)),
        text(good.replacen(':', "=", 1)),
        text(good.replacen('{', "{\"constructor\":{\"prototype\":1},", 1)),
        text(format!("{}1{}", "[".repeat(500), "]".repeat(500))),
        text(format!("{}1{}", "{\"a\":".repeat(500), "}".repeat(500))),
        text("{\"a\":1e400}".to_owned()),
        text("{\"a\":NaN}".to_owned()),
        text("{\"a\":0x10}".to_owned()),
        text("{\"a\":\"\\ud800\"}".to_owned()),
        text("{\"a\":\"\u{0}\"}".to_owned()),
        text("{\"a\":\"\\u0000\"}".to_owned()),
        text("x".repeat(300_000)),
        honest(latin),
        honest(vec![0; 1_000]),
        honest(vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0]),
        cut(1),
        cut(good.len() / 2),
        cut(good.len().saturating_sub(1)),
    ];
    let bytes = || good.as_bytes().to_vec();
    all.push(Kind { message_type: "no.such.type", ..honest(bytes()) });
    all.push(Kind { message_type: "application.received", ..honest(bytes()) });
    all.push(Kind { content_type: "text/plain", ..honest(bytes()) });
    all.push(Kind { municipality: "131016", ..text(good.replace("131237", "131016")) });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_forty_and_no_two_alike() {
        let all = kinds("{\"municipalityCode\":\"131237\",\"title\":\"x\"}", "123456789018");
        let different: BTreeSet<_> = all
            .iter()
            .map(|kind| (kind.body.clone(), kind.message_type, kind.content_type))
            .collect();
        assert_eq!((all.len(), different.len()), (40, 40));
    }
}
