//! SQLite's own promises: crashes, groups, fullness, one writer, nothing in the clear.

use super::*;
use crate::model::clock::Clock;
use crate::record::verify;
use crate::store::conformance::{self as suite, at};
use crate::store::{ActVerb, Forget as _, Next, conformance_rotation, lifecycle};
use base64::Engine as _;
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32};

/// A folder of its own, gone when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("watashi-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("store.db")
    }

    pub(crate) fn open(&self) -> Arc<SqliteStore> {
        self.open_with(options())
    }

    pub(crate) fn try_open(&self) -> Result<Arc<SqliteStore>, StoreError> {
        SqliteStore::open(&self.file(), keys(1), options())
    }

    fn open_with(&self, options: Options) -> Arc<SqliteStore> {
        SqliteStore::open(&self.file(), keys(1), options).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        at(500)
    }
}

fn options() -> Options {
    // So little in memory that every test has some on the disk.
    Options { clock: Arc::new(Fixed), id_block: 3, lanes: 1, log: 20, ..Options::default() }
}

pub(crate) fn keys(fill: u8) -> Arc<Keys> {
    let masters = vec![("k1".to_owned(), Secret::new(vec![fill; 32]))];
    Arc::new(Keys::from_masters("k1", masters).unwrap())
}

/// What the writer keeps in memory is what its tables say: compared after every transaction of
/// every test.
pub(super) fn check_memory(connection: &Connection, lanes: &Lanes, ids: &ids::Ids) {
    ids::tests::check(connection, ids);
    let read = Lanes::read(connection, Overflow::default(), usize::MAX).unwrap();
    assert_eq!(lanes.listed(), read.listed(), "open lanes");
    let counted = super::views::backlog(connection).unwrap();
    assert_eq!(lanes.backlog(), counted, "exchanges not yet ended");
    for ((counterpart, lane), (active, _)) in lanes.listed() {
        assert_eq!(active, 1, "{counterpart} {lane}: one goes, the others wait");
    }
    let rows = |sql: &str| -> Vec<(String, String, String, i64, i64, i64)> {
        let mut statement = connection.prepare(sql).unwrap();
        let row = |row: &rusqlite::Row<'_>| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        };
        statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let kept = rows("SELECT * FROM tallies WHERE count <> 0 ORDER BY 1, 2, 3");
    let counted = rows(
        "SELECT route, state, ifnull(code, ''), count(*), sum(max(attempts - 1, 0)),
            sum(was_unknown AND state = 'delivered')
         FROM exchanges WHERE state IN ('delivered', 'dead', 'duplicate', 'discarded')
         GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    );
    assert_eq!(kept, counted, "tallies");
}

#[tokio::test]
async fn conforms() {
    let folders = Mutex::new(Vec::new());
    suite::run(|| {
        let folder = Folder::new();
        let store = folder.open();
        folders.lock().unwrap().push(folder);
        store
    })
    .await;
}

/// With one lane in memory the others lie in a file; it goes with its store, and what a killed
/// process left of it is of no use to the next.
#[tokio::test]
async fn lanes_overflow_into_a_file_that_is_thrown_away() {
    let folder = Folder::new();
    let file = folder.file().with_extension("db.lanes");
    let store = folder.open();
    assert!(!file.exists());
    for number in 0..40 {
        suite::accept(&*store, &format!("m{number}"), number).await;
    }
    assert!(file.exists(), "{}", file.display());
    drop(store);
    assert!(!file.exists());
    std::fs::write(&file, "left by a killed process").unwrap();
    let store = folder.open();
    assert_eq!(store.backlog().await.unwrap().iter().map(|(_, open)| open).sum::<u64>(), 40);
    suite::accept(&*store, "m40", 40).await;
}

#[tokio::test]
async fn keys_are_rotated_in_steps() {
    let folder = Folder::new();
    let keys = Arc::new(conformance_rotation::keys(&[1]));
    let store = SqliteStore::open(&folder.file(), Arc::clone(&keys), options()).unwrap();
    conformance_rotation::run(&*store, &keys).await;
}

impl lifecycle::Home for Folder {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        let store = Folder::open(self);
        Box::pin(async { store as Arc<dyn Store> })
    }

    fn restart(&self, store: Arc<dyn Store>) -> BoxFuture<'_, Arc<dyn Store>> {
        drop(store);
        lifecycle::Home::open(self)
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn does_what_the_model_does(steps in prop::collection::vec(lifecycle::step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(lifecycle::run(&Folder::new(), steps));
    }
}

#[tokio::test]
async fn what_was_sending_is_unknown_after_a_restart() {
    let folder = Folder::new();
    let store = folder.open();
    let sent = suite::accept(&*store, "m1", 1).await;
    let next = suite::accept(&*store, "m2", 1).await;
    assert!(suite::intend(&*store, sent, 0).await);
    drop(store);
    let store = folder.open();
    let claimed = store.claim(suite::claim_of(&[State::Unknown], at(500))).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert!(claimed[0].maybe_applied);
    assert_eq!((claimed[0].id, claimed[0].since), (sent, at(500)));
    let late = suite::settle(&*store, sent, 1, Next::Delivered).await;
    assert_eq!(late, Settled::Stale, "the old process has nothing to say");
    assert_eq!(suite::state_of(&*store, next).await, State::Held);
    let attempts = store.attempts(sent).await.unwrap();
    assert_eq!(attempts[0].outcome.as_deref(), Some("unknown"));
    let rows = store.record(0, 100).await.unwrap();
    assert!(rows.last().unwrap().entry.contains("exchanges: 1"));
    assert_eq!(verify(rows).first_bad, None);
}

/// Panics on the writer's thread at one point: the process is gone there, as far as the file knows.
fn crash_at(point: &'static str) -> (Options, Arc<AtomicBool>) {
    let armed = Arc::new(AtomicBool::new(false));
    let trigger = Arc::clone(&armed);
    let crash_points: CrashPoints = Arc::new(move |reached| {
        if reached == point && trigger.load(Ordering::SeqCst) {
            // Like a panic, without its message among those of real failures.
            std::panic::resume_unwind(Box::new(point));
        }
    });
    (Options { crash_points: Some(crash_points), ..options() }, armed)
}

/// Crashes while one exchange goes through accept, intend and settle; gives what a restart finds.
async fn crashed(point: &'static str) -> (Option<State>, usize) {
    let folder = Folder::new();
    let (options, armed) = crash_at(point);
    let store = folder.open_with(options);
    let call = point.split(':').next().unwrap();
    armed.store(call == "accept", Ordering::SeqCst);
    let accepted = store.accept(suite::message("m1", 1, vec![suite::exchange(1)])).await;
    assert_eq!(accepted.is_err(), call == "accept");
    if call != "accept" {
        armed.store(call == "intend", Ordering::SeqCst);
        let intent = crate::store::Intent {
            exchange: 1,
            fence: 0,
            request_digest: String::new(),
            at: at(1),
            record: Some(Draft::new(
                crate::record::Kind::Send,
                crate::record::Phase::Intended,
                at(1),
            )),
        };
        let intended = store.intend(vec![intent]).await;
        assert_eq!(intended.is_err(), call == "intend");
    }
    if call == "settle" {
        armed.store(true, Ordering::SeqCst);
        let settled = store.settle(vec![suite::settlement(1, 1, Next::Delivered)].into()).await;
        assert_eq!(settled.unwrap_err().code, &codes::STORE_CLOSED);
    }
    assert_eq!(store.note(vec![]).await.unwrap_err().code, &codes::STORE_CLOSED);
    assert!(!store.healthy());
    drop(store);
    let store = folder.open();
    let rows = store.record(0, 100).await.unwrap();
    assert_eq!(verify(rows.clone()).first_bad, None);
    let list = store.list(Filter::default()).await.unwrap();
    let state = list.first().map(|view| State::from_name(&view.state).unwrap());
    (state, rows.len())
}

#[tokio::test]
async fn a_crash_at_any_point_leaves_all_or_nothing() {
    assert_eq!(crashed("accept:before-commit").await, (None, 0));
    assert_eq!(crashed("accept:after-commit").await, (Some(State::Received), 1));
    assert_eq!(crashed("intend:before-commit").await, (Some(State::Received), 1));
    // The restart adds its own entry to the two.
    assert_eq!(crashed("intend:after-commit").await, (Some(State::Unknown), 3));
    assert_eq!(crashed("settle:before-commit").await, (Some(State::Unknown), 3));
    assert_eq!(crashed("settle:after-commit").await, (Some(State::Delivered), 3));
}

#[tokio::test]
async fn calls_made_together_share_transactions() {
    let folder = Folder::new();
    let store = folder.open();
    let accepts = (0..200).map(|number| {
        store.accept(suite::message(&format!("m{number}"), 1, vec![suite::exchange(number)]))
    });
    for accepted in futures_util::future::join_all(accepts).await {
        assert!(matches!(accepted.unwrap(), Accepted::New { .. }));
    }
    assert!(store.commits() <= 50, "{} transactions for 200 calls", store.commits());
    assert_eq!(store.record(0, 1000).await.unwrap().len(), 200);
}

#[tokio::test]
async fn one_bad_call_harms_only_itself() {
    let folder = Folder::new();
    let store = folder.open();
    // A foreign key that cannot hold: such a statement fails, whatever the reason.
    let bad = store.write(writer::OTHER, |tx| {
        tx.execute("INSERT INTO bodies (message, sealed) VALUES (999, x'00')", []).map(drop)
    });
    let good = store.accept(suite::message("m1", 1, vec![suite::exchange(1)]));
    let more = store.accept(suite::message("m2", 1, vec![suite::exchange(1)]));
    let (first, second, third) = futures_util::future::join3(good, bad, more).await;
    assert!(matches!(first.unwrap(), Accepted::New { .. }));
    assert_eq!(second.unwrap_err().code, &codes::STORE_REFUSED);
    assert!(matches!(third.unwrap(), Accepted::New { .. }));
    assert!(store.healthy());
    assert_eq!(verify(store.record(0, 10).await.unwrap()).entries, 2);
}

#[tokio::test]
async fn a_full_store_refuses_the_new_and_finishes_the_old() {
    let folder = Folder::new();
    let store = folder.open_with(Options { max_bytes: Some(400_000), ..options() });
    let mut accepted = Vec::new();
    let refused = loop {
        let mut message = suite::message(&format!("m{}", accepted.len()), 1, vec![]);
        message.exchanges.push(suite::exchange(accepted.len() as i64));
        message.body = Secret::new(vec![0; 10_000]);
        match store.accept(message).await {
            Ok(Accepted::New { exchanges, .. }) => accepted.push(exchanges[0]),
            other => break other.unwrap_err(),
        }
    };
    assert_eq!(refused.code, &codes::STORE_FULL);
    assert_eq!(store.check_room().await.unwrap_err().code, &codes::STORE_FULL);
    assert!(accepted.len() > 10);
    assert!(store.healthy(), "full is not broken");
    for id in accepted {
        assert!(suite::intend(&*store, id, 0).await);
        suite::settle(&*store, id, 1, Next::Delivered).await;
    }
    drop(store);
    let store = folder.open();
    store.check_room().await.unwrap();
    assert!(store.accept(suite::message("later", 1, vec![])).await.is_ok(), "after making room");
}

#[tokio::test]
async fn a_limit_below_what_is_there_refuses_the_new_and_finishes_the_old() {
    let folder = Folder::new();
    let store = folder.open();
    let mut accepted = Vec::new();
    for number in 0..60 {
        let exchanges = vec![suite::exchange(number)];
        let mut message = suite::message(&format!("m{number}"), 1, exchanges);
        message.body = Secret::new(vec![0; 10_000]);
        match store.accept(message).await.unwrap() {
            Accepted::New { exchanges, .. } => accepted.push(exchanges[0]),
            other => panic!("{other:?}"),
        }
    }
    drop(store);
    let limited = || Options { max_bytes: Some(230_000), ..options() };
    let store = folder.open_with(limited());
    let new = || suite::message("new", 1, vec![suite::exchange(99)]);
    assert_eq!(store.accept(new()).await.unwrap_err().code, &codes::STORE_FULL);
    assert_eq!(store.check_room().await.unwrap_err().code, &codes::STORE_FULL);
    let repeated = store.accept(suite::message("m1", 1, vec![])).await.unwrap();
    assert!(matches!(repeated, Accepted::Duplicate), "what it has it knows");
    for id in accepted {
        assert!(suite::intend(&*store, id, 0).await);
        suite::settle(&*store, id, 1, Next::Delivered).await;
    }
    drop(store);
    let store = folder.open_with(limited());
    let before = at(10_000);
    for what in crate::store::purge::Purging::ALL {
        let purge = crate::store::purge::Purge { what, before, after: 0, limit: 200 };
        store.purge(purge).await.unwrap();
    }
    store.check_room().await.unwrap();
    assert!(matches!(store.accept(new()).await.unwrap(), Accepted::New { .. }), "there is room");
}

#[tokio::test]
async fn the_disk_being_full_is_not_fatal() {
    let folder = Folder::new();
    let store = folder.open();
    store
        .write(writer::OTHER, |tx| tx.row("PRAGMA max_page_count = 60", [], |_| Ok(())).map(drop))
        .await
        .unwrap();
    let mut big = suite::message("big", 1, vec![suite::exchange(1)]);
    big.body = Secret::new(vec![0; 1_000_000]);
    assert_eq!(store.accept(big).await.unwrap_err().code, &codes::STORE_FULL);
    assert!(store.healthy());
    assert!(store.accept(suite::message("small", 1, vec![])).await.is_ok());
    assert_eq!(store.record(0, 10).await.unwrap().len(), 1, "nothing of the big one is left");
}

#[tokio::test]
async fn an_error_of_the_disk_ends_all_trust() {
    let folder = Folder::new();
    let store = folder.open();
    let failed = store.write(writer::OTHER, |_| -> Result<(), StoreError> {
        Err(StoreError::new(&codes::STORE_INPUT_OUTPUT, "SQLite error 1034"))
    });
    assert_eq!(failed.await.unwrap_err().code, &codes::STORE_INPUT_OUTPUT);
    assert!(!store.healthy());
    let refused = store.accept(suite::message("m1", 1, vec![])).await.unwrap_err();
    assert_eq!(refused.code, &codes::STORE_INPUT_OUTPUT);
    assert_eq!(store.counts().await.unwrap_err().code, &codes::STORE_INPUT_OUTPUT);
}

#[tokio::test]
async fn one_process_writes_others_may_read() {
    let folder = Folder::new();
    let store = folder.open();
    suite::accept(&*store, "m1", 1).await;
    let second = SqliteStore::open(&folder.file(), keys(1), options());
    assert_eq!(second.err().unwrap().code, &codes::STORE_IN_USE);
    let reader = SqliteStore::open_read_only(&folder.file(), keys(1)).unwrap();
    assert_eq!(reader.list(Filter::default()).await.unwrap().len(), 1);
    let refused = reader.accept(suite::message("m2", 1, vec![])).await.unwrap_err();
    assert_eq!(refused.code, &codes::STORE_READ_ONLY);
    store.close().await.unwrap();
    assert_eq!(store.note(vec![]).await.unwrap_err().code, &codes::STORE_CLOSED);
    assert!(!store.healthy());
    drop((store, reader));
    let wrong = SqliteStore::open(&folder.file(), keys(2), options());
    assert_eq!(wrong.err().unwrap().code, &codes::KEYS_DO_NOT_FIT);
    let none = SqliteStore::open_read_only(&folder.0.join("none.db"), keys(1));
    assert_eq!(none.err().unwrap().code, &codes::STORE_NOT_OPENED);
    folder.open();
}

#[tokio::test]
async fn the_record_cannot_be_changed_unnoticed() {
    let folder = Folder::new();
    let store = folder.open();
    for number in 0..4 {
        suite::accept(&*store, &format!("m{number}"), number).await;
    }
    let good = store.record(0, 10).await.unwrap();
    drop(store);
    let file = Connection::open(folder.file()).unwrap();
    assert!(file.execute("UPDATE records SET entry = '{}'", []).is_err());
    assert!(file.execute("DELETE FROM records WHERE sequence = 4", []).is_err());
    // Somebody with the file can drop the triggers; then the leaf tells.
    file.execute_batch("DROP TRIGGER records_are_not_changed").unwrap();
    file.execute("UPDATE records SET entry = replace(entry, 'm2', 'm9') WHERE sequence = 3", [])
        .unwrap();
    drop(file);
    let reader = SqliteStore::open_read_only(&folder.file(), keys(1)).unwrap();
    let tampered = reader.record(0, 10).await.unwrap();
    assert_ne!(tampered, good);
    assert_eq!(verify(tampered).first_bad.map(|(sequence, _)| sequence), Some(3));
    drop(reader);
    let opened = SqliteStore::open(&folder.file(), keys(1), options());
    assert_eq!(opened.err().unwrap().code, &codes::RECORD_BROKEN);
}

#[tokio::test]
async fn a_swapped_or_changed_body_does_not_open_and_harms_only_itself() {
    let folder = Folder::new();
    let store = folder.open();
    for number in 0..3u8 {
        let exchanges = vec![suite::exchange(number.into())];
        store.accept(suite::message(&format!("m{number}"), number, exchanges)).await.unwrap();
    }
    let swap = "UPDATE bodies SET sealed = (SELECT sealed FROM bodies WHERE message = 2)
        WHERE message = 1";
    store.write(writer::OTHER, move |tx| tx.execute(swap, []).map(drop)).await.unwrap();
    assert_eq!(store.original(1).await.unwrap_err().code, &codes::SEALED_DAMAGED);
    let claimed = store.claim(suite::claim_of(&[State::Received], at(1))).await.unwrap();
    assert_eq!(claimed.iter().map(|one| one.id).collect::<Vec<_>>(), [2, 3]);
    assert!(store.healthy());
}

/// A canary in every writing an eye or a search might find.
fn writings(digits: &str) -> Vec<Vec<u8>> {
    let wide: String =
        digits.chars().map(|c| char::from_u32(u32::from(c) - 0x30 + 0xff10).unwrap()).collect();
    let utf16 = |order: fn(u16) -> [u8; 2]| digits.encode_utf16().flat_map(order).collect();
    let mut writings = vec![
        digits.as_bytes().to_vec(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        wide.into_bytes(),
        crate::record::hex(digits.as_bytes()).into_bytes(),
    ];
    // The three ways the digits can fall on base64's groups; the ends depend on neighbours.
    for skip in 0..3 {
        let coded = base64::engine::general_purpose::STANDARD_NO_PAD.encode(&digits[skip..]);
        writings.push(coded.as_bytes()[..coded.len() - 2].to_vec());
    }
    writings
}

#[tokio::test]
async fn nothing_rests_in_the_clear() {
    const CANARY: &str = "123456789018";
    let folder = Folder::new();
    let store = folder.open();
    let mut message = suite::message("m1", 1, vec![suite::exchange(keys(1).lane("pmh", CANARY))]);
    message.body = Secret::new(format!("{{\"individualNumber\":\"{CANARY}\"}}").into_bytes());
    message.exchanges[0].subject = Some(keys(1).subject(CANARY).into());
    message.fingerprint = keys(1).fingerprint("t", message.body.expose());
    store.accept(message).await.unwrap();
    suite::intend(&*store, 1, 0).await;
    let outgoing = crate::store::NewOutgoing {
        routing_key: "r".to_owned(),
        message_id: "a".to_owned(),
        message_type: "t".to_owned(),
        correlation_id: None,
        content_type: "application/json".to_owned(),
        body: Secret::new(CANARY.as_bytes().to_vec()),
    };
    let settlement =
        Settlement { outbox: vec![outgoing], ..suite::settlement(1, 1, Next::Delivered) };
    store.settle(vec![settlement].into()).await.unwrap();
    suite::act(&*store, 1, ActVerb::Discard).await;
    let mut files = 0;
    for entry in std::fs::read_dir(&folder.0).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        files += usize::from(bytes.len() > 4096);
        for writing in writings(CANARY) {
            let found = bytes.windows(writing.len()).any(|window| window == writing);
            assert!(!found, "{}", String::from_utf8_lossy(&writing));
        }
    }
    assert!(files >= 2, "the database and its WAL were searched");
    // The search itself can find: the message id stands in the clear.
    let wal = std::fs::read(folder.0.join("store.db-wal")).unwrap();
    assert!(wal.windows(12).any(|window| window == b"subject-to-p"));
}

#[tokio::test]
async fn claims_and_lanes_use_their_indexes() {
    let folder = Folder::new();
    drop(folder.open());
    let file = Connection::open(folder.file()).unwrap();
    let plan = |sql: &str| -> String {
        let mut statement = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        rows.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    };
    let due = plan(
        "SELECT due, id FROM exchanges WHERE counterpart = 'a' AND operation = 'b'
         AND state = 'received' AND due <= 1 ORDER BY due, id",
    );
    assert!(due.contains("exchanges_due"), "{due}");
    assert!(!due.contains("TEMP B-TREE"), "{due}");
    let open = exchanges::open_exchange!();
    let lane = plan(
        "SELECT id FROM exchanges WHERE counterpart = 'a' AND lane = 1 AND state = 'held'
         ORDER BY id LIMIT 1",
    );
    assert!(lane.contains("exchanges_held") && !lane.contains("TEMP B-TREE"), "{lane}");
    let backlog = plan(&format!(
        "SELECT counterpart, count(*) FROM exchanges INDEXED BY exchanges_open WHERE {open}
         GROUP BY counterpart"
    ));
    assert!(backlog.contains("exchanges_open") && !backlog.contains("TEMP B-TREE"), "{backlog}");
    let dead = plan("SELECT * FROM exchanges e WHERE e.id > 5 AND e.state = 'dead' ORDER BY e.id");
    assert!(dead.contains("exchanges_dead") && !dead.contains("TEMP B-TREE"), "{dead}");
    let outbox = plan("SELECT * FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT 5");
    assert!(outbox.contains("outbox_pending") && !outbox.contains("TEMP B-TREE"), "{outbox}");
    for state in State::ALL {
        assert_eq!(open.contains(&format!("'{state}'")), state.is_final(), "{state}");
    }
}

#[tokio::test]
async fn the_writer_syncs_every_commit() {
    let folder = Folder::new();
    let store = folder.open();
    let settings = [
        ("PRAGMA synchronous", 2),
        ("PRAGMA foreign_keys", 1),
        ("PRAGMA secure_delete", 1),
        ("PRAGMA trusted_schema", 0),
        ("PRAGMA user_version", 6),
    ];
    for (sql, expected) in settings {
        let read = move |tx: &mut Tx<'_>| tx.row(sql, [], |row| row.get::<_, i64>(0));
        assert_eq!(store.write(writer::OTHER, read).await.unwrap(), Some(expected), "{sql}");
    }
    let mode = |tx: &mut Tx<'_>| tx.row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
    assert_eq!(store.write(writer::OTHER, mode).await.unwrap().as_deref(), Some("wal"));
}

#[test]
fn what_is_no_store_is_refused() {
    let folder = Folder::new();
    std::fs::write(folder.file(), [0x55; 8192]).unwrap();
    let opened = SqliteStore::open(&folder.file(), keys(1), options());
    assert_eq!(opened.err().unwrap().code, &codes::STORE_CORRUPT);
    let later = Folder::new();
    drop(later.open());
    let file = Connection::open(later.file()).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    drop(file);
    let opened = SqliteStore::open(&later.file(), keys(1), options());
    assert_eq!(opened.err().unwrap().code, &codes::STORE_VERSION_UNKNOWN);
    let nowhere = SqliteStore::open(&later.0.join("no/folder/x.db"), keys(1), options());
    assert_eq!(nowhere.err().unwrap().code, &codes::STORE_NOT_OPENED);
}
