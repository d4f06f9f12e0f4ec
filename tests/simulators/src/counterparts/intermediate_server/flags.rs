//! 自動応答不可 and 不開示該当 flags, for everything of a person or for one record.

use super::{IntermediateServer, Outcome, State, atena, number};
use crate::counterparts::INTERMEDIATE_SERVER;
use crate::counterparts::envelope::{refusal, success};
use crate::counterparts::ledger::{Applied, Cause};
use crate::counterparts::xml::{Fields, Form};
use std::collections::BTreeMap;

/// The newest state of one setting (FlagKey).
#[derive(Clone, Debug)]
pub(super) struct Flag {
    revision: u64,
    person: String,
    /// What is compared: flag, scope, record, setting, reason.
    pub(super) content: BTreeMap<String, String>,
}

/// Interface, flag and scope.
const KINDS: [(&str, &str, &str); 4] = [
    ("IF_DBM_40111", "no-automatic-answer", "record"),
    ("IF_DBM_50111", "no-automatic-answer", "person"),
    ("IF_DBM_70111", "not-disclosed", "record"),
    ("IF_DBM_80111", "not-disclosed", "person"),
];

/// Whether an interface sets a flag.
pub(super) fn is_flag(interface: &str) -> bool {
    KINDS.iter().any(|(name, ..)| *name == interface)
}

impl State {
    /// Whether a flag is set for a person as a whole, or for one of these records of theirs.
    pub(super) fn is_flagged<'a>(
        &self,
        flag: &str,
        person: &str,
        mut records: impl Iterator<Item = &'a str>,
    ) -> bool {
        let set = |record: Option<&str>| {
            self.flags.values().any(|one| {
                let is = |name: &str, value: &str| {
                    one.content.get(name).is_some_and(|held| held == value)
                };
                one.person == person
                    && is("flag", flag)
                    && is("setting", "1")
                    && one.content.get("record").map(String::as_str) == record
            })
        };
        set(None) || records.any(|record| set(Some(record)))
    }
}

impl IntermediateServer {
    pub(super) fn flag(&self, cause: &Cause, interface: &str, mut flag: Fields<'_>) -> Outcome {
        let (_, name, scope) =
            KINDS.into_iter().find(|(known, ..)| *known == interface).unwrap_or_default();
        let key = flag.text("FlagKey", Form::Identifier(40))?.to_owned();
        let revision = number(flag.text("Revision", Form::DigitsBetween(1, 9))?);
        let person = atena(flag.text("PersonNumber", Form::Digits(15))?)?;
        let information =
            flag.text("InformationCode", Form::OneOf(&["TM00000000000084"]))?.to_owned();
        let mut content = BTreeMap::from([
            ("flag".to_owned(), name.to_owned()),
            ("scope".to_owned(), scope.to_owned()),
        ]);
        if scope == "record" {
            let record = flag.text("RecordKey", Form::Identifier(40))?;
            content.insert("record".to_owned(), record.to_owned());
        }
        let setting = flag.text("Setting", Form::OneOf(&["0", "1"]))?;
        content.insert("setting".to_owned(), setting.to_owned());
        let reason = flag.text("Reason", Form::OneOf(&["1", "2", "9"]))?;
        content.insert("reason".to_owned(), reason.to_owned());
        flag.end()?;
        if !self.knows(&person) {
            return Ok(refusal(interface, "E0101"));
        }
        let mut state = self.state();
        let held = |record: &String| {
            state.copies.contains_key(&format!("{person}/{information}/{record}"))
        };
        if content.get("record").is_some_and(|record| !held(record)) {
            return Ok(refusal(interface, "E0404")
                .violating("a flag of a record whose copy was not registered before"));
        }
        match state.flags.get(&key) {
            Some(known) if known.revision > revision => {
                return Ok(refusal(interface, "E0301")
                    .violating("an older setting arrived after a newer one"));
            }
            Some(known) if known.revision == revision => {
                return Ok(match known.content == content && known.person == person {
                    true => success(interface, ""),
                    false => refusal(interface, "E0302")
                        .violating("the same setting arrived with other content"),
                });
            }
            _ => {}
        }
        let kept = Flag { revision, person: person.clone(), content: content.clone() };
        state.flags.insert(key.clone(), kept);
        let key = format!("{key}/{revision}");
        let applied = Applied { operation: "flag", key, person, content };
        self.ledger.apply(INTERMEDIATE_SERVER, cause, applied);
        Ok(success(interface, ""))
    }
}
