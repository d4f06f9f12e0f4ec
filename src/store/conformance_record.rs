//! The part of the suite about the record: leaves, checkpoints, blocks, pruning.

use super::Store;
use super::conformance::at;
use super::record::tree_at;
use crate::model::codes::store as codes;
use crate::record::index::{BLOCK, Block, PARTS};
use crate::record::{Checkpoint, Draft, Frontier, Head, Kind, Phase, verify};
use std::sync::Arc;

pub async fn run(fresh: &impl Fn() -> Arc<dyn Store>) {
    leaves_and_trees(&*fresh()).await;
    checkpoints(&*fresh()).await;
    blocks(&*fresh()).await;
    pruning(&*fresh()).await;
}

async fn write(store: &dyn Store, count: i64) {
    let drafts = (0..count).map(|number| Draft {
        message_id: format!("m{number}").into(),
        ..Draft::new(Kind::System, Phase::Noted, at(number))
    });
    store.note(drafts.collect()).await.unwrap();
}

async fn leaves_and_trees(store: &dyn Store) {
    assert_eq!(store.tree().await.unwrap(), Frontier::default());
    assert!(store.leaves(0, 10).await.unwrap().is_empty());
    write(store, 13).await;
    let rows = store.record(0, 100).await.unwrap();
    let leaves: Vec<_> = rows.iter().map(|row| row.leaf).collect();
    assert_eq!(store.leaves(0, 100).await.unwrap(), leaves);
    assert_eq!(store.leaves(4, 3).await.unwrap(), leaves[4..7]);
    assert_eq!(store.tree().await.unwrap(), leaves.iter().copied().collect());
    for size in 0..=13 {
        let tree = tree_at(store, size).await.unwrap();
        assert_eq!(tree, leaves[..size as usize].iter().copied().collect(), "{size}");
    }
    assert_eq!(tree_at(store, 14).await.unwrap_err().code, &codes::RECORD_BROKEN);
}

fn checkpoint(size: u64) -> Checkpoint {
    let head = Head { size, root: [u8::try_from(size).unwrap(); 32] };
    Checkpoint { head, note: format!("note {size}\n"), at: at(size.cast_signed()) }
}

async fn checkpoints(store: &dyn Store) {
    assert!(store.last_checkpoints(1).await.unwrap().is_empty());
    assert!(store.put_checkpoint(checkpoint(3), None).await.unwrap());
    assert!(store.put_checkpoint(checkpoint(5), None).await.unwrap());
    assert!(store.put_checkpoint(checkpoint(9), Some(5)).await.unwrap());
    for size in [9, 8, 1] {
        let refused = Checkpoint { note: String::new(), ..checkpoint(size) };
        assert!(!store.put_checkpoint(refused, Some(9)).await.unwrap(), "{size}");
    }
    let all = store.checkpoints(0, 10).await.unwrap();
    assert_eq!(all, [checkpoint(3), checkpoint(9)]);
    assert_eq!(store.checkpoints(3, 1).await.unwrap(), [checkpoint(9)]);
    assert_eq!(store.last_checkpoints(2).await.unwrap(), [checkpoint(9), checkpoint(3)]);
}

async fn blocks(store: &dyn Store) {
    let block = |number: u64, fill: u8| Block {
        number,
        root: [fill; 32],
        parts: (0..PARTS).map(|part| vec![fill, u8::try_from(part).unwrap()]).collect(),
    };
    for one in [block(0, 1), block(1, 2), block(0, 9), block(3, 4)] {
        store.put_block(one).await.unwrap();
    }
    assert_eq!(store.block_roots(0, 10).await.unwrap(), [[1; 32], [2; 32]], "3 is after a gap");
    assert_eq!(store.block_roots(1, 10).await.unwrap(), [[2; 32]]);
    let part = store.index_part(17, 0, 10).await.unwrap();
    assert_eq!(part, [(0, vec![1, 17]), (1, vec![2, 17]), (3, vec![4, 17])]);
    assert_eq!(store.index_part(31, 1, 1).await.unwrap(), [(1, vec![2, 31])]);
    assert!(store.index_part(31, 4, 10).await.unwrap().is_empty());
    let tree = tree_at(store, 2 * BLOCK).await.unwrap();
    assert_eq!((tree.size(), tree.peaks().len()), (2 * BLOCK, 1), "out of roots alone");
}

async fn pruning(store: &dyn Store) {
    write(store, 11).await;
    assert_eq!(store.pruned().await.unwrap(), Frontier::default());
    let whole = store.tree().await.unwrap();
    let tree = tree_at(store, 6).await.unwrap();
    let note = Draft {
        outcome: Some("pruned".to_owned()),
        ..Draft::new(Kind::System, Phase::Noted, at(20))
    };
    assert!(store.prune(tree.clone(), note.clone()).await.unwrap());
    assert!(!store.prune(tree.clone(), note).await.unwrap(), "once");
    assert_eq!(store.pruned().await.unwrap(), tree);
    let rows = store.record(0, 100).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.sequence).collect::<Vec<_>>(), [7, 8, 9, 10, 11, 12]);
    assert!(rows[5].entry.contains("pruned"));
    assert_eq!(tree_at(store, 11).await.unwrap(), whole, "what is left continues the tree");
    assert_eq!(tree_at(store, 12).await.unwrap(), store.tree().await.unwrap());
    assert_eq!(tree_at(store, 3).await.unwrap_err().code, &codes::RECORD_BROKEN);
    assert_eq!(verify(rows).first_bad.map(|(sequence, _)| sequence), Some(1), "not from 1");
}
