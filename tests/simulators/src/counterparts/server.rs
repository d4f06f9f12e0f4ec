//! One listener: TLS, HTTP/1.1, the faults around a counterpart's answer.

use crate::Trouble;
use crate::counterparts::faults::{Fault, Plan};
use crate::counterparts::ledger::Ledger;
use crate::counterparts::{Answer, Behaviour, Counterpart, Knowledge, Received};
use crate::numbers::contains_my_number;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Largest body a counterpart reads, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// The line to a counterpart.
#[derive(Default)]
pub struct Line {
    /// Whether it is cut.
    pub down: watch::Sender<bool>,
    /// Connections that met it cut.
    pub turned_away: AtomicU64,
}

/// A counterpart with everything around it.
pub struct Stage {
    counterpart: Arc<dyn Counterpart>,
    line: Arc<Line>,
    ledger: Arc<Ledger>,
    knowledge: Arc<Knowledge>,
    plan: Plan,
    behaviour: Behaviour,
    requests: AtomicU64,
}

impl Stage {
    /// Puts a counterpart on stage.
    pub fn new(
        counterpart: Arc<dyn Counterpart>,
        ledger: Arc<Ledger>,
        knowledge: Arc<Knowledge>,
        plan: Plan,
        behaviour: Behaviour,
    ) -> Arc<Self> {
        let (requests, line) = (AtomicU64::new(0), Arc::default());
        Arc::new(Stage { counterpart, line, ledger, knowledge, plan, behaviour, requests })
    }

    /// The line to it.
    pub fn line(&self) -> Arc<Line> {
        Arc::clone(&self.line)
    }
}

/// Listens on a free loopback port; the listener lives in `tasks`. Connections end when another
/// certificate is put in the place of its own.
pub async fn listen(
    stage: Arc<Stage>,
    mut tls: watch::Receiver<Arc<rustls::ServerConfig>>,
    tasks: &mut JoinSet<()>,
) -> Result<SocketAddr, Trouble> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let mut acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow_and_update()));
    let mut down = stage.line.down.subscribe();
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    if *down.borrow() {
                        stage.line.turned_away.fetch_add(1, Ordering::AcqRel);
                        continue;
                    }
                    connections.spawn(serve(stream, acceptor.clone(), Arc::clone(&stage)));
                }
                Some(_) = connections.join_next() => {}
                Ok(()) = tls.changed() => {
                    acceptor = TlsAcceptor::from(Arc::clone(&tls.borrow_and_update()));
                    connections.abort_all();
                }
                Ok(()) = down.changed() => {
                    if *down.borrow_and_update() {
                        connections.abort_all();
                    }
                }
            }
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, stage: Arc<Stage>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| handle(Arc::clone(&stage), request));
    // An error here is a connection that we or the caller closed: nothing to report.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

async fn handle(
    stage: Arc<Stage>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Cut> {
    let mut received = read(&stage, request).await.ok_or(Cut)?;
    let counterpart = Arc::clone(&stage.counterpart);
    let number = stage.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let line = received.line();
    let key = counterpart.idempotency_key(&received);
    received.receipt = stage.ledger.receive(counterpart.name(), &line, &key, received.received_ms);
    let is_closed = |at| stage.knowledge.times.is_closed(counterpart.name(), at);
    if crate::clock::lately_ms().into_iter().all(is_closed) {
        stage.ledger.violation(counterpart.name(), &line, "sent while it is closed", false);
    }
    if let Some(place) = leak(&stage, &received) {
        stage.ledger.violation(counterpart.name(), &line, &format!("個人番号 in {place}"), true);
        return respond(Answer::json(
            400,
            &serde_json::json!({"code": "E0009", "message": "個人番号 is not allowed here"}),
        ));
    }
    let fault = stage.plan.decide(number, counterpart.caution(&received));
    if let Some(fault) = fault {
        stage.ledger.fault(received.receipt, fault.name());
    }
    play(&stage, received, fault).await
}

async fn play(
    stage: &Arc<Stage>,
    request: Received,
    fault: Option<Fault>,
) -> Result<Response<Full<Bytes>>, Cut> {
    match fault {
        None => respond(act(stage, &request)),
        Some(Fault::Busy) => {
            let body = serde_json::json!({"code": "E9000", "message": "busy"});
            let mut response = respond(Answer::json(503, &body))?;
            response.headers_mut().insert("retry-after", hyper::header::HeaderValue::from(1));
            Ok(response)
        }
        Some(Fault::BusyBody) => respond(stage.counterpart.busy_body(&request)),
        Some(Fault::TokenExpired) => respond(stage.counterpart.expire_token(&request)),
        Some(Fault::CutBefore) => Err(Cut),
        Some(Fault::CutAfter) => {
            act(stage, &request);
            Err(Cut)
        }
        Some(Fault::SilentAfter) => {
            act(stage, &request);
            tokio::time::sleep(stage.behaviour.silence).await;
            Err(Cut)
        }
        Some(Fault::Late) => {
            let (stage, silence) = (Arc::clone(stage), stage.behaviour.silence);
            // A task of its own: the caller hanging up must not stop it.
            tokio::spawn(async move {
                tokio::time::sleep(stage.behaviour.lateness).await;
                // Not judged: the same bytes come again in time, and are. What has become older
                // than its successor by now was not sent late, it was made late here.
                stage.counterpart.answer(&request);
            });
            tokio::time::sleep(silence).await;
            Err(Cut)
        }
        Some(Fault::ProxyPage) => {
            act(stage, &request);
            let body = b"<html><body>Your request is being processed.</body></html>".to_vec();
            respond(Answer { status: 200, content_type: "text/html", body, violation: None })
        }
        Some(Fault::Truncated) => {
            let mut answer = act(stage, &request);
            answer.body.truncate(answer.body.len() / 2);
            respond(answer)
        }
    }
}

fn act(stage: &Stage, request: &Received) -> Answer {
    let answer = stage.counterpart.answer(request);
    if let Some(problem) = &answer.violation {
        stage.ledger.violation(stage.counterpart.name(), &request.line(), problem, false);
    }
    answer
}

fn leak(stage: &Stage, request: &Received) -> Option<&'static str> {
    let found = |bytes: &[u8]| contains_my_number(bytes, &stage.knowledge.my_numbers);
    let in_head = found(request.path.as_bytes())
        || found(request.query.as_bytes())
        || request.headers.iter().any(|(_, value)| found(value.as_bytes()));
    if in_head {
        return Some("path or headers");
    }
    (!stage.counterpart.admits_my_number(request) && found(&request.body)).then_some("body")
}

async fn read(stage: &Stage, request: Request<Incoming>) -> Option<Received> {
    let received_ms = crate::clock::now_ms();
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(_) => {
            // A caller that dies in mid-body is a caller's right; nothing was applied.
            stage.ledger.receive(stage.counterpart.name(), "unfinished", "", received_ms);
            return None;
        }
    };
    let text =
        |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Some(Received {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(k, v)| (k.as_str().to_owned(), text(v))).collect(),
        body,
        receipt: 0,
        received_ms,
    })
}

fn respond(answer: Answer) -> Result<Response<Full<Bytes>>, Cut> {
    Response::builder()
        .status(answer.status)
        .header("content-type", answer.content_type)
        .body(Full::new(Bytes::from(answer.body)))
        .map_err(|_| Cut)
}
