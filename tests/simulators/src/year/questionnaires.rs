//! ひな形, 予診票 and what residents and clinics do with them: answers before, the doctor's confirmation,
//! the dose (25, 26), and what comes of it at the health system (F5, F6, F8).

use super::calendar::{self, FIRST, LAST};
use super::life::Life;
use super::pen::{Attempt, Pen};
use super::routes::HEALTH;
use super::{numbering, portal};
use crate::counterparts::PMH;
use crate::counterparts::behind_pmh_entries::{Entered, Entry, NO_QUESTIONNAIRE, NOT_SHOWN};
use crate::municipality::forms::{self, Planned, QUESTIONS};
use crate::municipality::people::Person;
use crate::random::Random;
use jiff::civil::{Date, date};
use serde_json::{Value, json};

/// The ひな形 are changed once.
const CHANGED: Date = date(2026, 10, 1);
/// The vaccines for which there is a digital 予診票: ひな形, its title, 予防接種の種類.
pub const SCHOOL: (&str, &str, &str) = ("QT-010", "麻しん・風しん予診票", "010");
/// Influenza.
pub const INFLUENZA: (&str, &str, &str) = ("QT-020", "インフルエンザ予診票", "020");
/// 通知文言.
const NOTICES: [(&str, &str); 2] = [
    ("NT-010", "麻しん・風しん予防接種のお知らせ"),
    ("NT-020", "インフルエンザ予防接種のお知らせ"),
];

/// ひな形 are registered on the first day, and changed in autumn.
pub fn templates(pen: &mut Pen) {
    for (day, revision) in [(FIRST, 1), (CHANGED, 2)] {
        for (id, title, vaccine) in [SCHOOL, INFLUENZA] {
            pen.post(day, forms::questionnaire_template(id, title, vaccine, revision));
        }
        for (id, title) in NOTICES {
            let text =
                format!("対象の方へ：予防接種の期間です（第{revision}版）。\n問合せ先：健康課");
            pen.post(day, forms::notice_template(id, title, &text, revision));
        }
    }
}

/// A 予診票 is sent to a subject, and what becomes of it.
pub fn sent(pen: &mut Pen, day: Date, life: &Life, about: (&'static str, &str, &'static str)) {
    let person = &life.person;
    let plan = format!("PL-{:06}-{}", person.index, about.2);
    let mut random = Random::new(pen.seed, &plan);
    let day = pen.days.from(day);
    let until = calendar::later(day, 60);
    let mut planned = Planned {
        plan,
        template: about.0,
        vaccine: about.2,
        from: day.to_string(),
        until: until.to_string(),
        rule: "RULE-01",
    };
    pen.post(day, forms::questionnaire(person, &planned, "registered", 1));
    portal::notice(pen, day, person);
    let answered = pen.days.from(calendar::later(day, random.between(2, 20)));
    let linked = life.linked.is_some_and(|linked| linked <= answered);
    let may = linked && life.is_here(answered) && answered <= until && answered > day;
    if !may {
        return;
    }
    if person.not_disclosed {
        // Nothing of whom nothing is shown.
        return refused(pen, person, &planned, answered, NOT_SHOWN);
    }
    if !random.chance(0.8) {
        let later = pen.days.from(calendar::later(day, 30));
        if random.chance(0.5) && life.is_here(later) {
            given_up(pen, person, &mut planned, later, until);
        }
        return;
    }
    let word = random.pick(&["はい", "いいえ"], "はい");
    let number = format!("{:06}", pen.number());
    enter_answers(pen, person, &planned, &number, answered, word, false);
    let confirmed = pen.days.from(calendar::later(answered, random.between(1, 20)));
    let comes = random.chance(0.6) && life.is_here(confirmed);
    if comes && confirmed > answered && confirmed <= until {
        enter_answers(pen, person, &planned, &number, confirmed, word, true);
        record(pen, person, confirmed, Some(&planned));
    }
}

