//! What every home of the store must do after a restore; part of the one suite.

use super::conformance::{self as suite, at};
use super::{
    Accepted, ActVerb, Fate, FirstAttempt, Ghost, NewEpoch, NewExchange, Next, Settled, Store,
    StoreError,
};
use crate::model::State;
use crate::record::{Draft, Head, Kind, Phase, verify};
use std::sync::Arc;

/// Runs everything; `fresh` gives an empty store each time.
pub async fn run(fresh: &impl Fn() -> Arc<dyn Store>) {
    what_had_not_ended_is_doubted(&*fresh()).await;
    a_dead_one_is_replayed_with_doubt(&*fresh()).await;
    the_window_doubts_all_that_comes(&*fresh()).await;
    ghosts_know_better(&*fresh()).await;
    the_lost_entries_come_back(&*fresh(), &*fresh()).await;
}

fn new_epoch() -> NewEpoch {
    NewEpoch {
        at: at(100),
        operator: "yamada".to_owned(),
        reason: "disk lost".to_owned(),
        entries: Vec::new(),
        checkpoints: Vec::new(),
        head: None,
        ghosts: Vec::new(),
    }
}

fn ghost(id: &str, fate: Fate) -> Ghost {
    let route = suite::exchange(1).route;
    Ghost { source: "health".to_owned(), message_id: id.to_owned(), route: route.to_string(), fate }
}

/// State, whether it is due, and the sticky flag.
async fn seen(store: &dyn Store, exchange: i64) -> (State, bool, bool) {
    let filter = super::Filter { after: exchange - 1, limit: 1, ..super::Filter::default() };
    let view = store.list(filter).await.unwrap().remove(0);
    (State::from_name(&view.state).unwrap(), view.due.is_some(), view.maybe_applied)
}

async fn what_had_not_ended_is_doubted(store: &dyn Store) {
    let received = suite::accept(store, "received", 1).await;
    let behind = suite::accept(store, "behind", 1).await;
    let sending = suite::accept(store, "sending", 2).await;
    let retrying = suite::accept(store, "retrying", 3).await;
    let polling = suite::accept(store, "polling", 4).await;
    let person = suite::accept(store, "person", 5).await;
    let ended = suite::accept(store, "ended", 6).await;
    for id in [sending, retrying, polling, person, ended] {
        assert!(suite::intend(store, id, 0).await);
    }
    let failure = suite::failure();
    let nexts = [
        (retrying, Next::Retry { due: at(9), failure }),
        (polling, Next::WaitResult { due: at(9), ticket: "t".to_owned() }),
        (person, suite::unknown(None)),
        (ended, Next::Delivered),
    ];
    for (id, next) in nexts {
        suite::settle(store, id, 1, next).await;
    }
    assert_eq!(store.epoch().await.unwrap().number, 1);

    let begun = store.begin_epoch(new_epoch()).await.unwrap();
    assert_eq!((begun.epoch, begun.unknown, begun.ended, begun.ghosts), (2, 6, 0, 0));
    let epoch = store.epoch().await.unwrap();
    assert_eq!((epoch.number, epoch.restored_at, epoch.window), (2, Some(at(100)), true));
    for id in [received, sending, retrying, polling] {
        assert_eq!(seen(store, id).await, (State::Unknown, true, true), "{id}");
    }
    assert_eq!(seen(store, person).await, (State::Unknown, false, true), "still for a person");
    assert_eq!(seen(store, behind).await, (State::Held, false, true));
    assert_eq!(seen(store, ended).await, (State::Delivered, false, false));
    let late = suite::settle(store, sending, 1, Next::Delivered).await;
    assert_eq!(late, Settled::Stale, "who had it before has nothing to say");

    let woke = suite::settle(store, received, 1, Next::Delivered).await;
    assert_eq!(woke, Settled::Done { woke: true });
    assert_eq!(seen(store, behind).await, (State::Unknown, true, true), "wakes with its doubt");
    assert_eq!(verify(store.record(0, 1_000).await.unwrap()).first_bad, None);
    let counts = store.counts().await.unwrap();
    assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), 7);
}

async fn a_dead_one_is_replayed_with_doubt(store: &dyn Store) {
    let before = suite::accept(store, "before", 1).await;
    assert!(suite::intend(store, before, 0).await);
    suite::settle(store, before, 1, Next::Dead(suite::failure())).await;
    store.begin_epoch(new_epoch()).await.unwrap();
    assert!(store.complete_restore("y".into(), "done".into(), at(200)).await.unwrap());
    assert_eq!(seen(store, before).await, (State::Dead, false, false));
    assert_eq!(suite::act(store, before, ActVerb::Replay).await, Some(State::Unknown));
    assert_eq!(seen(store, before).await, (State::Unknown, true, true));
    let sure = suite::act(store, before, ActVerb::ConfirmNotApplied).await;
    assert_eq!(sure, Some(State::WaitingRetry), "a person said so");
    assert!(!seen(store, before).await.2);
}

