//! Lanes as a group sees them: what it read of those it touches, and what it changed.

use super::connection::column;
use crate::model::State;
use crate::store::StoreError;
use std::collections::HashMap;
use tokio_postgres::Row;

/// What is open in one lane.
#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    /// Exchanges under way or waiting for something else than the lane: one, or none.
    active: i64,
    /// The first of those behind it.
    held: Option<i64>,
    /// That one has ended without its turn: the table knows which one is next, if any.
    unsure: bool,
}

/// Who goes on when the head of a lane has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nobody waits.
    Nobody,
    /// This one.
    Next(i64),
    /// The table has to be asked, once the group's rows are written.
    Ask,
}

/// The lanes that the calls of a group touch.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    known: HashMap<(String, i64), Lane>,
}

impl Lanes {
    /// Rows of counterpart, lane, how many go, and the first that waits.
    pub fn learn(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        for row in rows {
            let lane = Lane { active: column(row, 2)?, held: column(row, 3)?, unsure: false };
            self.known.insert((column(row, 0)?, column(row, 1)?), lane);
        }
        Ok(())
    }

    /// Rows of those lanes of the arriving messages that are open.
    pub fn learn_open(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        for row in rows {
            let lane = (column::<String>(row, 0)?, column(row, 1)?);
            // What the settlements read of it says more.
            self.known.entry(lane).or_insert(Lane { active: 1, ..Lane::default() });
        }
        Ok(())
    }

    /// Whether some exchange of the lane has not ended.
    pub fn is_open(&self, counterpart: &str, lane: i64) -> bool {
        let known = self.known.get(&(counterpart.to_owned(), lane));
        known.is_some_and(|lane| lane.active > 0 || lane.held.is_some() || lane.unsure)
    }

    /// An exchange of this id begins.
    pub fn enter(&mut self, counterpart: &str, lane: i64, state: State, id: i64) {
        let lane = self.known.entry((counterpart.to_owned(), lane)).or_default();
        match state {
            State::Held => {
                lane.held.get_or_insert(id);
            }
            State::WaitingApproval => {}
            state if state.is_final() => {}
            _ => lane.active += 1,
        }
    }

    /// One that was held has ended without its turn.
    pub fn withdraw(&mut self, counterpart: &str, lane: i64, id: i64) {
        let lane = self.known.entry((counterpart.to_owned(), lane)).or_default();
        if lane.held == Some(id) {
            (lane.held, lane.unsure) = (None, true);
        }
    }

    /// An exchange that was not held has ended: tells who goes on.
    pub fn leave(&mut self, counterpart: &str, lane: i64) -> After {
        let lane = self.known.entry((counterpart.to_owned(), lane)).or_default();
        lane.active = (lane.active - 1).max(0);
        if lane.active > 0 {
            return After::Nobody;
        }
        if lane.unsure {
            return After::Ask;
        }
        let Some(next) = lane.held.take() else { return After::Nobody };
        lane.active = 1;
        After::Next(next)
    }
}
