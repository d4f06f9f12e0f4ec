//! Arbitrary bytes to the XML decoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use watashi::codec::{Codec, Format};
use watashi::property;

const CLOSED: &str = r#"{"x-xml": {"root": "r", "namespace": "urn:x"}, "type": "object", "additionalProperties": false,
    "required": ["list"], "properties": {
        "id": {"type": "string", "xml": {"attribute": true}},
        "lang": {"type": "string", "xml": {"attribute": true, "prefix": "l", "namespace": "urn:l"}},
        "text": {"type": "string"}, "count": {"type": "integer"}, "number": {"type": "number"},
        "cdata": {"type": "string", "xml": {"cdata": true}},
        "nil": {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": false,
            "required": ["$nil"], "properties": {"$nil": {"type": "string"}}}]},
        "other": {"type": "object", "additionalProperties": false, "required": ["t"],
            "xml": {"prefix": "o", "namespace": "urn:o"},
            "properties": {"t": {"type": "string", "xml": {"text": true}}}},
        "list": {"type": "array", "items": {"type": "string"}},
        "wrapped": {"type": "array", "xml": {"wrapped": true}, "items": {"type": "boolean"}}}}"#;

const OPEN: &str = r#"{"x-xml": {"root": "r"}, "type": "object", "x-open": true, "properties": {
    "a": {"type": "string"}, "b": {"type": "object", "x-open": true, "properties": {
        "c": {"type": "string"}}}}}"#;

static CODECS: LazyLock<[Codec; 2]> = LazyLock::new(|| {
    [property::codec(Format::Xml, CLOSED), property::codec(Format::Xml, OPEN)]
});

fuzz_target!(|bytes: &[u8]| {
    if let Some((codec, bytes)) = property::choose(&*CODECS, bytes) {
        property::comes_back(codec, bytes);
    }
});
