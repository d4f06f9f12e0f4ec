//! Accept: a message becomes durable, or is recognised.

use super::approvals;
use super::connection::{Params, Session, column, kept};
use super::exchanges::{BEGIN_ATTEMPTS, lane_is_open};
use super::group::Work;
use super::lanes::Lanes;
use super::prepared::{Arriving, Entry, Message, Outgoing};
use super::restored;
use super::supersede;
use super::tx::Tx;
use crate::model::codes::store as codes;
use crate::model::{Stage, State};
use crate::record::{Draft, Kind, Phase};
use crate::store::acts::{born_final, first_state};
use crate::store::epoch::{Known, not_new};
use crate::store::{Accepted, NewExchange, StoreError};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

const SEEN: &str = "SELECT m.message_id, m.source FROM messages m
    JOIN unnest($1::text[], $2::text[]) AS n (message_id, source)
        ON m.message_id = n.message_id AND m.source = n.source";
const OPEN: &str = "SELECT n.counterpart, n.lane
    FROM unnest($1::text[], $2::bigint[]) AS n (counterpart, lane)
    WHERE EXISTS (SELECT 1 FROM exchanges a
            WHERE a.counterpart = n.counterpart AND a.lane = n.lane
                AND a.state NOT IN ('delivered', 'dead', 'duplicate', 'discarded', 'held',
                    'waiting-approval'))
        OR EXISTS (SELECT 1 FROM exchanges h
            WHERE h.counterpart = n.counterpart AND h.lane = n.lane AND h.state = 'held')";
const MESSAGES: &str = "INSERT INTO messages (id, source, message_id, message_type, content_type,
        correlation_id, reply_to, traceparent, operator, municipality, accepted_at, fingerprint,
        commitment)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
        $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bytea[], $13::text[])";
const BODIES: &str =
    "INSERT INTO bodies (message, sealed) SELECT * FROM unnest($1::bigint[], $2::bytea[])";
const EXCHANGES: &str = "INSERT INTO exchanges (id, message, route, counterpart, operation, lane,
        idempotency_key, subject, bundle, state, due, since, code, stage, detail, supersedes,
        maybe_applied, was_unknown, fence, attempts, owner)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[],
        $6::bigint[], $7::text[], $8::text[], $9::text[], $10::text[], $11::bigint[],
        $12::bigint[], $13::text[], $14::text[], $15::text[], $16::bool[],
        $17::bool[], $17::bool[], $18::bigint[], $18::bigint[], $19::bigint[])";

/// Statements of this file, for the session that writes.
pub(super) const STATEMENTS: &[&str] = &[SEEN, OPEN, MESSAGES, BODIES, EXCHANGES];

/// What the arriving messages of a group are looked up by.
#[derive(Default)]
pub(super) struct Keyed<'w> {
    ids: Vec<&'w str>,
    sources: Vec<Cow<'w, str>>,
    counterparts: Vec<&'w str>,
    lanes: Vec<i64>,
}

impl<'w> Keyed<'w> {
    pub fn of(group: &'w [Work]) -> Keyed<'w> {
        let mut keyed = Keyed::default();
        let mut lanes = BTreeSet::new();
        for work in group {
            let Work::Accept(message) = work else { continue };
            keyed.ids.push(message.envelope.message_id.as_str());
            keyed.sources.push(kept(&message.envelope.source));
            let open = message.exchanges.iter().map(|one| &one.exchange);
            lanes.extend(open.map(|exchange| (&*exchange.counterpart, exchange.lane)));
        }
        (keyed.counterparts, keyed.lanes) = lanes.into_iter().unzip();
        keyed
    }
}

/// Those ids that are known.
pub(super) async fn read_seen(session: &Session, keys: &Keyed<'_>) -> Result<Vec<Row>, StoreError> {
    if keys.ids.is_empty() {
        return Ok(Vec::new());
    }
    session.query(SEEN, &[&keys.ids, &keys.sources]).await
}

/// Those lanes that are open.
pub(super) async fn read_lanes(
    session: &Session,
    keys: &Keyed<'_>,
) -> Result<Vec<Row>, StoreError> {
    if keys.lanes.is_empty() {
        return Ok(Vec::new());
    }
    session.query(OPEN, &[&keys.counterparts, &keys.lanes]).await
}

/// A new exchange's row.
struct New<'w> {
    id: i64,
    message: i64,
    exchange: Cow<'w, NewExchange>,
    state: State,
    /// It may have been sent before a restore.
    doubt: bool,
    /// Who makes its first attempt, where that begins with it.
    owner: Option<i64>,
    at: i64,
}

