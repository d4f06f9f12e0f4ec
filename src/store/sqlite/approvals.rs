//! Approvals and demands: who prepared what, who agreed, and what a person must answer.

use super::accept::Prepared as Message;
use super::act;
use super::exchanges::{self, seal, write_outgoing};
use super::views::text;
use super::writer::{self, Entry, Tx};
use super::{SqliteStore, claim::instant};
use crate::model::codes::store as codes;
use crate::model::{Failure, State};
use crate::record::{Draft, Kind, Phase};
use crate::store::acts::{Ended, Seen};
use crate::store::approvals::{
    Again, Answers, ApprovalFilter, ApprovalState, ApprovalView, Approvals, Asked, Decided,
    Decision, DemandFilter, DemandState, DemandView, NewApproval, Refusal, Verdict, Waiting,
    after_approval, is_same_ground, judge,
};
use crate::store::keys::Sealed;
use crate::store::{Act, ActVerb, Keys, Later, NewExchange, StoreError};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

/// Rows a list gives at most.
const LIST_CAP: usize = 1_000;

/// Why a new exchange may not even be asked about: its demand is missing, or has an answer.
pub(super) fn refusal<'e>(
    tx: &Tx<'_>,
    exchange: &'e NewExchange,
) -> Result<Option<&'e Refusal>, StoreError> {
    let answers = exchange.approval.as_ref().and_then(|approval| approval.answers.as_ref());
    let Some(answers) = answers else { return Ok(None) };
    let found = demand_of(tx, &exchange.counterpart, answers)?;
    let Some(demand) = found else { return Ok(Some(&answers.missing)) };
    Ok((!is_open(tx, demand, None)?).then_some(&answers.answered))
}

/// The demand that an answer names, where it is answered on the ground on which it was asked.
fn demand_of(tx: &Tx<'_>, counterpart: &str, answers: &Answers) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT id, item FROM demands
        WHERE counterpart = ?1 AND kind = ?2 AND number = ?3";
    let key = (counterpart, &answers.kind, &answers.number);
    let found: Option<(i64, String)> = tx.row(sql, key, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.filter(|(_, item)| is_same_ground(item, &answers.item)).map(|(demand, _)| demand))
}

/// Whether a demand may get an answer; `but` is left out of account as one.
fn is_open(tx: &Tx<'_>, demand: i64, but: Option<i64>) -> Result<bool, StoreError> {
    let sql = "SELECT d.closed_at IS NOT NULL, d.answer, a.state
        FROM demands d LEFT JOIN exchanges a ON a.id = d.answer WHERE d.id = ?1";
    let read = |row: &Row<'_>| {
        let (closed, answer): (bool, Option<i64>) = (row.get(0)?, row.get(1)?);
        let state = row.get::<_, Option<String>>(2)?;
        let answer = answer.filter(|answer| Some(*answer) != but);
        Ok(DemandState::of(closed, answer, state.as_deref().and_then(State::from_name)))
    };
    Ok(tx.row(sql, [demand], read)? == Some(DemandState::Open))
}

/// What a new exchange brings beside its own row: an approval that is asked for, a demand that
/// opens.
pub(super) fn enter(
    tx: &mut Tx<'_>,
    id: i64,
    state: State,
    exchange: &NewExchange,
    at: Timestamp,
) -> Result<(), StoreError> {
    if let (Some(approval), State::WaitingApproval) = (&exchange.approval, state) {
        ask(tx, id, &exchange.counterpart, approval, at)?;
    } else if let (Some(approval), Some(_)) = (&exchange.approval, &exchange.failure) {
        remember(tx, id, &exchange.counterpart, approval, at)?;
    }
    let Some(demand) = &exchange.opens else { return Ok(()) };
    // Told once more under another id, it is the same one still.
    let sql = "INSERT INTO demands (kind, counterpart, number, item, exchange, opened_at, due)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
    tx.execute(
        sql,
        params![
            demand.kind,
            exchange.counterpart,
            demand.number,
            demand.item,
            id,
            at.as_millisecond(),
            demand.due.map(Timestamp::as_millisecond),
        ],
    )?;
    Ok(())
}

