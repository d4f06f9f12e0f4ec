//! Approve: prepared by one person, agreed to by another. `docs/drivers/approve.md` has the picture.
//!
//! A message of a route with `approval:` is accepted, checked and mapped as any other; then it rests in
//! `waiting-approval`, in no lane and claimed by nobody. What the second person agrees to is the very
//! document that leaves: its digest is kept with the decision and compared before it is sent.

use super::accept::refuse;
use super::context::Context;
use super::map::{self, Mapped};
use super::{hex_digest, settle, validate};
use crate::adapter::Route;
use crate::adapter::outcome::is_number;
use crate::model::codes::message as codes;
use crate::model::json::{Node, Tree};
use crate::model::{Class, Code, Envelope, Failure, Stage, State};
use crate::record::{Draft, Kind, Phase};
use crate::store::approvals::{
    Answers, ApprovalFilter, ApprovalState, ApprovalView, Decided, Decision, End, NewApproval,
    NewDemand, Refusal, Verdict,
};
use crate::store::{Claimed, NewExchange, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it is looked for what nobody decided in time.
const EVERY: Duration = Duration::from_secs(1);
/// Approvals that are ended in one look.
const STEP: usize = 100;
/// Who decides or answers, and why.
#[derive(Clone, Debug)]
pub struct By {
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// What a new exchange of a route needs of persons; the failure it is dead by on arrival.
pub(super) fn needs(
    route: &Route,
    envelope: &Arc<Envelope>,
    document: &Tree<'_>,
    exchange: &mut NewExchange,
    cx: &Context,
) -> Result<(), Failure> {
    let number = |path: &crate::mapping::path::Path| {
        path.node(document).and_then(Node::as_str).filter(|text| is_number(text)).map(str::to_owned)
    };
    if let Some(rule) = &route.demand {
        let Some(number) = number(&rule.number) else {
            return Err(refuse(&codes::DEMAND_NUMBER, ""));
        };
        let item = route.basis.as_ref().map(|basis| basis.table_item.clone());
        exchange.opens = Some(Box::new(NewDemand {
            kind: rule.kind.clone(),
            number,
            item: item.unwrap_or_default(),
            due: rule.within.map(|within| settle::later(envelope.accepted_at, within)),
        }));
    }
    let Some(rule) = &route.approval else { return Ok(()) };
    let refusal = |code: &'static Code| {
        let failure = refuse(code, "");
        let key = &exchange.idempotency_key;
        let announce = settle::announce_dead(envelope, &route.name, key, &failure);
        Refusal { failure, announce }
    };
    let answers = rule.answers.as_ref().map(|answers| Answers {
        kind: answers.kind.clone(),
        // A number that cannot be one belongs to no demand.
        number: number(&answers.number).unwrap_or_default(),
        item: route.basis.as_ref().map(|basis| basis.table_item.clone()).unwrap_or_default(),
        missing: refusal(&codes::DEMAND_MISSING),
        answered: refusal(&codes::DEMAND_ANSWERED),
    });
    let preparer = envelope.operator.clone().unwrap_or_default();
    // After the deadline it would not be sent any more.
    let within = route.deadline.map_or(rule.expires, |deadline| deadline.min(rule.expires));
    exchange.approval =
        Some(Box::new(NewApproval { preparer: preparer.to_string(), within, answers }));
    // Nobody is asked about what could not be sent.
    let claimed = super::direct::claimed(envelope, exchange);
    validate::check(document, route, cx)?;
    map::map(&claimed, route, document, cx).map(drop)
}

/// Whether a message names who prepared it, where one of its routes asks for that.
pub(super) fn names_preparer(envelope: &Envelope, routes: &[Arc<Route>]) -> Result<(), Failure> {
    let named = envelope.operator.as_ref().is_some_and(|name| !name.trim().is_empty());
    match routes.iter().find(|route| route.approval.is_some()) {
        Some(route) if !named => {
            Err(refuse(&codes::APPROVAL_NO_PREPARER, format!("route `{}`", route.name)))
        }
        _ => Ok(()),
    }
}

/// Whether this very document was agreed to. Without an answer of the store nothing is sent, and
/// nothing decided.
pub(super) async fn is_agreed(
    claimed: &Claimed,
    route: &Route,
    mapped: &Mapped,
    cx: &Context,
) -> Result<Result<(), Failure>, StoreError> {
    if route.approval.is_none() {
        return Ok(Ok(()));
    }
    let found = find(claimed.id, cx).await?;
    let agreed = found.is_some_and(|view| {
        view.state == ApprovalState::Approved.name()
            && view.digest == Some(hex_digest(&mapped.body))
    });
    let failure = || Failure {
        code: &codes::NOT_AS_APPROVED,
        stage: Stage::Deliver,
        class: Class::Never,
        detail: String::new(),
    };
    Ok(if agreed { Ok(()) } else { Err(failure()) })
}

/// The approval of an exchange.
///
/// # Errors
/// When the store cannot be read.
pub async fn find(exchange: i64, cx: &Context) -> Result<Option<ApprovalView>, StoreError> {
    let filter = ApprovalFilter { exchange: Some(exchange), limit: 1, ..ApprovalFilter::default() };
    Ok(cx.store.approvals(filter).await?.pop())
}

/// The second person agrees.
///
/// # Errors
/// The outer one when the store cannot read or write, the inner one where it may not be.
pub async fn approve(
    exchange: i64,
    by: By,
    cx: &Context,
) -> Result<Result<State, Failure>, StoreError> {
    let Some((claimed, route)) = examined(exchange, cx).await? else {
        return Ok(Err(refuse(&codes::APPROVAL_CLOSED, "")));
    };
    let Some(route) = route else {
        return Ok(Err(refuse(&codes::ROUTE_GONE, &*claimed.route)));
    };
    let digest = match ready(&claimed, &route, cx) {
        Ok(mapped) => hex_digest(&mapped.body),
        Err(failure) => return Ok(Err(failure)),
    };
    decide(&claimed, Verdict::Approve(digest), by, cx).await
}

/// The second person refuses, or the first takes it back.
///
/// # Errors
/// The outer one when the store cannot read or write, the inner one where it may not be.
pub async fn reject(
    exchange: i64,
    by: By,
    cx: &Context,
) -> Result<Result<State, Failure>, StoreError> {
    let Some((claimed, route)) = examined(exchange, cx).await? else {
        return Ok(Err(refuse(&codes::APPROVAL_CLOSED, "")));
    };
    let failure = refuse(&codes::APPROVAL_REJECTED, by.reason.clone());
    let end = end(&claimed, route.as_deref(), failure, cx);
    decide(&claimed, Verdict::Reject(Box::new(end)), by, cx).await
}

/// What would leave, as bytes; that it was looked at is recorded first.
///
/// # Errors
/// The outer one when the store cannot read or write, the inner one where there is nothing to show.
pub async fn document(
    exchange: i64,
    by: By,
    cx: &Context,
) -> Result<Result<Vec<u8>, Failure>, StoreError> {
    let (Some(_), Some((claimed, Some(route)))) =
        (find(exchange, cx).await?, examined(exchange, cx).await?)
    else {
        return Ok(Err(refuse(&codes::APPROVAL_CLOSED, "")));
    };
    let draft = Draft {
        outcome: Some("approval-viewed".to_owned()),
        operator: Some(by.operator.into()),
        reason: Some(by.reason),
        ..settle::draft(&claimed, &route, Kind::Operate, Phase::Noted, cx.clock.now())
    };
    cx.store.note(vec![draft]).await?;
    Ok(ready(&claimed, &route, cx).map(|mapped| mapped.body))
}

async fn examined(
    exchange: i64,
    cx: &Context,
) -> Result<Option<(Claimed, Option<Arc<Route>>)>, StoreError> {
    let Some(mut claimed) = cx.store.examine(exchange).await? else { return Ok(None) };
    cx.definitions.choose(&mut claimed);
    let route = cx.route_of(&claimed);
    Ok(Some((claimed, route)))
}

/// The document as it would leave.
fn ready(claimed: &Claimed, route: &Route, cx: &Context) -> Result<Mapped, Failure> {
    let bundle = cx.bundle_of(claimed);
    let document = validate::validate(claimed, route, &bundle, cx)?;
    map::map(claimed, route, &document, cx)
}

/// How an exchange ends that is not sent.
fn end(claimed: &Claimed, route: Option<&Route>, failure: Failure, cx: &Context) -> End {
    let envelope = &claimed.envelope;
    let announce =
        settle::announce_dead(envelope, &claimed.route, &claimed.idempotency_key, &failure);
    let entry = |route: &Route| {
        let kind = route.record.as_ref()?.kind;
        Some(draft_not_sent(claimed, route, kind, failure.code, cx.clock.now()))
    };
    let record = route.and_then(entry).into_iter().collect();
    End { failure, announce, record }
}

/// The entry of an exchange that ends before anything was sent.
pub(super) fn draft_not_sent(
    claimed: &Claimed,
    route: &Route,
    kind: Kind,
    code: &'static Code,
    at: jiff::Timestamp,
) -> Draft {
    Draft {
        outcome: Some("not-sent".to_owned()),
        code: Some(code.code.to_owned()),
        ..settle::draft(claimed, route, kind, Phase::Noted, at)
    }
}

async fn decide(
    claimed: &Claimed,
    verdict: Verdict,
    by: By,
    cx: &Context,
) -> Result<Result<State, Failure>, StoreError> {
    let (word, wanted) = (verdict.word(), verdict.state());
    let failure = verdict.end().map(|end| end.failure.clone());
    let By { operator, reason } = by;
    let decision = Decision { exchange: claimed.id, verdict, operator, reason, at: cx.clock.now() };
    let decided = cx.store.decide(decision).await?;
    let closed = |detail: &str| Ok(Err(refuse(&codes::APPROVAL_CLOSED, detail)));
    match decided {
        Decided::Done(state) => {
            tracing::info!(
                exchange = claimed.id,
                route = &*claimed.route,
                outcome = word,
                "approval"
            );
            if let Some(failure) = failure {
                settle::count_dead(&claimed.route, &failure);
            }
            cx.outbox.notify_one();
            cx.wake_all();
            Ok(Ok(state))
        }
        // Clicked twice: the first click counts.
        Decided::Repeated => {
            let filter =
                crate::store::Filter { after: claimed.id - 1, limit: 1, ..Default::default() };
            let found = cx.store.list(filter).await?.pop();
            let state = found.and_then(|view| State::from_name(&view.state));
            Ok(state.ok_or_else(|| refuse(&codes::APPROVAL_CLOSED, wanted.name())))
        }
        Decided::SamePerson => Ok(Err(refuse(&codes::APPROVAL_SAME_PERSON, ""))),
        Decided::NotInTime => closed("its time is over"),
        Decided::Closed(state) => closed(state.name()),
        Decided::Missing => closed(""),
    }
}

/// Ends until `stop` what nobody decided in time. Every instance does: who is second finds it ended.
pub async fn run(cx: Arc<Context>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = expire(&cx).await {
            tracing::error!(
                code = error.code.code,
                detail = error.detail,
                "approvals are not looked at until the store answers"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Ends what nobody decided in time; gives how many.
///
/// # Errors
/// When the store cannot read or write; every one before that has ended.
pub async fn expire(cx: &Context) -> Result<usize, StoreError> {
    let over = Some(cx.clock.now());
    let filter = ApprovalFilter { over, limit: STEP, ..ApprovalFilter::default() };
    let mut ended = 0;
    for view in cx.store.approvals(filter).await? {
        // One that cannot be opened harms only itself: the store tells of it.
        let Ok(Some((claimed, route))) = examined(view.exchange, cx).await else { continue };
        let end = end(&claimed, route.as_deref(), refuse(&codes::APPROVAL_EXPIRED, ""), cx);
        let by = By { operator: String::new(), reason: "nobody decided in time".to_owned() };
        let verdict = Verdict::Expire(Box::new(end));
        ended += usize::from(decide(&claimed, verdict, by, cx).await?.is_ok());
    }
    Ok(ended)
}
