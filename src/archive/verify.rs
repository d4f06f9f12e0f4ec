//! Verifying a folder of segments: reads files, decides nothing itself.

use super::Archive;
use crate::record::note::{NoteError, VerifyingKey};
use crate::record::verifier::{Finding, SegmentVerifier};
use crate::record::{Head, checkpoint};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};

/// Longer lines are not ours: an entry is a few kilobytes at most.
const LONGEST_LINE: u64 = 4 << 20;

/// What verifying a folder found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Segments read.
    pub segments: usize,
    /// Entries before the first segment, which were pruned.
    pub start: u64,
    /// Size and root of the tree at the end, or where it broke off.
    pub head: Head,
    /// The first thing that is wrong.
    pub finding: Option<Finding>,
    /// The file it is in.
    pub file: Option<String>,
    /// Size of the newest checkpoint in the folder, when there is one.
    pub newest: Option<u64>,
    /// Whose log it is, as the segments say.
    pub origin: Option<String>,
}

/// Why a folder could not be looked at.
#[derive(Debug)]
pub enum Unreadable {
    /// A file or the folder cannot be read.
    File(io::Error),
    /// A checkpoint is not accepted; `true` for one that was given.
    Checkpoint(NoteError, bool),
    /// It is the record of another log than the keys are of: its origin.
    Other(String),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Unreadable {
        Unreadable::File(error)
    }
}

/// Verifies the segments of a folder. `kept` are checkpoints that were kept elsewhere; the folder's
/// own newest one counts as well, but for more entries than there are, which come with the next
/// segment.
///
/// # Errors
/// When something cannot be read, a checkpoint is not signed by a known key, or all is another log's.
pub fn folder(
    archive: &Archive,
    keys: &[VerifyingKey],
    kept: &[String],
) -> Result<Report, Unreadable> {
    let mut witnesses = Vec::new();
    for note in kept {
        let opened =
            checkpoint::open(note, keys).map_err(|error| Unreadable::Checkpoint(error, true))?;
        witnesses.push(opened.head);
    }
    let given = witnesses.iter().map(|head| head.size).max();
    let newest = match archive.newest()? {
        Some(note) => {
            let claimed = checkpoint::claims(&note).map(|(origin, _)| origin);
            if let Some(origin) = claimed.filter(|origin| !is_known(keys, origin)) {
                return Err(Unreadable::Other(origin.to_owned()));
            }
            let opened = checkpoint::open(&note, keys)
                .map_err(|error| Unreadable::Checkpoint(error, false))?;
            witnesses.push(opened.head);
            Some(opened.head.size)
        }
        None => None,
    };
    let names = archive.segments()?;
    let mut verifier = SegmentVerifier::new(keys, witnesses);
    let mut finding = None;
    let mut file = None;
    for name in &names {
        if let Err(found) = segment(archive, *name, &mut verifier)? {
            finding = Some(found);
            file = Some(name.to_string());
            break;
        }
    }
    if finding.is_none() {
        let size = verifier.tree().size();
        let cut = given.is_some_and(|given| given > size);
        finding = verifier.finish(cut).err();
    }
    let tree = verifier.tree();
    Ok(Report {
        segments: names.len(),
        start: verifier.start(),
        head: Head { size: tree.size(), root: tree.root() },
        finding,
        file,
        newest,
        origin: verifier.origin().map(str::to_owned),
    })
}

/// Whether one of the keys is of this log.
fn is_known(keys: &[VerifyingKey], origin: &str) -> bool {
    keys.iter().any(|key| key.name() == origin)
}

/// One file, line by line.
fn segment(
    archive: &Archive,
    name: crate::record::segment::Name,
    verifier: &mut SegmentVerifier<'_>,
) -> io::Result<Result<(), Finding>> {
    if let Err(found) = verifier.begin(name) {
        return Ok(Err(found));
    }
    let file = File::open(archive.folder().join(name.to_string()))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut line = Vec::with_capacity(4_096);
    let mut first = true;
    loop {
        line.clear();
        let read = io::Read::take(&mut reader, LONGEST_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(verifier.end());
        }
        // A line without its newline is no line.
        if let Err(found) = verifier.push(line.strip_suffix(b"\n").unwrap_or(b""), first) {
            return Ok(Err(found));
        }
        first = false;
    }
}
