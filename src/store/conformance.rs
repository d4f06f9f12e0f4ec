//! What every home of the store must do: one suite, run over each of them.

use super::{
    Accepted, Act, ActVerb, AttemptResult, Claim, Claimed, Filter, Intent, NewExchange, NewMessage,
    NewOutgoing, Next, Rerouted, Settled, Settlement, Store,
};
use crate::model::codes::store as codes;
use crate::model::{Class, Envelope, Failure, MessageId, Secret, Stage, State};
use crate::record::{Draft, Kind, Phase, verify};
use jiff::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;

/// Seconds after a fixed day.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + seconds).unwrap()
}

pub fn failure() -> Failure {
    let (stage, class) = (Stage::Deliver, Class::Never);
    Failure { code: &codes::STORE_REFUSED, stage, class, detail: "status 422".to_owned() }
}

pub fn exchange(lane: i64) -> NewExchange {
    NewExchange {
        route: "subject-to-pmh".into(),
        counterpart: "pmh".into(),
        operation: "register".into(),
        lane,
        idempotency_key: "key".into(),
        subject: Some("5ub7ec7".into()),
        failure: None,
        announce: None,
        supersedes: None,
        bundle: "b0".into(),
        first: None,
        approval: None,
        opens: None,
    }
}

/// A message whose fingerprint is its content.
pub fn message(id: &str, content: u8, exchanges: Vec<NewExchange>) -> NewMessage {
    NewMessage {
        if_reused: None,
        envelope: Arc::new(Envelope {
            source: "health".into(),
            message_id: MessageId::parse(id).unwrap(),
            message_type: "subject.registered".into(),
            content_type: "application/json".to_owned(),
            correlation_id: MessageId::parse("c-1"),
            reply_to: Some("answers".to_owned()),
            traceparent: None,
            operator: Some("clerk".into()),
            municipality: Some("131237".into()),
            accepted_at: at(0),
        }),
        fingerprint: [content; 32],
        body: Secret::new(vec![content; 20]),
        exchanges,
        record: vec![Draft {
            message_id: id.into(),
            ..Draft::new(Kind::Receive, Phase::Noted, at(0))
        }],
    }
}

/// Accepts a message with one exchange of a lane; gives the exchange.
pub async fn accept(store: &dyn Store, id: &str, lane: i64) -> i64 {
    match store.accept(message(id, 1, vec![exchange(lane)])).await.unwrap() {
        Accepted::New { exchanges, .. } => exchanges[0],
        other => panic!("{other:?}"),
    }
}

pub async fn intend(store: &dyn Store, exchange: i64, fence: i64) -> bool {
    let record = Some(Draft::new(Kind::Send, Phase::Intended, at(1)));
    let request_digest = "d1".to_owned();
    let intent = Intent { exchange, fence, request_digest, at: at(1), record };
    store.intend(vec![intent]).await.unwrap()[0]
}

pub fn settlement(exchange: i64, fence: i64, next: Next) -> Settlement {
    let outcome = "unknown";
    Settlement {
        exchange,
        fence,
        at: at(2),
        attempt: Some(AttemptResult { outcome, http_status: Some(200), response_digest: None }),
        next,
        clear_maybe_applied: false,
        record: vec![Draft::new(Kind::Send, Phase::Outcome, at(2))],
        outbox: vec![],
    }
}

pub async fn settle(store: &dyn Store, exchange: i64, fence: i64, next: Next) -> Settled {
    store.settle(vec![settlement(exchange, fence, next)].into()).await.unwrap()[0]
}

pub fn unknown(due: Option<Timestamp>) -> Next {
    Next::Unknown { due, failure: failure() }
}

pub async fn act(store: &dyn Store, exchange: i64, verb: ActVerb) -> Option<State> {
    let (operator, reason) = ("yamada".to_owned(), "照会済み".to_owned());
    store
        .act(Act {
            exchange,
            verb,
            operator,
            reason,
            at: at(3),
            bundle: None,
            brings: Default::default(),
        })
        .await
        .unwrap()
}

