//! The corpus of examples: `tests/corpus/mapping/*.md`, prose around mappings with what comes of
//! them. In order, the fenced blocks of an example are
//!
//! - `yaml`: the mapping; without `mapping:` it stands below the usual head;
//! - `json input`: the document; left out, the last one stays;
//! - `json output`, `text rejected` or `text diagnostics`: what must come of it;
//! - `json proved`: the same as `json output`, and the mapping is proved without a finding.
//!
//! `BLESS=1 cargo test --lib corpus` writes what came out; read the difference before committing.

use super::{compile, file, meta, unproved};
use crate::diagnostic::SourceFile;
use crate::diagnostic::render;
use serde_json::Value;
use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/mapping");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    files
}

/// Splits a file into prose and blocks: (what stands after the fence, text).
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut parts = vec![(String::new(), String::new())];
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        match line.trim_end().strip_prefix("```") {
            Some(info) if !inside => parts.push((info.to_owned(), String::new())),
            Some(_) => parts.push((String::new(), String::new())),
            None => parts.last_mut().unwrap().1.push_str(line),
        }
        inside ^= line.starts_with("```");
    }
    parts
}

fn outcome(yaml: &str, input: &str, wanted: &str) -> String {
    let file = if yaml.contains("mapping:") {
        SourceFile::new("mappings/sample/mapping.yaml", yaml)
    } else {
        file(yaml)
    };
    let proof = matches!(wanted, "text diagnostics" | "json proved");
    let (mapping, diagnostics) = if proof { compile(&file) } else { unproved(&file) };
    if wanted == "text diagnostics" {
        assert!(!diagnostics.is_empty(), "nothing is wrong with\n{yaml}");
        return format!("{}\n", render::text(&diagnostics).trim_end());
    }
    assert!(diagnostics.is_empty(), "{yaml}\n{}", render::text(&diagnostics));
    let mapping = mapping.unwrap();
    let input: Value = serde_json::from_str(input).unwrap();
    match (wanted, mapping.run(&input, &meta())) {
        ("json output" | "json proved", Ok(output)) => {
            format!("{}\n", serde_json::to_string_pretty(&output).unwrap())
        }
        ("text rejected", Err(rejection)) => {
            let code = rejection.author_code.as_deref().unwrap_or(rejection.code.code);
            let (target, line, column) = (rejection.target, rejection.line, rejection.column);
            format!("{code} {target} {line}:{column} {}\n", rejection.detail)
        }
        (_, other) => panic!("{wanted} expected of\n{yaml}\nbut: {other:?}"),
    }
}

#[test]
fn every_example_comes_out_as_written() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut count = 0;
    for path in files() {
        let text = std::fs::read_to_string(&path).unwrap();
        let (mut yaml, mut input, mut blessed) = (String::new(), String::new(), String::new());
        for (info, block) in blocks(&text) {
            let mut block = block;
            match info.as_str() {
                "" => {}
                "yaml" => yaml.clone_from(&block),
                "json input" => input.clone_from(&block),
                wanted => {
                    count += 1;
                    let found = outcome(&yaml, &input, wanted);
                    let same = found == block
                        || (wanted.starts_with("json")
                            && serde_json::from_str::<Value>(&block).ok()
                                == serde_json::from_str::<Value>(&found).ok());
                    if bless {
                        block = if same { block } else { found };
                    } else {
                        assert!(
                            same,
                            "{}\n{yaml}\nwanted:\n{block}\nfound:\n{found}",
                            path.display()
                        );
                    }
                }
            }
            if info.is_empty() {
                blessed.push_str(&block);
            } else {
                blessed.push_str(&format!("```{info}\n{block}```\n"));
            }
        }
        if bless {
            std::fs::write(&path, blessed).unwrap();
        } else {
            assert_eq!(blessed, text, "{} does not read back", path.display());
        }
    }
    assert!(count >= 60, "only {count} examples");
}
