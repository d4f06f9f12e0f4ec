//! Our manifest: a JSON file that lists the files of a set with counts and digests.

use crate::model::json::Limits;
use serde::{Deserialize, Serialize};

/// Its form.
pub const FORM: &str = "watashi-manifest-1";
/// Largest manifest read.
pub const LARGEST: usize = 4 << 20;

/// The files of one set.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`FORM`].
    pub form: String,
    /// Number of the set.
    pub set: u64,
    /// When it was closed (RFC 3339, Japan).
    pub at: String,
    /// Records altogether.
    pub records: u64,
    /// The files, in the order in which they were written.
    pub files: Vec<Listed>,
}

/// One file.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its records; none of companions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// As it is written.
    ///
    /// # Errors
    /// Never in fact.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads one strictly; `None` where it is none.
    pub fn read(bytes: &[u8]) -> Option<Manifest> {
        let value = crate::codec::json::decode_strict(bytes, &Limits::default()).ok()?;
        let manifest: Manifest = serde_json::from_value(value).ok()?;
        (manifest.form == FORM).then_some(manifest)
    }
}
