//! The gate before a request is made for an exchange: what is over is ended, what may have been
//! applied is not sent where that is unsafe.

use super::context::Context;
use super::resolve;
use super::settle::{self, Decided};
use crate::adapter::{Operation, Route};
use crate::model::codes::message as codes;
use crate::model::{Class, Code, Failure, Stage, State};
use crate::store::{Claimed, Next};
use jiff::Timestamp;
use std::sync::Arc;

/// The exchange, when it may be sent; else it has been settled, or asked about.
pub async fn pass(claimed: Claimed, route: &Route, cx: &Arc<Context>) -> Option<Claimed> {
    if let Some(decided) = over(&claimed, route, cx.clock.now()) {
        settle::write(vec![(claimed, route, 0, decided)], cx).await;
        return None;
    }
    let Some(operation) = resolve::operation_of(route) else { return Some(claimed) };
    // Nothing is sent, and nothing decided, while the store cannot be read.
    if is_key_forgotten(&claimed, operation, cx).await? {
        let decided = Decided::of(person(&codes::KEY_FORGOTTEN));
        settle::write(vec![(claimed, route, 0, decided)], cx).await;
        return None;
    }
    if resolve::must_not_send(&claimed, operation) {
        resolve::without_sending(claimed, route, operation, cx).await;
        return None;
    }
    Some(claimed)
}

/// What follows where the route's deadline has passed: dead when it certainly was not applied,
/// else a person decides.
pub fn over(claimed: &Claimed, route: &Route, now: Timestamp) -> Option<Decided> {
    let age = settle::elapsed(claimed.envelope.accepted_at, now);
    if route.deadline.is_none_or(|deadline| age < deadline) {
        return None;
    }
    let may_be_applied =
        claimed.maybe_applied || matches!(claimed.state, State::Unknown | State::WaitingResult);
    Some(Decided::of(match may_be_applied {
        true => person(&codes::DEADLINE_PASSED),
        false => Next::Dead(failure(&codes::DEADLINE_PASSED, Class::Never)),
    }))
}

/// Whether an attempt may have been applied so long ago that the counterpart no longer knows its
/// key: sent again, or asked about, it would pass for new.
async fn is_key_forgotten(claimed: &Claimed, operation: &Operation, cx: &Context) -> Option<bool> {
    let Some(retention) = operation.key_retention else { return Some(false) };
    if !claimed.maybe_applied {
        return Some(false);
    }
    let now = cx.clock.now();
    // Accepted less long ago than that: no attempt can be older.
    if settle::elapsed(claimed.envelope.accepted_at, now) < retention {
        return Some(false);
    }
    let attempts = cx.store.attempts(claimed.id).await.ok()?;
    let first = attempts.first().and_then(|first| first.started_at.parse().ok());
    Some(first.is_none_or(|started| settle::elapsed(started, now) >= retention))
}

fn person(code: &'static Code) -> Next {
    Next::Unknown { due: None, failure: failure(code, Class::Unknown) }
}

fn failure(code: &'static Code, class: Class) -> Failure {
    Failure { code, stage: Stage::Deliver, class, detail: String::new() }
}
