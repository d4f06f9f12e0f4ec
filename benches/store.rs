//! What one message costs the store (accept, intend, settle) when 10⁴, 10⁵, 10⁶ or 10⁷ came before
//! it: the figure must not grow with the past.
//!
//! The past is made by bulk inserts, with ids spread over all values that new ids take, so that a
//! new one falls between any two old ones. Each size has a file of its own; rounds go over the
//! sizes in turn, so that what else the machine does meets all of them alike.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program of its own: what does not work ends it"
)]

use clap::Parser;
use futures_util::future::join_all;
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use watashi::model::{Envelope, MessageId, Secret};
use watashi::record::{Draft, Kind, Phase};
use watashi::store::sqlite::{Options, SqliteStore};
use watashi::store::{
    Accepted, AttemptResult, Intent, Keys, NewExchange, NewMessage, Next, Settlement, Store,
};

/// The allocator of the gateway.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Messages under way at once, as a busy gateway has them.
const TOGETHER: usize = 256;
/// Bytes of a body.
const BODY: usize = 800;
/// Rows of one bulk insert.
const BULK: u64 = 100_000;

/// Cost of a message against the length of the past.
#[derive(Parser)]
struct Arguments {
    /// Lengths of the past.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000])]
    rows: Vec<u64>,
    /// Messages per round and size.
    #[arg(long, default_value_t = 2_500)]
    messages: usize,
    /// Rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where the stores are made; they are deleted at the end unless `--keep` is given.
    #[arg(long, default_value = "target/bench-store")]
    folder: PathBuf,
    /// Keeps the stores, and uses those that are there.
    #[arg(long)]
    keep: bool,
    /// Ids that grow with time, as those of UUIDv7 do; otherwise random ones.
    #[arg(long)]
    ordered: bool,
    /// Seed of the ids [default: the time]; with `--keep` another one each time.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one round used, per message.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Microseconds of CPU, all threads.
    cpu: f64,
    /// Microseconds on the clock.
    time: f64,
    /// Bytes written.
    written: f64,
    /// Bytes read.
    read: f64,
}

fn main() {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.folder).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); arguments.rows.len()];
    let mut random = arguments.seed.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("seed {random}");
    for rows in &arguments.rows {
        fill(&file(&arguments, *rows), *rows);
    }
    for round in 0..=arguments.rounds {
        for (index, rows) in arguments.rows.iter().enumerate() {
            let file = file(&arguments, *rows);
            let ids = Ids { random: &mut random, ordered: arguments.ordered };
            let cost = runtime.block_on(measure(&file, arguments.messages, ids));
            // The first round fills the caches.
            if round > 0 {
                costs[index].push(cost);
            }
        }
    }
    let report: Vec<Value> = arguments
        .rows
        .iter()
        .zip(&costs)
        .map(|(rows, costs)| {
            let median = |of: fn(&Cost) -> f64| {
                let mut values: Vec<f64> = costs.iter().map(of).collect();
                values.sort_by(f64::total_cmp);
                (values[values.len() / 2] * 10.0).round() / 10.0
            };
            json!({"rows": rows, "cpu_us": median(|cost| cost.cpu), "time_us": median(|cost| cost.time),
                "written_bytes": median(|cost| cost.written), "read_bytes": median(|cost| cost.read)})
        })
        .collect();
    tell(&arguments, &report);
    if !arguments.keep {
        std::fs::remove_dir_all(&arguments.folder).unwrap();
    }
}

fn tell(arguments: &Arguments, report: &[Value]) {
    if arguments.json {
        println!("{}", json!({"store": report}));
        return;
    }
    let base = report[0]["cpu_us"].as_f64().unwrap();
    println!(
        "{:>10} {:>10} {:>8} {:>10} {:>14} {:>12}",
        "past", "CPU µs", "ratio", "time µs", "written B", "read B"
    );
    for line in report {
        let number = |name: &str| line[name].as_f64().unwrap();
        println!(
            "{:>10} {:>10.1} {:>8.2} {:>10.1} {:>14.0} {:>12.0}",
            line["rows"],
            number("cpu_us"),
            number("cpu_us") / base,
            number("time_us"),
            number("written_bytes"),
            number("read_bytes")
        );
    }
}

