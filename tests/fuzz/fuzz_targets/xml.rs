//! Arbitrary bytes to the xml decoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use watashi::codec::{Codec, Format};

mod common;

const SCHEMA: &str = r#"{"x-xml": {"root": "r", "namespace": "urn:x"}, "type": "object", "additionalProperties": false,
    "required": ["list"], "properties": {
        "id": {"type": "string", "xml": {"attribute": true}},
        "text": {"type": "string"}, "count": {"type": "integer"}, "number": {"type": "number"},
        "nil": {"anyOf": [{"type": "string"}, {"type": "object", "additionalProperties": false,
            "required": ["$nil"], "properties": {"$nil": {"type": "string"}}}]},
        "list": {"type": "array", "items": {"type": "string"}},
        "wrapped": {"type": "array", "xml": {"wrapped": true}, "items": {"type": "boolean"}}}}"#;

static CODEC: LazyLock<Codec> = LazyLock::new(|| common::codec(Format::Xml, SCHEMA));

fuzz_target!(|bytes: &[u8]| common::check(&CODEC, bytes));
