//! `watashi dlq`: what waits for a person (dead, or unknown without a way to ask), and the acts
//! on it. Every act says who and why, and is recorded.

use super::operator::{self, Acted, Acting, Reasons};
use super::trouble::{Trouble, UNAVAILABLE};
use super::{Global, Outcome, demands, list, load, print};
use crate::adapter::Bundle;
use crate::model::{State, codes};
use crate::pipeline::by_hand;
use crate::store::{ActVerb, ExchangeView, Filter};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Acts work whether the gateway runs or not: beside a running one they go through its ops listener.
Many at once are a task: `watashi replay`.

Examples:
  watashi dlq list --code G201
  watashi dlq list --reason APPLICANT_NOT_FOUND
  watashi dlq show 42
  watashi dlq replay 42 43 --operator sato --reason 'schema mended'
  watashi dlq discard 44 --operator sato --reason 'sent twice by the sender'
  watashi dlq confirm 45 --applied --operator sato --reason 'seen in the counterpart'
  watashi dlq confirm 46 --applied --answer answer.json --operator sato --reason 'as its screen shows'
  watashi dlq answer 47 --answer given.json --operator sato --reason 'identified at the counter'";

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
        /// Only this reason of an adapter
        #[arg(long, value_name = "NAME")]
        reason: Option<String>,
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
    /// Give the answer that the counterpart could not give, where the route lets staff do so
    Answer(GivenAnswer),
}

#[derive(Debug, Args)]
struct GivenAnswer {
    /// Id of the exchange
    #[arg(value_name = "ID")]
    id: i64,
    /// File with the answer
    #[arg(long, value_name = "FILE")]
    answer: PathBuf,
    #[command(flatten)]
    reasons: Reasons,
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
    /// File with the answer that was lost, as the counterpart would have given it; it is passed on
    #[arg(long, value_name = "FILE", conflicts_with = "not_applied")]
    answer: Option<PathBuf>,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    match &arguments.act {
        DlqCommand::List { route, code, reason } => {
            all(global, route.as_deref(), code.as_deref(), reason.as_deref())
        }
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
        DlqCommand::Answer(given) => give(global, given.id, &given.answer, &given.reasons),
        DlqCommand::Confirm(Confirm { many, answer: Some(file), .. }) => match many.ids[..] {
            [id] => give(global, id, file, &many.reasons),
            _ => Err(Trouble::usage("an answer is that of one exchange: give one id")),
        },
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

fn all(
    global: &Global,
    route: Option<&str>,
    code: Option<&str>,
    reason: Option<&str>,
) -> Result<Outcome, Trouble> {
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
    found.retain(|view| {
        waits_for_a_person(view) && reason.is_none_or(|name| reason_of(view) == Some(name))
    });
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
        let (view, attempts, given_by) = load::wait(async {
            let view = operator::find(&*store, id).await?.ok_or_else(|| unknown(id))?;
            let attempts = store.attempts(id).await?;
            let waits = waits_for_a_person(&view);
            let given = if waits { by_hand::given_by(id, &*store).await? } else { None };
            Ok::<_, Trouble>((view, attempts, given))
        })??;
        if global.json {
            print::json(&json!({"exchange": view, "attempts": attempts, "answerBy": given_by}))?;
        } else {
            print::data(&page(&view, load::bundle(&config).ok().as_ref()))?;
            if let Some(operator) = given_by {
                let waits = "somebody else must give the same answer";
                print::data(&format!("\nanswer given by {operator}: {waits}\n"))?;
            }
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

/// The name of an adapter's reason, where the detail begins with one.
fn reason_of(view: &ExchangeView) -> Option<&str> {
    view.detail.as_deref()?.split(' ').next()
}

/// `bundle`: where the reasons of adapters are, if the definitions can be read.
fn page(view: &ExchangeView, bundle: Option<&Bundle>) -> String {
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
    let adapter = bundle.and_then(|bundle| bundle.adapters.get(&view.counterpart));
    let named = reason_of(view).and_then(|name| Some((name, adapter?.reasons.get(name)?)));
    if let Some((name, reason)) = named {
        out.push_str(&format!("\n{name}: {}\n{}\n", reason.title_en, reason.remedy));
    }
    out
}

/// Takes the answer of one exchange from a file.
fn give(global: &Global, id: i64, file: &Path, reasons: &Reasons) -> Result<Outcome, Trouble> {
    reasons.check()?;
    let text = demands::read(file)?;
    let config = load::config(global)?;
    let given = load::wait(async {
        let acting = Acting::begin(&config).await?;
        let given = acting.give(id, &text, reasons).await?;
        acting.end().await?;
        Ok::<_, Trouble>(given)
    })??;
    match given {
        Err(why) if global.json => print::json(&json!({"id": id, "refused": why}))?,
        Err(why) => print::human(&format!("error: exchange {id}: {why}")),
        Ok(Some(state)) if global.json => {
            print::json(&json!({"id": id, "state": state}))?;
            return Ok(Outcome::Fine);
        }
        Ok(Some(state)) => {
            print::data(&format!("{id} is now {state}\n"))?;
            return Ok(Outcome::Fine);
        }
        Ok(None) if global.json => {
            print::json(&json!({"id": id, "waits": "second-person"}))?;
            return Ok(Outcome::Fine);
        }
        Ok(None) => {
            print::human(&format!("{id} waits: somebody else must give the same answer"));
            return Ok(Outcome::Fine);
        }
    }
    Ok(Outcome::Findings)
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
