//! `watashi replay`: replays as tasks, shown before they begin, carried out by the gateway.

use super::operator::{Acting, Reasons};
use super::trouble::Trouble;
use super::{Global, Outcome, load, print};
use crate::model::Clock;
use crate::model::clock::SystemClock;
use crate::pipeline::tasks::{DEFAULT_RATE, Difference};
use crate::store::tasks::{Manner, Selection, TaskVerb, TaskView};
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use serde_json::json;

const EXAMPLES: &str = "\
A task is made as a draft that shows what it would do; `start` lets the gateway carry it out. Made
again with the same --request, it is the same task.

Examples:
  watashi replay new --code G201 --operator sato --reason 'schema mended'
  watashi replay new --state delivered --route my-route --from 2026-11-01T00:00:00+09:00 \\
      --rate 5 --operator sato --reason 'lost by the counterpart'
  watashi replay start 3 --operator sato --reason 'checked'
  watashi replay show 3";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(subcommand)]
    act: ReplayCommand,
}

#[derive(Debug, Subcommand)]
enum ReplayCommand {
    /// Make a task and show what it would do; nothing is replayed yet
    New(Box<New>),
    /// List the newest tasks
    List,
    /// Show a task, and what could not be replayed
    Show {
        /// Id of the task
        id: i64,
    },
    /// Let the gateway carry it out
    Start(Change),
    /// Stop it for a while
    Pause(Change),
    /// Go on with it
    Resume(Change),
    /// Give it up; what was replayed stays replayed
    Cancel(Change),
}

/// Which exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Wanted {
    Dead,
    Delivered,
}

/// Which definitions they go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Current,
    Accepted,
}

#[derive(Debug, Args)]
struct New {
    /// Only exchanges in this state
    #[arg(long, value_enum, value_name = "STATE", default_value = "dead")]
    state: Vec<Wanted>,
    /// Only this route
    #[arg(long, value_name = "ROUTE")]
    route: Option<String>,
    /// Only this code
    #[arg(long, value_name = "CODE")]
    code: Option<String>,
    /// Accepted at or after this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Accepted before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Only these messages
    #[arg(long, value_name = "MESSAGE-ID")]
    message: Vec<String>,
    /// Only these exchanges
    #[arg(long, value_name = "ID")]
    exchange: Vec<i64>,
    /// Definitions to go by: those in force, or those each was accepted under
    #[arg(long, value_enum, value_name = "WHICH", default_value = "current")]
    definitions: By,
    /// Items a second
    #[arg(long, value_name = "COUNT", default_value_t = DEFAULT_RATE,
          value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Also what another task has replayed
    #[arg(long)]
    force: bool,
    /// Send delivered ones under a new key: a second effect, for which this second person answers
    #[arg(long, value_name = "PERSON")]
    force_new_effect: Option<String>,
    /// Names this request: made again with the same name, it is the same task
    #[arg(long, value_name = "NAME")]
    request: Option<String>,
    #[command(flatten)]
    reasons: Reasons,
}

#[derive(Debug, Args)]
struct Change {
    /// Id of the task
    id: i64,
    #[command(flatten)]
    reasons: Reasons,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    match &arguments.act {
        ReplayCommand::New(new) => create(global, new),
        ReplayCommand::List => list(global),
        ReplayCommand::Show { id } => show(global, *id),
        ReplayCommand::Start(change) => act(global, change, TaskVerb::Start),
        ReplayCommand::Pause(change) => act(global, change, TaskVerb::Pause),
        ReplayCommand::Resume(change) => act(global, change, TaskVerb::Resume),
        ReplayCommand::Cancel(change) => act(global, change, TaskVerb::Cancel),
    }
}

fn asked(new: &New) -> (Selection, Manner) {
    let state = |state: &Wanted| match state {
        Wanted::Dead => "dead".to_owned(),
        Wanted::Delivered => "delivered".to_owned(),
    };
    let selection = Selection {
        states: new.state.iter().map(state).collect(),
        route: new.route.clone(),
        code: new.code.clone(),
        from: new.from,
        to: new.to,
        messages: new.message.clone(),
        exchanges: new.exchange.clone(),
    };
    let manner = Manner {
        accepted: new.definitions == By::Accepted,
        rate: new.rate,
        force: new.force,
        new_effect: new.force_new_effect.clone(),
    };
    (selection, manner)
}

