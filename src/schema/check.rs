//! `x-check`: check digits, tested as part of schema validation.

use super::validator::Nodes;
use crate::model::check_digit;
use crate::model::json::Node;
use jsonschema::{Keyword, ValidationError};

/// The values of `x-check`.
pub const NAMES: &[&str] = &["my-number", "corporate-number", "municipality-code", "atena-number"];

/// The test of that name.
pub fn find(name: &str) -> Option<fn(&str) -> bool> {
    match name {
        "my-number" => Some(check_digit::my_number),
        "corporate-number" => Some(check_digit::corporate_number),
        "municipality-code" => Some(check_digit::municipality_code),
        "atena-number" => Some(check_digit::atena_number),
        _ => None,
    }
}

/// The keyword as the validator calls it; like `pattern` it says nothing of what is not a text.
pub struct Check(pub fn(&str) -> bool);

impl<'i> Keyword<'i, Nodes> for Check {
    fn validate(&self, instance: Node<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) {
            return Ok(());
        }
        Err(ValidationError::custom("check digit"))
    }

    fn is_valid(&self, instance: Node<'i>) -> bool {
        instance.as_str().is_none_or(self.0)
    }
}
