//! What happens in a year, in the order in which the health system posts it.

use crate::counterparts::PMH;
use crate::municipality::draft::{self, Dose};
use crate::municipality::names::Address;
use crate::municipality::people::Person;
use crate::municipality::{Fate, Message, Plan};
use crate::random::Random;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The year's messages and what counterparts must know to play their part.
#[derive(Clone, Debug, Default)]
pub struct Year {
    /// Messages in the order of posting.
    pub messages: Vec<Message>,
    /// Business keys a counterpart refuses for good.
    pub refused: BTreeMap<String, String>,
    /// Inquiries that end with 提供不可.
    pub unavailable: BTreeSet<String>,
}

/// Generates the year.
pub fn generate(plan: Plan, people: &[Person]) -> Year {
    let mut year = Year::default();
    let mut timed: Vec<(u64, Message)> = Vec::new();
    let mut random = Random::new(plan.seed, "year");
    for person in people {
        let mut story = Story { random: Random::new(random.word(), "story"), messages: Vec::new() };
        story.live(person);
        let count = story.messages.len();
        let mut moments: Vec<u64> = (0..count).map(|_| story.random.word()).collect();
        moments.sort_unstable();
        timed.extend(moments.into_iter().zip(story.messages));
    }
    for number in 0..plan.notices {
        if let Some(person) = people.get(random.below(people.len())) {
            timed.push((random.word(), draft::notice(String::new(), person, number)));
        }
    }
    for number in 0..plan.inquiries {
        if let Some(person) = people.get(random.below(people.len())) {
            let available = !random.chance(0.15);
            let message = draft::inquiry(&mut random, person, number, available);
            if !available {
                year.unavailable.insert(message.id.clone());
            }
            timed.push((random.word(), message));
        }
    }
    for number in 0..plan.residents.div_ceil(100) {
        if let Some(person) = people.get(random.below(people.len())) {
            timed.push((random.word(), bad(&mut random, person, number)));
        }
    }
    timed.sort_by_key(|(moment, _)| *moment);
    year.messages = timed.into_iter().map(|(_, message)| message).collect();
    refuse_some(&mut random, &mut year);
    for (number, message) in year.messages.iter_mut().enumerate() {
        if message.id.is_empty() {
            message.id = format!("M{:02}-{number:06}", plan.seed % 100);
        }
    }
    year
}

/// One person's year.
struct Story {
    random: Random,
    messages: Vec<Message>,
}

impl Story {
    fn live(&mut self, resident: &Person) {
        let mut person = resident.clone();
        let mut revision = 1;
        self.messages.push(subject(&person, "registered", revision, Value::Null));
        let doses = self.random.between(6, 10);
        let change_after = self.random.chance(0.1).then(|| self.random.between(0, doses - 1));
        for number in 0..doses {
            let number = usize::try_from(number).unwrap_or(0);
            let record_id = format!("V{:06}-{number:02}", person.index);
            let mut dose = Dose::new(&mut self.random, record_id, number);
            let mut dose_revision = 1;
            self.dose(&person, &dose, "registered", dose_revision);
            if self.random.chance(0.05) {
                dose.correct(&mut self.random);
                dose_revision += 1;
                self.dose(&person, &dose, "corrected", dose_revision);
            }
            if self.random.chance(0.02) {
                dose_revision += 1;
                self.dose(&person, &dose, "withdrawn", dose_revision);
            }
            if change_after.and_then(|after| usize::try_from(after).ok()) == Some(number) {
                person.address = Address::new(&mut self.random);
                revision += 1;
                self.messages.push(subject(&person, "changed", revision, Value::Null));
            }
        }
        if self.random.chance(0.05) {
            let reason = self.random.pick(&["moved-out", "died", "registered-by-mistake"], "died");
            let date = format!("2026-06-{:02}", self.random.between(1, 30));
            let removal = json!({"date": date, "reason": reason});
            self.messages.push(subject(&person, "removed", revision + 1, removal));
        }
    }

    fn dose(&mut self, person: &Person, dose: &Dose, event: &str, revision: usize) {
        self.messages.push(draft::record(String::new(), person, dose, event, revision));
    }
}

fn subject(person: &Person, event: &str, revision: usize, removal: Value) -> Message {
    draft::subject(String::new(), person, event, revision, removal)
}

/// A message that must end in the gateway: four kinds in turn.
fn bad(random: &mut Random, person: &Person, number: usize) -> Message {
    let dose = Dose::new(random, format!("X{number:05}"), number);
    let mut message = draft::record(String::new(), person, &dose, "registered", 1);
    message.expects.clear();
    let body = &mut message.body;
    match number % 4 {
        0 => {
            let number = person.my_number.as_deref().unwrap_or("123456789018");
            let mut digits: Vec<u8> = number.bytes().collect();
            if let Some(last) = digits.last_mut() {
                *last = b'0' + (*last - b'0' + 1) % 10;
            }
            set(body, "/person/individualNumber", String::from_utf8_lossy(&digits).into());
        }
        1 => {
            body.as_object_mut().map(|map| map.remove("recordId"));
        }
        2 => set(body, "/municipalityCode", "131016".into()),
        _ => {
            let person = body.pointer_mut("/person").and_then(Value::as_object_mut);
            person.map(|map| map.remove("atenaNumber"));
        }
    }
    message
}

fn set(body: &mut Value, pointer: &str, value: Value) {
    match body.pointer_mut(pointer) {
        Some(place) => *place = value,
        // A person without 個人番号 gets one that is wrong.
        None => {
            let person = body.pointer_mut("/person").and_then(Value::as_object_mut);
            person.map(|map| map.insert("individualNumber".to_owned(), value));
        }
    }
}

/// Chooses items that PMH will refuse for good.
fn refuse_some(random: &mut Random, year: &mut Year) {
    for message in &mut year.messages {
        for expected in message.expects.iter_mut().filter(|one| one.fate == Fate::Delivered) {
            let (share, code) = match (expected.counterpart, expected.operation) {
                (PMH, "record") => (0.0008, "E2001"),
                (PMH, "subject") => (0.003, "E2002"),
                (PMH, "notice") => (0.02, "E3001"),
                _ => continue,
            };
            if random.chance(share) {
                expected.fate = Fate::RefusedThere;
                let key = format!("{}:{}", expected.operation, expected.key);
                year.refused.insert(key, code.to_owned());
            }
        }
    }
}
