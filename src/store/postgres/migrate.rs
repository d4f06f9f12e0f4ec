//! Tables of the version this program knows: brought forward at the start by whichever instance is
//! first, refused when they are newer.

use super::connection::{Session, column, odd};
use crate::model::codes::store as codes;
use crate::store::{Keys, StoreError};

/// One script per version of the tables; `meta.version` counts those that ran.
const MIGRATIONS: &[&str] = &[include_str!("schema-1.sql"), include_str!("schema-2.sql")];
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
        let sql = "INSERT INTO meta (name, value) VALUES ('version', $1)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        session.execute(sql, &[&MIGRATIONS.len().to_string()]).await?;
    }
    if stored_check(session).await?.is_none() {
        let sql = "INSERT INTO meta (name, value) VALUES ('keys', $1)";
        session.execute(sql, &[&keys.check()]).await?;
    }
    fit(session, keys).await
}

/// For a command that only reads: the tables must be there, known, and of these keys.
pub(super) async fn check(session: &Session, keys: &Keys) -> Result<(), StoreError> {
    match version(session).await? {
        0 => Err(StoreError::new(&codes::STORE_NOT_OPENED, "the database holds no store")),
        done if done != MIGRATIONS.len() => Err(unknown(done)),
        _ => fit(session, keys).await,
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

async fn stored_check(session: &Session) -> Result<Option<String>, StoreError> {
    let rows = session.query_once("SELECT value FROM meta WHERE name = 'keys'", &[]).await?;
    rows.first().map(|row| column(row, 0)).transpose()
}

async fn fit(session: &Session, keys: &Keys) -> Result<(), StoreError> {
    match stored_check(session).await? {
        Some(stored) if stored == keys.check() => Ok(()),
        _ => Err(StoreError::new(&codes::KEYS_DO_NOT_FIT, "")),
    }
}
