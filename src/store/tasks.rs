//! Replays as tasks: which exchanges, at what rate, how far, by whom and why. Every item is
//! replayed at most once per task, and once over all tasks unless the task says otherwise.

use super::{Later, NewMessage};
use crate::model::State;
use jiff::Timestamp;

/// Most items of one task: more than this is no longer one decision.
pub const MAX_ITEMS: usize = 10_000;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskState {
    /// Made and shown; nothing is replayed yet.
    Draft,
    /// Its items are replayed, one after the other.
    Running,
    /// Stopped by an operator; goes on when told.
    Paused,
    /// No item waits any more.
    Finished,
    /// Given up by an operator; what was replayed stays replayed.
    Cancelled,
}

impl TaskState {
    /// All states.
    pub const ALL: [TaskState; 5] = [
        TaskState::Draft,
        TaskState::Running,
        TaskState::Paused,
        TaskState::Finished,
        TaskState::Cancelled,
    ];

    /// The name shown everywhere.
    pub fn name(self) -> &'static str {
        match self {
            TaskState::Draft => "draft",
            TaskState::Running => "running",
            TaskState::Paused => "paused",
            TaskState::Finished => "finished",
            TaskState::Cancelled => "cancelled",
        }
    }

    /// The state of that name.
    pub fn from_name(name: &str) -> Option<TaskState> {
        TaskState::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What an operator may do with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskVerb {
    /// `draft` → `running`.
    Start,
    /// `running` → `paused`.
    Pause,
    /// `paused` → `running`.
    Resume,
    /// `draft`, `running` or `paused` → `cancelled`.
    Cancel,
}

impl TaskVerb {
    /// The verb of that name.
    pub fn from_name(name: &str) -> Option<TaskVerb> {
        let all = [TaskVerb::Start, TaskVerb::Pause, TaskVerb::Resume, TaskVerb::Cancel];
        all.into_iter().find(|verb| verb.name() == name)
    }

    /// The word of the verb.
    pub fn name(self) -> &'static str {
        match self {
            TaskVerb::Start => "start",
            TaskVerb::Pause => "pause",
            TaskVerb::Resume => "resume",
            TaskVerb::Cancel => "cancel",
        }
    }

    /// The state it leads to; `None` where it is not allowed.
    pub fn next(self, from: TaskState) -> Option<TaskState> {
        match (self, from) {
            (TaskVerb::Start, TaskState::Draft) | (TaskVerb::Resume, TaskState::Paused) => {
                Some(TaskState::Running)
            }
            (TaskVerb::Pause, TaskState::Running) => Some(TaskState::Paused),
            (TaskVerb::Cancel, TaskState::Draft | TaskState::Running | TaskState::Paused) => {
                Some(TaskState::Cancelled)
            }
            _ => None,
        }
    }
}

/// Which exchanges a task takes; unset fields match all.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Selection {
    /// `dead` or `delivered`; empty: dead ones.
    pub states: Vec<String>,
    /// Route; the empty text stands for those that no route could take.
    pub route: Option<String>,
    /// Code of the last failure.
    pub code: Option<String>,
    /// Accepted at or after this instant.
    pub from: Option<Timestamp>,
    /// Accepted before this instant.
    pub to: Option<Timestamp>,
    /// Senders' message ids; empty: all.
    pub messages: Vec<String>,
    /// Rows of exchanges; empty: all.
    pub exchanges: Vec<i64>,
}

/// How the items of a task are replayed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Manner {
    /// By the definitions each was accepted under, instead of those in force.
    pub accepted: bool,
    /// Items a second.
    pub rate: u32,
    /// Also those that another task has replayed.
    pub force: bool,
    /// The second person who answers for a new effect: delivered exchanges are sent under a new
    /// idempotency key.
    pub new_effect: Option<String>,
}

/// A task before it has a row.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Chosen by the client: the same request makes one task however often it comes.
    pub request: String,
    /// What was asked for.
    pub selection: Selection,
    /// How.
    pub manner: Manner,
    /// What the selection found, in order.
    pub exchanges: Vec<i64>,
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Digest of the definitions in force, for the entry.
    pub bundle: String,
}

/// What became of a request to make a task.
#[derive(Clone, Debug)]
pub enum Created {
    /// Made.
    New(TaskView),
    /// The same request had made it before.
    Known(TaskView),
    /// The request id was used for another task.
    Reused,
}

