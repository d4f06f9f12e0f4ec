//! The life of an exchange: intend, settle, its lane, and what a restart does to it.

use super::writer::{Entry, Tx};
use crate::model::codes::store as codes;
use crate::model::{Failure, Stage, State};
use crate::record::{Draft, Kind, Phase};
use crate::store::acts::Ended;
use crate::store::keys::Sealed;
use crate::store::{Intent, Keys, NewOutgoing, Next, Settled, Settlement, StoreError};
use jiff::Timestamp;
use rusqlite::params;
use std::time::Duration;

/// The condition of the partial index `exchanges_open`, letter for letter: SQLite uses the index
/// only then.
macro_rules! open_exchange {
    () => {
        "state <> 'delivered' AND state <> 'dead' AND state <> 'duplicate' AND state <> 'discarded'"
    };
}
pub(super) use open_exchange;

/// An exchange that was not held has ended: the next of its lane becomes due. Tells whether one
/// woke.
pub(super) fn leave_lane(
    tx: &mut Tx<'_>,
    counterpart: &str,
    lane: i64,
    at: Timestamp,
) -> Result<bool, StoreError> {
    if !tx.lanes.leave(counterpart, lane) {
        return Ok(false);
    }
    // After a restore it may have been sent before: then it is resolved, not sent.
    let sql = "UPDATE exchanges SET due = ?3, since = ?3,
            state = CASE WHEN maybe_applied THEN 'unknown' ELSE 'received' END,
            was_unknown = was_unknown OR maybe_applied
        WHERE id = (SELECT id FROM exchanges
            WHERE counterpart = ?1 AND lane = ?2 AND state = 'held' ORDER BY id LIMIT 1)";
    let woke = tx.execute(sql, (counterpart, lane, at.as_millisecond()))? > 0;
    if woke {
        tx.lanes.promote(counterpart, lane);
    }
    Ok(woke)
}

/// Takes exchanges for one attempt each. One that waits for a person is not taken.
pub(super) fn intend(tx: &mut Tx<'_>, intents: &[Intended]) -> Result<Vec<bool>, StoreError> {
    intents.iter().map(|intended| intend_one(tx, intended)).collect()
}

/// An intent whose entry is ready.
pub(super) struct Intended {
    intent: Intent,
    entry: Option<Entry>,
}

/// Makes the entry on its caller's thread.
pub(super) fn prepare_intent(intent: Intent) -> Intended {
    let entry = intent.record.as_ref().map(Entry::new);
    Intended { intent, entry }
}

fn intend_one(tx: &mut Tx<'_>, intended: &Intended) -> Result<bool, StoreError> {
    let intent = &intended.intent;
    let sql = "SELECT state, attempts + 1 FROM exchanges
        WHERE id = ?1 AND fence = ?2 AND due IS NOT NULL";
    let found: Option<(String, i64)> =
        tx.row(sql, (intent.exchange, intent.fence), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((state, number)) = found else { return Ok(false) };
    if !matches!(
        State::from_name(&state),
        Some(State::Received | State::WaitingRetry | State::Unknown)
    ) {
        return Ok(false);
    }
    let at = intent.at.as_millisecond();
    let sql = "UPDATE exchanges SET state = 'sending', due = NULL, since = ?2,
            fence = fence + 1, attempts = ?3
        WHERE id = ?1";
    tx.execute(sql, (intent.exchange, at, number))?;
    let (digest, entry) = (&intent.request_digest, intended.entry.as_ref());
    write_intent(tx, intent.exchange, number, intent.at, digest, entry)?;
    Ok(true)
}

/// The attempt's row and the entry "intended".
pub(super) fn write_intent(
    tx: &mut Tx<'_>,
    exchange: i64,
    number: i64,
    at: Timestamp,
    digest: &str,
    entry: Option<&Entry>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO attempts (exchange, number, started_at, request_digest)
        VALUES (?1, ?2, ?3, ?4)";
    tx.execute(sql, (exchange, number, at.as_millisecond(), digest))?;
    entry.map_or(Ok(()), |entry| tx.append_entry(entry))
}

/// What belongs to a settlement: its answers sealed, its entries ready.
pub(super) struct Prepared {
    outbox: Vec<Sealed>,
    record: Vec<Entry>,
}

/// What an answer is sealed for: its id, which is one exchange's alone.
pub(in crate::store) fn label(message_id: &str) -> String {
    format!("outbox {message_id}")
}

/// Seals an answer on its caller's thread.
pub(super) fn seal(keys: &Keys, outgoing: &NewOutgoing) -> Result<Sealed, StoreError> {
    keys.seal(&label(&outgoing.message_id), outgoing.body.expose())
}

/// Seals the answers on their caller's thread.
pub(super) fn prepare(keys: &Keys, settlement: &Settlement) -> Result<Prepared, StoreError> {
    let sealed = settlement.outbox.iter().map(|outgoing| seal(keys, outgoing));
    let outbox = sealed.collect::<Result<_, _>>()?;
    let record = settlement.record.iter().map(Entry::new).collect();
    Ok(Prepared { outbox, record })
}

/// What a settlement needs to know of its exchange.
struct Held {
    message: i64,
    route: String,
    counterpart: String,
    lane: i64,
    attempts: i64,
    maybe_applied: bool,
    was_unknown: bool,
}

/// The columns an exchange gets by its next state.
#[derive(Default)]
pub(in crate::store) struct Columns<'a> {
    pub due: Option<Timestamp>,
    pub ticket: Option<&'a str>,
    pub failure: Option<&'a Failure>,
}

