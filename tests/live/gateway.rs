//! Bad input at the running gateway: over HTTPS every kind is refused at once with status and
//! code, over AMQP the same document becomes a dead letter with the same code.

use crate::services::broker;
use crate::town::{Answer, Client, Town};
use crate::upstream::Upstream;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The 団体コード of another municipality, with a valid check digit.
const ELSEWHERE: &str = "131016";

/// One kind of bad input and what must come of it.
struct Case {
    name: &'static str,
    message_type: &'static str,
    id: Option<String>,
    media: &'static str,
    body: Vec<u8>,
    status: u16,
    code: &'static str,
    /// What the answer must say.
    told: &'static str,
    /// A value of the document, which must stay in it.
    untold: String,
}

impl Case {
    fn new(name: &'static str, status: u16, code: &'static str, body: impl Into<Vec<u8>>) -> Case {
        Case {
            name,
            message_type: "notice.requested",
            id: Some(name.replace(' ', "-")),
            media: "application/json",
            body: body.into(),
            status,
            code,
            told: "",
            untold: "\u{0}".to_owned(),
        }
    }

    fn told(mut self, told: &'static str) -> Case {
        self.told = told;
        self
    }

    fn untold(mut self, untold: &str) -> Case {
        self.untold = untold.to_owned();
        self
    }
}

/// Changes one member of a document.
fn with(document: &Value, pointer: &str, value: Value) -> String {
    let mut changed = document.clone();
    *changed.pointer_mut(pointer).unwrap() = value;
    changed.to_string()
}

fn without(document: &Value, parent: &str, key: &str) -> String {
    let mut changed = document.clone();
    changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().shift_remove(key).unwrap();
    changed.to_string()
}

/// Broken before anything of the document is known.
fn unreadable(notice: &Value) -> Vec<Case> {
    let plain = notice.to_string();
    let twice = plain.replacen('{', r#"{"noticeId":"N-other","#, 1);
    let deep = format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000));
    let mut not_utf8 = with(notice, "/title", json!("~")).into_bytes();
    // Without an id of their own, only their content tells them apart.
    let renamed = |id: &str| with(notice, "/noticeId", json!(id));
    let place = not_utf8.iter().position(|byte| *byte == b'~').unwrap();
    not_utf8[place] = 0xFF;
    vec![
        Case::new("not UTF-8", 400, "G107", not_utf8),
        Case::new("not JSON", 400, "G107", &plain.as_bytes()[..plain.len() - 1]),
        Case::new("empty", 400, "G107", ""),
        Case::new("duplicate key", 400, "G107", twice).untold("N-other"),
        Case::new("NUL", 400, "G107", with(notice, "/title", json!("a\u{0}b"))),
        Case::new("depth of 1000", 400, "G107", deep),
        Case::new("10 MB", 413, "G106", with(notice, "/body", json!("x".repeat(10_000_000)))),
        Case { media: "text/plain", ..Case::new("content type", 415, "G111", plain.clone()) },
        Case { id: None, ..Case::new("no id", 400, "G101", plain.clone()) },
        Case {
            id: Some("a b".to_owned()),
            ..Case::new("blank in id", 400, "G102", renamed("N-2"))
        },
        Case { id: Some("予防".to_owned()), ..Case::new("bad id", 400, "G102", renamed("N-3")) },
        Case {
            message_type: "notice.requestet",
            ..Case::new("unknown type", 404, "G104", plain).told("did you mean `notice.requested`?")
        },
        Case {
            media: "application/cloudevents+json",
            ..Case::new("CloudEvent of another version", 400, "G108", r#"{"specversion":"0.3"}"#)
        },
    ]
}

