//! Integrity: whether the file is what SQLite and we wrote. Quick and bounded at the start, whole
//! on request and for every backup.

use super::exchanges::open_exchange;
use crate::model::codes::store as codes;
use crate::store::StoreError;
use rusqlite::Connection;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Longest time a start spends on looking at all pages.
const LIMIT: Duration = Duration::from_secs(2);
/// Between two interruptions of a look that goes on too long.
const AGAIN: Duration = Duration::from_millis(10);
/// Open exchanges looked at one by one at the start.
const OPEN: i64 = 10_000;
/// Rows read whole where all pages would take too long.
const SAMPLES: i64 = 256;

/// Every page, row, index and reference.
///
/// # Errors
/// `T203` with what was found.
pub(super) fn whole(connection: &Connection) -> Result<(), StoreError> {
    pragma(connection, "integrity_check(1)")?;
    references(connection, "PRAGMA foreign_key_check")
}

/// What a start looks at: all pages if that is soon done, else a sample of rows; and that nothing
/// under way lacks its message or its body.
///
/// # Errors
/// `T203` with what was found.
pub(super) fn quick(connection: &Connection) -> Result<(), StoreError> {
    if !within(connection, LIMIT, |connection| pragma(connection, "quick_check(1)"))? {
        sample(connection)?;
    }
    let sql = concat!(
        "SELECT count(*) FROM (SELECT id, message FROM exchanges INDEXED BY exchanges_open WHERE ",
        open_exchange!(),
        " LIMIT ?1) e
        WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = e.message)
            OR NOT EXISTS (SELECT 1 FROM bodies b WHERE b.message = e.message)"
    );
    let missing: i64 = connection.query_row(sql, [OPEN], |row| row.get(0))?;
    if missing == 0 {
        return Ok(());
    }
    Err(damaged(format!("{missing} exchanges under way lack message or body")))
}

fn damaged(detail: impl Into<String>) -> StoreError {
    StoreError::new(&codes::STORE_CORRUPT, detail)
}

/// SQLite answers `ok`, or what is wrong: names of tables and indexes, numbers of pages and rows.
fn pragma(connection: &Connection, what: &str) -> Result<(), StoreError> {
    let found: String = connection.query_row(&format!("PRAGMA {what}"), [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(damaged(found)) }
}

fn references(connection: &Connection, sql: &str) -> Result<(), StoreError> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    match rows.next()? {
        None => Ok(()),
        Some(row) => {
            let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
            Err(damaged(format!("a row of {table} lacks its row of {parent}")))
        }
    }
}

/// Runs a check and interrupts it at the limit; tells whether it came to its end.
fn within(
    connection: &Connection,
    limit: Duration,
    check: impl FnOnce(&Connection) -> Result<(), StoreError>,
) -> Result<bool, StoreError> {
    let interrupt = connection.get_interrupt_handle();
    let (done, waiting) = channel::<()>();
    let timer = std::thread::spawn(move || {
        // Again and again: what comes between two statements interrupts neither.
        let mut pause = limit;
        while waiting.recv_timeout(pause).is_err_and(|end| end == RecvTimeoutError::Timeout) {
            interrupt.interrupt();
            pause = AGAIN;
        }
    });
    let outcome = check(connection);
    drop(done);
    // It only waits and interrupts; there is nothing in it to go wrong.
    let _ = timer.join();
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.code == &codes::STORE_REFUSED && error.detail.ends_with(" 9") => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Reads rows of the large tables from end to end of each, evenly spread.
fn sample(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "cell_size_check", "ON")?;
    for (table, id) in
        [("messages", "id"), ("bodies", "message"), ("exchanges", "id"), ("records", "sequence")]
    {
        let last: Option<i64> =
            connection
                .query_row(&format!("SELECT max({id}) FROM {table}"), [], |row| row.get(0))?;
        let last = last.unwrap_or(0);
        let sql = format!("SELECT * FROM {table} WHERE {id} >= ?1 ORDER BY {id} LIMIT 1");
        let mut statement = connection.prepare(&sql)?;
        let columns = statement.column_count();
        for number in 0..SAMPLES.min(last) {
            let mut rows = statement.query([last / SAMPLES * number])?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    row.get_ref(column)?;
                }
            }
        }
    }
    connection.pragma_update(None, "cell_size_check", "OFF")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::conformance as suite;
    use crate::store::sqlite::tests::{Folder, keys};
    use crate::store::sqlite::{Options, SqliteStore};

    async fn filled(folder: &Folder) {
        let store = folder.open();
        for number in 0..200 {
            suite::accept(&*store, &format!("m{number}"), number).await;
        }
    }

    fn refused(folder: &Folder) -> String {
        let opened = SqliteStore::open(&folder.file(), keys(1), Options::default());
        let error = opened.err().expect("a damaged store was opened");
        assert_eq!(error.code.code, "T203");
        error.detail
    }

    #[tokio::test]
    async fn a_damaged_page_is_found_at_the_start() {
        let folder = Folder::new();
        filled(&folder).await;
        let good = std::fs::read(folder.file()).unwrap();
        for page in 1..good.len() / 4096 {
            let mut bad = good.clone();
            // The header of a page: its kind, and where its cells are.
            bad[page * 4096..page * 4096 + 8].fill(0x5a);
            std::fs::write(folder.file(), &bad).unwrap();
            let _ = std::fs::remove_file(folder.file().with_extension("db-wal"));
            refused(&folder);
        }
        std::fs::write(folder.file(), &good).unwrap();
        drop(folder.open());
    }

    #[tokio::test]
    async fn what_is_under_way_must_have_its_body() {
        let folder = Folder::new();
        filled(&folder).await;
        let file = Connection::open(folder.file()).unwrap();
        file.execute("DELETE FROM bodies WHERE message = 7", []).unwrap();
        drop(file);
        assert!(refused(&folder).starts_with("1 exchanges"));
    }

    #[tokio::test]
    async fn a_long_look_is_cut_short_and_a_sample_is_taken() {
        let folder = Folder::new();
        filled(&folder).await;
        let file = Connection::open(folder.file()).unwrap();
        let slow = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
            SELECT count(*) FROM n";
        let ended = within(&file, Duration::from_millis(20), |file| {
            file.query_row(slow, [], |_| Ok(())).map_err(StoreError::from)
        });
        assert!(!ended.unwrap(), "it would never have ended");
        assert!(within(&file, LIMIT, |_| Ok(())).unwrap());
        sample(&file).unwrap();
        whole(&file).unwrap();
    }
}
