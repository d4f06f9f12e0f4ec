//! The demo: a whole crossing on one machine, judged at its end.

use crate::Trouble;
use crate::clock;
use crate::counterparts::{self, Behaviour, Credentials, Running};
use crate::municipality::{Municipality, Plan};
use crate::pki::{self, Authority};
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
    /// Everything random follows from this number; a run can be repeated with it
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Residents of the synthetic municipality; about eight doses each
    #[arg(long, default_value_t = 1_000)]
    pub residents: usize,
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
    /// Share of the requests that the counterparts mistreat, 0 to 1
    #[arg(long, value_name = "RATE", default_value_t = 0.04)]
    pub faults: f64,
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
}

impl Options {
    /// The municipality these options ask for.
    pub fn plan(&self) -> Plan {
        Plan {
            seed: self.seed,
            residents: self.residents.max(1),
            notices: self.notices,
            inquiries: self.inquiries,
            applications: self.applications,
        }
    }

    fn program(&self) -> Result<PathBuf, Trouble> {
        match &self.watashi {
            Some(path) => Ok(path.clone()),
            None => Ok(std::env::current_exe()?.with_file_name("watashi")),
        }
    }

    fn run_folder(&self) -> Result<PathBuf, Trouble> {
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
pub async fn run(options: Options) -> Result<bool, Trouble> {
    tokio::select! {
        ended = play(options) => ended,
        // Dropping the play ends counterparts and gateway: the child is killed on drop.
        _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
    }
}

async fn play(options: Options) -> Result<bool, Trouble> {
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

/// Everything of a demo, up and ready; nothing is posted yet.
pub(crate) async fn set_up(options: Options) -> Result<Stage, Trouble> {
    let began = Instant::now();
    let town = Municipality::generate(options.plan()).with_spoilt(options.plan());
    let authority = Authority::new("Watashi demo CA")?;
    let credentials = Credentials::seeded(options.seed);
    let behaviour =
        Behaviour { seed: options.seed, fault_rate: options.faults, ..Behaviour::default() };
    let running =
        counterparts::start(&authority, &credentials, town.knowledge.clone(), &behaviour).await?;
    let plan = folder::Plan {
        definitions: &options.definitions,
        addresses: &running.addresses,
        credentials: &credentials,
        amqp: options.amqp.as_deref(),
        routes: folder::ROUTES,
        times: folder::TIMES,
        more: "",
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
        options.faults * 100.0,
        site.folder.display()
    ));
    let gateway = Arc::new(Gateway::new(&options.program()?, &site)?);
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
    let desk = Desk::new(carrier, options.seed);
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
        Behaviour { seed: options.seed, fault_rate: options.faults, ..Behaviour::default() };
    let running =
        counterparts::start(&authority, &credentials, town.knowledge.clone(), &behaviour).await?;
    let plan = folder::Plan {
        definitions: &options.definitions,
        addresses: &running.addresses,
        credentials: &credentials,
        amqp: options.amqp.as_deref(),
        routes: folder::ROUTES,
        times: folder::TIMES,
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
