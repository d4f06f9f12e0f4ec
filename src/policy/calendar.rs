//! Opening hours of a counterpart, in Japan's time: by weekday, on holidays, on single days, and
//! without planned maintenance. Pure: the instant comes in as an argument.
//!
//! Japan's time is UTC+9 all year round, so a day always has 24 hours.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Minutes of a day.
pub const DAY: u16 = 24 * 60;
const MINUTE: i64 = 60_000;
const OFFSET: i64 = 9 * 60 * MINUTE;
/// Days looked through for the next opening: more than a year, so that yearly days cannot hide it.
const SEARCH: u32 = 400;
/// Days of which open time is added up.
const LONGEST: u32 = 3_660;
/// How far ahead it is worth knowing when an open counterpart closes.
const AHEAD: i64 = 2 * 24 * 60 * MINUTE;

/// Part of a day: minutes since midnight, from (included) to (excluded).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First minute.
    pub from: u16,
    /// First minute after it; up to [`DAY`].
    pub to: u16,
}

/// Time in which nothing is sent: planned maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    /// From (included).
    pub from: Timestamp,
    /// To (excluded).
    pub to: Timestamp,
}

/// Which days are holidays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holidays {
    /// Single days.
    pub days: BTreeSet<Date>,
    /// Days of every year, as month and day.
    pub yearly: BTreeSet<(i8, i8)>,
}

impl Holidays {
    /// Whether a day is one.
    pub fn contains(&self, date: Date) -> bool {
        self.days.contains(&date) || self.yearly.contains(&(date.month(), date.day()))
    }
}

/// When a counterpart is open. What is more particular counts: a closed day, then an open day,
/// then holidays, then the weekday; maintenance is cut out of all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// By weekday, Monday first; each sorted and without overlaps.
    pub week: [Vec<Span>; 7],
    /// On holidays; `None`: as on other days.
    pub on_holidays: Option<Vec<Span>>,
    /// Which days those are.
    pub holidays: Holidays,
    /// Days with hours of their own.
    pub open_days: BTreeMap<Date, Vec<Span>>,
    /// Days without any.
    pub closed_days: BTreeSet<Date>,
    /// Planned maintenance.
    pub maintenance: Vec<Window>,
}

/// Whether it is open, and until when that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Open at least until then.
    Open {
        /// The closing time, or a time far enough ahead.
        until: Timestamp,
    },
    /// Closed.
    Closed {
        /// The next opening; `None`: none within more than a year.
        until: Option<Timestamp>,
    },
}

impl Calendar {
    /// Open at all times but those of maintenance.
    pub fn always() -> Calendar {
        Calendar {
            week: std::array::from_fn(|_| vec![Span { from: 0, to: DAY }]),
            ..Calendar::default()
        }
    }

    /// Whether it is open at this instant.
    pub fn status(&self, at: Timestamp) -> Status {
        let now = at.as_millisecond();
        let mut day = date_of(at);
        let mut open_until: Option<i64> = None;
        for _ in 0..SEARCH {
            for (from, to) in self.intervals(day) {
                match open_until {
                    None if to <= now => {}
                    None if from <= now => open_until = Some(to),
                    None => return Status::Closed { until: instant(from) },
                    // Over midnight, or where windows of maintenance do not touch it.
                    Some(until) if from <= until => open_until = Some(until.max(to)),
                    Some(_) => break,
                }
            }
            if let Some(until) = open_until
                && (until < midnight(day) + i64::from(DAY) * MINUTE || until - now > AHEAD)
            {
                return Status::Open { until: instant(until).unwrap_or(at) };
            }
            let Ok(next) = day.tomorrow() else { break };
            day = next;
        }
        match open_until {
            Some(until) => Status::Open { until: instant(until).unwrap_or(at) },
            None => Status::Closed { until: None },
        }
    }

    /// How much of the time between two instants it is open. Beyond ten years all of it counts.
    pub fn open_time(&self, from: Timestamp, to: Timestamp) -> Duration {
        let (mut from, to) = (from.as_millisecond(), to.as_millisecond());
        let mut open = 0;
        for _ in 0..LONGEST {
            let Some(day) = instant(from).map(date_of).filter(|_| from < to) else { break };
            let within = |(start, end): (i64, i64)| (end.min(to) - start.max(from)).max(0);
            open += self.intervals(day).into_iter().map(within).sum::<i64>();
            from = midnight(day) + i64::from(DAY) * MINUTE;
        }
        Duration::from_millis((open + (to - from).max(0)).unsigned_abs())
    }

    /// Whether it is open at some time of that day.
    pub fn opens_on(&self, day: Date) -> bool {
        !self.intervals(day).is_empty()
    }

