//! The record at size: how long a stranger verifies 10⁶ entries, and how long one person among 10⁷ is
//! looked for. `prepare` makes what `verify` and `find` measure; each is a call of its own, so that a
//! measurement holds nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program of its own: what does not work ends it"
)]

use clap::{Parser, Subcommand};
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use watashi::archive::{Archive, export, verify};
use watashi::model::clock::SystemClock;
use watashi::model::{Clock, Secret};
use watashi::pipeline::seal::{Sealer, Watch, index};
use watashi::record::checkpoint::Signer;
use watashi::record::index::Wanted;
use watashi::record::note::SigningKey;
use watashi::record::segment::day_of;
use watashi::record::{Basis, Draft, Kind, Phase};
use watashi::store::record::search;
use watashi::store::sqlite::Options;
use watashi::store::{Keys, SqliteStore, Store};

/// The allocator of the gateway.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Parser)]
struct Arguments {
    /// Where everything is
    #[arg(long, default_value = "target/record-bench")]
    folder: PathBuf,
    /// Cargo passes it
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A store of so many entries, sealed every 1,000, and indexed
    Prepare {
        entries: u64,
        /// Whole entries of about 900 bytes, and their segments; otherwise short ones
        #[arg(long)]
        whole: bool,
    },
    /// Verify the segments
    Verify,
    /// Look for persons and messages
    Find,
}

fn keys() -> Arc<Keys> {
    let masters = vec![("k1".to_owned(), Secret::new(vec![1; 32]))];
    Arc::new(Keys::from_masters("k1", masters).unwrap())
}

fn signer() -> SigningKey {
    SigningKey::parse(&SigningKey::text_of("bench.example/record", &[1; 32]).unwrap()).unwrap()
}

/// Two entries a message, some twenty entries a person among ten million.
fn draft(number: u64, whole: bool, keys: &Keys, basis: &Arc<Basis>) -> Draft {
    let message = number / 2;
    let at = Timestamp::from_millisecond(1_780_000_000_000 + number.cast_signed()).unwrap();
    let phase = if number.is_multiple_of(2) { Phase::Intended } else { Phase::Outcome };
    let short = Draft {
        message_id: format!("0190a5c2-7b3e-7cc1-9d2f-{message:012x}").into(),
        subject: Some(keys.subject(&format!("{}", message % 500_000)).into()),
        route: "vaccination-record-to-copy".into(),
        ..Draft::new(Kind::Provide, phase, at)
    };
    if !whole {
        return short;
    }
    Draft {
        source: "health".into(),
        message_type: "vaccination.record.registered".into(),
        municipality: Some("131237".into()),
        counterpart: "intermediate-server".into(),
        operation: "update-copy".into(),
        attempt: 1,
        idempotency_key: "abcdefghijklmnopqrstuvwxyz234567".into(),
        basis: Some(Arc::clone(basis)),
        items: vec!["TK00008400000010".to_owned(), "TK00008400000020".to_owned()].into(),
        commitment: Some("0a".repeat(32).into()),
        operator: Some("clerk-12".into()),
        bundle: "0b".repeat(32).into(),
        ..short
    }
}

async fn prepare(folder: PathBuf, entries: u64, whole: bool) {
    std::fs::create_dir_all(folder.join("archive")).unwrap();
    let keys = keys();
    let path = folder.join("record.db");
    let store = SqliteStore::open(&path, Arc::clone(&keys), Options::default()).unwrap();
    let basis = Arc::new(Basis {
        law: "番号法第19条第8号に基づく主務省令第2条の表".to_owned(),
        table_item: "25, 26, 27, 153, 154".to_owned(),
        affair: "予防接種に関する記録の作成".to_owned(),
        procedure: "予防接種法施行規則第3条".to_owned(),
        inquirer: "市町村長, 都道府県知事, 厚生労働大臣".to_owned(),
        provider: "渡市長".to_owned(),
        information: "TM00000000000014".to_owned(),
    });
    let sealer = Sealer {
        store: store.clone(),
        clock: Arc::new(SystemClock),
        signer: Signer::new(signer(), None).unwrap(),
        archive: None,
        grace: Duration::from_secs(60),
        sealing: Arc::default(),
    };
    let step = if whole { 999 } else { 50_000 };
    for first in (0..entries).step_by(step as usize) {
        let last = entries.min(first + step);
        let drafts = (first..last).map(|number| draft(number, whole, &keys, &basis)).collect();
        store.note(drafts).await.unwrap();
        if whole {
            sealer.seal(&mut Watch::default(), true).await.unwrap();
        }
    }
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let start = Instant::now();
    index(&*store, &stopped).await.unwrap();
    println!("indexed in {:.1} s", start.elapsed().as_secs_f64());
    if whole {
        let archive = Archive::new(folder.join("archive"));
        let start = Instant::now();
        let tomorrow = day_of(SystemClock.now()).tomorrow().unwrap();
        let (reached, _) = export::bring_up(&*store, &archive, tomorrow).await.unwrap();
        println!("{reached} entries exported in {:.1} s", start.elapsed().as_secs_f64());
    }
    store.close().await.unwrap();
}

fn verify_segments(folder: PathBuf) {
    let archive = Archive::new(folder.join("archive"));
    let keys = [signer().public().clone()];
    for _ in 0..3 {
        let start = Instant::now();
        let report = verify::folder(&archive, &keys, &[]).unwrap();
        assert_eq!(report.finding, None);
        let took = start.elapsed().as_secs_f64();
        println!("verified {} entries in {took:.2} s", report.head.size);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap());
}

async fn find(folder: PathBuf) {
    let keys = keys();
    let start = Instant::now();
    let store = SqliteStore::open_read_only(&folder.join("record.db"), Arc::clone(&keys)).unwrap();
    println!("opened in {:.3} s", start.elapsed().as_secs_f64());
    let mut took = Vec::new();
    for person in (0..500_000u64).step_by(25_000) {
        let wanted = Wanted::Subject(keys.subject(&format!("{person}")));
        let start = Instant::now();
        let found = search(&*store, &wanted).await.unwrap();
        took.push((start.elapsed().as_secs_f64(), found.len()));
    }
    took.sort_by(|one, other| one.0.total_cmp(&other.0));
    println!(
        "persons: median {:.3} s, slowest {:.3} s ({} entries)",
        took[10].0, took[19].0, took[19].1
    );
    let wanted = Wanted::Message(format!("0190a5c2-7b3e-7cc1-9d2f-{:012x}", 1_234_567));
    let start = Instant::now();
    let found = search(&*store, &wanted).await.unwrap();
    println!("message: {:.3} s ({} entries)", start.elapsed().as_secs_f64(), found.len());
}

fn main() {
    let Arguments { folder, what, .. } = Arguments::parse();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match what {
        What::Prepare { entries, whole } => runtime.block_on(prepare(folder, entries, whole)),
        What::Verify => verify_segments(folder),
        What::Find => runtime.block_on(find(folder)),
    }
}
