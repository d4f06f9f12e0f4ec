//! Replays as tasks, from the request to the last item.

use super::accept::{Arrival, Origin, accept};
use super::tasks::{self, Planned, Wanted};
use super::testing::{self, Harness, arrival};
use crate::adapter::bundle::Enabled;
use crate::model::Failure;
use crate::store::tasks::{Manner, Selection, TaskChange, TaskState, TaskVerb};
use serde_json::Value;
use std::sync::Arc;

const BODY: &str = r#"{"person": "p1", "amount": 3}"#;
const OK: &str = r#"{"result": "ok"}"#;
const BAD: &str = r#"{"code": "E1"}"#;

fn wanted(request: &str, states: &[&str]) -> Wanted {
    Wanted {
        request: request.to_owned(),
        selection: Selection {
            states: states.iter().map(|&state| state.to_owned()).collect(),
            ..Selection::default()
        },
        manner: Manner { rate: 100, ..Manner::default() },
        operator: "sato".to_owned(),
        reason: "mended".to_owned(),
    }
}

async fn create(harness: &Harness, wanted: Wanted) -> Result<Planned, Failure> {
    tasks::create(wanted, &harness.cx).await.unwrap()
}

async fn change(harness: &Harness, task: i64, verb: TaskVerb) -> Option<TaskState> {
    let (operator, reason) = ("sato".to_owned(), "checked".to_owned());
    let change = TaskChange { task, verb, operator, reason, at: harness.cx.clock.now() };
    harness.cx.store.change_task(change).await.unwrap()
}

/// Makes a task, starts it and carries out one round.
async fn carried_out(harness: &Harness, wanted: Wanted) -> i64 {
    let task = create(harness, wanted).await.unwrap().task.id;
    change(harness, task, TaskVerb::Start).await.unwrap();
    tasks::round(&harness.cx).await.unwrap();
    task
}

async fn counts(harness: &Harness, task: i64) -> (String, [u64; 4]) {
    let view = harness.cx.store.task(task).await.unwrap().unwrap();
    (view.state, [view.waiting, view.done, view.failed, view.skipped])
}

async fn three_dead() -> Harness {
    let harness = Harness::new();
    for number in 1..=3 {
        harness.target.then_json(400, BAD);
        harness.post("order.placed", &format!("m{number}"), BODY).await;
    }
    harness.settle().await;
    harness.target.always_json(200, OK);
    harness
}

#[tokio::test]
async fn dead_ones_go_again_at_their_rate_and_under_their_keys() {
    let harness = three_dead().await;
    let slow = Wanted { manner: Manner { rate: 2, ..Manner::default() }, ..wanted("r1", &[]) };
    let planned = create(&harness, slow.clone()).await.unwrap();
    assert_eq!((planned.task.waiting, planned.preview.sample.len()), (3, 3));
    assert!(planned.preview.refused.is_empty() && planned.preview.differences.is_empty());
    let again = create(&harness, slow).await.unwrap();
    assert!(again.known && again.task.id == planned.task.id, "a double click is one task");
    tasks::round(&harness.cx).await.unwrap();
    assert_eq!(counts(&harness, 1).await, ("draft".to_owned(), [3, 0, 0, 0]));
    change(&harness, 1, TaskVerb::Start).await.unwrap();
    tasks::round(&harness.cx).await.unwrap();
    assert_eq!(counts(&harness, 1).await, ("running".to_owned(), [1, 2, 0, 0]));
    assert_eq!(change(&harness, 1, TaskVerb::Pause).await, Some(TaskState::Paused));
    tasks::round(&harness.cx).await.unwrap();
    assert_eq!(counts(&harness, 1).await, ("paused".to_owned(), [1, 2, 0, 0]));
    change(&harness, 1, TaskVerb::Resume).await.unwrap();
    tasks::round(&harness.cx).await.unwrap();
    assert_eq!(counts(&harness, 1).await, ("finished".to_owned(), [0, 3, 0, 0]));
    harness.settle().await;
    assert!(harness.exchanges().await.iter().all(|one| one.state == "delivered"));
    let mut keys = harness.keys_sent();
    assert_eq!(keys.len(), 6);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3, "the same key by default");
    let rows = harness.cx.store.record(0, 1_000).await.unwrap();
    let told = |word: &str| rows.iter().filter(|row| row.entry.contains(word)).count();
    assert_eq!(told("\"replay\""), 3);
    assert_eq!(told("replay-task-draft") + told("replay-task-finished"), 2);
    assert_eq!(told("task 1: mended"), 3);
}

#[tokio::test]
async fn a_task_goes_on_after_a_restart() {
    let harness = three_dead().await;
    let slow = Wanted { manner: Manner { rate: 1, ..Manner::default() }, ..wanted("r1", &[]) };
    let task = carried_out(&harness, slow).await;
    let harness = harness.restart().await;
    harness.target.always_json(200, OK);
    assert_eq!(counts(&harness, task).await, ("running".to_owned(), [2, 1, 0, 0]));
    tasks::round(&harness.cx).await.unwrap();
    tasks::round(&harness.cx).await.unwrap();
    harness.settle().await;
    assert_eq!(counts(&harness, task).await, ("finished".to_owned(), [0, 3, 0, 0]));
    assert!(harness.exchanges().await.iter().all(|one| one.state == "delivered"));
    assert_eq!(harness.keys_sent().len(), 3);
}

