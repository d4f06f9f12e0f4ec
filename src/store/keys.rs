//! Keys: sealing of bodies and the keyed hashes (lane, idempotency key, pseudonym, fingerprint).
//!
//! A body is sealed under a key of its own (AES-256-GCM), and that key is wrapped (AES-KW,
//! RFC 3394) under the current master: rotation rewraps keys, and a key never meets a nonce twice.
//! The keyed hashes must not change when the master does, or a person would change lane and a
//! message its idempotency key; so they derive from the **first listed** master, the oldest,
//! which stays listed for the life of the store. The store keeps `Keys::check` and refuses others.

use super::{Owner, StoreError};
use crate::model::Secret;
use crate::model::codes::store as codes;
use crate::record::hex;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::{hkdf, hmac, rand};
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const KEY: usize = 32;
const WRAPPED: usize = KEY + 8;
const NONCE: usize = 12;
const TAG: usize = 16;
/// Bytes of the salt of a commitment.
pub const SALT: usize = 16;

/// A sealed body: `version ‖ length of key id ‖ key id ‖ wrapped key ‖ nonce ‖ ciphertext ‖ tag`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

struct Master {
    id: String,
    wrapping: Zeroizing<[u8; KEY]>,
}

struct Masters {
    listed: Vec<Master>,
    current: usize,
}

impl Masters {
    fn current(&self) -> Option<&Master> {
        self.listed.get(self.current)
    }
}

/// All keys the gateway works with; made once, shared. Which masters are listed and which of them
/// seals may change while it runs, the oldest may not.
pub struct Keys {
    masters: RwLock<Arc<Masters>>,
    lane: hmac::Key,
    subject: hmac::Key,
    idempotency: hmac::Key,
    fingerprint: hmac::Key,
    check: hmac::Key,
    owner: Option<Owner>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let masters = self.masters();
        let ids: Vec<_> = masters.listed.iter().map(|master| master.id.as_str()).collect();
        formatter.debug_struct("Keys").field("ids", &ids).finish_non_exhaustive()
    }
}

impl Keys {
    /// Takes the master keys, **oldest first**, and the name of the one that seals from now on.
    ///
    /// # Errors
    /// `T301` for a key that is not 32 bytes, `T302` when `current` is not among them, `T306` for
    /// a bad or repeated name.
    pub fn from_masters(
        current: &str,
        masters: Vec<(String, Secret<Vec<u8>>)>,
    ) -> Result<Keys, StoreError> {
        let missing = || {
            let known: Vec<_> = masters.iter().map(|(id, _)| id.as_str()).collect();
            let detail = format!("current = {current:?}, listed: {}", known.join(", "));
            StoreError::new(&codes::KEY_CURRENT_MISSING, detail)
        };
        let position = masters.iter().position(|(id, _)| id == current).ok_or_else(missing)?;
        let (_, oldest) = masters.first().ok_or_else(missing)?;
        let derive = |purpose| expand(oldest.expose(), purpose);
        let (lane, subject) = (derive("lane")?, derive("subject")?);
        let (idempotency, fingerprint) = (derive("idempotency-key")?, derive("fingerprint")?);
        let check = derive("check")?;
        let mut listed: Vec<Master> = Vec::with_capacity(masters.len());
        for (id, secret) in &masters {
            check_name(id, &listed)?;
            let bytes = secret.expose();
            if bytes.len() != KEY {
                let detail = format!("key {id:?} has {} bytes", bytes.len());
                return Err(StoreError::new(&codes::KEY_LENGTH, detail));
            }
            listed.push(Master { id: id.clone(), wrapping: expand(bytes, "wrap")? });
        }
        let hashing = |key: Zeroizing<[u8; KEY]>| hmac::Key::new(hmac::HMAC_SHA256, &*key);
        Ok(Keys {
            masters: RwLock::new(Arc::new(Masters { listed, current: position })),
            lane: hashing(lane),
            subject: hashing(subject),
            idempotency: hashing(idempotency),
            fingerprint: hashing(fingerprint),
            check: hashing(check),
            owner: None,
        })
    }

