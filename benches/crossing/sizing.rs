//! What one and several instances need: the same crossing on SQLite, and on PostgreSQL with one,
//! two and three instances, in turn.
//!
//! Everything shares this machine's cores, so the rates say what a message costs, not how far
//! instances on machines of their own would come.

use crate::database::Server;
use crate::process::Forwarder;
use crate::sink::Sink;
use crate::{PATIENCE_PER_MESSAGE, START_PATIENCE, common, gateway, queue};
use std::fs;
use std::path::Path;

/// Instances over one PostgreSQL; none stands for one instance on SQLite.
const SHAPES: [usize; 4] = [0, 1, 2, 3];

/// How much of it.
pub struct Plan {
    /// Messages per round.
    pub messages: usize,
    /// Rounds of each shape.
    pub rounds: usize,
    /// Requests under way at once, of each instance.
    pub in_flight: usize,
}

/// What one round used.
struct Used {
    /// Messages per second.
    rate: f64,
    /// CPU seconds per 10,000 messages of all instances.
    gateway: f64,
    /// The same of PostgreSQL.
    database: f64,
    /// Peak resident set of the largest instance, MB.
    rss: f64,
    /// Bytes of the store for each message.
    bytes: f64,
    /// Sessions of PostgreSQL.
    sessions: f64,
}

/// Measures and prints medians.
pub async fn run(folder: &Path, url: &str, sink: &mut Sink, plan: &Plan) {
    let server = Server::start().await;
    let mut all: Vec<Vec<Used>> = SHAPES.map(|_| Vec::new()).into();
    let mut filled = 0;
    for _ in 0..plan.rounds {
        for (shape, rounds) in SHAPES.into_iter().zip(&mut all) {
            queue::fill(url, filled, plan.messages).await;
            filled += plan.messages;
            let used = one(folder, url, sink, plan, &server, shape).await;
            eprintln!("{:16} {:8.0} messages/s", name(shape), used.rate);
            rounds.push(used);
        }
    }
    println!(
        "\n{:16} {:>10} {:>16} {:>16} {:>8} {:>12} {:>9}",
        "CPU-s per 10,000",
        "messages/s",
        "Watashi",
        "PostgreSQL",
        "RSS MB",
        "B/message",
        "sessions"
    );
    for (shape, rounds) in SHAPES.into_iter().zip(&all) {
        let of = |figure: fn(&Used) -> f64| {
            common::median(&rounds.iter().map(figure).collect::<Vec<_>>())
        };
        println!(
            "{:16} {:10.0} {:16.2} {:16.2} {:8.0} {:12.0} {:9.0}",
            name(shape),
            of(|used| used.rate),
            of(|used| used.gateway),
            of(|used| used.database),
            of(|used| used.rss),
            of(|used| used.bytes),
            of(|used| used.sessions),
        );
    }
}

fn name(shape: usize) -> String {
    match shape {
        0 => "SQLite".to_owned(),
        instances => format!("PostgreSQL × {instances}"),
    }
}

async fn one(
    folder: &Path,
    url: &str,
    sink: &mut Sink,
    plan: &Plan,
    server: &Server,
    shape: usize,
) -> Used {
    sink.expect(plan.messages).await;
    let database = match shape {
        0 => None,
        _ => Some(server.database().await),
    };
    let store = database.as_ref().map(|name| gateway::Shared {
        url: server.url(name),
        authority: server.authority().to_owned(),
    });
    gateway::clear(folder);
    let mut instances = Vec::new();
    for number in 1..=shape.max(1) {
        let sink = (url, sink.port);
        gateway::prepare_instance(folder, sink, plan.in_flight, number, store.as_ref()).await;
        instances.push(gateway::start_instance(folder, number));
    }
    sink.first(START_PATIENCE, &mut instances[0]).await;
    let cpu = |instances: &[Forwarder]| instances.iter().map(Forwarder::cpu_seconds).sum::<f64>();
    let (before, database_before) = (cpu(&instances), database_cpu());
    let patience = START_PATIENCE + PATIENCE_PER_MESSAGE * plan.messages as u32;
    let seconds = sink.last(patience, &mut instances[0]).await;
    let mut after = 0.0;
    for instance in &instances {
        after += instance.cpu_when_idle().await;
    }
    let database_after = database_cpu();
    let rss = instances.iter().map(Forwarder::peak_rss_mb).fold(0.0, f64::max);
    let sessions = match &database {
        Some(name) => {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'watashi' AND datname";
            asked(server, &format!("{sql} = '{name}'")).await
        }
        None => 0.0,
    };
    for instance in instances {
        instance.stop().await;
    }
    let bytes = match &database {
        Some(name) => asked(server, &format!("SELECT pg_database_size('{name}')")).await,
        None => fs::metadata(folder.join("watashi.db")).unwrap().len() as f64,
    };
    let (requests, distinct) = sink.report().await;
    assert_eq!(distinct, plan.messages, "{}: messages lost", name(shape));
    assert_eq!(requests, plan.messages, "{}: messages sent more than once", name(shape));
    queue::assert_empty(url).await;
    let per_message = |seconds: f64| seconds * 10_000.0 / plan.messages as f64;
    Used {
        rate: plan.messages as f64 / seconds,
        gateway: per_message(after - before),
        database: per_message(database_after - database_before),
        rss,
        bytes: bytes / plan.messages as f64,
        sessions,
    }
}

async fn asked(server: &Server, sql: &str) -> f64 {
    let row = server.owner("postgres").await.query_one(sql, &[]).await.unwrap();
    row.get::<_, i64>(0) as f64
}

/// CPU seconds so far of every process of PostgreSQL below this one, those that ended included.
fn database_cpu() -> f64 {
    let stats: Vec<(u32, u32, bool, f64)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let pid: u32 = path.file_name()?.to_str()?.parse().ok()?;
            let stat = fs::read_to_string(path.join("stat")).ok()?;
            let (head, fields) = stat.rsplit_once(')')?;
            let fields: Vec<&str> = fields.split_whitespace().collect();
            let ticks = |index: usize| fields[index].parse::<f64>().unwrap_or(0.0);
            let parent = fields[1].parse().ok()?;
            Some((pid, parent, head.ends_with("(postgres"), (11..15).map(ticks).sum()))
        })
        .collect();
    let parent = |pid: u32| stats.iter().find(|stat| stat.0 == pid).map(|stat| stat.1);
    let ours = |pid: u32| {
        let chain = std::iter::successors(Some(pid), |pid| parent(*pid)).take(64);
        chain.into_iter().any(|pid| pid == std::process::id())
    };
    let used = stats.iter().filter(|stat| stat.2 && ours(stat.0)).map(|stat| stat.3);
    used.sum::<f64>() / crate::process::TICKS_PER_SECOND
}
