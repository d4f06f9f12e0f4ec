//! The life of an exchange: intend, settle, its lane. The rows are read once for the whole group,
//! change in memory, and are written once.

use super::connection::{Params, Session, column, kept};
use super::group::Work;
use super::lanes::{After, Lanes};
use super::prepared::{Ending, Entry, Intended};
use super::tx::Tx;
use crate::model::codes::store as codes;
use crate::model::{Stage, State};
use crate::record::{Draft, Kind, Phase};
use crate::store::acts::Ended;
use crate::store::sqlite::follow;
use crate::store::{Next, Settled, StoreError};
use jiff::Timestamp;
use std::collections::BTreeMap;
use tokio_postgres::Row;

/// States an exchange ends in, as SQL.
macro_rules! final_states {
    () => {
        "('delivered', 'dead', 'duplicate', 'discarded')"
    };
}
pub(super) use final_states;

const READ: &str =
    "SELECT id, message, route, counterpart, lane, state, due, since, fence, attempts,
        maybe_applied, was_unknown
    FROM exchanges WHERE id = ANY($1)";
/// Of lanes in which something waits: how many go, and the first that waits.
const READ_LANES: &str = "SELECT ended.counterpart, ended.lane,
        (SELECT count(*) FROM exchanges a
            WHERE a.counterpart = ended.counterpart AND a.lane = ended.lane
                AND a.state NOT IN ('delivered', 'dead', 'duplicate', 'discarded', 'held',
                    'waiting-approval')),
        held.id
    FROM (SELECT DISTINCT counterpart, lane FROM exchanges WHERE id = ANY($1)) ended
    CROSS JOIN LATERAL (SELECT id FROM exchanges h
        WHERE h.counterpart = ended.counterpart AND h.lane = ended.lane AND h.state = 'held'
        ORDER BY h.id LIMIT 1) held";
const WRITE: &str = "UPDATE exchanges e SET state = n.state, due = n.due, since = n.since,
        fence = n.fence, attempts = n.attempts, maybe_applied = n.maybe_applied,
        was_unknown = n.was_unknown, ticket = coalesce(n.ticket, e.ticket),
        code = CASE WHEN n.keeps THEN e.code ELSE n.code END,
        stage = CASE WHEN n.keeps THEN e.stage ELSE n.stage END,
        detail = CASE WHEN n.keeps THEN e.detail ELSE n.detail END,
        owner = n.owner, reserved_until = 0
    FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
        $7::bool[], $8::bool[], $9::text[], $10::bool[], $11::text[], $12::text[], $13::text[],
        $14::bigint[])
        AS n (id, state, due, since, fence, attempts, maybe_applied, was_unknown, ticket, keeps,
        code, stage, detail, owner)
    WHERE e.id = n.id";
/// After a restore it may have been sent before: then it is resolved, not sent.
const WAKE: &str = "UPDATE exchanges e SET due = n.at, since = n.at,
        state = CASE WHEN maybe_applied THEN 'unknown' ELSE 'received' END,
        was_unknown = was_unknown OR maybe_applied
    FROM unnest($1::bigint[], $2::bigint[]) AS n (id, at) WHERE e.id = n.id";
pub(super) const BEGIN_ATTEMPTS: &str =
    "INSERT INTO attempts (exchange, number, started_at, request_digest)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])";
const END_ATTEMPTS: &str = "UPDATE attempts a SET finished_at = n.at, outcome = n.outcome,
        http_status = n.status, response_digest = n.digest
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::text[])
        AS n (exchange, number, at, outcome, status, digest)
    WHERE a.exchange = n.exchange AND a.number = n.number";

/// Statements of this file, for the session that writes.
pub(super) const STATEMENTS: &[&str] =
    &[READ, READ_LANES, WRITE, WAKE, BEGIN_ATTEMPTS, END_ATTEMPTS];

