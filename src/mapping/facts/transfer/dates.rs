//! What the functions over the calendar, dates known in part and times of day give.

use super::{NO_DATE, NO_TIME, checked, dates, is_date, is_time, literal};
use crate::mapping::facts::{Facts, Given, Numbers, Texts};
use crate::mapping::functions::written_date;

/// The first digits of dates that are no open end and stay dates when a hundred years are added or
/// taken away.
const INSIDE: &str = "^(0[1-9]|[1-8][0-9]|9[0-8])";

/// From 明治6年1月1日, before the open end.
const SINCE: &str = "^(187[3-9]|18[89][0-9]|19[0-9]{2}|[2-8][0-9]{3})-";

const CLOCK: &str = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$";

const NO_REAL_DATE: &str = "it may be no calendar date of the years 0100 to 9899";
const NO_ERA: &str = "it may be no calendar date from 1873-01-01 to 8999-12-31";

fn is_real(texts: &Texts) -> bool {
    is_date(texts) && texts.has(INSIDE)
}

fn in_era(texts: &Texts) -> bool {
    is_date(texts) && texts.has(SINCE)
}

/// A number of each text.
fn number(
    arguments: &[Facts],
    certain: fn(&Texts) -> bool,
    (least, most): (f64, f64),
    why: &str,
) -> Given {
    let texts = arguments.first().map_or(&[][..], |facts| &facts.texts);
    let fails = (!texts.iter().all(certain)).then(|| why.to_owned());
    Given { facts: Numbers::whole(least, most).into(), fails }
}

fn listed(texts: &[&str]) -> Texts {
    Texts::listed(texts.iter().map(|text| (*text).to_owned()))
}

const ORDER: &str = "one may be no calendar date, or the second before the first";

pub(crate) fn legal_age(_: &[Facts]) -> Given {
    Given::or_fails(Numbers::whole(0.0, 10_000.0), ORDER)
}

pub(crate) fn months_between(_: &[Facts]) -> Given {
    Given::or_fails(Numbers::whole(0.0, 120_000.0), ORDER)
}

pub(crate) fn days_between(arguments: &[Facts]) -> Given {
    let all = arguments.iter().take(2).flat_map(|facts| &facts.texts);
    let fails = (!all.into_iter().all(is_real)).then(|| NO_REAL_DATE.to_owned());
    Given { facts: Numbers::whole(-3_660_000.0, 3_660_000.0).into(), fails }
}

fn shifted(arguments: &[Facts], most: f64) -> Given {
    let near = arguments
        .get(1)
        .is_some_and(|by| by.numbers.iter().all(|one| one.least >= -most && one.most <= most));
    let why = "it may be no calendar date, or lead out of the years 0000 to 9999";
    checked(arguments, |one| near && is_real(one), |_| dates(), why)
}

pub(crate) fn date_add_months(arguments: &[Facts]) -> Given {
    shifted(arguments, 1_200.0)
}

pub(crate) fn date_add_years(arguments: &[Facts]) -> Given {
    shifted(arguments, 100.0)
}

/// A date of each text, in which more is known.
fn dated(arguments: &[Facts], end: &'static str) -> Given {
    checked(arguments, is_real, |_| dates().with_pattern(end.into()), NO_REAL_DATE)
}

pub(crate) fn month_start(arguments: &[Facts]) -> Given {
    dated(arguments, "-01$")
}

pub(crate) fn month_end(arguments: &[Facts]) -> Given {
    dated(arguments, "-(2[89]|3[01])$")
}

pub(crate) fn fiscal_year_start(arguments: &[Facts]) -> Given {
    dated(arguments, "-04-01$")
}

pub(crate) fn fiscal_year_end(arguments: &[Facts]) -> Given {
    dated(arguments, "-03-31$")
}

pub(crate) fn year(arguments: &[Facts]) -> Given {
    number(arguments, is_date, (0.0, 9_999.0), NO_DATE)
}

pub(crate) fn month(arguments: &[Facts]) -> Given {
    number(arguments, is_date, (1.0, 12.0), NO_DATE)
}

pub(crate) fn day(arguments: &[Facts]) -> Given {
    number(arguments, is_date, (1.0, 31.0), NO_DATE)
}

pub(crate) fn weekday(arguments: &[Facts]) -> Given {
    number(arguments, is_real, (1.0, 7.0), NO_REAL_DATE)
}

pub(crate) fn fiscal_year(arguments: &[Facts]) -> Given {
    number(arguments, is_real, (-1.0, 9_999.0), NO_REAL_DATE)
}

pub(crate) fn era(arguments: &[Facts]) -> Given {
    let names = listed(&["明治", "大正", "昭和", "平成", "令和"]);
    checked(arguments, in_era, |_| names.clone(), NO_ERA)
}

pub(crate) fn era_code(arguments: &[Facts]) -> Given {
    let codes = listed(&["1", "2", "3", "4", "5"]);
    checked(arguments, in_era, |_| codes.clone(), NO_ERA)
}

pub(crate) fn era_year(arguments: &[Facts]) -> Given {
    number(arguments, in_era, (1.0, 7_981.0), NO_ERA)
}

