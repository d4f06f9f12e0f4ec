//! The PostgreSQL home of the store: one database for several instances. Who writes locks the head
//! row first, so that all groups of all instances have one order (ADR 0019); what an instance has
//! in its hands is its own as long as its lease (ADR 0020).

use super::sqlite::CrashPoints;
use super::{
    Accepted, Act, AttemptView, Claim, Claimed, Count, Epoch, EpochBegun, ExchangeView, Filter,
    InstanceView, Instances, Intent, Kept, Keys, Later, NewEpoch, NewMessage, Overdue, Pending,
    RecordRow, Rerouted, Settled, Settlement, Store, StoreError, Ticketed,
};
use crate::model::clock::SystemClock;
use crate::model::codes::store as codes;
use crate::model::{Clock, Secret, State};
use crate::record::{Draft, Frontier};
use act::Acting;
use clock::DatabaseClock;
use connection::Purpose;
use group::{Output, Work};
use instances::Membership;
use jiff::Timestamp;
use pool::Pool;
use prepared::{Ending, Entry, Intended, Message};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use writer::{Loop, Writer, closed};

mod accept;
mod act;
mod address;
mod approvals;
mod bundles;
mod calls;
mod claim;
mod clock;
mod connection;
mod exchanges;
mod group;
mod inspect;
mod instances;
mod lanes;
mod migrate;
mod pool;
mod prepared;
mod purge;
mod record;
mod replays;
mod reroute;
mod restored;
mod rotation;
mod set_back;
mod supersede;
mod tasks;
mod tx;
mod views;
mod writer;

pub use address::Address;

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Names this instance to people.
    pub name: String,
    /// How long what this instance has under way stays its own without a word from it.
    pub lease: Duration,
    /// Connections that read, beside one that writes and one that keeps the lease.
    pub connections: usize,
    /// Calls in one transaction at most.
    pub group: usize,
    /// This machine's clock: its monotonic time carries on what the database tells.
    pub clock: Arc<dyn Clock>,
    /// For tests.
    pub crash_points: Option<CrashPoints>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            name: "watashi".to_owned(),
            lease: Duration::from_secs(60),
            connections: 4,
            group: 512,
            clock: Arc::new(SystemClock),
            crash_points: None,
        }
    }
}

/// The store in a PostgreSQL database.
pub struct PostgresStore {
    keys: Arc<Keys>,
    servers: usize,
    clock: Arc<DatabaseClock>,
    membership: Arc<Membership>,
    claims: Pool,
    looks: Pool,
    /// None when open for reading only.
    writer: Option<Writer>,
    pulse: Arc<Pool>,
    beating: Mutex<Option<JoinHandle<()>>>,
}

impl PostgresStore {
    /// Opens a store, brings its tables forward, and takes a place among the instances. A server
    /// that does not answer is no error: the store says so at every call until it does.
    ///
    /// # Errors
    /// `T103` when the tables are of a newer version, `T107` when the keys are not its own, `T113`
    /// when the server is too old or does not keep what it confirms.
    pub async fn open(
        address: Address,
        keys: Arc<Keys>,
        options: Options,
    ) -> Result<Arc<PostgresStore>, StoreError> {
        let clock = Arc::new(DatabaseClock::new(options.clock));
        let membership =
            Arc::new(Membership::new(&options.name, options.lease, Arc::clone(&clock)));
        let (all, ours) = (Arc::clone(&keys), Arc::clone(&membership));
        let mut writer =
            Loop::new(address.clone(), all, ours, Arc::clone(&clock) as _, options.group);
        writer.crash_points.clone_from(&options.crash_points);
        match writer.connect().await {
            Ok(()) => {}
            Err(error) if *error.code == codes::STORE_UNREACHABLE => {
                tracing::error!(
                    code = error.code.code,
                    detail = error.detail,
                    action = "the gateway goes on by itself once the store answers",
                    "the store does not answer"
                );
            }
            Err(error) => return Err(error),
        }
        let writer = writer.start();
        let pulse = Arc::new(Pool::new(address.clone(), Purpose::Write, 1));
        let beating = tokio::spawn(beat(
            Arc::clone(&pulse),
            Arc::clone(&membership),
            writer.clone(),
            Arc::clone(&clock),
        ));
        Ok(Arc::new(PostgresStore {
            keys,
            servers: address.servers(),
            clock,
            membership,
            claims: Pool::new(address.clone(), Purpose::Claim, options.connections.div_ceil(2)),
            looks: Pool::new(address, Purpose::Look, options.connections.div_ceil(2)),
            writer: Some(writer),
            pulse,
            beating: Mutex::new(Some(beating)),
        }))
    }

