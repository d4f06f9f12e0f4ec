//! What the targets share: a codec from a schema, and the properties.

use crate::codec::{Codec, Format, Limits};
use crate::diagnostic::SourceFile;
use crate::schema::Schemas;
use serde_json::Value;
use std::io::{self, Read};

/// A codec compiled from the text of a schema.
pub fn codec(format: Format, schema: &str) -> Codec {
    let file = SourceFile::new("schemas/fuzz/fuzz/1.schema.json", schema);
    let mut diagnostics = Vec::new();
    let schemas = Schemas::load(&[file], &mut diagnostics);
    let schema = schemas.get("fuzz/fuzz@1").expect("the schema is sound");
    Codec::compile(format, &schema, &mut diagnostics).expect("the layout is sound")
}

/// The codec that the first byte chooses, and the bytes behind it.
pub fn choose<'c, 'b>(codecs: &'c [Codec], bytes: &'b [u8]) -> Option<(&'c Codec, &'b [u8])> {
    let (first, rest) = bytes.split_first()?;
    Some((codecs.get(usize::from(*first) % codecs.len())?, rest))
}

/// What is accepted can be written, is read back to the same, and is written the same again.
pub fn comes_back(codec: &Codec, bytes: &[u8]) {
    let limits = Limits::default();
    let Ok(document) = codec.decode(bytes, &limits) else { return };
    let written = codec.encode(&document).expect("what was read can be written");
    let again = codec.decode(&written, &limits);
    assert!(again.as_ref() == Ok(&document), "something was lost");
    assert!(codec.encode(&document).as_ref() == Ok(&written), "not canonical");
}

/// At most so many bytes a read.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(self.0.len()).min(buffer.len());
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

/// The records one by one are those of the whole file; so is the error, if one comes.
pub fn records_agree(codec: &Codec, bytes: &[u8]) {
    let limits = Limits::default();
    let piece = 1 + bytes.len() % 13;
    let records = codec.records(Pieces(bytes, piece), &limits).expect("a table");
    let one_by_one: Result<Vec<Value>, _> = records.collect();
    let whole = codec.decode(bytes, &limits);
    assert!(one_by_one.map(Value::Array) == whole, "records and whole file differ");
    let mut records = codec.records(Pieces(bytes, piece), &limits).expect("a table");
    let mut json = b"[".to_vec();
    while let Some(outcome) = records.next_json(&mut json) {
        if outcome.is_err() {
            return;
        }
        json.push(b',');
    }
    if json.len() > 1 {
        json.pop();
    }
    json.push(b']');
    let read: Value = serde_json::from_slice(&json).expect("JSON");
    assert!(Ok(read) == whole, "JSON and values differ");
}
