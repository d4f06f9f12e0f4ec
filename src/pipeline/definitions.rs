//! Definitions in force, and the older ones that exchanges under way were accepted under.

use crate::adapter::{Bundle, Definitions as Rule};
use crate::model::State;
use crate::store::Claimed;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The bundle in force, swapped as a whole, and the older ones that are still needed. A message
/// reads it once per station; a swap never waits for messages.
pub struct Definitions {
    inner: RwLock<Inner>,
}

struct Inner {
    current: Arc<Bundle>,
    older: Vec<Arc<Bundle>>,
}

impl std::fmt::Debug for Definitions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inner = self.read();
        let older: Vec<&str> = inner.older.iter().map(|bundle| bundle.digest()).collect();
        formatter
            .debug_struct("Definitions")
            .field("current", &inner.current.digest())
            .field("older", &older)
            .finish()
    }
}

impl Definitions {
    /// One bundle in force, none older.
    pub fn new(current: Arc<Bundle>) -> Definitions {
        Definitions { inner: RwLock::new(Inner { current, older: Vec::new() }) }
    }

    // Whoever panicked while writing left it whole: every change is one assignment.
    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bundle in force.
    pub fn current(&self) -> Arc<Bundle> {
        Arc::clone(&self.read().current)
    }

    /// All at hand, that in force first.
    pub fn all(&self) -> Vec<Arc<Bundle>> {
        let inner = self.read();
        std::iter::once(&inner.current).chain(&inner.older).cloned().collect()
    }

    /// The bundle of that digest, in force or older; `None` when it is not at hand.
    pub fn of(&self, digest: &str) -> Option<Arc<Bundle>> {
        self.read().of(digest)
    }

    /// Takes an older bundle along, for exchanges that were accepted under it.
    pub fn keep(&self, bundle: Arc<Bundle>) {
        let mut inner = self.write();
        if inner.of(bundle.digest()).is_none() {
            inner.older.push(bundle);
        }
    }

    /// Puts a bundle in force; the one before stays at hand.
    pub fn swap(&self, next: Arc<Bundle>) {
        let mut inner = self.write();
        inner.older.retain(|bundle| bundle.digest() != next.digest());
        let before = std::mem::replace(&mut inner.current, next);
        if before.digest() != inner.current.digest() {
            inner.older.push(before);
        }
    }

    /// Lets go of older bundles that `needed` does not name.
    pub fn forget(&self, needed: impl Fn(&str) -> bool) {
        self.write().older.retain(|bundle| needed(bundle.digest()));
    }

    /// Under which definitions a claimed exchange is handled now: writes their digest into it.
    ///
    /// It stays under those it was accepted under. Those in force are taken where the old ones
    /// are not at hand, and for another try where the definitions in force say so
    /// (`retry.definitions: current`) and no attempt may have been applied: a request whose answer
    /// was lost goes again exactly as it was, under the same key.
    pub fn choose(&self, claimed: &mut Claimed) {
        let inner = self.read();
        if *claimed.bundle == *inner.current.digest() {
            return;
        }
        let tried_again = claimed.state == State::WaitingRetry && !claimed.maybe_applied;
        let says_current = || {
            inner
                .current
                .route(&claimed.route)
                .is_some_and(|route| route.adapter.retry.definitions == Rule::Current)
        };
        if inner.of(&claimed.bundle).is_none() || (tried_again && says_current()) {
            claimed.bundle = inner.current.shared_digest();
        }
    }
}

impl Inner {
    fn of(&self, digest: &str) -> Option<Arc<Bundle>> {
        let mut all = std::iter::once(&self.current).chain(&self.older);
        all.find(|bundle| bundle.digest() == digest).cloned()
    }
}
