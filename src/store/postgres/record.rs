//! The record's tables: rows, the tree at its end and whether that can be trusted, checkpoints,
//! blocks, pruning.

use super::connection::{Params, Session, column, odd};
use super::prepared::Entry;
use super::tx::{Tx, frontier, signed};
use super::views::instant;
use crate::record::index::Block;
use crate::record::{Broken, Checkpoint, Frontier, Hash, Head, Verifier};
use crate::store::record::broken;
use crate::store::{RecordRow, StoreError};
use jiff::Timestamp;
use tokio_postgres::Row;

/// Rows at the end of the record whose entries are hashed anew when an instance starts.
const TAIL_CHECKED: i64 = 64;

/// Rows after a sequence.
pub(super) async fn rows(
    session: &Session,
    after: i64,
    limit: usize,
) -> Result<Vec<RecordRow>, StoreError> {
    let sql = "SELECT sequence, leaf, entry FROM records WHERE sequence > $1
        ORDER BY sequence LIMIT $2";
    session.query(sql, &[&after, &many(limit)]).await?.iter().map(row).collect()
}

fn row(row: &Row) -> Result<RecordRow, StoreError> {
    Ok(RecordRow { sequence: column(row, 0)?, leaf: hash(row, 1)?, entry: column(row, 2)? })
}

fn hash(row: &Row, index: usize) -> Result<Hash, StoreError> {
    Hash::try_from(column::<&[u8]>(row, index)?).map_err(|_| odd())
}

