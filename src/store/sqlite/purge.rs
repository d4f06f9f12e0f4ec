//! Purge: rows of what ended long ago go, a few at a time. `secure_delete` overwrites them.

use super::exchanges::open_exchange;
use super::writer::{self, Tx};
use super::{SqliteStore, claim};
use crate::model::State;
use crate::store::acts::Ended;
use crate::store::purge::{Forget, Purge, Purged, Purging};
use crate::store::{Later, StoreError};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

/// Bytes overwritten in one step: the writer serves everybody else in between.
const BYTES: i64 = 4 << 20;

impl Forget for SqliteStore {
    fn purge(&self, purge: Purge) -> Later<'_, Purged> {
        Box::pin(self.write(writer::OTHER, move |tx| run(tx, &purge)))
    }

    fn oldest_body(&self) -> Later<'_, Option<Timestamp>> {
        self.read(|connection, _| oldest_body(connection))
    }

    fn scrub(&self) -> Later<'_, bool> {
        Box::pin(self.scrub_log())
    }
}

fn oldest_body(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let sql = "SELECT accepted_at FROM messages WHERE id = (SELECT min(message) FROM bodies)";
    let at: Option<i64> = connection.query_row(sql, [], |row| row.get(0)).optional()?;
    at.map(claim::instant).transpose()
}

