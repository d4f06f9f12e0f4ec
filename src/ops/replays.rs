//! Replay tasks over HTTP: made, shown, started, paused, resumed, cancelled. `docs/replay.md` has
//! the requests and answers.

use super::Ops;
use super::acts::{Reasons, check_words, store_down};
use super::problem::Problem;
use crate::pipeline::tasks::{self, Wanted};
use crate::store::tasks::{Manner, Selection, TaskChange, TaskVerb};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// A request to make a task.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    request: String,
    #[serde(default)]
    selection: Selection,
    #[serde(default)]
    manner: Manner,
    operator: String,
    reason: String,
}

/// Makes a task in the state `draft`; the same request makes one task however often it comes.
pub async fn create(
    State(ops): State<Arc<Ops>>,
    headers: HeaderMap,
    Json(asked): Json<Asked>,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    let Asked { request, selection, manner, operator, reason } = asked;
    let second = manner.new_effect.as_deref().unwrap_or("none");
    for name in [operator.as_str(), second] {
        check_words(name, &reason)
            .map_err(|title| Problem::plain(StatusCode::UNPROCESSABLE_ENTITY, title))?;
    }
    let wanted = Wanted { request, selection, manner, operator, reason };
    match tasks::create(wanted, &ops.cx).await.map_err(store_down)? {
        Ok(planned) => Ok(Json(json!(planned))),
        Err(failure) => Err(Problem::of(StatusCode::UNPROCESSABLE_ENTITY, &failure)),
    }
}

/// The newest tasks.
pub async fn list(State(ops): State<Arc<Ops>>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    let tasks = ops.cx.store.tasks(100).await.map_err(store_down)?;
    Ok(Json(json!({ "tasks": tasks })))
}

/// A task, what it would do next, and what could not be replayed.
pub async fn show(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    let Some(task) = ops.cx.store.task(id).await.map_err(store_down)? else {
        return Err(Problem::plain(StatusCode::NOT_FOUND, "no such task"));
    };
    let preview = tasks::preview(&task, &ops.cx).await.map_err(store_down)?;
    let failed = ops.cx.store.task_items(id, Some("failed"), 0, 100).await.map_err(store_down)?;
    Ok(Json(json!({ "task": task, "preview": preview, "failed": failed })))
}

/// Starts, pauses, resumes or cancels a task.
pub async fn change(
    State(ops): State<Arc<Ops>>,
    Path((id, verb)): Path<(i64, String)>,
    headers: HeaderMap,
    Json(reasons): Json<Reasons>,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    reasons.check()?;
    let Some(verb) = TaskVerb::from_name(&verb) else {
        return Err(Problem::plain(StatusCode::NOT_FOUND, "no such act"));
    };
    let Reasons { operator, reason } = reasons;
    let at = ops.cx.clock.now();
    let change = TaskChange { task: id, verb, operator, reason, at };
    match ops.cx.store.change_task(change).await.map_err(store_down)? {
        Some(state) => Ok(Json(json!({ "state": state.name() }))),
        None => Err(Problem::plain(
            StatusCode::CONFLICT,
            "there is no such task, or its state does not allow this",
        )),
    }
}
