//! Inspection: pages, references, lanes and ids, each as a whole.

use super::exchanges::open_exchange;
use super::{SqliteStore, ids, integrity};
use crate::store::inspect::{Inspect, Inspected, lanes_verdict};
use crate::store::{Later, StoreError};
use rusqlite::Connection;

impl Inspect for SqliteStore {
    fn inspect(&self) -> Later<'_, Vec<Inspected>> {
        self.read(|connection, _| {
            Ok(vec![
                Inspected { what: "pages and references", found: pages(connection) },
                Inspected { what: "lanes", found: lanes(connection) },
                Inspected { what: "message ids", found: ids::inspect(connection) },
            ])
        })
    }
}

fn pages(connection: &Connection) -> Result<String, StoreError> {
    integrity::whole(connection)?;
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    Ok(format!("{pages} pages"))
}

/// A lane with something open has exactly one that goes; what goes has its body.
fn lanes(connection: &Connection) -> Result<String, StoreError> {
    let sql = concat!(
        "SELECT count(*), ifnull(sum(going <> 1), 0), ifnull(sum(bodiless), 0) FROM (
            SELECT sum(state <> 'held') AS going, sum(NOT EXISTS (
                SELECT 1 FROM bodies b WHERE b.message = e.message)) AS bodiless
            FROM exchanges e INDEXED BY exchanges_open WHERE ",
        open_exchange!(),
        // What waits for a second person is in no lane yet.
        " AND state <> 'waiting-approval' GROUP BY counterpart, lane)"
    );
    let (lanes, bad, bodiless): (i64, i64, i64) =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    lanes_verdict(lanes, bad, bodiless)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store as _;
    use crate::store::conformance as suite;
    use crate::store::sqlite::tests::{Folder, keys};

    async fn bad(folder: &Folder) -> Vec<&'static str> {
        let reader = SqliteStore::open_read_only(&folder.file(), keys(1)).unwrap();
        let found = reader.inspect().await.unwrap();
        assert_eq!(found.len(), 3);
        found.into_iter().filter(|one| one.found.is_err()).map(|one| one.what).collect()
    }

    #[tokio::test]
    async fn what_is_wrong_is_named() {
        let folder = Folder::new();
        let store = folder.open();
        for number in 0..20 {
            suite::accept(&*store, &format!("m{number}"), number % 7).await;
        }
        assert_eq!(bad(&folder).await, Vec::<&str>::new(), "beside the gateway");
        store.close().await.unwrap();
        drop(store);
        for (sql, what) in [
            ("UPDATE exchanges SET state = 'received', due = 1 WHERE id = 8", "lanes"),
            ("UPDATE exchanges SET state = 'held', due = NULL WHERE id = 3", "lanes"),
            ("DELETE FROM id_blocks WHERE number = 2", "message ids"),
            ("UPDATE messages SET message_id = 'x' WHERE id = 4", "message ids"),
            ("DELETE FROM messages WHERE id = 9", "pages and references"),
        ] {
            let whole = std::fs::read(folder.file()).unwrap();
            let file = Connection::open(folder.file()).unwrap();
            file.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
            file.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
            drop(file);
            assert_eq!(bad(&folder).await, [what], "{sql}");
            std::fs::write(folder.file(), whole).unwrap();
        }
        assert_eq!(bad(&folder).await, Vec::<&str>::new());
    }
}