    /// The same, as the keys of these municipalities: a store opened with them is theirs.
    #[must_use]
    pub fn of(self, owner: Owner) -> Keys {
        Keys { owner: Some(owner), ..self }
    }

    /// Whose they are; `None` where nobody said, as in a trial run.
    pub fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    fn masters(&self) -> Arc<Masters> {
        Arc::clone(&self.masters.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over the masters of another set: from now on its current one seals.
    ///
    /// # Errors
    /// `T107` when its oldest master is another one: lanes and idempotency keys would change.
    pub fn renew(&self, other: &Keys) -> Result<(), StoreError> {
        if self.check() != other.check() {
            return Err(StoreError::new(&codes::KEYS_DO_NOT_FIT, "the oldest key changed"));
        }
        *self.masters.write().unwrap_or_else(PoisonError::into_inner) = other.masters();
        Ok(())
    }

    /// Name of the master that seals.
    pub fn current(&self) -> String {
        self.masters().current().map(|master| master.id.clone()).unwrap_or_default()
    }

    /// Names of all that are listed, the oldest first.
    pub fn listed(&self) -> Vec<String> {
        self.masters().listed.iter().map(|master| master.id.clone()).collect()
    }

    /// Seals bytes under a fresh key. `label` says what they are and where they belong; the same
    /// label opens them again.
    ///
    /// # Errors
    /// `T305` when the library or its random source fails.
    pub fn seal(&self, label: &str, plain: &[u8]) -> Result<Sealed, StoreError> {
        let fresh = random::<{ KEY + NONCE }>()?;
        self.seal_with(fresh.as_slice(), label, &[plain])
    }

    /// Seals a body together with the fresh salt of a commitment to it, and gives both. The
    /// commitment is HMAC-SHA-256(salt, body) in hex: once the body is erased, so is the salt.
    ///
    /// # Errors
    /// As `seal`.
    pub fn seal_committed(&self, label: &str, body: &[u8]) -> Result<(Sealed, String), StoreError> {
        // The random source is asked once for all.
        let fresh = random::<{ SALT + KEY + NONCE }>()?;
        let (salt, fresh) = fresh.split_at(SALT);
        Ok((self.seal_with(fresh, label, &[body, salt])?, commit(salt, body)))
    }

    /// Seals several pieces as one, without joining them first in memory that is not wiped. `fresh`
    /// is a key and a nonce that nothing else is sealed with.
    fn seal_with(&self, fresh: &[u8], label: &str, parts: &[&[u8]]) -> Result<Sealed, StoreError> {
        let failed = || StoreError::new(&codes::SEALING_FAILED, "");
        let masters = self.masters();
        let master = masters.current().ok_or_else(failed)?;
        let (from_key, from_nonce) = fresh.split_first_chunk::<KEY>().ok_or_else(failed)?;
        let key = Zeroizing::new(*from_key);
        let nonce = <[u8; NONCE]>::try_from(from_nonce).map_err(|_| failed())?;
        let head = 2 + master.id.len() + WRAPPED + NONCE;
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut blob = Vec::with_capacity(head + length + TAG);
        blob.push(VERSION);
        blob.push(u8::try_from(master.id.len()).map_err(|_| failed())?);
        blob.extend_from_slice(master.id.as_bytes());
        blob.extend_from_slice(&wrap(master, &key)?);
        blob.extend_from_slice(&nonce);
        // The capacity is reserved: the plain bytes are written once and encrypted in place.
        for part in parts {
            blob.extend_from_slice(part);
        }
        let plain = blob.get_mut(head..).ok_or_else(failed)?;
        let tag = body_key(&key)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                associated(label),
                plain,
            )
            .map_err(|_| failed())?;
        blob.extend_from_slice(tag.as_ref());
        Ok(Sealed(blob))
    }

    /// Opens what `seal` made.
    ///
    /// # Errors
    /// `T303` when its master key is not listed, `T304` when bytes or label are not those sealed.
    pub fn open(&self, label: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, StoreError> {
        self.open_without_tail(label, sealed, 0)
    }

    /// Opens and drops the last `tail` bytes, which were sealed as another part.
    pub(super) fn open_without_tail(
        &self,
        label: &str,
        sealed: &[u8],
        tail: usize,
    ) -> Result<Secret<Vec<u8>>, StoreError> {
        let damaged = || StoreError::new(&codes::SEALED_DAMAGED, "");
        let parts = Parts::read(sealed).ok_or_else(damaged)?;
        let key = self.unwrap(&parts)?;
        let mut bytes = Zeroizing::new(parts.ciphertext.to_vec());
        let length = body_key(&key)?
            .open_in_place(
                Nonce::assume_unique_for_key(parts.nonce),
                associated(label),
                bytes.as_mut_slice(),
            )
            .map_err(|_| damaged())?
            .len();
        let kept = length.checked_sub(tail).ok_or_else(damaged)?;
        bytes.truncate(kept);
        Ok(Secret::new(std::mem::take(&mut *bytes)))
    }

    /// The same body with its key wrapped under the current master; `None` when it already is.
    ///
    /// # Errors
    /// As `open`.
    pub fn rewrap(&self, sealed: &[u8]) -> Result<Option<Sealed>, StoreError> {
        let damaged = || StoreError::new(&codes::SEALED_DAMAGED, "");
        let parts = Parts::read(sealed).ok_or_else(damaged)?;
        let masters = self.masters();
        let master = masters.current().ok_or_else(damaged)?;
        if parts.id == master.id {
            return Ok(None);
        }
        let key = self.unwrap(&parts)?;
        let mut blob = vec![VERSION, u8::try_from(master.id.len()).map_err(|_| damaged())?];
        blob.extend_from_slice(master.id.as_bytes());
        blob.extend_from_slice(&wrap(master, &key)?);
        blob.extend_from_slice(&parts.nonce);
        blob.extend_from_slice(parts.ciphertext);
        Ok(Some(Sealed(blob)))
    }

    /// Name of the key that something is wrapped under; `None` when it is not sealed.
    pub fn key_of(sealed: &[u8]) -> Option<&str> {
        Parts::read(sealed).map(|parts| parts.id)
    }

    fn unwrap(&self, parts: &Parts<'_>) -> Result<Zeroizing<[u8; KEY]>, StoreError> {
        let masters = self.masters();
        let Some(master) = masters.listed.iter().find(|master| master.id == parts.id) else {
            let detail = format!("key {:?}", parts.id);
            return Err(StoreError::new(&codes::KEY_MISSING, detail));
        };
        let damaged = |_| StoreError::new(&codes::SEALED_DAMAGED, "");
        let mut key = Zeroizing::new([0u8; KEY]);
        let kek = AesKek::new(&AES_256, &*master.wrapping).map_err(damaged)?;
        kek.unwrap(parts.wrapped, &mut *key).map_err(damaged)?;
        Ok(key)
    }

    /// The lane of an ordering key at a counterpart.
    pub fn lane(&self, counterpart: &str, ordering_key: &str) -> i64 {
        let tag = keyed(&self.lane, &[counterpart.as_bytes(), ordering_key.as_bytes()]);
        let mut bytes = [0u8; 8];
        bytes.iter_mut().zip(tag).for_each(|(to, from)| *to = from);
        i64::from_be_bytes(bytes)
    }

    /// The pseudonym of a person, 32 hexadecimal digits.
    pub fn subject(&self, person: &str) -> String {
        let tag = keyed(&self.subject, &[person.as_bytes()]);
        hex(tag.first_chunk::<16>().map_or(&tag[..], |half| half))
    }

    /// The key every attempt of one exchange carries: 32 characters of `a-z2-7`, the same over
    /// restarts, instances and replays, without personal data.
    pub fn idempotency_key(
        &self,
        counterpart: &str,
        source: &str,
        message_id: &str,
        purpose: &str,
    ) -> String {
        let parts = [counterpart, source, message_id, purpose].map(str::as_bytes);
        let tag = keyed(&self.idempotency, &parts);
        base32(tag.first_chunk::<20>().map_or(&tag[..], |head| head))
    }

    /// Tells a repetition of a message from a reuse of its id.
    pub fn fingerprint(&self, message_type: &str, body: &[u8]) -> [u8; 32] {
        keyed(&self.fingerprint, &[message_type.as_bytes(), body])
    }

    /// A value that tells whether two sets of keys derive the same hashes; reveals none of them.
    pub fn check(&self) -> String {
        hex(&keyed(&self.check, &[]))
    }
}

/// Fresh random bytes, wiped when they are dropped.
fn random<const LENGTH: usize>() -> Result<Zeroizing<[u8; LENGTH]>, StoreError> {
    let mut fresh = Zeroizing::new([0u8; LENGTH]);
    rand::fill(&mut *fresh).map_err(|_| StoreError::new(&codes::SEALING_FAILED, ""))?;
    Ok(fresh)
}

/// The commitment of a body under a known salt: how an auditor who was shown a body checks it.
pub fn commit(salt: &[u8], body: &[u8]) -> String {
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), body).as_ref())
}

