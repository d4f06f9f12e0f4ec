//! A group: the calls that share one transaction. What can be read is read in one go, the calls
//! take effect in memory in their order, and what changed is written in one go.
//!
//! All calls of a group were under way at the same time, so any order among them is true to their
//! callers, but for the messages: those keep the order in which they were queued.

use super::accept;
use super::act::{self, Acting};
use super::approvals::{self, Closing, Deciding};
use super::bundles::{self, Keeping};
use super::connection::{Session, column};
use super::exchanges::{self, Rows};
use super::lanes::Lanes;
use super::prepared::{Ending, Entry, Intended, Message};
use super::replays::{self, Item};
use super::tasks;
use super::tx::{self, Head, Tx};
use super::{instances, purge, record, reroute, restored, rotation, set_back};
use crate::model::State;
use crate::record::index::Block;
use crate::record::{Checkpoint, Frontier};
use crate::store::approvals::Decided;
use crate::store::purge::{Purge, Purged};
use crate::store::rotation::{Rewrap, Rewrapped};
use crate::store::task_steps::Made;
use crate::store::tasks::{ItemEnd, NewTask, TaskChange, TaskState};
use crate::store::{Accepted, Act, EpochBegun, Keys, NewEpoch, Rerouted, Settled, StoreError};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// A call on its way to the writer. It may run twice: in the group, then alone.
#[derive(Clone)]
pub(super) enum Work {
    Accept(Arc<Message>),
    Intend(Arc<[Intended]>),
    Settle(Arc<[Ending]>),
    Act(Arc<Acting>),
    Decide(Arc<Deciding>),
    CloseDemand(Closing),
    Reroute(Act, Arc<Message>),
    /// Only the round trip counts: the store can be written.
    Room,
    Note(Arc<[Entry]>),
    Published(Vec<i64>, Timestamp),
    Cursor(String, String),
    Epoch(Arc<NewEpoch>),
    Checkpoint(Arc<Checkpoint>, Option<u64>),
    Block(Arc<Block>),
    Prune(Arc<Frontier>, Arc<Entry>, Timestamp),
    KeepBundle(Arc<Keeping>),
    Purge(Purge),
    Rewrap(Rewrap, Arc<Keys>),
    NewTask(Arc<NewTask>),
    ChangeTask(Arc<TaskChange>),
    Replay(Arc<Item>),
    /// Operator, reason, when: the window of a restore ends.
    Complete(String, String, Timestamp),
    /// What instances without a lease had under way; with `own` also what this one has.
    Sweep {
        at: Timestamp,
        own: bool,
    },
    /// The database's clock was set back; `lease` in milliseconds.
    SetBack {
        by: Duration,
        at: Timestamp,
        lease: i64,
    },
    /// Intents whose commit was not known when their callers were told that nothing is sent.
    TakeBack(Vec<(i64, i64)>, Timestamp),
}

/// What a call answers.
#[derive(Debug)]
pub(super) enum Output {
    Accepted(Accepted),
    Taken(Vec<bool>),
    Settled(Vec<Settled>),
    State(Option<State>),
    Decided(Decided),
    Rerouted(Rerouted),
    Begun(EpochBegun),
    Made(Made),
    Purged(Purged),
    Rewrapped(Rewrapped),
    Task(Option<TaskState>),
    Item(ItemEnd),
    Moved(usize),
    Word(bool),
    Done,
}

impl Work {
    /// Names of the points before and after its commit.
    pub fn points(&self) -> (&'static str, &'static str) {
        match self {
            Work::Accept(_) => ("accept:before-commit", "accept:after-commit"),
            Work::Intend(_) => ("intend:before-commit", "intend:after-commit"),
            Work::Settle(_) => ("settle:before-commit", "settle:after-commit"),
            Work::Act(_) | Work::Decide(_) | Work::CloseDemand(_) | Work::Reroute(..) => {
                ("act:before-commit", "act:after-commit")
            }
            _ => ("other:before-commit", "other:after-commit"),
        }
    }

    /// About how much memory it takes on its way to the server.
    pub fn bytes(&self) -> usize {
        match self {
            Work::Accept(message) => message.sealed.0.len(),
            Work::Settle(endings) => {
                let sizes = endings.iter().flat_map(|ending| &ending.outbox);
                sizes.map(|outgoing| outgoing.sealed.0.len()).sum()
            }
            _ => 0,
        }
    }
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// Whether this instance may begin anything.
const LEASE: &str =
    concat!("SELECT 1 FROM instances WHERE id = $1 AND lease_until > ", instances::now!());

/// Statements of a group, for the session that writes.
pub(super) fn statements() -> Vec<&'static str> {
    let own: &[&str] = &[LEASE];
    [own, tx::STATEMENTS, accept::STATEMENTS, exchanges::STATEMENTS].concat()
}

