//! Samples: bytes in some format to plain documents, with what the layout looks like.

use super::super::trouble::{Trouble, UNAVAILABLE};
use crate::model::json::{self, Limits};
use clap::ValueEnum;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Largest sample, in bytes.
const MAX_BYTES: u64 = 32 << 20;

/// How a sample is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Json,
    Xml,
    Csv,
    Fixed,
}

/// A column of a fixed-width file.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub name: String,
    pub width: usize,
    pub title: Option<String>,
}

/// The format of a file by its name, or by what it begins with.
pub(super) fn format_of(path: &Path, bytes: &[u8], columns: bool) -> Format {
    if columns {
        return Format::Fixed;
    }
    let end = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
    match end.as_deref() {
        Some("json") => Format::Json,
        Some("xml") => Format::Xml,
        Some("csv") => Format::Csv,
        _ => match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b'[') => Format::Json,
            Some(b'<') => Format::Xml,
            _ => Format::Csv,
        },
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    let unavailable = |error: std::io::Error| {
        Trouble::new(UNAVAILABLE, format!("`{}`: {}", path.display(), error.kind()))
    };
    let length = std::fs::metadata(path).map_err(unavailable)?.len();
    if length > MAX_BYTES {
        let message = format!("`{}` has {length} bytes; at most {MAX_BYTES}", path.display());
        return Err(Trouble::usage(message).hint("a part of it is enough"));
    }
    std::fs::read(path).map_err(unavailable)
}

/// The columns of a fixed-width file: lines `name,width[,title]`; `#` begins a remark.
pub(super) fn columns(path: &Path) -> Result<Vec<Column>, Trouble> {
    let text = text(&read(path)?).0;
    let mut columns = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let mut parts = line.split(',').map(str::trim);
        let name = parts.next().filter(|name| !name.is_empty());
        let width = parts.next().and_then(|width| width.parse().ok()).filter(|width| *width > 0);
        let (Some(name), Some(width)) = (name, width) else {
            let place = format!("`{}` line {}", path.display(), index + 1);
            return Err(Trouble::usage(format!("{place} is not `name,width[,title]`")));
        };
        let title = parts.next().filter(|title| !title.is_empty()).map(str::to_owned);
        columns.push(Column { name: name.to_owned(), width, title });
    }
    Ok(columns)
}

/// Text and charset of bytes: UTF-8 where they are, else CP932.
fn text(bytes: &[u8]) -> (String, &'static str) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.trim_start_matches('\u{feff}').to_owned(), "utf-8"),
        Err(_) => (encoding_rs::SHIFT_JIS.decode(bytes).0.into_owned(), "cp932"),
    }
}

pub(super) fn json(bytes: &[u8]) -> Result<Value, String> {
    json::read(bytes, &Limits::default())
        .map_err(|error| error.located(bytes, |_| String::new()).to_string())
}

/// A CSV file with a header: an array of rows; empty fields are absent.
pub(super) fn csv(bytes: &[u8]) -> Result<(Value, Value), String> {
    let (text, charset) = text(bytes);
    let mut rows = records(&text).into_iter();
    let header = rows.next().ok_or("the file is empty")?;
    let mut documents = Vec::new();
    for (index, row) in rows.enumerate() {
        if row.len() != header.len() {
            let (found, wanted) = (row.len(), header.len());
            return Err(format!("row {} has {found} fields, the header {wanted}", index + 2));
        }
        let cells = header.iter().cloned().zip(row).filter(|(_, cell)| !cell.is_empty());
        documents.push(cells.map(|(name, cell)| (name, Value::String(cell))).collect());
    }
    let layout = json!({
        "charset": charset,
        "bom": bytes.starts_with(&[0xEF, 0xBB, 0xBF]),
        "newline": if text.contains("\r\n") { "crlf" } else { "lf" },
        "header": true,
        "quote": "needed",
    });
    // Every column is known from the header, also one that is never filled.
    let names: Vec<Value> = header.into_iter().map(Value::String).collect();
    documents.insert(0, json!({"": names}));
    Ok((Value::Array(documents), layout))
}

/// Fields of comma-separated text, quotes taken off.
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut field) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut any) = (false, false);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        any = true;
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
                any = false;
            }
            other => field.push(other),
        }
    }
    if any {
        row.push(field);
        rows.push(row);
    }
    rows
}

