//! Functions over times of day and instants. Times are Japan's (UTC+9, no summer time).

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::date::{form, japan, parse_date, parse_time, part};
use crate::mapping::functions::{
    Accepts, Arguments, Fail, Function, Outcome, parameter, plain, text,
};
use jiff::civil::Time;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "time",
        gives: Gives::By(transfer::dates::time),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "The text as it is, refused unless it is a time of day HH:MM or HH:MM:SS.",
        examples: &[
            ("time(\"09:30\")", "\"09:30\""),
            ("time(\"23:59:59\")", "\"23:59:59\""),
            ("time(\"24:00\")", "M304"),
        ],
        ..plain(|a| parse_clock(a.text(0)).and_then(|_| a.unchanged()))
    },
    Function {
        name: "jst-time",
        gives: Gives::By(transfer::dates::jst_time),
        parameters: &[parameter("time", Accepts::Text)],
        doc: "The time of day in Japan of an RFC 3339 time, HH:MM:SS.",
        examples: &[("jst-time(\"2026-05-31T15:00:01Z\")", "\"00:00:01\"")],
        ..plain(|a| text(japan(parse_time(a.text(0))?).strftime("%H:%M:%S").to_string()))
    },
    Function {
        name: "jst-datetime",
        gives: Gives::By(transfer::dates::jst_datetime),
        parameters: &[parameter("time", Accepts::Text)],
        doc: "An RFC 3339 time with Japan's offset; parts finer than a second are dropped.",
        examples: &[("jst-datetime(\"2026-05-31T15:00:00.5Z\")", "\"2026-06-01T00:00:00+09:00\"")],
        ..plain(|a| text(japan(parse_time(a.text(0))?).strftime("%FT%T%:z").to_string()))
    },
    Function {
        name: "at-jst",
        gives: Gives::By(transfer::dates::at_jst),
        parameters: &[parameter("date", Accepts::Text), parameter("time", Accepts::Text)],
        doc: "A date and a time of day in Japan as an RFC 3339 time.",
        examples: &[
            ("at-jst(\"2026-06-01\", \"09:00\")", "\"2026-06-01T09:00:00+09:00\""),
            ("at-jst(\"2026-06-01\", \"9:00\")", "M304"),
        ],
        ..plain(at_jst)
    },
    Function {
        name: "from-jst-compact-datetime",
        gives: Gives::By(transfer::dates::from_compact),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "An RFC 3339 time from YYYYMMDDHHMMSS or YYYYMMDDHHMMSSmmm in Japan.",
        examples: &[
            ("from-jst-compact-datetime(\"20260601090000\")", "\"2026-06-01T09:00:00+09:00\""),
            (
                "from-jst-compact-datetime(\"20260601090000123\")",
                "\"2026-06-01T09:00:00.123+09:00\"",
            ),
            ("from-jst-compact-datetime(\"20260631090000\")", "M304"),
        ],
        ..plain(from_compact)
    },
];

fn parse_clock(source: &str) -> Result<Time, Box<Fail>> {
    let parse = || {
        let bytes = source.as_bytes();
        let colon = |at: usize| bytes.get(at) == Some(&b':');
        let seconds = match source.len() {
            5 => 0,
            8 if colon(5) => part(source, 6, 8)?,
            _ => return None,
        };
        let (hour, minute) = (part(source, 0, 2)?, part(source, 3, 5)?);
        Time::new(hour, minute, seconds, 0).ok().filter(|_| colon(2))
    };
    parse().ok_or_else(|| form("time", "a time of day HH:MM or HH:MM:SS", source))
}

fn at_jst<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let date = parse_date(arguments.text(0))?;
    let time = parse_clock(arguments.text(1))?;
    text(format!("{}+09:00", date.to_datetime(time).strftime("%FT%T")))
}

fn from_compact<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let source = arguments.text(0);
    let parse = || {
        let iso = |from, to, between: &str| {
            let pairs = source.get(from..to)?.as_bytes().chunks(2);
            let pairs: Option<Vec<&str>> =
                pairs.map(|pair| std::str::from_utf8(pair).ok()).collect();
            Some(pairs?.join(between))
        };
        let digits = source.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || !matches!(source.len(), 14 | 17) {
            return None;
        }
        let date = format!("{}-{}", source.get(..4)?, iso(4, 8, "-")?);
        let time = iso(8, 14, ":")?;
        parse_date(&date).ok()?;
        parse_clock(&time).ok()?;
        let fraction = source.get(14..).filter(|rest| !rest.is_empty());
        let fraction = fraction.map_or(String::new(), |rest| format!(".{rest}"));
        Some(format!("{date}T{time}{fraction}+09:00"))
    };
    let wanted = "YYYYMMDDHHMMSS or YYYYMMDDHHMMSSmmm";
    text(parse().ok_or_else(|| form("from-jst-compact-datetime", wanted, source))?)
}
