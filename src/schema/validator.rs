//! The compiled validator: offline, linear patterns, checked formats, check digits.

use super::check::{Check, find};
use jsonschema::{Draft, Keyword, PatternOptions, ValidationError, Validator};
use serde_json::Value;

/// Compiles a schema without references.
pub fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(PatternOptions::regex())
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_keyword("x-check", |_, value, _| match value.as_str().and_then(find) {
            Some(check) => Ok(Box::new(Check(check)) as Box<dyn for<'i> Keyword<'i>>),
            None => Err(ValidationError::schema("no such check")),
        })
        .build(schema)
        .map_err(|error| error.to_string())
}

/// Whether a text has a format or passes a check digit, both by name.
pub(crate) fn has_form(form: &str, text: &str) -> bool {
    match find(form) {
        Some(check) => check(text),
        None => compile(&serde_json::json!({ "format": form }))
            .is_ok_and(|validator| validator.is_valid(&Value::from(text))),
    }
}
