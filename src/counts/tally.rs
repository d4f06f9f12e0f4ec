//! Tally: messages one by one become cells. Of a record only a fingerprint, its newest revision and its
//! cell are kept, so that memory is bounded by the number of records.

use super::{By, Definition, Month, age};
use crate::model::json::{Kind, Node};
use aws_lc_rs::digest::{Context, SHA256};
use jiff::civil::Date;
use std::collections::HashMap;

/// Most records of one count: about 60 bytes of memory each.
const MOST_RECORDS: usize = 10_000_000;

/// A record by its fingerprint.
type Key = [u8; 16];

/// The newest state of a record.
#[derive(Clone, Copy, Debug)]
struct State {
    /// Revision, then row: the higher the newer.
    order: (i64, i64),
    /// Its cell; `None` where it is withdrawn or of another month.
    cell: Option<u32>,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Its record is told apart by this.
    Record(Key),
    /// It names no record, or no day that can be read: it is in no month.
    Unreadable,
}

/// There are more records than can be kept in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

/// Counts as it goes.
#[derive(Debug)]
pub struct Tally<'d> {
    definition: &'d Definition,
    month: Month,
    records: HashMap<Key, State>,
}

impl<'d> Tally<'d> {
    /// Nothing is counted yet.
    pub fn new(definition: &'d Definition, month: Month) -> Tally<'d> {
        Tally { definition, month, records: HashMap::new() }
    }

    /// Takes a delivered message; `row` is its exchange's.
    ///
    /// # Errors
    /// When there are too many records.
    pub fn take(&mut self, source: &str, row: i64, document: Node<'_>) -> Result<Taken, TooMany> {
        let (Some(key), Some(day)) = (self.key(source, row, document), self.day(document)) else {
            return Ok(Taken::Unreadable);
        };
        let definition = self.definition;
        let revision = definition.revision.as_ref().and_then(|path| number(path.node(document)?));
        let withdrawn = definition.withdrawn.as_ref().is_some_and(|test| test.test(document));
        let counts = self.month.has(day) && !withdrawn;
        let cell = counts.then(|| self.cell(day, document));
        let state = State { order: (revision.unwrap_or(0), row), cell };
        let is_full = self.records.len() >= MOST_RECORDS;
        match self.records.get_mut(&key) {
            Some(known) if known.order < state.order => *known = state,
            Some(_) => {}
            None if is_full => return Err(TooMany),
            None => {
                self.records.insert(key, state);
            }
        }
        Ok(Taken::Record(key))
    }

    /// Whether a message that is still under way could change the count.
    pub fn touches(&self, source: &str, row: i64, document: Node<'_>) -> bool {
        let counted = |key| self.records.get(&key).is_some_and(|state| state.cell.is_some());
        self.day(document).is_some_and(|day| self.month.has(day))
            || self.key(source, row, document).is_some_and(counted)
    }

    /// The cells, the innermost dimension running fastest.
    pub fn cells(&self) -> Vec<u64> {
        let size = self.definition.sizes().iter().product();
        let mut cells = vec![0; size];
        for cell in self.records.values().filter_map(|state| state.cell) {
            if let Some(count) = cells.get_mut(cell as usize) {
                *count += 1;
            }
        }
        cells
    }

    fn day(&self, document: Node<'_>) -> Option<Date> {
        self.definition.date.node(document)?.as_str()?.parse().ok()
    }

    fn key(&self, source: &str, row: i64, document: Node<'_>) -> Option<Key> {
        let name = match &self.definition.record {
            Some(path) => text(path.node(document)?)?,
            None => row.to_string(),
        };
        let mut context = Context::new(&SHA256);
        context.update(&(source.len() as u64).to_be_bytes());
        context.update(source.as_bytes());
        context.update(name.as_bytes());
        context.finish().as_ref().first_chunk().copied()
    }

    fn cell(&self, day: Date, document: Node<'_>) -> u32 {
        let cell = self.definition.dimensions.iter().fold(0, |outer, dimension| {
            let last = dimension.labels.len().saturating_sub(1);
            let found = dimension.item.node(document);
            let category = found.and_then(|value| match &dimension.by {
                By::Value(known) => known.get(&text(value)?).copied(),
                By::Age(bands) => {
                    let years = age(value.as_str()?.parse().ok()?, day)?;
                    bands.iter().rposition(|from| *from <= years)
                }
            });
            outer * dimension.labels.len() + category.unwrap_or(last)
        });
        u32::try_from(cell).unwrap_or(u32::MAX)
    }
}

/// A value as definitions write it.
fn text(value: Node<'_>) -> Option<String> {
    match value.kind() {
        Kind::Text(text) => Some(text.to_owned()),
        Kind::Number(number) => Some(number.to_string()),
        Kind::Bool(flag) => Some(flag.to_string()),
        Kind::Null | Kind::Array(_) | Kind::Object(_) => None,
    }
}

fn number(value: Node<'_>) -> Option<i64> {
    match value.kind() {
        Kind::Number(number) => number.as_i64(),
        _ => None,
    }
}
