//! XML: the layout keywords, what is refused, and what must survive.

use super::*;
use serde_json::json;

const NS: &str = "urn:example:t";

fn layout() -> Value {
    let nil = json!({"type": "object", "additionalProperties": false, "required": ["$nil"],
        "properties": {"$nil": {"type": "string"}}});
    json!({
        "x-xml": {"root": "Message", "namespace": NS, "nil-reason": "why"},
        "type": "object", "additionalProperties": false, "required": ["line"],
        "properties": {
            "version": {"type": "string", "xml": {"attribute": true}},
            "id": {"type": "string", "xml": {"name": "Id"}},
            "count": {"type": "integer"},
            "rate": {"type": "number"},
            "flag": {"type": "boolean"},
            "note": {"type": "string", "xml": {"cdata": true}},
            "amount": {"oneOf": [{"type": "string"}, nil]},
            "line": {"type": "array", "items": {"type": "string"}},
            "doses": {"type": "array", "xml": {"wrapped": true, "name": "Doses"},
                "items": {"type": "object", "additionalProperties": false, "xml": {"name": "Dose"},
                    "properties": {"no": {"type": "integer"}}}},
            "price": {"type": "object", "additionalProperties": false, "required": ["value"],
                "properties": {
                    "currency": {"type": "string", "xml": {"attribute": true}},
                    "value": {"type": "string", "xml": {"text": true}}}},
            "other": {"type": "object", "additionalProperties": false,
                "xml": {"namespace": "urn:example:other", "prefix": "o"},
                "properties": {"x": {"type": "string"}}}
        }
    })
}

fn full() -> Value {
    json!({
        "version": "1 \"<&>\" \n\t\r",
        "id": " 試験　太郎 <&>\r\n\t]]> 𠮷髙\u{E000}",
        "count": -3, "rate": 0.5, "flag": true, "note": "a]]>b <c>",
        "amount": {"$nil": "NotRecorded"},
        "line": ["a", "", "c"],
        "doses": [{"no": 1}, {}],
        "price": {"currency": "JPY", "value": "100"},
        "other": {"x": "y"}
    })
}

#[test]
fn a_document_is_written_in_the_order_of_the_schema_and_read_back() {
    let codec = codec(Format::Xml, &layout());
    let document = full();
    let bytes = codec.encode(&document).unwrap();
    let expected = concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<Message xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"",
        " xmlns=\"urn:example:t\" version=\"1 &quot;&lt;&amp;&gt;&quot; &#10;&#9;&#13;\">",
        "<Id> 試験　太郎 &lt;&amp;&gt;&#13;\n\t]]&gt; 𠮷髙\u{E000}</Id>",
        "<count>-3</count><rate>0.5</rate><flag>true</flag>",
        "<note><![CDATA[a]]]]><![CDATA[>b <c>]]></note>",
        "<amount xsi:nil=\"true\" why=\"NotRecorded\"/>",
        "<line>a</line><line/><line>c</line>",
        "<Doses><Dose><no>1</no></Dose><Dose></Dose></Doses>",
        "<price currency=\"JPY\">100</price>",
        "<o:other xmlns:o=\"urn:example:other\"><o:x>y</o:x></o:other>",
        "</Message>"
    );
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
    assert_eq!(decode(&codec, bytes).unwrap(), document);
}

#[test]
fn other_spellings_of_the_same_document() {
    let codec = codec(Format::Xml, &layout());
    let text = "\u{FEFF}<?xml version='1.0' encoding='utf-8' standalone='yes'?>\n<!-- a comment -->\n\
        <p:Message xmlns:p='urn:example:t'>\n  <p:Id>a<!-- b -->&#x63;<![CDATA[<d>]]>&lt;</p:Id>\n\
        <p:amount xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='false'>5</p:amount>\n\
        <line xmlns='urn:example:t'></line></p:Message>\n<!-- end -->\n";
    let document = decode(&codec, text).unwrap();
    assert_eq!(document, json!({"id": "ac<d><", "amount": "5", "line": [""]}));
    let bare = decode(&codec, "<Message xmlns='urn:example:t'/>").unwrap();
    assert_eq!(bare, json!({"line": []}));
}

