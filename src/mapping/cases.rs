//! Cases: what a mapping is shown to do, as files beside it (`cases/*.yaml`).
//!
//! A case holds synthetic data only, so that its values may be shown.

use crate::diagnostic::yaml::{self, Node, Reader};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::mapping::{Mapping, Meta, Rejection, keys};
use crate::model::codes::mapping as codes;
use crate::model::json::escape;
use serde_json::Value;
use std::collections::BTreeMap;
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
    pub input: Value,
    /// What must come out.
    pub expected: Expected,
}

/// What a case expects.
#[derive(Clone, Debug)]
pub enum Expected {
    /// This document.
    Document(Value),
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

/// Which rules the cases have set at least once.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    rules: BTreeMap<(usize, usize, String), usize>,
}

impl Coverage {
    /// Rules as (target, line), in the order of the file, that no case has given a value.
    pub fn untouched(&self) -> Vec<(String, usize)> {
        let none = self.rules.iter().filter(|(_, hits)| **hits == 0);
        none.map(|((line, _, target), _)| (target.clone(), *line)).collect()
    }

    /// Rules with a value in some case, and all rules.
    pub fn covered(&self) -> (usize, usize) {
        (self.rules.values().filter(|hits| **hits > 0).count(), self.rules.len())
    }
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
        let input = reader.required(&root, "a case", "input").map(Node::to_json);
        let expected = match (root.get("expected"), root.get("rejected")) {
            (Some(document), None) => Some(Expected::Document(document.to_json())),
            (None, Some(code)) => {
                reader.text(code, "`rejected`").map(|code| Expected::Rejected(code.to_owned()))
            }
            _ => {
                let message = "a case has exactly one of `expected` and `rejected`";
                let location = match root.entry("case").or_else(|| root.entry("input")) {
                    Some(entry) => entry.key_location(file),
                    None => root.location(file),
                };
                let diagnostic = Diagnostic::error(&codes::CASE_FORM, location, message);
                reader.diagnostics.push(diagnostic);
                None
            }
        };
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
        let mut differences = Vec::new();
        if let Err(violations) = mapping.from.validate(&self.input) {
            let expected = match &self.expected {
                Expected::Rejected(code) => violations.iter().any(|one| one.code.code == code),
                Expected::Document(_) => false,
            };
            if !expected {
                differences.extend(violations.iter().map(|one| format!("input {one}")));
            }
            let passed = differences.is_empty();
            return CaseOutcome { name: self.name.clone(), passed, differences };
        }
        let result = self.traced(mapping, coverage);
        match (&self.expected, &result) {
            (Expected::Document(expected), Ok(actual)) => {
                compare("", Some(expected), Some(actual), &mut differences);
                if let Err(violations) = mapping.to.validate(actual) {
                    differences.extend(violations.iter().map(|one| format!("result {one}")));
                }
            }
            (Expected::Document(_), Err(rejection)) => {
                differences.push(format!("rejected: {}", told(rejection)));
            }
            (Expected::Rejected(code), Ok(_)) => {
                differences.push(format!("expected the rejection {code}, but it was mapped"));
            }
            (Expected::Rejected(code), Err(rejection)) => {
                let own = rejection.author_code.as_deref();
                if own != Some(code) && rejection.code.code != code {
                    let told = told(rejection);
                    differences.push(format!("expected the rejection {code}, but {told}"));
                }
            }
        }
        CaseOutcome { name: self.name.clone(), passed: differences.is_empty(), differences }
    }

    fn traced(&self, mapping: &Mapping, coverage: &mut Coverage) -> Result<Value, Rejection> {
        for (target, at) in mapping.leaves() {
            coverage.rules.entry((at.line, at.column, target.to_owned())).or_insert(0);
        }
        let (lines, result) = mapping.explain(&self.input, &self.meta);
        for line in lines {
            let valued = !matches!(line.outcome.as_str(), "absent" | "skipped");
            let key = (line.line, line.column, line.target);
            if let Some(hits) = coverage.rules.get_mut(&key).filter(|_| valued) {
                *hits += 1;
            }
        }
        result
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
    let mut text = |key: &str| reader.text_at(node, key).map(str::to_owned);
    meta.message_id = text("messageId").unwrap_or(meta.message_id);
    meta.message_type = text("messageType").unwrap_or(meta.message_type);
    meta.source = text("source").unwrap_or(meta.source);
    meta.municipality = text("municipality");
    meta.operator = text("operator");
    meta.idempotency_key = text("idempotencyKey").unwrap_or(meta.idempotency_key);
    meta.correlation_id = text("correlationId");
    meta.ticket = text("ticket");
    if let Some(time) = text("acceptedAt") {
        match (time.parse(), node.get("acceptedAt")) {
            (Ok(time), _) => meta.accepted_at = time,
            (Err(_), Some(node)) => reader.wrong_kind(node, "`acceptedAt`", "an RFC 3339 time"),
            _ => {}
        }
    }
    meta
}

/// Where two documents differ, as JSON pointers.
fn compare(path: &str, expected: Option<&Value>, actual: Option<&Value>, into: &mut Vec<String>) {
    let at = if path.is_empty() { "(root)" } else { path };
    match (expected, actual) {
        (Some(Value::Object(left)), Some(Value::Object(right))) => {
            let added = right.keys().filter(|name| !left.contains_key(*name));
            for name in left.keys().chain(added) {
                compare(&format!("{path}/{}", escape(name)), left.get(name), right.get(name), into);
            }
        }
        (Some(Value::Array(left)), Some(Value::Array(right))) => {
            for index in 0..left.len().max(right.len()) {
                compare(&format!("{path}/{index}"), left.get(index), right.get(index), into);
            }
        }
        (Some(left), Some(right)) if left == right => {}
        (Some(left), Some(right)) => into.push(format!("{at}: expected {left}, got {right}")),
        (Some(left), None) => into.push(format!("{at}: expected {left}, got nothing")),
        (None, Some(right)) => into.push(format!("{at}: expected nothing, got {right}")),
        (None, None) => {}
    }
}
