//! What a counterpart holds at the end, in a form that can be compared item by item.

use std::collections::BTreeMap;

/// Fields of one item.
pub type Item = BTreeMap<String, String>;

/// Items by kind and key. Keys are numbers of things (対象者番号, recordId, 受付番号), never of persons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings(pub BTreeMap<&'static str, BTreeMap<String, Item>>);

impl Holdings {
    /// Puts an item in the place of what was held under its key.
    pub fn put(&mut self, kind: &'static str, key: &str, item: Item) {
        self.0.entry(kind).or_default().insert(key.to_owned(), item);
    }

    /// How many items there are.
    pub fn count(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// All of another one, too.
    pub fn absorb(&mut self, other: Holdings) {
        for (kind, items) in other.0 {
            self.0.entry(kind).or_default().extend(items);
        }
    }
}
