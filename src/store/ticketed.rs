//! `Ticketed`: exchanges found by the ticket that a counterpart gave for them.

use super::Claimed;

/// Exchanges of one operation that a counterpart gave this ticket for.
#[derive(Clone, Debug, Default)]
pub struct Ticketed {
    /// Those that wait for their result; several, where they travelled as a batch.
    pub waiting: Vec<Claimed>,
    /// How many others there are: their result is known, or they were submitted anew since.
    pub others: usize,
}

/// Most exchanges that share a ticket: items of one batch.
pub const MAX_TICKETED: usize = 10_000;
