//! What travels: the envelope of a message and the ids it carries.

use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;

/// An id its sender chose: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, so that it may safely stand
/// in a log line, a header or an export.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(Arc<str>);

impl MessageId {
    /// Longest id accepted, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// Checks the form; `None` when it is not allowed.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let good = !text.is_empty() && text.len() <= Self::MAX_LENGTH && text.chars().all(allowed);
        good.then(|| MessageId(text.into()))
    }

    /// An id for a message that has none: derived from its keyed fingerprint, so that a
    /// repetition gets the same.
    pub fn from_content(fingerprint: &[u8; 32]) -> Self {
        let hex: String = fingerprint.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        MessageId(format!("content-{hex}").into())
    }

    /// The text of the id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Everything known of a message beside its body. No field carries personal data. What travels on
/// to record and counterpart is shared, not copied.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Who sent it: the name of the upstream system or counterpart it came from.
    pub source: Arc<str>,
    /// The sender's id; with `source` it identifies the message for ever.
    pub message_id: MessageId,
    /// What it is, e.g. `vaccination.record.registered`.
    pub message_type: Arc<str>,
    /// Media type of the body.
    pub content_type: String,
    /// The exchange this belongs to, repeated on answers.
    pub correlation_id: Option<MessageId>,
    /// Routing key the sender wants the answer under, instead of the type's own.
    pub reply_to: Option<String>,
    /// W3C trace context, passed on to the counterpart.
    pub traceparent: Option<String>,
    /// Who at the sender did it (`watashi-operator`), kept for the record.
    pub operator: Option<Arc<str>>,
    /// 団体コード (6 digits) of the municipality it belongs to.
    pub municipality: Option<Arc<str>>,
    /// When it was durably accepted here.
    pub accepted_at: Timestamp,
}
