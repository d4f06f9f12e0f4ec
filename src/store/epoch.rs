//! Epochs: what a restore changes. A store that was put back does not know what happened after its
//! backup; each restore begins a new epoch, in which nothing of that time is sent blindly.
//!
//! Sources of doubt, and what each becomes:
//! - an exchange that had not ended at the backup: `unknown`, due now; behind another of its lane
//!   it stays `held` and wakes as `unknown`;
//! - a dead exchange that was dead before the restore: a replay makes it `unknown`;
//! - a message that comes again after the restore: `unknown` while the window is open, and for
//!   good where the record knows of an attempt (a ghost).
//!
//! `unknown` is resolved as its operation declares: resend with the same key, ask, or a person.

use super::NewExchange;
use crate::model::codes::store as codes;
use crate::model::{Envelope, State};
use crate::record::{Checkpoint, Draft, Head, Kind, Phase, RecordRow};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// A new epoch about to begin.
#[derive(Clone, Debug)]
pub struct NewEpoch {
    /// When.
    pub at: Timestamp,
    /// Who restores.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Entries of the record that are newer than the store, as they were exported; they follow its
    /// last one without a gap.
    pub entries: Vec<RecordRow>,
    /// Signed checkpoints that are newer than the store's own, the smallest first.
    pub checkpoints: Vec<Checkpoint>,
    /// The newest head that was signed: the record must come to it.
    pub head: Option<Head>,
    /// What these entries tell of exchanges.
    pub ghosts: Vec<Ghost>,
}

/// An exchange of which the record knows more than the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ghost {
    /// Sender.
    pub source: String,
    /// Its id.
    pub message_id: String,
    /// Route.
    pub route: String,
    /// How far it had come.
    pub fate: Fate,
}

/// How far the record saw an exchange come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// An attempt was made or intended: it may have been applied.
    Sent,
    /// Applied, with proof or by the word of an operator.
    Applied,
    /// Given up by an operator.
    Discarded,
}

impl Fate {
    /// The word in the table.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Sent => "sent",
            Fate::Applied => "applied",
            Fate::Discarded => "discarded",
        }
    }

    /// The fate of a word; one that is not known is taken as sent, the careful answer.
    pub fn from_name(name: &str) -> Fate {
        match name {
            "applied" => Fate::Applied,
            "discarded" => Fate::Discarded,
            _ => Fate::Sent,
        }
    }
}

/// What the beginning of an epoch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpochBegun {
    /// Number of the epoch; 1 is the one a store is born in.
    pub epoch: u64,
    /// Exchanges that are `unknown` now, or will be when their lane lets them go.
    pub unknown: u64,
    /// Exchanges that ended by what the record tells.
    pub ended: u64,
    /// Ghosts of messages that the store does not have.
    pub ghosts: u64,
    /// Entries taken over into the record.
    pub entries: u64,
}

/// The epoch a store is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number.
    pub number: u64,
    /// When it began, if by a restore.
    pub restored_at: Option<Timestamp>,
    /// Whether everything that is accepted is doubted, because it may be a repetition of what the
    /// store lost.
    pub window: bool,
}

impl Ghost {
    /// What entries tell of exchanges, one ghost per exchange, in the order of their first entry.
    /// An entry that cannot be read tells nothing.
    pub fn of(entries: &[RecordRow]) -> Vec<Ghost> {
        #[derive(serde::Deserialize)]
        struct Seen<'a> {
            #[serde(default, borrow)]
            source: Cow<'a, str>,
            #[serde(default, borrow)]
            message_id: Cow<'a, str>,
            #[serde(default, borrow)]
            route: Cow<'a, str>,
            #[serde(default, borrow)]
            phase: Cow<'a, str>,
            #[serde(default, borrow)]
            outcome: Cow<'a, str>,
        }
        let mut ghosts: Vec<Ghost> = Vec::new();
        let mut places: HashMap<(String, String, String), usize> = HashMap::new();
        for row in entries {
            let Ok(seen) = serde_json::from_str::<Seen<'_>>(&row.entry) else { continue };
            let fate = match (&*seen.phase, &*seen.outcome) {
                (_, "applied" | "confirm-applied") => Fate::Applied,
                (_, "discard" | "superseded") => Fate::Discarded,
                ("intended" | "outcome", _) | (_, "replay" | "confirm-not-applied") => Fate::Sent,
                _ => continue,
            };
            if seen.message_id.is_empty() || seen.route.is_empty() {
                continue;
            }
            let of = |text: Cow<'_, str>| text.into_owned();
            let key = (of(seen.source), of(seen.message_id), of(seen.route));
            match places.get(&key).and_then(|place| ghosts.get_mut(*place)) {
                // Applied stays applied, whatever a later attempt was answered.
                Some(ghost) if ghost.fate == Fate::Applied => {}
                Some(ghost) => ghost.fate = fate,
                None => {
                    let (source, message_id, route) = key.clone();
                    places.insert(key, ghosts.len());
                    ghosts.push(Ghost { source, message_id, route, fate });
                }
            }
        }
        ghosts
    }
}