/// Writes outcomes.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    settlements: &[Settlement],
    prepared: &[Prepared],
) -> Result<Vec<Settled>, StoreError> {
    settlements.iter().zip(prepared).map(|(one, prepared)| settle_one(tx, one, prepared)).collect()
}

fn settle_one(
    tx: &mut Tx<'_>,
    settlement: &Settlement,
    prepared: &Prepared,
) -> Result<Settled, StoreError> {
    let sql = "SELECT message, counterpart, lane, attempts, maybe_applied, state, route,
            was_unknown
        FROM exchanges WHERE id = ?1 AND fence = ?2";
    let held = tx.row(sql, (settlement.exchange, settlement.fence), |row| {
        let held = Held {
            message: row.get(0)?,
            counterpart: row.get(1)?,
            lane: row.get(2)?,
            attempts: row.get(3)?,
            maybe_applied: row.get(4)?,
            route: row.get(6)?,
            was_unknown: row.get(7)?,
        };
        let state = row.get_ref(5)?.as_str().ok().and_then(State::from_name);
        Ok((held, state))
    })?;
    let Some((held, state)) = held else { return Ok(Settled::Stale) };
    // What is held is under way nowhere: it can only end, and only as never applied.
    let is_held = state == Some(State::Held);
    let ends_held = matches!(settlement.next, Next::Dead(_)) && !held.maybe_applied;
    // What waits for a second person ends by a decision only (`approvals.rs`).
    let asked = state == Some(State::WaitingApproval);
    if asked || state.is_none_or(State::is_final) || (is_held && !ends_held) {
        return Ok(Settled::Stale);
    }
    let before = held.maybe_applied && !settlement.clear_maybe_applied;
    let (state, columns) = follow(&settlement.next, before);
    let maybe_applied = before || state == State::Unknown;
    write_state(tx, settlement, state, &columns, maybe_applied)?;
    write_attempt(tx, settlement, held.attempts)?;
    for (outgoing, sealed) in settlement.outbox.iter().zip(&prepared.outbox) {
        write_outgoing(tx, settlement.exchange, held.message, outgoing, sealed)?;
    }
    prepared.record.iter().try_for_each(|entry| tx.append_entry(entry))?;
    if !state.is_final() {
        return Ok(Settled::Done { woke: false });
    }
    tx.tallies.add(&Ended {
        route: &held.route,
        state: state.name(),
        code: columns.failure.map_or("", |failure| failure.code.code),
        attempts: held.attempts,
        resolved: held.was_unknown && state == State::Delivered,
    });
    if is_held {
        tx.lanes.withdraw(&held.counterpart, held.lane);
        return Ok(Settled::Done { woke: false });
    }
    let woke = leave_lane(tx, &held.counterpart, held.lane, settlement.at)?;
    Ok(Settled::Done { woke })
}

/// The state that follows. A refusal proves nothing while an earlier attempt may have been
/// applied: then a person decides (invariant I4, `dead` means certainly not applied).
pub(in crate::store) fn follow(next: &Next, maybe_applied: bool) -> (State, Columns<'_>) {
    match next {
        Next::Delivered => (State::Delivered, Columns::default()),
        Next::Dead(failure) => {
            let state = if maybe_applied { State::Unknown } else { State::Dead };
            (state, Columns { failure: Some(failure), ..Columns::default() })
        }
        Next::Retry { due, failure } => (
            State::WaitingRetry,
            Columns { due: Some(*due), failure: Some(failure), ..Columns::default() },
        ),
        Next::WaitResult { due, ticket } => (
            State::WaitingResult,
            Columns { due: Some(*due), ticket: Some(ticket), ..Columns::default() },
        ),
        Next::Unknown { due, failure } => {
            (State::Unknown, Columns { due: *due, failure: Some(failure), ..Columns::default() })
        }
    }
}

