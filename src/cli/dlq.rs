//! `watashi dlq`: what waits for a person (dead, or unknown without a way to ask), and the acts
//! on it. Every act says who and why, and is recorded.

use super::operator::{self, Acted, Acting, Reasons};
use super::trouble::{Trouble, UNAVAILABLE};
use super::{Global, Outcome, list, load, print};
use crate::model::{State, codes};
use crate::store::{ActVerb, ExchangeView, Filter};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::Write;

const EXAMPLES: &str = "\
Acts work whether the gateway runs or not: beside a running one they go through its ops listener.

Examples:
  watashi dlq list --code G201
  watashi dlq show 42
  watashi dlq replay 42 43 --operator sato --reason 'schema mended'
  watashi dlq discard 44 --operator sato --reason 'sent twice by the sender'
  watashi dlq confirm 45 --applied --operator sato --reason 'seen in the counterpart'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    act: DlqCommand,
}

#[derive(Debug, Subcommand)]
enum DlqCommand {
    /// List what waits for a person
    List {
        /// Only this route
        #[arg(long, value_name = "ROUTE")]
        route: Option<String>,
        /// Only this code
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
    },
    /// Show one exchange; with --body its original message, which is recorded
    Show {
        /// Id of the exchange
        id: i64,
        /// Print the original message on standard output
        #[arg(long, requires = "operator", requires = "reason")]
        body: bool,
        /// Who looks, as the record shall name them
        #[arg(long, value_name = "NAME")]
        operator: Option<String>,
        /// Why; no personal data, for it goes into the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Send dead exchanges on their way again; with the same idempotency key, where they had one
    Replay(Many),
    /// Give up dead or unknown exchanges
    Discard(Many),
    /// Say of unknown exchanges whether the counterpart applied them
    Confirm(Confirm),
}

#[derive(Debug, Args)]
struct Many {
    /// Ids of exchanges
    #[arg(required = true, value_name = "ID")]
    ids: Vec<i64>,
    #[command(flatten)]
    reasons: Reasons,
}

#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("fact").required(true))]
struct Confirm {
    #[command(flatten)]
    many: Many,
    /// There is proof that it was applied
    #[arg(long, group = "fact")]
    applied: bool,
    /// There is proof that it was not; it is sent again
    #[arg(long, group = "fact")]
    not_applied: bool,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    match &arguments.act {
        DlqCommand::List { route, code } => all(global, route.as_deref(), code.as_deref()),
        DlqCommand::Show { id, body, operator, reason } => {
            let reasons = match (operator, reason) {
                (Some(operator), Some(reason)) if *body => {
                    Some(Reasons { operator: operator.clone(), reason: reason.clone() })
                }
                _ => None,
            };
            show(global, *id, reasons)
        }
        DlqCommand::Replay(many) => acts(global, many, ActVerb::Replay),
        DlqCommand::Discard(many) => acts(global, many, ActVerb::Discard),
        DlqCommand::Confirm(confirm) => {
            let verb =
                if confirm.applied { ActVerb::ConfirmApplied } else { ActVerb::ConfirmNotApplied };
            acts(global, &confirm.many, verb)
        }
    }
}

/// Whether nothing but a person moves it on.
fn waits_for_a_person(view: &ExchangeView) -> bool {
    view.state == State::Dead.name() || (view.state == State::Unknown.name() && view.due.is_none())
}

fn all(global: &Global, route: Option<&str>, code: Option<&str>) -> Result<Outcome, Trouble> {
    let code = match code {
        Some(code) => Some(codes::find(code).map(|entry| entry.code).ok_or_else(|| {
            Trouble::usage(format!("there is no code `{code}`"))
                .hint("`watashi explain` lists all codes")
        })?),
        None => None,
    };
    let store = load::store(&load::config(global)?)?;
    let filter = Filter {
        states: vec![State::Dead, State::Unknown],
        route: route.map(str::to_owned),
        code: code.map(str::to_owned),
        limit: usize::MAX >> 1,
        ..Filter::default()
    };
    let (mut found, _) = load::wait(list::page(&*store, filter))??;
    found.retain(waits_for_a_person);
    if global.json {
        print::json(&found)?;
    } else {
        print::data(&list::table(&found))?;
        let many = print::plural(found.len(), "exchange");
        print::human(&format!("{many} waiting for a person"));
    }
    Ok(Outcome::Fine)
}

fn show(global: &Global, id: i64, reasons: Option<Reasons>) -> Result<Outcome, Trouble> {
    let config = load::config(global)?;
    let Some(reasons) = reasons else {
        let store = load::store(&config)?;
        let (view, attempts) = load::wait(async {
            let view = operator::find(&*store, id).await?.ok_or_else(|| unknown(id))?;
            let attempts = store.attempts(id).await?;
            Ok::<_, Trouble>((view, attempts))
        })??;
        if global.json {
            print::json(&json!({"exchange": view, "attempts": attempts}))?;
        } else {
            print::data(&page(&view))?;
        }
        return Ok(Outcome::Fine);
    };
    reasons.check()?;
    // Read before the store is taken: the listener's answer has no envelope.
    let reading = load::store(&config)?;
    let body = load::wait(async {
        let view = operator::find(&*reading, id).await?.ok_or_else(|| unknown(id))?;
        reading.close().await?;
        let acting = Acting::begin(&config).await?;
        let body = acting.body(&view, &reasons).await?;
        acting.end().await?;
        Ok::<_, Trouble>(body)
    })??;
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(body.expose()).and_then(|()| stdout.flush());
    written
        .map_err(|error| Trouble::new(UNAVAILABLE, format!("standard output: {}", error.kind())))?;
    Ok(Outcome::Fine)
}

fn unknown(id: i64) -> Trouble {
    Trouble::new(1, format!("there is no exchange {id}")).hint("`watashi dlq list` shows the ids")
}

fn page(view: &ExchangeView) -> String {
    let value = serde_json::to_value(view).unwrap_or_default();
    let mut out = String::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        let shown = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !shown.is_empty() {
            out.push_str(&format!("{:<15} {shown}\n", key.replace('_', " ")));
        }
    }
    if let Some(code) = view.code.as_deref().and_then(codes::find) {
        out.push_str(&format!("\n{}: {}\n{}\n", code.code, code.title, code.remedy));
    }
    out
}

fn acts(global: &Global, many: &Many, verb: ActVerb) -> Result<Outcome, Trouble> {
    many.reasons.check()?;
    let config = load::config(global)?;
    let results = load::wait(async {
        let acting = Acting::begin(&config).await?;
        let mut results = Vec::with_capacity(many.ids.len());
        for id in &many.ids {
            results.push((*id, acting.act(*id, verb, &many.reasons).await?));
        }
        acting.end().await?;
        Ok::<_, Trouble>(results)
    })??;
    let refused = results.iter().any(|(_, acted)| matches!(acted, Acted::Refused(_)));
    if global.json {
        let one = |(id, acted): &(i64, Acted)| match acted {
            Acted::Done(state) => json!({"id": id, "state": state}),
            Acted::Refused(why) => json!({"id": id, "refused": why}),
        };
        print::json(&results.iter().map(one).collect::<Vec<Value>>())?;
    } else {
        for (id, acted) in &results {
            match acted {
                Acted::Done(state) => print::data(&format!("{id} is now {state}\n"))?,
                Acted::Refused(why) => print::human(&format!("error: exchange {id}: {why}")),
            }
        }
    }
    Ok(if refused { Outcome::Findings } else { Outcome::Fine })
}
