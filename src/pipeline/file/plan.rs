//! The plan of a set: what its files must be, durable before the first of them is written.

use super::Failed;
use super::make::Made;
use crate::model::codes::store as codes;
use crate::store::Store;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The newest set of one operation. No personal data: rows, names, digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Epoch of the store it was made in.
    pub epoch: u64,
    /// Number of the set.
    pub set: u64,
    /// When it was closed, milliseconds since 1970.
    pub at: i64,
    /// The time of day that was served last, milliseconds since 1970.
    pub slot: i64,
    /// How far it has come.
    pub stage: Step,
    /// Digest of the definitions it is made by.
    pub bundle: String,
    /// Exchanges, in the order of their records.
    pub items: Vec<i64>,
    /// Records of each of them; empty where each has one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<usize>,
    /// The files in the order in which they are written.
    pub files: Vec<Planned>,
}

/// How far a set has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Files are being written; the last one is certainly not there.
    Open,
    /// All but the last are there; the last one may be.
    Last,
    /// Every exchange of it is settled.
    Done,
}

/// One file that must be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Folder and name.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

impl Plan {
    /// When the set was closed.
    pub fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.at).unwrap_or_default()
    }

    /// The number of each exchange's first record, from 1.
    pub fn numbers(&self) -> Vec<usize> {
        let mut next = 1;
        let counts = self.counts.iter().copied().chain(std::iter::repeat(1));
        let number = |count: usize| {
            let number = next;
            next += count;
            number
        };
        counts.take(self.items.len()).map(number).collect()
    }

    /// Whether these are the files it was made of.
    pub fn is_of(&self, files: &[Made]) -> bool {
        *self.files == *planned(files)
    }
}

/// What a plan says of files.
pub fn planned(files: &[Made]) -> Vec<Planned> {
    let one = |file: &Made| Planned {
        path: file.path.clone(),
        bytes: file.content.len() as u64,
        sha256: file.sha256.clone(),
    };
    files.iter().map(one).collect()
}

/// The row of an operation's plan.
fn row(adapter: &str, operation: &str) -> String {
    format!("file-out:{adapter}/{operation}")
}

/// The newest plan.
///
/// # Errors
/// When the store cannot be read, or holds something else: then nothing is guessed.
pub async fn load(
    store: &dyn Store,
    adapter: &str,
    operation: &str,
) -> Result<Option<Plan>, Failed> {
    let Some(text) = store.cursor(row(adapter, operation)).await? else { return Ok(None) };
    let odd = |_| Failed::new(&codes::STORE_REFUSED, "the plan of a set cannot be read");
    serde_json::from_str(&text).map(Some).map_err(odd)
}

/// Makes a plan durable.
///
/// # Errors
/// When the store cannot write.
pub async fn save(
    store: &dyn Store,
    adapter: &str,
    operation: &str,
    plan: &Plan,
) -> Result<(), Failed> {
    let odd = |_| Failed::new(&codes::STORE_REFUSED, "the plan of a set cannot be written");
    let text = serde_json::to_string(plan).map_err(odd)?;
    Ok(store.set_cursor(row(adapter, operation), text).await?)
}
