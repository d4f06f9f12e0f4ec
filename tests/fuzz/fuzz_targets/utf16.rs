//! Arbitrary bytes as UTF-16 of both orders: CSV, fixed width and XML.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use watashi::codec::{Codec, Format};
use watashi::property;

const TABLES: [(Format, &str); 5] = [
    (Format::Csv, r#""x-csv": {"charset": "utf-16le", "newline": "lf", "bom": true}"#),
    (Format::Csv, r#""x-csv": {"charset": "utf-16be", "newline": "crlf", "quote": "always"}"#),
    (Format::Fixed, r#""x-fixed": {"charset": "utf-16le", "newline": "lf", "bom": true}"#),
    (Format::Fixed, r#""x-fixed": {"charset": "utf-16be", "newline": "none", "unit": "bytes"}"#),
    (Format::Fixed, r#""x-fixed": {"charset": "utf-16be", "newline": "crlf", "unit": "bytes"}"#),
];

const XML: &str = r#"{"x-xml": {"root": "r"}, "type": "object", "additionalProperties": false,
    "properties": {"a": {"type": "string"}, "b": {"type": "string", "xml": {"attribute": true}}}}"#;

static CODECS: LazyLock<Vec<Codec>> = LazyLock::new(|| {
    let items = r#"{"type": "object", "additionalProperties": false, "properties": {
        "a": {"type": "string", "x-fixed": {"width": 4}},
        "n": {"type": "integer", "x-fixed": {"width": 4}}}}"#;
    let table = |layout: &str| format!(r#"{{{layout}, "type": "array", "items": {items}}}"#);
    let mut codecs: Vec<Codec> =
        TABLES.iter().map(|(format, layout)| property::codec(*format, &table(layout))).collect();
    codecs.push(property::codec(Format::Xml, XML));
    codecs
});

fuzz_target!(|bytes: &[u8]| {
    if let Some((codec, bytes)) = property::choose(&CODECS, bytes) {
        property::comes_back(codec, bytes);
        if codec.format() != Format::Xml {
            property::records_agree(codec, bytes);
        }
    }
});
