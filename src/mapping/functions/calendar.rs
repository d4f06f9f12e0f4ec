//! Functions over the calendar: parts of dates, arithmetic, ages, years of account (年度).

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::date::{Era, parse_date, real_date, written, years};
use crate::mapping::functions::{
    Accepts, Arguments, Fail, Function, Outcome, Parameter, Returns, not_convertible, parameter,
    plain, text, value,
};
use jiff::civil::Date;
use jiff::{Span, Unit};

const DATE: &[Parameter] = &[parameter("date", Accepts::Text)];
const TWO: &[Parameter] = &[parameter("from", Accepts::Text), parameter("to", Accepts::Text)];

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "legal-age",
        gives: Gives::By(transfer::dates::legal_age),
        parameters: &[parameter("birth", Accepts::Text), parameter("at", Accepts::Text)],
        returns: Returns::Integer,
        doc: "Full years as the law counts them: a year more from the day before the birthday (年齢計算ニ関スル法律, 民法143条).",
        examples: &[
            ("legal-age(\"2020-06-01\", \"2026-05-30\")", "5"),
            ("legal-age(\"2020-06-01\", \"2026-05-31\")", "6"),
            ("legal-age(\"2020-04-01\", \"2026-03-31\")", "6"),
            ("legal-age(\"2020-02-29\", \"2026-02-28\")", "6"),
        ],
        ..plain(legal_age)
    },
    Function {
        name: "months-between",
        gives: Gives::By(transfer::dates::months_between),
        parameters: TWO,
        returns: Returns::Integer,
        doc: "Full months from one date to a later one.",
        examples: &[
            ("months-between(\"2026-01-31\", \"2026-02-28\")", "0"),
            ("months-between(\"2026-01-15\", \"2026-03-15\")", "2"),
            ("months-between(\"2026-03-15\", \"2026-01-15\")", "M304"),
        ],
        ..plain(months_between)
    },
    Function {
        name: "days-between",
        gives: Gives::By(transfer::dates::days_between),
        parameters: TWO,
        returns: Returns::Integer,
        doc: "Days from one date to another; negative when that is earlier.",
        examples: &[
            ("days-between(\"2024-02-28\", \"2024-03-01\")", "2"),
            ("days-between(\"2024-03-01\", \"2024-02-28\")", "-2"),
        ],
        ..plain(days_between)
    },
    Function {
        name: "date-add-months",
        gives: Gives::By(transfer::dates::date_add_months),
        parameters: &[parameter("date", Accepts::Text), parameter("months", Accepts::Integer)],
        doc: "The date that many months later; the month's last day where it has no such day.",
        examples: &[
            ("date-add-months(\"2026-01-31\", 1)", "\"2026-02-28\""),
            ("date-add-months(\"2026-03-15\", -3)", "\"2025-12-15\""),
        ],
        ..plain(|a| shifted(&a, |count| Span::new().try_months(count).ok()))
    },
    Function {
        name: "date-add-years",
        gives: Gives::By(transfer::dates::date_add_years),
        parameters: &[parameter("date", Accepts::Text), parameter("years", Accepts::Integer)],
        doc: "The date that many years later; 28 February where there is no 29th.",
        examples: &[("date-add-years(\"2024-02-29\", 1)", "\"2025-02-28\"")],
        ..plain(|a| shifted(&a, |count| Span::new().try_years(count).ok()))
    },
    Function {
        name: "month-start",
        gives: Gives::By(transfer::dates::month_start),
        parameters: DATE,
        doc: "The first day of the date's month.",
        examples: &[("month-start(\"2026-02-14\")", "\"2026-02-01\"")],
        ..plain(|a| text(written(real_date(a.text(0))?.first_of_month())))
    },
    Function {
        name: "month-end",
        gives: Gives::By(transfer::dates::month_end),
        parameters: DATE,
        doc: "The last day of the date's month.",
        examples: &[("month-end(\"2024-02-14\")", "\"2024-02-29\"")],
        ..plain(|a| text(written(real_date(a.text(0))?.last_of_month())))
    },
    Function {
        name: "year",
        gives: Gives::By(transfer::dates::year),
        parameters: DATE,
        returns: Returns::Integer,
        doc: "The western year of a date.",
        examples: &[("year(\"2026-06-01\")", "2026")],
        ..plain(|a| value(i64::from(parse_date(a.text(0))?.year())))
    },
    Function {
        name: "month",
        gives: Gives::By(transfer::dates::month),
        parameters: DATE,
        returns: Returns::Integer,
        doc: "The month of a date, 1 to 12.",
        examples: &[("month(\"2026-06-01\")", "6")],
        ..plain(|a| value(i64::from(parse_date(a.text(0))?.month())))
    },
    Function {
        name: "day",
        gives: Gives::By(transfer::dates::day),
        parameters: DATE,
        returns: Returns::Integer,
        doc: "The day of a date, 1 to 31.",
        examples: &[("day(\"2026-06-01\")", "1")],
        ..plain(|a| value(i64::from(parse_date(a.text(0))?.day())))
    },
    Function {
        name: "weekday",
        gives: Gives::By(transfer::dates::weekday),
        parameters: DATE,
        returns: Returns::Integer,
        doc: "The day of the week, 1 for Monday to 7 for Sunday.",
        examples: &[("weekday(\"2026-06-01\")", "1")],
        ..plain(|a| value(real_date(a.text(0))?.weekday().to_monday_one_offset()))
    },
    Function {
        name: "fiscal-year",
        gives: Gives::By(transfer::dates::fiscal_year),
        parameters: DATE,
        returns: Returns::Integer,
        doc: "The western year in which the date's 年度 (April to March) begins.",
        examples: &[
            ("fiscal-year(\"2026-03-31\")", "2025"),
            ("fiscal-year(\"2026-04-01\")", "2026"),
        ],
        ..plain(|a| value(i64::from(fiscal_year(real_date(a.text(0))?))))
    },
    Function {
        name: "fiscal-year-start",
        gives: Gives::By(transfer::dates::fiscal_year_start),
        parameters: DATE,
        doc: "The first day of the date's 年度.",
        examples: &[("fiscal-year-start(\"2026-03-31\")", "\"2025-04-01\"")],
        ..plain(|a| edge(&a, 0, 4, 1))
    },
    Function {
        name: "fiscal-year-end",
        gives: Gives::By(transfer::dates::fiscal_year_end),
        parameters: DATE,
        doc: "The last day of the date's 年度.",
        examples: &[("fiscal-year-end(\"2026-04-01\")", "\"2027-03-31\"")],
        ..plain(|a| edge(&a, 1, 3, 31))
    },
    Function {
        name: "era",
        gives: Gives::By(transfer::dates::era),
        parameters: DATE,
        doc: "The name of the date's era (元号).",
        examples: &[("era(\"2019-04-30\")", "\"平成\""), ("era(\"2019-05-01\")", "\"令和\"")],
        ..plain(|a| text(era(&a)?.0.name))
    },
    Function {
        name: "era-code",
        gives: Gives::By(transfer::dates::era_code),
        parameters: DATE,
        doc: "The code of the date's era: 1 明治, 2 大正, 3 昭和, 4 平成, 5 令和.",
        examples: &[("era-code(\"2019-05-01\")", "\"5\"")],
        ..plain(|a| text(era(&a)?.0.code))
    },
    Function {
        name: "era-year",
        gives: Gives::By(transfer::dates::era_year),
        parameters: DATE,
        returns: Returns::Integer,
        doc: "The year of the date in its era.",
        examples: &[("era-year(\"2019-05-01\")", "1"), ("era-year(\"1870-01-01\")", "M304")],
        ..plain(|a| value(era(&a)?.1))
    },
    Function {
        name: "from-wareki-year",
        gives: Gives::By(transfer::dates::from_wareki_year),
        parameters: &[parameter("text", Accepts::Text)],
        returns: Returns::Integer,
        doc: "The western year of a year of an era: 昭和10年, 令和元, S10.",
        examples: &[
            ("from-wareki-year(\"昭和10年\")", "1935"),
            ("from-wareki-year(\"R元\")", "2019"),
            ("from-wareki-year(\"平成32年\")", "M304"),
        ],
        ..plain(from_wareki_year)
    },
];

