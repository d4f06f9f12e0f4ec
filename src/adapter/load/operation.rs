//! Reads one operation: its interaction and the blocks that interaction needs.

use super::sink::{Sink, Start};
use super::step::Table;
use super::{Loader, Submit};
use crate::adapter::{
    Ask, Batch, Interaction, Items, Operation, Poll, Pull, Step, UnknownRule, keys,
};
use crate::codec::Format;
use crate::diagnostic::yaml::Node;
use crate::model::codes::adapter as codes;
use std::time::Duration;

impl Loader<'_, '_> {
    pub(super) fn operation(&mut self, name: &str, node: &Node) -> Option<Operation> {
        self.reader.keys(node, &keys::OPERATION)?;
        self.submit = None;
        let interaction = self.interaction(node)?;
        if matches!(interaction, Interaction::FileOut | Interaction::FileIn) {
            return self.file_operation(name, node, interaction);
        }
        if interaction == Interaction::PushIn {
            return self.callback_operation(name, node);
        }
        let unknown = self.unknown_rule(node);
        let (title_ja, _) = self.title(node.get("title"), name);
        self.submit = (interaction != Interaction::Pull)
            .then(|| Submit { batch: node.get("batch").is_some(), schema: None });
        let step = self.step(node, "an operation");
        self.blocks(node, interaction, unknown);
        let batch = node.get("batch").map(|node| self.batch(node));
        let max_age = node.get("retry").and_then(|node| {
            self.reader.keys(node, &keys::OPERATION_RETRY)?;
            self.duration_at(node, "max-age")
        });
        let key_retention = self.key_retention(node, unknown, max_age.unwrap_or(self.max_age));
        let poll = node.get("poll").and_then(|node| self.poll(node));
        let fetch = node.get("fetch").and_then(|node| self.fetch(node));
        let ask = node.get("ask").and_then(|node| self.ask(node));
        let pull = (interaction == Interaction::Pull).then(|| self.pull(node)).flatten();
        let step = step?;
        let signature = match node.get("signature") {
            Some(node) => Some(self.signature(node, &step)?),
            None => None,
        };
        let items = match node.get("items") {
            Some(items) => Some(self.items(node, items, &step)?),
            None => None,
        };
        let scan = match interaction {
            Interaction::Pull => {
                let signed = signature.as_ref().map(|signature| &signature.content);
                let content = signed.or(step.response.as_ref());
                self.scan(node, content.map(|plan| plan.schema.shape()))
            }
            _ => None,
        };
        if batch.is_some() {
            self.check_batch(node, &step, poll.as_ref(), interaction);
        }
        self.submit = None;
        Some(Operation {
            name: name.to_owned(),
            title_ja,
            interaction,
            unknown,
            key_retention,
            max_age,
            step,
            batch,
            items,
            poll,
            fetch,
            ask,
            pull,
            signature,
            scan,
            file_out: None,
            file_in: None,
            push_in: None,
        })
    }

    fn interaction(&mut self, node: &Node) -> Option<Interaction> {
        let found = self.reader.required(node, "an operation", "interaction")?;
        match self.reader.text(found, "`interaction`")? {
            "request-reply" => Some(Interaction::RequestReply),
            "submit-poll" => Some(Interaction::SubmitPoll),
            "pull" => Some(Interaction::Pull),
            "file-out" => Some(Interaction::FileOut),
            "file-in" => Some(Interaction::FileIn),
            "push-in" => Some(Interaction::PushIn),
            other => {
                let allowed = "request-reply, submit-poll, pull, file-out, file-in, push-in";
                self.not_allowed(found, other, allowed);
                None
            }
        }
    }

    /// Without a word of its own an operation is resolved by a person: no default that guesses.
    fn unknown_rule(&mut self, node: &Node) -> UnknownRule {
        match self.reader.text_at(node, "unknown").unwrap_or("person") {
            "resend" => UnknownRule::Resend,
            "ask" => UnknownRule::Ask,
            "person" => UnknownRule::Person,
            other => {
                self.not_allowed(node.get("unknown").unwrap_or(node), other, "resend, ask, person");
                UnknownRule::Person
            }
        }
    }

    fn blocks(&mut self, node: &Node, interaction: Interaction, unknown: UnknownRule) {
        let needs: &[&str] = match interaction {
            Interaction::RequestReply => &[],
            Interaction::SubmitPoll => &["poll"],
            Interaction::Pull => &["every", "list", "type"],
            Interaction::FileOut | Interaction::FileIn => &["place", "files"],
            Interaction::PushIn => &["callback"],
        };
        let unused: &[&str] = match interaction {
            Interaction::RequestReply => {
                &["poll", "fetch", "every", "list", "type", "signature", "scan"]
            }
            Interaction::SubmitPoll => {
                &["every", "list", "type", "items", "item-outcomes", "signature", "scan"]
            }
            Interaction::Pull => {
                &["poll", "fetch", "ask", "batch", "items", "item-outcomes", "idempotency", "retry"]
            }
            Interaction::FileOut | Interaction::FileIn | Interaction::PushIn => &[],
        };
        let unused = unused.iter().chain(super::file::KEYS).chain(super::callback::KEYS);
        for key in needs.iter().filter(|key| node.get(key).is_none()) {
            self.error(&codes::BLOCK_MISSING, node, format!("`{key}:` is missing"));
        }
        if unknown == UnknownRule::Ask && node.get("ask").is_none() {
            self.error(&codes::BLOCK_MISSING, node, "`ask:` is missing");
        }
        if node.get("items").is_some() && node.get("batch").is_none() {
            self.error(&codes::BLOCK_MISSING, node, "`items:` without `batch:`");
        }
        for key in unused {
            if let Some(found) = node.get(key) {
                self.error(&codes::BLOCK_UNUSED, found, format!("`{key}:` is not used here"));
            }
        }
    }

