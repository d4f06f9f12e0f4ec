//! The canonical form of an entry: JSON with sorted keys, no spaces, UTF-8, nothing empty.

use super::{Basis, Draft, Kind, Phase};
use jiff::Timestamp;
use jiff::tz::Offset;
use std::sync::Arc;

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

/// Writes one JSON object whose fields come in the order of their names.
struct Object {
    text: String,
}

impl Object {
    /// Longer than nearly every entry, so that the text moves at most once.
    const USUAL: usize = 1_024;

    fn new() -> Object {
        let mut text = String::with_capacity(Object::USUAL);
        text.push('{');
        Object { text }
    }

    fn name(&mut self, name: &'static str) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        self.text.push('"');
        self.text.push_str(name);
        self.text.push_str("\":");
    }

    /// A text, unless it is empty.
    fn text(&mut self, name: &'static str, value: &str) {
        if !value.is_empty() {
            self.name(name);
            quote(&mut self.text, value);
        }
    }

    /// A text that is written even when it is empty.
    fn given(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.name(name);
            quote(&mut self.text, value);
        }
    }
}

/// A JSON string. Only what must be escaped is, in the shortest way.
fn quote(out: &mut String, value: &str) {
    out.push('"');
    let mut rest = value;
    // Nearly every text has nothing to escape. Looking at all of its bytes without a way out is
    // what the compiler does sixteen at a time.
    let special = |found: bool, b: u8| found | (b < 0x20) | (b == b'"') | (b == b'\\');
    if !value.bytes().fold(false, special) {
        out.push_str(value);
        out.push('"');
        return;
    }
    while let Some(at) = rest.bytes().position(|b| b < 0x20 || b == b'"' || b == b'\\') {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut tail = tail.chars();
        if let Some(special) = tail.next() {
            escape(out, special);
        }
        rest = tail.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// A text as it stands within the quotes of an entry.
pub(super) fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    quote(&mut out, value);
    out.pop();
    out.split_off(1)
}

/// A text field of a canonical entry, as it stands within its quotes. A quote within a text is
/// escaped, so that `,"NAME":"` is nowhere but at the field itself.
pub(super) fn field<'a>(entry: &'a str, name: &str) -> Option<&'a str> {
    let start = format!(",\"{name}\":\"");
    let after = entry.get(entry.rfind(&start)? + start.len()..)?;
    let mut escaped = false;
    let end = after.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    after.get(..end)
}

/// When an entry was written.
pub fn time_of(entry: &str) -> Option<Timestamp> {
    field(entry, "time")?.parse().ok()
}

fn escape(out: &mut String, special: char) {
    let short = match special {
        '"' => '"',
        '\\' => '\\',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{c}' => 'f',
        '\r' => 'r',
        other => {
            out.push_str(&format!("\\u{:04x}", u32::from(other)));
            return;
        }
    };
    out.push('\\');
    out.push(short);
}

impl Basis {
    fn write(&self, out: &mut Object) {
        out.name("basis");
        out.text.push('{');
        out.text("affair", &self.affair);
        out.text("information", &self.information);
        out.text("inquirer", &self.inquirer);
        out.text("law", &self.law);
        out.text("procedure", &self.procedure);
        out.text("provider", &self.provider);
        out.text("table_item", &self.table_item);
        out.text.push('}');
    }
}

impl Draft {
    /// An entry with only these three; the rest empty. For struct update syntax.
    pub fn new(kind: Kind, phase: Phase, at: Timestamp) -> Self {
        Draft {
            kind,
            phase,
            at,
            source: Arc::default(),
            message_id: Arc::default(),
            message_type: Arc::default(),
            municipality: None,
            route: Arc::default(),
            counterpart: Arc::default(),
            operation: Arc::default(),
            attempt: 0,
            idempotency_key: Arc::default(),
            basis: None,
            items: Arc::default(),
            reference: None,
            not_disclosed: false,
            outcome: None,
            code: None,
            subject: None,
            commitment: None,
            operator: None,
            reason: None,
            bundle: Arc::default(),
        }
    }

