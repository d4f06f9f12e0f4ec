//! Values that were sent and may come back: the 個人番号 of a person, above all. Of the value last
//! sent for a key only keyed digests are kept; what comes back is compared by its own.

use super::context::Context;
use crate::adapter::{Pair, Route};
use crate::model::codes::message as codes;
use crate::model::json::{Kind, Node};
use crate::model::{Class, Failure, Stage};
use crate::store::StoreError;
use crate::store::keys::Keys;
use std::borrow::Cow;

/// What is kept of one value: the name it is kept under, and the digest of the value. Neither tells
/// key or value to anybody without the gateway's own keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digested {
    name: String,
    value: String,
}

/// The pairs of a document, or of each element where it is a list.
pub fn digests(pair: &Pair, counterpart: &str, document: Node<'_>, keys: &Keys) -> Vec<Digested> {
    let one = |document: Node<'_>| {
        let key = text(pair.key.node(document)?)?;
        let value = text(pair.value.node(document)?)?;
        // The value's digest is of its key as well: equal numbers of two persons are not seen.
        let hashed = keys.subject(&format!("sent {counterpart} {key}"));
        let value = keys.subject(&format!("sent {counterpart} {key} {value}"));
        Some(Digested { name: format!("sent/{counterpart}/{hashed}"), value })
    };
    match document.as_array() {
        Some(elements) => elements.iter().filter_map(one).collect(),
        None => one(document).into_iter().collect(),
    }
}

/// A text, or a number as a text.
fn text(node: Node<'_>) -> Option<Cow<'_, str>> {
    match node.kind() {
        Kind::Text(text) => Some(text.into()),
        Kind::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// Keeps what is about to be sent, in the place of what was sent before.
///
/// # Errors
/// When the store cannot be read or written: then nothing may be sent.
pub async fn keep(sent: &[Digested], cx: &Context) -> Result<(), StoreError> {
    for Digested { name, value } in sent {
        if cx.store.cursor(name.clone()).await?.as_ref() != Some(value) {
            cx.store.set_cursor(name.clone(), value.clone()).await?;
        }
    }
    Ok(())
}

/// What a document that came has to be compared with.
pub fn returned(route: &Route, document: Node<'_>, keys: &Keys) -> Vec<Digested> {
    let Some(pair) = &route.compares else { return Vec::new() };
    digests(pair, &route.adapter.name, document, keys)
}

/// Compares what came back with what was sent. What was never sent from here cannot be compared.
///
/// # Errors
/// When the store cannot be read.
pub async fn compare(returned: &[Digested], cx: &Context) -> Result<Option<Failure>, StoreError> {
    for Digested { name, value } in returned {
        let sent = cx.store.cursor(name.clone()).await?;
        if sent.is_some_and(|sent| sent != *value) {
            return Ok(Some(Failure {
                code: &codes::RETURNED_OTHER,
                stage: Stage::Validate,
                class: Class::Never,
                detail: String::new(),
            }));
        }
    }
    Ok(None)
}
