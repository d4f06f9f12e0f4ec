//! The part of the suite about lanes whose exchanges end without their turn.

use super::conformance::{
    accept, act, at, exchange, failure, intend, message, settle, state_of, unknown,
};
use super::{
    Accepted, ActVerb, Filter, NewExchange, NewOutgoing, Next, Overdue, Settled, Store, Supersede,
};
use crate::model::codes::message as codes;
use crate::model::{Class, Failure, Secret, Stage, State};
use crate::record::Kind;
use std::sync::Arc;

/// A full state of a lane.
pub fn full_state(lane: i64) -> NewExchange {
    let failure = Failure {
        code: &codes::SUPERSEDED,
        stage: Stage::Accept,
        class: Class::Never,
        detail: "by a newer one".to_owned(),
    };
    let announce = |envelope: &crate::model::Envelope, key: &str| NewOutgoing {
        routing_key: "superseded".to_owned(),
        message_id: format!("superseded-{}-{key}", envelope.message_id.as_str()),
        message_type: "superseded".to_owned(),
        correlation_id: None,
        content_type: "application/json".to_owned(),
        body: Secret::new(b"{}".to_vec()),
    };
    let supersedes = Supersede { failure, record: Some(Kind::Send), announce: Arc::new(announce) };
    NewExchange { supersedes: Some(supersedes), ..exchange(lane) }
}

async fn accept_state(store: &dyn Store, id: &str, exchange: NewExchange) -> i64 {
    match store.accept(message(id, 1, vec![exchange])).await.unwrap() {
        Accepted::New { exchanges, .. } => exchanges[0],
        other => panic!("{other:?}"),
    }
}

async fn states(store: &dyn Store, exchanges: &[i64]) -> Vec<State> {
    let mut found = Vec::new();
    for id in exchanges {
        found.push(state_of(store, *id).await);
    }
    found
}

/// Everything about lanes.
pub async fn run(fresh: &impl Fn() -> Arc<dyn Store>) {
    a_newer_state_ends_what_waits(&*fresh()).await;
    what_may_have_been_applied_is_never_ended(&*fresh()).await;
    other_routes_of_the_lane_go_on(&*fresh()).await;
    a_held_one_can_only_die(&*fresh()).await;
    overdue(&*fresh()).await;
}

async fn a_newer_state_ends_what_waits(store: &dyn Store) {
    let first = accept_state(store, "m1", full_state(1)).await;
    let elsewhere = accept_state(store, "m2", full_state(2)).await;
    let second = accept_state(store, "m3", full_state(1)).await;
    assert_eq!(
        states(store, &[first, elsewhere, second]).await,
        [State::Discarded, State::Received, State::Received]
    );
    assert!(!intend(store, first, 0).await, "what was read before is stale");
    let view = store.list(Filter { after: first - 1, limit: 1, ..Filter::default() }).await;
    let view = view.unwrap().remove(0);
    assert_eq!((view.code.as_deref(), view.due), (Some("G411"), None));
    let told = store.pending(10).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].message.message_id, "superseded-m1-key");
    let entries = store.record(0, 100).await.unwrap();
    let ended = entries.iter().filter(|row| row.entry.contains("\"outcome\":\"superseded\""));
    let ended: Vec<_> = ended.collect();
    assert_eq!(ended.len(), 1);
    assert!(ended[0].entry.contains("\"message_id\":\"m1\""), "{}", ended[0].entry);
    // What is under way stays; what waits behind it, or waits for its retry, does not.
    assert!(intend(store, second, 0).await);
    let third = accept_state(store, "m4", full_state(1)).await;
    let fourth = accept_state(store, "m5", full_state(1)).await;
    assert_eq!(
        states(store, &[second, third, fourth]).await,
        [State::Sending, State::Discarded, State::Held]
    );
    let retry = Next::Retry { due: at(60), failure: failure() };
    settle(store, second, 1, retry).await;
    let fifth = accept_state(store, "m6", full_state(1)).await;
    assert_eq!(
        states(store, &[second, fourth, fifth]).await,
        [State::Discarded, State::Discarded, State::Received]
    );
    let discarded = store.counts().await.unwrap();
    let discarded = discarded.iter().filter(|count| count.state == "discarded");
    assert_eq!(discarded.map(|count| count.count).sum::<u64>(), 4);
    assert_eq!(
        store.accept(message("m1", 1, vec![full_state(1)])).await.unwrap(),
        Accepted::Duplicate
    );
    assert_eq!(state_of(store, fifth).await, State::Received, "a repetition ends nothing");
}

