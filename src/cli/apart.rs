//! `watashi check --apart`: whether the municipalities of an installation have nothing in common.

use super::trouble::{CONFIGURATION, Trouble};
use super::{Global, Outcome, print};
use crate::config::apart::{self, Facts, OnDisk};
use crate::config::{self, Config};
use crate::diagnostic::{Diagnostic, Severity, render};
use serde_json::json;
use std::path::PathBuf;

/// Compares the configurations; `users`: whether owners and modes count.
pub(super) fn run(global: &Global, files: &[PathBuf], users: bool) -> Result<Outcome, Trouble> {
    if files.len() < 2 {
        return Err(Trouble::usage("`--apart` compares the configurations of all municipalities")
            .hint("name two or more: `watashi check --apart /etc/watashi/*/watashi.toml`"));
    }
    let mut problems: Vec<Diagnostic> = Vec::new();
    let mut configs: Vec<Config> = Vec::new();
    for file in files {
        let (config, mut found) = config::load(file);
        problems.append(&mut found);
        configs.extend(config);
    }
    let facts = OnDisk;
    let compared = apart::compare(&configs, users.then_some(&facts as &dyn Facts));
    problems.extend(compared.problems);
    let failed = problems.iter().any(|one| one.severity == Severity::Error);
    if global.json {
        print::json(&json!({
            "apart": problems.is_empty(),
            "gateways": configs.iter().map(gateway).collect::<Vec<_>>(),
            "compared": compared.holdings,
            "diagnostics": render::json(&problems),
        }))?;
    } else {
        if !problems.is_empty() {
            print::human(render::text(&problems).trim_end());
        }
        let word = if problems.is_empty() { "apart" } else { "NOT SHOWN TO BE APART" };
        let gateways = print::plural(configs.len(), "configuration");
        let things = print::plural(compared.holdings, "thing");
        print::data(&format!("{word}: {gateways}, {things} compared\n"))?;
    }
    Ok(match (failed, problems.is_empty()) {
        (true, _) => Outcome::Exit(CONFIGURATION),
        (false, false) => Outcome::Findings,
        (false, true) => Outcome::Fine,
    })
}

fn gateway(config: &Config) -> serde_json::Value {
    json!({
        "file": config.file.path,
        "name": config.name,
        "municipalities": config.municipalities,
    })
}
