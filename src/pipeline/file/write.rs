//! file-out: gathers what waits in the store, plans a set, writes its files, settles. See ADR 0033.

use super::make::{self, Made};
use super::plan::{self, Plan, Step};
use super::{Failed, place, tell};
use crate::adapter::file::FileOut;
use crate::adapter::{Operation, Route};
use crate::model::codes::message as codes;
use crate::model::codes::store as store_codes;
use crate::model::{Class, Code, Failure, Stage, State};
use crate::pipeline::context::{Context, Counterpart};
use crate::pipeline::map::{self, Mapped};
use crate::pipeline::settle::{self, Decided, Outcome};
use crate::pipeline::{approve, deliver, gate, remember, validate};
use crate::store::{AttemptResult, Claim, Claimed, Next};
use crate::telemetry::{crash, names};
use crate::transport::place::{Place, Written};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Time between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Shortest time between two looks: messages that come together are read together.
const BREATH: Duration = Duration::from_millis(100);
/// Time before a set is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// Gathers and writes until `stop`.
pub async fn run(
    operation: Arc<Operation>,
    counterpart: Arc<Counterpart>,
    cx: Arc<Context>,
    mut stop: watch::Receiver<bool>,
) {
    let adapter = counterpart.adapter.name.clone();
    let role = format!("file-out:{adapter}/{}", operation.name);
    let mut wakes = counterpart.wakes();
    let mut desk = Desk::new(adapter, operation, Arc::clone(&cx));
    while !*stop.borrow() {
        wakes.borrow_and_update();
        if cx.store.lead(role.clone()).await.unwrap_or(false) {
            desk.pass().await;
        } else {
            desk.forget();
        }
        let wait = async {
            tokio::time::sleep(BREATH).await;
            tokio::select! {
                () = tokio::time::sleep(desk.pause()) => {}
                _ = wakes.changed() => {}
            }
        };
        tokio::select! {
            () = wait => {}
            _ = stop.changed() => {}
        }
    }
}

/// One exchange that was read for a set.
#[derive(Debug)]
pub(super) struct Ready {
    pub claimed: Claimed,
    pub route: Arc<Route>,
    pub mapped: Mapped,
    pub records: Vec<Value>,
}

/// One operation's writing desk.
pub struct Desk {
    pub(super) adapter: String,
    pub(super) operation: Arc<Operation>,
    pub(super) cx: Arc<Context>,
    /// The newest plan; `None` before it was looked for.
    pub(super) plan: Option<Plan>,
    /// What is gathered, by row: the order of acceptance.
    gathered: BTreeMap<i64, Ready>,
    bytes: usize,
    /// Not before this.
    pub(super) retry_at: Option<Timestamp>,
}

impl Desk {
    /// A desk with nothing on it.
    pub fn new(adapter: String, operation: Arc<Operation>, cx: Arc<Context>) -> Desk {
        let gathered = BTreeMap::new();
        Desk { adapter, operation, cx, plan: None, gathered, bytes: 0, retry_at: None }
    }

    /// Others may do it now: what was read is read again later.
    pub fn forget(&mut self) {
        self.plan = None;
        self.gathered.clear();
        self.bytes = 0;
    }

    fn pause(&self) -> Duration {
        let left = self.retry_at.map(|at| settle::elapsed(self.cx.clock.now(), at));
        left.unwrap_or(PAUSE).clamp(BREATH, PAUSE)
    }

    /// Its name to people.
    pub(super) fn title(&self) -> String {
        format!("{}/{}", self.adapter, self.operation.name)
    }

    /// Looks once, and does what is to be done.
    pub async fn pass(&mut self) {
        let now = self.cx.clock.now();
        if self.cx.sealing.stops_sending().is_some() || self.retry_at.is_some_and(|at| now < at) {
            return;
        }
        let Some(counterpart) = self.cx.counterpart(&self.adapter) else { return };
        if counterpart.closed(now).is_some() {
            return;
        }
        self.retry_at = None;
        let done = self.step(&counterpart).await;
        if done.is_err() {
            // The store may know more than we do now.
            self.forget();
            self.retry_at = Some(settle::later(now, self.patience(&counterpart)));
        }
        tell(&self.cx, &self.title(), "sets", done.err());
    }

