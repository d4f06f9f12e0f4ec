//! A file's bytes to its records: pure. What is wrong with one is told by line and column, never
//! by a value.

use crate::adapter::file::{Content, Layout};
use crate::codec::{DecodeError, Limits};
use crate::model::codes::message as codes;
use crate::model::{Class, Failure, Stage};
use crate::schema::Violation;
use serde_json::Value;

/// One record of a file.
#[derive(Debug)]
pub struct Record {
    /// Its number, from 1.
    pub number: usize,
    /// What it says, or what is wrong with it.
    pub found: Result<Value, Bad>,
}

/// A record that is not what it should be.
#[derive(Debug)]
pub struct Bad {
    /// `LINE:COLUMN CODE what`, without values.
    pub detail: String,
    /// Its bytes as they stand in the file, or as JSON.
    pub body: Vec<u8>,
}

/// Reads all records of a file; so many lines stand `before` them.
///
/// # Errors
/// Where the file as a whole is not what it should be: why, with the place.
pub fn records(
    content: &Content,
    bytes: &[u8],
    most: usize,
    before: usize,
) -> Result<Vec<Record>, String> {
    let limits =
        Limits { max_bytes: bytes.len().max(1), max_nodes: usize::MAX, ..Limits::default() };
    let placed = |error: DecodeError| DecodeError { line: error.line + before, ..error }.placed();
    let mut found = match &content.layout {
        Layout::Table(plan) => {
            let Some(mut records) = plan.codec.records(bytes, &limits) else {
                return Err("no table".to_owned());
            };
            let mut found = Vec::new();
            while let Some(record) = records.next() {
                let over = records.is_over();
                let record = match record {
                    Ok(value) => {
                        let row = records.row();
                        valid(content, value, row + before)
                    }
                    Err(error) if over => return Err(placed(error)),
                    Err(error) => Err(Bad { detail: placed(error), body: records.raw().to_vec() }),
                };
                found.push(record);
                if found.len() > most {
                    return Err(format!("more than {most} records"));
                }
            }
            found
        }
        Layout::Lines => {
            let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            if lines.len() > most {
                return Err(format!("more than {most} records"));
            }
            if lines.last().is_some_and(|last| !last.ends_with(b"\n")) {
                return Err(format!("{}:1 the last line has no end", lines.len() + before));
            }
            let limits = Limits::default();
            let one =
                |(line, row): (&&[u8], usize)| match content.record.codec.decode(line, &limits) {
                    Ok(value) => valid(content, value, row),
                    Err(error) => {
                        let error = DecodeError { line: row, ..error };
                        Err(Bad { detail: error.placed(), body: line.to_vec() })
                    }
                };
            lines.iter().zip(before + 1..).map(one).collect()
        }
        Layout::Document { plan, records, .. } => {
            let document = plan.codec.decode(bytes, &limits).map_err(|error| error.placed())?;
            if let Err(violations) = plan.schema.validate(&document) {
                return Err(format!("1:1 {}", told(&violations)));
            }
            let list = records.iter().try_fold(&document, |value, name| value.get(name));
            let Some(list) = list.and_then(Value::as_array) else {
                return Err("1:1 the list of records is not there".to_owned());
            };
            if list.len() > most {
                return Err(format!("more than {most} records"));
            }
            list.iter().zip(1..).map(|(record, row)| valid(content, record.clone(), row)).collect()
        }
    };
    Ok(found.drain(..).zip(1..).map(|(found, number)| Record { number, found }).collect())
}

/// Reads a file as one document.
///
/// # Errors
/// Where it is not what it should be: why, with the place.
pub fn whole(content: &Content, bytes: &[u8]) -> Result<Value, String> {
    let limits = Limits { max_bytes: bytes.len().max(1), ..Limits::default() };
    let plan = match &content.layout {
        Layout::Table(plan) | Layout::Document { plan, .. } => plan,
        Layout::Lines => {
            let all = records(content, bytes, usize::MAX, 0)?;
            let all: Result<Vec<Value>, Bad> = all.into_iter().map(|record| record.found).collect();
            return all.map(Value::Array).map_err(|bad| bad.detail);
        }
    };
    let document = plan.codec.decode(bytes, &limits).map_err(|error| error.placed())?;
    match plan.schema.validate(&document) {
        Ok(()) => Ok(document),
        Err(violations) => Err(format!("1:1 {}", told(&violations))),
    }
}

/// The failure of one record.
pub fn failure(file: &str, detail: &str) -> Failure {
    let detail = format!("{file}:{detail}");
    Failure { code: &codes::BAD_RECORD, stage: Stage::Accept, class: Class::Never, detail }
}

fn valid(content: &Content, value: Value, row: usize) -> Result<Value, Bad> {
    let schema = &content.record.schema;
    let Err(violations) = schema.validate(&value) else { return Ok(value) };
    let member =
        violations.first().and_then(|first| first.path.trim_start_matches('/').split('/').next());
    let names = &schema.shape().properties;
    let column = names.iter().position(|property| Some(property.name.as_str()) == member);
    let detail = format!("{row}:{} {}", column.map_or(1, |column| column + 1), told(&violations));
    Err(Bad { detail, body: serde_json::to_vec(&value).unwrap_or_default() })
}

fn told(violations: &[Violation]) -> String {
    violations.first().map(ToString::to_string).unwrap_or_default()
}
