//! The delivery protocol: what each party may do next.

use super::explore::{Model, Move};
use super::shortcut::Shortcut;
use super::world::{
    Answer, Doing, INSTANCES, Instance, Invariant, Job, Left, MESSAGES, Row, State, Step, Take,
    There, World,
};
use watashi::policy::verdict::{Follow, Resolution, follow};

/// How large the world is.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Messages, all of one lane.
    pub messages: usize,
    /// Gateway instances. One alone has the store to itself and needs no lease.
    pub instances: usize,
    /// Attempts after which the schedule gives up.
    pub attempts: u8,
    /// A submit is taken first and decided later.
    pub results: bool,
    /// A newer message cancels an older one that was never sent.
    pub supersede: bool,
    /// What may go wrong.
    pub left: Left,
}

/// The protocol at an operation, whole or with a rule left out.
#[derive(Clone, Copy, Debug)]
pub struct Protocol {
    /// How the operation resolves a lost answer.
    pub resolution: Resolution,
    /// How large the world is.
    pub bounds: Bounds,
    /// The rule left out.
    pub shortcut: Option<Shortcut>,
}

type Moves = Vec<Move<Protocol>>;

impl Model for Protocol {
    type State = World;
    type Step = Step;
    type Invariant = Invariant;

    fn initial(&self) -> World {
        let instance = |at| match at < self.bounds.instances {
            true => Instance::started(),
            false => Instance::down(),
        };
        let there = There { taken: 0, refused: false, decided: false, keys: 0 };
        World {
            kept: std::array::from_fn(|at| at < self.bounds.messages),
            rows: [None; MESSAGES],
            instances: std::array::from_fn::<_, INSTANCES, _>(instance),
            late: [0; MESSAGES],
            there: [there; MESSAGES],
            left: self.bounds.left,
        }
    }

    fn next(&self, world: &World, found: &mut Moves) {
        for at in 0..self.bounds.instances {
            self.life(world, at, found);
            for message in 0..self.bounds.messages {
                if world.instances[at].up {
                    self.take(world, at, message, found);
                    self.work(world, at, message, found);
                }
            }
        }
        for message in 0..self.bounds.messages {
            self.elsewhere(world, message, found);
            self.sweep(world, message, found);
            self.person(world, message, found);
        }
    }

    fn broken(&self, world: &World) -> Option<Invariant> {
        (0..self.bounds.messages).find_map(|message| {
            let there = world.there[message].in_effect();
            match world.rows[message].map(|row| row.state) {
                None if !world.kept[message] => Some(Invariant::Lost),
                Some(State::Delivered) if !there => Some(Invariant::Untrue),
                Some(State::Dead | State::Discarded) if there => Some(Invariant::Untrue),
                _ => None,
            }
        })
    }

    fn rests(&self, world: &World) -> bool {
        let waits = |row: &Option<Row>| row.is_some_and(|row| row.state == State::Person);
        let person = world.rows.iter().any(waits);
        (0..self.bounds.messages).all(|message| match world.rows[message].map(|row| row.state) {
            // What is held behind one that waits for a person is seen with it.
            Some(State::Held) => person,
            Some(state) => state.is_final() || state == State::Person,
            None => false,
        })
    }

    fn liveness(&self) -> Invariant {
        Invariant::Stuck
    }
}

fn happens(found: &mut Moves, at: usize, message: usize, what: &'static str, state: World) {
    let step = Step { instance: Some(at), what, message: Some(message) };
    found.push(Move { step, state, breaks: None });
}

fn outside(found: &mut Moves, message: usize, what: &'static str, state: World) {
    let step = Step { instance: None, what, message: Some(message) };
    found.push(Move { step, state, breaks: None });
}

impl Protocol {
    fn cuts(&self, shortcut: Shortcut) -> bool {
        self.shortcut == Some(shortcut)
    }

    fn single(&self) -> bool {
        self.bounds.instances == 1
    }

