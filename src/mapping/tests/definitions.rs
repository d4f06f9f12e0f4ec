//! The mappings that come with Watashi: each compiles without a word, and its cases pass.

use crate::diagnostic::{SourceFile, render};
use crate::mapping::{Case, Coverage, Mapping, Tables};
use crate::schema::Schemas;
use std::path::Path;
use std::sync::Arc;

fn collect(folder: &Path, ending: &str, into: &mut Vec<Arc<SourceFile>>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, ending, into);
        } else if path.to_string_lossy().ends_with(ending) {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            into.push(SourceFile::new(name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

fn files(folder: &str, ending: &str) -> Vec<Arc<SourceFile>> {
    let mut files = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), ending, &mut files);
    files
}

#[test]
fn every_mapping_compiles_and_its_cases_pass() {
    let mut diagnostics = Vec::new();
    let schemas = Schemas::load(&files("schemas", ".schema.json"), &mut diagnostics);
    let tables = Tables::load(&files("mappings/tables", ""), &mut diagnostics);
    let mut failures = Vec::new();
    let mappings = files("mappings", "/mapping.yaml");
    for file in &mappings {
        let Some(mapping) = Mapping::compile(file, &schemas, &tables, &mut diagnostics) else {
            continue;
        };
        let mut coverage = Coverage::of(&mapping);
        for case in files(&format!("mappings/{}/cases", mapping.name), ".yaml") {
            let Some(loaded) = Case::load(&case, &mut diagnostics) else { continue };
            let outcome = loaded.run(&mapping, &mut coverage);
            failures
                .extend(outcome.differences.iter().map(|line| format!("{}: {line}", case.path)));
        }
        let untouched = coverage.untouched();
        failures.extend(untouched.iter().map(|(target, line)| {
            format!("{}:{line}: no case gives `{target}` a value", file.path)
        }));
    }
    assert!(diagnostics.is_empty(), "{}", render::text(&diagnostics));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(!mappings.is_empty());
}
