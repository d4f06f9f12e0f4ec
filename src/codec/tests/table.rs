//! CSV and fixed width: layouts, refusals with row and column, the inquiry record.

use super::*;
use serde_json::json;

fn csv(x_csv: &Value) -> Codec {
    codec(
        Format::Csv,
        &json!({
            "x-csv": x_csv, "type": "array",
            "items": {"type": "object", "additionalProperties": false, "properties": {
                "name": {"type": "string", "x-csv-name": "氏名"},
                "count": {"type": "integer"},
                "kana": {"type": "string"}}}
        }),
    )
}

fn rows() -> Value {
    json!([
        {"name": "髙橋, \"花子\"", "count": 3, "kana": ""},
        {"count": 0, "kana": "ﾊﾅｺ\r\nx"},
        {}
    ])
}

#[test]
fn empty_and_absent_are_different_and_leading_bytes_are_the_layouts() {
    let codec = csv(&json!({"charset": "utf-8", "bom": true, "newline": "crlf", "header": true,
        "quote": "needed"}));
    let bytes = codec.encode(&rows()).unwrap();
    let expected =
        "\u{FEFF}氏名,count,kana\r\n\"髙橋, \"\"花子\"\"\",3,\"\"\r\n,0,\"ﾊﾅｺ\r\nx\"\r\n,,\r\n";
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
    assert_eq!(decode(&codec, bytes).unwrap(), rows());
    assert_eq!(codec.content_type(), "text/csv; charset=utf-8");
}

#[test]
fn quote_always_and_never_in_other_charsets() {
    for charset in ["utf-8", "cp932", "utf-16le", "utf-16be"] {
        let codec = csv(&json!({"charset": charset, "newline": "lf", "quote": "always"}));
        let bytes = codec.encode(&rows()).unwrap();
        assert_eq!(decode(&codec, bytes).unwrap(), rows(), "{charset}");
    }
    let always = csv(&json!({"newline": "lf", "quote": "always"}));
    let bytes = always.encode(&json!([{"name": "a", "count": 1}])).unwrap();
    assert_eq!(bytes, b"\"a\",\"1\",\n");
    assert_eq!(refusal(decode(&always, b"\"a\",1,\n")), "S343 1:2 /0/count");
    let never = csv(&json!({"newline": "lf", "quote": "never"}));
    assert_eq!(never.encode(&json!([{"count": 1}])).unwrap(), b",1,\n");
    assert_eq!(unwritten(never.encode(&json!([{"name": "", "count": 1}]))), "S405 /0/name");
    assert_eq!(decode(&never, b",1,\n").unwrap(), json!([{"count": 1}]));
    for text in ["a,b", "a\"b", "a\nb"] {
        assert_eq!(unwritten(never.encode(&json!([{"name": text}]))), "S403 /0/name", "{text}");
    }
}

#[test]
fn csv_refusals_tell_row_and_column() {
    let codec = csv(&json!({"charset": "utf-8", "newline": "crlf", "header": true}));
    let head = "氏名,count,kana\r\n";
    let cases = [
        ("氏名,kana,count\r\n".to_owned(), "S346 1:0 "),
        (String::new(), "S346 1:0 "),
        (format!("{head}a,1,b"), "S343 2:3 /0/kana"),
        (format!("{head}a,1,b\n"), "S343 2:3 /0/kana"),
        (format!("{head}a,1,b\r\na,1,b\r"), "S343 3:3 /1/kana"),
        (format!("{head}a\"b,1,b\r\n"), "S343 2:1 /0/name"),
        (format!("{head}\"a\"b,1,b\r\n"), "S343 2:1 /0/name"),
        (format!("{head}a,1,\"b\r\n"), "S343 2:3 /0/kana"),
        (format!("{head}a,1\r\n"), "S344 2:0 /0"),
        (format!("{head}a,1,b,\r\n"), "S344 2:0 /0"),
        (format!("{head}\r\n"), "S344 2:0 /0"),
        (format!("{head}a,1x,b\r\n"), "S331 2:2 /0/count"),
        (format!("{head}a,007,b\r\n"), "S331 2:2 /0/count"),
        (format!("{head}a,\"\",b\r\n"), "S331 2:2 /0/count"),
        (format!("{head}a,1,\u{E000}\r\n"), "S342 2:3 /0/kana"),
        (format!("{head}a,1,\0\r\n"), "S309 2:3 /0/kana"),
        (format!("{head}a,1,\u{80}\r\n"), "S309 2:3 /0/kana"),
        (format!("\u{FEFF}{head}"), "S306 0:0 "),
    ];
    for (text, expected) in cases {
        assert_eq!(refusal(decode(&codec, &text)), expected, "{text:?}");
    }
    let broken = [head.as_bytes(), b"a,1,b\r\n\"x\r\n\",\xFF,b\r\n"].concat();
    assert_eq!(refusal(decode(&codec, broken)), "S341 3:2 /1/count");
}

