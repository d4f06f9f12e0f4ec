//! The machine's clock is set while messages wait.

use super::steady;
use super::testing::Harness;
use jiff::SignedDuration;
use std::time::Duration;

const BODY: &str = r#"{"person":"p1","amount":1}"#;
const NOON: &str = "2026-06-01T12:00:00";
/// What is said of a question that waits although its time seems to have come.
const WAITS: &str = "asked after the settle time: the clock was set, or the gateway started";
const HOUR: Duration = Duration::from_secs(3_600);

fn lost() -> crate::transport::SendError {
    crate::transport::SendError {
        before_first_byte: false,
        code: &crate::model::codes::transport::ANSWER_TOO_LARGE,
        detail: String::new(),
    }
}

#[tokio::test]
async fn set_back_by_an_hour_nothing_waits_that_hour() {
    let (harness, clock) = Harness::changed(&[("first: 1ms", "first: 5ms")], NOON);
    steady::follow(&harness.cx).await;
    harness.target.then_json(503, "{}").always_json(200, r#"{"result":"ok"}"#);
    harness.post("order.placed", "m1", BODY).await;
    harness.run_until(|all| all[0].state == "waiting-retry").await;
    clock.jump(SignedDuration::from_hours(-1));
    steady::follow(&harness.cx).await;
    clock.pass(Duration::from_millis(20));
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
}

#[tokio::test]
async fn set_back_while_the_process_was_away_nothing_waits_that_hour() {
    let (harness, clock) = Harness::changed(&[("first: 1ms", "first: 5ms")], NOON);
    harness.target.then_json(503, "{}").always_json(200, r#"{"result":"ok"}"#);
    harness.post("order.placed", "m1", BODY).await;
    harness.run_until(|all| all[0].state == "waiting-retry").await;
    clock.jump(SignedDuration::from_hours(-1));
    steady::at_start(&harness.cx).await.unwrap();
    clock.pass(Duration::from_millis(20));
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
}

#[tokio::test]
async fn set_forward_a_question_still_waits_for_the_settle_time() {
    let (harness, clock) = Harness::changed(&[], NOON);
    steady::follow(&harness.cx).await;
    harness.target.then_error(lost()).always_json(200, r#"{"result":"known"}"#);
    harness.post("order.slow", "m1", BODY).await;
    harness.run_until(|all| all[0].state == "unknown").await;
    clock.jump(SignedDuration::from_hours(3));
    harness.run_until(|all| all[0].detail.as_deref() == Some(WAITS)).await;
    assert_eq!(harness.target.requests().len(), 1, "nothing was asked");
    clock.pass(HOUR);
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    assert_eq!(harness.target.requests().len(), 2);
}

#[tokio::test]
async fn set_forward_while_the_process_was_away_a_question_still_waits_for_the_settle_time() {
    let (harness, clock) = Harness::changed(&[], NOON);
    harness.target.then_error(lost()).always_json(200, r#"{"result":"known"}"#);
    harness.post("order.slow", "m1", BODY).await;
    harness.run_until(|all| all[0].state == "unknown").await;
    clock.jump(SignedDuration::from_hours(3));
    steady::at_start(&harness.cx).await.unwrap();
    harness.run_until(|all| all[0].detail.as_deref() == Some(WAITS)).await;
    assert_eq!(harness.target.requests().len(), 1, "nothing was asked");
    clock.pass(HOUR);
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    assert_eq!(harness.target.requests().len(), 2);
}

#[tokio::test]
async fn set_back_what_was_lost_since_is_not_asked_about_too_early() {
    let (harness, clock) = Harness::changed(&[], NOON);
    steady::follow(&harness.cx).await;
    harness.target.then_error(lost()).always_json(200, r#"{"result":"known"}"#);
    clock.jump(SignedDuration::from_hours(-2));
    // Lost after the clock was set, and before anybody saw that.
    harness.post("order.slow", "m1", BODY).await;
    harness.run_until(|all| all[0].state == "unknown").await;
    steady::follow(&harness.cx).await;
    harness.run_until(|all| all[0].due.is_some()).await;
    assert_eq!(harness.target.requests().len(), 1, "nothing was asked");
    clock.pass(HOUR);
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
}
