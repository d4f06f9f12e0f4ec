//! What the layouts share: which scalar a field is, its text form, and a schema's alternatives
//! seen as one thing.

use crate::diagnostic::{Diagnostic, Severity};
use crate::model::Code;
use crate::model::codes::document::LAYOUT_TIGHT;
use crate::model::json::{Limits, escape, read};
use crate::schema::{Property, Schema, Shape};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The member that marks a nil.
pub const NIL: &str = "$nil";

/// Gathers what is wrong with a layout.
pub struct Problems<'a> {
    schema: &'a Schema,
    /// What was found so far.
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Problems<'a> {
    /// None yet.
    pub fn new(schema: &'a Schema) -> Self {
        Problems { schema, diagnostics: Vec::new() }
    }

    /// Adds one at a pointer into the schema.
    pub fn add(&mut self, code: &'static Code, pointer: &str, message: impl Into<String>) {
        let place = self.schema.location(pointer);
        self.diagnostics.push(Diagnostic::error(code, place, message));
    }

    /// Warns that a document valid under the schema may not fit the layout.
    pub fn tight(&mut self, pointer: &str, message: impl Into<String>) {
        let place = self.schema.location(pointer);
        let warning = Diagnostic::error(&LAYOUT_TIGHT, place, message).warning();
        self.diagnostics.push(warning);
    }

    /// Whether nothing but warnings was found.
    pub fn is_sound(&self) -> bool {
        self.diagnostics.iter().all(|found| found.severity == Severity::Warning)
    }
}

/// Whether any text at all may stand there, as long as its length is right: nothing lists or
/// describes the allowed ones, so lengths are all that can be compared with a layout.
pub fn is_any_text(shape: &Shape) -> bool {
    let bounds = &shape.bounds;
    shape.allowed.is_none()
        && shape.alternatives.is_empty()
        && bounds.patterns.is_empty()
        && bounds.forms.is_empty()
}

/// The pointer of a property in its schema.
pub fn property_pointer(pointer: &str, name: &str) -> String {
    format!("{pointer}/properties/{}", escape(name))
}

/// How a scalar is read from text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// The text itself.
    Text,
    /// A whole number of at most 64 bits.
    Integer,
    /// A JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
}

impl Scalar {
    /// Reads the canonical form; anything else is `None`.
    pub fn parse(self, text: &str) -> Option<Value> {
        match self {
            Scalar::Text => Some(Value::String(text.to_owned())),
            Scalar::Boolean => match text {
                "true" => Some(Value::Bool(true)),
                "false" => Some(Value::Bool(false)),
                _ => None,
            },
            Scalar::Integer | Scalar::Number => {
                // The number grammar is JSON's: no leading zeros, no plus, no lost digits.
                if !text
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
                {
                    return None;
                }
                if let Some(small) = small_integer(text) {
                    return Some(Value::from(small));
                }
                let value = read(text.as_bytes(), &Limits::default()).ok()?;
                let fits = match (&value, self) {
                    (Value::Number(number), Scalar::Integer) => !number.is_f64(),
                    (Value::Number(_), _) => true,
                    _ => false,
                };
                fits.then_some(value)
            }
        }
    }

    /// The text of a value of this kind, a text without a copy; `None` when it is of another.
    pub fn borrowed(self, value: &Value) -> Option<Cow<'_, str>> {
        match (self, value) {
            (Scalar::Text, Value::String(text)) => Some(Cow::Borrowed(text)),
            (Scalar::Boolean, Value::Bool(flag)) => {
                Some(Cow::Borrowed(if *flag { "true" } else { "false" }))
            }
            (Scalar::Integer, Value::Number(number)) if !number.is_f64() => {
                Some(Cow::Owned(number.to_string()))
            }
            (Scalar::Number, Value::Number(number)) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    }

    /// For error texts.
    pub fn name(self) -> &'static str {
        match self {
            Scalar::Text => "text",
            Scalar::Integer => "an integer such as 12",
            Scalar::Number => "a number such as 0.5",
            Scalar::Boolean => "true or false",
        }
    }
}

/// A whole number of up to 18 digits in its canonical form, as nearly all are.
fn small_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.len() < 18 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if canonical { text.parse().ok() } else { None }
}

/// A shape with its alternatives folded in: one kind of thing that may be nil besides.
pub struct Unified<'a> {
    /// JSON types met, `integer` folded into `number` when both are.
    pub types: Vec<&'a str>,
    /// Members of the shape and of its alternatives, each once, in the order of the file.
    pub properties: Vec<&'a Property>,
    /// Elements of an array.
    pub items: Option<&'a Shape>,
    /// Whether `{"$nil": ..}` may stand here.
    pub nil: bool,
    /// Whether undeclared members may be there.
    pub open: bool,
}

/// Folds a shape.
pub fn unify(shape: &Shape) -> Unified<'_> {
    let mut unified = Unified {
        types: Vec::new(),
        properties: Vec::new(),
        items: None,
        nil: false,
        open: shape.open,
    };
    fold(shape, &mut unified);
    if unified.types.contains(&"number") {
        unified.types.retain(|name| *name != "integer");
    }
    unified
}

fn fold<'a>(shape: &'a Shape, into: &mut Unified<'a>) {
    if let [only] = shape.properties.as_slice()
        && only.name == NIL
    {
        into.nil = true;
        return;
    }
    let mut add = |name: &'a str| {
        if !into.types.contains(&name) {
            into.types.push(name);
        }
    };
    let alternatives_decide =
        shape.alternatives.iter().any(|part| !part.types.is_empty() || part.allowed.is_some());
    if !alternatives_decide {
        shape.types.iter().for_each(|name| add(name));
        if shape.types.is_empty() {
            for value in shape.allowed.iter().flatten() {
                add(json_type(value));
            }
        }
    }
    if !shape.properties.is_empty() {
        add("object");
    }
    if shape.items.is_some() {
        add("array");
    }
    for property in &shape.properties {
        if !into.properties.iter().any(|known| known.name == property.name) {
            into.properties.push(property);
        }
    }
    into.items = into.items.or(shape.items.as_deref());
    for part in &shape.alternatives {
        into.open |= part.open;
        fold(part, into);
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Unified<'_> {
    /// The scalar this is, if it is one.
    pub fn scalar(&self) -> Option<Scalar> {
        match self.types.as_slice() {
            ["string"] => Some(Scalar::Text),
            ["integer"] => Some(Scalar::Integer),
            ["number"] => Some(Scalar::Number),
            ["boolean"] => Some(Scalar::Boolean),
            _ => None,
        }
    }
}

/// A key of a layout keyword as text.
pub fn text<'a>(layout: &'a Map<String, Value>, keyword: &str, key: &str) -> Option<&'a str> {
    layout.get(keyword)?.get(key)?.as_str()
}

/// A key of a layout keyword as flag; absent is `false`.
pub fn flag(layout: &Map<String, Value>, keyword: &str, key: &str) -> bool {
    layout.get(keyword).and_then(|all| all.get(key)).and_then(Value::as_bool).unwrap_or(false)
}

/// A key of a layout keyword as count.
pub fn count(layout: &Map<String, Value>, keyword: &str, key: &str) -> Option<usize> {
    layout.get(keyword)?.get(key)?.as_u64().and_then(|count| usize::try_from(count).ok())
}
