//! Ids across memory, blocks and the index of before: accepted once, wherever they are.

use super::super::tests::{Folder, keys};
use super::super::{Options, SqliteStore};
use super::block::SPAN;
use super::*;
use crate::model::State;
use crate::store::conformance::{self as suite, at};
use crate::store::purge::{Forget, Purge, Purging};
use crate::store::{Accepted, Filter, Next, Store};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Every row is found by its id, by the writer and by the tables alone, and nothing else is.
pub(in super::super) fn check(connection: &Connection, ids: &Ids) {
    let mut statement = connection.prepare("SELECT id, message_id FROM messages").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut all: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for row in rows {
        let (row, id): (i64, String) = row.unwrap();
        all.entry(id).or_default().push(row);
    }
    for (id, rows) in all {
        assert_eq!(rows_of(connection, Some(&ids.shared()), &id).unwrap(), rows, "{id}");
        assert_eq!(rows_of(connection, None, &id).unwrap(), rows, "{id} by the tables");
    }
    let (recent, _) = ids.counts();
    assert!(recent < ids.seal_at.max(ids.block) + 512, "{recent} in memory");
}

fn options(block: usize) -> Options {
    Options { id_block: block, ..Options::default() }
}

fn open(folder: &Folder, block: usize) -> Arc<SqliteStore> {
    SqliteStore::open(&folder.file(), keys(1), options(block)).unwrap()
}

fn blocks(folder: &Folder) -> usize {
    let file = Connection::open(folder.file()).unwrap();
    block::spans(&file).unwrap().len()
}

async fn accept(store: &SqliteStore, id: &str, source: &str, fill: u8) -> Accepted {
    let mut message = suite::message(id, fill, vec![suite::exchange(7)]);
    Arc::make_mut(&mut message.envelope).source = source.into();
    store.accept(message).await.unwrap()
}

#[test]
fn a_filter_never_forgets_and_rarely_errs() {
    let mut filter = block::Filter::new();
    let key = |block: usize, number: usize| Key::of(&format!("{block}-{number}"));
    for number in 0..8 {
        let rows = (0..BLOCK).map(|row| (key(number, row), row as i64)).collect();
        let block = Block::of(number as u64, rows).remove(0);
        assert_eq!(block.len(), BLOCK);
        filter.add(&block);
    }
    for number in 0..8 {
        for row in (0..BLOCK).step_by(97) {
            let mut found = filter.may_know(key(number, row));
            assert!(found.any(|span| span.number == number as u64), "{number}-{row}");
        }
    }
    let wrong: usize = (0..20_000).map(|row| filter.may_know(key(99, row)).count()).sum();
    assert!(wrong < 20_000 * 8 / 400, "{wrong} of 160,000 questions");
    filter.remove(3);
    assert!(filter.may_know(key(3, 5)).all(|span| span.number != 3));
}

#[test]
fn rows_that_lie_far_apart_are_in_several_blocks() {
    let folder = Folder::new();
    drop(open(&folder, 8));
    let file = Connection::open(folder.file()).unwrap();
    let rows = [1, 5, SPAN, SPAN + 1, 3 * SPAN, 9 * SPAN];
    let all: Vec<_> = rows.iter().map(|row| (Key::of(&row.to_string()), *row)).collect();
    let made = Block::of(4, all.clone());
    let span = |one: &Block| (one.span.number, one.span.first, one.span.last);
    let spans: Vec<_> = made.iter().map(span).collect();
    assert_eq!(
        spans,
        [(4, 1, SPAN), (5, SPAN + 1, SPAN + 1), (6, 3 * SPAN, 3 * SPAN), (7, 9 * SPAN, 9 * SPAN)]
    );
    made.iter().for_each(|block| block.write(&file).unwrap());
    let read = block::spans(&file).unwrap();
    for (key, row) in all {
        let mut found = Vec::new();
        for span in &read {
            assert_eq!(Block::read(&file, *span).unwrap().span, *span);
            block::rows(&file, *span, key, &mut found).unwrap();
        }
        assert_eq!(found, [row]);
    }
}

#[tokio::test]
async fn an_id_is_known_in_memory_in_a_block_and_after_a_restart() {
    let folder = Folder::new();
    let mut store = open(&folder, 4);
    for round in 0..3 {
        for number in 0..18 {
            let (id, repeats) = (format!("m{number}"), round > 0);
            let accepted = accept(&store, &id, "health", 1).await;
            assert_eq!(matches!(accepted, Accepted::Duplicate), repeats, "{round} {id}");
        }
        let other = accept(&store, "m1", "health", 2).await;
        let quarantined = matches!(other, Accepted::Quarantined);
        assert_eq!(quarantined, round == 0, "then it is a duplicate of what was put aside");
        if round == 0 {
            let other = accept(&store, "m1", "tax", 2).await;
            assert!(matches!(other, Accepted::New { .. }), "an id belongs to its sender");
        }
        assert!(blocks(&folder) >= 4);
        drop(store);
        // A block of another size later: nothing depends on it.
        store = open(&folder, 4 + round);
    }
    let filter = |id: &str| Filter { message_id: Some(id.to_owned()), ..Filter::default() };
    assert_eq!(store.list(filter("m1")).await.unwrap().len(), 2);
    assert_eq!(store.list(filter("m17")).await.unwrap().len(), 1);
    assert_eq!(store.list(filter("none")).await.unwrap().len(), 0);
    let reader = SqliteStore::open_read_only(&folder.file(), keys(1)).unwrap();
    assert_eq!(reader.list(filter("m1")).await.unwrap().len(), 2, "by the tables alone");
}

