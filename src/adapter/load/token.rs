//! Reads `scope` and `audience`: what a token is asked for.

use super::Loader;
use crate::adapter::{Adapter, Step};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::yaml::Node;
use crate::model::TokenFor;
use crate::model::codes::adapter as codes;
use std::sync::Arc;

/// Most characters of each.
const LONGEST: usize = 1_000;

impl Loader<'_, '_> {
    /// What the token of a request is for, where the request says so.
    pub(super) fn request_token(&mut self, node: &Node) -> Option<Arc<TokenFor>> {
        let found = node.get("scope").or_else(|| node.get("audience"))?;
        let Some(usual) = self.usual_token.clone() else {
            let message = "`scope` and `audience` need an `auth` with scopes: client-secret-jwt or \
                           client-secret-basic";
            self.error(&codes::BLOCK_UNUSED, found, message);
            return None;
        };
        Some(Arc::new(self.token_for(node, &usual)))
    }

    /// `scope` and `audience` of a node; what it does not say is as usual.
    pub(super) fn token_for(&mut self, node: &Node, usual: &TokenFor) -> TokenFor {
        let mut text = |key: &str, usual: &str| -> String {
            let Some(found) = node.get(key) else { return usual.to_owned() };
            let text = self.reader.text(found, key).unwrap_or_default();
            if is_scope(text) {
                return text.to_owned();
            }
            let message = format!("`{key}` is not a list of words with one space between two");
            self.error(&codes::BAD_SCOPE, found, message);
            usual.to_owned()
        };
        TokenFor { scope: text("scope", &usual.scope), audience: text("audience", &usual.audience) }
    }

    /// A request without a scope beside others that name one.
    pub(super) fn check_scopes(&mut self, root: &Node, adapter: &Adapter) {
        let usual = self.usual_token.as_ref().map(|token| token.scope.as_str());
        let (Some(""), Some(auth)) = (usual, root.get("auth")) else { return };
        let has_none =
            |step: &Step| step.request.token.as_ref().is_none_or(|token| token.scope.is_empty());
        if adapter.steps().all(|(_, step)| has_none(step)) {
            return;
        }
        for (operation, step) in adapter.steps().filter(|(_, step)| has_none(step)) {
            let path = &step.request.path;
            let message =
                format!("`{operation}`: the request to `{path}` has no scope, others have");
            let location = auth.location(self.reader.file);
            let hint = "name it: `scope:` of the request, or of `auth` for all that name none";
            let found = Diagnostic::error(&codes::SCOPE_MISSING, location, message).hint(hint);
            self.reader.diagnostics.push(found.warning());
        }
    }
}

/// RFC 6749 section 3.3: words of printable ASCII without `"` and `\`, one space between two.
fn is_scope(text: &str) -> bool {
    let printable = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    let word = |word: &str| !word.is_empty() && word.chars().all(printable);
    text.len() <= LONGEST && text.split(' ').all(word)
}

#[cfg(test)]
mod tests {
    use super::is_scope;

    #[test]
    fn scopes_are_words_of_rfc_6749() {
        assert!(is_scope("032:app_submit/v10/atenakihonjohokoshin:Update"));
        assert!(is_scope("read write"));
        for bad in
            ["", " ", "a  b", " a", "a ", "a\tb", "\"a\"", "a\\b", "読む", &"a".repeat(1_001)]
        {
            assert!(!is_scope(bad), "{bad:?}");
        }
    }
}
