//! The guard: takes new messages only while the store can hold them, and says why when not.
//! It stops taking by itself and resumes by itself; what is not taken stays with its sender.

use super::context::Context;
use crate::telemetry::names;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(1);

/// Watches until `stop`.
pub async fn run(cx: Arc<Context>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let cause = look(&cx).await;
        let accepting = if cause.is_none() { 1.0 } else { 0.0 };
        metrics::gauge!(names::ACCEPTING).set(accepting);
        if cx.accepting.set(cause.clone()) {
            match cause {
                Some(detail) => tracing::warn!(
                    detail,
                    action = "nothing is lost: messages stay with their sender",
                    "no new messages are taken"
                ),
                None => tracing::info!("new messages are taken"),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

/// The cause why nothing new may be taken.
async fn look(cx: &Context) -> Option<String> {
    let backlog = match cx.store.backlog().await {
        Ok(backlog) => backlog,
        Err(error) => {
            metrics::gauge!(names::STORE_HEALTHY).set(0.0);
            return Some(error.to_string());
        }
    };
    // The record must be writable, not only readable: an empty note goes through the writer.
    if let Err(error) = cx.store.note(Vec::new()).await {
        metrics::gauge!(names::STORE_HEALTHY).set(0.0);
        return Some(error.to_string());
    }
    metrics::gauge!(names::STORE_HEALTHY).set(1.0);
    let mut cause = None;
    for (counterpart, count) in backlog {
        if count >= cx.settings.max_backlog {
            cause = Some(format!(
                "{count} exchanges wait for {counterpart}, the limit is {}",
                cx.settings.max_backlog
            ));
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge; exact below 2^53")]
        metrics::gauge!(names::BACKLOG, "counterpart" => counterpart).set(count as f64);
    }
    cause
}
