//! Rules: the tree of targets, each checked against the target schema and lowered to the plan.

use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::{Entry, Kind, Node, Reader};
use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::mapping::compile::expression::{Context, Flow, Typed, Variable, list_of};
use crate::mapping::compile::source::Source;
use crate::mapping::compile::view::{Member, View};
use crate::mapping::functions::Returns;
use crate::mapping::keys::RULE_KEYS;
use crate::mapping::plan::{At, Field, Leaf, Op, Rule, Scoped};
use crate::model::codes::mapping as codes;
use serde_json::Value;
use std::sync::Arc;

use super::expression::{Produced, What};

/// Keys that make a map a rule instead of a nested target object.
pub(crate) const KEYWORDS: [&str; 5] = ["each", "when", "let", "value", "rules"];

/// How deep `each` may stand in `each`.
const MAX_EACH: usize = 4;

/// Lowers the rules of one mapping.
pub(crate) struct Rules<'s, 'd, 'f> {
    pub context: Context<'s, 'd>,
    pub file: &'f Arc<SourceFile>,
    /// Item codes of the targets that are set.
    pub items: Vec<String>,
    /// How many `each` surround the rule.
    pub depth: usize,
    /// What the conditions around the rule ask of 個人番号.
    pub deciding: Vec<Flow>,
}

/// A target: what the schema says of it, and its name for people.
#[derive(Clone)]
pub(crate) struct Target<'s> {
    pub view: View<'s>,
    pub path: String,
}

impl Target<'_> {
    fn name(&self) -> &str {
        if self.path.is_empty() { "the document" } else { &self.path }
    }
}

