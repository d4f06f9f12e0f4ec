//! Reads what a fetched document must be signed by.

use super::Loader;
use crate::adapter::file::FileSignature;
use crate::adapter::keys::signature as keys;
use crate::adapter::{Signature, Step};
use crate::codec::Format;
use crate::codec::signed::Policy;
use crate::diagnostic::yaml::Node;
use std::sync::Arc;

impl Loader<'_, '_> {
    /// `signature` of a pull.
    pub(super) fn signature(&mut self, node: &Node, step: &Step) -> Option<Signature> {
        self.reader.keys(node, &keys::SIGNATURE)?;
        self.only(node, "kind", "xml-dsig");
        self.only(node, "revocation", "crl");
        let trust = self.reader.required(node, keys::SIGNATURE.what, "trust");
        let trust = trust.and_then(|node| self.reader.text(node, "`trust`")).map(str::to_owned);
        let shape = step.response.as_ref().map(|plan| plan.schema.shape());
        let document = self.field_at(node, "document", shape);
        let policy = self.signed_node(node, keys::SIGNATURE.what);
        let content = self.reader.required(node, keys::SIGNATURE.what, "content");
        let content = content.and_then(|node| self.body(node))?;
        if content.format != Format::Xml {
            let at = node.get("content").unwrap_or(node);
            self.not_allowed(at, content.format.name(), "xml");
        }
        let item = self.field_at(node, "item", Some(content.schema.shape()));
        Some(Signature {
            trust: trust?,
            document,
            policy: policy?,
            item,
            content: Arc::new(content),
        })
    }

    /// `signature` of files that come.
    pub(super) fn file_signature(&mut self, node: &Node, files: &Node) -> Option<FileSignature> {
        self.reader.keys(node, &keys::FILE_SIGNATURE)?;
        self.only(node, "kind", "xml-dsig");
        self.only(node, "revocation", "crl");
        let format = files.get("format");
        if let Some(found) = format.filter(|format| format.as_str() != Some("xml")) {
            self.not_allowed(found, found.as_str().unwrap_or("that"), "xml");
        }
        let what = keys::FILE_SIGNATURE.what;
        let trust = self.reader.required(node, what, "trust");
        let trust = trust.and_then(|node| self.reader.text(node, "`trust`")).map(str::to_owned);
        let policy = self.signed_node(node, what);
        Some(FileSignature { trust: trust?, policy: policy? })
    }

    /// Which element must be signed.
    fn signed_node(&mut self, node: &Node, what: &str) -> Option<Policy> {
        let path = self.reader.required(node, what, "node");
        let path = path.and_then(|node| self.reader.text(node, "`node`")).map(str::to_owned);
        Some(Policy {
            path: path?.split('/').map(str::to_owned).collect(),
            namespace: self.reader.text_at(node, "namespace").unwrap_or_default().to_owned(),
            id: self.reader.text_at(node, "id").unwrap_or("Id").to_owned(),
        })
    }

    /// A key that has one word.
    fn only(&mut self, node: &Node, key: &str, word: &str) {
        if let Some(found) = node.get(key)
            && found.as_str() != Some(word)
        {
            self.not_allowed(found, found.as_str().unwrap_or("that"), word);
        }
    }
}
