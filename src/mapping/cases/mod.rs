//! Cases: what a mapping is shown to do, as files beside it (`cases/*.yaml`).
//!
//! A case holds synthetic data only, so that its values may be shown.

mod coverage;
mod difference;
mod failing;
pub mod generated;
mod given;
pub mod inverse;
pub mod mutation;
mod mutator;
mod sites;
#[cfg(test)]
mod tests;

pub use coverage::{Coverage, Unreached};
pub use difference::differences;
pub use failing::failing;
pub use given::Given;

use crate::diagnostic::yaml::{self, Node, Reader};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::mapping::{Mapping, Meta, Rejection, Sent, keys};
use crate::model::codes::mapping as codes;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// One case file.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The file it is written in.
    pub file: Arc<SourceFile>,
    /// What the mapping knows of the message; what the file leaves out has a fixed value.
    pub meta: Meta,
    /// The source document.
    pub input: Given,
    /// What must come out.
    pub expected: Expected,
}

/// What a case expects.
#[derive(Clone, Debug)]
pub enum Expected {
    /// This document.
    Document(Given),
    /// A rejection with this code: the author's own, or a registered one.
    Rejected(String),
}

/// How one case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseOutcome {
    /// What the case shows.
    pub name: String,
    /// Whether the result is as expected.
    pub passed: bool,
    /// Where it is not: JSON pointers with expected and actual values (cases are synthetic).
    pub differences: Vec<String>,
}

impl Case {
    /// Reads a case file; `None` (reported) when it cannot be used.
    pub fn load(file: &Arc<SourceFile>, diagnostics: &mut Vec<Diagnostic>) -> Option<Case> {
        let root = match yaml::parse(file) {
            Ok(root) => root,
            Err(diagnostic) => {
                diagnostics.push(diagnostic);
                return None;
            }
        };
        let before = diagnostics.len();
        let mut reader = Reader::new(file, diagnostics);
        reader.keys(&root, &keys::CASE)?;
        let name = reader.required(&root, "a case", "case");
        let name = name.and_then(|node| reader.text(node, "`case`"));
        let meta = meta(&mut reader, root.get("meta"));
        let input = match (root.get("input"), root.get("input-text")) {
            (None, Some(text)) => Given::written(&mut reader, text, "`input-text`"),
            (Some(document), None) => Some(Given::Document(document.to_json())),
            (None, None) => {
                reader.required(&root, "a case", "input");
                None
            }
            (Some(_), Some(text)) => {
                let message = "a case has one of `input` and `input-text`";
                let location = text.location(file);
                reader.diagnostics.push(Diagnostic::error(&codes::CASE_FORM, location, message));
                None
            }
        };
        let mut meta = meta;
        meta.request = root.get("request").map(|node| Sent::new(node.to_json()));
        let expected = expected(&mut reader, &root);
        let failed = reader.diagnostics.len() > before;
        let case = Case {
            name: name?.to_owned(),
            file: Arc::clone(file),
            meta,
            input: input?,
            expected: expected?,
        };
        (!failed).then_some(case)
    }

    /// Runs the case as a message goes: the input is validated, then mapped. The result must be as
    /// expected and follow the target schema; an expected rejection may come from either step.
    pub fn run(&self, mapping: &Mapping, coverage: &mut Coverage) -> CaseOutcome {
        let differences = match self.input.document(&mapping.from) {
            Ok(input) => self.differences(mapping, &input, coverage),
            Err(problem) => vec![format!("input-text: {problem}")],
        };
        CaseOutcome { name: self.name.clone(), passed: differences.is_empty(), differences }
    }

