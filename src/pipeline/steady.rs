//! Steady: what is done when the machine's clock was set. Due times are wall times, because they
//! must outlive the process; whether wall time passes as it should is told by the monotonic clock.
//!
//! Set forward, everything seems due early: retries may be, questions about lost answers may not,
//! so they wait until their settle time has really passed. Set back, everything would wait as long
//! as the clock was set back: due times are set back with it.

use super::context::Context;
use crate::model::Clock;
use crate::policy::Steadiness;
use crate::record::time_of;
use crate::store::StoreError;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How often is looked, beside the looks before questions.
const EVERY: Duration = Duration::from_secs(1);

/// Entries of the record may be this much ahead of the clock: it is disciplined in small steps.
const AHEAD: Duration = Duration::from_secs(1);

/// Whether the clock was set, shared by all who ask.
#[derive(Debug, Default)]
pub struct Steady(Mutex<Steadiness>);

impl Steady {
    /// What is left until `time` has passed since the clock was last set.
    pub fn rest(&self, clock: &dyn Clock, time: Duration) -> Duration {
        self.look(clock);
        self.lock().rest(clock.monotonic(), time)
    }

    fn look(&self, clock: &dyn Clock) {
        let set = self.lock().look(clock.now(), clock.monotonic());
        if let Some(set) = set {
            tracing::warn!(
                seconds = set.as_secs(),
                action = "keep the machine's time synchronised",
                "the clock was set, or the machine slept: what waits keeps its order"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Steadiness> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches until `stop`.
pub async fn run(cx: Arc<Context>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        follow(&cx).await;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

/// One look, and due times set back when the clock was.
pub(super) async fn follow(cx: &Context) {
    cx.steady.look(&*cx.clock);
    let by = cx.steady.lock().take_set_back();
    if by.is_zero() {
        return;
    }
    match cx.store.set_back(by, cx.clock.now()).await {
        Ok(0) => {}
        Ok(moved) => {
            tracing::info!(count = moved, seconds = by.as_secs(), "due times set back");
            cx.wake_all();
        }
        // The guard tells of a store that cannot write; tried again with the next look.
        Err(_) => cx.steady.lock().owe(by),
    }
}

/// At a start: whether the clock was set forward meanwhile nobody can tell, so questions wait as if it
/// had been, until their settle time has passed since now. Where the newest entry of the record lies ahead of the clock, that was set back while
/// nobody looked, by at least as much.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn at_start(cx: &Context) -> Result<(), StoreError> {
    cx.steady.lock().begin(cx.clock.monotonic());
    let newest = i64::try_from(cx.store.tree().await?.size()).unwrap_or(i64::MAX);
    let rows = cx.store.record(newest.saturating_sub(1), 1).await?;
    let now = cx.clock.now();
    let ahead = rows.last().and_then(|row| time_of(&row.entry)).map(|at| at.duration_since(now));
    let Some(by) = ahead.and_then(|ahead| Duration::try_from(ahead).ok()) else { return Ok(()) };
    let moved = if by > AHEAD { cx.store.set_back(by, now).await? } else { 0 };
    if moved > 0 {
        tracing::warn!(
            count = moved,
            seconds = by.as_secs(),
            action = "keep the machine's time synchronised",
            "the clock was set back since the last entry: due times set back"
        );
    }
    Ok(())
}
