//! JSON: strict in, compact out.

use super::EncodeError;
use crate::model::codes::document;
use crate::model::json::{DecodeError, Limits, Segment, escape, read};
use crate::schema::Shape;
use serde_json::{Map, Value};

/// Reads a document of which no schema is known yet; paths in errors show no names at all.
///
/// # Errors
/// Anything that is not strict JSON within the limits.
pub fn decode_strict(bytes: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
    decode(bytes, limits, &Shape::default())
}

pub(super) fn decode(bytes: &[u8], limits: &Limits, shape: &Shape) -> Result<Value, DecodeError> {
    read(bytes, limits)
        .map_err(|error| error.located(bytes, |segments: &[Segment]| shape.pointer(segments)))
}

pub(super) fn encode(value: &Value, shape: &Shape) -> Result<Vec<u8>, EncodeError> {
    let refuse = |path: String, detail: &str| EncodeError {
        code: &document::ENCODE_CHARACTER,
        path,
        detail: detail.to_owned(),
    };
    let text = serde_json::to_string(value)
        .map_err(|_| refuse(String::new(), "the document cannot be written as JSON"))?;
    // NUL is written `\u0000`; only then is it worth looking for the place.
    if text.contains("\\u0000")
        && let Some(path) = find_nul(value, shape)
    {
        return Err(refuse(path, "NUL is in no text that any counterpart accepts"));
    }
    Ok(text.into_bytes())
}

fn find_nul(value: &Value, shape: &Shape) -> Option<String> {
    let mut open = vec![(Vec::new(), value)];
    while let Some((segments, value)) = open.pop() {
        let step = |segment| {
            let mut path: Vec<Segment> = segments.clone();
            path.push(segment);
            path
        };
        match value {
            Value::String(text) if text.contains('\0') => return Some(shape.pointer(&segments)),
            Value::Array(elements) => {
                for (index, element) in elements.iter().enumerate() {
                    open.push((step(Segment::Index(index)), element));
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    if name.contains('\0') {
                        return Some(shape.pointer(&segments) + "/?");
                    }
                    open.push((step(Segment::Key(name.clone())), member));
                }
            }
            _ => {}
        }
    }
    None
}

/// The same document with its members in the order of the schema; undeclared ones follow.
pub fn in_schema_order(value: Value, shape: &Shape) -> Value {
    match value {
        Value::Object(mut members) => {
            let mut ordered = Map::new();
            let mut open = vec![shape];
            while let Some(shape) = open.pop() {
                for property in &shape.properties {
                    if let Some(member) = members.shift_remove(&property.name) {
                        let member = in_schema_order(member, &property.shape);
                        ordered.insert(property.name.clone(), member);
                    }
                }
                open.extend(shape.alternatives.iter().rev());
            }
            ordered.extend(members);
            Value::Object(ordered)
        }
        Value::Array(elements) => match shape.element() {
            Some(element) => {
                elements.into_iter().map(|value| in_schema_order(value, element)).collect()
            }
            None => Value::Array(elements),
        },
        scalar => scalar,
    }
}

/// A pointer step down.
pub(super) fn under(name: &str, path: &str) -> String {
    format!("/{}{path}", escape(name))
}
