//! `watashi log`: search, verify and export the record.

use super::trouble::{INTEGRITY, Trouble, UNAVAILABLE};
use super::{Global, Outcome, load, print};
use crate::diagnostic::nearest::nearest;
use crate::model::codes::store as codes;
use crate::record::{Kind, Query, Verdict, Verifier, export, hex, parse_export};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  watashi log find --message 0190-abc
  watashi log find --person - --from 2026-04-01     (the 宛名番号 is read from standard input)
  watashi log verify
  watashi log export --output record.jsonl
  watashi log verify --file record.jsonl            needs neither store nor keys";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    act: LogCommand,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Find entries; all filters given must match
    Find(Find),
    /// Walk the record; exit code 3 and the first bad sequence where it is broken
    Verify {
        /// An export instead of the store
        #[arg(long, value_name = "EXPORT")]
        file: Option<PathBuf>,
    },
    /// Write all entries, one line each; the same record always gives the same bytes
    Export {
        /// A new file instead of standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Find {
    /// The sender's id of a message
    #[arg(long, value_name = "ID")]
    message: Option<String>,
    /// Pseudonym of a person, as the record has it
    #[arg(long, value_name = "HEX", conflicts_with = "person")]
    subject: Option<String>,
    /// 宛名番号 of a person; `-` reads it from standard input and keeps it out of the history
    #[arg(long, value_name = "宛名番号")]
    person: Option<String>,
    /// At or after: 2026-04-01 (Japanese time) or 2026-04-01T09:00:00+09:00
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Before
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Kind of entry: 求め, 提供, 取得, 送付, 通知, 受領, 操作, 系
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// Route
    #[arg(long, value_name = "ROUTE")]
    route: Option<String>,
}

/// A day in Japan, or an instant with its offset.
fn time(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00+09:00") } else { text.to_owned() };
    whole
        .parse()
        .map_err(|_| "not a time such as 2026-04-01 or 2026-04-01T09:00:00+09:00".to_owned())
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

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    match &arguments.act {
        LogCommand::Find(find) => search(global, find),
        LogCommand::Verify { file: None } => {
            let store = load::store(&load::config(global)?)?;
            let mut verifier = Verifier::default();
            load::wait(load::each_record_row(&*store, |row| Ok(verifier.push(&row))))??;
            told(global, &verifier.finish())
        }
        LogCommand::Verify { file: Some(file) } => verify_export(global, file),
        LogCommand::Export { output } => write(global, output.as_deref()),
    }
}

fn search(global: &Global, find: &Find) -> Result<Outcome, Trouble> {
    let config = load::config(global)?;
    let subject = match &find.person {
        Some(person) => Some(load::keys(&config)?.subject(&typed(person)?)),
        None => find.subject.as_ref().map(|subject| subject.to_ascii_lowercase()),
    };
    let query = Query {
        subject,
        message_id: find.message.clone(),
        from: find.from,
        until: find.to,
        kind: find.kind,
        route: find.route.clone(),
    };
    let store = load::store(&config)?;
    let mut found: Vec<(i64, Value)> = Vec::new();
    load::wait(load::each_record_row(&*store, |row| {
        if query.matches(&row.entry) {
            // What cannot be read is shown as it is: damage must not be hidden.
            let raw = || Value::String(row.entry.clone());
            found.push((row.sequence, serde_json::from_str(&row.entry).unwrap_or_else(|_| raw())));
        }
        Ok(true)
    }))??;
    if global.json {
        let one = |(sequence, entry): &(i64, Value)| json!({"sequence": sequence, "entry": entry});
        print::json(&found.iter().map(one).collect::<Vec<Value>>())?;
    } else {
        print::data(&table(&found))?;
        print::human(&print::plural(found.len(), "entry"));
    }
    Ok(Outcome::Fine)
}

fn table(found: &[(i64, Value)]) -> String {
    let fields = ["jst", "kind", "phase", "route", "message_id", "outcome", "code", "reference"];
    let row = |(sequence, entry): &(i64, Value)| {
        let cell = |field: &&str| match entry.get(*field).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => "-".to_owned(),
        };
        std::iter::once(sequence.to_string()).chain(fields.iter().map(cell)).collect()
    };
    let mut head = vec!["sequence", "time"];
    head.extend(fields.iter().skip(1).map(|&field| match field {
        "message_id" => "message",
        other => other,
    }));
    print::table(&head, &found.iter().map(row).collect::<Vec<_>>())
}

