//! Strict JSON: what it refuses, and that it agrees with serde_json on everything else.

use super::*;
use crate::codec::json::{decode_strict, in_schema_order};
use proptest::prelude::*;
use serde_json::json;

#[test]
fn what_is_refused_and_where() {
    let deep = "[".repeat(65) + &"]".repeat(65);
    let cases: Vec<(&[u8], &str)> = vec![
        (b"", "S307 1:1 "),
        (b"  \n ", "S307 2:2 "),
        (b"{\"a\":1,\"a\":2}", "S308 1:8 /?"),
        (b"{\"x\":{\"a\":1,\"\\u0061\":2}}", "S308 1:13 /?/?"),
        (b"\"a\\u0000b\"", "S309 1:3 "),
        (b"\"a\x00b\"", "S309 1:3 "),
        (b"\"a\nb\"", "S309 1:3 "),
        (b"\"\\ud800\"", "S310 1:2 "),
        (b"\"\\udc00\"", "S310 1:2 "),
        (b"\"\\ud800\\u0041\"", "S310 1:2 "),
        (b"\"\\ud800x\"", "S310 1:2 "),
        (b"\"\\x\"", "S307 1:2 "),
        (b"\"\\u12\"", "S307 1:2 "),
        (b"\"abc", "S307 1:1 "),
        (b"\"\xE5\x8D\"", "S305 1:2 "),
        (b"\xEF\xBB\xBF{}", "S306 1:1 "),
        (b"\xFF\xFE{\x00}\x00", "S306 1:1 "),
        (
            deep.as_bytes(),
            "S302 1:65 /0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0",
        ),
        (b"18446744073709551616", "S311 1:1 "),
        (b"-9223372036854775809", "S311 1:1 "),
        (b"[0.1234567890123456789]", "S311 1:2 /0"),
        (b"1e400", "S311 1:1 "),
        (b"01", "S307 1:1 "),
        (b"+1", "S307 1:1 "),
        (b"1.", "S307 1:3 "),
        (b".5", "S307 1:1 "),
        (b"1e", "S307 1:3 "),
        (b"-", "S307 1:2 "),
        (b"NaN", "S307 1:1 "),
        (b"nul", "S307 1:1 "),
        (b"{}{}", "S312 1:3 "),
        (b"1 x", "S312 1:3 "),
        (b"[1,]", "S307 1:4 /1"),
        (b"[1 2]", "S307 1:4 "),
        (b"{\"a\":1,}", "S307 1:8 "),
        (b"{a:1}", "S307 1:2 "),
        (b"{\"a\" 1}", "S307 1:6 "),
        (b"// x\n1", "S307 1:1 "),
    ];
    for (bytes, expected) in cases {
        let found = refusal(decode_strict(bytes, &Limits::default()));
        assert_eq!(found, expected, "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn the_limits_hold() {
    let limits = Limits { max_bytes: 20, max_depth: 2, max_nodes: 4, max_string: 3 };
    for good in ["[[1]]", "[1,2,3]", "\"abc\"", "\"\\n\\n\\n\""] {
        assert!(decode_strict(good.as_bytes(), &limits).is_ok(), "{good}");
    }
    let cases = [
        ("[[[1]]]", "S302"),
        ("[1,2,3,4]", "S303"),
        ("\"abcd\"", "S304"),
        ("                     1", "S301"),
    ];
    for (bad, code) in cases {
        let error = decode_strict(bad.as_bytes(), &limits).unwrap_err();
        assert_eq!(error.code.code, code, "{bad}");
    }
}

#[test]
fn a_schema_lets_its_own_names_be_told_and_no_others() {
    let codec = codec(
        Format::Json,
        &json!({"type": "object", "additionalProperties": false,
            "properties": {"person": {"type": "object", "additionalProperties": false,
                "properties": {"name": {"type": "string"}}}}}),
    );
    let told = |text: &str| refusal(decode(&codec, text));
    assert_eq!(told("{\"person\": {\"name\": 01}}"), "S307 1:21 /person/name");
    assert_eq!(told("{\"person\": {\"123456789018\": 01}}"), "S307 1:29 /person/?");
    let error = codec.encode(&json!({"person": {"name": "a\0"}})).unwrap_err();
    assert_eq!((error.code.code, error.path.as_str()), ("S403", "/person/name"));
    assert_eq!(
        codec.encode(&json!({"person": {"name": "\\u0000"}})).unwrap(),
        br#"{"person":{"name":"\\u0000"}}"#
    );
}

#[test]
fn members_can_be_put_in_the_order_of_the_schema() {
    let schema = schema(&json!({"type": "object", "additionalProperties": false,
        "properties": {"b": {"type": "array", "items": {"type": "object",
            "additionalProperties": false, "properties": {"y": {}, "x": {}}}}, "a": {}}}));
    let ordered = in_schema_order(json!({"a": 1, "b": [{"x": 1, "y": 2}]}), schema.shape());
    assert_eq!(ordered.to_string(), r#"{"b":[{"y":2,"x":1}],"a":1}"#);
}

#[test]
fn content_types() {
    let codec = codec(Format::Json, &json!({"type": "string"}));
    for good in ["application/json", "Application/JSON; charset=UTF-8", "application/problem+json"]
    {
        assert!(codec.accepts(good), "{good}");
    }
    for bad in ["text/html", "application/json; charset=shift_jis", "", "text/json+json"] {
        assert!(!codec.accepts(bad), "{bad}");
    }
}

/// Any JSON value.
pub fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter_map("finite", serde_json::Number::from_f64)
            .prop_map(Value::Number),
        "[^\u{0}]{0,8}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec(("[^\u{0}]{0,4}", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_read_as_serde_json_reads_it(value in any_json()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let ours = decode_strict(text.as_bytes(), &Limits::default()).unwrap();
            let theirs: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn what_is_accepted_serde_json_accepts_too(
        text in "[ \\[\\]{}:,\"\\\\u0-9aeEflnrst.+\\-]{0,24}"
    ) {
        if let Ok(ours) = decode_strict(text.as_bytes(), &Limits::default()) {
            prop_assert_eq!(ours, serde_json::from_str::<Value>(&text).unwrap());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = decode_strict(&bytes, &Limits::default());
    }
}
