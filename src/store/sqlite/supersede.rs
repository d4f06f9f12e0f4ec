//! Supersede: a newer full state ends older ones of its route and lane that nobody will miss.

use super::accept::Prepared;
use super::claim::envelope;
use super::exchanges::{leave_lane, open_exchange, seal, write_outgoing};
use super::writer::Tx;
use crate::model::{Envelope, State};
use crate::record::{Draft, Phase};
use crate::store::acts::Ended;
use crate::store::{NewExchange, StoreError, Supersede};
use rusqlite::{Row, params};
use std::sync::Arc;

/// An older state, as it is found.
struct Older {
    id: i64,
    message: i64,
    held: bool,
    attempts: u32,
    key: String,
    reference: Option<String>,
    subject: Option<String>,
    commitment: String,
    /// `None` where its id is not its sender's: such a row has no route, so it is not found here.
    envelope: Option<Envelope>,
}

/// Ends what the new exchange makes useless, before it enters the lane itself.
pub(super) fn run(
    tx: &mut Tx<'_>,
    message: &Prepared,
    newer: &NewExchange,
    rule: &Supersede,
) -> Result<(), StoreError> {
    if !tx.lanes.is_open(&newer.counterpart, newer.lane) {
        return Ok(());
    }
    // Each one found has ended before the next is looked for. Held ones first: what ends at the
    // head of the lane must not call one forward that ends as well.
    while let Some(older) = find(tx, newer)? {
        end(tx, message, newer, rule, &older)?;
    }
    Ok(())
}

/// One that has certainly not been applied and is not under way.
fn find(tx: &Tx<'_>, newer: &NewExchange) -> Result<Option<Older>, StoreError> {
    let sql = concat!(
        "SELECT e.id, e.message, e.state = 'held', e.attempts, e.idempotency_key, e.ticket,
            e.subject, m.commitment, m.source, m.message_id, m.message_type, m.content_type,
            m.correlation_id, m.reply_to, m.traceparent, m.operator, m.municipality, m.accepted_at
        FROM exchanges e INDEXED BY exchanges_superseding JOIN messages m ON m.id = e.message
        WHERE e.counterpart = ?1 AND e.lane = ?2 AND e.supersedes = 1 AND ",
        open_exchange!(),
        " AND e.route = ?3 AND e.maybe_applied = 0
            AND (e.state = 'held' OR e.state = 'received' OR e.state = 'waiting-retry')
        ORDER BY e.state <> 'held', e.id LIMIT 1"
    );
    let read = |row: &Row<'_>| {
        let older = Older {
            id: row.get(0)?,
            message: row.get(1)?,
            held: row.get(2)?,
            attempts: row.get(3)?,
            key: row.get(4)?,
            reference: row.get(5)?,
            subject: row.get(6)?,
            commitment: row.get(7)?,
            envelope: None,
        };
        Ok((older, envelope(row, 8)))
    };
    let found = tx.row(sql, (&newer.counterpart, newer.lane, &newer.route), read)?;
    let Some((older, envelope)) = found else { return Ok(None) };
    Ok(Some(Older { envelope: envelope?, ..older }))
}

fn end(
    tx: &mut Tx<'_>,
    message: &Prepared,
    newer: &NewExchange,
    rule: &Supersede,
    older: &Older,
) -> Result<(), StoreError> {
    let at = message.envelope.accepted_at;
    let failure = &rule.failure;
    let sql = "UPDATE exchanges SET state = ?2, due = NULL, since = ?3, fence = fence + 1,
            code = ?4, stage = ?5, detail = ?6
        WHERE id = ?1";
    let (state, code) = (State::Discarded.name(), failure.code.code);
    tx.execute(
        sql,
        params![older.id, state, at.as_millisecond(), code, failure.stage.name(), failure.detail],
    )?;
    let attempts = i64::from(older.attempts);
    tx.tallies.add(&Ended { route: &newer.route, state, code, attempts, resolved: false });
    if older.held {
        tx.lanes.withdraw(&newer.counterpart, newer.lane);
    } else {
        leave_lane(tx, &newer.counterpart, newer.lane, at)?;
    }
    let Some(envelope) = &older.envelope else { return Ok(()) };
    let outgoing = (rule.announce)(envelope, &older.key);
    let sealed = seal(&message.keys, &outgoing)?;
    write_outgoing(tx, older.id, older.message, &outgoing, &sealed)?;
    let Some(kind) = rule.record else { return Ok(()) };
    tx.append(&Draft {
        source: envelope.source.clone(),
        message_id: envelope.message_id.shared(),
        message_type: envelope.message_type.clone(),
        municipality: envelope.municipality.clone(),
        route: Arc::clone(&newer.route),
        counterpart: Arc::clone(&newer.counterpart),
        operation: Arc::clone(&newer.operation),
        attempt: older.attempts,
        idempotency_key: older.key.clone().into(),
        reference: older.reference.clone(),
        outcome: Some("superseded".to_owned()),
        code: Some(code.to_owned()),
        reason: Some(failure.detail.clone()),
        subject: older.subject.clone().map(Into::into),
        commitment: Some(older.commitment.as_str().into()),
        operator: envelope.operator.clone(),
        bundle: Arc::clone(&newer.bundle),
        ..Draft::new(kind, Phase::Noted, at)
    })
}