    /// The canonical JSON that is hashed, stored and exported.
    pub fn canonical(&self) -> String {
        let mut out = Object::new();
        if self.attempt > 0 {
            out.name("attempt");
            out.text.push_str(&self.attempt.to_string());
        }
        if let Some(basis) = &self.basis {
            basis.write(&mut out);
        }
        out.text("bundle", &self.bundle);
        out.given("code", self.code.as_deref());
        out.given("commitment", self.commitment.as_deref());
        out.text("counterpart", &self.counterpart);
        out.text("idempotency_key", &self.idempotency_key);
        if !self.items.is_empty() {
            out.name("items");
            for (index, item) in self.items.iter().enumerate() {
                out.text.push(if index == 0 { '[' } else { ',' });
                quote(&mut out.text, item);
            }
            out.text.push(']');
        }
        out.name("jst");
        time(&mut out.text, self.at, Offset::constant(9), "+09:00");
        out.text("kind", self.kind.name());
        out.text("message_id", &self.message_id);
        out.text("message_type", &self.message_type);
        out.given("municipality", self.municipality.as_deref());
        // An outcome does not know it: the intent it belongs to says so.
        if self.not_disclosed || self.phase != Phase::Outcome {
            out.name("not_disclosed");
            out.text.push_str(if self.not_disclosed { "true" } else { "false" });
        }
        out.text("operation", &self.operation);
        out.given("operator", self.operator.as_deref());
        out.given("outcome", self.outcome.as_deref());
        out.text("phase", self.phase.name());
        out.given("reason", self.reason.as_deref());
        out.given("reference", self.reference.as_deref());
        out.text("route", &self.route);
        out.text("source", &self.source);
        out.given("subject", self.subject.as_deref());
        out.name("time");
        time(&mut out.text, self.at, Offset::UTC, "Z");
        out.text.push('}');
        out.text
    }
}

/// A time with milliseconds in a zone of fixed offset; Japan has had one since 1951.
fn time(out: &mut String, at: Timestamp, offset: Offset, suffix: &str) {
    let local = offset.to_datetime(at);
    let mut part = |number: i32, digits: u32, before: char| {
        out.push(before);
        for place in (0..digits).rev() {
            let digit = number / 10_i32.pow(place) % 10;
            out.push(char::from(b'0'.saturating_add(u8::try_from(digit).unwrap_or(0))));
        }
    };
    part(i32::from(local.year()), 4, '"');
    part(i32::from(local.month()), 2, '-');
    part(i32::from(local.day()), 2, '-');
    part(i32::from(local.hour()), 2, 'T');
    part(i32::from(local.minute()), 2, ':');
    part(i32::from(local.second()), 2, ':');
    part(local.subsec_nanosecond() / 1_000_000, 3, '.');
    out.push_str(suffix);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys_in_order(value: &serde_json::Value) -> bool {
        let Some(object) = value.as_object() else { return true };
        object.keys().is_sorted() && object.values().all(keys_in_order)
    }

    fn full() -> Draft {
        let word = || "x".to_owned();
        Draft {
            source: word().into(),
            message_id: word().into(),
            message_type: word().into(),
            municipality: Some(word().into()),
            route: word().into(),
            counterpart: word().into(),
            operation: word().into(),
            attempt: 1,
            not_disclosed: true,
            idempotency_key: word().into(),
            basis: Some(Arc::new(Basis {
                law: word(),
                table_item: word(),
                affair: word(),
                procedure: word(),
                inquirer: word(),
                provider: word(),
                information: word(),
            })),
            items: vec![word(), word()].into(),
            reference: Some(word()),
            outcome: Some(word()),
            code: Some(word()),
            subject: Some(word().into()),
            commitment: Some(word().into()),
            operator: Some(word().into()),
            reason: Some("二\"重\n".to_owned()),
            bundle: word().into(),
            ..Draft::new(Kind::Send, Phase::Outcome, "2026-06-01T15:30:00.5Z".parse().unwrap())
        }
    }

    #[test]
    fn a_full_entry_has_all_fields_in_order() {
        let text = full().canonical();
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
            draft.canonical(),
            "{\"jst\":\"1970-01-01T09:00:00.000+09:00\",\"kind\":\"系\",\"not_disclosed\":false,\
             \"phase\":\"noted\",\"time\":\"1970-01-01T00:00:00.000Z\"}"
        );
    }

    proptest! {
        /// The texts are those that every JSON library writes for the same values, so that a
        /// reader needs no rule of ours.
        #[test]
        fn every_text_is_written_as_json_has_it(
            reason in any::<String>(),
            id in "[\u{0}-\u{7f}\u{e9}\u{3042}\u{1f600}]{0,20}",
            seconds in 0i64..253_402_200_000,
            millisecond in 0i64..1_000,
        ) {
            let at = Timestamp::from_millisecond(seconds * 1_000 + millisecond).unwrap();
            let draft = Draft { message_id: id.into(), reason: Some(reason), at, ..full() };
            let text = draft.canonical();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::to_string(&value).unwrap(), text);
            prop_assert_eq!(value["reason"].as_str(), draft.reason.as_deref());
            prop_assert_eq!(value["time"].as_str().unwrap(), format!("{at:.3}"));
            let japan = Offset::constant(9).to_datetime(at);
            prop_assert_eq!(value["jst"].as_str().unwrap(), format!("{japan:.3}+09:00"));
        }
    }

    #[test]
    fn every_kind_has_its_own_word() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
    }
}
