//! Mixed faults: the demo's whole crossing over RabbitMQ, while everything around the gateway, and
//! the gateway itself, fails in a seeded order.

use super::poison;
use super::rabbit::Rabbit;
use super::{Figures, Town};
use crate::Trouble;
use crate::demo::gateway::eprint_line;
use crate::demo::report::Report;
use crate::demo::several::Several;
use crate::demo::{self, Options, Stage, settle};
use crate::link::{Link, Weather};
use crate::random::Random;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, watch};

/// What can go wrong, beside the counterparts, which misbehave all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// SIGKILL at a random moment.
    Killed,
    /// The end at a random crash point.
    CrashPoint,
    /// SIGTERM, and back.
    Stopped,
    /// RabbitMQ killed and started again.
    BrokerKilled,
    /// Connections to RabbitMQ cut, and refused for a while.
    BrokerCut,
    /// Nothing passes to and from RabbitMQ, though connections stand.
    BrokerSilent,
    /// Everything to and from RabbitMQ takes longer.
    BrokerSlow,
    /// RabbitMQ's memory alarm.
    MemoryAlarm,
    /// RabbitMQ closes all connections.
    ConnectionsClosed,
    /// The empty queue is deleted, and applied again.
    QueueDeleted,
    /// The store may not grow any more.
    StoreFull,
    /// Forty kinds of messages that nobody may send.
    Poison,
    /// Messages of long ago once more, in another order.
    Repeated,
    /// The client certificate has expired.
    CertificateExpired,
    /// The gateway's clock jumps, twenty seconds on and forty back. What was made due by the clock
    /// that was ahead waits until the other has caught up.
    ClockJump,
}

impl Fault {
    const ALL: [Fault; 15] = [
        Fault::Killed,
        Fault::CrashPoint,
        Fault::Stopped,
        Fault::BrokerKilled,
        Fault::BrokerCut,
        Fault::BrokerSilent,
        Fault::BrokerSlow,
        Fault::MemoryAlarm,
        Fault::ConnectionsClosed,
        Fault::QueueDeleted,
        Fault::StoreFull,
        Fault::Poison,
        Fault::Repeated,
        Fault::CertificateExpired,
        Fault::ClockJump,
    ];
}

