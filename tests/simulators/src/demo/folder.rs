//! The run folder: certificates, keys, `watashi.toml`, logs. Everything of a run is in it.

use crate::Trouble;
use crate::counterparts::{
    APPLICATION_INTAKE, APPLICATION_MANAGEMENT, Credentials, INTEGRATED_DATABASE,
    INTERMEDIATE_SERVER, MYNAPORTAL, PMH,
};
use crate::municipality::MUNICIPALITY;
use crate::pki::{Authority, Identity, write_private, write_secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

/// A prepared run.
pub struct Site {
    /// The run folder.
    pub folder: PathBuf,
    /// Its `watashi.toml`.
    pub config: PathBuf,
    /// Base URL of the ingest listener.
    pub ingest: String,
    /// Base URL of the ops listener.
    pub ops: String,
    /// Bearer token of the ops listener.
    pub ops_token: String,
    /// The health system's client identity.
    pub health: Identity,
    /// Certificate of the CA, PEM.
    pub authority: String,
}

/// What goes into `watashi.toml`.
pub struct Plan<'a> {
    /// Folder with `adapters/ schemas/ mappings/`.
    pub definitions: &'a Path,
    /// Where the counterparts listen.
    pub addresses: &'a BTreeMap<&'static str, SocketAddr>,
    /// Ids and secrets they expect.
    pub credentials: &'a Credentials,
    /// Where the scanner listens, when there is one.
    pub scanner: Option<SocketAddr>,
    /// The broker, when there is one.
    pub amqp: Option<&'a str>,
    /// Names of the enabled routes, as a list of TOML.
    pub routes: &'a str,
    /// Lines of every counterpart's section: its times.
    pub times: &'a str,
    /// Lines of one counterpart's section, by its name.
    pub own: &'a BTreeMap<&'static str, String>,
    /// More lines at the end of the file: sections of their own.
    pub more: &'a str,
}

/// The routes whose counterparts the demo plays.
pub const ROUTES: &str = "\"vaccination-record-to-copy\", \"vaccination-record-to-pmh\", \
     \"subject-to-pmh\", \"notice-to-pmh\", \"notice-to-osr\", \"inquiry-to-intermediate-server\", \
     \"application-to-health\", \"application-status-to-management\"";
/// The times of the demo: the gateway gives up before its counterparts do, and asks after them.
pub const TIMES: &str = "timeout = \"2s\"\nretry-first = \"200ms\"\nretry-max = \"2s\"\n\
     poll-every = \"200ms\"\nsettle-after = \"6s\"\n";

impl Site {
    /// Writes everything into a new folder.
    pub fn prepare(folder: &Path, authority: &Authority, plan: &Plan<'_>) -> Result<Site, Trouble> {
        for name in ["certificates", "keys", "secrets", "store", "logs", "cli", "revoked"] {
            fs::create_dir_all(folder.join(name))?;
        }
        let folder = folder.canonicalize()?;
        let health = authority.client("health")?;
        let gateway = authority.client("watashi")?;
        let server = authority.server("watashi")?;
        let put = |name: &str, content: &str| write_secret(&folder.join(name), content);
        put("certificates/ca.pem", &authority.certificate)?;
        put("certificates/applicants.pem", &authority.applicants.authority)?;
        put("revoked/applicants.crl", &authority.applicants.revoked)?;
        put("certificates/client.pem", &gateway.certificate)?;
        put("keys/client.pem", &gateway.key)?;
        put("certificates/server.pem", &server.certificate)?;
        put("keys/server.pem", &server.key)?;
        let expired = authority.expired_client("watashi")?;
        put("certificates/expired.pem", &expired.certificate)?;
        put("keys/expired.pem", &expired.key)?;
        put("certificates/health.pem", &health.certificate)?;
        put("keys/health.pem", &health.key)?;
        put("keys/k1", &STANDARD.encode(random_bytes()?))?;
        let ops_token = STANDARD.encode(random_bytes()?).replace(['+', '/', '='], "x");
        put("secrets/ops-token", &ops_token)?;
        put("secrets/pmh", &plan.credentials.pmh_secret)?;
        put("secrets/intake", &plan.credentials.intake_password)?;
        put("secrets/management", &plan.credentials.management_password)?;
        put("secrets/integrated", &plan.credentials.integrated_secret)?;
        put("secrets/mynaportal", &plan.credentials.mynaportal_secret)?;
        if let Some(url) = plan.amqp {
            put("secrets/amqp", url)?;
        }
        let (ingest, ops) = (free_port()?, free_port()?);
        let text = toml(&folder, plan, ingest, ops)?;
        let config = write_private(&folder.join("watashi.toml"), &text)?;
        Ok(Site {
            config,
            ingest: format!("https://{ingest}"),
            ops: format!("http://{ops}"),
            ops_token,
            health,
            authority: authority.certificate.clone(),
            folder,
        })
    }
}

