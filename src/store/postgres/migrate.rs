//! Tables of the version this program knows: brought forward at the start by whichever instance is
//! first, refused when they are newer.

use super::connection::{Session, column, odd};
use crate::model::codes::store as codes;
use crate::store::owner::{self, KEYS, OWNER};
use crate::store::{Keys, StoreError};

/// One script per version of the tables; `meta.version` counts those that ran.
const MIGRATIONS: &[&str] =
    &[include_str!("schema-1.sql"), include_str!("schema-2.sql"), include_str!("schema-3.sql")];
/// Several instances start together; the first one does it, the others wait. The letters of the name.
const LOCK: &str = "SELECT pg_advisory_xact_lock(8241990181258617)";

/// Runs what is missing, in one transaction, and writes or checks what the keys derive.
pub(super) async fn forward(session: &Session, keys: &Keys) -> Result<(), StoreError> {
    session.batch("BEGIN").await?;
    let done = migrate(session, keys).await;
    session.batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
    done
}

async fn migrate(session: &Session, keys: &Keys) -> Result<(), StoreError> {
    session.batch(LOCK).await?;
    let done = version(session).await?;
    if done > MIGRATIONS.len() {
        return Err(unknown(done));
    }
    for script in MIGRATIONS.iter().skip(done) {
        session.batch(script).await?;
    }
    if done < MIGRATIONS.len() {
        remember(session, "version", &MIGRATIONS.len().to_string()).await?;
    }
    if remembered(session, KEYS).await?.is_none() {
        remember(session, KEYS, &keys.check()).await?;
    }
    let binding = fit(session, keys).await?;
    if let Some(owner) = binding {
        remember(session, OWNER, &owner).await?;
    }
    Ok(())
}

/// For a command that only reads: the tables must be there, known, and of these keys.
pub(super) async fn check(session: &Session, keys: &Keys) -> Result<(), StoreError> {
    match version(session).await? {
        0 => Err(StoreError::new(&codes::STORE_NOT_OPENED, "the database holds no store")),
        done if done != MIGRATIONS.len() => Err(unknown(done)),
        _ => fit(session, keys).await.map(drop),
    }
}

fn unknown(done: usize) -> StoreError {
    let detail = format!("tables of version {done}, known up to {}", MIGRATIONS.len());
    StoreError::new(&codes::STORE_VERSION_UNKNOWN, detail)
}

async fn version(session: &Session) -> Result<usize, StoreError> {
    let row = session.row("SELECT to_regclass('meta') IS NOT NULL", &[]).await?.ok_or_else(odd)?;
    if !column::<bool>(&row, 0)? {
        return Ok(0);
    }
    let row = session.query_once("SELECT value FROM meta WHERE name = 'version'", &[]).await?;
    let text: String = row.first().map_or_else(|| Err(odd()), |row| column(row, 0))?;
    text.parse().map_err(|_| odd())
}

/// What the store remembers under a name.
async fn remembered(session: &Session, name: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM meta WHERE name = $1";
    let rows = session.query_once(sql, &[&name]).await?;
    rows.first().map(|row| column(row, 0)).transpose()
}

async fn remember(session: &Session, name: &str, value: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (name, value) VALUES ($1, $2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    session.execute(sql, &[&name, &value]).await.map(drop)
}

/// Whether the store is of these municipalities and keys; what it is to remember, if it does not yet.
async fn fit(session: &Session, keys: &Keys) -> Result<Option<String>, StoreError> {
    let stored = remembered(session, OWNER).await?;
    let binding = owner::bind(stored.as_deref(), keys)?.map(str::to_owned);
    match remembered(session, KEYS).await? {
        Some(stored) if stored == keys.check() => Ok(binding),
        _ => Err(StoreError::new(&codes::KEYS_DO_NOT_FIT, "")),
    }
}
