//! What every home of the store must do when keys are rotated.

use super::conformance::{self as suite, at};
use super::rotation::{Rewrap, SealedRows, rotate};
use super::{Keys, NewOutgoing, Next, Settlement, Store, StoreError};
use crate::model::{Secret, State};

/// The keys of a test, of which the last one seals.
pub fn keys(fills: &[u8]) -> Keys {
    let name = |fill: &u8| format!("k{fill}");
    let masters = fills.iter().map(|fill| (name(fill), Secret::new(vec![*fill; 32]))).collect();
    Keys::from_masters(&fills.last().map(name).unwrap(), masters).unwrap()
}

fn answer(id: &str) -> NewOutgoing {
    NewOutgoing {
        routing_key: "r".to_owned(),
        message_id: id.to_owned(),
        message_type: "t".to_owned(),
        correlation_id: None,
        content_type: "application/json".to_owned(),
        body: Secret::new(b"answer".to_vec()),
    }
}

async fn fill(store: &dyn Store, from: i64, to: i64) {
    for number in from..to {
        let id = suite::accept(store, &format!("m{number}"), number).await;
        assert!(suite::intend(store, id, 0).await);
        let outbox = vec![answer(&format!("a{number}"))];
        let settlement = Settlement { outbox, ..suite::settlement(id, 1, Next::Delivered) };
        store.settle(vec![settlement].into()).await.unwrap();
    }
}

/// A store whose keys are `shared`, with `keys(&[1])` at first; `stores` opens it anew with those
/// that it is given.
pub async fn run(store: &dyn Store, shared: &Keys) {
    const OLD: i64 = 230;
    fill(store, 0, OLD).await;
    shared.renew(&keys(&[1, 2])).unwrap();
    fill(store, OLD, OLD + 5).await;
    let step = async |step: Rewrap| -> Result<_, StoreError> { store.rewrap(step).await };

    // One step, and then it is interrupted.
    let first = Rewrap { rows: SealedRows::Bodies, after: 0, count: false };
    let found = store.rewrap(first).await.unwrap();
    assert_eq!((found.current.as_str(), found.rewrapped, found.seen), ("k2", 200, 200));
    assert!(found.next.is_some(), "in steps");
    let counted = store.rewrap(Rewrap { count: true, ..first }).await.unwrap();
    assert_eq!((counted.rewrapped, counted.others.len()), (0, 0), "done is done");

    let mut told = 0;
    let done = rotate(step, |_, _| told += 1).await.unwrap();
    assert!(told >= 4);
    assert_eq!((done.seen, done.rewrapped), (470, 30 + 230), "what is done is passed over");
    assert!(done.is_whole(), "{done:?}");
    let again = rotate(step, |_, _| {}).await.unwrap();
    assert_eq!((again.seen, again.rewrapped), (470, 0));

    // Bodies and answers open as before, and no longer need the old key to be wrapped.
    let body = store.original(1).await.unwrap().unwrap();
    assert_eq!(body.expose(), &[1; 20]);
    let pending = store.pending(1_000).await.unwrap();
    assert_eq!(pending.len(), 235);
    assert!(pending.iter().all(|one| one.message.body.expose() == b"answer"));

    // What cannot be opened stays, is told, and harms only itself.
    shared.renew(&keys(&[1, 3])).unwrap();
    fill(store, OLD + 5, OLD + 6).await;
    let lost = rotate(step, |_, _| {}).await.unwrap();
    assert_eq!((lost.rewrapped, lost.others["k2"]), (0, 470));
    assert!(!lost.is_whole());
    shared.renew(&keys(&[1, 2, 3])).unwrap();
    let found = rotate(step, |_, _| {}).await.unwrap();
    assert_eq!(found.rewrapped, 470);
    assert!(found.is_whole());
    let next = suite::accept(store, "later", 1).await;
    assert_eq!(suite::state_of(store, next).await, State::Received);
    let note = found.draft("yamada", "yearly", at(9));
    assert_eq!(note.reference.as_deref(), Some("key k3; rewrapped: 470; left: 0"));
}
