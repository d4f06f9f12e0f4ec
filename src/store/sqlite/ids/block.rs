//! A block: hashes of many ids with their rows, sorted and never changed, in 256 parts by the first
//! byte; and the filter over blocks, which tells from memory which of them may know an id.

use super::Key;
use crate::model::codes::store as codes;
use crate::store::StoreError;
use rusqlite::{Connection, OptionalExtension as _};

/// Parts of a block.
const PARTS: u64 = 256;
/// Bits of an entry that tell the row, counted from the first one of its block.
const ROW_BITS: u32 = 24;
/// Rows that a block can span.
pub(super) const SPAN: i64 = 1 << ROW_BITS;
/// Bytes of an entry.
const ENTRY: usize = 8;

/// The rows of messages that a block knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub number: u64,
    pub first: i64,
    pub last: i64,
}

/// A block in memory, on its way into the table.
#[derive(Debug)]
pub(super) struct Block {
    pub span: Span,
    /// 40 bits of the hash, then the row counted from the first: sorted.
    entries: Vec<u64>,
}

/// What an entry keeps of a hash.
fn kept(key: Key) -> u64 {
    key.0 >> ROW_BITS
}

impl Block {
    /// Makes blocks of rows: one, unless they lie too far apart.
    pub fn of(mut number: u64, mut rows: Vec<(Key, i64)>) -> Vec<Block> {
        let first = rows.iter().map(|(_, row)| *row).min();
        let last = rows.iter().map(|(_, row)| *row).max();
        let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
        if last - first < SPAN {
            return vec![Block::one(Span { number, first, last }, &rows)];
        }
        rows.sort_unstable_by_key(|(_, row)| *row);
        let mut blocks = Vec::new();
        let mut rest = rows.as_slice();
        while let Some((_, first)) = rest.first().copied() {
            let count = rest.partition_point(|(_, row)| row - first < SPAN);
            let (these, others) = rest.split_at(count);
            let last = these.last().map_or(first, |(_, row)| *row);
            blocks.push(Block::one(Span { number, first, last }, these));
            rest = others;
            number += 1;
        }
        blocks
    }

    fn one(span: Span, rows: &[(Key, i64)]) -> Block {
        let entry =
            |(key, row): &(Key, i64)| (kept(*key) << ROW_BITS) | (row - span.first).unsigned_abs();
        let mut entries: Vec<u64> = rows.iter().map(entry).collect();
        entries.sort_unstable();
        Block { span, entries }
    }

    /// Writes it; the caller's transaction makes it whole or nothing.
    pub fn write(&self, connection: &Connection) -> Result<(), StoreError> {
        let Span { number, first, last } = self.span;
        let sql = "INSERT INTO id_blocks (number, first, last) VALUES (?1, ?2, ?3)";
        connection.prepare_cached(sql)?.execute((signed(number)?, first, last))?;
        let mut insert =
            connection.prepare_cached("INSERT INTO id_parts (id, ids) VALUES (?1, ?2)")?;
        let mut bytes = Vec::new();
        for part in self.entries.chunk_by(|one, next| byte(*one) == byte(*next)) {
            bytes.clear();
            part.iter().for_each(|entry| bytes.extend_from_slice(&entry.to_be_bytes()));
            let byte = part.first().map_or(0, |entry| byte(*entry));
            insert.execute((signed(number * PARTS + byte)?, &bytes))?;
        }
        Ok(())
    }

    /// Reads one, as it was written.
    pub fn read(connection: &Connection, span: Span) -> Result<Block, StoreError> {
        let sql = "SELECT ids FROM id_parts WHERE id >= ?1 AND id < ?2 ORDER BY id";
        let mut statement = connection.prepare_cached(sql)?;
        let from = signed(span.number * PARTS)?;
        let mut rows = statement.query((from, from + signed(PARTS)?))?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            entries.extend(words(row.get_ref(0)?.as_blob().map_err(|_| odd())?));
        }
        Ok(Block { span, entries })
    }

    /// Whether it knows a row by its hash.
    pub fn knows(&self, key: Key, row: i64) -> bool {
        let Span { first, last, .. } = self.span;
        let entry = (kept(key) << ROW_BITS) | (row - first).unsigned_abs();
        (first..=last).contains(&row) && self.entries.binary_search(&entry).is_ok()
    }

    /// How many rows it knows of.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Rows that a block knows under a hash: rarely one that has another id.
