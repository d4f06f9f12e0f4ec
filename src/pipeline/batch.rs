//! Batches: messages of many people in one request, each with an attempt, a record and an outcome
//! of its own. A batch that is refused as a whole is split in halves until the bad one is found.

use super::call::{Answer, judge_item};
use super::context::Context;
use super::deliver::deliver_batch;
use super::map::{self, Mapped};
use super::settle::{self, Decided, Outcome};
use super::{gate, resolve, validate};
use crate::adapter::{Items, Operation, Route, Then, UnknownRule};
use crate::mapping::Sent;
use crate::model::codes::message as codes;
use crate::model::{Class, Failure, Stage};
use crate::policy::verdict::{Follow, Resolution, follow};
use crate::store::{Claimed, Next};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Exchanges whose company is remembered; beyond it all is forgotten, which costs requests only.
const REMEMBERED: usize = 200_000;

/// Who travels with whom: the halves of a batch that was refused, and a batch that is sent again,
/// which keeps its company and so its key. In memory: after a restart the search begins anew.
#[derive(Debug, Default)]
pub struct Parties {
    by_exchange: HashMap<i64, u64>,
    last: u64,
}

impl Parties {
    /// These travel together, without others.
    fn join(&mut self, exchanges: &[i64]) {
        if self.by_exchange.len() + exchanges.len() > REMEMBERED {
            self.by_exchange.clear();
        }
        self.last += 1;
        self.by_exchange.extend(exchanges.iter().map(|exchange| (*exchange, self.last)));
    }

    /// Whether these are a party already.
    fn are_together(&self, exchanges: &[i64]) -> bool {
        let mut parties = exchanges.iter().map(|exchange| self.by_exchange.get(exchange));
        let first = parties.next().flatten();
        first.is_some() && parties.all(|party| party == first)
    }

    /// These travel with anybody.
    fn leave(&mut self, exchanges: &[i64]) {
        for exchange in exchanges {
            self.by_exchange.remove(exchange);
        }
    }

    /// Requests made of what was claimed: parties as they are, the others as they come, at most
    /// `most` in one, and only such that go by the same definitions. The last value tells whether
    /// the last request has room for more.
    pub fn requests(&self, claimed: Vec<Claimed>, most: usize) -> (Vec<Vec<Claimed>>, bool) {
        let mut parties: BTreeMap<u64, Vec<Claimed>> = BTreeMap::new();
        let mut free: Vec<Vec<Claimed>> = Vec::new();
        for claimed in claimed {
            if let Some(party) = self.by_exchange.get(&claimed.id) {
                parties.entry(*party).or_default().push(claimed);
                continue;
            }
            let fits = |request: &&mut Vec<Claimed>| {
                let same = request.first().is_some_and(|first| first.bundle == claimed.bundle);
                same && request.len() < most
            };
            match free.iter_mut().rev().find(fits) {
                Some(request) => request.push(claimed),
                None => free.push(vec![claimed]),
            }
        }
        let has_room = free.last().is_some_and(|last| last.len() < most);
        let mut requests: Vec<Vec<Claimed>> = parties.into_values().collect();
        requests.append(&mut free);
        // One order for the first time and for every later one: the key of a batch is that of its
        // items in their order, and what was retried is not due in the order of its ids.
        requests.iter_mut().for_each(|request| request.sort_by_key(|claimed| claimed.id));
        (requests, has_room)
    }
}

/// The parties of one operation, shared by the tasks that send for it.
pub type SharedParties = Arc<Mutex<Parties>>;

type Ready = (Claimed, Arc<Route>, Mapped);

