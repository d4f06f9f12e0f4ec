//! The start waits for its store, as it would after any outage: nothing is taken and nothing sent
//! until then, readiness says why, and a signal ends it.

use super::{StartError, reload, unusable};
use crate::config::Config;
use crate::diagnostic::SourceFile;
use crate::model::Code;
use crate::model::codes::store as codes;
use crate::pipeline::context::Refusal;
use crate::pipeline::seal::{self, Sealer};
use crate::pipeline::{Context, steady};
use crate::store::StoreError;
use std::sync::Arc;
use std::time::Duration;

/// First and longest pause between attempts.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What passes by itself, or when somebody brings the server or the room back.
const PASSING: [&Code; 4] =
    [&codes::STORE_UNREACHABLE, &codes::OUTCOME_NOT_KNOWN, &codes::STORE_SLOW, &codes::STORE_FULL];

/// Reads and writes what a start must, as often as it takes.
///
/// # Errors
/// What does not pass: a record that contradicts its checkpoints, a damaged store.
pub(super) async fn for_store(
    cx: &Arc<Context>,
    config: &Config,
    files: &[Arc<SourceFile>],
    sealer: &Sealer,
) -> Result<(), StartError> {
    let mut pause = PAUSE;
    while let Err(failure) = prepare(cx, config, files, sealer).await {
        let Failure { error, exit } = failure;
        if !PASSING.contains(&error.code) {
            return Err(StartError { exit, ..unusable(error) });
        }
        let refusal = Refusal { code: error.code, detail: error.detail };
        if cx.accepting.set(Some(refusal.clone())) {
            tracing::error!(
                code = refusal.code.code,
                detail = refusal.detail,
                action = "the start goes on by itself once the store answers",
                "the start waits for the store"
            );
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    // The guard says from here on whether messages are taken.
    cx.accepting.set(None);
    Ok(())
}

struct Failure {
    error: StoreError,
    exit: u8,
}

/// Every step may be done again.
async fn prepare(
    cx: &Arc<Context>,
    config: &Config,
    files: &[Arc<SourceFile>],
    sealer: &Sealer,
) -> Result<(), Failure> {
    let unavailable = |error| Failure { error, exit: 69 };
    // By the writer: its first connection brings the tables forward, before anything is read.
    match cx.store.check_room().await {
        Err(error) if error.code != &codes::STORE_FULL => return Err(unavailable(error)),
        _ => {}
    }
    reload::remember(cx, config, files).await.map_err(unavailable)?;
    steady::at_start(cx).await.map_err(unavailable)?;
    seal::check(sealer).await.map_err(|error| Failure { error, exit: 3 })
}
