//! `watashi try`: one message through recognise, validate, map and encode. Every station is
//! shown; nothing is sent, nothing is stored.

mod nowhere;
mod stations;

use super::trouble::{Trouble, UNAVAILABLE};
use super::{Global, Outcome, load, print};
use crate::adapter::bundle::Enabled;
use crate::adapter::{Bundle, Route};
use crate::codec::{self, Limits};
use crate::config::Config;
use crate::model::Secret;
use crate::model::clock::SystemClock;
use crate::pipeline::accept::{Arrival, Origin, recognise};
use crate::pipeline::scan::Cleared;
use crate::pipeline::{Context, Counterparts, Definitions, Settings};
use crate::store::Keys;
use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

const EXAMPLES: &str = "\
The message is JSON, or a CloudEvent in JSON; for an inbound route it is what the counterpart
answers. Values are shown only with --show-values.

Examples:
  watashi try my-route message.json
  watashi try my-route - --explain < message.json
  watashi try --type notice.requested message.json          every route of the type
  watashi try my-route message.json --type subject.removed";

/// Largest body where no configuration says otherwise, in bytes.
const MAX_BODY: usize = 2 << 20;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The route; with --type every route of the type is tried
    #[arg(value_name = "ROUTE", required_unless_present = "message_type")]
    first: Option<String>,
    /// The message; standard input without one, or for `-`
    #[arg(value_name = "FILE")]
    second: Option<String>,
    /// Message type
    #[arg(long = "type", value_name = "TYPE")]
    message_type: Option<String>,
    /// Show what each rule of the mapping did
    #[arg(long)]
    explain: bool,
    /// Print the body that would be sent, and values; mind who looks
    #[arg(long)]
    show_values: bool,
}

pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<Outcome, Trouble> {
    let config = match load::config_if_any(global) {
        Some(_) => Some(load::config(global)?),
        None => None,
    };
    // Every route may be tried; whether it is on is said beside it.
    let bundle = match &config {
        Some(config) => load::definitions(&config.definitions, &Enabled::All, &config.overrides())?,
        None => load::bundle_anyway(global)?,
    };
    let (wanted, file) = chosen(&bundle, arguments)?;
    let most = config.as_ref().map_or(MAX_BODY, |config| config.max_body);
    let body = read(file.as_deref(), most)?;
    let arrival = arrival(&bundle, arguments, wanted.as_deref(), body)?;
    let cx = context(bundle, config.as_ref(), &arrival)?;
    let view = stations::View { explain: arguments.explain, values: arguments.show_values };
    let (page, good) = match recognise(&arrival, &cx) {
        Err(failure) => (json!({"accept": stations::failed(&failure), "routes": []}), false),
        Ok(recognised) => {
            let routes: Vec<Arc<Route>> = recognised
                .routes
                .iter()
                .filter(|route| wanted.as_deref().is_none_or(|name| name == route.name))
                .cloned()
                .collect();
            let mut shown = Vec::with_capacity(routes.len());
            let mut good = !routes.is_empty();
            for route in routes {
                let (page, passed) = stations::through(&recognised, &route, &cx, view);
                good &= passed;
                shown.push(with_config(page, &route, config.as_ref()));
            }
            let accept = json!({
                "ok": good || !shown.is_empty(),
                "type": recognised.envelope.message_type,
                "messageId": recognised.envelope.message_id.as_str(),
            });
            (json!({"accept": accept, "routes": shown}), good)
        }
    };
    if global.json {
        print::json(&page)?;
    } else {
        print::data(&stations::text(&page))?;
        if config.is_none() {
            print::human("note: without a watashi.toml the municipality is taken as served");
        }
    }
    Ok(if good { Outcome::Fine } else { Outcome::Findings })
}

/// Adds what only the configuration knows: whether the route is on, and where it leads.
fn with_config(mut page: Value, route: &Route, config: Option<&Config>) -> Value {
    let Some(config) = config else { return page };
    let enabled = match &config.enabled {
        Enabled::All => true,
        Enabled::These(names) => names.iter().any(|(name, _)| *name == route.name),
    };
    let base =
        config.counterparts.get(&route.adapter.name).and_then(|known| known.base_url.as_ref());
    if let Some(members) = page.as_object_mut() {
        members.insert("enabled".into(), json!(enabled));
        if let Some(base) = base {
            members.insert("baseUrl".into(), json!(base.as_str().trim_end_matches('/')));
        }
    }
    page
}

