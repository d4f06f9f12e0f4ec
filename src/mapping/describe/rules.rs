//! The rules of a mapping file by target, each in words and with the source items it reads.

use super::{Ruled, SourceItem};
use crate::diagnostic::SourceFile;
use crate::diagnostic::yaml::{Kind as Yaml, Node};
use crate::mapping::Mapping;
use crate::mapping::compile::KEYWORDS;
use crate::mapping::path::Step;
use crate::mapping::syntax::{Expression, Kind, PathText, Root, parse, steps_text};
use crate::mapping::words::{Language, condition, words};
use crate::schema::{Class, Shape};
use serde_json::Value;
use std::sync::Arc;

/// Functions whose second argument names a code table.
const TABLED: [&str; 5] = ["code", "code-at", "code-of", "has-code", "replace-table"];

/// Functions whose second argument is a condition on the elements of the first.
const SELECTING: [&str; 4] = ["filter", "find", "any", "all"];

/// A place in the source: its path and what the schema says of it.
#[derive(Clone)]
struct Place<'s> {
    path: String,
    shape: Option<&'s Shape>,
}

/// A name given by `let`.
struct Name {
    name: String,
    sources: Vec<SourceItem>,
}

/// What was found in a mapping file.
pub(super) struct Found<'s> {
    file: Arc<SourceFile>,
    language: Language,
    document: Place<'s>,
    lets: Vec<Name>,
    /// Rules by target path.
    pub rules: Vec<(String, Ruled)>,
    /// `let` with expression and words.
    pub names: Vec<(String, String, String)>,
    /// Code tables that rules name.
    pub used_tables: Vec<String>,
}

/// What surrounds a rule.
#[derive(Clone)]
struct Around<'s> {
    here: Place<'s>,
    conditions: Vec<String>,
    sources: Vec<SourceItem>,
}

