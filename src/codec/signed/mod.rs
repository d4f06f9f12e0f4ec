//! XML signatures: whether a document was signed by somebody who is believed, and *what* was.
//!
//! The answer is the canonical bytes of the signed element, the very bytes whose digest was
//! compared. Nothing else of the document is handed on, so that nobody can read what nobody signed
//! (XML signature wrapping). Which element it must be, and where it stands, is declared; where the
//! signature points does not choose it.

mod canonical;
mod profile;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tree;
mod trust;

pub use trust::Trust;

use crate::model::codes::signature as codes;
use crate::model::{Class, Code, Failure, Stage};
use jiff::Timestamp;
use profile::DS;
use tree::Element;
use webpki::EndEntityCert;

/// What must be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Names of the elements from the root to the signed one; never empty.
    pub path: Vec<String>,
    /// Their namespace; empty: none.
    pub namespace: String,
    /// The attribute of the signed element that holds its id.
    pub id: String,
}

/// Verifies a document that was received at a time, and gives the canonical bytes of what is signed.
///
/// # Errors
/// `G851` to `G857` and `G859` for good; `G858` (class `TryAgain`) while the revocation status is
/// not known.
pub fn verify(
    document: &[u8],
    policy: &Policy,
    trust: &Trust,
    at: Timestamp,
) -> Result<Vec<u8>, Failure> {
    let root = tree::read(document)?;
    let chain = chain(&root, policy)?;
    let Some(node) = chain.last().copied() else { return Err(missing()) };
    let signature = the_signature(&root, &chain)?;
    nothing_beside(&chain, signature)?;
    let said = profile::read(signature)?;
    the_id(&root, node, said.id, policy)?;
    let inside = node.elements().any(|element| std::ptr::eq(element, signature));
    if said.enveloped != inside {
        let detail = "enveloped-signature belongs to a signature inside the signed element only";
        return Err(profile::unsupported(detail));
    }
    // Canonical XML 1.0 carries `xml:` attributes from above into what it writes; that is not done.
    let is_inclusive = |kind| kind == canonical::Kind::Inclusive;
    let above = chain.iter().copied().take_while(|element| !std::ptr::eq(*element, node));
    let both = is_inclusive(said.kind) || is_inclusive(said.info_kind);
    if (both && canonical::inherits(above))
        || (is_inclusive(said.info_kind) && inside && canonical::inherits([node].into_iter()))
    {
        return Err(profile::unsupported("an `xml:` attribute above what is signed"));
    }
    let bytes = canonical::write(node, said.kind, inside.then_some(signature));
    if aws_lc_rs::digest::digest(said.digest, &bytes).as_ref() != said.digest_value {
        return Err(refuse(&codes::SIGNATURE_ALTERED, "the digest of the signed element differs"));
    }
    let info = canonical::write(said.signed_info, said.info_kind, None);
    let signer = EndEntityCert::try_from(&said.certificate)
        .map_err(|_| profile::unsupported("`X509Certificate` cannot be read"))?;
    let value = match said.method.half {
        Some(half) => side_by_side(&said.value, half)?,
        None => said.value.clone(),
    };
    signer.verify_signature(said.method.algorithm, &info, &value).map_err(|error| match error {
        webpki::Error::InvalidSignatureForPublicKey => {
            refuse(&codes::SIGNATURE_ALTERED, "the signature value does not agree")
        }
        _ => profile::unsupported(
            "the certificate's key is not one for this algorithm, or too short",
        ),
    })?;
    trust.check(&said.certificate, &said.others, at)?;
    Ok(bytes)
}

