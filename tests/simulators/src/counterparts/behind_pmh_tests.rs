//! What is behind PMH, driven as the gateway does, and as residents and clinics do.

use super::behind_pmh::{BASIC, INSURERS, Insured};
use super::behind_pmh_entries::{
    Entered, Entry, LEAK, NO_QUESTIONNAIRE, NO_RECORD, NOBODY, NOT_NOW, NOT_SHOWN, OTHER_ANSWERS,
};
use super::tests::{NUMBER, PERSON, Town, json_answer, subject, town};
use super::*;
use crate::numbers::{atena_check, my_number_check};
use serde_json::{Value, json};

const SUBJECTS: &str = "/vaccination/subject-registration-tasks";
const RECORDS: &str = "/vaccination/record-registration-tasks";
const PLANS: &str = "/vaccination/questionnaire-registration-tasks";
const TEMPLATES: &str = "/vaccination/questionnaire-templates";
const FLAGS: &str = "/vaccination/control-flags";
const CARD: &str = "SERIAL-1";

/// Another 個人番号 and 宛名番号, with right check digits.
fn others() -> (String, String) {
    let whole = |body: &str, check: fn(&[u8]) -> Option<u8>| {
        format!("{body}{}", char::from(check(body.as_bytes()).unwrap()))
    };
    (whole("23456789012", my_number_check), whole("22345678901234", atena_check))
}

/// One person behind PMH, as [`subject`] describes them.
pub(super) fn insured() -> Knowledge {
    let basic = ["𠮷田　花子", "ヨシダ　ハナコ", "東京都江戸川区見本町１", "2025-01-02", "2"];
    let insured = Insured {
        basic: BASIC.into_iter().zip(basic.map(str::to_owned)).collect(),
        linkage: "L1".to_owned(),
        pmh_id: "M1".to_owned(),
        is_numbered: false,
        pseudonym: "K1".to_owned(),
        serial: CARD.to_owned(),
        pmh_pseudonym: "P1".to_owned(),
    };
    Knowledge {
        insured: BTreeMap::from([(NUMBER.to_owned(), insured)]),
        my_numbers: BTreeSet::from([NUMBER.to_owned()]),
        ..Knowledge::default()
    }
}

impl Town {
    /// Registers items; gives the result of the first.
    async fn registered(&self, path: &str, key: &str, item: Value) -> Value {
        let (status, task) = self.pmh(path, key, &json!([item])).await;
        assert_eq!(status, 202, "{task}");
        self.task(&task).await["results"][0].clone()
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        json_answer(self.client.get(self.url(PMH, path)).bearer_auth(self.token().await)).await
    }

    /// All that waits under a path, once so many wait.
    async fn downloads(&self, path: &str, count: usize) -> Vec<Value> {
        loop {
            let list = json!({"since": "", "page": 1});
            let listed = self.pmh(&format!("{path}/list"), "", &list).await.1;
            let items = listed["items"].as_array().unwrap().clone();
            if items.len() < count {
                continue;
            }
            let mut all = Vec::new();
            for item in items {
                let number = item["downloadNumber"].as_str().unwrap().to_owned();
                all.push(self.get(&format!("{path}/{number}")).await.1);
            }
            return all;
        }
    }

    async fn numbered(&self, count: usize) -> Vec<Value> {
        self.downloads("/vaccination/pmh-ids", count).await
    }

    fn enter(&self, number: &str, what: Entered) -> Result<(), &'static str> {
        let (card, number) = (CARD.to_owned(), number.to_owned());
        self.running.behind.enter(&Entry { card, number, what })
    }
}

/// A town in which the person is registered and numbered.
pub(super) async fn linked(knowledge: Knowledge) -> Town {
    let town = town(knowledge).await;
    assert_eq!(town.registered(SUBJECTS, "s1", subject(1)).await["status"], "registered");
    town.numbered(1).await;
    town
}

