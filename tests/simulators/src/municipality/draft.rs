//! One dose, one subject, one notice, one inquiry as a message, with what must come of it.

use crate::counterparts::{INTERMEDIATE_SERVER, PMH};
use crate::municipality::people::Person;
use crate::municipality::{Expected, Fate, MUNICIPALITY, Message};
use crate::random::Random;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The facts of a dose, and the values counterparts must see of it.
#[derive(Clone, Debug)]
pub struct Dose {
    /// recordId.
    pub record_id: String,
    vaccine: String,
    number: usize,
    /// 接種年月日.
    pub date: String,
    /// 公開日 of its 副本.
    pub publish_from: String,
    /// Whether its next message falls under the second layout of 副本.
    pub second_layout: bool,
    /// As written by the health system, and as counterparts must see it.
    lot: Option<(String, String)>,
    amount: Option<(String, String)>,
    extras: Map<String, Value>,
}

const VACCINES: [(&str, &str); 6] = [
    ("A01", "五種混合"),
    ("A07", "小児用肺炎球菌"),
    ("A09", "ＢＣＧ"),
    ("A11", "麻しん・風しん"),
    ("A13", "日本脳炎"),
    ("A15", "ＨＰＶ"),
];

/// What of a dose goes to PMH as it is: as the oracle and as the health system name it.
const REGISTERED: [(&str, &str); 5] = [
    ("doctor", "doctorName"),
    ("institution", "institutionCode"),
    ("gtin", "gtin"),
    ("expiry", "expiry"),
    ("circumstances", "specialCircumstances"),
];

impl Dose {
    /// A new dose.
    pub fn new(random: &mut Random, record_id: String, number: usize) -> Self {
        let (vaccine, name) = VACCINES.get(number % VACCINES.len()).copied().unwrap_or_default();
        let lot = format!("{}{}", random.pick(&["AB", "ZX", "HK"], "AB"), random.digits(4));
        let written = match random.below(12) {
            0 => lot.to_lowercase(),
            1 => crate::municipality::names::wide(&lot),
            _ => lot.clone(),
        };
        let mut extras = Map::new();
        let mut maybe = |random: &mut Random, share: f64, name: &str, value: Value| {
            if random.chance(share) {
                extras.insert(name.to_owned(), value);
            }
        };
        maybe(random, 0.7, "vaccineName", name.into());
        maybe(random, 0.8, "institutionName", "見本こどもクリニック（﨑浜）".into());
        let institution = format!("13{}", random.digits(8));
        maybe(random, 0.8, "institutionCode", institution.into());
        maybe(random, 0.5, "doctorName", "見本　髙志".into());
        maybe(random, 0.6, "manufacturer", "例示製薬㈱".into());
        let gtin = format!("0498{}", random.digits(10));
        maybe(random, 0.5, "gtin", gtin.into());
        maybe(random, 0.4, "expiry", "2027-03-31".into());
        maybe(random, 0.03, "specialCircumstances", "長期療養のため".into());
        Dose {
            record_id,
            vaccine: vaccine.to_owned(),
            number: 1 + number / VACCINES.len(),
            date: date(random),
            publish_from: "2026-07-01".to_owned(),
            second_layout: false,
            lot: random.chance(0.9).then_some((written, lot)),
            amount: match random.below(5) {
                0 => None,
                1 => Some(("0.5".to_owned(), "0.50".to_owned())),
                _ => Some(("0.25".to_owned(), "0.25".to_owned())),
            },
            extras,
        }
    }

    /// A correction: another date.
    pub fn correct(&mut self, random: &mut Random) {
        self.date = date(random);
    }

    fn json(&self) -> Value {
        let mut dose = self.extras.clone();
        dose.insert("vaccineCode".to_owned(), self.vaccine.as_str().into());
        dose.insert("doseNumber".to_owned(), self.number.into());
        dose.insert("date".to_owned(), self.date.as_str().into());
        dose.insert("paper".to_owned(), false.into());
        if let Some((written, _)) = &self.lot {
            dose.insert("lotNumber".to_owned(), written.as_str().into());
        }
        if let Some((written, _)) = &self.amount {
            dose.insert("amountMl".to_owned(), written.as_str().into());
        }
        Value::Object(dose)
    }

