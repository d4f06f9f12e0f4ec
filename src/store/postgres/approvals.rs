//! Approvals and demands: who prepared what, who agreed, and what a person must answer.

use super::act;
use super::connection::{Params, Session, column, kept, odd, plain};
use super::exchanges::lane_is_open;
use super::group::{Output, Work};
use super::prepared::{Entry, Outgoing};
use super::tx::Tx;
use super::views::{instant, text};
use super::{PostgresStore, other};
use crate::model::{Failure, State};
use crate::record::{Draft, Kind, Phase};
use crate::store::acts::{Ended, Seen, born_final};
use crate::store::approvals::{
    Again, Answers, ApprovalFilter, ApprovalState, ApprovalView, Approvals, Asked, Decided,
    Decision, DemandFilter, DemandState, DemandView, NewApproval, Refusal, Verdict, Waiting,
    after_approval, is_same_ground, judge,
};
use crate::store::{Act, ActVerb, Keys, Later, NewExchange, StoreError};
use jiff::Timestamp;
use std::sync::Arc;

/// Rows a list gives at most.
const LIST_CAP: usize = 1_000;

/// Why a new exchange may not even be asked about: its demand is missing, or has an answer.
pub(super) async fn refusal<'e>(
    tx: &Tx<'_>,
    exchange: &'e NewExchange,
) -> Result<Option<&'e Refusal>, StoreError> {
    let answers = exchange.approval.as_ref().and_then(|approval| approval.answers.as_ref());
    let Some(answers) = answers else { return Ok(None) };
    let Some(demand) = demand_of(tx, &exchange.counterpart, answers).await? else {
        return Ok(Some(&answers.missing));
    };
    let is_open = is_open(tx, demand, None).await?;
    Ok((!is_open).then_some(&answers.answered))
}

/// The demand that an answer names, where it is answered on the ground on which it was asked.
async fn demand_of(
    tx: &Tx<'_>,
    counterpart: &str,
    answers: &Answers,
) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT id, item FROM demands WHERE counterpart = $1 AND kind = $2 AND number = $3";
    let key: Params<'_> = &[&counterpart, &answers.kind, &answers.number];
    let Some(row) = tx.row(sql, key).await? else { return Ok(None) };
    let item: &str = column(&row, 1)?;
    if !is_same_ground(item, &answers.item) {
        return Ok(None);
    }
    column(&row, 0).map(Some)
}

/// Whether a demand may get an answer; `but` is left out of account as one.
async fn is_open(tx: &Tx<'_>, demand: i64, but: Option<i64>) -> Result<bool, StoreError> {
    let sql = "SELECT d.closed_at IS NOT NULL, d.answer, a.state
        FROM demands d LEFT JOIN exchanges a ON a.id = d.answer WHERE d.id = $1";
    let Some(row) = tx.row(sql, &[&demand]).await? else { return Ok(false) };
    let (answer, state): (Option<i64>, Option<&str>) = (column(&row, 1)?, column(&row, 2)?);
    let answer = answer.filter(|answer| Some(*answer) != but);
    let state = DemandState::of(column(&row, 0)?, answer, state.and_then(State::from_name));
    Ok(state == DemandState::Open)
}

/// What a new exchange brings beside its own row: an approval that is asked for, a demand that
/// opens.
pub(super) async fn enter(
    tx: &mut Tx<'_>,
    id: i64,
    state: State,
    exchange: &NewExchange,
    at: Timestamp,
) -> Result<(), StoreError> {
    if let (Some(approval), State::WaitingApproval) = (&exchange.approval, state) {
        ask(tx, id, &exchange.counterpart, approval, at).await?;
    } else if let (Some(approval), Some(_)) = (&exchange.approval, &exchange.failure) {
        remember(tx, id, &exchange.counterpart, approval, at).await?;
    }
    let Some(demand) = &exchange.opens else { return Ok(()) };
    // Told once more under another id, it is the same one still.
    let sql = "INSERT INTO demands (kind, counterpart, number, item, exchange, opened_at, due)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (counterpart, kind, number) DO NOTHING";
    let (opened, due) = (at.as_millisecond(), demand.due.map(Timestamp::as_millisecond));
    let item = kept(&demand.item);
    let params: Params<'_> =
        &[&demand.kind, &exchange.counterpart.as_ref(), &demand.number, &item, &id, &opened, &due];
    tx.execute(sql, params).await.map(drop)
}

