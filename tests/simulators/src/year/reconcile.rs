//! The comparison of all books at the end.

use super::books::{Books, Difference, compare};
use crate::Trouble;
use crate::counterparts::{APPLICATION_MANAGEMENT, INTERMEDIATE_SERVER, PMH};
use crate::demo::Stage;

/// What the comparison of all books brought.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// How many items each owner must hold.
    pub items: Vec<(&'static str, usize)>,
    /// Where they part.
    pub differences: Vec<Difference>,
}

/// Counterparts that hold something.
const HOLDERS: [&str; 3] = [PMH, INTERMEDIATE_SERVER, APPLICATION_MANAGEMENT];

/// Compares what every counterpart holds with the truth.
pub(crate) fn all(stage: &Stage, truth: &Books) -> Result<Compared, Trouble> {
    let mut compared = Compared::default();
    for owner in HOLDERS {
        let truth = truth.of(owner);
        compared.items.push((owner, truth.count()));
        compared.differences.extend(compare(owner, &truth, &stage.running.holdings(owner)));
    }
    Ok(compared)
}
