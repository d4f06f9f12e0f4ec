//! What PMH takes one by one: ひな形 of 予診票 and of notices, and 制御フラグ, each with its full state; and
//! notices, and that they are taken back.

use crate::counterparts::json::Check;
use crate::counterparts::ledger::Applied;
use crate::counterparts::pmh_items::{Content, NoticeBody, Number};
use crate::counterparts::xml::Form;
use crate::numbers::{is_atena_number, is_my_number};
use crate::random::hash;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A document that is judged at once.
pub trait Single: DeserializeOwned {
    /// Checks every field.
    fn check(&self, check: &mut Check);
    /// What it does.
    fn applied(self) -> Applied;
    /// The answer when it is done.
    fn done(applied: &Applied) -> Value;
}

impl Single for NoticeBody {
    fn check(&self, check: &mut Check) {
        NoticeBody::check(self, check);
    }

    fn applied(self) -> Applied {
        NoticeBody::applied(self)
    }

    fn done(applied: &Applied) -> Value {
        let key = format!("notice:{}", applied.key);
        json!({"noticeId": format!("N{:016x}", hash(key.as_bytes()))})
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Choice {
    code: String,
    label: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Question {
    item_id: String,
    display_order: u16,
    question: String,
    answer_type: String,
    choices: Option<Vec<Choice>>,
    is_required: bool,
    answered_by: String,
}

/// ひな形 of a 予診票; without questions when it is deleted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuestionnaireTemplate {
    modification_seg: String,
    template_key: String,
    history_number: Number,
    vaccine_code: String,
    title: String,
    questions: Option<Vec<Question>>,
    valid_from: Option<String>,
    valid_until: Option<String>,
}

impl Single for QuestionnaireTemplate {
    fn check(&self, check: &mut Check) {
        check.form("modificationSeg", &self.modification_seg, Form::OneOf(&["1", "2"]));
        check.form("templateKey", &self.template_key, Form::Identifier(40));
        check.that("historyNumber", self.history_number.good());
        check.form("vaccineCode", &self.vaccine_code, Form::Identifier(20));
        check.form("title", &self.title, Form::Text(100));
        check.optional("validFrom", self.valid_from.as_ref(), Form::Date);
        check.optional("validUntil", self.valid_until.as_ref(), Form::Date);
        let questions = self.questions.as_deref().unwrap_or_default();
        check.that("questions", questions.is_empty() == (self.modification_seg == "2"));
        let ids: BTreeSet<&str> = questions.iter().map(|one| one.item_id.as_str()).collect();
        check.that("questions.itemId", ids.len() == questions.len());
        let orders: BTreeSet<u16> = questions.iter().map(|one| one.display_order).collect();
        check.that("questions.displayOrder", orders.len() == questions.len());
        for one in questions {
            check.form("itemId", &one.item_id, Form::Identifier(40));
            check.that("displayOrder", (1..=999).contains(&one.display_order));
            check.that("question", Form::Text(500).fits(&one.question) && !is_broken(one));
            check.form("answerType", &one.answer_type, Form::OneOf(&["1", "2", "3", "4", "5"]));
            check.form("answeredBy", &one.answered_by, Form::OneOf(&["1", "2"]));
            let choices = one.choices.as_deref().unwrap_or_default();
            check.that("choices", (one.answer_type == "5") != choices.is_empty());
            for choice in choices {
                check.form("choices.code", &choice.code, Form::Identifier(20));
                check.form("choices.label", &choice.label, Form::Text(100));
            }
        }
    }

    fn applied(self) -> Applied {
        let mut content = Content::default();
        content.put("operation", &self.modification_seg);
        content.put("vaccine", &self.vaccine_code);
        content.put("title", &self.title);
        let mut questions = self.questions.unwrap_or_default();
        questions.sort_by_key(|one| one.display_order);
        let line = |one: &Question| {
            let required = if one.is_required { "1" } else { "0" };
            let Question { item_id, answer_type, answered_by, question, .. } = one;
            format!("{item_id}/{answer_type}/{required}/{answered_by}/{question}")
        };
        content.put("questions", &questions.iter().map(line).collect::<Vec<_>>().join("\n"));
        content.maybe("from", self.valid_from);
        content.maybe("until", self.valid_until);
        let key = format!("{}/{}", self.template_key, self.history_number.text());
        let person = String::new();
        Applied { operation: "questionnaire-template", key, person, content: content.0 }
    }

    fn done(applied: &Applied) -> Value {
        json!({"templateKey": applied.key.split('/').next()})
    }
}

/// A question is one line.
fn is_broken(question: &Question) -> bool {
    question.question.contains(['\n', '\r'])
}

/// ひな形 of a notice.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NoticeTemplate {
    modification_seg: String,
    template_key: String,
    history_number: Number,
    notice_type: String,
    title: String,
    message: String,
    valid_from: Option<String>,
    valid_until: Option<String>,
}

impl Single for NoticeTemplate {
    fn check(&self, check: &mut Check) {
        check.form("modificationSeg", &self.modification_seg, Form::OneOf(&["1", "2"]));
        check.form("templateKey", &self.template_key, Form::Identifier(40));
        check.that("historyNumber", self.history_number.good());
        check.form("noticeType", &self.notice_type, Form::OneOf(&["1", "2", "3", "9"]));
        check.form("title", &self.title, Form::Text(100));
        check.form("message", &self.message, Form::Text(2_000));
        check.optional("validFrom", self.valid_from.as_ref(), Form::Date);
        check.optional("validUntil", self.valid_until.as_ref(), Form::Date);
    }