pub(super) fn rows(
    connection: &Connection,
    span: Span,
    key: Key,
    found: &mut Vec<i64>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached("SELECT ids FROM id_parts WHERE id = ?1")?;
    let part = signed(span.number * PARTS + byte(key.0))?;
    let wanted = kept(key);
    let mut take = |bytes: &[u8]| {
        let (entries, _) = bytes.as_chunks::<ENTRY>();
        let start =
            entries.partition_point(|entry| (u64::from_be_bytes(*entry) >> ROW_BITS) < wanted);
        let same = entries.iter().skip(start).map(|entry| u64::from_be_bytes(*entry));
        let same = same.take_while(|entry| entry >> ROW_BITS == wanted);
        found.extend(same.map(|entry| span.first + (entry.cast_signed() & (SPAN - 1))));
    };
    let taken = statement.query_row([part], |row| {
        take(row.get_ref(0)?.as_blob()?);
        Ok(())
    });
    taken.optional()?;
    Ok(())
}

/// Takes a block out of the tables.
pub(super) fn delete(connection: &Connection, number: u64) -> Result<(), StoreError> {
    let from = signed(number * PARTS)?;
    let sql = "DELETE FROM id_parts WHERE id >= ?1 AND id < ?2";
    connection.prepare_cached(sql)?.execute((from, from + signed(PARTS)?))?;
    let sql = "DELETE FROM id_blocks WHERE number = ?1";
    connection.prepare_cached(sql)?.execute([signed(number)?])?;
    Ok(())
}

/// All blocks, in the order in which they were made.
pub(super) fn spans(connection: &Connection) -> Result<Vec<Span>, StoreError> {
    let sql = "SELECT number, first, last FROM id_blocks ORDER BY number";
    let mut statement = connection.prepare_cached(sql)?;
    let span = |row: &rusqlite::Row<'_>| {
        let number: i64 = row.get(0)?;
        Ok(Span { number: number.unsigned_abs(), first: row.get(1)?, last: row.get(2)? })
    };
    Ok(statement.query_map([], span)?.collect::<Result<_, _>>()?)
}

fn byte(entry: u64) -> u64 {
    entry >> 56
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks::<ENTRY>().0.iter().map(|word| u64::from_be_bytes(*word))
}

fn odd() -> StoreError {
    StoreError::new(&codes::STORE_REFUSED, "a row has another shape than expected")
}

fn signed(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| odd())
}

/// Blocks of one filter: a bit each in every word.
const LANES: usize = 32;
/// Words of one part: sixteen for each id of a usual block.
const WINDOW: u64 = 4_096;
/// Words looked at for one id. Of ids that a block does not have, it is asked for one in 700.
const PROBES: u32 = 5;

/// Bloom filters of up to 32 blocks, their bits side by side: one look answers for all of them.
/// Two bytes an id.
#[derive(Debug)]
pub(super) struct Filter {
    words: Vec<u32>,
    blocks: Vec<Span>,
    /// Lanes whose block is still there.
    live: u32,
}

impl Filter {
    pub fn new() -> Filter {
        let words = vec![0; usize::try_from(PARTS * WINDOW).unwrap_or(0)];
        Filter { words, blocks: Vec::new(), live: 0 }
    }

    /// Whether it has no room for another block.
    pub fn is_full(&self) -> bool {
        self.blocks.len() >= LANES
    }

    /// Whether none of its blocks is there any more.
    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// Takes a block's ids.
    pub fn add(&mut self, block: &Block) {
        let Some(bit) = u32::try_from(self.blocks.len()).ok().and_then(|by| 1u32.checked_shl(by))
        else {
            return;
        };
        self.blocks.push(block.span);
        self.live |= bit;
        for entry in &block.entries {
            for place in places(entry >> ROW_BITS) {
                if let Some(word) = self.words.get_mut(place) {
                    *word |= bit;
                }
            }
        }
    }

    /// Forgets a block.
    pub fn remove(&mut self, number: u64) {
        for (lane, block) in self.blocks.iter().enumerate() {
            if block.number == number {
                self.live &= !(1 << lane);
            }
        }
    }

    /// Blocks that may know an id.
    pub fn may_know(&self, key: Key) -> impl Iterator<Item = Span> + '_ {
        let word = |place: usize| self.words.get(place).copied().unwrap_or(u32::MAX);
        let mut bits = places(kept(key)).fold(self.live, |bits, place| bits & word(place));
        std::iter::from_fn(move || {
            let lane = usize::try_from(bits.trailing_zeros()).ok()?;
            bits &= bits.wrapping_sub(1);
            self.blocks.get(lane).copied()
        })
    }
}

/// Where an id's bits are: all within the window of its part, so that a block is added in the order
/// of memory.
fn places(kept: u64) -> impl Iterator<Item = usize> {
    let window = (kept >> 32) * WINDOW;
    let mut mixed = (kept & 0xffff_ffff).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    mixed ^= mixed >> 29;
    (0..PROBES).map(move |probe| {
        let place = window + ((mixed >> (12 * probe)) & (WINDOW - 1));
        usize::try_from(place).unwrap_or(usize::MAX)
    })
}
