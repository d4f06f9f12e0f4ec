//! Lanes: which of them have something open, kept in the writer's memory.
//!
//! The writer asks this for every message that comes and every exchange that ends. An index over
//! the lanes would answer as well, but their keys are hashes: each message would change another
//! page of it, and every page changed is written and flushed. Only held exchanges are indexed;
//! in the usual case there are none. Beyond a number of lanes new ones go to a file that is never
//! flushed (`overflow.rs`), so that the memory does not grow with what waits.

use super::overflow::Overflow;
use crate::model::State;
use crate::model::codes::store as codes;
use crate::store::StoreError;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Lanes with at least one exchange that has not ended.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    counterparts: Vec<Counterpart>,
    /// How many lanes are in memory, and may be.
    kept: usize,
    limit: usize,
    overflow: Overflow,
    /// What went wrong with the overflow: nothing that was asked for since is to be trusted.
    trouble: Option<StoreError>,
    /// What the transaction under way found before it changed it.
    undo: Vec<((usize, i64), Lane)>,
}

/// The lanes of one counterpart. With a million of them open the usual ones, which have one
/// exchange each, take some nine bytes.
#[derive(Debug, Default)]
struct Counterpart {
    name: String,
    /// Lanes with one active exchange and nothing behind it.
    usual: Hashes,
    others: BTreeMap<i64, Lane>,
    /// Exchanges in all of them.
    exchanges: u64,
}

impl Counterpart {
    fn lane(&self, lane: i64) -> Lane {
        match self.others.get(&lane) {
            Some(found) => *found,
            None if self.usual.contains(lane) => USUAL,
            None => Lane::default(),
        }
    }

    fn put(&mut self, id: i64, before: Lane, lane: Lane) {
        if before == USUAL {
            self.usual.remove(id);
        } else {
            self.others.remove(&id);
        }
        if lane == USUAL {
            self.usual.insert(id);
        } else if lane != Lane::default() {
            self.others.insert(id, lane);
        }
    }
}

/// A set of hashes, sorted within buckets by their first bits. It grows a bucket at a time and by
/// little: a hash table takes three times as much, and both the old and the new one while it grows;
/// a tree takes twice as much.
#[derive(Debug, Default)]
struct Hashes {
    buckets: Vec<Vec<i64>>,
}

impl Hashes {
    /// First bits that choose a bucket: with a million hashes each holds some 250.
    const BITS: u32 = 12;

    fn bucket(hash: i64) -> usize {
        usize::try_from(hash.cast_unsigned() >> (u64::BITS - Hashes::BITS)).unwrap_or(0)
    }

    fn contains(&self, hash: i64) -> bool {
        let bucket = self.buckets.get(Hashes::bucket(hash));
        bucket.is_some_and(|bucket| bucket.binary_search(&hash).is_ok())
    }

    fn insert(&mut self, hash: i64) {
        if self.buckets.is_empty() {
            self.buckets.resize_with(1 << Hashes::BITS, Vec::new);
        }
        let Some(bucket) = self.buckets.get_mut(Hashes::bucket(hash)) else { return };
        let Err(place) = bucket.binary_search(&hash) else { return };
        if bucket.len() == bucket.capacity() {
            bucket.reserve_exact(Hashes::spare(bucket.len()));
        }
        bucket.insert(place, hash);
    }

    fn remove(&mut self, hash: i64) {
        let Some(bucket) = self.buckets.get_mut(Hashes::bucket(hash)) else { return };
        let Ok(place) = bucket.binary_search(&hash) else { return };
        bucket.remove(place);
        if bucket.capacity() > 2 * bucket.len() + 16 {
            bucket.shrink_to(bucket.len() + Hashes::spare(bucket.len()));
        }
    }

    fn spare(length: usize) -> usize {
        length / 16 + 4
    }

    #[cfg(test)]
    fn iter(&self) -> impl Iterator<Item = i64> {
        self.buckets.iter().flatten().copied()
    }
}

/// Where a lane is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Memory,
    Overflow,
}

const USUAL: Lane = Lane { active: 1, held: 0 };

/// What is open in one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lane {
    /// Exchanges under way or waiting for something else than the lane: one, or none.
    pub active: u32,
    /// Exchanges behind it.
    pub held: u32,
}

