//! A model of the life of exchanges, simple enough to be seen right, and random runs of the store
//! against it.

use super::conformance::{self as suite, at};
use super::conformance_lanes;
use super::{ActVerb, Filter, Next, Settled, Settlement, Store, conformance_approvals as asked};
use crate::model::State;
use crate::record::verify;
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use std::sync::Arc;

/// Where a store is.
pub trait Home {
    /// Opens it.
    fn open(&self) -> BoxFuture<'_, Arc<dyn Store>>;
    /// Ends it as its process would and opens it again: what was `sending` was interrupted.
    fn restart(&self, store: Arc<dyn Store>) -> BoxFuture<'_, Arc<dyn Store>>;
}

/// One step of a run.
#[derive(Clone, Debug)]
pub enum Step {
    Accept {
        lane: i64,
        supersedes: bool,
    },
    /// One that needs a second person.
    Ask {
        lane: i64,
    },
    /// A decision by the preparer or by another.
    Decide {
        which: usize,
        approves: bool,
        same: bool,
    },
    Intend {
        which: usize,
        stale: bool,
    },
    Settle {
        which: usize,
        next: usize,
        clear: bool,
        stale: bool,
    },
    Act {
        which: usize,
        verb: ActVerb,
    },
    Restart,
}

/// Any step.
pub fn step() -> impl Strategy<Value = Step> {
    let which = 0..6usize;
    let verbs = [
        ActVerb::Replay,
        ActVerb::Discard,
        ActVerb::ConfirmApplied,
        ActVerb::ConfirmNotApplied,
        ActVerb::Answer,
    ];
    prop_oneof![
        4 => (0..2i64, prop::bool::weighted(0.3))
            .prop_map(|(lane, supersedes)| Step::Accept { lane, supersedes }),
        8 => (which.clone(), prop::bool::weighted(0.1))
            .prop_map(|(which, stale)| Step::Intend { which, stale }),
        8 => (which.clone(), 0..6usize, prop::bool::weighted(0.2), prop::bool::weighted(0.1))
            .prop_map(|(which, next, clear, stale)| Step::Settle { which, next, clear, stale }),
        2 => (0..2i64).prop_map(|lane| Step::Ask { lane }),
        4 => (which.clone(), any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(which, approves, same)| Step::Decide { which, approves, same }),
        4 => (which, prop::sample::select(verbs.to_vec()))
            .prop_map(|(which, verb)| Step::Act { which, verb }),
        1 => Just(Step::Restart),
    ]
}

#[derive(Clone, Debug)]
struct Exchange {
    lane: i64,
    state: State,
    due: bool,
    fence: i64,
    maybe: bool,
    supersedes: bool,
    asks: bool,
}

impl Exchange {
    /// Whether it is in its lane: it has not ended, and waits for no second person.
    fn is_in_lane(&self) -> bool {
        !self.state.is_final() && self.state != State::WaitingApproval
    }
}

#[derive(Default)]
struct Model {
    exchanges: Vec<Exchange>,
}

impl Model {
    fn open(&self, lane: i64) -> bool {
        self.exchanges.iter().any(|one| one.lane == lane && one.is_in_lane())
    }

    /// Moves one; when it ends, the oldest held one of its lane wakes.
    fn go(&mut self, which: usize, state: State, due: bool) -> bool {
        let one = &mut self.exchanges[which];
        let ended = !one.state.is_final() && state.is_final();
        (one.state, one.due, one.fence) = (state, due, one.fence + 1);
        let lane = one.lane;
        // One that was behind the head has ended without its turn: nothing is free.
        let goes = |one: &Exchange| one.is_in_lane() && one.state != State::Held;
        if self.exchanges.iter().any(|one| one.lane == lane && goes(one)) {
            return false;
        }
        let waiting = self.exchanges.iter_mut().find(|one| one.lane == lane && one.is_in_lane());
        match waiting {
            Some(next) if ended && next.state == State::Held => {
                (next.state, next.due) = (State::Received, true);
                true
            }
            _ => false,
        }
    }

