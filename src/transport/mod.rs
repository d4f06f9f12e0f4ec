//! The outside world as the pipeline sees it: a `Target` to send to, a `Publisher` for answers,
//! and deliveries that come from a source. Concrete transports are named only in `config` and `app`.

pub mod amqp;
pub mod clamd;
#[doc(hidden)]
pub mod fake;
pub mod https;
pub mod place;

pub use crate::model::Method;
use crate::model::{Code, Secret, TokenFor};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// One HTTPS request to a counterpart, built by the pipeline; paths are relative to the base URL
/// that `watashi.toml` gives.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, `DELETE`.
    pub method: Method,
    /// Path and query, already percent-encoded; starts with `/`.
    pub path: String,
    /// Header names and values; never personal data.
    pub headers: Vec<(String, String)>,
    /// The body; empty for `GET`.
    pub body: Bytes,
    /// What the token is for that it is sent with, where that is not what the target's settings
    /// say; nothing to a target that uses no tokens of scopes.
    pub token: Option<Arc<TokenFor>>,
    /// Deadline for the whole exchange, connect to last byte.
    pub timeout: Duration,
    /// Largest answer read, in bytes; a longer one is an unreadable answer.
    pub max_response: usize,
}

/// A complete answer of a counterpart, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status code.
    pub status: u16,
    /// Media type without parameters, lower case; empty when absent.
    pub content_type: String,
    /// `Retry-After` as a delay, when it was readable (seconds or HTTP date), at most 1 day.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
    /// Number of the token that the request was sent with, where there was one.
    pub token: Option<u64>,
}

/// Why there is no complete answer.
#[derive(Clone, Debug)]
pub struct SendError {
    /// True when the counterpart cannot have seen a byte of the request.
    pub before_first_byte: bool,
    /// The registered code (`N…`).
    pub code: &'static Code,
    /// Safe text: the kind of error, never a URL with data or a body.
    pub detail: String,
}

/// A counterpart that requests can be sent to. Implementations do exactly one attempt: no
/// redirect, no retry of their own.
pub trait Target: Send + Sync {
    /// Sends one request and reads the whole answer.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, SendError>>;
    /// Drops the token of this number (of a `Response`) after the counterpart refused it. A newer
    /// one stays.
    fn forget_token(&self, number: u64);
}

/// The target of a counterpart that only files lead to: nothing is ever sent.
#[derive(Clone, Copy, Debug)]
pub struct NoTarget;

impl Target for NoTarget {
    fn send(&self, _: Request) -> BoxFuture<'_, Result<Response, SendError>> {
        let code = &crate::model::codes::transport::COUNTERPART_SETTINGS;
        let detail = "no `base-url`: only files lead there".to_owned();
        Box::pin(async move { Err(SendError { before_first_byte: true, code, detail }) })
    }

    fn forget_token(&self, _: u64) {}
}

/// What a scanner for malware says of some content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It knows of nothing bad in it.
    Clean,
    /// What it found, by the name of its own signature: safe text.
    Found(String),
    /// It could not look into it: encrypted, or too deep or large within. Safe text.
    NotLookedInto(String),
}

/// Why there is no finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// Larger than it takes.
    TooLarge,
    /// It is not there. Safe text.
    Down(String),
    /// It is there and gave no verdict. Safe text.
    Failed(String),
}

impl std::fmt::Display for ScanError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ScanError::TooLarge => formatter.write_str("larger than the scanner takes"),
            ScanError::Down(detail) | ScanError::Failed(detail) => formatter.write_str(detail),
        }
    }
}

impl std::error::Error for ScanError {}

/// What looks for malware in content. Implementations make one attempt, bounded in time.
pub trait Scanner: Send + Sync {
    /// Engine and database as the scanner names them: safe text. Fails only with
    /// [`ScanError::Down`].
    fn version(&self) -> BoxFuture<'_, Result<String, ScanError>>;
    /// Looks into some content.
    fn scan<'a>(&'a self, content: &'a [u8]) -> BoxFuture<'a, Result<Finding, ScanError>>;
}

/// A message for upstream, from the outbox.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Routing key, usually the message type.
    pub routing_key: String,
    /// `message_id` property.
    pub message_id: String,
    /// `type` property.
    pub message_type: String,
    /// `correlation_id` property.
    pub correlation_id: Option<String>,
    /// `content_type` property.
    pub content_type: String,
    /// Further headers; never personal data.
    pub headers: Vec<(String, String)>,
    /// The body in the clear: it exists only between opening and publishing.
    pub body: Secret<Vec<u8>>,
}

/// Where answers go. `Ok` means confirmed and routed, nothing less.
pub trait Publisher: Send + Sync {
    /// Publishes one message, persistent, mandatory and confirmed; bounded in time.
    fn publish(&self, message: Outgoing) -> BoxFuture<'_, Result<(), PublishError>>;
}

/// Why a publish did not count.
#[derive(Clone, Debug)]
pub struct PublishError {
    /// The registered code (`N…`).
    pub code: &'static Code,
    /// Safe text.
    pub detail: String,
}

/// Tells long-running transports to stop: they do when the value turns true or its sender is gone.
pub type Shutdown = watch::Receiver<bool>;

/// Returns once `shutdown` says so.
pub(crate) async fn stopped(shutdown: &mut Shutdown) {
    // An error means that the sender is gone: whoever could tell us to stop has stopped itself.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
