//! Reading for people: lists, attempts, counts, the record. No personal data.

use super::claim::instant;
use super::exchanges::open_exchange;
use super::ids::{self, Shared, json};
use crate::store::{AttemptView, Count, ExchangeView, Filter, StoreError};
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension as _, Row};

/// Rows a list gives at most.
const LIST_CAP: usize = 1000;

/// A time as people and programs read it: RFC 3339, UTC, milliseconds.
pub(super) fn text(milliseconds: i64) -> Result<String, StoreError> {
    Ok(format!("{:.3}", instant(milliseconds)?))
}

/// Lists exchanges by their row, a page at a time. A limit of 0 means the cap.
pub(super) fn list(
    connection: &Connection,
    ids: Option<&Shared>,
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
         FROM exchanges e JOIN messages m ON m.id = e.message WHERE e.id > ?1",
    );
    let mut values: Vec<&dyn ToSql> = vec![&filter.after];
    let wanted = [("e.route", &filter.route), ("e.code", &filter.code)];
    for (column, value) in wanted {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&format!(" AND {column} = ?{}", values.len()));
        }
    }
    let rows = match &filter.message_id {
        Some(id) => Some(json(&ids::rows_of(connection, ids, id)?)),
        None => None,
    };
    if let Some(rows) = &rows {
        values.push(rows);
        let place = values.len();
        sql.push_str(&format!(" AND e.message IN (SELECT value FROM json_each(?{place}))"));
    }
    // State names stand in the text, not as parameters: only so do the partial indexes apply.
    let names: Vec<_> = filter.states.iter().map(|state| format!("'{state}'")).collect();
    match names.as_slice() {
        [] => {}
        [one] => sql.push_str(&format!(" AND e.state = {one}")),
        _ => sql.push_str(&format!(" AND e.state IN ({})", names.join(", "))),
    }
    if !names.is_empty() && filter.states.iter().all(|state| !state.is_final()) {
        sql.push_str(concat!(" AND ", open_exchange!()));
    }
    sql.push_str(&format!(" ORDER BY e.id LIMIT {limit}"));
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(values.as_slice())?;
    let mut views = Vec::new();
    while let Some(row) = rows.next()? {
        views.push(view(row)?);
    }
    Ok(views)
}

fn view(row: &Row<'_>) -> Result<ExchangeView, StoreError> {
    let due: Option<i64> = row.get(16)?;
    Ok(ExchangeView {
        id: row.get(0)?,
        source: row.get(1)?,
        message_id: row.get(2)?,
        message_type: row.get(3)?,
        route: row.get(4)?,
        counterpart: row.get(5)?,
        operation: row.get(6)?,
        state: row.get(7)?,
        attempts: row.get(8)?,
        maybe_applied: row.get(9)?,
        ticket: row.get(10)?,
        code: row.get(11)?,
        stage: row.get(12)?,
        detail: row.get(13)?,
        accepted_at: text(row.get(14)?)?,
        since: text(row.get(15)?)?,
        due: due.map(text).transpose()?,
        bundle: row.get(17)?,
        replay_of: row.get(18)?,
    })
}

/// Attempts of one exchange, in order.
pub(super) fn attempts(
    connection: &Connection,
    exchange: i64,
) -> Result<Vec<AttemptView>, StoreError> {
    let sql = "SELECT number, started_at, finished_at, outcome, http_status FROM attempts
        WHERE exchange = ?1 ORDER BY number";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([exchange])?;
    let mut views = Vec::new();
    while let Some(row) = rows.next()? {
        let finished: Option<i64> = row.get(2)?;
        views.push(AttemptView {
            number: row.get(0)?,
            started_at: text(row.get(1)?)?,
            finished_at: finished.map(text).transpose()?,
            outcome: row.get(3)?,
            http_status: row.get(4)?,
        });
    }
    Ok(views)
}

/// SQLite's integers are signed; these never are below zero.
fn count(row: &Row<'_>, index: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(index).map(i64::unsigned_abs)
}

/// Counts: unfinished rows over their index, finished ones out of the tallies.
pub(super) fn counts(connection: &Connection) -> Result<Vec<Count>, StoreError> {
    let sql = concat!(
        "SELECT route, state, NULL, count(*), sum(max(attempts - 1, 0)), 0
         FROM exchanges INDEXED BY exchanges_open WHERE ",
        open_exchange!(),
        " GROUP BY route, state
         UNION ALL
         SELECT route, state, nullif(code, ''), count, retried, unknown_resolved
         FROM tallies WHERE count > 0
         ORDER BY 1, 2, 3"
    );
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(Count {
            route: row.get(0)?,
            state: row.get(1)?,
            code: row.get(2)?,
            count: count(row, 3)?,
            retried: count(row, 4)?,
            unknown_resolved: count(row, 5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Exchanges not yet ended, per counterpart, but for those that wait for a second person.
pub(super) fn backlog(connection: &Connection) -> Result<Vec<(String, u64)>, StoreError> {
    let sql = concat!(
        "SELECT counterpart, count(*) FROM exchanges INDEXED BY exchanges_open WHERE ",
        open_exchange!(),
        " AND state <> 'waiting-approval' GROUP BY counterpart"
    );
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, count(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A named cursor.
pub(super) fn cursor(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM cursors WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}
