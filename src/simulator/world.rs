//! The world behind a simulated counterpart: what it was sent, what it did, and what was wrong
//! with what it was sent.

use super::behaviour::Behaviour;
use super::caller::Done;
use super::request::{self, Kind, Read, digest};
use super::said::{lie, lost, plain, unfit, write};
use super::template::{Facts, fill};
use super::{Document, Played, Simulator};
use crate::adapter::{Interaction, Then, UnknownRule};
use crate::model::codes::transport as codes;
use crate::transport::{Request, Response, SendError, Target};
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much later than the request a late counterpart does it. Shorter than the shortened
/// `settle-after` of a run: that is what the operation promises.
pub(super) const LATE: Duration = Duration::from_millis(30);
/// Requests that a closed counterpart does not take before it opens.
const CLOSED_FOR: usize = 6;
/// Times that a late counterpart says that there is no result yet.
const PENDING: usize = 3;

/// The words of which every form must be given when all goes right.
const GOOD: [Then; 3] = [Then::Ready, Then::Accepted, Then::Applied];

/// A thing that was asked for.
#[derive(Debug, Default)]
struct Thing {
    key: String,
    name: String,
    ticket: String,
    digest: String,
    document: Value,
    /// What it holds: the thing itself, or the items of a batch.
    items: Vec<Item>,
    /// To be done then.
    later: Option<Instant>,
    done: bool,
    polled: usize,
    ready: bool,
}

/// One thing that can be done.
#[derive(Clone, Debug)]
struct Item {
    /// Operation, and what tells it from others.
    identity: (String, String),
    /// Whether the counterpart knows it again wherever it comes.
    known_again: bool,
    refused: bool,
}

#[derive(Debug, Default)]
struct State {
    requests: usize,
    things: Vec<Thing>,
    /// How often each was done, by operation and identity.
    effects: BTreeMap<(String, String), usize>,
    /// Requests whose answer was lost and that only a person may resolve.
    lost: BTreeSet<String>,
    /// First requests that were spoilt already.
    spoilt: BTreeSet<(Kind, String)>,
    violations: BTreeSet<String>,
    /// Forms that were given of answers that have several.
    forms: BTreeSet<(Kind, usize)>,
    order: BTreeMap<String, usize>,
}

/// See the module. It is a `Target`, without a network in between.
#[derive(Debug)]
pub struct World {
    simulator: Arc<Simulator>,
    /// The operation that is played; others may have steps that look the same.
    operation: String,
    behaviour: Behaviour,
    state: Mutex<State>,
}

impl World {
    /// A world in which nothing happened yet.
    pub fn new(simulator: Arc<Simulator>, operation: &str, behaviour: Behaviour) -> World {
        let operation = operation.to_owned();
        World { simulator, operation, behaviour, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.state().requests
    }

    /// How many documents wait to be fetched by an operation.
    pub fn documents(&self, operation: &str) -> usize {
        self.simulator.operations.get(operation).map_or(0, |played| played.documents.len())
    }

    /// How many different things were done.
    pub fn done(&self) -> usize {
        self.settle(&mut self.state(), true);
        self.state().effects.values().filter(|times| **times > 0).count()
    }

    /// What was done more than once: how often too often.
    pub fn doubled(&self) -> usize {
        self.state().effects.values().map(|times| times.saturating_sub(1)).sum()
    }

    /// What was wrong with requests, without values.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.iter().cloned().collect()
    }

    /// Answers to the operation that is played of which not every form was given.
    pub(super) fn unplayed(&self) -> Vec<String> {
        let Some(played) = self.simulator.operations.get(&self.operation) else {
            return Vec::new();
        };
        let steps = [
            (Kind::Submit, "submit", &played.submit),
            (Kind::Poll, "poll", &played.poll),
            (Kind::Fetch, "fetch", &played.fetch),
        ];
        let state = self.state();
        let missing = |(kind, step, answers): &(Kind, &str, &super::Answers)| {
            let forms = answers.first(&GOOD).map(|(_, answer)| answer.forms())?;
            let given = state.forms.iter().filter(|(of, _)| of == kind).count();
            (forms > 1 && given < forms).then(|| {
                format!("`{step}` has {forms} forms of an answer, {given} were given: more cases")
            })
        };
        steps.iter().filter_map(missing).collect()
    }

