//! SOAP 1.1 and 1.2: the envelope is made and taken away, a fault becomes members.

use super::*;
use serde_json::json;

fn layout(version: &str) -> Value {
    let text = json!({"type": "string"});
    let parts = if version == "1.1" {
        json!({"code": text, "codeNamespace": text, "subcode": text, "reason": text, "role": text})
    } else {
        json!({"code": text, "subcode": text, "subcodeNamespace": text, "reason": text,
            "role": text, "node": text})
    };
    let mut fault = json!({"type": "object", "additionalProperties": false,
        "required": ["code", "reason"], "properties": parts});
    fault["properties"]["detail"] = json!({"type": "object", "additionalProperties": false,
        "properties": {"shelf": {"type": "object", "additionalProperties": false,
            "xml": {"name": "ShelfError", "namespace": "urn:example:library"},
            "properties": {"number": {"type": "string"}}}}});
    json!({
        "x-soap": {"version": version, "action": "urn:example:library:reserve"},
        "type": "object", "additionalProperties": false,
        "properties": {
            "header": {"type": "object", "additionalProperties": false, "properties": {
                "ticket": {"type": "string",
                    "xml": {"name": "Ticket", "namespace": "urn:example:desk", "must-understand": true}},
                "trace": {"type": "string",
                    "xml": {"namespace": "urn:example:desk", "prefix": "d"}}}},
            "body": {"type": "object", "additionalProperties": false,
                "xml": {"name": "Reserve", "namespace": "urn:example:library", "prefix": "l"},
                "required": ["copies"],
                "properties": {"book": {"type": "string"}, "copies": {"type": "integer"},
                    "note": {"oneOf": [{"type": "string"}, {"type": "object",
                        "additionalProperties": false, "required": ["$nil"],
                        "properties": {"$nil": {"type": "string"}}}]}}},
            "fault": fault
        },
        "oneOf": [{"required": ["body"]}, {"required": ["fault"]}]
    })
}

fn soap(version: &str) -> Codec {
    codec(Format::Soap, &layout(version))
}

const NS_1_1: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const NS_1_2: &str = "http://www.w3.org/2003/05/soap-envelope";

#[test]
fn a_request_is_put_into_an_envelope_and_taken_out_again() {
    let document = json!({
        "header": {"ticket": "A-7", "trace": "t1"},
        "body": {"book": "渡し & <船>", "copies": 2, "note": {"$nil": "NotRecorded"}}
    });
    for (version, namespace) in [("1.1", NS_1_1), ("1.2", NS_1_2)] {
        let codec = soap(version);
        assert_eq!(schema(&layout(version)).validate(&document), Ok(()));
        let bytes = codec.encode(&document).unwrap();
        let expected = [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            &format!("<soap:Envelope xmlns:soap=\"{namespace}\"><soap:Header>"),
            "<Ticket soap:mustUnderstand=\"1\" xmlns=\"urn:example:desk\">A-7</Ticket>",
            "<d:trace xmlns:d=\"urn:example:desk\">t1</d:trace></soap:Header><soap:Body>",
            "<l:Reserve xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" ",
            "xmlns:l=\"urn:example:library\"><l:book>渡し &amp; &lt;船&gt;</l:book>",
            "<l:copies>2</l:copies><l:note xsi:nil=\"true\" reason=\"NotRecorded\"/></l:Reserve>",
            "</soap:Body></soap:Envelope>",
        ]
        .concat();
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
        assert_eq!(decode(&codec, bytes).unwrap(), document);
    }
    assert_eq!(soap("1.1").content_type(), "text/xml; charset=utf-8");
    assert_eq!(soap("1.1").soap_action().unwrap(), "\"urn:example:library:reserve\"");
    assert_eq!(soap("1.2").soap_action(), None);
    assert_eq!(
        soap("1.2").content_type(),
        "application/soap+xml; charset=utf-8; action=\"urn:example:library:reserve\""
    );
    assert!(soap("1.1").accepts("text/xml; charset=UTF-8"));
    assert!(!soap("1.1").accepts("application/soap+xml"));
    assert!(soap("1.2").accepts("application/soap+xml; charset=utf-8; action=\"a;b\""));
    assert!(!soap("1.2").accepts("text/xml"));
}