    /// What a 副本 shows of it, in the layout in force.
    fn copy(&self) -> BTreeMap<&'static str, String> {
        let text = |name: &str| self.extras.get(name).and_then(Value::as_str).map(str::to_owned);
        let mut copy = self.content();
        copy.extend(
            text("institutionName").or_else(|| text("institutionCode")).map(|t| ("institution", t)),
        );
        copy.extend(text("doctorName").map(|t| ("doctor", t)));
        copy.extend(text("manufacturer").map(|t| ("manufacturer", t)));
        copy.extend(text("specialCircumstances").map(|t| ("circumstances", t)));
        if self.second_layout {
            copy.extend(text("gtin").map(|t| ("gtin", t)));
            copy.extend(text("expiry").map(|t| ("expiry", t)));
        }
        copy
    }

    /// What PMH is sent of it.
    fn registered(&self) -> BTreeMap<&'static str, String> {
        let mut registered = self.content();
        for (name, from) in REGISTERED {
            let value = self.extras.get(from).and_then(Value::as_str);
            registered.extend(value.map(|value| (name, value.to_owned())));
        }
        registered
    }

    fn content(&self) -> BTreeMap<&'static str, String> {
        let mut content = BTreeMap::from([
            ("vaccine", self.vaccine.clone()),
            ("dose", self.number.to_string()),
            ("date", self.date.clone()),
        ]);
        content.extend(self.lot.iter().map(|(_, seen)| ("lot", seen.clone())));
        content.extend(self.amount.iter().map(|(_, seen)| ("amount", seen.clone())));
        content
    }
}

/// `registered`, `corrected` or `withdrawn` of a dose.
pub fn record(id: String, person: &Person, dose: &Dose, event: &str, revision: usize) -> Message {
    let mut body = json!({"municipalityCode": MUNICIPALITY, "event": event,
        "recordId": dose.record_id, "revision": revision, "person": person.json(),
        "vaccination": dose.json(), "publishFrom": dose.publish_from});
    if let (true, Some(map)) = (event != "registered", body.as_object_mut()) {
        map.insert("reason".to_owned(), "入力誤り".into());
    }
    let withdrawn = event == "withdrawn";
    let mut copy = if withdrawn { BTreeMap::new() } else { dose.copy() };
    copy.insert("layout", if dose.second_layout { "0002" } else { "0001" }.to_owned());
    copy.insert("operation", if withdrawn { "2" } else { "1" }.to_owned());
    copy.insert("publish_from", dose.publish_from.clone());
    let mut pmh = dose.registered();
    pmh.insert("deleted", if withdrawn { "1" } else { "0" }.to_owned());
    pmh.extend(person.my_number.iter().map(|number| ("my_number", number.clone())));
    let key = format!("{}/{revision}", dose.record_id);
    let copy_fate = if person.stranger { Fate::RefusedThere } else { Fate::Delivered };
    let pmh_fate = if person.my_number.is_none() { Fate::DeadHere } else { Fate::Delivered };
    let expected = |counterpart, operation, content, fate| Expected {
        counterpart,
        operation,
        key: key.clone(),
        person: person.atena_number.clone(),
        content,
        fate,
    };
    Message {
        id,
        message_type: match event {
            "corrected" => "vaccination.record.corrected",
            "withdrawn" => "vaccination.record.withdrawn",
            _ => "vaccination.record.registered",
        },
        lane: person.atena_number.clone(),
        operator: "yobo-01".to_owned(),
        body,
        expects: vec![
            expected(INTERMEDIATE_SERVER, "copy", copy, copy_fate),
            expected(PMH, "record", pmh, pmh_fate),
        ],
        answer: None,
    }
}

/// `registered`, `changed` or `removed` of a subject.
pub fn subject(
    id: String,
    person: &Person,
    event: &str,
    revision: usize,
    removal: Value,
) -> Message {
    let subject_id = format!("J{:06}", person.index);
    let mut body = json!({"municipalityCode": MUNICIPALITY, "event": event,
        "subjectId": subject_id, "revision": revision, "person": person.json()});
    let removed = event == "removed";
    let mut content = BTreeMap::new();
    content.insert("operation", if removed { "2" } else { "1" }.to_owned());
    content.extend(person.my_number.iter().map(|number| ("my_number", number.clone())));
    if removed {
        let date = removal.get("date").and_then(Value::as_str).unwrap_or_default().to_owned();
        content.insert("removal_date", date);
        if let Some(map) = body.as_object_mut() {
            map.insert("removal".to_owned(), removal);
        }
    } else {
        content.insert("name", person.name.clone());
        content.insert("kana", person.kana.clone());
        content.insert("address", person.address.joined());
        content.insert("birth", person.birth.clone());
        content.insert("sex", person.sex_code().to_owned());
        content.insert("not_disclosed", if person.not_disclosed { "1" } else { "0" }.to_owned());
    }
    Message {
        id,
        message_type: match event {
            "changed" => "subject.changed",
            "removed" => "subject.removed",
            _ => "subject.registered",
        },
        lane: person.atena_number.clone(),
        operator: "jumin-01".to_owned(),
        body,
        expects: vec![Expected {
            counterpart: PMH,
            operation: "subject",
            key: format!("{subject_id}/{revision}"),
            person: person.atena_number.clone(),
            content,
            fate: if person.my_number.is_none() { Fate::DeadHere } else { Fate::Delivered },
        }],
        answer: None,
    }
}

