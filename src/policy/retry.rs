//! When the next attempt is due, and when to give up.

use std::time::Duration;

/// The schedule of an adapter's `retry:` block, with the deadline of a route.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Shortest delay.
    pub first: Duration,
    /// Longest delay.
    pub max: Duration,
    /// Attempts altogether.
    pub max_attempts: u32,
    /// Age of the message after which nothing is tried again; time outside its counterpart's hours
    /// does not count.
    pub max_age: Duration,
    /// The longest `Retry-After` that is believed.
    pub max_retry_after: Duration,
    /// Age of the message at which it is over, whatever it waits for.
    pub deadline: Option<Duration>,
}

/// How old a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// Since it was accepted.
    pub whole: Duration,
    /// The part of it in which its counterpart was open.
    pub open: Duration,
}

impl From<Duration> for Age {
    /// Of a counterpart that is always open.
    fn from(whole: Duration) -> Age {
        Age { whole, open: whole }
    }
}

/// What the schedule says after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this delay.
    After(Duration),
    /// The attempts or the age are used up.
    GiveUp,
    /// The deadline has passed.
    TooLate,
}

impl Schedule {
    /// After `attempts` attempts on a message of this `age`.
    ///
    /// The delay is decorrelated jitter: between the shortest delay and three times the one before,
    /// at most the longest. A thousand messages that failed together do not come back together, nor
    /// in waves. A `Retry-After` is a lower bound, up to `max_retry_after`. A delay never reaches
    /// beyond the deadline: what is due then is looked at once more, and ends.
    ///
    /// Nothing is kept between attempts: the delays are a function of `seed` and the number of
    /// attempts, so that a restart, or another instance, goes on where the last one was.
    pub fn next(
        &self,
        attempts: u32,
        age: impl Into<Age>,
        retry_after: Option<Duration>,
        seed: u64,
    ) -> Decision {
        let age = age.into();
        let left = match self.deadline {
            Some(deadline) if age.whole >= deadline => return Decision::TooLate,
            Some(deadline) => deadline.saturating_sub(age.whole),
            None => Duration::MAX,
        };
        if attempts >= self.max_attempts || age.open >= self.max_age {
            return Decision::GiveUp;
        }
        let asked = retry_after.unwrap_or_default().min(self.max_retry_after);
        Decision::After(self.delay(attempts, seed).max(asked).min(left))
    }

    /// The delay after so many attempts.
    fn delay(&self, attempts: u32, seed: u64) -> Duration {
        let least = millis(self.first).min(millis(self.max));
        let most = millis(self.max);
        let mut delay = least;
        for attempt in 1..=attempts.max(1) {
            let ceiling = delay.saturating_mul(3).min(most);
            delay = least + share(seed, attempt, ceiling - least);
        }
        Duration::from_millis(delay)
    }
}

/// Whole milliseconds, as the store keeps times; never 0, which would not wait at all.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4).clamp(1, u64::MAX / 4)
}

/// A number from 0 to `range`, spread evenly over seeds and attempts (SplitMix64).
fn share(seed: u64, attempt: u32, range: u64) -> u64 {
    let mut mixed = seed.wrapping_add(u64::from(attempt).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^= mixed >> 31;
    // The high half of the product: no modulo, so no value is likelier than another.
    let wide = u128::from(mixed) * (u128::from(range) + 1);
    u64::try_from(wide >> 64).unwrap_or(range)
}

#[cfg(test)]
mod tests {
    use super::{Age, Decision, Schedule};
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::time::Duration;

    fn schedule() -> Schedule {
        Schedule {
            first: Duration::from_secs(1),
            max: Duration::from_secs(60),
            max_attempts: 10,
            max_age: Duration::from_secs(3_600),
            max_retry_after: Duration::from_secs(600),
            deadline: None,
        }
    }

    fn delay(attempts: u32, retry_after: Option<Duration>, seed: u64) -> Duration {
        match schedule().next(attempts, Duration::ZERO, retry_after, seed) {
            Decision::After(delay) => delay,
            other => panic!("{other:?} after {attempts}"),
        }
    }

    #[test]
    fn closed_time_counts_for_the_deadline_alone() {
        let hour = Duration::from_secs(3_600);
        let age = Age { whole: hour * 100, open: hour / 2 };
        assert!(matches!(schedule().next(1, age, None, 1), Decision::After(_)));
        let schedule = Schedule { deadline: Some(hour * 100), ..schedule() };
        assert_eq!(schedule.next(1, age, None, 1), Decision::TooLate);
    }

    #[test]
    fn grows_up_to_the_cap() {
        let mean = |attempts| {
            let all: Duration = (0..500).map(|seed| delay(attempts, None, seed)).sum();
            all / 500
        };
        assert!(mean(1) < Duration::from_secs(3), "{:?}", mean(1));
        assert!(mean(3) > mean(1) && mean(6) > mean(3));
        assert!(mean(9) > Duration::from_secs(15), "{:?}", mean(9));
    }

    #[test]
    fn messages_that_failed_together_spread() {
        for attempts in 1..10 {
            let delays: HashSet<Duration> =
                (1..100).map(|seed| delay(attempts, None, seed)).collect();
            assert!(delays.len() > 80, "only {} different delays", delays.len());
        }
    }

    #[test]
    fn retry_after_is_a_lower_bound_that_is_capped() {
        let secs = Duration::from_secs;
        assert_eq!(delay(1, Some(secs(300)), 1), secs(300));
        assert_eq!(delay(1, Some(secs(86_400)), 1), secs(600));
        assert!(delay(1, Some(Duration::ZERO), 1) >= secs(1));
    }

    #[test]
    fn gives_up_by_count_and_by_age() {
        let schedule = schedule();
        let none = Duration::ZERO;
        assert_eq!(schedule.next(10, none, None, 1), Decision::GiveUp);
        assert_eq!(schedule.next(1, Duration::from_secs(3_600), None, 1), Decision::GiveUp);
    }

    proptest! {
        #[test]
        fn stays_within_its_bounds_and_is_the_same_every_time(
            first in 1..5_000u64, max in 1..600_000u64, attempts in 1..200u32, seed: u64,
        ) {
            let schedule = Schedule {
                first: Duration::from_millis(first),
                max: Duration::from_millis(max),
                max_attempts: 1_000,
                ..schedule()
            };
            let next = schedule.next(attempts, Duration::ZERO, None, seed);
            prop_assert_eq!(next, schedule.next(attempts, Duration::ZERO, None, seed));
            let Decision::After(delay) = next else { panic!("{next:?}") };
            prop_assert!(delay >= Duration::from_millis(first.min(max)));
            prop_assert!(delay <= Duration::from_millis(max));
        }

        #[test]
        fn never_waits_beyond_the_deadline(
            deadline in 1..10_000u64, age in 0..20_000u64, asked in 0..20_000u64, seed: u64,
        ) {
            let secs = Duration::from_secs;
            let schedule = Schedule {
                deadline: Some(secs(deadline)),
                max_age: secs(100_000),
                max_retry_after: secs(100_000),
                ..schedule()
            };
            match schedule.next(3, secs(age), Some(secs(asked)), seed) {
                Decision::After(delay) => {
                    prop_assert!(age < deadline && secs(age) + delay <= secs(deadline));
                    prop_assert!(delay >= secs(asked.min(deadline - age)));
                }
                other => prop_assert!(age >= deadline && other == Decision::TooLate),
            }
        }
    }
}