fn ask(
    tx: &mut Tx<'_>,
    id: i64,
    counterpart: &str,
    approval: &NewApproval,
    at: Timestamp,
) -> Result<(), StoreError> {
    let demand: Option<i64> = match &approval.answers {
        Some(answers) => {
            let demand = demand_of(tx, counterpart, answers)?;
            tx.execute("UPDATE demands SET answer = ?2 WHERE id = ?1", (demand, id))?;
            demand
        }
        None => None,
    };
    let within = i64::try_from(approval.within.as_millis()).unwrap_or(i64::MAX / 4);
    let now = at.as_millisecond();
    let sql = "INSERT INTO approvals (exchange, state, preparer, within, asked_at, expires_at,
            demand)
        VALUES (?1, 'asked', ?2, ?3, ?4, ?5, ?6)";
    tx.execute(sql, params![id, approval.preparer, within, now, now + within, demand])?;
    note(tx, id, "approval-asked", &approval.preparer, None, at)
}

/// It could not be sent as it came, so nobody was asked. A replay asks.
fn remember(
    tx: &Tx<'_>,
    id: i64,
    counterpart: &str,
    approval: &NewApproval,
    at: Timestamp,
) -> Result<(), StoreError> {
    let within = i64::try_from(approval.within.as_millis()).unwrap_or(i64::MAX / 4);
    let demand: Option<i64> = match &approval.answers {
        Some(answers) => {
            // Without its demand it must never be asked about.
            let Some(demand) = demand_of(tx, counterpart, answers)? else { return Ok(()) };
            Some(demand)
        }
        None => None,
    };
    let sql = "INSERT INTO approvals (exchange, state, preparer, within, asked_at, expires_at,
            demand)
        VALUES (?1, 'rejected', ?2, ?3, ?4, ?4, ?5)";
    tx.execute(sql, params![id, approval.preparer, within, at.as_millisecond(), demand])?;
    Ok(())
}

/// Whether an exchange that goes again needs a second person.
pub(super) fn again(tx: &Tx<'_>, id: i64) -> Result<Again, StoreError> {
    let sql = "SELECT demand FROM approvals WHERE exchange = ?1";
    let demand: Option<Option<i64>> = tx.row(sql, [id], |row| row.get(0))?;
    Ok(match demand {
        None => Again::Free,
        Some(Some(demand)) if !is_open(tx, demand, Some(id))? => Again::Taken,
        Some(_) => Again::Asks,
    })
}

/// Asks anew for an exchange that goes again.
pub(super) fn ask_again(tx: &Tx<'_>, id: i64, at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE approvals SET state = 'asked', asked_at = ?2, expires_at = ?2 + within,
            decided_by = NULL, reason = NULL, decided_at = NULL, digest = NULL
        WHERE exchange = ?1";
    tx.execute(sql, (id, at.as_millisecond()))?;
    let sql = "UPDATE demands SET answer = ?1
        WHERE id = (SELECT demand FROM approvals WHERE exchange = ?1)";
    tx.execute(sql, [id])?;
    Ok(())
}

/// Asks for an exchange that sends a delivered one once more.
pub(super) fn ask_anew(tx: &Tx<'_>, id: i64, of: i64, at: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT INTO approvals (exchange, state, preparer, within, asked_at, expires_at)
        SELECT ?1, 'asked', preparer, within, ?3, ?3 + within FROM approvals WHERE exchange = ?2";
    tx.execute(sql, (id, of, at.as_millisecond()))?;
    Ok(())
}

/// A decision made ready on its caller's thread.
pub(super) struct Prepared {
    decision: Decision,
    sealed: Option<Sealed>,
    entries: Vec<Entry>,
}

pub(super) fn prepare(keys: &Keys, decision: Decision) -> Result<Prepared, StoreError> {
    let end = decision.verdict.end();
    let sealed = end.map(|end| seal(keys, &end.announce)).transpose()?;
    let entries = end.map(|end| end.record.iter().map(Entry::new).collect()).unwrap_or_default();
    Ok(Prepared { decision, sealed, entries })
}

