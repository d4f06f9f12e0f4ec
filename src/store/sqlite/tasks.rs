//! Replays as tasks: made, read, changed, and each item replayed in one transaction.

use super::accept::Prepared;
use super::claim;
use super::ids::{self, Shared, json};
use super::writer::Tx;
use super::{act, approvals, reroute, views};
use crate::model::State;
use crate::record::Draft;
use crate::store::acts::Seen;
use crate::store::approvals::Again;
use crate::store::task_steps::{End, Made, finished, parsed, text};
use crate::store::tasks::{
    How, ItemEnd, ItemView, Manner, NewTask, NextItem, Selection, TaskChange, TaskState, TaskView,
};
use crate::store::{Act, ActVerb, Claimed, Keys, StoreError};
use jiff::Timestamp;
use rusqlite::types::ToSql;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::sync::Arc;

/// Rows that a selection matches, in order.
pub(super) fn select(
    connection: &Connection,
    ids: Option<&Shared>,
    selection: &Selection,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let mut messages = Vec::new();
    for id in &selection.messages {
        messages.extend(ids::rows_of(connection, ids, id)?);
    }
    let messages = json(&messages);
    let exchanges = text(&selection.exchanges)?;
    let (from, to) = (
        selection.from.map(Timestamp::as_millisecond),
        selection.to.map(Timestamp::as_millisecond),
    );
    let state = selection.states_as_sql();
    let mut sql =
        format!("SELECT e.id FROM exchanges e JOIN messages m ON m.id = e.message WHERE {state}");
    let mut values: Vec<&dyn ToSql> = Vec::new();
    let mut filter = |condition: &str, value| {
        values.push(value);
        sql.push_str(&format!(" AND {}", condition.replace('?', &format!("?{}", values.len()))));
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
        filter("e.message IN (SELECT value FROM json_each(?))", &messages);
    }
    if !selection.exchanges.is_empty() {
        filter("e.id IN (SELECT value FROM json_each(?))", &exchanges);
    }
    sql.push_str(&format!(" ORDER BY e.id LIMIT {limit}"));
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(values.as_slice(), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Makes a task, or recognises the request that made one.
pub(super) fn create(tx: &mut Tx<'_>, task: &NewTask) -> Result<Made, StoreError> {
    let (selection, manner) = (text(&task.selection)?, text(&task.manner)?);
    let sql = "SELECT id, selection = ?2 AND manner = ?3 AND operator = ?4 FROM tasks
        WHERE request = ?1";
    let known: Option<(i64, bool)> =
        tx.row(sql, (&task.request, &selection, &manner, &task.operator), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    match known {
        Some((id, true)) => return Ok(Made::Known(id)),
        Some((_, false)) => return Ok(Made::Reused),
        None => {}
    }
    let sql = "INSERT INTO tasks (request, state, selection, manner, operator, reason, created_at,
            changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
    let id = tx.insert(
        sql,
        params![
            task.request,
            TaskState::Draft.name(),
            selection,
            manner,
            task.operator,
            task.reason,
            task.at.as_millisecond(),
        ],
    )?;
    let sql = "INSERT INTO task_items (task, exchange, state) VALUES (?1, ?2, 'waiting')
        ON CONFLICT DO NOTHING";
    for exchange in &task.exchanges {
        tx.execute(sql, (id, exchange))?;
    }
    tx.append(&task.draft(id))?;
    Ok(Made::New(id))
}

const COLUMNS: &str =
    "SELECT id, state, selection, manner, operator, reason, created_at, changed_at FROM tasks";

fn view(connection: &Connection, row: &Row<'_>) -> Result<TaskView, StoreError> {
    let id = row.get(0)?;
    let selection: String = row.get(2)?;
    let manner: String = row.get(3)?;
    let mut view = TaskView {
        id,
        state: row.get(1)?,
        selection: parsed(&selection)?,
        manner: parsed(&manner)?,
        operator: row.get(4)?,
        reason: row.get(5)?,
        created_at: views::text(row.get(6)?)?,
        changed_at: views::text(row.get(7)?)?,
        waiting: 0,
        done: 0,
        failed: 0,
        skipped: 0,
    };
    let sql = "SELECT state, count(*) FROM task_items WHERE task = ?1 GROUP BY state";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        let count = row.get::<_, i64>(1)?.unsigned_abs();
        match row.get_ref(0)?.as_str().unwrap_or_default() {
            "waiting" => view.waiting = count,
            "done" => view.done = count,
            "failed" => view.failed = count,
            _ => view.skipped = count,
        }
    }
    Ok(view)
}

/// A task.
pub(super) fn task(connection: &Connection, id: i64) -> Result<Option<TaskView>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(|row| view(connection, row)).transpose()
}

/// The newest tasks.
pub(super) fn tasks(connection: &Connection, limit: usize) -> Result<Vec<TaskView>, StoreError> {
    let limit = limit.min(1_000);
    let sql = format!("{COLUMNS} ORDER BY id DESC LIMIT {limit}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(view(connection, row)?);
    }
    Ok(found)
}

/// Items of a task.
pub(super) fn items(
    connection: &Connection,
    task: i64,
    state: Option<&str>,
    after: i64,
    limit: usize,
) -> Result<Vec<ItemView>, StoreError> {
    let sql = "SELECT exchange, state, made, code, detail FROM task_items
        WHERE task = ?1 AND exchange > ?2 AND (?3 IS NULL OR state = ?3)
        ORDER BY exchange LIMIT ?4";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit.min(1_000)).unwrap_or(1_000);
    let rows = statement.query_map(params![task, after, state, limit], |row| {
        Ok(ItemView {
            exchange: row.get(0)?,
            state: row.get(1)?,
            made: row.get(2)?,
            code: row.get(3)?,
            detail: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Changes a task.
pub(super) fn change(
    tx: &mut Tx<'_>,
    change: &TaskChange,
) -> Result<Option<TaskState>, StoreError> {
    let sql = "SELECT state FROM tasks WHERE id = ?1";
    let from: Option<String> = tx.row(sql, [change.task], |row| row.get(0))?;
    let from = from.as_deref().and_then(TaskState::from_name);
    let Some(mut to) = from.and_then(|from| change.verb.next(from)) else { return Ok(None) };
    if to == TaskState::Running && waiting(tx, change.task)? == 0 {
        to = TaskState::Finished;
    }
    set_state(tx, change.task, to, change.at)?;
    tx.append(&change.draft())?;
    Ok(Some(to))
}

fn set_state(tx: &Tx<'_>, task: i64, to: TaskState, at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE tasks SET state = ?2, changed_at = ?3 WHERE id = ?1";
    tx.execute(sql, (task, to.name(), at.as_millisecond())).map(drop)
}

fn waiting(tx: &Tx<'_>, task: i64) -> Result<i64, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM task_items WHERE task = ?1 AND state = 'waiting')";
    Ok(tx.row(sql, [task], |row| row.get(0))?.unwrap_or(0))
}

/// The next waiting items of every running task.
pub(super) fn next_items(
    connection: &Connection,
    limit: usize,
) -> Result<Vec<NextItem>, StoreError> {
    let mut running =
        connection.prepare_cached("SELECT id FROM tasks WHERE state = 'running' ORDER BY id")?;
    let ids: Vec<i64> = running.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let sql = "SELECT i.exchange, e.state, t.manner, t.operator, t.reason
        FROM tasks t JOIN task_items i ON i.task = t.id LEFT JOIN exchanges e ON e.id = i.exchange
        WHERE t.id = ?1 AND i.state = 'waiting' ORDER BY i.exchange LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    for task in ids {
        let mut rows = statement.query((task, limit))?;
        while let Some(row) = rows.next()? {
            let state: Option<String> = row.get(1)?;
            let manner: String = row.get(2)?;
            found.push(NextItem {
                task,
                exchange: row.get(0)?,
                state: state.as_deref().and_then(State::from_name),
                manner: parsed(&manner)?,
                operator: row.get(3)?,
                reason: row.get(4)?,
            });
        }
    }
    Ok(found)
}

/// An exchange with its opened body.
pub(super) fn examine(
    connection: &Connection,
    keys: &Keys,
    exchange: i64,
) -> Result<Option<Claimed>, StoreError> {
    let sql = "SELECT 1 FROM exchanges WHERE id = ?1";
    let known: Option<i64> =
        connection.prepare_cached(sql)?.query_row([exchange], |row| row.get(0)).optional()?;
    known.map(|_| claim::claimed(connection, keys, exchange)).transpose()
}

/// An item as the writer takes it; without a `how` it comes with a message that was recognised.
pub(super) struct Item {
    pub task: i64,
    pub exchange: i64,
    pub how: Option<How>,
    pub at: Timestamp,
}

/// One item: its effect, its end and its entry.
pub(super) fn replay(
    tx: &mut Tx<'_>,
    item: &Item,
    recognised: Option<&Prepared>,
) -> Result<ItemEnd, StoreError> {
    let sql = "SELECT t.manner, t.operator, t.reason
        FROM tasks t JOIN task_items i ON i.task = t.id
        WHERE t.id = ?1 AND t.state = 'running' AND i.exchange = ?2 AND i.state = 'waiting'";
    let found: Option<(String, String, String)> =
        tx.row(sql, (item.task, item.exchange), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let Some((manner, operator, reason)) = found else { return Ok(ItemEnd::Gone) };
    let manner: Manner = parsed(&manner)?;
    let sql = "SELECT task FROM task_items WHERE exchange = ?1 AND state = 'done' AND task <> ?2";
    let earlier: Option<i64> = tx.row(sql, (item.exchange, item.task), |row| row.get(0))?;
    let act = Act {
        exchange: item.exchange,
        verb: ActVerb::Replay,
        operator,
        reason: format!("task {}: {reason}", item.task),
        at: item.at,
        bundle: None,
        brings: Default::default(),
    };
    let end = match (earlier, &item.how, recognised) {
        (Some(task), ..) if !manner.force => End::skipped(format!("replayed by task {task}")),
        (_, Some(How::Refused { code, detail }), _) => End::failed(code, detail.clone()),
        (_, Some(How::Again(bundle)), _) => again(tx, Act { bundle: bundle.clone(), ..act })?,
        (_, Some(How::Anew { idempotency_key, bundle }), _) => {
            anew(tx, &act, idempotency_key, bundle.as_deref())?
        }
        (_, _, Some(message)) => reroute::run(tx, &act, message)?.into(),
        (_, Some(How::Recognised(_)) | None, None) => End::skipped("nothing was recognised"),
    };
    finish(tx, item, &end)?;
    Ok(end.end)
}

fn finish(tx: &mut Tx<'_>, item: &Item, end: &End) -> Result<(), StoreError> {
    let word = end.word();
    let sql = "UPDATE task_items SET state = ?3, made = ?4, code = ?5, detail = ?6
        WHERE task = ?1 AND exchange = ?2";
    tx.execute(sql, params![item.task, item.exchange, word, end.made, end.code, end.detail])?;
    if waiting(tx, item.task)? > 0 {
        return Ok(());
    }
    set_state(tx, item.task, TaskState::Finished, item.at)?;
    tx.append(&finished(item.task, item.at))
}

/// A dead one goes again as it is.
fn again(tx: &mut Tx<'_>, act: Act) -> Result<End, StoreError> {
    if act::run(tx, &act)?.is_some() {
        return Ok(End::done(None));
    }
    Ok(End::not_now(act::find(tx, &act)?.as_ref()))
}

/// A delivered one is sent once more: a row of its own, behind what its lane has under way.
fn anew(tx: &mut Tx<'_>, act: &Act, key: &str, bundle: Option<&str>) -> Result<End, StoreError> {
    let seen = act::find(tx, act)?;
    let Some(Seen { state: Some(State::Delivered), lane, draft, .. }) = seen else {
        return Ok(End::not_now(seen.as_ref()));
    };
    let counterpart = Arc::clone(&draft.counterpart);
    let next = if approvals::again(tx, act.exchange)? != Again::Free {
        State::WaitingApproval
    } else if tx.lanes.is_open(&counterpart, lane) {
        State::Held
    } else {
        State::Received
    };
    let at = act.at.as_millisecond();
    let sql = "INSERT INTO exchanges (message, route, counterpart, operation, lane,
            idempotency_key, subject, bundle, state, due, since, replay_of)
        SELECT message, route, counterpart, operation, lane, ?2, subject, ifnull(?3, bundle), ?4,
            ?5, ?6, id FROM exchanges WHERE id = ?1";
    let due = (next == State::Received).then_some(at);
    let made = tx.insert(sql, params![act.exchange, key, bundle, next.name(), due, at])?;
    tx.lanes.enter(&counterpart, lane, next);
    approvals::ask_anew(tx, made, act.exchange, act.at)?;
    tx.append(&Draft {
        idempotency_key: key.into(),
        bundle: bundle.map_or(draft.bundle, Arc::from),
        attempt: 0,
        ..draft
    })?;
    Ok(End::done(Some(made)))
}
