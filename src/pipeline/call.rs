//! One call of a counterpart: request built, sent once, answer judged by its outcome table.

use super::context::Counterpart;
use super::pause::Permission;
use crate::adapter::{OutcomeTable, RequestPlan, Step, Then, Verdict};
use crate::codec::Limits;
use crate::mapping::Sent;
use crate::model::codes::message as codes;
use crate::model::{Class, Code, Failure, Stage};
use crate::telemetry::{crash, names};
use crate::transport::{Request, Response, SendError};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What fills a request plan.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// The encoded body and its media type.
    pub body: Option<(Vec<u8>, String)>,
    /// Key of the exchange, or of the batch.
    pub idempotency_key: Arc<str>,
    /// 処理通番 or task id.
    pub ticket: Option<String>,
    /// Id of the item to pull.
    pub id: Option<String>,
    /// W3C trace context to pass on.
    pub traceparent: Option<String>,
    /// The document that was submitted, where the outcome table looks at it.
    pub sent: Option<Sent>,
}

/// What a call brought.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What the outcome table says.
    pub verdict: Verdict,
    /// Why it did not go on, unless it did.
    pub failure: Option<Failure>,
    /// The decoded, valid answer.
    pub document: Option<Value>,
    /// The answer's bytes, for a pull.
    pub body: Bytes,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// SHA-256 of the answer, hex.
    pub digest: Option<String>,
    /// Lower bound of the next delay.
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// There was none.
    pub fn none(failure: Failure) -> Answer {
        Answer {
            verdict: Verdict::undeclared(),
            failure: Some(failure),
            document: None,
            body: Bytes::new(),
            status: None,
            digest: None,
            retry_after: None,
        }
    }

    /// The same answer for one item of its batch, without the document.
    pub fn share(&self) -> Answer {
        Answer { document: None, body: Bytes::new(), ..self.clone() }
    }
}

/// Makes one call: exactly one request leaves, and the breaker is told what it brought.
pub async fn call(
    counterpart: &Counterpart,
    permission: Permission,
    operation: &str,
    step: &Step,
    parts: Parts,
) -> Answer {
    let sent = parts.sent.clone();
    let request = build(counterpart, &step.request, parts);
    if !permission.has_turn {
        counterpart.turn().await;
    }
    let begun = Instant::now();
    crash::reach("call:before-send");
    let result = counterpart.target.send(request).await;
    let token = result.as_ref().ok().and_then(|response| response.token);
    crash::reach("call:after-answer");
    let name = counterpart.adapter.name.clone();
    metrics::histogram!(names::ATTEMPT_SECONDS, "counterpart" => name, "operation" => operation.to_owned())
        .record(begun.elapsed().as_secs_f64());
    let answer = match result {
        Ok(response) => judge(step, response, sent.as_ref()),
        Err(error) => no_answer(error),
    };
    if permission.report(shows_life(&answer)) {
        let name = counterpart.adapter.name.as_str();
        metrics::counter!(names::BREAKER_OPENED, "counterpart" => name.to_owned()).increment(1);
        tracing::warn!(
            counterpart = name,
            action = "see the counterpart's status page; sending resumes by itself",
            "counterpart left alone after failures"
        );
    }
    if let (true, Some(token)) = (answer.verdict.refresh_credentials, token) {
        counterpart.target.forget_token(token);
    }
    answer
}

fn build(counterpart: &Counterpart, plan: &RequestPlan, parts: Parts) -> Request {
    let mut headers = plan.headers.clone();
    if let Some(header) = &plan.idempotency_header {
        headers.push((header.clone(), parts.idempotency_key.to_string()));
    }
    if let Some(traceparent) = parts.traceparent {
        headers.push(("traceparent".to_owned(), traceparent));
    }
    let mut path = plan.path.clone();
    let key = Some(&*parts.idempotency_key);
    for (placeholder, value) in [
        ("{ticket}", parts.ticket.as_deref()),
        ("{id}", parts.id.as_deref()),
        ("{idempotency-key}", key),
    ] {
        if path.contains(placeholder) {
            path = path.replace(placeholder, &percent_encode(value.unwrap_or_default()));
        }
    }
    let body = match parts.body {
        Some((body, content_type)) => {
            headers.push(("content-type".to_owned(), content_type));
            Bytes::from(body)
        }
        None => Bytes::new(),
    };
    Request {
        method: plan.method,
        path,
        headers,
        body,
        token: plan.token.clone(),
        timeout: counterpart.adapter.limits.timeout,
        max_response: counterpart.adapter.limits.max_response,
    }
}