    /// Crash, restart, pause beyond the lease, renewal.
    fn life(&self, world: &World, at: usize, found: &mut Moves) {
        let mut tell = |what, state| {
            let step = Step { instance: Some(at), what, message: None };
            found.push(Move { step, state, breaks: None });
        };
        let instance = world.instances[at];
        if !instance.up {
            let mut next = *world;
            next.instances[at] = Instance::started();
            if self.single() || self.cuts(Shortcut::StartSweepsTheLiving) {
                (0..MESSAGES).for_each(|message| self.interrupted(&mut next, message));
            }
            return tell("starts again", next);
        }
        if world.left.crashes > 0 {
            let mut next = *world;
            next.left.crashes -= 1;
            for (message, job) in instance.jobs.iter().enumerate() {
                if let Doing::Open { number, .. } = job.doing {
                    self.detach(&mut next, message, number);
                }
            }
            next.instances[at] = Instance::down();
            tell("is killed", next);
        }
        // A request is only begun where its longest time lies within the lease.
        let open = instance.jobs.iter().any(|job| matches!(job.doing, Doing::Open { .. }));
        let may_lapse = !open || self.cuts(Shortcut::LeaseShorterThanTimeout);
        if !self.single() && instance.lease && world.left.lapses > 0 && may_lapse {
            let mut next = *world;
            next.left.lapses -= 1;
            next.instances[at].lease = false;
            for job in &mut next.instances[at].jobs {
                if let Doing::Intended { lapsed, .. } = &mut job.doing {
                    *lapsed = true;
                }
            }
            tell("loses its lease (paused, or cut off from the store)", next);
        }
        if !instance.lease {
            let mut next = *world;
            next.instances[at].lease = true;
            tell("has a lease again", next);
        }
    }

    /// From the broker into the store, then the acknowledgement.
    fn take(&self, world: &World, at: usize, message: usize, found: &mut Moves) {
        let take = world.instances[at].takes[message];
        let mut next = *world;
        match take {
            Take::No => {
                let elsewhere = (0..self.bounds.instances)
                    .any(|other| world.instances[other].takes[message] != Take::No);
                if !world.kept[message] || elsewhere && world.left.repetitions == 0 {
                    return;
                }
                // One active consumer: what was sent first is in the same hands, or done.
                let first = (0..message).find(|earlier| world.rows[*earlier].is_none());
                let before = |earlier: usize| world.instances[at].takes[earlier] != Take::No;
                if !first.is_none_or(before) && !self.cuts(Shortcut::TwoConsumers) {
                    return;
                }
                next.left.repetitions -= u8::from(elsewhere);
                next.instances[at].takes[message] = Take::Fresh;
                happens(found, at, message, "delivered by the broker", next);
            }
            Take::Fresh if self.cuts(Shortcut::AckBeforeCommit) => {
                next.kept[message] = false;
                next.instances[at].takes[message] = Take::Acknowledged;
                happens(found, at, message, "acknowledged", next);
            }
            Take::Fresh | Take::Acknowledged => {
                // Writes are queued in the order of the deliveries.
                let earlier = &world.instances[at].takes[..message];
                let waits = earlier.contains(&Take::Fresh);
                if waits && !self.cuts(Shortcut::UnorderedWrites) {
                    return;
                }
                self.accept(&mut next, message);
                next.instances[at].takes[message] = match take {
                    Take::Fresh => Take::Durable,
                    _ => Take::No,
                };
                happens(found, at, message, "accepted, durable", next);
            }
            Take::Durable => {
                next.kept[message] = false;
                next.instances[at].takes[message] = Take::No;
                happens(found, at, message, "acknowledged", next);
            }
        }
    }

