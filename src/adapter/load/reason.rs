//! Reads `reasons`, the adapter's own names for why something did not go on, and the outcome lines
//! that give them.

use super::{Loader, Reason};
use crate::adapter::{Then, keys};
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::Node;
use crate::model::codes::adapter as codes;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Loader<'_, '_> {
    /// The names, each with what it means and what to do.
    pub(super) fn reasons(&mut self, node: Option<&Node>) -> BTreeMap<String, Reason> {
        let mut found = BTreeMap::new();
        for entry in node.and_then(Node::as_map).unwrap_or_default() {
            self.reader.keys(&entry.node, &keys::REASON);
            if !is_name(&entry.key) {
                let message = format!("`{}` is not a reason's name", entry.key);
                self.error(&codes::BAD_REASON, &entry.node, message);
            }
            let (title_ja, title_en) = self.title(entry.node.get("title"), &entry.key);
            self.reader.required(&entry.node, "a reason", "title");
            let remedy = self.reader.required(&entry.node, "a reason", "remedy");
            let remedy = remedy.and_then(|node| self.reader.text(node, "`remedy`"));
            let remedy = remedy.unwrap_or_default().to_owned();
            found.insert(entry.key.clone(), Reason { title_ja, title_en, remedy });
        }
        found
    }

    /// The reason that a line gives.
    pub(super) fn reason(&mut self, line: &Node, then: Then) -> Option<Arc<str>> {
        let node = line.get("reason")?;
        let name = self.reader.text(node, "`reason`")?;
        if !matches!(then, Then::Refused | Then::Retry | Then::NotApplied | Then::Unknown) {
            let message = "`reason:` is of lines after which it does not go on: refused, retry, \
                           not-applied, unknown";
            self.error(&codes::BLOCK_UNUSED, node, message);
        }
        if !self.reasons.contains_key(name) {
            let hint = nearest(name, self.reasons.keys().map(String::as_str));
            let hint = hint.map_or_else(
                || "declare it: `reasons:` of the adapter, with `title` and `remedy`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("unknown reason `{name}`");
            self.error_with_hint(&codes::BAD_REASON, node, message, Some(hint));
        }
        Some(name.into())
    }
}

/// Capital letters, digits and `_`, as in `reject` of the mapping language; not the form of a
/// registered code.
fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let registered = text.len() == 4 && text.chars().skip(1).all(|c| c.is_ascii_digit());
    let begins = text.chars().next().is_some_and(|c| c.is_ascii_uppercase());
    begins && text.len() <= 64 && text.chars().all(allowed) && !registered
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_are_words_in_capitals() {
        assert!(is_name("APPLICANT_NOT_FOUND") && is_name("E0010"));
        for bad in ["", "not_found", "1A", "G401", "該当なし", "A B", &"A".repeat(65)] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
