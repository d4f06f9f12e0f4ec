//! Kill points: the real gateway ends at named points of the way of a message, again and again,
//! over one store; a producer, a counterpart and a person go on meanwhile.

use super::post::{self, POST};
use super::postgres::Postgres;
use super::{Figures, Town};
use crate::Trouble;
use crate::clock;
use crate::counterparts::Credentials;
use crate::counterparts::ledger::Ledger;
use crate::demo::desk::{Carrier, Desk};
use crate::demo::folder::{Plan, Site};
use crate::demo::gateway::{Gateway, items};
use crate::demo::report::EXPORT;
use crate::demo::several::{self, Several};
use crate::municipality::people::{self, Person};
use crate::oracle::{Case, DeadLetter, Entry, judge};
use crate::pki::{self, Authority};
use crate::random::Random;
use crate::scanner::Scanner;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Tasks that post.
const POSTERS: usize = 6;
/// Lanes of each.
const LANES: usize = 8;
/// Points passed before the end, at most.
const DEEPEST: usize = 90;
/// A life that has not met its end by then is ended from outside, at a random moment.
const LONGEST_LIFE: Duration = Duration::from_secs(3);
/// How long everything may take to come to its end afterwards.
const PATIENCE: Duration = Duration::from_secs(90);

/// Points that are also aimed at by name, because chance meets them rarely.
const AIMED: [&str; 12] = [
    "accept:before-commit",
    "accept:after-commit",
    "ack:before",
    "intend:before-commit",
    "intend:after-commit",
    "deliver:after-intent",
    "call:before-send",
    "call:after-answer",
    "resolve:before-question",
    "settle:before-commit",
    "settle:after-commit",
    "act:after-commit",
];

/// Everything of one store's life.
struct Scene {
    site: Site,
    gateway: Gateway,
    desk: Arc<Desk>,
    running: post::Running,
    people: Vec<Person>,
    seed: u64,
    posted: AtomicUsize,
    /// How many may have been posted by now.
    allowed: AtomicUsize,
    over: AtomicBool,
}

/// One store: so many kills, then rest, then the verdict.
pub async fn run(town: &Town, folder: &Path, seed: u64, kills: usize) -> Result<Figures, Trouble> {
    let scene = Arc::new(set_up(town, folder, seed).await?);
    let mut tasks: JoinSet<Result<(), Trouble>> = JoinSet::new();
    for poster in 0..POSTERS {
        tasks.spawn(post_orders(Arc::clone(&scene), poster));
    }
    let answers = tokio::spawn(Arc::clone(&scene.desk).take_answers());
    let operator = tokio::spawn(operate(Arc::clone(&scene)));
    let points = kill(&scene, kills).await?;
    scene.over.store(true, Ordering::SeqCst);
    let last = Instant::now();
    scene.gateway.start().await?;
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let missing = until_rest(&scene, last).await?;
    let recovery = last.elapsed();
    operator.abort();
    answers.abort();
    let mut figures = verdict(&scene).await?;
    figures.kills = kills;
    figures.recovery = recovery;
    figures.points = points;
    figures.problems.extend(missing);
    scene.gateway.stop().await?;
    for hit in leaks(&scene)? {
        figures.canaries += 1;
        figures.problems.push(hit);
    }
    Ok(figures)
}

async fn set_up(town: &Town, folder: &Path, seed: u64) -> Result<Scene, Trouble> {
    let authority = Authority::new("Watashi torture CA")?;
    let people = people::generate(seed, 60);
    let running = post::start(&authority, &people, seed, 0.12).await?;
    let definitions = folder.join("definitions");
    post::definitions(&definitions)?;
    let site = Site::prepare(
        folder,
        &authority,
        &Plan {
            definitions: &definitions,
            addresses: &BTreeMap::from([(POST, running.address)]),
            credentials: &Credentials::seeded(seed),
            scanner: None,
            amqp: None,
            routes: "\"*\"",
            times: post::SETTINGS,
            own: &BTreeMap::new(),
            more: "",
        },
    )?;
    if let Some(server) = &town.database {
        let name = format!("kills_{seed}");
        server.database(&name)?;
        let url = Postgres::url(server.address(), &name);
        several::configure(
            &town.program,
            &site,
            &Several { postgres: Some(url), ..Several::default() },
        )?;
    }
    let gateway = Gateway::new(&town.program, &site)?;
    let client = pki::https_client(&site.authority, Some(&site.health))?;
    let carrier = Carrier::Https { client, ingest: site.ingest.clone() };
    let desk = Desk::with_pause(carrier, seed, Duration::from_millis(10));
    Ok(Scene {
        site,
        gateway,
        desk,
        running,
        people,
        seed,
        posted: AtomicUsize::new(0),
        allowed: AtomicUsize::new(40),
        over: AtomicBool::new(false),
    })
}

async fn post_orders(scene: Arc<Scene>, poster: usize) -> Result<(), Trouble> {
    let mut random = Random::new(scene.seed, &format!("poster {poster}"));
    while !scene.over.load(Ordering::SeqCst) {
        if scene.posted.load(Ordering::SeqCst) >= scene.allowed.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(3)).await;
            continue;
        }
        let number = scene.posted.fetch_add(1, Ordering::SeqCst);
        let lane = format!("lane-{poster}-{}", random.below(LANES));
        scene.desk.post(post::order(scene.seed, number, &lane, &scene.people)).await?;
    }
    Ok(())
}

