//! What a fetched document must be signed by, and which part of it is then its content.

use super::{BodyPlan, Operation, ResponsePlan};
use crate::codec::signed::{self, Policy, Trust};
use crate::codec::{DecodeError, Limits};
use crate::mapping::path::Path;
use crate::model::codes::{message as codes, signature};
use crate::model::json::Node;
use crate::model::{Class, Code, Failure, Stage};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

/// A signature that is demanded of what an operation fetches.
#[derive(Debug)]
pub struct Signature {
    /// The trust store of `watashi.toml`.
    pub trust: String,
    /// Where the answer holds the signed document, in base64; `None`: the answer is it.
    pub document: Option<Path>,
    /// What must be signed, and where it stands.
    pub policy: Policy,
    /// Where the signed content names the item, which must be the one that was asked for.
    pub item: Option<Path>,
    /// How the signed element is laid out: the content of the message.
    pub content: Arc<BodyPlan>,
}

impl Operation {
    /// The layout of a message that this operation gives: of the signed part of an answer, where a
    /// signature is demanded.
    pub fn content(&self) -> Option<&ResponsePlan> {
        let signed = self.signature.as_ref().map(|signature| &signature.content);
        signed.or(self.step.response.as_ref())
    }

    /// The trust store that signatures of what comes are judged by, where they are demanded.
    pub fn trust(&self) -> Option<&str> {
        let of_files = || Some(self.file_in.as_ref()?.signature.as_ref()?.trust.as_str());
        self.signature.as_ref().map(|signature| signature.trust.as_str()).or_else(of_files)
    }
}

impl Signature {
    /// The canonical bytes of what is signed in the answer for an item, received at a time;
    /// `response` is how answers are laid out.
    ///
    /// # Errors
    /// `G851` to `G859`, `G107`. Where its class is `TryAgain` it is to be asked for again later.
    pub fn open(
        &self,
        answer: &[u8],
        response: Option<&BodyPlan>,
        id: &str,
        trust: &Trust,
        at: Timestamp,
    ) -> Result<Vec<u8>, Failure> {
        let document = self.document(answer, response)?;
        let content = signed::verify(&document, &self.policy, trust, at)?;
        if let Some(path) = &self.item {
            let read = self.content.codec.read(&content, &Limits::default());
            let read = read.map_err(|error| unreadable(&error))?;
            if path.node(&read).and_then(Node::as_str) != Some(id) {
                let detail = "what is signed is the document of another item";
                return Err(refuse(&signature::SIGNATURE_WRAPPED, detail));
            }
        }
        Ok(content)
    }

    /// The signed document, out of the answer where it stands in one.
    ///
    /// # Errors
    /// `G851`, `G859`, `G107`.
    pub fn document<'a>(
        &self,
        answer: &'a [u8],
        response: Option<&BodyPlan>,
    ) -> Result<Cow<'a, [u8]>, Failure> {
        let (Some(path), Some(response)) = (&self.document, response) else {
            return Ok(Cow::Borrowed(answer));
        };
        let read = response.codec.read(answer, &Limits::default());
        let read = read.map_err(|error| unreadable(&error))?;
        let text = path.node(&read).and_then(Node::as_str);
        let text = text.ok_or_else(|| {
            refuse(&signature::SIGNATURE_MISSING, "the answer holds no signed document")
        })?;
        STANDARD.decode(text).map(Cow::Owned).map_err(|_| {
            refuse(&signature::SIGNED_NOT_READABLE, "the signed document is not base64")
        })
    }
}

fn unreadable(error: &DecodeError) -> Failure {
    refuse(&codes::BODY_NOT_READABLE, error.to_string())
}

fn refuse(code: &'static Code, detail: impl Into<String>) -> Failure {
    Failure { code, stage: Stage::Accept, class: Class::Never, detail: detail.into() }
}
