//! From the broker into the store: in the order of arrival, whatever the store does.

use crate::pipeline::Context;
use crate::pipeline::accept::{Arrival, Origin, accept};
use crate::store::StoreError;
use crate::telemetry::crash;
use crate::transport::amqp::{Acknowledger, Delivery};
use futures_util::StreamExt;
use futures_util::future::{BoxFuture, OptionFuture};
use futures_util::stream::FuturesOrdered;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::mpsc;

/// Deliveries taken in one go before those under way are looked at again.
const TOGETHER: usize = 32;

/// Accepts deliveries as they come; each is acknowledged when it is safe. Many are under way at
/// once (bounded by the prefetch), so that the store can group them; their order within the store
/// is the order of arrival, because each is handed to it before the next is read. Once one could not
/// be stored, nothing new is read until it and all behind it are, in their order.
pub(super) async fn take(
    mut deliveries: mpsc::Receiver<Delivery>,
    acknowledger: Acknowledger,
    cx: Arc<Context>,
) {
    let mut waiting = FuturesOrdered::new();
    let mut open = true;
    let mut pause: Option<BoxFuture<'static, ()>> = None;
    while open || !waiting.is_empty() {
        // A moment's patience where places are about to be free: see `policy::brake`.
        if pause.is_none()
            && let Some(full) = cx.counterparts.full()
        {
            pause = Some(Box::pin(async move { full.wait_for_places().await }));
        }
        let goes_on = pause.is_none();
        let pausing = OptionFuture::from(pause.as_mut());
        let ended = tokio::select! {
            biased;
            ended = waiting.next(), if !waiting.is_empty() => ended,
            Some(()) = pausing => {
                pause = None;
                None
            }
            delivery = deliveries.recv(), if open && goes_on => {
                let mut next = delivery;
                open = next.is_some();
                let mut room = TOGETHER;
                while let Some(delivery) = next.take() {
                    let receipt = delivery.receipt;
                    waiting.push_back(store(receipt, arrival(delivery), &cx).await);
                    room -= 1;
                    // What is there already follows at once, as long as there are places for it.
                    if room > 0 && cx.counterparts.full().is_none() {
                        next = deliveries.try_recv().ok();
                    }
                }
                None
            }
        };
        let mut ended = ended;
        let mut refused = Vec::new();
        while let Some((receipt, arrival, stored)) = ended.take() {
            match stored {
                Ok(()) => {
                    crash::reach("ack:before");
                    acknowledger.complete([receipt]);
                }
                Err(error) => refused.push((receipt, arrival, error)),
            }
            if !refused.is_empty() {
                ended = waiting.next().await;
            }
        }
        if let Some((_, _, error)) = refused.first() {
            // Not acknowledged: the broker keeps them, too. The guard pauses consumption.
            let (code, detail, count) = (error.code.code, &error.detail, refused.len());
            tracing::error!(code, detail, count, "messages not stored yet: trying again");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        for (receipt, arrival, _) in refused {
            waiting.push_back(store(receipt, arrival, &cx).await);
        }
    }
}

type Stored<R> = (R, Arrival, Result<(), StoreError>);

/// Hands a message to the store: polled once here, so that it is queued before the next one.
async fn store<R: Copy + Send + 'static>(
    receipt: R,
    arrival: Arrival,
    cx: &Arc<Context>,
) -> BoxFuture<'static, Stored<R>> {
    let cx = Arc::clone(cx);
    let mut storing: BoxFuture<'static, Stored<R>> = Box::pin(async move {
        let stored = accept(&arrival, &cx).await.map(drop);
        (receipt, arrival, stored)
    });
    match futures_util::poll!(&mut storing) {
        Poll::Ready(ended) => Box::pin(std::future::ready(ended)),
        Poll::Pending => storing,
    }
}

fn arrival(delivery: Delivery) -> Arrival {
    let Delivery { mut properties, body, undeliverable, receipt: _ } = delivery;
    let source = properties.user_id.unwrap_or_else(|| "amqp".to_owned());
    let routing_key = Some(properties.routing_key).filter(|key| !key.is_empty());
    Arrival {
        source,
        origin: match undeliverable {
            Some(dead) => Origin::Undeliverable { reason: dead.reason },
            None => Origin::Upstream,
        },
        message_id: properties.message_id,
        message_type: properties.message_type.or(routing_key),
        content_type: properties.content_type,
        correlation_id: properties.correlation_id,
        reply_to: properties.reply_to,
        traceparent: properties.headers.remove("traceparent"),
        operator: properties.headers.remove("watashi-operator"),
        municipality: properties.headers.remove("watashi-municipality"),
        body,
        cleared: None,
    }
}
