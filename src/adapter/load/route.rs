//! Reads one route: types, mapping, destination, legal frame.

use super::Loader;
use super::sink::{Sink, Start};
use crate::adapter::permit::{Days, Permission};
use crate::adapter::{
    Adapter, ByHand, Destination, Operation, Pair, Permit, RecordNames, RecordRule, Reply, Route,
    WhenStuck, keys,
};
use crate::codec::Format;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::{self, Entry, Node, Reader};
use crate::mapping::{Mapping, Predicate};
use crate::model::codes::adapter as codes;
use crate::record::{Basis, Kind};
use crate::schema::{Class, Schema, Shape};
use std::sync::Arc;

impl Loader<'_, '_> {
    pub(super) fn route(&mut self, adapter: &Arc<Adapter>, entry: &Entry) -> Option<Route> {
        let (name, node) = (&entry.key, &entry.node);
        self.reader.keys(node, &keys::ROUTE)?;
        let on_node = self.reader.required(node, "a route", "on")?;
        let on: Vec<String> = match on_node.as_str() {
            Some(one) => vec![one.to_owned()],
            None => {
                let list = self.reader.list(on_node, "`on`").unwrap_or_default();
                list.iter()
                    .filter_map(|node| self.reader.text(node, "a type").map(str::to_owned))
                    .collect()
            }
        };
        let destination = self.destination(adapter, node);
        let mapping =
            self.reader.required(node, "a route", "mapping").and_then(|node| self.mapping(node));
        let (destination, mapping) = (destination?, mapping?);
        let from = Arc::clone(&mapping.from);
        let shape = Some(from.shape());
        self.check_types(on_node, &on, &destination, &from);
        let response = self.check_fit(node, &destination, &mapping.to);
        let admits = self.admits(node);
        let record = node.get("record").and_then(|node| self.record_rule(node, shape));
        let basis = node.get("basis").map(|node| Arc::new(self.basis(node)));
        let characters = self.route_characters(node, &destination, &mapping);
        let names = RecordNames {
            route: name.as_str().into(),
            counterpart: adapter.name.as_str().into(),
            operation: destination.operation_name().into(),
        };
        let route = Route {
            name: name.clone(),
            names,
            adapter: Arc::clone(adapter),
            when_stuck: self.when_stuck(node),
            deadline: self.duration_at(node, "deadline"),
            ordering_key: self.field_at(node, "ordering-key", shape),
            subject: self.field_at(node, "subject", shape),
            municipality: self.sink(node, Sink::Municipality, Start::whole(shape)),
            when: node.get("when").and_then(|node| {
                let text = self.reader.text(node, "`when`")?;
                let location = node.location(self.reader.file);
                Predicate::compile(text, location, shape, self.reader.diagnostics)
            }),
            permit: node.get("permit").and_then(|node| self.permit(node, mapping.to.shape())),
            reply: node
                .get("reply")
                .and_then(|node| self.reply(node, response.as_deref(), &mapping.to)),
            approval: self.approval(node, &destination, shape),
            demand: self.demand(node, &destination, shape),
            active: days(&mut self.reader, node, "active-from", "active-to"),
            remembers: node.get("remembers").and_then(|node| {
                let shape = mapping.to.shape();
                self.pair(node, shape.element().unwrap_or(shape))
            }),
            compares: node.get("compares").and_then(|node| self.compares(node, &from)),
            characters,
            on,
            destination,
            admits,
            record,
            basis,
            mapping,
        };
        self.check_classes(node, &route);
        if let (Some(found), Destination::Operation(_)) = (node.get("compares"), &route.destination)
        {
            let message = "`compares:` goes with `publish:`";
            self.error(&codes::BLOCK_UNUSED, found, message);
        }
        if let (Some(found), Destination::Publish(_)) = (node.get("remembers"), &route.destination)
        {
            let message = "`remembers:` goes with `operation:`";
            self.error(&codes::BLOCK_UNUSED, found, message);
        }
        Some(route)
    }

    /// What is compared goes to upstream: what goes on to a counterpart is not looked at.
    fn compares(&mut self, node: &Node, from: &Schema) -> Option<Pair> {
        let shape = from.shape();
        self.pair(node, shape.element().unwrap_or(shape))
    }

    fn pair(&mut self, node: &Node, shape: &Shape) -> Option<Pair> {
        self.reader.keys(node, &keys::people::PAIR)?;
        let mut path = |key: &str| {
            let found = self.reader.required(node, keys::people::PAIR.what, key)?;
            self.field(found, Some(shape))
        };
        let (key, value) = (path("key"), path("value"));
        Some(Pair { key: key?, value: value? })
    }

