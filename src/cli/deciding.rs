//! Acts on approvals and demands: on the store itself when no gateway has it, through the running
//! gateway when one does.

use super::operator::{Acting, Reasons, ask, gateway_refused, post, recogniser, refusal};
use super::trouble::{Trouble, UNAVAILABLE};
use crate::model::Failure;
use crate::pipeline::answer::{self, Typed};
use crate::pipeline::approve::{self, By};
use crate::pipeline::by_hand;
use serde_json::{Value, json};
use std::sync::Arc;

/// What an act gave, or why it was refused.
type Given<T> = Result<Result<T, String>, Trouble>;

impl Reasons {
    fn by(&self) -> By {
        By { operator: self.operator.clone(), reason: self.reason.clone() }
    }
}

fn words(failure: &Failure) -> String {
    failure.to_string()
}

fn odd() -> Trouble {
    Trouble::new(UNAVAILABLE, "the gateway's answer is not understood")
}

impl Acting<'_> {
    /// Approves or rejects; gives the state of the exchange.
    pub(super) async fn decide(&self, id: i64, verb: &str, reasons: &Reasons) -> Given<String> {
        match self {
            Acting::Here { store, config, clock, .. } => {
                let cx = recogniser(store, clock, config)?;
                let decided = match verb {
                    "approve" => approve::approve(id, reasons.by(), &cx).await?,
                    _ => approve::reject(id, reasons.by(), &cx).await?,
                };
                Ok(decided.map(|state| state.name().to_owned()).map_err(|why| words(&why)))
            }
            Acting::There { address, token } => {
                let path = format!("/api/v1/approvals/{id}/{verb}");
                let wanted = json!({"operator": reasons.operator, "reason": reasons.reason});
                let answer = ask(*address, token, &path, &wanted).await?;
                let state = |page: Value| page.get("state")?.as_str().map(str::to_owned);
                answer.map_or_else(|why| Ok(Err(why)), |page| state(page).map(Ok).ok_or_else(odd))
            }
        }
    }

    /// The document that would leave; that it was looked at is recorded first.
    pub(super) async fn approval_document(&self, id: i64, reasons: &Reasons) -> Given<Vec<u8>> {
        match self {
            Acting::Here { store, config, clock, .. } => {
                let cx = recogniser(store, clock, config)?;
                let shown = approve::document(id, reasons.by(), &cx).await?;
                Ok(shown.map_err(|why| words(&why)))
            }
            Acting::There { address, token } => {
                let path = format!("/api/v1/approvals/{id}/document");
                let (status, body) = post(*address, token, &path, reasons).await?;
                let page = || serde_json::from_slice::<Value>(&body).unwrap_or_default();
                match status {
                    200 => Ok(Ok(body)),
                    403 | 404 | 409 | 422 => Ok(Err(refusal(&page()))),
                    _ => Err(gateway_refused(status, &page())),
                }
            }
        }
    }

    /// Closes a demand without an answer.
    pub(super) async fn close_demand(&self, id: i64, reasons: &Reasons) -> Given<()> {
        match self {
            Acting::Here { store, clock, .. } => {
                let By { operator, reason } = reasons.by();
                let at = clock.now();
                let closed = store.close_demand(id, operator, reason, at).await?;
                Ok(if closed { Ok(()) } else { Err("there is no such open demand".to_owned()) })
            }
            Acting::There { address, token } => {
                let path = format!("/api/v1/demands/{id}/close");
                let wanted = json!({"operator": reasons.operator, "reason": reasons.reason});
                Ok(ask(*address, token, &path, &wanted).await?.map(drop))
            }
        }
    }

    /// Gives the answer of an exchange: its state now, or `None` where a second person is needed.
    pub(super) async fn give(
        &self,
        id: i64,
        text: &str,
        reasons: &Reasons,
    ) -> Given<Option<String>> {
        match self {
            Acting::Here { store, config, clock, .. } => {
                let cx = recogniser(store, clock, config)?;
                let given = by_hand::give(id, text.as_bytes(), reasons.by(), &cx).await?;
                let state = |given| match given {
                    by_hand::Given::Done(state) => Some(state.name().to_owned()),
                    by_hand::Given::Waits => None,
                };
                Ok(given.map(state).map_err(|why| words(&why)))
            }
            Acting::There { address, token } => {
                let path = format!("/api/v1/exchanges/{id}/answer");
                let wanted = json!({
                    "operator": reasons.operator,
                    "reason": reasons.reason,
                    "answer": text,
                });
                let state =
                    |page: Value| page.get("state").and_then(Value::as_str).map(str::to_owned);
                Ok(ask(*address, token, &path, &wanted).await?.map(state))
            }
        }
    }

    /// Posts an answer; gives its exchange and state.
    pub(super) async fn answer(
        &self,
        demand: i64,
        text: &str,
        message_type: Option<&str>,
        reasons: &Reasons,
    ) -> Given<(i64, String)> {
        match self {
            Acting::Here { store, config, clock, .. } => {
                let cx = Arc::new(recogniser(store, clock, config)?);
                let message_type = message_type.map(str::to_owned);
                let typed = Typed { demand, body: text.as_bytes().to_vec(), message_type };
                let taken = answer::answer(typed, reasons.by(), &cx).await?;
                let shown = |(exchange, state): (i64, crate::model::State)| {
                    (exchange, state.name().to_owned())
                };
                Ok(taken.map(shown).map_err(|why| words(&why)))
            }
            Acting::There { address, token } => {
                let path = format!("/api/v1/demands/{demand}/answer");
                let wanted = json!({
                    "operator": reasons.operator,
                    "reason": reasons.reason,
                    "type": message_type,
                    "answer": text,
                });
                let answer = ask(*address, token, &path, &wanted).await?;
                let shown = |page: Value| {
                    let state = page.get("state")?.as_str()?.to_owned();
                    Some((page.get("exchange")?.as_i64()?, state))
                };
                answer.map_or_else(|why| Ok(Err(why)), |page| shown(page).map(Ok).ok_or_else(odd))
            }
        }
    }
}
