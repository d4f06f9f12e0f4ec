//! The pulls and workers of all counterparts: started together, replaced together when other
//! definitions are in force. Those that are replaced finish what they have under way.

use super::drain;
use crate::adapter::{Adapter, Destination, Interaction};
use crate::pipeline::worker::{self, Work};
use crate::pipeline::{Context, Counterpart, availability, file, pull};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Tasks that stop together.
struct Group {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Group {
    fn new() -> Group {
        Group { stop: watch::Sender::new(false), tasks: JoinSet::new() }
    }
}

/// All of them.
pub(super) struct Workers {
    cx: Arc<Context>,
    pulls: Group,
    work: Group,
    /// Those that were replaced and have something under way.
    leaving: JoinSet<()>,
}

impl Workers {
    /// Starts them for the counterparts and definitions at hand.
    pub fn start(cx: &Arc<Context>) -> Workers {
        let mut workers = Workers {
            cx: Arc::clone(cx),
            pulls: Group::new(),
            work: Group::new(),
            leaving: JoinSet::new(),
        };
        workers.fill();
        workers
    }

    /// Starts new ones in their place. Both may be there for a while: the fence of each exchange
    /// lets one of them have it, and a counterpart's limits count for both together.
    pub fn replace(&mut self) {
        while self.leaving.try_join_next().is_some() {}
        for group in [&mut self.pulls, &mut self.work] {
            let old = std::mem::replace(group, Group::new());
            old.stop.send_replace(true);
            let mut tasks = old.tasks;
            self.leaving.spawn(async move { while tasks.join_next().await.is_some() {} });
        }
        self.fill();
        self.cx.wake_all();
    }

    /// Stops pulling.
    pub async fn stop_pulls(&mut self, limit: Duration) {
        self.pulls.stop.send_replace(true);
        drain(&mut self.pulls.tasks, limit).await;
    }

    /// Stops sending: nothing new is begun, what is under way is finished.
    pub async fn stop_work(&mut self, limit: Duration) {
        self.work.stop.send_replace(true);
        tokio::join!(drain(&mut self.work.tasks, limit), drain(&mut self.leaving, limit));
    }

    fn fill(&mut self) {
        for counterpart in self.cx.counterparts.all() {
            self.serve(&counterpart);
        }
    }

    /// One worker per operation, also of older definitions that exchanges still go by; pulls are
    /// those of the definitions in force.
    fn serve(&mut self, counterpart: &Arc<Counterpart>) {
        let name = &counterpart.adapter.name;
        let bundles = self.cx.definitions.all();
        let publishes = bundles.iter().any(|bundle| {
            bundle.routes().any(|route| {
                route.adapter.name == *name && matches!(route.destination, Destination::Publish(_))
            })
        });
        let (one, cx) = (Arc::clone(counterpart), Arc::clone(&self.cx));
        self.work.tasks.spawn(availability::run(one, cx, self.work.stop.subscribe()));
        let mut works = Vec::new();
        if publishes {
            works.push(Work::Publish);
        }
        let mut operations = BTreeMap::new();
        let older = bundles.iter().filter_map(|bundle| bundle.adapters.get(name));
        for adapter in std::iter::once(&counterpart.adapter).chain(older) {
            let adapter: &Adapter = adapter;
            for operation in adapter.operations.values() {
                if !comes_by_itself(operation.interaction) {
                    operations
                        .entry(operation.name.clone())
                        .or_insert_with(|| Arc::clone(operation));
                }
            }
        }
        for operation in operations.into_values() {
            if operation.interaction == Interaction::FileOut {
                let (cx, stop) = (Arc::clone(&self.cx), self.work.stop.subscribe());
                let counterpart = Arc::clone(counterpart);
                self.work.tasks.spawn(file::write::run(operation, counterpart, cx, stop));
            } else {
                works.push(Work::Operation(operation));
            }
        }
        for work in works {
            let (cx, stop) = (Arc::clone(&self.cx), self.work.stop.subscribe());
            self.work.tasks.spawn(worker::run(work, Arc::clone(counterpart), cx, stop));
        }
        for operation in counterpart.adapter.operations.values() {
            let in_force = self.cx.bundle();
            let (operation, counterpart) = (Arc::clone(operation), Arc::clone(counterpart));
            let cx = Arc::clone(&self.cx);
            let stop = self.pulls.stop.subscribe();
            match operation.interaction {
                // What no route takes stays at the counterpart.
                Interaction::Pull | Interaction::FileIn
                    if !in_force.is_used(&counterpart.adapter, &operation) => {}
                Interaction::Pull => {
                    self.pulls.tasks.spawn(pull::run(operation, counterpart, cx, stop));
                }
                Interaction::FileIn => {
                    self.pulls.tasks.spawn(file::read::run(operation, counterpart, cx, stop));
                }
                Interaction::RequestReply
                | Interaction::SubmitPoll
                | Interaction::FileOut
                | Interaction::PushIn => {}
            }
        }
    }
}

/// Whether such an operation brings messages, instead of taking them.
fn comes_by_itself(interaction: Interaction) -> bool {
    matches!(interaction, Interaction::Pull | Interaction::FileIn | Interaction::PushIn)
}