fn file(arguments: &Arguments, rows: u64) -> PathBuf {
    arguments.folder.join(format!("past-{rows}.db"))
}

fn keys() -> Arc<Keys> {
    let masters = vec![("k1".to_owned(), Secret::new(vec![7; 32]))];
    Arc::new(Keys::from_masters("k1", masters).unwrap())
}

/// Makes a store whose past is `rows` delivered messages.
fn fill(file: &Path, rows: u64) {
    if file.exists() {
        return;
    }
    let begun = Instant::now();
    drop(SqliteStore::open(file, keys(), Options::default()).unwrap());
    let connection = Connection::open(file).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF;
             PRAGMA cache_size = -200000;",
        )
        .unwrap();
    let step = (1_u64 << 48) / rows;
    let mut first = 1;
    while first <= rows {
        let last = (first + BULK - 1).min(rows);
        let numbers = format!(
            "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
        );
        connection
            .execute_batch(&format!(
                "BEGIN;
            {numbers} INSERT INTO messages (id, source, message_id, message_type, content_type,
                    operator, municipality, accepted_at, fingerprint, commitment)
                SELECT i, 'health', printf('%012x-past', i * {step}), 'subject.registered',
                    'application/json', 'clerk', '131237', 1780000000000 + i, randomblob(32),
                    hex(randomblob(32)) FROM n;
            {numbers} INSERT INTO exchanges (id, message, route, counterpart, operation, lane,
                    idempotency_key, subject, bundle, state, since, attempts)
                SELECT i, i, 'subject-to-pmh', 'pmh', 'register', random(), hex(randomblob(16)),
                    hex(randomblob(16)), hex(zeroblob(32)), 'delivered', 1780000000000 + i, 1 FROM n;
            {numbers} INSERT INTO attempts (exchange, number, started_at, request_digest,
                    finished_at, outcome, http_status)
                SELECT i, 1, 1780000000000 + i, hex(randomblob(32)), 1780000000000 + i, 'applied',
                    200 FROM n;
            {numbers} INSERT INTO records (sequence, leaf, entry)
                SELECT i, randomblob(32), hex(randomblob(100)) FROM n;
            COMMIT;"
            ))
            .unwrap();
        first = last + 1;
    }
    // The end of the record must be whole.
    let mut entries: Vec<(i64, String)> = Vec::new();
    for number in 0..100 {
        let draft = Draft::new(Kind::System, Phase::Noted, at(number));
        entries.push((i64::try_from(rows).unwrap() + 1 + number, draft.canonical()));
    }
    for (sequence, entry) in entries {
        let leaf = watashi::record::tree::leaf(entry.as_bytes());
        connection
            .execute("INSERT INTO records VALUES (?1, ?2, ?3)", (sequence, leaf, entry))
            .unwrap();
    }
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
    drop(connection);
    eprintln!("past of {rows}: {:.0} s", begun.elapsed().as_secs_f64());
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// Where new ids come from.
struct Ids<'r> {
    random: &'r mut u64,
    ordered: bool,
}

impl Ids<'_> {
    /// A number for the lane, and the id: behind all of the past, or between any two of it.
    fn next(&mut self) -> (u64, String) {
        let number = next(self.random);
        if self.ordered {
            let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
            return (number, format!("x{now:020}"));
        }
        (number, format!("{:012x}-now", number >> 16))
    }
}

