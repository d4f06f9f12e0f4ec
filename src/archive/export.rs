//! From the store to segments: what stands in which, and writing it.

use super::{Archive, failed};
use crate::record::segment::{Header, Name, checkpoint_line, day_of};
use crate::record::{Broken, Checkpoint, Frontier, RecordRow, checkpoint, export};
use crate::store::Store;
use crate::store::StoreError;
use crate::store::record::{broken, tree_at};
use jiff::civil::Date;

/// A stretch of the record between two checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The file it goes to; with a day once that has ended.
    pub name: Name,
    /// The day it belongs to.
    pub day: Date,
    /// Checkpoints over its entries, the smallest first; the last is over all of them.
    pub checkpoints: Vec<Checkpoint>,
}

/// Checkpoints read at once.
const PAGE: usize = 1_000;
/// Rows read at once.
const ROWS: usize = 1_000;

/// The stretches after a size, one for each day; those of days before `today` have ended. A day is
/// that of its checkpoints, so that every segment ends with one.
///
/// # Errors
/// What the store says.
pub async fn stretches(
    store: &dyn Store,
    after: u64,
    today: Date,
) -> Result<Vec<Stretch>, StoreError> {
    let mut found: Vec<Stretch> = Vec::new();
    let mut last = after;
    loop {
        let page = store.checkpoints(last, PAGE).await?;
        let Some(largest) = page.last().map(|checkpoint| checkpoint.head.size) else {
            return Ok(found);
        };
        for checkpoint in page {
            let day = day_of(checkpoint.at);
            let last = checkpoint.head.size;
            match found.last_mut() {
                Some(stretch) if stretch.day == day => {
                    stretch.name.last = last;
                    stretch.checkpoints.push(checkpoint);
                }
                _ => {
                    let first = found.last().map_or(after, |stretch| stretch.name.last) + 1;
                    let name = Name { first, last, day: Some(day).filter(|day| *day < today) };
                    found.push(Stretch { name, day, checkpoints: vec![checkpoint] });
                }
            }
        }
        last = largest;
    }
}

/// Writes a stretch. What it holds is compared with its own checkpoints on the way: nothing is
/// exported that would not verify.
///
/// # Errors
/// `T401` where the record is not what was signed, `T405` where the file cannot be written, and what
/// the store says.
pub async fn write(
    store: &dyn Store,
    archive: &Archive,
    stretch: &Stretch,
) -> Result<(), StoreError> {
    let name = stretch.name;
    let outside = |error| failed(archive.folder(), &error);
    let mut tree = tree_at(store, name.first - 1).await?;
    let signed = stretch.checkpoints.last().map_or("", |checkpoint| checkpoint.note.as_str());
    let origin = checkpoint::claims(signed).map_or("", |(origin, _)| origin).to_owned();
    let header = Header { origin, day: name.day, first: name.first, tree: tree.clone() };
    let mut file = archive.create(&name.to_string()).map_err(outside)?;
    let mut text = format!("{}\n", header.line());
    let mut checkpoints = stretch.checkpoints.iter().peekable();
    while tree.size() < name.last {
        let left = usize::try_from(name.last - tree.size()).unwrap_or(ROWS);
        let rows = store.record(sequence(tree.size()), left.min(ROWS)).await?;
        if rows.is_empty() {
            return Err(broken(tree.size() + 1, Broken::Sequence));
        }
        for row in rows {
            add(&mut text, &mut tree, &row)?;
            let due = checkpoints.next_if(|checkpoint| checkpoint.head.size == tree.size());
            if let Some(checkpoint) = due {
                if checkpoint.head.root != tree.root() {
                    return Err(broken(tree.size(), Broken::Leaf));
                }
                text.push_str(&checkpoint_line(&checkpoint.note));
                text.push('\n');
            }
        }
        file.write(text.as_bytes()).map_err(outside)?;
        text.clear();
    }
    let synced = tokio::task::spawn_blocking(move || file.finish()).await;
    synced.unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into())).map_err(outside)
}

fn add(text: &mut String, tree: &mut Frontier, row: &RecordRow) -> Result<(), StoreError> {
    let expected = tree.size() + 1;
    if row.sequence != sequence(expected) {
        return Err(broken(expected, Broken::Sequence));
    }
    tree.push(row.leaf);
    text.push_str(&export(row));
    text.push('\n');
    Ok(())
}

/// Sequences are signed in rows.
fn sequence(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// The last sequence that the archive's segments reach without a gap, and of them those of whole
/// days. With no segments, the end of what was pruned.
///
/// # Errors
/// `T405` where the folder cannot be read, and what the store says.
pub async fn reached(store: &dyn Store, archive: &Archive) -> Result<Reached, StoreError> {
    let outside = |error| failed(archive.folder(), &error);
    let names = archive.segments().map_err(outside)?;
    let mut reached = Reached::default();
    if names.is_empty() {
        let pruned = store.pruned().await?.size();
        reached = Reached { days: pruned, all: pruned };
    } else if let Some(first) = names.first() {
        reached = Reached { days: first.first - 1, all: first.first - 1 };
    }
    for name in names {
        if name.first != reached.all + 1 {
            break;
        }
        if name.day.is_some() && reached.days == reached.all {
            reached.days = name.last;
        }
        reached.all = name.last;
    }
    Ok(reached)
}

/// How far the archive reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Last sequence in segments of whole days.
    pub days: u64,
    /// Last sequence in any.
    pub all: u64,
}

/// Brings the archive up to the newest checkpoint: days that ended get their segment, what is newer
/// a small one. Gives how far it reaches then, and the checkpoint there when that is new.
///
/// # Errors
/// As `write`.
pub async fn bring_up(
    store: &dyn Store,
    archive: &Archive,
    today: Date,
) -> Result<(u64, Option<Checkpoint>), StoreError> {
    let mut newest = None;
    let mut reached = reached(store, archive).await?;
    let outside = |error| failed(archive.folder(), &error);
    let mut days = stretches(store, reached.days, today).await?;
    days.retain(|stretch| stretch.name.day.is_some());
    let ended = !days.is_empty();
    for day in days {
        write(store, archive, &day).await?;
        if day.name.last > reached.all {
            reached.all = day.name.last;
            newest = day.checkpoints.last().cloned();
        }
    }
    if ended {
        archive.tidy().map_err(outside)?;
    }
    for newer in stretches(store, reached.all, today).await? {
        // Small, also where it belongs to a day that has just ended: that comes with the next round.
        let name = Name { day: None, ..newer.name };
        newest = newer.checkpoints.last().cloned();
        write(store, archive, &Stretch { name, ..newer }).await?;
        reached.all = name.last;
    }
    Ok((reached.all, newest))
}
