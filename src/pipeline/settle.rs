//! Settle: the outcome, its record entry and what follows from it, in one transaction.

use super::call::Answer;
use super::context::Context;
use super::reply;
use crate::adapter::{Destination, Operation, Route, Then, UnknownRule};
use crate::model::codes::message as codes;
use crate::model::{Class, Envelope, Failure, Secret, Stage, State};
use crate::policy::retry::{Age, Decision, Schedule};
use crate::policy::verdict::{Follow, Resolution, follow};
use crate::record::{Draft, Kind, Phase};
use crate::store::{AttemptResult, Claimed, NewOutgoing, Next, Settled, Settlement, StoreError};
use crate::telemetry::{crash, names};
use jiff::Timestamp;
use serde_json::json;
use std::borrow::Borrow;
use std::sync::Arc;
use std::time::Duration;

/// What the stations before brought.
#[derive(Debug)]
pub enum Outcome {
    /// It ended before anything was sent.
    NotSent(Failure),
    /// An inbound document for upstream; nothing is sent to a counterpart.
    Published(NewOutgoing),
    /// One attempt was made.
    Answered(Answer),
    /// Somebody else has the exchange now; there is nothing to write.
    Stale,
    /// The counterpart is closed or left alone: nothing was sent, the exchange stays as it was.
    NotNow,
    /// The store could not take the intent: nothing was sent, the exchange stays as it was.
    StoreDown(StoreError),
}

/// What follows, before it is written.
#[derive(Clone, Debug)]
pub struct Decided {
    /// What follows for the exchange.
    pub next: Next,
    /// The attempt's result, when one was made.
    pub attempt: Option<AttemptResult>,
    /// A settled status query proved that nothing was applied.
    pub clear: bool,
    /// 処理通番, 受付番号 or task id, for the record.
    pub reference: Option<String>,
    /// Messages for upstream.
    pub outbox: Vec<NewOutgoing>,
    /// Kind of the record entry, when it differs from the route's.
    pub kind: Option<Kind>,
}

/// Settles one exchange after its stations.
pub async fn settle(claimed: &Claimed, route: &Route, outcome: Outcome, cx: &Arc<Context>) {
    let raised = i64::from(matches!(outcome, Outcome::Answered(_)));
    let decided = match outcome {
        Outcome::Stale | Outcome::NotNow => return,
        Outcome::StoreDown(error) => {
            tracing::error!(
                code = error.code.code,
                detail = error.detail,
                exchange = claimed.id,
                "the store cannot take the intent: nothing is sent"
            );
            return tokio::time::sleep(STORE_PAUSE).await;
        }
        Outcome::NotSent(failure) => not_sent(claimed, failure),
        Outcome::Published(message) => {
            Decided { outbox: vec![message], ..Decided::of(Next::Delivered) }
        }
        Outcome::Answered(answer) => match &route.destination {
            Destination::Operation(operation) => {
                after_attempt(claimed, route, operation, answer, None, cx)
            }
            Destination::Publish(_) => return,
        },
    };
    write(vec![(claimed, route, raised, decided)], cx).await;
}

/// Settles an exchange whose route the definitions no longer have: a person must look at it.
pub async fn route_gone(claimed: Claimed, cx: &Arc<Context>) {
    let failure = Failure {
        code: &codes::ROUTE_GONE,
        stage: Stage::Validate,
        class: Class::Never,
        detail: claimed.route.to_string(),
    };
    let decided = not_sent(&claimed, failure);
    let settlement = settlement(&claimed, 0, decided, Vec::new(), cx.clock.now());
    submit(vec![settlement], cx).await;
    cx.wake_all();
}

/// How long the pipeline waits before it tries a store that failed again.
const STORE_PAUSE: Duration = Duration::from_secs(1);

impl Decided {
    /// A decision with nothing beside it.
    pub fn of(next: Next) -> Decided {
        Decided {
            next,
            attempt: None,
            clear: false,
            reference: None,
            outbox: Vec::new(),
            kind: None,
        }
    }
}

