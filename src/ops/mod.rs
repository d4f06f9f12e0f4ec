//! What operators and machines ask over HTTP: health, metrics, counts, acts on exchanges; and the
//! ingest for upstream systems that have no broker.

use crate::config::Config;
use crate::config::connect::StartProblem;
use crate::model::Secret;
use crate::pipeline::Context;
use crate::transport::amqp::Control;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use problem::Problem;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::mpsc;

pub mod acts;
pub mod approvals;
pub mod callbacks;
pub mod health;
pub mod ingest;
pub mod keys;
pub mod problem;
pub mod record;
pub mod reload;
pub mod replays;

/// What the handlers share.
pub struct Ops {
    /// The pipeline's context.
    pub cx: Arc<Context>,
    metrics: PrometheusHandle,
    broker: Option<Control>,
    access: RwLock<Arc<Access>>,
    reload: mpsc::Sender<reload::Request>,
    /// What could not be taken over, by what it concerns; shown in readiness.
    notes: Mutex<BTreeMap<String, StartProblem>>,
    started: AtomicBool,
    stopping: AtomicBool,
}

/// Who may act and send, and which certificates are watched; renewed as a whole.
#[derive(Debug)]
pub struct Access {
    token: Option<Secret<String>>,
    ingest_tokens: Vec<(String, Secret<String>)>,
    certificates: Vec<health::Certificate>,
}

impl Access {
    /// Reads the tokens and the certificates whose expiry is watched.
    ///
    /// # Errors
    /// When a referenced token cannot be read.
    pub fn read(config: &Config) -> Result<Access, StartProblem> {
        let token = config.ops.token.as_ref().map(|reference| reference.secret()).transpose()?;
        let mut ingest_tokens = Vec::new();
        for (name, reference) in config.ingest.iter().flat_map(|ingest| &ingest.tokens) {
            ingest_tokens.push((name.clone(), reference.secret()?));
        }
        let certificates = health::certificates(config)?;
        Ok(Access { token, ingest_tokens, certificates })
    }
}

impl std::fmt::Debug for Ops {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ops").finish_non_exhaustive()
    }
}

impl Ops {
    /// What the handlers share, and where requests to reload arrive.
    ///
    /// # Errors
    /// As [`Access::read`].
    pub fn new(
        cx: Arc<Context>,
        metrics: PrometheusHandle,
        broker: Option<Control>,
        config: &Config,
    ) -> Result<(Arc<Ops>, mpsc::Receiver<reload::Request>), StartProblem> {
        let access = RwLock::new(Arc::new(Access::read(config)?));
        // One at a time: a second one would find nothing new.
        let (reload, requests) = mpsc::channel(1);
        let notes = Mutex::default();
        let (started, stopping) = (AtomicBool::new(false), AtomicBool::new(false));
        let ops = Ops { cx, metrics, broker, access, reload, notes, started, stopping };
        Ok((Arc::new(ops), requests))
    }

    /// Puts renewed tokens and certificates in the place of the old ones.
    pub fn renew(&self, access: Access) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
    }

    fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes what could not be taken over, or that it is well again; tells whether that is new.
    pub fn note(&self, what: &str, problem: Option<StartProblem>) -> bool {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &problem {
            Some(problem) => notes.insert(what.to_owned(), problem.clone()),
            None => notes.remove(what),
        };
        before != problem
    }

    fn noted(&self) -> BTreeMap<String, StartProblem> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The store was read and agrees with what was signed: from now on people may act on it.
    pub fn started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// From now on readiness is red.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::Release);
    }
}

/// Largest body of an act, in bytes.
const MAX_ACT: usize = 16 * 1024;

/// The ops listener's routes. Health and metrics need no login: they show nothing personal and
/// the listener is on the loopback unless configured otherwise.
pub fn router(ops: Arc<Ops>) -> Router {
    Router::new()
        .route("/live", get(health::live))
        .route("/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/version", get(health::version))
        .merge(api(&ops))
        .fallback(problem::not_found)
        .layer(DefaultBodyLimit::max(MAX_ACT))
        .with_state(ops)
}

/// What reads or changes what is in the store: not before the start is done.
fn api(ops: &Arc<Ops>) -> Router<Arc<Ops>> {
    Router::new()
        .route("/api/v1/counts", get(acts::counts))
        .route("/api/v1/reload", post(reload::reload))
        .route("/api/v1/replays", get(replays::list).post(replays::create))
        .route("/api/v1/replays/{id}", get(replays::show))
        .route("/api/v1/replays/{id}/{verb}", post(replays::change))
        .route("/api/v1/approvals", get(approvals::list))
        .route("/api/v1/approvals/{id}", get(approvals::show))
        .route("/api/v1/approvals/{id}/{verb}", post(approvals::act))
        .route("/api/v1/demands", get(approvals::demands))
        .route("/api/v1/demands/{id}", get(approvals::demand))
        .route("/api/v1/demands/{id}/close", post(approvals::close))
        .route(
            "/api/v1/demands/{id}/answer",
            post(approvals::answer).layer(DefaultBodyLimit::max(approvals::MAX_ANSWER)),
        )
        .route("/api/v1/restore/complete", post(acts::complete_restore))
        .route("/api/v1/record/access", post(record::access))
        .route("/api/v1/keys/rewrap", post(keys::rewrap))
        .route("/api/v1/keys/rotated", post(keys::rotated))
        .route("/api/v1/exchanges/{id}/body", post(acts::body))
        .route(
            "/api/v1/exchanges/{id}/answer",
            post(approvals::give).layer(DefaultBodyLimit::max(approvals::MAX_ANSWER)),
        )
        .route("/api/v1/exchanges/{id}/{act}", post(acts::act))
        .route_layer(from_fn_with_state(Arc::clone(ops), once_started))
}

async fn once_started(State(ops): State<Arc<Ops>>, request: Request, next: Next) -> Response {
    if ops.started.load(Ordering::Acquire) {
        return next.run(request).await;
    }
    let waits = "the gateway starts: it waits for its store, see /ready";
    let problem = Problem::plain(StatusCode::SERVICE_UNAVAILABLE, waits);
    problem.retry_after(1).into_response()
}
