//! Open lanes beyond those kept in memory: a table in a file beside the store.
//!
//! It is a part of the writer's memory that lies on the disk: never flushed, in no transaction of
//! the store, thrown away at every start. The usual store never makes it.

use super::connection;
use super::lanes::Lane;
use crate::model::codes::store as codes;
use crate::store::StoreError;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::path::{Path, PathBuf};

/// Page cache, in KiB when negative.
const CACHE: i64 = -1_024;

/// Lanes by the number of their counterpart and their hash.
#[derive(Debug, Default)]
pub(super) struct Overflow {
    /// None: nothing may overflow.
    path: Option<PathBuf>,
    connection: Option<Connection>,
    count: u64,
}

impl Overflow {
    /// The file beside a store; what an earlier process left there goes.
    pub fn beside(store: &Path) -> Overflow {
        let mut name = store.as_os_str().to_owned();
        name.push(".lanes");
        let path = PathBuf::from(name);
        // Nothing is there, as a rule. What cannot be deleted is emptied when it is needed.
        let _ = std::fs::remove_file(&path);
        Overflow { path: Some(path), connection: None, count: 0 }
    }

    /// Whether a lane may be put here.
    pub fn is_possible(&self) -> bool {
        self.path.is_some()
    }

    /// What is open in a lane.
    pub fn get(&self, counterpart: usize, lane: i64) -> Result<Option<Lane>, StoreError> {
        let Some(connection) = self.used() else { return Ok(None) };
        let sql = "SELECT active, held FROM lanes WHERE counterpart = ?1 AND lane = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row((number(counterpart), lane), |row| {
            Ok(Lane { active: row.get(0)?, held: row.get(1)? })
        });
        Ok(found.optional()?)
    }

    /// Adds a lane that is not here.
    ///
    /// # Errors
    /// `T201` when the disk is full: then nothing has changed.
    pub fn add(&mut self, counterpart: usize, lane: i64, open: Lane) -> Result<(), StoreError> {
        let connection = self.connection()?;
        let sql = "INSERT INTO lanes (counterpart, lane, active, held) VALUES (?1, ?2, ?3, ?4)";
        let row = (number(counterpart), lane, open.active, open.held);
        connection.prepare_cached(sql)?.execute(row)?;
        self.count += 1;
        Ok(())
    }

    /// Changes one that is here.
    pub fn change(&mut self, counterpart: usize, lane: i64, open: Lane) -> Result<(), StoreError> {
        let sql = "UPDATE lanes SET active = ?3, held = ?4 WHERE counterpart = ?1 AND lane = ?2";
        let row = (number(counterpart), lane, open.active, open.held);
        self.connection()?.prepare_cached(sql)?.execute(row)?;
        Ok(())
    }

    /// Takes away one that is here.
    pub fn remove(&mut self, counterpart: usize, lane: i64) -> Result<(), StoreError> {
        let sql = "DELETE FROM lanes WHERE counterpart = ?1 AND lane = ?2";
        self.connection()?.prepare_cached(sql)?.execute((number(counterpart), lane))?;
        self.count = self.count.saturating_sub(1);
        Ok(())
    }

    /// The connection, while there is anything to ask it for.
    fn used(&self) -> Option<&Connection> {
        self.connection.as_ref().filter(|_| self.count > 0)
    }

    fn connection(&mut self) -> Result<&Connection, StoreError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.create()?,
        };
        Ok(self.connection.insert(connection))
    }

    fn create(&self) -> Result<Connection, StoreError> {
        let path = self.path.as_deref().ok_or_else(|| {
            StoreError::new(&codes::STORE_INPUT_OUTPUT, "lanes cannot leave the memory")
        })?;
        drop(connection::create(path)?.set_len(0));
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |_| Ok(()))?;
        // In memory, so that a full disk leaves the table as it was.
        connection.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(()))?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "cache_size", CACHE)?;
        connection.execute_batch(
            "CREATE TABLE lanes (counterpart INTEGER NOT NULL, lane INTEGER NOT NULL,
                active INTEGER NOT NULL, held INTEGER NOT NULL,
                PRIMARY KEY (counterpart, lane)) STRICT, WITHOUT ROWID",
        )?;
        Ok(connection)
    }

    /// Makes every further call fail.
    #[cfg(test)]
    pub fn spoil(&self) {
        self.connection.as_ref().unwrap().execute_batch("DROP TABLE lanes").unwrap();
    }

    /// Everything, for comparison.
    #[cfg(test)]
    pub fn listed(&self) -> Vec<((usize, i64), Lane)> {
        let Some(connection) = &self.connection else { return Vec::new() };
        let mut statement = connection.prepare("SELECT * FROM lanes").unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            let counterpart = usize::try_from(row.get::<_, i64>(0)?).unwrap();
            Ok(((counterpart, row.get(1)?), Lane { active: row.get(2)?, held: row.get(3)? }))
        };
        let listed: Vec<_> = statement.query_map([], row).unwrap().map(Result::unwrap).collect();
        assert_eq!(u64::try_from(listed.len()).unwrap(), self.count);
        listed
    }
}

impl Drop for Overflow {
    fn drop(&mut self) {
        drop(self.connection.take());
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn number(counterpart: usize) -> i64 {
    i64::try_from(counterpart).unwrap_or(i64::MAX)
}
