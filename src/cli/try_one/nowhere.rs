//! A store that keeps nothing: `watashi try` runs the stations that need none, and whatever asked
//! for one would be told that it is closed.

use crate::model::codes::store as codes;
use crate::model::{Secret, State};
use crate::record::index::Block;
use crate::record::{Checkpoint, Draft, Frontier, Hash};
use crate::store::approvals::{
    ApprovalFilter, ApprovalView, Approvals, Decided, Decision, DemandFilter, DemandView, Waiting,
};
use crate::store::inspect::{Inspect, Inspected};
use crate::store::purge::{Forget, Purge, Purged};
use crate::store::rotation::{Rewrap, Rewrapped, Rotate};
use crate::store::tasks::{
    Created, ItemEnd, ItemReplay, ItemView, NewTask, NextItem, Selection, TaskChange, TaskState,
    TaskView, Tasks,
};
use crate::store::{
    Accepted, Act, AttemptView, Bundles, Claim, Claimed, Count, Epoch, EpochBegun, ExchangeView,
    Filter, Instances, Intent, Kept, KeptBundle, Later, NewEpoch, NewMessage, Overdue, Pending,
    RecordRow, RecordStore, Rerouted, Settled, Settlement, Store, StoreError, Ticketed,
};
use jiff::Timestamp;
use std::sync::Arc;

/// Answers every call with `T106`.
pub struct Nowhere;

fn closed<'a, T: Send + 'a>() -> Later<'a, T> {
    Box::pin(async { Err(StoreError::new(&codes::STORE_CLOSED, "")) })
}

impl Forget for Nowhere {
    fn purge(&self, _purge: Purge) -> Later<'_, Purged> {
        closed()
    }
    fn oldest_body(&self) -> Later<'_, Option<Timestamp>> {
        closed()
    }
    fn scrub(&self) -> Later<'_, bool> {
        closed()
    }
}

impl Inspect for Nowhere {
    fn inspect(&self) -> Later<'_, Vec<Inspected>> {
        closed()
    }
}

impl Approvals for Nowhere {
    fn approvals(&self, _filter: ApprovalFilter) -> Later<'_, Vec<ApprovalView>> {
        closed()
    }
    fn decide(&self, _decision: Decision) -> Later<'_, Decided> {
        closed()
    }
    fn demands(&self, _filter: DemandFilter) -> Later<'_, Vec<DemandView>> {
        closed()
    }
    fn close_demand(
        &self,
        _demand: i64,
        _operator: String,
        _reason: String,
        _at: Timestamp,
    ) -> Later<'_, bool> {
        closed()
    }
    fn waiting(&self) -> Later<'_, Waiting> {
        closed()
    }
}

impl Rotate for Nowhere {
    fn rewrap(&self, _step: Rewrap) -> Later<'_, Rewrapped> {
        closed()
    }
}

