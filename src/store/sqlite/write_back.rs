//! Write-back: what stands in the log goes into the database beside the writer, on a connection
//! that reads; the writer only ends it.
//!
//! SQLite begins its log anew when a commit finds all of it in the database. Left to itself the
//! committing thread copies everything at once, and each call waits for that. While messages keep
//! coming another connection alone would never be done: each of its passes finds new frames. So the
//! passes run beside the writer until little is left, and the rest is the writer's.

use super::CrashPoints;
use super::reader::Read;
use crate::store::StoreError;
use rusqlite::Connection;
use rusqlite::hooks::Wal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, sync_channel};
use std::time::Duration;

/// Passes beside the writer at most. Should it be quicker than they are, it ends the rest all the
/// same.
const PASSES: usize = 4;
/// How long the writer waits for passes under way, each of which takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// The writer's end.
pub(super) struct WriteBack {
    readers: Sender<Read>,
    /// Frames in the log after the last commit.
    frames: Arc<AtomicU32>,
    /// So many ask for it.
    many: u32,
    /// It begins at so many: more than `many` where somebody still reads older pages.
    from: u32,
    /// Passes that run beside the writer tell here that they are done.
    beside: Option<Receiver<()>>,
    crash_points: Option<CrashPoints>,
}

impl WriteBack {
    /// Counts the frames of the writer's commits from now on. SQLite no longer writes back of
    /// itself.
    pub fn new(
        writer: &mut Connection,
        readers: Sender<Read>,
        many: u32,
        crash_points: Option<CrashPoints>,
    ) -> Result<WriteBack, StoreError> {
        let frames = Arc::<AtomicU32>::default();
        let counted = Arc::clone(&frames);
        writer.wal_hook(Some(move |_: &mut Wal, pages: i32| {
            counted.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(WriteBack { readers, frames, many, from: many, beside: None, crash_points })
    }

    /// Between two commits: begins it when there is enough, ends it when little is left.
    pub fn step(&mut self, writer: &Connection) {
        let frames = self.frames.load(Ordering::Relaxed);
        match &self.beside {
            None if frames < self.from => {}
            None => self.begin(writer),
            Some(done) => match done.try_recv() {
                // The readers are busy with something long: then the writer does it.
                Err(TryRecvError::Empty) if frames >= self.from.saturating_add(3 * self.many) => {
                    self.end(writer);
                }
                Err(TryRecvError::Empty) => {}
                Ok(()) | Err(TryRecvError::Disconnected) => {
                    self.beside = None;
                    self.end(writer);
                }
            },
        }
    }

    /// Waits for the passes under way, for nothing else may write back meanwhile; not long where
    /// they stand behind something that is read.
    pub fn wait(&mut self) {
        if let Some(done) = self.beside.take()
            && done.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout)
        {
            self.beside = Some(done);
        }
    }

    fn begin(&mut self, writer: &Connection) {
        let (tell, done) = sync_channel(1);
        let (frames, rest) = (Arc::clone(&self.frames), self.many / 16);
        let points = self.crash_points.clone();
        let passes = move |reader: &Connection| {
            let reached = |point| points.iter().for_each(|reached| reached(point));
            reached("write-back:begun");
            for _ in 0..PASSES {
                let before = frames.load(Ordering::Relaxed);
                let came = || frames.load(Ordering::Relaxed).saturating_sub(before);
                if !pass(reader) || came() <= rest {
                    break;
                }
            }
            reached("write-back:beside");
            // The writer may have ended.
            let _ = tell.send(());
        };
        match self.readers.send(Box::new(passes)) {
            Ok(()) => self.beside = Some(done),
            Err(_) => self.end(writer),
        }
    }

    fn end(&mut self, writer: &Connection) {
        let frames = self.frames.load(Ordering::Relaxed);
        let all = pass(writer);
        self.from = if all { self.many } else { frames.saturating_add(self.many / 8) };
        let reached = |point| self.crash_points.iter().for_each(|reached| reached(point));
        reached("write-back:ended");
    }
}

/// Whether all that stood in the log is in the database: not while somebody reads older pages, and
/// not when the disk refuses it. Then the log grows, and nothing is lost.
fn pass(connection: &Connection) -> bool {
    let told = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        Ok((row.get::<_, bool>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    match told {
        Ok((busy, frames, back)) => !busy && frames == back,
        Err(error) => {
            let error = StoreError::from(error);
            tracing::warn!(code = error.code.code, detail = %error.detail, "log not written back");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::open_reader;
    use super::super::reader::Readers;
    use super::*;
    use std::path::PathBuf;
    use std::sync::mpsc::channel;

    const MANY: u32 = 32;

    struct Log {
        folder: PathBuf,
        writer: Connection,
        readers: Option<Readers>,
        back: WriteBack,
        rows: i64,
    }

    impl Log {
        fn new(name: &str) -> Log {
            let id = std::process::id();
            let folder = std::env::temp_dir().join(format!("watashi-write-back-{id}-{name}"));
            std::fs::create_dir_all(&folder).unwrap();
            let mut writer = Connection::open(folder.join("db")).unwrap();
            let sql = "PRAGMA journal_mode = WAL; CREATE TABLE t (n INTEGER PRIMARY KEY, x BLOB)";
            writer.execute_batch(sql).unwrap();
            let reader = open_reader(&folder.join("db")).unwrap();
            let readers = Readers::start(vec![reader], Arc::default()).unwrap();
            let back = WriteBack::new(&mut writer, readers.sender(), MANY, None).unwrap();
            Log { folder, writer, readers: Some(readers), back, rows: 0 }
        }

        fn other(&self) -> Connection {
            Connection::open(self.folder.join("db")).unwrap()
        }

        fn frames(&self) -> u32 {
            self.back.frames.load(Ordering::Relaxed)
        }

        /// One commit of a few pages.
        fn write(&mut self) {
            self.writer.execute("INSERT INTO t (x) VALUES (zeroblob(9000))", []).unwrap();
            self.rows += 1;
        }

        fn write_until(&mut self, frames: u32) {
            while self.frames() < frames {
                self.write();
            }
        }

        fn step(&mut self) {
            self.back.step(&self.writer);
        }

        /// The passes beside the writer have ended, and have told so.
        fn done(&mut self) {
            self.back.beside.take().unwrap().recv().unwrap();
            let (told, done) = sync_channel(1);
            told.send(()).unwrap();
            self.back.beside = Some(done);
        }

        /// Whether the next commit begins the log anew.
        fn begins_anew(&mut self) -> bool {
            let before = self.frames();
            self.write();
            self.frames() < before
        }

        fn check(&self) {
            let sql = "SELECT count(*), sum(length(x)) FROM t";
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let counted: (i64, i64) = self.other().query_row(sql, [], row).unwrap();
            assert_eq!(counted, (self.rows, self.rows * 9_000));
        }
    }

    impl Drop for Log {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }

    #[test]
    fn the_log_begins_anew_though_writes_go_on() {
        let mut log = Log::new("anew");
        for _ in 0..20 {
            log.write();
            log.step();
            assert!(log.back.beside.is_none() || log.frames() >= MANY, "only when there is enough");
            if log.back.beside.is_none() {
                continue;
            }
            // The writer goes on beside the passes.
            log.write();
            log.done();
            log.write();
            log.step();
            assert!(log.back.beside.is_none());
            assert_eq!(log.back.from, MANY);
            assert!(log.begins_anew());
            log.check();
            return;
        }
        panic!("it never began");
    }

    #[test]
    fn who_reads_older_pages_keeps_the_log_and_is_waited_for() {
        let mut log = Log::new("older");
        log.write();
        let older = log.other();
        older.execute_batch("BEGIN; SELECT count(*) FROM t").unwrap();
        let count = |older: &Connection| -> i64 {
            older.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(&older), 1);
        log.write_until(MANY);
        log.step();
        log.done();
        log.step();
        assert!(log.back.from > MANY, "it does not try again at every commit");
        assert!(!log.begins_anew());
        assert_eq!(count(&older), 1, "what it reads stays as it is");
        older.execute_batch("COMMIT").unwrap();
        log.write_until(log.back.from);
        log.step();
        log.done();
        log.step();
        assert_eq!(log.back.from, MANY);
        assert!(log.begins_anew());
        log.check();
    }

    #[test]
    fn without_readers_the_writer_does_it() {
        let mut log = Log::new("alone");
        log.readers = None;
        let (gone, _) = channel();
        log.back.readers = gone;
        log.write_until(MANY);
        log.step();
        assert!(log.back.beside.is_none());
        assert!(log.begins_anew());
        log.check();
    }

    #[test]
    fn where_readers_are_busy_the_writer_does_it() {
        let mut log = Log::new("busy");
        let (free, held) = channel::<()>();
        let hold = Box::new(move |_: &Connection| held.recv().unwrap());
        log.readers.as_ref().unwrap().sender().send(hold).unwrap();
        log.write_until(MANY);
        log.step();
        assert!(log.back.beside.is_some(), "it stands behind what is read");
        log.write_until(4 * MANY);
        log.step();
        assert!(log.begins_anew());
        free.send(()).unwrap();
        log.back.wait();
        assert!(log.back.beside.is_none(), "they have ended");
        log.check();
    }
}
