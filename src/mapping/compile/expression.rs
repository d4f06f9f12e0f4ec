//! Expressions: checked against the source schema and lowered to operations in one walk.

use crate::diagnostic::nearest::nearest;
use crate::diagnostic::{Diagnostic, Location};
use crate::mapping::compile::source::Source;
use crate::mapping::compile::view::{Member, View};
use crate::mapping::functions::{self, Returns};
use crate::mapping::path::Step;
use crate::mapping::plan::{MetaField, Op};
use crate::mapping::syntax::{self, Expression, Kind, Operator, PathText, Root};
use crate::mapping::tables::{Table, Tables};
use crate::model::codes::mapping as codes;
use crate::schema::Class;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What an expression may name, and where problems go.
pub(crate) struct Context<'s, 'd> {
    pub diagnostics: &'d mut Vec<Diagnostic>,
    /// The whole document.
    pub document: View<'s>,
    /// The innermost element of `each`, or the document.
    pub here: View<'s>,
    pub variables: Vec<Variable<'s>>,
    /// How many slots were given to variables.
    pub slots: usize,
    pub local: BTreeMap<String, Arc<Table>>,
    pub shared: Option<&'s Tables>,
    /// Whether `$meta` is known.
    pub meta: bool,
    /// What the conditions of the expression at hand ask of 個人番号.
    pub asked: Vec<Flow>,
}

/// A `let` in scope.
pub(crate) struct Variable<'s> {
    pub name: String,
    pub slot: usize,
    pub view: View<'s>,
    pub flows: Vec<Flow>,
    pub used: bool,
    pub location: Location,
}

/// A lowered expression and what is known of its value.
pub(crate) struct Typed<'s> {
    pub op: Op,
    /// Its place in the source, when it is one.
    pub view: View<'s>,
    /// What may come out of it.
    pub results: Vec<Produced<'s>>,
    /// What flows through it.
    pub flows: Vec<Flow>,
}

/// One thing an expression may give.
#[derive(Clone)]
pub(crate) struct Produced<'s> {
    pub what: What<'s>,
    pub location: Location,
}

/// What it is.
#[derive(Clone)]
pub(crate) enum What<'s> {
    Literal(Value),
    Place(View<'s>),
    Entry(Arc<Table>),
    Returned(Returns),
}

/// A classified source that flows into the result.
#[derive(Clone)]
pub(crate) struct Flow {
    pub class: Class,
    pub path: String,
    /// Whether only a condition asks for it, so that the result tells what the answer was.
    pub asked: bool,
}

impl What<'_> {
    /// JSON types it may have; empty when unknown.
    pub(crate) fn types(&self) -> Vec<&str> {
        match self {
            What::Literal(value) => vec![type_of(value)],
            What::Place(view) => view.types(),
            What::Entry(_) => Vec::new(),
            What::Returned(returns) => match returns {
                Returns::Text => vec!["string"],
                Returns::Integer => vec!["integer"],
                Returns::Number => vec!["number"],
                Returns::Boolean => vec!["boolean"],
                Returns::Array => vec!["array"],
                Returns::Any => Vec::new(),
            },
        }
    }
}

/// The JSON type of a value.
pub(crate) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl<'s> Typed<'s> {
    fn one(op: Op, what: What<'s>, location: Location) -> Typed<'s> {
        let results = vec![Produced { what, location }];
        Typed { op, view: View::unknown(), results, flows: Vec::new() }
    }

    /// When all that can come out is one place (the rest rejects), its value is that place; else
    /// it is unknown, but keeps the class of what flows in.
    pub(super) fn with_view(mut self) -> Typed<'s> {
        self.view = match self.results.as_slice() {
            [Produced { what: What::Place(view), .. }] => view.clone(),
            _ => View::unknown_of(strictest(&self.flows)),
        };
        self
    }

    /// Something that stands for a part that could not be checked.
    fn broken() -> Typed<'s> {
        let (op, view) = (Op::Literal(Value::Null), View::unknown());
        Typed { op, view, results: Vec::new(), flows: Vec::new() }
    }
}

