//! Opening: lock file, pragmas, migrations, and what SQLite's errors mean to us.

use super::chain;
use crate::model::codes::store as codes;
use crate::store::{Keys, StoreError};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// First SQLite without the WAL corruption of concurrent checkpoints.
const OLDEST_SQLITE: i32 = 3_051_003;
/// One script per version of the tables; `user_version` counts those that ran.
pub(super) const MIGRATIONS: &[&str] =
    &[include_str!("schema-1.sql"), include_str!("schema-2.sql"), include_str!("schema-3.sql")];
/// The version in which the record became a tree.
const TREE: usize = 3;
/// Page cache of the writer, in KiB when negative: the pages that every commit changes and many
/// more. SQLite looks through all of it at most commits, so a larger one costs more than it saves.
const WRITER_CACHE: i64 = -16_384;
/// Pages in the log before it is written back (4 KiB each). Pages that change with every message
/// are then written back once for many commits, and the writer pauses less often.
const CHECKPOINT_PAGES: i64 = 8_000;
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
fn create(path: &Path) -> Result<File, StoreError> {
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
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    migrate(&connection)?;
    fit_keys(&connection, keys)?;
    if created {
        sync_folder(path)?;
    }
    Ok(connection)
}

/// A connection that reads beside the writer of this process.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "query_only", "ON")?;
    Ok(connection)
}

/// A connection for a command that only reads, perhaps beside a running gateway.
pub(super) fn open_read_only(path: &Path, keys: &Keys) -> Result<Connection, StoreError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    if version(&connection)? != MIGRATIONS.len() {
        return Err(StoreError::new(&codes::STORE_VERSION_UNKNOWN, ""));
    }
    let stored: Option<String> = stored_check(&connection)?;
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

fn stored_check(connection: &Connection) -> Result<Option<String>, StoreError> {
    let sql = "SELECT value FROM meta WHERE name = 'keys'";
    Ok(connection.query_row(sql, [], |row| row.get(0)).optional()?)
}

/// The first start writes what the keys derive; every later one must derive the same.
fn fit_keys(connection: &Connection, keys: &Keys) -> Result<(), StoreError> {
    match stored_check(connection)? {
        Some(stored) if stored == keys.check() => Ok(()),
        Some(_) => Err(StoreError::new(&codes::KEYS_DO_NOT_FIT, "")),
        None => {
            let sql = "INSERT INTO meta (name, value) VALUES ('keys', ?1)";
            connection.execute(sql, [keys.check()])?;
            Ok(())
        }
    }
}

/// A new file survives a power cut only once its folder is synced as well.
fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| not_opened(&error))
}
