//! Pull: lists what waits at a counterpart and fetches each item once.
//!
//! The store remembers every id that was taken over, so a list may name an item as often as it
//! likes. The cursor only shortens the lists: it moves when a whole pass succeeded, and stays
//! behind by an overlap, because a counterpart's clock is not ours.

use super::accept::{Arrival, Origin, accept};
use super::call::{Parts, call};
use super::context::{Context, Counterpart};
use super::map;
use crate::adapter::{Operation, Pull, Then};
use crate::mapping::Meta;
use crate::model::{Failure, MessageId};
use crate::store::{Accepted, Filter};
use crate::telemetry::names;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How far the cursor stays behind the start of the last good pass.
const OVERLAP: Duration = Duration::from_secs(600);
/// Items taken over in one pass, to the end of a page; the rest comes with the next.
const PASS_LIMIT: usize = 1_000;
/// Pages asked for in one pass.
const PAGE_LIMIT: u32 = 10_000;

/// Pulls until `stop`.
pub async fn run(
    operation: Arc<Operation>,
    counterpart: Arc<Counterpart>,
    cx: Arc<Context>,
    mut stop: watch::Receiver<bool>,
) {
    let Some(pull) = &operation.pull else { return };
    // Of several instances one pulls; another one takes over when its lease ends.
    let role = format!("pull:{}/{}", counterpart.adapter.name, operation.name);
    while !*stop.borrow() {
        // As it is now: its credentials may have been renewed since the last pass.
        let counterpart = cx.counterpart(&counterpart.adapter.name).unwrap_or(counterpart.clone());
        if cx.accepting.refused_because().is_none()
            && cx.store.lead(role.clone()).await.unwrap_or(false)
            && let Err(Halt::Failed(failure)) = pass(&operation, pull, &counterpart, &cx).await
        {
            tracing::warn!(
                counterpart = counterpart.adapter.name,
                operation = operation.name,
                code = failure.code.code,
                detail = failure.detail,
                action = "the next pass tries again",
                "pull not complete"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(pull.every) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Why a pass ended early.
enum Halt {
    /// The counterpart is closed or left alone.
    Paused,
    /// A request failed.
    Failed(Failure),
}

impl From<Failure> for Halt {
    fn from(failure: Failure) -> Halt {
        Halt::Failed(failure)
    }
}

/// One pass: list, then fetch what is new. The first failure ends it; the next pass goes on.
async fn pass(
    operation: &Arc<Operation>,
    pull: &Pull,
    counterpart: &Arc<Counterpart>,
    cx: &Arc<Context>,
) -> Result<(), Halt> {
    let Ok(_slot) = Arc::clone(&counterpart.slots).acquire_owned().await else { return Ok(()) };
    let started = cx.clock.now();
    let cursor_name = format!("{}/{}", counterpart.adapter.name, operation.name);
    let Ok(since) = cx.store.cursor(cursor_name.clone()).await else { return Ok(()) };
    let since = since.unwrap_or_default();
    let mut taken = 0;
    let mut complete = false;
    for page in 1..=PAGE_LIMIT {
        let body = list_body(pull, &since, started, page, cx)?;
        let parts = Parts {
            body,
            idempotency_key: format!("list-{}-{page}", started.as_millisecond()),
            ..Parts::default()
        };
        let permission = counterpart.admit(cx.clock.now()).map_err(|_| Halt::Paused)?;
        let answer = call(counterpart, permission, &operation.name, &pull.list, parts).await;
        if let Some(failure) = answer.failure {
            return Err(failure.into());
        }
        for id in listed(pull, answer.document.as_ref()) {
            if !known(&id, &counterpart.adapter.name, cx).await {
                fetch(&id, operation, pull, counterpart, cx).await?;
                taken += 1;
            }
        }
        complete = !another_page(pull, answer.document.as_ref());
        if complete || taken >= PASS_LIMIT {
            break;
        }
    }
    if complete && let Ok(cursor) = started.checked_sub(OVERLAP) {
        let moved = cx.store.set_cursor(cursor_name, japan_time(cursor)).await;
        if let Err(error) = moved {
            tracing::error!(
                code = error.code.code,
                detail = error.detail,
                "cursor not moved: the next list is longer"
            );
        }
    }
    Ok(())
}

/// The ids an answer lists.
fn listed(pull: &Pull, document: Option<&Value>) -> Vec<String> {
    let items = document.and_then(|document| pull.items.find(document)?.as_array());
    items
        .into_iter()
        .flatten()
        .filter_map(|item| pull.id.find(item)?.as_str().map(str::to_owned))
        .collect()
}

/// Whether the answer says that its list goes on.
fn another_page(pull: &Pull, document: Option<&Value>) -> bool {
    let said = pull.more.as_ref().and_then(|path| path.find(document?)?.as_bool());
    said.unwrap_or(false)
}

fn list_body(
    pull: &Pull,
    since: &str,
    now: Timestamp,
    page: u32,
    cx: &Context,
) -> Result<Option<(Vec<u8>, String)>, Failure> {
    let (Some(mapping), Some(plan)) = (&pull.list.request.mapping, &pull.list.request.body) else {
        return Ok(None);
    };
    let document = json!({ "since": since, "now": japan_time(now), "page": page });
    let meta = Meta {
        message_id: String::new(),
        message_type: pull.message_type.clone(),
        source: String::new(),
        municipality: cx.settings.municipalities.first().cloned(),
        operator: None,
        accepted_at: now,
        idempotency_key: String::new(),
        correlation_id: None,
        ticket: None,
    };
    let output = map::run(mapping, &document, &meta)?;
    let body = plan.codec.encode(&output).map_err(|error| Failure {
        code: &crate::model::codes::message::OUTPUT_NOT_ENCODABLE,
        stage: crate::model::Stage::Map,
        class: crate::model::Class::Never,
        detail: error.to_string(),
    })?;
    Ok(Some((body, plan.codec.content_type().to_owned())))
}

async fn known(id: &str, source: &str, cx: &Context) -> bool {
    let filter = Filter { message_id: Some(id.to_owned()), limit: 10, ..Filter::default() };
    match cx.store.list(filter).await {
        Ok(found) => found.iter().any(|exchange| exchange.source == source),
        // Fetching again is harmless: accept recognises it.
        Err(_) => false,
    }
}

async fn fetch(
    id: &str,
    operation: &Arc<Operation>,
    pull: &Pull,
    counterpart: &Arc<Counterpart>,
    cx: &Arc<Context>,
) -> Result<(), Halt> {
    if MessageId::parse(id).is_none() {
        count(counterpart, operation, "failed");
        tracing::warn!(
            counterpart = counterpart.adapter.name,
            operation = operation.name,
            "an item's id is not of the allowed form: left there"
        );
        return Ok(());
    }
    let parts =
        Parts { id: Some(id.to_owned()), idempotency_key: id.to_owned(), ..Parts::default() };
    let permission = counterpart.admit(cx.clock.now()).map_err(|_| Halt::Paused)?;
    let answer = call(counterpart, permission, &operation.name, &operation.step, parts).await;
    if let Some(failure) = answer.failure {
        count(counterpart, operation, "failed");
        return Err(failure.into());
    }
    if answer.verdict.then != Then::Applied {
        return Ok(());
    }
    let arrival = Arrival {
        source: counterpart.adapter.name.clone(),
        origin: Origin::Pulled {
            adapter: Arc::clone(&counterpart.adapter),
            operation: Arc::clone(operation),
        },
        message_id: Some(id.to_owned()),
        message_type: Some(pull.message_type.clone()),
        content_type: None,
        correlation_id: None,
        reply_to: None,
        traceparent: None,
        operator: None,
        municipality: None,
        body: answer.body,
    };
    match accept(&arrival, cx).await {
        Ok(Accepted::New { .. }) => count(counterpart, operation, "new"),
        Ok(Accepted::Duplicate | Accepted::Quarantined) => {
            count(counterpart, operation, "duplicate")
        }
        Err(error) => {
            tracing::error!(
                code = error.code.code,
                detail = error.detail,
                "pulled item not stored: pulled again later"
            );
        }
    }
    Ok(())
}

fn count(counterpart: &Counterpart, operation: &Operation, result: &'static str) {
    metrics::counter!(names::PULLED, "counterpart" => counterpart.adapter.name.clone(),
        "operation" => operation.name.clone(), "result" => result)
    .increment(1);
}

/// RFC 3339 at UTC+9, to the second: the form counterparts list by.
pub fn japan_time(at: Timestamp) -> String {
    let zone = TimeZone::fixed(Offset::constant(9));
    at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S+09:00").to_string()
}
