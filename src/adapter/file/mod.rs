//! Files as an adapter declares them: what they hold, how they are called, when a set is closed,
//! when one is whole.

use super::{BodyPlan, OutcomeTable};
use crate::codec::signed::Policy;
use crate::mapping::Mapping;
use crate::mapping::path::Path;
use crate::policy::calendar::Calendar;
use jiff::Timestamp;
use jiff::civil::Time;
use std::sync::Arc;
use std::time::Duration;

pub mod name;

pub use name::{Facts, Found, Template};

/// Many messages in one set of files.
#[derive(Debug)]
pub struct FileOut {
    /// The place, as `[counterpart.NAME.place.PLACE]` of `watashi.toml` names it.
    pub place: String,
    /// Folder there; empty: its root.
    pub folder: String,
    /// What the files hold.
    pub content: Content,
    /// Name of a file of records.
    pub name: Template,
    /// Most records of one file.
    pub split: usize,
    /// Files made of the set or of each of its parts, after the records, in this order.
    pub companions: Vec<Companion>,
    /// Lists the files with counts and digests.
    pub manifest: Option<Template>,
    /// Says that the set is whole; always the last.
    pub marker: Option<Template>,
    /// When a set is closed.
    pub gather: Gather,
    /// Results come in a file that this operation reads; without it a file that is there is the
    /// outcome.
    pub results: Option<String>,
}

/// A file that is made of what is known of a set.
#[derive(Debug)]
pub struct Companion {
    /// Its name.
    pub name: Template,
    /// One for each part, or one for the set.
    pub each_part: bool,
    /// What it holds.
    pub sheet: Sheet,
}

/// A document made from `watashi/file@1`.
#[derive(Debug)]
pub struct Sheet {
    /// Makes it.
    pub mapping: Arc<Mapping>,
    /// Lays it out.
    pub plan: BodyPlan,
}

/// What a file of records holds.
#[derive(Debug)]
pub struct Content {
    /// How records are laid out.
    pub layout: Layout,
    /// Lays out one record as JSON: the form in which it is a message.
    pub record: Arc<BodyPlan>,
    /// In front of the records.
    pub header: Option<Sheet>,
    /// Behind them.
    pub trailer: Option<Sheet>,
}

/// How records become a file.
#[derive(Debug)]
pub enum Layout {
    /// CSV or fixed width: the schema is the array of all records.
    Table(BodyPlan),
    /// One JSON object a line.
    Lines,
    /// One document with the records in an array of it.
    Document {
        /// Of the whole file.
        plan: BodyPlan,
        /// Members that lead to the array.
        records: Vec<String>,
        /// Makes the rest of the document from `watashi/file@1`.
        head: Option<Arc<Mapping>>,
    },
}

/// When a set is closed.
#[derive(Debug)]
pub struct Gather {
    /// At most this many messages.
    pub max_items: usize,
    /// At most this many bytes, as their records are in JSON.
    pub max_bytes: usize,
    /// The longest that the first waits for others; `None`: only the time of day counts.
    pub max_wait: Option<Duration>,
    /// Times of day in Japan at which what is there is written.
    pub at: Vec<Time>,
    /// Days that count for `at`; `None`: every day.
    pub days: Option<Arc<Calendar>>,
    /// Whether a set without records is written at these times.
    pub empty: bool,
}

/// Files that come to us.
#[derive(Debug)]
pub struct FileIn {
    /// The place.
    pub place: String,
    /// Folder there.
    pub folder: String,
    /// What the files hold.
    pub content: Content,
    /// The signature that a file must carry; its content is then what that covers.
    pub signature: Option<FileSignature>,
    /// The first line, where it is no record.
    pub header: Option<Edge>,
    /// The last line, where it is no record.
    pub trailer: Option<Edge>,
    /// Which files are meant.
    pub name: Template,
    /// When one is whole.
    pub whole: Whole,
    /// Each record is a message, or the file.
    pub each_record: bool,
    /// Member that tells a record, whatever file it stands in; `None`: file and number do.
    pub id: Option<Path>,
    /// What a bad record does.
    pub on_bad: OnBad,
    /// Where files go that were read.
    pub done: Done,
    /// Folder for files that cannot be used.
    pub aside: String,
    /// How often is looked.
    pub every: Duration,
    /// Largest file.
    pub max_bytes: usize,
    /// Most records.
    pub max_records: usize,
    /// When one is expected.
    pub expect: Option<Expect>,
    /// The message type of what is read; `None` where only results are.
    pub message_type: Option<String>,
    /// The records are results of another operation's files.
    pub settles: Option<Settles>,
}

