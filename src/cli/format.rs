//! `watashi format`: the YAML definitions in their usual form, comments kept.

use super::trouble::{Trouble, UNAVAILABLE, USAGE};
use super::{Global, Outcome, files, load, print};
use crate::config;
use crate::diagnostic::format::format;
use crate::diagnostic::{Diagnostic, SourceFile, render};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Keys take their usual order, each level is two spaces deep, comments and quotes stay as they are.
A file is written only when what it says stays the same.

Examples:
  watashi format                              every definition
  watashi format mappings/my-mapping          one folder
  watashi format --check                      write nothing; exit code 1 when a file would change";

/// Deepest folder looked into.
const MAX_DEPTH: usize = 8;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Files and folders; the definitions without any
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write nothing; name the files that are not in form
    #[arg(long)]
    check: bool,
}

/// What became of the files.
#[derive(Default)]
struct Report {
    seen: usize,
    changed: Vec<String>,
    problems: Vec<Diagnostic>,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let mut found = Vec::new();
    for path in &starts(global, arguments) {
        if path.is_dir() {
            walk(path, 0, &mut found)?;
        } else if path.is_file() {
            found.push(path.clone());
        } else {
            return Err(Trouble::new(USAGE, format!("there is no `{}`", path.display())));
        }
    }
    let mut report = Report::default();
    for path in &found {
        one(path, arguments.check, &mut report)?;
    }
    tell(global, arguments.check, &report)?;
    let clean = report.problems.is_empty() && (!arguments.check || report.changed.is_empty());
    Ok(if clean { Outcome::Fine } else { Outcome::Findings })
}

fn starts(global: &Global, arguments: &Arguments) -> Vec<PathBuf> {
    if !arguments.paths.is_empty() {
        return arguments.paths.clone();
    }
    let folder = definitions_folder(global);
    ["adapters", "mappings"]
        .iter()
        .map(|part| folder.join(part))
        .filter(|path| path.is_dir())
        .collect()
}

/// The folder of the definitions: the one watashi.toml names, else this one.
pub(super) fn definitions_folder(global: &Global) -> PathBuf {
    let config = load::config_if_any(global).and_then(|path| config::load(&path).0);
    config.map_or_else(|| PathBuf::from("."), |config| config.definitions)
}

fn walk(folder: &Path, depth: usize, into: &mut Vec<PathBuf>) -> Result<(), Trouble> {
    let unavailable = |error: std::io::Error| {
        Trouble::new(UNAVAILABLE, format!("`{}`: {}", folder.display(), error.kind()))
    };
    let entries = std::fs::read_dir(folder).map_err(unavailable)?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_symlink() || hidden {
            continue;
        }
        if path.is_dir() && depth < MAX_DEPTH {
            walk(&path, depth + 1, into)?;
        } else if path.extension().is_some_and(|end| end == "yaml") {
            into.push(path);
        }
    }
    Ok(())
}

fn one(path: &Path, check: bool, report: &mut Report) -> Result<(), Trouble> {
    let shown = path.strip_prefix(".").unwrap_or(path).display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Trouble::new(UNAVAILABLE, format!("`{shown}`: {}", error.kind())))?;
    let file = SourceFile::new(shown.clone(), text);
    // Seen from anywhere, a file is told by the folders it lies in.
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let form = files::kind(&whole.to_string_lossy()).map(|kind| &kind.root);
    report.seen += 1;
    match format(&file, form) {
        Ok(formatted) if formatted == file.text => {}
        Ok(formatted) => {
            if !check {
                files::write(path, &formatted)?;
            }
            report.changed.push(shown);
        }
        Err(problem) => report.problems.push(problem),
    }
    Ok(())
}

fn tell(global: &Global, check: bool, report: &Report) -> Result<(), Trouble> {
    if global.json {
        return print::json(&json!({
            "files": report.seen,
            "changed": report.changed,
            "diagnostics": render::json(&report.problems),
        }));
    }
    for path in &report.changed {
        let what = if check { "would change" } else { "formatted" };
        print::data(&format!("{what} {path}\n"))?;
    }
    if !report.problems.is_empty() {
        print::human(render::text(&report.problems).trim_end());
    }
    let changed = report.changed.len();
    let what = if check { "not in form" } else { "changed" };
    print::human(&format!("{}: {changed} {what}", print::plural(report.seen, "file")));
    if check && changed > 0 {
        print::human("hint: `watashi format` writes them");
    }
    Ok(())
}
