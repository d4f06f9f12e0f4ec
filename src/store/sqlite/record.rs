//! The record's tables: rows, and the tree at its end.

use crate::model::codes::store as codes;
use crate::record::{Broken, Frontier, Hash, Verifier};
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

/// The tree over the whole record, out of its leaves.
pub(super) fn frontier(connection: &Connection) -> Result<Frontier, StoreError> {
    let mut tree = Frontier::default();
    let mut statement = connection.prepare_cached(
        "SELECT sequence, leaf FROM records WHERE sequence > ?1 ORDER BY sequence",
    )?;
    let after = signed(tree.size())?;
    let mut rows = statement.query([after])?;
    while let Some(row) = rows.next()? {
        let (sequence, leaf): (i64, Hash) = leaf_of(row)?;
        let expected = signed(tree.size())? + 1;
        if sequence != expected {
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
            return Err(broken(row.sequence, why));
        }
    }
    Ok(tree)
}

fn broken(sequence: i64, why: Broken) -> StoreError {
    let detail = format!("sequence {sequence}: {}", why.reason());
    StoreError::new(&codes::RECORD_BROKEN, detail)
}

/// SQLite's integers are signed.
pub(super) fn signed(size: u64) -> Result<i64, StoreError> {
    let too_long = |_| StoreError::new(&codes::STORE_REFUSED, "the record is too long");
    i64::try_from(size).map_err(too_long)
}
