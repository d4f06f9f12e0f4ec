//! What one record costs: decode strictly, validate, map, validate, encode; against the floor of
//! parsing the same bytes to a `serde_json::Value` and writing them again.
//!
//! Floor and ways alternate within one run, so that their ratio means something on a machine that
//! others use, too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program of its own: what does not work ends it"
)]

#[path = "common/mod.rs"]
mod common;

use clap::Parser;
use common::median;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;
use watashi::adapter::bundle::Enabled;
use watashi::adapter::{Bundle, Destination, Route};
use watashi::codec::{self, Codec, Limits};
use watashi::config::definitions;
use watashi::diagnostic::render;
use watashi::mapping::Meta;
use watashi::model::json::Tree;

/// The routes measured: the repository's for this record, and that of the end-to-end benchmark.
const REPOSITORY_ROUTES: [&str; 2] = ["vaccination-record-to-pmh", "vaccination-record-to-copy"];
const BENCH_ROUTE: &str = "record-to-sink";

/// Time per record of the mapping stations against a floor.
#[derive(Parser)]
struct Arguments {
    /// Alternating rounds.
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Records per round and way.
    #[arg(long, default_value_t = 1_000)]
    records: usize,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Runs this route alone, without the floor: for a profiler.
    #[arg(long)]
    only: Option<String>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    let bodies: Vec<Vec<u8>> = (0..256).map(common::record).collect();
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mapping");
    let _ = std::fs::remove_dir_all(&scratch);
    let repository = bundle(common::root());
    let own = bundle(&common::lay_out(&scratch));
    let mut ways: Vec<Way> =
        REPOSITORY_ROUTES.iter().filter_map(|name| Way::new(&repository, name)).collect();
    ways.extend(Way::new(&own, BENCH_ROUTE));
    if let Some(only) = &arguments.only {
        let way = ways.iter().find(|way| way.name == *only).expect("a route of that name");
        for round in 0..arguments.rounds * arguments.records {
            black_box(way.whole(&bodies[round % bodies.len()]));
        }
        return;
    }
    for way in &ways {
        way.check(&bodies[0]);
    }
    let measured = measure(&ways, &bodies, &arguments);
    let report = report(&ways, &measured, bodies[0].len(), &arguments);
    if arguments.json { println!("{report}") } else { print(&report) }
}

fn bundle(folder: &Path) -> Bundle {
    let mut problems = Vec::new();
    let files = definitions::read(folder, &mut problems);
    let bundle = Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems);
    bundle.unwrap_or_else(|| panic!("{}\n{}", folder.display(), render::text(&problems)))
}

/// One route's stations.
struct Way {
    name: String,
    route: std::sync::Arc<Route>,
    meta: Meta,
    limits: Limits,
}

/// The parts of a way, in order.
const PARTS: [&str; 5] = ["decode", "validate source", "map", "validate target", "encode"];

impl Way {
    fn new(bundle: &Bundle, name: &str) -> Option<Way> {
        let route = bundle.route(name)?;
        let meta = Meta {
            message_id: "BENCH-1".to_owned(),
            message_type: common::MESSAGE_TYPE.to_owned(),
            source: "kenko".to_owned(),
            municipality: Some(common::MUNICIPALITY.to_owned()),
            operator: Some("operator-1".to_owned()),
            accepted_at: "2026-06-01T00:00:00Z".parse().unwrap(),
            idempotency_key: "k0123456789abcdef0123456789abcdef".to_owned(),
            correlation_id: None,
            ticket: None,
        };
        Some(Way { name: name.to_owned(), route, meta, limits: Limits::default() })
    }

    fn codec(&self) -> &Codec {
        let Destination::Operation(operation) = &self.route.destination else {
            panic!("{} does not send", self.name)
        };
        &operation.step.request.body.as_ref().expect("a body").codec
    }

