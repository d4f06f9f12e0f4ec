//! A run finds what is wrong with an adapter: each promise that does not hold has its finding.

use super::{Behaviour, Row, load, run};
use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::diagnostic::{Diagnostic, SourceFile, render};
use crate::model::Secret;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const ORDER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "order",
  "x-message-types": ["order.placed"], "type": "object", "additionalProperties": false,
  "required": ["person"], "properties": {"person": {"type": "string", "maxLength": 20}}
}"#;
const PARCEL: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "parcel",
  "type": "object", "additionalProperties": false, "required": ["who"],
  "properties": {"who": {"type": "string", "maxLength": 20}}
}"#;
const ANSWER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "answer",
  "type": "object", "additionalProperties": false, "required": ["result"],
  "properties": {"result": {"type": "string", "enum": ["ok", "bad", "busy"]}}
}"#;
const MAPPING: &str =
    "mapping: order-to-parcel\nfrom: shop/order@1\nto: post/parcel@1\nrules:\n  who: person\n";
const ADAPTER: &str = r#"adapter: post
operations:
  place:
    interaction: request-reply
    unknown: UNKNOWN
    request: {method: POST, path: /place, format: json, schema: post/parcel@1, idempotency-header: Idempotency-Key}
    response: {format: json, schema: post/answer@1}
    outcomes:
      - {status: [200], when: 'result == "ok"', then: applied}
      - {status: [400], when: 'result == "bad"', then: refused}
      - {status: [503], then: retry}
ASK
routes:
  placing: {on: [order.placed], operation: place, mapping: order-to-parcel, record: {kind: 送付}}
"#;
const ASK: &str = r#"    ask:
      settle-after: 1s
      request: {method: GET, path: "/place/{idempotency-key}", format: none}
      response: {format: json, schema: post/answer@1}
      outcomes:
        - {status: [200], when: 'result == "ok"', then: applied}
        - {status: [404], when: 'result == "bad"', then: not-applied}
"#;
const SIMULATOR: &str = r#"simulator: post
operations:
  place:
    submit:
      applied: {status: 200, body: {result: ok}}
      refused: {status: 400, body: {result: bad}}
      retry: {status: 503}
"#;
const ASKED: &str = r#"    ask:
      applied: {status: 200, body: {result: ok}}
      not-applied: {status: 404, body: {result: bad}}
"#;

fn files(adapter: &str, simulator: &str) -> Vec<Arc<SourceFile>> {
    let case = |person: &str| {
        format!("case: {person}\ninput: {{person: {person}}}\nexpected: {{who: {person}}}\n")
    };
    let mut files = vec![
        SourceFile::new("schemas/shop/order/1.schema.json", ORDER),
        SourceFile::new("schemas/post/parcel/1.schema.json", PARCEL),
        SourceFile::new("schemas/post/answer/1.schema.json", ANSWER),
        SourceFile::new("mappings/order-to-parcel/mapping.yaml", MAPPING),
        SourceFile::new("adapters/post/adapter.yaml", adapter),
        SourceFile::new("adapters/post/simulator.yaml", simulator),
    ];
    for person in ["a", "b", "c"] {
        let path = format!("mappings/order-to-parcel/cases/{person}.yaml");
        files.push(SourceFile::new(path, case(person)));
    }
    files
}

fn adapter(unknown: &str) -> String {
    let ask = if unknown == "ask" { ASK } else { "" };
    ADAPTER.replace("UNKNOWN", unknown).replace("ASK\n", ask)
}

fn loaded(files: &[Arc<SourceFile>]) -> Result<super::Simulator, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let bundle = Bundle::build(files, &Enabled::All, &BTreeMap::new(), &mut problems);
    let bundle = bundle.unwrap_or_else(|| panic!("{}", render::text(&problems)));
    let file = files.iter().find(|file| file.path.ends_with("simulator.yaml")).unwrap();
    load(file, &bundle, &mut problems).ok_or(problems)
}

/// Rows by behaviour: how the exchanges ended, and what is wrong.
async fn played(adapter: &str, simulator: &str) -> BTreeMap<&'static str, Row> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("watashi-simulator-{}-{number}", std::process::id());
    let folder: PathBuf = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder).unwrap();
    let files = files(adapter, simulator);
    let simulator = Arc::new(loaded(&files).unwrap());
    let seed = Secret::new(vec![7; 32]);
    let rows = run(&simulator, &files, &Behaviour::ALL, &folder, &seed).await.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    rows.into_iter().map(|row| (row.behaviour, row)).collect()
}

