//! The loop around the way of a message, one per operation: claims what is due, never more than
//! the counterpart allows, and stops by finishing what is under way.

use super::batch::{self, SharedParties};
use super::context::{Context, Counterpart};
use super::settle::{self, Decided};
use super::{gate, process, resolve};
use crate::adapter::{Batch, Operation, PUBLISH};
use crate::model::codes::message as codes;
use crate::model::{Class, Failure, Secret, Stage, State};
use crate::store::{Claim, Claimed, Next};
use futures_util::FutureExt;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Exchanges read ahead of free places, so that a place never waits for the store.
const READ_AHEAD: usize = 64;
/// Exchanges whose results are asked for in one go, at most.
const POLL_LIMIT: usize = 1_000;
/// Pause while the record is not sealed in time.
const SEAL_PAUSE: Duration = Duration::from_secs(1);
/// Pause while all slots are taken.
const SLOT_PAUSE: Duration = Duration::from_millis(20);
/// Longest sleep: whatever wake was missed, work goes on after it.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// What a worker does.
#[derive(Clone, Debug)]
pub enum Work {
    /// Sends to an operation.
    Operation(Arc<Operation>),
    /// Hands inbound documents to upstream.
    Publish,
}

impl Work {
    fn name(&self) -> &str {
        match self {
            Work::Operation(operation) => &operation.name,
            Work::Publish => PUBLISH,
        }
    }

    fn batch(&self) -> Option<&Batch> {
        match self {
            Work::Operation(operation) => operation.batch.as_ref(),
            Work::Publish => None,
        }
    }
}

/// Runs until `stop`, then until everything under way has settled or `drain` is over. What is
/// still `sending` then becomes `unknown` at the next start.
pub async fn run(
    work: Work,
    counterpart: Arc<Counterpart>,
    cx: Arc<Context>,
    mut stop: watch::Receiver<bool>,
) {
    let mut worker = Worker {
        wake: counterpart.wakes(),
        work,
        counterpart,
        cx,
        running: JoinSet::new(),
        busy: HashSet::new(),
        parties: Arc::default(),
        gathering: None,
    };
    while !*stop.borrow() {
        worker.reap();
        // Seen before the claim: a wake that comes later is not lost.
        worker.wake.borrow_and_update();
        let started = worker.start_what_is_due().await;
        if started == 0 {
            tokio::select! {
                () = worker.idle() => {}
                _ = stop.changed() => {}
            }
        }
    }
    // Nothing goes on directly where nobody would look after it.
    worker.counterpart.intake.caught_up(worker.work.name(), false);
    let drain = worker.cx.settings.drain;
    let finish = async { while worker.running.join_next().await.is_some() {} };
    if tokio::time::timeout(drain, finish).await.is_err() {
        tracing::warn!(
            operation = worker.work.name(),
            "requests still under way at the end of the drain time"
        );
    }
}

struct Worker {
    work: Work,
    counterpart: Arc<Counterpart>,
    /// Follows the counterpart's wakes.
    wake: watch::Receiver<u64>,
    cx: Arc<Context>,
    /// Tasks under way; each returns the exchanges it had.
    running: JoinSet<Vec<i64>>,
    /// Their exchanges, left out of the next claim.
    busy: HashSet<i64>,
    /// Of batches: who travels with whom.
    parties: SharedParties,
    /// Until when a batch that is not full waits for more.
    gathering: Option<Instant>,
}

impl Worker {
    fn reap(&mut self) {
        while let Some(finished) = self.running.try_join_next() {
            self.release(finished);
        }
    }

    fn release(&mut self, finished: Result<Vec<i64>, tokio::task::JoinError>) {
        for exchange in finished.unwrap_or_default() {
            self.busy.remove(&exchange);
        }
    }

    /// Waits for a wake, a finished task or the next due time.
    async fn idle(&mut self) {
        let sleep = self.until_due().await;
        let finished = tokio::select! {
            _ = self.wake.changed() => None,
            finished = self.running.join_next(), if !self.running.is_empty() => finished,
            () = tokio::time::sleep(sleep) => None,
        };
        if let Some(finished) = finished {
            self.release(finished);
        }
    }

    /// How many exchanges may start now. What goes to upstream does not ask the counterpart.
    fn allowance(&self) -> usize {
        if self.cx.sealing.stops_sending().is_some() {
            return 0;
        }
        match self.work {
            Work::Operation(_) => self.counterpart.allowance(self.cx.clock.now()),
            Work::Publish => self.counterpart.places.available_permits(),
        }
    }

