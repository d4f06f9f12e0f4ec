//! What the targets share: a codec from a schema, and the property.

use watashi::codec::{Codec, Format, Limits};
use watashi::diagnostic::SourceFile;
use watashi::schema::Schemas;

/// A codec compiled from the text of a schema.
pub fn codec(format: Format, schema: &str) -> Codec {
    let file = SourceFile::new("schemas/fuzz/fuzz/1.schema.json", schema);
    let mut diagnostics = Vec::new();
    let schemas = Schemas::load(&[file], &mut diagnostics);
    let schema = schemas.get("fuzz/fuzz@1").expect("the schema is sound");
    Codec::compile(format, &schema, &mut diagnostics).expect("the layout is sound")
}

/// What is accepted can be written, and is read back to the same.
pub fn check(codec: &Codec, bytes: &[u8]) {
    let limits = Limits::default();
    if let Ok(document) = codec.decode(bytes, &limits) {
        let written = codec.encode(&document).expect("what was read can be written");
        assert!(codec.decode(&written, &limits).as_ref() == Ok(&document), "something was lost");
    }
}
