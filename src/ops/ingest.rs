//! HTTPS ingest: the same way as a delivery of the broker, without a broker. What can be told at
//! once is refused at once, and the sender keeps it; 202 means durable.

use super::Ops;
use super::acts::{bearer, same};
use super::problem::Problem;
use crate::model::Failure;
use crate::model::codes::message as codes;
use crate::pipeline::accept::{Arrival, Origin, accept, recognise};
use crate::pipeline::context::Refusal;
use crate::pipeline::validate;
use crate::store::{Accepted, Pending};
use crate::telemetry::{crash, names};
use crate::transport::https::PeerCertificate;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;

/// Most answers handed out at once.
const MAX_ANSWERS: usize = 1_000;

/// Most bytes read beyond the largest body allowed, so that its sender is told.
const MAX_DROPPED: usize = 32 << 20;

/// Routes of the ingest listener.
pub fn router(ops: Arc<Ops>) -> Router {
    Router::new()
        .route("/v1/messages/{type}", post(receive))
        .route("/v1/messages", get(answers).post(receive_event))
        .route("/v1/messages/acknowledge", post(acknowledge))
        .fallback(super::problem::not_found)
        .with_state(ops)
}

/// Who is asking: the name in its certificate or of its token.
fn sender(ops: &Ops, peer: &PeerCertificate, headers: &HeaderMap) -> Result<String, Problem> {
    if let Some(name) = &peer.0 {
        let shown = [&name.common_name, &name.fingerprint];
        return Ok(shown.into_iter().find(|text| !text.is_empty()).cloned().unwrap_or_default());
    }
    let shown = bearer(headers);
    let access = ops.access();
    let known = access
        .ingest_tokens
        .iter()
        .find(|(_, token)| shown.is_some_and(|shown| same(token.expose(), shown)));
    match known {
        Some((name, _)) => Ok(name.clone()),
        None => Err(Problem::plain(
            StatusCode::UNAUTHORIZED,
            "a client certificate or a bearer token is needed",
        )),
    }
}

async fn receive(
    State(ops): State<Arc<Ops>>,
    Extension(peer): Extension<PeerCertificate>,
    Path(message_type): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    take(&ops, &peer, Some(message_type), &headers, body).await
}

/// A CloudEvent names its own type.
async fn receive_event(
    State(ops): State<Arc<Ops>>,
    Extension(peer): Extension<PeerCertificate>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    take(&ops, &peer, None, &headers, body).await
}

async fn take(
    ops: &Ops,
    peer: &PeerCertificate,
    message_type: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let source = sender(ops, peer, headers)?;
    let body = whole(body, ops.cx.settings.max_body).await?;
    if let Some(Refusal { code, detail }) = ops.cx.accepting.refused_because() {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        return Err(problem.retry_after(5));
    }
    // What is not ASCII is refused as such further on, never taken for missing.
    let text = |name: &str| {
        headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    let arrival = Arrival {
        source,
        origin: Origin::Upstream,
        message_id: text("idempotency-key"),
        message_type,
        content_type: text(header::CONTENT_TYPE.as_str()),
        correlation_id: text("correlation-id"),
        reply_to: None,
        traceparent: text("traceparent"),
        operator: text("watashi-operator"),
        municipality: text("watashi-municipality"),
        body,
        cleared: None,
    };
    check(ops, &arrival)?;
    let accepted = accept(&arrival, &ops.cx).await.map_err(|error| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.code, error.detail).retry_after(5)
    })?;
    crash::reach("ack:before");
    match accepted {
        Accepted::New { .. } => {
            Ok((StatusCode::ACCEPTED, Json(json!({ "status": "accepted" }))).into_response())
        }
        Accepted::Duplicate => {
            Ok((StatusCode::ACCEPTED, Json(json!({ "status": "duplicate" }))).into_response())
        }
        Accepted::Quarantined => {
            Err(Problem::new(StatusCode::CONFLICT, &codes::MESSAGE_ID_REUSED, ""))
        }
    }
}

