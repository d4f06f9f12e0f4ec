//! An operator's act: its effect and its entry in one transaction.

use super::approvals;
use super::exchanges::{leave_lane, seal, write_outgoing};
use super::writer::Tx;
use crate::model::State;
use crate::model::codes::store as codes;
use crate::record::{Draft, Kind, Phase};
use crate::store::acts::{Ended, Seen};
use crate::store::approvals::Again;
use crate::store::keys::{Keys, Sealed};
use crate::store::{Act, ActVerb, StoreError};
use rusqlite::{Row, params};
use std::sync::Arc;

/// An act with what it brings sealed, on its caller's thread.
pub(super) struct Prepared {
    act: Act,
    outbox: Vec<Sealed>,
}

/// Seals what an act brings.
pub(super) fn prepare(keys: &Keys, act: Act) -> Result<Prepared, StoreError> {
    let sealed = act.brings.outbox.iter().map(|outgoing| seal(keys, outgoing));
    Ok(Prepared { outbox: sealed.collect::<Result<_, _>>()?, act })
}

/// Puts the act into effect with what it brings; `None` where the state does not allow it.
pub(super) fn run_with(tx: &mut Tx<'_>, prepared: &Prepared) -> Result<Option<State>, StoreError> {
    let Prepared { act, outbox } = prepared;
    let Some(to) = run(tx, act)? else { return Ok(None) };
    let sql = "SELECT message FROM exchanges WHERE id = ?1";
    let message: Option<i64> = tx.row(sql, [act.exchange], |row| row.get(0))?;
    for (outgoing, sealed) in act.brings.outbox.iter().zip(outbox) {
        write_outgoing(tx, act.exchange, message.unwrap_or_default(), outgoing, sealed)?;
    }
    tx.append_all(&act.brings.record)?;
    Ok(Some(to))
}

/// Puts the act into effect; `None` where the state does not allow it.
pub(super) fn run(tx: &mut Tx<'_>, act: &Act) -> Result<Option<State>, StoreError> {
    let Some(seen) = find(tx, act)? else { return Ok(None) };
    let from = seen.state;
    let counterpart = &seen.draft.counterpart;
    // It may have been replayed, and applied, before the store was put back.
    let doubt = act.verb == ActVerb::Replay && tx.restored.doubts(seen.since);
    let is_open = tx.lanes.is_open(counterpart, seen.lane);
    let again = match act.verb {
        ActVerb::Replay => approvals::again(tx, act.exchange)?,
        _ => Again::Free,
    };
    let Some(to) = act.verb.leads_to(&seen, again, is_open, doubt) else { return Ok(None) };
    if act.verb == ActVerb::Replay {
        let sql = "SELECT 1 FROM bodies WHERE message = ?1";
        if tx.row(sql, [seen.message], |_| Ok(()))?.is_none() {
            return Err(StoreError::new(&codes::BODY_PURGED, ""));
        }
    }
    let at = act.at.as_millisecond();
    let due = matches!(to, State::Received | State::WaitingRetry | State::Unknown).then_some(at);
    let clear = act.verb == ActVerb::ConfirmNotApplied;
    let forget = to == State::Delivered;
    let sql = "UPDATE exchanges SET state = ?2, due = ?3, since = ?4, fence = fence + 1,
            maybe_applied = (maybe_applied OR ?8) AND NOT ?5, was_unknown = was_unknown OR ?8,
            code = CASE WHEN ?6 THEN NULL ELSE code END,
            stage = CASE WHEN ?6 THEN NULL ELSE stage END,
            detail = CASE WHEN ?6 THEN NULL ELSE detail END, bundle = ifnull(?7, bundle)
        WHERE id = ?1";
    let bundle = act.bundle.as_deref().filter(|_| act.verb == ActVerb::Replay);
    tx.execute(sql, params![act.exchange, to.name(), due, at, clear, forget, bundle, doubt])?;
    if to == State::WaitingApproval {
        approvals::ask_again(tx, act.exchange, act.at)?;
    }
    if from == Some(State::Dead) {
        tx.tallies.take(&seen.ended(State::Dead));
    }
    if to.is_final() {
        let resolved = seen.was_unknown && to == State::Delivered;
        let code = if forget { "" } else { seen.code() };
        tx.tallies.add(&Ended { resolved, code, ..seen.ended(to) });
    }
    if to.is_final() && from == Some(State::Unknown) {
        leave_lane(tx, counterpart, seen.lane, act.at)?;
    } else if from == Some(State::Dead) {
        tx.lanes.enter(counterpart, seen.lane, to);
    }
    let draft = Draft { bundle: bundle.map_or(seen.draft.bundle, Arc::from), ..seen.draft };
    tx.append(&draft)?;
    Ok(Some(to))
}

pub(super) fn find(tx: &Tx<'_>, act: &Act) -> Result<Option<Seen>, StoreError> {
    let sql = "SELECT e.state, e.lane, m.source, m.message_id, m.message_type, m.municipality,
            e.route, e.counterpart, e.operation, e.attempts, e.idempotency_key, e.ticket, e.code,
            e.subject, m.commitment, e.bundle, m.id, e.was_unknown, e.since
        FROM exchanges e JOIN messages m ON m.id = e.message WHERE e.id = ?1";
    let read = |row: &Row<'_>| {
        let draft = Draft {
            source: row.get(2)?,
            message_id: row.get(3)?,
            message_type: row.get(4)?,
            municipality: row.get(5)?,
            route: row.get(6)?,
            counterpart: row.get(7)?,
            operation: row.get(8)?,
            attempt: row.get(9)?,
            idempotency_key: row.get(10)?,
            reference: row.get(11)?,
            code: row.get(12)?,
            subject: row.get(13)?,
            commitment: row.get(14)?,
            bundle: row.get(15)?,
            outcome: Some(act.verb.name().to_owned()),
            operator: Some(act.operator.as_str().into()),
            reason: Some(act.reason.clone()),
            ..Draft::new(Kind::Operate, Phase::Noted, act.at)
        };
        let (message, was_unknown) = (row.get(16)?, row.get(17)?);
        let (lane, since) = (row.get(1)?, row.get(18)?);
        let state = State::from_name(&row.get::<_, String>(0)?);
        Ok(Seen { message, state, lane, since, was_unknown, draft })
    };
    tx.row(sql, [act.exchange], read)
}
