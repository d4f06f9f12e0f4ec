//! What every home of the store must do with first attempts that come with their message.

use super::conformance::{at, exchange, intend, message, settle, state_of};
use super::{Accepted, FirstAttempt, NewExchange, Next, Settled, Store};
use crate::model::State;
use crate::record::{Draft, Kind, Phase};

fn first(lane: i64) -> NewExchange {
    let record = Some(Draft::new(Kind::Send, Phase::Intended, at(0)));
    let first = Some(FirstAttempt { request_digest: "d1".to_owned(), at: at(0), record });
    NewExchange { first, ..exchange(lane) }
}

async fn begin(store: &dyn Store, id: &str, exchanges: Vec<NewExchange>) -> Vec<(i64, State)> {
    let accepted = store.accept(message(id, 1, exchanges)).await.unwrap();
    let Accepted::New { exchanges, states, .. } = accepted else { panic!("{accepted:?}") };
    exchanges.into_iter().zip(states).collect()
}

/// A first attempt begins where its lane is free, and looks like one that was claimed and taken.
pub async fn first_attempts(store: &dyn Store) {
    let begun = begin(store, "m1", vec![first(1), first(1), exchange(2), first(3)]).await;
    let states: Vec<State> = begun.iter().map(|(_, state)| *state).collect();
    assert_eq!(states, [State::Sending, State::Held, State::Received, State::Sending]);
    let (one, held, _, other) = (begun[0].0, begun[1].0, begun[2].0, begun[3].0);
    for (id, state) in &begun {
        assert_eq!(state_of(store, *id).await, *state);
    }
    let entries = store.record(0, 100).await.unwrap();
    let intended = entries.iter().filter(|row| row.entry.contains("\"phase\":\"intended\""));
    assert_eq!(intended.clone().count(), 2, "of those that began, not of the held one");
    assert!(intended.clone().all(|row| row.entry.contains("\"commitment\"")));
    assert!(!intend(store, one, 0).await && !intend(store, one, 1).await, "it is taken");
    assert_eq!(settle(store, one, 0, Next::Delivered).await, Settled::Stale);
    assert_eq!(settle(store, one, 1, Next::Delivered).await, Settled::Done { woke: true });
    assert_eq!(state_of(store, held).await, State::Received);
    let attempts = store.attempts(one).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].number), (1, 1));
    assert!(attempts[0].finished_at.is_some());
    assert!(store.attempts(held).await.unwrap().is_empty(), "its attempt is still to be made");

    assert_eq!(begin(store, "m2", vec![first(3)]).await[0].1, State::Held, "its lane is busy");
    let unknown = super::conformance::unknown(Some(at(5)));
    assert_eq!(settle(store, other, 1, unknown).await, Settled::Done { woke: false });
    assert!(intend(store, other, 2).await, "the second attempt is claimed like any other");
    assert_eq!(store.attempts(other).await.unwrap().len(), 2);
}
