//! Messages that go on from memory: when they do, when they must not, and what is left behind.

use super::accept::accept;
use super::testing::{Harness, arrival, is_at_rest};
use crate::store::Accepted;
use std::sync::Arc;
use std::time::Duration;

const ORDER: &str = r#"{"person":"a","amount":1}"#;
const OTHER: &str = r#"{"person":"b","amount":1}"#;
const OK: &str = r#"{"result":"ok"}"#;

/// A harness without workers whose operations have nothing waiting.
fn caught_up() -> Harness {
    let harness = Harness::new();
    let post = harness.cx.counterpart("post").unwrap();
    for operation in post.adapter.operations.keys() {
        post.intake.caught_up(operation, true);
    }
    harness
}

async fn state(harness: &Harness, id: &str) -> String {
    harness.exchange(id).await.state
}

/// Waits until nothing is under way; a guard against hanging.
async fn idle(harness: &Harness) {
    let post = harness.cx.counterpart("post").unwrap();
    tokio::time::timeout(Duration::from_secs(30), post.idle()).await.unwrap();
}

#[tokio::test]
async fn a_new_message_goes_on_without_a_worker_and_is_recorded_before_it_is_sent() {
    let harness = caught_up();
    harness.target.always_json(200, OK);
    let accepted = harness.post("order.placed", "m1", ORDER).await;
    assert!(matches!(accepted, Accepted::New { .. }));
    assert_eq!(harness.record().await.first().map(String::as_str), Some("intended"));
    idle(&harness).await;
    assert_eq!(state(&harness, "m1").await, "delivered");
    assert_eq!(harness.record().await, ["intended", "outcome applied"]);
    assert_eq!(harness.cx.store.pending(10).await.unwrap().len(), 1, "the answer for upstream");
    let attempts = harness.cx.store.attempts(harness.exchange("m1").await.id).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].outcome.as_deref()), (1, Some("applied")));
}

#[tokio::test]
async fn it_says_the_same_as_one_that_went_through_the_store() {
    let (direct, stored) = (caught_up(), Harness::new());
    for harness in [&direct, &stored] {
        harness.target.then_json(503, "").always_json(200, OK);
        harness.post("order.placed", "m1", ORDER).await;
        harness.settle().await;
    }
    assert_eq!(direct.keys_sent(), stored.keys_sent());
    assert_eq!(direct.record().await, stored.record().await);
    let entries = |rows: Vec<crate::record::RecordRow>| -> Vec<serde_json::Value> {
        let parsed = rows.iter().map(|row| serde_json::from_str(&row.entry).unwrap());
        let timeless = parsed.map(|mut entry: serde_json::Value| {
            for changing in ["time", "jst", "commitment"] {
                assert!(entry[changing].take().is_string(), "{changing}");
            }
            entry
        });
        timeless.collect()
    };
    let (one, other) =
        (direct.cx.store.record(0, 100).await.unwrap(), stored.cx.store.record(0, 100).await);
    assert_eq!(entries(one), entries(other.unwrap()));
}

#[tokio::test]
async fn a_person_s_next_message_waits_for_the_one_before() {
    let harness = caught_up();
    harness.target.then_json(503, "").always_json(200, OK);
    harness.post("order.placed", "m1", ORDER).await;
    harness.post("order.placed", "m2", ORDER).await;
    harness.post("order.placed", "m3", OTHER).await;
    idle(&harness).await;
    assert_eq!(state(&harness, "m1").await, "waiting-retry");
    assert_eq!(state(&harness, "m2").await, "held");
    assert_eq!(state(&harness, "m3").await, "delivered");
    harness.settle().await;
    assert_eq!(state(&harness, "m2").await, "delivered");
}

