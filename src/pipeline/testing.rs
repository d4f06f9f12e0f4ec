//! A whole pipeline for tests: real definitions, real SQLite in a temporary folder, a scripted
//! counterpart.

use super::accept::{Arrival, Origin, accept};
use super::context::Accepting;
use super::worker::{self, Work};
use super::{Context, Counterpart, Counterparts, Definitions, Settings};
use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::diagnostic::{SourceFile, render};
use crate::model::Clock;
use crate::model::clock::SystemClock;
use crate::model::{Secret, State};
use crate::policy::calendar::japan_time;
use crate::record::RecordRow;
use crate::store::keys::Keys;
use crate::store::sqlite::{Options, SqliteStore, backup};
use crate::store::{Accepted, Claim, Claimed, ExchangeView, Filter, NewEpoch};
use crate::transport::fake::FakeTarget;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// How long a test waits for what must happen; a guard against hanging.
const PATIENCE: Duration = Duration::from_secs(30);

const SOURCE: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "order",
  "x-message-types": ["order.placed", "order.batched", "order.polled", "order.asked", "order.manual", "order.slow", "order.sheet"],
  "type": "object", "additionalProperties": false, "required": ["person", "amount"],
  "properties": {
    "person": {"type": "string", "maxLength": 20},
    "amount": {"type": "integer"},
    "note": {"type": "string", "maxLength": 20}
  }
}"#;

const TARGET: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "parcel",
  "type": "object", "additionalProperties": false, "required": ["who", "sum"],
  "properties": {"who": {"type": "string", "maxLength": 20}, "sum": {"type": "integer"}}
}"#;

const ANSWER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "answer",
  "type": "object", "additionalProperties": false,
  "properties": {
    "result": {"type": "string", "maxLength": 20}, "code": {"type": "string", "maxLength": 20},
    "ticket": {"type": "string", "maxLength": 40},
    "results": {"type": "array", "items": {
      "type": "object", "additionalProperties": false,
      "properties": {"n": {"type": "integer"}, "state": {"type": "string", "maxLength": 20},
                     "code": {"type": "string", "maxLength": 20}}}}
  }
}"#;

const REPLY: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "reply",
  "type": "object", "additionalProperties": false, "required": ["outcome"],
  "properties": {"outcome": {"type": "string", "maxLength": 20}}
}"#;

const MAPPING: &str = "mapping: order-to-parcel\nfrom: shop/order@1\nto: post/parcel@1\nrules:\n  who: person\n  sum: 'if(note == \"forbidden\", reject(\"NOT_ALLOWED\", \"by rule\"), amount)'\n";

const REPLY_MAPPING: &str = "mapping: answer-to-reply\nfrom: post/answer@1\nto: shop/reply@1\nrules:\n  outcome: 'result ?? \"none\"'\n";

const LINES: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "orders as lines",
  "x-message-types": ["order.fetched"],
  "type": "array", "minItems": 1, "x-csv": {"header": true},
  "items": {
    "type": "object", "additionalProperties": false, "required": ["person", "amount"],
    "properties": {"person": {"type": "string", "minLength": 1, "maxLength": 20}, "amount": {"type": "integer"}}
  }
}"#;

const LINES_MAPPING: &str = "mapping: lines-to-parcel\nfrom: shop/lines@1\nto: post/parcel@1\nrules:\n  who: '$[0].person'\n  sum: '$[0].amount'\n";

