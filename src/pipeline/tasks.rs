//! Replays as tasks: asked for once, shown before they begin, then carried out at their own rate.
//! What is replayed takes the same way as any other exchange; nothing here sends.

use super::accept::refuse;
use super::context::Context;
use super::{map, replay, settle};
use crate::adapter::{Bundle, Destination, Route, UnknownRule};
use crate::model::codes::config as config_codes;
use crate::model::codes::message as codes;
use crate::model::{Failure, State};
use crate::store::tasks::{
    Created, How, ItemEnd, ItemReplay, MAX_ITEMS, Manner, NewTask, NextItem, Selection, TaskView,
};
use crate::store::{Claimed, StoreError};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// One round a second: the rate of a task is what it takes of its items in one.
const ROUND: Duration = Duration::from_secs(1);
/// Items a second at most, and unless the task says otherwise.
pub const MAX_RATE: u32 = 1_000;
/// Items a second unless the task says otherwise.
pub const DEFAULT_RATE: u32 = 10;
/// Items of a preview.
const SAMPLE: usize = 20;

/// A request to make a task.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Chosen by the client: the same one makes one task.
    pub request: String,
    /// Which exchanges.
    pub selection: Selection,
    /// How.
    pub manner: Manner,
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// A task and what it would do.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Planned {
    /// The task.
    pub task: TaskView,
    /// Whether the same request had made it before.
    pub known: bool,
    /// What its first items would be.
    pub preview: Preview,
}

/// What the first items of a task would be, without values.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Preview {
    /// Exchanges looked at.
    pub sample: Vec<i64>,
    /// Those that would be refused, by code.
    pub refused: BTreeMap<String, Vec<i64>>,
    /// Where the document of now differs from that of then: place, kind, number of exchanges.
    pub differences: Vec<Difference>,
}

/// One place where outgoing documents differ.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Difference {
    /// JSON pointer; items of lists are `*`.
    pub place: String,
    /// `added`, `removed`, `changed`, `refused`.
    pub kind: String,
    /// In how many of the sample.
    pub exchanges: usize,
}

/// Makes a task in the state `draft`. Nothing is replayed before it is started.
///
/// # Errors
/// The outer one when the store cannot read or write, the inner one where the request does not fit.
pub async fn create(wanted: Wanted, cx: &Context) -> Result<Result<Planned, Failure>, StoreError> {
    if let Err(detail) = fits(&wanted) {
        return Ok(Err(refuse(&codes::REPLAY_REQUEST, detail)));
    }
    let exchanges = cx.store.select(wanted.selection.clone(), MAX_ITEMS + 1).await?;
    if exchanges.is_empty() || exchanges.len() > MAX_ITEMS {
        let detail = match exchanges.is_empty() {
            true => "nothing matches".to_owned(),
            false => format!("more than {MAX_ITEMS} match"),
        };
        return Ok(Err(refuse(&codes::REPLAY_REQUEST, detail)));
    }
    let Wanted { request, selection, manner, operator, reason } = wanted;
    let (at, bundle) = (cx.clock.now(), cx.bundle().digest().to_owned());
    let task = NewTask { request, selection, manner, exchanges, operator, reason, at, bundle };
    let (task, known) = match cx.store.create_task(task).await? {
        Created::New(task) => (task, false),
        Created::Known(task) => (task, true),
        Created::Reused => {
            let detail = "the request id was used for another task";
            return Ok(Err(refuse(&codes::REPLAY_REQUEST, detail)));
        }
    };
    let preview = preview(&task, cx).await?;
    Ok(Ok(Planned { task, known, preview }))
}