/// Exchanges that intents and settlements of a group are about.
pub(super) fn ids(group: &[Work]) -> Vec<i64> {
    let mut ids = Vec::new();
    for work in group {
        match work {
            Work::Intend(intents) => ids.extend(intents.iter().map(|one| one.intent.exchange)),
            Work::Settle(endings) => ids.extend(endings.iter().map(|one| one.settlement.exchange)),
            _ => {}
        }
    }
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Their rows.
pub(super) async fn read(session: &Session, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    session.query(READ, &[&ids]).await
}

/// Their lanes, where something waits.
pub(super) async fn read_lanes(session: &Session, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    session.query(READ_LANES, &[&ids]).await
}

/// An exchange's row, as far as its life goes.
struct Exchange {
    message: i64,
    route: String,
    counterpart: String,
    lane: i64,
    state: Option<State>,
    due: Option<i64>,
    since: i64,
    fence: i64,
    attempts: i64,
    maybe_applied: bool,
    was_unknown: bool,
    ticket: Option<String>,
    /// Code, stage and detail of a failure; the outer `None` leaves what is there.
    failure: Option<Option<(&'static str, &'static str, String)>>,
    owner: Option<i64>,
    changed: bool,
}

/// A finished attempt.
struct Finished {
    exchange: i64,
    number: i64,
    at: i64,
    outcome: &'static str,
    status: Option<i64>,
    digest: Option<String>,
}

/// The rows of a group's intents and settlements.
#[derive(Default)]
pub(super) struct Rows {
    all: BTreeMap<i64, Exchange>,
    begun: Vec<(i64, i64, i64, String)>,
    finished: Vec<Finished>,
    woken: Vec<(i64, i64)>,
    asked: Vec<(String, i64, Timestamp)>,
}

impl Rows {
    pub fn new(rows: &[Row]) -> Result<Rows, StoreError> {
        let mut all = BTreeMap::new();
        for row in rows {
            let state: &str = column(row, 5)?;
            let exchange = Exchange {
                message: column(row, 1)?,
                route: column(row, 2)?,
                counterpart: column(row, 3)?,
                lane: column(row, 4)?,
                state: State::from_name(state),
                due: column(row, 6)?,
                since: column(row, 7)?,
                fence: column(row, 8)?,
                attempts: column(row, 9)?,
                maybe_applied: column(row, 10)?,
                was_unknown: column(row, 11)?,
                ticket: None,
                failure: None,
                owner: None,
                changed: false,
            };
            all.insert(column(row, 0)?, exchange);
        }
        Ok(Rows { all, ..Rows::default() })
    }

    /// Takes exchanges for one attempt each. One that waits for a person is not taken.
    pub fn intend(&mut self, tx: &mut Tx<'_>, instance: i64, intents: &[Intended]) -> Vec<bool> {
        intents.iter().map(|intended| self.intend_one(tx, instance, intended)).collect()
    }

    fn intend_one(&mut self, tx: &mut Tx<'_>, instance: i64, intended: &Intended) -> bool {
        let intent = &intended.intent;
        let Some(row) = self.all.get_mut(&intent.exchange) else { return false };
        let ready =
            matches!(row.state, Some(State::Received | State::WaitingRetry | State::Unknown));
        if row.fence != intent.fence || row.due.is_none() || !ready {
            return false;
        }
        let at = intent.at.as_millisecond();
        row.state = Some(State::Sending);
        row.due = None;
        row.since = at;
        row.fence += 1;
        row.attempts += 1;
        row.owner = Some(instance);
        row.changed = true;
        let digest = intent.request_digest.clone();
        self.begun.push((intent.exchange, row.attempts, at, digest));
        if let Some(entry) = &intended.entry {
            tx.append(entry);
        }
        true
    }

    /// Writes outcomes.
    pub fn settle(
        &mut self,
        tx: &mut Tx<'_>,
        lanes: &mut Lanes,
        endings: &[Ending],
    ) -> Vec<Settled> {
        endings.iter().map(|ending| self.settle_one(tx, lanes, ending)).collect()
    }

    fn settle_one(&mut self, tx: &mut Tx<'_>, lanes: &mut Lanes, ending: &Ending) -> Settled {
        let settlement = &ending.settlement;
        let Some(row) = self.all.get_mut(&settlement.exchange) else { return Settled::Stale };
        // What is held is under way nowhere: it can only end, and only as never applied.
        let is_held = row.state == Some(State::Held);
        let ends_held = matches!(settlement.next, Next::Dead(_)) && !row.maybe_applied;
        // What waits for a second person ends by a decision only (`approvals.rs`).
        let asked = row.state == Some(State::WaitingApproval);
        let over = asked || row.state.is_none_or(State::is_final) || (is_held && !ends_held);
        if row.fence != settlement.fence || over {
            return Settled::Stale;
        }
        let at = settlement.at.as_millisecond();
        let before = row.maybe_applied && !settlement.clear_maybe_applied;
        let (state, columns) = follow(&settlement.next, before);
        if row.state != Some(state) {
            row.since = at;
        }
        row.state = Some(state);
        row.due = columns.due.map(Timestamp::as_millisecond);
        row.fence += 1;
        row.maybe_applied = before || state == State::Unknown;
        row.was_unknown |= state == State::Unknown;
        if let Some(ticket) = columns.ticket {
            row.ticket = Some(ticket.to_owned());
        }
        row.failure = Some(
            columns
                .failure
                .map(|failure| (failure.code.code, failure.stage.name(), failure.detail.clone())),
        );
        row.owner = None;
        row.changed = true;
        if let Some(result) = &settlement.attempt {
            self.finished.push(Finished {
                exchange: settlement.exchange,
                number: row.attempts,
                at,
                outcome: result.outcome,
                status: result.http_status.map(i64::from),
                digest: result.response_digest.clone(),
            });
        }
        for outgoing in &ending.outbox {
            tx.post(settlement.exchange, row.message, outgoing.clone());
        }
        tx.append_all(&ending.record);
        if !state.is_final() {
            return Settled::Done { woke: false };
        }
        tx.ended(&Ended {
            route: &row.route,
            state: state.name(),
            code: columns.failure.map_or("", |failure| failure.code.code),
            attempts: row.attempts,
            resolved: row.was_unknown && state == State::Delivered,
        });
        if is_held {
            lanes.withdraw(&row.counterpart, row.lane, settlement.exchange);
            return Settled::Done { woke: false };
        }
        let after = lanes.leave(&row.counterpart, row.lane);
        match after {
            After::Nobody => {}
            After::Next(next) => self.woken.push((next, at)),
            After::Ask => {
                let lane = (row.counterpart.clone(), row.lane, settlement.at);
                self.asked.push(lane);
            }
        }
        Settled::Done { woke: after != After::Nobody }
    }

    /// Wakes what could not be told without the table.
    pub async fn wake_asked(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        for (counterpart, lane, at) in &self.asked {
            leave_lane(tx, counterpart, *lane, *at).await?;
        }
        Ok(())
    }

    /// Writes what changed.
    pub async fn write(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        let changed = Changed::new(&self.all);
        let begun = &self.begun;
        let exchanges: Vec<i64> = begun.iter().map(|one| one.0).collect();
        let numbers: Vec<i64> = begun.iter().map(|one| one.1).collect();
        let started: Vec<i64> = begun.iter().map(|one| one.2).collect();
        let digests: Vec<&str> = begun.iter().map(|one| one.3.as_str()).collect();
        let finished = &self.finished;
        let ended: Vec<i64> = finished.iter().map(|one| one.exchange).collect();
        let ended_numbers: Vec<i64> = finished.iter().map(|one| one.number).collect();
        let ended_at: Vec<i64> = finished.iter().map(|one| one.at).collect();
        let outcomes: Vec<&str> = finished.iter().map(|one| one.outcome).collect();
        let statuses: Vec<Option<i64>> = finished.iter().map(|one| one.status).collect();
        let answers: Vec<Option<&str>> = finished.iter().map(|one| one.digest.as_deref()).collect();
        let woken: Vec<i64> = self.woken.iter().map(|one| one.0).collect();
        let woken_at: Vec<i64> = self.woken.iter().map(|one| one.1).collect();
        let columns = changed.params();
        let to_begin: Params<'_> = &[&exchanges, &numbers, &started, &digests];
        let to_end: Params<'_> =
            &[&ended, &ended_numbers, &ended_at, &outcomes, &statuses, &answers];
        let to_wake: Params<'_> = &[&woken, &woken_at];
        let mut all: Vec<(&'static str, Params<'_>)> = Vec::new();
        if !changed.ids.is_empty() {
            all.push((WRITE, &columns));
        }
        if !begun.is_empty() {
            all.push((BEGIN_ATTEMPTS, to_begin));
        }
        if !finished.is_empty() {
            all.push((END_ATTEMPTS, to_end));
        }
        if !woken.is_empty() {
            all.push((WAKE, to_wake));
        }
        tx.execute_all(&all).await
    }
}

/// Columns of the rows that changed.
#[derive(Default)]
struct Changed<'r> {
    ids: Vec<i64>,
    states: Vec<&'static str>,
    dues: Vec<Option<i64>>,
    sinces: Vec<i64>,
    fences: Vec<i64>,
    attempts: Vec<i64>,
    maybes: Vec<bool>,
    unknowns: Vec<bool>,
    tickets: Vec<Option<std::borrow::Cow<'r, str>>>,
    keeps: Vec<bool>,
    codes: Vec<Option<&'static str>>,
    stages: Vec<Option<&'static str>>,
    details: Vec<Option<std::borrow::Cow<'r, str>>>,
    owners: Vec<Option<i64>>,
}

