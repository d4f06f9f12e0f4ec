//! From a configuration to what its municipality must have for itself, each with its place.

use super::holding::{Digest, Holding, What};
use super::{not_compared, whole};
use crate::config::connect::{self, StartProblem};
use crate::config::place::PlaceConfig;
use crate::config::{Config, CounterpartConfig, Reference, record, tree};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::yaml::{Kind, Node};
use crate::model::Secret;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::ops::Range;
use std::path::{Path, PathBuf};
use url::Url;

/// All of a configuration. What cannot be looked at is a problem: whether it is shared is not known.
pub(super) fn holdings(config: &Config, problems: &mut Vec<Diagnostic>) -> Vec<Holding> {
    let root = tree::parse(&config.file, &mut Vec::new());
    let root = root.unwrap_or(Node { value: Kind::Map(Vec::new()), span: 0..0 });
    let mut all = Collecting { config, root, found: Vec::new(), problems };
    all.gateway();
    all.store();
    all.record();
    for (id, reference) in &config.keys.masters {
        all.sealing_key(id, reference);
    }
    all.broker();
    all.listeners();
    for (name, counterpart) in &config.counterparts {
        all.counterpart(name, counterpart);
    }
    all.found
}

struct Collecting<'c> {
    config: &'c Config,
    root: Node,
    found: Vec<Holding>,
    problems: &'c mut Vec<Diagnostic>,
}

