//! The SQLite home of the store: one file, one writing thread, a few reading ones.

use super::{
    Accepted, Act, AttemptView, Claim, Claimed, Count, Epoch, EpochBegun, ExchangeView, Filter,
    Intent, Kept, Keys, Later, NewEpoch, NewMessage, Overdue, Pending, RecordRow, RecordStore,
    Rerouted, Settled, Settlement, Store, StoreError, Ticketed,
};
use crate::model::clock::SystemClock;
use crate::model::codes::store as codes;
use crate::model::{Clock, Secret, State};
use crate::record::index::Block;
use crate::record::{Checkpoint, Draft, Frontier, Hash};
use ids::Ids;
use jiff::Timestamp;
use lanes::Lanes;
use overflow::Overflow;
use reader::Readers;
use rusqlite::Connection;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use write_back::WriteBack;
use writer::{Call, Loop, Shared, Tx, Writer};

mod accept;
mod act;
mod approvals;
pub mod backup;
mod bundles;
mod chain;
mod claim;
mod connection;
mod exchanges;
mod ids;
mod inspect;
mod integrity;
mod lanes;
mod overflow;
mod purge;
mod reader;
mod record;
mod reroute;
mod restored;
mod rotation;
mod supersede;
mod tallies;
mod task_calls;
mod tasks;
mod views;
mod write_back;
mod writer;

pub(super) use accept::label as body_label;
pub(super) use exchanges::{follow, label as outgoing_label};

#[cfg(test)]
pub(crate) mod tests;

/// Connections that read.
const READERS: usize = 3;

/// Called at named points (`accept:before-commit`, …) on the writer's thread: a test that panics
/// there has a crash at that very point.
pub type CrashPoints = Arc<dyn Fn(&'static str) + Send + Sync>;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Bytes the database may use; `None`: all the disk has. Beyond it nothing new is accepted,
    /// while what is under way may use an eighth more to come to its end.
    pub max_bytes: Option<u64>,
    /// Ids of messages that are kept in memory before they become a block.
    pub id_block: usize,
    /// Lanes with something open that are kept in memory; more of them lie in a file.
    pub lanes: usize,
    /// Calls in one transaction at most.
    pub group: usize,
    /// Frames in the log before they are written back (of 4 KiB each). Pages that change with every
    /// message are then written back once for many commits.
    pub log: u32,
    /// Tells when the restart was, for what it interrupted.
    pub clock: Arc<dyn Clock>,
    /// The store was put back: `begin_epoch` comes next, and nothing is written before it.
    pub adopt: bool,
    /// For tests.
    pub crash_points: Option<CrashPoints>,
}

impl Default for Options {
    fn default() -> Self {
        let clock = Arc::new(SystemClock);
        Options {
            max_bytes: None,
            id_block: ids::BLOCK,
            lanes: Lanes::LIMIT,
            group: 512,
            log: 8_000,
            clock,
            adopt: false,
            crash_points: None,
        }
    }
}

