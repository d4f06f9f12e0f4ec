//! What an adapter may say of values that come back, of what sees the request, of days, and of the
//! scopes of its tokens: each mistake with its code.

use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::diagnostic::{SourceFile, render};
use std::collections::BTreeMap;
use std::sync::Arc;

const ORDER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "order",
  "x-message-types": ["order.placed"], "type": "object", "additionalProperties": false,
  "required": ["who"],
  "properties": {"who": {"type": "string", "maxLength": 9}, "number": {"type": "string", "maxLength": 12, "x-class": "個人情報"}}
}"#;
const ANSWER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "answer",
  "type": "object", "additionalProperties": false, "required": ["result"],
  "properties": {"result": {"type": "string", "maxLength": 9}}
}"#;
const TO_ORDER: &str =
    "mapping: to-order\nfrom: shop/order@1\nto: shop/order@1\nrules: {who: who, number: number}\n";
const TO_ANSWER: &str = "mapping: to-answer\nfrom: shop/answer@1\nto: shop/answer@1\nrequest: shop/order@1\n\
    rules:\n  result: 'if(result == $request.who, result, reject(\"OTHER\", \"of another\"))'\n";
const ADAPTER: &str = "\
adapter: shop
operations:
  place:
    interaction: request-reply
    request: {path: /place, schema: shop/order@1}
    response: {schema: shop/answer@1}
    outcomes: [{status: [200], when: present(result), then: applied}]
  drawer:
    interaction: pull
    every: 1h
    type: order.fetched
    request: {method: GET, path: '/drawer/{id}', format: none}
    response: {schema: shop/order@1}
    outcomes: [{status: [200], when: present(who), then: applied}]
    list:
      request: {method: GET, path: /drawer, format: none}
      response: {schema: shop/answer@1}
      outcomes: [{status: [200], when: present(result), then: applied}]
      items: result
      id: result
routes:
  placing:
    on: order.placed
    operation: place
    mapping: to-order
    active-from: 2027-04-01
    remembers: {key: who, value: number}
    reply: {type: order.answered, mapping: to-answer}
  returned:
    on: order.fetched
    publish: order.returned
    mapping: to-order
    compares: {key: who, value: number}
";

fn problems(change: (&str, &str)) -> String {
    let changed = |text: &str| text.replacen(change.0, change.1, 1);
    let files = [
        ("schemas/shop/order/1.schema.json", ORDER),
        ("schemas/shop/answer/1.schema.json", ANSWER),
        ("mappings/to-order/mapping.yaml", TO_ORDER),
        ("mappings/to-answer/mapping.yaml", TO_ANSWER),
        ("adapters/shop/adapter.yaml", ADAPTER),
    ];
    let files: Vec<Arc<SourceFile>> =
        files.iter().map(|(path, text)| SourceFile::new(*path, changed(text))).collect();
    let mut problems = Vec::new();
    Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems);
    render::text(&problems)
}

#[test]
fn each_mistake_has_its_code() {
    assert_eq!(problems(("no such text", "")), "");
    for (from, to, code, says) in [
        (
            "remembers: {key: who, value: number}",
            "remembers: {key: who, value: numbre}",
            "A",
            "did you mean `number`?",
        ),
        ("remembers: {key: who, value: number}", "remembers: {key: who}", "M005", "value"),
        ("remembers:", "compares:", "A203", "goes with `publish:`"),
        ("    compares:", "    remembers:", "A203", "goes with `operation:`"),
        ("$request.who", "$request.whom", "M201", "did you mean `who`?"),
        ("request: shop/order@1\n", "", "M", "unknown variable `$request`"),
        ("request: shop/order@1\n", "request: shop/answer@1\n", "M201", "who"),
        ("reject(\"OTHER\", \"of another\")", "$request.number", "M214", "$request.number"),
        (
            "    mapping: to-order\n    active",
            "    mapping: to-answer\n    active",
            "A",
            "sees a request",
        ),
        ("active-from: 2027-04-01", "active-from: April", "A", "a day in Japan"),
        (
            "active-from: 2027-04-01",
            "active-from: 2027-04-01\n    active-to: 2027-03-31",
            "A",
            "`active-to` is before `active-from`",
        ),
    ] {
        let found = problems((from, to));
        assert!(
            found.contains(&format!("[{code}")) && found.contains(says),
            "{from} -> {to}\n{found}"
        );
    }
}

