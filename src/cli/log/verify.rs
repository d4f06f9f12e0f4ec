//! `watashi log verify`, and the small binary `watashi-verify`, which needs nothing but segments and a
//! public key.

use super::file_trouble;
use crate::archive::Archive;
use crate::archive::verify::{Report, Unreadable, folder};
use crate::cli::trouble::{CONFIGURATION, INTEGRITY, Trouble};
use crate::cli::{Global, Outcome, load, print};
use crate::config::Config;
use crate::model::codes::store as codes;
use crate::record::note::read_keys;
use crate::record::verifier::{Finding, Why};
use crate::record::{Checkpoint, Verifier, checkpoint, hex};
use crate::store::Store;
use crate::store::record::each_row;
use clap::{Args, Parser};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A folder of segments; without it the store's own record
    #[arg(value_name = "DIR", requires = "key")]
    folder: Option<PathBuf>,
    /// Public keys, one a line (`watashi keys public`); old ones stay listed
    #[arg(long, value_name = "FILE", requires = "folder")]
    key: Option<PathBuf>,
    /// A checkpoint that was kept elsewhere: shows a cut end and a second history
    #[arg(long, value_name = "FILE", requires = "folder")]
    checkpoint: Vec<PathBuf>,
}

/// Verifies the record of a Watashi offline: segments and a public key are all it needs.
#[derive(Debug, Parser)]
#[command(
    name = "watashi-verify",
    version,
    after_help = "Exit codes: 0 verified, 2 usage, 3 a bad entry, 69 not readable, 78 not a key"
)]
struct Alone {
    /// The folder of segments
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Public keys, one a line; old ones stay listed
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A checkpoint that was kept elsewhere: shows a cut end and a second history
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The whole of `watashi-verify`.
pub fn main() -> ExitCode {
    let alone = match Alone::try_parse() {
        Ok(alone) => alone,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            // Help and version come this way too, with exit code 0.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match segments(&alone.folder, &alone.key, &alone.checkpoint, alone.json) {
        Ok(Outcome::Exit(code)) => ExitCode::from(code),
        Ok(_) => ExitCode::SUCCESS,
        Err(trouble) => {
            print::human(&trouble.to_string());
            ExitCode::from(trouble.exit)
        }
    }
}

pub(super) fn run(global: &Global, verify: &Verify) -> Result<Outcome, Trouble> {
    match (&verify.folder, &verify.key) {
        (Some(folder), Some(key)) => segments(folder, key, &verify.checkpoint, global.json),
        _ => own(global),
    }
}

fn read(path: &Path) -> Result<String, Trouble> {
    std::fs::read_to_string(path).map_err(|error| file_trouble(path, &error))
}

fn segments(path: &Path, key: &Path, kept: &[PathBuf], as_json: bool) -> Result<Outcome, Trouble> {
    let keys = read_keys(&read(key)?).map_err(|line| {
        let why = match line {
            0 => "there is no key in it".to_owned(),
            line => format!("line {line} is not a public key"),
        };
        Trouble::new(CONFIGURATION, format!("`{}`: {why}", key.display()))
            .hint("a public key is NAME+ID+KEY, as `watashi keys public` prints it")
    })?;
    let kept = kept.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let report = match folder(&Archive::new(path), &keys, &kept) {
        Ok(report) => report,
        Err(Unreadable::File(error)) => return Err(file_trouble(path, &error)),
        Err(Unreadable::Checkpoint(error, given)) => {
            let which =
                if given { "the checkpoint that was given" } else { "the newest checkpoint" };
            let why = format!("{which} is not accepted: {}", error.reason());
            return Err(Trouble::new(INTEGRITY, why).hint("is it the right key file?"));
        }
        Err(Unreadable::Other(origin)) => {
            let names: Vec<&str> = keys.iter().map(|key| key.name()).collect();
            let code = &codes::RECORD_OF_ANOTHER;
            let which = names.join(", ");
            let why = format!("{code} {}: it is of `{origin}`, the keys of {which}", code.title);
            return Err(Trouble::new(CONFIGURATION, why).hint("take the public key of that log"));
        }
    };
    told(&report, as_json)
}

fn told(report: &Report, as_json: bool) -> Result<Outcome, Trouble> {
    let (size, root) = (report.head.size, hex(&report.head.root));
    let entries = size - report.start.min(size);
    if as_json {
        let finding = report.finding.map(|finding| {
            json!({
                "first": finding.first,
                "last": finding.last,
                "why": finding.why.reason(),
                "proven_to": finding.proven,
                "file": report.file,
            })
        });
        print::json(&json!({
            "verified": finding.is_none(),
            "first_bad": report.finding.map(|finding| finding.first),
            "finding": finding,
            "segments": report.segments,
            "entries": entries,
            "head": {"size": size, "root": root},
            "newest_checkpoint": report.newest,
            "origin": report.origin,
        }))?;
    }
    if let Some(finding) = report.finding {
        print::human(&found(&finding, report.file.as_deref()));
        return Ok(Outcome::Exit(INTEGRITY));
    }
    if !as_json {
        let entries = print::plural(usize::try_from(entries).unwrap_or(usize::MAX), "entry");
        let segments = print::plural(report.segments, "segment");
        let origin =
            report.origin.as_deref().map_or_else(String::new, |name| format!(" of {name}"));
        print::data(&format!("verified: {entries} in {segments}{origin}\n"))?;
    }
    if report.start > 0 {
        print::human(&format!("entries 1 to {} were pruned, as the record tells", report.start));
    }
    print::human(&format!("head: size {size}, root {root}"));
    if let Some(newest) = report.newest.filter(|newest| *newest > size) {
        print::human(&format!(
            "the newest checkpoint is of {newest} entries: those after {size} are in no segment yet"
        ));
    }
    Ok(Outcome::Fine)
}

/// The finding in words.
fn found(finding: &Finding, file: Option<&str>) -> String {
    let Finding { first, last, why, proven } = finding;
    let code = &codes::RECORD_BROKEN;
    let place = file.map(|file| format!("{file}: ")).unwrap_or_default();
    let which = if first == last {
        format!("first bad sequence: {first}")
    } else {
        format!("first bad sequence: {first}, or one of those up to {last}")
    };
    let proof = match (proven, why) {
        (0, _) => "no entry is proven".to_owned(),
        (proven, _) => format!("entries up to {proven} are proven by a signed checkpoint"),
    };
    let hint = match why {
        Why::Checkpoint(_) => "is it the right key file? Otherwise keep the files as evidence",
        Why::Missing | Why::Truncated | Why::Shorter | Why::Beginning => {
            "look for the missing files at the other places they were exported to"
        }
        _ => "keep the files as evidence",
    };
    format!(
        "error: {place}{} {}: {}\n{which}; {proof}\nhint: {hint}",
        code.code,
        code.title,
        why.reason()
    )
}

fn checked(config: &Config, store: &dyn Store) -> Result<Walked, Trouble> {
    let keys = crate::config::record::public(config)?;
    load::wait(walk(store, |checkpoint| {
        // Signed by a key that is no longer listed: its root counts all the same.
        let opened = checkpoint::open(&checkpoint.note, &keys);
        !matches!(opened, Err(checkpoint::NoteError::Forged | checkpoint::NoteError::Form))
    }))?
}

/// The store's own record: what was verified, or the first that is bad.
pub(in crate::cli) fn own_record(
    config: &Config,
    store: &dyn Store,
) -> Result<Result<String, String>, Trouble> {
    let Walked { entries, sealed, bad, .. } = checked(config, store)?;
    Ok(match bad {
        None => Ok(format!("{entries} entries verified, sealed up to {sealed}")),
        Some((first, _, why)) => Err(format!("{why}; first bad sequence: {first}")),
    })
}

/// The store's own record, against its own checkpoints.
fn own(global: &Global) -> Result<Outcome, Trouble> {
    let config = load::config(global)?;
    let store = load::store(&config)?;
    let checked = checked(&config, &*store)?;
    let (size, root) = (checked.size, hex(&checked.root));
    if let Some((first, last, why)) = checked.bad {
        if global.json {
            let entries = checked.entries;
            print::json(&json!({"entries": entries, "verified": false, "first_bad": first}))?;
        }
        let which = match last {
            Some(last) => format!("{first}, or one of those up to {last}"),
            None => first.to_string(),
        };
        let code = &codes::RECORD_BROKEN;
        print::human(&format!(
            "error: {} {}: {why}\nfirst bad sequence: {which}, after {} good ones\n\
             hint: keep the files as evidence",
            code.code, code.title, checked.entries
        ));
        return Ok(Outcome::Exit(INTEGRITY));
    }
    let sealed = checked.sealed;
    if global.json {
        let head: Value = json!({"sequence": size, "root": root});
        print::json(&json!({
            "entries": checked.entries,
            "verified": true,
            "first_bad": null,
            "sealed": sealed,
            "head": head,
        }))?;
    } else {
        let entries = usize::try_from(checked.entries).unwrap_or(usize::MAX);
        print::data(&format!("verified: {}\n", print::plural(entries, "entry")))?;
        if size > 0 {
            let keys = crate::config::record::public(&config)?;
            let origin = keys.first().map_or_else(String::new, |key| format!(" of {}", key.name()));
            print::human(&format!("head{origin}: size {size}, root {root}; sealed up to {sealed}"));
            print::human(
                "hint: that the end was not cut off is shown by the checkpoints that were exported",
            );
        }
    }
    Ok(Outcome::Fine)
}

/// What walking the store's record found.
#[derive(Default)]
struct Walked {
    entries: u64,
    size: u64,
    root: [u8; 32],
    sealed: u64,
    /// First bad sequence, the last it may be, and why.
    bad: Option<(u64, Option<u64>, String)>,
}

async fn walk(store: &dyn Store, signed: impl Fn(&Checkpoint) -> bool) -> Result<Walked, Trouble> {
    let pruned = store.pruned().await?;
    let start = pruned.size();
    let mut checkpoints = Vec::new();
    let mut after = start;
    loop {
        let page = store.checkpoints(after, 10_000).await?;
        let Some(last) = page.last() else { break };
        after = last.head.size;
        checkpoints.extend(page);
    }
    let mut next = checkpoints.iter().peekable();
    let mut walked = Walked { sealed: start, ..Walked::default() };
    let mut verifier = Verifier::after(pruned);
    each_row::<Trouble>(store, i64::try_from(start).unwrap_or(i64::MAX), |row| {
        if !verifier.push(&row) {
            return Ok(false);
        }
        let size = verifier.tree().size();
        if let Some(checkpoint) = next.next_if(|checkpoint| checkpoint.head.size == size) {
            if checkpoint.head.root != verifier.tree().root() || !signed(checkpoint) {
                let why = "entries and their leaf hashes, or a checkpoint, were changed".to_owned();
                walked.bad = Some((walked.sealed + 1, Some(size), why));
                return Ok(false);
            }
            walked.sealed = size;
        }
        Ok(true)
    })
    .await?;
    let verdict = verifier.finish();
    let missing = next.next().map(|checkpoint| checkpoint.head.size);
    walked.entries = verdict.entries;
    (walked.size, walked.root) = (verdict.head.size, verdict.head.root);
    if let (None, Some((sequence, why))) = (&walked.bad, verdict.first_bad) {
        walked.bad = Some((sequence.unsigned_abs(), None, why.reason().to_owned()));
    }
    if let (None, Some(size)) = (&walked.bad, missing) {
        let why = format!("a checkpoint of {size} entries is signed: the end was cut off");
        walked.bad = Some((walked.size + 1, Some(size), why));
    }
    Ok(walked)
}