    fn accept(&self, next: &mut World, message: usize) {
        match next.rows[message] {
            Some(row) if self.cuts(Shortcut::NoDeduplication) && row.state.is_final() => {}
            Some(_) => return,
            None => {}
        }
        let mut behind = false;
        for other in (0..self.bounds.messages).filter(|other| *other != message) {
            let Some(row) = next.rows[other] else { continue };
            let never_sent =
                matches!(row.state, State::Received | State::Held | State::Retry) && !row.maybe;
            let may_go = never_sent || self.cuts(Shortcut::SupersedeWhatMayBeSent);
            if self.bounds.supersede && other < message && !row.state.is_final() && may_go {
                next.rows[other] = Some(Row { state: State::Discarded, ..row });
                self.raise(next, other, None);
            } else {
                let past = self.cuts(Shortcut::LaneGoesOnPastUnknown)
                    && matches!(row.state, State::Unknown | State::Person);
                behind |= !row.state.is_final() && !past;
            }
        }
        let state = if behind { State::Held } else { State::Received };
        next.rows[message] = Some(Row { state, attempts: 0, maybe: false });
    }

    /// The fence rises: work of others on this exchange is stale, and dropped where it is checked.
    fn raise(&self, next: &mut World, message: usize, except: Option<usize>) {
        for at in (0..self.bounds.instances).filter(|at| Some(*at) != except) {
            let job = &mut next.instances[at].jobs[message];
            job.stale = job.doing != Doing::Idle;
            let drops = match job.doing {
                Doing::Idle => true,
                Doing::Claimed { .. } => !self.cuts(Shortcut::NoFenceAtIntent),
                Doing::Intended { lapsed, .. } => lapsed && !self.sends_lapsed(true),
                Doing::Open { .. } => false,
                Doing::Ended { .. } | Doing::Told { .. } => !self.cuts(Shortcut::NoFenceAtSettle),
            };
            if drops {
                *job = Job::IDLE;
            }
        }
    }

    /// Whether what lost its lease after the intent is sent all the same.
    fn sends_lapsed(&self, lease: bool) -> bool {
        self.cuts(Shortcut::SendWithoutLease) || self.cuts(Shortcut::RenewalRevives) && lease
    }

    /// The work on one exchange: claim, intend, send, settle; or ask.
    fn work(&self, world: &World, at: usize, message: usize, found: &mut Moves) {
        let Some(row) = world.rows[message] else { return };
        let instance = &world.instances[at];
        let lease = instance.lease;
        let job = instance.jobs[message];
        let mut next = *world;
        match job.doing {
            Doing::Idle => {
                use State::{Received, Retry, Unknown, Waiting};
                if lease && matches!(row.state, Received | Retry | Unknown | Waiting) {
                    let (number, maybe) = (row.attempts, row.maybe);
                    let doing = Doing::Claimed { from: row.state, number, maybe };
                    next.instances[at].jobs[message] = Job { doing, stale: false };
                    happens(found, at, message, "read for work", next);
                }
            }
            Doing::Claimed { from: State::Waiting, .. } => self.poll(world, at, message, found),
            Doing::Claimed { from, number, maybe } => {
                let resends = self.resolution == Resolution::Resend
                    || self.cuts(Shortcut::ResendWhateverIsDeclared);
                if from == State::Unknown && !resends {
                    return self.resolve(world, at, message, number, found);
                }
                self.intend(world, at, message, (number, maybe), found);
            }
            Doing::Intended { number, maybe, lapsed } => {
                let job = &mut next.instances[at].jobs[message];
                if lapsed && !self.sends_lapsed(lease) {
                    job.doing = Doing::Ended { number, maybe, with: Answer::Busy };
                    happens(found, at, message, "not sent: the lease was lost", next);
                } else {
                    job.doing = Doing::Open { number, maybe };
                    let step =
                        Step { instance: Some(at), what: "request sent", message: Some(message) };
                    // Whoever sends has an intent that is durable.
                    let breaks = (row.attempts < number).then_some(Invariant::Unrecorded);
                    found.push(Move { step, state: next, breaks });
                }
            }
            Doing::Open { number, maybe } => self.ends(world, at, message, (number, maybe), found),
            Doing::Ended { number, maybe, with } => {
                let (state, flag) = self.verdict(with, number, maybe);
                next.instances[at].jobs[message] = Job::IDLE;
                let stale = job.stale && !self.cuts(Shortcut::NoFenceAtSettle);
                if !stale {
                    let attempts = row.attempts.max(number);
                    self.settle(&mut next, at, message, Row { state, attempts, maybe: flag });
                }
                happens(found, at, message, "outcome written", next);
            }
            Doing::Told { number, applied } => {
                next.instances[at].jobs[message] = Job::IDLE;
                let state = match applied {
                    true if self.bounds.results => State::Waiting,
                    true => State::Delivered,
                    false => self.verdict(Answer::Busy, number + 1, false).0,
                };
                self.settle(&mut next, at, message, Row { state, maybe: false, ..row });
                happens(found, at, message, "what was told is written", next);
            }
        }
    }

