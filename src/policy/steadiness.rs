//! Whether the wall clock was set, told by a clock that never is.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Smaller differences are a clock that is being disciplined: they are followed in silence.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(1);

/// Compares wall time with monotonic time from look to look. A machine that slept looks like one
/// whose clock was set forward.
#[derive(Clone, Debug, Default)]
pub struct Steadiness {
    /// Wall and monotonic time of the last look.
    last: Option<(Timestamp, Duration)>,
    /// When the clock was last seen to have been set, by the monotonic clock.
    set_at: Option<Duration>,
    /// How far it was set back, as far as nobody has done anything about it.
    set_back: Duration,
}

impl Steadiness {
    /// Looks at both clocks; gives how far the wall clock was set since the last look.
    pub fn look(&mut self, now: Timestamp, monotonic: Duration) -> Option<SignedDuration> {
        let (last, before) = self.last.replace((now, monotonic))?;
        let passed = SignedDuration::try_from(monotonic.saturating_sub(before)).ok()?;
        let set = now.duration_since(last).checked_sub(passed)?;
        if set.abs() < TOLERANCE {
            return None;
        }
        self.set_at = Some(monotonic);
        if set.is_negative() {
            self.owe(set.unsigned_abs());
        }
        Some(set)
    }

    /// What is left until `time` has passed since the clock was last set: due times from before
    /// count only then. Zero when it never was.
    pub fn rest(&self, monotonic: Duration, time: Duration) -> Duration {
        let over = self.set_at.map_or(Duration::ZERO, |at| at.saturating_add(time));
        over.saturating_sub(monotonic)
    }

    /// From here on nothing is known of how time passed before: the process has just begun.
    pub fn begin(&mut self, monotonic: Duration) {
        self.set_at = Some(monotonic);
    }

    /// How far it was set back since this was last asked.
    pub fn take_set_back(&mut self) -> Duration {
        std::mem::take(&mut self.set_back)
    }

    /// Nothing could be done about that yet.
    pub fn owe(&mut self, set_back: Duration) {
        self.set_back = self.set_back.saturating_add(set_back);
    }
}

#[cfg(test)]
mod tests {
    use super::Steadiness;
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_780_000_000_000 + milliseconds).unwrap()
    }

    #[test]
    fn a_clock_that_is_disciplined_was_not_set() {
        let mut steadiness = Steadiness::default();
        for second in 0..1_000 {
            // Half a thousandth too fast.
            assert_eq!(steadiness.look(at(second * 10_005), SECOND * 10 * second as u32), None);
        }
        assert_eq!(steadiness.rest(SECOND * 10_000, SECOND * 600), Duration::ZERO);
    }

    #[test]
    fn set_forward_due_times_count_again_after_the_time_has_really_passed() {
        let mut steadiness = Steadiness::default();
        steadiness.look(at(0), Duration::ZERO);
        let set = steadiness.look(at(3_610_000), SECOND * 10);
        assert_eq!(set, Some(SignedDuration::from_hours(1)));
        assert_eq!(steadiness.rest(SECOND * 10, SECOND * 60), SECOND * 60);
        assert_eq!(steadiness.rest(SECOND * 50, SECOND * 60), SECOND * 20);
        assert_eq!(steadiness.rest(SECOND * 70, SECOND * 60), Duration::ZERO);
        assert_eq!(steadiness.take_set_back(), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn what_was_set_back_is_told_once_and_in_full(
            sets in prop::collection::vec(-10_000_000i64..10_000_000, 1..20),
        ) {
            let mut steadiness = Steadiness::default();
            let (mut wall, mut monotonic, mut back) = (0, Duration::ZERO, 0);
            steadiness.look(at(wall), monotonic);
            for set in sets {
                let set = set / 1_000 * 1_000;
                wall += 5_000 + set;
                monotonic += SECOND * 5;
                let seen = steadiness.look(at(wall), monotonic);
                prop_assert_eq!(seen.is_some(), set != 0);
                back += (-set).max(0);
            }
            prop_assert_eq!(steadiness.take_set_back().as_millis(), back as u128);
            prop_assert_eq!(steadiness.take_set_back(), Duration::ZERO);
        }
    }
}
