//! What a route can disclose: which items and classes, to whom, on which legal basis, from where.

use super::print;
use crate::adapter::{Destination, Route};
use crate::mapping::Mapping;
use crate::mapping::describe::{Disclosed, SourceItem};
use crate::schema::Class;
use serde_json::{Value, json};

/// The page of a route.
pub(super) fn page(route: &Route, enabled: bool) -> Value {
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
    let reply = route.reply.as_ref().map(|reply| {
        let mut page = disclosed(&reply.mapping);
        if let Value::Object(members) = &mut page {
            members.insert("type".to_owned(), json!(reply.message_type));
            members.insert("mapping".to_owned(), json!(reply.mapping.name));
            members.insert("to".to_owned(), json!(reply.mapping.to.id()));
        }
        page
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
        "record": route.record.as_ref().map(|rule| rule.kind.name()),
        "basis": basis,
        "permit": route.permit.as_ref().map(|permit| permit.list.clone()),
        "discloses": disclosed(&route.mapping),
        "reply": reply,
    })
}

/// Items, classes and classified places that a mapping can fill.
fn disclosed(mapping: &Mapping) -> Value {
    let places = mapping.disclosed();
    let mut classes: Vec<Class> = places.iter().map(|place| place.class).collect();
    classes.sort_unstable();
    classes.dedup();
    let classes = classes.iter().filter(|class| **class != Class::Plain);
    let title = |code: &str| {
        let of = |place: &&Disclosed| place.item.as_deref() == Some(code);
        places.iter().find(of).and_then(|place| place.title.clone())
    };
    let items = mapping.items();
    let items = items.iter().map(|code| json!({"code": code, "title": title(code)}));
    let source = |source: &SourceItem| json!({"path": source.path, "title": source.title, "class": source.class.name()});
    let place = |place: &Disclosed| {
        json!({
            "path": place.path,
            "title": place.title,
            "item": place.item,
            "class": place.class.name(),
            "sources": place.sources.iter().map(source).collect::<Vec<Value>>(),
        })
    };
    json!({
        "items": items.collect::<Vec<Value>>(),
        "classes": classes.map(|class| class.name()).collect::<Vec<_>>(),
        "places": places.iter().map(place).collect::<Vec<Value>>(),
    })
}

/// The same page for eyes: one `key  value` line each, nothing that is empty; then what is
/// disclosed as a table.
pub(super) fn text(page: &Value) -> String {
    let mut out = String::new();
    for (key, value) in page.as_object().into_iter().flatten() {
        let shown = match value {
            _ if key == "discloses" || key == "reply" => String::new(),
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
    let counterpart = member(page, "counterpart");
    let whom = match member(page, "destination").get("publish") {
        Some(message_type) => format!("upstream, as {}", plain(message_type)),
        None => {
            format!("{} ({})", plain(member(counterpart, "ja")), plain(member(counterpart, "name")))
        }
    };
    out.push_str(&format!("\ndiscloses to {whom}\n"));
    out.push_str(&table(member(page, "discloses")));
    let reply = member(page, "reply");
    if !reply.is_null() {
        out.push_str(&format!(
            "\nits answer discloses to upstream, as {}\n",
            plain(member(reply, "type"))
        ));
        out.push_str(&table(reply));
    }
    out
}

/// The places of a disclosure, a row each.
fn table(disclosure: &Value) -> String {
    let places = member(disclosure, "places").as_array();
    let row = |place: &Value| {
        let sources = member(place, "sources").as_array().into_iter().flatten();
        let sources: Vec<String> = sources
            .map(|source| match plain(member(source, "class")) {
                class if class == Class::Plain.name() => plain(member(source, "path")),
                class => format!("{} ({class})", plain(member(source, "path"))),
            })
            .collect();
        let sources = if sources.is_empty() {
            "nothing of the message".to_owned()
        } else {
            sources.join(", ")
        };
        let cell = |key: &str| Some(plain(member(place, key))).filter(|text| !text.is_empty());
        let or_dash = |key: &str| cell(key).unwrap_or_else(|| "-".to_owned());
        vec![or_dash("item"), or_dash("title"), or_dash("class"), or_dash("path"), sources]
    };
    let rows: Vec<Vec<String>> = places.into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        return "  nothing classified\n".to_owned();
    }
    print::table(&["item", "title", "class", "target", "from"], &rows)
}

fn member<'v>(value: &'v Value, key: &str) -> &'v Value {
    value.get(key).unwrap_or(&Value::Null)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
