//! The rate limit of one counterpart: at most so many requests a second, evenly.

use std::time::{Duration, Instant};

/// Lets one request start per interval; unused time is not saved up beyond one second.
#[derive(Debug)]
pub struct Pace {
    interval: Duration,
    next: Option<Instant>,
}

impl Pace {
    /// `per_second` of 0: no limit.
    pub fn new(per_second: u32) -> Self {
        let interval =
            if per_second == 0 { Duration::ZERO } else { Duration::from_secs(1) / per_second };
        Pace { interval, next: None }
    }

    /// When the next request may start; reserves that moment.
    pub fn reserve(&mut self, now: Instant) -> Instant {
        if self.interval.is_zero() {
            return now;
        }
        let burst = Duration::from_secs(1);
        let earliest = now.checked_sub(burst).unwrap_or(now);
        let start = self.next.map_or(now, |next| next.max(earliest));
        self.next = Some(start + self.interval);
        start.max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use std::time::{Duration, Instant};

    #[test]
    fn spreads_requests_beyond_the_rate() {
        let now = Instant::now();
        let mut pace = Pace::new(10);
        let starts: Vec<Instant> = (0..3).map(|_| pace.reserve(now)).collect();
        assert_eq!(starts[0], now);
        assert_eq!(starts[2], now + Duration::from_millis(200));
    }

    #[test]
    fn idle_time_allows_at_most_a_second_worth() {
        let now = Instant::now();
        let mut pace = Pace::new(2);
        pace.reserve(now);
        let later = now + Duration::from_secs(60);
        let at_once = (0..10).filter(|_| pace.reserve(later) == later).count();
        assert_eq!(at_once, 3);
    }

    #[test]
    fn no_limit_never_waits() {
        let now = Instant::now();
        let mut pace = Pace::new(0);
        assert!((0..100).all(|_| pace.reserve(now) == now));
    }
}
