//! `examples/valid-*.json` and `invalid-*.json` beside a schema: each must keep its promise.

use super::Schemas;
use super::file::id_of_path;
use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::model::codes::document;
use crate::model::json;
use std::sync::Arc;

/// Whether the path is that of an example
/// (`schemas/<folder>/<name>/examples/[<version>-]valid-<what>.json`).
pub fn is_example(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let file = parts.next().unwrap_or_default();
    parts.next() == Some("examples") && file.ends_with(".json")
}

/// Checks every example among `files`. Without a version in its name (`2-valid-...`) an example is
/// for every version beside it.
pub fn check(schemas: &Schemas, files: &[Arc<SourceFile>], found: &mut Vec<Diagnostic>) {
    for file in files.iter().filter(|file| is_example(&file.path)) {
        let location = Location { file: Arc::clone(file), span: 0..0 };
        let mut refuse = |message: String| {
            found.push(Diagnostic::error(&document::SCHEMA_EXAMPLE, location.clone(), message));
        };
        let (folder, name) = file.path.rsplit_once("/examples/").unwrap_or_default();
        let (version, kind) = match name.split_once('-') {
            Some((version, rest)) if version.parse::<u32>().is_ok() => (Some(version), rest),
            _ => (None, name),
        };
        let valid = kind.starts_with("valid");
        if !valid && !kind.starts_with("invalid") {
            refuse("the name begins with neither `valid` nor `invalid`".to_owned());
            continue;
        }
        let limits = json::Limits::default();
        let value = match json::read(file.text.as_bytes(), &limits) {
            Ok(value) => value,
            Err(error) => {
                if valid {
                    let error = error.located(file.text.as_bytes(), |_| String::new());
                    refuse(format!("not strict JSON: {error}"));
                }
                continue;
            }
        };
        let beside = id_of_path(&format!("{folder}/1.schema.json")).unwrap_or_default();
        let stem = beside.trim_end_matches('1');
        let mut any = false;
        for id in schemas.ids().filter(|id| {
            id.strip_prefix(stem)
                .is_some_and(|v| !stem.is_empty() && version.is_none_or(|version| version == v))
        }) {
            any = true;
            let Some(schema) = schemas.get(id) else { continue };
            match (schema.validate(&value), valid) {
                (Err(violations), true) => {
                    let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
                    refuse(format!("not valid under {id}: {}", all.join("; ")));
                }
                (Ok(()), false) => refuse(format!("valid under {id}, but must not be")),
                _ => {}
            }
        }
        if !any {
            refuse("no schema beside it was loaded".to_owned());
        }
    }
}