/// What is known of the restore with which the present epoch began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Restored {
    /// When, milliseconds.
    pub at: Option<i64>,
    /// Everything accepted is doubted.
    pub window: bool,
    /// There are ghosts to look up.
    pub ghosts: bool,
}

impl Restored {
    /// Whether something that has rested since an instant may have gone on before the restore.
    pub fn doubts(self, since: i64) -> bool {
        self.at.is_some_and(|at| since <= at)
    }

    /// Whether a ghost may tell something of this exchange. What is dead on arrival was never sent.
    pub fn asks_about(self, exchange: &NewExchange) -> bool {
        (self.window || self.ghosts) && exchange.failure.is_none()
    }
}

/// What is known of an exchange that is about to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing was sent for it.
    New,
    /// It may have been sent before the restore.
    Doubt,
    /// The record says how it ended.
    Ended(State),
}

impl Known {
    /// By the word of its ghost, if it has one, and whether everything is doubted.
    pub fn by(fate: Option<&str>, window: bool) -> Known {
        match fate.map(Fate::from_name) {
            Some(Fate::Applied) => Known::Ended(State::Delivered),
            Some(Fate::Discarded) => Known::Ended(State::Discarded),
            Some(Fate::Sent) => Known::Doubt,
            None if window => Known::Doubt,
            None => Known::New,
        }
    }
}

/// The entry of an exchange that does not begin as a new one.
pub(super) fn not_new(envelope: &Envelope, exchange: &NewExchange, state: State) -> Draft {
    Draft {
        source: envelope.source.clone(),
        message_id: envelope.message_id.shared(),
        message_type: envelope.message_type.clone(),
        municipality: envelope.municipality.clone(),
        route: Arc::clone(&exchange.route),
        counterpart: Arc::clone(&exchange.counterpart),
        operation: Arc::clone(&exchange.operation),
        idempotency_key: exchange.idempotency_key.clone(),
        outcome: Some(state.name().to_owned()),
        code: Some(codes::RESTORED.code.to_owned()),
        operator: envelope.operator.clone(),
        bundle: Arc::clone(&exchange.bundle),
        ..Draft::new(Kind::Receive, Phase::Noted, envelope.accepted_at)
    }
}

/// The entry of the restore itself, or of its completion.
pub(super) fn act(word: &str, operator: &str, reason: &str, at: Timestamp) -> Draft {
    Draft {
        outcome: Some(word.to_owned()),
        operator: Some(operator.into()),
        reason: Some(reason.to_owned()),
        ..Draft::new(Kind::Operate, Phase::Noted, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, phase: Phase, outcome: &str) -> RecordRow {
        let draft = Draft {
            source: "health".into(),
            message_id: id.into(),
            route: "r".into(),
            outcome: Some(outcome.to_owned()).filter(|word| !word.is_empty()),
            ..Draft::new(Kind::Send, phase, Timestamp::UNIX_EPOCH)
        };
        RecordRow { sequence: 1, leaf: [0; 32], entry: draft.canonical() }
    }

    #[test]
    fn the_last_word_of_the_record_decides_and_applied_stays() {
        let rows = [
            entry("a", Phase::Intended, ""),
            entry("b", Phase::Intended, ""),
            entry("a", Phase::Outcome, "applied"),
            entry("b", Phase::Outcome, "unknown"),
            entry("c", Phase::Noted, "discard"),
            entry("a", Phase::Outcome, "refused"),
            entry("d", Phase::Noted, "received"),
            entry("", Phase::Intended, ""),
        ];
        let fates: Vec<_> =
            Ghost::of(&rows).into_iter().map(|ghost| (ghost.message_id, ghost.fate)).collect();
        let expected = [("a", Fate::Applied), ("b", Fate::Sent), ("c", Fate::Discarded)];
        assert_eq!(fates, expected.map(|(id, fate)| (id.to_owned(), fate)));
        for fate in [Fate::Sent, Fate::Applied, Fate::Discarded] {
            assert_eq!(Fate::from_name(fate.name()), fate);
        }
    }
}
