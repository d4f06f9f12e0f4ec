//! Purge: rows of what ended long ago go, a few at a time.
//!
//! PostgreSQL overwrites nothing: what is deleted stays in its pages until a vacuum and new rows, and
//! in its log until that is recycled. Sealed bodies are all that could be found there.

use super::connection::{Session, column};
use super::tx::Tx;
use super::views::instant;
use crate::model::State;
use crate::store::StoreError;
use crate::store::acts::Ended;
use crate::store::purge::{Purge, Purged, Purging};
use jiff::Timestamp;
use tokio_postgres::Row;

/// Bytes deleted in one step: the head row is held meanwhile.
const BYTES: i64 = 4 << 20;

/// When the oldest message was accepted whose body is still kept.
pub(super) async fn oldest_body(session: &Session) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT accepted_at FROM messages WHERE id = (SELECT min(message) FROM bodies)";
    let Some(row) = session.row(sql, &[]).await? else { return Ok(None) };
    instant(column(&row, 0)?).map(Some)
}

/// Whether all exchanges of a message ended before an instant.
macro_rules! ended {
    ($message:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM exchanges e WHERE e.message = ",
            $message,
            " AND (e.since >= $3 OR e.state NOT IN
                ('delivered', 'dead', 'duplicate', 'discarded')))"
        )
    };
}

const BODIES: &str = concat!(
    "SELECT b.message, m.accepted_at, octet_length(b.sealed)::bigint, ",
    ended!("b.message"),
    " FROM bodies b JOIN messages m ON m.id = b.message
    WHERE b.message > $1 ORDER BY b.message LIMIT $2"
);
const ANSWERS: &str = "SELECT o.id, m.accepted_at, octet_length(o.sealed)::bigint,
        coalesce(o.published_at < $3, false)
    FROM outbox o JOIN messages m ON m.id = o.message WHERE o.id > $1 ORDER BY o.id LIMIT $2";
const MESSAGES: &str = concat!(
    "SELECT m.id, m.accepted_at, 0::bigint, ",
    ended!("m.id"),
    " AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.message = m.id)
        AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.message = m.id)
    FROM messages m WHERE m.id > $1 ORDER BY m.id LIMIT $2"
);

/// Rows are walked in the order of their ids, which is that of acceptance: the walk ends at the
/// first message that is too young, and what it passes over again every time is only what has not
/// ended yet.
pub(super) async fn run(tx: &mut Tx<'_>, purge: &Purge) -> Result<Purged, StoreError> {
    let sql = match purge.what {
        Purging::Bodies => BODIES,
        Purging::Answers => ANSWERS,
        Purging::Messages => MESSAGES,
    };
    let limit = i64::try_from(purge.limit).unwrap_or(i64::MAX);
    let before = purge.before.as_millisecond();
    let rows = tx.query(sql, &[&purge.after, &limit, &before]).await?;
    let (mut going, mut bytes, mut last) = (Vec::new(), 0, None);
    let mut more = rows.len() == purge.limit;
    for row in &rows {
        if column::<i64>(row, 1)? >= before {
            (more, last) = (false, None);
            break;
        }
        if bytes > BYTES {
            more = true;
            break;
        }
        let id: i64 = column(row, 0)?;
        if column(row, 3)? {
            bytes += column::<i64>(row, 2)?;
            going.push(id);
        }
        last = Some(id);
    }
    let next = last.filter(|_| more);
    let rows = match purge.what {
        Purging::Bodies => {
            tx.execute("DELETE FROM bodies WHERE message = ANY($1)", &[&going]).await?
        }
        Purging::Answers => tx.execute("DELETE FROM outbox WHERE id = ANY($1)", &[&going]).await?,
        Purging::Messages => forget(tx, &going).await?,
    };
    Ok(Purged { rows, next })
}

/// Messages with their exchanges and attempts.
async fn forget(tx: &mut Tx<'_>, messages: &[i64]) -> Result<u64, StoreError> {
    let sql = "DELETE FROM attempts WHERE exchange IN
        (SELECT id FROM exchanges WHERE message = ANY($1))";
    tx.execute(sql, &[&messages]).await?;
    let sql = "DELETE FROM approvals WHERE exchange IN
        (SELECT id FROM exchanges WHERE message = ANY($1))";
    tx.execute(sql, &[&messages]).await?;
    let sql = "DELETE FROM demands WHERE exchange IN
        (SELECT id FROM exchanges WHERE message = ANY($1))";
    tx.execute(sql, &[&messages]).await?;
    let sql = "DELETE FROM exchanges WHERE message = ANY($1)
        RETURNING route, state, coalesce(code, ''), attempts, was_unknown";
    for row in &tx.query(sql, &[&messages]).await? {
        reopen(tx, row)?;
    }
    tx.execute("DELETE FROM messages WHERE id = ANY($1)", &[&messages]).await
}

fn reopen(tx: &mut Tx<'_>, row: &Row) -> Result<(), StoreError> {
    let Some(state) = State::from_name(column(row, 1)?) else { return Ok(()) };
    let resolved = column::<bool>(row, 4)? && state == State::Delivered;
    let (route, code, attempts) = (column(row, 0)?, column(row, 2)?, column(row, 3)?);
    tx.reopened(&Ended { route, state: state.name(), code, attempts, resolved });
    Ok(())
}
