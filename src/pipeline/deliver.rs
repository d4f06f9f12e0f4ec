//! Deliver: the intent durable first, then one attempt, then the outcome table.

use super::call::{Answer, Parts, call};
use super::context::{Context, Counterpart};
use super::map::{self, Mapped};
use super::pause::Permission;
use super::remember;
use super::settle::{self, Outcome};
use crate::adapter::{Destination, Operation, Route, UnknownRule};
use crate::model::codes::store as codes;
use crate::model::{Class, Failure, Secret, Stage};
use crate::record::Phase;
use crate::store::{Claimed, Intent, NewOutgoing, StoreError};
use crate::telemetry::crash;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

/// One attempt for one exchange. Inbound routes end in the outbox and send nothing.
pub async fn deliver(
    claimed: &Claimed,
    route: &Route,
    mapped: Mapped,
    cx: &Arc<Context>,
) -> Outcome {
    let operation = match &route.destination {
        Destination::Publish(message_type) => {
            return Outcome::Published(published(claimed, message_type, mapped));
        }
        Destination::Operation(operation) => operation,
    };
    let Some(counterpart) = cx.counterpart(&route.adapter.name) else { return Outcome::Stale };
    // Where only a person could resolve a lost answer, no intent waits for its turn: a crash would
    // leave it unknown though nothing was sent. Shortly before closing none waits either: its turn
    // could come too late.
    let closes_soon = counterpart.closes_soon(cx.clock.now());
    let early = match operation.unknown {
        UnknownRule::Resend | UnknownRule::Ask if !closes_soon => None,
        _ => Arc::clone(&counterpart.slots).acquire_owned().await.ok(),
    };
    if closes_soon {
        counterpart.turn().await;
    }
    let Ok(mut permission) = counterpart.admit(cx.clock.now()) else { return Outcome::NotNow };
    permission.has_turn = closes_soon;
    if let Err(failure) = within_lease(&counterpart, cx) {
        return Outcome::StoreDown(StoreError::new(failure.code, ""));
    }
    let intent = intent(claimed, route, &mapped, cx);
    crash::reach("deliver:before-intent");
    let taken = cx.store.intend(vec![intent]).await;
    crash::reach("deliver:after-intent");
    match taken {
        Ok(taken) if taken.first() == Some(&true) => {}
        Ok(_) => return Outcome::Stale,
        Err(error) => return Outcome::StoreDown(error),
    }
    attempt(claimed, route, mapped, permission, early, cx).await
}

/// The one attempt that an intent stands for; `slot` where it was taken before the intent.
pub(super) async fn attempt(
    claimed: &Claimed,
    route: &Route,
    mapped: Mapped,
    mut permission: Permission,
    slot: Option<OwnedSemaphorePermit>,
    cx: &Context,
) -> Outcome {
    let Destination::Operation(operation) = &route.destination else { return Outcome::Stale };
    let Some(counterpart) = cx.counterpart(&route.adapter.name) else { return Outcome::Stale };
    let _slot = match slot {
        Some(slot) => Some(slot),
        None => Arc::clone(&counterpart.slots).acquire_owned().await.ok(),
    };
    if !permission.has_turn {
        counterpart.turn().await;
        permission.has_turn = true;
    }
    if let Err(failure) = within_lease(&counterpart, cx) {
        return Outcome::Answered(Answer::none(failure));
    }
    if let Err(error) = remember::keep(&mapped.remembered, cx).await {
        return Outcome::Answered(Answer::none(not_kept(error)));
    }
    let parts = Parts {
        sent: map::sent_for(&operation.step.outcomes, claimed, route, cx),
        body: Some((mapped.body, mapped.content_type)),
        idempotency_key: claimed.idempotency_key.clone(),
        ticket: claimed.ticket.clone(),
        id: None,
        traceparent: claimed.envelope.traceparent.clone(),
    };
    let (name, step) = (&operation.name, &operation.step);
    Outcome::Answered(call(&counterpart, permission, name, step, parts).await)
}