/// The store in one SQLite file. Dropping it waits for what was queued.
pub struct SqliteStore {
    keys: Arc<Keys>,
    shared: Arc<Shared>,
    readers: Readers,
    /// Which rows have an id; `None` when open for reading only: then the tables tell.
    ids: Option<ids::Shared>,
    /// None when open for reading only.
    writer: Option<Writer>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens or creates a store and takes it over: what was `sending` becomes `unknown`.
    ///
    /// # Errors
    /// `T101` when another process has it, `T103` when it is of another version, `T107` when the
    /// keys are not its own, `T401` when the end of its record does not verify, and what the disk
    /// and SQLite say.
    pub fn open(
        path: &Path,
        keys: Arc<Keys>,
        options: Options,
    ) -> Result<Arc<SqliteStore>, StoreError> {
        let lock = connection::lock(path)?;
        let mut connection = connection::open_writer(path, &keys)?;
        integrity::quick(&connection)?;
        limit_pages(&connection, options.max_bytes)?;
        let shared = Arc::<Shared>::default();
        let readers = (0..READERS).map(|_| connection::open_reader(path)).collect::<Result<_, _>>();
        let readers = Readers::start(readers?, Arc::clone(&shared))?;
        let points = options.crash_points.clone();
        let write_back = WriteBack::new(&mut connection, readers.sender(), options.log, points)?;
        let mut state = Loop {
            tail: record::checked(&connection)?,
            lanes: Lanes::read(&connection, Overflow::beside(path), options.lanes)?,
            restored: restored::read(&connection)?,
            ids: Ids::read(&connection, options.id_block)?,
            connection,
            write_back,
            group: options.group.max(1),
            max_bytes: options.max_bytes,
            crash_points: options.crash_points,
            shared: Arc::clone(&shared),
            lock,
        };
        if !options.adopt {
            state.recover(options.clock.now())?;
        }
        shared.set_backlog(state.lanes.backlog());
        let ids = Some(state.ids.shared());
        let behind = !state.ids.is_caught_up();
        let (writer, thread) = state.start()?;
        if behind {
            writer.catch_up()?;
        }
        let thread = Mutex::new(Some(thread));
        Ok(Arc::new(SqliteStore { keys, shared, readers, ids, writer: Some(writer), thread }))
    }

    /// Opens a store for commands that only read, also beside a running gateway.
    ///
    /// # Errors
    /// `T102` when there is none, `T103`, `T107` as `open`.
    pub fn open_read_only(path: &Path, keys: Arc<Keys>) -> Result<Arc<SqliteStore>, StoreError> {
        let connection = connection::open_read_only(path, &keys)?;
        let shared = Arc::<Shared>::default();
        let readers = Readers::start(vec![connection], Arc::clone(&shared))?;
        let thread = Mutex::new(None);
        Ok(Arc::new(SqliteStore { keys, shared, readers, ids: None, writer: None, thread }))
    }

    /// Transactions committed since it was opened: far fewer than calls, under load.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    async fn write<T, F>(&self, call: Call, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        match &self.writer {
            Some(writer) => writer.submit(call, run).await,
            None => Err(StoreError::new(&codes::STORE_READ_ONLY, "")),
        }
    }

    async fn scrub_log(&self) -> Result<bool, StoreError> {
        match &self.writer {
            Some(writer) => writer.scrub().await,
            None => Err(StoreError::new(&codes::STORE_READ_ONLY, "")),
        }
    }

    fn read<T, F>(&self, run: F) -> Later<'_, T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, &Keys) -> Result<T, StoreError> + Send + 'static,
    {
        let keys = Arc::clone(&self.keys);
        Box::pin(self.readers.read(move |connection| run(connection, &keys)))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.writer = None;
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A writer that panicked has rolled back; there is nothing left to do for it.
            let _ = thread.join();
        }
    }
}

/// The hard limit leaves an eighth for outcomes of what was accepted before the store was full: an
/// eighth above what is there, where the limit was set below it.
fn limit_pages(connection: &Connection, max_bytes: Option<u64>) -> Result<(), StoreError> {
    let Some(max) = max_bytes else { return Ok(()) };
    let size: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let there: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let size = size.unsigned_abs().max(1);
    let pages = (max / size).max(there.unsigned_abs()) + max / 8 / size + 256;
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    Ok(())
}

impl Store for SqliteStore {
    fn healthy(&self) -> bool {
        let alive = self.writer.as_ref().is_none_or(Writer::is_alive);
        alive && self.shared.failed.get().is_none()
    }

