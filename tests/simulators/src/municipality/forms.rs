//! ひな形, 予診票, 制御フラグ and notices of マイナポータル as messages, with what must come of them.

use crate::counterparts::{MYNAPORTAL, PMH};
use crate::municipality::people::Person;
use crate::municipality::{Expected, Fate, MUNICIPALITY, Message};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A question: 項目ID, how it is answered (ours and PMH's word), whether it must be, by whom, its text.
pub struct Question {
    /// 項目ID.
    pub id: &'static str,
    kind: (&'static str, &'static str),
    /// 必須.
    pub is_required: bool,
    /// Whether the doctor answers it.
    pub by_doctor: bool,
    text: &'static str,
    /// The revision of the ひな形 from which on it is asked.
    pub since: usize,
}

const YES_NO: (&str, &str) = ("yes-no", "1");
const TEXT: (&str, &str) = ("text", "2");

/// What the ひな形 of this municipality ask.
pub const QUESTIONS: [Question; 4] = [
    Question {
        id: "Q-01",
        kind: YES_NO,
        is_required: true,
        by_doctor: false,
        text: "今日、体に具合の悪いところがありますか",
        since: 1,
    },
    Question {
        id: "Q-02",
        kind: TEXT,
        is_required: false,
        by_doctor: false,
        text: "具合の悪い症状を書いてください",
        since: 1,
    },
    Question {
        id: "Q-03",
        kind: YES_NO,
        is_required: true,
        by_doctor: false,
        text: "１か月以内に予防接種を受けましたか",
        since: 2,
    },
    Question {
        id: "Q-90",
        kind: YES_NO,
        is_required: true,
        by_doctor: true,
        text: "今日の予防接種は可能ですか",
        since: 1,
    },
];

fn message(
    message_type: &'static str,
    lane: &str,
    body: Value,
    operator: &str,
    expected: Expected,
) -> Message {
    Message {
        id: String::new(),
        message_type,
        lane: lane.to_owned(),
        operator: operator.to_owned(),
        body,
        expects: vec![expected],
        answer: None,
    }
}

fn at_pmh(
    operation: &'static str,
    key: String,
    person: &str,
    content: BTreeMap<&'static str, String>,
) -> Expected {
    let (person, fate) = (person.to_owned(), Fate::Delivered);
    Expected { counterpart: PMH, operation, key, person, content, fate }
}

/// The ひな形 of a 予診票, first or changed.
pub fn questionnaire_template(id: &str, title: &str, vaccine: &str, revision: usize) -> Message {
    let asked: Vec<&Question> = QUESTIONS.iter().filter(|one| one.since <= revision).collect();
    let item = |(order, one): (usize, &&Question)| {
        json!({"itemId": one.id, "order": order + 1, "question": one.text,
            "answerKind": one.kind.0, "isRequired": one.is_required,
            "answeredBy": if one.by_doctor { "doctor" } else { "resident" }})
    };
    let items: Vec<Value> = asked.iter().enumerate().map(item).collect();
    let line = |one: &&Question| {
        let (required, by) =
            (if one.is_required { "1" } else { "0" }, if one.by_doctor { "2" } else { "1" });
        format!("{}/{}/{required}/{by}/{}", one.id, one.kind.1, one.text)
    };
    let content = BTreeMap::from([
        ("operation", "1".to_owned()),
        ("vaccine", vaccine.to_owned()),
        ("title", title.to_owned()),
        ("questions", asked.iter().map(line).collect::<Vec<_>>().join("\n")),
        ("from", "2026-07-01".to_owned()),
    ]);
    let (event, message_type) = match revision {
        1 => ("registered", "questionnaire.template.registered"),
        _ => ("changed", "questionnaire.template.changed"),
    };
    let body = json!({"municipalityCode": MUNICIPALITY, "event": event, "templateId": id,
        "revision": revision, "vaccineCode": vaccine, "title": title, "items": items,
        "validFrom": "2026-07-01"});
    let expected = at_pmh("questionnaire-template", format!("{id}/{revision}"), "", content);
    message(message_type, id, body, "yobo-05", expected)
}

/// 通知文言, first or changed.
pub fn notice_template(id: &str, title: &str, text: &str, revision: usize) -> Message {
    let (event, message_type) = match revision {
        1 => ("registered", "notice.template.registered"),
        _ => ("changed", "notice.template.changed"),
    };
    let body = json!({"municipalityCode": MUNICIPALITY, "event": event, "templateId": id,
        "revision": revision, "kind": "recommendation", "title": title, "body": text});
    let content = BTreeMap::from([
        ("operation", "1".to_owned()),
        ("type", "1".to_owned()),
        ("title", title.to_owned()),
        ("text", text.to_owned()),
    ]);
    let expected = at_pmh("notice-template", format!("{id}/{revision}"), "", content);
    message(message_type, id, body, "yobo-05", expected)
}

/// A 予診票 of one person.
#[derive(Clone, Debug)]
pub struct Planned {
    /// 予防接種予定ID.
    pub plan: String,
    /// 管理ID of its ひな形.
    pub template: &'static str,
    /// 予防接種の種類.
    pub vaccine: &'static str,
    /// 入力開始日.
    pub from: String,
    /// 入力終了日.
    pub until: String,
    /// 勧奨: its rule.
    pub rule: &'static str,
}

/// `registered`, `changed` or `withdrawn` of a 予診票.
pub fn questionnaire(person: &Person, planned: &Planned, event: &str, revision: usize) -> Message {
    let Planned { plan, template, vaccine, from, until, rule } = planned;
    let mut somebody =
        json!({"atenaNumber": person.atena_number, "isNotDisclosed": person.not_disclosed});
    if let (Some(mine), Some(map)) = (&person.my_number, somebody.as_object_mut()) {
        map.insert("individualNumber".to_owned(), json!(mine));
    }
    let recommendation = format!("RC-{plan}");
    let body = json!({"municipalityCode": MUNICIPALITY, "event": event, "planId": plan,
        "revision": revision, "person": somebody, "templateId": template,
        "vaccineCode": vaccine, "doseNumber": 1, "availableFrom": from,
        "availableUntil": until, "isProhibited": false,
        "recommendation": {"recommendationId": recommendation, "ruleId": rule, "date": from}});
    let mut content = BTreeMap::from([
        ("deleted", if event == "withdrawn" { "1" } else { "0" }.to_owned()),
        ("template", (*template).to_owned()),
        ("vaccine", (*vaccine).to_owned()),
        ("dose", "1".to_owned()),
        ("prohibited", "0".to_owned()),
        ("recommendation", recommendation),
        ("rule", (*rule).to_owned()),
        ("recommended", from.clone()),
        ("from", from.clone()),
        ("until", until.clone()),
    ]);
    content.extend(person.my_number.iter().map(|mine| ("my_number", mine.clone())));
    let key = format!("{plan}/{revision}");
    let mut expected = at_pmh("questionnaire", key, &person.atena_number, content);
    if person.my_number.is_none() {
        expected.fate = Fate::DeadHere;
    }
    let message_type = match event {
        "changed" => "questionnaire.changed",
        "withdrawn" => "questionnaire.withdrawn",
        _ => "questionnaire.registered",
    };
    message(message_type, &person.atena_number, body, "yobo-05", expected)
}

/// A 制御フラグ of somebody who has a 個人番号, set or cleared.
pub fn control(person: &Person, mine: &str, flag: &str, is_set: bool, revision: usize) -> Message {
    let code = match flag {
        "not-disclosed" => "1",
        "view-suspended" => "2",
        _ => "3",
    };
    let id = format!("CF-{:06}-{code}", person.index);
    let body = json!({"municipalityCode": MUNICIPALITY, "controlId": id, "revision": revision,
        "person": {"atenaNumber": person.atena_number, "individualNumber": mine},
        "flag": flag, "isSet": is_set});
    let content = BTreeMap::from([
        ("my_number", mine.to_owned()),
        ("flag", code.to_owned()),
        ("set", if is_set { "1" } else { "0" }.to_owned()),
    ]);
    let expected = at_pmh("control", format!("{id}/{revision}"), &person.atena_number, content);
    message("subject.control.changed", &person.atena_number, body, "yobo-06", expected)
}

/// A notice by PMH is taken back, which PMH may refuse because it never took it.
pub fn notice_cancel(person: &Person, notice: &str, number: usize, was_taken: bool) -> Message {
    let id = format!("NC-{number:06}");
    let body = json!({"municipalityCode": MUNICIPALITY, "cancelId": id, "noticeId": notice,
        "person": {"atenaNumber": person.atena_number}, "channel": "pmh"});
    let mut expected =
        at_pmh("notice-cancel", id, "", BTreeMap::from([("notice", notice.to_owned())]));
    if !was_taken {
        expected.fate = Fate::RefusedThere;
    }
    message("notice.cancel.requested", &person.atena_number, body, "yobo-02", expected)
}

/// A notice to マイナポータル itself: its id is that of the message; nothing but the 仮名識別子 names anybody.
pub fn portal_notice(id: String, pseudonym: &str, day: &str, until: &str) -> Message {
    let title = "予防接種のお知らせ";
    let text = "予診票の入力期間が始まりました。\n＜見本＞＆問合せ先：健康課";
    let body = json!({"municipalityCode": MUNICIPALITY, "noticeId": id, "pseudonym": pseudonym,
        "title": title, "body": text, "language": "ja", "showFrom": day, "showUntil": until});
    let content = BTreeMap::from([
        ("title", title.to_owned()),
        ("text", text.to_owned()),
        ("from", day.to_owned()),
        ("until", until.to_owned()),
    ]);
    let expected = Expected {
        counterpart: MYNAPORTAL,
        operation: "portal-notice",
        key: id.clone(),
        person: pseudonym.to_owned(),
        content,
        fate: Fate::Delivered,
    };
    Message { id, ..message("notice.portal.requested", pseudonym, body, "yobo-05", expected) }
}
