//! The judgement itself, one question per function.

use super::{Answer, Case, EffectKey, Entry, Finding, Posted, Posting, Verdict, effect_key};
use crate::counterparts::ledger::{Effect, Violation};
use crate::counterparts::{APPLICATION_INTAKE, INTERMEDIATE_SERVER, tokens};
use crate::municipality::{Expected, Fate};
use std::collections::{BTreeMap, BTreeSet};

/// Judges a case.
pub fn judge(case: &Case) -> Verdict {
    let index = Index::new(case);
    let mut verdict = Verdict::default();
    for posted in &case.posted {
        match posted.posting {
            Posting::Acknowledged => obligation(&index, posted, &mut verdict),
            Posting::Refused => refused_at_the_door(posted, &mut verdict),
        }
    }
    answers(case, &mut verdict);
    doubled_effects(&index, &mut verdict);
    unexpected_effects(case, &index, &mut verdict);
    unrecorded(case, &index, &mut verdict);
    order(case, &index, &mut verdict);
    // Who has the wrong time cannot say the right one: it was refused, and is no fault.
    let excused =
        |violation: &&Violation| !(case.clock_jumped && violation.problem == tokens::OTHER_CLOCK);
    verdict.violations = case.evidence.violations.iter().filter(excused).cloned().collect();
    verdict
}

/// The evidence, by what it is asked for.
struct Index<'a> {
    effects: BTreeMap<EffectKey, Vec<&'a Effect>>,
    /// Dead letters by message and counterpart; an empty counterpart stands for all.
    dead: BTreeSet<(&'a str, &'a str)>,
    entries: BTreeMap<(&'a str, &'a str), Vec<&'a Entry>>,
    /// The posted message an effect belongs to.
    expected: BTreeMap<EffectKey, (&'a Posted, &'a Expected)>,
}

impl<'a> Index<'a> {
    fn new(case: &'a Case) -> Self {
        let mut effects: BTreeMap<EffectKey, Vec<&Effect>> = BTreeMap::new();
        for effect in &case.evidence.effects {
            effects.entry(effect_key(effect)).or_default().push(effect);
        }
        let mut entries: BTreeMap<(&str, &str), Vec<&Entry>> = BTreeMap::new();
        for entry in &case.entries {
            let key = (entry.message_id.as_str(), entry.counterpart.as_str());
            entries.entry(key).or_default().push(entry);
        }
        let dead = case.dead.iter().map(|d| (d.message_id.as_str(), d.counterpart.as_str()));
        let expected = case.posted.iter().flat_map(|posted| {
            posted.message.expects.iter().map(move |one| (expected_key(one), (posted, one)))
        });
        Index { effects, dead: dead.collect(), entries, expected: expected.collect() }
    }

    fn effects(&self, expected: &Expected) -> &[&'a Effect] {
        self.effects.get(&expected_key(expected)).map(Vec::as_slice).unwrap_or_default()
    }

    fn is_dead(&self, message: &str, counterpart: &str) -> bool {
        self.dead.contains(&(message, counterpart)) || self.dead.contains(&(message, ""))
    }

    fn is_dead_anywhere(&self, message: &str) -> bool {
        self.dead.range((message, "")..).next().is_some_and(|(id, _)| *id == message)
    }
}

fn expected_key(expected: &Expected) -> EffectKey {
    let Expected { counterpart, operation, key, .. } = expected;
    ((*counterpart).to_owned(), (*operation).to_owned(), key.clone())
}

fn finding(subject: &str, problem: impl Into<String>) -> Finding {
    Finding { subject: subject.to_owned(), problem: problem.into() }
}

fn obligation(index: &Index<'_>, posted: &Posted, verdict: &mut Verdict) {
    let id = posted.message.id.as_str();
    if posted.message.expects.is_empty() && !index.is_dead_anywhere(id) {
        let problem = "a bad message was accepted and is not among the dead letters";
        verdict.lost.push(finding(id, problem));
    }
    for expected in &posted.message.expects {
        let place = format!("{} {} {}", expected.counterpart, expected.operation, expected.key);
        let effects = index.effects(expected);
        let dead = index.is_dead(id, expected.counterpart);
        match (expected.fate, effects.first(), dead) {
            (_, Some(_), true) => verdict.dead_though_applied.push(finding(id, place)),
            (Fate::Delivered, Some(effect), false) => content(id, expected, effect, verdict),
            (Fate::Delivered, None, true) => {
                verdict.lost.push(finding(id, format!("{place}: dead, but not expected to be")));
            }
            (Fate::Delivered, None, false) => {
                verdict.lost.push(finding(id, format!("{place}: no effect, no dead letter")));
            }
            (Fate::RefusedThere | Fate::DeadHere, None, true) => {}
            (Fate::RefusedThere | Fate::DeadHere, None, false) => {
                let problem = format!("{place}: refused, but not among the dead letters");
                verdict.lost.push(finding(id, problem));
            }
            (Fate::RefusedThere | Fate::DeadHere, Some(_), false) => {
                verdict.wrong.push(finding(id, format!("{place}: in effect, but never may be")));
            }
        }
    }
}

fn refused_at_the_door(posted: &Posted, verdict: &mut Verdict) {
    if !posted.message.expects.is_empty() {
        let problem = "a good message was refused at the door";
        verdict.lost.push(finding(&posted.message.id, problem));
    }
}

