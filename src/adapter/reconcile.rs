//! What a counterpart holds against what we hold: comparisons as an adapter declares them.

use super::file::Content;
use crate::mapping::path::Path;
use crate::mapping::{Mapping, Predicate};
use crate::record::Kind;
use crate::schema::Schema;
use std::sync::Arc;

/// One comparison.
#[derive(Debug)]
pub struct Reconciliation {
    /// Name, unique within the adapter.
    pub name: String,
    /// Title in Japanese.
    pub title_ja: String,
    /// What the counterpart holds.
    pub theirs: FileSide,
    /// What we hold.
    pub ours: OurSide,
    /// The form in which both are compared.
    pub schema: Arc<Schema>,
    /// What a document of that form is found by; told in the clear, so of class plain.
    pub key: Path,
    /// Members that are compared only where both sides have them, by their paths.
    pub where_both: Vec<String>,
}

/// Files of records.
#[derive(Debug)]
pub struct FileSide {
    /// How they are laid out: a table, or one JSON object a line.
    pub content: Content,
    /// How a record is told.
    pub told: Told,
}

/// How a document becomes what is compared.
#[derive(Debug)]
pub struct Told {
    /// Into the form that is compared; `None`: it has that form.
    pub mapping: Option<Arc<Mapping>>,
    /// Only these count.
    pub when: Option<Predicate>,
}

/// Where our own side is.
#[derive(Debug)]
pub enum OurSide {
    /// In files that the owner of the originals wrote.
    Files(Box<FileSide>),
    /// In the record: entries of these kinds.
    Record {
        /// The kinds.
        kinds: Vec<Kind>,
        /// How an entry is told.
        told: Told,
    },
}