    fn accept(&self, message: NewMessage) -> Later<'_, Accepted> {
        Box::pin(async move {
            let prepared = accept::prepare(&self.keys, message)?;
            self.write(writer::ACCEPT, move |tx| accept::run(tx, &prepared)).await
        })
    }

    fn claim(&self, claim: Claim) -> Later<'_, Vec<Claimed>> {
        self.read(move |connection, keys| claim::claim(connection, keys, &claim))
    }

    fn intend(&self, intents: Vec<Intent>) -> Later<'_, Vec<bool>> {
        Box::pin(async move {
            let prepared: Vec<_> = intents.into_iter().map(exchanges::prepare_intent).collect();
            self.write(writer::INTEND, move |tx| exchanges::intend(tx, &prepared)).await
        })
    }

    fn settle(&self, settlements: Arc<[Settlement]>) -> Later<'_, Vec<Settled>> {
        Box::pin(async move {
            let prepare = |settlement| exchanges::prepare(&self.keys, settlement);
            let prepared = settlements.iter().map(prepare).collect::<Result<Vec<_>, _>>()?;
            let run = move |tx: &mut Tx<'_>| exchanges::settle(tx, &settlements, &prepared);
            self.write(writer::SETTLE, run).await
        })
    }

    fn overdue(&self, overdue: Overdue) -> Later<'_, (Vec<Claimed>, Option<i64>)> {
        self.read(move |connection, keys| claim::overdue(connection, keys, &overdue))
    }

    fn of_ticket(
        &self,
        counterpart: String,
        operation: String,
        ticket: String,
    ) -> Later<'_, Ticketed> {
        self.read(move |connection, keys| {
            claim::of_ticket(connection, keys, &counterpart, &operation, &ticket)
        })
    }

    fn next_due(
        &self,
        counterpart: String,
        operation: String,
        states: Vec<State>,
    ) -> Later<'_, Option<Timestamp>> {
        self.read(move |connection, _| {
            claim::next_due(connection, &counterpart, &operation, &states)
        })
    }

    fn pending(&self, limit: usize) -> Later<'_, Vec<Pending>> {
        self.read(move |connection, keys| claim::pending(connection, keys, limit))
    }

    fn published(&self, ids: Vec<i64>, at: Timestamp) -> Later<'_, ()> {
        Box::pin(self.write(writer::OTHER, move |tx| {
            let sql = "UPDATE outbox SET published_at = ?2 WHERE id = ?1";
            let mark = |id: &i64| tx.execute(sql, (id, at.as_millisecond())).map(drop);
            ids.iter().try_for_each(mark)
        }))
    }

    fn act(&self, act: Act) -> Later<'_, Option<State>> {
        Box::pin(async move {
            let prepared = act::prepare(&self.keys, act)?;
            self.write(writer::ACT, move |tx| act::run_with(tx, &prepared)).await
        })
    }

    fn kept(&self, exchange: i64) -> Later<'_, Option<Kept>> {
        self.read(move |connection, keys| reroute::kept(connection, keys, exchange))
    }

    fn reroute(&self, act: Act, message: NewMessage) -> Later<'_, Rerouted> {
        Box::pin(async move {
            let prepared = accept::prepare(&self.keys, message)?;
            self.write(writer::ACT, move |tx| reroute::run(tx, &act, &prepared)).await
        })
    }

    fn set_back(&self, by: Duration, at: Timestamp) -> Later<'_, usize> {
        Box::pin(self.write(writer::OTHER, move |tx| exchanges::set_back(tx, by, at)))
    }

    fn check_room(&self) -> Later<'_, ()> {
        Box::pin(self.write(writer::OTHER, |tx| tx.check_room()))
    }

    fn note(&self, drafts: Vec<Draft>) -> Later<'_, ()> {
        Box::pin(self.write(writer::OTHER, move |tx| tx.append_all(&drafts)))
    }

    fn list(&self, filter: Filter) -> Later<'_, Vec<ExchangeView>> {
        let ids = self.ids.clone();
        self.read(move |connection, _| views::list(connection, ids.as_ref(), &filter))
    }

    fn attempts(&self, exchange: i64) -> Later<'_, Vec<AttemptView>> {
        self.read(move |connection, _| views::attempts(connection, exchange))
    }

    fn original(&self, exchange: i64) -> Later<'_, Option<Secret<Vec<u8>>>> {
        self.read(move |connection, keys| claim::original(connection, keys, exchange))
    }

    fn counts(&self) -> Later<'_, Vec<Count>> {
        self.read(|connection, _| views::counts(connection))
    }

    fn backlog(&self) -> Later<'_, Vec<(String, u64)>> {
        // The writer knows: the guard asks every second, and counting a million rows takes long.
        if self.writer.is_some() {
            let backlog = self.shared.failed.get().cloned().map_or(Ok(self.shared.backlog()), Err);
            return Box::pin(async move { backlog });
        }
        self.read(|connection, _| views::backlog(connection))
    }

    fn record(&self, after: i64, limit: usize) -> Later<'_, Vec<RecordRow>> {
        self.read(move |connection, _| record::rows(connection, after, limit))
    }

    fn tree(&self) -> Later<'_, Frontier> {
        match &self.writer {
            Some(_) => Box::pin(std::future::ready(Ok(self.shared.tree()))),
            None => self.read(|connection, _| record::frontier(connection)),
        }
    }

    fn cursor(&self, name: String) -> Later<'_, Option<String>> {
        self.read(move |connection, _| views::cursor(connection, &name))
    }

    fn set_cursor(&self, name: String, value: String) -> Later<'_, ()> {
        Box::pin(self.write(writer::OTHER, move |tx| {
            let sql = "INSERT INTO cursors (name, value) VALUES (?1, ?2)
                ON CONFLICT DO UPDATE SET value = excluded.value";
            tx.execute(sql, (&name, &value)).map(drop)
        }))
    }

    fn epoch(&self) -> Later<'_, Epoch> {
        self.read(|connection, _| restored::epoch(connection))
    }

    fn begin_epoch(&self, new: NewEpoch) -> Later<'_, EpochBegun> {
        Box::pin(self.write(writer::OTHER, move |tx| restored::begin(tx, &new)))
    }

    fn complete_restore(&self, operator: String, reason: String, at: Timestamp) -> Later<'_, bool> {
        Box::pin(
            self.write(writer::OTHER, move |tx| restored::complete(tx, &operator, &reason, at)),
        )
    }

    fn close(&self) -> Later<'_, ()> {
        Box::pin(async move {
            match &self.writer {
                Some(writer) => writer.close().await,
                None => Ok(()),
            }
        })
    }
}