    /// What is done by now, before anybody asked for its result: what a counterpart tells of.
    pub(super) fn finished(&self) -> Vec<Done> {
        let mut state = self.state();
        self.settle(&mut state, false);
        let State { things, effects, .. } = &mut *state;
        let taken = things.iter_mut().filter(|thing| thing.later.is_none());
        let told = taken.map(|thing| {
            thing.ready = true;
            thing.polled = thing.polled.max(PENDING);
            apply(thing, effects);
            let (ticket, name) = (thing.ticket.clone(), thing.name.clone());
            Done { ticket, name, submitted: thing.document.clone() }
        });
        told.collect()
    }

    /// Notes something that is wrong, without values.
    pub(super) fn wrong(&self, what: String) {
        self.state().violations.insert(what);
    }

    /// Does what is due by now, or all of it.
    fn settle(&self, state: &mut State, all: bool) {
        let State { things, effects, .. } = state;
        for thing in things.iter_mut() {
            if thing.later.is_some_and(|at| all || at <= Instant::now()) {
                thing.later = None;
                apply(thing, effects);
            }
        }
    }

    fn react(&self, request: &Request) -> Result<Response, SendError> {
        let mut state = self.state();
        state.requests += 1;
        self.settle(&mut state, false);
        let read = match request::read(&self.simulator, &self.operation, request) {
            Ok(read) => read,
            Err(problem) => {
                state.violations.insert(problem);
                return Ok(plain(400, "text/plain", b"not understood".to_vec()));
            }
        };
        if read.step.request.token != request.token {
            let what = "the token is of another scope than the step's";
            state.violations.insert(format!("{}: {what}", read.place()));
            return Ok(plain(403, "text/plain", b"insufficient scope".to_vec()));
        }
        if self.behaviour == Behaviour::Closed && state.requests <= CLOSED_FOR {
            return self.closed(&read, state.requests);
        }
        self.leave_to_person(&read, &mut state);
        let first = state.spoilt.insert((read.kind, read.name()));
        let spoils = first && read.kind != Kind::Availability;
        match self.behaviour {
            Behaviour::Silent if spoils => Err(lost()),
            Behaviour::Late if spoils && read.kind == Kind::Submit => {
                self.submit(&read, &mut state, Some(Instant::now() + LATE)).and(Err(lost()))
            }
            Behaviour::Late if spoils && read.kind == Kind::List => Err(lost()),
            Behaviour::Lying if spoils => {
                let number = state.spoilt.len();
                if read.kind == Kind::Submit && number.is_multiple_of(2) {
                    drop(self.submit(&read, &mut state, None));
                }
                Ok(lie(number))
            }
            _ => self.answer(&read, &mut state),
        }
    }

    /// What was lost and is a person's to resolve must not come again.
    fn leave_to_person(&self, read: &Read<'_>, state: &mut State) {
        let person = |played: &Played| played.operation.unknown == UnknownRule::Person;
        if read.kind != Kind::Submit || !read.played.is_some_and(person) {
            return;
        }
        let spoils =
            matches!(self.behaviour, Behaviour::Silent | Behaviour::Late | Behaviour::Lying);
        if spoils && !state.lost.insert(read.digest.clone()) {
            let what = "sent again although only a person can tell whether it was done";
            state.violations.insert(format!("{}: {what}", read.place()));
        }
    }

