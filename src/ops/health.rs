//! Alive, ready, metrics, version. Readiness says why not, in codes and words.

use super::Ops;
use crate::config::Config;
use crate::config::connect::StartProblem;
use crate::pipeline::Counterpart;
use crate::pipeline::pause::Paused;
use crate::pipeline::pull::japan_time;
use crate::telemetry::names;
use crate::transport::https::expires_at;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A certificate whose end is watched.
#[derive(Debug)]
pub struct Certificate {
    /// Counterpart, or `ingest`.
    owner: String,
    /// When it ends.
    ends: Timestamp,
}

/// Seconds of a year: a time left that concerns nobody.
const YEAR: i64 = 365 * 24 * 3_600;
/// Warned about from this many seconds before its end.
const WARN_BEFORE: i64 = 30 * 24 * 3_600;

/// Reads when the configured certificates end.
///
/// # Errors
/// When one cannot be read.
pub fn certificates(config: &Config) -> Result<Vec<Certificate>, StartProblem> {
    let counterparts = config.counterparts.iter().filter_map(|(name, counterpart)| {
        Some((name.clone(), counterpart.client_certificate.as_ref()?))
    });
    let ingest = config.ingest.iter().map(|ingest| ("ingest".to_owned(), &ingest.certificate));
    let mut found = Vec::new();
    for (owner, reference) in counterparts.chain(ingest) {
        let pem = reference.text()?;
        if let Some(ends) = expires_at(pem.as_bytes()) {
            found.push(Certificate { owner, ends });
        }
    }
    Ok(found)
}

/// The process runs.
pub async fn live() -> &'static str {
    "live\n"
}

/// The version of the program and of its definitions.
pub async fn version(State(ops): State<Arc<Ops>>) -> Json<Value> {
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "bundle": ops.cx.bundle().digest(),
    }))
}

/// Whether new messages are taken, with every cause why not, and notes on what is impaired
/// without stopping the rest.
pub async fn ready(State(ops): State<Arc<Ops>>) -> Response {
    let mut causes: Vec<Value> = Vec::new();
    let mut notes: Vec<Value> = Vec::new();
    if !ops.started.load(Ordering::Acquire) {
        causes.push(json!({ "what": "gateway", "detail": "starting: waits for its store" }));
    }
    if ops.stopping.load(Ordering::Acquire) {
        causes.push(json!({ "what": "gateway", "detail": "stopping" }));
    }
    if let Some(refusal) = ops.cx.accepting.refused_because() {
        let (code, detail) = (refusal.code.code, refusal.detail);
        causes.push(json!({ "what": "accepting", "code": code, "detail": detail }));
    }
    if let Some(refusal) = ops.cx.sealing.stops_sending() {
        let (code, detail) = (refusal.code.code, refusal.detail);
        causes.push(json!({ "what": "sending", "code": code, "detail": detail }));
    }
    for (what, code, detail) in ops.cx.files.all() {
        notes.push(
            json!({ "what": "files", "operation": what, "code": code.code, "detail": detail }),
        );
    }
    for note in ops.cx.sealing.notes() {
        notes.push(json!({ "what": "record", "code": note.code.code, "detail": note.detail }));
    }
    if !ops.cx.store.healthy() {
        causes.push(json!({ "what": "store", "detail": "failed; restart after mending the disk" }));
    }
    if let Some(broker) = &ops.broker {
        let status = broker.status().borrow().clone();
        if !status.connected {
            let (code, detail) =
                status.cause.map_or(("", String::new()), |(code, detail)| (code.code, detail));
            causes.push(json!({ "what": "broker", "code": code, "detail": detail }));
        }
    }
    for counterpart in ops.cx.counterparts.all() {
        let name = &counterpart.adapter.name;
        if let Some(note) = closed_note(&counterpart, ops.cx.clock.now()) {
            notes.push(note);
        }
        if counterpart.breaker().is_open() {
            notes.push(json!({ "what": "counterpart", "counterpart": name, "detail": "left alone after failures" }));
        }
    }
    if let Ok(epoch) = ops.cx.store.epoch().await
        && epoch.window
    {
        let detail = "restored: what is accepted is doubted until `watashi restore --complete`";
        notes.push(json!({ "what": "restore", "epoch": epoch.number, "detail": detail }));
    }
    notes.extend(ops.certificate_notes());
    for (what, problem) in ops.noted() {
        let (code, detail) = (problem.code.code, problem.detail);
        notes.push(json!({ "what": what, "code": code, "detail": detail }));
    }
    let ready = causes.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "causes": causes, "notes": notes }))).into_response()
}

