//! Segments: a stretch of the record as lines that a stranger can verify with a public key.
//!
//! ```text
//! {"segment":1,"origin":"…","day":"2026-06-01","first":1001,"tree":["…",…]}
//! {"sequence":1001,"leaf":"…","entry":{…}}
//! …
//! {"checkpoint":"origin\n2000\nroot\n\n— origin signature\n"}
//! ```
//!
//! `tree` are the peaks of the tree before the first entry. Every segment ends with a checkpoint
//! over its last entry; there may be others within. The same stretch always gives the same bytes.

use super::tree::{Frontier, Hash};
use super::walk::{hex, unhex};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The day in Japan on which an instant falls.
pub fn day_of(at: Timestamp) -> Date {
    Offset::constant(9).to_datetime(at).date()
}

/// Name of a segment's file. A day that has ended has one segment; what is newer comes in small
/// ones without a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// Sequence of the first entry.
    pub first: u64,
    /// Sequence of the last.
    pub last: u64,
    /// The day in Japan, when it is the whole of it.
    pub day: Option<Date>,
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Name { first, last, day } = self;
        match day {
            Some(day) => write!(formatter, "record-{day}-{first:012}-{last:012}.jsonl"),
            None => write!(formatter, "record-{first:012}-{last:012}.jsonl"),
        }
    }
}

impl Name {
    /// Reads a file's name; `None` when it is not exactly one that is written.
    pub fn parse(text: &str) -> Option<Name> {
        let rest = text.strip_prefix("record-")?.strip_suffix(".jsonl")?;
        let (rest, last) = rest.rsplit_once('-')?;
        let (day, first) = match rest.rsplit_once('-') {
            Some((day, first)) => (Some(day.parse().ok()?), first),
            None => (None, rest),
        };
        let name = Name { first: first.parse().ok()?, last: last.parse().ok()?, day };
        (name.to_string() == text && name.first >= 1 && name.first <= name.last).then_some(name)
    }

    /// Whether another one holds all of its entries.
    pub fn is_within(&self, other: &Name) -> bool {
        other.first <= self.first && self.last <= other.last
    }
}

/// First line of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The log it is of.
    pub origin: String,
    /// As in its name.
    pub day: Option<Date>,
    /// Sequence of its first entry.
    pub first: u64,
    /// The tree before that.
    pub tree: Frontier,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct HeaderLine {
    segment: u32,
    origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    first: u64,
    tree: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct CheckpointLine {
    checkpoint: String,
}

impl Header {
    /// The line, without its newline.
    pub fn line(&self) -> String {
        let tree = self.tree.peaks().iter().map(|peak| hex(peak)).collect();
        let (origin, day) = (self.origin.clone(), self.day.map(|day| day.to_string()));
        json(&HeaderLine { segment: 1, origin, day, first: self.first, tree })
    }
}

/// The line of a checkpoint, without its newline.
pub fn checkpoint_line(note: &str) -> String {
    json(&CheckpointLine { checkpoint: note.to_owned() })
}

/// Text, numbers and lists always have a JSON form.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// One line of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// The first one.
    Header(Header),
    /// An entry: sequence, stored leaf hash, and the bytes that were hashed.
    Entry(u64, Hash, &'a [u8]),
    /// A signed note.
    Checkpoint(String),
}

/// Reads a line without its newline; `None` when it is not exactly one that is written.
pub fn read(line: &[u8]) -> Option<Line<'_>> {
    if let Some(rest) = line.strip_prefix(b"{\"sequence\":") {
        return entry(rest);
    }
    let text = std::str::from_utf8(line).ok()?;
    if text.starts_with("{\"checkpoint\":") {
        let parsed: CheckpointLine = serde_json::from_str(text).ok()?;
        return (json(&parsed) == text).then_some(Line::Checkpoint(parsed.checkpoint));
    }
    let parsed: HeaderLine = serde_json::from_str(text).ok()?;
    let peaks = parsed.tree.iter().map(|peak| unhex(peak.as_bytes())).collect::<Option<_>>()?;
    let tree = Frontier::new(parsed.first.checked_sub(1)?, peaks)?;
    let day = match &parsed.day {
        Some(day) => Some(day.parse().ok()?),
        None => None,
    };
    let header = Header { origin: parsed.origin, day, first: parsed.first, tree };
    (parsed.segment == 1 && header.line() == text).then_some(Line::Header(header))
}

/// What follows `{"sequence":`.
fn entry(rest: &[u8]) -> Option<Line<'_>> {
    let comma = rest.iter().position(|byte| *byte == b',')?;
    let (number, rest) = rest.split_at_checked(comma)?;
    let rest = rest.strip_prefix(b",\"leaf\":\"")?;
    let (leaf, rest) = rest.split_at_checked(64)?;
    let entry = rest.strip_prefix(b"\",\"entry\":")?.strip_suffix(b"}")?;
    Some(Line::Entry(plain_number(number)?, unhex(leaf)?, entry))
}

/// A number from 1 as it is written: digits, no zero in front.
fn plain_number(text: &[u8]) -> Option<u64> {
    if text.first().is_none_or(|first| *first == b'0') {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_nothing_else_is_one() {
        let day = Some("2026-06-01".parse().unwrap());
        for name in [Name { first: 1, last: 9, day }, Name { first: 10, last: 10, day: None }] {
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        assert_eq!(
            Name { first: 1, last: 9, day }.to_string(),
            "record-2026-06-01-000000000001-000000000009.jsonl"
        );
        for bad in [
            "record-1-9.jsonl",
            "record-000000000009-000000000001.jsonl",
            "record-000000000000-000000000001.jsonl",
            "record-2026-06-31-000000000001-000000000009.jsonl",
            "record-000000000001-000000000009.jsonl.part",
            "checkpoint",
        ] {
            assert_eq!(Name::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn lines_come_back_and_other_writings_do_not() {
        let tree: Frontier = [[1; 32], [2; 32], [3; 32]].into_iter().collect();
        let day = Some("2026-06-01".parse().unwrap());
        let header = Header { origin: "log.example/a".to_owned(), day, first: 4, tree };
        let line = header.line();
        assert_eq!(read(line.as_bytes()), Some(Line::Header(header)));
        let note = "a\n1\n二\n\n— a b\n";
        let checkpoint = checkpoint_line(note);
        assert_eq!(read(checkpoint.as_bytes()), Some(Line::Checkpoint(note.to_owned())));
        let leaf = "0a".repeat(32);
        let entry = format!("{{\"sequence\":4,\"leaf\":\"{leaf}\",\"entry\":{{}}}}");
        assert_eq!(read(entry.as_bytes()), Some(Line::Entry(4, [10; 32], b"{}")));
        for bad in [
            line.replace("first\":4", "first\":5"),
            line.replace("1,\"origin", "2,\"origin"),
            line.replace(',', ", "),
            checkpoint.replace("\\n", "\\u000a"),
            entry.replace(":4", ":04"),
            entry.replace(":4", ":+4"),
            entry.replace("0a", "0A"),
            format!("{entry} "),
            String::new(),
        ] {
            assert_eq!(read(bad.as_bytes()), None, "{bad}");
        }
    }
}
