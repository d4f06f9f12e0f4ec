//! What changes at the counterparts as time goes on, for runs in which time is simulated.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};
use std::collections::BTreeMap;

/// Times of a run; by default nothing depends on the time.
#[derive(Clone, Debug, Default)]
pub struct Times {
    /// What waits to be fetched appears only when its time has come.
    pub timed: bool,
    /// When a counterpart is closed, in milliseconds since 1970: from, and until before.
    pub closed: BTreeMap<&'static str, Vec<(i64, i64)>>,
    /// The first day of the second layout of 副本; without it there is only the first.
    pub second_layout: Option<Date>,
    /// How long the answer to an inquiry takes, by RequestKey, in milliseconds.
    pub answer_takes: BTreeMap<String, i64>,
}

impl Times {
    /// Whether a counterpart is closed at this time.
    pub fn is_closed(&self, counterpart: &str, at_ms: i64) -> bool {
        let windows = self.closed.get(counterpart).map(Vec::as_slice).unwrap_or_default();
        windows.iter().any(|(from, until)| (*from..*until).contains(&at_ms))
    }

    /// The first moment at or after this one at which a counterpart is not closed.
    pub fn open_from(&self, counterpart: &str, at_ms: i64) -> i64 {
        let windows = self.closed.get(counterpart).map(Vec::as_slice).unwrap_or_default();
        let shut = windows.iter().find(|(from, until)| (*from..*until).contains(&at_ms));
        shut.map_or(at_ms, |(_, until)| *until)
    }

    /// Whether what came or comes at this time (RFC 3339) is there now.
    pub fn is_there(&self, at: &str) -> bool {
        !self.timed || at.parse::<Timestamp>().is_ok_and(|at| at <= crate::clock::now())
    }
}

/// The day of a moment in Japan.
pub fn day(ms: i64) -> Date {
    japan(ms).date()
}

/// A moment in Japan's time.
pub fn japan(ms: i64) -> Zoned {
    let zone = TimeZone::fixed(Offset::constant(9));
    Timestamp::from_millisecond(ms).unwrap_or_default().to_zoned(zone)
}

/// The moment of an hour and minute of a day in Japan, in milliseconds since 1970.
pub fn moment(day: Date, hour: i8, minute: i8) -> i64 {
    let zone = TimeZone::fixed(Offset::constant(9));
    let at = day.at(hour, minute, 0, 0).to_zoned(zone);
    at.map_or(0, |at| at.timestamp().as_millisecond())
}

/// RFC 3339 with +09:00.
pub fn written(ms: i64) -> String {
    japan(ms).strftime("%Y-%m-%dT%H:%M:%S+09:00").to_string()
}
