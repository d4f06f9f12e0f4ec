//! The counterpart at a place of files: takes whole sets as strictly as their layout says, and gives
//! results in files of its own. It knows nothing of the gateway but what lies there.

use super::behaviour::Behaviour;
use super::paper::{self, Paper};
use super::request::digest;
use super::template::{Facts, fill};
use super::{Played, Simulator};
use crate::adapter::Operation;
use crate::adapter::file::{FileOut, Sheet, Template};
use crate::codec::Limits;
use crate::pipeline::file::manifest::Manifest;
use crate::pipeline::file::parse;
use crate::transport::place::memory::{Fate, Memory};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Looks before a closed place opens, and before a late counterpart takes a set.
pub(super) const AWAY: usize = 3;
/// Number of a set that was never written: results of it belong to nobody.
const NOBODYS: u64 = 900_000;

/// What lies at the place by one name of a set.
struct Part {
    name: String,
    number: u64,
    content: Bytes,
}

/// A set as far as it lies there.
#[derive(Default)]
struct Set {
    parts: Vec<Part>,
    /// Everything of it that is no part of the records.
    others: Vec<(String, Bytes)>,
    /// Whether a reader may take it.
    whole: bool,
}

/// See the module.
pub(super) struct Shelf {
    simulator: Arc<Simulator>,
    operation: Arc<Operation>,
    results: Option<Arc<Operation>>,
    behaviour: Behaviour,
    /// Where everything lies.
    pub place: Memory,
    looks: usize,
    seen: BTreeMap<u64, usize>,
    taken: BTreeSet<u64>,
    effects: BTreeMap<String, usize>,
    order: BTreeMap<String, usize>,
    busy: BTreeSet<String>,
    /// What is given, and at which look.
    due: Vec<(usize, Paper)>,
    violations: BTreeSet<String>,
}

impl Shelf {
    /// An empty place; it may be closed, or lose its first answer.
    pub fn new(
        simulator: &Arc<Simulator>,
        operation: &Arc<Operation>,
        behaviour: Behaviour,
    ) -> Shelf {
        let results = operation.file_out.as_ref().and_then(|rule| rule.results.as_ref());
        let results = results.and_then(|name| simulator.adapter.operations.get(name));
        let place = Memory::default();
        match behaviour {
            Behaviour::Closed => place.goes_down(),
            Behaviour::Silent => place.at(1, Fate::AnswerLost),
            _ => {}
        }
        Shelf {
            simulator: Arc::clone(simulator),
            operation: Arc::clone(operation),
            results: results.cloned(),
            behaviour,
            place,
            looks: 0,
            seen: BTreeMap::new(),
            taken: BTreeSet::new(),
            effects: BTreeMap::new(),
            order: BTreeMap::new(),
            busy: BTreeSet::new(),
            due: Vec::new(),
            violations: BTreeSet::new(),
        }
    }

    /// Sets that were taken.
    pub fn sets(&self) -> usize {
        self.taken.len()
    }

    /// How many different records were done.
    pub fn done(&self) -> usize {
        self.effects.len()
    }

    /// What was done more than once: how often too often.
    pub fn doubled(&self) -> usize {
        self.effects.values().map(|times| times.saturating_sub(1)).sum()
    }

    /// Whether results are still to be given.
    pub fn owes(&self) -> bool {
        !self.due.is_empty()
    }

    /// Whether what is done is never told.
    pub fn keeps_silent(&self) -> bool {
        self.behaviour == Behaviour::Silent && self.results.is_some()
    }

    /// What was wrong, without values; also what nobody could take in the end.
    pub fn violations(&self) -> Vec<String> {
        let mut all = self.violations.clone();
        if let Some(rule) = &self.operation.file_out
            && self.sets_there(rule, &mut BTreeSet::new()).values().any(|set| !set.whole)
        {
            all.insert("a set was never whole".to_owned());
        }
        let aside = self.results.as_ref().and_then(|one| one.file_in.as_ref());
        if let (Some(rule), Behaviour::Lying) = (aside, self.behaviour)
            && self.sets() > 0
            && !self.place.files().keys().any(|path| path.starts_with(&rule.aside))
        {
            all.insert("a file of results that means nothing was not put aside".to_owned());
        }
        all.into_iter().collect()
    }

