//! decode(encode(document)) = document, and arbitrary bytes never panic, format by format.

use super::*;
use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use serde_json::{Map, json};

/// Text that every layout here can carry: kana, kanji inside CP932, full width, quotes, commas.
fn plain() -> BoxedStrategy<Value> {
    "[a-z0-9あ-んァ-ン髙﨑①＜＞&<>\"', ]{0,6}[a-zあ]".prop_map(Value::String).boxed()
}

/// Text with everything XML can carry besides.
fn wild() -> BoxedStrategy<Value> {
    "[ \t\n\r\\]>&<\"'a𠮷\u{E000}\u{85}\u{2028}　]{0,8}".prop_map(Value::String).boxed()
}

fn integer() -> BoxedStrategy<Value> {
    any::<i64>().prop_map(Value::from).boxed()
}

fn number() -> BoxedStrategy<Value> {
    let float = any::<f64>().prop_filter_map("finite", serde_json::Number::from_f64);
    prop_oneof![float.prop_map(Value::Number), any::<u64>().prop_map(Value::from)].boxed()
}

fn flag() -> BoxedStrategy<Value> {
    any::<bool>().prop_map(Value::Bool).boxed()
}

/// An object of members that are there or not; `always` of them always.
fn object(members: Vec<(&'static str, bool, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let parts: Vec<BoxedStrategy<Option<(String, Value)>>> = members
        .into_iter()
        .map(|(name, always, value)| {
            let named = value.prop_map(move |value| (name.to_owned(), value));
            if always { named.prop_map(Some).boxed() } else { prop::option::of(named).boxed() }
        })
        .collect();
    parts
        .prop_map(|members| Value::Object(members.into_iter().flatten().collect::<Map<_, _>>()))
        .boxed()
}

fn list(of: BoxedStrategy<Value>, least: usize) -> BoxedStrategy<Value> {
    prop::collection::vec(of, least..4).prop_map(Value::Array).boxed()
}

fn xml_layout() -> Value {
    let scalar = |name: &str| json!({"type": name});
    json!({
        "x-xml": {"root": "r", "namespace": "urn:x", "prefix": "p"},
        "type": "object", "additionalProperties": false, "required": ["all"],
        "properties": {
            "id": {"type": "string", "xml": {"attribute": true}},
            "text": scalar("string"),
            "cdata": {"type": "string", "xml": {"cdata": true}},
            "integer": scalar("integer"), "number": scalar("number"), "flag": scalar("boolean"),
            "nil": {"anyOf": [scalar("string"), {"type": "object", "additionalProperties": false,
                "required": ["$nil"], "properties": {"$nil": scalar("string")}}]},
            "all": {"type": "array", "items": scalar("string")},
            "some": {"type": "array", "minItems": 1, "items": scalar("integer")},
            "wrapped": {"type": "array", "xml": {"wrapped": true}, "items": {"type": "object",
                "additionalProperties": false, "required": ["t"], "properties": {
                    "a": {"type": "integer", "xml": {"attribute": true}},
                    "t": {"type": "string", "xml": {"text": true}}}}}
        }
    })
}

fn xml_document() -> BoxedStrategy<Value> {
    let nil = wild().prop_map(|reason| json!({"$nil": reason})).boxed();
    let entry = object(vec![("a", false, integer()), ("t", true, wild())]);
    object(vec![
        ("id", false, wild()),
        ("text", false, wild()),
        ("cdata", false, wild()),
        ("integer", false, integer()),
        ("number", false, number()),
        ("flag", false, flag()),
        ("nil", false, prop_oneof![wild(), nil].boxed()),
        ("all", true, list(wild(), 0)),
        ("some", false, list(integer(), 1)),
        ("wrapped", false, list(entry, 0)),
    ])
}

fn table_items() -> Value {
    let field = |name: &str, layout: Value| json!({"type": name, "x-fixed": layout});
    json!({"type": "object", "additionalProperties": false, "properties": {
        "text": field("string", json!({"width": 30})),
        "right": field("string", json!({"width": 30, "align": "right"})),
        "integer": field("integer", json!({"width": 20})),
        "padded": field("integer", json!({"width": 20, "pad": "0", "align": "right"})),
        "number": field("number", json!({"width": 30})),
        "flag": field("boolean", json!({"width": 6}))}})
}

fn table_document() -> BoxedStrategy<Value> {
    let unsigned = any::<u64>().prop_map(Value::from).boxed();
    let right = plain().prop_map(|v| Value::String(v.as_str().unwrap().trim().to_owned())).boxed();
    let row = object(vec![
        ("text", false, plain()),
        ("right", false, right),
        ("integer", false, integer()),
        ("padded", false, unsigned),
        ("number", false, number()),
        ("flag", false, flag()),
    ]);
    list(row, 0)
}

fn charset() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("utf-8"), Just("cp932"), Just("utf-16le"), Just("utf-16be")]
}

