//! `Trouble`: why a command did not do its work, in words a person can act on.

use crate::config::connect::StartProblem;
use crate::model::codes::store;
use crate::model::{Code, Fault};
use crate::store::StoreError;
use crate::transport::amqp::BrokerError;
use std::fmt;

/// Exit code: the command line makes no sense.
pub const USAGE: u8 = 2;
/// Exit code: something that must never change did.
pub const INTEGRITY: u8 = 3;
/// Exit code: something needed is not there at the moment.
pub const UNAVAILABLE: u8 = 69;
/// Exit code: configuration or definitions must be mended first.
pub const CONFIGURATION: u8 = 78;

/// A command that did not do its work.
#[derive(Debug)]
pub struct Trouble {
    /// Exit code of the process.
    pub exit: u8,
    /// What went wrong; lowercase, no full stop.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Trouble {
    /// Trouble without a hint.
    pub fn new(exit: u8, message: impl Into<String>) -> Trouble {
        Trouble { exit, message: message.into(), hint: None }
    }

    /// A command line that makes no sense.
    pub fn usage(message: impl Into<String>) -> Trouble {
        Trouble::new(USAGE, message)
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Trouble {
        self.hint = Some(hint.into());
        self
    }

    fn of(code: &'static Code, message: String) -> Trouble {
        Trouble::new(exit_of(code), message).hint(code.remedy)
    }
}

/// The exit code that a registered code leads to.
pub fn exit_of(code: &'static Code) -> u8 {
    let integrity = [
        &store::RECORD_BROKEN,
        &store::RECORD_LINE_INVALID,
        &store::RECORD_NOT_CONTINUED,
        &store::RECORD_FORKED,
        &store::SEALED_DAMAGED,
        &store::STORE_CORRUPT,
        &store::BACKUP_INCOMPLETE,
        &store::BACKUP_DAMAGED,
    ];
    if integrity.contains(&code) {
        INTEGRITY
    } else if code.fault == Fault::Configuration {
        CONFIGURATION
    } else {
        UNAVAILABLE
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Trouble {
        Trouble::of(error.code, error.to_string())
    }
}

impl From<StartProblem> for Trouble {
    fn from(error: StartProblem) -> Trouble {
        Trouble::of(error.code, error.to_string())
    }
}

impl From<BrokerError> for Trouble {
    fn from(error: BrokerError) -> Trouble {
        Trouble::of(error.code, error.to_string())
    }
}
