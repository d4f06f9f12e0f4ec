//! Notices of counterparts: what they are matched to, what follows, and that nothing follows from
//! what does not fit.

use super::callback::{Notice, Taken, Untaken, take};
use super::settle::{self, Decided};
use super::testing::Harness;
use crate::store::{Next, Settled};
use crate::transport::Response;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// Operations of a counterpart that says when a result is there: the poll alone would come after an
/// hour. `told` only tells, `judged` carries the result, `posted` is a message of its own.
pub(crate) const CALLED: &str = r#"
  polled:
    interaction: submit-poll
    unknown: resend
    request: {method: POST, path: /place, format: json, schema: post/parcel@1, idempotency-header: Idempotency-Key}
    response: {format: json, schema: post/answer@1}
    outcomes:
      - {status: [202], when: present(ticket), then: accepted, ticket: ticket}
    poll:
      every: 1h
      request: {method: GET, path: "/result/{ticket}", format: none}
      response: {format: json, schema: post/answer@1}
      outcomes:
        - {status: [200], when: 'result == "running"', then: pending}
        - {status: [200], when: 'result == "ok"', then: ready}
  told:
    interaction: push-in
    callback: {path: told, schema: post/answer@1, max-bytes: 2000}
    completes: polled
    ticket: ticket
  told-of-batch:
    interaction: push-in
    callback: {path: told-of-batch, schema: post/answer@1}
    completes: batched
    ticket: ticket
  judged:
    interaction: push-in
    callback: {path: judged, schema: post/answer@1, bearer: true, signature: {header: X-Signature, prefix: "sha256="}}
    completes: polled
    ticket: ticket
    outcomes:
      - {when: 'result == "ok"', then: applied}
      - {when: 'result == "no"', then: refused, detail: code}
      - {when: 'result == "lost"', then: not-applied}
      - {when: 'result == "running"', then: pending}
  posted:
    interaction: push-in
    callback: {path: posted, method: PUT, schema: shop/order@1}
    message: {type: order.pushed, id: person}
routes:
  pushing: {on: order.pushed, operation: place, mapping: order-to-parcel}
  polling: {on: order.polled, operation: polled, mapping: order-to-parcel, ordering-key: person, record: {kind: 送付}, reply: {type: order.answered, mapping: answer-to-reply}}
"#;

