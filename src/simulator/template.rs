//! Fills the places of an answer: `{ticket}` and its like.

use crate::mapping::path::Path;
use serde_json::Value;

/// What an answer may speak of.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts<'f> {
    /// The ticket.
    pub ticket: &'f str,
    /// The idempotency key.
    pub key: &'f str,
    /// By what the thing is known.
    pub name: &'f str,
    /// Of a document that waits.
    pub id: &'f str,
    /// Of an item, from 1.
    pub number: usize,
    /// Of the thing, from 0: which of several forms of an answer it gets.
    pub turn: usize,
    /// The request's document.
    pub request: Option<&'f Value>,
    /// The document that was submitted.
    pub submitted: Option<&'f Value>,
    /// Results by item.
    pub items: Option<&'f Value>,
    /// Lines of a list.
    pub entries: Option<&'f Value>,
    /// A document that waits.
    pub document: Option<&'f Value>,
}

/// The template with its places filled; a place of the request that is not there is left out with
/// its member.
pub(super) fn fill(template: &Value, facts: &Facts<'_>) -> Value {
    filled(template, facts).unwrap_or(Value::Null)
}

fn filled(template: &Value, facts: &Facts<'_>) -> Option<Value> {
    Some(match template {
        Value::Object(members) => Value::Object(
            members
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), filled(value, facts)?)))
                .collect(),
        ),
        Value::Array(values) => {
            Value::Array(values.iter().filter_map(|value| filled(value, facts)).collect())
        }
        Value::String(text) => return place(text, facts),
        other => other.clone(),
    })
}

fn place(text: &str, facts: &Facts<'_>) -> Option<Value> {
    let whole = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match whole {
        Some("items") => return facts.items.cloned(),
        Some("entries") => return facts.entries.cloned(),
        Some("document") => return facts.document.cloned(),
        Some("number") => return Some(Value::from(facts.number)),
        Some(name) => {
            for (prefix, document) in [("request.", facts.request), ("submitted.", facts.submitted)]
            {
                if let Some(path) = name.strip_prefix(prefix) {
                    return Path::parse(path).ok()?.find(document?).cloned();
                }
            }
        }
        None => {}
    }
    let text = text
        .replace("{ticket}", facts.ticket)
        .replace("{key}", facts.key)
        .replace("{name}", facts.name)
        .replace("{id}", facts.id)
        .replace("{number}", &facts.number.to_string());
    Some(Value::String(text))
}

#[cfg(test)]
mod tests {
    use super::{Facts, fill};
    use serde_json::json;

    #[test]
    fn places_are_filled_and_missing_ones_left_out() {
        let request = json!({"a": {"b": 7}});
        let facts = Facts { ticket: "T1", number: 2, request: Some(&request), ..Facts::default() };
        let template = json!({"t": "no {ticket}", "n": "{number}", "s": "{number}.", "b": "{request.a.b}", "c": "{request.x}", "x": [1, "{ticket}"]});
        let expected = json!({"t": "no T1", "n": 2, "s": "2.", "b": 7, "x": [1, "T1"]});
        assert_eq!(fill(&template, &facts), expected);
    }
}
