//! Who is believed: authorities, revocation lists, and whether a certificate leads to one of them.

use super::profile::unsupported;
use super::refuse;
use crate::model::codes::signature as codes;
use crate::model::{Class, Failure};
use jiff::Timestamp;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, TrustAnchor, UnixTime};
use std::time::Duration;
use webpki::{
    CertRevocationList, EndEntityCert, Error, ExpirationPolicy, KeyUsage, OwnedCertRevocationList,
    RevocationOptionsBuilder, anchor_from_trusted_cert,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Authorities and revocation lists.
#[derive(Debug, Default)]
pub struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    lists: Vec<CertRevocationList<'static>>,
}

/// RFC 9336, id-kp-documentSigning. Where a certificate names purposes, it must be among them.
static DOCUMENT_SIGNING: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 3, 36];

impl Trust {
    /// These certificates of authorities and these revocation lists, all DER.
    ///
    /// # Errors
    /// The number (from 1) of the authority, or after them of the list, that cannot be read.
    pub fn new(authorities: &[Vec<u8>], lists: &[Vec<u8>]) -> Result<Trust, usize> {
        let mut trust = Trust::default();
        for (index, der) in authorities.iter().enumerate() {
            let certificate = CertificateDer::from(der.as_slice());
            let anchor = anchor_from_trusted_cert(&certificate).map_err(|_| index + 1)?;
            trust.anchors.push(anchor.to_owned());
        }
        for (index, der) in lists.iter().enumerate() {
            let list = OwnedCertRevocationList::from_der(der);
            let list = list.map_err(|_| authorities.len() + index + 1)?;
            trust.lists.push(list.into());
        }
        Ok(trust)
    }

    /// The certificates of a PEM text, and these lists, each DER or PEM.
    ///
    /// # Errors
    /// What cannot be used, in words: the authorities, or the list of a number (from 1).
    pub fn read(authorities: &str, lists: &[Vec<u8>]) -> Result<Trust, String> {
        let authorities = CertificateDer::pem_slice_iter(authorities.as_bytes())
            .map(|one| one.map(|der| der.to_vec()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| "`authorities` is not PEM")?;
        if authorities.is_empty() {
            return Err("`authorities` holds no certificate".to_owned());
        }
        let der = |bytes: &Vec<u8>| match CertificateRevocationListDer::from_pem_slice(bytes) {
            Ok(list) => list.to_vec(),
            Err(_) => bytes.clone(),
        };
        let lists: Vec<Vec<u8>> = lists.iter().map(der).collect();
        Trust::new(&authorities, &lists).map_err(|number| {
            match number.checked_sub(authorities.len()).filter(|list| *list > 0) {
                Some(list) => format!("list {list} is not a revocation list"),
                None => format!("authority {number} cannot be used"),
            }
        })
    }

    /// Whether a certificate led at that time to an authority and was not revoked.
    ///
    /// # Errors
    /// `G854`, `G855`, `G856`, `G857`; `G858`, which passes, where the revocation status is not known.
    pub(super) fn check(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        at: Timestamp,
    ) -> Result<(), Failure> {
        may_sign(certificate)?;
        let signer = EndEntityCert::try_from(certificate).map_err(|_| not_a_certificate())?;
        let lists: Vec<&CertRevocationList<'_>> = self.lists.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&lists)
            .map_err(|_| unknown("the trust store has no revocation list"))?
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build();
        let seconds = u64::try_from(at.as_second()).unwrap_or_default();
        let at = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let usage = KeyUsage::required_if_present(DOCUMENT_SIGNING);
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        signer
            .verify_for_usage(algorithms, &self.anchors, others, at, usage, Some(revocation), None)
            .map(|_| ())
            .map_err(|error| why(&error))
    }
}

/// `keyUsage` must be there and allow signatures; a certificate of an authority signs no documents.
fn may_sign(certificate: &CertificateDer<'_>) -> Result<(), Failure> {
    let (rest, parsed) = X509Certificate::from_der(certificate).map_err(|_| not_a_certificate())?;
    let usage = parsed.key_usage().ok().flatten();
    let signs =
        usage.is_some_and(|usage| usage.value.digital_signature() || usage.value.non_repudiation());
    if rest.is_empty() && signs && !parsed.is_ca() {
        return Ok(());
    }
    Err(untrusted("the certificate may not be used to sign documents (`keyUsage`)"))
}

/// webpki's error as one of ours; its texts name no value.
fn why(error: &Error) -> Failure {
    match error {
        Error::CertExpired { .. } => {
            refuse(&codes::SIGNATURE_EXPIRED, "a certificate had ended when it was received")
        }
        Error::CertNotValidYet { .. } => {
            refuse(&codes::SIGNATURE_EXPIRED, "a certificate had not begun when it was received")
        }
        Error::CertRevoked => refuse(&codes::SIGNATURE_REVOKED, ""),
        Error::CrlExpired { .. } => unknown("the revocation list is past its `nextUpdate`"),
        Error::UnknownRevocationStatus => unknown("no revocation list speaks of the certificate"),
        Error::InvalidCrlSignatureForPublicKey | Error::IssuerNotCrlSigner => {
            unknown("the revocation list is not signed by the authority")
        }
        Error::UnknownIssuer => untrusted("it leads to no authority of the trust store"),
        other => untrusted(format!("{other}")),
    }
}

fn untrusted(detail: impl Into<String>) -> Failure {
    refuse(&codes::SIGNATURE_UNTRUSTED, detail)
}

/// What passes once the lists are renewed.
fn unknown(detail: &str) -> Failure {
    Failure { class: Class::TryAgain, ..refuse(&codes::REVOCATION_UNKNOWN, detail) }
}

fn not_a_certificate() -> Failure {
    unsupported("`X509Certificate` is not a certificate that can be read")
}
