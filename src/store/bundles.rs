//! Definitions as they were read: kept so that what was accepted under them can end under them,
//! also after a restart.

use super::Later;
use crate::record::Draft;
use jiff::Timestamp;

/// The texts of one bundle; the same texts give the same bundle again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptBundle {
    /// Their digest.
    pub digest: String,
    /// Path and text of every file.
    pub files: Vec<(String, String)>,
}

/// Bundles that are kept beside those that exchanges still need: the newest ones.
pub const KEPT_BUNDLES: usize = 5;

/// The part of a store that keeps definitions.
pub trait Bundles {
    /// Keeps a bundle as the newest and writes entries, in one transaction. All others but the
    /// newest few and those named in `needed` are let go.
    fn keep_bundle(
        &self,
        bundle: KeptBundle,
        needed: Vec<String>,
        at: Timestamp,
        record: Vec<Draft>,
    ) -> Later<'_, ()>;
    /// The texts of a bundle; `None` when they are no longer kept.
    fn kept_bundle(&self, digest: String) -> Later<'_, Option<KeptBundle>>;
    /// Digests that exchanges go by which have not ended, or are dead and may be replayed.
    fn bundles_in_use(&self) -> Later<'_, Vec<String>>;
}
