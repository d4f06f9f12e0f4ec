//! Reading for people: lists, attempts, counts, the record. No personal data.

use super::connection::{Session, column, kept, odd, plain};
use super::exchanges::final_states;
use crate::model::codes::store as codes;
use crate::store::{AttemptView, Count, ExchangeView, Filter, StoreError};
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Rows a list gives at most.
const LIST_CAP: usize = 1000;

/// An instant out of its column.
pub(super) fn instant(milliseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(milliseconds)
        .map_err(|_| StoreError::new(&codes::STORE_REFUSED, "a time is out of range"))
}

/// A time as people and programs read it: RFC 3339, UTC, milliseconds.
pub(super) fn text(milliseconds: i64) -> Result<String, StoreError> {
    Ok(format!("{:.3}", instant(milliseconds)?))
}

/// Lists exchanges by their row, a page at a time. A limit of 0 means the cap.
pub(super) async fn list(
    session: &Session,
    filter: &Filter,
) -> Result<Vec<ExchangeView>, StoreError> {
    let limit = match filter.limit {
        0 => LIST_CAP,
        limit => limit.min(LIST_CAP),
    };
    let mut sql = String::from(
        "SELECT e.id, m.source, m.message_id, m.message_type, e.route, e.counterpart,
            e.operation, e.state, e.attempts, e.maybe_applied, e.ticket, e.code, e.stage,
            e.detail, m.accepted_at, e.since, e.due, e.bundle, e.replay_of
         FROM exchanges e JOIN messages m ON m.id = e.message WHERE e.id > $1",
    );
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&filter.after];
    let message_id = filter.message_id.as_deref().map(kept);
    let wanted: [(&str, Option<&(dyn ToSql + Sync)>); 3] = [
        ("e.route", filter.route.as_ref().map(|value| value as &(dyn ToSql + Sync))),
        ("e.code", filter.code.as_ref().map(|value| value as &(dyn ToSql + Sync))),
        ("m.message_id", message_id.as_ref().map(|value| value as &(dyn ToSql + Sync))),
    ];
    for (column, value) in wanted {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    // State names stand in the text, not as parameters: only so do the partial indexes apply.
    let names: Vec<_> = filter.states.iter().map(|state| format!("'{state}'")).collect();
    if !names.is_empty() {
        sql.push_str(&format!(" AND e.state IN ({})", names.join(", ")));
    }
    sql.push_str(&format!(" ORDER BY e.id LIMIT {limit}"));
    session.query_once(&sql, &values).await?.iter().map(view).collect()
}

fn view(row: &Row) -> Result<ExchangeView, StoreError> {
    let due: Option<i64> = column(row, 16)?;
    let maybe = |index| Ok::<_, StoreError>(column::<Option<String>>(row, index)?.map(plain));
    let attempts: i64 = column(row, 8)?;
    Ok(ExchangeView {
        id: column(row, 0)?,
        source: plain(column(row, 1)?),
        message_id: column(row, 2)?,
        message_type: plain(column(row, 3)?),
        route: column(row, 4)?,
        counterpart: column(row, 5)?,
        operation: column(row, 6)?,
        state: column(row, 7)?,
        attempts: u32::try_from(attempts).map_err(|_| odd())?,
        maybe_applied: column(row, 9)?,
        ticket: maybe(10)?,
        code: column(row, 11)?,
        stage: column(row, 12)?,
        detail: maybe(13)?,
        accepted_at: text(column(row, 14)?)?,
        since: text(column(row, 15)?)?,
        due: due.map(text).transpose()?,
        bundle: column(row, 17)?,
        replay_of: column(row, 18)?,
    })
}

/// Attempts of one exchange, in order.
pub(super) async fn attempts(
    session: &Session,
    exchange: i64,
) -> Result<Vec<AttemptView>, StoreError> {
    let sql = "SELECT number, started_at, finished_at, outcome, http_status FROM attempts
        WHERE exchange = $1 ORDER BY number";
    let rows = session.query(sql, &[&exchange]).await?;
    let view = |row: &Row| {
        let finished: Option<i64> = column(row, 2)?;
        let number: i64 = column(row, 0)?;
        let status: Option<i64> = column(row, 4)?;
        Ok(AttemptView {
            number: u32::try_from(number).map_err(|_| odd())?,
            started_at: text(column(row, 1)?)?,
            finished_at: finished.map(text).transpose()?,
            outcome: column(row, 3)?,
            http_status: status.map(u16::try_from).transpose().map_err(|_| odd())?,
        })
    };
    rows.iter().map(view).collect()
}

/// Counts: unfinished rows over their indexes, finished ones out of the tallies.
pub(super) async fn counts(session: &Session) -> Result<Vec<Count>, StoreError> {
    let sql = concat!(
        "SELECT * FROM (
            SELECT route COLLATE \"C\" AS route, state COLLATE \"C\" AS state, NULL::text AS code,
                count(*), sum(greatest(attempts - 1, 0))::bigint, 0::bigint
            FROM exchanges WHERE state NOT IN ",
        final_states!(),
        " GROUP BY 1, 2
            UNION ALL
            SELECT route, state, nullif(code, '') COLLATE \"C\", count, retried, unknown_resolved
            FROM tallies WHERE count > 0) c
         ORDER BY 1, 2, 3 NULLS FIRST"
    );
    let rows = session.query(sql, &[]).await?;
    let figure = |row: &Row, index| column::<i64>(row, index).map(i64::unsigned_abs);
    let count = |row: &Row| {
        Ok(Count {
            route: column(row, 0)?,
            state: column(row, 1)?,
            code: column(row, 2)?,
            count: figure(row, 3)?,
            retried: figure(row, 4)?,
            unknown_resolved: figure(row, 5)?,
        })
    };
    rows.iter().map(count).collect()
}

/// Exchanges not yet ended, per counterpart, but for those that wait for a second person.
pub(super) async fn backlog(session: &Session) -> Result<Vec<(String, u64)>, StoreError> {
    let sql = "SELECT counterpart, sum(count)::bigint FROM (
            SELECT counterpart, count(*) AS count FROM exchanges
                WHERE state NOT IN ('delivered', 'dead', 'duplicate', 'discarded', 'held',
                    'waiting-approval')
                GROUP BY counterpart
            UNION ALL
            SELECT counterpart, count(*) FROM exchanges WHERE state = 'held' GROUP BY counterpart)
            open
        GROUP BY counterpart ORDER BY counterpart COLLATE \"C\"";
    let rows = session.query(sql, &[]).await?;
    rows.iter().map(|row| Ok((column(row, 0)?, column::<i64>(row, 1)?.unsigned_abs()))).collect()
}

/// A named cursor.
pub(super) async fn cursor(session: &Session, name: &str) -> Result<Option<String>, StoreError> {
    let row = session.row("SELECT value FROM cursors WHERE name = $1", &[&kept(name)]).await?;
    row.map(|row| Ok(plain(column(&row, 0)?))).transpose()
}
