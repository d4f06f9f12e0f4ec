//! 番号法23条: what the record says of a 提供の求め and a 提供, one test per case: the names of both
//! sides, when it was asked for and provided, the items, 不開示, and why nothing was provided.

use super::testing::Harness;
use serde_json::{Value, json};

const BASIS: &str = "basis: {law: 番号法第19条第8号, table-item: '25', affair: 予防接種, procedure: P0001, inquirer: 渡市長, provider: 川市長, information: TM0001}";

/// Orders as inquiries (`order.placed`) and as provisions (`order.manual`).
fn town() -> Harness {
    let asked = format!("record: {{kind: 求め, not-disclosed: secret}}, {BASIS}, reply");
    let given = format!(
        "by-hand: {{on: order.manual, operation: manual, mapping: order-to-parcel, ordering-key: person, subject: person, record: {{kind: 提供, not-disclosed: secret}}, {BASIS}}}"
    );
    let changes = [
        (
            "\"amount\": {\"type\": \"integer\"},",
            "\"amount\": {\"type\": \"integer\"}, \"secret\": {\"type\": \"boolean\"},",
        ),
        (
            "{\"who\": {\"type\": \"string\", \"maxLength\": 20}",
            "{\"who\": {\"type\": \"string\", \"maxLength\": 20, \"x-item\": \"TK00000000000001\"}",
        ),
        ("record: {kind: 送付}, reply", asked.as_str()),
        (
            "by-hand: {on: order.manual, operation: manual, mapping: order-to-parcel, ordering-key: person, record: {kind: 送付}}",
            given.as_str(),
        ),
    ];
    Harness::changed(&changes, "2026-06-01T00:00:00Z").0
}

/// What every entry of such a route says; gives kind, phase, outcome, code and 不開示 of each.
async fn entries(harness: &Harness) -> Vec<Value> {
    let rows = harness.cx.store.record(0, 100).await.unwrap();
    let basis = json!({"affair": "予防接種", "information": "TM0001", "inquirer": "渡市長",
        "law": "番号法第19条第8号", "procedure": "P0001", "provider": "川市長", "table_item": "25"});
    rows.iter()
        .map(|row| {
            let entry: Value = serde_json::from_str(&row.entry).unwrap();
            assert_eq!(entry["basis"], basis, "{entry}");
            assert_eq!(entry["items"], json!(["TK00000000000001"]));
            assert!(entry["time"].as_str().unwrap().starts_with("2026-06-01T00:00:00"));
            assert!(entry["jst"].as_str().unwrap().starts_with("2026-06-01T09:00:00"));
            assert_eq!(entry["subject"].as_str().unwrap().len(), 32);
            json!([
                entry["kind"],
                entry["phase"],
                entry["outcome"],
                entry["code"],
                entry["not_disclosed"]
            ])
        })
        .collect()
}

async fn after(message_type: &str, status: u16, answer: &'static str, body: &str) -> Vec<Value> {
    let harness = town();
    harness.target.always_json(status, answer);
    harness.post(message_type, "m1", body).await;
    harness.settle().await;
    entries(&harness).await
}

const ORDER: &str = r#"{"person":"a","amount":1}"#;
const SECRET: &str = r#"{"person":"a","amount":1,"secret":true}"#;

#[tokio::test]
async fn r6_a_request_that_was_provided() {
    let found = after("order.placed", 200, r#"{"result":"ok"}"#, ORDER).await;
    let expected = [
        json!(["求め", "intended", null, null, false]),
        json!(["取得", "outcome", "applied", null, null]),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn r6_a_request_that_was_refused() {
    let found = after("order.placed", 400, r#"{"code":"NOT-PROVIDED"}"#, ORDER).await;
    assert_eq!(found[0], json!(["求め", "intended", null, null, false]));
    assert_eq!((&found[1][0], &found[1][2]), (&json!("求め"), &json!("refused")));
    assert!(found[1][3].is_string(), "the code says why: {}", found[1]);
}

#[tokio::test]
async fn r6_a_request_that_was_never_sent() {
    let body = r#"{"person":"a","amount":1,"note":"forbidden"}"#;
    let found = after("order.placed", 200, r#"{"result":"ok"}"#, body).await;
    assert_eq!(found.len(), 1, "nothing was asked for");
    assert_eq!((&found[0][0], &found[0][2]), (&json!("求め"), &json!("not-sent")));
    assert!(found[0][3].is_string());
}

#[tokio::test]
async fn a_request_that_must_not_be_disclosed() {
    let found = after("order.placed", 200, r#"{"result":"ok"}"#, SECRET).await;
    assert_eq!(found[0], json!(["求め", "intended", null, null, true]));
}

#[tokio::test]
async fn a_provision() {
    let found = after("order.manual", 200, r#"{"result":"ok"}"#, ORDER).await;
    let expected = [
        json!(["提供", "intended", null, null, false]),
        json!(["提供", "outcome", "applied", null, null]),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_provision_that_must_not_be_disclosed() {
    let found = after("order.manual", 200, r#"{"result":"ok"}"#, SECRET).await;
    assert_eq!(found[0], json!(["提供", "intended", null, null, true]));
}

#[tokio::test]
async fn a_provision_whose_end_nobody_knows() {
    let found = after("order.manual", 200, r#"{"result":"odd"}"#, ORDER).await;
    assert_eq!(found.len(), 2);
    assert_eq!((&found[1][0], &found[1][2]), (&json!("提供"), &json!("unknown")));
    assert!(found[1][3].is_string());
}