    /// A newer state ends older ones that nobody has begun to send, or that were not taken.
    fn supersede(&mut self, lane: i64) {
        for which in (0..self.exchanges.len()).rev() {
            let one = &self.exchanges[which];
            let waits = [State::Held, State::Received, State::WaitingRetry].contains(&one.state);
            if one.lane == lane && one.supersedes && waits && !one.maybe {
                self.go(which, State::Discarded, false);
            }
        }
    }

    fn intend(&mut self, which: usize) -> bool {
        let one = &self.exchanges[which];
        let takes = [State::Received, State::WaitingRetry, State::Unknown].contains(&one.state);
        if takes && one.due {
            self.go(which, State::Sending, false);
            return true;
        }
        false
    }

    fn settle(&mut self, which: usize, next: usize, clear: bool) -> Settled {
        let one = &mut self.exchanges[which];
        let may_end = next == 1 && !one.maybe;
        let asked = one.state == State::WaitingApproval;
        if asked || one.state.is_final() || (one.state == State::Held && !may_end) {
            return Settled::Stale;
        }
        one.maybe &= !clear;
        let (state, due) = match next {
            0 => (State::Delivered, false),
            1 if one.maybe => (State::Unknown, false),
            1 => (State::Dead, false),
            2 => (State::WaitingRetry, true),
            3 => (State::WaitingResult, true),
            _ => (State::Unknown, next == 4),
        };
        one.maybe |= state == State::Unknown;
        Settled::Done { woke: self.go(which, state, due) }
    }

    fn act(&mut self, which: usize, verb: ActVerb) -> Option<State> {
        let (state, lane) = (self.exchanges[which].state, self.exchanges[which].lane);
        let to = match (verb, state) {
            (ActVerb::Replay, State::Dead) if self.exchanges[which].asks => State::WaitingApproval,
            (ActVerb::Replay, State::Dead) if self.open(lane) => State::Held,
            (ActVerb::Replay, State::Dead) => State::Received,
            (ActVerb::Discard, State::Dead | State::Unknown) => State::Discarded,
            (ActVerb::ConfirmApplied, State::Unknown) => State::Delivered,
            (ActVerb::Answer, State::Dead | State::Unknown) => State::Delivered,
            (ActVerb::ConfirmNotApplied, State::Unknown) => State::WaitingRetry,
            _ => return None,
        };
        self.exchanges[which].maybe &= verb != ActVerb::ConfirmNotApplied;
        self.go(which, to, matches!(to, State::Received | State::WaitingRetry));
        Some(to)
    }

    fn decide(&mut self, which: usize, approves: bool, same: bool) -> Option<State> {
        let one = &self.exchanges[which];
        if one.state != State::WaitingApproval || (approves && same) {
            return None;
        }
        let to = match approves {
            true if self.open(one.lane) => State::Held,
            true => State::Received,
            false => State::Dead,
        };
        self.go(which, to, to == State::Received);
        Some(to)
    }

    fn restart(&mut self) {
        for one in &mut self.exchanges {
            if one.state == State::Sending {
                *one = Exchange {
                    state: State::Unknown,
                    due: true,
                    maybe: true,
                    fence: one.fence + 1,
                    ..*one
                };
            }
        }
    }

    /// What must hold whatever happened.
    fn check(&self) {
        for lane in 0..2 {
            let open: Vec<_> =
                self.exchanges.iter().filter(|one| one.lane == lane && one.is_in_lane()).collect();
            let heads = open.iter().filter(|one| one.state != State::Held).count();
            assert_eq!(heads, usize::from(!open.is_empty()), "exactly one head: {open:?}");
        }
        for one in &self.exchanges {
            assert!(!(one.state == State::Dead && one.maybe), "dead is certainly not applied");
        }
    }
}

fn next(kind: usize) -> Next {
    match kind {
        0 => Next::Delivered,
        1 => Next::Dead(suite::failure()),
        2 => Next::Retry { due: at(10), failure: suite::failure() },
        3 => Next::WaitResult { due: at(10), ticket: "t".to_owned() },
        _ => suite::unknown((kind == 4).then(|| at(10))),
    }
}

