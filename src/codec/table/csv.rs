//! CSV: comma, declared quoting, declared line ends; empty and absent are different.
//!
//! An absent member is an empty field without quotes, an empty text is `""`. Every line, the last
//! one too, ends with the declared line end, so that a file cut short is never taken for a whole.

use super::{Charset, Column, Fault, columns, refused, too_many};
use crate::codec::EncodeError;
use crate::codec::field::{Problems, Scalar, flag, text};
use crate::model::codes::document;
use crate::model::json::{DecodeError, Limits, escape, too_large};
use crate::schema::{Shape, kind_of};
use serde_json::{Map, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    Always,
    Needed,
    Never,
}

/// A compiled CSV layout.
#[derive(Debug)]
pub struct Csv {
    charset: Charset,
    bom: bool,
    crlf: bool,
    quote: Quote,
    /// Names of the columns, when the first row holds them.
    header: Option<Vec<String>>,
    columns: Vec<Column>,
}

impl Csv {
    /// Compiles the layout of a schema.
    pub fn compile(shape: &Shape, problems: &mut Problems<'_>) -> Option<Csv> {
        let layout = &shape.layout;
        if !layout.contains_key("x-csv") {
            problems.add(&document::LAYOUT_CSV, "", "x-csv is missing at the root");
            return None;
        }
        let declared = columns(shape, &document::LAYOUT_CSV, problems)?;
        let charset = Charset::from_layout(text(layout, "x-csv", "charset"));
        let bom = flag(layout, "x-csv", "bom");
        if bom && charset.mark().is_empty() {
            let message = "cp932 has no byte order mark";
            problems.add(&document::LAYOUT_CSV, "/x-csv/bom", message);
        }
        let mut names: Vec<String> = Vec::new();
        for column in &declared {
            let own = column.shape.layout.get("x-csv-name").and_then(Value::as_str);
            let name = own.unwrap_or(&column.column.property).to_owned();
            if names.contains(&name) {
                let message = format!("two columns are called `{name}`");
                problems.add(&document::LAYOUT_CSV, &column.pointer, message);
            }
            names.push(name);
        }
        Some(Csv {
            charset,
            bom,
            crlf: text(layout, "x-csv", "newline") != Some("lf"),
            quote: match text(layout, "x-csv", "quote") {
                Some("always") => Quote::Always,
                Some("never") => Quote::Never,
                _ => Quote::Needed,
            },
            header: flag(layout, "x-csv", "header").then_some(names),
            columns: declared.into_iter().map(|declared| declared.column).collect(),
        })
    }

    /// The charset of the file.
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// Reads a file.
    pub fn decode(&self, bytes: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
        too_large(bytes, limits)?;
        let first = 1 + usize::from(self.header.is_some());
        self.read(bytes, limits).map_err(|fault| {
            let index = fault.column.checked_sub(1);
            let column = index.and_then(|index| self.columns.get(index));
            fault.located(first, column.map(|column| column.property.as_str()))
        })
    }

    fn read(&self, bytes: &[u8], limits: &Limits) -> Result<Value, Fault> {
        let body = self.without_mark(bytes)?;
        let content = self.charset.decode(body).map_err(|sound| {
            let (row, column) = self.place(&sound);
            let detail = "bytes that are no character of the charset";
            Fault::new(&document::UNDECODABLE, row, column, detail)
        })?;
        let mut rows = Rows::new(&content, self.quote, self.crlf, limits.max_string);
        if let Some(names) = &self.header {
            let found = rows.next_row()?;
            let same = found.is_some_and(|found| {
                found.len() == names.len() && found.iter().zip(names).all(|(f, n)| f.text == *n)
            });
            if !same {
                let detail = format!("expected the header {}", names.join(","));
                return Err(Fault::new(&document::HEADER, 1, 0, detail));
            }
        }
        let mut records = Vec::new();
        let mut fields = 0;
        while let Some(found) = rows.next_row()? {
            fields += found.len();
            too_many(fields, limits.max_nodes, rows.row)?;
            records.push(Value::Object(self.record(&found, rows.row)?));
        }
        Ok(Value::Array(records))
    }

