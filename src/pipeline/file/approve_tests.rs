//! A second person and demands, where records travel in files.

use super::testing::{WITH_RESULTS, World};
use crate::model::State;
use crate::pipeline::approve::{By, approve, reject};
use crate::store::approvals::DemandFilter;
use std::time::Duration;

const OUT: &str = "ordering-key: person, record: {kind: 送付}}";
const ASKED: (&str, &str) =
    (OUT, "ordering-key: person, record: {kind: 送付}, approval: {expires: 72h}}");
/// What comes is a demand; what goes out answers it.
const DEMANDS: [(&str, &str); 2] = [
    (
        "mapping: row-to-order, record: {kind: 受領}}",
        "mapping: row-to-order, record: {kind: 受領}, demand: {kind: want, number: who}}",
    ),
    (OUT, "ordering-key: person, approval: {expires: 72h, answers: {kind: want, number: person}}}"),
];

async fn agree(world: &World, exchange: i64, operator: &str) -> Result<State, &'static str> {
    let by = By { operator: operator.to_owned(), reason: "原本を確認".to_owned() };
    approve(exchange, by, &world.cx).await.unwrap().map_err(|failure| failure.code.code)
}

async fn refuse(world: &World, exchange: i64) {
    let by = By { operator: "sato".to_owned(), reason: "別人".to_owned() };
    reject(exchange, by, &world.cx).await.unwrap().unwrap();
}

/// The exchanges of posted orders, by their messages.
async fn orders(world: &World) -> Vec<(i64, String)> {
    let all = world.exchanges().await;
    all.into_iter().filter(|one| one.route == "out").map(|one| (one.id, one.state)).collect()
}

/// The states of all demands, by their numbers.
async fn demands(world: &World) -> Vec<(String, String)> {
    let all = world.cx.store.demands(DemandFilter::default()).await.unwrap();
    all.into_iter().map(|one| (one.number, one.state)).collect()
}

#[tokio::test]
async fn no_record_stands_in_a_file_before_a_second_person_agreed_to_it() {
    let world = World::new(&[ASKED]);
    world.post(1..=3).await;
    world.write(10).await;
    assert!(world.place.files().is_empty(), "nobody agreed");
    let all = orders(&world).await;
    assert!(all.iter().all(|(_, state)| state == "waiting-approval"), "{all:?}");
    assert_eq!(agree(&world, all[0].0, "clerk").await, Err("G426"), "its preparer");
    agree(&world, all[0].0, "sato").await.unwrap();
    refuse(&world, all[1].0).await;
    world.write(10).await;
    assert_eq!(world.persons(), [1]);
    agree(&world, all[2].0, "sato").await.unwrap();
    world.write(10).await;
    assert_eq!(world.persons(), [1, 3]);
    let states: Vec<String> = orders(&world).await.into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["delivered", "dead", "delivered"]);
}

#[tokio::test]
async fn only_the_record_that_was_agreed_to_is_written() {
    let mut world = World::new(&[ASKED]);
    world.post(1..=1).await;
    let (exchange, _) = orders(&world).await.remove(0);
    agree(&world, exchange, "sato").await.unwrap();
    // The definitions it was agreed to under are gone; those in force make another record.
    world.restart_changed(&[ASKED, ("sum: amount}", "sum: '7'}")]).await;
    world.write(10).await;
    assert!(world.place.files().is_empty());
    let ended = world.exchanges().await.remove(0);
    assert_eq!((ended.state.as_str(), ended.code.as_deref()), ("dead", Some("G423")));
}

#[tokio::test]
async fn a_demand_that_came_in_a_file_is_answered_by_a_file() {
    let mut changes = DEMANDS.to_vec();
    changes.extend(WITH_RESULTS);
    changes.push(("whole: {manifest: \"ROWS_{set:4}.manifest\"}", "whole: {still: 1s}"));
    let world = World::new(&changes);
    world.place.put("in/ROWS_20261201_0001_01.csv", "who,sum\r\np1,1\r\np2,2\r\n");
    let mut clerk = world.clerk("take");
    clerk.pass().await;
    world.clock.pass(Duration::from_secs(2));
    clerk.pass().await;
    let open = |number: &str, state: &str| (number.to_owned(), state.to_owned());
    assert_eq!(demands(&world).await, [open("p1", "open"), open("p2", "open")]);
    // Nobody asked for this one.
    world.post(3..=3).await;
    assert_eq!(orders(&world).await[0].1, "dead");
    world.post(1..=2).await;
    for (exchange, state) in orders(&world).await {
        if state == "waiting-approval" {
            agree(&world, exchange, "sato").await.unwrap();
        }
    }
    world.write(10).await;
    assert_eq!(world.persons(), [1, 2]);
    assert_eq!(demands(&world).await, [open("p1", "answering"), open("p2", "answering")]);
    world.place.put("results/RESULT_0001.csv", "record,state\r\n1,ok\r\n2,bad\r\n");
    world.place.put("results/RESULT_0001.end", "");
    world.clerk("hear").pass().await;
    assert_eq!(demands(&world).await, [open("p1", "answered"), open("p2", "open")]);
}