/// Decides, if nobody did before.
pub(super) fn decide(tx: &mut Tx<'_>, prepared: &Prepared) -> Result<Decided, StoreError> {
    let decision = &prepared.decision;
    if let Err(refused) = judge(asked(tx, decision.exchange)?.as_ref(), decision) {
        return Ok(refused);
    }
    let Some(seen) = find(tx, decision.exchange, decision.at)? else {
        return Ok(Decided::Missing);
    };
    let digest = match &decision.verdict {
        Verdict::Approve(digest) => Some(digest),
        Verdict::Reject(_) | Verdict::Expire(_) => None,
    };
    let sql = "UPDATE approvals SET state = ?2, decided_by = ?3, reason = ?4, decided_at = ?5,
            digest = ?6
        WHERE exchange = ?1";
    let at = decision.at.as_millisecond();
    let (state, operator) = (decision.verdict.state().name(), decision.operator.as_str());
    let id = decision.exchange;
    tx.execute(sql, params![id, state, operator, decision.reason, at, digest])?;
    let to = match decision.verdict.end() {
        None => approve(tx, id, &seen, decision.at)?,
        Some(end) => {
            if let Some(sealed) = &prepared.sealed {
                write_outgoing(tx, id, seen.message, &end.announce, sealed)?;
            }
            prepared.entries.iter().try_for_each(|entry| tx.append_entry(entry))?;
            finish(tx, id, &seen, &end.failure, decision.at)?
        }
    };
    let (word, reason) = (decision.verdict.word(), Some(decision.reason.as_str()));
    note(tx, id, word, operator, reason, decision.at)?;
    Ok(Decided::Done(to))
}

/// It takes its place in its lane.
fn approve(tx: &mut Tx<'_>, id: i64, seen: &Seen, at: Timestamp) -> Result<State, StoreError> {
    let counterpart = &seen.draft.counterpart;
    let maybe = maybe_applied(tx, id)?;
    let to = after_approval(tx.lanes.is_open(counterpart, seen.lane), maybe);
    let now = at.as_millisecond();
    let due = matches!(to, State::Received | State::Unknown).then_some(now);
    let sql = "UPDATE exchanges SET state = ?2, due = ?3, since = ?4, fence = fence + 1,
            was_unknown = was_unknown OR ?5, code = NULL, stage = NULL, detail = NULL
        WHERE id = ?1";
    tx.execute(sql, params![id, to.name(), due, now, to == State::Unknown])?;
    tx.lanes.enter(counterpart, seen.lane, to);
    Ok(to)
}

/// It ends; where it may have been sent before a restore, a person must look at it.
fn finish(
    tx: &mut Tx<'_>,
    id: i64,
    seen: &Seen,
    failure: &Failure,
    at: Timestamp,
) -> Result<State, StoreError> {
    let maybe = maybe_applied(tx, id)?;
    let to = if maybe { State::Unknown } else { State::Dead };
    let sql = "UPDATE exchanges SET state = ?2, due = NULL, since = ?3, fence = fence + 1,
            was_unknown = was_unknown OR ?4, code = ?5, stage = ?6, detail = ?7
        WHERE id = ?1";
    let (code, stage) = (failure.code.code, failure.stage.name());
    let now = at.as_millisecond();
    tx.execute(sql, params![id, to.name(), now, maybe, code, stage, failure.detail])?;
    if maybe {
        tx.lanes.enter(&seen.draft.counterpart, seen.lane, to);
    } else {
        tx.tallies.add(&Ended { code, ..seen.ended(State::Dead) });
    }
    Ok(to)
}

fn maybe_applied(tx: &Tx<'_>, id: i64) -> Result<bool, StoreError> {
    let sql = "SELECT maybe_applied FROM exchanges WHERE id = ?1";
    Ok(tx.row(sql, [id], |row| row.get(0))?.unwrap_or(false))
}

fn asked(tx: &Tx<'_>, id: i64) -> Result<Option<Asked>, StoreError> {
    let sql = "SELECT a.state, a.preparer, a.expires_at, a.decided_by, e.state
        FROM approvals a JOIN exchanges e ON e.id = a.exchange WHERE a.exchange = ?1";
    let row = tx.row(sql, [id], |row| {
        let (state, exchange): (String, String) = (row.get(0)?, row.get(4)?);
        Ok((state, row.get(1)?, row.get(2)?, row.get(3)?, exchange))
    })?;
    let Some((state, preparer, expires_at, decided_by, exchange)) = row else { return Ok(None) };
    let state = ApprovalState::from_name(&state).ok_or_else(odd)?;
    let exchange = State::from_name(&exchange);
    Ok(Some(Asked { state, preparer, expires_at, decided_by, exchange }))
}

