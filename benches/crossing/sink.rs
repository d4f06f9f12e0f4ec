//! The counterpart: a process of its own that answers every request at once and counts keys.
//!
//! It is told what to expect on standard input and says on standard output when the first and
//! the last message came; it ends when its input does.

use crate::pki;
use crate::process::Forwarder;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::HashSet;
use std::convert::Infallible;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_rustls::TlsAcceptor;

/// First argument of the process.
pub const ROLE: &str = "sink-process";
/// Every request carries its message's key here.
pub const KEY_HEADER: &str = "idempotency-key";
/// How long it may take to answer a question of the benchmark.
const PATIENCE: Duration = Duration::from_secs(20);

/// The process as the benchmark sees it.
pub struct Sink {
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Sink {
    /// Starts it with the certificates in `folder`.
    pub async fn start(folder: &Path) -> Sink {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(ROLE)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut sink = Sink { port: 0, input, lines, _child: child };
        sink.port = sink.next("listening", PATIENCE).await.parse().unwrap();
        sink
    }

    /// Forgets what came and waits for so many messages.
    pub async fn expect(&mut self, messages: usize) {
        self.say(&format!("expect {messages}")).await;
        self.next("expecting", PATIENCE).await;
    }

    /// Waits for the first message.
    pub async fn first(&mut self, patience: Duration, forwarder: &mut Forwarder) {
        tokio::select! {
            _ = self.next("first", patience) => {}
            () = forwarder.ended() => panic!("the forwarder ended before its first message"),
        }
    }

    /// Waits for the last one; seconds since the first.
    pub async fn last(&mut self, patience: Duration, forwarder: &mut Forwarder) -> f64 {
        let word = tokio::select! {
            word = self.next("last", patience) => word,
            () = forwarder.ended() => panic!("the forwarder ended before its last message"),
        };
        word.parse().unwrap()
    }

    /// Requests and distinct keys since `expect`.
    pub async fn report(&mut self) -> (usize, usize) {
        self.say("report").await;
        let words = self.next("report", PATIENCE).await;
        let (requests, distinct) = words.split_once(' ').unwrap();
        (requests.parse().unwrap(), distinct.parse().unwrap())
    }

    async fn say(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The rest of the next line, which begins with `word`.
    async fn next(&mut self, word: &str, patience: Duration) -> String {
        let line = tokio::time::timeout(patience, self.lines.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("no `{word}` after {patience:?}"));
        let line = line.unwrap().expect("the counterpart ended");
        let rest = line.strip_prefix(word).unwrap_or_else(|| panic!("`{line}`, not `{word}`"));
        rest.trim().to_owned()
    }
}

/// What came since the last `expect`.
#[derive(Default)]
struct Seen {
    keys: HashSet<Vec<u8>>,
    requests: usize,
    expected: usize,
    first: Option<Instant>,
}

impl Seen {
    fn note(&mut self, key: &[u8]) {
        self.requests += 1;
        let first = *self.first.get_or_insert_with(|| {
            println!("first");
            Instant::now()
        });
        if self.keys.insert(key.to_vec()) && self.keys.len() == self.expected {
            println!("last {:.6}", first.elapsed().as_secs_f64());
        }
    }
}

/// The process: serves until its standard input ends.
pub async fn serve(words: &[String]) {
    let folder = Path::new(&words[0]);
    let acceptor = TlsAcceptor::from(Arc::new(pki::server(folder)));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let seen: Arc<Mutex<Seen>> = Arc::default();
    println!("listening {}", listener.local_addr().unwrap().port());
    let shared = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(&shared)));
        }
    });
    tokio::task::spawn_blocking(move || obey(&seen)).await.unwrap();
}

/// Does what it is told, until there is nobody left to tell it.
fn obey(seen: &Mutex<Seen>) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let mut seen = seen.lock().unwrap();
        match line.split_once(' ') {
            Some(("expect", count)) => {
                *seen = Seen { expected: count.parse().unwrap(), ..Seen::default() };
                println!("expecting");
            }
            _ => println!("report {} {}", seen.requests, seen.keys.len()),
        }
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, seen: Arc<Mutex<Seen>>) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| answer(request, Arc::clone(&seen)));
    // A connection that its client closed is no news.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    seen: Arc<Mutex<Seen>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let complete = body.collect().await.is_ok_and(|body| !body.to_bytes().is_empty());
    let key = head.headers.get(KEY_HEADER).map(|key| key.as_bytes());
    let (status, text) = match key {
        Some(key) if complete => {
            seen.lock().unwrap().note(key);
            (200, r#"{"result":"0"}"#)
        }
        _ => (400, "{}"),
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from_static(text.as_bytes())));
    Ok(response.unwrap())
}
