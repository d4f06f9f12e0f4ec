//! The synthetic municipality: people, what happens to them in a year, and the messages the
//! health system posts about it. Everything follows from the seed; nobody in it exists.

use crate::counterparts::times::Times;
use crate::counterparts::{Application, Knowledge};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub mod applications;
pub mod draft;
pub mod forms;
pub mod names;
pub mod people;
pub mod year;

use people::Person;

/// 団体コード of the synthetic municipality.
pub const MUNICIPALITY: &str = "131237";

/// What is to be generated.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// Residents; about eight doses each.
    pub residents: usize,
    /// Notices, half through PMH, half through お知らせ.
    pub notices: usize,
    /// 情報照会.
    pub inquiries: usize,
    /// Electronic applications waiting at the intake.
    pub applications: usize,
}

/// How one message must end at one counterpart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Applied exactly once.
    Delivered,
    /// Refused by the counterpart for good: a dead letter, no effect.
    RefusedThere,
    /// Ends in the gateway (a check, a policy, a mapping's `reject`): a dead letter, no effect.
    DeadHere,
}

/// One effect a message must have, or must not have.
#[derive(Clone, Debug, Serialize)]
pub struct Expected {
    /// Counterpart name.
    pub counterpart: &'static str,
    /// Operation in the ledger's words.
    pub operation: &'static str,
    /// Business key.
    pub key: String,
    /// Whom it is done to, as that counterpart names the person.
    pub person: String,
    /// Fields the effect must show, worked out here from the facts, not from a mapping.
    pub content: BTreeMap<&'static str, String>,
    /// How it must end.
    pub fate: Fate,
}

/// One message the health system posts.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// Message id.
    pub id: String,
    /// Type.
    pub message_type: &'static str,
    /// Ordering key: messages of one lane must take effect in the order of posting.
    pub lane: String,
    /// Who at the health system did it.
    pub operator: String,
    /// Body.
    pub body: Value,
    /// What must come of it; empty for a message that must end in the gateway as a whole.
    pub expects: Vec<Expected>,
    /// The answer that must come back: its status.
    pub answer: Option<&'static str>,
}

impl Message {
    /// Whether it is a state of a 対象者, which goes to everybody who keeps them.
    pub fn is_subject(&self) -> bool {
        self.expects.iter().any(|expected| expected.operation == "subject")
    }
}

/// A generated municipality with its year of messages.
#[derive(Clone, Debug)]
pub struct Municipality {
    /// Residents.
    pub people: Vec<Person>,
    /// Messages in the order of posting.
    pub messages: Vec<Message>,
    /// Applications waiting at the intake.
    pub applications: Vec<Application>,
    /// What the counterparts must know beforehand.
    pub knowledge: Knowledge,
}

impl Municipality {
    /// Generates all of it.
    pub fn generate(plan: Plan) -> Self {
        let people = people::generate(plan.seed, plan.residents);
        let applications = applications::generate(plan, &people);
        let year = year::generate(plan, &people);
        let known_people: BTreeSet<String> =
            people.iter().filter(|p| !p.stranger).map(|p| p.atena_number.clone()).collect();
        let knowledge = Knowledge {
            known_people,
            my_numbers: people.iter().filter_map(|p| p.my_number.clone()).collect(),
            refused: year.refused,
            unavailable: year.unavailable,
            by_item: BTreeSet::new(),
            resumes_at: None,
            applications: applications.clone(),
            insured: BTreeMap::new(),
            altered: BTreeSet::new(),
            portal_events: Vec::new(),
            residents: Vec::new(),
            times: Times::default(),
        };
        Municipality { people, messages: year.messages, applications, knowledge }
    }

    /// 受付番号 of the applications that are spoilt.
    pub fn spoilt(&self) -> Vec<String> {
        let waiting = self.knowledge.applications.iter();
        let spoilt = waiting.filter(|one| one.spoilt.is_some());
        spoilt.map(|one| one.reception_number.clone()).collect()
    }

    /// The same with applications that are spoilt waiting behind the others, where any wait.
    #[must_use]
    pub fn with_spoilt(mut self, plan: Plan) -> Self {
        if plan.applications > 0 {
            self.knowledge.applications.extend(applications::spoilt(plan, &self.people));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::{is_atena_number, is_my_number};

    fn plan(seed: u64) -> Plan {
        Plan { seed, residents: 300, notices: 40, inquiries: 20, applications: 10 }
    }

    #[test]
    fn the_same_seed_gives_the_same_municipality_and_another_another() {
        let text =
            |seed| serde_json::to_string(&Municipality::generate(plan(seed)).messages).unwrap();
        assert_eq!(text(7), text(7));
        assert_ne!(text(7), text(8));
    }

    #[test]
    fn numbers_have_valid_check_digits_and_are_unique() {
        let people = Municipality::generate(plan(7)).people;
        assert_eq!(people.len(), 300);
        let mut seen = BTreeSet::new();
        for person in &people {
            assert!(is_atena_number(&person.atena_number));
            assert!(seen.insert(person.atena_number.clone()));
            if let Some(number) = &person.my_number {
                assert!(is_my_number(number));
                assert!(seen.insert(number.clone()));
            }
        }
    }

    #[test]
    fn about_eight_doses_each_and_all_kinds_of_messages() {
        let messages = Municipality::generate(plan(7)).messages;
        let count = |kind: &str| messages.iter().filter(|m| m.message_type == kind).count();
        let doses = count("vaccination.record.registered");
        assert!((2_100..2_700).contains(&doses), "{doses}");
        assert_eq!(count("notice.requested"), 40);
        assert_eq!(count("inquiry.requested"), 20);
        for kind in [
            "subject.registered",
            "subject.changed",
            "subject.removed",
            "vaccination.record.corrected",
            "vaccination.record.withdrawn",
        ] {
            assert!(count(kind) > 0, "{kind}");
        }
    }

    #[test]
    fn the_characters_that_hurt_are_there() {
        let messages = Municipality::generate(plan(7)).messages;
        let text = serde_json::to_string(&messages).unwrap();
        for character in ["髙", "﨑", "𠮷", "\u{FA19}", "ヴ", "カ\u{309A}", "①"] {
            assert!(text.contains(character), "{character}");
        }
    }

    #[test]
    fn ids_are_unique_and_no_id_looks_like_a_my_number() {
        let messages = Municipality::generate(plan(7)).messages;
        let ids: BTreeSet<_> = messages.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(ids.len(), messages.len());
        assert!(
            !ids.iter()
                .any(|id| crate::numbers::contains_my_number(id.as_bytes(), &BTreeSet::new()))
        );
        // One 個人番号 per body at most, and none in notices and inquiries.
        for message in messages.iter().filter(|m| !m.body.to_string().contains("individualNumber"))
        {
            let text = message.body.to_string();
            assert!(
                !crate::numbers::contains_my_number(text.as_bytes(), &BTreeSet::new()),
                "{}",
                message.id
            );
        }
    }

    #[test]
    fn revisions_of_one_record_are_posted_in_their_order() {
        let messages = Municipality::generate(plan(7)).messages;
        let mut newest: BTreeMap<String, u64> = BTreeMap::new();
        for message in &messages {
            let body = &message.body;
            let id = body["recordId"].as_str().or(body["subjectId"].as_str());
            let (Some(id), Some(revision)) = (id, body["revision"].as_u64()) else { continue };
            let before = newest.insert(id.to_owned(), revision).unwrap_or(0);
            assert!(revision > before, "{id}");
        }
    }
}
