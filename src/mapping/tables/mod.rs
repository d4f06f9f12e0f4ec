//! Code tables: texts to values, local to a mapping or shared by all (`mappings/tables/`, YAML or
//! CSV). An entry may be valid for a time only; then a lookup names its day.

use crate::diagnostic::yaml::{self, Reader};
use crate::diagnostic::{Diagnostic, SourceFile};
use jiff::civil::Date;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

mod csv;
mod read;

pub(crate) use read::read;

/// One code table.
#[derive(Debug, Default)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Source value, as text, to target value: entries that are valid at any time.
    pub entries: BTreeMap<String, Value>,
    /// Entries that are valid for a time only, by source value: in order, never overlapping. A
    /// source value stands here or in `entries`.
    pub periods: BTreeMap<String, Vec<Period>>,
}

/// An entry with the days it is valid on.
#[derive(Clone, Debug, PartialEq)]
pub struct Period {
    /// First day; `None`: always before.
    pub from: Option<Date>,
    /// Last day, itself included; `None`: ever after.
    pub to: Option<Date>,
    /// Target value.
    pub value: Value,
}

impl Period {
    fn holds(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

impl Table {
    /// What stands for a source value; entries with validity dates only on a day.
    pub fn find(&self, key: &str, day: Option<Date>) -> Option<&Value> {
        self.entries.get(key).or_else(|| {
            let day = day?;
            let period = self.periods.get(key)?.iter().find(|period| period.holds(day))?;
            Some(&period.value)
        })
    }

    /// Every entry with its source value, whenever it is valid.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Value)> {
        let dated = self.periods.iter().flat_map(|(key, periods)| {
            periods.iter().map(move |period| (key.as_str(), &period.value))
        });
        self.entries.iter().map(|(key, value)| (key.as_str(), value)).chain(dated)
    }

    /// Whether there is an entry on every day.
    pub fn always_has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
            || self.periods.get(key).is_some_and(|periods| without_gap(periods))
    }

    /// The table read backwards; otherwise two source values that cannot be told apart (the same
    /// one twice where its entry is null).
    ///
    /// # Errors
    /// Entries that are equal as texts, or null.
    pub fn reversed(&self) -> Result<Table, (&str, &str)> {
        let mut entries: BTreeMap<String, Value> = BTreeMap::new();
        for (source, target) in &self.entries {
            let Some(text) = key(target) else { return Err((source, source)) };
            if entries.insert(text.into_owned(), Value::String(source.clone())).is_some() {
                let same = |other: &&String| {
                    *other != source && self.entries.get(*other).and_then(key) == key(target)
                };
                let other = self.entries.keys().find(same).unwrap_or(source);
                return Err((other, source));
            }
        }
        Ok(Table { name: self.name.clone(), entries, periods: BTreeMap::new() })
    }
}

fn without_gap(periods: &[Period]) -> bool {
    let open = |edge: Option<&Option<Date>>| edge == Some(&None);
    let touches = |pair: &[Period]| match pair {
        [before, after] => before.to.and_then(|day| day.tomorrow().ok()) == after.from,
        _ => true,
    };
    open(periods.first().map(|first| &first.from))
        && open(periods.last().map(|last| &last.to))
        && periods.windows(2).all(touches)
}

/// The code tables shared by all mappings.
#[derive(Debug, Default)]
pub struct Tables {
    all: BTreeMap<String, Arc<Table>>,
}

impl Tables {
    /// Reads `mappings/tables/<name>.yaml` (`table: name`, `entries: {from: to}`) and
    /// `mappings/tables/<name>.csv` (columns `from`, `to`, and `valid-from`, `valid-to` if
    /// wanted); what is wrong with them is reported.
    pub fn load(files: &[Arc<SourceFile>], diagnostics: &mut Vec<Diagnostic>) -> Tables {
        let mut all: BTreeMap<String, Arc<Table>> = BTreeMap::new();
        for file in files {
            let table = if file.path.ends_with(".csv") {
                csv::table(file, diagnostics)
            } else {
                match yaml::parse(file) {
                    Ok(root) => read::shared(&mut Reader::new(file, diagnostics), &root),
                    Err(diagnostic) => {
                        diagnostics.push(diagnostic);
                        None
                    }
                }
            };
            let Some(table) = table else { continue };
            if all.contains_key(&table.name) {
                diagnostics.push(read::twice(file, &table.name));
            }
            all.insert(table.name.clone(), Arc::new(table));
        }
        Tables { all }
    }

    /// Whether a file of definitions is a shared table.
    pub fn is_file(path: &str) -> bool {
        path.contains("mappings/tables/") && (path.ends_with(".yaml") || path.ends_with(".csv"))
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

/// The key a value is looked up by: texts as they are, numbers and booleans as JSON writes them.
pub(crate) fn key(value: &Value) -> Option<std::borrow::Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(crate::mapping::functions::number_text(number)),
        Value::Bool(_) => Some(value.to_string().into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
