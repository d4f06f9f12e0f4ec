//! The whole way with a scripted counterpart: one test per kind of outcome.

use super::accept::{Origin, accept, recognise};
use super::replay::{Replayed, replay};
use super::testing::{Harness, arrival, is_at_rest};
use crate::adapter::bundle::Enabled;
use crate::model::codes::transport;
use crate::store::{Accepted, Act, ActVerb, Intent};
use crate::transport::SendError;
use jiff::Timestamp;

const ORDER: &str = r#"{"person":"a","amount":1}"#;
const OK: &str = r#"{"result":"ok"}"#;

fn lost() -> SendError {
    SendError { before_first_byte: false, code: transport::ALL[0], detail: "cut".to_owned() }
}

fn not_sent() -> SendError {
    SendError { before_first_byte: true, code: transport::ALL[0], detail: "refused".to_owned() }
}

async fn act(harness: &Harness, id: &str, verb: ActVerb) {
    let act = Act {
        exchange: harness.exchange(id).await.id,
        verb,
        operator: "ops".to_owned(),
        reason: "test".to_owned(),
        at: Timestamp::UNIX_EPOCH,
        bundle: None,
        brings: Default::default(),
    };
    assert!(harness.cx.store.act(act).await.unwrap().is_some());
}

#[tokio::test]
async fn delivered_and_answered_with_intent_before_outcome() {
    let harness = Harness::new();
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", ORDER).await;
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    assert_eq!(harness.record().await, ["intended", "outcome applied"]);
    let pending = harness.cx.store.pending(10).await.unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].message.message_type, "order.answered");
    assert_eq!(pending[0].message.correlation_id.as_deref(), Some("m1"));
    assert_eq!(pending[0].message.body.expose(), br#"{"outcome":"ok"}"#);
}

