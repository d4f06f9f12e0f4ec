//! Arbitrary bytes to the csv decoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use watashi::codec::{Codec, Format};

mod common;

const SCHEMA: &str = r#"{"x-csv": {"charset": "cp932", "newline": "lf", "quote": "needed"}, "type": "array",
    "items": {"type": "object", "additionalProperties": false, "properties": {
        "text": {"type": "string"}, "count": {"type": "integer"}}}}"#;

static CODEC: LazyLock<Codec> = LazyLock::new(|| common::codec(Format::Csv, SCHEMA));

fuzz_target!(|bytes: &[u8]| common::check(&CODEC, bytes));
