//! The run of an adapter against its simulator: every route, every behaviour, the whole way from
//! acceptance to the outcome, with an own store each time and with shortened times.

use super::caller;
use super::world::LATE;
use super::{Behaviour, Simulator, World, files, persons};
use crate::adapter::bundle::Enabled;
use crate::adapter::{Bundle, Destination, Interaction, Overrides, Route, UnknownRule};
use crate::diagnostic::SourceFile;
use crate::mapping::cases::{Case, Expected};
use crate::model::{Clock, Envelope, MessageId, Secret};
use crate::pipeline::accept::{Arrival, Origin, Recognised, accept, accept_as};
use crate::pipeline::context::Accepting;
use crate::pipeline::worker::{self, Work};
use crate::pipeline::{Context, Counterpart, Counterparts, Definitions, Settings, map, pull};
use crate::store::keys::Keys;
use crate::store::sqlite::{Options, SqliteStore};
use crate::store::{ExchangeView, Filter, StoreError};
use crate::transport::Target;
use crate::transport::fake::FakeScanner;
use crate::transport::place::Place;
use crate::transport::place::memory::Memory;
use bytes::Bytes;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Messages of one run.
const MESSAGES: usize = 4;
/// How long a run may take; times are shortened, so that it takes far less.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How long nothing more must happen after all was at rest.
const QUIET: Duration = Duration::from_millis(80);

/// What became of one route, or one pull, under one behaviour.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Row {
    /// The route, or the pull.
    pub name: String,
    /// The behaviour.
    pub behaviour: &'static str,
    /// Messages that were posted, or that waited there.
    pub messages: usize,
    /// Exchanges by the state they ended in.
    pub ended: BTreeMap<String, usize>,
    /// Requests that the counterpart saw.
    pub requests: usize,
    /// Messages that a check or mapping refused before anything was sent.
    pub not_sent: usize,
    /// Different messages that are there in the end.
    pub arrived: usize,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Row {
    pub(super) fn empty(name: &str, behaviour: Behaviour) -> Row {
        Row {
            name: name.to_owned(),
            behaviour: behaviour.name(),
            messages: 0,
            ended: BTreeMap::new(),
            requests: 0,
            not_sent: 0,
            arrived: 0,
            findings: Vec::new(),
        }
    }
}

/// Something that is wrong, without values.
pub type Finding = String;

/// Wall time of a working day at noon in Japan, and from there on as it passes.
struct Noon(Instant);

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        noon().checked_add(self.0.elapsed()).unwrap_or_else(|_| noon())
    }
}

