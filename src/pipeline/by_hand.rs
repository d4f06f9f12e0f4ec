//! By hand: the answer of an exchange, given by persons instead of the counterpart. Either the
//! counterpart's own answer that was lost and found out, or what `reply.by-hand` of the route asks
//! for. It is checked, mapped and passed on as if it had arrived.
//!
//! Where two persons are wanted, both give the whole answer without seeing the other's: only a keyed
//! digest of the first one's is kept until then.

use super::approve::By;
use super::context::Context;
use super::{map, reply};
use crate::adapter::{BodyPlan, Operation, Route, Step, Then};
use crate::codec::Limits;
use crate::model::codes::message as codes;
use crate::model::{Class, Failure, Stage, State};
use crate::pipeline::accept::refuse;
use crate::pipeline::settle;
use crate::record::{Draft, Kind, Phase, hex};
use crate::store::approvals::is_same_person;
use crate::store::{Act, ActVerb, Brings, Claimed, Store, StoreError};
use serde_json::Value;

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// It was passed on; the state of the exchange.
    Done(State),
    /// Somebody else must give the same answer; nothing goes on before.
    Waits,
}

/// An answer that was found usable.
struct Usable {
    /// What upstream gets.
    body: Vec<u8>,
    /// 処理通番 or 受付番号 in it.
    reference: Option<String>,
}

/// Takes the answer of one exchange from an operator, by the definitions in force. The same answer
/// again, by the same person, changes nothing.
///
/// # Errors
/// The outer one when the store cannot read or write, the inner one where it is not taken: `G503`,
/// `G504`, `G426`, `G501`, `G502`.
pub async fn give(
    exchange: i64,
    text: &[u8],
    by: By,
    cx: &Context,
) -> Result<Result<Given, Failure>, StoreError> {
    let Some(mut claimed) = cx.store.examine(exchange).await? else {
        return Ok(Err(refused("there is no such exchange")));
    };
    claimed.bundle = cx.bundle().shared_digest();
    let Some(route) = cx.route_of(&claimed) else {
        return Ok(Err(refuse(&codes::ROUTE_GONE, &*claimed.route)));
    };
    let usable = match usable(&claimed, &route, text, cx) {
        Ok(usable) => usable,
        Err(failure) => return Ok(Err(failure)),
    };
    let label = format!("answer {}", claimed.id);
    let digest = hex(&cx.keys.fingerprint(&label, &usable.body));
    let standing = Standing::read(claimed.id, &*cx.store).await?;
    let same = standing.as_ref().is_some_and(|one| one.digest == digest);
    if claimed.state == State::Delivered {
        // Clicked twice.
        let again =
            if same { Ok(Given::Done(State::Delivered)) } else { Err(refused("delivered")) };
        return Ok(again);
    }
    let by_other =
        standing.as_ref().is_some_and(|one| !is_same_person(&one.operator, &by.operator));
    if wants_two(&route) && !(same && by_other) {
        if !same {
            let own = Standing { digest, operator: by.operator.clone() };
            own.keep(&claimed, cx).await?;
            note(&claimed, &route, by, cx).await?;
        }
        let differ = standing.is_some() && by_other;
        let waits = if differ { Err(refuse(&codes::ANSWERS_DIFFER, "")) } else { Ok(Given::Waits) };
        return Ok(waits);
    }
    if !same {
        let own = Standing { digest, operator: by.operator.clone() };
        own.keep(&claimed, cx).await?;
    }
    pass_on(&claimed, &route, usable, by, cx).await
}

/// Who gave the answer of an exchange that waits for the same from somebody else.
///
/// # Errors
/// When the store cannot be read.
pub async fn given_by(exchange: i64, store: &dyn Store) -> Result<Option<String>, StoreError> {
    Ok(Standing::read(exchange, store).await?.map(|standing| standing.operator))
}

/// Whether two persons must give it.
fn wants_two(route: &Route) -> bool {
    let by_hand = route.reply.as_ref().and_then(|reply| reply.by_hand.as_ref());
    by_hand.is_some_and(|rule| rule.two) || route.approval.is_some()
}

/// Decodes, checks and maps an answer.
fn usable(claimed: &Claimed, route: &Route, text: &[u8], cx: &Context) -> Result<Usable, Failure> {
    let Some(rule) = &route.reply else {
        return Err(refused("the route passes no answer on"));
    };
    let by_hand = rule.by_hand.as_ref();
    match claimed.state {
        State::Unknown | State::Delivered => {}
        State::Dead if by_hand.is_some() => {}
        State::Dead => return Err(refused("dead, and the route has no `by-hand`")),
        other => return Err(refused(other.name())),
    }
    let (document, reference, mapping) = match by_hand {
        Some(by_hand) => (read(&by_hand.form, text)?, None, &by_hand.mapping),
        None => {
            let (document, reference) = answered(claimed, route, text, cx)?;
            (document, reference, &rule.mapping)
        }
    };
    let failed =
        |(code, detail)| Failure { code, stage: Stage::Settle, class: Class::Never, detail };
    let output = reply::answer_for(claimed, route, mapping, &document, cx).map_err(failed)?;
    let body = serde_json::to_vec(&output).map_err(|_| refused("not JSON"))?;
    Ok(Usable { body, reference })
}

