//! From what an attempt brought to what follows: the one table of `reliability` in code.

use crate::model::Class;

/// How an operation resolves a lost answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The same request again, with the same key.
    Resend,
    /// Ask the counterpart after its settle time.
    Ask,
    /// Only a person can tell.
    Person,
}

/// What follows for the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Final: certainly not applied.
    Dead,
    /// `waiting-retry`, after the schedule's delay.
    Retry,
    /// `unknown`, to be resolved by itself.
    ResolveLater,
    /// `unknown`, until a person decides.
    Person,
}

/// Decides for an attempt that was not applied, or may have been.
///
/// - `class`: of this attempt's failure.
/// - `maybe_applied`: an earlier attempt may have been applied. It is sticky: no later refusal
///   makes the exchange dead (invariant I4), a person looks at it instead.
/// - `exhausted`: the schedule gives up.
pub fn follow(
    class: Class,
    maybe_applied: bool,
    exhausted: bool,
    resolution: Resolution,
) -> Follow {
    match class {
        Class::Never if maybe_applied => Follow::Person,
        Class::Never => Follow::Dead,
        Class::TryAgain if exhausted && maybe_applied => Follow::Person,
        Class::TryAgain if exhausted => Follow::Dead,
        // While an earlier attempt may have been applied, only the declared resolution may
        // lead to another request.
        Class::TryAgain if maybe_applied => resolve(resolution),
        Class::TryAgain => Follow::Retry,
        Class::Unknown if exhausted => Follow::Person,
        Class::Unknown => resolve(resolution),
    }
}

fn resolve(resolution: Resolution) -> Follow {
    match resolution {
        Resolution::Resend | Resolution::Ask => Follow::ResolveLater,
        Resolution::Person => Follow::Person,
    }
}

#[cfg(test)]
mod tests {
    use super::{Follow, Resolution, follow};
    use crate::model::Class;

    const ALL: [Resolution; 3] = [Resolution::Resend, Resolution::Ask, Resolution::Person];

    #[test]
    fn a_refusal_after_a_lost_answer_is_never_dead() {
        for resolution in ALL {
            for exhausted in [false, true] {
                assert_eq!(follow(Class::Never, true, exhausted, resolution), Follow::Person);
                let again = follow(Class::TryAgain, true, exhausted, resolution);
                assert_ne!(again, Follow::Dead);
                assert_ne!(again, Follow::Retry);
            }
        }
    }

    #[test]
    fn only_a_declared_resolution_sends_again_after_a_lost_answer() {
        assert_eq!(follow(Class::Unknown, false, false, Resolution::Resend), Follow::ResolveLater);
        assert_eq!(follow(Class::Unknown, false, false, Resolution::Ask), Follow::ResolveLater);
        assert_eq!(follow(Class::Unknown, true, false, Resolution::Person), Follow::Person);
        assert_eq!(follow(Class::Unknown, false, true, Resolution::Resend), Follow::Person);
    }

    #[test]
    fn certain_failures_retry_until_exhausted_then_die() {
        for resolution in ALL {
            assert_eq!(follow(Class::TryAgain, false, false, resolution), Follow::Retry);
            assert_eq!(follow(Class::TryAgain, false, true, resolution), Follow::Dead);
            assert_eq!(follow(Class::Never, false, false, resolution), Follow::Dead);
        }
    }
}
