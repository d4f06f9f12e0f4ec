//! `watashi log`: search, verify, export, disclose and prune the record.

use super::trouble::{Trouble, UNAVAILABLE};
use super::{Global, Outcome};
use crate::diagnostic::nearest::nearest;
use crate::record::Kind;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, IsTerminal as _};
use std::path::Path;

pub(super) mod access;
mod find;
mod prune;
mod report;
mod segments;
mod verify;

pub(super) use find::rows;
pub use verify::main as verify_main;
pub(super) use verify::own_record;

const EXAMPLES: &str = "\
Examples:
  watashi log find --message 0190-abc
  watashi log verify                                     the store's own record
  watashi log verify /srv/record --key record.pub        segments; needs neither store nor configuration
  watashi log export-segments /mnt/audit
  watashi log disclose --subject - --operator 佐藤 --reason 開示請求12号 --format csv --ja
  watashi log export --from 2026-04-01 --to 2027-04-01 --format csv --operator 佐藤 --reason 監査";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    act: LogCommand,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Find entries; all filters given must match
    Find(find::Find),
    /// Verify the store's record, or a folder of segments; exit code 3 and the first bad sequence
    Verify(verify::Verify),
    /// All entries of one person (開示請求); this itself becomes an entry
    Disclose(report::Disclose),
    /// Entries of a time for an auditor; this itself becomes an entry
    Export(report::Export),
    /// Write signed segments into a folder: one per ended day, and what is newer
    ExportSegments(segments::ExportSegments),
    /// Delete entries of whole years (年度) that need not be kept any longer; the rest still verifies.
    /// With SQLite the gateway is stopped for it
    Prune(prune::Prune),
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    match &arguments.act {
        LogCommand::Find(find) => find::run(global, find),
        LogCommand::Verify(verify) => verify::run(global, verify),
        LogCommand::Disclose(disclose) => report::disclose(global, disclose),
        LogCommand::Export(export) => report::export(global, export),
        LogCommand::ExportSegments(segments) => segments::run(global, segments),
        LogCommand::Prune(prune) => prune::run(global, prune),
    }
}

/// A day in Japan, or an instant with its offset.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    crate::config::record::instant(text)
        .ok_or_else(|| "not a time such as 2026-04-01 or 2026-04-01T09:00:00+09:00".to_owned())
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::from_name(text).ok_or_else(|| {
        let names = Kind::ALL.map(Kind::name);
        match nearest(text, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("one of: {}", names.join(", ")),
        }
    })
}

/// The first line of a file, or of standard input for `-`: an ordering value never stands on the
/// command line, where the history and other users' process lists would show it.
fn person(from: &Path) -> Result<String, Trouble> {
    let mut line = String::new();
    if from == Path::new("-") {
        let stdin = std::io::stdin();
        if stdin.is_terminal() {
            super::print::human("宛名番号:");
        }
        let read = stdin.lock().read_line(&mut line);
        read.map_err(|error| {
            Trouble::new(UNAVAILABLE, format!("standard input: {}", error.kind()))
        })?;
    } else {
        let file = File::open(from).map_err(|error| file_trouble(from, &error))?;
        let read = std::io::BufReader::new(file).read_line(&mut line);
        read.map_err(|error| file_trouble(from, &error))?;
    }
    match line.trim() {
        "" => Err(Trouble::usage("no 宛名番号 was given")),
        person => Ok(person.to_owned()),
    }
}

/// A new file that only its owner may read: evidence is neither overwritten nor shown around.
fn create(path: &Path) -> Result<File, Trouble> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
        let trouble = file_trouble(path, &error);
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => trouble.hint("an export is never overwritten"),
            _ => trouble,
        }
    })
}

pub(super) fn file_trouble(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::new(UNAVAILABLE, format!("`{}`: {}", path.display(), error.kind()))
}
