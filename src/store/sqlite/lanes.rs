//! Lanes: which of them have something open, kept in the writer's memory.
//!
//! The writer asks this for every message that comes and every exchange that ends. An index over
//! the lanes would answer as well, but their keys are hashes: each message would change another
//! page of it, and every page changed is written and flushed. Only held exchanges are indexed;
//! in the usual case there are none.

use crate::model::State;
use crate::store::StoreError;
use rusqlite::Connection;
use std::collections::BTreeMap;

/// Lanes with at least one exchange that has not ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lanes {
    counterparts: Vec<Counterpart>,
    /// What the transaction under way found before it changed it.
    undo: Vec<((usize, i64), Lane)>,
}

/// The lanes of one counterpart. With a million of them open the usual ones, which have one
/// exchange each, take some nine bytes.
#[derive(Debug, Default, PartialEq, Eq)]
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

    fn put(&mut self, id: i64, lane: Lane) {
        let before = self.lane(id);
        self.exchanges = self.exchanges.saturating_sub(before.exchanges()) + lane.exchanges();
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

    fn iter(&self) -> impl Iterator<Item = i64> {
        self.buckets.iter().flatten().copied()
    }
}

impl PartialEq for Hashes {
    fn eq(&self, other: &Hashes) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Hashes {}

const USUAL: Lane = Lane { active: 1, held: 0 };

/// What is open in one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lane {
    /// Exchanges under way or waiting for something else than the lane: one, or none.
    active: u32,
    /// Exchanges behind it.
    held: u32,
}

impl Lane {
    fn exchanges(self) -> u64 {
        u64::from(self.active) + u64::from(self.held)
    }
}

impl Lanes {
    /// Reads them from the table: once, when the store is opened.
    pub fn read(connection: &Connection) -> Result<Lanes, StoreError> {
        let mut lanes = Lanes::default();
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
        }
        lanes.keep();
        Ok(lanes)
    }

    /// Whether some exchange of the lane has not ended.
    pub fn is_open(&self, counterpart: &str, lane: i64) -> bool {
        let known = self.counterparts.iter().find(|known| known.name == counterpart);
        known.is_some_and(|known| known.lane(lane) != Lane::default())
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
        let Some(known) = self.counterparts.get_mut(index) else { return };
        let before = known.lane(lane);
        let mut after = before;
        change(&mut after);
        known.put(lane, after);
        self.undo.push(((index, lane), before));
    }

    /// The transaction is committed.
    pub fn keep(&mut self) {
        self.undo.clear();
    }

    /// The transaction was rolled back.
    pub fn undo(&mut self) {
        while let Some(((index, lane), before)) = self.undo.pop() {
            if let Some(known) = self.counterparts.get_mut(index) {
                known.put(lane, before);
            }
        }
    }

    /// What is open, by name: for comparison with the table.
    #[cfg(test)]
    pub fn listed(&self) -> BTreeMap<(String, i64), (u32, u32)> {
        let mut listed = BTreeMap::new();
        for one in &self.counterparts {
            for id in one.usual.iter().chain(one.others.keys().copied()) {
                let lane = one.lane(id);
                listed.insert((one.name.clone(), id), (lane.active, lane.held));
            }
        }
        listed
    }
}

#[cfg(test)]
mod tests {
    use super::Hashes;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

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