/// The word itself, or the first line of standard input for `-`.
fn typed(person: &str) -> Result<String, Trouble> {
    if person != "-" {
        return Ok(person.to_owned());
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Trouble::new(UNAVAILABLE, format!("standard input: {}", error.kind())))?;
    match line.trim() {
        "" => Err(Trouble::usage("no 宛名番号 on standard input")),
        person => Ok(person.to_owned()),
    }
}

fn verify_export(global: &Global, path: &Path) -> Result<Outcome, Trouble> {
    let file = File::open(path).map_err(|error| file_trouble(path, &error))?;
    let mut verifier = Verifier::default();
    for (index, line) in BufReader::new(file).split(b'\n').enumerate() {
        let line = line.map_err(|error| file_trouble(path, &error))?;
        let row = std::str::from_utf8(&line).ok().and_then(parse_export);
        let Some(row) = row else {
            let expected = i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1);
            let verdict = verifier.finish();
            let first_bad = verdict.first_bad.map_or(expected, |(sequence, _)| sequence);
            let why = format!(
                "{}:{expected}: {} {}",
                path.display(),
                codes::RECORD_LINE_INVALID.code,
                codes::RECORD_LINE_INVALID.title
            );
            return broken(global, verdict.entries, first_bad, &why);
        };
        if !verifier.push(&row) {
            break;
        }
    }
    told(global, &verifier.finish())
}

fn told(global: &Global, verdict: &Verdict) -> Result<Outcome, Trouble> {
    if let Some((sequence, why)) = verdict.first_bad {
        let code = &codes::RECORD_BROKEN;
        let why = format!("{} {}: {}", code.code, code.title, why.reason());
        return broken(global, verdict.entries, sequence, &why);
    }
    let (size, root) = (verdict.head.size, hex(&verdict.head.root));
    if global.json {
        print::json(&json!({
            "entries": verdict.entries,
            "verified": true,
            "first_bad": null,
            "head": {"sequence": size, "root": root},
        }))?;
    } else {
        let entries = usize::try_from(verdict.entries).unwrap_or(usize::MAX);
        print::data(&format!("verified: {}\n", print::plural(entries, "entry")))?;
        if size > 0 {
            print::human(&format!("head: sequence {size}, root {root}"));
            print::human(
                "hint: a record cannot tell that its end was cut off: compare the head with a copy kept elsewhere",
            );
        }
    }
    Ok(Outcome::Fine)
}

fn broken(global: &Global, entries: u64, first_bad: i64, why: &str) -> Result<Outcome, Trouble> {
    if global.json {
        print::json(&json!({"entries": entries, "verified": false, "first_bad": first_bad}))?;
    }
    print::human(&format!("error: {why}"));
    print::human(&format!(
        "first bad sequence: {first_bad}, after {entries} good ones\n\
         hint: keep the files as evidence"
    ));
    Ok(Outcome::Exit(INTEGRITY))
}

fn write(global: &Global, output: Option<&Path>) -> Result<Outcome, Trouble> {
    let store = load::store(&load::config(global)?)?;
    let Some(path) = output else {
        let each = |row| print::data(&format!("{}\n", export(&row))).map(|()| true);
        load::wait(load::each_record_row(&*store, each))??;
        return Ok(Outcome::Fine);
    };
    let mut file = BufWriter::new(create(path)?);
    let mut lines = 0;
    load::wait(load::each_record_row(&*store, |row| {
        lines += 1;
        writeln!(file, "{}", export(&row)).map_err(|error| file_trouble(path, &error))?;
        Ok(true)
    }))??;
    let file = file.into_inner().map_err(|error| file_trouble(path, error.error()))?;
    file.sync_all().map_err(|error| file_trouble(path, &error))?;
    print::human(&format!("{} written to `{}`", print::plural(lines, "entry"), path.display()));
    Ok(Outcome::Fine)
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

fn file_trouble(path: &Path, error: &std::io::Error) -> Trouble {
    Trouble::new(UNAVAILABLE, format!("`{}`: {}", path.display(), error.kind()))
}
