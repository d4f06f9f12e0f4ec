//! Generated cases: whatever is valid under the source schema must become a document that is
//! valid under the target schema, can be written, and reads back the same; a declared inverse
//! must lead back. Only the author's own `reject` may refuse.

use super::difference::differences;
use super::inverse::Inverse;
use crate::codec::{Codec, Format, Limits};
use crate::mapping::{Mapping, Meta, Rejection, Sent};
use crate::model::MessageId;
use crate::model::codes::mapping as codes;
use crate::schema::generate::{Chance, Generator, Unsatisfied, shrink};
use serde_json::Value;
use std::collections::BTreeMap;

/// How many smaller documents are tried when one fails.
const SHRINK_STEPS: usize = 4_000;

/// A mapping with everything its generated cases need.
#[derive(Debug)]
pub struct Trial<'m> {
    mapping: &'m Mapping,
    generator: Generator,
    /// Of the requests that a reply sees.
    requests: Option<Generator>,
    codecs: Vec<Codec>,
    inverse: Option<(&'m Mapping, &'m Inverse)>,
}

/// What the documents have shown.
#[derive(Clone, Debug, Default)]
pub struct Generated {
    /// Documents made.
    pub documents: u64,
    /// Of them mapped, and everything after it as it must be.
    pub mapped: u64,
    /// Of them refused by the author's `reject`, by code.
    pub rejected: BTreeMap<String, u64>,
    /// The first that failed; none were made after it.
    pub failure: Option<Failure>,
}

/// A document that fails, as small as it could be made. It is synthetic and may be shown.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which document of the seed it was, from 0.
    pub index: u64,
    /// The document.
    pub input: Value,
    /// The field of the document that was taken for the message id, if one was.
    pub message_id_from: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a mapped document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The registered code.
    pub code: &'static str,
    /// The target field; the source field where an inverse leads elsewhere.
    pub path: String,
    /// Line and column of the rule, from 1, where one is at fault.
    pub place: Option<(usize, usize)>,
    /// What was found and what must be.
    pub detail: String,
}

impl<'m> Trial<'m> {
    /// Makes it ready. `formats` are those the target crosses in; layouts that do not compile are
    /// left to lint.
    ///
    /// # Errors
    /// When no document can be generated for the source schema.
    pub fn new(
        mapping: &'m Mapping,
        formats: &[Format],
        inverse: Option<&'m Mapping>,
    ) -> Result<Trial<'m>, Unsatisfied> {
        let compile = |format: &Format| Codec::compile(*format, &mapping.to, &mut Vec::new());
        Ok(Trial {
            mapping,
            generator: Generator::new(&mapping.from)?,
            requests: match &mapping.request {
                Some(schema) => Some(Generator::new(schema)?),
                None => None,
            },
            codecs: formats.iter().filter_map(compile).collect(),
            inverse: inverse.zip(mapping.inverse()),
        })
    }

    /// Tries `count` documents of a seed and stops at the first that fails.
    ///
    /// # Errors
    /// The place of the source schema for which no value was found.
    pub fn run(&self, seed: u64, count: u64) -> Result<Generated, Unsatisfied> {
        let mut generated = Generated::default();
        for index in 0..count {
            let mut chance = Chance::nth(seed, index);
            let document = self.generator.document(&mut chance)?;
            let mut sender = Sender::of(&document, &mut chance);
            if let Some(requests) = &self.requests {
                sender.meta.request = Some(Sent::new(requests.document(&mut chance)?));
            }
            generated.documents += 1;
            match self.fault(&document, &sender) {
                Ok(None) => generated.mapped += 1,
                Ok(Some(code)) => *generated.rejected.entry(code).or_default() += 1,
                Err(fault) => {
                    generated.failure = Some(self.smallest(index, &document, sender, fault));
                    break;
                }
            }
        }
        Ok(generated)
    }

    /// The smallest document with the same fault in the same rule.
    fn smallest(&self, index: u64, document: &Value, sender: Sender, fault: Fault) -> Failure {
        let same = |value: &Value| match self.fault(value, &sender) {
            Err(found) => found.code == fault.code && found.place == fault.place,
            Ok(_) => false,
        };
        let valid = |value: &Value| self.mapping.from.is_valid(value);
        let input = shrink(document, SHRINK_STEPS, valid, same);
        let fault = self.fault(&input, &sender).err().unwrap_or(fault);
        Failure { index, input, message_id_from: sender.message_id_from, fault }
    }

    /// The author's code when he refuses it; `Err` when something fails.
    fn fault(&self, document: &Value, sender: &Sender) -> Result<Option<String>, Fault> {
        let meta = sender.meta(document);
        let mapped = match self.mapping.run(document, &meta) {
            Ok(mapped) => mapped,
            Err(Rejection { author_code: Some(code), .. }) => return Ok(Some(code)),
            Err(rejection) => {
                return Err(Fault {
                    code: rejection.code.code,
                    place: Some((rejection.line, rejection.column)),
                    path: rejection.target,
                    detail: rejection.detail,
                });
            }
        };
        if let Err(violations) = self.mapping.to.validate(&mapped) {
            let first = violations.first();
            let path = first.map_or_else(String::new, |one| one.path.clone());
            let detail = first.map_or_else(String::new, ToString::to_string);
            return Err(self.fault_at(codes::GENERATED_INVALID.code, path, detail));
        }
        for codec in &self.codecs {
            self.crosses(codec, &mapped)?;
        }
        match self.inverse {
            Some((back, inverse)) => self.returns(document, &mapped, &meta, back, inverse),
            None => Ok(None),
        }
    }

    fn crosses(&self, codec: &Codec, mapped: &Value) -> Result<(), Fault> {
        let format = codec.format().name();
        let bytes = codec.encode(mapped).map_err(|error| {
            self.fault_at(error.code.code, error.path.clone(), format!("{format}: {error}"))
        })?;
        let code = codes::GENERATED_CROSSING.code;
        let read = codec.decode(&bytes, &Limits::default()).map_err(|error| {
            let detail = format!("what is written as {format} cannot be read back: {error}");
            self.fault_at(code, String::new(), detail)
        })?;
        if read == *mapped {
            return Ok(());
        }
        match differences(mapped, &read).into_iter().next() {
            Some(first) => {
                let (path, _) = first.split_once(": ").unwrap_or_default();
                let detail = format!("read back from {format}, it differs at {first}");
                Err(self.fault_at(code, path.to_owned(), detail))
            }
            None => Ok(()),
        }
    }

    fn returns(
        &self,
        document: &Value,
        mapped: &Value,
        meta: &Meta,
        back: &Mapping,
        inverse: &Inverse,
    ) -> Result<Option<String>, Fault> {
        let code = codes::GENERATED_INVERSE.code;
        let returned = match back.run(mapped, meta) {
            Ok(returned) => returned,
            Err(Rejection { author_code: Some(code), .. }) => return Ok(Some(code)),
            Err(rejection) => {
                let Rejection { line, column, target, detail, .. } = rejection;
                let detail = format!("{} fails at {target} ({line}:{column}): {detail}", back.name);
                return Err(Fault { code, path: target, place: None, detail });
            }
        };
        let (before, after) = (inverse.kept(document), inverse.kept(&returned));
        let Some(first) = differences(&before, &after).into_iter().next() else { return Ok(None) };
        let (path, _) = first.split_once(": ").unwrap_or_default();
        let detail = format!("there and back by {}, it differs at {first}", back.name);
        Err(Fault { code, path: path.to_owned(), place: None, detail })
    }

    /// A fault at a JSON pointer of the target, with the rule that sets it.
    fn fault_at(&self, code: &'static str, path: String, detail: String) -> Fault {
        let target = target_of(&path);
        let nearest = self
            .mapping
            .leaves()
            .filter(|(name, _)| target.starts_with(name) || name.starts_with(&target))
            .max_by_key(|(name, _)| common(name, &target));
        let place = nearest.map(|(_, at)| (at.line, at.column));
        Fault { code, path, place, detail }
    }
}

