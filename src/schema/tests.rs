//! Schemas as whole files: what is loaded, what is refused, what a violation tells.

use super::*;
use serde_json::json;

fn file(path: &str, value: &Value) -> Arc<SourceFile> {
    SourceFile::new(path, serde_json::to_string_pretty(value).unwrap())
}

fn load(files: &[Arc<SourceFile>]) -> (Schemas, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let schemas = Schemas::load(files, &mut diagnostics);
    (schemas, diagnostics)
}

fn one(value: &Value) -> Arc<Schema> {
    let (schemas, diagnostics) = load(&[file("schemas/t/t/1.schema.json", value)]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    schemas.get("t/t@1").unwrap()
}

/// Code, text under the place, and hint of each diagnostic.
fn told(diagnostics: &[Diagnostic]) -> Vec<(&str, &str, &str)> {
    let place = |d: &Diagnostic| d.location.span.clone();
    diagnostics
        .iter()
        .map(|d| (d.code.code, &d.location.file.text[place(d)], d.hint.as_deref().unwrap_or("")))
        .collect()
}

fn person() -> Value {
    json!({
        "title": "人",
        "type": "object",
        "x-message-types": ["subject.registered"],
        "additionalProperties": false,
        "required": ["atenaNumber"],
        "properties": {
            "atenaNumber": {"type": "string", "x-check": "atena-number"},
            "individualNumber": {"$ref": "#/$defs/number", "title": "個人番号", "x-class": "plain"},
            "municipalityCode": {"type": "string", "x-check": "municipality-code"},
            "sex": {"enum": ["male", "female"]},
            "birthDate": {"type": "string", "format": "date"},
            "name": {"type": "string", "maxLength": 5, "pattern": "^[^0-9]+$"},
            "amount": {"oneOf": [{"type": "string", "pattern": "^[0-9]+$"}, {"$ref": "#/$defs/nil"}]}
        },
        "$defs": {
            "number": {"type": "string", "x-check": "my-number", "x-class": "個人番号", "title": "番号"},
            "nil": {"type": "object", "additionalProperties": false, "required": ["$nil"],
                    "properties": {"$nil": {"enum": ["NotRecorded"]}}}
        }
    })
}

#[test]
fn a_schema_is_found_by_id_and_by_message_type() {
    let (schemas, diagnostics) = load(&[file("x/schemas/t/t/1.schema.json", &person())]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    assert_eq!(schemas.ids().collect::<Vec<_>>(), ["t/t@1"]);
    assert_eq!(schemas.message_types().collect::<Vec<_>>(), ["subject.registered"]);
    let schema = schemas.for_message_type("subject.registered").unwrap();
    assert_eq!((schema.id(), schema.title(), schema.digest().len()), ("t/t@1", "人", 64));
    let number = schema.shape().property("individualNumber").unwrap();
    assert_eq!(number.shape.class, Class::MyNumber); // a weaker class beside $ref does not win
    assert_eq!(number.shape.title.as_deref(), Some("個人番号"));
    assert!(schemas.get("t/t@2").is_none());
}

#[test]
fn violations_tell_place_and_kind_and_never_a_value() {
    let schema = one(&person());
    let good = json!({"atenaNumber": "123456789123456", "individualNumber": "123456789018",
        "municipalityCode": "131237", "sex": "male", "birthDate": "2000-02-29", "name": "試験",
        "amount": {"$nil": "NotRecorded"}});
    assert_eq!(schema.validate(&good), Ok(()));
    let bad = json!({"individualNumber": "210987654321", "municipalityCode": "131238",
        "sex": "secret-value", "birthDate": "2001-02-29", "name": "長い名前の人", "amount": "5a",
        "123456789018": {"x": 1}});
    let violations = schema.validate(&bad).unwrap_err();
    let mut told: Vec<String> = violations
        .iter()
        .map(|v| format!("{} {} {} {}", v.code, v.path, v.keyword, v.found))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            "S202 /atenaNumber required nothing",
            "S203 /? additionalProperties 1 undeclared",
            "S204 /sex enum string of 12 characters",
            "S205 /name maxLength string of 6 characters",
            "S206 /amount pattern string of 2 characters",
            "S207 /birthDate format string of 10 characters",
            "S211 /individualNumber x-check string of 12 characters",
            "S211 /municipalityCode x-check string of 6 characters",
        ]
    );
    let all: String = violations.iter().map(ToString::to_string).collect();
    for secret in ["210987654321", "123456789018", "secret-value", "長い名前", "5a"] {
        assert!(!all.contains(secret), "{all}");
    }
}

