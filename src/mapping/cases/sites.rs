//! Sites: every expression of a mapping file, and every rule that could be left out.

use crate::diagnostic::yaml::{Entry, Node};
use crate::mapping::compile::KEYWORDS;
use crate::mapping::path::Step;
use crate::mapping::syntax::{self, Kind, Root};
use crate::schema::Shape;
use std::ops::Range;

/// What an expression is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Gives a target its value.
    Value,
    /// A `let`.
    Let,
    /// A `when`.
    When,
    /// An `each`.
    Each,
}

/// One expression.
pub(super) struct Site<'n, 's> {
    pub node: &'n Node,
    pub role: Role,
    /// The target as a person writes it; `$name` of a `let`.
    pub target: String,
    /// What paths start from, where that is known.
    pub here: Option<&'s Shape>,
}

/// A rule that can be cut out of the file.
pub(super) struct Rule<'n> {
    pub entry: &'n Entry,
    pub target: String,
    /// What to cut so that the rest is still YAML.
    pub cut: Range<usize>,
}

/// Everything found in one file.
pub(super) struct Sites<'n, 's> {
    pub expressions: Vec<Site<'n, 's>>,
    pub rules: Vec<Rule<'n>>,
    text: &'n str,
    document: &'s Shape,
}

impl<'n, 's> Sites<'n, 's> {
    /// Walks the tree of a mapping file that was compiled without errors.
    pub fn of(root: &'n Node, text: &'n str, document: &'s Shape) -> Sites<'n, 's> {
        let (expressions, rules) = (Vec::new(), Vec::new());
        let mut sites = Sites { expressions, rules, text, document };
        sites.scoped(root, "", Some(document));
        sites
    }

    fn push(&mut self, node: &'n Node, role: Role, target: &str, here: Option<&'s Shape>) {
        let target = target.to_owned();
        self.expressions.push(Site { node, role, target, here });
    }

    /// A map with some of `each`, `let`, `when`, `value`, `rules`.
    fn scoped(&mut self, node: &'n Node, target: &str, here: Option<&'s Shape>) {
        let (mut here, mut target) = (here, target.to_owned());
        if let Some(each) = node.get("each") {
            self.push(each, Role::Each, &target, here);
            here = self.element(each, here);
            target.push_str("[]");
        }
        for entry in node.get("let").and_then(Node::as_map).unwrap_or(&[]) {
            self.push(&entry.node, Role::Let, &format!("${}", entry.key), here);
        }
        if let Some(when) = node.get("when") {
            self.push(when, Role::When, &target, here);
        }
        if let Some(value) = node.get("value") {
            self.push(value, Role::Value, &target, here);
        }
        if let Some(rules) = node.get("rules") {
            self.object(rules, &target, here);
        }
    }

    fn object(&mut self, node: &'n Node, target: &str, here: Option<&'s Shape>) {
        let entries = node.as_map().unwrap_or(&[]);
        for (index, entry) in entries.iter().enumerate() {
            let name = entry.key.strip_prefix('=').unwrap_or(&entry.key);
            let inner =
                if target.is_empty() { name.to_owned() } else { format!("{target}.{name}") };
            if let Some(cut) = self.cut(node, entries, index) {
                self.rules.push(Rule { entry, target: inner.clone(), cut });
            }
            match entry.node.as_map() {
                None => self.push(&entry.node, Role::Value, &inner, here),
                Some(inside) if inside.iter().any(|one| KEYWORDS.contains(&one.key.as_str())) => {
                    self.scoped(&entry.node, &inner, here);
                }
                Some(_) => self.object(&entry.node, &inner, here),
            }
        }
    }

    /// The bytes of an entry up to the next one; the last of a map goes with what separates it
    /// from the one before. The only entry stays: without it the map would be something else.
    fn cut(&self, map: &Node, entries: &[Entry], index: usize) -> Option<Range<usize>> {
        let entry = entries.get(index)?;
        if let Some(next) = entries.get(index + 1) {
            return Some(entry.key_span.start..next.key_span.start);
        }
        let before = entries.get(index.checked_sub(1)?)?;
        let flow = self.text.get(map.span.start..)?.starts_with('{');
        let start = before.node.span.end;
        let end = entry.node.span.end;
        let gone = self.text.get(start..end)?;
        // A block's line end stays, or the next key would stand on this line.
        let kept = if !flow && gone.ends_with('\n') { 1 } else { 0 };
        Some(start..end - kept)
    }

    /// What `each` steps into, when it is a plain path.
    fn element(&self, each: &Node, here: Option<&'s Shape>) -> Option<&'s Shape> {
        let Kind::Path(path) = syntax::parse(each.as_str()?).ok()?.kind else { return None };
        let start = match path.root {
            Root::Here | Root::Element => here?,
            Root::Document => self.document,
            Root::Variable(_) => return None,
        };
        walk(start, path.steps.iter().map(|(step, _)| step))?.element()
    }
}

/// Follows a path through a shape.
pub(super) fn walk<'s, 'p>(
    start: &'s Shape,
    mut steps: impl Iterator<Item = &'p Step>,
) -> Option<&'s Shape> {
    steps.try_fold(start, |shape, step| match step {
        Step::Field(name) => shape.property(name).map(|property| &property.shape),
        Step::Index(_) => shape.element(),
    })
}
