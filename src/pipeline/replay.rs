//! Replay: an operator sends a dead letter on its way again.
//!
//! One that had a route is tried again as it is, by the definitions in force now. One that no route could take is recognised anew,
//! by the definitions and limits in force now; what still cannot be recognised stays as it was.

use super::accept::{Arrival, MAX_KEPT, Origin, new_message, recognise_as_of, refuse};
use super::context::Context;
use super::scan;
use crate::model::codes::message as codes;
use crate::model::codes::store as store_codes;
use crate::model::{Failure, MessageId, State};
use crate::store::{Act, Kept, NewMessage, Rerouted, StoreError};
use bytes::Bytes;
use std::sync::Arc;

/// What became of a replay.
#[derive(Debug)]
pub enum Replayed {
    /// It goes its way; the state it has now.
    Done(State),
    /// It still cannot go; nothing was changed.
    Refused(Failure),
    /// The exchange is not in a state that allows it.
    NotAllowed,
}

/// Replays a dead exchange, with or without a route. The act is recorded with its effect.
///
/// # Errors
/// Only when the store cannot read or write.
pub async fn replay(act: Act, cx: &Context) -> Result<Replayed, StoreError> {
    let Some(kept) = cx.store.kept(act.exchange).await? else {
        let act = Act { bundle: Some(cx.bundle().digest().to_owned()), ..act };
        return match cx.store.act(act).await {
            Ok(state) => Ok(state.map_or(Replayed::NotAllowed, Replayed::Done)),
            Err(error) if error.code == &store_codes::BODY_PURGED => {
                Ok(Replayed::Refused(refuse(&store_codes::BODY_PURGED, "")))
            }
            Err(error) => Err(error),
        };
    };
    let message = match recognised_now(kept, cx).await {
        Ok(message) => message,
        Err(failure) => return Ok(Replayed::Refused(failure)),
    };
    Ok(match cx.store.reroute(act, message).await? {
        Rerouted::Done(state) => Replayed::Done(state),
        Rerouted::IdTaken => {
            Replayed::Refused(refuse(&codes::MESSAGE_ID_REUSED, "accepted under its id since"))
        }
        Rerouted::NotAllowed => Replayed::NotAllowed,
    })
}

/// A message that no route could take, recognised by the definitions and limits in force. What must
/// be scanned is scanned again: the scanner may know more by now.
pub(super) async fn recognised_now(kept: Kept, cx: &Context) -> Result<NewMessage, Failure> {
    let (mut arrival, accepted_at) = arrival(kept, cx)?;
    scan::clear(&mut arrival, accepted_at, cx).await?;
    let mut message = new_message(recognise_as_of(&arrival, accepted_at, cx)?, cx);
    message.record.extend(scan::note(&arrival, &message.envelope, cx));
    match message.exchanges.iter().find_map(|exchange| exchange.failure.clone()) {
        Some(failure) => Err(failure),
        None => Ok(message),
    }
}

/// The message as it came in, as far as it was kept, and when that was.
fn arrival(kept: Kept, cx: &Context) -> Result<(Arrival, jiff::Timestamp), Failure> {
    let Kept { envelope, fingerprint, operation, body } = kept;
    let Some(envelope) = envelope else {
        return Err(refuse(&codes::MESSAGE_ID_REUSED, "it may never be sent"));
    };
    let Some(body) = body else {
        return Err(refuse(&store_codes::BODY_PURGED, ""));
    };
    if body.expose().len() >= MAX_KEPT {
        return Err(refuse(&codes::BODY_TOO_LARGE, "only its beginning was kept"));
    }
    // An id that it got here would not be known again when its sender repeats it.
    let own_id =
        Some(envelope.message_id).filter(|id| *id != MessageId::from_content(&fingerprint));
    let arrival = Arrival {
        origin: origin(&envelope.source, &operation, cx)?,
        source: envelope.source.to_string(),
        message_id: own_id.map(|id| id.as_str().to_owned()),
        message_type: Some(envelope.message_type.to_string()).filter(|name| !name.is_empty()),
        content_type: Some(envelope.content_type),
        correlation_id: envelope.correlation_id.map(|id| id.as_str().to_owned()),
        reply_to: envelope.reply_to,
        traceparent: envelope.traceparent,
        operator: envelope.operator.map(|name| name.to_string()),
        municipality: envelope.municipality.map(|code| code.to_string()),
        body: Bytes::from(body.expose().clone()),
        cleared: None,
    };
    Ok((arrival, envelope.accepted_at))
}

/// What was fetched stays what was fetched: it goes where routes of its type lead.
fn origin(source: &str, operation: &str, cx: &Context) -> Result<Origin, Failure> {
    if operation.is_empty() {
        return Ok(Origin::Upstream);
    }
    let found = cx.bundle().adapters.get(source).and_then(|adapter| {
        let operation = adapter.operations.get(operation)?;
        Some(Origin::Pulled { adapter: Arc::clone(adapter), operation: Arc::clone(operation) })
    });
    found.ok_or_else(|| refuse(&codes::UNKNOWN_TYPE, format!("no pull `{operation}` any more")))
}
