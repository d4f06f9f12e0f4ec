//! Callbacks: notices that counterparts post to us, on a listener of their own. Who calls is looked
//! at first; whoever is not known learns nothing, not even what there is.

use super::acts::{bearer, same, store_down};
use super::ingest::whole;
use super::problem::Problem;
use crate::adapter::callback::{Encoding, PushIn, Signature};
use crate::adapter::{Adapter, Operation};
use crate::config::callbacks::{Caller, Callers};
use crate::model::codes::message as codes;
use crate::model::{Code, Method, Secret};
use crate::pipeline::Context;
use crate::pipeline::callback::{Notice, Taken, Untaken, take};
use crate::telemetry::names;
use crate::transport::https::PeerChain;
use aws_lc_rs::hmac;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{self, HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Extension, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long the body of a notice may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);
/// How long the caller waits for what follows to be durable.
const WRITE_TIME: Duration = Duration::from_secs(10);
/// When the caller may come again, in seconds.
const AGAIN: u64 = 5;

/// What the handlers share.
pub struct Callbacks {
    cx: Arc<Context>,
    callers: RwLock<Arc<Callers>>,
    /// Notices under way.
    places: Arc<Semaphore>,
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Callbacks").finish_non_exhaustive()
    }
}

impl Callbacks {
    /// For these callers, with so many notices under way at once.
    pub fn new(cx: Arc<Context>, callers: Callers, concurrency: usize) -> Arc<Callbacks> {
        let callers = RwLock::new(Arc::new(callers));
        Arc::new(Callbacks { cx, callers, places: Arc::new(Semaphore::new(concurrency)) })
    }

    /// Puts renewed callers in the place of the old ones.
    pub fn renew(&self, callers: Callers) {
        *self.callers.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(callers);
    }

