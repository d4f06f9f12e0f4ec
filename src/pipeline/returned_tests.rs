//! R3: what comes back is what was sent. In an answer, the reply mapping compares it with the request;
//! in what is fetched later, the gateway compares it with what it last sent for the same person.

use super::testing::Harness;
use super::{process, pull};
use crate::store::{Act, ActVerb};
use crate::transport::Response;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// A reply that goes on only where the counterpart answers with the name it was sent.
const SEES: (&str, &str) = (
    "to: shop/reply@1\nrules:\n  outcome: 'result ?? \"none\"'\n",
    "to: shop/reply@1\nrequest: post/parcel@1\nrules:\n  outcome: >-\n    if(result == $request.who, $request.who, reject(\"NAME_DIFFERS\", \"another was asked for\"))\n",
);

fn order(person: &str) -> String {
    format!(r#"{{"person":"{person}","amount":1}}"#)
}

#[tokio::test]
async fn r3_an_answer_of_another_person_than_was_asked_for_goes_to_a_person_and_not_to_upstream() {
    for direct in [false, true] {
        let harness = Harness::tuned(&[SEES]);
        harness.target.always_json(200, r#"{"result":"ok"}"#);
        let post = harness.cx.counterpart("post").unwrap();
        post.intake.caught_up("place", direct);
        harness.post("order.placed", "m1", &order("ok")).await;
        harness.post("order.placed", "m2", &order("ann")).await;
        tokio::time::timeout(Duration::from_secs(30), post.idle()).await.unwrap();
        harness.settle().await;
        assert_eq!(harness.exchange("m1").await.state, "delivered");
        // It was applied: nobody may say that it was not, and nothing is sent again.
        let differs = harness.exchange("m2").await;
        let found = (differs.state.as_str(), differs.code.as_deref(), differs.due);
        assert_eq!(found, ("unknown", Some("G502"), None), "direct: {direct}");
        let detail = differs.detail.unwrap();
        assert!(detail.starts_with("NAME_DIFFERS at answer-to-reply:"), "{detail}");
        let answers = harness.cx.store.pending(10).await.unwrap();
        assert_eq!(answers.len(), 1, "only the right answer goes to upstream");
        assert_eq!(harness.target.requests().len(), 2);
        let rows = harness.cx.store.record(0, 100).await.unwrap();
        let coded = |row: &&crate::store::RecordRow| row.entry.contains("G502");
        assert_eq!(rows.iter().filter(coded).count(), 1, "it is in the record");
        assert!(rows.iter().all(|row| !row.entry.contains("ann")));
    }
}

/// Orders are remembered by person, and fetched documents are compared with them.
const REMEMBERS: [(&str, &str); 2] = [
    ("subject: person, record", "subject: person, remembers: {key: who, value: sum}, record"),
    (
        "\nroutes:\n",
        "\nroutes:\n  returned: {on: order.fetched, publish: order.returned, mapping: lines-to-parcel, compares: {key: person, value: amount}, record: {kind: 受領}}\n",
    ),
];

#[tokio::test]
async fn r3_a_number_that_comes_back_other_than_it_was_sent_is_a_dead_letter_of_its_own() {
    let harness = Harness::tuned(&REMEMBERS);
    harness.target.always(|request| {
        let list = r#"{"results":[{"state":"J1"},{"state":"J2"},{"state":"J3"}]}"#;
        let (kind, body) = match request.path.as_str() {
            "/drawer" => ("application/json", list),
            "/drawer/J1" => ("text/csv", "person,amount\r\nann,7\r\n"),
            "/drawer/J2" => ("text/csv", "person,amount\r\nann,8\r\n"),
            "/drawer/J3" => ("text/csv", "person,amount\r\nbob,7\r\n"),
            _ => ("application/json", r#"{"result":"ok"}"#),
        };
        let (content_type, body) = (kind.to_owned(), Bytes::from(body));
        Ok(Response { status: 200, content_type, retry_after: None, body, token: None })
    });
    for (id, amount) in [("m1", 6), ("m2", 7)] {
        let body = format!(r#"{{"person":"ann","amount":{amount}}}"#);
        harness.post("order.placed", id, &body).await;
        harness.settle().await;
    }
    let post = harness.cx.counterpart("post").unwrap();
    let operation = Arc::clone(&post.adapter.operations["drawer"]);
    let list = operation.pull.as_ref().unwrap();
    pull::pass(&operation, list, &post, &harness.cx, &mut pull::Bad::new()).await.unwrap();
    // The same document takes another route as well, and both have one lane.
    for _ in 0..3 {
        process(harness.claim("place").await, &harness.cx).await;
        process(harness.claim("publish").await, &harness.cx).await;
    }
    let returned = async |id: &str| {
        let all = harness.exchanges().await;
        let mut of = all.into_iter().filter(|one| one.message_id == id && one.route == "returned");
        of.next().unwrap()
    };
    for (id, state, code) in [
        ("J1", "delivered", None),
        ("J2", "dead", Some("G308")),
        // Nothing was ever sent of this one: there is nothing to compare.
        ("J3", "delivered", None),
    ] {
        let found = returned(id).await;
        assert_eq!((found.state.as_str(), found.code.as_deref()), (state, code), "{id}");
    }
    let rows = harness.cx.store.record(0, 100).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.entry.contains("G308")).count(), 1);
    // The right one is sent, and what came goes on.
    harness.post("order.placed", "m3", r#"{"person":"ann","amount":8}"#).await;
    harness.settle().await;
    let replay = Act {
        exchange: returned("J2").await.id,
        verb: ActVerb::Replay,
        operator: "sato".to_owned(),
        reason: "the number was corrected".to_owned(),
        at: harness.cx.clock.now(),
        bundle: None,
        brings: Default::default(),
    };
    harness.cx.store.act(replay).await.unwrap();
    process(harness.claim("publish").await, &harness.cx).await;
    assert_eq!(returned("J2").await.state, "delivered");
}
