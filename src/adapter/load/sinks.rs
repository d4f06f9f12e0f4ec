//! Classified data never leaves its body in the clear: each sink of an adapter file.

use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::diagnostic::{SourceFile, render};
use std::collections::BTreeMap;
use std::sync::Arc;

const ORDER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "order", "x-message-types": ["order.placed"],
  "type": "object", "additionalProperties": false, "required": ["number", "town"],
  "properties": {
    "number": {"type": "string", "maxLength": 12, "x-class": "個人番号"},
    "town": {"type": "string", "maxLength": 6, "x-class": "個人情報"}}
}"#;

const REQUEST: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "request", "type": "object", "additionalProperties": false, "required": ["kind"],
  "properties": {"kind": {"type": "string", "maxLength": 6}}
}"#;

const ANSWER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "answer", "type": "object", "additionalProperties": false,
  "properties": {
    "result": {"type": "string", "maxLength": 6},
    "number": {"type": "string", "maxLength": 12, "x-class": "個人番号"},
    "person": {"type": "object", "additionalProperties": false, "x-class": "個人情報",
      "properties": {"id": {"type": "string", "maxLength": 6}}},
    "note": {"oneOf": [{"type": "integer"},
      {"type": "string", "maxLength": 6, "x-class": "要配慮"}]},
    "list": {"type": "array", "maxItems": 9, "x-class": "特定個人情報", "items": {
      "type": "object", "additionalProperties": false,
      "properties": {"at": {"type": "integer"}, "code": {"type": "string", "maxLength": 6}}}}}
}"#;

const MAPPING: &str = "\
mapping: order-to-request
from: shop/order@1
to: shop/request@1
rules:
  kind: '\"new\"'
";

const ADAPTER: &str = "\
adapter: shop
operations:
  place:
    interaction: submit-poll
    unknown: resend
    request: {path: /orders, schema: shop/request@1}
    response: {schema: shop/answer@1}
    outcomes:
      - {status: [200], when: present(number), then: accepted, ticket: number, reference: person.id}
      - {status: [200], when: present(result), then: refused, detail: result}
      - {status: [400], when: present(note), then: refused, detail: note}
    poll:
      request: {method: GET, path: '/orders/{ticket}', format: none}
      response: {schema: shop/answer@1}
      outcomes:
        - {status: [200], when: present(list), then: ready}
      items: {path: list, key: at}
      item-outcomes:
        - {when: code == \"ok\", then: applied, reference: code}
  fetch:
    interaction: pull
    every: 1s
    type: order.fetched
    request: {method: GET, path: '/orders/{id}', format: none}
    response: {schema: shop/answer@1}
    outcomes: [{status: [200], when: present(result), then: applied}]
    list:
      request: {method: GET, path: /orders, format: none}
      response: {schema: shop/answer@1}
      outcomes: [{status: [200], when: present(list), then: applied}]
      items: list
      id: code
routes:
  placing:
    on: order.placed
    operation: place
    mapping: order-to-request
    ordering-key: number
    subject: number
    municipality: town
";

fn problems(adapter: &str) -> String {
    let files = [
        ("schemas/shop/order/1.schema.json", ORDER),
        ("schemas/shop/request/1.schema.json", REQUEST),
        ("schemas/shop/answer/1.schema.json", ANSWER),
        ("mappings/order-to-request/mapping.yaml", MAPPING),
        ("adapters/shop/adapter.yaml", adapter),
    ];
    let files: Vec<Arc<SourceFile>> =
        files.iter().map(|(path, text)| SourceFile::new(*path, *text)).collect();
    let mut problems = Vec::new();
    Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems);
    render::text(&problems)
}

#[test]
fn each_flow_into_the_clear_is_told_from_source_to_sink() {
    // The ordering key and the subject are hashed under a key: they admit the 個人番号.
    let told = include_str!("../../../tests/corpus/adapter/classes-in-the-clear.txt");
    assert_eq!(problems(ADAPTER), told);
}

#[test]
fn plain_places_may_go_everywhere() {
    let clean = ADAPTER
        .replace("ticket: number", "ticket: result")
        .replace("person.id", "result")
        .replace("detail: note", "detail: result")
        .replace(", reference: code", "")
        .replace("    municipality: town\n", "");
    let found = problems(&clean);
    // All that is left: ids of a list that is classified as a whole.
    assert_eq!(found.matches("A409").count(), 1, "{found}");
    assert!(found.contains("`code` (特定個人情報) flows into `id`"), "{found}");
}