impl Lane {
    fn exchanges(self) -> u64 {
        u64::from(self.active) + u64::from(self.held)
    }
}

impl Lanes {
    /// How many are kept in memory: some ten bytes each.
    pub const LIMIT: usize = 65_536;

    /// Reads them from the table: once, when the store is opened. Beyond `limit` they overflow.
    pub fn read(
        connection: &Connection,
        overflow: Overflow,
        limit: usize,
    ) -> Result<Lanes, StoreError> {
        let mut lanes = Lanes { overflow, limit, ..Lanes::default() };
        let sql = concat!(
            "SELECT counterpart, lane, state FROM exchanges INDEXED BY exchanges_open WHERE ",
            super::exchanges::open_exchange!()
        );
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let counterpart: String = row.get(0)?;
            let state = row.get_ref(2)?.as_str().ok().and_then(State::from_name);
            // What waits for a second person is in no lane yet.
            if state == Some(State::WaitingApproval) {
                continue;
            }
            let held = state == Some(State::Held);
            lanes.change(&counterpart, row.get(1)?, |lane| match held {
                true => lane.held += 1,
                false => lane.active += 1,
            });
            lanes.sound()?;
            lanes.keep();
        }
        Ok(lanes)
    }

    /// Whether what they told is to be trusted: asked before every commit.
    ///
    /// # Errors
    /// `T202`, which ends the store: the next start reads the lanes anew.
    pub fn sound(&self) -> Result<(), StoreError> {
        self.trouble.clone().map_or(Ok(()), Err)
    }

    /// Whether some exchange of the lane has not ended.
    pub fn is_open(&mut self, counterpart: &str, lane: i64) -> bool {
        let index = self.counterparts.iter().position(|known| known.name == counterpart);
        index.is_some_and(|index| self.lane(index, lane).0 != Lane::default())
    }

    /// What is open in a lane, and where that is kept.
    fn lane(&mut self, index: usize, lane: i64) -> (Lane, Place) {
        let known = self.counterparts.get(index).map(|known| known.lane(lane));
        if let Some(known) = known.filter(|known| *known != Lane::default()) {
            return (known, Place::Memory);
        }
        match self.overflow.get(index, lane) {
            Ok(Some(found)) => (found, Place::Overflow),
            Ok(None) => (Lane::default(), Place::Nowhere),
            Err(error) => {
                self.fail(&error);
                (Lane::default(), Place::Nowhere)
            }
        }
    }

    fn put(&mut self, index: usize, id: i64, (before, place): (Lane, Place), after: Lane) {
        let Some(known) = self.counterparts.get_mut(index) else { return };
        known.exchanges = known.exchanges.saturating_sub(before.exchanges()) + after.exchanges();
        let ends = after == Lane::default();
        let is_beyond = self.kept >= self.limit && self.overflow.is_possible();
        let overflowed = match place {
            Place::Overflow if ends => self.overflow.remove(index, id),
            Place::Overflow => self.overflow.change(index, id, after),
            Place::Nowhere if is_beyond && !ends => self.overflow.add(index, id, after),
            Place::Nowhere | Place::Memory => {
                known.put(id, before, after);
                self.kept += usize::from(place == Place::Nowhere && !ends);
                let ended = usize::from(place == Place::Memory && ends);
                self.kept = self.kept.saturating_sub(ended);
                return;
            }
        };
        match overflowed {
            Ok(()) => {}
            // More memory is better than no service.
            Err(error) if place == Place::Nowhere && error.code == &codes::STORE_FULL => {
                known.put(id, before, after);
                self.kept += 1;
            }
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &StoreError) {
        let detail = format!("open lanes: {} {}", error.code.code, error.detail);
        self.trouble.get_or_insert(StoreError::new(&codes::STORE_INPUT_OUTPUT, detail));
    }

    /// How many exchanges have not ended, by counterpart; those with none are left out.
    pub fn backlog(&self) -> Vec<(String, u64)> {
        let open = self.counterparts.iter().filter(|one| one.exchanges > 0);
        let mut backlog: Vec<_> = open.map(|one| (one.name.clone(), one.exchanges)).collect();
        backlog.sort_unstable();
        backlog
    }

    /// An exchange begins, or begins again, in a state.
    pub fn enter(&mut self, counterpart: &str, lane: i64, state: State) {
        match state {
            State::Held => self.change(counterpart, lane, |lane| lane.held += 1),
            State::WaitingApproval => {}
            state if state.is_final() => {}
            _ => self.change(counterpart, lane, |lane| lane.active += 1),
        }
    }

    /// An exchange that was not held has ended. Tells whether the lane's next may go on.
    pub fn leave(&mut self, counterpart: &str, lane: i64) -> bool {
        let mut free = false;
        self.change(counterpart, lane, |lane| {
            lane.active = lane.active.saturating_sub(1);
            free = lane.active == 0 && lane.held > 0;
        });
        free
    }

    /// One that was held has ended without its turn.
    pub fn withdraw(&mut self, counterpart: &str, lane: i64) {
        self.change(counterpart, lane, |lane| lane.held = lane.held.saturating_sub(1));
    }

    /// One that was held goes on.
    pub fn promote(&mut self, counterpart: &str, lane: i64) {
        self.change(counterpart, lane, |lane| {
            lane.held = lane.held.saturating_sub(1);
            lane.active += 1;
        });
    }

    fn change(&mut self, counterpart: &str, lane: i64, change: impl FnOnce(&mut Lane)) {
        let index = match self.counterparts.iter().position(|known| known.name == counterpart) {
            Some(index) => index,
            None => {
                let name = counterpart.to_owned();
                self.counterparts.push(Counterpart { name, ..Counterpart::default() });
                self.counterparts.len() - 1
            }
        };
        let found = self.lane(index, lane);
        let (before, mut after) = (found.0, found.0);
        change(&mut after);
        self.put(index, lane, found, after);
        self.undo.push(((index, lane), before));
    }

    /// The transaction is committed.
    pub fn keep(&mut self) {
        self.undo.clear();
    }

    /// The transaction was rolled back.
    pub fn undo(&mut self) {
        while let Some(((index, lane), before)) = self.undo.pop() {
            let found = self.lane(index, lane);
            self.put(index, lane, found, before);
        }
    }

    /// What is open, by name: for comparison with the table.
    #[cfg(test)]
    pub fn listed(&self) -> BTreeMap<(String, i64), (u32, u32)> {
        let mut listed = BTreeMap::new();
        let mut kept = 0;
        for one in &self.counterparts {
            for id in one.usual.iter().chain(one.others.keys().copied()) {
                let lane = one.lane(id);
                listed.insert((one.name.clone(), id), (lane.active, lane.held));
                kept += 1;
            }
        }
        assert_eq!(kept, self.kept);
        for ((index, id), lane) in self.overflow.listed() {
            let name = self.counterparts[index].name.clone();
            let known = listed.insert((name, id), (lane.active, lane.held));
            assert_eq!(known, None, "a lane is in one place");
        }
        listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_an_overflow_cannot_tell_is_never_committed() {
        let folder = crate::store::sqlite::tests::Folder::new();
        let overflow = Overflow::beside(&folder.file());
        let mut lanes = Lanes { overflow, ..Lanes::default() };
        lanes.enter("pmh", 7, State::Received);
        assert!(lanes.is_open("pmh", 7) && lanes.sound().is_ok());
        lanes.overflow.spoil();
        assert!(!lanes.is_open("pmh", 7));
        assert_eq!(lanes.sound().unwrap_err().code, &codes::STORE_INPUT_OUTPUT);
    }

    proptest! {
        #[test]
        fn hashes_are_a_set(acts in prop::collection::vec((any::<bool>(), -40i64..40, 0u32..2), 0..400)) {
            let (mut hashes, mut set) = (Hashes::default(), BTreeSet::new());
            for (inserts, number, spread) in acts {
                // Some in one bucket, some all over.
                let hash = if spread == 0 { number } else { number << 56 };
                if inserts {
                    hashes.insert(hash);
                    set.insert(hash);
                } else {
                    hashes.remove(hash);
                    set.remove(&hash);
                }
                prop_assert_eq!(hashes.contains(hash), set.contains(&hash));
            }
            let held: BTreeSet<i64> = hashes.iter().collect();
            prop_assert_eq!(hashes.iter().count(), held.len());
            prop_assert_eq!(held, set);
        }
    }
}
