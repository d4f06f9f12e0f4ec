//! Arbitrary bytes to the fixed-width decoder: both units, all line ends, whole and by record.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use watashi::codec::{Codec, Format};
use watashi::property;

const LAYOUTS: [&str; 5] = [
    r#"{"charset": "cp932", "newline": "lf", "unit": "bytes", "separator": ","}"#,
    r#"{"charset": "utf-8", "newline": "crlf", "unit": "chars", "separator": "|"}"#,
    r#"{"charset": "cp932", "newline": "none", "unit": "chars"}"#,
    r#"{"charset": "utf-8", "newline": "none", "unit": "bytes", "split": 3}"#,
    r#"{"charset": "cp932", "newline": "crlf", "unit": "chars"}"#,
];

static CODECS: LazyLock<Vec<Codec>> = LazyLock::new(|| {
    let items = r#"{"type": "object", "additionalProperties": false, "x-private-use": "allow", "properties": {
        "text": {"type": "string", "x-fixed": {"width": 6, "pad": "　"}},
        "right": {"type": "string", "x-fixed": {"width": 3, "align": "right"}},
        "count": {"type": "integer", "x-fixed": {"width": 3, "pad": "0"}}}}"#;
    let schema =
        |layout: &&str| format!(r#"{{"x-fixed": {layout}, "type": "array", "items": {items}}}"#);
    LAYOUTS.iter().map(|layout| property::codec(Format::Fixed, &schema(layout))).collect()
});

fuzz_target!(|bytes: &[u8]| {
    if let Some((codec, bytes)) = property::choose(&CODECS, bytes) {
        property::comes_back(codec, bytes);
        property::records_agree(codec, bytes);
    }
});
