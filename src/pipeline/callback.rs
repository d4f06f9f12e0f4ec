//! A notice of a counterpart, once its caller is known: matched to the exchanges that wait for the
//! result it tells of, or taken as a message of its own.
//!
//! Whatever is answered with "taken" is durable. A notice says at most what the poll would have
//! said: where it is not clear, the poll is made at once and decides.

use super::accept::{Arrival, Origin, accept, set_aside};
use super::call::judge_item;
use super::context::{Context, Refusal};
use super::reply;
use super::resolve;
use super::scan;
use super::settle::{self, Decided};
use crate::adapter::callback::Effect;
use crate::adapter::outcome::reference_text;
use crate::adapter::{Adapter, Operation, OutcomeTable, Then};
use crate::codec::Limits;
use crate::mapping::path::Path;
use crate::model::{Class, Failure};
use crate::store::{Accepted, Claimed, Next, Settled, StoreError};
use bytes::Bytes;
use serde_json::Value;
use std::sync::Arc;

/// Times that a notice is tried while others write to the same exchange.
const TRIES: usize = 8;

/// A notice whose caller proved who it is.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The adapter of the caller.
    pub adapter: Arc<Adapter>,
    /// The operation it was posted to.
    pub operation: Arc<Operation>,
    /// Its `Content-Type`.
    pub content_type: String,
    /// W3C trace context.
    pub traceparent: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// What became of a notice that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The result is asked for now.
    Woken,
    /// It was the result.
    Settled,
    /// There is nothing to do: the result is known already, or there is none yet.
    Known,
    /// A new message.
    New,
    /// A message that had been accepted before.
    Duplicate,
}

impl Taken {
    /// Its word in the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Taken::Woken => "woken",
            Taken::Settled => "settled",
            Taken::Known => "known",
            Taken::New => "new",
            Taken::Duplicate => "duplicate",
        }
    }
}

/// Why a notice was not taken; the caller still has it.
#[derive(Clone, Debug)]
pub enum Untaken {
    /// Not the declared content type.
    ContentType,
    /// Not readable, not valid, or its ticket or id is not of the allowed form. Safe text.
    Unfit(String),
    /// No exchange has this ticket.
    UnknownTicket,
    /// Its id was used for other content, which is kept as a dead letter.
    IdReused,
    /// New messages are not taken at present.
    NotAccepting(Refusal),
    /// The store cannot write, or others write to the same exchange all the time.
    StoreDown(Option<StoreError>),
}

impl From<StoreError> for Untaken {
    fn from(error: StoreError) -> Untaken {
        Untaken::StoreDown(Some(error))
    }
}

/// Takes a notice.
///
/// # Errors
/// Why it was not taken. Nothing was changed then.
pub async fn take(notice: &Notice, cx: &Arc<Context>) -> Result<Taken, Untaken> {
    let Some(push) = &notice.operation.push_in else {
        return Err(Untaken::Unfit(String::new()));
    };
    let document = read(notice, push.max_bytes)?;
    match &push.effect {
        Effect::Completes { operation, ticket, outcomes } => {
            let ticket = named(ticket, &document, "ticket")?;
            complete(notice, operation, &ticket, outcomes.as_ref(), &document, cx).await
        }
        Effect::Message { message_type, id } => {
            let id = named(id, &document, "id")?;
            message(notice, message_type, id, cx).await
        }
    }
}

/// Decodes and checks the body, with the same distrust as an answer.
fn read(notice: &Notice, max_bytes: usize) -> Result<Value, Untaken> {
    let Some(plan) = &notice.operation.step.response else {
        return Err(Untaken::Unfit(String::new()));
    };
    if !plan.codec.accepts(&notice.content_type) {
        return Err(Untaken::ContentType);
    }
    let limits = Limits { max_bytes, ..Limits::default() };
    let document = plan.codec.decode(&notice.body, &limits);
    let document = document.map_err(|error| Untaken::Unfit(error.to_string()))?;
    match plan.schema.validate(&document) {
        Ok(()) => Ok(document),
        Err(violations) => {
            let first = violations.first().map(ToString::to_string).unwrap_or_default();
            Err(Untaken::Unfit(first))
        }
    }
}

fn named(path: &Path, document: &Value, what: &str) -> Result<String, Untaken> {
    let found = path.find(document).and_then(reference_text);
    found.ok_or_else(|| Untaken::Unfit(format!("{path}: no usable {what}")))
}

