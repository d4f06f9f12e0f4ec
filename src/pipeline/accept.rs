//! Accept: recognise a message, deduplicate it, make it durable. After that it is ours.

use super::context::Context;
use super::scan::{self, Cleared};
use super::unrecognised::dead_on_arrival;
use super::{approve, direct, settle, signed};
use crate::adapter::{Adapter, Bundle, Destination, Operation, Route, WhenStuck};
use crate::codec::{self, Limits};
use crate::model::codes::message as codes;
use crate::model::json::{Node, Tree};
use crate::model::{Class, Code, Envelope, Failure, MessageId, Secret, Stage, State};
use crate::policy::calendar::date_of;
use crate::record::{Draft, hex};
use crate::store::{Accepted, Announcement, NewExchange, NewMessage, StoreError, Supersede};
use crate::telemetry::names;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// A message as a source hands it over. Nothing in it has been checked.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Who sent it.
    pub source: String,
    /// Where it came in.
    pub origin: Origin,
    /// Sender's id.
    pub message_id: Option<String>,
    /// Message type.
    pub message_type: Option<String>,
    /// Media type, with or without parameters.
    pub content_type: Option<String>,
    /// Correlation id.
    pub correlation_id: Option<String>,
    /// Where the sender wants the answer.
    pub reply_to: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// Who at the sender did it.
    pub operator: Option<String>,
    /// 団体コード.
    pub municipality: Option<String>,
    /// The body.
    pub body: Bytes,
    /// That it was scanned, where its operation demands it.
    pub cleared: Option<Cleared>,
}

/// Where a message came in: decides which routes may take it and how its body is read.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Posted by an upstream system.
    Upstream,
    /// Fetched from a counterpart.
    Pulled {
        /// Its adapter.
        adapter: Arc<Adapter>,
        /// The pull.
        operation: Arc<Operation>,
    },
    /// Dead-lettered by the broker before we saw it.
    Undeliverable {
        /// The broker's reason word.
        reason: String,
    },
}

/// A message that is what it should be as far as it can be told without its schema.
#[derive(Debug)]
pub struct Recognised<'a> {
    /// Envelope.
    pub envelope: Arc<Envelope>,
    /// The business document's bytes (out of the CloudEvent, if it came in one).
    pub body: Vec<u8>,
    /// The document.
    pub document: Tree<'a>,
    /// Routes that apply.
    pub routes: Vec<Arc<Route>>,
    /// The definitions it was recognised by.
    pub bundle: Arc<Bundle>,
}

/// Largest body kept as a dead letter; the broker's own limit is 128 MiB.
pub(super) const MAX_KEPT: usize = 16 * 1024 * 1024;

/// Makes a message durable, whatever it is: what cannot be recognised becomes a dead letter.
///
/// # Errors
/// Only when the store cannot write; the source keeps the message then.
pub async fn accept(arrival: &Arrival, cx: &Arc<Context>) -> Result<Accepted, StoreError> {
    accept_as(arrival, recognise(arrival, cx), cx).await
}

/// The same for what was recognised already, or was not.
///
/// # Errors
/// As of [`accept`].
pub async fn accept_as(
    arrival: &Arrival,
    recognised: Result<Recognised<'_>, Failure>,
    cx: &Arc<Context>,
) -> Result<Accepted, StoreError> {
    match recognised {
        Ok(recognised) => {
            let mut exchanges = new_exchanges(&recognised, cx);
            let ready = direct::prepare(&recognised, &mut exchanges, cx);
            let routes = recognised.routes.clone();
            let mut message = with_exchanges(recognised, exchanges, cx);
            message.record.extend(scan::note(arrival, &message.envelope, cx));
            keep(arrival, message, ready, &routes, cx).await
        }
        Err(failure) => set_aside(arrival, failure, cx).await,
    }
}

/// Makes something durable as a dead letter, for a reason that is known already.
///
/// # Errors
/// Only when the store cannot write.
pub async fn set_aside(
    arrival: &Arrival,
    failure: Failure,
    cx: &Arc<Context>,
) -> Result<Accepted, StoreError> {
    let message = dead_on_arrival(arrival, failure, cx);
    keep(arrival, message, Vec::new(), &[], cx).await
}

