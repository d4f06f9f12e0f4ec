//! The one thread that writes: it gathers what is ready into one transaction and one fsync.

use super::CrashPoints;
use super::connection::{BUSY, is_fatal};
use super::exchanges;
use super::ids::Ids;
use super::lanes::Lanes;
use super::record;
use super::tallies::Tallies;
use super::write_back::WriteBack;
use crate::model::codes::store as codes;
use crate::record::{Draft, Frontier, Hash, Head, Kind, Phase, tree};
use crate::store::epoch::Restored;
use crate::store::{RecordRow, StoreError};
use jiff::Timestamp;
use rusqlite::{
    CachedStatement, Connection, OptionalExtension as _, Params, Row, Statement, Transaction,
    TransactionBehavior,
};
use std::cell::RefCell;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// Rows of the index of before that one step goes through: some two milliseconds.
const CATCH_UP: usize = 1_024;
/// How long the writer waits for more calls where some wait already. It costs each of them less than
/// they save together: a commit has its flush, and pages of its own that every commit writes.
const GATHER: Duration = Duration::from_micros(700);
/// So many calls behind the first one show that more are on their way. Fewer are not kept waiting.
const COMPANY: usize = 4;
/// So many are enough for one commit.
const ENOUGH: usize = 48;

/// What kind of call a job is: names its crash points.
#[derive(Clone, Copy)]
pub(super) struct Call {
    before: &'static str,
    after: &'static str,
}

macro_rules! calls {
    ($($name:ident = $word:literal;)*) => {
        $(pub(super) const $name: Call = Call {
            before: concat!($word, ":before-commit"),
            after: concat!($word, ":after-commit"),
        };)*
    };
}
calls! { ACCEPT = "accept"; INTEND = "intend"; SETTLE = "settle"; ACT = "act"; OTHER = "other"; }

/// A call on its way to the writer. It may run twice: in the group, then alone.
trait Work: Send {
    fn call(&self) -> Call;
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError>;
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Task<T, F> {
    call: Call,
    run: F,
    output: Option<T>,
    /// What was written goes back as well: freeing it is left to the thread that made it.
    reply: oneshot::Sender<(Result<T, StoreError>, F)>,
}

impl<T, F> Work for Task<T, F>
where
    T: Send,
    F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send,
{
    fn call(&self) -> Call {
        self.call
    }

    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.output = Some((self.run)(tx)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Task { run, output, reply, .. } = *self;
        // Where nobody waits any more, what was written stays written.
        let _ = reply.send((committed.and_then(|()| output.ok_or_else(closed)), run));
    }
}

enum Order {
    Work(Box<dyn Work>),
    Close(oneshot::Sender<Result<(), StoreError>>),
    Scrub(oneshot::Sender<Result<bool, StoreError>>),
}

pub(super) fn closed() -> StoreError {
    StoreError::new(&codes::STORE_CLOSED, "")
}

/// What the callers and the writer both see.
#[derive(Default)]
pub(super) struct Shared {
    /// Set once by an error after which nothing may be trusted.
    pub failed: OnceLock<StoreError>,
    /// Committed transactions.
    pub commits: AtomicU64,
    /// The tree over the committed record.
    tree: Mutex<Frontier>,
    /// Exchanges not yet ended, per counterpart, after the last commit.
    backlog: Mutex<Vec<(String, u64)>>,
}

impl Shared {
    /// Exchanges not yet ended, per counterpart.
    pub fn backlog(&self) -> Vec<(String, u64)> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells how many there are now.
    pub fn set_backlog(&self, backlog: Vec<(String, u64)>) {
        *self.backlog.lock().unwrap_or_else(PoisonError::into_inner) = backlog;
    }

    /// The tree over the committed record.
    pub fn tree(&self) -> Frontier {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_tree(&self, tree: &Frontier) {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner).clone_from(tree);
    }
}

/// The callers' end.
pub(super) struct Writer {
    orders: mpsc::UnboundedSender<Order>,
}

impl Writer {
    /// Queues a call and waits for its commit.
    ///
    /// The call is queued by the first poll, without waiting: callers that poll in order are
    /// served in order, which is what keeps the messages of one person in the order of their
    /// arrival. A bounded queue would break that whenever it is full. The bound is the callers':
    /// each has one call under way, and they are limited by prefetch, connections and slots.
    pub async fn submit<T, F>(&self, call: Call, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task { call, run, output: None, reply };
        self.orders.send(Order::Work(Box::new(task))).map_err(|_| closed())?;
        let (written, _run) = answer.await.map_err(|_| closed())?;
        written
    }

