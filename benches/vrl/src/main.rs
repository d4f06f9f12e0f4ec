//! The mapping `record-to-sink` (26 fields) in VRL: as one writes it, and tuned by hand. Reads the
//! records (one a line) that `benches/mapping.rs --records-file` wrote; prints one JSON object with
//! microseconds per record, beside the floor of `benches/mapping.rs`.
//!
//! Left out, because VRL has no such functions: the check digit of the 団体コード, kana and width.
//! What is left out makes VRL faster, not slower.

use std::hint::black_box;
use std::time::Instant;
use vrl::compiler::runtime::Runtime;
use vrl::compiler::{CompilationResult, Program, TargetValue, TimeZone};
use vrl::value::{KeyString, ObjectMap, Secrets, Value};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const WAYS: [(&str, &str); 2] =
    [("as one writes it", include_str!("plain.vrl")), ("tuned by hand", include_str!("tuned.vrl"))];
const ROUNDS: usize = 31;
const RECORDS: usize = 1_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().expect("usage: vrl-comparison RECORDS [ONLY COUNT]");
    let only = arguments.next();
    let count: usize = arguments.next().map_or(RECORDS, |count| count.parse().unwrap());
    let text = std::fs::read_to_string(file).unwrap();
    let bodies: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    let programs: Vec<Program> = WAYS.iter().map(|(_, source)| compile(source)).collect();
    for (program, (name, _)) in programs.iter().zip(WAYS) {
        let bytes = run(program, bodies[0]);
        let fields = leaves(&serde_json::from_slice(&bytes).unwrap());
        assert_eq!(fields, 26, "{name}: {}", String::from_utf8_lossy(&bytes));
    }
    if let Some(only) = only {
        for index in 0..count {
            let body = bodies[index % bodies.len()];
            match WAYS.iter().position(|(name, _)| *name == only) {
                Some(way) => black_box(run(&programs[way], body)),
                None => black_box(floor(body)),
            };
        }
        return;
    }
    let mut all = vec![Vec::new(); 1 + WAYS.len()];
    for round in 0..=ROUNDS {
        let mut times = vec![time(&bodies, floor)];
        times.extend(programs.iter().map(|program| time(&bodies, |body| run(program, body))));
        if round > 0 {
            all.iter_mut().zip(times).for_each(|(all, time)| all.push(time));
        }
    }
    let medians: Vec<f64> = all.iter_mut().map(|times| median(times)).collect();
    let mut report = serde_json::Map::new();
    report.insert("floor_us".to_owned(), medians[0].into());
    for ((name, _), median) in WAYS.iter().zip(&medians[1..]) {
        let way = serde_json::json!({"us": median, "ratio": median / medians[0]});
        report.insert((*name).to_owned(), way);
    }
    println!("{}", serde_json::Value::Object(report));
}

fn compile(source: &str) -> Program {
    match vrl::compiler::compile(source, &vrl::stdlib::all()) {
        Ok(CompilationResult { program, .. }) => program,
        Err(diagnostics) => {
            panic!("{}", vrl::diagnostic::Formatter::new(source, diagnostics))
        }
    }
}

/// Parse, map, serialise.
fn run(program: &Program, body: &[u8]) -> Vec<u8> {
    let value: Value = serde_json::from_slice(body).unwrap();
    let metadata = ObjectMap::from([
        (KeyString::from("acceptedDate"), Value::from("2026-06-01")),
        (KeyString::from("idempotencyKey"), Value::from("k0123456789abcdef0123456789abcdef")),
    ]);
    let mut target =
        TargetValue { value, metadata: Value::Object(metadata), secrets: Secrets::new() };
    let mut runtime = Runtime::default();
    runtime.resolve(&mut target, program, &TimeZone::default()).expect("a target");
    serde_json::to_vec(&target.value).unwrap()
}

fn floor(body: &[u8]) -> Vec<u8> {
    let document: serde_json::Value = serde_json::from_slice(body).unwrap();
    serde_json::to_vec(&document).unwrap()
}

fn time<T>(bodies: &[&[u8]], call: impl Fn(&[u8]) -> T) -> f64 {
    let start = Instant::now();
    for index in 0..RECORDS {
        black_box(call(bodies[index % bodies.len()]));
    }
    start.elapsed().as_secs_f64() * 1e6 / RECORDS as f64
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn leaves(document: &serde_json::Value) -> usize {
    match document {
        serde_json::Value::Object(members) => members.values().map(leaves).sum(),
        _ => 1,
    }
}
