//! What PMH has for the municipality: records of clinics, answers to questionnaires, PMH-IDs.
//! All of it comes from those [behind PMH](crate::counterparts::behind_pmh).

use crate::counterparts::json::{self, Check, refuse};
use crate::counterparts::times::Times;
use crate::counterparts::waiting::Waiting;
use crate::counterparts::{Answer, Received, waiting};
use serde::Deserialize;
use serde_json::json;

/// Paths and the series of numbers of each kind.
const KINDS: [(&str, &str); 3] = [
    ("/vaccination/records/", "VR-"),
    ("/vaccination/questionnaire-answers/", "QA-"),
    ("/vaccination/pmh-ids/", "PI-"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    since: String,
    page: usize,
}

/// The answer to a list or a download; `None` when the request is for something else.
pub fn answer(
    request: &Received,
    downloads: impl FnOnce() -> Vec<Waiting>,
    times: &Times,
) -> Option<Result<Answer, Answer>> {
    let (path, prefix) = KINDS.into_iter().find(|(path, _)| request.path.starts_with(path))?;
    match (request.method.as_str(), request.path.strip_prefix(path)?) {
        ("POST", "list") => Some(list(request, &downloads(), times, prefix)),
        ("GET", number) if number.starts_with(prefix) => Some(Ok(get(&downloads(), times, number))),
        _ => None,
    }
}

fn list(
    request: &Received,
    all: &[Waiting],
    times: &Times,
    prefix: &str,
) -> Result<Answer, Answer> {
    let list: List = json::read(request)?;
    let mut check = Check::default();
    waiting::check(&mut check, &list.since, list.page);
    check.end()?;
    let (page, more) = waiting::page(all, times, prefix, &list.since, list.page);
    let page = page.into_iter();
    let page: Vec<_> =
        page.map(|one| json!({"downloadNumber": one.number, "updatedAt": one.at})).collect();
    Ok(Answer::json(200, &json!({"items": page, "hasMore": more})))
}

fn get(all: &[Waiting], times: &Times, number: &str) -> Answer {
    match waiting::one(all, times, number) {
        Some(one) => Answer::json(200, &one.document),
        None => refuse(404, "E0404", "no such number"),
    }
}
