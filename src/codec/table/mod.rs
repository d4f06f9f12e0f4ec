//! Tables: CSV and fixed width, one object per line, each error with row and column.

mod charset;
mod csv;
mod fixed;

pub use charset::Charset;
pub use csv::Csv;
pub use fixed::Fixed;

use super::field::{Problems, Scalar, property_pointer, unify};
use crate::model::Code;
use crate::model::codes::document;
use crate::model::json::{DecodeError, escape};
use crate::schema::Shape;
use serde_json::Value;

/// One column.
#[derive(Debug)]
struct Column {
    property: String,
    scalar: Scalar,
    /// 外字 may stand here.
    private_use: bool,
}

/// A column before the layout adds to it: where it stands in the schema, and its shape.
struct Declared<'a> {
    column: Column,
    pointer: String,
    shape: &'a Shape,
}

/// The columns of a root that is an array of flat objects.
fn columns<'a>(
    shape: &'a Shape,
    code: &'static Code,
    problems: &mut Problems<'_>,
) -> Option<Vec<Declared<'a>>> {
    let root = unify(shape);
    let Some(items) = root.items.filter(|_| root.types == ["array"]) else {
        problems.add(code, "", "the root must be an array of objects");
        return None;
    };
    let record = unify(items);
    if record.types != ["object"] || record.properties.is_empty() || record.nil {
        problems.add(code, "/items", "each element must be an object with properties");
        return None;
    }
    if record.open {
        problems.add(code, "/items", "a row has no place for undeclared members");
    }
    let allows =
        |shape: &Shape| shape.layout.get("x-private-use").and_then(Value::as_str) == Some("allow");
    let everywhere = allows(shape) || allows(items);
    let mut columns = Vec::new();
    for property in record.properties {
        let pointer = property_pointer("/items", &property.name);
        let unified = unify(&property.shape);
        let Some(scalar) = unified.scalar().filter(|_| !unified.nil) else {
            problems.add(code, &pointer, "a field is one scalar, never null or nil");
            continue;
        };
        let private_use = everywhere || allows(&property.shape);
        let column = Column { property: property.name.clone(), scalar, private_use };
        columns.push(Declared { column, pointer, shape: &property.shape });
    }
    Some(columns)
}

/// A fault in a table: row and column from 1 (0: the whole row).
struct Fault {
    code: &'static Code,
    row: usize,
    column: usize,
    detail: String,
}

impl Fault {
    fn new(code: &'static Code, row: usize, column: usize, detail: impl Into<String>) -> Fault {
        Fault { code, row, column, detail: detail.into() }
    }

    /// `first`: the row of the first record.
    fn located(self, first: usize, property: Option<&str>) -> DecodeError {
        let path = match (self.row.checked_sub(first), property) {
            (Some(index), Some(name)) => format!("/{index}/{}", escape(name)),
            (Some(index), None) => format!("/{index}"),
            _ => String::new(),
        };
        let (line, column) = (self.row, self.column);
        DecodeError { code: self.code, line, column, path, detail: self.detail }
    }
}

/// Why a character may not stand in a field, if it may not.
fn refused(c: char, private_use: bool, line_breaks: bool) -> Option<(&'static Code, String)> {
    let point = || format!("U+{:04X}", u32::from(c));
    match c {
        '\t' => None,
        '\r' | '\n' if line_breaks => None,
        _ if c.is_control() => Some((&document::FORBIDDEN_CHARACTER, point())),
        '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' => Some((&document::FORBIDDEN_CHARACTER, point())),
        '\u{E000}'..='\u{F8FF}' | '\u{F0000}'.. if !private_use => {
            Some((&document::PRIVATE_USE, point()))
        }
        _ => None,
    }
}

fn too_many(count: usize, max: usize, row: usize) -> Result<(), Fault> {
    if count <= max {
        return Ok(());
    }
    Err(Fault::new(&document::TOO_MANY_NODES, row, 0, format!("more than {max} fields")))
}
