//! The items of a schema in their order, each once.

use super::{Need, Row, Ruled};
use crate::schema::{Class, Property, Shape};
use serde_json::Value;
use std::collections::BTreeMap;

/// Every item of a target with its rule.
pub(super) fn rows(shape: &Shape, rules: Vec<(String, Ruled)>) -> Vec<Row> {
    let mut rules: BTreeMap<String, Ruled> = rules.into_iter().collect();
    let mut rows = Vec::new();
    below(&[shape], "", &mut rules, &mut rows);
    rows
}

/// The forms a place may have: each alternative with what holds for all of them.
fn forms<'s>(shape: &'s Shape, into: &mut Vec<&'s Shape>) {
    for alternative in &shape.alternatives {
        forms(alternative, into);
    }
    if shape.alternatives.is_empty() {
        into.push(shape);
    }
}

/// The properties of alternatives and of what surrounds them.
fn properties<'s>(shape: &'s Shape, into: &mut Vec<&'s Property>) {
    into.extend(&shape.properties);
    shape.alternatives.iter().for_each(|alternative| properties(alternative, into));
}

fn below(shapes: &[&Shape], path: &str, rules: &mut BTreeMap<String, Ruled>, rows: &mut Vec<Row>) {
    let elements: Vec<&Shape> = shapes.iter().filter_map(|shape| shape.element()).collect();
    if !elements.is_empty() {
        let path = format!("{path}[]");
        if path == "[]" || leaf(&elements) {
            rows.extend(row(&elements, &path, Need::Always, rules));
        }
        below(&elements, &path, rules, rows);
    }
    let mut all = Vec::new();
    shapes.iter().for_each(|shape| properties(shape, &mut all));
    let mut names: Vec<&str> = Vec::new();
    for property in &all {
        // `$nil` is how an empty element is written, no item.
        if !property.name.starts_with('$') && !names.contains(&property.name.as_str()) {
            names.push(&property.name);
        }
    }
    for name in names {
        let inner: Vec<&Shape> =
            all.iter().filter(|one| one.name == name).map(|one| &one.shape).collect();
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        rows.extend(row(&inner, &path, need(shapes, name), rules));
        below(&inner, &path, rules, rows);
    }
}

fn leaf(shapes: &[&Shape]) -> bool {
    let mut all = Vec::new();
    shapes.iter().for_each(|shape| properties(shape, &mut all));
    all.is_empty()
}

fn need(shapes: &[&Shape], name: &str) -> Need {
    let requires = |shape: &Shape| {
        shape.properties.iter().any(|property| property.name == name && property.required)
    };
    if shapes.iter().any(|shape| requires(shape)) {
        return Need::Always;
    }
    let mut variants = Vec::new();
    shapes.iter().for_each(|shape| forms(shape, &mut variants));
    let objects: Vec<&&Shape> =
        variants.iter().filter(|shape| !shape.properties.is_empty()).collect();
    let count = objects.iter().filter(|shape| requires(shape)).count();
    match count {
        0 => Need::Never,
        _ if count == objects.len() => Need::Always,
        _ => Need::Sometimes,
    }
}

fn row(
    shapes: &[&Shape],
    path: &str,
    need: Need,
    rules: &mut BTreeMap<String, Ruled>,
) -> Option<Row> {
    let mut all = Vec::new();
    shapes.iter().for_each(|shape| spread(shape, &mut all));
    let mut types: Vec<&str> = Vec::new();
    let mut values: Vec<String> = Vec::new();
    for shape in &all {
        let nil = shape.property("$nil").is_some();
        // A date is a text, but it is read as a date.
        let form = shape.bounds.forms.iter().find(|form| form.starts_with("date"));
        let kinds = shape.types.iter().map(String::as_str).map(|name| match (name, form) {
            _ if nil => "nil",
            ("string", Some(form)) => form.as_str(),
            _ => name,
        });
        types.extend(kinds.filter(|name| !types.contains(name)).collect::<Vec<_>>());
        for value in shape.allowed.iter().flatten().filter(|_| !nil) {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if !values.contains(&shown) && *value != Value::Null {
                values.push(shown);
            }
        }
    }
    if types.is_empty() && !values.is_empty() {
        types.push("string");
    }
    Some(Row {
        path: path.to_owned(),
        title: all.iter().find_map(|shape| shape.title.clone()),
        types: types.join(", "),
        length: all.iter().find_map(|shape| length(shape)),
        values,
        need,
        class: all.iter().map(|shape| shape.class).max().unwrap_or(Class::Plain),
        item: all.iter().find_map(|shape| shape.item.clone()),
        rule: rules.remove(path),
    })
}

/// A shape and its alternatives.
fn spread<'s>(shape: &'s Shape, into: &mut Vec<&'s Shape>) {
    into.push(shape);
    shape.alternatives.iter().for_each(|alternative| spread(alternative, into));
}

/// Length of a text: the width of a column, the longest, or what its pattern counts.
fn length(shape: &Shape) -> Option<String> {
    let width = shape.layout.get("x-fixed").and_then(|layout| layout.get("width"));
    if let Some(width) = width.and_then(Value::as_u64) {
        return Some(width.to_string());
    }
    if let Some(counted) = shape.bounds.patterns.iter().find_map(|pattern| counted(pattern)) {
        return Some(counted);
    }
    shape.max_length.map(|longest| format!("≤ {longest}"))
}

/// `^[0-9]{12}$` counts 12, `^[A-Z]{1,40}$` counts 1–40; anything else does not.
fn counted(pattern: &str) -> Option<String> {
    let inner = pattern.strip_prefix('^')?.strip_suffix("}$")?;
    let (class, count) = inner.rsplit_once('{')?;
    let one_class =
        class.starts_with('[') && class.ends_with(']') && class.matches('[').count() == 1;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match count.split_once(',') {
        _ if !one_class => None,
        None if digits(count) => Some(count.to_owned()),
        Some((least, most)) if digits(least) && digits(most) => Some(format!("{least}–{most}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn patterns_of_one_class_count_characters() {
        assert_eq!(counted("^[0-9]{12}$").as_deref(), Some("12"));
        assert_eq!(counted("^[A-Za-z0-9-]{1,40}$").as_deref(), Some("1–40"));
        assert_eq!(counted("^[0-9]{4}-[0-9]{2}$"), None);
        assert_eq!(counted("^a+$"), None);
    }
}