impl Collecting<'_> {
    /// The place of a key; where it is not written, that of its section.
    fn span(&self, path: &[&str]) -> Range<usize> {
        let mut node = &self.root;
        let mut span = 0..0;
        for key in path {
            let Some(entry) = node.entry(key) else { break };
            span = match &entry.node.value {
                Kind::Map(_) => entry.key_span.clone(),
                _ => entry.node.span.clone(),
            };
            node = &entry.node;
        }
        span
    }

    fn add(&mut self, path: &[&str], shown: impl Into<String>, what: What) {
        let span = self.span(path);
        self.found.push(Holding { what, shown: shown.into(), span });
    }

    fn unknown(&mut self, path: &[&str], problem: &StartProblem) {
        let why = format!("{}: {problem}", path.join("."));
        self.problems.push(not_compared(self.config, &self.span(path), why));
    }

    fn folder(&mut self, path: &[&str], folder: &Path) {
        let shown = format!("the folder `{}`", folder.display());
        self.add(path, shown, What::Folder(whole(folder)));
    }

    /// A secret by what it holds.
    fn secret(&mut self, path: &[&str], reference: &Reference) {
        if let Reference::Env(name) = reference {
            let why = format!("`env:{name}` is known to the gateway's own process only");
            let warning = not_compared(self.config, &self.span(path), why).warning();
            self.problems.push(warning);
            return;
        }
        match reference.secret() {
            Ok(held) => self.held(path, held.expose().as_bytes()),
            Err(problem) => self.unknown(path, &problem.into()),
        }
    }

    fn held(&mut self, path: &[&str], bytes: &[u8]) {
        let shown = format!("what `{}` holds", path.join("."));
        self.add(path, shown, What::Secret(fingerprint(bytes)));
    }

    fn gateway(&mut self) {
        let config = self.config;
        let list = self.root.get("gateway").and_then(|node| node.get("municipalities"));
        let nodes = list.and_then(Node::as_seq).unwrap_or_default();
        let spans: Vec<Range<usize>> = nodes.iter().map(|node| node.span.clone()).collect();
        for (code, span) in config.municipalities.iter().zip(spans) {
            let (what, shown) =
                (What::Municipality(code.clone()), format!("the 団体コード {code}"));
            self.found.push(Holding { what, shown, span });
        }
        let shown = format!("the name `{}`", config.name);
        self.add(&["gateway", "name"], shown, What::Name(format!("gateway {}", config.name)));
    }

    fn store(&mut self) {
        let store = &self.config.store;
        let Some(postgres) = &store.postgres else {
            let folder = store.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            self.folder(&["store", "path"], folder.unwrap_or(Path::new(".")));
            return;
        };
        let path = ["store", "url"];
        match connect::postgres(postgres) {
            Ok(address) => {
                for server in address.addresses() {
                    let (database, role) = (address.database(), address.role());
                    let shown = format!("the database `{database}` at {server}");
                    self.add(&path, shown, What::Database(format!("{server}/{database}")));
                    let shown = format!("the role `{role}` at {server}");
                    self.add(&path, shown, What::Login(format!("postgresql {server} {role}")));
                }
            }
            Err(problem) => self.unknown(&path, &problem),
        }
        self.password(&path, &postgres.url);
        if let Some(key) = &postgres.client_key {
            self.secret(&["store", "client-key"], key);
        }
    }

    /// The password in a URL.
    fn password(&mut self, path: &[&str], reference: &Reference) {
        // What cannot be read has been told of.
        let Ok(url) = reference.secret() else { return };
        let after_login =
            url.expose().split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'));
        let login = after_login.map(|(login, _)| login).and_then(|login| login.split_once(':'));
        if let Some((_, password)) = login {
            let held = Secret::new(password.to_owned());
            self.held(path, held.expose().as_bytes());
        }
    }

    fn record(&mut self) {
        let settings = &self.config.record;
        if let Some(key) = &settings.signing_key {
            self.signing_key(&["record", "signing-key"], key);
        } else {
            let made = record::generated(self.config);
            if made.exists() {
                self.signing_key(&["store", "path"], &Reference::File(made));
            }
        }
        if let Some((key, _)) = &settings.next {
            self.signing_key(&["record", "next-signing-key"], key);
        }
        match record::public(self.config) {
            Ok(keys) => {
                if let Some(key) = keys.first() {
                    let shown = format!("the log `{}`", key.name());
                    let what = What::Name(format!("log {}", key.name()));
                    self.add(&["record", "signing-key"], shown, what);
                }
            }
            // What cannot be read has been told of.
            Err(problem) if settings.signing_key.is_none() => {
                self.unknown(&["store", "path"], &problem);
            }
            Err(_) => {}
        }
        if let Some(folder) = &settings.export {
            self.folder(&["record", "export"], folder);
        }
    }

    /// By what it signs with: under another name it is the same key.
    fn signing_key(&mut self, path: &[&str], reference: &Reference) {
        let held = reference.secret().ok().filter(|_| !matches!(reference, Reference::Env(_)));
        let seed = held.as_ref().and_then(|text| text.expose().rsplit_once('+'));
        match seed {
            Some((_, seed)) => self.held(path, seed.as_bytes()),
            None => self.secret(path, reference),
        }
    }

    /// By its bytes, however its text is written.
    fn sealing_key(&mut self, id: &str, reference: &Reference) {
        let path = ["keys", id];
        let bytes = reference
            .secret()
            .ok()
            .and_then(|text| STANDARD.decode(text.expose().trim()).ok().map(Secret::new));
        match (reference, bytes) {
            (Reference::Env(_), _) | (_, None) => self.secret(&path, reference),
            (_, Some(bytes)) => {
                let encoded = Secret::new(STANDARD.encode(bytes.expose()));
                self.held(&path, encoded.expose().as_bytes());
            }
        }
    }

    fn broker(&mut self) {
        let Some(amqp) = &self.config.amqp else { return };
        let path = ["amqp", "url"];
        let location = connect::broker(amqp, false)
            .and_then(|settings| settings.location().map_err(StartProblem::from));
        match location {
            Ok((server, host, user)) => {
                let shown = format!("the virtual host `{host}` at {server}");
                self.add(&path, shown, What::VirtualHost(format!("{server} {host}")));
                let shown = format!("the user `{user}` at {server}");
                self.add(&path, shown, What::Login(format!("amqp {server} {user}")));
            }
            Err(problem) => self.unknown(&path, &problem),
        }
        self.password(&path, &amqp.url);
        if let Some(key) = &amqp.client_key {
            self.secret(&["amqp", "client-key"], key);
        }
    }

    fn listeners(&mut self) {
        let ops = &self.config.ops;
        let shown = format!("the address {}", ops.listen);
        self.add(&["ops", "listen"], shown, What::Listener(ops.listen));
        if let Some(token) = &ops.token {
            self.secret(&["ops", "token"], token);
        }
        let Some(ingest) = &self.config.ingest else { return };
        let shown = format!("the address {}", ingest.listen);
        self.add(&["ingest", "listen"], shown, What::Listener(ingest.listen));
        self.secret(&["ingest", "key"], &ingest.key);
        for (name, token) in &ingest.tokens {
            self.secret(&["ingest", "tokens", name], token);
        }
        let path = ["ingest", "client-ca"];
        match ingest.client_ca.as_ref().map(Reference::text) {
            Some(Ok(pem)) => {
                for certificate in certificates(&pem) {
                    self.add(&path, "the authority", What::Clients(certificate));
                }
            }
            Some(Err(problem)) => self.unknown(&path, &problem.into()),
            None => {}
        }
    }

    fn counterpart(&mut self, name: &str, counterpart: &CounterpartConfig) {
        if let (Some(id), Some(url)) = (&counterpart.client_id, &counterpart.base_url) {
            let shown = format!("the client id at {url}");
            let what = What::Login(format!("{url} {id}"));
            self.add(&["counterpart", name, "client-id"], shown, what);
        }
        if let Some(key) = &counterpart.client_key {
            self.secret(&["counterpart", name, "client-key"], key);
        }
        if let Some(secret) = &counterpart.client_secret {
            self.secret(&["counterpart", name, "client-secret"], secret);
        }
        for (place, config) in &counterpart.places {
            self.place(&["counterpart", name, "place", place], config);
        }
    }

    fn place(&mut self, path: &[&str], place: &PlaceConfig) {
        match place {
            PlaceConfig::Folder { path: folder } => {
                self.folder(&[path, &["path"]].concat(), folder)
            }
            PlaceConfig::S3 { endpoint, bucket, prefix, access_key, secret_key, .. } => {
                let at = server(endpoint);
                let shown = format!("`{prefix}` of the bucket `{bucket}` at {at}");
                let what = What::Remote(format!("s3 {at} {bucket}"), PathBuf::from(prefix));
                self.add(&[path, &["prefix"]].concat(), shown, what);
                let (shown, what) =
                    (format!("the access key at {at}"), format!("s3 {at} {access_key}"));
                self.add(&[path, &["access-key"]].concat(), shown, What::Login(what));
                self.secret(&[path, &["secret-key"]].concat(), secret_key);
            }
            PlaceConfig::Sftp { host, port, user, key, path: folder, .. } => {
                let at = format!("{}:{port}", host.to_ascii_lowercase());
                let shown = format!("the user `{user}` at {at}");
                let what = What::Login(format!("sftp {at} {user}"));
                self.add(&[path, &["user"]].concat(), shown, what);
                // What does not begin at the root begins where the login lands.
                let from = if folder.starts_with('/') { String::new() } else { format!(" {user}") };
                let what = What::Remote(format!("sftp {at}{from}"), PathBuf::from(folder));
                self.add(&[path, &["path"]].concat(), format!("`{folder}` at {at}"), what);
                self.secret(&[path, &["key"]].concat(), &Reference::File(key.clone()));
            }
        }
    }
}

fn server(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(443);
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

/// White space does not count: a key is the same with another end of line.
fn fingerprint(bytes: &[u8]) -> Digest {
    let plain: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let plain = Secret::new(plain);
    let mut found = Digest::default();
    found
        .iter_mut()
        .zip(digest(&SHA256, plain.expose()).as_ref())
        .for_each(|(to, from)| *to = *from);
    found
}

/// Each certificate of a file, by what it holds.
fn certificates(pem: &str) -> Vec<Digest> {
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let bodies = blocks.filter_map(|block| block.split("-----END").next());
    bodies.map(|body| fingerprint(body.as_bytes())).collect()
}
