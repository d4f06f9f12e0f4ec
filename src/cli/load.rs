//! What commands begin with: configuration, definitions, store.

use super::trouble::{CONFIGURATION, Trouble, UNAVAILABLE};
use super::{Global, print};
use crate::adapter::bundle::Enabled;
use crate::adapter::{Bundle, Overrides};
use crate::config::{self, Config, connect};
use crate::diagnostic::render;
use crate::store::{Keys, PostgresStore, SqliteStore, Store};
use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Builder, Runtime};

/// Name of the configuration where none is given.
pub const DEFAULT_CONFIG: &str = "watashi.toml";

/// The configuration's path, given or not.
pub fn config_path(global: &Global) -> PathBuf {
    global.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG))
}

/// The configuration, if one is named or lies in this folder.
pub fn config_if_any(global: &Global) -> Option<PathBuf> {
    let path = config_path(global);
    (global.config.is_some() || path.exists()).then_some(path)
}

/// The configuration; every problem in it is shown.
pub fn config(global: &Global) -> Result<Config, Trouble> {
    let path = config_path(global);
    if !path.exists() {
        let message = format!("there is no configuration `{}`", path.display());
        return Err(Trouble::new(CONFIGURATION, message)
            .hint("name one with `-c FILE`; `deploy/watashi.example.toml` is a beginning"));
    }
    let (config, diagnostics) = config::load(&path);
    if !diagnostics.is_empty() {
        print::human(render::text(&diagnostics).trim_end());
    }
    config.ok_or_else(|| {
        let message = format!("`{}` must be mended first", path.display());
        Trouble::new(CONFIGURATION, message)
    })
}

/// The definitions in force; every problem in them is shown.
pub fn bundle(config: &Config) -> Result<Bundle, Trouble> {
    definitions(&config.definitions, &config.enabled, &config.overrides())
}

/// The definitions in a folder; every problem in them is shown.
pub fn definitions(
    folder: &Path,
    enabled: &Enabled,
    overrides: &BTreeMap<String, Overrides>,
) -> Result<Bundle, Trouble> {
    let mut diagnostics = Vec::new();
    let files = config::definitions::read(folder, &mut diagnostics);
    let shown = folder.display();
    if files.is_empty() {
        let message = format!("there are no definitions in `{shown}`");
        return Err(Trouble::new(CONFIGURATION, message)
            .hint("a definitions folder holds adapters/, schemas/ and mappings/; `-c FILE` names a configuration that names one"));
    }
    let bundle = Bundle::build(&files, enabled, overrides, &mut diagnostics);
    if !diagnostics.is_empty() {
        print::human(render::text(&diagnostics).trim_end());
    }
    bundle.ok_or_else(|| {
        Trouble::new(CONFIGURATION, format!("the definitions in `{shown}` must be mended first"))
            .hint("`watashi lint` shows every problem")
    })
}

/// The sealing keys.
pub fn keys(config: &Config) -> Result<Arc<Keys>, Trouble> {
    Ok(Arc::new(connect::keys(config)?))
}

/// The store, for reading; a running gateway goes on.
pub fn store(config: &Config) -> Result<Arc<dyn Store>, Trouble> {
    if let Some(postgres) = &config.store.postgres {
        let address = connect::postgres(postgres)?;
        let opened = PostgresStore::open_read_only(address, keys(config)?);
        return Ok(wait(opened)??);
    }
    let path = &config.store.path;
    if !path.exists() {
        return Err(no_store(path));
    }
    Ok(SqliteStore::open_read_only(path, keys(config)?)?)
}

/// A command that works on the file of an SQLite store only.
pub fn only_sqlite(config: &Config, instead: &str) -> Result<(), Trouble> {
    match &config.store.postgres {
        Some(_) => Err(Trouble::usage("the store is a PostgreSQL database").hint(instead)),
        None => Ok(()),
    }
}

/// There is no store yet.
pub fn no_store(path: &Path) -> Trouble {
    Trouble::new(UNAVAILABLE, format!("there is no store `{}`", path.display()))
        .hint("`watashi run` makes it when it starts; the path stands in `[store]`")
}

/// A runtime for commands that wait for something. One core is left to the store's writer, which
/// is what throughput waits for.
pub fn runtime() -> Result<Runtime, Trouble> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let threads = cores.saturating_sub(1).max(1);
    Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|error| Trouble::new(UNAVAILABLE, format!("no threads: {}", error.kind())))
}

/// Waits for one thing. All of a command is waited for in one runtime: connections that were made
/// in it serve the next as well.
pub fn wait<T>(what: impl Future<Output = T>) -> Result<T, Trouble> {
    static SHARED: OnceLock<Runtime> = OnceLock::new();
    let shared = match SHARED.get() {
        Some(shared) => shared,
        None => {
            let made = runtime()?;
            SHARED.get_or_init(|| made)
        }
    };
    Ok(shared.block_on(what))
}

/// The definitions where a configuration is a help, but no need: without one those of this folder
/// with every route on.
pub fn bundle_anyway(global: &Global) -> Result<Bundle, Trouble> {
    match config_if_any(global) {
        Some(_) => bundle(&config(global)?),
        None => definitions(Path::new("."), &Enabled::All, &BTreeMap::new()),
    }
}
