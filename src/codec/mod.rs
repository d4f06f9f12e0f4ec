//! Codecs: bytes to documents and back, strict in both directions.
//!
//! A document is a `serde_json::Value`; a codec is compiled from a schema, which carries the
//! layout. decode(encode(document)) = document for every document valid under the schema, and
//! nothing is replaced silently. A nil with a reason is the object `{"$nil": "REASON"}`.

mod field;
pub mod json;
pub mod signed;
mod soap;
mod table;
mod xml;

pub use crate::model::json::{DecodeError, Limits};
pub use table::Charset;
pub use table::{Files, Records};

use crate::diagnostic::Diagnostic;
use crate::model::Code;
use crate::model::json::{Node, Tree};
use crate::schema::{Schema, Shape};
use serde_json::Value;
use std::fmt;
use std::io::Read;

/// How bytes are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JSON, UTF-8.
    Json,
    /// XML 1.0, UTF-8, laid out by `x-xml` and `xml`.
    Xml,
    /// XML in an envelope of SOAP 1.1 or 1.2, laid out by `x-soap` and `xml`.
    Soap,
    /// Comma-separated values, laid out by `x-csv`.
    Csv,
    /// Lines of fixed width, laid out by `x-fixed`.
    Fixed,
}

impl Format {
    /// The format of that name in an adapter file.
    pub fn from_name(name: &str) -> Option<Format> {
        match name {
            "json" => Some(Format::Json),
            "xml" => Some(Format::Xml),
            "soap" => Some(Format::Soap),
            "csv" => Some(Format::Csv),
            "fixed" => Some(Format::Fixed),
            _ => None,
        }
    }

    /// Its name in an adapter file.
    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Xml => "xml",
            Format::Soap => "soap",
            Format::Csv => "csv",
            Format::Fixed => "fixed",
        }
    }
}

/// Why a document cannot be written. Names the place and the kind, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError {
    /// The registered code.
    pub code: &'static Code,
    /// JSON pointer into the document; undeclared names are shown as `?`.
    pub path: String,
    /// What was found and what is allowed.
    pub detail: String,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.code.code, self.code.title)?;
        if !self.path.is_empty() {
            write!(formatter, " ({})", self.path)?;
        }
        if self.detail.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.detail) }
    }
}

impl std::error::Error for EncodeError {}

/// A format compiled for one schema.
#[derive(Debug)]
pub struct Codec {
    format: Format,
    plan: Plan,
}

#[derive(Debug)]
enum Plan {
    Json(Box<Shape>, Order),
    Xml(xml::Xml),
    Soap(Box<soap::Soap>),
    Table(Box<table::Table>),
}

/// Order of the members of a JSON object when written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// As they stand in the document.
    Document,
    /// As the schema declares them.
    Schema,
}

impl Order {
    fn of(shape: &Shape) -> Order {
        let asked = field::text(&shape.layout, "x-json", "order") == Some("schema");
        if asked { Order::Schema } else { Order::Document }
    }
}

impl Codec {
    /// Compiles a schema's layout; what is missing or ambiguous becomes diagnostics.
    pub fn compile(
        format: Format,
        schema: &Schema,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Codec> {
        let shape = schema.shape();
        let mut problems = field::Problems::new(schema);
        let plan = match format {
            Format::Json => Some(Plan::Json(Box::new(shape.clone()), Order::of(shape))),
            Format::Xml => xml::Xml::compile(shape, &mut problems).map(Plan::Xml),
            Format::Soap => soap::Soap::compile(shape, &mut problems).map(Box::new).map(Plan::Soap),
            Format::Csv => table::Table::csv(shape, &mut problems).map(Box::new).map(Plan::Table),
            Format::Fixed => {
                table::Table::fixed(shape, &mut problems).map(Box::new).map(Plan::Table)
            }
        };
        let sound = problems.is_sound();
        diagnostics.extend(problems.diagnostics);
        plan.filter(|_| sound).map(|plan| Codec { format, plan })
    }

    /// The format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Reads a document. It is what the layout says; whether it is *valid* the schema says.
    ///
    /// # Errors
    /// Anything that is not exactly the layout.
    pub fn decode(&self, bytes: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
        self.read(bytes, limits).map(Tree::into_value)
    }

    /// Reads a document that borrows its texts from the bytes where it can.
    ///
    /// # Errors
    /// Anything that is not exactly the layout.
    pub fn read<'a>(&'a self, bytes: &'a [u8], limits: &Limits) -> Result<Tree<'a>, DecodeError> {
        match &self.plan {
            Plan::Json(shape, _) => json::read(bytes, limits, shape),
            Plan::Xml(xml) => xml.decode(bytes, limits).map(Tree::from),
            Plan::Soap(soap) => soap.decode(bytes, limits).map(Tree::from),
            Plan::Table(table) => table.read(bytes, limits),
        }
    }

    /// Writes a document that is valid under the schema.
    ///
    /// # Errors
    /// What the layout cannot carry.
    pub fn encode<'v>(&self, document: impl Into<Node<'v>>) -> Result<Vec<u8>, EncodeError> {
        let node = document.into();
        match &self.plan {
            Plan::Json(shape, Order::Document) => json::encode(node, shape),
            Plan::Json(shape, Order::Schema) => {
                let ordered = json::in_schema_order(node.to_value(), shape);
                json::encode((&ordered).into(), shape)
            }
            Plan::Xml(xml) => xml.encode(node),
            Plan::Soap(soap) => soap.encode(&node.to_cow()),
            Plan::Table(table) => table.encode(&node.to_cow()),
        }
    }

