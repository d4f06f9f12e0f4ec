//! A few sessions that serve one purpose: taken, used, put back; made when there is none.

use super::address::Address;
use super::connection::{Purpose, Session};
use super::writer::closed;
use crate::model::codes::store as codes;
use crate::store::StoreError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Sessions of one purpose.
pub(super) struct Pool {
    address: Address,
    purpose: Purpose,
    idle: Mutex<Vec<Session>>,
    places: Semaphore,
    closed: AtomicBool,
}

impl Pool {
    pub fn new(address: Address, purpose: Purpose, size: usize) -> Pool {
        let places = Semaphore::new(size.max(1));
        Pool { address, purpose, idle: Mutex::default(), places, closed: AtomicBool::new(false) }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs something with a session of its own. A connection that was lost while nobody used it
    /// is replaced once.
    pub async fn with<T, R>(&self, run: R) -> Result<T, StoreError>
    where
        R: AsyncFnOnce(&Session) -> Result<T, StoreError>,
    {
        let _place = self.places.acquire().await.map_err(|_| closed())?;
        if self.closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        let kept = self.idle().pop().filter(|session| !session.is_closed());
        let session = match kept {
            Some(session) => session,
            None => self.address.connect(self.purpose, &[]).await?,
        };
        let answer = run(&session).await;
        let lost = answer.as_ref().is_err_and(|error| error.code == &codes::STORE_UNREACHABLE);
        if !lost && !session.is_closed() {
            self.idle().push(session);
        }
        answer
    }

    /// Gives the sessions back; later calls are refused.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.idle().clear();
    }
}
