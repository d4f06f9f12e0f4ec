//! From configuration to what connects: keys, counterparts, the broker, our own listener. Reads
//! the files and variables that references name; connects nothing.

use super::reference::{Reference, Unresolved};
use super::{AmqpConfig, Config, CounterpartConfig, IngestConfig, PostgresConfig, place, trust};
use crate::adapter::{Adapter, Auth};
use crate::codec::signed::Trust;
use crate::model::codes::config as codes;
use crate::model::{Clock, Code, Secret};
use crate::store::keys::Keys;
use crate::store::postgres::{self, Address};
use crate::store::{Owner, StoreError};
use crate::transport::amqp;
use crate::transport::https::auth::LoginToken;
use crate::transport::https::client::SettingsError;
use crate::transport::https::{
    AllowList, AuthSettings, Credentials, HttpsSettings, HttpsTarget, Identity, ServerTls, tls,
};
use crate::transport::place::Place;
use crate::transport::{Method, NoTarget, Target};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Why something cannot be started; names references, never what they resolve to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartProblem {
    /// The registered code.
    pub code: &'static Code,
    /// Safe text.
    pub detail: String,
}

impl StartProblem {
    /// A problem of a registered code; `detail` must be safe to show.
    pub fn new(code: &'static Code, detail: impl Into<String>) -> Self {
        StartProblem { code, detail: detail.into() }
    }
}

impl std::fmt::Display for StartProblem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.code, self.code.title)?;
        if self.detail.is_empty() { Ok(()) } else { write!(formatter, ": {}", self.detail) }
    }
}

impl std::error::Error for StartProblem {}

impl From<Unresolved> for StartProblem {
    fn from(error: Unresolved) -> Self {
        StartProblem { code: error.code, detail: error.detail }
    }
}

impl From<StoreError> for StartProblem {
    fn from(error: StoreError) -> Self {
        StartProblem { code: error.code, detail: error.detail }
    }
}

impl From<SettingsError> for StartProblem {
    fn from(error: SettingsError) -> Self {
        StartProblem { code: error.code, detail: error.detail }
    }
}

impl From<amqp::BrokerError> for StartProblem {
    fn from(error: amqp::BrokerError) -> Self {
        StartProblem { code: error.code, detail: error.detail }
    }
}

/// The sealing keys, as those of the municipalities served: each reference holds 32 bytes in base64.
///
/// # Errors
/// `C201`, `C202` for references, `C203` for what is not base64, `T301`–`T306` for the rest.
pub fn keys(config: &Config) -> Result<Keys, StartProblem> {
    let mut masters = Vec::with_capacity(config.keys.masters.len());
    for (id, reference) in &config.keys.masters {
        let text = reference.secret()?;
        let bytes = STANDARD.decode(text.expose().trim()).map_err(|_| {
            let detail = format!("key `{id}` ({}) is not base64", reference.shown());
            StartProblem::new(&codes::BAD_KEY, detail)
        })?;
        masters.push((id.clone(), Secret::new(bytes)));
    }
    let owner = Owner::new(&config.municipalities, &config.formerly);
    Ok(Keys::from_masters(&config.keys.current, masters)?.of(owner))
}

/// Where the PostgreSQL server is.
///
/// # Errors
/// `C201`, `C202` for references, `C207` for certificates, `T111` and `T112` for the URL.
pub fn postgres(config: &PostgresConfig) -> Result<Address, StartProblem> {
    let tls = match &config.ca {
        None => None,
        Some(ca) => {
            let identity = match (&config.client_certificate, &config.client_key) {
                (Some(certificate), Some(key)) => Some(identity(certificate, key)?),
                (None, None) => None,
                _ => {
                    let detail = "[store]: client-certificate and client-key go together";
                    return Err(StartProblem::new(&codes::BAD_CERTIFICATE, detail));
                }
            };
            let settings = tls::client_config(ca.text()?.as_bytes(), identity.as_ref());
            let unusable = |error: tls::TlsError| {
                StartProblem::new(&codes::BAD_CERTIFICATE, format!("[store] {error}"))
            };
            Some(Arc::new(settings.map_err(unusable)?))
        }
    };
    Ok(Address::new(&config.url.secret()?, tls)?)
}

/// How this instance appears among those that share the store.
pub fn postgres_options(config: &Config, postgres: &PostgresConfig) -> postgres::Options {
    postgres::Options {
        name: config.name.clone(),
        lease: postgres.lease,
        connections: postgres.connections,
        ..postgres::Options::default()
    }
}

/// What leads to one counterpart.
pub struct Reach {
    /// Where requests go.
    pub target: Arc<dyn Target>,
    /// Where its files are.
    pub files: BTreeMap<String, Arc<dyn Place>>,
    /// Who may have signed what comes from there.
    pub trust: BTreeMap<String, Arc<Trust>>,
}

/// What leads to one counterpart: its client, where it is spoken to, and its places.
///
/// # Errors
/// As of [`https_target`]; `C110` for a place that is missing, `C111` for one that cannot be used; `C121` and
/// `C122` for trust stores.
pub fn reach(
    adapter: &Adapter,
    counterpart: &CounterpartConfig,
    clock: &Arc<dyn Clock>,
) -> Result<Reach, StartProblem> {
    let name = &adapter.name;
    let target: Arc<dyn Target> = if counterpart.base_url.is_some() || adapter.speaks() {
        Arc::new(https_target(name, counterpart, &adapter.auth, Arc::clone(clock))?)
    } else {
        Arc::new(NoTarget)
    };
    let mut files = BTreeMap::new();
    for wanted in adapter.operations.values().filter_map(|operation| operation.place()) {
        let title = format!("counterpart.{name}.place.{wanted}");
        // One that no enabled route needs may be missing (`config::agree` says which are needed).
        let Some(place) = counterpart.places.get(wanted) else { continue };
        files.insert(wanted.to_owned(), place::open(&title, place, clock)?);
    }
    let mut stores = BTreeMap::new();
    for wanted in adapter.operations.values().filter_map(|one| one.trust()) {
        let title = format!("counterpart.{name}.trust.{wanted}");
        let store = counterpart.trust.get(wanted);
        let store =
            store.ok_or_else(|| StartProblem::new(&codes::TRUST_MISSING, format!("[{title}]")))?;
        stores.insert(wanted.to_owned(), Arc::new(trust::open(&title, store)?));
    }
    Ok(Reach { target, files, trust: stores })
}

