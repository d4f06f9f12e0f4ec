//! What the archive holds that is newer than a store: taken over when a backup is put back.

use super::{Archive, failed};
use crate::model::codes::store as codes;
use crate::record::checkpoint::{self, NoteError};
use crate::record::note::VerifyingKey;
use crate::record::segment::{self, Line, day_of};
use crate::record::{Checkpoint, Head, RecordRow, time_of};
use crate::store::StoreError;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Exported entries and checkpoints beyond a size.
#[derive(Debug, Default)]
pub struct Since {
    /// Entries, in order and each once.
    pub entries: Vec<RecordRow>,
    /// Checkpoints, the smallest first.
    pub checkpoints: Vec<Checkpoint>,
    /// What the newest exported checkpoint says.
    pub head: Option<Head>,
}

/// Reads all segments, and other exports, of a folder.
///
/// # Errors
/// `T402` for a line that is none, `T404` for a newest checkpoint that is forged, `T405` when the
/// folder cannot be read, `T410` when it is the record of another log.
pub fn since(folder: &Path, size: u64, keys: &[VerifyingKey]) -> Result<Since, StoreError> {
    let unreadable = |error: std::io::Error| failed(folder, &error);
    let newest = Archive::new(folder).newest().map_err(unreadable)?;
    let head = newest.as_deref().map(|note| head_of(note, keys)).transpose()?;
    let of_another = |origin: &str| {
        let own = keys.first().filter(|own| own.name() != origin)?;
        let detail = format!("it is of `{origin}`, the signing key of `{}`", own.name());
        Some(StoreError::new(&codes::RECORD_OF_ANOTHER, detail))
    };
    let claimed = newest.as_deref().and_then(checkpoint::claims);
    if let Some(error) = claimed.and_then(|(origin, _)| of_another(origin)) {
        return Err(error);
    }
    let mut rows = BTreeMap::new();
    let mut checkpoints = BTreeMap::new();
    for file in folder.read_dir().map_err(unreadable)? {
        let path = file.map_err(unreadable)?.path();
        if path.extension().is_none_or(|end| end != "jsonl") {
            continue;
        }
        let mut day = None;
        let mut last = Timestamp::UNIX_EPOCH;
        for line in BufReader::new(File::open(&path).map_err(unreadable)?).split(b'\n') {
            let line = line.map_err(unreadable)?;
            let bad = || StoreError::new(&codes::RECORD_LINE_INVALID, path.display().to_string());
            match segment::read(&line).ok_or_else(bad)? {
                Line::Header(header) => {
                    if let Some(error) = of_another(&header.origin) {
                        return Err(error);
                    }
                    day = header.day;
                }
                Line::Entry(number, leaf, entry) => {
                    let entry = std::str::from_utf8(entry).map_err(|_| bad())?.to_owned();
                    last = time_of(&entry).unwrap_or(last);
                    if number > size {
                        let sequence = i64::try_from(number).map_err(|_| bad())?;
                        rows.insert(number, RecordRow { sequence, leaf, entry });
                    }
                }
                Line::Checkpoint(note) => {
                    let (_, head) = checkpoint::claims(&note).ok_or_else(bad)?;
                    if head.size > size {
                        let at = signed_at(day, last);
                        checkpoints.insert(head.size, Checkpoint { head, note, at });
                    }
                }
            }
        }
    }
    let (entries, checkpoints) =
        (rows.into_values().collect(), checkpoints.into_values().collect());
    Ok(Since { entries, checkpoints, head })
}

/// A checkpoint does not tell when it was signed: about when its last entry was written, on the day
/// of its segment.
fn signed_at(day: Option<Date>, last: Timestamp) -> Timestamp {
    let Some(day) = day.filter(|day| *day != day_of(last)) else { return last };
    let midnight = day.at(0, 0, 0, 0);
    Offset::constant(9).to_timestamp(midnight).unwrap_or(last)
}