#[test]
fn nothing_is_replaced_on_the_way_to_cp932() {
    let codec = csv(&json!({"charset": "cp932"}));
    for (c, point) in [('𠮷', "U+20BB7"), ('〜', "U+301C"), ('−', "U+2212"), ('¥', "U+00A5")]
    {
        let error = codec.encode(&json!([{}, {"kana": format!("試験{c}")}])).unwrap_err();
        assert_eq!((error.code.code, error.path.as_str()), ("S402", "/1/kana"));
        assert!(error.detail.starts_with(point), "{error}");
        assert!(!error.to_string().contains('試'), "{error}");
    }
    assert_eq!(unwritten(codec.encode(&json!([{"kana": "\u{E000}"}]))), "S403 /0/kana");
    assert_eq!(refusal(decode(&codec, b"a,1,\xF0\x40\r\n")), "S342 1:3 /0/kana");
    assert_eq!(refusal(decode(&codec, b"a,1,\x80\r\n")), "S309 1:3 /0/kana");
    assert_eq!(refusal(decode(&codec, b"a,1,\x81\r\n")), "S341 1:3 /0/kana");
}

#[test]
fn gaiji_cross_where_the_schema_allows_it() {
    let codec = codec(
        Format::Csv,
        &json!({"x-csv": {"charset": "cp932"}, "type": "array", "items": {"type": "object",
            "additionalProperties": false,
            "properties": {"name": {"type": "string", "x-private-use": "allow"}}}}),
    );
    let document = json!([{"name": "外\u{E000}字\u{E757}"}]);
    let bytes = codec.encode(&document).unwrap();
    assert_eq!(decode(&codec, bytes).unwrap(), document);
}

/// The record of an inquiry in file style: 18 fields, comma-separated and of fixed width.
fn inquiry() -> Value {
    let fields = [
        ("scheme", 2, " "),
        ("atenaNumber", 15, "0"),
        ("integratedNumber", 15, " "),
        ("requestedAt", 17, " "),
        ("departmentCode", 20, " "),
        ("userId", 20, " "),
        ("inquirerCode", 16, " "),
        ("notDisclosed", 1, " "),
        ("affairCode", 16, " "),
        ("procedureCode", 16, " "),
        ("delegatingInquirer", 16, " "),
        ("delegatingProvider", 16, " "),
        ("providerCode", 16, " "),
        ("informationCode", 16, " "),
        ("conditionKind", 1, " "),
        ("yearKind", 1, " "),
        ("from", 8, " "),
        ("to", 8, " "),
    ];
    let properties: serde_json::Map<String, Value> = fields
        .iter()
        .map(|(name, width, pad)| {
            let align = if *pad == "0" { "right" } else { "left" };
            let layout = json!({"width": width, "align": align, "pad": pad});
            ((*name).to_owned(), json!({"type": "string", "x-fixed": layout}))
        })
        .collect();
    json!({
        "x-fixed": {"charset": "cp932", "newline": "crlf", "separator": ",", "record-width": 237},
        "type": "array",
        "items": {"type": "object", "additionalProperties": false, "properties": properties}
    })
}

