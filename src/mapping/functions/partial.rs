//! Dates that are not fully known (不詳): `1935-04-00` has no day, `1935-00-00` only a year,
//! `0000-00-00` nothing. Nothing is filled in: a date that is not known stays unknown.

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::date::{Era, part, written};
use crate::mapping::functions::{
    Accepts, Arguments, Fail, Function, Outcome, Parameter, kind_of, not_convertible, parameter,
    plain, text,
};
use jiff::civil::Date;

const DATE: &[Parameter] = &[parameter("date", Accepts::Text)];

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "partial-date",
        gives: Gives::By(transfer::dates::partial_date),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "A date that may be unknown in part, as YYYY-MM-DD with zeros; also from YYYYMMDD.",
        examples: &[
            ("partial-date(\"19350400\")", "\"1935-04-00\""),
            ("partial-date(\"2026-06-01\")", "\"2026-06-01\""),
            ("partial-date(\"1935-13-00\")", "M304"),
            ("partial-date(\"1935-02-30\")", "M304"),
        ],
        ..plain(|a| text(Partial::read(&a)?.to_string()))
    },
    Function {
        name: "partial-date-precision",
        gives: Gives::By(transfer::dates::partial_precision),
        parameters: DATE,
        doc: "How far such a date is known: \"day\", \"month\", \"year\" or \"none\".",
        examples: &[
            ("partial-date-precision(\"1935-04-00\")", "\"month\""),
            ("partial-date-precision(\"1935-00-00\")", "\"year\""),
            ("partial-date-precision(\"2026-06-01\")", "\"day\""),
        ],
        ..plain(|a| text(Partial::read(&a)?.precision()))
    },
    Function {
        name: "partial-date-flag",
        gives: Gives::By(transfer::dates::partial_flag),
        parameters: DATE,
        doc: "The 不詳フラグ of such a date: \"1\" when a part of it is unknown, else \"0\".",
        examples: &[
            ("partial-date-flag(\"1935-04-00\")", "\"1\""),
            ("partial-date-flag(\"2026-06-01\")", "\"0\""),
        ],
        ..plain(|a| text(if Partial::read(&a)?.day().is_some() { "0" } else { "1" }))
    },
    Function {
        name: "partial-date-text",
        gives: Gives::By(transfer::dates::partial_text),
        parameters: &[
            parameter("date", Accepts::Text),
            parameter("calendar", Accepts::OneOf(&["和暦", "西暦"])),
            parameter("style", Accepts::OneOf(&["不詳", "頃"])),
        ],
        doc: "The 不詳表記 of such a date; absent when all of it is known. A year of two eras is refused.",
        examples: &[
            ("partial-date-text(\"1935-04-00\", \"和暦\", \"不詳\")", "\"昭和10年4月日不詳\""),
            ("partial-date-text(\"1935-00-00\", \"和暦\", \"頃\")", "\"昭和10年頃\""),
            ("partial-date-text(\"1935-00-00\", \"西暦\", \"不詳\")", "\"1935年月日不詳\""),
            ("partial-date-text(\"0000-00-00\", \"和暦\", \"不詳\")", "\"年月日不詳\""),
            ("partial-date-text(\"1989-00-00\", \"和暦\", \"頃\")", "M304"),
            ("partial-date-text(\"1989-02-00\", \"和暦\", \"頃\")", "\"平成元年2月頃\""),
            ("partial-date-text(\"2026-06-01\", \"和暦\", \"頃\")", "absent"),
        ],
        ..plain(unknown_text)
    },
    Function {
        name: "partial-date-first",
        gives: Gives::By(transfer::dates::partial_edge),
        parameters: DATE,
        doc: "The earliest day such a date can be; absent when not even the year is known.",
        examples: &[
            ("partial-date-first(\"1935-04-00\")", "\"1935-04-01\""),
            ("partial-date-first(\"0000-00-00\")", "absent"),
        ],
        ..plain(|a| edge(&a, false))
    },
    Function {
        name: "partial-date-last",
        gives: Gives::By(transfer::dates::partial_edge),
        parameters: DATE,
        doc: "The latest day such a date can be; absent when not even the year is known.",
        examples: &[
            ("partial-date-last(\"1936-02-00\")", "\"1936-02-29\""),
            ("partial-date-last(\"1935-00-00\")", "\"1935-12-31\""),
        ],
        ..plain(|a| edge(&a, true))
    },
];

