//! Acts of an operator: on the store itself when no gateway has it, through the running gateway
//! when one does.

use super::load;
use super::trouble::{Trouble, UNAVAILABLE};
use crate::config::{Config, connect, scanner};
use crate::model::clock::SystemClock;
use crate::model::codes::store as codes;
use crate::model::{Clock, Secret};
use crate::pipeline::context::Accepting;
use crate::pipeline::replay::{Replayed, replay};
use crate::pipeline::tasks::{self, Planned, Wanted};
use crate::pipeline::{Context, Counterparts, Definitions, Settings};
use crate::record::{Draft, Kind, Phase};
use crate::store::rotation::{Rewrap, Rewrapped, Rotated};
use crate::store::sqlite::Options;
use crate::store::tasks::{Manner, Selection, TaskChange, TaskVerb};
use crate::store::{Act, ActVerb, ExchangeView, Filter, PostgresStore, SqliteStore, Store};
use crate::transport::https::ops_client;
use clap::Args;
use serde_json::{Value, json};
use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

/// Who acts, and why; both go into the record.
#[derive(Debug, Args)]
pub(super) struct Reasons {
    /// Who acts, as the record shall name them
    #[arg(long, value_name = "NAME")]
    pub(super) operator: String,
    /// Why; no personal data, for it goes into the record
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
}

/// Where acts are put into effect.
pub(super) enum Acting<'c> {
    /// The gateway is stopped: the store is ours.
    Here {
        /// The store.
        store: Arc<dyn Store>,
        /// The clock that its due times follow.
        clock: Arc<dyn Clock>,
        /// What the gateway would run with.
        config: &'c Config,
        /// What recognises a message; made when the first one needs it.
        context: OnceCell<Box<Context>>,
    },
    /// The gateway runs and has the store.
    There {
        /// Its ops listener.
        address: std::net::SocketAddr,
        /// Its token.
        token: Secret<String>,
    },
}

/// What became of an act.
pub(super) enum Acted {
    /// Done; the state the exchange has now.
    Done(String),
    /// Refused, and why.
    Refused(String),
}

impl Reasons {
    /// The same rule the ops listener has.
    pub(super) fn check(&self) -> Result<(), Trouble> {
        crate::ops::acts::check_words(&self.operator, &self.reason).map_err(Trouble::usage)
    }
}