#[test]
fn what_is_refused_and_where() {
    let codec = codec(Format::Xml, &layout());
    let inside = |text: &str| format!("<Message xmlns='{NS}'>{text}</Message>");
    let xsi = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'";
    let cases = vec![
        (String::new(), "S321"),
        ("text".to_owned(), "S321"),
        ("<Message".to_owned(), "S321"),
        (format!("<Message xmlns='{NS}'><Id>a</Id>"), "S321"),
        (inside("<Id>a</Idd>"), "S321"),
        (inside("<Id>a"), "S321"),
        (inside("</Id>"), "S321"),
        (inside("") + "<Message/>", "S312"),
        (inside("") + "x", "S312"),
        ("x".to_owned() + &inside(""), "S321"),
        (format!("<!DOCTYPE Message>{}", inside("")), "S322"),
        ("<!DOCTYPE m [<!ENTITY e 'x'>]><m>&e;</m>".to_owned(), "S322"),
        (inside("<Id>&e;</Id>"), "S322"),
        (inside("<?pi x?>"), "S322"),
        (format!("<?xml version='1.1'?>{}", inside("")), "S322"),
        (format!("<?xml version='1.0' encoding='Shift_JIS'?>{}", inside("")), "S322"),
        (format!(" <?xml version='1.0'?>{}", inside("")), "S321"),
        (inside("<Id>&#1;</Id>"), "S309"),
        (inside("<Id>&#0;</Id>"), "S322"),
        (inside("<Id>\u{1}</Id>"), "S309"),
        (inside("<Id>\u{FFFE}</Id>"), "S309"),
        (inside("<Id>]]></Id>"), "S321"),
        ("<Message/>".to_owned(), "S323"),
        ("<Massage xmlns='urn:example:t'/>".to_owned(), "S323"),
        (inside("<Idd>a</Idd>"), "S323"),
        (inside("<Id xmlns=''>a</Id>"), "S323"),
        (inside("<Id>a</Id><Id>b</Id>"), "S323"),
        (inside("<count>1</count><Id>b</Id>"), "S323"),
        (inside("<Doses><Dose/><Other/></Doses>"), "S323"),
        (inside("<q:Id>b</q:Id>"), "S321"),
        (inside("<Id a='1'>b</Id>"), "S324"),
        (inside("<Doses a='1'/>"), "S324"),
        (format!("<Message xmlns='{NS}' other='1'/>"), "S324"),
        (format!("<Message xmlns='{NS}' version='1' version='2'/>"), "S321"),
        (format!("<Message xmlns='{NS}' version=1/>"), "S321"),
        (format!("<Message xmlns='{NS}'version='1'/>"), "S321"),
        (format!("<Message xmlns='{NS}' version/>"), "S321"),
        (format!("<Message xmlns='{NS}' version='a<b'/>"), "S321"),
        (format!("<Message xmlns='{NS}' version='&e;'/>"), "S322"),
        (inside("text<Id>a</Id>"), "S325"),
        (inside("<Id>a<b/></Id>"), "S325"),
        (inside("<price currency='JPY'>1<x/></price>"), "S325"),
        (inside("<Doses>x</Doses>"), "S325"),
        (inside("<count>1 </count>"), "S331"),
        (inside("<count>01</count>"), "S331"),
        (inside("<count>1.5</count>"), "S331"),
        (inside("<count></count>"), "S331"),
        (inside("<count>１</count>"), "S331"),
        (inside("<flag>1</flag>"), "S331"),
        (inside(&format!("<Id {xsi} xsi:nil='true' why='x'/>")), "S326"),
        (inside(&format!("<amount {xsi} xsi:nil='true'/>")), "S326"),
        (inside(&format!("<amount {xsi} xsi:nil='true' reason='x'/>")), "S326"),
        (inside(&format!("<amount {xsi} xsi:nil='true' why='x'>5</amount>")), "S326"),
        (inside(&format!("<amount {xsi} xsi:nil='maybe' why='x'/>")), "S326"),
    ];
    for (text, code) in cases {
        let error = decode(&codec, &text).unwrap_err();
        assert_eq!(error.code.code, code, "{text}: {error}");
        assert!(error.line > 0, "{text}");
    }
    let place =
        refusal(decode(&codec, inside("\n<Doses><Dose/><Dose>\n <no>x</no></Dose></Doses>")));
    assert_eq!(place, "S331 3:2 /doses/1/no");
    assert_eq!(refusal(decode(&codec, b"<m>\xFF</m>")), "S305 1:4 ");
}

