//! The whole way: RabbitMQ, gateway, counterpart, all on this machine; against a bare pipe that
//! does nothing but carry the bytes.
//!
//! Both forwarders drain the same quorum queue into the same counterpart, over mutual TLS with
//! the same number of requests under way, in alternating rounds of one run: only their ratio
//! means anything on another machine. A message lost or sent twice fails the benchmark.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own: what does not work ends it"
)]

#[path = "../common/mod.rs"]
mod common;

#[allow(dead_code, reason = "shared with the live tests, which use more of it")]
#[path = "../../tests/live/services.rs"]
mod services;

#[allow(dead_code, reason = "shared with the live tests, which use more of it")]
#[path = "../../tests/live/database.rs"]
mod database;

mod bare;
mod batches;
mod gateway;
mod pki;
mod pmh;
mod process;
mod queue;
mod report;
mod sink;
mod sizing;
mod waiting;

use clap::{Parser, ValueEnum};
use report::{Round, Setup};
use services::Broker;
use sink::Sink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A forwarder that has not sent its first message by then does not work.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// A forwarder may be this slow per message before the round counts as hanging.
const PATIENCE_PER_MESSAGE: Duration = Duration::from_millis(20);

/// Messages per second, CPU and memory of the gateway against a bare pipe.
#[derive(Parser)]
struct Arguments {
    /// Messages per round.
    #[arg(long, default_value_t = 20_000)]
    messages: usize,
    /// Rounds of each forwarder.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Requests under way at once.
    #[arg(long, default_value_t = 64)]
    in_flight: usize,
    /// Unacknowledged deliveries the bare pipe takes ahead.
    #[arg(long, default_value_t = 256)]
    prefetch: u16,
    /// Measures one forwarder alone: for a profiler.
    #[arg(long)]
    only: Option<Kind>,
    /// Lets so many messages wait for a counterpart that cannot be reached, instead.
    #[arg(long)]
    waiting: Option<usize>,
    /// Compares SQLite with one, two and three instances over PostgreSQL, instead.
    #[arg(long)]
    sizing: bool,
    /// Sends so many doses to PMH in batches, and some one by one, instead.
    #[arg(long)]
    file: Option<usize>,
    /// Doses sent one by one beside a file.
    #[arg(long, default_value_t = 4_000)]
    singles: usize,
    /// Milliseconds until PMH answers.
    #[arg(long, default_value_t = 50)]
    answer_ms: u64,
    /// Another build of the program, measured in the same rounds; may be given several times.
    #[arg(long)]
    beside: Vec<PathBuf>,
    /// Keeps the gateway's folder, with store and log, and prints where it is.
    #[arg(long)]
    keep: bool,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What carries the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// lapin to reqwest, bytes only, one acknowledgement each after 2xx.
    Bare,
    /// `watashi run` with all its duties.
    Watashi,
    /// The same of another build, by its place on the command line.
    #[value(skip)]
    Beside(usize),
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let words: Vec<String> = std::env::args().skip(1).collect();
    // The benchmark starts itself again as its own helpers.
    match words.first().map(String::as_str) {
        Some(sink::ROLE) => runtime.block_on(sink::serve(&words[1..])),
        Some(pmh::ROLE) => runtime.block_on(pmh::serve(&words[1..])),
        Some(bare::ROLE) => runtime.block_on(bare::run(&words[1..])),
        _ => runtime.block_on(measure(&Arguments::parse())),
    }
}