/// Readable, and not what it must be.
fn invalid(notice: &Value, subject: &Value) -> Vec<Case> {
    let number = subject["person"]["individualNumber"].as_str().unwrap();
    let (front, last) = number.split_at(11);
    let wrong = format!("{front}{}", (last.parse::<u8>().unwrap() + 1) % 10);
    let of_subject = |case: Case| Case { message_type: "subject.registered", ..case };
    let elsewhere = with(notice, "/municipalityCode", json!(ELSEWHERE));
    vec![
        Case::new("member missing", 422, "G201", without(notice, "", "title")).told("/title"),
        Case::new("wrong value", 422, "G201", with(notice, "/validFrom", json!("some-day")))
            .told("/validFrom")
            .untold("some-day"),
        Case::new("wrong municipality", 403, "G109", elsewhere),
        of_subject(
            Case::new(
                "bad check digit",
                422,
                "G201",
                with(subject, "/person/individualNumber", json!(wrong)),
            )
            .told("/person/individualNumber")
            .untold(&wrong),
        ),
        of_subject(
            Case::new("no atena number", 422, "G201", without(subject, "/person", "atenaNumber"))
                .told("/person/atenaNumber"),
        ),
    ]
}

async fn cases(town: &Town) -> Vec<Case> {
    let notice = town.messages("notice.requested", Some("pmh")).await.remove(0);
    let subject = town.messages("subject.registered", None).await;
    let subject = subject.iter().find(|body| body["person"]["individualNumber"].is_string());
    let mut cases = unreadable(&notice);
    cases.extend(invalid(&notice, subject.unwrap()));
    cases
}

/// A gateway that takes the health system's certificate or a token.
async fn with_token() -> Town {
    let town = Town::new().await;
    town.write("secrets/ingest", "t0ken-of-health");
    town.configure("ingest", "tokens = { health-b = \"file:secrets/ingest\" }");
    town
}

async fn refused(client: &Client, case: &Case) {
    let name = case.name;
    let posted =
        client.post_as(case.message_type, case.id.as_deref(), case.media, case.body.clone()).await;
    let answer = posted.unwrap_or_else(|error| panic!("{name}: no answer: {error:?}"));
    assert_eq!((answer.status, answer.code.as_str()), (case.status, case.code), "{name}");
    assert!(answer.text.contains(case.told), "{name}: {}", answer.text);
    assert!(!answer.text.contains(&case.untold), "{name} tells a value of the document");
    let page: Value = serde_json::from_str(&answer.text).unwrap();
    assert!(page["remedy"].is_string() && page["title"].is_string(), "{name}: {}", answer.text);
}

#[tokio::test]
async fn bad_input_is_refused_at_once_with_its_code() {
    let town = with_token().await;
    let gateway = town.start().await;
    let clients = [town.health(), town.stranger(Some("t0ken-of-health"))];
    for case in cases(&town).await {
        for client in &clients {
            refused(client, &case).await;
        }
        // Every code that is raised can be looked up.
        assert_eq!(town.run(&["explain", case.code]).await.code, 0);
    }
    assert_eq!(town.exchanges().await, [] as [Value; 0], "what is refused is its sender's");
    assert_eq!(gateway.stop().await, Some(0));
}

#[tokio::test]
async fn whoever_proves_nothing_is_refused() {
    let town = with_token().await;
    let gateway = town.start().await;
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    for token in [None, Some(""), Some("t0ken-of-healt"), Some("another")] {
        let answer = town.stranger(token).post("notice.requested", "s1", &notice).await;
        assert_eq!(answer.status, 401, "{token:?}");
        assert!(!answer.text.contains("t0ken"), "{token:?}");
    }
    let health = town.stranger(Some("t0ken-of-health"));
    assert_eq!(health.post("notice.requested", "s1", &notice).await.status, 202);
    assert_eq!(gateway.stop().await, Some(0));
}

#[tokio::test]
async fn without_tokens_only_certificates_of_the_authority_come_through() {
    let town = Town::new().await;
    let _gateway = town.start().await;
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["health".to_owned()]).unwrap();
    let foreign = params.self_signed(&key).unwrap().pem() + &key.serialize_pem();
    for identity in [None, Some(foreign.as_str())] {
        let client = Client::new(&town, identity, None);
        let posted = client.post_as("notice.requested", Some("s1"), "application/json", vec![]);
        assert!(posted.await.is_err(), "the handshake ends it");
    }
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    assert_eq!(town.health().post("notice.requested", "s1", &notice).await.status, 202);
}