    /// Looks once: takes what is whole, gives what is due.
    pub fn look(&mut self, now: Timestamp) {
        self.looks += 1;
        if self.behaviour == Behaviour::Closed && self.looks == AWAY {
            self.place.comes_up();
        }
        let operation = Arc::clone(&self.operation);
        if let Some(rule) = &operation.file_out {
            let mut strange = BTreeSet::new();
            let sets = self.sets_there(rule, &mut strange);
            self.violations.extend(strange);
            for (number, set) in sets {
                let seen = self.seen.entry(number).or_default();
                *seen += 1;
                let waits = self.behaviour == Behaviour::Late && *seen <= AWAY;
                if set.whole && !waits {
                    self.take(rule, number, set, now);
                }
            }
        }
        let looks = self.looks;
        let (now, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.due).into_iter().partition(|(look, _)| *look <= looks);
        self.due = later;
        now.into_iter().for_each(|(_, paper)| paper.lay(&self.place));
    }

    /// What lies there, by set.
    fn sets_there(&self, rule: &FileOut, strange: &mut BTreeSet<String>) -> BTreeMap<u64, Set> {
        let mut sets: BTreeMap<u64, Set> = BTreeMap::new();
        let seals = [rule.marker.as_ref(), rule.manifest.as_ref()];
        let seal = seals.into_iter().flatten().next();
        let companions = || rule.companions.iter().map(|one| &one.name);
        for (path, content) in self.place.files() {
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if folder != rule.folder {
                continue;
            }
            let by = |template: &Template| template.recognise(name).and_then(|found| found.set);
            if let Some(found) = rule.name.recognise(name)
                && let Some(set) = found.set
            {
                let (number, name) = (found.part.unwrap_or(1), name.to_owned());
                let set = sets.entry(set).or_default();
                set.parts.push(Part { name, number, content });
                set.whole |= seal.is_none();
            } else if let Some(set) = seals.into_iter().flatten().chain(companions()).find_map(by) {
                let here = sets.entry(set).or_default();
                here.whole |= seal.is_some_and(|seal| by(seal).is_some());
                here.others.push((name.to_owned(), content));
            } else {
                strange.insert("a file of a name that is not declared".to_owned());
            }
        }
        for set in sets.values_mut() {
            set.parts.sort_by_key(|part| part.number);
        }
        sets
    }

    /// Takes a whole set away, judges it and answers.
    fn take(&mut self, rule: &FileOut, number: u64, set: Set, now: Timestamp) {
        if !self.taken.insert(number) {
            self.wrong("a number of a set came twice");
        }
        let mut records: Vec<Value> = Vec::new();
        for (part, expected) in set.parts.iter().zip(1..) {
            if part.number != expected {
                self.wrong("the parts of a set are not numbered from 1");
            }
            match records_of(rule, &part.content) {
                Ok(found) if found.len() > rule.split => self.wrong("a part has too many records"),
                Ok(found) => records.extend(found),
                Err(what) => self.wrong(&format!("a file of records: {what}")),
            }
        }
        for problem in companions(rule, &set) {
            self.wrong(&problem);
        }
        let names = set.parts.iter().map(|part| &part.name);
        for name in names.chain(set.others.iter().map(|(name, _)| name)) {
            self.place.take(&crate::adapter::file::path_of(&rule.folder, name));
        }
        let simulator = Arc::clone(&self.simulator);
        let Some(played) = simulator.operations.get(&self.operation.name) else { return };
        let rows: Vec<Value> = records
            .iter()
            .zip(1..)
            .filter_map(|(record, row)| self.judge(played, record, row, number))
            .collect();
        self.answer(number, &rows, now);
    }

    /// Does one record or not; gives its result.
    fn judge(&mut self, played: &Played, record: &Value, row: usize, set: u64) -> Option<Value> {
        let name = played.name_of(record).unwrap_or_else(|| digest(record.to_string().as_bytes()));
        let next = self.order.len();
        let order = *self.order.entry(name.clone()).or_insert(next);
        let (ticket, items) = (set.to_string(), played.items.as_ref());
        let facts = Facts {
            ticket: &ticket,
            name: &name,
            number: row,
            request: Some(record),
            ..Facts::default()
        };
        let refused = items.and_then(|(_, refused)| refused.as_ref());
        let refuses = match self.behaviour {
            Behaviour::Refusing => true,
            Behaviour::Partial => order % 2 == 1,
            _ => false,
        };
        if let (Some(refused), true) = (refused, refuses) {
            return Some(fill(refused, &facts));
        }
        if let (Some(busy), Behaviour::Closed) = (&played.busy, self.behaviour)
            && self.busy.insert(name.clone())
        {
            return Some(fill(busy, &facts));
        }
        *self.effects.entry(name.clone()).or_default() += 1;
        items.map(|(applied, _)| fill(applied, &facts))
    }

