//! Reads operations that a counterpart calls us with.

use super::Loader;
use super::sink::{Sink, Start};
use super::step::Table;
use crate::adapter::callback::{Effect, Encoding, PushIn, Signature};
use crate::adapter::keys::callback as keys;
use crate::adapter::{
    BodyPlan, Interaction, Operation, OutcomeTable, RequestPlan, Step, Then, UnknownRule,
};
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::Node;
use crate::model::Method;
use crate::model::codes::adapter as codes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keys of operations that only callbacks have.
pub(super) const KEYS: &[&str] = &["callback", "completes", "ticket", "message"];
/// Longest segment of a path.
const SEGMENT: usize = 64;

impl Loader<'_, '_> {
    /// An operation that the counterpart calls us with.
    pub(super) fn callback_operation(&mut self, name: &str, node: &Node) -> Option<Operation> {
        let (title_ja, _) = self.title(node.get("title"), name);
        for entry in node.as_map().unwrap_or_default() {
            let key = entry.key.as_str();
            let known =
                ["title", "interaction", "outcomes", "scan"].contains(&key) || KEYS.contains(&key);
            if !known && crate::adapter::keys::is_of_operation(key) {
                self.error(&codes::BLOCK_UNUSED, &entry.node, format!("`{key}:` is not used here"));
            }
        }
        let Some(callback) = node.get("callback") else {
            self.error(&codes::BLOCK_MISSING, node, "`callback:` is missing");
            return None;
        };
        self.reader.keys(callback, &keys::CALLBACK)?;
        let plan = Arc::new(self.callback_body(callback)?);
        let segment = self.reader.required(callback, keys::CALLBACK.what, "path");
        let segment = segment.and_then(|node| self.segment(node));
        let method = match self.reader.text_at(callback, "method").unwrap_or("POST") {
            "POST" => Method::Post,
            "PUT" => Method::Put,
            other => {
                let found = callback.get("method").unwrap_or(callback);
                self.not_allowed(found, other, "POST, PUT");
                Method::Post
            }
        };
        let max_bytes = self.number(callback, "max-bytes", 1, 16 << 20).unwrap_or(65_536);
        let bearer = callback.get("bearer").and_then(|node| self.reader.flag(node, "`bearer`"));
        let signature = match callback.get("signature") {
            Some(node) => Some(self.caller_signature(node)?),
            None => None,
        };
        let scan = self.scan(node, Some(plan.schema.shape()));
        let effect = self.effect(node, &plan);
        if let (Some(found), Some(Effect::Completes { .. })) = (node.get("scan"), &effect) {
            // Such a notice brings no message: what is passed on comes from the poll.
            self.error(&codes::BLOCK_UNUSED, found, "`scan:` goes with `message:`");
        }
        Some(Operation {
            name: name.to_owned(),
            title_ja,
            interaction: Interaction::PushIn,
            // Nothing is sent.
            unknown: UnknownRule::Person,
            key_retention: None,
            max_age: None,
            step: step_of(plan),
            batch: None,
            items: None,
            poll: None,
            fetch: None,
            ask: None,
            pull: None,
            signature: None,
            scan,
            file_out: None,
            file_in: None,
            push_in: Some(PushIn {
                segment: segment?,
                method,
                max_bytes: max_bytes as usize,
                signature,
                bearer: bearer.unwrap_or(false),
                effect: effect?,
            }),
        })
    }

    fn callback_body(&mut self, callback: &Node) -> Option<BodyPlan> {
        let format = self.format(callback)?;
        let schema = self.reader.required(callback, keys::CALLBACK.what, "schema");
        let schema = schema.and_then(|node| self.schema(node))?;
        self.plan(format, schema)
    }

    fn segment(&mut self, node: &Node) -> Option<String> {
        let text = self.reader.text(node, "`path`")?;
        let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = !text.is_empty()
            && text.len() <= SEGMENT
            && text.chars().all(letters)
            && !text.starts_with('-');
        if !good {
            let message = "a segment has 1 to 64 of a-z 0-9 -, and no `/`";
            self.error(&codes::BAD_SEGMENT, node, message);
            return None;
        }
        Some(text.to_owned())
    }

    /// How the caller marks a notice as its own.
    fn caller_signature(&mut self, node: &Node) -> Option<Signature> {
        self.reader.keys(node, &keys::SIGNATURE)?;
        let found = self.reader.required(node, keys::SIGNATURE.what, "header")?;
        let header = self.reader.text(found, "`header`")?.to_owned();
        if !self.header_name(found, &header) {
            return None;
        }
        let encoding = match self.reader.text_at(node, "encoding").unwrap_or("hex") {
            "hex" => Encoding::Hex,
            "base64" => Encoding::Base64,
            other => {
                let found = node.get("encoding").unwrap_or(node);
                self.not_allowed(found, other, "hex, base64");
                Encoding::Hex
            }
        };
        let prefix = self.reader.text_at(node, "prefix").unwrap_or_default().to_owned();
        Some(Signature { header, prefix, encoding })
    }

