//! What every home of the store must do with approvals and demands.

use super::approvals::{
    Answers, ApprovalFilter, ApprovalState, ApprovalView, Decided, Decision, DemandFilter,
    DemandView, End, NewApproval, NewDemand, Refusal, Verdict, Waiting,
};
use super::conformance::{
    accept, act, at, claim_of, exchange, failure, intend, message, settle, state_of,
};
use super::{Accepted, ActVerb, NewExchange, NewOutgoing, Next, Settled, Store};
use crate::model::codes::message as codes;
use crate::model::{Class, Failure, Secret, Stage, State};
use crate::record::verify;
use std::sync::Arc;
use std::time::Duration;

/// Who prepares what these tests ask for.
pub const PREPARER: &str = "clerk";

/// Runs everything; `fresh` gives an empty store each time.
pub async fn run(fresh: &impl Fn() -> Arc<dyn Store>) {
    what_is_asked_rests(&*fresh()).await;
    another_person_agrees(&*fresh()).await;
    what_is_refused_ends(&*fresh()).await;
    time_runs_out(&*fresh()).await;
    of_two_at_once_one_decides(&*fresh()).await;
    what_goes_again_is_asked_again(&*fresh()).await;
    a_demand_is_answered_once(&*fresh()).await;
    an_answer_that_came_to_nothing_leaves_room(&*fresh()).await;
    a_demand_can_be_closed(&*fresh()).await;
    what_could_not_be_sent_is_asked_when_replayed(&*fresh()).await;
}

fn told(id: &str) -> NewOutgoing {
    NewOutgoing {
        routing_key: "watashi.exchange.dead".to_owned(),
        message_id: id.to_owned(),
        message_type: "watashi.exchange.dead".to_owned(),
        correlation_id: None,
        content_type: "application/json".to_owned(),
        body: Secret::new(b"{}".to_vec()),
    }
}

fn refused(code: &'static crate::model::Code) -> Failure {
    Failure { code, stage: Stage::Accept, class: Class::Never, detail: String::new() }
}

fn approval(answers: Option<Answers>) -> Option<Box<NewApproval>> {
    let (preparer, within) = (PREPARER.to_owned(), Duration::from_secs(100));
    Some(Box::new(NewApproval { preparer, within, answers }))
}

/// An exchange that needs a second person.
pub fn asking(lane: i64) -> NewExchange {
    NewExchange { approval: approval(None), ..exchange(lane) }
}

fn answering(number: &str, id: &str) -> NewExchange {
    answering_under("25", number, id)
}

fn answering_under(item: &str, number: &str, id: &str) -> NewExchange {
    let refusal = |code, end: &str| Refusal {
        failure: refused(code),
        announce: told(&format!("{id}-{end}")),
    };
    let answers = Answers {
        kind: "provision".to_owned(),
        number: number.to_owned(),
        item: item.to_owned(),
        missing: refusal(&codes::DEMAND_MISSING, "missing"),
        answered: refusal(&codes::DEMAND_ANSWERED, "answered"),
    };
    NewExchange { approval: approval(Some(answers)), ..exchange(7) }
}

fn opening(number: &str) -> NewExchange {
    let demand = NewDemand {
        kind: "provision".to_owned(),
        number: number.to_owned(),
        item: "25".to_owned(),
        due: Some(at(3_600)),
    };
    NewExchange { opens: Some(Box::new(demand)), ..exchange(9) }
}

async fn put(store: &dyn Store, id: &str, exchange: NewExchange) -> i64 {
    match store.accept(message(id, 1, vec![exchange])).await.unwrap() {
        Accepted::New { exchanges, .. } => exchanges[0],
        other => panic!("{other:?}"),
    }
}

fn decision(exchange: i64, verdict: Verdict, operator: &str, seconds: i64) -> Decision {
    let (operator, reason) = (operator.to_owned(), "確認済み".to_owned());
    Decision { exchange, verdict, operator, reason, at: at(seconds) }
}

fn end(exchange: i64, seconds: i64) -> Box<End> {
    let announce = told(&format!("dead-{exchange}-{seconds}"));
    Box::new(End { failure: failure(), announce, record: vec![] })
}

