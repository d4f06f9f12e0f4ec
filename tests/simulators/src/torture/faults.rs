//! What can go wrong in a mixed run, beside the counterparts, which misbehave all the time.

use super::mixed::Scene;
use super::poison;
use super::postgres::Postgres;
use super::rabbit::Rabbit;
use crate::Trouble;
use crate::demo::gateway::{Gateway, eprint_line};
use crate::link::{Link, Weather};
use crate::random::Random;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL at a random moment.
    Killed,
    /// The end at a random crash point.
    CrashPoint,
    /// SIGTERM, and back.
    Stopped,
    /// SIGSTOP, and SIGCONT after longer than its lease.
    Paused,
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
    /// The disk under the store has no room left.
    DiskFull,
    /// The disk under the store can only be read when the gateway starts.
    ReadOnly,
    /// PostgreSQL killed and started again.
    DatabaseKilled,
    /// PostgreSQL restarted in good order.
    DatabaseRestarted,
    /// Connections to PostgreSQL cut, and refused for a while.
    DatabaseCut,
    /// Nothing passes to and from PostgreSQL, though connections stand.
    DatabaseSilent,
    /// Everything to and from PostgreSQL takes longer.
    DatabaseSlow,
    /// The gateway is killed and started while PostgreSQL is down.
    DatabaseDownAtStart,
    /// Forty kinds of messages that nobody may send.
    Poison,
    /// Messages of long ago once more, in another order.
    Repeated,
    /// The client certificate has expired.
    CertificateExpired,
    /// The counterparts' certificates have expired, and are renewed.
    TheirCertificatesExpired,
    /// The gateway's clock is set forward, then back by twice as much, then right again.
    ClockJump,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 25] = [
        Fault::Killed,
        Fault::CrashPoint,
        Fault::Stopped,
        Fault::Paused,
        Fault::BrokerKilled,
        Fault::BrokerCut,
        Fault::BrokerSilent,
        Fault::BrokerSlow,
        Fault::MemoryAlarm,
        Fault::ConnectionsClosed,
        Fault::QueueDeleted,
        Fault::StoreFull,
        Fault::DiskFull,
        Fault::ReadOnly,
        Fault::DatabaseKilled,
        Fault::DatabaseRestarted,
        Fault::DatabaseCut,
        Fault::DatabaseSilent,
        Fault::DatabaseSlow,
        Fault::DatabaseDownAtStart,
        Fault::Poison,
        Fault::Repeated,
        Fault::CertificateExpired,
        Fault::TheirCertificatesExpired,
        Fault::ClockJump,
    ];

    /// Whether it can be played over this kind of store.
    fn fits(self, postgres: bool) -> bool {
        match self {
            Fault::StoreFull | Fault::ReadOnly => !postgres,
            Fault::DatabaseKilled
            | Fault::DatabaseRestarted
            | Fault::DatabaseCut
            | Fault::DatabaseSilent
            | Fault::DatabaseSlow
            | Fault::DatabaseDownAtStart => postgres,
            _ => true,
        }
    }
}

