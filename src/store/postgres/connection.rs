//! A session: its settings, its statements, and what PostgreSQL's errors mean to us.

use crate::model::Code;
use crate::model::codes::store as codes;
use crate::store::StoreError;
use futures_util::future::try_join_all;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

/// The oldest server whose behaviour is relied on.
const OLDEST_SERVER: i32 = 150_000;
/// Longest wait for one answer of the server, beyond its own limit on a statement.
pub(super) const ANSWER: Duration = Duration::from_secs(20);

/// Settings of every session. The limits bound what a stuck instance can hold up: a statement that
/// waits for the head row, and a transaction whose client does not go on. Plans are made once and
/// by index only: a table that was empty when they were made may be large when they run.
const SESSION: &str =
    "SET statement_timeout = '15s'; SET idle_in_transaction_session_timeout = '5s';
    SET client_min_messages = 'error'; SET jit = off; SET plan_cache_mode = 'force_generic_plan'";
const BY_INDEX: &str =
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off";

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Groups of writes, leases and leaders: what is committed is durable.
    Write,
    /// Claims.
    Claim,
    /// Lists and counts.
    Look,
}

/// One connection with its prepared statements.
pub(super) struct Session {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

/// Parameters of a statement.
pub(super) type Params<'p> = &'p [&'p (dyn ToSql + Sync)];

impl Session {
    /// What a session begins with.
    pub async fn open(
        client: Client,
        purpose: Purpose,
        statements: &[&'static str],
    ) -> Result<Session, StoreError> {
        client.batch_execute(SESSION).await?;
        if purpose != Purpose::Look {
            client.batch_execute(BY_INDEX).await?;
        }
        if purpose == Purpose::Claim {
            // A reservation that a crash of the server forgets has kept nobody from anything.
            client.batch_execute("SET synchronous_commit = off").await?;
        }
        let session = Session { client, statements: Mutex::default() };
        session.prepare(statements).await?;
        Ok(session)
    }

    /// Has statements ready, so that none has to be prepared while others are sent.
    pub async fn prepare(&self, statements: &[&'static str]) -> Result<(), StoreError> {
        try_join_all(statements.iter().map(|sql| self.statement(sql))).await.map(drop)
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, StoreError> {
        let known = || self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(statement) = known().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        known().insert(sql, statement.clone());
        Ok(statement)
    }

    /// All rows.
    pub async fn query(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql).await?;
        in_time(self.client.query(&statement, params)).await
    }

    /// The first row, if any.
    pub async fn row(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// A statement made for this one call.
    pub async fn query_once(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        in_time(self.client.query(sql, params)).await
    }

    /// The number of rows changed.
    pub async fn execute(&self, sql: &'static str, params: Params<'_>) -> Result<u64, StoreError> {
        let statement = self.statement(sql).await?;
        in_time(self.client.execute(&statement, params)).await
    }

    /// Statements without parameters.
    pub async fn batch(&self, sql: &str) -> Result<(), StoreError> {
        in_time(self.client.batch_execute(sql)).await
    }

    /// Whether the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// What the server must be before it may keep anything.
    pub async fn check_server(&self) -> Result<(), StoreError> {
        let sql = "SELECT current_setting('server_version_num')::int,
            current_setting('synchronous_commit'), current_setting('fsync'),
            current_setting('full_page_writes'), pg_is_in_recovery(),
            current_setting('server_encoding'), current_setting('default_transaction_isolation')";
        let refuse = |detail: String| Err(StoreError::new(&codes::SERVER_UNSUITABLE, detail));
        let row = self.row(sql, &[]).await?.ok_or_else(odd)?;
        let version: i32 = column(&row, 0)?;
        let [commit, fsync, pages]: [String; 3] =
            [column(&row, 1)?, column(&row, 2)?, column(&row, 3)?];
        if version < OLDEST_SERVER {
            return refuse(format!("PostgreSQL {}, 15 or later is needed", version / 10_000));
        }
        // `local` waits for this server's disk only; whether that is enough is the operator's word.
        if !["on", "local", "remote_write", "remote_apply"].contains(&commit.as_str()) {
            return refuse(format!("synchronous_commit is {commit}"));
        }
        if fsync != "on" || pages != "on" {
            return refuse(format!("fsync is {fsync}, full_page_writes is {pages}"));
        }
        if column::<bool>(&row, 4)? {
            return Err(unreachable("the server is a standby"));
        }
        let encoding: String = column(&row, 5)?;
        if encoding != "UTF8" {
            return refuse(format!("the database's encoding is {encoding}, UTF8 is needed"));
        }
        Ok(())
    }

    /// What would be lost when a standby took this server's place: `None` where every commit waits
    /// for one.
    pub async fn failover_gap(&self) -> Result<Option<String>, StoreError> {
        let sql = "SELECT current_setting('synchronous_commit'),
            current_setting('synchronous_standby_names')";
        let row = self.row(sql, &[]).await?.ok_or_else(odd)?;
        let [commit, names]: [String; 2] = [column(&row, 0)?, column(&row, 1)?];
        Ok(if names.trim().is_empty() {
            Some("synchronous_standby_names is empty".to_owned())
        } else if commit == "local" {
            Some("synchronous_commit is local".to_owned())
        } else {
            None
        })
    }
}

/// Waits for an answer no longer than a dead connection could go unnoticed.
async fn in_time<T>(
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(ANSWER, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(unreachable("no answer in time")),
    }
}

/// A column of a row.
pub(super) fn column<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    index: usize,
) -> Result<T, StoreError> {
    row.try_get(index).map_err(|_| odd())
}

/// A text that will be shared.
pub(super) fn shared(row: &Row, index: usize) -> Result<Arc<str>, StoreError> {
    column::<&str>(row, index).map(Into::into)
}

/// The same where there may be none.
pub(super) fn maybe_shared(row: &Row, index: usize) -> Result<Option<Arc<str>>, StoreError> {
    column::<Option<&str>>(row, index).map(|text| text.map(Into::into))
}

/// A row of another shape than expected.
pub(super) fn odd() -> StoreError {
    StoreError::new(&codes::STORE_REFUSED, "a row has another shape than expected")
}

pub(super) fn unreachable(detail: impl Into<String>) -> StoreError {
    StoreError::new(&codes::STORE_UNREACHABLE, detail)
}

impl From<tokio_postgres::Error> for StoreError {
    /// Names PostgreSQL's own error code, never its text: that may quote a value.
    fn from(error: tokio_postgres::Error) -> Self {
        match error.code() {
            Some(state) => {
                let detail = format!("PostgreSQL error {}", state.code());
                StoreError::new(code_of(state), detail)
            }
            None if error.is_closed() => unreachable("the connection is closed"),
            None => unreachable(plain_cause(&error)),
        }
    }
}

/// Where no server answered: the kind of what the system said, which quotes nothing.
fn plain_cause(error: &tokio_postgres::Error) -> String {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(io) = one.downcast_ref::<std::io::Error>() {
            // The driver's own word for a server that takes no writes.
            if io.get_ref().is_some() && io.kind() == std::io::ErrorKind::PermissionDenied {
                return "the server is a standby".to_owned();
            }
            return match io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(rustls::Error::InvalidCertificate(why)) => format!("certificate: {why:?}"),
                Some(_) => "the TLS handshake failed".to_owned(),
                None => io.kind().to_string(),
            };
        }
        cause = one.source();
    }
    "it speaks another protocol than expected".to_owned()
}

fn code_of(state: &SqlState) -> &'static Code {
    let is = |states: &[&SqlState]| states.contains(&state);
    let name = state.code();
    if is(&[&SqlState::DISK_FULL]) {
        &codes::STORE_FULL
    } else if is(&[&SqlState::DATA_CORRUPTED, &SqlState::INDEX_CORRUPTED]) {
        &codes::STORE_CORRUPT
    } else if is(&[&SqlState::QUERY_CANCELED, &SqlState::LOCK_NOT_AVAILABLE])
        || name.starts_with("40")
    {
        &codes::STORE_SLOW
    } else if name.starts_with("08")
        || name.starts_with("57P")
        || name.starts_with("53")
        || name.starts_with("58")
        || name.starts_with("28")
        || is(&[
            &SqlState::READ_ONLY_SQL_TRANSACTION,
            &SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            &SqlState::INVALID_CATALOG_NAME,
        ])
    {
        &codes::STORE_UNREACHABLE
    } else {
        &codes::STORE_REFUSED
    }
}

/// Whether the call itself may be to blame. If not, repeating each call of a group alone would only
/// make all wait longer.
pub(super) fn is_of_the_call(error: &StoreError) -> bool {
    ![
        &codes::STORE_UNREACHABLE,
        &codes::STORE_SLOW,
        &codes::STORE_FULL,
        &codes::STORE_CORRUPT,
        &codes::OUTCOME_NOT_KNOWN,
        &codes::SERVER_UNSUITABLE,
        &codes::RECORD_BROKEN,
    ]
    .contains(&error.code)
}

/// Text as PostgreSQL can keep it: U+0000, which its `text` refuses, is written as U+001A `0`, and
/// U+001A itself as U+001A `1`. Nothing that comes from outside can then block a row.
pub(super) fn kept(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains(['\u{0}', '\u{1A}']) {
        text.replace('\u{1A}', "\u{1A}1").replace('\u{0}', "\u{1A}0").into()
    } else {
        text.into()
    }
}

/// The text that `kept` wrote.
pub(super) fn plain(text: String) -> String {
    if text.contains('\u{1A}') {
        text.replace("\u{1A}0", "\u{0}").replace("\u{1A}1", "\u{1A}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_can_be_kept_and_read_again() {
        for text in ["", "照会", "a\u{0}b", "\u{1A}", "\u{1A}0\u{0}1", "\u{0}\u{1A}1\u{1A}\u{0}"]
        {
            assert!(!kept(text).contains('\u{0}'));
            assert_eq!(plain(kept(text).into_owned()), text);
        }
    }
}
