//! What may be renewed while the gateway runs: credentials and settings of connections. Each has
//! a fingerprint of all it is made of, so that a change is seen without reading it twice.

use super::{Config, Reference, trust};
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::BTreeMap;

/// A fingerprint; never shown.
pub type Fingerprint = Vec<u8>;

/// Prefix of the name of a counterpart's section.
pub const COUNTERPART: &str = "counterpart.";

/// The parts that may be renewed, by the name of their section, each with the fingerprint of its
/// settings and of what its references hold now. What cannot be read has one of its own: the
/// change is seen, and found to be unusable.
pub fn fingerprints(config: &Config) -> BTreeMap<String, Fingerprint> {
    let mut found = BTreeMap::new();
    for (name, part) in &config.counterparts {
        let secrets = [&part.client_certificate, &part.client_key, &part.client_secret];
        let places = part.places.values().flat_map(|place| place.references());
        let references = part.ca.iter().chain(secrets.into_iter().flatten()).chain(places);
        let authorities = part.trust.values().map(|trust| &trust.authorities);
        let lists: Vec<String> = part.trust.values().map(trust::lists_digest).collect();
        let settings = format!("{part:?}{lists:?}");
        found.insert(format!("{COUNTERPART}{name}"), of(&settings, references.chain(authorities)));
    }
    if let Some(part) = &config.amqp {
        let more = [&part.ca, &part.client_certificate, &part.client_key];
        let references = std::iter::once(&part.url).chain(more.into_iter().flatten());
        found.insert("amqp".to_owned(), of(&format!("{part:?}"), references));
    }
    if let Some(part) = &config.ingest {
        let references = [&part.certificate, &part.key].into_iter().chain(&part.client_ca);
        let tokens = part.tokens.iter().map(|(_, reference)| reference);
        found.insert("ingest".to_owned(), of(&format!("{part:?}"), references.chain(tokens)));
    }
    if let Some(part) = &config.callbacks {
        let callers = config.counterparts.values().filter_map(|one| one.caller.as_ref());
        let settings: Vec<_> = callers.clone().collect();
        let references = [&part.certificate, &part.key].into_iter();
        let references = references.chain(callers.flat_map(|caller| caller.references()));
        let settings = format!("{part:?} {settings:?}");
        found.insert("callbacks".to_owned(), of(&settings, references));
    }
    let masters = config.keys.masters.iter().map(|(_, reference)| reference);
    found.insert("keys".to_owned(), of(&format!("{:?}", config.keys), masters));
    found.insert("ops".to_owned(), of(&format!("{:?}", config.ops), config.ops.token.iter()));
    found
}

fn of<'r>(settings: &str, references: impl Iterator<Item = &'r Reference>) -> Fingerprint {
    let mut context = Context::new(&SHA256);
    let mut part = |text: &str| {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    };
    part(settings);
    for reference in references {
        match reference.text() {
            Ok(text) => part(&text),
            Err(error) => part(&error.to_string()),
        }
    }
    context.finish().as_ref().to_vec()
}