/// Wednesday, 2026-06-03, in Japan.
pub(super) fn noon() -> Timestamp {
    Timestamp::from_second(1_780_455_600).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Runs every route and pull of a simulator's adapter under these behaviours. `folder` is for the
/// stores, `seed` makes their keys.
///
/// # Errors
/// When a store cannot be made.
pub async fn run(
    simulator: &Arc<Simulator>,
    files: &[Arc<SourceFile>],
    behaviours: &[Behaviour],
    folder: &Path,
    seed: &Secret<Vec<u8>>,
) -> Result<Vec<Row>, StoreError> {
    let name = simulator.adapter.name.clone();
    let overrides = BTreeMap::from([(name.clone(), shortened())]);
    let Some(whole) = Bundle::build(files, &Enabled::All, &overrides, &mut Vec::new()) else {
        return Ok(Vec::new());
    };
    let whole = Arc::new(whole);
    let mut rows = Vec::new();
    for route in whole.routes().filter(|route| route.adapter.name == name) {
        let Destination::Operation(operation) = &route.destination else { continue };
        if !simulator.plays(&operation.name) {
            let findings = vec![format!("simulator.yaml does not play `{}`", operation.name)];
            rows.push(Row { findings, ..Row::empty(&route.name, Behaviour::Right) });
            continue;
        }
        let bundle = Arc::new(whole.only(&route.name));
        let inputs = inputs(simulator, &operation.name, route, files);
        let towns = towns(inputs.iter().map(|input| (route.as_ref(), &input.document)));
        let run = Run {
            simulator,
            operation: &operation.name,
            bundle: &bundle,
            municipalities: &towns,
            folder,
            seed,
        };
        let (run, inputs) = (&run, &inputs);
        let each = behaviours.iter().map(async |behaviour| {
            if operation.file_out.is_some() {
                return files::route(run, route, operation, inputs, *behaviour).await;
            }
            let stage = Stage::set(run, *behaviour)?;
            let row = stage.route(route, inputs, operation.unknown).await?;
            stage.clear().await.map(|()| row)
        });
        rows.extend(try_join_all(each).await?);
    }
    for operation in simulator.adapter.operations.values() {
        let coming = operation.file_in.as_ref().filter(|rule| rule.message_type.is_some());
        if coming.is_some() && !simulator.plays(&operation.name) {
            let findings = vec![format!("simulator.yaml does not play `{}`", operation.name)];
            rows.push(Row { findings, ..Row::empty(&operation.name, Behaviour::Right) });
        }
        let comes = operation.interaction == Interaction::Pull || coming.is_some();
        if !comes || !simulator.plays(&operation.name) {
            continue;
        }
        let bundle = Arc::clone(&whole);
        let documents = simulator.waiting(&operation.name, noon());
        let pulled = operation.gives().unwrap_or_default();
        let taking = bundle.routes_for(pulled).iter();
        let towns =
            towns(taking.flat_map(|route| documents.iter().map(|one| (route.as_ref(), one))));
        let run = Run {
            simulator,
            operation: &operation.name,
            bundle: &bundle,
            municipalities: &towns,
            folder,
            seed,
        };
        let run = &run;
        let each = behaviours.iter().map(async |behaviour| {
            if let Some(rule) = coming {
                return files::coming(run, operation, rule, *behaviour).await;
            }
            let stage = Stage::set(run, *behaviour)?;
            let row = stage.pull(&operation.name).await?;
            stage.clear().await.map(|()| row)
        });
        rows.extend(try_join_all(each).await?);
    }
    Ok(rows)
}

/// Who agrees to what a run has prepared.
pub(super) const SECOND_PERSON: &str = "second person";

/// The times of a run.
fn shortened() -> Overrides {
    Overrides {
        timeout: Some(Duration::from_secs(5)),
        concurrency: Some(4),
        retry_first: Some(Duration::from_millis(2)),
        retry_max: Some(Duration::from_millis(20)),
        poll_every: Some(Duration::from_millis(5)),
        settle_after: Some(LATE * 4),
        maintenance: Vec::new(),
    }
}

/// One message.
#[derive(Debug)]
pub(super) struct Input {
    message_id: String,
    pub document: Value,
    /// By what the counterpart knows it; empty where that is no part of the document.
    identity: Option<String>,
}

/// Documents that the route takes: the inputs of its mapping's cases that pass.
fn inputs(
    simulator: &Simulator,
    operation: &str,
    route: &Route,
    files: &[Arc<SourceFile>],
) -> Vec<Input> {
    let part = format!("/{}/cases/", route.mapping.name);
    let mut found: Vec<Input> = Vec::new();
    for file in files.iter().filter(|file| file.path.contains(&part)) {
        let Some(case) = Case::load(file, &mut Vec::new()) else { continue };
        if !matches!(case.expected, Expected::Document(_)) {
            continue;
        }
        let Ok(document) = case.document(&route.mapping) else { continue };
        let takes = route.when.as_ref().is_none_or(|when| when.test(&*document));
        if !takes || found.len() == MESSAGES {
            continue;
        }
        // A mapping may compare the message's id with the document.
        let mut meta = case.meta.clone();
        if meta.message_id.is_empty() || found.iter().any(|one| *one.message_id == *meta.message_id)
        {
            meta.message_id = format!("M{:06}", found.len()).into();
        }
        let Ok(mapped) = map::run(&route.mapping, &document, &meta) else { continue };
        // The counterpart could not tell two of one name apart.
        let identity = simulator.name_of(operation, &mapped);
        let is_new = |one: &Input| {
            one.document != *document && (identity.is_none() || one.identity != identity)
        };
        if found.iter().all(is_new) {
            let document = document.into_owned();
            found.push(Input { message_id: meta.message_id.to_string(), document, identity });
        }
    }
    found
}

/// 団体コード that these documents are of.
fn towns<'d>(documents: impl Iterator<Item = (&'d Route, &'d Value)>) -> Vec<String> {
    let town = |(route, document): (&Route, &Value)| {
        let found = route.municipality.as_ref()?.find(document)?;
        found.as_str().map(str::to_owned)
    };
    let mut towns: Vec<String> = documents.filter_map(town).collect();
    towns.sort();
    towns.dedup();
    towns
}

