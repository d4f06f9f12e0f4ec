//! What PMH has for the municipality: records of clinics, answers of parents, PMH-IDs.

use super::calendar::{self, FIRST, LAST};
use super::life::Life;
use super::pen::Pen;
use super::routes::HEALTH;
use crate::counterparts::PMH;
use crate::counterparts::waiting::Waiting;
use crate::municipality::MUNICIPALITY;
use crate::municipality::people::Person;
use jiff::civil::Date;
use serde_json::{Value, json};

/// The PMH-ID of somebody new.
pub fn pmh_id(pen: &mut Pen, day: Date, person: &Person) {
    if person.my_number.is_none() {
        return;
    }
    let at = pen.arrives(calendar::later(day, 3), "subject.pmh-id.assigned", PMH);
    let number = format!("PI-{:06}", person.index);
    let subject = format!("J{:06}", person.index);
    let document = json!({"downloadNumber": number, "municipalityCode": MUNICIPALITY,
        "municipalityIdentityKey": person.atena_number, "subjectNumber": subject,
        "result": "1", "pmhId": person.pseudonym});
    let facts = [
        ("person", person.atena_number.as_str()),
        ("id", person.pseudonym.as_str()),
        ("assignment", "new"),
    ];
    owe(pen, "pmh-id", &subject, &facts);
    pen.knowledge.downloads.push(Waiting { number, at, document });
}

/// Records and answers of the year: about three records and one answer for ten residents.
pub fn write(pen: &mut Pen, lives: &[&Life]) {
    let days = FIRST.until(LAST).map_or(0, |span| i64::from(span.get_days()));
    for number in 1..=lives.len().div_ceil(3) {
        let day = calendar::later(FIRST, pen.random.between(5, days - 5));
        let chosen = pen.random.below(lives.len());
        let Some(life) = lives.get(chosen).filter(|life| life.is_here(day)) else { continue };
        let Some(mine) = life.person.my_number.clone() else { continue };
        match number % 4 {
            0 => answer(pen, day, &life.person, &mine, number),
            _ => record(pen, day, &life.person, &mine, number),
        }
    }
}

fn record(pen: &mut Pen, day: Date, person: &Person, mine: &str, number: usize) {
    let id = format!("PR-{number:06}");
    let date = calendar::later(day, -2).to_string();
    let lot = format!("PL{}", pen.random.digits(4));
    let revision = |pen: &mut Pen, day: Date, history: usize, deleted: bool| {
        let download = format!("VR-{number:06}-{history}");
        let flag = if deleted { "1" } else { "0" };
        let document = json!({"downloadNumber": download, "municipalityCode": MUNICIPALITY,
            "myNumber": mine, "municipalityIdentityKey": person.atena_number,
            "vaccinationRecordId": id, "historyNumber": history, "isDeleted": flag,
            "vaccinationDate": date, "vaccineCode": "010", "doseNumber": 1, "lotNumber": lot,
            "amount": "0.50", "medicalInstitutionCode": "1310000001"});
        let history = history.to_string();
        let facts = [
            ("person", person.atena_number.as_str()),
            ("number", mine),
            ("event", if deleted { "withdrawn" } else { "registered" }),
            ("revision", history.as_str()),
            ("date", date.as_str()),
            ("lot", lot.as_str()),
            ("amount", "0.50"),
        ];
        owe(pen, "record", &id, &facts);
        wait(pen, day, "vaccination.record.received", download, document);
    };
    revision(pen, day, 1, false);
    // A clinic takes one back now and then.
    if number % 16 == 1 {
        revision(pen, calendar::later(day, 10), 2, true);
    }
}

fn answer(pen: &mut Pen, day: Date, person: &Person, mine: &str, number: usize) {
    let (id, download) = (format!("AN-{number:06}"), format!("QA-{number:06}"));
    let word = ["はい", "いいえ"].get(number % 2).copied().unwrap_or_default();
    let document = json!({"downloadNumber": download, "municipalityCode": MUNICIPALITY,
        "myNumber": mine, "municipalityIdentityKey": person.atena_number, "answerId": id,
        "vaccinationPlanId": format!("PL-{number:06}"), "templateKey": "QT-010",
        "answerStatus": "1", "answeredAt": format!("{day}T07:00:00+09:00"),
        "isVaccinationProhibited": false, "answers": [{"itemId": "Q-01", "content": word}]});
    let facts = [
        ("person", person.atena_number.as_str()),
        ("number", mine),
        ("status", "by-resident"),
        ("answer", word),
    ];
    owe(pen, "questionnaire", &id, &facts);
    wait(pen, day, "questionnaire.answered", download, document);
}

fn wait(pen: &mut Pen, day: Date, message_type: &'static str, number: String, document: Value) {
    let at = pen.arrives(day, message_type, PMH);
    pen.knowledge.downloads.push(Waiting { number, at, document });
}

fn owe(pen: &mut Pen, kind: &'static str, key: &str, facts: &[(&str, &str)]) {
    let item = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    pen.truth.put(HEALTH, kind, key, item.collect());
}