    fn read<'b>(&self, body: &'b [u8]) -> Tree<'b> {
        codec::json::read_strict(body, &self.limits).expect("a document")
    }

    fn whole(&self, body: &[u8]) -> Vec<u8> {
        let mapping = &self.route.mapping;
        let source = self.read(body);
        mapping.from.validate(&source).expect("a valid source");
        let target = mapping.map(&source, &self.meta).expect("a target");
        mapping.to.validate(&target).expect("a valid target");
        self.codec().encode(&target).expect("bytes")
    }

    /// Nobody wants to know how fast a way is that leaves things out.
    fn check(&self, body: &[u8]) {
        let bytes = self.whole(body);
        let target = self.codec().decode(&bytes, &self.limits).expect("what was written");
        assert!(bytes.len() > 300, "{}: only {} bytes", self.name, bytes.len());
        self.route.mapping.to.validate(&target).expect("valid again");
    }

    /// Microseconds per record of each part.
    fn parts(&self, bodies: &[Vec<u8>], records: usize) -> [f64; PARTS.len()] {
        let mapping = &self.route.mapping;
        let sources: Vec<Tree> = bodies.iter().map(|body| self.read(body)).collect();
        let map = |source| mapping.map(source, &self.meta).expect("a target");
        let targets: Vec<Tree> = sources.iter().map(map).collect();
        let at = |index: usize| index % bodies.len();
        [
            time(records, |index| self.read(&bodies[at(index)])),
            time(records, |index| mapping.from.validate(&sources[at(index)])),
            time(records, |index| mapping.map(&sources[at(index)], &self.meta)),
            time(records, |index| mapping.to.validate(&targets[at(index)])),
            time(records, |index| self.codec().encode(&targets[at(index)])),
        ]
    }
}

fn floor(body: &[u8]) -> Vec<u8> {
    let document: Value = serde_json::from_slice(body).unwrap();
    serde_json::to_vec(&document).unwrap()
}

/// Microseconds per call.
fn time<T>(calls: usize, mut call: impl FnMut(usize) -> T) -> f64 {
    let start = Instant::now();
    for index in 0..calls {
        black_box(call(index));
    }
    start.elapsed().as_secs_f64() * 1e6 / calls as f64
}

/// Figures of all rounds.
struct Measured {
    floor: Vec<f64>,
    whole: Vec<Vec<f64>>,
    parts: Vec<Vec<[f64; PARTS.len()]>>,
}

fn measure(ways: &[Way], bodies: &[Vec<u8>], arguments: &Arguments) -> Measured {
    let mut measured = Measured {
        floor: Vec::new(),
        whole: vec![Vec::new(); ways.len()],
        parts: vec![Vec::new(); ways.len()],
    };
    // The first round warms caches and is not counted.
    for round in 0..=arguments.rounds {
        let floor = time(arguments.records, |index| floor(&bodies[index % bodies.len()]));
        let whole: Vec<f64> = ways
            .iter()
            .map(|way| time(arguments.records, |index| way.whole(&bodies[index % bodies.len()])))
            .collect();
        let parts: Vec<_> = ways.iter().map(|way| way.parts(bodies, arguments.records)).collect();
        if round == 0 {
            continue;
        }
        measured.floor.push(floor);
        for (index, (whole, parts)) in whole.into_iter().zip(parts).enumerate() {
            measured.whole[index].push(whole);
            measured.parts[index].push(parts);
        }
    }
    measured
}

fn report(ways: &[Way], measured: &Measured, bytes: usize, arguments: &Arguments) -> Value {
    let floor = median(&measured.floor);
    let routes: Vec<Value> = ways
        .iter()
        .enumerate()
        .map(|(index, way)| {
            let whole = median(&measured.whole[index]);
            let parts: serde_json::Map<String, Value> = PARTS
                .iter()
                .enumerate()
                .map(|(part, name)| {
                    let all: Vec<f64> =
                        measured.parts[index].iter().map(|parts| parts[part]).collect();
                    ((*name).to_owned(), json!(median(&all)))
                })
                .collect();
            json!({"route": way.name, "us": whole, "ratio": whole / floor, "parts": parts})
        })
        .collect();
    json!({
        "record_bytes": bytes,
        "rounds": arguments.rounds,
        "records": arguments.records,
        "floor_us": floor,
        "routes": routes,
    })
}

fn print(report: &Value) {
    println!(
        "one record of {} bytes, medians of {} alternating rounds of {} records, one core\n",
        report["record_bytes"], report["rounds"], report["records"]
    );
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    println!("{:44} {:>8} {:>7}", "", "µs", "ratio");
    println!(
        "{:44} {:8.2} {:7.2}",
        "floor: parse to Value and write",
        number(&report["floor_us"]),
        1.0
    );
    for route in report["routes"].as_array().into_iter().flatten() {
        let name = route["route"].as_str().unwrap_or_default();
        println!("{name:44} {:8.2} {:7.2}", number(&route["us"]), number(&route["ratio"]));
        for (part, cost) in route["parts"].as_object().into_iter().flatten() {
            let cost = number(cost);
            println!("    {part:40} {cost:8.2} {:7.2}", cost / number(&report["floor_us"]));
        }
    }
}
