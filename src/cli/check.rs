//! `watashi check`: whether everything is there that `run` needs. Reads, connects and asks;
//! changes nothing and sends no message.

use super::simulated::{self, Wanted};
use super::trouble::{CONFIGURATION, Trouble, UNAVAILABLE, exit_of};
use super::{Global, Outcome, apart, load, log, print};
use crate::adapter::{Adapter, Bundle};
use crate::config::connect::{self, StartProblem};
use crate::config::{Config, CounterpartConfig, Reference, agree, place, scanner};
use crate::diagnostic::render;
use crate::model::clock::SystemClock;
use crate::model::codes::{config as codes, signature, store as store_codes};
use crate::model::{Clock, Code};
use crate::store::{PostgresStore, SqliteStore};
use crate::transport::amqp::topology;
use crate::transport::https;
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// A certificate that ends sooner is told of, in days.
const SOON: i64 = 30;

/// One line of the report.
struct Item {
    what: String,
    finding: Finding,
}

enum Finding {
    /// As it should be, with what was found.
    Fine(String),
    /// Works today.
    Soon(String),
    /// Does not work.
    Failed { code: &'static Code, detail: String },
}

impl Item {
    fn fine(what: impl Into<String>, detail: impl Into<String>) -> Item {
        Item { what: what.into(), finding: Finding::Fine(detail.into()) }
    }

    fn failed(what: impl Into<String>, code: &'static Code, detail: impl Into<String>) -> Item {
        Item { what: what.into(), finding: Finding::Failed { code, detail: detail.into() } }
    }

    fn problem(what: impl Into<String>, problem: StartProblem) -> Item {
        Item::failed(what, problem.code, problem.detail)
    }

