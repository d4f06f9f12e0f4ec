//! What operators and machines ask over HTTP: health, metrics, counts, acts on exchanges; and the
//! ingest for upstream systems that have no broker.

use crate::config::Config;
use crate::config::connect::StartProblem;
use crate::model::Secret;
use crate::pipeline::Context;
use crate::transport::amqp::Control;
use axum::Router;
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub mod acts;
pub mod health;
pub mod ingest;
pub mod problem;
pub mod record;

/// What the handlers share.
pub struct Ops {
    /// The pipeline's context.
    pub cx: Arc<Context>,
    metrics: PrometheusHandle,
    broker: Option<Control>,
    token: Option<Secret<String>>,
    ingest_tokens: Vec<(String, Secret<String>)>,
    certificates: Vec<health::Certificate>,
    stopping: AtomicBool,
}

impl std::fmt::Debug for Ops {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ops").finish_non_exhaustive()
    }
}

impl Ops {
    /// Reads the tokens and the certificates whose expiry is watched.
    ///
    /// # Errors
    /// When a referenced token cannot be read.
    pub fn new(
        cx: Arc<Context>,
        metrics: PrometheusHandle,
        broker: Option<Control>,
        config: &Config,
    ) -> Result<Arc<Ops>, StartProblem> {
        let token = config.ops.token.as_ref().map(|reference| reference.secret()).transpose()?;
        let mut ingest_tokens = Vec::new();
        for (name, reference) in config.ingest.iter().flat_map(|ingest| &ingest.tokens) {
            ingest_tokens.push((name.clone(), reference.secret()?));
        }
        let certificates = health::certificates(config)?;
        let stopping = AtomicBool::new(false);
        Ok(Arc::new(Ops { cx, metrics, broker, token, ingest_tokens, certificates, stopping }))
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
        .route("/api/v1/counts", get(acts::counts))
        .route("/api/v1/restore/complete", post(acts::complete_restore))
        .route("/api/v1/record/access", post(record::access))
        .route("/api/v1/exchanges/{id}/body", post(acts::body))
        .route("/api/v1/exchanges/{id}/{act}", post(acts::act))
        .fallback(problem::not_found)
        .layer(axum::extract::DefaultBodyLimit::max(MAX_ACT))
        .with_state(ops)
}
