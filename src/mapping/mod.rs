//! The mapping engine: declarative rules from one schema to another. Pure: no I/O, no clock but
//! the message's, no chance.
//!
//! A mapping file goes through `syntax` (text to tree), `compile` (checked against both schemas,
//! every problem at once) to `plan`, once; `run` applies the plan to one borrowed document after
//! another. What it costs is bounded: an expression has at most 1 KiB and 32 levels, `each` stands
//! at most 4 deep, and a run ends with `M305` when it would cost more than a message may.
//!
//! Three things are no value: absent, `null`, and nil with a reason (`{"$nil": "…"}`). Functions
//! pass them on instead of failing; `??` replaces them; `present` tells them from a value. A
//! nested target object none of whose members was set is left out, except as an array's element.

use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::mapping::plan::{At, Op, Plan};
use crate::model::Code;
use crate::model::json::{Node, Tree};
use crate::schema::{Schema, Schemas, Shape};
use aws_lc_rs::digest::{Context, SHA256};
use serde_json::Value;
use std::fmt::Write;
use std::sync::Arc;

pub mod cases;
mod compile;
pub mod describe;
mod facts;
pub mod functions;
pub mod keys;
pub mod path;
mod plan;
mod run;
mod syntax;
pub mod tables;
#[cfg(test)]
mod tests;
mod values;
pub mod words;

use cases::inverse::Inverse;
pub use cases::{Case, CaseOutcome, Coverage};
pub use path::Path;
pub use tables::{Table, Tables};

/// What a mapping may know of a message beside its document (`$meta`).
#[derive(Clone, Debug)]
pub struct Meta {
    /// The sender's id of the message.
    pub message_id: Arc<str>,
    /// Its type.
    pub message_type: Arc<str>,
    /// Who sent it.
    pub source: Arc<str>,
    /// 団体コード, 6 digits.
    pub municipality: Option<Arc<str>>,
    /// Who at the sender did it.
    pub operator: Option<Arc<str>>,
    /// When it was durably accepted.
    pub accepted_at: jiff::Timestamp,
    /// The key every attempt of the exchange carries.
    pub idempotency_key: Arc<str>,
    /// The exchange this belongs to.
    pub correlation_id: Option<Arc<str>>,
    /// The counterpart's ticket of a submit-poll operation.
    pub ticket: Option<String>,
    /// The request that was sent (`$request`), for replies that see it.
    pub request: Option<Sent>,
}

/// A request that was sent; its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Sent(Arc<Value>);

impl Sent {
    /// This document.
    pub fn new(document: Value) -> Sent {
        Sent(Arc::new(document))
    }

    pub(crate) fn document(&self) -> &Value {
        &self.0
    }
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Sent")
    }
}

impl Meta {
    /// For conditions, which know nothing of the message.
    fn nothing() -> Meta {
        Meta {
            message_id: Arc::default(),
            message_type: Arc::default(),
            source: Arc::default(),
            municipality: None,
            operator: None,
            accepted_at: jiff::Timestamp::UNIX_EPOCH,
            idempotency_key: Arc::default(),
            correlation_id: None,
            ticket: None,
            request: None,
        }
    }
}

/// Why a document was not mapped. Carries no value of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The registered code.
    pub code: &'static Code,
    /// The author's own code, from `reject("CODE", …)`.
    pub author_code: Option<String>,
    /// The target field whose rule refused, e.g. `records[].amount`.
    pub target: String,
    /// Line of the failing part in the mapping file, from 1.
    pub line: usize,
    /// Column of the failing part, from 1.
    pub column: usize,
    /// Safe text: names, kinds and lengths only.
    pub detail: String,
}

/// One rule in an explanation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLine {
    /// The target field.
    pub target: String,
    /// Line of its rule, from 1.
    pub line: usize,
    /// Column of its rule, from 1.
    pub column: usize,
    /// The rule as written.
    pub expression: String,
    /// The kind of result: `string(12)`, `absent`, `applies`, `skipped`, `rejected M304`…
    pub outcome: String,
}

/// A mapping, checked and compiled.
#[derive(Debug)]
pub struct Mapping {
    /// Its name, that of its folder.
    pub name: String,
    /// Schema of the documents it takes.
    pub from: Arc<Schema>,
    /// Schema of the documents it gives.
    pub to: Arc<Schema>,
    /// Of a reply: schema of the request that its rules see as `$request`.
    pub request: Option<Arc<Schema>>,
    plan: Plan,
    items: Arc<[String]>,
    inverse: Option<Inverse>,
    digest: String,
    file: Arc<SourceFile>,
}

