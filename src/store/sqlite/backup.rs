//! Backup and restore of the SQLite file. A backup is taken beside a running gateway out of one
//! snapshot, page by page; bodies stay sealed in it.

use super::connection::{self, version};
use super::{Options, SqliteStore, integrity, record, restored};
use crate::model::codes::store as codes;
use crate::record::hex;
use crate::store::backup::{self, FORMAT, Manifest, beside, digest, failed};
use crate::store::{EpochBegun, Keys, NewEpoch, Store, StoreError, owner};
use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pages copied between two looks at the clock.
const PAGES: i32 = 256;

/// Copies a store into a new file and its manifest. The gateway may run: the copy is what was
/// committed when it began. `rate` is in bytes a second; 0 copies as fast as the disk goes.
///
/// # Errors
/// `T601` when the file is there already, `T604` when the copy is not whole, and as for opening.
pub fn backup(
    store: &Path,
    keys: &Keys,
    file: &Path,
    rate: u64,
    now: Timestamp,
) -> Result<Manifest, StoreError> {
    let taken = |path: &Path| StoreError::new(&codes::BACKUP_EXISTS, path.display().to_string());
    for path in [file.to_path_buf(), Manifest::path_of(file)] {
        if path.exists() {
            return Err(taken(&path));
        }
    }
    let part = beside(file, ".part");
    let draft = backup::create(&part)?;
    draft.try_lock().map_err(|_| taken(&part))?;
    draft.set_len(0).map_err(|error| failed(&error))?;

    let source = connection::open_read_only(store, keys)?;
    // Held until the end: pages that the writer changes meanwhile stay as they are in it.
    let snapshot = source.unchecked_transaction()?;
    let tree = record::frontier(&snapshot)?;
    let epoch = restored::epoch(&snapshot)?.number;
    copy(&snapshot, &part, rate)?;
    drop(snapshot);
    draft.sync_all().map_err(|error| failed(&error))?;

    let (bytes, sha256) = digest(&part, &mut std::io::sink())?;
    let manifest = Manifest {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        taken_at: format!("{now:.3}"),
        store_version: version(&source)? as u64,
        epoch,
        record_size: tree.size(),
        record_root: hex(&tree.root()),
        bytes,
        sha256,
        keys: keys.check(),
        municipalities: connection::owner_of(&source)?.unwrap_or_default(),
    };
    verify(&part, &manifest)?;
    backup::rename(&part, file)?;
    manifest.write(file)?;
    Ok(manifest)
}

/// Copies all pages; pauses so that the disk has time for the writer's syncs.
fn copy(from: &Connection, to: &Path, rate: u64) -> Result<(), StoreError> {
    let mut target = Connection::open(to)?;
    // A crash leaves no backup anyhow; it is synced once, at its end.
    target.pragma_update(None, "synchronous", "OFF")?;
    let page: u64 = from.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))?.into();
    let begun = Instant::now();
    let mut copied = 0;
    {
        let copying = Backup::new(from, &mut target)?;
        loop {
            match copying.step(PAGES)? {
                StepResult::Done => break,
                StepResult::More => {}
                // Only the copy itself could be locked, and nobody else has it.
                _ => return Err(StoreError::new(&codes::BACKUP_FAILED, "the copy is locked")),
            }
            copied += page * u64::from(PAGES.unsigned_abs());
            let due = copied.saturating_mul(1_000).checked_div(rate).unwrap_or(0);
            let pause = Duration::from_millis(due).saturating_sub(begun.elapsed());
            std::thread::sleep(pause);
        }
    }
    // One file: a log beside it would be lost on the way to where backups rest.
    let mode: String = target.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    if mode == "delete" { Ok(()) } else { Err(StoreError::new(&codes::BACKUP_FAILED, mode)) }
}

/// The copy is whole, and its record ends as that of the store did.
fn verify(file: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let copy = connection::open_copy(file)?;
    let damaged = |detail: String| StoreError::new(&codes::BACKUP_DAMAGED, detail);
    integrity::whole(&copy).map_err(|error| damaged(error.to_string()))?;
    if version(&copy)? != connection::MIGRATIONS.len() {
        // Its record is looked at when it has been brought forward.
        return Ok(());
    }
    let tree = record::checked(&copy).map_err(|error| damaged(error.to_string()))?;
    if tree.size() != manifest.record_size || hex(&tree.root()) != manifest.record_root {
        return Err(damaged("the record in it is another one".to_owned()));
    }
    Ok(())
}

/// Checks a backup against its manifest, and the manifest against keys: all that can be known
/// without restoring it.
///
/// # Errors
/// `T602` without a manifest, `T604` when it is not what it was, `T107` for other keys, `T103` for a
/// newer store.
pub fn check(file: &Path, keys: &Keys) -> Result<Manifest, StoreError> {
    let manifest = fitting(file, keys)?;
    let found = digest(file, &mut std::io::sink())?;
    same(&manifest, &found)?;
    verify(file, &manifest)?;
    Ok(manifest)
}

