//! The oracle: compares what was promised with what happened. Pure: it reads no clock, file or
//! network, and shares nothing with the product.

use crate::counterparts::ledger::{Effect, Evidence, Violation};
use crate::municipality::Message;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod judge;
#[cfg(test)]
mod tests;

pub use judge::judge;

/// What became of posting a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posting {
    /// Accepted: from here on it is an obligation.
    Acknowledged,
    /// Refused at the door with a problem document: nothing is owed.
    Refused,
}

/// A message as it was posted.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The message, with what must come of it.
    pub message: Message,
    /// Place in the order of posting; rises within a lane.
    pub order: u64,
    /// What became of it.
    pub posting: Posting,
}

/// An answer that came back to the health system.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Its message id.
    pub id: String,
    /// `inquiry.answered` or `application.received`.
    pub message_type: String,
    /// inquiryId or 受付番号.
    pub key: String,
    /// Its status, for an inquiry.
    pub status: String,
}

/// A dead letter as the product lists it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct DeadLetter {
    /// Id of the message.
    pub message_id: String,
    /// Route; empty when none could be chosen.
    pub route: String,
    /// Counterpart; empty when none could be chosen.
    pub counterpart: String,
    /// Registered code.
    pub code: Option<String>,
}

/// One entry of the exported record, as far as it is judged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Entry {
    /// `intended`, `outcome` or `noted`.
    pub phase: String,
    /// RFC 3339.
    #[serde(rename = "time")]
    pub at: String,
    /// Id of the message.
    pub message_id: String,
    /// Counterpart.
    pub counterpart: String,
    /// Outcome word.
    pub outcome: Option<String>,
}

/// Everything the oracle is given.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// What was posted.
    pub posted: Vec<Posted>,
    /// What the counterparts saw and did.
    pub evidence: Evidence,
    /// 受付番号 of the applications that waited at the intake.
    pub applications: Vec<String>,
    /// 受付番号 of those whose signature is bad.
    pub spoilt: Vec<String>,
    /// Answers received.
    pub answers: Vec<Answer>,
    /// Dead letters listed.
    pub dead: Vec<DeadLetter>,
    /// Entries of the record.
    pub entries: Vec<Entry>,
    /// The gateway's clock jumped: its times say nothing.
    pub clock_jumped: bool,
}

/// One thing that is wrong. Names ids and fields, never personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Id of the message or business key.
    pub subject: String,
    /// What is wrong.
    pub problem: String,
}

/// The verdict: empty lists are what everybody hopes for.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Acknowledged, and neither in effect nor an expected dead letter; or an answer missing.
    pub lost: Vec<Finding>,
    /// In effect, asked or answered more than once.
    pub doubled: Vec<Finding>,
    /// In effect without an intent recorded before, or without an outcome.
    pub unrecorded: Vec<Finding>,
    /// In effect in another order than posted, within one lane and counterpart.
    pub out_of_order: Vec<Finding>,
    /// Dead letter of something that is in effect.
    pub dead_though_applied: Vec<Finding>,
    /// In effect with other content than the message's, or in effect though it never may be.
    pub wrong: Vec<Finding>,
    /// Malformed requests and leaks the counterparts saw.
    pub violations: Vec<Violation>,
}

impl Verdict {
    /// Whether nothing at all was found.
    pub fn is_clean(&self) -> bool {
        self.counts().values().all(|count| *count == 0)
    }

    /// How many of each.
    pub fn counts(&self) -> BTreeMap<&'static str, usize> {
        BTreeMap::from([
            ("lost", self.lost.len()),
            ("doubled", self.doubled.len()),
            ("unrecorded", self.unrecorded.len()),
            ("out_of_order", self.out_of_order.len()),
            ("dead_though_applied", self.dead_though_applied.len()),
            ("wrong", self.wrong.len()),
            ("violations", self.violations.len()),
        ])
    }

    /// The findings by name, for showing.
    pub fn findings(&self) -> Vec<(&'static str, &Finding)> {
        let lists = [
            ("lost", &self.lost),
            ("doubled", &self.doubled),
            ("unrecorded", &self.unrecorded),
            ("out of order", &self.out_of_order),
            ("dead though applied", &self.dead_though_applied),
            ("wrong", &self.wrong),
        ];
        lists.into_iter().flat_map(|(name, list)| list.iter().map(move |one| (name, one))).collect()
    }
}

/// Identity of an effect: counterpart, operation, business key.
type EffectKey = (String, String, String);

fn effect_key(effect: &Effect) -> EffectKey {
    (effect.counterpart.clone(), effect.operation.clone(), effect.key.clone())
}