    /// Reads the records of a table one by one, from an input of any length and in memory that
    /// does not grow with it; `None` for formats that are not tables.
    pub fn records<R: Read>(&self, input: R, limits: &Limits) -> Option<Records<'_, R>> {
        match &self.plan {
            Plan::Table(table) => Some(table.records(input, limits)),
            Plan::Json(..) | Plan::Xml(_) | Plan::Soap(_) => None,
        }
    }

    /// Writes the records of a table one by one, into as many files as the layout's `split`
    /// makes; `None` for formats that are not tables.
    pub fn files(&self) -> Option<Files<'_>> {
        match &self.plan {
            Plan::Table(table) => Some(table.files()),
            Plan::Json(..) | Plan::Xml(_) | Plan::Soap(_) => None,
        }
    }

    /// Writes a document as the files that the layout makes of it: one, unless a table's `split`
    /// makes more.
    ///
    /// # Errors
    /// As of `encode`.
    pub fn encode_files(&self, document: &Value) -> Result<Vec<Vec<u8>>, EncodeError> {
        match &self.plan {
            Plan::Table(table) => table.encode_files(document),
            Plan::Json(..) | Plan::Xml(_) | Plan::Soap(_) => {
                self.encode(document).map(|file| vec![file])
            }
        }
    }

    /// The most records that one file of a table holds, where its layout says so.
    pub fn split(&self) -> Option<usize> {
        match &self.plan {
            Plan::Table(table) => table.split(),
            Plan::Json(..) | Plan::Xml(_) | Plan::Soap(_) => None,
        }
    }

    /// The `Content-Type` of what `encode` writes.
    pub fn content_type(&self) -> &str {
        match &self.plan {
            Plan::Json(..) => "application/json",
            Plan::Xml(_) => "application/xml; charset=utf-8",
            Plan::Soap(soap) => soap.content_type(),
            Plan::Table(table) => table.content_type(),
        }
    }

    /// The value of the header `SOAPAction` that a request in SOAP 1.1 must have; `None` for
    /// everything else.
    pub fn soap_action(&self) -> Option<String> {
        match &self.plan {
            Plan::Soap(soap) => soap.action_header(),
            _ => None,
        }
    }

    /// Whether a `Content-Type` announces what `decode` reads; a charset, if named, must be ours.
    pub fn accepts(&self, media_type: &str) -> bool {
        let mut parts = media_type.split(';').map(|part| part.trim().to_ascii_lowercase());
        let essence = parts.next().unwrap_or_default();
        let charset = parts.find_map(|part| {
            part.strip_prefix("charset=").map(|name| name.trim_matches('"').to_owned())
        });
        let is = |name: &str, suffix: &str| {
            essence == name || (essence.starts_with("application/") && essence.ends_with(suffix))
        };
        let charsets: &[table::Charset] = match &self.plan {
            Plan::Json(..) => &[table::Charset::Utf8],
            Plan::Xml(_) | Plan::Soap(_) => {
                &[table::Charset::Utf8, table::Charset::Utf16Le, table::Charset::Utf16Be]
            }
            Plan::Table(table) => &[table.charset()],
        };
        let known = match (self.format, &self.plan) {
            (Format::Csv, _) => essence == "text/csv",
            (Format::Fixed, _) => essence == "text/plain" || essence == "application/octet-stream",
            (_, Plan::Soap(soap)) => soap.accepts(&essence),
            (Format::Xml, _) => is("application/xml", "+xml") || essence == "text/xml",
            _ => is("application/json", "+json"),
        };
        known && charset.is_none_or(|name| charsets.iter().any(|ours| ours.is_called(&name)))
    }
}

#[cfg(test)]
mod tests;
