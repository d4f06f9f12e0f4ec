//! Ids: which rows have a message id, at a cost that does not grow with the number of rows.
//!
//! An index over ids that know nothing of time changes another page for every message: the page
//! is read, logged, flushed and written back. So the newest ids are kept in the writer's memory
//! only: at start they are read from the messages after the last block. When there are enough of
//! them they become a block, in a transaction of its own; until it is committed they stay in memory.
//! A filter in memory tells which blocks may know an id. What a block or the memory says is always
//! looked up in the messages themselves: purged ones, and equal hashes, are recognised there.
//!
//! Every row is at all times known by one of: the memory, a block, or the index of before (stores
//! of version 3, until `catch_up` has been through them).

use super::connection::is_fatal;
use crate::model::codes::store as codes;
use crate::store::StoreError;
use aws_lc_rs::digest::{SHA256, digest};
use block::{Block, Filter, Span};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior};
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

mod block;
#[cfg(test)]
pub(super) mod tests;

/// Ids of a block.
pub(super) const BLOCK: usize = 65_536;

/// 64 bits of a hash of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

impl Key {
    /// Of an id.
    pub fn of(message_id: &str) -> Key {
        let hash = digest(&SHA256, message_id.as_bytes());
        Key(hash.as_ref().first_chunk().map_or(0, |first| u64::from_be_bytes(*first)))
    }
}

/// What writer and readers of one process share.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Rows that are in no block yet.
    recent: BTreeSet<(Key, i64)>,
    /// Rows whose id was changed after they were accepted: in no block.
    changed: BTreeSet<(Key, i64)>,
    filters: Vec<Filter>,
    blocks: Vec<Span>,
    /// Rows up to this one are in the index of before.
    indexed: Option<i64>,
}

/// Where an id may be.
#[derive(Debug, Default)]
struct Places {
    rows: Vec<i64>,
    blocks: Vec<Span>,
    indexed: Option<i64>,
}

impl Index {
    fn places(&self, key: Key) -> Places {
        let within = (key, i64::MIN)..=(key, i64::MAX);
        let recent = self.recent.range(within.clone());
        let rows = recent.chain(self.changed.range(within)).map(|(_, row)| *row).collect();
        let blocks = self.filters.iter().flat_map(|filter| filter.may_know(key)).collect();
        Places { rows, blocks, indexed: self.indexed }
    }

    fn add(&mut self, block: &Block) {
        if self.filters.last().is_none_or(Filter::is_full) {
            self.filters.push(Filter::new());
        }
        if let Some(filter) = self.filters.last_mut() {
            filter.add(block);
        }
        self.blocks.push(block.span);
    }

    fn remove(&mut self, number: u64) {
        self.filters.iter_mut().for_each(|filter| filter.remove(number));
        let full_and_empty = |filter: &Filter| filter.is_full() && filter.is_empty();
        self.filters.retain(|filter| !full_and_empty(filter));
        self.blocks.retain(|block| block.number != number);
    }
}

/// What writer and readers of one process share, behind its lock.
pub(super) type Shared = Arc<RwLock<Index>>;

/// Rows that have an id, whoever sent them. Without what the writer knows, the tables tell.
pub(super) fn rows_of(
    connection: &Connection,
    known: Option<&Shared>,
    message_id: &str,
) -> Result<Vec<i64>, StoreError> {
    let key = Key::of(message_id);
    let places = match known {
        Some(known) => known.read().unwrap_or_else(PoisonError::into_inner).places(key),
        None => places_by_tables(connection, message_id)?,
    };
    let mut rows = candidates(connection, places, key, message_id)?;
    let mut same =
        connection.prepare_cached("SELECT 1 FROM messages WHERE id = ?1 AND message_id = ?2")?;
    let mut kept = Vec::with_capacity(rows.len());
    rows.sort_unstable();
    rows.dedup();
    for row in rows {
        if same.exists((row, message_id))? {
            kept.push(row);
        }
    }
    Ok(kept)
}

/// The same for a process that only reads: rows behind the last block are read one by one.
fn places_by_tables(connection: &Connection, message_id: &str) -> Result<Places, StoreError> {
    let blocks = block::spans(connection)?;
    let (indexed, _) = migration(connection)?;
    let behind = behind(&blocks, indexed);
    let sql = "SELECT id FROM messages WHERE id > ?1 AND message_id = ?2
        UNION ALL SELECT id FROM ids_changed JOIN messages ON id = message WHERE message_id = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map((behind, message_id), |row| row.get(0))?;
    Ok(Places { rows: rows.collect::<Result<_, _>>()?, blocks, indexed })
}