pub(crate) fn from_wareki_year(arguments: &[Facts]) -> Given {
    let certain = |texts: &Texts| {
        texts.has(
            "^((明治|明|M)([6-9]|[1-3][0-9]|4[0-5])|(大正|大|T)(元|[1-9]|1[0-5])\
             |(昭和|昭|S)(元|[1-9]|[1-5][0-9]|6[0-4])|(平成|平|H)(元|[1-9]|[12][0-9]|3[01])\
             |(令和|令|R)(元|[1-9][0-9]?))年?$",
        )
    };
    number(arguments, certain, (1_873.0, 2_117.0), "it may be no year of an era")
}

pub(crate) fn format_date(arguments: &[Facts]) -> Given {
    let Some((form, eras)) = literal(arguments, 1).and_then(|one| written_date(&one)) else {
        return Given::or_fails(Texts::any(), NO_DATE);
    };
    let result = match literal(arguments, 1).as_deref() {
        Some("yyyy-MM-dd") => dates(),
        Some("yyyyMMdd") => Texts::matching(&form).with_form("compact-date"),
        _ => Texts::matching(&form),
    };
    let (certain, why): (fn(&Texts) -> bool, &str) =
        if eras { (in_era, NO_ERA) } else { (is_date, NO_DATE) };
    checked(arguments, certain, |_| result.clone(), why)
}

pub(crate) fn parse_date(arguments: &[Facts]) -> Given {
    let certain = |one: &Texts| match literal(arguments, 1).as_deref() {
        Some("yyyy-MM-dd") => is_date(one),
        Some("yyyyMMdd") => one.has_form("compact-date"),
        _ => false,
    };
    checked(arguments, certain, |_| dates(), "it may be no day written so")
}

/// What `partial-date` gives, or a full date of a year that is not 0000 (`YYYYMMDD` too).
fn is_partial(texts: &Texts) -> bool {
    texts.has_form("partial-date")
        || ((is_date(texts) || texts.has_form("compact-date")) && texts.has("^[0-9]{0,3}[1-9]"))
}

const NO_PARTIAL: &str = "it may be no date of which the unknown parts are zeros";

pub(crate) fn partial_date(arguments: &[Facts]) -> Given {
    let pattern = "^[0-9]{4}-(0[0-9]|1[0-2])-([0-2][0-9]|3[01])$";
    checked(
        arguments,
        is_partial,
        |one| {
            let full = is_partial(one) && !one.has_form("partial-date");
            let found = if full { dates() } else { Texts::matching(pattern) };
            found.with_form("partial-date")
        },
        NO_PARTIAL,
    )
}

pub(crate) fn partial_precision(arguments: &[Facts]) -> Given {
    let all = listed(&["day", "month", "year", "none"]);
    checked(arguments, is_partial, |_| all.clone(), NO_PARTIAL)
}

pub(crate) fn partial_flag(arguments: &[Facts]) -> Given {
    let all = listed(&["0", "1"]);
    checked(arguments, is_partial, |_| all.clone(), NO_PARTIAL)
}

pub(crate) fn partial_text(arguments: &[Facts]) -> Given {
    let western = literal(arguments, 1).as_deref() == Some("西暦");
    let given = checked(
        arguments,
        |one| western && is_partial(one),
        |_| {
            Texts::matching(
                "^(明治|大正|昭和|平成|令和)?[0-9元]{0,4}年([0-9]{0,2}月)?(日?不詳|頃)$",
            )
        },
        "it may be no such date, or one whose era is not certain",
    );
    Given { facts: given.facts.or(Facts::absent()), ..given }
}

pub(crate) fn partial_edge(arguments: &[Facts]) -> Given {
    let given = checked(arguments, is_partial, |_| dates(), NO_PARTIAL);
    Given { facts: given.facts.or(Facts::absent()), ..given }
}

pub(crate) fn time(arguments: &[Facts]) -> Given {
    checked(
        arguments,
        |one| one.has(CLOCK),
        |one| one.clone().with_pattern(CLOCK.into()),
        "it may be no time of day HH:MM or HH:MM:SS",
    )
}

pub(crate) fn jst_time(arguments: &[Facts]) -> Given {
    let pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$";
    checked(arguments, is_time, |_| Texts::matching(pattern), NO_TIME)
}

/// A time on Japan's clock, with its offset.
fn japanese() -> Texts {
    let pattern = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\
                   T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{3})?\\+09:00$";
    Texts::matching(pattern).with_form("date-time")
}

pub(crate) fn jst_datetime(arguments: &[Facts]) -> Given {
    checked(arguments, is_time, |_| japanese(), NO_TIME)
}

pub(crate) fn at_jst(arguments: &[Facts]) -> Given {
    let times = arguments.get(1).map_or(&[][..], |facts| &facts.texts);
    let clock = times.iter().all(|one| one.has(CLOCK));
    let why = "one may be no calendar date, or no time of day";
    checked(arguments, |one| clock && is_date(one), |_| japanese(), why)
}

pub(crate) fn from_compact(arguments: &[Facts]) -> Given {
    checked(arguments, |_| false, |_| japanese(), "it may be no time of 14 or 17 digits")
}