/// What the stages of one route have in common.
pub(super) struct Run<'r> {
    pub simulator: &'r Arc<Simulator>,
    pub operation: &'r str,
    bundle: &'r Arc<Bundle>,
    municipalities: &'r [String],
    folder: &'r Path,
    seed: &'r Secret<Vec<u8>>,
}

/// A gateway of its own, with an empty store; every place of files is `place`.
pub(super) fn context(
    run: &Run<'_>,
    behaviour: Behaviour,
    target: Arc<dyn Target>,
    clock: Arc<dyn Clock>,
    place: Option<&Memory>,
) -> Result<(Arc<Context>, PathBuf), StoreError> {
    let Run { simulator, bundle, municipalities, folder, seed, .. } = run;
    let keys = Arc::new(Keys::from_masters("k1", vec![("k1".to_owned(), (*seed).clone())])?);
    let file = folder.join(format!("{}.db", behaviour.name()));
    let store = SqliteStore::open(&file, Arc::clone(&keys), Options::default())?;
    let adapter = bundle.adapters.get(&simulator.adapter.name).unwrap_or(&simulator.adapter);
    let places = adapter.operations.values().filter_map(|operation| operation.place());
    let places = places.filter_map(|name| {
        let place: Arc<dyn Place> = Arc::new(place?.clone());
        Some((name.to_owned(), place))
    });
    let counterpart = Counterpart::new(Arc::clone(adapter), target)
        .with_trust(simulator.trust.clone())
        .with_files(places.collect());
    let cx = Arc::new(Context {
        definitions: Definitions::new(Arc::clone(bundle)),
        store,
        keys,
        clock,
        counterparts: Counterparts::new([counterpart]),
        settings: Settings {
            municipalities: municipalities.to_vec(),
            max_body: 16 << 20,
            max_backlog: 100_000,
            drain: Duration::from_secs(5),
        },
        outbox: tokio::sync::Notify::new(),
        accepting: Accepting::default(),
        sealing: Arc::default(),
        files: Default::default(),
        scanner: Some(Arc::new(FakeScanner::default())),
        steady: crate::pipeline::steady::Steady::default(),
    });
    Ok((cx, file))
}

/// Removes the store of a run.
pub(super) fn remove(file: &Path) {
    for end in ["", "-wal", "-shm"] {
        let mut name = file.to_owned().into_os_string();
        name.push(end);
        let _gone = std::fs::remove_file(name);
    }
}

/// A message that a pull or a file gives, as if it had been fetched, and its signature had held.
pub(super) fn recognised<'i>(
    cx: &Context,
    route: &Route,
    input: &'i Input,
) -> Option<Recognised<'i>> {
    let bundle = cx.bundle();
    let message_type = route.on.first()?;
    let pulled = bundle.pull_of(message_type)?;
    let body = pulled.operation.content()?.codec.encode(&input.document).ok()?;
    let town = route.municipality.as_ref().and_then(|path| path.find(&input.document)?.as_str());
    let envelope = Envelope {
        source: pulled.adapter.name.clone().into(),
        message_id: MessageId::parse(&input.message_id)?,
        message_type: message_type.clone().into(),
        content_type: String::new(),
        correlation_id: None,
        reply_to: None,
        traceparent: None,
        operator: None,
        municipality: town.map(Into::into),
        accepted_at: cx.clock.now(),
    };
    let routes = vec![bundle.route(&route.name)?];
    let document = input.document.clone().into();
    let envelope = Arc::new(envelope);
    Some(Recognised { envelope, body, document, routes, bundle })
}

/// What a mapping, a permission or a check refused: it is never asked of the counterpart.
pub(super) fn not_sent(exchanges: &[ExchangeView]) -> usize {
    exchanges.iter().filter(|one| one.state == "dead" && one.attempts == 0).count()
}

/// One run: a store, a world, and the pipeline between them.
struct Stage {
    cx: Arc<Context>,
    world: Arc<World>,
    simulator: Arc<Simulator>,
    behaviour: Behaviour,
    file: PathBuf,
}

