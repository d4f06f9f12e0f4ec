//! A run of files finds what is wrong with an adapter, and nothing where nothing is.

use super::{Behaviour, Row, Simulator, load, run};
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
  "x-message-types": ["order.placed", "order.settled"], "type": "object", "additionalProperties": false,
  "required": ["person"], "properties": {"person": {"type": "string", "minLength": 1, "maxLength": 20}}
}"#;
const ROW: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "row", "x-message-types": ["row.come"],
  "type": "object", "additionalProperties": false, "required": ["who"],
  "properties": {"who": {"type": "string", "minLength": 1, "maxLength": 20}}
}"#;
const ROWS: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "rows", "type": "array",
  "x-csv": {"header": true}, "items": {"$ref": "../row/1.schema.json"}
}"#;
const RESULT: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "result",
  "type": "object", "additionalProperties": false, "required": ["record", "state"],
  "properties": {"record": {"type": "integer", "minimum": 1}, "state": {"type": "string", "enum": ["ok", "bad", "busy"]}}
}"#;
const RESULTS: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "results", "type": "array",
  "x-csv": {"header": true}, "items": {"$ref": "../result/1.schema.json"}
}"#;
const OUT: &str =
    "mapping: order-to-row\nfrom: shop/order@1\nto: desk/row@1\nrules:\n  who: person\n";
const IN: &str =
    "mapping: row-to-order\nfrom: desk/row@1\nto: shop/order@1\nrules:\n  person: who\n";
const ADAPTER: &str = r#"adapter: desk
retry: {first: 1s, max: 1m, max-age: 14d}
operations:
  put:
    interaction: file-out
    place: tray
    files: {folder: out, name: "ROWS_{set:4}_{part:2}.csv", format: csv, schema: desk/rows@1, record: desk/row@1, split: 2, manifest: "ROWS_{set:4}.json", marker: "ROWS_{set:4}.end"}
    gather: {max-items: 100, max-wait: 5m}
    results: hear
  hear:
    interaction: file-in
    place: tray
    files: {folder: back, name: "RESULT_{set:4}.csv", format: csv, schema: desk/results@1, record: desk/result@1, whole: {marker: "RESULT_{set:4}.end"}}
    settles:
      operation: put
      item: record
      item-outcomes:
        - {when: 'state == "ok"', then: applied}
        - {when: 'state == "busy"', then: retry}
        - {when: 'state == "bad"', then: refused}
  take:
    interaction: file-in
    place: tray
    files: {folder: in, name: "COME_{set:4}.csv", format: csv, schema: desk/rows@1, record: desk/row@1, whole: {marker: "COME_{set:4}.end"}}
    type: row.come
routes:
  putting: {on: [order.placed], operation: put, mapping: order-to-row, record: {kind: 送付}}
  coming: {on: [row.come], publish: order.settled, mapping: row-to-order}
"#;
const SIMULATOR: &str = r#"simulator: desk
operations:
  put:
    knows-by: who
    items:
      applied: {record: "{number}", state: ok}
      refused: {record: "{number}", state: bad}
      retry: {record: "{number}", state: busy}
  take:
    documents:
      - {id: a, body: {who: a}}
      - {id: b, body: {who: b}}
"#;

fn files(adapter: &str, simulator: &str) -> Vec<Arc<SourceFile>> {
    let mut files = vec![
        SourceFile::new("schemas/shop/order/1.schema.json", ORDER),
        SourceFile::new("schemas/desk/row/1.schema.json", ROW),
        SourceFile::new("schemas/desk/rows/1.schema.json", ROWS),
        SourceFile::new("schemas/desk/result/1.schema.json", RESULT),
        SourceFile::new("schemas/desk/results/1.schema.json", RESULTS),
        SourceFile::new("mappings/order-to-row/mapping.yaml", OUT),
        SourceFile::new("mappings/row-to-order/mapping.yaml", IN),
        SourceFile::new("adapters/desk/adapter.yaml", adapter),
        SourceFile::new("adapters/desk/simulator.yaml", simulator),
    ];
    for person in ["a", "b", "c"] {
        let path = format!("mappings/order-to-row/cases/{person}.yaml");
        let case =
            format!("case: {person}\ninput: {{person: {person}}}\nexpected: {{who: {person}}}\n");
        files.push(SourceFile::new(path, case));
    }
    files
}

fn loaded(files: &[Arc<SourceFile>]) -> Result<Simulator, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let bundle = Bundle::build(files, &Enabled::All, &BTreeMap::new(), &mut problems);
    let bundle = bundle.unwrap_or_else(|| panic!("{}", render::text(&problems)));
    let file = files.iter().find(|file| file.path.ends_with("simulator.yaml")).unwrap();
    load(file, &bundle, &mut problems).ok_or(problems)
}