/// A pipeline with those operations.
pub(crate) fn called() -> Harness {
    let harness =
        Harness::tuned(&[("\nroutes:\n", CALLED), ("      every: 1ms", "      every: 1h")]);
    harness.target.always(|request| {
        let answer = |status, body: &str| Response {
            status,
            content_type: "application/json".to_owned(),
            retry_after: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
            token: None,
        };
        Ok(match request.path.as_str() {
            "/place" if request.body.starts_with(b"[") => answer(202, r#"{"ticket":"B1"}"#),
            "/place" => answer(202, r#"{"ticket":"T1"}"#),
            "/result/B1" => answer(
                200,
                r#"{"results":[{"n":1,"state":"done"},{"n":2,"state":"bad","code":"E1"}]}"#,
            ),
            _ => answer(200, r#"{"result":"ok"}"#),
        })
    });
    harness
}

async fn notify(harness: &Harness, operation: &str, body: &str) -> Result<Taken, Untaken> {
    let adapter = Arc::clone(&harness.cx.bundle().adapters["post"]);
    let notice = Notice {
        operation: Arc::clone(&adapter.operations[operation]),
        adapter,
        content_type: "application/json".to_owned(),
        traceparent: None,
        body: Bytes::copy_from_slice(body.as_bytes()),
    };
    take(&notice, &harness.cx).await
}

/// A pipeline in which one message waits for its result, with the ticket `T1`.
pub(crate) async fn waiting() -> Harness {
    let harness = called();
    harness.post("order.polled", "m1", r#"{"person":"p1","amount":1}"#).await;
    harness.run_until(|all| all.iter().all(|one| one.state == "waiting-result")).await;
    harness
}

#[tokio::test]
async fn a_notice_has_the_result_asked_for_at_once() {
    let harness = waiting().await;
    assert_eq!(notify(&harness, "told", r#"{"ticket":"T1"}"#).await.unwrap(), Taken::Woken);
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    let asked: Vec<String> = harness.target.requests().into_iter().map(|one| one.path).collect();
    assert_eq!(asked, ["/place", "/result/T1"]);
    // Said again, it is answered the same way and changes nothing.
    assert_eq!(notify(&harness, "told", r#"{"ticket":"T1"}"#).await.unwrap(), Taken::Known);
    assert_eq!(harness.target.requests().len(), 2);
}

#[tokio::test]
async fn a_notice_of_nothing_that_waits_changes_nothing() {
    let harness = waiting().await;
    let before = harness.record().await;
    for ticket in ["T2", "T", "T1x", "T10", "t1"] {
        let told = notify(&harness, "told", &format!(r#"{{"ticket":"{ticket}"}}"#)).await;
        assert!(matches!(told, Err(Untaken::UnknownTicket)), "{ticket}: {told:?}");
    }
    let of_batch = notify(&harness, "told-of-batch", r#"{"ticket":"T1"}"#).await;
    assert!(matches!(of_batch, Err(Untaken::UnknownTicket)), "a ticket of another operation");
    for (body, place) in [
        ("{", ""),
        (r#"{"ticket":"T1","other":1}"#, "undeclared"),
        (r#"{"ticket":"T 1"}"#, "ticket"),
        (r#"{"ticket":"T1#1"}"#, "ticket"),
        ("{}", "ticket"),
    ] {
        match notify(&harness, "told", body).await {
            Err(Untaken::Unfit(detail)) => assert!(detail.contains(place), "{body}: {detail}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    let exchange = harness.exchange("m1").await;
    assert_eq!((exchange.state.as_str(), harness.record().await), ("waiting-result", before));
    assert_eq!(harness.target.requests().len(), 1);
}

#[tokio::test]
async fn a_notice_may_be_the_result() {
    for (body, state, code, outcome) in [
        (r#"{"ticket":"T1","result":"ok"}"#, "delivered", None, "outcome applied"),
        (r#"{"ticket":"T1","result":"no","code":"E7"}"#, "dead", Some("G401"), "noted refused"),
    ] {
        let harness = waiting().await;
        let running = notify(&harness, "judged", r#"{"ticket":"T1","result":"running"}"#).await;
        assert_eq!(running.unwrap(), Taken::Known);
        assert_eq!(harness.exchange("m1").await.state, "waiting-result");
        assert_eq!(notify(&harness, "judged", body).await.unwrap(), Taken::Settled);
        let exchange = harness.exchange("m1").await;
        assert_eq!((exchange.state.as_str(), exchange.code.as_deref()), (state, code));
        assert_eq!(harness.record().await.last().unwrap(), outcome);
        assert_eq!(harness.target.requests().len(), 1, "nothing is asked");
        let answers = harness.cx.store.pending(10).await.unwrap();
        assert_eq!(answers.len(), 1, "the answer for upstream, or word of the dead letter");
        assert_eq!(notify(&harness, "judged", body).await.unwrap(), Taken::Known);
        assert_eq!(harness.cx.store.pending(10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_result_that_no_line_speaks_of_is_asked_for() {
    let harness = waiting().await;
    let told = notify(&harness, "judged", r#"{"ticket":"T1","result":"odd"}"#).await;
    assert_eq!(told.unwrap(), Taken::Woken);
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
}

#[tokio::test]
async fn what_was_lost_at_the_counterpart_is_submitted_again_under_its_key() {
    let harness = waiting().await;
    let told = notify(&harness, "judged", r#"{"ticket":"T1","result":"lost"}"#).await;
    assert_eq!(told.unwrap(), Taken::Settled);
    harness.run_until(|all| all.iter().all(|one| one.state == "waiting-result")).await;
    let keys = harness.keys_sent();
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));
}

#[tokio::test]
async fn a_question_under_way_when_the_notice_comes_is_asked_again() {
    let harness = waiting().await;
    let of_ticket = || harness.cx.store.of_ticket("post".into(), "polled".into(), "T1".into());
    let asked = of_ticket().await.unwrap().waiting.remove(0);
    notify(&harness, "told", r#"{"ticket":"T1"}"#).await.unwrap();
    // The question was put before the notice, and says that there is nothing yet.
    let route = harness.cx.route_of(&asked).unwrap();
    let due = settle::later(harness.cx.clock.now(), Duration::from_secs(3_600));
    let later = Decided::of(Next::WaitResult { due, ticket: "T1".to_owned() });
    let written = settle::write_all(vec![(&asked, &*route, 0, later)], &harness.cx).await;
    assert_eq!(written, [Settled::Stale]);
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
}

#[tokio::test]
async fn a_notice_of_a_batch_wakes_each_of_its_items() {
    let harness = called();
    for id in ["m1", "m2"] {
        let body = format!(r#"{{"person":"{id}","amount":1}}"#);
        harness.post("order.batched", id, &body).await;
    }
    harness.run_until(|all| all.iter().all(|one| one.state == "waiting-result")).await;
    let told = notify(&harness, "told-of-batch", r#"{"ticket":"B1"}"#).await;
    assert_eq!(told.unwrap(), Taken::Woken);
    harness.settle().await;
    let mut states: Vec<String> =
        harness.exchanges().await.into_iter().map(|one| one.state).collect();
    states.sort();
    assert_eq!(states, ["dead", "delivered"]);
    let asked = harness.target.requests();
    assert_eq!(asked.iter().filter(|one| one.path == "/result/B1").count(), 1);
}

#[tokio::test]
async fn a_notice_may_be_a_message_of_its_own() {
    let harness = called();
    harness.target.always_json(200, r#"{"result":"ok"}"#);
    let body = r#"{"person":"N-1","amount":3}"#;
    assert_eq!(notify(&harness, "posted", body).await.unwrap(), Taken::New);
    assert_eq!(notify(&harness, "posted", body).await.unwrap(), Taken::Duplicate);
    let other = notify(&harness, "posted", r#"{"person":"N-1","amount":4}"#).await;
    assert!(matches!(other, Err(Untaken::IdReused)), "{other:?}");
    harness.settle().await;
    let exchange = harness.exchange("N-1").await;
    let found = (exchange.source.as_str(), exchange.route.as_str(), exchange.state.as_str());
    assert_eq!(found, ("post", "pushing", "delivered"));
    assert_eq!(harness.target.requests().len(), 1);
}