/// The new messages of a group.
pub(super) struct Arrivals<'w> {
    seen: HashSet<(String, String)>,
    messages: Vec<(i64, Cow<'w, str>, &'w Message)>,
    exchanges: Vec<New<'w>>,
    /// First attempts: exchange, when, digest of the request.
    begun: (Vec<i64>, Vec<i64>, Vec<&'w str>),
    /// One had to be put off: those behind it come behind it still.
    put_off: bool,
}

impl<'w> Arrivals<'w> {
    pub fn new(seen: &[Row]) -> Result<Arrivals<'w>, StoreError> {
        let key = |row: &Row| Ok((column(row, 0)?, column(row, 1)?));
        Ok(Arrivals {
            seen: seen.iter().map(key).collect::<Result<_, StoreError>>()?,
            messages: Vec::new(),
            exchanges: Vec::new(),
            begun: Default::default(),
            put_off: false,
        })
    }

    /// Takes a message in, unless it has to be looked at alone: its id is known, it ends older ones
    /// of its lane, it needs or opens something for persons, or a restore has left doubts. First attempts
    /// that come with it begin where `owner`, an instance with a lease, makes them.
    pub fn take(
        &mut self,
        tx: &mut Tx<'_>,
        lanes: &mut Lanes,
        message: &'w Message,
        owner: Option<i64>,
    ) -> Option<Accepted> {
        let envelope = &message.envelope;
        let id = envelope.message_id.as_str();
        let restored = tx.head.restored;
        let ends_others = message.exchanges.iter().map(|one| &one.exchange).any(|exchange| {
            exchange.supersedes.is_some() && lanes.is_open(&exchange.counterpart, exchange.lane)
        });
        let asks = |one: &Arriving| one.exchange.approval.is_some() || one.exchange.opens.is_some();
        let asks = message.exchanges.iter().any(asks);
        self.put_off |= ends_others || asks || restored.window || restored.ghosts;
        if self.put_off || !self.seen.insert((id.to_owned(), kept(&envelope.source).into_owned())) {
            return None;
        }
        tx.head.message += 1;
        let row = tx.head.message;
        let at = envelope.accepted_at.as_millisecond();
        let mut ids = Vec::with_capacity(message.exchanges.len());
        let mut states = Vec::with_capacity(message.exchanges.len());
        tx.append_all(&message.record);
        for Arriving { exchange, announce, intended } in &message.exchanges {
            let open = || lanes.is_open(&exchange.counterpart, exchange.lane);
            let state = first_state(exchange, Known::New, open);
            let first = exchange.first.as_ref().filter(|_| state == State::Received);
            let begins = first.zip(owner);
            let state = if begins.is_some() { State::Sending } else { state };
            tx.head.exchange += 1;
            let id = tx.head.exchange;
            enter(tx, exchange, state);
            lanes.enter(&exchange.counterpart, exchange.lane, state, id);
            if let Some(outgoing) = announce {
                tx.post(id, row, Arc::clone(outgoing));
            }
            if let Some((first, _)) = begins {
                self.begun.0.push(id);
                self.begun.1.push(first.at.as_millisecond());
                self.begun.2.push(&first.request_digest);
                tx.append_all(intended.as_slice());
            }
            let (exchange, owner) = (Cow::Borrowed(exchange), begins.map(|(_, owner)| owner));
            self.exchanges.push(New { id, message: row, exchange, state, doubt: false, owner, at });
            ids.push(id);
            states.push(state);
        }
        self.messages.push((row, Cow::Borrowed(id), message));
        let commitment = message.commitment.clone();
        Some(Accepted::New { message: row, exchanges: ids, states, commitment })
    }

    /// Writes them.
    pub async fn write(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        if self.messages.is_empty() && self.exchanges.is_empty() {
            return Ok(());
        }
        let messages = Messages::new(&self.messages);
        let bodies: Params<'_> = &[&messages.ids, &messages.sealed];
        let exchanges = Exchanges::new(&self.exchanges);
        let mut all: Vec<(&'static str, Params<'_>)> = Vec::new();
        let (to_messages, to_exchanges) = (messages.params(), exchanges.params());
        if !messages.ids.is_empty() {
            all.push((MESSAGES, &to_messages));
            all.push((BODIES, bodies));
        }
        if !exchanges.ids.is_empty() {
            all.push((EXCHANGES, &to_exchanges));
        }
        let (begun, started, digests) = &self.begun;
        let numbers = vec![1_i64; begun.len()];
        let to_begin: Params<'_> = &[begun, &numbers, started, digests];
        if !begun.is_empty() {
            all.push((BEGIN_ATTEMPTS, to_begin));
        }
        tx.execute_all(&all).await
    }
}

