//! Rotation: sealed rows get their keys wrapped anew, a few at a time.

use super::connection::column;
use super::tx::Tx;
use crate::store::rotation::{BYTES, Rewrap, Rewrapped, STEP, SealedRows};
use crate::store::{Keys, StoreError};

/// Rows in their order, until they are too many bytes: the first is always among them.
macro_rules! next {
    ($id:literal, $table:literal) => {
        concat!(
            "SELECT id, sealed FROM (
                SELECT id, sealed, sum(octet_length(sealed)) OVER (ORDER BY id)
                    - octet_length(sealed) AS before
                FROM (SELECT ",
            $id,
            " AS id, sealed FROM ",
            $table,
            " WHERE ",
            $id,
            " > $1 ORDER BY ",
            $id,
            " LIMIT $2) AS next) AS summed WHERE before <= $3 ORDER BY id"
        )
    };
}

pub(super) async fn run(tx: &Tx<'_>, keys: &Keys, step: Rewrap) -> Result<Rewrapped, StoreError> {
    let (select, update) = match step.rows {
        SealedRows::Bodies => (
            next!("message", "bodies"),
            "UPDATE bodies SET sealed = rows.sealed
                FROM unnest($1::bigint[], $2::bytea[]) AS rows (id, sealed)
                WHERE bodies.message = rows.id",
        ),
        SealedRows::Answers => (
            next!("id", "outbox"),
            "UPDATE outbox SET sealed = rows.sealed
                FROM unnest($1::bigint[], $2::bytea[]) AS rows (id, sealed)
                WHERE outbox.id = rows.id",
        ),
    };
    let limit = i64::try_from(STEP).unwrap_or(i64::MAX);
    let bytes = i64::try_from(BYTES).unwrap_or(i64::MAX);
    let rows = tx.query(select, &[&step.after, &limit, &bytes]).await?;
    let mut found = Rewrapped::new(keys);
    let (mut ids, mut anew) = (Vec::<i64>::new(), Vec::<Vec<u8>>::new());
    for row in &rows {
        let (id, sealed): (i64, &[u8]) = (column(row, 0)?, column(row, 1)?);
        if let Some(sealed) = found.look(keys, sealed, step.count) {
            ids.push(id);
            anew.push(sealed);
        }
        // At the end the next step finds nothing.
        found.next = Some(id);
    }
    if !ids.is_empty() {
        tx.execute(update, &[&ids, &anew]).await?;
    }
    Ok(found)
}
