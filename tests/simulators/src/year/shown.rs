//! What each resident sees at the end with their card, against what the generator knows: records, 予診票
//! and notices of their own, nothing of whom nothing may be shown.

use super::books::Books;
use super::numbering;
use crate::counterparts::behind_pmh_entries::{NOBODY, NOT_SHOWN};
use crate::counterparts::holdings::{Holdings, Item};
use crate::counterparts::{BEHIND_PMH, PMH};
use crate::demo::Stage;
use crate::municipality::people::Person;
use crate::municipality::{Expected, Fate};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of what is shown, as PMH names them and as they are shown.
const KINDS: [(&str, &str); 3] =
    [("record", "records"), ("questionnaire", "questionnaires"), ("notice", "notices")];

/// What must be shown, and what is, by the number of the subject.
pub(crate) fn both(stage: &Stage, truth: &Books) -> (Holdings, Holdings) {
    let (mut must, mut is) = (Holdings::default(), Holdings::default());
    let there = registered(stage);
    let links = truth.of(BEHIND_PMH).0.remove("link").unwrap_or_default();
    let mut seen = BTreeSet::new();
    for person in &stage.town.people {
        if !seen.insert(person.index) {
            continue;
        }
        let subject = format!("J{:06}", person.index);
        let refused = match (links.contains_key(&subject), is_withheld(stage, person)) {
            (false, _) => Some(NOBODY),
            (true, true) => Some(NOT_SHOWN),
            (true, false) => None,
        };
        let item = match refused {
            Some(code) => refusal(code),
            None => {
                let mine = |kind: &str| {
                    let whose = [person.atena_number.as_str(), &person.pseudonym];
                    let ids = whose.iter().filter_map(|one| there.get(&(kind, *one)));
                    ids.flatten().copied().collect::<Vec<_>>().join(" ")
                };
                KINDS.map(|(kind, shown)| (shown.to_owned(), mine(kind))).into_iter().collect()
            }
        };
        must.put("shown", &subject, item);
        let item = match stage.running.behind.view(&numbering::card(person)) {
            Err(code) => refusal(code),
            Ok(shown) => {
                let ids = |kind: &str| {
                    let all = shown.get(kind).and_then(Value::as_object);
                    all.map(|all| all.keys().cloned().collect::<Vec<_>>().join(" "))
                };
                let pair =
                    |(_, kind): (&str, &str)| (kind.to_owned(), ids(kind).unwrap_or_default());
                KINDS.map(pair).into_iter().collect()
            }
        };
        is.put("shown", &subject, item);
    }
    (must, is)
}

fn refusal(code: &str) -> Item {
    Item::from([("refused".to_owned(), code.to_owned())])
}

/// 不開示 of the person, or a 制御フラグ whose last state is set.
fn is_withheld(stage: &Stage, person: &Person) -> bool {
    let mut flags: BTreeMap<&str, bool> = BTreeMap::new();
    for expected in delivered(stage).filter(|one| one.operation == "control") {
        let text = |name: &str| expected.content.get(name).map(String::as_str).unwrap_or_default();
        if expected.person == person.atena_number && text("flag") != "3" {
            let id = expected.key.split('/').next().unwrap_or_default();
            flags.insert(id, text("set") == "1");
        }
    }
    person.not_disclosed || flags.values().any(|set| *set)
}

/// Ids of what is registered for whom, in their order; what was deleted or taken back since is not.
fn registered(stage: &Stage) -> BTreeMap<(&'static str, &str), BTreeSet<&str>> {
    let mut there: BTreeMap<(&'static str, &str), BTreeSet<&str>> = BTreeMap::new();
    for expected in delivered(stage) {
        if let Some(notice) = expected.content.get("notice") {
            there.values_mut().for_each(|ids| _ = ids.remove(notice.as_str()));
        }
        let ids = there.entry((expected.operation, expected.person.as_str())).or_default();
        let id = expected.key.split('/').next().unwrap_or_default();
        match expected.content.get("deleted").map(String::as_str) {
            Some("1") => ids.remove(id),
            _ => ids.insert(id),
        };
    }
    there
}

fn delivered(stage: &Stage) -> impl Iterator<Item = &Expected> {
    let expected = stage.town.messages.iter().flat_map(|message| &message.expects);
    expected.filter(|one| one.counterpart == PMH && one.fate == Fate::Delivered)
}