    fn intend(
        &self,
        world: &World,
        at: usize,
        message: usize,
        (number, maybe): (u8, bool),
        found: &mut Moves,
    ) {
        let Some(row) = world.rows[message] else { return };
        let mut next = *world;
        let number = number + 1;
        if self.cuts(Shortcut::SendBeforeIntent) {
            next.instances[at].jobs[message].doing =
                Doing::Intended { number, maybe, lapsed: false };
            return happens(found, at, message, "about to send, nothing recorded", next);
        }
        if !matches!(row.state, State::Received | State::Retry | State::Unknown) {
            next.instances[at].jobs[message] = Job::IDLE;
            return happens(found, at, message, "intent refused", next);
        }
        // The transaction that intends looks at the lease.
        if !world.instances[at].lease {
            return;
        }
        next.rows[message] = Some(Row { state: State::Sending, attempts: number, ..row });
        self.raise(&mut next, message, Some(at));
        let doing = Doing::Intended { number, maybe, lapsed: false };
        next.instances[at].jobs[message] = Job { doing, stale: false };
        happens(found, at, message, "intent recorded, durable", next);
    }

    /// How a request under way may end, as its sender sees it.
    fn ends(
        &self,
        world: &World,
        at: usize,
        message: usize,
        (number, maybe): (u8, bool),
        found: &mut Moves,
    ) {
        let good = if self.bounds.results { Answer::Taken } else { Answer::Applied };
        for (with, what) in [
            (good, "answered: applied"),
            (Answer::Refused, "answered: refused"),
            (Answer::Busy, "answered: not processed, try again"),
            (Answer::Lost, "no answer in time"),
        ] {
            let mut next = *world;
            let mut breaks = None;
            match with {
                Answer::Applied | Answer::Taken => {
                    breaks = self.arrive(&mut next, message, number);
                }
                Answer::Lost => self.detach(&mut next, message, number),
                Answer::Refused | Answer::Busy => {}
            }
            let job = &mut next.instances[at].jobs[message];
            job.doing = Doing::Ended { number, maybe, with };
            if job.stale && !self.cuts(Shortcut::NoFenceAtSettle) {
                *job = Job::IDLE;
            }
            let step = Step { instance: Some(at), what, message: Some(message) };
            found.push(Move { step, state: next, breaks });
        }
    }

    /// What follows from an answer: the product's own decision.
    fn verdict(&self, with: Answer, number: u8, maybe: bool) -> (State, bool) {
        let maybe = maybe && !self.cuts(Shortcut::ForgetTheFlag);
        let class = match with {
            Answer::Applied => return (State::Delivered, maybe),
            Answer::Taken => return (State::Waiting, maybe),
            Answer::Lost if self.cuts(Shortcut::BlindRetry) => Answer::Busy.class(),
            other => other.class(),
        };
        let Some(class) = class else { return (State::Person, true) };
        let exhausted = number >= self.bounds.attempts;
        let state = match follow(class, maybe, exhausted, self.resolution) {
            Follow::Dead => State::Dead,
            Follow::Retry => State::Retry,
            Follow::ResolveLater => State::Unknown,
            Follow::Person => State::Person,
        };
        let unknown = matches!(state, State::Unknown | State::Person);
        (state, maybe || unknown && !self.cuts(Shortcut::ForgetTheFlag))
    }

