//! Fixed width: every field in its full width, with or without a separator between fields.
//!
//! An absent member is all blanks (spaces; full-width ones where they pad). Numbers padded with
//! zeros lose the padding when read; a text padded with zeros keeps it, because leading zeros of a
//! code belong to the code. Every record, the last one too, ends with the declared line end; a
//! layout without line ends has whole records only.

use super::{Cell, Cells, Charset, Column, Declared, Kind, Step, Table, Wrong, columns, refused};
use crate::codec::field::{Problems, Scalar, count, is_any_text, text};
use crate::model::Code;
use crate::model::codes::document;
use crate::schema::{Shape, kind_of};
use serde_json::Value;
use std::borrow::Cow;

/// The field of one column.
#[derive(Debug)]
struct Slot {
    width: usize,
    right: bool,
    pad: Pad,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pad {
    Space,
    /// U+3000, as fields of type N are padded.
    FullWidthSpace,
    Zero,
}

impl Pad {
    fn text(self) -> &'static str {
        match self {
            Pad::Space => " ",
            Pad::FullWidthSpace => "\u{3000}",
            Pad::Zero => "0",
        }
    }

    /// What an absent member is full of.
    fn blank(self) -> Pad {
        if self == Pad::Zero { Pad::Space } else { self }
    }

    fn is_blank(self, c: char) -> bool {
        self.blank().text().starts_with(c)
    }
}

/// What is particular to fixed width.
#[derive(Debug)]
pub struct Fixed {
    charset: Charset,
    line_end: &'static str,
    /// The line end in the charset.
    end: Vec<u8>,
    separator: Option<char>,
    /// The separator in the charset; empty: none.
    between: Vec<u8>,
    /// Widths count bytes of the charset, not characters.
    bytes: bool,
    slots: Vec<Slot>,
    /// Width of a record, separators included.
    width: usize,
}

/// Compiles the layout of a schema.
pub fn compile(shape: &Shape, problems: &mut Problems<'_>) -> Option<Table> {
    let code = &document::LAYOUT_FIXED;
    let layout = &shape.layout;
    if !layout.contains_key("x-fixed") {
        problems.add(code, "", "x-fixed is missing at the root");
        return None;
    }
    let charset = Charset::from_layout(text(layout, "x-fixed", "charset"));
    let bytes = text(layout, "x-fixed", "unit") == Some("bytes");
    let mut slots = Vec::new();
    let mut known = Vec::new();
    for declared in columns(shape, code, problems)? {
        let own = &declared.shape.layout;
        let Some(width) = count(own, "x-fixed", "width") else {
            problems.add(code, &declared.pointer, "x-fixed with a width is missing");
            continue;
        };
        let pad = match text(own, "x-fixed", "pad") {
            Some("0") => Pad::Zero,
            Some("\u{3000}") => Pad::FullWidthSpace,
            _ => Pad::Space,
        };
        let align = text(own, "x-fixed", "align");
        if pad == Pad::Zero && align == Some("left") {
            problems.add(code, &declared.pointer, "zeros pad on the left: align right");
        }
        if pad == Pad::FullWidthSpace && declared.column.scalar != Scalar::Text {
            let message = "full-width spaces pad a text, not a number";
            problems.add(code, &declared.pointer, message);
        }
        let unit = measure(charset, bytes, pad.blank().text());
        if width % unit != 0 {
            let message = format!("a pad of {unit} bytes does not fill a width of {width}");
            problems.add(code, &declared.pointer, message);
        }
        if declared.column.scalar == Scalar::Text && is_any_text(declared.shape) {
            check_room(&declared, width, if bytes { longest(charset) } else { 1 }, problems);
        }
        let right = pad == Pad::Zero || align == Some("right");
        slots.push(Slot { width, right, pad });
        known.push(declared.column);
    }
    let line_end = match text(layout, "x-fixed", "newline") {
        Some("lf") => "\n",
        Some("none") => "",
        _ => "\r\n",
    };
    let separator = text(layout, "x-fixed", "separator").and_then(|text| text.chars().next());
    if separator.is_some_and(|c| refused_here(c, true).is_some()) {
        problems.add(code, "/x-fixed/separator", "a control character cannot separate fields");
    }
    let mut fixed = Fixed {
        charset,
        line_end,
        end: encoded(charset, line_end),
        separator,
        between: separator
            .map(|c| encoded(charset, c.encode_utf8(&mut [0; 4])))
            .unwrap_or_default(),
        bytes,
        slots,
        width: 0,
    };
    if separator.is_some() && fixed.between.is_empty() {
        problems.add(code, "/x-fixed/separator", "the charset has no such character");
    }
    fixed.width = fixed.record_width();
    if let Some(width) = count(layout, "x-fixed", "record-width")
        && width != fixed.width
    {
        let message = format!("the fields and separators make {}, not {width}", fixed.width);
        problems.add(code, "/x-fixed/record-width", message);
    }
    let mut table = Table::of(layout, "x-fixed", code, problems, Kind::Fixed(fixed));
    table.columns = known;
    Some(table)
}