/// A task as it is shown.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct TaskView {
    /// Row.
    pub id: i64,
    /// State name.
    pub state: String,
    /// What was asked for.
    pub selection: Selection,
    /// How.
    pub manner: Manner,
    /// Who made it.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Made at (RFC 3339, UTC).
    pub created_at: String,
    /// Last changed at (RFC 3339, UTC).
    pub changed_at: String,
    /// Items that wait.
    pub waiting: u64,
    /// Items replayed.
    pub done: u64,
    /// Items that could not be replayed.
    pub failed: u64,
    /// Items left alone: replayed by another task, or in another state by now.
    pub skipped: u64,
}

/// One item of a task as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ItemView {
    /// Row of the exchange.
    pub exchange: i64,
    /// `waiting`, `done`, `failed`, `skipped`.
    pub state: String,
    /// The exchange that was made for it, when it was another one.
    pub made: Option<i64>,
    /// Code of what stood against it.
    pub code: Option<String>,
    /// Safe text.
    pub detail: Option<String>,
}

/// A change of a task by an operator.
#[derive(Clone, Debug)]
pub struct TaskChange {
    /// Row of the task.
    pub task: i64,
    /// What.
    pub verb: TaskVerb,
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// The next item of a running task.
#[derive(Clone, Debug)]
pub struct NextItem {
    /// Row of the task.
    pub task: i64,
    /// Row of the exchange.
    pub exchange: i64,
    /// State the exchange is in.
    pub state: Option<State>,
    /// How.
    pub manner: Manner,
    /// Who made the task.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// How one item is to be replayed.
#[derive(Debug)]
pub enum How {
    /// A dead one goes again as it is, under these definitions; `None`: those it had.
    Again(Option<String>),
    /// A message that no route could take is recognised now.
    Recognised(Box<NewMessage>),
    /// A delivered one is sent once more, as an exchange of its own.
    Anew {
        /// The key its attempts carry.
        idempotency_key: String,
        /// Definitions it goes by; `None`: those it had.
        bundle: Option<String>,
    },
    /// It must not, or cannot, go again.
    Refused {
        /// Code.
        code: &'static str,
        /// Safe text.
        detail: String,
    },
}

/// One item on its way.
#[derive(Debug)]
pub struct ItemReplay {
    /// Row of the task.
    pub task: i64,
    /// Row of the exchange.
    pub exchange: i64,
    /// How.
    pub how: How,
    /// When.
    pub at: Timestamp,
}

/// What became of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemEnd {
    /// Replayed.
    Done,
    /// It could not be.
    Failed,
    /// It was left alone.
    Skipped,
    /// The task runs no more, or the item had ended before. Nothing was written.
    Gone,
}

/// The part of a store that keeps tasks.
pub trait Tasks {
    /// Rows of the exchanges that a selection matches, in order, at most `limit`.
    fn select(&self, selection: Selection, limit: usize) -> Later<'_, Vec<i64>>;
    /// Makes a task in the state `draft` and writes its entry.
    fn create_task(&self, task: NewTask) -> Later<'_, Created>;
    /// A task.
    fn task(&self, id: i64) -> Later<'_, Option<TaskView>>;
    /// The newest tasks, newest first.
    fn tasks(&self, limit: usize) -> Later<'_, Vec<TaskView>>;
    /// Items of a task after an exchange, in order; in one state, or in all.
    fn task_items(
        &self,
        task: i64,
        state: Option<&'static str>,
        after: i64,
        limit: usize,
    ) -> Later<'_, Vec<ItemView>>;
    /// Changes a task and writes the operator's entry; `None` where its state does not allow it.
    fn change_task(&self, change: TaskChange) -> Later<'_, Option<TaskState>>;
    /// The next waiting items of every running task, at most `limit` of each.
    fn next_items(&self, limit: usize) -> Later<'_, Vec<NextItem>>;
    /// Replays one item: effect, item and entry in one transaction. The last one finishes its
    /// task.
    fn replay_item(&self, item: ItemReplay) -> Later<'_, ItemEnd>;
    /// An exchange with its opened body, whatever its state; `None` when there is none.
    fn examine(&self, exchange: i64) -> Later<'_, Option<super::Claimed>>;
}