    /// The time before the next try.
    fn patience(&self, counterpart: &Counterpart) -> Duration {
        RETRY.min(counterpart.adapter.retry.max).max(counterpart.adapter.retry.first)
    }

    async fn step(&mut self, counterpart: &Counterpart) -> Result<(), Failed> {
        let current = counterpart.adapter.operations.get(&self.operation.name);
        let operation = Arc::clone(current.unwrap_or(&self.operation));
        let Some(rule) = &operation.file_out else { return Ok(()) };
        let place = place(counterpart, &rule.place)?;
        if self.plan.is_none() {
            self.plan = Some(self.newest(rule, place.as_ref()).await?);
        }
        match self.plan.clone() {
            Some(plan) if plan.stage != Step::Done => self.resume(plan, rule, place.as_ref()).await,
            Some(plan) => self.gather(plan, rule, counterpart, place.as_ref()).await,
            None => Ok(()),
        }
    }

    /// The newest plan. Where there is none, or where the store was put back to an older state,
    /// numbering goes on after what is seen at the place.
    async fn newest(&self, rule: &FileOut, place: &dyn Place) -> Result<Plan, Failed> {
        let known = plan::load(self.cx.store.as_ref(), &self.adapter, &self.operation.name).await?;
        let epoch = self.cx.store.epoch().await?.number;
        if let Some(known) = known.clone().filter(|plan| plan.epoch == epoch) {
            return Ok(known);
        }
        if let Some(known) = known.clone().filter(|plan| plan.stage != Step::Done) {
            return Ok(Plan { epoch, ..known });
        }
        let entries = place.list(&rule.folder).await?;
        let names = [Some(&rule.name), rule.manifest.as_ref(), rule.marker.as_ref()];
        let names = names.into_iter().flatten().chain(rule.companions.iter().map(|one| &one.name));
        let names: Vec<_> = names.collect();
        let seen = entries.iter().filter_map(|entry| {
            names.iter().filter_map(|name| name.recognise(&entry.name)?.set).max()
        });
        let known_set = known.as_ref().map_or(0, |plan| plan.set);
        let slot = rule.gather.slot(self.cx.clock.now()).unwrap_or_default().as_millisecond();
        Ok(Plan {
            epoch,
            set: seen.max().unwrap_or(0).max(known_set),
            at: 0,
            slot: known.map_or(slot, |plan| plan.slot),
            stage: Step::Done,
            bundle: String::new(),
            items: Vec::new(),
            counts: Vec::new(),
            files: Vec::new(),
        })
    }

    async fn gather(
        &mut self,
        last: Plan,
        rule: &FileOut,
        counterpart: &Counterpart,
        place: &dyn Place,
    ) -> Result<(), Failed> {
        self.read(rule, last.epoch).await?;
        let now = self.cx.clock.now();
        let oldest = self.gathered.values().map(|one| one.claimed.envelope.accepted_at).min();
        let full =
            self.gathered.len() >= rule.gather.max_items || self.bytes >= rule.gather.max_bytes;
        let waited = oldest.map(|oldest| settle::elapsed(oldest, now));
        let aged = rule.gather.max_wait.is_some_and(|most| waited.is_some_and(|age| age >= most));
        let slot = rule.gather.slot(now).map_or(0, Timestamp::as_millisecond);
        let timely = slot > last.slot && (rule.gather.empty || oldest.is_some());
        if full || aged || timely {
            let slot = slot.max(last.slot);
            return self.close(&last, slot, rule, counterpart, place).await;
        }
        Ok(())
    }

