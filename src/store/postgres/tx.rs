//! One transaction under way: the head row in hand, and what is written at its end.

use super::connection::{Params, Session, column, kept, odd};
use super::prepared::{Entry, Outgoing};
use crate::model::codes::store as codes;
use crate::record::{Frontier, Hash};
use crate::store::StoreError;
use crate::store::acts::Ended;
use crate::store::epoch::Restored;
use futures_util::future::try_join_all;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Whoever writes begins with this.
pub(super) const HEAD: &str =
    "SELECT message, exchange, outgoing, size, peaks, restored_at, restore_window, ghosts
    FROM head FOR UPDATE";
const MOVE_HEAD: &str =
    "UPDATE head SET message = $1, exchange = $2, outgoing = $3, size = $4, peaks = $5";
/// Tells after a lost connection whether a group was committed.
const MARK: &str = "INSERT INTO writers (instance, groups) VALUES ($1, $2)
    ON CONFLICT (instance) DO UPDATE SET groups = excluded.groups";
const RECORDS: &str = "INSERT INTO records (sequence, leaf, entry)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::text[])";
const TALLIES: &str = "INSERT INTO tallies
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[],
        $6::bigint[])
    ON CONFLICT (route, state, code) DO UPDATE SET count = tallies.count + excluded.count,
        retried = tallies.retried + excluded.retried,
        unknown_resolved = tallies.unknown_resolved + excluded.unknown_resolved";
const OUTBOX: &str = "INSERT INTO outbox (id, exchange, message, routing_key, message_id,
        message_type, correlation_id, content_type, sealed)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[],
        $6::text[], $7::text[], $8::text[], $9::bytea[])";

/// Statements of this file, for the session that writes.
pub(super) const STATEMENTS: &[&str] = &[HEAD, MOVE_HEAD, MARK, RECORDS, TALLIES, OUTBOX];

/// The last ids given, and where the record ends.
#[derive(Clone)]
pub(super) struct Head {
    pub message: i64,
    pub exchange: i64,
    pub outgoing: i64,
    /// The tree over the record.
    pub tree: Frontier,
    /// What a restore left in doubt.
    pub restored: Restored,
}

/// The tree out of a size and the peaks beside it.
pub(super) fn frontier(size: i64, peaks: &[u8]) -> Result<Frontier, StoreError> {
    let size = u64::try_from(size).map_err(|_| odd())?;
    Frontier::from_bytes(size, peaks).ok_or_else(|| {
        StoreError::new(&codes::RECORD_BROKEN, "the peaks do not belong to the size")
    })
}

impl Head {
    pub fn read(row: &Row) -> Result<Head, StoreError> {
        Ok(Head {
            message: column(row, 0)?,
            exchange: column(row, 1)?,
            outgoing: column(row, 2)?,
            tree: frontier(column(row, 3)?, column(row, 4)?)?,
            restored: Restored {
                at: column(row, 5)?,
                window: column(row, 6)?,
                ghosts: column(row, 7)?,
            },
        })
    }
}

/// A record row on its way.
struct Appended {
    sequence: i64,
    leaf: Hash,
    text: String,
}

/// An outbox row on its way.
struct Posted {
    id: i64,
    exchange: i64,
    message: i64,
    outgoing: Arc<Outgoing>,
}

/// What one transaction changes in the tallies: count, extra attempts, resolved.
type Tallies = BTreeMap<(String, &'static str, String), [i64; 3]>;

/// What the calls of a group write through.
pub(super) struct Tx<'s> {
    session: &'s Session,
    pub head: Head,
    tallies: Tallies,
    record: Vec<Appended>,
    outbox: Vec<Posted>,
}

