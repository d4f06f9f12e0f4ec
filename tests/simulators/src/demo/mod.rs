//! The demo: a whole crossing on one machine, judged at its end.

use crate::Trouble;
use crate::clock;
use crate::counterparts::{self, Behaviour, Credentials, Running};
use crate::municipality::{Municipality, Plan};
use crate::pki::{self, Authority};
use crate::torture::rabbit::Rabbit;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub mod broker;
pub mod desk;
pub mod folder;
pub mod gateway;
pub mod report;
pub mod settle;
pub mod several;
pub mod watch;

use broker::Broker;
use desk::{Carrier, Desk};
use folder::Site;
use gateway::{Gateway, eprint_line};
use report::Report;
use several::Several;

/// Options of `watashi-simulators demo`.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// What is played
    #[arg(long, value_enum, default_value_t)]
    pub scenario: Scenario,
    /// Everything random follows from this number; a run can be repeated with it
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Residents of the synthetic municipality [default: 1000, of a year 300]
    #[arg(long, value_name = "N")]
    pub residents: Option<usize>,
    /// Notices, half through PMH, half through お知らせ
    #[arg(long, default_value_t = 200)]
    pub notices: usize,
    /// 情報照会
    #[arg(long, default_value_t = 50)]
    pub inquiries: usize,
    /// Electronic applications waiting at the intake
    #[arg(long, default_value_t = 30)]
    pub applications: usize,
    /// Post and receive through this RabbitMQ instead of HTTPS
    #[arg(long, value_name = "URL")]
    pub amqp: Option<String>,
    /// The same through a RabbitMQ that is started for it
    #[arg(long, conflicts_with = "amqp")]
    pub rabbit: bool,
    /// Share of the requests that the counterparts mistreat, 0 to 1 [default: 0.04, of a year 0]
    #[arg(long, value_name = "RATE")]
    pub faults: Option<f64>,
    /// Kill the gateway with SIGKILL at so many seeded moments and start it again
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub kill: usize,
    /// Leave everything running at the end, until Ctrl-C
    #[arg(long)]
    pub keep: bool,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    pub json: bool,
    /// The gateway's clock is made to jump: its times are not compared with others'
    #[arg(skip)]
    pub clock_jumps: bool,
    /// The gateway's program [default: `watashi` beside this program]
    #[arg(long, value_name = "PATH")]
    pub watashi: Option<PathBuf>,
    /// Folder with adapters/, schemas/ and mappings/
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub definitions: PathBuf,
    /// Where the run's certificates, store and logs go [default: demo/… beside the program]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Several instances over one database.
    #[command(flatten)]
    pub several: Several,
    /// Of a year: days of each week on which the health system is at work; fewer are sooner over
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=5))]
    pub days_a_week: u8,
}

/// What the demo plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// A year's messages as fast as they go.
    #[default]
    Crossing,
    /// A year day by day, with a clock that is stepped, and a comparison of all books at its end.
    Year,
}

impl Options {
    /// The municipality these options ask for.
    pub fn plan(&self) -> Plan {
        Plan {
            seed: self.seed,
            residents: self.residents().max(1),
            notices: self.notices,
            inquiries: self.inquiries,
            applications: self.applications,
        }
    }

    /// How many residents there are.
    pub fn residents(&self) -> usize {
        let otherwise = if self.scenario == Scenario::Year { 300 } else { 1_000 };
        self.residents.unwrap_or(otherwise)
    }

    /// Share of the requests that the counterparts mistreat.
    pub fn fault_rate(&self) -> f64 {
        self.faults.unwrap_or(if self.scenario == Scenario::Year { 0.0 } else { 0.04 })
    }

    fn program(&self) -> Result<PathBuf, Trouble> {
        match &self.watashi {
            Some(path) => Ok(path.clone()),
            None => Ok(std::env::current_exe()?.with_file_name("watashi")),
        }
    }

    pub(crate) fn run_folder(&self) -> Result<PathBuf, Trouble> {
        match &self.folder {
            Some(path) => Ok(path.clone()),
            None => {
                let name = format!("demo/{}-seed-{}", clock::stamp(), self.seed);
                let program = std::env::current_exe()?;
                let target = program.parent().and_then(|p| p.parent()).ok_or("no folder")?;
                Ok(target.join(name))
            }
        }
    }
}

