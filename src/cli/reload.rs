//! `watashi reload`: the running gateway reads its configuration and definitions again and puts
//! them in force, or keeps the old ones and tells every problem.

use super::operator::{self, Reasons};
use super::trouble::{CONFIGURATION, Trouble, UNAVAILABLE};
use super::{Global, Outcome, load, print};
use crate::ops::reload::Reloaded;
use clap::Args;
use serde_json::json;
use std::time::Duration;

const EXAMPLES: &str = "\
The gateway lints the definitions, runs every case, and swaps all at once. What is under way goes on
by the definitions it was accepted under. SIGHUP does the same.

Examples:
  watashi reload --operator sato --reason 'layout of 2026-12'
  systemctl reload watashi

Exit codes: 0 in force, 78 the old ones stay, 69 no gateway runs";

/// Lint and cases of large definitions take their time.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    reasons: Reasons,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let reasons = &arguments.reasons;
    reasons.check()?;
    let config = load::config(global)?;
    let gateway = operator::gateway(&config)?;
    let wanted = json!({"operator": reasons.operator, "reason": reasons.reason});
    let answer = load::wait(gateway.post("/api/v1/reload", &wanted, PATIENCE))??;
    let reloaded: Reloaded = serde_json::from_slice(&answer)
        .map_err(|_| Trouble::new(UNAVAILABLE, "the gateway's answer is not understood"))?;
    if global.json {
        print::json(&reloaded)?;
    } else {
        tell(&reloaded)?;
    }
    Ok(if reloaded.taken { Outcome::Fine } else { Outcome::Exit(CONFIGURATION) })
}

fn tell(reloaded: &Reloaded) -> Result<(), Trouble> {
    if !reloaded.taken {
        print::human(reloaded.problems.trim_end());
        let message = "the new definitions are not in force; everything goes on as before";
        print::human(&format!("error: {message}\n  definitions {}", reloaded.before));
        return Ok(());
    }
    let mut page = format!("definitions {}\n", reloaded.after);
    if reloaded.before == reloaded.after {
        page.push_str("the same as before\n");
    } else {
        page.push_str(&format!("before      {}\n", reloaded.before));
    }
    let lists = [
        ("added", &reloaded.added),
        ("removed", &reloaded.removed),
        ("changed", &reloaded.changed),
        ("renewed", &reloaded.renewed),
    ];
    for (word, names) in lists.into_iter().filter(|(_, names)| !names.is_empty()) {
        page.push_str(&format!("{word:<11} {}\n", names.join(", ")));
    }
    print::data(&page)?;
    for note in &reloaded.notes {
        print::human(&format!("note: {note}"));
    }
    Ok(())
}