impl<'c> Acting<'c> {
    /// Takes the store, or finds the gateway that has it.
    pub(super) async fn begin(config: &'c Config) -> Result<Acting<'c>, Trouble> {
        if let Some(postgres) = &config.store.postgres {
            // Beside the gateways that run: each act is a transaction of its own.
            let options = connect::postgres_options(config, postgres);
            let address = connect::postgres(postgres)?;
            let store = PostgresStore::open(address, load::keys(config)?, options).await?;
            let clock = store.clock();
            return Ok(Acting::Here { store, clock, config, context: OnceCell::new() });
        }
        let path = &config.store.path;
        if !path.exists() {
            return Err(load::no_store(path));
        }
        let options = Options { max_bytes: config.store.max_bytes, ..Options::default() };
        match SqliteStore::open(path, load::keys(config)?, options) {
            Ok(store) => {
                let clock = Arc::new(SystemClock);
                Ok(Acting::Here { store, clock, config, context: OnceCell::new() })
            }
            Err(error) if *error.code == codes::STORE_IN_USE => {
                let Gateway { address, token } = gateway(config)?;
                Ok(Acting::There { address, token })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// One act on one exchange.
    pub(super) async fn act(
        &self,
        id: i64,
        verb: ActVerb,
        reasons: &Reasons,
    ) -> Result<Acted, Trouble> {
        match self {
            Acting::Here { store, clock, config, context } => {
                let act = Act {
                    exchange: id,
                    verb,
                    operator: reasons.operator.clone(),
                    reason: reasons.reason.clone(),
                    at: clock.now(),
                    bundle: None,
                    brings: Default::default(),
                };
                let state = if verb == ActVerb::Replay {
                    let cx = match context.get() {
                        Some(cx) => cx,
                        None => {
                            let made = Box::new(recogniser(store, clock, config)?);
                            context.get_or_init(|| made)
                        }
                    };
                    match replay(act, cx).await? {
                        Replayed::Done(state) => Some(state),
                        Replayed::Refused(failure) => {
                            return Ok(Acted::Refused(failure.to_string()));
                        }
                        Replayed::NotAllowed => None,
                    }
                } else {
                    store.act(act).await?
                };
                match state {
                    Some(state) => Ok(Acted::Done(state.name().to_owned())),
                    None => Ok(Acted::Refused(why_not(&**store, id, verb).await?)),
                }
            }
            Acting::There { address, token } => {
                let path = format!("/api/v1/exchanges/{id}/{}", verb.name());
                let (status, body) = post(*address, token, &path, reasons).await?;
                let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
                let text = |name: &str| {
                    answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
                };
                match status {
                    200 => Ok(Acted::Done(text("state").unwrap_or("done").to_owned())),
                    404 | 409 | 422 => {
                        // As a failure reads: code, title, detail.
                        let named = [text("code"), text("title").or(Some("refused"))];
                        let named: Vec<&str> = named.into_iter().flatten().collect();
                        let why = named.join(" ");
                        let detail = text("detail").map(|detail| format!(": {detail}"));
                        Ok(Acted::Refused(why + &detail.unwrap_or_default()))
                    }
                    _ => Err(gateway_refused(status, &answer)),
                }
            }
        }
    }

    /// The original of a message; that it was looked at is recorded first.
    pub(super) async fn body(
        &self,
        view: &ExchangeView,
        reasons: &Reasons,
    ) -> Result<Secret<Vec<u8>>, Trouble> {
        match self {
            Acting::Here { store, clock, .. } => {
                let draft = Draft {
                    source: view.source.clone().into(),
                    message_id: view.message_id.clone().into(),
                    message_type: view.message_type.clone().into(),
                    route: view.route.as_str().into(),
                    counterpart: view.counterpart.as_str().into(),
                    operation: view.operation.as_str().into(),
                    outcome: Some("body-viewed".to_owned()),
                    operator: Some(reasons.operator.as_str().into()),
                    reason: Some(reasons.reason.clone()),
                    bundle: view.bundle.as_str().into(),
                    ..Draft::new(Kind::Operate, Phase::Noted, clock.now())
                };
                store.note(vec![draft]).await?;
                let gone = || Trouble::new(1, "the original is no longer kept");
                store.original(view.id).await?.ok_or_else(gone)
            }
            Acting::There { address, token } => {
                let path = format!("/api/v1/exchanges/{}/body", view.id);
                let (status, body) = post(*address, token, &path, reasons).await?;
                if status == 200 {
                    return Ok(Secret::new(body));
                }
                let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
                Err(gateway_refused(status, &answer))
            }
        }
    }

    /// Ends the window of a restore; `false` when none is open.
    pub(super) async fn complete_restore(&self, reasons: &Reasons) -> Result<bool, Trouble> {
        match self {
            Acting::Here { store, clock, .. } => {
                let Reasons { operator, reason } = reasons;
                let at = clock.now();
                Ok(store.complete_restore(operator.clone(), reason.clone(), at).await?)
            }
            Acting::There { address, token } => {
                let (status, body) =
                    post(*address, token, "/api/v1/restore/complete", reasons).await?;
                match status {
                    200 => Ok(true),
                    409 => Ok(false),
                    _ => {
                        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
                        Err(gateway_refused(status, &answer))
                    }
                }
            }
        }
    }

    /// Makes a replay task and tells what it would do; the inner error is why it cannot be.
    pub(super) async fn plan(
        &self,
        request: &str,
        selection: &Selection,
        manner: &Manner,
        reasons: &Reasons,
    ) -> Result<Result<Planned, String>, Trouble> {
        match self {
            Acting::Here { store, clock, config, .. } => {
                let wanted = Wanted {
                    request: request.to_owned(),
                    selection: selection.clone(),
                    manner: manner.clone(),
                    operator: reasons.operator.clone(),
                    reason: reasons.reason.clone(),
                };
                let planned = tasks::create(wanted, &recogniser(store, clock, config)?).await?;
                Ok(planned.map_err(|failure| failure.to_string()))
            }
            Acting::There { address, token } => {
                let wanted = json!({
                    "request": request,
                    "selection": selection,
                    "manner": manner,
                    "operator": reasons.operator,
                    "reason": reasons.reason,
                });
                let answer = ask(*address, token, "/api/v1/replays", &wanted).await?;
                let odd = |_| Trouble::new(UNAVAILABLE, "the gateway's answer is not understood");
                answer.map_or_else(
                    |why| Ok(Err(why)),
                    |page| serde_json::from_value(page).map(Ok).map_err(odd),
                )
            }
        }
    }

    /// Changes a replay task; gives its new state, or why not.
    pub(super) async fn change_task(
        &self,
        task: i64,
        verb: TaskVerb,
        reasons: &Reasons,
    ) -> Result<Result<String, String>, Trouble> {
        match self {
            Acting::Here { store, clock, .. } => {
                let Reasons { operator, reason } = reasons;
                let (operator, reason) = (operator.clone(), reason.clone());
                let at = clock.now();
                let changed =
                    store.change_task(TaskChange { task, verb, operator, reason, at }).await?;
                let why = "there is no such task, or its state does not allow this";
                Ok(changed.map(|state| state.name().to_owned()).ok_or_else(|| why.to_owned()))
            }
            Acting::There { address, token } => {
                let path = format!("/api/v1/replays/{task}/{}", verb.name());
                let wanted = json!({"operator": reasons.operator, "reason": reasons.reason});
                let answer = ask(*address, token, &path, &wanted).await?;
                let state = |page: Value| page.get("state")?.as_str().map(str::to_owned);
                Ok(answer.map(|page| state(page).unwrap_or_default()))
            }
        }
    }

    /// One step of a rotation of keys.
    pub(super) async fn rewrap(&self, step: Rewrap) -> Result<Rewrapped, Trouble> {
        match self {
            Acting::Here { store, .. } => Ok(store.rewrap(step).await?),
            Acting::There { address, token } => {
                let wanted = serde_json::to_value(step).unwrap_or_default();
                let answer = ask(*address, token, "/api/v1/keys/rewrap", &wanted).await?;
                let page = answer.map_err(|why| Trouble::new(UNAVAILABLE, why))?;
                serde_json::from_value(page).map_err(|_| {
                    Trouble::new(UNAVAILABLE, "the gateway's answer is not understood")
                })
            }
        }
    }

    /// Records the end of a rotation, and leaves nothing of before in log and free pages.
    pub(super) async fn rotated(
        &self,
        rotated: &Rotated,
        reasons: &Reasons,
    ) -> Result<(), Trouble> {
        let Reasons { operator, reason } = reasons;
        match self {
            Acting::Here { store, clock, .. } => {
                let draft = rotated.draft(operator, reason, clock.now());
                store.note(vec![draft]).await?;
                store.scrub().await?;
                Ok(())
            }
            Acting::There { address, token } => {
                let end = json!({"rotated": rotated, "operator": operator, "reason": reason});
                post_json(*address, token, "/api/v1/keys/rotated", &end).await
            }
        }
    }

    /// Writes what is left and gives the store back.
    pub(super) async fn end(self) -> Result<(), Trouble> {
        match self {
            Acting::Here { store, .. } => Ok(store.close().await?),
            Acting::There { .. } => Ok(()),
        }
    }
}

/// What recognising a message needs, as the gateway would have it; nothing is sent from here.
pub(super) fn recogniser(
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    config: &Config,
) -> Result<Context, Trouble> {
    Ok(Context {
        definitions: Definitions::new(Arc::new(load::bundle(config)?)),
        store: store.clone(),
        keys: load::keys(config)?,
        clock: Arc::clone(clock),
        counterparts: Counterparts::default(),
        settings: Settings {
            municipalities: config.municipalities.clone(),
            max_body: config.max_body,
            max_backlog: config.store.max_backlog,
            drain: config.drain,
        },
        outbox: tokio::sync::Notify::new(),
        accepting: Accepting::default(),
        sealing: Arc::default(),
        steady: crate::pipeline::steady::Steady::default(),
        files: Default::default(),
        scanner: scanner::open(config),
    })
}

/// Posts to the running gateway: its answer, or why it refused.
pub(super) async fn ask(
    address: std::net::SocketAddr,
    token: &Secret<String>,
    path: &str,
    wanted: &Value,
) -> Result<Result<Value, String>, Trouble> {
    let answer = ops_client::post_act(address, token, path, wanted, ops_client::TIMEOUT).await;
    let (status, body) = answer.map_err(|error| {
        Trouble::new(UNAVAILABLE, format!("the gateway's ops listener {address}: {}", error.detail))
    })?;
    let page: Value = serde_json::from_slice(&body).unwrap_or_default();
    match status {
        200 => Ok(Ok(page)),
        404 | 409 | 422 => Ok(Err(refusal(&page))),
        // A registered code says more than the status: it is about the act, not about the token.
        403 if page.get("code").is_some() => Ok(Err(refusal(&page))),
        _ => Err(gateway_refused(status, &page)),
    }
}

/// A refusal in words: code, title, detail.
pub(super) fn refusal(page: &Value) -> String {
    let parts = ["code", "title", "detail"].map(|name| page.get(name)?.as_str());
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    parts.join(" ")
}

/// A gateway that runs, and how to speak to it.
pub(super) struct Gateway {
    address: std::net::SocketAddr,
    token: Secret<String>,
}

/// The gateway of this configuration; whether it runs is seen when it is asked.
pub(super) fn gateway(config: &Config) -> Result<Gateway, Trouble> {
    let Some(token) = &config.ops.token else {
        return Err(Trouble::new(
            UNAVAILABLE,
            "the gateway runs, and acts through it need `ops.token`",
        )
        .hint("set `ops.token` and restart, or stop the gateway first"));
    };
    let token = token.secret().map_err(crate::config::connect::StartProblem::from)?;
    Ok(Gateway { address: config.ops.listen, token })
}

impl Gateway {
    /// Posts something; the answer's body when it is 200.
    pub(super) async fn post(
        &self,
        path: &str,
        wanted: &Value,
        limit: Duration,
    ) -> Result<Vec<u8>, Trouble> {
        let answer = ops_client::post_act(self.address, &self.token, path, wanted, limit).await;
        let (status, body) = answer.map_err(|error| {
            let message = format!("the gateway's ops listener {}: {}", self.address, error.detail);
            Trouble::new(UNAVAILABLE, message)
                .hint("does it run? check `ops.listen` in watashi.toml")
        })?;
        if status == 200 {
            return Ok(body);
        }
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        Err(gateway_refused(status, &answer))
    }
}

pub(super) async fn post(
    address: std::net::SocketAddr,
    token: &Secret<String>,
    path: &str,
    reasons: &Reasons,
) -> Result<(u16, Vec<u8>), Trouble> {
    let wanted = json!({"operator": reasons.operator, "reason": reasons.reason});
    ops_client::post_act(address, token, path, &wanted, ops_client::TIMEOUT).await.map_err(
        |error| {
            let message = format!("the gateway's ops listener {address}: {}", error.detail);
            Trouble::new(UNAVAILABLE, message)
                .hint("another process has the store; check `ops.listen` in watashi.toml")
        },
    )
}

/// Posts something that answers with nothing of interest.
pub(super) async fn post_json(
    address: std::net::SocketAddr,
    token: &Secret<String>,
    path: &str,
    wanted: &impl serde::Serialize,
) -> Result<(), Trouble> {
    let wanted = serde_json::to_value(wanted).unwrap_or_default();
    let (status, body) = ops_client::post_act(address, token, path, &wanted, ops_client::TIMEOUT)
        .await
        .map_err(|error| {
            let message = format!("the gateway's ops listener {address}: {}", error.detail);
            Trouble::new(UNAVAILABLE, message)
        })?;
    match status {
        200 => Ok(()),
        _ => Err(gateway_refused(status, &serde_json::from_slice(&body).unwrap_or_default())),
    }
}

pub(super) fn gateway_refused(status: u16, answer: &Value) -> Trouble {
    let text =
        |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let why = text("detail").or(text("title"));
    let message = format!("the gateway answered {status}: {}", why.unwrap_or("no reason given"));
    let trouble = Trouble::new(UNAVAILABLE, message);
    match status {
        401 | 403 => trouble.hint("`ops.token` here and in the running gateway differ"),
        _ => trouble,
    }
}

/// The exchange of that id, if there is one.
pub(super) async fn find(store: &dyn Store, id: i64) -> Result<Option<ExchangeView>, Trouble> {
    let filter = Filter { after: id.saturating_sub(1), limit: 1, ..Filter::default() };
    Ok(store.list(filter).await?.into_iter().find(|view| view.id == id))
}

async fn why_not(store: &dyn Store, id: i64, verb: ActVerb) -> Result<String, Trouble> {
    let Some(view) = find(store, id).await? else { return Ok("there is no such exchange".into()) };
    let allowed = match verb {
        ActVerb::Replay => "dead",
        ActVerb::Discard => "dead or unknown",
        ActVerb::ConfirmApplied | ActVerb::ConfirmNotApplied => "unknown",
        ActVerb::Answer => "dead or unknown",
    };
    Ok(format!("it is {}; this act is for exchanges that are {allowed}", view.state))
}
