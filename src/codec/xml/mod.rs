//! XML 1.0: elements in the order of the schema, nothing undeclared, nothing lost.
//!
//! Read as UTF-8, or as UTF-16 with its byte order mark; written as UTF-8.
//! Layout: `x-xml` at the root, `xml` at properties (names as in OpenAPI). No document type, no
//! entities of one's own, no processing instructions. A nil is `xsi:nil="true"` with its reason in
//! an attribute (`x-xml.nil-reason`, else `reason`).

mod plan;
mod read;
mod text;
mod tree;
mod write;

pub(super) use plan::{fragment, is_ncname};
pub(super) use read::{is_space, located};
pub(super) use tree::{Node, Tree, parse};

use super::EncodeError;
use super::field::{Problems, Scalar};
use crate::model::json::{self, DecodeError, Limits};
use crate::schema::Shape;
use plan::{Content, Element, Name};
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
        let tree = parse(bytes, limits, |_, _| false)?;
        self.decode_node(&tree.root, &tree.text)
    }

    /// Reads the document that an element is; `text` is what its offsets count in.
    pub fn decode_node(&self, node: &Node, text: &[u8]) -> Result<Value, DecodeError> {
        read::document(self, node, text)
    }

    /// An element that holds text and nothing else; `prefix` is bound by what is around it.
    pub fn text(prefix: Option<&str>, local: &str) -> Xml {
        let prefix = prefix.map(str::to_owned);
        let name = Name { local: local.to_owned(), namespace: None, prefix };
        let content = Content::Text { scalar: Scalar::Text, cdata: false };
        let root = Element { name, content, nillable: false };
        Xml { root, declaration: false, nil_reason: String::new(), nillable: false }
    }

    /// Name of the root element: local part and namespace.
    pub fn name(&self) -> (&str, Option<&str>) {
        (&self.root.name.local, self.root.name.namespace.as_deref())
    }

    /// Name of the root element as written, with its prefix.
    pub fn qualified_name(&self) -> String {
        self.root.name.qualified()
    }

    /// Writes a document.
    pub fn encode<'v>(&self, document: impl Into<json::Node<'v>>) -> Result<Vec<u8>, EncodeError> {
        write::document(self, document.into())
    }
}

/// Whether XML 1.0 can carry the character (production `Char`).
pub(super) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}
