//! What is not a first attempt: results asked for later (poll, fetch), and lost answers asked
//! about (ask). None of these changes anything at the counterpart, so none needs an intent.

use super::call::{Answer, Parts, call, judge_item};
use super::context::{Context, Counterpart};
use super::pause::Permission;
use super::settle::{self, Decided, Ticket};
use super::{gate, map, reply, validate};
use crate::adapter::{Ask, Destination, Operation, Poll, Route, Step, Then, UnknownRule};
use crate::model::codes::message as codes;
use crate::model::{Class, Code, Failure, Stage, State};
use crate::record::Kind;
use crate::store::{Claimed, Next};
use crate::telemetry::crash;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Exchanges that share one ticket: asked about with one request.
pub async fn poll(group: Vec<(Claimed, Arc<Route>)>, operation: &Operation, cx: &Arc<Context>) {
    let Some(poll) = &operation.poll else { return };
    let Some((first, route)) = group.first() else { return };
    let Some(counterpart) = cx.counterpart(&route.adapter.name) else { return };
    let reference =
        first.ticket.as_deref().map(|text| Ticket::parse(text).reference).unwrap_or_default();
    let Ok(permission) = counterpart.admit(cx.clock.now()) else { return };
    let answer = match ask_step(
        first,
        route,
        &operation.name,
        &poll.step,
        &reference,
        &counterpart,
        permission,
        cx,
    )
    .await
    {
        Ok(answer) => answer,
        Err(failure) => return settle_all(group, cx, |_| person(failure.clone())).await,
    };
    let mut decided = Vec::with_capacity(group.len());
    for (claimed, route) in &group {
        let next =
            judge_poll(claimed, route, operation, poll, &answer, &reference, &counterpart, cx)
                .await;
        decided.push((claimed, route.as_ref(), 0, next));
    }
    settle::write(decided, cx).await;
}

#[expect(
    clippy::too_many_arguments,
    reason = "one exchange, its group's answer, and where they belong"
)]
async fn judge_poll(
    claimed: &Claimed,
    route: &Route,
    operation: &Operation,
    poll: &Poll,
    answer: &Answer,
    reference: &str,
    counterpart: &Counterpart,
    cx: &Arc<Context>,
) -> Decided {
    match answer.verdict.then {
        Then::Applied => {
            with_reference(reply::applied(claimed, route, answer.document.as_ref(), cx), reference)
        }
        Then::Ready => match (&poll.items, &operation.fetch) {
            (Some(_), _) => item_result(claimed, route, operation, poll, answer, reference, cx),
            (None, Some(step)) => {
                fetch(claimed, route, operation, step, reference, counterpart, cx).await
            }
            (None, None) => with_reference(
                reply::applied(claimed, route, answer.document.as_ref(), cx),
                reference,
            ),
        },
        Then::Refused => refused(answer.failure.clone(), reference),
        Then::NotApplied => not_applied(claimed, route, operation, answer.failure.clone(), cx),
        Then::Pending
        | Then::Accepted
        | Then::Retry
        | Then::Unknown
        | Then::Open
        | Then::Closed => wait_on(claimed, route, operation, cx),
    }
}

/// The counterpart took it but has no result yet, or its answer did not count: asked again later,
/// until the age limit hands it to a person.
fn wait_on(claimed: &Claimed, route: &Route, operation: &Operation, cx: &Context) -> Decided {
    let now = cx.clock.now();
    if let Some(decided) = gate::over(claimed, route, now) {
        return decided;
    }
    if settle::age(claimed, route, now).open >= route.max_age() {
        return person(failure(&codes::RESULT_LATE, Class::Unknown, ""));
    }
    let every = operation.poll.as_ref().map(|poll| poll.every).unwrap_or_default();
    let ticket = claimed.ticket.clone().unwrap_or_default();
    Decided::of(Next::WaitResult { due: settle::later(now, every), ticket })
}

fn item_result(
    claimed: &Claimed,
    route: &Route,
    operation: &Operation,
    poll: &Poll,
    answer: &Answer,
    reference: &str,
    cx: &Context,
) -> Decided {
    let Some(items) = &poll.items else { return wait_on(claimed, route, operation, cx) };
    let number = claimed.ticket.as_deref().and_then(|text| Ticket::parse(text).item).unwrap_or(1);
    let list = answer.document.as_ref().and_then(|document| items.path.find(document)?.as_array());
    let is_ours =
        |item: &&Value| items.key.find(item).and_then(Value::as_u64) == Some(u64::from(number));
    let Some(item) = list.and_then(|list| list.iter().find(is_ours)) else {
        let missing = failure(&codes::ITEM_MISSING, Class::Unknown, format!("item {number}"));
        let next = settle::after_failure(claimed, operation, route, missing, None, cx.clock.now());
        return Decided::of(next);
    };
    let sent = map::sent_for(&items.outcomes, claimed, route, cx);
    let (verdict, problem) = judge_item(&items.outcomes, item, sent.as_ref());
    match verdict.then {
        Then::Applied => with_reference(reply::applied(claimed, route, Some(item), cx), reference),
        Then::Refused => refused(problem, reference),
        Then::NotApplied | Then::Retry => not_applied(claimed, route, operation, problem, cx),
        Then::Pending | Then::Accepted | Then::Ready => wait_on(claimed, route, operation, cx),
        Then::Unknown | Then::Open | Then::Closed => {
            let problem =
                problem.unwrap_or_else(|| failure(&codes::ITEM_MISSING, Class::Unknown, ""));
            Decided::of(settle::after_failure(
                claimed,
                operation,
                route,
                problem,
                None,
                cx.clock.now(),
            ))
        }
    }
}

