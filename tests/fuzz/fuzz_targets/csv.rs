//! Arbitrary bytes to the CSV decoder: UTF-8 and CP932, all quoting, whole and record by record.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use watashi::codec::{Codec, Format};
use watashi::property;

const LAYOUTS: [&str; 5] = [
    r#"{"charset": "cp932", "newline": "lf", "quote": "needed"}"#,
    r#"{"charset": "utf-8", "newline": "crlf", "quote": "always"}"#,
    r#"{"charset": "cp932", "newline": "crlf", "quote": "never", "split": 3}"#,
    r#"{"charset": "utf-8", "newline": "lf", "quote": "needed", "header": true}"#,
    r#"{"charset": "utf-8", "newline": "lf", "quote": "needed", "bom": true}"#,
];

static CODECS: LazyLock<Vec<Codec>> = LazyLock::new(|| {
    let items = r#"{"type": "object", "additionalProperties": false, "x-private-use": "allow",
        "properties": {"a": {"type": "string"}, "n": {"type": "integer"}, "b": {"type": "string"}}}"#;
    let schema =
        |layout: &&str| format!(r#"{{"x-csv": {layout}, "type": "array", "items": {items}}}"#);
    LAYOUTS.iter().map(|layout| property::codec(Format::Csv, &schema(layout))).collect()
});

fuzz_target!(|bytes: &[u8]| {
    if let Some((codec, bytes)) = property::choose(&CODECS, bytes) {
        property::comes_back(codec, bytes);
        property::records_agree(codec, bytes);
    }
});