    /// Reads what is due and not yet gathered; what cannot be mapped settles alone.
    async fn read(&mut self, rule: &FileOut, epoch: u64) -> Result<(), Failed> {
        let room = rule.gather.max_items.saturating_sub(self.gathered.len());
        if room == 0 || self.bytes >= rule.gather.max_bytes {
            return Ok(());
        }
        let states = vec![State::Received, State::WaitingRetry, State::Unknown];
        let claimed = self.claim(states, self.cx.clock.now(), room, true).await?;
        for claimed in claimed {
            let bundle = self.cx.bundle_of(&claimed);
            let Some(route) = bundle.route(&claimed.route) else {
                settle::route_gone(claimed, &self.cx).await;
                continue;
            };
            if claimed.state == State::Unknown || (claimed.maybe_applied && epoch > 1) {
                self.doubt(claimed, &route, epoch).await;
                continue;
            }
            let Some(claimed) = gate::pass(claimed, &route, &self.cx).await else { continue };
            let prepared = validate::validate(&claimed, &route, &bundle, &self.cx)
                .and_then(|document| map::map(&claimed, &route, &document, &self.cx))
                .and_then(|mapped| {
                    let document = serde_json::from_slice(&mapped.body).unwrap_or_default();
                    let records = make::records_of(document);
                    make::check(&rule.content, &records).map(|()| (mapped, records))
                });
            match prepared {
                Ok((mapped, records)) => {
                    remember::keep(&mapped.remembered, &self.cx).await?;
                    self.bytes += mapped.body.len();
                    self.gathered.insert(claimed.id, Ready { claimed, route, mapped, records });
                }
                Err(failure) => {
                    settle::settle(&claimed, &route, Outcome::NotSent(failure), &self.cx).await;
                }
            }
        }
        Ok(())
    }

    /// Exchanges of this operation.
    pub(super) async fn claim(
        &self,
        states: Vec<State>,
        now: Timestamp,
        limit: usize,
        new_only: bool,
    ) -> Result<Vec<Claimed>, Failed> {
        let exclude: HashSet<i64> =
            if new_only { self.gathered.keys().copied().collect() } else { HashSet::new() };
        let claim = Claim {
            counterpart: self.adapter.clone(),
            operation: self.operation.name.clone(),
            states,
            now,
            limit,
            exclude,
        };
        let mut claimed = self.cx.store.claim(claim).await?;
        claimed.iter_mut().for_each(|one| self.cx.definitions.choose(one));
        Ok(claimed)
    }

    /// It was interrupted and no open plan names it: then it was never written. Only where the
    /// store was put back to an older state that cannot be told.
    async fn doubt(&self, claimed: Claimed, route: &Route, epoch: u64) {
        let decided = if epoch > 1 {
            Decided::of(Next::Unknown {
                due: None,
                failure: failure(&codes::PERSON_NEEDED, "restored"),
            })
        } else {
            let failure = failure(&codes::INTERRUPTED, "before its set was begun");
            let next = Next::Retry { due: self.cx.clock.now(), failure };
            Decided { clear: true, ..Decided::of(next) }
        };
        settle::write(vec![(claimed, route, 0, decided)], &self.cx).await;
    }

    /// Intents, plan, files, outcomes: in this order.
    async fn close(
        &mut self,
        last: &Plan,
        slot: i64,
        rule: &FileOut,
        counterpart: &Counterpart,
        place: &dyn Place,
    ) -> Result<(), Failed> {
        let now = self.cx.clock.now();
        let bundle = self.gathered.values().next().map(|one| Arc::clone(&one.claimed.bundle));
        let bundle = bundle.unwrap_or_else(|| self.cx.bundle().shared_digest());
        // Only such as go by the same definitions, and by those the set is made by.
        let definitions = self.cx.definitions.of(&bundle);
        let own = definitions.as_ref().and_then(|bundle| {
            bundle.adapters.get(&self.adapter)?.operations.get(&self.operation.name).cloned()
        });
        let rule = own.as_ref().and_then(|own| own.file_out.as_ref()).unwrap_or(rule);
        let set = last.set + 1;
        let ids: Vec<i64> = self
            .gathered
            .iter()
            .filter(|(_, one)| one.claimed.bundle == bundle)
            .map(|(id, _)| *id)
            .take(rule.gather.max_items)
            .collect();
        let ready: Vec<Ready> = ids.iter().filter_map(|id| self.gathered.remove(id)).collect();
        self.bytes = self.gathered.values().map(|one| one.mapped.body.len()).sum();
        let mut ready = self.agreed(ready).await?;
        // Before anything is promised: can it be made at all?
        if ready.is_empty() && !ids.is_empty() {
            return Ok(());
        }
        make::make(rule, set, now, &records(&ready))?;
        if !self.cx.store.covers(counterpart.adapter.limits.timeout) {
            return Err(Failed::new(&store_codes::LEASE_LOST, ""));
        }
        self.intend(&mut ready).await?;
        if ready.is_empty() && !ids.is_empty() {
            return Ok(());
        }
        let files = make::make(rule, set, now, &records(&ready))?;
        let plan = Plan {
            epoch: last.epoch,
            set,
            at: now.as_millisecond(),
            slot,
            stage: Step::Open,
            bundle: bundle.to_string(),
            items: ready.iter().map(|one| one.claimed.id).collect(),
            counts: if ready.iter().all(|one| one.records.len() == 1) {
                Vec::new()
            } else {
                ready.iter().map(|one| one.records.len()).collect()
            },
            files: plan::planned(&files),
        };
        self.save(&plan).await?;
        crash::reach("file:planned");
        self.write(plan, ready, &files, rule, place).await
    }

