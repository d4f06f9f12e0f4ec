//! TLS settings from PEM: one crypto provider, private authorities only, and what a certificate
//! says about itself.

use crate::model::Secret;
use aws_lc_rs::digest;
use jiff::Timestamp;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

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
    let mut fingerprint = String::with_capacity(64);
    for byte in digest::digest(&digest::SHA256, certificate).as_ref() {
        // Writing to a string cannot fail.
        let _ = write!(fingerprint, "{byte:02x}");
    }
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
