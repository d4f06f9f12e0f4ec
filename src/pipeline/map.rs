//! Map: into the counterpart's shape, checked against its schema, written as bytes.

use super::context::Context;
use super::remember::{self, Digested};
use super::validate;
use crate::adapter::characters::Report;
use crate::adapter::{Destination, OutcomeTable, Route};
use crate::mapping::{Mapping, Meta, Rejection, Sent};
use crate::model::codes::message as codes;
use crate::model::json::{self, Node, Tree};
use crate::model::{Class, Code, Failure, MessageId, Stage};
use crate::policy::calendar::date_of;
use crate::store::Claimed;
use crate::telemetry::names;
use serde_json::Value;

/// A document in the counterpart's shape, ready to leave.
#[derive(Debug)]
pub struct Mapped {
    /// The encoded body.
    pub body: Vec<u8>,
    /// Media type of the body.
    pub content_type: String,
    /// 不開示, as the source document says.
    pub not_disclosed: bool,
    /// Characters that the counterpart does not know, and what stands for them.
    pub characters: Report,
    /// Values that may come back.
    pub remembered: Vec<Digested>,
}

/// Runs the route's mapping on a validated document.
///
/// # Errors
/// `G301`–`G305`, `G307`; nothing has been sent.
pub fn map<'v>(
    claimed: &Claimed,
    route: &Route,
    document: impl Into<Node<'v>>,
    cx: &Context,
) -> Result<Mapped, Failure> {
    let document = document.into();
    let meta = meta(claimed);
    let (output, characters) = shape(route, document, &meta)?;
    if let Some(permit) = &route.permit
        && !permit.allows((&output).into(), date_of(cx.clock.now()))
    {
        return Err(failure(&codes::NOT_PERMITTED, format!("list `{}`", permit.list)));
    }
    let not_disclosed = route
        .record
        .as_ref()
        .and_then(|rule| rule.not_disclosed.as_ref()?.node(document)?.as_bool())
        .unwrap_or(false);
    if characters.count() > 0 {
        tracing::warn!(
            route = route.name,
            message_id = claimed.envelope.message_id.as_str(),
            count = characters.count(),
            detail = %characters,
            "characters that the counterpart does not know were replaced as the route says"
        );
    }
    let (body, content_type) = encode(route, (&output).into())?;
    let name = &route.adapter.name;
    let remembered = route.remembers.as_ref();
    let remembered =
        remembered.map(|pair| remember::digests(pair, name, (&output).into(), &cx.keys));
    let remembered = remembered.unwrap_or_default();
    Ok(Mapped { body, content_type, not_disclosed, characters, remembered })
}

/// The mapped document itself, within the route's repertoire and valid under the counterpart's
/// schema: a substitute may be longer than what it stands for.
fn shape<'v>(
    route: &'v Route,
    document: Node<'v>,
    meta: &'v Meta,
) -> Result<(Tree<'v>, Report), Failure> {
    let mapping = &route.mapping;
    let output = apply(mapping, document, meta)?;
    let Some(policy) = &route.characters else {
        return Ok((valid(mapping, output)?, Report::default()));
    };
    let mut output = output.into_value();
    let report = policy.apply(&mut output, mapping.to.shape());
    let seen = report.as_ref().unwrap_or_else(|report| report);
    for (result, count) in seen.by_result().filter(|(_, count)| *count > 0) {
        metrics::counter!(names::CHARACTERS, "route" => route.name.clone(), "result" => result)
            .increment(count as u64);
    }
    match report {
        Ok(report) => Ok((valid(mapping, output.into())?, report)),
        Err(report) => Err(failure(&codes::CHARACTER_REFUSED, report.to_string())),
    }
}

