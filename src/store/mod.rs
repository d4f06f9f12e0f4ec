//! `Store`: everything that must survive a crash. One trait with two homes: SQLite for one instance,
//! PostgreSQL where several share the work.
//!
//! Promises: what `accept`, `intend` and `settle` return has been fsynced; each call is all or
//! nothing per message; calls made at the same time share one transaction and one fsync.

use crate::model::{Code, Envelope, Failure, Secret, State};
pub use crate::record::RecordRow;
use crate::record::{Draft, Frontier, Kind};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;

mod acts;
mod announcement;
pub mod approvals;
pub mod backup;
pub mod bundles;
#[cfg(test)]
pub(crate) mod conformance;
#[cfg(test)]
mod conformance_answers;
#[cfg(test)]
mod conformance_approvals;
#[cfg(test)]
mod conformance_clock;
#[cfg(test)]
mod conformance_direct;
#[cfg(test)]
mod conformance_epochs;
#[cfg(test)]
mod conformance_lanes;
#[cfg(test)]
mod conformance_purge;
#[cfg(test)]
mod conformance_record;
#[cfg(test)]
mod conformance_rotation;
#[cfg(test)]
mod conformance_tasks;
pub mod epoch;
pub mod inspect;
pub mod instances;
pub mod keys;
#[cfg(test)]
mod lifecycle;
mod listing;
mod owner;
pub mod postgres;
pub mod purge;
pub mod record;
pub mod rotation;
pub mod sqlite;
mod task_steps;
pub mod tasks;
mod ticketed;

pub use announcement::Announcement;
pub use approvals::Approvals;
pub use bundles::{Bundles, KeptBundle};
pub use epoch::{Epoch, EpochBegun, Fate, Ghost, NewEpoch};
pub use inspect::Inspect;
pub use instances::{InstanceView, Instances};
pub use keys::Keys;
pub use listing::{AttemptView, Count, ExchangeView, Filter};
pub use owner::Owner;
pub use postgres::PostgresStore;
pub use purge::Forget;
pub use record::RecordStore;
pub use rotation::Rotate;
pub use sqlite::SqliteStore;
pub use tasks::Tasks;
pub use ticketed::{MAX_TICKETED, Ticketed};

/// A message as it arrives, before it has a row.
#[derive(Debug)]
pub struct NewMessage {
    /// Envelope.
    pub envelope: Arc<Envelope>,
    /// Keyed hash over type and body: tells a repetition from a reuse of the id.
    pub fingerprint: [u8; 32],
    /// The original bytes; the store seals them.
    pub body: Secret<Vec<u8>>,
    /// One per route, or one dead one when no route can take it.
    pub exchanges: Vec<NewExchange>,
    /// Entries written in the same transaction.
    pub record: Vec<Draft>,
    /// Told to upstream when the id turns out to have been used for other content.
    pub if_reused: Option<Announcement>,
}

/// One route's share of a new message.
#[derive(Clone, Debug)]
pub struct NewExchange {
    /// Route name; empty when no route could be chosen.
    pub route: Arc<str>,
    /// Counterpart name.
    pub counterpart: Arc<str>,
    /// Operation name.
    pub operation: Arc<str>,
    /// Keyed hash of the ordering key; messages of one lane leave one after the other.
    pub lane: i64,
    /// The key every attempt carries.
    pub idempotency_key: Arc<str>,
    /// Keyed pseudonym of the person.
    pub subject: Option<Arc<str>>,
    /// Set when it is dead on arrival.
    pub failure: Option<Failure>,
    /// Told to upstream when it is dead on arrival.
    pub announce: Option<NewOutgoing>,
    /// What becomes of older states of the same route and lane; `None`: they go first.
    pub supersedes: Option<Supersede>,
    /// Digest of the definitions in force.
    pub bundle: Arc<str>,
    /// The first attempt, where it can be made as soon as the message is safe.
    pub first: Option<FirstAttempt>,
    /// A second person must agree before it is sent.
    pub approval: Option<Box<approvals::NewApproval>>,
    /// It brings something that a person must answer.
    pub opens: Option<Box<approvals::NewDemand>>,
}

/// An intent that is written with the message itself: everything an [`Intent`] says of an exchange
/// that has no row yet.
#[derive(Clone, Debug)]
pub struct FirstAttempt {
    /// SHA-256 of the request, hex.
    pub request_digest: String,
    /// When.
    pub at: Timestamp,
    /// Entry "intended"; the store fills in the commitment.
    pub record: Option<Draft>,
}