/// Everything of a running demo.
pub(crate) struct Stage {
    pub(crate) options: Options,
    pub(crate) town: Municipality,
    pub(crate) running: Running,
    pub(crate) site: Site,
    pub(crate) gateway: Arc<Gateway>,
    /// Other instances over the same store.
    pub(crate) others: Vec<Arc<Gateway>>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) began: Instant,
}

/// Runs the demo; `true` when everything is as it must be.
///
/// # Errors
/// When it could not be carried out at all.
pub async fn run(mut options: Options) -> Result<bool, Trouble> {
    // Once: its name has the second in which it was asked for.
    let folder = options.run_folder()?;
    options.folder = Some(folder.clone());
    let rabbit = match options.rabbit {
        true => {
            std::fs::create_dir_all(&folder)?;
            let rabbit = Rabbit::start(&folder.canonicalize()?.join("rabbit")).await?;
            options.amqp = Some(Rabbit::url(rabbit.address()));
            Some(rabbit)
        }
        false => None,
    };
    let played = tokio::select! {
        ended = play(options) => ended,
        // Dropping the play ends counterparts and gateway: the child is killed on drop.
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    };
    drop(rabbit);
    played
}

async fn play(options: Options) -> Result<bool, Trouble> {
    if options.scenario == Scenario::Year {
        return crate::year::play(options).await;
    }
    let stage = set_up(options).await?;
    let answers = tokio::spawn(Arc::clone(&stage.desk).take_answers());
    let gateways = std::iter::once(&stage.gateway).chain(&stage.others).cloned().collect();
    let kills = tokio::spawn(several::harm_at_moments(
        gateways,
        stage.options.several.harm,
        Arc::clone(&stage.running.ledger),
        watch::moments(&stage.options, &stage.town),
    ));
    let progress = tokio::spawn(watch::show_progress(
        Arc::clone(&stage.desk),
        Arc::clone(&stage.running.ledger),
        stage.town.messages.len(),
        stage.began,
    ));
    stage.desk.post_all(stage.town.messages.clone()).await?;
    let missing = settle::wait(&stage, &kills).await?;
    progress.abort();
    answers.abort();
    kills.abort();
    let report = Report::collect(&stage, missing).await?;
    report.print(stage.options.json);
    let good = report.is_good();
    if stage.options.keep {
        report::print_keep(&stage);
        tokio::signal::ctrl_c().await?;
    }
    Ok(good)
}

/// What distinguishes one scenario from another before anything is posted.
pub(crate) struct Setting {
    /// Names of the enabled routes, as a list of TOML.
    pub(crate) routes: String,
    /// Lines of every counterpart's section.
    pub(crate) times: String,
    /// Lines of one counterpart's section.
    pub(crate) own: BTreeMap<&'static str, String>,
    /// More lines at the end of `watashi.toml`.
    pub(crate) more: String,
    /// Variables of the gateway and its commands.
    pub(crate) environment: Vec<(String, String)>,
    /// How long the counterparts' tasks take at most, milliseconds.
    pub(crate) longest_task_ms: u64,
    /// Whether the health system says at once what becomes of an application.
    pub(crate) at_once: bool,
    /// Where マイナポータル tells of completed work; nowhere without it.
    pub(crate) callback: Option<Callback>,
}

/// How a counterpart calls the gateway.
pub(crate) struct Callback {
    /// Where.
    pub(crate) url: String,
    /// The token that it shows beside its certificate.
    pub(crate) token: String,
}

impl Default for Setting {
    fn default() -> Self {
        Setting {
            routes: folder::ROUTES.to_owned(),
            times: folder::TIMES.to_owned(),
            own: BTreeMap::new(),
            more: String::new(),
            environment: Vec::new(),
            longest_task_ms: Behaviour::default().longest_task_ms,
            at_once: true,
            callback: None,
        }
    }
}

/// Everything of a demo, up and ready; nothing is posted yet.
pub(crate) async fn set_up(options: Options) -> Result<Stage, Trouble> {
    let town = Municipality::generate(options.plan()).with_spoilt(options.plan());
    raise(options, town, Setting::default()).await
}

