//! A set that was planned and not ended: the place is looked at, and what the plan says is done.

use super::Failed;
use super::make;
use super::plan::{Plan, Step};
use super::write::{Desk, Ready, applied, chunks, failure, person, records};
use crate::adapter::Route;
use crate::adapter::file::FileOut;
use crate::model::State;
use crate::model::codes::message as codes;
use crate::model::codes::transport;
use crate::pipeline::hex_digest;
use crate::pipeline::settle::{self, Decided};
use crate::pipeline::{map, validate};
use crate::store::{Claimed, Filter, Next};
use crate::transport::place::Place;
use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::Arc;

/// What stands at the place under a planned name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// What was planned.
    There,
    /// Nothing.
    Absent,
    /// Something else.
    Other,
}

/// What became of planned exchanges that cannot be claimed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Missing {
    /// They ended, or wait for a person.
    ended: usize,
    /// They will be claimable, at this or another instance.
    later: usize,
}

impl Desk {
    /// Brings an open plan to its end, or as far as the place allows.
    pub(super) async fn resume(
        &mut self,
        plan: Plan,
        rule: &FileOut,
        place: &dyn Place,
    ) -> Result<(), Failed> {
        let definitions = self.cx.definitions.of(&plan.bundle);
        let own = definitions.as_ref().and_then(|bundle| {
            bundle.adapters.get(&self.adapter)?.operations.get(&self.operation.name).cloned()
        });
        let rule = own.as_ref().and_then(|own| own.file_out.as_ref()).unwrap_or(rule);
        let (mine, missing) = self.planned(&plan).await?;
        if missing.later > 0 {
            return Err(Failed::new(
                &codes::INTERRUPTED,
                "another instance still holds part of a set",
            ));
        }
        let seen = look(&plan, place).await?;
        if let Some(other) = first(&plan, &seen, Seen::Other) {
            self.count("conflict");
            let path = other.to_owned();
            self.end(&plan, mine, |_, _, _| Decided { attempt: None, ..person(&path) }).await;
            self.save(&Plan { stage: Step::Done, ..plan }).await?;
            return Err(Failed::new(&codes::FILE_CONFLICT, path));
        }
        if is_whole(&plan, &seen) {
            self.count("written");
            let rule_of = |_: &Claimed, _: &Route, number| applied(&plan, rule, number);
            self.end(&plan, mine, rule_of).await;
            return self.save(&Plan { stage: Step::Done, ..plan }).await;
        }
        if missing.ended == 0
            && let Some(ready) = self.again(&plan, rule, &mine)
        {
            return self.go_on(plan, rule, place, ready).await;
        }
        self.take_back(plan, place, &seen, mine).await
    }

    /// The planned exchanges, in the order of the plan.
    async fn planned(&self, plan: &Plan) -> Result<(Vec<Claimed>, Missing), Failed> {
        let states = vec![State::WaitingRetry, State::Unknown];
        let far = Timestamp::MAX;
        // Others of these states are few: what was interrupted before its set was begun.
        let limit = plan.items.len().saturating_mul(2).saturating_add(10_000);
        let claimed = self.claim(states, far, limit, false).await?;
        let mut by_row: HashMap<i64, Claimed> =
            claimed.into_iter().map(|claimed| (claimed.id, claimed)).collect();
        let (mut mine, mut missing) = (Vec::with_capacity(plan.items.len()), Missing::default());
        for item in &plan.items {
            match by_row.remove(item) {
                Some(claimed) => mine.push(claimed),
                None if self.has_ended(*item).await? => missing.ended += 1,
                None => missing.later += 1,
            }
        }
        Ok((mine, missing))
    }

    /// Whether an exchange has ended, has its outcome, or waits for a person.
    async fn has_ended(&self, exchange: i64) -> Result<bool, Failed> {
        let filter = Filter { after: exchange - 1, limit: 1, ..Filter::default() };
        let found = self.cx.store.list(filter).await?;
        let Some(view) = found.into_iter().find(|view| view.id == exchange) else {
            return Ok(true);
        };
        let waits =
            matches!(view.state.as_str(), "sending" | "waiting-retry" | "received" | "held");
        Ok(!waits && (view.state != "unknown" || view.due.is_none()))
    }

