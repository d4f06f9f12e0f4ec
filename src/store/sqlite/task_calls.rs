//! Tasks and kept definitions, as calls of the store.

use super::{SqliteStore, accept, bundles, tasks, writer};
use crate::model::codes::store as codes;
use crate::record::Draft;
use crate::store::tasks::{
    Created, How, ItemEnd, ItemReplay, ItemView, NewTask, NextItem, Selection, TaskChange,
    TaskState, TaskView,
};
use crate::store::{Bundles, Claimed, Instances, KeptBundle, Later, StoreError, Tasks};
use jiff::Timestamp;

/// One process owns the file.
impl Instances for SqliteStore {}

impl Bundles for SqliteStore {
    fn keep_bundle(
        &self,
        bundle: KeptBundle,
        needed: Vec<String>,
        at: Timestamp,
        record: Vec<Draft>,
    ) -> Later<'_, ()> {
        let run = move |tx: &mut writer::Tx<'_>| bundles::keep(tx, &bundle, &needed, at, &record);
        Box::pin(self.write(writer::OTHER, run))
    }

    fn kept_bundle(&self, digest: String) -> Later<'_, Option<KeptBundle>> {
        self.read(move |connection, _| bundles::kept(connection, &digest))
    }

    fn bundles_in_use(&self) -> Later<'_, Vec<String>> {
        self.read(|connection, _| bundles::in_use(connection))
    }
}

impl Tasks for SqliteStore {
    fn select(&self, selection: Selection, limit: usize) -> Later<'_, Vec<i64>> {
        let ids = self.ids.clone();
        self.read(move |connection, _| tasks::select(connection, ids.as_ref(), &selection, limit))
    }

    fn create_task(&self, task: NewTask) -> Later<'_, Created> {
        Box::pin(async move {
            let made = self.write(writer::ACT, move |tx| tasks::create(tx, &task)).await?;
            let view = match made.task() {
                Some(id) => self.task(id).await?,
                None => None,
            };
            let gone = || StoreError::new(&codes::STORE_REFUSED, "the task is gone");
            made.shown(|_| view).ok_or_else(gone)
        })
    }

    fn task(&self, id: i64) -> Later<'_, Option<TaskView>> {
        self.read(move |connection, _| tasks::task(connection, id))
    }

    fn tasks(&self, limit: usize) -> Later<'_, Vec<TaskView>> {
        self.read(move |connection, _| tasks::tasks(connection, limit))
    }

    fn task_items(
        &self,
        task: i64,
        state: Option<&'static str>,
        after: i64,
        limit: usize,
    ) -> Later<'_, Vec<ItemView>> {
        self.read(move |connection, _| tasks::items(connection, task, state, after, limit))
    }

    fn change_task(&self, change: TaskChange) -> Later<'_, Option<TaskState>> {
        Box::pin(self.write(writer::ACT, move |tx| tasks::change(tx, &change)))
    }

    fn next_items(&self, limit: usize) -> Later<'_, Vec<NextItem>> {
        self.read(move |connection, _| tasks::next_items(connection, limit))
    }

    fn replay_item(&self, item: ItemReplay) -> Later<'_, ItemEnd> {
        Box::pin(async move {
            let ItemReplay { task, exchange, how, at } = item;
            let (how, message) = match how {
                How::Recognised(message) => (None, Some(accept::prepare(&self.keys, *message)?)),
                how => (Some(how), None),
            };
            let item = tasks::Item { task, exchange, how, at };
            self.write(writer::ACT, move |tx| tasks::replay(tx, &item, message.as_ref())).await
        })
    }

    fn examine(&self, exchange: i64) -> Later<'_, Option<Claimed>> {
        self.read(move |connection, keys| tasks::examine(connection, keys, exchange))
    }
}
