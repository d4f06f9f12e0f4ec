//! The mappings that come with Watashi: each compiles without a word, and its cases pass.

use crate::codec::{Codec, Format};
use crate::diagnostic::{SourceFile, render};
use crate::mapping::{Case, Coverage, Mapping, Tables};
use crate::model::json::{Limits, Node, read_tree};
use crate::schema::Schemas;
use crate::schema::generate::{Chance, Generator};
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

#[test]
fn over_bytes_or_over_values_a_mapping_gives_the_same() {
    let mut diagnostics = Vec::new();
    let schemas = Schemas::load(&files("schemas", ".schema.json"), &mut diagnostics);
    let tables = Tables::load(&files("mappings/tables", ""), &mut diagnostics);
    let meta = super::meta();
    let mut mapped = 0;
    for file in files("mappings", "/mapping.yaml") {
        let mapping = Mapping::compile(&file, &schemas, &tables, &mut diagnostics).unwrap();
        let generator = Generator::new(&mapping.from).unwrap();
        for seed in 0..100 {
            let document = generator.document(&mut Chance::new(seed)).unwrap();
            let bytes = serde_json::to_vec(&document).unwrap();
            let tree = read_tree(&bytes, &Limits::default()).unwrap_or_else(|_| panic!());
            let place = format!("{} {seed}", mapping.name);
            let expected = mapping.run(&document, &meta);
            let found = mapping.map(&tree, &meta);
            assert_eq!(found.as_ref().err(), expected.as_ref().err(), "{place}");
            let (Ok(found), Ok(expected)) = (found, expected) else { continue };
            assert!(found.node() == Node::from(&expected), "{place}");
            let verdicts = (mapping.to.validate(&found), mapping.to.validate(&expected));
            assert_eq!(verdicts.0, verdicts.1, "{place}");
            for format in [Format::Json, Format::Xml] {
                let Some(codec) = Codec::compile(format, &mapping.to, &mut Vec::new()) else {
                    continue;
                };
                assert_eq!(codec.encode(&found), codec.encode(&expected), "{place}");
            }
            assert_eq!(found.into_value(), expected, "{place}");
            mapped += 1;
        }
    }
    assert!(mapped > 500, "only {mapped} documents were mapped");
}