impl Mapping {
    /// Compiles a mapping file and checks it against both schemas. Every problem is reported at
    /// once; `None` only if one of them is an error.
    pub fn compile(
        file: &Arc<SourceFile>,
        schemas: &Schemas,
        tables: &Tables,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Mapping> {
        let compiled = compile::compile(file, schemas, tables, diagnostics, true)?;
        Some(Mapping::of(file, compiled))
    }

    /// The same without the proof: for tests of what happens to a message that breaks its schema.
    #[cfg(test)]
    fn unproved(
        file: &Arc<SourceFile>,
        schemas: &Schemas,
        tables: &Tables,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Mapping> {
        let compiled = compile::compile(file, schemas, tables, diagnostics, false)?;
        Some(Mapping::of(file, compiled))
    }

    fn of(file: &Arc<SourceFile>, compiled: compile::Compiled) -> Mapping {
        let digest = digest(&file.text, &compiled);
        Mapping {
            name: compiled.name,
            from: compiled.from,
            to: compiled.to,
            request: compiled.request,
            plan: compiled.plan,
            items: compiled.items.into(),
            inverse: compiled.inverse,
            digest,
            file: Arc::clone(file),
        }
    }

    /// Maps a document. The members of the result stand in the order of the target schema; its
    /// texts are borrowed wherever no function changed them.
    pub fn map<'v>(
        &'v self,
        document: impl Into<Node<'v>>,
        meta: &'v Meta,
    ) -> Result<Tree<'v>, Rejection> {
        run::run(&self.plan, document.into(), meta)
    }

    /// Maps a document to a value of its own.
    pub fn run(&self, document: &Value, meta: &Meta) -> Result<Value, Rejection> {
        self.map(document, meta).map(Tree::into_value)
    }

    /// Maps a document and tells what each rule did, without values.
    pub fn explain<'v>(
        &self,
        document: impl Into<Node<'v>>,
        meta: &Meta,
    ) -> (Vec<TraceLine>, Result<Value, Rejection>) {
        run::explain(&self.plan, document.into(), meta, false)
    }

    /// The same with the values behind their kinds: for synthetic documents only.
    pub fn explain_with_values<'v>(
        &self,
        document: impl Into<Node<'v>>,
        meta: &Meta,
    ) -> (Vec<TraceLine>, Result<Value, Rejection>) {
        run::explain(&self.plan, document.into(), meta, true)
    }

    /// The same, and which branches it went.
    fn watch(
        &self,
        document: &Value,
        meta: &Meta,
    ) -> (Vec<TraceLine>, Vec<plan::Taken>, Result<Value, Rejection>) {
        run::watch(&self.plan, document.into(), meta)
    }

    /// The mapping that is declared to undo this one.
    pub fn inverse(&self) -> Option<&Inverse> {
        self.inverse.as_ref()
    }

    /// Legal item codes (`x-item`) of the target fields that some rule sets, sorted.
    pub fn items(&self) -> &[String] {
        &self.items
    }

    /// The same, for entries that share them.
    pub fn shared_items(&self) -> Arc<[String]> {
        Arc::clone(&self.items)
    }

    /// Every rule that gives a target its value, with its place.
    fn leaves(&self) -> impl Iterator<Item = (&str, At)> {
        let mut leaves = Vec::new();
        self.plan.root.leaves(&mut leaves);
        leaves.into_iter().map(|leaf| (leaf.target.as_str(), leaf.at))
    }

    /// SHA-256 (hex) of the file's text, the ids of both schemas and the shared tables it uses.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn digest(text: &str, compiled: &compile::Compiled) -> String {
    let mut context = Context::new(&SHA256);
    let mut add = |part: &str| {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    };
    [text, compiled.from.id(), compiled.to.id()].into_iter().for_each(&mut add);
    for table in &compiled.tables {
        add(&table.name);
        for (key, value) in &table.entries {
            add(key);
            add(&value.to_string());
        }
    }
    context.finish().as_ref().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// A condition on a document, as adapters use it in `when`.
#[derive(Debug)]
pub struct Predicate {
    op: Op,
    sees_request: bool,
}

impl Predicate {
    /// Compiles a condition. `location` is the scalar it stands in (quotes included); with a
    /// `shape` its paths are checked. `None` only if an error was reported.
    pub fn compile(
        text: &str,
        location: Location,
        shape: Option<&Shape>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Predicate> {
        Predicate::compile_seeing(text, location, shape, None, diagnostics)
    }

    /// The same, where `$request` is a document of the shape `request`.
    pub fn compile_seeing(
        text: &str,
        location: Location,
        shape: Option<&Shape>,
        request: Option<&Shape>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Predicate> {
        let op = compile::predicate(text, location, shape, request, diagnostics)?;
        let sees_request = op.names_variable();
        Some(Predicate { op, sees_request })
    }

    /// Whether it names `$request`.
    pub fn sees_request(&self) -> bool {
        self.sees_request
    }

    /// Whether it holds; absent or failed is no.
    pub fn test<'v>(&self, document: impl Into<Node<'v>>) -> bool {
        run::test(&self.op, document.into(), None)
    }

    /// The same beside the request that was sent.
    pub fn test_beside<'v>(&self, document: impl Into<Node<'v>>, request: &'v Sent) -> bool {
        run::test(&self.op, document.into(), Some(request.document().into()))
    }
}
