//! A reload asked for over HTTP: the gateway reads its configuration and definitions again.

use super::Ops;
use super::acts::Reasons;
use super::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A request on its way to what reloads.
#[derive(Debug)]
pub struct Request {
    /// Who asks.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Reloaded>,
}

/// What became of a reload.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Reloaded {
    /// Whether the new definitions and settings are in force.
    pub taken: bool,
    /// Digest of the definitions before.
    pub before: String,
    /// Digest of those in force now.
    pub after: String,
    /// Routes that the old definitions did not have, or had switched off.
    pub added: Vec<String>,
    /// Routes that are gone or switched off.
    pub removed: Vec<String>,
    /// Routes whose own files changed.
    pub changed: Vec<String>,
    /// Sections whose credentials or settings were renewed.
    pub renewed: Vec<String>,
    /// What the operator should know, e.g. settings that count from the next start.
    pub notes: Vec<String>,
    /// Every problem, rendered; empty when taken.
    pub problems: String,
}

/// Reloads and tells what came of it: 200 also where the old definitions stay, so that every
/// problem can be told.
pub async fn reload(
    State(ops): State<Arc<Ops>>,
    headers: HeaderMap,
    Json(reasons): Json<Reasons>,
) -> Result<Json<Reloaded>, Problem> {
    ops.authorise(&headers)?;
    reasons.check()?;
    let (reply, answer) = oneshot::channel();
    let request = Request { operator: reasons.operator, reason: reasons.reason, reply };
    let busy = |_| {
        let title = "another reload is under way";
        Problem::plain(StatusCode::SERVICE_UNAVAILABLE, title).retry_after(5)
    };
    ops.reload.try_send(request).map_err(busy)?;
    answer
        .await
        .map(Json)
        .map_err(|_| Problem::plain(StatusCode::SERVICE_UNAVAILABLE, "the gateway is stopping"))
}
