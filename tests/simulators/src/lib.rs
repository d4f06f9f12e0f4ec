//! Simulated counterparts, a synthetic municipality, the oracle and the demo's driver.
//!
//! Nothing here depends on the product: what judges must not share code with what is judged.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

pub mod clamd;
pub mod clock;
pub mod counterparts;
pub mod demo;
pub mod link;
pub mod municipality;
pub mod numbers;
pub mod oracle;
pub mod pki;
pub mod random;
pub mod scanner;
pub mod signing;
pub mod storage;
pub mod torture;
pub mod year;

/// Why something of this package could not be done; shown as it is to the one who runs it.
pub type Trouble = Box<dyn std::error::Error + Send + Sync>;