    fn differences(
        &self,
        mapping: &Mapping,
        input: &Value,
        coverage: &mut Coverage,
    ) -> Vec<String> {
        if let Err(violations) = mapping.from.validate(input) {
            let expected = match &self.expected {
                Expected::Rejected(code) => violations.iter().any(|one| one.code.code == code),
                Expected::Document(_) => false,
            };
            let told = violations.iter().map(|one| format!("input {one}"));
            return if expected { Vec::new() } else { told.collect() };
        }
        match (&mapping.request, &self.meta.request) {
            (None, Some(_)) => return vec!["request: the mapping sees none".to_owned()],
            (Some(_), None) => return vec!["request: is missing".to_owned()],
            (Some(schema), Some(sent)) => {
                if let Err(violations) = schema.validate(sent.document()) {
                    return violations.iter().map(|one| format!("request {one}")).collect();
                }
            }
            (None, None) => {}
        }
        let (lines, taken, result) = mapping.watch(input, &self.meta);
        coverage.add(lines, taken);
        match (&self.expected, &result) {
            (Expected::Document(expected), Ok(actual)) => {
                let mut all = match expected.document(&mapping.to) {
                    Ok(expected) => difference::differences(&expected, actual),
                    Err(problem) => vec![format!("expected-text: {problem}")],
                };
                if let Err(violations) = mapping.to.validate(actual) {
                    all.extend(violations.iter().map(|one| format!("result {one}")));
                }
                all
            }
            (Expected::Document(_), Err(rejection)) => {
                vec![format!("rejected: {}", told(rejection))]
            }
            (Expected::Rejected(code), Ok(_)) => {
                vec![format!("expected the rejection {code}, but it was mapped")]
            }
            (Expected::Rejected(code), Err(rejection)) => {
                let own = rejection.author_code.as_deref();
                if own == Some(code) || rejection.code.code == code {
                    return Vec::new();
                }
                vec![format!("expected the rejection {code}, but {}", told(rejection))]
            }
        }
    }

    /// The source document as the mapping gets it.
    ///
    /// # Errors
    /// Why its text is not one.
    pub fn document(&self, mapping: &Mapping) -> Result<Cow<'_, Value>, String> {
        self.input.document(&mapping.from)
    }
}

/// The one thing that is expected.
fn expected(reader: &mut Reader<'_>, root: &Node) -> Option<Expected> {
    match (root.get("expected"), root.get("expected-text"), root.get("rejected")) {
        (Some(document), None, None) => {
            Some(Expected::Document(Given::Document(document.to_json())))
        }
        (None, Some(text), None) => {
            Given::written(reader, text, "`expected-text`").map(Expected::Document)
        }
        (None, None, Some(code)) => {
            reader.text(code, "`rejected`").map(|code| Expected::Rejected(code.to_owned()))
        }
        _ => {
            let message = "a case has exactly one of `expected`, `expected-text` and `rejected`";
            let location = match root.entry("case").or_else(|| root.entry("input")) {
                Some(entry) => entry.key_location(reader.file),
                None => root.location(reader.file),
            };
            reader.diagnostics.push(Diagnostic::error(&codes::CASE_FORM, location, message));
            None
        }
    }
}

fn told(rejection: &Rejection) -> String {
    let Rejection { code, target, line, column, detail, .. } = rejection;
    format!("{code} at {target} ({line}:{column}): {detail}")
}

fn meta(reader: &mut Reader<'_>, node: Option<&Node>) -> Meta {
    let mut meta = Meta {
        message_id: "case-1".into(),
        message_type: "case".into(),
        source: "case".into(),
        idempotency_key: "case-1".into(),
        ..Meta::nothing()
    };
    let Some(node) = node else { return meta };
    reader.keys(node, &keys::META);
    let mut text = |key: &str| reader.text_at(node, key).map(Arc::<str>::from);
    meta.message_id = text("messageId").unwrap_or(meta.message_id);
    meta.message_type = text("messageType").unwrap_or(meta.message_type);
    meta.source = text("source").unwrap_or(meta.source);
    meta.municipality = text("municipality");
    meta.operator = text("operator");
    meta.idempotency_key = text("idempotencyKey").unwrap_or(meta.idempotency_key);
    meta.correlation_id = text("correlationId");
    meta.ticket = text("ticket").map(|ticket| ticket.to_string());
    if let Some(time) = text("acceptedAt") {
        match (time.parse(), node.get("acceptedAt")) {
            (Ok(time), _) => meta.accepted_at = time,
            (Err(_), Some(node)) => reader.wrong_kind(node, "`acceptedAt`", "an RFC 3339 time"),
            _ => {}
        }
    }
    meta
}
