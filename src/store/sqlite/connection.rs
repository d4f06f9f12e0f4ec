//! Opening: lock file, pragmas, migrations, and what SQLite's errors mean to us.

use super::chain;
use crate::model::codes::store as codes;
use crate::store::owner::{self, KEYS, OWNER};
use crate::store::{Keys, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// First SQLite without the WAL corruption of concurrent checkpoints.
const OLDEST_SQLITE: i32 = 3_051_003;
/// One script per version of the tables; `user_version` counts those that ran.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
    include_str!("schema-6.sql"),
];
/// The version in which the record became a tree.
const TREE: usize = 3;
/// Page cache of the writer, in KiB when negative: the pages that every commit changes and many
/// more. SQLite looks through all of it at most commits, so a larger one costs more than it saves.
const WRITER_CACHE: i64 = -6_144;
/// Page cache of a reader, the same way: it reads rows by their number, mostly once.
const READER_CACHE: i64 = -512;
/// How long a connection waits for another one.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// More statements than the store has, so that none is ever compiled twice.
const STATEMENTS: usize = 96;

impl From<rusqlite::Error> for StoreError {
    /// Names SQLite's own error number, never a statement or a value.
    fn from(error: rusqlite::Error) -> Self {
        let Some(cause) = error.sqlite_error() else {
            return StoreError::new(&codes::STORE_REFUSED, "a row has another shape than expected");
        };
        let code = match cause.code {
            ErrorCode::DiskFull => &codes::STORE_FULL,
            ErrorCode::SystemIoFailure | ErrorCode::ReadOnly => &codes::STORE_INPUT_OUTPUT,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => &codes::STORE_CORRUPT,
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied => &codes::STORE_NOT_OPENED,
            _ => &codes::STORE_REFUSED,
        };
        StoreError::new(code, format!("SQLite error {}", cause.extended_code))
    }
}

/// After such an error nothing of the store may be trusted until it is opened anew.
pub(super) fn is_fatal(error: &StoreError) -> bool {
    [&codes::STORE_INPUT_OUTPUT, &codes::STORE_CORRUPT].contains(&error.code)
}

/// Takes the lock that makes this process the only writer; dropping the file gives it back.
pub(super) fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = create(&PathBuf::from(name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::new(&codes::STORE_IN_USE, "")),
        Err(TryLockError::Error(error)) => Err(not_opened(&error)),
    }
}

fn not_opened(error: &std::io::Error) -> StoreError {
    StoreError::new(&codes::STORE_NOT_OPENED, error.kind().to_string())
}

/// Opens or creates a file only its owner may read; SQLite gives its companions the same mode.
pub(super) fn create(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| not_opened(&error))
}

/// The one connection that writes; brings the tables forward.
pub(super) fn open_writer(path: &Path, keys: &Keys) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StoreError::new(&codes::SQLITE_TOO_OLD, rusqlite::version()));
    }
    let created = !path.exists();
    drop(create(path)?);
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        let detail = format!("journal mode is {mode}, WAL is needed");
        return Err(StoreError::new(&codes::STORE_NOT_OPENED, detail));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "cache_size", WRITER_CACHE)?;
    migrate(&connection)?;
    fit(&connection, keys)?;
    if created {
        sync_folder(path)?;
    }
    Ok(connection)
}

/// A connection that reads beside the writer of this process.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", "ON")?;
    connection.pragma_update(None, "cache_size", READER_CACHE)?;
    Ok(connection)
}

/// A connection for a command that only reads, perhaps beside a running gateway.
pub(super) fn open_read_only(path: &Path, keys: &Keys) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if version(&connection)? != MIGRATIONS.len() {
        return Err(StoreError::new(&codes::STORE_VERSION_UNKNOWN, ""));
    }
    owner::bind(owner_of(&connection)?.as_deref(), keys)?;
    let stored = remembered(&connection, KEYS)?;
    if stored.is_some_and(|stored| stored != keys.check()) {
        return Err(StoreError::new(&codes::KEYS_DO_NOT_FIT, ""));
    }
    Ok(connection)
}

/// A connection to a copy that nobody else has; it leaves no files beside it.
pub(super) fn open_copy(path: &Path) -> Result<Connection, StoreError> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    // Without this, SQLite compiles some statements anew for every value bound to them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

pub(super) fn version(connection: &Connection) -> Result<usize, StoreError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    usize::try_from(version).map_err(|_| StoreError::new(&codes::STORE_VERSION_UNKNOWN, ""))
}

/// Runs what is missing, each script with its number in one transaction.
fn migrate(connection: &Connection) -> Result<(), StoreError> {
    let done = version(connection)?;
    if done > MIGRATIONS.len() {
        let detail = format!("tables of version {done}, known up to {}", MIGRATIONS.len());
        return Err(StoreError::new(&codes::STORE_VERSION_UNKNOWN, detail));
    }
    for (index, script) in MIGRATIONS.iter().enumerate().skip(done) {
        let number = index + 1;
        if number == TREE {
            chain::verify(connection)?;
        }
        let batch = format!("BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;");
        connection.execute_batch(&batch)?;
    }
    Ok(())
}

