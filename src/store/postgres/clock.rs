//! The database's clock, as this process follows it: one for all instances, so that what one makes
//! due is due for the others, and a machine whose own clock is wrong moves nothing.

use crate::model::Clock;
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The database's time as it was told last, carried on by the monotonic clock of this machine.
/// Before the database has answered for the first time it is this machine's.
pub(super) struct DatabaseClock {
    machine: Arc<dyn Clock>,
    /// The database's time at a time of the monotonic clock.
    known: Mutex<Option<(Timestamp, Duration)>>,
}

impl DatabaseClock {
    pub fn new(machine: Arc<dyn Clock>) -> DatabaseClock {
        DatabaseClock { machine, known: Mutex::default() }
    }

    fn known(&self) -> MutexGuard<'_, Option<(Timestamp, Duration)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database has told its time in answer to a question that was asked at `asked`. The answer
    /// was on its way for a time that nobody knows, so time is only corrected as far as it is wrong
    /// for certain: an answer that was slow does not make it jump.
    pub fn heard(&self, told: Timestamp, asked: Duration) {
        let now = self.monotonic();
        let mut known = self.known();
        let latest = later(told, now.saturating_sub(asked));
        let ours = known.map_or(told, |(at, then)| later(at, now.saturating_sub(then)));
        *known = Some((ours.clamp(told, latest), now));
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        match *self.known() {
            Some((at, then)) => later(at, self.machine.monotonic().saturating_sub(then)),
            None => self.machine.now(),
        }
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }
}

/// An instant after another; the latest there is where it lies beyond.
fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine whose wall clock says nothing of use.
    struct Machine(Mutex<Duration>);

    impl Machine {
        fn pass(&self, seconds: u64) {
            *self.0.lock().unwrap() += Duration::from_secs(seconds);
        }
    }

    impl Clock for Machine {
        fn now(&self) -> Timestamp {
            at(-1_000_000)
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + seconds).unwrap()
    }

    #[test]
    fn time_is_the_databases_and_an_answer_that_was_slow_does_not_move_it() {
        let machine = Arc::new(Machine(Mutex::default()));
        let clock = DatabaseClock::new(machine.clone());
        assert_eq!(clock.now(), at(-1_000_000), "nothing is known yet");
        clock.heard(at(0), clock.monotonic());
        assert_eq!(clock.now(), at(0));
        machine.pass(20);
        assert_eq!(clock.now(), at(20), "the machine's wall clock counts for nothing");
        let asked = clock.monotonic();
        machine.pass(5);
        // Read by the database at once, and five seconds on its way.
        clock.heard(at(20), asked);
        assert_eq!(clock.now(), at(25));
        // Five seconds on its way to the database.
        let asked = clock.monotonic();
        machine.pass(5);
        clock.heard(at(30), asked);
        assert_eq!(clock.now(), at(30));
    }

    #[test]
    fn it_follows_when_the_databases_clock_is_set() {
        let machine = Arc::new(Machine(Mutex::default()));
        let clock = DatabaseClock::new(machine.clone());
        clock.heard(at(0), clock.monotonic());
        machine.pass(20);
        clock.heard(at(3_620), clock.monotonic());
        assert_eq!(clock.now(), at(3_620));
        machine.pass(20);
        let asked = clock.monotonic();
        machine.pass(1);
        clock.heard(at(40), asked);
        assert_eq!(clock.now(), at(41));
    }
}
