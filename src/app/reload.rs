//! Reload and renewal: other definitions, settings, certificates and secrets while the gateway
//! runs. What is new is built and tried as a whole before anything is replaced; on any problem the
//! old stays, and everything is told.

use super::workers::Workers;
use crate::adapter::{Adapter, Bundle};
use crate::config::connect::{self, Reach, StartProblem};
use crate::config::renewal::{self, COUNTERPART, Fingerprint};
use crate::config::trial::{self, Tried};
use crate::config::{self, Config, agree};
use crate::diagnostic::{SourceFile, render};
use crate::model::codes::config as codes;
use crate::model::{Clock, Code};
use crate::ops::reload::{Reloaded, Request};
use crate::ops::{Access, Ops};
use crate::pipeline::{Context, Counterpart};
use crate::record::{Draft, Kind, Phase};
use crate::store::{KeptBundle, Keys, StoreError};
use crate::transport::amqp;
use crate::transport::https::Certificates;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;

/// How often the files behind certificates and secrets are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// Name of the cursor that tells which definitions were last in force.
const IN_FORCE: &str = "definitions";

/// What a reload works on.
pub(super) struct Reloading {
    pub cx: Arc<Context>,
    pub ops: Arc<Ops>,
    pub clock: Arc<dyn Clock>,
    pub config: Config,
    pub workers: Workers,
    /// Of the broker's connections.
    pub broker: Option<amqp::Renewal>,
    /// Of the ingest listener.
    pub certificates: Option<Certificates>,
    /// Of the callbacks listener.
    pub called: Option<super::callbacks::Called>,
    pub fingerprints: BTreeMap<String, Fingerprint>,
    /// SIGHUP; `None` where the system gives no handler.
    pub hangup: Option<Signal>,
}

/// Connections and secrets that were made of a configuration, none of them in use yet.
#[derive(Default)]
struct Made {
    targets: Vec<(Arc<Adapter>, Reach)>,
    broker: Option<amqp::Settings>,
    ingest: Option<crate::transport::https::ServerTls>,
    called: Option<super::callbacks::Renewed>,
    keys: Option<Keys>,
    access: Option<Access>,
}

