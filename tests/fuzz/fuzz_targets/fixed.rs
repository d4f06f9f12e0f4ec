//! Arbitrary bytes to the fixed decoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use watashi::codec::{Codec, Format};

mod common;

const SCHEMA: &str = r#"{"x-fixed": {"charset": "cp932", "newline": "lf", "unit": "bytes", "separator": ","},
    "type": "array", "items": {"type": "object", "additionalProperties": false, "properties": {
        "text": {"type": "string", "x-fixed": {"width": 6}},
        "count": {"type": "integer", "x-fixed": {"width": 4, "align": "right", "pad": "0"}}}}}"#;

static CODEC: LazyLock<Codec> = LazyLock::new(|| common::codec(Format::Fixed, SCHEMA));

fuzz_target!(|bytes: &[u8]| common::check(&CODEC, bytes));
