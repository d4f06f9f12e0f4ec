//! file-in: looks at a place, takes whole files, makes a message of each record, puts the file
//! away. See ADR 0033.

use super::manifest::{LARGEST, Manifest};
use super::parse::{self, Record};
use super::state::{self, Finishing, Known, Progress};
use super::{Failed, edges, place, results, tell};
use crate::adapter::file::{Done, FileIn, Found, OnBad, Whole, path_of};
use crate::adapter::{Adapter, Operation};
use crate::model::codes::message as codes;
use crate::model::codes::transport;
use crate::model::{Class, Failure};
use crate::pipeline::accept::{self, Arrival, Origin};
use crate::pipeline::context::{Context, Counterpart};
use crate::pipeline::scan::{self, Cleared};
use crate::pipeline::{hex_digest, pull, settle, signed};
use crate::store::{Accepted, StoreError};
use crate::telemetry::{crash, names};
use crate::transport::place::{Entry, Place};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Records accepted at the same time: they share commits, and keep their order.
const TOGETHER: usize = 128;
/// Records between two words on how far a file has come.
const STRETCH: usize = 1_024;

/// Looks until `stop`.
pub async fn run(
    operation: Arc<Operation>,
    counterpart: Arc<Counterpart>,
    cx: Arc<Context>,
    mut stop: watch::Receiver<bool>,
) {
    let Some(every) = operation.file_in.as_ref().map(|rule| rule.every) else { return };
    let role = format!("file-in:{}/{}", counterpart.adapter.name, operation.name);
    let mut clerk = Clerk::new(operation, counterpart.adapter.name.clone(), Arc::clone(&cx));
    while !*stop.borrow() {
        if cx.accepting.refused_because().is_none()
            && cx.store.lead(role.clone()).await.unwrap_or(false)
        {
            clerk.pass().await;
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Who reads the files of one operation.
pub struct Clerk {
    pub(super) adapter: String,
    pub(super) operation: Arc<Operation>,
    pub(super) cx: Arc<Context>,
    /// Sizes of files, and since when they have been so.
    sizes: HashMap<String, (u64, Timestamp)>,
}

/// A file that is read.
pub(super) struct Candidate {
    pub name: String,
    pub found: Found,
    pub path: String,
    marker: Option<String>,
}

/// A file that cannot be used, and why.
struct Unfit(Failed);

impl Clerk {
    /// One who has seen nothing yet.
    pub fn new(operation: Arc<Operation>, adapter: String, cx: Arc<Context>) -> Clerk {
        Clerk { adapter, operation, cx, sizes: HashMap::new() }
    }

    pub(super) fn title(&self) -> String {
        format!("{}/{}", self.adapter, self.operation.name)
    }

    /// Looks once, and reads what is whole.
    pub async fn pass(&mut self) {
        let Some(counterpart) = self.cx.counterpart(&self.adapter) else { return };
        if counterpart.closed(self.cx.clock.now()).is_some() {
            return;
        }
        let current = counterpart.adapter.operations.get(&self.operation.name);
        let operation = Arc::clone(current.unwrap_or(&self.operation));
        let Some(rule) = &operation.file_in else { return };
        let done = self.look(&operation, rule, &counterpart).await;
        tell(&self.cx, &self.title(), "place", done.err());
    }

    async fn look(
        &mut self,
        operation: &Arc<Operation>,
        rule: &FileIn,
        counterpart: &Counterpart,
    ) -> Result<(), Failed> {
        let place = place(counterpart, &rule.place)?;
        let now = self.cx.clock.now();
        let known = state::load(self.cx.store.as_ref(), &self.adapter, &operation.name).await?;
        let mut known = match known {
            Some(known) => known,
            None => {
                let known = Known { since: now.as_millisecond(), ..Known::default() };
                self.save(&known).await?;
                known
            }
        };
        if let Some(finishing) = known.finishing.clone() {
            self.finish(&finishing, place.as_ref()).await?;
            known.finishing = None;
            self.save(&known).await?;
        }
        let entries = match place.list(&rule.folder).await {
            Ok(entries) => entries,
            Err(error) => {
                // What cannot be looked for is late all the same.
                self.expect(rule, &known, now);
                return Err(error.into());
            }
        };
        for candidate in self.whole(rule, &entries, now) {
            if self.cx.accepting.refused_because().is_some() {
                return Ok(());
            }
            let adapter = &counterpart.adapter;
            match self
                .read(&candidate, &entries, operation, rule, adapter, place.as_ref(), &mut known)
                .await?
            {
                Ok(()) => {}
                Err(Unfit(failed)) => {
                    self.put_aside(&candidate, rule, failed, place.as_ref(), &mut known).await?
                }
            }
        }
        if let Some(settles) = &rule.settles {
            results::overdue(self, settles).await?;
        }
        self.expect(rule, &known, now);
        Ok(())
    }

    async fn save(&self, known: &Known) -> Result<(), Failed> {
        state::save(self.cx.store.as_ref(), &self.adapter, &self.operation.name, known).await
    }

    /// Files that are whole, in the order of their sets and names.
    fn whole(&mut self, rule: &FileIn, entries: &[Entry], now: Timestamp) -> Vec<Candidate> {
        let is_there = |name: &str| entries.iter().any(|entry| entry.name == name);
        let mut found = Vec::new();
        let mut sizes = HashMap::new();
        for entry in entries {
            let Some(told) = rule.name.recognise(&entry.name) else { continue };
            let marker = match &rule.whole {
                Whole::Marker(template) | Whole::Manifest(template) => {
                    let Some(marker) = template.beside(&told).filter(|name| is_there(name)) else {
                        continue;
                    };
                    Some(marker).filter(|marker| *marker != entry.name)
                }
                Whole::Still(time) => {
                    let before = self.sizes.get(&entry.name).copied();
                    let since =
                        before.filter(|(size, _)| *size == entry.size).map_or(now, |(_, at)| at);
                    sizes.insert(entry.name.clone(), (entry.size, since));
                    if settle::elapsed(since, now) < *time {
                        continue;
                    }
                    None
                }
            };
            let path = path_of(&rule.folder, &entry.name);
            found.push(Candidate { name: entry.name.clone(), found: told, path, marker });
        }
        self.sizes = sizes;
        let order = |one: &Candidate| (one.found.set, one.found.date.clone(), one.found.part);
        found.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name)));
        found
    }

    /// Reads one file to its end and puts it away.
    #[expect(clippy::too_many_arguments, reason = "one file, where it is, and what is known of it")]
    async fn read(
        &self,
        candidate: &Candidate,
        entries: &[Entry],
        operation: &Arc<Operation>,
        rule: &FileIn,
        adapter: &Arc<Adapter>,
        place: &dyn Place,
        known: &mut Known,
    ) -> Result<Result<(), Unfit>, Failed> {
        let content = match place.read(&candidate.path, rule.max_bytes).await {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(Ok(())),
            Err(error) if error.code == &transport::FILE_TOO_LARGE => {
                return Ok(Err(unfit(
                    &candidate.name,
                    &format!("more than {} bytes", rule.max_bytes),
                )));
            }
            Err(error) => return Err(error.into()),
        };
        // First of all: what lies in `aside` for a person to look at was scanned, too.
        let cleared = match scan::clear_file(adapter, operation, &content, &self.cx).await {
            Ok(cleared) => cleared,
            Err(failure) => {
                return self.refuse(candidate, adapter, operation, failure).await.map(Err);
            }
        };
        let promised = match self.promised(candidate, entries, rule, &content, place).await? {
            Ok(promised) => promised,
            Err(unfit) => return Ok(Err(unfit)),
        };
        let digest = hex_digest(&content);
        let told = format!("{}:{digest}", candidate.name);
        let key = self.cx.keys.idempotency_key(&self.adapter, &operation.name, &told, "file");
        // From here on only what is signed is read, where a signature is demanded.
        let content = match &rule.signature {
            None => content,
            Some(signature) => match signed::file(&content, adapter, signature, &self.cx) {
                Ok(signed) => signed.into(),
                Err(failure) => {
                    return self.refuse(candidate, adapter, operation, failure).await.map(Err);
                }
            },
        };
        let records = match records(rule, &candidate.name, &content) {
            Ok(records) => records,
            Err(unfit) => return Ok(Err(unfit)),
        };
        if promised.is_some_and(|count| rule.each_record && count != records.len() as u64) {
            let detail = format!("{}: {} records", candidate.name, records.len());
            return Ok(Err(Unfit(Failed::new(&codes::FILE_DIFFERS, detail))));
        }
        let bad = records.iter().find_map(|record| record.found.as_ref().err());
        if let (OnBad::RefuseFile, Some(bad)) = (rule.on_bad, bad) {
            return Ok(Err(unfit(&candidate.name, &bad.detail)));
        }
        let found = records.iter().filter_map(document);
        if let Err(failure) = scan::clear_records(adapter, operation, found, &self.cx).await {
            return self.refuse(candidate, adapter, operation, failure).await.map(Err);
        }
        if let Some(cleared) = &cleared {
            let entry = scan::note_file(adapter, operation, cleared, &key, &self.cx);
            self.cx.store.note(vec![entry]).await?;
        }
        let count = records.len() as u64;
        self.short(rule, known, count, &candidate.name);
        if let Some(settles) = &rule.settles {
            results::settle(self, settles, candidate, &records).await?;
        }
        if rule.message_type.is_some() || bad.is_some() {
            let cleared = cleared.as_ref();
            self.accept(records, &key, candidate, operation, rule, adapter, cleared, known).await?;
        }
        let to = match &rule.done {
            Done::Move(folder) => Some(path_of(folder, &candidate.name)),
            Done::Remove => None,
        };
        known.read(self.cx.clock.now().as_millisecond(), count);
        self.count_file("done");
        self.leave(candidate, entries, rule, to, place, known).await?;
        Ok(Ok(()))
    }

    /// Checks a manifest; gives the number of records it promises.
    async fn promised(
        &self,
        candidate: &Candidate,
        entries: &[Entry],
        rule: &FileIn,
        content: &Bytes,
        place: &dyn Place,
    ) -> Result<Result<Option<u64>, Unfit>, Failed> {
        let (Whole::Manifest(_), Some(name)) = (&rule.whole, &candidate.marker) else {
            return Ok(Ok(None));
        };
        let differs = |why: &str| {
            let detail = format!("{}: {why}", candidate.name);
            Ok(Err(Unfit(Failed::new(&codes::FILE_DIFFERS, detail))))
        };
        if !entries.iter().any(|entry| entry.name == *name) {
            return differs("the manifest is gone");
        }
        let bytes = place.read(&path_of(&rule.folder, name), LARGEST).await?;
        let Some(manifest) = bytes.as_deref().and_then(Manifest::read) else {
            return differs("the manifest cannot be read");
        };
        let Some(listed) = manifest.files.iter().find(|file| file.name == candidate.name) else {
            return differs("the manifest does not name it");
        };
        if listed.bytes != content.len() as u64 || listed.sha256 != hex_digest(content) {
            return differs("other bytes than the manifest says");
        }
        Ok(Ok(listed.records))
    }

    /// Accepts the records, each under an id of its own that is the same every time.
    #[expect(
        clippy::too_many_arguments,
        reason = "records, where they come from, and how far it is"
    )]
    async fn accept(
        &self,
        records: Vec<Record>,
        key: &str,
        candidate: &Candidate,
        operation: &Arc<Operation>,
        rule: &FileIn,
        adapter: &Arc<Adapter>,
        cleared: Option<&Cleared>,
        known: &mut Known,
    ) -> Result<(), Failed> {
        let before = known.progress.as_ref().filter(|progress| progress.key == key);
        let mut done = before.map_or(0, |progress| progress.records);
        let mut records = records.into_iter().skip(done).peekable();
        while records.peek().is_some() {
            if self.cx.accepting.refused_because().is_some() {
                return Err(Failed::new(&codes::INTERRUPTED, "messages are not taken at present"));
            }
            let stretch: Vec<Record> = records.by_ref().take(STRETCH).collect();
            done += stretch.len();
            let accepted = stream::iter(stretch)
                .map(|record| {
                    self.accept_one(record, key, candidate, operation, rule, adapter, cleared)
                })
                .buffered(TOGETHER);
            let accepted: Vec<Result<&'static str, StoreError>> = accepted.collect().await;
            for result in accepted {
                self.count(result?);
            }
            crash::reach("file:accepted");
            known.progress = Some(Progress { key: key.to_owned(), records: done });
            if records.peek().is_some() {
                self.save(known).await?;
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "one record, and where it comes from")]
    async fn accept_one(
        &self,
        record: Record,
        key: &str,
        candidate: &Candidate,
        operation: &Arc<Operation>,
        rule: &FileIn,
        adapter: &Arc<Adapter>,
        cleared: Option<&Cleared>,
    ) -> Result<&'static str, StoreError> {
        // What has a name of its own is the same in whatever file it comes.
        let own = |value: &Value| match rule.id.as_ref()?.find(value)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let id = match record.found.as_ref().ok().and_then(own) {
            Some(own) => {
                self.cx.keys.idempotency_key(&self.adapter, &operation.name, &own, "record")
            }
            None => format!("{key}-{}", record.number),
        };
        let arrival = |body: Vec<u8>| Arrival {
            source: self.adapter.clone(),
            origin: Origin::Pulled {
                adapter: Arc::clone(adapter),
                operation: Arc::clone(operation),
            },
            message_id: Some(id.clone()),
            message_type: rule.message_type.clone(),
            content_type: None,
            correlation_id: None,
            reply_to: None,
            traceparent: None,
            operator: None,
            municipality: None,
            body: body.into(),
            cleared: cleared.cloned(),
        };
        let accepted = match &record.found {
            Ok(_) if rule.message_type.is_none() => return Ok("settled"),
            Ok(value) => {
                let body = rule.content.record.codec.encode(value);
                let body = body.unwrap_or_else(|_| value.to_string().into_bytes());
                accept::accept(&arrival(body), &self.cx).await?
            }
            Err(bad) => {
                let failure = parse::failure(&candidate.name, &bad.detail);
                let accepted =
                    accept::put_aside(&arrival(bad.body.clone()), failure, &self.cx).await?;
                return Ok(if accepted == Accepted::Duplicate { "duplicate" } else { "dead" });
            }
        };
        Ok(match accepted {
            Accepted::New { .. } => "new",
            Accepted::Duplicate => "duplicate",
            Accepted::Quarantined => "dead",
        })
    }

    /// A file that may never go on is put aside, with an entry of the record; one that cannot be
    /// judged yet stays where it is.
    async fn refuse(
        &self,
        candidate: &Candidate,
        adapter: &Adapter,
        operation: &Operation,
        failure: Failure,
    ) -> Result<Unfit, Failed> {
        if failure.class == Class::TryAgain {
            return Err(failure.into());
        }
        let entry = signed::note_file(adapter, operation, &failure, &self.cx);
        self.cx.store.note(vec![entry]).await?;
        let detail = format!("{}: {}", candidate.name, failure.detail);
        Ok(Unfit(Failed::new(failure.code, detail)))
    }

    /// A bad file goes to its own folder, whole.
    async fn put_aside(
        &self,
        candidate: &Candidate,
        rule: &FileIn,
        failed: Failed,
        place: &dyn Place,
        known: &mut Known,
    ) -> Result<(), Failed> {
        let (operation, code) = (self.title(), failed.code);
        tracing::warn!(
            operation,
            code = code.code,
            detail = failed.detail,
            action = code.remedy,
            "file put aside"
        );
        self.cx.files.set(&operation, "aside", Some(failed));
        self.count_file("aside");
        let to = Some(path_of(&rule.aside, &candidate.name));
        self.leave(candidate, &[], rule, to, place, known).await
    }

    /// Puts a file away, with its marker, so that a crash in between is carried on.
    async fn leave(
        &self,
        candidate: &Candidate,
        entries: &[Entry],
        rule: &FileIn,
        to: Option<String>,
        place: &dyn Place,
        known: &mut Known,
    ) -> Result<(), Failed> {
        // A marker or manifest may speak of several files: the last one takes it away.
        let template = match &rule.whole {
            Whole::Marker(template) | Whole::Manifest(template) => Some(template),
            Whole::Still(_) => None,
        };
        let others = entries.iter().any(|entry| {
            let marker = || template?.beside(&rule.name.recognise(&entry.name)?);
            entry.name != candidate.name
                && candidate.marker.is_some()
                && marker() == candidate.marker
        });
        let still_there = others && self.is_needed(candidate, entries, rule, place).await?;
        let marker = candidate.marker.as_ref().filter(|_| !still_there);
        let marker = marker.map(|marker| path_of(&rule.folder, marker));
        let finishing = Finishing { path: candidate.path.clone(), to, marker };
        known.progress = None;
        known.finishing = Some(finishing.clone());
        self.save(known).await?;
        crash::reach("file:finishing");
        self.finish(&finishing, place).await?;
        crash::reach("file:moved");
        known.finishing = None;
        self.save(known).await
    }

    /// Whether another file of the same marker is there still.
    async fn is_needed(
        &self,
        candidate: &Candidate,
        entries: &[Entry],
        rule: &FileIn,
        place: &dyn Place,
    ) -> Result<bool, Failed> {
        let (Whole::Marker(template) | Whole::Manifest(template)) = &rule.whole else {
            return Ok(false);
        };
        let now = if entries.is_empty() { Vec::new() } else { place.list(&rule.folder).await? };
        Ok(now.iter().any(|entry| {
            let told = rule.name.recognise(&entry.name);
            entry.name != candidate.name
                && told.and_then(|told| template.beside(&told)) == candidate.marker
        }))
    }

    async fn finish(&self, finishing: &Finishing, place: &dyn Place) -> Result<(), Failed> {
        match &finishing.to {
            Some(to) => place.rename(&finishing.path, to).await?,
            None => place.remove(&finishing.path).await?,
        }
        if let Some(marker) = &finishing.marker {
            place.remove(marker).await?;
        }
        Ok(())
    }

    /// Says that a file has far fewer records than is usual.
    fn short(&self, rule: &FileIn, known: &Known, count: u64, name: &str) {
        let Some(expect) = rule.expect.as_ref().filter(|expect| expect.min_percent > 0) else {
            return;
        };
        let usual = known.usual().unwrap_or(0);
        let least = usual.saturating_mul(expect.min_percent).div_ceil(100);
        let short = (count < least).then(|| {
            let detail = format!("{name}: {count} records, at least {least} expected");
            Failed::new(&codes::FILE_SHORT, detail)
        });
        let (counterpart, operation) = (self.adapter.clone(), self.operation.name.clone());
        metrics::gauge!(names::FILE_SHORT, "counterpart" => counterpart, "operation" => operation)
            .set(if short.is_some() { 1.0 } else { 0.0 });
        tell(&self.cx, &self.title(), "short", short);
    }

    /// Says that a file is late.
    fn expect(&self, rule: &FileIn, known: &Known, now: Timestamp) {
        let Some(expect) = &rule.expect else { return };
        let Some(due) = expect.last(now) else { return };
        let late = match known.last_at {
            Some(last) => last < expect.opened(due).as_millisecond(),
            // Nothing was expected before we looked.
            None => known.since <= due.as_millisecond(),
        };
        let (counterpart, operation) = (self.adapter.clone(), self.operation.name.clone());
        metrics::gauge!(names::FILE_LATE, "counterpart" => counterpart, "operation" => operation)
            .set(if late { 1.0 } else { 0.0 });
        let note = late.then(|| {
            let last = known.last_at.and_then(|at| Timestamp::from_millisecond(at).ok());
            let last = last.map_or_else(|| "never".to_owned(), pull::japan_time);
            Failed::new(
                &codes::FILE_LATE,
                format!("last file {last}, expected by {}", pull::japan_time(due)),
            )
        });
        tell(&self.cx, &self.title(), "late", note);
    }

    pub(super) fn count(&self, result: &'static str) {
        let (counterpart, operation) = (self.adapter.clone(), self.operation.name.clone());
        metrics::counter!(names::FILE_RECORDS, "counterpart" => counterpart,
            "operation" => operation, "result" => result)
        .increment(1);
    }

    fn count_file(&self, result: &'static str) {
        let (counterpart, operation) = (self.adapter.clone(), self.operation.name.clone());
        metrics::counter!(names::FILES_READ, "counterpart" => counterpart,
            "operation" => operation, "result" => result)
        .increment(1);
    }
}

/// The records of a file, or the file as one.
fn records(rule: &FileIn, name: &str, content: &[u8]) -> Result<Vec<Record>, Unfit> {
    if !rule.each_record {
        let document = parse::whole(&rule.content, content).map_err(|why| unfit(name, &why))?;
        return Ok(vec![Record { number: 1, found: Ok(document) }]);
    }
    let found = edges::records(rule, content).map_err(|why| unfit(name, &why))?;
    found.map_err(|why| Unfit(Failed::new(&codes::FILE_DIFFERS, format!("{name}:{why}"))))
}

fn unfit(name: &str, why: &str) -> Unfit {
    Unfit(Failed::new(&codes::FILE_REFUSED, format!("{name}:{why}")))
}

/// The document of a record, for results.
pub(super) fn document(record: &Record) -> Option<&Value> {
    record.found.as_ref().ok()
}