fn ended(row: &Row) -> String {
    let one = |(state, count): (&String, &usize)| format!("{count} {state}");
    row.ended.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_its_promises_passes_under_every_behaviour() {
    for unknown in ["resend", "ask"] {
        let simulator = match unknown {
            "ask" => format!("{SIMULATOR}{ASKED}")
                .replace("  place:\n", "  place:\n    repeated: done-again\n"),
            _ => SIMULATOR.to_owned(),
        };
        let rows = played(&adapter(unknown), &simulator).await;
        assert_eq!(rows.len(), 7);
        for (behaviour, row) in &rows {
            assert_eq!(row.findings, Vec::<String>::new(), "{unknown} {behaviour}");
            let expected = match *behaviour {
                "refusing" => "3 dead",
                "partial" => "1 dead, 2 delivered",
                _ => "3 delivered",
            };
            assert_eq!(ended(row), expected, "{unknown} {behaviour}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_person_can_tell_is_left_to_one_and_never_sent_again() {
    let rows = played(&adapter("person"), SIMULATOR).await;
    for behaviour in ["late", "silent", "lying"] {
        let row = &rows[behaviour];
        assert_eq!((ended(row).as_str(), row.requests), ("3 unknown", 3), "{behaviour}");
        assert_eq!(row.findings, Vec::<String>::new(), "{behaviour}");
    }
    assert_eq!(ended(&rows["closed"]), "3 delivered");
}

/// The adapter says that sending again does no harm; the counterpart does it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_false_promise_of_idempotency_is_found() {
    let again = SIMULATOR.replace("  place:\n", "  place:\n    repeated: done-again\n");
    let rows = played(&adapter("resend"), &again).await;
    assert!(rows["late"].findings.contains(&"3 done twice".to_owned()), "{:?}", rows["late"]);
    assert!(rows["right"].findings.is_empty());
}

/// The adapter takes a refusal for success: the counterpart did nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_table_that_claims_too_much_is_found() {
    let claims = adapter("resend")
        .replace("result == \"bad\"', then: refused", "result == \"bad\"', then: applied");
    let rows = played(&claims, SIMULATOR).await;
    let found = &rows["refusing"].findings;
    assert!(
        found.iter().any(|one| one.contains("the adapter takes it for `applied`")),
        "{found:?}"
    );
    let counted = "the counterpart did 0, 3 are said to be delivered";
    assert!(found.iter().any(|one| one == counted), "{found:?}");
}

/// An answer has forms: all must be taken for the same word, and each be given to somebody.
#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_an_answer_is_given_and_judged() {
    let simulator = |forms: &str| {
        SIMULATOR
            .replace("body: {result: ok}}", &format!("body: {{result: ok}}, also: [{forms}]}}"))
    };
    let findings = async |forms: &str| {
        let rows = played(&adapter("resend"), &simulator(forms)).await;
        rows.get("right").unwrap().findings.join("; ")
    };
    assert_eq!(findings("{result: ok}, {result: ok}").await, "");
    let one_too_many = findings("{result: ok}, {result: ok}, {result: ok}").await;
    assert_eq!(one_too_many, "`submit` has 4 forms of an answer, 3 were given: more cases");
    let another = findings("{result: bad}").await;
    assert!(another.contains("answer `applied`"), "{another}");
}

#[test]
fn what_does_not_fit_the_adapter_is_told_at_once() {
    let wrong = SIMULATOR
        .replace("  place:\n", "  place:\n    poll: {ready: {status: 200}}\n")
        .replace("applied: {status: 200, body: {result: ok}}", "applied: {status: 99}")
        + "  plaze: {}\n";
    let problems = loaded(&files(&adapter("resend"), &wrong)).unwrap_err();
    let told: Vec<String> =
        problems.iter().map(|one| format!("{} {}", one.code.code, one.message)).collect();
    let expected = [
        "A601 operation `place` of `post` has no use for `poll`",
        "A102 `status` is 100 to 599",
        "A402 adapter `post` has no operation `plaze`",
    ];
    assert_eq!(told, expected);
    assert_eq!(problems[2].hint.as_deref(), Some("did you mean `place`?"));
}
