//! Residents through マイナポータル and clinics through 医療機関用アプリ (25, 26): what they see, and what
//! they enter. They are known by the シリアル番号 of a card and by the PMH仮名識別子 alone; PMH joins what
//! they entered with the 個人番号 it was sent, and hands it to the municipality.

use crate::counterparts::behind_pmh::{Behind, Registered, State, Subject, set};
use crate::counterparts::times::{day, written};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The card belongs to nobody whom PMH knows.
pub const NOBODY: &str = "E4001";
/// No such 予診票 of this person, or not any more.
pub const NO_QUESTIONNAIRE: &str = "E4002";
/// Not within the time in which it is answered, or 接種不可.
pub const NOT_NOW: &str = "E4003";
/// The answers are not those of its ひな形.
pub const OTHER_ANSWERS: &str = "E4004";
/// 閲覧停止 or 不開示.
pub const NOT_SHOWN: &str = "E4006";
/// No such record of this person.
pub const NO_RECORD: &str = "E4007";
/// A 個人番号 would have been shown.
pub const LEAK: &str = "E4009";

/// Something a resident or a clinic enters.
#[derive(Clone, Debug)]
pub struct Entry {
    /// シリアル番号 of the card that was shown.
    pub card: String,
    /// Number of the entry at whoever makes it: 回答ID and 予防接種記録ID follow from it.
    pub number: String,
    /// What.
    pub what: Entered,
}

/// What is entered.
#[derive(Clone, Debug)]
pub enum Entered {
    /// Answers to a 予診票: before by the resident, at the clinic by the doctor.
    Answers {
        /// 予防接種予定ID.
        plan: String,
        /// 項目ID and 回答内容.
        answers: Vec<(String, String)>,
        /// Whether a doctor confirms them, with answers of their own.
        by_doctor: bool,
    },
    /// A dose, with the keys and values of the downloaded document.
    Record(Box<Value>),
    /// A dose was entered by mistake.
    Withdrawal,
}

/// One question of a ひな形.
struct Question<'a> {
    id: &'a str,
    kind: &'a str,
    is_required: bool,
    by_doctor: bool,
}

/// Questions as they stand in the ledger: `項目ID/回答形式/必須/回答者/質問`, one a line.
fn questions(template: &Registered) -> Vec<Question<'_>> {
    fn question(line: &str) -> Option<Question<'_>> {
        let mut parts = line.splitn(5, '/');
        Some(Question {
            id: parts.next()?,
            kind: parts.next()?,
            is_required: parts.next()? == "1",
            by_doctor: parts.next()? == "2",
        })
    }
    template.text("questions").lines().filter_map(question).collect()
}

impl Behind {
    /// What is shown to whoever has this card: records, 予診票 with their questions, notices.
    ///
    /// # Errors
    /// The code with which it is refused.
    pub fn view(&self, card: &str) -> Result<Value, &'static str> {
        self.advance();
        let state = self.state();
        let (pmh_pseudonym, person, _) = admitted(&state, card)?;
        let shown = shown(&state, pmh_pseudonym, person);
        if !self.hands_over("view", &shown) {
            return Err(LEAK);
        }
        Ok(shown)
    }

    /// Enters something; it waits for the municipality from now on.
    ///
    /// # Errors
    /// The code with which it is refused.
    pub fn enter(&self, entry: &Entry) -> Result<(), &'static str> {
        // The form is shown before it is filled in.
        self.view(&entry.card)?;
        let mut state = self.state();
        let (_, person, subject) = admitted(&state, &entry.card)?;
        let (person, mine) = (person.to_owned(), subject.my_number.clone());
        let now = crate::clock::now_ms();
        let (series, mut document) = match &entry.what {
            Entered::Answers { plan, answers, by_doctor } => {
                let document = answer(&state, &person, plan, answers, *by_doctor, now)?;
                ("QA-", document)
            }
            Entered::Record(dose) => {
                let plan = dose.get("vaccinationPlanId").and_then(Value::as_str);
                if let Some(plan) = plan {
                    planned(&state, &person, plan)?;
                }
                ("VR-", (**dose).clone())
            }
            Entered::Withdrawal => ("VR-", Value::Null),
        };
        let id = match series {
            "QA-" => format!("AN-{}", entry.number),
            _ => format!("PR-{}", entry.number),
        };
        if series == "VR-" {
            record(&mut state, &person, &id, &mut document)?;
        } else {
            set(&mut document, "answerId", json!(id));
            set(&mut document, "answeredAt", json!(written(now)));
        }
        set(&mut document, "myNumber", json!(self.number_of(&id, &mine)));
        set(&mut document, "municipalityIdentityKey", json!(person));
        state.put(series, now, document);
        Ok(())
    }
}

impl Behind {
    /// The 個人番号 under which an entry is handed out: its own, or by a mistake another one.
    fn number_of<'a>(&'a self, id: &str, mine: &'a str) -> &'a str {
        let mut others = self.knowledge.insured.keys().filter(|one| *one != mine);
        match self.knowledge.altered.contains(id) {
            true => others.next().map_or(mine, String::as_str),
            false => mine,
        }
    }
}

