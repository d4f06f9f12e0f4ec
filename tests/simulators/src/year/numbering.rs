//! Who is known behind PMH, and what comes of their numbering (22, 23): a PMH-ID, one they had
//! before, or nothing, because 基本5情報 were wrong or their 個人番号 is known to nobody.

use super::calendar::{self, INSURERS_CLOSED};
use super::life::Coming;
use super::pen::{Pen, What};
use super::routes::HEALTH;
use crate::Trouble;
use crate::counterparts::behind_pmh::{BASIC, Insured};
use crate::counterparts::holdings::{Holdings, Item};
use crate::counterparts::times::moment;
use crate::counterparts::{BEHIND_PMH, PMH};
use crate::demo::Stage;
use crate::demo::gateway::items;
use crate::municipality::people::Person;
use jiff::civil::Date;
use serde_json::Value;

/// Days after registration on which a numbering is certainly answered.
const ANSWERED: i64 = 3;
/// Days after the answer on which staff have mended what was wrong.
const MENDED: i64 = 7;

/// Whether the 個人番号 of this resident is known behind PMH.
pub fn is_known(person: &Person) -> bool {
    person.my_number.is_some() && person.index % 100 != 33
}

/// Whether the municipality first has a wrong date of birth of this resident.
pub fn is_mistaken(person: &Person, coming: Coming) -> bool {
    coming == Coming::Here && person.index % 60 == 7 && is_known(person)
}

/// The same person with a date of birth misread.
pub fn misread(person: &Person) -> Person {
    let (start, day) = person.birth.split_at(person.birth.len().saturating_sub(2));
    let birth = format!("{start}{}", if day == "11" { "12" } else { "11" });
    Person { birth, ..person.clone() }
}

/// Those behind PMH know somebody, as they are now.
pub fn insure(pen: &mut Pen, person: &Person, coming: Coming) {
    let Some(mine) = person.my_number.clone().filter(|_| is_known(person)) else { return };
    let basic = [
        person.name.clone(),
        person.kana.clone(),
        person.address.joined(),
        person.birth.clone(),
        person.sex_code().to_owned(),
    ];
    let word = |kind: &str| format!("{kind}-{:06}", person.index);
    let insured = Insured {
        basic: BASIC.into_iter().zip(basic).collect(),
        linkage: word("HIMOTSUKE"),
        pmh_id: word("PMHID"),
        is_numbered: was_numbered(person, coming),
        pseudonym: word("KAMEI"),
        serial: card(person),
        pmh_pseudonym: person.pseudonym.clone(),
    };
    pen.knowledge.insured.insert(mine, insured);
}

/// シリアル番号 of somebody's card.
pub fn card(person: &Person) -> String {
    format!("SERIAL-{:06}", person.index)
}

/// Half of those who move in had a PMH-ID where they lived before.
fn was_numbered(person: &Person, coming: Coming) -> bool {
    matches!(coming, Coming::Moves(_)) && person.index.is_multiple_of(2)
}

/// What must come of a first registration. Gives the day from which on the person is linked, and the
/// day on which staff correct what was wrong.
pub fn registered(
    pen: &mut Pen,
    day: Date,
    person: &Person,
    coming: Coming,
) -> (Option<Date>, Option<Date>) {
    if !is_known(person) {
        return (None, None);
    }
    let first = answered(pen.days.from(day));
    if !is_mistaken(person, coming) {
        let existing = was_numbered(person, coming);
        results(pen, person, if existing { "2" } else { "1" });
        owe(pen, first, person, if existing { "existing" } else { "new" });
        return (Some(first), None);
    }
    results(pen, person, "3 1");
    look(pen, first);
    let mended = pen.days.from(calendar::later(first, MENDED));
    let second = answered(mended);
    owe(pen, second, person, "new");
    (Some(second), Some(mended))
}

/// Whose 個人番号 nobody knows is asked about with every state that is registered, in vain.
pub fn asked(pen: &mut Pen, day: Date, person: &Person, states: usize) {
    if person.my_number.is_some() && !is_known(person) {
        results(pen, person, &vec!["9"; states].join(" "));
        let told = answered(pen.days.from(day));
        look(pen, told);
    }
}

/// How all numberings of a person end.
fn results(pen: &mut Pen, person: &Person, all: &str) {
    let item = [("results".to_owned(), all.to_owned())].into();
    pen.truth.put(BEHIND_PMH, "numbering", &format!("J{:06}", person.index), item);
}

/// When a numbering that is asked for on a day is certainly answered.
fn answered(day: Date) -> Date {
    let (from, until) = INSURERS_CLOSED;
    let waits = (calendar::later(from, -ANSWERED)..until).contains(&day);
    calendar::later(if waits { until } else { day }, ANSWERED)
}

/// The clock stops there: what is there is fetched.
fn look(pen: &mut Pen, day: Date) {
    let at = moment(pen.days.from(day), 10, 0);
    pen.happens(at, What::Look);
}

fn owe(pen: &mut Pen, day: Date, person: &Person, assignment: &str) {
    pen.arrives(day, "subject.pmh-id.assigned", PMH);
    let subject = format!("J{:06}", person.index);
    let id = format!("PMHID-{:06}", person.index);
    let item = |facts: [(&str, &str); 3]| -> Item {
        facts.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect()
    };
    let atena = person.atena_number.as_str();
    let told = item([("person", atena), ("id", &id), ("assignment", assignment)]);
    pen.truth.put(HEALTH, "pmh-id", &subject, told);
    let linked = item([("person", atena), ("id", &id), ("pseudonym", &person.pseudonym)]);
    pen.truth.put(BEHIND_PMH, "link", &subject, linked);
}

/// The dead letters of what was fetched from PMH, by 連携番号.
pub(crate) async fn dead_letters(stage: &Stage) -> Result<Holdings, Trouble> {
    let arguments = ["dlq", "list", "--json"];
    let (_, text) = stage.gateway.cli("dlq-fetched", &arguments).await?;
    let mut holdings = Holdings::default();
    for letter in items::<Value>(&text) {
        let part = |name: &str| letter.get(name).and_then(Value::as_str).unwrap_or_default();
        // A mapping's reason stands before its place; another one is told by its code alone.
        let reason = match part("code") {
            "G301" => part("detail").split(' ').next().unwrap_or_default(),
            other => other,
        };
        let kind = match part("route") {
            "pmh-id-to-health" => "numbering",
            "pmh-record-to-health" | "pmh-questionnaire-answer-to-health" => "altered",
            _ => continue,
        };
        let item = Item::from([("reason".to_owned(), reason.to_owned())]);
        holdings.put(kind, part("message_id"), item);
    }
    Ok(holdings)
}
