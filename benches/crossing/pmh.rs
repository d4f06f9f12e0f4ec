//! PMH: a process of its own that takes arrays of doses as tasks and tells their results, each
//! answer after a fixed time; it counts doses and requests.

use crate::pki;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// First argument of the process.
pub const ROLE: &str = "pmh-process";

/// One dose, as far as it is looked at.
#[derive(Deserialize)]
struct Dose<'a> {
    #[serde(rename = "vaccinationRecordId")]
    id: &'a str,
}

#[derive(Default)]
struct State {
    expected: usize,
    first: Option<Instant>,
    /// Numbers of the doses that came.
    doses: HashSet<u32>,
    /// Doses per task, and whether their results were told.
    tasks: HashMap<String, (usize, bool)>,
    /// Doses whose result was told.
    told: usize,
    /// Doses in all requests, repetitions included.
    taken: usize,
    /// Arrays of doses.
    submissions: usize,
}

/// The process: serves until its standard input ends. Arguments: folder, doses to wait for,
/// milliseconds until an answer.
pub async fn serve(words: &[String]) {
    let [folder, expected, delay] = words else { panic!("three arguments") };
    let acceptor = TlsAcceptor::from(Arc::new(pki::server(Path::new(folder))));
    let delay = Duration::from_millis(delay.parse().unwrap());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let state = State { expected: expected.parse().unwrap(), ..State::default() };
    let state = Arc::new(Mutex::new(state));
    println!("listening {}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(&state), delay));
        }
    });
    let waiting =
        tokio::task::spawn_blocking(|| std::io::stdin().lines().map_while(Result::ok).last());
    waiting.await.unwrap();
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    state: Arc<Mutex<State>>,
    delay: Duration,
) {
    let _ = stream.set_nodelay(true);
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = service_fn(move |request| answer(request, Arc::clone(&state), delay));
    // A connection that its client closed is no news.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<Mutex<State>>,
    delay: Duration,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let (status, document) = match (head.method, head.uri.path()) {
        (Method::POST, "/oauth2/token") => {
            (200, json!({"access_token": "t", "token_type": "Bearer", "expires_in": 86_400}))
        }
        (Method::POST, "/vaccination/record-registration-tasks") => {
            tokio::time::sleep(delay).await;
            (202, json!({"taskId": submit(&body, &mut state.lock().unwrap())}))
        }
        (Method::GET, path) => {
            tokio::time::sleep(delay).await;
            let id = path.strip_prefix("/tasks/").unwrap_or_default();
            (200, result(id, &mut state.lock().unwrap()))
        }
        _ => (400, json!({"code": "E0400"})),
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(document.to_string())));
    Ok(response.unwrap())
}

fn submit(body: &[u8], state: &mut State) -> String {
    let doses: Vec<Dose<'_>> = serde_json::from_slice(body).unwrap();
    if state.first.is_none() {
        state.first = Some(Instant::now());
        println!("first");
    }
    state.submissions += 1;
    state.taken += doses.len();
    let id = format!("T{:08}", state.submissions);
    let numbers = doses.iter().map(|dose| dose.id.rsplit('-').next().unwrap().parse::<u32>());
    state.doses.extend(numbers.map(Result::unwrap));
    state.tasks.insert(id.clone(), (doses.len(), false));
    id
}

/// All is registered as soon as it is asked for; asked again, it says the same.
fn result(id: &str, state: &mut State) -> Value {
    let Some((doses, was_told)) = state.tasks.get_mut(id) else {
        return json!({"code": "E0404", "message": "no such task"});
    };
    let doses = *doses;
    if !std::mem::replace(was_told, true) {
        state.told += doses;
        if state.told == state.expected {
            let seconds = state.first.map_or(0.0, |first| first.elapsed().as_secs_f64());
            let (distinct, taken, submissions) =
                (state.doses.len(), state.taken, state.submissions);
            println!("last {seconds:.6} {distinct} {taken} {submissions}");
        }
    }
    let results: Vec<Value> =
        (1..=doses).map(|number| json!({"itemNumber": number, "status": "registered"})).collect();
    json!({"taskId": id, "status": "completed", "results": results})
}