impl Reloading {
    /// Serves SIGHUP, requests and changed files; never ends by itself.
    pub async fn run(&mut self, requests: &mut mpsc::Receiver<Request>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = next(&mut self.hangup) => {
                    self.reload("SIGHUP".to_owned(), String::new()).await;
                }
                request = requests.recv() => {
                    let Some(Request { operator, reason, reply }) = request else { continue };
                    // Whoever asked may be gone; the log tells the same.
                    let _ = reply.send(self.reload(operator, reason).await);
                }
                _ = look.tick() => self.renew(),
            }
        }
    }

    /// Reads configuration and definitions again and puts them in force, or says why not.
    async fn reload(&mut self, operator: String, reason: String) -> Reloaded {
        let before = self.cx.bundle();
        let mut outcome = match self.try_reload(&operator, &reason).await {
            Ok(outcome) => outcome,
            Err(problems) => {
                Reloaded { after: before.digest().to_owned(), problems, ..Reloaded::default() }
            }
        };
        outcome.before = before.digest().to_owned();
        let problem = (!outcome.taken).then(|| {
            let count = outcome.problems.matches("error").count().max(1);
            StartProblem::new(&codes::NOT_TAKEN_OVER, format!("problems: {count}"))
        });
        if let Some(problem) = &problem {
            tracing::error!(
                code = problem.code.code,
                detail = problem.detail,
                bundle = outcome.before,
                action = problem.code.remedy,
                "not reloaded: everything goes on as before"
            );
        } else {
            tracing::info!(bundle = outcome.after, "reloaded");
        }
        self.ops.note("reload", problem);
        outcome
    }

    async fn try_reload(&mut self, operator: &str, reason: &str) -> Result<Reloaded, String> {
        let path = PathBuf::from(&self.config.file.path);
        let read = tokio::task::spawn_blocking(move || read(path)).await;
        let (config, tried) = read.map_err(|_| "the trial ended abnormally".to_owned())??;
        let Tried { bundle, files } = tried;
        let made = self.make(&config, &bundle, |_| true)?;
        let (before, after) = (self.cx.bundle(), Arc::new(bundle));
        let mut outcome = differences(&before, &after, &files, &self.kept(&before).await);
        let needed = self.cx.store.bundles_in_use().await.map_err(|error| error.to_string())?;
        let entry = Draft {
            operator: Some(operator.into()),
            reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
            ..changed(after.shared_digest(), self.clock.as_ref())
        };
        keep(&self.cx, &after, &files, needed.clone(), vec![entry])
            .await
            .map_err(|error| error.to_string())?;
        let waiting: HashSet<String> = self.waiting().await.map_err(|error| error.to_string())?;
        let fingerprints = renewal::fingerprints(&config);
        let is_new = |name: &&String| fingerprints.get(*name) != self.fingerprints.get(*name);
        outcome.renewed = fingerprints.keys().filter(is_new).cloned().collect();
        outcome.notes = at_next_start(&self.config, &config);
        outcome.taken = true;
        // From here on nothing waits and nothing fails.
        self.replace_counterparts(made.targets, &waiting, true);
        self.cx.definitions.swap(after);
        self.cx.definitions.forget(|digest| needed.iter().any(|known| known == digest));
        let rest = Made { targets: Vec::new(), ..made };
        self.take_over(rest);
        self.config = config;
        self.fingerprints = fingerprints;
        self.workers.replace();
        Ok(outcome)
    }

    /// Texts of the definitions in force, to tell what changed.
    async fn kept(&self, bundle: &Bundle) -> Vec<(String, String)> {
        let kept = self.cx.store.kept_bundle(bundle.digest().to_owned()).await;
        kept.ok().flatten().map(|kept| kept.files).unwrap_or_default()
    }

    /// Counterparts that exchanges wait for.
    async fn waiting(&self) -> Result<HashSet<String>, StoreError> {
        let backlog = self.cx.store.backlog().await?;
        Ok(backlog.into_iter().filter(|(_, count)| *count > 0).map(|(name, _)| name).collect())
    }

    /// Makes what a configuration names, as far as `wanted`; every problem, one a line.
    fn make(
        &self,
        config: &Config,
        bundle: &Bundle,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Made, String> {
        let mut made = Made::default();
        let mut problems: Vec<StartProblem> = Vec::new();
        let mut take = |part: &str, problem: Result<(), StartProblem>| {
            if let Err(problem) = problem {
                problems
                    .push(StartProblem::new(problem.code, format!("[{part}] {}", problem.detail)));
            }
        };
        for adapter in agree::needed(bundle) {
            let part = format!("{COUNTERPART}{}", adapter.name);
            let Some(settings) = config.counterparts.get(&adapter.name).filter(|_| wanted(&part))
            else {
                continue;
            };
            let reach = connect::reach(&adapter, settings, &self.clock);
            take(&part, reach.map(|reach| made.targets.push((adapter, reach))));
        }
        if let (Some(amqp), true) = (&config.amqp, wanted("amqp")) {
            take(
                "amqp",
                connect::broker(amqp, config.store.postgres.is_some())
                    .map(|settings| made.broker = Some(settings)),
            );
        }
        if let (Some(ingest), true) = (&config.ingest, wanted("ingest")) {
            let tls = connect::server_tls(ingest).and_then(|tls| {
                let unusable = |error: crate::transport::https::tls::TlsError| {
                    StartProblem::new(&codes::BAD_CERTIFICATE, error.to_string())
                };
                Certificates::new(&tls).map_err(unusable)?;
                Ok(tls)
            });
            take("ingest", tls.map(|tls| made.ingest = Some(tls)));
        }
        if let (Some(callbacks), true) = (&config.callbacks, wanted("callbacks")) {
            let renewed = super::callbacks::Renewed::make(config, callbacks);
            take("callbacks", renewed.map(|renewed| made.called = Some(renewed)));
        }
        if wanted("keys") {
            let fits = |keys: Keys| {
                if keys.check() == self.cx.keys.check() {
                    made.keys = Some(keys);
                    return Ok(());
                }
                let code = &crate::model::codes::store::KEYS_DO_NOT_FIT;
                Err(StartProblem::new(code, "the oldest key changed"))
            };
            take("keys", connect::keys(config).and_then(fits));
        }
        if wanted("ops") || wanted("ingest") {
            take("ops", Access::read(config).map(|access| made.access = Some(access)));
        }
        if problems.is_empty() {
            return Ok(made);
        }
        let lines =
            problems.iter().map(|problem| format!("error[{}]: {problem}\n", problem.code.code));
        Err(lines.collect())
    }

    /// Puts what was made in the place of the old.
    fn take_over(&mut self, made: Made) {
        if let (Some(settings), Some(renewal)) = (made.broker, &self.broker) {
            renewal.set(settings);
        }
        if let (Some(tls), Some(certificates)) = (made.ingest, &self.certificates) {
            // It was built once already, so that this cannot fail.
            let _ = certificates.renew(&tls);
        }
        if let (Some(renewed), Some(called)) = (made.called, &self.called) {
            called.renew(renewed);
        }
        if let Some(keys) = made.keys {
            let _ = self.cx.keys.renew(&keys);
        }
        if let Some(access) = made.access {
            self.ops.renew(access);
        }
        self.replace_counterparts(made.targets, &HashSet::new(), false);
    }

    /// New targets for their counterparts. With `whole`, counterparts that no target is made for
    /// go, unless exchanges wait for them.
    fn replace_counterparts(
        &self,
        targets: Vec<(Arc<Adapter>, Reach)>,
        waiting: &HashSet<String>,
        whole: bool,
    ) {
        let mut all: BTreeMap<String, Arc<Counterpart>> = BTreeMap::new();
        for old in self.cx.counterparts.all() {
            let name = &old.adapter.name;
            if !whole || waiting.contains(name) {
                all.insert(name.clone(), old);
            }
        }
        for (adapter, Reach { target, files, trust }) in targets {
            let name = adapter.name.clone();
            let next = match self.cx.counterpart(&name) {
                Some(old) => old.succeed(adapter, target),
                None => Counterpart::new(adapter, target),
            };
            let next = next.with_files(files).with_trust(trust);
            all.insert(name, Arc::new(next));
        }
        self.cx.counterparts.replace(all.into_values());
    }

    /// Takes over every certificate, key and secret whose file changed and can be used.
    fn renew(&mut self) {
        let now = renewal::fingerprints(&self.config);
        let is_new = |name: &&String| now.get(*name) != self.fingerprints.get(*name);
        let changed: BTreeSet<String> = now.keys().filter(is_new).cloned().collect();
        for part in now.keys().filter(|part| !changed.contains(*part)) {
            // What was broken may be as it was before.
            self.ops.note(part, None);
        }
        for part in changed {
            let made = self.make(&self.config, &self.cx.bundle(), |name| name == part);
            let problem = match made {
                Ok(made) => {
                    self.take_over(made);
                    if part.starts_with(COUNTERPART) {
                        self.workers.replace();
                    }
                    if let Some(fingerprint) = now.get(&part) {
                        self.fingerprints.insert(part.clone(), fingerprint.clone());
                    }
                    tracing::info!(section = part, "credentials renewed");
                    None
                }
                // A file may be half written, or its partner not there yet: looked at again.
                Err(problem) => Some(StartProblem::new(&codes::NOT_RENEWED, problem.trim_end())),
            };
            let (code, detail) = problem.as_ref().map_or(("", ""), |p| (p.code.code, &p.detail));
            if self.ops.note(&part, problem.clone()) && problem.is_some() {
                tracing::error!(
                    section = part,
                    code,
                    detail,
                    action = codes::NOT_RENEWED.remedy,
                    "the old one stays in use"
                );
            }
        }
    }
}