/// Whose a store is, if it remembers.
pub(super) fn owner_of(connection: &Connection) -> Result<Option<String>, StoreError> {
    remembered(connection, OWNER)
}

/// What the store remembers under a name.
fn remembered(connection: &Connection, name: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM meta WHERE name = ?1";
    Ok(connection.query_row(sql, [name], |row| row.get(0)).optional()?)
}

fn remember(connection: &Connection, name: &str, value: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (name, value) VALUES (?1, ?2)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.execute(sql, [name, value])?;
    Ok(())
}

/// The first start writes whose the store is and what the keys derive; at every later one both must
/// be the same.
fn fit(connection: &Connection, keys: &Keys) -> Result<(), StoreError> {
    let stored = owner_of(connection)?;
    let binding = owner::bind(stored.as_deref(), keys)?;
    match remembered(connection, KEYS)? {
        Some(stored) if stored == keys.check() => {}
        Some(_) => return Err(StoreError::new(&codes::KEYS_DO_NOT_FIT, "")),
        None => remember(connection, KEYS, &keys.check())?,
    }
    binding.map_or(Ok(()), |owner| remember(connection, OWNER, owner))
}

/// A new file survives a power cut only once its folder is synced as well.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| not_opened(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::State;
    use crate::store::conformance as suite;
    use crate::store::sqlite::tests::{Folder, keys};
    use crate::store::{Next, Settled, Store as _};

    /// What was in a store when it was written by an older version: a lane with one under way and
    /// one behind it, one delivered, one interrupted, an answer that nobody has taken.
    const PAST: &str = "
        INSERT INTO messages (id, source, message_id, message_type, content_type, accepted_at,
                fingerprint, commitment)
            VALUES (1, 'health', 'm1', 't', 'application/json', 1, zeroblob(32), 'c'),
                (2, 'health', 'm2', 't', 'application/json', 2, zeroblob(32), 'c'),
                (3, 'health', 'm3', 't', 'application/json', 3, zeroblob(32), 'c'),
                (4, 'health', 'm4', 't', 'application/json', 4, zeroblob(32), 'c');
        INSERT INTO exchanges (id, message, route, counterpart, operation, lane, idempotency_key,
                bundle, state, due, since, attempts)
            VALUES (1, 1, 'r', 'pmh', 'register', 7, 'k1', 'b', 'received', 1, 1, 0),
                (2, 2, 'r', 'pmh', 'register', 7, 'k2', 'b', 'held', NULL, 2, 0),
                (3, 3, 'r', 'pmh', 'register', 8, 'k3', 'b', 'sending', NULL, 3, 1),
                (4, 4, 'r', 'pmh', 'register', 9, 'k4', 'b', 'waiting-retry', 5, 4, 2);
        UPDATE exchanges SET state = 'delivered', due = NULL WHERE id = 4;
        INSERT INTO attempts (exchange, number, started_at, request_digest) VALUES (3, 1, 3, 'd');";

    fn write(folder: &Folder, version: usize) {
        let file = Connection::open(folder.file()).unwrap();
        for script in MIGRATIONS.iter().take(version) {
            file.execute_batch(script).unwrap();
        }
        file.pragma_update(None, "user_version", version as i64).unwrap();
        file.execute_batch(PAST).unwrap();
        // From version 2 on the writer itself keeps the tallies.
        let sql =
            "INSERT INTO tallies VALUES ('r', 'delivered', '', 1, 1, 0) ON CONFLICT DO NOTHING";
        file.execute(sql, []).unwrap();
        for message in 1..=4 {
            let label = format!("body health {}", "00".repeat(32));
            let sealed = keys(1).seal(&label, &[b'x'; 36]).unwrap();
            let sql = "INSERT INTO bodies (message, sealed) VALUES (?1, ?2)";
            file.execute(sql, (message, sealed.0)).unwrap();
        }
    }

    #[tokio::test]
    async fn stores_of_older_versions_come_forward_with_all_they_hold() {
        for version in 1..MIGRATIONS.len() {
            let folder = Folder::new();
            write(&folder, version);
            let store = folder.open();
            let states = [State::Received, State::Held, State::Unknown, State::Delivered];
            for (id, state) in (1..).zip(states) {
                assert_eq!(suite::state_of(&*store, id).await, state, "version {version}");
            }
            let body = store.original(1).await.unwrap().unwrap();
            assert_eq!(body.expose().len(), 20);
            assert!(suite::intend(&*store, 1, 0).await);
            let settled = suite::settle(&*store, 1, 1, Next::Delivered).await;
            assert_eq!(settled, Settled::Done { woke: true }, "lanes are known");
            assert_eq!(suite::state_of(&*store, 2).await, State::Received);
            let counts = store.counts().await.unwrap();
            let delivered: u64 = counts
                .iter()
                .filter(|count| count.state == State::Delivered.name())
                .map(|count| count.count)
                .sum();
            assert_eq!(delivered, 2);
            assert_eq!(store.epoch().await.unwrap().number, 1);
            drop(store);
            drop(folder.open());
        }
    }
}
