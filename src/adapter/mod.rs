//! What an `adapter.yaml` says, checked and compiled: operations, outcome tables, routes.
//!
//! Everything particular to one counterpart is here as data; no name of a counterpart appears in
//! the source. `load` reads the files, `bundle` joins adapters, schemas and mappings into the one
//! value that a message is handled with.

use crate::codec::{Codec, Format};
use crate::mapping::path::Path;
use crate::mapping::{Mapping, Predicate};
use crate::model::{Method, TokenFor};
use crate::policy::breaker;
use crate::policy::calendar::{Calendar, Window};
use crate::record::{Basis, Kind};
use crate::schema::{Class, Schema};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub mod bundle;
pub mod callback;
pub mod characters;
pub mod file;
pub mod keys;
pub mod load;
pub mod outcome;
pub mod permit;
pub mod reconcile;
pub mod scan;
pub mod signature;

pub use bundle::Bundle;
pub use characters::CharacterPolicy;
pub use outcome::{OutcomeTable, Then, Verdict};
pub use permit::Permit;
pub use scan::Scan;
pub use signature::Signature;

/// One counterpart: the folder `adapters/<name>/`.
#[derive(Debug)]
pub struct Adapter {
    /// Name of its folder.
    pub name: String,
    /// Title in Japanese.
    pub title_ja: String,
    /// Title in English.
    pub title_en: String,
    /// The layouts are not public: built from facts, to be confirmed.
    pub provisional: bool,
    /// How we prove who we are; secrets come from `watashi.toml`.
    pub auth: Auth,
    /// How much at a time.
    pub limits: Limits,
    /// When to try again, and when to give up.
    pub retry: Retry,
    /// When to leave it alone for a while.
    pub breaker: breaker::Rule,
    /// When it is open; `None`: always.
    pub hours: Option<Arc<Calendar>>,
    /// Asking it whether it is open.
    pub availability: Option<Availability>,
    /// Its names for why something did not go on.
    pub reasons: BTreeMap<String, Reason>,
    /// What it offers.
    pub operations: BTreeMap<String, Arc<Operation>>,
    /// What it holds, compared with what we hold.
    pub reconciliations: BTreeMap<String, Arc<reconcile::Reconciliation>>,
}

impl Adapter {
    /// Whether requests are sent to the counterpart, and not only files exchanged or notices taken.
    pub fn speaks(&self) -> bool {
        let sends =
            |operation: &Arc<Operation>| operation.place().is_none() && operation.push_in.is_none();
        self.availability.is_some() || self.operations.values().any(sends)
    }
}

impl Adapter {
    /// Every request it may make, with the name of its operation.
    pub fn steps(&self) -> impl Iterator<Item = (&str, &Step)> {
        let sends = |operation: &&Arc<Operation>| {
            operation.place().is_none() && operation.push_in.is_none()
        };
        let asked = self.availability.as_ref().map(|asked| ("availability", &asked.step));
        let operations = self.operations.values().filter(sends);
        operations
            .flat_map(|operation| operation.steps().map(|step| (operation.name.as_str(), step)))
            .chain(asked)
    }

    /// What the tokens of its requests are for; `None` among them: what `auth` says.
    pub fn tokens(&self) -> BTreeSet<Option<Arc<TokenFor>>> {
        self.steps().map(|(_, step)| step.request.token.clone()).collect()
    }
}

/// Authentication beside the client certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The client certificate is enough.
    None,
    /// HTTP Basic with client id and secret.
    Basic,
    /// OAuth 2.0 client credentials, `client_secret_basic`.
    ClientSecretBasic {
        /// Path of the token endpoint.
        token_path: String,
        /// What for, unless a request says otherwise.
        token: TokenFor,
    },
    /// OAuth 2.0 client credentials, `client_secret_jwt` with HS256 (共通機能標準仕様書 2.2.5).
    ClientSecretJwt {
        /// Path of the token endpoint.
        token_path: String,
        /// What for, unless a request says otherwise.
        token: TokenFor,
    },
    /// A login call whose answer carries the token for the other calls.
    LoginToken {
        /// Path of the login call (POST, JSON).
        path: String,
        /// Members of its body; `{client-id}` and `{client-secret}` are filled in.
        body: Vec<(String, String)>,
        /// Member of the answer that holds the token.
        token: String,
        /// Header that carries it.
        header: String,
        /// Text before the token in that header.
        prefix: String,
    },
}