fn content(id: &str, expected: &Expected, effect: &Effect, verdict: &mut Verdict) {
    if effect.person != expected.person {
        verdict.wrong.push(finding(id, format!("{}: another person", effect.operation)));
    }
    for (name, value) in &expected.content {
        if effect.content.get(*name) != Some(value) {
            let problem = format!("{} {}: {name} differs", effect.counterpart, effect.operation);
            verdict.wrong.push(finding(id, problem));
        }
    }
}

fn answers(case: &Case, verdict: &mut Verdict) {
    let mut by_key: BTreeMap<(&str, &str), Vec<&Answer>> = BTreeMap::new();
    for answer in &case.answers {
        let key = (answer.message_type.as_str(), answer.key.as_str());
        by_key.entry(key).or_default().push(answer);
    }
    let acknowledged = case.posted.iter().filter(|p| p.posting == Posting::Acknowledged);
    for posted in acknowledged {
        let Some(status) = posted.message.answer else { continue };
        let id = posted.message.id.as_str();
        match by_key.get(&("inquiry.answered", id)).and_then(|answers| answers.first()) {
            None => verdict.lost.push(finding(id, "no inquiry.answered came back")),
            Some(answer) if answer.status != status => {
                verdict.wrong.push(finding(id, "inquiry.answered with another status"));
            }
            Some(_) => {}
        }
    }
    for number in &case.applications {
        if !by_key.contains_key(&("application.received", number.as_str())) {
            verdict.lost.push(finding(number, "no application.received came"));
        }
    }
    for number in &case.spoilt {
        if by_key.contains_key(&("application.received", number.as_str())) {
            verdict.wrong.push(finding(number, "an application that is spoilt came through"));
        }
        if !case.dead.iter().any(|letter| letter.message_id == *number) {
            verdict.lost.push(finding(number, "no dead letter of an application that is spoilt"));
        }
    }
    for ((message_type, key), answers) in by_key {
        let ids: BTreeSet<_> = answers.iter().map(|answer| answer.id.as_str()).collect();
        // The same id again is a repetition that the receiver is told to expect.
        if ids.len() > 1 {
            let problem = format!("{} different {message_type}", ids.len());
            verdict.doubled.push(finding(key, problem));
        }
    }
}

fn doubled_effects(index: &Index<'_>, verdict: &mut Verdict) {
    for ((counterpart, operation, key), effects) in &index.effects {
        if effects.len() > 1 {
            let problem = format!("{counterpart} {operation} took effect {} times", effects.len());
            verdict.doubled.push(finding(key, problem));
        }
    }
}

fn unexpected_effects(case: &Case, index: &Index<'_>, verdict: &mut Verdict) {
    for effect in &case.evidence.effects {
        if !index.expected.contains_key(&effect_key(effect)) {
            let problem =
                format!("{} {}: nobody asked for it", effect.counterpart, effect.operation);
            verdict.wrong.push(finding(&effect.key, problem));
        }
    }
}

fn unrecorded(case: &Case, index: &Index<'_>, verdict: &mut Verdict) {
    for effect in &case.evidence.effects {
        let Some((posted, _)) = index.expected.get(&effect_key(effect)) else { continue };
        let id = posted.message.id.as_str();
        let entries = index.entries.get(&(id, effect.counterpart.as_str()));
        let entries = entries.map(Vec::as_slice).unwrap_or_default();
        let intended = entries.iter().any(|entry| {
            let at = entry.at.parse::<jiff::Timestamp>().map(|at| at.as_millisecond());
            entry.phase == "intended"
                && (case.clock_jumped || at.is_ok_and(|at| at <= effect.received_ms))
        });
        let place = format!("{} {}", effect.counterpart, effect.operation);
        if !intended {
            let problem = format!("{place}: no intent recorded before its request arrived");
            verdict.unrecorded.push(finding(id, problem));
        }
        // What no answer told, a person may have told: that is an entry of its own.
        let told = |entry: &Entry| {
            entry.phase == "outcome" || entry.outcome.as_deref() == Some("confirm-applied")
        };
        if !entries.iter().any(|entry| told(entry)) {
            verdict.unrecorded.push(finding(id, format!("{place}: no outcome recorded")));
        }
    }
    for answer in &case.answers {
        let counterpart = match answer.message_type.as_str() {
            "application.received" => APPLICATION_INTAKE,
            _ => INTERMEDIATE_SERVER,
        };
        let entries = index.entries.get(&(answer.key.as_str(), counterpart));
        let entries = entries.map(Vec::as_slice).unwrap_or_default();
        let scans = entries.iter().filter(|one| one.outcome.as_deref() == Some("scanned")).count();
        if entries.len() == scans {
            let problem = format!("{}: no entry in the record", answer.message_type);
            verdict.unrecorded.push(finding(&answer.key, problem));
        }
        if counterpart == APPLICATION_INTAKE && scans == 0 {
            let problem = format!("{}: no scan in the record", answer.message_type);
            verdict.unrecorded.push(finding(&answer.key, problem));
        }
    }
}

fn order(case: &Case, index: &Index<'_>, verdict: &mut Verdict) {
    let mut newest: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    let mut effects: Vec<&Effect> = case.evidence.effects.iter().collect();
    effects.sort_by_key(|effect| effect.sequence);
    for effect in effects {
        let Some((posted, _)) = index.expected.get(&effect_key(effect)) else { continue };
        let lane = (effect.counterpart.as_str(), posted.message.lane.as_str());
        let before = newest.entry(lane).or_default();
        if posted.order < *before {
            let problem = format!("{} {}: after a later one", effect.counterpart, effect.operation);
            verdict.out_of_order.push(finding(&posted.message.id, problem));
        }
        *before = posted.order.max(*before);
    }
}
