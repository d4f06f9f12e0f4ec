//! Opens the store that the configuration names.

use super::StartError;
use crate::adapter::Bundle;
use crate::config::{Config, agree, connect};
use crate::model::Clock;
use crate::model::clock::SystemClock;
use crate::model::codes::config as codes;
use crate::store::sqlite::Options;
use crate::store::{Keys, PostgresStore, SqliteStore, Store};
use crate::telemetry::crash;
use std::sync::Arc;

/// The store, as the configuration names it, and the clock that its due times follow: this
/// machine's, or that of the database which several share.
pub(super) async fn open(
    config: &Config,
    keys: Arc<Keys>,
    bundle: &Bundle,
) -> Result<(Arc<dyn Store>, Arc<dyn Clock>), StartError> {
    let Some(postgres) = &config.store.postgres else {
        let crash_points = cfg!(debug_assertions).then(|| Arc::new(crash::reach) as _);
        let max_bytes = config.store.max_bytes;
        let defaults = Options::default();
        // Where a build can be ended at named points, the log is short, so that these are reached.
        let log = if cfg!(debug_assertions) { 128 } else { defaults.log };
        let options = Options { max_bytes, crash_points, log, ..defaults };
        let store =
            SqliteStore::open(&config.store.path, keys, options).map_err(super::unusable)?;
        return Ok((store, Arc::new(SystemClock)));
    };
    // A request must end while its instance has its lease: with no room at all none could begin.
    for adapter in agree::needed(bundle) {
        let timeout = adapter.limits.timeout;
        if timeout >= postgres.lease {
            let detail = format!(
                "`lease` of [store] ({}s) must be longer than the timeout of {} ({}s)",
                postgres.lease.as_secs(),
                adapter.name,
                timeout.as_secs()
            );
            return Err(StartError::configuration(&codes::BAD_VALUE, detail));
        }
    }
    let mut options = connect::postgres_options(config, postgres);
    options.crash_points = cfg!(debug_assertions).then(|| Arc::new(crash::reach) as _);
    let store = PostgresStore::open(connect::postgres(postgres)?, keys, options)
        .await
        .map_err(super::unusable)?;
    let clock = store.clock();
    Ok((store, clock))
}
