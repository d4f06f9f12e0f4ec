//! Places where files are kept, as the pipeline sees them: a folder, an object storage, a server
//! reached by SFTP. Files are small enough to be held in memory, and appear whole or not at all.

pub mod folder;
pub mod memory;
pub mod s3;
pub mod sftp;
mod sign;

use crate::model::Code;
use crate::model::codes::transport as codes;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use std::fmt;

/// Files listed at once; a folder that holds more is an error.
pub const LIST_LIMIT: usize = 20_000;

/// One file of a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its name, without the folder.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// What a write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The file is there now, whole and safe against a crash.
    New,
    /// A file of that name was there before; it was not touched.
    Exists,
}

/// Why a place did not do what was asked.
#[derive(Clone, Debug)]
pub struct PlaceError {
    /// The registered code (`N…`).
    pub code: &'static Code,
    /// Safe text: names of files and kinds of errors.
    pub detail: String,
}

impl PlaceError {
    /// An error of a registered code; `detail` must be safe to show.
    pub fn new(code: &'static Code, detail: impl Into<String>) -> PlaceError {
        PlaceError { code, detail: detail.into() }
    }
}

impl fmt::Display for PlaceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {}", self.code, self.code.title, self.detail)
    }
}

impl std::error::Error for PlaceError {}

/// Result of a call, ready later.
pub type Later<'a, T> = BoxFuture<'a, Result<T, PlaceError>>;

/// Where files are kept. Paths are folders and names of `A-Z a-z 0-9 . _ -` joined by `/`.
///
/// After an error of `write`, `rename` or `remove` it is not known whether it was done: whoever
/// asked looks again. Each call is bounded in time.
pub trait Place: Send + Sync + fmt::Debug {
    /// The files of a folder, in the order of their names; hidden ones and folders are left out. A
    /// folder that is not there is empty.
    fn list<'a>(&'a self, folder: &'a str) -> Later<'a, Vec<Entry>>;
    /// A file of at most `most` bytes; `None` when it is not there.
    fn read<'a>(&'a self, path: &'a str, most: usize) -> Later<'a, Option<Bytes>>;
    /// Makes a file appear, whole, under a name that nothing has. Nothing is ever replaced.
    fn write<'a>(&'a self, path: &'a str, content: Bytes) -> Later<'a, Written>;
    /// Moves a file to a name that nothing has. Done already counts as done: only `to` is there.
    /// Where both are there with one content, `from` goes; else it is an error.
    fn rename<'a>(&'a self, from: &'a str, to: &'a str) -> Later<'a, ()>;
    /// Removes a file, if it is there.
    fn remove<'a>(&'a self, path: &'a str) -> Later<'a, ()>;
}

/// The folder and the name of a path.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Whether a path cannot lead out of its place. Definitions and recognised names hold to it; this
/// is the last look.
pub(crate) fn checked(path: &str) -> Result<&str, PlaceError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let part =
        |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(allowed);
    if path.len() <= 512 && path.split('/').all(part) {
        return Ok(path);
    }
    Err(PlaceError::new(&codes::PLACE_REFUSED, "a path that could lead out of the place"))
}

#[cfg(test)]
mod tests {
    use super::checked;

    #[test]
    fn no_path_leads_out() {
        for good in ["a", "a/b.csv", "in/.a.part"] {
            assert!(checked(good).is_ok(), "{good}");
        }
        for bad in ["", "/a", "../a", "a/..", "a//b", "a b", "a\n", "a;b", "-r/../x", "予"] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }
}
