//! Direct: a message that is just being accepted goes on from memory.
//!
//! It is validated and mapped before it is accepted, and the intent of its first attempt is written
//! in the very transaction that makes it safe; the attempt follows once that is durable. The
//! functions, the order of the writes and what a crash leaves are those of the way through the
//! store: before the commit nothing, after it `sending`.
//!
//! Only where nobody is passed over: the operation has nothing waiting in the store, the lane is
//! free (the store decides that), a place is free and the breaker is closed. Whatever speaks
//! against it, a mapping that fails included, leaves the exchange `received` for the worker.

use super::context::{Context, Counterpart};
use super::deliver;
use super::map::{self, Mapped};
use super::pause::Permission;
use super::settle;
use super::validate;
use super::worker;
use crate::adapter::{Destination, Operation, Route, UnknownRule};
use crate::model::codes::store as codes;
use crate::model::{Envelope, Secret, State};
use crate::policy::Brake;
use crate::store::{Accepted, Claimed, FirstAttempt, Intent, NewExchange, NewMessage, StoreError};
use crate::telemetry::crash;
use futures_util::FutureExt;
use futures_util::future::join_all;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// The part of all places that the intake waits for once none is free.
const PART: usize = 16;

/// Whether new messages may go on directly at a counterpart.
#[derive(Debug, Default)]
pub struct Intake {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Operations whose worker found nothing more in the store. None before it has looked.
    caught_up: HashSet<String>,
    brake: Brake,
}

impl Intake {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The worker of an operation has taken up all that was due, or not.
    pub fn caught_up(&self, operation: &str, all: bool) {
        let mut inner = self.inner();
        if !all {
            inner.caught_up.remove(operation);
        } else if !inner.caught_up.contains(operation) {
            inner.caught_up.insert(operation.to_owned());
        }
    }

    /// Whether nothing of the operation waits in the store.
    pub fn is_open(&self, operation: &str) -> bool {
        self.inner().caught_up.contains(operation)
    }

    /// Until when a new message may wait for a place at this counterpart; `None`: not at all.
    fn patience(&self) -> Option<std::time::Duration> {
        let inner = self.inner();
        if inner.caught_up.is_empty() { None } else { inner.brake.left() }
    }

    fn waited(&self, since: Instant) {
        let mut inner = self.inner();
        inner.brake.waited(since.elapsed());
        if inner.brake.left().is_none() {
            // From here on through the store, until the workers have caught up.
            inner.caught_up.clear();
            inner.brake = Brake::default();
        }
    }
}

/// A first attempt that will be made as soon as its message is safe.
#[derive(Debug)]
pub(super) struct Ready {
    claimed: Claimed,
    route: Arc<Route>,
    mapped: Mapped,
    place: OwnedSemaphorePermit,
    permission: Permission,
    slot: Option<OwnedSemaphorePermit>,
}

/// Readies the first attempts of a new message where they can go directly; in the order of its
/// exchanges, each of which learns of its own.
pub(super) fn prepare(
    recognised: &super::accept::Recognised<'_>,
    exchanges: &mut [NewExchange],
    cx: &Context,
) -> Vec<Option<Ready>> {
    let routes = recognised.routes.iter();
    let ready = |(route, exchange): (&Arc<Route>, &mut NewExchange)| {
        let (ready, first) = prepare_one(recognised, route, exchange, cx)?;
        exchange.first = Some(first);
        Some(ready)
    };
    routes.zip(exchanges).map(ready).collect()
}

fn prepare_one(
    recognised: &super::accept::Recognised<'_>,
    route: &Arc<Route>,
    exchange: &NewExchange,
    cx: &Context,
) -> Option<(Ready, FirstAttempt)> {
    let Destination::Operation(operation) = &route.destination else { return None };
    if operation.batch.is_some()
        || operation.file_out.is_some()
        || route.approval.is_some()
        || exchange.failure.is_some()
        || cx.sealing.stops_sending().is_some()
    {
        return None;
    }
    let counterpart = cx.counterpart(&route.adapter.name)?;
    let place = counterpart.direct_place(operation)?;
    let now = cx.clock.now();
    if counterpart.closes_soon(now) {
        return None;
    }
    let permission = counterpart.admit(now).ok()?;
    let slot = match operation.unknown {
        UnknownRule::Person => Some(Arc::clone(&counterpart.slots).try_acquire_owned().ok()?),
        UnknownRule::Resend | UnknownRule::Ask => None,
    };
    let mut claimed = claimed(&recognised.envelope, exchange);
    let replies = route.reply.as_ref().is_some_and(|reply| reply.mapping.request.is_some());
    if replies || operation.step.outcomes.sees_request() {
        claimed.body = Secret::new(recognised.body.clone());
    }
    validate::check(&recognised.document, route, cx).ok()?;
    let mapped = map::map(&claimed, route, &recognised.document, cx).ok()?;
    let Intent { request_digest, at, mut record, .. } =
        deliver::intent(&claimed, route, &mapped, cx);
    if let Some(draft) = &mut record {
        draft.commitment = None;
    }
    let first = FirstAttempt { request_digest, at, record };
    let route = Arc::clone(route);
    Some((Ready { claimed, route, mapped, place, permission, slot }, first))
}

