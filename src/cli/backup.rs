//! `watashi backup`: a copy of the store beside a running gateway, and a look at one.

use super::trouble::Trouble;
use super::{Global, Outcome, load, print};
use crate::model::Clock;
use crate::model::clock::SystemClock;
use crate::store::backup::Manifest;
use crate::store::sqlite::backup;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
The gateway may run. Bodies stay sealed in the backup; keep the keys elsewhere.

Examples:
  watashi backup /backup/               a new file with a name of its own
  watashi backup /backup/before-update.db
  watashi backup --check /backup/before-update.db";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A new file, or a folder in which the backup gets a name of its own
    #[arg(value_name = "FILE|FOLDER")]
    target: PathBuf,
    /// Look at a backup instead: manifest, digest, every page, the record, the keys
    #[arg(long)]
    check: bool,
    /// Megabytes copied a second at most; 0: as fast as the disk goes
    #[arg(long, value_name = "MB", default_value_t = 64, conflicts_with = "check")]
    rate: u64,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let config = load::config(global)?;
    let keys = load::keys(&config)?;
    let target = &arguments.target;
    if arguments.check {
        return told(global, target, "good", &backup::check(target, &keys)?);
    }
    load::only_sqlite(&config, "back it up with PostgreSQL's own tools: docs/ops/topology.md")?;
    let store = &config.store.path;
    if !store.exists() {
        return Err(load::no_store(store));
    }
    let now = SystemClock.now();
    let file = if target.is_dir() { backup::name_in(target, now) } else { target.clone() };
    let rate = arguments.rate.saturating_mul(1 << 20);
    let manifest = backup::backup(store, &keys, &file, rate, now)?;
    told(global, &file, "written", &manifest)
}

fn told(global: &Global, file: &Path, word: &str, manifest: &Manifest) -> Result<Outcome, Trouble> {
    if global.json {
        print::json(&json!({"file": file, "manifest": manifest}))?;
    } else {
        print::data(&format!("{}\n", file.display()))?;
        let Manifest { bytes, record_size, epoch, taken_at, .. } = manifest;
        print::human(&format!(
            "{word}: {bytes} bytes, taken {taken_at}, epoch {epoch}, record of {record_size}"
        ));
    }
    Ok(Outcome::Fine)
}
