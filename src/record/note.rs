//! Signed notes as C2SP signed-note has them: a text, and lines of signatures over it.

use super::hex;
use crate::model::Secret;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::str::FromStr;

/// Signature type of the specification: Ed25519 over the text.
const ED25519_TYPE: u8 = 1;
/// Beginning of a private key as text.
const PRIVATE: &str = "PRIVATE+KEY+";
/// More signature lines than any note of ours has.
const MAX_SIGNATURES: usize = 32;

/// Why a note or a key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// It is not in the form of the specification.
    Form,
    /// No known key signed it.
    Unsigned,
    /// A signature under the name of a known key is not that key's.
    Forged,
}

impl NoteError {
    /// One line for people.
    pub fn reason(self) -> &'static str {
        match self {
            NoteError::Form => "it is not in the form of a signed note",
            NoteError::Unsigned => "no known key signed it",
            NoteError::Forged => "its signature is not that of the key it names",
        }
    }
}

/// Whether a text can name a key: not empty, no spaces, no `+`.
pub fn is_name(name: &str) -> bool {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && !name.contains(bad)
}

/// Tells keys of one name apart: the first bytes of SHA-256(name ‖ newline ‖ type ‖ public key).
fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let text = [name.as_bytes(), b"\n", &[ED25519_TYPE], public].concat();
    let mut id = [0u8; 4];
    id.iter_mut().zip(digest(&SHA256, &text).as_ref()).for_each(|(to, from)| *to = *from);
    id
}

/// A public key: `NAME+ID+KEY`, the ID in hexadecimal, type and key in base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    name: String,
    id: [u8; 4],
    public: [u8; 32],
}

impl VerifyingKey {
    fn new(name: &str, public: [u8; 32]) -> VerifyingKey {
        VerifyingKey { name: name.to_owned(), id: key_id(name, &public), public }
    }

    /// Whose it is: the origin of the checkpoints it signs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells it from other keys of the name, 8 hexadecimal digits.
    pub fn id(&self) -> String {
        hex(&self.id)
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        key.verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ED25519_TYPE], &self.public[..]].concat());
        write!(formatter, "{}+{}+{key}", self.name, self.id())
    }
}

/// Name, id and 32 bytes of a key's text.
fn parts(text: &str) -> Option<(&str, &str, [u8; 32])> {
    let (name, rest) = text.split_once('+')?;
    let (id, key) = rest.split_once('+')?;
    let bytes = Secret::new(STANDARD.decode(key).ok()?);
    let (kind, key) = bytes.expose().split_first()?;
    let key = <[u8; 32]>::try_from(key).ok()?;
    (is_name(name) && *kind == ED25519_TYPE).then_some((name, id, key))
}

impl FromStr for VerifyingKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<VerifyingKey, NoteError> {
        let (name, id, public) = parts(text).ok_or(NoteError::Form)?;
        let key = VerifyingKey::new(name, public);
        if key.id() == id { Ok(key) } else { Err(NoteError::Form) }
    }
}

/// Reads a file of public keys: one a line; empty lines and lines that begin with `#` do not count.
///
/// # Errors
/// The number of the first line that is no key, from 1; 0 when there is no key at all.
pub fn read_keys(text: &str) -> Result<Vec<VerifyingKey>, usize> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            keys.push(line.parse().map_err(|_| index + 1)?);
        }
    }
    if keys.is_empty() { Err(0) } else { Ok(keys) }
}

/// A private key: `PRIVATE+KEY+NAME+ID+SEED`.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: VerifyingKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The text of the private key that 32 random bytes make.
    ///
    /// # Errors
    /// When the name cannot be one.
    pub fn text_of(name: &str, seed: &[u8; 32]) -> Result<Secret<String>, NoteError> {
        let key = SigningKey::from_seed(name, seed)?;
        let bytes = Secret::new([&[ED25519_TYPE], &seed[..]].concat());
        let encoded = Secret::new(STANDARD.encode(bytes.expose()));
        let id = key.public.id();
        Ok(Secret::new(format!("{PRIVATE}{name}+{id}+{}", encoded.expose())))
    }

    fn from_seed(name: &str, seed: &[u8; 32]) -> Result<SigningKey, NoteError> {
        if !is_name(name) {
            return Err(NoteError::Form);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoteError::Form)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| NoteError::Form)?;
        Ok(SigningKey { public: VerifyingKey::new(name, public), pair })
    }

    /// Reads a private key.
    ///
    /// # Errors
    /// When it is not in that form, or its ID is not its own.
    pub fn parse(text: &Secret<String>) -> Result<SigningKey, NoteError> {
        let rest = text.expose().trim().strip_prefix(PRIVATE).ok_or(NoteError::Form)?;
        let (name, id, seed) = parts(rest).ok_or(NoteError::Form)?;
        let key = SigningKey::from_seed(name, &seed)?;
        if key.public.id() == id { Ok(key) } else { Err(NoteError::Form) }
    }

    /// Its public half.
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// The line of its signature over a text that ends in a newline.
    fn line(&self, text: &str) -> String {
        let signature = self.pair.sign(text.as_bytes());
        let bytes = [&self.public.id, signature.as_ref()].concat();
        format!("— {} {}\n", self.public.name, STANDARD.encode(bytes))
    }
}