/// The document that was sent for an exchange, made again: the same original gives the same
/// document under the definitions that the exchange goes by.
///
/// # Errors
/// `G107`, `G301`–`G303`, `G307`.
pub fn sent(claimed: &Claimed, route: &Route, cx: &Context) -> Result<Sent, Failure> {
    let bundle = cx.bundle_of(claimed);
    let document = validate::read(claimed, &bundle, cx)?;
    // There was no ticket yet.
    let meta = Meta { ticket: None, ..meta(claimed) };
    let output = apply(&route.mapping, (&document).into(), &meta)?;
    let mut output = output.into_value();
    if let Some(policy) = &route.characters
        && let Err(report) = policy.apply(&mut output, route.mapping.to.shape())
    {
        return Err(failure(&codes::CHARACTER_REFUSED, report.to_string()));
    }
    Ok(Sent::new(output))
}

/// What was sent, where an outcome table looks at it.
pub fn sent_for(
    table: &OutcomeTable,
    claimed: &Claimed,
    route: &Route,
    cx: &Context,
) -> Option<Sent> {
    if table.sees_request() { sent(claimed, route, cx).ok() } else { None }
}

/// Runs a mapping and checks its result.
///
/// # Errors
/// `G301`, `G302`, `G303`.
pub fn run(mapping: &Mapping, document: &Value, meta: &Meta) -> Result<Value, Failure> {
    valid(mapping, apply(mapping, document.into(), meta)?).map(Tree::into_value)
}

fn apply<'v>(
    mapping: &'v Mapping,
    document: Node<'v>,
    meta: &'v Meta,
) -> Result<Tree<'v>, Failure> {
    mapping.map(document, meta).map_err(|rejection| rejected(mapping, &rejection))
}

fn valid<'v>(mapping: &Mapping, output: Tree<'v>) -> Result<Tree<'v>, Failure> {
    match mapping.to.validate(&output) {
        Ok(()) => Ok(output),
        Err(violations) => {
            let shown: Vec<String> = violations.iter().take(10).map(ToString::to_string).collect();
            Err(failure(&codes::OUTPUT_INVALID, format!("{}: {}", mapping.name, shown.join("; "))))
        }
    }
}

/// What a mapping may know beside the document.
pub fn meta(claimed: &Claimed) -> Meta {
    let envelope = &claimed.envelope;
    Meta {
        message_id: envelope.message_id.shared(),
        message_type: envelope.message_type.clone(),
        source: envelope.source.clone(),
        municipality: envelope.municipality.clone(),
        operator: envelope.operator.clone(),
        accepted_at: envelope.accepted_at,
        idempotency_key: claimed.idempotency_key.clone(),
        correlation_id: envelope.correlation_id.as_ref().map(MessageId::shared),
        ticket: claimed.ticket.clone(),
        request: None,
    }
}

fn rejected(mapping: &Mapping, rejection: &Rejection) -> Failure {
    let place = format!("{}:{}:{}", mapping.name, rejection.line, rejection.column);
    match &rejection.author_code {
        Some(author) => failure(&codes::MAPPING_REFUSED, format!("{author} at {place}")),
        None => {
            let what = format!(
                "{} {} at {place}, `{}`",
                rejection.code, rejection.detail, rejection.target
            );
            failure(&codes::MAPPING_FAILED, what)
        }
    }
}

fn encode(route: &Route, output: Node<'_>) -> Result<(Vec<u8>, String), Failure> {
    match &route.destination {
        Destination::Operation(operation) => match &operation.step.request.body {
            Some(plan) => {
                let body = plan
                    .codec
                    .encode(output)
                    .map_err(|error| failure(&codes::OUTPUT_NOT_ENCODABLE, error.to_string()))?;
                Ok((body, plan.codec.content_type().to_owned()))
            }
            None => Ok((Vec::new(), String::new())),
        },
        Destination::Publish(_) => {
            let mut body = Vec::new();
            if json::write(output, &mut body) {
                return Err(failure(&codes::OUTPUT_NOT_ENCODABLE, "NUL in a text"));
            }
            Ok((body, "application/json".to_owned()))
        }
    }
}

fn failure(code: &'static Code, detail: impl Into<String>) -> Failure {
    Failure { code, stage: Stage::Map, class: Class::Never, detail: detail.into() }
}
