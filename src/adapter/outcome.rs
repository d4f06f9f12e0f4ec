//! The outcome table: what an answer means. The first line that matches decides; an answer that
//! matches none, or could not be read, is `unknown`. No text matching, no defaults that guess.

use crate::mapping::path::Path;
use crate::mapping::{Predicate, Sent};
use crate::policy::calendar::japan_time;
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// What a line says of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Applied, with proof.
    Applied,
    /// Refused for good: certainly not applied.
    Refused,
    /// Certainly not applied; worth another attempt.
    Retry,
    /// Taken; the result is asked for later.
    Accepted,
    /// The result is not there yet.
    Pending,
    /// The result can be fetched.
    Ready,
    /// The counterpart does not know of it: certainly not applied.
    NotApplied,
    /// May have been applied.
    Unknown,
    /// Of an availability poll: requests are taken.
    Open,
    /// Of an availability poll: no requests are taken now.
    Closed,
}

impl Then {
    /// All words, as definitions write them.
    pub const NAMES: [(&'static str, Then); 10] = [
        ("applied", Then::Applied),
        ("refused", Then::Refused),
        ("retry", Then::Retry),
        ("accepted", Then::Accepted),
        ("pending", Then::Pending),
        ("ready", Then::Ready),
        ("not-applied", Then::NotApplied),
        ("unknown", Then::Unknown),
        ("open", Then::Open),
        ("closed", Then::Closed),
    ];

    /// The words alone.
    pub(super) const WORDS: [&str; 10] = [
        "applied",
        "refused",
        "retry",
        "accepted",
        "pending",
        "ready",
        "not-applied",
        "unknown",
        "open",
        "closed",
    ];
}

/// One line of the table.
#[derive(Debug)]
pub struct Line {
    /// Status codes it is for; empty: any.
    pub status: Vec<u16>,
    /// Condition on the decoded body.
    pub when: Option<Predicate>,
    /// Decides by status alone, without looking at the body.
    pub undecoded: bool,
    /// What it means.
    pub then: Then,
    /// Where the ticket is (with `accepted`).
    pub ticket: Option<Path>,
    /// Where the 処理通番 or 受付番号 is, for the record.
    pub reference: Option<Path>,
    /// Where the counterpart's declared error code is.
    pub detail: Option<Path>,
    /// Where the end of a closed time is (with `closed`).
    pub until: Option<Path>,
    /// The credentials were refused: get new ones first.
    pub refresh_credentials: bool,
    /// The name that the adapter has for why it did not go on: one of its `reasons`.
    pub reason: Option<Arc<str>>,
}

/// The lines, in order.
#[derive(Debug, Default)]
pub struct OutcomeTable {
    /// First match decides.
    pub lines: Vec<Line>,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The word of the line that matched; `Unknown` when none did.
    pub then: Then,
    /// The ticket, when the line names one.
    pub ticket: Option<String>,
    /// The reference, when the line names one.
    pub reference: Option<String>,
    /// The counterpart's own error code; only characters safe to show.
    pub detail: Option<String>,
    /// Until when it is closed, when the line names that.
    pub until: Option<Timestamp>,
    /// Whether credentials must be renewed.
    pub refresh_credentials: bool,
    /// The adapter's name for why it did not go on.
    pub reason: Option<Arc<str>>,
    /// Whether a line of the table said so, or nothing matched.
    pub declared: bool,
}

impl OutcomeTable {
    /// Whether a line looks at the request that was sent.
    pub fn sees_request(&self) -> bool {
        self.lines.iter().any(Line::sees_request)
    }

    /// Judges one answer. `body` is `None` when it could not be decoded or was not valid; an
    /// operation that declares no response passes `Some(&Value::Null)`. `request` is what was sent,
    /// where the table looks at it.
    pub fn judge(&self, status: u16, body: Option<&Value>, request: Option<&Sent>) -> Verdict {
        let matched = self.lines.iter().find(|line| line.matches(status, body, request));
        // Without the request nobody can tell whether such a line holds.
        let Some(line) = matched.filter(|line| request.is_some() || !line.sees_request()) else {
            return Verdict::undeclared();
        };
        let text = |path: &Option<Path>| {
            let found = body.and_then(|body| path.as_ref()?.find(body))?;
            reference_text(found)
        };
        let ticket = text(&line.ticket);
        if line.ticket.is_some() && ticket.is_none() {
            // "Accepted" without a usable ticket cannot be followed up: it is not an answer.
            return Verdict::undeclared();
        }
        Verdict {
            then: line.then,
            ticket,
            reference: text(&line.reference),
            detail: text(&line.detail),
            until: line
                .until
                .as_ref()
                .and_then(|path| path.find(body?)?.as_str())
                .and_then(japan_time),
            refresh_credentials: line.refresh_credentials,
            reason: line.reason.clone(),
            declared: true,
        }
    }
}

impl Line {
    fn sees_request(&self) -> bool {
        self.when.as_ref().is_some_and(Predicate::sees_request)
    }

    fn matches(&self, status: u16, body: Option<&Value>, request: Option<&Sent>) -> bool {
        if !self.status.is_empty() && !self.status.contains(&status) {
            return false;
        }
        if self.undecoded {
            return true;
        }
        let Some(body) = body else { return false };
        self.when.as_ref().is_none_or(|predicate| match (predicate.sees_request(), request) {
            (true, Some(request)) => predicate.test_beside(body, request),
            // The search ends here, and `judge` sees why.
            (true, None) => true,
            (false, _) => predicate.test(body),
        })
    }
}

impl Verdict {
    /// Nothing in the table speaks of such an answer.
    pub fn undeclared() -> Verdict {
        Verdict {
            then: Then::Unknown,
            ticket: None,
            reference: None,
            detail: None,
            until: None,
            refresh_credentials: false,
            reason: None,
            declared: false,
        }
    }
}

/// A ticket, reference or error code as text: 1 to 128 characters of `A-Z a-z 0-9 . _ : / -`. A
/// counterpart's free text never gets through here.
pub fn reference_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    is_number(&text).then_some(text)
}

/// Whether a text can be a counterpart's number of something: 1 to 128 characters of
/// `A-Z a-z 0-9 . _ : / -`.
pub fn is_number(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '/' | '-');
    !text.is_empty() && text.len() <= 128 && text.chars().all(allowed)
}
