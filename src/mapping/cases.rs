//! Cases: what a mapping is shown to do, as files beside it.

/// How one case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseOutcome {
    /// What the case shows.
    pub name: String,
    /// Whether the result is as expected.
    pub passed: bool,
    /// Where it is not: JSON pointers with expected and actual values (cases are synthetic).
    pub differences: Vec<String>,
}
