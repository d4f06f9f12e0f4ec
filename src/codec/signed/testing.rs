//! A small authority and a signer for tests. Documents are written in their canonical form by hand,
//! so that nothing of what is tested helps to make them.

use super::{Policy, Trust};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, date_time_ymd,
};

pub const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
pub const ECDSA: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
pub const SHA_256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
pub const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

/// Noon of 2026-06-03 in Japan.
pub fn noon() -> Timestamp {
    Timestamp::from_second(1_780_455_600).unwrap()
}

/// An authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub der: Vec<u8>,
}

/// Somebody with a key and a certificate.
pub struct Signer {
    pub key: KeyPair,
    pub certificate: Vec<u8>,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Authority { issuer: Issuer::new(params, key), der }
    }

    /// A certificate of this serial number; `change` says how it differs from a good one.
    pub fn issue(&self, serial: u64, change: impl Fn(&mut CertificateParams)) -> Signer {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "署名 太郎");
        params.serial_number = Some(SerialNumber::from(serial));
        params.key_usages =
            vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
        params.not_before = date_time_ymd(2025, 1, 1);
        params.not_after = date_time_ymd(2030, 1, 1);
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Signer { key, certificate }
    }

    /// An authority below this one.
    pub fn below(&self, name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let der = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Authority { issuer: Issuer::new(params, key), der }
    }

    /// A revocation list that is in force until that day of 2026-06.
    pub fn list(&self, until: u8, revoked: &[u64]) -> Vec<u8> {
        let one = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 5, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 5, 2),
            next_update: date_time_ymd(2026, 6, until),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(one).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().to_vec()
    }

    /// It alone, with a list in force that revokes nobody.
    pub fn trust(&self) -> Trust {
        Trust::new(std::slice::from_ref(&self.der), &[self.list(30, &[])]).unwrap()
    }
}

/// One good signer, and what documents are signed with.
pub struct Town {
    pub authority: Authority,
    pub signer: Signer,
}

pub fn town() -> Town {
    let authority = Authority::new("試験認証局");
    let signer = authority.issue(7, |_| {});
    Town { authority, signer }
}

/// What the tests sign: in canonical form.
pub const NODE: &str = "<application xmlns=\"urn:t\" Id=\"a1\"><name>試験　太郎</name><sum>5&amp;7</sum>\
                        </application>";

pub fn policy() -> Policy {
    Policy {
        path: vec!["package".to_owned(), "application".to_owned()],
        namespace: "urn:t".to_owned(),
        id: "Id".to_owned(),
    }
}

/// What a signature is made of; the parts are put in as they are.
#[derive(Clone)]
pub struct Form {
    pub canonicalization: String,
    pub method: String,
    pub digest_method: String,
    pub transforms: Vec<String>,
    pub uri: String,
    /// In the place of one reference.
    pub references: Option<String>,
}

impl Default for Form {
    fn default() -> Form {
        Form {
            canonicalization: EXCLUSIVE.to_owned(),
            method: ECDSA.to_owned(),
            digest_method: SHA_256.to_owned(),
            transforms: vec![EXCLUSIVE.to_owned()],
            uri: "#a1".to_owned(),
            references: None,
        }
    }
}

impl Form {
    /// The only reference, over these canonical bytes.
    pub fn reference(&self, node: &str) -> String {
        let transform = |name: &String| format!("<Transform Algorithm=\"{name}\"></Transform>");
        let transforms: String = self.transforms.iter().map(transform).collect();
        format!(
            "<Reference URI=\"{}\"><Transforms>{transforms}</Transforms>\
             <DigestMethod Algorithm=\"{}\"></DigestMethod><DigestValue>{}</DigestValue>\
             </Reference>",
            self.uri,
            self.digest_method,
            STANDARD.encode(digest(&SHA256, node.as_bytes()))
        )
    }

    fn signed_info(&self, node: &str) -> String {
        let reference = self.references.clone().unwrap_or_else(|| self.reference(node));
        format!(
            "<SignedInfo xmlns=\"{DS}\"><CanonicalizationMethod Algorithm=\"{}\">\
             </CanonicalizationMethod><SignatureMethod Algorithm=\"{}\"></SignatureMethod>\
             {reference}</SignedInfo>",
            self.canonicalization, self.method
        )
    }
}

impl Signer {
    /// A signature over these canonical bytes.
    pub fn sign(&self, node: &str, form: &Form) -> String {
        self.sign_with(node, form, &[])
    }

    /// The same with certificates on the way to the authority.
    pub fn sign_with(&self, node: &str, form: &Form, more: &[&[u8]]) -> String {
        let info = form.signed_info(node);
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.key.serialize_der())
                .unwrap();
        let value = key.sign(&SystemRandom::new(), info.as_bytes()).unwrap();
        let one =
            |der: &[u8]| format!("<X509Certificate>{}</X509Certificate>", STANDARD.encode(der));
        let certificates: String = std::iter::once(self.certificate.as_slice())
            .chain(more.iter().copied())
            .map(one)
            .collect();
        format!(
            "<Signature xmlns=\"{DS}\">{info}<SignatureValue>{}</SignatureValue><KeyInfo>\
             <X509Data>{certificates}</X509Data></KeyInfo></Signature>",
            STANDARD.encode(value.as_ref())
        )
    }
}

/// The document: the node with its signature beside it.
pub fn package(node: &str, signature: &str) -> String {
    format!("<package xmlns=\"urn:t\">{node}{signature}</package>")
}

/// A certificate with a purpose that is not the signing of documents.
pub fn for_servers(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
}
