//! Fast tests: need nothing but cargo. One binary; each module below is one subject.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets the unexpected shall end"
)]

mod answering;
mod apart;
mod approving;
mod architecture;
mod authors;
mod backup;
mod by_file;
mod characters;
mod commands;
#[path = "../support/copy.rs"]
mod copy;
mod counts;
mod examples;
mod failures;
mod fixture;
mod measures;
mod model;
mod operating;
mod pages;
mod reconcile;
mod record;
mod registers;
mod sets;
mod testing;
mod tutorial;
