//! A month in Japan's time.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::Offset;
use std::fmt;
use std::str::FromStr;

/// A month of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    first: Date,
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Month, String> {
        let whole = text.len() == 7;
        let first = format!("{text}-01").parse().ok().filter(|_| whole);
        first.map(|first| Month { first }).ok_or_else(|| "a month is written 2026-10".to_owned())
    }
}

impl fmt::Display for Month {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.first.strftime("%Y-%m"))
    }
}

impl Month {
    /// Whether a day is in it.
    pub fn has(&self, day: Date) -> bool {
        (day.year(), day.month()) == (self.first.year(), self.first.month())
    }

    /// When it begins in Japan.
    pub fn begins(&self) -> Timestamp {
        midnight(self.first)
    }

    /// When it has ended in Japan.
    pub fn ended(&self) -> Timestamp {
        let next = match self.first.month() {
            12 => date(self.first.year().saturating_add(1), 1, 1),
            month => date(self.first.year(), month + 1, 1),
        };
        midnight(next)
    }
}

fn midnight(day: Date) -> Timestamp {
    Offset::constant(9).to_timestamp(day.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
}