/// An answer of SOAP 1.1 with this inside the fault, prefixes chosen by the counterpart.
fn fault_1_1(inside: &str) -> String {
    format!(
        "<?xml version='1.0'?>\n<E:Envelope xmlns:E='{NS_1_1}' xmlns:x='urn:example:codes'>\n \
         <E:Body>\n  <E:Fault>{inside}</E:Fault>\n </E:Body>\n</E:Envelope>"
    )
}

fn fault_1_2(inside: &str) -> String {
    format!(
        "<env:Envelope xmlns:env='{NS_1_2}' xmlns:x='urn:example:codes'><env:Body>\
         <env:Fault>{inside}</env:Fault></env:Body></env:Envelope>"
    )
}

#[test]
fn a_fault_of_1_1_becomes_members() {
    let codec = soap("1.1");
    let cases = [
        ("E:Server", json!({"code": "Server"})),
        ("\n E:Client \n", json!({"code": "Client"})),
        ("E:Client.Authentication", json!({"code": "Client", "subcode": "Authentication"})),
        ("Client", json!({"code": "Client"})),
        ("E0003", json!({"code": "E0003"})),
        ("x:E0003", json!({"code": "E0003", "codeNamespace": "urn:example:codes"})),
        ("x:Client.a", json!({"code": "Client.a", "codeNamespace": "urn:example:codes"})),
    ];
    for (code, mut fault) in cases {
        let text = fault_1_1(&format!(
            "<faultcode>{code}</faultcode><faultstring xml:lang='en'>no shelf</faultstring>\
             <faultactor>urn:example:desk</faultactor><detail><q:ShelfError \
             xmlns:q='urn:example:library'><q:number>7</q:number></q:ShelfError>\
             <other xmlns='urn:y'>never read</other></detail>"
        ));
        fault["reason"] = json!("no shelf");
        fault["role"] = json!("urn:example:desk");
        fault["detail"] = json!({"shelf": {"number": "7"}});
        let document = json!({ "fault": fault });
        assert_eq!(decode(&codec, &text).unwrap(), document, "{code}");
        let bytes = codec.encode(&document).unwrap();
        assert_eq!(decode(&codec, bytes).unwrap(), document, "{code}");
    }
}

#[test]
fn a_fault_of_1_2_becomes_members() {
    let codec = soap("1.2");
    let text = fault_1_2(
        "<env:Code><env:Value>env:Sender</env:Value><env:Subcode><env:Value>x:Late</env:Value>\
         <env:Subcode><env:Value>x:TwoWeeks</env:Value></env:Subcode></env:Subcode></env:Code>\
         <env:Reason><env:Text xml:lang='en-GB'>too late</env:Text>\
         <env:Text xml:lang='ja'>期限切れ</env:Text></env:Reason>\
         <env:Node>urn:example:node</env:Node><env:Role>urn:example:role</env:Role>\
         <env:Detail><ShelfError xmlns='urn:example:library'/></env:Detail>",
    );
    let document = json!({"fault": {"code": "Sender", "subcode": "Late/TwoWeeks",
        "subcodeNamespace": "urn:example:codes", "reason": "期限切れ", "node": "urn:example:node",
        "role": "urn:example:role", "detail": {"shelf": {}}}});
    assert_eq!(decode(&codec, text).unwrap(), document);
    let bytes = codec.encode(&document).unwrap();
    assert_eq!(decode(&codec, &bytes).unwrap(), document);
    let written = String::from_utf8(bytes).unwrap();
    assert!(written.contains("<soap:Value>soap:Sender</soap:Value>"), "{written}");
    assert!(written.contains("<soap:Text xml:lang=\"ja\">期限切れ</soap:Text>"), "{written}");
}

