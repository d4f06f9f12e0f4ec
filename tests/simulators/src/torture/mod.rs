//! `make torture`: the gateway under everything that can go wrong, judged by the oracle.
#![expect(clippy::print_stdout, reason = "the last line is for whoever started it")]

use crate::Trouble;
use crate::clock;
use crate::demo::gateway::eprint_line;
use crate::oracle::Verdict;
use postgres::Postgres;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

pub mod disk;
pub mod faults;
pub mod kills;
pub mod mixed;
pub mod poison;
pub mod post;
pub mod postgres;
pub mod rabbit;

/// Options of `watashi-simulators torture`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Everything random follows from this number; it rises by one per store
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// A few minutes instead of hours
    #[arg(long)]
    pub short: bool,
    /// Kill points [default: 10000, with --short 200]
    #[arg(long, value_name = "N")]
    pub kills: Option<usize>,
    /// Kill points of one store
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub kills_per_store: usize,
    /// Runs of mixed faults over RabbitMQ [default: 100, with --short 1]
    #[arg(long, value_name = "N")]
    pub mixed: Option<usize>,
    /// Faults of one run
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub faults: usize,
    /// Scenes played at the same time; most of a scene is waiting
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub jobs: usize,
    /// Keep the store in PostgreSQL instead of SQLite
    #[arg(long)]
    pub postgres: bool,
    /// Instances that share the store in mixed runs
    #[arg(long, value_name = "N", default_value_t = 1, requires = "postgres")]
    pub instances: usize,
    /// Play only these faults, by name: Killed, BrokerCut, …
    #[arg(long, value_name = "FAULT")]
    pub only: Vec<String>,
    /// Folder with adapters/, schemas/ and mappings/
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub definitions: PathBuf,
    /// The gateway's program, a development build [default: `watashi` beside this program]
    #[arg(long, value_name = "PATH")]
    pub watashi: Option<PathBuf>,
    /// Where the runs' folders go [default: torture/… beside the program]; those without findings
    /// are removed
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// What all runs share.
pub struct Town {
    /// The gateway's program.
    pub program: PathBuf,
    /// The definitions of the repository.
    pub definitions: PathBuf,
    /// The server of the stores of kill scenes, when they are not SQLite.
    pub database: Option<Postgres>,
}

/// The oracle's figures of one run, or of many.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Kills.
    pub kills: usize,
    /// Mixed faults.
    pub faults: usize,
    /// Messages posted and acknowledged, or refused at the door.
    pub messages: usize,
    /// Requests that counterparts saw.
    pub requests: usize,
    /// Acknowledged, and neither in effect nor a dead letter.
    pub lost: usize,
    /// In effect more than once.
    pub doubled: usize,
    /// In effect without an intent before, or without an outcome; or the record does not verify.
    pub unrecorded: usize,
    /// In effect in another order than posted.
    pub out_of_order: usize,
    /// Dead though in effect, other content, malformed requests.
    pub wrong: usize,
    /// Personal data where none may be.
    pub canaries: usize,
    /// Scenes that could not be played to their end.
    pub broken: usize,
    /// From the last fault until everything had ended.
    pub recovery: Duration,
    /// Kills by point.
    pub points: BTreeMap<String, usize>,
    /// What is wrong, for people.
    pub problems: Vec<String>,
}

impl Figures {
    /// The figures of a verdict.
    pub fn of(verdict: &Verdict) -> Figures {
        let told = |(kind, finding): (&str, &crate::oracle::Finding)| {
            format!("{kind}: {}: {}", finding.subject, finding.problem)
        };
        let mut problems: Vec<String> = verdict.findings().into_iter().map(told).collect();
        problems.extend(verdict.violations.iter().map(|violation| {
            format!("{} {}: {}", violation.counterpart, violation.request, violation.problem)
        }));
        Figures {
            lost: verdict.lost.len(),
            doubled: verdict.doubled.len(),
            unrecorded: verdict.unrecorded.len(),
            out_of_order: verdict.out_of_order.len(),
            wrong: verdict.dead_though_applied.len()
                + verdict.wrong.len()
                + verdict.violations.len(),
            canaries: verdict.violations.iter().filter(|violation| violation.leak).count(),
            problems,
            ..Figures::default()
        }
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: Figures) {
        self.kills += other.kills;
        self.faults += other.faults;
        self.messages += other.messages;
        self.requests += other.requests;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.unrecorded += other.unrecorded;
        self.out_of_order += other.out_of_order;
        self.wrong += other.wrong;
        self.canaries += other.canaries;
        self.broken += other.broken;
        self.recovery = self.recovery.max(other.recovery);
        for (point, count) in other.points {
            *self.points.entry(point).or_default() += count;
        }
        self.problems.extend(other.problems);
    }

