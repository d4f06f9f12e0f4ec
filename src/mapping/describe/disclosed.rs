//! What a mapping can disclose: every target place with a legal item code or a data class that
//! some rule sets, also inside objects copied whole and in elements of arrays.

use super::{Ruled, SourceItem, rules};
use crate::diagnostic::yaml;
use crate::mapping::Mapping;
use crate::mapping::syntax::{Kind, parse};
use crate::mapping::words::Language;
use crate::schema::{Class, Shape};

/// Objects nest at most so deep; a schema that refers to itself is cut there.
const MAX_DEPTH: usize = 32;

/// One place of the target that a rule sets.
#[derive(Clone, Debug)]
pub struct Disclosed {
    /// Where it stands: `records[].date`; members without a name of their own are `*`.
    pub path: String,
    /// Its title, where the schema has one.
    pub title: Option<String>,
    /// Legal item code (`x-item`), if it has one.
    pub item: Option<String>,
    /// The strictest class of it and of what it stands in.
    pub class: Class,
    /// The source items that its rules read; none for constants.
    pub sources: Vec<SourceItem>,
}

impl Mapping {
    /// Every place with a legal item code or a class that this mapping can fill, in the order of
    /// the target schema. Their codes are [`Mapping::items`].
    pub fn disclosed(&self) -> Vec<Disclosed> {
        let Ok(root) = yaml::parse(self.file()) else { return Vec::new() };
        let mut found = rules::Found::new(self, Language::En);
        found.read(&root);
        let mut places = Vec::new();
        collect(self.to.shape(), "", Class::Plain, 0, &mut places);
        let set = |mut place: Disclosed| {
            place.sources = sources(&place.path, &found.rules, self.from.shape())?;
            Some(place)
        };
        places.into_iter().filter_map(set).collect()
    }
}

/// The places with an item or a class of their own.
fn collect(shape: &Shape, path: &str, around: Class, depth: usize, into: &mut Vec<Disclosed>) {
    let class = around.max(shape.class);
    if shape.item.is_some() || shape.class != Class::Plain {
        let (title, item) = (shape.title.clone(), shape.item.clone());
        match into.iter_mut().find(|known| known.path == path && known.item == item) {
            // Another form of the same place.
            Some(known) => known.class = known.class.max(class),
            None => {
                let path = path.to_owned();
                into.push(Disclosed { path, title, item, class, sources: Vec::new() });
            }
        }
    }
    if depth > MAX_DEPTH {
        return;
    }
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    for property in &shape.properties {
        collect(&property.shape, &below(&property.name), class, depth + 1, into);
    }
    for element in shape.items.as_deref().into_iter().chain(&shape.prefix) {
        collect(element, &format!("{path}[]"), class, depth + 1, into);
    }
    for unnamed in shape.unnamed() {
        collect(unnamed, &below("*"), class, depth + 1, into);
    }
    for other in shape.beside() {
        collect(other, path, class, depth + 1, into);
    }
}

/// What stands behind `outer` in `path`, when it lies inside of it.
fn inside<'p>(path: &'p str, outer: &str) -> Option<&'p str> {
    if outer.is_empty() {
        return Some(path);
    }
    path.strip_prefix(outer).filter(|rest| rest.starts_with('.') || rest.starts_with('['))
}

/// The source items behind a place; `None` when no rule sets it.
fn sources(path: &str, rules: &[(String, Ruled)], from: &Shape) -> Option<Vec<SourceItem>> {
    let mut found: Option<Vec<SourceItem>> = None;
    let own = rules.iter().filter(|(target, _)| target == path || inside(target, path).is_some());
    for (_, rule) in own {
        let known = found.get_or_insert_default();
        for source in &rule.sources {
            if !known.contains(source) {
                known.push(source.clone());
            }
        }
    }
    found.or_else(|| {
        // Part of something copied whole: by the rule of what it stands in, unless that only
        // says of a group when it applies.
        let around = rules.iter().filter(|(target, _)| inside(path, target).is_some());
        let (target, rule) = around.max_by_key(|(target, _)| target.len())?;
        let group = rules.iter().any(|(other, _)| inside(other, target).is_some());
        if group {
            return None;
        }
        let tail = inside(path, target).unwrap_or_default();
        Some(copied(rule, tail, from).map_or_else(|| rule.sources.clone(), |one| vec![one]))
    })
}

/// The very source item, when the rule is a path and the source has the same inside.
fn copied(rule: &Ruled, tail: &str, from: &Shape) -> Option<SourceItem> {
    let plain = matches!(parse(&rule.text).ok()?.kind, Kind::Path(_));
    let [whole] = rule.sources.as_slice() else { return None };
    if !plain {
        return None;
    }
    let path = if whole.path == "$" {
        tail.trim_start_matches('.').to_owned()
    } else {
        format!("{}{tail}", whole.path)
    };
    let mut here = from;
    let mut class = from.class;
    for name in path.split('.') {
        let (name, lists) = (name.trim_end_matches("[]"), name.matches("[]").count());
        if !name.is_empty() {
            here = &here.property(name)?.shape;
            class = class.max(here.class);
        }
        for _ in 0..lists {
            here = here.element()?;
            class = class.max(here.class);
        }
    }
    Some(SourceItem { path, title: here.title.clone(), class })
}
