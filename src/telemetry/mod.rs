//! Logs and metrics: names from one register, no personal data in either.

pub mod crash;
pub mod logging;
pub mod metrics;
pub mod names;