/// Why something did not go on, by a name of the adapter's.
#[derive(Clone, Debug)]
pub struct Reason {
    /// In a few words, Japanese.
    pub title_ja: String,
    /// In a few words, English.
    pub title_en: String,
    /// What to do.
    pub remedy: String,
}

/// What an environment may set otherwise than the adapter (`[counterpart.NAME]`).
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Deadline of one request.
    pub timeout: Option<Duration>,
    /// Requests under way at once.
    pub concurrency: Option<usize>,
    /// First retry delay.
    pub retry_first: Option<Duration>,
    /// Longest retry delay.
    pub retry_max: Option<Duration>,
    /// How often results are asked for, and lists pulled.
    pub poll_every: Option<Duration>,
    /// How long after a lost answer a question counts.
    pub settle_after: Option<Duration>,
    /// Planned maintenance beside that of the adapter.
    pub maintenance: Vec<Window>,
}

/// How much at a time.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests under way at once.
    pub concurrency: usize,
    /// Requests a second; 0: no limit.
    pub rate_per_second: u32,
    /// Largest answer read, in bytes.
    pub max_response: usize,
    /// Deadline of one request, connect to last byte.
    pub timeout: Duration,
}

/// When to try again.
#[derive(Clone, Debug)]
pub struct Retry {
    /// First delay.
    pub first: Duration,
    /// Longest delay.
    pub max: Duration,
    /// Attempts altogether.
    pub max_attempts: u32,
    /// Age of the message after which nothing is tried again.
    pub max_age: Duration,
    /// The longest `Retry-After` that is believed.
    pub max_retry_after: Duration,
    /// Which definitions another try goes by.
    pub definitions: Definitions,
}

/// Which definitions something goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Definitions {
    /// Those the message was accepted under.
    #[default]
    Accepted,
    /// Those in force when it is done.
    Current,
}

/// Asking a counterpart whether it is open.
#[derive(Debug)]
pub struct Availability {
    /// How often.
    pub every: Duration,
    /// How long an answer holds when no clear one follows; then the declared hours count alone.
    pub keep_for: Duration,
    /// The question.
    pub step: Step,
}

/// One thing a counterpart offers.
#[derive(Debug)]
pub struct Operation {
    /// Name, unique within the adapter.
    pub name: String,
    /// Title in Japanese.
    pub title_ja: String,
    /// How the exchange goes.
    pub interaction: Interaction,
    /// What to do when an answer was lost.
    pub unknown: UnknownRule,
    /// How long the counterpart knows an idempotency key; `None`: for as long as it matters. Later
    /// than this after the first attempt only a person can resolve a lost answer.
    pub key_retention: Option<Duration>,
    /// Age of a message after which nothing is tried again, where it is not the adapter's.
    pub max_age: Option<Duration>,
    /// The submit, or the only request; for a pull: get one by its id.
    pub step: Step,
    /// Several messages in one request.
    pub batch: Option<Batch>,
    /// Per-item results in the answer of a batch that is judged at once.
    pub items: Option<Items>,
    /// Asking for the result.
    pub poll: Option<Poll>,
    /// Getting the result once it is ready.
    pub fetch: Option<Step>,
    /// Asking whether a lost submit was applied.
    pub ask: Option<Ask>,
    /// Listing what can be pulled.
    pub pull: Option<Pull>,
    /// The signature that what is pulled must carry.
    pub signature: Option<Signature>,
    /// What of that which comes is scanned before anything of it goes on.
    pub scan: Option<Scan>,
    /// Writing files.
    pub file_out: Option<file::FileOut>,
    /// Reading files.
    pub file_in: Option<file::FileIn>,
    /// Being called.
    pub push_in: Option<callback::PushIn>,
}

impl Operation {
    /// Every request it may make.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        let poll = self.poll.as_ref().map(|poll| &poll.step);
        let ask = self.ask.as_ref().map(|ask| &ask.step);
        let list = self.pull.as_ref().map(|pull| &pull.list);
        [Some(&self.step), poll, self.fetch.as_ref(), ask, list].into_iter().flatten()
    }

    /// The message type of what comes from there by itself.
    pub fn gives(&self) -> Option<&str> {
        let pulled = self.pull.as_ref().map(|pull| pull.message_type.as_str());
        let read = || self.file_in.as_ref()?.message_type.as_deref();
        let called = || match &self.push_in.as_ref()?.effect {
            callback::Effect::Message { message_type, .. } => Some(message_type.as_str()),
            callback::Effect::Completes { .. } => None,
        };
        pulled.or_else(read).or_else(called)
    }

    /// The place whose files it writes or reads.
    pub fn place(&self) -> Option<&str> {
        let written = self.file_out.as_ref().map(|file| file.place.as_str());
        written.or_else(|| self.file_in.as_ref().map(|file| file.place.as_str()))
    }
}

