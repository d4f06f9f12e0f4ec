//! Verifying segments line by line, in constant memory: what can be named of the first bad entry.
//!
//! The tree is built from the leaf hashes as they stand; a checkpoint whose root agrees proves them
//! all. So an entry that does not agree with its leaf hash is named exactly. Where entry and hash
//! were both changed, the root disagrees, and the first bad entry is one of those since the last
//! checkpoint that agreed.

use super::checkpoint::open;
use super::note::{NoteError, VerifyingKey};
use super::segment::{Header, Line, Name, read};
use super::tree::{Frontier, Hash, Head, leaf};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A line is not one of a segment.
    Line,
    /// The first line does not fit the file's name or what came before.
    Header,
    /// A sequence is missing, repeated or out of order.
    Sequence,
    /// The file ends before its last entry and checkpoint.
    Truncated,
    /// A whole segment is missing.
    Missing,
    /// A segment begins with entries that came before.
    Repeated,
    /// The entry is not the one that was recorded; its hash is.
    Entry,
    /// The hash beside the entry is not the one that was recorded; the entry is.
    Leaf,
    /// Entry and hash disagree, and no checkpoint tells which of them was recorded.
    Either,
    /// Entries and their hashes were changed, left out or added since the last good checkpoint.
    Root,
    /// A checkpoint is not signed as it must be.
    Checkpoint(NoteError),
    /// A checkpoint is signed, but of another size than its place says.
    Size,
    /// The record does not begin at 1, and no entry tells that its beginning was pruned.
    Beginning,
    /// A checkpoint kept elsewhere is of more entries than there are.
    Shorter,
    /// A checkpoint kept elsewhere is of other entries than these.
    Fork,
}

impl Why {
    /// One line for people.
    pub fn reason(self) -> String {
        match self {
            Why::Line => "a line is not one that the gateway writes".to_owned(),
            Why::Header => {
                "the first line of the segment is not the one that was written".to_owned()
            }
            Why::Sequence => "a sequence is missing, repeated or out of order".to_owned(),
            Why::Truncated => "the segment is cut off".to_owned(),
            Why::Missing => "a segment is missing".to_owned(),
            Why::Repeated => "a segment repeats entries of the one before".to_owned(),
            Why::Entry => "the entry was changed; its hash is as it was recorded".to_owned(),
            Why::Leaf => {
                "the hash beside the entry was changed; the entry is as it was recorded".to_owned()
            }
            Why::Either => "the entry or the hash beside it was changed".to_owned(),
            Why::Root => {
                "entries were changed together with their hashes, or left out, or added".to_owned()
            }
            Why::Checkpoint(error) => format!("a checkpoint is not accepted: {}", error.reason()),
            Why::Size => "a checkpoint stands where it does not belong".to_owned(),
            Why::Beginning => {
                "the record does not begin at 1, and no entry tells that its beginning was pruned"
                    .to_owned()
            }
            Why::Shorter => {
                "the checkpoint kept elsewhere is of more entries: the end was cut off".to_owned()
            }
            Why::Fork => "the checkpoint kept elsewhere is of other entries than these".to_owned(),
        }
    }
}

/// The first thing that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The first bad entry is this one, or one between it and `last`.
    pub first: u64,
    /// Same as `first` where it is known exactly.
    pub last: u64,
    /// What is wrong with it.
    pub why: Why,
    /// All entries up to this one are proven by a signed checkpoint.
    pub proven: u64,
}

/// An entry that disagrees with its leaf hash, until the next checkpoint tells which was changed.
#[derive(Clone, Debug)]
struct Doubt {
    sequence: u64,
    /// The tree over the entries' own hashes.
    own: Frontier,
}

/// Verifies segments in their order.
#[derive(Debug)]
pub struct SegmentVerifier<'k> {
    keys: &'k [VerifyingKey],
    /// Checkpoints kept elsewhere, to compare with on the way.
    witnesses: Vec<Head>,
    tree: Frontier,
    proven: u64,
    /// Entries before the first segment; `None` before it is read.
    start: Option<u64>,
    pruned: u64,
    doubt: Option<Doubt>,
    name: Option<Name>,
    origin: Option<String>,
}

type Checked = Result<(), Finding>;

impl<'k> SegmentVerifier<'k> {
    /// With public keys, and checkpoints kept elsewhere.
    pub fn new(keys: &'k [VerifyingKey], witnesses: Vec<Head>) -> Self {
        SegmentVerifier {
            keys,
            witnesses,
            tree: Frontier::default(),
            proven: 0,
            start: None,
            pruned: 0,
            doubt: None,
            name: None,
            origin: None,
        }
    }

    /// The tree so far.
    pub fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// Whose log the segments are of: the origin that their first line names.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Entries before the first segment.
    pub fn start(&self) -> u64 {
        self.start.unwrap_or(0)
    }

    fn found(&self, first: u64, last: u64, why: Why) -> Finding {
        // What disagreed before is the first bad entry, whatever comes after it.
        match &self.doubt {
            Some(doubt) if doubt.sequence < first => {
                let at = doubt.sequence;
                Finding { first: at, last: at, why: Why::Either, proven: self.proven }
            }
            _ => Finding { first, last: last.max(first), why, proven: self.proven },
        }
    }

    fn next(&self) -> u64 {
        self.tree.size() + 1
    }

    fn wrong(&self, why: Why) -> Checked {
        let next = self.next();
        Err(self.found(next, next, why))
    }

