//! `watashi reconcile`: what a counterpart holds against the originals, by key. Shows keys and names
//! of items, never a value.

use super::operator::{Acting, Reasons, post_json};
use super::trouble::{Trouble, UNAVAILABLE};
use super::{Global, Outcome, load, print};
use crate::adapter::Bundle;
use crate::adapter::reconcile::{FileSide, OurSide, Reconciliation, Told};
use crate::diagnostic::nearest::nearest;
use crate::model::Clock;
use crate::model::clock::SystemClock;
use crate::ops::record::Access;
use crate::reconcile::{self, Counts, Finding, Sorted, Sorter, Teller};
use crate::record::{Kind, Query};
use crate::store::Store;
use crate::store::record::each_row;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs::File;
use std::hash::RandomState;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  watashi reconcile                                      which comparisons there are
  watashi reconcile chukan/copies --theirs export.csv --ours originals.jsonl --operator 佐藤 --reason 月次照合
  watashi reconcile chukan/provision-log --theirs log.csv --from 2026-05-01 --to 2026-06-01 --operator 佐藤 --reason 月次照合

Exit codes: 0 both sides agree, 1 they differ or a record cannot be compared";

/// Records that cannot be compared are shown up to this number, and counted.
const SHOWN: usize = 1_000;
/// Bytes gathered before they are printed.
const CHUNK: usize = 64 * 1024;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// ADAPTER/NAME of a comparison that the adapter declares; none lists them
    name: Option<String>,
    /// File that says what the counterpart holds; may be given several times
    #[arg(long, value_name = "FILE")]
    theirs: Vec<PathBuf>,
    /// File with the originals; not where the comparison is with the record
    #[arg(long, value_name = "FILE")]
    ours: Vec<PathBuf>,
    /// Of the record: entries at or after 2026-04-01 (Japanese time)
    #[arg(long, value_name = "TIME", value_parser = super::log::time)]
    from: Option<Timestamp>,
    /// Of the record: entries before
    #[arg(long, value_name = "TIME", value_parser = super::log::time)]
    to: Option<Timestamp>,
    /// How differences are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Memory for sorting, in MiB; more goes to the folder of `--scratch`, as keys and hashes
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    memory: u64,
    /// Folder for what does not fit into memory [default: the system's]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    #[command(flatten)]
    who: Who,
}

/// As of every act; not needed to list.
#[derive(Debug, Args)]
struct Who {
    /// Who acts, as the record shall name them
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// Why; no personal data, for it goes into the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each
    Text,
    /// One JSON object
    Json,
    /// A table: finding, key, items
    Csv,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let Some(name) = &arguments.name else { return list(global) };
    let format = if global.json { Format::Json } else { arguments.format };
    let (Some(operator), Some(reason)) = (&arguments.who.operator, &arguments.who.reason) else {
        return Err(Trouble::usage(
            "`--operator` and `--reason` are needed: a comparison is recorded",
        ));
    };
    let reasons = Reasons { operator: operator.clone(), reason: reason.clone() };
    reasons.check()?;
    let config = load::config(global)?;
    let bundle = load::bundle(&config)?;
    let rule = find(&bundle, name)?;
    if arguments.theirs.is_empty() {
        return Err(Trouble::usage("`--theirs FILE` is needed: what the counterpart holds"));
    }
    let by_record = matches!(rule.ours, OurSide::Record { .. });
    if by_record != arguments.ours.is_empty() {
        let hint =
            if by_record { "leave `--ours` out" } else { "name the originals: `--ours FILE`" };
        let with = if by_record { "the record" } else { "files" };
        return Err(Trouble::usage(format!("`{name}` compares with {with}")).hint(hint));
    }
    let mut reading = Reading::new(&rule, arguments);
    let theirs = reading.files("theirs", &rule.theirs, &arguments.theirs)?;
    let acting = load::wait(Acting::begin(&config))??;
    let ours = match &rule.ours {
        OurSide::Files(side) => reading.files("ours", side, &arguments.ours)?,
        OurSide::Record { kinds, told } => {
            let store: Arc<dyn Store> = match &acting {
                Acting::Here { store, .. } => store.clone(),
                Acting::There { .. } => load::store(&config)?,
            };
            let query = Query { from: arguments.from, until: arguments.to, ..Query::default() };
            reading.record(&*store, kinds, told, &query)?
        }
    };
    let Reading { teller, unread, unread_shown, .. } = reading;
    // Gone through twice: that it was compared, and how they agree, is recorded before a key is shown.
    let nothing = |_: &str, _: Finding<'_>| Ok::<(), Unreadable>(());
    let counts = reconcile::compare(&theirs, &ours, &teller.names, nothing)?;
    note(&acting, name, &counts, unread, &reasons)?;
    load::wait(acting.end())??;
    let mut report = Report::begin(format, name);
    for place in &unread_shown {
        report.line("unreadable", "", &[], Some(place))?;
    }
    reconcile::compare(&theirs, &ours, &teller.names, |key, finding| {
        let place = match &finding {
            Finding::Repeated(they, we) => Some(format!("theirs {they}, ours {we}")),
            _ => None,
        };
        let items = match &finding {
            Finding::Differing(items) => items.as_slice(),
            _ => &[],
        };
        report.line(finding.word(), key, items, place.as_deref()).map_err(Unreadable)
    })?;
    report.end(&counts, unread)?;
    Ok(if counts.agree() && unread == 0 { Outcome::Fine } else { Outcome::Findings })
}