#[tokio::test]
async fn nobody_is_passed_over() {
    let harness = caught_up();
    harness.target.always_json(200, OK);
    harness.cx.leave_to_worker("post", "place");
    harness.post("order.placed", "m1", ORDER).await;
    assert_eq!(state(&harness, "m1").await, "received", "something older waits");

    let post = harness.cx.counterpart("post").unwrap();
    post.intake.caught_up("place", true);
    let all = u32::try_from(post.places.available_permits()).unwrap();
    let taken = post.places.acquire_many(all).await.unwrap();
    harness.post("order.placed", "m2", OTHER).await;
    assert_eq!(state(&harness, "m2").await, "received", "no place is free");
    assert!(!post.intake.is_open("place"), "and from now on m2 waits");
    drop(taken);
    assert!(harness.target.requests().is_empty());
    let caught_up = || post.intake.is_open("place");
    harness.run_until(|all| all.iter().all(is_at_rest) && caught_up()).await;
    assert_eq!(state(&harness, "m2").await, "delivered");
    assert!(!post.intake.is_open("place"), "the worker has stopped");
}

#[tokio::test]
async fn what_cannot_be_mapped_is_left_to_the_worker() {
    let harness = caught_up();
    let forbidden = r#"{"person":"a","amount":1,"note":"forbidden"}"#;
    harness.post("order.placed", "m1", forbidden).await;
    harness.post("order.placed", "m2", r#"{"person":1}"#).await;
    idle(&harness).await;
    assert_eq!(state(&harness, "m1").await, "received");
    assert_eq!(state(&harness, "m2").await, "received");
    harness.settle().await;
    assert_eq!(state(&harness, "m1").await, "dead");
    assert_eq!(harness.exchange("m2").await.code.as_deref(), Some("G201"));
    assert!(harness.target.requests().is_empty());
}

#[tokio::test]
async fn batches_wait_for_company_and_persons_for_a_slot() {
    let harness = caught_up();
    harness.post("order.batched", "m1", ORDER).await;
    assert_eq!(state(&harness, "m1").await, "received");
    let post = harness.cx.counterpart("post").unwrap();
    let all = u32::try_from(post.slots.available_permits()).unwrap();
    let taken = post.slots.acquire_many(all).await.unwrap();
    harness.post("order.manual", "m2", OTHER).await;
    assert_eq!(state(&harness, "m2").await, "received", "an intent would wait for its turn");
    drop(taken);
}

#[tokio::test]
async fn a_caller_that_went_away_leaves_nothing_half_done() {
    let harness = caught_up();
    harness.target.always_json(200, OK);
    let arrival = arrival("order.placed", "m1", ORDER);
    let mut accepting = Box::pin(accept(&arrival, &harness.cx));
    assert!(futures_util::poll!(&mut accepting).is_pending());
    drop(accepting);
    idle(&harness).await;
    assert_eq!(state(&harness, "m1").await, "delivered");
}

#[tokio::test]
async fn a_defect_while_it_is_sent_puts_it_aside() {
    let harness = caught_up();
    harness.target.then(|_| panic!("a defect of the test"));
    harness.post("order.placed", "m1", ORDER).await;
    idle(&harness).await;
    let exchange = harness.exchange("m1").await;
    assert_eq!((exchange.state.as_str(), exchange.due), ("unknown", None));
}

#[tokio::test]
async fn a_repetition_starts_nothing() {
    let harness = caught_up();
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", ORDER).await;
    assert_eq!(harness.post("order.placed", "m1", ORDER).await, Accepted::Duplicate);
    let reused = r#"{"person":"a","amount":2}"#;
    assert_eq!(harness.post("order.placed", "m1", reused).await, Accepted::Quarantined);
    idle(&harness).await;
    assert_eq!(harness.target.requests().len(), 1);
}

#[tokio::test]
async fn a_full_counterpart_is_waited_for_until_the_brake_ends_it() {
    let harness = caught_up();
    let post = harness.cx.counterpart("post").unwrap();
    assert!(!post.is_full());
    let count = |semaphore: &Arc<tokio::sync::Semaphore>| {
        u32::try_from(semaphore.available_permits()).unwrap()
    };
    let _places = Arc::clone(&post.places).acquire_many_owned(count(&post.places)).await.unwrap();
    assert!(post.is_full());
    post.wait_for_places().await;
    assert!(post.is_full(), "slots are free: it is the store that is waited for");
    let _slots = Arc::clone(&post.slots).acquire_many_owned(count(&post.slots)).await.unwrap();
    post.wait_for_places().await;
    assert!(!post.is_full(), "no longer waited for");
    assert!(!post.intake.is_open("place"), "through the store from now on");
}