pub fn claim_of(states: &[State], now: Timestamp) -> Claim {
    Claim {
        counterpart: "pmh".to_owned(),
        operation: "register".to_owned(),
        states: states.to_vec(),
        now,
        limit: 100,
        exclude: HashSet::new(),
    }
}

async fn claim(store: &dyn Store, state: State) -> Vec<Claimed> {
    store.claim(claim_of(&[state], at(1_000_000))).await.unwrap()
}

fn ids(claimed: &[Claimed]) -> Vec<i64> {
    claimed.iter().map(|one| one.id).collect()
}

pub async fn state_of(store: &dyn Store, exchange: i64) -> State {
    let filter = Filter { after: exchange - 1, limit: 1, ..Filter::default() };
    State::from_name(&store.list(filter).await.unwrap()[0].state).unwrap()
}

/// Runs everything; `fresh` gives an empty store each time.
pub async fn run(fresh: impl Fn() -> Arc<dyn Store>) {
    accepting(&*fresh()).await;
    super::conformance_direct::first_attempts(&*fresh()).await;
    quarantine(&*fresh()).await;
    lanes(&*fresh()).await;
    claiming(&*fresh()).await;
    fences(&*fresh()).await;
    sticky(&*fresh()).await;
    waiting_for_a_result(&*fresh()).await;
    outbox(&*fresh()).await;
    acts(&*fresh()).await;
    replay_keeps_the_lane(&*fresh()).await;
    super::conformance_answers::brings_all_or_nothing(&*fresh()).await;
    rerouting(&*fresh()).await;
    views(&*fresh()).await;
    record(&*fresh()).await;
    super::conformance_approvals::run(&fresh).await;
    super::conformance_tasks::run(&fresh).await;
    super::conformance_lanes::run(&fresh).await;
    super::conformance_record::run(&fresh).await;
    super::conformance_epochs::run(&fresh).await;
    super::conformance_purge::run(&fresh).await;
    super::conformance_clock::set_back(&*fresh()).await;
}

async fn accepting(store: &dyn Store) {
    let dead = NewExchange { failure: Some(failure()), ..exchange(1) };
    let exchanges = vec![dead, exchange(1), exchange(1), exchange(2)];
    let accepted = store.accept(message("m1", 1, exchanges)).await.unwrap();
    let Accepted::New { exchanges, .. } = accepted else { panic!("{accepted:?}") };
    let mut states = Vec::new();
    for id in &exchanges {
        states.push(state_of(store, *id).await);
    }
    assert_eq!(states, [State::Dead, State::Received, State::Held, State::Received]);
    let again = store.accept(message("m1", 1, vec![exchange(1)])).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    let mut elsewhere = message("m1", 2, vec![exchange(9)]);
    Arc::make_mut(&mut elsewhere.envelope).source = "other".into();
    assert!(matches!(store.accept(elsewhere).await.unwrap(), Accepted::New { .. }));
    assert_eq!(store.list(Filter::default()).await.unwrap().len(), 5);
    assert_eq!(store.original(exchanges[0]).await.unwrap().unwrap().expose(), &vec![1; 20]);
    assert!(store.original(99).await.unwrap().is_none());
}

async fn quarantine(store: &dyn Store) {
    accept(store, "m1", 1).await;
    let reused = || message("m1", 2, vec![exchange(1)]);
    assert_eq!(store.accept(reused()).await.unwrap(), Accepted::Quarantined);
    assert_eq!(store.accept(reused()).await.unwrap(), Accepted::Duplicate);
    let list = store
        .list(Filter { message_id: Some("m1~020202020202".to_owned()), ..Filter::default() })
        .await
        .unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].state, "dead");
    assert_eq!(list[0].code.as_deref(), Some("T501"));
    assert_eq!(act(store, list[0].id, ActVerb::Replay).await, None, "nothing may ever send it");
    assert_eq!(act(store, list[0].id, ActVerb::Discard).await, Some(State::Discarded));
    assert_eq!(store.original(list[0].id).await.unwrap().unwrap().expose(), &vec![2; 20]);
}

