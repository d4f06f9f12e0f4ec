//! Acts of operators on exchanges, and the counts they go by. Every act is recorded with who and
//! why, in the transaction that does it.

use super::Ops;
use super::problem::Problem;
use crate::pipeline::replay::{Replayed, replay};
use crate::record::{Draft, Kind, Phase};
use crate::store::{Act, ActVerb, Filter};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use std::sync::Arc;

/// Who acts, and why.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reasons {
    pub(super) operator: String,
    pub(super) reason: String,
}

impl Reasons {
    pub(super) fn check(&self) -> Result<(), Problem> {
        check_words(&self.operator, &self.reason)
            .map_err(|title| Problem::plain(StatusCode::UNPROCESSABLE_ENTITY, title))
    }
}

/// Free text is limited: a name of at most 64 characters, a reason of at most 200, and no digits
/// that could be a 個人番号 (12 in a row), since both go into the record.
///
/// # Errors
/// What is asked for instead.
pub fn check_words(operator: &str, reason: &str) -> Result<(), &'static str> {
    let filled = |text: &str, most: usize| !text.trim().is_empty() && text.chars().count() <= most;
    let mut run = 0;
    let numbered = operator.chars().chain(reason.chars()).any(|c| {
        run = if c.is_numeric() { run + 1 } else { 0 };
        run >= 12
    });
    if filled(operator, 64) && filled(reason, 200) && !numbered {
        return Ok(());
    }
    Err("operator (1-64 characters) and reason (1-200) are needed, without long numbers")
}

/// Counts per route, state and code.
pub async fn counts(State(ops): State<Arc<Ops>>) -> Result<Json<Value>, Problem> {
    let counts = ops.cx.store.counts().await.map_err(store_down)?;
    Ok(Json(json!({ "counts": counts })))
}

/// Replays, discards or confirms one exchange.
pub async fn act(
    State(ops): State<Arc<Ops>>,
    Path((id, act)): Path<(i64, String)>,
    headers: HeaderMap,
    Json(reasons): Json<Reasons>,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    reasons.check()?;
    let verb = match act.as_str() {
        "replay" => ActVerb::Replay,
        "discard" => ActVerb::Discard,
        "confirm-applied" => ActVerb::ConfirmApplied,
        "confirm-not-applied" => ActVerb::ConfirmNotApplied,
        _ => return Err(Problem::plain(StatusCode::NOT_FOUND, "no such act")),
    };
    let act = Act {
        exchange: id,
        verb,
        operator: reasons.operator,
        reason: reasons.reason,
        at: ops.cx.clock.now(),
        bundle: None,
        brings: Default::default(),
    };
    let state = if verb == ActVerb::Replay {
        match replay(act, &ops.cx).await.map_err(store_down)? {
            Replayed::Done(state) => Some(state),
            Replayed::Refused(failure) => return Err(Problem::of(StatusCode::CONFLICT, &failure)),
            Replayed::NotAllowed => None,
        }
    } else {
        ops.cx.store.act(act).await.map_err(store_down)?
    };
    match state {
        Some(state) => {
            ops.cx.wake_all();
            ops.cx.outbox.notify_one();
            Ok(Json(json!({ "state": state.name() })))
        }
        None => Err(Problem::plain(
            StatusCode::CONFLICT,
            "the exchange is not in a state that allows this",
        )),
    }
}

/// Ends the window of a restore: new messages are new from now on.
pub async fn complete_restore(
    State(ops): State<Arc<Ops>>,
    headers: HeaderMap,
    Json(reasons): Json<Reasons>,
) -> Result<Json<Value>, Problem> {
    ops.authorise(&headers)?;
    reasons.check()?;
    let Reasons { operator, reason } = reasons;
    let at = ops.cx.clock.now();
    match ops.cx.store.complete_restore(operator, reason, at).await.map_err(store_down)? {
        true => Ok(Json(json!({ "completed": true }))),
        false => Err(Problem::plain(StatusCode::CONFLICT, "no restore waits for this")),
    }
}

/// The original of a message. Looking at it is recorded before it is shown.
pub async fn body(
    State(ops): State<Arc<Ops>>,
    Path(id): Path<i64>,
    headers: HeaderMap,
    Json(reasons): Json<Reasons>,
) -> Result<Vec<u8>, Problem> {
    ops.authorise(&headers)?;
    reasons.check()?;
    let filter = Filter { after: id - 1, limit: 1, ..Filter::default() };
    let found = ops.cx.store.list(filter).await.map_err(store_down)?;
    let Some(exchange) = found.into_iter().find(|exchange| exchange.id == id) else {
        return Err(Problem::plain(StatusCode::NOT_FOUND, "no such exchange"));
    };
    let draft = Draft {
        kind: Kind::Operate,
        phase: Phase::Noted,
        at: ops.cx.clock.now(),
        source: exchange.source.into(),
        message_id: exchange.message_id.into(),
        message_type: exchange.message_type.into(),
        municipality: None,
        route: exchange.route.into(),
        counterpart: exchange.counterpart.into(),
        operation: exchange.operation.into(),
        attempt: 0,
        idempotency_key: Arc::default(),
        basis: None,
        items: Arc::default(),
        reference: None,
        not_disclosed: false,
        outcome: Some("body-viewed".to_owned()),
        code: None,
        subject: None,
        commitment: None,
        operator: Some(reasons.operator.into()),
        reason: Some(reasons.reason),
        bundle: ops.cx.bundle().shared_digest(),
    };
    ops.cx.store.note(vec![draft]).await.map_err(store_down)?;
    match ops.cx.store.original(id).await.map_err(store_down)? {
        Some(body) => Ok(body.expose().clone()),
        None => Err(Problem::plain(StatusCode::GONE, "the body was purged")),
    }
}

impl Ops {
    /// Acts need the token; without one configured nobody may act over HTTP.
    pub(super) fn authorise(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let shown = bearer(headers);
        let access = self.access();
        let (Some(token), Some(shown)) = (&access.token, shown) else {
            return Err(Problem::plain(
                StatusCode::UNAUTHORIZED,
                "a bearer token is needed (`ops.token`)",
            ));
        };
        if same(token.expose(), shown) {
            Ok(())
        } else {
            Err(Problem::plain(StatusCode::UNAUTHORIZED, "token refused"))
        }
    }
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Compares secrets in constant time.
pub fn same(known: &str, shown: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(known.as_bytes(), shown.as_bytes()).is_ok()
}

pub(super) fn store_down(error: crate::store::StoreError) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.code, error.detail).retry_after(5)
}
