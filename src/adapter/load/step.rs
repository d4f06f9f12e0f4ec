//! Reads one step of an operation: request, response, outcome table.

use super::sink::{Sink, Start};
use super::{Loader, field};
use crate::adapter::outcome::Line;
use crate::adapter::{BodyPlan, OutcomeTable, RequestPlan, Step, Then, keys};
use crate::codec::{Codec, Format};
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::Node;
use crate::mapping::path::Path;
use crate::mapping::{Mapping, Predicate};
use crate::model::Method;
use crate::model::codes::adapter as codes;
use crate::schema::{Schema, Shape};
use std::sync::Arc;

/// Headers Watashi sets itself, or that would change what a request means.
const OWN_HEADERS: [&str; 8] = [
    "authorization",
    "content-type",
    "content-length",
    "host",
    "connection",
    "transfer-encoding",
    "traceparent",
    "cookie",
];

/// The header of SOAP 1.1 over HTTP.
const SOAP_ACTION: &str = "SOAPAction";

/// What an outcome table judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// An answer.
    Whole,
    /// One item of an answer; the status is not looked at.
    Item,
    /// The answer of an availability poll.
    Availability,
}

impl Table {
    /// The words its lines may use.
    fn words(self) -> &'static [Then] {
        match self {
            Table::Whole | Table::Item => &[
                Then::Applied,
                Then::Refused,
                Then::Retry,
                Then::Accepted,
                Then::Pending,
                Then::Ready,
                Then::NotApplied,
                Then::Unknown,
            ],
            Table::Availability => &[Then::Open, Then::Closed, Then::Retry, Then::Unknown],
        }
    }
}

impl Loader<'_, '_> {
    /// `request`, `response` and `outcomes` of a node; `what` names it in messages.
    pub(super) fn step(&mut self, node: &Node, what: &str) -> Option<Step> {
        self.step_with(node, what, Table::Whole)
    }

    /// The same with another kind of outcome table.
    pub(super) fn step_with(&mut self, node: &Node, what: &str, table: Table) -> Option<Step> {
        let request = self.reader.required(node, what, "request");
        let response = node.get("response").and_then(|node| self.body(node)).map(Arc::new);
        let shape = response.as_ref().map(|plan| Arc::clone(&plan.schema));
        let outcomes = self.reader.required(node, what, "outcomes");
        let request = request.and_then(|node| self.request(node));
        let body = request.as_ref().and_then(|request| request.body.as_ref());
        if let Some(submit) = &mut self.submit {
            submit.schema = submit.schema.take().or(body.map(|plan| Arc::clone(&plan.schema)));
        }
        let outcomes = outcomes.map(|node| self.outcomes(node, shape.as_deref(), table));
        Some(Step { request: request?, response, outcomes: outcomes? })
    }

