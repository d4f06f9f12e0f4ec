//! One schema file: its id from its path, its strict JSON, the place of everything in it.

use super::keyword;
use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::model::Code;
use crate::model::codes::document;
use crate::model::json;
pub use crate::model::json::escape;
use serde_json::Value;
use std::sync::Arc;

/// A schema as a person wrote it.
pub struct File {
    /// `<folder>/<name>@<version>`.
    pub id: String,
    /// The text.
    pub source: Arc<SourceFile>,
    /// The same as JSON.
    pub value: Value,
    /// Where each value stands.
    pub spans: json::Spans,
}

impl File {
    /// Reads a file; what is wrong with path or JSON becomes a diagnostic.
    pub fn read(source: &Arc<SourceFile>, diagnostics: &mut Vec<Diagnostic>) -> Option<File> {
        let Some(id) = id_of_path(&source.path) else {
            let message = "the path is not schemas/<folder>/<name>/<version>.schema.json";
            let location = Location { file: Arc::clone(source), span: 0..0 };
            diagnostics.push(
                Diagnostic::error(&document::SCHEMA_PATH, location, message)
                    .hint("folder and name: a-z, 0-9 and hyphens; version: a whole number from 1"),
            );
            return None;
        };
        match json::read_with_spans(source.text.as_bytes(), &json::Limits::default()) {
            Ok((value, spans)) => Some(File { id, source: Arc::clone(source), value, spans }),
            Err(error) => {
                let error = error.located(source.text.as_bytes(), |_| String::new());
                let start = offset(&source.text, error.line, error.column);
                let location = Location { file: Arc::clone(source), span: start..start };
                let message = format!("{}: {}", error.code.title, error.detail);
                diagnostics.push(Diagnostic::error(&document::SCHEMA_JSON, location, message));
                None
            }
        }
    }

    /// The place of the value at a pointer.
    pub fn at(&self, pointer: &str) -> Location {
        Location { file: Arc::clone(&self.source), span: self.spans.value(pointer) }
    }

    /// The place of the key at a pointer.
    pub fn at_key(&self, pointer: &str) -> Location {
        Location { file: Arc::clone(&self.source), span: self.spans.key(pointer) }
    }

    /// A diagnostic at the value of a pointer.
    pub fn error(&self, code: &'static Code, pointer: &str, message: String) -> Diagnostic {
        Diagnostic::error(code, self.at(pointer), message)
    }

    /// Follows a reference text to the id and the pointer it means; `Err` says why not.
    pub fn target(&self, reference: &str) -> Result<(String, String), String> {
        let (base, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err("after `#` a JSON pointer such as /$defs/name is expected".to_owned());
        }
        let id = if base.is_empty() {
            self.id.clone()
        } else if let Some(id) = base.strip_prefix("watashi:/") {
            id.to_owned()
        } else if base.contains(':') {
            return Err("references to other places are never fetched".to_owned());
        } else {
            relative(&self.id, base).ok_or("the path does not lead to a schema file")?
        };
        Ok((id, pointer.to_owned()))
    }
}

/// The id of `[...]/schemas/<folder>/<name>/<version>.schema.json`.
pub fn id_of_path(path: &str) -> Option<String> {
    let mut parts = path.rsplit(['/', '\\']);
    let (file, name, folder, root) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let version = file.strip_suffix(".schema.json")?;
    let plain = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let whole = !version.starts_with('0') && version.parse::<u32>().is_ok_and(|v| v > 0);
    (root == "schemas" && plain(name) && plain(folder) && whole)
        .then(|| format!("{folder}/{name}@{version}"))
}

/// The id meant by a relative path inside the file of `id`.
fn relative(id: &str, path: &str) -> Option<String> {
    let (folder, rest) = id.split_once('/')?;
    let name = rest.split('@').next()?;
    let mut stack = vec!["schemas", folder, name];
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => {
                stack.pop()?;
            }
            other => stack.push(other),
        }
    }
    id_of_path(&stack.join("/"))
}

/// The schemas inside a schema: keyword, pointer of the child, the child, what it is to its parent.
pub fn children<'a>(
    schema: &'a Value,
    pointer: &str,
) -> Vec<(&'a str, String, &'a Value, keyword::Holds)> {
    use keyword::Holds;
    let mut found = Vec::new();
    let Value::Object(members) = schema else { return found };
    for (name, value) in members {
        let Some(holds) = keyword::holds(name) else { continue };
        let here = format!("{pointer}/{}", escape(name));
        match (holds, value) {
            (Holds::Value, _) => {}
            (Holds::Schema | Holds::SamePlace, child) => {
                found.push((name.as_str(), here, child, holds));
            }
            (Holds::List | Holds::SamePlaceList, Value::Array(list)) => {
                for (index, child) in list.iter().enumerate() {
                    found.push((name.as_str(), format!("{here}/{index}"), child, holds));
                }
            }
            (Holds::Map | Holds::SamePlaceMap, Value::Object(map)) => {
                for (key, child) in map {
                    found.push((name.as_str(), format!("{here}/{}", escape(key)), child, holds));
                }
            }
            _ => {} // the wrong type: the meta-schema says so
        }
    }
    found
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    start + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_follows_from_the_path() {
        let id = |path| id_of_path(path);
        assert_eq!(id("schemas/pmh/subject/1.schema.json").as_deref(), Some("pmh/subject@1"));
        assert_eq!(id("a/schemas/pmh/subject/12.schema.json").as_deref(), Some("pmh/subject@12"));
        for wrong in [
            "pmh/subject/1.schema.json",
            "schemas/subject/1.schema.json",
            "schemas/pmh/subject/v1.schema.json",
            "schemas/pmh/subject/01.schema.json",
            "schemas/pmh/subject/0.schema.json",
            "schemas/Pmh/subject/1.schema.json",
            "schemas/pmh/subject/1.json",
        ] {
            assert_eq!(id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn relative_references_stay_inside() {
        let to = |path| relative("pmh/subject@1", path);
        assert_eq!(to("2.schema.json").as_deref(), Some("pmh/subject@2"));
        assert_eq!(to("../task/1.schema.json").as_deref(), Some("pmh/task@1"));
        assert_eq!(to("../../health/person/1.schema.json").as_deref(), Some("health/person@1"));
        assert_eq!(to("../../../../etc/passwd"), None);
    }
}
