//! Names compared: how they are spelt differs between systems more than what they say.

use crate::diagnostic::nearest::nearest;
use crate::schema::{Property, Shape};

/// A name without case, hyphens, underscores and blanks.
pub(super) fn plain(name: &str) -> String {
    let sign = |c: &char| !matches!(c, '-' | '_' | ' ' | '　');
    name.chars().filter(sign).flat_map(char::to_lowercase).collect()
}

/// A place that a rule may read.
#[derive(Clone)]
pub(super) struct Source<'s> {
    /// From the document, or the element.
    pub path: String,
    pub shape: &'s Shape,
    /// Whether it is there in every valid document.
    pub always: bool,
}

/// Every place below a shape, lists not entered.
pub(super) fn sources(shape: &Shape) -> Vec<Source<'_>> {
    let mut found = Vec::new();
    collect(shape, "", true, &mut found);
    found
}

fn collect<'s>(shape: &'s Shape, path: &str, always: bool, into: &mut Vec<Source<'s>>) {
    for property in &shape.properties {
        if into.len() >= 10_000 || property.name.starts_with('$') {
            continue;
        }
        let name = quoted(&property.name);
        let path = if path.is_empty() { name } else { format!("{path}.{name}") };
        let always = always && property.required;
        into.push(Source { path: path.clone(), shape: &property.shape, always });
        collect(&property.shape, &path, always, into);
    }
    for alternative in &shape.alternatives {
        let known: Vec<String> = into.iter().map(|one| one.path.clone()).collect();
        let mut more = Vec::new();
        collect(alternative, path, false, &mut more);
        into.extend(more.into_iter().filter(|one| !known.contains(&one.path)));
    }
}

/// A name as a path holds it: in backticks where it has other signs.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
        && !name.starts_with('-')
        && !name.ends_with('-');
    if plain { name.to_owned() } else { format!("`{name}`") }
}

impl<'s> Source<'s> {
    /// Its own name.
    pub fn leaf(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path).trim_matches('`')
    }

    /// The source that belongs to a target in a group, and whether that is a guess. Earlier ones
    /// win.
    pub fn best(all: &[Source<'s>], target: &Property, group: &str) -> Option<(Source<'s>, bool)> {
        let name = target.name.as_str();
        let title = target.shape.title.as_deref();
        let by = |fits: &dyn Fn(&Source<'_>) -> bool| all.iter().find(|one| fits(one)).cloned();
        // `benefit.name` is what a flat source calls `benefitName`.
        let joined = plain(&format!("{group}{name}"));
        if let Some(found) = by(&|one| !group.is_empty() && plain(one.leaf()) == joined)
            .or_else(|| by(&|one| one.leaf() == name))
            .or_else(|| by(&|one| plain(one.leaf()) == plain(name)))
            .or_else(|| by(&|one| title.is_some() && one.shape.title.as_deref() == title))
        {
            return Some((found, false));
        }
        // `postalCode` may be what `zipPostalCode` is, and 氏名 stands in 対象者氏名.
        let wanted = plain(name);
        let contains = |one: &Source<'_>| {
            let leaf = plain(one.leaf());
            let (short, long) =
                if leaf.len() < wanted.len() { (&leaf, &wanted) } else { (&wanted, &leaf) };
            short.chars().count() >= 4 && long.contains(short.as_str())
        };
        let names: Vec<String> = all.iter().map(|one| plain(one.leaf())).collect();
        let near = nearest(&wanted, names.iter().map(String::as_str));
        let found = near
            .filter(|near| near.chars().count() >= 3)
            .and_then(|near| by(&|one| plain(one.leaf()) == near))
            .or_else(|| by(&contains));
        found.map(|found| (found, true))
    }
}