impl<'s> Found<'s> {
    pub fn new(mapping: &'s Mapping, language: Language) -> Found<'s> {
        Found {
            file: Arc::clone(mapping.file()),
            language,
            document: Place { path: String::new(), shape: Some(mapping.from.shape()) },
            lets: Vec::new(),
            rules: Vec::new(),
            names: Vec::new(),
            used_tables: Vec::new(),
        }
    }

    /// Reads the whole file.
    pub fn read(&mut self, root: &Node) {
        let around =
            Around { here: self.document.clone(), conditions: Vec::new(), sources: Vec::new() };
        self.name(root, &around);
        if root.get("each").is_some() {
            self.scoped(root, "", &around);
        } else if let Some(rules) = root.get("rules") {
            self.members(rules, "", &around);
        }
    }

    fn members(&mut self, node: &Node, target: &str, around: &Around<'s>) {
        for entry in node.as_map().unwrap_or_default() {
            let name = entry.key.strip_prefix('=').unwrap_or(&entry.key);
            let path = if target.is_empty() { name.to_owned() } else { format!("{target}.{name}") };
            self.rule(&entry.node, &path, around);
        }
    }

    fn rule(&mut self, node: &Node, target: &str, around: &Around<'s>) {
        match &node.value {
            Yaml::Scalar(_) => self.leaf(node, target, around),
            Yaml::Map(entries) if entries.iter().any(|e| KEYWORDS.contains(&e.key.as_str())) => {
                let count = self.lets.len();
                self.name(node, around);
                self.scoped(node, target, around);
                self.lets.truncate(count);
            }
            Yaml::Map(_) => self.members(node, target, around),
            Yaml::Seq(_) => {}
        }
    }

    /// A rule with `each`, `when`, `value` or `rules`.
    fn scoped(&mut self, node: &Node, target: &str, around: &Around<'s>) {
        let mut around = around.clone();
        let mut target = target.to_owned();
        if let Some(each) = node.get("each") {
            let Some(expression) = self.expression(each) else { return };
            let said = self.said(&expression, &around);
            let sources = self.sources(&expression, &around);
            let words = match self.language {
                Language::Ja => format!("{said} の要素ごとに1件"),
                Language::En => format!("one for each element of {said}"),
            };
            // The list itself is the target; what is inside stands below it.
            let ruled = Ruled { words, sources, ..self.ruled(each, &around) };
            let list = if target.is_empty() { "[]".to_owned() } else { target.clone() };
            self.rules.push((list, ruled));
            around.here = self.element(&expression, &around);
            target.push_str("[]");
        }
        if let Some(when) = node.get("when").and_then(|when| self.expression(when)) {
            let said = condition(&when, self.language, &|path| self.called(path, &around));
            let sources = self.sources(&when, &around);
            match self.rules.last_mut().filter(|_| node.get("each").is_some()) {
                // The list says which elements it keeps.
                Some((_, list)) => {
                    list.conditions.push(said);
                    merge(&mut list.sources, sources);
                }
                None => {
                    around.conditions.push(said);
                    merge(&mut around.sources, sources);
                }
            }
        }
        match (node.get("value"), node.get("rules")) {
            (Some(value), _) => self.leaf(value, &target, &around),
            (None, Some(rules)) => {
                if !around.conditions.is_empty() && node.get("each").is_none() {
                    let words = String::new();
                    let sources = around.sources.clone();
                    let ruled = Ruled { words, sources, ..self.ruled(rules, &around) };
                    self.rules.push((target.clone(), Ruled { text: String::new(), ..ruled }));
                    // Said of the group, it need not be said of every item in it.
                    around.conditions.clear();
                    around.sources.clear();
                }
                self.members(rules, &target, &around);
            }
            (None, None) => {}
        }
    }

    fn leaf(&mut self, node: &Node, target: &str, around: &Around<'s>) {
        let Some(expression) = self.expression(node) else { return };
        let words = match (&expression.kind, self.said(&expression, around)) {
            (Kind::Literal(_), said) => {
                self.language.pick("固定値 ", "constant ").to_owned() + &said
            }
            (_, said) => said,
        };
        let mut sources = self.sources(&expression, around);
        merge(&mut sources, around.sources.clone());
        let ruled = Ruled { words, sources, ..self.ruled(node, around) };
        self.rules.push((target.to_owned(), ruled));
    }

    fn ruled(&self, node: &Node, around: &Around<'s>) -> Ruled {
        let (line, _) = self.file.position(node.span.start);
        let text = match &node.value {
            Yaml::Scalar(Value::String(text)) => text.clone(),
            Yaml::Scalar(value) => value.to_string(),
            _ => String::new(),
        };
        let conditions = around.conditions.clone();
        Ruled { line, text, words: String::new(), conditions, sources: Vec::new() }
    }

    /// The `let` of a node, one after the other.
    fn name(&mut self, node: &Node, around: &Around<'s>) {
        for entry in node.get("let").and_then(Node::as_map).unwrap_or_default() {
            let Some(expression) = self.expression(&entry.node) else { continue };
            let said = self.said(&expression, around);
            let sources = self.sources(&expression, around);
            let text = self.ruled(&entry.node, around).text;
            self.names.push((entry.key.clone(), text, said));
            self.lets.push(Name { name: entry.key.clone(), sources });
        }
    }

    /// The expression of a scalar; numbers and the like are literals.
    fn expression(&mut self, node: &Node) -> Option<Expression> {
        let expression = match node.as_scalar()? {
            Value::String(text) => parse(text).ok()?,
            other => Expression { kind: Kind::Literal(other.clone()), span: 0..0, height: 1 },
        };
        self.tables(&expression);
        Some(expression)
    }

    fn tables(&mut self, expression: &Expression) {
        if let Kind::Call { name, arguments, .. } = &expression.kind
            && TABLED.contains(&name.as_str())
            && let Some(Kind::Path(table)) = arguments.get(1).map(|argument| &argument.kind)
            && !self.used_tables.contains(&table.text())
        {
            self.used_tables.push(table.text());
        }
        for part in parts(expression) {
            self.tables(part);
        }
    }

    fn said(&self, expression: &Expression, around: &Around<'s>) -> String {
        words(expression, self.language, &|path| self.called(path, around))
    }

    /// How a path is called: by its title, or as it is written.
    fn called(&self, path: &PathText, around: &Around<'s>) -> String {
        if let Root::Variable(name) = &path.root {
            let rest =
                if path.steps.is_empty() { String::new() } else { format!(".{}", path.text()) };
            return self.language.pick("〔", "[").to_owned()
                + name
                + &rest
                + self.language.pick("〕", "]");
        }
        let place = self.place(path, around);
        let title = place.shape.and_then(|shape| shape.title.as_deref()).map(short);
        match title {
            Some(title) => title.to_owned(),
            None if place.path.is_empty() => {
                self.language.pick("文書全体", "the document").to_owned()
            }
            None => place.path,
        }
    }

    fn place(&self, path: &PathText, around: &Around<'s>) -> Place<'s> {
        let start = match path.root {
            Root::Document => &self.document,
            Root::Here | Root::Element => &around.here,
            Root::Variable(_) => return Place { path: path.text(), shape: None },
        };
        let steps = path.steps.iter().map(|(step, _)| step);
        let shape = steps.clone().fold(start.shape, |shape, step| match step {
            Step::Field(name) => shape?.property(name).map(|property| &property.shape),
            Step::Index(_) => shape?.element(),
        });
        let tail = steps_text(steps);
        let joined = match (start.path.as_str(), tail.as_str()) {
            ("", tail) => tail.to_owned(),
            (head, "") => head.to_owned(),
            (head, tail) if tail.starts_with('[') => format!("{head}{tail}"),
            (head, tail) => format!("{head}.{tail}"),
        };
        Place { path: joined, shape }
    }

    /// What `each` steps into: the elements of the first place its expression reads.
    fn element(&self, expression: &Expression, around: &Around<'s>) -> Place<'s> {
        match &expression.kind {
            Kind::Path(path) => {
                let list = self.place(path, around);
                let shape = list.shape.and_then(Shape::element);
                Place { path: format!("{}[]", list.path), shape }
            }
            _ => match parts(expression).first() {
                Some(first) => self.element(first, around),
                None => Place { path: "[]".to_owned(), shape: None },
            },
        }
    }

    fn sources(&self, expression: &Expression, around: &Around<'s>) -> Vec<SourceItem> {
        let mut found = Vec::new();
        self.collect(expression, around, &mut found);
        found
    }

    fn collect(&self, expression: &Expression, around: &Around<'s>, into: &mut Vec<SourceItem>) {
        if let Kind::Path(path) = &expression.kind {
            if let Root::Variable(name) = &path.root {
                let known = self.lets.iter().rev().find(|known| known.name == *name);
                merge(into, known.map(|known| known.sources.clone()).unwrap_or_default());
                return;
            }
            let Place { path, shape } = self.place(path, around);
            let title = shape.and_then(|shape| shape.title.clone());
            let class = shape.map_or(Class::Plain, strictest);
            let path = if path.is_empty() { "$".to_owned() } else { path };
            merge(into, vec![SourceItem { path, title, class }]);
            return;
        }
        if let Kind::Call { name, arguments, .. } = &expression.kind
            && SELECTING.contains(&name.as_str())
            && let [list, condition] = arguments.as_slice()
        {
            self.collect(list, around, into);
            let here = self.element(list, around);
            self.collect(condition, &Around { here, ..around.clone() }, into);
            return;
        }
        for part in parts(expression) {
            self.collect(part, around, into);
        }
    }
}

/// The expressions inside one that read something: names of tables and fields are left out.
fn parts(expression: &Expression) -> Vec<&Expression> {
    match &expression.kind {
        Kind::Literal(_) | Kind::Path(_) => Vec::new(),
        Kind::Call { name, arguments, .. } if TABLED.contains(&name.as_str()) => {
            arguments.iter().enumerate().filter(|(at, _)| *at != 1).map(|(_, one)| one).collect()
        }
        Kind::Call { arguments: many, .. }
        | Kind::Default(many)
        | Kind::Or(many)
        | Kind::And(many) => many.iter().collect(),
        Kind::Not(one) | Kind::In { item: one, .. } => vec![one],
        Kind::Compare { left, right, .. } => vec![left, right],
    }
}

/// The strictest class at a place or inside it.
fn strictest(shape: &Shape) -> Class {
    shape.within().chain(shape.beside()).map(strictest).fold(shape.class, Class::max)
}

/// A title without the remarks behind it.
fn short(title: &str) -> &str {
    let end = [": ", " = ", ", ", "; ", " ("].iter().filter_map(|sign| title.find(sign)).min();
    title.get(..end.unwrap_or(title.len())).unwrap_or(title)
}

fn merge(into: &mut Vec<SourceItem>, more: Vec<SourceItem>) {
    for item in more {
        if !into.contains(&item) {
            into.push(item);
        }
    }
}