async fn lanes(store: &dyn Store) {
    let first = accept(store, "m1", 1).await;
    let second = accept(store, "m2", 1).await;
    let third = accept(store, "m3", 1).await;
    let other = accept(store, "m4", 2).await;
    assert_eq!(ids(&claim(store, State::Received).await), [first, other]);
    assert!(!intend(store, second, 0).await, "held is not taken");
    assert!(intend(store, first, 0).await);
    let retry = Next::Retry { due: at(60), failure: failure() };
    assert_eq!(settle(store, first, 1, retry).await, Settled::Done { woke: false });
    assert_eq!(ids(&claim(store, State::Received).await), [other]);
    let head = claim(store, State::WaitingRetry).await.remove(0);
    assert!(intend(store, first, head.fence).await);
    let dead = Next::Dead(failure());
    assert_eq!(settle(store, first, head.fence + 1, dead).await, Settled::Done { woke: true });
    assert_eq!(state_of(store, second).await, State::Received);
    assert_eq!(state_of(store, third).await, State::Held);
    assert!(intend(store, second, 0).await);
    assert_eq!(settle(store, second, 1, Next::Delivered).await, Settled::Done { woke: true });
    assert_eq!(state_of(store, third).await, State::Received);
    assert!(intend(store, other, 0).await);
    assert_eq!(settle(store, other, 1, Next::Delivered).await, Settled::Done { woke: false });
}

async fn claiming(store: &dyn Store) {
    for number in 0..6 {
        let id = accept(store, &format!("m{number}"), number).await;
        let due = at(100 - number);
        let retry = Next::Retry { due, failure: failure() };
        settle(store, id, 0, retry).await;
    }
    let states = [State::Received, State::WaitingRetry];
    let fresh = accept(store, "fresh", 50).await;
    let all = store.claim(claim_of(&states, at(98))).await.unwrap();
    assert_eq!(ids(&all), [fresh, 6, 5, 4, 3], "earliest first, and only what is due");
    let some = Claim { limit: 2, exclude: HashSet::from([fresh, 5]), ..claim_of(&states, at(98)) };
    assert_eq!(ids(&store.claim(some).await.unwrap()), [6, 4]);
    let one = &all[0];
    assert_eq!((one.state, one.fence, one.attempts), (State::Received, 0, 0));
    assert_eq!(one.body.expose(), &vec![1; 20]);
    assert_eq!(one.envelope.message_id.as_str(), "fresh");
    assert_eq!(one.envelope.reply_to.as_deref(), Some("answers"));
    assert_eq!(one.envelope.accepted_at, at(0));
    assert_eq!((one.since, one.commitment.len()), (at(0), 64));
    let next =
        |states: &[State]| store.next_due("pmh".to_owned(), "register".to_owned(), states.to_vec());
    assert_eq!(next(&[State::WaitingRetry]).await.unwrap(), Some(at(95)));
    assert_eq!(next(&states).await.unwrap(), Some(at(0)));
    assert_eq!(next(&[State::Unknown]).await.unwrap(), None);
}

async fn fences(store: &dyn Store) {
    let id = accept(store, "m1", 1).await;
    assert!(intend(store, id, 0).await);
    assert!(!intend(store, id, 0).await, "the fence is old");
    assert!(!intend(store, id, 1).await, "it is being sent");
    assert_eq!(settle(store, id, 0, Next::Delivered).await, Settled::Stale);
    assert_eq!(settle(store, 99, 0, Next::Delivered).await, Settled::Stale);
    let wait = Next::WaitResult { due: at(5), ticket: "t1".to_owned() };
    assert_eq!(settle(store, id, 1, wait).await, Settled::Done { woke: false });
    assert_eq!(settle(store, id, 1, Next::Delivered).await, Settled::Stale, "said once already");
    assert_eq!(settle(store, id, 2, Next::Delivered).await, Settled::Done { woke: false });
    assert_eq!(settle(store, id, 3, Next::Dead(failure())).await, Settled::Stale, "it has ended");
    assert_eq!(state_of(store, id).await, State::Delivered);
}

