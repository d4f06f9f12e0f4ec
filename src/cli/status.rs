//! `watashi status`: exchanges by route, state and code; what waits; how long the record is.

use super::trouble::Trouble;
use super::{Global, Outcome, load, print};
use crate::store::{Count, InstanceView, Store};
use serde_json::{Map, Value, json};

pub(super) fn run(global: &Global) -> Result<Outcome, Trouble> {
    let store = load::store(&load::config(global)?)?;
    let (counts, backlog, entries, instances) = load::wait(async {
        let counts = store.counts().await?;
        let backlog = store.backlog().await?;
        let entries = record_length(&*store).await?;
        Ok::<_, Trouble>((counts, backlog, entries, store.instances().await?))
    })??;
    if global.json {
        let backlog: Map<String, Value> =
            backlog.into_iter().map(|(name, count)| (name, json!(count))).collect();
        let page = json!({"counts": counts, "backlog": backlog, "record": {"entries": entries},
            "instances": instances});
        print::json(&page)?;
    } else {
        print::data(&text(&counts, &backlog, entries))?;
        if !instances.is_empty() {
            print::data(&sharing(&instances))?;
        }
    }
    Ok(Outcome::Fine)
}

/// The instances that share the store.
fn sharing(instances: &[InstanceView]) -> String {
    let row = |one: &InstanceView| {
        let lease = format!("{} s", one.lease_seconds);
        vec![
            one.id.to_string(),
            one.name.clone(),
            one.started_at.clone(),
            lease,
            one.roles.join(" "),
        ]
    };
    let rows: Vec<_> = instances.iter().map(row).collect();
    let head = ["instance", "name", "since", "lease left", "roles"];
    format!("\n{}", print::table(&head, &rows))
}

fn text(counts: &[Count], backlog: &[(String, u64)], entries: i64) -> String {
    let row = |count: &Count| {
        let route = if count.route.is_empty() { "-" } else { &count.route };
        vec![
            route.to_owned(),
            count.state.clone(),
            count.code.clone().unwrap_or_else(|| "-".to_owned()),
            count.count.to_string(),
            count.retried.to_string(),
            count.unknown_resolved.to_string(),
        ]
    };
    let head = ["route", "state", "code", "count", "retried", "unknown resolved"];
    let mut out = print::table(&head, &counts.iter().map(row).collect::<Vec<_>>());
    if out.is_empty() {
        out.push_str("no exchanges yet\n");
    }
    let waiting: Vec<String> = backlog
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let waiting = if waiting.is_empty() { "none".to_owned() } else { waiting.join(", ") };
    out.push_str(&format!("\nnot ended, by counterpart: {waiting}\n"));
    out.push_str(&format!(
        "record: {}\n",
        print::plural(usize::try_from(entries).unwrap_or(0), "entry")
    ));
    out
}

/// Sequence of the last entry. Sequences have no gaps, so that a search by halves finds the end.
async fn record_length(store: &dyn Store) -> Result<i64, Trouble> {
    let (mut known, mut step) = (0_i64, 1_i64);
    while !store.record(known + step - 1, 1).await?.is_empty() {
        known += step;
        step = step.saturating_mul(2);
    }
    while step > 1 {
        step /= 2;
        if !store.record(known + step - 1, 1).await?.is_empty() {
            known += step;
        }
    }
    Ok(known)
}
