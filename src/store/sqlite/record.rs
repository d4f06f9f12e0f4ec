//! The record's tables: rows, and the tree at its end.

use super::claim::instant;
use super::writer::Tx;
use crate::model::codes::store as codes;
use crate::record::index::{Block, LEVEL};
use crate::record::{Broken, Checkpoint, Draft, Frontier, Hash, Head, Verifier};
use crate::store::record::broken;
use crate::store::{RecordRow, StoreError};
use rusqlite::{Connection, Row};

/// Rows at the end of the record whose entries are hashed anew when the store is opened.
const TAIL_CHECKED: i64 = 64;

/// Rows after a sequence.
pub(super) fn rows(
    connection: &Connection,
    after: i64,
    limit: usize,
) -> Result<Vec<RecordRow>, StoreError> {
    let sql = "SELECT sequence, leaf, entry FROM records WHERE sequence > ?1
        ORDER BY sequence LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map([after, limit], |row| {
        Ok(RecordRow { sequence: row.get(0)?, leaf: row.get(1)?, entry: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The tree over the whole record, out of what was pruned, the roots of blocks, and leaves.
pub(super) fn frontier(connection: &Connection) -> Result<Frontier, StoreError> {
    let mut tree = Frontier::default();
    for root in block_roots(connection, 0, usize::MAX)? {
        tree.push_subtree(root, LEVEL);
    }
    let pruned = pruned(connection)?;
    if tree.size() < pruned.size() {
        tree = pruned;
    }
    let sql = "SELECT sequence, leaf FROM records WHERE sequence > ?1 ORDER BY sequence";
    let mut statement = connection.prepare_cached(sql)?;
    let after = signed(tree.size())?;
    let mut rows = statement.query([after])?;
    while let Some(row) = rows.next()? {
        let (sequence, leaf): (i64, Hash) = leaf_of(row)?;
        let expected = tree.size() + 1;
        if sequence != signed(expected)? {
            return Err(broken(expected, Broken::Sequence));
        }
        tree.push(leaf);
    }
    Ok(tree)
}

fn leaf_of(row: &Row<'_>) -> rusqlite::Result<(i64, Hash)> {
    Ok((row.get(0)?, row.get(1)?))
}

/// The same, and its last entries are those of their leaves: nothing is appended to a broken end.
pub(super) fn checked(connection: &Connection) -> Result<Frontier, StoreError> {
    let tree = frontier(connection)?;
    let last = signed(tree.size())?;
    for row in rows(connection, (last - TAIL_CHECKED).max(0), usize::MAX)? {
        if let Some(why) = Verifier::flaw(&row) {
            return Err(broken(row.sequence.unsigned_abs(), why));
        }
    }
    Ok(tree)
}

/// SQLite's integers are signed.
pub(super) fn signed(size: u64) -> Result<i64, StoreError> {
    let too_long = |_| StoreError::new(&codes::STORE_REFUSED, "the record is too long");
    i64::try_from(size).map_err(too_long)
}

/// Leaves of the entries after the first `after`.
pub(super) fn leaves(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<Hash>, StoreError> {
    let sql = "SELECT sequence, leaf FROM records WHERE sequence > ?1 ORDER BY sequence LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((signed(after)?, many(limit)), leaf_of)?;
    let mut leaves = Vec::new();
    for row in rows {
        let (sequence, leaf) = row?;
        let expected = after + leaves.len() as u64 + 1;
        if sequence != signed(expected)? {
            return Err(broken(expected, Broken::Sequence));
        }
        leaves.push(leaf);
    }
    Ok(leaves)
}

fn many(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn checkpoint_of(row: &Row<'_>) -> Result<Checkpoint, StoreError> {
    let size: i64 = row.get(0)?;
    let head = Head { size: size.unsigned_abs(), root: row.get(1)? };
    Ok(Checkpoint { head, note: row.get(2)?, at: instant(row.get(3)?)? })
}

/// Checkpoints of a size greater than `after`, the smallest first.
pub(super) fn checkpoints(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<Checkpoint>, StoreError> {
    let sql = "SELECT size, root, note, at FROM checkpoints WHERE size > ?1 ORDER BY size LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((signed(after)?, many(limit)))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(checkpoint_of(row)?);
    }
    Ok(found)
}

/// The newest checkpoints, the largest first.
pub(super) fn last_checkpoints(
    connection: &Connection,
    limit: usize,
) -> Result<Vec<Checkpoint>, StoreError> {
    let sql = "SELECT size, root, note, at FROM checkpoints ORDER BY size DESC LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([many(limit)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(checkpoint_of(row)?);
    }
    Ok(found)
}

/// Keeps a checkpoint that is greater than all before.
pub(super) fn put_checkpoint(
    tx: &Tx<'_>,
    checkpoint: &Checkpoint,
    instead_of: Option<u64>,
) -> Result<bool, StoreError> {
    let size = signed(checkpoint.head.size)?;
    let sql = "SELECT max(size) FROM checkpoints";
    let newest: Option<i64> = tx.row(sql, [], |row| row.get(0))?.flatten();
    if newest.is_some_and(|newest| newest >= size) {
        return Ok(false);
    }
    if let Some(old) = instead_of {
        tx.execute("DELETE FROM checkpoints WHERE size = ?1", [signed(old)?])?;
    }
    let sql = "INSERT INTO checkpoints (size, root, note, at) VALUES (?1, ?2, ?3, ?4)";
    let at = checkpoint.at.as_millisecond();
    tx.execute(sql, (size, &checkpoint.head.root, &checkpoint.note, at))?;
    Ok(true)
}

/// Roots of the full blocks from a number on.
pub(super) fn block_roots(
    connection: &Connection,
    from: u64,
    limit: usize,
) -> Result<Vec<Hash>, StoreError> {
    let sql = "SELECT number, root FROM record_blocks WHERE number >= ?1 ORDER BY number LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((signed(from)?, many(limit)), leaf_of)?;
    let mut roots = Vec::new();
    for row in rows {
        let (number, root) = row?;
        // What comes after a gap is of no use: it is made again, in order.
        if number != signed(from + roots.len() as u64)? {
            break;
        }
        roots.push(root);
    }
    Ok(roots)
}

/// Id of a part of a block's index.
fn part_id(part: u8, number: u64) -> Result<i64, StoreError> {
    signed((u64::from(part) << 32) + number)
}

/// Keeps a block, unless it is there.
pub(super) fn put_block(tx: &Tx<'_>, block: &Block) -> Result<(), StoreError> {
    let sql = "INSERT INTO record_blocks (number, root) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    if tx.execute(sql, (signed(block.number)?, &block.root))? == 0 {
        return Ok(());
    }
    for (part, places) in (0u8..).zip(&block.parts) {
        let sql = "INSERT INTO record_index (id, places) VALUES (?1, ?2)";
        tx.execute(sql, (part_id(part, block.number)?, places))?;
    }
    Ok(())
}

/// One part of the index of the blocks from a number on.
pub(super) fn index_part(
    connection: &Connection,
    part: u8,
    from: u64,
    limit: usize,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let sql = "SELECT id, places FROM record_index WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let (start, end) = (part_id(part, from)?, part_id(part, 1 << 32)?);
    let rows = statement.query_map((start, end, many(limit)), |row| {
        let id: i64 = row.get(0)?;
        Ok((id.unsigned_abs() & 0xffff_ffff, row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The tree over what was pruned.
pub(super) fn pruned(connection: &Connection) -> Result<Frontier, StoreError> {
    let sql = "SELECT size, frontier FROM prunings ORDER BY size DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(Frontier::default()) };
    let (size, peaks): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
    let damaged = || StoreError::new(&codes::STORE_CORRUPT, "a pruned beginning has no tree");
    Frontier::from_bytes(size.unsigned_abs(), &peaks).ok_or_else(damaged)
}

/// Deletes the entries that `tree` is over.
pub(super) fn prune(tx: &mut Tx<'_>, tree: &Frontier, note: &Draft) -> Result<bool, StoreError> {
    let size = signed(tree.size())?;
    let sql = "SELECT max(size) FROM prunings";
    let before: Option<i64> = tx.row(sql, [], |row| row.get(0))?.flatten();
    if before.unwrap_or(0) >= size {
        return Ok(false);
    }
    let sql = "INSERT INTO prunings (size, frontier, at) VALUES (?1, ?2, ?3)";
    tx.execute(sql, (size, tree.to_bytes(), note.at.as_millisecond()))?;
    tx.execute("DELETE FROM records WHERE sequence <= ?1", [size])?;
    tx.append(note)?;
    Ok(true)
}
