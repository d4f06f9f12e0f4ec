//! Prepared by one person, agreed to by another: every way it can go, through the whole pipeline.

use super::answer::{self, Typed, answer};
use super::approve::{By, approve, document, expire, reject};
use super::testing::{Harness, SetClock, arrival, bundle};
use crate::adapter::bundle::Enabled;
use crate::model::{Failure, State};
use crate::pipeline::accept::{Arrival, Origin, accept};
use crate::store::approvals::{DemandFilter, DemandView};
use crate::store::{Act, ActVerb, ExchangeView};
use std::sync::Arc;
use std::time::Duration;

const OK: &str = r#"{"result":"ok"}"#;
const BY_HAND: &str = "operation: manual, mapping: order-to-parcel, ordering-key: person,";
const ASKED: (&str, &str) = (
    BY_HAND,
    "operation: manual, mapping: order-to-parcel, ordering-key: person, approval: {expires: 72h},",
);
const DEMANDS: [(&str, &str); 2] = [
    (
        "fetched: {on: order.fetched, operation: place, mapping: lines-to-parcel,",
        "fetched: {on: order.fetched, publish: order.seen, mapping: lines-to-parcel, demand: {kind: provision, number: '$[0].person', within: 24h},",
    ),
    (
        BY_HAND,
        "operation: manual, mapping: order-to-parcel, ordering-key: person, approval: {expires: 72h, answers: {kind: provision, number: note}},",
    ),
];