impl<'s> Tx<'s> {
    pub fn new(session: &'s Session, head: Head) -> Tx<'s> {
        Tx { session, head, tallies: Tallies::default(), record: Vec::new(), outbox: Vec::new() }
    }

    pub async fn query(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        self.session.query(sql, params).await
    }

    pub async fn row(
        &self,
        sql: &'static str,
        params: Params<'_>,
    ) -> Result<Option<Row>, StoreError> {
        self.session.row(sql, params).await
    }

    pub async fn execute(&self, sql: &'static str, params: Params<'_>) -> Result<u64, StoreError> {
        self.session.execute(sql, params).await
    }

    /// Statements sent in one go; they take effect in their order.
    pub async fn execute_all(
        &self,
        statements: &[(&'static str, Params<'_>)],
    ) -> Result<(), StoreError> {
        let all = statements.iter().map(|(sql, params)| self.session.execute(sql, params));
        try_join_all(all).await.map(drop)
    }

    /// Appends an entry to the record, under the next sequence.
    pub fn append(&mut self, entry: &Entry) {
        self.head.tree.push(entry.leaf);
        let sequence = signed(self.head.tree.size());
        self.record.push(Appended { sequence, leaf: entry.leaf, text: entry.text.clone() });
    }

    pub fn append_all(&mut self, entries: &[Entry]) {
        entries.iter().for_each(|entry| self.append(entry));
    }

    /// An exchange ended.
    pub fn ended(&mut self, ended: &Ended<'_>) {
        self.tally(ended, 1);
    }

    /// An exchange that had ended begins again, or ended otherwise.
    pub fn reopened(&mut self, ended: &Ended<'_>) {
        self.tally(ended, -1);
    }

    fn tally(&mut self, ended: &Ended<'_>, sign: i64) {
        let key = (ended.route.to_owned(), ended.state, ended.code.to_owned());
        let [count, retried, resolved] = self.tallies.entry(key).or_default();
        *count += sign;
        *retried += sign * (ended.attempts - 1).max(0);
        *resolved += sign * i64::from(ended.resolved);
    }

    /// Puts an answer into the outbox.
    pub fn post(&mut self, exchange: i64, message: i64, outgoing: Arc<Outgoing>) {
        self.head.outgoing += 1;
        self.outbox.push(Posted { id: self.head.outgoing, exchange, message, outgoing });
    }

    /// Writes what was put aside: outbox, record, tallies, head and the mark of the group.
    pub async fn finish(self, instance: i64, group: i64) -> Result<(), StoreError> {
        let record = &self.record;
        let sequences: Vec<i64> = record.iter().map(|one| one.sequence).collect();
        let leaves: Vec<&[u8]> = record.iter().map(|one| one.leaf.as_slice()).collect();
        let texts: Vec<&str> = record.iter().map(|one| one.text.as_str()).collect();
        let tallies = &self.tallies;
        let routes: Vec<&str> = tallies.keys().map(|key| key.0.as_str()).collect();
        let states: Vec<&str> = tallies.keys().map(|key| key.1).collect();
        let codes: Vec<&str> = tallies.keys().map(|key| key.2.as_str()).collect();
        let counts: Vec<i64> = tallies.values().map(|[count, _, _]| *count).collect();
        let retried: Vec<i64> = tallies.values().map(|[_, retried, _]| *retried).collect();
        let resolved: Vec<i64> = tallies.values().map(|[_, _, resolved]| *resolved).collect();
        let outbox = Outbox::new(&self.outbox);
        let head = &self.head;
        let mut all: Vec<(&'static str, Params<'_>)> = Vec::new();
        let to_record: Params<'_> = &[&sequences, &leaves, &texts];
        let to_tallies: Params<'_> = &[&routes, &states, &codes, &counts, &retried, &resolved];
        let to_outbox = outbox.params();
        if !record.is_empty() {
            all.push((RECORDS, to_record));
        }
        if !tallies.is_empty() {
            all.push((TALLIES, to_tallies));
        }
        if !self.outbox.is_empty() {
            all.push((OUTBOX, &to_outbox));
        }
        let (size, peaks) = (signed(head.tree.size()), head.tree.to_bytes());
        let to_head: Params<'_> = &[&head.message, &head.exchange, &head.outgoing, &size, &peaks];
        all.push((MOVE_HEAD, to_head));
        let to_mark: Params<'_> = &[&instance, &group];
        all.push((MARK, to_mark));
        self.execute_all(&all).await
    }

    /// The one row that a statement must give.
    pub async fn one(&self, sql: &'static str, params: Params<'_>) -> Result<Row, StoreError> {
        self.row(sql, params).await?.ok_or_else(odd)
    }
}

/// PostgreSQL's integers are signed; no record comes near their end.
pub(super) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

type Texts<'p> = Vec<Cow<'p, str>>;

/// Columns of the outbox's rows.
struct Outbox<'p> {
    ids: Vec<i64>,
    exchanges: Vec<i64>,
    messages: Vec<i64>,
    keys: Texts<'p>,
    message_ids: Texts<'p>,
    types: Texts<'p>,
    correlations: Vec<Option<Cow<'p, str>>>,
    contents: Texts<'p>,
    sealed: Vec<&'p [u8]>,
}

impl<'p> Outbox<'p> {
    fn new(posted: &'p [Posted]) -> Outbox<'p> {
        let text =
            |get: fn(&'p Posted) -> &'p str| posted.iter().map(|one| kept(get(one))).collect();
        Outbox {
            ids: posted.iter().map(|one| one.id).collect(),
            exchanges: posted.iter().map(|one| one.exchange).collect(),
            messages: posted.iter().map(|one| one.message).collect(),
            keys: text(|one| &one.outgoing.message.routing_key),
            message_ids: text(|one| &one.outgoing.message.message_id),
            types: text(|one| &one.outgoing.message.message_type),
            correlations: posted
                .iter()
                .map(|one| one.outgoing.message.correlation_id.as_deref().map(kept))
                .collect(),
            contents: text(|one| &one.outgoing.message.content_type),
            sealed: posted.iter().map(|one| one.outgoing.sealed.0.as_slice()).collect(),
        }
    }

    fn params(&self) -> [&(dyn ToSql + Sync); 9] {
        [
            &self.ids,
            &self.exchanges,
            &self.messages,
            &self.keys,
            &self.message_ids,
            &self.types,
            &self.correlations,
            &self.contents,
            &self.sealed,
        ]
    }
}