/// Compares the lengths of a text with the width of its field; `each`: most that one character
/// takes.
fn check_room(declared: &Declared<'_>, width: usize, each: usize, problems: &mut Problems<'_>) {
    let bounds = &declared.shape.bounds;
    match bounds.max_length {
        Some(most) if most.saturating_mul(each) <= width => {}
        Some(most) => {
            let message = format!("{most} characters may be wider than the field of {width}");
            problems.tight(&declared.pointer, message);
        }
        None => {
            let message = format!("a text of any length in a field of {width}");
            problems.tight(&declared.pointer, message);
        }
    }
    if bounds.min_length == 0 {
        problems.tight(&declared.pointer, "an empty text would be read back as absent");
    }
}

/// Most bytes of one character.
fn longest(charset: Charset) -> usize {
    if charset == Charset::Cp932 { 2 } else { 4 }
}

/// Width of a text: its bytes in the charset, or its characters.
fn measure(charset: Charset, bytes: bool, text: &str) -> usize {
    if bytes { encoded(charset, text).len().max(1) } else { text.chars().count() }
}

fn encoded(charset: Charset, text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What the charset does not have stays empty, which the compiler of the layout refuses.
    let _ = charset.encode(text, &mut bytes);
    bytes
}

impl Fixed {
    fn record_width(&self) -> usize {
        let separator = match self.separator {
            Some(_) if self.bytes => self.between.len(),
            Some(_) => 1,
            None => 0,
        };
        let separators = self.slots.len().saturating_sub(1) * separator;
        self.slots.iter().map(|slot| slot.width).sum::<usize>() + separators
    }

    /// The first record of `rest`; `last`: nothing follows it.
    ///
    /// # Errors
    /// What makes all that follows unreadable.
    pub fn step(&self, rest: &[u8], last: bool, cells: &mut Cells) -> Result<Step, Wrong> {
        cells.list.clear();
        cells.count = 0;
        if rest.is_empty() {
            return Ok(if last { Step::End } else { Step::More });
        }
        let line = if self.end.is_empty() { self.counted(rest) } else { self.ended(rest)? };
        match line {
            Some((line, length)) => Ok(Step::Record(length, self.cells(line, cells))),
            None if !last => Ok(Step::More),
            None if self.end.is_empty() => {
                Err(Wrong::new(&document::RECORD_WIDTH, 0, "the input ends inside a record"))
            }
            None => Err(Wrong::syntax(0, "the input ends before the line does")),
        }
    }