#[test]
fn only_declared_parts_of_a_fault_cross() {
    let mut layout = layout("1.1");
    layout["properties"]["fault"] = json!({"type": "object", "additionalProperties": false,
        "required": ["code"], "properties": {"code": {"type": "string"}}});
    let codec = codec(Format::Soap, &layout);
    let text = fault_1_1("<faultcode>E:Client.X</faultcode><faultstring>試験太郎</faultstring>");
    assert_eq!(decode(&codec, text).unwrap(), json!({"fault": {"code": "Client"}}));
    let own = fault_1_1("<faultcode>x:Client</faultcode><faultstring/>");
    assert_eq!(refusal(decode(&codec, own)), "S329 4:3 /fault");
}

#[test]
fn what_is_refused_and_where() {
    let v1_1 = |inside: &str| format!("<e:Envelope xmlns:e='{NS_1_1}'>{inside}</e:Envelope>");
    let body = "<e:Body><Reserve xmlns='urn:example:library'><copies>1</copies></Reserve></e:Body>";
    let header = |block: &str| v1_1(&format!("<e:Header>{block}</e:Header>{body}"));
    let codec = soap("1.1");
    assert!(decode(&codec, v1_1(body)).is_ok());
    let good = [
        header("<x xmlns='urn:z'/>"),
        header("<x xmlns='urn:z' e:mustUnderstand='0'/>"),
        header("<x xmlns='urn:z' e:mustUnderstand='1' e:actor='urn:someone-else'/>"),
        header("<Ticket xmlns='urn:example:desk' e:mustUnderstand='1'>A</Ticket>"),
        v1_1(&format!("<e:Header xmlns:w='urn:w' w:Id='1'/>{body}")),
    ];
    for text in good {
        assert!(decode(&codec, &text).is_ok(), "{text}");
    }
    assert_eq!(decode(&codec, v1_1("<e:Body/>")).unwrap(), json!({}));
    let next = "http://schemas.xmlsoap.org/soap/actor/next";
    let cases = [
        (header("<x xmlns='urn:z' e:mustUnderstand='1'/>"), "S328"),
        (header(&format!("<x xmlns='urn:z' e:mustUnderstand='1' e:actor='{next}'/>")), "S328"),
        (header("<x xmlns='urn:z' e:mustUnderstand='yes'/>"), "S328"),
        (header("<Ticket xmlns='urn:example:desk'/><Ticket xmlns='urn:example:desk'/>"), "S323"),
        (header("<Ticket xmlns='urn:example:desk' x='1'/>"), "S324"),
        (v1_1(""), "S327"),
        (v1_1("text<e:Body/>"), "S325"),
        (v1_1("<e:Body>text</e:Body>"), "S325"),
        (v1_1("<e:Body e:encodingStyle='urn:x'/>"), "S324"),
        (v1_1("<e:Body a='1'/>"), "S324"),
        (v1_1("<e:Body/><e:Body/>"), "S327"),
        (v1_1("<e:Body/><e:Header/>"), "S327"),
        (v1_1("<e:Header/><e:Header/><e:Body/>"), "S327"),
        (v1_1("<Body/>"), "S327"),
        (v1_1("<e:Body><a/><b/></e:Body>"), "S327"),
        (v1_1("<e:Body><a/></e:Body>"), "S323"),
        (v1_1("<e:Body><e:Fault/></e:Body>"), "S329"),
        (v1_1("<e:Body><e:Fault><faultcode/></e:Fault></e:Body>"), "S329"),
        (v1_1("<e:Body><e:Fault><faultcode>q:x</faultcode></e:Fault></e:Body>"), "S329"),
        (v1_1("<e:Body><e:Fault><faultcode>a b</faultcode></e:Fault></e:Body>"), "S329"),
        (v1_1("<e:Body><e:Fault><faultcode>xml:a</faultcode></e:Fault></e:Body>"), "S329"),
        (format!("<e:Envelope xmlns:e='{NS_1_2}'><e:Body/></e:Envelope>"), "S327"),
        ("<Envelope><Body/></Envelope>".to_owned(), "S327"),
        (format!("<!DOCTYPE x>{}", v1_1(body)), "S322"),
        (format!("<?pi x?>{}", v1_1(body)), "S322"),
        (v1_1(body)[..120].to_owned(), "S321"),
    ];
    for (text, code) in cases {
        let error = decode(&codec, &text).unwrap_err();
        assert_eq!(error.code.code, code, "{text}: {error}");
        assert!(error.line > 0, "{text}");
    }
    let wrong = v1_1(&body.replace(">1<", ">x<"));
    assert!(refusal(decode(&codec, wrong)).ends_with("/body/copies"));
    let new = soap("1.2");
    for code in ["env:Client", "x:Sender", "Sender", "env:Sender.a"] {
        let text = fault_1_2(&format!("<env:Code><env:Value>{code}</env:Value></env:Code>"));
        assert_eq!(decode(&new, text).unwrap_err().code.code, "S329", "{code}");
    }
}

