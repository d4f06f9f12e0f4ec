//! Inspection: pages are the server's; lanes and what belongs together are ours.

use super::PostgresStore;
use super::connection::{Session, column, odd};
use crate::model::codes::store as codes;
use crate::store::inspect::{Inspect, Inspected, lanes_verdict};
use crate::store::{Later, StoreError};

const LANES: &str = "SELECT count(*), coalesce(sum((going <> 1)::int), 0)::bigint,
        coalesce(sum(bodiless), 0)::bigint
    FROM (SELECT sum((state <> 'held')::int) AS going, sum((NOT EXISTS (
            SELECT 1 FROM bodies b WHERE b.message = e.message))::int) AS bodiless
        FROM exchanges e WHERE state NOT IN ('delivered', 'dead', 'duplicate', 'discarded',
            'waiting-approval')
        GROUP BY counterpart, lane) AS lanes";
/// Rows whose own ids are in a range and which lack the row they belong to. A step ends within the
/// time that one statement may take, however large the store is.
const REFERENCES: &str = "SELECT
    (SELECT count(*) FROM exchanges e WHERE e.id > $1 AND e.id <= $2
        AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = e.message))
    + (SELECT count(*) FROM bodies b WHERE b.message > $1 AND b.message <= $2
        AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = b.message))
    + (SELECT count(*) FROM outbox o WHERE o.id > $1 AND o.id <= $2
        AND NOT EXISTS (SELECT 1 FROM exchanges e WHERE e.id = o.exchange))
    + (SELECT count(*) FROM attempts a WHERE a.exchange > $1 AND a.exchange <= $2
        AND NOT EXISTS (SELECT 1 FROM exchanges e WHERE e.id = a.exchange))";
const LAST: &str = "SELECT greatest(message, exchange, outgoing) FROM head";
/// Ids in one step.
const STEP: i64 = 50_000;

impl Inspect for PostgresStore {
    fn inspect(&self) -> Later<'_, Vec<Inspected>> {
        Box::pin(self.looks.with(async |session| {
            Ok(vec![
                Inspected { what: "references", found: references(session).await },
                Inspected { what: "lanes", found: lanes(session).await },
            ])
        }))
    }
}

async fn references(session: &Session) -> Result<String, StoreError> {
    let row = session.row(LAST, &[]).await?.ok_or_else(odd)?;
    let (last, mut after, mut lost): (i64, i64, i64) = (column(&row, 0)?, 0, 0);
    while after < last {
        let row = session.row(REFERENCES, &[&after, &(after + STEP)]).await?.ok_or_else(odd)?;
        lost += column::<i64>(&row, 0)?;
        after += STEP;
    }
    match lost {
        0 => Ok("every row has those it belongs to".to_owned()),
        _ => {
            let detail = format!("{lost} rows lack the row they belong to");
            Err(StoreError::new(&codes::STORE_CORRUPT, detail))
        }
    }
}

async fn lanes(session: &Session) -> Result<String, StoreError> {
    let row = session.row(LANES, &[]).await?.ok_or_else(odd)?;
    lanes_verdict(column(&row, 0)?, column(&row, 1)?, column(&row, 2)?)
}