    /// Writes what follows; the end of one lets the next of the lane go on.
    fn settle(&self, next: &mut World, at: usize, message: usize, row: Row) {
        if next.rows[message].is_some_and(|now| now.state.is_final() || now.state == State::Held) {
            return;
        }
        next.rows[message] = Some(row);
        self.raise(next, message, Some(at));
        let past = self.cuts(Shortcut::LaneGoesOnPastUnknown)
            && matches!(row.state, State::Unknown | State::Person);
        let keeps = self.cuts(Shortcut::DeadKeepsTheLane) && row.state == State::Dead;
        if (row.state.is_final() || past) && !keeps {
            release(next);
        }
    }

    /// Asks about a lost answer, or leaves it to a person.
    fn resolve(&self, world: &World, at: usize, message: usize, number: u8, found: &mut Moves) {
        let Some(row) = world.rows[message] else { return };
        let mut next = *world;
        if self.resolution == Resolution::Person {
            next.instances[at].jobs[message] = Job::IDLE;
            self.settle(&mut next, at, message, Row { state: State::Person, ..row });
            return happens(found, at, message, "left to a person", next);
        }
        // The settle time is the counterpart's longest processing time after our connection was
        // closed: when it is over, nothing of ours is on its way any more. Connections that are
        // still open are not known to whoever asks.
        if world.late[message] > 0 && !self.cuts(Shortcut::AskAtOnce) {
            return;
        }
        let applied = world.there[message].taken > 0;
        next.instances[at].jobs[message].doing = Doing::Told { number, applied };
        let what = if applied { "asked: applied" } else { "asked: not applied" };
        happens(found, at, message, what, next);
    }

    /// Asks for the result of what was taken.
    fn poll(&self, world: &World, at: usize, message: usize, found: &mut Moves) {
        let Some(row) = world.rows[message] else { return };
        let there = world.there[message];
        let (state, what) = match (there.decided, there.refused) {
            (true, true) => (State::Dead, "result: refused"),
            (true, false) => (State::Delivered, "result: applied"),
            (false, _) => (State::Person, "no result for too long"),
        };
        let mut next = *world;
        next.instances[at].jobs[message] = Job::IDLE;
        // A declared result is about the key, not about one attempt: it clears the flag.
        self.settle(
            &mut next,
            at,
            message,
            Row { state, maybe: row.maybe && !there.decided, ..row },
        );
        happens(found, at, message, what, next);
    }

    /// The network and the counterpart by themselves, and a producer that repeats itself.
    fn elsewhere(&self, world: &World, message: usize, found: &mut Moves) {
        let by_key = self.cuts(Shortcut::NewKeyPerAttempt);
        for number in (0..8_u8).filter(|number| match by_key {
            true => world.late[message] & (1 << number) != 0,
            false => *number == 0 && world.late[message] > 0,
        }) {
            let mut next = *world;
            next.late[message] -= if by_key { 1 << number } else { 1 };
            outside(found, message, "a late request is lost", next);
            let breaks = self.arrive(&mut next, message, number);
            let what = "a late request is applied";
            let step = Step { instance: None, what, message: Some(message) };
            found.push(Move { step, state: next, breaks });
        }
        let there = world.there[message];
        if self.bounds.results && there.taken > 0 && !there.decided {
            let mut next = *world;
            next.there[message].decided = true;
            outside(found, message, "the counterpart decides: applied", next);
            next.there[message] = There { taken: 0, refused: true, decided: true, ..there };
            outside(found, message, "the counterpart decides: refused", next);
        }
        if !world.kept[message] && world.left.repetitions > 0 {
            let mut next = *world;
            next.kept[message] = true;
            next.left.repetitions -= 1;
            outside(found, message, "sent again by its producer", next);
        }
    }

