//! Three gateways over one RabbitMQ and one PostgreSQL, judged by the oracle: nothing lost, doubled,
//! unrecorded or out of order, whatever happens to any of them.

use super::crossing::demo;
use super::database::{Server, server};
use super::services::broker;
use super::setup;
use serde_json::Value;

/// Runs the demo with three instances; gives its verdict and how often harm was done.
async fn three(server: &Server, seed: &str, harm: &str, times: &str) -> (Value, usize) {
    let amqp = broker().await.virtual_host(&format!("instances-{seed}"));
    let url = server.url(&server.database().await);
    let ca = std::env::temp_dir().join(format!("watashi-live-{}-{seed}.pem", std::process::id()));
    std::fs::write(&ca, server.authority()).unwrap();
    let words = ["--seed", seed, "--instances", "3", "--amqp", &amqp, "--postgres", &url];
    let more = ["--harm", harm, "--kill", times, "--postgres-ca", ca.to_str().unwrap()];
    let words: Vec<String> = words.iter().chain(&more).map(|word| (*word).to_owned()).collect();
    let ran = tokio::task::spawn_blocking(move || {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut harmed = 0;
        let verdict = demo(&words, |line| harmed += usize::from(line.contains(", and back at ")));
        (verdict, harmed)
    });
    let ran = ran.await.unwrap();
    let _gone = std::fs::remove_file(ca);
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_turn_the_others_go_on() {
    setup();
    let (_, killed) = three(server().await, "31", "kill", "3").await;
    assert!(killed > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_beyond_its_lease_none_writes_what_it_no_longer_has() {
    setup();
    let (_, paused) = three(server().await, "32", "pause", "3").await;
    assert!(paused > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_one_after_the_other_they_lose_nothing() {
    setup();
    let (_, restarted) = three(server().await, "33", "roll", "6").await;
    assert!(restarted > 0);
}
