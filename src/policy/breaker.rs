//! The circuit breaker of one counterpart: after enough failures it is left alone, then one probe
//! decides. While it is open nothing is claimed, so no attempt is burnt. Each instance has its own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Requests over which the failure rate is taken.
pub const WINDOW: usize = 50;

/// When it opens, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Failures in a row that open it; 0: never.
    pub failures: u32,
    /// Failures among the last [`WINDOW`] requests that open it, in percent; 0: never.
    pub failure_rate: u32,
    /// How long it is open the first time; twice as long after each probe that fails.
    pub open_for: Duration,
    /// The longest time it is open.
    pub open_max: Duration,
}

/// Closed (requests flow), open (none), half open (one probe under way).
#[derive(Debug)]
pub struct CircuitBreaker {
    rule: Rule,
    phase: Phase,
    /// Failures in a row.
    failures: u32,
    /// The last requests; true: failed.
    recent: VecDeque<bool>,
    /// Times it was opened since it was last closed.
    opened: u32,
    /// Rises with every change of the phase.
    generation: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { until: Instant },
    Probing,
}

/// A request that may be made. It belongs to the phase in which it was let through: what it brings
/// later says nothing about another one.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a pass is reported or abandoned"]
pub struct Pass(u64);

impl CircuitBreaker {
    /// A closed breaker.
    pub fn new(rule: Rule) -> Self {
        let recent = VecDeque::with_capacity(WINDOW);
        CircuitBreaker { rule, phase: Phase::Closed, failures: 0, recent, opened: 0, generation: 0 }
    }

    /// How many requests may start now: `None` is no limit, `Some(1)` the probe, `Some(0)` none.
    pub fn allowance(&self, now: Instant) -> Option<usize> {
        match self.phase {
            Phase::Closed => None,
            Phase::Open { until } => Some(usize::from(now >= until)),
            Phase::Probing => Some(0),
        }
    }

    /// Lets one request through, or does not. When the time of an open breaker is over, the first
    /// to ask gets the probe, whoever else asks.
    pub fn admit(&mut self, now: Instant) -> Option<Pass> {
        match self.phase {
            Phase::Closed => Some(Pass(self.generation)),
            Phase::Open { until } if now >= until => {
                self.change(Phase::Probing);
                Some(Pass(self.generation))
            }
            Phase::Open { .. } | Phase::Probing => None,
        }
    }

    /// What a request brought: `healthy` when the counterpart showed life, whatever it said;
    /// not when it could not be reached, hung, answered what cannot be understood, or said that it
    /// is unavailable. `chance` spreads the open time of several instances. Returns true when this
    /// opened the breaker.
    pub fn report(&mut self, pass: &Pass, healthy: bool, now: Instant, chance: u64) -> bool {
        if pass.0 != self.generation {
            return false;
        }
        if healthy {
            self.failures = 0;
            self.remember(false);
            if self.phase == Phase::Probing {
                self.opened = 0;
                self.recent.clear();
                self.change(Phase::Closed);
            }
            // A success may complete the window.
            return self.phase == Phase::Closed && self.is_bad() && self.open(now, chance);
        }
        self.failures = self.failures.saturating_add(1);
        self.remember(true);
        let enough = self.rule.failures > 0 && self.failures >= self.rule.failures;
        if self.phase == Phase::Probing || enough || self.is_bad() {
            return self.open(now, chance);
        }
        false
    }

    /// The request was not made after all: a probe is the next one's.
    pub fn abandon(&mut self, pass: &Pass, now: Instant) {
        if pass.0 == self.generation && self.phase == Phase::Probing {
            self.change(Phase::Open { until: now });
        }
    }

    /// Whether it is not closed: what readiness and the metric show.
    pub fn is_open(&self) -> bool {
        self.phase != Phase::Closed
    }

