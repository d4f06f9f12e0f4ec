//! `watashi restore`: a backup becomes the store, in a new epoch in which nothing is sent blindly.

use super::operator::{Acting, Reasons};
use super::trouble::Trouble;
use super::{Global, Outcome, load, print};
use crate::archive::since::{Since, since};
use crate::config::Config;
use crate::model::Clock;
use crate::model::clock::SystemClock;
use crate::store::backup::Manifest;
use crate::store::sqlite::backup;
use crate::store::{EpochBegun, Ghost, NewEpoch, SqliteStore, Store};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

const EXAMPLES: &str = "\
After it, whatever may have been sent since the backup is `unknown` and is resolved as its operation
declares. Have upstream post again what it posted since the backup; then say so with --complete.

Examples:
  watashi restore /backup/watashi-20260401T030000Z.db --record /export/record
      --operator sato --reason 'disk lost'
  watashi restore --adopt --operator sato --reason 'image of the machine put back'
  watashi restore --complete --operator sato --reason 'all posted again'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(super) struct Arguments {
    /// The backup; its manifest stands beside it
    #[arg(value_name = "BACKUP", group = "what")]
    backup: Option<PathBuf>,
    /// Take the store as it is: something else put it back
    #[arg(long, group = "what")]
    adopt: bool,
    /// Upstream has posted again what was lost: new messages are new from now on
    #[arg(long, group = "what")]
    complete: bool,
    /// Where to put the store [default: `[store] path`]
    #[arg(long, value_name = "FILE", requires = "backup")]
    to: Option<PathBuf>,
    /// Folder with exports of the record: what is newer than the backup is taken over
    /// [default: `[record] export`]
    #[arg(long, value_name = "FOLDER", conflicts_with = "complete")]
    record: Option<PathBuf>,
    /// Go on without the exports; where checkpoints were signed since the backup, the gateway then
    /// needs a signing key of another name and an empty export folder
    #[arg(long, conflicts_with_all = ["record", "complete"])]
    no_record: bool,
    #[command(flatten)]
    reasons: Reasons,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    arguments.reasons.check()?;
    let config = load::config(global)?;
    if arguments.complete {
        return complete(global, &config, &arguments.reasons);
    }
    if config.store.postgres.is_some() {
        return told(global, &load::wait(adopt_database(&config, arguments))??);
    }
    let keys = load::keys(&config)?;
    let begun = match &arguments.backup {
        Some(file) => {
            let size = Manifest::read(file)?.record_size;
            let to = arguments.to.as_ref().unwrap_or(&config.store.path);
            let epoch = new_epoch(&config, arguments, size)?;
            load::wait(backup::restore(file, to, keys, epoch))??
        }
        None => {
            let store = &config.store.path;
            if !store.exists() {
                return Err(load::no_store(store));
            }
            let size = load::wait(async {
                let reading = SqliteStore::open_read_only(store, keys.clone())?;
                Ok::<_, Trouble>(reading.tree().await?.size())
            })??;
            load::wait(backup::adopt(store, keys, new_epoch(&config, arguments, size)?))??
        }
    };
    told(global, &begun)
}

/// A database that its own tools have put back.
async fn adopt_database(config: &Config, arguments: &Arguments) -> Result<EpochBegun, Trouble> {
    if arguments.backup.is_some() {
        load::only_sqlite(config, "put it back with PostgreSQL's own tools, then `--adopt`")?;
    }
    let Acting::Here { store, clock, .. } = Acting::begin(config).await? else {
        return Err(Trouble::usage("the store is a PostgreSQL database"));
    };
    let size = store.tree().await?.size();
    let epoch = NewEpoch { at: clock.now(), ..new_epoch(config, arguments, size)? };
    let begun = store.begin_epoch(epoch).await?;
    store.close().await?;
    Ok(begun)
}

fn new_epoch(config: &Config, arguments: &Arguments, size: u64) -> Result<NewEpoch, Trouble> {
    let folder = match arguments.no_record {
        true => None,
        false => arguments.record.as_ref().or(config.record.export.as_ref()),
    };
    let Since { entries, checkpoints, head } = match folder {
        Some(folder) => since(folder, size, &crate::config::record::public(config)?)?,
        None => Since::default(),
    };
    let Reasons { operator, reason } = &arguments.reasons;
    Ok(NewEpoch {
        at: SystemClock.now(),
        operator: operator.clone(),
        reason: reason.clone(),
        ghosts: Ghost::of(&entries),
        entries,
        checkpoints,
        head,
    })
}

fn told(global: &Global, begun: &EpochBegun) -> Result<Outcome, Trouble> {
    let EpochBegun { epoch, unknown, ended, ghosts, entries } = begun;
    if global.json {
        print::json(&json!({"epoch": epoch, "unknown": unknown, "ended": ended,
            "ghosts": ghosts, "entries": entries}))?;
    } else {
        print::data(&format!("epoch {epoch}\n"))?;
        print::human(&format!(
            "unknown now: {unknown}; ended by what the record tells: {ended}; lost messages it knows \
             of: {ghosts}; entries taken over: {entries}\n\
             hint: start the gateway, have upstream post again what it posted since the backup, then \
             `watashi restore --complete`"
        ));
    }
    Ok(Outcome::Fine)
}

fn complete(global: &Global, config: &Config, reasons: &Reasons) -> Result<Outcome, Trouble> {
    let acting = load::wait(Acting::begin(config))??;
    let ended = load::wait(async {
        let ended = acting.complete_restore(reasons).await?;
        acting.end().await?;
        Ok::<_, Trouble>(ended)
    })??;
    if global.json {
        print::json(&json!({"completed": ended}))?;
    } else {
        print::human(if ended { "completed" } else { "no restore waits for this" });
    }
    Ok(if ended { Outcome::Fine } else { Outcome::Findings })
}