/// How a newer state of one route and lane ends older ones: those that have certainly not been
/// applied and are not under way. They are `discarded`.
#[derive(Clone)]
pub struct Supersede {
    /// Why they end.
    pub failure: Failure,
    /// Kind of their entries in the record; `None` where the route is not recorded.
    pub record: Option<Kind>,
    /// Makes what upstream is told, out of an older one's envelope and key.
    pub announce: Arc<Announce>,
}

/// Makes a message for upstream out of an exchange's envelope and idempotency key.
pub type Announce = dyn Fn(&Envelope, &str) -> NewOutgoing + Send + Sync;

impl std::fmt::Debug for Supersede {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Supersede")
    }
}

/// Which exchanges are looked at for a deadline that has passed.
#[derive(Clone, Debug)]
pub struct Overdue {
    /// Counterpart name.
    pub counterpart: String,
    /// Routes, each with the instant at or before which its messages were accepted too long ago.
    pub routes: Vec<(String, Timestamp)>,
    /// Exchanges after this one.
    pub after: i64,
    /// At most so many are looked at.
    pub limit: usize,
}

/// What became of an accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// New: these exchanges were created.
    New {
        /// Row of the message.
        message: i64,
        /// Rows of its exchanges.
        exchanges: Vec<i64>,
        /// The state each of them begins in, in the same order. `sending`: its first attempt was
        /// taken as if by `intend`, and whoever accepted it has to make it. A store may leave any
        /// of them `received` instead.
        states: Vec<State>,
        /// Commitment to the body, for record entries.
        commitment: Arc<str>,
    },
    /// The same message had been accepted before; finished answers are published again.
    Duplicate,
    /// The same id with other content: kept apart as a dead letter, nothing is sent.
    Quarantined,
}

/// Which exchanges a dispatcher wants.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Counterpart name.
    pub counterpart: String,
    /// Operation name.
    pub operation: String,
    /// States wanted.
    pub states: Vec<State>,
    /// Due at or before this instant.
    pub now: Timestamp,
    /// At most this many.
    pub limit: usize,
    /// Exchanges under way in memory, to leave out.
    pub exclude: HashSet<i64>,
}

/// An exchange read for work. Reading changes nothing: `intend` takes it, guarded by `fence`.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// Row of the exchange.
    pub id: i64,
    /// Row of the message.
    pub message: i64,
    /// Guard: a write with an old fence changes nothing.
    pub fence: i64,
    /// State it was read in.
    pub state: State,
    /// Route name.
    pub route: Arc<str>,
    /// The key every attempt carries.
    pub idempotency_key: Arc<str>,
    /// Attempts so far.
    pub attempts: u32,
    /// Sticky: some attempt may have been applied.
    pub maybe_applied: bool,
    /// 処理通番 or task id of an accepted submit.
    pub ticket: Option<String>,
    /// When the present state was entered.
    pub since: Timestamp,
    /// Keyed pseudonym of the person.
    pub subject: Option<Arc<str>>,
    /// Digest of the definitions it goes by; the pipeline may put newer ones here.
    pub bundle: Arc<str>,
    /// Commitment to the body, for record entries.
    pub commitment: Arc<str>,
    /// Envelope of the message.
    pub envelope: Arc<Envelope>,
    /// The original bytes, opened.
    pub body: Secret<Vec<u8>>,
}

/// An attempt about to be made: durable before the first byte leaves.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Row of the exchange.
    pub exchange: i64,
    /// Fence it was claimed with; the intent raises it by one.
    pub fence: i64,
    /// SHA-256 of the request, hex.
    pub request_digest: String,
    /// When.
    pub at: Timestamp,
    /// Entry "intended".
    pub record: Option<Draft>,
}

/// What follows from an attempt, or from a decision taken without one.
#[derive(Clone, Debug)]
pub enum Next {
    /// Applied, with proof.
    Delivered,
    /// Certainly not applied, for good. The store refuses this while `maybe_applied` is set.
    Dead(Failure),
    /// Certainly not applied this time; due again later.
    Retry {
        /// When.
        due: Timestamp,
        /// Why.
        failure: Failure,
    },
    /// Taken by the counterpart; ask for the result later.
    WaitResult {
        /// When to ask.
        due: Timestamp,
        /// 処理通番 or task id.
        ticket: String,
    },
    /// May have been applied. `due` is when to resolve it; `None` waits for a person.
    Unknown {
        /// When to resolve it by itself.
        due: Option<Timestamp>,
        /// Why.
        failure: Failure,
    },
}