async fn purge(store: &SqliteStore) {
    for what in Purging::ALL {
        let mut after = Some(0);
        while let Some(place) = after {
            let step = Purge { what, before: at(10_000), after: place, limit: 3 };
            after = store.purge(step).await.unwrap().next;
        }
    }
}

#[tokio::test]
async fn a_purged_id_is_new_and_its_block_goes_with_the_last() {
    let folder = Folder::new();
    let store = open(&folder, 4);
    for number in 0..20 {
        let id = suite::accept(&*store, &format!("m{number}"), number).await;
        if number != 9 {
            assert!(suite::intend(&*store, id, 0).await);
            suite::settle(&*store, id, 1, Next::Delivered).await;
        }
    }
    assert_eq!(blocks(&folder), 5);
    purge(&store).await;
    assert_eq!(blocks(&folder), 1, "the one that has not ended keeps its block");
    assert!(matches!(accept(&store, "m9", "health", 1).await, Accepted::Duplicate));
    assert!(matches!(accept(&store, "m8", "health", 1).await, Accepted::New { .. }));
    assert!(matches!(accept(&store, "m8", "health", 1).await, Accepted::Duplicate));
    drop(store);
    let store = open(&folder, 4);
    assert!(matches!(accept(&store, "m8", "health", 1).await, Accepted::Duplicate));
    assert!(matches!(accept(&store, "m7", "health", 1).await, Accepted::New { .. }));
}

/// Accepts until the next call crashes at a point of sealing; then opens it again.
#[tokio::test]
async fn a_crash_while_a_block_is_made_forgets_nothing() {
    for point in ["ids:before-commit", "ids:after-commit"] {
        let folder = Folder::new();
        let reached = Arc::new(Mutex::new(0));
        let seen = Arc::clone(&reached);
        let crash_points: crate::store::sqlite::CrashPoints = Arc::new(move |name| {
            if name == point {
                *seen.lock().unwrap() += 1;
                if *seen.lock().unwrap() == 3 {
                    std::panic::resume_unwind(Box::new(point));
                }
            }
        });
        let options = Options { crash_points: Some(crash_points), ..options(4) };
        let store = SqliteStore::open(&folder.file(), keys(1), options).unwrap();
        let mut accepted = Vec::new();
        for number in 0..20 {
            let id = format!("m{number}");
            match store.accept(suite::message(&id, 1, vec![suite::exchange(1)])).await {
                Ok(_) => accepted.push(id),
                Err(_) => break,
            }
        }
        assert_eq!(accepted.len(), 12, "the third block");
        drop(store);
        let whole = usize::from(point == "ids:after-commit");
        assert_eq!(blocks(&folder), 2 + whole, "a block is there or not");
        let store = open(&folder, 4);
        assert_eq!(blocks(&folder), 3, "made at the start");
        for id in accepted {
            assert!(matches!(accept(&store, &id, "health", 1).await, Accepted::Duplicate), "{id}");
        }
        assert!(matches!(accept(&store, "m19", "health", 1).await, Accepted::New { .. }));
    }
}

/// A store as version 3 left it.
fn of_version_3(folder: &Folder, count: usize) {
    let file = Connection::open(folder.file()).unwrap();
    for script in &super::super::connection::MIGRATIONS[..3] {
        file.execute_batch(script).unwrap();
    }
    file.pragma_update(None, "user_version", 3).unwrap();
    for number in 0..count {
        let sql = "INSERT INTO messages (source, message_id, message_type, content_type,
                accepted_at, fingerprint, commitment)
            VALUES ('health', ?1, 't', 'application/json', 1, ?2, 'c')";
        let fingerprint = suite::message("m", 1, vec![]).fingerprint;
        file.execute(sql, (format!("m{number}"), fingerprint)).unwrap();
    }
    // Gaps, as a purge leaves them.
    file.execute("DELETE FROM messages WHERE id % 5 = 2", []).unwrap();
}