    pub async fn close(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Close(reply)).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Empties the log when no reader needs it any more.
    pub async fn scrub(&self) -> Result<bool, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Order::Scrub(reply)).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Where a store of before has ids in an index: a thread of its own asks for one step after the
    /// other, and rests ten times as long as a step took. It ends with the store.
    pub fn catch_up(&self) -> Result<(), StoreError> {
        let orders = self.orders.downgrade();
        let step = move || {
            let begun = Instant::now();
            let (reply, answer) = oneshot::channel();
            let run = |tx: &mut Tx<'_>| tx.ids.catch_up(tx.connection, CATCH_UP);
            let task = Task { call: OTHER, run, output: None, reply };
            orders.upgrade()?.send(Order::Work(Box::new(task))).ok()?;
            let (done, _run) = answer.blocking_recv().ok()?;
            let done = done.ok()?;
            (!done).then(|| begun.elapsed() * 10)
        };
        let steps = move || {
            while let Some(pause) = step() {
                std::thread::sleep(pause);
            }
        };
        let thread = std::thread::Builder::new().name("watashi-store-ids".to_owned()).spawn(steps);
        let failed =
            |error: std::io::Error| StoreError::new(&codes::STORE_NOT_OPENED, error.to_string());
        thread.map(drop).map_err(failed)
    }

    pub fn is_alive(&self) -> bool {
        !self.orders.is_closed()
    }
}

/// An entry in the form it is hashed in, made on its caller's thread: the writer's time is what
/// everybody waits for.
pub(super) struct Entry {
    text: String,
    leaf: Hash,
}

impl Entry {
    /// The canonical text of a draft and its leaf.
    pub fn new(draft: &Draft) -> Entry {
        let text = draft.canonical();
        let leaf = tree::leaf(text.as_bytes());
        Entry { text, leaf }
    }
}

/// The writer's own end; lives on its thread.
pub(super) struct Loop {
    pub connection: Connection,
    pub write_back: WriteBack,
    /// The tree over the record.
    pub tail: Frontier,
    pub lanes: Lanes,
    pub ids: Ids,
    pub restored: Restored,
    pub group: usize,
    pub max_bytes: Option<u64>,
    pub crash_points: Option<CrashPoints>,
    pub shared: Arc<Shared>,
    /// Dropped last, when the connection is closed.
    pub lock: File,
}

impl Loop {
    /// Starts the thread. The queue is bounded: callers wait when it is full.
    pub fn start(self) -> Result<(Writer, std::thread::JoinHandle<()>), StoreError> {
        let (orders, queue) = mpsc::unbounded_channel();
        let thread = std::thread::Builder::new()
            .name("watashi-store".to_owned())
            .spawn(move || self.run(queue))
            .map_err(|error| StoreError::new(&codes::STORE_NOT_OPENED, error.kind().to_string()))?;
        Ok((Writer { orders }, thread))
    }

    /// The first transaction of a start: what the last end interrupted is `unknown`.
    pub fn recover(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let mut tx = Tx {
            connection: &self.connection,
            statements: RefCell::default(),
            tail: self.tail.clone(),
            lanes: &mut self.lanes,
            ids: &mut self.ids,
            tallies: Tallies::default(),
            max_bytes: None,
            restored: self.restored,
        };
        tx.end_chain(now)?;
        exchanges::recover(&mut tx, now)?;
        let (tail, _) = tx.end();
        transaction.commit()?;
        self.ids.keep();
        self.tail = tail;
        self.shared.set_tree(&self.tail);
        Ok(())
    }

    fn run(mut self, mut queue: mpsc::UnboundedReceiver<Order>) {
        while let Some(first) = queue.blocking_recv() {
            if (COMPANY..ENOUGH).contains(&queue.len()) {
                std::thread::sleep(GATHER);
            }
            let mut group = Vec::new();
            let mut close = None;
            let mut next = Some(first);
            while let Some(order) = next.take() {
                match order {
                    Order::Work(work) => group.push(work),
                    Order::Close(reply) => close = Some(reply),
                    Order::Scrub(reply) => {
                        let _ = reply.send(self.scrub());
                    }
                }
                if close.is_none() && group.len() < self.group {
                    next = queue.try_recv().ok();
                }
            }
            self.commit(group);
            self.write_back.step(&self.connection);
            if let Some(reply) = close {
                let _ = reply.send(self.checkpoint());
                break;
            }
        }
        self.write_back.wait();
        let Loop { connection, lock, .. } = self;
        drop(connection);
        drop(lock);
    }

