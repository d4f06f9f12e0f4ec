//! `[callbacks]` and `[counterpart.NAME.callback]`: where counterparts call us, and who they are.

use super::connect::{self, StartProblem};
use super::read::Sections;
use super::{Config, Reference, keys};
use crate::adapter::Bundle;
use crate::diagnostic::yaml::Node;
use crate::model::Secret;
use crate::model::codes::config as codes;
use crate::transport::https::{KnownClient, ServerTls};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// `[callbacks]`
#[derive(Debug)]
pub struct CallbacksConfig {
    /// Listening address; no other listener has it.
    pub listen: SocketAddr,
    /// Server certificate, PEM.
    pub certificate: Reference,
    /// Its key, PEM.
    pub key: Reference,
    /// Notices under way at once.
    pub concurrency: usize,
}

/// `[counterpart.NAME.callback]`
#[derive(Debug)]
pub struct CallerConfig {
    /// CA of its client certificate, PEM.
    pub client_ca: Reference,
    /// Common names, DNS names or `sha256:…` of its certificates; never empty.
    pub subjects: Vec<String>,
    /// The bearer token it shows.
    pub token: Option<Reference>,
    /// The key it signs bodies with.
    pub hmac_key: Option<Reference>,
}

impl CallerConfig {
    /// The references it is made of.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        std::iter::once(&self.client_ca).chain(&self.token).chain(&self.hmac_key)
    }
}

/// How a counterpart that calls us proves who it is.
#[derive(Debug)]
pub struct Caller {
    /// By its certificate.
    pub client: KnownClient,
    /// By a token as well, where its adapter says so.
    pub token: Option<Secret<String>>,
    /// By a signature as well, where its adapter says so.
    pub hmac_key: Option<Secret<String>>,
}

/// Callers by the name of their adapter.
pub type Callers = BTreeMap<String, Caller>;

impl Sections<'_> {
    pub(super) fn callbacks(&mut self, node: &Node) -> Option<CallbacksConfig> {
        self.reader.keys(node, &keys::CALLBACKS);
        let listen = self.address(node, "[callbacks]", "listen");
        let certificate = self.required_reference(node, "[callbacks]", "certificate");
        let key = self.required_reference(node, "[callbacks]", "key");
        let concurrency = self.number(node, "concurrency", 1, 1_024, 32) as usize;
        Some(CallbacksConfig { listen: listen?, certificate: certificate?, key: key?, concurrency })
    }

    /// The listener has an address of its own, and there is somebody who may call.
    pub(super) fn check_callbacks(&mut self, root: &Node, config: &Config) {
        let callers: Vec<&String> = config
            .counterparts
            .iter()
            .filter(|(_, counterpart)| counterpart.caller.is_some())
            .map(|(name, _)| name)
            .collect();
        let Some(callbacks) = &config.callbacks else {
            if let Some(name) = callers.first() {
                let counterpart = root.get("counterpart").and_then(|all| all.get(name));
                let at = counterpart.and_then(|node| node.get("callback")).unwrap_or(root);
                let message = "`callback` without the listener `[callbacks]`";
                self.error(&codes::CALLBACK_SETTINGS, at, message);
            }
            return;
        };
        let at = root.get("callbacks").unwrap_or(root);
        let others = [Some(config.ops.listen), config.ingest.as_ref().map(|one| one.listen)];
        if others.contains(&Some(callbacks.listen)) {
            let message = "`callbacks.listen` is another listener's address: it needs its own";
            self.error(&codes::CALLBACK_SETTINGS, at, message);
        }
        if callers.is_empty() {
            let message = "nobody may call: no `[counterpart.NAME.callback]`";
            self.error(&codes::CALLBACK_SETTINGS, at, message);
        }
    }

    pub(super) fn caller(&mut self, node: &Node) -> Option<CallerConfig> {
        self.reader.keys(node, &keys::CALLER);
        let what = "a callback";
        let client_ca = self.required_reference(node, what, "client-ca");
        let list = self.reader.required(node, what, "subjects");
        let nodes = list.and_then(|list| self.reader.list(list, "`subjects`")).unwrap_or_default();
        let subjects: Vec<String> = nodes
            .iter()
            .filter_map(|node| self.reader.text(node, "a subject").map(str::to_owned))
            .collect();
        if let (Some(list), true) = (list, subjects.is_empty()) {
            self.error(&codes::CALLBACK_SETTINGS, list, "`subjects` names at least one");
        }
        let token = node.get("token").and_then(|node| self.reference(node));
        let hmac_key = node.get("hmac-key").and_then(|node| self.reference(node));
        Some(CallerConfig { client_ca: client_ca?, subjects, token, hmac_key })
    }
}

/// Certificate and key of the listener, and the authorities of all who may call. Nobody gets in
/// without a certificate.
///
/// # Errors
/// `C201`, `C202` for references.
pub fn server_tls(config: &Config, callbacks: &CallbacksConfig) -> Result<ServerTls, StartProblem> {
    let mut authorities = Vec::new();
    for caller in config.counterparts.values().filter_map(|one| one.caller.as_ref()) {
        authorities.extend(caller.client_ca.text()?.into_bytes());
        authorities.push(b'\n');
    }
    Ok(ServerTls {
        identity: connect::identity(&callbacks.certificate, &callbacks.key)?,
        client_ca: Some(authorities),
        require_client: true,
    })
}

