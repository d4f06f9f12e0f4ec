//! One item of a task: its effect, its end and its entry in one transaction.

use super::connection::{Params, column, kept, plain};
use super::exchanges::lane_is_open;
use super::prepared::{Entry, Message};
use super::tasks::{is_waiting, set_state};
use super::tx::Tx;
use super::{act, approvals, reroute};
use crate::model::State;
use crate::record::Draft;
use crate::store::acts::Seen;
use crate::store::approvals::Again;
use crate::store::task_steps::{End, finished, parsed};
use crate::store::tasks::{How, ItemEnd, Manner, TaskState};
use crate::store::{Act, ActVerb, StoreError};
use jiff::Timestamp;
use std::sync::Arc;

/// An item as the writer takes it.
pub(super) struct Item {
    pub task: i64,
    pub exchange: i64,
    /// How; where it was recognised anew, `message` says as what.
    pub how: Option<How>,
    pub message: Option<Message>,
    pub at: Timestamp,
}

/// Replays it.
pub(super) async fn replay(tx: &mut Tx<'_>, item: &Item) -> Result<ItemEnd, StoreError> {
    let sql = "SELECT t.manner, t.operator, t.reason
        FROM tasks t JOIN task_items i ON i.task = t.id
        WHERE t.id = $1 AND t.state = 'running' AND i.exchange = $2 AND i.state = 'waiting'";
    let Some(row) = tx.row(sql, &[&item.task, &item.exchange]).await? else {
        return Ok(ItemEnd::Gone);
    };
    let manner: Manner = parsed(column(&row, 0)?)?;
    let sql = "SELECT task FROM task_items WHERE exchange = $1 AND state = 'done' AND task <> $2";
    let earlier = tx.row(sql, &[&item.exchange, &item.task]).await?;
    let earlier: Option<i64> = earlier.map(|row| column(&row, 0)).transpose()?;
    let reason = plain(column(&row, 2)?);
    let act = Act {
        exchange: item.exchange,
        verb: ActVerb::Replay,
        operator: plain(column(&row, 1)?),
        reason: format!("task {}: {reason}", item.task),
        at: item.at,
        bundle: None,
        brings: Default::default(),
    };
    let end = match (earlier, &item.how, &item.message) {
        (Some(task), ..) if !manner.force => End::skipped(format!("replayed by task {task}")),
        (_, Some(How::Refused { code, detail }), _) => End::failed(code, detail.clone()),
        (_, Some(How::Again(bundle)), _) => {
            again(tx, Act { bundle: bundle.clone(), ..act }).await?
        }
        (_, Some(How::Anew { idempotency_key, bundle }), _) => {
            anew(tx, &act, idempotency_key, bundle.as_deref()).await?
        }
        (_, _, Some(message)) => reroute::run(tx, &act, message).await?.into(),
        (_, Some(How::Recognised(_)) | None, None) => End::skipped("nothing was recognised"),
    };
    finish(tx, item, &end).await?;
    Ok(end.end)
}

async fn finish(tx: &mut Tx<'_>, item: &Item, end: &End) -> Result<(), StoreError> {
    let word = end.word();
    let sql = "UPDATE task_items SET state = $3, made = $4, code = $5, detail = $6
        WHERE task = $1 AND exchange = $2";
    let detail = end.detail.as_deref().map(kept);
    let params: Params<'_> = &[&item.task, &item.exchange, &word, &end.made, &end.code, &detail];
    tx.execute(sql, params).await?;
    if is_waiting(tx, item.task).await? {
        return Ok(());
    }
    set_state(tx, item.task, TaskState::Finished, item.at).await?;
    tx.append(&Entry::new(&finished(item.task, item.at)));
    Ok(())
}

/// A dead one goes again as it is.
async fn again(tx: &mut Tx<'_>, act: Act) -> Result<End, StoreError> {
    if act::run(tx, &act).await?.is_some() {
        return Ok(End::done(None));
    }
    Ok(End::not_now(act::find(tx, &act).await?.as_ref()))
}

/// A delivered one is sent once more: a row of its own, behind what its lane has under way.
async fn anew(
    tx: &mut Tx<'_>,
    act: &Act,
    key: &str,
    bundle: Option<&str>,
) -> Result<End, StoreError> {
    let seen = act::find(tx, act).await?;
    let Some(Seen { state: Some(State::Delivered), lane, draft, .. }) = seen else {
        return Ok(End::not_now(seen.as_ref()));
    };
    let open = lane_is_open(tx, &draft.counterpart, lane).await?;
    let next = match approvals::again(tx, act.exchange).await? {
        Again::Asks | Again::Taken => State::WaitingApproval,
        Again::Free if open => State::Held,
        Again::Free => State::Received,
    };
    let at = act.at.as_millisecond();
    let sql = "INSERT INTO exchanges (id, message, route, counterpart, operation, lane,
            idempotency_key, subject, bundle, state, due, since, replay_of)
        SELECT $7, message, route, counterpart, operation, lane, $2, subject,
            coalesce($3, bundle), $4, $5, $6, id FROM exchanges WHERE id = $1";
    let due = (next == State::Received).then_some(at);
    tx.head.exchange += 1;
    let made = tx.head.exchange;
    let params: Params<'_> = &[&act.exchange, &key, &bundle, &next.name(), &due, &at, &made];
    tx.execute(sql, params).await?;
    approvals::ask_anew(tx, made, act.exchange, act.at).await?;
    tx.append(&Entry::new(&Draft {
        idempotency_key: key.into(),
        bundle: bundle.map_or(draft.bundle, Arc::from),
        attempt: 0,
        ..draft
    }));
    Ok(End::done(Some(made)))
}