/// A file of fixed width: an array of rows; blank fields are absent.
pub(super) fn fixed(bytes: &[u8], columns: &[Column]) -> Result<(Value, Value), String> {
    let (text, charset) = text(bytes);
    let total: usize = columns.iter().map(|column| column.width).sum();
    let raw = |line: &str| -> Vec<u8> {
        match charset {
            "utf-8" => line.as_bytes().to_vec(),
            _ => encoding_rs::SHIFT_JIS.encode(line).0.into_owned(),
        }
    };
    let lines: Vec<&str> = text.lines().collect();
    let characters = lines.iter().all(|line| line.chars().count() == total);
    let as_bytes = lines.iter().all(|line| raw(line).len() == total);
    if !characters && !as_bytes {
        let odd =
            lines.iter().position(|line| line.chars().count() != total && raw(line).len() != total);
        let row = odd.unwrap_or(0);
        let line = lines.get(row).copied().unwrap_or_default();
        let (count, length) = (line.chars().count(), raw(line).len());
        return Err(format!(
            "the columns make {total}; row {} has {count} characters, {length} bytes",
            row + 1
        ));
    }
    let mut documents = Vec::new();
    for line in &lines {
        let mut row = Map::new();
        let bytes = raw(line);
        let mut at = 0;
        for column in columns {
            let cell: String = if characters {
                line.chars().skip(at).take(column.width).collect()
            } else {
                let part = bytes.get(at..at + column.width).unwrap_or_default();
                self::text(part).0
            };
            at += column.width;
            let cell = cell.trim_matches(' ');
            if !cell.is_empty() {
                row.insert(column.name.clone(), Value::String(cell.to_owned()));
            }
        }
        documents.push(Value::Object(row));
    }
    let layout = json!({
        "charset": charset,
        "newline": if text.contains("\r\n") { "crlf" } else { "lf" },
        "record-width": total,
        "unit": if characters { "chars" } else { "bytes" },
    });
    Ok((Value::Array(documents), layout))
}

/// An XML document: elements by name, `@name` for attributes, `#text` beside them.
pub(super) fn xml(bytes: &[u8]) -> Result<(Value, Value), String> {
    let (text, _) = text(bytes);
    let mut reader = Reader::from_str(&text);
    let mut open: Vec<Element> = Vec::new();
    let malformed = |_| "not well-formed XML".to_owned();
    loop {
        match reader.read_event().map_err(malformed)? {
            Event::DocType(_) => return Err("a DTD is refused".to_owned()),
            Event::Start(start) => open.push(Element::new(&start)?),
            Event::Empty(start) => {
                let element = Element::new(&start)?;
                if let Some(done) = close(element, &mut open) {
                    return Ok(done);
                }
            }
            Event::End(_) => {
                let Some(element) = open.pop() else { return Err("no start tag".to_owned()) };
                if let Some(done) = close(element, &mut open) {
                    return Ok(done);
                }
            }
            Event::Text(part) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&part);
                }
            }
            Event::CData(part) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&part);
                }
            }
            // What a reference stands for is a character or two: lengths are generous anyway.
            Event::GeneralRef(_) => {
                if let Some(element) = open.last_mut() {
                    element.text.push('x');
                }
            }
            Event::Eof => return Err("the document ends too early".to_owned()),
            _ => {}
        }
    }
}

struct Element {
    name: String,
    namespace: Option<String>,
    members: Map<String, Value>,
    text: String,
}

impl Element {
    fn new(start: &BytesStart<'_>) -> Result<Element, String> {
        let local = |name: &str| name.rsplit(':').next().unwrap_or_default().to_owned();
        let prefix = start.name().prefix().map(|p| p.as_ref().to_owned());
        let own = prefix.map_or_else(|| "xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
        let mut members = Map::new();
        let mut namespace = None;
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| "a malformed attribute".to_owned())?;
            let name = attribute.key.as_ref().to_owned();
            let value = attribute
                .normalized_value(XmlVersion::Explicit1_0)
                .map_err(|_| "a malformed attribute".to_owned())?
                .into_owned();
            if name == own {
                namespace = Some(value);
            } else if !name.starts_with("xmlns") && !name.starts_with("xsi:") {
                let name = local(attribute.key.as_ref());
                members.insert(format!("@{name}"), Value::String(value));
            }
        }
        let name = local(start.name().as_ref());
        Ok(Element { name, namespace, members, text: String::new() })
    }
}

/// Puts a finished element into the one around it; the root is the document.
fn close(element: Element, open: &mut [Element]) -> Option<(Value, Value)> {
    let Element { name, namespace, mut members, text } = element;
    let text = text.trim();
    let value = if members.is_empty() {
        Value::String(text.to_owned())
    } else {
        if !text.is_empty() {
            members.insert("#text".to_owned(), Value::String(text.to_owned()));
        }
        Value::Object(members)
    };
    let Some(parent) = open.last_mut() else {
        let mut layout = json!({"root": name, "declaration": true});
        if let (Some(namespace), Some(layout)) = (namespace, layout.as_object_mut()) {
            layout.insert("namespace".to_owned(), Value::String(namespace));
        }
        return Some((value, layout));
    };
    match parent.members.get_mut(&name) {
        Some(Value::Array(list)) => list.push(value),
        Some(first) => {
            let earlier = first.take();
            *first = Value::Array(vec![earlier, value]);
        }
        None => {
            parent.members.insert(name, value);
        }
    }
    None
}