fn legal_age<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let (birth, at) = (real_date(arguments.text(0))?, real_date(arguments.text(1))?);
    if at < birth {
        return Err(not_convertible("legal-age: the second date is before the first"));
    }
    let next = at.tomorrow().map_err(|_| beyond())?;
    years(birth, next)
}

fn months_between<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let (from, to) = (real_date(arguments.text(0))?, real_date(arguments.text(1))?);
    if to < from {
        return Err(not_convertible("months-between: the second date is before the first"));
    }
    let years = i64::from(to.year()) - i64::from(from.year());
    let months = years * 12 + i64::from(to.month()) - i64::from(from.month());
    value(months - i64::from(to.day() < from.day()))
}

fn days_between<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let (from, to) = (real_date(arguments.text(0))?, real_date(arguments.text(1))?);
    let span = from.until((Unit::Day, to)).map_err(|_| beyond())?;
    value(i64::from(span.get_days()))
}

fn beyond() -> Box<Fail> {
    not_convertible("the result is not a date of four-digit years")
}

fn shifted<'v>(arguments: &Arguments<'v, '_>, span: fn(i64) -> Option<Span>) -> Outcome<'v> {
    let date = real_date(arguments.text(0))?;
    let span = span(arguments.integer(1)?).ok_or_else(beyond)?;
    let found = date.checked_add(span).ok().filter(|date| date.year() >= 0);
    text(written(found.ok_or_else(beyond)?))
}