#[test]
fn the_inquiry_record_is_220_characters_and_17_commas() {
    let codec = codec(Format::Fixed, &inquiry());
    let document = json!([{
        "scheme": "01", "atenaNumber": "000000000000019", "requestedAt": "20260601090000000",
        "departmentCode": "D0001", "inquirerCode": "1312370000000001", "notDisclosed": "1",
        "affairCode": "JM01000000121000", "procedureCode": "JT01010000000214",
        "providerCode": "14100", "informationCode": "TM00000000000002", "conditionKind": "0",
        "yearKind": "0"
    }]);
    let bytes = codec.encode(&document).unwrap();
    let line = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!(
        line,
        [
            "01",
            "000000000000019",
            "               ",
            "20260601090000000",
            "D0001               ",
            "                    ",
            "1312370000000001",
            "1",
            "JM01000000121000",
            "JT01010000000214",
            "                ",
            "                ",
            "14100           ",
            "TM00000000000002",
            "0",
            "0",
            "        ",
            "        \r\n",
        ]
        .join(",")
    );
    assert_eq!((line.len(), line.matches(',').count()), (220 + 17 + 2, 17));
    assert_eq!(decode(&codec, &bytes).unwrap(), document);
    assert_eq!(
        decode(&codec, [bytes.clone(), bytes].concat()).unwrap().as_array().unwrap().len(),
        2
    );
}

#[test]
fn fixed_width_refusals_tell_row_and_column() {
    let codec = codec(Format::Fixed, &inquiry());
    let blank = codec.encode(&json!([{}])).unwrap();
    let with = |place: usize, byte: u8| {
        let mut line = blank.clone();
        line[place] = byte;
        [blank.clone(), line].concat()
    };
    assert_eq!(refusal(decode(&codec, &blank[1..])), "S345 1:0 /0");
    assert_eq!(refusal(decode(&codec, &blank[..238])), "S343 1:0 /0");
    assert_eq!(refusal(decode(&codec, with(237, b' '))), "S343 2:0 /1");
    assert_eq!(refusal(decode(&codec, with(2, b' '))), "S345 2:2 /1/atenaNumber");
    assert_eq!(refusal(decode(&codec, with(1, b','))), "S343 2:1 /1/scheme");
    assert_eq!(refusal(decode(&codec, with(1, b'\t'))), "S309 2:1 /1/scheme");
    assert_eq!(refusal(decode(&codec, with(4, 0xA0))), "S341 2:2 /1/atenaNumber");
    for (value, code) in [
        (json!("123"), "S404"),
        (json!(""), "S404"),
        (json!("1 "), "S404"),
        (json!(1), "S401"),
        (json!("a,"), "S403"),
        (json!("a\n"), "S403"),
        (json!("𠮷"), "S402"),
    ] {
        let told = unwritten(codec.encode(&json!([{"scheme": value}])));
        assert_eq!(told, format!("{code} /0/scheme"), "{value}");
    }
    assert_eq!(unwritten(codec.encode(&json!([{"x": "1"}]))), "S401 /0/?");
}

#[test]
fn widths_in_bytes_count_the_bytes_of_the_charset() {
    let codec = codec(
        Format::Fixed,
        &json!({"x-fixed": {"charset": "cp932", "newline": "lf", "unit": "bytes", "record-width": 14},
            "type": "array", "items": {"type": "object", "additionalProperties": false,
            "properties": {
                "name": {"type": "string", "x-fixed": {"width": 10}},
                "count": {"type": "integer", "x-fixed": {"width": 4, "pad": "0", "align": "right"}}}}}),
    );
    let document = json!([{"name": "髙橋ｶﾅ", "count": 0}, {"count": 12}, {"name": "a"}]);
    let bytes = codec.encode(&document).unwrap();
    assert_eq!(bytes.len(), 3 * 15);
    assert_eq!(&bytes[10..15], b"0000\n");
    assert_eq!(decode(&codec, bytes).unwrap(), document);
    assert_eq!(unwritten(codec.encode(&json!([{"name": "髙橋髙橋髙橋"}]))), "S404 /0/name");
    assert_eq!(unwritten(codec.encode(&json!([{"count": -1}]))), "S404 /0/count");
    let split = [b"123456789".as_slice(), "髙".as_bytes(), b"001\n"].concat();
    assert!(decode(&codec, split).is_err());
}

