//! Lanes: which of them have something open, kept in the writer's memory.
//!
//! The writer asks this for every message that comes and every exchange that ends. An index over
//! the lanes would answer as well, but their keys are hashes: each message would change another
//! page of it, and every page changed is written and flushed. Only held exchanges are indexed;
//! in the usual case there are none.

use crate::model::State;
use crate::store::StoreError;
use rusqlite::Connection;
use std::collections::HashMap;

/// Lanes with at least one exchange that has not ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Lanes {
    counterparts: Vec<String>,
    open: HashMap<(usize, i64), Lane>,
    /// What the transaction under way found before it changed it.
    undo: Vec<((usize, i64), Lane)>,
}

/// What is open in one lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lane {
    /// Exchanges under way or waiting for something else than the lane: one, or none.
    active: u32,
    /// Exchanges behind it.
    held: u32,
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
            let held = row.get_ref(2)?.as_str().is_ok_and(|state| state == State::Held.name());
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
        self.counterparts
            .iter()
            .position(|known| known == counterpart)
            .is_some_and(|index| self.open.contains_key(&(index, lane)))
    }

    /// An exchange begins, or begins again, in a state.
    pub fn enter(&mut self, counterpart: &str, lane: i64, state: State) {
        match state {
            State::Held => self.change(counterpart, lane, |lane| lane.held += 1),
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
        let index = match self.counterparts.iter().position(|known| known == counterpart) {
            Some(index) => index,
            None => {
                self.counterparts.push(counterpart.to_owned());
                self.counterparts.len() - 1
            }
        };
        let key = (index, lane);
        let before = self.open.get(&key).copied().unwrap_or_default();
        let mut after = before;
        change(&mut after);
        self.undo.push((key, before));
        self.put(key, after);
    }

    fn put(&mut self, key: (usize, i64), lane: Lane) {
        if lane == Lane::default() {
            self.open.remove(&key);
        } else {
            self.open.insert(key, lane);
        }
    }

    /// The transaction is committed.
    pub fn keep(&mut self) {
        self.undo.clear();
    }

    /// The transaction was rolled back.
    pub fn undo(&mut self) {
        while let Some((key, lane)) = self.undo.pop() {
            self.put(key, lane);
        }
    }

    /// What is open, by name: for comparison with the table.
    #[cfg(test)]
    pub fn listed(&self) -> std::collections::BTreeMap<(String, i64), (u32, u32)> {
        let name = |index: usize| self.counterparts[index].clone();
        let all = self.open.iter();
        all.map(|((index, id), lane)| ((name(*index), *id), (lane.active, lane.held))).collect()
    }
}