fn enter(tx: &mut Tx<'_>, exchange: &NewExchange, state: State) {
    if state.is_final() {
        let code = exchange.failure.as_ref().map_or("", |failure| failure.code.code);
        tx.ended(&born_final(&exchange.route, state, code));
    }
}

/// One more exchange of a message that has a row, outside of a group's arrivals; gives its id and the
/// state it begins in. First attempts are left to be claimed.
pub(super) async fn insert_exchange(
    tx: &mut Tx<'_>,
    row: i64,
    message: &Message,
    exchange: &NewExchange,
    at: jiff::Timestamp,
) -> Result<(i64, State), StoreError> {
    let envelope = &message.envelope;
    let known = restored::known(tx, envelope, exchange).await?;
    let refusal = match known {
        Known::New => approvals::refusal(tx, exchange).await?,
        Known::Doubt | Known::Ended(_) => None,
    };
    let open = lane_is_open(tx, &exchange.counterpart, exchange.lane).await?;
    let original = exchange;
    let mut exchange = Cow::Borrowed(original);
    if let Some(refusal) = refusal {
        exchange.to_mut().failure = Some(refusal.failure.clone());
    }
    let state = first_state(&exchange, known, || open);
    tx.head.exchange += 1;
    let id = tx.head.exchange;
    match refusal {
        Some(refusal) => approvals::refused(tx, &message.keys, id, row, &exchange, refusal)?,
        None => enter(tx, &exchange, state),
    }
    let (now, doubt) = (at.as_millisecond(), known == Known::Doubt);
    let new = New { id, message: row, exchange, state, doubt, owner: None, at: now };
    let columns = Exchanges::new(std::slice::from_ref(&new));
    tx.execute(EXCHANGES, &columns.params()).await?;
    if known != Known::New {
        tx.append(&Entry::new(&not_new(envelope, &new.exchange, state)));
    }
    approvals::enter(tx, id, state, original, at).await?;
    Ok((id, state))
}

/// A message that is looked at alone: a repetition, other content under the same id, or one whose
/// way depends on what the tables say.
pub(super) async fn alone(tx: &mut Tx<'_>, message: &Message) -> Result<Accepted, StoreError> {
    let envelope = &message.envelope;
    let id = envelope.message_id.as_str();
    match seen(tx, message, id).await? {
        Some((row, true)) => {
            // Answers that were published are published again.
            let sql = "UPDATE outbox SET published_at = NULL
                WHERE message = $1 AND published_at IS NOT NULL";
            tx.execute(sql, &[&row]).await?;
            return Ok(Accepted::Duplicate);
        }
        Some((_, false)) => return quarantine(tx, message).await,
        None => {}
    }
    let row = insert_message(tx, message, id).await?;
    let mut exchanges = Vec::with_capacity(message.exchanges.len());
    let mut states = Vec::with_capacity(message.exchanges.len());
    for Arriving { exchange, announce, .. } in &message.exchanges {
        if let Some(rule) = &exchange.supersedes {
            supersede::run(tx, message, exchange, rule).await?;
        }
        let (id, state) = insert_exchange(tx, row, message, exchange, envelope.accepted_at).await?;
        if let Some(outgoing) = announce {
            tx.post(id, row, Arc::clone(outgoing));
        }
        exchanges.push(id);
        states.push(state);
    }
    tx.append_all(&message.record);
    let commitment = message.commitment.clone();
    Ok(Accepted::New { message: row, exchanges, states, commitment })
}

/// The message's row and its body; gives the row.
async fn insert_message(tx: &mut Tx<'_>, message: &Message, id: &str) -> Result<i64, StoreError> {
    tx.head.message += 1;
    let row = tx.head.message;
    let new = [(row, Cow::Borrowed(id), message)];
    let columns = Messages::new(&new);
    tx.execute(MESSAGES, &columns.params()).await?;
    tx.execute(BODIES, &[&columns.ids, &columns.sealed]).await?;
    Ok(row)
}