/// Result of one attempt, for the attempt's row.
#[derive(Clone, Debug)]
pub struct AttemptResult {
    /// `applied`, `refused`, `not-applied`, `unknown`, `pending`.
    pub outcome: &'static str,
    /// HTTP status, when there was one.
    pub http_status: Option<u16>,
    /// SHA-256 of the answer, hex.
    pub response_digest: Option<String>,
}

/// One exchange's settlement; everything in it is one transaction.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Row of the exchange.
    pub exchange: i64,
    /// Fence it is held with (after `intend`: claimed fence + 1).
    pub fence: i64,
    /// When.
    pub at: Timestamp,
    /// Result for the attempt's row, when an attempt was made.
    pub attempt: Option<AttemptResult>,
    /// What follows.
    pub next: Next,
    /// A settled status query proved that no attempt was applied: clears the sticky flag.
    pub clear_maybe_applied: bool,
    /// Entries.
    pub record: Vec<Draft>,
    /// Messages for upstream.
    pub outbox: Vec<NewOutgoing>,
}

/// What a settlement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Written; `woke` tells that the next exchange of the lane became due.
    Done {
        /// Whether another exchange of the lane is now due.
        woke: bool,
    },
    /// The fence was old: somebody else has it. Nothing was written.
    Stale,
}

/// A message for upstream, before it has a row.
#[derive(Clone, Debug)]
pub struct NewOutgoing {
    /// Routing key.
    pub routing_key: String,
    /// Its id: derived from the exchange, so that a repetition has the same.
    pub message_id: String,
    /// Its type.
    pub message_type: String,
    /// The message it answers.
    pub correlation_id: Option<String>,
    /// Media type.
    pub content_type: String,
    /// Body in the clear; the store seals it.
    pub body: Secret<Vec<u8>>,
}

/// An outbox row ready to be published.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Row.
    pub id: i64,
    /// The message, opened.
    pub message: NewOutgoing,
}

/// An act of an operator on one exchange.
#[derive(Clone, Debug)]
pub struct Act {
    /// Row of the exchange.
    pub exchange: i64,
    /// What.
    pub verb: ActVerb,
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Digest of the definitions a replay goes by; `None`: those it had.
    pub bundle: Option<String>,
    /// What an answer brings; nothing with any other act.
    pub brings: Brings,
}

/// What a person's answer brings beside its own entry, in the same transaction.
#[derive(Clone, Debug, Default)]
pub struct Brings {
    /// For upstream.
    pub outbox: Vec<NewOutgoing>,
    /// Entries.
    pub record: Vec<Draft>,
}

/// What an operator may do with an exchange that waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActVerb {
    /// `dead` → `received`: try again, same idempotency key.
    Replay,
    /// `dead` or `unknown` → `discarded`.
    Discard,
    /// `unknown` → `delivered`: the operator has proof that it was applied.
    ConfirmApplied,
    /// `unknown` → `waiting-retry`: the operator has proof that it was not.
    ConfirmNotApplied,
    /// `unknown` or `dead` → `delivered`: the operator gives the answer itself.
    Answer,
}

/// What is kept of a message that no route could take, as much as a replay needs.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Envelope; `None` where its id was reused: it stands for other content.
    pub envelope: Option<Envelope>,
    /// Fingerprint it was kept under.
    pub fingerprint: [u8; 32],
    /// The pull that fetched it; empty for what upstream sent.
    pub operation: String,
    /// The original bytes, opened; `None` once they are erased.
    pub body: Option<Secret<Vec<u8>>>,
}

/// What became of a replay of a message that no route could take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rerouted {
    /// It goes its way; this is the state of its first exchange.
    Done(State),
    /// Its id belongs to another message by now. Nothing was written.
    IdTaken,
    /// The exchange is not a dead one without a route. Nothing was written.
    NotAllowed,
}

/// Why the store could not do it.
#[derive(Clone, Debug)]
pub struct StoreError {
    /// The registered code (`T…`).
    pub code: &'static Code,
    /// Safe text.
    pub detail: String,
}

impl StoreError {
    /// An error of a registered code; `detail` must be safe to show.
    pub fn new(code: &'static Code, detail: impl Into<String>) -> Self {
        StoreError { code, detail: detail.into() }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.code.code, self.code.title)?;
        if self.detail.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.detail) }
    }
}

impl std::error::Error for StoreError {}