    /// Superseding needs to know which messages are states of the same thing.
    fn when_stuck(&mut self, node: &Node) -> WhenStuck {
        let Some(found) = node.get("when-stuck") else { return WhenStuck::Block };
        match found.as_str().unwrap_or_default() {
            "block" => WhenStuck::Block,
            "supersede" => {
                let key = node.get("ordering-key").and_then(Node::as_scalar);
                if key.is_none_or(serde_json::Value::is_null) {
                    let message = "`when-stuck: supersede` without `ordering-key:`";
                    self.error(&codes::SUPERSEDE_NEEDS_KEY, found, message);
                }
                WhenStuck::Supersede
            }
            other => {
                self.not_allowed(found, other, "block, supersede");
                WhenStuck::Block
            }
        }
    }

    fn destination(&mut self, adapter: &Adapter, node: &Node) -> Option<Destination> {
        if let Some(message_type) = self.reader.text_at(node, "publish") {
            return Some(Destination::Publish(message_type.to_owned()));
        }
        let found = self.reader.required(node, "a route", "operation")?;
        let name = self.reader.text(found, "`operation`")?;
        match adapter.operations.get(name) {
            Some(operation) => Some(Destination::Operation(Arc::clone(operation))),
            None => {
                let hint = nearest(name, adapter.operations.keys().map(String::as_str))
                    .map(|name| format!("did you mean `{name}`?"));
                let message = format!("adapter `{}` has no operation `{name}`", adapter.name);
                self.error_with_hint(&codes::UNKNOWN_OPERATION, found, message, hint);
                None
            }
        }
    }

    /// Messages from upstream come in types the source schema declares. A type that no schema
    /// declares may be that of a pull: that is looked at when all adapters are read.
    fn check_types(
        &mut self,
        node: &Node,
        on: &[String],
        destination: &Destination,
        from: &Schema,
    ) {
        if matches!(destination, Destination::Publish(_)) {
            return;
        }
        for message_type in on {
            let declared = self.definitions.schemas.for_message_type(message_type);
            if declared.is_some_and(|schema| schema.id() != from.id()) {
                let message = format!(
                    "`{message_type}` is not among the `x-message-types` of `{}`",
                    from.id()
                );
                self.error(&codes::UNKNOWN_MESSAGE_TYPE, node, message);
            }
        }
    }

    /// The mapping must end where the operation's request begins. Returns the schema of the
    /// answer that a reply is made from.
    fn check_fit(
        &mut self,
        node: &Node,
        destination: &Destination,
        to: &Arc<Schema>,
    ) -> Option<Arc<Schema>> {
        let Destination::Operation(operation) = destination else { return None };
        let silent = operation.file_out.as_ref().is_some_and(|file| file.results.is_none());
        if let (Some(reply), true) = (node.get("reply"), silent) {
            let message = "a file has no answer; `reply:` needs `results:` of the operation";
            self.error(&codes::BLOCK_UNUSED, reply, message);
        }
        match &operation.step.request.body {
            Some(plan) if plan.schema.id() != to.id() => {
                let message = format!(
                    "the mapping makes `{}`, operation `{}` takes `{}`",
                    to.id(),
                    operation.name,
                    plan.schema.id()
                );
                self.error(
                    &codes::MAPPING_DOES_NOT_FIT,
                    node.get("mapping").unwrap_or(node),
                    message,
                );
            }
            _ => {}
        }
        final_response(operation)
    }

    fn admits(&mut self, node: &Node) -> Vec<Class> {
        let Some(list) = node.get("admits") else { return Vec::new() };
        let nodes = self.reader.list(list, "`admits`").unwrap_or_default();
        let mut classes = Vec::new();
        for node in nodes {
            match node.as_str().map(|name| (name, Class::from_name(name))) {
                Some((_, Some(class))) => classes.push(class),
                Some((name, None)) => {
                    self.not_allowed(node, name, "plain, 個人情報, 要配慮, 特定個人情報, 個人番号");
                }
                None => self.reader.wrong_kind(node, "a class", "text"),
            }
        }
        classes
    }