    fn applied(self) -> Applied {
        let mut content = Content::default();
        content.put("operation", &self.modification_seg);
        content.put("type", &self.notice_type);
        content.put("title", &self.title);
        content.put("text", &self.message);
        content.maybe("from", self.valid_from);
        content.maybe("until", self.valid_until);
        let key = format!("{}/{}", self.template_key, self.history_number.text());
        let person = String::new();
        Applied { operation: "notice-template", key, person, content: content.0 }
    }

    fn done(applied: &Applied) -> Value {
        QuestionnaireTemplate::done(applied)
    }
}

/// A 制御フラグ of a person, set or cleared.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Control {
    my_number: String,
    municipality_identity_key: String,
    control_key: String,
    history_number: Number,
    control_flag: String,
    is_set: bool,
    from: Option<String>,
    until: Option<String>,
}

impl Single for Control {
    fn check(&self, check: &mut Check) {
        check.that("myNumber", is_my_number(&self.my_number));
        let key = &self.municipality_identity_key;
        check.that("municipalityIdentityKey", is_atena_number(key));
        check.form("controlKey", &self.control_key, Form::Identifier(40));
        check.that("historyNumber", self.history_number.good());
        check.form("controlFlag", &self.control_flag, Form::OneOf(&["1", "2", "3"]));
        check.optional("from", self.from.as_ref(), Form::Date);
        check.optional("until", self.until.as_ref(), Form::Date);
    }

    fn applied(self) -> Applied {
        let mut content = Content::default();
        content.put("my_number", &self.my_number);
        content.put("flag", &self.control_flag);
        content.put("set", if self.is_set { "1" } else { "0" });
        content.maybe("from", self.from);
        content.maybe("until", self.until);
        let key = format!("{}/{}", self.control_key, self.history_number.text());
        let person = self.municipality_identity_key;
        Applied { operation: "control", key, person, content: content.0 }
    }

    fn done(applied: &Applied) -> Value {
        json!({"controlKey": applied.key.split('/').next()})
    }
}

/// That a notice is taken back; it names nobody.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NoticeCancel {
    notice_key: String,
    cancel_key: String,
}

impl Single for NoticeCancel {
    fn check(&self, check: &mut Check) {
        check.form("noticeKey", &self.notice_key, Form::Identifier(40));
        check.form("cancelKey", &self.cancel_key, Form::Identifier(40));
    }

    fn applied(self) -> Applied {
        let mut content = Content::default();
        content.put("notice", &self.notice_key);
        let (key, person) = (self.cancel_key, String::new());
        Applied { operation: "notice-cancel", key, person, content: content.0 }
    }

    fn done(applied: &Applied) -> Value {
        json!({"noticeKey": applied.content.get("notice")})
    }
}