/// A counterpart that is closed is nothing to mend: its messages wait until it opens.
fn closed_note(counterpart: &Counterpart, now: Timestamp) -> Option<Value> {
    let Paused::Closed { until } = counterpart.closed(now)? else { return None };
    let detail = match until {
        Some(until) => format!("closed until {}", japan_time(until)),
        None => "closed".to_owned(),
    };
    Some(
        json!({ "what": "counterpart", "counterpart": counterpart.adapter.name, "detail": detail }),
    )
}

impl Ops {
    fn certificate_notes(&self) -> Vec<Value> {
        let now = self.cx.clock.now().as_second();
        let mut notes = Vec::new();
        for certificate in &self.access().certificates {
            let left = certificate.ends.as_second() - now;
            if left < WARN_BEFORE {
                let detail =
                    if left < 0 { "certificate expired" } else { "certificate expires soon" };
                let days = left / 86_400;
                notes.push(json!({ "what": "certificate", "owner": certificate.owner, "detail": detail, "days": days }));
            }
        }
        notes
    }

    #[expect(clippy::cast_precision_loss, reason = "gauges; exact below 2^53")]
    async fn refresh_gauges(&self) {
        if let Ok(counts) = self.cx.store.counts().await {
            let mut by_state = std::collections::BTreeMap::new();
            for count in counts {
                *by_state.entry((count.route, count.state)).or_insert(0_u64) += count.count;
            }
            for ((route, state), count) in by_state {
                metrics::gauge!(names::EXCHANGES, "route" => route, "state" => state)
                    .set(count as f64);
            }
        }
        for counterpart in self.cx.counterparts.all() {
            let name = &counterpart.adapter.name;
            let closed = counterpart.closed(self.cx.clock.now()).is_some();
            let closed = if closed { 1.0 } else { 0.0 };
            metrics::gauge!(names::CLOSED, "counterpart" => name.clone()).set(closed);
            let open = if counterpart.breaker().is_open() { 1.0 } else { 0.0 };
            metrics::gauge!(names::BREAKER_OPEN, "counterpart" => name.clone()).set(open);
        }
        if let Some(broker) = &self.broker {
            let up = if broker.status().borrow().connected { 1.0 } else { 0.0 };
            metrics::gauge!(names::BROKER_CONNECTED).set(up);
        }
        let now = self.cx.clock.now().as_second();
        for certificate in &self.access().certificates {
            let owner = certificate.owner.clone();
            let left = certificate.ends.as_second() - now;
            metrics::gauge!(names::CERTIFICATE_EXPIRY, "counterpart" => owner).set(left as f64);
        }
        if let Ok(waiting) = self.cx.store.waiting().await {
            // Without one the time is long: an alert on little time must not fire.
            let left = |time: Option<jiff::Timestamp>| time.map_or(YEAR, |at| at.as_second() - now);
            let age = waiting.oldest.map_or(0, |since| (now - since.as_second()).max(0));
            metrics::gauge!(names::APPROVALS).set(waiting.approvals as f64);
            metrics::gauge!(names::APPROVALS_OLDEST).set(age as f64);
            metrics::gauge!(names::APPROVALS_EXPIRE).set(left(waiting.expires) as f64);
            metrics::gauge!(names::DEMANDS).set(waiting.demands as f64);
            metrics::gauge!(names::DEMANDS_DUE).set(left(waiting.due) as f64);
        }
        if let Ok(pending) = self.cx.store.pending(1_000).await {
            metrics::gauge!(names::OUTBOX_PENDING).set(pending.len() as f64);
        }
    }
}

/// Prometheus text.
pub async fn metrics(State(ops): State<Arc<Ops>>) -> impl IntoResponse {
    ops.refresh_gauges().await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], ops.metrics.render())
}
