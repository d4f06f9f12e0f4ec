//! Nothing goes on before it was scanned clean: found is a dead letter, no verdict waits.

use super::accept::{Arrival, Origin, accept, recognise};
use super::callback::{Notice, Taken, Untaken, take};
use super::callback_tests::CALLED;
use super::pull;
use super::replay::{Replayed, replay};
use super::testing::{Harness, arrival};
use crate::model::codes::signature as codes;
use crate::store::{Act, ActVerb};
use crate::transport::ScanError;
use crate::transport::fake::FakeScanner;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::sync::Arc;

/// The drawer of the harness hands out documents with files in them.
const CHANGES: [(&str, &str); 6] = [
    (
        r#""type": "array", "minItems": 1, "x-csv": {"header": true},
  "items": {
    "type": "object", "additionalProperties": false, "required": ["person", "amount"],
    "properties": {"person": {"type": "string", "minLength": 1, "maxLength": 20}, "amount": {"type": "integer"}}
  }"#,
        r#""type": "object", "additionalProperties": false, "required": ["person"],
  "properties": {"person": {"type": "string", "minLength": 1, "maxLength": 20},
    "files": {"type": "array", "items": {"type": "object", "additionalProperties": false,
      "properties": {"content": {"type": "string", "contentEncoding": "base64"}}}}}"#,
    ),
    ("who: '$[0].person'", "who: person"),
    ("sum: '$[0].amount'", "sum: '7'"),
    ("\"sum\": {\"type\": \"integer\"}", "\"sum\": {}"),
    (
        "response: {format: csv, schema: shop/lines@1}\n",
        "response: {format: json, schema: shop/lines@1}\n    scan: {files: [files.content]}\n",
    ),
    ("when: count($) > 0", "when: present(person)"),
];

struct Scene {
    harness: Harness,
    scanner: Arc<FakeScanner>,
    bad: pull::Bad,
}

/// The same with a scanner of the test.
fn scanned(mut harness: Harness) -> (Harness, Arc<FakeScanner>) {
    let scanner = Arc::new(FakeScanner::default());
    let cx = Arc::get_mut(&mut harness.cx).expect("nobody else has it yet");
    cx.scanner = Some(scanner.clone());
    (harness, scanner)
}

impl Scene {
    fn new(documents: Vec<(&'static str, String)>) -> Scene {
        let (harness, scanner) = scanned(Harness::tuned(&CHANGES));
        let states: Vec<String> =
            documents.iter().map(|(id, _)| format!("{{\"state\":\"{id}\"}}")).collect();
        let list = format!("{{\"results\":[{}]}}", states.join(","));
        harness.target.always(move |request| {
            let of = |id: &str| request.path == format!("/drawer/{id}");
            let found = documents.iter().find(|(id, _)| of(id));
            let body = Bytes::from(found.map_or(list.clone(), |(_, document)| document.clone()));
            let content_type = "application/json".to_owned();
            Ok(crate::transport::Response {
                status: 200,
                content_type,
                retry_after: None,
                body,
                token: None,
            })
        });
        Scene { harness, scanner, bad: pull::Bad::new() }
    }

    async fn pull(&mut self) -> Result<(), pull::Halt> {
        let counterpart = self.harness.cx.counterpart("post").unwrap();
        let operation = Arc::clone(&counterpart.adapter.operations["drawer"]);
        let list = operation.pull.as_ref().unwrap();
        pull::pass(&operation, list, &counterpart, &self.harness.cx, &mut self.bad).await
    }

    /// Id, route and code of everything that is in the store.
    async fn found(&self) -> Vec<(String, String, String)> {
        found(&self.harness).await
    }

    fn notes(&self) -> Vec<&'static str> {
        self.harness.cx.files.all().into_iter().map(|(_, code, _)| code.code).collect()
    }

    async fn replay(&self, id: &str) -> Replayed {
        let act = Act {
            exchange: self.harness.exchange(id).await.id,
            verb: ActVerb::Replay,
            operator: "ops".to_owned(),
            reason: "test".to_owned(),
            at: self.harness.cx.clock.now(),
            bundle: None,
            brings: Default::default(),
        };
        replay(act, &self.harness.cx).await.unwrap()
    }

    /// Outcome, code and reason of what the record notes of an item.
    async fn noted(&self, id: &str) -> Vec<[String; 3]> {
        let rows = self.harness.cx.store.record(0, 100).await.unwrap();
        let entries = rows.iter().map(|row| {
            serde_json::from_str::<serde_json::Value>(&row.entry).expect("an entry is JSON")
        });
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let of = entries.filter(|entry| entry["message_id"] == id && entry["phase"] == "noted");
        of.map(|entry| ["outcome", "code", "reason"].map(|key| text(&entry[key]))).collect()
    }
}

