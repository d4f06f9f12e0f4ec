//! `Failure`: why a message did not go on, in words that are safe to show.

use super::codes::Code;
use std::fmt;

/// A station of the way of a message: one verb, one file, one label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Recognise, deduplicate, make durable.
    Accept,
    /// Is it what its schema says?
    Validate,
    /// Into the counterpart's shape.
    Map,
    /// One attempt at the counterpart.
    Deliver,
    /// Record the outcome and what follows from it.
    Settle,
}

impl Stage {
    /// The label used in logs, metrics, store and console.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Accept => "accept",
            Stage::Validate => "validate",
            Stage::Map => "map",
            Stage::Deliver => "deliver",
            Stage::Settle => "settle",
        }
    }

    /// The stage of that label.
    pub fn from_name(name: &str) -> Option<Stage> {
        [Stage::Accept, Stage::Validate, Stage::Map, Stage::Deliver, Stage::Settle]
            .into_iter()
            .find(|stage| stage.name() == name)
    }
}

/// What may be done next (reliability: classification of an attempt).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Certainly not applied; trying again may help.
    TryAgain,
    /// Certainly not applied; trying the same again cannot help.
    Never,
    /// May have been applied.
    Unknown,
}

/// Who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The system that posted the message.
    Sender,
    /// Watashi itself or its machine.
    Gateway,
    /// The outside system.
    Counterpart,
    /// The definitions or `watashi.toml`.
    Configuration,
}

impl Fault {
    /// The word shown to people.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Sender => "sender",
            Fault::Gateway => "gateway",
            Fault::Counterpart => "counterpart",
            Fault::Configuration => "configuration",
        }
    }
}

/// Why a message did not go on. `detail` names paths, types, statuses and codes, never a value
/// out of a message.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The registered code.
    pub code: &'static Code,
    /// The station where it happened.
    pub stage: Stage,
    /// What may be done next.
    pub class: Class,
    /// Safe text: paths, kinds, counts. An author's `reject(CODE)` and a counterpart's declared
    /// error code appear here too.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.code.code, self.code.title)?;
        if self.detail.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.detail) }
    }
}

impl std::error::Error for Failure {}