/// The row that already has this id, and whether its content is the same.
pub(super) async fn seen(
    tx: &Tx<'_>,
    message: &Message,
    id: &str,
) -> Result<Option<(i64, bool)>, StoreError> {
    let sql = "SELECT id, fingerprint = $3 FROM messages WHERE message_id = $1 AND source = $2";
    let source = kept(&message.envelope.source);
    let row = tx.row(sql, &[&id, &source, &message.fingerprint.as_slice()]).await?;
    row.map(|row| Ok((column(&row, 0)?, column(&row, 1)?))).transpose()
}

/// The id was used for other content: kept under an id of its own, dead, bound to no route, so
/// that nothing can ever send it under the first one's idempotency key.
async fn quarantine(tx: &mut Tx<'_>, message: &Message) -> Result<Accepted, StoreError> {
    let id = message.aside();
    if seen(tx, message, &id).await?.is_some() {
        return Ok(Accepted::Duplicate);
    }
    let envelope = &message.envelope;
    let at = envelope.accepted_at;
    let bundle = message.exchanges.first().map(|one| &*one.exchange.bundle).unwrap_or_default();
    let code = &codes::MESSAGE_ID_REUSED;
    let row = insert_message(tx, message, &id).await?;
    tx.head.exchange += 1;
    let exchange = tx.head.exchange;
    let sql = "INSERT INTO exchanges (id, message, route, counterpart, operation, lane,
            idempotency_key, bundle, state, since, code, stage)
        VALUES ($1, $2, '', '', '', 0, '', $3, $4, $5, $6, $7)";
    let (state, stage) = (State::Dead.name(), Stage::Accept.name());
    let params: Params<'_> =
        &[&exchange, &row, &bundle, &state, &at.as_millisecond(), &code.code, &stage];
    tx.execute(sql, params).await?;
    tx.ended(&born_final("", State::Dead, code.code));
    if let Some(announce) = &message.if_reused {
        let outgoing = Outgoing::new(&message.keys, &announce.make(envelope))?;
        tx.post(exchange, row, Arc::new(outgoing));
    }
    tx.append(&Entry::new(&Draft {
        source: envelope.source.clone(),
        message_id: id.into(),
        message_type: envelope.message_type.clone(),
        municipality: envelope.municipality.clone(),
        outcome: Some("quarantined".to_owned()),
        code: Some(code.code.to_owned()),
        commitment: Some(Arc::clone(&message.commitment)),
        operator: envelope.operator.clone(),
        bundle: bundle.into(),
        ..Draft::new(Kind::Receive, Phase::Noted, at)
    }));
    Ok(Accepted::Quarantined)
}

type Texts<'p> = Vec<Cow<'p, str>>;
type Maybe<'p> = Vec<Option<Cow<'p, str>>>;

/// Columns of messages.
struct Messages<'p> {
    ids: Vec<i64>,
    sources: Texts<'p>,
    message_ids: Vec<&'p str>,
    types: Texts<'p>,
    contents: Texts<'p>,
    correlations: Vec<Option<&'p str>>,
    replies: Maybe<'p>,
    traces: Maybe<'p>,
    operators: Maybe<'p>,
    municipalities: Maybe<'p>,
    accepted: Vec<i64>,
    fingerprints: Vec<&'p [u8]>,
    commitments: Vec<&'p str>,
    sealed: Vec<&'p [u8]>,
}

