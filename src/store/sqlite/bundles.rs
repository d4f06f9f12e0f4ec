//! Definitions, kept for what was accepted under them.

use super::exchanges::open_exchange;
use super::writer::Tx;
use crate::model::codes::store as codes;
use crate::record::Draft;
use crate::store::bundles::KEPT_BUNDLES;
use crate::store::{KeptBundle, StoreError};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

/// Keeps a bundle as the newest; lets go of what is neither new nor needed.
pub(super) fn keep(
    tx: &mut Tx<'_>,
    bundle: &KeptBundle,
    needed: &[String],
    at: Timestamp,
    record: &[Draft],
) -> Result<(), StoreError> {
    let unreadable = |_| StoreError::new(&codes::STORE_REFUSED, "a list has no text form");
    let files = serde_json::to_string(&bundle.files).map_err(unreadable)?;
    let sql = "INSERT INTO bundles (digest, files, since) VALUES (?1, ?2, ?3)
        ON CONFLICT DO UPDATE SET since = excluded.since";
    tx.execute(sql, (&bundle.digest, files, at.as_millisecond()))?;
    let needed = serde_json::to_string(needed).map_err(unreadable)?;
    let sql = "DELETE FROM bundles WHERE digest <> ?1
        AND digest NOT IN (SELECT value FROM json_each(?2))
        AND digest NOT IN (SELECT digest FROM bundles ORDER BY since DESC LIMIT ?3)";
    let newest = i64::try_from(KEPT_BUNDLES).unwrap_or(i64::MAX);
    tx.execute(sql, (&bundle.digest, needed, newest))?;
    tx.append_all(record)
}

/// The texts of a bundle.
pub(super) fn kept(
    connection: &Connection,
    digest: &str,
) -> Result<Option<KeptBundle>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT files FROM bundles WHERE digest = ?1")?;
    let files: Option<String> = statement.query_row([digest], |row| row.get(0)).optional()?;
    let Some(files) = files else { return Ok(None) };
    let damaged = |_| StoreError::new(&codes::STORE_REFUSED, "kept definitions are not readable");
    let files = serde_json::from_str(&files).map_err(damaged)?;
    Ok(Some(KeptBundle { digest: digest.to_owned(), files }))
}

/// Digests that exchanges go by which have not ended, or are dead.
pub(super) fn in_use(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let sql = concat!(
        "SELECT DISTINCT bundle FROM exchanges INDEXED BY exchanges_open WHERE ",
        open_exchange!(),
        " UNION SELECT DISTINCT bundle FROM exchanges WHERE state = 'dead' ORDER BY 1"
    );
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
