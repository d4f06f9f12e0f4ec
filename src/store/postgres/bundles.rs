//! Definitions, kept for what was accepted under them.

use super::connection::{Session, column};
use super::prepared::Entry;
use super::tx::Tx;
use crate::model::codes::store as codes;
use crate::store::bundles::KEPT_BUNDLES;
use crate::store::{KeptBundle, StoreError};
use jiff::Timestamp;

/// A bundle about to be kept, its files as text.
pub(super) struct Keeping {
    pub digest: String,
    pub files: String,
    pub needed: Vec<String>,
    pub at: Timestamp,
    pub record: Vec<Entry>,
}

/// Keeps a bundle as the newest; lets go of what is neither new nor needed.
pub(super) async fn keep(tx: &mut Tx<'_>, keeping: &Keeping) -> Result<(), StoreError> {
    let sql = "INSERT INTO bundles (digest, files, since) VALUES ($1, $2, $3)
        ON CONFLICT (digest) DO UPDATE SET since = excluded.since";
    let at = keeping.at.as_millisecond();
    tx.execute(sql, &[&keeping.digest, &keeping.files, &at]).await?;
    let sql = "DELETE FROM bundles WHERE digest <> $1 AND digest <> ALL($2)
        AND digest NOT IN (SELECT digest FROM bundles ORDER BY since DESC LIMIT $3)";
    let newest = i64::try_from(KEPT_BUNDLES).unwrap_or(i64::MAX);
    tx.execute(sql, &[&keeping.digest, &keeping.needed, &newest]).await?;
    tx.append_all(&keeping.record);
    Ok(())
}

/// The texts of a bundle.
pub(super) async fn kept(
    session: &Session,
    digest: &str,
) -> Result<Option<KeptBundle>, StoreError> {
    let sql = "SELECT files FROM bundles WHERE digest = $1";
    let Some(row) = session.row(sql, &[&digest]).await? else { return Ok(None) };
    let damaged = |_| StoreError::new(&codes::STORE_REFUSED, "kept definitions are not readable");
    let files = serde_json::from_str(column(&row, 0)?).map_err(damaged)?;
    Ok(Some(KeptBundle { digest: digest.to_owned(), files }))
}

/// Digests that exchanges go by which have not ended, or are dead.
pub(super) async fn in_use(session: &Session) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT bundle FROM (
            SELECT DISTINCT bundle FROM exchanges
                WHERE state NOT IN ('delivered', 'dead', 'duplicate', 'discarded')
            UNION SELECT DISTINCT bundle FROM exchanges WHERE state = 'dead') used
        ORDER BY bundle COLLATE \"C\"";
    session.query(sql, &[]).await?.iter().map(|row| column(row, 0)).collect()
}
