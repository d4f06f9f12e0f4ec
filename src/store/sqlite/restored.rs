//! Restored: a new epoch begins, and what may have happened before it is never sent blindly.

use super::exchanges::{leave_lane, open_exchange};
use super::ids::{self, json};
use super::record;
use super::writer::Tx;
use crate::model::codes::store as codes;
use crate::model::{Envelope, Stage, State};
use crate::record::Head;
use crate::store::acts::Ended;
use crate::store::epoch::{Known, Restored, act};
use crate::store::{Epoch, EpochBegun, Fate, Ghost, NewEpoch, NewExchange, StoreError};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

fn meta(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// The epoch of a store.
pub(super) fn epoch(connection: &Connection) -> Result<Epoch, StoreError> {
    let number = meta(connection, "epoch")?.and_then(|text| text.parse().ok()).unwrap_or(1);
    let at = meta(connection, "restored-at")?.and_then(|text| text.parse().ok());
    let restored_at = at.and_then(|at: i64| Timestamp::from_millisecond(at).ok());
    let window = meta(connection, "restore-window")?.is_some();
    Ok(Epoch { number, restored_at, window })
}

/// What the writer knows of the restore without asking its tables; read once, when the store is
/// opened.
pub(super) fn read(connection: &Connection) -> Result<Restored, StoreError> {
    let Epoch { restored_at, window, .. } = epoch(connection)?;
    let sql = "SELECT EXISTS (SELECT 1 FROM ghosts)";
    let ghosts = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(Restored { at: restored_at.map(Timestamp::as_millisecond), window, ghosts })
}

/// What is known of an exchange of a message that was not in the store.
pub(super) fn known(
    tx: &Tx<'_>,
    envelope: &Envelope,
    exchange: &NewExchange,
) -> Result<Known, StoreError> {
    if !tx.restored.asks_about(exchange) {
        return Ok(Known::New);
    }
    let sql = "SELECT fate FROM ghosts WHERE message_id = ?1 AND source = ?2 AND route = ?3";
    let key = (envelope.message_id.as_str(), &envelope.source, &exchange.route);
    let fate: Option<String> = tx.row(sql, key, |row| row.get(0))?;
    Ok(Known::by(fate.as_deref(), tx.restored.window))
}

/// Begins a new epoch: the entries of the record that the store lost are taken over as they are,
/// what had not ended is doubted, and the restore itself is recorded; all in one transaction.
pub(super) fn begin(tx: &mut Tx<'_>, new: &NewEpoch) -> Result<EpochBegun, StoreError> {
    let heads: Vec<Head> = new.checkpoints.iter().map(|one| one.head).chain(new.head).collect();
    tx.take_over(&new.entries, &heads, new.at)?;
    for checkpoint in &new.checkpoints {
        record::put_checkpoint(tx, checkpoint, None)?;
    }
    let at = new.at.as_millisecond();
    let unknown = doubt_open(tx, at)?;
    let mut ended = 0;
    let mut ghosts = 0;
    for ghost in &new.ghosts {
        match end_known(tx, ghost, new.at)? {
            Found::Ended => ended += 1,
            Found::Kept => {}
            Found::Missing => {
                let sql = "INSERT INTO ghosts (message_id, source, route, fate)
                    VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET fate = excluded.fate";
                let fate = ghost.fate.name();
                tx.execute(sql, (&ghost.message_id, &ghost.source, &ghost.route, fate))?;
                ghosts += 1;
            }
        }
    }
    let set = "INSERT INTO meta (name, value) VALUES (?1, ?2)
        ON CONFLICT DO UPDATE SET value = excluded.value";
    let before: Option<String> =
        tx.row("SELECT value FROM meta WHERE name = 'epoch'", [], |row| row.get(0))?;
    let epoch = before.and_then(|text| text.parse::<u64>().ok()).unwrap_or(1) + 1;
    tx.execute(set, ("epoch", epoch.to_string()))?;
    tx.execute(set, ("restored-at", at.to_string()))?;
    tx.execute(set, ("restore-window", "open"))?;
    let known: i64 = tx.row("SELECT count(*) FROM ghosts", [], |row| row.get(0))?.unwrap_or(0);
    tx.restored = Restored { at: Some(at), window: true, ghosts: known > 0 };
    let entries = u64::try_from(new.entries.len()).unwrap_or(u64::MAX);
    let facts = format!("epoch {epoch}; unknown {unknown}; ended {ended}; entries {entries}");
    tx.append(&act("restore", &new.operator, &format!("{}; {facts}", new.reason), new.at))?;
    Ok(EpochBegun { epoch, unknown, ended, ghosts, entries })
}

/// Ends the window: what is accepted from now on is new, unless the record knows it.
pub(super) fn complete(
    tx: &mut Tx<'_>,
    operator: &str,
    reason: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    if !tx.restored.window {
        return Ok(false);
    }
    tx.execute("DELETE FROM meta WHERE name = 'restore-window'", [])?;
    tx.restored.window = false;
    tx.append(&act("restore-complete", operator, reason, at))?;
    Ok(true)
}

/// Everything that has not ended may have been sent after the backup. What waits for a person
/// goes on waiting; what is held wakes as unknown (`leave_lane`), what waits for a second person is
/// asked about anew and then resolved as its operation declares.
fn doubt_open(tx: &Tx<'_>, at: i64) -> Result<u64, StoreError> {
    let sql = "UPDATE attempts SET outcome = 'unknown', finished_at = ?1 WHERE outcome IS NULL
        AND (exchange, number) IN (SELECT id, attempts FROM exchanges WHERE state = 'sending')";
    tx.execute(sql, [at])?;
    let sql = concat!(
        "UPDATE exchanges SET fence = fence + 1, maybe_applied = 1
         WHERE (state = 'held' OR state = 'waiting-approval') AND ",
        open_exchange!()
    );
    let held = tx.execute(sql, [])?;
    let sql = concat!(
        "UPDATE exchanges SET state = 'unknown', since = ?1, fence = fence + 1,
            due = CASE WHEN state = 'unknown' AND due IS NULL THEN NULL ELSE ?1 END,
            code = CASE state WHEN 'unknown' THEN code ELSE ?2 END,
            stage = CASE state WHEN 'unknown' THEN stage ELSE ?3 END,
            detail = CASE state WHEN 'unknown' THEN detail ELSE '' END,
            maybe_applied = 1, was_unknown = 1
         WHERE state <> 'held' AND state <> 'waiting-approval' AND ",
        open_exchange!()
    );
    let others = tx.execute(sql, (at, codes::RESTORED.code, Stage::Deliver.name()))?;
    Ok(u64::try_from(held + others).unwrap_or(u64::MAX))
}

enum Found {
    Ended,
    Kept,
    Missing,
}

/// Ends an exchange of the store that the record knows to have ended.
fn end_known(tx: &mut Tx<'_>, ghost: &Ghost, at: Timestamp) -> Result<Found, StoreError> {
    let known = tx.ids.shared();
    let messages = ids::rows_of(tx.connection, Some(&known), &ghost.message_id)?;
    let sql = "SELECT e.id, e.state, e.counterpart, e.lane, e.attempts, e.code,
            e.was_unknown
        FROM messages m JOIN exchanges e ON e.message = m.id
        WHERE m.id IN (SELECT value FROM json_each(?1)) AND m.source = ?2 AND e.route = ?3";
    let key = (json(&messages), &ghost.source, &ghost.route);
    let row = tx.row(sql, key, |row| {
        let text: (String, String) = (row.get(1)?, row.get(2)?);
        let numbers: (i64, i64, i64) = (row.get(0)?, row.get(3)?, row.get(4)?);
        Ok((numbers, text, row.get::<_, Option<String>>(5)?, row.get::<_, bool>(6)?))
    })?;
    let Some(((id, lane, attempts), (state, counterpart), code, was_unknown)) = row else {
        return Ok(Found::Missing);
    };
    let to = match ghost.fate {
        Fate::Sent => return Ok(Found::Kept),
        Fate::Applied => State::Delivered,
        Fate::Discarded => State::Discarded,
    };
    let from = State::from_name(&state);
    if from.is_none_or(|from| from.is_final() && from != State::Dead) {
        return Ok(Found::Kept);
    }
    let sql = "UPDATE exchanges SET state = ?2, due = NULL, since = ?3, fence = fence + 1,
            maybe_applied = 0, code = NULL, stage = NULL, detail = NULL
        WHERE id = ?1";
    tx.execute(sql, (id, to.name(), at.as_millisecond()))?;
    let ended = Ended {
        route: &ghost.route,
        state: to.name(),
        code: "",
        attempts,
        resolved: was_unknown && to == State::Delivered,
    };
    if from == Some(State::Dead) {
        let code = code.as_deref().unwrap_or("");
        tx.tallies.take(&Ended { state: State::Dead.name(), code, resolved: false, ..ended });
    }
    tx.tallies.add(&ended);
    match from {
        Some(State::Dead | State::WaitingApproval) => {}
        Some(State::Held) => tx.lanes.withdraw(&counterpart, lane),
        _ => {
            leave_lane(tx, &counterpart, lane, at)?;
        }
    }
    Ok(Found::Ended)
}