fn create(global: &Global, new: &New) -> Result<Outcome, Trouble> {
    new.reasons.check()?;
    let (selection, manner) = asked(new);
    let request = match &new.request {
        Some(request) => request.clone(),
        None => format!("cli-{}-{}", std::process::id(), SystemClock.now().as_nanosecond()),
    };
    let config = load::config(global)?;
    let planned = load::wait(async {
        let acting = Acting::begin(&config).await?;
        let planned = acting.plan(&request, &selection, &manner, &new.reasons).await?;
        acting.end().await?;
        Ok::<_, Trouble>(planned)
    })??;
    let planned = match planned {
        Ok(planned) => planned,
        Err(why) => {
            print::human(&format!("error: {why}"));
            return Ok(Outcome::Findings);
        }
    };
    if global.json {
        print::json(&planned)?;
        return Ok(Outcome::Fine);
    }
    let id = planned.task.id;
    let known = if planned.known { " (made before)" } else { "" };
    let mut page = format!("task {id}{known}\n{:<11} {}\n", "items", planned.task.waiting);
    let sample: Vec<String> = planned.preview.sample.iter().map(i64::to_string).collect();
    page.push_str(&format!("{:<11} {}\n", "first", sample.join(" ")));
    for (code, ids) in &planned.preview.refused {
        page.push_str(&format!("{:<11} {code}, {} of the first\n", "refused", ids.len()));
    }
    for Difference { place, kind, exchanges } in &planned.preview.differences {
        page.push_str(&format!("{kind:<11} {place}, in {exchanges} of the first\n"));
    }
    print::data(&page)?;
    print::human(&format!("nothing is replayed before `watashi replay start {id}`"));
    Ok(Outcome::Fine)
}

fn row(task: &TaskView) -> Vec<String> {
    let counts = [task.waiting, task.done, task.failed, task.skipped];
    let mut row = vec![task.id.to_string(), task.state.clone()];
    row.extend(counts.iter().map(u64::to_string));
    row.extend([task.operator.clone(), task.created_at.clone(), task.reason.clone()]);
    row
}

const HEAD: [&str; 9] =
    ["task", "state", "waiting", "done", "failed", "skipped", "operator", "made", "reason"];

fn list(global: &Global) -> Result<Outcome, Trouble> {
    let store = load::store(&load::config(global)?)?;
    let tasks = load::wait(store.tasks(100))??;
    if global.json {
        print::json(&tasks)?;
    } else {
        print::data(&print::table(&HEAD, &tasks.iter().map(row).collect::<Vec<_>>()))?;
    }
    Ok(Outcome::Fine)
}

fn show(global: &Global, id: i64) -> Result<Outcome, Trouble> {
    let store = load::store(&load::config(global)?)?;
    let (task, failed) = load::wait(async {
        let task = store.task(id).await?.ok_or_else(|| {
            Trouble::new(1, format!("there is no task {id}"))
                .hint("`watashi replay list` shows the ids")
        })?;
        let mut failed = store.task_items(id, Some("failed"), 0, 100).await?;
        failed.extend(store.task_items(id, Some("skipped"), 0, 100).await?);
        Ok::<_, Trouble>((task, failed))
    })??;
    if global.json {
        print::json(&json!({ "task": task, "left": failed }))?;
        return Ok(Outcome::Fine);
    }
    print::data(&print::table(&HEAD, &[row(&task)]))?;
    let left = |item: &crate::store::tasks::ItemView| {
        let (code, detail) = (item.code.clone(), item.detail.clone());
        let (code, detail) = (code.unwrap_or_default(), detail.unwrap_or_default());
        vec![item.exchange.to_string(), item.state.clone(), code, detail]
    };
    if !failed.is_empty() {
        let rows: Vec<Vec<String>> = failed.iter().map(left).collect();
        print::data(&print::table(&["exchange", "state", "code", "why"], &rows))?;
    }
    Ok(Outcome::Fine)
}

fn act(global: &Global, change: &Change, verb: TaskVerb) -> Result<Outcome, Trouble> {
    change.reasons.check()?;
    let config = load::config(global)?;
    let state = load::wait(async {
        let acting = Acting::begin(&config).await?;
        let state = acting.change_task(change.id, verb, &change.reasons).await?;
        acting.end().await?;
        Ok::<_, Trouble>(state)
    })??;
    match state {
        Ok(state) if global.json => print::json(&json!({ "id": change.id, "state": state }))?,
        Ok(state) => print::data(&format!("task {} is now {state}\n", change.id))?,
        Err(why) => {
            print::human(&format!("error: task {}: {why}", change.id));
            return Ok(Outcome::Findings);
        }
    }
    Ok(Outcome::Fine)
}