/// Rows as a list in JSON, which a statement takes as one parameter.
pub(super) fn json(rows: &[i64]) -> String {
    let rows: Vec<String> = rows.iter().map(i64::to_string).collect();
    format!("[{}]", rows.join(","))
}

/// Rows to look at.
fn candidates(
    connection: &Connection,
    places: Places,
    key: Key,
    message_id: &str,
) -> Result<Vec<i64>, StoreError> {
    let Places { mut rows, blocks, indexed } = places;
    for span in blocks {
        block::rows(connection, span, key, &mut rows)?;
    }
    if let Some(last) = indexed {
        // The number stands in the text: only so does the index apply.
        let sql = format!("SELECT id FROM messages WHERE id <= {last} AND message_id = ?1");
        let mut statement = connection.prepare_cached(&sql)?;
        let found = statement.query_map([message_id], |row| row.get(0))?;
        for row in found {
            rows.push(row?);
        }
    }
    Ok(rows)
}

/// The last row that is in a block or in the index of before; all after it are in memory.
fn behind(blocks: &[Span], indexed: Option<i64>) -> i64 {
    let last = blocks.iter().map(|block| block.last).max();
    last.into_iter().chain(indexed).max().unwrap_or(0)
}

/// Rows that are in the index of before, and how far they are in blocks. `None`: all of them are.
fn migration(connection: &Connection) -> Result<(Option<i64>, i64), StoreError> {
    let value = |name: &str| -> Result<i64, StoreError> {
        let sql = "SELECT value FROM meta WHERE name = ?1";
        let text: Option<String> =
            connection.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?;
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
    };
    let (indexed, caught) = (value("ids-indexed")?, value("ids-caught")?);
    Ok(((caught < indexed).then_some(indexed), caught))
}

/// Whether every row that a block should know is known by one: row by row, block by block.
pub(super) fn inspect(connection: &Connection) -> Result<String, StoreError> {
    let (indexed, _) = migration(connection)?;
    let mut blocks = block::spans(connection)?;
    blocks.sort_unstable_by_key(|block| block.first);
    let (mut known, mut missing) = (0_u64, 0_u64);
    // Rows between the blocks belong to one as well, unless the index of before has them.
    let mut after = indexed.unwrap_or(0);
    let behind = behind(&blocks, indexed);
    let sql = "SELECT message_id, id FROM messages WHERE id > ?1 AND id <= ?2
        AND id NOT IN (SELECT message FROM ids_changed) ORDER BY id LIMIT ?3";
    let limit = i64::try_from(BLOCK).unwrap_or(i64::MAX);
    let end = Span { number: 0, first: behind + 1, last: behind };
    let from = after;
    for span in blocks.iter().copied().filter(|block| block.last > from).chain([end]) {
        let block = Block::read(connection, span)?;
        loop {
            let rows = page(connection, sql, (after, span.last.max(span.first - 1), limit))?;
            let Some((_, last)) = rows.last() else { break };
            after = *last;
            for (key, row) in rows {
                known += 1;
                missing += u64::from(!block.knows(key, row));
            }
        }
        after = after.max(span.last);
    }
    match missing {
        0 => Ok(format!("{known} in {} blocks", blocks.len())),
        _ => Err(StoreError::new(
            &codes::STORE_CORRUPT,
            format!(
                "{missing} of {known} rows are in no block: a repetition would be taken for new"
            ),
        )),
    }
}

/// The writer's side.
pub(super) struct Ids {
    index: Shared,
    /// Ids of a block.
    block: usize,
    /// Sealing is tried at so many: more after it failed.
    seal_at: usize,
    /// Number of the next block.
    next: u64,
    /// Added by the transaction under way.
    added: Vec<(Key, i64)>,
    changed: Vec<(Key, i64)>,
    /// Blocks that it takes out.
    expired: Vec<u64>,
    /// What the background has gathered for a block, and the last row it looked at.
    gathered: Vec<(Key, i64)>,
    caught: i64,
    /// Blocks that the transaction under way makes of it.
    made: Vec<Block>,
    done: bool,
}

