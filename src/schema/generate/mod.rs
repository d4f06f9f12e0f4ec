//! Generates documents that are valid under a schema, and makes a failing one as small as it
//! gets. Pure: the same seed gives the same documents for ever.
//!
//! What is made leans towards the edges where programs break: shortest and longest texts, no and
//! all optional members, leading zeros, days that some years lack, the characters that hurt
//! (髙, 𠮷, combining kana, variation sequences). No document leaves without the validator's word.

mod chance;
mod letters;
mod node;
mod number;
mod object;
mod pattern;
mod shrink;
#[cfg(test)]
mod tests;
mod text;

pub use chance::Chance;
pub use shrink::shrink;

use super::{Schema, validator};
use crate::model::Code;
use crate::model::codes::document;
use node::{Constraints, Node, types};
use serde_json::{Map, Value};
use std::fmt;

/// How often a whole document is tried.
const DOCUMENTS: usize = 200;
/// How often one place with alternatives is tried before its document is given up.
const PLACES: usize = 40;
/// About the most values in one document; beyond, lists and optional members stay out.
const VALUES: usize = 3_000;

/// Makes documents that are valid under one schema.
#[derive(Debug)]
pub struct Generator {
    root: Node,
    validator: validator::Validator,
}

/// No valid document was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsatisfied {
    /// The registered code.
    pub code: &'static Code,
    /// JSON pointer of the place that could not be filled; the whole document when empty.
    pub path: String,
    /// Why not.
    pub detail: String,
}

impl fmt::Display for Unsatisfied {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "(root)" } else { &self.path };
        write!(formatter, "{} {path}: {}: {}", self.code.code, self.code.title, self.detail)
    }
}

impl std::error::Error for Unsatisfied {}

fn unsatisfied(path: &str, detail: impl Into<String>) -> Unsatisfied {
    let code = &document::UNSATISFIABLE;
    Unsatisfied { code, path: path.to_owned(), detail: detail.into() }
}

impl Generator {
    /// For a loaded schema.
    ///
    /// # Errors
    /// When its resolved form does not compile, which loading excludes.
    pub fn new(schema: &Schema) -> Result<Generator, Unsatisfied> {
        Generator::of(schema.document())
    }

    /// For a schema without references.
    ///
    /// # Errors
    /// When it is not a JSON Schema.
    pub fn of(schema: &Value) -> Result<Generator, Unsatisfied> {
        let validator = validator::compile(schema).map_err(|error| unsatisfied("", error))?;
        Ok(Generator { root: Node::of(schema), validator })
    }

    /// The next valid document of the sequence.
    ///
    /// # Errors
    /// The place that could not be filled, when no try gave a valid document.
    pub fn document(&self, chance: &mut Chance) -> Result<Value, Unsatisfied> {
        let mut last = None;
        for _ in 0..DOCUMENTS {
            let mut maker = Maker { values: 0, mood: chance.below(6), chance };
            match maker.value(&self.root, "") {
                Ok(value) if self.validator.is_valid((&value).into()) => return Ok(value),
                Ok(value) => {
                    let error = self.validator.iter_errors((&value).into()).next();
                    last = error.map(|error| {
                        let keyword = error.kind().keyword();
                        let detail = format!("`{keyword}` was met by none of the documents tried");
                        unsatisfied(&error.instance_path().to_string(), detail)
                    });
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| unsatisfied("", "nothing was tried")))
    }
}

/// Makes one document.
struct Maker<'c> {
    chance: &'c mut Chance,
    /// Values made so far.
    values: usize,
    /// 0: no optional member, 1: every one, else each by chance.
    mood: usize,
}

impl Maker<'_> {
    /// A value for a place; where alternatives exclude each other it is tested at once.
    fn value(&mut self, node: &Node, path: &str) -> Result<Value, Unsatisfied> {
        self.values += 1;
        if node.choices.is_empty() && node.own.guards.is_empty() {
            return self.plain(&node.own, path);
        }
        let mut last = unsatisfied(path, "its alternatives exclude each other");
        for _ in 0..PLACES {
            let place = node.decided(self.chance);
            match self.plain(&place, path) {
                Ok(value) if place.guards.iter().all(|guard| guard.is_valid((&value).into())) => {
                    return Ok(value);
                }
                Ok(_) => {}
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn plain(&mut self, place: &Constraints, path: &str) -> Result<Value, Unsatisfied> {
        if place.never {
            return Err(unsatisfied(path, "nothing is allowed here"));
        }
        if let Some(allowed) = &place.allowed {
            let fitting: Vec<&Value> =
                allowed.iter().filter(|value| place.types & type_of(value) != 0).collect();
            let chosen = self.chance.pick(&fitting);
            return chosen
                .map(|value| Value::clone(value))
                .ok_or_else(|| unsatisfied(path, "none of the listed values is allowed"));
        }
        let kinds: Vec<u8> = kinds(place);
        let Some(kind) = self.chance.pick(&kinds) else {
            return Err(unsatisfied(path, "no JSON type is allowed"));
        };
        let found = match *kind {
            types::NULL => Some(Value::Null),
            types::BOOLEAN => Some(Value::Bool(self.chance.one_in(2))),
            types::INTEGER if place.types & types::NUMBER == 0 => number::whole(place, self.chance),
            types::INTEGER | types::NUMBER => number::any(place, self.chance),
            types::STRING => text::text(place, self.chance).map(Value::String),
            types::ARRAY => return self.array(place, path),
            _ => return self.object(place, path),
        };
        found.ok_or_else(|| {
            let what = match *kind {
                types::STRING => "no text has this length, pattern, format and check digit at once",
                _ => "no number is in this range and a multiple",
            };
            unsatisfied(path, what)
        })
    }
}

fn type_of(value: &Value) -> u8 {
    match value {
        Value::Null => types::NULL,
        Value::Bool(_) => types::BOOLEAN,
        Value::Number(number) if number.is_f64() => types::NUMBER,
        Value::Number(_) => types::INTEGER,
        Value::String(_) => types::STRING,
        Value::Array(_) => types::ARRAY,
        Value::Object(_) => types::OBJECT,
    }
}

/// The types to choose from. Where the schema names none, those its keywords speak of are meant.
fn kinds(place: &Constraints) -> Vec<u8> {
    let text = place.min_length.is_some() || place.max_length.is_some();
    let text = text || !(place.patterns.is_empty() && place.formats.is_empty());
    let meant = [
        (types::STRING, text || !place.checks.is_empty()),
        (types::NUMBER | types::INTEGER, place.low.is_some() || place.high.is_some()),
        (types::NUMBER | types::INTEGER, !place.multiples.is_empty()),
        (types::ARRAY, place.items.is_some() || place.min_items > 0 || !place.prefix.is_empty()),
        (types::ARRAY, !place.contains.is_empty()),
        (types::OBJECT, !place.properties.is_empty() || !place.required.is_empty()),
        (types::OBJECT, place.min_properties > 0),
    ];
    let meant = meant.iter().filter(|(_, speaks)| *speaks).fold(0, |all, (kind, _)| all | kind);
    let set = match place.types {
        types::ANY if meant != 0 => meant,
        set => set,
    };
    (0..7).map(|bit| 1_u8 << bit).filter(|kind| set & kind != 0).collect()
}

/// A document of nothing but the seed, for schemas that allow anything.
fn anything(chance: &mut Chance) -> Value {
    match chance.below(4) {
        0 => Value::Null,
        1 => Value::from(chance.between(0, 99)),
        2 => Value::Object(Map::new()),
        _ => Value::String(letters::text(chance.between(0, 6), false, chance)),
    }
}