    /// The next record by its width alone.
    fn counted<'b>(&self, rest: &'b [u8]) -> Option<(&'b [u8], usize)> {
        let length =
            if self.bytes { self.width } else { self.charset.advance(rest, self.width).ok()? };
        rest.get(..length).map(|line| (line, length))
    }

    /// The next line without its end, and its length with it. No trail byte of a two-byte
    /// character in CP932 is a line end, so bytes may be looked at (code units in UTF-16).
    fn ended<'b>(&self, rest: &'b [u8]) -> Result<Option<(&'b [u8], usize)>, Wrong> {
        let unit = self.charset.unit();
        let feed = self.end.get(self.end.len() - unit..).unwrap_or_default();
        let found = if unit == 1 {
            rest.iter().position(|byte| *byte == b'\n')
        } else {
            rest.chunks_exact(unit).position(|chunk| chunk == feed).map(|index| index * unit)
        };
        let Some(index) = found else { return Ok(None) };
        let whole = rest.get(..index + unit).unwrap_or_default();
        match whole.strip_suffix(self.end.as_slice()) {
            Some(line) => Ok(Some((line, whole.len()))),
            None => Err(Wrong::syntax(0, "a line end that is not the layout's")),
        }
    }

    fn cells(&self, line: &[u8], cells: &mut Cells) -> Result<(), Wrong> {
        self.check_width(line)?;
        let mut at = 0;
        for (index, slot) in self.slots.iter().enumerate() {
            let column = index + 1;
            if index > 0 && !self.between.is_empty() {
                let behind = line.get(at..).unwrap_or_default();
                if !behind.starts_with(&self.between) {
                    let detail = "no separator in front of this field";
                    return Err(Wrong::new(&document::RECORD_WIDTH, column, detail));
                }
                at += self.between.len();
            }
            let behind = line.get(at..).unwrap_or_default();
            let length = if self.bytes {
                slot.width
            } else {
                self.charset.advance(behind, slot.width).unwrap_or(behind.len())
            };
            cells.list.push(Cell { bytes: at..at + length, quoted: false, doubled: false });
            at += length;
        }
        cells.count = cells.list.len();
        Ok(())
    }

    fn check_width(&self, line: &[u8]) -> Result<(), Wrong> {
        let (found, unit) = if self.bytes {
            (line.len(), "bytes")
        } else {
            let found = match self.charset.advance(line, self.width) {
                Ok(length) if length == line.len() => return Ok(()),
                Ok(_) => self.charset.advance(line, usize::MAX).unwrap_or_else(|found| found),
                Err(found) => found,
            };
            (found, "characters")
        };
        if self.bytes && found == self.width {
            return Ok(());
        }
        let detail = format!("{found} {unit}; expected {}", self.width);
        Err(Wrong::new(&document::RECORD_WIDTH, 0, detail))
    }

    /// The text of a cell without its padding, `None` when it is absent.
    pub fn text<'t>(
        &self,
        index: usize,
        text: Cow<'t, str>,
        column: &Column,
    ) -> Result<Option<Cow<'t, str>>, (&'static Code, String)> {
        let Some(slot) = self.slots.get(index) else { return Ok(None) };
        for c in text.chars() {
            let separator = (Some(c) == self.separator)
                .then(|| (&document::TABLE_SYNTAX, "the separator inside a field".to_owned()));
            if let Some(wrong) = separator.or_else(|| refused_here(c, column.private_use)) {
                return Err(wrong);
            }
        }
        if text.chars().all(|c| slot.pad.is_blank(c)) {
            return Ok(None);
        }
        if slot.pad == Pad::Zero && column.scalar != Scalar::Text && text.starts_with('-') {
            let detail = "a negative number cannot be padded with zeros".to_owned();
            return Err((&document::FIELD_VALUE, detail));
        }
        Ok(Some(match text {
            Cow::Borrowed(text) => Cow::Borrowed(slot.unpadded(text, column.scalar)),
            Cow::Owned(text) => Cow::Owned(slot.unpadded(&text, column.scalar).to_owned()),
        }))
    }

    /// Appends a field in its full width.
    pub fn put(
        &self,
        index: usize,
        column: &Column,
        value: Option<&Value>,
        out: &mut Vec<u8>,
    ) -> Result<(), (&'static Code, String)> {
        let Some(slot) = self.slots.get(index) else { return Ok(()) };
        if index > 0 {
            out.extend_from_slice(&self.between);
        }
        let text = match value {
            Some(value) => self.checked(slot, column, value)?,
            None => Cow::Borrowed(""),
        };
        let start = out.len();
        self.charset.encode(&text, out).map_err(|c| {
            (&document::UNMAPPABLE, format!("U+{:04X} is not in the charset", u32::from(c)))
        })?;
        let width = if self.bytes { out.len() - start } else { text.chars().count() };
        let pad = if value.is_some() { slot.pad } else { slot.pad.blank() };
        let unit = measure(self.charset, self.bytes, pad.text());
        let Some(missing) = slot.width.checked_sub(width).filter(|missing| missing % unit == 0)
        else {
            let detail = format!("{width} wide; the field is {}", slot.width);
            return Err((&document::FIELD_WIDTH, detail));
        };
        let written = out.len();
        for _ in 0..missing / unit {
            let _ = self.charset.encode(pad.text(), out);
        }
        if let (true, Some(field)) = (slot.right, out.get_mut(start..)) {
            field.rotate_left(written - start);
        }
        Ok(())
    }

    /// The text of a value, if reading it back would give the value again.
    fn checked<'v>(
        &self,
        slot: &Slot,
        column: &Column,
        value: &'v Value,
    ) -> Result<Cow<'v, str>, (&'static Code, String)> {
        let Some(text) = column.scalar.borrowed(value) else {
            let detail = format!("expected {}, found {}", column.scalar.name(), kind_of(value));
            return Err((&document::ENCODE_SHAPE, detail));
        };
        for c in text.chars() {
            if let Some((_, point)) = refused_here(c, column.private_use) {
                let detail = format!("{point} cannot be written here");
                return Err((&document::ENCODE_CHARACTER, detail));
            }
            if Some(c) == self.separator {
                let detail = "the separator inside a field".to_owned();
                return Err((&document::ENCODE_CHARACTER, detail));
            }
        }
        let blank = |c: char| slot.pad.is_blank(c);
        let zeros = slot.pad == Pad::Zero;
        let lost = if text.chars().all(blank) {
            Some("an empty text is read back as absent; leave the member out")
        } else if zeros && column.scalar != Scalar::Text && text.starts_with('-') {
            Some("a negative number cannot be padded with zeros")
        } else if zeros && column.scalar == Scalar::Text && !self.fills(slot, &text) {
            Some("a text padded with zeros is read back with them; write it in full width")
        } else if !zeros && slot.right && text.starts_with(blank) {
            Some("leading blanks would be taken for padding")
        } else if !slot.right && text.ends_with(blank) {
            Some("trailing blanks would be taken for padding")
        } else {
            None
        };
        match lost {
            Some(detail) => Err((&document::FIELD_WIDTH, detail.to_owned())),
            None => Ok(text),
        }
    }

    fn fills(&self, slot: &Slot, text: &str) -> bool {
        measure(self.charset, self.bytes, text) >= slot.width
    }

    /// The end of a record.
    pub fn line_end(&self) -> &'static str {
        self.line_end
    }
}

impl Slot {
    fn unpadded<'t>(&self, text: &'t str, scalar: Scalar) -> &'t str {
        match (self.pad, self.right) {
            (Pad::Zero, _) if scalar == Scalar::Text => text,
            (Pad::Zero, _) => {
                let mut text = text;
                while let Some(rest) = text.strip_prefix('0') {
                    if !rest.starts_with(|c: char| c.is_ascii_digit()) {
                        break;
                    }
                    text = rest;
                }
                text
            }
            (pad, true) => text.trim_start_matches(|c| pad.is_blank(c)),
            (pad, false) => text.trim_end_matches(|c| pad.is_blank(c)),
        }
    }
}

/// No tabs here: they have no width.
fn refused_here(c: char, private_use: bool) -> Option<(&'static Code, String)> {
    if c == '\t' {
        return Some((&document::FORBIDDEN_CHARACTER, "U+0009".to_owned()));
    }
    refused(c, private_use, false)
}
