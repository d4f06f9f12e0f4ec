//! A counterpart that speaks SOAP, added by files alone: its requests, answers and faults.

use crate::adapter::bundle::Enabled;
use crate::adapter::{Bundle, Operation, Then};
use crate::codec::Limits;
use crate::diagnostic::{SourceFile, render};
use crate::mapping::Meta;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const REQUEST: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "x-soap": {"version": "VERSION", "action": "urn:example:library:Reserve"},
  "type": "object", "additionalProperties": false, "required": ["header", "body"],
  "properties": {
    "header": {"type": "object", "additionalProperties": false, "required": ["key"], "properties": {
      "key": {"type": "string", "maxLength": 20,
        "xml": {"name": "Key", "namespace": "urn:example:desk", "must-understand": true}}}},
    "body": {"type": "object", "additionalProperties": false, "required": ["Book"],
      "xml": {"name": "Reserve", "namespace": "urn:example:library"},
      "properties": {"Book": {"type": "string", "maxLength": 20}}}
  }
}"#;

const ANSWER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "x-soap": {"version": "VERSION"},
  "type": "object", "additionalProperties": false,
  "oneOf": [{"required": ["body"]}, {"required": ["fault"]}],
  "properties": {
    "body": {"type": "object", "additionalProperties": false, "required": ["Result"],
      "xml": {"name": "ReserveResponse", "namespace": "urn:example:library"},
      "properties": {"Result": {"type": "string", "maxLength": 10},
        "Number": {"type": "string", "maxLength": 10}}},
    "fault": {"type": "object", "additionalProperties": false, "required": ["code"],
      "properties": {"code": {"type": "string", "maxLength": 40},
        "subcode": {"type": "string", "maxLength": 40}}}
  }
}"#;

const ORDER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "x-message-types": ["book.wanted"],
  "type": "object", "additionalProperties": false, "required": ["title", "id"],
  "properties": {"title": {"type": "string", "maxLength": 20},
    "id": {"type": "string", "maxLength": 20}}
}"#;

const MAPPING: &str = "\
mapping: order-to-reserve
from: desk/order@1
to: library/reserve@1
rules:
  header:
    key: id
  body:
    Book: title
";

const ADAPTER: &str = "\
adapter: library
operations:
  reserve:
    interaction: request-reply
    unknown: resend
    request: {path: /soap, format: soap, schema: library/reserve@1}
    response: {format: soap, schema: library/reserved@1}
    outcomes:
      - {status: [200], when: 'body.Result == \"OK\"', then: applied, reference: body.Number}
      - {status: [400, 500], when: 'fault.code == \"CALLER\" and fault.subcode == \"NoSuchBook\"', then: refused, detail: fault.subcode}
      - {status: [500], when: 'fault.code == \"CALLEE\"', then: retry}
routes:
  wanted: {on: [book.wanted], operation: reserve, mapping: order-to-reserve}
";

fn bundle(version: &str) -> Bundle {
    let (caller, callee) =
        if version == "1.1" { ("Client", "Server") } else { ("Sender", "Receiver") };
    let files = [
        ("schemas/library/reserve/1.schema.json", REQUEST.replace("VERSION", version)),
        ("schemas/library/reserved/1.schema.json", ANSWER.replace("VERSION", version)),
        ("schemas/desk/order/1.schema.json", ORDER.to_owned()),
        ("mappings/order-to-reserve/mapping.yaml", MAPPING.to_owned()),
        (
            "adapters/library/adapter.yaml",
            ADAPTER.replace("CALLER", caller).replace("CALLEE", callee),
        ),
    ];
    let files: Vec<Arc<SourceFile>> =
        files.iter().map(|(path, text)| SourceFile::new(*path, text.as_str())).collect();
    let mut problems = Vec::new();
    let bundle = Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems);
    bundle.unwrap_or_else(|| panic!("{}", render::text(&problems)))
}