/// `/records/0/amount` as the target is written: `records[].amount`.
fn target_of(pointer: &str) -> String {
    let mut target = String::new();
    for part in pointer.split('/').skip(1) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) && !part.is_empty() {
            target.push_str("[]");
            continue;
        }
        if !target.is_empty() {
            target.push('.');
        }
        target.push_str(&part.replace("~1", "/").replace("~0", "~"));
    }
    target
}

fn common(left: &str, right: &str) -> usize {
    left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count()
}

/// What the message says of itself beside its document.
#[derive(Clone, Debug)]
struct Sender {
    /// Senders often use an id of the document; then rules that compare the two can hold.
    message_id_from: Option<String>,
    meta: Meta,
}

/// Moments at which a day, a month or a year begins in Japan and elsewhere.
const MOMENTS: &[&str] = &[
    "2026-06-01T00:00:00Z",
    "2026-12-31T14:59:59.999Z",
    "2026-12-31T15:00:00Z",
    "2024-02-28T15:00:00Z",
    "2019-04-30T15:00:00Z",
    "2027-03-31T14:59:59Z",
];

impl Sender {
    fn of(document: &Value, chance: &mut Chance) -> Sender {
        let members = document.as_object().into_iter().flatten();
        let ids: Vec<&String> = members
            .filter(|(_, value)| value.as_str().and_then(MessageId::parse).is_some())
            .map(|(name, _)| name)
            .collect();
        let called: Vec<&String> =
            ids.iter().filter(|name| name.ends_with("Id")).copied().collect();
        let likely = if called.is_empty() { &ids } else { &called };
        let message_id_from = match chance.below(4) {
            0 | 1 => chance.pick(likely).map(|name| String::clone(name)),
            2 => chance.pick(&ids).map(|name| String::clone(name)),
            _ => None,
        };
        let mut some = |text: &'static str| chance.one_in(2).then_some(text);
        let mut meta = Meta {
            municipality: some("131237").map(Into::into),
            operator: some("sato").map(Into::into),
            correlation_id: some("c-1").map(Into::into),
            ticket: some("ticket-1").map(Into::into),
            ..Meta::nothing()
        };
        let moment = chance.pick(MOMENTS).and_then(|moment| moment.parse().ok());
        meta.accepted_at = moment.unwrap_or(meta.accepted_at);
        // As long as those of the gateway: 32 letters and digits.
        meta.idempotency_key = format!("{:016x}{:016x}", chance.bits(), chance.bits()).into();
        meta.message_id = match chance.below(3) {
            0 => "1".into(),
            1 => format!("m-{:08x}", chance.below(1 << 32)).into(),
            _ => "m".repeat(MessageId::MAX_LENGTH).into(),
        };
        meta.message_type = "generated".into();
        meta.source = "generated".into();
        Sender { message_id_from, meta }
    }

    fn meta(&self, document: &Value) -> Meta {
        let mut meta = self.meta.clone();
        let named = self.message_id_from.as_ref().and_then(|name| document.get(name));
        if let Some(id) = named.and_then(Value::as_str) {
            meta.message_id = id.into();
        }
        meta
    }
}
