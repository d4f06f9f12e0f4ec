//! The tokens of one target: one for each scope and audience, with a number by which the answer to
//! a request tells which it was sent with.
//!
//! A token is renewed when 80 % of its life are over, by one caller at a time: while the old one is
//! still good the others go on with it, else they wait for the one under way and share its outcome.

use crate::model::TokenFor;
use crate::transport::SendError;
use axum::http::header::{HeaderName, HeaderValue};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Part of its life after which a token is renewed.
const RENEWED_AT: f64 = 0.8;
/// Tokens kept at once. What asks for more are definitions that changed while it ran.
const MOST: usize = 1_024;

/// A header value that authorises, and how long.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub name: HeaderName,
    pub value: HeaderValue,
    /// Unique among those of its target.
    pub number: u64,
    renew_at: Instant,
    ends_at: Instant,
}

/// What was fetched: header, value, and its life from now.
pub(super) type Fetched = (HeaderName, HeaderValue, Duration);

/// See the module.
#[derive(Default)]
pub(super) struct Tokens {
    slots: Mutex<HashMap<TokenFor, Arc<Slot>>>,
    issued: AtomicU64,
}

/// One token.
#[derive(Default)]
struct Slot {
    cache: Mutex<Cache>,
    /// Held while a token is fetched.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Cache {
    token: Option<Token>,
    /// Fetches that have ended, and how the last one failed.
    fetches: u64,
    failure: Option<SendError>,
}

impl Tokens {
    /// A token that is good; `fetch` gets one where there is none.
    pub async fn get<F>(&self, wanted: &TokenFor, fetch: F) -> Result<Token, SendError>
    where
        F: Future<Output = Result<Fetched, SendError>>,
    {
        let slot = self.slot(wanted);
        let (token, seen) = {
            let cache = locked(&slot.cache);
            (cache.token.clone(), cache.fetches)
        };
        let now = Instant::now();
        let good = token.filter(|token| now < token.ends_at);
        let turn = match &good {
            Some(token) if now < token.renew_at => return Ok(token.clone()),
            Some(token) => match slot.fetching.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(token.clone()),
            },
            None => slot.fetching.lock().await,
        };
        if let Some(shared) = slot.ended_since(seen) {
            return shared;
        }
        let fetched = fetch.await.map(|fetched| self.token(fetched));
        let mut cache = locked(&slot.cache);
        cache.fetches += 1;
        match &fetched {
            Ok(token) => {
                cache.token = Some(token.clone());
                cache.failure = None;
            }
            Err(error) => cache.failure = Some(error.clone()),
        }
        drop(cache);
        drop(turn);
        // An early renewal that fails leaves the old token in use until its end.
        fetched.or_else(|error| good.ok_or(error))
    }

    /// Drops the token of this number, if it is still in use: of many requests that were refused
    /// with one token the first drops it, and the others leave the new one alone.
    pub fn forget(&self, number: u64) {
        let slots: Vec<Arc<Slot>> = locked(&self.slots).values().map(Arc::clone).collect();
        for slot in slots {
            let mut cache = locked(&slot.cache);
            cache.token = cache.token.take().filter(|token| token.number != number);
        }
    }

    fn slot(&self, wanted: &TokenFor) -> Arc<Slot> {
        let mut slots = locked(&self.slots);
        if let Some(slot) = slots.get(wanted) {
            return Arc::clone(slot);
        }
        if slots.len() >= MOST {
            slots.clear();
        }
        Arc::clone(slots.entry(wanted.clone()).or_default())
    }

    fn token(&self, (name, value, life): Fetched) -> Token {
        let now = Instant::now();
        let number = self.issued.fetch_add(1, Ordering::Relaxed) + 1;
        let (renew_at, ends_at) = (now + life.mul_f64(RENEWED_AT), now + life);
        Token { name, value, number, renew_at, ends_at }
    }
}

impl Slot {
    /// The outcome of a fetch that ended while we waited for our turn.
    fn ended_since(&self, seen: u64) -> Option<Result<Token, SendError>> {
        let cache = locked(&self.cache);
        if cache.fetches == seen {
            return None;
        }
        match (&cache.token, &cache.failure) {
            (_, Some(failure)) => Some(Err(failure.clone())),
            (Some(token), None) => Some(Ok(token.clone())),
            (None, None) => None,
        }
    }
}

fn locked<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whoever panicked while holding it left it whole: every change is one assignment.
    held.lock().unwrap_or_else(PoisonError::into_inner)
}
