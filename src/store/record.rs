//! What the record needs of a store beyond rows: leaves, checkpoints, blocks of its index, pruning.

use super::{Later, Store, StoreError};
use crate::model::codes::store as codes;
use crate::record::index::{BLOCK, Block, LEVEL, Wanted};
use crate::record::{Broken, Checkpoint, Draft, Frontier, Hash, RecordRow};

/// The record's own part of a store. Sequences count from 1; a size is the number of entries.
pub trait RecordStore: Send + Sync {
    /// Leaf hashes of the entries after the first `after`, in order, at most `limit`.
    fn leaves(&self, after: u64, limit: usize) -> Later<'_, Vec<Hash>>;
    /// Signed checkpoints of a size greater than `after`, the smallest first.
    fn checkpoints(&self, after: u64, limit: usize) -> Later<'_, Vec<Checkpoint>>;
    /// The newest signed checkpoints, the largest first.
    fn last_checkpoints(&self, limit: usize) -> Later<'_, Vec<Checkpoint>>;
    /// Keeps a checkpoint, instead of the one of the size `instead_of` where there is such. False,
    /// and nothing is written, when one of its size or a greater one is kept.
    fn put_checkpoint(&self, checkpoint: Checkpoint, instead_of: Option<u64>) -> Later<'_, bool>;
    /// Roots of the full blocks from number `from` on, in order, at most `limit`.
    fn block_roots(&self, from: u64, limit: usize) -> Later<'_, Vec<Hash>>;
    /// Keeps a block. One that is there already stays as it is.
    fn put_block(&self, block: Block) -> Later<'_, ()>;
    /// One part of the index of the blocks from number `from` on, in order: number and places.
    fn index_part(&self, part: u8, from: u64, limit: usize) -> Later<'_, Vec<(u64, Vec<u8>)>>;
    /// The tree over the entries that were pruned; empty when none were.
    fn pruned(&self) -> Later<'_, Frontier>;
    /// Deletes the entries that `tree` is over, keeps the tree, and writes the entry that tells of
    /// it: one transaction. False, and nothing is written, when as much was pruned before.
    fn prune(&self, tree: Frontier, note: Draft) -> Later<'_, bool>;
}

/// Leaves read at once.
const LEAVES: usize = 8_192;
/// Roots of blocks read at once.
const ROOTS: usize = 1_024;

/// The tree over the first `size` entries, out of block roots and leaves.
///
/// # Errors
/// `T401` when the record has fewer, or they are pruned beyond that size; what the store says.
pub async fn tree_at(store: &dyn Store, size: u64) -> Result<Frontier, StoreError> {
    let pruned = store.pruned().await?;
    let mut tree = Frontier::default();
    while tree.size() + BLOCK <= size {
        let roots = store.block_roots(tree.size() / BLOCK, ROOTS).await?;
        let wanted = roots.iter().take(usize::try_from((size - tree.size()) / BLOCK).unwrap_or(0));
        let before = tree.size();
        wanted.for_each(|root| {
            tree.push_subtree(*root, LEVEL);
        });
        if tree.size() == before {
            break;
        }
    }
    if tree.size() < pruned.size() {
        tree = pruned;
    }
    while tree.size() < size {
        let left = usize::try_from(size - tree.size()).unwrap_or(LEAVES);
        let leaves = store.leaves(tree.size(), left.min(LEAVES)).await?;
        if leaves.is_empty() {
            break;
        }
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
    }
    if tree.size() == size { Ok(tree) } else { Err(broken(tree.size() + 1, Broken::Sequence)) }
}

/// `T401` with the first bad sequence.
pub fn broken(sequence: u64, why: Broken) -> StoreError {
    let detail = format!("sequence {sequence}: {}", why.reason());
    StoreError::new(&codes::RECORD_BROKEN, detail)
}

/// Index parts read at once: some megabytes.
const PARTS_READ: usize = 128;

/// All entries of a person or message, in order: over the index of the full blocks, and row by row
/// for what is newer.
///
/// # Errors
/// What the store says.
pub async fn search(store: &dyn Store, wanted: &Wanted) -> Result<Vec<RecordRow>, StoreError> {
    let mut found = Vec::new();
    each_of::<StoreError>(store, wanted, |row| {
        found.push(row);
        Ok(true)
    })
    .await?;
    Ok(found)
}

/// The same, one after the other, until `each` answers false.
///
/// # Errors
/// What the store or `each` say.
pub async fn each_of<E: From<StoreError>>(
    store: &dyn Store,
    wanted: &Wanted,
    mut each: impl FnMut(RecordRow) -> Result<bool, E>,
) -> Result<(), E> {
    let mut places = Vec::new();
    let mut block = 0;
    loop {
        let parts = store.index_part(wanted.part(), block, PARTS_READ).await?;
        for (number, part) in &parts {
            // What comes after a gap is scanned.
            if *number == block {
                places.extend(wanted.places(*number, part));
                block += 1;
            }
        }
        if parts.len() < PARTS_READ {
            break;
        }
    }
    places.sort_unstable();
    let signed = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    for place in places {
        let rows = store.record(signed(place - 1), 1).await?;
        let here = |row: &RecordRow| row.sequence == signed(place) && wanted.is_in(&row.entry);
        for row in rows.into_iter().filter(here) {
            if !each(row)? {
                return Ok(());
            }
        }
    }
    each_row(store, signed(block * BLOCK), |row| {
        if wanted.is_in(&row.entry) { each(row) } else { Ok(true) }
    })
    .await
}

/// Rows read at once.
const ROWS: usize = 1_000;

/// Calls `each` with every row after a sequence, in order, page by page, until it answers false.
///
/// # Errors
/// What the store or `each` say.
pub async fn each_row<E: From<StoreError>>(
    store: &dyn Store,
    mut after: i64,
    mut each: impl FnMut(RecordRow) -> Result<bool, E>,
) -> Result<(), E> {
    loop {
        let rows = store.record(after, ROWS).await?;
        let Some(last) = rows.last().map(|row| row.sequence) else { return Ok(()) };
        for row in rows {
            if !each(row)? {
                return Ok(());
            }
        }
        // A damaged table could answer the same rows for ever.
        if last <= after {
            return Ok(());
        }
        after = last;
    }
}
