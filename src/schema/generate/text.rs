//! Texts: length, pattern, format and check digit, all of them at once.

use super::chance::Chance;
use super::letters;
use super::node::Constraints;
use crate::schema::check;

/// How often a text is tried before the place is given up.
const TRIES: usize = 200;
/// Longest text that is made on purpose, in characters.
const LONG: usize = 1_000;

/// A text for the place; `None` when none was found.
pub(super) fn text(place: &Constraints, chance: &mut Chance) -> Option<String> {
    let least = place.min_length.unwrap_or(0);
    let most = place.max_length.unwrap_or(usize::MAX);
    if least > most {
        return None;
    }
    let fits = |text: &str| {
        let length = text.chars().count();
        (least..=most).contains(&length)
            && place.patterns.iter().all(|pattern| pattern.matches(text))
            && place.checks.iter().all(|name| check::find(name).is_some_and(|good| good(text)))
    };
    for _ in 0..TRIES {
        let length = length(least, most, chance);
        let mut text = match (place.formats.first(), place.patterns.as_slice()) {
            (Some(format), _) => formatted(format, chance),
            (None, []) if !place.checks.is_empty() => digits(&place.checks, chance),
            (None, []) => letters::text(length, place.private_use, chance),
            (None, patterns) => {
                let sampled = chance.pick(patterns)?.sample(length, chance);
                // A pattern may say how a checked number begins and leave the rest to the check.
                match digits(&place.checks, chance).get(sampled.len()..) {
                    Some(rest) if !place.checks.is_empty() => format!("{sampled}{rest}"),
                    _ => sampled,
                }
            }
        };
        if let Some(name) = place.checks.first() {
            text = with_check_digit(text, name);
        }
        if fits(&text) {
            return Some(text);
        }
    }
    None
}

/// A length, mostly one of the edges.
fn length(least: usize, most: usize, chance: &mut Chance) -> usize {
    let usual = most.min(least.saturating_add(12));
    match chance.below(8) {
        0 => least,
        1 if most <= LONG => most,
        2 if most <= LONG => most.saturating_sub(1).max(least),
        3 => chance.between(least, most.min(LONG.max(least))),
        _ => chance.between(least, usual),
    }
}

/// Digits of the length that the check wants; leading zeros are the edge.
fn digits(checks: &[String], chance: &mut Chance) -> String {
    let length = match checks.first().map(String::as_str) {
        Some("my-number") => 12,
        Some("corporate-number") => 13,
        Some("municipality-code") => 6,
        Some("atena-number") => 15,
        _ => chance.between(1, 20),
    };
    let zeros = if chance.one_in(4) { chance.between(0, length) } else { 0 };
    (0..length)
        .map(|at| if at < zeros { '0' } else { char::from(b'0' + chance.below(10) as u8) })
        .collect()
}

/// The text with its last digit, or else its first, replaced so that the check passes.
fn with_check_digit(text: String, name: &str) -> String {
    let Some(good) = check::find(name) else { return text };
    if good(&text) || !text.is_ascii() || text.is_empty() {
        return text;
    }
    let last = text.len() - 1;
    let candidates = ('0'..='9').flat_map(|digit| {
        let body = text.get(..last).unwrap_or_default();
        let rest = text.get(1..).unwrap_or_default();
        [format!("{body}{digit}"), format!("{digit}{rest}")]
    });
    candidates.into_iter().find(|candidate| good(candidate)).unwrap_or(text)
}

/// Days on which something begins, ends, or does not exist in every year.
const DAYS: &[&str] = &[
    "2000-02-29",
    "1900-02-28",
    "2024-02-29",
    "2026-12-31",
    "2026-01-01",
    "2027-03-31",
    "2026-04-01",
    "1868-10-22",
    "1868-10-23",
    "1872-12-31",
    "1873-01-01",
    "1912-07-29",
    "1912-07-30",
    "1926-12-24",
    "1926-12-25",
    "1989-01-07",
    "1989-01-08",
    "2019-04-30",
    "2019-05-01",
    "0001-01-01",
    "9999-12-31",
];

fn date(chance: &mut Chance) -> String {
    if chance.one_in(3) {
        return chance.pick(DAYS).copied().unwrap_or("2000-02-29").to_owned();
    }
    let (year, month) = (chance.between(1900, 2035), chance.between(1, 12));
    format!("{year:04}-{month:02}-{:02}", chance.between(1, 28))
}

fn time(chance: &mut Chance) -> String {
    let edges = ["00:00:00", "23:59:59", "14:59:59", "15:00:00", "09:00:00"];
    let mut text = if chance.one_in(2) {
        chance.pick(&edges).copied().unwrap_or("00:00:00").to_owned()
    } else {
        let (hour, minute) = (chance.below(24), chance.below(60));
        format!("{hour:02}:{minute:02}:{:02}", chance.below(60))
    };
    text.push_str(chance.pick(&["", "", "", ".5", ".123", ".000000"]).copied().unwrap_or(""));
    text.push_str(chance.pick(&["Z", "+09:00", "-05:00", "+00:00"]).copied().unwrap_or("Z"));
    text
}

/// A text of one of the formats that are checked.
fn formatted(format: &str, chance: &mut Chance) -> String {
    let samples: &[&str] = match format {
        "date" => return date(chance),
        "time" => return time(chance),
        "date-time" => return format!("{}T{}", date(chance), time(chance)),
        "duration" => &["P1D", "PT1S", "P1Y2M3DT4H5M6S", "P4W", "PT0S"],
        "email" => &["a@example.jp", "first.last+tag@sub.example.jp"],
        "hostname" => &["a", "example.jp", "xn--r8jz45g.example", "a-1.b"],
        "ipv4" => &["0.0.0.0", "192.0.2.1", "255.255.255.255"],
        "ipv6" => &["::", "::1", "2001:db8::1", "2001:db8:0:0:0:0:0:1"],
        "uri" => &["https://example.jp/", "urn:uuid:0", "https://example.jp/a?b=c#d"],
        "uri-reference" => &["", "/a", "#b", "https://example.jp/", "../c?d"],
        "iri" => &["https://example.jp/渡し", "https://例え.example/"],
        "iri-reference" => &["", "/渡し", "#髙"],
        "uri-template" => &["https://example.jp/{id}", "/a{?b,c}", "plain"],
        "json-pointer" => &["", "/a", "/a~1b/~0/0"],
        "regex" => &["^a+$", "", "[0-9]{2}"],
        "uuid" => {
            return format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
                chance.below(1 << 32),
                chance.below(1 << 16),
                chance.below(1 << 12),
                chance.below(1 << 12),
                chance.below(1 << 48)
            );
        }
        _ => &[],
    };
    chance.pick(samples).copied().unwrap_or_default().to_owned()
}
