//! Composition root: the one file that joins definitions, store, transports, pipeline and
//! listeners, and that knows in which order they start and stop.

use crate::adapter::Bundle;
use crate::archive::Archive;
use crate::config::connect::{self, StartProblem};
use crate::config::{AmqpConfig, Config, agree, definitions, renewal, scanner};
use crate::diagnostic::{SourceFile, render};
use crate::model::codes::config as codes;
use crate::model::codes::store as store_codes;
use crate::model::{Clock, Code, Fault};
use crate::ops::{self, Ops};
use crate::pipeline::seal::{self, Sealer};
use crate::pipeline::{
    Context, Counterpart, Counterparts, Definitions, Settings, approve, deadlines, guard, outbox,
    purge, steady, tasks,
};
use crate::store::{Keys, Store, StoreError};
use crate::telemetry::{logging, metrics as metrics_register};
use crate::transport::amqp::{self, Acknowledger, AmqpPublisher, Control, Source};
use crate::transport::https::{self, Certificates};
use reload::Reloading;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use workers::Workers;

#[cfg(test)]
mod callback_tests;
mod callbacks;
mod intake;
#[cfg(test)]
mod outcome_tests;
mod reload;
mod store;
mod waiting;
mod workers;

/// Why the gateway did not start, or did not stop well.
#[derive(Debug)]
pub struct StartError {
    /// The registered code.
    pub code: &'static Code,
    /// Safe text; for definitions all problems, rendered.
    pub detail: String,
    exit: u8,
}

impl StartError {
    /// Exit code of the process: 69 unavailable, 78 configuration.
    pub fn exit_code(&self) -> u8 {
        self.exit
    }

    /// What to do; several problems, rendered, bring hints of their own.
    pub fn remedy(&self) -> Option<&'static str> {
        (!self.detail.contains('\n')).then_some(self.code.remedy)
    }

    fn configuration(code: &'static Code, detail: impl Into<String>) -> StartError {
        StartError { code, detail: detail.into(), exit: 78 }
    }
}

impl std::fmt::Display for StartError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}: {}", self.code.code, self.code.title, self.detail)
    }
}

impl std::error::Error for StartError {}

impl From<StartProblem> for StartError {
    fn from(problem: StartProblem) -> StartError {
        StartError::configuration(problem.code, problem.detail)
    }
}

/// Until no counterpart has a request of a new message under way.
async fn idle(cx: &Context) {
    let all = cx.counterparts.all();
    futures_util::future::join_all(all.iter().map(|one| one.idle())).await;
}

