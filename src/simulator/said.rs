//! Answers as they are said: filled, judged by the adapter's own table, written; and what means
//! nothing.

use super::Answer;
use super::request::fits;
use super::template::{Facts, fill};
use crate::adapter::{Step, Then};
use crate::mapping::Sent;
use crate::model::codes::transport as codes;
use crate::transport::{Response, SendError};
use bytes::Bytes;
use serde_json::Value;

/// Why an answer is not what its word says.
pub(super) fn unfit(step: &Step, word: Then, answer: &Answer, facts: &Facts<'_>) -> Option<String> {
    let body = answer.body(facts.turn).map(|body| fill(body, facts));
    let document = match (&step.response, &body) {
        (Some(plan), Some(body)) => match fits(plan, body) {
            Ok(()) => Some(body),
            Err(problem) => return Some(problem),
        },
        (Some(_), None) => None,
        (None, _) => Some(&Value::Null),
    };
    let sent = facts.submitted.or(facts.request).filter(|_| step.outcomes.sees_request());
    let sent = sent.map(|request| Sent::new(request.clone()));
    let verdict = step.outcomes.judge(answer.status, document, sent.as_ref());
    let said = |then| Then::NAMES.iter().find(|(_, one)| *one == then).map_or("", |one| one.0);
    (verdict.then != word).then(|| format!("the adapter takes it for `{}`", said(verdict.then)))
}

/// The answer with its places filled, in the step's format.
pub(super) fn write(answer: &Answer, facts: &Facts<'_>, step: &Step) -> Response {
    let body = answer.body(facts.turn).map(|body| fill(body, facts));
    match (&step.response, body) {
        (Some(plan), Some(body)) => match plan.codec.encode(&body) {
            Ok(bytes) => plain(answer.status, plan.codec.content_type(), bytes),
            Err(_) => plain(500, "text/plain", b"the answer cannot be written".to_vec()),
        },
        _ => plain(answer.status, "text/plain", Vec::new()),
    }
}

/// Answers that mean nothing, of several kinds.
pub(super) fn lie(number: usize) -> Response {
    match number % 3 {
        0 => plain(200, "text/html", b"<html><body>OK</body></html>".to_vec()),
        1 => plain(200, "application/json", b"{\"result\": ".to_vec()),
        _ => plain(599, "text/plain", b"?".to_vec()),
    }
}

/// An answer of these bytes.
pub(super) fn plain(status: u16, content_type: &str, body: Vec<u8>) -> Response {
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    let body = Bytes::from(body);
    Response { status, content_type: content_type.to_owned(), retry_after: None, body, token: None }
}

/// The request went out, and nothing came back.
pub(super) fn lost() -> SendError {
    SendError {
        before_first_byte: false,
        code: &codes::ANSWER_TIMEOUT,
        detail: "simulated".to_owned(),
    }
}