fn fiscal_year(date: Date) -> i16 {
    date.year() - i16::from(date.month() < 4)
}

fn edge<'v>(arguments: &Arguments<'v, '_>, later: i16, month: i8, day: i8) -> Outcome<'v> {
    let year = fiscal_year(real_date(arguments.text(0))?) + later;
    let date = Date::new(year, month, day).ok().filter(|date| date.year() >= 0);
    text(written(date.ok_or_else(beyond)?))
}

fn era(arguments: &Arguments<'_, '_>) -> Result<(&'static Era, i64), Box<Fail>> {
    let date = parse_date(arguments.text(0))?;
    let era = Era::of(date)
        .ok_or_else(|| not_convertible("the date is before 明治6-01-01, or an open end"))?;
    Ok((era, i64::from(date.year() - era.offset)))
}

fn from_wareki_year<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let source = arguments.text(0);
    let read = || {
        let (era, year) = Era::at_start(source)?;
        let year = year.strip_suffix('年').unwrap_or(year);
        let good = matches!(year.len(), 1 | 2) && year.bytes().all(|byte| byte.is_ascii_digit());
        let year: i16 = if year == "元" { 1 } else { year.parse().ok().filter(|_| good)? };
        let western = year.checked_add(era.offset)?;
        (year >= 1 && era.has_year(western)).then_some(western)
    };
    match read() {
        Some(year) => value(i64::from(year)),
        None => Err(not_convertible("from-wareki-year: not a year of an era, such as 昭和10年")),
    }
}

#[cfg(test)]
mod tests {
    use super::{fiscal_year, legal_age};
    use crate::mapping::functions::Arguments;
    use jiff::civil::Date;
    use proptest::prelude::proptest;
    use serde_json::json;
    use std::borrow::Cow;

    fn age(birth: &str, at: &str) -> i64 {
        let rest = [Cow::Owned(json!(at))];
        let arguments = Arguments { first: Cow::Owned(json!(birth)), rest: &rest };
        legal_age(arguments).unwrap().unwrap().as_i64().unwrap()
    }

    /// A child born on 1 April is a school year ahead of one born on 2 April.
    #[test]
    fn the_first_of_april_belongs_to_the_year_before() {
        assert_eq!(age("2020-04-01", "2026-03-31"), 6);
        assert_eq!(age("2020-04-02", "2026-03-31"), 5);
        assert_eq!(age("2020-01-01", "2025-12-31"), 6);
        assert_eq!(age("2026-06-01", "2026-06-01"), 0);
    }

    proptest! {
        #[test]
        fn a_year_of_account_has_its_date(year in 1900i16..2200, month in 1i8..13, day in 1i8..29) {
            let date = Date::new(year, month, day).unwrap();
            let first = Date::new(fiscal_year(date), 4, 1).unwrap();
            let last = Date::new(fiscal_year(date) + 1, 3, 31).unwrap();
            assert!(first <= date && date <= last);
        }
    }
}
