//! Tempting ways to do with less. The model must reject each of them, and says by which invariant.

use std::fmt;

/// A rule of the protocol left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    AckBeforeCommit,
    NoDeduplication,
    TwoConsumers,
    UnorderedWrites,
    SendBeforeIntent,
    NoFenceAtIntent,
    NoFenceAtSettle,
    BlindRetry,
    ForgetTheFlag,
    NewKeyPerAttempt,
    AskAtOnce,
    ResendWhateverIsDeclared,
    RecoveryMakesPending,
    RecoveryLeavesSending,
    StartSweepsTheLiving,
    LeaseShorterThanTimeout,
    SendWithoutLease,
    RenewalRevives,
    LaneGoesOnPastUnknown,
    DeadKeepsTheLane,
    SupersedeWhatMayBeSent,
}

impl Shortcut {
    /// All of them, in the order of a message's way.
    pub const ALL: [Shortcut; 21] = [
        Shortcut::AckBeforeCommit,
        Shortcut::NoDeduplication,
        Shortcut::TwoConsumers,
        Shortcut::UnorderedWrites,
        Shortcut::SendBeforeIntent,
        Shortcut::NoFenceAtIntent,
        Shortcut::NoFenceAtSettle,
        Shortcut::BlindRetry,
        Shortcut::ForgetTheFlag,
        Shortcut::NewKeyPerAttempt,
        Shortcut::AskAtOnce,
        Shortcut::ResendWhateverIsDeclared,
        Shortcut::RecoveryMakesPending,
        Shortcut::RecoveryLeavesSending,
        Shortcut::StartSweepsTheLiving,
        Shortcut::LeaseShorterThanTimeout,
        Shortcut::SendWithoutLease,
        Shortcut::RenewalRevives,
        Shortcut::LaneGoesOnPastUnknown,
        Shortcut::DeadKeepsTheLane,
        Shortcut::SupersedeWhatMayBeSent,
    ];
}

impl fmt::Display for Shortcut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Shortcut::AckBeforeCommit => "acknowledge before the commit",
            Shortcut::NoDeduplication => "take a repetition for something new",
            Shortcut::TwoConsumers => "two consumers on one queue",
            Shortcut::UnorderedWrites => "accept in another order than delivered",
            Shortcut::SendBeforeIntent => "send before the intent is recorded",
            Shortcut::NoFenceAtIntent => "intend without looking at the fence",
            Shortcut::NoFenceAtSettle => "settle without looking at the fence",
            Shortcut::BlindRetry => "take a lost answer for `not applied`",
            Shortcut::ForgetTheFlag => "forget that an earlier attempt may have been applied",
            Shortcut::NewKeyPerAttempt => "a new idempotency key per attempt",
            Shortcut::AskAtOnce => "ask before the settle time is over",
            Shortcut::ResendWhateverIsDeclared => {
                "send what is unknown again, whatever is declared"
            }
            Shortcut::RecoveryMakesPending => "a restart makes `sending` due as if never sent",
            Shortcut::RecoveryLeavesSending => "a restart leaves `sending` as it is",
            Shortcut::StartSweepsTheLiving => {
                "a start makes the other instance's `sending` unknown"
            }
            Shortcut::LeaseShorterThanTimeout => "a lease shorter than a request may last",
            Shortcut::SendWithoutLease => "send without looking at the own lease",
            Shortcut::RenewalRevives => "a renewed lease revives what was intended before",
            Shortcut::LaneGoesOnPastUnknown => "the lane goes on past `unknown`",
            Shortcut::DeadKeepsTheLane => "a dead letter keeps its lane",
            Shortcut::SupersedeWhatMayBeSent => "supersede what may have been sent",
        })
    }
}