fn check_name(id: &str, listed: &[Master]) -> Result<(), StoreError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let good = (1..=32).contains(&id.len()) && id.chars().all(allowed);
    if good && listed.iter().all(|master| master.id != id) {
        return Ok(());
    }
    Err(StoreError::new(&codes::KEY_NAME, format!("key number {}", listed.len() + 1)))
}

/// HKDF-SHA-256 (RFC 5869): one key per purpose, so that none serves two.
fn expand(master: &[u8], purpose: &str) -> Result<Zeroizing<[u8; KEY]>, StoreError> {
    let mut key = Zeroizing::new([0u8; KEY]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"watashi keys 1")
        .extract(master)
        .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|okm| okm.fill(&mut *key))
        .map_err(|_| StoreError::new(&codes::SEALING_FAILED, ""))?;
    Ok(key)
}

fn wrap(master: &Master, key: &[u8; KEY]) -> Result<[u8; WRAPPED], StoreError> {
    let failed = |_| StoreError::new(&codes::SEALING_FAILED, "");
    let mut wrapped = [0u8; WRAPPED];
    let kek = AesKek::new(&AES_256, &*master.wrapping).map_err(failed)?;
    kek.wrap(key, &mut wrapped).map_err(failed)?;
    Ok(wrapped)
}