    /// Those to whose very record a second person agreed, where one must; the others end. Asked when
    /// the set is closed and not when it is gathered: hours may lie between the two.
    async fn agreed(&self, all: Vec<Ready>) -> Result<Vec<Ready>, Failed> {
        let mut ready = Vec::with_capacity(all.len());
        for one in all {
            match approve::is_agreed(&one.claimed, &one.route, &one.mapped, &self.cx).await? {
                Ok(()) => ready.push(one),
                Err(failure) => {
                    let outcome = Outcome::NotSent(failure);
                    settle::settle(&one.claimed, &one.route, outcome, &self.cx).await;
                }
            }
        }
        Ok(ready)
    }

    /// Makes the intents durable and keeps those that were taken. Unless the plan follows, the
    /// next look finds them interrupted.
    pub(super) async fn intend(&self, ready: &mut Vec<Ready>) -> Result<(), Failed> {
        if ready.is_empty() {
            return Ok(());
        }
        let intents = ready
            .iter()
            .map(|one| deliver::intent(&one.claimed, &one.route, &one.mapped, &self.cx))
            .collect();
        crash::reach("deliver:before-intent");
        let taken = self.cx.store.intend(intents).await?;
        crash::reach("deliver:after-intent");
        let mut taken = taken.into_iter();
        ready.retain(|_| taken.next().unwrap_or(false));
        Ok(())
    }

    pub(super) async fn save(&mut self, plan: &Plan) -> Result<(), Failed> {
        plan::save(self.cx.store.as_ref(), &self.adapter, &self.operation.name, plan).await?;
        self.plan = Some(plan.clone());
        Ok(())
    }

    /// Writes the files of a plan whose exchanges are `sending`, and settles them.
    pub(super) async fn write(
        &mut self,
        mut plan: Plan,
        ready: Vec<Ready>,
        files: &[Made],
        rule: &FileOut,
        place: &dyn Place,
    ) -> Result<(), Failed> {
        match self.show(&mut plan, files, place).await {
            Ok(()) => {
                crash::reach("file:all-written");
                self.count("written");
                let digest = files.first().map(|file| file.sha256.clone());
                self.settle(&plan, ready, |desk, _, number| {
                    desk.written(&plan, rule, number, digest.clone())
                })
                .await;
                crash::reach("file:settled");
                self.save(&Plan { stage: Step::Done, ..plan }).await
            }
            Err(Halt::Conflict(path)) => {
                self.count("conflict");
                self.settle(&plan, ready, |_, _, _| person(&path)).await;
                self.save(&Plan { stage: Step::Done, ..plan.clone() }).await?;
                Err(Failed::new(&codes::FILE_CONFLICT, path))
            }
            Err(Halt::Failed(failed)) => {
                self.count("waits");
                let due = settle::later(self.cx.clock.now(), RETRY);
                let why = format!("{}: {}", failed.code, failed.detail);
                self.settle(&plan, ready, |_, _, _| {
                    let failure = failure(&codes::SET_WAITS, &why);
                    let next = Next::Unknown { due: Some(due), failure };
                    Decided { attempt: attempt("unknown", None), ..Decided::of(next) }
                })
                .await;
                Err(failed)
            }
        }
    }

    /// One file after the other, the last one behind a word in the plan: what is there and taken
    /// away again must not be taken for never written.
    async fn show(
        &mut self,
        plan: &mut Plan,
        files: &[Made],
        place: &dyn Place,
    ) -> Result<(), Halt> {
        let Some((last, others)) = files.split_last() else { return Ok(()) };
        for file in others {
            put(place, file).await?;
        }
        if plan.stage != Step::Last {
            plan.stage = Step::Last;
            self.save(plan).await?;
        }
        crash::reach("file:before-last");
        put(place, last).await
    }