    /// Not reached, or busy.
    fn closed(&self, read: &Read<'_>, number: usize) -> Result<Response, SendError> {
        let word = if read.kind == Kind::Availability { Then::Closed } else { Then::Retry };
        match read.answers.get(word) {
            Some(answer) if number.is_multiple_of(2) || word == Then::Closed => {
                Ok(write(answer, &Facts::default(), read.step))
            }
            _ => Err(SendError {
                before_first_byte: true,
                code: &codes::CONNECT_FAILED,
                detail: "simulated".to_owned(),
            }),
        }
    }

    fn answer(&self, read: &Read<'_>, state: &mut State) -> Result<Response, SendError> {
        let missing = |state: &mut State, what: &str| {
            state.violations.insert(format!("{}: {what}", read.place()));
            Ok(plain(404, "text/plain", b"nothing".to_vec()))
        };
        match read.kind {
            Kind::Submit => self.submit(read, state, None),
            Kind::Availability => self.say(read, state, &[Then::Open], &Facts::default()),
            Kind::List => {
                let Some(played) = read.played else { return missing(state, "no such list") };
                let line = |document: &Document| {
                    let facts = Facts { id: &document.id, ..Facts::default() };
                    played.entry.as_ref().map(|entry| fill(entry, &facts))
                };
                let entries = Value::Array(played.documents.iter().filter_map(line).collect());
                let facts = Facts {
                    entries: Some(&entries),
                    request: read.documents.first(),
                    ..Facts::default()
                };
                self.say(read, state, &[Then::Applied], &facts)
            }
            Kind::Get => {
                let id = read.captured.get("id").cloned().unwrap_or_default();
                let found = read
                    .played
                    .and_then(|played| played.documents.iter().find(|document| document.id == id));
                let Some(document) = found else {
                    return missing(state, "asked for an id that no list named");
                };
                let facts = Facts { id: &id, document: Some(&document.body), ..Facts::default() };
                self.say(read, state, &[Then::Applied], &facts)
            }
            Kind::Poll | Kind::Fetch | Kind::Ask => {
                let wanted = read.wanted();
                let found = state.things.iter().position(|thing| thing.is(&wanted));
                match (read.kind, found) {
                    (Kind::Ask, _) => self.asked(read, state, found, &wanted),
                    (_, None) => self.say(read, state, &[Then::NotApplied], &Facts::default()),
                    (Kind::Poll, Some(index)) => self.poll(read, state, index),
                    (_, Some(index)) => self.fetch(read, state, index),
                }
            }
        }
    }

    /// A submit: known again, refused, or done, now or then.
    fn submit(
        &self,
        read: &Read<'_>,
        state: &mut State,
        later: Option<Instant>,
    ) -> Result<Response, SendError> {
        let Some(played) = read.played else { return Err(lost()) };
        let operation = &played.operation;
        let knows_again = played.knows_again;
        let named = |document: &Value| played.name_of(document).unwrap_or_default();
        let mut items: Vec<Item> = read
            .documents
            .iter()
            .map(|document| {
                let name = named(document);
                let by_key = operation.batch.is_none() && !read.key.is_empty();
                let known_again = knows_again && (by_key || !name.is_empty());
                let own = match (by_key, name.is_empty()) {
                    (true, _) => read.key.clone(),
                    (false, true) => digest(document.to_string().as_bytes()),
                    (false, false) => name,
                };
                Item { identity: (operation.name.clone(), own), known_again, refused: false }
            })
            .collect();
        let same = |thing: &Thing| match read.key.is_empty() {
            false => thing.key == read.key,
            true => {
                thing.items.first().map(|item| &item.identity)
                    == items.first().map(|one| &one.identity)
            }
        };
        let known = state.things.iter().position(same);
        let knows = items.first().is_some_and(|item| item.known_again) || !read.key.is_empty();
        if let (Some(index), true) = (known, knows_again && knows) {
            let same = state.things.get(index).is_some_and(|thing| thing.digest == read.digest);
            if !same && !read.key.is_empty() {
                let what = "the same idempotency key came with another body";
                state.violations.insert(format!("{}: {what}", read.place()));
            }
            return self.taken(read, played, state, index, later);
        }
        self.refuse(&mut items, played, state);
        let whole = items.len() == 1 && played.items.is_none();
        if whole && items.iter().all(|item| item.refused) {
            let facts = Facts { request: read.documents.first(), ..Facts::default() };
            return self.say(read, state, &[Then::Refused], &facts);
        }
        let number = state.things.len() + 1;
        state.things.push(Thing {
            key: read.key.clone(),
            name: read.documents.first().map(named).unwrap_or_default(),
            ticket: format!("T{number:08}"),
            digest: read.digest.clone(),
            document: read.documents.first().cloned().unwrap_or_default(),
            items,
            ..Thing::default()
        });
        self.taken(read, played, state, number - 1, later)
    }