impl RecordStore for SqliteStore {
    fn leaves(&self, after: u64, limit: usize) -> Later<'_, Vec<Hash>> {
        self.read(move |connection, _| record::leaves(connection, after, limit))
    }

    fn checkpoints(&self, after: u64, limit: usize) -> Later<'_, Vec<Checkpoint>> {
        self.read(move |connection, _| record::checkpoints(connection, after, limit))
    }

    fn last_checkpoints(&self, limit: usize) -> Later<'_, Vec<Checkpoint>> {
        self.read(move |connection, _| record::last_checkpoints(connection, limit))
    }

    fn put_checkpoint(&self, checkpoint: Checkpoint, instead_of: Option<u64>) -> Later<'_, bool> {
        Box::pin(
            self.write(writer::OTHER, move |tx| {
                record::put_checkpoint(tx, &checkpoint, instead_of)
            }),
        )
    }

    fn block_roots(&self, from: u64, limit: usize) -> Later<'_, Vec<Hash>> {
        self.read(move |connection, _| record::block_roots(connection, from, limit))
    }

    fn put_block(&self, block: Block) -> Later<'_, ()> {
        Box::pin(self.write(writer::OTHER, move |tx| record::put_block(tx, &block)))
    }

    fn index_part(&self, part: u8, from: u64, limit: usize) -> Later<'_, Vec<(u64, Vec<u8>)>> {
        self.read(move |connection, _| record::index_part(connection, part, from, limit))
    }

    fn pruned(&self) -> Later<'_, Frontier> {
        self.read(|connection, _| record::pruned(connection))
    }

    fn prune(&self, tree: Frontier, note: Draft) -> Later<'_, bool> {
        Box::pin(self.write(writer::OTHER, move |tx| record::prune(tx, &tree, &note)))
    }
}