pub(super) async fn keep(
    arrival: &Arrival,
    message: NewMessage,
    ready: Vec<Option<direct::Ready>>,
    routes: &[Arc<Route>],
    cx: &Arc<Context>,
) -> Result<Accepted, StoreError> {
    let all_dead = message.exchanges.iter().all(|exchange| exchange.failure.is_some());
    let dead: Vec<(Arc<str>, Failure)> = message
        .exchanges
        .iter()
        .filter_map(|exchange| Some((exchange.route.clone(), exchange.failure.clone()?)))
        .collect();
    let mut tells = message.exchanges.iter().any(|exchange| exchange.supersedes.is_some());
    let accepted = direct::store(message, ready, cx).await?;
    let result = match &accepted {
        Accepted::New { .. } if all_dead => "dead",
        Accepted::New { .. } => "new",
        Accepted::Duplicate => "duplicate",
        Accepted::Quarantined => "quarantined",
    };
    let source = arrival.source.clone();
    metrics::counter!(names::ACCEPTED, "source" => source, "result" => result).increment(1);
    if let Accepted::New { states, .. } = &accepted {
        // The store, too, may have found that one cannot be taken.
        tells |= states.contains(&State::Dead);
        for (route, failure) in dead {
            super::settle::count_dead(&route, &failure);
        }
        for (route, state) in routes.iter().zip(states) {
            if matches!(state, State::Received | State::Unknown) {
                cx.leave_to_worker(&route.adapter.name, route.operation_name());
            }
        }
    }
    if !matches!(accepted, Accepted::New { .. }) || all_dead || tells {
        cx.outbox.notify_one();
    }
    Ok(accepted)
}

/// Makes a dead letter of what was found wrong before it could be recognised.
///
/// # Errors
/// Only when the store cannot write.
pub async fn put_aside(
    arrival: &Arrival,
    failure: Failure,
    cx: &Arc<Context>,
) -> Result<Accepted, StoreError> {
    let accepted = cx.store.accept(dead_on_arrival(arrival, failure.clone(), cx)).await?;
    let result = match &accepted {
        Accepted::New { .. } => "dead",
        Accepted::Duplicate => "duplicate",
        Accepted::Quarantined => "quarantined",
    };
    let source = arrival.source.clone();
    metrics::counter!(names::ACCEPTED, "source" => source, "result" => result).increment(1);
    if let Accepted::New { .. } = &accepted {
        settle::count_dead("", &failure);
    }
    cx.outbox.notify_one();
    Ok(accepted)
}

/// Checks what can be checked without a schema. Pure but for the clock.
///
/// # Errors
/// The failure a dead letter or a problem document will carry. Its class is `TryAgain` where the
/// source is to be asked for the same again.
pub fn recognise<'a>(arrival: &'a Arrival, cx: &Context) -> Result<Recognised<'a>, Failure> {
    recognise_as_of(arrival, cx.clock.now(), cx)
}