fn head_of(note: &str, keys: &[VerifyingKey]) -> Result<Head, StoreError> {
    let forked = |why: &str| {
        let why = format!("the newest exported one: {why}");
        StoreError::new(&codes::RECORD_FORKED, why)
    };
    match checkpoint::open(note, keys) {
        // Signed by a key that is not listed: what it says still binds us.
        Ok(_) | Err(NoteError::Unsigned) => {}
        Err(error) => return Err(forked(error.reason())),
    }
    let (_, head) = checkpoint::claims(note).ok_or_else(|| forked("it is not readable"))?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::note::SigningKey;
    use crate::record::segment::{Header, checkpoint_line};
    use crate::record::{Draft, Frontier, Kind, Phase, export};

    fn key(name: &str) -> SigningKey {
        SigningKey::parse(&SigningKey::text_of(name, &[7; 32]).unwrap()).unwrap()
    }

    /// A segment of three entries with a checkpoint, and the newest checkpoint, in a new folder.
    fn archive(name: &str) -> (std::path::PathBuf, Vec<RecordRow>, Checkpoint) {
        let folder =
            std::env::temp_dir().join(format!("watashi-since-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let header =
            Header { origin: "town".to_owned(), day: None, first: 1, tree: Frontier::default() };
        let mut tree = Frontier::default();
        let mut lines = vec![header.line()];
        let mut rows = Vec::new();
        for sequence in 1..=3 {
            let at = Timestamp::from_second(1_780_000_000 + sequence).unwrap();
            let entry = Draft::new(Kind::System, Phase::Noted, at).canonical();
            let leaf = crate::record::tree::leaf(entry.as_bytes());
            tree.push(leaf);
            let row = RecordRow { sequence, leaf, entry };
            lines.push(export(&row));
            rows.push(row);
        }
        let head = Head { size: 3, root: tree.root() };
        let checkpoint = Checkpoint::sign(head, &[&key("town")], Timestamp::UNIX_EPOCH);
        lines.push(checkpoint_line(&checkpoint.note));
        let text = lines.join("\n") + "\n";
        std::fs::write(folder.join("record-000000000001-000000000003.jsonl"), text).unwrap();
        std::fs::write(folder.join(NEWEST_FILE), &checkpoint.note).unwrap();
        (folder, rows, checkpoint)
    }

    const NEWEST_FILE: &str = "checkpoint";

    #[test]
    fn what_is_newer_comes_with_its_checkpoints() {
        let (folder, rows, checkpoint) = archive("newer");
        let keys = [key("town").public().clone()];
        let found = since(&folder, 1, &keys).unwrap();
        assert_eq!(found.entries, rows[1..]);
        assert_eq!(found.head, Some(checkpoint.head));
        assert_eq!(found.checkpoints.len(), 1);
        assert_eq!(found.checkpoints[0].note, checkpoint.note);
        assert_eq!(found.checkpoints[0].at.as_second(), 1_780_000_003);
        let nothing = since(&folder, 3, &keys).unwrap();
        assert!(nothing.entries.is_empty() && nothing.checkpoints.is_empty());
        // The key may be gone; what it signed still binds.
        assert_eq!(since(&folder, 1, &[]).unwrap().head, Some(checkpoint.head));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_forged_checkpoint_and_a_broken_line_are_refused() {
        let (folder, _, checkpoint) = archive("forged");
        let keys = [key("town").public().clone()];
        let forged = checkpoint.note.replacen("\n3\n", "\n4\n", 1);
        std::fs::write(folder.join(NEWEST_FILE), forged).unwrap();
        assert_eq!(since(&folder, 1, &keys).unwrap_err().code.code, "T404");
        std::fs::write(folder.join(NEWEST_FILE), &checkpoint.note).unwrap();
        std::fs::write(folder.join("other.jsonl"), "{}\n").unwrap();
        assert_eq!(since(&folder, 1, &keys).unwrap_err().code.code, "T402");
        assert_eq!(since(&folder.join("none"), 1, &keys).unwrap_err().code.code, "T405");
        let other = [key("village").public().clone()];
        std::fs::remove_file(folder.join("other.jsonl")).unwrap();
        assert_eq!(since(&folder, 3, &other).unwrap_err().code.code, "T410", "of another log");
        std::fs::remove_file(folder.join(NEWEST_FILE)).unwrap();
        assert_eq!(since(&folder, 3, &other).unwrap_err().code.code, "T410", "its segments, too");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
