//! What is known of a number.

use serde_json::{Number, Value};

/// Up to here every whole number is one that binary floating point keeps.
pub(crate) const EXACT: f64 = 9_007_199_254_740_991.0;

/// Numbers that have all of this in common.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Numbers {
    /// The only ones there can be, when they are listed.
    pub only: Option<Vec<Number>>,
    /// The smallest, inclusive.
    pub least: f64,
    /// The largest, inclusive.
    pub most: f64,
    /// Whether they are whole (2.0 is).
    pub whole: bool,
    /// Numbers each of them is a multiple of.
    pub steps: Vec<f64>,
}

impl Numbers {
    /// Numbers of which nothing is known.
    pub(crate) fn any() -> Numbers {
        Numbers {
            only: None,
            least: f64::NEG_INFINITY,
            most: f64::INFINITY,
            whole: false,
            steps: Vec::new(),
        }
    }

    /// Whole numbers of a range.
    pub(crate) fn whole(least: f64, most: f64) -> Numbers {
        Numbers { least, most, whole: true, ..Numbers::any() }
    }

    /// These numbers and no others.
    pub(crate) fn listed(only: Vec<Number>) -> Numbers {
        let values = || only.iter().filter_map(Number::as_f64);
        let least = values().fold(f64::INFINITY, f64::min);
        let most = values().fold(f64::NEG_INFINITY, f64::max);
        let whole = only.iter().all(is_whole);
        Numbers { least, most, whole, only: Some(only), steps: Vec::new() }
    }

    /// Whole and so small that every digit is kept: such a number has one way to be written.
    pub(crate) fn is_exact(&self) -> bool {
        self.whole && self.least >= -EXACT && self.most <= EXACT
    }

    /// Whether there can be no such number.
    pub(crate) fn is_never(&self) -> bool {
        self.least > self.most || self.only.as_ref().is_some_and(Vec::is_empty)
    }

    /// All of them, when they are few.
    pub(crate) fn values(&self) -> Option<Vec<Value>> {
        if let Some(only) = &self.only {
            return Some(only.iter().cloned().map(Value::Number).collect());
        }
        let (least, most) = (self.least.ceil(), self.most.floor());
        if !self.is_exact() || most - least > 100.0 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "is_exact: within 53 bits")]
        let range = least as i64..=most as i64;
        Some(range.map(Value::from).collect())
    }
}

/// Whether a number is whole.
pub(crate) fn is_whole(number: &Number) -> bool {
    !number.is_f64() || number.as_f64().is_some_and(|value| value.fract() == 0.0)
}
