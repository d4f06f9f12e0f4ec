//! What an operation demands to be signed: only the signed element goes on, as its own bytes.

use super::accept::refuse;
use super::context::Context;
use crate::adapter::{Adapter, Operation, Signature};
use crate::model::codes::signature as codes;
use crate::model::{Class, Failure};
use jiff::Timestamp;

/// The content of what an operation fetched, received at a time: the canonical bytes of the element
/// that is signed.
///
/// # Errors
/// As of [`Signature::open`]. Without its trust store nothing is believed, and it is fetched again.
pub(super) fn content(
    body: &[u8],
    id: Option<&str>,
    (adapter, operation, rule): (&Adapter, &Operation, &Signature),
    at: Timestamp,
    cx: &Context,
) -> Result<Vec<u8>, Failure> {
    let counterpart = cx.counterpart(&adapter.name);
    let trust = counterpart.as_ref().and_then(|one| one.trust.get(&rule.trust));
    let trust = trust.ok_or_else(|| Failure {
        class: Class::TryAgain,
        ..refuse(&codes::REVOCATION_UNKNOWN, "the trust store is not at hand")
    })?;
    let response = operation.step.response.as_deref();
    rule.open(body, response, id.unwrap_or_default(), trust, at)
}