fn toml(
    folder: &Path,
    plan: &Plan<'_>,
    ingest: SocketAddr,
    ops: SocketAddr,
) -> Result<String, Trouble> {
    let definitions = plan.definitions.canonicalize()?;
    let (folder, definitions, routes) = (folder.display(), definitions.display(), plan.routes);
    let mut text = format!(
        "# Written by the demo; of this run only.\n\
         [gateway]\nname = \"demo\"\nmunicipalities = [\"{MUNICIPALITY}\"]\n\n\
         [definitions]\nfolder = \"{definitions}\"\n\n\
         [routes]\nenabled = [{routes}]\n\n\
         [store]\npath = \"{folder}/store/watashi.db\"\n\n\
         [keys]\ncurrent = \"k1\"\nk1 = \"file:{folder}/keys/k1\"\n\n\
         [ingest]\nlisten = \"{ingest}\"\ncertificate = \"file:{folder}/certificates/server.pem\"\n\
         key = \"file:{folder}/keys/server.pem\"\n\
         client-ca = \"file:{folder}/certificates/ca.pem\"\n\n\
         [ops]\nlisten = \"{ops}\"\ntoken = \"file:{folder}/secrets/ops-token\"\n"
    );
    if plan.amqp.is_some() {
        write!(text, "\n[amqp]\nurl = \"file:{folder}/secrets/amqp\"\n")?;
    }
    if let Some(address) = plan.scanner {
        write!(text, "\n[scanner]\naddress = \"{address}\"\n")?;
    }
    let credentials = plan.credentials;
    let logins = BTreeMap::from([
        (INTERMEDIATE_SERVER, None),
        (PMH, Some((&credentials.pmh_id, "pmh"))),
        (APPLICATION_INTAKE, Some((&credentials.intake_id, "intake"))),
        (APPLICATION_MANAGEMENT, Some((&credentials.management_id, "management"))),
        (INTEGRATED_DATABASE, Some((&credentials.integrated_id, "integrated"))),
        (MYNAPORTAL, Some((&credentials.mynaportal_id, "mynaportal"))),
    ]);
    for (name, address) in plan.addresses {
        write!(
            text,
            "\n[counterpart.{name}]\nbase-url = \"https://{address}\"\n\
             ca = \"file:{folder}/certificates/ca.pem\"\n\
             client-certificate = \"file:{folder}/certificates/client.pem\"\n\
             client-key = \"file:{folder}/keys/client.pem\"\naddresses = [\"127.0.0.1\"]\n{times}",
            times = plan.times
        )?;
        text.push_str(plan.own.get(name).map(String::as_str).unwrap_or_default());
        if let Some(Some((id, secret))) = logins.get(name) {
            let secret = format!("file:{folder}/secrets/{secret}");
            write!(text, "client-id = \"{id}\"\nclient-secret = \"{secret}\"\n")?;
        }
        if *name == APPLICATION_INTAKE {
            write!(
                text,
                "[counterpart.{name}.trust.applicants]\n\
                 authorities = \"file:{folder}/certificates/applicants.pem\"\n\
                 revocation-lists = \"{folder}/revoked\"\n"
            )?;
        }
    }
    text.push_str(plan.more);
    Ok(text)
}

fn random_bytes() -> Result<[u8; 32], Trouble> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "no randomness")?;
    Ok(bytes)
}

/// A loopback port that was free a moment ago.
pub(crate) fn free_port() -> Result<SocketAddr, Trouble> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
