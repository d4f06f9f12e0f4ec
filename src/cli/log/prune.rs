//! `watashi log prune`: whole years leave the store, and the rest still verifies.

use crate::archive::Archive;
use crate::archive::prune::{Asked, plan};
use crate::cli::operator::{Acting, Reasons};
use crate::cli::trouble::{CONFIGURATION, Trouble, UNAVAILABLE};
use crate::cli::{Global, Outcome, load, print};
use crate::model::Clock;
use crate::model::clock::SystemClock;
use crate::model::codes::store as codes;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// First year (年度, from April) that stays: 2019 prunes all before 2019-04-01
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1900..=9000))]
    before: i16,
    /// Only tell what would go
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    reasons: Reasons,
}

pub(super) fn run(global: &Global, prune: &Prune) -> Result<Outcome, Trouble> {
    prune.reasons.check()?;
    let config = load::config(global)?;
    let Some(folder) = &config.record.export else {
        let code = &codes::RECORD_EXPORT_OFF;
        return Err(Trouble::new(CONFIGURATION, format!("{code} {}", code.title)).hint(
            "only what was exported can be pruned: set `[record] export` and let the gateway run",
        ));
    };
    let keys = crate::config::record::public(&config)?;
    let acting = load::wait(Acting::begin(&config))??;
    let Acting::Here { store, .. } = &acting else {
        return Err(Trouble::new(UNAVAILABLE, "the gateway runs and has the store")
            .hint("stop it for the time of the pruning"));
    };
    let asked = Asked {
        before: prune.before,
        keep_years: config.record.retention_years,
        operator: prune.reasons.operator.clone(),
        reason: prune.reasons.reason.clone(),
        now: SystemClock.now(),
    };
    let plan = load::wait(plan(&**store, &Archive::new(folder), &keys, asked))??;
    let size = plan.tree.size();
    let range = format!("entries {} to {size}", plan.first);
    if prune.dry_run {
        print::human(&format!("{range} would be pruned"));
        return Ok(Outcome::Fine);
    }
    load::wait(store.prune(plan.tree, plan.note))??;
    print::human(&format!(
        "{range} are pruned; the record says so. Their segments in `{}` may be deleted: {}",
        folder.display(),
        plan.segments.join(", ")
    ));
    Ok(Outcome::Fine)
}
