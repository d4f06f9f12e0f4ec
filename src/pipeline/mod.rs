//! THE WAY OF A MESSAGE.
//!
//! Everything accepted is in the store; everything sent comes from the store.
//!
//! ```text
//!  source            accept              validate   map            deliver              settle
//!  AMQP delivery ─▶  envelope, limits, ─▶ schema, ─▶ rules, out  ─▶ intent durable, ─▶ outcome + record + (due |
//!  HTTP POST         seen before?         towns      schema, list,  one attempt,        held | answer) in one
//!  pull              sealed, durable                 encode         outcome table       transaction; wake the lane
//!                    ── then ack
//! ```
//!
//! Promises (design, P1–P9), and where they are kept:
//! - acked ⇒ safe: `accept` returns after the store has fsynced, the source acks after that;
//! - sent ⇒ recorded: `deliver` asks the store for the intent and sends only when it is durable;
//! - once in effect: one idempotency key per exchange, a lost answer is `unknown` and resolved as
//!   its operation declares, `maybe-applied` is sticky (`policy::verdict`);
//! - order per person: only the head of a lane is claimable, the store holds the rest;
//! - a crash right after *accept* leaves `received`, after the *intent* `sending` (which the next
//!   start turns into `unknown`), after the attempt the same, after *settle* the outcome.
//!
//! [`process`] is the way of one claimed exchange; [`worker`] is the loop around it.

use crate::store::Claimed;
use std::sync::Arc;

pub mod accept;
pub mod answer;
pub mod approve;
#[cfg(test)]
mod approve_tests;
pub mod availability;
pub mod batch;
#[cfg(test)]
mod batch_tests;
pub mod by_hand;
#[cfg(test)]
mod by_hand_tests;
pub mod call;
pub mod callback;
#[cfg(test)]
pub(crate) mod callback_tests;
pub mod context;
pub mod deadlines;
pub mod definitions;
#[cfg(test)]
mod definitions_tests;
pub mod deliver;
pub mod direct;
#[cfg(test)]
mod direct_tests;
pub mod file;
#[cfg(test)]
mod flow_tests;
pub mod gate;
pub mod guard;
#[cfg(test)]
mod law_tests;
pub mod map;
pub mod outbox;
#[cfg(test)]
mod outcome_tests;
pub mod pause;
pub mod pull;
#[cfg(test)]
mod pull_tests;
pub mod purge;
pub mod remember;
pub mod replay;
pub mod reply;
pub mod resolve;
#[cfg(test)]
mod restoring;
#[cfg(test)]
mod returned_tests;
pub mod scan;
#[cfg(test)]
mod scan_tests;
pub mod seal;
#[cfg(test)]
mod seal_tests;
pub mod settle;
mod signed;
#[cfg(test)]
mod signed_tests;
pub mod steady;
#[cfg(test)]
mod steady_tests;
pub mod tasks;
#[cfg(test)]
mod tasks_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod unrecognised;
pub mod validate;
pub mod worker;

pub use context::{Context, Counterpart, Counterparts, Settings};
pub use definitions::Definitions;

use settle::Outcome;

/// Takes one claimed exchange through the stations it still has before it.
///
/// Never panics on purpose and never returns an error: whatever happens becomes an outcome that
/// is settled, so that nothing waits in silence.
pub async fn process(claimed: Claimed, cx: &Arc<Context>) {
    let bundle = cx.bundle_of(&claimed);
    let Some(route) = bundle.route(&claimed.route) else {
        return settle::route_gone(claimed, cx).await;
    };
    let prepared = validate::validate(&claimed, &route, &bundle, cx).and_then(|document| {
        let returned = remember::returned(&route, (&document).into(), &cx.keys);
        map::map(&claimed, &route, &document, cx).map(|mapped| (returned, mapped))
    });
    let outcome = match prepared {
        Err(failure) => Outcome::NotSent(failure),
        Ok((returned, mapped)) => match remember::compare(&returned, cx).await {
            Err(error) => Outcome::StoreDown(error),
            Ok(Some(failure)) => Outcome::NotSent(failure),
            Ok(None) => match approve::is_agreed(&claimed, &route, &mapped, cx).await {
                Ok(Ok(())) => deliver::deliver(&claimed, &route, mapped, cx).await,
                Ok(Err(failure)) => Outcome::NotSent(failure),
                Err(error) => Outcome::StoreDown(error),
            },
        },
    };
    settle::settle(&claimed, &route, outcome, cx).await;
}

/// SHA-256 as lower-case hexadecimal.
fn hex_digest(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    crate::record::hex(digest.as_ref())
}
