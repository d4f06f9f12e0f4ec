//! The one task that writes: it gathers what is ready into one transaction and one commit.
//!
//! A commit whose answer was lost is looked up over a new connection, under the head row, so that
//! its callers learn what became of it. Only while the server stays away longer than `PATIENCE` are
//! they told that it is not known; an intent among them is taken back as soon as the server
//! answers again, for its caller was told that nothing is sent.

use super::address::Address;
use super::connection::{Purpose, Session, is_of_the_call};
use super::group::{self, Output, Work};
use super::instances::Membership;
use super::{migrate, record};
use crate::model::codes::store as codes;
use crate::model::{Clock, State};
use crate::store::sqlite::CrashPoints;
use crate::store::{Accepted, Keys, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// How long callers wait to learn what became of a commit whose answer was lost.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a group is tried again while the server is away for a moment; after that callers are
/// told at once.
const RETRY: Duration = Duration::from_secs(5);
/// Pause before the first attempt to connect again, and the longest.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Sealed bytes in one group, about.
const GROUP_BYTES: usize = 8 << 20;

type Answer = Result<Output, StoreError>;

/// A call and who waits for it.
struct Order {
    work: Work,
    reply: oneshot::Sender<Answer>,
}

enum Message {
    Order(Order),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

pub(super) fn closed() -> StoreError {
    StoreError::new(&codes::STORE_CLOSED, "")
}

/// The callers' end.
#[derive(Clone)]
pub(super) struct Writer {
    orders: mpsc::UnboundedSender<Message>,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Queues a call and waits for its commit. It is queued by the first poll, without waiting:
    /// see ADR 0011.
    pub async fn submit(&self, work: Work) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Message::Order(Order { work, reply })).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    pub async fn close(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(Message::Close(reply)).map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    pub fn is_alive(&self) -> bool {
        !self.orders.is_closed()
    }

    /// Transactions committed.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

/// A group whose commit was not known when its callers were answered.
struct Doubt {
    instance: i64,
    number: i64,
    intents: Vec<(i64, i64)>,
}

/// The writer's own end.
pub(super) struct Loop {
    pub address: Address,
    pub keys: Arc<Keys>,
    pub membership: Arc<Membership>,
    pub clock: Arc<dyn Clock>,
    /// Calls in one transaction at most.
    pub group: usize,
    /// Called at the points that SQLite's writer has, too.
    pub crash_points: Option<CrashPoints>,
    session: Option<Session>,
    /// Number of the last group.
    number: i64,
    doubt: Option<Doubt>,
    /// Instance and number of the last group that is known to be committed.
    confirmed: Option<(i64, i64)>,
    /// It was told that a failover would lose what was confirmed.
    told: bool,
    failures: u32,
    /// Since when groups have failed for want of the server.
    failing_since: Option<Instant>,
    /// Until then the last failure is the answer.
    retry_at: Option<(Instant, StoreError)>,
    commits: Arc<AtomicU64>,
}

impl Loop {
    pub fn new(
        address: Address,
        keys: Arc<Keys>,
        membership: Arc<Membership>,
        clock: Arc<dyn Clock>,
        group: usize,
    ) -> Loop {
        Loop {
            address,
            keys,
            membership,
            clock,
            group: group.max(1),
            crash_points: None,
            session: None,
            number: 0,
            doubt: None,
            confirmed: None,
            told: false,
            failures: 0,
            failing_since: None,
            retry_at: None,
            commits: Arc::default(),
        }
    }

    /// Starts the task.
    pub fn start(self) -> Writer {
        let (orders, queue) = mpsc::unbounded_channel();
        let commits = Arc::clone(&self.commits);
        tokio::spawn(self.run(queue));
        Writer { orders, commits }
    }

    /// Connects, once.
    ///
    /// # Errors
    /// What keeps this store from being used.
    pub async fn connect(&mut self) -> Result<(), StoreError> {
        let statements = group::statements();
        let session = self.address.connect(Purpose::Write, &[]).await?;
        session.check_server().await?;
        self.tell_gap(&session).await?;
        if let Some((instance, number)) = self.confirmed
            && !group::was_committed(&session, instance, number).await?
        {
            // Others that have lost nothing take over what only one may do.
            self.membership.retire();
            let detail = format!("group {number} of instance {instance}");
            return Err(StoreError::new(&codes::STORE_FORGOT, detail));
        }
        migrate::forward(&session, &self.keys).await?;
        session.prepare(&statements).await?;
        if !self.membership.is_member() {
            record::check_end(&session).await?;
            self.membership.join(&session).await?;
        }
        self.session = Some(session);
        Ok(())
    }

    /// Warns, once, when several servers are named and none is waited for.
    async fn tell_gap(&mut self, session: &Session) -> Result<(), StoreError> {
        if self.told || self.address.servers() < 2 {
            return Ok(());
        }
        self.told = true;
        if let Some(gap) = session.failover_gap().await? {
            let code = &codes::FAILOVER_FORGETS;
            tracing::warn!(
                code = code.code,
                detail = gap,
                action = code.remedy,
                "a failover would lose what was confirmed"
            );
        }
        Ok(())
    }

    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Message>) {
        while let Some(first) = queue.recv().await {
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut close = None;
            let mut next = Some(first);
            while let Some(message) = next.take() {
                match message {
                    Message::Order(order) => {
                        bytes += order.work.bytes();
                        group.push(order);
                    }
                    Message::Close(reply) => close = Some(reply),
                }
                if close.is_none() && group.len() < self.group && bytes < GROUP_BYTES {
                    next = queue.try_recv().ok();
                }
            }
            self.commit(group).await;
            if let Some(reply) = close {
                queue.close();
                let _ = reply.send(self.leave().await);
                return;
            }
        }
        let _ = self.leave().await;
    }

    /// The last transaction: nothing of this instance is left under way.
    async fn leave(&mut self) -> Result<(), StoreError> {
        if !self.membership.is_member() {
            return Ok(());
        }
        let work = [Work::Sweep { at: self.clock.now(), own: true }];
        let left = self.transaction(&work).await.map(drop);
        self.membership.left();
        left
    }

    /// One transaction for all; should one call spoil it, each gets a transaction of its own, so
    /// that a bad message harms only itself.
    async fn commit(&mut self, orders: Vec<Order>) {
        let works: Vec<Work> = orders.iter().map(|order| order.work.clone()).collect();
        let replies = orders.into_iter().map(|order| order.reply);
        match self.transaction(&works).await {
            Ok(outputs) => {
                for (reply, output) in replies.zip(outputs) {
                    // Where nobody waits any more, what was written stays written.
                    let _ = reply.send(Ok(output));
                }
            }
            Err(error) if is_of_the_call(&error) && works.len() > 1 => {
                for (reply, work) in replies.zip(&works) {
                    let answer = self.transaction(std::slice::from_ref(work)).await;
                    let answer = answer.and_then(|mut all| all.pop().ok_or_else(closed));
                    let _ = reply.send(answer);
                }
            }
            Err(error) => {
                for reply in replies {
                    let _ = reply.send(Err(error.clone()));
                }
            }
        }
    }

    async fn transaction(&mut self, works: &[Work]) -> Result<Vec<Output>, StoreError> {
        if works.is_empty() {
            return Ok(Vec::new());
        }
        loop {
            let done = match self.ready().await {
                Ok(()) => self.try_transaction(works).await,
                Err(error) => Err(error),
            };
            let Err(error) = &done else {
                self.failing_since = None;
                return done;
            };
            let transient = [&codes::STORE_UNREACHABLE, &codes::STORE_SLOW].contains(&error.code);
            if !transient {
                return done;
            }
            let since = *self.failing_since.get_or_insert_with(Instant::now);
            if since.elapsed() > RETRY {
                return done;
            }
            // The same calls again, before those behind them: their order is that of arrival.
            tokio::time::sleep(pause(self.failures)).await;
        }
    }

    async fn try_transaction(&mut self, works: &[Work]) -> Result<Vec<Output>, StoreError> {
        let Some(session) = &self.session else { return Err(closed()) };
        let instance = self.membership.id();
        self.number += 1;
        let number = self.number;
        let outputs = match group::run(session, instance, number, works).await {
            Ok(outputs) => outputs,
            Err(error) => {
                let rolled_back = session.batch("ROLLBACK").await;
                if rolled_back.is_err() || error.code == &codes::STORE_UNREACHABLE {
                    self.session = None;
                }
                return Err(error);
            }
        };
        self.reach(works, |work| work.points().0);
        match session.batch("COMMIT").await {
            Ok(()) => {
                self.confirmed = Some((instance, number));
                self.reach(works, |work| work.points().1);
                self.commits.fetch_add(1, Ordering::Relaxed);
                Ok(outputs)
            }
            Err(error) if error.code == &codes::STORE_UNREACHABLE => {
                self.session = None;
                let intents = intents(works, &outputs);
                self.doubt = Some(Doubt { instance, number, intents });
                match self.resolve().await {
                    Some(true) => Ok(outputs),
                    Some(false) => Err(error),
                    None => Err(StoreError::new(&codes::OUTCOME_NOT_KNOWN, error.detail)),
                }
            }
            Err(error) => {
                self.session = None;
                Err(error)
            }
        }
    }

    fn reach(&self, works: &[Work], point: fn(&Work) -> &'static str) {
        if let Some(reached) = &self.crash_points {
            works.iter().for_each(|work| reached(point(work)));
        }
    }

    /// Whether the group in doubt was committed; `None` when the server does not say in time.
    async fn resolve(&mut self) -> Option<bool> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if self.reconnect().await.is_ok()
                && let (Some(doubt), Some(session)) = (&self.doubt, &self.session)
            {
                match group::was_committed(session, doubt.instance, doubt.number).await {
                    Ok(committed) => {
                        if committed {
                            self.confirmed = Some((doubt.instance, doubt.number));
                        }
                        self.doubt = None;
                        return Some(committed);
                    }
                    Err(_) => self.session = None,
                }
            }
            tokio::time::sleep(pause(self.failures)).await;
        }
        None
    }

    /// A session that may be written with, and no doubt left over from the last one.
    async fn ready(&mut self) -> Result<(), StoreError> {
        if self.session.as_ref().is_none_or(Session::is_closed) {
            self.session = None;
            if let Some((at, error)) = &self.retry_at
                && Instant::now() < *at
            {
                return Err(error.clone());
            }
            self.reconnect().await?;
        }
        let Some(doubt) = &self.doubt else { return Ok(()) };
        let Some(session) = &self.session else { return Err(closed()) };
        let committed = group::was_committed(session, doubt.instance, doubt.number).await;
        let committed = committed.inspect_err(|_| self.session = None)?;
        let Some(doubt) = self.doubt.take() else { return Ok(()) };
        if committed {
            self.confirmed = Some((doubt.instance, doubt.number));
        }
        if committed && !doubt.intents.is_empty() {
            let back = Work::TakeBack(doubt.intents.clone(), self.clock.now());
            if let Err(error) = self.try_transaction(&[back]).await {
                self.doubt.get_or_insert(doubt);
                return Err(error);
            }
        }
        Ok(())
    }

    async fn reconnect(&mut self) -> Result<(), StoreError> {
        match self.connect().await {
            Ok(()) => {
                if self.failures > 0 {
                    tracing::info!("the store answers again");
                }
                self.failures = 0;
                self.retry_at = None;
                Ok(())
            }
            Err(error) => {
                if self.failures == 0 {
                    tracing::error!(
                        code = error.code.code,
                        detail = error.detail,
                        action = "nothing is lost; the gateway goes on by itself",
                        "the store does not answer"
                    );
                }
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some((Instant::now() + pause(self.failures), error.clone()));
                Err(error)
            }
        }
    }
}

/// What a group has begun: exchanges, and the fences that they had.
fn intents(works: &[Work], outputs: &[Output]) -> Vec<(i64, i64)> {
    let mut all = Vec::new();
    for (work, output) in works.iter().zip(outputs) {
        match (work, output) {
            (Work::Intend(intents), _) => {
                all.extend(intents.iter().map(|one| (one.intent.exchange, one.intent.fence)));
            }
            (_, Output::Accepted(Accepted::New { exchanges, states, .. })) => {
                let begun = exchanges.iter().zip(states);
                let begun = begun.filter(|(_, state)| **state == State::Sending);
                all.extend(begun.map(|(id, _)| (*id, 0)));
            }
            _ => {}
        }
    }
    all
}

/// Doubles up to a limit; half of it is chance, so that instances do not come back all at once.
pub(super) fn pause(failures: u32) -> Duration {
    let whole = PAUSE.saturating_mul(1 << failures.min(6)).min(LONGEST_PAUSE);
    let mut byte = [0u8; 1];
    // Without chance the pause is only less even.
    let _ = aws_lc_rs::rand::fill(&mut byte);
    whole / 2 + whole.mul_f64(f64::from(byte[0]) / 510.0)
}
