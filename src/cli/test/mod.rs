//! `watashi test`: runs the cases of mappings and shows what differs.

mod junit;
mod update;

use super::trouble::{Trouble, UNAVAILABLE};
use super::{Global, Outcome, load, print};
use crate::config::{self, definitions};
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::{Diagnostic, Severity, SourceFile, render};
use crate::mapping::{Case, CaseOutcome, Coverage, Mapping, Tables};
use crate::schema::Schemas;
use clap::Args;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXAMPLES: &str = "\
Examples:
  watashi test                              every mapping
  watashi test my-mapping --update          take the present results as expected; then look at them
  watashi test --junit target/mappings.xml  for a build server";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Mappings to test; all without one
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Folder that holds adapters/, schemas/ and mappings/
    #[arg(long, value_name = "DIR")]
    definitions: Option<PathBuf>,
    /// Write the present results into cases that fail
    #[arg(long)]
    update: bool,
    /// Write a report in JUnit's form
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// A mapping and how its cases ended.
struct Tested {
    mapping: Mapping,
    cases: Vec<(Case, CaseOutcome)>,
    coverage: Coverage,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let folder = folder(global, arguments);
    let mut diagnostics = Vec::new();
    let files = definitions::read(&folder, &mut diagnostics);
    let wanted = wanted(&files, &arguments.names)?;
    let tested = test(&files, &wanted, &mut diagnostics);
    let errors = diagnostics.iter().any(|problem| problem.severity == Severity::Error);
    if !diagnostics.is_empty() {
        print::human(render::text(&diagnostics).trim_end());
    }
    let failed = tested.iter().flat_map(|one| &one.cases).filter(|(_, end)| !end.passed).count();
    if let Some(path) = &arguments.junit {
        write(path, &junit::report(&tested))?;
    }
    if arguments.update {
        return update::all(&folder, &tested).map(|left| ended(errors || left > 0));
    }
    if global.json {
        print::json(&page(&tested, failed))?
    } else {
        tell(&tested, failed)?
    }
    Ok(ended(errors || failed > 0))
}

fn ended(findings: bool) -> Outcome {
    if findings { Outcome::Findings } else { Outcome::Fine }
}

/// The folder given, else that of the configuration, else this one. A broken configuration is
/// `lint`'s to tell.
fn folder(global: &Global, arguments: &Arguments) -> PathBuf {
    if let Some(folder) = &arguments.definitions {
        return folder.clone();
    }
    let config = load::config_if_any(global).and_then(|path| config::load(&path).0);
    config.map_or_else(|| PathBuf::from("."), |config| config.definitions)
}

/// The name of a mapping by the path of its file.
fn name_of(path: &str) -> Option<&str> {
    path.strip_prefix("mappings/")?.strip_suffix("/mapping.yaml")
}

/// The mapping files to test.
fn wanted(files: &[Arc<SourceFile>], names: &[String]) -> Result<Vec<Arc<SourceFile>>, Trouble> {
    let known = || files.iter().filter_map(|file| name_of(&file.path));
    if known().next().is_none() {
        return Err(Trouble::new(1, "there are no mappings here")
            .hint("name the folder that holds mappings/ with `--definitions DIR`"));
    }
    for name in names {
        if !known().any(|other| other == name) {
            let trouble = Trouble::usage(format!("there is no mapping `{name}`"));
            return Err(match nearest(name, known()) {
                Some(near) => trouble.hint(format!("did you mean `{near}`?")),
                None => trouble.hint("`watashi list mappings` shows them"),
            });
        }
    }
    let chosen = |file: &&Arc<SourceFile>| {
        name_of(&file.path)
            .is_some_and(|name| names.is_empty() || names.iter().any(|other| other == name))
    };
    Ok(files.iter().filter(chosen).cloned().collect())
}

/// Only what the mappings need is built: a broken adapter elsewhere does not stand in the way.
fn test(
    files: &[Arc<SourceFile>],
    wanted: &[Arc<SourceFile>],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Tested> {
    let part = |start: &str, end: &str| -> Vec<Arc<SourceFile>> {
        let fits =
            |file: &&Arc<SourceFile>| file.path.starts_with(start) && file.path.ends_with(end);
        files.iter().filter(fits).cloned().collect()
    };
    let schemas = Schemas::load(&part("schemas/", ".schema.json"), diagnostics);
    let tables = Tables::load(&part("mappings/tables/", ""), diagnostics);
    let mut tested = Vec::new();
    for file in wanted {
        let Some(mapping) = Mapping::compile(file, &schemas, &tables, diagnostics) else {
            continue;
        };
        let mut coverage = Coverage::default();
        let folder = format!("{}cases/", file.path.trim_end_matches("mapping.yaml"));
        let mut cases = Vec::new();
        for file in part(&folder, ".yaml") {
            let Some(case) = Case::load(&file, diagnostics) else { continue };
            let outcome = case.run(&mapping, &mut coverage);
            cases.push((case, outcome));
        }
        tested.push(Tested { mapping, cases, coverage });
    }
    tested
}

fn page(tested: &[Tested], failed: usize) -> Value {
    let case = |(case, end): &(Case, CaseOutcome)| {
        json!({
            "case": end.name,
            "file": case.file.path,
            "passed": end.passed,
            "differences": end.differences,
        })
    };
    let mapping = |one: &Tested| {
        let (covered, all) = one.coverage.covered();
        let untouched: Vec<Value> = one
            .coverage
            .untouched()
            .iter()
            .map(|(target, line)| json!({"target": target, "line": line}))
            .collect();
        json!({
            "mapping": one.mapping.name,
            "cases": one.cases.iter().map(case).collect::<Vec<Value>>(),
            "rules": {"covered": covered, "all": all, "untouched": untouched},
        })
    };
    let all: usize = tested.iter().map(|one| one.cases.len()).sum();
    json!({
        "mappings": tested.iter().map(mapping).collect::<Vec<Value>>(),
        "passed": all - failed,
        "failed": failed,
    })
}

fn tell(tested: &[Tested], failed: usize) -> Result<(), Trouble> {
    for one in tested {
        for (case, end) in one.cases.iter().filter(|(_, end)| !end.passed) {
            print::human(&format!("FAILED {}: {}", case.file.path, end.name));
            for difference in &end.differences {
                print::human(&format!("  {difference}"));
            }
        }
    }
    let mut rows = Vec::new();
    let mut untouched = Vec::new();
    for one in tested {
        let (covered, all) = one.coverage.covered();
        let good = one.cases.iter().filter(|(_, end)| end.passed).count();
        rows.push(vec![
            one.mapping.name.clone(),
            format!("{good}/{}", one.cases.len()),
            format!("{covered}/{all}"),
        ]);
        for (target, line) in one.coverage.untouched() {
            untouched.push(format!("mappings/{}/mapping.yaml:{line}: {target}", one.mapping.name));
        }
    }
    print::data(&print::table(&["mapping", "cases passed", "rules covered"], &rows))?;
    if !untouched.is_empty() {
        print::human(&format!("rules that no case reaches:\n  {}", untouched.join("\n  ")));
    }
    let all: usize = tested.iter().map(|one| one.cases.len()).sum();
    print::human(&format!("{} passed, {failed} failed", print::plural(all - failed, "case")));
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    std::fs::write(path, text).map_err(|error| {
        Trouble::new(UNAVAILABLE, format!("`{}`: {}", path.display(), error.kind()))
    })
}