/// Ends the gateway again and again; gives how often at which point.
async fn kill(scene: &Scene, kills: usize) -> Result<BTreeMap<String, usize>, Trouble> {
    let mut random = Random::new(scene.seed, "kills");
    let mut points: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..kills {
        let point = random.pick(&AIMED, "accept:before-commit");
        let plan = match random.chance(0.4) {
            true => format!("{point}@{}", 1 + random.below(3)),
            false => (1 + random.below(DEEPEST)).to_string(),
        };
        scene.allowed.fetch_add(3, Ordering::SeqCst);
        scene.gateway.spawn(&[("WATASHI_CRASH_AT", plan)]).await?;
        let (ended, last) = scene.gateway.until_ended(LONGEST_LIFE).await?;
        let point = match last.strip_prefix("crash at ") {
            _ if !ended => "killed from outside",
            Some(point) => point,
            None => return Err(format!("the gateway ended by itself: {last}").into()),
        };
        *points.entry(point.to_owned()).or_default() += 1;
    }
    Ok(points)
}

#[derive(Deserialize)]
struct Waiting {
    id: i64,
    message_id: String,
    since: String,
    due: Option<String>,
}

/// A person who looks into the counterpart's book, not before everything late has come.
async fn operate(scene: Arc<Scene>) -> Result<(), Trouble> {
    loop {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let arguments = ["list", "exchanges", "--state", "unknown", "--json"];
        // The gateway may be down at any moment: looked at again later.
        let Ok((true, text)) = scene.gateway.cli("list-unknown", &arguments).await else {
            continue;
        };
        for waiting in items::<Waiting>(&text) {
            let since = waiting.since.parse::<jiff::Timestamp>()?.as_millisecond();
            let settled = 2 * i64::try_from(post::LONGEST.as_millis())?;
            if waiting.due.is_some() || clock::now_ms() - since < settled {
                continue;
            }
            let applied = is_applied(&scene.running.ledger, &waiting.message_id);
            let act = if applied { "confirm-applied" } else { "confirm-not-applied" };
            let _maybe_down = scene.gateway.act(waiting.id, act, "looked into the book").await;
        }
    }
}

fn is_applied(ledger: &Ledger, message: &str) -> bool {
    ledger.evidence().effects.iter().any(|effect| effect.key == message)
}

/// Waits until every exchange has ended; gives what has not when patience is over.
async fn until_rest(scene: &Scene, began: Instant) -> Result<Vec<String>, Trouble> {
    let mut calm = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        scene.gateway.check_alive().await?;
        let counts = scene.gateway.counts().await.unwrap_or_default();
        let ended = ["delivered", "dead", "duplicate", "discarded"];
        let open = counts.iter().filter(|one| one.count > 0 && !ended.contains(&&*one.state));
        let open: Vec<String> =
            open.map(|one| format!("{} {} of {}", one.count, one.state, one.route)).collect();
        calm = if open.is_empty() && !counts.is_empty() { calm + 1 } else { 0 };
        if calm >= 3 {
            return Ok(Vec::new());
        }
        if began.elapsed() > PATIENCE {
            return Ok(open);
        }
    }
}

#[derive(Deserialize)]
struct Line {
    entry: Entry,
}

async fn verdict(scene: &Scene) -> Result<Figures, Trouble> {
    let gateway = &scene.gateway;
    let (_, metrics) = gateway.get("/metrics").await?;
    std::fs::write(scene.site.folder.join("cli/metrics.stdout"), metrics)?;
    let (verified, _) = gateway.cli("log-verify", &["log", "verify", "--json"]).await?;
    let (_, exported) = gateway.cli("log-export", &EXPORT).await?;
    let (_, letters) = gateway.cli("dlq-list", &["dlq", "list", "--json"]).await?;
    let lines: Vec<Line> = items(&exported);
    let case = Case {
        posted: scene.desk.posted(),
        evidence: scene.running.ledger.evidence(),
        dead: items::<DeadLetter>(&letters),
        entries: lines.into_iter().map(|line| line.entry).collect(),
        ..Case::default()
    };
    let mut figures = Figures::of(&judge(&case));
    figures.messages = case.posted.len();
    figures.requests = case.evidence.receipts.len();
    if !verified || case.entries.is_empty() {
        figures.problems.push("the record does not verify".to_owned());
        figures.unrecorded += 1;
    }
    Ok(figures)
}

fn leaks(scene: &Scene) -> Result<Vec<String>, Trouble> {
    let scanner = Scanner::new(&scene.people)?;
    let mut hits = Vec::new();
    for folder in ["logs", "store", "cli"] {
        hits.extend(scanner.scan_folder(&scene.site.folder.join(folder))?);
    }
    let told = |hit: &crate::scanner::Hit| {
        format!("{} ({}) {} times in {}", hit.kind, hit.writing, hit.count, hit.place)
    };
    Ok(hits.iter().map(told).collect())
}
