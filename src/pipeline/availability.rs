//! Availability: asks a counterpart whether it is open. The answer feeds the same pause as its
//! declared hours. One instance asks; the others read in the store what it heard.

use super::call::{Parts, call};
use super::context::{Context, Counterpart};
use super::map;
use super::pause::{Paused, Permission};
use super::pull::japan_time;
use crate::adapter::{Availability, Then};
use crate::mapping::Meta;
use crate::model::Failure;
use crate::policy::availability::Heard;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often instances that do not ask look for what was heard.
const LOOK: Duration = Duration::from_secs(5);

/// Asks until `stop`.
pub async fn run(counterpart: Arc<Counterpart>, cx: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let Some(availability) = &counterpart.adapter.availability else { return };
    let name = counterpart.adapter.name.as_str();
    let mut was_closed = false;
    while !*stop.borrow() {
        look(&counterpart, availability, &cx).await;
        let is_closed = counterpart.closed(cx.clock.now()).is_some();
        if is_closed != was_closed {
            let now = if is_closed { "counterpart closed" } else { "counterpart open" };
            tracing::info!(counterpart = name, "{now}");
            counterpart.wake();
        }
        was_closed = is_closed;
        tokio::select! {
            () = tokio::time::sleep(availability.every.min(LOOK)) => {}
            _ = stop.changed() => {}
        }
    }
}

/// One look: what was heard and is in the store, or the question itself when that is due and it is
/// this instance's to ask.
pub async fn look(counterpart: &Counterpart, availability: &Availability, cx: &Context) {
    let name = counterpart.adapter.name.as_str();
    let cursor = format!("availability/{name}");
    let stored = cx.store.cursor(cursor.clone()).await.ok().flatten();
    let stored = stored.as_deref().and_then(Heard::from_text);
    let known = counterpart.openness.heard();
    let newer = known.into_iter().chain(stored).max_by_key(|heard| heard.at);
    if let Some(heard) = newer {
        counterpart.openness.hear(heard);
    }
    let now = cx.clock.now();
    let is_fresh =
        newer.is_some_and(|heard| now.duration_since(heard.at).unsigned_abs() < availability.every);
    // Outside the declared hours nobody answers, and nothing would follow from it.
    let outside = matches!(counterpart.outside_hours(now), Some(Paused::Closed { .. }));
    if is_fresh || outside || !cx.store.lead(cursor.clone()).await.unwrap_or(false) {
        return;
    }
    match ask(counterpart, availability, cx).await {
        Ok(Some(heard)) => {
            counterpart.openness.hear(heard);
            if let Err(error) = cx.store.set_cursor(cursor, heard.to_text()).await {
                tracing::error!(
                    code = error.code.code,
                    detail = error.detail,
                    counterpart = name,
                    "availability not kept: other instances do not know of it"
                );
            }
        }
        // What was said before holds for a while.
        Ok(None) => {}
        Err(failure) => tracing::info!(
            counterpart = name,
            code = failure.code.code,
            detail = failure.detail,
            "no clear answer about availability"
        ),
    }
}

/// The question; `None` when the answer is declared but not clear.
async fn ask(
    counterpart: &Counterpart,
    availability: &Availability,
    cx: &Context,
) -> Result<Option<Heard>, Failure> {
    let now = cx.clock.now();
    let request = &availability.step.request;
    let idempotency_key = format!("availability-{}", now.as_millisecond());
    let body = match (&request.mapping, &request.body) {
        (Some(mapping), Some(plan)) => {
            let meta = Meta {
                message_id: Arc::default(),
                message_type: Arc::default(),
                source: Arc::default(),
                municipality: cx.settings.municipalities.first().cloned().map(Into::into),
                operator: None,
                accepted_at: now,
                idempotency_key: idempotency_key.clone().into(),
                correlation_id: None,
                ticket: None,
                request: None,
            };
            let document = json!({ "since": "", "now": japan_time(now), "page": 1 });
            let output = map::run(mapping, &document, &meta)?;
            let body = plan.codec.encode(&output).map_err(|error| Failure {
                code: &crate::model::codes::message::OUTPUT_NOT_ENCODABLE,
                stage: crate::model::Stage::Map,
                class: crate::model::Class::Never,
                detail: error.to_string(),
            })?;
            Some((body, plan.codec.content_type().to_owned()))
        }
        _ => None,
    };
    let parts = Parts { body, idempotency_key: idempotency_key.into(), ..Parts::default() };
    let _slot = counterpart.slots.acquire().await.ok();
    // It is asked also while the breaker is open, and tells the breaker nothing: that is about
    // requests that do something.
    let permission = Permission::regardless();
    let answer = call(counterpart, permission, "availability", &availability.step, parts).await;
    let heard = |open| Heard { open, until: answer.verdict.until, at: cx.clock.now() };
    match answer.verdict.then {
        Then::Open => Ok(Some(Heard { until: None, ..heard(true) })),
        Then::Closed => Ok(Some(heard(false))),
        _ => match answer.failure {
            Some(failure) => Err(failure),
            None => Ok(None),
        },
    }
}