#[test]
fn scopes_need_a_token_and_a_form() {
    let scoped = "schema: shop/order@1, scope: 'shop:place:Create'}\n    response";
    let plain = "schema: shop/order@1}\n    response";
    let told = problems((plain, scoped));
    assert!(
        told.contains("error[A203]: `scope` and `audience` need an `auth` with scopes"),
        "{told}"
    );
    assert!(told.contains("adapters/shop/adapter.yaml:5:"), "{told}");
    let auth = "auth: {kind: client-secret-jwt, token-path: /token, scope: \"a  b\"}\noperations:";
    let told = problems(("operations:", auth));
    assert!(told.contains("error[A212]: `scope` is not a list of words"), "{told}");
    let auth = "auth: {kind: basic, scope: all}\noperations:";
    assert!(problems(("operations:", auth)).contains("`scope`"));
    let good = "auth: {kind: client-secret-jwt, token-path: /token, scope: \"a b\", audience: shop}\n\
                operations:";
    assert_eq!(problems(("operations:", good)), "");
    let auth = "auth: {kind: client-secret-jwt, token-path: /token}\noperations:";
    let text = ADAPTER.replacen("operations:", auth, 1);
    assert_eq!(problems((ADAPTER, &text)), "");
    let told = problems((ADAPTER, &text.replacen(plain, scoped, 1)));
    assert!(
        told.contains("warning[A213]: `drawer`: the request to `/drawer` has no scope"),
        "{told}"
    );
    assert_eq!(told.matches("A213").count(), 2, "{told}");
}

#[test]
fn lines_that_see_the_request_or_give_a_reason_are_checked() {
    let line = "when: present(result), then: applied}]\n  drawer";
    let sees = "when: result == $request.who, then: applied}]\n  drawer";
    assert_eq!(problems((line, sees)), "");
    let told = problems((line, "when: result == $request.whom, then: applied}]\n  drawer"));
    assert!(told.contains("M201") && told.contains("did you mean `who`?"), "{told}");
    assert!(told.contains("adapters/shop/adapter.yaml:7:"), "{told}");
    // What a pull gets was never submitted.
    let told = problems(("when: present(who)", "when: present($request.who)"));
    assert!(told.contains("unknown variable `$request`"), "{told}");

    let reasons = "reasons:\n  SOLD_OUT: {title: sold out, remedy: order another}\noperations:";
    let refused = "then: applied}, {status: [400], then: refused, reason: SOLD_OTU}]\n  drawer";
    let told = problems(("then: applied}]\n  drawer", refused));
    assert!(told.contains("error[A306]: unknown reason `SOLD_OTU`"), "{told}");
    assert!(told.contains("declare it: `reasons:` of the adapter"), "{told}");
    let both = format!("{}\n{}", reasons, "  place:");
    let text = ADAPTER.replacen("operations:\n  place:", &both, 1);
    let text = text.replacen("then: applied}]\n  drawer", refused, 1);
    assert!(problems((ADAPTER, &text)).contains("did you mean `SOLD_OUT`?"));
    assert_eq!(problems((ADAPTER, &text.replace("SOLD_OTU", "SOLD_OUT"))), "");
    let applied =
        text.replace("then: refused, reason: SOLD_OTU", "then: pending, reason: SOLD_OUT");
    assert!(problems((ADAPTER, &applied)).contains("error[A203]"));
    let odd = text.replace("SOLD_OTU", "SOLD_OUT").replace("SOLD_OUT", "sold-out");
    assert!(problems((ADAPTER, &odd)).contains("`sold-out` is not a reason's name"));
}

#[test]
fn what_staff_give_must_become_the_same_answer() {
    let reply = "mapping: to-answer}\n  returned";
    let by_hand = |rest: &str| format!("mapping: to-answer, by-hand: {{{rest}}}}}\n  returned");
    let told = |rest: &str| problems((reply, &by_hand(rest)));
    // From the answer's own layout to what upstream gets, as the reply itself.
    assert_eq!(told("mapping: to-answer"), "");
    assert_eq!(told("mapping: to-answer, persons: one"), "");
    let other = told("mapping: to-order");
    assert!(other.contains("error[A206]"), "{other}");
    assert!(other.contains("gives `shop/answer@1`, this one `shop/order@1`"), "{other}");
    assert!(told("mapping: to-anser").contains("did you mean `to-answer`?"));
    assert!(told("mapping: to-answer, persons: three").contains("allowed: one, two"));
    assert!(told("persons: one").contains("error[M005]"), "{}", told("persons: one"));
    assert!(told("mapping: to-answer, person: one").contains("did you mean `persons`?"));
}
