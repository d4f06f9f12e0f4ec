//! What every home of the store must do with an answer that a person gives.

use super::conformance::{accept, at, bring, state_of};
use super::{Act, ActVerb, Brings, NewOutgoing, Store};
use crate::model::{Secret, State};
use crate::record::{Draft, Kind, Phase};

/// An answer ends what waits for a person, with all that it brings; it ends nothing else.
pub async fn brings_all_or_nothing(store: &dyn Store) {
    for (number, state) in [(1, State::Dead), (2, State::Unknown), (3, State::Sending)] {
        let id = bring(store, &format!("m{number}"), number, state).await;
        let next = accept(store, &format!("n{number}"), number).await;
        let allowed = state != State::Sending;
        let told = store.pending(10).await.unwrap().len();
        let entries = store.record(0, 10_000).await.unwrap().len();
        let message = NewOutgoing {
            routing_key: "answered".to_owned(),
            message_id: format!("re-{number}"),
            message_type: "answered".to_owned(),
            correlation_id: None,
            content_type: "application/json".to_owned(),
            body: Secret::new(b"given".to_vec()),
        };
        let act = Act {
            exchange: id,
            verb: ActVerb::Answer,
            operator: "yamada".to_owned(),
            reason: "窓口で確認".to_owned(),
            at: at(3),
            bundle: None,
            brings: Brings {
                outbox: vec![message],
                record: vec![Draft::new(Kind::Obtain, Phase::Outcome, at(3))],
            },
        };
        let became = store.act(act).await.unwrap();
        assert_eq!(became, allowed.then_some(State::Delivered), "{state}");
        let pending = store.pending(10).await.unwrap();
        assert_eq!(pending.len() - told, usize::from(allowed), "{state}");
        let given = pending.iter().filter(|one| one.message.body.expose() == b"given").count();
        assert_eq!(given, pending.len(), "sealed and opened again");
        let written = store.record(0, 10_000).await.unwrap().len() - entries;
        assert_eq!(written, 2 * usize::from(allowed), "{state}");
        // Only one that had not ended kept the next of its lane waiting.
        let waits = if allowed { State::Received } else { State::Held };
        assert_eq!(state_of(store, next).await, waits, "{state}");
    }
}
