//! A mapping as a table (項目対応表): every target item with the rule that sets it, in words.

mod disclosed;
mod items;
mod rules;

use crate::diagnostic::SourceFile;
use crate::diagnostic::yaml::{self, Node};
use crate::mapping::Mapping;
use crate::mapping::words::Language;
use crate::schema::Class;
use std::sync::Arc;

pub use disclosed::Disclosed;

/// A mapping described in one language.
#[derive(Debug)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Its title, where it has one.
    pub title: Option<String>,
    /// Id and title of the schema it starts from.
    pub from: (String, String),
    /// Id and title of the schema it leads to.
    pub to: (String, String),
    /// The target's items, in the order of its schema.
    pub rows: Vec<Row>,
    /// Names given by `let`, each with its expression and what that says.
    pub names: Vec<(String, String, String)>,
    /// Code tables that rules use, each with its entries.
    pub tables: Vec<(String, Vec<(String, String)>)>,
}

/// One target item.
#[derive(Debug)]
pub struct Row {
    /// Where it stands: `records[].date`.
    pub path: String,
    /// Its title, where the schema has one.
    pub title: Option<String>,
    /// JSON types, joined.
    pub types: String,
    /// Length in characters, as the schema tells it.
    pub length: Option<String>,
    /// The values it may have, where they are listed.
    pub values: Vec<String>,
    /// Whether it must be there.
    pub need: Need,
    /// Data class.
    pub class: Class,
    /// Legal item code.
    pub item: Option<String>,
    /// What sets it; nothing does where this is none.
    pub rule: Option<Ruled>,
}

/// Whether an item must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Wherever what it is part of is there.
    Always,
    /// In some forms of what it is part of.
    Sometimes,
    /// It may be left out.
    Never,
}

/// The rule of one target.
#[derive(Clone, Debug)]
pub struct Ruled {
    /// Line in the mapping file, from 1.
    pub line: usize,
    /// The expression as written.
    pub text: String,
    /// What it says.
    pub words: String,
    /// The conditions around it, in words.
    pub conditions: Vec<String>,
    /// The source items it reads, also in its conditions.
    pub sources: Vec<SourceItem>,
}

/// One source item that a rule reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceItem {
    /// Where it stands.
    pub path: String,
    /// Its title, where the schema has one.
    pub title: Option<String>,
    /// Data class.
    pub class: Class,
}

impl Mapping {
    /// The mapping as a table. `tables`: the code tables that all mappings share.
    pub fn describe(&self, tables: &super::Tables, language: Language) -> Description {
        let root = yaml::parse(self.file()).ok();
        let mut found = rules::Found::new(self, language);
        if let Some(root) = &root {
            found.read(root);
        }
        let rules::Found { rules, names, used_tables, .. } = found;
        let rows = items::rows(self.to.shape(), rules);
        Description {
            name: self.name.clone(),
            title: root.as_ref().and_then(|root| text(root, "title")),
            from: (self.from.id().to_owned(), self.from.title().to_owned()),
            to: (self.to.id().to_owned(), self.to.title().to_owned()),
            rows,
            names,
            tables: entries(root.as_ref(), tables, used_tables),
        }
    }

    /// The class of the strictest item that the rule of a target reads; plain where it reads
    /// nothing classified.
    pub fn classes(&self) -> Vec<(String, Class, Vec<SourceItem>)> {
        let Ok(root) = yaml::parse(self.file()) else { return Vec::new() };
        let mut found = rules::Found::new(self, Language::En);
        found.read(&root);
        let strictest =
            |rule: &Ruled| rule.sources.iter().map(|source| source.class).max().unwrap_or_default();
        let one = |(path, rule): (String, Ruled)| (path, strictest(&rule), rule.sources);
        found.rules.into_iter().map(one).collect()
    }
}

fn text(node: &Node, key: &str) -> Option<String> {
    node.get(key).and_then(Node::as_str).map(str::to_owned)
}

type Entries = Vec<(String, Vec<(String, String)>)>;

fn entries(root: Option<&Node>, shared: &super::Tables, used: Vec<String>) -> Entries {
    let shown = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let of = |name: &str| -> Option<Vec<(String, String)>> {
        let local = root.and_then(|root| root.get("tables")?.get(name)?.as_map());
        if let Some(local) = local {
            let pair = |entry: &yaml::Entry| (entry.key.clone(), shown(&entry.node.to_json()));
            return Some(local.iter().map(pair).collect());
        }
        let table = shared.get(name)?;
        Some(table.entries.iter().map(|(from, to)| (from.clone(), shown(to))).collect())
    };
    used.into_iter().filter_map(|name| of(&name).map(|found| (name, found))).collect()
}

impl Mapping {
    /// The file it was read from.
    pub fn file(&self) -> &Arc<SourceFile> {
        &self.file
    }
}
