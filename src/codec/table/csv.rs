//! CSV: comma, declared quoting, declared line ends; empty and absent are different.
//!
//! An absent member is an empty field without quotes, an empty text is `""`. Every line, the last
//! one too, ends with the declared line end, so that a file cut short is never taken for a whole.

use super::{Cell, Cells, Column, Kind, Step, Table, Wrong, all_allowed, columns, refused};
use crate::codec::field::{Problems, Scalar, flag, is_any_text, text};
use crate::model::Code;
use crate::model::codes::document;
use crate::schema::{Shape, kind_of};
use serde_json::Value;
use std::borrow::Cow;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    Always,
    Needed,
    Never,
}

/// What is particular to CSV.
#[derive(Debug)]
pub struct Csv {
    crlf: bool,
    quote: Quote,
}

/// What must stand in quotes: separator, quote, line ends.
const SPECIAL: [char; 4] = [',', '"', '\r', '\n'];

/// Compiles the layout of a schema.
pub fn compile(shape: &Shape, problems: &mut Problems<'_>) -> Option<Table> {
    let code = &document::LAYOUT_CSV;
    let layout = &shape.layout;
    if !layout.contains_key("x-csv") {
        problems.add(code, "", "x-csv is missing at the root");
        return None;
    }
    let declared = columns(shape, code, problems)?;
    let crlf = text(layout, "x-csv", "newline") != Some("lf");
    let quote = match text(layout, "x-csv", "quote") {
        Some("always") => Quote::Always,
        Some("never") => Quote::Never,
        _ => Quote::Needed,
    };
    let kind = Kind::Csv(Csv { crlf, quote });
    let mut table = Table::of(layout, "x-csv", code, problems, kind);
    let header = flag(layout, "x-csv", "header");
    let mut names: Vec<String> = Vec::new();
    for declared in declared {
        let own = declared.shape.layout.get("x-csv-name").and_then(Value::as_str);
        let name = own.unwrap_or(&declared.column.property).to_owned();
        if names.contains(&name) {
            let message = format!("two columns are called `{name}`");
            problems.add(code, &declared.pointer, message);
        }
        let carried = table.charset.encode(&name, &mut Vec::new()).is_ok()
            && !name.chars().any(|c| refused(c, false, quote != Quote::Never).is_some())
            && !(quote == Quote::Never && name.contains(SPECIAL));
        if header && !carried {
            let message = format!("a header cannot hold the name `{}`", name.escape_debug());
            problems.add(code, &declared.pointer, message);
        }
        let empty = declared.shape.bounds.min_length == 0 && is_any_text(declared.shape);
        if quote == Quote::Never && declared.column.scalar == Scalar::Text && empty {
            let message = "without quotes an empty text would be read back as absent";
            problems.tight(&declared.pointer, message);
        }
        names.push(name);
        table.columns.push(declared.column);
    }
    table.header = header.then_some(names);
    Some(table)
}

impl Csv {
    /// The first record of `rest`; `last`: nothing follows it. ASCII is looked at only, and no
    /// trail byte of UTF-8 or CP932 is any of the characters that matter here.
    ///
    /// # Errors
    /// What makes all that follows unreadable.
    pub fn step(
        &self,
        rest: &[u8],
        last: bool,
        most: usize,
        cells: &mut Cells,
    ) -> Result<Step, Wrong> {
        cells.list.clear();
        cells.count = 0;
        if rest.is_empty() {
            return Ok(if last { Step::End } else { Step::More });
        }
        let mut at = 0;
        loop {
            cells.count += 1;
            let column = cells.count;
            let Some((cell, after)) = self.cell(rest, at, last, column)? else {
                return Ok(Step::More);
            };
            if column <= most {
                cells.list.push(cell);
            }
            let wrong = match (rest.get(after), rest.get(after + 1)) {
                (Some(b','), _) => {
                    at = after + 1;
                    continue;
                }
                (Some(b'\r'), Some(b'\n')) if self.crlf => {
                    return Ok(self.whole(after + 2, cells, most));
                }
                (Some(b'\n'), _) if !self.crlf => return Ok(self.whole(after + 1, cells, most)),
                (None, _) | (Some(b'\r'), None) if !last => return Ok(Step::More),
                (None, _) => "the input ends before the line does",
                (Some(b'\r' | b'\n'), _) => "a line end that is not the layout's",
                (Some(b'"'), _) => "a quote inside a field that does not begin with one",
                (Some(_), _) => "something follows the closing quote",
            };
            return Err(Wrong::syntax(column, wrong));
        }
    }

