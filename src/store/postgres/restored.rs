//! Restored: a new epoch begins, and what may have happened before it is never sent blindly. See
//! `store::epoch`.

use super::connection::{Params, Session, column, kept, odd};
use super::exchanges::{final_states, leave_lane};
use super::prepared::Entry;
use super::record;
use super::tx::{Tx, signed};
use super::views::instant;
use crate::model::codes::store as codes;
use crate::model::{Envelope, Stage, State};
use crate::record::{Head, tree};
use crate::store::acts::Ended;
use crate::store::epoch::{Known, Restored, act};
use crate::store::{Epoch, EpochBegun, Fate, Ghost, NewEpoch, NewExchange, RecordRow, StoreError};
use jiff::Timestamp;

/// The epoch of a store.
pub(super) async fn epoch(session: &Session) -> Result<Epoch, StoreError> {
    let sql = "SELECT epoch, restored_at, restore_window FROM head";
    let row = session.row(sql, &[]).await?.ok_or_else(odd)?;
    Ok(Epoch {
        number: column::<i64>(&row, 0)?.unsigned_abs(),
        restored_at: column::<Option<i64>>(&row, 1)?.map(instant).transpose()?,
        window: column(&row, 2)?,
    })
}

/// What is known of an exchange of a message that was not in the store.
pub(super) async fn known(
    tx: &Tx<'_>,
    envelope: &Envelope,
    exchange: &NewExchange,
) -> Result<Known, StoreError> {
    if !tx.head.restored.asks_about(exchange) {
        return Ok(Known::New);
    }
    let sql = "SELECT fate FROM ghosts WHERE message_id = $1 AND source = $2 AND route = $3";
    let source = kept(&envelope.source);
    let row =
        tx.row(sql, &[&envelope.message_id.as_str(), &source, &exchange.route.as_ref()]).await?;
    let fate: Option<String> = row.map(|row| column(&row, 0)).transpose()?;
    Ok(Known::by(fate.as_deref(), tx.head.restored.window))
}

/// Begins a new epoch: the entries of the record that the store lost are taken over as they are,
/// what had not ended is doubted, and the restore itself is recorded; all in one transaction.
pub(super) async fn begin(tx: &mut Tx<'_>, new: &NewEpoch) -> Result<EpochBegun, StoreError> {
    let heads: Vec<Head> = new.checkpoints.iter().map(|one| one.head).chain(new.head).collect();
    take_over(tx, &new.entries, &heads)?;
    for checkpoint in &new.checkpoints {
        record::put_checkpoint(tx, checkpoint, None).await?;
    }
    let at = new.at.as_millisecond();
    let unknown = doubt_open(tx, at).await?;
    let (mut ended, mut ghosts) = (0, 0);
    for ghost in &new.ghosts {
        match end_known(tx, ghost, new.at).await? {
            Found::Ended => ended += 1,
            Found::Kept => {}
            Found::Missing => {
                let sql = "INSERT INTO ghosts (message_id, source, route, fate)
                    VALUES ($1, $2, $3, $4)
                    ON CONFLICT (message_id, source, route) DO UPDATE SET fate = excluded.fate";
                let (id, source) = (kept(&ghost.message_id), kept(&ghost.source));
                tx.execute(sql, &[&id, &source, &ghost.route, &ghost.fate.name()]).await?;
                ghosts += 1;
            }
        }
    }
    let sql = "UPDATE head SET epoch = epoch + 1, restored_at = $1, restore_window = true,
            ghosts = EXISTS (SELECT 1 FROM ghosts) RETURNING epoch, ghosts";
    let row = tx.one(sql, &[&at]).await?;
    let epoch = column::<i64>(&row, 0)?.unsigned_abs();
    tx.head.restored = Restored { at: Some(at), window: true, ghosts: column(&row, 1)? };
    let entries = u64::try_from(new.entries.len()).unwrap_or(u64::MAX);
    let facts = format!("epoch {epoch}; unknown {unknown}; ended {ended}; entries {entries}");
    let reason = format!("{}; {facts}", new.reason);
    tx.append(&Entry::new(&act("restore", &new.operator, &reason, new.at)));
    Ok(EpochBegun { epoch, unknown, ended, ghosts, entries })
}

/// Ends the window: what is accepted from now on is new, unless the record knows it.
pub(super) async fn complete(
    tx: &mut Tx<'_>,
    operator: &str,
    reason: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    if !tx.head.restored.window {
        return Ok(false);
    }
    tx.execute("UPDATE head SET restore_window = false", &[]).await?;
    tx.head.restored.window = false;
    tx.append(&Entry::new(&act("restore-complete", operator, reason, at)));
    Ok(true)
}