/// Rows by name and behaviour.
async fn played(adapter: &str, simulator: &str) -> BTreeMap<(String, &'static str), Row> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("watashi-simulated-files-{}-{number}", std::process::id());
    let folder: PathBuf = std::env::temp_dir().join(name);
    std::fs::create_dir(&folder).unwrap();
    let files = files(adapter, simulator);
    let simulator = Arc::new(loaded(&files).unwrap());
    let seed = Secret::new(vec![7; 32]);
    let rows = run(&simulator, &files, &Behaviour::ALL, &folder, &seed).await.unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    rows.into_iter().map(|row| ((row.name.clone(), row.behaviour), row)).collect()
}

fn ended(row: &Row) -> String {
    let one = |(state, count): (&String, &usize)| format!("{count} {state}");
    row.ended.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn told(rows: &BTreeMap<(String, &'static str), Row>, behaviour: &'static str) -> Vec<String> {
    rows[&("putting".to_owned(), behaviour)].findings.clone()
}

#[tokio::test]
async fn files_that_keep_their_promises_pass_under_every_behaviour() {
    let rows = played(ADAPTER, SIMULATOR).await;
    assert_eq!(rows.len(), 14);
    for ((name, behaviour), row) in &rows {
        assert_eq!(row.findings, Vec::<String>::new(), "{name} {behaviour}");
        let expected = match (name.as_str(), *behaviour) {
            ("putting", "refusing") => "3 dead",
            ("putting", "partial") => "1 dead, 2 delivered",
            // Its results never come: a person decides, and nothing is written again.
            ("putting", "silent") => "3 unknown",
            ("putting", _) => "3 delivered",
            ("take", "refusing") => "",
            _ => "2 delivered",
        };
        assert_eq!(ended(row), expected, "{name} {behaviour}");
    }
    // Busy the first time: all of it in a second set.
    assert_eq!(rows[&("putting".to_owned(), "closed")].requests, 2);
    assert_eq!(rows[&("putting".to_owned(), "silent")].requests, 1);
}

#[tokio::test]
async fn results_that_are_misread_are_found() {
    let claims =
        ADAPTER.replace("state == \"bad\"', then: refused", "state == \"bad\"', then: applied");
    let rows = played(&claims, SIMULATOR).await;
    let counted = "the counterpart did 0, 3 are said to be delivered";
    assert_eq!(told(&rows, "refusing"), [counted]);
    assert!(told(&rows, "right").is_empty());
    // Busy means that nothing was done: taken for refused, it ends what should go again.
    let gives_up = ADAPTER.replace("then: retry", "then: refused");
    let rows = played(&gives_up, SIMULATOR).await;
    assert_eq!(told(&rows, "closed"), ["3 are dead that nobody refused"]);
    // A result that says done for what the counterpart put off.
    let hasty = ADAPTER.replace("then: retry", "then: applied");
    let rows = played(&hasty, SIMULATOR).await;
    assert_eq!(told(&rows, "closed"), ["the counterpart did 0, 3 are said to be delivered"]);
}

#[tokio::test]
async fn results_of_other_records_settle_nobody() {
    let shifted = SIMULATOR.replace("applied: {record: \"{number}\"", "applied: {record: 77");
    let rows = played(ADAPTER, &shifted).await;
    let found = told(&rows, "right");
    let counted = "the counterpart did 3, 0 are said to be delivered";
    assert_eq!(found, [counted]);
}

#[test]
fn what_is_said_of_files_fits_them() {
    let told = |simulator: &str| -> Vec<String> {
        let problems = loaded(&files(ADAPTER, simulator)).unwrap_err();
        problems.iter().map(|one| format!("{} {}", one.code.code, one.message)).collect()
    };
    let without =
        SIMULATOR.replace("    documents:\n", "").replace("      - {id: a, body: {who: a}}\n", "");
    let without = without.replace("      - {id: b, body: {who: b}}\n", "    repeated: known\n");
    assert_eq!(told(&without), ["A601 operation `take` needs `documents`"]);
    let read = format!("{SIMULATOR}  hear: {{}}\n");
    let expected =
        "A601 operation `hear` reads results: they are `items` of the operation that writes";
    assert_eq!(told(&read), [expected]);
    let answers = SIMULATOR
        .replace("    knows-by: who\n", "    head: {}\n    submit: {applied: {status: 200}}\n");
    let expected = [
        "A601 operation `put` has no use for `head`",
        "A601 operation `put` of `desk` has no use for `submit`",
    ];
    assert_eq!(told(&answers), expected);
    let silent = "simulator: desk\noperations:\n  put: {knows-by: who}\n";
    assert_eq!(told(silent), ["A601 operation `put` has results by item: `items`"]);
}