/// A run and what it needs beside the stage.
struct Scene {
    stage: Stage,
    rabbit: Mutex<Rabbit>,
    link: Link,
    clock: PathBuf,
    /// Faults begun; a share of the messages is posted during each.
    begun: watch::Sender<usize>,
    /// Ids that must be found among the dead letters.
    poison: Mutex<BTreeSet<String>>,
    /// When the last fault was over.
    healed: Mutex<Instant>,
    /// From then until the gateway was ready again.
    recovery: Mutex<Duration>,
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
    let plan = plan(&mut random, options)?;
    let stage = set_up(town, &folder, seed, &url, plan.contains(&Fault::ClockJump)).await?;
    let scene = Arc::new(Scene {
        stage,
        rabbit: Mutex::new(rabbit),
        link,
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
    figures(&scene, report, faults).await
}

/// Which faults in which order: each at most once until all were played.
fn plan(random: &mut Random, options: &super::Options) -> Result<Vec<Fault>, Trouble> {
    let wanted =
        |fault: &Fault| options.only.is_empty() || options.only.contains(&format!("{fault:?}"));
    let all: Vec<Fault> = Fault::ALL.into_iter().filter(wanted).collect();
    if all.is_empty() {
        return Err(format!("no such fault; there are {:?}", Fault::ALL).into());
    }
    let (mut plan, mut left) = (Vec::new(), Vec::new());
    while plan.len() < options.faults {
        if left.is_empty() {
            left.clone_from(&all);
        }
        plan.push(left.swap_remove(random.below(left.len())));
    }
    Ok(plan)
}

/// Posts the messages in their order, a share during each fault.
async fn post(scene: &Scene, faults: usize) -> Result<(), Trouble> {
    let messages = &scene.stage.town.messages;
    let share = messages.len().div_ceil(faults.max(1)).max(1);
    let mut begun = scene.begun.subscribe();
    for (index, messages) in messages.chunks(share).enumerate() {
        // When the faults have ended for a reason of their own, that is told elsewhere.
        let _ended = begun.wait_for(|begun| *begun > index).await;
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
) -> Result<Stage, Trouble> {
    let options = Options {
        seed,
        residents: 100,
        notices: 40,
        inquiries: 16,
        applications: 6,
        amqp: Some(url.to_owned()),
        faults: 0.06,
        kill: 0,
        keep: false,
        json: false,
        clock_jumps,
        watashi: Some(town.program.clone()),
        definitions: town.definitions.clone(),
        folder: Some(folder.join("run")),
        several: Several::default(),
    };
    if clock_jumps {
        fs::write(folder.join("clock"), "+0\n")?;
    }
    let stage = demo::set_up(options).await?;
    if clock_jumps {
        let library = faketime()?;
        let gateway = &stage.gateway;
        gateway.set_environment("LD_PRELOAD", &library.display().to_string())?;
        let clock = folder.join("clock");
        gateway.set_environment("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string())?;
        gateway.set_environment("FAKETIME_CACHE_DURATION", "1")?;
        gateway.set_environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")?;
        gateway.kill_and_restart().await?;
    }
    Ok(stage)
}

/// The library that lies about the time; the one for programs with threads.
fn faketime() -> Result<PathBuf, Trouble> {
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
            "  {fault:?} for {:.1} s, ready again after {:.1} s",
            (healed - began).as_secs_f64(),
            took.as_secs_f64()
        ));
        let mut recovery = scene.recovery.lock().await;
        *recovery = recovery.max(took);
    }
    Ok(())
}

async fn wait(milliseconds: i64) {
    tokio::time::sleep(Duration::from_millis(milliseconds.unsigned_abs())).await;
}

/// Ready again, without anybody's help.
async fn until_ready(scene: &Scene) -> Result<(), Trouble> {
    let began = Instant::now();
    loop {
        scene.stage.gateway.check_alive().await?;
        let asked = scene.stage.gateway.get("/ready").await;
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

async fn inject(scene: &Scene, fault: Fault, random: &mut Random) -> Result<(), Trouble> {
    let gateway = &scene.stage.gateway;
    let hold = random.between(500, 3_000);
    let weather = |weather: Weather| scene.link.set(weather);
    match fault {
        Fault::Killed => {
            gateway.until_ended(Duration::ZERO).await?;
            gateway.spawn(&[]).await?;
        }
        Fault::CrashPoint => {
            let number = 1 + random.below(120);
            gateway.until_ended(Duration::ZERO).await?;
            gateway.spawn(&[("WATASHI_CRASH_AT", number.to_string())]).await?;
            let (_, last) = gateway.until_ended(Duration::from_secs(5)).await?;
            if last.starts_with("crash at ") {
                eprint_line(&format!("  {last}"));
            }
            gateway.spawn(&[]).await?;
        }
        Fault::Stopped => {
            gateway.stop().await?;
            gateway.spawn(&[]).await?;
        }
        Fault::BrokerKilled => {
            let mut rabbit = scene.rabbit.lock().await;
            rabbit.crash()?;
            wait(hold).await;
            rabbit.resume().await?;
        }
        Fault::BrokerCut => {
            weather(Weather { cut: true, ..Weather::default() });
            wait(hold).await;
            weather(Weather::default());
        }
        Fault::BrokerSilent => {
            weather(Weather { swallow: true, ..Weather::default() });
            wait(hold * 3).await;
            weather(Weather::default());
        }
        Fault::BrokerSlow => {
            weather(Weather { delay: Duration::from_millis(40), ..Weather::default() });
            wait(hold).await;
            weather(Weather::default());
        }
        Fault::MemoryAlarm => {
            let rabbit = scene.rabbit.lock().await;
            rabbit.control(&["set_vm_memory_high_watermark", "0.000001"]).await?;
            wait(hold).await;
            rabbit.control(&["set_vm_memory_high_watermark", "0.4"]).await?;
        }
        Fault::ConnectionsClosed => {
            scene.rabbit.lock().await.control(&["close_all_connections", "torture"]).await?;
        }
        Fault::QueueDeleted => queue_deleted(scene, hold).await?,
        Fault::StoreFull => store_full(scene, hold).await?,
        Fault::Poison => poisoned(scene, random.word()).await?,
        Fault::Repeated => repeated(scene, random).await?,
        Fault::CertificateExpired => {
            let expired = |text: &str| text.replace("/client.pem", "/expired.pem");
            configured(scene, expired, hold).await?;
        }
        Fault::ClockJump => {
            for jump in ["+20\n", "-20\n", "+0\n"] {
                fs::write(&scene.clock, jump)?;
                wait(1_500).await;
            }
        }
    }
    Ok(())
}

/// An operator deletes the queue. What is in it would be gone with it, so it is an empty one:
/// nobody is connected while that is looked at.
async fn queue_deleted(scene: &Scene, hold: i64) -> Result<(), Trouble> {
    let rabbit = scene.rabbit.lock().await;
    for _ in 0..10 {
        scene.link.set(Weather { cut: true, ..Weather::default() });
        wait(200).await;
        let deleted = rabbit.delete_if_empty("watashi.ingest").await?;
        scene.link.set(Weather::default());
        if deleted {
            wait(hold).await;
            let (applied, _) = scene.stage.gateway.cli("apply", &["broker", "apply"]).await?;
            return if applied { Ok(()) } else { Err("`broker apply` failed".into()) };
        }
        wait(1_500).await;
    }
    eprint_line("  the queue was never empty");
    Ok(())
}

async fn configured(
    scene: &Scene,
    change: impl Fn(&str) -> String,
    hold: i64,
) -> Result<(), Trouble> {
    let gateway = &scene.stage.gateway;
    let path = &scene.stage.site.config;
    let text = fs::read_to_string(path)?;
    fs::write(path, change(&text))?;
    gateway.until_ended(Duration::ZERO).await?;
    gateway.spawn(&[]).await?;
    wait(hold + 1_500).await;
    fs::write(path, text)?;
    gateway.until_ended(Duration::ZERO).await?;
    gateway.spawn(&[]).await?;
    Ok(())
}

/// The store is as large as it may be: nothing new is taken until it may grow again.
async fn store_full(scene: &Scene, hold: i64) -> Result<(), Trouble> {
    let small = |text: &str| text.replacen("[store]\n", "[store]\nmax-bytes = 65536\n", 1);
    configured(scene, small, hold).await
}

async fn poisoned(scene: &Scene, run: u64) -> Result<(), Trouble> {
    let messages = &scene.stage.town.messages;
    let good = messages.iter().find(|message| message.message_type == "notice.requested");
    let good = good.map(|message| message.body.to_string()).unwrap_or_default();
    let number = scene.stage.town.people.iter().find_map(|person| person.my_number.clone());
    let url = Rabbit::url(scene.rabbit.lock().await.address());
    let ids = poison::publish(&url, run, &good, &number.unwrap_or_default()).await?;
    scene.poison.lock().await.extend(ids);
    Ok(())
}

/// What was acknowledged is sent again, as after a restored backup of the sender.
async fn repeated(scene: &Scene, random: &mut Random) -> Result<(), Trouble> {
    let mut posted = scene.stage.desk.posted();
    for _ in 0..posted.len().min(40) {
        let one = posted.swap_remove(random.below(posted.len()));
        scene.stage.desk.repeat(&one.message).await?;
    }
    Ok(())
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
