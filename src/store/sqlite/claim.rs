//! Reading for work: what is due, and what waits to be published. Bodies are opened here.

use super::{accept, exchanges};
use crate::model::codes::store as codes;
use crate::model::{Envelope, MessageId, Secret, State};
use crate::store::keys::{Keys, SALT};
use crate::store::{
    Claim, Claimed, MAX_TICKETED, NewOutgoing, Overdue, Pending, StoreError, Ticketed,
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::sync::Arc;

/// What is due, earliest first. The index over due rows gives them in order, one state at a time.
pub(super) fn claim(
    connection: &Connection,
    keys: &Keys,
    claim: &Claim,
) -> Result<Vec<Claimed>, StoreError> {
    // One snapshot for all its statements.
    let snapshot = connection.unchecked_transaction()?;
    let mut due: Vec<(i64, i64)> = Vec::new();
    for state in &claim.states {
        let sql = "SELECT due, id FROM exchanges
            WHERE counterpart = ?1 AND operation = ?2 AND state = ?3 AND due <= ?4
            ORDER BY due, id";
        let mut statement = snapshot.prepare_cached(sql)?;
        let now = claim.now.as_millisecond();
        let rows = statement
            .query_map((&claim.counterpart, &claim.operation, state.name(), now), |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .filter(|row| row.as_ref().map_or(true, |(_, id)| !claim.exclude.contains(id)));
        for row in rows.take(claim.limit) {
            due.push(row?);
        }
    }
    due.sort_unstable();
    due.truncate(claim.limit);
    let read = due.into_iter().map(|(_, id)| (id, claimed(&snapshot, keys, id)));
    opened(read, "exchange")
}

/// What waits longer than its route allows. Rows come in the order of acceptance: the first that
/// is young enough for every route ends the search.
pub(super) fn overdue(
    connection: &Connection,
    keys: &Keys,
    overdue: &Overdue,
) -> Result<(Vec<Claimed>, Option<i64>), StoreError> {
    let latest = overdue.routes.iter().map(|(_, accepted)| accepted.as_millisecond()).max();
    let Some(latest) = latest else { return Ok((Vec::new(), None)) };
    let snapshot = connection.unchecked_transaction()?;
    let sql = concat!(
        "SELECT e.id, e.route, m.accepted_at,
            e.state = 'held' OR (e.due IS NOT NULL AND e.state <> 'sending')
        FROM exchanges e INDEXED BY exchanges_open JOIN messages m ON m.id = e.message
        WHERE e.counterpart = ?1 AND e.id > ?2 AND ",
        exchanges::open_exchange!(),
        " ORDER BY e.id LIMIT ?3"
    );
    let mut statement = snapshot.prepare_cached(sql)?;
    let limit = i64::try_from(overdue.limit).unwrap_or(i64::MAX);
    let mut rows = statement.query((&overdue.counterpart, overdue.after, limit))?;
    let (mut found, mut seen, mut last) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        let (id, accepted): (i64, i64) = (row.get(0)?, row.get(2)?);
        if accepted > latest {
            last = None;
            break;
        }
        (seen, last) = (seen + 1, Some(id));
        let route = row.get_ref(1)?.as_str().unwrap_or_default();
        let is_over = |(name, limit): &(String, Timestamp)| {
            name == route && accepted <= limit.as_millisecond()
        };
        if row.get(3)? && overdue.routes.iter().any(is_over) {
            found.push(id);
        }
    }
    let next = last.filter(|_| seen == overdue.limit);
    let read = found.into_iter().map(|id| (id, claimed(&snapshot, keys, id)));
    Ok((opened(read, "exchange")?, next))
}

/// What has a ticket. `$` follows `#`, behind which the number of an item is, and neither is in a
/// ticket itself: the range holds the ticket alone and with every number.
pub(super) fn of_ticket(
    connection: &Connection,
    keys: &Keys,
    counterpart: &str,
    operation: &str,
    ticket: &str,
) -> Result<Ticketed, StoreError> {
    let snapshot = connection.unchecked_transaction()?;
    let sql = "SELECT id, state FROM exchanges INDEXED BY exchanges_ticket
        WHERE ticket >= ?1 AND ticket < ?2 AND counterpart = ?3 AND operation = ?4 LIMIT ?5";
    let mut statement = snapshot.prepare_cached(sql)?;
    let limit = i64::try_from(MAX_TICKETED).unwrap_or(i64::MAX);
    let end = format!("{ticket}$");
    let mut rows = statement.query((ticket, &end, counterpart, operation, limit))?;
    let (mut waiting, mut others) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let state = row.get_ref(1)?.as_str().ok().and_then(State::from_name);
        match state {
            Some(State::WaitingResult) => waiting.push(row.get::<_, i64>(0)?),
            _ => others += 1,
        }
    }
    let read = waiting.into_iter().map(|id| (id, claimed(&snapshot, keys, id)));
    Ok(Ticketed { waiting: opened(read, "exchange")?, others })
}

/// Keeps what could be opened. A row that cannot be opened harms only itself: it is told, and
/// stays where it is; only when nothing could be opened is that the answer.
fn opened<T>(
    rows: impl Iterator<Item = (i64, Result<T, StoreError>)>,
    what: &'static str,
) -> Result<Vec<T>, StoreError> {
    let mut good = Vec::new();
    let mut bad = None;
    for (id, row) in rows {
        match row {
            Ok(row) => good.push(row),
            Err(error) => {
                tracing::error!(code = error.code.code, detail = %error.detail, kind = what, row = id,
                    "a row cannot be opened");
                bad.get_or_insert(error);
            }
        }
    }
    match bad {
        Some(error) if good.is_empty() => Err(error),
        _ => Ok(good),
    }
}

