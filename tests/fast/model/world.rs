//! The world of the model: a broker, a store, gateway instances, the network and a counterpart.
//!
//! Time is left out: whatever a clock would decide may happen at any moment, except where a rule of
//! the protocol or an assumption about the outside forbids it. Those places say so.

use std::fmt;
use watashi::model::Class;

/// Messages at most; all are of one person, so they share a lane.
pub const MESSAGES: usize = 2;
/// Gateway instances at most.
pub const INSTANCES: usize = 2;

/// Everything there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct World {
    /// The broker holds the message: confirmed to its producer, not acknowledged by us.
    pub kept: [bool; MESSAGES],
    /// The exchanges in the store: all here survives every crash.
    pub rows: [Option<Row>; MESSAGES],
    /// The gateway's processes: all here is lost in a crash.
    pub instances: [Instance; INSTANCES],
    /// Requests whose connection is gone and which may still arrive, per message: how many, or
    /// with a key per attempt which attempts.
    pub late: [u8; MESSAGES],
    /// What the counterpart did.
    pub there: [There; MESSAGES],
    /// What may still go wrong.
    pub left: Left,
}

/// One exchange in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Its state.
    pub state: State,
    /// Attempts so far: intents recorded.
    pub attempts: u8,
    /// Sticky: some attempt may have been applied.
    pub maybe: bool,
}

/// States of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Due.
    Received,
    /// Behind an earlier one of its lane.
    Held,
    /// An attempt is under way.
    Sending,
    /// May have been applied; resolved by itself.
    Unknown,
    /// May have been applied; waits for a person.
    Person,
    /// Certainly not applied; due again.
    Retry,
    /// Taken by the counterpart, which has no result yet.
    Waiting,
    /// Applied.
    Delivered,
    /// Certainly not applied, for good.
    Dead,
    /// Ended by a person, or superseded by a newer one before it was sent.
    Discarded,
}

impl State {
    /// Nothing comes after it.
    pub fn is_final(self) -> bool {
        matches!(self, State::Delivered | State::Dead | State::Discarded)
    }
}

/// One gateway process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instance {
    /// It runs.
    pub up: bool,
    /// Its lease holds.
    pub lease: bool,
    /// What it does with deliveries of the broker.
    pub takes: [Take; MESSAGES],
    /// What it does with exchanges.
    pub jobs: [Job; MESSAGES],
}

/// A delivery in an instance's hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Take {
    /// None.
    No,
    /// Taken, not durable.
    Fresh,
    /// Durable or recognised, not acknowledged.
    Durable,
    /// Acknowledged before it was durable (a shortcut).
    Acknowledged,
}

/// Work on one exchange. An old fence makes it stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// What it is about.
    pub doing: Doing,
    /// The exchange was changed by somebody else since it was read.
    pub stale: bool,
}

/// How far the work is. `number` is of the attempt, `maybe` the sticky flag as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    /// Nothing.
    Idle,
    /// Read from the store in this state; `number` attempts so far.
    Claimed { from: State, number: u8, maybe: bool },
    /// The intent is durable, nothing was sent. `lapsed`: the lease was lost since.
    Intended { number: u8, maybe: bool, lapsed: bool },
    /// The request left, its connection is open.
    Open { number: u8, maybe: bool },
    /// The attempt ended like this; nothing is written yet.
    Ended { number: u8, maybe: bool, with: Answer },
    /// A question about the exchange was answered; nothing is written yet.
    Told { number: u8, applied: bool },
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Applied, with proof.
    Applied,
    /// Taken; the result comes later.
    Taken,
    /// Certainly not applied, for good.
    Refused,
    /// Certainly not applied this time.
    Busy,
    /// No answer, or none that counts.
    Lost,
}

impl Answer {
    /// The class of the failure that it is, as the product classifies it.
    pub fn class(self) -> Option<Class> {
        match self {
            Answer::Applied | Answer::Taken => None,
            Answer::Refused => Some(Class::Never),
            Answer::Busy => Some(Class::TryAgain),
            Answer::Lost => Some(Class::Unknown),
        }
    }
}

/// What the counterpart did with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct There {
    /// How often it took it (counted up to two).
    pub taken: u8,
    /// The result was a refusal: taken, and not in effect.
    pub refused: bool,
    /// The result is known.
    pub decided: bool,
    /// Idempotency keys it knows, a bit each.
    pub keys: u8,
}

impl There {
    /// Whether it is in effect, or may come into effect by itself.
    pub fn in_effect(self) -> bool {
        self.taken > 0 && !self.refused
    }
}

/// What may still go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// Crashes.
    pub crashes: u8,
    /// Leases that run out while their instance lives: a pause, a partition.
    pub lapses: u8,
    /// Deliveries that come again.
    pub repetitions: u8,
    /// Acts of a person.
    pub acts: u8,
}

impl Instance {
    /// Running, with nothing to do.
    pub fn started() -> Instance {
        Instance { up: true, lease: true, takes: [Take::No; MESSAGES], jobs: [Job::IDLE; MESSAGES] }
    }

    /// Not there.
    pub fn down() -> Instance {
        Instance { up: false, lease: false, ..Instance::started() }
    }
}

impl Job {
    /// No work.
    pub const IDLE: Job = Job { doing: Doing::Idle, stale: false };
}

/// What must hold: the invariants of the delivery protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// Acknowledged ⇒ durable.
    Lost,
    /// Sent ⇒ the intent was durable before.
    Unrecorded,
    /// In effect at most once.
    Doubled,
    /// `delivered` ⇒ in effect; `dead` ⇒ not in effect.
    Untrue,
    /// From everywhere an end, or a person, can be reached.
    Stuck,
    /// In effect in the order of the lane.
    Overtaken,
}

impl Invariant {
    /// Its number and its word in the documents.
    pub fn name(self) -> &'static str {
        match self {
            Invariant::Lost => "I1 lost",
            Invariant::Unrecorded => "I2 unrecorded",
            Invariant::Doubled => "I3 doubled",
            Invariant::Untrue => "I4 untrue",
            Invariant::Stuck => "I5 stuck",
            Invariant::Overtaken => "I6 out of order",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One thing that happens, for people to read.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Who: an instance by letter, or nobody.
    pub instance: Option<usize>,
    /// What.
    pub what: &'static str,
    /// Which message, from 0.
    pub message: Option<usize>,
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(instance) = self.instance {
            write!(formatter, "{}: ", if instance == 0 { 'A' } else { 'B' })?;
        }
        if let Some(message) = self.message {
            write!(formatter, "message {}: ", message + 1)?;
        }
        formatter.write_str(self.what)
    }
}
