//! What both homes of the store decide alike about tasks: their text form, what a request made, how an
//! item ended, and the entries of all that.

use super::StoreError;
use super::acts::Seen;
use super::tasks::{Created, ItemEnd, NewTask, Selection, TaskChange, TaskView};
use crate::model::State;
use crate::model::codes::message as message_codes;
use crate::model::codes::store as codes;
use crate::record::{Draft, Kind, Phase};
use crate::store::Rerouted;
use jiff::Timestamp;
use std::sync::Arc;

/// A value as it stands in a column.
pub(super) fn text(value: &impl serde::Serialize) -> Result<String, StoreError> {
    let refused = |_| StoreError::new(&codes::STORE_REFUSED, "a value has no text form");
    serde_json::to_string(value).map_err(refused)
}

/// The value of a column.
pub(super) fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    let odd = |_| StoreError::new(&codes::STORE_REFUSED, "a task has another shape than expected");
    serde_json::from_str(text).map_err(odd)
}

impl Selection {
    /// The states it asks for, as a condition. They stand in the text: only so does the partial
    /// index over dead ones apply.
    pub(super) fn states_as_sql(&self) -> &'static str {
        let has = |wanted: State| self.states.iter().any(|state| state == wanted.name());
        let delivered = has(State::Delivered);
        match (!delivered || has(State::Dead), delivered) {
            (true, true) => "(e.state = 'dead' OR e.state = 'delivered')",
            (false, _) => "e.state = 'delivered'",
            (true, false) => "e.state = 'dead'",
        }
    }
}

/// What a request made; read again to be shown.
#[derive(Clone, Copy, Debug)]
pub(super) enum Made {
    New(i64),
    Known(i64),
    Reused,
}

impl Made {
    /// With the task as it is shown.
    pub fn shown(self, view: impl FnOnce(i64) -> Option<TaskView>) -> Option<Created> {
        Some(match self {
            Made::New(id) => Created::New(view(id)?),
            Made::Known(id) => Created::Known(view(id)?),
            Made::Reused => Created::Reused,
        })
    }

    /// The task it made or knows.
    pub fn task(self) -> Option<i64> {
        match self {
            Made::New(id) | Made::Known(id) => Some(id),
            Made::Reused => None,
        }
    }
}

impl NewTask {
    /// Its entry.
    pub(super) fn draft(&self, id: i64) -> Draft {
        let second = self.manner.new_effect.as_ref();
        let second = second.map(|name| format!(", new effect, second person {name}"));
        let count = self.exchanges.len();
        Draft {
            outcome: Some("replay-task-draft".to_owned()),
            reference: Some(id.to_string()),
            operator: Some(self.operator.as_str().into()),
            reason: Some(format!("{}; items {count}{}", self.reason, second.unwrap_or_default())),
            bundle: Arc::from(self.bundle.as_str()),
            ..Draft::new(Kind::Operate, Phase::Noted, self.at)
        }
    }
}

impl TaskChange {
    /// Its entry.
    pub(super) fn draft(&self) -> Draft {
        Draft {
            outcome: Some(format!("replay-task-{}", self.verb.name())),
            reference: Some(self.task.to_string()),
            operator: Some(self.operator.as_str().into()),
            reason: Some(self.reason.clone()),
            ..Draft::new(Kind::Operate, Phase::Noted, self.at)
        }
    }
}

/// The entry of a task of which no item waits any more.
pub(super) fn finished(task: i64, at: Timestamp) -> Draft {
    Draft {
        outcome: Some("replay-task-finished".to_owned()),
        reference: Some(task.to_string()),
        ..Draft::new(Kind::System, Phase::Noted, at)
    }
}

/// How an item ended.
pub(super) struct End {
    pub end: ItemEnd,
    /// The exchange it made.
    pub made: Option<i64>,
    pub code: Option<&'static str>,
    pub detail: Option<String>,
}

impl End {
    pub fn done(made: Option<i64>) -> End {
        End { end: ItemEnd::Done, made, code: None, detail: None }
    }

    pub fn skipped(detail: impl Into<String>) -> End {
        End { end: ItemEnd::Skipped, made: None, code: None, detail: Some(detail.into()) }
    }

    pub fn failed(code: &'static str, detail: impl Into<String>) -> End {
        End { end: ItemEnd::Failed, made: None, code: Some(code), detail: Some(detail.into()) }
    }

    /// The exchange is in a state that cannot be replayed in this way.
    pub fn not_now(seen: Option<&Seen>) -> End {
        let state = seen.and_then(|seen| seen.state).map_or("gone", State::name);
        End::skipped(format!("it is {state}"))
    }

    /// The word in the table.
    pub fn word(&self) -> &'static str {
        match self.end {
            ItemEnd::Done => "done",
            ItemEnd::Failed => "failed",
            ItemEnd::Skipped | ItemEnd::Gone => "skipped",
        }
    }
}

impl From<Rerouted> for End {
    fn from(rerouted: Rerouted) -> End {
        match rerouted {
            Rerouted::Done(_) => End::done(None),
            Rerouted::IdTaken => {
                End::failed(message_codes::MESSAGE_ID_REUSED.code, "accepted under its id since")
            }
            Rerouted::NotAllowed => End::skipped("it is not dead any more"),
        }
    }
}
