//! `watashi test`: runs the cases of mappings, and documents made from their source schemas.

mod generated;
mod junit;
mod mutation;
mod report;
mod update;

use super::trouble::{Trouble, UNAVAILABLE};
use super::{Global, Outcome, load, print};
use crate::codec::Format;
use crate::config::{self, definitions};
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::{self, Kind, Node};
use crate::diagnostic::{Diagnostic, Severity, SourceFile, render};
use crate::mapping::cases::mutation::Mutation;
use crate::mapping::{Case, CaseOutcome, Coverage, Mapping, Tables};
use crate::schema::Schemas;
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXAMPLES: &str = "\
Beside its cases every mapping is tried with documents made from its source schema. Each must
become a valid document that can be written in the operation's format and reads back the same, or
be refused by the mapping's own `reject`. One that fails is shown as small as it could be made.

Examples:
  watashi test                                    every mapping
  watashi test my-mapping --update                take the present results as expected; then look
  watashi test my-mapping --generate 10000 --seed 7
  watashi test --min 100                          every rule must be reached by some case
  watashi test my-mapping --mutate                which mistakes would no case see?
  watashi test --junit target/mappings.xml        for a build server";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Mappings to test; all without one
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// One more mapping to test
    #[arg(long, value_name = "NAME")]
    mapping: Vec<String>,
    /// Folder that holds adapters/, schemas/ and mappings/
    #[arg(long, value_name = "DIR")]
    definitions: Option<PathBuf>,
    /// Write the present results into cases that fail
    #[arg(long)]
    update: bool,
    /// Write a report in JUnit's form
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Documents to make for each mapping; 0: none
    #[arg(long, value_name = "N", default_value_t = 100)]
    generate: u64,
    /// What the documents are made from; the same seed makes the same documents
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Least share of rules, in percent, that the cases of each mapping must reach
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min: Option<u8>,
    /// The same for branches
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_branches: Option<u8>,
    /// Make mistakes in the rules and tell which no case would see
    #[arg(long)]
    mutate: bool,
    /// Least share of mistakes, in percent, that must be seen
    #[arg(long, value_name = "PERCENT", requires = "mutate",
          value_parser = clap::value_parser!(u8).range(0..=100))]
    min_score: Option<u8>,
}

/// A mapping and how its cases ended.
struct Tested {
    file: Arc<SourceFile>,
    mapping: Mapping,
    cases: Vec<(Case, CaseOutcome)>,
    coverage: Coverage,
    generated: Option<generated::Ended>,
    mutation: Option<Mutation>,
}

/// What the definitions hold.
struct Definitions {
    files: Vec<Arc<SourceFile>>,
    schemas: Schemas,
    tables: Tables,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let folder = folder(global, arguments);
    let mut diagnostics = Vec::new();
    let files = definitions::read(&folder, &mut diagnostics);
    let names: Vec<&String> = arguments.names.iter().chain(&arguments.mapping).collect();
    let wanted = wanted(&files, &names)?;
    // Only what the mappings need is built: a broken adapter elsewhere does not stand in the way.
    let schemas = Schemas::load(&part(&files, "schemas/", ".schema.json"), &mut diagnostics);
    let tables = Tables::load(&part(&files, "mappings/tables/", ""), &mut diagnostics);
    let definitions = Definitions { files, schemas, tables };
    let mut tested = test(&definitions, &wanted, &mut diagnostics);
    if arguments.update {
        tell_problems(&diagnostics);
        let left = update::all(&folder, &tested)?;
        return Ok(ended(errors(&diagnostics) || left > 0));
    }
    if arguments.generate > 0 {
        let (count, seed) = (arguments.generate, arguments.seed);
        generated::all(&definitions, &mut tested, (count, seed), &mut diagnostics);
    }
    if arguments.mutate {
        mutation::all(&definitions, &mut tested);
    }
    tell_problems(&diagnostics);
    if let Some(path) = &arguments.junit {
        write(path, &junit::report(&tested))?;
    }
    let below = report::below(&tested, arguments);
    if global.json {
        print::json(&report::page(&tested, &below))?;
    } else {
        report::tell(&tested, &below, arguments)?;
    }
    let failed = tested.iter().any(Tested::failed);
    Ok(ended(errors(&diagnostics) || failed || !below.is_empty()))
}