fn odd() -> StoreError {
    StoreError::new(&codes::STORE_REFUSED, "a row has another shape than expected")
}

/// The exchange as an act finds it; the words of the entry come later.
fn find(tx: &Tx<'_>, id: i64, at: Timestamp) -> Result<Option<Seen>, StoreError> {
    let (operator, reason) = (String::new(), String::new());
    act::find(
        tx,
        &Act {
            exchange: id,
            verb: ActVerb::Replay,
            operator,
            reason,
            at,
            bundle: None,
            brings: Default::default(),
        },
    )
}

/// An entry about an exchange.
fn note(
    tx: &mut Tx<'_>,
    id: i64,
    word: &str,
    operator: &str,
    reason: Option<&str>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(seen) = find(tx, id, at)? else { return Ok(()) };
    tx.append(&Draft {
        outcome: Some(word.to_owned()),
        operator: Some(operator.to_owned()).filter(|name| !name.is_empty()).map(Into::into),
        reason: reason.map(str::to_owned),
        ..seen.draft
    })
}

fn close(
    tx: &mut Tx<'_>,
    demand: i64,
    operator: &str,
    reason: &str,
    at: Timestamp,
) -> Result<bool, StoreError> {
    if !is_open(tx, demand, None)? {
        return Ok(false);
    }
    let sql = "UPDATE demands SET closed_at = ?2 WHERE id = ?1";
    tx.execute(sql, (demand, at.as_millisecond()))?;
    let sql = "SELECT number, counterpart FROM demands WHERE id = ?1";
    let row: Option<(String, String)> =
        tx.row(sql, [demand], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some((number, counterpart)) = row else { return Ok(false) };
    tx.append(&Draft {
        outcome: Some("demand-closed".to_owned()),
        counterpart: counterpart.into(),
        reference: Some(number),
        operator: Some(operator.into()),
        reason: Some(reason.to_owned()),
        ..Draft::new(Kind::Operate, Phase::Noted, at)
    })?;
    Ok(true)
}

fn capped(limit: usize) -> i64 {
    let limit = if limit == 0 { LIST_CAP } else { limit.min(LIST_CAP) };
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn maybe_text(milliseconds: Option<i64>) -> Result<Option<String>, StoreError> {
    milliseconds.map(text).transpose()
}

fn list(connection: &Connection, filter: &ApprovalFilter) -> Result<Vec<ApprovalView>, StoreError> {
    let waiting = filter.waiting || filter.over.is_some();
    let base =
        "SELECT a.exchange, a.state, e.state, e.route, e.counterpart, m.source, m.message_id,
            m.message_type, a.preparer, a.asked_at, a.expires_at, a.demand, d.number,
            a.decided_by, a.reason, a.decided_at, a.digest
        FROM approvals a JOIN exchanges e ON e.id = a.exchange
        JOIN messages m ON m.id = e.message LEFT JOIN demands d ON d.id = a.demand
        WHERE a.exchange > ?1 AND (?2 IS NULL OR a.exchange = ?2)
            AND (?3 IS NULL OR a.expires_at <= ?3)";
    // The condition of the partial index stands in the text: only so does it apply.
    let only = if waiting { " AND a.state = 'asked' AND e.state = 'waiting-approval'" } else { "" };
    let mut statement =
        connection.prepare_cached(&format!("{base}{only} ORDER BY a.exchange LIMIT ?4"))?;
    let over = filter.over.map(Timestamp::as_millisecond);
    let key = (filter.after, filter.exchange, over, capped(filter.limit));
    let mut rows = statement.query(key)?;
    let mut views = Vec::new();
    while let Some(row) = rows.next()? {
        views.push(ApprovalView {
            exchange: row.get(0)?,
            state: row.get(1)?,
            exchange_state: row.get(2)?,
            route: row.get(3)?,
            counterpart: row.get(4)?,
            source: row.get(5)?,
            message_id: row.get(6)?,
            message_type: row.get(7)?,
            preparer: row.get(8)?,
            asked_at: text(row.get(9)?)?,
            expires_at: text(row.get(10)?)?,
            demand: row.get(11)?,
            number: row.get(12)?,
            decided_by: row.get::<_, Option<String>>(13)?.filter(|name| !name.is_empty()),
            reason: row.get(14)?,
            decided_at: maybe_text(row.get(15)?)?,
            digest: row.get(16)?,
        });
    }
    Ok(views)
}

fn demands(connection: &Connection, filter: &DemandFilter) -> Result<Vec<DemandView>, StoreError> {
    let sql =
        "SELECT d.id, d.kind, d.counterpart, d.number, d.item, d.exchange, d.opened_at, d.due,
            d.answer, d.closed_at IS NOT NULL, a.state
        FROM demands d LEFT JOIN exchanges a ON a.id = d.answer
        WHERE d.id > ?1 AND (?2 IS NULL OR d.id = ?2) AND (NOT ?3 OR (d.closed_at IS NULL
            AND (d.answer IS NULL OR a.state = 'dead' OR a.state = 'discarded')))
        ORDER BY d.id LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((filter.after, filter.id, filter.open, capped(filter.limit)))?;
    let mut views = Vec::new();
    while let Some(row) = rows.next()? {
        let (answer, closed): (Option<i64>, bool) = (row.get(8)?, row.get(9)?);
        let state = row.get::<_, Option<String>>(10)?;
        let state = state.as_deref().and_then(State::from_name);
        views.push(DemandView {
            id: row.get(0)?,
            kind: row.get(1)?,
            counterpart: row.get(2)?,
            number: row.get(3)?,
            item: row.get(4)?,
            state: DemandState::of(closed, answer, state).name().to_owned(),
            exchange: row.get(5)?,
            opened_at: text(row.get(6)?)?,
            due: maybe_text(row.get(7)?)?,
            answer,
        });
    }
    Ok(views)
}

fn waiting(connection: &Connection) -> Result<Waiting, StoreError> {
    type Figures = (i64, Option<i64>, Option<i64>);
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
    let sql = "SELECT count(*), min(a.asked_at), min(a.expires_at)
        FROM approvals a JOIN exchanges e ON e.id = a.exchange
        WHERE a.state = 'asked' AND e.state = 'waiting-approval'";
    let asked: Option<Figures> = connection.prepare_cached(sql)?.query_row([], read).optional()?;
    let sql = "SELECT count(*), min(d.opened_at), min(d.due)
        FROM demands d LEFT JOIN exchanges a ON a.id = d.answer
        WHERE d.closed_at IS NULL
            AND (d.answer IS NULL OR a.state = 'dead' OR a.state = 'discarded')";
    let open: Option<Figures> = connection.prepare_cached(sql)?.query_row([], read).optional()?;
    let time = |milliseconds: Option<i64>| milliseconds.map(instant).transpose();
    let ((approvals, oldest, expires), (demands, _, due)) =
        (asked.unwrap_or_default(), open.unwrap_or_default());
    Ok(Waiting {
        approvals: approvals.unsigned_abs(),
        oldest: time(oldest)?,
        expires: time(expires)?,
        demands: demands.unsigned_abs(),
        due: time(due)?,
    })
}

impl Approvals for SqliteStore {
    fn approvals(&self, filter: ApprovalFilter) -> Later<'_, Vec<ApprovalView>> {
        self.read(move |connection, _| list(connection, &filter))
    }

    fn decide(&self, decision: Decision) -> Later<'_, Decided> {
        Box::pin(async move {
            let prepared = prepare(&self.keys, decision)?;
            self.write(writer::ACT, move |tx| decide(tx, &prepared)).await
        })
    }

    fn demands(&self, filter: DemandFilter) -> Later<'_, Vec<DemandView>> {
        self.read(move |connection, _| demands(connection, &filter))
    }

    fn close_demand(
        &self,
        demand: i64,
        operator: String,
        reason: String,
        at: Timestamp,
    ) -> Later<'_, bool> {
        Box::pin(self.write(writer::ACT, move |tx| close(tx, demand, &operator, &reason, at)))
    }

    fn waiting(&self) -> Later<'_, Waiting> {
        self.read(|connection, _| waiting(connection))
    }
}

/// An exchange that may not be asked about begins dead, and upstream is told.
pub(super) fn refused(
    tx: &Tx<'_>,
    id: i64,
    row: i64,
    message: &Message,
    refusal: &Refusal,
) -> Result<(), StoreError> {
    let sealed = exchanges::seal(&message.keys, &refusal.announce)?;
    write_outgoing(tx, id, row, &refusal.announce, &sealed)
}