    fn record_rule(&mut self, node: &Node, shape: Option<&Shape>) -> Option<RecordRule> {
        self.reader.keys(node, &keys::RECORD)?;
        let kind_node = self.reader.required(node, "record", "kind")?;
        let word = self.reader.text(kind_node, "`kind`")?;
        let kind = match word {
            "求め" => Kind::Request,
            "提供" => Kind::Provide,
            "取得" => Kind::Obtain,
            "送付" => Kind::Send,
            "通知" => Kind::Notify,
            "受領" => Kind::Receive,
            other => {
                self.not_allowed(kind_node, other, &keys::RECORD_KINDS.join(", "));
                return None;
            }
        };
        Some(RecordRule { kind, not_disclosed: self.field_at(node, "not-disclosed", shape) })
    }

    fn basis(&mut self, node: &Node) -> Basis {
        self.reader.keys(node, &keys::BASIS);
        let text = |key: &str| {
            let scalar = node.get(key).and_then(Node::as_scalar);
            scalar
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .unwrap_or_default()
        };
        self.reader.required(node, "basis", "law");
        Basis {
            law: text("law"),
            table_item: text("table-item"),
            affair: text("affair"),
            procedure: text("procedure"),
            inquirer: text("inquirer"),
            provider: text("provider"),
            information: text("information"),
        }
    }

    fn permit(&mut self, node: &Node, shape: &Shape) -> Option<Permit> {
        self.reader.keys(node, &keys::PERMIT)?;
        let list_node = self.reader.required(node, "permit", "list")?;
        let list = self.reader.text(list_node, "`list`")?.to_owned();
        let path = |loader: &mut Self, key: &str| {
            loader
                .reader
                .required(node, "permit", key)
                .and_then(|node| loader.field(node, Some(shape)))
        };
        let inquirer = path(self, "inquirer");
        let affair = path(self, "affair");
        let provider = path(self, "provider");
        let information = path(self, "information");
        let procedure = self.field_at(node, "procedure", Some(shape));
        let permissions = self.permissions(list_node, &list)?;
        Some(Permit {
            list,
            permissions,
            inquirer: inquirer?,
            affair: affair?,
            procedure,
            provider: provider?,
            information: information?,
        })
    }

    fn permissions(&mut self, node: &Node, list: &str) -> Option<Vec<Permission>> {
        let Some(file) = self.definitions.lists.get(list) else {
            self.error(
                &codes::PERMISSIONS_MISSING,
                node,
                format!("there is no `{list}.yaml` in this folder"),
            );
            return None;
        };
        let root = match yaml::parse(file) {
            Ok(root) => root,
            Err(problem) => {
                self.reader.diagnostics.push(problem);
                return None;
            }
        };
        let mut reader = Reader::new(file, self.reader.diagnostics);
        reader.keys(&root, &keys::PERMISSIONS)?;
        let nodes = reader.required(&root, "a list of permissions", "permissions")?;
        let mut permissions = Vec::new();
        for node in reader.list(nodes, "`permissions`").unwrap_or_default() {
            reader.keys(node, &keys::PERMISSION);
            let mut text = |key: &str| {
                let found = reader.required(node, "a permission", key)?;
                reader.text(found, key).map(str::to_owned)
            };
            let (inquirer, affair, provider, information) =
                (text("inquirer"), text("affair"), text("provider"), text("information"));
            let procedure = reader.text_at(node, "procedure").map(str::to_owned);
            let valid = days(&mut reader, node, "valid-from", "valid-to");
            if let (Some(inquirer), Some(affair), Some(provider), Some(information)) =
                (inquirer, affair, provider, information)
            {
                permissions.push(Permission {
                    inquirer,
                    affair,
                    procedure,
                    provider,
                    information,
                    valid,
                });
            }
        }
        Some(permissions)
    }

    fn reply(&mut self, node: &Node, response: Option<&Schema>, sent: &Schema) -> Option<Reply> {
        self.reader.keys(node, &keys::REPLY)?;
        let message_type = self.reader.required(node, "reply", "type")?;
        let message_type = self.reader.text(message_type, "`type`")?.to_owned();
        let mapping_node = self.reader.required(node, "reply", "mapping")?;
        let mapping = self.any_mapping(mapping_node)?;
        if let Some(seen) = mapping.request.as_ref().filter(|seen| seen.id() != sent.id()) {
            let message =
                format!("the request is `{}`, the mapping sees `{}`", sent.id(), seen.id());
            self.error(&codes::MAPPING_DOES_NOT_FIT, mapping_node, message);
        }
        if let Some(response) = response
            && response.id() != mapping.from.id()
        {
            let message = format!(
                "the answer is `{}`, the mapping starts from `{}`",
                response.id(),
                mapping.from.id()
            );
            self.error(&codes::MAPPING_DOES_NOT_FIT, mapping_node, message);
        }
        let by_hand = node.get("by-hand").and_then(|node| self.by_hand(node, &mapping, sent));
        Some(Reply { message_type, mapping, by_hand })
    }