/// Trouble on the way through the runs.
struct Unreadable(Trouble);

impl From<std::io::Error> for Unreadable {
    fn from(error: std::io::Error) -> Unreadable {
        Unreadable(Trouble::new(UNAVAILABLE, format!("sorting: {}", error.kind())))
    }
}

impl From<Unreadable> for Trouble {
    fn from(unreadable: Unreadable) -> Trouble {
        unreadable.0
    }
}

fn list(global: &Global) -> Result<Outcome, Trouble> {
    let bundle = load::bundle_anyway(global)?;
    let all = bundle.adapters.values().flat_map(|adapter| {
        adapter.reconciliations.values().map(|one| (format!("{}/{}", adapter.name, one.name), one))
    });
    let with = |one: &Reconciliation| match one.ours {
        OurSide::Files(_) => "files",
        OurSide::Record { .. } => "the record",
    };
    if global.json {
        let one = |(name, one): (String, &Arc<Reconciliation>)| json!({"name": name, "title": one.title_ja, "ours": with(one), "schema": one.schema.id()});
        print::json(&all.map(one).collect::<Vec<Value>>())?;
    } else {
        let row = |(name, one): (String, &Arc<Reconciliation>)| {
            vec![name, with(one).to_owned(), one.title_ja.clone()]
        };
        print::data(&print::table(
            &["comparison", "with", "title"],
            &all.map(row).collect::<Vec<_>>(),
        ))?;
    }
    Ok(Outcome::Fine)
}

fn find(bundle: &Bundle, name: &str) -> Result<Arc<Reconciliation>, Trouble> {
    let found = name
        .split_once('/')
        .and_then(|(adapter, one)| bundle.adapters.get(adapter)?.reconciliations.get(one).cloned());
    found.ok_or_else(|| {
        let all: Vec<String> = bundle
            .adapters
            .values()
            .flat_map(|adapter| {
                adapter.reconciliations.keys().map(|one| format!("{}/{one}", adapter.name))
            })
            .collect();
        let hint = match nearest(name, all.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", all.join(", ")),
        };
        Trouble::usage(format!("no adapter declares the comparison `{name}`")).hint(hint)
    })
}

/// Both sides are read by one teller: the same name has the same number, the same value the same
/// hash.
struct Reading<'r> {
    teller: Teller<'r>,
    folder: PathBuf,
    budget: usize,
    unread: u64,
    unread_shown: Vec<String>,
}

impl<'r> Reading<'r> {
    fn new(rule: &'r Reconciliation, arguments: &Arguments) -> Reading<'r> {
        let folder = arguments.scratch.clone().unwrap_or_else(std::env::temp_dir);
        let mib = usize::try_from(arguments.memory).unwrap_or(usize::MAX);
        let teller = Teller::new(rule, SystemClock.now(), RandomState::new());
        // Half for each side.
        let budget = mib.saturating_mul(1 << 19);
        Reading { teller, folder, budget, unread: 0, unread_shown: Vec::new() }
    }

    fn take(
        &mut self,
        sorter: &mut Sorter,
        told: &Told,
        found: Result<Value, String>,
        place: impl Fn(&str) -> String,
    ) -> Result<(), Trouble> {
        match found.and_then(|record| self.teller.row(told, &record)) {
            Ok(None) => {}
            Ok(Some(row)) => sorter.push(row).map_err(|error| {
                let folder = self.folder.display();
                Trouble::new(UNAVAILABLE, format!("sorting in `{folder}`: {error}"))
                    .hint("name a folder with room by `--scratch`, or give more `--memory`")
            })?,
            Err(why) => {
                self.unread += 1;
                if self.unread_shown.len() < SHOWN {
                    self.unread_shown.push(place(&why));
                }
            }
        }
        Ok(())
    }

    fn files(&mut self, word: &str, side: &FileSide, paths: &[PathBuf]) -> Result<Sorted, Trouble> {
        let mut sorter = Sorter::new(self.folder.clone(), self.budget);
        for path in paths {
            let file = File::open(path).map_err(|error| super::log::file_trouble(path, &error))?;
            let shown = name_of(path);
            let ended = reconcile::read(side, file, |row, found| {
                self.take(&mut sorter, &side.told, found, |why| {
                    // What a codec says begins with its line.
                    let line = format!("{row}:");
                    let at =
                        if why.starts_with(&line) { String::new() } else { format!("{line}1 ") };
                    format!("{word} {shown}:{at}{why}")
                })
            })?;
            if let Err(why) = ended {
                let message = format!("`{}`: {why}", path.display());
                return Err(Trouble::new(super::trouble::CONFIGURATION, message)
                    .hint("the file is cut off or has another layout: nothing was compared"));
            }
        }
        Ok(sorter.finish())
    }

    fn record(
        &mut self,
        store: &dyn Store,
        kinds: &[Kind],
        told: &Told,
        query: &Query,
    ) -> Result<Sorted, Trouble> {
        let mut sorter = Sorter::new(self.folder.clone(), self.budget);
        load::wait(each_row(store, 0, |row| {
            if !query.matches(&row.entry) {
                return Ok(true);
            }
            let found: Result<Value, String> =
                serde_json::from_str(&row.entry).map_err(|_| "no JSON".to_owned());
            let kind = found.as_ref().ok().and_then(|entry| entry.get("kind")?.as_str());
            let meant = |word| kinds.iter().any(|kind| kind.name() == word);
            if kind.is_some_and(|word| !meant(word)) {
                return Ok(true);
            }
            let place = |why: &str| format!("ours entry {}: {why}", row.sequence);
            self.take(&mut sorter, told, found, place).map(|()| true)
        }))??;
        Ok(sorter.finish())
    }
}

/// The name of a file without its folders.
fn name_of(path: &Path) -> String {
    path.file_name()
        .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into())
}

