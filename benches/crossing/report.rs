//! The figures: medians per forwarder, and their ratios.

use crate::Kind;
use crate::common::median;
use serde_json::{Value, json};

/// What was measured, and on what.
pub struct Setup {
    /// Messages per round.
    pub messages: usize,
    /// Rounds of each forwarder.
    pub rounds: usize,
    /// Requests under way at once.
    pub in_flight: usize,
    /// Size of a message.
    pub record_bytes: usize,
    /// One append with fsync on the store's disk.
    pub fsync_us: f64,
}

/// One forwarder draining one full queue.
pub struct Round {
    /// Which.
    pub kind: Kind,
    /// Messages carried.
    pub messages: usize,
    /// From the first to the last request seen by the counterpart.
    pub seconds: f64,
    /// From the first request until there was nothing left to do.
    pub cpu_seconds: f64,
    /// Peak resident set.
    pub rss_mb: f64,
}

impl Round {
    fn rate(&self) -> f64 {
        self.messages as f64 / self.seconds
    }

    fn cpu(&self) -> f64 {
        self.cpu_seconds * 10_000.0 / self.messages as f64
    }
}

/// One round on one line.
pub fn line(round: &Round) -> String {
    let name = name(round.kind);
    let (rate, cpu, rss) = (round.rate(), round.cpu(), round.rss_mb);
    format!("{name:9} {rate:8.0} messages/s {cpu:6.2} CPU-s per 10,000 {rss:6.0} MB")
}

fn name(kind: Kind) -> String {
    match kind {
        Kind::Bare => "bare".to_owned(),
        Kind::Watashi => "watashi".to_owned(),
        Kind::Beside(place) => format!("beside {}", place + 1),
    }
}

/// Medians of messages per second, CPU seconds per 10,000 and peak memory; `None` when that
/// forwarder was not measured.
fn medians(rounds: &[Round], kind: Kind) -> Option<[f64; 3]> {
    let of = |figure: fn(&Round) -> f64| {
        let values: Vec<f64> =
            rounds.iter().filter(|round| round.kind == kind).map(figure).collect();
        median(&values)
    };
    let any = rounds.iter().any(|round| round.kind == kind);
    any.then(|| [of(Round::rate), of(Round::cpu), of(|round| round.rss_mb)])
}

/// Everything as one object.
pub fn json(setup: &Setup, rounds: &[Round]) -> Value {
    let object = |[rate, cpu, rss]: [f64; 3]| json!({"messages_per_second": rate, "cpu_seconds_per_10000": cpu, "peak_rss_mb": rss});
    let (bare, gateway) = (medians(rounds, Kind::Bare), medians(rounds, Kind::Watashi));
    let ratio = bare.zip(gateway).map(|(bare, gateway)| {
        object([gateway[0] / bare[0], gateway[1] / bare[1], gateway[2] / bare[2]])
    });
    json!({
        "messages": setup.messages,
        "rounds": setup.rounds,
        "in_flight": setup.in_flight,
        "record_bytes": setup.record_bytes,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "fsync_us": setup.fsync_us,
        "bare": bare.map(object),
        "watashi": gateway.map(object),
        "ratio": ratio,
    })
}

/// Everything as a table.
pub fn print(setup: &Setup, rounds: &[Round]) {
    println!(
        "\n{} messages of {} bytes from a quorum queue over mutual TLS, {} under way,\n\
         medians of {} alternating rounds; one fsync takes {:.0} µs here\n",
        setup.messages, setup.record_bytes, setup.in_flight, setup.rounds, setup.fsync_us
    );
    println!("{:20} {:>12} {:>18} {:>12}", "", "messages/s", "CPU-s per 10,000", "peak RSS MB");
    let row = |name: &str, [rate, cpu, rss]: [f64; 3]| {
        println!("{name:20} {rate:12.0} {cpu:18.2} {rss:12.0}");
    };
    let bare = medians(rounds, Kind::Bare);
    if let Some(bare) = bare {
        row("bare pipe", bare);
    }
    let others = std::iter::once(Kind::Watashi).chain((0..).map(Kind::Beside));
    let known = |kind: &Kind| *kind == Kind::Watashi || rounds.iter().any(|one| one.kind == *kind);
    for kind in others.take_while(known) {
        let Some(figures) = medians(rounds, kind) else { continue };
        row(&name(kind), figures);
        if let Some(bare) = bare {
            let [rate, cpu, rss] = [0, 1, 2].map(|index| figures[index] / bare[index]);
            println!("{:20} {rate:12.2} {cpu:18.2} {rss:12.2}", "  against bare pipe");
        }
    }
}