    /// The same files made again; `None` where they are not the planned ones.
    fn again(&self, plan: &Plan, rule: &FileOut, mine: &[Claimed]) -> Option<Vec<Ready>> {
        let mut ready = Vec::with_capacity(mine.len());
        for claimed in mine {
            let bundle = self.cx.definitions.of(&claimed.bundle)?;
            let route = bundle.route(&claimed.route)?;
            let mapped = validate::validate(claimed, &route, &bundle, &self.cx)
                .and_then(|document| map::map(claimed, &route, &document, &self.cx))
                .ok()?;
            let records = make::records_of(serde_json::from_slice(&mapped.body).ok()?);
            ready.push(Ready { claimed: claimed.clone(), route, mapped, records });
        }
        let files = make::make(rule, plan.set, plan.time(), &records(&ready)).ok()?;
        plan.is_of(&files).then_some(ready)
    }

    /// Writes what is missing.
    async fn go_on(
        &mut self,
        plan: Plan,
        rule: &FileOut,
        place: &dyn Place,
        mut ready: Vec<Ready>,
    ) -> Result<(), Failed> {
        let all = ready.len();
        self.intend(&mut ready).await?;
        if ready.len() < all {
            // Somebody acted in between. What was taken is found interrupted, and looked at again.
            return Err(Failed::new(&codes::INTERRUPTED, "part of a set was changed meanwhile"));
        }
        let files = make::make(rule, plan.set, plan.time(), &records(&ready))?;
        self.write(plan, ready, &files, rule, place).await
    }

    /// The set can never be whole: what is there of it goes, the last first, and the exchanges
    /// that are left go into the next set.
    async fn take_back(
        &mut self,
        plan: Plan,
        place: &dyn Place,
        seen: &[Seen],
        mine: Vec<Claimed>,
    ) -> Result<(), Failed> {
        for (file, seen) in plan.files.iter().zip(seen).rev() {
            if *seen == Seen::There {
                place.remove(&file.path).await?;
            }
        }
        self.count("taken-back");
        let now = self.cx.clock.now();
        self.end(&plan, mine, |_, _, _| {
            let next = Next::Retry { due: now, failure: failure(&codes::SET_TAKEN_BACK, "") };
            Decided { clear: true, ..Decided::of(next) }
        })
        .await;
        self.save(&Plan { stage: Step::Done, ..plan }).await
    }

    /// Settles exchanges without an attempt.
    async fn end(
        &self,
        plan: &Plan,
        mine: Vec<Claimed>,
        decide: impl Fn(&Claimed, &Route, usize) -> Decided,
    ) {
        let numbers: HashMap<i64, usize> = plan.items.iter().copied().zip(plan.numbers()).collect();
        let mut decided: Vec<(Claimed, Arc<Route>, Decided)> = Vec::with_capacity(mine.len());
        for claimed in mine {
            let Some(route) = self.cx.route_of(&claimed) else {
                settle::route_gone(claimed, &self.cx).await;
                continue;
            };
            let number = numbers.get(&claimed.id).copied().unwrap_or(1);
            let next = decide(&claimed, &route, number);
            let reference = Some(plan.set.to_string());
            decided.push((claimed, route, Decided { reference, ..next }));
        }
        for chunk in chunks(decided) {
            let (routes, rest): (Vec<_>, Vec<_>) =
                chunk.into_iter().map(|(claimed, route, next)| (route, (claimed, next))).unzip();
            let all = routes.iter().zip(rest);
            let all = all.map(|(route, (claimed, next))| (claimed, route.as_ref(), 0, next));
            settle::write(all.collect(), &self.cx).await;
        }
    }
}

/// The first planned file of which this was seen.
fn first<'p>(plan: &'p Plan, seen: &[Seen], wanted: Seen) -> Option<&'p str> {
    let mut both = plan.files.iter().zip(seen);
    both.find(|(_, seen)| **seen == wanted).map(|(file, _)| file.path.as_str())
}

/// Whether the whole set has been visible: all of it is there, or some of what certainly was there
/// before the last file was taken away by its reader.
fn is_whole(plan: &Plan, seen: &[Seen]) -> bool {
    let Some((_, others)) = seen.split_last() else { return true };
    if seen.iter().all(|seen| *seen == Seen::There) {
        return true;
    }
    plan.stage == Step::Last && others.contains(&Seen::Absent)
}

async fn look(plan: &Plan, place: &dyn Place) -> Result<Vec<Seen>, Failed> {
    let mut seen = Vec::with_capacity(plan.files.len());
    for file in &plan.files {
        let most = usize::try_from(file.bytes).unwrap_or(usize::MAX);
        seen.push(match place.read(&file.path, most).await {
            Ok(None) => Seen::Absent,
            Ok(Some(content)) if hex_digest(&content) == file.sha256 => Seen::There,
            Ok(Some(_)) => Seen::Other,
            Err(error) if error.code == &transport::FILE_TOO_LARGE => Seen::Other,
            Err(error) => return Err(error.into()),
        });
    }
    Ok(seen)
}