    /// Whether everything is as it must be.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    /// One line.
    pub fn line(&self) -> String {
        format!(
            "kills {} faults {} messages {} requests {} lost {} doubled {} unrecorded {} out_of_order {} \
             wrong {} canary_hits {} broken {} recovery_max_s {:.1}",
            self.kills,
            self.faults,
            self.messages,
            self.requests,
            self.lost,
            self.doubled,
            self.unrecorded,
            self.out_of_order,
            self.wrong,
            self.canaries,
            self.broken,
            self.recovery.as_secs_f64()
        )
    }
}

/// Runs; `true` when nothing was found.
///
/// # Errors
/// When it could not be carried out at all.
pub async fn run(options: Options) -> Result<bool, Trouble> {
    tokio::select! {
        ended = play(options) => ended,
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    }
}

async fn play(options: Options) -> Result<bool, Trouble> {
    let began = Instant::now();
    let beside = std::env::current_exe()?;
    let program = options.watashi.clone().unwrap_or_else(|| beside.with_file_name("watashi"));
    let folder = match &options.folder {
        Some(folder) => folder.clone(),
        None => {
            let target = beside.parent().and_then(|parent| parent.parent()).ok_or("no folder")?;
            target.join(format!("torture/{}-seed-{}", clock::stamp(), options.seed))
        }
    };
    let mut left = options.kills.unwrap_or(if options.short { 200 } else { 10_000 });
    let database = match options.postgres && left > 0 {
        true => Some(Postgres::start(&absolute(&folder)?.join("database")).await?),
        false => None,
    };
    let definitions = options.definitions.clone();
    let town = Arc::new(Town { program, definitions, database });
    let options = Arc::new(options);
    let mut scenes = Vec::new();
    let mut seed = options.seed;
    while left > 0 {
        let kills = left.min(options.kills_per_store);
        scenes.push(Scene::Kills { seed, kills });
        left -= kills;
        seed += 1;
    }
    let runs = options.mixed.unwrap_or(if options.short { 1 } else { 100 });
    scenes.extend((options.seed..).take(runs).map(Scene::Mixed));
    let mut total = Figures::default();
    let mut playing = JoinSet::new();
    let mut scenes = scenes.into_iter();
    loop {
        while playing.len() < options.jobs.max(1)
            && let Some(scene) = scenes.next()
        {
            playing.spawn(scene.play(Arc::clone(&town), folder.clone(), Arc::clone(&options)));
        }
        let Some(ended) = playing.join_next().await else { break };
        let (what, place, figures) = ended?;
        finish(&mut total, figures, &what, &place)?;
    }
    if total.is_good() && town.database.is_some() {
        // What it was kept for is over.
        drop(town);
        let _rest = std::fs::remove_dir_all(folder.join("database"));
    }
    for (point, count) in &total.points {
        eprint_line(&format!("{count:7}  {point}"));
    }
    eprint_line(&format!("{:.0} s", began.elapsed().as_secs_f64()));
    println!("torture seed {} {}", options.seed, total.line());
    Ok(total.is_good())
}

/// The same path from the root on: PostgreSQL needs that.
fn absolute(folder: &std::path::Path) -> Result<PathBuf, Trouble> {
    std::fs::create_dir_all(folder)?;
    Ok(folder.canonicalize()?)
}

/// One store's life, or one run.
enum Scene {
    Kills { seed: u64, kills: usize },
    Mixed(u64),
}

impl Scene {
    /// What it was, where its folder is, what it brought. A scene that could not be played to its
    /// end is a finding, and no reason to end the others.
    async fn play(
        self,
        town: Arc<Town>,
        folder: PathBuf,
        options: Arc<Options>,
    ) -> (String, PathBuf, Figures) {
        let (what, place, played) = match self {
            Scene::Kills { seed, kills } => {
                let place = folder.join(format!("kills-{seed}"));
                let played = kills::run(&town, &place, seed, kills).await;
                (format!("kill points, seed {seed}"), place, played)
            }
            Scene::Mixed(seed) => {
                let place = folder.join(format!("mixed-{seed}"));
                let played = mixed::run(&town, &place, seed, &options).await;
                (format!("mixed faults, seed {seed}"), place, played)
            }
        };
        let figures = played.unwrap_or_else(|trouble| Figures {
            broken: 1,
            problems: vec![format!("not played to the end: {trouble}")],
            ..Figures::default()
        });
        (what, place, figures)
    }
}

/// Says what a run brought; its folder stays when something was found.
fn finish(
    total: &mut Figures,
    figures: Figures,
    what: &str,
    place: &std::path::Path,
) -> Result<(), Trouble> {
    eprint_line(&format!("{what}: {}", figures.line()));
    for problem in figures.problems.iter().take(20) {
        eprint_line(&format!("  {problem}"));
    }
    if figures.is_good() {
        // A task that is just ending may still write there.
        let _rest = std::fs::remove_dir_all(place);
    }
    total.add(figures);
    Ok(())
}
