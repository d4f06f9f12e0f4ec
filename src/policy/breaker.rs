//! The circuit breaker of one counterpart: after enough failures in a row it is left alone, then
//! one probe decides. While it is open nothing is claimed, so no attempt is burnt.

use std::time::{Duration, Instant};

/// Closed (requests flow), open (none), half open (one probe under way).
#[derive(Debug)]
pub struct CircuitBreaker {
    failures_to_open: u32,
    open_for: Duration,
    failures: u32,
    state: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { until: Instant },
    Probing { since: Instant },
}

impl CircuitBreaker {
    /// A closed breaker. `failures_to_open` of 0 never opens.
    pub fn new(failures_to_open: u32, open_for: Duration) -> Self {
        CircuitBreaker { failures_to_open, open_for, failures: 0, state: Phase::Closed }
    }

    /// How many requests may start now: `None` is no limit, `Some(1)` the probe, `Some(0)` none.
    /// A probe that never reports back is given up after `open_for`.
    pub fn allowance(&self, now: Instant) -> Option<usize> {
        match self.state {
            Phase::Closed => None,
            Phase::Open { until } => Some(usize::from(now >= until)),
            Phase::Probing { since } => {
                Some(usize::from(now.saturating_duration_since(since) >= self.open_for))
            }
        }
    }

    /// A request starts: an open breaker whose time is over now waits for this probe.
    pub fn started(&mut self, now: Instant) {
        if self.state != Phase::Closed {
            self.state = Phase::Probing { since: now };
        }
    }

    /// The counterpart answered in a way that shows it is alive, whatever it said.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.state = Phase::Closed;
    }

    /// The counterpart could not be reached, hung, or said that it is unavailable. Returns true
    /// when this opened the breaker.
    pub fn failed(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let probing = matches!(self.state, Phase::Probing { .. });
        let enough = self.failures_to_open > 0 && self.failures >= self.failures_to_open;
        if probing || (enough && self.state == Phase::Closed) {
            self.state = Phase::Open { until: now + self.open_for };
            return true;
        }
        false
    }

    /// Whether it is not closed: what readiness and the metric show.
    pub fn is_open(&self) -> bool {
        self.state != Phase::Closed
    }

    /// When it will let a probe through, if it is open.
    pub fn opens_at(&self) -> Option<Instant> {
        match self.state {
            Phase::Closed => None,
            Phase::Open { until } => Some(until),
            Phase::Probing { since } => Some(since + self.open_for),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CircuitBreaker;
    use std::time::{Duration, Instant};

    const OPEN_FOR: Duration = Duration::from_secs(30);

    #[test]
    fn opens_after_failures_in_a_row_and_closes_on_a_good_probe() {
        let start = Instant::now();
        let mut breaker = CircuitBreaker::new(3, OPEN_FOR);
        assert!(!breaker.failed(start));
        breaker.succeeded();
        assert!(!breaker.failed(start));
        assert!(!breaker.failed(start));
        assert_eq!(breaker.allowance(start), None);
        assert!(breaker.failed(start));
        assert_eq!(breaker.allowance(start), Some(0));
        let later = start + OPEN_FOR;
        assert_eq!(breaker.allowance(later), Some(1));
        breaker.started(later);
        assert_eq!(breaker.allowance(later), Some(0));
        breaker.succeeded();
        assert_eq!(breaker.allowance(later), None);
    }

    #[test]
    fn a_failed_probe_opens_it_again_and_a_lost_probe_is_given_up() {
        let start = Instant::now();
        let mut breaker = CircuitBreaker::new(1, OPEN_FOR);
        breaker.failed(start);
        let later = start + OPEN_FOR;
        breaker.started(later);
        assert!(breaker.failed(later));
        assert_eq!(breaker.allowance(later), Some(0));
        let again = later + OPEN_FOR;
        breaker.started(again);
        assert_eq!(breaker.allowance(again + OPEN_FOR), Some(1));
    }

    #[test]
    fn zero_never_opens() {
        let start = Instant::now();
        let mut breaker = CircuitBreaker::new(0, OPEN_FOR);
        for _ in 0..1_000 {
            assert!(!breaker.failed(start));
        }
        assert_eq!(breaker.allowance(start), None);
    }
}