/// It ended before anything was sent: dead, unless an earlier attempt may have been applied.
pub fn not_sent(claimed: &Claimed, failure: Failure) -> Decided {
    match follow(Class::Never, claimed.maybe_applied, false, Resolution::Person) {
        Follow::Person => Decided::of(Next::Unknown { due: None, failure }),
        Follow::Dead | Follow::Retry | Follow::ResolveLater => Decided::of(Next::Dead(failure)),
    }
}

/// What follows from a submit's answer. `item` is the number of the item within its batch.
pub fn after_attempt(
    claimed: &Claimed,
    route: &Route,
    operation: &Operation,
    answer: Answer,
    item: Option<u32>,
    cx: &Context,
) -> Decided {
    let now = cx.clock.now();
    let result = |outcome| attempt(outcome, &answer);
    let reference = answer.verdict.reference.clone().or_else(|| answer.verdict.ticket.clone());
    if let Some(failure) = answer.failure.clone() {
        let outcome = match failure.class {
            Class::Never => "refused",
            Class::TryAgain => "not-applied",
            Class::Unknown => "unknown",
        };
        let next = after_failure(claimed, operation, route, failure, answer.retry_after, now);
        return Decided { attempt: result(outcome), reference, ..Decided::of(next) };
    }
    match (answer.verdict.then, answer.verdict.ticket.clone(), &operation.poll) {
        // A submit that is still being worked on, with nothing to ask for its result with.
        (Then::Pending, _, _) => {
            let failure = Failure {
                code: &codes::ANSWER_NOT_UNDERSTOOD,
                stage: Stage::Deliver,
                class: Class::Unknown,
                detail: "pending without a ticket".to_owned(),
            };
            let next = after_failure(claimed, operation, route, failure, answer.retry_after, now);
            Decided { attempt: result("unknown"), reference, ..Decided::of(next) }
        }
        (Then::Accepted, Some(reference_text), Some(poll)) => {
            let ticket = Ticket { reference: reference_text, item }.to_string();
            let next = Next::WaitResult { due: later(now, poll.every), ticket };
            Decided { attempt: result("pending"), reference, ..Decided::of(next) }
        }
        _ => {
            let decided = reply::applied(claimed, route, answer.document.as_ref(), cx);
            Decided { attempt: result("applied"), reference, ..decided }
        }
    }
}

/// The row of an attempt that got this answer.
pub fn attempt(outcome: &'static str, answer: &Answer) -> Option<AttemptResult> {
    Some(AttemptResult {
        outcome,
        http_status: answer.status,
        response_digest: answer.digest.clone(),
    })
}

/// What follows from an attempt that was not applied, or may have been.
pub fn after_failure(
    claimed: &Claimed,
    operation: &Operation,
    route: &Route,
    failure: Failure,
    retry_after: Option<Duration>,
    now: Timestamp,
) -> Next {
    let resolution = match operation.unknown {
        UnknownRule::Resend => Resolution::Resend,
        UnknownRule::Ask => Resolution::Ask,
        UnknownRule::Person => Resolution::Person,
    };
    let retry = &route.adapter.retry;
    let schedule = Schedule {
        first: retry.first,
        max: retry.max,
        max_attempts: retry.max_attempts,
        max_age: route.max_age(),
        max_retry_after: retry.max_retry_after,
        deadline: route.deadline,
    };
    let age = age(claimed, route, now);
    let seed = seed_of(&claimed.idempotency_key);
    let decision = schedule.next(claimed.attempts + 1, age, retry_after, seed);
    let (delay, exhausted) = match decision {
        Decision::After(delay) => (delay, false),
        Decision::GiveUp | Decision::TooLate => (Duration::ZERO, true),
    };
    let followed = follow(failure.class, claimed.maybe_applied, exhausted, resolution);
    let ends = matches!(followed, Follow::Dead | Follow::Person);
    let failure = if decision == Decision::TooLate && ends && failure.class != Class::Never {
        let detail = format!("{} attempts, last: {failure}", claimed.attempts + 1);
        Failure { code: &codes::DEADLINE_PASSED, detail, ..failure }
    } else {
        failure
    };
    match followed {
        Follow::Dead if decision == Decision::TooLate => {
            Next::Dead(Failure { class: Class::Never, ..failure })
        }
        Follow::Dead if failure.class == Class::TryAgain => {
            let detail = format!("{} attempts, last: {failure}", claimed.attempts + 1);
            Next::Dead(Failure { code: &codes::GAVE_UP, class: Class::Never, detail, ..failure })
        }
        Follow::Dead => Next::Dead(failure),
        Follow::Retry => Next::Retry { due: later(now, delay), failure },
        Follow::ResolveLater => {
            // A question counts only after the counterpart's own longest processing time.
            let settle = operation.ask.as_ref().map_or(Duration::ZERO, |ask| ask.settle_after);
            Next::Unknown { due: Some(later(now, delay.max(settle))), failure }
        }
        Follow::Person => Next::Unknown { due: None, failure },
    }
}