impl Stage {
    fn set(run: &Run<'_>, behaviour: Behaviour) -> Result<Stage, StoreError> {
        let simulator = Arc::clone(run.simulator);
        let world = Arc::new(World::new(Arc::clone(&simulator), run.operation, behaviour));
        let clock = Arc::new(Noon(Instant::now()));
        let (cx, file) = context(run, behaviour, Arc::clone(&world) as _, clock, None)?;
        Ok(Stage { cx, world, simulator, behaviour, file })
    }

    /// The store goes.
    async fn clear(self) -> Result<(), StoreError> {
        self.cx.store.close().await?;
        remove(&self.file);
        Ok(())
    }

    async fn exchanges(&self) -> Result<Vec<ExchangeView>, StoreError> {
        let mut all = self.cx.store.list(Filter { limit: 1_000, ..Filter::default() }).await?;
        // Without route and type: demands that were there before.
        all.retain(|one| !(one.route.is_empty() && one.message_type.is_empty()));
        Ok(all)
    }

    async fn route(
        &self,
        route: &Route,
        inputs: &[Input],
        unknown: UnknownRule,
    ) -> Result<Row, StoreError> {
        let mut row = Row::empty(&route.name, self.behaviour);
        if inputs.is_empty() {
            row.findings.push("no case of its mapping has an input that it takes".to_owned());
            return Ok(row);
        }
        let mut work = self.work(&self.cx.counterparts.all());
        let (world, simulator) = (Arc::clone(&self.world), Arc::clone(&self.simulator));
        let (cx, stop) = (Arc::clone(&self.cx), work.stop.subscribe());
        let operation = route.operation_name().to_owned();
        work.tasks.spawn(caller::run(world, simulator, operation, cx, stop));
        for input in inputs {
            persons::demand(route, &input.document, &self.cx).await?;
            let arrival = arrival(route, input);
            match recognised(&self.cx, route, input) {
                Some(fetched) => accept_as(&arrival, Ok(fetched), &self.cx).await?,
                None => accept(&arrival, &self.cx).await?,
            };
        }
        persons::agree(&self.cx).await?;
        row.messages = inputs.len();
        self.rest(&mut row, work, at_rest).await?;
        let not_sent = row.not_sent;
        self.judge_route(&mut row, unknown, not_sent);
        Ok(row)
    }

    async fn pull(&self, operation: &str) -> Result<Row, StoreError> {
        let mut row = Row::empty(operation, self.behaviour);
        let all = self.cx.counterparts.all();
        let mut work = self.work(&all);
        let waiting = self.world.documents(operation);
        row.messages = waiting;
        for counterpart in all {
            let Some(operation) = counterpart.adapter.operations.get(operation) else { continue };
            let (operation, stop) = (Arc::clone(operation), work.stop.subscribe());
            let cx = Arc::clone(&self.cx);
            work.tasks.spawn(pull::run(operation, Arc::clone(&counterpart), cx, stop));
        }
        // Somewhat longer than a counterpart needs to come to its senses: it lists again and again.
        let refuses = self.behaviour == Behaviour::Refusing;
        self.rest(&mut row, work, |exchanges| {
            let ids: std::collections::BTreeSet<&str> =
                exchanges.iter().map(|one| one.message_id.as_str()).collect();
            (refuses || ids.len() >= waiting) && at_rest(exchanges)
        })
        .await?;
        let arrived = row.arrived;
        if arrived > waiting || (arrived < waiting && !refuses) {
            row.findings.push(format!("{waiting} waited, {arrived} arrived"));
        }
        row.findings.extend(self.world.violations());
        Ok(row)
    }

    /// Every worker of these counterparts.
    fn work(&self, counterparts: &[Arc<Counterpart>]) -> Working {
        let mut working = Working { stop: watch::Sender::new(false), tasks: JoinSet::new() };
        for counterpart in counterparts {
            let operations = counterpart.adapter.operations.values();
            let mut works: Vec<Work> = operations
                .filter(|operation| {
                    !matches!(operation.interaction, Interaction::Pull | Interaction::PushIn)
                })
                .map(|operation| Work::Operation(Arc::clone(operation)))
                .collect();
            works.push(Work::Publish);
            for work in works {
                let (cx, stop) = (Arc::clone(&self.cx), working.stop.subscribe());
                working.tasks.spawn(worker::run(work, Arc::clone(counterpart), cx, stop));
            }
        }
        working
    }

