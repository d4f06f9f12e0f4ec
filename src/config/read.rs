//! From the tree of `watashi.toml` to `Config`: every problem at once.

use super::reference::Reference;
use super::{
    AmqpConfig, Config, CounterpartConfig, IngestConfig, KeysConfig, OpsConfig, PostgresConfig,
    RecordConfig, StoreConfig, keys, tree,
};
use crate::adapter::Overrides;
use crate::adapter::bundle::Enabled;
use crate::adapter::load::hours::windows;
use crate::adapter::load::parse_duration;
use crate::diagnostic::yaml::{Kind, Node, Reader};
use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::model::Code;
use crate::model::check_digit;
use crate::model::codes::config as codes;
use crate::pipeline::purge::Retention;
use crate::transport::https::Network;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

pub(super) fn read(path: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<Config> {
    let shown = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let location = Location { file: SourceFile::new(shown, ""), span: 0..0 };
            diagnostics.push(Diagnostic::error(
                &codes::NOT_READABLE,
                location,
                error.kind().to_string(),
            ));
            return None;
        }
    };
    let file = SourceFile::new(shown, text);
    let root = tree::parse(&file, diagnostics)?;
    let folder = path.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
    let mut sections = Sections { reader: Reader::new(&file, diagnostics), folder };
    sections.config(&root, &file)
}

/// Reads the sections of one file.
pub(super) struct Sections<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) folder: PathBuf,
}

