//! Pull: lists what waits at a counterpart and fetches each item once.
//!
//! The store remembers every id that was taken over, so a list may name an item as often as it
//! likes. The cursor only shortens the lists: it moves when a whole pass succeeded, and stays
//! behind by an overlap, because a counterpart's clock is not ours.

use super::accept::{self, Arrival, Origin};
use super::call::{Parts, call};
use super::context::{Context, Counterpart};
use super::map;
use super::scan;
use crate::adapter::{Operation, Pull, Then};
use crate::mapping::Meta;
use crate::model::codes::signature;
use crate::model::{Class, Failure, MessageId};
use crate::store::{Accepted, Filter};
use crate::telemetry::names;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How far the cursor stays behind the start of the last good pass.
const OVERLAP: Duration = Duration::from_secs(600);
/// Items taken over in one pass, to the end of a page; the rest comes with the next.
const PASS_LIMIT: usize = 1_000;
/// Pages asked for in one pass.
const PAGE_LIMIT: u32 = 10_000;
/// Passes in which an item could not be taken over before it is set aside as a dead letter.
const BAD_PASSES: u32 = 3;
/// Items that are watched for that; a counterpart with more is in trouble itself.
const BAD_LIMIT: usize = 10_000;

/// Items whose answer was refused or not understood, with the number of passes that saw it. The
/// others are not kept waiting by them. In memory: after a restart the count begins anew.
pub(super) type Bad = BTreeMap<String, u32>;

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
    let mut bad = Bad::new();
    while !*stop.borrow() {
        // As it is now: its credentials may have been renewed since the last pass.
        let counterpart = cx.counterpart(&counterpart.adapter.name).unwrap_or(counterpart.clone());
        if cx.accepting.refused_because().is_none()
            && cx.store.lead(role.clone()).await.unwrap_or(false)
            && let Err(Halt::Failed(failure)) =
                pass(&operation, pull, &counterpart, &cx, &mut bad).await
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
#[derive(Debug)]
pub(super) enum Halt {
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

/// One pass: list, then fetch what is new. Trouble with the counterpart ends it, and the next pass
/// goes on; trouble with one item does not.
pub(super) async fn pass(
    operation: &Arc<Operation>,
    pull: &Pull,
    counterpart: &Arc<Counterpart>,
    cx: &Arc<Context>,
    bad: &mut Bad,
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
            idempotency_key: format!("list-{}-{page}", started.as_millisecond()).into(),
            ..Parts::default()
        };
        let permission = counterpart.admit(cx.clock.now()).map_err(|_| Halt::Paused)?;
        let answer = call(counterpart, permission, &operation.name, &pull.list, parts).await;
        if let Some(failure) = answer.failure {
            return Err(failure.into());
        }
        for id in listed(pull, answer.document.as_ref()) {
            if !known(&id, &counterpart.adapter.name, cx).await {
                fetch(&id, operation, pull, counterpart, cx, bad).await?;
                taken += 1;
            }
        }
        complete = !another_page(pull, answer.document.as_ref());
        if complete || taken >= PASS_LIMIT {
            break;
        }
    }
    // What is still tried again must be listed again.
    if complete
        && bad.is_empty()
        && let Ok(cursor) = started.checked_sub(OVERLAP)
    {
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
        message_id: Arc::default(),
        message_type: pull.message_type.clone().into(),
        source: Arc::default(),
        municipality: cx.settings.municipalities.first().cloned().map(Into::into),
        operator: None,
        accepted_at: now,
        idempotency_key: Arc::default(),
        correlation_id: None,
        ticket: None,
        request: None,
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

/// What was fetched, as a message that comes in.
fn fetched(
    id: &str,
    operation: &Arc<Operation>,
    pull: &Pull,
    counterpart: &Counterpart,
    body: Bytes,
) -> Arrival {
    Arrival {
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
        body,
        cleared: None,
    }
}

async fn fetch(
    id: &str,
    operation: &Arc<Operation>,
    pull: &Pull,
    counterpart: &Arc<Counterpart>,
    cx: &Arc<Context>,
    bad: &mut Bad,
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
    let parts = Parts { id: Some(id.to_owned()), idempotency_key: id.into(), ..Parts::default() };
    let permission = counterpart.admit(cx.clock.now()).map_err(|_| Halt::Paused)?;
    let answer = call(counterpart, permission, &operation.name, &operation.step, parts).await;
    let mut arrival = fetched(id, operation, pull, counterpart, answer.body);
    let stored = match answer.failure {
        None if answer.verdict.then != Then::Applied => return Ok(()),
        None => {
            let cleared = scan::clear(&mut arrival, cx.clock.now(), cx).await;
            match cleared.and_then(|()| accept::recognise(&arrival, cx)) {
                Err(failure) if failure.class == Class::TryAgain => {
                    return hold(id, failure, operation, counterpart, bad);
                }
                recognised => accept::accept_as(&arrival, recognised, cx).await,
            }
        }
        Some(failure) => {
            count(counterpart, operation, "failed");
            if !is_of_the_item(&failure, answer.status) {
                return Err(failure.into());
            }
            if bad.len() >= BAD_LIMIT && !bad.contains_key(id) {
                return Err(failure.into());
            }
            let passes = bad.entry(id.to_owned()).or_default();
            *passes += 1;
            let set_aside = *passes >= BAD_PASSES;
            tracing::warn!(
                counterpart = counterpart.adapter.name,
                operation = operation.name,
                message_id = id,
                code = failure.code.code,
                detail = failure.detail,
                action =
                    if set_aside { "see the dead letter" } else { "the next pass tries again" },
                "an item cannot be taken over; the others go on"
            );
            if !set_aside {
                return Ok(());
            }
            accept::set_aside(&arrival, failure, cx).await
        }
    };
    match stored {
        Ok(accepted) => {
            bad.remove(id);
            let is_new = matches!(accepted, Accepted::New { .. });
            count(counterpart, operation, if is_new { "new" } else { "duplicate" });
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

/// An item that cannot be judged yet stays where it is; the others go on.
fn hold(
    id: &str,
    failure: Failure,
    operation: &Operation,
    counterpart: &Counterpart,
    bad: &mut Bad,
) -> Result<(), Halt> {
    count(counterpart, operation, "held");
    tracing::error!(
        counterpart = counterpart.adapter.name,
        operation = operation.name,
        message_id = id,
        code = failure.code.code,
        detail = failure.detail,
        action = failure.code.remedy,
        "an item waits at the counterpart"
    );
    // Nothing else could be taken over either: it is not even fetched.
    if failure.code == &signature::SCANNER_DOWN {
        return Err(failure.into());
    }
    if bad.len() >= BAD_LIMIT && !bad.contains_key(id) {
        return Err(failure.into());
    }
    bad.entry(id.to_owned()).or_default();
    Ok(())
}

/// Whether a failure is one item's: the counterpart refused it for good, or gave something that is
/// not what was agreed. Anything else is trouble with the counterpart.
fn is_of_the_item(failure: &Failure, status: Option<u16>) -> bool {
    match failure.class {
        Class::Never => true,
        Class::Unknown => status.is_some_and(|status| (200..300).contains(&status)),
        Class::TryAgain => false,
    }
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
