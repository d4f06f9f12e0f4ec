//! `Config`: `watashi.toml`, checked. The only module that reads files and the environment.

use crate::adapter::Overrides;
use crate::adapter::bundle::Enabled;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::pipeline::purge::Retention;
use crate::transport::https::Network;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

pub mod agree;
pub mod apart;
pub mod callbacks;
pub mod connect;
pub mod definitions;
pub mod keys;
pub mod place;
mod read;
pub mod record;
pub mod reference;
pub mod renewal;
pub mod scanner;
mod tree;
pub mod trial;
pub mod trust;

pub use reference::Reference;

/// Everything that differs per environment.
#[derive(Debug)]
pub struct Config {
    /// The file it came from.
    pub file: Arc<SourceFile>,
    /// Folder of that file; relative paths start here.
    pub folder: PathBuf,
    /// Name of this gateway, for logs.
    pub name: String,
    /// 団体コード served.
    pub municipalities: Vec<String>,
    /// 団体コード the store belonged to before.
    pub formerly: Vec<String>,
    /// Largest body accepted, in bytes.
    pub max_body: usize,
    /// How long a stop waits for requests under way.
    pub drain: Duration,
    /// Log level.
    pub log: String,
    /// Folder that holds adapters/, schemas/, mappings/.
    pub definitions: PathBuf,
    /// Routes that are on.
    pub enabled: Enabled,
    /// The store.
    pub store: StoreConfig,
    /// How long what is kept.
    pub retention: Retention,
    /// Signing and exporting the record.
    pub record: RecordConfig,
    /// Sealing keys.
    pub keys: KeysConfig,
    /// The broker, when there is one.
    pub amqp: Option<AmqpConfig>,
    /// HTTPS ingest, when it is on.
    pub ingest: Option<IngestConfig>,
    /// Where counterparts call us, when that is on.
    pub callbacks: Option<callbacks::CallbacksConfig>,
    /// What looks for malware in what comes, where there is one.
    pub scanner: Option<crate::transport::clamd::Settings>,
    /// The ops listener.
    pub ops: OpsConfig,
    /// Counterparts by adapter name.
    pub counterparts: BTreeMap<String, CounterpartConfig>,
}

/// `[store]`
#[derive(Debug)]
pub struct StoreConfig {
    /// Database file; not used where `postgres` is set.
    pub path: PathBuf,
    /// Largest size of the database file in bytes.
    pub max_bytes: Option<u64>,
    /// The database server, when several instances share the store.
    pub postgres: Option<PostgresConfig>,
    /// Exchanges not yet ended per counterpart, beyond which nothing new is taken.
    pub max_backlog: u64,
}

/// `[store]` with `url`
#[derive(Debug)]
pub struct PostgresConfig {
    /// Database URL, with credentials: a secret.
    pub url: Reference,
    /// Private CA of the server; without it only this machine is spoken to.
    pub ca: Option<Reference>,
    /// Client certificate, PEM.
    pub client_certificate: Option<Reference>,
    /// Its key, PEM.
    pub client_key: Option<Reference>,
    /// Connections that read.
    pub connections: usize,
    /// How long what an instance has under way stays its own without a word from it.
    pub lease: Duration,
}

/// `[record]`
#[derive(Debug)]
pub struct RecordConfig {
    /// The key that signs checkpoints.
    pub signing_key: Option<Reference>,
    /// The key that takes its place, and when.
    pub next: Option<(Reference, Timestamp)>,
    /// Folder for checkpoints and segments.
    pub export: Option<PathBuf>,
    /// How long entries may be unsealed before sending stops.
    pub grace: Duration,
    /// Years, from April, that must be kept.
    pub retention_years: u16,
}

/// `[keys]`
#[derive(Debug)]
pub struct KeysConfig {
    /// Id of the key new bodies are sealed with.
    pub current: String,
    /// All keys by id, in the order of the file; the first also derives the keyed hashes.
    pub masters: Vec<(String, Reference)>,
}

/// `[amqp]`
#[derive(Debug)]
pub struct AmqpConfig {
    /// Broker URL, with credentials: a secret.
    pub url: Reference,
    /// Private CA of the broker.
    pub ca: Option<Reference>,
    /// Our certificate, for a broker that asks for one.
    pub client_certificate: Option<Reference>,
    /// Its key.
    pub client_key: Option<Reference>,
    /// Deliveries taken ahead.
    pub prefetch: u16,
}

/// `[ingest]`
#[derive(Debug)]
pub struct IngestConfig {
    /// Listening address.
    pub listen: SocketAddr,
    /// Server certificate, PEM.
    pub certificate: Reference,
    /// Its key, PEM.
    pub key: Reference,
    /// CA of the clients' certificates.
    pub client_ca: Option<Reference>,
    /// Bearer tokens, each `NAME` = reference.
    pub tokens: Vec<(String, Reference)>,
}

/// `[ops]`
#[derive(Debug)]
pub struct OpsConfig {
    /// Listening address; loopback unless a token is set.
    pub listen: SocketAddr,
    /// Token for acts over HTTP.
    pub token: Option<Reference>,
}

/// `[counterpart.NAME]`
#[derive(Debug)]
pub struct CounterpartConfig {
    /// Where it is; `None` where only files lead there.
    pub base_url: Option<Url>,
    /// Its CA, PEM.
    pub ca: Option<Reference>,
    /// Client certificate, PEM.
    pub client_certificate: Option<Reference>,
    /// Its key, PEM.
    pub client_key: Option<Reference>,
    /// Client or login id.
    pub client_id: Option<String>,
    /// Client secret or password.
    pub client_secret: Option<Reference>,
    /// Addresses the host may resolve to.
    pub addresses: Vec<Network>,
    /// Overrides of what the adapter says.
    pub overrides: Overrides,
    /// Where its files are kept, by the names its adapter uses.
    pub places: BTreeMap<String, place::PlaceConfig>,
    /// Who may have signed what comes from it, by the names its adapter uses.
    pub trust: BTreeMap<String, trust::TrustConfig>,
    /// Who it is when it calls us.
    pub caller: Option<callbacks::CallerConfig>,
}

/// Reads and checks a configuration file. Every problem is reported; `None` when there is an
/// error among them.
pub fn load(path: &Path) -> (Option<Config>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let config = read::read(path, &mut diagnostics);
    let failed =
        diagnostics.iter().any(|problem| problem.severity == crate::diagnostic::Severity::Error);
    (config.filter(|_| !failed), diagnostics)
}

impl Config {
    /// Overrides by adapter name.
    pub fn overrides(&self) -> BTreeMap<String, Overrides> {
        let of = |(name, counterpart): (&String, &CounterpartConfig)| {
            (name.clone(), counterpart.overrides.clone())
        };
        self.counterparts.iter().map(of).collect()
    }
}
