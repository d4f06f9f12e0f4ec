//! Reroute: a message that no route could take goes its way after all.

use super::accept::{insert_exchange, seen};
use super::claim::{envelope, original};
use super::connection::{Params, Session, column, kept, odd};
use super::exchanges::lane_is_open;
use super::prepared::{Entry, Message};
use super::restored;
use super::tx::Tx;
use super::{act, approvals};
use crate::model::{MessageId, State};
use crate::store::acts::{born_final, first_state};
use crate::store::epoch::Known;
use crate::store::{Act, Kept, Keys, NewExchange, Rerouted, StoreError};
use std::sync::Arc;

/// What is kept of a message whose only exchange is dead and without a route.
pub(super) async fn kept_of(
    session: &Session,
    keys: &Keys,
    exchange: i64,
) -> Result<Option<Kept>, StoreError> {
    let sql = "SELECT m.source, m.message_id, m.message_type, m.content_type, m.correlation_id,
            m.reply_to, m.traceparent, m.operator, m.municipality, m.accepted_at,
            m.fingerprint, e.operation
        FROM exchanges e JOIN messages m ON m.id = e.message
        WHERE e.id = $1 AND e.state = 'dead' AND e.counterpart = ''";
    let Some(row) = session.row(sql, &[&exchange]).await? else { return Ok(None) };
    let fingerprint: &[u8] = column(&row, 10)?;
    Ok(Some(Kept {
        envelope: envelope(&row, 0)?,
        fingerprint: fingerprint.try_into().map_err(|_| odd())?,
        operation: column(&row, 11)?,
        body: original(session, keys, exchange).await?,
    }))
}

/// Writes the message over what was kept of it, and the operator's entry.
pub(super) async fn run(
    tx: &mut Tx<'_>,
    act: &Act,
    message: &Message,
) -> Result<Rerouted, StoreError> {
    let Some(before) = act::find(tx, act).await? else { return Ok(Rerouted::NotAllowed) };
    let unrouted = before.state == Some(State::Dead) && before.draft.counterpart.is_empty();
    // An id that is not its sender's stands for content that was put aside: nothing may send it.
    let reused = MessageId::parse(&before.draft.message_id).is_none();
    let [first, others @ ..] = message.exchanges.as_slice() else {
        return Ok(Rerouted::NotAllowed);
    };
    if !unrouted || reused {
        return Ok(Rerouted::NotAllowed);
    }
    let holder = seen(tx, message, message.envelope.message_id.as_str()).await?;
    if holder.is_some_and(|(row, _)| row != before.message) {
        return Ok(Rerouted::IdTaken);
    }
    if approvals::refusal(tx, &first.exchange).await?.is_some() {
        return Ok(Rerouted::NotAllowed);
    }
    replace_message(tx, before.message, message).await?;
    tx.reopened(&before.ended(State::Dead));
    let state = replace_exchange(tx, act, message, &first.exchange, before.since).await?;
    for other in others {
        insert_exchange(tx, before.message, message, &other.exchange, act.at).await?;
    }
    tx.append_all(&message.record);
    if let Some(mut after) = act::find(tx, act).await? {
        // The way it goes now, and why it had not gone before.
        after.draft.code = before.draft.code;
        tx.append(&Entry::new(&after.draft));
    }
    Ok(Rerouted::Done(state))
}

/// The row as accept would have written it, so that a repetition is recognised. It keeps the time
/// at which it was accepted.
async fn replace_message(tx: &Tx<'_>, row: i64, message: &Message) -> Result<(), StoreError> {
    let envelope = &message.envelope;
    let sql = "UPDATE messages SET message_id = $2, message_type = $3, content_type = $4,
            correlation_id = $5, reply_to = $6, traceparent = $7, operator = $8,
            municipality = $9, fingerprint = $10, commitment = $11
        WHERE id = $1";
    let maybe = |text: &'_ Option<String>| text.as_deref().map(|text| kept(text).into_owned());
    let shared = |text: &'_ Option<Arc<str>>| text.as_deref().map(|text| kept(text).into_owned());
    let params: Params<'_> = &[
        &row,
        &envelope.message_id.as_str(),
        &kept(&envelope.message_type),
        &kept(&envelope.content_type),
        &envelope.correlation_id.as_ref().map(|id| id.as_str()),
        &maybe(&envelope.reply_to),
        &maybe(&envelope.traceparent),
        &shared(&envelope.operator),
        &shared(&envelope.municipality),
        &message.fingerprint.as_slice(),
        &message.commitment.as_ref(),
    ];
    tx.execute(sql, params).await?;
    let sql = "UPDATE bodies SET sealed = $2 WHERE message = $1";
    tx.execute(sql, &[&row, &message.sealed.0]).await.map(drop)
}

async fn replace_exchange(
    tx: &mut Tx<'_>,
    act: &Act,
    message: &Message,
    exchange: &NewExchange,
    since: i64,
) -> Result<State, StoreError> {
    let known = match restored::known(tx, &message.envelope, exchange).await? {
        // It may have been replayed before the store was put back.
        Known::New if tx.head.restored.doubts(since) => Known::Doubt,
        known => known,
    };
    let open = lane_is_open(tx, &exchange.counterpart, exchange.lane).await?;
    let state = first_state(exchange, known, || open);
    if state.is_final() {
        tx.ended(&born_final(&exchange.route, state, ""));
    }
    let at = act.at.as_millisecond();
    let sql = "UPDATE exchanges SET route = $2, counterpart = $3, operation = $4, lane = $5,
            idempotency_key = $6, subject = $7, bundle = $8, state = $9, due = $10, since = $11,
            fence = fence + 1, code = NULL, stage = NULL, detail = NULL, supersedes = $12,
            maybe_applied = $13, was_unknown = $13
        WHERE id = $1";
    let params: Params<'_> = &[
        &act.exchange,
        &exchange.route.as_ref(),
        &exchange.counterpart.as_ref(),
        &exchange.operation.as_ref(),
        &exchange.lane,
        &exchange.idempotency_key.as_ref(),
        &exchange.subject.as_deref(),
        &exchange.bundle.as_ref(),
        &state.name(),
        &matches!(state, State::Received | State::Unknown).then_some(at),
        &at,
        // What was accepted later is the newer state: a replay ends nothing.
        &exchange.supersedes.is_some(),
        &(known == Known::Doubt),
    ];
    tx.execute(sql, params).await?;
    approvals::enter(tx, act.exchange, state, exchange, act.at).await?;
    Ok(state)
}
