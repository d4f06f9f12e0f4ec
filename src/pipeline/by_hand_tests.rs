//! Answers that persons give: passed on once, checked like the counterpart's own, by two where two
//! are wanted.

use super::approve::By;
use super::by_hand::{Given, give};
use super::testing::Harness;
use crate::model::codes::transport as codes;
use crate::model::{Code, State};
use crate::transport::SendError;

const REPLIES: (&str, &str) = (
    "  by-hand: {on: order.manual, operation: manual, mapping: order-to-parcel, ordering-key: person, record: {kind: 送付}}",
    "  by-hand: {on: order.manual, operation: manual, mapping: order-to-parcel, ordering-key: person, record: {kind: 求め}, reply: {type: order.answered, mapping: answer-to-reply}}",
);
const BY_TWO: (&str, &str) = (
    "reply: {type: order.answered, mapping: answer-to-reply}}",
    "reply: {type: order.answered, mapping: answer-to-reply, by-hand: {mapping: answer-to-reply}}}",
);
const ORDER: &str = r#"{"person":"ann","amount":1}"#;

fn lost() -> SendError {
    SendError { before_first_byte: false, code: &codes::ANSWER_TIMEOUT, detail: String::new() }
}

/// Gives an answer: what became of it, or the code of its refusal.
async fn given(
    harness: &Harness,
    id: i64,
    text: &str,
    operator: &str,
) -> Result<Given, &'static Code> {
    let by = By { operator: operator.to_owned(), reason: "as its screen shows".to_owned() };
    let given = give(id, text.as_bytes(), by, &harness.cx).await.unwrap();
    given.map_err(|failure| {
        assert!(!failure.detail.contains("secret"), "{}", failure.detail);
        failure.code
    })
}

async fn bodies(harness: &Harness) -> Vec<String> {
    let pending = harness.cx.store.pending(10).await.unwrap().into_iter();
    let answers = pending.filter(|one| one.message.message_type == "order.answered");
    answers.map(|one| String::from_utf8(one.message.body.expose().clone()).unwrap()).collect()
}