/// The same for any town and setting.
pub(crate) async fn raise(
    options: Options,
    town: Municipality,
    setting: Setting,
) -> Result<Stage, Trouble> {
    let began = Instant::now();
    let authority = Authority::new("Watashi demo CA")?;
    let credentials = Credentials::seeded(options.seed);
    let behaviour = Behaviour {
        seed: options.seed,
        fault_rate: options.fault_rate(),
        longest_task_ms: setting.longest_task_ms,
        ..Behaviour::default()
    };
    let running =
        counterparts::start(&authority, &credentials, town.knowledge.clone(), &behaviour).await?;
    if let (Some(portal), Some(Callback { url, token })) = (&running.portal, setting.callback) {
        let identity = authority.client(counterparts::MYNAPORTAL)?;
        let client = pki::https_client(&authority.certificate, Some(&identity))?;
        portal.call(counterparts::mynaportal::Caller { client, url, token });
    }
    let plan = folder::Plan {
        definitions: &options.definitions,
        addresses: &running.addresses,
        credentials: &credentials,
        scanner: Some(running.scanner.address),
        amqp: options.amqp.as_deref(),
        routes: &setting.routes,
        times: &setting.times,
        own: &setting.own,
        more: &setting.more,
    };
    let site = Site::prepare(&options.run_folder()?, &authority, &plan)?;
    let siblings = several::configure(&options.program()?, &site, &options.several)?;
    eprint_line(&format!(
        "seed {}: {} residents, {} messages, {} applications; faults at {} % of the requests\n\
         run folder {}",
        options.seed,
        town.people.len(),
        town.messages.len(),
        town.applications.len(),
        options.fault_rate() * 100.0,
        site.folder.display()
    ));
    let gateway = Arc::new(Gateway::new(&options.program()?, &site)?);
    for (name, value) in &setting.environment {
        gateway.set_environment(name, value)?;
    }
    let carrier = match &options.amqp {
        None => {
            let client = pki::https_client(&site.authority, Some(&site.health))?;
            Carrier::Https { client, ingest: site.ingest.clone() }
        }
        Some(url) => {
            if !gateway.cli("broker-apply", &["broker", "apply"]).await?.0 {
                return Err("`watashi broker apply` failed: see above".into());
            }
            let broker = Broker::new(url);
            broker.prepare().await?;
            Carrier::Amqp(Box::new(broker))
        }
    };
    gateway.start().await?;
    let others = several::start(&options.program()?, &siblings).await?;
    let took = began.elapsed().as_secs_f64();
    eprint_line(&format!("counterparts and gateway are up after {took:.1} s"));
    let desk = match setting.at_once {
        true => Desk::new(carrier, options.seed),
        false => Desk::that_waits(carrier, options.seed),
    };
    Ok(Stage { options, town, running, site, gateway, others, desk, began })
}

/// Runs only the counterparts and prints where they listen, until Ctrl-C.
///
/// # Errors
/// When they cannot be started.
pub async fn counterparts_only(options: Options) -> Result<(), Trouble> {
    let town = Municipality::generate(options.plan()).with_spoilt(options.plan());
    let authority = Authority::new("Watashi simulators CA")?;
    let credentials = Credentials::seeded(options.seed);
    let behaviour =
        Behaviour { seed: options.seed, fault_rate: options.fault_rate(), ..Behaviour::default() };
    let running =
        counterparts::start(&authority, &credentials, town.knowledge.clone(), &behaviour).await?;
    let plan = folder::Plan {
        definitions: &options.definitions,
        addresses: &running.addresses,
        credentials: &credentials,
        scanner: Some(running.scanner.address),
        amqp: options.amqp.as_deref(),
        routes: folder::ROUTES,
        times: folder::TIMES,
        own: &BTreeMap::new(),
        more: "",
    };
    let site = Site::prepare(&options.run_folder()?, &authority, &plan)?;
    report::print_addresses(&running, &site);
    let ended = tokio::signal::ctrl_c().await;
    let evidence = running.ledger.evidence();
    eprint_line(&format!(
        "{} requests, {} effects, {} violations",
        evidence.receipts.len(),
        evidence.effects.len(),
        evidence.violations.len()
    ));
    Ok(ended?)
}

/// Only posts the messages to a gateway that runs elsewhere; prints how many were taken.
///
/// # Errors
/// When a message could not be posted within three minutes.
pub async fn produce(plan: Plan, carrier: Carrier) -> Result<String, Trouble> {
    let town = Municipality::generate(plan);
    let desk = Desk::new(carrier, plan.seed);
    let began = Instant::now();
    desk.post_all(town.messages).await?;
    let posted = desk.posted();
    let taken =
        posted.iter().filter(|one| one.posting == crate::oracle::Posting::Acknowledged).count();
    let took: Duration = began.elapsed();
    Ok(format!("{taken} accepted, {} refused, {took:.1?}", posted.len() - taken))
}