    /// Whether the counterpart lets no more than was allowed at first.
    fn is_restrained(&self) -> bool {
        let now = self.cx.clock.now();
        let restrains = || self.counterpart.breaker().is_open();
        matches!(self.work, Work::Operation(_))
            && (restrains() || self.counterpart.paused(now).is_some())
    }

    async fn until_due(&self) -> Duration {
        if self.cx.sealing.stops_sending().is_some() {
            return SEAL_PAUSE;
        }
        let now = Instant::now();
        if let Some(until) = self.gathering.filter(|until| *until > now) {
            return until.saturating_duration_since(now).min(LONGEST_SLEEP);
        }
        if self.allowance() == 0 {
            // Slots are shared by the counterpart's workers: one freed by another wakes nobody.
            let opens_at = self.counterpart.breaker().opens_at();
            let wait = opens_at.map_or(SLOT_PAUSE, |at| at.saturating_duration_since(now));
            return wait.clamp(SLOT_PAUSE, LONGEST_SLEEP);
        }
        let name = self.counterpart.adapter.name.clone();
        let due = self.cx.store.next_due(name, self.work.name().to_owned(), self.states()).await;
        match due {
            Ok(Some(due)) => {
                let wait = settle::elapsed(self.cx.clock.now(), due);
                // What is due now is under way already; its end wakes us.
                if wait.is_zero() { SLOT_PAUSE } else { wait.min(LONGEST_SLEEP) }
            }
            Ok(None) | Err(_) => LONGEST_SLEEP,
        }
    }

    fn states(&self) -> Vec<State> {
        vec![State::Received, State::WaitingRetry, State::Unknown, State::WaitingResult]
    }

    async fn claim(&self, states: Vec<State>, limit: usize) -> Vec<Claimed> {
        let claim = Claim {
            counterpart: self.counterpart.adapter.name.clone(),
            operation: self.work.name().to_owned(),
            states,
            now: self.cx.clock.now(),
            limit,
            exclude: self.busy.clone(),
        };
        match self.cx.store.claim(claim).await {
            Ok(mut claimed) => {
                claimed.iter_mut().for_each(|one| self.cx.definitions.choose(one));
                claimed
            }
            Err(error) => {
                tracing::error!(
                    code = error.code.code,
                    detail = error.detail,
                    "the store cannot be read"
                );
                Vec::new()
            }
        }
    }

    /// Claims and starts; returns how many tasks were started.
    async fn start_what_is_due(&mut self) -> usize {
        let allowed = self.allowance();
        if allowed == 0 {
            return 0;
        }
        let polled = self.start_polls(allowed).await;
        let left = allowed.saturating_sub(polled);
        let sendable = vec![State::Received, State::WaitingRetry, State::Unknown];
        let started = match self.work.batch().cloned() {
            Some(batch) => self.start_batches(&batch, sendable, left).await,
            None => self.start_singles(sendable, left).await,
        };
        polled + started
    }

    async fn start_singles(&mut self, states: Vec<State>, allowed: usize) -> usize {
        if allowed == 0 {
            return 0;
        }
        let limit = allowed.max(READ_AHEAD);
        let claimed = self.claim(states, limit).await;
        // From here on new messages may go on directly: nothing older is passed over.
        self.counterpart.intake.caught_up(self.work.name(), claimed.len() < limit);
        let mut started = 0;
        for exchange in claimed {
            // Read-ahead: the last ones wait here for a place, which is sooner than a new claim.
            let places = Arc::clone(&self.counterpart.places);
            if started >= allowed && self.is_restrained() {
                break;
            }
            let Ok(place) = places.acquire_owned().await else { break };
            self.busy.insert(exchange.id);
            let cx = Arc::clone(&self.cx);
            self.running.spawn(async move {
                let _place = place;
                let id = exchange.id;
                one(exchange, &cx).await;
                vec![id]
            });
            started += 1;
        }
        started
    }