/// Half of what nobody answers is prolonged, the other half withdrawn; then it is too late.
fn given_up(pen: &mut Pen, person: &Person, planned: &mut Planned, day: Date, until: Date) {
    if person.index.is_multiple_of(2) {
        planned.until = calendar::later(until, 30).to_string();
        pen.post(day, forms::questionnaire(person, planned, "changed", 2));
        return;
    }
    pen.post(day, forms::questionnaire(person, planned, "withdrawn", 2));
    let late = pen.days.from(calendar::later(day, 3));
    if late > day {
        refused(pen, person, planned, late, NO_QUESTIONNAIRE);
    }
}

/// What is answered on a day; on that of the change still the older questions.
fn given(pen: &Pen, day: Date, word: &str, by_doctor: bool) -> Vec<(String, String)> {
    let revision = if day > pen.days.from(CHANGED) { 2 } else { 1 };
    let asked = QUESTIONS.iter().filter(|one| one.since <= revision && one.is_required);
    let asked = asked.filter(|one| by_doctor || !one.by_doctor);
    asked
        .map(|one| {
            let said = if one.by_doctor { "はい" } else { word };
            (one.id.to_owned(), said.to_owned())
        })
        .collect()
}

/// Answers that are refused.
fn refused(pen: &mut Pen, person: &Person, planned: &Planned, day: Date, code: &'static str) {
    let answers = given(pen, day, "はい", false);
    let plan = planned.plan.clone();
    let what = Entered::Answers { plan, answers, by_doctor: false };
    let entry = Entry { card: numbering::card(person), number: "000000".to_owned(), what };
    pen.tries(day, Attempt { entry, refused: Some(code) });
}

fn enter_answers(
    pen: &mut Pen,
    person: &Person,
    planned: &Planned,
    number: &str,
    day: Date,
    word: &str,
    by_doctor: bool,
) {
    let Some(mine) = &person.my_number else { return };
    let answers = given(pen, day, word, by_doctor);
    let said: Vec<String> = answers.iter().map(|(item, word)| format!("{item}={word}")).collect();
    let what = Entered::Answers { plan: planned.plan.clone(), answers, by_doctor };
    let entry = Entry { card: numbering::card(person), number: number.to_owned(), what };
    let facts = [
        ("person", person.atena_number.as_str()),
        ("number", mine),
        ("plan", &planned.plan),
        ("template", planned.template),
        ("status", if by_doctor { "by-doctor" } else { "by-resident" }),
        ("answers", &said.join("|")),
    ];
    owe(pen, "questionnaire", &format!("AN-{number}"), &facts);
    pen.arrives(day, "questionnaire.answered", PMH);
    pen.tries(day, Attempt { entry, refused: None });
}

/// A clinic enters a dose, with or without a 予診票 at PMH; now and then it takes one back.
pub fn record(pen: &mut Pen, person: &Person, day: Date, planned: Option<&Planned>) {
    let Some(mine) = person.my_number.clone() else { return };
    let day = pen.days.from(day);
    let counter = pen.number();
    let number = format!("{counter:06}");
    let date = day.to_string();
    let lot = format!("PL{}", pen.random.digits(4));
    let plan = planned.map(|one| one.plan.clone()).unwrap_or_default();
    let mut dose = dose(&date, planned.map_or("010", |one| one.vaccine), &lot);
    if let (false, Some(map)) = (plan.is_empty(), dose.as_object_mut()) {
        map.insert("vaccinationPlanId".to_owned(), json!(plan));
    }
    let enter = |pen: &mut Pen, day: Date, revision: &str, event: &str, what: Entered| {
        let facts = [
            ("person", person.atena_number.as_str()),
            ("number", mine.as_str()),
            ("plan", plan.as_str()),
            ("event", event),
            ("revision", revision),
            ("date", date.as_str()),
            ("lot", lot.as_str()),
            ("amount", "0.50"),
        ];
        owe(pen, "record", &format!("PR-{number}"), &facts);
        pen.arrives(day, "vaccination.record.received", PMH);
        let entry = Entry { card: numbering::card(person), number: number.clone(), what };
        pen.tries(day, Attempt { entry, refused: None });
    };
    enter(pen, day, "1", "registered", Entered::Record(Box::new(dose)));
    let later = pen.days.from(calendar::later(day, 10));
    if counter.is_multiple_of(12) && later > day {
        enter(pen, later, "2", "withdrawn", Entered::Withdrawal);
    }
}