async fn what_may_have_been_applied_is_never_ended(store: &dyn Store) {
    let first = accept_state(store, "m1", full_state(1)).await;
    assert!(intend(store, first, 0).await);
    settle(store, first, 1, unknown(None)).await;
    let second = accept_state(store, "m2", full_state(1)).await;
    let third = accept_state(store, "m3", full_state(1)).await;
    assert_eq!(
        states(store, &[first, second, third]).await,
        [State::Unknown, State::Discarded, State::Held]
    );
    // Sticky: still so after a resend that brought a certain failure.
    settle(store, first, 2, unknown(Some(at(10)))).await;
    assert!(intend(store, first, 3).await);
    settle(store, first, 4, Next::Retry { due: at(20), failure: failure() }).await;
    accept_state(store, "m4", full_state(1)).await;
    assert_eq!(state_of(store, first).await, State::WaitingRetry);
    let waiting = accept_state(store, "m5", full_state(2)).await;
    assert!(intend(store, waiting, 0).await);
    settle(store, waiting, 1, Next::WaitResult { due: at(9), ticket: "t".to_owned() }).await;
    accept_state(store, "m6", full_state(2)).await;
    assert_eq!(state_of(store, waiting).await, State::WaitingResult);
}

async fn other_routes_of_the_lane_go_on(store: &dyn Store) {
    let plain = accept(store, "m1", 1).await;
    let newer = accept_state(store, "m2", full_state(1)).await;
    assert_eq!(states(store, &[plain, newer]).await, [State::Received, State::Held]);
    let other = NewExchange { route: "other".into(), ..full_state(1) };
    let other = accept_state(store, "m3", other).await;
    let newest = accept_state(store, "m4", full_state(1)).await;
    assert_eq!(
        states(store, &[plain, newer, other, newest]).await,
        [State::Received, State::Discarded, State::Held, State::Held]
    );
    assert!(intend(store, plain, 0).await);
    assert_eq!(settle(store, plain, 1, Next::Delivered).await, Settled::Done { woke: true });
    assert_eq!(states(store, &[other, newest]).await, [State::Received, State::Held]);
    // The head ends: the next of another route is called forward, in its order.
    let mine = accept_state(store, "m5", full_state(5)).await;
    let others = NewExchange { route: "other".into(), ..exchange(5) };
    let others = accept_state(store, "m6", others).await;
    let again = accept_state(store, "m7", full_state(5)).await;
    assert_eq!(
        states(store, &[mine, others, again]).await,
        [State::Discarded, State::Received, State::Held]
    );
}

async fn a_held_one_can_only_die(store: &dyn Store) {
    let first = accept(store, "m1", 1).await;
    let second = accept(store, "m2", 1).await;
    let third = accept(store, "m3", 1).await;
    assert_eq!(settle(store, second, 0, Next::Delivered).await, Settled::Stale);
    assert_eq!(settle(store, second, 0, unknown(None)).await, Settled::Stale);
    let dead = || Next::Dead(failure());
    assert_eq!(settle(store, second, 0, dead()).await, Settled::Done { woke: false });
    assert_eq!(
        states(store, &[first, second, third]).await,
        [State::Received, State::Dead, State::Held]
    );
    assert_eq!(settle(store, first, 0, dead()).await, Settled::Done { woke: true });
    assert_eq!(state_of(store, third).await, State::Received);
    assert_eq!(act(store, second, ActVerb::Replay).await, Some(State::Held));
}

async fn overdue(store: &dyn Store) {
    let mut all = Vec::new();
    for number in 0..7 {
        let lane = if number == 6 { 0 } else { number };
        let mut new = message(&format!("m{number}"), 1, vec![exchange(lane)]);
        Arc::make_mut(&mut new.envelope).accepted_at = at(number * 10);
        let Accepted::New { exchanges, .. } = store.accept(new).await.unwrap() else { panic!() };
        all.push(exchanges[0]);
    }
    settle(store, all[1], 0, Next::Retry { due: at(900), failure: failure() }).await;
    assert!(intend(store, all[2], 0).await);
    assert!(intend(store, all[3], 0).await);
    settle(store, all[3], 1, unknown(None)).await;
    assert!(intend(store, all[4], 0).await);
    settle(store, all[4], 1, unknown(Some(at(900)))).await;
    let of = |routes: &[(&str, i64)], after, limit| Overdue {
        counterpart: exchange(0).counterpart.to_string(),
        routes: routes.iter().map(|(name, seconds)| ((*name).to_owned(), at(*seconds))).collect(),
        after,
        limit,
    };
    let look = |overdue| async {
        let (found, next) = store.overdue(overdue).await.unwrap();
        (found.iter().map(|one| one.id).collect::<Vec<_>>(), next)
    };
    let route = exchange(0).route;
    let route = &*route;
    let all_waiting = vec![all[0], all[1], all[4], all[5], all[6]];
    assert_eq!(look(of(&[(route, 99)], 0, 100)).await, (all_waiting, None));
    assert_eq!(look(of(&[(route, 10)], 0, 100)).await, (vec![all[0], all[1]], None));
    assert_eq!(look(of(&[(route, 99)], 0, 3)).await, (vec![all[0], all[1]], Some(all[2])));
    assert_eq!(look(of(&[("other", 99)], 0, 100)).await, (vec![], None));
    assert_eq!(look(of(&[], 0, 100)).await, (vec![], None));
    let (held, _) = store.overdue(of(&[(route, 99)], all[5], 100)).await.unwrap();
    assert_eq!((held[0].state, held[0].fence), (State::Held, 0));
}
