//! Rotation of keys beside the traffic: one step a request, so that whoever asks sets the pace.

use super::Ops;
use super::acts::{check_words, store_down};
use super::problem::Problem;
use crate::store::rotation::{Rewrap, Rewrapped, Rotated};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// One step.
pub async fn rewrap(
    State(ops): State<Arc<Ops>>,
    headers: HeaderMap,
    Json(step): Json<Rewrap>,
) -> Result<Json<Rewrapped>, Problem> {
    ops.authorise(&headers)?;
    ops.cx.store.rewrap(step).await.map(Json).map_err(store_down)
}

/// The end of a rotation.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// What was done.
    pub rotated: Rotated,
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// Writes the entry, and leaves nothing of the old wrapped keys in log and free pages.
pub async fn rotated(
    State(ops): State<Arc<Ops>>,
    headers: HeaderMap,
    Json(End { rotated, operator, reason }): Json<End>,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    let refused = |title| Problem::plain(StatusCode::UNPROCESSABLE_ENTITY, title);
    check_words(&operator, &reason).map_err(refused)?;
    let draft = rotated.draft(&operator, &reason, ops.cx.clock.now());
    ops.cx.store.note(vec![draft]).await.map_err(store_down)?;
    let scrubbed = ops.cx.store.scrub().await.map_err(store_down)?;
    Ok(Json(json!({ "recorded": true, "scrubbed": scrubbed })))
}
