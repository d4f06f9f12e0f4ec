//! Lines of a file that are no records: a header in front of them, a trailer behind them. Pure.

use super::parse::{self, Record};
use crate::adapter::file::{Edge, FileIn};
use crate::codec::{DecodeError, Limits};
use serde_json::Value;

/// Reads the records between header and trailer. The inner error says that there are not as many as
/// header or trailer promise.
///
/// # Errors
/// Where the file as a whole is not what it should be: why, with the place.
pub fn records(rule: &FileIn, bytes: &[u8]) -> Result<Result<Vec<Record>, String>, String> {
    let (mut inner, mut before, mut promised) = (bytes, 0, Vec::new());
    if let Some(header) = &rule.header {
        let end = inner.iter().position(|byte| *byte == b'\n').map_or(inner.len(), |at| at + 1);
        let (line, rest) = inner.split_at_checked(end).unwrap_or_default();
        promised.extend(said(header, line, 1)?);
        (inner, before) = (rest, 1);
    }
    if let Some(trailer) = &rule.trailer {
        let body = inner.strip_suffix(b"\n").unwrap_or(inner);
        let start = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (rest, line) = inner.split_at_checked(start).unwrap_or_default();
        let row = before + 1 + rest.iter().filter(|byte| **byte == b'\n').count();
        promised.extend(said(trailer, line, row)?);
        inner = rest;
    }
    let records = parse::records(&rule.content, inner, rule.max_records, before)?;
    let differs = promised.into_iter().find(|count| *count != records.len() as u64);
    Ok(match differs {
        Some(count) => Err(format!("1:1 {} records, {count} promised", records.len())),
        None => Ok(records),
    })
}

/// What a line says of the number of records.
fn said(edge: &Edge, line: &[u8], row: usize) -> Result<Option<u64>, String> {
    let Edge { plan, count } = edge;
    let document = plan
        .codec
        .decode(line, &Limits::default())
        .map_err(|error| DecodeError { line: row, ..error }.placed())?;
    if let Err(violations) = plan.schema.validate(&document) {
        let first = violations.first().map(ToString::to_string);
        return Err(format!("{row}:1 {}", first.unwrap_or_default()));
    }
    let Some(path) = count else { return Ok(None) };
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    let found = path.find(&document).and_then(number);
    found.map(Some).ok_or_else(|| format!("{row}:1 it says no number of records"))
}