async fn found(harness: &Harness) -> Vec<(String, String, String)> {
    let all = harness.exchanges().await;
    let row =
        |one: crate::store::ExchangeView| (one.message_id, one.route, one.code.unwrap_or_default());
    let mut found: Vec<_> = all.into_iter().map(row).collect();
    found.sort();
    found
}

fn row(id: &str, route: &str, code: &str) -> (String, String, String) {
    (id.to_owned(), route.to_owned(), code.to_owned())
}

fn document(files: &[&str]) -> String {
    let files: Vec<String> =
        files.iter().map(|file| format!("{{\"content\":\"{}\"}}", STANDARD.encode(file))).collect();
    format!("{{\"person\":\"ann\",\"files\":[{}]}}", files.join(","))
}

#[tokio::test]
async fn what_holds_malware_never_goes_on() {
    let encoded = document(&["harmless", FakeScanner::BAD]);
    assert!(!encoded.contains(FakeScanner::BAD), "only who decodes it sees it");
    let documents = vec![
        ("J1", document(&["one", "two"])),
        ("J2", format!("{{\"person\":\"{}\"}}", FakeScanner::BAD)),
        ("J3", encoded),
        ("J4", document(&[FakeScanner::LOCKED])),
        ("J5", "{\"person\":\"ann\",\"files\":[{\"content\":\"not base64!\"}]}".to_owned()),
    ];
    let mut scene = Scene::new(documents);
    scene.pull().await.unwrap();
    let expected = [
        row("J1", "fetched", ""),
        row("J2", "", "G861"),
        row("J3", "", "G861"),
        row("J4", "", "G862"),
        row("J5", "", "G864"),
    ];
    assert_eq!(scene.found().await, expected);
    // The scanner saw what came, and each file as the file it is.
    let seen = scene.scanner.scanned();
    let whole = document(&["one", "two"]).into_bytes();
    assert_eq!(seen.get(..3), Some(&[whole, b"one".to_vec(), b"two".to_vec()][..]));
    // What it found is told by its own name alone.
    let detail = scene.harness.exchange("J3").await.detail.unwrap_or_default();
    assert_eq!(detail, "Test.Malware");
    let by = FakeScanner::VERSION;
    assert_eq!(scene.noted("J1").await, [["scanned", "", by].map(str::to_owned)]);
    assert_eq!(scene.noted("J3").await, [["refused", "G861", ""].map(str::to_owned)]);
    assert!(scene.notes().is_empty());
}

/// A replay asks the scanner of now. It cannot be sent on with the scan left out.
#[tokio::test]
async fn a_replay_scans_again() {
    let mut scene = Scene::new(vec![("J1", document(&[FakeScanner::BAD])), ("J2", document(&[]))]);
    scene.scanner.then_fail(ScanError::TooLarge);
    scene.pull().await.unwrap();
    assert_eq!(scene.found().await, [row("J1", "", "G863"), row("J2", "fetched", "")]);
    let Replayed::Refused(failure) = scene.replay("J1").await else { panic!("replayed") };
    assert_eq!(failure.code, &codes::SCAN_FOUND);
    scene.scanner.set_down(true);
    let Replayed::Refused(failure) = scene.replay("J1").await else { panic!("replayed") };
    assert_eq!(failure.code, &codes::SCANNER_DOWN);
    assert_eq!(scene.found().await, [row("J1", "", "G863"), row("J2", "fetched", "")]);
}

#[tokio::test]
async fn a_false_alarm_goes_on_after_a_replay() {
    let mut scene = Scene::new(vec![("J1", document(&["large"]))]);
    scene.scanner.then_fail(ScanError::TooLarge);
    scene.pull().await.unwrap();
    assert_eq!(scene.found().await, [row("J1", "", "G863")]);
    assert!(matches!(scene.replay("J1").await, Replayed::Done(_)));
    let found = scene.found().await;
    assert!(found.iter().any(|(id, route, _)| id == "J1" && route == "fetched"), "{found:?}");
    assert!(scene.noted("J1").await.iter().any(|[outcome, _, _]| outcome == "scanned"));
}