impl Ids {
    /// Reads what is known: once, when the store is opened. What is in no block becomes one where
    /// there is enough of it.
    pub fn read(connection: &Connection, block: usize) -> Result<Ids, StoreError> {
        drop_index_of_before(connection)?;
        let (indexed, caught) = migration(connection)?;
        let mut index = Index { indexed, ..Index::default() };
        for span in block::spans(connection)? {
            index.add(&Block::read(connection, span)?);
        }
        let sql =
            "SELECT m.message_id, m.id FROM ids_changed c JOIN messages m ON m.id = c.message";
        index.changed = page(connection, sql, [])?.into_iter().collect();
        let mut after = behind(&index.blocks, indexed);
        let next = index.blocks.iter().map(|block| block.number).max().map_or(0, |last| last + 1);
        let block = block.max(1);
        let mut ids = Ids {
            index: Arc::new(RwLock::new(index)),
            block,
            seal_at: block,
            next,
            added: Vec::new(),
            changed: Vec::new(),
            expired: Vec::new(),
            gathered: Vec::new(),
            caught,
            made: Vec::new(),
            done: false,
        };
        let sql = "SELECT message_id, id FROM messages WHERE id > ?1 ORDER BY id LIMIT ?2";
        loop {
            let limit = i64::try_from(block).unwrap_or(i64::MAX);
            let rows = page(connection, sql, (after, limit))?;
            let Some((_, last)) = rows.last() else { break };
            after = *last;
            ids.index().recent.extend(rows);
            match ids.seal(connection, |_| {}) {
                Err(error) if is_fatal(&error) => return Err(error),
                // Full: they stay in memory, and it is tried again.
                _ => {}
            }
        }
        Ok(ids)
    }

    /// For those who read beside the writer.
    pub fn shared(&self) -> Shared {
        Arc::clone(&self.index)
    }

    fn index(&self) -> std::sync::RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The row that has an id from a sender, and whether its content is the same.
    pub fn find(
        &self,
        connection: &Connection,
        (key, message_id): (Key, &str),
        source: &str,
        fingerprint: &[u8; 32],
    ) -> Result<Option<(i64, bool)>, StoreError> {
        let places = self.index.read().unwrap_or_else(PoisonError::into_inner).places(key);
        let rows = candidates(connection, places, key, message_id)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let sql = "SELECT fingerprint = ?4 FROM messages
            WHERE id = ?1 AND message_id = ?2 AND source = ?3";
        let mut statement = connection.prepare_cached(sql)?;
        for row in rows {
            let same = statement
                .query_row((row, message_id, source, fingerprint), |row| row.get(0))
                .optional()?;
            if let Some(same) = same {
                return Ok(Some((row, same)));
            }
        }
        Ok(None)
    }

    /// A new row.
    pub fn add(&mut self, key: Key, row: i64) {
        if self.index().recent.insert((key, row)) {
            self.added.push((key, row));
        }
    }

    /// A row has another id from now on.
    pub fn change(
        &mut self,
        connection: &Connection,
        key: Key,
        row: i64,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO ids_changed (message) VALUES (?1) ON CONFLICT DO NOTHING";
        connection.prepare_cached(sql)?.execute([row])?;
        if self.index().changed.insert((key, row)) {
            self.changed.push((key, row));
        }
        Ok(())
    }

    /// Rows have gone: with the last one of a block it goes, too.
    pub fn gone(&mut self, connection: &Connection, rows: &[i64]) -> Result<(), StoreError> {
        if !self.index().changed.is_empty() {
            let mut delete =
                connection.prepare_cached("DELETE FROM ids_changed WHERE message = ?1")?;
            for row in rows {
                delete.execute([row])?;
            }
        }
        let of_them =
            |block: &Span| rows.iter().any(|row| (block.first..=block.last).contains(row));
        let blocks: Vec<Span> = self.index().blocks.iter().copied().filter(of_them).collect();
        let sql = "SELECT 1 FROM messages WHERE id >= ?1 AND id <= ?2 LIMIT 1";
        for span in blocks {
            if !connection.prepare_cached(sql)?.exists((span.first, span.last))? {
                block::delete(connection, span.number)?;
                self.expired.push(span.number);
            }
        }
        Ok(())
    }

    /// Whether nothing is found through the index of before.
    pub fn is_caught_up(&self) -> bool {
        self.index().indexed.is_none()
    }