/// The body. Of one that is too large the rest is read and dropped: a sender that is still writing
/// when the connection closes would see a broken pipe instead of the answer.
pub(super) async fn whole(mut body: Body, most: usize) -> Result<Bytes, Problem> {
    let (mut kept, mut length) = (BytesMut::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let unreadable = |_| Problem::plain(StatusCode::BAD_REQUEST, "the body could not be read");
        let Ok(data) = frame.map_err(unreadable)?.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= most {
            kept.extend_from_slice(&data);
        } else if length > most.saturating_add(MAX_DROPPED) {
            break;
        }
    }
    if length <= most {
        return Ok(kept.freeze());
    }
    let detail = format!("allowed {most} bytes");
    Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, &codes::BODY_TOO_LARGE, detail))
}

/// Refuses what would only become a dead letter, while its sender is still on the line.
fn check(ops: &Ops, arrival: &Arrival) -> Result<(), Problem> {
    let recognised = recognise(arrival, &ops.cx).map_err(refused)?;
    for route in &recognised.routes {
        validate::check(&recognised.document, route, &ops.cx).map_err(refused)?;
    }
    Ok(())
}

fn refused(failure: Failure) -> Problem {
    metrics::counter!(names::REFUSED, "code" => failure.code.code).increment(1);
    let code = failure.code;
    let status = if code == &codes::BODY_TOO_LARGE {
        StatusCode::PAYLOAD_TOO_LARGE
    } else if code == &codes::BAD_CONTENT_TYPE {
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    } else if code == &codes::UNKNOWN_TYPE {
        StatusCode::NOT_FOUND
    } else if code == &codes::SCHEMA_VIOLATION || code == &codes::NO_ROUTE_APPLIES {
        StatusCode::UNPROCESSABLE_ENTITY
    } else if code == &codes::WRONG_MUNICIPALITY {
        StatusCode::FORBIDDEN
    } else {
        StatusCode::BAD_REQUEST
    };
    Problem::of(status, &failure)
}

/// How many answers are wanted.
#[derive(Debug, serde::Deserialize)]
struct Wanted {
    max: Option<usize>,
}

/// Answers waiting for upstream, as CloudEvents; they stay until they are acknowledged.
async fn answers(
    State(ops): State<Arc<Ops>>,
    Extension(peer): Extension<PeerCertificate>,
    Query(wanted): Query<Wanted>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    sender(&ops, &peer, &headers)?;
    if ops.broker.is_some() {
        let title = "answers go to the broker; take them from its queue";
        return Err(Problem::plain(StatusCode::CONFLICT, title));
    }
    let limit = wanted.max.unwrap_or(100).clamp(1, MAX_ANSWERS);
    let pending = ops.cx.store.pending(limit).await.map_err(|error| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.code, error.detail).retry_after(5)
    })?;
    let messages = pending.into_iter().map(|Pending { id, message }| {
        let data: Value = serde_json::from_slice(message.body.expose()).unwrap_or(Value::Null);
        let mut event = json!({
            "specversion": "1.0",
            "id": message.message_id,
            "source": "watashi",
            "type": message.message_type,
            "datacontenttype": message.content_type,
            "data": data,
        });
        if let (Some(correlation), Some(members)) = (message.correlation_id, event.as_object_mut())
        {
            members.insert("correlationid".to_owned(), correlation.into());
        }
        json!({ "receipt": id, "event": event })
    });
    let messages: Vec<Value> = messages.collect();
    Ok(Json(json!({ "messages": messages })))
}

/// Receipts of answers that are safe with upstream.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Receipts {
    receipts: Vec<i64>,
}

async fn acknowledge(
    State(ops): State<Arc<Ops>>,
    Extension(peer): Extension<PeerCertificate>,
    headers: HeaderMap,
    Json(Receipts { receipts }): Json<Receipts>,
) -> Result<StatusCode, Problem> {
    sender(&ops, &peer, &headers)?;
    let at = ops.cx.clock.now();
    ops.cx.store.published(receipts, at).await.map_err(|error| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.code, error.detail).retry_after(5)
    })?;
    Ok(StatusCode::NO_CONTENT)
}
