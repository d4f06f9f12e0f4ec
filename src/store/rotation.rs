//! Rotation: what is sealed under an older key is wrapped under the one that seals now. In small
//! steps, each a transaction of its own among those of the traffic; a walk that was interrupted is
//! made again, and passes over what is done.

use super::{Keys, Later, StoreError};
use crate::record::{Draft, Kind, Phase};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is sealed: everything else is in the clear because it says nothing of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealedRows {
    /// Original bodies, with the salts of their commitments.
    Bodies,
    /// Answers for upstream.
    Answers,
}

impl SealedRows {
    /// All of them.
    pub const ALL: [SealedRows; 2] = [SealedRows::Bodies, SealedRows::Answers];
}

/// Rows looked at in one step.
pub const STEP: usize = 200;
/// Sealed bytes looked at in one step.
pub const BYTES: usize = 4 << 20;

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rewrap {
    /// What.
    pub rows: SealedRows,
    /// The row after which it goes on; 0 for the first.
    pub after: i64,
    /// Nothing is changed; they are only counted.
    pub count: bool,
}

/// What a step found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rewrapped {
    /// The key that seals now.
    pub current: String,
    /// Rows looked at.
    pub seen: u64,
    /// Rows that were wrapped anew.
    pub rewrapped: u64,
    /// Rows that stay under another key than the current one, by its name: with `count` those to
    /// be done, else those that do not open.
    pub others: BTreeMap<String, u64>,
    /// Rows that are not readable as sealed at all.
    pub damaged: u64,
    /// The row after which the next step goes on; `None` at the end.
    pub next: Option<i64>,
}

impl Rewrapped {
    /// Nothing yet.
    pub fn new(keys: &Keys) -> Rewrapped {
        Rewrapped { current: keys.current(), ..Rewrapped::default() }
    }

    /// Looks at one row; gives what is to be written in its place.
    pub fn look(&mut self, keys: &Keys, sealed: &[u8], count: bool) -> Option<Vec<u8>> {
        self.seen += 1;
        let Some(key) = Keys::key_of(sealed) else {
            self.damaged += 1;
            return None;
        };
        if key == self.current {
            return None;
        }
        match if count { Ok(None) } else { keys.rewrap(sealed) } {
            Ok(Some(anew)) => {
                self.rewrapped += 1;
                Some(anew.0)
            }
            // A row that does not open harms only itself.
            Ok(None) | Err(_) => {
                *self.others.entry(key.to_owned()).or_default() += 1;
                None
            }
        }
    }

    /// Takes the counts of a later step.
    pub fn add(&mut self, later: Rewrapped) {
        let Rewrapped { current, seen, rewrapped, others, damaged, next } = later;
        (self.current, self.next) = (current, next);
        self.seen += seen;
        self.rewrapped += rewrapped;
        self.damaged += damaged;
        for (key, count) in others {
            *self.others.entry(key).or_default() += count;
        }
    }
}

/// The part of a store that changes its keys.
pub trait Rotate {
    /// One step.
    fn rewrap(&self, step: Rewrap) -> Later<'_, Rewrapped>;
}

/// What a rotation did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rotated {
    /// The key that seals now.
    pub current: String,
    /// Rows looked at.
    pub seen: u64,
    /// Rows that were wrapped anew.
    pub rewrapped: u64,
    /// What is left under other keys, counted after all was done.
    pub others: BTreeMap<String, u64>,
    /// Rows that are not readable as sealed.
    pub damaged: u64,
}

impl Rotated {
    /// Whether nothing is left that needs another key.
    pub fn is_whole(&self) -> bool {
        self.others.is_empty() && self.damaged == 0
    }

    /// Its entry of the record.
    pub fn draft(&self, operator: &str, reason: &str, at: Timestamp) -> Draft {
        let left: u64 = self.others.values().sum::<u64>() + self.damaged;
        let Rotated { current, rewrapped, .. } = self;
        Draft {
            outcome: Some("keys-rotated".to_owned()),
            reference: Some(format!("key {current}; rewrapped: {rewrapped}; left: {left}")),
            operator: Some(operator.into()),
            reason: Some(reason.to_owned()),
            ..Draft::new(Kind::Operate, Phase::Noted, at)
        }
    }
}

/// Goes through everything once to rewrap, and once more to count: what was sealed meanwhile, and
/// what did not open, is in the second count. `told` hears of every step.
///
/// # Errors
/// What the steps say; what was done until then stays done.
pub async fn rotate<E: From<StoreError>>(
    mut step: impl AsyncFnMut(Rewrap) -> Result<Rewrapped, E>,
    mut told: impl FnMut(SealedRows, &Rewrapped),
) -> Result<Rotated, E> {
    let mut counts = [Rewrapped::default(), Rewrapped::default()];
    for (count, total) in [false, true].into_iter().zip(&mut counts) {
        for rows in SealedRows::ALL {
            let mut walked = Rewrapped::default();
            let mut after = Some(0);
            while let Some(place) = after {
                let found = step(Rewrap { rows, after: place, count }).await?;
                after = found.next;
                walked.add(found);
                if !count {
                    told(rows, &walked);
                }
            }
            total.add(walked);
        }
    }
    let [done, left] = counts;
    Ok(Rotated {
        current: left.current,
        seen: done.seen,
        rewrapped: done.rewrapped,
        others: left.others,
        damaged: left.damaged,
    })
}
