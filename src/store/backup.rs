//! The manifest of a backup: what it is a copy of, and how to know that it still is.

use super::StoreError;
use crate::model::codes::store as codes;
use crate::record::hex;
use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Form of the manifest.
pub const FORMAT: u32 = 1;
/// Bytes read at a time.
const BLOCK: usize = 1 << 20;

/// What stands beside a backup, in `<backup>.manifest.json`. It is written last: a backup without
/// one was not finished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// Form of this file.
    pub format: u32,
    /// Version of Watashi that made it.
    pub program: String,
    /// When the copy was taken (RFC 3339, UTC): everything committed before is in it.
    pub taken_at: String,
    /// Version of the tables.
    pub store_version: u64,
    /// Epoch of the store.
    pub epoch: u64,
    /// Entries of the record.
    pub record_size: u64,
    /// Root of the tree over them, hex.
    pub record_root: String,
    /// Length of the backup in bytes.
    pub bytes: u64,
    /// SHA-256 of the backup, hex.
    pub sha256: String,
    /// `Keys::check` of the keys it is sealed under; reveals none of them.
    pub keys: String,
    /// 団体コード the store serves, joined by spaces; empty in backups of stores that did not know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub municipalities: String,
}

impl Manifest {
    /// Where the manifest of a backup stands.
    pub fn path_of(backup: &Path) -> PathBuf {
        beside(backup, ".manifest.json")
    }

    /// Reads the manifest of a backup.
    ///
    /// # Errors
    /// `T602` when there is none, or none that this version can read.
    pub fn read(backup: &Path) -> Result<Manifest, StoreError> {
        let path = Manifest::path_of(backup);
        let incomplete = |why: String| StoreError::new(&codes::BACKUP_INCOMPLETE, why);
        let bytes = std::fs::read(&path)
            .map_err(|error| incomplete(format!("{}: {}", path.display(), error.kind())))?;
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|_| incomplete(format!("{}: not a manifest", path.display())))?;
        if manifest.format == FORMAT {
            return Ok(manifest);
        }
        Err(incomplete(format!("form {}, known is {FORMAT}", manifest.format)))
    }

    /// Writes it, all or nothing.
    pub(super) fn write(&self, backup: &Path) -> Result<(), StoreError> {
        let path = Manifest::path_of(backup);
        let draft = beside(&path, ".part");
        let text = serde_json::to_vec_pretty(self)
            .map_err(|_| StoreError::new(&codes::BACKUP_FAILED, "the manifest has no text"))?;
        let mut file = create(&draft)?;
        file.set_len(0).and_then(|()| file.write_all(&text)).map_err(|error| failed(&error))?;
        file.sync_all().map_err(|error| failed(&error))?;
        rename(&draft, &path)
    }
}

/// A path with something after its name.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Opens or creates a file that only its owner may read.
pub(super) fn create(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| failed(&error))
}

/// Gives a finished file its name; it survives a power cut once the folder is synced as well.
pub(super) fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    std::fs::rename(from, to).map_err(|error| failed(&error))?;
    let folder = match to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| failed(&error))
}

/// A file that could not be read or written.
pub(super) fn failed(error: &std::io::Error) -> StoreError {
    StoreError::new(&codes::BACKUP_FAILED, error.kind().to_string())
}

/// Length and SHA-256 (hex) of a file; what is read goes to `copy` as well.
pub(super) fn digest(path: &Path, copy: &mut dyn Write) -> Result<(u64, String), StoreError> {
    let mut file = File::open(path).map_err(|error| failed(&error))?;
    let mut context = Context::new(&SHA256);
    let mut block = vec![0; BLOCK];
    let mut length = 0;
    loop {
        let count = file.read(&mut block).map_err(|error| failed(&error))?;
        let Some(read) = block.get(..count).filter(|read| !read.is_empty()) else { break };
        context.update(read);
        copy.write_all(read).map_err(|error| failed(&error))?;
        length += read.len() as u64;
    }
    Ok((length, hex(context.finish().as_ref())))
}
