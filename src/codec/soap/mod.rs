//! SOAP 1.1 and 1.2 over HTTP, document style: one element in the body, or a fault.
//!
//! Layout: `x-soap` at the root. The document is an object of up to three members: `header` (an
//! object of the header blocks), `body` (the element in the body, laid out by `xml`), `fault` (an
//! object of `code`, `codeNamespace`, `subcode`, `subcodeNamespace`, `reason`, `role`, `node`,
//! `detail`, of which the schema declares those that may cross). The envelope itself is made and
//! taken away here. Sources: SOAP 1.1 (W3C Note of 8 May 2000), SOAP 1.2 Part 1 (W3C
//! Recommendation, second edition), WS-I Basic Profile 1.1 for what 1.1 leaves open.

mod plan;
mod read;
mod write;

use super::EncodeError;
use super::field::Problems;
use super::xml::Xml;
use crate::model::json::{DecodeError, Limits};
use crate::schema::Shape;
use serde_json::Value;

/// A version of SOAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1_1,
    V1_2,
}

impl Version {
    /// Namespace of the envelope.
    fn namespace(self) -> &'static str {
        match self {
            Version::V1_1 => "http://schemas.xmlsoap.org/soap/envelope/",
            Version::V1_2 => "http://www.w3.org/2003/05/soap-envelope",
        }
    }

    /// The fault codes of the version itself.
    fn codes(self) -> &'static [&'static str] {
        match self {
            Version::V1_1 => &["VersionMismatch", "MustUnderstand", "Client", "Server"],
            Version::V1_2 => {
                &["VersionMismatch", "MustUnderstand", "DataEncodingUnknown", "Sender", "Receiver"]
            }
        }
    }
}

/// A compiled SOAP layout.
#[derive(Debug)]
pub struct Soap {
    version: Version,
    action: String,
    content_type: String,
    header: Option<Vec<Block>>,
    body: Option<Xml>,
    fault: Option<FaultPlan>,
}

/// An element that a member of `header` or `detail` is.
#[derive(Debug)]
struct Block {
    property: String,
    xml: Xml,
    must_understand: bool,
}

/// Which members of a fault cross; `code` always does.
#[derive(Debug, Default)]
struct FaultPlan {
    code_namespace: bool,
    subcode: bool,
    subcode_namespace: bool,
    reason: bool,
    role: bool,
    node: bool,
    detail: Option<Vec<Block>>,
}

impl Soap {
    /// Compiles the layout of a schema.
    pub fn compile(shape: &Shape, problems: &mut Problems<'_>) -> Option<Soap> {
        plan::compile(shape, problems)
    }

    /// Reads an envelope.
    pub fn decode(&self, bytes: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
        read::envelope(self, bytes, limits)
    }

    /// Writes an envelope.
    pub fn encode(&self, document: &Value) -> Result<Vec<u8>, EncodeError> {
        write::envelope(self, document)
    }

    /// The `Content-Type` of the version; that of 1.2 names the action.
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Whether `essence` (lower case, without parameters) is the media type of the version.
    pub fn accepts(&self, essence: &str) -> bool {
        match self.version {
            Version::V1_1 => essence == "text/xml",
            Version::V1_2 => essence == "application/soap+xml",
        }
    }

    /// The value of the header `SOAPAction`, which SOAP 1.1 wants in every request.
    pub fn action_header(&self) -> Option<String> {
        (self.version == Version::V1_1).then(|| format!("\"{}\"", self.action))
    }
}
