//! What a mapping can disclose, with the items inside of what is copied whole.

use crate::diagnostic::SourceFile;
use crate::diagnostic::render;
use crate::mapping::{Mapping, Tables};
use crate::schema::Schemas;
use serde_json::{Value, json};
use std::sync::Arc;

/// The same document on both sides; only the target has item codes.
fn schema(items: bool) -> String {
    let item = |code: &str| if items { json!(code) } else { Value::Null };
    let text = |code: &str, class: &str| json!({"type": "string", "title": code, "x-item": item(code), "x-class": class});
    let object = |properties: Value| json!({"type": "object", "additionalProperties": false, "properties": properties});
    let dose = object(json!({
        "lot": text("TK01", "要配慮"),
        "plain": {"type": "string"},
        "deep": object(json!({"last": text("TK02", "特定個人情報")})),
    }));
    let mut list = json!({"type": "array", "maxItems": 9, "x-item": item("TK03")});
    list["items"] = dose.clone();
    let mut schema = object(json!({
        "dose": dose, "list": list, "other": text("TK04", "個人情報"),
    }));
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("a document");
    without_null(&mut schema);
    schema.to_string()
}

fn without_null(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_null);
        }
        Value::Array(all) => all.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// `item path < sources` of each place, after a check that the codes are those of the record.
fn disclosed(rules: &str) -> Vec<String> {
    let files = [("schemas/a/from/1.schema.json", false), ("schemas/a/to/1.schema.json", true)]
        .map(|(path, items)| SourceFile::new(path, schema(items)));
    let mut problems = Vec::new();
    let schemas = Schemas::load(&files, &mut problems);
    let text = format!("mapping: sample\nfrom: a/from@1\nto: a/to@1\nrules:\n{rules}");
    let file: Arc<SourceFile> = SourceFile::new("mappings/sample/mapping.yaml", text);
    let mapping = Mapping::compile(&file, &schemas, &Tables::default(), &mut problems);
    let mapping = mapping.unwrap_or_else(|| panic!("{}", render::text(&problems)));
    let places = mapping.disclosed();
    let mut codes: Vec<String> = places.iter().filter_map(|place| place.item.clone()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes, mapping.items());
    let shown = places.iter().map(|place| {
        let sources: Vec<String> = place
            .sources
            .iter()
            .map(|source| format!("{} {}", source.path, source.class.name()))
            .collect();
        let item = place.item.as_deref().unwrap_or("-");
        format!("{item} {} < {}", place.path, sources.join(", "))
    });
    shown.collect()
}

#[test]
fn what_is_copied_whole_discloses_everything_inside() {
    assert_eq!(
        disclosed("  dose: dose\n  list: list\n"),
        [
            "TK01 dose.lot < dose.lot 要配慮",
            "TK02 dose.deep.last < dose.deep.last 特定個人情報",
            "TK03 list < list 特定個人情報",
            "TK01 list[].lot < list[].lot 要配慮",
            "TK02 list[].deep.last < list[].deep.last 特定個人情報",
        ]
    );
}

#[test]
fn elements_are_followed_into_their_list_and_what_no_rule_sets_is_not_told() {
    assert_eq!(
        disclosed(
            "  list:\n    each: list\n    rules:\n      lot: lot | trim\n      plain: plain\n"
        ),
        [
            "TK03 list < list 特定個人情報, list[].lot 要配慮, list[].plain plain",
            "TK01 list[].lot < list[].lot 要配慮",
        ]
    );
    assert_eq!(disclosed("  other: '\"fixed\"'\n"), ["TK04 other < "]);
}
