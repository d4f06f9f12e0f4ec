//! `RecordRow`: one row of the record as it is stored and exported.

use super::tree::Hash;

/// One row of the record, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Sequence, from 1, without gaps.
    pub sequence: i64,
    /// Leaf hash of the entry.
    pub leaf: Hash,
    /// The entry's canonical JSON, exactly as hashed.
    pub entry: String,
}
