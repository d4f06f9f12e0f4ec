//! What the published rules of each format accept (`y`) and refuse (`n`), each rule in a sample of
//! our own: RFC 8259, XML 1.0 with Namespaces, RFC 4180.

use super::*;
use crate::codec::json::decode_strict;
use serde_json::json;

/// RFC 8259 §2–§8; the numbers of §6 are exact here or refused.
#[test]
fn json_accepts() {
    let samples: &[(&str, Value)] = &[
        ("[]", json!([])),
        (" [ ] ", json!([])),
        ("\t\r\n{}\n", json!({})),
        ("null", json!(null)),
        ("true", json!(true)),
        ("\"\"", json!("")),
        ("[null,1,\"1\",{}]", json!([null, 1, "1", {}])),
        ("{\"\":0}", json!({"": 0})),
        ("{\"a\":{\"a\":{\"a\":[]}}}", json!({"a": {"a": {"a": []}}})),
        ("{\"a\\u002Db\":1}", json!({"a-b": 1})),
        ("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", json!("\"\\/\u{8}\u{c}\n\r\t")),
        ("\"\\u00e9\\u3042\\uD83D\\uDE00\"", json!("é\u{3042}\u{1F600}")),
        ("\"\\ud842\\udfb7\"", json!("𠮷")),
        ("\"\u{7F}\u{80}\u{2028}\u{2029}\u{FEFF}\"", json!("\u{7F}\u{80}\u{2028}\u{2029}\u{FEFF}")),
        ("\"\u{10FFFF}\u{FFFE}\"", json!("\u{10FFFF}\u{FFFE}")),
        ("0", json!(0)),
        ("-0", json!(-0.0)),
        ("-1", json!(-1)),
        ("0.5", json!(0.5)),
        ("1.10", json!(1.1)),
        ("1E2", json!(100.0)),
        ("1e+2", json!(100.0)),
        ("1e-2", json!(0.01)),
        ("0e9", json!(0.0)),
        ("9007199254740993", json!(9_007_199_254_740_993_u64)),
        ("18446744073709551615", json!(u64::MAX)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("1.7976931348623157e308", json!(f64::MAX)),
        ("5e-324", json!(5e-324)),
    ];
    for (text, value) in samples {
        let found = decode_strict(text.as_bytes(), &Limits::default());
        assert_eq!(found.as_ref(), Ok(value), "{text}");
    }
}

const JSON_REFUSED: &[&str] = &[
    "",
    " ",
    "[",
    "]",
    "{",
    "}",
    "[1",
    "[1,",
    "[,1]",
    "[1,,2]",
    "[1,]",
    "[1 2]",
    "[1]]",
    "[1],",
    "[\"a\"",
    "[\"a",
    "[\"a\\\"]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{,}",
    "{\"a\" \"b\"}",
    "{\"a\":1 \"b\":2}",
    "{\"a\"::1}",
    "{1:1}",
    "{a:1}",
    "{'a':1}",
    "{\"a\":1}}",
    "{\"a\":1}#",
    "{\"a\":1,\"a\":1}",
    "{null:1}",
    "'a'",
    "a",
    "nul",
    "nulll",
    "True",
    "TRUE",
    "undefined",
    "NaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    "inf",
    "0x1",
    "1_000",
    "1 000",
    "01",
    "-01",
    "00",
    "+1",
    "++1",
    "--1",
    "- 1",
    "-",
    ".1",
    "-.1",
    "1.",
    "1.e1",
    "1.2.3",
    "1e",
    "1e+",
    "1E-",
    "1ee2",
    "e1",
    "1a",
    "１",
    "\"\t\"",
    "\"\n\"",
    "\"\u{0}\"",
    "\"\u{1F}\"",
    "\"\\a\"",
    "\"\\'\"",
    "\"\\u\"",
    "\"\\u1\"",
    "\"\\u12G4\"",
    "\"\\U0041\"",
    "\"\\x41\"",
    "\"\\0\"",
    "\"\\\n\"",
    "\"\\u0000\"",
    "\"\\uD800\"",
    "\"\\uDC00\"",
    "\"\\uD800\\uD800\"",
    "\"\\uDC00\\uD800\"",
    "\"\\uD800\\n\"",
    "\"\\uD800",
    "\"\\uD800\\",
    "\"\\uD800\\u",
    "// c\n1",
    "/* c */ 1",
    "1 // c",
    "# c\n1",
    "[1]\u{A0}",
    "\u{2060}1",
    "\u{FEFF}1",
    "\u{c}1",
    "<a/>",
    "1 2",
    "[][]",
    "\"a\"b",
    // Exact or refused: none of these is what a double would make of it.
    "18446744073709551616",
    "18446744073709551617",
    "-9223372036854775809",
    "1e400",
    "-1e400",
    "1e-400",
    "123456789012345678901234567890",
    "0.1234567890123456789",
    "1.0000000000000000001",
    "9007199254740993.0",
    "1e99999999999999999999",
];

#[test]
fn json_refuses() {
    for text in JSON_REFUSED {
        let found = decode_strict(text.as_bytes(), &Limits::default());
        assert!(found.is_err(), "{text:?} became {found:?}");
    }
    let bytes: [&[u8]; 9] = [
        b"\"\xFF\"",
        b"\"\xC0\xAF\"",
        b"\"\xE0\x80\xAF\"",
        b"\"\xED\xA0\x80\"",
        b"\"\xF4\xBF\xBF\xBF\"",
        b"\"\x80\"",
        b"\"\xE3\x81\"",
        b"\xFE\xFF\x00[\x00]",
        b"[\x00]\x00",
    ];
    for bytes in bytes {
        assert!(decode_strict(bytes, &Limits::default()).is_err(), "{bytes:?}");
    }
    let deep = "[".repeat(100_000);
    assert_eq!(decode_strict(deep.as_bytes(), &Limits::default()).unwrap_err().code.code, "S302");
}

/// An open layout: whatever is well-formed below the root is accepted.
fn open() -> Codec {
    codec(
        Format::Xml,
        &json!({"x-xml": {"root": "r"}, "type": "object", "x-open": true,
            "properties": {"a": {"type": "string"}}}),
    )
}

/// XML 1.0 (fifth edition) and Namespaces in XML 1.0.
#[test]
fn xml_accepts() {
    let with_a = |text: &str| json!({ "a": text });
    let samples: &[(&str, Value)] = &[
        ("<r/>", json!({})),
        ("<r></r>", json!({})),
        ("<r  />", json!({})),
        ("<r\n></r\t>", json!({})),
        ("\n<!-- c --><r/><!-- d -->\n", json!({})),
        ("<?xml version='1.0'?><r/>", json!({})),
        ("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\" ?>\n<r/>", json!({})),
        ("<r><!-- - a - b --></r>", json!({})),
        ("<r><!----></r>", json!({})),
        ("<r><a/></r>", with_a("")),
        ("<r><a>x</a></r>", with_a("x")),
        ("<r><a>&lt;&gt;&amp;&apos;&quot;</a></r>", with_a("<>&'\"")),
        ("<r><a>&#65;&#x42;&#x20BB7;&#9;</a></r>", with_a("AB𠮷\t")),
        ("<r><a>]] > ></a></r>", with_a("]] > >")),
        ("<r><a><![CDATA[<b>&amp;]]]]><![CDATA[>]]></a></r>", with_a("<b>&amp;]]>")),
        ("<r><a><![CDATA[]]></a></r>", with_a("")),
        ("<r><a>a\r\nb\rc</a></r>", with_a("a\nb\nc")),
        ("<r><a>a&#13;&#10;b</a></r>", with_a("a\r\nb")),
        ("<r><a>　x　</a></r>", with_a("　x　")),
        (
            "<r><a>\u{D7FF}\u{E000}\u{FFFD}\u{10000}\u{10FFFF}</a></r>",
            with_a("\u{D7FF}\u{E000}\u{FFFD}\u{10000}\u{10FFFF}"),
        ),
        ("<r x='1' y=\"'\" z='\"'/>", json!({})),
        ("<r x = '1'\n\ty\r=\r'2'/>", json!({})),
        ("<r><宛名 番号='1'/></r>", json!({})),
        ("<r><_a.b-c9·/></r>", json!({})),
        ("<r xmlns:p='urn:p' p:x='1' x='2'><p:y/></r>", json!({})),
        ("<r xmlns:p='urn:p' xmlns:q='urn:q' p:x='1' q:x='2'/>", json!({})),
        ("<r><x xmlns='urn:x'><y xmlns=''/></x><a>1</a></r>", with_a("1")),
        ("<r xml:lang='ja' xml:space='preserve'/>", json!({})),
        ("<r xmlns:p='urn:p'/>", json!({})),
    ];
    for (text, value) in samples {
        let found = decode(&open(), text);
        assert_eq!(found.as_ref(), Ok(value), "{text}");
    }
}

const XML_REFUSED: &[&str] = &[
    // no document, or more than one
    "",
    " ",
    "<!-- c -->",
    "<?xml version='1.0'?>",
    "text",
    "<r/>text",
    "<r/><r/>",
    "text<r/>",
    "<r/><![CDATA[]]>",
    "<r/>&amp;",
    "&#32;<r/>",
    // tags
    "<r",
    "<r>",
    "<r></r",
    "<r></R>",
    "</r>",
    "<r/></r>",
    "<r><a></r></a>",
    "< r/>",
    "<r></ r>",
    "<r/ >",
    "<>x</>",
    "<r></r x='1'>",
    "<r><a/</r>",
    "<r><</r>",
    "<r><a",
    "<r><1/></r>",
    "<r><-a/></r>",
    "<r><.a/></r>",
    "<r><a?/></r>",
    "<r><a!b/></r>",
    "<r><a\u{D7}/></r>",
    "<r><a/b/></r>",
    "<r><a<b/></r>",
    // attributes
    "<r x/>",
    "<r x=/>",
    "<r x=1/>",
    "<r x='1/>",
    "<r x='1\"/>",
    "<r x='1' x='1'/>",
    "<r x='1'y='2'/>",
    "<r x='<'/>",
    "<r x='&'/>",
    "<r x='&b;'/>",
    "<r x='&#0;'/>",
    "<r 1='1'/>",
    "<r ='1'/>",
    "<r x='\u{1}'/>",
    "<r x='a' / >",
    "<r x:='1'/>",
    "<r x='1',y='2'/>",
    // references
    "<r>&</r>",
    "<r>& </r>",
    "<r>&amp</r>",
    "<r>&;</r>",
    "<r>&nbsp;</r>",
    "<r>&#;</r>",
    "<r>&#x;</r>",
    "<r>&#xG;</r>",
    "<r>&#65</r>",
    "<r>&#0;</r>",
    "<r>&#1;</r>",
    "<r>&#xD800;</r>",
    "<r>&#xFFFF;</r>",
    "<r>&#x110000;</r>",
    "<r>&#X41;</r>",
    "<r>&#-65;</r>",
    "<r>&#+65;</r>",
    "<r>& amp;</r>",
    "<r>&#99999999999;</r>",
    // characters
    "<r>\u{1}</r>",
    "<r>\u{B}</r>",
    "<r>\u{1F}</r>",
    "<r>\u{FFFE}</r>",
    "<r><!-- \u{1} --></r>",
    "<r><![CDATA[\u{1}]]></r>",
    "<r>]]></r>",
    "<r>a]]>b</r>",
    // comments, CDATA, processing instructions, document types
    "<r><!-- a -- b --></r>",
    "<r><!-- a ---></r>",
    "<r><!-></r>",
    "<r><!--></r>",
    "<r><!- a --></r>",
    "<r><!-- a </r>",
    "<!-- a --",
    "<r><![CDATA[a</r>",
    "<r><![cdata[a]]></r>",
    "<r><![CDATA a]]></r>",
    "<r><![ CDATA[a]]></r>",
    "<![CDATA[a]]><r/>",
    "<r><?p?></r>",
    "<?p a?><r/>",
    "<r/><?p?>",
    "<r><?xml version='1.0'?></r>",
    "<!DOCTYPE r><r/>",
    "<!DOCTYPE r [<!ENTITY e 'x'>]><r>&e;</r>",
    "<!doctype r><r/>",
    "<!ELEMENT r ANY><r/>",
    "<r><!ELEMENT r></r>",
    // the declaration
    " <?xml version='1.0'?><r/>",
    "<?xml version='1.1'?><r/>",
    "<?xml version='2.0'?><r/>",
    "<?xml?><r/>",
    "<?xml encoding='UTF-8'?><r/>",
    "<?XML version='1.0'?><r/>",
    "<?xml version=1.0?><r/>",
    "<?xml version='1.0' encoding='UTF-16'?><r/>",
    "<?xml version='1.0' encoding='EUC-JP'?><r/>",
    "<?xml version='1.0' encoding=''?><r/>",
    "<?xml version='1.0' standalone='maybe'?><r/>",
    "<?xml version='1.0' standalone='yes' encoding='UTF-8'?><r/>",
    "<?xml version='1.0'?><?xml version='1.0'?><r/>",
    "<?xml version='1.0' x='1'?><r/>",
    "<?xml version='1.0'><r/>",
    "<?xml version='1.0'encoding='UTF-8'?><r/>",
    // namespaces
    "<p:r/>",
    "<r p:x='1'/>",
    "<r xmlns:p=''/>",
    "<r xmlns:xml='urn:x'/>",
    "<r xmlns:xmlns='urn:x'/>",
    "<r xmlns:p='http://www.w3.org/2000/xmlns/'/>",
    "<r xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
    "<r xmlns='http://www.w3.org/XML/1998/namespace'/>",
    "<r><a:b:c xmlns:a='urn:a'/></r>",
    "<r><:a/></r>",
    "<r><a:/></r>",
    "<r xmlns:p='urn:p' xmlns:q='urn:p' p:x='1' q:x='2'/>",
    "<r xmlns:='urn:x'/>",
    "<r xmlns:p='urn:a' xmlns:p='urn:a'/>",
    "<r xmlns='' xmlns=''/>",
];

#[test]
fn xml_refuses() {
    let codec = open();
    let accepted: Vec<&&str> =
        XML_REFUSED.iter().filter(|text| decode(&codec, text).is_ok()).collect();
    assert!(accepted.is_empty(), "{accepted:#?}");
}

#[test]
fn xml_in_utf_16_has_its_byte_order_mark() {
    let codec = open();
    let encode = |text: &str, little: bool| -> Vec<u8> {
        let unit = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
        text.encode_utf16().flat_map(unit).collect()
    };
    for little in [true, false] {
        let of = |text: &str| decode(&codec, encode(text, little));
        let document = json!({"a": "髙𠮷"});
        assert_eq!(of("\u{FEFF}<r><a>髙𠮷</a></r>"), Ok(document.clone()));
        let declared = "\u{FEFF}<?xml version='1.0' encoding='utf-16'?><r><a>髙𠮷</a></r>";
        assert_eq!(of(declared), Ok(document));
        let wrong = "\u{FEFF}<?xml version='1.0' encoding='UTF-8'?><r/>";
        assert_eq!(refusal(of(wrong)), "S322 1:1 ");
        assert_eq!(refusal(of("<r/>")), "S322 1:1 ");
        assert_eq!(refusal(of("\u{FEFF}<r>\n  <a></b></r>")).split(' ').nth(1), Some("2:6"));
        let mut odd = encode("\u{FEFF}<r/>", little);
        odd.push(0);
        assert_eq!(refusal(decode(&codec, &odd)), "S341 1:5 ");
        let mut lone = encode("\u{FEFF}<r>\n", little);
        lone.extend(if little { [0x00, 0xDC] } else { [0xDC, 0x00] });
        assert_eq!(refusal(decode(&codec, &lone)), "S341 2:1 ");
    }
    assert!(codec.accepts("application/xml; charset=utf-16"));
    assert!(!codec.accepts("application/xml; charset=shift_jis"));
}

/// RFC 4180 §2, with the line end of the last row required and fields without spaces trimmed.
#[test]
fn csv_by_the_rules() {
    let csv = |quote: &str, header: bool| {
        codec(
            Format::Csv,
            &json!({"x-csv": {"quote": quote, "header": header}, "type": "array",
                "items": {"type": "object", "additionalProperties": false,
                    "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}}),
        )
    };
    let needed = csv("needed", false);
    let both = |a: &str, b: &str| json!([{"a": a, "b": b}]);
    let accepted: &[(&str, Value)] = &[
        ("", json!([])),
        ("x,y\r\n", both("x", "y")),
        ("\"x\",\"y\"\r\n", both("x", "y")),
        ("\"x\",y\r\n", both("x", "y")),
        (" x , y \r\n", both(" x ", " y ")),
        ("\"a,b\",\"c\r\nd\"\r\n", both("a,b", "c\r\nd")),
        ("\"a\"\"b\",\"\"\"\"\r\n", both("a\"b", "\"")),
        ("\"\"\"\"\"\",\"\"\r\n", both("\"\"", "")),
        (",\r\n", json!([{}])),
        ("x,\r\n,y\r\n", json!([{"a": "x"}, {"b": "y"}])),
        ("007,1.10\r\n", both("007", "1.10")),
        ("=1+1,@x\r\n", both("=1+1", "@x")),
        ("髙,𠮷\r\n", both("髙", "𠮷")),
        ("\"a\nb\",\"a\rb\"\r\n", both("a\nb", "a\rb")),
    ];
    for (text, value) in accepted {
        assert_eq!(decode(&needed, text).as_ref(), Ok(value), "{text:?}");
    }
    let refused = [
        "x,y",
        "x,y\n",
        "x,y\r",
        "x\r\n",
        "x,y,z\r\n",
        "\r\n",
        "x,y\r\n\r\n",
        "\"x,y\r\n",
        "\"x\" ,y\r\n",
        " \"x\",y\r\n",
        "x\"y,z\r\n",
        "\"x\"y,z\r\n",
        "\"x\"\"y,z\r\n",
        "x,\"y\r\n",
        "\"x\",\"y\"\"\r\n",
        "x;y\r\n",
        "x\ty\r\n",
        "\u{FEFF}x,y\r\n",
        "x,y\u{0}\r\n",
        "a\nb,c\r\n",
        "a\rb,c\r\n",
    ];
    for text in refused {
        assert!(decode(&needed, text).is_err(), "{text:?}");
    }
    let header = csv("never", true);
    assert_eq!(decode(&header, "a,b\r\nx,y\r\n"), Ok(both("x", "y")));
    assert_eq!(decode(&header, "a,b\r\n"), Ok(json!([])));
    for text in ["", "b,a\r\n", "A,b\r\n", "a,b", "x,y\r\na,b\r\n", "a,b\r\n\"x\",y\r\n"] {
        assert!(decode(&header, text).is_err(), "{text:?}");
    }
}