fn index_of_before(folder: &Folder) -> bool {
    let file = Connection::open(folder.file()).unwrap();
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'messages_before')";
    let whole: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    file.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_of_a_store_of_before_are_known_all_along() {
    let folder = Folder::new();
    of_version_3(&folder, 400);
    let store = open(&folder, 50);
    assert!(index_of_before(&folder));
    let gone = |number: usize| (number + 1) % 5 == 2;
    let (mut number, mut again) = (0, std::collections::BTreeSet::new());
    // While the background goes through them, and once more afterwards.
    while blocks(&folder) < 6 || number < 400 {
        let accepted = accept(&store, &format!("m{}", number % 400), "health", 1).await;
        let new = gone(number % 400) && again.insert(number % 400);
        assert_eq!(matches!(accepted, Accepted::New { .. }), new, "{number}");
        number += 7;
    }
    drop(store);
    // What was not done yet goes on where it was; when all is done the index goes.
    let store = open(&folder, 50);
    let step = |tx: &mut super::super::writer::Tx<'_>| tx.ids.catch_up(tx.connection, 1_000);
    while !store.write(super::super::writer::OTHER, step).await.unwrap() {}
    drop(store);
    let store = open(&folder, 50);
    assert!(!index_of_before(&folder));
    for number in 0..400 {
        let accepted = accept(&store, &format!("m{number}"), "health", 1).await;
        assert!(!matches!(accepted, Accepted::Quarantined), "{number}");
        assert!(gone(number) || matches!(accepted, Accepted::Duplicate), "{number}");
    }
}

#[tokio::test]
async fn steps_that_share_a_transaction_lose_none_of_their_blocks() {
    let folder = Folder::new();
    of_version_3(&folder, 130);
    let store = open(&folder, 50);
    let all = |tx: &mut super::super::writer::Tx<'_>| {
        while !tx.ids.catch_up(tx.connection, 50)? {}
        tx.ids.catch_up(tx.connection, 50)
    };
    // `check` looks at all of them after the commit.
    assert!(store.write(super::super::writer::OTHER, all).await.unwrap());
    assert!(blocks(&folder) >= 3);
    assert!(matches!(accept(&store, "m129", "health", 1).await, Accepted::Duplicate));
}

#[test]
fn the_index_of_before_is_used_for_its_rows() {
    let folder = Folder::new();
    of_version_3(&folder, 40);
    drop(super::super::connection::open_writer(&folder.file(), &keys(1)).unwrap());
    let file = Connection::open(folder.file()).unwrap();
    let sql = "EXPLAIN QUERY PLAN SELECT id FROM messages WHERE id <= 40 AND message_id = 'm1'";
    let plan: String = file.query_row(sql, [], |row| row.get(3)).unwrap();
    assert!(plan.contains("messages_before"), "{plan}");
}

#[derive(Clone, Debug)]
enum Step {
    /// An id, a sender, a content.
    Accept(u8, bool, bool),
    /// The oldest exchange that is under way ends.
    End,
    Purge,
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..24u8, any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(id, tax, other)| Step::Accept(id, tax, other)),
        6 => Just(Step::End),
        2 => Just(Step::Purge),
        1 => (1..5usize).prop_map(Step::Restart),
    ]
}

/// What a table with a unique index would say.
async fn follows_the_model(steps: Vec<Step>) {
    let folder = Folder::new();
    let mut store = open(&folder, 3);
    // By sender and id: the content, and whether it has ended.
    let mut model: BTreeMap<(String, String), (u8, bool)> = BTreeMap::new();
    let mut under_way: Vec<(i64, (String, String))> = Vec::new();
    for step in steps {
        match step {
            Step::Accept(id, tax, other) => {
                let source = if tax { "tax" } else { "health" };
                let (id, fill) = (format!("m{id}"), 1 + u8::from(other));
                let mut message = suite::message(&id, fill, vec![suite::exchange(i64::from(fill))]);
                message.exchanges[0].lane = under_way.len() as i64 + 100;
                Arc::make_mut(&mut message.envelope).source = source.into();
                let aside = format!("{id}~{}", crate::record::hex(&message.fingerprint));
                let aside = (source.to_owned(), aside[..id.len() + 13].to_owned());
                let accepted = store.accept(message).await.unwrap();
                let key = (source.to_owned(), id);
                match (model.get(&key).map(|(content, _)| *content == fill), accepted) {
                    (None, Accepted::New { exchanges, .. }) => {
                        model.insert(key.clone(), (fill, false));
                        under_way.push((exchanges[0], key));
                    }
                    (Some(true), Accepted::Duplicate) => {}
                    (Some(false), Accepted::Duplicate) => assert!(model.contains_key(&aside)),
                    (Some(false), Accepted::Quarantined) => {
                        assert!(model.insert(aside, (fill, true)).is_none());
                    }
                    other => panic!("{key:?} {other:?}"),
                }
            }
            Step::End if under_way.is_empty() => {}
            Step::End => {
                let (exchange, key) = under_way.remove(0);
                let filter = Filter { message_id: Some(key.1.clone()), ..Filter::default() };
                let listed = store.list(filter).await.unwrap();
                let view = listed.iter().find(|view| view.id == exchange).unwrap();
                let fence = i64::from(view.state != State::Received.name());
                if fence == 0 {
                    assert!(suite::intend(&*store, exchange, 0).await);
                }
                suite::settle(&*store, exchange, 1, Next::Delivered).await;
                model.get_mut(&key).unwrap().1 = true;
            }
            Step::Purge => {
                purge(&store).await;
                model.retain(|_, (_, ended)| !*ended);
            }
            Step::Restart(block) => {
                drop(store);
                store = open(&folder, block);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn does_what_a_unique_index_would(steps in prop::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(follows_the_model(steps));
    }
}