fn yes() -> Verdict {
    Verdict::Approve("d1".to_owned())
}

/// One decision; the state it led to, if it took effect.
pub async fn decide(
    store: &dyn Store,
    exchange: i64,
    approves: bool,
    operator: &str,
) -> Option<State> {
    let verdict = if approves { yes() } else { Verdict::Reject(end(exchange, 3)) };
    match store.decide(decision(exchange, verdict, operator, 3)).await.unwrap() {
        Decided::Done(state) => Some(state),
        _ => None,
    }
}

async fn view(store: &dyn Store, exchange: i64) -> ApprovalView {
    let filter = ApprovalFilter { exchange: Some(exchange), ..ApprovalFilter::default() };
    store.approvals(filter).await.unwrap().pop().unwrap()
}

async fn waiting(store: &dyn Store) -> Vec<i64> {
    let filter = ApprovalFilter { waiting: true, ..ApprovalFilter::default() };
    store.approvals(filter).await.unwrap().iter().map(|view| view.exchange).collect()
}

async fn demands(store: &dyn Store) -> Vec<DemandView> {
    store.demands(DemandFilter::default()).await.unwrap()
}

async fn words(store: &dyn Store) -> Vec<String> {
    let rows = store.record(0, 1_000).await.unwrap();
    let word = |entry: &str| {
        let entry: serde_json::Value = serde_json::from_str(entry).unwrap();
        Some(entry.get("outcome")?.as_str()?.to_owned())
    };
    let words = rows.iter().filter_map(|row| word(&row.entry)).collect();
    assert_eq!(verify(rows).first_bad, None);
    words
}

async fn what_is_asked_rests(store: &dyn Store) {
    let one = put(store, "m1", asking(1)).await;
    assert_eq!(state_of(store, one).await, State::WaitingApproval);
    // Nobody takes it, settles it or acts on it.
    let all = store.claim(claim_of(&State::ALL, at(1_000_000))).await.unwrap();
    assert!(all.is_empty());
    assert!(!intend(store, one, 0).await);
    assert_eq!(settle(store, one, 0, Next::Dead(failure())).await, Settled::Stale);
    for verb in [ActVerb::Replay, ActVerb::Discard, ActVerb::ConfirmApplied] {
        assert_eq!(act(store, one, verb).await, None);
    }
    // The person's next message does not wait for it.
    let two = accept(store, "m2", 1).await;
    assert_eq!(state_of(store, two).await, State::Received);
    let backlog: Vec<u64> = store.backlog().await.unwrap().iter().map(|one| one.1).collect();
    assert_eq!(backlog, [1]);
    // Agreed to, it takes its place behind what is under way.
    assert_eq!(decide(store, one, true, "sato").await, Some(State::Held));
    settle(store, two, 0, Next::Delivered).await;
    assert_eq!(state_of(store, one).await, State::Received);
}

async fn another_person_agrees(store: &dyn Store) {
    let one = put(store, "m1", asking(1)).await;
    let shown = view(store, one).await;
    assert_eq!((shown.state.as_str(), shown.preparer.as_str()), ("asked", PREPARER));
    assert_eq!(waiting(store).await, [one]);
    let figures = store.waiting().await.unwrap();
    let expected =
        Waiting { approvals: 1, oldest: Some(at(0)), expires: Some(at(100)), ..Waiting::default() };
    assert_eq!(figures, expected);
    for same in [PREPARER, " CLERK", "Ｃｌｅｒｋ"] {
        let decided = store.decide(decision(one, yes(), same, 2)).await.unwrap();
        assert_eq!(decided, Decided::SamePerson, "{same}");
    }
    assert_eq!(state_of(store, one).await, State::WaitingApproval);
    let decided = store.decide(decision(one, yes(), "sato", 3)).await.unwrap();
    assert_eq!(decided, Decided::Done(State::Received));
    assert!(waiting(store).await.is_empty());
    let shown = view(store, one).await;
    assert_eq!((shown.state.as_str(), shown.digest.as_deref()), ("approved", Some("d1")));
    assert_eq!(shown.decided_by.as_deref(), Some("sato"));
    // Clicked twice, and by a third.
    let again = store.decide(decision(one, yes(), "sato", 4)).await.unwrap();
    assert_eq!(again, Decided::Repeated);
    let late = Verdict::Reject(end(one, 5));
    let late = store.decide(decision(one, late, "tanaka", 5)).await.unwrap();
    assert_eq!(late, Decided::Closed(ApprovalState::Approved));
    let missing = store.decide(decision(9_999, yes(), "sato", 4)).await.unwrap();
    assert_eq!(missing, Decided::Missing);
    assert_eq!(words(store).await, ["approval-asked", "approved"]);
    assert!(intend(store, one, 1).await);
}