    /// A request of ours reaches the counterpart and is applied.
    fn arrive(&self, next: &mut World, message: usize, number: u8) -> Option<Invariant> {
        let key = if self.cuts(Shortcut::NewKeyPerAttempt) { 1 << number.min(7) } else { 1 };
        let there = &mut next.there[message];
        if self.resolution == Resolution::Resend && there.keys & key != 0 {
            return None;
        }
        there.keys |= key;
        there.taken = (there.taken + 1).min(2);
        (there.refused, there.decided) = (false, false);
        if there.taken > 1 {
            return Some(Invariant::Doubled);
        }
        let overtaken = next.there[message + 1..].iter().any(|later| later.taken > 0);
        overtaken.then_some(Invariant::Overtaken)
    }

    /// The connection of a request is gone; the request itself may still be on its way.
    fn detach(&self, next: &mut World, message: usize, number: u8) {
        match self.cuts(Shortcut::NewKeyPerAttempt) {
            true => next.late[message] |= 1 << number.min(7),
            // A second one with a key that is known changes nothing.
            false if self.resolution == Resolution::Resend => next.late[message] = 1,
            false => next.late[message] += 1,
        }
    }

    /// What was being sent when its sender ended, or lost its lease, may have been applied.
    fn interrupted(&self, next: &mut World, message: usize) {
        let Some(row) = next.rows[message] else { return };
        if row.state != State::Sending || self.cuts(Shortcut::RecoveryLeavesSending) {
            return;
        }
        let row = match self.cuts(Shortcut::RecoveryMakesPending) {
            true => Row { state: State::Retry, ..row },
            false => {
                let maybe = !self.cuts(Shortcut::ForgetTheFlag);
                Row { state: State::Unknown, maybe, ..row }
            }
        };
        next.rows[message] = Some(row);
        self.raise(next, message, None);
        if self.cuts(Shortcut::LaneGoesOnPastUnknown) {
            release(next);
        }
    }

    /// Several instances: any of them looks for work whose owner has no lease.
    fn sweep(&self, world: &World, message: usize, found: &mut Moves) {
        let sending = world.rows[message].is_some_and(|row| row.state == State::Sending);
        let somebody = world.instances.iter().any(|instance| instance.up && instance.lease);
        if self.single() || !sending || !somebody {
            return;
        }
        let owned = world.instances.iter().any(|instance| {
            let job = instance.jobs[message];
            let at_it = matches!(
                job.doing,
                Doing::Intended { .. } | Doing::Open { .. } | Doing::Ended { .. }
            );
            instance.up && instance.lease && at_it && !job.stale
        });
        if owned || self.cuts(Shortcut::RecoveryLeavesSending) {
            return;
        }
        let mut next = *world;
        self.interrupted(&mut next, message);
        outside(found, message, "its owner has no lease: unknown", next);
    }

    /// A person who looks at the counterpart's books, after the settle time, and tells the truth.
    fn person(&self, world: &World, message: usize, found: &mut Moves) {
        let Some(row) = world.rows[message] else { return };
        let open = |instance: &Instance| matches!(instance.jobs[message].doing, Doing::Open { .. });
        let there = world.there[message];
        let quiet = world.late[message] == 0 && !world.instances.iter().any(open);
        let clear = there.taken == 0 || there.decided || !self.bounds.results;
        if world.left.acts == 0 || !quiet || !clear {
            return;
        }
        // With a replay behind a newer message a person decides about the order, too: left out.
        let newest = world.rows[message + 1..].iter().all(Option::is_none);
        let (state, what) = match row.state {
            State::Person if there.in_effect() => (State::Delivered, "a person: applied"),
            State::Person => (State::Retry, "a person: not applied"),
            State::Dead if newest => (State::Received, "a person replays it"),
            _ => return,
        };
        let mut next = *world;
        next.left.acts -= 1;
        next.rows[message] = Some(Row { state, maybe: false, ..row });
        self.raise(&mut next, message, None);
        if state.is_final() {
            release(&mut next);
        }
        outside(found, message, what, next);
    }
}

/// The first that is held goes on.
fn release(next: &mut World) {
    let held = |row: &&mut Option<Row>| row.is_some_and(|row| row.state == State::Held);
    if let Some(Some(row)) = next.rows.iter_mut().find(held) {
        row.state = State::Received;
    }
}
