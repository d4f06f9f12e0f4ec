//! What a file-in keeps between its passes: one row.

use super::Failed;
use crate::model::codes::store as codes;
use crate::store::Store;
use serde::{Deserialize, Serialize};

/// What is known of an operation's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Since when we look, milliseconds since 1970.
    pub since: i64,
    /// When the last file was read to its end, milliseconds since 1970.
    #[serde(default)]
    pub last_at: Option<i64>,
    /// Its records.
    #[serde(default)]
    pub last_records: Option<u64>,
    /// Records of the last files, the newest last.
    #[serde(default)]
    pub recent: Vec<u64>,
    /// A file whose records are all taken over, and that may not be put away yet.
    #[serde(default)]
    pub finishing: Option<Finishing>,
    /// How far a long file has come.
    #[serde(default)]
    pub progress: Option<Progress>,
}

/// Files that what is usual is told from.
const RECENT: usize = 5;

impl Known {
    /// How many records a file usually has: the median of the last ones, so that one odd file does
    /// not change what is expected of the next.
    pub fn usual(&self) -> Option<u64> {
        let mut counts = self.recent.clone();
        counts.sort_unstable();
        // The upper one of two in the middle: a shrinking file is told rather than let pass.
        counts.get(counts.len() / 2).copied().or(self.last_records)
    }

    /// A file was read to its end.
    pub fn read(&mut self, at: i64, records: u64) {
        self.last_at = Some(at);
        self.last_records = Some(records);
        self.recent.push(records);
        let old = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..old);
    }
}

/// A file that is put away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finishing {
    /// Its path.
    pub path: String,
    /// Where it goes; `None`: it is removed.
    pub to: Option<String>,
    /// Its marker or manifest, which goes after it.
    pub marker: Option<String>,
}

/// Records of one file that are taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The key that its records' ids begin with.
    pub key: String,
    /// So many of its first records.
    pub records: usize,
}

fn row(adapter: &str, operation: &str) -> String {
    format!("file-in:{adapter}/{operation}")
}

/// What is known; nothing at the very first look.
///
/// # Errors
/// When the store cannot be read.
pub async fn load(
    store: &dyn Store,
    adapter: &str,
    operation: &str,
) -> Result<Option<Known>, Failed> {
    let Some(text) = store.cursor(row(adapter, operation)).await? else { return Ok(None) };
    let odd = |_| Failed::new(&codes::STORE_REFUSED, "what is known of files cannot be read");
    serde_json::from_str(&text).map(Some).map_err(odd)
}

/// Makes it durable.
///
/// # Errors
/// When the store cannot write.
pub async fn save(
    store: &dyn Store,
    adapter: &str,
    operation: &str,
    known: &Known,
) -> Result<(), Failed> {
    let odd = |_| Failed::new(&codes::STORE_REFUSED, "what is known of files cannot be written");
    let text = serde_json::to_string(known).map_err(odd)?;
    Ok(store.set_cursor(row(adapter, operation), text).await?)
}
