//! Fixed width: every field in its full width, with or without a separator between fields.
//!
//! An absent member is all spaces. Numbers padded with zeros lose the padding when read; a text
//! padded with zeros keeps it, because leading zeros of a code belong to the code. Every line, the
//! last one too, ends with the declared line end.

use super::{Charset, Column, Fault, columns, refused, too_many};
use crate::codec::EncodeError;
use crate::codec::field::{Problems, Scalar, count, text};
use crate::model::Code;
use crate::model::codes::document;
use crate::model::json::{DecodeError, Limits, escape, too_large};
use crate::schema::{Shape, kind_of};
use serde_json::{Map, Value};

#[derive(Debug)]
struct Slot {
    column: Column,
    width: usize,
    right: bool,
    zeros: bool,
}

/// A compiled fixed-width layout.
#[derive(Debug)]
pub struct Fixed {
    charset: Charset,
    crlf: bool,
    separator: Option<char>,
    /// Widths count bytes of the charset, not characters.
    bytes: bool,
    slots: Vec<Slot>,
}

impl Fixed {
    /// Compiles the layout of a schema.
    pub fn compile(shape: &Shape, problems: &mut Problems<'_>) -> Option<Fixed> {
        let code = &document::LAYOUT_FIXED;
        let layout = &shape.layout;
        if !layout.contains_key("x-fixed") {
            problems.add(code, "", "x-fixed is missing at the root");
            return None;
        }
        let mut slots = Vec::new();
        for declared in columns(shape, code, problems)? {
            let own = &declared.shape.layout;
            let Some(width) = count(own, "x-fixed", "width") else {
                problems.add(code, &declared.pointer, "x-fixed with a width is missing");
                continue;
            };
            let zeros = text(own, "x-fixed", "pad") == Some("0");
            let align = text(own, "x-fixed", "align");
            if zeros && align == Some("left") {
                problems.add(code, &declared.pointer, "zeros pad on the left: align right");
            }
            let right = zeros || align == Some("right");
            slots.push(Slot { column: declared.column, width, right, zeros });
        }
        let separator = text(layout, "x-fixed", "separator").and_then(|text| text.chars().next());
        let fixed = Fixed {
            charset: Charset::from_layout(text(layout, "x-fixed", "charset")),
            crlf: text(layout, "x-fixed", "newline") != Some("lf"),
            separator,
            bytes: text(layout, "x-fixed", "unit") == Some("bytes"),
            slots,
        };
        if let Some(width) = count(layout, "x-fixed", "record-width")
            && width != fixed.record_width()
        {
            let message =
                format!("the fields and separators make {}, not {width}", fixed.record_width());
            problems.add(code, "/x-fixed/record-width", message);
        }
        Some(fixed)
    }

    /// The charset of the file.
    pub fn charset(&self) -> Charset {
        self.charset
    }

    /// Width of a line without its end, separators included.
    fn record_width(&self) -> usize {
        let separators = self.slots.len().saturating_sub(1) * self.separator_width();
        self.slots.iter().map(|slot| slot.width).sum::<usize>() + separators
    }

    fn separator_width(&self) -> usize {
        self.separator.map_or(0, |c| self.measure(c.encode_utf8(&mut [0; 4])))
    }

    /// Width of a text in the unit of the layout.
    fn measure(&self, text: &str) -> usize {
        if self.bytes {
            self.charset.encode(text).map_or(usize::MAX / 4, |bytes| bytes.len())
        } else {
            text.chars().count()
        }
    }

    /// Reads a file.
    pub fn decode(&self, bytes: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
        too_large(bytes, limits)?;
        self.read(bytes, limits).map_err(|fault| {
            let index = fault.column.checked_sub(1);
            let slot = index.and_then(|index| self.slots.get(index));
            fault.located(1, slot.map(|slot| slot.column.property.as_str()))
        })
    }

