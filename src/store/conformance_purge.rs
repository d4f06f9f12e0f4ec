//! What every home of the store must do when it purges; part of the one suite.

use super::conformance::{self as suite, at};
use super::purge::{Purge, Purged, Purging};
use super::{Accepted, NewOutgoing, Next, Settlement, Store};
use crate::model::{Secret, State};
use std::sync::Arc;

/// Runs everything; `fresh` gives an empty store each time.
pub async fn run(fresh: &impl Fn() -> Arc<dyn Store>) {
    only_what_ended_long_ago_goes(&*fresh()).await;
    the_last_step_forgets_the_message(&*fresh()).await;
}

async fn purge(store: &dyn Store, what: Purging, before: i64) -> Purged {
    store.purge(Purge { what, before: at(before), after: 0, limit: 100 }).await.unwrap()
}

async fn ended(store: &dyn Store, id: &str, lane: i64, next: Next) -> i64 {
    let exchange = suite::accept(store, id, lane).await;
    assert!(suite::intend(store, exchange, 0).await);
    suite::settle(store, exchange, 1, next).await;
    exchange
}

async fn only_what_ended_long_ago_goes(store: &dyn Store) {
    let delivered = ended(store, "delivered", 1, Next::Delivered).await;
    let dead = ended(store, "dead", 2, Next::Dead(suite::failure())).await;
    let unknown = ended(store, "unknown", 3, suite::unknown(None)).await;
    let received = suite::accept(store, "received", 4).await;
    let held = suite::accept(store, "held", 4).await;
    assert_eq!(store.oldest_body().await.unwrap(), Some(at(0)));
    // Accepted at 0, ended at 2.
    assert_eq!(purge(store, Purging::Bodies, 0).await, Purged { rows: 0, next: None });
    assert_eq!(purge(store, Purging::Bodies, 2).await.rows, 0, "ended at that very moment");
    assert_eq!(purge(store, Purging::Bodies, 3).await.rows, 2);
    for id in [delivered, dead] {
        assert!(store.original(id).await.unwrap().is_none());
    }
    for id in [unknown, received, held] {
        assert!(store.original(id).await.unwrap().is_some(), "not ended");
    }
    assert_eq!(purge(store, Purging::Bodies, 3).await.rows, 0);
    let again = store.accept(suite::message("delivered", 1, vec![suite::exchange(1)])).await;
    assert_eq!(again.unwrap(), Accepted::Duplicate, "known without its body");
    let other = store.accept(suite::message("delivered", 2, vec![suite::exchange(1)])).await;
    assert_eq!(other.unwrap(), Accepted::Quarantined);
}

async fn the_last_step_forgets_the_message(store: &dyn Store) {
    let exchange = suite::accept(store, "answered", 1).await;
    assert!(suite::intend(store, exchange, 0).await);
    let answer = NewOutgoing {
        routing_key: "answers".to_owned(),
        message_id: "re-1".to_owned(),
        message_type: "answer".to_owned(),
        correlation_id: None,
        content_type: "application/json".to_owned(),
        body: Secret::new(b"{}".to_vec()),
    };
    let settlement =
        Settlement { outbox: vec![answer], ..suite::settlement(exchange, 1, Next::Delivered) };
    store.settle(vec![settlement].into()).await.unwrap();
    let far = 1_000;
    assert_eq!(purge(store, Purging::Messages, far).await.rows, 0, "its body is kept");
    assert_eq!(purge(store, Purging::Answers, far).await.rows, 0, "not taken yet");
    assert_eq!(purge(store, Purging::Bodies, far).await.rows, 1);
    assert_eq!(store.oldest_body().await.unwrap(), None);
    assert_eq!(purge(store, Purging::Messages, far).await.rows, 0, "its answer is kept");
    let pending = store.pending(10).await.unwrap();
    store.published(vec![pending[0].id], at(4)).await.unwrap();
    assert_eq!(purge(store, Purging::Answers, 4).await.rows, 0);
    assert_eq!(purge(store, Purging::Answers, far).await.rows, 1);
    assert_eq!(purge(store, Purging::Messages, far).await.rows, 1);
    assert!(store.list(super::Filter::default()).await.unwrap().is_empty());
    assert!(store.counts().await.unwrap().is_empty());
    assert!(store.scrub().await.unwrap());
    let new = suite::accept(store, "answered", 1).await;
    assert_eq!(suite::state_of(store, new).await, State::Received, "forgotten, so new");
}