    /// Opens a store for commands that only read.
    ///
    /// # Errors
    /// `T102` when the database holds none, `T211` when the server does not answer, `T103`, `T107`
    /// as `open`.
    pub async fn open_read_only(
        address: Address,
        keys: Arc<Keys>,
    ) -> Result<Arc<PostgresStore>, StoreError> {
        let looks = Pool::new(address.clone(), Purpose::Look, 2);
        let known = Arc::clone(&keys);
        looks.with(async move |session| migrate::check(session, &known).await).await?;
        let clock = Arc::new(DatabaseClock::new(Arc::new(SystemClock)));
        Ok(Arc::new(PostgresStore {
            keys,
            servers: address.servers(),
            clock: Arc::clone(&clock),
            membership: Arc::new(Membership::new("", Duration::ZERO, clock)),
            claims: Pool::new(address.clone(), Purpose::Claim, 1),
            pulse: Arc::new(Pool::new(address, Purpose::Write, 1)),
            looks,
            writer: None,
            beating: Mutex::default(),
        }))
    }

    /// Transactions this instance has committed: far fewer than calls, under load.
    pub fn commits(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::commits)
    }

    /// The clock of all instances: the database's.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as _
    }

    /// What a failover to another of the named servers would lose; `None` when nothing, or when
    /// only one is named.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn failover_gap(&self) -> Result<Option<String>, StoreError> {
        match self.servers {
            0 | 1 => Ok(None),
            _ => self.looks.with(async |session| session.failover_gap().await).await,
        }
    }

    /// Stops keeping the lease, as a process that stands still does; for tests of what the others
    /// do then.
    #[doc(hidden)]
    pub fn pause(&self) {
        let beating = self.beating.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(beating) = beating {
            beating.abort();
        }
    }

    async fn write(&self, work: Work) -> Result<Output, StoreError> {
        match &self.writer {
            Some(writer) => writer.submit(work).await,
            None => Err(StoreError::new(&codes::STORE_READ_ONLY, "")),
        }
    }

    async fn word(&self, work: Work) -> Result<bool, StoreError> {
        match self.write(work).await? {
            Output::Word(word) => Ok(word),
            output => other(output),
        }
    }

    async fn write_only(&self, work: Work) -> Result<(), StoreError> {
        self.write(work).await.map(drop)
    }
}

/// Keeps the lease, and has ended instances swept.
async fn beat(
    pulse: Arc<Pool>,
    membership: Arc<Membership>,
    writer: Writer,
    clock: Arc<DatabaseClock>,
) {
    let mut failures = 0;
    while writer.is_alive() {
        let wait = match failures {
            0 => membership.beat(),
            failures => writer::pause(failures).min(membership.beat()),
        };
        tokio::time::sleep(wait).await;
        if membership.is_retired() {
            return;
        }
        if !membership.is_member() {
            // The writer takes the place with its first connection; this makes it look for one.
            let _still_away = writer.submit(Work::Room).await;
            continue;
        }
        let renewed = pulse.with(async |session| membership.renew(session).await).await;
        match renewed {
            Ok(ended) => {
                failures = 0;
                let at = clock.now();
                if ended && let Err(error) = writer.submit(Work::Sweep { at, own: false }).await {
                    tracing::warn!(
                        code = error.code.code,
                        detail = error.detail,
                        action = "tried again with the next beat",
                        "the work of an ended instance was not taken over yet"
                    );
                }
            }
            Err(_) => {
                failures += 1;
                membership.missed();
            }
        }
    }
}

