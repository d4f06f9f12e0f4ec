//! A gateway with nothing but files, for tests: real definitions, real SQLite, a place in memory
//! that outlives every crash.

use super::read::Clerk;
use super::write::Desk;
use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::diagnostic::{SourceFile, render};
use crate::model::{Clock, Secret};
use crate::pipeline::accept::accept;
use crate::pipeline::context::Accepting;
use crate::pipeline::testing::{SetClock, arrival};
use crate::pipeline::{Context, Counterpart, Counterparts, Definitions, Settings};
use crate::store::keys::Keys;
use crate::store::sqlite::{Options, SqliteStore};
use crate::store::{ExchangeView, Filter};
use crate::transport::fake::FakeTarget;
use crate::transport::place::Place;
use crate::transport::place::memory::Memory;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const ORDER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "order",
  "x-message-types": ["order.placed"], "type": "object", "additionalProperties": false,
  "required": ["person", "amount"],
  "properties": {"person": {"type": "string", "minLength": 1, "maxLength": 20}, "amount": {"type": "integer", "maximum": 1000}}
}"#;

const ROW: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "row",
  "type": "object", "additionalProperties": false, "required": ["who", "sum"],
  "properties": {"who": {"type": "string", "minLength": 1, "maxLength": 20}, "sum": {"type": "integer", "maximum": 1000}}
}"#;

const ROWS: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "rows",
  "type": "array", "x-csv": {"charset": "cp932", "header": true},
  "items": {"$ref": "../row/1.schema.json"}
}"#;

const RESULT: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "result",
  "type": "object", "additionalProperties": false, "required": ["record", "state"],
  "properties": {"record": {"type": "integer"}, "state": {"type": "string", "maxLength": 10}}
}"#;

const RESULTS: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "results",
  "type": "array", "x-csv": {"header": true}, "items": {"$ref": "../result/1.schema.json"}
}"#;

const TOTAL: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "total",
  "type": "object", "additionalProperties": false, "required": ["set", "count"],
  "properties": {"set": {"type": "integer"}, "count": {"type": "integer"}}
}"#;

const MAPPINGS: [(&str, &str); 3] = [
    (
        "mappings/order-to-row/mapping.yaml",
        "mapping: order-to-row\nfrom: shop/order@1\nto: desk/row@1\nrules: {who: person, sum: amount}\n",
    ),
    (
        "mappings/row-to-order/mapping.yaml",
        "mapping: row-to-order\nfrom: desk/row@1\nto: shop/order@1\nrules: {person: who, amount: sum}\n",
    ),
    (
        "mappings/file-to-total/mapping.yaml",
        "mapping: file-to-total\nfrom: watashi/file@1\nto: desk/total@1\nrules: {set: set, count: total}\n",
    ),
];

/// One operation that writes, one that reads what it wrote, one for results.
pub const ADAPTER: &str = r#"adapter: desk
retry: {first: 1s, max: 10s, max-age: 24h}
operations:
  put:
    interaction: file-out
    place: tray
    files:
      folder: out
      name: "ROWS_{date}_{set:4}_{part:2}.csv"
      format: csv
      schema: desk/rows@1
      record: desk/row@1
      split: 2
      companions:
        - {name: "TOTAL_{set:4}.json", format: json, schema: desk/total@1, mapping: file-to-total}
      manifest: "ROWS_{set:4}.manifest"
      marker: "ROWS_{set:4}.end"
    gather: {max-items: 100, max-wait: 5m}
  take:
    interaction: file-in
    place: tray
    every: 1m
    files:
      folder: in
      name: "ROWS_{date}_{set:4}_{part:2}.csv"
      format: csv
      schema: desk/rows@1
      record: desk/row@1
      whole: {manifest: "ROWS_{set:4}.manifest"}
    expect: {by: "06:00", min-percent: 50}
    type: order.taken
routes:
  out: {on: order.placed, operation: put, mapping: order-to-row, ordering-key: person, record: {kind: 送付}}
  in: {on: order.taken, publish: order.came, mapping: row-to-order, record: {kind: 受領}}
"#;

/// Results by file: what `put` waits for, and who reads it.
pub const WITH_RESULTS: [(&str, &str); 2] = [
    (
        "    gather: {max-items: 100, max-wait: 5m}\n",
        "    gather: {max-items: 100, max-wait: 5m}\n    results: hear\n",
    ),
    (
        "routes:\n",
        r#"  hear:
    interaction: file-in
    place: tray
    files:
      folder: results
      name: "RESULT_{set:4}.csv"
      format: csv
      schema: desk/results@1
      record: desk/result@1
      whole: {marker: "RESULT_{set:4}.end"}
    settles:
      operation: put
      item: record
      item-outcomes:
        - {when: 'state == "ok"', then: applied}
        - {when: 'state == "bad"', then: refused}
routes:
"#,
    ),
];

/// The definitions, with texts replaced.
pub fn bundle(changes: &[(&str, &str)]) -> Result<Bundle, String> {
    let file = include_str!("../../../schemas/watashi/file/1.schema.json");
    let mut files = vec![
        ("schemas/watashi/file/1.schema.json", file),
        ("schemas/shop/order/1.schema.json", ORDER),
        ("schemas/desk/row/1.schema.json", ROW),
        ("schemas/desk/rows/1.schema.json", ROWS),
        ("schemas/desk/result/1.schema.json", RESULT),
        ("schemas/desk/results/1.schema.json", RESULTS),
        ("schemas/desk/total/1.schema.json", TOTAL),
        ("adapters/desk/adapter.yaml", ADAPTER),
    ];
    files.extend(MAPPINGS);
    let changed = |text: &str| {
        changes.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    };
    let files: Vec<Arc<SourceFile>> =
        files.into_iter().map(|(path, text)| SourceFile::new(path, changed(text))).collect();
    let mut problems = Vec::new();
    let bundle = Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems);
    bundle.ok_or_else(|| render::text(&problems))
}

