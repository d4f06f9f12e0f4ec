//! Records one by one: the same as the whole file, however the input comes, and files by `split`.

use super::*;
use serde_json::json;
use std::io::{self, Read};

/// Gives at most `piece` bytes a read, and breaks off with an error where told so.
struct Pieces<'a> {
    bytes: &'a [u8],
    piece: usize,
    then_fails: bool,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.piece.min(self.bytes.len()).min(buffer.len());
        if count == 0 && self.then_fails {
            return Err(io::Error::other("broken off"));
        }
        let (now, later) = self.bytes.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.bytes = later;
        Ok(count)
    }
}

fn csv(layout: Value) -> Codec {
    codec(
        Format::Csv,
        &json!({"x-csv": layout, "type": "array", "items": {"type": "object",
            "additionalProperties": false, "properties": {
                "name": {"type": "string"}, "count": {"type": "integer"}}}}),
    )
}

fn fixed(layout: Value) -> Codec {
    codec(
        Format::Fixed,
        &json!({"x-fixed": layout, "type": "array", "items": {"type": "object",
            "additionalProperties": false, "properties": {
                "name": {"type": "string", "x-fixed": {"width": 12, "pad": "\u{3000}"}},
                "count": {"type": "integer", "x-fixed": {"width": 4, "pad": "0"}}}}}),
    )
}

fn rows() -> Value {
    json!([{"name": "髙橋", "count": 3}, {"count": 12}, {}, {"name": "花"}])
}

fn layouts() -> Vec<Codec> {
    let mut codecs = Vec::new();
    for charset in ["utf-8", "cp932", "utf-16le", "utf-16be"] {
        let bom = charset != "cp932";
        codecs.push(csv(json!({"charset": charset, "header": true, "bom": bom})));
        codecs.push(csv(json!({"charset": charset, "newline": "lf", "quote": "always"})));
        for newline in ["crlf", "lf", "none"] {
            for unit in ["chars", "bytes"] {
                codecs.push(fixed(
                    json!({"charset": charset, "newline": newline, "unit": unit, "bom": bom}),
                ));
            }
        }
    }
    codecs
}

#[test]
fn records_are_those_of_the_whole_file_in_pieces_of_any_size() {
    for codec in layouts() {
        let bytes = codec.encode(&rows()).unwrap();
        assert_eq!(decode(&codec, &bytes).unwrap(), rows(), "{codec:?}");
        for piece in [1, 2, 3, 7, 1000] {
            let input = || Pieces { bytes: &bytes, piece, then_fails: false };
            let limits = Limits::default();
            let read: Result<Vec<Value>, _> = codec.records(input(), &limits).unwrap().collect();
            assert_eq!(Value::Array(read.unwrap()), rows(), "{piece} {codec:?}");
            let mut records = codec.records(input(), &limits).unwrap();
            let mut lines = Vec::new();
            while let Some(outcome) = records.next_json(&mut lines) {
                outcome.unwrap();
                lines.push(b'\n');
            }
            let written: Vec<Value> = String::from_utf8(lines)
                .unwrap()
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
            assert_eq!(Value::Array(written), rows());
        }
    }
}

#[test]
fn an_input_cut_anywhere_gives_whole_records_and_then_an_error_or_an_end() {
    for codec in layouts() {
        let bytes = codec.encode(&rows()).unwrap();
        for cut in 0..bytes.len() {
            let input = Pieces { bytes: &bytes[..cut], piece: 5, then_fails: false };
            let read: Vec<_> = codec.records(input, &Limits::default()).unwrap().collect();
            let sound: Vec<&Value> = read.iter().flatten().collect();
            assert_eq!(
                sound,
                rows().as_array().unwrap().iter().take(sound.len()).collect::<Vec<_>>()
            );
            assert!(read.len() - sound.len() <= 1, "nothing follows the error");
            let whole = decode(&codec, &bytes[..cut]);
            assert_eq!(whole.is_ok(), read.len() == sound.len(), "{cut} {codec:?}");
            if let Err(error) = whole {
                assert_eq!(read.last().unwrap(), &Err(error), "{cut} {codec:?}");
            }
        }
    }
}

