//! Seal: puts the record under signed checkpoints, and brings both off the machine.
//!
//! A log never signs what contradicts a checkpoint it signed before: [`check`] compares the record
//! with the newest stored and exported ones before anything is appended. When entries stay unsealed
//! for longer than the grace, nothing more is sent; messages are still taken, and sending goes on
//! by itself.

use super::context::{Accepting, Refusal};
use crate::archive::{Archive, export, failed};
use crate::model::Clock;
use crate::model::codes::store as codes;
use crate::record::checkpoint::{self, Signer};
use crate::record::index::{BLOCK, Builder};
use crate::record::segment::day_of;
use crate::record::{Checkpoint, Draft, Head, Kind, Phase, time_of};
use crate::store::record::tree_at;
use crate::store::{Store, StoreError};
use crate::telemetry::names;
use jiff::Timestamp;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Entries after which a checkpoint is signed at once.
const COUNT: u64 = 1_000;
/// Age of the oldest unsealed entry after which one is signed; with the tick within a second.
const AGE: Duration = Duration::from_millis(700);
/// How often is looked.
const TICK: Duration = Duration::from_millis(250);
/// How often what is sealed leaves the machine.
const EXPORT_EVERY: Duration = Duration::from_secs(30);
/// A day has ended when this much of the next one has passed: clocks of instances differ.
const DAY_ENDS: Duration = Duration::from_secs(300);
/// Rows read at once for the index.
const ROWS: usize = 1_000;
/// What only one instance does at a time.
const ROLE: &str = "seal";
/// Under which name it tells how many entries are exported.
const EXPORTED: &str = "record/exported";

/// How well the record is sealed; the workers and readiness look at it.
#[derive(Debug, Default)]
pub struct Sealing {
    late: Accepting,
    notes: Mutex<Vec<Refusal>>,
    exported: AtomicU64,
    export_fails: Mutex<Option<StoreError>>,
}

impl Sealing {
    /// Why nothing may be sent; `None` while it may.
    pub fn stops_sending(&self) -> Option<Refusal> {
        self.late.refused_because()
    }

    /// What is impaired without stopping anything.
    pub fn notes(&self) -> Vec<Refusal> {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let fails = self.export_fails.lock().unwrap_or_else(PoisonError::into_inner).clone();
        notes.extend(fails.map(|error| Refusal { code: error.code, detail: error.detail }));
        notes
    }

    /// Adds what holds for the whole run, such as a setting that is missing.
    pub fn note(&self, code: &'static crate::model::Code, detail: impl Into<String>) {
        let note = Refusal { code, detail: detail.into() };
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(note);
    }

    fn forget_export(&self) {
        *self.export_fails.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn set_export(&self, result: Result<u64, StoreError>) {
        let mut fails = self.export_fails.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(size) => {
                self.exported.fetch_max(size, Ordering::AcqRel);
                *fails = None;
            }
            Err(error) => {
                if fails.is_none() {
                    let (code, detail, action) =
                        (error.code.code, &error.detail, error.code.remedy);
                    tracing::error!(code, detail, action, "the record is not exported");
                }
                *fails = Some(error);
            }
        }
    }
}

/// What sealing works with.
pub struct Sealer {
    /// Whose record it is.
    pub store: Arc<dyn Store>,
    /// Wall time.
    pub clock: Arc<dyn Clock>,
    /// The keys.
    pub signer: Signer,
    /// Where it is exported to, if anywhere.
    pub archive: Option<Archive>,
    /// How long entries may be unsealed.
    pub grace: Duration,
    /// What the others see.
    pub sealing: Arc<Sealing>,
}

/// Compares the record with the newest checkpoints, stored and exported.
///
/// # Errors
/// `T404` when it contradicts one, `T405` when the archive cannot be read, `T410` when it is another
/// log's; what the store says.
pub async fn check(sealer: &Sealer) -> Result<(), StoreError> {
    let store = &*sealer.store;
    if let Some(last) = store.last_checkpoints(1).await?.first() {
        agrees(store, last.head, "the newest one in the store").await?;
    }
    let Some(archive) = &sealer.archive else { return Ok(()) };
    let newest = archive.newest().map_err(|error| failed(archive.folder(), &error))?;
    let Some(newest) = newest else { return Ok(()) };
    let forked = |why: &str| {
        StoreError::new(&codes::RECORD_FORKED, format!("the newest exported one: {why}"))
    };
    let own = sealer.signer.public();
    let origin = own.first().map_or("", |key| key.name());
    let (claimed, head) =
        checkpoint::claims(&newest).ok_or_else(|| forked("it is not readable"))?;
    if claimed != origin {
        let detail = format!("it is of `{claimed}`, the signing key of `{origin}`");
        return Err(StoreError::new(&codes::RECORD_OF_ANOTHER, detail));
    }
    match checkpoint::open(&newest, &own) {
        // Signed by a key that is no longer listed: what it says still binds us.
        Ok(_) | Err(checkpoint::NoteError::Unsigned) => {}
        Err(error) => return Err(forked(error.reason())),
    }
    agrees(store, head, "the newest exported one").await?;
    sealer.sealing.exported.fetch_max(head.size, Ordering::AcqRel);
    Ok(())
}