/// 48 random bits (splitmix64), like those of the past, and 16 more.
fn next(random: &mut u64) -> u64 {
    *random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *random;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

async fn measure(file: &Path, messages: usize, mut ids: Ids<'_>) -> Cost {
    let begun = Instant::now();
    let store = SqliteStore::open(file, keys(), Options::default()).unwrap();
    let opened = begun.elapsed().as_secs_f64();
    if opened > 0.2 {
        eprintln!("{} opened in {opened:.2} s", file.display());
    }
    let store: &dyn Store = &*store;
    let (cpu, io, begun) = (cpu_time(), io_bytes(), Instant::now());
    let mut left = messages;
    while left > 0 {
        let count = left.min(TOGETHER);
        let ids: Vec<_> = (0..count).map(|_| ids.next()).collect();
        join_all(ids.into_iter().map(|id| one(store, id))).await;
        left -= count;
    }
    let per = |value: f64| value / messages as f64;
    let (written, read) = io_bytes();
    Cost {
        time: per(begun.elapsed().as_secs_f64() * 1e6),
        cpu: per((cpu_time() - cpu) * 1e6),
        written: per(written - io.0),
        read: per(read - io.1),
    }
}

/// The way of one message through the store.
async fn one(store: &dyn Store, id: (u64, String)) {
    let accepted = store.accept(message(id)).await.unwrap();
    let Accepted::New { exchanges, .. } = accepted else { panic!("{accepted:?}") };
    let exchange = exchanges[0];
    let intent = Intent {
        exchange,
        fence: 0,
        request_digest: "5f".repeat(32),
        at: at(1),
        record: Some(draft(Phase::Intended)),
    };
    assert_eq!(store.intend(vec![intent]).await.unwrap(), [true]);
    let settlement = Settlement {
        exchange,
        fence: 1,
        at: at(2),
        attempt: Some(AttemptResult {
            outcome: "applied",
            http_status: Some(200),
            response_digest: Some("5f".repeat(32)),
        }),
        next: Next::Delivered,
        clear_maybe_applied: false,
        record: vec![draft(Phase::Outcome)],
        outbox: vec![],
    };
    store.settle(vec![settlement].into()).await.unwrap();
}

fn draft(phase: Phase) -> Draft {
    Draft {
        source: "health".into(),
        message_type: "subject.registered".into(),
        commitment: Some("5f".repeat(32).into()),
        subject: Some("5f".repeat(16).into()),
        ..Draft::new(Kind::Send, phase, at(1))
    }
}

fn message((number, id): (u64, String)) -> NewMessage {
    NewMessage {
        envelope: Arc::new(Envelope {
            source: "health".into(),
            message_id: MessageId::parse(&id).unwrap(),
            message_type: "subject.registered".into(),
            content_type: "application/json".to_owned(),
            correlation_id: None,
            reply_to: None,
            traceparent: None,
            operator: Some("clerk".into()),
            municipality: Some("131237".into()),
            accepted_at: at(0),
        }),
        fingerprint: [5; 32],
        body: Secret::new(vec![b'x'; BODY]),
        exchanges: vec![NewExchange {
            route: "subject-to-pmh".into(),
            counterpart: "pmh".into(),
            operation: "register".into(),
            lane: number.cast_signed(),
            idempotency_key: "k".repeat(32).into(),
            subject: Some("5f".repeat(16).into()),
            failure: None,
            announce: None,
            supersedes: None,
            bundle: "5f".repeat(32).into(),
            first: None,
            approval: None,
            opens: None,
        }],
        record: Vec::new(),
        if_reused: None,
    }
}

/// Seconds of CPU of the threads of this process; nanoseconds are counted.
fn cpu_time() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let spent = threads.map(|thread| {
        // One that has ended since it was listed has no file any more.
        let text = std::fs::read_to_string(thread.unwrap().path().join("schedstat"));
        text.map_or(0, |text| text.split(' ').next().unwrap().parse::<u64>().unwrap())
    });
    spent.sum::<u64>() as f64 / 1e9
}

/// Bytes this process wrote and read by system calls.
fn io_bytes() -> (f64, f64) {
    let text = std::fs::read_to_string("/proc/self/io").unwrap();
    let find = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].trim().parse().unwrap()
    };
    (find("wchar:"), find("rchar:"))
}