#[test]
fn what_cannot_be_written() {
    let told = |version: &str, fault: Value| {
        let mut fault = fault;
        fault["reason"] = json!("");
        unwritten(soap(version).encode(&json!({ "fault": fault })))
    };
    assert_eq!(told("1.1", json!({"code": "Client.X"})), "S401 /fault/code");
    assert_eq!(told("1.1", json!({"code": "a b"})), "S401 /fault/code");
    assert_eq!(told("1.1", json!({"code": "E1", "subcode": "x"})), "S401 /fault/subcode");
    assert_eq!(told("1.1", json!({"code": "E1", "codeNamespace": NS_1_1})), "S401 /fault/code");
    assert_eq!(told("1.2", json!({"code": "E1"})), "S401 /fault/code");
    assert_eq!(told("1.2", json!({"code": "Sender", "subcode": "a//b"})), "S401 /fault/subcode");
    assert_eq!(
        told("1.2", json!({"code": "Sender", "subcodeNamespace": "urn:x"})),
        "S401 /fault/subcodeNamespace"
    );
    let codec = soap("1.1");
    let both = json!({"body": {"copies": 1}, "fault": {"code": "Client", "reason": ""}});
    assert_eq!(unwritten(codec.encode(&both)), "S401 ");
    assert_eq!(unwritten(codec.encode(&json!({"x": 1}))), "S401 ");
    assert_eq!(unwritten(codec.encode(&json!({"body": {"copies": "x"}}))), "S401 /body/copies");
    assert_eq!(unwritten(codec.encode(&json!({"header": {"x": ""}}))), "S401 /header");
}

#[test]
fn layouts_that_are_incomplete_are_refused_at_compile_time() {
    let with = |soap: Value, properties: Value| {
        let schema = json!({"x-soap": soap, "type": "object", "additionalProperties": false,
            "properties": properties});
        compile(Format::Soap, &schema).unwrap_err().join("\n")
    };
    let v1_2 = || json!({"version": "1.2"});
    assert!(with(json!({}), json!({})).contains("version"));
    assert!(with(v1_2(), json!({"content": {"type": "string"}})).contains("none of"));
    let object = |properties: Value| json!({"type": "object", "additionalProperties": false, "properties": properties});
    let text = json!({"type": "string"});
    assert!(with(v1_2(), json!({"header": object(json!({"a": text}))})).contains("namespace"));
    assert!(with(v1_2(), json!({"fault": object(json!({}))})).contains("requires `code`"));
    assert!(with(v1_2(), json!({"fault": object(json!({"text": text}))})).contains("no part"));
    assert!(with(json!({"version": "1.1", "action": "a b"}), json!({})).contains("printable"));
}
