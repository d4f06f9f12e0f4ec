//! `Path`: a place in a document, as adapters name it (`person.atenaNumber`, `results[0].key`).

use serde_json::Value;

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
pub(crate) fn walk<'v>(steps: &[Step], start: &'v Value) -> Option<&'v Value> {
    steps.iter().try_fold(start, |value, step| match step {
        Step::Field(name) => value.as_object()?.get(name.as_str()),
        Step::Index(index) => value.as_array()?.get(*index),
    })
}

impl Path {
    /// Reads a path; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Path, String> {
        Err(format!("not a path: {text}"))
    }

    /// The value there.
    pub fn find<'v>(&self, document: &'v Value) -> Option<&'v Value> {
        walk(&self.steps, document)
    }

    /// Its steps, from the root.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}
