//! The one form of signature that is accepted: an allow-list, element by element.
//!
//! `Signature(SignedInfo(CanonicalizationMethod, SignatureMethod, Reference(Transforms,
//! DigestMethod, DigestValue)), SignatureValue, KeyInfo(X509Data(X509Certificate+)))`, XML Signature
//! 1.1. Whatever else the standard knows is refused: it is where the attacks are.

use super::canonical::Kind;
use super::refuse;
use super::tree::Element;
use crate::model::Failure;
use crate::model::codes::signature as codes;
use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use webpki::aws_lc_rs as algorithms;

/// Namespace of XML Signature.
pub(super) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

/// Certificates in one signature: the signer's and those on its way to an authority.
const MAX_CERTIFICATES: usize = 5;

/// What a signature says, not yet believed.
pub(super) struct Said<'a> {
    /// The part that the signature value is over.
    pub signed_info: &'a Element,
    /// How that is written.
    pub info_kind: Kind,
    /// The id of the element that is signed.
    pub id: &'a str,
    /// Whether the signature is to be left out of it.
    pub enveloped: bool,
    /// How it is written.
    pub kind: Kind,
    /// Digest of what is written.
    pub digest: &'static digest::Algorithm,
    /// Its value.
    pub digest_value: Vec<u8>,
    /// How the signature is made.
    pub method: Method,
    /// Its value.
    pub value: Vec<u8>,
    /// The signer's certificate.
    pub certificate: CertificateDer<'static>,
    /// Others that it came with.
    pub others: Vec<CertificateDer<'static>>,
}

/// A signature algorithm.
pub(super) struct Method {
    /// How it is verified.
    pub algorithm: &'static dyn SignatureVerificationAlgorithm,
    /// ECDSA: length of one half of the value, which XML Signature writes side by side.
    pub half: Option<usize>,
}

/// Reads a signature.
///
/// # Errors
/// `G854` for everything that is not of the accepted form.
pub(super) fn read(signature: &Element) -> Result<Said<'_>, Failure> {
    let [signed_info, value, key_info] =
        children(signature, ["SignedInfo", "SignatureValue", "KeyInfo"], &["Id"])?;
    let [c14n, method, reference] =
        children(signed_info, ["CanonicalizationMethod", "SignatureMethod", "Reference"], &["Id"])?;
    let info_kind = canonicalization(algorithm(c14n)?)?;
    let method = signature_method(algorithm(method)?)?;
    let [transforms, digest_method, digest_value] =
        children(reference, ["Transforms", "DigestMethod", "DigestValue"], &["URI", "Id"])?;
    let uri = reference.attribute("URI").unwrap_or_default();
    let id = uri.strip_prefix('#').filter(|id| is_plain(id)).ok_or_else(|| {
        unsupported("`URI` of the reference is not `#` and a plain id in this document")
    })?;
    let (enveloped, kind) = transformed(transforms)?;
    let [data] = children(key_info, ["X509Data"], &["Id"])?;
    let mut certificates = certificates(data)?.into_iter();
    let certificate = certificates.next().ok_or_else(|| unsupported("no certificate"))?;
    Ok(Said {
        signed_info,
        info_kind,
        id,
        enveloped,
        kind,
        digest: digest_algorithm(algorithm(digest_method)?)?,
        digest_value: bytes(digest_value, &[])?,
        method,
        value: bytes(value, &["Id"])?,
        certificate,
        others: certificates.collect(),
    })
}

/// The elements inside, which must be these and no others.
fn children<'e, const N: usize>(
    element: &'e Element,
    names: [&str; N],
    attributes: &[&str],
) -> Result<[&'e Element; N], Failure> {
    allow(element, attributes)?;
    let found: Vec<&Element> = element.elements().collect();
    let named = found.iter().zip(names).all(|(one, name)| one.is(name, DS));
    match <[&Element; N]>::try_from(found) {
        Ok(found) if named && element.holds_only_elements() => Ok(found),
        _ => {
            let names = names.join(", ");
            Err(unsupported(format!("`{}` does not hold exactly: {names}", known_name(element))))
        }
    }
}

/// The algorithm of an element that holds nothing.
fn algorithm(element: &Element) -> Result<&str, Failure> {
    allow(element, &["Algorithm"])?;
    if element.elements().next().is_some() || !element.holds_only_elements() {
        let name = known_name(element);
        return Err(unsupported(format!("`{name}` has parameters, which are not accepted")));
    }
    Ok(element.attribute("Algorithm").unwrap_or_default())
}

fn allow(element: &Element, attributes: &[&str]) -> Result<(), Failure> {
    let known = |one: &super::tree::Attribute| {
        one.namespace.is_empty() && attributes.contains(&one.local.as_str())
    };
    if element.attributes.iter().all(known) {
        return Ok(());
    }
    Err(unsupported(format!("`{}` has an attribute that is not accepted", known_name(element))))
}