async fn sticky(store: &dyn Store) {
    let id = accept(store, "m1", 1).await;
    let next = accept(store, "m2", 1).await;
    assert!(intend(store, id, 0).await);
    settle(store, id, 1, unknown(Some(at(10)))).await;
    let claimed = claim(store, State::Unknown).await.remove(0);
    assert!(claimed.maybe_applied);
    assert!(intend(store, id, 2).await, "resend");
    let dead = Next::Dead(failure());
    assert_eq!(settle(store, id, 3, dead).await, Settled::Done { woke: false });
    assert_eq!(state_of(store, id).await, State::Unknown, "a later refusal proves nothing");
    assert!(claim(store, State::Unknown).await.is_empty(), "it waits for a person");
    assert!(!intend(store, id, 4).await, "and nothing takes it by itself");
    assert_eq!(state_of(store, next).await, State::Held);
    let clear =
        Settlement { clear_maybe_applied: true, ..settlement(id, 4, Next::Dead(failure())) };
    assert_eq!(store.settle(vec![clear].into()).await.unwrap(), [Settled::Done { woke: true }]);
    assert_eq!(state_of(store, id).await, State::Dead);
    assert_eq!(state_of(store, next).await, State::Received);
}

async fn waiting_for_a_result(store: &dyn Store) {
    let id = accept(store, "m1", 1).await;
    assert!(intend(store, id, 0).await);
    let wait = |due| Next::WaitResult { due: at(due), ticket: "t-77".to_owned() };
    settle(store, id, 1, wait(5)).await;
    let claimed = claim(store, State::WaitingResult).await.remove(0);
    assert_eq!((claimed.ticket.as_deref(), claimed.since), (Some("t-77"), at(2)));
    let later = Settlement { at: at(9), attempt: None, ..settlement(id, 2, wait(12)) };
    store.settle(vec![later].into()).await.unwrap();
    let claimed = claim(store, State::WaitingResult).await.remove(0);
    assert_eq!(claimed.since, at(2), "it waits since the first time");
    let of = async |operation: &str, ticket: &str| {
        let (counterpart, operation) = ("pmh".to_owned(), operation.to_owned());
        let found = store.of_ticket(counterpart, operation, ticket.to_owned()).await.unwrap();
        (found.waiting.iter().map(|one| (one.id, one.fence)).collect::<Vec<_>>(), found.others)
    };
    // One of a batch: its number stands behind the same ticket.
    let item = accept(store, "m2", 2).await;
    assert!(intend(store, item, 0).await);
    let wait_for_item = Next::WaitResult { due: at(5), ticket: "t-77#2".to_owned() };
    settle(store, item, 1, wait_for_item).await;
    assert_eq!(of("register", "t-77").await, (vec![(id, 3), (item, 2)], 0));
    for ticket in ["t-7", "t-77x", "t-78", ""] {
        assert_eq!(of("register", ticket).await, (vec![], 0), "{ticket}");
    }
    assert_eq!(of("other", "t-77").await, (vec![], 0));
    settle(store, item, 2, Next::Delivered).await;
    settle(store, id, 3, Next::Delivered).await;
    assert_eq!(of("register", "t-77").await, (vec![], 2), "both are known to have ended");
    let attempts = store.attempts(id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].http_status, Some(200));
}

async fn outbox(store: &dyn Store) {
    let id = accept(store, "m1", 1).await;
    intend(store, id, 0).await;
    let outgoing = NewOutgoing {
        routing_key: "subject.registered.outcome".to_owned(),
        message_id: "m1-answer".to_owned(),
        message_type: "outcome".to_owned(),
        correlation_id: Some("m1".to_owned()),
        content_type: "application/json".to_owned(),
        body: Secret::new(b"answer".to_vec()),
    };
    let stale = Settlement { outbox: vec![outgoing.clone()], ..settlement(id, 0, Next::Delivered) };
    store.settle(vec![stale].into()).await.unwrap();
    assert!(store.pending(10).await.unwrap().is_empty(), "a stale outcome tells nobody");
    let good = Settlement { outbox: vec![outgoing], ..settlement(id, 1, Next::Delivered) };
    store.settle(vec![good].into()).await.unwrap();
    let pending = store.pending(10).await.unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].message.body.expose(), b"answer");
    store.published(vec![pending[0].id], at(4)).await.unwrap();
    assert!(store.pending(10).await.unwrap().is_empty());
    let again = store.accept(message("m1", 1, vec![])).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    let repeated = store.pending(10).await.unwrap();
    assert_eq!(repeated.len(), 1);
    assert_eq!(repeated[0].message.message_id, "m1-answer", "the same answer, the same id");
}

