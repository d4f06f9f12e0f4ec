//! Arbitrary bytes to the SOAP decoder, both versions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use watashi::codec::{Codec, Format};
use watashi::property;

fn schema(version: &str, fault: &str) -> String {
    format!(
        r#"{{"x-soap": {{"version": "{version}"}}, "type": "object", "additionalProperties": false,
    "properties": {{
        "header": {{"type": "object", "additionalProperties": false, "properties": {{
            "t": {{"type": "string", "xml": {{"namespace": "urn:t", "must-understand": true}}}}}}}},
        "body": {{"type": "object", "additionalProperties": false,
            "xml": {{"name": "b", "namespace": "urn:b"}}, "properties": {{"x": {{"type": "string"}}}}}},
        "fault": {{"type": "object", "additionalProperties": false, "required": ["code", "reason"],
            "properties": {{"code": {{"type": "string"}}, "reason": {{"type": "string"}},
            "subcode": {{"type": "string"}}, "role": {{"type": "string"}}, {fault}
            "detail": {{"type": "object", "additionalProperties": false, "properties": {{
                "d": {{"type": "string", "xml": {{"namespace": "urn:d"}}}}}}}}}}}}}}}}"#
    )
}

static CODECS: LazyLock<[Codec; 2]> = LazyLock::new(|| {
    let old = schema("1.1", r#""codeNamespace": {"type": "string"},"#);
    let new =
        schema("1.2", r#""subcodeNamespace": {"type": "string"}, "node": {"type": "string"},"#);
    [property::codec(Format::Soap, &old), property::codec(Format::Soap, &new)]
});

fuzz_target!(|bytes: &[u8]| {
    if let Some((codec, bytes)) = property::choose(&*CODECS, bytes) {
        property::comes_back(codec, bytes);
    }
});
