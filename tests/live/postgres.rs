//! The store on PostgreSQL: the same suite as SQLite, and what only a server can do to it.

use super::database::{Server, server};
use super::setup;
use super::store::conformance::{self as suite, at};
use super::store::{conformance_rotation, lifecycle};
use futures_util::future::{BoxFuture, join_all};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::sync::Arc;
use std::time::{Duration, Instant};
use watashi::model::codes::store as codes;
use watashi::model::{Secret, State};
use watashi::record::verify;
use watashi::store::postgres::{Address, Options};
use watashi::store::{Accepted, Filter, Instances, Keys, Next, PostgresStore, Settled, Store};

pub fn keys(fill: u8) -> Arc<Keys> {
    let masters = vec![("k1".to_owned(), Secret::new(vec![fill; 32]))];
    Arc::new(Keys::from_masters("k1", masters).unwrap())
}

/// A store in a database of its own.
async fn open(server: &Server, database: &str) -> Arc<PostgresStore> {
    open_with(server, database, Options::default()).await
}

pub async fn open_with(server: &Server, database: &str, options: Options) -> Arc<PostgresStore> {
    PostgresStore::open(server.address(database), keys(1), options).await.unwrap()
}

/// Waits in a place that cannot.
fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

#[tokio::test(flavor = "multi_thread")]
async fn conforms() {
    setup();
    let server = server().await;
    suite::run(|| now(async { open(server, &server.database().await).await })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_in_steps() {
    setup();
    let server = server().await;
    let keys = Arc::new(conformance_rotation::keys(&[1]));
    let address = server.address(&server.database().await);
    let store = PostgresStore::open(address, Arc::clone(&keys), Options::default()).await.unwrap();
    conformance_rotation::run(&*store, &keys).await;
}

struct Database(&'static Server, String);

impl lifecycle::Home for Database {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async { open(self.0, &self.1).await as Arc<dyn Store> })
    }

    fn restart(&self, store: Arc<dyn Store>) -> BoxFuture<'_, Arc<dyn Store>> {
        Box::pin(async move {
            store.close().await.unwrap();
            lifecycle::Home::open(self).await
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn does_what_the_model_does() {
    setup();
    let server = server().await;
    let config = ProptestConfig { cases: 12, failure_persistence: None, ..Default::default() };
    let steps = prop::collection::vec(lifecycle::step(), 1..40);
    // The same steps in every run; other seeds are for whoever looks for more.
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[1; 32]);
    let run = |steps| {
        now(async {
            let home = Database(server, server.database().await);
            lifecycle::run(&home, steps).await;
        });
        Ok(())
    };
    now(async { TestRunner::new_with_rng(config, rng).run(&steps, run).unwrap() });
}

/// A short lease, so that a test sees it end.
fn brief(name: &str) -> Options {
    Options { name: name.to_owned(), lease: Duration::from_secs(1), ..Options::default() }
}

/// Asks until there is an answer.
pub async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "hangs: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_start_together_make_one_store_and_refuse_what_is_not_theirs() {
    setup();
    let server = server().await;
    let database = server.database().await;
    let opened = join_all((0..4).map(|_| open(server, &database))).await;
    for (number, store) in opened.iter().enumerate() {
        suite::accept(&**store, &format!("m{number}"), 1).await;
    }
    assert_eq!(opened[0].list(Filter::default()).await.unwrap().len(), 4);
    assert_eq!(opened[0].instances().await.unwrap().len(), 4);
    let address = || server.address(&database);
    let wrong = PostgresStore::open(address(), keys(2), Options::default()).await;
    assert_eq!(wrong.err().unwrap().code, &codes::KEYS_DO_NOT_FIT);
    let wrong = PostgresStore::open_read_only(address(), keys(2)).await;
    assert_eq!(wrong.err().unwrap().code, &codes::KEYS_DO_NOT_FIT);
    let reader = PostgresStore::open_read_only(address(), keys(1)).await.unwrap();
    assert_eq!(reader.list(Filter::default()).await.unwrap().len(), 4);
    let refused = reader.accept(suite::message("m9", 1, vec![])).await.unwrap_err();
    assert_eq!(refused.code, &codes::STORE_READ_ONLY);
    for store in &opened {
        store.close().await.unwrap();
        assert!(!store.healthy());
        assert_eq!(store.note(vec![]).await.unwrap_err().code, &codes::STORE_CLOSED);
    }
    assert!(reader.instances().await.unwrap().is_empty(), "none is left behind");
    let owner = server.owner(&database).await;
    owner.batch_execute("UPDATE meta SET value = '99' WHERE name = 'version'").await.unwrap();
    let newer = PostgresStore::open(address(), keys(1), Options::default()).await;
    assert_eq!(newer.err().unwrap().code, &codes::STORE_VERSION_UNKNOWN);
    let empty = server.address(&server.database().await);
    let none = PostgresStore::open_read_only(empty, keys(1)).await;
    assert_eq!(none.err().unwrap().code, &codes::STORE_NOT_OPENED);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_speaks_tls_to_the_right_server_only_and_proves_itself() {
    setup();
    let server = server().await;
    let database = server.database().await;
    let plain = Address::new(&Secret::new(server.url(&database)), None).unwrap();
    let refused = PostgresStore::open_read_only(plain, keys(1)).await;
    assert_eq!(refused.err().unwrap().code, &codes::STORE_UNREACHABLE, "the server wants TLS");
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["another".to_owned()]).unwrap();
    let other = params.self_signed(&key).unwrap().pem();
    let tls = watashi::transport::https::tls::client_config(other.as_bytes(), None).unwrap();
    let url = Secret::new(server.url(&database));
    let stranger = Address::new(&url, Some(Arc::new(tls))).unwrap();
    let refused = PostgresStore::open_read_only(stranger, keys(1)).await.err().unwrap();
    assert_eq!(refused.code, &codes::STORE_UNREACHABLE);
    assert!(refused.detail.starts_with("certificate"), "{}", refused.detail);
    assert!(!refused.detail.contains("watashi:watashi"));
    let owner = server.owner(&database).await;
    owner.batch_execute("GRANT ALL ON SCHEMA public TO machine").await.unwrap();
    let machine = server.address_of_machine(&database, "machine");
    let store = PostgresStore::open(machine, keys(1), Options::default()).await.unwrap();
    suite::accept(&*store, "m1", 1).await;
    let other = server.address_of_machine(&database, "somebody");
    let refused = PostgresStore::open_read_only(other, keys(1)).await.err().unwrap();
    assert_eq!(refused.code, &codes::STORE_UNREACHABLE, "{}", refused.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_what_it_confirms_is_refused() {
    setup();
    let server = server().await;
    let database = server.database().await;
    let owner = server.owner(&database).await;
    let set = |what: &str| format!("ALTER DATABASE {database} SET synchronous_commit = {what}");
    owner.batch_execute(&set("off")).await.unwrap();
    let open = || PostgresStore::open(server.address(&database), keys(1), Options::default());
    let refused = open().await.err().unwrap();
    assert_eq!(refused.code, &codes::SERVER_UNSUITABLE);
    assert_eq!(refused.detail, "synchronous_commit is off");
    owner.batch_execute(&set("on")).await.unwrap();
    open().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_made_together_share_transactions_and_one_bad_call_harms_only_itself() {
    setup();
    let server = server().await;
    let store = open(server, &server.database().await).await;
    let accept = |number: i64| {
        let mut message = suite::message(&format!("m{number}"), 1, vec![suite::exchange(number)]);
        // What PostgreSQL's text cannot hold comes from outside here.
        Arc::make_mut(&mut message.envelope).operator =
            Some(format!("a\u{0}b\u{1a}{number}").into());
        store.accept(message)
    };
    for accepted in join_all((0..200).map(accept)).await {
        assert!(matches!(accepted.unwrap(), Accepted::New { .. }));
    }
    assert!(store.commits() <= 50, "{} transactions for 200 calls", store.commits());
    let states = [State::Received];
    let claimed = store.claim(suite::claim_of(&states, at(1))).await.unwrap();
    let first = claimed.iter().find(|one| one.envelope.message_id.as_str() == "m7").unwrap();
    assert_eq!(first.envelope.operator.as_deref(), Some("a\u{0}b\u{1a}7"));
    // A bundle's digest is ours and has no such character: PostgreSQL refuses the statement.
    let bad = suite::message(
        "bad",
        1,
        vec![watashi::store::NewExchange { bundle: "\u{0}".into(), ..suite::exchange(900) }],
    );
    let calls = [suite::message("g1", 1, vec![suite::exchange(901)]), bad];
    let later = suite::message("g2", 1, vec![suite::exchange(901)]);
    let calls = calls.into_iter().chain([later]).map(|message| store.accept(message));
    let answers = join_all(calls).await;
    assert!(matches!(answers[0], Ok(Accepted::New { .. })));
    assert_eq!(answers[1].as_ref().unwrap_err().code, &codes::STORE_REFUSED);
    assert!(matches!(answers[2], Ok(Accepted::New { .. })));
    let rows = store.record(0, 1_000).await.unwrap();
    assert_eq!((rows.len(), verify(rows).first_bad), (202, None), "nothing of the bad one is left");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_has_in_its_hands_no_other_claims() {
    setup();
    let server = server().await;
    let database = server.database().await;
    let (one, two) = (open(server, &database).await, open(server, &database).await);
    for number in 0..40 {
        suite::accept(&*one, &format!("m{number}"), number).await;
    }
    let claim =
        |limit| watashi::store::Claim { limit, ..suite::claim_of(&[State::Received], at(1)) };
    let (mine, others) = tokio::join!(one.claim(claim(15)), two.claim(claim(15)));
    let (mine, others) = (mine.unwrap(), others.unwrap());
    let ids: std::collections::BTreeSet<i64> =
        mine.iter().chain(&others).map(|one| one.id).collect();
    assert_eq!(ids.len(), mine.len() + others.len(), "none twice");
    let left = two.claim(claim(100)).await.unwrap();
    assert!(left.iter().all(|one| mine.iter().all(|other| other.id != one.id)));
    assert_eq!(left.len(), 40 - mine.len());
    assert!(suite::intend(&*one, mine[0].id, 0).await);
    assert!(!suite::intend(&*two, mine[0].id, 0).await, "the fence is old");
    one.close().await.unwrap();
    let all = two.claim(claim(100)).await.unwrap();
    assert_eq!(all.len(), 39, "what an instance had reserved is free when it ends");
    assert_eq!(suite::state_of(&*two, mine[0].id).await, State::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_lease_begins_nothing_and_its_sends_are_unknown() {
    setup();
    let server = server().await;
    let database = server.database().await;
    let lost = open_with(server, &database, brief("lost")).await;
    let sent = suite::accept(&*lost, "m1", 1).await;
    let next = suite::accept(&*lost, "m2", 1).await;
    let other = suite::accept(&*lost, "m3", 2).await;
    assert!(lost.lead("pull".to_owned()).await.unwrap());
    assert!(suite::intend(&*lost, sent, 0).await);
    assert!(lost.covers(Duration::from_millis(100)));
    assert!(!lost.covers(Duration::from_secs(2)), "such a request would outlast the lease");
    // Its beat stops, as if the process were paused; what it calls still reaches the store.
    lost.pause();
    let heir = open_with(server, &database, brief("heir")).await;
    assert!(!heir.lead("pull".to_owned()).await.unwrap());
    let unknown = until("swept", async || {
        let claimed = heir.claim(suite::claim_of(&[State::Unknown], at(1_000_000_000))).await;
        claimed.unwrap().pop()
    });
    let unknown = unknown.await;
    assert_eq!((unknown.id, unknown.maybe_applied, unknown.fence), (sent, true, 2));
    assert!(heir.lead("pull".to_owned()).await.unwrap(), "roles go over with the lease");
    assert!(!lost.lead("pull".to_owned()).await.unwrap());
    assert!(!lost.covers(Duration::ZERO));
    assert!(!suite::intend(&*lost, other, 0).await, "a zombie begins nothing");
    assert_eq!(suite::settle(&*lost, sent, 1, Next::Delivered).await, Settled::Stale);
    let none = lost.claim(suite::claim_of(&[State::Received], at(1))).await.unwrap();
    assert!(none.is_empty());
    assert_eq!(suite::state_of(&*heir, next).await, State::Held, "its lane waits");
    assert!(suite::intend(&*heir, sent, unknown.fence).await);
    let settled = suite::settle(&*heir, sent, unknown.fence + 1, Next::Delivered).await;
    assert_eq!(settled, Settled::Done { woke: true });
    let rows = heir.record(0, 100).await.unwrap();
    assert!(rows.iter().any(|row| row.entry.contains("exchanges: 1")), "the sweep is recorded");
    assert_eq!(verify(rows).first_bad, None);
}

/// A machine whose clock is years behind.
struct Behind;

impl watashi::model::Clock for Behind {
    fn now(&self) -> jiff::Timestamp {
        at(0)
    }

    fn monotonic(&self) -> Duration {
        watashi::model::clock::SystemClock.monotonic()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_instances_have_the_databases_clock_and_it_is_set_back_once() {
    setup();
    let server = server().await;
    let database = server.database().await;
    let wrong = Options { clock: Arc::new(Behind), ..Options::default() };
    let one = open_with(server, &database, wrong).await;
    let two = open(server, &database).await;
    let owner = server.owner(&database).await;
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    let asked: i64 = owner.query_one(sql, &[]).await.unwrap().get(0);
    let now = [one.clock().now(), two.clock().now()].map(jiff::Timestamp::as_millisecond);
    let answered: i64 = owner.query_one(sql, &[]).await.unwrap().get(0);
    for now in now {
        assert!((asked - 1_000..answered + 1_000).contains(&now), "{asked} {now} {answered}");
    }

    // Both see that the database's clock was set back by an hour.
    let exchange = suite::accept(&*one, "m1", 1).await;
    assert!(suite::intend(&*one, exchange, 0).await);
    let due = at(5_000);
    assert_eq!(
        suite::settle(&*one, exchange, 1, suite::unknown(Some(due))).await,
        Settled::Done { woke: false }
    );
    let hour = Duration::from_secs(3_600);
    assert_eq!(one.set_back(hour, at(-3_000)).await.unwrap(), 1);
    assert_eq!(two.set_back(hour, at(-2_990)).await.unwrap(), 0, "the other one has done it");
    let view = one.list(Filter::default()).await.unwrap().remove(0);
    assert_eq!(view.due, Some(format!("{:.3}", at(1_400))));
    // Set back once more, by another day's mistake.
    assert_eq!(two.set_back(hour, at(-1_000)).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_attempt_that_nobody_was_told_of_is_taken_back() {
    setup();
    let mut server = Server::start().await;
    let database = server.database().await;
    let store = open(&server, &database).await;
    // The server goes away while first attempts begin; some callers learn nothing of their commit.
    let posting: Vec<_> = (0..400)
        .map(|number| {
            let (store, id) = (Arc::clone(&store), format!("m{number}"));
            let first = Some(watashi::store::FirstAttempt {
                request_digest: "d1".to_owned(),
                at: at(0),
                record: None,
            });
            let exchange = watashi::store::NewExchange { first, ..suite::exchange(number) };
            let message = suite::message(&id, 1, vec![exchange]);
            tokio::spawn(async move { (id, store.accept(message).await) })
        })
        .collect();
    until("some are confirmed", async || (store.commits() > 0).then_some(())).await;
    server.crash();
    let mut begun = std::collections::HashSet::new();
    for answer in posting {
        if let (id, Ok(Accepted::New { states, .. })) = answer.await.unwrap() {
            assert_eq!(states, [State::Sending]);
            begun.insert(id);
        }
    }
    server.resume().await;
    until("it goes on", async || store.check_room().await.ok()).await;
    let mut after = 0;
    loop {
        let page = store.list(Filter { after, ..Filter::default() }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        for view in page {
            let told = begun.contains(&view.message_id);
            assert_eq!(view.state == "sending", told, "{} is {}", view.message_id, view.state);
        }
    }
    assert!(!begun.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_keeps_what_it_confirmed_and_the_store_goes_on_by_itself() {
    setup();
    let mut server = Server::start().await;
    let database = server.database().await;
    let store = open(&server, &database).await;
    let mut confirmed = Vec::new();
    for round in 0..2 {
        // Calls go on while the server is killed: each is confirmed, or its caller is told.
        let posting: Vec<_> = (0..400)
            .map(|number| {
                let (store, id) = (Arc::clone(&store), format!("m{round}-{number}"));
                let message = suite::message(&id, 1, vec![suite::exchange(number)]);
                let message = async move { (id, store.accept(message).await) };
                tokio::spawn(message)
            })
            .collect();
        until("some are confirmed", async || (store.commits() > 0).then_some(())).await;
        server.crash();
        let mut refused = 0;
        for answer in posting {
            match answer.await.unwrap() {
                (id, Ok(Accepted::New { .. })) => confirmed.push(id),
                (_, Ok(other)) => panic!("{other:?}"),
                (_, Err(error)) => {
                    refused += 1;
                    let known = [&codes::STORE_UNREACHABLE, &codes::OUTCOME_NOT_KNOWN];
                    assert!(known.contains(&error.code), "{error}");
                }
            }
        }
        let down = store.check_room().await;
        assert!(down.is_err(), "round {round}, {refused} refused");
        server.resume().await;
        until("it goes on", async || store.check_room().await.ok()).await;
    }
    let mut seen = std::collections::HashSet::new();
    let mut after = 0;
    loop {
        let page = store.list(Filter { after, ..Filter::default() }).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.id;
        seen.extend(page.into_iter().map(|view| view.message_id));
    }
    let missing = confirmed.iter().filter(|id| !seen.contains(*id)).count();
    assert_eq!(missing, 0, "of {} confirmed", confirmed.len());
    assert!(!confirmed.is_empty());
    let rows = store.record(0, 10_000).await.unwrap();
    assert_eq!(rows.len(), seen.len(), "an entry for each, and none without");
    assert_eq!(verify(rows).first_bad, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_while_the_server_is_down_and_serves_once_it_is_up() {
    setup();
    let mut server = Server::start().await;
    let database = server.database().await;
    server.crash();
    let store = open(&server, &database).await;
    let down = store.check_room().await.unwrap_err();
    assert_eq!(down.code, &codes::STORE_UNREACHABLE);
    assert!(!store.covers(Duration::ZERO));
    server.resume().await;
    until("it serves", async || store.check_room().await.ok()).await;
    suite::accept(&*store, "m1", 1).await;
}
