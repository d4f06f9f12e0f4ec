//! What every station needs: definitions, store, keys, clock, counterparts.

use super::definitions::Definitions;
use super::direct::Intake;
use super::file::Notes;
use super::pause::Openness;
use super::seal::Sealing;
use super::steady::Steady;
use crate::adapter::{Adapter, Bundle, Route};
use crate::codec::signed::Trust;
use crate::model::{Clock, Code};
use crate::policy::{CircuitBreaker, Pace};
use crate::store::keys::Keys;
use crate::store::{Claimed, Store};
use crate::transport::place::Place;
use crate::transport::{Scanner, Target};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
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
    /// Definitions in force, and older ones that are still needed.
    pub definitions: Definitions,
    /// Where everything survives.
    pub store: Arc<dyn Store>,
    /// Sealing and keyed hashes.
    pub keys: Arc<Keys>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// The counterparts that enabled routes lead to.
    pub counterparts: Counterparts,
    /// From `watashi.toml`.
    pub settings: Settings,
    /// Wakes the outbox.
    pub outbox: Notify,
    /// Whether new messages are taken (guard).
    pub accepting: Accepting,
    /// Whether the record is sealed in time: if not, nothing is sent.
    pub sealing: Arc<Sealing>,
    /// Whether the clock was set.
    pub steady: Steady,
    /// What is to be said of files that wait, are late or cannot be used, and of what cannot be
    /// scanned.
    pub files: Notes,
    /// What looks for malware in what comes, where there is one.
    pub scanner: Option<Arc<dyn Scanner>>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Context {
    /// The bundle in force: what a new message is recognised by.
    pub fn bundle(&self) -> Arc<Bundle> {
        self.definitions.current()
    }

    /// The bundle a claimed exchange is handled under; that in force where its own is gone.
    pub fn bundle_of(&self, claimed: &Claimed) -> Arc<Bundle> {
        self.definitions.of(&claimed.bundle).unwrap_or_else(|| self.bundle())
    }

    /// The route a claimed exchange goes, enabled or not, in the bundle it is handled under.
    pub fn route_of(&self, claimed: &Claimed) -> Option<Arc<Route>> {
        self.bundle_of(claimed).route(&claimed.route)
    }

    /// A counterpart by its adapter's name, as it is now: settings and credentials may have
    /// changed since the last call.
    pub fn counterpart(&self, name: &str) -> Option<Arc<Counterpart>> {
        self.counterparts.get(name)
    }

    /// Tells every worker of a counterpart that something may be due.
    pub fn wake(&self, counterpart: &str) {
        if let Some(counterpart) = self.counterpart(counterpart) {
            counterpart.wake();
        }
    }

    /// Something of an operation waits in the store: its worker is told, and nothing newer passes
    /// it until it has been taken up.
    pub fn leave_to_worker(&self, counterpart: &str, operation: &str) {
        if let Some(counterpart) = self.counterpart(counterpart) {
            counterpart.intake.caught_up(operation, false);
            counterpart.wake();
        }
    }

    /// Tells every worker that something may be due.
    pub fn wake_all(&self) {
        self.counterparts.all().iter().for_each(|counterpart| counterpart.wake());
    }
}

/// The counterparts by adapter name; replaced as a whole.
#[derive(Debug, Default)]
pub struct Counterparts(RwLock<HashMap<String, Arc<Counterpart>>>);

impl Counterparts {
    /// These.
    pub fn new(all: impl IntoIterator<Item = Counterpart>) -> Counterparts {
        let counterparts = Counterparts::default();
        counterparts.replace(all.into_iter().map(Arc::new));
        counterparts
    }

    /// The one of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Counterpart>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All of them, in no order.
    pub fn all(&self) -> Vec<Arc<Counterpart>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// One for which the next message had better wait a moment.
    pub fn full(&self) -> Option<Arc<Counterpart>> {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        all.values().find(|one| one.is_full()).cloned()
    }

