//! The states of an exchange, under the same names in store, logs, metrics and console.

use std::fmt;

/// Where one message stands on one route (design: "exchange").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Safe in the store; may be sent.
    Received,
    /// Waits for an earlier message of the same lane.
    Held,
    /// An attempt is under way; after a crash it becomes `Unknown`.
    Sending,
    /// The counterpart took it and will answer later (submit-poll).
    WaitingResult,
    /// Certainly not applied; the next attempt is due later.
    WaitingRetry,
    /// A second person must agree first.
    WaitingApproval,
    /// Applied, with proof. Final.
    Delivered,
    /// Certainly not applied, and will not be tried again by itself. Final unless replayed.
    Dead,
    /// May or may not have been applied; resolved as its operation declares.
    Unknown,
    /// The same message had already been accepted. Final.
    Duplicate,
    /// An operator gave it up. Final.
    Discarded,
}

impl State {
    /// All states, in the order of a message's life.
    pub const ALL: [State; 11] = [
        State::Received,
        State::Held,
        State::Sending,
        State::WaitingResult,
        State::WaitingRetry,
        State::WaitingApproval,
        State::Delivered,
        State::Dead,
        State::Unknown,
        State::Duplicate,
        State::Discarded,
    ];

    /// The name shown everywhere.
    pub fn name(self) -> &'static str {
        match self {
            State::Received => "received",
            State::Held => "held",
            State::Sending => "sending",
            State::WaitingResult => "waiting-result",
            State::WaitingRetry => "waiting-retry",
            State::WaitingApproval => "waiting-approval",
            State::Delivered => "delivered",
            State::Dead => "dead",
            State::Unknown => "unknown",
            State::Duplicate => "duplicate",
            State::Discarded => "discarded",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether the exchange has ended, so that the next of its lane may go.
    pub fn is_final(self) -> bool {
        matches!(self, State::Delivered | State::Dead | State::Duplicate | State::Discarded)
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
