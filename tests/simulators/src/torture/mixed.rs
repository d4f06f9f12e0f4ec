//! Mixed faults: the demo's whole crossing over RabbitMQ, while everything around the gateway, and
//! the gateway itself, fails in a seeded order.

use super::disk::Disk;
use super::faults::{self, Fault, inject, wait};
use super::postgres::Postgres;
use super::rabbit::Rabbit;
use super::{Figures, Town};
use crate::Trouble;
use crate::demo::gateway::{Gateway, eprint_line};
use crate::demo::report::Report;
use crate::demo::several::{Harm, Several};
use crate::demo::{self, Options, Stage, settle};
use crate::link::Link;
use crate::random::Random;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, watch};

/// A run and what it needs beside the stage.
pub struct Scene {
    pub(super) stage: Stage,
    pub(super) rabbit: Mutex<Rabbit>,
    /// Between the gateway and RabbitMQ.
    pub(super) link: Link,
    /// The server of the store, and what is between it and the gateway.
    pub(super) database: Option<(Mutex<Postgres>, Link)>,
    /// The disk under the store.
    pub(super) disk: Option<Disk>,
    pub(super) clock: PathBuf,
    /// Faults begun; a share of the messages is posted during each.
    begun: watch::Sender<usize>,
    /// Ids that must be found among the dead letters.
    pub(super) poison: Mutex<BTreeSet<String>>,
    /// When the last fault was over.
    healed: Mutex<Instant>,
    /// From then until the gateway was ready again.
    recovery: Mutex<Duration>,
}

impl Scene {
    /// All instances.
    pub(super) fn gateways(&self) -> Vec<Arc<Gateway>> {
        std::iter::once(&self.stage.gateway).chain(&self.stage.others).cloned().collect()
    }
}

/// One run: the crossing, so many faults, rest, the verdict.
pub async fn run(
    town: &Town,
    folder: &Path,
    seed: u64,
    options: &super::Options,
) -> Result<Figures, Trouble> {
    let faults = options.faults;
    fs::create_dir_all(folder)?;
    let folder = folder.canonicalize()?;
    let rabbit = Rabbit::start(&folder.join("rabbit")).await?;
    let link = Link::open(rabbit.address()).await?;
    let url = Rabbit::url(link.address());
    let mut random = Random::new(seed, "mixed");
    let plan = faults::plan(&mut random, options)?;
    let under = if options.postgres { "database" } else { "run/store" };
    let disk = match plan.iter().any(|fault| matches!(fault, Fault::DiskFull | Fault::ReadOnly)) {
        true => Disk::mount(&folder.join(under), if options.postgres { 384 } else { 64 })?,
        false => None,
    };
    let database = match options.postgres {
        true => Some(database(&folder.join("database")).await?),
        false => None,
    };
    let several = Several {
        postgres: database.as_ref().map(|(_, link)| Postgres::url(link.address(), DATABASE)),
        postgres_ca: None,
        instances: options.instances,
        harm: Harm::Kill,
    };
    let clock_jumps = plan.contains(&Fault::ClockJump);
    let stage = set_up(town, &folder, seed, &url, clock_jumps, several).await?;
    let scene = Arc::new(Scene {
        stage,
        rabbit: Mutex::new(rabbit),
        link,
        database,
        disk,
        clock: folder.join("clock"),
        begun: watch::Sender::new(0),
        poison: Mutex::default(),
        healed: Mutex::new(Instant::now()),
        recovery: Mutex::default(),
    });
    let answers = tokio::spawn(Arc::clone(&scene.stage.desk).take_answers());
    let played = {
        let (scene, plan) = (Arc::clone(&scene), plan.clone());
        tokio::spawn(async move {
            let played = play(&scene, plan, random).await;
            // Whatever became of it: the rest of the messages may be posted.
            scene.begun.send_replace(usize::MAX);
            played
        })
    };
    post(&scene, faults).await?;
    let missing = settle::wait(&scene.stage, &played).await?;
    played.await??;
    answers.abort();
    let report = Report::collect(&scene.stage, missing).await?;
    let figures = figures(&scene, report, faults).await?;
    if let (Some(disk), false) = (&scene.disk, figures.is_good()) {
        disk.keep(&folder.join("disk"))?;
    }
    Ok(figures)
}

/// Name of the database of a run.
const DATABASE: &str = "torture";

async fn database(folder: &Path) -> Result<(Mutex<Postgres>, Link), Trouble> {
    let server = Postgres::start(folder).await?;
    server.database(DATABASE)?;
    let link = Link::open(server.address()).await?;
    Ok((Mutex::new(server), link))
}

