//! `Path`: a place in a document, as adapters name it (`person.atenaNumber`, `results[0].key`).

use crate::mapping::syntax::{self, Kind, Root, steps_text};
use crate::model::json::Node;
use serde_json::Value;
use std::fmt;

/// A place in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    steps: Vec<Step>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into the member of that name.
    Field(String),
    /// Into the element of that index, from 0.
    Index(usize),
}

/// Goes one step after another; `None` as soon as one leads nowhere.
pub(crate) fn walk<'v>(steps: &[Step], start: Node<'v>) -> Option<Node<'v>> {
    steps.iter().try_fold(start, |node, step| match step {
        Step::Field(name) => node.as_object()?.get(name),
        Step::Index(index) => node.as_array()?.get(*index),
    })
}

impl Path {
    /// Reads a path in the syntax of mapping expressions, from the document's root (`$` may stand
    /// first). The error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Path, String> {
        let expression = syntax::parse(text).map_err(|error| error.message)?;
        match expression.kind {
            Kind::Path(path) if matches!(path.root, Root::Here | Root::Document) => {
                Ok(Path { steps: path.steps.into_iter().map(|(step, _)| step).collect() })
            }
            _ => Err("a path such as person.name is expected, not an expression".into()),
        }
    }

    /// The value there; `None` when a step leads nowhere.
    pub fn find<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(document, |value, step| match step {
            Step::Field(name) => value.as_object()?.get(name.as_str()),
            Step::Index(index) => value.as_array()?.get(*index),
        })
    }

    /// The place there, in a document of any form.
    pub fn node<'v>(&self, document: impl Into<Node<'v>>) -> Option<Node<'v>> {
        walk(&self.steps, document.into())
    }

    /// Its steps, from the root.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = steps_text(&self.steps);
        formatter.write_str(if text.is_empty() { "$" } else { &text })
    }
}

#[cfg(test)]
mod tests {
    use super::Path;
    use serde_json::json;

    #[test]
    fn finds_what_is_there() {
        let document = json!({"a": {"b": [{"c": 1}]}, "名": 2});
        let find = |text: &str| Path::parse(text).unwrap().find(&document).cloned();
        assert_eq!(find("a.b[0].c"), Some(json!(1)));
        assert_eq!(find("$.名"), Some(json!(2)));
        assert_eq!(find("$"), Some(document.clone()));
        assert_eq!(find("a.b[1].c"), None);
        assert_eq!(find("a.b.c"), None);
        assert_eq!(Path::parse("a.b[0].c").unwrap().to_string(), "a.b[0].c");
    }

    #[test]
    fn refuses_what_is_no_path() {
        for text in ["", "a | trim", "\"a\"", "$x.a", "_", "a..b", "a["] {
            assert!(Path::parse(text).is_err(), "{text}");
        }
    }
}