/// The same with a 予診票.
async fn with_questionnaire() -> Town {
    let town = linked(insured()).await;
    assert_eq!(town.pmh(TEMPLATES, "t1", &template(1)).await.0, 201);
    assert_eq!(town.registered(PLANS, "p1", plan(1)).await["status"], "registered");
    town
}

fn template(revision: u32) -> Value {
    let question = |id: &str, order: u32, kind: &str, required: bool, by: &str| {
        json!({"itemId": id, "displayOrder": order, "question": "？", "answerType": kind,
            "isRequired": required, "answeredBy": by})
    };
    json!({"modificationSeg": "1", "templateKey": "QT-1", "historyNumber": revision,
        "vaccineCode": "010", "title": "予診票", "questions": [
            question("Q-1", 1, "1", true, "1"), question("Q-2", 2, "2", false, "1"),
            question("Q-9", 3, "1", true, "2")]})
}

fn plan(revision: u32) -> Value {
    json!({"modificationSeg": "1", "myNumber": NUMBER, "municipalityIdentityKey": PERSON,
        "vaccinationPlanId": "PL-1", "historyNumber": revision, "isDeleted": "0",
        "templateKey": "QT-1", "vaccineCode": "010", "doseNumber": 1,
        "isVaccinationProhibited": false})
}

fn changed(mut document: Value, name: &str, value: Value) -> Value {
    document[name] = value;
    document
}

fn answers(pairs: &[(&str, &str)], by_doctor: bool) -> Entered {
    let answers =
        pairs.iter().map(|(item, word)| ((*item).to_owned(), (*word).to_owned())).collect();
    Entered::Answers { plan: "PL-1".to_owned(), answers, by_doctor }
}

fn dose() -> Entered {
    Entered::Record(Box::new(
        json!({"vaccinationDate": "2026-06-02", "vaccineCode": "010", "doseNumber": 1}),
    ))
}

