//! Tests against real services, started as child processes on free ports.
//!
//! One test binary, so that a service is started once for all tests that can share it. Each test
//! begins with `setup()` and uses names of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod amqp;
mod apart;
#[path = "../support/copy.rs"]
mod copy;
mod crossing;
mod database;
mod disk;
mod environment;
mod failover;
mod files;
mod gateway;
mod instances;
mod pki;
mod postgres;
mod reload;
mod scanner;
mod seals;
mod services;
mod shared;
mod starting;
mod stopping;
mod store;
mod synced;
mod town;
mod upstream;
mod year;

// What the store's suite, which is also compiled with the library's own tests, calls by these names.
use watashi::{model, record};

/// Chooses the crypto provider, as `main` does; the first line of every test.
fn setup() {
    // Another test of this process may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