/// A gateway that can be killed, and the place that stays.
pub struct World {
    pub cx: Arc<Context>,
    pub place: Memory,
    pub clock: Arc<SetClock>,
    folder: PathBuf,
}

impl World {
    /// An empty store and an empty place.
    pub fn new(changes: &[(&str, &str)]) -> World {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("watashi-files-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let clock = Arc::new(SetClock::new("2026-12-01T18:00"));
        let place = Memory::default();
        let bundle = bundle(changes).unwrap_or_else(|problems| panic!("{problems}"));
        let cx = context(&folder, &place, clock.clone(), Arc::new(bundle));
        World { cx, place, clock, folder }
    }

    /// The process ended, wherever it was, and starts again.
    pub async fn restart(&mut self) {
        self.start(self.cx.bundle()).await;
    }

    /// The same, by other definitions.
    pub async fn restart_changed(&mut self, changes: &[(&str, &str)]) {
        let bundle = bundle(changes).unwrap_or_else(|problems| panic!("{problems}"));
        self.start(Arc::new(bundle)).await;
    }

    async fn start(&mut self, bundle: Arc<Bundle>) {
        self.cx.store.close().await.unwrap();
        // The old store is dropped with its context before the new one takes the file.
        let nothing = context(
            &self.folder.join("none"),
            &self.place,
            self.clock.clone(),
            Arc::clone(&bundle),
        );
        self.cx = nothing;
        self.cx = context(&self.folder, &self.place, self.clock.clone(), bundle);
    }

    /// Posts messages of these persons.
    pub async fn post(&self, persons: impl IntoIterator<Item = usize>) {
        for person in persons {
            self.post_as(person, &format!("p{person}")).await;
        }
    }

    /// Posts the message of a person under another name.
    pub async fn post_as(&self, person: usize, name: &str) {
        let body = format!(r#"{{"person": "{name}", "amount": {person}}}"#);
        accept(&arrival("order.placed", &format!("m{person}"), &body), &self.cx).await.unwrap();
    }

    pub fn desk(&self) -> Desk {
        let adapter = &self.cx.bundle().adapters["desk"];
        Desk::new("desk".to_owned(), Arc::clone(&adapter.operations["put"]), Arc::clone(&self.cx))
    }

    pub fn clerk(&self, operation: &str) -> Clerk {
        let adapter = &self.cx.bundle().adapters["desk"];
        Clerk::new(
            Arc::clone(&adapter.operations[operation]),
            "desk".to_owned(),
            Arc::clone(&self.cx),
        )
    }

    /// Looks again and again, with time passing in between.
    pub async fn write(&self, passes: usize) {
        let mut desk = self.desk();
        for _ in 0..passes {
            desk.pass().await;
            self.clock.pass(Duration::from_secs(60));
        }
    }

    pub async fn exchanges(&self) -> Vec<ExchangeView> {
        self.cx.store.list(Filter { limit: 1_000, ..Filter::default() }).await.unwrap()
    }

    /// The states of all exchanges, each once.
    pub async fn states(&self) -> Vec<String> {
        let mut states: Vec<String> =
            self.exchanges().await.into_iter().map(|one| one.state).collect();
        states.sort();
        states.dedup();
        states
    }

    /// Persons in the files of records that are at the place, in no order.
    pub fn persons(&self) -> Vec<usize> {
        let files = self.place.files();
        let records =
            files.iter().filter(|(path, _)| path.starts_with("out/ROWS") && path.ends_with(".csv"));
        let mut found: Vec<usize> = records.flat_map(|(_, content)| persons_of(content)).collect();
        found.sort_unstable();
        found
    }

    /// The codes of the notes.
    pub fn notes(&self) -> Vec<&'static str> {
        self.cx.files.all().into_iter().map(|(_, code, _)| code.code).collect()
    }
}

/// The persons of one file.
pub fn persons_of(content: &[u8]) -> Vec<usize> {
    let text = String::from_utf8(content.to_vec()).unwrap();
    let rows = text.lines().skip(1);
    rows.map(|row| row.split_once(',').unwrap().1.parse().unwrap()).collect()
}

impl Drop for World {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

fn context(
    folder: &std::path::Path,
    place: &Memory,
    clock: Arc<dyn Clock>,
    bundle: Arc<Bundle>,
) -> Arc<Context> {
    std::fs::create_dir_all(folder).unwrap();
    let masters = vec![("k1".to_owned(), Secret::new(vec![7; 32]))];
    let keys = Arc::new(Keys::from_masters("k1", masters).unwrap());
    let store =
        SqliteStore::open(&folder.join("test.db"), Arc::clone(&keys), Options::default()).unwrap();
    let place: Arc<dyn Place> = Arc::new(place.clone());
    let adapter = Arc::clone(&bundle.adapters["desk"]);
    let counterpart = Counterpart::new(adapter, Arc::new(FakeTarget::new()))
        .with_files(BTreeMap::from([("tray".to_owned(), place)]));
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
