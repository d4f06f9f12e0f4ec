//! `watashi explain`: the page of a code, or what a route discloses; offline.

use super::trouble::Trouble;
use super::{Global, Outcome, load, print};
use crate::adapter::{Bundle, Destination, Route};
use crate::diagnostic::nearest::nearest;
use crate::model::{Code, codes};
use clap::Args;
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  watashi explain                 list all codes
  watashi explain G201            the page of one code
  watashi explain route my-route  what a route discloses, to whom, on which basis";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A code, or the word `route`
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
    let page = disclosure(&route, bundle.is_enabled(name));
    if global.json { print::json(&page) } else { print::data(&text(&page)) }
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

fn disclosure(route: &Route, enabled: bool) -> Value {
    let adapter = &route.adapter;
    let destination = match &route.destination {
        Destination::Operation(operation) => {
            json!({"operation": operation.name, "title": operation.title_ja})
        }
        Destination::Publish(message_type) => json!({"publish": message_type}),
    };
    let admits: Vec<&str> = route.admits.iter().map(|class| class.name()).collect();
    let basis = route.basis.as_ref().map(|basis| {
        json!({
            "law": basis.law,
            "tableItem": basis.table_item,
            "affair": basis.affair,
            "procedure": basis.procedure,
            "inquirer": basis.inquirer,
            "provider": basis.provider,
            "information": basis.information,
        })
    });
    json!({
        "route": route.name,
        "enabled": enabled,
        "types": route.on,
        "counterpart": {
            "name": adapter.name,
            "ja": adapter.title_ja,
            "en": adapter.title_en,
            "provisional": adapter.provisional,
        },
        "destination": destination,
        "mapping": route.mapping.name,
        "from": route.mapping.from.id(),
        "to": route.mapping.to.id(),
        "admits": admits,
        "items": route.mapping.items(),
        "record": route.record.as_ref().map(|rule| rule.kind.name()),
        "basis": basis,
        "permit": route.permit.as_ref().map(|permit| permit.list.clone()),
        "reply": route.reply.as_ref().map(|reply| reply.message_type.clone()),
    })
}

/// The same page for eyes: one `key  value` line each, nothing that is empty.
fn text(page: &Value) -> String {
    let mut out = String::new();
    for (key, value) in page.as_object().into_iter().flatten() {
        let shown = match value {
            Value::Object(members) => {
                let parts: Vec<String> = members
                    .iter()
                    .filter(|(_, value)| !plain(value).is_empty())
                    .map(|(key, value)| format!("{key}: {}", plain(value)))
                    .collect();
                parts.join(", ")
            }
            Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
            other => plain(other),
        };
        if !shown.is_empty() {
            out.push_str(&format!("{key:<12} {shown}\n"));
        }
    }
    out
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