    fn exit(&self) -> u8 {
        match &self.finding {
            Finding::Fine(_) => 0,
            Finding::Soon(_) => 1,
            Finding::Failed { code, .. } => exit_of(code),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  watashi check                                    configuration, keys, store, broker, counterparts
  watashi check --against-simulator                every adapter against its simulator.yaml; no network
  watashi check --against-simulator --adapter NAME --behaviour late
  watashi check --apart /etc/watashi/*/watashi.toml   do municipalities on one machine share anything?
  watashi check --store                            the whole store, beside a running gateway too; takes minutes when large

Exit codes: 0 fine, 1 works today, 3 the store or its record is damaged, 69 unavailable, 78 configuration.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Look at the whole store instead: pages, references, lanes, ids, and the record against its checkpoints
    #[arg(long, conflicts_with = "against_simulator")]
    store: bool,
    /// Run adapters against the counterparts that their simulator.yaml plays
    #[arg(long)]
    against_simulator: bool,
    /// Only this adapter; may be given several times
    #[arg(long, value_name = "NAME", requires = "against_simulator")]
    adapter: Vec<String>,
    /// Only this behaviour: right, late, partial, refusing, silent, lying, closed
    #[arg(long, value_name = "WORD", requires = "against_simulator")]
    behaviour: Vec<String>,
    /// Folder that holds adapters/, schemas/ and mappings/
    #[arg(long, value_name = "DIR", requires = "against_simulator")]
    definitions: Option<PathBuf>,
    /// Compare the configurations of all municipalities of an installation: nothing may be shared
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with_all = ["store", "against_simulator"])]
    apart: Vec<PathBuf>,
    /// Leave owners and modes out: each gateway has a container of its own
    #[arg(long, requires = "apart")]
    in_containers: bool,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    if arguments.against_simulator {
        let wanted = Wanted {
            adapters: &arguments.adapter,
            behaviours: &arguments.behaviour,
            folder: arguments.definitions.as_deref(),
        };
        return simulated::run(global, &wanted);
    }
    if !arguments.apart.is_empty() {
        return apart::run(global, &arguments.apart, !arguments.in_containers);
    }
    let config = load::config(global)?;
    if arguments.store {
        return report(global, &inspect(&config)?);
    }
    let bundle = load::bundle(&config)?;
    let disagreements = agree::check(&config, &bundle);
    if !disagreements.is_empty() {
        print::human(render::text(&disagreements).trim_end());
        let message = "configuration and definitions do not agree";
        return Err(Trouble::new(CONFIGURATION, message));
    }
    report(global, &load::wait(all(&config, &bundle))?)
}

/// The store as a whole: what a start has no time for.
fn inspect(config: &Config) -> Result<Vec<Item>, Trouble> {
    let store = load::store(config)?;
    let inspected = load::wait(store.inspect())??;
    let mut items: Vec<Item> = inspected
        .into_iter()
        .map(|one| match one.found {
            Ok(found) => Item::fine(one.what, found),
            Err(error) => Item::failed(one.what, error.code, error.detail),
        })
        .collect();
    let record = log::own_record(config, &*store)?;
    items.push(match record {
        Ok(found) => Item::fine("record", found),
        Err(why) => Item::failed("record", &store_codes::RECORD_BROKEN, why),
    });
    Ok(items)
}

fn report(global: &Global, items: &[Item]) -> Result<Outcome, Trouble> {
    if global.json {
        let page: Vec<Value> = items.iter().map(page).collect();
        print::json(&page)?;
    } else {
        for item in items {
            print::data(&line(item))?;
        }
    }
    // Configuration first: what is not configured right cannot be judged unavailable.
    let exits: Vec<u8> = items.iter().map(Item::exit).collect();
    let worst = [CONFIGURATION, UNAVAILABLE, 3, 1].into_iter().find(|exit| exits.contains(exit));
    let failed = items.iter().filter(|item| matches!(item.finding, Finding::Failed { .. })).count();
    print::human(&format!("{}, {failed} failed", print::plural(items.len(), "check")));
    Ok(worst.map_or(Outcome::Fine, Outcome::Exit))
}

async fn all(config: &Config, bundle: &Bundle) -> Vec<Item> {
    let enabled = bundle.routes().filter(|route| bundle.is_enabled(&route.name)).count();
    let found = format!("{} on", print::plural(enabled, "route"));
    let mut items = vec![
        Item::fine("configuration", config.file.path.clone()),
        Item::fine("definitions", found),
    ];
    items.push(store(config).await);
    if let Some(token) = &config.ops.token {
        items.push(secret("ops token", token));
    }
    if let Some(ingest) = &config.ingest {
        items.push(match connect::server_tls(ingest) {
            Ok(tls) => match https::tls::server_config(&tls) {
                Ok(_) => certificate("ingest certificate", &tls.identity.certificate_pem),
                Err(error) => {
                    Item::failed("ingest certificate", &codes::BAD_CERTIFICATE, error.to_string())
                }
            },
            Err(problem) => Item::problem("ingest certificate", problem),
        });
        for (name, token) in &ingest.tokens {
            items.push(secret(&format!("ingest {name}"), token));
        }
    }
    if let Some(amqp) = &config.amqp {
        items.push(match broker(amqp).await {
            Ok(found) => Item::fine("broker", found),
            Err(problem) => Item::problem("broker", problem),
        });
    }
    if let Some(scanner) = scanner::open(config) {
        items.push(match scanner.version().await {
            Ok(version) => Item::fine("scanner", version),
            Err(error) => Item::failed("scanner", &signature::SCANNER_DOWN, error.to_string()),
        });
    }
    for adapter in agree::needed(bundle) {
        if let Some(settings) = config.counterparts.get(&adapter.name) {
            items.extend(counterpart(&adapter, settings).await);
        }
    }
    items
}

fn secret(what: &str, reference: &Reference) -> Item {
    match reference.secret() {
        Ok(_) => Item::fine(what, reference.shown()),
        Err(problem) => Item::problem(what, problem.into()),
    }
}

/// Keys and store together: the store knows which keys are its own. A running gateway is fine.
async fn store(config: &Config) -> Item {
    let keys = match connect::keys(config) {
        Ok(keys) => Arc::new(keys),
        Err(problem) => return Item::problem("keys", problem),
    };
    if let Some(postgres) = &config.store.postgres {
        let opened = async {
            let address = connect::postgres(postgres)?;
            let shown = format!("PostgreSQL on {}", address.hosts());
            let store = match PostgresStore::open_read_only(address, keys).await {
                Ok(store) => store,
                Err(error) if *error.code == store_codes::STORE_NOT_OPENED => {
                    let detail = format!("{shown}: tables will be made by `watashi run`");
                    return Ok(Finding::Fine(detail));
                }
                Err(error) => return Err(StartProblem::from(error)),
            };
            let code = &store_codes::FAILOVER_FORGETS;
            Ok(match store.failover_gap().await? {
                None => Finding::Fine(shown),
                Some(gap) => Finding::Soon(format!("{shown}: {code} {}: {gap}", code.title)),
            })
        };
        let what = "keys and store";
        return match opened.await {
            Ok(finding) => Item { what: what.to_owned(), finding },
            Err(problem) => Item::problem(what, problem),
        };
    }
    let path = &config.store.path;
    let shown = path.display();
    if path.exists() {
        return match SqliteStore::open_read_only(path, keys) {
            Ok(_) => Item::fine("keys and store", shown.to_string()),
            Err(error) => Item::problem("keys and store", error.into()),
        };
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_none_or(std::path::Path::is_dir) {
        return Item::fine("keys and store", format!("{shown} will be made by `watashi run`"));
    }
    let detail = format!("the folder of {shown} does not exist");
    Item::failed("keys and store", &store_codes::STORE_NOT_OPENED, detail)
}

fn certificate(what: impl Into<String>, pem: &[u8]) -> Item {
    let what = what.into();
    match https::expires_at(pem) {
        Some(end) => Item { finding: until(end), what },
        None => Item::failed(what, &codes::BAD_CERTIFICATE, "no certificate in it"),
    }
}

fn until(end: Timestamp) -> Finding {
    let days = end.duration_since(SystemClock.now()).as_hours().div_euclid(24);
    let text = format!("until {end:.0}, {}", print::plural(days.unsigned_abs() as usize, "day"));
    if days < 0 {
        let detail = format!("ended {end:.0}");
        Finding::Failed { code: &codes::BAD_CERTIFICATE, detail }
    } else if days < SOON {
        Finding::Soon(text)
    } else {
        Finding::Fine(text)
    }
}

async fn broker(amqp: &crate::config::AmqpConfig) -> Result<String, StartProblem> {
    let report = topology::check(&connect::broker(amqp, false)?).await?;
    report.verdict()?;
    Ok(format!("{} as expected", print::plural(report.lines.len(), "item")))
}

async fn counterpart(adapter: &Adapter, settings: &CounterpartConfig) -> Vec<Item> {
    let name = &adapter.name;
    let mut items = Vec::new();
    if let Some(reference) = &settings.client_certificate {
        let what = format!("{name}: client certificate");
        items.push(match reference.text() {
            Ok(pem) => certificate(what, pem.as_bytes()),
            Err(problem) => Item::problem(what, problem.into()),
        });
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    places(adapter, settings, &clock, &mut items).await;
    let Some(base_url) = &settings.base_url else { return items };
    let what = format!("{name}: {base_url}");
    let target = match connect::https_target(name, settings, &adapter.auth, clock) {
        Ok(target) => target,
        Err(problem) => {
            items.push(Item::problem(what, problem));
            return items;
        }
    };
    match https::probe(&target, &adapter.tokens()).await {
        Ok(probe) => {
            items.push(match probe.token {
                Ok(()) => Item::fine(what, format!("{} {}", probe.address, probe.protocol)),
                Err(error) => Item::failed(what, error.code, error.detail),
            });
            if let Some(end) = probe.certificate_until {
                let what = format!("{name}: certificate of the counterpart");
                items.push(Item { what, finding: until(end) });
            }
        }
        Err(error) => items.push(Item::failed(what, error.code, error.detail)),
    }
    items
}

/// Lists each place once.
async fn places(
    adapter: &Adapter,
    settings: &CounterpartConfig,
    clock: &Arc<dyn Clock>,
    items: &mut Vec<Item>,
) {
    for (name, config) in &settings.places {
        let what = format!("{}: place {name}", adapter.name);
        let place = match place::open(name, config, clock) {
            Ok(place) => place,
            Err(problem) => {
                items.push(Item::problem(what, problem));
                continue;
            }
        };
        items.push(match place.list("").await {
            Ok(entries) => Item::fine(what, print::plural(entries.len(), "file")),
            Err(error) => Item::failed(what, error.code, error.detail),
        });
    }
}

fn line(item: &Item) -> String {
    let what = &item.what;
    match &item.finding {
        Finding::Fine(detail) => format!("ok      {what}: {detail}\n"),
        Finding::Soon(detail) => {
            format!("SOON    {what}: {detail}\n        hint: renew it\n")
        }
        Finding::Failed { code, detail } => {
            let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
            format!(
                "FAILED  {what}: {code} {}{detail}\n        hint: {}\n",
                code.title, code.remedy
            )
        }
    }
}

fn page(item: &Item) -> Value {
    match &item.finding {
        Finding::Fine(detail) => json!({"item": item.what, "result": "ok", "detail": detail}),
        Finding::Soon(detail) => json!({"item": item.what, "result": "soon", "detail": detail}),
        Finding::Failed { code, detail } => json!({
            "item": item.what,
            "result": "failed",
            "code": code.code,
            "detail": detail,
            "remedy": code.remedy,
        }),
    }
}