impl<'p> Messages<'p> {
    fn new(rows: &'p [(i64, Cow<'_, str>, &Message)]) -> Messages<'p> {
        let all = || rows.iter().map(|(_, _, message)| &message.envelope);
        let maybe = |text: &'p Option<String>| text.as_deref().map(kept);
        let shared = |text: &'p Option<Arc<str>>| text.as_deref().map(kept);
        Messages {
            ids: rows.iter().map(|row| row.0).collect(),
            sources: all().map(|envelope| kept(&envelope.source)).collect(),
            message_ids: rows.iter().map(|row| row.1.as_ref()).collect(),
            types: all().map(|envelope| kept(&envelope.message_type)).collect(),
            contents: all().map(|envelope| kept(&envelope.content_type)).collect(),
            correlations: all()
                .map(|envelope| envelope.correlation_id.as_ref().map(|id| id.as_str()))
                .collect(),
            replies: all().map(|envelope| maybe(&envelope.reply_to)).collect(),
            traces: all().map(|envelope| maybe(&envelope.traceparent)).collect(),
            operators: all().map(|envelope| shared(&envelope.operator)).collect(),
            municipalities: all().map(|envelope| shared(&envelope.municipality)).collect(),
            accepted: all().map(|envelope| envelope.accepted_at.as_millisecond()).collect(),
            fingerprints: rows.iter().map(|row| row.2.fingerprint.as_slice()).collect(),
            commitments: rows.iter().map(|row| &*row.2.commitment).collect(),
            sealed: rows.iter().map(|row| row.2.sealed.0.as_slice()).collect(),
        }
    }

    fn params(&self) -> [&(dyn ToSql + Sync); 13] {
        [
            &self.ids,
            &self.sources,
            &self.message_ids,
            &self.types,
            &self.contents,
            &self.correlations,
            &self.replies,
            &self.traces,
            &self.operators,
            &self.municipalities,
            &self.accepted,
            &self.fingerprints,
            &self.commitments,
        ]
    }
}

/// Columns of exchanges.
struct Exchanges<'p> {
    ids: Vec<i64>,
    messages: Vec<i64>,
    routes: Vec<&'p str>,
    counterparts: Vec<&'p str>,
    operations: Vec<&'p str>,
    lanes: Vec<i64>,
    keys: Vec<&'p str>,
    subjects: Vec<Option<&'p str>>,
    bundles: Vec<&'p str>,
    states: Vec<&'static str>,
    dues: Vec<Option<i64>>,
    sinces: Vec<i64>,
    codes: Vec<Option<&'static str>>,
    stages: Vec<Option<&'static str>>,
    details: Maybe<'p>,
    superseding: Vec<bool>,
    doubts: Vec<bool>,
    /// Fence and attempts: as if it had been claimed and taken once, or not.
    begun: Vec<i64>,
    owners: Vec<Option<i64>>,
}

impl<'p> Exchanges<'p> {
    fn new(rows: &'p [New<'_>]) -> Exchanges<'p> {
        let all = || rows.iter().map(|row| row.exchange.as_ref());
        let failures = || all().map(|exchange| exchange.failure.as_ref());
        let due =
            |row: &New<'_>| matches!(row.state, State::Received | State::Unknown).then_some(row.at);
        Exchanges {
            ids: rows.iter().map(|row| row.id).collect(),
            messages: rows.iter().map(|row| row.message).collect(),
            routes: all().map(|exchange| &*exchange.route).collect(),
            counterparts: all().map(|exchange| &*exchange.counterpart).collect(),
            operations: all().map(|exchange| &*exchange.operation).collect(),
            lanes: all().map(|exchange| exchange.lane).collect(),
            keys: all().map(|exchange| &*exchange.idempotency_key).collect(),
            subjects: all().map(|exchange| exchange.subject.as_deref()).collect(),
            bundles: all().map(|exchange| &*exchange.bundle).collect(),
            states: rows.iter().map(|row| row.state.name()).collect(),
            dues: rows.iter().map(due).collect(),
            sinces: rows.iter().map(|row| row.at).collect(),
            codes: failures().map(|failure| failure.map(|one| one.code.code)).collect(),
            stages: failures().map(|failure| failure.map(|one| one.stage.name())).collect(),
            details: failures().map(|failure| failure.map(|one| kept(&one.detail))).collect(),
            superseding: all().map(|exchange| exchange.supersedes.is_some()).collect(),
            doubts: rows.iter().map(|row| row.doubt).collect(),
            begun: rows.iter().map(|row| i64::from(row.owner.is_some())).collect(),
            owners: rows.iter().map(|row| row.owner).collect(),
        }
    }

    fn params(&self) -> [&(dyn ToSql + Sync); 19] {
        [
            &self.ids,
            &self.messages,
            &self.routes,
            &self.counterparts,
            &self.operations,
            &self.lanes,
            &self.keys,
            &self.subjects,
            &self.bundles,
            &self.states,
            &self.dues,
            &self.sinces,
            &self.codes,
            &self.stages,
            &self.details,
            &self.superseding,
            &self.doubts,
            &self.begun,
            &self.owners,
        ]
    }
}