#[tokio::test]
async fn a_lost_answer_that_a_person_found_out_is_passed_on_as_if_it_had_arrived() {
    let harness = Harness::tuned(&[REPLIES]);
    harness.target.then_error(lost()).always_json(200, r#"{"result":"ok"}"#);
    harness.post("order.manual", "m1", ORDER).await;
    harness.run_until(|all| all.iter().any(|one| one.state == "unknown")).await;
    harness.post("order.manual", "m2", ORDER).await;
    let id = harness.exchange("m1").await.id;
    // What would not have counted from the counterpart does not count from a person.
    for bad in ["", "secret", r#"{"secret":1}"#, r#"{"result":"secret"}"#, r#"{"code":"E7"}"#] {
        assert_eq!(given(&harness, id, bad, "sato").await.unwrap_err().code, "G503", "{bad}");
    }
    assert_eq!(
        given(&harness, 4_711, r#"{"result":"ok"}"#, "sato").await.unwrap_err().code,
        "G503"
    );
    assert_eq!(harness.exchange("m1").await.state, "unknown");

    let ok = r#"{ "result" : "ok" }"#;
    let (first, second) = tokio::join!(
        given(&harness, id, ok, "sato"),
        given(&harness, id, r#"{"result":"ok"}"#, "sato"),
    );
    // Of two clicks at once one may come too late; neither does it twice.
    assert!(
        first == Ok(Given::Done(State::Delivered)) || second == Ok(Given::Done(State::Delivered))
    );
    assert_eq!(given(&harness, id, ok, "sato").await, Ok(Given::Done(State::Delivered)));
    assert_eq!(bodies(&harness).await, [r#"{"outcome":"ok"}"#]);
    let done = harness.exchange("m1").await;
    assert_eq!((done.state.as_str(), done.code), ("delivered", None));
    let told = &harness.cx.store.pending(10).await.unwrap()[0].message;
    assert_eq!(told.correlation_id.as_deref(), Some("m1"));

    // Nothing was sent again, and the person's next one goes.
    harness.settle().await;
    assert_eq!(harness.exchange("m2").await.state, "delivered");
    assert_eq!(harness.target.requests().len(), 2);
    let rows = harness.cx.store.record(0, 100).await.unwrap();
    let of = |word: &str| rows.iter().filter(|row| row.entry.contains(word)).count();
    assert_eq!((of(r#""outcome":"answered""#), of(r#""operator":"sato""#)), (1, 2));
    assert_eq!(of(r#""kind":"取得""#), 2, "its own and that of the next one");

    // Another answer to what is delivered, and one to what was never waiting.
    harness.target.then_json(400, r#"{"code":"E7"}"#);
    harness.post("order.manual", "m3", r#"{"person":"bob","amount":1}"#).await;
    harness.settle().await;
    let dead = harness.exchange("m3").await.id;
    assert_eq!(given(&harness, dead, ok, "sato").await.unwrap_err().code, "G503");
    assert_eq!(harness.exchange("m3").await.state, "dead");
}

#[tokio::test]
async fn what_was_refused_is_answered_by_two_persons_who_give_the_same() {
    let harness = Harness::tuned(&[REPLIES, BY_TWO]);
    harness.target.always_json(400, r#"{"code":"E7"}"#);
    harness.post("order.manual", "m1", ORDER).await;
    harness.settle().await;
    let id = harness.exchange("m1").await.id;
    let (right, wrong) = (r#"{"result":"right"}"#, r#"{"result":"wrong"}"#);
    assert_eq!(given(&harness, id, wrong, "sato").await, Ok(Given::Waits));
    assert_eq!(given(&harness, id, wrong, "ＳＡＴＯ").await, Ok(Given::Waits), "one person");
    assert_eq!(given(&harness, id, right, "suzuki").await.unwrap_err().code, "G504");
    assert_eq!(harness.exchange("m1").await.state, "dead");
    assert!(bodies(&harness).await.is_empty());
    // The first one looked again.
    assert_eq!(given(&harness, id, right, "sato").await, Ok(Given::Done(State::Delivered)));
    assert_eq!(bodies(&harness).await, [r#"{"outcome":"right"}"#]);
    assert_eq!(given(&harness, id, right, "suzuki").await, Ok(Given::Done(State::Delivered)));
    assert_eq!(given(&harness, id, wrong, "suzuki").await.unwrap_err().code, "G503");
    assert_eq!(bodies(&harness).await.len(), 1);
    let counts = harness.cx.store.counts().await.unwrap();
    let of = |state: &str| counts.iter().filter(|one| one.state == state && one.count > 0).count();
    assert_eq!((of("dead"), of("delivered")), (0, 1));
    let rows = harness.cx.store.record(0, 100).await.unwrap();
    let prepared = rows.iter().filter(|row| row.entry.contains("answer-prepared")).count();
    assert_eq!(prepared, 2, "by each who gave one first");
    assert!(rows.iter().all(|row| !row.entry.contains("right") && !row.entry.contains("wrong")));
}

#[tokio::test]
async fn where_a_route_wants_approval_an_answer_wants_two_persons() {
    let approved =
        ("record: {kind: 求め}, reply", "record: {kind: 求め}, approval: {expires: 1h}, reply");
    let harness = Harness::tuned(&[REPLIES, approved]);
    harness.target.then_error(lost());
    harness.post("order.manual", "m1", ORDER).await;
    let id = harness.exchange("m1").await.id;
    let by = By { operator: "sato".to_owned(), reason: "right".to_owned() };
    super::approve::approve(id, by, &harness.cx).await.unwrap().unwrap();
    harness.settle().await;
    let ok = r#"{"result":"ok"}"#;
    assert_eq!(given(&harness, id, ok, "sato").await, Ok(Given::Waits));
    assert_eq!(given(&harness, id, ok, "suzuki").await, Ok(Given::Done(State::Delivered)));
    assert_eq!(bodies(&harness).await.len(), 1);
}