impl<'r> Changed<'r> {
    fn new(rows: &'r BTreeMap<i64, Exchange>) -> Changed<'r> {
        let mut changed = Changed::default();
        for (id, row) in rows.iter().filter(|(_, row)| row.changed) {
            let Some(state) = row.state else { continue };
            changed.ids.push(*id);
            changed.states.push(state.name());
            changed.dues.push(row.due);
            changed.sinces.push(row.since);
            changed.fences.push(row.fence);
            changed.attempts.push(row.attempts);
            changed.maybes.push(row.maybe_applied);
            changed.unknowns.push(row.was_unknown);
            changed.tickets.push(row.ticket.as_deref().map(kept));
            changed.keeps.push(row.failure.is_none());
            let failure = row.failure.as_ref().and_then(Option::as_ref);
            changed.codes.push(failure.map(|failure| failure.0));
            changed.stages.push(failure.map(|failure| failure.1));
            changed.details.push(failure.map(|failure| kept(&failure.2)));
            changed.owners.push(row.owner);
        }
        changed
    }

    fn params(&self) -> [&(dyn tokio_postgres::types::ToSql + Sync); 14] {
        [
            &self.ids,
            &self.states,
            &self.dues,
            &self.sinces,
            &self.fences,
            &self.attempts,
            &self.maybes,
            &self.unknowns,
            &self.tickets,
            &self.keeps,
            &self.codes,
            &self.stages,
            &self.details,
            &self.owners,
        ]
    }
}

/// One exchange of a lane that was not held has ended, outside of `Rows`: the next of its lane
/// becomes due. Tells whether one woke.
pub(super) async fn leave_lane(
    tx: &Tx<'_>,
    counterpart: &str,
    lane: i64,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let sql = "UPDATE exchanges SET due = $3, since = $3,
            state = CASE WHEN maybe_applied THEN 'unknown' ELSE 'received' END,
            was_unknown = was_unknown OR maybe_applied
        WHERE id = (SELECT id FROM exchanges
            WHERE counterpart = $1 AND lane = $2 AND state = 'held' ORDER BY id LIMIT 1)
        AND NOT EXISTS (SELECT 1 FROM exchanges a WHERE a.counterpart = $1 AND a.lane = $2
            AND a.state NOT IN ('delivered', 'dead', 'duplicate', 'discarded', 'held',
                'waiting-approval'))";
    Ok(tx.execute(sql, &[&counterpart, &lane, &at.as_millisecond()]).await? > 0)
}

/// Whether some exchange of a lane has not ended.
pub(super) async fn lane_is_open(
    tx: &Tx<'_>,
    counterpart: &str,
    lane: i64,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM exchanges a WHERE a.counterpart = $1 AND a.lane = $2
            AND a.state NOT IN ('delivered', 'dead', 'duplicate', 'discarded', 'held',
                'waiting-approval'))
        OR EXISTS (SELECT 1 FROM exchanges h WHERE h.counterpart = $1 AND h.lane = $2
            AND h.state = 'held')";
    column(&tx.one(sql, &[&counterpart, &lane]).await?, 0)
}

