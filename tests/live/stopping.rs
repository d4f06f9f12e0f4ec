//! The gateway is told to stop while it carries messages and a counterpart is slow: what is under
//! way is finished within the limit, a second word ends it at once, and nothing is lost either way.

use crate::town::{Town, until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Posts notices while the counterparts stand still; gives the ids that were accepted.
async fn under_way(town: &Town) -> Vec<String> {
    town.counterparts("STOP").await;
    let notices = town.messages("notice.requested", Some("osr")).await;
    let health = town.health();
    let mut ids = Vec::new();
    for (number, notice) in notices.iter().enumerate().take(8) {
        let id = format!("s{number}");
        assert_eq!(health.post("notice.requested", &id, notice).await.status, 202);
        ids.push(id);
    }
    until("something under way", || async {
        let found = town.exchanges().await;
        found.iter().any(|one| one["state"] == "sending").then_some(())
    })
    .await;
    ids
}

/// Waits until every accepted message is delivered, and tells how often each was tried.
async fn all_delivered(town: &Town, ids: &[String]) -> BTreeMap<String, Value> {
    let mut tried = BTreeMap::new();
    for id in ids {
        let found = town.until_state(id, "delivered").await;
        tried.insert(id.clone(), found["attempts"].clone());
    }
    assert_eq!(town.exchanges().await.len(), ids.len(), "none more, none less");
    let verified = town.run(&["log", "verify"]).await;
    assert_eq!(verified.code, 0, "{}", verified.err);
    tried
}

#[tokio::test]
async fn what_is_under_way_is_finished_within_the_limit() {
    let town = Town::new().await;
    let mut gateway = town.start().await;
    let ids = under_way(&town).await;
    gateway.signal("TERM").await;
    until("red readiness", || async {
        // Once it has only requests under way to wait for, it no longer answers at all.
        let ready = gateway.ready_if_any().await;
        ready.is_none_or(|ready| ready["ready"] == false).then_some(())
    })
    .await;
    town.counterparts("CONT").await;
    assert_eq!(gateway.ended().await, Some(0));
    let states: Vec<Value> =
        town.exchanges().await.into_iter().map(|mut one| one["state"].take()).collect();
    assert!(!states.iter().any(|state| state == "sending" || state == "unknown"), "{states:?}");
    let _gateway = town.start().await;
    let tried = all_delivered(&town, &ids).await;
    assert!(tried.values().all(|attempts| *attempts == 1), "{tried:?}");
}

#[tokio::test]
async fn a_counterpart_that_hangs_holds_nothing_up_beyond_the_limit() {
    let town = Town::new().await;
    town.configure("gateway", "drain = \"1s\"");
    let mut gateway = town.start().await;
    let ids = under_way(&town).await;
    gateway.signal("TERM").await;
    assert_eq!(gateway.ended().await, Some(0));
    let waiting = town.exchanges().await;
    assert!(waiting.iter().any(|one| one["state"] == "sending"), "{waiting:?}");
    town.counterparts("CONT").await;
    let _gateway = town.start().await;
    all_delivered(&town, &ids).await;
}

#[tokio::test]
async fn a_second_word_ends_it_at_once_and_loses_nothing() {
    let town = Town::new().await;
    let mut gateway = town.start().await;
    let ids = under_way(&town).await;
    gateway.signal("TERM").await;
    until("the first word to be heard", || async {
        // Once it has only requests under way to wait for, it no longer answers at all.
        let ready = gateway.ready_if_any().await;
        ready.is_none_or(|ready| ready["ready"] == false).then_some(())
    })
    .await;
    gateway.signal("TERM").await;
    let ended = tokio::time::timeout(Duration::from_secs(10), gateway.ended()).await;
    assert_eq!(ended.unwrap(), Some(130), "before the drain limit of 20 s");
    town.counterparts("CONT").await;
    let _gateway = town.start().await;
    all_delivered(&town, &ids).await;
}