    /// All of the log goes into the database, and its file is cut: old pages are gone. It waits for
    /// nobody; a reader in the way makes it `false`.
    fn scrub(&mut self) -> Result<bool, StoreError> {
        self.write_back.wait();
        self.connection.busy_timeout(Duration::ZERO)?;
        let busy: Result<bool, rusqlite::Error> =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        self.connection.busy_timeout(BUSY)?;
        Ok(!busy?)
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.write_back.wait();
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    /// One transaction for all; should one call spoil it, each gets a transaction of its own, so
    /// that a bad message harms only itself.
    fn commit(&mut self, mut group: Vec<Box<dyn Work>>) {
        let together = self.transaction(&mut group);
        let alone = together.as_ref().is_err_and(|error| !is_fatal(error)) && group.len() > 1;
        for mut work in group {
            let outcome = match alone {
                true => self.transaction(std::slice::from_mut(&mut work)),
                false => together.clone(),
            };
            work.answer(outcome);
        }
        self.seal_ids();
    }

    /// When enough ids are in memory they become a block. It fails as a write does; what is not
    /// committed stays in memory, and is tried again later.
    fn seal_ids(&mut self) {
        if !self.ids.is_full() || self.shared.failed.get().is_some() {
            return;
        }
        let points = self.crash_points.clone();
        let reached = |point| points.iter().for_each(|reached| reached(point));
        if let Err(error) = self.ids.seal(&self.connection, reached) {
            tracing::warn!(code = error.code.code, detail = %error.detail, "ids stay in memory");
            self.fail_if_fatal(&error);
        }
    }

    fn fail_if_fatal(&self, error: &StoreError) {
        if is_fatal(error) {
            tracing::error!(code = error.code.code, detail = %error.detail, "store failed");
            // Only this thread and readers set it; the first error is the one that counts.
            let _ = self.shared.failed.set(error.clone());
        }
    }

    fn transaction(&mut self, group: &mut [Box<dyn Work>]) -> Result<(), StoreError> {
        if group.is_empty() {
            return Ok(());
        }
        if let Some(error) = self.shared.failed.get() {
            return Err(error.clone());
        }
        let outcome = self.try_transaction(group);
        match outcome {
            Ok(()) => {
                self.lanes.keep();
                self.ids.keep();
                self.shared.set_backlog(self.lanes.backlog());
            }
            Err(_) => {
                self.lanes.undo();
                self.ids.undo(&self.connection);
            }
        }
        #[cfg(test)]
        super::tests::check_memory(&self.connection, &self.lanes, &self.ids);
        if let Err(error) = &outcome {
            self.fail_if_fatal(error);
        }
        outcome
    }

    fn try_transaction(&mut self, group: &mut [Box<dyn Work>]) -> Result<(), StoreError> {
        let transaction =
            Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
        let mut tx = Tx {
            connection: &self.connection,
            statements: RefCell::default(),
            tail: self.tail.clone(),
            lanes: &mut self.lanes,
            ids: &mut self.ids,
            tallies: Tallies::default(),
            max_bytes: self.max_bytes,
            restored: self.restored,
        };
        for work in group.iter_mut() {
            work.run(&mut tx)?;
        }
        tx.tallies.write(&self.connection)?;
        tx.lanes.sound()?;
        let (tail, restored) = tx.end();
        self.reach(group, |call| call.before);
        transaction.commit()?;
        self.restored = restored;
        if self.tail.size() != tail.size() {
            self.shared.set_tree(&tail);
            self.tail = tail;
        }
        self.shared.commits.fetch_add(1, Ordering::Relaxed);
        self.reach(group, |call| call.after);
        Ok(())
    }

    fn reach(&self, group: &[Box<dyn Work>], point: fn(Call) -> &'static str) {
        if let Some(reached) = &self.crash_points {
            group.iter().for_each(|work| reached(point(work.call())));
        }
    }
}

/// One transaction under way: what the calls write through.
pub(super) struct Tx<'c> {
    pub connection: &'c Connection,
    /// Statements it has used, with their texts.
    statements: RefCell<Vec<(&'static str, CachedStatement<'c>)>>,
    tail: Frontier,
    /// What is open in each lane.
    pub lanes: &'c mut Lanes,
    /// Which rows have an id.
    pub ids: &'c mut Ids,
    /// What a restore left in doubt.
    pub restored: Restored,
    /// What ended, or began again.
    pub tallies: Tallies,
    max_bytes: Option<u64>,
}

