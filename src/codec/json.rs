//! JSON: strict in, compact out.

use super::EncodeError;
use crate::model::codes::document;
use crate::model::json::{DecodeError, Limits, Node, Segment, Tree, escape, read_tree, write};
use crate::schema::Shape;
use serde_json::{Map, Value};

/// Reads a document of which no schema is known yet; paths in errors show no names at all.
///
/// # Errors
/// Anything that is not strict JSON within the limits.
pub fn decode_strict(bytes: &[u8], limits: &Limits) -> Result<Value, DecodeError> {
    read_strict(bytes, limits).map(Tree::into_value)
}

/// The same, borrowing from the bytes.
///
/// # Errors
/// Anything that is not strict JSON within the limits.
pub fn read_strict<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Tree<'a>, DecodeError> {
    read(bytes, limits, &Shape::default())
}

pub(super) fn read<'a>(
    bytes: &'a [u8],
    limits: &Limits,
    shape: &Shape,
) -> Result<Tree<'a>, DecodeError> {
    read_tree(bytes, limits)
        .map_err(|error| error.located(bytes, |segments: &[Segment]| shape.pointer(segments)))
}

pub(super) fn encode(node: Node<'_>, shape: &Shape) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(1024);
    if write(node, &mut out)
        && let Some(path) = find_nul(&node.to_cow(), shape)
    {
        return Err(EncodeError {
            code: &document::ENCODE_CHARACTER,
            path,
            detail: "NUL is in no text that any counterpart accepts".to_owned(),
        });
    }
    Ok(out)
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