#[test]
fn no_number_is_not_a_my_number_and_full_width_digits_are_no_digits() {
    let schema = one(&person());
    let with = |number: &str| {
        schema.validate(&json!({"atenaNumber": "123456789123456", "individualNumber": number}))
    };
    assert!(with("000000000000").is_err());
    assert!(with("１２３４５６７８９０１８").is_err());
    assert!(with("123456789018\n").is_err());
    assert!(with("000000000140").is_ok());
}

#[test]
fn references_cross_files_by_id_and_by_path() {
    let address = json!({"type": "object", "additionalProperties": false,
        "properties": {"city": {"type": "string"}}, "$defs": {"code": {"type": "string"}}});
    let person = json!({"type": "object", "additionalProperties": false, "properties": {
        "home": {"$ref": "../address/1.schema.json"},
        "work": {"$ref": "watashi:/t/address@1", "required": ["city"]},
        "code": {"$ref": "watashi:/t/address@1#/$defs/code"}}});
    let (schemas, diagnostics) = load(&[
        file("schemas/t/person/1.schema.json", &person),
        file("schemas/t/address/1.schema.json", &address),
    ]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let schema = schemas.get("t/person@1").unwrap();
    assert!(schema.validate(&json!({"home": {}, "work": {"city": "x"}, "code": "1"})).is_ok());
    let violations =
        schema.validate(&json!({"home": {"x": 1}, "work": {}, "code": 1})).unwrap_err();
    let paths: Vec<&str> = violations.iter().map(|v| v.path.as_str()).collect();
    assert_eq!(paths, ["/home/?", "/work/city", "/code"]);
    assert!(!schema.shape().property("work").unwrap().shape.open);
    let other = schemas.get("t/address@1").unwrap();
    assert_ne!(other.digest(), schema.digest());
}

#[test]
fn every_problem_is_told_with_its_place_and_the_nearest_name() {
    let schema = json!({
        "tpye": "object",
        "additionalProperties": false,
        "required": ["nmae"],
        "properties": {
            "name": {"type": "string", "x-clas": "plain", "x-class": "個人情法"},
            "kind": {"type": "string", "pattern": "(?=a)", "format": "dat"},
            "open": {"type": "object", "properties": {}},
            "meant": {"type": "object", "x-open": true},
            "ref": {"$ref": "#/$defs/nothng"},
            "far": {"$ref": "https://example.com/x.json"},
            "check": {"type": "string", "x-check": "mynumber", "x-csv": {}},
            "field": {"type": "string", "x-fixed": {"widht": 3, "align": "middle"}}
        },
        "$defs": {"nothing": {"type": "null"}}
    });
    let (schemas, diagnostics) = load(&[file("schemas/t/t/1.schema.json", &schema)]);
    assert!(schemas.get("t/t@1").is_none());
    let mut told = told(&diagnostics);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("S103", "\"tpye\"", "nearest name: `type`"),
            ("S103", "\"x-clas\"", "nearest name: `x-class`"),
            ("S104", "\"middle\"", ""),
            ("S104", "\"mynumber\"", "nearest name: `my-number`"),
            ("S104", "\"x-csv\"", ""),
            ("S104", "\"個人情法\"", "nearest name: `個人情報`"),
            ("S104", "3", "nearest name: `width`"),
            ("S105", "\"#/$defs/nothng\"", "nearest name: `#/$defs/nothing`"),
            ("S105", "\"https://example.com/x.json\"", ""),
            (
                "S107",
                "{\n      \"type\": \"object\",\n      \"properties\": {}\n    }",
                "add \"additionalProperties\": false, or \"x-open\": true if that is meant"
            ),
            ("S108", "\"nmae\"", "nearest name: `name`"),
            ("S109", "\"(?=a)\"", "no look-around, no back-references, balanced brackets"),
            ("S110", "\"dat\"", "nearest name: `date`"),
        ]
    );
}