    /// When it will let a probe through, while it is open and none is under way.
    pub fn opens_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open { until } => Some(until),
            Phase::Closed | Phase::Probing => None,
        }
    }

    fn remember(&mut self, failed: bool) {
        if self.recent.len() >= WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(failed);
    }

    /// Whether the last requests failed too often. Fewer than a full window say nothing.
    fn is_bad(&self) -> bool {
        let failed = self.recent.iter().filter(|failed| **failed).count();
        self.rule.failure_rate > 0
            && self.recent.len() == WINDOW
            && failed * 100 >= WINDOW * self.rule.failure_rate as usize
    }

    fn open(&mut self, now: Instant, chance: u64) -> bool {
        let doubled = self.rule.open_for.saturating_mul(1 << self.opened.min(20));
        let longest = doubled.min(self.rule.open_max.max(self.rule.open_for));
        // Up to a quarter sooner: several instances do not probe at the same moment.
        let sooner = longest / 4 * u32::try_from(chance % 1_001).unwrap_or(0) / 1_000;
        self.opened = self.opened.saturating_add(1);
        self.failures = 0;
        self.recent.clear();
        self.change(Phase::Open { until: now + (longest - sooner) });
        true
    }

    fn change(&mut self, phase: Phase) {
        self.phase = phase;
        self.generation = self.generation.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::{CircuitBreaker, Rule, WINDOW};
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    const OPEN_FOR: Duration = Duration::from_secs(30);

    fn breaker(failures: u32, failure_rate: u32) -> CircuitBreaker {
        let open_max = OPEN_FOR * 8;
        CircuitBreaker::new(Rule { failures, failure_rate, open_for: OPEN_FOR, open_max })
    }

    fn request(breaker: &mut CircuitBreaker, healthy: bool, now: Instant) -> bool {
        let pass = breaker.admit(now).unwrap();
        breaker.report(&pass, healthy, now, 0)
    }

    #[test]
    fn opens_after_failures_in_a_row_and_closes_on_a_good_probe() {
        let start = Instant::now();
        let mut breaker = breaker(3, 0);
        for healthy in [false, true, false, false] {
            assert!(!request(&mut breaker, healthy, start));
        }
        assert_eq!(breaker.allowance(start), None);
        assert!(request(&mut breaker, false, start));
        assert_eq!(breaker.allowance(start), Some(0));
        assert!(breaker.admit(start).is_none());
        let later = start + OPEN_FOR;
        assert_eq!(breaker.allowance(later), Some(1));
        let probe = breaker.admit(later).unwrap();
        assert_eq!(breaker.allowance(later), Some(0));
        assert!(breaker.admit(later).is_none(), "only one probe");
        assert!(!breaker.report(&probe, true, later, 0));
        assert_eq!(breaker.allowance(later), None);
    }

    #[test]
    fn opens_by_failure_rate_over_a_full_window() {
        let now = Instant::now();
        let mut breaker = breaker(0, 50);
        let mut opened = Vec::new();
        for number in 0..WINDOW {
            opened.push(request(&mut breaker, number % 2 == 0, now));
        }
        assert!(opened.pop().unwrap(), "half of a full window failed");
        assert!(opened.iter().all(|opened| !opened), "a part of a window says nothing");
    }

    #[test]
    fn each_failed_probe_doubles_the_open_time_up_to_the_cap() {
        let mut now = Instant::now();
        let mut breaker = breaker(1, 0);
        let mut times = Vec::new();
        for _ in 0..6 {
            request(&mut breaker, false, now);
            let until = breaker.opens_at().unwrap();
            times.push((until - now).as_secs());
            now = until;
        }
        assert_eq!(times, [30, 60, 120, 240, 240, 240]);
        request(&mut breaker, true, now);
        request(&mut breaker, false, now);
        assert_eq!(breaker.opens_at().unwrap() - now, OPEN_FOR, "short again after a success");
    }

    #[test]
    fn a_probe_that_was_not_made_is_the_next_ones() {
        let start = Instant::now();
        let mut breaker = breaker(1, 0);
        request(&mut breaker, false, start);
        let later = start + OPEN_FOR;
        let probe = breaker.admit(later).unwrap();
        breaker.abandon(&probe, later);
        assert_eq!(breaker.allowance(later), Some(1));
        let next = breaker.admit(later).unwrap();
        breaker.abandon(&probe, later);
        assert_eq!(breaker.allowance(later), Some(0), "an old pass changes nothing");
        assert!(breaker.report(&next, false, later, 0));
    }

    #[test]
    fn what_was_under_way_before_says_nothing_about_the_probe() {
        let start = Instant::now();
        let mut breaker = breaker(1, 0);
        let (slow, slower) = (breaker.admit(start).unwrap(), breaker.admit(start).unwrap());
        request(&mut breaker, false, start);
        let later = start + OPEN_FOR;
        let probe = breaker.admit(later).unwrap();
        assert!(!breaker.report(&slow, false, later, 0));
        assert!(!breaker.report(&slower, true, later, 0));
        assert!(breaker.is_open(), "only the probe decides");
        breaker.report(&probe, true, later, 0);
        assert!(!breaker.is_open());
    }

    #[test]
    fn zero_never_opens() {
        let now = Instant::now();
        let mut breaker = breaker(0, 0);
        assert!((0..1_000).all(|_| !request(&mut breaker, false, now)));
    }

    proptest! {
        /// Whatever happens: at most one probe at a time, open times within their bounds, and the
        /// way to another probe never ends.
        #[test]
        fn there_is_one_probe_and_always_another(
            steps in prop::collection::vec((0..4u8, any::<u64>()), 1..200),
        ) {
            let mut now = Instant::now();
            let mut breaker = breaker(2, 40);
            let mut under_way = Vec::new();
            for (step, chance) in steps {
                match step {
                    0 => under_way.extend(breaker.admit(now)),
                    1 | 2 if !under_way.is_empty() => {
                        let which = chance as usize % under_way.len();
                        let pass = under_way.swap_remove(which);
                        let opened = breaker.report(&pass, step == 1, now, chance);
                        if opened {
                            let time = breaker.opens_at().unwrap() - now;
                            prop_assert!(time <= OPEN_FOR * 8 && time >= OPEN_FOR / 4 * 3);
                        }
                    }
                    3 if !under_way.is_empty() && chance % 2 == 0 => {
                        let pass = under_way.swap_remove(0);
                        breaker.abandon(&pass, now);
                    }
                    _ => now += Duration::from_millis(chance % 60_000),
                }
                let probing = breaker.is_open() && breaker.opens_at().is_none();
                prop_assert!(!probing || breaker.admit(now).is_none());
            }
            for pass in &under_way {
                breaker.abandon(pass, now);
            }
            let late = now + OPEN_FOR * 8;
            prop_assert!(breaker.allowance(late) != Some(0));
        }
    }
}
