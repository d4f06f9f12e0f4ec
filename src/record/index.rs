//! Where persons and messages are in the record, without an index over random keys: entries are
//! indexed in blocks, in the background, each block sorted by itself.

use super::tree::{Frontier, Hash};
use super::{RecordRow, entry};
use aws_lc_rs::digest::{SHA256, digest};

/// Entries of a block: so many that a sequence within it takes two bytes.
pub const BLOCK: u64 = 1 << LEVEL;
/// Level of a block's root in the tree.
pub const LEVEL: u32 = 16;
/// Parts of a block's index: one per first half byte of a hash, for persons and for messages.
pub const PARTS: usize = 32;
/// Bytes of one place: the hash, then the entry's number within the block.
const PLACE: usize = 6;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A person, by the pseudonym.
    Subject(String),
    /// A message, by its sender's id.
    Message(String),
}

impl Wanted {
    /// The field of the entry.
    fn field(&self) -> &'static str {
        match self {
            Wanted::Subject(_) => "subject",
            Wanted::Message(_) => "message_id",
        }
    }

    fn value(&self) -> &str {
        match self {
            Wanted::Subject(value) | Wanted::Message(value) => value,
        }
    }

    /// Whether an entry is of it.
    pub fn is_in(&self, entry: &str) -> bool {
        entry::field(entry, self.field()).is_some_and(|found| found == entry::escaped(self.value()))
    }

    /// The part of every block that knows it.
    pub fn part(&self) -> u8 {
        let base = match self {
            Wanted::Subject(_) => 0,
            Wanted::Message(_) => 16,
        };
        base + (key(&entry::escaped(self.value())).to_be_bytes()[0] >> 4)
    }

    /// The sequences that one block's part gives for it: all of them, rarely others as well.
    pub fn places(&self, block: u64, part: &[u8]) -> Vec<u64> {
        let key = key(&entry::escaped(self.value())).to_be_bytes();
        let (places, _) = part.as_chunks::<PLACE>();
        let first = places.partition_point(|place| place.first_chunk::<4>() < Some(&key));
        let same = places.iter().skip(first).take_while(|place| place.starts_with(&key));
        let number = |place: &[u8; PLACE]| {
            let [.., high, low] = *place;
            block * BLOCK + u64::from(u16::from_be_bytes([high, low])) + 1
        };
        same.map(number).collect()
    }
}

/// Four bytes of a hash: enough that a block gives a wrong place once in 65,536 questions.
fn key(value: &str) -> u32 {
    let hash = digest(&SHA256, value.as_bytes());
    hash.as_ref().first_chunk().map_or(0, |first| u32::from_be_bytes(*first))
}

/// A full block: the root of its subtree, and the places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// From 0; its entries are `number * BLOCK + 1` to `(number + 1) * BLOCK`.
    pub number: u64,
    /// Root of the subtree over its leaves.
    pub root: Hash,
    /// Its index; as many as `PARTS`.
    pub parts: Vec<Vec<u8>>,
}

/// Gathers a block row by row.
#[derive(Debug)]
pub struct Builder {
    number: u64,
    tree: Frontier,
    subjects: Vec<(u32, u16)>,
    messages: Vec<(u32, u16)>,
}

impl Builder {
    /// Begins a block.
    pub fn new(number: u64) -> Builder {
        let empty = Vec::new();
        Builder { number, tree: Frontier::default(), subjects: empty.clone(), messages: empty }
    }

    /// Begins a block whose first entries were pruned: its root is that of the whole block, its index
    /// knows what is left.
    pub fn after_pruned(number: u64, pruned: &Frontier) -> Builder {
        let within = pruned.size().saturating_sub(number * BLOCK);
        let peaks = pruned.peaks().iter().rev().take(within.count_ones() as usize).rev();
        let tree = match within {
            1..BLOCK => Frontier::new(within, peaks.copied().collect()),
            _ => None,
        };
        Builder { tree: tree.unwrap_or_default(), ..Builder::new(number) }
    }

    /// The sequence after which its next row comes.
    pub fn after(&self) -> u64 {
        self.number * BLOCK + self.tree.size()
    }

    /// Takes the next row; false where it is not that one.
    pub fn push(&mut self, row: &RecordRow) -> bool {
        let expected = self.after() + 1;
        let Ok(within) = u16::try_from(self.tree.size()) else { return false };
        if u64::try_from(row.sequence) != Ok(expected) {
            return false;
        }
        let place = |name| entry::field(&row.entry, name).map(|value| (key(value), within));
        self.subjects.extend(place("subject"));
        self.messages.extend(place("message_id"));
        self.tree.push(row.leaf);
        true
    }

    /// The block, once it is full.
    pub fn finish(self) -> Option<Block> {
        if self.tree.size() != BLOCK {
            return None;
        }
        let mut parts = vec![Vec::new(); PARTS];
        for (base, mut places) in [(0, self.subjects), (16, self.messages)] {
            places.sort_unstable();
            for (key, within) in places {
                let [first, ..] = key.to_be_bytes();
                if let Some(part) = parts.get_mut(base + usize::from(first >> 4)) {
                    part.extend(key.to_be_bytes());
                    part.extend(within.to_be_bytes());
                }
            }
        }
        Some(Block { number: self.number, root: self.tree.root(), parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Draft, Kind, Phase, tree};
    use jiff::Timestamp;

    fn row(sequence: u64) -> RecordRow {
        let draft = Draft {
            message_id: format!("m\"{}", sequence / 2).into(),
            subject: (!sequence.is_multiple_of(3))
                .then(|| format!("{:032x}", sequence % 1_000))
                .map(Into::into),
            reason: Some(",\"subject\":\"ffff\"".to_owned()),
            ..Draft::new(Kind::Send, Phase::Noted, Timestamp::UNIX_EPOCH)
        };
        let entry = draft.canonical();
        RecordRow { sequence: sequence as i64, leaf: tree::leaf(entry.as_bytes()), entry }
    }

    #[test]
    fn a_block_finds_every_person_and_message_in_it() {
        let mut builder = Builder::new(3);
        let rows: Vec<RecordRow> = (3 * BLOCK + 1..=4 * BLOCK).map(row).collect();
        assert!(!builder.push(&rows[1]), "not the first one");
        assert!(rows.iter().all(|row| builder.push(row)));
        assert!(!builder.push(&row(4 * BLOCK + 1)), "full");
        let block = builder.finish().unwrap();
        let leaves: Vec<Hash> = rows.iter().map(|row| row.leaf).collect();
        assert_eq!(block.root, tree::root(&leaves));
        let wanted = [
            Wanted::Subject(format!("{:032x}", 17)),
            Wanted::Subject("ffff".to_owned()),
            Wanted::Message(format!("m\"{}", (3 * BLOCK + 2) / 2)),
            Wanted::Message("none".to_owned()),
        ];
        for wanted in wanted {
            let part = &block.parts[usize::from(wanted.part())];
            let mut places = wanted.places(3, part);
            places.retain(|place| wanted.is_in(&rows[(place - 3 * BLOCK - 1) as usize].entry));
            places.sort_unstable();
            let expected: Vec<u64> = rows
                .iter()
                .filter(|row| wanted.is_in(&row.entry))
                .map(|row| row.sequence as u64)
                .collect();
            assert_eq!(places, expected, "{wanted:?}");
        }
        assert!(Builder::new(0).finish().is_none());
    }
}
