//! `watashi trace`: everything about one message, in the order of time.

use super::list;
use super::trouble::Trouble;
use super::{Global, Outcome, load, log, print};
use crate::record::Query;
use crate::store::{AttemptView, ExchangeView, Filter, Store};
use clap::Args;
use serde_json::{Value, json};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  watashi trace 0190-abc --json")]
pub(super) struct Arguments {
    /// The sender's id of the message
    #[arg(value_name = "MESSAGE-ID")]
    message: String,
}

/// All that the store knows of one message.
struct Trace {
    exchanges: Vec<(ExchangeView, Vec<AttemptView>)>,
    /// Sequence and entry.
    record: Vec<(i64, Value)>,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let store = load::store(&load::config(global)?)?;
    let trace = load::wait(gather(&*store, &arguments.message))??;
    if trace.exchanges.is_empty() && trace.record.is_empty() {
        let message = format!("there is no message `{}`", arguments.message);
        return Err(Trouble::new(1, message).hint("`watashi list exchanges` shows what there is"));
    }
    if global.json {
        let exchanges: Vec<Value> = trace
            .exchanges
            .iter()
            .map(|(exchange, attempts)| json!({"exchange": exchange, "attempts": attempts}))
            .collect();
        let record: Vec<Value> = trace
            .record
            .iter()
            .map(|(sequence, entry)| json!({"sequence": sequence, "entry": entry}))
            .collect();
        let message = &arguments.message;
        print::json(&json!({"message": message, "exchanges": exchanges, "record": record}))?;
    } else {
        let views: Vec<ExchangeView> =
            trace.exchanges.iter().map(|(exchange, _)| exchange.clone()).collect();
        print::data(&format!("{}\n{}", list::table(&views), timeline(&trace)))?;
    }
    Ok(Outcome::Fine)
}

async fn gather(store: &dyn Store, message: &str) -> Result<Trace, Trouble> {
    let filter = Filter {
        message_id: Some(message.to_owned()),
        limit: usize::MAX >> 1,
        ..Filter::default()
    };
    let (found, _) = list::page(store, filter).await?;
    let mut exchanges = Vec::with_capacity(found.len());
    for exchange in found {
        let attempts = store.attempts(exchange.id).await?;
        exchanges.push((exchange, attempts));
    }
    let query = Query { message_id: Some(message.to_owned()), ..Query::default() };
    let rows = log::rows(store, &query).await?;
    let record = rows
        .into_iter()
        .map(|row| {
            let unreadable = || json!({"kind": "unreadable", "entry": row.entry});
            (row.sequence, serde_json::from_str(&row.entry).unwrap_or_else(|_| unreadable()))
        })
        .collect();
    Ok(Trace { exchanges, record })
}

/// What happened when: acceptance, attempts and record entries in one table.
fn timeline(trace: &Trace) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut add = |time: &str, route: &str, what: String| {
        let route = if route.is_empty() { "-" } else { route };
        rows.push(vec![time.to_owned(), route.to_owned(), what]);
    };
    for (exchange, attempts) in &trace.exchanges {
        add(&exchange.accepted_at, &exchange.route, "accepted".to_owned());
        for attempt in attempts {
            add(&attempt.started_at, &exchange.route, format!("attempt {} begun", attempt.number));
            if let Some(finished) = &attempt.finished_at {
                let outcome = attempt.outcome.as_deref().unwrap_or("no outcome");
                let status = attempt.http_status.map(|status| format!(" (status {status})"));
                let status = status.unwrap_or_default();
                let what = format!("attempt {} ended: {outcome}{status}", attempt.number);
                add(finished, &exchange.route, what);
            }
        }
        let code = exchange.code.as_ref().map(|code| format!(", {code}")).unwrap_or_default();
        let detail =
            exchange.detail.as_ref().filter(|detail| !detail.is_empty()).map(|d| format!(": {d}"));
        let detail = detail.unwrap_or_default();
        add(&exchange.since, &exchange.route, format!("{}{code}{detail}", exchange.state));
    }
    for (sequence, entry) in &trace.record {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let words = [text("kind"), text("phase"), text("outcome"), text("code"), text("reference")];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        add(text("time"), text("route"), format!("record {sequence}: {}", words.join(" ")));
    }
    // The store writes all times in one form, UTC with milliseconds; equal ones keep the order
    // in which they were added.
    rows.sort_by(|left, right| left.first().cmp(&right.first()));
    print::table(&["time", "route", "what"], &rows)
}