/// What an answer means: the word, the reference and the counterpart's code.
fn judged(
    operation: &Operation,
    status: u16,
    answer: &str,
) -> (Then, Option<String>, Option<String>) {
    let plan = operation.step.response.as_ref().unwrap();
    let document = plan.codec.decode(answer.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(plan.schema.validate(&document), Ok(()));
    let verdict = operation.step.outcomes.judge(status, Some(&document), None);
    (verdict.then, verdict.reference, verdict.detail)
}

#[test]
fn a_message_becomes_an_envelope_with_its_action() {
    for version in ["1.1", "1.2"] {
        let bundle = bundle(version);
        let operation = &bundle.adapters["library"].operations["reserve"];
        let order = json!({"title": "渡し", "id": "m-1"});
        let meta = Meta {
            message_id: "m-1".into(),
            message_type: "book.wanted".into(),
            source: "desk".into(),
            municipality: None,
            operator: None,
            accepted_at: jiff::Timestamp::UNIX_EPOCH,
            idempotency_key: "k".into(),
            correlation_id: None,
            ticket: None,
            request: None,
        };
        let document = bundle.mappings["order-to-reserve"].run(&order, &meta).unwrap();
        let plan = operation.step.request.body.as_ref().unwrap();
        let text = String::from_utf8(plan.codec.encode(&document).unwrap()).unwrap();
        assert!(
            text.contains("<Key soap:mustUnderstand=\"1\" xmlns=\"urn:example:desk\">m-1</Key>")
        );
        assert!(
            text.contains("<Reserve xmlns=\"urn:example:library\"><Book>渡し</Book></Reserve>")
        );
        let action = ("SOAPAction".to_owned(), "\"urn:example:library:Reserve\"".to_owned());
        let headers = &operation.step.request.headers;
        assert_eq!(headers.contains(&action), version == "1.1", "{headers:?}");
        assert_eq!(plan.codec.content_type().contains("action="), version == "1.2");
    }
}

#[test]
fn an_answer_and_each_fault_have_their_line_in_the_outcome_table() {
    let envelope = |namespace: &str, inside: &str| {
        format!("<s:Envelope xmlns:s='{namespace}'><s:Body>{inside}</s:Body></s:Envelope>")
    };
    let good = "<ReserveResponse xmlns='urn:example:library'><Result>OK</Result>\
                <Number>R-9</Number></ReserveResponse>";
    let old = |code: &str| {
        let fault = format!(
            "<s:Fault><faultcode>s:{code}</faultcode><faultstring>never shown</faultstring></s:Fault>"
        );
        envelope("http://schemas.xmlsoap.org/soap/envelope/", &fault)
    };
    let new = |code: &str, sub: &str| {
        let fault = format!(
            "<s:Fault><s:Code><s:Value>s:{code}</s:Value><s:Subcode><s:Value xmlns:l='urn:l'>l:{sub}\
             </s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang='en'>never shown</s:Text>\
             </s:Reason></s:Fault>"
        );
        envelope("http://www.w3.org/2003/05/soap-envelope", &fault)
    };
    let reference = (Then::Applied, Some("R-9".to_owned()), None);
    let refused = (Then::Refused, None, Some("NoSuchBook".to_owned()));
    let bundle_1_1 = bundle("1.1");
    let operation = &bundle_1_1.adapters["library"].operations["reserve"];
    let answer = envelope("http://schemas.xmlsoap.org/soap/envelope/", good);
    assert_eq!(judged(operation, 200, &answer), reference);
    assert_eq!(judged(operation, 500, &old("Client.NoSuchBook")), refused);
    assert_eq!(judged(operation, 500, &old("Server")), (Then::Retry, None, None));
    assert_eq!(judged(operation, 500, &old("MustUnderstand")), (Then::Unknown, None, None));
    let bundle_1_2 = bundle("1.2");
    let operation = &bundle_1_2.adapters["library"].operations["reserve"];
    let answer = envelope("http://www.w3.org/2003/05/soap-envelope", good);
    assert_eq!(judged(operation, 200, &answer), reference);
    assert_eq!(judged(operation, 400, &new("Sender", "NoSuchBook")), refused);
    assert_eq!(judged(operation, 500, &new("Receiver", "Busy")), (Then::Retry, None, None));
}