/// A signature that is demanded of a file.
#[derive(Debug)]
pub struct FileSignature {
    /// The trust store of `watashi.toml`.
    pub trust: String,
    /// What must be signed, and where it stands.
    pub policy: Policy,
}

/// A line in front of the records of a file that came, or behind them.
#[derive(Debug)]
pub struct Edge {
    /// Reads it.
    pub plan: BodyPlan,
    /// Where it says how many records there are.
    pub count: Option<Path>,
}

/// How it is seen that a file is whole.
#[derive(Debug)]
pub enum Whole {
    /// This file is there as well.
    Marker(Template),
    /// This manifest names it, with count and digest.
    Manifest(Template),
    /// Its size has not changed for so long.
    Still(Duration),
}

/// What a record does that is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnBad {
    /// It becomes a dead letter; the others go on.
    DeadLetter,
    /// The whole file is put aside, before anything of it was accepted.
    RefuseFile,
}

/// What becomes of a file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It moves to this folder.
    Move(String),
    /// It is removed.
    Remove,
}

/// When a file is expected, and how much of it.
#[derive(Debug)]
pub struct Expect {
    /// Time of day in Japan.
    pub by: Time,
    /// Days that count; `None`: every day.
    pub days: Option<Arc<Calendar>>,
    /// Least records, in percent of those of the file before.
    pub min_percent: u64,
}

/// Results of the records of files that another operation wrote.
#[derive(Debug)]
pub struct Settles {
    /// That operation.
    pub operation: String,
    /// Where a result names the set; `None`: the file's name does.
    pub set: Option<Path>,
    /// Where it names the record, from 1.
    pub item: Path,
    /// What a result means.
    pub outcomes: OutcomeTable,
}

impl Gather {
    /// The last time of day at or before `now` at which a set is due.
    pub fn slot(&self, now: Timestamp) -> Option<Timestamp> {
        let last = self.at.iter().filter_map(|time| last_at(*time, self.days.as_deref(), now));
        last.max()
    }
}

impl Expect {
    /// The last time at or before `now` by which a file should have come.
    pub fn last(&self, now: Timestamp) -> Option<Timestamp> {
        last_at(self.by, self.days.as_deref(), now)
    }

    /// The beginning of that day: what comes from then on is the file that was expected.
    pub fn opened(&self, due: Timestamp) -> Timestamp {
        let day = due.to_zoned(name::japan()).start_of_day();
        day.map_or(due, |day| day.timestamp())
    }
}

/// Days looked back for a day that counts.
const LOOK_BACK: i8 = 31;

/// The last instant of that time of day, on a day that counts.
fn last_at(time: Time, days: Option<&Calendar>, now: Timestamp) -> Option<Timestamp> {
    let zone = name::japan();
    let mut date = now.to_zoned(zone.clone()).date();
    for _ in 0..=LOOK_BACK {
        let at = date.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp();
        if at <= now && days.is_none_or(|days| days.opens_on(date)) {
            return Some(at);
        }
        date = date.yesterday().ok()?;
    }
    None
}

/// Whether a folder's name cannot lead out of its place.
pub fn is_folder(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty() && !part.starts_with('.') && part.chars().all(name::is_allowed)
    };
    text.is_empty() || (text.len() <= 200 && text.split('/').all(part))
}

/// The path of a file in a folder of a place.
pub fn path_of(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::{Gather, is_folder};
    use crate::policy::calendar::japan_time;
    use jiff::civil::time;

    #[test]
    fn folders_stay_inside_their_place() {
        for good in ["", "in", "in/daily", "a-b_c.d"] {
            assert!(is_folder(good), "{good}");
        }
        for bad in ["/in", "in/", "../in", "in/..", "in//x", ".hidden", "in x", "予約"] {
            assert!(!is_folder(bad), "{bad}");
        }
    }

    #[test]
    fn the_last_time_of_day_may_be_yesterdays() {
        let gather = Gather {
            max_items: 1,
            max_bytes: 1,
            max_wait: None,
            at: vec![time(6, 0, 0, 0), time(18, 0, 0, 0)],
            days: None,
            empty: false,
        };
        let slot = |now: &str| gather.slot(japan_time(now).unwrap());
        assert_eq!(slot("2026-12-01T18:00"), japan_time("2026-12-01T18:00"));
        assert_eq!(slot("2026-12-01T17:59"), japan_time("2026-12-01T06:00"));
        assert_eq!(slot("2026-12-01T05:59"), japan_time("2026-11-30T18:00"));
    }
}
