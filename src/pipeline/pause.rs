//! Whether a request to a counterpart may be made now: its hours, what it says of itself, and the
//! breaker. What is not admitted stays as it is: no attempt is burnt and nothing is counted.

use super::context::Counterpart;
use crate::adapter::Adapter;
use crate::policy::availability::Heard;
use crate::policy::breaker::{CircuitBreaker, Pass};
use crate::policy::calendar::Status;
use jiff::Timestamp;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long it is believed that a calendar has no next opening.
const FAR: Duration = Duration::from_secs(24 * 3_600);

/// Why nothing is sent to a counterpart now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paused {
    /// Outside its hours, or it says so itself.
    Closed {
        /// The next opening, if it is known.
        until: Option<Timestamp>,
    },
    /// Its breaker is open.
    LeftAlone,
}

/// Hours and availability of one counterpart.
#[derive(Debug, Default)]
pub struct Openness {
    /// The last look at the calendar, and from when to when it holds.
    looked: Mutex<Option<(Timestamp, Timestamp, Status)>>,
    heard: Mutex<Option<Heard>>,
}

impl Openness {
    /// The same for other hours: only what the counterpart said is kept.
    pub fn succeed(&self) -> Openness {
        let heard = Mutex::new(*lock(&self.heard));
        Openness { looked: Mutex::new(None), heard }
    }

    /// The counterpart said something clear of itself.
    pub fn hear(&self, heard: Heard) {
        *lock(&self.heard) = Some(heard);
    }

    /// What it last said.
    pub fn heard(&self) -> Option<Heard> {
        *lock(&self.heard)
    }

    /// By its declared hours; the calendar is looked at only when the last look no longer holds.
    fn status(&self, adapter: &Adapter, now: Timestamp) -> Option<Status> {
        let calendar = adapter.hours.as_ref()?;
        let mut looked = lock(&self.looked);
        if let Some((from, until, status)) = *looked
            && from <= now
            && now < until
        {
            return Some(status);
        }
        let status = calendar.status(now);
        let until = match status {
            Status::Open { until } | Status::Closed { until: Some(until) } => until,
            Status::Closed { until: None } => now.checked_add(FAR).unwrap_or(now),
        };
        *looked = Some((now, until, status));
        Some(status)
    }

    /// Whether the declared hours do not allow a request that may take `longest`.
    fn outside(&self, adapter: &Adapter, now: Timestamp, longest: Duration) -> Option<Paused> {
        match self.status(adapter, now)? {
            Status::Closed { until } => Some(Paused::Closed { until }),
            // It closes before the answer would be there; when it opens again is seen then.
            Status::Open { until } => {
                let fits = now.checked_add(longest).is_ok_and(|end| end <= until);
                (!fits).then_some(Paused::Closed { until: None })
            }
        }
    }

    /// Whether it is closed for a request that may take `longest`, by its hours or its own word.
    fn closed(&self, adapter: &Adapter, now: Timestamp, longest: Duration) -> Option<Paused> {
        if let Some(paused) = self.outside(adapter, now, longest) {
            return Some(paused);
        }
        let keep_for = adapter.availability.as_ref()?.keep_for;
        let heard = lock(&self.heard).filter(|heard| heard.is_closed(keep_for, now))?;
        Some(Paused::Closed { until: heard.until })
    }

    /// Whether the hours end so soon that a request which has to wait for its turn may miss them.
    fn ends_within(&self, adapter: &Adapter, now: Timestamp, wait: Duration) -> bool {
        match self.status(adapter, now) {
            Some(Status::Open { until }) => now.checked_add(wait).is_ok_and(|end| end > until),
            _ => false,
        }
    }
}

/// A request that may be made. Dropped without a report it was not made: a probe is the next
/// one's then.
#[derive(Debug)]
pub struct Permission {
    breaker: Option<(Arc<Mutex<CircuitBreaker>>, Pass)>,
    /// The rate has been waited for.
    pub has_turn: bool,
}

impl Permission {
    /// For a request that is made whatever the breaker says, and tells it nothing.
    pub fn regardless() -> Permission {
        Permission { breaker: None, has_turn: false }
    }

    /// What the request brought. Returns true when that opened the breaker.
    pub fn report(mut self, healthy: bool) -> bool {
        let Some((breaker, pass)) = self.breaker.take() else { return false };
        let chance = RandomState::new().hash_one(0_u8);
        lock(&breaker).report(&pass, healthy, Instant::now(), chance)
    }
}

impl Drop for Permission {
    fn drop(&mut self) {
        if let Some((breaker, pass)) = self.breaker.take() {
            lock(&breaker).abandon(&pass, Instant::now());
        }
    }
}

impl Counterpart {
    /// Why nothing is sent now; `None` while requests may be made. Nothing is reserved by asking.
    pub fn paused(&self, now: Timestamp) -> Option<Paused> {
        let closed = self.openness.closed(&self.adapter, now, self.adapter.limits.timeout);
        closed.or_else(|| {
            let allowed = self.breaker().allowance(Instant::now());
            (allowed == Some(0)).then_some(Paused::LeftAlone)
        })
    }

    /// Whether its declared hours do not allow a request now.
    pub fn outside_hours(&self, now: Timestamp) -> Option<Paused> {
        self.openness.outside(&self.adapter, now, self.adapter.limits.timeout)
    }

    /// Whether it is closed, by its hours or by its own word, whatever a request would take.
    pub fn closed(&self, now: Timestamp) -> Option<Paused> {
        self.openness.closed(&self.adapter, now, Duration::ZERO)
    }

    /// Lets one request through, or tells why not.
    ///
    /// # Errors
    /// While it is closed or left alone: then nothing may be written or counted either.
    pub fn admit(&self, now: Timestamp) -> Result<Permission, Paused> {
        if let Some(paused) = self.openness.closed(&self.adapter, now, self.adapter.limits.timeout)
        {
            return Err(paused);
        }
        let pass = self.breaker().admit(Instant::now()).ok_or(Paused::LeftAlone)?;
        let breaker = Some((self.shared_breaker(), pass));
        Ok(Permission { breaker, has_turn: false })
    }

    /// Whether a request that waits for a free slot and for the rate might reach past closing:
    /// then it waits before its intent, not after it.
    pub fn closes_soon(&self, now: Timestamp) -> bool {
        let limits = &self.adapter.limits;
        let ahead = u32::try_from(self.places_in_all()).unwrap_or(u32::MAX);
        let for_rate = match limits.rate_per_second {
            0 => Duration::ZERO,
            rate => (Duration::from_secs(1) / rate).saturating_mul(ahead),
        };
        let turns = ahead / u32::try_from(limits.concurrency).unwrap_or(1).max(1) + 1;
        let wait = limits.timeout.saturating_mul(turns).saturating_add(for_rate);
        self.openness.ends_within(&self.adapter, now, wait)
    }

    /// Waits for the rate.
    pub async fn turn(&self) {
        let start = self.reserve(Instant::now());
        tokio::time::sleep_until(start.into()).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