async fn fetch(
    claimed: &Claimed,
    route: &Route,
    operation: &Operation,
    step: &Step,
    reference: &str,
    counterpart: &Counterpart,
    cx: &Arc<Context>,
) -> Decided {
    let Ok(permission) = counterpart.admit(cx.clock.now()) else {
        return wait_on(claimed, route, operation, cx);
    };
    let asked =
        ask_step(claimed, route, &operation.name, step, reference, counterpart, permission, cx)
            .await;
    let answer = match asked {
        Ok(answer) => answer,
        Err(failure) => return person(failure),
    };
    match answer.verdict.then {
        Then::Applied => {
            let mut decided = reply::applied(claimed, route, answer.document.as_ref(), cx);
            decided.kind = route
                .record
                .as_ref()
                .filter(|rule| rule.kind == Kind::Request)
                .map(|_| Kind::Obtain);
            with_reference(decided, reference)
        }
        Then::Refused => refused(answer.failure, reference),
        Then::NotApplied => not_applied(claimed, route, operation, answer.failure, cx),
        _ => wait_on(claimed, route, operation, cx),
    }
}

/// Whether an exchange may have been applied by an operation that does not recognise a repetition:
/// nothing may be sent for it before that is settled.
pub fn must_not_send(claimed: &Claimed, operation: &Operation) -> bool {
    let may_be_applied = claimed.state == State::Unknown || claimed.maybe_applied;
    may_be_applied && operation.unknown != UnknownRule::Resend
}

/// Asked about where the operation can be asked, else left to a person: after a crash or a restore
/// an exchange is `unknown` and due whatever its operation declares.
pub async fn without_sending(
    claimed: Claimed,
    route: &Route,
    operation: &Operation,
    cx: &Arc<Context>,
) {
    match (operation.unknown, &operation.ask) {
        (UnknownRule::Ask, Some(question)) => {
            ask(claimed, route, operation, question, cx).await;
        }
        _ => {
            let decided = person(failure(&codes::PERSON_NEEDED, Class::Unknown, ""));
            settle::write(vec![(claimed, route, 0, decided)], cx).await;
        }
    }
}

/// Asks whether a submit whose answer was lost was applied. Only a declared answer counts; it is
/// asked after the settle time, so that a late request cannot be missed.
pub async fn ask(
    claimed: Claimed,
    route: &Route,
    operation: &Operation,
    ask: &Ask,
    cx: &Arc<Context>,
) {
    let Some(counterpart) = cx.counterpart(&route.adapter.name) else { return };
    let settled_at = settle::later(claimed.since, ask.settle_after);
    if cx.clock.now() < settled_at {
        // Interrupted by a restart a moment ago: the request may still be on its way, and an
        // answer now would prove nothing.
        let wait = Next::Unknown {
            due: Some(settled_at),
            failure: failure(&codes::INTERRUPTED, Class::Unknown, "asked after the settle time"),
        };
        return settle::write(vec![(claimed, route, 0, Decided::of(wait))], cx).await;
    }
    let rest = cx.steady.rest(&*cx.clock, ask.settle_after);
    if !rest.is_zero() {
        // The clock was set, or may have been while nobody ran: that it says so does not mean that
        // the settle time has passed.
        let wait = Next::Unknown {
            due: Some(settle::later(cx.clock.now(), rest)),
            failure: failure(
                &codes::INTERRUPTED,
                Class::Unknown,
                "asked after the settle time: the clock was set, or the gateway started",
            ),
        };
        return settle::write(vec![(claimed, route, 0, Decided::of(wait))], cx).await;
    }
    let slot = counterpart.slots.acquire().await;
    let Ok(permission) = counterpart.admit(cx.clock.now()) else { return };
    crash::reach("resolve:before-question");
    let answered =
        ask_step(&claimed, route, &operation.name, &ask.step, "", &counterpart, permission, cx)
            .await;
    drop(slot);
    let decided = match answered {
        Err(failure) => person(failure),
        Ok(answer) => match (answer.verdict.then, answer.verdict.ticket.clone(), &operation.poll) {
            (Then::Applied | Then::Accepted, Some(reference), Some(poll)) => {
                let due = settle::later(cx.clock.now(), poll.every);
                let ticket = Ticket { reference: reference.clone(), item: None }.to_string();
                with_reference(Decided::of(Next::WaitResult { due, ticket }), &reference)
            }
            (Then::Applied, _, _) => reply::applied(&claimed, route, answer.document.as_ref(), cx),
            (Then::NotApplied, _, _) => not_applied(&claimed, route, operation, answer.failure, cx),
            (Then::Refused, _, _) => refused(answer.failure, ""),
            _ => ask_again(&claimed, route, operation, answer, cx),
        },
    };
    settle::write(vec![(claimed, route, 0, decided)], cx).await;
}