async fn ask(
    tx: &mut Tx<'_>,
    id: i64,
    counterpart: &str,
    approval: &NewApproval,
    at: Timestamp,
) -> Result<(), StoreError> {
    let demand: Option<i64> = match &approval.answers {
        Some(answers) => {
            let demand = demand_of(tx, counterpart, answers).await?;
            tx.execute("UPDATE demands SET answer = $2 WHERE id = $1", &[&demand, &id]).await?;
            demand
        }
        None => None,
    };
    let within = i64::try_from(approval.within.as_millis()).unwrap_or(i64::MAX / 4);
    let now = at.as_millisecond();
    let sql = "INSERT INTO approvals (exchange, state, preparer, within, asked_at, expires_at,
            demand)
        VALUES ($1, 'asked', $2, $3, $4, $5, $6)";
    let preparer = kept(&approval.preparer);
    let params: Params<'_> = &[&id, &preparer, &within, &now, &(now + within), &demand];
    tx.execute(sql, params).await?;
    note(tx, id, "approval-asked", &approval.preparer, None, at).await
}

/// It could not be sent as it came, so nobody was asked. A replay asks.
async fn remember(
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
            let Some(demand) = demand_of(tx, counterpart, answers).await? else { return Ok(()) };
            Some(demand)
        }
        None => None,
    };
    let sql = "INSERT INTO approvals (exchange, state, preparer, within, asked_at, expires_at,
            demand)
        VALUES ($1, 'rejected', $2, $3, $4, $4, $5)";
    let (preparer, at) = (kept(&approval.preparer), at.as_millisecond());
    tx.execute(sql, &[&id, &preparer, &within, &at, &demand]).await.map(drop)
}

/// Whether an exchange that goes again needs a second person.
pub(super) async fn again(tx: &Tx<'_>, id: i64) -> Result<Again, StoreError> {
    let sql = "SELECT demand FROM approvals WHERE exchange = $1";
    let Some(row) = tx.row(sql, &[&id]).await? else { return Ok(Again::Free) };
    Ok(match column(&row, 0)? {
        Some(demand) if !is_open(tx, demand, Some(id)).await? => Again::Taken,
        Some(_) | None => Again::Asks,
    })
}

/// Asks anew for an exchange that goes again.
pub(super) async fn ask_again(tx: &Tx<'_>, id: i64, at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE approvals SET state = 'asked', asked_at = $2, expires_at = $2 + within,
            decided_by = NULL, reason = NULL, decided_at = NULL, digest = NULL
        WHERE exchange = $1";
    tx.execute(sql, &[&id, &at.as_millisecond()]).await?;
    let sql = "UPDATE demands SET answer = $1
        WHERE id = (SELECT demand FROM approvals WHERE exchange = $1)";
    tx.execute(sql, &[&id]).await.map(drop)
}

/// Asks for an exchange that sends a delivered one once more.
pub(super) async fn ask_anew(
    tx: &Tx<'_>,
    id: i64,
    of: i64,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO approvals (exchange, state, preparer, within, asked_at, expires_at)
        SELECT $1, 'asked', preparer, within, $3::bigint, $3::bigint + within
        FROM approvals WHERE exchange = $2";
    tx.execute(sql, &[&id, &of, &at.as_millisecond()]).await.map(drop)
}

/// A decision made ready by its caller.
pub(super) struct Deciding {
    decision: Decision,
    announce: Option<Arc<Outgoing>>,
    entries: Vec<Entry>,
}

impl Deciding {
    pub fn new(keys: &Keys, decision: Decision) -> Result<Deciding, StoreError> {
        let end = decision.verdict.end();
        let announce = end.map(|end| Outgoing::new(keys, &end.announce).map(Arc::new));
        let announce = announce.transpose()?;
        let entries = end.map(|end| Entry::all(&end.record)).unwrap_or_default();
        Ok(Deciding { decision, announce, entries })
    }
}