/// PMH仮名識別子, 宛名番号 and subject of a card, when they may be shown anything.
fn admitted<'a>(
    state: &'a State,
    card: &str,
) -> Result<(&'a str, &'a str, &'a Subject), &'static str> {
    let pmh_pseudonym = state.portal.by_card(card).ok_or(NOBODY)?;
    let (person, subject) = state.behind(pmh_pseudonym).ok_or(NOBODY)?;
    let withheld = subject.flags.contains("1") || subject.flags.contains("2");
    if subject.is_hidden || withheld {
        return Err(NOT_SHOWN);
    }
    Ok((pmh_pseudonym, person, subject))
}

fn shown(state: &State, pmh_pseudonym: &str, person: &str) -> Value {
    let of = |kind: &str, whose: &str| -> BTreeMap<String, Value> {
        let all = state.registered.iter();
        let mine = all.filter(|((one, id), thing)| {
            let gone = thing.is_deleted() || (kind == "notice" && state.cancelled.contains(id));
            *one == kind && thing.person == whose && !gone
        });
        let visible = mine.map(|((_, id), thing)| {
            // PMH takes out what a person is joined by; all else of it is shown.
            let fields = thing.content.iter().filter(|(name, _)| *name != "my_number");
            (id.clone(), json!(fields.collect::<BTreeMap<_, _>>()))
        });
        visible.collect()
    };
    let plans = of("questionnaire", person);
    let templates: BTreeMap<&str, &str> = state
        .registered
        .iter()
        .filter(|((kind, _), thing)| *kind == "questionnaire-template" && !thing.is_deleted())
        .map(|((_, id), thing)| (id.as_str(), thing.text("questions")))
        .collect();
    json!({"records": of("record", person), "questionnaires": plans, "templates": templates,
        "notices": of("notice", pmh_pseudonym)})
}

/// The 予診票 of a person.
fn planned<'a>(state: &'a State, person: &str, plan: &str) -> Result<&'a Registered, &'static str> {
    let planned = state.newest("questionnaire", plan);
    planned.filter(|one| one.person == person && !one.is_deleted()).ok_or(NO_QUESTIONNAIRE)
}

fn answer(
    state: &State,
    person: &str,
    plan: &str,
    answers: &[(String, String)],
    by_doctor: bool,
    now: i64,
) -> Result<Value, &'static str> {
    let planned = planned(state, person, plan)?;
    let today = day(now).to_string();
    let from = planned.text("from");
    let ends = [planned.text("until"), planned.text("expires")];
    let ended = ends.into_iter().any(|end| !end.is_empty() && end < today.as_str());
    if from > today.as_str() || ended || planned.text("prohibited") == "1" {
        return Err(NOT_NOW);
    }
    let key = planned.text("template");
    let template = state.newest("questionnaire-template", key).ok_or(NO_QUESTIONNAIRE)?;
    let questions = questions(template);
    let mut given = BTreeMap::new();
    for (item, content) in answers {
        let question = questions.iter().find(|one| one.id == item).ok_or(OTHER_ANSWERS)?;
        let fits = question.kind != "1" || ["はい", "いいえ"].contains(&content.as_str());
        let may = by_doctor || !question.by_doctor;
        if !fits || !may || given.insert(item.as_str(), content.as_str()).is_some() {
            return Err(OTHER_ANSWERS);
        }
    }
    let wanted = questions.iter().filter(|one| one.is_required && (by_doctor || !one.by_doctor));
    if wanted.into_iter().any(|one| !given.contains_key(one.id)) {
        return Err(OTHER_ANSWERS);
    }
    let answers: Vec<Value> =
        answers.iter().map(|(item, content)| json!({"itemId": item, "content": content})).collect();
    Ok(json!({"vaccinationPlanId": plan, "templateKey": key, "answers": answers,
        "answerStatus": if by_doctor { "2" } else { "1" },
        "isVaccinationProhibited": false}))
}

/// Completes a dose that was entered, or one that is withdrawn.
fn record(
    state: &mut State,
    person: &str,
    id: &str,
    document: &mut Value,
) -> Result<(), &'static str> {
    let before = state.entered.get(id).map(|(owner, history, dose)| {
        (owner == person).then(|| (*history, dose.clone())).ok_or(NO_RECORD)
    });
    let before = before.transpose()?;
    let (history, deleted) = match (&before, document.is_null()) {
        (None, true) => return Err(NO_RECORD),
        (Some((history, dose)), true) => {
            *document = dose.clone();
            (history + 1, "1")
        }
        (before, false) => (before.as_ref().map_or(1, |(history, _)| history + 1), "0"),
    };
    state.entered.insert(id.to_owned(), (person.to_owned(), history, document.clone()));
    set(document, "vaccinationRecordId", json!(id));
    set(document, "historyNumber", json!(history));
    set(document, "isDeleted", json!(deleted));
    Ok(())
}