    async fn start_polls(&mut self, allowed: usize) -> usize {
        let Work::Operation(operation) = &self.work else { return 0 };
        if operation.poll.is_none() {
            return 0;
        }
        // What cannot be asked about now is not read either.
        let together = operation.batch.as_ref().map_or(1, |batch| batch.max_items);
        let limit = together.saturating_mul(allowed).min(POLL_LIMIT);
        let claimed = self.claim(vec![State::WaitingResult], limit).await;
        let with_routes = claimed
            .into_iter()
            .filter_map(|claimed| {
                let route = self.cx.route_of(&claimed)?;
                Some((claimed, route))
            })
            .collect();
        let mut started = 0;
        for group in resolve::by_ticket(with_routes).into_iter().take(allowed) {
            let Some(operation) = group.first().and_then(|(_, route)| resolve::operation_of(route))
            else {
                continue;
            };
            let operation = Arc::clone(operation);
            let Ok(slot) = Arc::clone(&self.counterpart.slots).try_acquire_owned() else { break };
            let ids: Vec<i64> = group.iter().map(|(claimed, _)| claimed.id).collect();
            self.busy.extend(&ids);
            let cx = Arc::clone(&self.cx);
            self.running.spawn(async move {
                let _slot = slot;
                let polled =
                    AssertUnwindSafe(resolve::poll(group, &operation, &cx)).catch_unwind().await;
                if polled.is_err() {
                    tracing::error!(
                        code = codes::INTERNAL.code,
                        operation = operation.name,
                        "poll ended abnormally"
                    );
                }
                ids
            });
            started += 1;
        }
        started
    }

    async fn start_batches(&mut self, batch: &Batch, states: Vec<State>, allowed: usize) -> usize {
        let waits = self.gathering.is_some_and(|until| Instant::now() < until);
        if allowed == 0 || waits {
            return 0;
        }
        let slots = self.counterpart.slots.available_permits().min(allowed);
        if slots == 0 {
            return 0;
        }
        let claimed = self.claim(states, batch.max_items.saturating_mul(slots)).await;
        let (mut requests, has_room) = self
            .parties
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .requests(claimed, batch.max_items);
        // The first of a request waits a moment for company: many people travel in one. Others are
        // not kept waiting: it stays in the store until then.
        let waited = self.gathering.take().is_some();
        if has_room && !waited && !batch.max_wait.is_zero() {
            requests.pop();
            self.gathering = Some(Instant::now() + batch.max_wait);
        }
        let mut started = 0;
        for request in requests {
            let Ok(slot) = Arc::clone(&self.counterpart.slots).try_acquire_owned() else { break };
            let ids: Vec<i64> = request.iter().map(|claimed| claimed.id).collect();
            self.busy.extend(&ids);
            let (cx, max_bytes) = (Arc::clone(&self.cx), batch.max_bytes);
            let parties = Arc::clone(&self.parties);
            let name = self.work.name().to_owned();
            self.running.spawn(async move {
                let _slot = slot;
                let sent = batch::send(request, max_bytes, &parties, &cx);
                if AssertUnwindSafe(sent).catch_unwind().await.is_err() {
                    tracing::error!(
                        code = codes::INTERNAL.code,
                        operation = name,
                        "batch ended abnormally"
                    );
                }
                ids
            });
            started += 1;
        }
        started
    }
}

/// One exchange: asked about when its answer was lost and the operation says so, else sent. A
/// defect that panics puts the exchange aside instead of leaving it under way for ever.
async fn one(mut claimed: Claimed, cx: &Arc<Context>) {
    // All but the body is kept, for the case of a defect.
    let body = std::mem::replace(&mut claimed.body, Secret::new(Vec::new()));
    let kept = claimed.clone();
    claimed.body = body;
    let way = async {
        let claimed = match cx.route_of(&claimed) {
            Some(route) => gate::pass(claimed, &route, cx).await,
            None => Some(claimed),
        };
        if let Some(claimed) = claimed {
            process(claimed, cx).await;
        }
    };
    if AssertUnwindSafe(way).catch_unwind().await.is_err() {
        put_aside(kept, cx).await;
    }
}

/// A defect ended it: a person must look at it.
pub(super) async fn put_aside(claimed: Claimed, cx: &Arc<Context>) {
    tracing::error!(
        code = codes::INTERNAL.code,
        exchange = claimed.id,
        "exchange ended abnormally"
    );
    let Some(route) = cx.route_of(&claimed) else { return };
    let failure = Failure {
        code: &codes::INTERNAL,
        stage: Stage::Deliver,
        class: Class::Unknown,
        detail: String::new(),
    };
    // The intent may have been taken (fence raised) or not: one of the two settlements is stale.
    let decide = || Decided::of(Next::Unknown { due: None, failure: failure.clone() });
    let pair = vec![
        (claimed.clone(), route.as_ref(), 1, decide()),
        (claimed, route.as_ref(), 0, decide()),
    ];
    settle::write(pair, cx).await;
}