/// Decides, if nobody did before.
pub(super) async fn decide(tx: &mut Tx<'_>, deciding: &Deciding) -> Result<Decided, StoreError> {
    let decision = &deciding.decision;
    let id = decision.exchange;
    if let Err(refused) = judge(asked(tx, id).await?.as_ref(), decision) {
        return Ok(refused);
    }
    let Some(seen) = find(tx, id, decision.at).await? else { return Ok(Decided::Missing) };
    let digest = match &decision.verdict {
        Verdict::Approve(digest) => Some(digest),
        Verdict::Reject(_) | Verdict::Expire(_) => None,
    };
    let sql = "UPDATE approvals SET state = $2, decided_by = $3, reason = $4, decided_at = $5,
            digest = $6
        WHERE exchange = $1";
    let (state, at) = (decision.verdict.state().name(), decision.at.as_millisecond());
    let (operator, reason) = (kept(&decision.operator), kept(&decision.reason));
    tx.execute(sql, &[&id, &state, &operator, &reason, &at, &digest]).await?;
    let to = match decision.verdict.end() {
        None => approve(tx, id, &seen, decision.at).await?,
        Some(end) => {
            if let Some(announce) = &deciding.announce {
                tx.post(id, seen.message, Arc::clone(announce));
            }
            tx.append_all(&deciding.entries);
            finish(tx, id, &seen, &end.failure, decision.at).await?
        }
    };
    let (word, reason) = (decision.verdict.word(), Some(decision.reason.as_str()));
    note(tx, id, word, &decision.operator, reason, decision.at).await?;
    Ok(Decided::Done(to))
}

/// It takes its place in its lane.
async fn approve(tx: &Tx<'_>, id: i64, seen: &Seen, at: Timestamp) -> Result<State, StoreError> {
    let open = lane_is_open(tx, &seen.draft.counterpart, seen.lane).await?;
    let to = after_approval(open, maybe_applied(tx, id).await?);
    let now = at.as_millisecond();
    let due = matches!(to, State::Received | State::Unknown).then_some(now);
    let sql = "UPDATE exchanges SET state = $2, due = $3, since = $4, fence = fence + 1,
            was_unknown = was_unknown OR $5, code = NULL, stage = NULL, detail = NULL,
            owner = NULL, reserved_until = 0
        WHERE id = $1";
    tx.execute(sql, &[&id, &to.name(), &due, &now, &(to == State::Unknown)]).await?;
    Ok(to)
}

/// It ends; where it may have been sent before a restore, a person must look at it.
async fn finish(
    tx: &mut Tx<'_>,
    id: i64,
    seen: &Seen,
    failure: &Failure,
    at: Timestamp,
) -> Result<State, StoreError> {
    let maybe = maybe_applied(tx, id).await?;
    let to = if maybe { State::Unknown } else { State::Dead };
    let sql = "UPDATE exchanges SET state = $2, due = NULL, since = $3, fence = fence + 1,
            was_unknown = was_unknown OR $4, code = $5, stage = $6, detail = $7,
            owner = NULL, reserved_until = 0
        WHERE id = $1";
    let (code, stage) = (failure.code.code, failure.stage.name());
    let detail = kept(&failure.detail);
    let params: Params<'_> =
        &[&id, &to.name(), &at.as_millisecond(), &maybe, &code, &stage, &detail];
    tx.execute(sql, params).await?;
    if !maybe {
        tx.ended(&Ended { code, ..seen.ended(State::Dead) });
    }
    Ok(to)
}

async fn maybe_applied(tx: &Tx<'_>, id: i64) -> Result<bool, StoreError> {
    column(&tx.one("SELECT maybe_applied FROM exchanges WHERE id = $1", &[&id]).await?, 0)
}

async fn asked(tx: &Tx<'_>, id: i64) -> Result<Option<Asked>, StoreError> {
    let sql = "SELECT a.state, a.preparer, a.expires_at, a.decided_by, e.state
        FROM approvals a JOIN exchanges e ON e.id = a.exchange WHERE a.exchange = $1";
    let Some(row) = tx.row(sql, &[&id]).await? else { return Ok(None) };
    Ok(Some(Asked {
        state: ApprovalState::from_name(column(&row, 0)?).ok_or_else(odd)?,
        preparer: plain(column(&row, 1)?),
        expires_at: column(&row, 2)?,
        decided_by: column::<Option<String>>(&row, 3)?.map(plain),
        exchange: State::from_name(column(&row, 4)?),
    }))
}

