//! Which 副本 others may see of whom at which moment, by the generator's knowledge alone.

use super::pen::{Happening, What};
use crate::counterparts::times;
use crate::municipality::{Expected, Fate};
use std::collections::BTreeMap;

/// What a 副本 shows.
pub type Content = BTreeMap<&'static str, String>;

/// Everything that happens to copies, each person's in its order.
#[derive(Clone, Debug, Default)]
pub struct Copies {
    /// When, which record, and what is shown from then on; `None`: withdrawn.
    changes: BTreeMap<String, Vec<(i64, String, Option<Content>)>>,
    /// Last day on which anything of a person is shown.
    ended: BTreeMap<String, String>,
}

impl Copies {
    /// From what is posted.
    pub fn of(happenings: &[Happening]) -> Copies {
        let mut copies = Copies::default();
        let mut in_order: Vec<&Happening> = happenings.iter().collect();
        in_order.sort_by_key(|one| one.at);
        for happening in in_order {
            let What::Post(message) = &happening.what else { continue };
            let good = message.expects.iter().filter(|one| one.fate == Fate::Delivered);
            good.for_each(|expected| copies.take(happening.at, expected));
        }
        copies
    }

    fn take(&mut self, at: i64, expected: &Expected) {
        let content = &expected.content;
        match expected.operation {
            "copy" => {
                let record = expected.key.split('/').next().unwrap_or_default().to_owned();
                let shown = content.get("operation").is_some_and(|operation| operation == "1");
                let change = (at, record, shown.then(|| content.clone()));
                self.changes.entry(expected.person.clone()).or_default().push(change);
            }
            "publication-end" => {
                let until = content.get("until").cloned().unwrap_or_default();
                self.ended.insert(expected.person.clone(), until);
            }
            _ => {}
        }
    }

    /// What is shown of a person at a moment, by record.
    pub fn published(&self, person: &str, at: i64) -> BTreeMap<String, Content> {
        let day = times::day(at).to_string();
        let mut shown = BTreeMap::new();
        if self.ended.get(person).is_some_and(|until| *until < day) {
            return shown;
        }
        let changes = self.changes.get(person).map(Vec::as_slice).unwrap_or_default();
        for (when, record, content) in changes.iter().filter(|(when, ..)| *when <= at) {
            debug_assert!(*when <= at);
            match content {
                Some(content) => shown.insert(record.clone(), content.clone()),
                None => shown.remove(record),
            };
        }
        shown
    }
}
