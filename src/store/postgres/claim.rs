//! Reading for work: what is due is reserved for this instance; what waits to be published is
//! read. Bodies are opened here.

use super::connection::{Session, column, maybe_shared, odd, plain, shared};
use super::instances::now;
use super::views::instant;
use crate::model::codes::store as codes;
use crate::model::{Envelope, MessageId, Secret, State};
use crate::store::keys::{Keys, SALT};
use crate::store::sqlite::{body_label, outgoing_label};
use crate::store::{
    Claim, Claimed, MAX_TICKETED, NewOutgoing, Overdue, Pending, StoreError, Ticketed,
};
use jiff::Timestamp;
use std::sync::Arc;
use tokio_postgres::Row;

/// What is due, earliest first, one state at a time in the order of the index; what others have
/// reserved is left out, and what they are just reserving is not waited for.
const CLAIM: &str = concat!(
    "WITH picked AS (
        SELECT x.id, x.due FROM unnest($3::text[]) AS s (state)
        CROSS JOIN LATERAL (SELECT e.id, e.due FROM exchanges e
            WHERE e.counterpart = $1 AND e.operation = $2 AND e.state = s.state AND e.due <= $4
                AND (e.owner IS NULL OR e.owner = $5 OR e.reserved_until <= ",
    now!(),
    ") AND e.id <> ALL($6::bigint[])
            ORDER BY e.due, e.id LIMIT $7 FOR UPDATE SKIP LOCKED) x
        WHERE EXISTS (SELECT 1 FROM instances i WHERE i.id = $5 AND i.lease_until > ",
    now!(),
    ") ORDER BY x.due, x.id LIMIT $7),
    taken AS (
        UPDATE exchanges e SET owner = $5, reserved_until = ",
    now!(),
    " + $8 FROM picked WHERE e.id = picked.id
        RETURNING picked.due, e.id, e.message, e.fence, e.state, e.route, e.idempotency_key,
            e.attempts, e.maybe_applied, e.ticket, e.since, e.subject, e.bundle)
    SELECT t.id, t.message, t.fence, t.state, t.route, t.idempotency_key, t.attempts,
        t.maybe_applied, t.ticket, t.since, t.subject, m.commitment, m.source, m.message_id,
        m.message_type, m.content_type, m.correlation_id, m.reply_to, m.traceparent, m.operator,
        m.municipality, m.accepted_at, m.fingerprint, b.sealed, t.bundle
    FROM taken t JOIN messages m ON m.id = t.message LEFT JOIN bodies b ON b.message = t.message
    ORDER BY t.due, t.id"
);

/// Reserves what is due for this instance.
pub(super) async fn claim(
    session: &Session,
    keys: &Keys,
    instance: i64,
    lease: i64,
    claim: &Claim,
) -> Result<Vec<Claimed>, StoreError> {
    let states: Vec<&str> = claim.states.iter().map(|state| state.name()).collect();
    let exclude: Vec<i64> = claim.exclude.iter().copied().collect();
    let limit = i64::try_from(claim.limit).unwrap_or(i64::MAX);
    let params: super::connection::Params<'_> = &[
        &claim.counterpart,
        &claim.operation,
        &states,
        &claim.now.as_millisecond(),
        &instance,
        &exclude,
        &limit,
        &lease,
    ];
    let rows = session.query(CLAIM, params).await?;
    let read = rows.iter().map(|row| (row.get::<_, i64>(0), claimed(row, keys)));
    opened(read, "exchange")
}

/// The same columns, read for looking only.
const READ: &str =
    "SELECT t.id, t.message, t.fence, t.state, t.route, t.idempotency_key, t.attempts,
        t.maybe_applied, t.ticket, t.since, t.subject, m.commitment, m.source, m.message_id,
        m.message_type, m.content_type, m.correlation_id, m.reply_to, m.traceparent, m.operator,
        m.municipality, m.accepted_at, m.fingerprint, b.sealed, t.bundle
    FROM exchanges t JOIN messages m ON m.id = t.message LEFT JOIN bodies b ON b.message = t.message
    WHERE t.id = ANY($1) ORDER BY t.id";

/// What waits longer than its route allows. Rows come in the order of acceptance: the first that
/// is young enough for every route ends the search.
pub(super) async fn overdue(
    session: &Session,
    keys: &Keys,
    overdue: &Overdue,
) -> Result<(Vec<Claimed>, Option<i64>), StoreError> {
    let latest = overdue.routes.iter().map(|(_, accepted)| accepted.as_millisecond()).max();
    let Some(latest) = latest else { return Ok((Vec::new(), None)) };
    let sql = "SELECT e.id, e.route, m.accepted_at,
            e.state = 'held' OR (e.due IS NOT NULL AND e.state <> 'sending')
        FROM exchanges e JOIN messages m ON m.id = e.message
        WHERE e.counterpart = $1 AND e.id > $2
            AND e.state NOT IN ('delivered', 'dead', 'duplicate', 'discarded')
        ORDER BY e.id LIMIT $3";
    let limit = i64::try_from(overdue.limit).unwrap_or(i64::MAX);
    let rows = session.query(sql, &[&overdue.counterpart, &overdue.after, &limit]).await?;
    let (mut found, mut seen, mut last) = (Vec::new(), 0, None);
    for row in &rows {
        let (id, accepted): (i64, i64) = (column(row, 0)?, column(row, 2)?);
        if accepted > latest {
            last = None;
            break;
        }
        (seen, last) = (seen + 1, Some(id));
        let route: &str = column(row, 1)?;
        let is_over = |(name, limit): &(String, Timestamp)| {
            name == route && accepted <= limit.as_millisecond()
        };
        if column(row, 3)? && overdue.routes.iter().any(is_over) {
            found.push(id);
        }
    }
    let next = last.filter(|_| seen == overdue.limit);
    let rows = session.query(READ, &[&found]).await?;
    let read = rows.iter().map(|row| (row.get::<_, i64>(0), claimed(row, keys)));
    Ok((opened(read, "exchange")?, next))
}

/// What has a ticket, alone or with the number of an item behind it.
pub(super) async fn of_ticket(
    session: &Session,
    keys: &Keys,
    counterpart: &str,
    operation: &str,
    ticket: &str,
) -> Result<Ticketed, StoreError> {
    let sql = "SELECT id, state FROM exchanges
        WHERE split_part(ticket, '#', 1) = $1 AND ticket IS NOT NULL
            AND counterpart = $2 AND operation = $3
        LIMIT $4";
    let limit = i64::try_from(MAX_TICKETED).unwrap_or(i64::MAX);
    let found = session.query(sql, &[&ticket, &counterpart, &operation, &limit]).await?;
    let (mut waiting, mut others) = (Vec::new(), 0);
    for row in &found {
        match State::from_name(column(row, 1)?) {
            Some(State::WaitingResult) => waiting.push(column::<i64>(row, 0)?),
            _ => others += 1,
        }
    }
    let rows = session.query(READ, &[&waiting]).await?;
    // One that ended since is stale: what is written for it changes nothing.
    let read = rows.iter().map(|row| (row.get::<_, i64>(0), claimed(row, keys)));
    Ok(Ticketed { waiting: opened(read, "exchange")?, others })
}

/// An exchange with its opened body, whatever its state.
pub(super) async fn examine(
    session: &Session,
    keys: &Keys,
    exchange: i64,
) -> Result<Option<Claimed>, StoreError> {
    let rows = session.query(READ, &[&vec![exchange]]).await?;
    rows.first().map(|row| claimed(row, keys)).transpose()
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

fn claimed(row: &Row, keys: &Keys) -> Result<Claimed, StoreError> {
    let source = plain(column(row, 12)?);
    let fingerprint: &[u8] = column(row, 22)?;
    let sealed: Option<&[u8]> = column(row, 23)?;
    let sealed = sealed.ok_or_else(|| {
        StoreError::new(&codes::SEALED_DAMAGED, "the body of an unfinished exchange was erased")
    })?;
    let body = keys.open_without_tail(&body_label(&source, fingerprint), sealed, SALT)?;
    let attempts: i64 = column(row, 6)?;
    Ok(Claimed {
        id: column(row, 0)?,
        message: column(row, 1)?,
        fence: column(row, 2)?,
        state: State::from_name(column(row, 3)?).ok_or_else(odd)?,
        route: shared(row, 4)?,
        idempotency_key: shared(row, 5)?,
        attempts: u32::try_from(attempts).map_err(|_| odd())?,
        maybe_applied: column(row, 7)?,
        ticket: maybe(row, 8)?,
        since: instant(column(row, 9)?)?,
        subject: maybe_shared(row, 10)?,
        commitment: shared(row, 11)?,
        bundle: column::<&str>(row, 24)?.into(),
        envelope: Arc::new(envelope(row, 12)?.ok_or_else(odd)?),
        body,
    })
}

fn maybe(row: &Row, index: usize) -> Result<Option<String>, StoreError> {
    Ok(column::<Option<String>>(row, index)?.map(plain))
}

/// The envelope out of the columns from `first` on; `None` where the id is not its sender's.
pub(super) fn envelope(row: &Row, first: usize) -> Result<Option<Envelope>, StoreError> {
    let Some(message_id) = MessageId::parse(column(row, first + 1)?) else { return Ok(None) };
    let correlation: Option<&str> = column(row, first + 4)?;
    Ok(Some(Envelope {
        source: plain(column(row, first)?).into(),
        message_id,
        message_type: plain(column(row, first + 2)?).into(),
        content_type: plain(column(row, first + 3)?),
        correlation_id: correlation.and_then(MessageId::parse),
        reply_to: maybe(row, first + 5)?,
        traceparent: maybe(row, first + 6)?,
        operator: maybe(row, first + 7)?.map(Into::into),
        municipality: maybe(row, first + 8)?.map(Into::into),
        accepted_at: instant(column(row, first + 9)?)?,
    }))
}

/// The opened body of the message of an exchange, without the salt sealed behind it.
pub(super) async fn original(
    session: &Session,
    keys: &Keys,
    exchange: i64,
) -> Result<Option<Secret<Vec<u8>>>, StoreError> {
    let sql = "SELECT m.source, m.fingerprint, b.sealed FROM exchanges e
        JOIN messages m ON m.id = e.message JOIN bodies b ON b.message = m.id WHERE e.id = $1";
    let Some(row) = session.row(sql, &[&exchange]).await? else { return Ok(None) };
    let label = body_label(&plain(column(&row, 0)?), column(&row, 1)?);
    keys.open_without_tail(&label, column(&row, 2)?, SALT).map(Some)
}

/// The earliest instant at which something of some states is due that this instance may take.
pub(super) async fn next_due(
    session: &Session,
    instance: i64,
    counterpart: &str,
    operation: &str,
    states: &[State],
) -> Result<Option<Timestamp>, StoreError> {
    let sql = concat!(
        "SELECT min(x.due) FROM unnest($3::text[]) AS s (state)
        CROSS JOIN LATERAL (SELECT e.due FROM exchanges e
            WHERE e.counterpart = $1 AND e.operation = $2 AND e.state = s.state
                AND e.due IS NOT NULL
                AND (e.owner IS NULL OR e.owner = $4 OR e.reserved_until <= ",
        now!(),
        ") ORDER BY e.due LIMIT 1) x"
    );
    let states: Vec<&str> = states.iter().map(|state| state.name()).collect();
    let row = session.row(sql, &[&counterpart, &operation, &states, &instance]).await?;
    let due: Option<i64> = row.map_or(Ok(None), |row| column(&row, 0))?;
    due.map(instant).transpose()
}

/// Unpublished outbox rows, oldest first.
pub(super) async fn pending(
    session: &Session,
    keys: &Keys,
    limit: usize,
) -> Result<Vec<Pending>, StoreError> {
    let sql = "SELECT id, routing_key, message_id, message_type, correlation_id, content_type,
            sealed
        FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT $1";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = session.query(sql, &[&limit]).await?;
    let open = |row: &Row| {
        let message_id = plain(column(row, 2)?);
        let body = keys.open(&outgoing_label(&message_id), column(row, 6)?)?;
        let message = NewOutgoing {
            routing_key: plain(column(row, 1)?),
            message_id,
            message_type: plain(column(row, 3)?),
            correlation_id: maybe(row, 4)?,
            content_type: plain(column(row, 5)?),
            body,
        };
        Ok(Pending { id: column(row, 0)?, message })
    };
    opened(rows.iter().map(|row| (row.get::<_, i64>(0), open(row))), "outbox")
}
