//! Calls of the store's parts: kept definitions, the record, tasks.

use super::bundles::{self, Keeping};
use super::group::{Output, Work};
use super::prepared::{Entry, Message};
use super::replays::Item;
use super::tasks;
use super::{PostgresStore, claim, other, purge, record};
use crate::model::codes::store as codes;
use crate::record::index::Block;
use crate::record::{Checkpoint, Draft, Frontier, Hash};
use crate::store::purge::{Forget, Purge, Purged};
use crate::store::rotation::{Rewrap, Rewrapped, Rotate};
use crate::store::tasks::{
    Created, How, ItemEnd, ItemReplay, ItemView, NewTask, NextItem, Selection, TaskChange,
    TaskState, TaskView,
};
use crate::store::{Bundles, Claimed, KeptBundle, Later, RecordStore, StoreError, Tasks};
use jiff::Timestamp;
use std::sync::Arc;

impl Bundles for PostgresStore {
    fn keep_bundle(
        &self,
        bundle: KeptBundle,
        needed: Vec<String>,
        at: Timestamp,
        record: Vec<Draft>,
    ) -> Later<'_, ()> {
        Box::pin(async move {
            let unreadable = |_| StoreError::new(&codes::STORE_REFUSED, "a list has no text form");
            let files = serde_json::to_string(&bundle.files).map_err(unreadable)?;
            let record = Entry::all(&record);
            let keeping = Keeping { digest: bundle.digest, files, needed, at, record };
            self.write_only(Work::KeepBundle(Arc::new(keeping))).await
        })
    }

    fn kept_bundle(&self, digest: String) -> Later<'_, Option<KeptBundle>> {
        Box::pin(self.looks.with(async move |session| bundles::kept(session, &digest).await))
    }

    fn bundles_in_use(&self) -> Later<'_, Vec<String>> {
        Box::pin(self.looks.with(async |session| bundles::in_use(session).await))
    }
}

impl Forget for PostgresStore {
    fn purge(&self, purge: Purge) -> Later<'_, Purged> {
        Box::pin(async move {
            match self.write(Work::Purge(purge)).await? {
                Output::Purged(purged) => Ok(purged),
                output => other(output),
            }
        })
    }

    fn oldest_body(&self) -> Later<'_, Option<Timestamp>> {
        Box::pin(self.looks.with(async |session| purge::oldest_body(session).await))
    }

    /// Pages and log are the server's: its vacuum reuses them.
    fn scrub(&self) -> Later<'_, bool> {
        Box::pin(async { Ok(true) })
    }
}

impl Rotate for PostgresStore {
    fn rewrap(&self, step: Rewrap) -> Later<'_, Rewrapped> {
        Box::pin(async move {
            match self.write(Work::Rewrap(step, Arc::clone(&self.keys))).await? {
                Output::Rewrapped(found) => Ok(found),
                output => other(output),
            }
        })
    }
}

impl RecordStore for PostgresStore {
    fn leaves(&self, after: u64, limit: usize) -> Later<'_, Vec<Hash>> {
        Box::pin(self.looks.with(async move |session| record::leaves(session, after, limit).await))
    }

    fn checkpoints(&self, after: u64, limit: usize) -> Later<'_, Vec<Checkpoint>> {
        Box::pin(
            self.looks.with(async move |session| record::checkpoints(session, after, limit).await),
        )
    }

    fn last_checkpoints(&self, limit: usize) -> Later<'_, Vec<Checkpoint>> {
        Box::pin(
            self.looks.with(async move |session| record::last_checkpoints(session, limit).await),
        )
    }

    fn put_checkpoint(&self, checkpoint: Checkpoint, instead_of: Option<u64>) -> Later<'_, bool> {
        Box::pin(self.word(Work::Checkpoint(Arc::new(checkpoint), instead_of)))
    }

    fn block_roots(&self, from: u64, limit: usize) -> Later<'_, Vec<Hash>> {
        Box::pin(
            self.looks.with(async move |session| record::block_roots(session, from, limit).await),
        )
    }

    fn put_block(&self, block: Block) -> Later<'_, ()> {
        Box::pin(self.write_only(Work::Block(Arc::new(block))))
    }

    fn index_part(&self, part: u8, from: u64, limit: usize) -> Later<'_, Vec<(u64, Vec<u8>)>> {
        Box::pin(
            self.looks
                .with(async move |session| record::index_part(session, part, from, limit).await),
        )
    }

    fn pruned(&self) -> Later<'_, Frontier> {
        Box::pin(self.looks.with(async |session| record::pruned(session).await))
    }

    fn prune(&self, tree: Frontier, note: Draft) -> Later<'_, bool> {
        let entry = Arc::new(Entry::new(&note));
        Box::pin(self.word(Work::Prune(Arc::new(tree), entry, note.at)))
    }
}

impl Tasks for PostgresStore {
    fn select(&self, selection: Selection, limit: usize) -> Later<'_, Vec<i64>> {
        Box::pin(
            self.looks.with(async move |session| tasks::select(session, &selection, limit).await),
        )
    }

    fn create_task(&self, task: NewTask) -> Later<'_, Created> {
        Box::pin(async move {
            let made = match self.write(Work::NewTask(Arc::new(task))).await? {
                Output::Made(made) => made,
                output => return other(output),
            };
            let gone = || StoreError::new(&codes::STORE_REFUSED, "the task is gone");
            let view = match made.task() {
                Some(id) => self.task(id).await?,
                None => None,
            };
            made.shown(|_| view).ok_or_else(gone)
        })
    }

    fn task(&self, id: i64) -> Later<'_, Option<TaskView>> {
        Box::pin(self.looks.with(async move |session| tasks::task(session, id).await))
    }

    fn tasks(&self, limit: usize) -> Later<'_, Vec<TaskView>> {
        Box::pin(self.looks.with(async move |session| tasks::tasks(session, limit).await))
    }

    fn task_items(
        &self,
        task: i64,
        state: Option<&'static str>,
        after: i64,
        limit: usize,
    ) -> Later<'_, Vec<ItemView>> {
        Box::pin(
            self.looks
                .with(async move |session| tasks::items(session, task, state, after, limit).await),
        )
    }

    fn change_task(&self, change: TaskChange) -> Later<'_, Option<TaskState>> {
        Box::pin(async move {
            match self.write(Work::ChangeTask(Arc::new(change))).await? {
                Output::Task(state) => Ok(state),
                output => other(output),
            }
        })
    }

    fn next_items(&self, limit: usize) -> Later<'_, Vec<NextItem>> {
        Box::pin(self.looks.with(async move |session| tasks::next_items(session, limit).await))
    }

    fn replay_item(&self, item: ItemReplay) -> Later<'_, ItemEnd> {
        Box::pin(async move {
            let ItemReplay { task, exchange, how, at } = item;
            let (how, message) = match how {
                How::Recognised(message) => (None, Some(Message::new(&self.keys, *message)?)),
                how => (Some(how), None),
            };
            let item = Item { task, exchange, how, message, at };
            match self.write(Work::Replay(Arc::new(item))).await? {
                Output::Item(end) => Ok(end),
                output => other(output),
            }
        })
    }

    fn examine(&self, exchange: i64) -> Later<'_, Option<Claimed>> {
        Box::pin(
            self.looks
                .with(async move |session| claim::examine(session, &self.keys, exchange).await),
        )
    }
}