impl Drop for PostgresStore {
    fn drop(&mut self) {
        self.pause();
    }
}

/// An answer of another kind than the call's.
fn other<T>(_: Output) -> Result<T, StoreError> {
    Err(closed())
}

impl Store for PostgresStore {
    fn healthy(&self) -> bool {
        self.writer.as_ref().is_none_or(Writer::is_alive)
    }

    fn accept(&self, message: NewMessage) -> Later<'_, Accepted> {
        Box::pin(async move {
            let message = Arc::new(Message::new(&self.keys, message)?);
            match self.write(Work::Accept(message)).await? {
                Output::Accepted(accepted) => Ok(accepted),
                output => other(output),
            }
        })
    }

    fn claim(&self, claim: Claim) -> Later<'_, Vec<Claimed>> {
        let (instance, lease) = (self.membership.id(), self.membership.lease_ms());
        Box::pin(self.claims.with(async move |session| {
            claim::claim(session, &self.keys, instance, lease, &claim).await
        }))
    }

    fn intend(&self, intents: Vec<Intent>) -> Later<'_, Vec<bool>> {
        Box::pin(async move {
            let intents = intents.into_iter().map(Intended::new).collect();
            match self.write(Work::Intend(intents)).await? {
                Output::Taken(taken) => Ok(taken),
                output => other(output),
            }
        })
    }

    fn settle(&self, settlements: Arc<[Settlement]>) -> Later<'_, Vec<Settled>> {
        Box::pin(async move {
            let endings = settlements.iter().map(|settlement| Ending::new(&self.keys, settlement));
            match self.write(Work::Settle(endings.collect::<Result<_, _>>()?)).await? {
                Output::Settled(settled) => Ok(settled),
                output => other(output),
            }
        })
    }

    fn overdue(&self, overdue: Overdue) -> Later<'_, (Vec<Claimed>, Option<i64>)> {
        Box::pin(
            self.claims
                .with(async move |session| claim::overdue(session, &self.keys, &overdue).await),
        )
    }

    fn of_ticket(
        &self,
        counterpart: String,
        operation: String,
        ticket: String,
    ) -> Later<'_, Ticketed> {
        Box::pin(self.looks.with(async move |session| {
            claim::of_ticket(session, &self.keys, &counterpart, &operation, &ticket).await
        }))
    }

    fn next_due(
        &self,
        counterpart: String,
        operation: String,
        states: Vec<State>,
    ) -> Later<'_, Option<Timestamp>> {
        let instance = self.membership.id();
        Box::pin(self.claims.with(async move |session| {
            claim::next_due(session, instance, &counterpart, &operation, &states).await
        }))
    }

    fn pending(&self, limit: usize) -> Later<'_, Vec<Pending>> {
        Box::pin(
            self.looks.with(async move |session| claim::pending(session, &self.keys, limit).await),
        )
    }

    fn published(&self, ids: Vec<i64>, at: Timestamp) -> Later<'_, ()> {
        Box::pin(self.write_only(Work::Published(ids, at)))
    }

    fn act(&self, act: Act) -> Later<'_, Option<State>> {
        Box::pin(async move {
            let acting = Arc::new(Acting::new(&self.keys, act)?);
            match self.write(Work::Act(acting)).await? {
                Output::State(state) => Ok(state),
                output => other(output),
            }
        })
    }

    fn kept(&self, exchange: i64) -> Later<'_, Option<Kept>> {
        Box::pin(
            self.looks
                .with(async move |session| reroute::kept_of(session, &self.keys, exchange).await),
        )
    }

    fn reroute(&self, act: Act, message: NewMessage) -> Later<'_, Rerouted> {
        Box::pin(async move {
            let message = Arc::new(Message::new(&self.keys, message)?);
            match self.write(Work::Reroute(act, message)).await? {
                Output::Rerouted(rerouted) => Ok(rerouted),
                output => other(output),
            }
        })
    }

    fn set_back(&self, by: Duration, at: Timestamp) -> Later<'_, usize> {
        let lease = self.membership.lease_ms();
        Box::pin(async move {
            match self.write(Work::SetBack { by, at, lease }).await? {
                Output::Moved(moved) => Ok(moved),
                output => other(output),
            }
        })
    }

    fn check_room(&self) -> Later<'_, ()> {
        Box::pin(self.write_only(Work::Room))
    }

    fn note(&self, drafts: Vec<Draft>) -> Later<'_, ()> {
        Box::pin(async move { self.write_only(Work::Note(Entry::all(&drafts).into())).await })
    }

    fn list(&self, filter: Filter) -> Later<'_, Vec<ExchangeView>> {
        Box::pin(self.looks.with(async move |session| views::list(session, &filter).await))
    }

    fn attempts(&self, exchange: i64) -> Later<'_, Vec<AttemptView>> {
        Box::pin(self.looks.with(async move |session| views::attempts(session, exchange).await))
    }

    fn original(&self, exchange: i64) -> Later<'_, Option<Secret<Vec<u8>>>> {
        Box::pin(
            self.looks
                .with(async move |session| claim::original(session, &self.keys, exchange).await),
        )
    }

    fn counts(&self) -> Later<'_, Vec<Count>> {
        Box::pin(self.looks.with(async |session| views::counts(session).await))
    }

    fn backlog(&self) -> Later<'_, Vec<(String, u64)>> {
        Box::pin(self.looks.with(async |session| views::backlog(session).await))
    }

    fn record(&self, after: i64, limit: usize) -> Later<'_, Vec<RecordRow>> {
        Box::pin(self.looks.with(async move |session| record::rows(session, after, limit).await))
    }

    fn tree(&self) -> Later<'_, Frontier> {
        Box::pin(self.looks.with(async |session| record::tree(session).await))
    }

    fn cursor(&self, name: String) -> Later<'_, Option<String>> {
        Box::pin(self.looks.with(async move |session| views::cursor(session, &name).await))
    }

    fn set_cursor(&self, name: String, value: String) -> Later<'_, ()> {
        Box::pin(self.write_only(Work::Cursor(name, value)))
    }

    fn epoch(&self) -> Later<'_, Epoch> {
        Box::pin(self.looks.with(async |session| restored::epoch(session).await))
    }

    fn begin_epoch(&self, new: NewEpoch) -> Later<'_, EpochBegun> {
        Box::pin(async move {
            match self.write(Work::Epoch(Arc::new(new))).await? {
                Output::Begun(begun) => Ok(begun),
                output => other(output),
            }
        })
    }

    fn complete_restore(&self, operator: String, reason: String, at: Timestamp) -> Later<'_, bool> {
        Box::pin(self.word(Work::Complete(operator, reason, at)))
    }

    fn close(&self) -> Later<'_, ()> {
        Box::pin(async move {
            self.pause();
            let closed = match &self.writer {
                Some(writer) => writer.close().await,
                None => Ok(()),
            };
            self.claims.close();
            self.looks.close();
            self.pulse.close();
            closed
        })
    }
}

impl Instances for PostgresStore {
    fn lead(&self, role: String) -> Later<'_, bool> {
        Box::pin(self.pulse.with(async move |session| self.membership.lead(session, &role).await))
    }

    fn covers(&self, time: Duration) -> bool {
        self.membership.covers(time)
    }

    fn instances(&self) -> Later<'_, Vec<InstanceView>> {
        Box::pin(self.looks.with(async |session| instances::view(session).await))
    }
}
