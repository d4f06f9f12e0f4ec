//! Functions over dates and times. Dates are texts `YYYY-MM-DD`; times are read with their offset
//! and told in Japan's (UTC+9, no summer time).

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{
    Accepts, Arguments, Fail, Function, Outcome, Returns, kind_of, not_convertible, parameter,
    plain, text, value, wrong_type,
};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "date",
        gives: Gives::By(transfer::date),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "The text as it is, refused unless it is a calendar date YYYY-MM-DD.",
        examples: &[
            ("date(\"2024-02-29\")", "\"2024-02-29\""),
            ("date(\"9999-12-31\")", "\"9999-12-31\""),
            ("date(\"2023-02-29\")", "M304"),
            ("date(\"2023-2-9\")", "M304"),
        ],
        ..plain(|a| parse_date(a.text(0)).and_then(|_| a.unchanged()))
    },
    Function {
        name: "compact-date",
        gives: Gives::By(transfer::compact_date),
        parameters: &[parameter("date", Accepts::Text)],
        doc: "A date as YYYYMMDD.",
        examples: &[("compact-date(\"2026-06-01\")", "\"20260601\"")],
        ..plain(|a| {
            parse_date(a.text(0))?;
            text(a.text(0).replace('-', ""))
        })
    },
    Function {
        name: "from-compact-date",
        gives: Gives::By(transfer::from_compact_date),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "A date from YYYYMMDD.",
        examples: &[
            ("from-compact-date(\"20260601\")", "\"2026-06-01\""),
            ("from-compact-date(\"20260631\")", "M304"),
        ],
        ..plain(from_compact_date)
    },
    Function {
        name: "wareki",
        gives: Gives::By(transfer::wareki),
        parameters: &[parameter("date", Accepts::Text)],
        doc: "A date in the Japanese calendar, 令和8-06-01; dates before 明治6-01-01 are refused.",
        examples: &[
            ("wareki(\"2019-04-30\")", "\"平成31-04-30\""),
            ("wareki(\"2019-05-01\")", "\"令和1-05-01\""),
            ("wareki(\"1872-12-31\")", "M304"),
            ("wareki(\"9999-12-31\")", "M304"),
        ],
        ..plain(wareki)
    },
    Function {
        name: "from-wareki",
        gives: Gives::By(transfer::from_wareki),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "A date from 令和8-06-01, 令和8年6月1日 (元年 too), R8.6.1 or era code 5080601 (GYYMMDD).",
        examples: &[
            ("from-wareki(\"昭和64-01-07\")", "\"1989-01-07\""),
            ("from-wareki(\"令和元年5月1日\")", "\"2019-05-01\""),
            ("from-wareki(\"4010108\")", "\"1989-01-08\""),
            ("from-wareki(\"昭和64-01-08\")", "M304"),
            ("from-wareki(\"S64.1.7\")", "\"1989-01-07\""),
            ("from-wareki(\"令和1-04-30\")", "M304"),
            ("from-wareki(\"平成31年5月1日\")", "M304"),
        ],
        ..plain(from_wareki)
    },
    Function {
        name: "date-add-days",
        gives: Gives::By(transfer::date_add_days),
        parameters: &[parameter("date", Accepts::Text), parameter("days", Accepts::Integer)],
        doc: "The date that many days later; earlier when negative.",
        examples: &[
            ("date-add-days(\"2024-02-28\", 2)", "\"2024-03-01\""),
            ("date-add-days(\"9999-12-31\", 1)", "M304"),
        ],
        ..plain(date_add_days)
    },
    Function {
        name: "age",
        gives: Gives::By(transfer::age),
        parameters: &[parameter("birth", Accepts::Text), parameter("at", Accepts::Text)],
        returns: Returns::Integer,
        doc: "Full years between two dates, as birthdays count them.",
        examples: &[
            ("age(\"2020-06-01\", \"2026-05-31\")", "5"),
            ("age(\"2020-06-01\", \"2026-06-01\")", "6"),
            ("age(\"2026-06-02\", \"2026-06-01\")", "M304"),
        ],
        ..plain(age)
    },
    Function {
        name: "jst-date",
        gives: Gives::By(transfer::jst_date),
        parameters: &[parameter("time", Accepts::Text)],
        doc: "The date in Japan of an RFC 3339 time.",
        examples: &[
            ("jst-date(\"2026-05-31T15:00:00Z\")", "\"2026-06-01\""),
            ("jst-date(\"2026-05-31T15:00:00\")", "M304"),
        ],
        ..plain(|a| text(japan(parse_time(a.text(0))?).strftime("%Y-%m-%d").to_string()))
    },
    Function {
        name: "jst-compact-datetime",
        gives: Gives::By(transfer::jst_compact_datetime),
        parameters: &[parameter("time", Accepts::Text)],
        doc: "An RFC 3339 time as YYYYMMDDHHMMSSmmm in Japan (17 digits; finer parts are dropped).",
        examples: &[(
            "jst-compact-datetime(\"2026-06-01T09:00:00.1239+09:00\")",
            "\"20260601090000123\"",
        )],
        ..plain(jst_compact_datetime)
    },
];

