//! The guard: takes new messages only while the store can hold them, and says why when not.
//! It stops taking by itself and resumes by itself; what is not taken stays with its sender.

use super::context::{Context, Refusal};
use crate::model::codes::message as codes;
use crate::model::codes::store as store_codes;
use crate::store::StoreError;
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
                Some(Refusal { code, detail }) => tracing::warn!(
                    code = code.code,
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
async fn look(cx: &Context) -> Option<Refusal> {
    let backlog = match cx.store.backlog().await {
        Ok(backlog) => backlog,
        Err(error) => return Some(unusable(error)),
    };
    // The store must be writable, not only readable, and have room: the writer itself is asked.
    if let Err(error) = cx.store.check_room().await {
        return Some(unusable(error));
    }
    metrics::gauge!(names::STORE_HEALTHY).set(1.0);
    let mut cause = None;
    for (counterpart, count) in backlog {
        if count >= cx.settings.max_backlog {
            let limit = cx.settings.max_backlog;
            let detail = format!("{count} exchanges wait for {counterpart}, the limit is {limit}");
            cause = Some(Refusal { code: &codes::BACKLOG_TOO_LONG, detail });
        }
        #[expect(clippy::cast_precision_loss, reason = "a gauge; exact below 2^53")]
        metrics::gauge!(names::BACKLOG, "counterpart" => counterpart).set(count as f64);
    }
    cause
}

fn unusable(error: StoreError) -> Refusal {
    // A full store is not a broken one: outcomes and the record still have room.
    let healthy = if error.code == &store_codes::STORE_FULL { 1.0 } else { 0.0 };
    metrics::gauge!(names::STORE_HEALTHY).set(healthy);
    Refusal { code: error.code, detail: error.detail }
}
