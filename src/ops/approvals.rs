//! Approvals and demands over HTTP: listed, shown, decided, answered. `docs/drivers/approve.md` has the
//! requests and answers.

use super::Ops;
use super::acts::{Reasons, check_words, store_down};
use super::problem::Problem;
use crate::model::codes::message as codes;
use crate::model::{Code, Failure};
use crate::pipeline::answer::{self, Typed};
use crate::pipeline::approve::{self, By};
use crate::pipeline::by_hand::{self, Given};
use crate::store::approvals::{ApprovalFilter, DemandFilter};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::sync::Arc;

/// Largest answer that an operator posts, in bytes, with what stands around it.
pub const MAX_ANSWER: usize = 1024 * 1024;

/// A page of a list.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Page {
    /// Also what has been decided or answered.
    all: bool,
    /// Rows after this one.
    after: i64,
}

impl Reasons {
    fn by(self) -> By {
        By { operator: self.operator, reason: self.reason }
    }
}

fn refused(failure: &Failure) -> Problem {
    let missing: [&Code; 3] =
        [&codes::DEMAND_MISSING, &codes::ANSWER_NOT_POSSIBLE, &codes::ANSWER_NOT_TAKEN];
    let status = match () {
        () if failure.code == &codes::APPROVAL_SAME_PERSON => StatusCode::FORBIDDEN,
        () if missing.contains(&failure.code) => StatusCode::UNPROCESSABLE_ENTITY,
        () => StatusCode::CONFLICT,
    };
    Problem::of(status, failure)
}

/// Approvals that wait, or all.
pub async fn list(
    State(ops): State<Arc<Ops>>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    let filter =
        ApprovalFilter { waiting: !page.all, after: page.after, ..ApprovalFilter::default() };
    let approvals = ops.cx.store.approvals(filter).await.map_err(store_down)?;
    Ok(Json(json!({ "approvals": approvals })))
}

/// One approval.
pub async fn show(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    match approve::find(id, &ops.cx).await.map_err(store_down)? {
        Some(view) => Ok(Json(json!(view))),
        None => Err(Problem::plain(StatusCode::NOT_FOUND, "no such approval")),
    }
}

/// Approves, rejects, or shows the document that would leave.
pub async fn act(
    State(ops): State<Arc<Ops>>,
    Path((id, verb)): Path<(i64, String)>,
    headers: HeaderMap,
    Json(reasons): Json<Reasons>,
) -> Result<Response, Problem> {
    ops.authorise(&headers)?;
    reasons.check()?;
    let by = reasons.by();
    let decided = match verb.as_str() {
        "approve" => approve::approve(id, by, &ops.cx).await,
        "reject" => approve::reject(id, by, &ops.cx).await,
        "document" => {
            let shown = approve::document(id, by, &ops.cx).await.map_err(store_down)?;
            return shown.map(IntoResponse::into_response).map_err(|why| refused(&why));
        }
        _ => return Err(Problem::plain(StatusCode::NOT_FOUND, "no such act")),
    };
    let state = decided.map_err(store_down)?.map_err(|why| refused(&why))?;
    Ok(Json(json!({ "state": state.name() })).into_response())
}

/// Demands without an answer, or all.
pub async fn demands(
    State(ops): State<Arc<Ops>>,
    headers: HeaderMap,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    let filter = DemandFilter { open: !page.all, after: page.after, ..DemandFilter::default() };
    let demands = ops.cx.store.demands(filter).await.map_err(store_down)?;
    Ok(Json(json!({ "demands": demands })))
}

/// One demand.
pub async fn demand(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    match answer::demand(id, &ops.cx).await.map_err(store_down)? {
        Some(view) => Ok(Json(json!(view))),
        None => Err(Problem::plain(StatusCode::NOT_FOUND, "no such demand")),
    }
}

/// Closes a demand without an answer.
pub async fn close(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    Json(reasons): Json<Reasons>,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    reasons.check()?;
    let By { operator, reason } = reasons.by();
    let at = ops.cx.clock.now();
    match ops.cx.store.close_demand(id, operator, reason, at).await.map_err(store_down)? {
        true => Ok(Json(json!({ "state": "closed" }))),
        false => Err(Problem::plain(StatusCode::CONFLICT, "there is no such open demand")),
    }
}

/// An answer as an operator posts it.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    operator: String,
    reason: String,
    /// Message type, where several answer such demands.
    #[serde(default, rename = "type")]
    message_type: Option<String>,
    /// The document, as text: its bytes stay as they are.
    answer: String,
}

/// Posts an answer; somebody else has to agree to it.
pub async fn answer(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    Json(answer): Json<Answer>,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    let Answer { operator, reason, message_type, answer } = answer;
    check_words(&operator, &reason)
        .map_err(|title| Problem::plain(StatusCode::UNPROCESSABLE_ENTITY, title))?;
    let typed = Typed { demand: id, body: answer.into_bytes(), message_type };
    let taken = answer::answer(typed, By { operator, reason }, &ops.cx).await;
    let (exchange, state) = taken.map_err(store_down)?.map_err(|why| refused(&why))?;
    Ok(Json(json!({ "exchange": exchange, "state": state.name() })))
}

/// The answer of an exchange, as an operator gives it.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ByHand {
    operator: String,
    reason: String,
    /// The document, as text.
    answer: String,
}

/// Takes the answer of an exchange from a person. Where two are wanted, the first is told so.
pub async fn give(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    Json(given): Json<ByHand>,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    let ByHand { operator, reason, answer } = given;
    check_words(&operator, &reason)
        .map_err(|title| Problem::plain(StatusCode::UNPROCESSABLE_ENTITY, title))?;
    let by = By { operator, reason };
    let given = by_hand::give(id, answer.as_bytes(), by, &ops.cx).await.map_err(store_down)?;
    Ok(Json(match given.map_err(|why| refused(&why))? {
        Given::Done(state) => json!({ "state": state.name() }),
        Given::Waits => json!({ "waits": "second-person" }),
    }))
}