fn fitting(file: &Path, keys: &Keys) -> Result<Manifest, StoreError> {
    let manifest = Manifest::read(file)?;
    let owner = Some(manifest.municipalities.as_str()).filter(|owner| !owner.is_empty());
    owner::bind(owner, keys)?;
    if manifest.keys != keys.check() {
        return Err(StoreError::new(&codes::KEYS_DO_NOT_FIT, ""));
    }
    let known = connection::MIGRATIONS.len() as u64;
    if manifest.store_version > known {
        let detail = format!("tables of version {}, known up to {known}", manifest.store_version);
        return Err(StoreError::new(&codes::STORE_VERSION_UNKNOWN, detail));
    }
    Ok(manifest)
}

fn same(manifest: &Manifest, (bytes, sha256): &(u64, String)) -> Result<(), StoreError> {
    if *bytes == manifest.bytes && *sha256 == manifest.sha256 {
        return Ok(());
    }
    Err(StoreError::new(&codes::BACKUP_DAMAGED, "length or SHA-256 are not those of the manifest"))
}

/// Puts a backup in the place of a store that is not there, in a new epoch. The store gets its
/// name last: nothing can start on it before the epoch has begun.
///
/// # Errors
/// `T603` when there is a store, the errors of `check`, and `T403` when the entries do not follow.
pub async fn restore(
    file: &Path,
    to: &Path,
    keys: Arc<Keys>,
    epoch: NewEpoch,
) -> Result<EpochBegun, StoreError> {
    for path in [to.to_path_buf(), beside(to, "-wal"), beside(to, "-shm")] {
        if path.exists() {
            return Err(StoreError::new(&codes::RESTORE_OVER_STORE, path.display().to_string()));
        }
    }
    let lock = connection::lock(to)?;
    let manifest = fitting(file, &keys)?;
    let draft = beside(to, ".restoring");
    // What an interrupted restore left.
    leftovers(&draft)?;
    let mut copy = backup::create(&draft)?;
    let found = digest(file, &mut copy)?;
    copy.sync_all().map_err(|error| failed(&error))?;
    drop(copy);
    same(&manifest, &found)?;
    verify(&draft, &manifest)?;

    let options = Options { adopt: true, ..Options::default() };
    let store = SqliteStore::open(&draft, keys, options)?;
    let begun = store.begin_epoch(epoch).await?;
    store.close().await?;
    drop(store);
    backup::rename(&draft, to)?;
    leftovers(&draft)?;
    drop(lock);
    Ok(begun)
}

