//! The canonical form of an entry: JSON with sorted keys, no spaces, UTF-8, nothing empty.

use super::{Basis, Draft, Kind, Phase};
use jiff::Timestamp;
use jiff::tz::Offset;
use serde::Serialize;

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 8] = [
        Kind::Request,
        Kind::Provide,
        Kind::Obtain,
        Kind::Send,
        Kind::Notify,
        Kind::Receive,
        Kind::Operate,
        Kind::System,
    ];

    /// The word the record uses, the same as in a route's `record: {kind: …}`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Request => "求め",
            Kind::Provide => "提供",
            Kind::Obtain => "取得",
            Kind::Send => "送付",
            Kind::Notify => "通知",
            Kind::Receive => "受領",
            Kind::Operate => "操作",
            Kind::System => "系",
        }
    }

    /// The kind of that word.
    pub fn from_name(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Phase {
    /// The word the record uses.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Intended => "intended",
            Phase::Outcome => "outcome",
            Phase::Noted => "noted",
        }
    }
}

/// Fields in the order of their names: serde writes them as they stand, and a test holds the order.
#[derive(Serialize)]
struct Entry<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<Frame<'a>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    bundle: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commitment: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    counterpart: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    idempotency_key: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    items: &'a [String],
    jst: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    municipality: Option<&'a str>,
    not_disclosed: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    operation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'a str>,
    phase: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    route: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: String,
}

#[derive(Serialize)]
struct Frame<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    affair: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    information: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    inquirer: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    law: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    procedure: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    provider: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    table_item: &'a str,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Basis {
    fn frame(&self) -> Frame<'_> {
        Frame {
            affair: &self.affair,
            information: &self.information,
            inquirer: &self.inquirer,
            law: &self.law,
            procedure: &self.procedure,
            provider: &self.provider,
            table_item: &self.table_item,
        }
    }
}

impl Draft {
    /// An entry with only these three; the rest empty. For struct update syntax.
    pub fn new(kind: Kind, phase: Phase, at: Timestamp) -> Self {
        Draft {
            kind,
            phase,
            at,
            source: String::new(),
            message_id: String::new(),
            message_type: String::new(),
            municipality: None,
            route: String::new(),
            counterpart: String::new(),
            operation: String::new(),
            attempt: 0,
            idempotency_key: String::new(),
            basis: None,
            items: Vec::new(),
            reference: None,
            not_disclosed: false,
            outcome: None,
            code: None,
            subject: None,
            commitment: None,
            operator: None,
            reason: None,
            bundle: String::new(),
        }
    }

    /// The canonical JSON that is hashed, stored and exported.
    ///
    /// # Errors
    /// None in practice: every field is text, a number or a flag.
    pub fn canonical(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Entry {
            attempt: self.attempt,
            basis: self.basis.as_deref().map(Basis::frame),
            bundle: &self.bundle,
            code: self.code.as_deref(),
            commitment: self.commitment.as_deref(),
            counterpart: &self.counterpart,
            idempotency_key: &self.idempotency_key,
            items: &self.items,
            jst: jst(self.at),
            kind: self.kind.name(),
            message_id: &self.message_id,
            message_type: &self.message_type,
            municipality: self.municipality.as_deref(),
            not_disclosed: self.not_disclosed,
            operation: &self.operation,
            operator: self.operator.as_deref(),
            outcome: self.outcome.as_deref(),
            phase: self.phase.name(),
            reason: self.reason.as_deref(),
            reference: self.reference.as_deref(),
            route: &self.route,
            source: &self.source,
            subject: self.subject.as_deref(),
            time: format!("{:.3}", self.at),
        })
    }
}

/// Japanese wall time; the zone has had one offset since 1951.
fn jst(at: Timestamp) -> String {
    format!("{:.3}+09:00", Offset::constant(9).to_datetime(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn keys_in_order(value: &serde_json::Value) -> bool {
        let Some(object) = value.as_object() else { return true };
        object.keys().is_sorted() && object.values().all(keys_in_order)
    }

    fn full() -> Draft {
        let word = || "x".to_owned();
        Draft {
            source: word(),
            message_id: word(),
            message_type: word(),
            municipality: Some(word()),
            route: word(),
            counterpart: word(),
            operation: word(),
            attempt: 1,
            idempotency_key: word(),
            basis: Some(Arc::new(Basis {
                law: word(),
                table_item: word(),
                affair: word(),
                procedure: word(),
                inquirer: word(),
                provider: word(),
                information: word(),
            })),
            items: vec![word()],
            reference: Some(word()),
            outcome: Some(word()),
            code: Some(word()),
            subject: Some(word()),
            commitment: Some(word()),
            operator: Some(word()),
            reason: Some("二\"重\n".to_owned()),
            bundle: word(),
            ..Draft::new(Kind::Send, Phase::Outcome, "2026-06-01T15:30:00.5Z".parse().unwrap())
        }
    }

    #[test]
    fn a_full_entry_has_all_fields_in_order() {
        let text = full().canonical().unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(keys_in_order(&value), "{text}");
        assert_eq!(value.as_object().unwrap().len(), 24);
        assert_eq!(value["basis"].as_object().unwrap().len(), 7);
        assert_eq!(value["time"], "2026-06-01T15:30:00.500Z");
        assert_eq!(value["jst"], "2026-06-02T00:30:00.500+09:00");
        assert_eq!(value["kind"], "送付");
    }

    #[test]
    fn nothing_empty_is_written() {
        let draft = Draft::new(Kind::System, Phase::Noted, Timestamp::UNIX_EPOCH);
        assert_eq!(
            draft.canonical().unwrap(),
            "{\"jst\":\"1970-01-01T09:00:00.000+09:00\",\"kind\":\"系\",\"not_disclosed\":false,\
             \"phase\":\"noted\",\"time\":\"1970-01-01T00:00:00.000Z\"}"
        );
    }

    #[test]
    fn every_kind_has_its_own_word() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
    }
}
