//! What reached the health system, in the form of the truth.

use crate::counterparts::holdings::{Holdings, Item};
use crate::demo::Stage;
use crate::demo::desk::Desk;
use serde_json::Value;
use std::collections::BTreeMap;

/// Field and where it stands.
type Fields = &'static [(&'static str, &'static str)];

/// Kind, message type, where its key stands, its fields.
const KINDS: [(&str, &str, &str, Fields); 6] = [
    (
        "application",
        "application.received",
        "/receptionNumber",
        &[
            ("received", "/receivedAt"),
            ("procedure", "/procedure"),
            ("person", "/applicant/atenaNumber"),
            ("name", "/applicant/name"),
            ("kana", "/applicant/nameKana"),
            ("birth", "/applicant/birthDate"),
            ("address", "/applicant/address"),
            ("contact", "/applicant/contact"),
        ],
    ),
    (
        "record",
        "vaccination.record.received",
        "/recordId",
        &[
            ("person", "/person/atenaNumber"),
            ("number", "/person/individualNumber"),
            ("plan", "/planId"),
            ("event", "/event"),
            ("revision", "/revision"),
            ("date", "/vaccination/date"),
            ("lot", "/vaccination/lotNumber"),
            ("amount", "/vaccination/amountMl"),
        ],
    ),
    (
        "questionnaire",
        "questionnaire.answered",
        "/answerId",
        &[
            ("person", "/person/atenaNumber"),
            ("number", "/person/individualNumber"),
            ("plan", "/planId"),
            ("template", "/templateId"),
            ("status", "/status"),
        ],
    ),
    (
        "pmh-id",
        "subject.pmh-id.assigned",
        "/subjectId",
        &[("person", "/person/atenaNumber"), ("id", "/pmhId"), ("assignment", "/assignment")],
    ),
    ("cancelled", "notice.cancelled", "/noticeId", &[("channel", "/channel")]),
    (
        "resident",
        "resident.changed",
        "/changeId",
        &[
            ("event", "/event"),
            ("date", "/date"),
            ("revision", "/revision"),
            ("person", "/person/atenaNumber"),
            ("number", "/person/individualNumber"),
            ("name", "/person/name"),
            ("kana", "/person/nameKana"),
            ("birth", "/person/birthDate"),
            ("sex", "/person/sex"),
            ("postal", "/person/address/postalCode"),
            ("town", "/person/address/town"),
            ("lot", "/person/address/lot"),
            ("building", "/person/address/building"),
            ("hidden", "/person/isNotDisclosed"),
        ],
    ),
];

/// What came of pulls and files.
pub(crate) fn holdings(stage: &Stage) -> Holdings {
    let mut holdings = Holdings::default();
    for (kind, message_type, key, fields) in KINDS {
        for data in stage.desk.of_type(message_type) {
            let mut item: Item = fields
                .iter()
                .map(|(name, pointer)| ((*name).to_owned(), text(&data, pointer)))
                .collect();
            let said = match kind {
                "application" => Some(pairs(&data, "/answers", ["item", "value"], "|")),
                "questionnaire" => Some(pairs(&data, "/answers", ["itemId", "content"], "|")),
                _ => None,
            };
            item.extend(said.map(|said| ("answers".to_owned(), said)));
            if kind == "application" {
                let files = pairs(&data, "/attachments", ["fileName", "content"], "|");
                item.insert("files".to_owned(), files);
            }
            holdings.put(kind, &text(&data, key), item);
        }
    }
    welfare(stage, &mut holdings);
    super::portal::told(&stage.desk, &mut holdings);
    holdings
}

/// The last state of each recipient, under the number of the subject, and how often it was told.
fn welfare(stage: &Stage, holdings: &mut Holdings) {
    let people = &stage.town.people;
    let subjects: BTreeMap<&str, String> = people
        .iter()
        .map(|one| (one.atena_number.as_str(), format!("J{:06}", one.index)))
        .collect();
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for data in stage.desk.of_type("welfare.status-received") {
        let person = text(&data, "/atenaNumber");
        let key = subjects.get(person.as_str()).cloned().unwrap_or_else(|| "nobody".to_owned());
        let count = times.entry(key.clone()).or_default();
        *count += 1;
        let item = Item::from([
            ("person".to_owned(), person),
            ("status".to_owned(), text(&data, "/status")),
            ("from".to_owned(), text(&data, "/from")),
            ("to".to_owned(), text(&data, "/to")),
            ("times".to_owned(), count.to_string()),
        ]);
        holdings.put("welfare", &key, item);
    }
}

/// The answers to inquiries that came.
pub(crate) fn answers(desk: &Desk) -> Holdings {
    let mut holdings = Holdings::default();
    for data in desk.of_type("inquiry.answered") {
        let doses = data.get("records").and_then(Value::as_array).cloned().unwrap_or_default();
        let dose = |one: &Value| {
            let parts = ["/vaccineCode", "/doseNumber", "/date", "/lotNumber"];
            parts.map(|pointer| text(one, pointer)).join("/")
        };
        let doses: Vec<String> = doses.iter().map(dose).collect();
        let item = Item::from([
            ("status".to_owned(), text(&data, "/status")),
            ("person".to_owned(), text(&data, "/person/atenaNumber")),
            ("content".to_owned(), doses.join(" ")),
        ]);
        holdings.put("answer", &text(&data, "/inquiryId"), item);
    }
    for data in desk.of_type("inquiry.by-item.answered") {
        let item = Item::from([
            ("status".to_owned(), text(&data, "/status")),
            ("person".to_owned(), text(&data, "/person/atenaNumber")),
            ("information".to_owned(), text(&data, "/informationCode")),
            ("content".to_owned(), pairs(&data, "/items", ["item", "value"], " ")),
        ]);
        holdings.put("answer", &text(&data, "/inquiryId"), item);
    }
    holdings
}

/// Two members of each entry of a list.
fn pairs(data: &Value, pointer: &str, members: [&str; 2], after: &str) -> String {
    let list = data.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let pair = |one: &Value| members.map(|member| text(one, &format!("/{member}"))).join("=");
    list.iter().map(pair).collect::<Vec<_>>().join(after)
}

fn text(data: &Value, pointer: &str) -> String {
    match data.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}
