//! Codecs: bytes to documents and back, strict in both directions.
//!
//! A document is a `serde_json::Value`; a codec is compiled from a schema, which carries the
//! layout. decode(encode(document)) = document for every document valid under the schema, and
//! nothing is replaced silently. A nil with a reason is the object `{"$nil": "REASON"}`.
