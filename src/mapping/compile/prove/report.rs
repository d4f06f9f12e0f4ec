//! What was found, in words.

use crate::diagnostic::yaml::Node;
use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::mapping::compile::prove::tree::{Member, Tree};
use crate::mapping::compile::prove::{Asked, Prover};
use crate::mapping::facts::Facts;
use crate::mapping::facts::admit::{self, Refusal, Why};
use crate::model::Code;
use crate::model::codes::mapping as codes;
use crate::schema::Shape;
use std::sync::Arc;

/// Where a refused target is set.
enum Place<'t> {
    /// By this expression; the rest of the path is inside its value.
    Leaf(usize, &'t Location),
    /// By the rules of this object.
    Object(&'t Location),
    /// By this rule of a member, which may leave it out.
    Member(&'t Member),
    /// By no rule of this object.
    Unset(&'t Location),
    /// Unknown: a rule with a problem of its own.
    Broken,
}

impl Prover<'_> {
    /// Reports what the target refuses, at the very expression that gives it.
    pub(super) fn refused(&mut self, tree: &Tree, refusal: &Refusal<'_>) {
        let name = target(&refusal.path);
        match place(tree, &refusal.path, &refusal.why) {
            Place::Broken => {}
            Place::Unset(head) => {
                if refusal.why == Why::Absent {
                    let message = format!(
                        "{} requires `{}`, which no rule sets",
                        parent(&refusal.path),
                        last(&refusal.path)
                    );
                    let diagnostic =
                        Diagnostic::error(&codes::TARGET_NOT_SET, head.clone(), message);
                    self.report(
                        diagnostic.hint("in every case the conditions allow; add a rule for it"),
                    );
                }
            }
            Place::Object(head) => {
                let (code, message, hint) = words(&refusal.why, &name, refusal.shape);
                self.report(Diagnostic::error(code, head.clone(), message).hint(hint));
            }
            Place::Member(member) => {
                let mut location = member.key.clone();
                if refusal.why == Why::Absent
                    && let Some(start) = leaf_of(&member.rule)
                    && let Some((_, at)) = self
                        .given
                        .get(&start)
                        .and_then(|parts| parts.iter().find(|(facts, _)| facts.absent))
                {
                    location = at.clone();
                }
                let (code, message, hint) = words(&refusal.why, &name, refusal.shape);
                self.report(Diagnostic::error(code, location, message).hint(hint));
            }
            Place::Leaf(start, whole) => {
                let parts = self.given.get(&start).cloned().unwrap_or_default();
                let guilty = |facts: &Facts| {
                    admit::refusals(facts, refusal.shape).iter().any(|one| one.why == refusal.why)
                };
                let deep = parts.len() == 1;
                let place = parts.iter().find(|(facts, _)| deep || guilty(facts));
                let location =
                    place.map_or_else(|| whole.clone(), |(_, location)| location.clone());
                if place.is_some_and(|(facts, _)| facts.clone().present() == Facts::any()) {
                    let message =
                        format!("{name} may get anything: nothing is known of this value");
                    let hint = "describe it in the source schema, or convert it with a function";
                    self.report(
                        Diagnostic::error(&codes::TARGET_KIND, location, message).hint(hint),
                    );
                    return;
                }
                let (code, message, hint) = words(&refusal.why, &name, refusal.shape);
                self.report(Diagnostic::error(code, location, message).hint(hint));
            }
        }
    }

    /// What only shows when all cases were looked at.
    pub(super) fn summary(&mut self, file: &Arc<SourceFile>, root: &Node) {
        for (_, (location, table, keys)) in std::mem::take(&mut self.lacking) {
            let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
            let message = format!("code table `{table}` has no entry for {}", keys.join(", "));
            let hint = format!("add the entry, or a default: code(…, {table}, default)");
            self.report(Diagnostic::error(&codes::TABLE_NOT_TOTAL, location, message).hint(hint));
        }
        if self.broken {
            return; // what looks dead may be so only for want of a value
        }
        for (_, seen) in std::mem::take(&mut self.conditions) {
            let (code, message) = match (seen.asked, seen.holds, seen.fails) {
                (Asked::When, false, _) => {
                    (&codes::DEAD_RULE, "no message makes this true: the rule never applies")
                }
                (Asked::If, false, _) => (
                    &codes::DEAD_RULE,
                    "no message makes this true: the second argument is never given",
                ),
                (Asked::When, true, false) => (
                    &codes::ALWAYS_HOLDS,
                    "every message makes this true: the condition says nothing",
                ),
                (Asked::If, true, false) => (
                    &codes::ALWAYS_HOLDS,
                    "every message makes this true: the third argument is never given",
                ),
                _ => continue,
            };
            self.report(
                Diagnostic::error(code, seen.location, message)
                    .hint("remove what never happens")
                    .warning(),
            );
        }
        for (_, (location, reached)) in std::mem::take(&mut self.defaults) {
            if !reached {
                let message = "what stands before `??` is never absent, null or nil";
                self.report(
                    Diagnostic::error(&codes::DEAD_DEFAULT, location, message)
                        .hint("remove it")
                        .warning(),
                );
            }
        }
        for (_, (location, reached)) in std::mem::take(&mut self.fallbacks) {
            if !reached {
                let message = "what stands before `otherwise` never fails";
                self.report(
                    Diagnostic::error(&codes::IDLE_OTHERWISE, location, message)
                        .hint("remove `otherwise`")
                        .warning(),
                );
            }
        }
        self.dead_keys(file, root);
    }

    /// Entries of the mapping's own tables that nothing ever looks up.
    fn dead_keys(&mut self, file: &Arc<SourceFile>, root: &Node) {
        let tables = root.get("tables").and_then(Node::as_map).into_iter().flatten();
        for table in tables {
            let Some(used) = self.used.get(&table.key).filter(|used| !used.any) else { continue };
            let entries = table.node.as_map().into_iter().flatten();
            let dead: Vec<_> = entries
                .filter(|entry| !used.keys.contains(&entry.key))
                .map(|entry| (entry.key_location(file), entry.key.clone()))
                .collect();
            let known: Vec<String> = used.keys.iter().cloned().collect();
            for (location, key) in dead {
                let message = format!("`{key}` is never looked up in code table `{}`", table.key);
                let near =
                    crate::diagnostic::nearest::nearest(&key, known.iter().map(String::as_str));
                let hint = near.map_or_else(
                    || "the source's values are listed, and this is none of them".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                self.report(
                    Diagnostic::error(&codes::KEY_NEVER, location, message).hint(hint).warning(),
                );
            }
        }
    }
}

fn place<'t>(tree: &'t Tree, path: &[Option<Arc<str>>], why: &Why) -> Place<'t> {
    match (tree, path.split_first()) {
        (Tree::Broken, _) => Place::Broken,
        (Tree::Value(leaf), _) => Place::Leaf(leaf.location.span.start, &leaf.location),
        (Tree::Object(object), Some((Some(name), rest))) => {
            match object.members.iter().find(|member| member.name == *name) {
                Some(member) if rest.is_empty() && matches!(why, Why::Absent | Why::Undeclared) => {
                    Place::Member(member)
                }
                Some(member) => place(&member.rule, rest, why),
                None => Place::Unset(&object.head),
            }
        }
        (Tree::Object(object), _) => Place::Object(&object.head),
        (Tree::Scoped(scoped), Some((None, rest))) if scoped.each.is_some() => {
            place(&scoped.body, rest, why)
        }
        (Tree::Scoped(scoped), _) => match &scoped.each {
            Some(each) => Place::Object(&each.location),
            None => place(&scoped.body, path, why),
        },
    }
}

/// The expression that gives a member, when it is one.
fn leaf_of(tree: &Tree) -> Option<usize> {
    match tree {
        Tree::Value(leaf) => Some(leaf.location.span.start),
        Tree::Scoped(scoped) if scoped.each.is_none() && scoped.when.is_none() => {
            leaf_of(&scoped.body)
        }
        _ => None,
    }
}

/// A target as a person writes it.
fn target(path: &[Option<Arc<str>>]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Some(name) if text.is_empty() => text.push_str(name),
            Some(name) => {
                text.push('.');
                text.push_str(name);
            }
            None => text.push_str("[]"),
        }
    }
    if text.is_empty() { "the document".to_owned() } else { text }
}

