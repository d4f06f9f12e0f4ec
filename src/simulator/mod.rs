//! Simulated counterparts by files: what `adapters/<name>/simulator.yaml` says, played by a world
//! that is as strict as the adapter's own layouts, and the run of an adapter against it.
//!
//! The file gives answers only. What a counterpart does with them follows from the interaction: it
//! knows a thing again, gives tickets, has results later, and can be late, silent, lying, refusing
//! or closed. The world knows nothing of the gateway and judges it by what arrives.

mod behaviour;
mod caller;
mod conformance;
mod files;
#[cfg(test)]
mod files_tests;
pub mod keys;
mod load;
mod paper;
mod persons;
mod request;
mod said;
mod shelf;
mod template;
#[cfg(test)]
mod tests;
mod world;

pub use behaviour::Behaviour;
pub use conformance::{Finding, Row, run};
pub use load::load;
pub use world::World;

use crate::adapter::{Adapter, Operation, Then};
use crate::codec::Limits;
use crate::codec::signed::Trust;
use crate::mapping::path::Path;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A simulated counterpart.
#[derive(Debug)]
pub struct Simulator {
    /// Whose counterpart it is.
    pub adapter: Arc<Adapter>,
    /// Its operations by name.
    operations: BTreeMap<String, Played>,
    /// Answers about availability.
    availability: Answers,
    /// Who may have signed what waits there.
    trust: BTreeMap<String, Arc<Trust>>,
}

impl Simulator {
    /// Whether it plays an operation.
    pub fn plays(&self, operation: &str) -> bool {
        self.operations.contains_key(operation)
    }
}

impl Simulator {
    /// By what the counterpart knows a document again, where that is a part of it.
    fn name_of(&self, operation: &str, document: &Value) -> Option<String> {
        self.operations.get(operation).and_then(|played| played.name_of(document))
    }

    /// The content of the documents that wait to be fetched by an operation; of those that must be
    /// signed, what is well signed at that time.
    fn waiting(&self, operation: &str, at: Timestamp) -> Vec<Value> {
        let played = self.operations.get(operation);
        let documents = played.into_iter().flat_map(|one| &one.documents);
        documents.filter_map(|document| self.content(operation, document, at)).collect()
    }

    fn content(&self, operation: &str, document: &Document, at: Timestamp) -> Option<Value> {
        let operation = &self.operations.get(operation)?.operation;
        let Some(rule) = &operation.signature else { return Some(document.body.clone()) };
        let response = operation.step.response.as_deref()?;
        let answer = response.codec.encode(&document.body).ok()?;
        let trust = self.trust.get(&rule.trust)?;
        let content = rule.open(&answer, Some(response), &document.id, trust, at).ok()?;
        rule.content.codec.decode(&content, &Limits::default()).ok()
    }
}

/// One operation.
#[derive(Debug)]
struct Played {
    operation: Arc<Operation>,
    knows_by: Vec<Path>,
    /// What comes again is not done again.
    knows_again: bool,
    submit: Answers,
    poll: Answers,
    fetch: Answers,
    ask: Answers,
    list: Answers,
    get: Answers,
    /// One result of an item: applied, refused.
    items: Option<(Value, Option<Value>)>,
    /// One result of a record of a file: not now.
    busy: Option<Value>,
    /// Of a file that is one document: what stands beside its records.
    head: Option<Value>,
    documents: Vec<Document>,
    entry: Option<Value>,
    /// Of a push-in: the notice that something is done.
    notice: Option<Value>,
}

impl Played {
    /// The values at `knows-by`; `None` where there is none, or one is missing.
    fn name_of(&self, document: &Value) -> Option<String> {
        let found = self.knows_by.iter().map(|path| path.find(document).map(request::text));
        let found: Vec<String> = found.collect::<Option<_>>()?;
        (!found.is_empty()).then(|| found.join("/"))
    }
}

/// One that waits to be fetched.
#[derive(Clone, Debug)]
struct Document {
    id: String,
    body: Value,
}

/// The answers of one step.
#[derive(Debug, Default)]
struct Answers {
    finds_by: Option<Path>,
    by_word: Vec<(Then, Answer)>,
}

impl Answers {
    fn get(&self, word: Then) -> Option<&Answer> {
        self.by_word.iter().find(|(then, _)| *then == word).map(|(_, answer)| answer)
    }

    /// The first of these words that has an answer.
    fn first(&self, words: &[Then]) -> Option<(Then, &Answer)> {
        words.iter().find_map(|word| Some((*word, self.get(*word)?)))
    }
}

/// One answer.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    body: Option<Value>,
    /// Other documents that mean the same.
    also: Vec<Value>,
}

impl Answer {
    /// How many forms it has.
    fn forms(&self) -> usize {
        1 + self.also.len()
    }

    /// The document for the thing of that number.
    fn body(&self, turn: usize) -> Option<&Value> {
        match turn.checked_rem(self.forms()) {
            None | Some(0) => self.body.as_ref(),
            Some(form) => self.also.get(form - 1),
        }
    }
}
