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
const REFERENCES: &str = "SELECT
    (SELECT count(*) FROM exchanges e
        WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = e.message))
    + (SELECT count(*) FROM bodies b
        WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.id = b.message))
    + (SELECT count(*) FROM outbox o
        WHERE NOT EXISTS (SELECT 1 FROM exchanges e WHERE e.id = o.exchange))
    + (SELECT count(*) FROM attempts a
        WHERE NOT EXISTS (SELECT 1 FROM exchanges e WHERE e.id = a.exchange))";

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
    let row = session.row(REFERENCES, &[]).await?.ok_or_else(odd)?;
    match column(&row, 0)? {
        0_i64 => Ok("every row has those it belongs to".to_owned()),
        lost => {
            let detail = format!("{lost} rows lack the row they belong to");
            Err(StoreError::new(&codes::STORE_CORRUPT, detail))
        }
    }
}

async fn lanes(session: &Session) -> Result<String, StoreError> {
    let row = session.row(LANES, &[]).await?.ok_or_else(odd)?;
    lanes_verdict(column(&row, 0)?, column(&row, 1)?, column(&row, 2)?)
}
