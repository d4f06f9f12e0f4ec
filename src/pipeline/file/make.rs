//! Records to the files of a set: pure, so that the same records make the same bytes again.

use super::manifest::{FORM, Listed, Manifest};
use super::meta;
use crate::adapter::file::{Content, Facts, FileOut, Layout, Sheet, name, path_of};
use crate::codec::EncodeError;
use crate::model::codes::message as codes;
use crate::model::{Class, Failure, Stage};
use crate::pipeline::{hex_digest, map, pull};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// One file, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Folder and name in its place.
    pub path: String,
    /// What it holds.
    pub content: Bytes,
    /// SHA-256 of that, hexadecimal.
    pub sha256: String,
    /// Records in it; `None` for companions, manifest and marker.
    pub records: Option<usize>,
}

/// The files of a set, in the order in which they are written: records, companions, manifest,
/// marker.
///
/// # Errors
/// `G703`: a mapping fails, or the layout cannot carry the records together.
pub fn make(
    rule: &FileOut,
    set: u64,
    at: Timestamp,
    records: &[Value],
) -> Result<Vec<Made>, Failure> {
    let mut chunks: Vec<&[Value]> = records.chunks(rule.split.max(1)).collect();
    if chunks.is_empty() {
        chunks.push(&[]);
    }
    let (parts, total) = (chunks.len(), records.len());
    let facts = |part: usize| Facts { set, part: part as u64, at };
    let mut files: Vec<Made> = Vec::new();
    let mut documents = Vec::new();
    for (chunk, part) in chunks.iter().zip(1..) {
        let name = rule.name.render(&facts(part));
        let about = about(set, at, (part, parts), (chunk.len(), total), &name);
        let content = part_of(&rule.content, &about, chunk)?;
        files.push(made(rule, &name, content, Some(chunk.len())));
        documents.push(about);
    }
    let last = documents.last().cloned().unwrap_or_default();
    let digests: Vec<String> = files.iter().map(|file| file.sha256.clone()).collect();
    for companion in &rule.companions {
        if !companion.each_part {
            let mut about = last.clone();
            put(&mut about, "records", json!(total));
            let name = companion.name.render(&facts(parts));
            files.push(made(rule, &name, sheet(&companion.sheet, &about)?, None));
            continue;
        }
        for ((about, digest), part) in documents.iter().zip(&digests).zip(1..) {
            let mut about = about.clone();
            put(&mut about, "sha256", json!(digest));
            let name = companion.name.render(&facts(part));
            files.push(made(rule, &name, sheet(&companion.sheet, &about)?, None));
        }
    }
    if let Some(name) = &rule.manifest {
        let manifest = manifest(set, at, total, &files);
        let content = manifest.to_bytes().map_err(|_| not_made("the manifest"))?;
        files.push(made(rule, &name.render(&facts(parts)), content, None));
    }
    if let Some(name) = &rule.marker {
        files.push(made(rule, &name.render(&facts(parts)), Vec::new(), None));
    }
    Ok(files)
}

/// Whether one message's records can stand in a file, whatever stands beside them.
///
/// # Errors
/// `G304`, `G303`: this message alone cannot be written.
pub fn check(content: &Content, records: &[Value]) -> Result<(), Failure> {
    let refused = |error: EncodeError| failure(&codes::OUTPUT_NOT_ENCODABLE, error.to_string());
    match &content.layout {
        Layout::Table(plan) => {
            let document = Value::Array(records.to_vec());
            if let Err(violations) = plan.schema.validate(&document) {
                let shown = violations.first().map(ToString::to_string).unwrap_or_default();
                return Err(failure(&codes::OUTPUT_INVALID, shown));
            }
            plan.codec.encode(&document).map(drop).map_err(refused)
        }
        // Its JSON was made and checked already.
        Layout::Lines => Ok(()),
        Layout::Document { .. } => {
            let about =
                about(1, Timestamp::UNIX_EPOCH, (1, 1), (records.len(), records.len()), "x");
            match part_of(content, &about, records) {
                Err(failure) if failure.code == &codes::OUTPUT_NOT_ENCODABLE => Err(failure),
                _ => Ok(()),
            }
        }
    }
}

