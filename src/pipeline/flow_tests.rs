//! When something is sent and when not: hours, deadlines, breaker, batches, newer states.

use super::testing::{Harness, SetClock};
use super::{availability, deadlines};
use crate::model::codes::transport;
use crate::store::Accepted;
use crate::transport::fake::json;
use crate::transport::{Request, SendError};
use std::sync::Arc;
use std::time::Duration;

const OK: &str = r#"{"result":"ok"}"#;
const BREAKER: &str = "breaker: {failures: 0, open-for: 1s}";
const PLACING: &str = "ordering-key: person, subject: person";

fn order(person: &str) -> String {
    format!(r#"{{"person":"{person}","amount":1}}"#)
}

fn lost() -> SendError {
    SendError { before_first_byte: false, code: transport::ALL[0], detail: "cut".to_owned() }
}

/// With other lines under `breaker:`.
fn with_hours(more: &str) -> (Harness, Arc<SetClock>) {
    Harness::changed(&[(BREAKER, &format!("{BREAKER}\n{more}"))], "2026-11-22T12:00")
}

async fn codes(harness: &Harness) -> Vec<(String, String)> {
    let all = harness.exchanges().await;
    all.into_iter().map(|one| (one.state, one.code.unwrap_or_default())).collect()
}

/// Lets the workers run for a moment in which nothing may happen.
async fn rest(harness: &Harness) {
    let start = std::time::Instant::now();
    harness.run_until(|_| start.elapsed() > Duration::from_millis(200)).await;
}

fn bodies(harness: &Harness) -> Vec<String> {
    let text = |request: Request| String::from_utf8_lossy(&request.body).into_owned();
    harness.target.requests().into_iter().map(text).collect()
}

#[tokio::test]
async fn a_newer_state_is_sent_instead_of_those_that_wait() {
    let change = (PLACING, "ordering-key: person, when-stuck: supersede");
    let (harness, _clock) = Harness::changed(&[change], "2026-11-20T12:00");
    harness.target.always_json(200, OK);
    for id in ["m1", "m2", "m3"] {
        harness.post("order.placed", id, &order("a")).await;
    }
    harness.post("order.placed", "n1", &order("b")).await;
    harness.settle().await;
    let (discarded, sent) = (("discarded", "G411"), ("delivered", ""));
    let own = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter().map(|(state, code)| ((*state).to_owned(), (*code).to_owned())).collect()
    };
    assert_eq!(codes(&harness).await, own(&[discarded, discarded, sent, sent]));
    assert_eq!(harness.target.requests().len(), 2);
    assert_eq!(harness.exchange("m1").await.detail.as_deref(), Some("by m2"));
    let told = harness.cx.store.pending(10).await.unwrap();
    let told: Vec<&str> = told.iter().map(|one| one.message.message_type.as_str()).collect();
    assert_eq!(told.iter().filter(|kind| **kind == "watashi.exchange.superseded").count(), 2);
    assert_eq!(harness.post("order.placed", "m1", &order("a")).await, Accepted::Duplicate);
    assert!(harness.record().await.contains(&"noted superseded".to_owned()));
}

#[tokio::test]
async fn what_is_closed_is_left_alone_and_costs_nothing() {
    let (harness, clock) = with_hours("hours: {open: {weekdays: \"08:00-21:00\"}}");
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", &order("a")).await;
    rest(&harness).await; // a Sunday
    let waiting = harness.exchange("m1").await;
    assert_eq!((waiting.state.as_str(), waiting.attempts), ("received", 0));
    assert!(harness.target.requests().is_empty());
    let counterpart = harness.cx.counterpart("post").unwrap();
    assert!(counterpart.closed(harness.cx.clock.now()).is_some());
    assert!(!counterpart.breaker().is_open());
    // Half a second before closing, with a timeout of one second: not begun.
    clock.set("2026-11-23T20:59:59.500");
    rest(&harness).await;
    assert!(harness.target.requests().is_empty(), "it could reach past closing");
    clock.set("2026-11-24T08:00");
    harness.settle().await;
    let ended = harness.exchange("m1").await;
    assert_eq!((ended.state.as_str(), ended.attempts), ("delivered", 1));
}

