//! Who must hold what at the end, by the generator's knowledge alone, and the comparison with what
//! is held.

use crate::counterparts::holdings::{Holdings, Item};
use crate::municipality::{Expected, Fate};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The truth: holdings by owner.
#[derive(Clone, Debug, Default)]
pub struct Books(pub BTreeMap<&'static str, Holdings>);

impl Books {
    /// An item is now held by this owner, in the place of an older state of it.
    pub fn put(&mut self, owner: &'static str, kind: &'static str, key: &str, item: Item) {
        self.0.entry(owner).or_default().put(kind, key, item);
    }

    /// What must come of a message at a counterpart; nothing where it is refused.
    pub fn expect(&mut self, expected: &Expected) {
        if expected.fate != Fate::Delivered {
            return;
        }
        // An application has one status at a time; a thing has one revision that counts.
        let key = match expected.operation {
            "status" => expected.person.as_str(),
            _ => expected.key.split('/').next().unwrap_or_default(),
        };
        let item = expected.content.iter().map(|(name, text)| ((*name).to_owned(), text.clone()));
        self.put(expected.counterpart, expected.operation, key, item.collect());
    }

    /// What one owner must hold.
    pub fn of(&self, owner: &str) -> Holdings {
        self.0.get(owner).cloned().unwrap_or_default()
    }
}

/// Where the truth and what is held part. Names keys and fields, never what stands in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Who holds it.
    pub owner: String,
    /// Kind of thing.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// `missing`, `extra`, or the names of the fields that differ.
    pub problem: String,
}

impl Difference {
    /// One line.
    pub fn line(&self) -> String {
        format!("{} {} {}: {}", self.owner, self.kind, self.key, self.problem)
    }
}

/// Compares item by item.
pub fn compare(owner: &str, truth: &Holdings, held: &Holdings) -> Vec<Difference> {
    let none = BTreeMap::new();
    let kinds: BTreeSet<&str> = truth.0.keys().chain(held.0.keys()).copied().collect();
    let mut differences = Vec::new();
    for kind in kinds {
        let (truth, held) = (truth.0.get(kind).unwrap_or(&none), held.0.get(kind).unwrap_or(&none));
        let keys: BTreeSet<&String> = truth.keys().chain(held.keys()).collect();
        for key in keys {
            let problem = match (truth.get(key), held.get(key)) {
                (Some(_), None) => "missing".to_owned(),
                (None, _) => "extra".to_owned(),
                (Some(truth), Some(held)) if truth == held => continue,
                (Some(truth), Some(held)) => differing(truth, held),
            };
            let (owner, kind, key) = (owner.to_owned(), kind.to_owned(), key.clone());
            differences.push(Difference { owner, kind, key, problem });
        }
    }
    differences
}

fn differing(truth: &Item, held: &Item) -> String {
    let names: BTreeSet<&String> = truth.keys().chain(held.keys()).collect();
    let differ = names.into_iter().filter(|name| truth.get(*name) != held.get(*name));
    let differ: Vec<&str> = differ.map(String::as_str).collect();
    format!("{} differ", differ.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(pairs: &[(&str, &str)]) -> Holdings {
        let mut holdings = Holdings::default();
        for (key, value) in pairs {
            let item = Item::from([
                ("value".to_owned(), (*value).to_owned()),
                ("same".to_owned(), "x".to_owned()),
            ]);
            holdings.put("thing", key, item);
        }
        holdings
    }

    #[test]
    fn missing_extra_and_differing_are_told_apart_and_equal_is_nothing() {
        let truth = held(&[("a", "1"), ("b", "2"), ("c", "3")]);
        assert_eq!(compare("x", &truth, &truth.clone()), []);
        let found = compare("x", &truth, &held(&[("b", "2"), ("c", "9"), ("d", "4")]));
        let lines: Vec<String> = found.iter().map(Difference::line).collect();
        assert_eq!(lines, ["x thing a: missing", "x thing c: value differ", "x thing d: extra"]);
        let nothing = compare("x", &truth, &Holdings::default());
        assert_eq!(nothing.len(), 3, "a kind of which nothing is held is missed as well");
    }
}