/// The records that one message gives: its document, or the elements of it.
pub fn records_of(document: Value) -> Vec<Value> {
    match document {
        Value::Array(records) => records,
        record => vec![record],
    }
}

fn made(rule: &FileOut, name: &str, content: Vec<u8>, records: Option<usize>) -> Made {
    let sha256 = hex_digest(&content);
    Made { path: path_of(&rule.folder, name), content: content.into(), sha256, records }
}

fn manifest(set: u64, at: Timestamp, total: usize, files: &[Made]) -> Manifest {
    let listed = |file: &Made| Listed {
        name: file.path.rsplit('/').next().unwrap_or_default().to_owned(),
        bytes: file.content.len() as u64,
        records: file.records.map(|records| records as u64),
        sha256: file.sha256.clone(),
    };
    Manifest {
        form: FORM.to_owned(),
        set,
        at: pull::japan_time(at),
        records: total as u64,
        files: files.iter().map(listed).collect(),
    }
}

/// `watashi/file@1` of one part.
fn about(
    set: u64,
    at: Timestamp,
    (part, parts): (usize, usize),
    (records, total): (usize, usize),
    name: &str,
) -> Value {
    let time = at.to_zoned(name::japan());
    json!({
        "set": set,
        "date": time.strftime("%Y-%m-%d").to_string(),
        "time": time.strftime("%H:%M:%S").to_string(),
        "parts": parts,
        "total": total,
        "part": part,
        "records": records,
        "name": name,
    })
}

fn put(about: &mut Value, key: &str, value: Value) {
    if let Some(members) = about.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
}

fn part_of(content: &Content, about: &Value, records: &[Value]) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    if let Some(header) = &content.header {
        bytes.extend(sheet(header, about)?);
    }
    let refused = |error: EncodeError| failure(&codes::OUTPUT_NOT_ENCODABLE, error.to_string());
    match &content.layout {
        Layout::Table(plan) => {
            let document = Value::Array(records.to_vec());
            bytes.extend(plan.codec.encode(&document).map_err(refused)?);
        }
        Layout::Lines => {
            for record in records {
                bytes.extend(content.record.codec.encode(record).map_err(refused)?);
                bytes.push(b'\n');
            }
        }
        Layout::Document { plan, records: path, head } => {
            let mut document = match head {
                Some(mapping) => {
                    map::run(mapping, about, &meta(Timestamp::UNIX_EPOCH)).map_err(wrapped)?
                }
                None => Value::Object(Map::new()),
            };
            insert(&mut document, path, records);
            if let Err(violations) = plan.schema.validate(&document) {
                let shown = violations.first().map(ToString::to_string).unwrap_or_default();
                return Err(not_made(&shown));
            }
            bytes.extend(plan.codec.encode(&document).map_err(refused)?);
        }
    }
    if let Some(trailer) = &content.trailer {
        bytes.extend(sheet(trailer, about)?);
    }
    Ok(bytes)
}

/// Puts the records into the array that the names lead to.
fn insert(document: &mut Value, path: &[String], records: &[Value]) {
    let mut here = document;
    for name in path {
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        let Some(members) = here.as_object_mut() else { return };
        here = members.entry(name.clone()).or_insert(Value::Null);
    }
    *here = Value::Array(records.to_vec());
}

fn sheet(sheet: &Sheet, about: &Value) -> Result<Vec<u8>, Failure> {
    let document =
        map::run(&sheet.mapping, about, &meta(Timestamp::UNIX_EPOCH)).map_err(wrapped)?;
    sheet.plan.codec.encode(&document).map_err(|error| not_made(&error.to_string()))
}

fn wrapped(failure: Failure) -> Failure {
    not_made(&failure.to_string())
}

fn not_made(detail: &str) -> Failure {
    failure(&codes::SET_NOT_MADE, detail)
}

fn failure(code: &'static crate::model::Code, detail: impl Into<String>) -> Failure {
    Failure { code, stage: Stage::Map, class: Class::Never, detail: detail.into() }
}
