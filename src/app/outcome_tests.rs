//! What an attempt brought, over real TLS: one line per way in which a counterpart can behave, and
//! for each way of resolving a lost answer what follows.

use crate::pipeline::testing::Harness;
use crate::pipeline::{Counterpart, process};
use crate::transport::https::testing::{Authority, read};
use crate::transport::https::tls::{ServerTls, server_config};
use crate::transport::https::{HttpsSettings, HttpsTarget};
use futures_util::{StreamExt, stream};
use rcgen::ExtendedKeyUsagePurpose;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use url::Url;

/// How the counterpart behaves.
#[derive(Clone, Copy, Debug)]
enum Play {
    /// Nobody listens.
    Refused,
    /// It is at an address that is not allowed.
    Elsewhere,
    /// The connection is taken, and then nothing.
    NoHandshake,
    /// The connection ends within the handshake.
    HandshakeCut,
    /// Its certificate is of another authority.
    Untrusted,
    /// Its certificate is another host's.
    WrongName,
    /// Its certificate has expired.
    Expired,
    /// It wants a certificate of ours, and we have none.
    WantsCertificate,
    /// Reset before it read anything of the request.
    ResetUnread,
    /// Closed in good order before it read anything of the request.
    CloseUnread,
    /// Reset when it had read a part of the request.
    ResetHalfway,
    /// Reset when it had read the request.
    ResetAfter,
    /// Reads the request, says this, closes in good order.
    Says(&'static str),
    /// Reads the request, says this, and is gone.
    Cut(&'static str),
    /// Reads the request, says this, and is silent.
    Hangs(&'static str),
    /// Says this when it has read a part of the request, and closes after it has read the rest.
    Early(&'static str),
}
use Play::{
    CloseUnread, Cut, Early, Elsewhere, Expired, HandshakeCut, Hangs, NoHandshake, Refused,
    ResetAfter, ResetHalfway, ResetUnread, Says, Untrusted, WantsCertificate, WrongName,
};

/// What it is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// In effect.
    Applied,
    /// Certainly not in effect, and never to be.
    Never,
    /// Certainly not in effect: tried again.
    NotYet,
    /// In effect or not.
    Unknown,
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"result\":\"ok\"}";
const OK_CHUNKED: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nf\r\n{\"result\":\"ok\"}\r\n0\r\n\r\n";

/// An answer with this status and the JSON body, which is what the length says.
macro_rules! json {
    ($status:literal, $length:literal, $body:literal) => {
        Says(concat!(
            "HTTP/1.1 ",
            $status,
            "\r\ncontent-type: application/json\r\ncontent-length: ",
            $length,
            "\r\n\r\n",
            $body
        ))
    };
}

/// An answer with this status and these headers, without a body.
macro_rules! bare {
    ($head:literal) => {
        Says(concat!("HTTP/1.1 ", $head, "\r\ncontent-length: 0\r\n\r\n"))
    };
}

/// How it behaves, what that means, and the code. `G403`: no answer; `G404`: one that proves nothing.
const ROWS: &[(Play, Means, Option<&str>)] = &[
    // Certainly before the first byte.
    (Refused, Means::NotYet, Some("N201")),
    (Elsewhere, Means::NotYet, Some("N203")),
    (NoHandshake, Means::NotYet, Some("N204")),
    (HandshakeCut, Means::NotYet, Some("N201")),
    (Untrusted, Means::NotYet, Some("N205")),
    (WrongName, Means::NotYet, Some("N205")),
    (Expired, Means::NotYet, Some("N205")),
    (WantsCertificate, Means::NotYet, Some("N206")),
    // After it, without an answer.
    (ResetUnread, Means::Unknown, Some("G403")),
    (CloseUnread, Means::Unknown, Some("G403")),
    (ResetHalfway, Means::Unknown, Some("G403")),
    (ResetAfter, Means::Unknown, Some("G403")),
    (Cut(""), Means::Unknown, Some("G403")),
    (Says(""), Means::Unknown, Some("G403")),
    (Hangs(""), Means::Unknown, Some("G403")),
    // Half an answer.
    (Cut("HTTP/1.1 200"), Means::Unknown, Some("G403")),
    (Cut("HTTP/1.1 200 OK\r\ncontent-type: appl"), Means::Unknown, Some("G403")),
    (Cut("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n"), Means::Unknown, Some("G403")),
    (
        Cut(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"result\":",
        ),
        Means::Unknown,
        Some("G403"),
    ),
    (
        Hangs(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"resu",
        ),
        Means::Unknown,
        Some("G403"),
    ),
    (
        Cut("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nf\r\n{\"result\":\"ok\"}\r\n"),
        Means::Unknown,
        Some("G403"),
    ),
    (
        Cut("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"result\":\"ok\"}"),
        Means::Unknown,
        Some("G403"),
    ),
    // No HTTP, or one that cannot be right.
    (Says("SSH-2.0-OpenSSH_9.2\r\n\r\n"), Means::Unknown, Some("G403")),
    (Says("HTTP/1.1 2000 OK\r\n\r\n"), Means::Unknown, Some("G403")),
    (
        Says(
            "HTTP/1.1 200 OK\r\ncontent-length: 15\r\ncontent-length: 3\r\n\r\n{\"result\":\"ok\"}",
        ),
        Means::Unknown,
        Some("G403"),
    ),
    (
        Says("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        Means::Unknown,
        Some("G403"),
    ),
    // A length that lies.
    (json!("200 OK", "30", "{\"result\":\"ok\"}"), Means::Unknown, Some("G403")),
    (json!("200 OK", "5", "{\"result\":\"ok\"}"), Means::Unknown, Some("G404")),
    (json!("200 OK", "99999999", "{}"), Means::Unknown, Some("G403")),
    // What success is.
    (Says(OK), Means::Applied, None),
    (Says(OK_CHUNKED), Means::Applied, None),
    (Cut(OK), Means::Applied, None),
    (Hangs(OK), Means::Applied, None),
    (
        Says(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{\"result\":\"ok\"}",
        ),
        Means::Applied,
        None,
    ),
    // What is not: 200 alone proves nothing.
    (json!("200 OK", "16", "{\"result\":\"new\"}"), Means::Unknown, Some("G404")),
    (json!("200 OK", "2", "{}"), Means::Unknown, Some("G404")),
    (json!("200 OK", "11", "{\"other\":1}"), Means::Unknown, Some("G404")),
    (json!("200 OK", "29", "{\"result\":\"ok\",\"result\":\"ok\"}"), Means::Unknown, Some("G404")),
    (
        Says(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n{\"result\":\"ok\"}",
        ),
        Means::Unknown,
        Some("G404"),
    ),
    (
        Says(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\n12345",
        ),
        Means::Unknown,
        Some("G404"),
    ),
    (bare!("204 No Content"), Means::Unknown, Some("G404")),
    (bare!("301 Moved Permanently\r\nlocation: /other"), Means::Unknown, Some("G404")),
    (bare!("307 Temporary Redirect\r\nlocation: /other"), Means::Unknown, Some("G404")),
    // What the outcome table declares.
    (json!("200 OK", "17", "{\"result\":\"busy\"}"), Means::NotYet, Some("G402")),
    (json!("400 Bad Request", "13", "{\"code\":\"E7\"}"), Means::Never, Some("G401")),
    (json!("503 Service Unavailable", "2", "{}"), Means::NotYet, Some("G402")),
    (
        Early(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
        ),
        Means::NotYet,
        Some("G402"),
    ),
    // What it does not declare is not known to be anything.
    (json!("400 Bad Request", "2", "{}"), Means::Unknown, Some("G404")),
    (bare!("401 Unauthorized"), Means::Unknown, Some("G404")),
    (bare!("403 Forbidden"), Means::Unknown, Some("G404")),
    (bare!("404 Not Found"), Means::Unknown, Some("G404")),
    (bare!("408 Request Timeout"), Means::Unknown, Some("G404")),
    (bare!("409 Conflict"), Means::Unknown, Some("G404")),
    (bare!("413 Content Too Large"), Means::Unknown, Some("G404")),
    (bare!("422 Unprocessable Content"), Means::Unknown, Some("G404")),
    (bare!("429 Too Many Requests"), Means::Unknown, Some("G404")),
    (bare!("500 Internal Server Error"), Means::Unknown, Some("G404")),
    (bare!("502 Bad Gateway"), Means::Unknown, Some("G404")),
    (bare!("504 Gateway Timeout"), Means::Unknown, Some("G404")),
];

/// Type of the message and operation, by how a lost answer is resolved.
const OPERATIONS: [(&str, &str); 3] =
    [("order.placed", "place"), ("order.asked", "asked"), ("order.manual", "manual")];

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_a_counterpart_has_its_class_and_its_next_step() {
    let authority = Authority::new();
    let checks = ROWS.iter().map(|row| check(&authority, row));
    let wrong: Vec<Vec<String>> = stream::iter(checks).buffer_unordered(8).collect().await;
    let wrong = wrong.concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn check(authority: &Authority, row: &(Play, Means, Option<&str>)) -> Vec<String> {
    let (play, means, code) = *row;
    let address = counterpart(authority, play).await;
    let mut wrong = Vec::new();
    for (message_type, operation) in OPERATIONS {
        let harness = Harness::new();
        let adapter = Arc::clone(&harness.cx.counterpart("post").unwrap().adapter);
        let target = Arc::new(client(authority, address, play));
        harness.cx.counterparts.replace([Arc::new(Counterpart::new(adapter, target))]);
        harness.post(message_type, "m1", r#"{"person":"p1","amount":1}"#).await;
        process(harness.claim(operation).await, &harness.cx).await;

        let seen = harness.exchange("m1").await;
        let attempts = harness.cx.store.attempts(seen.id).await.unwrap();
        let expected = match (means, operation) {
            (Means::Applied, _) => ("applied", "delivered", false, false),
            (Means::Never, _) => ("refused", "dead", false, false),
            (Means::NotYet, _) => ("not-applied", "waiting-retry", false, true),
            (Means::Unknown, "manual") => ("unknown", "unknown", true, false),
            (Means::Unknown, _) => ("unknown", "unknown", true, true),
        };
        let outcome = attempts.first().and_then(|one| one.outcome.clone()).unwrap_or_default();
        let found = (outcome.as_str(), seen.state.as_str(), seen.maybe_applied, seen.due.is_some());
        let codes = (code, seen.code.as_deref());
        if found != expected || attempts.len() != 1 || codes.0 != codes.1 {
            let detail = seen.detail.unwrap_or_default();
            wrong.push(format!("{play:?} at {operation}: {found:?} {codes:?} {detail}"));
        }
    }
    wrong
}

fn client(authority: &Authority, address: SocketAddr, play: Play) -> HttpsTarget {
    let base = Url::parse(&format!("https://localhost:{}", address.port())).unwrap();
    let mut settings = HttpsSettings::new("post", base, authority.pem());
    if !matches!(play, Elsewhere) {
        settings.addresses.networks = vec!["127.0.0.1".parse().unwrap()];
    }
    // A guard against hanging; only where nobody answers at all is it waited for.
    let patience = if matches!(play, NoHandshake) { 300 } else { 4_000 };
    settings.connect_timeout = Duration::from_millis(patience);
    HttpsTarget::new(settings, Arc::new(crate::model::clock::SystemClock)).unwrap()
}

/// A counterpart that treats every connection like this.
async fn counterpart(authority: &Authority, play: Play) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    if matches!(play, Refused) {
        return address;
    }
    let acceptor = TlsAcceptor::from(Arc::new(server_config(&tls(authority, play)).unwrap()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, acceptor.clone(), play));
        }
    });
    address
}

fn tls(authority: &Authority, play: Play) -> ServerTls {
    match play {
        Untrusted => Authority::new().server(false),
        WantsCertificate => authority.server(true),
        WrongName => ServerTls {
            identity: authority.issue_for(&["elsewhere.example"], 2096),
            ..authority.server(false)
        },
        Expired => ServerTls {
            identity: authority.issue_for(&["localhost", "127.0.0.1"], 2020),
            ..authority.server(false)
        },
        _ => ServerTls {
            identity: authority.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth),
            ..authority.server(false)
        },
    }
}

async fn serve(mut stream: TcpStream, acceptor: TlsAcceptor, play: Play) {
    match play {
        NoHandshake => return std::future::pending().await,
        HandshakeCut => {
            let mut hello = [0; 64];
            let _ = stream.read(&mut hello).await;
            return;
        }
        _ => {}
    }
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    match play {
        ResetUnread => return reset(&stream),
        ResetHalfway => {
            let mut part = [0; 32];
            let _ = stream.read(&mut part).await;
            return reset(&stream);
        }
        CloseUnread => {
            let _ = stream.shutdown().await;
            return;
        }
        Early(text) => {
            let mut part = [0; 32];
            let _ = stream.read(&mut part).await;
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.flush().await;
            let mut rest = [0; 4096];
            let _ = stream.read(&mut rest).await;
            let _ = stream.shutdown().await;
            return;
        }
        _ => {}
    }
    let _request = read(&mut stream).await;
    match play {
        Says(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Cut(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.flush().await;
        }
        Hangs(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.flush().await;
            std::future::pending().await
        }
        _ => reset(&stream),
    }
}

/// What is dropped next is reset, not closed.
fn reset(stream: &tokio_rustls::server::TlsStream<TcpStream>) {
    stream.get_ref().0.set_zero_linger().unwrap();
}
