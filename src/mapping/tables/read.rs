//! Reads tables written in YAML, and joins entries to periods for both forms of table.

use crate::diagnostic::yaml::{Entry, Kind, Node, Reader};
use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::mapping::keys;
use crate::mapping::tables::{Period, Table};
use crate::model::codes::mapping as codes;
use jiff::civil::Date;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn shared(reader: &mut Reader<'_>, root: &Node) -> Option<Table> {
    reader.keys(root, &keys::TABLE)?;
    let name_node = reader.required(root, "a code table", "table");
    let name = name_node.and_then(|node| reader.text(node, "`table`"));
    let entries = reader.required(root, "a code table", "entries");
    let (name, entries) = (name?, entries?);
    let stem = stem(reader.file);
    if name != stem {
        let file_name = reader.file.path.rsplit('/').next().unwrap_or("");
        let message = format!("the table is called `{name}`, its file `{file_name}`");
        let location =
            name_node.map_or_else(|| root.location(reader.file), |n| n.location(reader.file));
        let diagnostic = Diagnostic::error(&codes::WRONG_NAME, location, message);
        reader.diagnostics.push(diagnostic.hint(format!("write `table: {stem}`")));
    }
    read(reader, name, entries)
}

/// The file's name without its ending.
pub(super) fn stem(file: &SourceFile) -> &str {
    let name = file.path.rsplit('/').next().unwrap_or("");
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Two files give one table.
pub(super) fn twice(file: &Arc<SourceFile>, name: &str) -> Diagnostic {
    let location = Location { file: Arc::clone(file), span: 0..0 };
    let message = format!("there is another file for table `{name}`");
    Diagnostic::error(&codes::BAD_TABLE, location, message).hint("keep one of the two")
}

/// Reads the entries of a table.
pub(crate) fn read(reader: &mut Reader<'_>, name: &str, node: &Node) -> Option<Table> {
    let Some(list) = node.as_map() else {
        reader.wrong_kind(node, &format!("code table `{name}`"), "a map");
        return None;
    };
    let mut table = Table { name: name.to_owned(), ..Table::default() };
    let mut dated = Vec::new();
    for entry in list {
        match &entry.node.value {
            Kind::Scalar(value) => {
                table.entries.insert(entry.key.clone(), value.clone());
            }
            Kind::Map(_) => period(reader, entry, &entry.node, &mut dated),
            Kind::Seq(nodes) => {
                nodes.iter().for_each(|node| period(reader, entry, node, &mut dated));
            }
        }
    }
    table.periods = periods(reader.file, dated, reader.diagnostics);
    Some(table)
}

/// One entry with validity dates, with its source value and place.
pub(super) struct Dated {
    pub key: String,
    pub period: Period,
    pub location: Location,
}

fn period(reader: &mut Reader<'_>, entry: &Entry, node: &Node, into: &mut Vec<Dated>) {
    const WHAT: &str = "an entry with validity dates";
    if reader.keys(node, &keys::PERIOD).is_none() {
        return;
    }
    let Some(to) = reader.required(node, WHAT, "to") else { return };
    let location = to.location(reader.file);
    let Some(value) = to.as_scalar() else {
        let message = format!("`{}` gives {}, not a single value", entry.key, to.kind());
        reader.diagnostics.push(Diagnostic::error(&codes::BAD_TABLE, location, message));
        return;
    };
    let mut day = |key: &str| {
        let found = node.get(key)?;
        let parsed = found.as_str().and_then(|text| text.parse::<Date>().ok());
        if parsed.is_none() {
            let location = found.location(reader.file);
            let message = format!("`{key}` is not a date YYYY-MM-DD");
            reader.diagnostics.push(Diagnostic::error(&codes::BAD_TABLE, location, message));
        }
        parsed
    };
    let (from, to) = (day("valid-from"), day("valid-to"));
    let period = Period { from, to, value: value.clone() };
    into.push(Dated { key: entry.key.clone(), period, location });
}

/// Orders the periods of each source value and refuses those that overlap or never hold.
pub(super) fn periods(
    file: &Arc<SourceFile>,
    mut dated: Vec<Dated>,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Vec<Period>> {
    debug_assert!(dated.iter().all(|one| Arc::ptr_eq(&one.location.file, file)));
    let mut periods: BTreeMap<String, Vec<Period>> = BTreeMap::new();
    dated.sort_by_key(|one| one.period.from);
    for Dated { key, period, location } in dated {
        if let (Some(from), Some(to)) = (period.from, period.to)
            && to < from
        {
            let message = format!("`{key}` ends before it begins");
            diagnostics.push(Diagnostic::error(&codes::BAD_TABLE, location, message));
            continue;
        }
        let known = periods.entry(key.clone()).or_default();
        let overlaps = known.last().is_some_and(|before| {
            before.to.is_none_or(|to| period.from.is_none_or(|from| from <= to))
        });
        if overlaps {
            let message = format!("two entries for `{key}` are valid on the same day");
            let diagnostic = Diagnostic::error(&codes::BAD_TABLE, location, message);
            diagnostics.push(diagnostic.hint("`valid-to` is the last day, itself included"));
            continue;
        }
        known.push(period);
    }
    periods
}

/// A value that a table cannot hold as text; used by tables whose entries are all texts.
pub(super) fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}
