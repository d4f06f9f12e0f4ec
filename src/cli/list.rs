//! `watashi list`: what is defined, and exchanges in the store.

use super::trouble::Trouble;
use super::{Global, Outcome, load, print};
use crate::adapter::Bundle;
use crate::diagnostic::nearest::nearest;
use crate::model::State;
use crate::store::{ExchangeView, Filter, Store};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  watashi list routes
  watashi list schemas --json
  watashi list --message 0190-abc          exchanges of one message
  watashi list exchanges --state waiting-retry --route my-route";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// What to list; exchanges where a filter is given
    #[arg(value_enum)]
    what: Option<What>,
    #[command(flatten)]
    filter: FilterArguments,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    Routes,
    Adapters,
    Mappings,
    Schemas,
    Exchanges,
}

/// Filters of lists of exchanges.
#[derive(Debug, Args)]
pub(super) struct FilterArguments {
    /// Only exchanges of this message (the sender's id)
    #[arg(long, value_name = "ID")]
    message: Option<String>,
    /// Only exchanges in this state
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// Only exchanges of this route
    #[arg(long, value_name = "ROUTE")]
    pub(super) route: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: usize,
}

impl FilterArguments {
    fn any(&self) -> bool {
        self.message.is_some() || self.state.is_some() || self.route.is_some()
    }
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let filter = &arguments.filter;
    let what = match arguments.what {
        None | Some(What::Exchanges) if filter.any() => What::Exchanges,
        Some(what) if filter.any() && what != What::Exchanges => {
            return Err(Trouble::usage("filters are for `list exchanges`"));
        }
        Some(what) => what,
        None => {
            return Err(Trouble::usage("what shall be listed?")
                .hint("one of: routes, adapters, mappings, schemas, exchanges"));
        }
    };
    match what {
        What::Routes => shown(global, &load::bundle_anyway(global)?, &ROUTES, routes)?,
        What::Adapters => shown(global, &load::bundle_anyway(global)?, &ADAPTERS, adapters)?,
        What::Mappings => shown(global, &load::bundle_anyway(global)?, &MAPPINGS, mappings)?,
        What::Schemas => shown(global, &load::bundle_anyway(global)?, &SCHEMAS, schemas)?,
        What::Exchanges => exchanges(global, filter)?,
    }
    Ok(Outcome::Fine)
}

const ROUTES: [&str; 6] = ["route", "enabled", "counterpart", "operation", "mapping", "types"];
const ADAPTERS: [&str; 4] = ["adapter", "title", "provisional", "operations"];
const MAPPINGS: [&str; 3] = ["mapping", "from", "to"];
const SCHEMAS: [&str; 2] = ["schema", "title"];

/// The rows as a table, or as JSON objects with the columns as keys.
fn shown(
    global: &Global,
    bundle: &Bundle,
    columns: &[&str],
    rows: fn(&Bundle) -> Vec<Vec<Value>>,
) -> Result<(), Trouble> {
    let rows = rows(bundle);
    if global.json {
        let object = |row: Vec<Value>| -> Value {
            columns.iter().map(|&column| column.to_owned()).zip(row).collect()
        };
        return print::json(&rows.into_iter().map(object).collect::<Vec<Value>>());
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(text).collect()).collect();
    print::data(&print::table(columns, &rows))
}

fn routes(bundle: &Bundle) -> Vec<Vec<Value>> {
    let row = |route: &std::sync::Arc<crate::adapter::Route>| {
        vec![
            json!(route.name),
            json!(bundle.is_enabled(&route.name)),
            json!(route.adapter.name),
            json!(route.operation_name()),
            json!(route.mapping.name),
            json!(route.on),
        ]
    };
    bundle.routes().map(row).collect()
}

fn adapters(bundle: &Bundle) -> Vec<Vec<Value>> {
    let row = |adapter: &std::sync::Arc<crate::adapter::Adapter>| {
        let operations: Vec<&String> = adapter.operations.keys().collect();
        vec![
            json!(adapter.name),
            json!(adapter.title_ja),
            json!(adapter.provisional),
            json!(operations),
        ]
    };
    bundle.adapters.values().map(row).collect()
}

fn mappings(bundle: &Bundle) -> Vec<Vec<Value>> {
    let row = |mapping: &std::sync::Arc<crate::mapping::Mapping>| {
        vec![json!(mapping.name), json!(mapping.from.id()), json!(mapping.to.id())]
    };
    bundle.mappings.values().map(row).collect()
}

fn schemas(bundle: &Bundle) -> Vec<Vec<Value>> {
    let title = |id: &str| bundle.schemas.get(id).map(|schema| schema.title().to_owned());
    bundle.schemas.ids().map(|id| vec![json!(id), json!(title(id).unwrap_or_default())]).collect()
}

fn exchanges(global: &Global, arguments: &FilterArguments) -> Result<(), Trouble> {
    let states = match arguments.state.as_deref() {
        Some(name) => vec![state(name)?],
        None => Vec::new(),
    };
    let store = load::store(&load::config(global)?)?;
    let filter = Filter {
        states,
        route: arguments.route.clone(),
        message_id: arguments.message.clone(),
        limit: arguments.limit,
        ..Filter::default()
    };
    let (found, more) = load::wait(page(&*store, filter))??;
    if global.json {
        return print::json(&found);
    }
    print::data(&table(&found))?;
    if found.is_empty() {
        print::human("no exchanges");
    } else if more {
        print::human(&format!("only the first {} are shown; see `--limit`", found.len()));
    }
    Ok(())
}

/// Exchanges up to the filter's limit, over as many pages as the store needs, and whether there
/// are more.
pub(super) async fn page(
    store: &dyn Store,
    mut filter: Filter,
) -> Result<(Vec<ExchangeView>, bool), Trouble> {
    let wanted = filter.limit;
    let mut found = Vec::new();
    loop {
        filter.limit = (wanted - found.len()).saturating_add(1).min(1_000);
        let page = store.list(filter.clone()).await?;
        let full = page.len() == filter.limit;
        if let Some(last) = page.last() {
            filter.after = last.id;
        }
        found.extend(page);
        if found.len() > wanted {
            found.truncate(wanted);
            return Ok((found, true));
        }
        if !full {
            return Ok((found, false));
        }
    }
}

/// Exchanges as a table.
pub(super) fn table(exchanges: &[ExchangeView]) -> String {
    let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let row = |view: &ExchangeView| {
        let route = if view.route.is_empty() { "-" } else { &view.route };
        vec![
            view.id.to_string(),
            view.state.clone(),
            route.to_owned(),
            view.message_type.clone(),
            view.message_id.clone(),
            view.attempts.to_string(),
            dash(&view.code),
            view.since.clone(),
        ]
    };
    let head = ["id", "state", "route", "type", "message", "attempts", "code", "since"];
    print::table(&head, &exchanges.iter().map(row).collect::<Vec<_>>())
}

fn state(name: &str) -> Result<State, Trouble> {
    State::from_name(name).ok_or_else(|| {
        let names = || State::ALL.iter().map(|state| state.name());
        let trouble = Trouble::usage(format!("there is no state `{name}`"));
        match nearest(name, names()) {
            Some(near) => trouble.hint(format!("did you mean `{near}`?")),
            None => trouble.hint(format!("one of: {}", names().collect::<Vec<_>>().join(", "))),
        }
    })
}
