//! What one record costs: decode strictly, validate, map, validate, encode; against the floor of
//! parsing the same document to a `serde_json::Value` and writing it again.
//!
//! Floor and ways alternate within one run, so that their ratio means something on a machine that
//! others use, too; instructions (where valgrind is there) do not depend on the others at all.
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
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use watashi::adapter::bundle::Enabled;
use watashi::adapter::{Bundle, Destination};
use watashi::codec::{self, Codec, Format, Limits};
use watashi::config::definitions;
use watashi::diagnostic::render;
use watashi::mapping::{Mapping, Meta};
use watashi::model::json::{Elements, Tree, write};

/// The allocator of the gateway.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The routes measured: the repository's for this record, and that of the end-to-end benchmark.
const REPOSITORY_ROUTES: [&str; 2] = ["vaccination-record-to-pmh", "vaccination-record-to-copy"];
const BENCH_ROUTE: &str = "record-to-sink";
/// The mapping measured from CSV.
const BENCH_ROWS: &str = "rows-to-sink";

/// Time per record of the mapping stations against a floor.
#[derive(Parser)]
struct Arguments {
    /// Alternating rounds.
    #[arg(long, default_value_t = 31)]
    rounds: usize,
    /// Records per round and way.
    #[arg(long, default_value_t = 1_000)]
    records: usize,
    /// Rows of CSV carried through in one go; 0 for none.
    #[arg(long, default_value_t = 1_000_000)]
    rows: usize,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Runs one way alone, or `floor` and the name of one: for a profiler.
    #[arg(long, num_args = 1..=2)]
    only: Vec<String>,
    /// Only carries the rows through.
    #[arg(long)]
    bulk: bool,
    /// Only writes the records to this file, one a line: for other programs to compare with.
    #[arg(long)]
    records_file: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let arguments = Arguments::parse();
    if let Some(file) = &arguments.records_file {
        let lines: Vec<Vec<u8>> = (0..256).map(common::record).collect();
        std::fs::write(file, lines.join(&b'\n')).expect("a file to write to");
        return;
    }
    let ways = Way::all();
    if arguments.bulk {
        println!("{}", bulk(&ways[ways.len() - 1], arguments.rows));
        return;
    }
    if let [first, more @ ..] = arguments.only.as_slice() {
        let name = more.first().unwrap_or(first);
        let way = ways.iter().find(|way| way.name == *name).expect("a way of that name");
        for index in 0..arguments.rounds * arguments.records {
            black_box(if more.is_empty() { way.whole(index) } else { way.floor(index) });
        }
        return;
    }
    ways.iter().for_each(Way::check);
    let measured = measure(&ways, &arguments);
    let report = report(&ways, &measured, &arguments);
    if arguments.json { println!("{report}") } else { print(&report) }
}

fn bundle(folder: &Path) -> Bundle {
    let mut problems = Vec::new();
    let files = definitions::read(folder, &mut problems);
    let bundle = Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems);
    bundle.unwrap_or_else(|| panic!("{}\n{}", folder.display(), render::text(&problems)))
}

/// One mapping with the codecs around it, and what goes in.
struct Way {
    name: String,
    mapping: Arc<Mapping>,
    /// JSON of no known schema when there is none, as the gateway reads what it is sent.
    input: Option<Codec>,
    output: Codec,
    bodies: Vec<Vec<u8>>,
    /// The same documents as JSON.
    documents: Vec<Vec<u8>>,
    meta: Meta,
    limits: Limits,
}

/// The parts of a way, in order.
const PARTS: [&str; 5] = ["decode", "validate source", "map", "validate target", "encode"];

impl Way {
    fn all() -> Vec<Way> {
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mapping");
        let _ = std::fs::remove_dir_all(&scratch);
        let repository = bundle(common::root());
        let own = bundle(&common::lay_out(&scratch));
        let routes = REPOSITORY_ROUTES.map(|name| (&repository, name));
        let routes = routes.into_iter().chain([(&own, BENCH_ROUTE)]);
        let mut ways: Vec<Way> = routes.map(|(bundle, name)| Way::of_route(bundle, name)).collect();
        ways.push(Way::of_rows(&own));
        ways
    }

    /// What a route does with a record in JSON.
    fn of_route(bundle: &Bundle, name: &str) -> Way {
        let route = bundle.route(name).expect("a route of that name");
        let Destination::Operation(operation) = &route.destination else {
            panic!("{name} does not send")
        };
        let format = operation.step.request.body.as_ref().expect("a body").codec.format();
        let output = codec(format, &route.mapping.to);
        Way::new(name, &route.mapping, None, output, (0..256).map(common::record).collect())
    }

    /// A line of CSV to JSON.
    fn of_rows(bundle: &Bundle) -> Way {
        let mapping = &bundle.mappings[BENCH_ROWS];
        let input = codec(Format::Csv, &mapping.from);
        let output = codec(Format::Json, &mapping.to);
        Way::new(BENCH_ROWS, mapping, Some(input), output, (0..256).map(common::row).collect())
    }

