//! What must be scanned for malware before anything of it goes on. See ADR 0044.
//!
//! [`clear`] asks the scanner; an arrival that an operation wants scanned and that carries no
//! [`Cleared`] is not recognised. So no way in, also none that is added later, can leave it out.

use super::accept::{Arrival, Origin, refuse};
use super::context::Context;
use super::file::Failed;
use super::signed;
use crate::adapter::{Adapter, Operation, Scan};
use crate::codec::Limits;
use crate::model::codes::signature as codes;
use crate::model::{Class, Code, Envelope, Failure};
use crate::record::{Draft, Kind, Phase};
use crate::telemetry::names;
use crate::transport::{Finding, ScanError};
use jiff::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// Proof that something was scanned and nothing was found. Only this module makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// Engine and database, as the scanner names them.
    by: Arc<str>,
}

impl Cleared {
    /// For a trial by an author, from which nothing leaves and which keeps nothing.
    pub fn for_a_trial() -> Cleared {
        Cleared { by: "".into() }
    }
}

/// Scans what came, received at a time, where its operation demands it: as it came, and each file
/// in it. The arrival then carries the proof.
///
/// # Errors
/// `G861` to `G864` where it never may go on; `G865` and `G866`, of class `TryAgain`, where it is to
/// wait where it came from.
pub async fn clear(
    arrival: &mut Arrival,
    received: Timestamp,
    cx: &Context,
) -> Result<(), Failure> {
    let Origin::Pulled { adapter, operation } = &arrival.origin else { return Ok(()) };
    let Some(rule) = &operation.scan else { return Ok(()) };
    let cleared = async {
        let cleared = content(&arrival.body, cx).await?;
        // What cannot be read here is not recognised either: it gets its own code there.
        let Some(inner) = inner(arrival, (adapter, operation, rule), received, cx)? else {
            return Ok(None);
        };
        all(&inner, cx).await?;
        Ok(Some(cleared))
    };
    let cleared = cleared.await;
    tell(adapter, operation, cleared.as_ref().err(), cx);
    arrival.cleared = cleared?;
    Ok(())
}

/// The same for a file of records, as it came.
///
/// # Errors
/// As of [`clear`].
pub(super) async fn clear_file(
    adapter: &Adapter,
    operation: &Operation,
    bytes: &[u8],
    cx: &Context,
) -> Result<Option<Cleared>, Failure> {
    if operation.scan.is_none() {
        return Ok(None);
    }
    let cleared = content(bytes, cx).await;
    tell(adapter, operation, cleared.as_ref().err(), cx);
    cleared.map(Some)
}