/// Brings a fresh exchange into a state.
pub async fn bring(store: &dyn Store, name: &str, lane: i64, state: State) -> i64 {
    if state == State::Held {
        accept(store, &format!("{name}-head"), lane).await;
    }
    let id = accept(store, name, lane).await;
    let next = match state {
        State::Received | State::Held => return id,
        State::Sending => {
            assert!(intend(store, id, 0).await);
            return id;
        }
        State::WaitingResult => Next::WaitResult { due: at(5), ticket: "t".to_owned() },
        State::WaitingRetry => Next::Retry { due: at(5), failure: failure() },
        State::Delivered => Next::Delivered,
        State::Unknown => unknown(None),
        _ => Next::Dead(failure()),
    };
    intend(store, id, 0).await;
    settle(store, id, 1, next).await;
    if state == State::Discarded {
        act(store, id, ActVerb::Discard).await;
    }
    assert_eq!(state_of(store, id).await, state);
    id
}

async fn acts(store: &dyn Store) {
    use ActVerb::{Answer, ConfirmApplied, ConfirmNotApplied, Discard, Replay};
    let states = [
        State::Received,
        State::Held,
        State::Sending,
        State::WaitingResult,
        State::WaitingRetry,
        State::Delivered,
        State::Dead,
        State::Unknown,
        State::Discarded,
    ];
    let mut lane = 0;
    for state in states {
        for verb in [Replay, Discard, ConfirmApplied, ConfirmNotApplied, Answer] {
            lane += 1;
            let id = bring(store, &format!("m{lane}"), lane, state).await;
            let expected = match (state, verb) {
                (State::Dead, Replay) => Some(State::Received),
                (State::Dead | State::Unknown, Discard) => Some(State::Discarded),
                (State::Unknown, ConfirmApplied) => Some(State::Delivered),
                (State::Dead | State::Unknown, Answer) => Some(State::Delivered),
                (State::Unknown, ConfirmNotApplied) => Some(State::WaitingRetry),
                _ => None,
            };
            let entries = store.record(0, 10_000).await.unwrap().len();
            assert_eq!(act(store, id, verb).await, expected, "{state} {verb:?}");
            assert_eq!(state_of(store, id).await, expected.unwrap_or(state));
            let written = store.record(0, 10_000).await.unwrap().len() - entries;
            assert_eq!(written, usize::from(expected.is_some()), "{state} {verb:?}");
        }
    }
    let rows = store.record(0, 10_000).await.unwrap();
    let entry = rows.iter().find(|row| row.entry.contains("confirm-not-applied")).unwrap();
    let entry: serde_json::Value = serde_json::from_str(&entry.entry).unwrap();
    assert_eq!(entry["operator"], "yamada");
    assert_eq!(entry["reason"], "照会済み");
    assert_eq!(entry["kind"], "操作");
}

async fn replay_keeps_the_lane(store: &dyn Store) {
    let first = bring(store, "m1", 1, State::Dead).await;
    let second = accept(store, "m2", 1).await;
    let third = accept(store, "m3", 1).await;
    assert_eq!(act(store, first, ActVerb::Replay).await, Some(State::Held));
    intend(store, second, 0).await;
    settle(store, second, 1, Next::Delivered).await;
    assert_eq!(state_of(store, first).await, State::Received, "the oldest of the lane");
    assert_eq!(state_of(store, third).await, State::Held);
    let claimed = claim(store, State::Received).await.remove(0);
    assert_eq!((claimed.id, claimed.attempts), (first, 1));
    assert!(intend(store, first, claimed.fence).await);
    settle(store, first, claimed.fence + 1, unknown(None)).await;
    assert_eq!(act(store, first, ActVerb::ConfirmApplied).await, Some(State::Delivered));
    assert_eq!(state_of(store, third).await, State::Received, "an act wakes the lane too");
}

