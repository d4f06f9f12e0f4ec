//! Hours out of files: what is read, what is refused and where, and Japan's holidays computed again.

use super::hours::calendars;
use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::diagnostic::{Diagnostic, Severity, SourceFile};
use crate::policy::calendar::{Calendar, Status, japan_time};
use jiff::civil::{Date, Weekday};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const JAPAN: &str = include_str!("../../../adapters/calendars/japan.yaml");

const ADAPTER: &str = r#"adapter: desk
limits: {timeout: 30s}
hours:
HOURS
operations:
  ring:
    interaction: request-reply
    request: {method: GET, path: /ring, format: none}
    response: {format: json, schema: desk/answer@1}
    outcomes:
      - {status: [200], when: present(ok), then: applied}
"#;

const ANSWER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "answer",
  "type": "object", "additionalProperties": false,
  "properties": {"ok": {"type": "string", "maxLength": 20}, "until": {"type": "string", "maxLength": 40}}
}"#;

fn build(hours: &str, more: &str) -> (Option<Arc<Calendar>>, Vec<Diagnostic>) {
    let adapter = format!("{}{more}", ADAPTER.replace("HOURS", hours));
    let files = [
        ("schemas/desk/answer/1.schema.json", ANSWER),
        ("adapters/calendars/japan.yaml", JAPAN),
        ("adapters/desk/adapter.yaml", &adapter),
    ];
    let files: Vec<Arc<SourceFile>> = files.map(|(path, text)| SourceFile::new(path, text)).into();
    let mut problems = Vec::new();
    let bundle = Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems);
    let hours = bundle.and_then(|bundle| bundle.adapters["desk"].hours.clone());
    problems.retain(|problem| problem.severity == Severity::Error);
    (hours, problems)
}

#[test]
fn hours_are_read_with_holidays_days_and_maintenance() {
    let hours = r#"  calendar: japan
  open: {weekdays: ["08:00-12:00", "13:00-21:00"], sat: "09:00-17:00"}
  open-days: {2026-12-29: "09:00-10:00"}
  closed-days: ["2026-12-28"]
  maintenance:
    - {from: "2026-12-24T10:00", to: "2026-12-24T11:00"}"#;
    let (calendar, problems) = build(hours, "");
    assert!(problems.is_empty(), "{problems:?}");
    let calendar = calendar.unwrap();
    let is_open =
        |when: &str| matches!(calendar.status(japan_time(when).unwrap()), Status::Open { .. });
    for (when, expected) in [
        ("2026-12-24T09:59", true),
        ("2026-12-24T10:00", false),
        ("2026-12-24T11:00", true),
        ("2026-12-24T12:30", false),
        ("2026-12-26T16:59", true),
        ("2026-12-27T10:00", false),
        ("2026-12-28T10:00", false),
        ("2026-12-29T09:30", true),
        ("2026-12-29T10:00", false),
        ("2026-12-30T10:00", false),
        ("2027-01-01T10:00", false),
        ("2027-01-04T10:00", true),
        ("2027-03-22T10:00", false), // 振替休日
    ] {
        assert_eq!(is_open(when), expected, "{when}");
    }
}

#[test]
fn what_is_wrong_has_a_code_and_a_place() {
    let cases: [(&str, &str, &str); 10] = [
        ("  open: {mon: \"8:00-9:00\"}", "A105", "\"8:00-9:00\""),
        ("  open: {mon: [\"08:00-12:00\", \"11:00-13:00\"]}", "A105", "\"11:00-13:00\""),
        ("  open: {monday: \"08:00-12:00\", tue: \"08:00-12:00\"}", "M003", "monday"),
        ("  open: {mon: closed}", "A106", "open"),
        ("  open: {mon: \"08:00-08:00\", tue: \"08:00-12:00\"}", "A105", "\"08:00-08:00\""),
        ("  calendar: japna", "A108", "japna"),
        ("  closed-days: [\"2026-13-01\"]", "A105", "\"2026-13-01\""),
        ("  open-days: {someday: \"08:00-12:00\"}", "A105", "\"08:00-12:00\""),
        (
            "  maintenance:\n    - {from: \"2026-12-05T22:00\", to: \"2026-12-05T21:00\"}",
            "A105",
            "{from",
        ),
        (
            "  maintenance:\n    - {from: \"2026-12-05T22:00\", to: \"2026-12-06T06:00\"}\n    - {from: \"2026-12-06T05:00\", to: \"2026-12-06T07:00\"}",
            "A107",
            "{from: \"2026-12-06T05:00\"",
        ),
    ];
    for (hours, code, place) in cases {
        let (_, problems) = build(hours, "");
        let codes: Vec<&str> = problems.iter().map(|problem| problem.code.code).collect();
        let found = problems.iter().find(|problem| problem.code.code == code);
        let found = found.unwrap_or_else(|| panic!("{hours}: {codes:?}"));
        let text = &found.location.file.text[found.location.span.start..];
        assert!(text.starts_with(place), "{hours}: at `{}`", text.lines().next().unwrap());
    }
}

