//! The brake of the intake: how long new messages may wait for a place, so that they can go on at
//! once instead of through the store.
//!
//! A counterpart that is quick frees places all the time: waiting for one is over in a moment, and
//! every message that then goes on gives time back. A slow one uses the time up in a second, and
//! from then on nobody waits for it: messages for others stand behind it in the same queue.

use std::time::Duration;

/// Most that may be waited without anything going on: longer than opening all connections takes.
const MOST: Duration = Duration::from_secs(1);
/// What each message that went on gives back: below a thousand messages a second waiting ends.
const PER_MESSAGE: Duration = Duration::from_millis(1);

/// Time waited and not given back yet.
#[derive(Debug, Default)]
pub struct Brake {
    waited: Duration,
}

impl Brake {
    /// How long may still be waited; `None` once it is used up.
    pub fn left(&self) -> Option<Duration> {
        MOST.checked_sub(self.waited).filter(|left| !left.is_zero())
    }

    /// So long was waited.
    pub fn waited(&mut self, time: Duration) {
        self.waited = self.waited.saturating_add(time).min(MOST);
    }

    /// A message went on at once.
    pub fn went_on(&mut self) {
        self.waited = self.waited.saturating_sub(PER_MESSAGE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_quick_counterpart_is_waited_for_again_and_again() {
        let mut brake = Brake::default();
        for _ in 0..1_000 {
            assert!(brake.left().is_some());
            brake.waited(millis(8));
            (0..60).for_each(|_| brake.went_on());
        }
    }

    #[test]
    fn a_slow_one_uses_the_time_up() {
        let mut brake = Brake::default();
        let mut rounds = 0;
        loop {
            brake.waited(millis(5));
            rounds += 1;
            if brake.left().is_none() {
                break;
            }
            brake.went_on();
        }
        assert_eq!(rounds, 250, "a message each 5 ms: given up after little more than a second");
        brake.went_on();
        assert_eq!(brake.left(), Some(millis(1)));
    }

    #[test]
    fn one_long_wait_counts_no_more_than_all_there_is() {
        let mut brake = Brake::default();
        brake.waited(Duration::MAX);
        assert_eq!(brake.left(), None);
        (0..1_000).for_each(|_| brake.went_on());
        assert_eq!(brake.left(), Some(MOST));
    }
}