async fn agrees(store: &dyn Store, head: Head, which: &str) -> Result<(), StoreError> {
    let forked = |why: String| StoreError::new(&codes::RECORD_FORKED, format!("{which} {why}"));
    let size = store.tree().await?.size();
    if head.size > size {
        let why = format!("is of {} entries, the record has {size}", head.size);
        return Err(forked(why));
    }
    if tree_at(store, head.size).await?.root() != head.root {
        return Err(forked(format!("of {} entries has another root", head.size)));
    }
    Ok(())
}

/// Seals, exports and indexes until `stop`; the last entries are sealed and exported on the way out.
pub async fn run(sealer: Arc<Sealer>, stop: watch::Receiver<bool>) {
    let background = tokio::spawn(background(Arc::clone(&sealer), stop.clone()));
    foreground(&sealer, stop).await;
    // It ends at the same signal; a panic of its is not worth another.
    let _ = background.await;
    if sealer.leads().await.unwrap_or(false) {
        sealer.export().await;
    }
}

async fn foreground(sealer: &Sealer, mut stop: watch::Receiver<bool>) {
    let mut watch = Watch::default();
    let mut failing = false;
    loop {
        let stopping = *stop.borrow();
        let sealed = sealer.seal_as_leader(&mut watch, stopping).await;
        if let (Err(error), false) = (&sealed, failing) {
            let (code, detail) = (error.code.code, &error.detail);
            tracing::error!(code, detail, "the record is not sealed: trying again");
        }
        failing = sealed.is_err();
        sealer.judge(&mut watch).await;
        if stopping {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn background(sealer: Arc<Sealer>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if !sealer.leads().await.unwrap_or(false) {
            // The one that exports tells of its troubles itself.
            sealer.sealing.forget_export();
        } else {
            sealer.export().await;
            if let Err(error) = index(&*sealer.store, &stop).await {
                let (code, detail) = (error.code.code, &error.detail);
                tracing::warn!(code, detail, "the record is not indexed: searches take longer");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EXPORT_EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

/// What is remembered from tick to tick.
#[derive(Debug, Default)]
pub struct Watch {
    /// Since when there is something unsealed.
    unsealed: Option<Instant>,
    /// Entries that are safe, and the time of the first one that is not.
    oldest: Option<(u64, Timestamp)>,
}

impl Sealer {
    async fn leads(&self) -> Result<bool, StoreError> {
        self.store.lead(ROLE.to_owned()).await
    }

    /// Signs a checkpoint if one is due and this instance is the one that signs.
    ///
    /// # Errors
    /// What the store says.
    pub async fn seal_as_leader(&self, watch: &mut Watch, at_once: bool) -> Result<(), StoreError> {
        if self.leads().await? {
            return self.seal(watch, at_once).await;
        }
        watch.unsealed = None;
        Ok(())
    }

    /// Signs a checkpoint if one is due.
    ///
    /// # Errors
    /// What the store says.
    pub async fn seal(&self, watch: &mut Watch, at_once: bool) -> Result<(), StoreError> {
        let tree = self.store.tree().await?;
        let kept = self.store.last_checkpoints(2).await?;
        let sealed = kept.first().map_or(0, |last| last.head.size);
        #[expect(clippy::cast_precision_loss, reason = "a gauge; exact below 2^53")]
        metrics::gauge!(names::RECORD_ENTRIES).set(tree.size() as f64);
        if tree.size() <= sealed {
            watch.unsealed = None;
            return Ok(());
        }
        let since = *watch.unsealed.get_or_insert_with(Instant::now);
        if !at_once && tree.size() - sealed < COUNT && since.elapsed() < AGE {
            return Ok(());
        }
        let now = self.clock.now();
        let (key, old) = self.signer.at(now);
        let own = [key.public().clone()];
        let known = kept.first().is_some_and(|last| checkpoint::open(&last.note, &own).is_ok());
        let (tree, keys) = if known {
            (tree, vec![key])
        } else {
            let reason = format!("{} signs the record", key.public());
            let draft = Draft {
                outcome: Some("signing-key".to_owned()),
                reason: Some(reason),
                ..Draft::new(Kind::System, Phase::Noted, now)
            };
            self.store.note(vec![draft]).await?;
            // The key that goes signs the entry that names the one that comes.
            let before = kept.first().and(old);
            (self.store.tree().await?, before.into_iter().chain([key]).collect())
        };
        let at = kept.first().map_or(now, |last| now.max(last.at));
        let head = Head { size: tree.size(), root: tree.root() };
        let signed = Checkpoint::sign(head, &keys, at);
        let instead_of = superfluous(&kept, &signed);
        self.store.put_checkpoint(signed, instead_of).await?;
        watch.unsealed = None;
        Ok(())
    }

    /// Stops or allows sending.
    pub async fn judge(&self, watch: &mut Watch) {
        let age = match self.age(watch).await {
            Ok(age) => age,
            // The guard tells of a store that cannot be read; what was known goes on.
            Err(_) => watch.oldest.map_or(Duration::ZERO, |(_, at)| self.since(at)),
        };
        metrics::gauge!(names::RECORD_UNSEALED_SECONDS).set(age.as_secs_f64());
        let late = (age > self.grace).then(|| Refusal {
            code: &codes::RECORD_UNSEALED,
            detail: format!("for {} s, allowed are {} s", age.as_secs(), self.grace.as_secs()),
        });
        let stopped = self.sealing.late.refused_because().is_some();
        if stopped == late.is_some() {
            return;
        }
        match &late {
            Some(Refusal { code, detail }) => {
                let action = code.remedy;
                tracing::error!(code = code.code, detail, action, "sending stops");
            }
            None => tracing::info!("the record is sealed: sending goes on"),
        }
        self.sealing.late.set(late);
    }

    /// How long the oldest entry waits that is not sealed and, where it should be, exported.
    async fn age(&self, watch: &mut Watch) -> Result<Duration, StoreError> {
        let size = self.store.tree().await?.size();
        let safe = match &self.archive {
            Some(_) => self.exported(size).await?,
            None => self.store.last_checkpoints(1).await?.first().map_or(0, |last| last.head.size),
        };
        if size <= safe {
            watch.oldest = None;
            return Ok(Duration::ZERO);
        }
        let at = match watch.oldest {
            Some((size, at)) if size == safe => at,
            _ => {
                let after = i64::try_from(safe).unwrap_or(i64::MAX);
                let rows = self.store.record(after, 1).await?;
                let at = rows.first().and_then(|row| time_of(&row.entry));
                let at = at.unwrap_or_else(|| self.clock.now());
                watch.oldest = Some((safe, at));
                at
            }
        };
        Ok(self.since(at))
    }

    /// How many entries are off the machine: as far as this instance knows, or as the one that
    /// exports tells.
    async fn exported(&self, size: u64) -> Result<u64, StoreError> {
        let known = self.sealing.exported.load(Ordering::Acquire);
        if known >= size {
            return Ok(known);
        }
        let told = self.store.cursor(EXPORTED.to_owned()).await?;
        let told = told.and_then(|text| text.parse().ok()).unwrap_or(0);
        // What was told before the store was put back says nothing about what is in it now.
        if told <= size {
            self.sealing.exported.fetch_max(told, Ordering::AcqRel);
        }
        Ok(self.sealing.exported.load(Ordering::Acquire))
    }

    fn since(&self, at: Timestamp) -> Duration {
        Duration::try_from(self.clock.now().duration_since(at)).unwrap_or_default()
    }

    /// Brings the archive up to the newest checkpoint.
    pub async fn export(&self) {
        let Some(archive) = &self.archive else { return };
        let today = day_of(self.clock.now().checked_sub(DAY_ENDS).unwrap_or(Timestamp::MIN));
        let result = async {
            let (reached, newest) = export::bring_up(&*self.store, archive, today).await?;
            if let Some(newest) = newest {
                let put = archive.put_newest(&newest.note);
                put.map_err(|error| failed(archive.folder(), &error))?;
            }
            let told = self.store.cursor(EXPORTED.to_owned()).await?;
            let reached_text = reached.to_string();
            if told.as_deref() != Some(&reached_text) {
                self.store.set_cursor(EXPORTED.to_owned(), reached_text).await?;
            }
            Ok(reached)
        };
        self.sealing.set_export(result.await);
    }
}

/// The newest checkpoint so far, when the one that comes makes it needless: at most `COUNT` entries
/// of one day are between two that are kept.
fn superfluous(kept: &[Checkpoint], new: &Checkpoint) -> Option<u64> {
    let last = kept.first()?;
    let before = kept.get(1).map_or(0, |before| before.head.size);
    let same_day = day_of(last.at) == day_of(new.at);
    (same_day && new.head.size - before <= COUNT).then_some(last.head.size)
}

/// Indexes the blocks that are full by now, one after the other.
///
/// # Errors
/// What the store says.
pub async fn index(store: &dyn Store, stop: &watch::Receiver<bool>) -> Result<(), StoreError> {
    let pruned = store.pruned().await?;
    let mut number = next_block(store).await?;
    while (number + 1) * BLOCK <= store.tree().await?.size() {
        let mut builder = Builder::after_pruned(number, &pruned);
        while builder.after() < (number + 1) * BLOCK {
            if *stop.borrow() {
                return Ok(());
            }
            let after = i64::try_from(builder.after()).unwrap_or(i64::MAX);
            let rows = store.record(after, ROWS).await?;
            let taken = rows.iter().take_while(|row| builder.push(row)).count();
            if taken == 0 {
                return Ok(());
            }
        }
        if let Some(block) = builder.finish() {
            store.put_block(block).await?;
        }
        number += 1;
    }
    Ok(())
}

/// Number of the first block that is not indexed.
///
/// # Errors
/// What the store says.
pub async fn next_block(store: &dyn Store) -> Result<u64, StoreError> {
    const PAGE: usize = 10_000;
    let mut number = 0;
    loop {
        let page = store.block_roots(number, PAGE).await?.len();
        number += page as u64;
        if page < PAGE {
            return Ok(number);
        }
    }
}
