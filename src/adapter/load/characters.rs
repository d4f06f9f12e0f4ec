//! Reads `characters:` of a request or a route, and warns where a route narrows what it carries.

use super::Loader;
use crate::adapter::{CharacterPolicy, Destination, keys};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::Node;
use crate::mapping::{Mapping, Table};
use crate::model::characters::Repertoire;
use crate::model::codes::adapter as codes;
use crate::schema::Shape;
use serde_json::Value;
use std::sync::Arc;

/// 下駄記号, which printers set where a character is missing.
const GETA: char = '〓';

impl Loader<'_, '_> {
    pub(super) fn characters(&mut self, node: &Node) -> Option<Arc<CharacterPolicy>> {
        self.reader.keys(node, &keys::CHARACTERS)?;
        let repertoire = self.repertoire(node)?;
        let rule = self.reader.text_at(node, "on-unmappable").unwrap_or("reject").to_owned();
        let table = node.get("table").and_then(|node| self.substitutes(node, &repertoire));
        let mark = node.get("mark").and_then(|node| self.mark(node, &repertoire));
        let (table, mark) = match rule.as_str() {
            "reject" => (None, None),
            "table" => {
                self.reader.required(node, "characters with `on-unmappable: table`", "table");
                (table, mark)
            }
            "mark" => (table, Some(mark.unwrap_or(GETA))),
            other => {
                let at = node.get("on-unmappable").unwrap_or(node);
                self.not_allowed(at, other, "reject, table, mark");
                (None, None)
            }
        };
        for key in ["table", "mark"] {
            if let Some(unused) = node.get(key).filter(|_| rule == "reject") {
                let message = format!("`{key}` is not used by `on-unmappable: reject`");
                self.error(&codes::BLOCK_UNUSED, unused, message);
            }
        }
        Some(Arc::new(CharacterPolicy { repertoire, table, mark }))
    }

    fn repertoire(&mut self, node: &Node) -> Option<Arc<Repertoire>> {
        let node = self.reader.required(node, "characters", "repertoire")?;
        let name = self.reader.text(node, "`repertoire`")?;
        let found = self.definitions.repertoires.get(name);
        if found.is_none() {
            let names: Vec<&str> = self.definitions.repertoires.names().collect();
            let hint = nearest(name, names.iter().copied())
                .map(|near| format!("did you mean `{near}`?"))
                .unwrap_or_else(|| format!("there are {}", names.join(", ")));
            let message = format!("unknown repertoire `{name}`");
            self.error_with_hint(&codes::UNKNOWN_REPERTOIRE, node, message, Some(hint));
        }
        found
    }

    /// A table of substitutes: each a text within the repertoire.
    fn substitutes(&mut self, node: &Node, repertoire: &Repertoire) -> Option<Arc<Table>> {
        let name = self.reader.text(node, "`table`")?;
        let tables = self.definitions.tables;
        let Some(table) = tables.get(name) else {
            let hint = nearest(name, tables.names()).map(|near| format!("did you mean `{near}`?"));
            let message = format!("unknown code table `{name}`");
            self.error_with_hint(&codes::BAD_SUBSTITUTE, node, message, hint);
            return None;
        };
        for (key, entry) in table.all() {
            let good = entry.as_str().is_some_and(|entry| repertoire.has_all(entry));
            if !good || table.periods.contains_key(key) {
                let name = repertoire.name();
                let message =
                    format!("table `{}` gives for `{key}` no text of `{name}`", table.name);
                let hint = "a substitute is a text, valid at any time, of characters that the \
                            counterpart knows";
                self.error_with_hint(&codes::BAD_SUBSTITUTE, node, message, Some(hint.to_owned()));
            }
        }
        Some(Arc::clone(table))
    }

    fn mark(&mut self, node: &Node, repertoire: &Repertoire) -> Option<char> {
        let text = self.reader.text(node, "`mark`")?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(mark), None) if repertoire.has(text) => Some(mark),
            _ => {
                let message = format!("the mark must be one character of `{}`", repertoire.name());
                self.error(&codes::BAD_SUBSTITUTE, node, message);
                None
            }
        }
    }

    /// The policy of a route, and a warning where it refuses what its source may hold.
    pub(super) fn route_characters(
        &mut self,
        node: &Node,
        destination: &Destination,
        mapping: &Mapping,
    ) -> Option<Arc<CharacterPolicy>> {
        let own = node.get("characters").and_then(|node| self.characters(node));
        let policy = own.or_else(|| match destination {
            Destination::Operation(operation) => operation.step.request.characters.clone(),
            Destination::Publish(_) => None,
        });
        self.check_repertoires(node, policy.as_deref(), mapping);
        policy
    }

    /// Warns where the source schema declares characters that would be refused.
    fn check_repertoires(
        &mut self,
        node: &Node,
        policy: Option<&CharacterPolicy>,
        mapping: &Mapping,
    ) {
        let repertoires = self.definitions.repertoires;
        let declared = |shape: &Shape| -> Option<Arc<Repertoire>> {
            let name = shape.layout.get("x-repertoire").and_then(Value::as_str)?;
            repertoires.get(name)
        };
        let target = match policy {
            Some(policy) if policy.mark.is_some() => return,
            Some(policy) if policy.table.is_some() => return,
            Some(policy) => Some(Arc::clone(&policy.repertoire)),
            None => declared(mapping.to.shape()),
        };
        if let (Some(source), Some(target)) = (declared(mapping.from.shape()), target)
            && let (missing @ 1.., example) = target.lacks(&source)
        {
            let at = node.get("mapping").unwrap_or(node);
            let (wide, narrow) = (source.name(), target.name());
            let message = format!(
                "`{}` may hold {missing} characters of `{wide}` that `{narrow}` lacks, such as {}",
                mapping.from.id(),
                example.unwrap_or_default()
            );
            let location = at.location(self.reader.file);
            let diagnostic = Diagnostic::error(&codes::NARROWER, location, message).warning();
            self.reader.diagnostics.push(diagnostic.hint(
                "messages with them are refused; say with `characters:` and `on-unmappable: table` \
                 or `mark` what shall stand for them",
            ));
        }
    }
}
