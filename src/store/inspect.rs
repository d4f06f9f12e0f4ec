//! Inspection on demand: what a start has no time for.

use super::{Later, StoreError};
use crate::model::codes::store as codes;

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// What.
    pub what: &'static str,
    /// What was looked at, or what is wrong.
    pub found: Result<String, StoreError>,
}

/// The part of a store that looks at itself as a whole. It changes nothing; a running gateway goes on.
pub trait Inspect {
    /// Looks at everything but the record, which is walked by `log verify`.
    fn inspect(&self) -> Later<'_, Vec<Inspected>>;
}

/// What is to be said of the open lanes.
pub(super) fn lanes_verdict(lanes: i64, bad: i64, bodiless: i64) -> Result<String, StoreError> {
    if bad == 0 && bodiless == 0 {
        return Ok(format!("{lanes} open"));
    }
    let detail = format!(
        "{bad} of {lanes} open lanes have none or several going; {bodiless} under way lack a body"
    );
    Err(StoreError::new(&codes::STORE_CORRUPT, detail))
}