#[test]
fn the_limits_hold() {
    let codec = codec(Format::Xml, &layout());
    let limits = Limits { max_depth: 3, max_nodes: 6, max_string: NS.len(), ..Limits::default() };
    let inside = |text: &str| format!("<Message xmlns='{NS}'>{text}</Message>");
    let told = |text: String| codec.decode(text.as_bytes(), &limits).unwrap_err().code.code;
    assert_eq!(told(inside("<a><b><c/></b></a>")), "S302");
    assert_eq!(told(inside(&"<line/>".repeat(6))), "S303");
    assert_eq!(told(inside("<Id>0123456789ab&amp;d</Id>")), "S304");
    let many: String = (0..70).map(|n| format!(" a{n}='1'")).collect();
    assert_eq!(told(format!("<Message{many}/>")), "S303");
    let deep = "<a>".repeat(100_000);
    let error = decode(&codec, deep).unwrap_err();
    assert_eq!(error.code.code, "S302");
}

#[test]
fn what_cannot_be_written() {
    let codec = codec(Format::Xml, &layout());
    let told = |value: Value| unwritten(codec.encode(&value));
    assert_eq!(told(json!({"id": "a\u{1}", "line": []})), "S403 /id");
    assert_eq!(told(json!({"id": null, "line": []})), "S401 /id");
    assert_eq!(told(json!({"id": 5, "line": []})), "S401 /id");
    assert_eq!(told(json!({"count": 0.5, "line": []})), "S401 /count");
    assert_eq!(told(json!({"line": [], "123456789018": 1})), "S401 ");
    assert_eq!(told(json!({"line": "x"})), "S401 /line");
    assert_eq!(told(json!({"line": ["a", 1]})), "S401 /line/1");
    assert_eq!(told(json!({"line": [], "id": {"$nil": "x"}})), "S401 /id");
    assert_eq!(told(json!({"line": [], "amount": {"$nil": "x", "y": 1}})), "S401 /amount");
    assert_eq!(told(json!([])), "S401 ");
}

#[test]
fn layouts_that_are_ambiguous_are_refused_at_compile_time() {
    let with = |properties: Value| {
        let schema = json!({"x-xml": {"root": "r"}, "type": "object",
            "additionalProperties": false, "properties": properties});
        compile(Format::Xml, &schema).unwrap_err().join("\n")
    };
    let text = json!({"type": "string"});
    assert!(with(json!({"a><evil": text})).contains("not a name in XML"));
    assert!(with(json!({"a": {"type": ["string", "null"]}})).contains("one scalar"));
    assert!(with(json!({"a": {}})).contains("anything"));
    assert!(with(json!({"a": {"type": "array", "items": text}})).contains("minItems"));
    assert!(
        with(json!({"a": text, "b": {"type": "string", "xml": {"name": "a"}}})).contains("two")
    );
    assert!(with(json!({"a": {"type": "string", "xml": {"text": true}}})).contains("required"));
    let attribute = json!({"type": "object", "additionalProperties": false,
        "xml": {"attribute": true}, "properties": {}});
    assert!(with(json!({"a": attribute})).contains("one scalar"));
    let bare = json!({"type": "object", "additionalProperties": false, "properties": {}});
    assert!(compile(Format::Xml, &bare).unwrap_err()[0].starts_with("S121"));
}

#[test]
fn an_open_object_passes_over_what_it_does_not_know() {
    let codec = codec(
        Format::Xml,
        &json!({"x-xml": {"root": "r"}, "type": "object", "x-open": true,
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}),
    );
    let document = decode(&codec, "<r v='1'><x>1</x><a>1</a><y><z/></y><b>2</b><x/></r>").unwrap();
    assert_eq!(document, json!({"a": "1", "b": "2"}));
    assert_eq!(refusal(decode(&codec, "<r><b>2</b><a>1</a></r>")), "S323 1:12 ");
}

#[test]
fn errors_never_hold_what_was_sent() {
    let codec = codec(Format::Xml, &layout());
    let secret = "123456789018";
    for text in [
        format!("<x{secret}/>"),
        format!("<Message xmlns='{NS}'><a{secret}/></Message>"),
        format!("<Message xmlns='{NS}' a{secret}='{secret}'/>"),
        format!("<Message xmlns='{NS}'><count>{secret}x</count></Message>"),
        format!("<Message xmlns='{NS}'></x{secret}>"),
        format!("<Message xmlns='{NS}'><Id>&x{secret};</Id></Message>"),
    ] {
        let error = decode(&codec, &text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error}");
    }
}