#[tokio::test]
async fn who_is_new_is_numbered_and_linked_up_to_the_card() {
    let town = town(insured()).await;
    assert_eq!(town.running.behind.view(CARD), Err(NOBODY));
    town.registered(SUBJECTS, "s1", subject(1)).await;
    let told = town.numbered(1).await.remove(0);
    let wanted = [
        ("result", "1"),
        ("pmhId", "M1"),
        ("subjectNumber", "J1"),
        ("municipalityIdentityKey", PERSON),
    ];
    for (name, value) in wanted {
        assert_eq!(told[name], value, "{told}");
    }
    assert!(!told.to_string().contains(NUMBER), "the result names nobody by 個人番号");
    assert!(town.running.behind.view(CARD).is_ok());
    assert_eq!(town.running.behind.view("SERIAL-2"), Err(NOBODY));
    // Whoever is numbered is not numbered again.
    town.registered(SUBJECTS, "s2", subject(2)).await;
    assert_eq!((town.numbered(1).await.len(), town.running.behind.pending()), (1, 0));
    assert_eq!(town.running.behind.holdings().0["link"]["J1"]["pseudonym"], "P1");
    assert_eq!(town.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn an_id_of_another_municipality_is_used_again_and_an_unknown_number_gets_none() {
    let mut knowledge = insured();
    knowledge.insured.get_mut(NUMBER).unwrap().is_numbered = true;
    let town = town(knowledge).await;
    town.registered(SUBJECTS, "s1", subject(1)).await;
    let told = town.numbered(1).await.remove(0);
    assert_eq!((&told["result"], &told["pmhId"]), (&json!("2"), &json!("M1")));
    let (mine, person) = others();
    let other = json!({"subjectNumber": "J2", "municipalityIdentityKey": person, "myNumber": mine});
    let mut item = subject(1);
    for (name, value) in other.as_object().unwrap() {
        item[name] = value.clone();
    }
    let result = town.registered(SUBJECTS, "s2", item).await;
    assert_eq!(result["status"], "registered", "{result}");
    let told = town.numbered(2).await.into_iter().find(|one| one["subjectNumber"] == "J2");
    let told = told.unwrap();
    assert_eq!((&told["result"], &told["errorCode"]), (&json!("9"), &json!("E0502")));
    assert!(told.get("pmhId").is_none());
}

#[tokio::test]
async fn other_basic_information_is_told_and_the_correction_is_numbered() {
    let town = town(insured()).await;
    let mut wrong = subject(1);
    wrong["basicFiveInfo"]["dateOfBirth"] = "2025-01-03".into();
    town.registered(SUBJECTS, "s1", wrong).await;
    let told = town.numbered(1).await.remove(0);
    assert_eq!((&told["result"], &told["errorCode"]), (&json!("3"), &json!("E0501")));
    assert_eq!(town.running.behind.view(CARD), Err(NOBODY));
    town.registered(SUBJECTS, "s2", subject(2)).await;
    let results: Vec<Value> =
        town.numbered(2).await.iter().map(|one| one["result"].clone()).collect();
    assert_eq!(results, ["3", "1"]);
    assert!(town.running.behind.view(CARD).is_ok());
    let refusals = town.running.behind.refusals();
    assert_eq!(refusals.0["numbering"]["PI-000001"]["reason"], "BASIC_INFO_MISMATCH");
}

#[tokio::test]
async fn numbering_waits_while_the_insurers_are_out_of_reach() {
    let now = crate::clock::now_ms();
    let mut knowledge = insured();
    let hour = 3_600_000;
    knowledge.times.closed = BTreeMap::from([(INSURERS, vec![(now - hour, now + hour)])]);
    assert_eq!(knowledge.times.open_from(INSURERS, now), now + hour);
    assert_eq!(knowledge.times.open_from(INSURERS, now + hour), now + hour);
    let town = town(knowledge).await;
    let result = town.registered(SUBJECTS, "s1", subject(1)).await;
    assert_eq!(result["status"], "registered", "PMH itself is there");
    assert_eq!(town.numbered(0).await, Vec::<Value>::new());
    assert_eq!(town.running.behind.pending(), 1);
    // Nobody can be reached before; a notice to the PMH仮名識別子 is refused, not kept.
    let notice = json!({"pmhPseudonym": "P1", "noticeKey": "N1", "title": "t", "message": "m"});
    assert_eq!(town.pmh("/vaccination/notices", "n", &notice).await.1["code"], "E3002");
}

#[tokio::test]
async fn what_is_entered_by_card_comes_with_the_number_that_was_sent() {
    let town = with_questionnaire().await;
    let shown = town.running.behind.view(CARD).unwrap();
    assert_eq!(shown["questionnaires"]["PL-1"]["template"], "QT-1");
    assert!(shown["templates"]["QT-1"].as_str().unwrap().starts_with("Q-1/1/1/1/"));
    assert!(!shown.to_string().contains(NUMBER) && !shown.to_string().contains(PERSON));
    town.enter("7", answers(&[("Q-1", "いいえ")], false)).unwrap();
    town.enter("7", answers(&[("Q-1", "いいえ"), ("Q-9", "はい")], true)).unwrap();
    let told = town.downloads("/vaccination/questionnaire-answers", 2).await;
    for (one, status, count) in [(&told[0], "1", 1), (&told[1], "2", 2)] {
        assert_eq!((&one["answerId"], &one["answerStatus"]), (&json!("AN-7"), &json!(status)));
        assert_eq!(
            (&one["myNumber"], &one["municipalityIdentityKey"]),
            (&json!(NUMBER), &json!(PERSON))
        );
        assert_eq!(one["answers"].as_array().unwrap().len(), count);
    }
    town.enter("8", dose()).unwrap();
    town.enter("8", Entered::Withdrawal).unwrap();
    let told = town.downloads("/vaccination/records", 2).await;
    for (one, history, deleted) in [(&told[0], 1, "0"), (&told[1], 2, "1")] {
        assert_eq!((&one["historyNumber"], &one["isDeleted"]), (&json!(history), &json!(deleted)));
        assert_eq!(
            (&one["vaccinationRecordId"], &one["myNumber"]),
            (&json!("PR-8"), &json!(NUMBER))
        );
        assert_eq!(one["vaccinationDate"], "2026-06-02");
    }
    assert_eq!(town.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_mistake_of_pmh_hands_out_the_number_of_somebody_else() {
    let mut knowledge = insured();
    let other = others().0;
    knowledge.insured.insert(other.clone(), Insured::default());
    knowledge.altered.insert("PR-2".to_owned());
    let town = linked(knowledge).await;
    town.enter("1", dose()).unwrap();
    town.enter("2", dose()).unwrap();
    let told = town.downloads("/vaccination/records", 2).await;
    let numbers = [&told[0]["myNumber"], &told[1]["myNumber"]];
    assert_eq!(numbers, [&json!(NUMBER), &json!(other)]);
    let refusals = town.running.behind.refusals().0;
    assert_eq!(refusals["altered"]["VR-000002"]["reason"], "G308");
    assert_eq!(refusals["altered"].len(), 1);
}

#[tokio::test]
async fn answers_that_do_not_fit_are_refused() {
    let town = with_questionnaire().await;
    let bad = [
        answers(&[], false),
        answers(&[("Q-1", "たぶん")], false),
        answers(&[("Q-1", "はい"), ("Q-1", "はい")], false),
        answers(&[("Q-1", "はい"), ("Q-9", "はい")], false),
        answers(&[("Q-1", "はい"), ("Q-3", "はい")], false),
        answers(&[("Q-1", "はい")], true),
    ];
    for entry in bad {
        assert_eq!(town.enter("1", entry.clone()), Err(OTHER_ANSWERS), "{entry:?}");
    }
    let good = || answers(&[("Q-1", "はい")], false);
    let other = Entered::Answers { plan: "PL-2".to_owned(), answers: Vec::new(), by_doctor: false };
    assert_eq!(town.enter("1", other), Err(NO_QUESTIONNAIRE));
    assert_eq!(town.enter("1", Entered::Withdrawal), Err(NO_RECORD));
    let closed = [
        ("availableUntil", json!("2026-01-01"), NOT_NOW),
        ("forcedExpirationDate", json!("2026-01-01"), NOT_NOW),
        ("availableFrom", json!("9999-01-01"), NOT_NOW),
        ("isVaccinationProhibited", json!(true), NOT_NOW),
    ];
    for (number, (name, value, code)) in (2..).zip(closed) {
        town.registered(PLANS, name, changed(plan(number), name, value)).await;
        assert_eq!(town.enter("1", good()), Err(code), "{name}");
    }
    let gone = changed(changed(plan(9), "isDeleted", "1".into()), "modificationSeg", "2".into());
    town.registered(PLANS, "gone", gone).await;
    assert_eq!(town.enter("1", good()), Err(NO_QUESTIONNAIRE));
    let late = town.registered(PLANS, "late", plan(8)).await;
    assert_eq!(late["errorCode"], "E0305");
    assert_eq!(town.violations(), ["an older state after a newer one"]);
    assert!(town.downloads("/vaccination/questionnaire-answers", 0).await.is_empty());
}

#[tokio::test]
async fn a_questionnaire_needs_its_person_and_its_form() {
    let town = town(insured()).await;
    assert_eq!(town.registered(PLANS, "p1", plan(1)).await["errorCode"], "E0303");
    town.registered(SUBJECTS, "s1", subject(1)).await;
    assert_eq!(town.registered(PLANS, "p2", plan(1)).await["errorCode"], "E0304");
    for (name, value) in [
        ("questions", json!([])),
        ("questions", Value::Null),
        ("modificationSeg", json!("2")),
        ("more", json!(1)),
    ] {
        let answer = town.pmh(TEMPLATES, "t", &changed(template(1), name, value)).await;
        assert_eq!(answer.0, 400, "{name}");
    }
    assert_eq!(town.violations().len(), 4);
    assert_eq!(town.pmh(TEMPLATES, "t1", &template(1)).await.1, json!({"templateKey": "QT-1"}));
    assert_eq!(town.registered(PLANS, "p3", plan(1)).await["status"], "registered");
}

#[tokio::test]
async fn a_notice_is_shown_until_it_is_taken_back_once() {
    let town = linked(insured()).await;
    let notice = json!({"pmhPseudonym": "P1", "noticeKey": "N1", "title": "t", "message": "m"});
    assert_eq!(town.pmh("/vaccination/notices", "n", &notice).await.0, 201);
    assert_eq!(town.running.behind.view(CARD).unwrap()["notices"]["N1"]["title"], "t");
    let cancel = |key: &str, notice: &str| json!({"noticeKey": notice, "cancelKey": key});
    let path = "/vaccination/notice-cancellations";
    assert_eq!(town.pmh(path, "c", &cancel("C0", "N2")).await.1["code"], "E0306");
    for _ in 0..2 {
        let answer = town.pmh(path, "c", &cancel("C1", "N1")).await;
        assert_eq!(answer, (201, json!({"noticeKey": "N1"})));
    }
    assert_eq!(town.running.behind.view(CARD).unwrap()["notices"], json!({}));
    assert_eq!(town.pmh(path, "c", &cancel("C2", "N1")).await.1["code"], "E0306");
    assert_eq!((town.effects(), town.violations()), (3, vec![]));
}

#[tokio::test]
async fn nothing_is_shown_of_whom_nothing_may_be_shown() {
    let town = with_questionnaire().await;
    let flag = |revision: u32, flag: &str, set: bool| {
        json!({"myNumber": NUMBER, "municipalityIdentityKey": PERSON,
            "controlKey": format!("CF-{flag}"), "historyNumber": revision, "controlFlag": flag,
            "isSet": set})
    };
    for code in ["1", "2"] {
        assert_eq!(town.pmh(FLAGS, "f", &flag(1, code, true)).await.0, 201);
        assert_eq!(town.running.behind.view(CARD), Err(NOT_SHOWN));
        assert_eq!(town.enter("1", dose()), Err(NOT_SHOWN));
        assert_eq!(town.pmh(FLAGS, "f", &flag(2, code, false)).await.0, 201);
        assert!(town.running.behind.view(CARD).is_ok());
    }
    assert_eq!(town.pmh(FLAGS, "f", &flag(1, "3", true)).await.0, 201);
    assert!(town.running.behind.view(CARD).is_ok(), "リカバリー withholds nothing");
    let stranger = changed(flag(1, "1", true), "municipalityIdentityKey", json!(others().1));
    let stranger = changed(stranger, "controlKey", json!("CF-9"));
    assert_eq!(town.pmh(FLAGS, "f", &stranger).await.1["code"], "E0303");
    town.registered(SUBJECTS, "s2", changed(subject(2), "isNotDisclosed", true.into())).await;
    assert_eq!(town.running.behind.view(CARD), Err(NOT_SHOWN));
}

#[tokio::test]
async fn a_my_number_in_what_would_be_shown_is_a_leak_and_is_not_shown() {
    let town = with_questionnaire().await;
    let record = json!({"modificationSeg": "1", "myNumber": NUMBER,
        "municipalityIdentityKey": PERSON, "vaccinationRecordId": "V1", "historyNumber": 1,
        "isDeleted": "0", "vaccinationDate": "2026-06-02", "vaccineCode": "010", "doseNumber": 1,
        "specialCircumstances": format!("{NUMBER}の件")});
    town.registered(RECORDS, "r1", record).await;
    assert_eq!(town.running.behind.view(CARD), Err(LEAK));
    assert_eq!(town.enter("1", dose()), Err(LEAK));
    let leaks = town.running.ledger.evidence().violations;
    assert!(leaks.len() == 2 && leaks.iter().all(|one| one.leak), "{leaks:?}");
    assert!(town.downloads("/vaccination/records", 0).await.is_empty());
}
