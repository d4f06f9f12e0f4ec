//! What could not be recognised: kept as a dead letter, as far as it is safe to keep.

use super::accept::{Arrival, MAX_KEPT, Origin, header, media_type};
use super::context::Context;
use super::{settle, signed};
use crate::model::{Envelope, Failure, MessageId, Secret};
use crate::store::{NewExchange, NewMessage};
use std::sync::Arc;

/// What could not be recognised is kept, sealed, as a dead letter. Without a usable id of its own
/// it gets one from its content, so that a redelivery is known again. Headers that are safe are
/// kept as they came, for a replay once the cause is gone.
pub(super) fn dead_on_arrival(arrival: &Arrival, failure: Failure, cx: &Context) -> NewMessage {
    let message_type = arrival.message_type.clone().unwrap_or_default();
    let kept = arrival.body.get(..MAX_KEPT).unwrap_or(&arrival.body);
    let fingerprint = cx.keys.fingerprint(&message_type, kept);
    let own = arrival.message_id.as_deref().and_then(MessageId::parse);
    let message_id = own.unwrap_or_else(|| MessageId::from_content(&fingerprint));
    // Also that of a route which is not on yet.
    let known_type = cx.bundle().routes().any(|route| route.on.contains(&message_type));
    let envelope = Envelope {
        source: arrival.source.clone().into(),
        message_id: message_id.clone(),
        // An unknown type is the sender's free text: it is kept in the sealed body's row only
        // when it looks like a type.
        message_type: if known_type || is_plain_name(&message_type) {
            message_type.into()
        } else {
            Arc::default()
        },
        content_type: kept_media_type(arrival.content_type.as_deref()),
        correlation_id: arrival.correlation_id.as_deref().and_then(MessageId::parse),
        reply_to: kept_header(arrival.reply_to.as_deref()),
        traceparent: kept_header(arrival.traceparent.as_deref()),
        operator: kept_header(arrival.operator.as_deref()).map(Into::into),
        municipality: kept_municipality(arrival.municipality.as_deref()).map(Into::into),
        accepted_at: cx.clock.now(),
    };
    let operation = match &arrival.origin {
        Origin::Pulled { operation, .. } => operation.name.clone(),
        Origin::Upstream | Origin::Undeliverable { .. } => String::new(),
    };
    let key = cx.keys.idempotency_key("", &arrival.source, message_id.as_str(), failure.code.code);
    let record = signed::note(&arrival.origin, &envelope, &key, &failure, cx);
    let exchange = NewExchange {
        route: Arc::default(),
        counterpart: Arc::default(),
        operation: operation.into(),
        lane: 0,
        idempotency_key: key.clone().into(),
        subject: None,
        announce: Some(settle::announce_dead(&envelope, "", &key, &failure)),
        supersedes: None,
        failure: Some(failure),
        bundle: cx.bundle().digest().into(),
        first: None,
        approval: None,
        opens: None,
    };
    NewMessage {
        envelope: Arc::new(envelope),
        fingerprint,
        body: Secret::new(kept.to_vec()),
        exchanges: vec![exchange],
        record,
        if_reused: None,
    }
}

fn is_plain_name(text: &str) -> bool {
    text.len() <= 64 && text.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '-'))
}

/// Stands for a header that may not be kept. No check lets it pass, so that a replay is refused
/// for the same reason instead of going on without the header.
const NOT_KEPT: &str = "\u{fffd}";

fn kept_header(value: Option<&str>) -> Option<String> {
    match header(value, "") {
        Ok(kept) => kept,
        Err(_) => Some(NOT_KEPT.to_owned()),
    }
}

fn kept_municipality(value: Option<&str>) -> Option<String> {
    let is_code = |text: &&str| text.len() == 6 && text.chars().all(|c| c.is_ascii_digit());
    value.map(|text| Some(text).filter(is_code).unwrap_or(NOT_KEPT).to_owned())
}

fn kept_media_type(content_type: Option<&str>) -> String {
    let media = media_type(content_type);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '+' | '-' | '.');
    if media.len() <= 64 && media.chars().all(plain) { media } else { NOT_KEPT.to_owned() }
}