#[tokio::test]
async fn a_repetition_is_one_message_and_a_reused_id_none() {
    let town = Town::new().await;
    let gateway = town.start().await;
    let health = town.health();
    let [first, second] = &town.messages("notice.requested", Some("osr")).await[..2] else {
        panic!("two notices");
    };
    let status = |answer: &Answer| {
        let page: Value = serde_json::from_str(&answer.text).unwrap();
        page["status"].clone()
    };
    let new = health.post("notice.requested", "r1", first).await;
    assert_eq!((new.status, status(&new)), (202, json!("accepted")));
    let again = health.post("notice.requested", "r1", first).await;
    assert_eq!((again.status, status(&again)), (202, json!("duplicate")));
    let reused = health.post("notice.requested", "r1", second).await;
    assert_eq!((reused.status, reused.code.as_str()), (409, "G112"));
    town.until_state("r1", "delivered").await;
    let exchanges = town.exchanges().await;
    assert_eq!(exchanges.len(), 2, "the one that was sent and the one put aside");
    assert!(exchanges.iter().any(|one| one["state"] == "dead" && one["code"] == "T501"));
    assert_eq!(gateway.stop().await, Some(0));
}

#[tokio::test]
async fn from_the_broker_bad_input_becomes_a_dead_letter_that_upstream_is_told_of() {
    let town = Town::new().await;
    let url = broker().await.virtual_host("bad-input");
    town.write("secrets/amqp", &url);
    town.configure("amqp", "url = \"file:secrets/amqp\"");
    let applied = town.run(&["broker", "apply"]).await;
    assert_eq!(applied.code, 0, "{}", applied.err);
    let _gateway = town.start().await;
    let upstream = Upstream::new(&url).await;

    let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
    let cases = cases(&town).await;
    for case in &cases {
        upstream.post(case.message_type, case.id.as_deref(), case.media, &case.body).await;
        *expected.entry(case.code).or_default() += 1;
    }
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..cases.len() {
        let (message_type, notice) = upstream.answer().await;
        assert_eq!(message_type, "watashi.exchange.dead");
        let code = notice["code"].as_str().unwrap();
        *told.entry(code.to_owned()).or_default() += 1;
        let text = notice.to_string();
        let id = notice["messageId"].as_str();
        if let Some(case) = cases.iter().find(|case| case.id.as_deref() == id) {
            assert_eq!(code, case.code, "{}: {text}", case.name);
            assert!(text.contains(case.told), "{}: {text}", case.name);
            assert!(!text.contains(&case.untold), "{} tells a value", case.name);
        }
    }
    let told: BTreeMap<&str, usize> =
        told.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(told, expected);

    // Repeated, nothing new comes of any of them. What is posted last is accepted last.
    for case in &cases {
        upstream.post(case.message_type, case.id.as_deref(), case.media, &case.body).await;
    }
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    let body = notice.to_string().into_bytes();
    upstream.post("notice.requested", Some("last"), "application/json", &body).await;
    town.until_state("last", "delivered").await;
    let dead = town.run(&["dlq", "list", "--json"]).await.json();
    let mut kept: BTreeMap<&str, usize> = BTreeMap::new();
    for one in dead.as_array().unwrap() {
        *kept.entry(one["code"].as_str().unwrap()).or_default() += 1;
    }
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn from_the_broker_a_reused_id_is_put_aside_and_told() {
    let town = Town::new().await;
    let url = broker().await.virtual_host("reused-id");
    town.write("secrets/amqp", &url);
    town.configure("amqp", "url = \"file:secrets/amqp\"");
    assert_eq!(town.run(&["broker", "apply"]).await.code, 0);
    let _gateway = town.start().await;
    let upstream = Upstream::new(&url).await;
    let notices = town.messages("notice.requested", Some("osr")).await;
    for notice in [&notices[0], &notices[0], &notices[1]] {
        let body = notice.to_string().into_bytes();
        upstream.post("notice.requested", Some("r1"), "application/json", &body).await;
    }
    let (message_type, notice) = upstream.answer().await;
    assert_eq!((message_type.as_str(), &notice["code"]), ("watashi.exchange.dead", &json!("G112")));
    assert_eq!(notice["messageId"], "r1");
    town.until_state("r1", "delivered").await;
    assert_eq!(town.exchanges().await.len(), 2);
}
