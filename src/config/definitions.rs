//! Reads the definition files of a folder: texts only, bounded, in a stable order.

use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::model::codes::config as codes;
use std::path::Path;
use std::sync::Arc;

/// Largest definition file, in bytes.
const MAX_FILE: u64 = 4 << 20;
/// Most files in one folder of definitions.
const MAX_FILES: usize = 20_000;
/// Deepest folder.
const MAX_DEPTH: usize = 8;

/// All files below `adapters/`, `schemas/` and `mappings/` of `folder`, their paths relative to
/// it. Symbolic links are not followed: a definition cannot read what lies outside.
pub fn read(folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Vec<Arc<SourceFile>> {
    let mut files = Vec::new();
    for part in ["adapters", "schemas", "mappings"] {
        walk(&folder.join(part), part, 0, &mut files, diagnostics);
    }
    files
}

/// All definitions of counts, which stand beside them: they decide nothing of what is carried, and so are
/// no part of the definitions in force.
pub fn counts(folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Vec<Arc<SourceFile>> {
    let mut files = Vec::new();
    walk(&folder.join("counts"), "counts", MAX_DEPTH, &mut files, diagnostics);
    files
}

fn walk(
    folder: &Path,
    shown: &str,
    depth: usize,
    files: &mut Vec<Arc<SourceFile>>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut entries: Vec<std::fs::DirEntry> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{shown}/{name}");
        let Ok(metadata) = std::fs::symlink_metadata(entry.path()) else { continue };
        if metadata.is_dir() && depth < MAX_DEPTH {
            walk(&entry.path(), &path, depth + 1, files, diagnostics);
        } else if metadata.is_file() && is_definition(&name) && files.len() < MAX_FILES {
            if metadata.len() > MAX_FILE {
                problem(&path, format!("larger than {MAX_FILE} bytes"), diagnostics);
                continue;
            }
            match std::fs::read_to_string(entry.path()) {
                Ok(text) => files.push(SourceFile::new(path, text)),
                Err(error) => problem(&path, error.kind().to_string(), diagnostics),
            }
        }
    }
}

fn is_definition(name: &str) -> bool {
    const ENDINGS: [&str; 5] = [".yaml", ".json", ".csv", ".txt", ".expect"];
    !name.starts_with('.') && ENDINGS.iter().any(|end| name.ends_with(end))
}

fn problem(path: &str, detail: String, diagnostics: &mut Vec<Diagnostic>) {
    let file = SourceFile::new(path, "");
    diagnostics.push(Diagnostic::error(
        &codes::NOT_READABLE,
        Location { file, span: 0..0 },
        detail,
    ));
}