impl<'s> Rules<'s, '_, '_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.context.report(diagnostic);
    }

    fn reader(&mut self) -> Reader<'_> {
        Reader::new(self.file, self.context.diagnostics)
    }

    /// The rule of one target.
    pub(crate) fn rule(&mut self, node: &Node, target: &Target<'s>) -> Rule {
        match &node.value {
            Kind::Scalar(_) => {
                self.items.extend(target.view.items_inside().into_iter().map(str::to_owned));
                let (leaf, typed) = self.leaf(node, &target.path);
                self.fits(&typed, target);
                Rule::Value(leaf)
            }
            Kind::Seq(_) => {
                let message = format!("a list cannot set {}", target.name());
                let location = node.location(self.file);
                self.report(
                    Diagnostic::error(&codes::BAD_RULE, location, message)
                        .hint("use `each: array` with `rules:` or `value:`"),
                );
                Rule::Object(Box::new([]))
            }
            Kind::Map(entries) => {
                let keyword = |entry: &Entry| KEYWORDS.contains(&entry.key.as_str());
                if entries.iter().any(keyword) {
                    self.reader().keys(node, &RULE_KEYS);
                    self.scoped(node, target, node.get("let"))
                } else {
                    self.object(node, entries, target)
                }
            }
        }
    }

    /// A rule with `each`, `when`, `value` or `rules`; other keys were reported. `lets` are
    /// evaluated for every element; those of the root come once, before everything else.
    pub(crate) fn scoped(&mut self, node: &Node, target: &Target<'s>, lets: Option<&Node>) -> Rule {
        let outside = (self.context.here.clone(), self.context.variables.len());
        let each = node.get("each").map(|each| self.each(each, target));
        if each.is_some() {
            // What the array itself is, and not its elements alone.
            self.items.extend(target.view.items().map(str::to_owned));
        }
        let body_target =
            if each.is_some() { self.element_target(node, target) } else { target.clone() };
        let lets = lets.map(|lets| self.lets(lets)).unwrap_or_default();
        let deciding = self.deciding.len();
        let when = node.get("when").map(|when| self.when(when, target));
        let body = match (node.get("value"), node.get("rules")) {
            (Some(value), None) => self.value(value, &body_target),
            (None, Some(rules)) => self.rules(rules, &body_target),
            _ => {
                let message =
                    format!("the rule for {} needs one of `value` and `rules`", target.name());
                let location = self.head(node);
                self.report(Diagnostic::error(&codes::BAD_RULE, location, message));
                Rule::Object(Box::new([]))
            }
        };
        self.deciding.truncate(deciding);
        if each.is_some() {
            self.depth -= 1;
        }
        self.leave(outside.1);
        self.context.here = outside.0;
        if each.is_none() && lets.is_empty() && when.is_none() {
            return body;
        }
        Rule::Scoped(Box::new(Scoped { each, lets: lets.into(), when, body }))
    }

    fn value(&mut self, node: &Node, target: &Target<'s>) -> Rule {
        if node.as_scalar().is_some() {
            return self.rule(node, target);
        }
        self.reader().wrong_kind(node, "`value`", "an expression");
        Rule::Object(Box::new([]))
    }

    /// The rules of an object.
    pub(crate) fn rules(&mut self, node: &Node, target: &Target<'s>) -> Rule {
        match node.as_map() {
            Some(entries) => self.object(node, entries, target),
            None => {
                self.reader().wrong_kind(node, "`rules`", "a map of targets");
                Rule::Object(Box::new([]))
            }
        }
    }

    /// The first key of a map: a place short enough to point at.
    fn head(&self, node: &Node) -> Location {
        match node.as_map().and_then(<[Entry]>::first) {
            Some(entry) => entry.key_location(self.file),
            None => node.location(self.file),
        }
    }

    fn object(&mut self, node: &Node, entries: &[Entry], target: &Target<'s>) -> Rule {
        let names = target.view.names();
        if !target.view.may_be("object") {
            let types = target.view.types().join(" or ");
            let message = format!("{} is {types}, not an object", target.name());
            let location = self.head(node);
            self.report(Diagnostic::error(&codes::TYPE_MISMATCH, location, message));
            return Rule::Object(Box::new([]));
        }
        self.items.extend(target.view.items().map(str::to_owned));
        let mut fields: Vec<Field> = Vec::new();
        for entry in entries {
            let name = entry.key.strip_prefix('=').unwrap_or(&entry.key);
            if fields.iter().any(|field| field.name == name) {
                let message = format!("`{name}` is set by another rule already");
                let location = entry.key_location(self.file);
                self.report(Diagnostic::error(&codes::TARGET_TWICE, location, message));
                continue;
            }
            let inner = self.member(entry, name, target);
            let rule = self.rule(&entry.node, &inner);
            fields.push(Field { name: name.to_owned(), rule });
        }
        let set: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        let missing = target.view.missing(&set);
        if !missing.is_empty() {
            let listed: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
            let message =
                format!("{} requires {}, which no rule sets", target.name(), listed.join(", "));
            let location = self.head(node);
            self.report(Diagnostic::error(&codes::TARGET_NOT_SET, location, message));
        }
        let order = |name: &str| names.iter().position(|known| *known == name);
        fields.sort_by_key(|field| order(&field.name).unwrap_or(usize::MAX));
        Rule::Object(fields.into())
    }

    fn member(&mut self, entry: &Entry, name: &str, target: &Target<'s>) -> Target<'s> {
        let path = if target.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", target.path)
        };
        let view = match target.view.member(name) {
            Member::Declared(view) => view,
            Member::Free => View::unknown(),
            Member::Unknown => {
                let names = target.view.names();
                let message = format!("unknown target path `{path}`");
                let location = entry.key_location(self.file);
                let mut diagnostic = Diagnostic::error(&codes::UNKNOWN_TARGET, location, message);
                diagnostic.hint = nearest(name, names.iter().copied())
                    .map(|near| format!("did you mean `{near}`?"))
                    .or_else(|| list_of("there are", &names));
                self.report(diagnostic);
                View::unknown()
            }
        };
        Target { view, path }
    }

    fn element_target(&mut self, node: &Node, target: &Target<'s>) -> Target<'s> {
        let view = target.view.element().unwrap_or_else(|| {
            let types = target.view.types().join(" or ");
            let message = format!("`each` gives an array, but {} is {types}", target.name());
            let location = self.head(node);
            self.context.report(Diagnostic::error(&codes::TYPE_MISMATCH, location, message));
            View::unknown()
        });
        Target { view, path: format!("{}[]", target.path) }
    }

    /// Lowers `each` and steps into its element.
    fn each(&mut self, node: &Node, target: &Target<'s>) -> Leaf {
        self.depth += 1;
        if self.depth > MAX_EACH {
            let message = format!("`each` stands more than {MAX_EACH} deep in `each`");
            let location = node.location(self.file);
            self.report(Diagnostic::error(&codes::EACH_TOO_DEEP, location, message));
        }
        let (leaf, typed) = self.leaf(node, &target.path);
        self.context.here = match typed.view.element() {
            Some(element) => element,
            None => {
                let found = typed.view.types().join(" or ");
                let message = format!("`each` needs an array; this is {found}");
                let location = node.location(self.file);
                self.report(Diagnostic::error(&codes::TYPE_MISMATCH, location, message));
                View::unknown()
            }
        };
        leaf
    }

    fn when(&mut self, node: &Node, target: &Target<'s>) -> Leaf {
        let (leaf, typed) = self.leaf(node, &target.path);
        self.context.condition(&typed);
        let asked = std::mem::take(&mut self.context.asked);
        self.deciding.extend(asked);
        self.deciding.extend(typed.flows.into_iter().filter(|flow| flow.asked));
        leaf
    }

    /// Lowers `let`, top-down: each sees those above it.
    pub(crate) fn lets(&mut self, node: &Node) -> Vec<(usize, Leaf)> {
        let Some(entries) = node.as_map() else {
            self.reader().wrong_kind(node, "`let`", "a map of names to expressions");
            return Vec::new();
        };
        let mut lets = Vec::new();
        for entry in entries {
            let (leaf, mut typed) = self.leaf(&entry.node, &format!("${}", entry.key));
            typed.flows.append(&mut self.context.asked);
            let slot = self.context.slots;
            self.context.slots += 1;
            self.name(entry);
            self.context.variables.push(Variable {
                name: entry.key.clone(),
                slot,
                view: typed.view,
                flows: typed.flows,
                used: false,
                location: entry.key_location(self.file),
            });
            lets.push((slot, leaf));
        }
        lets
    }

    /// Checks the name of a `let`.
    fn name(&mut self, entry: &Entry) {
        let known = self.context.variables.iter().any(|known| known.name == entry.key);
        let good = matches!(
            crate::mapping::syntax::parse(&format!("${}", entry.key)).map(|parsed| parsed.kind),
            Ok(crate::mapping::syntax::Kind::Path(path)) if path.steps.is_empty()
        );
        let message = match entry.key.as_str() {
            "meta" => "`$meta` tells of the message and cannot be defined".to_owned(),
            key if known => format!("`${key}` is defined already"),
            key if !good => {
                format!("`{key}` cannot be a name: letters, digits, `_` and `-` inside")
            }
            _ => return,
        };
        let location = entry.key_location(self.file);
        self.report(
            Diagnostic::error(&codes::UNKNOWN_VARIABLE, location, message)
                .hint("choose another name"),
        );
    }

    /// Leaves the scope of variables from `count` on; unused ones are reported.
    pub(crate) fn leave(&mut self, count: usize) {
        let left: Vec<Variable<'_>> = self.context.variables.drain(count..).collect();
        for variable in left.into_iter().filter(|variable| !variable.used) {
            let message = format!("`{}` is never used", variable.name);
            let diagnostic = Diagnostic::error(&codes::UNUSED_LET, variable.location, message);
            self.report(diagnostic.hint("remove it").warning());
        }
    }

    /// A scalar as an expression (text) or a literal (anything else).
    fn leaf(&mut self, node: &Node, target: &str) -> (Leaf, Typed<'s>) {
        let target = target.to_owned();
        if let Some(source) = Source::of(self.file, node) {
            self.context.asked.clear();
            let mut typed = self.context.compile(&source);
            // The answer itself as a value; what a function gives is as its table declares.
            if matches!(
                typed.op,
                Op::Compare { .. } | Op::In { .. } | Op::And(_) | Op::Or(_) | Op::Not(..)
            ) {
                typed.flows.extend(self.context.asked.iter().cloned());
            }
            let at = source.at(&(0..0));
            let op = typed.op;
            let leaf = Leaf { op, target, at, text: source.text };
            let op = Op::Literal(Value::Null);
            return (leaf, Typed { op, ..typed });
        }
        let location = node.location(self.file);
        let (line, column) = self.file.position(location.span.start);
        let Some(value) = node.as_scalar() else {
            self.reader().wrong_kind(node, "an expression", "text");
            let leaf = Leaf {
                op: Op::Literal(Value::Null),
                target,
                at: At { line, column },
                text: String::new(),
            };
            return (leaf, self.literal(Value::Null, None));
        };
        let text = value.to_string();
        let op = Op::Literal(value.clone());
        let leaf = Leaf { op, target, at: At { line, column }, text };
        (leaf, self.literal(value.clone(), Some(location)))
    }

    fn literal(&self, value: Value, location: Option<Location>) -> Typed<'s> {
        let results = location
            .map(|location| Produced { what: What::Literal(value), location })
            .into_iter()
            .collect();
        Typed { op: Op::Literal(Value::Null), view: View::unknown(), results, flows: Vec::new() }
    }

    /// Checks everything an expression may give against its target.
    fn fits(&mut self, typed: &Typed<'s>, target: &Target<'s>) {
        for produced in &typed.results {
            let diagnostic = match &produced.what {
                What::Literal(value) => literal_fits(value, target, &produced.location),
                What::Entry(table) => {
                    let bad = table.all().find_map(|(key, value)| {
                        refusal(value, target).map(|why| (key, value, why))
                    });
                    bad.map(|(key, value, why)| {
                        let message = format!(
                            "code table `{}` gives {value} for `{key}`, but {why}",
                            table.name
                        );
                        Diagnostic::error(&codes::TABLE_VALUE, produced.location.clone(), message)
                    })
                }
                What::Place(_) | What::Returned(_) => type_fits(produced, target),
            };
            self.context.diagnostics.extend(diagnostic);
        }
        if target.view.is_unknown() {
            return;
        }
        let admitted = target.view.class_inside();
        // A value flows in plain; what a condition asks for, only through its answer.
        let flows = typed.flows.iter().chain(&self.deciding);
        let strictest = flows.max_by_key(|flow| (flow.class, !flow.asked)).cloned();
        if let (Some(flow), Some(produced)) = (strictest, typed.results.first())
            && flow.class > admitted
        {
            let (path, from, to) = (&flow.path, flow.class.name(), admitted.name());
            let name = target.name();
            let message = if flow.asked {
                format!("a condition on `{path}` ({from}) decides {name} ({to})")
            } else {
                format!("`{path}` ({from}) flows into {name} ({to})")
            };
            let location = produced.location.clone();
            let hint =
                format!("declare `x-class: {}` there, if it may hold that", flow.class.name());
            self.report(Diagnostic::error(&codes::CLASS_FLOW, location, message).hint(hint));
        }
    }
}

