//! From `[record]` to what signs the record: keys by reference, or one of our own making.

use super::connect::StartProblem;
use super::{Config, Reference};
use crate::archive::seed;
use crate::model::codes::config as codes;
use crate::record::checkpoint::Signer;
use crate::record::note::{SigningKey, VerifyingKey};
use jiff::Timestamp;
use std::path::PathBuf;

/// A day in Japan, or an instant with its offset.
pub fn instant(text: &str) -> Option<Timestamp> {
    if text.len() == 10 { format!("{text}T00:00:00+09:00").parse() } else { text.parse() }.ok()
}

/// Where a key of our own making is: beside the store.
pub fn generated(config: &Config) -> PathBuf {
    let mut path = config.store.path.clone().into_os_string();
    path.push(".record-key");
    path.into()
}

/// The keys that sign the record. Without `signing-key` one is made at the first start.
///
/// # Errors
/// `C201`, `C202` for references, `C210`, `C211` for the key.
pub fn signer(config: &Config) -> Result<Signer, StartProblem> {
    let current = match &config.record.signing_key {
        Some(reference) => key(reference)?,
        None => {
            let path = generated(config);
            if !path.exists() {
                seed::write(&path, &seed::new(&origin(config))?)?;
            }
            key(&Reference::File(path))?
        }
    };
    let next = match &config.record.next {
        Some((reference, from)) => Some((key(reference)?, *from)),
        None => None,
    };
    Signer::new(current, next).ok_or_else(|| {
        StartProblem::new(&codes::BAD_SIGNING_KEY, "the next signing key has another name")
    })
}

/// The public keys that the configuration knows of; none before the first start.
///
/// # Errors
/// As `signer`.
pub fn public(config: &Config) -> Result<Vec<VerifyingKey>, StartProblem> {
    if config.record.signing_key.is_none() && !generated(config).exists() {
        return Ok(Vec::new());
    }
    Ok(signer(config)?.public())
}

/// The origin of a key of our own making: the gateway's name, as far as it can be one, and the 団体コード,
/// so that the records of two municipalities are told apart by what signs them.
fn origin(config: &Config) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
    let name: String = config.name.chars().map(plain).collect();
    format!("watashi/{name}/{}", config.municipalities.join("-"))
}

fn key(reference: &Reference) -> Result<SigningKey, StartProblem> {
    SigningKey::parse(&reference.secret()?)
        .map_err(|_| StartProblem::new(&codes::BAD_SIGNING_KEY, reference.shown()))
}
