//! A file of doses for PMH: the adapter as it is, whose requests carry up to a hundred doses, against
//! the same adapter with requests of one dose. Both go through the gateway with all its duties, from
//! the queue to the result of every dose; PMH takes the same time for every answer.

use crate::gateway::{self, Counterpart};
use crate::process::Forwarder;
use crate::{common, pmh, queue};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The gateway's start takes less.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// A dose that takes longer than this on average hangs.
const PATIENCE_PER_DOSE: Duration = Duration::from_millis(50);
/// Doses published in one go.
const PORTION: usize = 50_000;
/// What makes a batch of the adapter.
const BATCH: &str = "max-items: 100,";

/// How much is sent.
pub struct Plan {
    /// Doses sent in batches.
    pub doses: usize,
    /// Doses sent one by one, which shows the rate.
    pub singles: usize,
    /// Milliseconds until PMH answers.
    pub answer_ms: u64,
}

/// What one way brought.
struct Passage {
    rate: f64,
    cpu: f64,
    rss_mb: f64,
    requests: usize,
}

/// Sends both and prints the figures.
pub async fn run(folder: &Path, url: &str, plan: &Plan) {
    println!("PMH answers after {} ms, 16 requests under way", plan.answer_ms);
    println!(
        "{:10} {:>9} {:>9} {:>9} {:>17} {:>12}",
        "", "doses", "requests", "doses/s", "CPU-s per 10,000", "peak RSS MB"
    );
    let singles = passage(&folder.join("singles"), url, plan.singles, false, plan.answer_ms).await;
    print("one by one", plan.singles, &singles);
    let batches = passage(&folder.join("batches"), url, plan.doses, true, plan.answer_ms).await;
    print("batches", plan.doses, &batches);
    println!("{:10} {:29.1} times", "ratio", batches.rate / singles.rate);
}

fn print(name: &str, doses: usize, passage: &Passage) {
    let Passage { rate, cpu, rss_mb, requests } = passage;
    println!("{name:10} {doses:9} {requests:9} {rate:9.0} {cpu:17.2} {rss_mb:12.0}");
}

async fn passage(
    folder: &Path,
    url: &str,
    doses: usize,
    in_batches: bool,
    answer_ms: u64,
) -> Passage {
    std::fs::create_dir_all(folder).unwrap();
    crate::pki::issue(folder);
    let (mut lines, _pmh, port) = start_pmh(folder, doses, answer_ms).await;
    lay_out(folder, in_batches);
    crate::pki::write(&folder.join("secret"), "benchmark");
    let counterpart = Counterpart {
        name: "pmh",
        route: "vaccination-record-to-pmh",
        port,
        more: "client-id = \"bench\"\nclient-secret = \"file:secret\"".to_owned(),
    };
    gateway::configure(folder, url, &counterpart);
    gateway::apply_topology(folder).await;
    for from in (0..doses).step_by(PORTION) {
        queue::fill(url, from, PORTION.min(doses - from)).await;
    }
    let mut forwarder = gateway::start(folder, None);
    let first = tokio::time::timeout(START_PATIENCE, lines.next_line()).await;
    assert_eq!(first.expect("a first dose").unwrap().as_deref(), Some("first"));
    let cpu = forwarder.cpu_seconds();
    let patience = START_PATIENCE + PATIENCE_PER_DOSE * doses as u32;
    let last = last(&mut lines, patience, &mut forwarder).await;
    let cpu = forwarder.cpu_when_idle().await - cpu;
    let rss_mb = forwarder.peak_rss_mb();
    forwarder.stop().await;
    queue::assert_empty(url).await;
    gateway::verify_record(folder).await;
    let mut words = last.split(' ').skip(1);
    let seconds: f64 = words.next().unwrap().parse().unwrap();
    let [distinct, taken, requests] = [0; 3].map(|_| words.next().unwrap().parse().unwrap());
    assert_eq!((distinct, taken), (doses, doses), "doses lost or sent twice");
    let (rate, cpu) = (doses as f64 / seconds, cpu * 10_000.0 / doses as f64);
    Passage { rate, cpu, rss_mb, requests }
}

type Words = Lines<BufReader<ChildStdout>>;

async fn start_pmh(folder: &Path, doses: usize, answer_ms: u64) -> (Words, Child, u16) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(pmh::ROLE)
        .arg(folder)
        .args([doses.to_string(), answer_ms.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().unwrap();
    let port = line.strip_prefix("listening ").unwrap().parse().unwrap();
    (lines, child, port)
}

async fn last(lines: &mut Words, patience: Duration, forwarder: &mut Forwarder) -> String {
    let line = tokio::select! {
        line = tokio::time::timeout(patience, lines.next_line()) => line,
        () = forwarder.ended() => panic!("the gateway ended before the last dose"),
    };
    line.expect("all results in time").unwrap().expect("PMH ended")
}

/// The repository's own definitions of PMH; one by one, its batches hold one dose.
fn lay_out(folder: &Path, in_batches: bool) {
    let (root, target) = (common::root(), folder.join("definitions"));
    for name in ["adapters/pmh", "adapters/calendars", "schemas", "mappings"] {
        common::copy(&root.join(name), &target.join(name));
    }
    if !in_batches {
        let path = target.join("adapters/pmh/adapter.yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(BATCH), "the adapter's batches look otherwise");
        std::fs::write(&path, text.replace(BATCH, "max-items: 1,")).unwrap();
    }
}
