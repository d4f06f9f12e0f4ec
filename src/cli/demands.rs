//! `watashi demands` and `watashi answer`: what counterparts ask for and a person must answer. Lists hold
//! no personal data; looking at a demand itself is recorded.

use super::operator::{self, Acting, Reasons};
use super::trouble::{Trouble, UNAVAILABLE};
use super::{Global, Outcome, load, print};
use crate::store::approvals::{DemandFilter, DemandView};
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  watashi demands list
  watashi demands show 3 --body --operator sato --reason 'to answer it'
  watashi answer 3 --file answer.json --operator sato --reason 'taken from the paper file'
  watashi demands close 4 --operator sato --reason 'answered at the terminal'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    act: DemandsCommand,
}

#[derive(Debug, Subcommand)]
enum DemandsCommand {
    /// List demands that have no answer
    List {
        /// Also those that were answered or closed
        #[arg(long)]
        all: bool,
    },
    /// Show one; with --body the demand itself, which is recorded
    Show {
        /// Id of the demand
        id: i64,
        /// Print what the counterpart sent on standard output
        #[arg(long, requires = "operator", requires = "reason")]
        body: bool,
        /// Who looks, as the record shall name them
        #[arg(long, value_name = "NAME")]
        operator: Option<String>,
        /// Why; no personal data, for it goes into the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Close one that needs no answer from here
    Close {
        /// Id of the demand
        id: i64,
        #[command(flatten)]
        reasons: Reasons,
    },
}

/// An answer to a demand.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Answer {
    /// Id of the demand
    demand: i64,
    /// The document: JSON of the message type that answers such demands
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Message type, where several answer such demands
    #[arg(long = "type", value_name = "TYPE")]
    message_type: Option<String>,
    #[command(flatten)]
    reasons: Reasons,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    match &arguments.act {
        DemandsCommand::List { all } => list(global, *all),
        DemandsCommand::Show { id, body, operator, reason } => {
            let reasons = operator.clone().zip(reason.clone());
            let reasons = reasons.map(|(operator, reason)| Reasons { operator, reason });
            show(global, *id, reasons.filter(|_| *body))
        }
        DemandsCommand::Close { id, reasons } => close(global, *id, reasons),
    }
}

const HEAD: [&str; 8] =
    ["demand", "state", "kind", "counterpart", "number", "item", "received", "due"];

fn row(view: &DemandView) -> Vec<String> {
    vec![
        view.id.to_string(),
        view.state.clone(),
        view.kind.clone(),
        view.counterpart.clone(),
        view.number.clone(),
        view.item.clone(),
        view.opened_at.clone(),
        view.due.clone().unwrap_or_default(),
    ]
}

fn list(global: &Global, all: bool) -> Result<Outcome, Trouble> {
    let store = load::store(&load::config(global)?)?;
    let demands =
        load::wait(store.demands(DemandFilter { open: !all, ..DemandFilter::default() }))??;
    if global.json {
        print::json(&demands)?;
    } else {
        let rows: Vec<Vec<String>> = demands.iter().map(row).collect();
        print::data(&print::table(&HEAD, &rows))?;
    }
    Ok(Outcome::Fine)
}

fn show(global: &Global, id: i64, looking: Option<Reasons>) -> Result<Outcome, Trouble> {
    let config = load::config(global)?;
    let store = load::store(&config)?;
    let filter = DemandFilter { id: Some(id), ..DemandFilter::default() };
    let found = load::wait(store.demands(filter))??.pop().ok_or_else(|| {
        Trouble::new(1, format!("there is no demand {id}"))
            .hint("`watashi demands list --all` shows the ids")
    })?;
    let Some(reasons) = looking else {
        if global.json {
            print::json(&found)?;
            return Ok(Outcome::Fine);
        }
        let mut page = print::table(&HEAD, &[row(&found)]);
        page.push_str(&format!("{:<11} {}\n", "exchange", found.exchange));
        if let Some(answer) = found.answer {
            page.push_str(&format!("{:<11} {answer}\n", "answer"));
        }
        print::data(&page)?;
        return Ok(Outcome::Fine);
    };
    reasons.check()?;
    let body = load::wait(async {
        let view = operator::find(&*store, found.exchange).await?;
        let view = view.ok_or_else(|| Trouble::new(1, "the demand is no longer kept"))?;
        // Readers and writer of one file go one after the other here.
        store.close().await?;
        let acting = Acting::begin(&config).await?;
        let body = acting.body(&view, &reasons).await?;
        acting.end().await?;
        Ok::<_, Trouble>(body)
    })??;
    let written = std::io::stdout().lock().write_all(body.expose());
    written.map_err(|error| Trouble::new(1, format!("standard output: {}", error.kind())))?;
    Ok(Outcome::Fine)
}

fn close(global: &Global, id: i64, reasons: &Reasons) -> Result<Outcome, Trouble> {
    reasons.check()?;
    let config = load::config(global)?;
    let closed = load::wait(async {
        let acting = Acting::begin(&config).await?;
        let closed = acting.close_demand(id, reasons).await?;
        acting.end().await?;
        Ok::<_, Trouble>(closed)
    })??;
    match closed {
        Ok(()) if global.json => print::json(&json!({ "id": id, "state": "closed" }))?,
        Ok(()) => print::data(&format!("demand {id} is closed\n"))?,
        Err(why) => {
            print::human(&format!("error: demand {id}: {why}"));
            return Ok(Outcome::Findings);
        }
    }
    Ok(Outcome::Fine)
}

/// Posts an answer.
pub(super) fn answer(global: &Global, answer: &Answer) -> Result<Outcome, Trouble> {
    answer.reasons.check()?;
    let text = read(&answer.file)?;
    let config = load::config(global)?;
    let id = answer.demand;
    let taken = load::wait(async {
        let acting = Acting::begin(&config).await?;
        let kind = answer.message_type.as_deref();
        let taken = acting.answer(id, &text, kind, &answer.reasons).await?;
        acting.end().await?;
        Ok::<_, Trouble>(taken)
    })??;
    match taken {
        Ok((exchange, state)) if global.json => {
            print::json(&json!({ "demand": id, "exchange": exchange, "state": state }))?;
        }
        Ok((exchange, state)) => {
            print::data(&format!("the answer to demand {id} is exchange {exchange}: {state}\n"))?;
            print::human(&format!("somebody else: `watashi approvals approve {exchange}`"));
        }
        Err(why) => {
            print::human(&format!("error: demand {id}: {why}"));
            return Ok(Outcome::Findings);
        }
    }
    Ok(Outcome::Fine)
}

/// Largest answer, in bytes: a document, not a file of many.
const MAX_BYTES: u64 = 512 * 1024;

/// The text of a file with an answer.
pub(super) fn read(path: &Path) -> Result<String, Trouble> {
    let unavailable = |error: std::io::Error| {
        Trouble::new(UNAVAILABLE, format!("`{}`: {}", path.display(), error.kind()))
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unavailable)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unavailable)?;
    match u64::try_from(text.len()).is_ok_and(|length| length <= MAX_BYTES) {
        true => Ok(text),
        false => {
            let message = format!("`{}` has more than {MAX_BYTES} bytes", path.display());
            Err(Trouble::usage(message))
        }
    }
}