/// The exchange as an act finds it; the words of the entry come later.
async fn find(tx: &Tx<'_>, id: i64, at: Timestamp) -> Result<Option<Seen>, StoreError> {
    let (operator, reason) = (String::new(), String::new());
    let act = Act {
        exchange: id,
        verb: ActVerb::Replay,
        operator,
        reason,
        at,
        bundle: None,
        brings: Default::default(),
    };
    act::find(tx, &act).await
}

/// An entry about an exchange.
async fn note(
    tx: &mut Tx<'_>,
    id: i64,
    word: &str,
    operator: &str,
    reason: Option<&str>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let Some(seen) = find(tx, id, at).await? else { return Ok(()) };
    tx.append(&Entry::new(&Draft {
        outcome: Some(word.to_owned()),
        operator: Some(operator.to_owned()).filter(|name| !name.is_empty()).map(Into::into),
        reason: reason.map(str::to_owned),
        ..seen.draft
    }));
    Ok(())
}

/// A demand that is closed without an answer: its row, who, why, when.
pub(super) type Closing = (i64, String, String, Timestamp);

pub(super) async fn close(tx: &mut Tx<'_>, closing: &Closing) -> Result<bool, StoreError> {
    let (demand, operator, reason, at) = closing;
    if !is_open(tx, *demand, None).await? {
        return Ok(false);
    }
    let sql = "UPDATE demands SET closed_at = $2 WHERE id = $1 RETURNING number, counterpart";
    let row = tx.one(sql, &[demand, &at.as_millisecond()]).await?;
    tx.append(&Entry::new(&Draft {
        outcome: Some("demand-closed".to_owned()),
        counterpart: column::<&str>(&row, 1)?.into(),
        reference: Some(column(&row, 0)?),
        operator: Some(operator.as_str().into()),
        reason: Some(reason.clone()),
        ..Draft::new(Kind::Operate, Phase::Noted, *at)
    }));
    Ok(true)
}

/// An exchange that may not be asked about begins dead, and upstream is told.
pub(super) fn refused(
    tx: &mut Tx<'_>,
    keys: &Keys,
    id: i64,
    message: i64,
    exchange: &NewExchange,
    refusal: &Refusal,
) -> Result<(), StoreError> {
    tx.ended(&born_final(&exchange.route, State::Dead, refusal.failure.code.code));
    tx.post(id, message, Arc::new(Outgoing::new(keys, &refusal.announce)?));
    Ok(())
}

