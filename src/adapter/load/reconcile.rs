//! Reads `reconcile:`: what is compared with what, and by which key.

use super::Loader;
use super::sink::{Sink, Start};
use crate::adapter::file::Layout;
use crate::adapter::keys::reconcile as keys;
use crate::adapter::reconcile::{FileSide, OurSide, Reconciliation, Told};
use crate::diagnostic::yaml::Node;
use crate::mapping::{Mapping, Predicate};
use crate::model::codes::adapter as codes;
use crate::record::Kind;
use crate::schema::Schema;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The members of a form, for who named one that is not there.
fn top_level(schema: &Schema) -> String {
    let names: Vec<&str> = schema.shape().properties.iter().map(|one| one.name.as_str()).collect();
    names.join(", ")
}

/// What an entry of our own record is read as.
const ENTRY: &str = "watashi/record-entry@1";

impl Loader<'_, '_> {
    /// All comparisons of an adapter.
    pub(super) fn reconciliations(
        &mut self,
        node: Option<&Node>,
    ) -> BTreeMap<String, Arc<Reconciliation>> {
        let mut found = BTreeMap::new();
        for entry in node.and_then(Node::as_map).unwrap_or_default() {
            if let Some(one) = self.reconciliation(&entry.key, &entry.node) {
                found.insert(entry.key.clone(), Arc::new(one));
            }
        }
        found
    }

    fn reconciliation(&mut self, name: &str, node: &Node) -> Option<Reconciliation> {
        self.reader.keys(node, &keys::RECONCILE)?;
        let (title_ja, _) = self.title(node.get("title"), name);
        let theirs = self.reader.required(node, "a reconciliation", "theirs");
        let theirs = theirs.and_then(|node| self.file_side(node));
        let ours = self.reader.required(node, "a reconciliation", "ours");
        let ours = ours.and_then(|node| self.our_side(node));
        self.reader.required(node, "a reconciliation", "key");
        let ((theirs, schema), (ours, other)) = (theirs?, ours?);
        if schema.id() != other.id() {
            let message = format!(
                "`theirs` leads to `{}`, `ours` to `{}`: only the same can be compared",
                schema.id(),
                other.id()
            );
            self.error(&codes::SIDES_DIFFER, node, message);
            return None;
        }
        let key = self.sink(node, Sink::Key, Start::whole(Some(schema.shape())))?;
        let where_both = self.where_both(node, &schema);
        let name = name.to_owned();
        Some(Reconciliation { name, title_ja, theirs, ours, schema, key, where_both })
    }

    fn where_both(&mut self, node: &Node, schema: &Schema) -> Vec<String> {
        let mut members = Vec::new();
        for node in node.get("where-both").and_then(Node::as_seq).unwrap_or_default() {
            let Some(path) = self.reader.text(node, "a member") else { continue };
            let mut shape = Some(schema.shape());
            for name in path.split('.') {
                let property = shape.and_then(|shape| shape.property(name));
                shape = property.map(|property| &property.shape);
            }
            match shape {
                Some(_) => members.push(path.to_owned()),
                None => self.not_allowed(node, path, &top_level(schema)),
            }
        }
        members
    }

    fn our_side(&mut self, node: &Node) -> Option<(OurSide, Arc<Schema>)> {
        if node.get("entries").is_none() {
            let (side, schema) = self.file_side(node)?;
            return Some((OurSide::Files(Box::new(side)), schema));
        }
        self.reader.keys(node, &keys::ENTRIES)?;
        let mut kinds = Vec::new();
        for node in node.get("entries").and_then(Node::as_seq).unwrap_or_default() {
            let word = self.reader.text(node, "a kind")?;
            match Kind::from_name(word) {
                Some(kind) => kinds.push(kind),
                None => self.not_allowed(node, word, &Kind::ALL.map(Kind::name).join(", ")),
            }
        }
        self.reader.required(node, "a side", "mapping");
        let entry = self.definitions.schemas.get(ENTRY)?;
        let (told, schema) = self.told(node, &entry)?;
        Some((OurSide::Record { kinds, told }, schema))
    }

    fn file_side(&mut self, node: &Node) -> Option<(FileSide, Arc<Schema>)> {
        self.reader.keys(node, &keys::FILES)?;
        let content = self.content(node)?;
        if matches!(content.layout, Layout::Document { .. }) {
            let at = node.get("format").unwrap_or(node);
            self.not_allowed(at, at.as_str().unwrap_or_default(), "csv, fixed, lines");
            return None;
        }
        let (told, schema) = self.told(node, &Arc::clone(&content.record.schema))?;
        Some((FileSide { content, told }, schema))
    }

    /// Mapping and condition of a side whose records follow `from`, and what comes out.
    fn told(&mut self, node: &Node, from: &Arc<Schema>) -> Option<(Told, Arc<Schema>)> {
        let mapping: Option<Arc<Mapping>> = match node.get("mapping") {
            None => None,
            Some(at) => {
                let mapping = self.mapping(at)?;
                if mapping.from.id() != from.id() {
                    let (name, starts) = (&mapping.name, mapping.from.id());
                    let message = format!(
                        "mapping `{name}` starts from `{starts}`, not from `{}`",
                        from.id()
                    );
                    self.error(&codes::MAPPING_DOES_NOT_FIT, at, message);
                    return None;
                }
                Some(mapping)
            }
        };
        let when = node.get("when").and_then(|at| {
            let text = self.reader.text(at, "`when`")?;
            let location = at.location(self.reader.file);
            Predicate::compile(text, location, Some(from.shape()), self.reader.diagnostics)
        });
        let schema = mapping.as_ref().map_or(from, |mapping| &mapping.to);
        let schema = Arc::clone(schema);
        Some((Told { mapping, when }, schema))
    }
}
