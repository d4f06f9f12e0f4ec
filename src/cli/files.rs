//! The kinds of files that people write: how each is told by its path, and its JSON Schema.

use super::trouble::{Trouble, UNAVAILABLE};
use crate::adapter::keys::hours::CALENDAR_FILE;
use crate::adapter::keys::{ADAPTER_FILE, PERMISSIONS_FILE};
use crate::config::keys::CONFIG_FILE;
use crate::counts::keys::COUNTS_FILE;
use crate::diagnostic::keys::{File, json_schema};
use crate::mapping::keys::{CASE_FILE, MAPPING_FILE, TABLE_FILE};
use crate::simulator::keys::SIMULATOR_FILE;
use std::path::Path;

/// Where the JSON Schemas lie, relative to the definitions.
pub const SCHEMA_FOLDER: &str = "docs/reference/schema";

/// Every kind of file.
pub static KINDS: [&File; 9] = [
    &ADAPTER_FILE,
    &CALENDAR_FILE,
    &CASE_FILE,
    &COUNTS_FILE,
    &MAPPING_FILE,
    &PERMISSIONS_FILE,
    &SIMULATOR_FILE,
    &TABLE_FILE,
    &CONFIG_FILE,
];

/// The kind of a YAML file by its path; `None` for one that is no definition.
pub fn kind(path: &str) -> Option<&'static File> {
    let path = path.replace('\\', "/");
    let mut parts = path.rsplit('/');
    let (file, folder, above) = (parts.next()?, parts.next(), parts.next());
    if !file.ends_with(".yaml") {
        return None;
    }
    match (above, folder) {
        (_, Some("cases")) => Some(&CASE_FILE),
        (_, Some("counts")) => Some(&COUNTS_FILE),
        (Some("mappings"), Some("tables")) => Some(&TABLE_FILE),
        (Some("mappings"), _) if file == "mapping.yaml" => Some(&MAPPING_FILE),
        (Some("adapters"), Some("calendars")) => Some(&CALENDAR_FILE),
        (Some("adapters"), _) if file == "adapter.yaml" => Some(&ADAPTER_FILE),
        (Some("adapters"), _) if file == "simulator.yaml" => Some(&SIMULATOR_FILE),
        (Some("adapters"), _) => Some(&PERMISSIONS_FILE),
        _ => None,
    }
}

/// The JSON Schema of a kind of file, as it is written.
pub fn schema_text(file: &'static File) -> Result<String, Trouble> {
    let text = serde_json::to_string_pretty(&json_schema(file))
        .map_err(|error| Trouble::new(UNAVAILABLE, format!("not expressible as JSON: {error}")))?;
    Ok(format!("{text}\n"))
}

/// The line at the top of a YAML file that tells an editor which JSON Schema it follows. `depth`:
/// how many folders stand between the file and the definitions.
pub fn modeline(file: &File, depth: usize) -> String {
    let up = "../".repeat(depth);
    format!("# yaml-language-server: $schema={up}{SCHEMA_FOLDER}/{}.schema.json\n", file.name)
}

/// Writes a file that is not there yet, with the folders it lies in.
pub fn write_new(path: &Path, text: &str) -> Result<(), Trouble> {
    use std::io::Write;
    let unavailable = |error: std::io::Error| {
        Trouble::new(UNAVAILABLE, format!("`{}`: {}", path.display(), error.kind()))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unavailable)?;
    }
    let mut file = std::fs::File::create_new(path).map_err(unavailable)?;
    file.write_all(text.as_bytes()).map_err(unavailable)
}

/// Writes a file anew.
pub fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    let unavailable = |error: std::io::Error| {
        Trouble::new(UNAVAILABLE, format!("`{}`: {}", path.display(), error.kind()))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(unavailable)?;
    }
    std::fs::write(path, text).map_err(unavailable)
}
