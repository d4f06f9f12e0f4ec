//! Follows `$ref`: a schema becomes one document without references, or a diagnostic.
//!
//! Only loaded files can be reached; nothing is fetched. A schema that contains itself is refused.

use super::file::{File, children, escape};
use super::keyword::{Holds, annotates, holds};
use super::shape::stricter;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest::nearest;
use crate::model::codes::document;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const MAX_VALUES: usize = 100_000;
const MAX_DEPTH: usize = 64;

/// Every `$ref` of a file that leads nowhere.
pub fn check_references(
    file: &File,
    files: &BTreeMap<String, File>,
    found: &mut Vec<Diagnostic>,
) -> bool {
    let before = found.len();
    let mut open = vec![(String::new(), &file.value)];
    while let Some((pointer, schema)) = open.pop() {
        if let Some(reference) = schema.get("$ref") {
            let place = format!("{pointer}/$ref");
            let reference = reference.as_str().unwrap_or_default();
            if let Err((message, hint)) = lookup(file, reference, files).map(|_| ()) {
                let diagnostic = file.error(&document::SCHEMA_REFERENCE, &place, message);
                found.push(match hint {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic,
                });
            }
        }
        open.extend(children(schema, &pointer).into_iter().map(|(_, at, child, _)| (at, child)));
    }
    found.len() == before
}

type Found<'a> = (&'a File, String, &'a Value);

fn lookup<'a>(
    file: &File,
    reference: &str,
    files: &'a BTreeMap<String, File>,
) -> Result<Found<'a>, (String, Option<String>)> {
    let (id, pointer) =
        file.target(reference).map_err(|why| (format!("`{reference}`: {why}"), None))?;
    let Some(target) = files.get(&id) else {
        let near = nearest(&id, files.keys().map(String::as_str));
        let hint = near.map(|near| format!("nearest schema: `watashi:/{near}`"));
        return Err((format!("there is no schema `{id}`"), hint));
    };
    match target.value.pointer(&pointer) {
        Some(value) if value.is_object() || value.is_boolean() => Ok((target, pointer, value)),
        Some(_) => Err((format!("`{pointer}` of `{id}` is not a schema"), None)),
        None => {
            let defs = target.value.get("$defs").and_then(Value::as_object);
            let names = defs.into_iter().flat_map(Map::keys);
            let wanted = pointer.strip_prefix("/$defs/").unwrap_or(&pointer);
            let near = nearest(wanted, names.map(String::as_str));
            let hint = near.map(|near| format!("nearest name: `#/$defs/{near}`"));
            Err((format!("`{id}` has nothing at `{pointer}`"), hint))
        }
    }
}

/// A file with every reference replaced by its target, and the ids it drew on.
pub fn resolve(
    file: &File,
    files: &BTreeMap<String, File>,
    found: &mut Vec<Diagnostic>,
) -> Option<(Value, BTreeSet<String>)> {
    let used = BTreeSet::from([file.id.clone()]);
    let mut resolver = Resolver { files, found, way: Vec::new(), values: 0, used };
    resolver.way.push((file.id.clone(), String::new()));
    let value = resolver.expand(file, "", &file.value, 0)?;
    Some((value, resolver.used))
}

struct Resolver<'a> {
    files: &'a BTreeMap<String, File>,
    found: &'a mut Vec<Diagnostic>,
    /// The references we are inside of.
    way: Vec<(String, String)>,
    values: usize,
    used: BTreeSet<String>,
}

impl Resolver<'_> {
    fn expand(&mut self, file: &File, at: &str, schema: &Value, depth: usize) -> Option<Value> {
        self.values += 1;
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            let message = format!("more than {MAX_VALUES} values or {MAX_DEPTH} levels");
            self.found.push(file.error(&document::SCHEMA_LARGE, at, message));
            return None;
        }
        let Value::Object(members) = schema else { return Some(schema.clone()) };
        let mut result = Map::new();
        for (name, value) in members {
            let here = format!("{at}/{}", escape(name));
            let value = match (holds(name), value) {
                (_, Value::String(_))
                    if matches!(name.as_str(), "$ref" | "$schema" | "$id" | "$comment") =>
                {
                    continue;
                }
                _ if name == "$defs" => continue,
                (Some(Holds::Schema | Holds::SamePlace), child) => {
                    self.expand(file, &here, child, depth + 1)?
                }
                (Some(Holds::List | Holds::SamePlaceList), Value::Array(list)) => {
                    let mut all = Vec::new();
                    for (index, child) in list.iter().enumerate() {
                        all.push(self.expand(
                            file,
                            &format!("{here}/{index}"),
                            child,
                            depth + 1,
                        )?);
                    }
                    Value::Array(all)
                }
                (Some(Holds::Map | Holds::SamePlaceMap), Value::Object(map)) => {
                    let mut all = Map::new();
                    for (key, child) in map {
                        let place = format!("{here}/{}", escape(key));
                        all.insert(key.clone(), self.expand(file, &place, child, depth + 1)?);
                    }
                    Value::Object(all)
                }
                _ => value.clone(),
            };
            result.insert(name.clone(), value);
        }
        match members.get("$ref").and_then(Value::as_str) {
            Some(reference) => self.follow(file, at, reference, result, depth),
            None => Some(Value::Object(result)),
        }
    }

    fn follow(
        &mut self,
        file: &File,
        at: &str,
        reference: &str,
        beside: Map<String, Value>,
        depth: usize,
    ) -> Option<Value> {
        // A reference that leads nowhere was reported where it stands.
        let (target, pointer, value) = lookup(file, reference, self.files).ok()?;
        let step = (target.id.clone(), pointer.clone());
        if self.way.contains(&step) || is_inside(&step, file, at) {
            let message = format!("`{reference}` leads back to a schema that contains it");
            let diagnostic = file.error(&document::SCHEMA_CYCLE, &format!("{at}/$ref"), message);
            self.found.push(diagnostic);
            return None;
        }
        self.used.insert(target.id.clone());
        self.way.push(step);
        let resolved = self.expand(target, &pointer, value, depth + 1);
        self.way.pop();
        Some(beside_reference(beside, resolved?))
    }
}

/// A pointer to an ancestor of the place it stands at.
fn is_inside(step: &(String, String), file: &File, at: &str) -> bool {
    step.0 == file.id
        && at
            .strip_prefix(step.1.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Titles, layouts and the like beside a `$ref` override the target's (of two data classes the
/// stricter one stays); keywords that restrict are added to it.
fn beside_reference(mut beside: Map<String, Value>, target: Value) -> Value {
    let Value::Object(mut target) = target else {
        if beside.is_empty() {
            return target;
        }
        beside.insert("allOf".to_owned(), Value::Array(vec![target]));
        return Value::Object(beside);
    };
    let file_only = super::keyword::ROOT_ONLY;
    target.retain(|name, _| !file_only.contains(&name.as_str()));
    if beside.keys().all(|name| annotates(name)) {
        for (name, value) in beside {
            let value = match (name.as_str(), target.get(&name)) {
                ("x-class", Some(old)) => stricter(old, &value),
                _ => value,
            };
            target.insert(name, value);
        }
        return Value::Object(target);
    }
    let mut all = match beside.remove("allOf") {
        Some(Value::Array(all)) => all,
        _ => Vec::new(),
    };
    all.insert(0, Value::Object(target));
    beside.insert("allOf".to_owned(), Value::Array(all));
    Value::Object(beside)
}