/// The client to one counterpart; `name` is its adapter's.
///
/// # Errors
/// `C201`, `C202` for references, `C209` for credentials that the adapter needs and the section
/// does not give, `N231` and `N203` for what cannot be used.
pub fn https_target(
    name: &str,
    counterpart: &CounterpartConfig,
    auth: &Auth,
    clock: Arc<dyn Clock>,
) -> Result<HttpsTarget, StartProblem> {
    let missing = || {
        StartProblem::new(&codes::COUNTERPART_MISSING, format!("[counterpart.{name}] base-url, ca"))
    };
    let ca = counterpart.ca.as_ref().ok_or_else(missing)?.text()?.into_bytes();
    let base_url = counterpart.base_url.clone().ok_or_else(missing)?;
    let mut settings = HttpsSettings::new(name, base_url, ca);
    settings.identity = own_identity(
        &format!("counterpart.{name}"),
        &counterpart.client_certificate,
        &counterpart.client_key,
    )?;
    settings.addresses =
        AllowList { networks: counterpart.addresses.clone(), ..AllowList::default() };
    settings.auth = auth_settings(name, counterpart, auth)?;
    HttpsTarget::new(settings, clock).map_err(|error| {
        StartProblem::new(error.code, format!("[counterpart.{name}] {}", error.detail))
    })
}

/// How long an instance that takes nothing keeps what the broker gave it.
const HAND_OVER: Duration = Duration::from_secs(10);

/// Where the broker is. Where instances share the store, one that pauses leaves the queue to another.
///
/// # Errors
/// `C201`, `C202` for references, `C207` for half an identity, `N107` for a URL that cannot be used.
pub fn broker(config: &AmqpConfig, shared: bool) -> Result<amqp::Settings, StartProblem> {
    let mut settings = amqp::Settings::new(config.url.secret()?);
    settings.ca = match &config.ca {
        Some(ca) => Some(ca.text()?.into_bytes()),
        None => None,
    };
    settings.identity = own_identity("amqp", &config.client_certificate, &config.client_key)?;
    settings.prefetch = config.prefetch;
    settings.hand_over = shared.then_some(HAND_OVER);
    settings.check()?;
    Ok(settings)
}

/// Certificate, key and client authority of the ingest listener. Clients need a certificate
/// unless there are tokens that prove who they are.
///
/// # Errors
/// `C201`, `C202` for references.
pub fn server_tls(config: &IngestConfig) -> Result<ServerTls, StartProblem> {
    let client_ca = match &config.client_ca {
        Some(ca) => Some(ca.text()?.into_bytes()),
        None => None,
    };
    Ok(ServerTls {
        identity: identity(&config.certificate, &config.key)?,
        require_client: client_ca.is_some() && config.tokens.is_empty(),
        client_ca,
    })
}

/// The certificate that a section names for us, with its key: both or none.
fn own_identity(
    section: &str,
    certificate: &Option<Reference>,
    key: &Option<Reference>,
) -> Result<Option<Identity>, StartProblem> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => identity(certificate, key).map(Some),
        (None, None) => Ok(None),
        _ => {
            let detail = format!("[{section}]: client-certificate and client-key go together");
            Err(StartProblem::new(&codes::BAD_CERTIFICATE, detail))
        }
    }
}

pub(super) fn identity(certificate: &Reference, key: &Reference) -> Result<Identity, StartProblem> {
    Ok(Identity {
        certificate_pem: certificate.text()?.into_bytes(),
        key_pem: Secret::new(key.secret()?.expose().clone().into_bytes()),
    })
}

fn auth_settings(
    name: &str,
    counterpart: &CounterpartConfig,
    auth: &Auth,
) -> Result<AuthSettings, StartProblem> {
    let credentials = || -> Result<Credentials, StartProblem> {
        let missing = |key: &str| {
            StartProblem::new(&codes::CREDENTIALS_MISSING, format!("[counterpart.{name}] {key}"))
        };
        let id = counterpart.client_id.clone().ok_or_else(|| missing("client-id"))?;
        let secret = counterpart.client_secret.as_ref().ok_or_else(|| missing("client-secret"))?;
        Ok(Credentials { id: Secret::new(id), secret: secret.secret()? })
    };
    Ok(match auth.clone() {
        Auth::None => AuthSettings::None,
        Auth::Basic => AuthSettings::Basic(credentials()?),
        Auth::ClientSecretBasic { token_path, token } => {
            AuthSettings::ClientSecretBasic { credentials: credentials()?, token_path, token }
        }
        Auth::ClientSecretJwt { token_path, token } => {
            AuthSettings::ClientSecretJwt { credentials: credentials()?, token_path, token }
        }
        Auth::LoginToken { path, body, token, header, prefix } => {
            AuthSettings::LoginToken(LoginToken {
                credentials: credentials()?,
                method: Method::Post,
                path,
                body,
                token_field: token,
                header,
                prefix,
            })
        }
    })
}