fn newline() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("crlf"), Just("lf")]
}

fn csv_codec(charset: &str, newline: &str, quote: &str, header: bool) -> Codec {
    let bom = header && charset != "cp932";
    let layout = json!({"charset": charset, "newline": newline, "quote": quote, "header": header,
        "bom": bom});
    codec(Format::Csv, &json!({"x-csv": layout, "type": "array", "items": table_items()}))
}

fn fixed_codec(charset: &str, newline: &str, unit: &str) -> Codec {
    let layout = json!({"charset": charset, "newline": newline, "unit": unit, "separator": "|"});
    codec(Format::Fixed, &json!({"x-fixed": layout, "type": "array", "items": table_items()}))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn json_comes_back(value in super::json::any_json()) {
        let codec = codec(Format::Json, &json!({"x-open": true, "type": "object"}));
        let bytes = codec.encode(&value).unwrap();
        prop_assert_eq!(decode(&codec, bytes).unwrap(), value);
    }

    #[test]
    fn xml_comes_back(document in xml_document()) {
        let schema = schema(&xml_layout());
        prop_assert_eq!(schema.validate(&document), Ok(()));
        let codec = codec(Format::Xml, &xml_layout());
        let bytes = codec.encode(&document).unwrap();
        prop_assert_eq!(decode(&codec, bytes).unwrap(), document);
    }

    #[test]
    fn csv_comes_back(
        document in table_document(), charset in charset(), newline in newline(),
        always in any::<bool>(), header in any::<bool>(),
    ) {
        let codec = csv_codec(charset, newline, if always { "always" } else { "needed" }, header);
        let bytes = codec.encode(&document).unwrap();
        prop_assert_eq!(decode(&codec, bytes).unwrap(), document);
    }

    #[test]
    fn fixed_width_comes_back(
        document in table_document(), charset in charset(), newline in newline(),
        bytes in any::<bool>(),
    ) {
        let codec = fixed_codec(charset, newline, if bytes { "bytes" } else { "chars" });
        // What does not fit is refused, never cut: 30 bytes may be too few for a number or a text.
        if let Ok(bytes) = codec.encode(&document) {
            prop_assert_eq!(decode(&codec, bytes).unwrap(), document);
        }
    }

    #[test]
    fn a_file_cut_anywhere_is_never_taken_for_a_whole(
        document in xml_document(), cut in any::<prop::sample::Index>(),
    ) {
        let codec = codec(Format::Xml, &xml_layout());
        let bytes = codec.encode(&document).unwrap();
        let short = &bytes[..cut.index(bytes.len())];
        prop_assert!(decode(&codec, short).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..96)) {
        for codec in [
            codec(Format::Xml, &xml_layout()),
            csv_codec("cp932", "lf", "needed", false),
            csv_codec("utf-16le", "crlf", "never", false),
            fixed_codec("cp932", "lf", "bytes"),
            fixed_codec("utf-8", "crlf", "chars"),
        ] {
            let _ = decode(&codec, &bytes);
        }
    }

    #[test]
    fn arbitrary_markup_never_panics_and_what_is_read_can_be_written(
        inner in "(<[/?!]?(p:)?(text|all|nil|wrapped|r)( (id|xsi:nil)='[a-z]?')?/?>|[a ]|&lt;|&#9;|\\]\\]>){0,12}"
    ) {
        let codec = codec(Format::Xml, &xml_layout());
        let text = format!("<p:r xmlns:p='urn:x'>{inner}</p:r>");
        if let Ok(document) = decode(&codec, text) {
            let bytes = codec.encode(&document).unwrap();
            prop_assert_eq!(decode(&codec, bytes).unwrap(), document);
        }
    }

    #[test]
    fn arbitrary_rows_never_panic(text in "([a0\", 髙|-]|\r\n|\n){0,24}") {
        for codec in [
            csv_codec("utf-8", "crlf", "needed", false),
            csv_codec("utf-8", "lf", "always", true),
            fixed_codec("utf-8", "lf", "chars"),
        ] {
            let _ = decode(&codec, &text);
        }
    }
}