/// Wakes or settles what waits for the result with this ticket. The ways of several instances meet
/// in the store: whoever polls the exchange at this moment finds its fence raised, and what it
/// brings is asked for again.
async fn complete(
    notice: &Notice,
    completed: &str,
    ticket: &str,
    outcomes: Option<&OutcomeTable>,
    document: &Value,
    cx: &Arc<Context>,
) -> Result<Taken, Untaken> {
    for _ in 0..TRIES {
        let name = notice.adapter.name.clone();
        let found = cx.store.of_ticket(name, completed.to_owned(), ticket.to_owned()).await?;
        if found.waiting.is_empty() {
            let known = found.others > 0;
            return if known { Ok(Taken::Known) } else { Err(Untaken::UnknownTicket) };
        }
        let mut taken = Taken::Known;
        let mut decided = Vec::with_capacity(found.waiting.len());
        for mut claimed in found.waiting {
            cx.definitions.choose(&mut claimed);
            let Some(route) = cx.route_of(&claimed) else { continue };
            let Some(operation) = resolve::operation_of(&route).cloned() else { continue };
            let judged = judge(&claimed, &route, &operation, outcomes, document, ticket, cx);
            let Some((word, next)) = judged else { continue };
            taken = word;
            decided.push((claimed, route, next));
        }
        if decided.is_empty() {
            return Ok(taken);
        }
        let all = decided
            .iter()
            .map(|(claimed, route, next)| (claimed.clone(), route.as_ref(), 0, next.clone()));
        let written = settle::write_all(all.collect(), cx).await;
        if written.iter().all(|settled| *settled != Settled::Stale) {
            return Ok(taken);
        }
    }
    Err(Untaken::StoreDown(None))
}

/// What follows for one exchange; `None`: nothing.
fn judge(
    claimed: &Claimed,
    route: &crate::adapter::Route,
    operation: &Operation,
    outcomes: Option<&OutcomeTable>,
    document: &Value,
    ticket: &str,
    cx: &Context,
) -> Option<(Taken, Decided)> {
    let wake = || {
        let ticket = claimed.ticket.clone().unwrap_or_default();
        let next = Next::WaitResult { due: cx.clock.now(), ticket };
        Some((Taken::Woken, Decided::of(next)))
    };
    let Some(table) = outcomes else { return wake() };
    let (verdict, problem) = judge_item(table, document, None);
    let decided = match verdict.then {
        Then::Applied => reply::applied(claimed, route, Some(document), cx),
        Then::Refused => resolve::refused(problem, ""),
        Then::NotApplied => resolve::not_applied(claimed, route, operation, problem, cx),
        Then::Pending => return None,
        // Said by the poll, or by nobody.
        Then::Accepted | Then::Ready | Then::Retry | Then::Unknown | Then::Open | Then::Closed => {
            return wake();
        }
    };
    let reference = verdict.reference.unwrap_or_else(|| ticket.to_owned());
    Some((Taken::Settled, resolve::with_reference(decided, &reference)))
}

/// A message of its own: accepted like an item that was fetched.
async fn message(
    notice: &Notice,
    message_type: &str,
    id: String,
    cx: &Arc<Context>,
) -> Result<Taken, Untaken> {
    if let Some(refusal) = cx.accepting.refused_because() {
        return Err(Untaken::NotAccepting(refusal));
    }
    let mut arrival = Arrival {
        source: notice.adapter.name.clone(),
        origin: Origin::Pulled {
            adapter: Arc::clone(&notice.adapter),
            operation: Arc::clone(&notice.operation),
        },
        message_id: Some(id),
        message_type: Some(message_type.to_owned()),
        content_type: Some(notice.content_type.clone()),
        correlation_id: None,
        reply_to: None,
        traceparent: notice.traceparent.clone(),
        operator: None,
        municipality: None,
        body: notice.body.clone(),
        cleared: None,
    };
    let stored = match scan::clear(&mut arrival, cx.clock.now(), cx).await {
        Ok(()) => accept(&arrival, cx).await?,
        // The caller still has it, and comes again.
        Err(Failure { class: Class::TryAgain, code, detail, .. }) => {
            return Err(Untaken::NotAccepting(Refusal { code, detail }));
        }
        Err(failure) => set_aside(&arrival, failure, cx).await?,
    };
    match stored {
        Accepted::New { .. } => Ok(Taken::New),
        Accepted::Duplicate => Ok(Taken::Duplicate),
        Accepted::Quarantined => Err(Untaken::IdReused),
    }
}