fn body_key(key: &[u8; KEY]) -> Result<LessSafeKey, StoreError> {
    UnboundKey::new(&AES_256_GCM, key)
        .map(LessSafeKey::new)
        .map_err(|_| StoreError::new(&codes::SEALING_FAILED, ""))
}

fn associated(label: &str) -> Aad<Vec<u8>> {
    let mut aad = vec![VERSION];
    aad.extend_from_slice(label.as_bytes());
    Aad::from(aad)
}

/// HMAC over parts, each after its length, so that no two lists of parts look the same.
fn keyed(key: &hmac::Key, parts: &[&[u8]]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut tag = [0u8; 32];
    tag.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
    tag
}

/// RFC 4648 base32 in lower case without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let mut held = 0u32;
    let mut bits = 0;
    let mut emit = |five: u32| {
        text.push(ALPHABET.get(five as usize & 31).copied().map_or('a', char::from));
    };
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            emit(held >> bits);
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        emit(held << (5 - bits));
    }
    text
}

struct Parts<'a> {
    id: &'a str,
    wrapped: &'a [u8],
    nonce: [u8; NONCE],
    ciphertext: &'a [u8],
}

impl<'a> Parts<'a> {
    fn read(sealed: &'a [u8]) -> Option<Parts<'a>> {
        let (&[version, length], rest) = sealed.split_first_chunk::<2>()?;
        let (id, rest) = rest.split_at_checked(usize::from(length))?;
        let (wrapped, rest) = rest.split_at_checked(WRAPPED)?;
        let (&nonce, ciphertext) = rest.split_first_chunk::<NONCE>()?;
        let id = std::str::from_utf8(id).ok()?;
        (version == VERSION).then_some(Parts { id, wrapped, nonce, ciphertext })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(fill: u8) -> Secret<Vec<u8>> {
        Secret::new(vec![fill; 32])
    }

    fn keys(current: &str, ids: &[(&str, u8)]) -> Keys {
        let masters = ids.iter().map(|(id, fill)| ((*id).to_owned(), master(*fill))).collect();
        Keys::from_masters(current, masters).unwrap()
    }

    #[test]
    fn seals_and_opens_under_the_same_label_only() {
        let keys = keys("k1", &[("k1", 1)]);
        let sealed = keys.seal("a", b"body").unwrap();
        assert_eq!(keys.open("a", &sealed.0).unwrap().expose(), b"body");
        assert_eq!(keys.open("b", &sealed.0).unwrap_err().code.code, "T304");
        assert_ne!(sealed, keys.seal("a", b"body").unwrap(), "a fresh key each time");
        assert_eq!(keys.open("a", &keys.seal("a", b"").unwrap().0).unwrap().expose(), b"");
    }

    #[test]
    fn every_changed_byte_is_found() {
        let keys = keys("k1", &[("k1", 1)]);
        let sealed = keys.seal("a", b"some body").unwrap().0;
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(keys.open("a", &changed).is_err(), "byte {index}");
            assert!(keys.open("a", &sealed[..index]).is_err(), "cut at {index}");
        }
    }

    #[test]
    fn rotation_keeps_hashes_and_old_bodies() {
        let old = keys("k1", &[("k1", 1)]);
        let both = keys("k2", &[("k1", 1), ("k2", 2)]);
        let sealed = old.seal("a", b"body").unwrap().0;
        assert_eq!(both.open("a", &sealed).unwrap().expose(), b"body");
        assert_eq!(old.lane("pmh", "1"), both.lane("pmh", "1"));
        assert_eq!(old.subject("1"), both.subject("1"));
        assert_eq!(old.fingerprint("t", b"b"), both.fingerprint("t", b"b"));
        assert_eq!(old.check(), both.check());
        let rewrapped = both.rewrap(&sealed).unwrap().unwrap();
        assert_eq!(old.open("a", &rewrapped.0).unwrap_err().code.code, "T303");
        assert_eq!(both.open("a", &rewrapped.0).unwrap().expose(), b"body");
        assert!(both.rewrap(&rewrapped.0).unwrap().is_none());
        assert_ne!(old.check(), keys("k2", &[("k2", 2), ("k1", 1)]).check());
    }

    #[test]
    fn wrong_masters_are_refused() {
        let refused = |current: &str, masters: Vec<(String, Secret<Vec<u8>>)>| {
            Keys::from_masters(current, masters).unwrap_err().code.code
        };
        assert_eq!(refused("k1", vec![]), "T302");
        assert_eq!(refused("k2", vec![("k1".into(), master(1))]), "T302");
        assert_eq!(refused("k1", vec![("k1".into(), Secret::new(vec![1; 16]))]), "T301");
        assert_eq!(refused("k", vec![("k".into(), master(1)), ("k".into(), master(2))]), "T306");
    }

    #[test]
    fn keyed_hashes_have_their_form_and_do_not_run_together() {
        let keys = keys("k1", &[("k1", 1)]);
        let key = keys.idempotency_key("pmh", "health", "1", "subject");
        assert_eq!(key.len(), 32);
        assert!(key.bytes().all(|b| matches!(b, b'a'..=b'z' | b'2'..=b'7')));
        assert_ne!(key, keys.idempotency_key("pm", "hhealth", "1", "subject"));
        assert_ne!(keys.lane("pmh", "1"), keys.lane("pm", "h1"));
        assert_eq!(keys.subject("1").len(), 32);
    }

    #[test]
    fn the_salt_of_a_commitment_is_sealed_behind_the_body() {
        let keys = keys("k1", &[("k1", 1)]);
        let (sealed, commitment) = keys.seal_committed("a", b"body").unwrap();
        let opened = keys.open("a", &sealed.0).unwrap();
        let (body, salt) = opened.expose().split_at(4);
        assert_eq!((body, salt.len()), (b"body".as_slice(), SALT));
        assert_eq!(commit(salt, b"body"), commitment);
        assert_ne!(keys.seal_committed("a", b"body").unwrap().1, commitment, "a fresh salt");
    }

    #[test]
    fn base32_is_rfc_4648() {
        for (plain, text) in [("", ""), ("f", "my"), ("fo", "mzxq"), ("foobar", "mzxw6ytboi")] {
            assert_eq!(base32(plain.as_bytes()), text);
        }
    }
}