impl<'s> Context<'s, '_> {
    pub(crate) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reads and lowers an expression; problems are reported.
    pub(crate) fn compile(&mut self, source: &Source) -> Typed<'s> {
        match syntax::parse(&source.text) {
            Ok(expression) => self.lower(source, &expression),
            Err(error) => {
                let place = source.place(&error.span);
                let mut diagnostic = Diagnostic::error(error.code, place, error.message);
                diagnostic.hint = error.hint;
                self.report(diagnostic);
                Typed::broken()
            }
        }
    }

    /// The same, for a condition: it must be able to be true or false.
    pub(crate) fn compile_condition(&mut self, source: &Source) -> Typed<'s> {
        let typed = self.compile(source);
        self.condition(&typed);
        typed
    }

    pub(super) fn condition(&mut self, typed: &Typed<'_>) {
        self.ask(&typed.flows);
        for produced in &typed.results {
            let types = produced.what.types();
            if !types.is_empty() && !types.iter().any(|name| matches!(*name, "boolean" | "null")) {
                let found = types.join(" or ");
                let message = format!("a condition must be true or false; this is {found}");
                let location = produced.location.clone();
                self.report(
                    Diagnostic::error(&codes::TYPE_MISMATCH, location, message)
                        .hint("compare it with `==`, or ask `present(…)`"),
                );
            }
        }
    }

    pub(crate) fn lower(&mut self, source: &Source, expression: &Expression) -> Typed<'s> {
        let location = source.place(&expression.span);
        match &expression.kind {
            Kind::Literal(value) => {
                Typed::one(Op::Literal(value.clone()), What::Literal(value.clone()), location)
            }
            Kind::Path(path) => self.path(source, path, location),
            Kind::Call { name, name_span, arguments } => {
                self.call(source, name, name_span, arguments, &expression.span)
            }
            Kind::Default(parts) => {
                let mut typed = Typed::broken();
                let mut ops = Vec::new();
                for part in parts {
                    let one = self.lower(source, part);
                    ops.push(one.op);
                    typed.results.extend(one.results);
                    typed.flows.extend(one.flows);
                }
                typed.op = Op::Default(ops.into());
                typed.with_view()
            }
            Kind::Or(parts) => {
                Typed::one(Op::Or(self.conditions(source, parts)), BOOLEAN, location)
            }
            Kind::And(parts) => {
                Typed::one(Op::And(self.conditions(source, parts)), BOOLEAN, location)
            }
            Kind::Not(part) => {
                let typed = self.lower(source, part);
                self.condition(&typed);
                let op = Op::Not(Box::new(typed.op), source.at(&part.span));
                Typed::one(op, BOOLEAN, location)
            }
            Kind::Compare { operator, left, right } => {
                let (left, right) = (self.lower(source, left), self.lower(source, right));
                self.comparable(*operator, &left, &right);
                self.comparable(*operator, &right, &left);
                for one in [&left, &right] {
                    if one.view.allowed().is_none() {
                        self.ask(&one.flows);
                    }
                }
                let at = source.at(&expression.span);
                let (left, right) = (Box::new(left.op), Box::new(right.op));
                let op = Op::Compare { operator: *operator, left, right, at };
                Typed::one(op, BOOLEAN, location)
            }
            Kind::In { item, list } => {
                let item = self.lower(source, item);
                if item.view.allowed().is_none() {
                    self.ask(&item.flows);
                }
                for (value, span) in list {
                    self.may_equal(&item, value, source.place(span));
                }
                let list = list.iter().map(|(value, _)| value.clone()).collect();
                Typed::one(Op::In { item: Box::new(item.op), list }, BOOLEAN, location)
            }
        }
    }

    /// Notes that a condition asks for a 個人番号: what depends on it tells something of it.
    /// Whether it is there, and which of a few listed values a field has, tells too little.
    pub(super) fn ask(&mut self, flows: &[Flow]) {
        let strict = flows.iter().filter(|flow| flow.class == Class::MyNumber);
        self.asked.extend(strict.cloned().map(|flow| Flow { asked: true, ..flow }));
    }

    fn conditions(
        &mut self,
        source: &Source,
        parts: &[Expression],
    ) -> Box<[(Op, crate::mapping::plan::At)]> {
        let mut ops = Vec::new();
        for part in parts {
            let typed = self.lower(source, part);
            self.condition(&typed);
            ops.push((typed.op, source.at(&part.span)));
        }
        ops.into()
    }

    fn comparable(&mut self, operator: Operator, place: &Typed<'_>, literal: &Typed<'_>) {
        if !matches!(operator, Operator::Equal | Operator::NotEqual) {
            return;
        }
        if let [Produced { what: What::Literal(value), location }] = literal.results.as_slice() {
            self.may_equal(place, value, location.clone());
        }
    }

    /// Warns when a literal is none of the values a source place can have.
    fn may_equal(&mut self, place: &Typed<'_>, value: &Value, location: Location) {
        let Some(allowed) = place.view.allowed() else { return };
        if value.is_null() || allowed.contains(&value) {
            return;
        }
        let message = format!("{value} is none of the values of this path");
        let diagnostic =
            Diagnostic::error(&codes::NEVER_EQUAL, location, message).hint(one_of(value, &allowed));
        self.report(diagnostic.warning());
    }

    fn path(&mut self, source: &Source, path: &PathText, location: Location) -> Typed<'s> {
        let (start, flows) = match &path.root {
            Root::Here | Root::Element => (self.here.clone(), None),
            Root::Document => (self.document.clone(), None),
            Root::Variable(name) if name == "meta" && self.meta => {
                return self.meta_field(path, location);
            }
            Root::Variable(name) => {
                match self.variables.iter_mut().rev().find(|known| known.name == *name) {
                    Some(known) => {
                        known.used = true;
                        (known.view.clone(), Some((known.slot, known.flows.clone())))
                    }
                    None => return self.unknown_variable(name, location),
                }
            }
        };
        let Some(view) = self.walk(source, path, start) else { return Typed::broken() };
        let steps: Box<[Step]> = path.steps.iter().map(|(step, _)| step.clone()).collect();
        let (op, flows) = match (&path.root, flows) {
            (_, Some((slot, _))) if !view.is_unknown() => {
                (Op::Variable(slot, steps), self.flow_of(&view, path))
            }
            (_, Some((slot, flows))) => (Op::Variable(slot, steps), flows),
            (Root::Document, None) => (Op::Document(steps), self.flow_of(&view, path)),
            _ => (Op::Here(steps), self.flow_of(&view, path)),
        };
        let results = vec![Produced { what: What::Place(view.clone()), location }];
        Typed { op, view, results, flows }
    }

    fn flow_of(&self, view: &View<'_>, path: &PathText) -> Vec<Flow> {
        let class = view.class_inside();
        let steps = path.text();
        let path = match &path.root {
            Root::Variable(name) if steps.is_empty() => format!("${name}"),
            Root::Variable(name) => format!("${name}.{steps}"),
            Root::Element if steps.is_empty() => "_".to_owned(),
            _ if steps.is_empty() => "$".to_owned(),
            _ => steps,
        };
        if class == Class::Plain { Vec::new() } else { vec![Flow { class, path, asked: false }] }
    }

    fn walk(&mut self, source: &Source, path: &PathText, start: View<'s>) -> Option<View<'s>> {
        let mut view = start;
        for (index, (step, span)) in path.steps.iter().enumerate() {
            let next = match step {
                Step::Field(name) => match view.member(name) {
                    Member::Declared(next) => next,
                    Member::Free => View::unknown_of(view.class),
                    Member::Unknown => {
                        self.unknown_source(source, path, index, &view, span);
                        return None;
                    }
                },
                Step::Index(_) => match view.element() {
                    Some(next) => next,
                    None => {
                        self.unknown_source(source, path, index, &view, span);
                        return None;
                    }
                },
            };
            view = next;
        }
        Some(view)
    }

    fn unknown_source(
        &mut self,
        source: &Source,
        path: &PathText,
        index: usize,
        view: &View<'_>,
        span: &Range<usize>,
    ) {
        let upto =
            |end: usize| syntax::steps_text(path.steps.iter().take(end).map(|(step, _)| step));
        let (found, parent) = (upto(index + 1), upto(index));
        let message = format!("unknown source path `{found}`");
        let start = if matches!(path.root, Root::Here) {
            path.steps.first().map_or(span.start, |(_, first)| first.start)
        } else {
            span.start
        };
        let place = source.place(&(start..span.end));
        let mut diagnostic = Diagnostic::error(&codes::UNKNOWN_SOURCE, place, message);
        let join = |name: &str| {
            if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
        };
        diagnostic.hint = match path.steps.get(index) {
            Some((Step::Field(name), _)) => {
                if view.element().is_some() && view.types() == ["array"] {
                    Some(format!("`{parent}` is an array: use `each: {parent}`, or `{parent}[0]`"))
                } else {
                    let names = view.names();
                    self.elsewhere(name).or_else(|| {
                        nearest(name, names.iter().copied())
                            .map(|near| format!("did you mean `{}`?", join(near)))
                            .or_else(|| list_of("there are", &names))
                    })
                }
            }
            _ => Some(format!("`{parent}` is not an array")),
        };
        self.report(diagnostic);
    }

    /// Inside `each`, a name of the whole document is usually meant from `$`.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let here = matches!(self.here.member(name), Member::Declared(_));
        let there = matches!(self.document.member(name), Member::Declared(_));
        (!here && there).then(|| format!("inside `each`, the whole document is `$`: `$.{name}`"))
    }

    fn unknown_variable(&mut self, name: &str, location: Location) -> Typed<'s> {
        let mut names: Vec<String> =
            self.variables.iter().map(|known| format!("${}", known.name)).collect();
        if self.meta {
            names.push("$meta".into());
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = nearest(&format!("${name}"), names.iter().copied())
            .map(|near| format!("did you mean `{near}`?"))
            .or_else(|| list_of("there are", &names));
        let message = format!("unknown variable `${name}`");
        let mut diagnostic = Diagnostic::error(&codes::UNKNOWN_VARIABLE, location, message);
        diagnostic.hint = hint;
        self.report(diagnostic);
        Typed::broken()
    }

    fn meta_field(&mut self, path: &PathText, location: Location) -> Typed<'s> {
        let name = path.text();
        if let Some((_, field)) = MetaField::ALL.iter().find(|(known, _)| *known == name) {
            return Typed::one(Op::Meta(*field), What::Returned(Returns::Text), location);
        }
        let names: Vec<&str> = MetaField::ALL.iter().map(|(name, _)| *name).collect();
        let message = format!("unknown source path `$meta.{name}`");
        let hint = nearest(&name, names.iter().copied())
            .map(|near| format!("did you mean `$meta.{near}`?"))
            .or_else(|| list_of("there are", &names));
        let mut diagnostic = Diagnostic::error(&codes::UNKNOWN_SOURCE, location, message);
        diagnostic.hint = hint;
        self.report(diagnostic);
        Typed::broken()
    }

    fn call(
        &mut self,
        source: &Source,
        name: &str,
        name_span: &Range<usize>,
        arguments: &[Expression],
        span: &Range<usize>,
    ) -> Typed<'s> {
        let place = source.place(name_span);
        let Some(function) = functions::find(name) else {
            let names = functions::all().map(|function| function.name);
            let message = format!("unknown function `{name}`");
            let mut diagnostic = Diagnostic::error(&codes::UNKNOWN_FUNCTION, place, message);
            diagnostic.hint = nearest(name, names).map(|near| format!("did you mean `{near}`?"));
            self.report(diagnostic);
            for argument in arguments {
                self.lower(source, argument);
            }
            return Typed::broken();
        };
        if !function.takes(arguments.len()) {
            let found = arguments.len();
            let message = format!("`{name}` does not take {found} argument{}", plural(found));
            let hint = format!("its signature is {}; a pipe gives the first", function.signature());
            self.report(Diagnostic::error(&codes::ARGUMENT_COUNT, place, message).hint(hint));
            return Typed::broken();
        }
        self.lower_call(source, function, arguments, span)
    }
}

/// The strictest class of what flows.
pub(super) fn strictest(flows: &[Flow]) -> Class {
    flows.iter().map(|flow| flow.class).max().unwrap_or_default()
}

pub(crate) const BOOLEAN: What<'static> = What::Returned(Returns::Boolean);

pub(crate) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

pub(crate) fn list_of(words: &str, names: &[&str]) -> Option<String> {
    const SHOWN: usize = 12;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| format!("{words} {}{more}", shown.join(", ")))
}

/// The allowed values, with the nearest text first in mind.
pub(crate) fn one_of(value: &Value, allowed: &[&Value]) -> String {
    let texts = allowed.iter().filter_map(|one| one.as_str());
    // Of two short codes each is as near as the other.
    match value
        .as_str()
        .filter(|text| text.chars().count() > 3)
        .and_then(|text| nearest(text, texts))
    {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => {
            let shown: Vec<String> = allowed.iter().take(12).map(ToString::to_string).collect();
            format!("allowed: {}", shown.join(", "))
        }
    }
}
