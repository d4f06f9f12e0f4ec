//! A folder of this machine, or of a file server that is mounted here.
//!
//! A file is written under a hidden name, fsynced, linked under its own name, which fails where
//! that is taken, and the folder is fsynced. A crash leaves at most a hidden file.

use super::{Entry, LIST_LIMIT, Later, Place, PlaceError, Written, checked, split};
use crate::model::codes::transport as codes;
use crate::telemetry::crash;
use bytes::Bytes;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest time of one call: a file server that hangs must not hold the others.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The place in this folder, which must be there.
    ///
    /// # Errors
    /// When it is no folder.
    pub fn new(root: impl Into<PathBuf>) -> Result<Folder, PlaceError> {
        let root = root.into();
        match fs::metadata(&root) {
            Ok(found) if found.is_dir() => Ok(Folder { root }),
            Ok(_) => Err(PlaceError::new(&codes::PLACE_REFUSED, "not a folder")),
            Err(error) => Err(of(&error, "the folder")),
        }
    }

    /// The file, where nothing on the way is a symbolic link: those could lead out.
    fn path(&self, path: &str) -> Result<PathBuf, PlaceError> {
        let mut whole = self.root.clone();
        for part in checked(path)?.split('/') {
            whole.push(part);
            if fs::symlink_metadata(&whole).is_ok_and(|found| found.is_symlink()) {
                return Err(PlaceError::new(
                    &codes::PLACE_REFUSED,
                    format!("{path}: a symbolic link"),
                ));
            }
        }
        Ok(whole)
    }

    async fn run<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Folder) -> Result<T, PlaceError> + Send + 'static,
    ) -> Result<T, PlaceError> {
        let folder = self.clone();
        let task = tokio::task::spawn_blocking(move || what(&folder));
        match tokio::time::timeout(PATIENCE, task).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(PlaceError::new(&codes::PLACE_UNREACHABLE, "interrupted")),
            Err(_) => Err(PlaceError::new(&codes::PLACE_TIMEOUT, "the folder does not answer")),
        }
    }

    fn list_now(&self, folder: &str) -> Result<Vec<Entry>, PlaceError> {
        let path = if folder.is_empty() { self.root.clone() } else { self.path(folder)? };
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound && !folder.is_empty() => {
                return Ok(Vec::new());
            }
            Err(error) => return Err(of(&error, folder)),
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| of(&error, folder))?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // Gone since the folder was read: not there.
            let Ok(kind) = entry.metadata() else { continue };
            if name.starts_with('.') || !kind.is_file() {
                continue;
            }
            found.push(Entry { name, size: kind.len() });
            if found.len() > LIST_LIMIT {
                return Err(PlaceError::new(&codes::TOO_MANY_FILES, folder));
            }
        }
        found.sort();
        Ok(found)
    }

    fn read_now(&self, path: &str, most: usize) -> Result<Option<Bytes>, PlaceError> {
        let whole = self.path(path)?;
        let file = match File::open(&whole) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(of(&error, path)),
        };
        let kind = file.metadata().map_err(|error| of(&error, path))?;
        if !kind.is_file() {
            return Err(PlaceError::new(&codes::PLACE_REFUSED, format!("{path}: not a file")));
        }
        let mut content = Vec::new();
        let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit).read_to_end(&mut content).map_err(|error| of(&error, path))?;
        if content.len() > most {
            return Err(PlaceError::new(
                &codes::FILE_TOO_LARGE,
                format!("{path}: more than {most} bytes"),
            ));
        }
        Ok(Some(content.into()))
    }

    fn write_now(&self, path: &str, content: &[u8]) -> Result<Written, PlaceError> {
        let whole = self.path(path)?;
        let (folder, name) = split(path);
        let parent = self.parent(folder)?;
        if fs::symlink_metadata(&whole).is_ok() {
            return Ok(Written::Exists);
        }
        let hidden = parent.join(format!(".{name}.part"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o640);
        let fail = |error: io::Error| of(&error, path);
        let mut file = options.open(&hidden).map_err(fail)?;
        file.write_all(content).map_err(fail)?;
        crash::reach("file:hidden-written");
        file.sync_all().map_err(fail)?;
        crash::reach("file:hidden-synced");
        let written = show(&hidden, &whole).map_err(fail)?;
        crash::reach("file:shown");
        // Both ways the hidden name has served; what is left of it is written over next time.
        let _left = fs::remove_file(&hidden);
        sync(&parent).map_err(fail)?;
        crash::reach("file:folder-synced");
        Ok(written)
    }

    /// The folder of a file; made where it is missing.
    fn parent(&self, folder: &str) -> Result<PathBuf, PlaceError> {
        if folder.is_empty() {
            return Ok(self.root.clone());
        }
        let path = self.path(folder)?;
        if !path.is_dir() {
            fs::create_dir_all(&path).map_err(|error| of(&error, folder))?;
            if let Some(above) = path.parent() {
                sync(above).map_err(|error| of(&error, folder))?;
            }
        }
        Ok(path)
    }

    fn rename_now(&self, from: &str, to: &str) -> Result<(), PlaceError> {
        let (old, new) = (self.path(from)?, self.path(to)?);
        let (before, after) = (split(from).0, self.parent(split(to).0)?);
        let fail = |error: io::Error| of(&error, from);
        match (fs::symlink_metadata(&old).is_ok(), fs::symlink_metadata(&new).is_ok()) {
            (false, true) => return Ok(()),
            (false, false) => {
                return Err(PlaceError::new(
                    &codes::PLACE_UNREACHABLE,
                    format!("{from}: not there"),
                ));
            }
            (true, true) => {
                let same = fs::read(&old).map_err(fail)? == fs::read(&new).map_err(fail)?;
                if !same {
                    return Err(PlaceError::new(
                        &codes::PLACE_REFUSED,
                        format!("{to}: another file is there"),
                    ));
                }
            }
            (true, false) => {
                if show(&old, &new).map_err(fail)? == Written::Exists {
                    return Err(PlaceError::new(
                        &codes::PLACE_REFUSED,
                        format!("{to}: another file is there"),
                    ));
                }
                sync(&after).map_err(fail)?;
            }
        }
        crash::reach("file:moved-there");
        match fs::remove_file(&old) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
        let before = if before.is_empty() { self.root.clone() } else { self.path(before)? };
        sync(&before).map_err(fail)
    }

    fn remove_now(&self, path: &str) -> Result<(), PlaceError> {
        let whole = self.path(path)?;
        match fs::remove_file(&whole) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(of(&error, path)),
        }
        whole.parent().map_or(Ok(()), sync).map_err(|error| of(&error, path))
    }
}