#[tokio::test]
async fn maintenance_stops_polls_and_questions_too() {
    let (harness, clock) = with_hours(
        "hours: {maintenance: [{from: \"2026-11-22T13:00\", to: \"2026-11-22T14:00\"}]}",
    );
    harness.target.then_json(202, r#"{"ticket":"T1"}"#).then_error(lost());
    harness.post("order.batched", "m1", &order("a")).await;
    harness.run_until(|all| all[0].state == "waiting-result").await;
    harness.post("order.asked", "m2", &order("b")).await;
    harness.run_until(|all| all[1].state == "unknown").await;
    let before = harness.target.requests().len();
    clock.set("2026-11-22T13:30");
    rest(&harness).await;
    assert_eq!(harness.target.requests().len(), before);
    harness.target.always_json(404, r#"{"result":"unknown","code":"gone"}"#);
    clock.set("2026-11-22T14:00");
    harness.run_until(|_| harness.target.requests().len() > before).await;
}

#[tokio::test]
async fn a_deadline_ends_what_waits_for_whatever_reason() {
    let changes = [
        (PLACING, "ordering-key: person, deadline: 1h, subject: person"),
        (
            BREAKER,
            "breaker: {failures: 0, open-for: 1s}\nhours: {closed-days: [\"2026-11-23\"], open: {mon: \"00:00-24:00\", tue: \"00:00-24:00\"}}",
        ),
    ];
    let (harness, clock) = Harness::changed(&changes, "2026-11-24T12:00");
    harness.target.then_error(lost()).then_json(503, "");
    harness.post("order.placed", "lost", &order("a")).await;
    harness.run_until(|all| all[0].state == "unknown").await;
    clock.set("2026-11-23T12:00"); // closed
    harness.post("order.placed", "behind", &order("a")).await;
    harness.post("order.placed", "waits", &order("b")).await;
    harness.post("order.manual", "other", &order("c")).await;
    let look = || async {
        let counterpart = harness.cx.counterpart("post").unwrap();
        deadlines::look(&counterpart, 0, &harness.cx).await
    };
    clock.set("2026-11-23T12:59:59");
    look().await;
    assert_eq!(harness.exchange("behind").await.state, "held");
    clock.set("2026-11-24T13:00");
    look().await;
    let ends = [("lost", "unknown", "G412"), ("behind", "dead", "G412"), ("waits", "dead", "G412")];
    for (id, state, code) in ends {
        let one = harness.exchange(id).await;
        assert_eq!((one.state.as_str(), one.code.as_deref()), (state, Some(code)), "{id}");
        assert_eq!(one.due, None);
    }
    assert_eq!(harness.exchange("other").await.state, "received", "without a deadline");
    assert!(harness.exchange("lost").await.maybe_applied, "nobody knows");
}

#[tokio::test]
async fn a_retry_is_never_due_beyond_the_deadline() {
    let changes = [
        (PLACING, "ordering-key: person, deadline: 10s, subject: person"),
        ("retry: {first: 1ms, max: 5ms", "retry: {first: 1h, max: 2h"),
    ];
    let (harness, clock) = Harness::changed(&changes, "2026-11-24T12:00");
    harness.target.always_json(503, "");
    harness.post("order.placed", "m1", &order("a")).await;
    harness.run_until(|all| all[0].state == "waiting-retry").await;
    clock.pass(Duration::from_secs(10));
    harness.settle().await;
    let one = harness.exchange("m1").await;
    assert_eq!((one.state.as_str(), one.code.as_deref()), ("dead", Some("G412")));
    assert_eq!(one.attempts, 1, "not sent after its deadline");
}

#[tokio::test]
async fn a_key_that_is_forgotten_is_left_to_a_person() {
    let place = "  place:\n    interaction: request-reply\n    unknown: resend\n";
    let keeps = format!("{place}    idempotency: {{retention: 1h, afterwards: person}}\n");
    let slow = ("retry: {first: 1ms, max: 5ms", "retry: {first: 50m, max: 50m");
    let (harness, clock) = Harness::changed(&[(place, &keeps), slow], "2026-11-24T12:00");
    harness.target.then_error(lost()).then_error(lost()).always_json(200, OK);
    harness.post("order.placed", "m1", &order("a")).await;
    harness.run_until(|all| all[0].attempts == 1 && all[0].state == "unknown").await;
    clock.pass(Duration::from_secs(50 * 60));
    harness.run_until(|all| all[0].attempts == 2 && all[0].state == "unknown").await;
    clock.pass(Duration::from_secs(50 * 60));
    harness.settle().await;
    let one = harness.exchange("m1").await;
    assert_eq!((one.state.as_str(), one.code.as_deref()), ("unknown", Some("G413")));
    assert_eq!(harness.target.requests().len(), 2, "never sent under a forgotten key");
}

#[tokio::test]
async fn one_probe_decides_for_all_workers_of_a_counterpart() {
    let (harness, clock) = Harness::changed(
        &[(BREAKER, "breaker: {failures: 3, open-for: 300ms}")],
        "2026-11-24T12:00",
    );
    harness.target.always_json(503, "");
    for number in 0..10 {
        let kind = ["order.placed", "order.manual", "order.asked"][number % 3];
        harness.post(kind, &format!("m{number}"), &order(&format!("p{number}"))).await;
    }
    let counterpart = harness.cx.counterpart("post").unwrap();
    harness.run_until(|_| counterpart.breaker().is_open()).await;
    clock.pass(Duration::from_secs(1)); // all are due
    let before = harness.target.requests().len();
    rest(&harness).await; // shorter than the open time
    assert_eq!(harness.target.requests().len(), before);
    // The probe fails: one request, then silence for longer than before.
    harness.run_until(|_| harness.target.requests().len() > before).await;
    rest(&harness).await;
    assert_eq!(harness.target.requests().len(), before + 1, "one probe, whoever asks");
    harness.target.always_json(200, OK);
    clock.pass(Duration::from_secs(1));
    harness.settle().await;
    assert!(!counterpart.breaker().is_open());
}

/// A counterpart that refuses every sheet that holds a bad item, whatever else is in it.
fn refusing(request: &Request) -> Result<crate::transport::Response, SendError> {
    let sent: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let people: Vec<&str> =
        sent.as_array().unwrap().iter().map(|one| one["who"].as_str().unwrap()).collect();
    if people.iter().any(|who| who.starts_with("bad")) {
        return Ok(json(400, r#"{"code":"E9"}"#));
    }
    let done = (1..=people.len()).map(|n| format!(r#"{{"n":{n},"state":"done"}}"#));
    let done = format!(r#"{{"results":[{}]}}"#, done.collect::<Vec<_>>().join(","));
    let mut answer = json(200, "");
    answer.body = done.into_bytes().into();
    Ok(answer)
}

#[tokio::test]
async fn the_bad_one_of_a_batch_is_found_in_halves() {
    let harness = Harness::new();
    for _ in 0..60 {
        harness.target.then(refusing);
    }
    for number in 0..64 {
        let person = if number == 37 { "bad".to_owned() } else { format!("p{number}") };
        harness.post("order.sheet", &format!("m{number}"), &order(&person)).await;
    }
    harness.settle().await;
    for (number, one) in harness.exchanges().await.iter().enumerate() {
        let expected = if number == 37 { ("dead", Some("G401")) } else { ("delivered", None) };
        assert_eq!((one.state.as_str(), one.code.as_deref()), expected, "m{number}");
    }
    // All at once, then two requests for each halving: 2 · log2(64) + 1.
    assert_eq!(harness.target.requests().len(), 13);
    let attempts: u32 = harness.exchanges().await.iter().map(|one| one.attempts).sum();
    assert_eq!(attempts, 64 + 64 + 32 + 16 + 8 + 4 + 2, "each item has its own attempts");
}

#[tokio::test]
async fn two_bad_ones_are_found_as_well() {
    let harness = Harness::new();
    for _ in 0..60 {
        harness.target.then(refusing);
    }
    for number in 0..16 {
        let person = if number % 15 == 0 { format!("bad{number}") } else { format!("p{number}") };
        harness.post("order.sheet", &format!("m{number}"), &order(&person)).await;
    }
    harness.settle().await;
    let states: Vec<String> = harness.exchanges().await.into_iter().map(|one| one.state).collect();
    assert_eq!(states.iter().filter(|state| *state == "dead").count(), 2);
    assert_eq!(states.iter().filter(|state| *state == "delivered").count(), 14);
    assert!(harness.target.requests().len() <= 2 * (2 * 4) + 1);
}

#[tokio::test]
async fn each_item_of_a_batch_has_its_own_result() {
    let harness = Harness::new();
    harness.target.then_json(
        200,
        r#"{"results":[{"n":1,"state":"done"},{"n":2,"state":"bad","code":"E7"},{"n":4,"state":"busy"}]}"#,
    );
    for _ in 0..4 {
        harness.target.then(refusing);
    }
    for person in ["a", "b", "c", "d"] {
        harness.post("order.sheet", person, &order(person)).await;
    }
    harness.settle().await;
    let mut found = Vec::new();
    for person in ["a", "b", "c", "d"] {
        let one = harness.exchange(person).await;
        found.push((one.state, one.maybe_applied, one.attempts));
    }
    let expected = [
        ("delivered", false, 1),
        ("dead", false, 1),
        // Not named in the result: it may have been applied, and is sent again under its key.
        ("delivered", true, 2),
        ("delivered", false, 2),
    ];
    let expected = expected.map(|(state, maybe, attempts)| (state.to_owned(), maybe, attempts));
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_lost_batch_is_sent_again_as_it_was() {
    let harness = Harness::new();
    harness.target.then_error(lost()).then_json(503, "");
    for _ in 0..4 {
        harness.target.then(refusing);
    }
    for person in ["a", "b", "c"] {
        harness.post("order.sheet", person, &order(person)).await;
    }
    let another = async {
        while harness.target.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        harness.post("order.sheet", "late", &order("late")).await;
    };
    tokio::join!(harness.settle(), another);
    assert!(harness.exchanges().await.iter().all(|one| one.state == "delivered"));
    let with_a: Vec<usize> = bodies(&harness)
        .iter()
        .enumerate()
        .filter_map(|(index, body)| body.contains("\"a\"").then_some(index))
        .collect();
    let (keys, bodies) = (harness.keys_sent(), bodies(&harness));
    assert_eq!(with_a.len(), 3, "{bodies:?}");
    for again in &with_a[1..] {
        assert_eq!((&keys[*again], &bodies[*again]), (&keys[with_a[0]], &bodies[with_a[0]]));
    }
}

#[tokio::test]
async fn what_a_counterpart_says_of_itself_closes_it_for_a_while() {
    let (harness, clock) = with_hours(
        r#"availability:
  every: 1m
  keep-for: 10m
  request: {method: GET, path: /state, format: none}
  response: {format: json, schema: post/answer@1}
  outcomes:
    - {status: [200], when: 'result == "open"', then: open}
    - {status: [200], when: 'result == "closed"', then: closed, until: ticket}"#,
    );
    let counterpart = harness.cx.counterpart("post").unwrap();
    let look = || async {
        let availability = counterpart.adapter.availability.as_ref().unwrap();
        availability::look(&counterpart, availability, &harness.cx).await;
        counterpart.closed(harness.cx.clock.now()).is_some()
    };
    harness.target.then_json(200, r#"{"result":"closed"}"#);
    assert!(look().await);
    assert!(look().await);
    assert_eq!(harness.target.requests().len(), 1, "asked once a minute");
    // What is not clear changes nothing, for as long as the last answer holds.
    clock.pass(Duration::from_secs(60));
    harness.target.then_error(lost());
    assert!(look().await);
    clock.pass(Duration::from_secs(600));
    harness.target.then_json(500, "");
    assert!(!look().await, "then the declared hours count alone");
    harness.target.then_json(200, r#"{"result":"closed","ticket":"2026-11-22T12:20"}"#);
    assert!(look().await, "until 12:20");
    clock.set("2026-11-22T12:19");
    harness.target.then_error(lost());
    assert!(look().await);
    clock.set("2026-11-22T12:20");
    harness.target.then_json(200, r#"{"result":"open"}"#);
    assert!(!look().await);
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", &order("a")).await;
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
}

#[tokio::test]
async fn a_route_takes_what_is_accepted_on_its_days_and_finishes_it_later() {
    let placing = "{on: order.placed, operation: place, ";
    let change = format!("{placing}active-from: \"2026-12-01\", active-to: 2026-12-31, ");
    let (harness, clock) = Harness::changed(&[(placing, &change)], "2026-11-30T23:59");
    harness.target.always_json(200, OK);
    harness.post("order.placed", "before", &order("a")).await;
    clock.set("2026-12-01T00:00");
    harness.post("order.placed", "first", &order("b")).await;
    clock.set("2026-12-31T23:59");
    harness.post("order.placed", "last", &order("c")).await;
    clock.set("2027-01-01T00:00");
    harness.post("order.placed", "after", &order("d")).await;
    harness.settle().await;
    let found = codes(&harness).await;
    let found: Vec<_> = found.iter().map(|(state, code)| (state.as_str(), code.as_str())).collect();
    let (dead, sent) = (("dead", "G105"), ("delivered", ""));
    assert_eq!(found, [dead, sent, sent, dead]);
}

#[tokio::test]
async fn an_operation_may_give_up_sooner_than_its_adapter() {
    let place = "  place:\n    interaction: request-reply\n";
    let change = format!("{place}    retry: {{max-age: 1h}}\n");
    let (harness, clock) = Harness::changed(&[(place, &change)], "2026-11-20T12:00");
    harness.target.always_json(503, "");
    harness.post("order.placed", "m1", &order("a")).await;
    harness.post("order.manual", "m2", &order("b")).await;
    harness.run_until(|all| all.iter().all(|one| one.state == "waiting-retry")).await;
    clock.pass(Duration::from_secs(7_200));
    harness.run_until(|all| all.iter().all(|one| one.attempts == 2)).await;
    harness.run_until(|all| all.iter().all(|one| one.state != "sending")).await;
    let found = codes(&harness).await;
    assert_eq!(found[0], ("dead".to_owned(), "G408".to_owned()));
    assert_eq!(found[1].0, "waiting-retry");
}
