//! `Bounds`: what a schema demands of a single value or of the size of an array.

use serde_json::{Map, Value};

/// Demands that all must hold. Those of a kind of value say nothing of other kinds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bounds {
    /// Fewest characters of a text.
    pub min_length: usize,
    /// Most characters of a text.
    pub max_length: Option<usize>,
    /// Regular expressions (ECMA-262) each of which must be found in a text.
    pub patterns: Vec<String>,
    /// Formats (`format`) and check digits (`x-check`) of a text, by name.
    pub forms: Vec<String>,
    /// Smallest number, inclusive.
    pub minimum: Option<f64>,
    /// Number all must be greater than.
    pub above: Option<f64>,
    /// Largest number, inclusive.
    pub maximum: Option<f64>,
    /// Number all must be less than.
    pub below: Option<f64>,
    /// Numbers it must be a multiple of.
    pub steps: Vec<f64>,
    /// Fewest elements of an array.
    pub min_items: usize,
    /// Most elements of an array.
    pub max_items: Option<usize>,
    /// Keywords that restrict, but whose meaning is not followed further here.
    pub beyond: Vec<String>,
}

/// Keywords that only the validator understands.
const BEYOND: [&str; 8] = [
    "not",
    "contains",
    "uniqueItems",
    "propertyNames",
    "dependentSchemas",
    "minProperties",
    "maxProperties",
    "unevaluatedItems",
];

impl Bounds {
    /// What the keywords of one schema object demand.
    pub(super) fn of(members: &Map<String, Value>) -> Bounds {
        let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| members.get(name).and_then(Value::as_f64);
        // A count may be written 3.0.
        let count = |name: &str| {
            let value = members.get(name)?;
            let whole = value.as_u64().or_else(|| {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "≥ 0")]
                value.as_f64().filter(|count| *count >= 0.0).map(|count| count as u64)
            })?;
            usize::try_from(whole).ok()
        };
        let beyond = BEYOND.iter().filter(|name| match members.get(**name) {
            None | Some(Value::Bool(false)) => false,
            Some(value) => value.as_u64() != Some(0),
        });
        Bounds {
            min_length: count("minLength").unwrap_or(0),
            max_length: count("maxLength"),
            patterns: text("pattern").into_iter().collect(),
            forms: text("format").into_iter().chain(text("x-check")).collect(),
            minimum: number("minimum"),
            above: number("exclusiveMinimum"),
            maximum: number("maximum"),
            below: number("exclusiveMaximum"),
            steps: number("multipleOf").into_iter().collect(),
            min_items: count("minItems").unwrap_or(0),
            max_items: count("maxItems"),
            beyond: beyond.map(|name| (*name).to_owned()).collect(),
        }
    }

    /// Both must hold.
    pub(super) fn merge(&mut self, other: Bounds) {
        self.min_length = self.min_length.max(other.min_length);
        self.max_length = least(self.max_length, other.max_length);
        self.min_items = self.min_items.max(other.min_items);
        self.max_items = least(self.max_items, other.max_items);
        self.minimum = largest(self.minimum, other.minimum);
        self.above = largest(self.above, other.above);
        self.maximum = smallest(self.maximum, other.maximum);
        self.below = smallest(self.below, other.below);
        extend(&mut self.patterns, other.patterns);
        extend(&mut self.forms, other.forms);
        extend(&mut self.steps, other.steps);
        extend(&mut self.beyond, other.beyond);
    }
}

fn least(left: Option<usize>, right: Option<usize>) -> Option<usize> {
    left.into_iter().chain(right).min()
}

fn largest(left: Option<f64>, right: Option<f64>) -> Option<f64> {
    left.into_iter().chain(right).reduce(f64::max)
}

fn smallest(left: Option<f64>, right: Option<f64>) -> Option<f64> {
    left.into_iter().chain(right).reduce(f64::min)
}

fn extend<T: PartialEq>(into: &mut Vec<T>, other: Vec<T>) {
    for one in other {
        if !into.contains(&one) {
            into.push(one);
        }
    }
}