    fn request(&mut self, node: &Node) -> Option<RequestPlan> {
        self.reader.keys(node, &keys::REQUEST)?;
        let method = match self.reader.text_at(node, "method").unwrap_or("POST") {
            "GET" => Method::Get,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            other => {
                self.not_allowed(
                    node.get("method").unwrap_or(node),
                    other,
                    "GET, POST, PUT, DELETE",
                );
                Method::Post
            }
        };
        let path =
            self.reader.required(node, "a request", "path").and_then(|path| self.wire_path(path));
        let mapping = node.get("mapping").and_then(|node| self.mapping(node));
        let body = self.request_body(node, mapping.as_ref());
        let idempotency_header = node.get("idempotency-header").and_then(|node| {
            let name = self.reader.text(node, "`idempotency-header`")?;
            self.header_name(node, name).then(|| name.to_owned())
        });
        let mut headers = Vec::new();
        for entry in node.get("headers").and_then(Node::as_map).unwrap_or_default() {
            let value = self.reader.text(&entry.node, "a header").unwrap_or_default();
            let printable = value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
            if !printable {
                self.error(
                    &codes::BAD_HEADER_NAME,
                    &entry.node,
                    "a header value is printable ASCII",
                );
            } else if self.header_name(&entry.node, &entry.key) {
                headers.push((entry.key.clone(), value.to_owned()));
            }
        }
        // SOAP 1.1 wants the header in every request; the layout names the action.
        let action = body.as_ref().and_then(|plan| plan.codec.soap_action());
        if let Some(action) = action
            && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(SOAP_ACTION))
        {
            headers.push((SOAP_ACTION.to_owned(), action));
        }
        let characters = node.get("characters").and_then(|node| self.characters(node));
        let token = self.request_token(node);
        let path = path?;
        Some(RequestPlan {
            method,
            path,
            body,
            mapping,
            idempotency_header,
            headers,
            token,
            characters,
        })
    }

    fn request_body(
        &mut self,
        node: &Node,
        mapping: Option<&Arc<Mapping>>,
    ) -> Option<Arc<BodyPlan>> {
        if node.get("format").is_some_and(|format| format.as_str() == Some("none")) {
            return None;
        }
        let format = self.format(node)?;
        let schema = match (node.get("schema"), mapping) {
            (Some(schema), _) => self.schema(schema)?,
            (None, Some(mapping)) => Arc::clone(&mapping.to),
            (None, None) => {
                self.reader.required(node, "a request with a body", "schema");
                return None;
            }
        };
        if let Some(mapping) = mapping
            && mapping.to.id() != schema.id()
        {
            let message = format!(
                "mapping `{}` makes `{}`, not `{}`",
                mapping.name,
                mapping.to.id(),
                schema.id()
            );
            self.error(&codes::MAPPING_DOES_NOT_FIT, node, message);
        }
        self.plan(format, schema).map(Arc::new)
    }

    /// `format` and `schema` of an answer.
    pub(super) fn body(&mut self, node: &Node) -> Option<BodyPlan> {
        self.reader.keys(node, &keys::RESPONSE)?;
        let format = self.format(node)?;
        let schema = self.reader.required(node, keys::RESPONSE.what, "schema");
        let schema = schema.and_then(|node| self.schema(node))?;
        self.plan(format, schema)
    }

    pub(super) fn plan(&mut self, format: Format, schema: Arc<Schema>) -> Option<BodyPlan> {
        let codec = Codec::compile(format, &schema, self.reader.diagnostics)?;
        Some(BodyPlan { format, schema, codec })
    }

    pub(super) fn format(&mut self, node: &Node) -> Option<Format> {
        let name = self.reader.text_at(node, "format").unwrap_or("json");
        let format = Format::from_name(name);
        if format.is_none() {
            let at = node.get("format").unwrap_or(node);
            self.not_allowed(at, name, "json, xml, soap, csv, fixed, none");
        }
        format
    }

    pub(super) fn schema(&mut self, node: &Node) -> Option<Arc<Schema>> {
        let id = self.reader.text(node, "a schema id")?;
        let found = self.definitions.schemas.get(id);
        if found.is_none() {
            let hint = nearest(id, self.definitions.schemas.ids())
                .map(|name| format!("did you mean `{name}`?"));
            self.error_with_hint(
                &codes::UNKNOWN_SCHEMA,
                node,
                format!("unknown schema `{id}`"),
                hint,
            );
        }
        found
    }

    /// A mapping that sees no request: whatever is not a reply has none.
    pub(super) fn mapping(&mut self, node: &Node) -> Option<Arc<Mapping>> {
        let mapping = self.any_mapping(node)?;
        if mapping.request.is_some() {
            let message = format!("mapping `{}` sees a request; only a reply may", mapping.name);
            self.error(&codes::MAPPING_DOES_NOT_FIT, node, message);
        }
        Some(mapping)
    }

    /// A mapping by its name.
    pub(super) fn any_mapping(&mut self, node: &Node) -> Option<Arc<Mapping>> {
        let name = self.reader.text(node, "a mapping name")?;
        let found = self.definitions.mappings.get(name).cloned();
        if found.is_none() {
            let names = self.definitions.mappings.keys().map(String::as_str);
            let hint = nearest(name, names).map(|name| format!("did you mean `{name}`?"));
            self.error_with_hint(
                &codes::UNKNOWN_MAPPING,
                node,
                format!("unknown mapping `{name}`"),
                hint,
            );
        }
        found
    }

    /// A path into a document of this shape; reports one that does not exist there.
    pub(super) fn field(&mut self, node: &Node, shape: Option<&Shape>) -> Option<Path> {
        let text = self.reader.text(node, "a path")?;
        let path = match Path::parse(text) {
            Ok(path) => path,
            Err(reason) => {
                self.error(&codes::BAD_FIELD_PATH, node, reason);
                return None;
            }
        };
        if let Some(shape) = shape
            && field::shape_at(shape, &path).is_none()
        {
            let hint = field::nearest_to(shape, &path);
            self.error_with_hint(
                &codes::FIELD_NOT_IN_SCHEMA,
                node,
                format!("the schema has no `{text}`"),
                hint,
            );
        }
        Some(path)
    }

    pub(super) fn field_at(
        &mut self,
        node: &Node,
        key: &str,
        shape: Option<&Shape>,
    ) -> Option<Path> {
        let found = node.get(key)?;
        if found.as_scalar().is_some_and(serde_json::Value::is_null) {
            return None;
        }
        self.field(found, shape)
    }

    pub(super) fn header_name(&mut self, node: &Node, name: &str) -> bool {
        let token = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if token && !OWN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            return true;
        }
        self.error(&codes::BAD_HEADER_NAME, node, format!("header `{name}` is not allowed"));
        false
    }

    /// An outcome table over answers of this schema.
    pub(super) fn outcomes(
        &mut self,
        node: &Node,
        schema: Option<&Schema>,
        table: Table,
    ) -> OutcomeTable {
        self.outcomes_of(node, Start::whole(schema.map(Schema::shape)), table)
    }

    pub(super) fn outcomes_of(
        &mut self,
        node: &Node,
        start: Start<'_>,
        table: Table,
    ) -> OutcomeTable {
        let mut lines: Vec<Line> = Vec::new();
        for line_node in self.reader.list(node, "an outcome table").unwrap_or_default() {
            let Some(line) = self.line(line_node, start, table) else { continue };
            let shadowed = lines.iter().any(|earlier| {
                earlier.when.is_none()
                    && earlier.undecoded >= line.undecoded
                    && (earlier.status.is_empty()
                        || (!line.status.is_empty()
                            && line.status.iter().all(|status| earlier.status.contains(status))))
            });
            if shadowed {
                self.error(
                    &codes::UNREACHABLE_LINE,
                    line_node,
                    "an earlier line takes all of these answers",
                );
            }
            lines.push(line);
        }
        let good: &[Then] = match table {
            Table::Whole | Table::Item => &[Then::Applied, Then::Accepted, Then::Ready],
            Table::Availability => &[Then::Open],
        };
        if !lines.iter().any(|line| good.contains(&line.then)) {
            self.error(&codes::EMPTY_OUTCOMES, node, "no line leads to success");
        }
        OutcomeTable { lines }
    }

    fn line(&mut self, node: &Node, start: Start<'_>, table: Table) -> Option<Line> {
        let shape = start.shape;
        self.reader.keys(node, &keys::LINE)?;
        let status = self.statuses(node);
        let then_node = self.reader.required(node, "a line", "then")?;
        let word = self.reader.text(then_node, "`then`")?;
        let fits = |then: Then| table.words().contains(&then);
        let found = Then::NAMES.iter().find(|(name, then)| *name == word && fits(*then));
        let Some((_, then)) = found.copied() else {
            let allowed = Then::NAMES.iter().filter(|(_, then)| fits(*then));
            let allowed: Vec<&str> = allowed.map(|(name, _)| *name).collect();
            self.not_allowed(then_node, word, &allowed.join(", "));
            return None;
        };
        let request = self.submitted(table);
        let when = node.get("when").and_then(|node| {
            let text = self.reader.text(node, "`when`")?;
            let location = node.location(self.reader.file);
            let request = request.as_ref().map(|schema| schema.shape());
            Predicate::compile_seeing(text, location, shape, request, self.reader.diagnostics)
        });
        let reason = self.reason(node, then);
        let flag = |loader: &mut Self, key: &str| {
            node.get(key).and_then(|node| loader.reader.flag(node, key)).unwrap_or(false)
        };
        let undecoded = flag(self, "undecoded");
        let refresh_credentials = flag(self, "refresh-credentials");
        let proves = matches!(
            then,
            Then::Applied | Then::Accepted | Then::Ready | Then::NotApplied | Then::Open
        );
        if proves
            && table != Table::Item
            && (undecoded || (shape.is_none() && then != Then::NotApplied))
        {
            self.error(
                &codes::STATUS_ALONE_PROVES_NOTHING,
                node,
                format!("`then: {word}` without looking at the body"),
            );
        }
        let ticket = self.sink(node, Sink::Ticket, start);
        if then == Then::Accepted && node.get("ticket").is_none() {
            self.error(&codes::TICKET_MISSING, node, "`then: accepted` without `ticket:`");
        }
        // A body that cannot be read never proves anything; retrying is safe to say by status.
        let by_status = when.is_none() && node.get("when").is_none();
        let undecoded =
            undecoded || (by_status && matches!(then, Then::Retry | Then::Unknown | Then::Closed));
        let undecoded = undecoded || (by_status && shape.is_none());
        Some(Line {
            status,
            when,
            undecoded,
            then,
            ticket,
            reference: self.sink(node, Sink::Reference, start),
            detail: self.sink(node, Sink::Detail, start),
            until: self.field_at(node, "until", shape),
            refresh_credentials,
            reason,
        })
    }

    /// What `$request` is in a table: the submitted document, or that item of a batch.
    fn submitted(&self, table: Table) -> Option<Arc<Schema>> {
        let submit = self.submit.as_ref()?;
        let sees = match table {
            Table::Whole => !submit.batch,
            Table::Item => submit.batch,
            Table::Availability => false,
        };
        submit.schema.clone().filter(|_| sees)
    }

    fn statuses(&mut self, node: &Node) -> Vec<u16> {
        let Some(list) = node.get("status") else { return Vec::new() };
        let one = std::slice::from_ref(list);
        let nodes = list.as_seq().unwrap_or(one);
        let mut statuses = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node.as_scalar().and_then(serde_json::Value::as_u64) {
                Some(status @ 100..=599) => statuses.push(status as u16),
                _ => self.error(&codes::BAD_STATUS, node, "not an HTTP status"),
            }
        }
        statuses
    }
}
