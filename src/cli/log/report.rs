//! `watashi log disclose` and `watashi log export`: entries for a person or an auditor, as CSV or JSONL.

use super::find::each;
use super::{access, create, file_trouble, person, time};
use crate::cli::operator::{Acting, Reasons};
use crate::cli::trouble::Trouble;
use crate::cli::{Global, Outcome, load, print};
use crate::record::{Query, export as line};
use crate::store::{RecordRow, Store};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::Value;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One line per entry: sequence, leaf hash, entry
    Jsonl,
    /// A table for spreadsheets: UTF-8 with BOM
    Csv,
}

#[derive(Debug, Args)]
struct Output {
    #[arg(long, value_enum, default_value_t = Format::Jsonl)]
    format: Format,
    /// Column names in Japanese (CSV)
    #[arg(long)]
    ja: bool,
    /// A new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    reasons: Reasons,
}

#[derive(Debug, Args)]
pub(super) struct Disclose {
    /// File that holds the 宛名番号; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    subject: PathBuf,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// At or after: 2026-04-01 (Japanese time) or 2026-04-01T09:00:00+09:00
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Before
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    #[command(flatten)]
    output: Output,
}

pub(super) fn disclose(global: &Global, disclose: &Disclose) -> Result<Outcome, Trouble> {
    disclose.output.reasons.check()?;
    let config = load::config(global)?;
    let subject = load::keys(&config)?.subject(&person(&disclose.subject)?);
    let query = Query { subject: Some(subject.clone()), ..Query::default() };
    report(&config, &query, "record-disclosed", Some(subject), &disclose.output)
}

pub(super) fn export(global: &Global, export: &Export) -> Result<Outcome, Trouble> {
    export.output.reasons.check()?;
    let query = Query { from: export.from, until: export.to, ..Query::default() };
    report(&load::config(global)?, &query, "record-exported", None, &export.output)
}

fn report(
    config: &crate::config::Config,
    query: &Query,
    act: &'static str,
    subject: Option<String>,
    output: &Output,
) -> Result<Outcome, Trouble> {
    let acting = load::wait(Acting::begin(config))??;
    let store: Arc<dyn Store> = match &acting {
        Acting::Here { store, .. } => store.clone(),
        Acting::There { .. } => load::store(config)?,
    };
    // Counted first, for that it was looked at is recorded before anything is shown; then written
    // row by row, up to the last one that was counted.
    load::wait(async {
        let (mut count, mut last) = (0, 0);
        each(&*store, query, |row| {
            (count, last) = (count + 1, row.sequence);
            Ok(true)
        })
        .await?;
        access::note(&acting, act, subject, count, &output.reasons).await?;
        let mut out = match &output.output {
            None => Out::Standard(String::new()),
            Some(path) => Out::File(path, BufWriter::new(create(path)?)),
        };
        if output.format == Format::Csv {
            out.write(&head(output.ja))?;
        }
        each(&*store, query, |row| {
            if row.sequence > last {
                return Ok(false);
            }
            out.write(&match output.format {
                Format::Jsonl => format!("{}\n", line(&row)),
                Format::Csv => csv_line(&row),
            })?;
            Ok(true)
        })
        .await?;
        out.end(count)
    })??;
    Ok(Outcome::Fine)
}

/// Bytes gathered before they are printed.
const CHUNK: usize = 64 * 1024;

/// Where it goes.
enum Out<'p> {
    Standard(String),
    File(&'p Path, BufWriter<File>),
}

impl Out<'_> {
    fn write(&mut self, text: &str) -> Result<(), Trouble> {
        match self {
            Out::Standard(gathered) => {
                gathered.push_str(text);
                if gathered.len() >= CHUNK {
                    print::data(gathered)?;
                    gathered.clear();
                }
                Ok(())
            }
            Out::File(path, file) => {
                file.write_all(text.as_bytes()).map_err(|error| file_trouble(path, &error))
            }
        }
    }

    fn end(self, count: usize) -> Result<(), Trouble> {
        match self {
            Out::Standard(gathered) => print::data(&gathered),
            Out::File(path, mut file) => {
                let written = file.flush().and_then(|()| file.get_ref().sync_all());
                written.map_err(|error| file_trouble(path, &error))?;
                let count = print::plural(count, "entry");
                print::human(&format!("{count} written to `{}`", path.display()));
                Ok(())
            }
        }
    }
}