fn capped(limit: usize) -> i64 {
    let limit = if limit == 0 { LIST_CAP } else { limit.min(LIST_CAP) };
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn maybe_text(milliseconds: Option<i64>) -> Result<Option<String>, StoreError> {
    milliseconds.map(text).transpose()
}

async fn list(session: &Session, filter: &ApprovalFilter) -> Result<Vec<ApprovalView>, StoreError> {
    let sql = "SELECT a.exchange, a.state, e.state, e.route, e.counterpart, m.source, m.message_id,
            m.message_type, a.preparer, a.asked_at, a.expires_at, a.demand, d.number,
            a.decided_by, a.reason, a.decided_at, a.digest
        FROM approvals a JOIN exchanges e ON e.id = a.exchange
        JOIN messages m ON m.id = e.message LEFT JOIN demands d ON d.id = a.demand
        WHERE a.exchange > $1 AND ($2::bigint IS NULL OR a.exchange = $2)
            AND ($3::bigint IS NULL OR a.expires_at <= $3)
            AND (NOT $4 OR (a.state = 'asked' AND e.state = 'waiting-approval'))
        ORDER BY a.exchange LIMIT $5";
    let over = filter.over.map(Timestamp::as_millisecond);
    let waiting = filter.waiting || over.is_some();
    let limit = capped(filter.limit);
    let params: Params<'_> = &[&filter.after, &filter.exchange, &over, &waiting, &limit];
    let mut views = Vec::new();
    for row in &session.query_once(sql, params).await? {
        let maybe = |index| Ok::<_, StoreError>(column::<Option<String>>(row, index)?.map(plain));
        views.push(ApprovalView {
            exchange: column(row, 0)?,
            state: column(row, 1)?,
            exchange_state: column(row, 2)?,
            route: column(row, 3)?,
            counterpart: column(row, 4)?,
            source: plain(column(row, 5)?),
            message_id: column(row, 6)?,
            message_type: plain(column(row, 7)?),
            preparer: plain(column(row, 8)?),
            asked_at: text(column(row, 9)?)?,
            expires_at: text(column(row, 10)?)?,
            demand: column(row, 11)?,
            number: column(row, 12)?,
            decided_by: maybe(13)?.filter(|name| !name.is_empty()),
            reason: maybe(14)?,
            decided_at: maybe_text(column(row, 15)?)?,
            digest: column(row, 16)?,
        });
    }
    Ok(views)
}

async fn demands(session: &Session, filter: &DemandFilter) -> Result<Vec<DemandView>, StoreError> {
    let sql =
        "SELECT d.id, d.kind, d.counterpart, d.number, d.item, d.exchange, d.opened_at, d.due,
            d.answer, d.closed_at IS NOT NULL, a.state
        FROM demands d LEFT JOIN exchanges a ON a.id = d.answer
        WHERE d.id > $1 AND ($2::bigint IS NULL OR d.id = $2) AND (NOT $3 OR (d.closed_at IS NULL
            AND (d.answer IS NULL OR a.state IN ('dead', 'discarded'))))
        ORDER BY d.id LIMIT $4";
    let limit = capped(filter.limit);
    let params: Params<'_> = &[&filter.after, &filter.id, &filter.open, &limit];
    let mut views = Vec::new();
    for row in &session.query_once(sql, params).await? {
        let answer = column(row, 8)?;
        let state = column::<Option<&str>>(row, 10)?.and_then(State::from_name);
        views.push(DemandView {
            id: column(row, 0)?,
            kind: column(row, 1)?,
            counterpart: column(row, 2)?,
            number: column(row, 3)?,
            item: plain(column(row, 4)?),
            state: DemandState::of(column(row, 9)?, answer, state).name().to_owned(),
            exchange: column(row, 5)?,
            opened_at: text(column(row, 6)?)?,
            due: maybe_text(column(row, 7)?)?,
            answer,
        });
    }
    Ok(views)
}

async fn waiting(session: &Session) -> Result<Waiting, StoreError> {
    let sql = "SELECT count(*), min(a.asked_at), min(a.expires_at)
        FROM approvals a JOIN exchanges e ON e.id = a.exchange
        WHERE a.state = 'asked' AND e.state = 'waiting-approval'";
    let asked = session.row(sql, &[]).await?.ok_or_else(odd)?;
    let sql = "SELECT count(*), min(d.due)
        FROM demands d LEFT JOIN exchanges a ON a.id = d.answer
        WHERE d.closed_at IS NULL AND (d.answer IS NULL OR a.state IN ('dead', 'discarded'))";
    let open = session.row(sql, &[]).await?.ok_or_else(odd)?;
    let time = |milliseconds: Option<i64>| milliseconds.map(instant).transpose();
    Ok(Waiting {
        approvals: column::<i64>(&asked, 0)?.unsigned_abs(),
        oldest: time(column(&asked, 1)?)?,
        expires: time(column(&asked, 2)?)?,
        demands: column::<i64>(&open, 0)?.unsigned_abs(),
        due: time(column(&open, 1)?)?,
    })
}

impl Approvals for PostgresStore {
    fn approvals(&self, filter: ApprovalFilter) -> Later<'_, Vec<ApprovalView>> {
        Box::pin(self.looks.with(async move |session| list(session, &filter).await))
    }

    fn decide(&self, decision: Decision) -> Later<'_, Decided> {
        Box::pin(async move {
            let deciding = Arc::new(Deciding::new(&self.keys, decision)?);
            match self.write(Work::Decide(deciding)).await? {
                Output::Decided(decided) => Ok(decided),
                output => other(output),
            }
        })
    }

    fn demands(&self, filter: DemandFilter) -> Later<'_, Vec<DemandView>> {
        Box::pin(self.looks.with(async move |session| demands(session, &filter).await))
    }

    fn close_demand(
        &self,
        demand: i64,
        operator: String,
        reason: String,
        at: Timestamp,
    ) -> Later<'_, bool> {
        Box::pin(self.word(Work::CloseDemand((demand, operator, reason, at))))
    }

    fn waiting(&self) -> Later<'_, Waiting> {
        Box::pin(self.looks.with(async |session| waiting(session).await))
    }
}