#[test]
fn a_bad_record_is_told_with_row_and_column_and_the_next_ones_are_read() {
    let codec = csv(json!({"newline": "lf", "header": true}));
    let text = "name,count\na,1\nb,x\nc,1,2\nd,\u{E000}\n\"e\",2\n\"f\"g,3\nh,4\n";
    let input = Pieces { bytes: text.as_bytes(), piece: 4, then_fails: false };
    let mut records = codec.records(input, &Limits::default()).unwrap();
    let mut told = Vec::new();
    let mut out = Vec::new();
    while let Some(outcome) = records.next_json(&mut out) {
        told.push(match outcome {
            Ok(()) => format!("{} {}", records.row(), String::from_utf8(out.clone()).unwrap()),
            Err(error) => refusal(Err(error)),
        });
        out.clear();
    }
    assert_eq!(
        told,
        [
            "2 {\"name\":\"a\",\"count\":1}",
            "S331 3:2 /1/count",
            "S344 4:0 /2",
            "S342 5:2 /3/count",
            "6 {\"name\":\"e\",\"count\":2}",
            "S343 7:1 /5/name"
        ]
    );
    let codec = fixed(json!({"newline": "lf"}));
    let good = codec.encode(&json!([{"count": 7}])).unwrap();
    let bytes = [b"short\n".as_slice(), &good].concat();
    let read: Vec<_> = codec.records(bytes.as_slice(), &Limits::default()).unwrap().collect();
    assert_eq!(refusal(read[0].clone()), "S345 1:0 /0");
    assert_eq!(read[1], Ok(json!({"count": 7})));
}

#[test]
fn an_input_that_breaks_off_is_not_an_end() {
    let codec = csv(json!({"newline": "lf"}));
    let input = Pieces { bytes: b"a,1\nb,2\n", piece: 3, then_fails: true };
    let read: Vec<_> = codec.records(input, &Limits::default()).unwrap().collect();
    assert_eq!(read.len(), 3);
    assert_eq!(refusal(read[2].clone()), "S313 3:0 /2");
}

#[test]
fn a_record_has_a_size_limit_and_a_file_has_none() {
    /// `"aaaa…` without end.
    struct Endless(bool);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            buffer.fill(b'a');
            if !std::mem::replace(&mut self.0, true) {
                buffer[0] = b'"';
            }
            Ok(buffer.len())
        }
    }
    let codec = csv(json!({"newline": "lf"}));
    let limits = Limits { max_bytes: 1 << 20, ..Limits::default() };
    let read: Vec<_> = codec.records(Endless(false), &limits).unwrap().collect();
    assert_eq!(read.len(), 1);
    assert_eq!(refusal(read[0].clone()), "S301 1:0 /0");
    let rows = 100_000;
    let input = io::repeat(b'x').take(0).chain(Repeated { line: b"abc,1\n", at: 0 }.take(6 * rows));
    let limits = Limits { max_bytes: 64, max_nodes: 4, ..limits };
    let mut records = codec.records(input, &limits).unwrap();
    let mut out = Vec::new();
    let mut count = 0;
    while let Some(outcome) = records.next_json(&mut out) {
        outcome.unwrap();
        out.clear();
        count += 1;
    }
    assert_eq!((count, records.row() as u64), (rows, rows));
}

/// A line for ever.
struct Repeated {
    line: &'static [u8],
    at: usize,
}

impl Read for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in buffer.iter_mut() {
            *byte = self.line[self.at % self.line.len()];
            self.at += 1;
        }
        Ok(buffer.len())
    }
}

#[test]
fn files_are_split_after_the_records_agreed() {
    let split = |most: usize| csv(json!({"newline": "lf", "header": true, "split": most}));
    let codec = split(2);
    let record = |n: usize| json!({"count": n});
    let of = |count: usize| Value::Array((0..count).map(record).collect());
    let texts = |count: usize| -> Vec<String> {
        let files = codec.encode_files(&of(count)).unwrap();
        files.into_iter().map(|file| String::from_utf8(file).unwrap()).collect()
    };
    assert_eq!(texts(0), ["name,count\n"]);
    assert_eq!(texts(2), ["name,count\n,0\n,1\n"]);
    assert_eq!(texts(3), ["name,count\n,0\n,1\n", "name,count\n,2\n"]);
    assert_eq!(unwritten(codec.encode(&of(3))), "S406 ");
    let long = csv(json!({"newline": "lf", "header": true})).encode(&of(3)).unwrap();
    assert_eq!(refusal(decode(&codec, &long)), "S347 4:0 /2");
    let read: Vec<_> = codec.records(long.as_slice(), &Limits::default()).unwrap().collect();
    assert_eq!(refusal(read[2].clone()), "S347 4:0 /2");
    let mut files = codec.files().unwrap();
    assert_eq!(files.push(&record(0)), Ok(None));
    assert_eq!(
        unwritten(files.push(&json!({"count": "x"})).map(Option::unwrap_or_default)),
        "S401 /1/count"
    );
    assert_eq!(files.push(&record(1)).unwrap().unwrap(), b"name,count\n,0\n,1\n");
    assert_eq!(files.finish(), Ok(None));
    let json = super::codec(Format::Json, &json!({"type": "string"}));
    assert!(json.files().is_none() && json.records(io::empty(), &Limits::default()).is_none());
    assert_eq!(json.encode_files(&json!("a")).unwrap(), [b"\"a\""]);
}
