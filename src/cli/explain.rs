//! `watashi explain`: the page of a code, or what a route discloses; offline.

use super::trouble::Trouble;
use super::{Global, Outcome, disclosure, load, print};
use crate::adapter::{Adapter, Bundle, Reason};
use crate::diagnostic::nearest::nearest;
use crate::model::{Code, codes};
use clap::Args;
use serde_json::{Value, json};
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  watashi explain                 list all codes
  watashi explain G201            the page of one code
  watashi explain NOT_FOUND       what an adapter calls by that name (its `reasons`)
  watashi explain route my-route  what a route discloses, to whom, on which basis";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A code, the name of a reason, or the word `route`
    #[arg(value_name = "CODE|route")]
    what: Option<String>,
    /// Name of a route, after the word `route`
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    match (arguments.what.as_deref(), arguments.name.as_deref()) {
        (None, _) => all(global)?,
        (Some("route"), Some(name)) => route(global, name)?,
        (Some("route"), None) => {
            return Err(Trouble::usage("`explain route` needs the name of a route")
                .hint("`watashi list routes` shows them"));
        }
        (Some(code), None) => one(global, code)?,
        (Some(_), Some(extra)) => {
            return Err(Trouble::usage(format!("one code at a time; `{extra}` is one too many")));
        }
    }
    Ok(Outcome::Fine)
}

fn all(global: &Global) -> Result<(), Trouble> {
    if global.json {
        return print::json(&codes::all().map(page_json).collect::<Vec<Value>>());
    }
    let rows: Vec<Vec<String>> = codes::all()
        .map(|code| vec![code.code.into(), code.fault.name().into(), code.title.into()])
        .collect();
    print::data(&print::table(&["code", "who acts", "what"], &rows))
}

fn one(global: &Global, wanted: &str) -> Result<(), Trouble> {
    let Some(code) = codes::find(wanted) else {
        let reasons = reasons(global);
        let named: Vec<_> = reasons.iter().filter(|(_, name, _)| name == wanted).collect();
        if !named.is_empty() {
            return reason(global, &named);
        }
        if let Some(near) = nearest(wanted, reasons.iter().map(|(_, name, _)| name.as_str())) {
            return Err(Trouble::usage(format!("there is no code or reason `{wanted}`"))
                .hint(format!("did you mean `{near}`?")));
        }
        let trouble = Trouble::usage(format!("there is no code `{wanted}`"));
        return Err(match nearest(wanted, codes::all().map(|code| code.code)) {
            Some(near) => trouble.hint(format!("did you mean `{near}`?")),
            None => trouble.hint("`watashi explain` lists all codes"),
        });
    };
    if global.json {
        return print::json(&page_json(code));
    }
    print::data(&format!(
        "{} {}\n\n{}\n\nwho acts:    {}\nwhat to do:  {}\n",
        code.code,
        code.title,
        code.meaning,
        code.fault.name(),
        code.remedy
    ))
}

/// The reasons of all adapters: adapter, name, reason. None where there are no definitions: the pages
/// of codes need none.
fn reasons(global: &Global) -> Vec<(String, String, Reason)> {
    let Ok(bundle) = load::bundle_anyway(global) else { return Vec::new() };
    let of = |adapter: &Arc<Adapter>| {
        let one = |(name, reason): (&String, &Reason)| {
            (adapter.name.clone(), name.clone(), reason.clone())
        };
        adapter.reasons.iter().map(one).collect::<Vec<_>>()
    };
    bundle.adapters.values().flat_map(of).collect()
}

fn reason(global: &Global, named: &[&(String, String, Reason)]) -> Result<(), Trouble> {
    if global.json {
        let page = |(adapter, name, reason): &&(String, String, Reason)| {
            json!({
                "reason": name,
                "adapter": adapter,
                "title": {"ja": reason.title_ja, "en": reason.title_en},
                "remedy": reason.remedy,
            })
        };
        return print::json(&named.iter().map(page).collect::<Vec<Value>>());
    }
    let page = |(adapter, name, reason): &&(String, String, Reason)| {
        let Reason { title_ja, title_en, remedy } = reason;
        format!(
            "{name} {title_en}\n\n{title_ja}\n\nadapter:     {adapter}\nwhat to do:  {remedy}\n"
        )
    };
    print::data(&named.iter().map(page).collect::<Vec<String>>().join("\n"))
}

fn page_json(code: &Code) -> Value {
    json!({
        "code": code.code,
        "title": code.title,
        "meaning": code.meaning,
        "fault": code.fault.name(),
        "remedy": code.remedy,
    })
}

fn route(global: &Global, name: &str) -> Result<(), Trouble> {
    let bundle = load::bundle_anyway(global)?;
    let Some(route) = bundle.route(name) else { return Err(unknown_route(&bundle, name)) };
    let page = disclosure::page(&route, bundle.is_enabled(name));
    if global.json { print::json(&page) } else { print::data(&disclosure::text(&page)) }
}

/// There is no route of that name.
pub(super) fn unknown_route(bundle: &Bundle, name: &str) -> Trouble {
    let names = bundle.routes().map(|route| route.name.as_str());
    let trouble = Trouble::usage(format!("there is no route `{name}`"));
    match nearest(name, names) {
        Some(near) => trouble.hint(format!("did you mean `{near}`?")),
        None => trouble.hint("`watashi list routes` shows them"),
    }
}
