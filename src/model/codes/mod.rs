//! The register of codes: stable, never reused, each explained offline by `watashi explain CODE`.
//!
//! One file per family: `M` mapping, `S` schemas and documents, `A` adapters and routes,
//! `C` configuration, `G` messages on their way, `T` store and record, `N` transports.

use super::failure::Fault;
use std::fmt;

/// One registered code and its page.
#[derive(Debug)]
pub struct Code {
    /// The code itself, e.g. `G201`.
    pub code: &'static str,
    /// One short line, lowercase, no full stop.
    pub title: &'static str,
    /// What happened, in one or two sentences.
    pub meaning: &'static str,
    /// Who must act.
    pub fault: Fault,
    /// What to do.
    pub remedy: &'static str,
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for Code {}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code)
    }
}

/// Declares a family: one static per code and `ALL` over them.
macro_rules! codes {
    ($($name:ident = $code:literal, $fault:ident, $title:literal, $meaning:literal, $remedy:literal;)*) => {
        $(
            #[doc = $title]
            pub static $name: $crate::model::Code = $crate::model::Code {
                code: $code,
                title: $title,
                meaning: $meaning,
                fault: $crate::model::Fault::$fault,
                remedy: $remedy,
            };
        )*
        /// Every code of this family, in order.
        pub static ALL: &[&$crate::model::Code] = &[$(&$name),*];
    };
}

pub mod adapter;
pub mod config;
pub mod document;
pub mod mapping;
pub mod message;
pub mod signature;
pub mod store;
pub mod transport;

/// Every registered code, family by family.
pub fn all() -> impl Iterator<Item = &'static Code> {
    [
        mapping::ALL,
        document::ALL,
        adapter::ALL,
        config::ALL,
        message::ALL,
        signature::ALL,
        store::ALL,
        transport::ALL,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The entry of a code as a person types it; case does not matter.
pub fn find(code: &str) -> Option<&'static Code> {
    all().find(|entry| entry.code.eq_ignore_ascii_case(code))
}
