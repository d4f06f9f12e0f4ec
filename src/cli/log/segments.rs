//! `watashi log export-segments`: the same segments as the gateway exports, by command.

use super::file_trouble;
use crate::archive::{Archive, export};
use crate::cli::trouble::Trouble;
use crate::cli::{Global, Outcome, load, print};
use crate::model::Clock;
use crate::model::clock::SystemClock;
use crate::record::segment::day_of;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct ExportSegments {
    /// A folder; it must exist. What is there already stays as it is
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn run(global: &Global, arguments: &ExportSegments) -> Result<Outcome, Trouble> {
    let store = load::store(&load::config(global)?)?;
    let archive = Archive::new(&arguments.folder);
    let today = day_of(SystemClock.now());
    let reached = load::wait(async {
        let (reached, newest) = export::bring_up(&*store, &archive, today).await?;
        if let Some(newest) = newest {
            let put = archive.put_newest(&newest.note);
            put.map_err(|error| file_trouble(&arguments.folder, &error))?;
        }
        Ok::<u64, Trouble>(reached)
    })??;
    let segments = archive.segments().map_err(|error| file_trouble(&arguments.folder, &error))?;
    let segments = print::plural(segments.len(), "segment");
    print::human(&format!("`{}`: {segments}, up to {reached}", arguments.folder.display()));
    let newer = load::wait(store.tree())??.size() - reached;
    if newer > 0 {
        print::human(&format!(
            "hint: {} not sealed yet: the running gateway does it within a second",
            print::plural(usize::try_from(newer).unwrap_or(usize::MAX), "entry")
        ));
    }
    Ok(Outcome::Fine)
}