/// Who may call.
///
/// # Errors
/// `C201`, `C202` for references, `C207` for an authority that cannot be used.
pub fn callers(config: &Config) -> Result<Callers, StartProblem> {
    let mut callers = Callers::new();
    for (name, counterpart) in &config.counterparts {
        let Some(caller) = &counterpart.caller else { continue };
        let authority = caller.client_ca.text()?;
        let client = KnownClient::new(authority.as_bytes(), caller.subjects.clone());
        let client = client.map_err(|error| {
            let detail = format!("[counterpart.{name}.callback] {error}");
            StartProblem::new(&codes::BAD_CERTIFICATE, detail)
        })?;
        let secret = |reference: &Option<Reference>| {
            reference.as_ref().map(|reference| reference.secret()).transpose()
        };
        let (token, hmac_key) = (secret(&caller.token)?, secret(&caller.hmac_key)?);
        callers.insert(name.clone(), Caller { client, token, hmac_key });
    }
    Ok(callers)
}

/// What a section lacks of what the callbacks of its adapter need, or has without need; and
/// message types of enabled routes that nobody may call us with.
pub(super) fn disagreements(config: &Config, bundle: &Bundle) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, counterpart) in &config.counterparts {
        let Some(adapter) = bundle.adapters.get(name) else { continue };
        let callbacks: Vec<_> =
            adapter.operations.values().filter_map(|one| one.push_in.as_ref()).collect();
        let mut wrong = |message: String| found.push((name.clone(), message));
        let Some(caller) = &counterpart.caller else { continue };
        if callbacks.is_empty() {
            wrong(format!("adapter `{name}` has no `push-in`: `callback` has no use"));
        }
        if callbacks.iter().any(|one| one.bearer) && caller.token.is_none() {
            wrong(format!("adapter `{name}` wants `token` in `[counterpart.{name}.callback]`"));
        }
        if callbacks.iter().any(|one| one.signature.is_some()) && caller.hmac_key.is_none() {
            wrong(format!("adapter `{name}` wants `hmac-key` in `[counterpart.{name}.callback]`"));
        }
    }
    for route in bundle.routes().filter(|route| bundle.is_enabled(&route.name)) {
        let given = route.on.iter().filter_map(|message_type| bundle.pull_of(message_type));
        for given in given.filter(|given| given.operation.push_in.is_some()) {
            let name = &given.adapter.name;
            let caller = config.counterparts.get(name).and_then(|one| one.caller.as_ref());
            if caller.is_none() {
                let message =
                    format!("route `{}` needs `[counterpart.{name}.callback]`", route.name);
                found.push((name.clone(), message));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use crate::config::load;
    use crate::diagnostic::render;
    use std::path::PathBuf;

    const HEAD: &str = "[gateway]\nmunicipalities = [\"131237\"]\n\
        [keys]\ncurrent = \"k1\"\nk1 = \"env:K1\"\n";
    const LISTENER: &str =
        "[callbacks]\nlisten = \"127.0.0.1:9443\"\ncertificate = \"file:c\"\nkey = \"file:k\"\n";
    const CALLER: &str = "[counterpart.post]\n[counterpart.post.callback]\n\
        client-ca = \"file:ca\"\nsubjects = [\"post.example\"]\n";

    /// What is told of a file with these sections; empty: it can be used.
    fn problems(name: &str, sections: &[&str]) -> String {
        let name = format!("watashi-callbacks-{}-{name}.toml", std::process::id());
        let file: PathBuf = std::env::temp_dir().join(name);
        std::fs::write(&file, format!("{HEAD}{}", sections.concat())).unwrap();
        let (config, diagnostics) = load(&file);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(config.is_none(), !diagnostics.is_empty());
        if let Some(config) = config {
            let callbacks = config.callbacks.map(|one| (one.listen.port(), one.concurrency));
            assert_eq!(callbacks, Some((9443, 32)));
            assert!(config.counterparts["post"].base_url.is_none(), "it is not sent to");
        }
        render::text(&diagnostics)
    }

    #[test]
    fn a_listener_of_its_own_and_somebody_who_may_call_go_together() {
        assert_eq!(problems("both", &[LISTENER, CALLER]), "");
        let nobody = problems("nobody", &[LISTENER]);
        assert!(nobody.contains("C131") && nobody.contains("nobody may call"), "{nobody}");
        let nowhere = problems("nowhere", &[CALLER]);
        assert!(nowhere.contains("without the listener"), "{nowhere}");
        let ops = "[ops]\nlisten = \"127.0.0.1:9443\"\n";
        let shared = problems("shared", &[LISTENER, CALLER, ops]);
        assert!(shared.contains("another listener's address"), "{shared}");
        let anybody = CALLER.replace("\"post.example\"", "");
        let anybody = problems("anybody", &[LISTENER, &anybody]);
        assert!(anybody.contains("at least one"), "{anybody}");
    }
}