/// The same for what was received at a time: a signature is judged as of then.
///
/// # Errors
/// As of [`recognise`].
pub(super) fn recognise_as_of<'a>(
    arrival: &'a Arrival,
    received: Timestamp,
    cx: &Context,
) -> Result<Recognised<'a>, Failure> {
    if let Origin::Undeliverable { reason } = &arrival.origin {
        return Err(refuse(&codes::UNDELIVERABLE, reason));
    }
    if arrival.body.len() > cx.settings.max_body {
        let found = format!("{} bytes, allowed {}", arrival.body.len(), cx.settings.max_body);
        return Err(refuse(&codes::BODY_TOO_LARGE, found));
    }
    let media = media_type(arrival.content_type.as_deref());
    let unwrapped = match (&arrival.origin, media.as_str()) {
        (Origin::Pulled { adapter, operation }, _) => {
            pulled(arrival, adapter, operation, received, cx)?
        }
        (_, "application/cloudevents+json") => cloud_event(arrival, cx)?,
        (_, "application/json" | "") => plain(arrival, cx)?,
        (_, other) => {
            let shown = if other.len() <= 64 { other } else { "a very long one" };
            return Err(refuse(&codes::BAD_CONTENT_TYPE, shown));
        }
    };
    let Unwrapped { id, message_type, operator, municipality, correlation, body, document } =
        unwrapped;
    let Some(id) = id else { return Err(refuse(&codes::MISSING_MESSAGE_ID, "")) };
    let message_id = MessageId::parse(&id).ok_or_else(|| refuse(&codes::BAD_MESSAGE_ID, ""))?;
    let message_type = message_type.ok_or_else(|| refuse(&codes::MISSING_TYPE, ""))?;
    let bundle = cx.bundle();
    let candidates = candidates(&arrival.origin, &message_type, &bundle);
    if candidates.is_empty() {
        let known = bundle.message_types();
        let nearest = crate::diagnostic::nearest::nearest(&message_type, known);
        let detail = nearest.map(|name| format!("did you mean `{name}`?")).unwrap_or_default();
        return Err(refuse(&codes::UNKNOWN_TYPE, detail));
    }
    let envelope = Envelope {
        source: arrival.source.as_str().into(),
        message_id,
        message_type: message_type.into(),
        content_type: media,
        correlation_id: correlation.as_deref().and_then(MessageId::parse),
        reply_to: header(arrival.reply_to.as_deref(), "reply-to")?,
        traceparent: header(arrival.traceparent.as_deref(), "traceparent")?,
        operator: header(operator.as_deref(), "watashi-operator")?,
        municipality: municipality_of(municipality.as_deref(), &candidates, &document, cx)?,
        accepted_at: received,
    };
    let today = date_of(envelope.accepted_at);
    let applies = |route: &Arc<Route>| {
        route.active.contains(today) && route.when.as_ref().is_none_or(|when| when.test(&document))
    };
    let routes: Vec<Arc<Route>> = candidates.into_iter().filter(applies).collect();
    if routes.is_empty() {
        return Err(refuse(&codes::NO_ROUTE_APPLIES, ""));
    }
    approve::names_preparer(&envelope, &routes)?;
    Ok(Recognised { envelope: Arc::new(envelope), body, document, routes, bundle })
}

struct Unwrapped<'a> {
    id: Option<Cow<'a, str>>,
    message_type: Option<Cow<'a, str>>,
    operator: Option<Cow<'a, str>>,
    municipality: Option<Cow<'a, str>>,
    correlation: Option<Cow<'a, str>>,
    body: Vec<u8>,
    document: Tree<'a>,
}

fn plain<'a>(arrival: &'a Arrival, cx: &Context) -> Result<Unwrapped<'a>, Failure> {
    let document = read_json(&arrival.body, cx)?;
    Ok(Unwrapped {
        id: arrival.message_id.as_deref().map(Cow::from),
        message_type: arrival.message_type.as_deref().map(Cow::from),
        operator: arrival.operator.as_deref().map(Cow::from),
        municipality: arrival.municipality.as_deref().map(Cow::from),
        correlation: arrival.correlation_id.as_deref().map(Cow::from),
        body: arrival.body.to_vec(),
        document,
    })
}

/// CloudEvents 1.0, structured mode: attributes and `data` in one JSON object.
fn cloud_event<'a>(arrival: &'a Arrival, cx: &Context) -> Result<Unwrapped<'a>, Failure> {
    let mut event = read_json(&arrival.body, cx)?.into_value();
    let text = |event: &Value, name: &str| {
        event.get(name).and_then(Value::as_str).map(|text| Cow::Owned(text.to_owned()))
    };
    if text(&event, "specversion").as_deref() != Some("1.0") {
        return Err(refuse(&codes::BAD_CLOUD_EVENT, "specversion is not 1.0"));
    }
    let (id, kind, source) = (text(&event, "id"), text(&event, "type"), text(&event, "source"));
    if id.is_none() || kind.is_none() || source.is_none() {
        return Err(refuse(&codes::BAD_CLOUD_EVENT, "id, type and source are required"));
    }
    let operator = text(&event, "watashioperator").or(arrival.operator.as_deref().map(Cow::from));
    let municipality =
        text(&event, "watashimunicipality").or(arrival.municipality.as_deref().map(Cow::from));
    let correlation =
        text(&event, "correlationid").or(arrival.correlation_id.as_deref().map(Cow::from));
    let data = event.get_mut("data").map(Value::take);
    let Some(document @ Value::Object(_)) = data else {
        return Err(refuse(&codes::BAD_CLOUD_EVENT, "data is not a JSON object"));
    };
    let body = serde_json::to_vec(&document).map_err(|_| refuse(&codes::INTERNAL, "data"))?;
    let document = document.into();
    Ok(Unwrapped { id, message_type: kind, operator, municipality, correlation, body, document })
}

