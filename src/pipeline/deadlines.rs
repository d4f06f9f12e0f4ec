//! Deadlines: ends what waits longer than its route allows, also while its counterpart is closed
//! or left alone, and while it is held behind another exchange.

use super::context::{Context, Counterpart};
use super::{gate, settle};
use crate::store::Overdue;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

const EVERY: Duration = Duration::from_secs(1);
/// Exchanges looked at in one step.
const STEP: usize = 1_000;
/// Steps of one pass for a counterpart; the next pass begins where this one ended.
const STEPS: usize = 10;

/// Looks until `stop`. Every instance does: who is second finds the fence raised.
pub async fn run(cx: Arc<Context>, mut stop: watch::Receiver<bool>) {
    let mut places = std::collections::HashMap::new();
    while !*stop.borrow() {
        for counterpart in cx.counterparts.all() {
            let name = counterpart.adapter.name.clone();
            let from = places.get(&name).copied().unwrap_or(0);
            places.insert(name, look(&counterpart, from, &cx).await);
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

/// One pass over what waits for a counterpart, from an exchange on. Gives where to go on.
pub async fn look(counterpart: &Counterpart, from: i64, cx: &Arc<Context>) -> i64 {
    let now = cx.clock.now();
    let bundle = cx.bundle();
    let name = counterpart.adapter.name.as_str();
    let limited = bundle.routes().filter(|route| route.adapter.name == name).filter_map(|route| {
        let accepted = now.checked_sub(route.deadline?).ok()?;
        Some((route.name.clone(), accepted))
    });
    let routes: Vec<_> = limited.collect();
    if routes.is_empty() {
        return 0;
    }
    let mut after = from;
    for _ in 0..STEPS {
        let overdue =
            Overdue { counterpart: name.to_owned(), routes: routes.clone(), after, limit: STEP };
        let (found, next) = match cx.store.overdue(overdue).await {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(
                    code = error.code.code,
                    detail = error.detail,
                    "deadlines not looked at: the store cannot be read"
                );
                return 0;
            }
        };
        for claimed in found {
            let Some(route) = cx.route_of(&claimed) else { continue };
            if let Some(decided) = gate::over(&claimed, &route, now) {
                settle::write(vec![(claimed, &route, 0, decided)], cx).await;
            }
        }
        match next {
            Some(next) => after = next,
            None => return 0,
        }
    }
    after
}