/// Posts the messages in their order, a share during each fault.
async fn post(scene: &Scene, faults: usize) -> Result<(), Trouble> {
    let messages = &scene.stage.town.messages;
    let share = messages.len().div_ceil(faults.max(1)).max(1);
    let mut begun = scene.begun.subscribe();
    for (index, messages) in messages.chunks(share).enumerate() {
        // When the faults have ended for a reason of their own, that is told elsewhere.
        let _ended = begun.wait_for(|begun| *begun > index).await.map(|_| ());
        scene.stage.desk.post_all(messages.to_vec()).await?;
    }
    Ok(())
}

async fn set_up(
    town: &Town,
    folder: &Path,
    seed: u64,
    url: &str,
    clock_jumps: bool,
    several: Several,
) -> Result<Stage, Trouble> {
    let options = Options {
        seed,
        scenario: demo::Scenario::Crossing,
        residents: Some(100),
        notices: 40,
        inquiries: 16,
        applications: 6,
        amqp: Some(url.to_owned()),
        rabbit: false,
        faults: Some(0.06),
        kill: 0,
        keep: false,
        json: false,
        clock_jumps,
        watashi: Some(town.program.clone()),
        definitions: town.definitions.clone(),
        folder: Some(folder.join("run")),
        several,
        days_a_week: 5,
    };
    if clock_jumps {
        fs::write(folder.join("clock"), "+0\n")?;
    }
    let stage = demo::set_up(options).await?;
    if clock_jumps {
        let library = faketime()?;
        let clock = folder.join("clock");
        for gateway in std::iter::once(&stage.gateway).chain(&stage.others) {
            gateway.set_environment("LD_PRELOAD", &library.display().to_string())?;
            gateway.set_environment("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string())?;
            gateway.set_environment("FAKETIME_CACHE_DURATION", "1")?;
            gateway.set_environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")?;
            gateway.kill_and_restart().await?;
        }
    }
    Ok(stage)
}

/// The library that lies about the time; the one for programs with threads.
pub fn faketime() -> Result<PathBuf, Trouble> {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib"];
    folders
        .map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"))
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| "libfaketime is not installed: run `make setup`".into())
}

async fn play(scene: &Scene, plan: Vec<Fault>, mut random: Random) -> Result<(), Trouble> {
    for fault in plan {
        scene.begun.send_modify(|begun| *begun += 1);
        wait(random.between(100, 1_200)).await;
        let began = Instant::now();
        inject(scene, fault, &mut random)
            .await
            .map_err(|error| format!("{fault:?} could not be played: {error}"))?;
        let healed = Instant::now();
        *scene.healed.lock().await = healed;
        until_ready(scene).await?;
        let took = healed.elapsed();
        eprint_line(&format!(
            "  {}: {fault:?} for {:.1} s, ready again after {:.1} s",
            scene.stage.options.seed,
            (healed - began).as_secs_f64(),
            took.as_secs_f64()
        ));
        let mut recovery = scene.recovery.lock().await;
        *recovery = recovery.max(took);
    }
    Ok(())
}

/// Ready again, without anybody's help.
async fn until_ready(scene: &Scene) -> Result<(), Trouble> {
    for gateway in scene.gateways() {
        ready(&gateway).await?;
    }
    Ok(())
}

async fn ready(gateway: &Gateway) -> Result<(), Trouble> {
    let began = Instant::now();
    loop {
        gateway.check_alive().await?;
        let asked = gateway.get("/ready").await;
        if asked.as_ref().is_ok_and(|(status, _)| *status == 200) {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(90) {
            let told = asked.map(|(_, text)| text).unwrap_or_default();
            return Err(format!("not ready again after 90 s: {told}").into());
        }
        wait(50).await;
    }
}

async fn figures(scene: &Scene, report: Report, faults: usize) -> Result<Figures, Trouble> {
    let mut figures = Figures::of(&report.verdict);
    figures.faults = faults;
    figures.messages = scene.stage.desk.posted().len();
    figures.requests = report.requests;
    figures.canaries += report.hits.len();
    figures.recovery = *scene.recovery.lock().await;
    if !report.verified {
        figures.unrecorded += 1;
        figures.problems.push("the record does not verify".to_owned());
    }
    let hits =
        report.hits.iter().map(|hit| format!("{} ({}) in {}", hit.kind, hit.writing, hit.place));
    figures.problems.splice(0..0, hits);
    figures.problems.extend(report.missing.iter().chain(&report.problems).cloned());
    let letters = fs::read_to_string(scene.stage.site.folder.join("cli/dlq-list.stdout"))?;
    for id in scene.poison.lock().await.iter().filter(|id| !letters.contains(&format!("{id}\""))) {
        figures.lost += 1;
        figures.problems.push(format!("lost: {id}: not among the dead letters"));
    }
    Ok(figures)
}