/// Appends entries that the record had before the store was put back. They must follow without a
/// gap and lead to the head that was signed.
fn take_over(tx: &mut Tx<'_>, rows: &[RecordRow], heads: &[Head]) -> Result<(), StoreError> {
    let broken = |sequence: u64| {
        StoreError::new(&codes::RECORD_NOT_CONTINUED, format!("sequence {sequence}"))
    };
    for row in rows {
        let leaf = tree::leaf(row.entry.as_bytes());
        let next = tx.head.tree.size() + 1;
        if signed(next) != row.sequence || leaf != row.leaf {
            return Err(broken(next));
        }
        tx.append(&Entry { leaf, text: row.entry.clone() });
        let contradicts = |head: &Head| head.size == next && head.root != tx.head.tree.root();
        if heads.iter().any(contradicts) {
            return Err(broken(next));
        }
    }
    if heads.iter().any(|head| head.size > tx.head.tree.size()) {
        return Err(broken(tx.head.tree.size() + 1));
    }
    Ok(())
}

/// Everything that has not ended may have been sent after the backup. What waits for a person
/// goes on waiting; what is held wakes as unknown (`leave_lane`), what waits for a second person is
/// asked about anew and then resolved as its operation declares.
async fn doubt_open(tx: &Tx<'_>, at: i64) -> Result<u64, StoreError> {
    let sql = "UPDATE attempts a SET outcome = 'unknown', finished_at = $1 FROM exchanges e
        WHERE e.state = 'sending' AND a.exchange = e.id AND a.number = e.attempts
            AND a.outcome IS NULL";
    tx.execute(sql, &[&at]).await?;
    let sql = "UPDATE exchanges SET fence = fence + 1, maybe_applied = true
        WHERE state IN ('held', 'waiting-approval')";
    let held = tx.execute(sql, &[]).await?;
    let sql = concat!(
        "UPDATE exchanges SET state = 'unknown', since = $1::bigint, fence = fence + 1,
            due = CASE WHEN state = 'unknown' AND due IS NULL THEN NULL ELSE $1::bigint END,
            code = CASE state WHEN 'unknown' THEN code ELSE $2::text END,
            stage = CASE state WHEN 'unknown' THEN stage ELSE $3::text END,
            detail = CASE state WHEN 'unknown' THEN detail ELSE '' END,
            maybe_applied = true, was_unknown = true, owner = NULL, reserved_until = 0
         WHERE state <> 'held' AND state <> 'waiting-approval' AND state NOT IN ",
        final_states!()
    );
    let stage = Stage::Deliver.name();
    let others = tx.execute(sql, &[&at, &codes::RESTORED.code, &stage]).await?;
    Ok(held + others)
}

enum Found {
    Ended,
    Kept,
    Missing,
}

/// Ends an exchange of the store that the record knows to have ended.
async fn end_known(tx: &mut Tx<'_>, ghost: &Ghost, at: Timestamp) -> Result<Found, StoreError> {
    let sql = "SELECT e.id, e.state, e.counterpart, e.lane, e.attempts, e.code, e.was_unknown
        FROM messages m JOIN exchanges e ON e.message = m.id
        WHERE m.message_id = $1 AND m.source = $2 AND e.route = $3";
    let (id, source) = (kept(&ghost.message_id), kept(&ghost.source));
    let Some(row) = tx.row(sql, &[&id, &source, &ghost.route]).await? else {
        return Ok(Found::Missing);
    };
    let to = match ghost.fate {
        Fate::Sent => return Ok(Found::Kept),
        Fate::Applied => State::Delivered,
        Fate::Discarded => State::Discarded,
    };
    let from = State::from_name(column(&row, 1)?);
    if from.is_none_or(|from| from.is_final() && from != State::Dead) {
        return Ok(Found::Kept);
    }
    let id: i64 = column(&row, 0)?;
    let sql = "UPDATE exchanges SET state = $2, due = NULL, since = $3, fence = fence + 1,
            maybe_applied = false, code = NULL, stage = NULL, detail = NULL, owner = NULL,
            reserved_until = 0
        WHERE id = $1";
    let params: Params<'_> = &[&id, &to.name(), &at.as_millisecond()];
    tx.execute(sql, params).await?;
    let was_unknown: bool = column(&row, 6)?;
    let ended = Ended {
        route: &ghost.route,
        state: to.name(),
        code: "",
        attempts: column(&row, 4)?,
        resolved: was_unknown && to == State::Delivered,
    };
    if from == Some(State::Dead) {
        let code: Option<&str> = column(&row, 5)?;
        let code = code.unwrap_or("");
        tx.reopened(&Ended { state: State::Dead.name(), code, resolved: false, ..ended });
    }
    tx.ended(&ended);
    if !matches!(from, Some(State::Dead | State::Held | State::WaitingApproval)) {
        leave_lane(tx, column(&row, 2)?, column(&row, 3)?, at).await?;
    }
    Ok(Found::Ended)
}
