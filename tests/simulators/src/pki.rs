//! A throwaway certificate authority: one CA, a server certificate for loopback, client
//! certificates, written into the run folder so that only its owner can read the keys.

use crate::Trouble;
use crate::signing::Applicants;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A certificate and its key as PEM.
#[derive(Clone)]
pub struct Identity {
    /// Certificate, PEM.
    pub certificate: String,
    /// Private key (PKCS#8), PEM.
    pub key: String,
}

/// The authority of one run.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The CA certificate, PEM.
    pub certificate: String,
    /// Those who sign applications, under an authority of their own.
    pub applicants: Arc<Applicants>,
}

impl Authority {
    /// Makes a new CA; its key never leaves the process.
    pub fn new(name: &str) -> Result<Self, Trouble> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        let applicants = Arc::new(Applicants::new()?);
        Ok(Authority { issuer: Issuer::new(params, key), certificate, applicants })
    }

    /// A certificate for servers on 127.0.0.1 and localhost.
    pub fn server(&self, name: &str) -> Result<Identity, Trouble> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::DnsName("localhost".try_into()?),
        ];
        self.issue(params, name, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// One of a server that ended long ago.
    pub fn expired_server(&self, name: &str) -> Result<Identity, Trouble> {
        let mut params = CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        params.subject_alt_names = vec![SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))];
        self.issue(params, name, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A certificate for a client.
    pub fn client(&self, name: &str) -> Result<Identity, Trouble> {
        self.issue(CertificateParams::default(), name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A certificate for a client that ended long ago.
    pub fn expired_client(&self, name: &str) -> Result<Identity, Trouble> {
        let mut params = CertificateParams::default();
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        self.issue(params, name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        name: &str,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Identity, Trouble> {
        let key = KeyPair::generate()?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

/// TLS for a listener that requires a client certificate of `authority`.
pub fn server_config(authority: &str, identity: &Identity) -> Result<ServerConfig, Trouble> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = Arc::new(roots(authority)?);
    let verifier =
        WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?;
    let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    Ok(config)
}

/// TLS for a client; without an identity it shows no certificate.
pub fn client_config(
    authority: &str,
    identity: Option<&Identity>,
) -> Result<ClientConfig, Trouble> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(authority)?);
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes())?;
    Ok(builder.with_client_auth_cert(chain, key)?)
}

/// An HTTPS client that trusts only `authority` and follows nothing.
pub fn https_client(
    authority: &str,
    identity: Option<&Identity>,
) -> Result<reqwest::Client, Trouble> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(client_config(authority, identity)?)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(std::time::Duration::from_secs(20))
        .build()?;
    Ok(client)
}

fn roots(authority: &str) -> Result<RootCertStore, Trouble> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
    Ok(roots)
}

/// Writes a secret: mode 0400, never over an existing file.
pub fn write_secret(path: &Path, content: &str) -> Result<PathBuf, Trouble> {
    write(path, content, 0o400)
}

/// Writes something that is no secret, yet only its owner's: mode 0600.
pub fn write_private(path: &Path, content: &str) -> Result<PathBuf, Trouble> {
    write(path, content, 0o600)
}

fn write(path: &Path, content: &str, mode: u32) -> Result<PathBuf, Trouble> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()?;
    Ok(path.to_path_buf())
}
