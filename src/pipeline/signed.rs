//! What an operation demands to be signed: only the signed element goes on, as its own bytes.

use super::accept::{Origin, refuse};
use super::context::Context;
use crate::adapter::file::FileSignature;
use crate::adapter::{Adapter, Operation, Signature};
use crate::codec::signed::Trust;
use crate::model::codes::signature as codes;
use crate::model::{Class, Envelope, Failure};
use crate::record::{Draft, Kind, Phase};
use jiff::Timestamp;
use std::sync::Arc;

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
    let trust = trust(adapter, &rule.trust, cx)?;
    let response = operation.step.response.as_deref();
    rule.open(body, response, id.unwrap_or_default(), &trust, at)
}

/// The same for a file: the canonical bytes of the element that is signed.
///
/// # Errors
/// `G851` to `G859`. Of class `TryAgain` where the file is to be looked at again later.
pub(super) fn file(
    body: &[u8],
    adapter: &Adapter,
    rule: &FileSignature,
    cx: &Context,
) -> Result<Vec<u8>, Failure> {
    let trust = trust(adapter, &rule.trust, cx)?;
    crate::codec::signed::verify(body, &rule.policy, &trust, cx.clock.now())
}

fn trust(adapter: &Adapter, name: &str, cx: &Context) -> Result<Arc<Trust>, Failure> {
    let counterpart = cx.counterpart(&adapter.name);
    let trust = counterpart.as_ref().and_then(|one| one.trust.get(name)).cloned();
    trust.ok_or_else(|| Failure {
        class: Class::TryAgain,
        ..refuse(&codes::REVOCATION_UNKNOWN, "the trust store is not at hand")
    })
}

/// The entry of the record about a file that is refused for what it holds or who signed it.
pub(super) fn note_file(
    adapter: &Adapter,
    operation: &Operation,
    failure: &Failure,
    cx: &Context,
) -> Draft {
    Draft {
        source: adapter.name.clone().into(),
        counterpart: adapter.name.as_str().into(),
        operation: operation.name.as_str().into(),
        outcome: Some("refused".to_owned()),
        code: Some(failure.code.code.to_owned()),
        bundle: cx.bundle().shared_digest(),
        ..Draft::new(Kind::Receive, Phase::Noted, cx.clock.now())
    }
}

/// The entry of the record about something that came whose signature does not hold, or in which
/// something was found: that it came, and that nothing of it went on.
pub(super) fn note(
    origin: &Origin,
    envelope: &Envelope,
    key: &str,
    failure: &Failure,
    cx: &Context,
) -> Vec<Draft> {
    let Origin::Pulled { adapter, operation } = origin else { return Vec::new() };
    let demands = operation.signature.is_some() || operation.scan.is_some();
    if !demands || !codes::ALL.contains(&failure.code) {
        return Vec::new();
    }
    let bundle = cx.bundle();
    // The legal frame is that of the route it would have taken.
    let routes = bundle.routes_for(&envelope.message_type);
    let basis = routes.iter().find_map(|route| route.basis.clone());
    vec![Draft {
        kind: Kind::Receive,
        phase: Phase::Noted,
        at: envelope.accepted_at,
        source: envelope.source.clone(),
        message_id: envelope.message_id.shared(),
        message_type: envelope.message_type.clone(),
        municipality: envelope.municipality.clone(),
        route: "".into(),
        counterpart: adapter.name.as_str().into(),
        operation: operation.name.as_str().into(),
        attempt: 0,
        idempotency_key: key.into(),
        basis,
        items: Vec::new().into(),
        reference: None,
        not_disclosed: false,
        outcome: Some("refused".to_owned()),
        code: Some(failure.code.code.to_owned()),
        subject: None,
        commitment: None,
        operator: None,
        reason: None,
        bundle: bundle.shared_digest(),
    }]
}
