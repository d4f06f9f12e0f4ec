//! The campaigns of the year.

use jiff::civil::{Date, date};

/// Notices of the campaign at schools.
pub const SCHOOL: Date = date(2026, 9, 9);
/// The influenza season begins.
pub const INFLUENZA: Date = date(2026, 10, 14);