/// A note: the text, which ends in a newline, signed by each of the keys.
pub fn sign(text: &str, keys: &[&SigningKey]) -> String {
    let lines: String = keys.iter().map(|key| key.line(text)).collect();
    format!("{text}\n{lines}")
}

/// A note whose signatures were looked at.
#[derive(Clone, Debug)]
pub struct Note<'a> {
    /// The signed text, with its last newline.
    pub text: &'a str,
    /// The known keys that signed it.
    pub signers: Vec<&'a VerifyingKey>,
    /// Signatures of keys that are not known.
    pub unknown: usize,
}

/// Opens a note. Signatures of unknown keys do not count; one of a known key that does not verify
/// spoils the whole.
///
/// # Errors
/// See `NoteError`.
pub fn open<'a>(note: &'a str, keys: &'a [VerifyingKey]) -> Result<Note<'a>, NoteError> {
    let bad = |c: char| c.is_ascii_control() && c != '\n';
    let (text, lines) = split(note).filter(|_| !note.contains(bad)).ok_or(NoteError::Form)?;
    let mut opened = Note { text, signers: Vec::new(), unknown: 0 };
    for (index, line) in lines.strip_suffix('\n').ok_or(NoteError::Form)?.split('\n').enumerate() {
        let (name, id, signature) = signature(line).ok_or(NoteError::Form)?;
        if index >= MAX_SIGNATURES {
            return Err(NoteError::Form);
        }
        match keys.iter().find(|key| key.name == name && key.id == id) {
            None => opened.unknown += 1,
            Some(key) if key.verifies(text, &signature) => opened.signers.push(key),
            Some(_) => return Err(NoteError::Forged),
        }
    }
    if opened.signers.is_empty() { Err(NoteError::Unsigned) } else { Ok(opened) }
}

/// Text and signature lines: the last empty line is between them.
fn split(note: &str) -> Option<(&str, &str)> {
    let at = note.rfind("\n\n")?;
    Some((note.get(..=at)?, note.get(at + 2..)?))
}

fn signature(line: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    (is_name(name) && !signature.is_empty()).then(|| (name, *id, signature.to_vec()))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A key of a name, the same for the same number.
    pub(crate) fn key(name: &str, number: u8) -> SigningKey {
        SigningKey::parse(&SigningKey::text_of(name, &[number; 32]).unwrap()).unwrap()
    }

    /// The key and the note of the specification's own implementation (Go's sumdb).
    #[test]
    fn a_note_of_another_implementation_opens() {
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let keys = [key.parse::<VerifyingKey>().unwrap()];
        assert_eq!(keys[0].to_string(), key);
        let note = "If you think cryptography is the answer to your problem,\n\
            then you don't know what your problem is.\n\n\
            — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let opened = open(note, &keys).unwrap();
        assert_eq!((opened.signers.len(), opened.unknown), (1, 0));
        assert!(opened.text.ends_with("problem is.\n"));
        let text = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
        let signer = SigningKey::parse(&Secret::new(text.to_owned())).unwrap();
        assert_eq!(sign(opened.text, &[&signer]), note);
    }

    #[test]
    fn signatures_of_others_do_not_count_and_forged_ones_spoil_it() {
        let (ours, other) = (key("log.example/a", 1), key("log.example/a", 2));
        let note = sign("text\n", &[&ours, &other]);
        let opened = |keys: &[VerifyingKey]| open(&note, keys).map(|note| note.unknown);
        assert_eq!(opened(&[ours.public().clone()]), Ok(1));
        assert_eq!(opened(&[ours.public().clone(), other.public().clone()]), Ok(0));
        assert_eq!(opened(&[]), Err(NoteError::Unsigned));
        let forged = note.replacen("text\n", "texT\n", 1);
        assert_eq!(open(&forged, &[other.public().clone()]).unwrap_err(), NoteError::Forged);
        for bad in ["", "text\n", "text\n\n", "text\n\n— a b\n", "te\rxt\n\n— a AAAAAAA=\n"] {
            assert_eq!(open(bad, &[]).unwrap_err(), NoteError::Form, "{bad:?}");
        }
    }

    #[test]
    fn a_key_file_has_comments_and_names_its_bad_line() {
        let public = key("log.example/a", 1).public().to_string();
        assert_eq!(read_keys(&format!("# old\n\n{public}\n")).unwrap().len(), 1);
        assert_eq!(read_keys(&format!("{public}\nnone\n")), Err(2));
        assert_eq!(read_keys("# none\n"), Err(0));
        assert!(public.replace("log.example/a", "log.example/b").parse::<VerifyingKey>().is_err());
        let debugged = format!("{:?}", key("log.example/a", 1));
        assert!(debugged.contains("log.example/a") && !debugged.contains("PRIVATE"), "{debugged}");
        for name in ["", "a b", "a+b", "a\u{3000}b", "a\nb"] {
            assert!(SigningKey::text_of(name, &[1; 32]).is_err(), "{name:?}");
        }
    }
}
