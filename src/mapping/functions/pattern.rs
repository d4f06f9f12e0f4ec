//! Dates in any written form, by a pattern: `yyyy/MM/dd`, `GGGGE年M月d日`.

use crate::mapping::facts::{Gives, language, transfer};
use crate::mapping::functions::date::{ERAS, Era, parse_date, part, written};
use crate::mapping::functions::{
    Accepts, Arguments, Function, Outcome, not_convertible, parameter, plain, text,
};
use jiff::civil::Date;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "format-date",
        gives: Gives::By(transfer::dates::format_date),
        parameters: &[parameter("date", Accepts::Text), parameter("pattern", Accepts::DatePattern)],
        doc: "A date by a pattern of yyyy, MM M, dd d; GGGG 令和, GG 令, G R, N 5; ee e, E with 元.",
        examples: &[
            ("format-date(\"2026-06-01\", \"yyyy/M/d\")", "\"2026/6/1\""),
            ("format-date(\"2019-05-01\", \"GGGGE年M月d日\")", "\"令和元年5月1日\""),
            ("format-date(\"2026-06-01\", \"Gee.MM.dd\")", "\"R08.06.01\""),
            ("format-date(\"2026-06-01\", \"NeeMMdd\")", "\"5080601\""),
            ("format-date(\"1870-01-01\", \"GGGGe年\")", "M304"),
        ],
        ..plain(format)
    },
    Function {
        name: "parse-date",
        gives: Gives::By(transfer::dates::parse_date),
        parameters: &[parameter("text", Accepts::Text), parameter("pattern", Accepts::DatePattern)],
        doc: "A date read by such a pattern, which must hold year, month and day; era bounds are kept.",
        examples: &[
            ("parse-date(\"2026/6/1\", \"yyyy/M/d\")", "\"2026-06-01\""),
            ("parse-date(\"H310430\", \"GeeMMdd\")", "\"2019-04-30\""),
            ("parse-date(\"H310501\", \"GeeMMdd\")", "M304"),
            ("parse-date(\"2026/06/01\", \"yyyy-MM-dd\")", "M304"),
        ],
        ..plain(parse)
    },
];

/// One part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Year,
    Month { padded: bool },
    Day { padded: bool },
    EraName,
    EraShort,
    EraLetter,
    EraCode,
    EraYear { padded: bool, first: bool },
    Other(char),
}

/// The parts of a pattern; `None` for letters that mean nothing.
fn tokens(pattern: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        let behind = rest.trim_start_matches(letter);
        let count = (rest.len() - behind.len()) / letter.len_utf8();
        if !letter.is_ascii_alphabetic() {
            tokens.extend(std::iter::repeat_n(Token::Other(letter), count));
        } else {
            tokens.push(match (letter, count) {
                ('y', 4) => Token::Year,
                ('M', 1 | 2) => Token::Month { padded: count == 2 },
                ('d', 1 | 2) => Token::Day { padded: count == 2 },
                ('G', 4) => Token::EraName,
                ('G', 2) => Token::EraShort,
                ('G', 1) => Token::EraLetter,
                ('N', 1) => Token::EraCode,
                ('e', 1 | 2) => Token::EraYear { padded: count == 2, first: false },
                ('E', 1) => Token::EraYear { padded: false, first: true },
                _ => return None,
            });
        }
        rest = behind;
    }
    Some(tokens)
}

/// Whether a pattern has only letters that mean something, and one of them at least.
pub(super) fn is_pattern(pattern: &str) -> bool {
    pattern.len() <= 100
        && tokens(pattern)
            .is_some_and(|tokens| tokens.iter().any(|token| !matches!(token, Token::Other(_))))
}

/// The regular expression of what `format-date` writes by a pattern, and whether it tells an era.
pub(crate) fn written_date(pattern: &str) -> Option<(String, bool)> {
    let tokens = tokens(pattern)?;
    let eras = tokens.iter().any(|token| {
        matches!(
            token,
            Token::EraName
                | Token::EraShort
                | Token::EraLetter
                | Token::EraCode
                | Token::EraYear { .. }
        )
    });
    let parts = tokens.iter().map(|token| match token {
        Token::Year => "[0-9]{4}".to_owned(),
        Token::Month { padded: true } => "(0[1-9]|1[0-2])".to_owned(),
        Token::Month { padded: false } => "([1-9]|1[0-2])".to_owned(),
        Token::Day { padded: true } => "(0[1-9]|[12][0-9]|3[01])".to_owned(),
        Token::Day { padded: false } => "([1-9]|[12][0-9]|3[01])".to_owned(),
        Token::EraName => "(明治|大正|昭和|平成|令和)".to_owned(),
        Token::EraShort => "[明大昭平令]".to_owned(),
        Token::EraLetter => "[MTSHR]".to_owned(),
        Token::EraCode => "[1-5]".to_owned(),
        Token::EraYear { first: true, .. } => "(元|[1-9][0-9]{0,3})".to_owned(),
        Token::EraYear { padded: true, .. } => "[0-9]{2,4}".to_owned(),
        Token::EraYear { .. } => "[1-9][0-9]{0,3}".to_owned(),
        Token::Other(c) => language::escape(&c.to_string()),
    });
    Some((format!("^{}$", parts.collect::<String>()), eras))
}

