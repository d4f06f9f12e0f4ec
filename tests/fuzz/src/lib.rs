//! The decoders and what they stand on, without the rest of Watashi: quick to build with the
//! counters of a fuzzer, and the very same files.

#[path = "../../../src/codec/mod.rs"]
pub mod codec;
#[path = "../../../src/diagnostic/mod.rs"]
pub mod diagnostic;
#[path = "../../../src/model/mod.rs"]
pub mod model;
#[path = "../../../src/schema/mod.rs"]
pub mod schema;

// What a scanner answers: one file of the transport, which stands on nothing.
#[path = "../../../src/transport/clamd/answer.rs"]
pub mod answer;

pub mod property;
