//! The client and the listener against each other and against a server that misbehaves.

use super::Certificates;
use super::auth::LoginToken;
use super::testing::{Act, Authority, Server, Still, say};
use super::{
    AuthSettings, Credentials, HttpsSettings, HttpsTarget, PeerCertificate, expires_at, probe,
    serve,
};
use crate::model::{Secret, TokenFor};
use crate::transport::{Method, Request, SendError, Target};
use axum::Router;
use axum::extract::Extension;
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use url::Url;

fn settings(authority: &Authority, address: SocketAddr) -> HttpsSettings {
    let base = Url::parse(&format!("https://localhost:{}", address.port())).unwrap();
    let mut settings = HttpsSettings::new("counterpart", base, authority.pem());
    settings.addresses.networks = vec!["127.0.0.1".parse().unwrap()];
    settings
}

fn target(settings: HttpsSettings) -> HttpsTarget {
    HttpsTarget::new(settings, Arc::new(Still)).unwrap()
}

fn request(method: Method, path: &str) -> Request {
    Request {
        method,
        path: path.to_owned(),
        headers: vec![("Idempotency-Key".to_owned(), "k1".to_owned())],
        body: if method == Method::Post { Bytes::from_static(b"{}") } else { Bytes::new() },
        token: None,
        timeout: Duration::from_secs(5),
        max_response: 1000,
    }
}

async fn fails(target: &HttpsTarget) -> SendError {
    target.send(request(Method::Post, "/x")).await.expect_err("must fail")
}

/// The real listener with client certificates required, on a free port.
async fn listener(authority: &Authority, router: Router) -> (SocketAddr, watch::Sender<bool>) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (stop, shutdown) = watch::channel(false);
    let certificates = Certificates::new(&authority.server(true)).unwrap();
    tokio::spawn(serve(socket, certificates, router, shutdown));
    (address, stop)
}

#[tokio::test]
async fn mutual_tls_works_and_the_listener_knows_the_peer() {
    let authority = Authority::new();
    let who = |Extension(PeerCertificate(peer)): Extension<PeerCertificate>| async move {
        peer.map(|peer| format!("{} {}", peer.common_name, peer.fingerprint.len()))
            .unwrap_or_default()
    };
    let (address, stop) = listener(&authority, Router::new().route("/who", get(who))).await;
    let mut settings = settings(&authority, address);
    settings.identity = Some(authority.client());
    let target = target(settings);
    let answer = target.send(request(Method::Get, "/who")).await.unwrap();
    assert_eq!((answer.status, &answer.body[..]), (200, &b"watashi 64"[..]));
    assert_eq!(answer.content_type, "text/plain");
    let probe = probe(&target, &BTreeSet::from([None])).await.unwrap();
    assert_eq!(probe.protocol, "TLSv1_3");
    assert!(probe.token.is_ok() && probe.certificate_until.is_some());
    stop.send_replace(true);
}

#[tokio::test]
async fn r10_without_a_client_certificate_nothing_is_taken() {
    let authority = Authority::new();
    let taken = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&taken);
    let router = Router::new().route(
        "/x",
        post(move || async move {
            counting.fetch_add(1, Ordering::SeqCst);
        }),
    );
    let (address, _stop) = listener(&authority, router).await;
    let error = fails(&target(settings(&authority, address))).await;
    assert_eq!((error.code.code, error.before_first_byte), ("N206", true), "{}", error.detail);
    assert_eq!(taken.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_of_another_authority_gets_no_request() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Server::start(&theirs.server(false), |_| say("200 OK", "", "")).await;
    let error = fails(&target(settings(&ours, server.address))).await;
    assert_eq!((error.code.code, error.before_first_byte), ("N205", true));
    assert_eq!(error.detail, "certificate of another authority");
    assert_eq!(server.count(""), 0);
}

#[tokio::test]
async fn refused_connections_and_names_are_before_the_first_byte() {
    let authority = Authority::new();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = fails(&target(settings(&authority, closed))).await;
    assert_eq!((error.code.code, error.before_first_byte), ("N201", true));
}

#[tokio::test]
async fn r10_a_disallowed_address_gets_no_packet() {
    let authority = Authority::new();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(&authority, socket.local_addr().unwrap());
    settings.addresses.networks = vec!["192.0.2.0/24".parse().unwrap()];
    let target = target(settings);
    let error = fails(&target).await;
    assert_eq!((error.code.code, error.before_first_byte), ("N203", true));
    assert_eq!(probe(&target, &BTreeSet::from([None])).await.unwrap_err().code.code, "N203");
    // A connection would wait in the queue of the socket that nobody accepts from.
    let accepted = futures_util::FutureExt::now_or_never(socket.accept());
    assert!(accepted.is_none(), "something connected");
}