fn format<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let date = parse_date(arguments.text(0))?;
    let tokens = tokens(arguments.text(1)).unwrap_or_default();
    let mut out = String::new();
    let era = || {
        let era = Era::of(date);
        era.ok_or_else(|| not_convertible("the date is before 明治6-01-01, or an open end"))
    };
    let number = |n: i16, width: usize| format!("{n:0width$}");
    for token in tokens {
        match token {
            Token::Year => out += &number(date.year(), 4),
            Token::Month { padded } => out += &number(date.month().into(), 1 + usize::from(padded)),
            Token::Day { padded } => out += &number(date.day().into(), 1 + usize::from(padded)),
            Token::EraName => out += era()?.name,
            Token::EraShort => out.extend(era()?.name.chars().next()),
            Token::EraLetter => out.push(era()?.letter),
            Token::EraCode => out.push(era()?.code),
            Token::EraYear { padded, first } => match date.year() - era()?.offset {
                1 if first => out.push('元'),
                year => out += &number(year, 1 + usize::from(padded)),
            },
            Token::Other(c) => out.push(c),
        }
    }
    text(out)
}

/// What was read of a date so far.
#[derive(Default)]
struct Read {
    year: Option<i16>,
    era: Option<&'static Era>,
    era_year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
}

impl Read {
    fn date(&self) -> Option<Date> {
        let (month, day) = (self.month?, self.day?);
        let date = match (self.era, self.era_year) {
            (Some(era), Some(year)) => era.day(year, month, day)?,
            (None, None) => Date::new(self.year?, month, day).ok()?,
            _ => return None,
        };
        self.year.is_none_or(|year| year == date.year()).then_some(date)
    }
}

fn parse<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let tokens = tokens(arguments.text(1)).unwrap_or_default();
    match read(arguments.text(0), &tokens).and_then(|found| found.date()) {
        Some(date) => text(written(date)),
        None => {
            let pattern = arguments.text(1);
            Err(not_convertible(format!("parse-date: not a day written as {pattern}")))
        }
    }
}

fn read(source: &str, tokens: &[Token]) -> Option<Read> {
    let mut found = Read::default();
    let mut rest = source;
    for token in tokens {
        match *token {
            Token::Year => found.year = Some(number(&mut rest, 4, true)?),
            Token::Month { padded } => {
                found.month = i8::try_from(number(&mut rest, 2, padded)?).ok()
            }
            Token::Day { padded } => found.day = i8::try_from(number(&mut rest, 2, padded)?).ok(),
            Token::EraName => found.era = Some(era(&mut rest, |era| era.name.to_owned())?),
            Token::EraShort => {
                found.era = Some(era(&mut rest, |era| era.name.chars().take(1).collect())?);
            }
            Token::EraLetter => found.era = Some(era(&mut rest, |era| era.letter.into())?),
            Token::EraCode => found.era = Some(era(&mut rest, |era| era.code.into())?),
            Token::EraYear { padded, first } => {
                found.era_year = Some(match rest.strip_prefix('元').filter(|_| first) {
                    Some(behind) => {
                        rest = behind;
                        1
                    }
                    None => number(&mut rest, 2, padded)?,
                });
            }
            Token::Other(c) => rest = rest.strip_prefix(c)?,
        }
    }
    rest.is_empty().then_some(found)
}

fn era(rest: &mut &str, mark: impl Fn(&Era) -> String) -> Option<&'static Era> {
    let era = ERAS.iter().find(|era| rest.starts_with(&mark(era)))?;
    *rest = rest.strip_prefix(&mark(era))?;
    Era::by(|known| known.code == era.code)
}

/// Exactly that many digits, or from one to that many.
fn number(rest: &mut &str, most: usize, exactly: bool) -> Option<i16> {
    let count = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count == 0 || exactly && count != most {
        return None;
    }
    let number = part(rest, 0, count)?;
    *rest = rest.get(count..)?;
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::{format, is_pattern, parse};
    use crate::mapping::functions::{Arguments, Outcome};
    use proptest::prelude::{any, proptest};
    use serde_json::json;
    use std::borrow::Cow;

    fn call(
        function: for<'v> fn(Arguments<'v, '_>) -> Outcome<'v>,
        text: &str,
        pattern: &str,
    ) -> Option<String> {
        let rest = [Cow::Owned(json!(pattern))];
        let arguments = Arguments { first: Cow::Owned(json!(text)), rest: &rest };
        function(arguments).ok()?.and_then(|found| found.as_str().map(str::to_owned))
    }

    const PATTERNS: [&str; 8] = [
        "yyyy-MM-dd",
        "yyyyMMdd",
        "yyyy年M月d日",
        "GGGGE年M月d日",
        "GG e/M/d",
        "GeeMMdd",
        "NeeMMdd",
        "yyyy(GGGGe)/MM/dd",
    ];

    #[test]
    fn letters_without_meaning_are_no_pattern() {
        for good in PATTERNS {
            assert!(is_pattern(good), "{good}");
        }
        for bad in ["", "-", "yy", "YYYY", "yyyy-mm-dd", "MMM", "GGG", "EE", "yyyyy"] {
            assert!(!is_pattern(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_written_day_is_read_back(
            year in 1873i16..2100, month in 1u8..13, day in 1u8..29, index in 0usize..8,
        ) {
            let date = std::format!("{year:04}-{month:02}-{day:02}");
            let written = call(format, &date, PATTERNS[index]).unwrap();
            assert_eq!(call(parse, &written, PATTERNS[index]), Some(date));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>(), index in 0usize..8) {
            let _ = call(parse, &text, PATTERNS[index]);
        }
    }
}