/// Year, month and day; 0 where unknown. A month is known only with its year, a day only with its
/// month.
#[derive(Clone, Copy)]
struct Partial {
    year: i16,
    month: i8,
    day: i8,
}

impl Partial {
    fn read(arguments: &Arguments<'_, '_>) -> Result<Partial, Box<Fail>> {
        let source = arguments.text(0);
        let parts = || {
            let bytes = source.as_bytes();
            let dashed = bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
            match source.len() {
                8 => Some((part(source, 0, 4)?, part(source, 4, 6)?, part(source, 6, 8)?)),
                10 if dashed => {
                    Some((part(source, 0, 4)?, part(source, 5, 7)?, part(source, 8, 10)?))
                }
                _ => None,
            }
        };
        let found = parts().map(|(year, month, day)| Partial { year, month, day });
        found.filter(Partial::is_sound).ok_or_else(|| {
            let kind = kind_of(arguments.get(0));
            not_convertible(format!(
                "needs YYYY-MM-DD or YYYYMMDD with 00 for what is unknown, found another form in {kind}"
            ))
        })
    }

    fn is_sound(&self) -> bool {
        match (self.year, self.month, self.day) {
            (0, month, day) => month == 0 && day == 0,
            (_, 0, day) => day == 0,
            (_, month, 0) => (1..=12).contains(&month),
            _ => self.day().is_some(),
        }
    }

    fn day(&self) -> Option<Date> {
        Date::new(self.year, self.month, self.day).ok().filter(|_| self.year > 0)
    }

    fn precision(&self) -> &'static str {
        match (self.year, self.month, self.day) {
            (0, ..) => "none",
            (_, 0, _) => "year",
            (_, _, 0) => "month",
            _ => "day",
        }
    }

    fn first(&self) -> Option<Date> {
        let at_least = |part: i8| part.max(1);
        Date::new(self.year, at_least(self.month), at_least(self.day))
            .ok()
            .filter(|_| self.year > 0)
    }

    fn last(&self) -> Option<Date> {
        let month = if self.month == 0 { 12 } else { self.month };
        match self.day {
            0 => Date::new(self.year, month, 1).ok().map(Date::last_of_month),
            _ => self.day(),
        }
        .filter(|_| self.year > 0)
    }
}

impl std::fmt::Display for Partial {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn edge<'v>(arguments: &Arguments<'v, '_>, last: bool) -> Outcome<'v> {
    let partial = Partial::read(arguments)?;
    match if last { partial.last() } else { partial.first() } {
        Some(date) => text(written(date)),
        None => Ok(None),
    }
}

fn unknown_text<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let partial = Partial::read(&arguments)?;
    let about = arguments.text(2) == "頃";
    if partial.day().is_some() {
        return Ok(None);
    }
    let (Some(first), Some(last)) = (partial.first(), partial.last()) else {
        return text("年月日不詳");
    };
    let year = if arguments.text(1) == "西暦" {
        format!("{}年", partial.year)
    } else {
        let era = Era::of(first).filter(|era| era.holds(last)).ok_or_else(|| {
            not_convertible("partial-date-text: the era is not certain, or before 明治6-01-01")
        })?;
        match partial.year - era.offset {
            1 => format!("{}元年", era.name),
            year => format!("{}{year}年", era.name),
        }
    };
    let month = if partial.month == 0 { String::new() } else { format!("{}月", partial.month) };
    let unknown = match (about, partial.month) {
        (true, _) => "頃",
        (false, 0) => "月日不詳",
        (false, _) => "日不詳",
    };
    text(year + &month + unknown)
}
