//! 自動応答不可 and 不開示該当 through the year: set, asked about, cleared, asked about again.

use super::copies::Content;
use super::demands::{Desk, asked_after, decided_at};
use super::life::Life;
use super::prepared::put;
use crate::counterparts::INTERMEDIATE_SERVER;
use crate::counterparts::times::moment;
use crate::municipality::people::Person;
use crate::municipality::{Expected, Fate, MUNICIPALITY, Message};
use jiff::civil::{Date, date};
use serde_json::json;
use std::collections::BTreeMap;

/// A flag that is set, and cleared where it says when.
struct Flag {
    key: &'static str,
    flag: &'static str,
    scope: &'static str,
    reason: (&'static str, &'static str),
    set: Date,
    cleared: Option<Date>,
}

const FLAGS: [Flag; 4] = [
    Flag {
        key: "FL-01",
        flag: "no-automatic-answer",
        scope: "person",
        reason: ("sensitive", "1"),
        set: date(2026, 12, 2),
        cleared: Some(date(2027, 3, 3)),
    },
    Flag {
        key: "FL-02",
        flag: "no-automatic-answer",
        scope: "record",
        reason: ("other", "9"),
        set: date(2026, 12, 9),
        cleared: Some(date(2027, 4, 14)),
    },
    // 支援措置: from winter to spring.
    Flag {
        key: "FL-03",
        flag: "not-disclosed",
        scope: "person",
        reason: ("support-measures", "2"),
        set: date(2026, 11, 25),
        cleared: Some(date(2027, 5, 12)),
    },
    Flag {
        key: "FL-04",
        flag: "not-disclosed",
        scope: "record",
        reason: ("support-measures", "2"),
        set: date(2027, 1, 20),
        cleared: None,
    },
];

impl Desk<'_> {
    /// Flags are set and cleared, and others ask in between and after. Gives whose.
    pub(super) fn flags(&mut self, lives: &[&Life]) -> Vec<usize> {
        let mut taken = Vec::new();
        for flag in &FLAGS {
            let asked = [Some(flag.set), flag.cleared];
            let asked: Vec<Date> = asked.into_iter().flatten().map(asked_after).collect();
            let set = moment(self.pen.days.from(flag.set), 9, 0);
            // The first record that is there all the time.
            let record = |life: &&&Life| {
                let person = &life.person;
                let at = |at| self.copies.published(&person.atena_number, at);
                let all = asked.iter().map(|day| at(decided_at(*day, 1)));
                let keys = |shown: BTreeMap<String, Content>| shown.into_keys().collect::<Vec<_>>();
                let always = all.fold(keys(at(set)), |left, shown| {
                    left.into_iter().filter(|key| shown.contains_key(key)).collect()
                });
                always
                    .into_iter()
                    .next()
                    .filter(|_| life.going.is_none() && !taken.contains(&person.index))
            };
            let start = self.random.below(lives.len());
            let around = lives.iter().cycle().skip(start).take(lives.len());
            let Some((life, record)) = around
                .map(|life| (life, record(&life)))
                .find_map(|(life, record)| Some((life, record?)))
            else {
                continue;
            };
            taken.push(life.person.index);
            self.flag(flag, &life.person, &record, &asked);
        }
        taken
    }

    fn flag(&mut self, flag: &Flag, person: &Person, record: &str, asked: &[Date]) {
        let days = [(flag.set, true)].into_iter().chain(flag.cleared.map(|day| (day, false)));
        for (revision, (day, is_set)) in (1..).zip(days) {
            let message = flag_message(flag, person, record, revision, is_set);
            self.pen.post(day, message);
        }
        for (day, is_set) in asked.iter().zip([true, false]) {
            match (flag.flag, is_set) {
                ("no-automatic-answer", true) => {
                    self.held_back(*day, person, flag.scope == "person");
                }
                (_, hidden) => self.automatic(*day, person, hidden && flag.flag == "not-disclosed"),
            }
        }
    }
}

fn flag_message(
    flag: &Flag,
    person: &Person,
    record: &str,
    revision: usize,
    is_set: bool,
) -> Message {
    let (reason, code) = flag.reason;
    let mut body = json!({"municipalityCode": MUNICIPALITY, "flagId": flag.key,
        "revision": revision, "person": {"atenaNumber": person.atena_number},
        "department": "KENKO-YOBO", "userId": "yobo-05", "flag": flag.flag, "scope": flag.scope,
        "isSet": is_set, "informationCode": "TM00000000000084", "reason": reason});
    let mut content = BTreeMap::from([
        ("flag", flag.flag.to_owned()),
        ("scope", flag.scope.to_owned()),
        ("setting", if is_set { "1" } else { "0" }.to_owned()),
        ("reason", code.to_owned()),
    ]);
    if flag.scope == "record" {
        put(&mut body, "recordId", record.into());
        content.insert("record", record.to_owned());
    }
    Message {
        id: format!("{}-{revision}", flag.key),
        message_type: "copy.flag.changed",
        lane: person.atena_number.clone(),
        operator: "yobo-05".to_owned(),
        body,
        expects: vec![Expected {
            counterpart: INTERMEDIATE_SERVER,
            operation: "flag",
            key: format!("{}/{revision}", flag.key),
            person: person.atena_number.clone(),
            content,
            fate: Fate::Delivered,
        }],
        answer: None,
    }
}
