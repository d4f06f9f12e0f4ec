//! Checkpoints as C2SP tlog-checkpoint has them: a signed note of origin, size and root.

pub use super::note::NoteError;
use super::note::{self, SigningKey, VerifyingKey};
use super::tree::{Hash, Head};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

/// A signed checkpoint as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Size and root of the tree that is signed.
    pub head: Head,
    /// The signed note.
    pub note: String,
    /// When it was signed. The day it falls on in Japan is the day of its entries' segment.
    pub at: Timestamp,
}

impl Checkpoint {
    /// Signs a tree; the keys have one name, which is the origin.
    pub fn sign(head: Head, keys: &[&SigningKey], at: Timestamp) -> Checkpoint {
        let origin = keys.first().map_or("", |key| key.public().name());
        let root = STANDARD.encode(head.root);
        let text = format!("{origin}\n{}\n{root}\n", head.size);
        Checkpoint { head, note: note::sign(&text, keys), at }
    }
}

/// What a checkpoint says and who signed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The log it is of.
    pub origin: String,
    /// Size and root.
    pub head: Head,
    /// Known keys that signed it, by their ids.
    pub signers: Vec<String>,
    /// Signatures of others, such as witnesses.
    pub unknown: usize,
}

/// Opens a checkpoint that a known key signed. The key's name must be the origin.
///
/// # Errors
/// See `NoteError`.
pub fn open(text: &str, keys: &[VerifyingKey]) -> Result<Opened, NoteError> {
    let note = note::open(text, keys)?;
    let (origin, head) = read(note.text).ok_or(NoteError::Form)?;
    if note.signers.iter().any(|key| key.name() != origin) {
        return Err(NoteError::Unsigned);
    }
    let signers = note.signers.iter().map(|key| key.id()).collect();
    Ok(Opened { origin: origin.to_owned(), head, signers, unknown: note.unknown })
}

/// Origin and tree of a checkpoint whose signatures nobody looked at: to say what it claims.
pub fn claims(note: &str) -> Option<(&str, Head)> {
    read(note.get(..=note.find("\n\n")?)?)
}

fn read(text: &str) -> Option<(&str, Head)> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
    let number: u64 = size.parse().ok()?;
    let root: Hash = STANDARD.decode(root).ok()?.try_into().ok()?;
    let plain = !origin.is_empty() && number.to_string() == size && lines.all(|l| !l.is_empty());
    plain.then_some((origin, Head { size: number, root }))
}

/// The key that signs, and the one that will.
#[derive(Debug)]
pub struct Signer {
    current: SigningKey,
    next: Option<(SigningKey, Timestamp)>,
}

impl Signer {
    /// A key, and the one that takes its place at an instant. `None` when their names differ: a log
    /// has one origin.
    pub fn new(current: SigningKey, next: Option<(SigningKey, Timestamp)>) -> Option<Signer> {
        let one_log =
            next.as_ref().is_none_or(|(next, _)| next.public().name() == current.public().name());
        one_log.then_some(Signer { current, next })
    }

    /// The key that signs at an instant, and the one it took the place of, if that is known.
    pub fn at(&self, now: Timestamp) -> (&SigningKey, Option<&SigningKey>) {
        match &self.next {
            Some((next, from)) if now >= *from => (next, Some(&self.current)),
            _ => (&self.current, None),
        }
    }

    /// Both public keys.
    pub fn public(&self) -> Vec<VerifyingKey> {
        let next = self.next.iter().map(|(key, _)| key);
        std::iter::once(&self.current).chain(next).map(|key| key.public().clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::note::tests::key;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_checkpoint_has_the_form_of_the_specification() {
        let key = key("log.example/a", 1);
        let head = Head { size: 20_852_163, root: [7; 32] };
        let checkpoint = Checkpoint::sign(head, &[&key], AT);
        let start = "log.example/a\n20852163\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\n— log.example/a ";
        assert!(checkpoint.note.starts_with(start), "{}", checkpoint.note);
        let keys = [key.public().clone()];
        let opened = open(&checkpoint.note, &keys).unwrap();
        assert_eq!((opened.origin.as_str(), opened.head), ("log.example/a", head));
        assert_eq!(opened.signers, [key.public().id()]);
        assert_eq!(claims(&checkpoint.note), Some(("log.example/a", head)));
    }

    #[test]
    fn every_changed_byte_of_a_checkpoint_is_found() {
        let key = key("log.example/a", 1);
        let keys = [key.public().clone()];
        let note = Checkpoint::sign(Head { size: 5, root: [7; 32] }, &[&key], AT).note;
        for index in 0..note.len() {
            for change in [1u8, 2, 0x10, 0x20] {
                let mut bytes = note.clone().into_bytes();
                bytes[index] ^= change;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                assert!(open(&changed, &keys).is_err(), "byte {index}: {changed}");
            }
        }
    }

    #[test]
    fn what_is_no_checkpoint_is_refused_though_it_is_signed() {
        let key = key("log.example/a", 1);
        let keys = [key.public().clone()];
        let root = STANDARD.encode([7; 32]);
        let opened =
            |text: &str| open(&note::sign(text, &[&key]), &keys).map(|opened| opened.head.size);
        assert_eq!(opened(&format!("log.example/a\n5\n{root}\n")), Ok(5));
        assert_eq!(opened(&format!("log.example/a\n5\n{root}\nmore\n")), Ok(5));
        for bad in ["05", "+5", "-5", "five", "", "18446744073709551616"] {
            let text = format!("log.example/a\n{bad}\n{root}\n");
            assert_eq!(opened(&text), Err(NoteError::Form), "{bad}");
        }
        assert_eq!(opened("log.example/a\n5\nBwc=\n"), Err(NoteError::Form));
        assert_eq!(opened(&format!("log.example/b\n5\n{root}\n")), Err(NoteError::Unsigned));
    }
}