fn literal_fits(value: &Value, target: &Target<'_>, location: &Location) -> Option<Diagnostic> {
    let why = refusal(value, target)?;
    let message = format!("{value} is refused: {why}");
    let diagnostic = Diagnostic::error(&codes::BAD_LITERAL, location.clone(), message);
    Some(match target.view.allowed() {
        Some(allowed) => diagnostic.hint(super::expression::one_of(value, &allowed)),
        None if value.is_number() && target.view.may_be("string") => {
            diagnostic.hint(format!("write it as text: '\"{value}\"'"))
        }
        None => diagnostic,
    })
}

/// Why the target refuses a value, if it does.
fn refusal(value: &Value, target: &Target<'_>) -> Option<String> {
    let (view, name) = (&target.view, target.name());
    let kind = super::expression::type_of(value);
    if !view.may_be(kind) {
        return Some(format!("{name} takes {}, not {kind}", view.types().join(" or ")));
    }
    if view.allowed().is_some_and(|allowed| !allowed.contains(&value)) {
        return Some(format!("{name} has no such value"));
    }
    let length = value.as_str().map_or(0, |text| text.chars().count());
    let longest = view.max_length().filter(|longest| length > *longest)?;
    Some(format!("{name} takes at most {longest} characters, not {length}"))
}

fn type_fits(produced: &Produced<'_>, target: &Target<'_>) -> Option<Diagnostic> {
    let types = produced.what.types();
    let fits = |name: &&str| {
        let whole = *name == "number" && target.view.may_be("integer");
        target.view.may_be(name) || whole
    };
    let nothing_but_null = types.iter().all(|name| *name == "null");
    let some = types.iter().filter(|name| **name != "null").any(fits);
    if types.is_empty() || nothing_but_null || some {
        return None;
    }
    let wanted = target.view.types().join(" or ");
    let message = format!("{} takes {wanted}; this is {}", target.name(), types.join(" or "));
    let diagnostic = Diagnostic::error(&codes::TYPE_MISMATCH, produced.location.clone(), message);
    let from_text = matches!(produced.what, What::Returned(Returns::Text));
    Some(match (wanted.as_str(), types.as_slice()) {
        ("string", ["integer" | "number" | "boolean"]) => diagnostic.hint("convert it: … | string"),
        ("integer", ["string"]) => diagnostic.hint("convert it: … | integer"),
        ("array", _) if !from_text => diagnostic.hint("use `each:` to build an array"),
        _ => diagnostic,
    })
}
