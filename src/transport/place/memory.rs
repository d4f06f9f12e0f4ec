//! A place in memory, for tests and simulated counterparts: remembers every step, and does as it is
//! told at any of them.

use super::{Entry, Later, Place, PlaceError, Written, checked, split};
use crate::model::codes::transport as codes;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What happens at one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Done,
    /// It fails and is not done.
    Fails,
    /// It is done and its answer is lost.
    AnswerLost,
    /// The caller is never heard of again; it is not done.
    EndsBefore,
    /// The same, but it is done.
    EndsAfter,
}

/// A place whose files survive whoever uses it.
#[derive(Clone, Debug, Default)]
pub struct Memory(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<String, Bytes>,
    /// Names in the order in which files appeared.
    shown: Vec<String>,
    steps: usize,
    fates: BTreeMap<usize, Fate>,
    stuck: bool,
    down: bool,
}

impl Memory {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens at the step of that number, from 1, counted from now.
    pub fn at(&self, step: usize, fate: Fate) {
        let mut inner = self.inner();
        let step = inner.steps + step;
        inner.fates.insert(step, fate);
    }

    /// Steps that change something, so far.
    pub fn steps(&self) -> usize {
        self.inner().steps
    }

    /// All files.
    pub fn files(&self) -> BTreeMap<String, Bytes> {
        self.inner().files.clone()
    }

    /// Paths in the order in which files appeared.
    pub fn shown(&self) -> Vec<String> {
        self.inner().shown.clone()
    }

    /// It cannot be looked at any more.
    pub fn goes_down(&self) {
        self.inner().down = true;
    }

    /// It can be looked at again.
    pub fn comes_up(&self) {
        self.inner().down = false;
    }

    /// Whether a caller was never heard of again.
    pub fn is_stuck(&self) -> bool {
        self.inner().stuck
    }

    /// Somebody else takes a file away.
    pub fn take(&self, path: &str) {
        self.inner().files.remove(path);
    }

    /// Somebody else puts a file there.
    pub fn put(&self, path: &str, content: &str) {
        self.put_bytes(path, content.as_bytes());
    }

    /// The same, of any bytes.
    pub fn put_bytes(&self, path: &str, content: &[u8]) {
        self.inner().files.insert(path.to_owned(), Bytes::copy_from_slice(content));
    }

    async fn step<T>(
        &self,
        change: impl FnOnce(&mut Inner) -> Result<T, PlaceError> + Send,
    ) -> Result<T, PlaceError> {
        let fate = {
            let mut inner = self.inner();
            inner.steps += 1;
            let step = inner.steps;
            inner.fates.remove(&step).unwrap_or(Fate::Done)
        };
        let lost = || PlaceError::new(&codes::PLACE_UNREACHABLE, "as the test says");
        if fate == Fate::Fails {
            return Err(lost());
        }
        if fate == Fate::EndsBefore {
            self.inner().stuck = true;
            std::future::pending::<()>().await;
        }
        let done = change(&mut self.inner());
        match fate {
            Fate::AnswerLost => Err(lost()),
            Fate::EndsAfter => {
                self.inner().stuck = true;
                std::future::pending().await
            }
            Fate::Done | Fate::Fails | Fate::EndsBefore => done,
        }
    }
}

impl Place for Memory {
    fn list<'a>(&'a self, folder: &'a str) -> Later<'a, Vec<Entry>> {
        Box::pin(async move {
            let inner = self.inner();
            if inner.down {
                return Err(PlaceError::new(&codes::PLACE_UNREACHABLE, "as the test says"));
            }
            let here = inner.files.iter().filter(|(path, _)| split(path).0 == folder);
            Ok(here
                .map(|(path, content)| Entry {
                    name: split(path).1.to_owned(),
                    size: content.len() as u64,
                })
                .collect())
        })
    }

    fn read<'a>(&'a self, path: &'a str, most: usize) -> Later<'a, Option<Bytes>> {
        Box::pin(async move {
            let found = self.inner().files.get(checked(path)?).cloned();
            if found.as_ref().is_some_and(|content| content.len() > most) {
                return Err(PlaceError::new(&codes::FILE_TOO_LARGE, path));
            }
            Ok(found)
        })
    }

    fn write<'a>(&'a self, path: &'a str, content: Bytes) -> Later<'a, Written> {
        Box::pin(async move {
            let path = checked(path)?.to_owned();
            self.step(move |inner| {
                if inner.files.contains_key(&path) {
                    return Ok(Written::Exists);
                }
                inner.files.insert(path.clone(), content);
                inner.shown.push(path);
                Ok(Written::New)
            })
            .await
        })
    }

    fn rename<'a>(&'a self, from: &'a str, to: &'a str) -> Later<'a, ()> {
        Box::pin(async move {
            let (from, to) = (checked(from)?.to_owned(), checked(to)?.to_owned());
            self.step(move |inner| {
                let refused = |detail: &str| PlaceError::new(&codes::PLACE_REFUSED, detail);
                let there = inner.files.get(&to).cloned();
                match (inner.files.get(&from).cloned(), there) {
                    (None, Some(_)) => Ok(()),
                    (None, None) => Err(refused("not there")),
                    (Some(old), Some(new)) if old != new => Err(refused("another file is there")),
                    (Some(content), _) => {
                        inner.files.remove(&from);
                        inner.files.insert(to, content);
                        Ok(())
                    }
                }
            })
            .await
        })
    }

    fn remove<'a>(&'a self, path: &'a str) -> Later<'a, ()> {
        Box::pin(async move {
            let path = checked(path)?.to_owned();
            self.step(move |inner| {
                inner.files.remove(&path);
                Ok(())
            })
            .await
        })
    }
}