async fn the_window_doubts_all_that_comes(store: &dyn Store) {
    store.begin_epoch(new_epoch()).await.unwrap();
    let first = suite::accept(store, "first", 1).await;
    let second = suite::accept(store, "second", 1).await;
    assert_eq!(seen(store, first).await, (State::Unknown, true, true));
    assert_eq!(seen(store, second).await, (State::Held, false, true));
    // Not even where its first attempt comes with it.
    let attempt = FirstAttempt { request_digest: "d".to_owned(), at: at(101), record: None };
    let direct = NewExchange { first: Some(attempt), ..suite::exchange(3) };
    let accepted = store.accept(suite::message("direct", 1, vec![direct])).await.unwrap();
    let Accepted::New { exchanges, states, .. } = accepted else { panic!("{accepted:?}") };
    assert_eq!(states, [State::Unknown]);
    assert!(store.attempts(exchanges[0]).await.unwrap().is_empty(), "nothing was intended");
    let again = store.accept(suite::message("first", 1, vec![suite::exchange(1)])).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    assert!(store.complete_restore("y".into(), "done".into(), at(200)).await.unwrap());
    assert!(!store.complete_restore("y".into(), "done".into(), at(200)).await.unwrap());
    assert!(!store.epoch().await.unwrap().window);
    let third = suite::accept(store, "third", 2).await;
    assert_eq!(seen(store, third).await, (State::Received, true, false));
    suite::settle(store, first, 0, Next::Delivered).await;
    assert_eq!(seen(store, second).await, (State::Unknown, true, true), "its doubt stays");
    let entries = store.record(0, 100).await.unwrap();
    for word in ["\"restore\"", "\"restore-complete\""] {
        assert!(entries.iter().any(|row| row.entry.contains(word)), "{word}");
    }
}

async fn ghosts_know_better(store: &dyn Store) {
    let applied = suite::accept(store, "applied", 1).await;
    let behind = suite::accept(store, "behind", 1).await;
    let dead = suite::accept(store, "dead", 2).await;
    assert!(suite::intend(store, dead, 0).await);
    suite::settle(store, dead, 1, Next::Dead(suite::failure())).await;
    let ghosts = vec![
        ghost("applied", Fate::Applied),
        ghost("behind", Fate::Sent),
        ghost("dead", Fate::Applied),
        ghost("lost-applied", Fate::Applied),
        ghost("lost-sent", Fate::Sent),
        ghost("lost-discarded", Fate::Discarded),
    ];
    let begun = store.begin_epoch(NewEpoch { ghosts, ..new_epoch() }).await.unwrap();
    assert_eq!((begun.ended, begun.ghosts), (2, 3));
    assert_eq!(seen(store, applied).await.0, State::Delivered);
    assert_eq!(seen(store, dead).await.0, State::Delivered, "it had been replayed");
    assert_eq!(seen(store, behind).await, (State::Unknown, true, true));

    store.complete_restore("y".into(), "done".into(), at(200)).await.unwrap();
    let states = [
        ("lost-applied", State::Delivered),
        ("lost-sent", State::Unknown),
        ("lost-discarded", State::Discarded),
        ("never-seen", State::Received),
    ];
    for (lane, (id, state)) in (10..).zip(states) {
        let exchange = suite::accept(store, id, lane).await;
        assert_eq!(seen(store, exchange).await.0, state, "{id}");
    }
    let counts = store.counts().await.unwrap();
    let of = |state: State| -> u64 {
        let same = counts.iter().filter(|count| count.state == state.name());
        same.map(|count| count.count).sum()
    };
    assert_eq!((of(State::Delivered), of(State::Discarded), of(State::Dead)), (3, 1, 0));
}

/// The record of `old` has gone on after the backup, which `restored` stands for.
async fn the_lost_entries_come_back(old: &dyn Store, restored: &dyn Store) {
    let draft = |second| Draft::new(Kind::System, Phase::Noted, at(second));
    old.note((0..5).map(draft).collect()).await.unwrap();
    restored.note((0..2).map(draft).collect()).await.unwrap();
    let exported = old.record(0, 100).await.unwrap();

    let mut gap = exported[2..].to_vec();
    gap.remove(0);
    let refused: Result<_, StoreError> =
        restored.begin_epoch(NewEpoch { entries: gap, ..new_epoch() }).await;
    assert_eq!(refused.unwrap_err().code.code, "T403");
    assert_eq!(restored.epoch().await.unwrap().number, 1, "nothing was begun");

    let tree = old.tree().await.unwrap();
    let head = Some(Head { size: tree.size(), root: tree.root() });
    let entries = exported[2..].to_vec();
    let other = Some(Head { size: tree.size(), root: [0; 32] });
    for (rows, head) in [(4, head), (5, other)] {
        let entries = exported[2..rows].to_vec();
        let short = restored.begin_epoch(NewEpoch { entries, head, ..new_epoch() }).await;
        assert_eq!(short.unwrap_err().code.code, "T403", "{rows} entries");
    }
    let begun = restored.begin_epoch(NewEpoch { entries, head, ..new_epoch() }).await.unwrap();
    assert_eq!((begun.epoch, begun.entries), (2, 3));
    let rows = restored.record(0, 100).await.unwrap();
    assert_eq!(rows[..5], exported[..], "byte by byte");
    assert_eq!(rows.len(), 6);
    assert_eq!(verify(rows).first_bad, None);
}