impl Sections<'_> {
    fn config(&mut self, root: &Node, file: &Arc<SourceFile>) -> Option<Config> {
        self.reader.keys(root, &keys::CONFIG)?;
        let gateway = self.reader.required(root, "watashi.toml", "gateway")?;
        self.reader.keys(gateway, &keys::GATEWAY);
        let definitions = root.get("definitions").and_then(|node| {
            self.reader.keys(node, &keys::DEFINITIONS)?;
            self.reader.text_at(node, "folder").map(str::to_owned)
        });
        let config = Config {
            name: self.reader.text_at(gateway, "name").unwrap_or("watashi").to_owned(),
            municipalities: self.municipalities(gateway),
            formerly: self.formerly(gateway),
            max_body: self.number(gateway, "max-body", 1_024, 100 << 20, 2 << 20) as usize,
            drain: self.duration(gateway, "drain").unwrap_or(Duration::from_secs(20)),
            log: self.log_level(gateway),
            definitions: self.folder.join(definitions.as_deref().unwrap_or(".")),
            enabled: self.enabled(root.get("routes")),
            store: self.store(root.get("store")),
            retention: self.retention(root.get("retention")),
            record: self.record(root),
            keys: self.keys(root)?,
            amqp: root.get("amqp").and_then(|node| self.amqp(node)),
            ingest: root.get("ingest").and_then(|node| self.ingest(node)),
            callbacks: root.get("callbacks").and_then(|node| self.callbacks(node)),
            scanner: root.get("scanner").and_then(|node| self.scanner(node)),
            ops: self.ops(root.get("ops"))?,
            counterparts: self.counterparts(root.get("counterpart")),
            file: Arc::clone(file),
            folder: self.folder.clone(),
        };
        self.check_callbacks(root, &config);
        Some(config)
    }

    fn municipalities(&mut self, gateway: &Node) -> Vec<String> {
        let Some(list) = self.reader.required(gateway, "[gateway]", "municipalities") else {
            return Vec::new();
        };
        let found = self.codes(list, "`municipalities`");
        if found.is_empty() {
            self.error(&codes::BAD_MUNICIPALITY, list, "at least one 団体コード is needed");
        }
        found
    }

    fn formerly(&mut self, gateway: &Node) -> Vec<String> {
        gateway.get("formerly").map(|list| self.codes(list, "`formerly`")).unwrap_or_default()
    }

    fn codes(&mut self, list: &Node, what: &str) -> Vec<String> {
        let mut found = Vec::new();
        for node in self.reader.list(list, what).unwrap_or_default() {
            let Some(code) = self.reader.text(node, "a 団体コード") else { continue };
            if check_digit::municipality_code(code) {
                found.push(code.to_owned());
            } else {
                self.error(&codes::BAD_MUNICIPALITY, node, "not 6 digits with a valid check digit");
            }
        }
        found
    }

    fn log_level(&mut self, gateway: &Node) -> String {
        let level = self.reader.text_at(gateway, "log").unwrap_or("info");
        if !keys::LOG_LEVELS.contains(&level) {
            let node = gateway.get("log").unwrap_or(gateway);
            let message = format!("allowed: {}", keys::LOG_LEVELS.join(", "));
            self.error(&codes::BAD_VALUE, node, message);
        }
        level.to_owned()
    }

    fn enabled(&mut self, node: Option<&Node>) -> Enabled {
        let Some(node) = node else { return Enabled::These(Vec::new()) };
        self.reader.keys(node, &keys::ROUTES);
        let Some(list) = self.reader.required(node, "[routes]", "enabled") else {
            return Enabled::These(Vec::new());
        };
        let nodes = self.reader.list(list, "`enabled`").unwrap_or_default();
        if nodes.iter().any(|node| node.as_str() == Some("*")) {
            return Enabled::All;
        }
        let file = Arc::clone(self.reader.file);
        let named = nodes.iter().filter_map(|node| {
            let name = self.reader.text(node, "a route name")?;
            Some((name.to_owned(), Some(node.location(&file))))
        });
        Enabled::These(named.collect())
    }

    fn store(&mut self, node: Option<&Node>) -> StoreConfig {
        let folder = self.folder.clone();
        let Some(node) = node else {
            return StoreConfig {
                path: folder.join("watashi.db"),
                max_bytes: None,
                postgres: None,
                max_backlog: 100_000,
            };
        };
        self.reader.keys(node, &keys::STORE);
        let path = self.reader.text_at(node, "path").unwrap_or("watashi.db");
        let max_bytes = self.number(node, "max-bytes", 0, u64::MAX >> 1, 0);
        StoreConfig {
            path: folder.join(path),
            postgres: node.get("url").and_then(|url| self.postgres(node, url)),
            max_bytes: (max_bytes > 0).then_some(max_bytes),
            max_backlog: self.number(node, "max-backlog", 1, 100_000_000, 100_000),
        }
    }

    fn postgres(&mut self, node: &Node, url: &Node) -> Option<PostgresConfig> {
        for key in ["path", "max-bytes"] {
            if let Some(other) = node.get(key) {
                let message = format!("`{key}` is for SQLite, `url` for PostgreSQL: one of them");
                self.error(&codes::BAD_VALUE, other, message);
            }
        }
        let mut optional = |key| node.get(key).and_then(|node| self.reference(node));
        let [ca, client_certificate, client_key] =
            [optional("ca"), optional("client-certificate"), optional("client-key")];
        let lease = self.duration(node, "lease").unwrap_or(Duration::from_secs(60));
        if !(Duration::from_secs(2)..=Duration::from_secs(3_600)).contains(&lease) {
            let at = node.get("lease").unwrap_or(node);
            self.error(&codes::BAD_VALUE, at, "`lease` must be 2s to 1h");
        }
        Some(PostgresConfig {
            url: self.reference(url)?,
            ca,
            client_certificate,
            client_key,
            connections: self.number(node, "connections", 2, 64, 4) as usize,
            lease,
        })
    }

    fn retention(&mut self, node: Option<&Node>) -> Retention {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let Some(node) = node else {
            return Retention { bodies: days(90), answers: days(90), messages: days(2_557) };
        };
        self.reader.keys(node, &keys::RETENTION);
        let mut read = |name: &str, default: u64| days(self.number(node, name, 1, 36_500, default));
        let (bodies, answers) = (read("bodies-days", 90), read("answers-days", 90));
        Retention { bodies, answers, messages: read("messages-days", 2_557) }
    }

    fn record(&mut self, root: &Node) -> RecordConfig {
        let empty = Node { value: Kind::Map(Vec::new()), span: 0..0 };
        let node = root.get("record").unwrap_or(&empty);
        self.reader.keys(node, &keys::RECORD);
        let url = root.get("store").and_then(|store| store.get("url"));
        if let (Some(url), None) = (url, node.get("signing-key")) {
            let message = "instances that share a store sign with one key: `[record]` needs a \
                           `signing-key`, the same for all";
            self.error(&codes::SIGNING_KEY_MISSING, url, message);
        }
        let next = self.next_signing_key(node);
        let retention_years = self.number(node, "retention-years", 1, 100, 7);
        RecordConfig {
            signing_key: node.get("signing-key").and_then(|node| self.reference(node)),
            next,
            export: self.reader.text_at(node, "export").map(|path| self.folder.join(path)),
            grace: self.duration(node, "grace").unwrap_or(Duration::from_secs(4 * 3_600)),
            retention_years: u16::try_from(retention_years).unwrap_or(u16::MAX),
        }
    }

    fn next_signing_key(&mut self, node: &Node) -> Option<(Reference, Timestamp)> {
        let (key, from) = match (node.get("next-signing-key"), node.get("next-from")) {
            (Some(key), Some(from)) => (key, from),
            (None, None) => return None,
            (Some(one), None) | (None, Some(one)) => {
                let message = "`next-signing-key` and `next-from` go together";
                self.error(&codes::BAD_VALUE, one, message);
                return None;
            }
        };
        let instant = from.as_str().and_then(super::record::instant);
        if instant.is_none() {
            let message = "`next-from` is a day such as 2027-04-01, or an instant with its offset";
            self.error(&codes::BAD_VALUE, from, message);
        }
        Some((self.reference(key)?, instant?))
    }

    fn keys(&mut self, root: &Node) -> Option<KeysConfig> {
        let node = self.reader.required(root, "watashi.toml", "keys")?;
        let current_node = self.reader.required(node, "[keys]", "current")?;
        let current = self.reader.text(current_node, "`current`")?.to_owned();
        let mut masters = Vec::new();
        for entry in node.as_map().unwrap_or_default().iter().filter(|entry| entry.key != "current")
        {
            if let Some(reference) = self.reference(&entry.node) {
                masters.push((entry.key.clone(), reference));
            }
        }
        if !masters.iter().any(|(id, _)| *id == current) {
            self.error(&codes::KEY_MISSING, current_node, format!("key `{current}` is not listed"));
        }
        Some(KeysConfig { current, masters })
    }

    fn amqp(&mut self, node: &Node) -> Option<AmqpConfig> {
        self.reader.keys(node, &keys::AMQP);
        let url =
            self.reader.required(node, "[amqp]", "url").and_then(|node| self.reference(node))?;
        let ca = node.get("ca").and_then(|node| self.reference(node));
        let client_certificate =
            node.get("client-certificate").and_then(|node| self.reference(node));
        let client_key = node.get("client-key").and_then(|node| self.reference(node));
        let prefetch = self.number(node, "prefetch", 1, 10_000, 512) as u16;
        Some(AmqpConfig { url, ca, client_certificate, client_key, prefetch })
    }

    fn ingest(&mut self, node: &Node) -> Option<IngestConfig> {
        self.reader.keys(node, &keys::INGEST);
        let listen = self.address(node, "[ingest]", "listen");
        let certificate = self.required_reference(node, "[ingest]", "certificate");
        let key = self.required_reference(node, "[ingest]", "key");
        let client_ca = node.get("client-ca").and_then(|node| self.reference(node));
        let tokens = self.tokens(node.get("tokens"));
        if client_ca.is_none() && tokens.is_empty() {
            self.error(&codes::INGEST_OPEN, node, "neither `client-ca` nor `tokens`");
        }
        Some(IngestConfig {
            listen: listen?,
            certificate: certificate?,
            key: key?,
            client_ca,
            tokens,
        })
    }

    /// A table of names, or a list that is numbered.
    fn tokens(&mut self, node: Option<&Node>) -> Vec<(String, Reference)> {
        let Some(node) = node else { return Vec::new() };
        if let Some(entries) = node.as_map() {
            let named = entries
                .iter()
                .filter_map(|entry| Some((entry.key.clone(), self.reference(&entry.node)?)));
            return named.collect();
        }
        let nodes = self.reader.list(node, "`tokens`").unwrap_or_default();
        let numbered = nodes.iter().enumerate().filter_map(|(index, node)| {
            Some((format!("token-{}", index + 1), self.reference(node)?))
        });
        numbered.collect()
    }

    fn ops(&mut self, node: Option<&Node>) -> Option<OpsConfig> {
        let Some(node) = node else {
            return Some(OpsConfig {
                listen: SocketAddr::from(([127, 0, 0, 1], 9470)),
                token: None,
            });
        };
        self.reader.keys(node, &keys::OPS);
        let listen = self.address(node, "[ops]", "listen")?;
        let token = node.get("token").and_then(|node| self.reference(node));
        if token.is_none() && !listen.ip().is_loopback() {
            self.error(
                &codes::BAD_ADDRESS,
                node,
                "`ops.listen` off the loopback needs `ops.token`",
            );
        }
        Some(OpsConfig { listen, token })
    }

    fn counterparts(&mut self, node: Option<&Node>) -> BTreeMap<String, CounterpartConfig> {
        let mut found = BTreeMap::new();
        for entry in node.and_then(Node::as_map).unwrap_or_default() {
            if let Some(counterpart) =
                self.counterpart(&entry.node, &format!("[counterpart.{}]", entry.key))
            {
                found.insert(entry.key.clone(), counterpart);
            }
        }
        found
    }

    fn counterpart(&mut self, node: &Node, what: &str) -> Option<CounterpartConfig> {
        self.reader.map(node, what, &keys::COUNTERPART.names())?;
        let places = self.places(node.get("place"));
        // Where only files lead there, or only notices come from there, nothing is sent to it.
        let caller = node.get("callback");
        let only_comes = !places.is_empty() || caller.is_some();
        let is_reached = node.get("base-url").is_some() || !only_comes;
        let base_url = is_reached.then(|| {
            self.reader.required(node, what, "base-url").and_then(|node| self.base_url(node))
        });
        let ca = is_reached.then(|| self.required_reference(node, what, "ca"));
        let addresses = if is_reached { self.addresses(node) } else { Vec::new() };
        let concurrency = node.get("concurrency").is_some();
        let overrides = Overrides {
            timeout: self.duration(node, "timeout"),
            concurrency: concurrency
                .then(|| self.number(node, "concurrency", 1, 1_024, 16) as usize),
            retry_first: self.duration(node, "retry-first"),
            retry_max: self.duration(node, "retry-max"),
            poll_every: self.duration(node, "poll-every"),
            settle_after: self.duration(node, "settle-after"),
            maintenance: node
                .get("maintenance")
                .map(|list| windows(&mut self.reader, list, &codes::BAD_VALUE))
                .unwrap_or_default(),
        };
        Some(CounterpartConfig {
            client_certificate: node
                .get("client-certificate")
                .and_then(|node| self.reference(node)),
            client_key: node.get("client-key").and_then(|node| self.reference(node)),
            client_id: self.reader.text_at(node, "client-id").map(str::to_owned),
            client_secret: node.get("client-secret").and_then(|node| self.reference(node)),
            addresses,
            base_url: base_url.map_or(Some(None), |url| url.map(Some))?,
            ca: ca.map_or(Some(None), |ca| ca.map(Some))?,
            overrides,
            places,
            trust: self.trust(node.get("trust")),
            caller: caller.and_then(|node| self.caller(node)),
        })
    }

    pub(super) fn addresses(&mut self, node: &Node) -> Vec<Network> {
        let Some(list) = self.reader.required(node, "a counterpart", "addresses") else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for node in self.reader.list(list, "`addresses`").unwrap_or_default() {
            match self.reader.text(node, "an address").map(str::parse) {
                Some(Ok(address)) => found.push(address),
                Some(Err(_)) => {
                    self.error(&codes::BAD_ADDRESS, node, "not an IP address or network")
                }
                None => {}
            }
        }
        found
    }

    pub(super) fn base_url(&mut self, node: &Node) -> Option<Url> {
        let text = self.reader.text(node, "`base-url`")?;
        let url = Url::parse(text).ok().filter(|url| {
            url.scheme() == "https"
                && url.host().is_some()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if url.is_none() {
            self.error(&codes::BAD_BASE_URL, node, "must be `https://host[:port][/path]`");
        }
        url
    }

    pub(super) fn address(&mut self, node: &Node, what: &str, key: &str) -> Option<SocketAddr> {
        let found = self.reader.required(node, what, key)?;
        let parsed = self.reader.text(found, key)?.parse().ok();
        if parsed.is_none() {
            self.error(&codes::BAD_ADDRESS, found, "must be `host:port` with an IP address");
        }
        parsed
    }

    pub(super) fn required_reference(
        &mut self,
        node: &Node,
        what: &str,
        key: &str,
    ) -> Option<Reference> {
        let found = self.reader.required(node, what, key)?;
        self.reference(found)
    }

    pub(super) fn reference(&mut self, node: &Node) -> Option<Reference> {
        let text = self.reader.text(node, "a reference")?;
        Some(Reference::parse(text, &self.folder))
    }

    pub(super) fn duration(&mut self, node: &Node, key: &str) -> Option<Duration> {
        let found = node.get(key)?;
        let parsed = found.as_str().and_then(parse_duration);
        if parsed.is_none() {
            self.error(
                &codes::BAD_VALUE,
                found,
                format!("`{key}` is a number with a unit: 500ms, 2s, 5m, 24h"),
            );
        }
        parsed
    }

    pub(super) fn number(
        &mut self,
        node: &Node,
        key: &str,
        least: u64,
        most: u64,
        default: u64,
    ) -> u64 {
        let Some(found) = node.get(key) else { return default };
        match self.reader.count(found, &format!("`{key}`")) {
            Some(count) if (least..=most).contains(&count) => count,
            Some(_) => {
                self.error(&codes::BAD_VALUE, found, format!("`{key}` must be {least} to {most}"));
                default
            }
            None => default,
        }
    }

    pub(super) fn error(&mut self, code: &'static Code, node: &Node, message: impl Into<String>) {
        let location = node.location(self.reader.file);
        self.reader.diagnostics.push(Diagnostic::error(code, location, message));
    }
}