/// Intents that were committed although their callers were told that they were not: nothing was
/// sent, so each is due again as it was. `(exchange, fence it was claimed with)`.
pub(super) async fn take_back(
    tx: &mut Tx<'_>,
    instance: i64,
    intents: &[(i64, i64)],
    at: Timestamp,
) -> Result<(), StoreError> {
    let ids: Vec<i64> = intents.iter().map(|one| one.0).collect();
    let fences: Vec<i64> = intents.iter().map(|one| one.1 + 1).collect();
    let now = at.as_millisecond();
    let code = codes::OUTCOME_NOT_KNOWN.code;
    let sql = "WITH back AS (
            UPDATE exchanges e SET due = $4, since = $4, fence = e.fence + 1, owner = NULL,
                state = CASE WHEN maybe_applied THEN 'unknown' ELSE 'waiting-retry' END,
                code = $5, stage = $6, detail = ''
            FROM unnest($1::bigint[], $2::bigint[]) AS n (id, fence)
            WHERE e.id = n.id AND e.fence = n.fence AND e.state = 'sending' AND e.owner = $3
            RETURNING e.id, e.attempts)
        UPDATE attempts a SET outcome = 'not-applied', finished_at = $4
        FROM back WHERE a.exchange = back.id AND a.number = back.attempts";
    let stage = Stage::Deliver.name();
    let count = tx.execute(sql, &[&ids, &fences, &instance, &now, &code, &stage]).await?;
    if count > 0 {
        tx.append(&Entry::new(&Draft {
            outcome: Some("not-sent".to_owned()),
            code: Some(code.to_owned()),
            reason: Some(format!("exchanges: {count}")),
            ..Draft::new(Kind::System, Phase::Noted, at)
        }));
    }
    Ok(())
}