#[tokio::test]
async fn a_repeated_message_is_sent_once_and_its_answer_repeated() {
    let harness = Harness::new();
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", ORDER).await;
    harness.settle().await;
    let first = harness.cx.store.pending(10).await.unwrap();
    harness.cx.store.published(vec![first[0].id], Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!(harness.post("order.placed", "m1", ORDER).await, Accepted::Duplicate);
    harness.settle().await;
    assert_eq!(harness.target.requests().len(), 1);
    let again = harness.cx.store.pending(10).await.unwrap();
    assert_eq!(again[0].message.message_id, first[0].message.message_id);
}

#[tokio::test]
async fn an_id_reused_with_other_content_is_put_aside() {
    let harness = Harness::new();
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", ORDER).await;
    let other = r#"{"person":"a","amount":2}"#;
    assert_eq!(harness.post("order.placed", "m1", other).await, Accepted::Quarantined);
    harness.settle().await;
    assert_eq!(harness.target.requests().len(), 1);
}

#[tokio::test]
async fn a_declared_refusal_is_dead_and_told_to_upstream() {
    let harness = Harness::new();
    harness.target.always_json(400, r#"{"code":"E42"}"#);
    harness.post("order.placed", "m1", ORDER).await;
    harness.settle().await;
    let exchange = harness.exchange("m1").await;
    assert_eq!((exchange.state.as_str(), exchange.code.as_deref()), ("dead", Some("G401")));
    assert_eq!(exchange.detail.as_deref(), Some("E42"));
    assert_eq!(harness.record().await, ["intended", "outcome refused"]);
    let told = harness.cx.store.pending(10).await.unwrap();
    assert_eq!(told[0].message.message_type, "watashi.exchange.dead");
}

#[tokio::test]
async fn busy_is_tried_again_with_the_same_key_until_attempts_are_used_up() {
    let harness = Harness::new();
    harness
        .target
        .then_json(503, "")
        .then_json(200, r#"{"result":"busy"}"#)
        .then_error(not_sent())
        .then_json(200, OK);
    harness.post("order.placed", "m1", ORDER).await;
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    let keys = harness.keys_sent();
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| *key == keys[0]));

    harness.target.always_json(503, "");
    harness.post("order.placed", "m2", ORDER).await;
    harness.settle().await;
    let exchange = harness.exchange("m2").await;
    assert_eq!((exchange.state.as_str(), exchange.code.as_deref()), ("dead", Some("G408")));
    assert_eq!(exchange.attempts, 6);
}

#[tokio::test]
async fn a_lost_answer_is_sent_again_only_where_declared() {
    let harness = Harness::new();
    harness.target.then_error(lost()).then_json(200, OK);
    harness.post("order.placed", "m1", ORDER).await;
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    assert_eq!(
        harness.record().await,
        ["intended", "outcome unknown", "intended", "outcome applied"]
    );
    let counts = harness.cx.store.counts().await.unwrap();
    assert_eq!(counts.iter().map(|count| count.unknown_resolved).sum::<u64>(), 1);

    harness.target.then_error(lost());
    harness.post("order.manual", "m2", ORDER).await;
    harness.settle().await;
    let exchange = harness.exchange("m2").await;
    assert_eq!((exchange.state.as_str(), exchange.code.as_deref()), ("unknown", Some("G403")));
    assert_eq!(harness.target.requests().len(), 3, "a person decides, nothing is sent again");
    act(&harness, "m2", ActVerb::ConfirmApplied).await;
    assert_eq!(harness.exchange("m2").await.state, "delivered");
}

#[tokio::test]
async fn a_refusal_after_a_lost_answer_waits_for_a_person() {
    let harness = Harness::new();
    harness.target.then_error(lost()).then_json(400, r#"{"code":"E42"}"#);
    harness.post("order.placed", "m1", ORDER).await;
    harness.settle().await;
    let exchange = harness.exchange("m1").await;
    assert_eq!((exchange.state.as_str(), exchange.due), ("unknown", None));
    assert!(exchange.maybe_applied);
}

#[tokio::test]
async fn answers_that_prove_nothing_are_unknown() {
    for (status, body) in [
        (200, "<html>proxy</html>"),
        (200, r#"{"result":"ok""#),
        (200, r#"{"result":"ok","surprise":1}"#),
        (200, r#"{"result":"perhaps"}"#),
        (500, ""),
        (204, ""),
    ] {
        let harness = Harness::new();
        harness.target.then_json(status, body);
        harness.post("order.manual", "m1", ORDER).await;
        harness.settle().await;
        let exchange = harness.exchange("m1").await;
        assert_eq!(
            (exchange.state.as_str(), exchange.code.as_deref()),
            ("unknown", Some("G404")),
            "{status} {body}"
        );
    }
}

#[tokio::test]
async fn asking_decides_a_lost_answer() {
    let harness = Harness::new();
    harness.target.then_error(lost()).then_json(200, r#"{"result":"known"}"#);
    harness.post("order.asked", "m1", ORDER).await;
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    let paths: Vec<String> =
        harness.target.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths[0], "/place");
    assert!(paths[1].starts_with("/ask/"));

    harness.target.then_error(lost()).then_json(404, r#"{"result":"unknown"}"#).then_json(200, OK);
    harness.post("order.asked", "m2", ORDER).await;
    harness.settle().await;
    assert_eq!(harness.exchange("m2").await.state, "delivered");
    assert_eq!(harness.target.requests().len(), 5, "sent, asked, sent again");
}

#[tokio::test]
async fn a_question_waits_for_the_settle_time_also_after_a_restart() {
    let harness = Harness::new();
    harness.post("order.slow", "m1", ORDER).await;
    let claimed = harness.claim("slow").await;
    let intent = Intent {
        exchange: claimed.id,
        fence: claimed.fence,
        request_digest: String::new(),
        at: harness.cx.clock.now(),
        record: None,
    };
    assert_eq!(harness.cx.store.intend(vec![intent]).await.unwrap(), [true]);
    // The process ends while the request is on its way.
    let harness = harness.restart().await;
    harness.target.always_json(404, r#"{"result":"unknown"}"#);
    harness
        .run_until(|exchanges| {
            exchanges[0].due.is_some() && exchanges[0].since < exchanges[0].due.clone().unwrap()
        })
        .await;
    let exchange = harness.exchange("m1").await;
    assert_eq!(exchange.state, "unknown");
    assert!(harness.target.requests().is_empty(), "asked before the settle time of an hour");
}

#[tokio::test]
async fn what_a_crash_interrupted_is_not_sent_again_where_only_a_person_can_tell() {
    let harness = Harness::new();
    harness.post("order.manual", "m1", ORDER).await;
    let claimed = harness.claim("manual").await;
    let intent = Intent {
        exchange: claimed.id,
        fence: claimed.fence,
        request_digest: String::new(),
        at: harness.cx.clock.now(),
        record: None,
    };
    assert_eq!(harness.cx.store.intend(vec![intent]).await.unwrap(), [true]);
    let harness = harness.restart().await;
    harness.target.always_json(200, OK);
    harness.settle().await;
    let exchange = harness.exchange("m1").await;
    assert_eq!((exchange.state.as_str(), exchange.code.as_deref()), ("unknown", Some("G410")));
    assert!(exchange.maybe_applied);
    assert!(harness.target.requests().is_empty(), "sent again");
}

#[tokio::test]
async fn a_rejected_document_is_dead_before_anything_is_sent() {
    let harness = Harness::new();
    harness.post("order.placed", "m1", r#"{"person":"a","amount":1,"note":"forbidden"}"#).await;
    harness.post("order.placed", "m2", r#"{"person":"b"}"#).await;
    harness.settle().await;
    let exchange = harness.exchange("m1").await;
    assert_eq!((exchange.state.as_str(), exchange.code.as_deref()), ("dead", Some("G301")));
    assert!(exchange.detail.unwrap().contains("NOT_ALLOWED"));
    assert_eq!(harness.exchange("m2").await.code.as_deref(), Some("G201"));
    assert!(harness.target.requests().is_empty());
}

#[tokio::test]
async fn one_person_in_order_others_flow_on() {
    let harness = Harness::new();
    // The first message of `a` is stuck; everything else succeeds.
    harness.target.then_error(lost());
    harness.target.always_json(200, OK);
    harness.post("order.manual", "a1", ORDER).await;
    harness.run_until(|exchanges| exchanges.iter().all(is_at_rest)).await;
    harness.post("order.manual", "a2", ORDER).await;
    for number in 0..20 {
        let body = format!(r#"{{"person":"p{number}","amount":1}}"#);
        harness.post("order.manual", &format!("b{number}"), &body).await;
    }
    harness
        .run_until(|exchanges| {
            exchanges.iter().filter(|exchange| exchange.state == "delivered").count() == 20
        })
        .await;
    assert_eq!(harness.exchange("a2").await.state, "held");
    act(&harness, "a1", ActVerb::ConfirmApplied).await;
    harness.settle().await;
    assert_eq!(harness.exchange("a2").await.state, "delivered");
}

#[tokio::test]
async fn deliveries_are_accepted_in_the_order_of_their_arrival() {
    let harness = Harness::new();
    let of = |number| arrival("order.placed", &format!("m{number:04}"), ORDER);
    let arrivals: Vec<_> = (0..1_000).map(of).collect();
    // As the source does it: each is polled once before the next, then all are awaited together.
    let mut waiting = Vec::new();
    for arrival in &arrivals {
        let mut accepting = Box::pin(accept(arrival, &harness.cx));
        if futures_util::poll!(&mut accepting).is_pending() {
            waiting.push(accepting);
        }
    }
    futures_util::future::join_all(waiting).await;
    let ids: Vec<String> =
        harness.exchanges().await.into_iter().map(|exchange| exchange.message_id).collect();
    assert_eq!(ids.len(), 1_000);
    assert!(ids.is_sorted(), "not in the order of arrival");
}

#[tokio::test]
async fn a_batch_settles_item_by_item() {
    let harness = Harness::new();
    harness
        .target
        .then_json(202, r#"{"ticket":"T1"}"#)
        .then_json(200, r#"{"result":"running"}"#)
        .then_json(200, r#"{"results":[{"n":1,"state":"done"},{"n":2,"state":"bad","code":"E7"},{"n":3,"state":"done"}]}"#);
    for person in ["a", "b", "c"] {
        let body = format!(r#"{{"person":"{person}","amount":1}}"#);
        harness.post("order.batched", person, &body).await;
    }
    harness.settle().await;
    let mut states = Vec::new();
    for person in ["a", "b", "c"] {
        states.push(harness.exchange(person).await.state);
    }
    states.sort();
    assert_eq!(states, ["dead", "delivered", "delivered"]);
    let body = harness.target.requests().remove(0).body;
    let sent: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(sent.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_batch_refused_as_a_whole_is_sent_one_by_one() {
    let harness = Harness::new();
    // A counterpart that refuses every request that holds the bad item, whatever else is in it.
    for _ in 0..8 {
        harness.target.then(|request| {
            let text = String::from_utf8_lossy(&request.body).into_owned();
            Ok(match (request.path.starts_with("/result/"), text.contains("bad")) {
                (true, _) => {
                    crate::transport::fake::json(200, r#"{"results":[{"n":1,"state":"done"}]}"#)
                }
                (false, true) => crate::transport::fake::json(400, r#"{"code":"E9"}"#),
                (false, false) => crate::transport::fake::json(202, r#"{"ticket":"T"}"#),
            })
        });
    }
    for person in ["good", "bad", "fine"] {
        let body = format!(r#"{{"person":"{person}","amount":1}}"#);
        harness.post("order.batched", person, &body).await;
    }
    harness.settle().await;
    assert_eq!(harness.exchange("bad").await.state, "dead");
    assert_eq!(harness.exchange("good").await.state, "delivered");
    assert_eq!(harness.exchange("fine").await.state, "delivered");
}

#[tokio::test]
async fn a_defect_puts_one_exchange_aside() {
    let harness = Harness::new();
    harness.target.then(|_| panic!("a defect"));
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", ORDER).await;
    harness.run_until(|exchanges| exchanges.iter().all(is_at_rest)).await;
    assert_eq!(harness.exchange("m1").await.state, "unknown");
    harness.post("order.placed", "m2", r#"{"person":"b","amount":1}"#).await;
    harness.settle().await;
    assert_eq!(harness.exchange("m2").await.state, "delivered");
}

#[tokio::test]
async fn a_replayed_dead_letter_carries_the_same_key() {
    let harness = Harness::new();
    harness.target.then_json(400, r#"{"code":"E42"}"#);
    harness.target.always_json(200, OK);
    harness.post("order.placed", "m1", ORDER).await;
    harness.settle().await;
    act(&harness, "m1", ActVerb::Replay).await;
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    let keys = harness.keys_sent();
    assert_eq!(keys[0], keys[1]);
}

/// The operator's replay; gives the state, or the code it is refused for.
async fn replay_of(harness: &Harness, exchange: i64) -> Result<String, String> {
    let act = Act {
        exchange,
        verb: ActVerb::Replay,
        operator: "ops".to_owned(),
        reason: "test".to_owned(),
        at: harness.cx.clock.now(),
        bundle: None,
        brings: Default::default(),
    };
    match replay(act, &harness.cx).await.unwrap() {
        Replayed::Done(state) => Ok(state.name().to_owned()),
        Replayed::Refused(failure) => Err(failure.code.code.to_owned()),
        Replayed::NotAllowed => Err(String::new()),
    }
}

fn only(route: &str) -> Enabled {
    Enabled::These(vec![(route.to_owned(), None)])
}

#[tokio::test]
async fn a_message_whose_route_is_enabled_later_is_replayed_once() {
    let harness = Harness::with(&only("asking"));
    let mut first = arrival("order.placed", "m1", ORDER);
    first.reply_to = Some("desk.7".to_owned());
    first.municipality = Some("131237".to_owned());
    accept(&first, &harness.cx).await.unwrap();
    let dead = harness.exchange("m1").await;
    assert_eq!((dead.state.as_str(), dead.code.as_deref()), ("dead", Some("G104")));

    assert_eq!(replay_of(&harness, dead.id).await, Err("G104".to_owned()), "still not enabled");
    let still = harness.exchange("m1").await;
    assert_eq!((still.state.as_str(), still.code.as_deref()), ("dead", Some("G104")));
    assert!(harness.record().await.is_empty(), "nothing was done");

    let harness = harness.restart().await;
    harness.target.always_json(200, OK);
    assert_eq!(replay_of(&harness, dead.id).await, Ok("received".to_owned()));
    assert_eq!(replay_of(&harness, dead.id).await, Err(String::new()), "only once");
    harness.settle().await;
    let exchanges = harness.exchanges().await;
    assert_eq!(exchanges.len(), 1);
    assert_eq!(
        (exchanges[0].state.as_str(), exchanges[0].route.as_str()),
        ("delivered", "placing")
    );
    assert_eq!((exchanges[0].code.as_ref(), &exchanges[0].accepted_at), (None, &dead.accepted_at));
    assert_eq!(harness.target.requests().len(), 1);
    assert_eq!(harness.record().await, ["noted replay", "intended", "outcome applied"]);
    let act = harness.cx.store.record(0, 1).await.unwrap().remove(0).entry;
    for part in ["\"code\":\"G104\"", "\"operator\":\"ops\"", "\"route\":\"placing\""] {
        assert!(act.contains(part), "{part} is missing in {act}");
    }
    let told = harness.cx.store.pending(10).await.unwrap();
    assert_eq!(told[1].message.routing_key, "desk.7", "headers are kept");
    assert_eq!(accept(&first, &harness.cx).await.unwrap(), Accepted::Duplicate);
    let other = harness.post("order.placed", "m1", r#"{"person":"a","amount":2}"#).await;
    assert_eq!(other, Accepted::Quarantined);
}

#[tokio::test]
async fn what_the_broker_rejected_is_replayed() {
    let harness = Harness::new();
    harness.target.always_json(200, OK);
    let mut rejected = arrival("order.placed", "m1", ORDER);
    rejected.origin = Origin::Undeliverable { reason: "delivery_limit".to_owned() };
    accept(&rejected, &harness.cx).await.unwrap();
    let dead = harness.exchange("m1").await;
    assert_eq!(dead.code.as_deref(), Some("G110"));
    assert_eq!(replay_of(&harness, dead.id).await, Ok("received".to_owned()));
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
    assert_eq!(harness.post("order.placed", "m1", ORDER).await, Accepted::Duplicate);
    assert_eq!(harness.target.requests().len(), 1);
}

#[tokio::test]
async fn a_rejected_cloud_event_is_known_by_its_own_id_after_its_replay() {
    let harness = Harness::new();
    let event = r#"{"specversion":"1.0","id":"m1","source":"shop","type":"order.placed","data":{"person":"a","amount":1}}"#;
    let mut rejected = arrival("", "", event);
    rejected.message_id = None;
    rejected.content_type = Some("application/cloudevents+json; charset=utf-8".to_owned());
    rejected.origin = Origin::Undeliverable { reason: "expired".to_owned() };
    for expected in [Ok("received".to_owned()), Err("G112".to_owned())] {
        accept(&rejected, &harness.cx).await.unwrap();
        let dead = harness.exchanges().await.pop().unwrap();
        assert!(dead.message_id.starts_with("content-"));
        assert_eq!(replay_of(&harness, dead.id).await, expected, "the second time the id is taken");
    }
    assert_eq!(harness.exchange("m1").await.state, "received");
    assert_eq!(harness.post("order.placed", "m1", ORDER).await, Accepted::Duplicate);
}

#[tokio::test]
async fn what_may_not_be_sent_stays_dead_after_a_replay() {
    let harness = Harness::new();
    harness.post("order.placed", "used", ORDER).await;
    harness.post("order.placed", "used", r#"{"person":"a","amount":2}"#).await;
    let rejected = Origin::Undeliverable { reason: "maxlen".to_owned() };
    let mut arrivals: Vec<_> = ["G101", "G102", "G113", "G111", "G109"]
        .map(|id| arrival("order.placed", id, ORDER))
        .into();
    for (arrival, number) in arrivals.iter_mut().zip(10..) {
        arrival.origin = rejected.clone();
        arrival.body = format!(r#"{{"person":"a","amount":{number}}}"#).into();
    }
    arrivals[0].message_id = None;
    arrivals[1].message_id = Some("a b".to_owned());
    arrivals[2].reply_to = Some("机".to_owned());
    arrivals[3].content_type = Some("text/<xml>".to_owned());
    arrivals[4].municipality = Some("123456789018".to_owned());
    for arrival in arrivals {
        accept(&arrival, &harness.cx).await.unwrap();
    }
    let dead: Vec<_> =
        harness.exchanges().await.into_iter().filter(|one| one.state == "dead").collect();
    let mut codes = Vec::new();
    for one in &dead {
        codes.push(replay_of(&harness, one.id).await.unwrap_err());
        assert_eq!(harness.exchanges().await[one.id as usize - 1].state, "dead");
    }
    // Both ids that are not ids are missing ones: what was kept has an id made of the content.
    assert_eq!(codes, ["G112", "G101", "G101", "G113", "G111", "G109"]);
}

#[tokio::test]
async fn what_was_fetched_goes_where_a_route_of_its_type_leads() {
    let harness = Harness::new();
    harness.target.always_json(200, OK);
    let lines = "person,amount\r\nann,7\r\n";
    let adapter = std::sync::Arc::clone(&harness.cx.bundle().adapters["post"]);
    let operation = std::sync::Arc::clone(&adapter.operations["drawer"]);
    let mut fetched = arrival("order.fetched", "f1", lines);
    fetched.source = "post".to_owned();
    fetched.content_type = Some("text/csv".to_owned());
    fetched.origin = Origin::Pulled { adapter, operation };
    accept(&fetched, &harness.cx).await.unwrap();
    harness.settle().await;
    let exchange = harness.exchange("f1").await;
    assert_eq!(
        (exchange.state.as_str(), exchange.code, exchange.detail),
        ("delivered", None, None)
    );
    let sent = harness.target.requests();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].body.as_ref(), br#"{"who":"ann","sum":7}"#.as_slice());
    // The type is the pull's alone: nobody can post it.
    harness.post("order.fetched", "f2", r#"[{"person":"ann","amount":7}]"#).await;
    assert_eq!(harness.exchange("f2").await.code.as_deref(), Some("G104"));
}

#[tokio::test]
async fn what_was_fetched_is_never_sent_to_a_counterpart() {
    let harness = Harness::new();
    let adapter = std::sync::Arc::clone(&harness.cx.bundle().adapters["post"]);
    let operation = std::sync::Arc::clone(&adapter.operations["place"]);
    let mut fetched = arrival("order.placed", "m1", ORDER);
    fetched.source = "post".to_owned();
    fetched.origin = Origin::Pulled { adapter, operation };
    accept(&fetched, &harness.cx).await.unwrap();
    let dead = harness.exchange("m1").await;
    assert_eq!(dead.code.as_deref(), Some("G104"));
    assert_eq!(replay_of(&harness, dead.id).await, Err("G104".to_owned()));
}

#[tokio::test]
async fn bad_input_is_kept_with_its_code() {
    let harness = Harness::new();
    let deep = format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000));
    let large = format!(r#"{{"person":"{}"}}"#, "x".repeat(200_000));
    let cases: [(&str, Option<&str>, &str, &[u8]); 11] = [
        ("G107", Some("not-utf8"), "order.placed", b"{\"person\":\"\xff\"}"),
        ("G107", Some("not-json"), "order.placed", b"{person}"),
        ("G107", Some("duplicate"), "order.placed", br#"{"person":"a","person":"b","amount":1}"#),
        ("G107", Some("nul"), "order.placed", br#"{"person":"\u0000","amount":1}"#),
        ("G107", Some("deep"), "order.placed", deep.as_bytes()),
        ("G106", Some("large"), "order.placed", large.as_bytes()),
        ("G107", Some("empty"), "order.placed", b""),
        ("G101", None, "order.placed", ORDER.as_bytes()),
        ("G102", Some("a b"), "order.placed", br#"{"person":"b","amount":2}"#),
        ("G104", Some("unknown-type"), "order.plcaed", ORDER.as_bytes()),
        ("G108", Some("event"), "order.placed", br#"{"specversion":"1.0"}"#),
    ];
    for (code, id, message_type, body) in cases {
        let mut arrival = arrival(message_type, "x", "");
        arrival.message_id = id.map(str::to_owned);
        arrival.body = bytes::Bytes::copy_from_slice(body);
        if code == "G108" {
            arrival.content_type = Some("application/cloudevents+json".to_owned());
        }
        let failure = recognise(&arrival, &harness.cx).unwrap_err();
        assert_eq!(failure.code.code, code, "{id:?}: {failure}");
        assert!(
            matches!(accept(&arrival, &harness.cx).await.unwrap(), Accepted::New { .. }),
            "{id:?}"
        );
        assert_eq!(accept(&arrival, &harness.cx).await.unwrap(), Accepted::Duplicate, "{id:?}");
    }
    let kept = harness.exchanges().await;
    assert_eq!(kept.len(), 11);
    assert!(kept.iter().all(|exchange| exchange.state == "dead"));
    assert!(harness.target.requests().is_empty());
}

#[tokio::test]
async fn a_cloud_event_is_the_same_message() {
    let harness = Harness::new();
    harness.target.always_json(200, OK);
    let event = r#"{"specversion":"1.0","id":"m1","source":"shop","type":"order.placed","data":{"person":"a","amount":1}}"#;
    let mut arrival = arrival("", "", event);
    arrival.content_type = Some("application/cloudevents+json".to_owned());
    accept(&arrival, &harness.cx).await.unwrap();
    assert_eq!(harness.post("order.placed", "m1", ORDER).await, Accepted::Duplicate);
    harness.settle().await;
    assert_eq!(harness.exchange("m1").await.state, "delivered");
}