/// The elements from the root to the declared one; each step is there exactly once.
fn chain<'e>(root: &'e Element, policy: &Policy) -> Result<Vec<&'e Element>, Failure> {
    let mut steps = policy.path.iter();
    let is = |element: &Element, step: &str| element.is(step, &policy.namespace);
    if !steps.next().is_some_and(|step| is(root, step)) {
        return Err(refuse(&codes::SIGNATURE_WRAPPED, "the root is not the declared element"));
    }
    let mut chain = vec![root];
    let mut last = root;
    for step in steps {
        let mut found = last.elements().filter(|element| is(element, step));
        match (found.next(), found.next()) {
            (Some(one), None) => last = one,
            (None, _) => {
                let detail = "the declared element is not where it is declared to stand";
                return Err(refuse(&codes::SIGNATURE_WRAPPED, detail));
            }
            (Some(_), Some(_)) => {
                return Err(refuse(&codes::SIGNATURE_WRAPPED, "the declared element stands twice"));
            }
        }
        chain.push(last);
    }
    Ok(chain)
}

/// The only signature of the document; it stands in one of the elements of the chain.
fn the_signature<'e>(root: &'e Element, chain: &[&'e Element]) -> Result<&'e Element, Failure> {
    let mut count = 0;
    root.visit(&mut |element| count += usize::from(element.is("Signature", DS)));
    if count > 1 {
        return Err(refuse(&codes::SIGNATURE_WRAPPED, "more than one signature"));
    }
    let mut beside = chain.iter().flat_map(|element| element.elements());
    beside.find(|element| element.is("Signature", DS)).ok_or_else(missing)
}

/// Above the signed element stand the next one and the signature only: what is unsigned is not even
/// there.
fn nothing_beside(chain: &[&Element], signature: &Element) -> Result<(), Failure> {
    for (element, next) in chain.iter().zip(chain.iter().skip(1)) {
        let alone = element
            .elements()
            .all(|below| std::ptr::eq(below, *next) || std::ptr::eq(below, signature));
        if !alone || !element.holds_only_elements() {
            let detail = "something unsigned stands beside the signed element";
            return Err(refuse(&codes::SIGNATURE_WRAPPED, detail));
        }
    }
    Ok(())
}

/// The id of the reference is that of the declared element, and nowhere else in the document.
fn the_id(root: &Element, node: &Element, id: &str, policy: &Policy) -> Result<(), Failure> {
    let mut times = 0;
    root.visit(&mut |element| {
        let holders = element.attributes.iter().filter(|one| {
            one.value == id && (one.local == policy.id || one.local.eq_ignore_ascii_case("id"))
        });
        times += holders.count();
    });
    if node.attribute(&policy.id) != Some(id) {
        let detail = "the reference names another element than the declared one";
        return Err(refuse(&codes::SIGNATURE_WRAPPED, detail));
    }
    if times != 1 {
        return Err(refuse(&codes::SIGNATURE_WRAPPED, "the id of the reference stands twice"));
    }
    Ok(())
}

/// An ECDSA value of XML Signature (two numbers of the same length) in DER.
fn side_by_side(value: &[u8], half: usize) -> Result<Vec<u8>, Failure> {
    let bad = || profile::unsupported("an ECDSA value is two numbers of the curve's length");
    let (r, s) = value.split_at_checked(half).filter(|(_, s)| s.len() == half).ok_or_else(bad)?;
    let mut numbers = Vec::with_capacity(2 * half + 6);
    for number in [r, s] {
        let start = number.iter().position(|byte| *byte != 0).ok_or_else(bad)?;
        let digits = number.get(start..).unwrap_or_default();
        let sign = usize::from(digits.first().is_some_and(|byte| byte & 0x80 != 0));
        // At most 49 bytes each: lengths of one byte.
        numbers.extend([0x02, u8::try_from(digits.len() + sign).map_err(|_| bad())?]);
        numbers.extend(std::iter::repeat_n(0, sign));
        numbers.extend(digits);
    }
    let mut der = vec![0x30, u8::try_from(numbers.len()).map_err(|_| bad())?];
    der.extend(numbers);
    Ok(der)
}

fn missing() -> Failure {
    refuse(&codes::SIGNATURE_MISSING, "no signature beside or in the declared element")
}

fn refuse(code: &'static Code, detail: impl Into<String>) -> Failure {
    Failure { code, stage: Stage::Accept, class: Class::Never, detail: detail.into() }
}
