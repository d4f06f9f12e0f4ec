//! `Limits` of every decoder and the error they all answer with.

use crate::model::Code;
use crate::model::codes::document;
use std::fmt;

/// How much a decoder accepts. The values are the largest still allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the whole input.
    pub max_bytes: usize,
    /// Arrays and objects (elements in XML) inside one another; never more than 256.
    pub max_depth: usize,
    /// Values: scalars, arrays and objects (elements and attributes in XML).
    pub max_nodes: usize,
    /// UTF-8 bytes of one string.
    pub max_string: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_bytes: 10 << 20, max_depth: 64, max_nodes: 200_000, max_string: 1 << 20 }
    }
}

impl Limits {
    /// The depth in force: readers recurse, so no configuration may exhaust the stack.
    pub fn depth(&self) -> usize {
        self.max_depth.min(256)
    }
}

/// Why bytes are not a document. Names the place and the kind, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The registered code.
    pub code: &'static Code,
    /// Line (row, in CSV and fixed width) from 1; 0 when the whole input is meant.
    pub line: usize,
    /// Column in characters from 1; in CSV and fixed width the number of the field.
    pub column: usize,
    /// JSON pointer into the document as far as it was read; names that no schema declares are
    /// shown as `?`, because a sender's key could hold data. Empty: the root.
    pub path: String,
    /// What was found and what is allowed.
    pub detail: String,
}

impl DecodeError {
    /// `LINE:COLUMN CODE what`, for a reader who has the file before him.
    pub fn placed(&self) -> String {
        format!("{}:{} {} {}: {}", self.line, self.column, self.code, self.code.title, self.detail)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.code.code, self.code.title)?;
        if self.line > 0 {
            write!(formatter, " at {}:{}", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(formatter, " ({})", self.path)?;
        }
        if self.detail.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.detail) }
    }
}

impl std::error::Error for DecodeError {}

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Into a member.
    Key(String),
    /// Into an element, from 0.
    Index(usize),
}

/// Line and column (in characters) of a byte offset, both from 1.
pub fn position(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let tail = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    (line, String::from_utf8_lossy(tail).chars().count() + 1)
}

/// Refuses input above `max_bytes` before anything looks at it.
pub fn too_large(bytes: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    if bytes.len() <= limits.max_bytes {
        return Ok(());
    }
    Err(DecodeError {
        code: &document::TOO_LARGE,
        line: 0,
        column: 0,
        path: String::new(),
        detail: format!("{} bytes; at most {} are read", bytes.len(), limits.max_bytes),
    })
}

/// The input as text, refusing byte order marks and anything that is not UTF-8.
pub fn utf8(bytes: &[u8]) -> Result<&str, DecodeError> {
    let refuse = |code, offset, detail: &str| {
        let (line, column) = position(bytes, offset);
        DecodeError { code, line, column, path: String::new(), detail: detail.to_owned() }
    };
    if bytes.starts_with(&[0xEF, 0xBB, 0xBF])
        || bytes.starts_with(&[0xFF, 0xFE])
        || bytes.starts_with(&[0xFE, 0xFF])
    {
        return Err(refuse(&document::BYTE_ORDER_MARK, 0, "write UTF-8 without one"));
    }
    simdutf8::basic::from_utf8(bytes).or_else(|_| {
        // Only the standard library tells where.
        std::str::from_utf8(bytes)
            .map_err(|error| refuse(&document::NOT_UTF8, error.valid_up_to(), "invalid byte here"))
    })
}
