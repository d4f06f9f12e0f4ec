//! What is shown of exchanges and their attempts, and by what they are chosen.

use crate::model::State;

/// Everything shown of one exchange; no personal data.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ExchangeView {
    /// Row.
    pub id: i64,
    /// Sender.
    pub source: String,
    /// Sender's id.
    pub message_id: String,
    /// Type.
    pub message_type: String,
    /// Route; empty when none could be chosen.
    pub route: String,
    /// Counterpart.
    pub counterpart: String,
    /// Operation.
    pub operation: String,
    /// State name.
    pub state: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Sticky flag.
    pub maybe_applied: bool,
    /// 処理通番 or task id.
    pub ticket: Option<String>,
    /// Code of the last failure.
    pub code: Option<String>,
    /// Station of the last failure.
    pub stage: Option<String>,
    /// Safe text of the last failure.
    pub detail: Option<String>,
    /// Accepted at (RFC 3339, UTC).
    pub accepted_at: String,
    /// Present state since (RFC 3339, UTC).
    pub since: String,
    /// Next due (RFC 3339, UTC).
    pub due: Option<String>,
    /// Digest of the definitions it goes by.
    pub bundle: String,
    /// The delivered exchange that it sends once more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<i64>,
}

/// One attempt, for a trace.
#[derive(Clone, Debug, serde::Serialize)]
pub struct AttemptView {
    /// Number, from 1.
    pub number: u32,
    /// Started at (RFC 3339, UTC).
    pub started_at: String,
    /// Finished at.
    pub finished_at: Option<String>,
    /// Outcome word.
    pub outcome: Option<String>,
    /// HTTP status.
    pub http_status: Option<u16>,
}

/// Filter of a list of exchanges; unset fields match all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// States wanted; empty: all.
    pub states: Vec<State>,
    /// Route.
    pub route: Option<String>,
    /// Code of the last failure.
    pub code: Option<String>,
    /// Sender's message id.
    pub message_id: Option<String>,
    /// Rows after this id (cursor paging).
    pub after: i64,
    /// At most this many (the store caps it at 1,000).
    pub limit: usize,
}

/// Exchanges of one route in one state.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Count {
    /// Route.
    pub route: String,
    /// State name.
    pub state: String,
    /// Code, for dead ones.
    pub code: Option<String>,
    /// How many.
    pub count: u64,
    /// Extra attempts beyond the first, summed.
    pub retried: u64,
    /// How many passed through `unknown` and were resolved to `delivered`.
    pub unknown_resolved: u64,
}
