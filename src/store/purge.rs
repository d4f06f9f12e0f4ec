//! Purging: what is kept no longer than it must be. In small steps, each a transaction of its own
//! among those of the traffic.

use super::Later;
use jiff::Timestamp;

/// What is purged, each by an age of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purging {
    /// Original bodies of messages whose exchanges have all ended. With a body goes the salt of its
    /// commitment and the only copy of its key.
    Bodies,
    /// Answers that upstream has taken.
    Answers,
    /// Messages with their exchanges and attempts: what is left when body and answers are gone. A
    /// message that comes again after this is a new one.
    Messages,
}

impl Purging {
    /// In the order in which they must go.
    pub const ALL: [Purging; 3] = [Purging::Bodies, Purging::Answers, Purging::Messages];

    /// The word in metrics and in the record.
    pub fn name(self) -> &'static str {
        match self {
            Purging::Bodies => "bodies",
            Purging::Answers => "answers",
            Purging::Messages => "messages",
        }
    }
}

/// One step.
#[derive(Clone, Copy, Debug)]
pub struct Purge {
    /// What.
    pub what: Purging,
    /// Only what ended before this instant.
    pub before: Timestamp,
    /// Where the step before it ended; 0 at first.
    pub after: i64,
    /// Rows looked at, at most.
    pub limit: usize,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Rows that are gone: bodies, answers, messages.
    pub rows: u64,
    /// Where the next step goes on; `None` when there is nothing more of that age.
    pub next: Option<i64>,
}

/// The part of a store that forgets.
pub trait Forget {
    /// One step of a purge. Never takes anything of an exchange that has not ended.
    fn purge(&self, purge: Purge) -> Later<'_, Purged>;
    /// When the oldest message was accepted whose body is still kept.
    fn oldest_body(&self) -> Later<'_, Option<Timestamp>>;
    /// Leaves nothing of what was purged in logs and free pages; `false` when readers are in the
    /// way, and it has to be asked again.
    fn scrub(&self) -> Later<'_, bool>;
}
