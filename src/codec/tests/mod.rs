//! Every format with whole files: what each refuses, and that nothing is lost on the way.

mod conformance;
mod found;
mod generated;
mod json;
mod published;
mod records;
mod round_trip;
mod soap;
mod table;
mod xml;

use crate::codec::{Codec, DecodeError, EncodeError, Format, Limits};
use crate::diagnostic::SourceFile;
use crate::schema::{Schema, Schemas};
use serde_json::Value;
use std::sync::Arc;

fn schema(value: &Value) -> Arc<Schema> {
    let file =
        SourceFile::new("schemas/t/t/1.schema.json", serde_json::to_string_pretty(value).unwrap());
    let mut diagnostics = Vec::new();
    let schemas = Schemas::load(&[file], &mut diagnostics);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    schemas.get("t/t@1").unwrap()
}

fn compile(format: Format, value: &Value) -> Result<Codec, Vec<String>> {
    let mut diagnostics = Vec::new();
    let codec = Codec::compile(format, &schema(value), &mut diagnostics);
    codec.ok_or_else(|| {
        diagnostics
            .iter()
            .map(|d| {
                let text = &d.location.file.text[d.location.span.clone()];
                let line = text.lines().next().unwrap_or_default();
                format!("{} {line} {}", d.code, d.message)
            })
            .collect()
    })
}

fn codec(format: Format, value: &Value) -> Codec {
    compile(format, value).unwrap()
}

fn decode(codec: &Codec, bytes: impl AsRef<[u8]>) -> Result<Value, DecodeError> {
    codec.decode(bytes.as_ref(), &Limits::default())
}

/// `code line:column path` of a refusal.
fn refusal(result: Result<Value, DecodeError>) -> String {
    let error = result.unwrap_err();
    format!("{} {}:{} {}", error.code, error.line, error.column, error.path)
}

/// `code path` of a refusal.
fn unwritten(result: Result<Vec<u8>, EncodeError>) -> String {
    let error = result.unwrap_err();
    format!("{} {}", error.code, error.path)
}