/// Adapter with one operation per way of resolving a lost answer.
const ADAPTER: &str = r#"adapter: post
limits: {concurrency: 4, timeout: 1s}
retry: {first: 1ms, max: 5ms, max-attempts: 6, max-age: 24h}
breaker: {failures: 0, open-for: 1s}
operations:
  place:
    interaction: request-reply
    unknown: resend
    request: REQUEST
    response: RESPONSE
    outcomes: OUTCOMES
  manual:
    interaction: request-reply
    unknown: person
    request: REQUEST
    response: RESPONSE
    outcomes: OUTCOMES
  asked:
    interaction: request-reply
    unknown: ask
    request: REQUEST
    response: RESPONSE
    outcomes: OUTCOMES
    ask:
      settle-after: 1ms
      request: {method: GET, path: "/ask/{idempotency-key}", format: none}
      response: RESPONSE
      outcomes:
        - {status: [200], when: 'result == "known"', then: applied}
        - {status: [404], when: 'result == "unknown"', then: not-applied}
  slow:
    interaction: request-reply
    unknown: ask
    request: REQUEST
    response: RESPONSE
    outcomes: OUTCOMES
    ask:
      settle-after: 1h
      request: {method: GET, path: "/ask/{idempotency-key}", format: none}
      response: RESPONSE
      outcomes:
        - {status: [200], when: 'result == "known"', then: applied}
        - {status: [404], when: 'result == "unknown"', then: not-applied}
  batched:
    interaction: submit-poll
    unknown: resend
    request: REQUEST
    batch: {max-items: 10, max-wait: 5ms}
    response: RESPONSE
    outcomes: OUTCOMES
    poll:
      every: 1ms
      request: {method: GET, path: "/result/{ticket}", format: none}
      response: RESPONSE
      outcomes:
        - {status: [200], when: 'result == "running"', then: pending}
        - {status: [200], when: present(results), then: ready}
        - {status: [404], when: present(code), then: not-applied}
      items: {path: results, key: n}
      item-outcomes:
        - {when: 'state == "done"', then: applied}
        - {when: 'state == "bad"', then: refused, detail: code}
  sheet:
    interaction: request-reply
    unknown: resend
    request: REQUEST
    batch: {max-items: 64, max-wait: 5ms}
    response: RESPONSE
    outcomes:
      - {status: [200], when: present(results), then: ready}
      - {status: [400], when: present(code), then: refused, detail: code}
      - {status: [503], then: retry}
    items: {path: results, key: n}
    item-outcomes:
      - {when: 'state == "done"', then: applied}
      - {when: 'state == "busy"', then: retry}
      - {when: 'state == "bad"', then: refused, detail: code}
  drawer:
    interaction: pull
    every: 1h
    list:
      request: {method: GET, path: /drawer, format: none}
      response: RESPONSE
      outcomes:
        - {status: [200], when: present(results), then: applied}
      items: results
      id: state
    request: {method: GET, path: "/drawer/{id}", format: none}
    response: {format: csv, schema: shop/lines@1}
    outcomes:
      - {status: [200], when: count($) > 0, then: applied}
    type: order.fetched
routes:
  fetched: {on: order.fetched, operation: place, mapping: lines-to-parcel, record: {kind: 送付}}
  placing: {on: order.placed, operation: place, mapping: order-to-parcel, ordering-key: person, subject: person, record: {kind: 送付}, reply: {type: order.answered, mapping: answer-to-reply}}
  by-hand: {on: order.manual, operation: manual, mapping: order-to-parcel, ordering-key: person, record: {kind: 送付}}
  asking: {on: order.asked, operation: asked, mapping: order-to-parcel, ordering-key: person, record: {kind: 送付}}
  slowly: {on: order.slow, operation: slow, mapping: order-to-parcel, ordering-key: person, record: {kind: 送付}}
  sheets: {on: order.sheet, operation: sheet, mapping: order-to-parcel, ordering-key: person, record: {kind: 送付}}
  batching: {on: order.batched, operation: batched, mapping: order-to-parcel, ordering-key: person, record: {kind: 送付}}
"#;

/// The parts that operations share: YAML anchors are not part of the language.
const SHARED: [(&str, &str); 3] = [
    (
        "REQUEST",
        "{method: POST, path: /place, format: json, schema: post/parcel@1, idempotency-header: Idempotency-Key}",
    ),
    ("RESPONSE", "{format: json, schema: post/answer@1}"),
    (
        "OUTCOMES",
        r#"
      - {status: [200], when: 'result == "ok"', then: applied}
      - {status: [200], when: 'result == "busy"', then: retry}
      - {status: [400], when: present(code), then: refused, detail: code}
      - {status: [503], then: retry}
      - {status: [202], when: present(ticket), then: accepted, ticket: ticket}"#,
    ),
];