/// Everything but RFC 3986 unreserved characters, so that an id cannot change the path.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn judge(step: &Step, response: Response, sent: Option<&Sent>) -> Answer {
    let (document, problem) = read(step, &response);
    let seen = match (&step.response, &document) {
        (Some(_), found) => found.as_ref(),
        (None, _) => Some(&Value::Null),
    };
    let verdict = step.outcomes.judge(response.status, seen, sent);
    let failure = failure_of(&verdict, response.status, problem.as_deref());
    Answer {
        verdict,
        failure,
        document,
        digest: Some(super::hex_digest(&response.body)),
        status: Some(response.status),
        retry_after: response.retry_after,
        body: response.body,
    }
}

/// Decodes and validates an answer: the same distrust as for an incoming message.
fn read(step: &Step, response: &Response) -> (Option<Value>, Option<String>) {
    let Some(plan) = &step.response else { return (None, None) };
    if !plan.codec.accepts(&response.content_type) {
        return (None, Some("content type is not the declared one".to_owned()));
    }
    match plan.codec.decode(&response.body, &Limits::default()) {
        Err(error) => (None, Some(error.to_string())),
        Ok(document) => match plan.schema.validate(&document) {
            Ok(()) => (Some(document), None),
            Err(violations) => (None, violations.first().map(ToString::to_string)),
        },
    }
}

/// The failure that a judged answer stands for; `None` when the exchange goes on.
fn failure_of(verdict: &Verdict, status: u16, problem: Option<&str>) -> Option<Failure> {
    let counterpart_code = || {
        let code = verdict.detail.clone().unwrap_or_else(|| format!("status {status}"));
        verdict.reason.as_ref().map_or(code.clone(), |reason| format!("{reason} {code}"))
    };
    match verdict.then {
        Then::Applied | Then::Accepted | Then::Pending | Then::Ready => None,
        Then::Refused => Some(failure(&codes::REFUSED, Class::Never, counterpart_code())),
        Then::Retry | Then::NotApplied => {
            Some(failure(&codes::UNAVAILABLE, Class::TryAgain, counterpart_code()))
        }
        Then::Unknown | Then::Open | Then::Closed => {
            let why = verdict.reason.as_deref().or(problem);
            let why = why.unwrap_or("no line of the outcome table speaks of it");
            let detail = format!("status {status}: {why}");
            Some(failure(&codes::ANSWER_NOT_UNDERSTOOD, Class::Unknown, detail))
        }
    }
}

fn no_answer(error: SendError) -> Answer {
    let failure = if error.before_first_byte {
        failure(error.code, Class::TryAgain, error.detail)
    } else {
        failure(&codes::ANSWER_LOST, Class::Unknown, format!("{} {}", error.code, error.detail))
    };
    Answer::none(failure)
}

/// Whether the answer shows that the counterpart works, whatever it says. None, one that cannot be
/// understood, and "unavailable" do not; refusals by business rules do.
fn shows_life(answer: &Answer) -> bool {
    match answer.failure.as_ref().map(|failure| failure.class) {
        None | Some(Class::Never) => true,
        Some(Class::Unknown) => false,
        Some(Class::TryAgain) => answer.status.is_some_and(|status| {
            answer.verdict.then != Then::Retry || !matches!(status, 429 | 502..=504)
        }),
    }
}

fn failure(code: &'static Code, class: Class, detail: impl Into<String>) -> Failure {
    Failure { code, stage: Stage::Deliver, class, detail: detail.into() }
}

/// Judges one item of a batch's result; `sent` is that item of the request, where the table looks
/// at it.
pub fn judge_item(
    table: &OutcomeTable,
    item: &Value,
    sent: Option<&Sent>,
) -> (Verdict, Option<Failure>) {
    let verdict = table.judge(200, Some(item), sent);
    let failure = failure_of(&verdict, 200, Some("the item's state is not in the outcome table"));
    (verdict, failure)
}