/// Rows are walked in the order of their ids, which is that of acceptance: the walk ends at the
/// first message that is too young, and what it passes over again every time is only what has not
/// ended yet.
fn run(tx: &mut Tx<'_>, purge: &Purge) -> Result<Purged, StoreError> {
    let sql = match purge.what {
        Purging::Bodies => {
            "SELECT b.message, b.message, m.accepted_at, length(b.sealed) FROM bodies b
             JOIN messages m ON m.id = b.message WHERE b.message > ?1 ORDER BY b.message LIMIT ?2"
        }
        Purging::Answers => {
            "SELECT o.id, o.message, m.accepted_at, length(o.sealed) FROM outbox o
             JOIN messages m ON m.id = o.message WHERE o.id > ?1 ORDER BY o.id LIMIT ?2"
        }
        Purging::Messages => {
            "SELECT id, id, accepted_at, 0 FROM messages WHERE id > ?1 ORDER BY id LIMIT ?2"
        }
    };
    let limit = i64::try_from(purge.limit).unwrap_or(i64::MAX);
    let rows: Vec<(i64, i64, i64, i64)> = tx.rows(sql, (purge.after, limit), |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    let before = purge.before.as_millisecond();
    let (mut purged, mut bytes) = (Purged::default(), 0);
    let mut forgotten = Vec::new();
    let mut full = rows.len() == purge.limit;
    let mut last = None;
    for (id, message, accepted_at, length) in rows {
        if accepted_at >= before {
            last = None;
            break;
        }
        if bytes > BYTES {
            full = true;
            break;
        }
        let gone = match purge.what {
            Purging::Bodies => {
                ended(tx, message, before)?
                    && tx.execute("DELETE FROM bodies WHERE message = ?1", [id])? > 0
            }
            Purging::Answers => {
                let sql = "DELETE FROM outbox WHERE id = ?1 AND published_at < ?2";
                tx.execute(sql, [id, before])? > 0
            }
            Purging::Messages => ended(tx, message, before)? && forget(tx, message)?,
        };
        bytes += if gone { length } else { 0 };
        if gone && purge.what == Purging::Messages {
            forgotten.push(message);
        }
        purged.rows += u64::from(gone);
        last = Some(id);
    }
    tx.ids.gone(tx.connection, &forgotten)?;
    purged.next = last.filter(|_| full);
    Ok(purged)
}

/// Whether all exchanges of a message ended before an instant.
fn ended(tx: &Tx<'_>, message: i64, before: i64) -> Result<bool, StoreError> {
    let sql = concat!(
        "SELECT 1 FROM exchanges WHERE message = ?1 AND (since >= ?2 OR (",
        open_exchange!(),
        ")) LIMIT 1"
    );
    Ok(tx.row(sql, [message, before], |_| Ok(()))?.is_none())
}

/// A message with its exchanges and attempts, once neither body nor answers are left.
fn forget(tx: &mut Tx<'_>, message: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM bodies WHERE message = ?1)
        OR EXISTS (SELECT 1 FROM outbox WHERE message = ?1)";
    if tx.row(sql, [message], |row| row.get(0))?.unwrap_or(true) {
        return Ok(false);
    }
    let sql = "SELECT route, state, ifnull(code, ''), attempts, was_unknown FROM exchanges
        WHERE message = ?1";
    let exchanges: Vec<(String, String, String, i64, bool)> = tx.rows(sql, [message], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
    })?;
    for (route, state, code, attempts, was_unknown) in &exchanges {
        let Some(state) = State::from_name(state) else { continue };
        let resolved = *was_unknown && state == State::Delivered;
        let (state, attempts) = (state.name(), *attempts);
        tx.tallies.take(&Ended { route, state, code, attempts, resolved });
    }
    let sql = "DELETE FROM attempts WHERE exchange IN
        (SELECT id FROM exchanges WHERE message = ?1)";
    tx.execute(sql, [message])?;
    let sql = "DELETE FROM approvals WHERE exchange IN
        (SELECT id FROM exchanges WHERE message = ?1)";
    tx.execute(sql, [message])?;
    let sql = "DELETE FROM demands WHERE exchange IN
        (SELECT id FROM exchanges WHERE message = ?1)";
    tx.execute(sql, [message])?;
    tx.execute("DELETE FROM exchanges WHERE message = ?1", [message])?;
    Ok(tx.execute("DELETE FROM messages WHERE id = ?1", [message])? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::codes::store as codes;
    use crate::record::verify;
    use crate::store::conformance::{self as suite, at};
    use crate::store::sqlite::tests::Folder;
    use crate::store::{ActVerb, Next, Store};

    /// Whether some bytes are anywhere in the files of the store.
    fn holds(folder: &Folder, wanted: &[u8]) -> bool {
        ["", "-wal"].iter().any(|end| {
            let mut path = folder.file().into_os_string();
            path.push(end);
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(wanted.len()).any(|window| window == wanted)
        })
    }

    #[tokio::test]
    async fn r11_purged_bodies_are_in_no_page_and_no_log() {
        let folder = Folder::new();
        let store = folder.open();
        for number in 0..50 {
            let id = suite::accept(&*store, &format!("m{number}"), number).await;
            assert!(suite::intend(&*store, id, 0).await);
            suite::settle(&*store, id, 1, Next::Delivered).await;
        }
        let open = suite::accept(&*store, "open", 100).await;
        let file = Connection::open(folder.file()).unwrap();
        let mut statement = file.prepare("SELECT sealed FROM bodies ORDER BY message").unwrap();
        let sealed: Vec<Vec<u8>> =
            statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        drop(statement);
        drop(file);
        assert_eq!(sealed.len(), 51);
        assert!(sealed.iter().all(|body| holds(&folder, body)));

        let before = at(10_000);
        let step = |after| Purge { what: Purging::Bodies, before, after, limit: 20 };
        let mut rows = Vec::new();
        let mut after = Some(0);
        while let Some(place) = after {
            let purged = store.purge(step(place)).await.unwrap();
            rows.push(purged.rows);
            after = purged.next;
        }
        assert_eq!(rows, [20, 20, 10], "in small steps");
        assert!(store.scrub().await.unwrap());
        let kept = sealed.iter().filter(|body| holds(&folder, &body[..])).count();
        assert_eq!(kept, 1, "only what is under way");
        // No piece of a purged one either: the tail of the ciphertext.
        let piece = |body: &Vec<u8>| holds(&folder, &body[body.len() - 16..]);
        assert_eq!(sealed.iter().filter(|body| piece(body)).count(), 1);
        assert!(store.original(open).await.unwrap().is_some());
        assert!(store.original(1).await.unwrap().is_none());
        assert_eq!(verify(store.record(0, 1_000).await.unwrap()).first_bad, None);
    }

    #[tokio::test]
    async fn a_dead_letter_without_its_body_is_not_replayed() {
        let folder = Folder::new();
        let store = folder.open();
        let id = suite::accept(&*store, "m", 1).await;
        assert!(suite::intend(&*store, id, 0).await);
        suite::settle(&*store, id, 1, Next::Dead(suite::failure())).await;
        let before = at(10_000);
        let purge = Purge { what: Purging::Bodies, before, after: 0, limit: 20 };
        assert_eq!(store.purge(purge).await.unwrap().rows, 1);
        let act = crate::store::Act {
            exchange: id,
            verb: ActVerb::Replay,
            operator: "y".to_owned(),
            reason: "r".to_owned(),
            at: at(5),
            bundle: None,
            brings: Default::default(),
        };
        let refused = store.act(act).await.unwrap_err();
        assert_eq!(refused.code, &codes::BODY_PURGED);
        assert_eq!(suite::state_of(&*store, id).await, State::Dead);
        assert_eq!(suite::act(&*store, id, ActVerb::Discard).await, Some(State::Discarded));
    }
}
