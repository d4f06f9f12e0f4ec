//! The callbacks listener over real TLS: who may call, what each caller is told, and that a caller
//! who is not known learns nothing.

use crate::config::callbacks::{Caller, Callers};
use crate::model::{Method, Secret};
use crate::ops::callbacks::{Callbacks, router};
use crate::pipeline::callback_tests::waiting;
use crate::pipeline::testing::Harness;
use crate::transport::https::testing::Authority;
use crate::transport::https::{
    self, Certificates, HttpsSettings, HttpsTarget, Identity, KnownClient, ServerTls,
};
use crate::transport::{Request, Target};
use aws_lc_rs::hmac;
use bytes::Bytes;
use rcgen::ExtendedKeyUsagePurpose::ClientAuth;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use url::Url;

/// The gateway's side, and the authorities of two counterparts.
struct Scene {
    harness: Harness,
    port: u16,
    /// Signs the listener's own certificate.
    ours: Authority,
    /// Of the counterpart under test.
    theirs: Authority,
    /// Of another counterpart that may call as well.
    others: Authority,
    stop: watch::Sender<bool>,
}

impl Scene {
    async fn set(concurrency: usize) -> Scene {
        let harness = waiting().await;
        let (ours, theirs, others) = (Authority::new(), Authority::new(), Authority::new());
        let caller = |authority: &Authority, name: &str| Caller {
            client: KnownClient::new(&authority.pem(), vec![name.to_owned()]).unwrap(),
            token: Some(Secret::new("t0ken".to_owned())),
            hmac_key: Some(Secret::new("key of both".to_owned())),
        };
        let mut callers = Callers::new();
        callers.insert("post".to_owned(), caller(&theirs, "post.example"));
        callers.insert("bank".to_owned(), caller(&others, "bank.example"));
        let tls = ServerTls {
            client_ca: Some([theirs.pem(), others.pem()].join(&b'\n')),
            require_client: true,
            ..ours.server(false)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let callbacks = Callbacks::new(Arc::clone(&harness.cx), callers, concurrency);
        let (stop, stopped) = watch::channel(false);
        let certificates = Certificates::new(&tls).unwrap();
        tokio::spawn(https::serve(listener, certificates, router(callbacks), stopped));
        Scene { harness, port, ours, theirs, others, stop }
    }

    /// The right one.
    fn identity(&self) -> Identity {
        self.theirs.issue("post.example", ClientAuth)
    }

    async fn call(&self, identity: Option<Identity>, call: Call<'_>) -> (u16, String) {
        let base = Url::parse(&format!("https://localhost:{}", self.port)).unwrap();
        let mut settings = HttpsSettings::new("callbacks", base, self.ours.pem());
        settings.addresses.networks = vec!["127.0.0.1".parse().unwrap()];
        settings.identity = identity;
        let target = HttpsTarget::new(settings, Arc::new(crate::model::clock::SystemClock));
        let mut headers = vec![("content-type".to_owned(), call.content_type.to_owned())];
        let more = call.headers.iter();
        headers.extend(more.map(|(name, value)| ((*name).to_owned(), value.clone())));
        let request = Request {
            method: call.method,
            path: call.path.to_owned(),
            headers,
            body: Bytes::copy_from_slice(call.body.as_bytes()),
            token: None,
            timeout: Duration::from_secs(10),
            max_response: 100_000,
        };
        match target.unwrap().send(request).await {
            Ok(answer) => (answer.status, String::from_utf8(answer.body.to_vec()).unwrap()),
            Err(error) => (0, error.code.code.to_owned()),
        }
    }
}

struct Call<'c> {
    method: Method,
    path: &'c str,
    content_type: &'c str,
    headers: Vec<(&'c str, String)>,
    body: &'c str,
}

const TOLD: &str = r#"{"ticket":"T1"}"#;
const TAKEN: (u16, &str) = (200, r#"{"status":"taken"}"#);

fn told() -> Call<'static> {
    Call {
        method: Method::Post,
        path: "/v1/callbacks/post/told",
        content_type: "application/json",
        headers: Vec::new(),
        body: TOLD,
    }
}

/// The signature of a body, in hex.
fn signed(key: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let tag = hmac::sign(&key, body.as_bytes());
    format!("sha256={}", crate::record::hex(tag.as_ref()))
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_counterpart_itself_is_heard() {
    let scene = Scene::set(8).await;
    // Without a certificate, or with one of an authority that nobody here has, there is no answer.
    let stranger = Authority::new().issue("post.example", ClientAuth);
    for identity in [None, Some(stranger)] {
        assert_eq!(scene.call(identity, told()).await.0, 0);
    }
    // Another counterpart, another name of the same authority, and paths that nobody has, get one
    // and the same answer.
    let other = scene.others.issue("bank.example", ClientAuth);
    let forged = scene.others.issue("post.example", ClientAuth);
    let colleague = scene.theirs.issue("other.example", ClientAuth);
    let mut answers = Vec::new();
    for identity in [&other, &forged, &colleague] {
        for path in ["/v1/callbacks/post/told", "/v1/callbacks/post/none", "/v1/callbacks/none/x"] {
            answers.push(scene.call(Some(identity.clone()), Call { path, ..told() }).await);
        }
    }
    let first = answers[0].clone();
    assert_eq!(first.0, 403);
    assert!(first.1.contains("G151"), "{}", first.1);
    assert!(answers.iter().all(|answer| *answer == first), "{answers:?}");
    assert_eq!(scene.harness.target.requests().len(), 1, "nothing was asked");
    assert_eq!(scene.harness.exchange("m1").await.state, "waiting-result");
    scene.stop.send_replace(true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_is_durable_and_answered_alike_each_time() {
    let scene = Scene::set(8).await;
    let mut answers = Vec::new();
    for _ in 0..2 {
        answers.push(scene.call(Some(scene.identity()), told()).await);
    }
    scene.harness.settle().await;
    answers.push(scene.call(Some(scene.identity()), told()).await);
    let taken = (TAKEN.0, TAKEN.1.to_owned());
    assert!(answers.iter().all(|answer| *answer == taken), "{answers:?}");
    assert_eq!(scene.harness.exchange("m1").await.state, "delivered");
    scene.stop.send_replace(true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_has_a_status_and_a_code_of_its_own() {
    let scene = Scene::set(8).await;
    let large = format!(r#"{{"ticket":"{}"}}"#, "T".repeat(3_000));
    let calls = [
        (Call { path: "/v1/callbacks/post/none", ..told() }, 404, ""),
        (Call { path: "/v1/messages", ..told() }, 404, ""),
        (Call { method: Method::Put, ..told() }, 405, ""),
        (Call { body: &large, ..told() }, 413, "G106"),
        (Call { content_type: "text/plain", ..told() }, 415, "G111"),
        (Call { body: "{", ..told() }, 422, "G153"),
        (Call { body: r#"{"ticket":"a b"}"#, ..told() }, 422, "G153"),
        (Call { body: r#"{"ticket":"T9"}"#, ..told() }, 404, "G154"),
    ];
    for (call, status, code) in calls {
        let (path, body) = (call.path.to_owned(), call.body.len());
        let (found, answer) = scene.call(Some(scene.identity()), call).await;
        assert_eq!(found, status, "{path} {body}: {answer}");
        assert!(answer.contains(code), "{path}: {answer}");
        assert!(!answer.contains("watashi.toml") && !answer.contains("[counterpart"), "{answer}");
    }
    assert_eq!(scene.harness.exchange("m1").await.state, "waiting-result");
    scene.stop.send_replace(true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_and_a_signature_are_wanted_where_the_adapter_says_so() {
    let scene = Scene::set(8).await;
    let body = r#"{"ticket":"T1","result":"ok"}"#;
    let (token, right) = ("Bearer t0ken".to_owned(), signed("key of both", body));
    let wrong = [
        vec![],
        vec![("authorization", token.clone())],
        vec![("X-Signature", right.clone())],
        vec![("authorization", "Bearer other".to_owned()), ("X-Signature", right.clone())],
        vec![("authorization", token.clone()), ("X-Signature", signed("other", body))],
        vec![("authorization", token.clone()), ("X-Signature", right[7..].to_owned())],
        vec![("authorization", token.clone()), ("X-Signature", "sha256=zz".to_owned())],
        vec![("authorization", token.clone()), ("X-Signature", signed("key of both", TOLD))],
    ];
    let judged = |headers| Call { path: "/v1/callbacks/post/judged", headers, body, ..told() };
    for headers in wrong {
        let (status, answer) = scene.call(Some(scene.identity()), judged(headers)).await;
        assert_eq!(status, 401, "{answer}");
        assert!(answer.contains("G152"), "{answer}");
    }
    assert_eq!(scene.harness.exchange("m1").await.state, "waiting-result");
    let headers = vec![("authorization", token), ("X-Signature", right.to_uppercase())];
    let upper = scene.call(Some(scene.identity()), judged(headers)).await;
    assert_eq!(upper.0, 401, "the prefix is what was agreed");
    let headers = vec![
        ("authorization", "Bearer t0ken".to_owned()),
        ("X-Signature", signed("key of both", body)),
    ];
    let answer = scene.call(Some(scene.identity()), judged(headers)).await;
    assert_eq!((answer.0, answer.1.as_str()), TAKEN);
    assert_eq!(scene.harness.exchange("m1").await.state, "delivered");
    scene.stop.send_replace(true);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_notices_than_there_are_places_come_again() {
    let scene = Scene::set(0).await;
    let (status, answer) = scene.call(Some(scene.identity()), told()).await;
    assert_eq!(status, 503);
    assert!(answer.contains("G155"), "{answer}");
    scene.stop.send_replace(true);
}
