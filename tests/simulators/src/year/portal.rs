//! Notices of マイナポータル, by 仮名識別子 alone, and what becomes of each (S9): shown, later read or expired,
//! for nobody, or refused.

use super::calendar;
use super::numbering;
use super::pen::Pen;
use super::routes::HEALTH;
use crate::Trouble;
use crate::counterparts::MYNAPORTAL;
use crate::counterparts::holdings::{Holdings, Item};
use crate::counterparts::waiting::Waiting;
use crate::demo::desk::Desk;
use crate::demo::folder::free_port;
use crate::demo::{Callback, Stage};
use crate::municipality::people::Person;
use crate::municipality::{Fate, MUNICIPALITY, forms};
use crate::pki::write_secret;
use crate::random::Random;
use jiff::civil::Date;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

/// What comes of each notice.
const TOLD: &str = "notice.portal.delivered";

/// A notice on a day. Nobody whose data are not disclosed gets one: a 仮名識別子 does not tell of that.
pub fn notice(pen: &mut Pen, day: Date, person: &Person) {
    if person.not_disclosed {
        return;
    }
    let day = pen.days.from(day);
    let until = calendar::later(day, 14);
    let id = format!("PN-{:06}", pen.number());
    let mut random = Random::new(pen.seed, &id);
    let mut message =
        forms::portal_notice(id.clone(), &person.pseudonym, &day.to_string(), &until.to_string());
    let is_known = numbering::is_known(person);
    let fails = random.chance(0.04);
    for expected in &mut message.expects {
        expected.content.insert("status", if is_known { "03" } else { "08" }.to_owned());
        if fails {
            expected.fate = Fate::RefusedThere;
        }
    }
    pen.post(day, message);
    if fails {
        pen.knowledge.refused.insert(format!("portal-notice:{id}"), "E0901".to_owned());
        return;
    }
    pen.arrives(day, TOLD, MYNAPORTAL);
    let mut told = vec![if is_known { "shown" } else { "no-addressee" }];
    let (kind, later) = match random.below(5) {
        0 => ("", day),
        1 => ("expired", calendar::later(until, 1)),
        _ => ("read", calendar::later(day, random.between(1, 9))),
    };
    if is_known && pen.days.from(later) > day {
        told.push(kind);
        happened(pen, &id, kind, later);
    }
    let item = Item::from([("told".to_owned(), told.join(" "))]);
    pen.truth.put(HEALTH, "portal-notice", &id, item);
}

fn happened(pen: &mut Pen, notice: &str, kind: &str, day: Date) {
    let at = pen.arrives(day, TOLD, MYNAPORTAL);
    let number = format!("EV-{:06}", pen.number());
    let document = json!({"eventId": number, "noticeKey": notice, "kind": kind, "at": at,
        "municipalityCode": MUNICIPALITY});
    pen.knowledge.portal_events.push(Waiting { number, at, document });
}

/// What the health system was told of each notice, in the order of coming.
pub(crate) fn told(desk: &Desk, holdings: &mut Holdings) {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for data in desk.of_type(TOLD) {
        let text = |name: &str| data.get(name).and_then(|one| one.as_str()).unwrap_or_default();
        all.entry(text("noticeId").to_owned()).or_default().push(text("status").to_owned());
    }
    for (notice, told) in all {
        let item = Item::from([("told".to_owned(), told.join(" "))]);
        holdings.put("portal-notice", &notice, item);
    }
}

/// Where マイナポータル calls when a notice is done, and the sections of `watashi.toml` for it.
pub(crate) fn callback(folder: &Path) -> Result<(Callback, String), Trouble> {
    let listen = free_port()?;
    let token = "told-by-the-portal-of-this-run".to_owned();
    std::fs::create_dir_all(folder.join("secrets"))?;
    write_secret(&folder.join("secrets/callback"), &token)?;
    let folder = folder.display();
    let sections = format!(
        "\n[callbacks]\nlisten = \"{listen}\"\n\
         certificate = \"file:{folder}/certificates/server.pem\"\n\
         key = \"file:{folder}/keys/server.pem\"\n\n\
         [counterpart.{MYNAPORTAL}.callback]\n\
         client-ca = \"file:{folder}/certificates/ca.pem\"\nsubjects = [\"{MYNAPORTAL}\"]\n\
         token = \"file:{folder}/secrets/callback\"\n"
    );
    let url = format!("https://{listen}/v1/callbacks/{MYNAPORTAL}/notice-completed");
    Ok((Callback { url, token }, sections))
}

/// What is wrong with the calls by which マイナポータル told of completed work: whoever is right is heard,
/// and a call that overtakes the answer to the notice is nobody's.
pub(crate) fn calls(stage: &Stage) -> Vec<String> {
    let told = stage.running.portal.as_ref().map(|portal| portal.told()).unwrap_or_default();
    let wrong = told.iter().filter(|(status, _)| ![200, 404].contains(*status));
    let mut problems: Vec<String> = wrong
        .map(|(status, count)| format!("{count} completion notices were answered with {status}"))
        .collect();
    if !told.contains_key(&200) {
        problems.push("no completion notice was taken".to_owned());
    }
    problems
}