/// Writes the entry, into the store itself or through the gateway that has it.
fn note(
    acting: &Acting<'_>,
    name: &str,
    counts: &Counts,
    unread: u64,
    reasons: &Reasons,
) -> Result<(), Trouble> {
    let differences = counts.only_theirs + counts.only_ours + counts.differing + counts.repeated;
    let access = Access {
        act: "reconciled".to_owned(),
        subject: None,
        count: differences + unread,
        about: Some(name.to_owned()),
        operator: reasons.operator.clone(),
        reason: reasons.reason.clone(),
    };
    load::wait(async {
        match acting {
            Acting::Here { store, .. } => {
                Ok(store.note(vec![access.draft(SystemClock.now())]).await?)
            }
            Acting::There { address, token } => {
                post_json(*address, token, "/api/v1/record/access", &access).await
            }
        }
    })?
}

/// What is found, as it comes.
struct Report {
    format: Format,
    name: String,
    text: String,
    lines: u64,
}

impl Report {
    fn begin(format: Format, name: &str) -> Report {
        // Spreadsheets take UTF-8 for another charset without the mark.
        let head = match format {
            Format::Text => String::new(),
            Format::Json => "{\"findings\": [".to_owned(),
            Format::Csv => "\u{feff}finding,key,items,place\r\n".to_owned(),
        };
        Report { format, name: name.to_owned(), text: head, lines: 0 }
    }

    fn line(
        &mut self,
        word: &str,
        key: &str,
        items: &[&str],
        place: Option<&str>,
    ) -> Result<(), Trouble> {
        match self.format {
            Format::Text => {
                let rest = items.join(", ") + place.unwrap_or_default();
                self.text.push_str(format!("{word:<11}  {key}  {rest}").trim_end());
                self.text.push('\n');
            }
            Format::Csv => {
                let cells = [word, key, &items.join(" "), place.unwrap_or_default()];
                let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
                self.text.push_str(&cells.map(cell).join(","));
                self.text.push_str("\r\n");
            }
            Format::Json => {
                let comma = if self.lines == 0 { "\n  " } else { ",\n  " };
                let one = json!({"finding": word, "key": key, "items": items, "place": place});
                self.text.push_str(&format!("{comma}{one}"));
            }
        }
        self.lines += 1;
        if self.text.len() >= CHUNK {
            print::data(&self.text)?;
            self.text.clear();
        }
        Ok(())
    }

    fn end(mut self, counts: &Counts, unread: u64) -> Result<(), Trouble> {
        let Counts { theirs, ours, same, only_theirs, only_ours, differing, repeated } = counts;
        if self.format == Format::Json {
            let counts = json!({"theirs": theirs, "ours": ours, "same": same,
                "onlyTheirs": only_theirs, "onlyOurs": only_ours, "differing": differing,
                "repeated": repeated, "unreadable": unread});
            let end = if self.lines == 0 { "" } else { "\n" };
            let name = json!(self.name);
            self.text
                .push_str(&format!("{end}], \"reconciliation\": {name}, \"counts\": {counts}}}\n"));
        }
        print::data(&self.text)?;
        print::human(&format!(
            "theirs {theirs}, ours {ours}: {same} the same, {only_theirs} only theirs, {only_ours} only ours, \
             {differing} differing, {repeated} repeated, {unread} that cannot be compared"
        ));
        Ok(())
    }
}
