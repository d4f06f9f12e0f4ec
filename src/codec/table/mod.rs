//! Tables: CSV and fixed width, one object per line, each error with row and column.
//!
//! `csv` and `fixed` know where a record ends, where its cells are and how a cell is written;
//! `read` and `write` do the rest for both, for whole files and for files of any length.

mod charset;
mod csv;
mod fixed;
mod read;
mod window;
mod write;

pub use charset::{Charset, Transcoder};
pub use read::Records;
pub use write::Files;

use super::field::{Problems, Scalar, count, flag, property_pointer, text, unify};
use crate::model::Code;
use crate::model::codes::document;
use crate::model::json::{DecodeError, escape};
use crate::schema::Shape;
use serde_json::{Map, Value};
use std::ops::Range;

/// A compiled layout of a table.
#[derive(Debug)]
pub struct Table {
    charset: Charset,
    /// The file begins with a byte order mark.
    bom: bool,
    /// Names of the columns, when the first row holds them.
    header: Option<Vec<String>>,
    columns: Vec<Column>,
    /// Most records of one file.
    split: Option<usize>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Csv(csv::Csv),
    Fixed(fixed::Fixed),
}

/// One column.
#[derive(Debug)]
struct Column {
    property: String,
    /// `"property":` as in JSON.
    key: String,
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

impl Table {
    /// Compiles the CSV layout of a schema.
    pub fn csv(shape: &Shape, problems: &mut Problems<'_>) -> Option<Table> {
        csv::compile(shape, problems)
    }

    /// Compiles the fixed-width layout of a schema.
    pub fn fixed(shape: &Shape, problems: &mut Problems<'_>) -> Option<Table> {
        fixed::compile(shape, problems)
    }

    /// The charset of the file.
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// Most records of one file.
    pub fn split(&self) -> Option<usize> {
        self.split
    }

    /// The `Content-Type` of the file.
    pub fn content_type(&self) -> &'static str {
        self.charset.content_type(matches!(self.kind, Kind::Csv(_)))
    }

    /// What `keyword` (`x-csv` or `x-fixed`) says of the file as a whole; the rest is the kind's.
    fn of(
        layout: &Map<String, Value>,
        keyword: &str,
        code: &'static Code,
        problems: &mut Problems<'_>,
        kind: Kind,
    ) -> Table {
        let charset = Charset::from_layout(text(layout, keyword, "charset"));
        let bom = flag(layout, keyword, "bom");
        if bom && charset.mark().is_empty() {
            let pointer = format!("/{keyword}/bom");
            problems.add(code, &pointer, "cp932 has no byte order mark");
        }
        let split = count(layout, keyword, "split");
        Table { charset, bom, header: None, columns: Vec::new(), split, kind }
    }

    /// Rows in front of the first record.
    fn head(&self) -> usize {
        usize::from(self.header.is_some())
    }

    /// The error at its place.
    fn located(&self, fault: Fault) -> DecodeError {
        let column = fault.column.checked_sub(1).and_then(|index| self.columns.get(index));
        let path = match (fault.row.checked_sub(1 + self.head()), column) {
            (Some(index), Some(column)) => format!("/{index}/{}", escape(&column.property)),
            (Some(index), None) => format!("/{index}"),
            _ => String::new(),
        };
        let (line, column) = (fault.row, fault.column);
        DecodeError { code: fault.code, line, column, path, detail: fault.detail }
    }
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
        let key = format!("{}:", Value::from(property.name.as_str()));
        let column = Column { property: property.name.clone(), key, scalar, private_use };
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
}

/// What is wrong within one record: the column from 1 (0: the whole record).
struct Wrong {
    code: &'static Code,
    column: usize,
    detail: String,
}

impl Wrong {
    fn new(code: &'static Code, column: usize, detail: impl Into<String>) -> Wrong {
        Wrong { code, column, detail: detail.into() }
    }

    fn syntax(column: usize, detail: &str) -> Wrong {
        Wrong::new(&document::TABLE_SYNTAX, column, detail)
    }

    fn at(self, row: usize) -> Fault {
        Fault { code: self.code, row, column: self.column, detail: self.detail }
    }
}

/// One cell of a record: where its bytes are, quotes left out.
#[derive(Clone, Debug)]
struct Cell {
    bytes: Range<usize>,
    /// It stood in quotes.
    quoted: bool,
    /// There are doubled quotes in it.
    doubled: bool,
}

/// The cells of one record.
#[derive(Debug, Default)]
struct Cells {
    list: Vec<Cell>,
    /// All of them, those beyond the last column too, which are not listed.
    count: usize,
}

/// What stands at the beginning of some bytes.
enum Step {
    /// A record of that many bytes, its end included; or what is wrong with it, where the
    /// records after it can be read all the same.
    Record(usize, Result<(), Wrong>),
    /// Not all of a record.
    More,
    /// Nothing.
    End,
}

/// Whether no character of a text can be [`refused`], as the bytes tell that begin characters:
/// most texts hold none that needs a closer look.
fn all_allowed(text: &str) -> bool {
    let suspect = |byte: u8| matches!(byte, ..0x20 | 0x7F | 0xC2 | 0xEE | 0xEF | 0xF3 | 0xF4);
    !text.bytes().fold(false, |found, byte| found | suspect(byte))
}

/// Why a character may not stand in a field, if it may not.
fn refused(c: char, private_use: bool, line_breaks: bool) -> Option<(&'static Code, String)> {
    let point = || format!("U+{:04X}", u32::from(c));
    match c {
        ' '..='~' | '\t' => None,
        '\r' | '\n' if line_breaks => None,
        _ if c.is_control() => Some((&document::FORBIDDEN_CHARACTER, point())),
        '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' => Some((&document::FORBIDDEN_CHARACTER, point())),
        '\u{E000}'..='\u{F8FF}' | '\u{F0000}'.. if !private_use => {
            Some((&document::PRIVATE_USE, point()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{all_allowed, refused};

    #[test]
    fn what_is_allowed_at_a_glance_is_never_refused() {
        for c in '\0'..=char::MAX {
            let refused = refused(c, false, false).is_some();
            assert!(!(refused && all_allowed(c.encode_utf8(&mut [0; 4]))), "{:04X}", u32::from(c));
        }
        assert!(all_allowed("渡し 12-ABC 髙橋𠮷"));
    }
}
