//! Answer: what a counterpart asked for, answered by an operator. The answer is posted as upstream would
//! post it; a second person agrees to it (`approve.rs`).

use super::accept::{self, Arrival, Origin, refuse};
use super::approve::By;
use super::context::Context;
use crate::adapter::{Bundle, Route};
use crate::diagnostic::nearest::nearest;
use crate::model::codes::message as codes;
use crate::model::{Failure, State};
use crate::record::{Draft, Kind, Phase, hex};
use crate::store::approvals::{DemandFilter, DemandView, is_same_ground};
use crate::store::{Accepted, Filter, StoreError};
use bytes::Bytes;
use std::sync::Arc;

/// The source of answers that operators post themselves.
pub const OPERATOR_SOURCE: &str = "operator";

/// A demand.
///
/// # Errors
/// When the store cannot be read.
pub async fn demand(id: i64, cx: &Context) -> Result<Option<DemandView>, StoreError> {
    let filter = DemandFilter { id: Some(id), limit: 1, ..DemandFilter::default() };
    Ok(cx.store.demands(filter).await?.pop())
}

/// An answer that an operator posts: which demand, the document, its type where several fit.
#[derive(Clone, Debug)]
pub struct Typed {
    /// Row of the demand.
    pub demand: i64,
    /// The document.
    pub body: Vec<u8>,
    /// Message type; `None` where only one answers such demands.
    pub message_type: Option<String>,
}

/// Posts an answer as upstream would post it, prepared by the operator. The same answer again is the
/// same message. Gives the exchange and its state.
///
/// # Errors
/// The outer one when the store cannot read or write, the inner one where it was not taken.
pub async fn answer(
    typed: Typed,
    by: By,
    cx: &Arc<Context>,
) -> Result<Result<(i64, State), Failure>, StoreError> {
    let not = |detail: String| Ok(Err(refuse(&codes::ANSWER_NOT_POSSIBLE, detail)));
    let Some(demand) = demand(typed.demand, cx).await? else {
        return Ok(Err(refuse(&codes::DEMAND_MISSING, "")));
    };
    let message_type = match type_of(&demand, typed.message_type.as_deref(), &cx.bundle()) {
        Ok(message_type) => message_type,
        Err(detail) => return not(detail),
    };
    let fingerprint = cx.keys.fingerprint(&format!("{message_type} {}", demand.id), &typed.body);
    let id = format!("answer-{}-{}", demand.id, hex(&fingerprint).get(..24).unwrap_or(""));
    let arrival = Arrival {
        source: OPERATOR_SOURCE.to_owned(),
        origin: Origin::Upstream,
        message_id: Some(id.clone()),
        message_type: Some(message_type),
        content_type: Some("application/json".to_owned()),
        correlation_id: None,
        reply_to: None,
        traceparent: None,
        operator: Some(by.operator.clone()),
        municipality: None,
        body: Bytes::from(typed.body),
        cleared: None,
    };
    let note = Draft {
        outcome: Some("answer-prepared".to_owned()),
        source: OPERATOR_SOURCE.into(),
        message_id: id.clone().into(),
        reference: Some(demand.number.clone()),
        operator: Some(by.operator.into()),
        reason: Some(by.reason),
        bundle: cx.bundle().shared_digest(),
        ..Draft::new(Kind::Operate, Phase::Noted, cx.clock.now())
    };
    let exchange = match accept_prepared(&arrival, note, &demand, cx).await? {
        Err(failure) => return Ok(Err(failure)),
        Ok(Accepted::New { exchanges, .. }) => exchanges.first().copied(),
        Ok(Accepted::Duplicate | Accepted::Quarantined) => None,
    };
    let filter = Filter {
        message_id: Some(id),
        after: exchange.map_or(0, |exchange| exchange - 1),
        ..Filter::default()
    };
    let found = cx.store.list(filter).await?;
    let Some(view) = found.into_iter().find(|view| view.source == OPERATOR_SOURCE) else {
        return not("it is not there any more".to_owned());
    };
    let state = State::from_name(&view.state).unwrap_or(State::Dead);
    if state == State::Dead {
        let known = [&codes::DEMAND_MISSING, &codes::DEMAND_ANSWERED, &codes::APPROVAL_REJECTED];
        let code = known.into_iter().find(|code| Some(code.code) == view.code.as_deref());
        let why = view.code.unwrap_or_default();
        return Ok(Err(match code {
            Some(code) => refuse(code, view.detail.unwrap_or_default()),
            None => refuse(&codes::ANSWER_NOT_POSSIBLE, format!("exchange {}: {why}", view.id)),
        }));
    }
    Ok(Ok((view.id, state)))
}

/// Whether a route takes answers to a demand.
fn takes(route: &Route, demand: &DemandView) -> bool {
    let answers = route.approval.as_ref().and_then(|rule| rule.answers.as_ref());
    let item = route.basis.as_ref().map_or("", |basis| basis.table_item.as_str());
    route.adapter.name == demand.counterpart
        && answers.is_some_and(|answers| answers.kind == demand.kind)
        && is_same_ground(&demand.item, item)
}

/// The type under which a demand is answered.
fn type_of(demand: &DemandView, wanted: Option<&str>, bundle: &Bundle) -> Result<String, String> {
    let fitting = bundle.routes().filter(|route| takes(route, demand));
    let mut types: Vec<&str> = fitting
        .flat_map(|route| &route.on)
        .map(String::as_str)
        .filter(|name| bundle.routes_for(name).iter().any(|route| takes(route, demand)))
        .collect();
    types.sort_unstable();
    types.dedup();
    match (wanted, types.as_slice()) {
        (Some(wanted), known) if known.contains(&wanted) => Ok(wanted.to_owned()),
        (Some(wanted), known) => {
            let near = nearest(wanted, known.iter().copied());
            let near = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            Err(format!("no enabled route takes `{wanted}` as an answer{near}"))
        }
        (None, [one]) => Ok((*one).to_owned()),
        (None, []) => Err(format!("no enabled route takes answers to `{}`", demand.kind)),
        (None, several) => Err(format!("one of: {}", several.join(", "))),
    }
}

/// Makes an answer durable that an operator posts to a demand, with its entry. What cannot be
/// recognised is refused, not kept: the operator is there to be told.
///
/// # Errors
/// The outer one when the store cannot write, the inner one where it is not taken.
async fn accept_prepared(
    arrival: &Arrival,
    note: Draft,
    demand: &DemandView,
    cx: &Arc<Context>,
) -> Result<Result<Accepted, Failure>, StoreError> {
    let recognised = match accept::recognise(arrival, cx) {
        Ok(recognised) => recognised,
        Err(failure) => return Ok(Err(failure)),
    };
    let answers = |route: &Arc<Route>| {
        let rule = route.approval.as_ref().and_then(|rule| rule.answers.as_ref());
        let number = rule.and_then(|rule| rule.number.node(&recognised.document)?.as_str());
        takes(route, demand) && number == Some(demand.number.as_str())
    };
    if !recognised.routes.iter().any(answers) {
        let detail = format!("the document is not an answer to demand {}", demand.id);
        return Ok(Err(refuse(&codes::ANSWER_NOT_POSSIBLE, detail)));
    }
    let exchanges = accept::new_exchanges(&recognised, cx);
    if let Some(failure) = exchanges.iter().find_map(|exchange| exchange.failure.clone()) {
        return Ok(Err(failure));
    }
    let routes = recognised.routes.clone();
    let mut message = accept::with_exchanges(recognised, exchanges, cx);
    message.record.push(note);
    accept::keep(arrival, message, Vec::new(), &routes, cx).await.map(Ok)
}
