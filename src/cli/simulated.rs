//! `watashi check --against-simulator`: adapters against the counterparts that their
//! `simulator.yaml` plays. Needs no configuration, network, broker or counterpart.

use super::trouble::{CONFIGURATION, Trouble, UNAVAILABLE};
use super::{Global, Outcome, load, print};
use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::config::{self, definitions};
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::{Diagnostic, SourceFile, render};
use crate::model::Secret;
use crate::simulator::{self, Behaviour, Row, Simulator};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was asked for.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// These adapters; none: all that have a simulator.
    pub adapters: &'a [String],
    /// These behaviours; none: all.
    pub behaviours: &'a [String],
    /// The definitions.
    pub folder: Option<&'a Path>,
}

/// Every simulator of the definitions, with what is wrong with them.
pub(super) fn load_all(
    files: &[Arc<SourceFile>],
    bundle: &Bundle,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Arc<Simulator>> {
    let is_one = |file: &&Arc<SourceFile>| file.path.ends_with("/simulator.yaml");
    let load = |file| simulator::load(file, bundle, diagnostics).map(Arc::new);
    files.iter().filter(is_one).filter_map(load).collect()
}

pub(super) fn run(global: &Global, wanted: &Wanted<'_>) -> Result<Outcome, Trouble> {
    let behaviours = behaviours(wanted.behaviours)?;
    let folder = match wanted.folder {
        Some(folder) => folder.to_owned(),
        None => match load::config_if_any(global).map(|path| config::load(&path).0) {
            Some(Some(config)) => config.definitions,
            _ => PathBuf::from("."),
        },
    };
    let mut diagnostics = Vec::new();
    let files = definitions::read(&folder, &mut diagnostics);
    let bundle = Bundle::build(&files, &Enabled::All, &Default::default(), &mut diagnostics);
    let Some(bundle) = bundle else {
        print::human(render::text(&diagnostics).trim_end());
        let message = format!("the definitions in `{}` must be mended first", folder.display());
        return Err(Trouble::new(CONFIGURATION, message).hint("`watashi lint` shows every problem"));
    };
    let mut problems = Vec::new();
    let mut simulators = load_all(&files, &bundle, &mut problems);
    if !problems.is_empty() {
        print::human(render::text(&problems).trim_end());
        return Err(Trouble::new(CONFIGURATION, "the simulators must be mended first"));
    }
    for name in wanted.adapters {
        if !simulators.iter().any(|one| one.adapter.name == *name) {
            let known = simulators.iter().map(|one| one.adapter.name.as_str());
            let trouble = Trouble::usage(format!("adapter `{name}` has no `simulator.yaml`"));
            return Err(match nearest(name, known) {
                Some(near) => trouble.hint(format!("did you mean `{near}`?")),
                None => trouble.hint("write one beside its adapter.yaml: docs/simulators.md"),
            });
        }
    }
    if !wanted.adapters.is_empty() {
        simulators.retain(|one| wanted.adapters.contains(&one.adapter.name));
    }
    let rows = load::wait(played(&simulators, &files, &behaviours))??;
    report(global, &rows)
}

/// All of them, one after the other, in a folder that goes afterwards.
async fn played(
    simulators: &[Arc<Simulator>],
    files: &[Arc<SourceFile>],
    behaviours: &[Behaviour],
) -> Result<Vec<(String, Row)>, Trouble> {
    let mut seed = vec![0; 32];
    aws_lc_rs::rand::fill(&mut seed)
        .map_err(|_| Trouble::new(UNAVAILABLE, "the system gives no random bytes"))?;
    let seed = Secret::new(seed);
    let folder = std::env::temp_dir().join(format!("watashi-simulated-{}", std::process::id()));
    let io = |error: std::io::Error| {
        Trouble::new(UNAVAILABLE, format!("`{}`: {}", folder.display(), error.kind()))
    };
    std::fs::create_dir(&folder).map_err(io)?;
    let mut rows = Vec::new();
    let mut failed = None;
    for simulator in simulators {
        match simulator::run(simulator, files, behaviours, &folder, &seed).await {
            Ok(found) => {
                rows.extend(found.into_iter().map(|row| (simulator.adapter.name.clone(), row)));
            }
            Err(error) => failed = Some(error),
        }
    }
    std::fs::remove_dir_all(&folder).map_err(io)?;
    failed.map_or(Ok(rows), |error| Err(error.into()))
}

fn behaviours(names: &[String]) -> Result<Vec<Behaviour>, Trouble> {
    if names.is_empty() {
        return Ok(Behaviour::ALL.to_vec());
    }
    let one = |name: &String| {
        let found = Behaviour::ALL.into_iter().find(|known| known.name() == name);
        found.ok_or_else(|| {
            let words: Vec<&str> = Behaviour::ALL.iter().map(|one| one.name()).collect();
            Trouble::usage(format!("there is no behaviour `{name}`"))
                .hint(format!("allowed: {}", words.join(", ")))
        })
    };
    names.iter().map(one).collect()
}

fn report(global: &Global, rows: &[(String, Row)]) -> Result<Outcome, Trouble> {
    let bad = rows.iter().filter(|(_, row)| !row.findings.is_empty()).count();
    if global.json {
        let page: Vec<_> =
            rows.iter().map(|(adapter, row)| json!({"adapter": adapter, "run": row})).collect();
        print::json(&page)?;
    } else {
        let lines: Vec<Vec<String>> = rows
            .iter()
            .map(|(adapter, row)| {
                let ended: Vec<String> =
                    row.ended.iter().map(|(state, count)| format!("{count} {state}")).collect();
                vec![
                    if row.findings.is_empty() { "ok" } else { "WRONG" }.to_owned(),
                    adapter.clone(),
                    row.name.clone(),
                    row.behaviour.to_owned(),
                    row.messages.to_string(),
                    row.requests.to_string(),
                    ended.join(", "),
                ]
            })
            .collect();
        let heads = ["", "adapter", "route or pull", "behaviour", "messages", "requests", "ended"];
        print::data(&print::table(&heads, &lines))?;
        for (adapter, row) in rows {
            for finding in &row.findings {
                let (name, behaviour) = (&row.name, row.behaviour);
                print::human(&format!("{adapter} {name}, {behaviour}: {finding}"));
            }
        }
    }
    print::human(&format!("{}, {bad} wrong", print::plural(rows.len(), "run")));
    Ok(if bad > 0 { Outcome::Exit(1) } else { Outcome::Fine })
}
