//! What waits at a counterpart until it is fetched: lists by time and page, and one by its number.

use crate::counterparts::json::Check;
use crate::counterparts::times::Times;
use jiff::Timestamp;
use serde_json::Value;

/// Entries on one page.
const PAGE: usize = 20;

/// Something that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its number: it names a change, not a person.
    pub number: String,
    /// Since when, RFC 3339 with +09:00.
    pub at: String,
    /// The whole document.
    pub document: Value,
}

/// Checks what a list was asked with.
pub fn check(check: &mut Check, since: &str, page: usize) {
    let zoned = since.is_empty() || since.ends_with("+09:00");
    check.that("since", zoned && (since.is_empty() || since.parse::<Timestamp>().is_ok()));
    check.that("page", page >= 1);
}

/// A page of those whose number begins so, and whether another follows.
pub fn page<'a>(
    all: &'a [Waiting],
    times: &Times,
    prefix: &str,
    since: &str,
    page: usize,
) -> (Vec<&'a Waiting>, bool) {
    let since = since.parse::<Timestamp>().ok();
    let there = |one: &&Waiting| {
        let at = one.at.parse::<Timestamp>().ok();
        one.number.starts_with(prefix) && times.is_there(&one.at) && at >= since
    };
    let there: Vec<&Waiting> = all.iter().filter(there).collect();
    let start = page.saturating_sub(1).saturating_mul(PAGE);
    let more = there.len() > start.saturating_add(PAGE);
    (there.into_iter().skip(start).take(PAGE).collect(), more)
}

/// The one of this number, when it is there.
pub fn one<'a>(all: &'a [Waiting], times: &Times, number: &str) -> Option<&'a Waiting> {
    all.iter().find(|one| one.number == number && times.is_there(&one.at))
}
