//! An operator's act: its effect and its entry in one transaction.

use super::approvals;
use super::connection::{Params, column, maybe_shared, odd, plain, shared};
use super::exchanges::{lane_is_open, leave_lane};
use super::prepared::{Entry, Outgoing};
use super::tx::Tx;
use crate::model::State;
use crate::model::codes::store as codes;
use crate::record::{Draft, Kind, Phase};
use crate::store::acts::{Ended, Seen};
use crate::store::approvals::Again;
use crate::store::keys::Keys;
use crate::store::{Act, ActVerb, StoreError};
use std::sync::Arc;
use tokio_postgres::Row;

/// An act with what it brings sealed, on its caller's thread.
pub(super) struct Acting {
    act: Act,
    outbox: Vec<Arc<Outgoing>>,
}

impl Acting {
    /// Seals what an act brings.
    pub fn new(keys: &Keys, act: Act) -> Result<Acting, StoreError> {
        let sealed = act.brings.outbox.iter().map(|one| Outgoing::new(keys, one).map(Arc::new));
        Ok(Acting { outbox: sealed.collect::<Result<_, _>>()?, act })
    }
}

/// Puts the act into effect with what it brings; `None` where the state does not allow it.
pub(super) async fn run_with(
    tx: &mut Tx<'_>,
    acting: &Acting,
) -> Result<Option<State>, StoreError> {
    let Acting { act, outbox } = acting;
    let Some(to) = run(tx, act).await? else { return Ok(None) };
    let sql = "SELECT message FROM exchanges WHERE id = $1";
    let row = tx.row(sql, &[&act.exchange]).await?.ok_or_else(odd)?;
    for outgoing in outbox {
        tx.post(act.exchange, column(&row, 0)?, Arc::clone(outgoing));
    }
    tx.append_all(&Entry::all(&act.brings.record));
    Ok(Some(to))
}

/// Puts the act into effect; `None` where the state does not allow it.
pub(super) async fn run(tx: &mut Tx<'_>, act: &Act) -> Result<Option<State>, StoreError> {
    let Some(seen) = find(tx, act).await? else { return Ok(None) };
    let from = seen.state;
    let counterpart = &seen.draft.counterpart;
    // It may have been replayed, and applied, before the store was put back.
    let doubt = act.verb == ActVerb::Replay && tx.head.restored.doubts(seen.since);
    let is_open = lane_is_open(tx, counterpart, seen.lane).await?;
    let again = match act.verb {
        ActVerb::Replay => approvals::again(tx, act.exchange).await?,
        _ => Again::Free,
    };
    let Some(to) = act.verb.leads_to(&seen, again, is_open, doubt) else { return Ok(None) };
    if act.verb == ActVerb::Replay {
        let sql = "SELECT 1 FROM bodies WHERE message = $1";
        if tx.row(sql, &[&seen.message]).await?.is_none() {
            return Err(StoreError::new(&codes::BODY_PURGED, ""));
        }
    }
    let at = act.at.as_millisecond();
    let due = matches!(to, State::Received | State::WaitingRetry | State::Unknown).then_some(at);
    let clear = act.verb == ActVerb::ConfirmNotApplied;
    let forget = to == State::Delivered;
    let sql = "UPDATE exchanges SET state = $2, due = $3, since = $4, fence = fence + 1,
            maybe_applied = (maybe_applied OR $8) AND NOT $5, was_unknown = was_unknown OR $8,
            code = CASE WHEN $6 THEN NULL ELSE code END,
            stage = CASE WHEN $6 THEN NULL ELSE stage END,
            detail = CASE WHEN $6 THEN NULL ELSE detail END,
            bundle = coalesce($7, bundle), owner = NULL, reserved_until = 0
        WHERE id = $1";
    let bundle = act.bundle.as_deref().filter(|_| act.verb == ActVerb::Replay);
    let params: Params<'_> =
        &[&act.exchange, &to.name(), &due, &at, &clear, &forget, &bundle, &doubt];
    tx.execute(sql, params).await?;
    if to == State::WaitingApproval {
        approvals::ask_again(tx, act.exchange, act.at).await?;
    }
    if from == Some(State::Dead) {
        tx.reopened(&seen.ended(State::Dead));
    }
    if to.is_final() {
        let resolved = seen.was_unknown && to == State::Delivered;
        let code = if forget { "" } else { seen.code() };
        tx.ended(&Ended { resolved, code, ..seen.ended(to) });
    }
    if to.is_final() && from == Some(State::Unknown) {
        leave_lane(tx, counterpart, seen.lane, act.at).await?;
    }
    let draft = Draft { bundle: bundle.map_or(seen.draft.bundle, Arc::from), ..seen.draft };
    tx.append(&Entry::new(&draft));
    Ok(Some(to))
}

/// The exchange with what its entry says of it.
pub(super) async fn find(tx: &Tx<'_>, act: &Act) -> Result<Option<Seen>, StoreError> {
    let sql = "SELECT e.state, e.lane, m.source, m.message_id, m.message_type, m.municipality,
            e.route, e.counterpart, e.operation, e.attempts, e.idempotency_key, e.ticket, e.code,
            e.subject, m.commitment, e.bundle, m.id, e.was_unknown, e.since
        FROM exchanges e JOIN messages m ON m.id = e.message WHERE e.id = $1";
    let Some(row) = tx.row(sql, &[&act.exchange]).await? else { return Ok(None) };
    let maybe =
        |row: &Row, index| Ok::<_, StoreError>(column::<Option<String>>(row, index)?.map(plain));
    let attempts: i64 = column(&row, 9)?;
    let draft = Draft {
        source: plain(column(&row, 2)?).into(),
        message_id: shared(&row, 3)?,
        message_type: plain(column(&row, 4)?).into(),
        municipality: maybe(&row, 5)?.map(Into::into),
        route: column::<&str>(&row, 6)?.into(),
        counterpart: column::<&str>(&row, 7)?.into(),
        operation: column::<&str>(&row, 8)?.into(),
        attempt: u32::try_from(attempts).map_err(|_| odd())?,
        idempotency_key: shared(&row, 10)?,
        reference: maybe(&row, 11)?,
        code: column(&row, 12)?,
        subject: maybe_shared(&row, 13)?,
        commitment: maybe_shared(&row, 14)?,
        bundle: column::<&str>(&row, 15)?.into(),
        outcome: Some(act.verb.name().to_owned()),
        operator: Some(act.operator.as_str().into()),
        reason: Some(act.reason.clone()),
        ..Draft::new(Kind::Operate, Phase::Noted, act.at)
    };
    Ok(Some(Seen {
        message: column(&row, 16)?,
        state: State::from_name(column(&row, 0)?),
        lane: column(&row, 1)?,
        was_unknown: column(&row, 17)?,
        since: column(&row, 18)?,
        draft,
    }))
}