/// Where an exchange's delays begin: the same at every instance and after every restart, other than
/// those of exchanges beside it and of other gateways.
fn seed_of(key: &str) -> u64 {
    // FNV-1a.
    key.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// Writes decisions, wakes what they woke, counts and logs them. Keeps trying while the store
/// cannot write: nothing that happened may be forgotten.
pub async fn write<C: Borrow<Claimed>>(decided: Vec<(C, &Route, i64, Decided)>, cx: &Arc<Context>) {
    drop(write_all(decided, cx).await);
}

/// The same, and tells what became of each: one that somebody else had changed is `Stale`.
pub async fn write_all<C: Borrow<Claimed>>(
    decided: Vec<(C, &Route, i64, Decided)>,
    cx: &Arc<Context>,
) -> Vec<Settled> {
    let now = cx.clock.now();
    let mut settlements = Vec::with_capacity(decided.len());
    let mut notes = Vec::with_capacity(decided.len());
    for (claimed, route, raised, decided) in decided {
        let claimed = claimed.borrow();
        let has_outbox = !decided.outbox.is_empty();
        let record = entries(claimed, route, raised, &decided, now);
        notes.push((claimed.id, route, claimed.attempts, describe(&decided.next), has_outbox));
        settlements.push(settlement(claimed, raised, decided, record, now));
    }
    crash::reach("settle:before-write");
    let settled = submit(settlements, cx).await;
    crash::reach("settle:after-write");
    for ((exchange, route, attempts, (outcome, failure), has_outbox), settled) in
        notes.into_iter().zip(&settled)
    {
        if *settled == Settled::Stale {
            continue;
        }
        report(exchange, route, attempts, outcome, failure.as_ref());
        if has_outbox || outcome == "dead" {
            cx.outbox.notify_one();
        }
        if *settled == (Settled::Done { woke: true }) || outcome != "delivered" {
            cx.wake(&route.adapter.name);
        }
    }
    settled
}

fn report(
    exchange: i64,
    route: &Route,
    attempts: u32,
    outcome: &'static str,
    failure: Option<&Failure>,
) {
    let name = Arc::clone(&route.names.route);
    metrics::counter!(names::SETTLED, "route" => name, "outcome" => outcome).increment(1);
    let Some(failure) = failure else {
        tracing::debug!(exchange, route = route.name, outcome, attempt = attempts, "settled");
        return;
    };
    let (code, stage, detail) = (failure.code.code, failure.stage.name(), failure.detail.as_str());
    if outcome == "dead" {
        count_dead(&route.name, failure);
        let action = failure.code.remedy;
        tracing::warn!(
            exchange,
            route = route.name,
            code,
            stage,
            detail,
            outcome,
            action,
            "dead letter"
        );
    } else {
        tracing::info!(
            exchange,
            route = route.name,
            code,
            stage,
            detail,
            outcome,
            attempt = attempts,
            "attempt settled without delivery"
        );
    }
}

/// Counts a dead exchange.
pub fn count_dead(route: &str, failure: &Failure) {
    metrics::counter!(names::DEAD, "route" => route.to_owned(), "stage" => failure.stage.name(),
        "code" => failure.code.code)
    .increment(1);
}

fn describe(next: &Next) -> (&'static str, Option<Failure>) {
    match next {
        Next::Delivered => ("delivered", None),
        Next::Dead(failure) => ("dead", Some(failure.clone())),
        Next::Retry { failure, .. } => ("retry", Some(failure.clone())),
        Next::WaitResult { .. } => ("waiting-result", None),
        Next::Unknown { failure, .. } => ("unknown", Some(failure.clone())),
    }
}

fn settlement(
    claimed: &Claimed,
    raised: i64,
    decided: Decided,
    record: Vec<Draft>,
    at: Timestamp,
) -> Settlement {
    let mut outbox = decided.outbox;
    if let Next::Dead(failure) = &decided.next {
        outbox.push(announce_dead(
            &claimed.envelope,
            &claimed.route,
            &claimed.idempotency_key,
            failure,
        ));
    }
    Settlement {
        exchange: claimed.id,
        fence: claimed.fence + raised,
        at,
        attempt: decided.attempt,
        next: decided.next,
        clear_maybe_applied: decided.clear,
        record,
        outbox,
    }
}

/// Upstream is told of a dead letter: ids and codes only.
pub fn announce_dead(
    envelope: &Envelope,
    route: &str,
    key: &str,
    failure: &Failure,
) -> NewOutgoing {
    announce(DEAD_TYPE, format!("dead-{key}"), envelope, route, failure)
}

/// Upstream is told that a newer state took a message's place.
pub fn announce_superseded(
    envelope: &Envelope,
    route: &str,
    key: &str,
    failure: &Failure,
) -> NewOutgoing {
    announce(SUPERSEDED_TYPE, format!("superseded-{key}"), envelope, route, failure)
}

fn announce(
    message_type: &str,
    message_id: String,
    envelope: &Envelope,
    route: &str,
    failure: &Failure,
) -> NewOutgoing {
    let body = json!({
        "messageId": envelope.message_id.as_str(),
        "messageType": envelope.message_type,
        "route": route,
        "code": failure.code.code,
        "title": failure.code.title,
        "detail": failure.detail,
        "fault": failure.code.fault.name(),
    });
    NewOutgoing {
        routing_key: message_type.to_owned(),
        message_id,
        message_type: message_type.to_owned(),
        correlation_id: Some(envelope.message_id.as_str().to_owned()),
        content_type: "application/json".to_owned(),
        body: Secret::new(body.to_string().into_bytes()),
    }
}

/// Type of the message that tells upstream of a message whose place a newer one took.
pub const SUPERSEDED_TYPE: &str = "watashi.exchange.superseded";

/// Type of the message that tells upstream of a dead letter.
pub const DEAD_TYPE: &str = "watashi.exchange.dead";

/// Submits until the store has written; bounded by the number of exchanges under way.
async fn submit(settlements: Vec<Settlement>, cx: &Context) -> Vec<Settled> {
    let settlements: Arc<[Settlement]> = settlements.into();
    loop {
        match cx.store.settle(Arc::clone(&settlements)).await {
            Ok(settled) => return settled,
            Err(error) => {
                tracing::error!(
                    code = error.code.code,
                    detail = error.detail,
                    "outcome not written yet: trying again"
                );
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

fn entries(
    claimed: &Claimed,
    route: &Route,
    raised: i64,
    decided: &Decided,
    now: Timestamp,
) -> Vec<Draft> {
    let Some(rule) = &route.record else { return Vec::new() };
    let kind = decided.kind.unwrap_or(rule.kind);
    let phase =
        if raised == 0 && decided.attempt.is_none() && !matches!(decided.next, Next::Delivered) {
            Phase::Noted
        } else {
            Phase::Outcome
        };
    let mut draft = draft(claimed, route, kind, phase, now);
    draft.attempt = claimed.attempts + u32::from(raised > 0);
    draft.reference = decided
        .reference
        .clone()
        .or_else(|| claimed.ticket.as_deref().map(|ticket| Ticket::parse(ticket).reference));
    let (outcome, failure) = match &decided.next {
        Next::Delivered => ("applied", None),
        Next::WaitResult { .. } if raised > 0 => ("accepted", None),
        // Still waiting: nothing new to record.
        Next::WaitResult { .. } => return Vec::new(),
        Next::Unknown { .. } if raised == 0 && claimed.state == State::Unknown => {
            return Vec::new();
        }
        Next::Dead(failure) if raised == 0 && claimed.ticket.is_none() => {
            ("not-sent", Some(failure))
        }
        Next::Dead(failure) => ("refused", Some(failure)),
        Next::Retry { failure, .. } => ("not-applied", Some(failure)),
        Next::Unknown { failure, .. } => ("unknown", Some(failure)),
    };
    draft.outcome = Some(outcome.to_owned());
    draft.code = failure.map(|failure| failure.code.code.to_owned());
    vec![draft]
}

/// An entry with everything that exchange and route say.
pub fn draft(claimed: &Claimed, route: &Route, kind: Kind, phase: Phase, at: Timestamp) -> Draft {
    let envelope = &claimed.envelope;
    Draft {
        kind,
        phase,
        at,
        source: envelope.source.clone(),
        message_id: envelope.message_id.shared(),
        message_type: envelope.message_type.clone(),
        municipality: envelope.municipality.clone(),
        route: Arc::clone(&route.names.route),
        counterpart: Arc::clone(&route.names.counterpart),
        operation: Arc::clone(&route.names.operation),
        attempt: claimed.attempts,
        idempotency_key: claimed.idempotency_key.clone(),
        basis: route.basis.clone(),
        items: route.mapping.shared_items(),
        reference: None,
        not_disclosed: false,
        outcome: None,
        code: None,
        subject: claimed.subject.clone(),
        commitment: Some(claimed.commitment.clone()),
        operator: envelope.operator.clone(),
        reason: None,
        bundle: Arc::clone(&claimed.bundle),
    }
}

/// Id of an outgoing message: the same whenever the same exchange answers again.
pub fn outgoing_id(claimed: &Claimed, prefix: &str) -> String {
    format!("{prefix}-{}", claimed.idempotency_key)
}

/// `now` plus a delay; far-off times are cut at a year.
pub fn later(now: Timestamp, delay: Duration) -> Timestamp {
    let year = Duration::from_secs(365 * 24 * 3_600);
    now.checked_add(delay.min(year)).unwrap_or(now)
}

/// How old a message is; the hours that its counterpart declares do not use it up.
pub fn age(claimed: &Claimed, route: &Route, now: Timestamp) -> Age {
    let accepted = claimed.envelope.accepted_at;
    let whole = elapsed(accepted, now);
    let hours = route.adapter.hours.as_ref();
    Age { whole, open: hours.map_or(whole, |hours| hours.open_time(accepted, now)) }
}

/// Time from `from` to `to`; zero when the clock went backwards.
pub fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// A 処理通番 or task id, with the number of the item when it was a batch: `REFERENCE#ITEM`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// What the counterpart gave.
    pub reference: String,
    /// Number of the item in the request, from 1.
    pub item: Option<u32>,
}

impl Ticket {
    /// The parts of a stored ticket.
    pub fn parse(text: &str) -> Ticket {
        match text.rsplit_once('#') {
            Some((reference, item)) => {
                Ticket { reference: reference.to_owned(), item: item.parse().ok() }
            }
            None => Ticket { reference: text.to_owned(), item: None },
        }
    }
}

impl std::fmt::Display for Ticket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.item {
            Some(item) => write!(formatter, "{}#{item}", self.reference),
            None => formatter.write_str(&self.reference),
        }
    }
}
