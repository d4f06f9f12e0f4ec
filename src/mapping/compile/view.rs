//! `View`: what the schema says of one place, its alternatives taken together.

use crate::schema::{Class, Shape};
use serde_json::Value;

/// One place in a document. `all` must hold together, at least one of `any` holds as well.
#[derive(Clone, Debug, Default)]
pub(crate) struct View<'s> {
    all: Vec<&'s Shape>,
    any: Vec<&'s Shape>,
    /// Strictest class of this place and of those around it.
    pub class: Class,
}

/// What lies behind a name.
pub(crate) enum Member<'s> {
    /// A declared member.
    Declared(View<'s>),
    /// Not declared, but the schema leaves room for it.
    Free,
    /// The schema has no such member.
    Unknown,
}

fn alternatives<'s>(shape: &'s Shape, into: &mut Vec<&'s Shape>, depth: usize) {
    if depth > 16 {
        return;
    }
    for alternative in &shape.alternatives {
        into.push(alternative);
        alternatives(alternative, into, depth + 1);
    }
}

fn is_open(shape: &Shape, depth: usize) -> bool {
    let inner = &shape.alternatives;
    shape.open
        && (depth > 16 || inner.is_empty() || inner.iter().any(|one| is_open(one, depth + 1)))
}

fn may_be(types: &[String], name: &str) -> bool {
    types.is_empty() || types.iter().any(|one| one == name)
}

impl<'s> View<'s> {
    /// The place a shape describes.
    pub(crate) fn of(shape: &'s Shape) -> View<'s> {
        View::join(vec![shape], Vec::new(), Class::Plain)
    }

    /// A place nothing is known of.
    pub(crate) fn unknown() -> View<'s> {
        View::default()
    }