    /// From now on these, and no others.
    pub fn replace(&self, all: impl IntoIterator<Item = Arc<Counterpart>>) {
        let all = all.into_iter().map(|one| (one.adapter.name.clone(), one)).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = all;
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

/// Exchanges between claim and settlement for each request that may be under way: enough that slots
/// do not wait while the store gathers.
const PLACES_PER_SLOT: usize = 8;

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
    /// Whether new messages go on directly.
    pub intake: Arc<Intake>,
    /// Wakes its workers: each follows the number, so that none misses a wake that came while it
    /// was not waiting.
    wakes: Arc<watch::Sender<u64>>,
    /// Where its files are kept, by the names its operations use.
    pub files: BTreeMap<String, Arc<dyn Place>>,
    /// Who may have signed what comes from it, by the names its operations use.
    pub trust: BTreeMap<String, Arc<Trust>>,
    /// When requests may be made at all.
    pub openness: Arc<Openness>,
    breaker: Arc<Mutex<CircuitBreaker>>,
    pace: Arc<Mutex<Pace>>,
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
            intake: Arc::default(),
            wakes: Arc::new(watch::Sender::new(0)),
            files: BTreeMap::new(),
            trust: BTreeMap::new(),
            openness: Arc::default(),
            breaker: Arc::new(Mutex::new(CircuitBreaker::new(adapter.breaker.clone()))),
            pace: Arc::new(Mutex::new(Pace::new(adapter.limits.rate_per_second))),
            adapter,
            target,
        }
    }

    /// The same with places for its files.
    #[must_use]
    pub fn with_files(self, files: BTreeMap<String, Arc<dyn Place>>) -> Counterpart {
        Counterpart { files, ..self }
    }

    /// The same with trust stores.
    #[must_use]
    pub fn with_trust(self, trust: BTreeMap<String, Arc<Trust>>) -> Counterpart {
        Counterpart { trust, ..self }
    }

    /// The same counterpart under other definitions or with other credentials: what is under way
    /// is shared, so that no limit is exceeded while the old one still finishes. The breaker
    /// starts anew only where its own rule changed.
    #[must_use]
    pub fn succeed(&self, adapter: Arc<Adapter>, target: Arc<dyn Target>) -> Counterpart {
        let (before, after) = (&self.adapter, &adapter);
        let (was, is) = (before.limits.concurrency.max(1), after.limits.concurrency.max(1));
        resize(&self.slots, was, is);
        resize(&self.places, was * PLACES_PER_SLOT, is * PLACES_PER_SLOT);
        let same_breaker = before.breaker == after.breaker;
        let same_pace = before.limits.rate_per_second == after.limits.rate_per_second;
        let fresh = Counterpart::new(Arc::clone(&adapter), Arc::clone(&target));
        Counterpart {
            slots: Arc::clone(&self.slots),
            places: Arc::clone(&self.places),
            intake: Arc::clone(&self.intake),
            wakes: Arc::clone(&self.wakes),
            files: self.files.clone(),
            trust: self.trust.clone(),
            openness: Arc::new(self.openness.succeed()),
            breaker: if same_breaker { Arc::clone(&self.breaker) } else { fresh.breaker },
            pace: if same_pace { Arc::clone(&self.pace) } else { fresh.pace },
            adapter,
            target,
        }
    }

    /// Tells its workers that something may be due.
    pub fn wake(&self) {
        self.wakes.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Follows the wakes.
    pub fn wakes(&self) -> watch::Receiver<u64> {
        self.wakes.subscribe()
    }

    /// How many exchanges may start now: hours, breaker and places together. At least one while
    /// nothing else stands against it: where all places are taken, a worker waits for one in line
    /// with the messages that go on directly, or these would never let it in.
    pub fn allowance(&self, now: Timestamp) -> usize {
        if self.paused(now).is_some() {
            return 0;
        }
        let free = self.places.available_permits().max(1);
        self.breaker().allowance(Instant::now()).map_or(free, |allowed| allowed.min(free))
    }

    /// Exchanges that may be anywhere between claim and settlement.
    pub(super) fn places_in_all(&self) -> usize {
        self.adapter.limits.concurrency.max(1) * PLACES_PER_SLOT
    }

    /// The breaker, to be told later.
    pub(super) fn shared_breaker(&self) -> Arc<Mutex<CircuitBreaker>> {
        Arc::clone(&self.breaker)
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

/// Grows a semaphore at once; shrinks it as what is under way ends.
fn resize(semaphore: &Arc<Semaphore>, was: usize, is: usize) {
    semaphore.add_permits(is.saturating_sub(was));
    let surplus = was.saturating_sub(is);
    let left = surplus - semaphore.forget_permits(surplus);
    let (Ok(left), true) = (u32::try_from(left), left > 0) else { return };
    let semaphore = Arc::clone(semaphore);
    tokio::spawn(async move {
        if let Ok(permits) = semaphore.acquire_many_owned(left).await {
            permits.forget();
        }
    });
}