impl Tested {
    /// Whether a case or a generated document failed.
    fn failed(&self) -> bool {
        let generated = self.generated.as_ref().is_some_and(|ended| !ended.passed());
        generated || self.cases.iter().any(|(_, end)| !end.passed)
    }
}

fn errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(|problem| problem.severity == Severity::Error)
}

fn tell_problems(diagnostics: &[Diagnostic]) {
    if !diagnostics.is_empty() {
        print::human(render::text(diagnostics).trim_end());
    }
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
fn wanted(files: &[Arc<SourceFile>], names: &[&String]) -> Result<Vec<Arc<SourceFile>>, Trouble> {
    let known = || files.iter().filter_map(|file| name_of(&file.path));
    if known().next().is_none() {
        return Err(Trouble::new(1, "there are no mappings here")
            .hint("name the folder that holds mappings/ with `--definitions DIR`"));
    }
    for name in names {
        if !known().any(|other| other == *name) {
            let trouble = Trouble::usage(format!("there is no mapping `{name}`"));
            return Err(match nearest(name, known()) {
                Some(near) => trouble.hint(format!("did you mean `{near}`?")),
                None => trouble.hint("`watashi list mappings` shows them"),
            });
        }
    }
    let chosen = |file: &&Arc<SourceFile>| {
        name_of(&file.path)
            .is_some_and(|name| names.is_empty() || names.iter().any(|other| *other == name))
    };
    Ok(files.iter().filter(chosen).cloned().collect())
}

fn part(files: &[Arc<SourceFile>], start: &str, end: &str) -> Vec<Arc<SourceFile>> {
    let fits = |file: &&Arc<SourceFile>| file.path.starts_with(start) && file.path.ends_with(end);
    files.iter().filter(fits).cloned().collect()
}

fn test(
    definitions: &Definitions,
    wanted: &[Arc<SourceFile>],
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Tested> {
    let mut tested = Vec::new();
    for file in wanted {
        let Some(mapping) = definitions.mapping(file, diagnostics) else { continue };
        let mut coverage = Coverage::of(&mapping);
        let folder = format!("{}cases/", file.path.trim_end_matches("mapping.yaml"));
        let mut cases = Vec::new();
        for file in part(&definitions.files, &folder, ".yaml") {
            let Some(case) = Case::load(&file, diagnostics) else { continue };
            let outcome = case.run(&mapping, &mut coverage);
            cases.push((case, outcome));
        }
        let file = Arc::clone(file);
        tested.push(Tested { file, mapping, cases, coverage, generated: None, mutation: None });
    }
    tested
}

impl Definitions {
    fn mapping(
        &self,
        file: &Arc<SourceFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Mapping> {
        Mapping::compile(file, &self.schemas, &self.tables, diagnostics)
    }

    /// In which formats documents of a schema cross, by schema: wherever an adapter names both.
    fn formats(&self) -> BTreeMap<String, Vec<Format>> {
        let mut formats = BTreeMap::new();
        for file in part(&self.files, "adapters/", "/adapter.yaml") {
            // What is broken there is lint's to tell.
            if let Ok(root) = yaml::parse(&file) {
                formats_in(&root, &mut formats);
            }
        }
        formats
    }
}

fn formats_in(node: &Node, into: &mut BTreeMap<String, Vec<Format>>) {
    let text = |key: &str| node.get(key).and_then(Node::as_str);
    if let (Some(format), Some(schema)) =
        (text("format").and_then(Format::from_name), text("schema"))
    {
        let known = into.entry(schema.to_owned()).or_default();
        if !known.contains(&format) {
            known.push(format);
        }
    }
    match &node.value {
        Kind::Scalar(_) => {}
        Kind::Seq(nodes) => nodes.iter().for_each(|inner| formats_in(inner, into)),
        Kind::Map(entries) => entries.iter().for_each(|entry| formats_in(&entry.node, into)),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    std::fs::write(path, text).map_err(|error| {
        Trouble::new(UNAVAILABLE, format!("`{}`: {}", path.display(), error.kind()))
    })
}