    /// Gives the results of a set, as its behaviour has it.
    fn answer(&mut self, set: u64, rows: &[Value], now: Timestamp) {
        let results = self.results.clone();
        let Some(rule) = results.as_ref().and_then(|one| one.file_in.as_ref()) else { return };
        let made = |set, rows: &[Value]| paper::of(rule, set, now, rows, None);
        let (real, other) = match (made(set, rows), made(NOBODYS + set, rows)) {
            (Ok(real), Ok(other)) => (real, other),
            (Err(what), _) | (_, Err(what)) => return self.wrong(&format!("results: {what}")),
        };
        let look = self.looks;
        match self.behaviour {
            Behaviour::Silent => {}
            Behaviour::Late => {
                self.due.push((look + 1, real.without_seal()));
                self.due.push((look + AWAY, real));
            }
            Behaviour::Lying => {
                if let Ok(garbage) = made(2 * NOBODYS + set, rows).map(Paper::garbled) {
                    self.due.push((look, garbage));
                }
                self.due.push((look, other));
                self.due.push((look + 1, real));
            }
            _ => {
                // What was said is said again: it finds nobody waiting.
                self.due.push((look, real.clone()));
                self.due.push((look + AWAY, real));
            }
        }
    }

    fn wrong(&mut self, what: &str) {
        self.violations.insert(what.to_owned());
    }
}

/// The records of a file, with the lines in front of them and behind them.
fn records_of(rule: &FileOut, bytes: &[u8]) -> Result<Vec<Value>, String> {
    let mut inner = bytes;
    let ends = |at: &[u8]| at.iter().position(|byte| *byte == b'\n').map_or(at.len(), |n| n + 1);
    if let Some(header) = &rule.content.header {
        let (line, rest) = inner.split_at_checked(ends(inner)).unwrap_or_default();
        sheet(header, line)?;
        inner = rest;
    }
    if let Some(trailer) = &rule.content.trailer {
        let body = inner.strip_suffix(b"\n").unwrap_or(inner);
        let start = body.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (rest, line) = inner.split_at_checked(start).unwrap_or_default();
        sheet(trailer, line)?;
        inner = rest;
    }
    let records = parse::records(&rule.content, inner, usize::MAX, 0)?;
    records.into_iter().map(|record| record.found.map_err(|bad| bad.detail)).collect()
}

fn sheet(sheet: &Sheet, bytes: &[u8]) -> Result<(), String> {
    let document = sheet.plan.codec.decode(bytes, &Limits::default());
    let document = document.map_err(|error| error.placed())?;
    let problem = sheet.plan.schema.validate(&document).err();
    problem.map_or(Ok(()), |found| Err(found.first().map(ToString::to_string).unwrap_or_default()))
}

/// What is wrong with companions and manifest.
fn companions(rule: &FileOut, set: &Set) -> Vec<String> {
    let mut wrong = Vec::new();
    for companion in &rule.companions {
        let mine = set.others.iter().filter(|(name, _)| companion.name.recognise(name).is_some());
        let mine: Vec<_> = mine.collect();
        let expected = if companion.each_part { set.parts.len() } else { 1 };
        if mine.len() != expected {
            wrong.push("a companion is missing".to_owned());
        }
        for (_, content) in mine {
            if let Err(what) = sheet(&companion.sheet, content) {
                wrong.push(format!("a companion: {what}"));
            }
        }
    }
    let Some(template) = &rule.manifest else { return wrong };
    let found = set.others.iter().find(|(name, _)| template.recognise(name).is_some());
    let listed = found.and_then(|(_, content)| Manifest::read(content));
    let agrees = |listed: &Manifest| {
        set.parts.iter().all(|part| {
            listed.files.iter().any(|one| {
                one.name == part.name
                    && one.bytes == part.content.len() as u64
                    && one.sha256 == digest(&part.content)
            })
        })
    };
    if !listed.as_ref().is_some_and(agrees) {
        wrong.push("the manifest does not say what lies there".to_owned());
    }
    wrong
}