fn ask_again(
    claimed: &Claimed,
    route: &Route,
    operation: &Operation,
    answer: Answer,
    cx: &Context,
) -> Decided {
    let problem = answer
        .failure
        .unwrap_or_else(|| failure(&codes::ANSWER_NOT_UNDERSTOOD, Class::Unknown, ""));
    // Whatever went wrong with the question, the submit stays unknown.
    let problem = Failure { class: Class::Unknown, ..problem };
    let now = cx.clock.now();
    Decided::of(settle::after_failure(claimed, operation, route, problem, answer.retry_after, now))
}

/// One question about a claimed exchange, its body made by the step's own mapping from the
/// `watashi/ticket` document.
#[expect(clippy::too_many_arguments, reason = "one exchange, its question, and where they belong")]
async fn ask_step(
    claimed: &Claimed,
    route: &Route,
    operation: &str,
    step: &Step,
    reference: &str,
    counterpart: &Counterpart,
    permission: Permission,
    cx: &Context,
) -> Result<Answer, Failure> {
    let body = match (&step.request.mapping, &step.request.body) {
        (Some(mapping), Some(plan)) => {
            let document = validate::read(claimed, &cx.bundle_of(claimed), cx)?.into_value();
            let ticket = json!({
                "ticket": reference,
                "idempotencyKey": claimed.idempotency_key,
                "messageId": claimed.envelope.message_id.as_str(),
                "document": document,
            });
            let output = map::run(mapping, &ticket, &map::meta(claimed))?;
            let body = plan.codec.encode(&output).map_err(|error| {
                failure(&codes::OUTPUT_NOT_ENCODABLE, Class::Never, error.to_string())
            })?;
            Some((body, plan.codec.content_type().to_owned()))
        }
        _ => None,
    };
    let parts = Parts {
        body,
        idempotency_key: claimed.idempotency_key.clone(),
        ticket: Some(reference.to_owned()),
        id: None,
        traceparent: claimed.envelope.traceparent.clone(),
        sent: map::sent_for(&step.outcomes, claimed, route, cx),
    };
    Ok(call(counterpart, permission, operation, step, parts).await)
}

/// A declared refusal in a result is a settled answer about every attempt with this key: it
/// clears the sticky flag, so the exchange may be dead.
pub(super) fn refused(problem: Option<Failure>, reference: &str) -> Decided {
    let problem = problem.unwrap_or_else(|| failure(&codes::REFUSED, Class::Never, ""));
    let decided = Decided { clear: true, ..Decided::of(Next::Dead(problem)) };
    with_reference(decided, reference)
}

/// The counterpart certainly does not have it: tried again from the start.
pub(super) fn not_applied(
    claimed: &Claimed,
    route: &Route,
    operation: &Operation,
    problem: Option<Failure>,
    cx: &Context,
) -> Decided {
    let problem = problem.unwrap_or_else(|| failure(&codes::UNAVAILABLE, Class::TryAgain, ""));
    let cleared = Claimed { maybe_applied: false, ..claimed.clone() };
    let next = settle::after_failure(&cleared, operation, route, problem, None, cx.clock.now());
    Decided { clear: true, ..Decided::of(next) }
}

pub(super) fn person(failure: Failure) -> Decided {
    Decided::of(Next::Unknown { due: None, failure })
}

pub(super) fn with_reference(decided: Decided, reference: &str) -> Decided {
    let reference = (!reference.is_empty()).then(|| reference.to_owned());
    Decided { reference, ..decided }
}

async fn settle_all(
    group: Vec<(Claimed, Arc<Route>)>,
    cx: &Arc<Context>,
    decide: impl Fn(&Claimed) -> Decided,
) {
    let decided = group
        .iter()
        .map(|(claimed, route)| (claimed.clone(), route.as_ref(), 0, decide(claimed)))
        .collect();
    settle::write(decided, cx).await;
}

/// Exchanges of one operation grouped by the reference of their ticket.
pub fn by_ticket(claimed: Vec<(Claimed, Arc<Route>)>) -> Vec<Vec<(Claimed, Arc<Route>)>> {
    let mut groups: BTreeMap<String, Vec<(Claimed, Arc<Route>)>> = BTreeMap::new();
    for (claimed, route) in claimed {
        let reference = claimed.ticket.as_deref().map(|text| Ticket::parse(text).reference);
        groups.entry(reference.unwrap_or_default()).or_default().push((claimed, route));
    }
    groups.into_values().collect()
}

/// The destination's operation, when it is one.
pub fn operation_of(route: &Route) -> Option<&Arc<Operation>> {
    match &route.destination {
        Destination::Operation(operation) => Some(operation),
        Destination::Publish(_) => None,
    }
}

fn failure(code: &'static Code, class: Class, detail: impl Into<String>) -> Failure {
    Failure { code, stage: Stage::Deliver, class, detail: detail.into() }
}