fn pulled<'a>(
    arrival: &'a Arrival,
    adapter: &Adapter,
    operation: &'a Operation,
    received: Timestamp,
    cx: &Context,
) -> Result<Unwrapped<'a>, Failure> {
    let Some(plan) = operation.content() else {
        return Err(refuse(&codes::BODY_NOT_READABLE, "the pull declares no response"));
    };
    let unreadable =
        |error: codec::DecodeError| refuse(&codes::BODY_NOT_READABLE, error.to_string());
    let id = arrival.message_id.as_deref();
    let limits = Limits::default();
    let (body, document) = match &operation.signature {
        Some(rule) => {
            let body =
                signed::content(&arrival.body, id, (adapter, operation, rule), received, cx)?;
            let document = plan.codec.read(&body, &limits).map_err(unreadable)?;
            let document = document.into_value().into();
            (body, document)
        }
        None => {
            let document = plan.codec.read(&arrival.body, &limits).map_err(unreadable)?;
            (arrival.body.to_vec(), document)
        }
    };
    scan::demand(arrival, operation)?;
    Ok(Unwrapped {
        id: arrival.message_id.as_deref().map(Cow::from),
        message_type: arrival.message_type.as_deref().map(Cow::from),
        operator: None,
        municipality: None,
        correlation: None,
        body,
        document,
    })
}

fn read_json<'a>(body: &'a [u8], cx: &Context) -> Result<Tree<'a>, Failure> {
    let limits = Limits { max_bytes: cx.settings.max_body, ..Limits::default() };
    codec::json::read_strict(body, &limits)
        .map_err(|error| refuse(&codes::BODY_NOT_READABLE, error.to_string()))
}

/// Posted messages go to operations, fetched ones to upstream or, where a route names the very
/// type that the pull gives, to an operation: a message of one kind never takes the other's way.
fn candidates(origin: &Origin, message_type: &str, bundle: &Bundle) -> Vec<Arc<Route>> {
    let routes = bundle.routes_for(message_type);
    let fits = |route: &&Arc<Route>| match (origin, &route.destination) {
        (Origin::Upstream, Destination::Operation(_)) => bundle.pull_of(message_type).is_none(),
        (Origin::Pulled { adapter, operation }, Destination::Operation(_)) => {
            bundle.pull_of(message_type).is_some_and(|pulled| {
                pulled.adapter.name == adapter.name && pulled.operation.name == operation.name
            })
        }
        (Origin::Pulled { adapter, .. }, Destination::Publish(_)) => {
            adapter.name == route.adapter.name
        }
        _ => false,
    };
    routes.iter().filter(fits).cloned().collect()
}

fn municipality_of(
    header: Option<&str>,
    routes: &[Arc<Route>],
    document: &Tree<'_>,
    cx: &Context,
) -> Result<Option<Arc<str>>, Failure> {
    let named =
        routes.iter().find_map(|route| route.municipality.as_ref()?.node(document)?.as_str());
    if let (Some(header), Some(named)) = (header, named)
        && header != named
    {
        return Err(refuse(&codes::WRONG_MUNICIPALITY, "header and body differ"));
    }
    let found = named.or(header);
    match found {
        Some(code) if !cx.settings.municipalities.iter().any(|served| served == code) => {
            Err(refuse(&codes::WRONG_MUNICIPALITY, "not one of `gateway.municipalities`"))
        }
        Some(code) => Ok(Some(code.into())),
        None => Ok(None),
    }
}

/// A header that is passed on or kept: printable ASCII, at most 128 characters.
pub(super) fn header<T: for<'a> From<&'a str>>(
    value: Option<&str>,
    name: &str,
) -> Result<Option<T>, Failure> {
    let Some(value) = value else { return Ok(None) };
    let good = value.len() <= 128 && value.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if good { Ok(Some(value.into())) } else { Err(refuse(&codes::BAD_HEADER, name)) }
}

