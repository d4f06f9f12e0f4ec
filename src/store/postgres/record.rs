//! The record's table: rows, the tree at its end, and whether that end can be trusted.

use super::connection::{Session, column, odd};
use super::tx::{frontier, signed};
use crate::model::codes::store as codes;
use crate::record::{Broken, Frontier, Hash, Verifier};
use crate::store::{RecordRow, StoreError};
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
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session.query(sql, &[&after, &limit]).await?.iter().map(row).collect()
}

fn row(row: &Row) -> Result<RecordRow, StoreError> {
    let leaf: &[u8] = column(row, 1)?;
    let leaf = Hash::try_from(leaf).map_err(|_| odd())?;
    Ok(RecordRow { sequence: column(row, 0)?, leaf, entry: column(row, 2)? })
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
    let from = (last - TAIL_CHECKED).max(0);
    let found = rows(session, from, usize::MAX).await?;
    let broken = |sequence: i64, why: Broken| {
        let detail = format!("sequence {sequence}: {}", why.reason());
        Err(StoreError::new(&codes::RECORD_BROKEN, detail))
    };
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
