//! Electronic applications through the year, and what the health system says of each later.

use super::calendar::{self, FIRST, LAST};
use super::life::Life;
use super::pen::Pen;
use super::routes::HEALTH;
use super::{decisions, inquiries};
use crate::counterparts::APPLICATION_INTAKE;
use crate::counterparts::times::{moment, written};
use crate::municipality::applications;
use jiff::civil::Date;
use serde_json::Value;

/// Days after the application on which its state changes.
const LATER: [i64; 4] = [1, 4, 8, 13];

/// About one application for twelve residents.
pub fn write(pen: &mut Pen, lives: &[&Life]) {
    let days = FIRST.until(LAST).map_or(0, |span| i64::from(span.get_days()));
    for number in 1..=lives.len().div_ceil(12) {
        let day = calendar::later(FIRST, pen.random.between(5, days - 40));
        let chosen = pen.random.below(lives.len());
        let Some(life) = lives.get(chosen).filter(|life| life.is_here(day)) else { continue };
        let reception = format!("A{:02}-{number:05}", pen.seed % 100);
        let at = pen.arrives(day, "application.received", APPLICATION_INTAKE);
        let application =
            applications::application(&mut pen.random, &life.person, reception.clone(), at);
        owe(pen, &reception, &application.document);
        pen.knowledge.applications.push(application);
        let first = pen.days.from(day);
        let mut days: Vec<Date> = Vec::new();
        for later in LATER {
            // What is decided takes its day: no state comes on the same one behind another.
            let after = days.last().map_or(first, |day| calendar::later(*day, 1));
            days.push(pen.days.from(calendar::later(first, later).max(after)));
        }
        // The day before anything is decided; the answer is there in the morning after it.
        let asked = days.first().copied().unwrap_or(first);
        inquiries::of_application(pen, asked, &life.person, &reception);
        let said = |step: usize| {
            let day = days.get(step).copied().unwrap_or(LAST);
            written(moment(day, 9, i8::try_from(step).unwrap_or(0)))
        };
        let changes = applications::status_changes_at(pen.seed, &reception, said);
        for (change, day) in changes.into_iter().zip(&days) {
            match decisions::is_one(&change) {
                true => decisions::write(pen, *day, change, number),
                false => drop(pen.post(*day, change)),
            }
        }
    }
}

fn owe(pen: &mut Pen, reception: &str, document: &Value) {
    let text = |pointer: &str| {
        document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let joined = |list: &str, [name, value]: [&str; 2]| {
        let all = document.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
        let part = |one: &Value, name: &str| {
            one.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let pair = |one: &Value| format!("{}={}", part(one, name), part(one, value));
        all.iter().map(pair).collect::<Vec<_>>().join("|")
    };
    let item = [
        ("received", text("/receivedAt")),
        ("procedure", text("/procedureName")),
        ("person", text("/applicant/serialResolvedAtenaNumber")),
        ("name", text("/applicant/name")),
        ("kana", text("/applicant/nameKana")),
        ("birth", text("/applicant/dateOfBirth")),
        ("address", text("/applicant/address")),
        ("contact", text("/applicant/phone")),
        ("answers", joined("formItems", ["itemName", "value"])),
        ("files", joined("attachments", ["fileName", "content"])),
    ];
    let item = item.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    pen.truth.put(HEALTH, "application", reception, item);
}
