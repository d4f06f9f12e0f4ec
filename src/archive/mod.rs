//! The archive: the record's files, off the machine. A folder with the newest checkpoint, one segment
//! per ended day, and small segments for what is newer.
//!
//! Files are written under another name, synced, renamed, and the folder is synced: a reader sees
//! whole files only.

use crate::model::codes::store as codes;
use crate::record::segment::Name;
use crate::store::StoreError;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

pub mod export;
pub mod prune;
pub mod seed;
pub mod since;
pub mod verify;

/// File of the newest checkpoint.
const NEWEST: &str = "checkpoint";
/// A checkpoint is a few hundred bytes.
const LARGEST_NOTE: u64 = 1 << 16;

/// The folder. It must exist: a folder that was not mounted must not be mistaken for an empty one.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
}

impl Archive {
    /// The archive in a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Archive {
        Archive { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The newest checkpoint exported; `None` when there is none.
    ///
    /// # Errors
    /// When the folder or the file cannot be read.
    pub fn newest(&self) -> io::Result<Option<String>> {
        self.folder.read_dir()?;
        match File::open(self.folder.join(NEWEST)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(file) => io::read_to_string(io::Read::take(file, LARGEST_NOTE)).map(Some),
        }
    }

    /// Puts a checkpoint in the place of the newest.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put_newest(&self, note: &str) -> io::Result<()> {
        let mut file = self.create(NEWEST)?;
        file.write(note.as_bytes())?;
        file.finish()
    }

    /// The segments, in the order of their entries; what a larger one holds is left out.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn segments(&self) -> io::Result<Vec<Name>> {
        let mut names = self.all_segments()?;
        names.dedup_by(|next, kept| next.is_within(kept));
        Ok(names)
    }

    fn all_segments(&self) -> io::Result<Vec<Name>> {
        let mut names = Vec::new();
        for entry in self.folder.read_dir()? {
            let name = entry?.file_name();
            names.extend(name.to_str().and_then(Name::parse));
        }
        names.sort_by_key(|name| (name.first, std::cmp::Reverse(name.last), name.day.is_none()));
        Ok(names)
    }

    /// Deletes small segments that a day's segment holds by now.
    ///
    /// # Errors
    /// When one cannot be deleted.
    pub fn tidy(&self) -> io::Result<()> {
        let all = self.all_segments()?;
        let days: Vec<&Name> = all.iter().filter(|name| name.day.is_some()).collect();
        let small = all.iter().filter(|name| name.day.is_none());
        for name in small.filter(|name| days.iter().any(|day| name.is_within(day))) {
            std::fs::remove_file(self.folder.join(name.to_string()))?;
        }
        Ok(())
    }

    /// Begins a file that is seen once it is finished.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(&self, name: &str) -> io::Result<NewFile> {
        let part = self.folder.join(format!("{name}.part"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o640);
        let file = BufWriter::with_capacity(1 << 18, options.open(&part)?);
        Ok(NewFile { file, part, path: self.folder.join(name) })
    }
}

/// A file on its way.
#[derive(Debug)]
pub struct NewFile {
    file: BufWriter<File>,
    part: PathBuf,
    path: PathBuf,
}

impl NewFile {
    /// Adds bytes.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Syncs it and gives it its name.
    ///
    /// # Errors
    /// When a step fails; the file under the name is then as it was.
    pub fn finish(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(&self.part, &self.path)?;
        let folder = self.path.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

/// `T405` with the kind of error; the folder's name is no secret.
pub fn failed(folder: &Path, error: &io::Error) -> StoreError {
    let detail = format!("`{}`: {}", folder.display(), error.kind());
    StoreError::new(&codes::RECORD_NOT_EXPORTED, detail)
}
