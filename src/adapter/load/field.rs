//! Looks a path up in a schema's shape.

use crate::diagnostic::nearest::nearest;
use crate::mapping::path::{Path, Step};
use crate::schema::{Class, Shape};

/// The shape at a path; `None` when the schema has nothing there.
pub fn shape_at<'s>(shape: &'s Shape, path: &Path) -> Option<&'s Shape> {
    path.steps().iter().try_fold(shape, next)
}

fn next<'s>(shape: &'s Shape, step: &Step) -> Option<&'s Shape> {
    match step {
        Step::Field(name) => shape.property(name).map(|property| &property.shape),
        Step::Index(_) => shape.element(),
    }
}

/// The strictest class of a place and of those around it, in whichever form the document has.
pub fn class_at(shape: &Shape, path: &Path) -> Class {
    let strictest = |here: &[&Shape]| here.iter().map(|shape| shape.class).max();
    let mut here = Vec::new();
    forms(shape, &mut here);
    let mut class = strictest(&here);
    for step in path.steps() {
        let mut inner = Vec::new();
        for shape in here {
            match step {
                Step::Field(name) => {
                    let named = shape.properties.iter().filter(|property| property.name == *name);
                    named.for_each(|property| forms(&property.shape, &mut inner));
                }
                Step::Index(_) => {
                    let elements = shape.items.as_deref().into_iter().chain(&shape.prefix);
                    elements.for_each(|element| forms(element, &mut inner));
                }
            }
        }
        class = class.max(strictest(&inner));
        here = inner;
    }
    class.unwrap_or_default()
}

/// A shape and everything that may hold beside it at the same place.
fn forms<'s>(shape: &'s Shape, into: &mut Vec<&'s Shape>) {
    into.push(shape);
    shape.beside().for_each(|other| forms(other, into));
}

/// The nearest name to the first step that leads nowhere, as a hint. Call it only for a path
/// that is not there.
pub fn nearest_to(shape: &Shape, path: &Path) -> Option<String> {
    let mut here = shape;
    for step in path.steps() {
        match (next(here, step), step) {
            (Some(inner), _) => here = inner,
            (None, Step::Field(name)) => {
                let mut names: Vec<&str> = Vec::new();
                member_names(here, &mut names);
                return nearest(name, names).map(|name| format!("did you mean `{name}`?"));
            }
            (None, Step::Index(_)) => return None,
        }
    }
    None
}

fn member_names<'s>(shape: &'s Shape, names: &mut Vec<&'s str>) {
    names.extend(shape.properties.iter().map(|property| property.name.as_str()));
    for alternative in &shape.alternatives {
        member_names(alternative, names);
    }
}