    /// A place nothing is known of, except what class of data it may hold.
    pub(crate) fn unknown_of(class: Class) -> View<'s> {
        View { class, ..View::default() }
    }

    fn join(all: Vec<&'s Shape>, mut any: Vec<&'s Shape>, around: Class) -> View<'s> {
        let direct = any.clone();
        for shape in all.iter().chain(&direct) {
            alternatives(shape, &mut any, 0);
        }
        let class = all.iter().chain(&any).map(|shape| shape.class).fold(around, Class::max);
        View { all, any, class }
    }

    fn shapes(&self) -> impl Iterator<Item = &'s Shape> {
        self.all.iter().chain(&self.any).copied()
    }

    /// Whether the schema says nothing of this place.
    pub(crate) fn is_unknown(&self) -> bool {
        self.all.is_empty() && self.any.is_empty()
    }

    /// What lies behind a name, as long as something is known of it.
    pub(crate) fn member(&self, name: &str) -> Member<'s> {
        let find = |shapes: &[&'s Shape]| -> Vec<&'s Shape> {
            let properties = shapes.iter().flat_map(|shape| &shape.properties);
            properties.filter(|property| property.name == name).map(|p| &p.shape).collect()
        };
        let (all, any) = (find(&self.all), find(&self.any));
        if !all.is_empty() || !any.is_empty() {
            return Member::Declared(View::join(all, any, self.class));
        }
        let no_objects = !self.may_be("object");
        let closed = self.all.iter().any(|shape| !is_open(shape, 0))
            || (self.all.is_empty() && !self.any.iter().any(|shape| is_open(shape, 0)));
        if !self.is_unknown() && (no_objects || closed) { Member::Unknown } else { Member::Free }
    }

    /// The elements of an array; `None` when this place is no array.
    pub(crate) fn element(&self) -> Option<View<'s>> {
        if !self.may_be("array") {
            return None;
        }
        let find = |shapes: &[&'s Shape]| -> Vec<&'s Shape> {
            shapes.iter().filter_map(|shape| shape.items.as_deref()).collect()
        };
        Some(View::join(find(&self.all), find(&self.any), self.class))
    }

    /// Names of the declared members, in the order of the schema.
    pub(crate) fn names(&self) -> Vec<&'s str> {
        let mut names: Vec<&str> = Vec::new();
        for property in self.shapes().flat_map(|shape| &shape.properties) {
            if !names.contains(&property.name.as_str()) {
                names.push(&property.name);
            }
        }
        names
    }

    /// Required members that `set` lacks; of several alternatives, those of the nearest one.
    pub(crate) fn missing(&self, set: &[&str]) -> Vec<&'s str> {
        let lacks = |shape: &'s Shape| -> Vec<&'s str> {
            let required = shape.properties.iter().filter(|property| property.required);
            required.map(|p| p.name.as_str()).filter(|name| !set.contains(name)).collect()
        };
        let mut missing: Vec<&str> = self.all.iter().flat_map(|shape| lacks(shape)).collect();
        let nearest = self.any.iter().map(|shape| lacks(shape)).min_by_key(Vec::len);
        for name in nearest.unwrap_or_default() {
            if !missing.contains(&name) {
                missing.push(name);
            }
        }
        missing
    }

    /// Whether a value of a JSON type may stand here.
    pub(crate) fn may_be(&self, name: &str) -> bool {
        let fits = |shape: &Shape| {
            may_be(&shape.types, name) || (name == "integer" && may_be(&shape.types, "number"))
        };
        self.all.iter().all(|shape| fits(shape))
            && (self.any.is_empty() || self.any.iter().any(|shape| fits(shape)))
    }

    /// JSON types that may stand here; empty when any may.
    pub(crate) fn types(&self) -> Vec<&'s str> {
        let named = self.all.iter().find(|shape| !shape.types.is_empty());
        let from: Vec<&Shape> = match named {
            Some(shape) => vec![shape],
            None if self.any.iter().all(|shape| !shape.types.is_empty()) => self.any.clone(),
            None => Vec::new(),
        };
        let mut types: Vec<&str> = Vec::new();
        for name in from.iter().flat_map(|shape| &shape.types).map(String::as_str) {
            if !types.contains(&name) && self.may_be(name) {
                types.push(name);
            }
        }
        types
    }

    /// The values that may stand here, when they are listed.
    pub(crate) fn allowed(&self) -> Option<Vec<&'s Value>> {
        if let Some(values) = self.all.iter().find_map(|shape| shape.allowed.as_ref()) {
            return Some(values.iter().collect());
        }
        let lists: Option<Vec<&Vec<Value>>> =
            self.any.iter().map(|shape| shape.allowed.as_ref()).collect();
        lists.filter(|lists| !lists.is_empty()).map(|lists| lists.into_iter().flatten().collect())
    }

    /// Longest text that may stand here, in characters.
    pub(crate) fn max_length(&self) -> Option<usize> {
        let all = self.all.iter().filter_map(|shape| shape.max_length).min();
        let any: Option<Vec<usize>> = self.any.iter().map(|shape| shape.max_length).collect();
        all.or_else(|| any.and_then(|lengths| lengths.into_iter().max()))
    }

    /// Strictest class of this place and everything inside it.
    pub(crate) fn class_inside(&self) -> Class {
        fn inside(shape: &Shape, depth: usize) -> Class {
            let children = shape.within().chain(shape.beside());
            let below = if depth > 32 {
                Class::Plain
            } else {
                children.map(|child| inside(child, depth + 1)).max().unwrap_or_default()
            };
            shape.class.max(below)
        }
        self.shapes().map(|shape| inside(shape, 0)).fold(self.class, Class::max)
    }

    /// Legal item codes of this place.
    pub(crate) fn items(&self) -> impl Iterator<Item = &'s str> {
        self.shapes().filter_map(|shape| shape.item.as_deref())
    }

    /// Legal item codes of this place and everything inside it.
    pub(crate) fn items_inside(&self) -> Vec<&'s str> {
        fn inside<'s>(shape: &'s Shape, depth: usize, into: &mut Vec<&'s str>) {
            into.extend(shape.item.as_deref());
            if depth <= 32 {
                for child in shape.within().chain(shape.beside()) {
                    inside(child, depth + 1, into);
                }
            }
        }
        let mut items = Vec::new();
        self.shapes().for_each(|shape| inside(shape, 0, &mut items));
        items
    }
}
