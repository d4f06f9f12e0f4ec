//! The whole crossing judged by the oracle: the demo's own program, with everything that can go
//! wrong around the gateway.

use super::services::Broker;
use super::setup;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long RabbitMQ is away in the outage test.
const OUTAGE: Duration = Duration::from_secs(30);

/// The program built by `cargo build --workspace` beside this test.
pub fn simulators() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(|deps| deps.parent()).unwrap().join("watashi-simulators");
    assert!(path.exists(), "{} is missing: run `cargo build --workspace` first", path.display());
    path
}

/// Runs one demo and holds its verdict to zero. `seen` gets every progress line.
pub fn demo(arguments: &[&str], mut seen: impl FnMut(&str)) -> Value {
    let folder = std::env::temp_dir().join(format!(
        "watashi-crossing-{}-{}",
        std::process::id(),
        arguments.concat().replace(|c: char| !c.is_ascii_alphanumeric(), "")
    ));
    let mut child = Command::new(simulators())
        .args(["demo", "--json", "--residents", "120", "--notices", "40", "--inquiries", "20"])
        .args(["--applications", "10", "--definitions", env!("CARGO_MANIFEST_DIR"), "--folder"])
        .arg(&folder)
        .args(["--watashi", env!("CARGO_BIN_EXE_watashi")])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut tail = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        seen(&line);
        tail.push(line);
    }
    let output = child.wait_with_output().unwrap();
    let told = tail.join("\n");
    let verdict: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no verdict ({error}); the demo said:\n{told}"));
    for count in ["lost", "doubled", "unrecorded", "out_of_order"] {
        assert_eq!(verdict[count], 0, "{count}: {verdict:#}\n{told}");
    }
    assert_eq!(verdict["record"]["verified"], true, "{verdict:#}");
    assert!(output.status.success(), "{told}");
    // What no route took has no name: applications with a bad signature.
    let routes = verdict["routes"].as_array().unwrap();
    let named = routes.iter().filter(|route| route["route"] != "").count();
    assert_eq!(named, 8, "every route crosses");
    let _removed = std::fs::remove_dir_all(folder);
    verdict
}

#[test]
fn without_a_broker_two_seeds_end_with_nothing_lost_or_doubled() {
    setup();
    for seed in ["11", "12"] {
        demo(&["--seed", seed], |_| {});
    }
}

#[test]
fn killed_ten_times_nothing_is_lost_or_doubled() {
    setup();
    let mut kills = 0;
    demo(&["--seed", "13", "--kill", "10"], |line| kills += usize::from(line.contains("killed")));
    assert_eq!(kills, 10);
}

#[tokio::test]
async fn over_rabbitmq_nothing_is_lost_or_doubled() {
    setup();
    let url = super::services::broker().await.url();
    tokio::task::spawn_blocking(move || demo(&["--seed", "14", "--amqp", &url], |_| {}))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_rabbitmq_gone_for_half_a_minute_nothing_is_lost_or_doubled() {
    setup();
    let mut broker = Broker::start().await;
    let url = broker.url();
    let (progress, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let run = tokio::task::spawn_blocking(move || {
        demo(&["--seed", "15", "--amqp", &url], |line| {
            let _nobody_waits = progress.send(line.to_owned());
        })
    });
    // The crossing is under way once effects are counted.
    while let Some(line) = lines.recv().await {
        if line.contains("effects") && !line.contains("effects 0") {
            break;
        }
    }
    broker.crash();
    tokio::time::sleep(OUTAGE).await;
    broker.resume().await;
    run.await.unwrap();
}