impl Tx<'_> {
    /// What it made of the tree and of what was in doubt; its statements are given back.
    fn end(self) -> (Frontier, Restored) {
        (self.tail, self.restored)
    }

    /// Runs something with a statement. What this transaction used before is found by where its
    /// text stands, which is quicker than by the text.
    fn with<T>(
        &self,
        sql: &'static str,
        run: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let Ok(mut known) = self.statements.try_borrow_mut() else {
            return Ok(run(&mut *self.connection.prepare_cached(sql)?)?);
        };
        if let Some((_, statement)) = known.iter_mut().find(|(text, _)| std::ptr::eq(*text, sql)) {
            return Ok(run(statement)?);
        }
        let mut statement = self.connection.prepare_cached(sql)?;
        let ran = run(&mut statement);
        known.push((sql, statement));
        Ok(ran?)
    }

    /// Runs a statement; gives the number of rows changed.
    pub fn execute(&self, sql: &'static str, params: impl Params) -> Result<usize, StoreError> {
        self.with(sql, |statement| statement.execute(params))
    }

    /// Inserts one row; gives its id.
    pub fn insert(&self, sql: &'static str, params: impl Params) -> Result<i64, StoreError> {
        self.with(sql, |statement| statement.insert(params))
    }

    /// The first row, if any.
    pub fn row<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.with(sql, |statement| statement.query_row(params, read).optional())
    }

    /// All rows.
    pub fn rows<T>(
        &self,
        sql: &'static str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.with(sql, |statement| statement.query_map(params, read)?.collect())
    }

    /// Refuses new messages beyond `max_bytes`. What is under way may go on: `max_page_count`
    /// leaves room above it for outcomes.
    pub fn check_room(&self) -> Result<(), StoreError> {
        let Some(max) = self.max_bytes else { return Ok(()) };
        let sql = "SELECT (page_count - freelist_count) * page_size
            FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        let used: Option<i64> = self.row(sql, [], |row| row.get(0))?;
        match used {
            Some(used) if used.unsigned_abs() < max => Ok(()),
            _ => Err(StoreError::new(&codes::STORE_FULL, format!("limit of {max} bytes"))),
        }
    }

    /// Appends an entry to the record, under the next sequence.
    pub fn append(&mut self, draft: &Draft) -> Result<(), StoreError> {
        self.append_entry(&Entry::new(draft))
    }

    /// The same for an entry that is ready.
    pub fn append_entry(&mut self, entry: &Entry) -> Result<(), StoreError> {
        let sequence = record::signed(self.tail.size() + 1)?;
        let sql = "INSERT INTO records (sequence, leaf, entry) VALUES (?1, ?2, ?3)";
        self.execute(sql, (sequence, &entry.leaf, &entry.text))?;
        self.tail.push(entry.leaf);
        Ok(())
    }

    /// Appends entries that the record had before the store was put back. They must follow without
    /// a gap and lead to the heads that were signed.
    pub fn take_over(
        &mut self,
        rows: &[RecordRow],
        heads: &[Head],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let broken = |sequence: u64| {
            StoreError::new(&codes::RECORD_NOT_CONTINUED, format!("sequence {sequence}"))
        };
        if rows.is_empty() {
            self.end_chain(now)?;
        } else {
            // Its end is among the entries.
            self.execute("UPDATE meta SET name = 'chain ended' WHERE name = 'chain'", [])?;
        }
        for row in rows {
            let leaf = tree::leaf(row.entry.as_bytes());
            let next = self.tail.size() + 1;
            if record::signed(next)? != row.sequence || leaf != row.leaf {
                return Err(broken(next));
            }
            self.append_entry(&Entry { leaf, text: row.entry.clone() })?;
            let of_it = |head: &&Head| head.size == next;
            if heads.iter().filter(of_it).any(|head| head.root != self.tail.root()) {
                return Err(broken(next));
            }
        }
        if heads.iter().any(|head| head.size > self.tail.size()) {
            return Err(broken(self.tail.size() + 1));
        }
        Ok(())
    }

    /// Appends several.
    pub fn append_all(&mut self, drafts: &[Draft]) -> Result<(), StoreError> {
        drafts.iter().try_for_each(|draft| self.append(draft))
    }

    /// Where the store comes from the time of the chain: how that ended becomes an entry, once.
    fn end_chain(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let sql = "SELECT value FROM meta WHERE name = 'chain'";
        let ended: Option<String> = self.row(sql, [], |row| row.get(0))?;
        let Some(ended) = ended else { return Ok(()) };
        self.append(&Draft {
            outcome: Some("chain-ended".to_owned()),
            reason: Some(format!("the hash chain ended at sequence {ended}")),
            ..Draft::new(Kind::System, Phase::Noted, now)
        })?;
        self.execute("UPDATE meta SET name = 'chain ended' WHERE name = 'chain'", []).map(drop)
    }
}