/// Result of a store call, ready later.
pub type Later<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// The store. See the module for its promises.
pub trait Store:
    Approvals + Bundles + Forget + Inspect + Instances + RecordStore + Rotate + Tasks + Send + Sync
{
    /// Whether it can still be trusted. After a failed disk it cannot, for good: every later call
    /// answers the same error, and readiness is red.
    fn healthy(&self) -> bool {
        true
    }
    /// Makes a message durable, or recognises it.
    fn accept(&self, message: NewMessage) -> Later<'_, Accepted>;
    /// Reads exchanges that are due. A lane's exchanges are `held` but for its head.
    fn claim(&self, claim: Claim) -> Later<'_, Vec<Claimed>>;
    /// Takes exchanges for one attempt each: `false` where the fence was old.
    fn intend(&self, intents: Vec<Intent>) -> Later<'_, Vec<bool>>;
    /// Writes outcomes. One that is `held` can only become dead.
    fn settle(&self, settlements: Arc<[Settlement]>) -> Later<'_, Vec<Settled>>;
    /// Reads exchanges whose deadline has passed and that are not under way: `held`, `received`,
    /// `waiting-retry`, `waiting-result`, and `unknown` with a due time. Gives as well after which
    /// exchange to go on looking; `None`: there is nothing more.
    fn overdue(&self, overdue: Overdue) -> Later<'_, (Vec<Claimed>, Option<i64>)>;
    /// Reads the exchanges of an operation that have this ticket, whatever number of an item is
    /// behind it.
    fn of_ticket(
        &self,
        counterpart: String,
        operation: String,
        ticket: String,
    ) -> Later<'_, Ticketed>;
    /// The earliest instant at which some exchange of these states becomes due.
    fn next_due(
        &self,
        counterpart: String,
        operation: String,
        states: Vec<State>,
    ) -> Later<'_, Option<Timestamp>>;
    /// Unpublished outbox rows, oldest first.
    fn pending(&self, limit: usize) -> Later<'_, Vec<Pending>>;
    /// Marks outbox rows as published and confirmed.
    fn published(&self, ids: Vec<i64>, at: Timestamp) -> Later<'_, ()>;
    /// Puts an operator's act into effect and into the record; `None` when the exchange is not in
    /// a state that allows it.
    fn act(&self, act: Act) -> Later<'_, Option<State>>;
    /// What is kept of a message that no route could take; `None` unless the exchange is dead and
    /// without a route.
    fn kept(&self, exchange: i64) -> Later<'_, Option<Kept>>;
    /// Puts a message that is recognised now in the place of what was kept of it, with the
    /// operator's entry: the dead exchange becomes the first of its exchanges, behind what its
    /// lane has under way.
    fn reroute(&self, act: Act, message: NewMessage) -> Later<'_, Rerouted>;
    /// Fails with the error that accepting a new message would meet.
    fn check_room(&self) -> Later<'_, ()>;
    /// Writes entries that belong to no exchange.
    fn note(&self, drafts: Vec<Draft>) -> Later<'_, ()>;
    /// Lists exchanges.
    fn list(&self, filter: Filter) -> Later<'_, Vec<ExchangeView>>;
    /// Attempts of one exchange.
    fn attempts(&self, exchange: i64) -> Later<'_, Vec<AttemptView>>;
    /// The opened original of a message; every call is recorded by the caller.
    fn original(&self, exchange: i64) -> Later<'_, Option<Secret<Vec<u8>>>>;
    /// Counts per route, state and code.
    fn counts(&self) -> Later<'_, Vec<Count>>;
    /// Exchanges not yet ended, per counterpart: the back-pressure figure.
    fn backlog(&self) -> Later<'_, Vec<(String, u64)>>;
    /// Record rows after a sequence.
    fn record(&self, after: i64, limit: usize) -> Later<'_, Vec<RecordRow>>;
    /// The tree over all that is committed of the record.
    fn tree(&self) -> Later<'_, Frontier>;
    /// A named cursor of a pull.
    fn cursor(&self, name: String) -> Later<'_, Option<String>>;
    /// The clock was set back: what is due later is due so much earlier. Gives how many there are.
    fn set_back(&self, by: std::time::Duration, at: Timestamp) -> Later<'_, usize>;
    /// Moves it.
    fn set_cursor(&self, name: String, value: String) -> Later<'_, ()>;
    /// The epoch it is in, and whether the window of a restore is open.
    fn epoch(&self) -> Later<'_, Epoch>;
    /// Begins a new epoch in a store that was put back, before anything else is done with it:
    /// what may have been sent since the backup is `unknown`, never `received`.
    fn begin_epoch(&self, new: NewEpoch) -> Later<'_, EpochBegun>;
    /// Ends the window of a restore, by the word of an operator; `false` when none is open.
    fn complete_restore(&self, operator: String, reason: String, at: Timestamp) -> Later<'_, bool>;
    /// Flushes, checkpoints and closes.
    fn close(&self) -> Later<'_, ()>;
}