#[tokio::test]
async fn r10_redirects_are_answers() {
    let authority = Authority::new();
    let server = Server::start(&authority.server(false), |_| {
        say("302 Found", "location: https://169.254.169.254/\r\nretry-after: 7\r\n", "")
    })
    .await;
    let answer = target(settings(&authority, server.address))
        .send(request(Method::Post, "/x?a=1"))
        .await
        .unwrap();
    assert_eq!((answer.status, answer.retry_after), (302, Some(Duration::from_secs(7))));
    assert_eq!(server.count("POST /x?a=1 HTTP/1.1"), 1);
    assert_eq!(server.count(""), 1);
    assert!(server.requests.lock().unwrap()[0].contains("idempotency-key: k1"));
}

#[tokio::test]
async fn answers_over_the_cap_are_not_read() {
    let authority = Authority::new();
    let chunked = format!("{:x}\r\n{}\r\n0\r\n\r\n", 2000, "x".repeat(2000));
    for act in [
        say("200 OK", "", &"x".repeat(1001)),
        Act::Say(
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunked}").into_bytes(),
        ),
    ] {
        let server = Server::start(&authority.server(false), move |_| act.clone()).await;
        let error = fails(&target(settings(&authority, server.address))).await;
        assert_eq!((error.code.code, error.before_first_byte), ("N213", false));
    }
}

#[tokio::test]
async fn cut_and_unreadable_answers_leave_the_outcome_open() {
    let authority = Authority::new();
    let cases: [(&[u8], &str); 4] = [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "N212"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf", "N212"),
        (b"", "N214"),
        (b"SSH-2.0-nothing\r\n\r\n", "N215"),
    ];
    for (bytes, code) in cases {
        let server =
            Server::start(&authority.server(false), move |_| Act::Cut(bytes.to_vec())).await;
        let error = fails(&target(settings(&authority, server.address))).await;
        assert_eq!((error.code.code, error.before_first_byte), (code, false), "{bytes:?}");
        assert_eq!(server.count("POST /x"), 1, "sent more than once");
    }
}

#[tokio::test]
async fn silence_ends_at_the_deadline_with_the_outcome_open() {
    let authority = Authority::new();
    let server = Server::start(&authority.server(false), |_| Act::Hang).await;
    let mut settings = settings(&authority, server.address);
    settings.connect_timeout = Duration::from_secs(1);
    let mut asking = request(Method::Post, "/x");
    asking.timeout = Duration::from_millis(1);
    let error = target(settings).send(asking).await.unwrap_err();
    assert_eq!((error.code.code, error.before_first_byte), ("N211", false));
    assert_eq!(server.count("POST /x"), 1);
}

/// A listener that counts connections and, where told to, closes each after its first answer.
async fn counting(authority: &Authority, close: bool) -> (SocketAddr, Arc<AtomicUsize>) {
    let tls = super::tls::server_config(&authority.server(false)).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (socket.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counting = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            counting.fetch_add(1, Ordering::SeqCst);
            let stream = acceptor.accept(stream).await.unwrap();
            let answer = hyper::service::service_fn(|_| async {
                Ok::<_, std::convert::Infallible>(hyper::Response::new("done".to_owned()))
            });
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.keep_alive(!close);
            let stream = hyper_util::rt::TokioIo::new(stream);
            tokio::spawn(builder.serve_connection(stream, answer));
        }
    });
    (address, count)
}

#[tokio::test]
async fn a_connection_is_used_again_until_it_is_closed() {
    let authority = Authority::new();
    for (close, connections) in [(false, 1), (true, 5)] {
        let (address, count) = counting(&authority, close).await;
        let target = target(settings(&authority, address));
        for _ in 0..5 {
            let answer = target.send(request(Method::Post, "/x")).await.unwrap();
            assert_eq!(&answer.body[..], b"done");
        }
        assert_eq!(count.load(Ordering::SeqCst), connections);
    }
}

#[tokio::test]
async fn requests_at_once_have_a_connection_each() {
    let authority = Authority::new();
    let (address, count) = counting(&authority, false).await;
    let target = target(settings(&authority, address));
    for _ in 0..3 {
        let answers = join_all((0..8).map(|_| target.send(request(Method::Get, "/x")))).await;
        assert!(answers.iter().all(Result::is_ok));
    }
    assert!(count.load(Ordering::SeqCst) <= 8);
}

