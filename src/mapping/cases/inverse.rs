//! `inverse`: a mapping that undoes another. What goes there and back must be as it was.

use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::{Node, Reader};
use crate::diagnostic::{Diagnostic, Location};
use crate::mapping::Mapping;
use crate::mapping::keys;
use crate::mapping::path::Step;
use crate::mapping::syntax::{self, Kind};
use crate::model::codes::mapping as codes;
use crate::schema::Shape;
use serde_json::Value;

/// The mapping declared to undo this one.
#[derive(Clone, Debug)]
pub struct Inverse {
    /// Its name.
    pub mapping: String,
    /// Source fields that the way there and back loses; of array elements without an index.
    pub except: Vec<Vec<String>>,
    location: Location,
    fields: Vec<Location>,
}

impl Inverse {
    /// Reads `inverse: name` or `inverse: {mapping: name, except: [path]}`.
    pub(crate) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Inverse> {
        let location = node.location(reader.file);
        if node.as_str().is_some() {
            let mapping = reader.text(node, "`inverse`")?.to_owned();
            return Some(Inverse { mapping, except: Vec::new(), location, fields: Vec::new() });
        }
        reader.keys(node, &keys::INVERSE)?;
        let name = reader.required(node, "`inverse`", "mapping")?;
        let mapping = reader.text(name, "`mapping`")?.to_owned();
        let location = name.location(reader.file);
        let (mut except, mut fields) = (Vec::new(), Vec::new());
        for path in node.get("except").and_then(|list| reader.list(list, "`except`")).unwrap_or(&[])
        {
            let Some(text) = reader.text(path, "a path") else { continue };
            match steps(text) {
                Some(steps) => {
                    except.push(steps);
                    fields.push(path.location(reader.file));
                }
                None => reader.wrong_kind(path, "`except`", "a path such as person.name"),
            }
        }
        Some(Inverse { mapping, except, location, fields })
    }

    /// What is wrong with the declaration, given the mapping of that name, if it could be
    /// compiled, and the names of all.
    pub fn check(
        &self,
        of: &Mapping,
        found: Option<&Mapping>,
        names: &[&str],
        diagnostics: &mut Vec<Diagnostic>,
    ) {
        let code = &codes::INVERSE;
        let Some(inverse) = found else {
            if names.contains(&self.mapping.as_str()) {
                return; // why it cannot be used is told at itself
            }
            let message = format!("there is no mapping `{}`", self.mapping);
            let mut diagnostic = Diagnostic::error(code, self.location.clone(), message);
            diagnostic.hint = nearest(&self.mapping, names.iter().copied())
                .map(|near| format!("did you mean `{near}`?"));
            diagnostics.push(diagnostic);
            return;
        };
        let there = (inverse.from.id(), inverse.to.id());
        if there != (of.to.id(), of.from.id()) {
            let message = format!(
                "`{}` goes from {} to {}, so that it cannot undo {} to {}",
                inverse.name,
                there.0,
                there.1,
                of.from.id(),
                of.to.id()
            );
            diagnostics.push(Diagnostic::error(code, self.location.clone(), message));
        }
        for (path, location) in self.except.iter().zip(&self.fields) {
            if leads(of.from.shape(), path) {
                continue;
            }
            let message = format!("{} has no field `{}`", of.from.id(), path.join("."));
            diagnostics.push(Diagnostic::error(code, location.clone(), message));
        }
    }

    /// The document without the fields that may be lost.
    pub fn kept(&self, document: &Value) -> Value {
        let mut kept = document.clone();
        for path in &self.except {
            remove(&mut kept, path);
        }
        kept
    }
}

/// `person.name`, `doses[].lot` and `doses.lot` are the same two steps.
fn steps(text: &str) -> Option<Vec<String>> {
    let parsed = syntax::parse(&text.replace("[]", "")).ok()?;
    let Kind::Path(path) = parsed.kind else { return None };
    let names = path.steps.into_iter().map(|(step, _)| match step {
        Step::Field(name) => Some(name),
        Step::Index(_) => None,
    });
    names.collect()
}

/// Whether the shape has such a field; arrays are stepped into.
fn leads(shape: &Shape, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return true };
    let here = shape.element().filter(|_| shape.property(first).is_none()).unwrap_or(shape);
    here.property(first).is_some_and(|property| leads(&property.shape, rest))
}

fn remove(value: &mut Value, path: &[String]) {
    match (value, path) {
        (Value::Array(elements), _) => elements.iter_mut().for_each(|one| remove(one, path)),
        (Value::Object(members), [last]) => {
            members.shift_remove(last);
        }
        (Value::Object(members), [first, rest @ ..]) => {
            if let Some(inner) = members.get_mut(first) {
                remove(inner, rest);
                // What held nothing else may come back as nothing.
                if inner.as_object().is_some_and(serde_json::Map::is_empty) {
                    members.shift_remove(first);
                }
            }
        }
        _ => {}
    }
}
