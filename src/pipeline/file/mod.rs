//! Files: `write` gathers messages into sets of files, `read` makes messages of files that come.
//!
//! Both are done by the one instance that has the role. What they keep between passes is one row
//! each (`Store::set_cursor`); everything else is found again in the store and at the place.

#[cfg(test)]
mod approve_tests;
pub mod edges;
pub mod make;
pub mod manifest;
pub mod parse;
pub mod plan;
pub mod read;
#[cfg(test)]
mod read_tests;
pub mod results;
pub mod resume;
pub mod state;
#[cfg(test)]
mod testing;
pub mod write;
#[cfg(test)]
mod write_tests;

use super::context::{Context, Counterpart};
use crate::mapping::Meta;
use crate::model::codes::config;
use crate::model::{Code, Failure};
use crate::store::StoreError;
use crate::transport::place::{Place, PlaceError};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What is to be said of files: one note per operation and subject, until it is taken back.
#[derive(Debug, Default)]
pub struct Notes(Mutex<BTreeMap<(String, &'static str), Failed>>);

impl Notes {
    /// Sets or takes back a note; true where that changed what is said.
    pub fn set(&self, operation: &str, subject: &'static str, note: Option<Failed>) -> bool {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (operation.to_owned(), subject);
        match note {
            Some(note) => {
                let same = notes.get(&key).is_some_and(|known| known.code == note.code);
                notes.insert(key, note);
                !same
            }
            None => notes.remove(&key).is_some(),
        }
    }

    /// All of them: operation, code, detail.
    pub fn all(&self) -> Vec<(String, &'static Code, String)> {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |((operation, _), note): (&(String, &'static str), &Failed)| {
            (operation.clone(), note.code, note.detail.clone())
        };
        notes.iter().map(one).collect()
    }
}

/// Why a pass ended before its end.
#[derive(Clone, Debug)]
pub struct Failed {
    /// The registered code.
    pub code: &'static Code,
    /// Safe text.
    pub detail: String,
}

impl Failed {
    /// A failure of a registered code; `detail` must be safe to show.
    pub fn new(code: &'static Code, detail: impl Into<String>) -> Failed {
        Failed { code, detail: detail.into() }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        Failed::new(error.code, error.detail)
    }
}

impl From<PlaceError> for Failed {
    fn from(error: PlaceError) -> Failed {
        Failed::new(error.code, error.detail)
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Failed {
        Failed::new(failure.code, failure.detail)
    }
}

/// The place of an operation.
fn place(counterpart: &Counterpart, name: &str) -> Result<Arc<dyn Place>, Failed> {
    let missing = || {
        let section = format!("[counterpart.{}.place.{name}]", counterpart.adapter.name);
        Failed::new(&config::PLACE_MISSING, section)
    };
    counterpart.files.get(name).cloned().ok_or_else(missing)
}

/// What a mapping from `watashi/file@1` may know beside it.
fn meta(at: Timestamp) -> Meta {
    Meta {
        message_id: Arc::default(),
        message_type: Arc::default(),
        source: Arc::default(),
        municipality: None,
        operator: None,
        accepted_at: at,
        idempotency_key: Arc::default(),
        correlation_id: None,
        ticket: None,
        request: None,
    }
}

/// Says what went wrong with an operation's files, once.
fn tell(cx: &Context, operation: &str, subject: &'static str, failed: Option<Failed>) {
    let shown = failed.clone();
    if cx.files.set(operation, subject, failed)
        && let Some(Failed { code, detail }) = shown
    {
        let action = code.remedy;
        tracing::warn!(operation, code = code.code, detail, action, "files need attention");
    }
}