    fn without_mark<'b>(&self, bytes: &'b [u8]) -> Result<&'b [u8], Fault> {
        let refuse = |detail| Err(Fault::new(&document::BYTE_ORDER_MARK, 0, 0, detail));
        let mark = self.charset.mark();
        match (self.bom, bytes.strip_prefix(mark).filter(|_| !mark.is_empty())) {
            (true, Some(rest)) => Ok(rest),
            (true, None) => refuse("the layout wants one"),
            (false, Some(_)) => refuse("the layout wants none"),
            (false, None) => Ok(bytes),
        }
    }

    /// Row and column where a text that goes no further ends.
    fn place(&self, sound: &str) -> (usize, usize) {
        let mut rows = Rows::new(sound, self.quote, self.crlf, usize::MAX);
        loop {
            match rows.next_row() {
                Ok(Some(_)) => {}
                Ok(None) => return (rows.row + 1, 1),
                Err(_) => return (rows.row, rows.column),
            }
        }
    }

    fn record(&self, fields: &[Field], row: usize) -> Result<Map<String, Value>, Fault> {
        if fields.len() != self.columns.len() {
            let detail = format!("{} fields; expected {}", fields.len(), self.columns.len());
            return Err(Fault::new(&document::COLUMNS, row, 0, detail));
        }
        let mut record = Map::new();
        for (index, (field, column)) in fields.iter().zip(&self.columns).enumerate() {
            let place = index + 1;
            for c in field.text.chars() {
                if let Some((code, detail)) = refused(c, column.private_use, field.quoted) {
                    return Err(Fault::new(code, row, place, detail));
                }
            }
            if field.text.is_empty() && !field.quoted {
                continue;
            }
            let Some(value) = column.scalar.parse(&field.text) else {
                let detail = format!("expected {}", column.scalar.name());
                return Err(Fault::new(&document::FIELD_VALUE, row, place, detail));
            };
            record.insert(column.property.clone(), value);
        }
        Ok(record)
    }

    /// Writes a file.
    pub fn encode(&self, document: &Value) -> Result<Vec<u8>, EncodeError> {
        let refuse = |path: String, detail: String| EncodeError {
            code: &document::ENCODE_SHAPE,
            path,
            detail,
        };
        let Value::Array(records) = document else {
            let detail = format!("expected an array, found {}", kind_of(document));
            return Err(refuse(String::new(), detail));
        };
        let mut out = if self.bom { self.charset.mark().to_vec() } else { Vec::new() };
        if let Some(names) = &self.header {
            for (index, name) in names.iter().enumerate() {
                let quoted = self.quoted(name, true);
                self.put(&mut out, index, &quoted).map_err(|error| *error)?;
            }
            self.end_line(&mut out);
        }
        for (row, record) in records.iter().enumerate() {
            let Value::Object(members) = record else {
                let detail = format!("expected an object, found {}", kind_of(record));
                return Err(refuse(format!("/{row}"), detail));
            };
            let declared = |name: &String| self.columns.iter().any(|c| c.property == *name);
            if !members.keys().all(declared) {
                return Err(refuse(format!("/{row}/?"), "an undeclared member".to_owned()));
            }
            for (index, column) in self.columns.iter().enumerate() {
                self.write(&mut out, index, column, members.get(&column.property)).map_err(
                    |mut error| {
                        error.path = format!("/{row}/{}", escape(&column.property));
                        *error
                    },
                )?;
            }
            self.end_line(&mut out);
        }
        Ok(out)
    }

    fn write(
        &self,
        out: &mut Vec<u8>,
        index: usize,
        column: &Column,
        value: Option<&Value>,
    ) -> Result<(), Box<EncodeError>> {
        let Some(value) = value else { return self.put(out, index, "") };
        let Some(text) = column.scalar.text(value) else {
            let detail = format!("expected {}, found {}", column.scalar.name(), kind_of(value));
            return Err(fail(&document::ENCODE_SHAPE, detail));
        };
        for c in text.chars() {
            if let Some((_, point)) = refused(c, column.private_use, self.quote != Quote::Never) {
                let detail = format!("{point} cannot be written here");
                return Err(fail(&document::ENCODE_CHARACTER, detail));
            }
        }
        if self.quote == Quote::Never && text.contains([',', '"', '\r', '\n']) {
            let detail = "a separator, quote or line end in a field that must not be quoted";
            return Err(fail(&document::ENCODE_CHARACTER, detail));
        }
        let quoted = self.quoted(&text, column.scalar == Scalar::Text);
        self.put(out, index, &quoted)
    }

    fn quoted(&self, text: &str, is_text: bool) -> String {
        let needed = (text.is_empty() && is_text) || text.contains([',', '"', '\r', '\n']);
        if self.quote == Quote::Always || (self.quote == Quote::Needed && needed) {
            return format!("\"{}\"", text.replace('"', "\"\""));
        }
        text.to_owned()
    }

    fn put(&self, out: &mut Vec<u8>, index: usize, text: &str) -> Result<(), Box<EncodeError>> {
        if index > 0 {
            out.extend(self.charset.encode(",").unwrap_or_default());
        }
        let bytes = self.charset.encode(text).map_err(|c| {
            fail(&document::UNMAPPABLE, format!("U+{:04X} is not in the charset", u32::from(c)))
        })?;
        out.extend(bytes);
        Ok(())
    }

    fn end_line(&self, out: &mut Vec<u8>) {
        let end = if self.crlf { "\r\n" } else { "\n" };
        out.extend(self.charset.encode(end).unwrap_or_default());
    }
}

