//! The rules of a mapping as they are proved: what is written, without the targets' schemas.

use crate::diagnostic::yaml::{Entry, Kind, Node};
use crate::diagnostic::{Location, SourceFile};
use crate::mapping::compile::source::Source;
use crate::mapping::syntax::{self, Expression};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// One rule.
pub(super) enum Tree {
    Value(Leaf),
    Object(Object),
    Scoped(Box<Scoped>),
    /// A rule with a problem of its own, about which nothing more is said.
    Broken,
}

/// The rules of one target object.
pub(super) struct Object {
    pub head: Location,
    pub members: Vec<Member>,
}

/// The rule of one member.
pub(super) struct Member {
    pub name: Arc<str>,
    pub key: Location,
    pub rule: Tree,
}

/// A rule with `each`, `let` or `when`.
pub(super) struct Scoped {
    pub each: Option<Leaf>,
    pub lets: Vec<(String, Leaf)>,
    pub when: Option<Leaf>,
    pub body: Tree,
}

/// What is written for one value.
pub(super) struct Leaf {
    pub location: Location,
    pub written: Written,
}

/// How it is written.
pub(super) enum Written {
    Expression(Box<(Source, Expression)>),
    Literal(Value),
    /// With a problem of its own.
    Broken,
}

/// Reads the rules of a file; `errors` are the places of what is already known to be wrong.
pub(super) struct Grower<'f> {
    pub file: &'f Arc<SourceFile>,
    pub errors: Vec<Range<usize>>,
}

const KEYWORDS: [&str; 5] = ["each", "when", "let", "value", "rules"];

impl Grower<'_> {
    /// The whole mapping.
    pub(super) fn root(&self, root: &Node) -> Tree {
        let lets = self.lets(root.get("let"));
        let body = match (root.get("rules"), root.get("each")) {
            (Some(_), Some(_)) => self.scoped(root, Vec::new()),
            (Some(rules), None) => self.rules(rules),
            _ => Tree::Broken,
        };
        if lets.is_empty() {
            return body;
        }
        Tree::Scoped(Box::new(Scoped { each: None, lets, when: None, body }))
    }

    fn rule(&self, node: &Node) -> Tree {
        match &node.value {
            Kind::Scalar(_) => Tree::Value(self.leaf(node)),
            Kind::Seq(_) => Tree::Broken,
            Kind::Map(entries) => {
                let head = entries.first().map(|entry| entry.key_location(self.file));
                if head.is_some_and(|head| self.is_wrong(&head)) {
                    Tree::Broken
                } else if entries.iter().any(|entry| KEYWORDS.contains(&entry.key.as_str())) {
                    self.scoped(node, self.lets(node.get("let")))
                } else {
                    self.object(node, entries)
                }
            }
        }
    }

    /// Whether something is known to be wrong with what is called by this key.
    fn is_wrong(&self, key: &Location) -> bool {
        self.errors.contains(&key.span)
    }

    fn scoped(&self, node: &Node, lets: Vec<(String, Leaf)>) -> Tree {
        let each = node.get("each").map(|each| self.leaf(each));
        let when = node.get("when").map(|when| self.leaf(when));
        let body = match (node.get("value"), node.get("rules")) {
            (Some(value), None) => self.rule(value),
            (None, Some(rules)) => self.rules(rules),
            _ => Tree::Broken,
        };
        Tree::Scoped(Box::new(Scoped { each, lets, when, body }))
    }

    fn rules(&self, node: &Node) -> Tree {
        node.as_map().map_or(Tree::Broken, |entries| self.object(node, entries))
    }

    fn object(&self, node: &Node, entries: &[Entry]) -> Tree {
        let head = entries
            .first()
            .map_or_else(|| node.location(self.file), |entry| entry.key_location(self.file));
        let member = |entry: &Entry| Member {
            name: Arc::from(entry.key.strip_prefix('=').unwrap_or(&entry.key)),
            key: entry.key_location(self.file),
            rule: match self.is_wrong(&entry.key_location(self.file)) {
                true => Tree::Broken,
                false => self.rule(&entry.node),
            },
        };
        Tree::Object(Object { head, members: entries.iter().map(member).collect() })
    }

    fn lets(&self, node: Option<&Node>) -> Vec<(String, Leaf)> {
        let entries = node.and_then(Node::as_map).into_iter().flatten();
        entries.map(|entry| (entry.key.clone(), self.leaf(&entry.node))).collect()
    }

    fn leaf(&self, node: &Node) -> Leaf {
        let location = node.location(self.file);
        let inside = |error: &Range<usize>| {
            location.span.start <= error.start && error.end <= location.span.end
        };
        let written = match (Source::of(self.file, node), node.as_scalar()) {
            _ if self.errors.iter().any(inside) => Written::Broken,
            (Some(source), _) => match syntax::parse(&source.text) {
                Ok(expression) => Written::Expression(Box::new((source, expression))),
                Err(_) => Written::Broken,
            },
            (None, Some(value)) => Written::Literal(value.clone()),
            (None, None) => Written::Broken,
        };
        Leaf { location, written }
    }
}
