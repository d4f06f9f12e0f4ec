//! Tallies: finished exchanges counted per route, state and code, so that counting never scans
//! them. They are added up in memory and written once per transaction.

use crate::store::StoreError;
use crate::store::acts::Ended;
use rusqlite::Connection;

/// What one transaction changes in them.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    route: String,
    state: &'static str,
    code: String,
    count: i64,
    retried: i64,
    resolved: i64,
}

impl Tallies {
    /// An exchange ended.
    pub fn add(&mut self, ended: &Ended<'_>) {
        self.change(ended, 1);
    }

    /// An exchange that had ended begins again, or ended otherwise.
    pub fn take(&mut self, ended: &Ended<'_>) {
        self.change(ended, -1);
    }

    fn change(&mut self, ended: &Ended<'_>, sign: i64) {
        // Few kinds end in one transaction: looking through them is quicker than hashing names.
        let same = |change: &&mut Change| {
            change.state == ended.state && change.code == ended.code && change.route == ended.route
        };
        let retried = sign * (ended.attempts - 1).max(0);
        let resolved = sign * i64::from(ended.resolved);
        if let Some(change) = self.changes.iter_mut().find(same) {
            change.count += sign;
            change.retried += retried;
            change.resolved += resolved;
            return;
        }
        self.changes.push(Change {
            route: ended.route.to_owned(),
            state: ended.state,
            code: ended.code.to_owned(),
            count: sign,
            retried,
            resolved,
        });
    }

    /// Writes what changed, in the transaction that made it.
    pub fn write(&self, connection: &Connection) -> Result<(), StoreError> {
        let sql = "INSERT INTO tallies VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT DO UPDATE SET count = count + excluded.count,
                retried = retried + excluded.retried,
                unknown_resolved = unknown_resolved + excluded.unknown_resolved";
        for one in &self.changes {
            let row = (&one.route, one.state, &one.code, one.count, one.retried, one.resolved);
            connection.prepare_cached(sql)?.execute(row)?;
        }
        Ok(())
    }
}