async fn next(hangup: &mut Option<Signal>) {
    match hangup {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Configuration and definitions, tried; else every problem, rendered.
fn read(path: PathBuf) -> Result<(Config, Tried), String> {
    let (config, diagnostics) = config::load(&path);
    let config = config.ok_or_else(|| render::text(&diagnostics))?;
    let tried = trial::run(&config).map_err(|problems| render::text(&problems))?;
    Ok((config, tried))
}

/// What tells that other definitions are in force.
fn changed(bundle: Arc<str>, clock: &dyn Clock) -> Draft {
    Draft {
        outcome: Some("definitions".to_owned()),
        bundle,
        ..Draft::new(Kind::System, Phase::Noted, clock.now())
    }
}

async fn keep(
    cx: &Context,
    bundle: &Bundle,
    files: &[Arc<SourceFile>],
    needed: Vec<String>,
    record: Vec<Draft>,
) -> Result<(), StoreError> {
    let files = files.iter().map(|file| (file.path.clone(), file.text.clone())).collect();
    let kept = KeptBundle { digest: bundle.digest().to_owned(), files };
    cx.store.keep_bundle(kept, needed, cx.clock.now(), record).await?;
    cx.store.set_cursor(IN_FORCE.to_owned(), bundle.digest().to_owned()).await
}

/// At a start: keeps the definitions in force, tells the record when they are others than before,
/// and brings back older ones that exchanges still go by.
///
/// # Errors
/// When the store cannot write.
pub(super) async fn remember(
    cx: &Arc<Context>,
    config: &Config,
    files: &[Arc<SourceFile>],
) -> Result<(), StoreError> {
    let bundle = cx.bundle();
    let before = cx.store.cursor(IN_FORCE.to_owned()).await?;
    let other = before.as_deref() != Some(bundle.digest());
    let entry = other.then(|| changed(bundle.shared_digest(), cx.clock.as_ref()));
    let needed = cx.store.bundles_in_use().await?;
    keep(cx, &bundle, files, needed.clone(), entry.into_iter().collect()).await?;
    for digest in needed.iter().filter(|digest| *digest != bundle.digest()) {
        let kept = cx.store.kept_bundle(digest.clone()).await?;
        let again = kept.and_then(|kept| trial::again(config, &kept.files));
        match again {
            Some(older) => cx.definitions.keep(Arc::new(older)),
            None => warn(&codes::OLDER_DEFINITIONS_GONE, digest),
        }
    }
    Ok(())
}

/// At a start: counterparts that only older definitions lead to, as long as exchanges wait for
/// them; what cannot be reached any more is told.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn reach_older(
    cx: &Arc<Context>,
    config: &Config,
    clock: &Arc<dyn Clock>,
    ops: &Ops,
) -> Result<(), StoreError> {
    let mut all = cx.counterparts.all();
    for (name, count) in cx.store.backlog().await? {
        if count == 0 || name.is_empty() || cx.counterpart(&name).is_some() {
            continue;
        }
        let bundles = cx.definitions.all();
        let adapter = bundles.iter().find_map(|bundle| bundle.adapters.get(&name));
        let target = adapter.zip(config.counterparts.get(&name)).map(|(adapter, settings)| {
            let reach = connect::reach(adapter, settings, clock);
            reach.map(|reach| {
                Counterpart::new(Arc::clone(adapter), reach.target)
                    .with_files(reach.files)
                    .with_trust(reach.trust)
            })
        });
        if let Some(Ok(counterpart)) = target {
            all.push(Arc::new(counterpart));
            continue;
        }
        let detail = format!("{name}: {count}");
        warn(&codes::COUNTERPART_NOT_REACHED, &detail);
        ops.note(&name, Some(StartProblem::new(&codes::COUNTERPART_NOT_REACHED, detail)));
    }
    cx.counterparts.replace(all);
    Ok(())
}

fn warn(code: &'static Code, detail: &str) {
    let action = code.remedy;
    tracing::warn!(code = code.code, detail, action, "older definitions are missed");
}

/// Which routes are new, gone or changed.
fn differences(
    before: &Bundle,
    after: &Bundle,
    files: &[Arc<SourceFile>],
    old_files: &[(String, String)],
) -> Reloaded {
    let on = |bundle: &Bundle| -> BTreeSet<String> {
        let enabled = bundle.routes().filter(|route| bundle.is_enabled(&route.name));
        enabled.map(|route| route.name.clone()).collect()
    };
    let (old, new) = (on(before), on(after));
    let texts: BTreeMap<&str, &str> =
        old_files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let mut touched: Vec<&str> = files
        .iter()
        .filter(|file| texts.get(file.path.as_str()) != Some(&file.text.as_str()))
        .map(|file| file.path.as_str())
        .collect();
    let names: HashSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    touched.extend(texts.keys().filter(|path| !names.contains(**path)));
    let changed = |name: &&String| {
        after.route(name).is_some_and(|route| {
            let mut folders = vec![
                format!("adapters/{}/", route.adapter.name),
                format!("mappings/{}/", route.mapping.name),
                "mappings/tables/".to_owned(),
            ];
            for mapping in std::iter::once(&route.mapping)
                .chain(route.reply.as_ref().map(|reply| &reply.mapping))
            {
                folders.push(format!("mappings/{}/", mapping.name));
                let seen = mapping.request.iter().map(|schema| schema.id());
                for schema in [mapping.from.id(), mapping.to.id()].into_iter().chain(seen) {
                    folders.push(format!("schemas/{}", schema.replace('@', "/")));
                }
            }
            touched.iter().any(|path| folders.iter().any(|folder| path.starts_with(folder)))
        })
    };
    Reloaded {
        after: after.digest().to_owned(),
        added: new.difference(&old).cloned().collect(),
        removed: old.difference(&new).cloned().collect(),
        changed: new.intersection(&old).filter(changed).cloned().collect(),
        ..Reloaded::default()
    }
}

/// Settings that differ and count only from the next start.
fn at_next_start(old: &Config, new: &Config) -> Vec<String> {
    let prefetch = |config: &Config| config.amqp.as_ref().map(|amqp| amqp.prefetch);
    let ingest = |config: &Config| config.ingest.as_ref().map(|ingest| ingest.listen);
    let callbacks =
        |config: &Config| config.callbacks.as_ref().map(|one| (one.listen, one.concurrency));
    let parts = [
        ("[store]", format!("{:?}", old.store) != format!("{:?}", new.store)),
        ("gateway.municipalities", old.municipalities != new.municipalities),
        ("gateway.max-body", old.max_body != new.max_body),
        ("gateway.drain", old.drain != new.drain),
        ("gateway.log", old.log != new.log),
        ("ops.listen", old.ops.listen != new.ops.listen),
        ("ingest.listen", ingest(old) != ingest(new)),
        ("callbacks.listen, callbacks.concurrency", callbacks(old) != callbacks(new)),
        ("amqp.prefetch", prefetch(old) != prefetch(new)),
    ];
    let differs = parts.into_iter().filter(|(_, differs)| *differs);
    differs.map(|(name, _)| format!("{name} counts from the next start")).collect()
}
