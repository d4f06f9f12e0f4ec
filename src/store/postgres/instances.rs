//! Several instances over one database: leases, what an ended one leaves behind, and leaders.
//!
//! A lease is kept on the database's clock and renewed three times as often as it would end. This
//! process also measures it on its own clock, from before it asked: by that it knows without
//! asking whether a request would end within it.

use super::clock::DatabaseClock;
use super::connection::{Session, column, odd};
use super::prepared::Entry;
use super::tx::Tx;
use super::views::instant;
use crate::model::codes::store as codes;
use crate::model::{Clock, Stage};
use crate::record::{Draft, Kind, Phase};
use crate::store::{InstanceView, StoreError};
use jiff::Timestamp;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The database's clock in milliseconds: the same for all instances.
macro_rules! now {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    };
}
pub(super) use now;

const JOIN: &str = concat!(
    "INSERT INTO instances (name, started_at, lease_until) VALUES ($1, $2, ",
    now!(),
    " + $3) RETURNING id, ",
    now!()
);
const RENEW: &str = concat!(
    "UPDATE instances i SET lease_until = ",
    now!(),
    " + $2 FROM (SELECT id, lease_until FROM instances WHERE id = $1 FOR UPDATE) old
    WHERE i.id = old.id RETURNING old.lease_until > ",
    now!(),
    ", ",
    now!()
);
const ANY_ENDED: &str =
    concat!("SELECT EXISTS (SELECT 1 FROM instances WHERE lease_until <= ", now!(), ")");
const LEAD: &str = concat!(
    "INSERT INTO leaders AS l (role, instance)
        SELECT $1, id FROM instances WHERE id = $2 AND lease_until > ",
    now!(),
    " ON CONFLICT (role) DO UPDATE SET instance = excluded.instance
        WHERE l.instance = excluded.instance OR NOT EXISTS
            (SELECT 1 FROM instances i WHERE i.id = l.instance AND i.lease_until > ",
    now!(),
    ") RETURNING 1"
);
/// Who has a role, if a lease in force says so.
const LEADER: &str = concat!(
    "SELECT l.instance = $2 FROM leaders l JOIN instances i ON i.id = l.instance
    WHERE l.role = $1 AND i.lease_until > ",
    now!()
);
const VIEW: &str = concat!(
    "SELECT i.id, i.name, i.started_at, i.lease_until - ",
    now!(),
    ", coalesce((SELECT string_agg(l.role, ',' ORDER BY l.role) FROM leaders l
        WHERE l.instance = i.id), '') FROM instances i ORDER BY i.id"
);

/// What this process knows of its own lease.
#[derive(Debug, Default)]
struct Standing {
    /// The lease covers what ends before this.
    until: Option<Instant>,
    /// It was renewed without a gap since then.
    steady: Option<Instant>,
}

/// This process among the others.
pub(super) struct Membership {
    name: String,
    lease: Duration,
    clock: Arc<DatabaseClock>,
    /// It gives everything up, and does not come back.
    retired: AtomicBool,
    /// Row in `instances`; 0 while it has none.
    id: AtomicI64,
    standing: Mutex<Standing>,
}

impl Membership {
    pub fn new(name: &str, lease: Duration, clock: Arc<DatabaseClock>) -> Membership {
        Membership {
            name: name.to_owned(),
            lease,
            clock,
            retired: AtomicBool::new(false),
            id: AtomicI64::new(0),
            standing: Mutex::default(),
        }
    }

    /// Keeps its lease no longer: the others take over once that has ended.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Whether it keeps no lease any more.
    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    pub fn id(&self) -> i64 {
        self.id.load(Ordering::Acquire)
    }

    pub fn is_member(&self) -> bool {
        self.id() != 0
    }

