//! Watashi (渡し): carries messages between a municipal health system and its counterparts.
//!
//! Modules stand in layer order: each uses only those above it. `tests/fast/architecture.rs`
//! enforces that, and ARCHITECTURE.md tells the way of a message through them.
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

// The words, and everything pure: no I/O, no clock, no chance.
pub mod adapter;
pub mod codec;
pub mod counts;
pub mod diagnostic;
pub mod mapping;
pub mod model;
pub mod policy;
pub mod reconcile;
pub mod record;
pub mod schema;

// The outside world.
pub mod archive;
pub mod store;
pub mod telemetry;
pub mod transport;

// The way of a message.
pub mod pipeline;
pub mod simulator;

// What people touch.
pub mod app;
pub mod cli;
pub mod config;
pub mod ops;
