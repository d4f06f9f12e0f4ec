//! What is checked of a schema file by itself: spelling, values, closed objects, patterns.

use super::file::{File, children, escape};
use super::keyword::{FORMATS, Holds, ROOT_ONLY, holds, names};
use super::{check, layout, validator};
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest::nearest;
use crate::model::codes::document;
use serde_json::{Map, Value};

/// Checks a whole file.
pub fn lint(file: &File, diagnostics: &mut Vec<Diagnostic>) {
    let before = diagnostics.len();
    walk(file, &file.value, "", Around::default(), diagnostics);
    if diagnostics.len() > before {
        return; // the meta-schema would say most of it again, in other words
    }
    for error in jsonschema::draft202012::meta::validator().iter_errors(&file.value) {
        let message = format!("{error}");
        let pointer = error.instance_path().as_str().to_owned();
        diagnostics.push(file.error(&document::SCHEMA_INVALID, &pointer, message));
    }
}

/// What the schemas around one say.
#[derive(Clone, Copy, Default)]
struct Around {
    /// One for the same place already refuses undeclared members.
    closed: bool,
    /// We are inside a branch (`if`, `oneOf`, ..), where `properties` without `type` only refine
    /// what is declared elsewhere.
    branch: bool,
}

fn walk(file: &File, schema: &Value, pointer: &str, around: Around, found: &mut Vec<Diagnostic>) {
    let Value::Object(members) = schema else {
        if !schema.is_boolean() {
            let message = "a schema is an object, true or false".to_owned();
            found.push(file.error(&document::SCHEMA_INVALID, pointer, message));
        }
        return;
    };
    for (name, value) in members {
        let here = format!("{pointer}/{}", escape(name));
        if holds(name).is_none() {
            found.push(unknown(file, name, &here));
        } else if ROOT_ONLY.contains(&name.as_str()) && !pointer.is_empty() {
            let message = format!("`{name}` stands at the root of a file only");
            found.push(Diagnostic::error(&document::SCHEMA_VALUE, file.at_key(&here), message));
        } else {
            value_of(file, name, value, &here, found);
        }
    }
    let closes = |keyword: &str| members.get(keyword) == Some(&Value::Bool(false));
    let closed = around.closed || closes("additionalProperties") || closes("unevaluatedProperties");
    if !closed
        && is_object(members, around.branch)
        && members.get("x-open") != Some(&Value::Bool(true))
    {
        let message = "the object accepts undeclared members".to_owned();
        found.push(
            file.error(&document::SCHEMA_OPEN, pointer, message)
                .hint("add \"additionalProperties\": false, or \"x-open\": true if that is meant"),
        );
    }
    required(file, members, pointer, closed, found);
    for (keyword, child_pointer, child, holds) in children(schema, pointer) {
        let same_place =
            matches!(holds, Holds::SamePlace | Holds::SamePlaceList | Holds::SamePlaceMap);
        let tests = matches!(keyword, "if" | "not" | "contains" | "propertyNames");
        let around = Around {
            closed: tests || (same_place && closed),
            branch: around.branch || tests || (same_place && closed),
        };
        walk(file, child, &child_pointer, around, found);
    }
}

fn is_object(members: &Map<String, Value>, branch: bool) -> bool {
    let typed = match members.get("type") {
        Some(Value::String(name)) => name == "object",
        Some(Value::Array(names)) => names.iter().any(|name| name == "object"),
        _ => false,
    };
    typed || (!branch && members.contains_key("properties") && !members.contains_key("type"))
}

fn unknown(file: &File, name: &str, pointer: &str) -> Diagnostic {
    let message = format!("`{name}` is not a keyword");
    let diagnostic = Diagnostic::error(&document::SCHEMA_KEYWORD, file.at_key(pointer), message);
    match (name, nearest(name, names())) {
        ("$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$vocabulary", _) => {
            diagnostic.hint("point with $ref to #/$defs/<name> instead")
        }
        ("definitions", _) => diagnostic.hint("JSON Schema 2020-12 says `$defs`"),
        (_, Some(near)) => diagnostic.hint(format!("nearest name: `{near}`")),
        (_, None) => diagnostic,
    }
}