#[test]
fn what_no_schema_may_be() {
    let same = json!({"type": "string", "x-message-types": ["a"]});
    let circle = |other: &str| json!({"type": "array", "items": {"$ref": other}});
    let cases: Vec<(&str, Vec<Arc<SourceFile>>)> = vec![
        ("S101", vec![file("schemas/t/1.schema.json", &same)]),
        ("S102", vec![SourceFile::new("schemas/t/t/1.schema.json", "{\"type\": 1, \"type\": 2}")]),
        ("S104", vec![file("schemas/t/t/1.schema.json", &json!({"$schema": "x"}))]),
        ("S105", vec![file("schemas/t/t/1.schema.json", &json!({"$ref": "watashi:/t/u@1"}))]),
        ("S106", vec![file("schemas/t/t/1.schema.json", &circle("#"))]),
        (
            "S106",
            vec![
                file("schemas/t/t/1.schema.json", &circle("../u/1.schema.json")),
                file("schemas/t/u/1.schema.json", &circle("../t/1.schema.json")),
            ],
        ),
        ("S109", vec![file("schemas/t/t/1.schema.json", &json!({"type": "strng"}))]),
        ("S109", vec![file("schemas/t/t/1.schema.json", &json!({"minLength": -1}))]),
        (
            "S112",
            vec![
                file("a/schemas/t/t/1.schema.json", &same),
                file("b/schemas/t/t/1.schema.json", &same),
            ],
        ),
        (
            "S113",
            vec![
                file("schemas/t/t/1.schema.json", &same),
                file("schemas/t/t/2.schema.json", &same),
            ],
        ),
    ];
    for (code, files) in cases {
        let (_, diagnostics) = load(&files);
        assert!(diagnostics.iter().any(|d| d.code.code == code), "{code}: {diagnostics:?}");
        assert!(diagnostics.iter().all(|d| d.code.code == code), "{code}: {diagnostics:?}");
    }
}

#[test]
fn a_schema_that_grows_without_measure_is_refused() {
    let mut defs = serde_json::Map::new();
    defs.insert("d0".to_owned(), json!({"type": "string"}));
    for level in 1..25 {
        let below = json!({"$ref": format!("#/$defs/d{}", level - 1)});
        defs.insert(
            format!("d{level}"),
            json!({"type": "object", "additionalProperties": false,
                   "properties": {"a": below, "b": below}}),
        );
    }
    let schema = json!({"$ref": "#/$defs/d24", "$defs": defs});
    let (_, diagnostics) = load(&[file("schemas/t/t/1.schema.json", &schema)]);
    assert_eq!(told(&diagnostics).first().map(|(code, ..)| *code), Some("S111"));
}

#[test]
fn branches_of_a_closed_object_need_not_close_again() {
    let schema = one(&json!({
        "type": "object", "additionalProperties": false, "required": ["kind"],
        "properties": {"kind": {"enum": ["a", "b"]}, "a": {"type": "string"},
            "in": {"type": "object", "additionalProperties": false, "properties": {"x": {}}}},
        "if": {"properties": {"kind": {"const": "a"}, "in": {"properties": {"x": {"const": 1}}}}},
        "then": {"required": ["a"]},
        "oneOf": [{"required": ["a"]}, {"properties": {"kind": {"const": "b"}}}]
    }));
    assert!(schema.validate(&json!({"kind": "b"})).is_ok());
    let violations = schema.validate(&json!({"kind": "a"})).unwrap_err();
    assert!(violations.iter().any(|v| v.path == "/a"), "{violations:?}");
}

#[test]
fn examples_keep_their_promise() {
    let schema = json!({"type": "string", "maxLength": 2});
    let files = [
        file("schemas/t/t/1.schema.json", &schema),
        file("schemas/t/t/examples/valid-short.json", &json!("ab")),
        file("schemas/t/t/examples/invalid-long.json", &json!("abc")),
        SourceFile::new("schemas/t/t/examples/invalid-cut.json", "\"abc"),
        file("schemas/t/t/examples/valid-long.json", &json!("abc")),
        file("schemas/t/t/examples/invalid-short.json", &json!("ab")),
        file("schemas/t/u/examples/valid-x.json", &json!("ab")),
    ];
    let (schemas, mut diagnostics) = load(&files);
    examples::check(&schemas, &files, &mut diagnostics);
    let paths: Vec<&str> = diagnostics.iter().map(|d| d.location.file.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "schemas/t/t/examples/valid-long.json",
            "schemas/t/t/examples/invalid-short.json",
            "schemas/t/u/examples/valid-x.json"
        ]
    );
}