async fn reroute(store: &dyn Store, exchange: i64, message: NewMessage) -> Rerouted {
    let (verb, operator) = (ActVerb::Replay, "yamada".to_owned());
    let act = Act {
        exchange,
        verb,
        operator,
        reason: "経路を有効化".to_owned(),
        at: at(9),
        bundle: None,
        brings: Default::default(),
    };
    store.reroute(act, NewMessage { record: vec![], ..message }).await.unwrap()
}

async fn rerouting(store: &dyn Store) {
    let head = accept(store, "head", 1).await;
    let unrouted = NewExchange {
        route: Arc::default(),
        counterpart: Arc::default(),
        operation: Arc::default(),
        failure: Some(failure()),
        ..exchange(0)
    };
    let kept = store.accept(message("m1", 1, vec![unrouted])).await.unwrap();
    let Accepted::New { exchanges, .. } = kept else { panic!("{kept:?}") };
    let dead = exchanges[0];
    let later = accept(store, "later", 1).await;
    assert!(store.kept(head).await.unwrap().is_none(), "it has a route");
    let kept = store.kept(dead).await.unwrap().unwrap();
    assert_eq!(kept.envelope.unwrap().message_id.as_str(), "m1");
    assert_eq!((kept.fingerprint, kept.body.unwrap().expose()), ([1; 32], &vec![1; 20]));

    let entries = store.record(0, 100).await.unwrap().len();
    let both = || vec![exchange(1), exchange(2)];
    assert_eq!(reroute(store, head, message("m1", 3, both())).await, Rerouted::NotAllowed);
    assert_eq!(reroute(store, dead, message("m1", 3, vec![])).await, Rerouted::NotAllowed);
    assert_eq!(reroute(store, dead, message("later", 3, both())).await, Rerouted::IdTaken);
    assert_eq!(state_of(store, dead).await, State::Dead);
    assert_eq!(store.record(0, 100).await.unwrap().len(), entries, "nothing was done");

    let done = reroute(store, dead, message("m1", 3, both())).await;
    assert_eq!(done, Rerouted::Done(State::Held), "behind what is under way");
    assert_eq!(reroute(store, dead, message("m1", 3, both())).await, Rerouted::NotAllowed);
    assert!(store.kept(dead).await.unwrap().is_none());
    assert_eq!(settle(store, dead, 0, Next::Delivered).await, Settled::Stale, "an old fence");
    let all = store.list(Filter::default()).await.unwrap();
    let of_message: Vec<_> = all.iter().filter(|view| view.message_id == "m1").collect();
    assert_eq!(of_message.len(), 2);
    assert_eq!((of_message[0].code.as_ref(), of_message[1].state.as_str()), (None, "received"));
    assert!(store.counts().await.unwrap().iter().all(|count| count.state != "dead"));
    let rows = store.record(0, 100).await.unwrap();
    assert_eq!((rows.len(), verify(rows.clone()).first_bad), (entries + 1, None));
    let entry: serde_json::Value = serde_json::from_str(&rows[entries].entry).unwrap();
    assert_eq!((&entry["outcome"], &entry["operator"]), (&"replay".into(), &"yamada".into()));
    assert_eq!((&entry["code"], &entry["counterpart"]), (&"T204".into(), &"pmh".into()));

    assert!(intend(store, head, 0).await);
    assert_eq!(settle(store, head, 1, Next::Delivered).await, Settled::Done { woke: true });
    assert_eq!(state_of(store, dead).await, State::Received, "the oldest of the lane");
    assert_eq!(state_of(store, later).await, State::Held);
    let claimed = claim(store, State::Received).await;
    let claimed = claimed.iter().find(|one| one.id == dead).unwrap();
    assert_eq!((claimed.fence, claimed.body.expose()), (1, &vec![3; 20]));
    let repeated = store.accept(message("m1", 3, both())).await.unwrap();
    assert_eq!(repeated, Accepted::Duplicate, "known by what it is now");

    let reused = store.accept(message("m1", 4, both())).await.unwrap();
    assert_eq!(reused, Accepted::Quarantined);
    let aside =
        store.list(Filter { states: vec![State::Dead], ..Filter::default() }).await.unwrap();
    assert!(store.kept(aside[0].id).await.unwrap().unwrap().envelope.is_none());
    let sent = reroute(store, aside[0].id, message("m9", 4, both())).await;
    assert_eq!(sent, Rerouted::NotAllowed, "nothing may ever send it");
}

