//! When the next attempt is due, and when to give up.

use backon::{BackoffBuilder, ExponentialBuilder};
use std::time::Duration;

/// The schedule of an adapter's `retry:` block.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// First delay.
    pub first: Duration,
    /// Longest delay.
    pub max: Duration,
    /// Attempts altogether.
    pub max_attempts: u32,
    /// Age of the message after which nothing is tried again.
    pub max_age: Duration,
}

/// What the schedule says after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this delay.
    After(Duration),
    /// The attempts or the age are used up.
    GiveUp,
}

impl Schedule {
    /// After `attempts` attempts on a message of this `age`. The delay doubles from `first` to
    /// `max`; `seed` spreads it by up to as much again, so that a thousand messages that failed
    /// together do not come back together. A `Retry-After` is a lower bound.
    pub fn next(
        &self,
        attempts: u32,
        age: Duration,
        retry_after: Option<Duration>,
        seed: u64,
    ) -> Decision {
        if attempts >= self.max_attempts || age >= self.max_age {
            return Decision::GiveUp;
        }
        let backoff = ExponentialBuilder::default()
            .with_min_delay(self.first)
            .with_max_delay(self.max)
            .with_max_times(usize::MAX)
            .with_jitter()
            .with_jitter_seed(seed)
            .build();
        // The delay no longer grows after 64 doublings; a high attempt number costs nothing more.
        let step = attempts.saturating_sub(1).min(64) as usize;
        let delay = backoff.into_iter().nth(step).unwrap_or(self.max);
        Decision::After(delay.max(retry_after.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Decision, Schedule};
    use std::time::Duration;

    fn schedule() -> Schedule {
        Schedule {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
            max_attempts: 10,
            max_age: Duration::from_secs(3_600),
        }
    }

    fn delay(attempts: u32, retry_after: Option<Duration>, seed: u64) -> Duration {
        match schedule().next(attempts, Duration::ZERO, retry_after, seed) {
            Decision::After(delay) => delay,
            Decision::GiveUp => panic!("gave up after {attempts}"),
        }
    }

    #[test]
    fn doubles_up_to_the_cap_with_jitter_above() {
        for seed in 1..50 {
            let first = delay(1, None, seed);
            assert!(first >= Duration::from_secs(1) && first <= Duration::from_secs(2));
            let ninth = delay(9, None, seed);
            assert!(ninth >= Duration::from_secs(60) && ninth <= Duration::from_secs(120));
        }
    }

    #[test]
    fn messages_that_failed_together_spread() {
        let delays: std::collections::HashSet<Duration> =
            (1..100).map(|seed| delay(3, None, seed)).collect();
        assert!(delays.len() > 50, "only {} different delays", delays.len());
    }

    #[test]
    fn retry_after_is_a_lower_bound() {
        assert_eq!(delay(1, Some(Duration::from_secs(300)), 1), Duration::from_secs(300));
        assert!(delay(1, Some(Duration::ZERO), 1) >= Duration::from_secs(1));
    }

    #[test]
    fn gives_up_by_count_and_by_age() {
        let schedule = schedule();
        let none = Duration::ZERO;
        assert_eq!(schedule.next(10, none, None, 1), Decision::GiveUp);
        assert_eq!(schedule.next(1, Duration::from_secs(3_600), None, 1), Decision::GiveUp);
    }
}