    /// Refuses some of these, by the order in which they were first seen.
    fn refuse(&self, items: &mut [Item], played: &Played, state: &mut State) {
        let can = match &played.items {
            Some((_, refused)) => refused.is_some(),
            None => played.submit.get(Then::Refused).is_some(),
        };
        for item in items.iter_mut().filter(|_| can) {
            let next = state.order.len();
            let order = *state.order.entry(item.identity.1.clone()).or_insert(next);
            item.refused = match self.behaviour {
                Behaviour::Refusing => true,
                Behaviour::Partial => order % 2 == 1,
                _ => false,
            };
        }
    }

    /// It is taken, and done now, later, or when its result is asked for.
    fn taken(
        &self,
        read: &Read<'_>,
        played: &Played,
        state: &mut State,
        index: usize,
        later: Option<Instant>,
    ) -> Result<Response, SendError> {
        let with_ticket = played.operation.interaction == Interaction::SubmitPoll;
        let State { things, effects, .. } = &mut *state;
        let Some(thing) = things.get_mut(index) else { return Err(lost()) };
        match later {
            Some(at) if !thing.done => thing.later = Some(at),
            _ if with_ticket => {}
            _ => apply(thing, effects),
        }
        let (ticket, name) = (thing.ticket.clone(), thing.name.clone());
        let (items, submitted) = (results(played, thing), thing.document.clone());
        let facts = Facts {
            ticket: &ticket,
            key: &read.key,
            name: &name,
            turn: index,
            request: read.documents.first(),
            items: Some(&items),
            submitted: Some(&submitted),
            ..Facts::default()
        };
        let words: &[Then] = match (with_ticket, &played.operation.items) {
            (true, _) => &[Then::Accepted],
            (false, Some(_)) => &[Then::Ready],
            (false, None) => &[Then::Applied],
        };
        self.say(read, state, words, &facts)
    }

    fn poll(
        &self,
        read: &Read<'_>,
        state: &mut State,
        index: usize,
    ) -> Result<Response, SendError> {
        let Some(played) = read.played else { return Err(lost()) };
        let often = if self.behaviour == Behaviour::Late { PENDING } else { 1 };
        let State { things, effects, .. } = &mut *state;
        let Some(thing) = things.get_mut(index) else { return Err(lost()) };
        thing.polled += 1;
        let pending = thing.polled <= often && read.answers.get(Then::Pending).is_some();
        if !pending {
            thing.ready = true;
            thing.later = None;
            apply(thing, effects);
        }
        let (ticket, name) = (thing.ticket.clone(), thing.name.clone());
        let (items, submitted) = (results(played, thing), thing.document.clone());
        let facts = Facts {
            ticket: &ticket,
            name: &name,
            turn: index,
            items: Some(&items),
            submitted: Some(&submitted),
            request: read.documents.first(),
            ..Facts::default()
        };
        let word = if pending { Then::Pending } else { Then::Ready };
        self.say(read, state, &[word], &facts)
    }