/// The route wanted, if one is named, and the file. With `--type` the first word is a route where
/// there is one of that name, else the file.
fn chosen(
    bundle: &Bundle,
    arguments: &Arguments,
) -> Result<(Option<String>, Option<String>), Trouble> {
    let (first, second) = (arguments.first.clone(), arguments.second.clone());
    let Some(name) = first else { return Ok((None, None)) };
    if bundle.route(&name).is_some() {
        return Ok((Some(name), second));
    }
    if arguments.message_type.is_some() && second.is_none() {
        return Ok((None, Some(name)));
    }
    Err(super::explain::unknown_route(bundle, &name))
}

fn read(file: Option<&str>, most: usize) -> Result<Vec<u8>, Trouble> {
    let limit = most as u64 + 1;
    let mut body = Vec::new();
    let read = match file {
        None | Some("-") => std::io::stdin().lock().take(limit).read_to_end(&mut body),
        Some(path) => {
            std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut body))
        }
    };
    let shown = file.unwrap_or("standard input");
    read.map(|_| body)
        .map_err(|error| Trouble::new(UNAVAILABLE, format!("`{shown}`: {}", error.kind())))
}

/// The message as a source would hand it over.
fn arrival(
    bundle: &Bundle,
    arguments: &Arguments,
    wanted: Option<&str>,
    body: Vec<u8>,
) -> Result<Arrival, Trouble> {
    let route = wanted.and_then(|name| bundle.route(name));
    let named = arguments.message_type.clone();
    if let (Some(route), Some(named)) = (&route, &named)
        && !route.on.contains(named)
    {
        return Err(Trouble::usage(format!("route `{}` does not take `{named}`", route.name))
            .hint(format!("it takes: {}", route.on.join(", "))));
    }
    let message_type = named.or_else(|| route.as_ref()?.on.first().cloned());
    let pulled = message_type.as_deref().and_then(|message_type| bundle.pull_of(message_type));
    let origin = pulled.map_or(Origin::Upstream, |pulled| Origin::Pulled {
        adapter: Arc::clone(&pulled.adapter),
        operation: Arc::clone(&pulled.operation),
    });
    let cloud_event = serde_json::from_slice::<Value>(&body)
        .is_ok_and(|value| value.get("specversion").is_some() && value.get("data").is_some());
    let kind = if cloud_event { "application/cloudevents+json" } else { "application/json" };
    // Where a second person must agree, the first one has a name.
    let asks = |kind: &String| {
        bundle.routes().any(|route| route.approval.is_some() && route.on.contains(kind))
    };
    let operator = message_type.as_ref().filter(|kind| asks(kind)).map(|_| "try".to_owned());
    Ok(Arrival {
        source: "try".to_owned(),
        origin,
        message_id: Some("try-1".to_owned()),
        message_type,
        content_type: Some(kind.to_owned()),
        correlation_id: None,
        reply_to: None,
        traceparent: None,
        operator,
        municipality: None,
        body: Bytes::from(body),
        cleared: Some(Cleared::for_a_trial()),
    })
}

fn context(bundle: Bundle, config: Option<&Config>, arrival: &Arrival) -> Result<Context, Trouble> {
    let municipalities = match config {
        Some(config) => config.municipalities.clone(),
        None => municipalities(&bundle, arrival),
    };
    // Nothing leaves, so that the keys need not be those of any store.
    let throwaway = vec![("try".to_owned(), Secret::new(vec![0; 32]))];
    let keys = Keys::from_masters("try", throwaway)?;
    Ok(Context {
        definitions: Definitions::new(Arc::new(bundle)),
        store: Arc::new(nowhere::Nowhere),
        keys: Arc::new(keys),
        clock: Arc::new(SystemClock),
        counterparts: Counterparts::default(),
        settings: Settings {
            municipalities,
            max_body: config.map_or(MAX_BODY, |config| config.max_body),
            max_backlog: 1,
            drain: Duration::ZERO,
        },
        outbox: tokio::sync::Notify::new(),
        accepting: crate::pipeline::context::Accepting::default(),
        sealing: Arc::default(),
        steady: crate::pipeline::steady::Steady::default(),
        files: Default::default(),
        scanner: None,
    })
}

/// What the document itself names, so that it passes where nobody said what is served.
fn municipalities(bundle: &Bundle, arrival: &Arrival) -> Vec<String> {
    let limits = Limits::default();
    let document = match &arrival.origin {
        Origin::Pulled { operation, .. } => operation
            .step
            .response
            .as_ref()
            .and_then(|response| response.codec.decode(&arrival.body, &limits).ok()),
        _ => codec::json::decode_strict(&arrival.body, &limits).ok(),
    };
    let Some(document) = document else { return Vec::new() };
    let document = document.get("data").unwrap_or(&document);
    let named = bundle.routes().filter_map(|route| {
        route.municipality.as_ref()?.find(document)?.as_str().map(str::to_owned)
    });
    named.collect()
}