/// A notice through PMH or through お知らせ.
pub fn notice(id: String, person: &Person, number: usize) -> Message {
    let pmh = number.is_multiple_of(2);
    let notice_id = format!("N{number:05}");
    let title = "麻しん・風しん予防接種のお知らせ".to_owned();
    let text =
        format!("対象の方へ：第{}期の接種期間です。\n＜見本＞＆問合せ先：健康課", number % 2 + 1);
    let mut body = json!({"municipalityCode": MUNICIPALITY, "noticeId": notice_id,
        "person": {"atenaNumber": person.atena_number, "isNotDisclosed": person.not_disclosed},
        "channel": if pmh { "pmh" } else { "osr" }, "title": title, "body": text,
        "language": "ja", "validFrom": "2026-07-01"});
    if let (true, Some(map)) = (pmh, body.as_object_mut()) {
        map.insert("pmhPseudonym".to_owned(), person.pseudonym.as_str().into());
    }
    let refused = !pmh && person.stranger;
    Message {
        id,
        message_type: "notice.requested",
        lane: person.atena_number.clone(),
        operator: "yobo-02".to_owned(),
        body,
        expects: vec![Expected {
            counterpart: if pmh { PMH } else { INTERMEDIATE_SERVER },
            operation: "notice",
            key: notice_id,
            person: if pmh { person.pseudonym.clone() } else { person.atena_number.clone() },
            content: BTreeMap::from([("title", title), ("text", text)]),
            fate: if refused { Fate::RefusedThere } else { Fate::Delivered },
        }],
        answer: None,
    }
}

/// What a 情報照会 asks, and whether the 照会許可用照合リスト allows it.
const QUESTIONS: [(&str, &str, &str, bool); 3] = [
    ("JM00000000000014", "JT00000000000025", "TM00000000000084", true),
    ("JM00000000000014", "JT00000000000028", "TM00000000000002", true),
    ("JM00000000000126", "JT00000000000153", "TM00000000000084", true),
];

/// A question that no list allows.
const FORBIDDEN: (&str, &str, &str, bool) =
    ("JM00000000000014", "JT00000000000999", "TM00000000000002", false);

/// A 情報照会; its message id and inquiryId are one.
pub fn inquiry(random: &mut Random, person: &Person, number: usize, available: bool) -> Message {
    let id = format!("Q{number:05}");
    let question = match number % 25 {
        24 => FORBIDDEN,
        other => QUESTIONS.get(other % QUESTIONS.len()).copied().unwrap_or(FORBIDDEN),
    };
    let (affair, procedure, information, allowed) = question;
    let provider = random.pick(&["131016", "131121", "131041"], "131016");
    let hidden = person.not_disclosed;
    let body = json!({"municipalityCode": MUNICIPALITY, "inquiryId": id,
        "person": {"atenaNumber": person.atena_number}, "department": "KENKO-YOBO",
        "userId": "yobo-03", "affairCode": affair, "procedureCode": procedure,
        "informationCode": information, "provider": {"municipalityCode": provider},
        "from": "2020-04-01", "to": "2026-03-31", "notDisclosed": hidden});
    let fate = match (allowed, person.stranger) {
        (false, _) => Fate::DeadHere,
        (true, true) => Fate::RefusedThere,
        (true, false) => Fate::Delivered,
    };
    let content = BTreeMap::from([
        ("affair", affair.to_owned()),
        ("procedure", procedure.to_owned()),
        ("information", information.to_owned()),
        ("not_disclosed", if hidden { "1" } else { "0" }.to_owned()),
    ]);
    let answer = if available { "answered" } else { "not-available" };
    Message {
        id: id.clone(),
        message_type: "inquiry.requested",
        lane: person.atena_number.clone(),
        operator: "yobo-03".to_owned(),
        body,
        expects: vec![Expected {
            counterpart: INTERMEDIATE_SERVER,
            operation: "inquiry",
            key: id,
            person: person.atena_number.clone(),
            content,
            fate,
        }],
        answer: (fate == Fate::Delivered).then_some(answer),
    }
}

fn date(random: &mut Random) -> String {
    format!("2026-{:02}-{:02}", random.between(1, 6), random.between(1, 28))
}