/// Runs the group up to its commit. Every error leaves the transaction to be rolled back.
pub(super) async fn run(
    session: &Session,
    instance: i64,
    number: i64,
    group: &[Work],
) -> Result<Vec<Output>, StoreError> {
    let ids = exchanges::ids(group);
    let keys = accept::Keyed::of(group);
    // Sent together: each is read after the head row is ours, for none sees what was before its
    // own beginning.
    let own: super::connection::Params<'_> = &[&instance];
    let (_, head, lease, rows, held, seen, open) = tokio::try_join!(
        biased;
        session.batch(BEGIN),
        session.query(tx::HEAD, &[]),
        session.query(LEASE, own),
        exchanges::read(session, &ids),
        exchanges::read_lanes(session, &ids),
        accept::read_seen(session, &keys),
        accept::read_lanes(session, &keys),
    )?;
    let head = head.first().map(Head::read).transpose()?.ok_or_else(super::connection::odd)?;
    let mut tx = Tx::new(session, head);
    let mut rows = Rows::new(&rows)?;
    let mut lanes = Lanes::default();
    lanes.learn(&held)?;
    lanes.learn_open(&open)?;
    let mut outputs: Vec<Option<Output>> = group.iter().map(|_| None).collect();
    for (work, output) in group.iter().zip(&mut outputs) {
        if let Work::Settle(endings) = work {
            *output = Some(Output::Settled(rows.settle(&mut tx, &mut lanes, endings)));
        }
    }
    // Without a lease others may have what was ours: nothing is begun.
    let owner = (!lease.is_empty()).then_some(instance);
    for (work, output) in group.iter().zip(&mut outputs) {
        if let Work::Intend(intents) = work {
            *output = Some(Output::Taken(match owner {
                None => vec![false; intents.len()],
                Some(instance) => rows.intend(&mut tx, instance, intents),
            }));
        }
    }
    let mut arrivals = accept::Arrivals::new(&seen)?;
    for (work, output) in group.iter().zip(&mut outputs) {
        if let Work::Accept(message) = work {
            let taken = arrivals.take(&mut tx, &mut lanes, message, owner);
            *output = taken.map(Output::Accepted);
        }
    }
    rows.write(&tx).await?;
    arrivals.write(&tx).await?;
    rows.wake_asked(&tx).await?;
    let mut done = Vec::with_capacity(group.len());
    for (work, output) in group.iter().zip(outputs) {
        done.push(match output {
            Some(output) => output,
            None => one(&mut tx, instance, work).await?,
        });
    }
    tx.finish(instance, number).await?;
    Ok(done)
}

/// Calls that are rare enough to go one after the other.
async fn one(tx: &mut Tx<'_>, instance: i64, work: &Work) -> Result<Output, StoreError> {
    Ok(match work {
        Work::Accept(message) => Output::Accepted(accept::alone(tx, message).await?),
        Work::Act(acting) => Output::State(act::run_with(tx, acting).await?),
        Work::Decide(deciding) => Output::Decided(approvals::decide(tx, deciding).await?),
        Work::CloseDemand(closing) => Output::Word(approvals::close(tx, closing).await?),
        Work::Reroute(act, message) => Output::Rerouted(reroute::run(tx, act, message).await?),
        Work::Note(entries) => {
            tx.append_all(entries);
            Output::Done
        }
        Work::Published(ids, at) => {
            let sql = "UPDATE outbox SET published_at = $2 WHERE id = ANY($1)";
            tx.execute(sql, &[ids, &at.as_millisecond()]).await?;
            Output::Done
        }
        Work::Cursor(name, value) => {
            let sql = "INSERT INTO cursors (name, value) VALUES ($1, $2)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            let (name, value) = (super::connection::kept(name), super::connection::kept(value));
            tx.execute(sql, &[&name, &value]).await?;
            Output::Done
        }
        Work::Checkpoint(checkpoint, instead_of) => {
            Output::Word(record::put_checkpoint(tx, checkpoint, *instead_of).await?)
        }
        Work::Block(block) => {
            record::put_block(tx, block).await?;
            Output::Done
        }
        Work::Prune(tree, note, at) => Output::Word(record::prune(tx, tree, note, *at).await?),
        Work::KeepBundle(keeping) => {
            bundles::keep(tx, keeping).await?;
            Output::Done
        }
        Work::Purge(step) => Output::Purged(purge::run(tx, step).await?),
        Work::Rewrap(step, keys) => Output::Rewrapped(rotation::run(tx, keys, *step).await?),
        Work::NewTask(task) => Output::Made(tasks::create(tx, task).await?),
        Work::ChangeTask(change) => Output::Task(tasks::change(tx, change).await?),
        Work::Replay(item) => Output::Item(replays::replay(tx, item).await?),
        Work::Epoch(new) => Output::Begun(restored::begin(tx, new).await?),
        Work::Complete(operator, reason, at) => {
            Output::Word(restored::complete(tx, operator, reason, *at).await?)
        }
        Work::Sweep { at, own } => {
            instances::sweep(tx, instance, *own, *at).await?;
            Output::Done
        }
        Work::SetBack { by, at, lease } => {
            Output::Moved(set_back::run(tx, *by, *at, *lease).await?)
        }
        Work::TakeBack(intents, at) => {
            exchanges::take_back(tx, instance, intents, *at).await?;
            Output::Done
        }
        Work::Room | Work::Intend(_) | Work::Settle(_) => Output::Done,
    })
}

/// What became of the group of that number, once its connection was lost. The head row is taken
/// first: the old session holds it until it has committed or given up.
pub(super) async fn was_committed(
    session: &Session,
    instance: i64,
    number: i64,
) -> Result<bool, StoreError> {
    session.batch(BEGIN).await?;
    let found = async {
        session.query(tx::HEAD, &[]).await?;
        session.row("SELECT groups FROM writers WHERE instance = $1", &[&instance]).await
    };
    let found = found.await;
    session.batch("ROLLBACK").await?;
    let last: i64 = found?.map_or(Ok(0), |row| column(&row, 0))?;
    Ok(last >= number)
}
