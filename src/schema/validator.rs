//! The compiled validator: offline, linear patterns, checked formats, check digits; over documents
//! in whatever form they are.

use super::check::{Check, find};
use crate::model::json::{Elements, ElementsIter, Fields, FieldsIter, Kind, Node, Tree};
use jsonschema::json::{Array, Json, NodeIdentity, Object, cmp};
use jsonschema::{Draft, JsonType, Keyword, PatternOptions, ValidationError};
use serde_json::{Number, Value};
use std::borrow::Cow;

/// A validator of nodes.
pub type Validator = jsonschema::Validator<Nodes>;

/// Compiles a schema without references.
pub fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options_for::<Nodes>()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(PatternOptions::regex())
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_keyword("x-check", |_, value, _| match value.as_str().and_then(find) {
            Some(check) => Ok(Box::new(Check(check)) as Box<dyn for<'i> Keyword<'i, Nodes>>),
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
            .is_ok_and(|validator| validator.is_valid(Node::from(&Value::from(text)))),
    }
}

/// The representation of documents: by their nodes.
pub struct Nodes;

impl Json for Nodes {
    type Node<'a> = Node<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    // Members are compared one by one, so that a pass over all of them replaces a few look-ups.
    const KEYS_PER_LOOKUP: usize = 2;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>((): &mut (), string: &str, f: impl FnOnce(Node<'_>) -> T) -> T {
        f(Node::Tree(&Tree::text(string)))
    }
}

impl<'a> jsonschema::json::Node<'a, Nodes> for Node<'a> {
    type Object = Fields<'a>;
    type Array = Elements<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Fields<'a>> {
        Node::as_object(*self)
    }

    fn as_array(&self) -> Option<Elements<'a>> {
        Node::as_array(*self)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        self.as_str().map(Cow::Borrowed)
    }

    fn as_number(&self) -> Option<&'a Number> {
        match self.kind() {
            Kind::Number(number) => Some(number),
            _ => None,
        }
    }

    fn as_boolean(&self) -> Option<bool> {
        self.as_bool()
    }

    fn is_null(&self) -> bool {
        matches!(self.kind(), Kind::Null)
    }

    fn json_type(&self) -> JsonType {
        match self.kind() {
            Kind::Null => JsonType::Null,
            Kind::Bool(_) => JsonType::Boolean,
            Kind::Number(_) => JsonType::Number,
            Kind::Text(_) => JsonType::String,
            Kind::Array(_) => JsonType::Array,
            Kind::Object(_) => JsonType::Object,
        }
    }

    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        let text = self.as_str()?;
        // A character takes one to four bytes: often nothing need be counted.
        let bytes = text.len() as u64;
        let fewest = bytes.div_ceil(4);
        if bytes < min || fewest > max {
            return Some(false);
        }
        let within = || (min..=max).contains(&(text.chars().count() as u64));
        Some((min <= fewest && bytes <= max) || within())
    }

    fn equals_value(&self, expected: &Value) -> bool {
        match (self.kind(), expected) {
            (Kind::Text(text), Value::String(expected)) => text == expected,
            (Kind::Text(_), _) | (_, Value::String(_)) => false,
            _ => cmp::equal(&self.to_cow(), expected),
        }
    }

    fn to_value(&self) -> Cow<'a, Value> {
        self.to_cow()
    }

    // There are no references left in a schema that is compiled, so nothing can run in circles.
    fn identity(&self) -> Option<NodeIdentity> {
        None
    }
}

impl<'a> Object<'a, Nodes> for Fields<'a> {
    type Node = Node<'a>;
    type MemberName = &'a str;
    type MembersIter = FieldsIter<'a>;

    fn len(&self) -> usize {
        Fields::len(*self)
    }

    fn get(&self, key: &String) -> Option<Node<'a>> {
        Fields::get(*self, key)
    }

    fn members(&self) -> FieldsIter<'a> {
        self.iter()
    }
}

impl<'a> Array<'a, Nodes> for Elements<'a> {
    type Node = Node<'a>;
    type ElementsIter = ElementsIter<'a>;

    fn len(&self) -> usize {
        Elements::len(*self)
    }

    fn elements(&self) -> ElementsIter<'a> {
        self.iter()
    }
}
