//! What every home of the store must do with kept definitions and with replays as tasks.

use super::conformance::{
    accept, at, claim_of, exchange, failure, intend, message, settle, state_of,
};
use super::tasks::{
    Created, How, ItemEnd, ItemReplay, Manner, NewTask, Selection, TaskChange, TaskState, TaskVerb,
    TaskView,
};
use super::{Accepted, ActVerb, KeptBundle, Next, Store};
use crate::model::State;
use std::sync::Arc;

/// Runs everything; `fresh` gives an empty store each time.
pub async fn run(fresh: &impl Fn() -> Arc<dyn Store>) {
    definitions_are_kept_while_they_are_needed(&*fresh()).await;
    a_request_makes_one_task(&*fresh()).await;
    a_selection_finds_what_it_says(&*fresh()).await;
    items_are_replayed_once(&*fresh()).await;
    only_running_tasks_replay(&*fresh()).await;
    a_delivered_exchange_is_sent_anew_beside_the_old_one(&*fresh()).await;
    lanes_hold_what_is_replayed(&*fresh()).await;
}

async fn dead(store: &dyn Store, id: &str, lane: i64) -> i64 {
    let exchange = accept(store, id, lane).await;
    settle(store, exchange, 0, Next::Dead(failure())).await;
    exchange
}

async fn delivered(store: &dyn Store, id: &str, lane: i64) -> i64 {
    let exchange = accept(store, id, lane).await;
    assert!(intend(store, exchange, 0).await);
    settle(store, exchange, 1, Next::Delivered).await;
    exchange
}

fn new_task(request: &str, exchanges: Vec<i64>, manner: Manner) -> NewTask {
    NewTask {
        request: request.to_owned(),
        selection: Selection::default(),
        manner,
        exchanges,
        operator: "yamada".to_owned(),
        reason: "様式を修正".to_owned(),
        at: at(10),
        bundle: "b1".to_owned(),
    }
}

async fn make(store: &dyn Store, request: &str, exchanges: Vec<i64>) -> TaskView {
    match store.create_task(new_task(request, exchanges, Manner::default())).await.unwrap() {
        Created::New(view) => view,
        other => panic!("{other:?}"),
    }
}

async fn change(store: &dyn Store, task: i64, verb: TaskVerb) -> Option<TaskState> {
    let (operator, reason) = ("sato".to_owned(), "確認済み".to_owned());
    store.change_task(TaskChange { task, verb, operator, reason, at: at(11) }).await.unwrap()
}

async fn replay(store: &dyn Store, task: i64, exchange: i64, how: How) -> ItemEnd {
    store.replay_item(ItemReplay { task, exchange, how, at: at(12) }).await.unwrap()
}

async fn view(store: &dyn Store, task: i64) -> TaskView {
    store.task(task).await.unwrap().unwrap()
}

async fn definitions_are_kept_while_they_are_needed(store: &dyn Store) {
    let bundle = |digest: &str| KeptBundle {
        digest: digest.to_owned(),
        files: vec![("adapters/a/adapter.yaml".to_owned(), format!("adapter: {digest}"))],
    };
    for (number, digest) in ["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"].iter().enumerate() {
        let needed = vec!["b0".to_owned()];
        let at = at(i64::try_from(number).unwrap());
        store.keep_bundle(bundle(digest), needed, at, vec![]).await.unwrap();
    }
    for digest in ["b0", "b3", "b4", "b5", "b6", "b7"] {
        let kept = store.kept_bundle(digest.to_owned()).await.unwrap();
        assert_eq!(kept, Some(bundle(digest)));
    }
    for digest in ["b1", "b2", "other"] {
        assert_eq!(store.kept_bundle(digest.to_owned()).await.unwrap(), None, "{digest}");
    }
    assert!(store.bundles_in_use().await.unwrap().is_empty());
    let waiting = accept(store, "m1", 1).await;
    dead(store, "m2", 2).await;
    assert_eq!(store.bundles_in_use().await.unwrap(), ["b0"]);
    assert_eq!(&*store.examine(waiting).await.unwrap().unwrap().bundle, "b0");
    assert!(store.examine(9_999).await.unwrap().is_none());
}

async fn a_request_makes_one_task(store: &dyn Store) {
    let exchange = dead(store, "m1", 1).await;
    let entries = store.record(0, 1_000).await.unwrap().len();
    let task = make(store, "r1", vec![exchange]).await;
    assert_eq!((task.state.as_str(), task.waiting), ("draft", 1));
    let again = store.create_task(new_task("r1", vec![exchange], Manner::default())).await.unwrap();
    assert!(matches!(again, Created::Known(known) if known.id == task.id));
    let forced = Manner { force: true, ..Manner::default() };
    let other = store.create_task(new_task("r1", vec![exchange], forced)).await.unwrap();
    assert!(matches!(other, Created::Reused));
    assert_eq!(store.tasks(10).await.unwrap().len(), 1);
    assert_eq!(store.record(0, 1_000).await.unwrap().len(), entries + 1);
    assert_eq!(state_of(store, exchange).await, State::Dead);
}

