//! `watashi approvals`: what waits for a second person, and their word. Every act says who and why, and
//! is recorded; who prepared a message cannot approve it.

use super::operator::{Acting, Reasons};
use super::trouble::Trouble;
use super::{Global, Outcome, load, print};
use crate::store::approvals::{ApprovalFilter, ApprovalView};
use clap::{Args, Subcommand};
use serde_json::json;
use std::io::Write;

const EXAMPLES: &str = "\
Acts work whether the gateway runs or not: beside a running one they go through its ops listener.

Examples:
  watashi approvals list
  watashi approvals show 42 --document --operator sato --reason 'compared with the original'
  watashi approvals approve 42 --operator sato --reason 'compared with the original'
  watashi approvals reject 43 --operator sato --reason 'the date is wrong'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    act: ApprovalsCommand,
}

#[derive(Debug, Subcommand)]
enum ApprovalsCommand {
    /// List what waits for a second person
    List {
        /// Also what was decided
        #[arg(long)]
        all: bool,
    },
    /// Show one; with --document what would leave, which is recorded
    Show {
        /// Id of the exchange
        id: i64,
        /// Print the document that would leave on standard output
        #[arg(long, requires = "operator", requires = "reason")]
        document: bool,
        /// Who looks, as the record shall name them
        #[arg(long, value_name = "NAME")]
        operator: Option<String>,
        /// Why; no personal data, for it goes into the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Agree: it is sent
    Approve(Decide),
    /// Refuse, or take back what one has prepared: it is not sent
    Reject(Decide),
}

#[derive(Debug, Args)]
struct Decide {
    /// Id of the exchange
    id: i64,
    #[command(flatten)]
    reasons: Reasons,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    match &arguments.act {
        ApprovalsCommand::List { all } => list(global, *all),
        ApprovalsCommand::Show { id, document, operator, reason } => {
            let reasons = operator.clone().zip(reason.clone());
            let reasons = reasons.map(|(operator, reason)| Reasons { operator, reason });
            show(global, *id, reasons.filter(|_| *document))
        }
        ApprovalsCommand::Approve(decide) => act(global, decide, "approve"),
        ApprovalsCommand::Reject(decide) => act(global, decide, "reject"),
    }
}

const HEAD: [&str; 8] =
    ["exchange", "state", "route", "type", "number", "prepared by", "asked", "expires"];

fn row(view: &ApprovalView) -> Vec<String> {
    vec![
        view.exchange.to_string(),
        view.state.clone(),
        view.route.clone(),
        view.message_type.clone(),
        view.number.clone().unwrap_or_default(),
        view.preparer.clone(),
        view.asked_at.clone(),
        view.expires_at.clone(),
    ]
}

fn list(global: &Global, all: bool) -> Result<Outcome, Trouble> {
    let store = load::store(&load::config(global)?)?;
    let filter = ApprovalFilter { waiting: !all, ..ApprovalFilter::default() };
    let approvals = load::wait(store.approvals(filter))??;
    if global.json {
        print::json(&approvals)?;
    } else {
        let rows: Vec<Vec<String>> = approvals.iter().map(row).collect();
        print::data(&print::table(&HEAD, &rows))?;
    }
    Ok(Outcome::Fine)
}

fn show(global: &Global, id: i64, looking: Option<Reasons>) -> Result<Outcome, Trouble> {
    if let Some(reasons) = &looking {
        reasons.check()?;
        return document(global, id, reasons);
    }
    let store = load::store(&load::config(global)?)?;
    let filter = ApprovalFilter { exchange: Some(id), ..ApprovalFilter::default() };
    let found = load::wait(store.approvals(filter))??.pop().ok_or_else(|| {
        Trouble::new(1, format!("exchange {id} needs no second person, or is not there"))
            .hint("`watashi approvals list --all` shows the ids")
    })?;
    if global.json {
        print::json(&found)?;
        return Ok(Outcome::Fine);
    }
    let mut page = print::table(&HEAD, &[row(&found)]);
    let mut line = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            page.push_str(&format!("{name:<11} {value}\n"));
        }
    };
    line("decided by", &found.decided_by);
    line("reason", &found.reason);
    line("decided", &found.decided_at);
    line("document", &found.digest);
    page.push_str(&format!("{:<11} {}\n", "exchange", found.exchange_state));
    print::data(&page)?;
    Ok(Outcome::Fine)
}

fn document(global: &Global, id: i64, reasons: &Reasons) -> Result<Outcome, Trouble> {
    let config = load::config(global)?;
    let shown = load::wait(async {
        let acting = Acting::begin(&config).await?;
        let shown = acting.approval_document(id, reasons).await?;
        acting.end().await?;
        Ok::<_, Trouble>(shown)
    })??;
    match shown {
        Ok(body) => {
            let written = std::io::stdout().lock().write_all(&body);
            written
                .map_err(|error| Trouble::new(1, format!("standard output: {}", error.kind())))?;
            Ok(Outcome::Fine)
        }
        Err(why) => refused(id, &why),
    }
}

fn act(global: &Global, decide: &Decide, verb: &str) -> Result<Outcome, Trouble> {
    decide.reasons.check()?;
    let (config, id) = (load::config(global)?, decide.id);
    let decided = load::wait(async {
        let acting = Acting::begin(&config).await?;
        let decided = acting.decide(id, verb, &decide.reasons).await?;
        acting.end().await?;
        Ok::<_, Trouble>(decided)
    })??;
    match decided {
        Ok(state) if global.json => print::json(&json!({ "id": id, "state": state }))?,
        Ok(state) => print::data(&format!("exchange {id} is now {state}\n"))?,
        Err(why) => return refused(id, &why),
    }
    Ok(Outcome::Fine)
}

fn refused(id: i64, why: &str) -> Result<Outcome, Trouble> {
    print::human(&format!("error: exchange {id}: {why}"));
    Ok(Outcome::Findings)
}