fn fail(code: &'static crate::model::Code, detail: impl Into<String>) -> Box<EncodeError> {
    Box::new(EncodeError { code, path: String::new(), detail: detail.into() })
}

struct Field {
    text: String,
    quoted: bool,
}

/// The rows of a text; `row` and `column` are those being read, from 1.
struct Rows<'a> {
    rest: &'a str,
    quote: Quote,
    crlf: bool,
    max_field: usize,
    row: usize,
    column: usize,
}

impl<'a> Rows<'a> {
    fn new(text: &'a str, quote: Quote, crlf: bool, max_field: usize) -> Self {
        Rows { rest: text, quote, crlf, max_field, row: 0, column: 0 }
    }

    fn next_row(&mut self) -> Result<Option<Vec<Field>>, Fault> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        self.row += 1;
        self.column = 0;
        let mut fields = Vec::new();
        loop {
            self.column += 1;
            fields.push(self.field()?);
            if let Some(rest) = self.rest.strip_prefix(',') {
                self.rest = rest;
                continue;
            }
            let end = if self.crlf { "\r\n" } else { "\n" };
            if let Some(rest) = self.rest.strip_prefix(end) {
                self.rest = rest;
                return Ok(Some(fields));
            }
            return Err(self.fault(match self.rest.chars().next() {
                None => "the input ends before the line does",
                Some('\r' | '\n') => "a line end that is not the layout's",
                Some('"') => "a quote inside a field that does not begin with one",
                Some(_) => "something follows the closing quote",
            }));
        }
    }

    fn field(&mut self) -> Result<Field, Fault> {
        if self.quote != Quote::Never
            && let Some(rest) = self.rest.strip_prefix('"')
        {
            self.rest = rest;
            return self.quoted();
        }
        let length = self.rest.find([',', '"', '\r', '\n']).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        self.field_of(text.to_owned(), false)
    }

    /// After the opening quote.
    fn quoted(&mut self) -> Result<Field, Fault> {
        let mut text = String::new();
        loop {
            let Some((part, rest)) = self.rest.split_once('"') else {
                return Err(self.fault("a quote is opened but not closed"));
            };
            text.push_str(part);
            self.rest = rest;
            match rest.strip_prefix('"') {
                Some(rest) => {
                    text.push('"');
                    self.rest = rest;
                }
                None => return self.field_of(text, true),
            }
        }
    }

    fn field_of(&self, text: String, quoted: bool) -> Result<Field, Fault> {
        if text.len() > self.max_field {
            let detail = format!("more than {} bytes", self.max_field);
            return Err(Fault::new(&document::STRING_TOO_LONG, self.row, self.column, detail));
        }
        Ok(Field { text, quoted })
    }

    fn fault(&self, detail: &str) -> Fault {
        Fault::new(&document::TABLE_SYNTAX, self.row, self.column, detail)
    }
}
