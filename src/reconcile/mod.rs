//! Two holdings compared by key, in memory that does not grow with them: `rows` tells each record
//! as a key and a keyed hash of every item, `sort` puts them in order, here they are merged. No
//! value is kept, so none can be shown.

mod rows;
mod sort;

pub use rows::{Names, Row, Teller, read};
pub use sort::{Merged, Sorted, Sorter};

use std::io;

/// How far two holdings agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records of the counterpart.
    pub theirs: u64,
    /// Our records.
    pub ours: u64,
    /// Keys with the same items on both sides.
    pub same: u64,
    /// Keys that only the counterpart has.
    pub only_theirs: u64,
    /// Keys that only we have.
    pub only_ours: u64,
    /// Keys whose items differ.
    pub differing: u64,
    /// Keys that a side has several times; their items are not compared.
    pub repeated: u64,
}

impl Counts {
    /// Whether nothing is to be told.
    pub fn agree(&self) -> bool {
        self.only_theirs + self.only_ours + self.differing + self.repeated == 0
    }
}

/// What is to be told of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding<'n> {
    /// The counterpart holds it, we do not.
    OnlyTheirs,
    /// We hold it, the counterpart does not.
    OnlyOurs,
    /// Both hold it; these items differ.
    Differing(Vec<&'n str>),
    /// A side has it several times: so often they, so often we.
    Repeated(u64, u64),
}

impl Finding<'_> {
    /// The word for it in reports.
    pub fn word(&self) -> &'static str {
        match self {
            Finding::OnlyTheirs => "only-theirs",
            Finding::OnlyOurs => "only-ours",
            Finding::Differing(_) => "differing",
            Finding::Repeated(..) => "repeated",
        }
    }
}

/// Compares two sides; findings come in the order of their keys.
///
/// # Errors
/// When a run cannot be read again, or what `each` says.
pub fn compare<E: From<io::Error>>(
    theirs: &Sorted,
    ours: &Sorted,
    names: &Names,
    mut each: impl FnMut(&str, Finding<'_>) -> Result<(), E>,
) -> Result<Counts, E> {
    let mut counts = Counts { theirs: theirs.count(), ours: ours.count(), ..Counts::default() };
    let (mut left, mut right) = (Groups::new(theirs.merged()?), Groups::new(ours.merged()?));
    let (mut their, mut our) = (left.next()?, right.next()?);
    loop {
        let order = match (&their, &our) {
            (None, None) => return Ok(counts),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(their), Some(our)) => their.row.key.cmp(&our.row.key),
        };
        let (one, two) = match order {
            std::cmp::Ordering::Less => (their.take(), None),
            std::cmp::Ordering::Greater => (None, our.take()),
            std::cmp::Ordering::Equal => (their.take(), our.take()),
        };
        let times = |group: &Option<Group>| group.as_ref().map_or(0, |group| group.times);
        let (finding, counted) = match (&one, &two) {
            _ if times(&one) > 1 || times(&two) > 1 => {
                (Some(Finding::Repeated(times(&one), times(&two))), &mut counts.repeated)
            }
            (Some(one), Some(two)) => match differing(&one.row, &two.row, names) {
                items if items.is_empty() => (None, &mut counts.same),
                items => (Some(Finding::Differing(items)), &mut counts.differing),
            },
            (Some(_), None) => (Some(Finding::OnlyTheirs), &mut counts.only_theirs),
            _ => (Some(Finding::OnlyOurs), &mut counts.only_ours),
        };
        *counted += 1;
        let key = one.as_ref().or(two.as_ref()).map_or("", |group| &group.row.key);
        if let Some(finding) = finding {
            each(key, finding)?;
        }
        if order.is_le() {
            their = left.next()?;
        }
        if order.is_ge() {
            our = right.next()?;
        }
    }
}

/// Names of the items that one side has and the other has not, or with another value.
fn differing<'n>(one: &Row, two: &Row, names: &'n Names) -> Vec<&'n str> {
    let has = |items: &[(u16, u64)], name: u16| items.iter().any(|(other, _)| *other == name);
    let missing = |items: &[(u16, u64)], item: &(u16, u64)| {
        !items.contains(item) && (names.must_be_on_both(item.0) || has(items, item.0))
    };
    let mut found: Vec<u16> =
        one.items.iter().filter(|item| missing(&two.items, item)).map(|item| item.0).collect();
    found.extend(two.items.iter().filter(|item| missing(&one.items, item)).map(|item| item.0));
    let mut found: Vec<&str> = found.into_iter().filter_map(|item| names.name(item)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The records of one key.
struct Group {
    row: Row,
    times: u64,
}

/// Rows in order, those of one key together.
struct Groups<'s> {
    rows: Merged<'s>,
    ahead: Option<Row>,
}

impl<'s> Groups<'s> {
    fn new(rows: Merged<'s>) -> Groups<'s> {
        Groups { rows, ahead: None }
    }

    fn next(&mut self) -> io::Result<Option<Group>> {
        let first = match self.ahead.take() {
            Some(row) => Some(row),
            None => self.rows.next().transpose()?,
        };
        let Some(row) = first else { return Ok(None) };
        let mut times = 1;
        while let Some(next) = self.rows.next().transpose()? {
            if next.key != row.key {
                self.ahead = Some(next);
                break;
            }
            times += 1;
        }
        Ok(Some(Group { row, times }))
    }
}

#[cfg(test)]
mod tests;
