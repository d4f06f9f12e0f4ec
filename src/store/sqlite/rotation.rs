//! Rotation: sealed rows get their keys wrapped anew, a few at a time.

use super::SqliteStore;
use super::writer::{self, Tx};
use crate::model::codes::store as codes;
use crate::store::rotation::{BYTES, Rewrap, Rewrapped, Rotate, STEP, SealedRows};
use crate::store::{Keys, Later, StoreError};
use std::sync::Arc;

impl Rotate for SqliteStore {
    fn rewrap(&self, step: Rewrap) -> Later<'_, Rewrapped> {
        let keys = Arc::clone(&self.keys);
        Box::pin(self.write(writer::OTHER, move |tx| run(tx, &keys, step)))
    }
}

fn run(tx: &mut Tx<'_>, keys: &Keys, step: Rewrap) -> Result<Rewrapped, StoreError> {
    let (select, update) = match step.rows {
        SealedRows::Bodies => (
            "SELECT message, sealed FROM bodies WHERE message > ?1 ORDER BY message",
            "UPDATE bodies SET sealed = ?2 WHERE message = ?1",
        ),
        SealedRows::Answers => (
            "SELECT id, sealed FROM outbox WHERE id > ?1 ORDER BY id",
            "UPDATE outbox SET sealed = ?2 WHERE id = ?1",
        ),
    };
    let mut found = Rewrapped::new(keys);
    let (mut bytes, mut looked, mut anew) = (0, 0, Vec::new());
    let mut statement = tx.connection.prepare_cached(select)?;
    let mut rows = statement.query([step.after])?;
    while let Some(row) = rows.next()? {
        if looked == STEP || bytes > BYTES {
            break;
        }
        let id: i64 = row.get(0)?;
        let odd =
            |_| StoreError::new(&codes::STORE_REFUSED, "a row has another shape than expected");
        let sealed = row.get_ref(1)?.as_blob().map_err(odd)?;
        bytes += sealed.len();
        looked += 1;
        anew.extend(found.look(keys, sealed, step.count).map(|sealed| (id, sealed)));
        found.next = Some(id);
    }
    if looked < STEP && bytes <= BYTES {
        found.next = None;
    }
    drop(rows);
    for (id, sealed) in anew {
        tx.execute(update, (id, sealed))?;
    }
    Ok(found)
}