/// A pipeline under test.
pub struct Harness {
    /// The shared context.
    pub cx: Arc<Context>,
    /// The scripted counterpart.
    pub target: Arc<FakeTarget>,
    folder: PathBuf,
}

impl Harness {
    /// A pipeline with an empty store and every route on; nothing runs yet.
    pub fn new() -> Harness {
        Harness::with(&Enabled::All)
    }

    /// The same with texts of the definitions replaced, and a clock that the test moves.
    pub fn changed(changes: &[(&str, &str)], now: &str) -> (Harness, Arc<SetClock>) {
        let clock = Arc::new(SetClock::new(now));
        let made = Arc::new(bundle(&Enabled::All, changes));
        let (folder, target) = (fresh_folder(), Arc::new(FakeTarget::new()));
        let cx = context_of(&folder, &target, made, clock.clone());
        (Harness { cx, target, folder }, clock)
    }

    /// The same with texts of the definitions replaced.
    pub fn tuned(changes: &[(&str, &str)]) -> Harness {
        let made = Arc::new(bundle(&Enabled::All, changes));
        let (folder, target) = (fresh_folder(), Arc::new(FakeTarget::new()));
        let cx = context_of(&folder, &target, made, Arc::new(SystemClock));
        Harness { cx, target, folder }
    }

    /// The same with only these routes on.
    pub fn with(enabled: &Enabled) -> Harness {
        let folder = fresh_folder();
        let target = Arc::new(FakeTarget::new());
        let cx = context(&folder, &target, enabled);
        Harness { cx, target, folder }
    }

    /// The same store after the process ended and started again, with a new script and every
    /// route on.
    pub async fn restart(mut self) -> Harness {
        self.cx.store.close().await.unwrap();
        let folder = std::mem::take(&mut self.folder);
        drop(self);
        let target = Arc::new(FakeTarget::new());
        let cx = context(&folder, &target, &Enabled::All);
        Harness { cx, target, folder }
    }

    /// The same store after the process ended and started again, with changed definitions and the
    /// clock of the test.
    pub async fn restart_changed(mut self, changes: &[(&str, &str)]) -> Harness {
        self.cx.store.close().await.unwrap();
        let folder = std::mem::take(&mut self.folder);
        let (target, clock) = (Arc::clone(&self.target), Arc::clone(&self.cx.clock));
        drop(self);
        let cx = context_of(&folder, &target, Arc::new(bundle(&Enabled::All, changes)), clock);
        Harness { cx, target, folder }
    }

    /// A backup of the store as it is now.
    pub fn backup(&self, name: &str) -> PathBuf {
        let file = self.folder.join(name);
        let now = self.cx.clock.now();
        backup::backup(&self.folder.join("test.db"), &self.cx.keys, &file, 0, now).unwrap();
        file
    }

    /// The store is lost and a backup put in its place; the counterpart keeps what it has.
    pub async fn restore(mut self, backup: &std::path::Path, epoch: NewEpoch) -> Harness {
        self.cx.store.close().await.unwrap();
        let folder = std::mem::take(&mut self.folder);
        let (target, keys) = (Arc::clone(&self.target), Arc::clone(&self.cx.keys));
        drop(self);
        let lost = folder.join("test.db");
        for path in ["test.db", "test.db-wal", "test.db-shm"] {
            let _gone = std::fs::remove_file(folder.join(path));
        }
        backup::restore(backup, &lost, keys, epoch).await.unwrap();
        let cx = context(&folder, &target, &Enabled::All);
        Harness { cx, target, folder }
    }

