//! Supersede: a newer full state ends older ones of its route and lane that nobody will miss.

use super::claim::envelope;
use super::connection::{Params, column, maybe_shared, odd, plain};
use super::exchanges::{final_states, leave_lane};
use super::prepared::{Entry, Message, Outgoing};
use super::tx::Tx;
use crate::model::State;
use crate::record::{Draft, Phase};
use crate::store::acts::Ended;
use crate::store::{NewExchange, StoreError, Supersede};
use std::sync::Arc;
use tokio_postgres::Row;

/// Those that have certainly not been applied and are not under way. Held ones first: what ends at
/// the head of the lane must not call one forward that ends as well.
const FIND: &str = concat!(
    "SELECT e.id, e.message, e.state = 'held', e.attempts, e.idempotency_key, e.ticket, e.subject,
        m.commitment, m.source, m.message_id, m.message_type, m.content_type, m.correlation_id,
        m.reply_to, m.traceparent, m.operator, m.municipality, m.accepted_at
    FROM exchanges e JOIN messages m ON m.id = e.message
    WHERE e.counterpart = $1 AND e.lane = $2 AND e.supersedes AND e.state NOT IN ",
    final_states!(),
    " AND e.route = $3 AND NOT e.maybe_applied
        AND e.state IN ('held', 'received', 'waiting-retry')
    ORDER BY e.state <> 'held', e.id"
);

/// Ends what the new exchange makes useless, before it enters the lane itself.
pub(super) async fn run(
    tx: &mut Tx<'_>,
    message: &Message,
    newer: &NewExchange,
    rule: &Supersede,
) -> Result<(), StoreError> {
    let params: Params<'_> = &[&newer.counterpart.as_ref(), &newer.lane, &newer.route.as_ref()];
    let found = tx.query(FIND, params).await?;
    for older in &found {
        end(tx, message, newer, rule, older).await?;
    }
    Ok(())
}

async fn end(
    tx: &mut Tx<'_>,
    message: &Message,
    newer: &NewExchange,
    rule: &Supersede,
    older: &Row,
) -> Result<(), StoreError> {
    let at = message.envelope.accepted_at;
    let failure = &rule.failure;
    let (id, held): (i64, bool) = (column(older, 0)?, column(older, 2)?);
    let attempts: i64 = column(older, 3)?;
    let sql = "UPDATE exchanges SET state = $2, due = NULL, since = $3, fence = fence + 1,
            code = $4, stage = $5, detail = $6, owner = NULL, reserved_until = 0
        WHERE id = $1";
    let (state, code) = (State::Discarded.name(), failure.code.code);
    let detail = super::connection::kept(&failure.detail);
    let params: Params<'_> =
        &[&id, &state, &at.as_millisecond(), &code, &failure.stage.name(), &detail];
    tx.execute(sql, params).await?;
    tx.ended(&Ended { route: &newer.route, state, code, attempts, resolved: false });
    if !held {
        leave_lane(tx, &newer.counterpart, newer.lane, at).await?;
    }
    let Some(envelope) = envelope(older, 8)? else { return Ok(()) };
    let key: String = column(older, 4)?;
    let outgoing = Outgoing::new(&message.keys, &(rule.announce)(&envelope, &key))?;
    tx.post(id, column(older, 1)?, Arc::new(outgoing));
    let Some(kind) = rule.record else { return Ok(()) };
    tx.append(&Entry::new(&Draft {
        source: envelope.source,
        message_id: envelope.message_id.shared(),
        message_type: envelope.message_type,
        municipality: envelope.municipality,
        route: Arc::clone(&newer.route),
        counterpart: Arc::clone(&newer.counterpart),
        operation: Arc::clone(&newer.operation),
        attempt: u32::try_from(attempts).map_err(|_| odd())?,
        idempotency_key: key.into(),
        reference: column::<Option<String>>(older, 5)?.map(plain),
        outcome: Some("superseded".to_owned()),
        code: Some(code.to_owned()),
        reason: Some(failure.detail.clone()),
        subject: maybe_shared(older, 6)?,
        commitment: maybe_shared(older, 7)?,
        operator: envelope.operator,
        bundle: Arc::clone(&newer.bundle),
        ..Draft::new(kind, Phase::Noted, at)
    }));
    Ok(())
}
