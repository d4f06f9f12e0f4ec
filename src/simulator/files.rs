//! The run of routes and operations of files: real desks and clerks, a place in memory, a clock that
//! is moved on by hand, so that days pass in no time.

use super::conformance::{Input, PATIENCE, Row, Run, arrival, at_rest, context, not_sent, remove};
use super::paper::{self, Paper};
use super::shelf::{AWAY, Shelf};
use super::{Behaviour, Simulator, World, conformance, persons};
use crate::adapter::file::FileIn;
use crate::adapter::{Destination, Operation, Route};
use crate::model::Clock;
use crate::model::codes::message as codes;
use crate::pipeline::Context;
use crate::pipeline::accept::{accept, accept_as};
use crate::pipeline::file::read::Clerk;
use crate::pipeline::file::write::Desk;
use crate::pipeline::settle;
use crate::pipeline::worker::{self, Work};
use crate::store::{ExchangeView, Filter, StoreError};
use crate::transport::place::memory::{Fate, Memory};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Looks of a run, at most: two days in half hours, then days.
const ROUNDS: usize = 200;
const HALF_HOURS: usize = 96;
const HALF_HOUR: Duration = Duration::from_secs(30 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Looks in which nothing more must happen after all was at rest.
const QUIET: usize = 4;

/// A clock that is moved on.
struct Hands(Mutex<Timestamp>);

impl Hands {
    fn pass(&self, time: Duration) {
        let mut now = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *now = settle::later(*now, time);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One run.
struct Stage {
    cx: Arc<Context>,
    clock: Arc<Hands>,
    adapter: String,
    file: PathBuf,
}

impl Stage {
    fn set(run: &Run<'_>, behaviour: Behaviour, place: &Memory) -> Result<Stage, StoreError> {
        let clock = Arc::new(Hands(Mutex::new(conformance::noon())));
        let simulator = run.simulator;
        let world = World::new(Arc::clone(simulator), run.operation, behaviour);
        let (cx, file) =
            context(run, behaviour, Arc::new(world), Arc::clone(&clock) as _, Some(place))?;
        Ok(Stage { cx, clock, adapter: simulator.adapter.name.clone(), file })
    }

    async fn exchanges(&self) -> Result<Vec<ExchangeView>, StoreError> {
        let mut all = self.cx.store.list(Filter { limit: 1_000, ..Filter::default() }).await?;
        // Without route and type: demands that were there before.
        all.retain(|one| !(one.route.is_empty() && one.message_type.is_empty()));
        Ok(all)
    }

    fn clerk(&self, operation: &Arc<Operation>) -> Clerk {
        Clerk::new(Arc::clone(operation), self.adapter.clone(), Arc::clone(&self.cx))
    }

    fn pass(&self, round: usize) {
        self.clock.pass(if round < HALF_HOURS { HALF_HOUR } else { DAY });
    }

    fn conclude(&self, row: &mut Row, exchanges: &[ExchangeView]) {
        for exchange in exchanges {
            *row.ended.entry(exchange.state.clone()).or_default() += 1;
        }
        row.not_sent = not_sent(exchanges);
        let ids = exchanges.iter().map(|one| one.message_id.as_str());
        row.arrived = ids.collect::<BTreeSet<_>>().len();
    }

    async fn clear(self) -> Result<(), StoreError> {
        self.cx.store.close().await?;
        remove(&self.file);
        Ok(())
    }
}

/// One route whose operation writes files, under one behaviour.
pub(super) async fn route(
    run: &Run<'_>,
    route: &Route,
    operation: &Arc<Operation>,
    inputs: &[Input],
    behaviour: Behaviour,
) -> Result<Row, StoreError> {
    let mut row = Row::empty(&route.name, behaviour);
    if inputs.is_empty() {
        row.findings.push("no case of its mapping has an input that it takes".to_owned());
        return Ok(row);
    }
    let mut shelf = Shelf::new(run.simulator, operation, behaviour);
    let stage = Stage::set(run, behaviour, &shelf.place)?;
    for input in inputs {
        persons::demand(route, &input.document, &stage.cx).await?;
        let arrival = arrival(route, input);
        match conformance::recognised(&stage.cx, route, input) {
            Some(fetched) => accept_as(&arrival, Ok(fetched), &stage.cx).await?,
            None => accept(&arrival, &stage.cx).await?,
        };
    }
    persons::agree(&stage.cx).await?;
    row.messages = inputs.len();
    let results = operation.file_out.as_ref().and_then(|rule| rule.results.as_ref());
    let results = results.and_then(|name| run.simulator.adapter.operations.get(name));
    let mut clerk = results.map(|operation| stage.clerk(operation));
    let mut desk = Desk::new(stage.adapter.clone(), Arc::clone(operation), Arc::clone(&stage.cx));
    let mut quiet = 0;
    let mut exchanges = Vec::new();
    for round in 0..ROUNDS {
        desk.pass().await;
        shelf.look(stage.clock.now());
        if let Some(clerk) = &mut clerk {
            clerk.pass().await;
        }
        stage.pass(round);
        exchanges = stage.exchanges().await?;
        let rests = !exchanges.is_empty() && at_rest(&exchanges) && !shelf.owes();
        quiet = if rests { quiet + 1 } else { 0 };
        if quiet == QUIET {
            break;
        }
    }
    if quiet < QUIET {
        row.findings.push("not at rest after weeks".to_owned());
    }
    stage.conclude(&mut row, &exchanges);
    row.requests = shelf.sets();
    judge(&mut row, &shelf, behaviour);
    stage.clear().await.map(|()| row)
}

/// Whether what the gateway says is what the counterpart did.
fn judge(row: &mut Row, shelf: &Shelf, behaviour: Behaviour) {
    let ended = |state: &str| row.ended.get(state).copied().unwrap_or_default();
    let (delivered, dead, open) = (ended("delivered"), ended("dead"), ended("unknown"));
    let (given_up, held) = (ended("discarded"), ended("held"));
    let (done, doubled) = (shelf.done(), shelf.doubled());
    let mut findings = shelf.violations();
    let mut wrong = |text: String| findings.push(text);
    if doubled > 0 {
        wrong(format!("{doubled} done twice"));
    }
    if row.not_sent == row.messages {
        wrong("nothing was sent: `watashi try` shows why".to_owned());
    }
    if delivered + dead + open + given_up + held < row.messages || (held > 0 && open == 0) {
        wrong("some exchanges neither ended nor wait for a person".to_owned());
    }
    match shelf.keeps_silent() {
        true if open + held + given_up != row.messages - row.not_sent => {
            wrong(format!("{open} wait for a person, all should"));
        }
        true => {}
        false if done != delivered => {
            wrong(format!("the counterpart did {done}, {delivered} are said to be delivered"));
        }
        false if open > 0 => wrong(format!("{open} wait for a person, none should")),
        false => {}
    }
    let refused = dead - row.not_sent;
    if refused > 0 && !matches!(behaviour, Behaviour::Refusing | Behaviour::Partial) {
        wrong(format!("{refused} are dead that nobody refused"));
    }
    row.findings.extend(findings);
}

/// What is done at the place before a look.
enum Deed {
    Lay(Paper),
    Open,
}

/// One operation that reads files with messages, under one behaviour.
pub(super) async fn coming(
    run: &Run<'_>,
    operation: &Arc<Operation>,
    rule: &FileIn,
    behaviour: Behaviour,
) -> Result<Row, StoreError> {
    let mut row = Row::empty(&operation.name, behaviour);
    let place = Memory::default();
    let (waiting, deeds) = match plan(run.simulator, operation, rule, behaviour) {
        Ok(planned) => planned,
        Err(what) => {
            row.findings.push(what);
            return Ok(row);
        }
    };
    match behaviour {
        Behaviour::Closed | Behaviour::Refusing => place.goes_down(),
        Behaviour::Silent => place.at(1, Fate::AnswerLost),
        _ => {}
    }
    let stage = Stage::set(run, behaviour, &place)?;
    row.messages = waiting;
    let publishing = Publishing::start(&stage.cx);
    let mut clerk = stage.clerk(operation);
    for round in 0..AWAY * 4 {
        for (_, deed) in deeds.iter().filter(|(at, _)| *at == round) {
            match deed {
                Deed::Lay(paper) => paper.lay(&place),
                Deed::Open => place.comes_up(),
            }
            row.requests += 1;
        }
        clerk.pass().await;
        stage.clock.pass(HALF_HOUR);
    }
    publishing.end(&stage).await?;
    let exchanges = stage.exchanges().await?;
    stage.conclude(&mut row, &exchanges);
    let refuses = behaviour == Behaviour::Refusing;
    if row.arrived > waiting || (row.arrived < waiting && !refuses) {
        row.findings.push(format!("{waiting} waited, {} arrived", row.arrived));
    }
    if exchanges.iter().any(|one| one.code.as_deref() == Some(codes::BAD_RECORD.code)) {
        row.findings.push("a document of simulator.yaml is no record of the file".to_owned());
    }
    let aside = place.files().into_keys().any(|path| path.starts_with(&rule.aside));
    if aside != (behaviour == Behaviour::Lying) {
        row.findings
            .push("not the file that means nothing, and it alone, was put aside".to_owned());
    }
    stage.clear().await.map(|()| row)
}

/// How many messages wait in the file, and what is done with it before which look.
fn plan(
    simulator: &Arc<Simulator>,
    operation: &Arc<Operation>,
    rule: &FileIn,
    behaviour: Behaviour,
) -> Result<(usize, Vec<(usize, Deed)>), String> {
    let at = conformance::noon();
    let rows = simulator.waiting(&operation.name, at);
    let head = simulator.operations.get(&operation.name).and_then(|played| played.head.as_ref());
    let made = |set| {
        let paper = paper::of(rule, set, at, &rows, head);
        paper.map_err(|what| format!("the file cannot be made: {what}"))
    };
    let (paper, other) = (made(1)?, made(2)?);
    let again = || (AWAY * 2, Deed::Lay(paper.clone()));
    // Without a marker half a file that no longer grows is a whole one.
    let deeds = match behaviour {
        Behaviour::Late if paper.is_sealed() => {
            vec![(0, Deed::Lay(paper.without_seal())), (AWAY, Deed::Lay(paper.clone())), again()]
        }
        Behaviour::Partial if paper.is_sealed() => {
            vec![(0, Deed::Lay(paper.half())), (AWAY, Deed::Lay(paper.clone())), again()]
        }
        Behaviour::Lying => {
            vec![(0, Deed::Lay(other.garbled())), (AWAY, Deed::Lay(paper.clone())), again()]
        }
        Behaviour::Closed => {
            vec![(0, Deed::Lay(paper.clone())), (AWAY, Deed::Open), again()]
        }
        _ => vec![(0, Deed::Lay(paper.clone())), again()],
    };
    let waiting = if rule.each_record { rows.len() } else { 1 };
    Ok((waiting, deeds))
}

/// The worker that takes messages to upstream.
struct Publishing {
    stop: watch::Sender<bool>,
    tasks: tokio::task::JoinSet<()>,
}

impl Publishing {
    fn start(cx: &Arc<Context>) -> Publishing {
        let (stop, mut tasks) = (watch::Sender::new(false), tokio::task::JoinSet::new());
        for counterpart in cx.counterparts.all() {
            let (cx, stop) = (Arc::clone(cx), stop.subscribe());
            tasks.spawn(worker::run(Work::Publish, counterpart, cx, stop));
        }
        Publishing { stop, tasks }
    }

    /// When nothing is left to take there.
    async fn end(mut self, stage: &Stage) -> Result<(), StoreError> {
        let bundle = stage.cx.bundle();
        let publishes = |one: &ExchangeView| {
            let route = bundle.route(&one.route);
            route.is_some_and(|route| matches!(route.destination, Destination::Publish(_)))
        };
        let begun = Instant::now();
        loop {
            let all = stage.exchanges().await?;
            let left = all.iter().filter(|one| publishes(one));
            if left.cloned().all(|one| at_rest(&[one])) || begun.elapsed() > PATIENCE {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        Ok(())
    }
}
