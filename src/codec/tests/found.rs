//! What the fuzz targets found, once each.

use super::*;
use serde_json::json;

fn table(format: Format, keyword: &str, layout: Value, properties: Value) -> Codec {
    let mut schema = json!({"type": "array", "items": {"type": "object",
        "additionalProperties": false, "properties": properties}});
    schema[keyword] = layout;
    codec(format, &schema)
}

/// The error of the whole file is the first error of its records.
fn told_alike(codec: &Codec, bytes: &[u8]) -> String {
    let limits = Limits::default();
    let records: Result<Vec<Value>, _> = codec.records(bytes, &limits).unwrap().collect();
    let whole = decode(codec, bytes);
    assert_eq!(records.map(Value::Array), whole);
    refusal(whole)
}

#[test]
fn a_header_of_the_wrong_width_is_a_wrong_header() {
    let text = json!({"type": "string"});
    let layout = json!({"newline": "lf", "header": true});
    let codec = table(Format::Csv, "x-csv", layout, json!({"a": text, "b": text}));
    assert_eq!(told_alike(&codec, b"a\nb,c\n"), "S346 1:0 ");
}

#[test]
fn an_error_before_broken_utf_16_is_told_as_what_it_is() {
    let layout = json!({"charset": "utf-16be", "newline": "lf"});
    let codec = table(Format::Csv, "x-csv", layout, json!({"a": {"type": "string"}}));
    let mut bytes: Vec<u8> = "a\n\"b\"c\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    bytes.extend([0xDC, 0x00]);
    assert_eq!(told_alike(&codec, &bytes), "S343 2:1 /1/a");
    bytes.drain(4..14);
    assert_eq!(told_alike(&codec, &bytes), "S341 2:1 /1/a");
}

#[test]
fn a_negative_number_is_not_padded_with_zeros() {
    let field = json!({"type": "integer", "x-fixed": {"width": 3, "pad": "0"}});
    let codec = table(Format::Fixed, "x-fixed", json!({"newline": "lf"}), json!({"n": field}));
    assert_eq!(told_alike(&codec, b"-12\n"), "S331 1:1 /0/n");
    assert_eq!(unwritten(codec.encode(&json!([{"n": -12}]))), "S404 /0/n");
}

#[test]
fn a_soap_fault_has_a_reason() {
    let text = json!({"type": "string"});
    let fault = json!({"type": "object", "additionalProperties": false,
        "required": ["code", "reason"], "properties": {"code": text, "reason": text}});
    let codec = codec(
        Format::Soap,
        &json!({"x-soap": {"version": "1.1"}, "type": "object", "additionalProperties": false,
            "properties": {"fault": fault}}),
    );
    let bare = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><e:Fault>\
                <faultcode>e:Client</faultcode></e:Fault></e:Body></e:Envelope>";
    assert_eq!(decode(&codec, bare).unwrap_err().code.code, "S329");
}
