//! `watashi lint`: definitions and configuration, every problem at once, no network.

use super::trouble::Trouble;
use super::{Global, Outcome, load, print, simulated};
use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::config::{self, agree, definitions};
use crate::counts;
use crate::diagnostic::{Diagnostic, Location, Severity, SourceFile, render};
use crate::model::codes::config as codes;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

const EXAMPLES: &str = "\
Without `--definitions` the folder that watashi.toml names is checked; without a watashi.toml this
folder.

Examples:
  watashi lint
  watashi lint --definitions /etc/watashi/definitions
  watashi lint --json | jq '.diagnostics[].file'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Folder that holds adapters/, schemas/ and mappings/
    #[arg(long, value_name = "DIR")]
    definitions: Option<PathBuf>,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let mut diagnostics = Vec::new();
    let config_file = load::config_if_any(global);
    let config = config_file.as_deref().and_then(|path| {
        let (config, mut found) = config::load(path);
        diagnostics.append(&mut found);
        config
    });
    let folder = match (&arguments.definitions, &config) {
        (Some(folder), _) => folder.clone(),
        (None, Some(config)) => config.definitions.clone(),
        (None, None) => PathBuf::from("."),
    };
    let files = definitions::read(&folder, &mut diagnostics);
    if !files.iter().any(|file| file.path.ends_with("/adapter.yaml")) {
        let file = SourceFile::new(folder.display().to_string(), "");
        let message = "no `adapters/<name>/adapter.yaml` in this folder";
        let location = Location { file, span: 0..0 };
        diagnostics.push(Diagnostic::error(&codes::NO_DEFINITIONS, location, message));
    }
    let enabled = config.as_ref().map_or(Enabled::All, |config| config.enabled.clone());
    let overrides = config.as_ref().map(config::Config::overrides).unwrap_or_default();
    let bundle = Bundle::build(&files, &enabled, &overrides, &mut diagnostics);
    if let Some(bundle) = &bundle {
        simulated::load_all(&files, bundle, &mut diagnostics);
        let counted = definitions::counts(&folder, &mut diagnostics);
        counts::load(&counted, bundle, &mut diagnostics);
    }
    if let (Some(config), Some(bundle)) = (&config, &bundle) {
        diagnostics.append(&mut agree::check(config, bundle));
    }
    report(global, &files, config_file.is_some(), &diagnostics)
}

fn report(
    global: &Global,
    files: &[Arc<SourceFile>],
    with_config: bool,
    diagnostics: &[Diagnostic],
) -> Result<Outcome, Trouble> {
    let errors = diagnostics.iter().filter(|one| one.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    let count = |end: &str| files.iter().filter(|file| file.path.ends_with(end)).count();
    let (adapters, schemas) = (count("/adapter.yaml"), count(".schema.json"));
    let mappings = count("/mapping.yaml");
    if global.json {
        print::json(&json!({
            "diagnostics": render::json(diagnostics),
            "errors": errors,
            "warnings": warnings,
            "checked": {
                "adapters": adapters,
                "schemas": schemas,
                "mappings": mappings,
                "configuration": with_config,
            },
        }))?;
    } else {
        let problems = render::text(diagnostics);
        // The renderer's last line counts; ours says what was looked at as well.
        let (body, counted) = match problems.trim_end().rsplit_once('\n') {
            Some((body, counted)) => (body, counted),
            None => ("", "no problems"),
        };
        if !body.is_empty() {
            print::human(body);
        }
        let configuration = if with_config { ", the configuration" } else { "" };
        print::human(&format!(
            "checked {}, {}, {}{configuration}: {counted}",
            print::plural(adapters, "adapter"),
            print::plural(schemas, "schema"),
            print::plural(mappings, "mapping"),
        ));
    }
    Ok(if errors > 0 { Outcome::Findings } else { Outcome::Fine })
}
