//! XML 1.0: elements in the order of the schema, nothing undeclared, nothing lost.
//!
//! Layout: `x-xml` at the root, `xml` at properties (names as in OpenAPI). No document type, no
//! entities of one's own, no processing instructions. A nil is `xsi:nil="true"` with its reason in
//! an attribute (`x-xml.nil-reason`, else `reason`).

mod plan;
mod read;
mod tree;
mod write;

use super::EncodeError;
use super::field::Problems;
use crate::model::json::{DecodeError, Limits};
use crate::schema::Shape;
use plan::Element;
use serde_json::Value;

/// Namespace of `xsi:nil`.
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// A compiled XML layout.
#[derive(Debug)]
pub struct Xml {
    root: Element,
    declaration: bool,
    nil_reason: String,
    nillable: bool,
}

impl Xml {
    /// Compiles the layout of a schema.
    pub fn compile(shape: &Shape, problems: &mut Problems<'_>) -> Option<Xml> {
        plan::compile(shape, problems)
    }

    /// Reads a document.
    pub fn decode(&self, bytes: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
        let tree = tree::parse(bytes, limits)?;
        read::document(self, &tree, bytes)
    }

    /// Writes a document.
    pub fn encode(&self, document: &Value) -> Result<Vec<u8>, EncodeError> {
        write::document(self, document)
    }
}

/// Whether XML 1.0 can carry the character (production `Char`).
fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}