    fn read(&self, bytes: &[u8], limits: &Limits) -> Result<Value, Fault> {
        let mut records = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let row = records.len() + 1;
            too_many(row * self.slots.len(), limits.max_nodes, row)?;
            let (line, after) = self.line(rest, row)?;
            rest = after;
            records.push(Value::Object(self.record(line, row)?));
        }
        Ok(Value::Array(records))
    }

    /// The next line without its end. No trail byte of a two-byte character in CP932 is a line
    /// end, so bytes may be looked at (code units in UTF-16).
    fn line<'b>(&self, bytes: &'b [u8], row: usize) -> Result<(&'b [u8], &'b [u8]), Fault> {
        let unit = self.charset.unit();
        let lf = self.charset.encode("\n").unwrap_or_default();
        let cr = self.charset.encode("\r").unwrap_or_default();
        let refuse = |detail: &str| Err(Fault::new(&document::TABLE_SYNTAX, row, 0, detail));
        let Some(index) = bytes.chunks(unit).position(|chunk| chunk == lf) else {
            return refuse("the input ends before the line does");
        };
        let (line, rest) = bytes.split_at_checked(index * unit).unwrap_or_default();
        let rest = rest.get(unit..).unwrap_or_default();
        if !self.crlf {
            return Ok((line, rest));
        }
        match line.strip_suffix(cr.as_slice()) {
            Some(line) => Ok((line, rest)),
            None => refuse("a line end that is not the layout's"),
        }
    }

    fn record(&self, line: &[u8], row: usize) -> Result<Map<String, Value>, Fault> {
        let texts = if self.bytes { self.split_bytes(line, row)? } else { self.split(line, row)? };
        let mut record = Map::new();
        for (index, (slot, text)) in self.slots.iter().zip(&texts).enumerate() {
            let place = index + 1;
            for c in text.chars() {
                let separator = (Some(c) == self.separator)
                    .then(|| (&document::TABLE_SYNTAX, "the separator inside a field".to_owned()));
                let refused = refused_here(c, slot.column.private_use);
                if let Some((code, detail)) = separator.or(refused) {
                    return Err(Fault::new(code, row, place, detail));
                }
            }
            if text.chars().all(|c| c == ' ') {
                continue;
            }
            let Some(value) = slot.column.scalar.parse(slot.unpadded(text)) else {
                let detail = format!("expected {}", slot.column.scalar.name());
                return Err(Fault::new(&document::FIELD_VALUE, row, place, detail));
            };
            record.insert(slot.column.property.clone(), value);
        }
        Ok(record)
    }

    fn decode_text(&self, bytes: &[u8], row: usize, column: usize) -> Result<String, Fault> {
        self.charset.decode(bytes).map_err(|sound| {
            let column = if column > 0 { column } else { self.column_at(sound.chars().count()) };
            let detail = "bytes that are no character of the charset";
            Fault::new(&document::UNDECODABLE, row, column, detail)
        })
    }

    /// The field in which a character of the line stands.
    fn column_at(&self, offset: usize) -> usize {
        let mut end = 0;
        for (index, slot) in self.slots.iter().enumerate() {
            end += slot.width + usize::from(self.separator.is_some());
            if offset < end {
                return index + 1;
            }
        }
        self.slots.len()
    }

    fn wrong_width(&self, row: usize, found: usize) -> Fault {
        let unit = if self.bytes { "bytes" } else { "characters" };
        let detail = format!("{found} {unit}; expected {}", self.record_width());
        Fault::new(&document::RECORD_WIDTH, row, 0, detail)
    }

    fn split(&self, line: &[u8], row: usize) -> Result<Vec<String>, Fault> {
        let text = self.decode_text(line, row, 0)?;
        let length = text.chars().count();
        if length != self.record_width() {
            return Err(self.wrong_width(row, length));
        }
        let mut characters = text.chars();
        let mut texts = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            if let (Some(separator), true) = (self.separator, index > 0)
                && characters.next() != Some(separator)
            {
                let detail = "no separator in front of this field";
                return Err(Fault::new(&document::RECORD_WIDTH, row, index + 1, detail));
            }
            texts.push(characters.by_ref().take(slot.width).collect());
        }
        Ok(texts)
    }

    fn split_bytes(&self, line: &[u8], row: usize) -> Result<Vec<String>, Fault> {
        if line.len() != self.record_width() {
            return Err(self.wrong_width(row, line.len()));
        }
        let separator = self.separator.map(|c| c.to_string()).unwrap_or_default();
        let separator = self.charset.encode(&separator).unwrap_or_default();
        let mut rest = line;
        let mut texts = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            if index > 0 {
                let Some(after) = rest.strip_prefix(separator.as_slice()) else {
                    let detail = "no separator in front of this field";
                    return Err(Fault::new(&document::RECORD_WIDTH, row, index + 1, detail));
                };
                rest = after;
            }
            let (field, after) = rest.split_at_checked(slot.width).unwrap_or_default();
            rest = after;
            texts.push(self.decode_text(field, row, index + 1)?);
        }
        Ok(texts)
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
        let mut out = Vec::new();
        for (row, record) in records.iter().enumerate() {
            let Value::Object(members) = record else {
                let detail = format!("expected an object, found {}", kind_of(record));
                return Err(refuse(format!("/{row}"), detail));
            };
            let declared = |name: &String| self.slots.iter().any(|s| s.column.property == *name);
            if !members.keys().all(declared) {
                return Err(refuse(format!("/{row}/?"), "an undeclared member".to_owned()));
            }
            for (index, slot) in self.slots.iter().enumerate() {
                if let (Some(separator), true) = (self.separator, index > 0) {
                    let separator = separator.to_string();
                    out.extend(self.charset.encode(&separator).unwrap_or_default());
                }
                let field = self.field(slot, members.get(&slot.column.property));
                out.extend(field.map_err(|(code, detail)| {
                    let path = format!("/{row}/{}", escape(&slot.column.property));
                    EncodeError { code, path, detail }
                })?);
            }
            let end = if self.crlf { "\r\n" } else { "\n" };
            out.extend(self.charset.encode(end).unwrap_or_default());
        }
        Ok(out)
    }

    fn field(
        &self,
        slot: &Slot,
        value: Option<&Value>,
    ) -> Result<Vec<u8>, (&'static Code, String)> {
        let text = match value {
            Some(value) => self.checked(slot, value)?,
            None => String::new(),
        };
        let unmappable = |c: char| {
            (&document::UNMAPPABLE, format!("U+{:04X} is not in the charset", u32::from(c)))
        };
        let bytes = self.charset.encode(&text).map_err(unmappable)?;
        let width = if self.bytes { bytes.len() } else { text.chars().count() };
        let pad_unit = if self.bytes { self.charset.unit() } else { 1 };
        let Some(missing) = slot.width.checked_sub(width).filter(|m| m % pad_unit == 0) else {
            let detail = format!("{width} wide; the field is {}", slot.width);
            return Err((&document::FIELD_WIDTH, detail));
        };
        let pad = if slot.zeros && value.is_some() { "0" } else { " " };
        let padding = self.charset.encode(&pad.repeat(missing / pad_unit)).unwrap_or_default();
        Ok(if slot.right { [padding, bytes].concat() } else { [bytes, padding].concat() })
    }

    /// The text of a value, if reading it back would give the value again.
    fn checked(&self, slot: &Slot, value: &Value) -> Result<String, (&'static Code, String)> {
        let scalar = slot.column.scalar;
        let Some(text) = scalar.text(value) else {
            let detail = format!("expected {}, found {}", scalar.name(), kind_of(value));
            return Err((&document::ENCODE_SHAPE, detail));
        };
        for c in text.chars() {
            if let Some((_, point)) = refused_here(c, slot.column.private_use) {
                let detail = format!("{point} cannot be written here");
                return Err((&document::ENCODE_CHARACTER, detail));
            }
            if Some(c) == self.separator {
                let detail = "the separator inside a field".to_owned();
                return Err((&document::ENCODE_CHARACTER, detail));
            }
        }
        let lost = if text.chars().all(|c| c == ' ') {
            Some("an empty text is read back as absent; leave the member out")
        } else if slot.zeros && text.starts_with('-') {
            Some("a negative number cannot be padded with zeros")
        } else if !slot.zeros && slot.right && text.starts_with(' ') {
            Some("leading spaces would be taken for padding")
        } else if !slot.right && text.ends_with(' ') {
            Some("trailing spaces would be taken for padding")
        } else {
            None
        };
        match lost {
            Some(detail) => Err((&document::FIELD_WIDTH, detail.to_owned())),
            None => Ok(text),
        }
    }
}

impl Slot {
    fn unpadded<'t>(&self, text: &'t str) -> &'t str {
        if !self.zeros {
            return if self.right {
                text.trim_start_matches(' ')
            } else {
                text.trim_end_matches(' ')
            };
        }
        if self.column.scalar == Scalar::Text {
            return text;
        }
        let mut text = text;
        while let Some(rest) = text.strip_prefix('0') {
            if !rest.starts_with(|c: char| c.is_ascii_digit()) {
                break;
            }
            text = rest;
        }
        text
    }
}

/// No tabs here: they have no width.
fn refused_here(c: char, private_use: bool) -> Option<(&'static Code, String)> {
    if c == '\t' {
        return Some((&document::FORBIDDEN_CHARACTER, "U+0009".to_owned()));
    }
    refused(c, private_use, false)
}
