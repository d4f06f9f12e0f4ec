//! What the counterparts saw and did: receipts, effects, violations. The oracle's evidence.

use crate::clock;
use crate::random;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One request as it arrived, whatever became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// Number over all counterparts, from 1.
    pub number: u64,
    /// Counterpart name.
    pub counterpart: String,
    /// Method and path.
    pub request: String,
    /// When its head had arrived, milliseconds since 1970.
    pub at_ms: i64,
    /// Idempotency key: header, or MessageId of an XML header; empty when there was none.
    pub idempotency_key: String,
    /// The fault it met, if any.
    pub fault: Option<String>,
}

/// Something a counterpart applied. There is at most one for an honest crossing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Counterpart name.
    pub counterpart: String,
    /// What was done, in the counterpart's words: `copy`, `subject`, `record`, `notice`, …
    pub operation: String,
    /// Business key, e.g. `recordId/revision`.
    pub key: String,
    /// 宛名番号 (or pseudonym, or 受付番号) it was done to.
    pub person: String,
    /// Order of application over all counterparts, from 1.
    pub sequence: u64,
    /// When it was applied, milliseconds since 1970.
    pub at_ms: i64,
    /// When the head of the request that caused it had arrived, milliseconds since 1970.
    pub received_ms: i64,
    /// Idempotency key of that request.
    pub idempotency_key: String,
    /// Hash of the applied content, hex.
    pub digest: String,
    /// The applied fields that the oracle compares.
    pub content: BTreeMap<String, String>,
}

/// An effect before the ledger numbers it.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// See [`Effect::operation`].
    pub operation: &'static str,
    /// See [`Effect::key`].
    pub key: String,
    /// See [`Effect::person`].
    pub person: String,
    /// See [`Effect::content`].
    pub content: BTreeMap<String, String>,
}

/// Something the product must never have sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Counterpart name.
    pub counterpart: String,
    /// Method and path.
    pub request: String,
    /// What was wrong; names fields, never values.
    pub problem: String,
    /// A 個人番号 where none may be.
    pub leak: bool,
}

/// Everything seen so far, as a copy.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// All requests.
    pub receipts: Vec<Receipt>,
    /// All effects, in order of application.
    pub effects: Vec<Effect>,
    /// All violations.
    pub violations: Vec<Violation>,
    /// How often each fault was played, by counterpart and name.
    pub faults: BTreeMap<String, u64>,
}

/// The common book of all counterparts of one run.
#[derive(Default)]
pub struct Ledger {
    state: Mutex<Evidence>,
}

impl Ledger {
    /// Notes an arrived request and gives its number.
    pub fn receive(&self, counterpart: &str, request: &str, key: &str, at_ms: i64) -> u64 {
        let mut state = self.lock();
        let number = state.receipts.len() as u64 + 1;
        state.receipts.push(Receipt {
            number,
            counterpart: counterpart.to_owned(),
            request: request.to_owned(),
            at_ms,
            idempotency_key: key.to_owned(),
            fault: None,
        });
        number
    }

    /// Notes the fault a request met.
    pub fn fault(&self, receipt: u64, fault: &str) {
        let mut state = self.lock();
        let index = usize::try_from(receipt.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(entry) = state.receipts.get_mut(index) else { return };
        entry.fault = Some(fault.to_owned());
        let label = format!("{} {fault}", entry.counterpart);
        *state.faults.entry(label).or_default() += 1;
    }

    /// Notes an effect.
    pub fn apply(&self, counterpart: &str, cause: &Cause, applied: Applied) {
        let text = format!("{:?}", applied.content);
        let mut state = self.lock();
        let sequence = state.effects.len() as u64 + 1;
        state.effects.push(Effect {
            counterpart: counterpart.to_owned(),
            operation: applied.operation.to_owned(),
            key: applied.key,
            person: applied.person,
            sequence,
            at_ms: clock::now_ms(),
            received_ms: cause.received_ms,
            idempotency_key: cause.idempotency_key.clone(),
            digest: format!("{:016x}", random::hash(text.as_bytes())),
            content: applied.content,
        });
    }

    /// Notes something that must never have been sent.
    pub fn violation(&self, counterpart: &str, request: &str, problem: &str, leak: bool) {
        self.lock().violations.push(Violation {
            counterpart: counterpart.to_owned(),
            request: request.to_owned(),
            problem: problem.to_owned(),
            leak,
        });
    }

    /// How many effects there are.
    pub fn effects(&self) -> usize {
        self.lock().effects.len()
    }

    /// A copy of everything.
    pub fn evidence(&self) -> Evidence {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Evidence> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The request an effect comes from.
#[derive(Clone, Debug, Default)]
pub struct Cause {
    /// When its head had arrived, milliseconds since 1970.
    pub received_ms: i64,
    /// Its idempotency key.
    pub idempotency_key: String,
}