    /// Waits until all is at rest, and a little more, in which nothing must change.
    async fn rest(
        &self,
        row: &mut Row,
        mut work: Working,
        done: impl Fn(&[ExchangeView]) -> bool,
    ) -> Result<(), StoreError> {
        let begun = Instant::now();
        let mut every = tokio::time::interval(Duration::from_millis(5));
        loop {
            every.tick().await;
            if done(&self.exchanges().await?) {
                tokio::time::sleep(QUIET).await;
                break;
            }
            if begun.elapsed() > PATIENCE {
                row.findings.push(format!("not at rest after {} s", PATIENCE.as_secs()));
                break;
            }
        }
        work.stop.send_replace(true);
        while work.tasks.join_next().await.is_some() {}
        let exchanges = self.exchanges().await?;
        for exchange in &exchanges {
            *row.ended.entry(exchange.state.clone()).or_default() += 1;
        }
        row.not_sent = not_sent(&exchanges);
        row.arrived = exchanges
            .iter()
            .map(|one| one.message_id.as_str())
            .collect::<std::collections::BTreeSet<_>>()
            .len();
        row.requests = self.world.requests();
        Ok(())
    }

    /// Whether what the gateway says is what the counterpart did.
    fn judge_route(&self, row: &mut Row, unknown: UnknownRule, not_sent: usize) {
        let ended = |state: &str| row.ended.get(state).copied().unwrap_or_default();
        let (delivered, dead, open) = (ended("delivered"), ended("dead"), ended("unknown"));
        // Given up for a newer one; and held behind one that a person must resolve.
        let (given_up, held) = (ended("discarded"), ended("held"));
        let (done, doubled) = (self.world.done(), self.world.doubled());
        let mut findings = self.world.violations();
        if self.behaviour == Behaviour::Right {
            findings.extend(self.world.unplayed());
        }
        let mut wrong = |text: String| findings.push(text);
        if doubled > 0 {
            wrong(format!("{doubled} done twice"));
        }
        if not_sent == row.messages {
            wrong("nothing was sent: `watashi try` shows why".to_owned());
        }
        if delivered + dead + open + given_up + held < row.messages || (held > 0 && open == 0) {
            wrong("some exchanges neither ended nor wait for a person".to_owned());
        }
        let to_person = unknown == UnknownRule::Person
            && matches!(self.behaviour, Behaviour::Late | Behaviour::Silent | Behaviour::Lying);
        match to_person {
            true if open + held + given_up != row.messages - not_sent => {
                wrong(format!("{open} wait for a person, all should"));
            }
            true => {}
            false if done != delivered => {
                wrong(format!("the counterpart did {done}, {delivered} are said to be delivered"));
            }
            false if open > 0 => wrong(format!("{open} wait for a person, none should")),
            false => {}
        }
        let refused = dead - not_sent;
        match self.behaviour {
            Behaviour::Refusing | Behaviour::Partial => {}
            _ if refused > 0 => wrong(format!("{refused} are dead that nobody refused")),
            _ => {}
        }
        row.findings = findings;
    }
}

/// Workers that stop together.
struct Working {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Final, or unknown until a person decides.
fn is_at_rest(exchange: &ExchangeView) -> bool {
    matches!(exchange.state.as_str(), "delivered" | "dead" | "discarded")
        || (exchange.state == "unknown" && exchange.due.is_none())
}

/// Nothing more will happen by itself: what is held waits behind one that a person must resolve.
pub(super) fn at_rest(exchanges: &[ExchangeView]) -> bool {
    let waits = exchanges.iter().any(|one| one.state == "unknown" && is_at_rest(one));
    exchanges.iter().all(|one| is_at_rest(one) || (waits && one.state == "held"))
}

pub(super) fn arrival(route: &Route, input: &Input) -> Arrival {
    Arrival {
        source: "simulated-upstream".to_owned(),
        origin: Origin::Upstream,
        message_id: Some(input.message_id.clone()),
        message_type: route.on.first().cloned(),
        content_type: Some("application/json".to_owned()),
        correlation_id: None,
        reply_to: None,
        traceparent: None,
        operator: Some("simulated".to_owned()),
        municipality: None,
        body: Bytes::from(input.document.to_string()),
        cleared: None,
    }
}