impl Store for Nowhere {
    fn accept(&self, _message: NewMessage) -> Later<'_, Accepted> {
        closed()
    }
    fn claim(&self, _claim: Claim) -> Later<'_, Vec<Claimed>> {
        closed()
    }
    fn intend(&self, _intents: Vec<Intent>) -> Later<'_, Vec<bool>> {
        closed()
    }
    fn settle(&self, _settlements: Arc<[Settlement]>) -> Later<'_, Vec<Settled>> {
        closed()
    }
    fn overdue(&self, _overdue: Overdue) -> Later<'_, (Vec<Claimed>, Option<i64>)> {
        closed()
    }
    fn of_ticket(
        &self,
        _counterpart: String,
        _operation: String,
        _ticket: String,
    ) -> Later<'_, Ticketed> {
        closed()
    }
    fn next_due(
        &self,
        _counterpart: String,
        _operation: String,
        _states: Vec<State>,
    ) -> Later<'_, Option<Timestamp>> {
        closed()
    }
    fn pending(&self, _limit: usize) -> Later<'_, Vec<Pending>> {
        closed()
    }
    fn published(&self, _ids: Vec<i64>, _at: Timestamp) -> Later<'_, ()> {
        closed()
    }
    fn act(&self, _act: Act) -> Later<'_, Option<State>> {
        closed()
    }
    fn kept(&self, _exchange: i64) -> Later<'_, Option<Kept>> {
        closed()
    }
    fn reroute(&self, _act: Act, _message: NewMessage) -> Later<'_, Rerouted> {
        closed()
    }
    fn check_room(&self) -> Later<'_, ()> {
        closed()
    }
    fn note(&self, _drafts: Vec<Draft>) -> Later<'_, ()> {
        closed()
    }
    fn list(&self, _filter: Filter) -> Later<'_, Vec<ExchangeView>> {
        closed()
    }
    fn attempts(&self, _exchange: i64) -> Later<'_, Vec<AttemptView>> {
        closed()
    }
    fn original(&self, _exchange: i64) -> Later<'_, Option<Secret<Vec<u8>>>> {
        closed()
    }
    fn counts(&self) -> Later<'_, Vec<Count>> {
        closed()
    }
    fn backlog(&self) -> Later<'_, Vec<(String, u64)>> {
        closed()
    }
    fn record(&self, _after: i64, _limit: usize) -> Later<'_, Vec<RecordRow>> {
        closed()
    }
    fn tree(&self) -> Later<'_, Frontier> {
        closed()
    }
    fn cursor(&self, _name: String) -> Later<'_, Option<String>> {
        closed()
    }
    fn set_back(&self, _by: std::time::Duration, _at: Timestamp) -> Later<'_, usize> {
        closed()
    }
    fn set_cursor(&self, _name: String, _value: String) -> Later<'_, ()> {
        closed()
    }
    fn epoch(&self) -> Later<'_, Epoch> {
        closed()
    }
    fn begin_epoch(&self, _new: NewEpoch) -> Later<'_, EpochBegun> {
        closed()
    }
    fn complete_restore(
        &self,
        _operator: String,
        _reason: String,
        _at: Timestamp,
    ) -> Later<'_, bool> {
        closed()
    }
    fn close(&self) -> Later<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

impl Instances for Nowhere {}

impl Bundles for Nowhere {
    fn keep_bundle(
        &self,
        _bundle: KeptBundle,
        _needed: Vec<String>,
        _at: Timestamp,
        _record: Vec<Draft>,
    ) -> Later<'_, ()> {
        closed()
    }
    fn kept_bundle(&self, _digest: String) -> Later<'_, Option<KeptBundle>> {
        closed()
    }
    fn bundles_in_use(&self) -> Later<'_, Vec<String>> {
        closed()
    }
}

impl Tasks for Nowhere {
    fn select(&self, _selection: Selection, _limit: usize) -> Later<'_, Vec<i64>> {
        closed()
    }
    fn create_task(&self, _task: NewTask) -> Later<'_, Created> {
        closed()
    }
    fn task(&self, _id: i64) -> Later<'_, Option<TaskView>> {
        closed()
    }
    fn tasks(&self, _limit: usize) -> Later<'_, Vec<TaskView>> {
        closed()
    }
    fn task_items(
        &self,
        _task: i64,
        _state: Option<&'static str>,
        _after: i64,
        _limit: usize,
    ) -> Later<'_, Vec<ItemView>> {
        closed()
    }
    fn change_task(&self, _change: TaskChange) -> Later<'_, Option<TaskState>> {
        closed()
    }
    fn next_items(&self, _limit: usize) -> Later<'_, Vec<NextItem>> {
        closed()
    }
    fn replay_item(&self, _item: ItemReplay) -> Later<'_, ItemEnd> {
        closed()
    }
    fn examine(&self, _exchange: i64) -> Later<'_, Option<Claimed>> {
        closed()
    }
}

impl RecordStore for Nowhere {
    fn leaves(&self, _after: u64, _limit: usize) -> Later<'_, Vec<Hash>> {
        closed()
    }
    fn checkpoints(&self, _after: u64, _limit: usize) -> Later<'_, Vec<Checkpoint>> {
        closed()
    }
    fn last_checkpoints(&self, _limit: usize) -> Later<'_, Vec<Checkpoint>> {
        closed()
    }
    fn put_checkpoint(&self, _: Checkpoint, _instead_of: Option<u64>) -> Later<'_, bool> {
        closed()
    }
    fn block_roots(&self, _from: u64, _limit: usize) -> Later<'_, Vec<Hash>> {
        closed()
    }
    fn put_block(&self, _block: Block) -> Later<'_, ()> {
        closed()
    }
    fn index_part(&self, _part: u8, _from: u64, _limit: usize) -> Later<'_, Vec<(u64, Vec<u8>)>> {
        closed()
    }
    fn pruned(&self) -> Later<'_, Frontier> {
        closed()
    }
    fn prune(&self, _tree: Frontier, _note: Draft) -> Later<'_, bool> {
        closed()
    }
}