    fn new(
        name: &str,
        mapping: &Arc<Mapping>,
        input: Option<Codec>,
        output: Codec,
        bodies: Vec<Vec<u8>>,
    ) -> Way {
        let meta = Meta {
            message_id: "BENCH-1".into(),
            message_type: common::MESSAGE_TYPE.into(),
            source: "kenko".into(),
            municipality: Some(common::MUNICIPALITY.into()),
            operator: Some("operator-1".into()),
            accepted_at: "2026-06-01T00:00:00Z".parse().unwrap(),
            idempotency_key: "k0123456789abcdef0123456789abcdef".into(),
            correlation_id: None,
            ticket: None,
            request: None,
        };
        let (limits, mapping) = (Limits::default(), Arc::clone(mapping));
        let (name, documents) = (name.to_owned(), Vec::new());
        let mut way = Way { name, mapping, input, output, bodies, documents, meta, limits };
        let json = |index| serde_json::to_vec(&way.read(index).into_value()).unwrap();
        way.documents = (0..way.bodies.len()).map(json).collect();
        way
    }

    fn read(&self, index: usize) -> Tree<'_> {
        let body = &self.bodies[index % self.bodies.len()];
        match &self.input {
            Some(codec) => codec.read(body, &self.limits),
            None => codec::json::read_strict(body, &self.limits),
        }
        .expect("a document")
    }

    #[inline(never)]
    fn whole(&self, index: usize) -> Vec<u8> {
        let source = self.read(index);
        self.mapping.from.validate(&source).expect("a valid source");
        let target = self.mapping.map(&source, &self.meta).expect("a target");
        self.mapping.to.validate(&target).expect("a valid target");
        self.output.encode(&target).expect("bytes")
    }

    #[inline(never)]
    fn floor(&self, index: usize) -> Vec<u8> {
        let document = &self.documents[index % self.documents.len()];
        let document: Value = serde_json::from_slice(document).unwrap();
        serde_json::to_vec(&document).unwrap()
    }

    /// Nobody wants to know how fast a way is that leaves things out.
    fn check(&self) {
        let bytes = self.whole(0);
        let target = self.output.decode(&bytes, &self.limits).expect("what was written");
        assert!(bytes.len() > 300, "{}: only {} bytes", self.name, bytes.len());
        self.mapping.to.validate(&target).expect("valid again");
    }

    /// Microseconds per record of each part.
    fn parts(&self, records: usize) -> [f64; PARTS.len()] {
        let mapping = &self.mapping;
        let sources: Vec<Tree> = (0..self.bodies.len()).map(|index| self.read(index)).collect();
        let map = |source| mapping.map(source, &self.meta).expect("a target");
        let targets: Vec<Tree> = sources.iter().map(map).collect();
        let at = |index: usize| index % self.bodies.len();
        [
            time(records, |index| self.read(index)),
            time(records, |index| mapping.from.validate(&sources[at(index)])),
            time(records, |index| mapping.map(&sources[at(index)], &self.meta)),
            time(records, |index| mapping.to.validate(&targets[at(index)])),
            time(records, |index| self.output.encode(&targets[at(index)])),
        ]
    }

    /// Instructions per record of the whole way and of its floor; `None` without valgrind.
    fn instructions(&self) -> Option<(f64, f64)> {
        let way = count("whole", &[&self.name])?;
        Some((way, count("floor", &["floor", &self.name])?))
    }
}

fn codec(format: Format, schema: &watashi::schema::Schema) -> Codec {
    Codec::compile(format, schema, &mut Vec::new()).expect("a codec")
}

/// Microseconds per call.
fn time<T>(calls: usize, mut call: impl FnMut(usize) -> T) -> f64 {
    let start = Instant::now();
    for index in 0..calls {
        black_box(call(index));
    }
    start.elapsed().as_secs_f64() * 1e6 / calls as f64
}

/// Instructions per call of one of the two functions, counted by valgrind.
fn count(function: &str, only: &[&str]) -> Option<f64> {
    const CALLS: usize = 256;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect=*Way::{function}"))
        .arg(std::env::current_exe().ok()?)
        .args(["--bench", "--rounds", "1", "--records", &CALLS.to_string(), "--only"])
        .args(only)
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let collected = text.lines().find_map(|line| line.split_once("Collected : "))?.1;
    let collected: f64 = collected.trim().parse().ok()?;
    Some(collected / CALLS as f64)
}

/// Figures of all rounds.
struct Measured {
    floor: Vec<Vec<f64>>,
    whole: Vec<Vec<f64>>,
    parts: Vec<Vec<[f64; PARTS.len()]>>,
}

