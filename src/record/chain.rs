//! The hash chain: leaf, link, and the walk that finds the first bad sequence.

use super::row::RecordRow;
use aws_lc_rs::digest::{Context, SHA256};

/// Link before the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Lower-case hexadecimal of some bytes.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'a' + half - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0u8; 32];
    if text.len() != 64 || text.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut digest = [0u8; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// RFC 6962 leaf hash of an entry, SHA-256(0x00 ‖ entry).
pub fn leaf_bytes(entry: &str) -> [u8; 32] {
    sha256(&[&[0], entry.as_bytes()])
}

/// RFC 6962 leaf hash of an entry, SHA-256(0x00 ‖ entry), hex: what a Merkle tree over the same
/// entries would start from.
pub fn leaf(entry: &str) -> String {
    hex(&leaf_bytes(entry))
}

/// The link after an entry: SHA-256(previous link ‖ leaf), hex. A `previous` that is no link
/// (it can only come from a damaged row) counts as its own bytes, so that it never verifies as
/// another one.
pub fn link(previous: &str, entry: &str) -> String {
    leaf_and_link(previous, entry).1
}

/// Leaf and link of an entry, hex, with the entry hashed once.
pub fn leaf_and_link(previous: &str, entry: &str) -> (String, String) {
    let leaf = leaf_bytes(entry);
    (hex(&leaf), link_to(previous, &leaf))
}

/// Link of an entry whose leaf is known, hex.
pub fn link_to(previous: &str, leaf: &[u8; 32]) -> String {
    let link = match unhex(previous) {
        Some(bytes) => sha256(&[&bytes, leaf]),
        None => sha256(&[previous.as_bytes(), leaf]),
    };
    hex(&link)
}

/// Why a row is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A sequence is missing, repeated or out of order.
    Sequence,
    /// The link does not follow from the previous link and this entry: one of the three changed.
    Link,
    /// The entry is not the canonical form it was written in.
    Form,
}

impl Broken {
    /// One line for people.
    pub fn reason(self) -> &'static str {
        match self {
            Broken::Sequence => "the sequence has a gap, a repetition or a swap here",
            Broken::Link => "the entry, its link or the entry before it was changed",
            Broken::Form => "the entry is not in the form the gateway writes",
        }
    }
}

/// What a walk over the record found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Good entries up to the first bad one.
    pub entries: u64,
    /// The first bad sequence and why; `None` when all is well.
    pub first_bad: Option<(i64, Broken)>,
    /// Sequence and link after the last good entry: compare them with a copy kept elsewhere, for
    /// a chain alone cannot tell that its end was cut off.
    pub head: (i64, String),
}

/// Walks the record row by row; memory does not grow with it.
#[derive(Clone, Debug)]
pub struct Verifier {
    verdict: Verdict,
}

impl Default for Verifier {
    fn default() -> Self {
        Verifier::after(0, GENESIS)
    }
}

impl Verifier {
    /// Starts after a sequence whose link is known (a segment that begins later); `(0, GENESIS)`
    /// is the beginning.
    pub fn after(sequence: i64, link: &str) -> Self {
        let head = (sequence, link.to_owned());
        Verifier { verdict: Verdict { entries: 0, first_bad: None, head } }
    }

    /// Takes the next row; false once something was bad.
    pub fn push(&mut self, row: &RecordRow) -> bool {
        let verdict = &mut self.verdict;
        if verdict.first_bad.is_some() {
            return false;
        }
        let expected = verdict.head.0 + 1;
        let broken = if row.sequence != expected {
            Some(Broken::Sequence)
        } else if row.link != link(&verdict.head.1, &row.entry) {
            Some(Broken::Link)
        } else if serde_json::from_str::<serde_json::Map<_, _>>(&row.entry).is_err() {
            Some(Broken::Form)
        } else {
            None
        };
        match broken {
            Some(broken) => verdict.first_bad = Some((expected, broken)),
            None => {
                verdict.entries += 1;
                verdict.head = (row.sequence, row.link.clone());
            }
        }
        verdict.first_bad.is_none()
    }

    /// The verdict so far.
    pub fn finish(self) -> Verdict {
        self.verdict
    }
}

/// Verifies a whole record from its beginning.
pub fn verify(rows: impl IntoIterator<Item = RecordRow>) -> Verdict {
    let mut verifier = Verifier::default();
    for row in rows {
        if !verifier.push(&row) {
            break;
        }
    }
    verifier.finish()
}
