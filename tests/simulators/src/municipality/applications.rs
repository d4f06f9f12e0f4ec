//! Electronic applications waiting at the intake, and what the health system says of them later.

use crate::counterparts::{APPLICATION_MANAGEMENT, Application};
use crate::municipality::people::Person;
use crate::municipality::{Expected, Fate, MUNICIPALITY, Message, Plan};
use crate::random::{Random, hash};
use crate::signing::Spoilt;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Generates the waiting applications, oldest first.
pub fn generate(plan: Plan, people: &[Person]) -> Vec<Application> {
    numbered(plan, people, 0..plan.applications, "applications")
}

/// Further applications, each spoilt in another way: none of them may reach the health system.
pub fn spoilt(plan: Plan, people: &[Person]) -> Vec<Application> {
    let numbers = plan.applications..plan.applications + Spoilt::ALL.len();
    let all = numbered(plan, people, numbers, "spoilt applications");
    let spoil = |(one, how)| Application { spoilt: Some(how), ..one };
    all.into_iter().zip(Spoilt::ALL).map(spoil).collect()
}

fn numbered(
    plan: Plan,
    people: &[Person],
    numbers: std::ops::Range<usize>,
    stream: &str,
) -> Vec<Application> {
    let mut random = Random::new(plan.seed, stream);
    numbers
        .filter_map(|number| {
            let person = people.get(random.below(people.len()))?;
            let reception_number = format!("A{:02}-{:05}", plan.seed % 100, number + 1);
            let received_at = format!(
                "2026-06-{:02}T{:02}:{:02}:00+09:00",
                1 + number / 60 % 28,
                9 + number / 20 % 3,
                number % 20 * 3
            );
            Some(application(&mut random, person, reception_number, received_at))
        })
        .collect()
}

/// One person's application, received then (RFC 3339).
pub fn application(
    random: &mut Random,
    person: &Person,
    reception_number: String,
    received_at: String,
) -> Application {
    let procedure_name = "予防接種費用の償還払い申請".to_owned();
    let mut applicant = json!({"name": person.name, "nameKana": person.kana,
                "dateOfBirth": person.birth, "address": person.address.joined(),
                "phone": format!("090-{}-{}", random.digits(4), random.digits(4))});
    if let (true, Some(map)) = (random.chance(0.9), applicant.as_object_mut()) {
        let atena = person.atena_number.as_str().into();
        map.insert("serialResolvedAtenaNumber".to_owned(), atena);
    }
    let mut document = json!({"receptionNumber": reception_number, "receivedAt": received_at,
                "procedureCode": "YB-0101", "procedureName": procedure_name,
                "municipalityCode": MUNICIPALITY, "applicant": applicant,
                "formItems": [
                    {"itemId": "q1", "itemName": "接種日", "value": "2026-05-20"},
                    {"itemId": "q2", "itemName": "振込先の名義", "value": person.kana},
                    {"itemId": "q3", "itemName": "備考", "value": ""}]});
    if let (attached @ [_, ..], Some(map)) =
        (attachments(person, &reception_number).as_slice(), document.as_object_mut())
    {
        map.insert("attachments".to_owned(), json!(attached));
    }
    Application { reception_number, received_at, procedure_name, document, spoilt: None }
}

/// What somebody attaches: none, a receipt, or a receipt and a picture of the account book. The
/// name of the person is in both, as a leak of them would have it.
fn attachments(person: &Person, reception_number: &str) -> Vec<Value> {
    let mut random = Random::new(hash(reception_number.as_bytes()), "attachments");
    let kinds =
        [("領収書", "application/pdf", "%PDF-1.7\n"), ("通帳の写し", "image/png", "\u{89}PNG\r\n")];
    let count = random.below(kinds.len() + 1);
    let one = |(number, (document, media_type, head)): (usize, &(&str, &str, &str))| {
        let length = 200 + random.below(2_000);
        let filling = random.digits(length);
        let content = STANDARD.encode(format!("{head}{}\n{filling}", person.name));
        json!({"attachmentId": (number + 1).to_string(), "documentName": document,
            "fileName": format!("{document}_{}", person.kana), "mediaType": media_type,
            "content": content})
    };
    kinds.iter().take(count).enumerate().map(one).collect()
}

/// The status changes the health system posts for an application it received: two or three.
pub fn status_changes(seed: u64, reception_number: &str) -> Vec<Message> {
    status_changes_at(seed, reception_number, |step| format!("2026-06-30T1{step}:00:00+09:00"))
}

/// The same, each step said to be of a moment (RFC 3339).
pub fn status_changes_at(
    seed: u64,
    reception_number: &str,
    changed_at: impl Fn(usize) -> String,
) -> Vec<Message> {
    let mut random = Random::new(seed ^ hash(reception_number.as_bytes()), "status");
    let mut steps = vec![("processing", "01")];
    if random.chance(0.2) {
        steps.push(("needs-correction", "02"));
    }
    steps.push(
        *[("accepted", "03"), ("rejected", "04")]
            .get(random.below(2))
            .unwrap_or(&("accepted", "03")),
    );
    steps.push(("completed", "05"));
    steps
        .into_iter()
        .enumerate()
        .map(|(step, (status, code))| {
            let revision = step + 1;
            let status_id = format!("S-{reception_number}-{revision}");
            let body = json!({"municipalityCode": MUNICIPALITY,
                "receptionNumber": reception_number, "statusId": status_id,
                "revision": revision, "status": status,
                "changedAt": changed_at(step)});
            let content =
                BTreeMap::from([("status", code.to_owned()), ("sequence", revision.to_string())]);
            Message {
                id: status_id.clone(),
                message_type: "application.status-changed",
                lane: reception_number.to_owned(),
                operator: "shinsei-01".to_owned(),
                body,
                expects: vec![Expected {
                    counterpart: APPLICATION_MANAGEMENT,
                    operation: "status",
                    key: status_id,
                    person: reception_number.to_owned(),
                    content,
                    fate: Fate::Delivered,
                }],
                answer: None,
            }
        })
        .collect()
}
