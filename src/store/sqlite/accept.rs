//! Accept: a message becomes durable, or is recognised.

use super::ids::Key;
use super::restored;
use super::writer::{Entry, Tx};
use super::{approvals, exchanges, supersede};
use crate::model::codes::store as codes;
use crate::model::{Envelope, Stage, State};
use crate::record::{Draft, Kind, Phase, hex};
use crate::store::acts::{born_final, first_state};
use crate::store::epoch::{Known, not_new};
use crate::store::keys::Sealed;
use crate::store::{Accepted, Announcement, Keys, NewExchange, NewMessage, StoreError};
use jiff::Timestamp;
use rusqlite::params;
use std::sync::Arc;

/// A message prepared on its caller's thread: sealed, committed to, its entries complete.
pub(super) struct Prepared {
    pub envelope: Arc<Envelope>,
    pub fingerprint: [u8; 32],
    /// Of its id.
    key: Key,
    pub sealed: Sealed,
    pub commitment: Arc<str>,
    pub exchanges: Vec<NewExchange>,
    pub record: Vec<Draft>,
    /// Sealed announcements of the exchanges, in their order.
    announced: Vec<Option<Sealed>>,
    /// Entries of their first attempts, in their order.
    intended: Vec<Option<Entry>>,
    if_reused: Option<Announcement>,
    /// Seals the announcement of a reused id, should it be needed.
    pub keys: Arc<Keys>,
}

/// What a body is sealed for: its sender and its content, so that no two rows can be swapped.
pub(in crate::store) fn label(source: &str, fingerprint: &[u8]) -> String {
    format!("body {source} {}", hex(fingerprint))
}

/// Seals body and salt as one and completes entries that name no commitment.
pub(super) fn prepare(keys: &Arc<Keys>, message: NewMessage) -> Result<Prepared, StoreError> {
    let NewMessage { envelope, fingerprint, body, mut exchanges, mut record, if_reused } = message;
    let label = label(&envelope.source, &fingerprint);
    let (sealed, commitment) = keys.seal_committed(&label, body.expose())?;
    let commitment: Arc<str> = commitment.into();
    for draft in &mut record {
        draft.commitment.get_or_insert_with(|| Arc::clone(&commitment));
    }
    let seal = |exchange: &NewExchange| {
        exchange.announce.as_ref().map(|outgoing| exchanges::seal(keys, outgoing)).transpose()
    };
    let announced = exchanges.iter().map(seal).collect::<Result<_, _>>()?;
    let intended = |exchange: &mut NewExchange| {
        let draft = exchange.first.as_mut().and_then(|first| first.record.as_mut())?;
        draft.commitment.get_or_insert_with(|| Arc::clone(&commitment));
        Some(Entry::new(draft))
    };
    let intended = exchanges.iter_mut().map(intended).collect();
    Ok(Prepared {
        key: Key::of(envelope.message_id.as_str()),
        envelope,
        fingerprint,
        sealed,
        commitment,
        exchanges,
        record,
        announced,
        intended,
        if_reused,
        keys: Arc::clone(keys),
    })
}

/// Writes it, or tells what it repeats.
pub(super) fn run(tx: &mut Tx<'_>, message: &Prepared) -> Result<Accepted, StoreError> {
    let id = message.envelope.message_id.as_str();
    let key = message.key;
    match seen(tx, message, (key, id))? {
        None => {}
        Some((row, true)) => return repeat(tx, row),
        Some((_, false)) => return quarantine(tx, message),
    }
    tx.check_room()?;
    let row = insert(tx, message, (key, id))?;
    let mut exchanges = Vec::with_capacity(message.exchanges.len());
    let mut states = Vec::with_capacity(message.exchanges.len());
    tx.append_all(&message.record)?;
    let parts = message.exchanges.iter().zip(&message.announced).zip(&message.intended);
    for ((exchange, sealed), entry) in parts {
        if let Some(rule) = &exchange.supersedes {
            supersede::run(tx, message, exchange, rule)?;
        }
        let at = message.envelope.accepted_at;
        let (id, state) = insert_exchange(tx, row, message, exchange, at)?;
        if let (Some(outgoing), Some(sealed)) = (&exchange.announce, sealed) {
            exchanges::write_outgoing(tx, id, row, outgoing, sealed)?;
        }
        if let (State::Sending, Some(first)) = (state, &exchange.first) {
            exchanges::write_intent(tx, id, 1, first.at, &first.request_digest, entry.as_ref())?;
        }
        exchanges.push(id);
        states.push(state);
    }
    let commitment = message.commitment.clone();
    Ok(Accepted::New { message: row, exchanges, states, commitment })
}

/// The row that already has this id, and whether its content is the same.
pub(super) fn seen(
    tx: &Tx<'_>,
    message: &Prepared,
    id: (Key, &str),
) -> Result<Option<(i64, bool)>, StoreError> {
    tx.ids.find(tx.connection, id, &message.envelope.source, &message.fingerprint)
}

/// A repetition: answers that were published are published again.
fn repeat(tx: &Tx<'_>, row: i64) -> Result<Accepted, StoreError> {
    let sql = "UPDATE outbox SET published_at = NULL
        WHERE message = ?1 AND published_at IS NOT NULL";
    tx.execute(sql, [row])?;
    Ok(Accepted::Duplicate)
}