#[test]
fn availability_has_words_of_its_own() {
    let ok = r#"availability:
  every: 30s
  request: {method: GET, path: /state, format: none}
  response: {format: json, schema: desk/answer@1}
  outcomes:
    - {status: [200], when: present(ok), then: open}
    - {status: [200], when: present(until), then: closed, until: until}
    - {status: [503], then: closed}
"#;
    assert!(build("  calendar: japan", ok).1.is_empty(), "{:?}", build("  calendar: japan", ok).1);
    for (from, to, code) in [
        ("when: present(ok), then: open", "then: open, undecoded: true", "A303"),
        ("then: open", "then: applied", "A102"),
        ("every: 30s", "every: 30s\n  keep-for: 10s", "A102"),
    ] {
        let (_, problems) = build("  calendar: japan", &ok.replacen(from, to, 1));
        let codes: Vec<&str> = problems.iter().map(|problem| problem.code.code).collect();
        assert!(codes.contains(&code), "{to}: {codes:?}");
    }
}

/// The law's rules: fixed days, Mondays, the equinoxes by the usual formula (1980 to 2099), then
/// substitute holidays and days between two holidays.
fn by_law(year: i16) -> BTreeSet<Date> {
    let day = |month: i8, day: i8| Date::new(year, month, day).unwrap();
    let monday =
        |month: i8, nth: i8| day(month, 1).nth_weekday_of_month(nth, Weekday::Monday).unwrap();
    let since = f64::from(year - 1980);
    let equinox = |first: f64| (first + 0.242_194 * since).floor() - (since / 4.0).floor();
    let mut days = BTreeSet::from([
        day(1, 1),
        monday(1, 2),
        day(2, 11),
        day(2, 23),
        day(3, equinox(20.8431) as i8),
        day(4, 29),
        day(5, 3),
        day(5, 4),
        day(5, 5),
        monday(7, 3),
        day(8, 11),
        monday(9, 3),
        day(9, equinox(23.2488) as i8),
        monday(10, 2),
        day(11, 3),
        day(11, 23),
    ]);
    let named = days.clone();
    for holiday in named.iter().filter(|holiday| holiday.weekday() == Weekday::Sunday) {
        let mut next = holiday.tomorrow().unwrap();
        while named.contains(&next) {
            next = next.tomorrow().unwrap();
        }
        days.insert(next);
    }
    for holiday in &named {
        let between = holiday.tomorrow().unwrap();
        let after = between.tomorrow().unwrap();
        if named.contains(&after) && !named.contains(&between) {
            days.insert(between);
        }
    }
    days
}

#[test]
fn japans_holidays_are_what_the_law_says() {
    let mut problems = Vec::new();
    let file = SourceFile::new("adapters/calendars/japan.yaml", JAPAN);
    let found = calendars(&[file], &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    let japan = &found["japan"];
    let expected: BTreeSet<Date> = (2025..=2028).flat_map(by_law).collect();
    assert_eq!(japan.days, expected);
    let end_of_year = [(12, 29), (12, 30), (12, 31), (1, 1), (1, 2), (1, 3)];
    assert_eq!(japan.yearly, BTreeSet::from(end_of_year));
}