    /// How long a lease lasts, in the database's unit.
    pub fn lease_ms(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX)
    }

    /// How often it is renewed.
    pub fn beat(&self) -> Duration {
        self.lease / 3
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what begins now and takes this long ends within the lease.
    pub fn covers(&self, time: Duration) -> bool {
        let until = self.standing().until;
        !self.is_retired() && until.is_some_and(|until| Instant::now() + time < until)
    }

    /// Takes a place of its own; what another place of this process had is not its any more.
    pub async fn join(&self, session: &Session) -> Result<(), StoreError> {
        let (asked, wall) = (Instant::now(), self.clock.monotonic());
        let at = self.clock.now().as_millisecond();
        let params: super::connection::Params<'_> = &[&self.name, &at, &self.lease_ms()];
        let row = session.row(JOIN, params).await?.ok_or_else(odd)?;
        self.clock.heard(instant(column(&row, 1)?)?, wall);
        *self.standing() = Standing { until: Some(asked + self.lease), steady: Some(asked) };
        self.id.store(column(&row, 0)?, Ordering::Release);
        Ok(())
    }

    /// The place was given back.
    pub fn left(&self) {
        self.id.store(0, Ordering::Release);
        *self.standing() = Standing::default();
    }

    /// Whether the beat was missed: then others are given as much time to come back as this one.
    pub fn missed(&self) {
        self.standing().steady = None;
    }

    /// Renews the lease; tells whether some other's has ended for longer than this one has been
    /// renewed without a gap. After an outage of the database all leases have ended: none is taken
    /// for dead before it had a whole lease's time to come back.
    pub async fn renew(&self, session: &Session) -> Result<bool, StoreError> {
        let (asked, wall) = (Instant::now(), self.clock.monotonic());
        let row = session.row(RENEW, &[&self.id(), &self.lease_ms()]).await?;
        let Some(row) = row else {
            tracing::warn!(
                code = codes::LEASE_LOST.code,
                action = "what it had under way is resolved as an interrupted send",
                "others have taken this instance for ended: it begins anew"
            );
            self.join(session).await?;
            return Ok(false);
        };
        self.clock.heard(instant(column(&row, 1)?)?, wall);
        let in_time: bool = column(&row, 0)?;
        if asked.duration_since(self.renewed(asked, in_time)) < self.lease {
            return Ok(false);
        }
        column(&session.row(ANY_ENDED, &[]).await?.ok_or_else(odd)?, 0)
    }

    /// Since when the lease has been renewed without a gap.
    fn renewed(&self, asked: Instant, in_time: bool) -> Instant {
        let mut standing = self.standing();
        standing.until = Some(asked + self.lease);
        if !in_time {
            standing.steady = None;
        }
        *standing.steady.get_or_insert(asked)
    }

    /// Whether this instance has the role, or takes it over from one whose lease has ended.
    pub async fn lead(&self, session: &Session, role: &str) -> Result<bool, StoreError> {
        if self.is_retired() {
            return Ok(false);
        }
        // Asked often, changed seldom: looking writes nothing.
        if let Some(row) = session.row(LEADER, &[&role, &self.id()]).await? {
            return column(&row, 0);
        }
        Ok(session.row(LEAD, &[&role, &self.id()]).await?.is_some())
    }
}

/// What instances without a lease had under way may have been applied: it is `unknown`, due now,
/// never simply sent again. With `own` this instance ends, too.
pub(super) async fn sweep(
    tx: &mut Tx<'_>,
    instance: i64,
    own: bool,
    at: Timestamp,
) -> Result<(), StoreError> {
    let sql = concat!(
        "WITH ended AS (SELECT id FROM instances WHERE (lease_until <= ",
        now!(),
        " AND id <> $1) OR (id = $1 AND $2) FOR UPDATE)
        DELETE FROM instances i USING ended WHERE i.id = ended.id"
    );
    tx.execute(sql, &[&instance, &own]).await?;
    let sql = "DELETE FROM leaders l
        WHERE NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = l.instance)";
    tx.execute(sql, &[]).await?;
    if own {
        let sql = "UPDATE exchanges SET owner = NULL, reserved_until = 0
            WHERE owner = $1 AND due IS NOT NULL";
        tx.execute(sql, &[&instance]).await?;
        tx.execute("DELETE FROM writers WHERE instance = $1", &[&instance]).await?;
    }
    let sql = "WITH lost AS (
            UPDATE exchanges e SET state = 'unknown', due = $1, since = $1, fence = e.fence + 1,
                maybe_applied = true, was_unknown = true, code = $2, stage = $3, detail = '',
                owner = NULL
            WHERE e.state = 'sending'
                AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = e.owner)
            RETURNING e.id, e.attempts),
        told AS (UPDATE attempts a SET outcome = 'unknown', finished_at = $1
            FROM lost WHERE a.exchange = lost.id AND a.number = lost.attempts)
        SELECT count(*) FROM lost";
    let code = codes::INTERRUPTED_WHILE_SENDING.code;
    let stage = Stage::Deliver.name();
    let row = tx.one(sql, &[&at.as_millisecond(), &code, &stage]).await?;
    let count: i64 = column(&row, 0)?;
    if count > 0 {
        tx.append(&Entry::new(&Draft {
            outcome: Some("unknown".to_owned()),
            code: Some(code.to_owned()),
            reason: Some(format!("exchanges: {count}")),
            ..Draft::new(Kind::System, Phase::Noted, at)
        }));
    }
    Ok(())
}

/// Every instance that has not ended.
pub(super) async fn view(session: &Session) -> Result<Vec<InstanceView>, StoreError> {
    let rows = session.query(VIEW, &[]).await?;
    rows.iter()
        .map(|row| {
            let roles: String = column(row, 4)?;
            Ok(InstanceView {
                id: column(row, 0)?,
                name: column(row, 1)?,
                started_at: super::views::text(column(row, 2)?)?,
                lease_seconds: column::<i64>(row, 3)?.div_euclid(1_000),
                roles: roles
                    .split(',')
                    .filter(|role| !role.is_empty())
                    .map(str::to_owned)
                    .collect(),
            })
        })
        .collect()
}
