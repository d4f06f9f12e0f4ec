//! Every definition file of this repository lints clean and every case passes.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use watashi::adapter::Bundle;
use watashi::adapter::bundle::Enabled;
use watashi::config::definitions;
use watashi::diagnostic::{SourceFile, render};
use watashi::mapping::{Case, Coverage};

fn files() -> Vec<Arc<SourceFile>> {
    let mut diagnostics = Vec::new();
    let files = definitions::read(Path::new(env!("CARGO_MANIFEST_DIR")), &mut diagnostics);
    assert!(diagnostics.is_empty(), "{}", render::text(&diagnostics));
    files
}

fn bundle(files: &[Arc<SourceFile>]) -> Bundle {
    let mut diagnostics = Vec::new();
    let bundle = Bundle::build(files, &Enabled::All, &BTreeMap::new(), &mut diagnostics);
    assert!(diagnostics.is_empty(), "{}", render::text(&diagnostics));
    bundle.expect("a bundle without problems")
}

#[test]
fn definitions_lint_clean() {
    let files = files();
    let bundle = bundle(&files);
    assert!(bundle.routes().count() > 0, "no routes were found");
}

#[test]
fn every_case_passes() {
    let files = files();
    let bundle = bundle(&files);
    let mut failures = Vec::new();
    for mapping in bundle.mappings.values() {
        let folder = format!("mappings/{}/cases/", mapping.name);
        let cases: Vec<_> = files.iter().filter(|file| file.path.starts_with(&folder)).collect();
        if cases.is_empty() {
            failures.push(format!("{folder}: a mapping needs at least one case"));
        }
        let mut coverage = Coverage::of(mapping);
        for file in cases {
            let mut diagnostics = Vec::new();
            match Case::load(file, &mut diagnostics) {
                Some(case) => {
                    let outcome = case.run(mapping, &mut coverage);
                    let differences = outcome.differences.into_iter();
                    failures.extend(differences.map(|one| format!("{}: {one}", file.path)));
                }
                None => failures.push(render::text(&diagnostics)),
            }
        }
        let untouched = coverage.untouched().into_iter();
        failures.extend(untouched.map(|(target, line)| {
            format!("mappings/{}/mapping.yaml:{line}: no case reaches `{target}`", mapping.name)
        }));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_mapping_and_adapter_has_a_readme() {
    let files = files();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = files.iter().filter_map(|file| {
        file.path.strip_suffix("/mapping.yaml").or(file.path.strip_suffix("/adapter.yaml"))
    });
    let missing: Vec<&str> =
        folders.filter(|folder| !root.join(folder).join("README.md").is_file()).collect();
    assert!(missing.is_empty(), "without README.md: {missing:?}");
}