/// An exchange with its opened body.
pub(super) fn claimed(
    connection: &Connection,
    keys: &Keys,
    id: i64,
) -> Result<Claimed, StoreError> {
    let sql = "SELECT e.message, e.fence, e.state, e.route, e.idempotency_key, e.attempts,
            e.maybe_applied, e.ticket, e.since, e.subject, m.commitment, m.source, m.message_id,
            m.message_type, m.content_type, m.correlation_id, m.reply_to, m.traceparent,
            m.operator, m.municipality, m.accepted_at, e.bundle
        FROM exchanges e JOIN messages m ON m.id = e.message WHERE e.id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    let odd = || StoreError::new(&codes::STORE_REFUSED, "a row has another shape than expected");
    let row = rows.next()?.ok_or_else(odd)?;
    let state: String = row.get(2)?;
    let body = original(connection, keys, id)?.ok_or_else(|| {
        StoreError::new(&codes::SEALED_DAMAGED, "the body of an unfinished exchange was erased")
    })?;
    Ok(Claimed {
        id,
        message: row.get(0)?,
        fence: row.get(1)?,
        state: State::from_name(&state).ok_or_else(odd)?,
        route: row.get(3)?,
        idempotency_key: row.get(4)?,
        attempts: row.get(5)?,
        maybe_applied: row.get(6)?,
        ticket: row.get(7)?,
        since: instant(row.get(8)?)?,
        subject: row.get(9)?,
        commitment: row.get(10)?,
        bundle: row.get::<_, String>(21)?.into(),
        envelope: Arc::new(envelope(row, 11)?.ok_or_else(odd)?),
        body,
    })
}

/// The envelope out of the columns from `first` on; `None` where the id is not its sender's.
pub(super) fn envelope(row: &Row<'_>, first: usize) -> Result<Option<Envelope>, StoreError> {
    let id: String = row.get(first + 1)?;
    let Some(message_id) = MessageId::parse(&id) else { return Ok(None) };
    let correlation: Option<String> = row.get(first + 4)?;
    Ok(Some(Envelope {
        source: row.get(first)?,
        message_id,
        message_type: row.get(first + 2)?,
        content_type: row.get(first + 3)?,
        correlation_id: correlation.as_deref().and_then(MessageId::parse),
        reply_to: row.get(first + 5)?,
        traceparent: row.get(first + 6)?,
        operator: row.get(first + 7)?,
        municipality: row.get(first + 8)?,
        accepted_at: instant(row.get(first + 9)?)?,
    }))
}

/// An instant out of its column.
pub(super) fn instant(milliseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(milliseconds)
        .map_err(|_| StoreError::new(&codes::STORE_REFUSED, "a time is out of range"))
}

/// The opened body of the message of an exchange, without the salt sealed behind it.
pub(super) fn original(
    connection: &Connection,
    keys: &Keys,
    exchange: i64,
) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
    let sql = "SELECT m.source, m.fingerprint, b.sealed FROM exchanges e
        JOIN messages m ON m.id = e.message JOIN bodies b ON b.message = m.id WHERE e.id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([exchange])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let source: String = row.get(0)?;
    let fingerprint: Vec<u8> = row.get(1)?;
    let sealed: Vec<u8> = row.get(2)?;
    keys.open_without_tail(&accept::label(&source, &fingerprint), &sealed, SALT).map(Some)
}

/// The earliest due instant of some states.
pub(super) fn next_due(
    connection: &Connection,
    counterpart: &str,
    operation: &str,
    states: &[State],
) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT due FROM exchanges
        WHERE counterpart = ?1 AND operation = ?2 AND state = ?3 AND due IS NOT NULL
        ORDER BY due LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut earliest: Option<i64> = None;
    for state in states {
        let due: Option<i64> = statement
            .query_row((counterpart, operation, state.name()), |row| row.get(0))
            .optional()?;
        earliest = [earliest, due].into_iter().flatten().min();
    }
    earliest.map(instant).transpose()
}

/// Unpublished outbox rows, oldest first.
pub(super) fn pending(
    connection: &Connection,
    keys: &Keys,
    limit: usize,
) -> Result<Vec<Pending>, StoreError> {
    let sql = "SELECT id, routing_key, message_id, message_type, correlation_id,
            content_type, sealed
        FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows: Vec<_> = statement
        .query_map([limit], |row| {
            let outgoing = NewOutgoing {
                routing_key: row.get(1)?,
                message_id: row.get(2)?,
                message_type: row.get(3)?,
                correlation_id: row.get(4)?,
                content_type: row.get(5)?,
                body: Secret::new(Vec::new()),
            };
            Ok((row.get(0)?, outgoing, row.get::<_, Vec<u8>>(6)?))
        })?
        .collect::<Result<_, _>>()?;
    let open = |(id, outgoing, sealed): (i64, NewOutgoing, Vec<u8>)| {
        let body = keys.open(&exchanges::label(&outgoing.message_id), &sealed);
        (id, body.map(|body| Pending { id, message: NewOutgoing { body, ..outgoing } }))
    };
    opened(rows.into_iter().map(open), "outbox")
}