fn measure(ways: &[Way], arguments: &Arguments) -> Measured {
    let mut measured = Measured {
        floor: vec![Vec::new(); ways.len()],
        whole: vec![Vec::new(); ways.len()],
        parts: vec![Vec::new(); ways.len()],
    };
    // The first round warms caches and is not counted.
    for round in 0..=arguments.rounds {
        for (index, way) in ways.iter().enumerate() {
            let floor = time(arguments.records, |index| way.floor(index));
            let whole = time(arguments.records, |index| way.whole(index));
            let parts = way.parts(arguments.records);
            if round > 0 {
                measured.floor[index].push(floor);
                measured.whole[index].push(whole);
                measured.parts[index].push(parts);
            }
        }
    }
    measured
}

fn report(ways: &[Way], measured: &Measured, arguments: &Arguments) -> Value {
    let mut all = Vec::new();
    for (index, way) in ways.iter().enumerate() {
        let (floor, whole) = (median(&measured.floor[index]), median(&measured.whole[index]));
        let mut parts = serde_json::Map::new();
        for (part, name) in PARTS.iter().enumerate() {
            let times: Vec<f64> = measured.parts[index].iter().map(|parts| parts[part]).collect();
            parts.insert((*name).to_owned(), json!(median(&times)));
        }
        let instructions = way
            .instructions()
            .map(|(way, floor)| json!({"way": way, "floor": floor, "ratio": way / floor}));
        all.push(json!({
            "way": way.name,
            "bytes": way.bodies[0].len(),
            "floor_us": floor,
            "us": whole,
            "ratio": whole / floor,
            "parts": parts,
            "instructions": instructions,
        }));
    }
    let rows = (arguments.rows > 0).then(|| {
        // In a process of its own, so that its memory is its own.
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--bench", "--bulk", "--rows", &arguments.rows.to_string()])
            .output()
            .expect("this program");
        serde_json::from_slice::<Value>(&output.stdout).expect("figures")
    });
    json!({"rounds": arguments.rounds, "records": arguments.records, "ways": all, "bulk": rows})
}

/// Rows without end, in memory that does not grow.
struct Endless {
    lines: Vec<Vec<u8>>,
    left: usize,
    rest: Vec<u8>,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.rest.len() < buffer.len() && self.left > 0 {
            self.left -= 1;
            self.rest.extend_from_slice(&self.lines[self.left % self.lines.len()]);
        }
        let count = buffer.len().min(self.rest.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

/// Carries rows through as a file of any length: read, validated, mapped, validated and written
/// one by one.
fn bulk(way: &Way, rows: usize) -> Value {
    let start = Instant::now();
    let input = Endless { lines: way.bodies.clone(), left: rows, rest: Vec::new() };
    let codec = way.input.as_ref().expect("a table");
    let mut records = codec.records(input, &way.limits).expect("a table");
    let (mut done, mut bytes, mut out) = (0, 0, Vec::new());
    while let Some(record) = records.next_tree() {
        let source = Tree::Array(vec![record.expect("a record")]);
        way.mapping.from.validate(&source).expect("a valid record");
        let target = way.mapping.map(&source, &way.meta).expect("a target");
        way.mapping.to.validate(&target).expect("a valid target");
        for element in target.node().as_array().into_iter().flat_map(Elements::iter) {
            write(element, &mut out);
            out.push(b'\n');
        }
        done += 1;
        bytes += out.len();
        black_box(&out);
        out.clear();
    }
    assert_eq!(done, rows);
    let seconds = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|text| text.trim().trim_end_matches(" kB").parse::<f64>().ok());
    json!({
        "rows": done,
        "bytes_out": bytes,
        "rows_per_second": done as f64 / seconds,
        "peak_rss_mb": peak.map(|kilobytes| kilobytes / 1024.0),
    })
}

fn print(report: &Value) {
    println!(
        "one record, medians of {} alternating rounds of {} records, one core\n",
        report["rounds"], report["records"]
    );
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    println!("{:44} {:>8} {:>7} {:>14} {:>7}", "", "µs", "ratio", "instructions", "ratio");
    for way in report["ways"].as_array().into_iter().flatten() {
        let floor = number(&way["floor_us"]);
        let counted = &way["instructions"];
        let line = |name: &str, us: f64, instructions: f64| {
            let of_floor = instructions / number(&counted["floor"]);
            println!("{name:44} {us:8.2} {:7.2} {instructions:14.0} {of_floor:7.2}", us / floor);
        };
        line("floor: parse to Value and write", floor, number(&counted["floor"]));
        let name = format!("{} ({} bytes)", way["way"].as_str().unwrap_or_default(), way["bytes"]);
        line(&name, number(&way["us"]), number(&counted["way"]));
        for (part, cost) in way["parts"].as_object().into_iter().flatten() {
            let cost = number(cost);
            println!("    {part:40} {cost:8.2} {:7.2}", cost / floor);
        }
    }
    let bulk = &report["bulk"];
    if bulk.is_object() {
        println!(
            "\n{} rows of CSV to JSON: {:.0} rows/s, peak memory {:.0} MB",
            bulk["rows"],
            number(&bulk["rows_per_second"]),
            number(&bulk["peak_rss_mb"])
        );
    }
}
