//! Whatever is generated is valid, the edges are met, and what fails becomes small.

use super::*;
use serde_json::json;
use std::collections::BTreeSet;

fn made(schema: &Value, count: u64) -> Vec<Value> {
    let generator = Generator::of(schema).unwrap();
    let documents = (0..count).map(|index| generator.document(&mut Chance::nth(42, index)));
    documents.map(|document| document.unwrap_or_else(|error| panic!("{error}: {schema}"))).collect()
}

fn unfilled(schema: &Value) -> String {
    Generator::of(schema).unwrap().document(&mut Chance::new(1)).unwrap_err().to_string()
}

#[test]
fn every_kind_of_schema_is_met() {
    for schema in [
        json!({"type": "string", "minLength": 3, "maxLength": 3}),
        json!({"type": "string", "pattern": "^[0-9]{12}$", "x-check": "my-number"}),
        json!({"type": "string", "x-check": "corporate-number"}),
        json!({"type": "string", "x-check": "municipality-code", "pattern": "^13"}),
        json!({"type": "string", "x-check": "atena-number"}),
        json!({"type": "string", "pattern": "^[^\\s]+$", "minLength": 10, "maxLength": 12}),
        json!({"type": "string", "format": "date", "pattern": "^2026-"}),
        json!({"type": ["integer", "null"], "minimum": -3, "exclusiveMaximum": 4}),
        json!({"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 0.05}),
        json!({"type": "integer", "multipleOf": 7, "minimum": 50, "maximum": 60}),
        json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001}),
        json!({"const": {"a": [1, 2]}}),
        json!({"enum": ["a", 1, null, true]}),
        json!({"type": "array", "items": {"enum": [1, 2, 3]}, "uniqueItems": true, "minItems": 3}),
        json!({"type": "array", "contains": {"const": "x"}, "minContains": 2,
               "items": {"type": "string", "maxLength": 3}}),
        json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}],
               "items": false, "minItems": 2}),
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
               "maxProperties": 1, "minProperties": 1, "additionalProperties": false}),
        json!({"type": "object", "patternProperties": {"^x-[a-z]{2}$": {"type": "integer"}},
               "additionalProperties": false, "minProperties": 2}),
        json!({"type": "object", "propertyNames": {"pattern": "^[a-z]{3}$"}, "minProperties": 1,
               "additionalProperties": {"type": "boolean"}}),
        json!({"oneOf": [{"type": "string", "minLength": 2}, {"type": "string", "maxLength": 3}]}),
        json!({"anyOf": [{"type": "string"}, {"type": "object", "required": ["$nil"],
               "properties": {"$nil": {"enum": ["A"]}}, "additionalProperties": false}]}),
        json!({"allOf": [{"type": "object", "properties": {"a": {"type": "string", "minLength": 4}}},
               {"required": ["a"], "properties": {"a": {"maxLength": 4}}}]}),
        json!({"type": "string", "maxLength": 2, "not": {"const": ""}}),
        json!({"type": "object", "required": ["event"], "additionalProperties": false,
               "properties": {"event": {"enum": ["on", "off"]}, "why": {"type": "string"}},
               "if": {"properties": {"event": {"const": "off"}}}, "then": {"required": ["why"]},
               "else": {"not": {"required": ["why"]}}}),
        json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
               "dependentRequired": {"a": ["b"]}, "additionalProperties": false}),
        json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
               "dependentSchemas": {"a": {"required": ["b"], "properties": {"b": {"const": 1}}}}}),
        json!({"type": "object", "required": ["free"], "properties": {"free": {}}}),
        json!(true),
    ] {
        // `document` asks the validator itself: this counts that it always finds one.
        assert_eq!(made(&schema, 300).len(), 300);
    }
    for format in crate::schema::keyword::FORMATS {
        made(&json!({"type": "string", "format": format}), 200);
    }
}

#[test]
fn the_edges_are_met() {
    let schema = json!({"type": "object", "required": ["name", "sex"], "additionalProperties": false,
        "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 40},
                       "sex": {"enum": ["0", "1", "2", "9"]}, "n": {"type": "integer",
                       "minimum": 1, "maximum": 99}, "code": {"type": "string", "pattern": "^[0-9]{5}$"}}});
    let documents = made(&schema, 400);
    let seen = |pointer: &str| -> BTreeSet<String> {
        let found = documents.iter().filter_map(|document| document.pointer(pointer));
        found.map(|value| value.as_str().map_or(value.to_string(), str::to_owned)).collect()
    };
    assert_eq!(seen("/sex").len(), 4);
    let (names, numbers) = (seen("/name"), seen("/n"));
    let lengths: BTreeSet<usize> = names.iter().map(|name| name.chars().count()).collect();
    assert_eq!((lengths.first(), lengths.last()), (Some(&1), Some(&40)));
    assert!(numbers.contains("1") && numbers.contains("99"), "{numbers:?}");
    assert!(seen("/code").iter().any(|code| code.starts_with('0')));
    for hard in ["髙", "﨑", "𠮷", "\u{E0100}", "々", "か\u{3099}", "ｶﾞ", "Ａ"] {
        assert!(names.iter().any(|name| name.contains(hard)), "no {hard}");
    }
    let members: BTreeSet<usize> =
        documents.iter().map(|document| document.as_object().unwrap().len()).collect();
    assert_eq!(members, BTreeSet::from([2, 3, 4]));
}

#[test]
fn the_same_seed_gives_the_same_documents() {
    let schema = json!({"type": "array", "items": {"type": "string", "maxLength": 9}});
    assert_eq!(made(&schema, 50), made(&schema, 50));
}

#[test]
fn what_cannot_be_is_told_with_its_place() {
    let schema = json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": "string", "minLength": 3, "pattern": "^.$"}}});
    let told = "S120 /a: no valid document was found: no text has this length, pattern, format \
                and check digit at once";
    assert_eq!(unfilled(&schema), told);
    assert!(unfilled(&json!(false)).contains("(root): "));
    let schema = json!({"type": "object", "required": ["b"], "additionalProperties": false});
    assert!(unfilled(&schema).contains("/b: "));
    let schema = json!({"allOf": [{"type": "string"}, {"type": "integer"}]});
    assert!(unfilled(&schema).ends_with("no JSON type is allowed"));
}

#[test]
fn what_fails_becomes_small_and_stays_valid() {
    let schema = json!({"type": "object", "required": ["list"], "additionalProperties": false,
        "properties": {"list": {"type": "array", "minItems": 1, "items": {"type": "object",
            "properties": {"name": {"type": "string", "minLength": 1}, "n": {"type": "integer"}}}},
            "note": {"type": "string"}}});
    let validator = validator::compile(&schema).unwrap();
    let document = json!({"note": "長い注記", "list": [
        {"name": "山田", "n": 5}, {"name": "あ𠮷い", "n": -77}, {"name": "z"}]});
    let fails = |value: &Value| value.to_string().contains('𠮷');
    let small = shrink(&document, 10_000, |value| validator.is_valid(value.into()), fails);
    assert_eq!(small, json!({"list": [{"name": "𠮷"}]}));
}
