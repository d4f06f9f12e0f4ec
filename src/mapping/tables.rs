//! Code tables: texts to values, local to a mapping or shared by all (`mappings/tables/*.yaml`).

use crate::diagnostic::yaml::{self, Kind, Node, Reader};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::mapping::keys;
use crate::model::codes::mapping as codes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One code table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Source value, as text, to target value.
    pub entries: BTreeMap<String, Value>,
}

/// The code tables shared by all mappings.
#[derive(Debug, Default)]
pub struct Tables {
    all: BTreeMap<String, Arc<Table>>,
}

impl Tables {
    /// Reads `mappings/tables/<name>.yaml` files (`table: name`, `entries: {from: to}`); what is
    /// wrong with them is reported.
    pub fn load(files: &[Arc<SourceFile>], diagnostics: &mut Vec<Diagnostic>) -> Tables {
        let mut all = BTreeMap::new();
        for file in files {
            match yaml::parse(file) {
                Ok(root) => {
                    let mut reader = Reader::new(file, diagnostics);
                    if let Some(table) = shared(&mut reader, &root) {
                        all.insert(table.name.clone(), Arc::new(table));
                    }
                }
                Err(diagnostic) => diagnostics.push(diagnostic),
            }
        }
        Tables { all }
    }

    /// The table of a name.
    pub fn get(&self, name: &str) -> Option<&Arc<Table>> {
        self.all.get(name)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }
}

fn shared(reader: &mut Reader<'_>, root: &Node) -> Option<Table> {
    reader.keys(root, &keys::TABLE)?;
    let name_node = reader.required(root, "a code table", "table");
    let name = name_node.and_then(|node| reader.text(node, "`table`"));
    let entries = reader.required(root, "a code table", "entries");
    let (name, entries) = (name?, entries?);
    let file_name = reader.file.path.rsplit('/').next().unwrap_or("");
    let stem = file_name.strip_suffix(".yaml").unwrap_or(file_name);
    if name != stem {
        let message = format!("the table is called `{name}`, its file `{file_name}`");
        let location =
            name_node.map_or_else(|| root.location(reader.file), |n| n.location(reader.file));
        let diagnostic = Diagnostic::error(&codes::WRONG_NAME, location, message);
        reader.diagnostics.push(diagnostic.hint(format!("write `table: {stem}`")));
    }
    read(reader, name, entries)
}

/// Reads the entries of a table.
pub(crate) fn read(reader: &mut Reader<'_>, name: &str, node: &Node) -> Option<Table> {
    let Some(list) = node.as_map() else {
        reader.wrong_kind(node, &format!("code table `{name}`"), "a map");
        return None;
    };
    let mut entries = BTreeMap::new();
    for entry in list {
        if let Kind::Scalar(value) = &entry.node.value {
            entries.insert(entry.key.clone(), value.clone());
        } else {
            let message =
                format!("`{}` gives {}, not a single value", entry.key, entry.node.kind());
            let location = entry.node.location(reader.file);
            reader.diagnostics.push(Diagnostic::error(&codes::BAD_TABLE, location, message));
        }
    }
    Some(Table { name: name.to_owned(), entries })
}

/// The key a value is looked up by: texts as they are, numbers and booleans as JSON writes them.
pub(crate) fn key(value: &Value) -> Option<std::borrow::Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(crate::mapping::functions::number_text(number)),
        Value::Bool(_) => Some(value.to_string().into()),
        _ => None,
    }
}
