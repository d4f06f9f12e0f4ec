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

#[cfg(test)]
mod tests {
    //! Over a tree, over a value and by the library's own representation: one verdict, one report.

    use super::compile;
    use crate::model::json::{Limits, Node, read_tree};
    use crate::schema::Shape;
    use crate::schema::violation::collect;
    use jsonschema::{Draft, PatternOptions};
    use proptest::prelude::{BoxedStrategy, Just, ProptestConfig, Strategy, prop, prop_oneof};
    use serde_json::{Map, Value, json};

    /// Values that schemas of [`schemas`] often accept and often refuse.
    fn instances() -> BoxedStrategy<Value> {
        let scalars = [
            json!(null),
            json!(true),
            json!(0),
            json!(1),
            json!(1.0),
            json!(1.5),
            json!(-3),
            json!(u64::MAX),
            json!(""),
            json!("a"),
            json!("ab"),
            json!("12"),
            json!("渡し"),
            json!("𠮷野屋"),
            json!("2026-06-01"),
            json!("2026-02-30"),
        ];
        let leaf = prop::sample::select(scalars.to_vec());
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-d]|名", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
        .boxed()
    }

    /// One keyword that looks at the place itself.
    fn keyword() -> BoxedStrategy<(String, Value)> {
        let fixed = [
            ("type", json!("string")),
            ("type", json!("integer")),
            ("type", json!("object")),
            ("type", json!(["number", "null", "array"])),
            ("enum", json!([1, "a", null, [1], {"a": 1}])),
            ("enum", json!(["a", "ab", "12"])),
            ("minLength", json!(1)),
            ("maxLength", json!(2)),
            ("pattern", json!("^[0-9]{2}$")),
            ("pattern", json!("渡")),
            ("format", json!("date")),
            ("minimum", json!(1)),
            ("exclusiveMaximum", json!(1.5)),
            ("multipleOf", json!(0.5)),
            ("minItems", json!(1)),
            ("maxItems", json!(2)),
            ("uniqueItems", json!(true)),
            ("minProperties", json!(1)),
            ("maxProperties", json!(2)),
            ("required", json!(["a"])),
            ("required", json!(["a", "b", "名"])),
            ("dependentRequired", json!({"a": ["b"]})),
            ("propertyNames", json!({"pattern": "^[ab]$"})),
            ("additionalProperties", json!(false)),
            ("unevaluatedProperties", json!(false)),
            ("unevaluatedItems", json!(false)),
        ];
        let constant = instances().prop_map(|value| ("const".to_owned(), value));
        let fixed = prop::sample::select(fixed.to_vec());
        prop_oneof![8 => fixed.prop_map(|(name, value)| (name.to_owned(), value)), 1 => constant]
            .boxed()
    }

    fn schemas() -> BoxedStrategy<Value> {
        let object = |members: Vec<(String, Value)>| -> Value {
            Value::Object(members.into_iter().collect::<Map<_, _>>())
        };
        let leaf = prop_oneof![
            12 => prop::collection::vec(keyword(), 1..4).prop_map(object),
            1 => Just(json!(true)),
            1 => Just(json!(false)),
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            let named = |keyword: &'static str| {
                prop::collection::btree_map("[a-d]|名", inner.clone(), 1..4)
                    .prop_map(move |map| (keyword.to_owned(), json!(map)))
            };
            let single = |keyword: &'static str| {
                inner.clone().prop_map(move |schema| (keyword.to_owned(), schema))
            };
            let list = |keyword: &'static str| {
                prop::collection::vec(inner.clone(), 1..4)
                    .prop_map(move |list| (keyword.to_owned(), json!(list)))
            };
            let part = prop_oneof![
                4 => named("properties"),
                1 => named("dependentSchemas"),
                1 => inner.clone().prop_map(|schema| {
                    ("patternProperties".to_owned(), json!({"^[bc]": schema}))
                }),
                2 => single("items"),
                1 => single("contains"),
                1 => single("not"),
                2 => single("if"),
                2 => single("then"),
                1 => single("else"),
                1 => single("additionalProperties"),
                1 => list("prefixItems"),
                2 => list("allOf"),
                2 => list("anyOf"),
                2 => list("oneOf"),
                4 => keyword(),
            ];
            prop::collection::vec(part, 1..6).prop_map(object)
        })
        .boxed()
    }

    fn library(schema: &Value) -> jsonschema::Validator {
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .build(schema)
            .unwrap()
    }

    #[test]
    fn one_verdict_over_trees_and_values() {
        let verdicts = std::cell::Cell::new((0, 0));
        let config = ProptestConfig { cases: 600, ..ProptestConfig::default() };
        let strategy = (schemas(), prop::collection::vec(instances(), 12));
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let outcome = runner.run(&strategy, |(schema, documents)| {
            let (ours, theirs) = (compile(&schema).unwrap(), library(&schema));
            let shape = Shape::default();
            for document in documents {
                let expected = theirs.is_valid(&document);
                let bytes = serde_json::to_vec(&document).unwrap();
                let tree = read_tree(&bytes, &Limits::default()).unwrap_or_else(|_| panic!());
                let report = collect(theirs.iter_errors(&document), &shape);
                for node in [Node::from(&document), tree.node()] {
                    assert_eq!(ours.is_valid(node), expected, "{schema} {document}");
                    assert_eq!(collect(ours.iter_errors(node), &shape), report, "{schema}");
                }
                let (valid, invalid) = verdicts.get();
                verdicts.set((valid + u32::from(expected), invalid + u32::from(!expected)));
            }
            Ok(())
        });
        outcome.unwrap();
        let (valid, invalid) = verdicts.get();
        assert!(valid > 500 && invalid > 500, "{valid} valid, {invalid} invalid");
    }
}