#[tokio::test]
async fn while_no_scanner_is_there_everything_waits_and_nothing_is_fetched_again_and_again() {
    let mut scene = Scene::new(vec![("J1", document(&[])), ("J2", document(&[]))]);
    scene.scanner.set_down(true);
    for passes in 1..=5 {
        let Err(pull::Halt::Failed(failure)) = scene.pull().await else { panic!("complete") };
        assert_eq!(failure.code, &codes::SCANNER_DOWN);
        assert!(scene.found().await.is_empty());
        let fetched =
            scene.harness.target.requests().iter().filter(|one| one.path != "/drawer").count();
        assert_eq!(fetched, passes, "the second item is not asked for");
        let cursor = scene.harness.cx.store.cursor("post/drawer".to_owned()).await.unwrap();
        assert_eq!(cursor, None, "what waits must be listed again");
    }
    assert_eq!(scene.notes(), ["G865"]);
    scene.scanner.set_down(false);
    scene.pull().await.unwrap();
    assert_eq!(scene.found().await, [row("J1", "fetched", ""), row("J2", "fetched", "")]);
    assert!(scene.notes().is_empty());
}

/// What makes the scanner fail keeps no other waiting, and is never set aside nor let through.
#[tokio::test]
async fn one_without_a_verdict_waits_alone() {
    let mut scene = Scene::new(vec![("J1", document(&[])), ("J2", document(&[]))]);
    for _ in 0..5 {
        scene.scanner.then_fail(ScanError::Failed("it answered with an error".to_owned()));
        scene.pull().await.unwrap();
        assert_eq!(scene.found().await, [row("J2", "fetched", "")]);
    }
    scene.pull().await.unwrap();
    assert_eq!(scene.found().await, [row("J1", "fetched", ""), row("J2", "fetched", "")]);
}

#[tokio::test]
async fn without_a_scanner_nothing_is_taken() {
    let mut scene = Scene::new(vec![("J1", document(&[]))]);
    Arc::get_mut(&mut scene.harness.cx).unwrap().scanner = None;
    assert!(scene.pull().await.is_err());
    assert!(scene.found().await.is_empty());
}

/// Whoever forgets to scan gets nothing in.
#[tokio::test]
async fn what_carries_no_proof_is_not_recognised() {
    let scene = Scene::new(Vec::new());
    let adapter = Arc::clone(&scene.harness.cx.bundle().adapters["post"]);
    let operation = Arc::clone(&adapter.operations["drawer"]);
    let fetched = Arrival {
        source: "post".to_owned(),
        origin: Origin::Pulled { adapter, operation },
        ..arrival("order.fetched", "J1", &document(&[]))
    };
    let failure = recognise(&fetched, &scene.harness.cx).unwrap_err();
    assert_eq!(failure.code, &codes::SCAN_FAILED);
    accept(&fetched, &scene.harness.cx).await.unwrap();
    assert_eq!(scene.found().await, [row("J1", "", "G866")]);
    assert!(scene.scanner.scanned().is_empty());
}

#[tokio::test]
async fn notices_are_scanned_and_a_caller_comes_again() {
    let demanding = CALLED.replace("    message: {type", "    scan: {}\n    message: {type");
    let (harness, scanner) = scanned(Harness::tuned(&[("\nroutes:\n", &demanding)]));
    let adapter = Arc::clone(&harness.cx.bundle().adapters["post"]);
    let notice = |person: &str| Notice {
        operation: Arc::clone(&adapter.operations["posted"]),
        adapter: Arc::clone(&adapter),
        content_type: "application/json".to_owned(),
        traceparent: None,
        body: Bytes::from(format!("{{\"person\":\"{person}\",\"amount\":1}}")),
    };
    scanner.set_down(true);
    let Err(Untaken::NotAccepting(refusal)) = take(&notice("ann"), &harness.cx).await else {
        panic!("taken")
    };
    assert_eq!(refusal.code, &codes::SCANNER_DOWN);
    assert!(found(&harness).await.is_empty());
    scanner.set_down(false);
    assert_eq!(take(&notice("ann"), &harness.cx).await.unwrap(), Taken::New);
    assert_eq!(take(&notice(FakeScanner::BAD), &harness.cx).await.unwrap(), Taken::New);
    let expected = [row("ann", "pushing", ""), row(FakeScanner::BAD, "", "G861")];
    assert_eq!(found(&harness).await, expected);
    // The caller may repeat it: nothing new comes of it.
    let again = take(&notice(FakeScanner::BAD), &harness.cx).await.unwrap();
    assert_eq!(again, Taken::Duplicate);
    assert_eq!(found(&harness).await, expected);
}