async fn what_is_refused_ends(store: &dyn Store) {
    let one = put(store, "m1", asking(1)).await;
    let two = put(store, "m2", asking(1)).await;
    assert_eq!(decide(store, one, false, "sato").await, Some(State::Dead));
    // Who prepared it may take it back.
    assert_eq!(decide(store, two, false, PREPARER).await, Some(State::Dead));
    assert_eq!(state_of(store, one).await, State::Dead);
    assert_eq!(view(store, one).await.state, "rejected");
    let outgoing = store.pending(10).await.unwrap();
    assert_eq!(outgoing.len(), 2);
    let counted = store.counts().await.unwrap();
    assert_eq!((counted.len(), counted[0].count, counted[0].state.as_str()), (1, 2, "dead"));
    let next = accept(store, "m3", 1).await;
    assert_eq!(state_of(store, next).await, State::Received);
}

async fn time_runs_out(store: &dyn Store) {
    let one = put(store, "m1", asking(1)).await;
    let over = |seconds| ApprovalFilter { over: Some(at(seconds)), ..ApprovalFilter::default() };
    assert!(store.approvals(over(99)).await.unwrap().is_empty());
    assert_eq!(store.approvals(over(100)).await.unwrap().len(), 1);
    let early = decision(one, Verdict::Expire(end(one, 99)), "", 99);
    assert_eq!(store.decide(early).await.unwrap(), Decided::NotInTime);
    let late = store.decide(decision(one, yes(), "sato", 100)).await.unwrap();
    assert_eq!(late, Decided::NotInTime);
    let expiry = decision(one, Verdict::Expire(end(one, 100)), "", 100);
    assert_eq!(store.decide(expiry.clone()).await.unwrap(), Decided::Done(State::Dead));
    assert_ne!(store.decide(expiry).await.unwrap(), Decided::Done(State::Dead));
    assert_eq!(view(store, one).await.state, "expired");
    assert_eq!(words(store).await, ["approval-asked", "approval-expired"]);
}