/// The same for the files that stand in the records of a file.
///
/// # Errors
/// As of [`clear`].
pub(super) async fn clear_records(
    adapter: &Adapter,
    operation: &Operation,
    records: impl Iterator<Item = &Value>,
    cx: &Context,
) -> Result<(), Failure> {
    let Some(rule) = operation.scan.as_ref().filter(|rule| !rule.files.is_empty()) else {
        return Ok(());
    };
    for record in records {
        let clear = match files(rule, record) {
            Ok(files) => all(&files, cx).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = clear {
            tell(adapter, operation, Some(&failure), cx);
            return Err(failure);
        }
    }
    Ok(())
}

/// Refuses what should have been scanned and was not.
///
/// # Errors
/// `G866`.
pub(super) fn demand(arrival: &Arrival, operation: &Operation) -> Result<(), Failure> {
    if operation.scan.is_some() && arrival.cleared.is_none() {
        return Err(later(&codes::SCAN_FAILED, "it was not scanned"));
    }
    Ok(())
}

/// The entry of the record about something that was scanned and goes on. A file of records has one
/// of its own.
pub(super) fn note(arrival: &Arrival, envelope: &Envelope, cx: &Context) -> Option<Draft> {
    let (Origin::Pulled { adapter, operation }, Some(cleared)) =
        (&arrival.origin, &arrival.cleared)
    else {
        return None;
    };
    if operation.file_in.is_some() {
        return None;
    }
    Some(Draft {
        source: envelope.source.clone(),
        message_id: envelope.message_id.shared(),
        message_type: envelope.message_type.clone(),
        municipality: envelope.municipality.clone(),
        ..draft(adapter, operation, cleared, envelope.accepted_at, cx)
    })
}

/// The entry about a file of records.
pub(super) fn note_file(
    adapter: &Adapter,
    operation: &Operation,
    cleared: &Cleared,
    key: &str,
    cx: &Context,
) -> Draft {
    let at = cx.clock.now();
    Draft {
        source: adapter.name.clone().into(),
        idempotency_key: key.into(),
        ..draft(adapter, operation, cleared, at, cx)
    }
}

fn draft(
    adapter: &Adapter,
    operation: &Operation,
    cleared: &Cleared,
    at: Timestamp,
    cx: &Context,
) -> Draft {
    Draft {
        counterpart: adapter.name.as_str().into(),
        operation: operation.name.as_str().into(),
        outcome: Some("scanned".to_owned()),
        reason: Some(cleared.by.to_string()),
        bundle: cx.bundle().shared_digest(),
        ..Draft::new(Kind::Receive, Phase::Noted, at)
    }
}

/// Scans some content, and says by what.
async fn content(bytes: &[u8], cx: &Context) -> Result<Cleared, Failure> {
    let scanner = cx.scanner.as_ref();
    let missing = || later(&codes::SCANNER_DOWN, "there is no `[scanner]`");
    // Asked first: what scans it then is that, or newer.
    let by = scanner.ok_or_else(missing)?.version().await.map_err(|error| failure(&error))?;
    one(bytes, cx).await?;
    Ok(Cleared { by: by.into() })
}

async fn all(contents: &[Vec<u8>], cx: &Context) -> Result<(), Failure> {
    for bytes in contents {
        one(bytes, cx).await?;
    }
    Ok(())
}

async fn one(bytes: &[u8], cx: &Context) -> Result<(), Failure> {
    let Some(scanner) = &cx.scanner else { return Err(later(&codes::SCANNER_DOWN, "")) };
    match scanner.scan(bytes).await {
        Ok(Finding::Clean) => Ok(()),
        Ok(Finding::Found(name)) => Err(refuse(&codes::SCAN_FOUND, name)),
        Ok(Finding::NotLookedInto(name)) => Err(refuse(&codes::SCAN_NOT_LOOKED_INTO, name)),
        Err(error) => Err(failure(&error)),
    }
}

fn failure(error: &ScanError) -> Failure {
    match error {
        ScanError::TooLarge => refuse(&codes::SCAN_TOO_LARGE, ""),
        ScanError::Down(detail) => later(&codes::SCANNER_DOWN, detail),
        ScanError::Failed(detail) => later(&codes::SCAN_FAILED, detail),
    }
}

fn later(code: &'static Code, detail: &str) -> Failure {
    Failure { class: Class::TryAgain, ..refuse(code, detail) }
}

/// What stands encoded in an arrival: the signed document, and the files in the content. `None`
/// where the content cannot be read.
fn inner(
    arrival: &Arrival,
    (adapter, operation, rule): (&Adapter, &Operation, &Scan),
    received: Timestamp,
    cx: &Context,
) -> Result<Option<Vec<Vec<u8>>>, Failure> {
    let Some(plan) = operation.content() else { return Ok(None) };
    let mut found = Vec::new();
    let body = match &operation.signature {
        None => Ok(arrival.body.to_vec()),
        Some(signature) => {
            let response = operation.step.response.as_deref();
            let Ok(document) = signature.document(&arrival.body, response) else {
                return Ok(None);
            };
            found.push(document.into_owned());
            let id = arrival.message_id.as_deref();
            signed::content(&arrival.body, id, (adapter, operation, signature), received, cx)
        }
    };
    let read = body.ok().and_then(|body| plan.codec.decode(&body, &Limits::default()).ok());
    let Some(document) = read else { return Ok(None) };
    found.extend(files(rule, &document)?);
    Ok(Some(found))
}

fn files(rule: &Scan, document: &Value) -> Result<Vec<Vec<u8>>, Failure> {
    rule.files(document).map_err(|not| refuse(&codes::SCAN_NOT_DECODED, not.0))
}

/// Counts a scan, and says in readiness while the scanner gives no verdict.
fn tell(adapter: &Adapter, operation: &Operation, failure: Option<&Failure>, cx: &Context) {
    let result = match failure {
        None => "clean",
        Some(failure) if failure.code == &codes::SCAN_FOUND => "found",
        Some(failure) if failure.class == Class::TryAgain => "failed",
        Some(_) => "refused",
    };
    let (counterpart, name) = (adapter.name.clone(), operation.name.clone());
    metrics::counter!(names::SCANS, "counterpart" => counterpart, "operation" => name,
        "result" => result)
    .increment(1);
    let waits = failure.filter(|failure| failure.class == Class::TryAgain);
    let note = waits.map(|failure| Failed::new(failure.code, failure.detail.clone()));
    let title = format!("{}/{}", adapter.name, operation.name);
    if cx.files.set(&title, "scan", note)
        && let Some(Failure { code, detail, .. }) = waits
    {
        let (code, action) = (code.code, code.remedy);
        tracing::error!(operation = title, code, detail, action, "what comes cannot be scanned");
    }
}