    fn whole(&self, length: usize, cells: &Cells, most: usize) -> Step {
        let fits = if cells.count == most {
            Ok(())
        } else {
            let detail = format!("{} fields; expected {most}", cells.count);
            Err(Wrong::new(&document::COLUMNS, 0, detail))
        };
        Step::Record(length, fits)
    }

    /// The cell that begins at `at`, and where it ends; `None` when more must be seen.
    fn cell(
        &self,
        rest: &[u8],
        at: usize,
        last: bool,
        column: usize,
    ) -> Result<Option<(Cell, usize)>, Wrong> {
        let behind = |from: usize| rest.get(from..).unwrap_or_default();
        if self.quote == Quote::Never || rest.get(at) != Some(&b'"') {
            let special = |byte: &u8| matches!(byte, b',' | b'"' | b'\r' | b'\n');
            let length = behind(at).iter().position(special);
            let end = length.map_or(rest.len(), |length| at + length);
            return Ok(Some((Cell { bytes: at..end, quoted: false, doubled: false }, end)));
        }
        let start = at + 1;
        let mut from = start;
        let mut doubled = false;
        loop {
            let Some(length) = behind(from).iter().position(|byte| *byte == b'"') else {
                if last {
                    return Err(Wrong::syntax(column, "a quote is opened but not closed"));
                }
                return Ok(None);
            };
            let end = from + length;
            match rest.get(end + 1) {
                Some(b'"') => {
                    doubled = true;
                    from = end + 2;
                }
                None if !last => return Ok(None),
                _ => {
                    let cell = Cell { bytes: start..end, quoted: true, doubled };
                    return Ok(Some((cell, end + 1)));
                }
            }
        }
    }

    /// The text of a cell, `None` when it is absent.
    pub fn text<'t>(
        &self,
        cell: &Cell,
        text: Cow<'t, str>,
        column: &Column,
    ) -> Result<Option<Cow<'t, str>>, (&'static Code, String)> {
        let wrong = |c| refused(c, column.private_use, cell.quoted);
        if !all_allowed(&text)
            && let Some(wrong) = text.chars().find_map(wrong)
        {
            return Err(wrong);
        }
        if text.is_empty() && !cell.quoted {
            return Ok(None);
        }
        if self.quote == Quote::Always && !cell.quoted {
            let detail = "a field without quotes; the layout quotes every field".to_owned();
            return Err((&document::TABLE_SYNTAX, detail));
        }
        Ok(Some(if cell.doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { text }))
    }

    /// A field as it stands in the file, in characters.
    pub fn field<'v>(
        &self,
        column: &Column,
        value: Option<&'v Value>,
    ) -> Result<Cow<'v, str>, (&'static Code, String)> {
        let Some(value) = value else { return Ok(Cow::Borrowed("")) };
        let Some(text) = column.scalar.borrowed(value) else {
            let detail = format!("expected {}, found {}", column.scalar.name(), kind_of(value));
            return Err((&document::ENCODE_SHAPE, detail));
        };
        for c in text.chars() {
            if let Some((_, point)) = refused(c, column.private_use, self.quote != Quote::Never) {
                let detail = format!("{point} cannot be written here");
                return Err((&document::ENCODE_CHARACTER, detail));
            }
        }
        if self.quote == Quote::Never {
            if text.contains(SPECIAL) {
                let detail = "a separator, quote or line end in a field that must not be quoted";
                return Err((&document::ENCODE_CHARACTER, detail.to_owned()));
            }
            if text.is_empty() {
                let detail = "without quotes an empty text is read back as absent; \
                              leave the member out";
                return Err((&document::AMBIGUOUS, detail.to_owned()));
            }
        }
        Ok(self.quoted(text, column.scalar == Scalar::Text))
    }

    /// A name in the header.
    pub fn name<'v>(&self, name: &'v str) -> Cow<'v, str> {
        self.quoted(Cow::Borrowed(name), true)
    }

    fn quoted<'v>(&self, text: Cow<'v, str>, is_text: bool) -> Cow<'v, str> {
        let needed = || (text.is_empty() && is_text) || text.contains(SPECIAL);
        if self.quote == Quote::Always || (self.quote == Quote::Needed && needed()) {
            return Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")));
        }
        text
    }

    /// The end of a line.
    pub fn line_end(&self) -> &'static str {
        if self.crlf { "\r\n" } else { "\n" }
    }
}
