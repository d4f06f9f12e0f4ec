//! Outcome lines that look at the request, and lines that give a reason of the adapter's own.

use super::testing::Harness;
use crate::transport::Response;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

const REQUEST: &str = "unknown: person\n    request: {method: POST, path: /place, format: json, schema: post/parcel@1, \
    idempotency-header: Idempotency-Key}\n    response: {format: json, schema: post/answer@1}\n    outcomes: \n      \
    - {status: [200], when: 'result == \"ok\"', then: applied}\n";
const SEES: &str = "unknown: person\n    request: {method: POST, path: /place, format: json, schema: post/parcel@1, \
    idempotency-header: Idempotency-Key}\n    response: {format: json, schema: post/answer@1}\n    outcomes: \n      \
    - {status: [200], when: 'result == $request.who', then: applied}\n";
const REASONS: [(&str, &str); 2] = [
    (
        "\noperations:\n",
        "\nreasons:\n  NO_GOOD: {title: it is no good, remedy: make a better one}\noperations:\n",
    ),
    ("then: refused, detail: code}", "then: refused, reason: NO_GOOD, detail: code}"),
];

fn order(person: &str) -> String {
    format!(r#"{{"person":"{person}","amount":1}}"#)
}

fn answer(status: u16, body: String) -> Response {
    let content_type = "application/json".to_owned();
    Response { status, content_type, retry_after: None, body: Bytes::from(body), token: None }
}

#[tokio::test]
async fn an_answer_about_another_person_is_not_taken_for_applied() {
    for direct in [false, true] {
        let harness = Harness::tuned(&[(REQUEST, SEES)]);
        harness.target.always_json(200, r#"{"result":"ann"}"#);
        let post = harness.cx.counterpart("post").unwrap();
        post.intake.caught_up("manual", direct);
        for person in ["ann", "bob"] {
            harness.post("order.manual", person, &order(person)).await;
        }
        tokio::time::timeout(Duration::from_secs(30), post.idle()).await.unwrap();
        harness.settle().await;
        assert_eq!(harness.exchange("ann").await.state, "delivered", "direct: {direct}");
        let other = harness.exchange("bob").await;
        let found = (other.state.as_str(), other.code.as_deref());
        assert_eq!(found, ("unknown", Some("G404")), "direct: {direct}");
        assert_eq!(harness.target.requests().len(), 2);
    }
}

#[tokio::test]
async fn a_question_and_an_item_see_what_was_submitted() {
    let changes = [
        (r#"when: 'result == "known"'"#, "when: 'result == $request.who'"),
        (r#"when: 'state == "done"'"#, "when: 'state == $request.who'"),
    ];
    let harness = Harness::tuned(&changes);
    harness.target.always(|request| {
        if request.path.starts_with("/ask/") {
            return Ok(answer(200, r#"{"result":"ann"}"#.to_owned()));
        }
        let text = String::from_utf8(request.body.to_vec()).unwrap();
        let items: Vec<serde_json::Value> = match serde_json::from_str(&text) {
            Ok(items) => items,
            // A single one: its answer is lost.
            Err(_) => return Ok(answer(500, String::new())),
        };
        let item = |(index, _): (usize, &serde_json::Value)| {
            format!(r#"{{"n":{},"state":"cid"}}"#, index + 1)
        };
        let items: Vec<String> = items.iter().enumerate().map(item).collect();
        Ok(answer(200, format!(r#"{{"results":[{}]}}"#, items.join(","))))
    });
    harness.post("order.asked", "m1", &order("ann")).await;
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    for person in ["cid", "dan"] {
        harness.post("order.sheet", person, &order(person)).await;
    }
    let named = |all: &[crate::store::ExchangeView], id: &str| {
        all.iter().find(|one| one.message_id == id).map(|one| (one.state.clone(), one.attempts))
    };
    // What the item says of somebody else proves nothing: it is sent again, as declared.
    let tries = |all: &[crate::store::ExchangeView]| {
        named(all, "dan").is_some_and(|(_, attempts)| attempts >= 2)
    };
    harness
        .run_until(|all| named(all, "cid").is_some_and(|one| one.0 == "delivered") && tries(all))
        .await;
}

#[tokio::test]
async fn a_reason_stands_before_the_code_of_the_counterpart() {
    let harness = Harness::tuned(&REASONS);
    harness.target.always_json(400, r#"{"code":"E7"}"#);
    harness.post("order.placed", "m1", &order("ann")).await;
    harness.settle().await;
    let dead = harness.exchange("m1").await;
    assert_eq!((dead.state.as_str(), dead.code.as_deref()), ("dead", Some("G401")));
    assert_eq!(dead.detail.as_deref(), Some("NO_GOOD E7"));
    let told = harness.cx.store.pending(10).await.unwrap().remove(0);
    let told = String::from_utf8(told.message.body.expose().clone()).unwrap();
    assert!(told.contains(r#""detail":"NO_GOOD E7""#), "{told}");
    let adapter = Arc::clone(&harness.cx.counterpart("post").unwrap().adapter);
    assert_eq!(adapter.reasons["NO_GOOD"].remedy, "make a better one");
}

#[tokio::test]
async fn each_request_asks_for_its_token_and_only_a_refused_one_is_dropped() {
    let scopes = [
        (
            "limits: {concurrency",
            "auth: {kind: client-secret-jwt, token-path: /token}\nlimits: {concurrency",
        ),
        (
            "{method: POST, path: /place,",
            "{method: POST, path: /place, scope: 'post:place:Create',",
        ),
        ("{method: GET, path: \"/ask/", "{method: GET, audience: post, path: \"/ask/"),
        (
            "- {status: [503], then: retry}",
            "- {status: [401], then: retry, refresh-credentials: true}",
        ),
    ];
    let harness = Harness::tuned(&scopes);
    harness.target.then(|_| Ok(Response { token: Some(7), ..answer(401, String::new()) }));
    harness.target.then(|_| Ok(Response { token: Some(8), ..answer(500, String::new()) }));
    harness.target.always_json(200, r#"{"result":"known"}"#);
    harness.post("order.asked", "m1", &order("ann")).await;
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    let wanted = |request: &crate::transport::Request| {
        let token = request.token.as_deref().unwrap();
        (token.scope.clone(), token.audience.clone())
    };
    let asked: Vec<(String, String)> = harness.target.requests().iter().map(wanted).collect();
    let (submit, question) = (("post:place:Create", ""), ("", "post"));
    let owned = |(scope, audience): (&str, &str)| (scope.to_owned(), audience.to_owned());
    assert_eq!(asked, [submit, submit, question].map(owned));
    assert_eq!(harness.target.forgotten(), [7]);
}