async fn a_selection_finds_what_it_says(store: &dyn Store) {
    let (d1, d2) = (dead(store, "m1", 1).await, dead(store, "m2", 2).await);
    let done = delivered(store, "m3", 3).await;
    accept(store, "m4", 4).await;
    let select = |selection| store.select(selection, 100);
    let none = Selection::default();
    assert_eq!(select(none.clone()).await.unwrap(), [d1, d2]);
    let states = |states: &[&str]| Selection {
        states: states.iter().map(|&state| state.to_owned()).collect(),
        ..Selection::default()
    };
    assert_eq!(select(states(&["delivered"])).await.unwrap(), [done]);
    assert_eq!(select(states(&["dead", "delivered"])).await.unwrap(), [d1, d2, done]);
    let of = |messages: &[&str]| messages.iter().map(|&id| id.to_owned()).collect();
    let named = Selection { messages: of(&["m2", "m3", "m9"]), ..none.clone() };
    assert_eq!(select(named).await.unwrap(), [d2]);
    let rows = Selection { exchanges: vec![d1, done, 9_999], ..none.clone() };
    assert_eq!(select(rows).await.unwrap(), [d1]);
    let code = |code: &str| Selection { code: Some(code.to_owned()), ..none.clone() };
    assert_eq!(select(code(failure().code.code)).await.unwrap(), [d1, d2]);
    assert!(select(code("G999")).await.unwrap().is_empty());
    let route = |route: &str| Selection { route: Some(route.to_owned()), ..none.clone() };
    assert_eq!(select(route(&exchange(1).route)).await.unwrap(), [d1, d2]);
    assert!(select(route("")).await.unwrap().is_empty());
    let from = Selection { from: Some(at(0)), to: Some(at(1)), ..none.clone() };
    assert_eq!(select(from).await.unwrap(), [d1, d2]);
    let late = Selection { from: Some(at(1)), ..none.clone() };
    assert!(select(late).await.unwrap().is_empty());
    let early = Selection { to: Some(at(0)), ..none };
    assert!(select(early).await.unwrap().is_empty());
    assert_eq!(store.select(Selection::default(), 1).await.unwrap(), [d1]);
}

async fn items_are_replayed_once(store: &dyn Store) {
    let (d1, d2) = (dead(store, "m1", 1).await, dead(store, "m2", 2).await);
    let task = make(store, "r1", vec![d1, d2]).await.id;
    change(store, task, TaskVerb::Start).await.unwrap();
    let next = store.next_items(1).await.unwrap();
    assert_eq!(next.iter().map(|item| item.exchange).collect::<Vec<_>>(), [d1]);
    assert_eq!(next[0].state, Some(State::Dead));
    let how = || How::Again(Some("b1".to_owned()));
    assert_eq!(replay(store, task, d1, how()).await, ItemEnd::Done);
    assert_eq!(replay(store, task, d1, how()).await, ItemEnd::Gone);
    assert_eq!(state_of(store, d1).await, State::Received);
    assert_eq!(&*store.examine(d1).await.unwrap().unwrap().bundle, "b1");
    let refused = How::Refused { code: "G999", detail: "why".to_owned() };
    assert_eq!(replay(store, task, d2, refused).await, ItemEnd::Failed);
    let seen = view(store, task).await;
    let counts = (seen.waiting, seen.done, seen.failed, seen.skipped);
    assert_eq!((seen.state.as_str(), counts), ("finished", (0, 1, 1, 0)));
    let items = store.task_items(task, None, 0, 10).await.unwrap();
    assert_eq!(items[1].code.as_deref(), Some("G999"));
    // Dead again: another task leaves it alone unless it is told otherwise.
    settle(store, d1, 2, Next::Dead(failure())).await;
    let second = make(store, "r2", vec![d1]).await.id;
    change(store, second, TaskVerb::Start).await.unwrap();
    assert_eq!(replay(store, second, d1, How::Again(None)).await, ItemEnd::Skipped);
    let forced = Manner { force: true, ..Manner::default() };
    let Created::New(third) = store.create_task(new_task("r3", vec![d1], forced)).await.unwrap()
    else {
        panic!("a task")
    };
    change(store, third.id, TaskVerb::Start).await.unwrap();
    assert_eq!(replay(store, third.id, d1, How::Again(None)).await, ItemEnd::Done);
    assert_eq!(state_of(store, d1).await, State::Received);
}

