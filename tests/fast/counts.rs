//! `watashi counts` as an operator meets it: what is printed, what is withheld, what is refused, and that it
//! is recorded.

use crate::fixture::{Folder, Ran};
use crate::operating::{WHO, envelope, exchange};
use serde_json::json;
use std::sync::Arc;
use watashi::model::{Secret, State};
use watashi::store::sqlite::Options;
use watashi::store::{AttemptResult, Claim, Intent, Keys, NewMessage, Next, Settlement};
use watashi::store::{SqliteStore, Store};

const COUNTS: &str = "\
counts: shots
title: shots by kind and age
route: placing
date: given
record: number
revision: revision
withdrawn: amount == 0
dimensions:
  kind: {item: kind}
  age: {birth-date: born, ages: [0, 15]}
threshold: 3
";

/// Definitions whose messages can be counted.
fn definitions() -> Folder {
    let folder = Folder::whole();
    let note = "\"note\": {\"type\": \"string\", \"maxLength\": 20}";
    let more = "\"given\": {\"type\": \"string\"}, \"born\": {\"type\": \"string\"},
        \"number\": {\"type\": \"string\", \"pattern\": \"^[0-9]+$\"}, \"revision\": {\"type\": \"integer\"},
        \"kind\": {\"type\": \"string\", \"enum\": [\"A\", \"B\"]}";
    folder.change("schemas/shop/order/1.schema.json", note, &format!("{note}, {more}"));
    folder.write("counts/shots.yaml", COUNTS);
    folder
}

/// One message: record, revision, day, kind, and whether it is applied.
struct Shot(u32, i64, &'static str, &'static str, bool);

/// Writes messages into the store as if they had been accepted in the middle of June 2020.
fn carry(folder: &Folder, shots: &[Shot]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let path = folder.path("watashi.db");
        let store = SqliteStore::open(&path, folder.keys(), Options::default()).unwrap();
        for shot in shots {
            store.accept(message(&folder.keys(), shot)).await.unwrap();
            if shot.4 {
                deliver(&store).await;
            }
        }
        store.close().await.unwrap();
    });
}

fn message(keys: &Keys, shot: &Shot) -> NewMessage {
    let Shot(record, revision, day, kind, _) = shot;
    let id = format!("m-{record}-{revision}-{day}");
    let amount = i64::from(*revision != 9);
    let body = json!({"town": "131237", "person": "a", "amount": amount, "given": day, "kind": kind,
        "born": "2000-01-01", "number": record.to_string(), "revision": revision});
    let mut envelope = envelope(&id);
    envelope.accepted_at = "2020-06-15T00:00:00Z".parse().unwrap();
    NewMessage {
        fingerprint: keys.fingerprint("order.placed", id.as_bytes()),
        body: Secret::new(serde_json::to_vec(&body).unwrap()),
        exchanges: vec![exchange(keys, &id)],
        record: Vec::new(),
        if_reused: None,
        envelope: Arc::new(envelope),
    }
}

/// The one that waits is applied.
async fn deliver(store: &SqliteStore) {
    let at = "2020-06-15T00:01:00Z".parse().unwrap();
    let claim = Claim {
        counterpart: "post".to_owned(),
        operation: "place".to_owned(),
        states: vec![State::Received],
        now: "2020-06-16T00:00:00Z".parse().unwrap(),
        limit: 1,
        exclude: Default::default(),
    };
    let claimed = store.claim(claim).await.unwrap().pop().unwrap();
    let (exchange, fence) = (claimed.id, claimed.fence);
    let intent = Intent { exchange, fence, request_digest: String::new(), at, record: None };
    assert_eq!(store.intend(vec![intent]).await.unwrap(), [true]);
    let attempt = AttemptResult { outcome: "applied", http_status: None, response_digest: None };
    let settlement = Settlement {
        exchange,
        fence: fence + 1,
        at,
        attempt: Some(attempt),
        next: Next::Delivered,
        clear_maybe_applied: false,
        record: Vec::new(),
        outbox: Vec::new(),
    };
    store.settle(vec![settlement].into()).await.unwrap();
}

