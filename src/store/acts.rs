//! What both homes of the store decide alike about an operator's act, and about beginnings and ends.

use super::approvals::Again;
use super::epoch::Known;
use super::{ActVerb, NewExchange};
use crate::model::State;
use crate::record::Draft;

impl ActVerb {
    /// The word of the act in the record.
    pub fn name(self) -> &'static str {
        match self {
            ActVerb::Replay => "replay",
            ActVerb::Discard => "discard",
            ActVerb::ConfirmApplied => "confirm-applied",
            ActVerb::ConfirmNotApplied => "confirm-not-applied",
            ActVerb::Answer => "answered",
        }
    }

    /// The state it leads an exchange to; `None` where the present one does not allow it. `is_open`:
    /// its lane has something that has not ended; `doubt`: it may have gone on before a restore.
    pub(super) fn leads_to(
        self,
        seen: &Seen,
        again: Again,
        is_open: bool,
        doubt: bool,
    ) -> Option<State> {
        Some(match (self, seen.state?) {
            // Nothing claims an exchange without a counterpart: it would wait unseen (see reroute).
            (ActVerb::Replay, State::Dead) if seen.draft.counterpart.is_empty() => return None,
            (ActVerb::Replay, State::Dead) if again == Again::Taken => return None,
            (ActVerb::Replay, State::Dead) if again == Again::Asks => State::WaitingApproval,
            (ActVerb::Replay, State::Dead) if is_open => State::Held,
            (ActVerb::Replay, State::Dead) if doubt => State::Unknown,
            (ActVerb::Replay, State::Dead) => State::Received,
            (ActVerb::Discard, State::Dead | State::Unknown) => State::Discarded,
            (ActVerb::ConfirmApplied, State::Unknown) => State::Delivered,
            (ActVerb::Answer, State::Dead | State::Unknown) => State::Delivered,
            (ActVerb::ConfirmNotApplied, State::Unknown) => State::WaitingRetry,
            _ => return None,
        })
    }
}

/// An exchange as an act finds it.
pub(super) struct Seen {
    pub message: i64,
    pub state: Option<State>,
    pub lane: i64,
    pub since: i64,
    pub was_unknown: bool,
    /// All of the entry that the exchange itself gives.
    pub draft: Draft,
}

impl Seen {
    /// It as the tallies see it, in a final state.
    pub fn ended(&self, state: State) -> Ended<'_> {
        Ended {
            route: &self.draft.route,
            state: state.name(),
            code: self.code(),
            attempts: i64::from(self.draft.attempt),
            resolved: false,
        }
    }

    /// Why it failed; empty where it did not.
    pub fn code(&self) -> &str {
        self.draft.code.as_deref().unwrap_or("")
    }
}

/// An exchange as the tallies see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended<'a> {
    /// Its route.
    pub route: &'a str,
    /// Name of its final state.
    pub state: &'static str,
    /// Why it is dead.
    pub code: &'a str,
    /// Attempts it took.
    pub attempts: i64,
    /// Whether it was delivered after its outcome had been unknown.
    pub resolved: bool,
}

/// An exchange that is final from its beginning, for the tallies.
pub(super) fn born_final<'a>(route: &'a str, state: State, code: &'a str) -> Ended<'a> {
    Ended { route, state: state.name(), code, attempts: 0, resolved: false }
}

/// The state in which an exchange begins: behind what its lane has under way it is held.
pub(super) fn first_state(
    exchange: &NewExchange,
    known: Known,
    is_open: impl FnOnce() -> bool,
) -> State {
    if exchange.failure.is_some() {
        State::Dead
    } else if let Known::Ended(state) = known {
        state
    } else if exchange.approval.is_some() {
        // It enters its lane when a second person has agreed, also where it is in doubt.
        State::WaitingApproval
    } else if is_open() {
        State::Held
    } else if known == Known::Doubt {
        State::Unknown
    } else {
        State::Received
    }
}
