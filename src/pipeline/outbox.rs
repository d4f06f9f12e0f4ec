//! The outbox: answers and inbound messages go to upstream from here, at least once, under ids
//! that stay the same. A row is marked only after a confirmed and routed publish.

use super::context::Context;
use crate::store::{NewOutgoing, Pending};
use crate::telemetry::{crash, names};
use crate::transport::{Outgoing, Publisher};
use futures_util::future::join_all;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Rows published at once.
const GROUP: usize = 200;
/// Pause after a failed publish, and the longest sleep.
const PAUSE: Duration = Duration::from_secs(1);

/// Publishes until `stop`.
pub async fn run(publisher: Arc<dyn Publisher>, cx: Arc<Context>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let (found, failed) = publish_pending(publisher.as_ref(), &cx).await;
        if found == GROUP && failed == 0 {
            continue;
        }
        tokio::select! {
            () = cx.outbox.notified(), if failed == 0 => {}
            () = tokio::time::sleep(PAUSE) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn publish_pending(publisher: &dyn Publisher, cx: &Context) -> (usize, usize) {
    let pending = match cx.store.pending(GROUP).await {
        Ok(pending) => pending,
        Err(error) => {
            tracing::error!(
                code = error.code.code,
                detail = error.detail,
                "the outbox cannot be read"
            );
            return (0, 1);
        }
    };
    let found = pending.len();
    let publishes = pending.into_iter().map(|Pending { id, message }| async move {
        crash::reach("outbox:before-publish");
        let published = publisher.publish(outgoing(message)).await;
        crash::reach("outbox:after-publish");
        (id, published)
    });
    let mut confirmed = Vec::new();
    let mut failed = 0;
    for (id, result) in join_all(publishes).await {
        let word = if result.is_ok() { "confirmed" } else { "failed" };
        metrics::counter!(names::PUBLISHED, "result" => word).increment(1);
        match result {
            Ok(()) => confirmed.push(id),
            Err(error) => {
                failed += 1;
                if failed == 1 {
                    tracing::warn!(
                        code = error.code.code,
                        detail = error.detail,
                        action = "publishing goes on by itself once the broker takes it",
                        "answer not published yet"
                    );
                }
            }
        }
    }
    if !confirmed.is_empty()
        && let Err(error) = cx.store.published(confirmed, cx.clock.now()).await
    {
        // Published but not marked: published again, under the same id.
        tracing::error!(code = error.code.code, detail = error.detail, "published rows not marked");
        failed += 1;
    }
    crash::reach("outbox:after-mark");
    (found, failed)
}

fn outgoing(message: NewOutgoing) -> Outgoing {
    Outgoing {
        routing_key: message.routing_key,
        message_id: message.message_id,
        message_type: message.message_type,
        correlation_id: message.correlation_id,
        content_type: message.content_type,
        headers: Vec::new(),
        body: message.body,
    }
}
