//! Reads `simulator.yaml` against its adapter: every problem at once.

use super::{Answer, Answers, Document, Played, Simulator, keys};
use crate::adapter::{Adapter, Bundle, Interaction, Operation, Then};
use crate::codec::signed::Trust;
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::{self, Node, Reader};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::mapping::path::Path;
use crate::model::Code;
use crate::model::codes::adapter as codes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Which steps are there, and which of their answers must be.
const STEPS: [&str; 6] = ["submit", "poll", "fetch", "ask", "list", "get"];

/// Reads one file. `None` (reported) when it cannot be used.
pub fn load(
    file: &Arc<SourceFile>,
    bundle: &Bundle,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Simulator> {
    let before = diagnostics.len();
    let root = match yaml::parse(file) {
        Ok(root) => root,
        Err(problem) => {
            diagnostics.push(problem);
            return None;
        }
    };
    let mut loader = Loader { reader: Reader::new(file, diagnostics) };
    let simulator = loader.simulator(&root, bundle);
    simulator.filter(|_| diagnostics.len() == before)
}

struct Loader<'a> {
    reader: Reader<'a>,
}

impl Loader<'_> {
    fn error(&mut self, code: &'static Code, node: &Node, message: impl Into<String>) {
        let location = node.location(self.reader.file);
        self.reader.diagnostics.push(Diagnostic::error(code, location, message.into()));
    }

    fn simulator(&mut self, root: &Node, bundle: &Bundle) -> Option<Simulator> {
        self.reader.keys(root, &keys::SIMULATOR)?;
        let name_node = self.reader.required(root, "a simulator", "simulator")?;
        let name = self.reader.text(name_node, "`simulator`")?;
        let folder = self.reader.file.path.rsplit('/').nth(1).unwrap_or_default().to_owned();
        let adapter = match bundle.adapters.get(name) {
            Some(adapter) if folder == name => Arc::clone(adapter),
            _ => {
                let message = format!("simulator `{name}` lies in folder `{folder}`");
                self.error(&codes::NAME_NOT_FOLDER, name_node, message);
                return None;
            }
        };
        let mut operations = BTreeMap::new();
        if let Some(node) = self.reader.required(root, "a simulator", "operations") {
            for entry in node.as_map().unwrap_or_default() {
                let Some(operation) = adapter.operations.get(&entry.key) else {
                    let message = format!("adapter `{name}` has no operation `{}`", entry.key);
                    self.error(&codes::UNKNOWN_OPERATION, &entry.node, message);
                    let known = adapter.operations.keys().map(String::as_str);
                    if let (Some(near), Some(last)) =
                        (nearest(&entry.key, known), self.reader.diagnostics.last_mut())
                    {
                        last.hint = Some(format!("did you mean `{near}`?"));
                    }
                    continue;
                };
                if let Some(played) = self.played(&entry.node, operation, &adapter) {
                    operations.insert(entry.key.clone(), played);
                }
            }
        }
        let availability = match (root.get("availability"), &adapter.availability) {
            (Some(node), Some(_)) => self.answers(node, &[Then::Open, Then::Closed]),
            (Some(node), None) => {
                let message = "the adapter has no `availability:`";
                self.error(&codes::SIMULATOR_STEP, node, message);
                Answers::default()
            }
            (None, Some(_)) => {
                let message = "the adapter asks for availability: answers are missing";
                self.error(&codes::SIMULATOR_STEP, name_node, message);
                Answers::default()
            }
            (None, None) => Answers::default(),
        };
        let trust = self.trust(root);
        Some(Simulator { adapter, operations, availability, trust })
    }

    fn trust(&mut self, root: &Node) -> BTreeMap<String, Arc<Trust>> {
        let mut found = BTreeMap::new();
        for entry in root.get("trust").and_then(Node::as_map).unwrap_or_default() {
            self.reader.keys(&entry.node, &keys::TRUST);
            let authorities = self.reader.text_at(&entry.node, "authorities").unwrap_or_default();
            let list = self.reader.text_at(&entry.node, "revocation-list").unwrap_or_default();
            match Trust::read(authorities, &[list.as_bytes().to_vec()]) {
                Ok(trust) => {
                    found.insert(entry.key.clone(), Arc::new(trust));
                }
                Err(detail) => self.error(&codes::BAD_VALUE, &entry.node, detail),
            }
        }
        found
    }

    fn played(
        &mut self,
        node: &Node,
        operation: &Arc<Operation>,
        adapter: &Adapter,
    ) -> Option<Played> {
        self.reader.keys(node, &keys::OPERATION)?;
        let pull = operation.interaction == Interaction::Pull;
        let called = operation.interaction == Interaction::PushIn;
        let files = operation.place().is_some();
        self.files(node, operation);
        for step in STEPS {
            let wanted = match step {
                "submit" => !pull && !called && !files,
                "poll" => operation.poll.is_some(),
                "fetch" => operation.fetch.is_some(),
                "ask" => operation.ask.is_some(),
                _ => pull,
            };
            let found = node.get(step);
            if wanted == found.is_some() {
                continue;
            }
            let word = if wanted { "needs" } else { "has no use for" };
            let message =
                format!("operation `{}` of `{}` {word} `{step}`", operation.name, adapter.name);
            self.error(&codes::SIMULATOR_STEP, found.unwrap_or(node), message);
        }
        let submit: &[Then] = match (operation.interaction, &operation.items) {
            (Interaction::SubmitPoll, _) => &[Then::Accepted],
            (_, Some(_)) => &[Then::Ready],
            (_, None) => &[Then::Applied],
        };
        let found_by_ticket = [Then::Applied, Then::NotApplied];
        let needs_fetch_word: &[Then] = &[Then::Applied];
        let mut of = |step: &str, words: &[Then]| match node.get(step) {
            Some(node) => self.answers(node, words),
            None => Answers::default(),
        };
        let (submit, poll, fetch, ask, list, get) = (
            of("submit", submit),
            of("poll", &[Then::Ready]),
            of("fetch", needs_fetch_word),
            of("ask", &found_by_ticket),
            of("list", &[Then::Applied]),
            of("get", &[Then::Applied]),
        );
        let items = node.get("items").and_then(|node| {
            self.reader.keys(node, &keys::ITEMS)?;
            let applied = self.reader.required(node, "results by item", "applied")?.to_json();
            Some((applied, node.get("refused").map(Node::to_json)))
        });
        let results = operation.file_out.as_ref().is_some_and(|rule| rule.results.is_some());
        let by_item = results
            || operation.items.is_some()
            || operation.poll.as_ref().is_some_and(|poll| poll.items.is_some());
        if by_item && items.is_none() {
            let message = format!("operation `{}` has results by item: `items`", operation.name);
            self.error(&codes::SIMULATOR_STEP, node, message);
        }
        Some(Played {
            operation: Arc::clone(operation),
            knows_again: self.knows_again(node),
            knows_by: self.knows_by(node),
            submit,
            poll,
            fetch,
            ask,
            list,
            get,
            items,
            busy: node.get("items").and_then(|items| Some(items.get("retry")?.to_json())),
            head: node.get("head").map(Node::to_json),
            documents: self.documents(node),
            entry: node.get("entry").map(Node::to_json),
            notice: self.notice(node, operation),
        })
    }

    /// What is said of files where they are none, and not said where they are.
    fn files(&mut self, node: &Node, operation: &Operation) {
        let reads = operation.file_in.as_ref();
        let name = operation.name.as_str();
        let mut wrong = |node: &Node, what: &str| {
            let message = format!("operation `{name}` {what}");
            self.error(&codes::SIMULATOR_STEP, node, message);
        };
        match reads {
            Some(rule) if rule.message_type.is_none() => {
                wrong(node, "reads results: they are `items` of the operation that writes");
            }
            Some(_) if node.get("documents").is_none() => wrong(node, "needs `documents`"),
            _ => {}
        }
        if let (Some(head), None) = (node.get("head"), reads) {
            wrong(head, "has no use for `head`");
        }
        let busy = node.get("items").and_then(|items| items.get("retry"));
        if let (Some(busy), None) = (busy, &operation.file_out) {
            wrong(busy, "has no use for `retry` of an item");
        }
    }

    /// Of a push-in, and of nothing else.
    fn notice(&mut self, node: &Node, operation: &Operation) -> Option<Value> {
        let found = node.get("notice");
        let wanted = operation.interaction == Interaction::PushIn;
        if wanted != found.is_some() {
            let word = if wanted { "needs" } else { "has no use for" };
            let message = format!("operation `{}` {word} `notice`", operation.name);
            self.error(&codes::SIMULATOR_STEP, found.unwrap_or(node), message);
        }
        found.map(Node::to_json)
    }

    fn documents(&mut self, node: &Node) -> Vec<Document> {
        let mut documents = Vec::new();
        for node in node.get("documents").and_then(Node::as_seq).unwrap_or_default() {
            self.reader.keys(node, &keys::DOCUMENT);
            let id = self.reader.text_at(node, "id").map(str::to_owned);
            let body = self.reader.required(node, "a document", "body").map(Node::to_json);
            if let (Some(id), Some(body)) = (id, body) {
                documents.push(Document { id, body });
            }
        }
        documents
    }

    fn answers(&mut self, node: &Node, needed: &[Then]) -> Answers {
        if self.reader.keys(node, &keys::ANSWERS).is_none() {
            return Answers::default();
        }
        let finds_by = self.path_at(node, "finds-by");
        let mut by_word = Vec::new();
        for (name, then) in Then::NAMES {
            let Some(node) = node.get(name) else { continue };
            if self.reader.keys(node, &keys::ANSWER).is_none() {
                continue;
            }
            let Some(status) = self.reader.required(node, "an answer", "status") else { continue };
            let Some(number) = self.reader.count(status, "`status`") else { continue };
            match u16::try_from(number).ok().filter(|status| (100..600).contains(status)) {
                Some(status) => {
                    let body = node.get("body").map(Node::to_json);
                    let also = node.get("also").and_then(Node::as_seq).unwrap_or_default();
                    let also = also.iter().map(Node::to_json).collect();
                    by_word.push((then, Answer { status, body, also }));
                }
                None => self.error(&codes::BAD_VALUE, status, "`status` is 100 to 599"),
            }
        }
        for (name, then) in Then::NAMES {
            if needed.contains(&then) && node.get(name).is_none() {
                let message = format!("the answer `{name}` is missing");
                self.error(&codes::SIMULATOR_STEP, node, message);
            }
        }
        Answers { finds_by, by_word }
    }

    fn knows_again(&mut self, node: &Node) -> bool {
        match self.reader.text_at(node, "repeated") {
            None | Some("known") => true,
            Some("done-again") => false,
            Some(_) => {
                let found = node.get("repeated").unwrap_or(node);
                self.error(&codes::BAD_VALUE, found, "`repeated` is `known` or `done-again`");
                true
            }
        }
    }

    fn knows_by(&mut self, node: &Node) -> Vec<Path> {
        let Some(found) = node.get("knows-by") else { return Vec::new() };
        let nodes = found.as_seq().unwrap_or(std::slice::from_ref(found));
        nodes.iter().filter_map(|node| self.path(node, "knows-by")).collect()
    }

    fn path_at(&mut self, node: &Node, key: &str) -> Option<Path> {
        self.path(node.get(key)?, key)
    }

    fn path(&mut self, found: &Node, key: &str) -> Option<Path> {
        let text = self.reader.text(found, &format!("`{key}`"))?;
        match Path::parse(text) {
            Ok(path) => Some(path),
            Err(message) => {
                self.error(&codes::BAD_VALUE, found, format!("`{key}`: {message}"));
                None
            }
        }
    }
}