fn order(person: &str) -> String {
    format!(r#"{{"person":"{person}","amount":1}}"#)
}

fn by(operator: &str) -> By {
    By { operator: operator.to_owned(), reason: "原本を確認".to_owned() }
}

fn harness() -> (Harness, Arc<SetClock>) {
    let (harness, clock) = Harness::changed(&[ASKED], "2026-11-20T12:00");
    harness.target.always_json(200, OK);
    (harness, clock)
}

/// Lets the workers run for a moment in which nothing may happen.
async fn rest(harness: &Harness) {
    let start = std::time::Instant::now();
    harness.run_until(|_| start.elapsed() > Duration::from_millis(100)).await;
}

async fn prepared(harness: &Harness, id: &str, person: &str) -> i64 {
    harness.post("order.manual", id, &order(person)).await;
    let view = harness.exchange(id).await;
    assert_eq!(view.state, "waiting-approval");
    view.id
}

async fn agree(harness: &Harness, exchange: i64, operator: &str) -> Result<State, Failure> {
    approve(exchange, by(operator), &harness.cx).await.unwrap()
}

fn end_of(view: &ExchangeView) -> (&str, Option<&str>) {
    (view.state.as_str(), view.code.as_deref())
}

async fn replay(harness: &Harness, exchange: i64) -> Option<State> {
    let act = Act {
        exchange,
        verb: ActVerb::Replay,
        operator: "sato".to_owned(),
        reason: "もう一度".to_owned(),
        at: harness.cx.clock.now(),
        bundle: Some(harness.cx.bundle().digest().to_owned()),
        brings: Default::default(),
    };
    harness.cx.store.act(act).await.unwrap()
}

/// Types and codes of what upstream is told.
async fn told(harness: &Harness) -> Vec<(String, String)> {
    let pending = harness.cx.store.pending(10).await.unwrap();
    let one = |body: &[u8], kind: &str| {
        let body: serde_json::Value = serde_json::from_slice(body).unwrap();
        (kind.to_owned(), body["code"].as_str().unwrap_or("").to_owned())
    };
    pending
        .iter()
        .map(|one_of| one(one_of.message.body.expose(), &one_of.message.message_type))
        .collect()
}

#[tokio::test]
async fn r5_nothing_is_sent_before_a_second_person_agrees() {
    let (harness, _clock) = harness();
    // Also while new messages would go on directly.
    rest(&harness).await;
    let one = prepared(&harness, "m1", "a").await;
    rest(&harness).await;
    assert!(harness.target.requests().is_empty());
    let same = agree(&harness, one, "Clerk").await.unwrap_err();
    assert_eq!(same.code.code, "G426");
    rest(&harness).await;
    assert!(harness.target.requests().is_empty());
    assert_eq!(agree(&harness, one, "sato").await.unwrap(), State::Received);
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    assert_eq!(harness.target.requests().len(), 1);
    let record = harness.record().await;
    let expected = ["noted approval-asked", "noted approved", "intended", "outcome applied"];
    assert_eq!(record, expected);
    // Clicked twice: the answer is the same, nothing is sent twice.
    assert_eq!(agree(&harness, one, "sato").await.unwrap(), State::Delivered);
    assert_eq!(agree(&harness, one, "tanaka").await.unwrap_err().code.code, "G427");
    rest(&harness).await;
    assert_eq!(harness.target.requests().len(), 1);
}

#[tokio::test]
async fn others_of_the_person_do_not_wait_for_an_approval() {
    let (harness, _clock) = harness();
    let one = prepared(&harness, "m1", "a").await;
    harness.post("order.placed", "m2", &order("a")).await;
    harness.run_until(|all| all[1].state == "delivered").await;
    assert_eq!(harness.exchange("m1").await.state, "waiting-approval");
    agree(&harness, one, "sato").await.unwrap();
    harness.settle().await;
    assert_eq!(harness.target.requests().len(), 2);
}

#[tokio::test]
async fn what_is_rejected_is_never_sent_and_upstream_is_told_why() {
    let (harness, _clock) = harness();
    let one = prepared(&harness, "m1", "a").await;
    let state = reject(one, by("sato"), &harness.cx).await.unwrap().unwrap();
    assert_eq!(state, State::Dead);
    let ended = harness.exchange("m1").await;
    assert_eq!(end_of(&ended), ("dead", Some("G421")));
    assert_eq!(ended.detail.as_deref(), Some("原本を確認"));
    let dead = ("watashi.exchange.dead".to_owned(), "G421".to_owned());
    assert_eq!(told(&harness).await, [dead]);
    assert_eq!(agree(&harness, one, "sato").await.unwrap_err().code.code, "G427");
    rest(&harness).await;
    assert!(harness.target.requests().is_empty());
    let record = harness.record().await;
    assert_eq!(record, ["noted approval-asked", "noted not-sent", "noted approval-rejected"]);
}

#[tokio::test]
async fn what_nobody_decides_expires_and_can_be_asked_again() {
    let (harness, clock) = harness();
    let one = prepared(&harness, "m1", "a").await;
    clock.set("2026-11-23T11:59:59");
    assert_eq!(expire(&harness.cx).await.unwrap(), 0);
    clock.set("2026-11-23T12:00");
    // Too late, also before anybody has looked.
    assert_eq!(agree(&harness, one, "sato").await.unwrap_err().code.code, "G427");
    assert_eq!(expire(&harness.cx).await.unwrap(), 1);
    assert_eq!(expire(&harness.cx).await.unwrap(), 0);
    assert_eq!(end_of(&harness.exchange("m1").await), ("dead", Some("G422")));
    assert_eq!(told(&harness).await.len(), 1);
    assert_eq!(replay(&harness, one).await, Some(State::WaitingApproval));
    clock.set("2026-11-24T12:00");
    assert_eq!(expire(&harness.cx).await.unwrap(), 0);
    assert_eq!(agree(&harness, one, "clerk").await.unwrap_err().code.code, "G426");
    agree(&harness, one, "sato").await.unwrap();
    harness.settle().await;
    assert_eq!(harness.target.requests().len(), 1);
}

#[tokio::test]
async fn approvals_survive_a_restart() {
    let (harness, _clock) = harness();
    let (one, two) = (prepared(&harness, "m1", "a").await, prepared(&harness, "m2", "b").await);
    agree(&harness, one, "sato").await.unwrap();
    let harness = harness.restart_changed(&[ASKED]).await;
    harness.run_until(|all| all[0].state == "delivered").await;
    assert_eq!(harness.exchange("m2").await.state, "waiting-approval");
    assert_eq!(agree(&harness, two, "clerk").await.unwrap_err().code.code, "G426");
    agree(&harness, two, "sato").await.unwrap();
    harness.settle().await;
    assert_eq!(harness.target.requests().len(), 2);
}

#[tokio::test]
async fn only_the_document_that_was_agreed_to_is_sent() {
    let (harness, _clock) = harness();
    let one = prepared(&harness, "m1", "a").await;
    agree(&harness, one, "sato").await.unwrap();
    // The definitions it was accepted under are gone; those in force make another document.
    let harness =
        harness.restart_changed(&[ASKED, ("  who: person\n", "  who: '\"changed\"'\n")]).await;
    harness.settle().await;
    assert_eq!(end_of(&harness.exchange("m1").await), ("dead", Some("G423")));
    assert!(harness.target.requests().is_empty());
    assert_eq!(replay(&harness, one).await, Some(State::WaitingApproval));
    agree(&harness, one, "sato").await.unwrap();
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
}

#[tokio::test]
async fn nobody_is_asked_about_what_could_not_be_sent() {
    let (harness, _clock) = harness();
    let forbidden = r#"{"person":"a","amount":1,"note":"forbidden"}"#;
    harness.post("order.manual", "m1", forbidden).await;
    assert_eq!(end_of(&harness.exchange("m1").await), ("dead", Some("G301")));
    harness.post("order.manual", "m2", r#"{"person":"a"}"#).await;
    assert_eq!(end_of(&harness.exchange("m2").await), ("dead", Some("G201")));
    let nameless = Arrival { operator: None, ..arrival("order.manual", "m3", &order("a")) };
    accept(&nameless, &harness.cx).await.unwrap();
    assert_eq!(end_of(&harness.exchange("m3").await), ("dead", Some("G420")));
    assert_eq!(told(&harness).await.len(), 3);
    assert_eq!(harness.record().await, ["noted not-sent", "noted not-sent"]);
}

#[tokio::test]
async fn looking_at_what_would_leave_is_recorded() {
    let (harness, _clock) = harness();
    let one = prepared(&harness, "m1", "a").await;
    let shown = document(one, by("sato"), &harness.cx).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(shown).unwrap(), r#"{"who":"a","sum":1}"#);
    assert_eq!(harness.record().await, ["noted approval-asked", "noted approval-viewed"]);
    let none = document(9_999, by("sato"), &harness.cx).await.unwrap();
    assert_eq!(none.unwrap_err().code.code, "G427");
}

/// A demand as a pull fetches it.
async fn demanded(harness: &Harness, id: &str, number: &str) {
    let adapter = Arc::clone(&harness.cx.bundle().adapters["post"]);
    let operation = Arc::clone(&adapter.operations["drawer"]);
    let body = format!("person,amount\r\n{number},1\r\n");
    let arrival = Arrival {
        source: "post".to_owned(),
        origin: Origin::Pulled { adapter, operation },
        content_type: None,
        operator: None,
        ..arrival("order.fetched", id, &body)
    };
    accept(&arrival, &harness.cx).await.unwrap();
}

async fn demands(harness: &Harness) -> Vec<DemandView> {
    harness.cx.store.demands(DemandFilter::default()).await.unwrap()
}

fn typed(demand: i64, number: &str, amount: u8) -> Typed {
    let body = format!(r#"{{"person":"a","amount":{amount},"note":"{number}"}}"#).into_bytes();
    Typed { demand, body, message_type: None }
}

#[tokio::test]
async fn r5_a_demand_is_answered_by_one_person_and_agreed_to_by_another() {
    let (harness, _clock) = Harness::changed(&DEMANDS, "2026-11-20T12:00");
    harness.target.then_json(400, r#"{"code":"E1"}"#).always_json(200, OK);
    demanded(&harness, "d1", "N1").await;
    let open = demands(&harness).await.remove(0);
    assert_eq!((open.state.as_str(), open.number.as_str()), ("open", "N1"));
    assert_eq!(open.due.as_deref(), Some("2026-11-21T03:00:00.000Z"));
    let cx = &harness.cx;
    let post = async |typed, operator| answer(typed, by(operator), cx).await.unwrap();
    let code = |answered: Result<(i64, State), Failure>| answered.unwrap_err().code.code;
    assert_eq!(code(post(typed(9, "N1", 1), "clerk").await), "G424");
    assert_eq!(code(post(typed(open.id, "N2", 1), "clerk").await), "G429");
    let (first, state) = post(typed(open.id, "N1", 1), "clerk").await.unwrap();
    assert_eq!(state, State::WaitingApproval);
    // Clicked twice it is the same answer; another one is refused.
    assert_eq!(post(typed(open.id, "N1", 1), "clerk").await.unwrap(), (first, state));
    assert_eq!(code(post(typed(open.id, "N1", 2), "clerk").await), "G425");
    assert_eq!(agree(&harness, first, "clerk").await.unwrap_err().code.code, "G426");
    agree(&harness, first, "sato").await.unwrap();
    harness.run_until(|all| all.iter().any(|one| one.code.as_deref() == Some("G401"))).await;
    // The counterpart refused it: the demand is open again, for a better one.
    assert_eq!(demands(&harness).await[0].state, "open");
    let (second, _) = post(typed(open.id, "N1", 3), "clerk").await.unwrap();
    agree(&harness, second, "sato").await.unwrap();
    harness
        .run_until(|all| all.iter().any(|one| one.id == second && one.state == "delivered"))
        .await;
    assert_eq!(demands(&harness).await[0].state, "answered");
    assert_eq!(harness.target.requests().len(), 2);
    assert_eq!(replay(&harness, first).await, None, "a second answer is never sent");
}

#[tokio::test]
async fn upstream_answers_a_demand_like_any_message() {
    let (harness, _clock) = Harness::changed(&DEMANDS, "2026-11-20T12:00");
    harness.post("order.manual", "m0", r#"{"person":"a","amount":1,"note":"N1"}"#).await;
    assert_eq!(end_of(&harness.exchange("m0").await), ("dead", Some("G424")));
    demanded(&harness, "d1", "N1").await;
    harness.post("order.manual", "m1", r#"{"person":"a","amount":1,"note":"N1"}"#).await;
    assert_eq!(harness.exchange("m1").await.state, "waiting-approval");
    harness.post("order.manual", "m2", r#"{"person":"a","amount":2,"note":"N1"}"#).await;
    assert_eq!(end_of(&harness.exchange("m2").await), ("dead", Some("G425")));
    demanded(&harness, "d2", "N 2").await;
    assert_eq!(end_of(&harness.exchange("d2").await), ("dead", Some("G428")));
    assert_eq!(answer::demand(1, &harness.cx).await.unwrap().unwrap().state, "answering");
}

#[test]
fn approvals_are_declared_where_they_can_be_kept() {
    let refused = |changes: &[(&str, &str)]| {
        let changes = changes.to_vec();
        let built = std::panic::catch_unwind(move || bundle(&Enabled::All, &changes));
        let shown = built.err().and_then(|panic| panic.downcast::<String>().ok());
        *shown.expect("refused")
    };
    let batched = "operation: batched, mapping: order-to-parcel,";
    let in_batch = format!("{batched} approval: {{expires: 72h}},");
    assert!(refused(&[(batched, &in_batch)]).contains("A420"));
    let unknown = DEMANDS[1].1.replace("kind: provision", "kind: provisions");
    assert!(refused(&[DEMANDS[0], (BY_HAND, &unknown)]).contains("did you mean `provision`?"));
    let opens = format!("{BY_HAND} demand: {{kind: provision, number: note}},");
    assert!(refused(&[(BY_HAND, &opens)]).contains("A422"));
    let endless = format!("{BY_HAND} approval: {{answers: {{kind: a, number: note}}}},");
    assert!(refused(&[(BY_HAND, &endless)]).contains("expires"));
}