pub(super) fn media_type(content_type: Option<&str>) -> String {
    let text = content_type.unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// A failure of this station: the same message again cannot be accepted either.
pub(super) fn refuse(code: &'static Code, detail: impl Into<String>) -> Failure {
    Failure { code, stage: Stage::Accept, class: Class::Never, detail: detail.into() }
}

/// The message and one exchange per route.
pub(super) fn new_message(recognised: Recognised<'_>, cx: &Context) -> NewMessage {
    let exchanges = new_exchanges(&recognised, cx);
    with_exchanges(recognised, exchanges, cx)
}

pub(super) fn new_exchanges(recognised: &Recognised<'_>, cx: &Context) -> Vec<NewExchange> {
    let Recognised { envelope, document, routes, bundle, .. } = recognised;
    routes.iter().map(|route| new_exchange(route, envelope, document, bundle, cx)).collect()
}

pub(super) fn with_exchanges(
    recognised: Recognised<'_>,
    exchanges: Vec<NewExchange>,
    cx: &Context,
) -> NewMessage {
    let record = ended_before(&recognised, &exchanges);
    let Recognised { envelope, body, .. } = recognised;
    let fingerprint = cx.keys.fingerprint(&envelope.message_type, &body);
    let keys = Arc::clone(&cx.keys);
    let if_reused = Announcement::new(move |envelope| {
        let (source, id) = (&envelope.source, envelope.message_id.as_str());
        let key = keys.idempotency_key("", source, id, &hex(&fingerprint));
        settle::announce_dead(envelope, "", &key, &refuse(&codes::MESSAGE_ID_REUSED, ""))
    });
    NewMessage {
        envelope,
        fingerprint,
        body: Secret::new(body),
        exchanges,
        record,
        if_reused: Some(if_reused),
    }
}

/// Entries of exchanges that end on arrival.
fn ended_before(recognised: &Recognised<'_>, exchanges: &[NewExchange]) -> Vec<Draft> {
    let envelope = &recognised.envelope;
    let entry = |(route, exchange): (&Arc<Route>, &NewExchange)| {
        let (rule, failure) = (route.record.as_ref()?, exchange.failure.as_ref()?);
        let claimed = direct::claimed(envelope, exchange);
        let at = envelope.accepted_at;
        let draft = approve::draft_not_sent(&claimed, route, rule.kind, failure.code, at);
        // The store fills it in.
        Some(Draft { commitment: None, ..draft })
    };
    recognised.routes.iter().zip(exchanges).filter_map(entry).collect()
}

fn new_exchange(
    route: &Route,
    envelope: &Arc<Envelope>,
    document: &Tree<'_>,
    bundle: &Bundle,
    cx: &Context,
) -> NewExchange {
    let text = |path: &Option<crate::mapping::path::Path>| {
        path.as_ref().and_then(|path| path.node(document)).and_then(Node::as_str)
    };
    let counterpart = &route.adapter.name;
    let id = envelope.message_id.as_str();
    // Without an ordering key the message is a lane of its own: no order, no waiting.
    let lane = match text(&route.ordering_key) {
        Some(key) => cx.keys.lane(counterpart, key),
        None => cx.keys.lane(counterpart, &format!("message:{}:{id}", envelope.source)),
    };
    let mut exchange = NewExchange {
        route: Arc::clone(&route.names.route),
        counterpart: Arc::clone(&route.names.counterpart),
        operation: Arc::clone(&route.names.operation),
        lane,
        idempotency_key: cx
            .keys
            .idempotency_key(counterpart, &envelope.source, id, &route.name)
            .into(),
        subject: text(&route.subject).map(|person| cx.keys.subject(person).into()),
        failure: None,
        announce: None,
        supersedes: supersedes(route, id),
        bundle: bundle.shared_digest(),
        first: None,
        approval: None,
        opens: None,
    };
    if let Err(failure) = approve::needs(route, envelope, document, &mut exchange, cx) {
        let key = &exchange.idempotency_key;
        exchange.announce = Some(settle::announce_dead(envelope, &route.name, key, &failure));
        exchange.failure = Some(failure);
    }
    exchange
}

/// How the new message ends older states of its route, where the route says so.
fn supersedes(route: &Route, newer: &str) -> Option<Supersede> {
    if route.when_stuck == WhenStuck::Block || route.ordering_key.is_none() {
        return None;
    }
    let failure = refuse(&codes::SUPERSEDED, format!("by {newer}"));
    let (name, told) = (route.name.clone(), failure.clone());
    Some(Supersede {
        failure,
        record: route.record.as_ref().map(|rule| rule.kind),
        announce: Arc::new(move |envelope, key| {
            settle::announce_superseded(envelope, &name, key, &told)
        }),
    })
}
