//! Arbitrary bytes to the json decoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use watashi::codec::{Codec, Format};

mod common;

const SCHEMA: &str = r#"{"type": "object", "x-open": true}"#;

static CODEC: LazyLock<Codec> = LazyLock::new(|| common::codec(Format::Json, SCHEMA));

fuzz_target!(|bytes: &[u8]| common::check(&CODEC, bytes));