/// Required names of a closed object that declares its members itself.
fn required(
    file: &File,
    members: &Map<String, Value>,
    pointer: &str,
    closed: bool,
    found: &mut Vec<Diagnostic>,
) {
    let (Some(Value::Object(properties)), Some(Value::Array(required))) =
        (members.get("properties"), members.get("required"))
    else {
        return;
    };
    let elsewhere = ["$ref", "allOf", "anyOf", "oneOf"].iter().any(|k| members.contains_key(*k));
    if !closed || elsewhere || members.get("additionalProperties") != Some(&Value::Bool(false)) {
        return;
    }
    for (index, name) in required.iter().enumerate() {
        let Some(name) = name.as_str() else { continue };
        if properties.contains_key(name) {
            continue;
        }
        let place = format!("{pointer}/required/{index}");
        let message = format!("`{name}` is required but not declared");
        let mut diagnostic = file.error(&document::SCHEMA_REQUIRED, &place, message);
        if let Some(near) = nearest(name, properties.keys().map(String::as_str)) {
            diagnostic = diagnostic.hint(format!("nearest name: `{near}`"));
        }
        found.push(diagnostic);
    }
}

fn value_of(file: &File, name: &str, value: &Value, pointer: &str, found: &mut Vec<Diagnostic>) {
    let mut refuse = |message: String, hint: Option<&str>| {
        let diagnostic = file.error(&document::SCHEMA_VALUE, pointer, message);
        found.push(match hint {
            Some(hint) => diagnostic.hint(format!("nearest name: `{hint}`")),
            None => diagnostic,
        });
    };
    let mut one_of = |allowed: &[&str]| {
        let text = value.as_str().unwrap_or_default();
        if !allowed.contains(&text) {
            let message = format!("`{name}` is one of: {}", allowed.join(", "));
            refuse(message, nearest(text, allowed.iter().copied()));
        }
    };
    match name {
        "$schema" => one_of(&["https://json-schema.org/draft/2020-12/schema"]),
        "$id" => one_of(&[&format!("watashi:/{}", file.id)]),
        "x-class" => one_of(super::shape::CLASSES),
        "x-check" => one_of(check::NAMES),
        "x-private-use" => one_of(&["allow", "refuse"]),
        "x-open" if !value.is_boolean() => refuse("`x-open` is true or false".to_owned(), None),
        "x-item" | "x-csv-name" | "x-repertoire" if value.as_str().is_none_or(str::is_empty) => {
            refuse(format!("`{name}` is a text"), None);
        }
        "x-message-types" => {
            let valid = |name: &Value| name.as_str().is_some_and(|name| !name.is_empty());
            if !value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(valid)) {
                refuse("`x-message-types` is a list of message types".to_owned(), None);
            }
        }
        "x-json" | "x-xml" | "xml" | "x-soap" | "x-csv" | "x-fixed" => {
            for problem in layout::problems(name, value) {
                let place = format!("{pointer}{}", problem.pointer);
                let diagnostic = file.error(&document::SCHEMA_VALUE, &place, problem.message);
                found.push(match problem.nearest {
                    Some(near) => diagnostic.hint(format!("nearest name: `{near}`")),
                    None => diagnostic,
                });
            }
        }
        "format" => {
            let text = value.as_str().unwrap_or_default();
            if !FORMATS.contains(&text) {
                let message = format!("`{text}` is not a format that can be checked");
                let diagnostic = file.error(&document::SCHEMA_FORMAT, pointer, message);
                let hint = match nearest(text, FORMATS.iter().copied()) {
                    Some(near) => format!("nearest name: `{near}`"),
                    None => format!("known formats: {}", FORMATS.join(", ")),
                };
                found.push(diagnostic.hint(hint));
            }
        }
        "pattern" => pattern(file, value.as_str(), pointer, found),
        "patternProperties" => {
            for key in value.as_object().into_iter().flat_map(Map::keys) {
                pattern(file, Some(key), &format!("{pointer}/{}", escape(key)), found);
            }
        }
        _ => {}
    }
}

fn pattern(file: &File, text: Option<&str>, pointer: &str, found: &mut Vec<Diagnostic>) {
    let Some(text) = text else { return };
    if validator::compile(&serde_json::json!({ "pattern": text })).is_err() {
        let message = "the pattern is not a regular expression of the linear-time syntax";
        found.push(
            file.error(&document::SCHEMA_INVALID, pointer, message.to_owned())
                .hint("no look-around, no back-references, balanced brackets"),
        );
    }
}
