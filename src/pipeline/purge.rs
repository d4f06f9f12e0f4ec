//! Purge: now and then, what has been kept long enough goes, in steps so small that the traffic
//! does not notice. Each run that took something is an entry of the record.

use super::context::Context;
use crate::record::{Draft, Kind, Phase};
use crate::store::StoreError;
use crate::store::purge::{Purge, Purging};
use crate::telemetry::names;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Between two runs.
const EVERY: Duration = Duration::from_secs(3_600);
/// Before the first one: a start has other things to do.
const FIRST: Duration = Duration::from_secs(60);
/// Rows looked at in one step.
const LIMIT: usize = 200;
/// Least pause between two steps.
const PAUSE: Duration = Duration::from_millis(10);
/// The steps take at most one part in so many of the time.
const SHARE: u32 = 10;

/// How long what is kept, from its end on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Original bodies.
    pub bodies: Duration,
    /// Answers that upstream has taken.
    pub answers: Duration,
    /// Ids of messages, their exchanges and attempts: as long as one may be posted again.
    pub messages: Duration,
}

impl Retention {
    fn of(&self, what: Purging) -> Duration {
        match what {
            Purging::Bodies => self.bodies,
            Purging::Answers => self.answers,
            Purging::Messages => self.messages,
        }
    }
}

/// Purges until `stop`.
pub async fn run(cx: Arc<Context>, retention: Retention, mut stop: watch::Receiver<bool>) {
    let mut wait = FIRST;
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => return,
        }
        wait = EVERY;
        // Of several instances one purges.
        if cx.store.lead("purge".to_owned()).await.unwrap_or(false)
            && let Err(error) = once(&cx, &retention, &stop).await
        {
            // Nothing is lost by it: the next run goes on.
            tracing::warn!(code = error.code.code, detail = error.detail, "purge interrupted");
        }
    }
}

/// One run over everything that is old enough; tells how many rows of each kind went.
///
/// # Errors
/// When the store cannot.
pub async fn once(
    cx: &Context,
    retention: &Retention,
    stop: &watch::Receiver<bool>,
) -> Result<Vec<(Purging, u64)>, StoreError> {
    let now = cx.clock.now();
    let mut counts = Vec::new();
    for what in Purging::ALL {
        // Older than time itself: nothing is.
        let Ok(before) = now.checked_sub(retention.of(what)) else { continue };
        let (mut rows, mut after) = (0, Some(0));
        while let Some(place) = after.filter(|_| !*stop.borrow()) {
            let begun = Instant::now();
            let step = Purge { what, before, after: place, limit: LIMIT };
            let purged = cx.store.purge(step).await?;
            rows += purged.rows;
            after = purged.next;
            metrics::counter!(names::PURGED, "what" => what.name()).increment(purged.rows);
            if after.is_some() {
                tokio::time::sleep(PAUSE.max(begun.elapsed() * SHARE)).await;
            }
        }
        counts.push((what, rows));
    }
    if counts.iter().any(|(_, rows)| *rows > 0) {
        let told: Vec<String> =
            counts.iter().map(|(what, rows)| format!("{} {rows}", what.name())).collect();
        let draft = Draft {
            outcome: Some("purged".to_owned()),
            reason: Some(told.join("; ")),
            bundle: cx.bundle().digest().into(),
            ..Draft::new(Kind::System, Phase::Noted, now)
        };
        cx.store.note(vec![draft]).await?;
        if !cx.store.scrub().await? {
            tracing::info!("the log still holds purged pages: a reader is in the way");
        }
    }
    let oldest = cx.store.oldest_body().await?;
    let age = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
    metrics::gauge!(names::OLDEST_BODY).set(age);
    Ok(counts)
}
