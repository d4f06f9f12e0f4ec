//! `watashi counts`: how many records of a month there are, by few dimensions, without showing a person.

use super::log::access;
use super::operator::{Acting, Reasons};
use super::trouble::{CONFIGURATION, Trouble};
use super::{Global, Outcome, docs, load, print};
use crate::codec::json::read_strict;
use crate::config::{Config, definitions};
use crate::counts::{self, Definition, Line, Month, Taken, Tally, TooMany};
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::render;
use crate::model::clock::SystemClock;
use crate::model::codes::store as codes;
use crate::model::json::Limits;
use crate::model::{Clock, State};
use crate::ops::record::Access;
use crate::store::{ExchangeView, Filter, Store, StoreError};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

const EXAMPLES: &str = "\
Counts what a route delivered, each record once in its newest state, by `counts/NAME.yaml`. Cells from 1 to
below its threshold are withheld (x), and as many more as it takes that none of them can be reckoned. Do not
publish two tables of one month: their difference may show what each withholds.

Examples:
  watashi counts doses --month 2026-10 --operator sato --reason 'monthly report to the prefecture'
  watashi counts doses --month 2026-10 --format json --operator sato --reason 'monthly report'

Exit codes: 0 counted, 1 counted and marked incomplete, 69 the month is not whole, 78 configuration.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Name of the definition in `counts/`
    #[arg(value_name = "NAME")]
    name: String,
    /// The month in Japan: 2026-10
    #[arg(long, value_name = "MONTH")]
    month: Month,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Print it although the month is not whole, marked so
    #[arg(long)]
    incomplete: bool,
    #[command(flatten)]
    reasons: Reasons,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For spreadsheets: UTF-8 with BOM
    Csv,
    /// For programs
    Json,
}

/// Exchanges read at once.
const PAGE: usize = 1_000;

/// What was found beside the cells: for the operator, never printed with the table.
#[derive(Debug, Default)]
struct Seen {
    read: usize,
    purged: usize,
    unreadable: usize,
    under_way: usize,
    dead: usize,
    is_over: bool,
}

impl Seen {
    /// Why the month is not whole; nothing when it is.
    fn missing(&self) -> Vec<String> {
        let of = |count: usize, what: &str| {
            (count > 0).then(|| format!("{} {what}", print::plural(count, "message")))
        };
        let over = (!self.is_over).then(|| "it has not ended".to_owned());
        let found = [
            over,
            of(self.purged, "whose body was purged"),
            of(self.unreadable, "that cannot be read"),
            of(self.under_way, "under way"),
        ];
        found.into_iter().flatten().collect()
    }
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    arguments.reasons.check()?;
    let config = load::config(global)?;
    let definition = definition(&config, &arguments.name)?;
    let acting = load::wait(Acting::begin(&config))??;
    let store: Arc<dyn Store> = match &acting {
        Acting::Here { store, .. } => store.clone(),
        Acting::There { .. } => load::store(&config)?,
    };
    let (cells, seen) = load::wait(count(&*store, &config, &definition, arguments.month))??;
    let missing = seen.missing();
    if !missing.is_empty() {
        let why = missing.join(", ");
        if !arguments.incomplete {
            return Err(StoreError::new(&codes::MONTH_INCOMPLETE, why).into());
        }
        print::human(&format!("incomplete: {why}"));
    }
    if seen.dead > 0 {
        let dead = print::plural(seen.dead, "message");
        print::human(&format!("not counted: {dead} since the month began that are dead"));
    }
    // Recorded before anything is shown.
    load::wait(async {
        let access = Access {
            act: "counts-made".to_owned(),
            about: Some(format!("{} {}", definition.name, arguments.month)),
            subject: None,
            count: seen.read as u64,
            operator: arguments.reasons.operator.clone(),
            reason: arguments.reasons.reason.clone(),
        };
        access::write(&acting, access).await
    })??;
    let lines = counts::lines(&definition, &cells);
    match if global.json { Format::Json } else { arguments.format } {
        Format::Csv => print::data(&csv(&definition, &lines, missing.is_empty()))?,
        Format::Json => print_json(&definition, arguments.month, &lines, missing.is_empty())?,
    }
    Ok(if missing.is_empty() { Outcome::Fine } else { Outcome::Findings })
}