fn dose(date: &str, vaccine: &str, lot: &str) -> Value {
    json!({"vaccinationDate": date, "vaccineCode": vaccine, "doseNumber": 1, "lotNumber": lot,
        "amount": "0.50", "medicalInstitutionCode": "1310000001", "isConsented": true})
}

/// A dose that PMH hands out with the 個人番号 of somebody else: it must not come through.
fn altered(pen: &mut Pen, person: &Person, day: Date) {
    let number = format!("{:06}", pen.number());
    pen.knowledge.altered.insert(format!("PR-{number}"));
    let what = Entered::Record(Box::new(dose(&day.to_string(), "010", "PL0000")));
    let entry = Entry { card: numbering::card(person), number, what };
    pen.tries(day, Attempt { entry, refused: None });
}

/// Records of clinics without a 予診票 at PMH: about one for four residents.
pub fn on_paper(pen: &mut Pen, lives: &[&Life]) {
    let days = FIRST.until(LAST).map_or(0, |span| i64::from(span.get_days()));
    for number in 0..lives.len().div_ceil(4) {
        let day = calendar::later(FIRST, pen.random.between(5, days - 15));
        let chosen = pen.random.below(lives.len());
        let Some(life) = lives.get(chosen).filter(|life| life.is_here(day)) else { continue };
        let linked = life.linked.is_some_and(|linked| linked < day);
        if linked && !life.person.not_disclosed && !life.is_withheld() {
            match pen.knowledge.altered.is_empty() || number % 40 == 39 {
                true => altered(pen, &life.person, pen.days.from(day)),
                false => record(pen, &life.person, day, None),
            }
        }
    }
}

/// 制御フラグ: 閲覧停止 for three months, 不開示 for good, リカバリー.
pub fn controls(pen: &mut Pen, lives: &[&Life]) {
    for life in lives.iter().filter(|life| life.is_withheld()) {
        let (person, Some(mine)) = (&life.person, life.person.my_number.clone()) else { continue };
        let set = |pen: &mut Pen, day: Date, flag: &str, is_set: bool, revision: usize| {
            pen.post(day, forms::control(person, &mine, flag, is_set, revision));
        };
        let refused = |pen: &mut Pen, day: Date| {
            let what = Entered::Record(Box::new(dose(&day.to_string(), "010", "PL0000")));
            let entry = Entry { card: numbering::card(person), number: "000000".to_owned(), what };
            pen.tries(day, Attempt { entry, refused: Some(NOT_SHOWN) });
        };
        match person.index % 50 {
            11 => {
                set(pen, date(2026, 8, 5), "view-suspended", true, 1);
                refused(pen, date(2026, 8, 12));
                set(pen, date(2026, 11, 4), "view-suspended", false, 2);
                record(pen, person, date(2026, 11, 11), None);
            }
            13 => {
                set(pen, date(2026, 9, 2), "not-disclosed", true, 1);
                refused(pen, date(2026, 9, 9));
            }
            _ => {
                set(pen, date(2026, 9, 2), "recovery", true, 1);
                record(pen, person, date(2026, 9, 9), None);
            }
        }
    }
}

fn owe(pen: &mut Pen, kind: &'static str, key: &str, facts: &[(&str, &str)]) {
    let item = facts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    pen.truth.put(HEALTH, kind, key, item.collect());
}
