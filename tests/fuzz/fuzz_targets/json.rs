//! Arbitrary bytes to the JSON decoder; what it accepts, serde_json reads to the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use watashi::codec::{Codec, Format, Limits};
use watashi::property;

const SCHEMA: &str = r#"{"type": "object", "x-open": true}"#;

static CODEC: LazyLock<Codec> = LazyLock::new(|| property::codec(Format::Json, SCHEMA));

fuzz_target!(|bytes: &[u8]| {
    property::comes_back(&CODEC, bytes);
    if let Ok(document) = CODEC.decode(bytes, &Limits::default()) {
        let theirs: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
        assert!(document == theirs, "serde_json reads another value");
    }
});
