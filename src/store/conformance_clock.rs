//! What every home of the store must do when its clock was set back.

use super::conformance::{accept, at, claim_of, failure, intend, settle, state_of, unknown};
use super::{Filter, Next, Settled, Store};
use crate::model::State;
use std::time::Duration;

const HOUR: i64 = 3_600;

/// Due time and beginning of the state of an exchange, as they are shown.
async fn times(store: &dyn Store, exchange: i64) -> (Option<String>, String) {
    let filter = Filter { after: exchange - 1, limit: 1, ..Filter::default() };
    let view = store.list(filter).await.unwrap().remove(0);
    (view.due, view.since)
}

fn shown(seconds: i64) -> String {
    format!("{:.3}", at(seconds))
}

/// What is due later is due as much later as before; what has begun since keeps its time; and it is
/// done once, however many ask.
pub async fn set_back(store: &dyn Store) {
    let later = accept(store, "m1", 1).await;
    assert!(intend(store, later, 0).await);
    let retry = Next::Retry { due: at(HOUR + 60), failure: failure() };
    assert_eq!(settle(store, later, 1, retry).await, Settled::Done { woke: false });
    let lost = accept(store, "m2", 2).await;
    assert!(intend(store, lost, 0).await);
    let asked = unknown(Some(at(60)));
    assert_eq!(settle(store, lost, 1, asked).await, Settled::Done { woke: false });
    let person = accept(store, "m3", 3).await;
    assert!(intend(store, person, 0).await);
    assert_eq!(settle(store, person, 1, unknown(None)).await, Settled::Done { woke: false });
    let waiting = accept(store, "m4", 1).await;

    // The states began at 2, and the clock now says an hour before 10.
    let (now, hour) = (at(10 - HOUR), Duration::from_secs(3_600));
    store.set_back(hour, now).await.unwrap();
    assert_eq!(times(store, later).await, (Some(shown(60)), shown(2 - HOUR)));
    assert_eq!(times(store, lost).await, (Some(shown(60 - HOUR)), shown(2 - HOUR)));
    assert_eq!(times(store, person).await, (None, shown(2 - HOUR)), "it still has no due time");
    assert_eq!(state_of(store, waiting).await, State::Held);

    // What is due at the new time is claimed, and nothing else.
    let states = [State::WaitingRetry, State::Unknown];
    let due = store.claim(claim_of(&states, at(61 - HOUR))).await.unwrap();
    assert_eq!(due.iter().map(|one| one.id).collect::<Vec<_>>(), [lost]);
}