fn parent(path: &[Option<Arc<str>>]) -> String {
    target(path.split_last().map_or(&[], |(_, parents)| parents))
}

fn last(path: &[Option<Arc<str>>]) -> &str {
    path.last().and_then(|step| step.as_deref()).unwrap_or("")
}

fn listed(shape: &Shape) -> String {
    let allowed = shape.allowed.iter().flatten().take(12).map(ToString::to_string);
    format!("allowed: {}", allowed.collect::<Vec<_>>().join(", "))
}

fn bound(found: f64) -> String {
    if found.is_finite() { found.to_string() } else { "any number".to_owned() }
}

/// Code, message and hint of a refusal.
fn words(why: &Why, name: &str, shape: &Shape) -> (&'static Code, String, String) {
    let types = shape.types.join(" or ");
    let (code, message, hint): (_, _, &str) = match why {
        Why::Absent => (
            &codes::TARGET_MAYBE_ABSENT,
            format!("{name} is required, but may be absent"),
            "give a default with `??`, refuse with `?? reject(\"CODE\", \"text\")`, or require it in the source schema",
        ),
        Why::Null => (
            &codes::TARGET_MAYBE_NULL,
            format!("{name} takes {types}, but may get null"),
            "give a default with `??`, or leave it out with `when: present(…)`",
        ),
        Why::Nil => (
            &codes::TARGET_MAYBE_NIL,
            format!("{name} may get a nil that it does not take"),
            "give a default with `??`, or a reason the target lists",
        ),
        Why::Kind(kind) => (
            &codes::TARGET_KIND,
            format!("{name} takes {types}, but may get {kind}"),
            "convert it, or refuse what does not fit with `if` or `otherwise`",
        ),
        Why::NotListed(found) => {
            let message = match found {
                Some(value) => format!("{name} has no value {value}, which may come"),
                None => format!("{name} lists its values, and others may come"),
            };
            return (&codes::NOT_LISTED, message, listed(shape));
        }
        Why::TooLong(found, most) => {
            let found = found.map_or("any number of".to_owned(), |found| format!("up to {found}"));
            (
                &codes::MAYBE_TOO_LONG,
                format!("{name} takes at most {most} characters; this may have {found}"),
                "give the source a maxLength, or shorten with `cut(n)` where that is allowed",
            )
        }
        Why::TooShort(found, least) => (
            &codes::MAYBE_TOO_SHORT,
            format!("{name} takes at least {least} characters; this may have {found}"),
            "give the source a minLength, or refuse shorter texts",
        ),
        Why::Pattern(pattern) => (
            &codes::MAYBE_NO_MATCH,
            format!("{name} must match `{pattern}`, which is not certain"),
            "give the source the same or a narrower pattern, or convert the text",
        ),
        Why::Form(form) => (
            &codes::MAYBE_NO_FORM,
            format!("{name} must be a {form}, which is not certain"),
            "give the source the same format or x-check, or convert with a function that gives it",
        ),
        Why::TooSmall(found, least) => (
            &codes::NUMBER_RANGE,
            format!("{name} takes numbers from {least}; this may be {}", bound(*found)),
            "give the source the same range, or refuse others",
        ),
        Why::TooLarge(found, most) => (
            &codes::NUMBER_RANGE,
            format!("{name} takes numbers up to {most}; this may be {}", bound(*found)),
            "give the source the same range, or refuse others",
        ),
        Why::NotWhole => (
            &codes::NUMBER_NOT_WHOLE,
            format!("{name} takes whole numbers; this may have a fraction"),
            "convert it: … | integer",
        ),
        Why::Step(step) => (
            &codes::NUMBER_STEP,
            format!("{name} takes multiples of {step}, which is not certain"),
            "give the source the same multipleOf",
        ),
        Why::TooFew(found, least) => (
            &codes::MAYBE_TOO_FEW,
            format!("{name} takes at least {least} elements; there may be {found}"),
            "give the source the same minItems",
        ),
        Why::TooMany(found, most) => {
            let found = found.map_or("any number".to_owned(), |found| format!("up to {found}"));
            (
                &codes::MAYBE_TOO_MANY,
                format!("{name} takes at most {most} elements; there may be {found}"),
                "give the source a maxItems, or filter",
            )
        }
        Why::Undeclared => (
            &codes::MAYBE_UNDECLARED,
            format!("{name} is not a member the target has in every case"),
            "leave it out with `when`, or write a rule for each member",
        ),
        Why::NoOption => (
            &codes::NO_ALTERNATIVE,
            format!("none of the alternatives of {name} is certain to fit"),
            "set the member that tells them apart under the same conditions as the others",
        ),
        Why::TwoOptions => (
            &codes::NO_ALTERNATIVE,
            format!("more than one alternative of {name} may fit"),
            "set the member that tells them apart",
        ),
        Why::Beyond(keyword) => (
            &codes::BEYOND_PROOF,
            format!("{name} has `{keyword}`, which cannot be proved"),
            "say the same with keywords that can be followed",
        ),
        Why::Nothing => (
            &codes::TARGET_NEVER,
            format!("{name} must not be set here"),
            "leave it out with `when`",
        ),
    };
    (code, message, hint.to_owned())
}