    /// What follows: exactly one of `completes` and `message`.
    fn effect(&mut self, node: &Node, plan: &BodyPlan) -> Option<Effect> {
        let start = Start::whole(Some(plan.schema.shape()));
        match (node.get("completes"), node.get("message")) {
            (Some(completes), None) => {
                let operation = self.reader.text(completes, "`completes`")?.to_owned();
                self.reader.required(node, "what completes an operation", "ticket");
                let ticket = self.sink(node, Sink::Ticket, start);
                let outcomes = node.get("outcomes");
                let outcomes = outcomes.map(|node| self.outcomes_of(node, start, Table::Item));
                Some(Effect::Completes { operation, ticket: ticket?, outcomes })
            }
            (None, Some(message)) => {
                for key in ["ticket", "outcomes"] {
                    if let Some(found) = node.get(key) {
                        let text = format!("`{key}:` goes with `completes:`");
                        self.error(&codes::BLOCK_UNUSED, found, text);
                    }
                }
                self.reader.keys(message, &keys::MESSAGE)?;
                let message_type = self.reader.required(message, keys::MESSAGE.what, "type");
                let message_type = message_type
                    .and_then(|node| self.reader.text(node, "`type`"))
                    .map(str::to_owned);
                self.reader.required(message, keys::MESSAGE.what, "id");
                let id = self.sink(message, Sink::Id, start);
                Some(Effect::Message { message_type: message_type?, id: id? })
            }
            (Some(_), Some(both)) => {
                self.error(&codes::BLOCK_UNUSED, both, "either `completes:` or `message:`");
                None
            }
            (None, None) => {
                self.error(&codes::BLOCK_MISSING, node, "`completes:` or `message:` is missing");
                None
            }
        }
    }

    /// Callbacks against the operations that they complete, and against each other.
    pub(super) fn check_callbacks(
        &mut self,
        root: &Node,
        operations: &BTreeMap<String, Arc<Operation>>,
    ) {
        let mut segments: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, operation) in operations {
            let node = root.get("operations").and_then(|all| all.get(name));
            let (Some(push), Some(node)) = (&operation.push_in, node) else { continue };
            if let Some(earlier) = segments.insert(&push.segment, name) {
                let message = format!("`{earlier}` has the path `{}` as well", push.segment);
                let at = node.get("callback").unwrap_or(node);
                self.error(&codes::BAD_SEGMENT, at, message);
            }
            let Effect::Completes { operation: completed, outcomes, .. } = &push.effect else {
                continue;
            };
            let at = node.get("completes").unwrap_or(node);
            match operations.get(completed).filter(|one| one.poll.is_some()) {
                None => {
                    let polled = operations.iter().filter(|(_, one)| one.poll.is_some());
                    let hint = nearest(completed, polled.map(|(name, _)| name.as_str()))
                        .map(|near| format!("did you mean `{near}`?"));
                    let message = format!("the adapter has no `submit-poll` called `{completed}`");
                    self.error_with_hint(&codes::CALLBACK_TARGET, at, message, hint);
                }
                Some(completed) => {
                    let at = node.get("outcomes").unwrap_or(node);
                    if let Some(table) = outcomes {
                        self.check_result(at, operation, completed, table);
                    }
                }
            }
        }
    }

    /// A notice that carries the result itself stands for the answer in which the exchange ends.
    fn check_result(
        &mut self,
        at: &Node,
        operation: &Operation,
        completed: &Operation,
        table: &OutcomeTable,
    ) {
        if completed.batch.is_some() {
            let message = "a notice of a batch tells nothing of its items: leave `outcomes:` out";
            return self.error(&codes::CALLBACK_RESULT, at, message);
        }
        let applies = table.lines.iter().any(|line| line.then == Then::Applied);
        let schema = |plan: Option<&Arc<BodyPlan>>| plan.map(|plan| plan.schema.id().to_owned());
        let ours = schema(operation.step.response.as_ref()).unwrap_or_default();
        let theirs = super::route::final_response(completed).map(|schema| schema.id().to_owned());
        if let (true, Some(theirs)) = (applies, theirs)
            && theirs != ours
        {
            let message = format!(
                "`applied` ends the exchange with a document of `{ours}`; `{}` ends with `{theirs}`",
                completed.name
            );
            let hint = "say `then: ready`: the result is then asked for";
            self.error_with_hint(&codes::CALLBACK_RESULT, at, message, Some(hint.to_owned()));
        }
    }
}

/// The step that stands where others have a request: how what came is read again.
fn step_of(plan: Arc<BodyPlan>) -> Step {
    let request = RequestPlan {
        method: Method::Post,
        path: "/".to_owned(),
        body: None,
        mapping: None,
        idempotency_header: None,
        headers: Vec::new(),
        token: None,
        characters: None,
    };
    Step { request, response: Some(plan), outcomes: OutcomeTable::default() }
}