/// The id was used for other content: kept under an id of its own, dead, bound to no route, so
/// that nothing can ever send it under the first one's idempotency key.
fn quarantine(tx: &mut Tx<'_>, message: &Prepared) -> Result<Accepted, StoreError> {
    let fingerprint = hex(&message.fingerprint);
    let id = format!("{}~{}", message.envelope.message_id, fingerprint.get(..12).unwrap_or(""));
    let key = Key::of(&id);
    if seen(tx, message, (key, &id))?.is_some() {
        return Ok(Accepted::Duplicate);
    }
    tx.check_room()?;
    let row = insert(tx, message, (key, &id))?;
    let bundle = message.exchanges.first().map(|exchange| &*exchange.bundle).unwrap_or("");
    let at = message.envelope.accepted_at;
    let code = codes::MESSAGE_ID_REUSED.code;
    let sql = "INSERT INTO exchanges (message, route, counterpart, operation, lane,
            idempotency_key, bundle, state, since, code, stage)
        VALUES (?1, '', '', '', 0, '', ?2, ?3, ?4, ?5, ?6)";
    let (state, stage) = (State::Dead.name(), Stage::Accept.name());
    let exchange = tx.insert(sql, params![row, bundle, state, at.as_millisecond(), code, stage])?;
    tx.tallies.add(&born_final("", State::Dead, code));
    if let Some(announce) = &message.if_reused {
        let outgoing = announce.make(&message.envelope);
        let sealed = exchanges::seal(&message.keys, &outgoing)?;
        exchanges::write_outgoing(tx, exchange, row, &outgoing, &sealed)?;
    }
    tx.append(&Draft {
        source: message.envelope.source.clone(),
        message_id: id.into(),
        message_type: message.envelope.message_type.clone(),
        municipality: message.envelope.municipality.clone(),
        outcome: Some("quarantined".to_owned()),
        code: Some(code.to_owned()),
        commitment: Some(message.commitment.clone()),
        operator: message.envelope.operator.clone(),
        bundle: bundle.into(),
        ..Draft::new(Kind::Receive, Phase::Noted, at)
    })?;
    Ok(Accepted::Quarantined)
}

fn insert(tx: &mut Tx<'_>, message: &Prepared, (key, id): (Key, &str)) -> Result<i64, StoreError> {
    let envelope = &message.envelope;
    let sql = "INSERT INTO messages (source, message_id, message_type, content_type,
            correlation_id, reply_to, traceparent, operator, municipality, accepted_at,
            fingerprint, commitment)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let row = tx.insert(
        sql,
        params![
            envelope.source,
            id,
            envelope.message_type,
            envelope.content_type,
            envelope.correlation_id.as_ref().map(|id| id.as_str()),
            envelope.reply_to,
            envelope.traceparent,
            envelope.operator,
            envelope.municipality,
            envelope.accepted_at.as_millisecond(),
            message.fingerprint,
            message.commitment,
        ],
    )?;
    let sql = "INSERT INTO bodies (message, sealed) VALUES (?1, ?2)";
    tx.insert(sql, params![row, message.sealed.0])?;
    tx.ids.add(key, row);
    Ok(row)
}

/// One exchange of the message in `row`, and the state it begins in.
pub(super) fn insert_exchange(
    tx: &mut Tx<'_>,
    row: i64,
    message: &Prepared,
    exchange: &NewExchange,
    at: Timestamp,
) -> Result<(i64, State), StoreError> {
    let now = at.as_millisecond();
    let envelope = &message.envelope;
    let known = restored::known(tx, envelope, exchange)?;
    let refusal = match known {
        Known::New => approvals::refusal(tx, exchange)?,
        Known::Doubt | Known::Ended(_) => None,
    };
    let open = || tx.lanes.is_open(&exchange.counterpart, exchange.lane);
    let state = match (refusal, first_state(exchange, known, open), &exchange.first) {
        (Some(_), ..) => State::Dead,
        (None, State::Received, Some(_)) => State::Sending,
        (None, state, _) => state,
    };
    let due = matches!(state, State::Received | State::Unknown).then_some(now);
    // As if it had been claimed and taken: one attempt, and the fence of one intent.
    let begun = state == State::Sending;
    let failure = refusal.map(|refusal| &refusal.failure).or(exchange.failure.as_ref());
    let code = failure.map(|failure| failure.code.code);
    let doubt = known == Known::Doubt;
    if state.is_final() {
        let code = code.unwrap_or("");
        tx.tallies.add(&born_final(&exchange.route, state, code));
    } else {
        tx.lanes.enter(&exchange.counterpart, exchange.lane, state);
    }
    let sql = "INSERT INTO exchanges (message, route, counterpart, operation, lane,
            idempotency_key, subject, bundle, state, due, since, code, stage, detail, supersedes,
            maybe_applied, was_unknown, fence, attempts)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16, ?17,
            ?17)";
    let id = tx.insert(
        sql,
        params![
            row,
            exchange.route,
            exchange.counterpart,
            exchange.operation,
            exchange.lane,
            exchange.idempotency_key,
            exchange.subject,
            exchange.bundle,
            state.name(),
            due,
            now,
            code,
            failure.map(|failure| failure.stage.name()),
            failure.map(|failure| failure.detail.as_str()),
            exchange.supersedes.is_some(),
            doubt,
            begun,
        ],
    )?;
    if known != Known::New {
        tx.append(&not_new(envelope, exchange, state))?;
    }
    if let Some(refusal) = refusal {
        approvals::refused(tx, id, row, message, refusal)?;
    }
    approvals::enter(tx, id, state, exchange, at)?;
    Ok((id, state))
}
