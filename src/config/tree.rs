//! `watashi.toml` as the same tree with places that YAML files are read through, so that both
//! have the same checks and the same messages.

use crate::diagnostic::yaml::{Entry, Kind, Node};
use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::model::codes::config as codes;
use serde_json::Value;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads the text; every syntax problem is reported.
pub fn parse(file: &Arc<SourceFile>, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        let location = Location { file: Arc::clone(file), span };
        diagnostics.push(Diagnostic::error(&codes::NOT_TOML, location, error.message()));
    }
    errors
        .is_empty()
        .then(|| Node { span: table.span(), value: Kind::Map(entries(table.get_ref())) })
}

fn entries(table: &DeTable<'_>) -> Vec<Entry> {
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        Entry { key: key.get_ref().to_string(), key_span: key.span(), node: node(value) }
    };
    let mut entries: Vec<Entry> = table.iter().map(entry).collect();
    // The order of the file counts: the first key listed is the oldest.
    entries.sort_by_key(|entry| entry.key_span.start);
    entries
}

fn node(value: &Spanned<DeValue<'_>>) -> Node {
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::Scalar(Value::String(text.to_string())),
        DeValue::Integer(integer) => Kind::Scalar(number(&integer.to_string())),
        DeValue::Float(float) => Kind::Scalar(number(&float.to_string())),
        DeValue::Boolean(flag) => Kind::Scalar(Value::Bool(*flag)),
        DeValue::Datetime(date) => Kind::Scalar(Value::String(date.to_string())),
        DeValue::Array(items) => Kind::Seq(items.iter().map(node).collect()),
        DeValue::Table(table) => Kind::Map(entries(table)),
    };
    Node { value: kind, span: value.span() }
}

/// A number as JSON has it; what JSON cannot hold (inf, hexadecimal) stays text and is then
/// refused as the wrong kind.
fn number(text: &str) -> Value {
    let plain = text.replace('_', "");
    serde_json::from_str(&plain).unwrap_or(Value::String(plain))
}