    /// The first exchange that is due at an operation.
    pub async fn claim(&self, operation: &str) -> Claimed {
        let claim = Claim {
            counterpart: "post".to_owned(),
            operation: operation.to_owned(),
            states: vec![State::Received],
            now: self.cx.clock.now(),
            limit: 1,
            exclude: HashSet::new(),
        };
        self.cx.store.claim(claim).await.unwrap().remove(0)
    }

    /// Posts one message.
    pub async fn post(&self, message_type: &str, id: &str, body: &str) -> Accepted {
        accept(&arrival(message_type, id, body), &self.cx).await.unwrap()
    }

    /// Runs the workers until every exchange is final or waits for a person.
    pub async fn settle(&self) {
        self.run_until(|exchanges| exchanges.iter().all(is_at_rest)).await;
    }

    /// Runs the workers until the exchanges satisfy `done`, then stops them.
    pub async fn run_until(&self, done: impl Fn(&[ExchangeView]) -> bool) {
        let (stop, stopped) = watch::channel(false);
        let counterpart = self.cx.counterpart("post").unwrap();
        let workers: Vec<_> = counterpart
            .adapter
            .operations
            .values()
            .map(|operation| {
                let work = Work::Operation(Arc::clone(operation));
                tokio::spawn(worker::run(
                    work,
                    Arc::clone(&counterpart),
                    Arc::clone(&self.cx),
                    stopped.clone(),
                ))
            })
            .collect();
        let waiting = async {
            let mut every = tokio::time::interval(Duration::from_millis(2));
            loop {
                every.tick().await;
                if done(&self.exchanges().await) {
                    break;
                }
            }
        };
        let reached = tokio::time::timeout(PATIENCE, waiting).await;
        stop.send_replace(true);
        for worker in workers {
            worker.await.unwrap();
        }
        assert!(reached.is_ok(), "not reached: {:?}", self.exchanges().await);
    }

    /// All exchanges.
    pub async fn exchanges(&self) -> Vec<ExchangeView> {
        self.cx.store.list(Filter { limit: 1_000, ..Filter::default() }).await.unwrap()
    }

    /// The exchange of one message.
    pub async fn exchange(&self, id: &str) -> ExchangeView {
        let filter = Filter { message_id: Some(id.to_owned()), ..Filter::default() };
        self.cx.store.list(filter).await.unwrap().remove(0)
    }

    /// Phase and outcome of every record entry, in order.
    pub async fn record(&self) -> Vec<String> {
        let rows: Vec<RecordRow> = self.cx.store.record(0, 1_000).await.unwrap();
        let word = |row: &RecordRow| {
            let entry: Value = serde_json::from_str(&row.entry).unwrap();
            let text = |name: &str| entry[name].as_str().unwrap_or("").to_owned();
            format!("{} {}", text("phase"), text("outcome")).trim().to_owned()
        };
        rows.iter().map(word).collect()
    }

