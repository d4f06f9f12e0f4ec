//! `watashi log find`: entries by message, person, time, kind and route.

use super::{kind, person, time};
use crate::cli::trouble::Trouble;
use crate::cli::{Global, Outcome, load, print};
use crate::record::index::Wanted;
use crate::record::{Kind, Query};
use crate::store::record::{each_of, each_row};
use crate::store::{RecordRow, Store};
use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Find {
    /// The sender's id of a message
    #[arg(long, value_name = "ID")]
    message: Option<String>,
    /// Pseudonym of a person, as the record has it
    #[arg(long, value_name = "HEX", conflicts_with = "person")]
    subject: Option<String>,
    /// File that holds the 宛名番号 of a person; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    person: Option<PathBuf>,
    /// At or after: 2026-04-01 (Japanese time) or 2026-04-01T09:00:00+09:00
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Before
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
    /// Kind of entry: 求め, 提供, 取得, 送付, 通知, 受領, 操作, 系
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<Kind>,
    /// Route
    #[arg(long, value_name = "ROUTE")]
    route: Option<String>,
}

pub(super) fn run(global: &Global, find: &Find) -> Result<Outcome, Trouble> {
    let config = load::config(global)?;
    let subject = match &find.person {
        Some(file) => Some(load::keys(&config)?.subject(&person(file)?)),
        None => find.subject.as_ref().map(|subject| subject.to_ascii_lowercase()),
    };
    let query = Query {
        subject,
        message_id: find.message.clone(),
        from: find.from,
        until: find.to,
        kind: find.kind,
        route: find.route.clone(),
    };
    let store = load::store(&config)?;
    let found = load::wait(rows(&*store, &query))??;
    let found: Vec<(i64, Value)> = found
        .into_iter()
        .map(|row| {
            // What cannot be read is shown as it is: damage must not be hidden.
            let raw = || Value::String(row.entry.clone());
            (row.sequence, serde_json::from_str(&row.entry).unwrap_or_else(|_| raw()))
        })
        .collect();
    if global.json {
        let one = |(sequence, entry): &(i64, Value)| json!({"sequence": sequence, "entry": entry});
        print::json(&found.iter().map(one).collect::<Vec<Value>>())?;
    } else {
        print::data(&table(&found))?;
        print::human(&print::plural(found.len(), "entry"));
    }
    Ok(Outcome::Fine)
}

/// The rows asked for, in their order.
pub(in crate::cli) async fn rows(
    store: &dyn Store,
    query: &Query,
) -> Result<Vec<RecordRow>, Trouble> {
    let mut found = Vec::new();
    each(store, query, |row| {
        found.push(row);
        Ok(true)
    })
    .await?;
    Ok(found)
}

/// The same one after the other, until `take` answers false; over the index where a person or
/// message is named.
pub(in crate::cli) async fn each(
    store: &dyn Store,
    query: &Query,
    mut take: impl FnMut(RecordRow) -> Result<bool, Trouble>,
) -> Result<(), Trouble> {
    let wanted = match (&query.subject, &query.message_id) {
        (Some(subject), _) => Some(Wanted::Subject(subject.clone())),
        (None, Some(message)) => Some(Wanted::Message(message.clone())),
        (None, None) => None,
    };
    let matching = |row: RecordRow| {
        if query.matches(&row.entry) { take(row) } else { Ok(true) }
    };
    match wanted {
        Some(wanted) => each_of(store, &wanted, matching).await,
        None => each_row(store, 0, matching).await,
    }
}

fn table(found: &[(i64, Value)]) -> String {
    let fields = ["jst", "kind", "phase", "route", "message_id", "outcome", "code", "reference"];
    let row = |(sequence, entry): &(i64, Value)| {
        let cell = |field: &&str| match entry.get(*field).and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => "-".to_owned(),
        };
        std::iter::once(sequence.to_string()).chain(fields.iter().map(cell)).collect()
    };
    let mut head = vec!["sequence", "time"];
    head.extend(fields.iter().skip(1).map(|&field| match field {
        "message_id" => "message",
        other => other,
    }));
    print::table(&head, &found.iter().map(row).collect::<Vec<_>>())
}