    /// Settles exchanges whose intents were raised.
    async fn settle(
        &self,
        plan: &Plan,
        ready: Vec<Ready>,
        decide: impl Fn(&Desk, &Ready, usize) -> Decided,
    ) {
        let mut number = 1;
        let mut decided = Vec::with_capacity(ready.len());
        for one in &ready {
            let next = decide(self, one, number);
            number += one.records.len();
            let reference = Some(plan.set.to_string());
            decided.push((
                one.claimed.clone(),
                one.route.as_ref(),
                1,
                Decided { reference, ..next },
            ));
        }
        for chunk in chunks(decided) {
            settle::write(chunk, &self.cx).await;
        }
    }

    fn written(
        &self,
        plan: &Plan,
        rule: &FileOut,
        number: usize,
        digest: Option<String>,
    ) -> Decided {
        let decided = applied(plan, rule, number);
        let outcome = if rule.results.is_some() { "pending" } else { "applied" };
        Decided { attempt: attempt(outcome, digest), ..decided }
    }

    pub(super) fn count(&self, result: &'static str) {
        let (counterpart, operation) = (self.adapter.clone(), self.operation.name.clone());
        metrics::counter!(names::SETS, "counterpart" => counterpart, "operation" => operation,
            "result" => result)
        .increment(1);
    }
}

/// Why a set is not written.
enum Halt {
    /// Another file has the name.
    Conflict(String),
    /// It is tried again later.
    Failed(Failed),
}

impl From<Failed> for Halt {
    fn from(failed: Failed) -> Halt {
        Halt::Failed(failed)
    }
}

/// Writes one file; one that is there already must be the same.
async fn put(place: &dyn Place, file: &Made) -> Result<(), Halt> {
    let written = place.write(&file.path, file.content.clone()).await;
    if written.map_err(|error| Halt::Failed(error.into()))? == Written::New {
        return Ok(());
    }
    match place.read(&file.path, file.content.len()).await {
        Ok(Some(content)) if content == file.content => Ok(()),
        Ok(Some(_)) => Err(Halt::Conflict(file.path.clone())),
        // Taken away between the two.
        Ok(None) => Ok(()),
        Err(error) if error.code == &crate::model::codes::transport::FILE_TOO_LARGE => {
            Err(Halt::Conflict(file.path.clone()))
        }
        Err(error) => Err(Halt::Failed(error.into())),
    }
}

/// Settlements of one write: enough to share a commit, few enough not to hold up others.
const TOGETHER: usize = 500;

pub(super) fn chunks<T>(mut all: Vec<T>) -> Vec<Vec<T>> {
    let mut chunks = Vec::new();
    while all.len() > TOGETHER {
        let rest = all.split_off(TOGETHER);
        chunks.push(std::mem::replace(&mut all, rest));
    }
    chunks.push(all);
    chunks
}

pub(super) fn records(ready: &[Ready]) -> Vec<Value> {
    ready.iter().flat_map(|one| one.records.iter().cloned()).collect()
}

/// The set is there. `number` is that of the exchange's first record.
pub(super) fn applied(plan: &Plan, rule: &FileOut, number: usize) -> Decided {
    if rule.results.is_none() {
        // A file that is there has no answer, and so no reply.
        return Decided::of(Next::Delivered);
    }
    // Nobody asks: its result comes by itself. Due means looked at for its age.
    let due = settle::later(plan.time(), Duration::from_secs(60));
    Decided::of(Next::WaitResult { due, ticket: ticket(plan.set, number) })
}

/// What a result is found by.
pub(super) fn ticket(set: u64, record: usize) -> String {
    format!("{set}#{record}")
}

pub(super) fn person(path: &str) -> Decided {
    let next = Next::Unknown { due: None, failure: failure(&codes::FILE_CONFLICT, path) };
    Decided { attempt: attempt("unknown", None), ..Decided::of(next) }
}

fn attempt(outcome: &'static str, response_digest: Option<String>) -> Option<AttemptResult> {
    Some(AttemptResult { outcome, http_status: None, response_digest })
}

pub(super) fn failure(code: &'static Code, detail: impl Into<String>) -> Failure {
    Failure { code, stage: Stage::Deliver, class: Class::Unknown, detail: detail.into() }
}