    /// How long keys are known. A retention that ends before the last retry makes resending
    /// unsafe from then on: the author must say that this is meant.
    fn key_retention(
        &mut self,
        operation: &Node,
        unknown: UnknownRule,
        max_age: Duration,
    ) -> Option<Duration> {
        let node = operation.get("idempotency")?;
        self.reader.keys(node, &keys::IDEMPOTENCY)?;
        self.reader.required(node, keys::IDEMPOTENCY.what, "retention")?;
        let retention = self.duration_at(node, "retention")?;
        if unknown == UnknownRule::Person {
            let message = "`idempotency:` has no meaning with `unknown: person`";
            self.error(&codes::BLOCK_UNUSED, node, message);
        }
        let meant = match node.get("afterwards").map(|node| (node, node.as_str())) {
            None => false,
            Some((_, Some("person"))) => true,
            Some((found, other)) => {
                self.not_allowed(found, other.unwrap_or("that"), "person");
                true
            }
        };
        if retention < max_age && !meant {
            let at = node.get("retention").unwrap_or(node);
            let message = "keys are forgotten before `retry.max-age`";
            self.error(&codes::RETENTION_SHORT, at, message);
        }
        Some(retention)
    }

    fn batch(&mut self, node: &Node) -> Batch {
        self.reader.keys(node, &keys::BATCH);
        if let Some(wrap) = node.get("wrap")
            && wrap.as_str() != Some("array")
        {
            self.not_allowed(wrap, wrap.as_str().unwrap_or("that"), "array");
        }
        Batch {
            max_items: self.number(node, "max-items", 1, 10_000).unwrap_or(100) as usize,
            max_bytes: self.number(node, "max-bytes", 1, 100 << 20).unwrap_or(1_000_000) as usize,
            max_wait: self.duration_at(node, "max-wait").unwrap_or(Duration::from_millis(50)),
        }
    }

    fn check_batch(
        &mut self,
        node: &Node,
        step: &Step,
        poll: Option<&Poll>,
        interaction: Interaction,
    ) {
        let json = step.request.body.as_ref().is_some_and(|plan| plan.format == Format::Json);
        let told_apart =
            interaction != Interaction::SubmitPoll || poll.is_some_and(|poll| poll.items.is_some());
        if !json || !told_apart {
            let at = node.get("batch").unwrap_or(node);
            self.error(&codes::BATCH_NEEDS_JSON, at, "a batch needs format json and `poll.items`");
        }
    }

    fn fetch(&mut self, node: &Node) -> Option<Step> {
        self.reader.keys(node, &keys::FETCH)?;
        self.step(node, keys::FETCH.what)
    }

    fn poll(&mut self, node: &Node) -> Option<Poll> {
        self.reader.keys(node, &keys::POLL)?;
        let every = self.duration_at(node, "every").unwrap_or(Duration::from_secs(2));
        let every = self.overrides.poll_every.unwrap_or(every);
        let step = self.step(node, "a poll")?;
        let items = match node.get("items") {
            Some(items) => Some(self.items(node, items, &step)?),
            None => None,
        };
        Some(Poll { every, step, items })
    }

    fn items(&mut self, poll: &Node, node: &Node, step: &Step) -> Option<Items> {
        self.reader.keys(node, &keys::ITEMS)?;
        let shape = step.response.as_ref().map(|plan| plan.schema.shape());
        let path =
            self.reader.required(node, "items", "path").and_then(|node| self.field(node, shape))?;
        let item = Start::element(shape, &path);
        let key = self
            .reader
            .required(node, "items", "key")
            .and_then(|node| self.field(node, item.shape))?;
        let outcomes = self.reader.required(poll, "what has `items`", "item-outcomes")?;
        let outcomes = self.outcomes_of(outcomes, item, Table::Item);
        Some(Items { path, key, outcomes })
    }

    fn ask(&mut self, node: &Node) -> Option<Ask> {
        self.reader.keys(node, &keys::ASK)?;
        self.reader.required(node, "ask", "settle-after")?;
        let settle_after = self.duration_at(node, "settle-after")?;
        let settle_after = self.overrides.settle_after.unwrap_or(settle_after);
        Some(Ask { settle_after, step: self.step(node, "ask")? })
    }

    fn pull(&mut self, node: &Node) -> Option<Pull> {
        let every = self.duration_at(node, "every").unwrap_or(Duration::from_secs(60));
        let every = self.overrides.poll_every.unwrap_or(every);
        let list_node = node.get("list")?;
        self.reader.keys(list_node, &keys::LIST)?;
        let list = self.step(list_node, "a list")?;
        let shape = list.response.as_ref().map(|plan| plan.schema.shape());
        let items = self
            .reader
            .required(list_node, "a list", "items")
            .and_then(|node| self.field(node, shape))?;
        self.reader.required(list_node, "a list", "id")?;
        let id = self.sink(list_node, Sink::Id, Start::element(shape, &items))?;
        let more = self.field_at(list_node, "more", shape);
        let message_type = self.reader.text_at(node, "type")?.to_owned();
        Some(Pull { every, list, items, id, more, message_type })
    }
}