/// Several exchanges in one request; what cannot be mapped settles alone.
pub async fn send(
    group: Vec<Claimed>,
    max_bytes: usize,
    parties: &SharedParties,
    cx: &Arc<Context>,
) {
    let ready = prepare(group, max_bytes, cx).await;
    let Some((_, first, _)) = ready.first() else { return };
    let first = Arc::clone(first);
    let Some(operation) = resolve::operation_of(&first) else { return };
    match deliver_batch(&ready, operation, cx).await {
        Ok((answer, taken)) => {
            let sent =
                ready.into_iter().zip(taken).filter_map(|(item, taken)| taken.then_some(item));
            settle_all(sent.collect(), answer, operation, parties, cx).await;
        }
        Err(Outcome::StoreDown(error)) => {
            tracing::error!(
                code = error.code.code,
                detail = error.detail,
                "the store cannot take the intent: nothing is sent"
            );
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Err(_) => {}
    }
}

/// Validates and maps, up to the size limit. What is beyond it stays as it is and travels later.
async fn prepare(group: Vec<Claimed>, max_bytes: usize, cx: &Arc<Context>) -> Vec<Ready> {
    let mut ready: Vec<Ready> = Vec::with_capacity(group.len());
    let mut size = 2;
    for claimed in group {
        let bundle = cx.bundle_of(&claimed);
        let Some(route) = bundle.route(&claimed.route) else {
            settle::route_gone(claimed, cx).await;
            continue;
        };
        let Some(claimed) = gate::pass(claimed, &route, cx).await else { continue };
        let mapped = validate::validate(&claimed, &route, &bundle, cx)
            .and_then(|document| map::map(&claimed, &route, &document, cx));
        match mapped {
            Ok(mapped) if !ready.is_empty() && size + mapped.body.len() > max_bytes => break,
            Ok(mapped) => {
                size += mapped.body.len() + 1;
                ready.push((claimed, route, mapped));
            }
            Err(failure) => {
                settle::settle(&claimed, &route, Outcome::NotSent(failure), cx).await;
            }
        }
    }
    ready
}

async fn settle_all(
    sent: Vec<Ready>,
    answer: Answer,
    operation: &Operation,
    parties: &SharedParties,
    cx: &Arc<Context>,
) {
    let now = cx.clock.now();
    let refused_whole = answer.verdict.then == Then::Refused && sent.len() > 1;
    let mut decided = Vec::with_capacity(sent.len());
    for ((claimed, route, _), number) in sent.iter().zip(1..) {
        let next = if refused_whole {
            split(claimed, operation, &answer, now)
        } else {
            let items = operation.items.as_ref();
            let sent = items.and_then(|one| map::sent_for(&one.outcomes, claimed, route, cx));
            let (answer, item) = of_item(&answer, operation, number, sent.as_ref());
            settle::after_attempt(claimed, route, operation, answer, item, cx)
        };
        decided.push((claimed, route.as_ref(), 1, next));
    }
    remember(&mut decided, refused_whole, parties);
    settle::write(decided, cx).await;
}

/// What the answer says of one item: a share of the whole, or the item's own result where the
/// answer has them. The second value is the number by which a later result names it.
fn of_item(
    answer: &Answer,
    operation: &Operation,
    number: u32,
    sent: Option<&Sent>,
) -> (Answer, Option<u32>) {
    match (answer.verdict.then, &operation.items) {
        (Then::Accepted, _) => (answer.share(), Some(number)),
        (Then::Ready, Some(items)) => (result_of(answer, items, number, sent), None),
        _ => (answer.share(), None),
    }
}

/// The result of one item out of the answer to its own batch. It speaks of this attempt alone, so
/// it settles no earlier one.
fn result_of(answer: &Answer, items: &Items, number: u32, sent: Option<&Sent>) -> Answer {
    let list = answer.document.as_ref().and_then(|document| items.path.find(document)?.as_array());
    let is_ours =
        |item: &&Value| items.key.find(item).and_then(Value::as_u64) == Some(u64::from(number));
    let Some(item) = list.and_then(|list| list.iter().find(is_ours)) else {
        let failure = Failure {
            code: &codes::ITEM_MISSING,
            stage: Stage::Deliver,
            class: Class::Unknown,
            detail: format!("item {number}"),
        };
        return Answer { failure: Some(failure), ..answer.share() };
    };
    let (verdict, failure) = judge_item(&items.outcomes, item, sent);
    Answer { verdict, failure, document: Some(item.clone()), ..answer.share() }
}

/// What follows for one of a batch that was refused as a whole: it goes again at once, in half the
/// company. That proves nothing against it, so it is not counted against its attempts: the halves
/// end by themselves. What may have been applied before goes the way its operation declares.
fn split(claimed: &Claimed, operation: &Operation, answer: &Answer, now: Timestamp) -> Decided {
    let detail = answer.failure.as_ref().map(|failure| failure.detail.clone()).unwrap_or_default();
    let failure = Failure {
        code: &codes::BATCH_REFUSED,
        stage: Stage::Deliver,
        class: Class::TryAgain,
        detail,
    };
    let resolution = match operation.unknown {
        UnknownRule::Resend => Resolution::Resend,
        UnknownRule::Ask => Resolution::Ask,
        UnknownRule::Person => Resolution::Person,
    };
    let next = match follow(Class::TryAgain, claimed.maybe_applied, false, resolution) {
        Follow::Retry => Next::Retry { due: now, failure },
        Follow::ResolveLater => {
            let settle = operation.ask.as_ref().map_or(Duration::ZERO, |ask| ask.settle_after);
            Next::Unknown { due: Some(settle::later(now, settle)), failure }
        }
        Follow::Person | Follow::Dead => Next::Unknown { due: None, failure },
    };
    Decided { attempt: settle::attempt("not-applied", answer), ..Decided::of(next) }
}

/// Keeps the company: halves of what was refused; all of a batch whose answer was lost, so that it
/// is sent again at one time and under the same key; and a half that was not taken.
fn remember(
    decided: &mut [(&Claimed, &Route, i64, Decided)],
    refused_whole: bool,
    parties: &SharedParties,
) {
    let mut parties = parties.lock().unwrap_or_else(PoisonError::into_inner);
    let all: Vec<i64> = decided.iter().map(|(claimed, ..)| claimed.id).collect();
    let were_together = parties.are_together(&all);
    parties.leave(&all);
    if refused_whole {
        let (first, second) = all.split_at(all.len() / 2);
        parties.join(first);
        parties.join(second);
        return;
    }
    let due = |next: &Next| match next {
        Next::Retry { due, .. } | Next::Unknown { due: Some(due), .. } => Some(*due),
        _ => None,
    };
    let dues: Vec<Option<Timestamp>> = decided.iter().map(|(.., one)| due(&one.next)).collect();
    let (Some(latest), true) =
        (dues.iter().flatten().max().copied(), dues.iter().all(Option::is_some))
    else {
        return;
    };
    let is_lost = decided.iter().any(|(.., one)| matches!(one.next, Next::Unknown { .. }));
    if !is_lost && !were_together {
        return;
    }
    for (.., one) in decided.iter_mut() {
        match &mut one.next {
            Next::Retry { due, .. } | Next::Unknown { due: Some(due), .. } => *due = latest,
            _ => {}
        }
    }
    parties.join(&all);
}