/// Runs the gateway until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start: definitions with errors, keys missing, store not usable, address in use.
/// A broker or counterpart that is down is no reason not to start.
pub async fn run(config: Config) -> Result<(), StartError> {
    logging::start(&config.log);
    let metrics = metrics_register::start();
    let (bundle, files) = load_bundle(&config)?;
    let keys = Arc::new(connect::keys(&config)?);
    // A signal counts from here on, also one that comes before the last line of the start.
    let mut signals = StopSignals::new();
    let hangup = signal(SignalKind::hangup()).ok();
    let (store, clock) = store::open(&config, Arc::clone(&keys), &bundle).await?;
    let cx = context(&config, bundle, store.clone(), keys, &clock)?;
    let sealer = Arc::new(sealer(&config, &cx)?);
    let (stop_sealing, sealing_stop) = watch::channel(false);
    let (stop_sources, sources_stop) = watch::channel(false);
    let (stop_work, work_stop) = watch::channel(false);
    let mut sources = JoinSet::new();
    let mut work = JoinSet::new();

    // Listeners first, so that an address in use is said before anything is consumed, and why the
    // gateway is not ready while it waits for its store.
    let broker = config.amqp.as_ref().map(|amqp| Broker::prepare(amqp, &config)).transpose()?;
    let control = broker.as_ref().map(|broker| broker.control.clone());
    let renewal = broker.as_ref().map(|broker| broker.settings.renewal.clone());
    let (ops, mut requests) = Ops::new(Arc::clone(&cx), metrics, control, &config)?;
    let listening = listen(&config, &ops, &work_stop, &mut work).await?;
    let called = callbacks::listen(&config, &cx).await?;
    tokio::select! {
        prepared = waiting::for_store(&cx, &config, &files, &sealer) => prepared?,
        () = signals.wait() => {
            tracing::info!("stopped before the store answered: nothing was taken, nothing sent");
            return Ok(());
        }
    }
    ops.started();
    if let Some(broker) = broker {
        broker.start(&cx, (&sources_stop, &work_stop), &mut sources, &mut work)?;
    }
    let certificates = listening.map(|(listener, certificates)| {
        let router = ops::ingest::router(Arc::clone(&ops));
        let serving = https::serve(listener, certificates.clone(), router, sources_stop.clone());
        sources.spawn(serving);
        certificates
    });
    let called = called.map(|called| called.serve(&sources_stop, &mut sources));
    attend(&cx, &config, (&sources_stop, &work_stop), &mut sources, &mut work);
    reload::reach_older(&cx, &config, &clock, &ops).await.map_err(unusable)?;
    let limit = config.drain;
    let mut reloading = Reloading {
        workers: Workers::start(&cx),
        cx: Arc::clone(&cx),
        ops: Arc::clone(&ops),
        clock,
        fingerprints: renewal::fingerprints(&config),
        config,
        broker: renewal,
        certificates,
        called,
        hangup,
    };
    let sealing = tokio::spawn(seal::run(sealer, sealing_stop));
    tracing::info!(bundle = cx.bundle().digest(), version = env!("CARGO_PKG_VERSION"), "started");

    tokio::select! {
        () = signals.wait() => {}
        () = reloading.run(&mut requests) => {}
    }
    tracing::info!("stopping: no new messages are taken, what is under way is finished");
    ops.stopping();
    stop_sources.send_replace(true);
    tokio::join!(drain(&mut sources, limit), reloading.workers.stop_pulls(limit));
    stop_work.send_replace(true);
    // What went on directly has no worker that waits for it.
    let direct = tokio::time::timeout(limit, idle(&cx));
    let longest = limit + Duration::from_secs(5);
    let (_, (), ended) =
        tokio::join!(drain(&mut work, longest), reloading.workers.stop_work(longest), direct);
    if ended.is_err() {
        tracing::warn!("requests still under way at the end of the drain time");
    }
    // After the last outcome: it, too, leaves under a checkpoint.
    stop_sealing.send_replace(true);
    if tokio::time::timeout(LAST_SEAL, sealing).await.is_err() {
        tracing::warn!("the last entries are not exported: the next start does it");
    }
    close(&*store).await;
    Ok(())
}

/// What watches over the rest.
fn attend(
    cx: &Arc<Context>,
    config: &Config,
    (sources_stop, work_stop): Stops<'_>,
    sources: &mut JoinSet<()>,
    work: &mut JoinSet<()>,
) {
    sources.spawn(guard::run(Arc::clone(cx), sources_stop.clone()));
    sources.spawn(purge::run(Arc::clone(cx), config.retention, sources_stop.clone()));
    work.spawn(steady::run(Arc::clone(cx), work_stop.clone()));
    work.spawn(approve::run(Arc::clone(cx), work_stop.clone()));
    work.spawn(tasks::run(Arc::clone(cx), work_stop.clone()));
    work.spawn(deadlines::run(Arc::clone(cx), work_stop.clone()));
}

async fn close(store: &dyn Store) {
    if let Err(error) = store.close().await {
        tracing::error!(code = error.code.code, detail = error.detail, "store not closed cleanly");
    }
    tracing::info!("stopped");
}

