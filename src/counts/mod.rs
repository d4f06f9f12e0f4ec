//! Counts: how many records of a month there are, by dimensions of few values, out of the messages
//! that a route delivered. Cells that could show a person are withheld (ADR 0039).
//!
//! A definition is `counts/<name>.yaml`. Everything here decides without reading or writing anything;
//! the command `watashi counts` brings the bodies and prints the table.

use crate::diagnostic::SourceFile;
use crate::mapping::Predicate;
use crate::mapping::path::Path;
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::sync::Arc;

pub mod keys;
mod load;
mod month;
mod suppress;
mod table;
mod tally;

pub use load::load;
pub use month::Month;
pub use suppress::{Shown, suppress};
pub use table::{Line, lines};
pub use tally::{Taken, Tally, TooMany};

/// Most cells of a table.
pub const MOST_CELLS: usize = 10_000;
/// Most dimensions of a table.
pub const MOST_DIMENSIONS: usize = 4;

/// What is counted, and by what.
#[derive(Debug)]
pub struct Definition {
    /// Its name, that of its file.
    pub name: String,
    /// Title for people; the name where there is none.
    pub title: String,
    /// The route whose delivered messages are counted.
    pub route: String,
    /// The day that decides the month.
    pub date: Path,
    /// What tells records apart; without it each exchange is one.
    pub record: Option<Path>,
    /// The higher one is the newer state; without it what was accepted later.
    pub revision: Option<Path>,
    /// Holds for a record that was withdrawn.
    pub withdrawn: Option<Predicate>,
    /// From the outermost to the innermost.
    pub dimensions: Vec<Dimension>,
    /// Cells below it are withheld.
    pub threshold: u64,
}

/// One dimension: its categories are known before anything is counted, so that no value of a message
/// is ever printed.
#[derive(Debug)]
pub struct Dimension {
    /// Head of its column.
    pub name: String,
    /// Where it is in a message.
    pub item: Path,
    /// What its values become.
    pub by: By,
    /// Labels, in order. The last one is for what fits none.
    pub labels: Vec<String>,
}

/// How a value finds its category.
#[derive(Debug)]
pub enum By {
    /// It is one of these, as text.
    Value(BTreeMap<String, usize>),
    /// It is a birth date; the age in whole years on the day that decides the month is at least this and
    /// less than the next.
    Age(Vec<i16>),
}

/// The label of what fits no category.
pub const OTHER: &str = "その他";
/// The label of a total.
pub const TOTAL: &str = "計";

impl Definition {
    /// How many categories each dimension has.
    pub fn sizes(&self) -> Vec<usize> {
        self.dimensions.iter().map(|dimension| dimension.labels.len()).collect()
    }
}

/// Whole years on a day, as the function `age` counts them: a birthday on 29 February is on 1 March
/// where there is none. `None` before the birth.
fn age(birth: Date, on: Date) -> Option<i16> {
    let before_birthday = (on.month(), on.day()) < (birth.month(), birth.day());
    (on >= birth).then(|| on.year() - birth.year() - i16::from(before_birthday))
}

/// The definitions of counts among files, by name; every problem is reported.
pub type All = BTreeMap<String, Definition>;

/// The name that a file gives its definition.
fn name_of(file: &Arc<SourceFile>) -> Option<&str> {
    file.path.rsplit('/').next()?.strip_suffix(".yaml")
}

#[cfg(test)]
mod tests;