/// Which faults in which order: each at most once until all were played.
pub fn plan(random: &mut Random, options: &super::Options) -> Result<Vec<Fault>, Trouble> {
    let wanted =
        |fault: &Fault| options.only.is_empty() || options.only.contains(&format!("{fault:?}"));
    let fits = |fault: &Fault| fault.fits(options.postgres);
    let all: Vec<Fault> = Fault::ALL.into_iter().filter(wanted).filter(fits).collect();
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

/// Waits so many milliseconds.
pub async fn wait(milliseconds: i64) {
    tokio::time::sleep(Duration::from_millis(milliseconds.unsigned_abs())).await;
}

/// Plays one, from its beginning to its end.
pub async fn inject(scene: &Scene, fault: Fault, random: &mut Random) -> Result<(), Trouble> {
    let hold = random.between(500, 3_000);
    let gateways = scene.gateways();
    let Some(gateway) = gateways.get(random.below(gateways.len())) else { return Ok(()) };
    match fault {
        Fault::Killed => kill(gateway).await?,
        Fault::CrashPoint => crash_point(gateway, 1 + random.below(120)).await?,
        Fault::Stopped => {
            gateway.stop().await?;
            gateway.spawn(&[]).await?;
        }
        Fault::Paused => {
            gateway.signal("-STOP").await?;
            wait(hold + 4_000).await;
            gateway.signal("-CONT").await?;
        }
        Fault::BrokerKilled => {
            let mut rabbit = scene.rabbit.lock().await;
            rabbit.crash()?;
            wait(hold).await;
            rabbit.resume().await?;
        }
        Fault::BrokerCut => bad_weather(&scene.link, CUT, hold).await,
        Fault::BrokerSilent => bad_weather(&scene.link, SILENT, hold * 3).await,
        Fault::BrokerSlow => bad_weather(&scene.link, SLOW, hold).await,
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
        Fault::StoreFull => {
            // Nothing new is taken until it may grow again.
            let small = |text: &str| text.replacen("[store]\n", "[store]\nmax-bytes = 65536\n", 1);
            configured(scene, small, hold).await?;
        }
        Fault::DiskFull => disk_full(scene, hold).await?,
        Fault::ReadOnly => read_only(scene, hold).await?,
        Fault::DatabaseKilled
        | Fault::DatabaseRestarted
        | Fault::DatabaseCut
        | Fault::DatabaseSilent
        | Fault::DatabaseSlow
        | Fault::DatabaseDownAtStart => database(scene, fault, gateway, hold).await?,
        Fault::Poison => poisoned(scene, random.word()).await?,
        Fault::Repeated => repeated(scene, random).await?,
        Fault::CertificateExpired => {
            let expired = |text: &str| text.replace("/client.pem", "/expired.pem");
            configured(scene, expired, hold).await?;
        }
        Fault::TheirCertificatesExpired => {
            scene.stage.running.set_expired(true);
            wait(hold).await;
            scene.stage.running.set_expired(false);
        }
        Fault::ClockJump => {
            // Instances of one database have clocks of their own, and due times are not moved: what
            // was made due by a clock that was ahead waits until it has caught up.
            let far = if scene.database.is_some() { 20 } else { 3_600 };
            for jump in [far, -far, 0] {
                fs::write(&scene.clock, format!("{jump:+}\n"))?;
                wait(1_500).await;
            }
        }
    }
    Ok(())
}

const CUT: Weather = Weather { delay: Duration::ZERO, swallow: false, cut: true };
const SILENT: Weather = Weather { delay: Duration::ZERO, swallow: true, cut: false };
const SLOW: Weather = Weather { delay: Duration::from_millis(40), swallow: false, cut: false };

async fn bad_weather(link: &Link, weather: Weather, hold: i64) {
    link.set(weather);
    wait(hold).await;
    link.set(Weather::default());
}

async fn kill(gateway: &Gateway) -> Result<(), Trouble> {
    gateway.until_ended(Duration::ZERO).await?;
    gateway.spawn(&[]).await?;
    Ok(())
}

async fn crash_point(gateway: &Gateway, number: usize) -> Result<(), Trouble> {
    gateway.until_ended(Duration::ZERO).await?;
    gateway.spawn(&[("WATASHI_CRASH_AT", number.to_string())]).await?;
    let (_, last) = gateway.until_ended(Duration::from_secs(5)).await?;
    if last.starts_with("crash at ") {
        eprint_line(&format!("  {last}"));
    }
    gateway.spawn(&[]).await?;
    Ok(())
}

/// An operator deletes the queue. What is in it would be gone with it, so it is an empty one:
/// nobody is connected while that is looked at.
async fn queue_deleted(scene: &Scene, hold: i64) -> Result<(), Trouble> {
    let rabbit = scene.rabbit.lock().await;
    for _ in 0..10 {
        scene.link.set(CUT);
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
    kill(gateway).await?;
    wait(hold + 1_500).await;
    fs::write(path, text)?;
    kill(gateway).await
}

/// What is being written meets the end of the disk, wherever it is.
async fn disk_full(scene: &Scene, hold: i64) -> Result<(), Trouble> {
    let Some(disk) = &scene.disk else { return skipped() };
    disk.fill()?;
    wait(hold).await;
    disk.free()?;
    // A database server that could not write its log has ended.
    match &scene.database {
        Some((database, _)) => database.lock().await.resume().await,
        None => Ok(()),
    }
}

/// A start on a disk that cannot be written ends, and the next one does not.
async fn read_only(scene: &Scene, hold: i64) -> Result<(), Trouble> {
    let Some(disk) = &scene.disk else { return skipped() };
    let gateway = &scene.stage.gateway;
    gateway.until_ended(Duration::ZERO).await?;
    disk.read_only(true)?;
    gateway.spawn(&[]).await?;
    wait(hold).await;
    gateway.until_ended(Duration::ZERO).await?;
    disk.read_only(false)?;
    gateway.spawn(&[]).await?;
    Ok(())
}

fn skipped() -> Result<(), Trouble> {
    eprint_line("  not played: no disk of its own could be mounted");
    Ok(())
}

async fn database(
    scene: &Scene,
    fault: Fault,
    gateway: &Arc<Gateway>,
    hold: i64,
) -> Result<(), Trouble> {
    let Some((server, link)) = &scene.database else { return Ok(()) };
    let crash = async |server: &mut Postgres| {
        server.crash()?;
        wait(hold).await;
        server.resume().await
    };
    match fault {
        Fault::DatabaseKilled => crash(&mut *server.lock().await).await?,
        Fault::DatabaseRestarted => server.lock().await.restart().await?,
        Fault::DatabaseCut => bad_weather(link, CUT, hold).await,
        Fault::DatabaseSilent => bad_weather(link, SILENT, hold * 3).await,
        Fault::DatabaseDownAtStart => {
            let mut server = server.lock().await;
            gateway.until_ended(Duration::ZERO).await?;
            server.crash()?;
            gateway.spawn(&[]).await?;
            wait(hold + 2_000).await;
            server.resume().await?;
        }
        Fault::DatabaseSlow => bad_weather(link, SLOW, hold).await,
        _ => {}
    }
    Ok(())
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