#[tokio::test]
async fn delivered_ones_go_again_only_where_that_has_no_second_effect() {
    let harness = Harness::new();
    harness.target.always_json(200, OK);
    harness.post("order.placed", "again", BODY).await;
    harness.post("order.manual", "once", BODY).await;
    harness.settle().await;
    let planned = create(&harness, wanted("r1", &["delivered"])).await.unwrap();
    let refused: Vec<&String> = planned.preview.refused.keys().collect();
    assert_eq!(refused, ["G602"]);
    change(&harness, planned.task.id, TaskVerb::Start).await.unwrap();
    tasks::round(&harness.cx).await.unwrap();
    assert_eq!(counts(&harness, planned.task.id).await.1, [0, 1, 1, 0]);
    harness.settle().await;
    let all = harness.exchanges().await;
    assert_eq!(all.len(), 3);
    let (old, new) = (harness.exchange("again").await, all.last().unwrap());
    assert_eq!((new.replay_of, new.state.as_str()), (Some(old.id), "delivered"));
    let keys = harness.keys_sent();
    assert_eq!(keys.len(), 3);
    assert!(keys[..2].contains(&keys[2]), "the counterpart knows the key");

    // A second effect is another decision, and needs a second person.
    let effect = |second: &str| Wanted {
        manner: Manner { rate: 100, new_effect: Some(second.to_owned()), ..Manner::default() },
        selection: Selection {
            messages: vec!["once".to_owned()],
            ..wanted("", &["delivered"]).selection
        },
        ..wanted("r2", &[])
    };
    let alone = create(&harness, effect("sato")).await.unwrap_err();
    assert_eq!(alone.code.code, "G601");
    let task = carried_out(&harness, effect("yamada")).await;
    assert_eq!(counts(&harness, task).await.1, [0, 1, 0, 0]);
    harness.settle().await;
    let keys = harness.keys_sent();
    assert_eq!(keys.len(), 4);
    assert!(!keys[..3].contains(&keys[3]), "another key");
    let rows = harness.cx.store.record(0, 1_000).await.unwrap();
    assert!(rows.iter().any(|row| row.entry.contains("second person yamada")));
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let harness = three_dead().await;
    let code = async |wanted| create(&harness, wanted).await.unwrap_err().code.code;
    assert_eq!(code(wanted("r1", &["unknown"])).await, "G601", "never blindly");
    assert_eq!(code(wanted("r 1", &[])).await, "G601");
    assert_eq!(code(wanted("r1", &["delivered"])).await, "G601", "nothing matches");
    for rate in [0, 1_001] {
        let manner = Manner { rate, ..Manner::default() };
        assert_eq!(code(Wanted { manner, ..wanted("r1", &[]) }).await, "G601");
    }
    create(&harness, wanted("r1", &[])).await.unwrap();
    let manner = Manner { rate: 5, ..Manner::default() };
    assert_eq!(code(Wanted { manner, ..wanted("r1", &[]) }).await, "G601", "used for another");
}

#[tokio::test]
async fn a_preview_tells_what_other_definitions_change() {
    let harness = three_dead().await;
    let changes = [("by rule\"), amount)", "by rule\"), 103)")];
    harness.cx.definitions.swap(Arc::new(testing::bundle(&Enabled::All, &changes)));
    let planned = create(&harness, wanted("r1", &[])).await.unwrap();
    let [one] = planned.preview.differences.as_slice() else { panic!("{planned:?}") };
    assert_eq!((one.place.as_str(), one.kind.as_str(), one.exchanges), ("/sum", "changed", 3));
    assert!(!serde_json::to_string(&planned).unwrap().contains("103"), "no values");
    change(&harness, planned.task.id, TaskVerb::Start).await.unwrap();
    tasks::round(&harness.cx).await.unwrap();
    harness.settle().await;
    let sums: Vec<Value> = harness
        .target
        .requests()
        .iter()
        .map(|request| serde_json::from_slice::<Value>(&request.body).unwrap()["sum"].take())
        .collect();
    assert_eq!(sums, [3, 3, 3, 103, 103, 103].map(Value::from));
}

#[tokio::test]
async fn the_definitions_of_then_can_be_asked_for() {
    let harness = three_dead().await;
    let changes = [("by rule\"), amount)", "by rule\"), 103)")];
    harness.cx.definitions.swap(Arc::new(testing::bundle(&Enabled::All, &changes)));
    let manner = Manner { rate: 100, accepted: true, ..Manner::default() };
    carried_out(&harness, Wanted { manner, ..wanted("r1", &[]) }).await;
    harness.settle().await;
    for request in harness.target.requests() {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["sum"], 3);
    }
}

#[tokio::test]
async fn what_the_broker_could_not_deliver_is_replayed_from_the_same_list() {
    let harness = Harness::new();
    harness.target.always_json(200, OK);
    let origin = Origin::Undeliverable { reason: "delivery_limit".to_owned() };
    let dead = Arrival { origin, ..arrival("order.placed", "m1", BODY) };
    accept(&dead, &harness.cx).await.unwrap();
    let found = harness.exchange("m1").await;
    assert_eq!((found.state.as_str(), found.route.as_str()), ("dead", ""));
    let unrouted = Selection { route: Some(String::new()), ..Selection::default() };
    let task = carried_out(&harness, Wanted { selection: unrouted, ..wanted("r1", &[]) }).await;
    assert_eq!(counts(&harness, task).await, ("finished".to_owned(), [0, 1, 0, 0]));
    harness.settle().await;
    let found = harness.exchange("m1").await;
    assert_eq!((found.state.as_str(), found.route.as_str()), ("delivered", "placing"));
}