/// Every exchange of the store as the model sees it.
async fn seen(store: &dyn Store) -> Vec<(State, bool, bool)> {
    let list = store.list(Filter::default()).await.unwrap();
    list.iter()
        .map(|view| {
            let state = State::from_name(&view.state).unwrap();
            (state, view.due.is_some(), view.maybe_applied)
        })
        .collect()
}

/// Runs them on a store that is empty.
pub async fn run(home: &dyn Home, steps: Vec<Step>) {
    let mut store = home.open().await;
    let mut model = Model::default();
    for (number, step) in steps.into_iter().enumerate() {
        let count = model.exchanges.len();
        match step {
            Step::Accept { lane, supersedes } => {
                let exchange = match supersedes {
                    true => conformance_lanes::full_state(lane),
                    false => suite::exchange(lane),
                };
                let message = suite::message(&format!("m{number}"), 1, vec![exchange]);
                store.accept(message).await.unwrap();
                if supersedes {
                    model.supersede(lane);
                }
                let state = if model.open(lane) { State::Held } else { State::Received };
                let due = state == State::Received;
                let (maybe, asks) = (false, false);
                let new = Exchange { lane, state, due, fence: 0, maybe, supersedes, asks };
                model.exchanges.push(new);
            }
            Step::Ask { lane } => {
                let exchange = asked::asking(lane);
                let message = suite::message(&format!("m{number}"), 1, vec![exchange]);
                store.accept(message).await.unwrap();
                let (state, maybe) = (State::WaitingApproval, false);
                let (supersedes, asks, due, fence) = (false, true, false, 0);
                model.exchanges.push(Exchange { lane, state, due, fence, maybe, supersedes, asks });
            }
            Step::Restart => {
                store = home.restart(store).await;
                model.restart();
            }
            _ if count == 0 => {}
            Step::Intend { which, stale } => {
                let which = which % count;
                let fence = model.exchanges[which].fence - i64::from(stale);
                let took = suite::intend(&*store, which as i64 + 1, fence).await;
                assert_eq!(took, !stale && model.intend(which));
            }
            Step::Settle { which, next: kind, clear, stale } => {
                let which = which % count;
                let fence = model.exchanges[which].fence - i64::from(stale);
                let settlement = Settlement {
                    clear_maybe_applied: clear,
                    ..suite::settlement(which as i64 + 1, fence, next(kind))
                };
                let settled = store.settle(vec![settlement].into()).await.unwrap()[0];
                let expected =
                    if stale { Settled::Stale } else { model.settle(which, kind, clear) };
                assert_eq!(settled, expected);
            }
            Step::Decide { which, approves, same } => {
                let which = which % count;
                let operator = if same { asked::PREPARER } else { "sato" };
                let became = asked::decide(&*store, which as i64 + 1, approves, operator).await;
                assert_eq!(became, model.decide(which, approves, same));
            }
            Step::Act { which, verb } => {
                let which = which % count;
                let became = suite::act(&*store, which as i64 + 1, verb).await;
                assert_eq!(became, model.act(which, verb));
            }
        }
        model.check();
        let expected: Vec<_> =
            model.exchanges.iter().map(|one| (one.state, one.due, one.maybe)).collect();
        assert_eq!(seen(&*store).await, expected);
    }
    finish(&*store, &model).await;
}

/// Counts, claims and the record agree with the model at the end.
async fn finish(store: &dyn Store, model: &Model) {
    let counted: u64 = store.counts().await.unwrap().iter().map(|count| count.count).sum();
    assert_eq!(counted, model.exchanges.len() as u64);
    let states = [State::Received, State::WaitingRetry, State::WaitingResult, State::Unknown];
    // After everything: a store may take what was interrupted as due by its own clock.
    let claimed = store.claim(suite::claim_of(&states, at(5_000_000_000))).await.unwrap();
    assert_eq!(claimed.len(), model.exchanges.iter().filter(|one| one.due).count());
    for one in claimed {
        let expected = &model.exchanges[one.id as usize - 1];
        assert_eq!((one.fence, one.state), (expected.fence, expected.state));
    }
    assert_eq!(verify(store.record(0, 100_000).await.unwrap()).first_bad, None);
}
