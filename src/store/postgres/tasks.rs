//! Replays as tasks: made, read, changed.

use super::connection::{Params, Session, column, kept, plain};
use super::prepared::Entry;
use super::tx::Tx;
use super::views;
use crate::model::State;
use crate::store::StoreError;
use crate::store::task_steps::{Made, parsed, text};
use crate::store::tasks::{
    ItemView, NewTask, NextItem, Selection, TaskChange, TaskState, TaskView,
};
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Rows that a selection matches, in order.
pub(super) async fn select(
    session: &Session,
    selection: &Selection,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let (from, to) = (
        selection.from.map(Timestamp::as_millisecond),
        selection.to.map(Timestamp::as_millisecond),
    );
    let state = selection.states_as_sql();
    let mut sql =
        format!("SELECT e.id FROM exchanges e JOIN messages m ON m.id = e.message WHERE {state}");
    let mut values: Vec<&(dyn ToSql + Sync)> = Vec::new();
    let mut filter = |condition: &str, value| {
        values.push(value);
        sql.push_str(&format!(" AND {}", condition.replace('?', &format!("${}", values.len()))));
    };
    if let Some(route) = &selection.route {
        filter("e.route = ?", route);
    }
    if let Some(code) = &selection.code {
        filter("e.code = ?", code);
    }
    if let Some(from) = &from {
        filter("m.accepted_at >= ?", from);
    }
    if let Some(to) = &to {
        filter("m.accepted_at < ?", to);
    }
    if !selection.messages.is_empty() {
        filter("m.message_id = ANY(?)", &selection.messages);
    }
    if !selection.exchanges.is_empty() {
        filter("e.id = ANY(?)", &selection.exchanges);
    }
    sql.push_str(&format!(" ORDER BY e.id LIMIT {limit}"));
    session.query_once(&sql, &values).await?.iter().map(|row| column(row, 0)).collect()
}

/// Makes a task, or recognises the request that made one.
pub(super) async fn create(tx: &mut Tx<'_>, task: &NewTask) -> Result<Made, StoreError> {
    let (selection, manner) = (text(&task.selection)?, text(&task.manner)?);
    let sql = "SELECT id, selection = $2 AND manner = $3 AND operator = $4 FROM tasks
        WHERE request = $1";
    let (request, operator) = (kept(&task.request), kept(&task.operator));
    if let Some(row) = tx.row(sql, &[&request, &selection, &manner, &operator]).await? {
        return Ok(match column(&row, 1)? {
            true => Made::Known(column(&row, 0)?),
            false => Made::Reused,
        });
    }
    let sql = "INSERT INTO tasks (request, state, selection, manner, operator, reason, created_at,
            changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING id";
    let (state, at) = (TaskState::Draft.name(), task.at.as_millisecond());
    let params: Params<'_> =
        &[&request, &state, &selection, &manner, &operator, &kept(&task.reason), &at];
    let id: i64 = column(&tx.one(sql, params).await?, 0)?;
    let sql = "INSERT INTO task_items (task, exchange, state)
        SELECT $1, n.exchange, 'waiting' FROM unnest($2::bigint[]) AS n (exchange)
        ON CONFLICT DO NOTHING";
    tx.execute(sql, &[&id, &task.exchanges]).await?;
    tx.append(&Entry::new(&task.draft(id)));
    Ok(Made::New(id))
}

/// Counts of items stand behind the columns: waiting, done, failed, skipped.
const COLUMNS: &str = "SELECT t.id, t.state, t.selection, t.manner, t.operator, t.reason,
        t.created_at, t.changed_at,
        (SELECT count(*) FROM task_items i WHERE i.task = t.id AND i.state = 'waiting'),
        (SELECT count(*) FROM task_items i WHERE i.task = t.id AND i.state = 'done'),
        (SELECT count(*) FROM task_items i WHERE i.task = t.id AND i.state = 'failed'),
        (SELECT count(*) FROM task_items i WHERE i.task = t.id AND i.state = 'skipped')
    FROM tasks t";