/// An era: name, letter, code, first and last day, and what to add to its year for the western one.
pub(super) struct Era {
    pub name: &'static str,
    pub letter: char,
    pub code: char,
    first: (i16, i8, i8),
    last: (i16, i8, i8),
    pub offset: i16,
}

/// 明治 begins where the Gregorian calendar was taken over (明治6年1月1日): before that day its
/// dates are of the lunisolar calendar and this arithmetic would be wrong.
pub(super) const ERAS: [Era; 5] = [
    Era {
        name: "明治",
        letter: 'M',
        code: '1',
        first: (1873, 1, 1),
        last: (1912, 7, 29),
        offset: 1867,
    },
    Era {
        name: "大正",
        letter: 'T',
        code: '2',
        first: (1912, 7, 30),
        last: (1926, 12, 24),
        offset: 1911,
    },
    Era {
        name: "昭和",
        letter: 'S',
        code: '3',
        first: (1926, 12, 25),
        last: (1989, 1, 7),
        offset: 1925,
    },
    Era {
        name: "平成",
        letter: 'H',
        code: '4',
        first: (1989, 1, 8),
        last: (2019, 4, 30),
        offset: 1988,
    },
    Era {
        name: "令和",
        letter: 'R',
        code: '5',
        first: (2019, 5, 1),
        last: (9999, 12, 31),
        offset: 2018,
    },
];

impl Era {
    /// The era of a day; none before the Gregorian calendar, none for an open end.
    pub(super) fn of(date: Date) -> Option<&'static Era> {
        ERAS.iter().find(|era| era.holds(date)).filter(|_| date != OPEN_END)
    }

    /// The era whose name, its first character, letter or code a text begins with; and the rest.
    pub(super) fn at_start(text: &str) -> Option<(&'static Era, &str)> {
        ERAS.iter().find_map(|era| {
            let short = era.name.chars().next()?;
            let rest = text.strip_prefix(era.name).or_else(|| text.strip_prefix(short));
            Some((era, rest.or_else(|| text.strip_prefix(era.letter))?))
        })
    }

    pub(super) fn by(mark: impl Fn(&Era) -> bool) -> Option<&'static Era> {
        ERAS.iter().find(|era| mark(era))
    }

    /// Whether some day of the era lies in a western year.
    pub(super) fn has_year(&self, year: i16) -> bool {
        self.first.0 <= year && year <= self.last.0
    }

    /// The day of an era's year, if that day is in the era.
    pub(super) fn day(&self, year: i16, month: i8, day: i8) -> Option<Date> {
        let date = Date::new(year.checked_add(self.offset)?, month, day).ok();
        date.filter(|date| year >= 1 && self.holds(*date))
    }

    pub(super) fn holds(&self, date: Date) -> bool {
        let day = (date.year(), date.month(), date.day());
        self.first <= day && day <= self.last
    }
}

/// 9999-12-31 stands for an open end: it is a date to write, not one to compute with.
const OPEN_END: Date = Date::constant(9999, 12, 31);
/// 0000-01-01 stands for an open start.
const OPEN_START: Date = Date::constant(0, 1, 1);