/// Gives a file a second name that nothing has. Where a file system has no links the name is
/// looked at first; of ours only one instance writes there.
fn show(file: &Path, name: &Path) -> io::Result<Written> {
    match fs::hard_link(file, name) {
        Ok(()) => Ok(Written::New),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Written::Exists),
        Err(error)
            if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) =>
        {
            if fs::symlink_metadata(name).is_ok() {
                return Ok(Written::Exists);
            }
            fs::rename(file, name).map(|()| Written::New)
        }
        Err(error) => Err(error),
    }
}

/// Makes the names of a folder safe against a crash.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn of(error: &io::Error, what: &str) -> PlaceError {
    let code = match error.kind() {
        ErrorKind::PermissionDenied
        | ErrorKind::NotFound
        | ErrorKind::NotADirectory
        | ErrorKind::ReadOnlyFilesystem => &codes::PLACE_REFUSED,
        _ => &codes::PLACE_UNREACHABLE,
    };
    PlaceError::new(code, format!("{what}: {}", error.kind()))
}

impl Place for Folder {
    fn list<'a>(&'a self, folder: &'a str) -> Later<'a, Vec<Entry>> {
        let folder = folder.to_owned();
        Box::pin(self.run(move |place| place.list_now(&folder)))
    }

    fn read<'a>(&'a self, path: &'a str, most: usize) -> Later<'a, Option<Bytes>> {
        let path = path.to_owned();
        Box::pin(self.run(move |place| place.read_now(&path, most)))
    }

    fn write<'a>(&'a self, path: &'a str, content: Bytes) -> Later<'a, Written> {
        let path = path.to_owned();
        Box::pin(self.run(move |place| place.write_now(&path, &content)))
    }

    fn rename<'a>(&'a self, from: &'a str, to: &'a str) -> Later<'a, ()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        Box::pin(self.run(move |place| place.rename_now(&from, &to)))
    }

    fn remove<'a>(&'a self, path: &'a str) -> Later<'a, ()> {
        let path = path.to_owned();
        Box::pin(self.run(move |place| place.remove_now(&path)))
    }
}
