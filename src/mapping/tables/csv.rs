//! Reads tables written as CSV (RFC 4180, UTF-8): `from,to`, and `valid-from,valid-to` if wanted.
//! Every entry is a text, so that leading zeros survive the spreadsheet.

use crate::diagnostic::nearest::nearest;
use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::mapping::tables::read::{Dated, periods, stem, text};
use crate::mapping::tables::{Period, Table};
use crate::model::codes::mapping as codes;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

const COLUMNS: [&str; 4] = ["from", "to", "valid-from", "valid-to"];

/// One field with the bytes it was written in.
struct Field {
    text: String,
    span: Range<usize>,
}

/// The table of a file; `None` only if its header cannot be used.
pub(super) fn table(file: &Arc<SourceFile>, diagnostics: &mut Vec<Diagnostic>) -> Option<Table> {
    let mut problem = |span: Range<usize>, message: String, hint: Option<String>| {
        let location = Location { file: Arc::clone(file), span };
        let mut diagnostic = Diagnostic::error(&codes::BAD_TABLE, location, message);
        diagnostic.hint = hint;
        diagnostics.push(diagnostic);
    };
    let mut rows = rows(&file.text);
    let header = rows.next().unwrap_or_default();
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, field) in header.iter().enumerate() {
        match COLUMNS.iter().find(|name| **name == field.text) {
            Some(name) => {
                places.insert(name, index);
            }
            None => {
                let hint =
                    nearest(&field.text, COLUMNS).map(|near| format!("did you mean `{near}`?"));
                let hint = hint.or_else(|| Some(format!("columns are {}", COLUMNS.join(", "))));
                problem(field.span.clone(), format!("unknown column `{}`", field.text), hint);
            }
        }
    }
    let (Some(from), Some(to)) = (places.get("from").copied(), places.get("to").copied()) else {
        let hint = "the first row is `from,to` or `from,to,valid-from,valid-to`".to_owned();
        problem(0..0, "a table needs the columns `from` and `to`".to_owned(), Some(hint));
        return None;
    };
    let mut table = Table { name: stem(file).to_owned(), ..Table::default() };
    let mut dated: Vec<Dated> = Vec::new();
    for row in rows {
        let span = row.first().map_or(0..0, |field| field.span.clone());
        if row.len() != header.len() {
            let message = format!("{} columns, where the header has {}", row.len(), header.len());
            problem(span, message, None);
            continue;
        }
        let at = |index: usize| row.get(index);
        let (Some(key), Some(entry)) = (at(from), at(to)) else { continue };
        let mut day = |name: &str| {
            let field = places.get(name).and_then(|index| at(*index))?;
            if field.text.is_empty() {
                return None;
            }
            let parsed = field.text.parse::<Date>().ok();
            if parsed.is_none() {
                problem(field.span.clone(), format!("`{name}` is not a date YYYY-MM-DD"), None);
            }
            parsed
        };
        let (first, last) = (day("valid-from"), day("valid-to"));
        let known = table.entries.contains_key(&key.text);
        if first.is_some() || last.is_some() {
            let location = Location { file: Arc::clone(file), span: entry.span.clone() };
            let period = Period { from: first, to: last, value: text(&entry.text) };
            dated.push(Dated { key: key.text.clone(), period, location });
        } else if !known {
            table.entries.insert(key.text.clone(), text(&entry.text));
        }
        let both = table.entries.contains_key(&key.text) && dated.iter().any(|d| d.key == key.text);
        if known || both {
            problem(key.span.clone(), format!("`{}` stands twice", key.text), None);
        }
    }
    table.periods = periods(file, dated, diagnostics);
    Some(table)
}

/// The rows of a CSV text; lines without any character are left out, as is a byte order mark.
fn rows(text: &str) -> impl Iterator<Item = Vec<Field>> {
    let mut at = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
    std::iter::from_fn(move || {
        loop {
            if at >= text.len() {
                return None;
            }
            let row = row(text, &mut at);
            if row.len() > 1 || row.iter().any(|field| !field.span.is_empty()) {
                return Some(row);
            }
        }
    })
}

fn row(text: &str, at: &mut usize) -> Vec<Field> {
    let mut fields = Vec::new();
    loop {
        fields.push(field(text, at));
        let rest = text.get(*at..).unwrap_or("");
        if rest.starts_with(',') {
            *at += 1;
            continue;
        }
        *at += if rest.starts_with("\r\n") { 2 } else { usize::from(!rest.is_empty()) };
        return fields;
    }
}

fn field(text: &str, at: &mut usize) -> Field {
    let start = *at;
    let mut content = String::new();
    let mut characters = text.get(start..).unwrap_or("").char_indices().peekable();
    let mut quoted = false;
    while let Some((index, c)) = characters.next() {
        match c {
            '"' if quoted => {
                if characters.next_if(|(_, next)| *next == '"').is_some() {
                    content.push('"');
                } else {
                    quoted = false;
                }
            }
            '"' if content.is_empty() && index == 0 => quoted = true,
            ',' | '\n' | '\r' if !quoted => {
                *at = start + index;
                return Field { text: content, span: start..*at };
            }
            _ => content.push(c),
        }
    }
    *at = text.len();
    Field { text: content, span: start..*at }
}