async fn measure(arguments: &Arguments) {
    // On the disk of the build, not in a temporary folder that may be memory.
    let name = format!("crossing-{}", std::process::id());
    let scratch = Scratch {
        folder: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name),
        keep: arguments.keep,
    };
    let folder = scratch.folder.clone();
    std::fs::create_dir_all(&folder).unwrap();
    pki::issue(&folder);
    eprintln!("starting RabbitMQ");
    let broker = Broker::start().await;
    let url = broker.url();
    if let Some(messages) = arguments.waiting {
        return waiting::run(&folder, &url, messages, arguments.in_flight).await;
    }
    if let Some(doses) = arguments.file {
        let (singles, answer_ms) = (arguments.singles, arguments.answer_ms);
        let plan = batches::Plan { doses, singles, answer_ms };
        return batches::run(&folder, &url, &plan).await;
    }
    let mut sink = Sink::start(&folder).await;
    gateway::prepare(&folder, &url, sink.port, arguments.in_flight);
    gateway::apply_topology(&folder).await;
    if arguments.sizing {
        let Arguments { messages, rounds, in_flight, .. } = *arguments;
        let plan = sizing::Plan { messages, rounds, in_flight };
        return sizing::run(&folder, &url, &mut sink, &plan).await;
    }
    let setup = Setup {
        messages: arguments.messages,
        rounds: arguments.rounds,
        in_flight: arguments.in_flight,
        record_bytes: common::record(0).len(),
        fsync_us: fsync_microseconds(&folder),
    };
    let mut rounds = Vec::new();
    for number in 0..arguments.rounds {
        // Each goes first in every other round.
        let mut order = vec![Kind::Bare, Kind::Watashi];
        order.retain(|kind| arguments.only.is_none_or(|only| only == *kind));
        order.extend((0..arguments.beside.len()).map(Kind::Beside));
        if number % 2 == 1 {
            order.reverse();
        }
        for kind in order {
            let round = one_round(kind, rounds.len(), &folder, &url, &mut sink, arguments).await;
            eprintln!("{}", report::line(&round));
            rounds.push(round);
        }
    }
    if arguments.json {
        println!("{}", report::json(&setup, &rounds));
    } else {
        report::print(&setup, &rounds);
    }
}

/// Configuration, store and log of the gateway; kept on request and after a failure.
struct Scratch {
    folder: PathBuf,
    keep: bool,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.keep || std::thread::panicking() {
            eprintln!("kept: {}", self.folder.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Fills the queue, lets one forwarder drain it, and sees that every message came once.
async fn one_round(
    kind: Kind,
    number: usize,
    folder: &Path,
    url: &str,
    sink: &mut Sink,
    arguments: &Arguments,
) -> Round {
    let messages = arguments.messages;
    queue::fill(url, number * messages, messages).await;
    sink.expect(messages).await;
    let mut forwarder = match kind {
        Kind::Bare => bare::start(folder, url, sink.port, arguments.in_flight, arguments.prefetch),
        Kind::Watashi => gateway::start(folder, None),
        Kind::Beside(place) => {
            gateway::start(folder, arguments.beside.get(place).map(PathBuf::as_path))
        }
    };
    sink.first(START_PATIENCE, &mut forwarder).await;
    let cpu_before = forwarder.cpu_seconds();
    let patience = START_PATIENCE + PATIENCE_PER_MESSAGE * messages as u32;
    let seconds = sink.last(patience, &mut forwarder).await;
    // Outcomes still to be written, acknowledgements still to be sent: they belong to the bill.
    let cpu_after = forwarder.cpu_when_idle().await;
    let rss_mb = forwarder.peak_rss_mb();
    forwarder.stop().await;
    let (requests, distinct) = sink.report().await;
    assert_eq!(distinct, messages, "{kind:?}: messages lost");
    assert_eq!(requests, messages, "{kind:?}: messages sent more than once");
    queue::assert_empty(url).await;
    if kind != Kind::Bare {
        gateway::verify_record(folder).await;
    }
    Round { kind, messages, seconds, cpu_seconds: cpu_after - cpu_before, rss_mb }
}

/// Median time of a 4 KiB append with fsync: the store cannot be faster than its disk.
fn fsync_microseconds(folder: &Path) -> f64 {
    use std::io::Write;
    let path = folder.join("fsync");
    let mut file = std::fs::File::create(&path).unwrap();
    let times: Vec<f64> = (0..40)
        .map(|_| {
            let start = Instant::now();
            file.write_all(&[7; 4096]).unwrap();
            file.sync_all().unwrap();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    let _ = std::fs::remove_file(path);
    common::median(&times)
}
