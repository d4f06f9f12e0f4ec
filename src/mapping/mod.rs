//! The mapping engine: declarative rules from one schema to another. Pure: no I/O, no clock but
//! the message's, no chance.

use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::model::Code;
use crate::schema::{Schema, Schemas, Shape};
use serde_json::Value;
use std::sync::Arc;

pub mod cases;
pub mod path;

/// What a mapping may know of a message beside its document (`$meta`).
#[derive(Clone, Debug)]
pub struct Meta {
    /// The sender's id of the message.
    pub message_id: String,
    /// Its type.
    pub message_type: String,
    /// Who sent it.
    pub source: String,
    /// 団体コード, 6 digits.
    pub municipality: Option<String>,
    /// Who at the sender did it.
    pub operator: Option<String>,
    /// When it was durably accepted.
    pub accepted_at: jiff::Timestamp,
    /// The key every attempt of the exchange carries.
    pub idempotency_key: String,
    /// The exchange this belongs to.
    pub correlation_id: Option<String>,
    /// The counterpart's ticket of a submit-poll operation.
    pub ticket: Option<String>,
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
    /// Line of the expression, from 1.
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
    /// The kind of result only: `string(12)`, `absent`, `skipped`, `rejected`…
    pub outcome: String,
}

/// The code tables shared by all mappings (`mappings/tables/*.yaml`).
#[derive(Debug, Default)]
pub struct Tables {}

impl Tables {
    /// Reads table files; what is wrong with them is reported.
    pub fn load(_files: &[Arc<SourceFile>], _diagnostics: &mut Vec<Diagnostic>) -> Tables {
        Tables {}
    }
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
}

impl Mapping {
    /// Compiles a mapping file and checks it against both schemas. Every problem is reported at
    /// once; `None` only if one of them is an error.
    pub fn compile(
        _file: &Arc<SourceFile>,
        _schemas: &Schemas,
        _tables: &Tables,
        _diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Mapping> {
        None
    }

    /// Maps a document.
    pub fn run(&self, _document: &Value, _meta: &Meta) -> Result<Value, Rejection> {
        Ok(Value::Null)
    }

    /// Maps a document and tells what each rule did, without values.
    pub fn explain(
        &self,
        document: &Value,
        meta: &Meta,
    ) -> (Vec<TraceLine>, Result<Value, Rejection>) {
        (Vec::new(), self.run(document, meta))
    }

    /// Legal item codes (`x-item`) of the target fields that some rule sets.
    pub fn items(&self) -> Vec<String> {
        Vec::new()
    }

    /// SHA-256 (hex) of the file's text and the ids of both schemas.
    pub fn digest(&self) -> &str {
        ""
    }
}

/// A condition on a document, as adapters use it in `when`.
#[derive(Debug)]
pub struct Predicate {}

impl Predicate {
    /// Compiles a condition. `location` is the scalar it stands in; with a `shape` its paths are
    /// checked.
    pub fn compile(
        _text: &str,
        _location: Location,
        _shape: Option<&Shape>,
        _diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Predicate> {
        None
    }

    /// Whether it holds; absent or failed is no.
    pub fn test(&self, _document: &Value) -> bool {
        false
    }
}