    /// Whether a request that may take so long can be made at this instant.
    pub fn admits(&self, at: Timestamp, longest: Duration) -> bool {
        match self.status(at) {
            Status::Open { until } => at.checked_add(longest).is_ok_and(|end| end <= until),
            Status::Closed { .. } => false,
        }
    }

    /// Whether there is a time without maintenance at which a request that may take so long could
    /// be made. The clock is not asked: `open_days` count also when they are over.
    pub fn can_open_for(&self, longest: Duration) -> bool {
        let spans = self.week.iter().chain(&self.on_holidays).chain(self.open_days.values());
        let mut spans = spans.flatten();
        let needed = longest.as_secs().div_ceil(60);
        spans.any(|span| u64::from(span.to.saturating_sub(span.from)) >= needed)
    }

    /// Two windows of maintenance that overlap, by their places in the list.
    pub fn overlapping(windows: &[Window]) -> Option<(usize, usize)> {
        let mut order: Vec<usize> = (0..windows.len()).collect();
        order.sort_by_key(|index| windows.get(*index).copied());
        order.windows(2).find_map(|pair| match pair {
            [first, second] => {
                let overlap = windows.get(*first)?.to > windows.get(*second)?.from;
                overlap.then_some((*first.min(second), *first.max(second)))
            }
            _ => None,
        })
    }

    /// Open times of one day in milliseconds since 1970, in order, without maintenance.
    fn intervals(&self, date: Date) -> Vec<(i64, i64)> {
        let start = midnight(date);
        let at = |minute: u16| start + i64::from(minute) * MINUTE;
        let mut open: Vec<(i64, i64)> =
            self.spans(date).iter().map(|span| (at(span.from), at(span.to))).collect();
        for window in &self.maintenance {
            let (from, to) = (window.from.as_millisecond(), window.to.as_millisecond());
            open = open
                .into_iter()
                .flat_map(|(start, end)| [(start, end.min(from)), (start.max(to), end)])
                .filter(|(start, end)| start < end)
                .collect();
        }
        open
    }

    fn spans(&self, date: Date) -> &[Span] {
        if self.closed_days.contains(&date) {
            return &[];
        }
        if let Some(spans) = self.open_days.get(&date) {
            return spans;
        }
        match &self.on_holidays {
            Some(spans) if self.holidays.contains(date) => spans,
            _ => self.week.get(index(date.weekday())).map(Vec::as_slice).unwrap_or_default(),
        }
    }
}

/// The place of a weekday in a week that begins on Monday.
pub fn index(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or(0)
}

/// The day it is in Japan.
pub fn date_of(at: Timestamp) -> Date {
    let days = (at.as_millisecond() + OFFSET).div_euclid(i64::from(DAY) * MINUTE);
    let span = jiff::Span::new().try_days(days);
    span.and_then(|days| Date::constant(1970, 1, 1).checked_add(days)).unwrap_or(Date::MAX)
}

/// Milliseconds since 1970 at which a day begins in Japan.
fn midnight(date: Date) -> i64 {
    let since = Date::constant(1970, 1, 1).until(date).map_or(0, |span| i64::from(span.get_days()));
    since * i64::from(DAY) * MINUTE - OFFSET
}

fn instant(milliseconds: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(milliseconds).ok()
}

/// A time in Japan: RFC 3339 with its offset, a date and time without one (`2026-12-05T22:00`,
/// with a space too), or 12, 14 or 17 digits (`yyyyMMddHHmm` with seconds and milliseconds).
pub fn japan_time(text: &str) -> Option<Timestamp> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::Offset::constant(9));
    let digits = text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let civil = if digits {
        let (seconds, milliseconds) = match text.len() {
            12 => ("00", "000"),
            14 => (text.get(12..)?, "000"),
            17 => (text.get(12..14)?, text.get(14..)?),
            _ => return None,
        };
        let (date, time) = (text.get(..8)?, text.get(8..12)?);
        let (year, month, day) = (date.get(..4)?, date.get(4..6)?, date.get(6..)?);
        let (hour, minute) = (time.get(..2)?, time.get(2..)?);
        format!("{year}-{month}-{day}T{hour}:{minute}:{seconds}.{milliseconds}").parse()
    } else {
        // A day alone would pass for its midnight.
        text.contains(':').then_some(())?;
        text.parse::<jiff::civil::DateTime>()
    };
    civil.ok()?.to_zoned(zone).ok().map(|zoned| zoned.timestamp())
}