/// How an exchange goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interaction {
    /// The answer says whether it was applied.
    RequestReply,
    /// The answer is a receipt; the result is asked for later.
    SubmitPoll,
    /// We list and fetch what waits there for us.
    Pull,
    /// We write files.
    FileOut,
    /// We read files.
    FileIn,
    /// The counterpart calls us.
    PushIn,
}

/// What to do with an exchange whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownRule {
    /// Idempotent: the same request again, with the same key.
    Resend,
    /// Ask first, after the settle time.
    Ask,
    /// Only a person can tell.
    Person,
}

/// One request, its answer and what the answer means.
#[derive(Debug)]
pub struct Step {
    /// The request.
    pub request: RequestPlan,
    /// The answer's form; `None` when only the status counts.
    pub response: Option<ResponsePlan>,
    /// What the answer means.
    pub outcomes: OutcomeTable,
}

/// How a request is made.
#[derive(Debug)]
pub struct RequestPlan {
    /// HTTP method.
    pub method: Method,
    /// Path with placeholders.
    pub path: String,
    /// Codec and schema of the body; `None` for an empty body.
    pub body: Option<Arc<BodyPlan>>,
    /// Mapping that makes the body from `watashi/ticket` or `watashi/cursor`; the submit's
    /// mapping belongs to the route.
    pub mapping: Option<Arc<Mapping>>,
    /// Header that carries the idempotency key.
    pub idempotency_header: Option<String>,
    /// Fixed headers.
    pub headers: Vec<(String, String)>,
    /// What its token is for, where that is not what `auth` says.
    pub token: Option<Arc<TokenFor>>,
    /// The characters the counterpart knows, for the routes that lead here.
    pub characters: Option<Arc<CharacterPolicy>>,
}

/// A body's layout.
#[derive(Debug)]
pub struct BodyPlan {
    /// Wire format.
    pub format: Format,
    /// Schema of the document.
    pub schema: Arc<Schema>,
    /// The codec compiled from it.
    pub codec: Codec,
}

/// An answer's layout.
pub type ResponsePlan = Arc<BodyPlan>;

/// Several messages in one request.
#[derive(Clone, Debug)]
pub struct Batch {
    /// At most this many messages.
    pub max_items: usize,
    /// At most this many bytes.
    pub max_bytes: usize,
    /// How long the first waits for others.
    pub max_wait: Duration,
}

/// Asking for the result of a submit.
#[derive(Debug)]
pub struct Poll {
    /// How often.
    pub every: Duration,
    /// The question.
    pub step: Step,
    /// Per-item results of a batch.
    pub items: Option<Items>,
}

/// Per-item results in the answer of a batch.
#[derive(Debug)]
pub struct Items {
    /// Where the list is.
    pub path: Path,
    /// Member that holds the number of the item in the request, from 1.
    pub key: Path,
    /// What one item means; `status` is not looked at.
    pub outcomes: OutcomeTable,
}

/// Asking whether a submit whose answer was lost was applied.
#[derive(Debug)]
pub struct Ask {
    /// How long after the lost attempt a question counts: at least the counterpart's own longest
    /// processing time.
    pub settle_after: Duration,
    /// The question.
    pub step: Step,
}

/// Listing what can be pulled.
#[derive(Debug)]
pub struct Pull {
    /// How often.
    pub every: Duration,
    /// The list request.
    pub list: Step,
    /// Where the list is in its answer.
    pub items: Path,
    /// Member that holds the id.
    pub id: Path,
    /// Where the answer says whether another page follows.
    pub more: Option<Path>,
    /// Message type the fetched document becomes.
    pub message_type: String,
}

