//! Scripted counterparts, publishers and scanners for tests of the pipeline; they do no I/O.

use super::{
    Finding, Outgoing, PublishError, Publisher, Request, Response, ScanError, Scanner, SendError,
    Target,
};
use futures_util::future::BoxFuture;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Answer = Box<dyn FnOnce(&Request) -> Result<Response, SendError> + Send>;

type Always = Arc<dyn Fn(&Request) -> Result<Response, SendError> + Send + Sync>;

/// A target that answers from a script and remembers what it was sent.
#[derive(Default)]
pub struct FakeTarget {
    script: Mutex<VecDeque<Answer>>,
    fallback: Mutex<Option<Always>>,
    requests: Mutex<Vec<Request>>,
    forgotten: Mutex<Vec<u64>>,
}

impl FakeTarget {
    /// A target with an empty script.
    pub fn new() -> FakeTarget {
        FakeTarget::default()
    }

    /// Adds one line to the script: how to answer the next request not yet spoken for.
    pub fn then(
        &self,
        answer: impl FnOnce(&Request) -> Result<Response, SendError> + Send + 'static,
    ) -> &FakeTarget {
        lock(&self.script).push_back(Box::new(answer));
        self
    }

    /// Adds an answer with this status, `application/json` and this body.
    pub fn then_json(&self, status: u16, body: &'static str) -> &FakeTarget {
        self.then(move |_| Ok(json(status, body)))
    }

    /// Adds a failure.
    pub fn then_error(&self, error: SendError) -> &FakeTarget {
        self.then(move |_| Err(error))
    }

    /// Answers whatever comes after the end of the script; without it that is a server error 599.
    pub fn always_json(&self, status: u16, body: &'static str) -> &FakeTarget {
        self.always(move |_| Ok(json(status, body)))
    }

    /// The same by a rule: a counterpart that remembers.
    pub fn always(
        &self,
        answer: impl Fn(&Request) -> Result<Response, SendError> + Send + Sync + 'static,
    ) -> &FakeTarget {
        *lock(&self.fallback) = Some(Arc::new(answer));
        self
    }

    /// Every request so far, in the order of sending.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.requests).clone()
    }

    /// The numbers of the tokens that were dropped.
    pub fn forgotten(&self) -> Vec<u64> {
        lock(&self.forgotten).clone()
    }
}

impl Target for FakeTarget {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, SendError>> {
        Box::pin(async move {
            let answer = lock(&self.script).pop_front();
            lock(&self.requests).push(request.clone());
            match answer {
                Some(answer) => answer(&request),
                None => {
                    let fallback = lock(&self.fallback).clone();
                    fallback.map_or_else(|| Ok(json(599, "")), |answer| answer(&request))
                }
            }
        })
    }

    fn forget_token(&self, number: u64) {
        lock(&self.forgotten).push(number);
    }
}

/// An answer with a JSON body and no `Retry-After`.
pub fn json(status: u16, body: &'static str) -> Response {
    Response {
        status,
        content_type: "application/json".to_owned(),
        retry_after: None,
        body: body.into(),
        token: None,
    }
}

/// A publisher that fails as scripted, then takes everything; it remembers what it took.
#[derive(Default)]
pub struct FakePublisher {
    failures: Mutex<VecDeque<PublishError>>,
    published: Mutex<Vec<Outgoing>>,
}

impl FakePublisher {
    /// A publisher that takes everything.
    pub fn new() -> FakePublisher {
        FakePublisher::default()
    }

    /// Fails the next publish not yet spoken for.
    pub fn then_fail(&self, error: PublishError) -> &FakePublisher {
        lock(&self.failures).push_back(error);
        self
    }

    /// Every message taken so far, in order.
    pub fn published(&self) -> Vec<Outgoing> {
        lock(&self.published).clone()
    }
}

impl Publisher for FakePublisher {
    fn publish(&self, message: Outgoing) -> BoxFuture<'_, Result<(), PublishError>> {
        Box::pin(async move {
            match lock(&self.failures).pop_front() {
                Some(error) => Err(error),
                None => {
                    lock(&self.published).push(message);
                    Ok(())
                }
            }
        })
    }
}

/// A scanner that finds one text, and fails as scripted; it remembers what it looked into.
#[derive(Default)]
pub struct FakeScanner {
    failures: Mutex<VecDeque<ScanError>>,
    is_down: AtomicBool,
    scanned: Mutex<Vec<Vec<u8>>>,
}

impl FakeScanner {
    /// What it finds.
    pub const BAD: &'static str = "watashi-test-malware";
    /// What it cannot look into.
    pub const LOCKED: &'static str = "watashi-test-locked";
    /// What it calls itself.
    pub const VERSION: &'static str = "ClamAV 0.0.0/1/test";

    /// Fails the next scan not yet spoken for.
    pub fn then_fail(&self, error: ScanError) -> &FakeScanner {
        lock(&self.failures).push_back(error);
        self
    }

    /// From now on it is not there, or there again.
    pub fn set_down(&self, down: bool) {
        self.is_down.store(down, Ordering::SeqCst);
    }

    /// Everything it looked into, in order.
    pub fn scanned(&self) -> Vec<Vec<u8>> {
        lock(&self.scanned).clone()
    }

    fn is_there(&self) -> Result<(), ScanError> {
        let down = self.is_down.load(Ordering::SeqCst);
        if down { Err(ScanError::Down("connection refused".to_owned())) } else { Ok(()) }
    }
}

impl Scanner for FakeScanner {
    fn version(&self) -> BoxFuture<'_, Result<String, ScanError>> {
        Box::pin(async move { self.is_there().map(|()| FakeScanner::VERSION.to_owned()) })
    }

    fn scan<'a>(&'a self, content: &'a [u8]) -> BoxFuture<'a, Result<Finding, ScanError>> {
        Box::pin(async move {
            self.is_there()?;
            lock(&self.scanned).push(content.to_vec());
            if let Some(error) = lock(&self.failures).pop_front() {
                return Err(error);
            }
            let holds = |text: &str| content.windows(text.len()).any(|one| one == text.as_bytes());
            Ok(match () {
                () if holds(FakeScanner::BAD) => Finding::Found("Test.Malware".to_owned()),
                () if holds(FakeScanner::LOCKED) => {
                    Finding::NotLookedInto("Heuristics.Encrypted.Test".to_owned())
                }
                () => Finding::Clean,
            })
        })
    }
}

/// A poisoned lock only means that another test thread failed while holding it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