/// What every station needs.
fn context(
    config: &Config,
    bundle: Bundle,
    store: Arc<dyn Store>,
    keys: Arc<Keys>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<Context>, StartError> {
    let counterparts = counterparts(config, &bundle, clock)?;
    for adapter in agree::needed(&bundle).iter().filter(|_| config.scanner.is_none()) {
        if let Some(operation) = scanner::demanded(adapter, &bundle).next() {
            let detail = format!("operation `{}` of adapter `{}`", operation.name, adapter.name);
            return Err(StartError::configuration(&codes::SCANNER_MISSING, detail));
        }
    }
    Ok(Arc::new(Context {
        definitions: Definitions::new(Arc::new(bundle)),
        store,
        keys,
        clock: Arc::clone(clock),
        counterparts,
        settings: Settings {
            municipalities: config.municipalities.clone(),
            max_body: config.max_body,
            max_backlog: config.store.max_backlog,
            drain: config.drain,
        },
        outbox: tokio::sync::Notify::new(),
        accepting: crate::pipeline::context::Accepting::default(),
        sealing: Arc::default(),
        steady: crate::pipeline::steady::Steady::default(),
        files: Default::default(),
        scanner: scanner::open(config),
    }))
}

/// How long the last seal and export may take.
const LAST_SEAL: Duration = Duration::from_secs(10);

/// What seals the record, with notes on what is set less safely than it could be.
fn sealer(config: &Config, cx: &Arc<Context>) -> Result<Sealer, StartError> {
    let settings = &config.record;
    if settings.signing_key.is_none() {
        let path = crate::config::record::generated(config);
        cx.sealing.note(&store_codes::RECORD_KEY_GENERATED, path.display().to_string());
    }
    if settings.export.is_none() {
        cx.sealing.note(&store_codes::RECORD_EXPORT_OFF, "");
    }
    for note in cx.sealing.notes() {
        let (code, detail, action) = (note.code.code, note.detail, note.code.remedy);
        tracing::warn!(code, detail, action, "the record is less safe than it could be");
    }
    Ok(Sealer {
        store: Arc::clone(&cx.store),
        clock: Arc::clone(&cx.clock),
        signer: crate::config::record::signer(config)?,
        archive: settings.export.as_ref().map(Archive::new),
        grace: settings.grace,
        sealing: Arc::clone(&cx.sealing),
    })
}

/// Reads and checks all definitions.
///
/// # Errors
/// All problems, rendered.
fn load_bundle(config: &Config) -> Result<(Bundle, Vec<Arc<SourceFile>>), StartError> {
    let mut problems = Vec::new();
    let files = definitions::read(&config.definitions, &mut problems);
    if files.is_empty() {
        return Err(StartError::configuration(
            &codes::NO_DEFINITIONS,
            config.definitions.display().to_string(),
        ));
    }
    let bundle = Bundle::build(&files, &config.enabled, &config.overrides(), &mut problems);
    let bundle = bundle.ok_or_else(|| {
        let first = problems.first().map_or(&codes::NO_DEFINITIONS, |problem| problem.code);
        StartError::configuration(
            first,
            format!("definitions have errors\n\n{}", render::text(&problems)),
        )
    })?;
    Ok((bundle, files))
}

/// The counterparts that enabled routes lead to, each with its client.
fn counterparts(
    config: &Config,
    bundle: &Bundle,
    clock: &Arc<dyn Clock>,
) -> Result<Counterparts, StartError> {
    if let Some(name) = config.counterparts.keys().find(|name| !bundle.adapters.contains_key(*name))
    {
        return Err(StartError::configuration(&codes::UNKNOWN_COUNTERPART, name));
    }
    let mut found = Vec::new();
    for adapter in agree::needed(bundle) {
        let Some(settings) = config.counterparts.get(&adapter.name) else {
            let detail = format!("[counterpart.{}]", adapter.name);
            return Err(StartError::configuration(&codes::COUNTERPART_MISSING, detail));
        };
        let reach = connect::reach(&adapter, settings, clock)?;
        found.push(
            Counterpart::new(adapter, reach.target).with_files(reach.files).with_trust(reach.trust),
        );
    }
    Ok(Counterparts::new(found))
}

/// The broker's two sides, not connected yet.
struct Broker {
    settings: amqp::Settings,
    source: Source,
    control: Control,
    acknowledger: Acknowledger,
}

impl Broker {
    fn prepare(amqp: &AmqpConfig, config: &Config) -> Result<Broker, StartError> {
        let settings = connect::broker(amqp, config.store.postgres.is_some())?;
        let (source, control, acknowledger) = Source::new(settings.clone()).map_err(unfit)?;
        Ok(Broker { settings, source, control, acknowledger })
    }

    /// Its tasks: consume, publish, pause with the guard.
    fn start(
        self,
        cx: &Arc<Context>,
        (sources_stop, work_stop): Stops<'_>,
        sources: &mut JoinSet<()>,
        work: &mut JoinSet<()>,
    ) -> Result<(), StartError> {
        let Broker { settings, source, control, acknowledger } = self;
        let (sink, deliveries) = mpsc::channel(usize::from(settings.prefetch));
        let publisher = AmqpPublisher::start(settings, work_stop.clone()).map_err(unfit)?;
        sources.spawn(source.run(sink, sources_stop.clone()));
        sources.spawn(intake::take(deliveries, acknowledger, Arc::clone(cx)));
        sources.spawn(follow_guard(control, Arc::clone(cx), sources_stop.clone()));
        work.spawn(outbox::run(Arc::new(publisher), Arc::clone(cx), work_stop.clone()));
        Ok(())
    }
}

fn unfit(error: amqp::BrokerError) -> StartError {
    StartError::configuration(error.code, error.detail)
}

/// The words to stop: for what takes messages, and for what carries them.
type Stops<'s> = (&'s watch::Receiver<bool>, &'s watch::Receiver<bool>);

/// Pauses consumption while the guard refuses new messages.
async fn follow_guard(control: Control, cx: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let mut accepting = cx.accepting.subscribe();
    loop {
        let refused = accepting.borrow_and_update().is_some();
        if refused {
            control.pause()
        } else {
            control.resume()
        }
        tokio::select! {
            changed = accepting.changed() => if changed.is_err() { return },
            _ = stop.changed() => return,
        }
    }
}

/// Holds all addresses and serves the ops listener; gives what the ingest listener needs.
async fn listen(
    config: &Config,
    ops: &Arc<Ops>,
    work_stop: &watch::Receiver<bool>,
    work: &mut JoinSet<()>,
) -> Result<Option<(TcpListener, Certificates)>, StartError> {
    // All addresses are held before anybody is told that the gateway is ready.
    let listener = bind(config.ops.listen).await?;
    let ingest = match &config.ingest {
        Some(ingest) => Some((bind(ingest.listen).await?, connect::server_tls(ingest)?)),
        None => None,
    };
    work.spawn(https::serve_plain(listener, ops::router(Arc::clone(ops)), work_stop.clone()));
    let Some((listener, tls)) = ingest else { return Ok(None) };
    let certificates = Certificates::new(&tls)
        .map_err(|error| StartError::configuration(&codes::BAD_CERTIFICATE, error.to_string()))?;
    Ok(Some((listener, certificates)))
}

/// What a person must mend first is not tried again by itself.
fn unusable(error: StoreError) -> StartError {
    let exit = if error.code.fault == Fault::Configuration { 78 } else { 69 };
    StartError { code: error.code, detail: error.detail, exit }
}

async fn bind(address: std::net::SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| StartError {
        code: &codes::PORT_IN_USE,
        detail: format!("{address}: {}", error.kind()),
        exit: 69,
    })
}

/// SIGTERM and SIGINT; none where the system gives no handlers.
struct StopSignals(Option<(Signal, Signal)>);

impl StopSignals {
    fn new() -> StopSignals {
        let handlers = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        match handlers {
            (Ok(terminate), Ok(interrupt)) => StopSignals(Some((terminate, interrupt))),
            _ => StopSignals(None),
        }
    }

    /// Waits for the first one. A second one ends the process at once, which the order of writes
    /// makes safe.
    async fn wait(&mut self) {
        let Some((terminate, interrupt)) = &mut self.0 else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let Some((mut terminate, mut interrupt)) = self.0.take() else { return };
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            std::process::exit(130);
        });
    }
}

async fn drain(tasks: &mut JoinSet<()>, limit: Duration) {
    let finish = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(limit, finish).await.is_err() {
        tracing::warn!("some tasks did not stop in time");
        tasks.abort_all();
    }
}
