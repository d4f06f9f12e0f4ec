//! Results that come in files: each settles the exchange whose record it speaks of.

use super::Failed;
use super::parse::Record;
use super::read::{Candidate, Clerk, document};
use super::write::{chunks, failure, ticket};
use crate::adapter::file::Settles;
use crate::adapter::{Operation, Route, Then};
use crate::model::State;
use crate::model::codes::message as codes;
use crate::pipeline::call::judge_item;
use crate::pipeline::reply;
use crate::pipeline::resolve;
use crate::pipeline::settle::{self, Decided};
use crate::store::{Claim, Claimed, Next};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Exchanges read at once; more wait for the next file.
const MOST: usize = 1_000_000;

/// Settles what a file of results speaks of. Said again, a result finds nobody waiting.
pub(super) async fn settle(
    clerk: &Clerk,
    settles: &Settles,
    candidate: &Candidate,
    records: &[Record],
) -> Result<(), Failed> {
    let mut waiting: HashMap<String, Claimed> = waiting(clerk, settles)
        .await?
        .into_iter()
        .filter_map(|claimed| Some((claimed.ticket.clone()?, claimed)))
        .collect();
    let mut decided: Vec<(Claimed, Arc<Route>, Decided)> = Vec::new();
    let mut unmatched = 0_usize;
    for result in records.iter().filter_map(document) {
        let known = named(settles, candidate, result).and_then(|ticket| waiting.remove(&ticket));
        let judged = known.and_then(|claimed| {
            let route = clerk.cx.route_of(&claimed)?;
            let operation = Arc::clone(resolve::operation_of(&route)?);
            let next = judge(clerk, settles, &claimed, &route, &operation, result)?;
            Some((claimed, route, next))
        });
        match judged {
            Some(judged) => {
                clerk.count("settled");
                decided.push(judged);
            }
            None => {
                clerk.count("unmatched");
                unmatched += 1;
            }
        }
    }
    for chunk in chunks(decided) {
        let all = chunk.iter().map(|(claimed, route, next)| {
            let next = Decided {
                next: next.next.clone(),
                attempt: None,
                clear: next.clear,
                reference: next.reference.clone(),
                outbox: next.outbox.clone(),
                kind: next.kind,
            };
            (claimed.clone(), route.as_ref(), 0, next)
        });
        settle::write(all.collect(), &clerk.cx).await;
    }
    if unmatched > 0 {
        let (operation, code) = (clerk.title(), &codes::RESULT_UNMATCHED);
        let detail = candidate.name.as_str();
        tracing::warn!(
            operation,
            code = code.code,
            detail,
            count = unmatched,
            action = code.remedy,
            "results of records that wait for none"
        );
    }
    Ok(())
}

/// What waited for its result longer than its age allows goes to a person.
pub(super) async fn overdue(clerk: &Clerk, settles: &Settles) -> Result<(), Failed> {
    let now = clerk.cx.clock.now();
    let mut late = Vec::new();
    for claimed in waiting(clerk, settles).await? {
        let Some(route) = clerk.cx.route_of(&claimed) else { continue };
        if settle::age(&claimed, &route, now).open >= route.max_age() {
            late.push((claimed, route));
        }
    }
    let decide = |(claimed, route): &(Claimed, Arc<Route>)| {
        let next = Next::Unknown { due: None, failure: failure(&codes::RESULT_LATE, "") };
        (claimed.clone(), Arc::clone(route), Decided::of(next))
    };
    for one in late.iter().map(decide) {
        let (claimed, route, next) = one;
        settle::write(vec![(claimed, route.as_ref(), 0, next)], &clerk.cx).await;
    }
    Ok(())
}

async fn waiting(clerk: &Clerk, settles: &Settles) -> Result<Vec<Claimed>, Failed> {
    let claim = Claim {
        counterpart: clerk.adapter.clone(),
        operation: settles.operation.clone(),
        states: vec![State::WaitingResult],
        now: Timestamp::MAX,
        limit: MOST,
        exclude: HashSet::new(),
    };
    Ok(clerk.cx.store.claim(claim).await?)
}

/// The ticket that a result names.
fn named(settles: &Settles, candidate: &Candidate, result: &Value) -> Option<String> {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    let set = match &settles.set {
        Some(path) => number(path.find(result)?)?,
        None => candidate.found.set?,
    };
    let item = usize::try_from(number(settles.item.find(result)?)?).ok()?;
    Some(ticket(set, item))
}

/// What follows from a result; `None` where it says nothing yet.
fn judge(
    clerk: &Clerk,
    settles: &Settles,
    claimed: &Claimed,
    route: &Route,
    operation: &Operation,
    result: &Value,
) -> Option<Decided> {
    let (verdict, problem) = judge_item(&settles.outcomes, result, None);
    let reference = verdict.reference.clone().unwrap_or_default();
    Some(match verdict.then {
        Then::Applied | Then::Accepted | Then::Ready => resolve::with_reference(
            reply::applied(claimed, route, Some(result), &clerk.cx),
            &reference,
        ),
        Then::Refused => resolve::refused(problem, &reference),
        Then::NotApplied | Then::Retry => {
            resolve::not_applied(claimed, route, operation, problem, &clerk.cx)
        }
        Then::Unknown => {
            let problem = problem.unwrap_or_else(|| failure(&codes::ITEM_MISSING, ""));
            resolve::person(problem)
        }
        Then::Pending | Then::Open | Then::Closed => return None,
    })
}
