//! The simulated counterpart calls: as soon as something is done there, it says so by the notices
//! that `simulator.yaml` has, once until it is heard and once more.

use super::template::{Facts, fill};
use super::{Simulator, World};
use crate::adapter::Operation;
use crate::adapter::callback::Effect;
use crate::pipeline::Context;
use crate::pipeline::callback::{Notice, Taken, Untaken, take};
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often it looks for something to tell.
const EVERY: Duration = Duration::from_millis(3);
/// A ticket that no counterpart of a run gives.
const NOBODYS: &str = "T99999999";

/// A thing that was done.
#[derive(Clone, Debug)]
pub(super) struct Done {
    /// The ticket it was taken with.
    pub ticket: String,
    /// By what the counterpart knows it.
    pub name: String,
    /// What was submitted.
    pub submitted: Value,
}

/// Calls until `stop`.
pub(super) async fn run(
    world: Arc<World>,
    simulator: Arc<Simulator>,
    completed: String,
    cx: Arc<Context>,
    mut stop: watch::Receiver<bool>,
) {
    let notices: Vec<(Arc<Operation>, Value)> = simulator.notices_of(&completed);
    if notices.is_empty() {
        return;
    }
    let mut heard: BTreeSet<(String, String)> = BTreeSet::new();
    while !*stop.borrow() {
        for done in world.finished() {
            for (operation, template) in &notices {
                let key = (operation.name.clone(), done.ticket.clone());
                if heard.contains(&key) {
                    continue;
                }
                match tell(&simulator, operation, template, &done, &cx).await {
                    Ok(_) => {
                        // Said again, it is answered as before.
                        if tell(&simulator, operation, template, &done, &cx).await.is_err() {
                            let what = "a repeated notice is refused";
                            world.wrong(format!("{}: {what}", operation.name));
                        }
                        let other = Done { ticket: NOBODYS.to_owned(), ..done.clone() };
                        if tell(&simulator, operation, template, &other, &cx).await.is_ok() {
                            let what = "a notice of a ticket that was never given is taken";
                            world.wrong(format!("{}: {what}", operation.name));
                        }
                        heard.insert(key);
                    }
                    // The receipt was lost, or is being written.
                    Err(Untaken::UnknownTicket | Untaken::StoreDown(_)) => {}
                    Err(untaken) => {
                        world.wrong(format!("{}: notice not taken: {untaken:?}", operation.name));
                        heard.insert(key);
                    }
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn tell(
    simulator: &Simulator,
    operation: &Arc<Operation>,
    template: &Value,
    done: &Done,
    cx: &Arc<Context>,
) -> Result<Taken, Untaken> {
    let facts = Facts {
        ticket: &done.ticket,
        name: &done.name,
        submitted: Some(&done.submitted),
        ..Facts::default()
    };
    let unfit = |text: &str| Untaken::Unfit(text.to_owned());
    let plan = operation.step.response.as_ref().ok_or_else(|| unfit("no layout"))?;
    let body = plan.codec.encode(&fill(template, &facts));
    let body = body.map_err(|error| Untaken::Unfit(error.to_string()))?;
    let notice = Notice {
        adapter: Arc::clone(&simulator.adapter),
        operation: Arc::clone(operation),
        content_type: plan.codec.content_type().to_owned(),
        traceparent: None,
        body: Bytes::from(body),
    };
    take(&notice, cx).await
}

impl Simulator {
    /// The notices that tell of results of an operation.
    fn notices_of(&self, completed: &str) -> Vec<(Arc<Operation>, Value)> {
        let of = |operation: &Operation| {
            let effect = operation.push_in.as_ref().map(|push| &push.effect);
            matches!(effect, Some(Effect::Completes { operation, .. }) if operation == completed)
        };
        let played = self.operations.values().filter(|played| of(&played.operation));
        played
            .filter_map(|played| Some((Arc::clone(&played.operation), played.notice.clone()?)))
            .collect()
    }
}
