//! 情報照会: what other municipalities know of who moved in, and what decides about reliefs. The
//! answers come hours later, some of them by night.

use super::calendar::{self, FIRST, LAST, SECOND_LAYOUT};
use super::life::Life;
use super::pen::{Pen, What};
use crate::counterparts::INTERMEDIATE_SERVER;
use crate::counterparts::times::moment;
use crate::municipality::people::Person;
use crate::municipality::{Expected, Fate, MUNICIPALITY, Message, draft};
use crate::random::Random;
use jiff::civil::Date;
use serde_json::json;
use std::collections::BTreeMap;

/// How long an answer takes, in minutes, and at which hour of which day it is there.
const TAKES: [(i64, i8, i64); 3] = [(170, 13, 0), (410, 17, 0), (1_130, 5, 1)];

/// What was vaccinated elsewhere.
pub fn earlier_vaccinations(pen: &mut Pen, day: Date, person: &Person) {
    let mut random = Random::new(pen.seed, &format!("inquiry {}", person.index));
    let available = !random.chance(0.15);
    // A multiple of three asks under item 25; one of 25 asks what no list allows.
    let message = draft::inquiry(&mut random, person, person.index * 3, available);
    ask(pen, day, message, available);
}

/// 給付 and 実費徴収: tax and household of about one resident in thirty.
pub fn reliefs(pen: &mut Pen, lives: &[&Life]) {
    let days = FIRST.until(LAST).map_or(0, |span| i64::from(span.get_days()));
    for number in 1..=lives.len().div_ceil(30) {
        let day = calendar::later(FIRST, pen.random.between(5, days - 5));
        let chosen = pen.random.below(lives.len());
        let Some(life) = lives.get(chosen).filter(|life| life.is_here(day)) else { continue };
        let available = !pen.random.chance(0.1);
        let message = relief(&life.person, format!("R{number:05}"), number);
        pen.knowledge.by_item.insert(message.id.clone());
        ask(pen, day, message, available);
    }
}

/// What decides about the application for a relief.
pub fn of_application(pen: &mut Pen, day: Date, person: &Person, reception: &str) {
    let available = !pen.random.chance(0.1);
    let number = pen.number();
    let message = relief(person, format!("R-{reception}"), number);
    pen.knowledge.by_item.insert(message.id.clone());
    ask(pen, day, message, available);
}

fn ask(pen: &mut Pen, day: Date, message: Message, available: bool) {
    let delivered = message.expects.iter().any(|expected| expected.fate == Fate::Delivered);
    let id = message.id.clone();
    if !available {
        pen.knowledge.unavailable.insert(id.clone());
    }
    let day = pen.days.from(day);
    pen.post(day, message);
    if !delivered {
        return;
    }
    // What is asked while the 中間サーバー is closed, is answered on the day it opens.
    let closed = [calendar::CLOSED.0, calendar::later(SECOND_LAYOUT, -1)].contains(&day);
    let slow = if closed { 0 } else { pen.random.below(TAKES.len()) };
    let (minutes, hour, days) = TAKES.get(slow).copied().unwrap_or_default();
    pen.knowledge.times.answer_takes.insert(id, minutes * 60_000);
    pen.happens(moment(calendar::later(day, days), hour, 0), What::Look);
}

/// An inquiry under item 28: its answer is read item by item.
fn relief(person: &Person, id: String, number: usize) -> Message {
    let (information, code) = match number % 2 {
        0 => ("local-tax", "TM00000000000002"),
        _ => ("resident-record", "TM00000000000001"),
    };
    let hidden = person.not_disclosed;
    let body = json!({"municipalityCode": MUNICIPALITY, "inquiryId": id, "legalItem": "28",
        "information": information, "round": 1, "person": {"atenaNumber": person.atena_number},
        "department": "KENKO-YOBO", "userId": "yobo-04",
        "provider": {"municipalityCode": "131016"}, "from": "2025-04-01", "to": "2026-03-31",
        "notDisclosed": hidden});
    let content = BTreeMap::from([
        ("affair", "JM00000000000014".to_owned()),
        ("procedure", "JT00000000000028".to_owned()),
        ("information", code.to_owned()),
        ("not_disclosed", if hidden { "1" } else { "0" }.to_owned()),
    ]);
    Message {
        id: id.clone(),
        message_type: "inquiry.by-item.requested",
        // Each stands for itself.
        lane: id.clone(),
        operator: "yobo-04".to_owned(),
        body,
        expects: vec![Expected {
            counterpart: INTERMEDIATE_SERVER,
            operation: "inquiry",
            key: id,
            person: person.atena_number.clone(),
            content,
            fate: if person.stranger { Fate::RefusedThere } else { Fate::Delivered },
        }],
        answer: None,
    }
}