#[test]
fn layouts_that_are_incomplete_are_refused_at_compile_time() {
    let told = |format, schema: Value| compile(format, &schema).unwrap_err().join("\n");
    let items = |properties: Value| json!({"type": "object", "additionalProperties": false, "properties": properties});
    let text = json!({"type": "string"});
    let csv = |properties: Value| {
        told(Format::Csv, json!({"x-csv": {}, "type": "array", "items": items(properties)}))
    };
    assert!(csv(json!({"a": {"type": "array", "items": text}})).contains("one scalar"));
    assert!(csv(json!({"a": {"type": "string", "x-csv-name": "b"}, "b": text})).contains("two"));
    assert!(told(Format::Csv, json!({"x-csv": {}, "type": "string"})).contains("array"));
    assert!(
        told(Format::Csv, json!({"type": "array", "items": items(json!({"a": text}))}))
            .contains("x-csv is missing")
    );
    let fixed = |layout: Value| {
        told(
            Format::Fixed,
            json!({"x-fixed": {"record-width": 3}, "type": "array",
            "items": items(json!({"a": {"type": "string", "x-fixed": layout}}))}),
        )
    };
    assert!(fixed(json!({"pad": " "})).contains("width is missing"));
    assert!(fixed(json!({"width": 4})).contains("make 4, not 3"));
    assert!(fixed(json!({"width": 3, "pad": "0", "align": "left"})).contains("align right"));
}

#[test]
fn a_schema_that_allows_what_the_layout_cannot_carry_is_warned_of() {
    let told = |format, keyword: &str, root: Value, field: Value| -> Vec<String> {
        let mut schema = json!({"type": "array", "items": {"type": "object",
            "additionalProperties": false, "properties": {"a": field}}});
        schema[keyword] = root;
        let mut diagnostics = Vec::new();
        assert!(Codec::compile(format, &super::schema(&schema), &mut diagnostics).is_some());
        diagnostics.iter().map(|found| format!("{} {}", found.code, found.message)).collect()
    };
    let fixed = |root: Value, bounds: Value| {
        let mut field = json!({"type": "string", "x-fixed": {"width": 4}});
        field.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
        told(Format::Fixed, "x-fixed", root, field)
    };
    let bounded = |most: usize| json!({"minLength": 1, "maxLength": most});
    assert!(fixed(json!({}), bounded(4)).is_empty());
    assert!(fixed(json!({}), json!({"pattern": "^[0-9]{4}$"})).is_empty());
    assert!(fixed(json!({}), json!({"enum": ["a", "b"]})).is_empty());
    assert_eq!(
        fixed(json!({}), json!({})),
        [
            "S125 a text of any length in a field of 4",
            "S125 an empty text would be read back as absent"
        ]
    );
    let wide = ["S125 5 characters may be wider than the field of 4"];
    assert_eq!(fixed(json!({}), bounded(5)), wide);
    let bytes = json!({"unit": "bytes", "charset": "cp932"});
    assert!(fixed(bytes.clone(), bounded(2)).is_empty());
    assert_eq!(fixed(bytes, bounded(3)).len(), 1);
    let csv =
        |quote: &str, field: Value| told(Format::Csv, "x-csv", json!({"quote": quote}), field);
    assert_eq!(csv("never", json!({"type": "string"})).len(), 1);
    assert!(csv("never", json!({"type": "string", "minLength": 1})).is_empty());
    assert!(csv("needed", json!({"type": "string"})).is_empty());
}