fn definition(config: &Config, name: &str) -> Result<Definition, Trouble> {
    let bundle = load::bundle(config)?;
    let mut problems = Vec::new();
    let files = definitions::counts(&config.definitions, &mut problems);
    let mut all = counts::load(&files, &bundle, &mut problems);
    if let Some(definition) = all.remove(name) {
        return Ok(definition);
    }
    if !problems.is_empty() {
        print::human(render::text(&problems).trim_end());
    }
    let folder = config.definitions.join("counts");
    let message = format!("`{}` holds no counts `{name}` that can be used", folder.display());
    let hint = match nearest(name, all.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`watashi lint` shows every problem".to_owned(),
    };
    Err(Trouble::new(CONFIGURATION, message).hint(hint))
}

/// Reads all that was accepted since the month began: what came before cannot be of it.
async fn count(
    store: &dyn Store,
    config: &Config,
    definition: &Definition,
    month: Month,
) -> Result<(Vec<u64>, Seen), StoreError> {
    let mut tally = Tally::new(definition, month);
    let mut seen = Seen { is_over: SystemClock.now() >= month.ended(), ..Seen::default() };
    let mut open = HashSet::new();
    let mut filter =
        Filter { route: Some(definition.route.clone()), limit: PAGE, ..Filter::default() };
    loop {
        let page = store.list(filter.clone()).await?;
        let Some(last) = page.last() else { break };
        filter.after = last.id;
        for one in page {
            let accepted: Option<Timestamp> = one.accepted_at.parse().ok();
            if accepted.is_some_and(|accepted| accepted < month.begins()) {
                continue;
            }
            match State::from_name(&one.state) {
                Some(State::Delivered) => take(store, config, &mut tally, &mut seen, &one).await?,
                Some(State::Dead) => seen.dead += 1,
                Some(state) if state.is_final() => {}
                _ => {
                    open.insert(one.id);
                }
            }
        }
    }
    // Looked at when all is counted: a correction may concern a record that was counted.
    for id in open {
        let filter = Filter { after: id - 1, limit: 1, ..filter.clone() };
        let Some(one) = store.list(filter).await?.into_iter().find(|one| one.id == id) else {
            continue;
        };
        let Some(body) = store.original(id).await? else { continue };
        let document = read_strict(body.expose(), &limits(config));
        let touches =
            document.map_or(true, |document| tally.touches(&one.source, id, (&document).into()));
        seen.under_way += usize::from(touches);
    }
    Ok((tally.cells(), seen))
}

/// One delivered message.
async fn take(
    store: &dyn Store,
    config: &Config,
    tally: &mut Tally<'_>,
    seen: &mut Seen,
    one: &ExchangeView,
) -> Result<(), StoreError> {
    let Some(body) = store.original(one.id).await? else {
        seen.purged += 1;
        return Ok(());
    };
    seen.read += 1;
    let taken = match read_strict(body.expose(), &limits(config)) {
        Ok(document) => tally.take(&one.source, one.id, (&document).into()),
        Err(_) => Ok(Taken::Unreadable),
    };
    let many = |TooMany| StoreError::new(&codes::TOO_MANY_RECORDS, "");
    seen.unreadable += usize::from(taken.map_err(many)? == Taken::Unreadable);
    Ok(())
}

fn limits(config: &Config) -> Limits {
    Limits { max_bytes: config.max_body, ..Limits::default() }
}

/// Withheld.
const WITHHELD: &str = "x";

fn csv(definition: &Definition, lines: &[Line], is_whole: bool) -> String {
    let heads = definition.dimensions.iter().map(|dimension| dimension.name.clone());
    let end = if is_whole { "count" } else { "count (incomplete)" };
    let mut text = String::from("\u{FEFF}");
    docs::csv::line(&mut text, heads.chain([end.to_owned()]));
    for line in lines {
        let count = line.count.map_or(WITHHELD.to_owned(), |count| count.to_string());
        docs::csv::line(&mut text, line.labels.iter().cloned().chain([count]));
    }
    text
}

fn print_json(
    definition: &Definition,
    month: Month,
    lines: &[Line],
    is_whole: bool,
) -> Result<(), Trouble> {
    let dimensions: Vec<&str> =
        definition.dimensions.iter().map(|dimension| dimension.name.as_str()).collect();
    let one = |line: &Line| json!({"labels": line.labels, "count": line.count, "withheld": line.count.is_none()});
    print::json(&json!({
        "counts": definition.name,
        "title": definition.title,
        "month": month.to_string(),
        "complete": is_whole,
        "threshold": definition.threshold,
        "dimensions": dimensions,
        "rows": lines.iter().map(one).collect::<Vec<_>>(),
    }))
}
