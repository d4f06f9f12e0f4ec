//! Applicants who sign: an authority of their own, its revocation list, packages that are as they
//! should be and packages that are spoilt in one way each.
//!
//! The documents are written in canonical form by hand (XML Signature with Exclusive XML
//! Canonicalization): nothing here is shared with what is tested.

use crate::Trouble;
use crate::clamd::MALWARE;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt::Write;

/// Namespace of an application and its package.
const NAMESPACE: &str = "urn:watashi:application-intake";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
const C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";

/// How a package is spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Spoilt {
    /// An answer was changed after it was signed.
    Altered,
    /// The signature is gone.
    Stripped,
    /// What was signed stands aside, in its place something forged.
    Wrapped,
    /// Another applicant's application, well signed, under this number.
    Exchanged,
    /// The certificate is of an authority that nobody knows.
    Untrusted,
    /// The certificate has ended.
    Expired,
    /// The certificate is revoked.
    Revoked,
    /// The digest is SHA-1.
    Unsupported,
    /// All is well with the signature, and an attachment of what was signed holds malware.
    Laden,
}

impl Spoilt {
    /// All of them.
    pub const ALL: [Spoilt; 9] = [
        Spoilt::Altered,
        Spoilt::Stripped,
        Spoilt::Wrapped,
        Spoilt::Exchanged,
        Spoilt::Untrusted,
        Spoilt::Expired,
        Spoilt::Revoked,
        Spoilt::Unsupported,
        Spoilt::Laden,
    ];
}

/// Three good packages and one spoilt in each way, as `simulator.yaml` holds them.
///
/// # Errors
/// When no keys can be made.
pub fn samples() -> Result<String, Trouble> {
    let applicants = Applicants::new()?;
    let mut text = "trust:\n  applicants:\n    authorities: |\n".to_owned();
    let block = |text: &mut String, content: &str| -> Result<(), Trouble> {
        for line in content.lines() {
            writeln!(text, "      {line}")?;
        }
        Ok(())
    };
    block(&mut text, &applicants.authority)?;
    text.push_str("    revocation-list: |\n");
    block(&mut text, &applicants.revoked)?;
    text.push_str("documents:\n");
    let all = [None; 3].into_iter().chain(Spoilt::ALL.map(Some));
    for (number, spoilt) in (1..).zip(all) {
        let id = format!("202606010000000000{number:02}");
        let document = json!({"receptionNumber": id, "receivedAt": "2026-06-01T09:00:00+09:00",
            "procedureCode": "P0001", "procedureName": "住所地外接種届",
            "municipalityCode": "131237",
            "applicant": {"serialResolvedAtenaNumber": "123456789012340",
                "name": "試験　太郎", "nameKana": "シケン　タロウ", "dateOfBirth": "1990-01-01",
                "address": "東京都江戸川区見本町一丁目１番６号", "phone": "0312345678"},
            "formItems": [
                {"itemId": "child-name", "itemName": "子の氏名", "value": "試験　花子"},
                {"itemId": "vaccine", "itemName": "予防接種の種類", "value": "ＭＲ第１期"}],
            "attachments": [
                {"attachmentId": "1", "documentName": "母子健康手帳の写し",
                    "fileName": "手帳.pdf", "mediaType": "application/pdf",
                    "content": STANDARD.encode("%PDF-1.7\n1 0 obj\n")}]});
        let package = applicants.package(&document, spoilt)?;
        let what = spoilt.map_or("good".to_owned(), |how| format!("{how:?}").to_lowercase());
        writeln!(text, "  # {what}\n  - id: \"{id}\"\n    body:\n      receptionNumber: \"{id}\"")?;
        writeln!(text, "      package: {package}")?;
    }
    Ok(text)
}

struct Signer {
    key: EcdsaKeyPair,
    certificate: String,
}

/// The authority of applicants, and some of them.
pub struct Applicants {
    /// Certificate of the authority, PEM.
    pub authority: String,
    /// Its revocation list, PEM.
    pub revoked: String,
    good: Signer,
    expired: Signer,
    withdrawn: Signer,
    stranger: Signer,
}

/// Serial number of the certificate that is revoked.
const WITHDRAWN: u64 = 13;

impl Applicants {
    /// Makes an authority and its applicants; their keys never leave the process.
    pub fn new() -> Result<Applicants, Trouble> {
        let (issuer, authority) = make_authority("試験用署名認証局")?;
        let (unknown, _) = make_authority("よその認証局")?;
        let revoked = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2125, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(WITHDRAWN),
                revocation_time: date_time_ymd(2026, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(Applicants {
            authority,
            revoked: revoked.signed_by(&issuer)?.pem()?,
            good: make_signer(&issuer, 11, 2125)?,
            expired: make_signer(&issuer, 12, 2024)?,
            withdrawn: make_signer(&issuer, WITHDRAWN, 2125)?,
            stranger: make_signer(&unknown, 11, 2125)?,
        })
    }

    /// The signed package of an application, in base64.
    pub fn package(&self, document: &Value, spoilt: Option<Spoilt>) -> Result<String, Trouble> {
        let node = match spoilt {
            Some(Spoilt::Laden) => application(&laden(document))?,
            _ => application(document)?,
        };
        let signer = match spoilt {
            Some(Spoilt::Untrusted) => &self.stranger,
            Some(Spoilt::Expired) => &self.expired,
            Some(Spoilt::Revoked) => &self.withdrawn,
            _ => &self.good,
        };
        let signature = signer.sign(&node)?;
        let forged = node.replacen("<value>", "<value>9", 1);
        let inside = match spoilt {
            Some(Spoilt::Altered) => format!("{forged}{signature}"),
            Some(Spoilt::Stripped) => node,
            Some(Spoilt::Wrapped) => {
                let forged = forged.replacen(" Id=\"", " Id=\"x", 1);
                format!("{forged}<old>{node}</old>{signature}")
            }
            Some(Spoilt::Exchanged) => {
                let other = node.replacen("<receptionNumber>", "<receptionNumber>0", 1);
                format!("{other}{}", signer.sign(&other)?)
            }
            Some(Spoilt::Unsupported) => {
                let sha1 = "http://www.w3.org/2000/09/xmldsig#sha1";
                let sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
                format!("{node}{}", signature.replace(sha256, sha1))
            }
            _ => format!("{node}{signature}"),
        };
        Ok(STANDARD.encode(format!("<package xmlns=\"{NAMESPACE}\">{inside}</package>")))
    }
}

fn make_authority(name: &str) -> Result<(Issuer<'static, KeyPair>, String), Trouble> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_after = date_time_ymd(2125, 1, 1);
    let certificate = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), certificate))
}

