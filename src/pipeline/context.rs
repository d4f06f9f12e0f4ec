//! What every station needs: definitions, store, keys, clock, counterparts.

use super::direct::Gate;
use crate::adapter::{Adapter, Bundle, Route};
use crate::model::{Clock, Code};
use crate::policy::{CircuitBreaker, Pace};
use crate::store::Store;
use crate::store::keys::Keys;
use crate::transport::Target;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, watch};

/// Limits and names that come from `watashi.toml`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// 団体コード this gateway serves; never empty.
    pub municipalities: Vec<String>,
    /// Largest body accepted, in bytes.
    pub max_body: usize,
    /// Exchanges not yet ended per counterpart; beyond it nothing new is taken.
    pub max_backlog: u64,
    /// How long a stop waits for requests under way.
    pub drain: Duration,
}

/// The shared context of all stations.
pub struct Context {
    /// Definitions in force.
    pub bundle: Arc<Bundle>,
    /// Where everything survives.
    pub store: Arc<dyn Store>,
    /// Sealing and keyed hashes.
    pub keys: Arc<Keys>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// The counterparts that enabled routes lead to, by adapter name.
    pub counterparts: HashMap<String, Arc<Counterpart>>,
    /// From `watashi.toml`.
    pub settings: Settings,
    /// Wakes the outbox.
    pub outbox: Notify,
    /// Whether new messages are taken (guard).
    pub accepting: Accepting,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Context {
    /// The enabled route of that name.
    pub fn route(&self, name: &str) -> Option<Arc<Route>> {
        self.bundle.route(name)
    }

    /// Tells every worker of a counterpart that something may be due.
    pub fn wake(&self, counterpart: &str) {
        if let Some(counterpart) = self.counterparts.get(counterpart) {
            counterpart.wake.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

impl Context {
    /// Something of an operation waits in the store: its worker is told, and nothing newer passes
    /// it until it has been taken up.
    pub fn leave_to_worker(&self, counterpart: &str, operation: &str) {
        if let Some(known) = self.counterparts.get(counterpart) {
            known.gate.caught_up(operation, false);
        }
        self.wake(counterpart);
    }

    /// Tells every worker that something may be due.
    pub fn wake_all(&self) {
        for name in self.counterparts.keys() {
            self.wake(name);
        }
    }
}

/// Why no new messages are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The registered code.
    pub code: &'static Code,
    /// Safe text.
    pub detail: String,
}

/// Whether new messages are taken, and why not.
#[derive(Debug)]
pub struct Accepting {
    sender: watch::Sender<Option<Refusal>>,
}

impl Default for Accepting {
    fn default() -> Self {
        Accepting { sender: watch::Sender::new(None) }
    }
}

impl Accepting {
    /// The cause why nothing is taken; `None` while messages are taken.
    pub fn refused_because(&self) -> Option<Refusal> {
        self.sender.borrow().clone()
    }

    /// Sets or clears the cause; returns whether it changed.
    pub fn set(&self, cause: Option<Refusal>) -> bool {
        self.sender.send_if_modified(|known| {
            let changed = *known != cause;
            *known = cause;
            changed
        })
    }

    /// Follows the changes.
    pub fn subscribe(&self) -> watch::Receiver<Option<Refusal>> {
        self.sender.subscribe()
    }
}

/// Exchanges between claim and settlement for each request that may be under way.
const PLACES_PER_SLOT: usize = 4;

/// One counterpart at run time: where to send, and how much at a time.
pub struct Counterpart {
    /// Its adapter, with the overrides of `watashi.toml` applied.
    pub adapter: Arc<Adapter>,
    /// Where to send.
    pub target: Arc<dyn Target>,
    /// Requests that may be under way.
    pub slots: Arc<Semaphore>,
    /// Exchanges that may be anywhere between claim and settlement. More than slots: while some
    /// are at the counterpart, the intents of the next and the outcomes of the last share commits.
    pub places: Arc<Semaphore>,
    /// How many places there are.
    pub(super) all_places: usize,
    /// Whether new messages go on directly.
    pub gate: Gate,
    /// Wakes its workers: each follows the number, so that none misses a wake that came while it
    /// was not waiting.
    pub wake: watch::Sender<u64>,
    breaker: Mutex<CircuitBreaker>,
    pace: Mutex<Pace>,
}

impl std::fmt::Debug for Counterpart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Counterpart")
            .field("name", &self.adapter.name)
            .finish_non_exhaustive()
    }
}

impl Counterpart {
    /// A counterpart with nothing under way.
    pub fn new(adapter: Arc<Adapter>, target: Arc<dyn Target>) -> Self {
        let slots = adapter.limits.concurrency.max(1);
        Counterpart {
            slots: Arc::new(Semaphore::new(slots)),
            places: Arc::new(Semaphore::new(slots * PLACES_PER_SLOT)),
            all_places: slots * PLACES_PER_SLOT,
            gate: Gate::default(),
            wake: watch::Sender::new(0),
            breaker: Mutex::new(CircuitBreaker::new(
                adapter.breaker.failures,
                adapter.breaker.open_for,
            )),
            pace: Mutex::new(Pace::new(adapter.limits.rate_per_second)),
            adapter,
            target,
        }
    }

    /// How many exchanges may start now, breaker and places together. At least one while the
    /// breaker is closed: where all places are taken, a worker waits for one in line with the
    /// messages that go on directly, or these would never let it in.
    pub fn allowance(&self, now: Instant) -> usize {
        let free = self.places.available_permits().max(1);
        self.breaker().allowance(now).map_or(free, |allowed| allowed.min(free))
    }

    /// The breaker, for a moment.
    pub fn breaker(&self) -> std::sync::MutexGuard<'_, CircuitBreaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves the moment at which the next request may start.
    pub fn reserve(&self, now: Instant) -> Instant {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).reserve(now)
    }
}
