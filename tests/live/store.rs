//! What every home of the store must do: the library's own suite, for the homes that need a server.

pub use watashi::store::*;

#[path = "../../src/store/conformance.rs"]
pub mod conformance;
#[path = "../../src/store/conformance_answers.rs"]
pub mod conformance_answers;
#[path = "../../src/store/conformance_approvals.rs"]
pub mod conformance_approvals;
#[path = "../../src/store/conformance_clock.rs"]
pub mod conformance_clock;
#[path = "../../src/store/conformance_direct.rs"]
pub mod conformance_direct;
#[path = "../../src/store/conformance_epochs.rs"]
pub mod conformance_epochs;
#[path = "../../src/store/conformance_lanes.rs"]
pub mod conformance_lanes;
#[path = "../../src/store/conformance_purge.rs"]
pub mod conformance_purge;
#[path = "../../src/store/conformance_record.rs"]
pub mod conformance_record;
#[path = "../../src/store/conformance_rotation.rs"]
pub mod conformance_rotation;
#[path = "../../src/store/conformance_tasks.rs"]
pub mod conformance_tasks;
#[path = "../../src/store/lifecycle.rs"]
pub mod lifecycle;