fn make_signer(
    issuer: &Issuer<'static, KeyPair>,
    serial: u64,
    until: i32,
) -> Result<Signer, Trouble> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "試験　申請者");
    params.serial_number = Some(SerialNumber::from(serial));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::ContentCommitment];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let certificate = STANDARD.encode(params.signed_by(&key, issuer)?.der());
    let der = key.serialize_der();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der)
        .map_err(|_| "the key cannot be used")?;
    Ok(Signer { key, certificate })
}

impl Signer {
    fn sign(&self, node: &str) -> Result<String, Trouble> {
        let id = node.split_once(" Id=\"").and_then(|(_, rest)| rest.split_once('"'));
        let (id, _) = id.ok_or("no id")?;
        let digest = STANDARD.encode(digest(&SHA256, node.as_bytes()));
        let info = format!(
            "<SignedInfo xmlns=\"{DS}\"><CanonicalizationMethod Algorithm=\"{C14N}\">\
             </CanonicalizationMethod><SignatureMethod \
             Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\"></SignatureMethod>\
             <Reference URI=\"#{id}\"><Transforms><Transform Algorithm=\"{C14N}\"></Transform>\
             </Transforms><DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\">\
             </DigestMethod><DigestValue>{digest}</DigestValue></Reference></SignedInfo>"
        );
        let value = self.key.sign(&SystemRandom::new(), info.as_bytes());
        let value = STANDARD.encode(value.map_err(|_| "cannot sign")?);
        Ok(format!(
            "<Signature xmlns=\"{DS}\">{info}<SignatureValue>{value}</SignatureValue><KeyInfo>\
             <X509Data><X509Certificate>{}</X509Certificate></X509Data></KeyInfo></Signature>",
            self.certificate
        ))
    }
}

/// The application as XML, in canonical form; its items in the order of the layout.
fn application(document: &Value) -> Result<String, Trouble> {
    const HEAD: [&str; 5] =
        ["receptionNumber", "receivedAt", "procedureCode", "procedureName", "municipalityCode"];
    const APPLICANT: [&str; 7] = [
        "serialResolvedAtenaNumber",
        "certificateSerial",
        "name",
        "nameKana",
        "dateOfBirth",
        "address",
        "phone",
    ];
    const ATTACHMENT: [&str; 5] =
        ["attachmentId", "documentName", "fileName", "mediaType", "content"];
    let mut xml = format!("<application xmlns=\"{NAMESPACE}\" Id=\"application-1\">");
    texts(&mut xml, &HEAD, Some(document))?;
    xml.push_str("<applicant>");
    texts(&mut xml, &APPLICANT, document.get("applicant"))?;
    xml.push_str("</applicant><formItems>");
    for item in document.get("formItems").and_then(Value::as_array).into_iter().flatten() {
        xml.push_str("<item>");
        texts(&mut xml, &["itemId", "itemName", "value"], Some(item))?;
        xml.push_str("</item>");
    }
    xml.push_str("</formItems>");
    if let Some(attachments) = document.get("attachments").and_then(Value::as_array) {
        xml.push_str("<attachments>");
        for one in attachments {
            xml.push_str("<attachment>");
            texts(&mut xml, &ATTACHMENT, Some(one))?;
            xml.push_str("</attachment>");
        }
        xml.push_str("</attachments>");
    }
    xml.push_str("</application>");
    Ok(xml)
}

/// The same application with one more attachment, which holds malware: nobody sees it who does not
/// decode it.
fn laden(document: &Value) -> Value {
    let content = STANDARD.encode(format!("%PDF-1.7\n{MALWARE}"));
    let one = json!({"attachmentId": "9", "documentName": "領収書", "fileName": "領収書.pdf",
        "mediaType": "application/pdf", "content": content});
    let mut document = document.clone();
    let attachments = document
        .as_object_mut()
        .map(|members| members.entry("attachments").or_insert_with(|| json!([])));
    if let Some(Value::Array(attachments)) = attachments {
        attachments.push(one);
    }
    document
}

/// The members that are there, as elements.
fn texts(xml: &mut String, names: &[&str], of: Option<&Value>) -> Result<(), Trouble> {
    for name in names {
        if let Some(value) = of.and_then(|of| of.get(name)).and_then(Value::as_str) {
            write!(xml, "<{name}>{}</{name}>", escaped(value))?;
        }
    }
    Ok(())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\r', "&#xD;")
}