fn leftovers(draft: &Path) -> Result<(), StoreError> {
    for path in ["", "-wal", "-shm", "-journal", ".lock"].map(|end| beside(draft, end)) {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Begins a new epoch in a store that something else put back: an image of the machine, a copy of
/// the file.
///
/// # Errors
/// As for opening, and `T403` when the entries do not follow.
pub async fn adopt(
    store: &Path,
    keys: Arc<Keys>,
    epoch: NewEpoch,
) -> Result<EpochBegun, StoreError> {
    if !store.exists() {
        return Err(StoreError::new(&codes::STORE_NOT_OPENED, store.display().to_string()));
    }
    let options = Options { adopt: true, ..Options::default() };
    let store = SqliteStore::open(store, keys, options)?;
    let begun = store.begin_epoch(epoch).await?;
    store.close().await?;
    Ok(begun)
}

/// A name for a backup in a folder: `watashi-20260401T030000Z.db`.
pub fn name_in(folder: &Path, now: Timestamp) -> PathBuf {
    folder.join(format!("watashi-{}.db", now.strftime("%Y%m%dT%H%M%SZ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::State;
    use crate::store::conformance::{self as suite, at};
    use crate::store::sqlite::tests::{Folder, keys};
    use crate::store::{Filter, Ghost, Next};

    fn epoch() -> NewEpoch {
        let (operator, reason) = ("yamada".to_owned(), "disk lost".to_owned());
        let (entries, ghosts) = (Vec::new(), Vec::<Ghost>::new());
        NewEpoch {
            at: at(900),
            operator,
            reason,
            entries,
            checkpoints: Vec::new(),
            head: None,
            ghosts,
        }
    }

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_backup_beside_a_busy_writer_is_one_moment_of_the_store() {
        let folder = Folder::new();
        let store = folder.open();
        for number in 0..300 {
            suite::accept(&*store, &format!("before-{number}"), number).await;
        }
        let file = folder.file().with_file_name("copy.db");
        let (from, to) = (folder.file(), file.clone());
        // So slow that the writer is busy all along: every step pauses.
        let rate = 20 << 20;
        let copying =
            tokio::task::spawn_blocking(move || backup(&from, &keys(1), &to, rate, at(50)));
        let mut number = 0;
        while !copying.is_finished() {
            suite::accept(&*store, &format!("during-{number}"), 1_000 + number).await;
            number += 1;
        }
        let manifest = copying.await.unwrap().unwrap();
        assert!(number > 0, "nothing was written meanwhile");
        let size = manifest.record_size;
        assert!(size >= 300, "{size}");
        assert_eq!(check(&file, &keys(1)).unwrap(), manifest);
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(&Manifest::path_of(&file)), 0o600);
        assert!(!beside(&file, ".part").exists() && !beside(&file, "-wal").exists());

        let again = backup(&folder.file(), &keys(1), &file, 0, at(51));
        assert_eq!(again.unwrap_err().code.code, "T601");
        let to = folder.file().with_file_name("restored.db");
        let begun = restore(&file, &to, keys(1), epoch()).await.unwrap();
        assert_eq!((begun.epoch, begun.unknown), (2, size), "one exchange per entry");
        let restored = SqliteStore::open(&to, keys(1), Options::default()).unwrap();
        let rows = restored.record(0, usize::MAX >> 1).await.unwrap();
        assert_eq!(rows.len() as u64, size + 1);
        assert_eq!(rows[..300], store.record(0, 300).await.unwrap()[..]);
        let left = folder.file().with_file_name("restored.db.restoring.lock");
        assert!(!left.exists());
    }

    #[tokio::test]
    async fn what_is_not_a_good_backup_is_refused_and_leaves_nothing() {
        let folder = Folder::new();
        let store = folder.open();
        let sent = suite::accept(&*store, "m1", 1).await;
        assert!(suite::intend(&*store, sent, 0).await);
        let file = folder.file().with_file_name("copy.db");
        backup(&folder.file(), &keys(1), &file, 0, at(50)).unwrap();
        let to = folder.file().with_file_name("new.db");
        let refused = async |file: &Path, to: &Path, fill: u8| {
            restore(file, to, keys(fill), epoch()).await.unwrap_err().code.code
        };
        assert_eq!(refused(&file, &folder.file(), 1).await, "T603");
        assert_eq!(refused(&file, &to, 2).await, "T107");

        let good = std::fs::read(&file).unwrap();
        for place in [100, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[place] ^= 1;
            std::fs::write(&file, &bad).unwrap();
            assert_eq!(refused(&file, &to, 1).await, "T604", "byte {place}");
            assert_eq!(check(&file, &keys(1)).unwrap_err().code.code, "T604");
        }
        std::fs::write(&file, &good).unwrap();
        let path = Manifest::path_of(&file);
        let manifest = std::fs::read(&path).unwrap();
        let text = String::from_utf8(manifest.clone()).unwrap();
        let newer = text.replace("\"store-version\": ", "\"store-version\": 9");
        std::fs::write(&path, newer).unwrap();
        assert_eq!(refused(&file, &to, 1).await, "T103");
        std::fs::write(&path, &manifest[..20]).unwrap();
        assert_eq!(refused(&file, &to, 1).await, "T602");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(refused(&file, &to, 1).await, "T602");
        assert!(!to.exists(), "nothing got the name of the store");

        std::fs::write(&path, &manifest).unwrap();
        restore(&file, &to, keys(1), epoch()).await.unwrap();
        let restored = SqliteStore::open(&to, keys(1), Options::default()).unwrap();
        let view = restored.list(Filter::default()).await.unwrap().remove(0);
        assert_eq!((view.state.as_str(), view.code.as_deref()), ("unknown", Some("T503")));
        let attempts = restored.attempts(sent).await.unwrap();
        assert_eq!(attempts[0].outcome.as_deref(), Some("unknown"));
        assert_eq!(refused(&file, &to, 1).await, "T603");
    }

    #[tokio::test]
    async fn a_store_put_back_by_other_means_is_adopted() {
        let folder = Folder::new();
        let store = folder.open();
        let sent = suite::accept(&*store, "m1", 1).await;
        drop(store);
        let begun = adopt(&folder.file(), keys(1), epoch()).await.unwrap();
        assert_eq!((begun.epoch, begun.unknown), (2, 1));
        let store = folder.open();
        assert_eq!(suite::state_of(&*store, sent).await, State::Unknown);
        let settled = suite::settle(&*store, sent, 1, Next::Delivered).await;
        assert_eq!(settled, crate::store::Settled::Done { woke: false });
        let nowhere = folder.file().with_file_name("none.db");
        let missing = adopt(&nowhere, keys(1), epoch()).await;
        assert_eq!(missing.unwrap_err().code.code, "T102");
    }
}