async fn only_running_tasks_replay(store: &dyn Store) {
    let (d1, d2) = (dead(store, "m1", 1).await, dead(store, "m2", 2).await);
    let task = make(store, "r1", vec![d1, d2]).await.id;
    let gone = || async { replay(store, task, d1, How::Again(None)).await };
    assert_eq!(gone().await, ItemEnd::Gone);
    assert_eq!(change(store, task, TaskVerb::Resume).await, None);
    assert_eq!(change(store, task, TaskVerb::Start).await, Some(TaskState::Running));
    assert_eq!(change(store, task, TaskVerb::Start).await, None);
    assert_eq!(change(store, task, TaskVerb::Pause).await, Some(TaskState::Paused));
    assert_eq!(gone().await, ItemEnd::Gone);
    assert!(store.next_items(10).await.unwrap().is_empty());
    assert_eq!(change(store, task, TaskVerb::Resume).await, Some(TaskState::Running));
    assert_eq!(gone().await, ItemEnd::Done);
    assert_eq!(change(store, task, TaskVerb::Cancel).await, Some(TaskState::Cancelled));
    assert_eq!(replay(store, task, d2, How::Again(None)).await, ItemEnd::Gone);
    assert_eq!(change(store, task, TaskVerb::Resume).await, None);
    assert_eq!(change(store, 9_999, TaskVerb::Start).await, None);
    assert_eq!(state_of(store, d2).await, State::Dead);
    let seen = view(store, task).await;
    assert_eq!((seen.state.as_str(), seen.waiting, seen.done), ("cancelled", 1, 1));
    let empty = make(store, "r2", vec![]).await.id;
    assert_eq!(change(store, empty, TaskVerb::Start).await, Some(TaskState::Finished));
    // An exchange that went its way by another hand is left alone.
    let third = make(store, "r3", vec![d2]).await.id;
    change(store, third, TaskVerb::Start).await;
    super::conformance::act(store, d2, ActVerb::Discard).await.unwrap();
    assert_eq!(replay(store, third, d2, How::Again(None)).await, ItemEnd::Skipped);
}

async fn a_delivered_exchange_is_sent_anew_beside_the_old_one(store: &dyn Store) {
    let old = delivered(store, "m1", 1).await;
    let task = make(store, "r1", vec![old]).await.id;
    change(store, task, TaskVerb::Start).await.unwrap();
    let how = How::Anew { idempotency_key: "key2".to_owned(), bundle: None };
    assert_eq!(replay(store, task, old, how).await, ItemEnd::Done);
    let made = store.task_items(task, Some("done"), 0, 10).await.unwrap()[0].made.unwrap();
    assert_eq!(state_of(store, old).await, State::Delivered);
    let claimed = store.claim(claim_of(&[State::Received], at(100))).await.unwrap();
    let [claimed] = claimed.as_slice() else { panic!("{claimed:?}") };
    assert_eq!((claimed.id, claimed.attempts), (made, 0));
    assert_eq!(&*claimed.idempotency_key, "key2");
    let shown = store.list(super::Filter { after: made - 1, ..Default::default() }).await.unwrap();
    assert_eq!(shown[0].replay_of, Some(old));
    assert!(intend(store, made, claimed.fence).await);
    settle(store, made, claimed.fence + 1, Next::Delivered).await;
    assert_eq!(state_of(store, made).await, State::Delivered);
    let dead = dead(store, "m2", 1).await;
    let task = make(store, "r2", vec![dead]).await.id;
    change(store, task, TaskVerb::Start).await.unwrap();
    let how = How::Anew { idempotency_key: "key".to_owned(), bundle: None };
    assert_eq!(replay(store, task, dead, how).await, ItemEnd::Skipped);
}

async fn lanes_hold_what_is_replayed(store: &dyn Store) {
    let (d1, d2) = (dead(store, "m1", 1).await, delivered(store, "m2", 1).await);
    let Accepted::New { exchanges, .. } =
        store.accept(message("m3", 3, vec![exchange(1)])).await.unwrap()
    else {
        panic!("new")
    };
    let task = make(store, "r1", vec![d1, d2]).await.id;
    change(store, task, TaskVerb::Start).await.unwrap();
    assert_eq!(replay(store, task, d1, How::Again(None)).await, ItemEnd::Done);
    let how = How::Anew { idempotency_key: "key".to_owned(), bundle: None };
    assert_eq!(replay(store, task, d2, how).await, ItemEnd::Done);
    let made = store.task_items(task, None, d1, 10).await.unwrap()[0].made.unwrap();
    assert_eq!(state_of(store, d1).await, State::Held);
    assert_eq!(state_of(store, made).await, State::Held);
    for (exchange, next) in [(exchanges[0], d1), (d1, made)] {
        let fence = store.examine(exchange).await.unwrap().unwrap().fence;
        settle(store, exchange, fence, Next::Delivered).await;
        assert_eq!(state_of(store, next).await, State::Received);
    }
}