    /// The `Idempotency-Key` of every request so far.
    pub fn keys_sent(&self) -> Vec<String> {
        let key = |request: crate::transport::Request| {
            request
                .headers
                .into_iter()
                .find(|(name, _)| name == "Idempotency-Key")
                .map(|(_, key)| key)
        };
        self.target.requests().into_iter().filter_map(key).collect()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        if self.folder.as_os_str().is_empty() {
            return;
        }
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

/// Wall time as a test sets it, and what a clock that is never set says: it passes with the other.
pub struct SetClock(std::sync::Mutex<Timestamp>, std::sync::Mutex<Duration>);

impl SetClock {
    /// It is this time in Japan.
    pub fn new(now: &str) -> SetClock {
        SetClock(std::sync::Mutex::new(japan_time(now).unwrap()), std::sync::Mutex::default())
    }

    /// It is this time in Japan now.
    pub fn set(&self, now: &str) {
        let until = japan_time(now).unwrap();
        let passes = Duration::try_from(until.duration_since(self.now())).unwrap_or_default();
        *self.0.lock().unwrap() = until;
        *self.1.lock().unwrap() += passes;
    }

    /// Time passes.
    pub fn pass(&self, time: Duration) {
        *self.0.lock().unwrap() += time;
        *self.1.lock().unwrap() += time;
    }

    /// The clock is set; no time passes.
    pub fn jump(&self, by: jiff::SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        *self.1.lock().unwrap()
    }
}

fn fresh_folder() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("watashi-pipeline-{}-{number}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn context(folder: &std::path::Path, target: &Arc<FakeTarget>, enabled: &Enabled) -> Arc<Context> {
    context_of(folder, target, Arc::new(bundle(enabled, &[])), Arc::new(SystemClock))
}

fn context_of(
    folder: &std::path::Path,
    target: &Arc<FakeTarget>,
    bundle: Arc<Bundle>,
    clock: Arc<dyn Clock>,
) -> Arc<Context> {
    let masters = vec![("k1".to_owned(), Secret::new(vec![7; 32]))];
    let keys = Arc::new(Keys::from_masters("k1", masters).unwrap());
    let store =
        SqliteStore::open(&folder.join("test.db"), Arc::clone(&keys), Options::default()).unwrap();
    let adapter = Arc::clone(&bundle.adapters["post"]);
    let counterpart = Counterpart::new(adapter, target.clone());
    Arc::new(Context {
        definitions: Definitions::new(bundle),
        store,
        keys,
        clock,
        counterparts: Counterparts::new([counterpart]),
        settings: Settings {
            municipalities: vec!["131237".to_owned()],
            max_body: 100_000,
            max_backlog: 1_000,
            drain: Duration::from_secs(5),
        },
        outbox: tokio::sync::Notify::new(),
        accepting: Accepting::default(),
        sealing: Arc::default(),
        steady: crate::pipeline::steady::Steady::default(),
        files: Default::default(),
        scanner: None,
    })
}

/// Final, or unknown until a person decides.
pub fn is_at_rest(exchange: &ExchangeView) -> bool {
    matches!(exchange.state.as_str(), "delivered" | "dead" | "discarded")
        || (exchange.state == "unknown" && exchange.due.is_none())
}

/// A message as a broker delivers it.
pub fn arrival(message_type: &str, id: &str, body: &str) -> Arrival {
    Arrival {
        source: "shop".to_owned(),
        origin: Origin::Upstream,
        message_id: Some(id.to_owned()),
        message_type: Some(message_type.to_owned()),
        content_type: Some("application/json".to_owned()),
        correlation_id: None,
        reply_to: None,
        traceparent: None,
        operator: Some("clerk".to_owned()),
        municipality: None,
        body: Bytes::copy_from_slice(body.as_bytes()),
        cleared: None,
    }
}

/// The definitions of the tests, with texts in them replaced.
pub fn bundle(enabled: &Enabled, changes: &[(&str, &str)]) -> Bundle {
    let adapter =
        SHARED.iter().fold(ADAPTER.to_owned(), |text, (name, value)| text.replace(name, value));
    let files = [
        ("schemas/shop/order/1.schema.json", SOURCE),
        ("schemas/shop/lines/1.schema.json", LINES),
        ("schemas/shop/reply/1.schema.json", REPLY),
        ("schemas/post/parcel/1.schema.json", TARGET),
        ("schemas/post/answer/1.schema.json", ANSWER),
        ("mappings/order-to-parcel/mapping.yaml", MAPPING),
        ("mappings/answer-to-reply/mapping.yaml", REPLY_MAPPING),
        ("mappings/lines-to-parcel/mapping.yaml", LINES_MAPPING),
        ("adapters/post/adapter.yaml", &adapter),
    ];
    let changed = |text: &str| {
        changes.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let files: Vec<Arc<SourceFile>> =
        files.map(|(path, text)| SourceFile::new(path, changed(text))).into();
    let mut problems = Vec::new();
    let bundle = Bundle::build(&files, enabled, &BTreeMap::new(), &mut problems);
    bundle.unwrap_or_else(|| panic!("{}", render::text(&problems)))
}
