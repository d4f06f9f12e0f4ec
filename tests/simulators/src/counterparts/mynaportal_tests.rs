//! The simulated マイナポータル, driven as the gateway does.

use super::behind_pmh_tests::{insured, linked};
use super::mynaportal::Caller;
use super::tests::{NUMBER, Town, json_answer, town};
use super::waiting::Waiting;
use super::*;
use serde_json::{Value, json};

impl Town {
    async fn portal(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let (id, secret) = (&self.credentials.mynaportal_id, &self.credentials.mynaportal_secret);
        let token = self.token_of(MYNAPORTAL, id, secret, "notice:Create").await;
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, self.url(MYNAPORTAL, path)).bearer_auth(token);
        let request = request.header("idempotency-key", "k");
        match body {
            None => json_answer(request).await,
            Some(body) => {
                let request = request.header("content-type", "application/json");
                json_answer(request.body(body.to_string())).await
            }
        }
    }

    /// The status of a notice when it is none of work any more.
    async fn ended(&self, process: &Value) -> Value {
        loop {
            let path = format!("/notices/{}", process["processId"].as_str().unwrap());
            let (_, told) = self.portal("GET", &path, None).await;
            if told["status"] != "02" {
                return told["status"].clone();
            }
        }
    }
}

fn notice(key: &str, pseudonym: &str) -> Value {
    json!({"pseudonym": pseudonym, "noticeKey": key, "title": "t", "message": "m"})
}

#[tokio::test]
async fn a_notice_is_shown_once_to_whom_the_pseudonym_belongs() {
    let mut knowledge = insured();
    knowledge.refused.insert("portal-notice:N3".to_owned(), "E0901".to_owned());
    let event = |key: &str| Waiting {
        number: format!("EV-{key}"),
        at: "2026-06-02T09:00:00+09:00".to_owned(),
        document: json!({"eventId": format!("EV-{key}"), "noticeKey": key, "kind": "read",
            "at": "2026-06-02T09:00:00+09:00", "municipalityCode": "131237"}),
    };
    knowledge.portal_events = ["N1", "N2", "N3"].map(event).into();
    let town = linked(knowledge).await;
    let before = town.effects();
    for (key, pseudonym, status) in [("N1", "P1", "03"), ("N2", "P2", "08"), ("N3", "P1", "09")] {
        let (code, process) = town.portal("POST", "/notices", Some(notice(key, pseudonym))).await;
        assert_eq!(code, 202, "{process}");
        assert_eq!(town.ended(&process).await, status, "{key}");
        // The same again is the same piece of work.
        let again = town.portal("POST", "/notices", Some(notice(key, pseudonym))).await;
        assert_eq!(again, (202, process));
    }
    assert_eq!(town.effects(), before + 2);
    let list = json!({"since": "", "page": 1});
    let (_, events) = town.portal("POST", "/notice-events/list", Some(list)).await;
    assert_eq!(events, json!({"events": [{"eventId": "EV-N1"}], "hasMore": false}));
    assert_eq!(town.portal("GET", "/notice-events/EV-N1", None).await.1["kind"], "read");
    assert_eq!(town.violations(), Vec::<String>::new());
    assert_eq!(town.portal("GET", "/notices/W9", None).await.0, 404);
    assert_eq!(town.portal("GET", "/notice-events/EV-N2", None).await.0, 404);
}

#[tokio::test]
async fn what_is_no_notice_is_refused_and_a_my_number_is_a_leak() {
    let town = linked(insured()).await;
    let with = |name: &str, value: Value| {
        let mut document = notice("N1", "P1");
        document[name] = value;
        document
    };
    let bad = [with("more", json!(1)), with("showFrom", json!("soon")), with("title", json!(""))];
    for document in &bad {
        let answer = town.portal("POST", "/notices", Some(document.clone())).await;
        assert_eq!(answer.0, 400, "{document}");
    }
    assert_eq!(town.violations().len(), bad.len());
    let answer = town.portal("POST", "/notices", Some(with("message", json!(NUMBER)))).await;
    assert_eq!(answer.0, 400);
    assert!(town.running.ledger.evidence().violations.last().unwrap().leak);
    town.portal("POST", "/notices", Some(notice("N1", "P1"))).await;
    let other = town.portal("POST", "/notices", Some(with("title", json!("other")))).await;
    assert_eq!(other.0, 409);
}

#[tokio::test]
async fn it_is_not_there_without_anybody_behind_pmh_and_calls_nobody_who_is_not_named() {
    let alone = town(Knowledge::default()).await;
    assert!(alone.running.portal.is_none() && !alone.running.addresses.contains_key(MYNAPORTAL));
    let town = linked(insured()).await;
    let portal = town.running.portal.clone().unwrap();
    let (_, process) = town.portal("POST", "/notices", Some(notice("N1", "P1"))).await;
    town.ended(&process).await;
    assert!(portal.told().is_empty());
    // Whoever is named is called, and the answer is kept: here that of another counterpart.
    let url = town.url(APPLICATION_INTAKE, "/v1/callbacks/mynaportal/notice-completed");
    portal.call(Caller { client: town.client.clone(), url, token: "t".to_owned() });
    let (_, process) = town.portal("POST", "/notices", Some(notice("N2", "P1"))).await;
    town.ended(&process).await;
    while portal.told().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(portal.told().into_keys().collect::<Vec<_>>(), [401]);
}
