//! A few connections that read, each on a thread of its own: a slow list does not hold up a claim.

use super::connection::is_fatal;
use super::writer::{Shared, closed};
use crate::model::codes::store as codes;
use crate::store::StoreError;
use rusqlite::Connection;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

pub(super) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The callers' end.
pub(super) struct Readers {
    reads: Sender<Read>,
    shared: Arc<Shared>,
}

impl Readers {
    /// Starts one thread per connection; they end when the last caller is gone.
    pub fn start(connections: Vec<Connection>, shared: Arc<Shared>) -> Result<Self, StoreError> {
        let (reads, queue) = channel::<Read>();
        let queue = Arc::new(Mutex::new(queue));
        for connection in connections {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new()
                .name("watashi-store-read".to_owned())
                .spawn(move || serve(&connection, &queue))
                .map_err(|error| {
                    StoreError::new(&codes::STORE_NOT_OPENED, error.kind().to_string())
                })?;
        }
        Ok(Readers { reads, shared })
    }

    /// For what runs on the next free connection and tells its end itself.
    pub fn sender(&self) -> Sender<Read> {
        self.reads.clone()
    }

    /// Runs a read on the next free connection.
    pub async fn read<T, F>(&self, run: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        if let Some(error) = self.shared.failed.get() {
            return Err(error.clone());
        }
        let (reply, answer) = oneshot::channel();
        let read = move |connection: &Connection| {
            // Nobody waits any more: nothing is lost, it only read.
            let _ = reply.send(run(connection));
        };
        self.reads.send(Box::new(read)).map_err(|_| closed())?;
        let answer = answer.await.map_err(|_| closed())?;
        if let Err(error) = &answer
            && is_fatal(error)
        {
            // The first error is the one that counts.
            let _ = self.shared.failed.set(error.clone());
        }
        answer
    }
}

fn serve(connection: &Connection, queue: &Mutex<Receiver<Read>>) {
    loop {
        // The lock is held while waiting, and given up before the read runs.
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(read) => read(connection),
            Err(_) => return,
        }
    }
}