    /// Whether there is enough for a block.
    pub fn is_full(&self) -> bool {
        self.index().recent.len() >= self.seal_at
    }

    /// Makes a block of what is in memory, in a transaction of its own. Crash or error leave it as
    /// it was: only what is committed leaves the memory.
    pub fn seal(
        &mut self,
        connection: &Connection,
        reached: impl Fn(&'static str),
    ) -> Result<(), StoreError> {
        if !self.is_full() {
            return Ok(());
        }
        self.seal_at += self.block;
        let rows: Vec<_> = self.index().recent.iter().copied().collect();
        let blocks = Block::of(self.next, rows);
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        blocks.iter().try_for_each(|block| block.write(connection))?;
        reached("ids:before-commit");
        transaction.commit()?;
        self.take_in(&blocks);
        self.index().recent.clear();
        self.seal_at = self.block;
        reached("ids:after-commit");
        Ok(())
    }

    fn take_in(&mut self, blocks: &[Block]) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for block in blocks {
            index.add(block);
            self.next = self.next.max(block.span.number + 1);
        }
    }

    /// Goes through some rows of the index of before, and makes blocks of them. `true`: it is not
    /// needed any more.
    pub fn catch_up(&mut self, connection: &Connection, limit: usize) -> Result<bool, StoreError> {
        let Some(indexed) = self.index().indexed else { return Ok(true) };
        let limit = limit.min(self.block);
        let sql = "SELECT message_id, id FROM messages WHERE id > ?1 AND id <= ?2
            ORDER BY id LIMIT ?3";
        let bound = (self.caught, indexed, i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = page(connection, sql, bound)?;
        self.done = rows.len() < limit;
        self.caught = match (rows.last(), self.done) {
            (Some((_, last)), false) => *last,
            _ => indexed,
        };
        self.gathered.extend(rows);
        if !self.done && self.gathered.len() < self.block {
            return Ok(false);
        }
        // An earlier step of the same transaction may have made some.
        let number = self.made.last().map_or(self.next, |block| block.span.number + 1);
        let made = Block::of(number, std::mem::take(&mut self.gathered));
        made.iter().try_for_each(|block| block.write(connection))?;
        self.made.extend(made);
        let sql = "UPDATE meta SET value = ?1 WHERE name = 'ids-caught'";
        connection.prepare_cached(sql)?.execute([self.caught.to_string()])?;
        Ok(self.done)
    }

    /// The transaction is committed.
    pub fn keep(&mut self) {
        self.added.clear();
        self.changed.clear();
        for number in std::mem::take(&mut self.expired) {
            self.index().remove(number);
        }
        let made = std::mem::take(&mut self.made);
        self.take_in(&made);
        if self.done {
            self.index().indexed = None;
        }
    }

    /// The transaction was rolled back.
    pub fn undo(&mut self, connection: &Connection) {
        for one in std::mem::take(&mut self.added) {
            self.index().recent.remove(&one);
        }
        for one in std::mem::take(&mut self.changed) {
            self.index().changed.remove(&one);
        }
        self.expired.clear();
        self.made.clear();
        self.done = false;
        // What was gathered since the last block is gathered again.
        self.gathered.clear();
        self.caught = migration(connection).map_or(0, |(_, caught)| caught);
    }

    /// How many are in memory, and how many blocks there are.
    #[cfg(test)]
    pub fn counts(&self) -> (usize, usize) {
        let index = self.index();
        (index.recent.len(), index.blocks.len())
    }
}

fn page(
    connection: &Connection,
    sql: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<(Key, i64)>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        let odd =
            |_| StoreError::new(&codes::STORE_REFUSED, "a row has another shape than expected");
        let id = row.get_ref(0)?.as_str().map_err(odd)?;
        page.push((Key::of(id), row.get(1)?));
    }
    Ok(page)
}

/// At a start after the background has been through it: dropping is one step, and takes a second or
/// more for ten million rows.
fn drop_index_of_before(connection: &Connection) -> Result<(), StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'messages_before')";
    let there: bool = connection.query_row(sql, [], |row| row.get(0))?;
    if !there || migration(connection)?.0.is_some() {
        return Ok(());
    }
    let sql = "BEGIN IMMEDIATE; DROP INDEX messages_before;
        DELETE FROM meta WHERE name = 'ids-indexed' OR name = 'ids-caught'; COMMIT;";
    Ok(connection.execute_batch(sql)?)
}