fn view(row: &Row) -> Result<TaskView, StoreError> {
    let count = |index| column::<i64>(row, index).map(i64::unsigned_abs);
    Ok(TaskView {
        id: column(row, 0)?,
        state: column(row, 1)?,
        selection: parsed(column(row, 2)?)?,
        manner: parsed(column(row, 3)?)?,
        operator: plain(column(row, 4)?),
        reason: plain(column(row, 5)?),
        created_at: views::text(column(row, 6)?)?,
        changed_at: views::text(column(row, 7)?)?,
        waiting: count(8)?,
        done: count(9)?,
        failed: count(10)?,
        skipped: count(11)?,
    })
}

/// A task.
pub(super) async fn task(session: &Session, id: i64) -> Result<Option<TaskView>, StoreError> {
    let sql = format!("{COLUMNS} WHERE t.id = $1");
    session.query_once(&sql, &[&id]).await?.first().map(view).transpose()
}

/// The newest tasks.
pub(super) async fn tasks(session: &Session, limit: usize) -> Result<Vec<TaskView>, StoreError> {
    let limit = limit.min(1_000);
    let sql = format!("{COLUMNS} ORDER BY t.id DESC LIMIT {limit}");
    session.query_once(&sql, &[]).await?.iter().map(view).collect()
}

/// Items of a task.
pub(super) async fn items(
    session: &Session,
    task: i64,
    state: Option<&str>,
    after: i64,
    limit: usize,
) -> Result<Vec<ItemView>, StoreError> {
    let sql = "SELECT exchange, state, made, code, detail FROM task_items
        WHERE task = $1 AND exchange > $2 AND ($3::text IS NULL OR state = $3)
        ORDER BY exchange LIMIT $4";
    let limit = i64::try_from(limit.min(1_000)).unwrap_or(1_000);
    let view = |row: &Row| {
        Ok(ItemView {
            exchange: column(row, 0)?,
            state: column(row, 1)?,
            made: column(row, 2)?,
            code: column(row, 3)?,
            detail: column::<Option<String>>(row, 4)?.map(plain),
        })
    };
    session.query(sql, &[&task, &after, &state, &limit]).await?.iter().map(view).collect()
}

/// Changes a task.
pub(super) async fn change(
    tx: &mut Tx<'_>,
    change: &TaskChange,
) -> Result<Option<TaskState>, StoreError> {
    let sql = "SELECT state FROM tasks WHERE id = $1";
    let Some(row) = tx.row(sql, &[&change.task]).await? else { return Ok(None) };
    let from = TaskState::from_name(column(&row, 0)?);
    let Some(mut to) = from.and_then(|from| change.verb.next(from)) else { return Ok(None) };
    if to == TaskState::Running && !is_waiting(tx, change.task).await? {
        to = TaskState::Finished;
    }
    set_state(tx, change.task, to, change.at).await?;
    tx.append(&Entry::new(&change.draft()));
    Ok(Some(to))
}

pub(super) async fn set_state(
    tx: &Tx<'_>,
    task: i64,
    to: TaskState,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE tasks SET state = $2, changed_at = $3 WHERE id = $1";
    tx.execute(sql, &[&task, &to.name(), &at.as_millisecond()]).await.map(drop)
}

pub(super) async fn is_waiting(tx: &Tx<'_>, task: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM task_items WHERE task = $1 AND state = 'waiting')";
    column(&tx.one(sql, &[&task]).await?, 0)
}

/// The next waiting items of every running task.
pub(super) async fn next_items(
    session: &Session,
    limit: usize,
) -> Result<Vec<NextItem>, StoreError> {
    let sql = "SELECT t.id, i.exchange, e.state, t.manner, t.operator, t.reason FROM tasks t
        CROSS JOIN LATERAL (SELECT exchange FROM task_items
            WHERE task = t.id AND state = 'waiting' ORDER BY exchange LIMIT $1) i
        LEFT JOIN exchanges e ON e.id = i.exchange
        WHERE t.state = 'running' ORDER BY t.id, i.exchange";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let item = |row: &Row| {
        let state: Option<&str> = column(row, 2)?;
        Ok(NextItem {
            task: column(row, 0)?,
            exchange: column(row, 1)?,
            state: state.and_then(State::from_name),
            manner: parsed(column(row, 3)?)?,
            operator: plain(column(row, 4)?),
            reason: plain(column(row, 5)?),
        })
    };
    session.query(sql, &[&limit]).await?.iter().map(item).collect()
}
