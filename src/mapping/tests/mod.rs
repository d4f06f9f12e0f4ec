//! Tests of the whole engine.

use crate::diagnostic::{Diagnostic, Severity, SourceFile};
use crate::mapping::{Mapping, Meta, Tables};
use crate::schema::Schemas;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

mod corpus;
mod definitions;
mod disclosed;
mod functions;
mod gives;
mod proof;
mod properties;
mod run;

/// The schemas of these tests and of the corpus: `record` has one place of every sort, `order` is
/// what it is mapped to, `rows` is an array, `choice` one of two objects.
static SCHEMAS: LazyLock<Schemas> = LazyLock::new(schemas);

macro_rules! schema {
    ($name:literal) => {
        (
            concat!("schemas/test/", $name, "/1.schema.json"),
            include_str!(concat!(
                "../../../tests/corpus/mapping/schemas/test/",
                $name,
                "/1.schema.json"
            )),
        )
    };
}

fn schemas() -> Schemas {
    let files = [
        schema!("record"),
        schema!("order"),
        schema!("rows"),
        schema!("choice"),
        schema!("source"),
        schema!("strict"),
    ];
    let files: Vec<Arc<SourceFile>> =
        files.into_iter().map(|(path, text)| SourceFile::new(path, text)).collect();
    let mut diagnostics = Vec::new();
    let schemas = Schemas::load(&files, &mut diagnostics);
    let errors: Vec<&Diagnostic> =
        diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{}", crate::diagnostic::render::text(&diagnostics));
    schemas
}

/// A file with the usual head; `body` is what stands below `from` and `to`.
pub(super) fn file(body: &str) -> Arc<SourceFile> {
    let head = "mapping: sample\nfrom: test/record@1\nto: test/order@1\n";
    SourceFile::new("mappings/sample/mapping.yaml", format!("{head}{body}"))
}

/// Compiles a file and gives what was reported.
pub(super) fn compile(file: &Arc<SourceFile>) -> (Option<Mapping>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mapping = Mapping::compile(file, &SCHEMAS, &tables(&mut diagnostics), &mut diagnostics);
    (mapping, diagnostics)
}

fn tables(diagnostics: &mut Vec<Diagnostic>) -> Tables {
    let shared = SourceFile::new(
        "mappings/tables/sex.yaml",
        "table: sex\nentries: {male: \"1\", female: \"2\", unknown: \"0\"}\n",
    );
    Tables::load(&[shared], diagnostics)
}

/// The same without the proof: what happens to a message is tested of mappings that need one.
pub(super) fn unproved(file: &Arc<SourceFile>) -> (Option<Mapping>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mapping = Mapping::unproved(file, &SCHEMAS, &tables(&mut diagnostics), &mut diagnostics);
    (mapping, diagnostics)
}

/// A mapping whose form is without fault.
pub(super) fn mapping(body: &str) -> Mapping {
    let (mapping, diagnostics) = unproved(&file(body));
    assert!(diagnostics.is_empty(), "{}", crate::diagnostic::render::text(&diagnostics));
    mapping.unwrap()
}

pub(super) fn meta() -> Meta {
    Meta {
        message_id: "m-1".into(),
        message_type: "test.record".into(),
        source: "health".into(),
        municipality: Some("131237".into()),
        operator: None,
        accepted_at: "2026-05-31T15:00:00Z".parse().unwrap(),
        idempotency_key: "k-1".into(),
        correlation_id: None,
        ticket: Some("t-1".into()),
        request: None,
    }
}

pub(super) fn document() -> Value {
    json!({
        "event": "registered", "withdrawn": false, "revision": 2, "amount": "0.5", "note": null,
        "free": {"other": 1},
        "person": {"atenaNumber": "000000000000019", "individualNumber": "123456789018",
                   "name": "試験　太郎", "sex": "male", "birthDate": "2020-04-01"},
        "doses": [
            {"date": "2026-05-01", "lot": "ab１", "status": "done", "parts": ["x", "y"]},
            {"date": "2026-06-01", "status": "planned"}
        ]
    })
}