/// What does not fit, in words.
fn fits(wanted: &Wanted) -> Result<(), String> {
    let known = [State::Dead.name(), State::Delivered.name()];
    if let Some(other) = wanted.selection.states.iter().find(|s| !known.contains(&s.as_str())) {
        return Err(format!("state `{other}`; allowed: dead, delivered"));
    }
    if !(1..=MAX_RATE).contains(&wanted.manner.rate) {
        return Err(format!("rate {}; allowed: 1 to {MAX_RATE}", wanted.manner.rate));
    }
    let good =
        |text: &str| (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
    if !good(&wanted.request) {
        return Err("the request id: 1 to 64 printable ASCII characters".to_owned());
    }
    match &wanted.manner.new_effect {
        Some(second) if second.trim().is_empty() || second.trim() == wanted.operator.trim() => {
            Err("a new effect needs a second person".to_owned())
        }
        _ => Ok(()),
    }
}

/// What the first waiting items of a task would be.
///
/// # Errors
/// When the store cannot be read.
pub async fn preview(task: &TaskView, cx: &Context) -> Result<Preview, StoreError> {
    let items = cx.store.task_items(task.id, Some("waiting"), 0, SAMPLE).await?;
    let mut preview = Preview::default();
    let mut places: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    for item in items {
        preview.sample.push(item.exchange);
        let Ok(Some(claimed)) = cx.store.examine(item.exchange).await else { continue };
        let next = NextItem {
            task: task.id,
            exchange: item.exchange,
            state: Some(claimed.state),
            manner: task.manner.clone(),
            operator: String::new(),
            reason: String::new(),
        };
        if let How::Refused { code, .. } = how(&next, cx).await? {
            preview.refused.entry(code.to_owned()).or_default().push(item.exchange);
            continue;
        }
        for (place, kind) in differences(&claimed, cx) {
            *places.entry((place, kind)).or_default() += 1;
        }
    }
    let shown = |((place, kind), exchanges): ((String, &str), usize)| Difference {
        place,
        kind: kind.to_owned(),
        exchanges,
    };
    preview.differences = places.into_iter().map(shown).collect();
    Ok(preview)
}

/// Carries out running tasks until `stop`. Of several instances one does, at the rate of the task.
pub async fn run(cx: Arc<Context>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = lead(&cx).await {
            tracing::error!(
                code = error.code.code,
                detail = error.detail,
                "replay tasks pause until the store answers"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(ROUND) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn lead(cx: &Context) -> Result<(), StoreError> {
    match cx.store.lead("replay".to_owned()).await? {
        true => round(cx).await,
        false => Ok(()),
    }
}

/// One round: of every running task as many items as its rate says.
///
/// # Errors
/// When the store cannot read or write; every item before that is done.
pub async fn round(cx: &Context) -> Result<(), StoreError> {
    let most = usize::try_from(MAX_RATE).unwrap_or(usize::MAX);
    let mut taken: BTreeMap<i64, u32> = BTreeMap::new();
    for item in cx.store.next_items(most).await? {
        let count = taken.entry(item.task).or_default();
        if *count >= item.manner.rate {
            continue;
        }
        *count += 1;
        let how = how(&item, cx).await?;
        let (task, exchange, at) = (item.task, item.exchange, cx.clock.now());
        let end = cx.store.replay_item(ItemReplay { task, exchange, how, at }).await?;
        tracing::info!(exchange, outcome = ?end, "item of a replay task");
        if end == ItemEnd::Done {
            cx.wake_all();
            cx.outbox.notify_one();
        }
    }
    Ok(())
}

fn refused(failure: Failure) -> How {
    How::Refused { code: failure.code.code, detail: failure.detail }
}

/// How an item goes again, if it may.
async fn how(item: &NextItem, cx: &Context) -> Result<How, StoreError> {
    let current = cx.bundle();
    match item.state {
        Some(State::Dead) => {
            if let Some(kept) = cx.store.kept(item.exchange).await? {
                return Ok(match replay::recognised_now(kept, cx).await {
                    Ok(message) => How::Recognised(Box::new(message)),
                    Err(failure) => refused(failure),
                });
            }
            let bundle = (!item.manner.accepted).then(|| current.digest().to_owned());
            Ok(How::Again(bundle))
        }
        Some(State::Delivered) => {
            // A row that cannot be opened has nothing left to be sent.
            let Ok(Some(claimed)) = cx.store.examine(item.exchange).await else {
                return Ok(refused(refuse(&codes::REPLAY_BODY_GONE, "the original is not there")));
            };
            Ok(anew(item, &claimed, &current, cx).unwrap_or_else(refused))
        }
        // The store tells that it is in another state, and leaves it alone.
        _ => Ok(How::Again(None)),
    }
}

/// A delivered one is sent again only where that has no second effect, or where two persons want
/// one.
fn anew(
    item: &NextItem,
    claimed: &Claimed,
    current: &Arc<Bundle>,
    cx: &Context,
) -> Result<How, Failure> {
    let bundle = match item.manner.accepted {
        false => Arc::clone(current),
        true => cx.definitions.of(&claimed.bundle).ok_or_else(|| {
            refuse(&codes::REPLAY_BODY_GONE, config_codes::OLDER_DEFINITIONS_GONE.title)
        })?,
    };
    let route =
        bundle.route(&claimed.route).ok_or_else(|| refuse(&codes::ROUTE_GONE, &*claimed.route))?;
    let idempotency_key = match &item.manner.new_effect {
        Some(_) => {
            let purpose = format!("{} task {} exchange {}", route.name, item.task, item.exchange);
            let (counterpart, source) = (&route.adapter.name, &claimed.envelope.source);
            let id = claimed.envelope.message_id.as_str();
            cx.keys.idempotency_key(counterpart, source, id, &purpose)
        }
        None => {
            known_again(claimed, &route, cx)?;
            claimed.idempotency_key.to_string()
        }
    };
    let bundle = (!item.manner.accepted).then(|| bundle.digest().to_owned());
    Ok(How::Anew { idempotency_key, bundle })
}

/// Whether the counterpart promises to know the key again.
fn known_again(claimed: &Claimed, route: &Route, cx: &Context) -> Result<(), Failure> {
    let Destination::Operation(operation) = &route.destination else { return Ok(()) };
    let not = |detail: &str| Err(refuse(&codes::REPLAY_NOT_IDEMPOTENT, detail));
    if operation.unknown != UnknownRule::Resend {
        return not("its operation is not `unknown: resend`");
    }
    let age = settle::elapsed(claimed.envelope.accepted_at, cx.clock.now());
    match operation.key_retention {
        Some(retention) if age >= retention => not("the counterpart has forgotten the key"),
        _ => Ok(()),
    }
}

/// Where the document of now differs from that of then: places and kinds, never values.
fn differences(claimed: &Claimed, cx: &Context) -> BTreeSet<(String, &'static str)> {
    let mut found = BTreeSet::new();
    let now = cx.bundle();
    let Some(then) = cx.definitions.of(&claimed.bundle) else { return found };
    if then.digest() == now.digest() {
        return found;
    }
    let (before, after) = (document(claimed, &then, cx), document(claimed, &now, cx));
    match (before, after) {
        (Some(before), Some(after)) => compare(&before, &after, "", &mut found),
        (Some(_), None) => {
            found.insert((String::new(), "refused"));
        }
        (None, Some(_)) => {
            found.insert((String::new(), "added"));
        }
        (None, None) => {}
    }
    found
}

/// The outgoing document under some definitions; `None` where they refuse it.
fn document(claimed: &Claimed, bundle: &Bundle, cx: &Context) -> Option<Value> {
    let route = bundle.route(&claimed.route)?;
    let source = super::validate::validate(claimed, &route, bundle, cx).ok()?.into_value();
    map::run(&route.mapping, &source, &map::meta(claimed)).ok()
}

fn compare(
    before: &Value,
    after: &Value,
    place: &str,
    found: &mut BTreeSet<(String, &'static str)>,
) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (name, value) in before {
                let place = format!("{place}/{name}");
                match after.get(name) {
                    Some(other) => compare(value, other, &place, found),
                    None => drop(found.insert((place, "removed"))),
                }
            }
            for name in after.keys().filter(|name| !before.contains_key(*name)) {
                found.insert((format!("{place}/{name}"), "added"));
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            let place = format!("{place}/*");
            for (value, other) in before.iter().zip(after) {
                compare(value, other, &place, found);
            }
            match before.len().cmp(&after.len()) {
                std::cmp::Ordering::Less => drop(found.insert((place, "added"))),
                std::cmp::Ordering::Greater => drop(found.insert((place, "removed"))),
                std::cmp::Ordering::Equal => {}
            }
        }
        _ if before == after => {}
        _ => drop(found.insert((place.to_owned(), "changed"))),
    }
}