async fn views(store: &dyn Store) {
    bring(store, "m1", 1, State::Delivered).await;
    let retried = bring(store, "m2", 2, State::WaitingRetry).await;
    intend(store, retried, 2).await;
    settle(store, retried, 3, unknown(Some(at(9)))).await;
    bring(store, "m3", 3, State::Dead).await;
    bring(store, "m4", 4, State::Held).await;
    let counts = |counts: Vec<super::Count>| -> Vec<(String, Option<String>, u64, u64, u64)> {
        let figures = |c: super::Count| (c.state, c.code, c.count, c.retried, c.unknown_resolved);
        counts.into_iter().map(figures).collect()
    };
    let row = |state: &str, code: Option<&str>, retried, resolved| {
        (state.to_owned(), code.map(str::to_owned), 1, retried, resolved)
    };
    let (dead, held) = (row("dead", Some("T204"), 0, 0), row("held", None, 0, 0));
    let (delivered, received) = (row("delivered", None, 0, 0), row("received", None, 0, 0));
    let waits = row("unknown", None, 1, 0);
    let expected = [dead.clone(), delivered, held.clone(), received.clone(), waits];
    assert_eq!(counts(store.counts().await.unwrap()), expected);
    assert_eq!(store.backlog().await.unwrap(), [("pmh".to_owned(), 3)]);
    act(store, retried, ActVerb::ConfirmApplied).await;
    let both = ("delivered".to_owned(), None, 2, 1, 1);
    assert_eq!(counts(store.counts().await.unwrap()), [dead, both, held, received]);
    let list = |states: &[State]| {
        let filter = Filter { states: states.to_vec(), ..Filter::default() };
        async move { store.list(filter).await.unwrap().len() }
    };
    assert_eq!(list(&[]).await, 5);
    assert_eq!(list(&[State::Dead]).await, 1);
    assert_eq!(list(&[State::Held, State::Received]).await, 2);
    let by = |filter: Filter| async move { store.list(filter).await.unwrap().len() };
    assert_eq!(by(Filter { code: Some("T204".to_owned()), ..Filter::default() }).await, 1);
    assert_eq!(by(Filter { route: Some("none".to_owned()), ..Filter::default() }).await, 0);
    assert_eq!(by(Filter { after: 2, limit: 2, ..Filter::default() }).await, 2);
    store.set_cursor("pull".to_owned(), "1".to_owned()).await.unwrap();
    store.set_cursor("pull".to_owned(), "2".to_owned()).await.unwrap();
    assert_eq!(store.cursor("pull".to_owned()).await.unwrap().as_deref(), Some("2"));
    assert_eq!(store.cursor("none".to_owned()).await.unwrap(), None);
}

async fn record(store: &dyn Store) {
    bring(store, "m1", 1, State::Delivered).await;
    store.note(vec![Draft::new(Kind::System, Phase::Noted, at(3)); 2]).await.unwrap();
    let rows = store.record(0, 100).await.unwrap();
    let kinds: Vec<String> = rows
        .iter()
        .map(|row| serde_json::from_str::<serde_json::Value>(&row.entry).unwrap())
        .map(|entry| entry["kind"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["受領", "送付", "送付", "系", "系"]);
    assert!(rows[0].entry.contains("\"commitment\":\""), "completed by the store");
    let verdict = verify(rows.clone());
    assert_eq!((verdict.entries, verdict.first_bad), (5, None));
    assert_eq!(store.record(2, 1).await.unwrap(), rows[2..3]);
    let tree = store.tree().await.unwrap();
    assert_eq!((tree.size(), tree.root()), (5, verdict.head.root));
}