/// `08:00-21:00` in minutes; `24:00` ends a day.
pub fn span(text: &str) -> Option<Span> {
    let (from, to) = text.split_once('-')?;
    let minutes = |text: &str| -> Option<u16> {
        let (hour, minute) = text.trim().split_once(':')?;
        let shape = hour.len() == 2 && minute.len() == 2;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        let total = hour * 60 + minute;
        (shape && hour <= 24 && minute < 60 && total <= DAY).then_some(total)
    };
    let span = Span { from: minutes(from)?, to: minutes(to)? };
    (span.from < span.to).then_some(span)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        japan_time(text).unwrap()
    }

    fn office() -> Calendar {
        let weekday = vec![span("08:00-12:00").unwrap(), span("13:00-21:00").unwrap()];
        let mut week: [Vec<Span>; 7] = std::array::from_fn(|_| weekday.clone());
        week[5] = vec![span("09:00-17:00").unwrap()];
        week[6] = Vec::new();
        Calendar {
            week,
            on_holidays: Some(Vec::new()),
            holidays: Holidays {
                days: BTreeSet::from(["2026-11-23".parse().unwrap()]),
                yearly: BTreeSet::from([(12, 31), (1, 1)]),
            },
            ..Calendar::default()
        }
    }

    fn closed(calendar: &Calendar, when: &str) -> Option<String> {
        match calendar.status(at(when)) {
            Status::Open { .. } => None,
            Status::Closed { until } => {
                let zone = jiff::tz::TimeZone::fixed(jiff::tz::Offset::constant(9));
                let shown = until.map(|until| until.to_zoned(zone).strftime("%F %R").to_string());
                Some(shown.unwrap_or_else(|| "never".to_owned()))
            }
        }
    }

    #[test]
    fn hours_by_weekday_holiday_and_day() {
        let calendar = office();
        let cases = [
            ("2026-11-20T07:59", Some("2026-11-20 08:00")), // a Friday
            ("2026-11-20T08:00", None),
            ("2026-11-20T12:00", Some("2026-11-20 13:00")),
            ("2026-11-20T20:59", None),
            ("2026-11-20T21:00", Some("2026-11-21 09:00")),
            // Saturday evening: Sunday is closed, Monday is a holiday.
            ("2026-11-21T17:00", Some("2026-11-24 08:00")),
            ("2026-12-30T21:00", Some("2027-01-02 09:00")), // 31 and 1 are closed every year
        ];
        for (when, expected) in cases {
            assert_eq!(closed(&calendar, when).as_deref(), expected, "{when}");
        }
        let open_day = "2026-11-22".parse().unwrap(); // a Sunday
        let closed_day = "2026-11-24".parse().unwrap();
        let calendar = Calendar {
            open_days: BTreeMap::from([(open_day, vec![span("10:00-11:00").unwrap()])]),
            closed_days: BTreeSet::from([closed_day]),
            ..calendar
        };
        assert_eq!(closed(&calendar, "2026-11-22T10:30"), None);
        let next = closed(&calendar, "2026-11-22T11:00");
        assert_eq!(next.as_deref(), Some("2026-11-25 08:00"));
    }

    #[test]
    fn open_time_leaves_out_what_is_closed() {
        let calendar = office();
        let hours = |from: &str, to: &str| calendar.open_time(at(from), at(to)).as_secs() / 3_600;
        assert_eq!(hours("2026-11-20T11:00", "2026-11-20T14:00"), 2, "a break at noon");
        assert_eq!(hours("2026-11-21T17:00", "2026-11-24T09:00"), 1, "Sunday, and a holiday");
        assert_eq!(hours("2026-11-20T14:00", "2026-11-20T11:00"), 0, "the clock was set back");
        let window = Window { from: at("2026-12-05T22:00"), to: at("2026-12-06T06:00") };
        let calendar = Calendar { maintenance: vec![window], ..Calendar::always() };
        let open = calendar.open_time(at("2026-12-05T21:00"), at("2026-12-07T06:00"));
        assert_eq!(open, Duration::from_secs(25 * 3_600));
        let years = Calendar::always().open_time(at("2000-01-01T00:00"), at("2026-01-01T00:00"));
        assert_eq!(years, Duration::from_secs(9_497 * 24 * 3_600));
    }

    #[test]
    fn maintenance_is_cut_out_and_midnight_is_no_end() {
        let window = Window { from: at("2026-12-05T22:00"), to: at("2026-12-06T06:00") };
        let calendar = Calendar { maintenance: vec![window], ..Calendar::always() };
        let open = |when: &str| match calendar.status(at(when)) {
            Status::Open { until } => Some(until),
            Status::Closed { .. } => None,
        };
        assert_eq!(open("2026-12-04T23:30"), Some(window.from));
        assert_eq!(open("2026-12-05T22:00"), None);
        assert_eq!(closed(&calendar, "2026-12-05T23:00").as_deref(), Some("2026-12-06 06:00"));
        assert!(open("2026-12-06T06:00").unwrap() > at("2026-12-08T00:00"));
        let second = Duration::from_secs(1);
        assert!(calendar.admits(at("2026-12-05T21:59:30"), second * 30));
        assert!(!calendar.admits(at("2026-12-05T21:59:31"), second * 30), "would reach past it");
    }

    #[test]
    fn a_calendar_that_never_opens_is_found_within_bounds() {
        let never = Calendar::default();
        assert_eq!(never.status(at("2026-01-01T00:00")), Status::Closed { until: None });
        assert!(!never.can_open_for(Duration::ZERO));
        let minute = Calendar {
            week: std::array::from_fn(|_| vec![Span { from: 0, to: 1 }]),
            ..Calendar::default()
        };
        assert!(minute.can_open_for(Duration::from_secs(60)));
        assert!(!minute.can_open_for(Duration::from_secs(61)));
    }

    #[test]
    fn windows_that_overlap_are_found() {
        let window = |from: &str, to: &str| Window { from: at(from), to: at(to) };
        let day = |day: u8| {
            window(&format!("2026-12-{day:02}T00:00"), &format!("2026-12-{:02}T00:00", day + 1))
        };
        assert_eq!(Calendar::overlapping(&[day(5), day(3), day(4)]), None);
        let long = window("2026-12-01T00:00", "2026-12-04T12:00");
        assert_eq!(Calendar::overlapping(&[day(5), day(4), long]), Some((1, 2)));
    }

    #[test]
    fn times_have_their_forms() {
        let expected: Timestamp = "2026-12-05T13:00:00Z".parse().unwrap();
        for text in [
            "2026-12-05T22:00",
            "2026-12-05T22:00:00",
            "2026-12-05 22:00",
            "2026-12-05T22:00:00+09:00",
            "2026-12-05T13:00:00Z",
            "202612052200",
            "20261205220000",
            "20261205220000000",
        ] {
            assert_eq!(japan_time(text), Some(expected), "{text}");
        }
        for text in ["", "2026-12-05", "22:00", "20261205", "2026120522000", "20261305220000", "あ"]
        {
            assert_eq!(japan_time(text), None, "{text}");
        }
        assert_eq!(span("08:00-24:00"), Some(Span { from: 480, to: DAY }));
        for text in
            ["8:00-9:00", "09:00", "09:00-09:00", "10:00-09:00", "09:60-10:00", "23:00-24:01"]
        {
            assert_eq!(span(text), None, "{text}");
        }
    }

    fn spans() -> impl Strategy<Value = Vec<Span>> {
        prop::collection::btree_set(0..=DAY / 30, 0..6).prop_map(|edges| {
            let edges: Vec<u16> = edges.into_iter().map(|edge| edge * 30).collect();
            edges.chunks_exact(2).map(|pair| Span { from: pair[0], to: pair[1] }).collect()
        })
    }

    /// Said directly: a time is open when the day's spans have it and no window does.
    fn is_open(calendar: &Calendar, at: Timestamp) -> bool {
        let minute = (at.as_millisecond() + OFFSET).rem_euclid(i64::from(DAY) * MINUTE) / MINUTE;
        let within = |span: &Span| (i64::from(span.from)..i64::from(span.to)).contains(&minute);
        let repaired = |window: &Window| window.from <= at && at < window.to;
        calendar.spans(date_of(at)).iter().any(within) && !calendar.maintenance.iter().any(repaired)
    }

    proptest! {
        #[test]
        fn the_next_change_is_the_first_one(
            week in prop::array::uniform7(spans()), on_holidays in prop::option::of(spans()),
            windows in prop::collection::vec((0..600u32, 1..60u32), 0..3), start in 0..400u32,
        ) {
            let base = at("2026-12-28T00:00");
            let hour = |half: u32| base + Duration::from_secs(u64::from(half) * 1_800);
            let maintenance = windows
                .iter()
                .map(|(from, long)| Window { from: hour(*from), to: hour(from + long) })
                .collect();
            let calendar = Calendar { week, on_holidays, maintenance, ..office() };
            let now = hour(start);
            let open = is_open(&calendar, now);
            let end = match calendar.status(now) {
                Status::Open { until } => {
                    prop_assert!(open);
                    until
                }
                Status::Closed { until } => {
                    prop_assert!(!open);
                    if let Some(until) = until {
                        prop_assert!(is_open(&calendar, until));
                    }
                    until.unwrap_or(now + Duration::from_secs(30 * 86_400))
                }
            };
            let mut probe = now;
            while probe < end {
                prop_assert_eq!(is_open(&calendar, probe), open, "at {}", probe);
                probe += Duration::from_secs(1_800);
            }
        }
    }
}