/// The fence rises here too: whoever still holds the old one has nothing to say any more.
fn write_state(
    tx: &Tx<'_>,
    settlement: &Settlement,
    state: State,
    columns: &Columns<'_>,
    maybe_applied: bool,
) -> Result<(), StoreError> {
    let sql = "UPDATE exchanges SET state = ?2, due = ?3,
            since = CASE state WHEN ?2 THEN since ELSE ?4 END,
            fence = fence + 1, maybe_applied = ?5, was_unknown = was_unknown OR ?6,
            ticket = ifnull(?7, ticket), code = ?8, stage = ?9, detail = ?10
        WHERE id = ?1";
    tx.execute(
        sql,
        params![
            settlement.exchange,
            state.name(),
            columns.due.map(Timestamp::as_millisecond),
            settlement.at.as_millisecond(),
            maybe_applied,
            state == State::Unknown,
            columns.ticket,
            columns.failure.map(|failure| failure.code.code),
            columns.failure.map(|failure| failure.stage.name()),
            columns.failure.map(|failure| failure.detail.as_str()),
        ],
    )?;
    Ok(())
}

fn write_attempt(tx: &Tx<'_>, settlement: &Settlement, number: i64) -> Result<(), StoreError> {
    let Some(result) = &settlement.attempt else { return Ok(()) };
    let sql = "UPDATE attempts SET finished_at = ?3, outcome = ?4, http_status = ?5,
            response_digest = ?6
        WHERE exchange = ?1 AND number = ?2";
    tx.execute(
        sql,
        params![
            settlement.exchange,
            number,
            settlement.at.as_millisecond(),
            result.outcome,
            result.http_status,
            result.response_digest,
        ],
    )?;
    Ok(())
}

pub(super) fn write_outgoing(
    tx: &Tx<'_>,
    exchange: i64,
    message: i64,
    outgoing: &NewOutgoing,
    sealed: &Sealed,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO outbox (exchange, message, routing_key, message_id, message_type,
            correlation_id, content_type, sealed)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    tx.insert(
        sql,
        params![
            exchange,
            message,
            outgoing.routing_key,
            outgoing.message_id,
            outgoing.message_type,
            outgoing.correlation_id,
            outgoing.content_type,
            sealed.0,
        ],
    )?;
    Ok(())
}

/// The clock was set back: due times that lie ahead, and times of a state that cannot have begun
/// yet, go back with it. What was begun since keeps its time, so no settle time is cut short.
pub(super) fn set_back(tx: &mut Tx<'_>, by: Duration, at: Timestamp) -> Result<usize, StoreError> {
    let (at, by) = (at.as_millisecond(), i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4));
    let sql = concat!(
        "UPDATE exchanges SET due = CASE WHEN due > ?1 THEN max(due - ?2, ?1) ELSE due END,
            since = CASE WHEN since > ?1 THEN since - ?2 ELSE since END
         WHERE (due > ?1 OR since > ?1) AND ",
        open_exchange!()
    );
    tx.execute(sql, (at, by))
}

/// What was being sent when the process ended may have been applied: it is `unknown`, due now,
/// never simply sent again. Gives how many there were.
pub(super) fn recover(tx: &mut Tx<'_>, now: Timestamp) -> Result<usize, StoreError> {
    let at = now.as_millisecond();
    let sql = concat!(
        "UPDATE attempts SET outcome = 'unknown', finished_at = ?1
         WHERE outcome IS NULL AND (exchange, number) IN
            (SELECT id, attempts FROM exchanges WHERE state = 'sending' AND ",
        open_exchange!(),
        ")"
    );
    tx.execute(sql, [at])?;
    let sql = concat!(
        "UPDATE exchanges SET state = 'unknown', due = ?1, since = ?1, fence = fence + 1,
            maybe_applied = 1, was_unknown = 1, code = ?2, stage = ?3, detail = ''
         WHERE state = 'sending' AND ",
        open_exchange!()
    );
    let code = codes::INTERRUPTED_WHILE_SENDING.code;
    let count = tx.execute(sql, (at, code, Stage::Deliver.name()))?;
    if count > 0 {
        tx.append(&Draft {
            outcome: Some("unknown".to_owned()),
            code: Some(code.to_owned()),
            reason: Some(format!("exchanges: {count}")),
            ..Draft::new(Kind::System, Phase::Noted, now)
        })?;
    }
    Ok(count)
}
