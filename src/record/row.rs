//! `RecordRow`: one row of the record as it is stored and exported.

/// One row of the record, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Sequence, from 1, without gaps.
    pub sequence: i64,
    /// The entry's canonical JSON, exactly as hashed.
    pub entry: String,
    /// Link after this entry, hex.
    pub link: String,
}