/// The counterpart's own answer: laid out as declared, and taken for applied by the outcome table.
fn answered(
    claimed: &Claimed,
    route: &Route,
    text: &[u8],
    cx: &Context,
) -> Result<(Value, Option<String>), Failure> {
    let operation = super::resolve::operation_of(route);
    let step = operation.and_then(|operation| last_step(operation));
    let Some((step, plan)) = step.and_then(|step| Some((step, step.response.as_ref()?))) else {
        return Err(refused("the operation has no answer of one message alone"));
    };
    let document = read(plan, text)?;
    let sent = map::sent_for(&step.outcomes, claimed, route, cx);
    let good = |status: u16| {
        let verdict = step.outcomes.judge(status, Some(&document), sent.as_ref());
        matches!(verdict.then, Then::Applied | Then::Ready).then_some(verdict)
    };
    // Which status it came with, or would have, nobody can tell: one of the table's own.
    let statuses = step.outcomes.lines.iter().flat_map(|line| line.status.iter().copied());
    let verdict = statuses.chain([200]).find_map(good);
    let none = || refused("no line of the outcome table takes it for applied");
    let reference = verdict.ok_or_else(none)?.reference;
    Ok((document, reference))
}

/// The step whose answer is the result; `None` where it is one of many in an answer.
fn last_step(operation: &Operation) -> Option<&Step> {
    if operation.batch.is_some() {
        return None;
    }
    let polled = operation.poll.as_ref().map(|poll| &poll.step);
    Some(operation.fetch.as_ref().or(polled).unwrap_or(&operation.step))
}

fn read(plan: &BodyPlan, text: &[u8]) -> Result<Value, Failure> {
    let document =
        plan.codec.decode(text, &Limits::default()).map_err(|error| refused(error.to_string()))?;
    plan.schema.validate(&document).map_err(|violations| {
        let shown: Vec<String> = violations.iter().take(10).map(ToString::to_string).collect();
        refused(shown.join("; "))
    })?;
    Ok(document)
}

/// The answer becomes the end of the exchange: its effect, its entries and its message in one
/// transaction.
async fn pass_on(
    claimed: &Claimed,
    route: &Route,
    usable: Usable,
    by: By,
    cx: &Context,
) -> Result<Result<Given, Failure>, StoreError> {
    let at = cx.clock.now();
    let Usable { body, reference } = usable;
    let outbox = route.reply.iter().map(|rule| reply::message(claimed, rule, body.clone()));
    // What was refused for certain stays so in the record: a person answered, not the counterpart.
    let recorded = route.record.as_ref().filter(|_| claimed.state == State::Unknown);
    let entry = recorded.map(|rule| {
        let kind = if rule.kind == Kind::Request { Kind::Obtain } else { rule.kind };
        Draft {
            outcome: Some("applied".to_owned()),
            reference: reference.clone(),
            operator: Some(by.operator.as_str().into()),
            reason: Some(by.reason.clone()),
            ..settle::draft(claimed, route, kind, Phase::Outcome, at)
        }
    });
    let act = Act {
        exchange: claimed.id,
        verb: ActVerb::Answer,
        operator: by.operator,
        reason: by.reason,
        at,
        bundle: None,
        brings: Brings { outbox: outbox.collect(), record: entry.into_iter().collect() },
    };
    let Some(state) = cx.store.act(act).await? else {
        return Ok(Err(refused("it has changed meanwhile")));
    };
    tracing::info!(exchange = claimed.id, route = route.name, outcome = "answered", "by hand");
    cx.outbox.notify_one();
    cx.wake_all();
    Ok(Ok(Given::Done(state)))
}

/// The entry of the first of two persons.
async fn note(claimed: &Claimed, route: &Route, by: By, cx: &Context) -> Result<(), StoreError> {
    let draft = Draft {
        outcome: Some("answer-prepared".to_owned()),
        operator: Some(by.operator.into()),
        reason: Some(by.reason),
        ..settle::draft(claimed, route, Kind::Operate, Phase::Noted, cx.clock.now())
    };
    cx.store.note(vec![draft]).await
}

/// The answer that stands: a keyed digest of what upstream would get, and who gave it last.
struct Standing {
    digest: String,
    operator: String,
}

impl Standing {
    fn name(exchange: i64) -> String {
        format!("answer/{exchange}")
    }

    async fn read(exchange: i64, store: &dyn Store) -> Result<Option<Standing>, StoreError> {
        let kept = store.cursor(Standing::name(exchange)).await?;
        let parts = kept.as_deref().and_then(|kept| kept.split_once(' '));
        Ok(parts.map(|(digest, operator)| Standing {
            digest: digest.to_owned(),
            operator: operator.to_owned(),
        }))
    }

    async fn keep(&self, claimed: &Claimed, cx: &Context) -> Result<(), StoreError> {
        let value = format!("{} {}", self.digest, self.operator);
        cx.store.set_cursor(Standing::name(claimed.id), value).await
    }
}

fn refused(detail: impl Into<String>) -> Failure {
    refuse(&codes::ANSWER_NOT_TAKEN, detail)
}
