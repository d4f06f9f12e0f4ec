//! The simulated year: its days, and what is special about some of them.

use crate::counterparts::behind_pmh::INSURERS;
use crate::counterparts::times::{Times, moment};
use crate::counterparts::{APPLICATION_MANAGEMENT, INTERMEDIATE_SERVER};
use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};
use std::collections::BTreeMap;

/// The first day.
pub const FIRST: Date = date(2026, 7, 1);
/// The last day.
pub const LAST: Date = date(2027, 6, 30);
/// The first day of the second layout of 副本.
pub const SECOND_LAYOUT: Date = date(2027, 4, 1);
/// PMH is out of reach on this whole day.
pub const OUTAGE: Date = date(2027, 2, 10);
/// 年末年始: the first day on which others are closed, and the first on which they are not.
pub const CLOSED: (Date, Date) = (date(2026, 12, 29), date(2027, 1, 4));
/// The 医療保険者等向け中間サーバー is out of reach at the end of the fiscal year: its first day, and the
/// first on which it is not. 採番 waits at PMH.
pub const INSURERS_CLOSED: (Date, Date) = (date(2027, 3, 27), date(2027, 4, 1));
/// Days on which there is work whatever day of the week they are.
const ALWAYS: [Date; 7] =
    [FIRST, date(2026, 12, 28), CLOSED.0, CLOSED.1, OUTAGE, date(2027, 3, 31), SECOND_LAYOUT];

/// Days of work.
#[derive(Clone, Debug)]
pub struct WorkDays(Vec<Date>);

impl WorkDays {
    /// So many of each week, from 1 (Wednesdays) to 5.
    pub fn new(a_week: u8) -> Self {
        let order = [
            Weekday::Wednesday,
            Weekday::Monday,
            Weekday::Friday,
            Weekday::Tuesday,
            Weekday::Thursday,
        ];
        let at_work = order.get(..usize::from(a_week)).unwrap_or(&order);
        let is_work = |day: &Date| {
            ALWAYS.contains(day)
                || (at_work.contains(&day.weekday()) && !(CLOSED.0 < *day && *day < CLOSED.1))
        };
        let days = FIRST.series(1.day()).take_while(|day| *day <= LAST);
        WorkDays(days.filter(is_work).collect())
    }

    /// All of them, in their order.
    pub fn all(&self) -> &[Date] {
        &self.0
    }

    /// The first day of work on or after a day; the last one there is when there is none.
    pub fn from(&self, day: Date) -> Date {
        let index = self.0.partition_point(|one| *one < day);
        self.0.get(index).or(self.0.last()).copied().unwrap_or(LAST)
    }
}

/// The day so many days later, not after the end of the year.
pub fn later(day: Date, days: i64) -> Date {
    day.checked_add(days.days()).unwrap_or(LAST).min(LAST)
}

/// When who is closed, and since when there is the second layout. 年度末: the 中間サーバー is
/// closed from the morning of 3/31 on, for the change.
pub fn times(answer_takes: BTreeMap<String, i64>) -> Times {
    let year_end = (moment(CLOSED.0, 0, 0), moment(CLOSED.1, 0, 0));
    let change = (moment(date(2027, 3, 31), 9, 0), moment(SECOND_LAYOUT, 6, 0));
    Times {
        timed: true,
        closed: BTreeMap::from([
            (INTERMEDIATE_SERVER, vec![year_end, change]),
            (APPLICATION_MANAGEMENT, vec![year_end]),
            (INSURERS, vec![(moment(INSURERS_CLOSED.0, 0, 0), moment(INSURERS_CLOSED.1, 0, 0))]),
        ]),
        second_layout: Some(SECOND_LAYOUT),
        answer_takes,
    }
}

/// The windows of a counterpart as a line of `watashi.toml`.
pub fn maintenance(windows: &[(i64, i64)]) -> String {
    let written =
        |ms: &i64| crate::counterparts::times::japan(*ms).strftime("%Y-%m-%dT%H:%M").to_string();
    let one = |(from, to): &(i64, i64)| {
        format!("{{from = \"{}\", to = \"{}\"}}", written(from), written(to))
    };
    let all: Vec<String> = windows.iter().map(one).collect();
    format!("maintenance = [{}]\n", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_special_days_are_days_of_work_however_few_there_are() {
        for a_week in 1..=5 {
            let days = WorkDays::new(a_week);
            for special in ALWAYS {
                assert!(days.all().contains(&special), "{special}");
            }
            assert!(days.all().is_sorted());
        }
        assert_eq!(WorkDays::new(1).from(date(2026, 12, 31)), CLOSED.1);
        assert_eq!(WorkDays::new(5).from(date(2027, 7, 9)), LAST);
    }

    #[test]
    fn closed_is_closed_to_the_minute() {
        let times = times(BTreeMap::new());
        let closed =
            |day, hour, minute| times.is_closed(INTERMEDIATE_SERVER, moment(day, hour, minute));
        assert!(!closed(date(2026, 12, 28), 23, 59) && closed(CLOSED.0, 0, 0));
        assert!(closed(date(2027, 1, 3), 23, 59) && !closed(CLOSED.1, 0, 0));
        assert!(closed(date(2027, 3, 31), 10, 0) && !closed(SECOND_LAYOUT, 6, 0));
        assert!(!times.is_closed(crate::counterparts::PMH, moment(CLOSED.0, 12, 0)));
    }
}