    /// Begins a file.
    ///
    /// # Errors
    /// When it does not follow the one before.
    pub fn begin(&mut self, name: Name) -> Checked {
        let next = self.next();
        if self.start.is_some() && name.first > next {
            return Err(self.found(next, name.first - 1, Why::Missing));
        }
        if self.start.is_some() && name.first < next {
            return Err(self.found(name.first, next - 1, Why::Repeated));
        }
        if self.start.is_none() {
            // Named by the file until its first line is read.
            self.start = Some(name.first - 1);
        }
        self.name = Some(name);
        Ok(())
    }

    /// Takes a line without its newline; the first one of a file is its header.
    ///
    /// # Errors
    /// The first thing that is wrong. Nothing more may be pushed then.
    pub fn push(&mut self, line: &[u8], is_first: bool) -> Checked {
        match read(line) {
            Some(Line::Header(header)) if is_first => self.header(header),
            Some(Line::Entry(sequence, leaf, entry)) if !is_first => {
                self.entry(sequence, leaf, entry)
            }
            Some(Line::Checkpoint(note)) if !is_first => self.checkpoint(&note),
            _ if is_first => self.wrong(Why::Header),
            _ => self.wrong(Why::Line),
        }
    }

    fn header(&mut self, header: Header) -> Checked {
        let fits =
            self.name.is_some_and(|name| name.first == header.first && name.day == header.day);
        let continues = self.tree.size() == 0 || self.tree == header.tree;
        let known = self.origin.as_ref().is_none_or(|origin| *origin == header.origin);
        if !fits || !continues || !known {
            return self.wrong(Why::Header);
        }
        if self.tree.size() == 0 {
            self.tree = header.tree;
            self.proven = self.tree.size();
        }
        self.origin = Some(header.origin);
        Ok(())
    }

    fn entry(&mut self, sequence: u64, stored: Hash, entry: &[u8]) -> Checked {
        if sequence != self.next() || self.name.is_some_and(|name| sequence > name.last) {
            return self.wrong(Why::Sequence);
        }
        let own = leaf(entry);
        if own != stored && self.doubt.is_none() {
            self.doubt = Some(Doubt { sequence, own: self.tree.clone() });
        }
        if let Some(doubt) = &mut self.doubt {
            doubt.own.push(own);
        }
        self.tree.push(stored);
        if self.start() > 0 {
            self.pruned = self.pruned.max(pruned_by(entry).unwrap_or(0));
        }
        let size = self.tree.size();
        let root = |witness: &Head| witness.size == size && witness.root != self.tree.root();
        if self.doubt.is_none() && self.witnesses.iter().any(root) {
            return Err(self.found(self.proven + 1, size, Why::Fork));
        }
        Ok(())
    }

    fn checkpoint(&mut self, note: &str) -> Checked {
        let opened = match open(note, self.keys) {
            Ok(opened) if opened.unknown == 0 => opened,
            Ok(_) => return self.unproven(Why::Checkpoint(NoteError::Unsigned)),
            Err(error) => return self.unproven(Why::Checkpoint(error)),
        };
        if self.origin.as_ref() != Some(&opened.origin) {
            return self.unproven(Why::Checkpoint(NoteError::Unsigned));
        }
        let size = self.tree.size();
        if opened.head.size != size {
            return self.unproven(Why::Size);
        }
        let stored_agree = opened.head.root == self.tree.root();
        match self.doubt.take() {
            None if stored_agree => {
                self.proven = size;
                Ok(())
            }
            None => Err(self.found(self.proven + 1, size, Why::Root)),
            Some(doubt) if stored_agree => {
                Err(self.found(doubt.sequence, doubt.sequence, Why::Entry))
            }
            Some(doubt) if opened.head.root == doubt.own.root() => {
                Err(self.found(doubt.sequence, doubt.sequence, Why::Leaf))
            }
            Some(doubt) => Err(self.found(self.proven + 1, doubt.sequence, Why::Root)),
        }
    }

    /// A checkpoint that proves nothing: the entries since the last good one are in doubt.
    fn unproven(&self, why: Why) -> Checked {
        let last = self.tree.size().max(self.proven + 1);
        Err(self.found(self.proven + 1, last, why))
    }

    /// Ends a file.
    ///
    /// # Errors
    /// When its last entry is not there, or no checkpoint is over it.
    pub fn end(&mut self) -> Checked {
        let Some(name) = self.name.take() else { return Ok(()) };
        if self.tree.size() < name.last {
            let next = self.next();
            return Err(self.found(next, name.last, Why::Truncated));
        }
        if self.proven < name.last {
            return Err(self.found(self.proven + 1, name.last, Why::Truncated));
        }
        Ok(())
    }

    /// Ends the walk. `whole`: checkpoints kept elsewhere must not be of more entries than there
    /// are.
    ///
    /// # Errors
    /// When the beginning is missing without a word, or the end is.
    pub fn finish(&self, whole: bool) -> Checked {
        if self.start() > 0 && self.pruned < self.start() {
            return Err(Finding { first: 1, last: self.start(), why: Why::Beginning, proven: 0 });
        }
        let longest = self.witnesses.iter().map(|witness| witness.size).max().unwrap_or(0);
        if whole && longest > self.tree.size() {
            let next = self.next();
            return Err(self.found(next, longest, Why::Shorter));
        }
        Ok(())
    }
}

/// The size that an entry says was pruned.
fn pruned_by(entry: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(entry).ok()?;
    if super::entry::field(text, "outcome") != Some(PRUNED) {
        return None;
    }
    super::entry::field(text, "reference")?.parse().ok()
}

/// Outcome of the entry that tells of a pruning; its reference is the last sequence pruned.
pub const PRUNED: &str = "pruned";