    /// `by-hand`: a mapping of its own that gives upstream the same kind of document.
    fn by_hand(&mut self, node: &Node, reply: &Mapping, sent: &Schema) -> Option<ByHand> {
        self.reader.keys(node, &keys::people::BY_HAND)?;
        let two = match self.reader.text_at(node, "persons") {
            None | Some("two") => true,
            Some("one") => false,
            Some(other) => {
                self.not_allowed(node.get("persons").unwrap_or(node), other, "one, two");
                true
            }
        };
        let at = self.reader.required(node, "by-hand", "mapping")?;
        let mapping = self.any_mapping(at)?;
        let (gives, wanted) = (mapping.to.id(), reply.to.id());
        if gives != wanted {
            let message = format!("`mapping` of the reply gives `{wanted}`, this one `{gives}`");
            self.error(&codes::MAPPING_DOES_NOT_FIT, at, message);
        }
        if let Some(seen) = mapping.request.as_ref().filter(|seen| seen.id() != sent.id()) {
            let message =
                format!("the request is `{}`, the mapping sees `{}`", sent.id(), seen.id());
            self.error(&codes::MAPPING_DOES_NOT_FIT, at, message);
        }
        let form = Arc::new(self.plan(Format::Json, Arc::clone(&mapping.from))?);
        Some(ByHand { mapping, form, two })
    }

    /// Classes of the outgoing schema against what the route admits, and the legal frame that
    /// 個人番号 and 特定個人情報 need.
    fn check_classes(&mut self, node: &Node, route: &Route) {
        let mut found = Vec::new();
        collect_classes(route.mapping.to.shape(), "", &mut found);
        for (path, class) in &found {
            if *class > Class::Personal && !route.admits.contains(class) {
                let message = format!(
                    "`{path}` of `{}` is {}, which the route does not admit",
                    route.mapping.to.id(),
                    class.name()
                );
                self.error(&codes::CLASS_NOT_ADMITTED, node.get("admits").unwrap_or(node), message);
            }
        }
        let strict = found.iter().any(|(_, class)| *class >= Class::SpecificPersonal);
        if strict && (route.basis.is_none() || route.record.is_none()) {
            self.error(
                &codes::BASIS_MISSING,
                node,
                format!(
                    "route `{}` carries 特定個人情報 and needs `basis:` and `record:`",
                    route.name
                ),
            );
        }
    }
}

/// The days from one key to another, each optional; reported where they are none.
fn days(reader: &mut Reader<'_>, node: &Node, from: &str, to: &str) -> Days {
    let mut day = |key: &str| {
        let found = node.get(key)?;
        let day = reader.text(found, &format!("`{key}`"))?.parse().ok();
        if day.is_none() {
            let location = found.location(reader.file);
            let message = format!("`{key}` is a day in Japan, such as 2027-04-01");
            reader.diagnostics.push(Diagnostic::error(&codes::BAD_VALUE, location, message));
        }
        day
    };
    let days = Days { from: day(from), to: day(to) };
    if let (Some(first), Some(last), Some(found)) = (days.from, days.to, node.get(to))
        && last < first
    {
        let location = found.location(reader.file);
        let message = format!("`{to}` is before `{from}`");
        reader.diagnostics.push(Diagnostic::error(&codes::BAD_VALUE, location, message));
    }
    days
}

/// The schema of the answer in which a successful exchange ends.
pub(super) fn final_response(operation: &Operation) -> Option<Arc<Schema>> {
    let step = match (&operation.fetch, &operation.poll) {
        (Some(fetch), _) => fetch,
        (None, Some(poll)) => &poll.step,
        (None, None) => &operation.step,
    };
    step.response.as_ref().map(|plan| Arc::clone(&plan.schema))
}

fn collect_classes(shape: &Shape, path: &str, found: &mut Vec<(String, Class)>) {
    if shape.class != Class::Plain {
        found.push((path.to_owned(), shape.class));
    }
    for property in &shape.properties {
        let inner = if path.is_empty() {
            property.name.clone()
        } else {
            format!("{path}.{}", property.name)
        };
        collect_classes(&property.shape, &inner, found);
    }
    // Elements, and members without a name of their own, go by the name of what they stand in.
    let elements = shape.items.as_deref().into_iter().chain(&shape.prefix);
    for inner in shape.beside().chain(elements).chain(shape.unnamed()) {
        collect_classes(inner, path, found);
    }
}
