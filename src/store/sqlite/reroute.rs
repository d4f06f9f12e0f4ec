//! Reroute: a message that no route could take goes its way after all.

use super::accept::{Prepared, insert_exchange, seen};
use super::claim::{envelope, original};
use super::ids::Key;
use super::restored;
use super::writer::Tx;
use super::{act, approvals};
use crate::model::codes::store as codes;
use crate::model::{MessageId, State};
use crate::store::acts::{born_final, first_state};
use crate::store::epoch::Known;
use crate::store::{Act, Kept, Keys, NewExchange, Rerouted, StoreError};
use rusqlite::{Connection, params};

/// What is kept of a message whose only exchange is dead and without a route.
pub(super) fn kept(
    connection: &Connection,
    keys: &Keys,
    exchange: i64,
) -> Result<Option<Kept>, StoreError> {
    let sql = "SELECT m.source, m.message_id, m.message_type, m.content_type, m.correlation_id,
            m.reply_to, m.traceparent, m.operator, m.municipality, m.accepted_at,
            m.fingerprint, e.operation
        FROM exchanges e JOIN messages m ON m.id = e.message
        WHERE e.id = ?1 AND e.state = 'dead' AND e.counterpart = ''";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([exchange])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let fingerprint: Vec<u8> = row.get(10)?;
    let odd = |_| StoreError::new(&codes::STORE_REFUSED, "a row has another shape than expected");
    Ok(Some(Kept {
        envelope: envelope(row, 0)?,
        fingerprint: fingerprint.try_into().map_err(odd)?,
        operation: row.get(11)?,
        body: original(connection, keys, exchange)?,
    }))
}

/// Writes the message over what was kept of it, and the operator's entry.
pub(super) fn run(tx: &mut Tx<'_>, act: &Act, message: &Prepared) -> Result<Rerouted, StoreError> {
    let Some(before) = act::find(tx, act)? else { return Ok(Rerouted::NotAllowed) };
    let unrouted = before.state == Some(State::Dead) && before.draft.counterpart.is_empty();
    // An id that is not its sender's stands for content that was put aside: nothing may send it.
    let reused = MessageId::parse(&before.draft.message_id).is_none();
    let [first, others @ ..] = message.exchanges.as_slice() else {
        return Ok(Rerouted::NotAllowed);
    };
    if !unrouted || reused {
        return Ok(Rerouted::NotAllowed);
    }
    let id = message.envelope.message_id.as_str();
    let holder = seen(tx, message, (Key::of(id), id))?;
    if holder.is_some_and(|(row, _)| row != before.message) {
        return Ok(Rerouted::IdTaken);
    }
    if approvals::refusal(tx, first)?.is_some() {
        return Ok(Rerouted::NotAllowed);
    }
    if id != &*before.draft.message_id {
        tx.ids.change(tx.connection, Key::of(id), before.message)?;
    }
    replace_message(tx, before.message, message)?;
    tx.tallies.take(&before.ended(State::Dead));
    let state = replace_exchange(tx, act, message, first, before.since)?;
    for exchange in others {
        insert_exchange(tx, before.message, message, exchange, act.at)?;
    }
    tx.append_all(&message.record)?;
    if let Some(mut after) = act::find(tx, act)? {
        // The way it goes now, and why it had not gone before.
        after.draft.code = before.draft.code;
        tx.append(&after.draft)?;
    }
    Ok(Rerouted::Done(state))
}

/// The row as accept would have written it, so that a repetition is recognised. It keeps the time
/// at which it was accepted.
fn replace_message(tx: &Tx<'_>, row: i64, message: &Prepared) -> Result<(), StoreError> {
    let envelope = &message.envelope;
    let sql = "UPDATE messages SET message_id = ?2, message_type = ?3, content_type = ?4,
            correlation_id = ?5, reply_to = ?6, traceparent = ?7, operator = ?8,
            municipality = ?9, fingerprint = ?10, commitment = ?11
        WHERE id = ?1";
    tx.execute(
        sql,
        params![
            row,
            envelope.message_id.as_str(),
            envelope.message_type,
            envelope.content_type,
            envelope.correlation_id.as_ref().map(|id| id.as_str()),
            envelope.reply_to,
            envelope.traceparent,
            envelope.operator,
            envelope.municipality,
            message.fingerprint,
            message.commitment,
        ],
    )?;
    let sql = "UPDATE bodies SET sealed = ?2 WHERE message = ?1";
    tx.execute(sql, params![row, message.sealed.0])?;
    Ok(())
}

fn replace_exchange(
    tx: &mut Tx<'_>,
    act: &Act,
    message: &Prepared,
    exchange: &NewExchange,
    since: i64,
) -> Result<State, StoreError> {
    let known = match restored::known(tx, &message.envelope, exchange)? {
        // It may have been replayed before the store was put back.
        Known::New if tx.restored.doubts(since) => Known::Doubt,
        known => known,
    };
    let open = || tx.lanes.is_open(&exchange.counterpart, exchange.lane);
    let state = first_state(exchange, known, open);
    if state.is_final() {
        tx.tallies.add(&born_final(&exchange.route, state, ""));
    } else {
        tx.lanes.enter(&exchange.counterpart, exchange.lane, state);
    }
    let at = act.at.as_millisecond();
    let sql = "UPDATE exchanges SET route = ?2, counterpart = ?3, operation = ?4, lane = ?5,
            idempotency_key = ?6, subject = ?7, bundle = ?8, state = ?9, due = ?10, since = ?11,
            fence = fence + 1, code = NULL, stage = NULL, detail = NULL, supersedes = ?12,
            maybe_applied = ?13, was_unknown = ?13
        WHERE id = ?1";
    tx.execute(
        sql,
        params![
            act.exchange,
            exchange.route,
            exchange.counterpart,
            exchange.operation,
            exchange.lane,
            exchange.idempotency_key,
            exchange.subject,
            exchange.bundle,
            state.name(),
            matches!(state, State::Received | State::Unknown).then_some(at),
            at,
            // What was accepted later is the newer state: a replay ends nothing.
            exchange.supersedes.is_some(),
            known == Known::Doubt,
        ],
    )?;
    approvals::enter(tx, act.exchange, state, exchange, act.at)?;
    Ok(state)
}