fn counts(folder: &Folder, arguments: &[&str]) -> Ran {
    folder.run(&[&["counts", "shots", "--month", "2020-06"], arguments, &WHO].concat())
}

fn june() -> Vec<Shot> {
    let mut shots: Vec<Shot> =
        (0..5).map(|record| Shot(record, 1, "2020-06-10", "A", true)).collect();
    shots.extend((5..7).map(|record| Shot(record, 1, "2020-06-30", "B", true)));
    shots.push(Shot(7, 1, "2020-05-31", "B", true));
    shots
}

#[test]
fn each_record_is_counted_once_and_small_numbers_are_withheld() {
    let folder = definitions();
    carry(&folder, &june());
    // One is corrected to another kind, one is withdrawn, one is another month's by now; and an older
    // state that comes late changes nothing.
    let later = [
        Shot(0, 3, "2020-06-11", "B", true),
        Shot(0, 2, "2020-06-11", "A", true),
        Shot(1, 9, "2020-06-10", "A", true),
        Shot(2, 2, "2020-07-01", "A", true),
    ];
    carry(&folder, &later);
    let ran = counts(&folder, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let lines: Vec<&str> = ran.out.trim_start_matches('\u{FEFF}').lines().collect();
    assert_eq!(lines[0], r#""kind","age","count""#);
    assert_eq!(lines[1], r#""計","計","5""#);
    // Two of A are small, so three of B go with them: their sum is printed.
    assert_eq!(lines[2], r#""A","計","x""#);
    assert!(lines.contains(&r#""A","0–14歳","0""#));
    assert!(lines.contains(&r#""A","15歳以上","x""#));
    assert!(lines.contains(&r#""B","15歳以上","x""#));
    assert!(lines.contains(&r#""その他","計","0""#));
    let page = counts(&folder, &["--format", "json"]).json();
    assert_eq!(page["complete"], true);
    assert_eq!(
        (&page["rows"][0]["count"], &page["rows"][1]["withheld"]),
        (&json!(5), &json!(true))
    );

    let found = folder.run(&["log", "find", "--json"]).json();
    let last = &found.as_array().unwrap().last().unwrap()["entry"];
    assert_eq!(last["outcome"], "counts-made");
    assert_eq!(last["reference"], "shots 2020-06, messages: 12");
    assert_eq!(last["operator"], "sato");
}

#[test]
fn a_month_that_is_not_whole_is_refused_or_marked() {
    let folder = definitions();
    carry(&folder, &june());
    carry(&folder, &[Shot(8, 1, "2020-07-01", "A", false)]);
    assert_eq!(counts(&folder, &[]).code, 0, "another month's is no matter");
    carry(&folder, &[Shot(3, 2, "2020-07-01", "A", false)]);
    let ran = counts(&folder, &[]);
    assert_eq!((ran.code, ran.out.as_str()), (69, ""));
    assert!(ran.err.starts_with("error: T701 "), "{}", ran.err);
    assert!(ran.err.contains(": 1 message under way\n"), "it may take one away: {}", ran.err);
    let ran = counts(&folder, &["--incomplete"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains(r#""count (incomplete)""#), "{}", ran.out);
    let ran = folder.run(&[&["counts", "shots", "--month", "2999-01"][..], &WHO].concat());
    assert!(ran.err.contains("it has not ended"), "{}", ran.err);
    let ran = folder.run(&[&["counts", "shot", "--month", "2020-06"][..], &WHO].concat());
    assert_eq!(ran.code, 78);
    assert!(ran.err.contains("hint: did you mean `shots`?"), "{}", ran.err);
}

#[test]
fn lint_reads_definitions_of_counts() {
    let folder = definitions();
    assert_eq!(folder.run(&["lint"]).code, 0);
    folder.change("counts/shots.yaml", "{item: kind}", "{item: person, values: [a]}");
    let ran = folder.run(&["lint"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("error[A802]: `person`"), "{}", ran.err);
    assert!(ran.err.contains("--> counts/shots.yaml:9:16"), "{}", ran.err);
}
