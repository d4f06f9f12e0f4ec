//! What a request to a simulated counterpart is: the step it is for, and everything in it that is not
//! as the adapter's layouts say.

use super::{Answers, Played, Simulator};
use crate::adapter::{BodyPlan, Interaction, Step};
use crate::codec::Limits;
use crate::mapping::path::Path;
use crate::record::hex;
use crate::transport::Request;
use serde_json::Value;
use std::collections::BTreeMap;

/// Which step a request belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Submit,
    Poll,
    Fetch,
    Ask,
    List,
    Get,
    Availability,
}

/// What a request was found to be.
pub(super) struct Read<'s> {
    pub played: Option<&'s Played>,
    pub kind: Kind,
    pub answers: &'s Answers,
    pub step: &'s Step,
    /// The document, or the items of a batch.
    pub documents: Vec<Value>,
    pub captured: BTreeMap<&'static str, String>,
    pub key: String,
    pub digest: String,
}

/// Finds the step a request is for: by method, path and a body that fits.
pub(super) fn read<'s>(
    simulator: &'s Simulator,
    operation: &str,
    request: &Request,
) -> Result<Read<'s>, String> {
    let mut candidates: Vec<(Option<&Played>, Kind, &Answers, &Step)> = Vec::new();
    let first = simulator.operations.get(operation);
    let others = simulator.operations.values().filter(|one| one.operation.name != operation);
    for played in first.into_iter().chain(others) {
        let operation = &played.operation;
        if operation.push_in.is_some() {
            continue;
        }
        let main = match operation.interaction {
            Interaction::Pull => (Kind::Get, &played.get),
            _ => (Kind::Submit, &played.submit),
        };
        candidates.push((Some(played), main.0, main.1, &operation.step));
        let poll = operation.poll.as_ref().map(|one| (Kind::Poll, &played.poll, &one.step));
        let fetch = operation.fetch.as_ref().map(|step| (Kind::Fetch, &played.fetch, step));
        let ask = operation.ask.as_ref().map(|one| (Kind::Ask, &played.ask, &one.step));
        let list = operation.pull.as_ref().map(|one| (Kind::List, &played.list, &one.list));
        for (kind, answers, step) in [poll, fetch, ask, list].into_iter().flatten() {
            candidates.push((Some(played), kind, answers, step));
        }
    }
    if let Some(asked) = &simulator.adapter.availability {
        candidates.push((None, Kind::Availability, &simulator.availability, &asked.step));
    }
    let mut problem = None;
    for (played, kind, answers, step) in candidates {
        if step.request.method != request.method {
            continue;
        }
        let Some(captured) = captured(&step.request.path, &request.path) else { continue };
        let name = played.map_or("availability", |played| played.operation.name.as_str());
        match documents(step, played, kind, request) {
            Ok((documents, key)) => {
                let digest = digest(&request.body);
                return Ok(Read { played, kind, answers, step, documents, captured, key, digest });
            }
            Err(found) => {
                problem.get_or_insert(format!("{name} {}: {found}", kind.name()));
            }
        }
    }
    let method = format!("{:?}", request.method).to_uppercase();
    Err(problem.unwrap_or_else(|| format!("{method} to a path that no step declares")))
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Submit => "submit",
            Kind::Poll => "poll",
            Kind::Fetch => "fetch",
            Kind::Ask => "ask",
            Kind::List => "list",
            Kind::Get => "get",
            Kind::Availability => "question",
        }
    }
}

impl Read<'_> {
    /// What tells it from others of its kind: what a question is about, not when it was asked.
    pub fn name(&self) -> String {
        match self.kind {
            Kind::Submit => format!("{}{}", self.key, self.digest),
            _ => format!("{} {}", self.place(), self.wanted().join(" ")),
        }
    }

    pub fn place(&self) -> String {
        let name = self.played.map_or("availability", |played| played.operation.name.as_str());
        format!("{name} {}", self.kind.name())
    }

    /// By what a thing is looked for: what the path carries, or a place in the body.
    pub fn wanted(&self) -> Vec<String> {
        let mut wanted: Vec<String> = self.captured.values().cloned().collect();
        let found = |path: &Path| Some(text(path.find(self.documents.first()?)?));
        wanted.extend(self.answers.finds_by.as_ref().and_then(found));
        wanted
    }
}

/// The documents of a request and its idempotency key, or what is wrong with it.
fn documents(
    step: &Step,
    played: Option<&Played>,
    kind: Kind,
    request: &Request,
) -> Result<(Vec<Value>, String), String> {
    let header = |name: &str| {
        let same = |(known, _): &&(String, String)| known.eq_ignore_ascii_case(name);
        request.headers.iter().find(same).map(|(_, value)| value.as_str())
    };
    let mut key = "";
    if let Some(name) = &step.request.idempotency_header {
        key = header(name).filter(|key| !key.is_empty()).ok_or("the idempotency key is missing")?;
    }
    for (name, value) in &step.request.headers {
        if header(name) != Some(value) {
            return Err(format!("the header {name} is missing or another"));
        }
    }
    let Some(plan) = &step.request.body else {
        let empty = request.body.is_empty();
        let none = (Vec::new(), key.to_owned());
        return if empty { Ok(none) } else { Err("a body where none belongs".to_owned()) };
    };
    let is_batch =
        kind == Kind::Submit && played.is_some_and(|played| played.operation.batch.is_some());
    if !plan.codec.accepts(&header("content-type").unwrap_or_default().to_ascii_lowercase()) {
        return Err("the content type is not the declared one".to_owned());
    }
    let documents = if is_batch {
        let list: Vec<Value> =
            serde_json::from_slice(&request.body).map_err(|_| "the body is no array")?;
        let most = played.and_then(|played| played.operation.batch.as_ref());
        if list.is_empty() || most.is_some_and(|batch| list.len() > batch.max_items) {
            return Err("too many items, or none".to_owned());
        }
        list
    } else {
        let decoded = plan.codec.decode(&request.body, &Limits::default());
        vec![decoded.map_err(|error| error.to_string())?]
    };
    for document in &documents {
        fits(plan, document)?;
    }
    Ok((documents, key.to_owned()))
}

/// Whether a document is valid; the first violation.
pub(super) fn fits(plan: &BodyPlan, document: &Value) -> Result<(), String> {
    plan.schema
        .validate(document)
        .map_err(|violations| violations.first().map_or_else(String::new, ToString::to_string))
}

/// What stands at the placeholders of a declared path, when the path is of that form.
fn captured(declared: &str, path: &str) -> Option<BTreeMap<&'static str, String>> {
    let mut found = BTreeMap::new();
    let (mut declared, mut path) = (declared, path);
    while let Some(at) = declared.find('{') {
        let (plain, rest) = declared.split_at(at);
        path = path.strip_prefix(plain)?;
        let (name, after) = rest.strip_prefix('{')?.split_once('}')?;
        let name = ["ticket", "id", "idempotency-key"].into_iter().find(|known| *known == name)?;
        let end = after.chars().next().and_then(|next| path.find(next)).unwrap_or(path.len());
        let (value, left) = path.split_at(end);
        found.insert(name, decoded(value)?);
        (declared, path) = (after, left);
    }
    (declared == path).then_some(found)
}

/// Percent-decoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).ok()?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = tail;
            }
            (b'%', _) => return None,
            (byte, tail) => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

/// A value as the text it is looked for by.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// SHA-256, hex.
pub(super) fn digest(bytes: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
}