/// The exchange as it would be claimed, but for what it does not have yet: rows and commitment.
/// Its body is mapped already and not needed again, but for a reply or an outcome table that sees
/// the request.
pub(super) fn claimed(envelope: &Arc<Envelope>, exchange: &NewExchange) -> Claimed {
    Claimed {
        id: 0,
        message: 0,
        fence: 0,
        state: State::Received,
        route: exchange.route.clone(),
        idempotency_key: exchange.idempotency_key.clone(),
        attempts: 0,
        maybe_applied: false,
        ticket: None,
        since: envelope.accepted_at,
        subject: exchange.subject.clone(),
        bundle: Arc::clone(&exchange.bundle),
        commitment: Arc::default(),
        envelope: Arc::clone(envelope),
        body: Secret::new(Vec::new()),
    }
}

/// Makes a message durable; what was ready goes on by itself, whether or not the caller still
/// waits for the answer. Like a write of the store, it is queued by its first poll.
pub(super) async fn store(
    message: NewMessage,
    ready: Vec<Option<Ready>>,
    cx: &Arc<Context>,
) -> Result<Accepted, StoreError> {
    if ready.iter().all(Option::is_none) {
        return cx.store.accept(message).await;
    }
    let (tell, told) = oneshot::channel();
    let mut way = Box::pin(go(message, ready, Arc::clone(cx), tell));
    if futures_util::poll!(&mut way).is_pending() {
        tokio::spawn(way);
    }
    told.await.map_err(|_| StoreError::new(&codes::STORE_CLOSED, ""))?
}

async fn go(
    message: NewMessage,
    ready: Vec<Option<Ready>>,
    cx: Arc<Context>,
    tell: oneshot::Sender<Result<Accepted, StoreError>>,
) {
    let accepted = cx.store.accept(message).await;
    let begun = match &accepted {
        Ok(Accepted::New { message, exchanges, states, commitment }) => {
            let rows = exchanges.iter().zip(states).zip(ready);
            let begun = rows.filter_map(|((id, state), ready)| {
                let mut ready = ready.filter(|_| *state == State::Sending)?;
                ready.claimed.id = *id;
                ready.claimed.message = *message;
                ready.claimed.commitment.clone_from(commitment);
                Some(ready)
            });
            begun.collect()
        }
        Ok(Accepted::Duplicate | Accepted::Quarantined) | Err(_) => Vec::new(),
    };
    crash::reach("deliver:after-intent");
    // Whoever asked may have gone; the attempts are made all the same.
    let _ = tell.send(accepted);
    let mut begun: Vec<Ready> = begun;
    match begun.pop() {
        Some(last) if begun.is_empty() => send(last, &cx).await,
        Some(last) => {
            begun.push(last);
            join_all(begun.into_iter().map(|ready| send(ready, &cx))).await;
        }
        None => {}
    }
}

/// The attempt and its outcome, as after an intent of a claimed exchange.
async fn send(ready: Ready, cx: &Arc<Context>) {
    let Ready { claimed, route, mapped, place, permission, slot } = ready;
    let _place = place;
    let way = async {
        let outcome = deliver::attempt(&claimed, &route, mapped, permission, slot, cx).await;
        settle::settle(&claimed, &route, outcome, cx).await;
    };
    if AssertUnwindSafe(way).catch_unwind().await.is_err() {
        worker::put_aside(claimed, cx).await;
    }
}

impl Counterpart {
    /// A place for a new message that may go on directly.
    fn direct_place(&self, operation: &Operation) -> Option<OwnedSemaphorePermit> {
        if !self.intake.is_open(&operation.name) || self.breaker().is_open() {
            return None;
        }
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        self.intake.inner().brake.went_on();
        Some(place)
    }

    /// Whether the next message had better wait a moment for a place.
    pub fn is_full(&self) -> bool {
        self.places.available_permits() == 0
            && self.intake.patience().is_some()
            && !self.breaker().is_open()
    }

    /// Waits for some places, but only as long as the brake allows: then new messages go through
    /// the store, until the workers have caught up again.
    pub async fn wait_for_places(&self) {
        let Some(patience) = self.intake.patience() else { return };
        let since = Instant::now();
        // Several at once: a wait, a wake and a timer serve as many messages.
        let some = u32::try_from(self.places_in_all() / PART).unwrap_or(u32::MAX).max(1);
        // The places themselves are left to whoever comes first.
        let _free = tokio::time::timeout(patience, self.places.acquire_many(some)).await;
        // With slots free it is the store that is waited for, and every message waits for that.
        if self.slots.available_permits() == 0 {
            self.intake.waited(since);
        }
    }

    /// Waits until nothing is under way any more.
    pub async fn idle(&self) {
        let all = u32::try_from(self.places_in_all()).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let _all = self.places.acquire_many(all).await;
    }
}