/// The element's name where it is one of XML Signature's, so that no text of a sender is shown.
fn known_name(element: &Element) -> &str {
    const NAMES: [&str; 12] = [
        "Signature",
        "SignedInfo",
        "SignatureValue",
        "KeyInfo",
        "CanonicalizationMethod",
        "SignatureMethod",
        "Reference",
        "Transforms",
        "Transform",
        "DigestMethod",
        "DigestValue",
        "X509Data",
    ];
    let name = element.local.as_str();
    if NAMES.contains(&name) { name } else { "an element" }
}

/// White space between the characters of base64 is allowed, as XML Signature writes lines.
fn bytes(element: &Element, attributes: &[&str]) -> Result<Vec<u8>, Failure> {
    allow(element, attributes)?;
    let bad = || unsupported(format!("`{}` is not base64", known_name(element)));
    let text = element.text().ok_or_else(bad)?;
    let plain: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let decoded = STANDARD.decode(plain).map_err(|_| bad())?;
    if decoded.is_empty() { Err(bad()) } else { Ok(decoded) }
}

fn certificates(data: &Element) -> Result<Vec<CertificateDer<'static>>, Failure> {
    allow(data, &[])?;
    let mut found = Vec::new();
    for element in data.elements() {
        if !element.is("X509Certificate", DS) || found.len() == MAX_CERTIFICATES {
            let detail = format!("`X509Data` holds 1 to {MAX_CERTIFICATES} `X509Certificate` only");
            return Err(unsupported(detail));
        }
        found.push(CertificateDer::from(bytes(element, &[])?));
    }
    if data.holds_only_elements() { Ok(found) } else { Err(unsupported("text in `X509Data`")) }
}

/// `enveloped-signature` and one canonicalization, each at most once and in this order. Without the
/// second it is Canonical XML 1.0, as XML Signature says.
fn transformed(transforms: &Element) -> Result<(bool, Kind), Failure> {
    allow(transforms, &[])?;
    let mut names = Vec::new();
    for transform in transforms.elements() {
        if !transform.is("Transform", DS) || names.len() == 2 {
            return Err(unsupported("`Transforms` holds 1 or 2 `Transform`"));
        }
        names.push(algorithm(transform)?);
    }
    if !transforms.holds_only_elements() {
        return Err(unsupported("text in `Transforms`"));
    }
    match names.as_slice() {
        [ENVELOPED] => Ok((true, Kind::Inclusive)),
        [ENVELOPED, c14n] => Ok((true, canonicalization(c14n)?)),
        [c14n] => Ok((false, canonicalization(c14n)?)),
        _ => Err(unsupported("`Transforms` holds enveloped-signature and one canonicalization")),
    }
}

const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

fn canonicalization(name: &str) -> Result<Kind, Failure> {
    match name {
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315" => Ok(Kind::Inclusive),
        "http://www.w3.org/2001/10/xml-exc-c14n#" => Ok(Kind::Exclusive),
        _ => Err(unsupported(
            "accepted for canonicalization: Canonical XML 1.0 and Exclusive XML Canonicalization \
             1.0, without comments",
        )),
    }
}

fn digest_algorithm(name: &str) -> Result<&'static digest::Algorithm, Failure> {
    match name {
        "http://www.w3.org/2001/04/xmlenc#sha256" => Ok(&SHA256),
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => Ok(&SHA384),
        "http://www.w3.org/2001/04/xmlenc#sha512" => Ok(&SHA512),
        _ => Err(unsupported("accepted for digests: SHA-256, SHA-384, SHA-512")),
    }
}

fn signature_method(name: &str) -> Result<Method, Failure> {
    let plain = |algorithm| Ok(Method { algorithm, half: None });
    let more = name.strip_prefix("http://www.w3.org/2001/04/xmldsig-more#");
    let newer = name.strip_prefix("http://www.w3.org/2007/05/xmldsig-more#");
    match (more, newer) {
        (Some("rsa-sha256"), _) => plain(algorithms::RSA_PKCS1_2048_8192_SHA256),
        (Some("rsa-sha384"), _) => plain(algorithms::RSA_PKCS1_2048_8192_SHA384),
        (Some("rsa-sha512"), _) => plain(algorithms::RSA_PKCS1_2048_8192_SHA512),
        (_, Some("sha256-rsa-MGF1")) => plain(algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY),
        (_, Some("sha384-rsa-MGF1")) => plain(algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY),
        (_, Some("sha512-rsa-MGF1")) => plain(algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY),
        (Some("ecdsa-sha256"), _) => {
            Ok(Method { algorithm: algorithms::ECDSA_P256_SHA256, half: Some(32) })
        }
        (Some("ecdsa-sha384"), _) => {
            Ok(Method { algorithm: algorithms::ECDSA_P384_SHA384, half: Some(48) })
        }
        _ => Err(unsupported(
            "accepted for signatures: RSA (PKCS #1 v1.5, PSS) with SHA-256, SHA-384, SHA-512; \
             ECDSA P-256 with SHA-256, P-384 with SHA-384",
        )),
    }
}

/// Letters, digits and `_ - .`, so that an id is nothing else anywhere.
pub(super) fn is_plain(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=128).contains(&id.len()) && id.chars().all(allowed)
}

pub(super) fn unsupported(detail: impl Into<String>) -> Failure {
    refuse(&codes::SIGNATURE_UNSUPPORTED, detail)
}