fn many(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// The tree over all that is committed.
pub(super) async fn tree(session: &Session) -> Result<Frontier, StoreError> {
    let row = session.row("SELECT size, peaks FROM head", &[]).await?.ok_or_else(odd)?;
    frontier(column(&row, 0)?, column(&row, 1)?)
}

/// The last entries are those of their leaves, and the last of them is where the head says: nothing
/// is appended to a broken end.
pub(super) async fn check_end(session: &Session) -> Result<(), StoreError> {
    let last = signed(tree(session).await?.size());
    let pruned = signed(pruned(session).await?.size());
    let from = (last - TAIL_CHECKED).max(pruned);
    let found = rows(session, from, usize::MAX).await?;
    let broken = |sequence: i64, why: Broken| Err(broken(sequence.unsigned_abs(), why));
    let mut expected = from + 1;
    for row in &found {
        // What other instances have appended since comes after it.
        if row.sequence != expected {
            return broken(expected, Broken::Sequence);
        }
        if let Some(why) = Verifier::flaw(row) {
            return broken(row.sequence, why);
        }
        expected += 1;
    }
    if expected <= last { broken(expected, Broken::Sequence) } else { Ok(()) }
}

/// Leaves of the entries after the first `after`.
pub(super) async fn leaves(
    session: &Session,
    after: u64,
    limit: usize,
) -> Result<Vec<Hash>, StoreError> {
    let sql = "SELECT sequence, leaf FROM records WHERE sequence > $1 ORDER BY sequence LIMIT $2";
    let mut leaves = Vec::new();
    for row in session.query(sql, &[&signed(after), &many(limit)]).await? {
        let expected = after + leaves.len() as u64 + 1;
        if column::<i64>(&row, 0)? != signed(expected) {
            return Err(broken(expected, Broken::Sequence));
        }
        leaves.push(hash(&row, 1)?);
    }
    Ok(leaves)
}

fn checkpoint(row: &Row) -> Result<Checkpoint, StoreError> {
    let size: i64 = column(row, 0)?;
    let head = Head { size: size.unsigned_abs(), root: hash(row, 1)? };
    Ok(Checkpoint { head, note: column(row, 2)?, at: instant(column(row, 3)?)? })
}

/// Checkpoints of a size greater than `after`, the smallest first.
pub(super) async fn checkpoints(
    session: &Session,
    after: u64,
    limit: usize,
) -> Result<Vec<Checkpoint>, StoreError> {
    let sql = "SELECT size, root, note, at FROM checkpoints WHERE size > $1 ORDER BY size LIMIT $2";
    let rows = session.query(sql, &[&signed(after), &many(limit)]).await?;
    rows.iter().map(checkpoint).collect()
}

/// The newest checkpoints, the largest first.
pub(super) async fn last_checkpoints(
    session: &Session,
    limit: usize,
) -> Result<Vec<Checkpoint>, StoreError> {
    let sql = "SELECT size, root, note, at FROM checkpoints ORDER BY size DESC LIMIT $1";
    session.query(sql, &[&many(limit)]).await?.iter().map(checkpoint).collect()
}

/// Keeps a checkpoint that is greater than all before.
pub(super) async fn put_checkpoint(
    tx: &Tx<'_>,
    checkpoint: &Checkpoint,
    instead_of: Option<u64>,
) -> Result<bool, StoreError> {
    let size = signed(checkpoint.head.size);
    let row = tx.one("SELECT coalesce(max(size), -1) FROM checkpoints", &[]).await?;
    if column::<i64>(&row, 0)? >= size {
        return Ok(false);
    }
    if let Some(old) = instead_of {
        tx.execute("DELETE FROM checkpoints WHERE size = $1", &[&signed(old)]).await?;
    }
    let sql = "INSERT INTO checkpoints (size, root, note, at) VALUES ($1, $2, $3, $4)";
    let (root, at) = (checkpoint.head.root.as_slice(), checkpoint.at.as_millisecond());
    tx.execute(sql, &[&size, &root, &checkpoint.note, &at]).await?;
    Ok(true)
}

/// Roots of the full blocks from a number on. What comes after a gap is of no use: it is made
/// again, in order.
pub(super) async fn block_roots(
    session: &Session,
    from: u64,
    limit: usize,
) -> Result<Vec<Hash>, StoreError> {
    let sql = "SELECT number, root FROM record_blocks WHERE number >= $1 ORDER BY number LIMIT $2";
    let mut roots = Vec::new();
    for row in session.query(sql, &[&signed(from), &many(limit)]).await? {
        if column::<i64>(&row, 0)? != signed(from + roots.len() as u64) {
            break;
        }
        roots.push(hash(&row, 1)?);
    }
    Ok(roots)
}

/// Keeps a block, unless it is there.
pub(super) async fn put_block(tx: &Tx<'_>, block: &Block) -> Result<(), StoreError> {
    let sql = "INSERT INTO record_blocks (number, root) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let number = signed(block.number);
    if tx.execute(sql, &[&number, &block.root.as_slice()]).await? == 0 {
        return Ok(());
    }
    let parts: Vec<i64> = (0..).zip(&block.parts).map(|(part, _)| part).collect();
    let places: Vec<&[u8]> = block.parts.iter().map(Vec::as_slice).collect();
    let sql = "INSERT INTO record_index (part, number, places)
        SELECT n.part, $2, n.places FROM unnest($1::bigint[], $3::bytea[]) AS n (part, places)";
    let params: Params<'_> = &[&parts, &number, &places];
    tx.execute(sql, params).await.map(drop)
}

/// One part of the index of the blocks from a number on.
pub(super) async fn index_part(
    session: &Session,
    part: u8,
    from: u64,
    limit: usize,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let sql = "SELECT number, places FROM record_index WHERE part = $1 AND number >= $2
        ORDER BY number LIMIT $3";
    let rows = session.query(sql, &[&i64::from(part), &signed(from), &many(limit)]).await?;
    rows.iter().map(|row| Ok((column::<i64>(row, 0)?.unsigned_abs(), column(row, 1)?))).collect()
}

/// The tree over what was pruned.
pub(super) async fn pruned(session: &Session) -> Result<Frontier, StoreError> {
    let sql = "SELECT size, frontier FROM prunings ORDER BY size DESC LIMIT 1";
    match session.row(sql, &[]).await? {
        Some(row) => frontier(column(&row, 0)?, column(&row, 1)?),
        None => Ok(Frontier::default()),
    }
}

/// Deletes the entries that `tree` is over.
pub(super) async fn prune(
    tx: &mut Tx<'_>,
    tree: &Frontier,
    note: &Entry,
    at: Timestamp,
) -> Result<bool, StoreError> {
    let size = signed(tree.size());
    let row = tx.one("SELECT coalesce(max(size), 0) FROM prunings", &[]).await?;
    if column::<i64>(&row, 0)? >= size {
        return Ok(false);
    }
    let sql = "INSERT INTO prunings (size, frontier, at) VALUES ($1, $2, $3)";
    tx.execute(sql, &[&size, &tree.to_bytes(), &at.as_millisecond()]).await?;
    tx.execute("DELETE FROM records WHERE sequence <= $1", &[&size]).await?;
    tx.append(note);
    Ok(true)
}