/// A date to compute with: open ends are refused.
pub(super) fn real_date(text: &str) -> Result<Date, Box<Fail>> {
    match parse_date(text)? {
        OPEN_END | OPEN_START => Err(not_convertible("an open end is no date to compute with")),
        date => Ok(date),
    }
}

pub(super) fn form(name: &str, form: &str, found: &str) -> Box<Fail> {
    let kind = kind_of(&found.into());
    not_convertible(format!("{name}: needs {form}, found another form in {kind}"))
}

pub(super) fn part<T: std::str::FromStr>(text: &str, start: usize, end: usize) -> Option<T> {
    let digits = text.get(start..end)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

pub(super) fn parse_date(text: &str) -> Result<Date, Box<Fail>> {
    let parse = || {
        let bytes = text.as_bytes();
        let good = bytes.len() == 10 && bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
        let (year, month, day) = (part(text, 0, 4)?, part(text, 5, 7)?, part(text, 8, 10)?);
        if good { Date::new(year, month, day).ok() } else { None }
    };
    parse().ok_or_else(|| form("date", "a calendar date YYYY-MM-DD", text))
}

/// The day a value names, for lookups in tables.
pub(crate) fn day(value: &serde_json::Value) -> Result<Date, Box<Fail>> {
    match value.as_str() {
        Some(text) => parse_date(text),
        None => Err(wrong_type(&format!("date must be a text, found {}", kind_of(value)))),
    }
}

pub(super) fn parse_time(text: &str) -> Result<Timestamp, Box<Fail>> {
    let told = text.parse().ok().filter(|time| (0..=9999).contains(&japan(*time).year()));
    told.ok_or_else(|| form("time", "an RFC 3339 time with its offset", text))
}

/// An instant on Japan's clock.
pub(crate) fn japan(time: Timestamp) -> jiff::Zoned {
    time.to_zoned(TimeZone::fixed(Offset::constant(9)))
}

fn from_compact_date<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let source = arguments.text(0);
    let parse = || {
        let (year, month, day) = (part(source, 0, 4)?, part(source, 4, 6)?, part(source, 6, 8)?);
        Date::new(year, month, day).ok().filter(|_| source.len() == 8)
    };
    let date = parse().ok_or_else(|| form("from-compact-date", "a date YYYYMMDD", source))?;
    text(written(date))
}

pub(super) fn written(date: Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

fn wareki<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let date = parse_date(arguments.text(0))?;
    let Some(era) = Era::of(date) else {
        return Err(not_convertible("wareki: the date is before 明治6-01-01, or an open end"));
    };
    let year = date.year() - era.offset;
    text(format!("{}{year}-{:02}-{:02}", era.name, date.month(), date.day()))
}

fn from_wareki<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let source = arguments.text(0);
    let wanted = "an era date such as 令和8-06-01, 令和8年6月1日 or 5080601";
    let (era, year, month, day) =
        parse_wareki(source).ok_or_else(|| form("from-wareki", wanted, source))?;
    match era.day(year, month, day) {
        Some(date) => text(written(date)),
        None => Err(not_convertible(format!("from-wareki: no such day in {}", era.name))),
    }
}

fn parse_wareki(source: &str) -> Option<(&'static Era, i16, i8, i8)> {
    let digits = source.len() == 7 && source.bytes().all(|byte| byte.is_ascii_digit());
    if digits {
        let era = ERAS.iter().find(|era| source.starts_with(era.code))?;
        return Some((era, part(source, 1, 3)?, part(source, 3, 5)?, part(source, 5, 7)?));
    }
    let (era, rest) = Era::at_start(source)?;
    let (year, month, day) = if let Some(rest) = rest.strip_suffix('日') {
        let (year, rest) = rest.split_once('年')?;
        let (month, day) = rest.split_once('月')?;
        (year, month, day)
    } else {
        let mark = rest.chars().find(|c| matches!(c, '-' | '.' | '/'))?;
        let (year, rest) = rest.split_once(mark)?;
        let (month, day) = rest.split_once(mark)?;
        (year, month, day)
    };
    let year = if year == "元" { 1 } else { part(year, 0, year.len())? };
    Some((era, year, part(month, 0, month.len())?, part(day, 0, day.len())?))
}