    fn fetch(
        &self,
        read: &Read<'_>,
        state: &mut State,
        index: usize,
    ) -> Result<Response, SendError> {
        let Some(thing) = state.things.get(index) else { return Err(lost()) };
        let (ticket, name, ready) = (thing.ticket.clone(), thing.name.clone(), thing.ready);
        let submitted = thing.document.clone();
        if !ready {
            state.violations.insert(format!("{}: before it was said to be ready", read.place()));
        }
        let facts = Facts {
            ticket: &ticket,
            name: &name,
            turn: index,
            request: read.documents.first(),
            submitted: Some(&submitted),
            ..Facts::default()
        };
        self.say(read, state, &[Then::Applied], &facts)
    }

    /// Whether a lost submit was taken.
    fn asked(
        &self,
        read: &Read<'_>,
        state: &mut State,
        found: Option<usize>,
        wanted: &[String],
    ) -> Result<Response, SendError> {
        let taken = found.and_then(|index| state.things.get(index)).filter(|thing| {
            // What was taken for later is not known before it is done.
            thing.later.is_none()
        });
        let (ticket, name) = taken
            .map(|thing| (thing.ticket.clone(), thing.name.clone()))
            .unwrap_or_else(|| (String::new(), wanted.first().cloned().unwrap_or_default()));
        let submitted = taken.map(|thing| thing.document.clone());
        let word = if taken.is_some() { Then::Applied } else { Then::NotApplied };
        let facts = Facts {
            ticket: &ticket,
            name: &name,
            turn: found.unwrap_or_default(),
            request: read.documents.first(),
            submitted: submitted.as_ref(),
            ..Facts::default()
        };
        self.say(read, state, &[word], &facts)
    }

    /// Gives the answer of the first word that has one; it must be what the adapter takes it for.
    fn say(
        &self,
        read: &Read<'_>,
        state: &mut State,
        words: &[Then],
        facts: &Facts<'_>,
    ) -> Result<Response, SendError> {
        let Some((word, answer)) = read.answers.first(words) else {
            let names: Vec<&str> = Then::NAMES
                .iter()
                .filter(|(_, then)| words.contains(then))
                .map(|(name, _)| *name)
                .collect();
            let what = format!("simulator.yaml has no answer `{}`", names.join("`, `"));
            state.violations.insert(format!("{}: {what}", read.place()));
            return Ok(plain(500, "text/plain", b"no answer".to_vec()));
        };
        if let Some(problem) = unfit(read.step, word, answer, facts) {
            let name = Then::NAMES.iter().find(|(_, then)| *then == word).map_or("", |one| one.0);
            state.violations.insert(format!("{}: answer `{name}`: {problem}", read.place()));
        }
        if GOOD.contains(&word) {
            let form = facts.turn.checked_rem(answer.forms()).unwrap_or_default();
            state.forms.insert((read.kind, form));
        }
        Ok(write(answer, facts, read.step))
    }
}

impl Target for World {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, SendError>> {
        Box::pin(async move { self.react(&request) })
    }

    fn forget_token(&self, _: u64) {}
}

impl Thing {
    fn is(&self, wanted: &[String]) -> bool {
        let one = |text: &String| {
            !text.is_empty() && [&self.ticket, &self.key, &self.name].contains(&text)
        };
        wanted.iter().any(one)
    }
}

/// Does what is not refused and not done yet.
fn apply(thing: &mut Thing, effects: &mut BTreeMap<(String, String), usize>) {
    if thing.done {
        return;
    }
    thing.done = true;
    for item in thing.items.iter().filter(|item| !item.refused) {
        let times = effects.entry(item.identity.clone()).or_default();
        if *times == 0 || !item.known_again {
            *times += 1;
        }
    }
}

fn results(played: &Played, thing: &Thing) -> Value {
    let Some((applied, refused)) = &played.items else { return Value::Null };
    let one = |(index, item): (usize, &Item)| {
        let template = if item.refused { refused.as_ref().unwrap_or(applied) } else { applied };
        fill(template, &Facts { number: index + 1, ..Facts::default() })
    };
    Value::Array(thing.items.iter().enumerate().map(one).collect())
}