    fn callers(&self) -> Arc<Callers> {
        Arc::clone(&self.callers.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Routes of the callbacks listener.
pub fn router(callbacks: Arc<Callbacks>) -> Router {
    Router::new()
        .route("/v1/callbacks/{adapter}/{segment}", any(receive))
        .fallback(super::problem::not_found)
        .with_state(callbacks)
}

/// What a caller is told: not what an operator of ours has to do.
fn problem(status: StatusCode, code: &'static Code, detail: impl Into<String>) -> Problem {
    Problem::new(status, code, detail).without_remedy()
}

async fn receive(
    State(callbacks): State<Arc<Callbacks>>,
    Extension(chain): Extension<PeerChain>,
    Path((adapter, segment)): Path<(String, String)>,
    method: http::Method,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let callers = callbacks.callers();
    let now = callbacks.cx.clock.now();
    let known = callers.get(&adapter).filter(|caller| caller.client.is(&chain.0, now));
    let counterpart = callbacks.cx.counterpart(&adapter);
    let (Some(caller), Some(counterpart)) = (known, counterpart) else {
        // The names are the caller's own words: none of them becomes a label.
        count("", "", codes::CALLER_REFUSED.code);
        return problem(StatusCode::FORBIDDEN, &codes::CALLER_REFUSED, "").into_response();
    };
    let adapter = in_force(&callbacks.cx, &counterpart.adapter);
    let Some((operation, push)) = find(&adapter, &segment) else {
        count(&adapter.name, "", "not-found");
        return super::problem::not_found().await.into_response();
    };
    let given = (&callbacks, caller, &adapter, operation, push);
    match serve(given, &method, &headers, body).await {
        Ok(taken) => {
            count(&adapter.name, &operation.name, taken.name());
            tracing::info!(
                counterpart = adapter.name,
                operation = operation.name,
                outcome = taken.name(),
                "notice taken"
            );
            // The same whether it is told for the first time or again.
            (StatusCode::OK, Json(json!({ "status": "taken" }))).into_response()
        }
        Err(problem) => {
            let result = problem.word();
            let problem = problem.without_remedy();
            count(&adapter.name, &operation.name, result);
            tracing::warn!(
                counterpart = adapter.name,
                operation = operation.name,
                code = result,
                "notice refused"
            );
            problem.into_response()
        }
    }
}

fn count(counterpart: &str, operation: &str, result: &'static str) {
    metrics::counter!(names::CALLBACKS, "counterpart" => counterpart.to_owned(),
        "operation" => operation.to_owned(), "result" => result)
    .increment(1);
}

/// The adapter as the definitions in force have it.
fn in_force(cx: &Context, adapter: &Arc<Adapter>) -> Arc<Adapter> {
    let bundle = cx.bundle();
    Arc::clone(bundle.adapters.get(&adapter.name).unwrap_or(adapter))
}

fn find<'a>(adapter: &'a Adapter, segment: &str) -> Option<(&'a Arc<Operation>, &'a PushIn)> {
    adapter.operations.values().find_map(|operation| {
        let push = operation.push_in.as_ref().filter(|push| push.segment == segment)?;
        Some((operation, push))
    })
}

type Given<'g> = (&'g Arc<Callbacks>, &'g Caller, &'g Arc<Adapter>, &'g Arc<Operation>, &'g PushIn);

async fn serve(
    (callbacks, caller, adapter, operation, push): Given<'_>,
    method: &http::Method,
    headers: &HeaderMap,
    body: Body,
) -> Result<Taken, Problem> {
    let expected = if push.method == Method::Put { http::Method::PUT } else { http::Method::POST };
    if *method != expected {
        return Err(Problem::plain(StatusCode::METHOD_NOT_ALLOWED, "another method is agreed"));
    }
    let Ok(place) = Arc::clone(&callbacks.places).try_acquire_owned() else {
        let full = problem(StatusCode::SERVICE_UNAVAILABLE, &codes::TOO_MANY_NOTICES, "");
        return Err(full.retry_after(AGAIN));
    };
    let unproven = || problem(StatusCode::UNAUTHORIZED, &codes::CALLER_NOT_PROVEN, "");
    if push.bearer && !shows_token(caller, headers) {
        return Err(unproven());
    }
    let body = tokio::time::timeout(BODY_TIME, whole(body, push.max_bytes)).await;
    let late = |_| Problem::plain(StatusCode::REQUEST_TIMEOUT, "the body did not come");
    let body = body.map_err(late)??;
    if let Some(signature) = &push.signature
        && !is_signed(signature, caller.hmac_key.as_ref(), headers, &body)
    {
        return Err(unproven());
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let notice = Notice {
        adapter: Arc::clone(adapter),
        operation: Arc::clone(operation),
        content_type: text(header::CONTENT_TYPE.as_str()).unwrap_or_default().to_owned(),
        traceparent: text("traceparent").map(str::to_owned),
        body,
    };
    settled(notice, place, &callbacks.cx).await
}

/// Takes the notice, whoever waits for the answer: what was begun comes to its end.
async fn settled(
    notice: Notice,
    place: OwnedSemaphorePermit,
    cx: &Arc<Context>,
) -> Result<Taken, Problem> {
    let cx = Arc::clone(cx);
    let work = tokio::spawn(async move {
        let _place = place;
        take(&notice, &cx).await
    });
    match tokio::time::timeout(WRITE_TIME, work).await {
        Ok(Ok(taken)) => taken.map_err(refused),
        // Not in time, or ended abnormally.
        Ok(Err(_)) | Err(_) => Err(refused(Untaken::StoreDown(None))),
    }
}

fn refused(untaken: Untaken) -> Problem {
    match untaken {
        Untaken::ContentType => {
            problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, &codes::BAD_CONTENT_TYPE, "")
        }
        Untaken::Unfit(detail) => {
            problem(StatusCode::UNPROCESSABLE_ENTITY, &codes::NOTICE_UNFIT, detail)
        }
        Untaken::UnknownTicket => problem(StatusCode::NOT_FOUND, &codes::TICKET_UNKNOWN, ""),
        Untaken::IdReused => problem(StatusCode::CONFLICT, &codes::MESSAGE_ID_REUSED, ""),
        Untaken::NotAccepting(refusal) => {
            problem(StatusCode::SERVICE_UNAVAILABLE, refusal.code, "").retry_after(AGAIN)
        }
        Untaken::StoreDown(Some(error)) => store_down(error).without_remedy(),
        Untaken::StoreDown(None) => {
            let code = &codes::NOTICE_NOT_WRITTEN;
            problem(StatusCode::SERVICE_UNAVAILABLE, code, "").retry_after(AGAIN)
        }
    }
}

fn shows_token(caller: &Caller, headers: &HeaderMap) -> bool {
    match (&caller.token, bearer(headers)) {
        (Some(token), Some(shown)) => same(token.expose(), shown),
        _ => false,
    }
}

/// Whether the header holds the HMAC of the body; compared in constant time.
fn is_signed(
    signature: &Signature,
    key: Option<&Secret<String>>,
    headers: &HeaderMap,
    body: &[u8],
) -> bool {
    let shown = headers.get(signature.header.as_str()).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|text| text.strip_prefix(signature.prefix.as_str()));
    let bytes = shown.and_then(|text| match signature.encoding {
        Encoding::Hex => unhex(text),
        Encoding::Base64 => STANDARD.decode(text).ok(),
    });
    let (Some(key), Some(bytes)) = (key, bytes) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
    hmac::verify(&key, body, &bytes).is_ok()
}

/// Bytes out of their hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    digits
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(value(*high)? * 16 + value(*low)?).ok(),
            _ => None,
        })
        .collect()
}