fn date_add_days<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let date = real_date(arguments.text(0))?;
    let days = arguments.integer(1)?;
    let beyond = || not_convertible("date-add-days: the result is not a date of four-digit years");
    let span = jiff::Span::new().try_days(days).map_err(|_| beyond())?;
    let later = date.checked_add(span).map_err(|_| beyond())?;
    if later.year() < 0 { Err(beyond()) } else { text(written(later)) }
}

fn age<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let (birth, at) = (real_date(arguments.text(0))?, real_date(arguments.text(1))?);
    years(birth, at)
}

/// Full years: a birthday on 29 February is on 1 March where there is none.
pub(super) fn years<'v>(birth: Date, at: Date) -> Outcome<'v> {
    if at < birth {
        return Err(not_convertible("the second date is before the first"));
    }
    let before_birthday = (at.month(), at.day()) < (birth.month(), birth.day());
    value(i64::from(at.year() - birth.year()) - i64::from(before_birthday))
}

fn jst_compact_datetime<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let time = japan(parse_time(arguments.text(0))?);
    text(format!("{}{:03}", time.strftime("%Y%m%d%H%M%S"), time.millisecond()))
}

#[cfg(test)]
mod tests {
    use super::{from_wareki, wareki};
    use crate::mapping::functions::{Arguments, Outcome};
    use proptest::prelude::{any, proptest};
    use serde_json::json;
    use std::borrow::Cow;

    fn call(function: for<'v> fn(Arguments<'v, '_>) -> Outcome<'v>, text: &str) -> Option<String> {
        let arguments = Arguments { first: Cow::Owned(json!(text)), rest: &[] };
        function(arguments).ok()?.and_then(|found| found.as_str().map(str::to_owned))
    }

    #[test]
    fn both_sides_of_every_boundary() {
        for (western, era) in [
            ("1873-01-01", "明治6-01-01"),
            ("1912-07-29", "明治45-07-29"),
            ("1912-07-30", "大正1-07-30"),
            ("1926-12-24", "大正15-12-24"),
            ("1926-12-25", "昭和1-12-25"),
            ("1989-01-07", "昭和64-01-07"),
            ("1989-01-08", "平成1-01-08"),
            ("2019-04-30", "平成31-04-30"),
            ("2019-05-01", "令和1-05-01"),
        ] {
            assert_eq!(call(wareki, western).as_deref(), Some(era));
            assert_eq!(call(from_wareki, era).as_deref(), Some(western));
        }
    }

    #[test]
    fn days_outside_their_era_are_refused() {
        for bad in [
            "明治5-12-31",
            "明治45-07-30",
            "大正1-07-29",
            "大正15-12-25",
            "昭和1-12-24",
            "昭和64-01-08",
            "平成1-01-07",
            "平成31-05-01",
            "令和1-04-30",
            "令和0-05-01",
            "令和-1-05-01",
            "平成31年5月1日",
            "H31.5.1",
            "R1/4.30",
            "令和1年5月1",
            "令和8-6-1日",
            "令和8-02-30",
            "慶応3-01-01",
            "令和",
            "5080631",
            "6010101",
            "令和+1-05-01",
        ] {
            assert_eq!(call(from_wareki, bad), None, "{bad}");
        }
    }

    #[test]
    fn every_written_form_of_a_day_is_the_same_day() {
        for form in [
            "令和1-05-01",
            "令和元年5月1日",
            "令和1年05月01日",
            "令1.5.1",
            "R1.5.1",
            "R01/05/01",
            "R元.5.1",
            "5010501",
        ] {
            assert_eq!(call(from_wareki, form).as_deref(), Some("2019-05-01"), "{form}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(source in any::<String>()) {
            let _ = call(from_wareki, &source);
            let _ = call(wareki, &source);
            let _ = call(from_wareki, &format!("令和{source}"));
        }

        #[test]
        fn a_date_survives_the_round_trip(year in 1873i16..2200, month in 1u8..13, day in 1u8..29) {
            let date = format!("{year:04}-{month:02}-{day:02}");
            let era = call(wareki, &date).unwrap();
            assert_eq!(call(from_wareki, &era), Some(date));
        }
    }
}
