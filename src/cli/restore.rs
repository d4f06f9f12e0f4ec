//! `watashi restore`: a backup becomes the store, in a new epoch in which nothing is sent blindly.

use super::operator::{Acting, Reasons};
use super::trouble::{Trouble, UNAVAILABLE};
use super::{Global, Outcome, load, print};
use crate::model::Clock;
use crate::model::clock::SystemClock;
use crate::record::{RecordRow, parse_export};
use crate::store::backup::Manifest;
use crate::store::sqlite::backup;
use crate::store::{EpochBegun, Ghost, NewEpoch, SqliteStore, Store};
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

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
    #[arg(long, value_name = "FOLDER", conflicts_with = "complete")]
    record: Option<PathBuf>,
    #[command(flatten)]
    reasons: Reasons,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    arguments.reasons.check()?;
    let config = load::config(global)?;
    if arguments.complete {
        return complete(global, &config, &arguments.reasons);
    }
    let keys = load::keys(&config)?;
    let begun = match &arguments.backup {
        Some(file) => {
            let size = Manifest::read(file)?.record_size;
            let to = arguments.to.as_ref().unwrap_or(&config.store.path);
            let epoch = new_epoch(arguments, size)?;
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
            load::wait(backup::adopt(store, keys, new_epoch(arguments, size)?))??
        }
    };
    told(global, &begun)
}

fn new_epoch(arguments: &Arguments, size: u64) -> Result<NewEpoch, Trouble> {
    let entries = match &arguments.record {
        Some(folder) => entries_after(folder, size)?,
        None => Vec::new(),
    };
    let Reasons { operator, reason } = &arguments.reasons;
    Ok(NewEpoch {
        at: SystemClock.now(),
        operator: operator.clone(),
        reason: reason.clone(),
        ghosts: Ghost::of(&entries),
        entries,
        head: None,
    })
}

/// The exported entries that are newer than a size, in order and each once.
fn entries_after(folder: &Path, size: u64) -> Result<Vec<RecordRow>, Trouble> {
    let unreadable = |path: &Path, error: &std::io::Error| {
        Trouble::new(UNAVAILABLE, format!("{}: {}", path.display(), error.kind()))
    };
    let mut rows = BTreeMap::new();
    let files = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    for file in files {
        let path = file.map_err(|error| unreadable(folder, &error))?.path();
        if path.extension().is_none_or(|end| end != "jsonl") {
            continue;
        }
        let file = File::open(&path).map_err(|error| unreadable(&path, &error))?;
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|error| unreadable(&path, &error))?;
            if line.starts_with("{\"segment\":") || line.starts_with("{\"checkpoint\":") {
                continue;
            }
            let Some(row) = parse_export(&line) else {
                let code = &crate::model::codes::store::RECORD_LINE_INVALID;
                return Err(crate::store::StoreError::new(code, path.display().to_string()).into());
            };
            if u64::try_from(row.sequence).is_ok_and(|sequence| sequence > size) {
                rows.insert(row.sequence, row);
            }
        }
    }
    Ok(rows.into_values().collect())
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

fn complete(
    global: &Global,
    config: &crate::config::Config,
    reasons: &Reasons,
) -> Result<Outcome, Trouble> {
    let acting = Acting::begin(config)?;
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
