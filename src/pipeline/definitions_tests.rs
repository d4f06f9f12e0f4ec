//! Which definitions an exchange goes by when others are put in force while it is under way.

use super::process;
use super::replay::{Replayed, replay};
use super::testing::{self, Harness};
use crate::adapter::bundle::Enabled;
use crate::model::codes::transport;
use crate::store::{Act, ActVerb};
use crate::transport::SendError;
use serde_json::Value;
use std::sync::Arc;

const BODY: &str = r#"{"person": "p1", "amount": 3}"#;
const OK: &str = r#"{"result": "ok"}"#;
/// The mapping gives another sum.
const OTHER_SUM: (&str, &str) = ("by rule\"), amount)", "by rule\"), 103)");
const CURRENT: (&str, &str) = ("max-age: 24h}", "max-age: 24h, definitions: current}");

/// Puts changed definitions in force; gives the digests before and after.
fn swap(harness: &Harness, changes: &[(&str, &str)]) -> (String, String) {
    let before = harness.cx.bundle().digest().to_owned();
    harness.cx.definitions.swap(Arc::new(testing::bundle(&Enabled::All, changes)));
    let after = harness.cx.bundle().digest().to_owned();
    assert_ne!(before, after);
    (before, after)
}

fn sums(harness: &Harness) -> Vec<i64> {
    let sum = |request: crate::transport::Request| {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        body["sum"].as_i64().unwrap()
    };
    harness.target.requests().into_iter().map(sum).collect()
}

/// Message id, phase and digest of every entry that a route gave.
async fn digests(harness: &Harness) -> Vec<(String, String, String)> {
    let rows = harness.cx.store.record(0, 1_000).await.unwrap();
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    rows.iter()
        .map(|row| serde_json::from_str::<Value>(&row.entry).unwrap())
        .filter(|entry| !text(entry, "route").is_empty())
        .map(|entry| (text(&entry, "messageId"), text(&entry, "phase"), text(&entry, "bundle")))
        .collect()
}

/// One try that is put off, then other definitions, then the way to the end.
async fn retried_over_a_swap(changes: &[(&str, &str)]) -> (Harness, String, String) {
    let harness = Harness::new();
    harness.target.then_json(503, "");
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", BODY).await;
    process(harness.claim("place").await, &harness.cx).await;
    assert_eq!(harness.exchange("m1").await.state, "waiting-retry");
    let (before, after) = swap(&harness, changes);
    harness.settle().await;
    (harness, before, after)
}

#[tokio::test]
async fn a_message_stays_under_the_definitions_it_was_accepted_under() {
    let (harness, before, after) = retried_over_a_swap(&[OTHER_SUM]).await;
    harness.post("order.placed", "m2", BODY).await;
    harness.settle().await;
    assert_eq!(sums(&harness), [3, 3, 103]);
    let digests = digests(&harness).await;
    let all = |id: &str, bundle: &str| {
        digests.iter().filter(|(of, _, _)| of == id).all(|(_, _, digest)| digest == bundle)
    };
    assert_eq!(digests.len(), 6);
    assert!(all("m1", &before) && all("m2", &after), "{digests:?}");
}

#[tokio::test]
async fn another_try_goes_by_those_in_force_where_they_say_so() {
    let (harness, before, after) = retried_over_a_swap(&[OTHER_SUM, CURRENT]).await;
    assert_eq!(sums(&harness), [3, 103]);
    let found = digests(&harness).await;
    let bundles: Vec<&String> = found.iter().map(|(_, _, digest)| digest).collect();
    assert_eq!(bundles, [&before, &before, &after, &after]);
    let keys = harness.keys_sent();
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn a_request_whose_answer_was_lost_goes_again_as_it_was() {
    let harness = Harness::new();
    let lost =
        SendError { before_first_byte: false, code: transport::ALL[0], detail: "cut".to_owned() };
    harness.target.then_error(lost);
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", BODY).await;
    process(harness.claim("place").await, &harness.cx).await;
    assert_eq!(harness.exchange("m1").await.state, "unknown");
    swap(&harness, &[OTHER_SUM, CURRENT]);
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    assert_eq!(sums(&harness), [3, 3]);
}

#[tokio::test]
async fn a_replay_goes_by_those_in_force() {
    let harness = Harness::new();
    harness.target.then_json(400, r#"{"code": "E1"}"#);
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", BODY).await;
    harness.settle().await;
    let (_, after) = swap(&harness, &[OTHER_SUM]);
    let dead = harness.exchange("m1").await;
    assert_eq!(dead.state, "dead");
    let act = Act {
        exchange: dead.id,
        verb: ActVerb::Replay,
        operator: "ops".to_owned(),
        reason: "mended".to_owned(),
        at: harness.cx.clock.now(),
        bundle: None,
        brings: Default::default(),
    };
    assert!(matches!(replay(act, &harness.cx).await.unwrap(), Replayed::Done(_)));
    harness.settle().await;
    assert_eq!(sums(&harness), [3, 103]);
    assert_eq!(harness.exchange("m1").await.bundle, after);
}

#[tokio::test]
async fn definitions_that_are_gone_are_replaced_by_those_in_force() {
    let harness = Harness::new();
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", BODY).await;
    let (_, after) = swap(&harness, &[OTHER_SUM]);
    harness.cx.definitions.forget(|_| false);
    harness.settle().await;
    assert_eq!(sums(&harness), [103]);
    let bundles = digests(&harness).await;
    assert!(bundles.iter().all(|(_, _, digest)| *digest == after), "{bundles:?}");
}

#[tokio::test]
async fn limits_change_while_requests_are_under_way() {
    let harness = Harness::new();
    let before = harness.cx.counterpart("post").unwrap();
    let taken = before.slots.clone().acquire_many_owned(3).await.unwrap();
    let limits = |count: &str| {
        let text = format!("concurrency: {count}");
        let bundle = testing::bundle(&Enabled::All, &[("concurrency: 4", &text)]);
        Arc::clone(&bundle.adapters["post"])
    };
    let fewer = before.succeed(limits("2"), before.target.clone());
    assert_eq!(fewer.slots.available_permits(), 0);
    drop(taken);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fewer.slots.available_permits(), 2);
    let more = fewer.succeed(limits("8"), before.target.clone());
    assert_eq!(before.slots.available_permits(), 8, "old and new share what is under way");
    assert_eq!(more.places.available_permits(), 64, "eight places for each slot");
}
