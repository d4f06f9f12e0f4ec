//! The PostgreSQL primary is lost and its standby takes its place: nothing that was confirmed is
//! lost where the standby was waited for, and where it was not, that is noticed.

use crate::crossing::demo;
use crate::database::Server;
use crate::postgres::{keys, until};
use crate::services::broker;
use crate::setup;
use crate::store::conformance as suite;
use crate::town::{self, Town};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use watashi::model::codes::store as codes;
use watashi::record::verify;
use watashi::store::postgres::Options;
use watashi::store::{Accepted, Filter, PostgresStore, Store};

/// What the requirements allow between the promotion and the next delivery.
const RECOVERY: Duration = Duration::from_secs(30);

/// Two servers, the second one a standby without which nothing is confirmed.
async fn pair() -> (Server, Server) {
    setup();
    let primary = Server::start().await;
    let standby = primary.standby().await;
    primary.demand_standby().await;
    (primary, standby)
}

async fn open(primary: &Server, standby: &Server, database: &str) -> Arc<PostgresStore> {
    let address = primary.address_at(primary.url_with(standby, database));
    PostgresStore::open(address, keys(1), Options::default()).await.unwrap()
}

async fn message_ids(store: &PostgresStore) -> HashSet<String> {
    let (mut seen, mut after) = (HashSet::new(), 0);
    loop {
        let page = store.list(Filter { after, ..Filter::default() }).await.unwrap();
        let Some(last) = page.last() else { return seen };
        after = last.id;
        seen.extend(page.into_iter().map(|view| view.message_id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_is_on_the_standby_that_takes_over() {
    let (mut primary, standby) = pair().await;
    let database = primary.database().await;
    let store = open(&primary, &standby, &database).await;
    let posting: Vec<_> = (0..400)
        .map(|number| {
            let (store, id) = (Arc::clone(&store), format!("m{number}"));
            let message = suite::message(&id, 1, vec![suite::exchange(number)]);
            tokio::spawn(async move { (id, store.accept(message).await) })
        })
        .collect();
    until("some are confirmed", async || (store.commits() > 0).then_some(())).await;
    primary.crash();
    standby.promote().await;
    let promoted = Instant::now();
    let mut confirmed = Vec::new();
    for answer in posting {
        match answer.await.unwrap() {
            (id, Ok(Accepted::New { .. })) => confirmed.push(id),
            (_, Ok(other)) => panic!("{other:?}"),
            (_, Err(error)) => {
                let known = [&codes::STORE_UNREACHABLE, &codes::OUTCOME_NOT_KNOWN];
                assert!(known.contains(&error.code), "{error}");
            }
        }
    }
    until("it goes on", async || store.check_room().await.ok()).await;
    assert!(promoted.elapsed() < RECOVERY, "{:?}", promoted.elapsed());
    let seen = message_ids(&store).await;
    let missing = confirmed.iter().filter(|id| !seen.contains(*id)).count();
    assert_eq!(missing, 0, "of {} confirmed", confirmed.len());
    assert!(!confirmed.is_empty());
    suite::accept(&*store, "later", 1).await;
    let rows = store.record(0, 10_000).await.unwrap();
    assert_eq!(rows.len(), seen.len() + 1, "an entry for each, and none without");
    assert_eq!(verify(rows).first_bad, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_lacks_what_was_confirmed_is_not_written_to() {
    setup();
    let mut primary = Server::start().await;
    let standby = primary.standby().await;
    let database = primary.database().await;
    let store = open(&primary, &standby, &database).await;
    suite::accept(&*store, "m1", 1).await;
    let arrived = "SELECT 1 FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_lsn()";
    primary.until(arrived).await;
    // Nobody waits for it, and from here on it hears nothing.
    standby.set("primary_conninfo", "").await;
    primary.until("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_stat_replication)").await;
    suite::accept(&*store, "m2", 2).await;
    primary.crash();
    standby.promote().await;
    let refused = until("it is noticed", async || {
        let error = store.check_room().await.err()?;
        (error.code == &codes::STORE_FORGOT).then_some(error)
    })
    .await;
    assert!(refused.detail.starts_with("group "), "{refused}");
    let message = suite::message("m3", 1, vec![suite::exchange(3)]);
    assert_eq!(store.accept(message).await.unwrap_err().code, &codes::STORE_FORGOT);
    assert_eq!(message_ids(&store).await, HashSet::from(["m1".to_owned()]), "it can be looked at");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_goes_on_at_the_standby_by_itself() {
    let (mut primary, standby) = pair().await;
    let town = Town::on_postgres(&primary, "60s").await;
    let database = town.read("secrets/store").rsplit('/').next().unwrap().to_owned();
    town.write("secrets/store", &primary.url_with(&standby, &database));
    let gateway = town.start().await;
    let notice = town.messages("notice.requested", Some("osr")).await.remove(0);
    let health = town.health();
    assert_eq!(health.post("notice.requested", "d1", &notice).await.status, 202);
    town.until_state("d1", "delivered").await;
    let checked = town.run(&["check"]).await;
    assert_eq!(checked.code, 0, "{checked:?}");

    primary.crash();
    town::until("the loss to be seen", || async {
        (gateway.ready().await["ready"] == false).then_some(())
    })
    .await;
    standby.promote().await;
    let promoted = Instant::now();
    let mut again = notice.clone();
    again["noticeId"] = "d2".into();
    town::until("taken", || async {
        let answer = health.try_post("notice.requested", "d2", &again).await?;
        (answer.status == 202).then_some(())
    })
    .await;
    town.until_state("d2", "delivered").await;
    assert!(promoted.elapsed() < RECOVERY, "{:?}", promoted.elapsed());
    // The new primary waits for nobody: a second failover would not be safe, and that is said.
    let checked = town.run(&["check"]).await;
    assert_eq!(checked.code, 1, "{checked:?}");
    assert!(checked.out.contains("T114"), "{}", checked.out);
    assert_eq!(gateway.stop().await, Some(0));
    assert_eq!(town.run(&["log", "verify"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn three_instances_cross_a_failover_with_nothing_lost_or_doubled() {
    let (mut primary, standby) = pair().await;
    let database = primary.database().await;
    let url = primary.url_with(&standby, &database);
    let amqp = broker().await.virtual_host("failover");
    let ca = std::env::temp_dir().join(format!("watashi-live-{}-failover.pem", std::process::id()));
    std::fs::write(&ca, primary.authority()).unwrap();
    let ca_path = ca.display().to_string();
    let (progress, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let run = tokio::task::spawn_blocking(move || {
        let words = ["--seed", "34", "--instances", "3", "--amqp", &amqp, "--postgres", &url];
        demo(&[&words[..], &["--postgres-ca", &ca_path]].concat(), |line| {
            let _nobody_waits = progress.send(line.to_owned());
        })
    });
    // The crossing is under way once effects are counted.
    while let Some(line) = lines.recv().await {
        if line.contains("effects") && !line.contains("effects 0") {
            break;
        }
    }
    primary.crash();
    standby.promote().await;
    run.await.unwrap();
    let _gone = std::fs::remove_file(ca);
}
