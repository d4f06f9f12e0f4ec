//! TLS settings from PEM: one crypto provider, private authorities only, and what a certificate
//! says about itself.

use crate::model::Secret;
use aws_lc_rs::digest;
use jiff::Timestamp;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What is wrong with certificates or keys; names the input, never quotes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for TlsError {}

/// A certificate chain and its key, both PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Own certificate first, then intermediates.
    pub certificate_pem: Vec<u8>,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key_pem: Secret<Vec<u8>>,
}

fn crypto() -> Arc<CryptoProvider> {
    Arc::new(provider::default_provider())
}

/// Every certificate in a PEM text; at least one.
pub(crate) fn certificates(
    what: &str,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|_| TlsError(format!("{what}: not readable as PEM")))?;
    if certificates.is_empty() {
        return Err(TlsError(format!("{what}: holds no certificate")));
    }
    Ok(certificates)
}

fn roots(what: &str, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(what, pem)? {
        roots
            .add(certificate)
            .map_err(|_| TlsError(format!("{what}: not usable as an authority")))?;
    }
    Ok(roots)
}

fn key(what: &str, pem: &Secret<Vec<u8>>) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem.expose())
        .map_err(|_| TlsError(format!("{what}: holds no private key")))
}

/// Client settings that trust the given authority and nobody else.
///
/// # Errors
/// PEM that cannot be read; a key that does not belong to the certificate.
pub fn client_config(
    authority_pem: &[u8],
    identity: Option<&Identity>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(crypto())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(error.to_string()))?
        .with_root_certificates(roots("ca", authority_pem)?);
    let Some(identity) = identity else { return Ok(builder.with_no_client_auth()) };
    builder
        .with_client_auth_cert(
            certificates("client-certificate", &identity.certificate_pem)?,
            key("client-key", &identity.key_pem)?,
        )
        .map_err(|_| TlsError("client-key: does not belong to client-certificate".to_owned()))
}

/// Settings of a listener.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// The listener's own certificate and key.
    pub identity: Identity,
    /// Authority of the clients' certificates, PEM; without it clients are not asked for any.
    pub client_ca: Option<Vec<u8>>,
    /// Refuse clients without a certificate.
    pub require_client: bool,
}

/// Listener settings.
///
/// # Errors
/// PEM that cannot be read; a key that does not belong to the certificate; clients required
/// without an authority to check them.
pub fn server_config(tls: &ServerTls) -> Result<ServerConfig, TlsError> {
    let builder = ServerConfig::builder_with_provider(crypto())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(error.to_string()))?;
    let builder = match &tls.client_ca {
        None if tls.require_client => {
            return Err(TlsError("client-ca: needed to require client certificates".to_owned()));
        }
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let roots = Arc::new(roots("client-ca", pem)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, crypto());
            let verifier =
                if tls.require_client { verifier } else { verifier.allow_unauthenticated() };
            let verifier = verifier.build().map_err(|error| TlsError(error.to_string()))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    builder
        .with_single_cert(
            certificates("certificate", &tls.identity.certificate_pem)?,
            key("key", &tls.identity.key_pem)?,
        )
        .map_err(|_| TlsError("key: does not belong to certificate".to_owned()))
}

/// A client that is known by its own authority and the names in its certificate. A listener that
/// trusts the authorities of several clients tells them apart by this.
#[derive(Clone)]
pub struct KnownClient {
    verifier: Arc<dyn ClientCertVerifier>,
    names: Vec<String>,
}

impl fmt::Debug for KnownClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KnownClient").field("names", &self.names).finish_non_exhaustive()
    }
}

impl KnownClient {
    /// A client with a certificate of this authority for one of these names: common names, DNS
    /// names, or `sha256:` and the fingerprint of the certificate in hex.
    ///
    /// # Errors
    /// PEM that cannot be read.
    pub fn new(authority_pem: &[u8], names: Vec<String>) -> Result<KnownClient, TlsError> {
        let roots = Arc::new(roots("client-ca", authority_pem)?);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, crypto()).build();
        let verifier = verifier.map_err(|error| TlsError(error.to_string()))?;
        Ok(KnownClient { verifier, names })
    }

    /// Whether a certificate, with the intermediates behind it, is this client's.
    pub fn is(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> bool {
        let Some((own, intermediates)) = chain.split_first() else { return false };
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        self.verifier.verify_client_cert(own, intermediates, now).is_ok()
            && names(own).iter().any(|name| self.names.iter().any(|known| known == name))
    }
}

/// The common names and DNS names of a certificate, and its fingerprint.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok((_, parsed)) = X509Certificate::from_der(certificate) {
        let common = parsed.subject().iter_common_name();
        found.extend(common.filter_map(|name| Some(name.as_str().ok()?.to_owned())));
        let alternative = parsed.subject_alternative_name().ok().flatten();
        for name in alternative.iter().flat_map(|extension| &extension.value.general_names) {
            if let GeneralName::DNSName(name) = name {
                found.push((*name).to_owned());
            }
        }
    }
    found.push(format!("sha256:{}", fingerprint(certificate)));
    found
}

/// SHA-256 over a certificate, lower-case hex.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest::digest(&digest::SHA256, certificate).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Who a peer is by its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerName {
    /// Common name of the subject; empty when it has none.
    pub common_name: String,
    /// SHA-256 over the certificate, lower-case hex.
    pub fingerprint: String,
}

/// The name in a certificate, if it can be read.
pub(crate) fn peer_name(certificate: &CertificateDer<'_>) -> Option<PeerName> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let common_name =
        parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    let fingerprint = fingerprint(certificate);
    Some(PeerName { common_name: common_name.unwrap_or_default().to_owned(), fingerprint })
}

pub(crate) fn certificate_end(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Timestamp::from_second(parsed.validity().not_after.timestamp()).ok()
}

/// When the first certificate of a PEM text ends; `None` when it cannot be read.
pub fn expires_at(pem: &[u8]) -> Option<Timestamp> {
    certificate_end(certificates("certificate", pem).ok()?.first()?)
}