/// One attempt for several exchanges in one request; outcomes in the order of `items`. The
/// second half of the result tells which of them the attempt was made for.
pub async fn deliver_batch(
    items: &[(Claimed, Arc<Route>, Mapped)],
    operation: &Operation,
    cx: &Arc<Context>,
) -> Result<(Answer, Vec<bool>), Outcome> {
    let Some((_, first_route, _)) = items.first() else { return Err(Outcome::Stale) };
    let Some(counterpart) = cx.counterpart(&first_route.adapter.name) else {
        return Err(Outcome::Stale);
    };
    let closes_soon = counterpart.closes_soon(cx.clock.now());
    if closes_soon {
        counterpart.turn().await;
    }
    let Ok(mut permission) = counterpart.admit(cx.clock.now()) else {
        return Err(Outcome::NotNow);
    };
    permission.has_turn = closes_soon;
    if let Err(failure) = within_lease(&counterpart, cx) {
        return Err(Outcome::StoreDown(StoreError::new(failure.code, "")));
    }
    let intents =
        items.iter().map(|(claimed, route, mapped)| intent(claimed, route, mapped, cx)).collect();
    crash::reach("deliver:before-intent");
    let taken = cx.store.intend(intents).await;
    crash::reach("deliver:after-intent");
    let taken = match taken {
        Ok(taken) => taken,
        Err(error) => return Err(Outcome::StoreDown(error)),
    };
    let kept: Vec<&(Claimed, Arc<Route>, Mapped)> =
        items.iter().zip(&taken).filter_map(|(item, taken)| taken.then_some(item)).collect();
    let Some((_, _, mapped)) = kept.first() else { return Err(Outcome::Stale) };
    if !permission.has_turn {
        counterpart.turn().await;
        permission.has_turn = true;
    }
    if let Err(failure) = within_lease(&counterpart, cx) {
        return Ok((Answer::none(failure), taken));
    }
    for (_, _, mapped) in &kept {
        if let Err(error) = remember::keep(&mapped.remembered, cx).await {
            return Ok((Answer::none(not_kept(error)), taken));
        }
    }
    let parts = Parts {
        body: Some((wrap(&kept), mapped.content_type.clone())),
        idempotency_key: batch_key(&kept, cx).into(),
        ..Parts::default()
    };
    let (name, step) = (&operation.name, &operation.step);
    Ok((call(&counterpart, permission, name, step, parts).await, taken))
}

/// What may come back was not kept: nothing was sent.
fn not_kept(error: StoreError) -> Failure {
    let (stage, class) = (Stage::Deliver, Class::TryAgain);
    Failure { code: error.code, stage, class, detail: error.detail }
}

/// Whether a request that begins now would end within this instance's lease. One that would not
/// must not begin: others may take it for interrupted while it is still on its way.
fn within_lease(counterpart: &Counterpart, cx: &Context) -> Result<(), Failure> {
    if cx.store.covers(counterpart.adapter.limits.timeout) {
        return Ok(());
    }
    let (stage, class) = (Stage::Deliver, Class::TryAgain);
    Err(Failure { code: &codes::LEASE_LOST, stage, class, detail: String::new() })
}

/// A JSON array of the items, in order: item numbers count from 1.
fn wrap(items: &[&(Claimed, Arc<Route>, Mapped)]) -> Vec<u8> {
    let size: usize = items.iter().map(|(_, _, mapped)| mapped.body.len() + 1).sum();
    let mut body = Vec::with_capacity(size + 2);
    body.push(b'[');
    for (index, (_, _, mapped)) in items.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&mapped.body);
    }
    body.push(b']');
    body
}

/// The same items in the same order have the same key, so that a batch sent again as it was is
/// known again; items regrouped are recognised by their own keys. Letters and few digits, like
/// every key: a hexadecimal one would now and then hold twelve digits that look like a 個人番号.
fn batch_key(items: &[&(Claimed, Arc<Route>, Mapped)], cx: &Context) -> String {
    let keys = items.iter().map(|(claimed, _, _)| &*claimed.idempotency_key);
    let joined = keys.collect::<Vec<_>>().join(",");
    let counterpart = items.first().map_or("", |(_, route, _)| route.adapter.name.as_str());
    cx.keys.idempotency_key(counterpart, "batch", &joined, "batch")
}

/// The intent of sending this.
pub(super) fn intent(claimed: &Claimed, route: &Route, mapped: &Mapped, cx: &Context) -> Intent {
    let at = cx.clock.now();
    let record = route.record.as_ref().map(|rule| {
        let mut draft = settle::draft(claimed, route, rule.kind, Phase::Intended, at);
        draft.attempt = claimed.attempts + 1;
        draft.not_disclosed = mapped.not_disclosed;
        draft
    });
    Intent {
        exchange: claimed.id,
        fence: claimed.fence,
        request_digest: super::hex_digest(&mapped.body),
        at,
        record,
    }
}

fn published(claimed: &Claimed, message_type: &str, mapped: Mapped) -> NewOutgoing {
    NewOutgoing {
        routing_key: message_type.to_owned(),
        message_id: settle::outgoing_id(claimed, "in"),
        message_type: message_type.to_owned(),
        correlation_id: Some(claimed.envelope.message_id.as_str().to_owned()),
        content_type: mapped.content_type,
        body: Secret::new(mapped.body),
    }
}