/// Type → mapping → operation, with its legal frame.
#[derive(Debug)]
pub struct Route {
    /// Name, unique over all adapters.
    pub name: String,
    /// The adapter it belongs to.
    pub adapter: Arc<Adapter>,
    /// Message types it takes.
    pub on: Vec<String>,
    /// Where it leads.
    pub destination: Destination,
    /// The mapping; its `from` is what messages are validated against.
    pub mapping: Arc<Mapping>,
    /// Ordering key within the source document.
    pub ordering_key: Option<Path>,
    /// What a newer message does to older ones of its lane.
    pub when_stuck: WhenStuck,
    /// Time from acceptance after which it is over, whatever it waits for.
    pub deadline: Option<Duration>,
    /// Whom it is about.
    pub subject: Option<Path>,
    /// Where the document names its municipality.
    pub municipality: Option<Path>,
    /// Strictest data classes the outgoing document may carry.
    pub admits: Vec<Class>,
    /// What the record says of it; `None`: not recorded.
    pub record: Option<RecordRule>,
    /// Legal frame.
    pub basis: Option<Arc<Basis>>,
    /// Applies only to documents that satisfy this.
    pub when: Option<Predicate>,
    /// Days in Japan on which it takes messages.
    pub active: permit::Days,
    /// 照会許可用照合リスト.
    pub permit: Option<Permit>,
    /// The answer for upstream.
    pub reply: Option<Reply>,
    /// A second person must agree before it is sent.
    pub approval: Option<ApprovalRule>,
    /// What it brings is a demand that a person must answer.
    pub demand: Option<DemandRule>,
    /// A value of the outgoing document that may come back.
    pub remembers: Option<Pair>,
    /// A value of a document that came, compared with the one that was sent.
    pub compares: Option<Pair>,
    /// What becomes of characters that the receiver does not know: the route's own rule, else
    /// that of its operation's request.
    pub characters: Option<Arc<CharacterPolicy>>,
    /// Its names as entries of the record share them.
    pub names: RecordNames,
}

/// Four eyes: prepared by one person, agreed to by another.
#[derive(Clone, Debug)]
pub struct ApprovalRule {
    /// How long it waits.
    pub expires: Duration,
    /// The demand that a message of the route answers.
    pub answers: Option<AnswersRule>,
}

/// Which demand a message answers.
#[derive(Clone, Debug)]
pub struct AnswersRule {
    /// Kind of the demand.
    pub kind: String,
    /// Where the source document names its number.
    pub number: Path,
}

/// How a demand of the counterpart is recognised.
#[derive(Clone, Debug)]
pub struct DemandRule {
    /// Its kind.
    pub kind: String,
    /// Where the source document names its number.
    pub number: Path,
    /// How soon it should be answered.
    pub within: Option<Duration>,
}

/// A place of a document, and what its value belongs to.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Whose value it is.
    pub key: Path,
    /// The value.
    pub value: Path,
}

/// The names that all entries of a route have in common.
#[derive(Clone, Debug)]
pub struct RecordNames {
    /// Of the route.
    pub route: Arc<str>,
    /// Of its adapter.
    pub counterpart: Arc<str>,
    /// Of its operation, or `publish`.
    pub operation: Arc<str>,
}

/// What a newer message does to older ones of the same route and ordering key that wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenStuck {
    /// It waits behind them.
    #[default]
    Block,
    /// Each message is the full state: older ones that have certainly not been applied and are not
    /// under way are given up for it.
    Supersede,
}

/// Where a route leads.
#[derive(Clone, Debug)]
pub enum Destination {
    /// To an operation of its adapter.
    Operation(Arc<Operation>),
    /// To upstream, under this message type.
    Publish(String),
}

impl Destination {
    /// Name of the operation, or `publish`.
    pub fn operation_name(&self) -> &str {
        match self {
            Destination::Operation(operation) => &operation.name,
            Destination::Publish(_) => PUBLISH,
        }
    }
}

impl Route {
    /// Name of the operation, or `publish`.
    pub fn operation_name(&self) -> &str {
        self.destination.operation_name()
    }

    /// Age of a message after which nothing is tried again: its operation's, or its adapter's.
    pub fn max_age(&self) -> Duration {
        let own = match &self.destination {
            Destination::Operation(operation) => operation.max_age,
            Destination::Publish(_) => None,
        };
        own.unwrap_or(self.adapter.retry.max_age)
    }
}

/// Operation name of routes that lead to upstream.
pub const PUBLISH: &str = "publish";

/// What the record says of a route.
#[derive(Clone, Debug)]
pub struct RecordRule {
    /// Kind of its entries.
    pub kind: Kind,
    /// 不開示, in the source document.
    pub not_disclosed: Option<Path>,
}

/// The answer for upstream.
#[derive(Debug)]
pub struct Reply {
    /// Its message type.
    pub message_type: String,
    /// From the final answer's document to the message.
    pub mapping: Arc<Mapping>,
    /// Staff may give the answer.
    pub by_hand: Option<ByHand>,
}

/// What staff give instead of the counterpart's answer.
#[derive(Debug)]
pub struct ByHand {
    /// From what they give to the message.
    pub mapping: Arc<Mapping>,
    /// How what they give is laid out.
    pub form: Arc<BodyPlan>,
    /// Two persons must give the same.
    pub two: bool,
}