#[tokio::test]
async fn connections_idle_for_too_long_are_not_used_again() {
    let authority = Authority::new();
    let (address, count) = counting(&authority, false).await;
    let mut settings = settings(&authority, address);
    settings.pool_idle_timeout = Duration::ZERO;
    let target = target(settings);
    for _ in 0..2 {
        target.send(request(Method::Get, "/x")).await.unwrap();
    }
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn paths_that_would_change_on_the_way_are_refused() {
    let authority = Authority::new();
    let target = target(settings(&authority, "127.0.0.1:1".parse().unwrap()));
    for path in ["x", "/a/../b", "/%2e%2e/b", "/a#b", "/a b", "/a\r\nX: y", "/日本"] {
        let error = target.send(request(Method::Get, path)).await.unwrap_err();
        assert_eq!((error.code.code, error.before_first_byte), ("N207", true), "{path}");
    }
}

fn credentials() -> Credentials {
    Credentials { id: Secret::new("me".to_owned()), secret: Secret::new("the-secret".to_owned()) }
}

fn oauth() -> AuthSettings {
    AuthSettings::ClientSecretJwt {
        credentials: credentials(),
        token_path: "/oauth2/token".to_owned(),
        token: TokenFor { scope: "all".to_owned(), audience: String::new() },
    }
}

/// A server that hands out numbered tokens and answers with what authorised the request.
async fn token_server(authority: &Authority, life: u32) -> Server {
    let count = AtomicUsize::new(0);
    Server::start(&authority.server(false), move |request| {
        if request.starts_with("POST /oauth2/token") || request.starts_with("POST /login") {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            let token = format!("t{number}");
            let body =
                format!(r#"{{"access_token":"{token}","token":"{token}","expires_in":{life}}}"#);
            return say("200 OK", "content-type: application/json\r\n", &body);
        }
        let authorised = request
            .lines()
            .find(|line| line.starts_with("authorization: ") || line.starts_with("x-auth-token: "))
            .unwrap_or_default();
        say("200 OK", "", authorised)
    })
    .await
}

async fn authorised_by(target: &HttpsTarget) -> String {
    let answer = target.send(request(Method::Get, "/x")).await.unwrap();
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn fifty_requests_at_once_fetch_one_token() {
    let authority = Authority::new();
    let server = token_server(&authority, 3600).await;
    let mut settings = settings(&authority, server.address);
    settings.auth = oauth();
    let target = target(settings);
    let answers = join_all((0..50).map(|_| authorised_by(&target))).await;
    assert!(answers.iter().all(|answer| answer == "authorization: Bearer t1"), "{answers:?}");
    assert_eq!(server.count("POST /oauth2/token"), 1);
    let form = server.requests.lock().unwrap()[0].clone();
    assert!(form.contains("grant_type=client_credentials") && form.contains("scope=all"));
    assert!(form.contains("client_assertion=ey") && !form.contains("the-secret"));

    // Many requests were refused with the first token: only one of them costs a new one.
    target.forget_token(1);
    assert_eq!(authorised_by(&target).await, "authorization: Bearer t2");
    target.forget_token(1);
    assert_eq!(authorised_by(&target).await, "authorization: Bearer t2");
    assert_eq!(server.count("POST /oauth2/token"), 2);
}

#[tokio::test]
async fn each_scope_has_a_token_of_its_own() {
    let authority = Authority::new();
    let server = token_server(&authority, 3600).await;
    let mut settings = settings(&authority, server.address);
    settings.auth = oauth();
    let target = target(settings);
    let send = async |scope: &str, audience: &str| {
        let token = TokenFor { scope: scope.to_owned(), audience: audience.to_owned() };
        let request = Request { token: Some(Arc::new(token)), ..request(Method::Get, "/x") };
        let answer = target.send(request).await.unwrap();
        (String::from_utf8(answer.body.to_vec()).unwrap(), answer.token)
    };
    let bearer = |token: u64| (format!("authorization: Bearer t{token}"), Some(token));
    let twenty = join_all((0..20).map(|_| send("a:Read", ""))).await;
    assert!(twenty.iter().all(|one| *one == bearer(1)), "{twenty:?}");
    assert_eq!(send("a:Update", "").await, bearer(2));
    assert_eq!(send("a:Update", "provider").await, bearer(3));
    assert_eq!(authorised_by(&target).await, "authorization: Bearer t4");
    assert_eq!(send("all", "").await, bearer(4), "the scope that is asked for anyway");
    let forms: Vec<String> = server.requests.lock().unwrap().clone();
    let forms: Vec<_> = forms.iter().filter(|one| one.starts_with("POST /oauth2/token")).collect();
    assert!(forms[0].contains("scope=a%3ARead") && !forms[0].contains("audience="));
    assert!(forms[2].contains("scope=a%3AUpdate&audience=provider"));

    // A refused token takes none of the others with it.
    target.forget_token(2);
    assert_eq!(send("a:Read", "").await, bearer(1));
    assert_eq!(send("a:Update", "").await, bearer(5));
}

#[tokio::test]
async fn tokens_that_have_ended_are_fetched_again() {
    let authority = Authority::new();
    let server = token_server(&authority, 0).await;
    let mut settings = settings(&authority, server.address);
    settings.auth = AuthSettings::ClientSecretBasic {
        credentials: credentials(),
        token_path: "/oauth2/token".to_owned(),
        token: TokenFor::default(),
    };
    let target = target(settings);
    assert_eq!(authorised_by(&target).await, "authorization: Bearer t1");
    assert_eq!(authorised_by(&target).await, "authorization: Bearer t2");
    let login = server.requests.lock().unwrap()[0].clone();
    assert!(login.contains("authorization: Basic bWU6dGhlLXNlY3JldA=="), "{login}");
}

#[tokio::test]
async fn logins_put_their_token_into_their_own_header() {
    let authority = Authority::new();
    let server = token_server(&authority, 60).await;
    let mut settings = settings(&authority, server.address);
    settings.auth = AuthSettings::LoginToken(LoginToken {
        credentials: credentials(),
        method: Method::Post,
        path: "/login".to_owned(),
        body: vec![("id".to_owned(), "{client-id}".to_owned())],
        token_field: "token".to_owned(),
        header: "X-Auth-Token".to_owned(),
        prefix: String::new(),
    });
    assert_eq!(authorised_by(&target(settings)).await, "x-auth-token: t1");
    assert!(server.requests.lock().unwrap()[0].ends_with(r#"{"id":"me"}"#));
}

#[tokio::test]
async fn token_failures_are_before_the_first_byte_and_shared() {
    let authority = Authority::new();
    let cases = [
        (say("401 Unauthorized", "", ""), "N222"),
        (say("503 Service Unavailable", "", ""), "N221"),
        (say("200 OK", "", "{}"), "N223"),
        (Act::Cut(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".to_vec()), "N221"),
    ];
    for (act, code) in cases {
        let server = Server::start(&authority.server(false), move |_| act.clone()).await;
        let mut settings = settings(&authority, server.address);
        settings.auth = oauth();
        let target = target(settings);
        for error in join_all((0..10).map(|_| fails(&target))).await {
            assert_eq!((error.code.code, error.before_first_byte), (code, true));
        }
        assert_eq!(server.count("POST /oauth2/token"), 1);
        assert_eq!(server.count("POST /x"), 0);
        fails(&target).await;
        assert_eq!(server.count("POST /oauth2/token"), 2, "a failure is not remembered");
    }
}

#[tokio::test]
async fn the_listener_lets_requests_under_way_end() {
    let authority = Authority::new();
    let (entered, mut entering) = watch::channel(false);
    let (release, releasing) = watch::channel(false);
    let router = Router::new().route(
        "/x",
        post(move || async move {
            entered.send_replace(true);
            let mut releasing = releasing.clone();
            let _ = releasing.wait_for(|go| *go).await;
            "done"
        }),
    );
    let (address, stop) = listener(&authority, router).await;
    let mut settings = settings(&authority, address);
    settings.identity = Some(authority.client());
    let target = Arc::new(target(settings));
    let sending = Arc::clone(&target);
    let under_way = tokio::spawn(async move { sending.send(request(Method::Post, "/x")).await });
    entering.wait_for(|entered| *entered).await.unwrap();
    stop.send_replace(true);
    release.send_replace(true);
    assert_eq!(&under_way.await.unwrap().unwrap().body[..], b"done");
}

#[test]
fn expiry_is_read_from_the_first_certificate() {
    let authority = Authority::new();
    let end = expires_at(&authority.client().certificate_pem).unwrap();
    assert_eq!(end.to_string(), "2096-01-01T00:00:00Z");
    assert_eq!(expires_at(b"nothing"), None);
}
