//! The walk over rows that finds the first bad sequence and builds the tree on its way.

use super::row::RecordRow;
use super::tree::{Frontier, Head, leaf};

/// Lower-case hexadecimal of some bytes.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| if half < 10 { b'0' + half } else { b'a' + half - 10 };
    let mut text = vec![0; bytes.len() * 2];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    // All of it is ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// The bytes of a lower-case hexadecimal text of exactly 64 digits.
pub fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    let half = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    let mut bytes = [0u8; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = half(*high)? << 4 | half(*low)?;
    }
    Some(bytes)
}

/// Why a row is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A sequence is missing, repeated or out of order.
    Sequence,
    /// The entry is not the one its leaf hash was made of: one of the two changed.
    Leaf,
    /// The entry is not the canonical form it was written in.
    Form,
}

impl Broken {
    /// One line for people.
    pub fn reason(self) -> &'static str {
        match self {
            Broken::Sequence => "the sequence has a gap, a repetition or a swap here",
            Broken::Leaf => "the entry or its leaf hash was changed",
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
    /// The tree over all entries up to the last good one.
    pub head: Head,
}

/// Walks the record row by row; memory does not grow with it.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    tree: Frontier,
    entries: u64,
    first_bad: Option<(i64, Broken)>,
}

impl Verifier {
    /// Goes on after the entries that a tree stands for.
    pub fn after(tree: Frontier) -> Self {
        Verifier { tree, ..Verifier::default() }
    }

    /// What is wrong with a row by itself.
    pub fn flaw(row: &RecordRow) -> Option<Broken> {
        if row.leaf != leaf(row.entry.as_bytes()) {
            Some(Broken::Leaf)
        } else if serde_json::from_str::<serde_json::Map<_, _>>(&row.entry).is_err() {
            Some(Broken::Form)
        } else {
            None
        }
    }

    /// Takes the next row; false once something was bad.
    pub fn push(&mut self, row: &RecordRow) -> bool {
        if self.first_bad.is_some() {
            return false;
        }
        let expected = self.tree.size().saturating_add(1);
        let broken = match u64::try_from(row.sequence) {
            Ok(sequence) if sequence == expected => Verifier::flaw(row),
            _ => Some(Broken::Sequence),
        };
        match broken {
            Some(broken) => {
                let sequence = i64::try_from(expected).unwrap_or(i64::MAX);
                self.first_bad = Some((sequence, broken));
            }
            None => {
                self.tree.push(row.leaf);
                self.entries += 1;
            }
        }
        self.first_bad.is_none()
    }

    /// The tree so far.
    pub fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// The verdict so far.
    pub fn finish(self) -> Verdict {
        let head = Head { size: self.tree.size(), root: self.tree.root() };
        Verdict { entries: self.entries, first_bad: self.first_bad, head }
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