/// Columns: the path in the entry, the English name, the Japanese one (番号法23条 first).
const COLUMNS: [(&str, &str, &str); 24] = [
    ("jst", "time (Japan)", "日時"),
    ("kind", "kind", "種別"),
    ("phase", "phase", "段階"),
    ("outcome", "outcome", "結果"),
    ("basis/inquirer", "inquirer", "情報照会者"),
    ("basis/provider", "provider", "情報提供者"),
    ("basis/law", "law", "根拠規定"),
    ("basis/table_item", "item of the table", "表の項"),
    ("basis/affair", "affair", "事務"),
    ("basis/procedure", "procedure", "事務手続"),
    ("basis/information", "information", "特定個人情報"),
    ("items", "items", "特定個人情報の項目"),
    ("reference", "reference", "処理通番・受付番号"),
    ("not_disclosed", "not disclosed", "不開示"),
    ("code", "code", "コード"),
    ("subject", "subject (pseudonym)", "本人(仮名)"),
    ("municipality", "municipality", "団体コード"),
    ("route", "route", "経路"),
    ("counterpart", "counterpart", "相手方"),
    ("operation", "operation", "操作名"),
    ("message_id", "message", "メッセージID"),
    ("attempt", "attempt", "試行"),
    ("operator", "operator", "操作者"),
    ("reason", "reason", "理由"),
];

/// The first line of a table.
fn head(ja: bool) -> String {
    // Spreadsheets take UTF-8 for another charset without it.
    let mut out = String::from('\u{feff}');
    cell(&mut out, if ja { "番号" } else { "sequence" });
    for (_, english, japanese) in COLUMNS {
        out.push(',');
        cell(&mut out, if ja { japanese } else { english });
    }
    out.push_str("\r\n");
    out
}

fn csv_line(row: &RecordRow) -> String {
    let mut out = String::new();
    let entry: Value = serde_json::from_str(&row.entry).unwrap_or_default();
    cell(&mut out, &row.sequence.to_string());
    for (path, _, _) in COLUMNS {
        out.push(',');
        cell(&mut out, &shown(entry.pointer(&format!("/{path}"))));
    }
    out.push_str("\r\n");
    out
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let texts: Vec<String> = items.iter().map(|item| shown(Some(item))).collect();
            texts.join(" ")
        }
        Some(other) => other.to_string(),
    }
}

/// Always quoted; what a spreadsheet would take for a formula gets an apostrophe in front.
fn cell(out: &mut String, text: &str) {
    out.push('"');
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        out.push('\'');
    }
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Draft, Kind, Phase, tree};

    #[test]
    fn a_cell_is_no_formula() {
        for (text, expected) in [
            ("plain", "\"plain\""),
            ("a\"b,c\n", "\"a\"\"b,c\n\""),
            ("=1+1", "\"'=1+1\""),
            ("+81", "\"'+81\""),
            ("-", "\"'-\""),
            ("@sum", "\"'@sum\""),
            ("\t=1", "\"'\t=1\""),
            ("\r=1", "\"'\r=1\""),
            ("", "\"\""),
        ] {
            let mut out = String::new();
            cell(&mut out, text);
            assert_eq!(out, expected, "{text:?}");
        }
    }

    #[test]
    fn the_table_has_one_line_per_entry_and_a_head_in_either_language() {
        let draft = Draft {
            items: vec!["TK1".to_owned(), "TK2".to_owned()].into(),
            reason: Some("=cmd".to_owned()),
            ..Draft::new(Kind::Provide, Phase::Noted, Timestamp::UNIX_EPOCH)
        };
        let entry = draft.canonical();
        let row = RecordRow { sequence: 7, leaf: tree::leaf(entry.as_bytes()), entry };
        let out = head(true) + &csv_line(&row);
        let lines: Vec<&str> = out.split("\r\n").collect();
        assert!(lines[0].starts_with("\u{feff}\"番号\",\"日時\",\"種別\""), "{}", lines[0]);
        assert!(lines[1].starts_with("\"7\",\"1970-01-01T09:00:00.000+09:00\",\"提供\",\"noted\""));
        assert!(lines[1].contains("\"TK1 TK2\"") && lines[1].ends_with("\"'=cmd\""));
        assert_eq!(lines[0].matches("\",\"").count(), lines[1].matches("\",\"").count());
        let english = head(false);
        assert!(english.starts_with("\u{feff}\"sequence\",\"time (Japan)\""));
    }
}