async fn of_two_at_once_one_decides(store: &dyn Store) {
    for number in 0..8 {
        let one = put(store, &format!("m{number}"), asking(number)).await;
        let (yes, no) = (yes(), Verdict::Reject(end(one, 3)));
        let (agreed, refused) = futures_util::future::join(
            store.decide(decision(one, yes, "sato", 3)),
            store.decide(decision(one, no, "tanaka", 3)),
        )
        .await;
        let state = state_of(store, one).await;
        match (agreed.unwrap(), refused.unwrap()) {
            (Decided::Done(State::Received), Decided::Closed(ApprovalState::Approved)) => {
                assert_eq!(state, State::Received);
            }
            (Decided::Closed(ApprovalState::Rejected), Decided::Done(State::Dead)) => {
                assert_eq!(state, State::Dead);
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn what_goes_again_is_asked_again(store: &dyn Store) {
    let one = put(store, "m1", asking(1)).await;
    decide(store, one, true, "sato").await;
    assert!(intend(store, one, 1).await);
    settle(store, one, 2, Next::Dead(failure())).await;
    // The counterpart refused it: what was agreed to has had its chance.
    assert_eq!(act(store, one, ActVerb::Replay).await, Some(State::WaitingApproval));
    let shown = view(store, one).await;
    assert_eq!((shown.state.as_str(), shown.digest, shown.decided_by), ("asked", None, None));
    let same = store.decide(decision(one, yes(), PREPARER, 4)).await.unwrap();
    assert_eq!(same, Decided::SamePerson);
    assert_eq!(decide(store, one, true, "sato").await, Some(State::Received));
}

async fn a_demand_is_answered_once(store: &dyn Store) {
    // Before the demand is there.
    let early = put(store, "a0", answering("N1", "a0")).await;
    assert_eq!(state_of(store, early).await, State::Dead);
    let came = put(store, "d1", opening("N1")).await;
    // Told again under another id it is the same.
    put(store, "d2", opening("N1")).await;
    let all = demands(store).await;
    assert_eq!(all.len(), 1);
    let shown = (all[0].exchange, all[0].number.as_str(), all[0].item.as_str());
    assert_eq!(shown, (came, "N1", "25"));
    assert_eq!(all[0].state, "open");
    let figures = store.waiting().await.unwrap();
    assert_eq!((figures.demands, figures.due), (1, Some(at(3_600))));
    // Under another item of the law it would be recorded as what nobody asked for.
    let other = put(store, "a9", answering_under("26", "N1", "a9")).await;
    assert_eq!(state_of(store, other).await, State::Dead);
    assert_eq!(demands(store).await[0].state, "open");
    let first = put(store, "a1", answering("N1", "a1")).await;
    assert_eq!(state_of(store, first).await, State::WaitingApproval);
    assert_eq!(view(store, first).await.number.as_deref(), Some("N1"));
    assert_eq!(demands(store).await[0].state, "answering");
    let second = put(store, "a2", answering("N1", "a2")).await;
    assert_eq!(state_of(store, second).await, State::Dead);
    let told: Vec<String> =
        store.pending(10).await.unwrap().into_iter().map(|one| one.message.message_id).collect();
    assert_eq!(told, ["a0-missing", "a9-missing", "a2-answered"]);
    decide(store, first, true, "sato").await;
    intend(store, first, 1).await;
    settle(store, first, 2, Next::Delivered).await;
    assert_eq!(demands(store).await[0].state, "answered");
    assert_eq!(store.waiting().await.unwrap().demands, 0);
    let third = put(store, "a3", answering("N1", "a3")).await;
    assert_eq!(state_of(store, third).await, State::Dead);
}

async fn an_answer_that_came_to_nothing_leaves_room(store: &dyn Store) {
    put(store, "d1", opening("N1")).await;
    let first = put(store, "a1", answering("N1", "a1")).await;
    decide(store, first, false, "sato").await;
    assert_eq!(demands(store).await[0].state, "open");
    let second = put(store, "a2", answering("N1", "a2")).await;
    assert_eq!(state_of(store, second).await, State::WaitingApproval);
    // The first may not come back beside it.
    assert_eq!(act(store, first, ActVerb::Replay).await, None);
    decide(store, second, false, "sato").await;
    assert_eq!(act(store, first, ActVerb::Replay).await, Some(State::WaitingApproval));
    assert_eq!(demands(store).await[0].answer, Some(first));
    assert_eq!(act(store, second, ActVerb::Replay).await, None);
}

async fn a_demand_can_be_closed(store: &dyn Store) {
    put(store, "d1", opening("N1")).await;
    let id = demands(store).await[0].id;
    let close = || store.close_demand(id, "sato".to_owned(), "端末で回答".to_owned(), at(5));
    assert!(close().await.unwrap());
    assert!(!close().await.unwrap());
    assert_eq!(demands(store).await[0].state, "closed");
    let open = DemandFilter { open: true, ..DemandFilter::default() };
    assert!(store.demands(open).await.unwrap().is_empty());
    let answer = put(store, "a1", answering("N1", "a1")).await;
    assert_eq!(state_of(store, answer).await, State::Dead);
    assert_eq!(words(store).await, ["demand-closed"]);
}

async fn what_could_not_be_sent_is_asked_when_replayed(store: &dyn Store) {
    let dead = NewExchange { failure: Some(failure()), ..asking(1) };
    let one = put(store, "m1", dead).await;
    assert_eq!(state_of(store, one).await, State::Dead);
    assert!(waiting(store).await.is_empty());
    assert_eq!(act(store, one, ActVerb::Replay).await, Some(State::WaitingApproval));
    assert_eq!(waiting(store).await, [one]);
}
