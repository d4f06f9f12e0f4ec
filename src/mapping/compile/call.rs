//! Calls of functions: arguments checked, special forms lowered.

use crate::diagnostic::Diagnostic;
use crate::diagnostic::nearest::nearest;
use crate::mapping::compile::expression::{Context, Produced, Typed, What, list_of, strictest};
use crate::mapping::compile::source::Source;
use crate::mapping::compile::view::{Member, View};
use crate::mapping::facts::language;
use crate::mapping::functions::{self, Accepts, Call, Function, Lookup, Returns, Select};
use crate::mapping::plan::Op;
use crate::mapping::syntax::{Expression, Kind, Root};
use crate::mapping::tables::Table;
use crate::model::codes::mapping as codes;
use regex_automata::meta::Regex;
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::Arc;

impl<'s> Context<'s, '_> {
    pub(super) fn lower_call(
        &mut self,
        source: &Source,
        function: &'static Function,
        arguments: &[Expression],
        span: &Range<usize>,
    ) -> Typed<'s> {
        match function.call {
            Call::Plain(_) => self.plain(source, function, arguments, span),
            Call::If => self.choice(source, function, arguments, span),
            Call::Present => {
                let inner = arguments.first().map(|argument| self.lower(source, argument));
                let op = inner.map_or(Op::Literal(Value::Null), |inner| inner.op);
                self.returned(Op::Present(Box::new(op)), function, source, span)
            }
            Call::Reject => self.reject(source, function, arguments, span),
            Call::Nil => {
                let reason = self.literal(source, function, arguments, 0).unwrap_or_default();
                let op = Op::Literal(json!({ "$nil": reason }));
                self.returned(op, function, source, span)
            }
            Call::Matching => self.matching(source, function, arguments, span),
            Call::Otherwise => self.otherwise(source, function, arguments, span),
            Call::Try => {
                let inner = arguments.first().map(|argument| self.lower(source, argument));
                inner.map_or_else(
                    || self.returned(Op::Literal(Value::Null), function, source, span),
                    |inner| Typed { op: Op::Try(Box::new(inner.op)), ..inner },
                )
            }
            Call::Select(how) => self.select(source, function, how, arguments, span),
            Call::Code(lookup) => self.code(source, lookup, arguments, span),
        }
    }

    fn returned(
        &self,
        op: Op,
        function: &Function,
        source: &Source,
        span: &Range<usize>,
    ) -> Typed<'s> {
        let what = What::Returned(function.returns);
        let results = vec![Produced { what, location: source.place(span) }];
        Typed { op, view: View::unknown(), results, flows: Vec::new() }
    }

    fn plain(
        &mut self,
        source: &Source,
        function: &'static Function,
        arguments: &[Expression],
        span: &Range<usize>,
    ) -> Typed<'s> {
        let mut ops = Vec::new();
        let mut flows = Vec::new();
        let mut view = View::unknown();
        let mut whole = View::unknown();
        for (index, argument) in arguments.iter().enumerate() {
            if function.parameter(index).is_some_and(|one| one.kind == Accepts::Table) {
                ops.push(self.table_literal(source, argument));
                continue;
            }
            let typed = self.lower(source, argument);
            self.argument(function, index, argument, &typed);
            if index == 0 {
                whole = typed.view.clone();
                view = kept(function, typed.view);
            } else if function.parameter(index).is_some_and(|one| one.kind == Accepts::Field) {
                self.field(source, argument, &whole);
            }
            ops.push(typed.op);
            flows.extend(typed.flows);
        }
        let mut ops = ops.into_iter();
        let first = Box::new(ops.next().unwrap_or(Op::Literal(Value::Null)));
        let op = Op::Call { function, first, rest: ops.collect(), at: source.at(span) };
        let mut typed = self.returned(op, function, source, span);
        if function.carries {
            let class = strictest(&flows);
            typed.view = if view.is_unknown() { View::unknown_of(class) } else { view };
            typed.flows = flows;
        } else if function.returns == Returns::Boolean {
            self.ask(&flows);
        }
        typed
    }

    /// A field that an argument names must be one of the array's elements.
    fn field(&mut self, source: &Source, argument: &Expression, array: &View<'s>) {
        let Kind::Literal(Value::String(field)) = &argument.kind else { return };
        let Some(mut view) = array.element().filter(|_| !array.is_unknown()) else { return };
        for name in field.split('.') {
            view = match view.member(name) {
                Member::Declared(next) => next,
                Member::Free => return,
                Member::Unknown => {
                    let names = view.names();
                    let place = source.place(&argument.span);
                    let message = format!("the elements have no `{field}`");
                    let mut diagnostic = Diagnostic::error(&codes::UNKNOWN_SOURCE, place, message);
                    diagnostic.hint = nearest(name, names.iter().copied())
                        .map(|near| format!("did you mean `{near}`?"))
                        .or_else(|| list_of("there are", &names));
                    return self.report(diagnostic);
                }
            };
        }
    }

    /// Checks one argument against its parameter.
    fn argument(
        &mut self,
        function: &Function,
        index: usize,
        argument: &Expression,
        typed: &Typed<'_>,
    ) {
        let Some(parameter) = function.parameter(index) else { return };
        let (name, wanted) = (function.name, parameter.kind.words());
        if parameter.kind.is_literal() && !matches!(argument.kind, Kind::Literal(_)) {
            if let Some(produced) = typed.results.first() {
                let message = format!("`{}` of `{name}` must be {wanted}", parameter.name);
                let location = produced.location.clone();
                self.report(Diagnostic::error(&codes::NOT_LITERAL, location, message));
            }
            return;
        }
        for Produced { what, location } in &typed.results {
            let types = what.types();
            let fits = types.is_empty()
                || types.iter().any(|t| {
                    *t == "null"
                        || *t == "object" && types.len() > 1
                        || parameter.kind.admits_type(t)
                });
            let refused = match what {
                What::Literal(literal) => !literal.is_null() && !parameter.kind.admits(literal),
                _ => !fits,
            };
            if refused {
                let found = types.join(" or ");
                let (code, message) = if matches!(what, What::Literal(_)) && fits {
                    (
                        &codes::BAD_ARGUMENT,
                        format!("`{}` of `{name}` must be {wanted}", parameter.name),
                    )
                } else {
                    (
                        &codes::TYPE_MISMATCH,
                        format!(
                            "`{}` of `{name}` must be {wanted}; this is {found}",
                            parameter.name
                        ),
                    )
                };
                let diagnostic = Diagnostic::error(code, location.clone(), message);
                self.report(diagnostic.hint(format!("its signature is {}", function.signature())));
            }
        }
    }

    fn choice(
        &mut self,
        source: &Source,
        function: &Function,
        arguments: &[Expression],
        span: &Range<usize>,
    ) -> Typed<'s> {
        let [condition, then, otherwise] = arguments else {
            return self.returned(Op::Literal(Value::Null), function, source, span);
        };
        let at = source.at(&condition.span);
        let before = self.asked.len();
        let condition = self.lower(source, condition);
        self.condition(&condition);
        let asked = self.asked.split_off(before);
        let (then, otherwise) = (self.lower(source, then), self.lower(source, otherwise));
        let op = Op::If {
            condition: Box::new(condition.op),
            then: Box::new(then.op),
            otherwise: Box::new(otherwise.op),
            at,
        };
        let results = then.results.into_iter().chain(otherwise.results).collect();
        let flows = then.flows.into_iter().chain(otherwise.flows).chain(asked).collect();
        Typed { op, view: View::unknown(), results, flows }.with_view()
    }

    fn matching(
        &mut self,
        source: &Source,
        function: &'static Function,
        arguments: &[Expression],
        span: &Range<usize>,
    ) -> Typed<'s> {
        let mut typed = match arguments.first() {
            Some(argument) => {
                let typed = self.lower(source, argument);
                self.argument(function, 0, argument, &typed);
                typed
            }
            None => return self.returned(Op::Literal(Value::Null), function, source, span),
        };
        let Some(pattern) = self.literal(source, function, arguments, 1) else { return typed };
        let translated = language::translate(&pattern);
        let Some(regex) = translated.and_then(|text| Regex::new(&text).ok()) else {
            let place = arguments.get(1).map_or(span.clone(), |argument| argument.span.clone());
            let message = "the pattern is not a regular expression of the linear-time syntax";
            self.report(
                Diagnostic::error(&codes::BAD_ARGUMENT, source.place(&place), message)
                    .hint("no look-around, no back-references, balanced brackets"),
            );
            return typed;
        };
        let (value, at) = (Box::new(typed.op), source.at(span));
        typed.op = Op::Matching { value, pattern: Box::new(regex), at };
        typed
    }

    fn otherwise(
        &mut self,
        source: &Source,
        function: &Function,
        arguments: &[Expression],
        span: &Range<usize>,
    ) -> Typed<'s> {
        let [value, fallback] = arguments else {
            return self.returned(Op::Literal(Value::Null), function, source, span);
        };
        let (value, fallback) = (self.lower(source, value), self.lower(source, fallback));
        let op = Op::Otherwise(Box::new(value.op), Box::new(fallback.op));
        let results = value.results.into_iter().chain(fallback.results).collect();
        let flows = value.flows.into_iter().chain(fallback.flows).collect();
        Typed { op, view: View::unknown(), results, flows }.with_view()
    }

    fn literal(
        &mut self,
        source: &Source,
        function: &Function,
        arguments: &[Expression],
        index: usize,
    ) -> Option<String> {
        let argument = arguments.get(index)?;
        if let Kind::Literal(Value::String(text)) = &argument.kind {
            return Some(text.clone());
        }
        let parameter = function.parameter(index).map_or("argument", |parameter| parameter.name);
        let message = format!("`{parameter}` of `{}` must be a literal text", function.name);
        let location = source.place(&argument.span);
        self.report(
            Diagnostic::error(&codes::NOT_LITERAL, location, message).hint("write it in quotes"),
        );
        None
    }

    fn reject(
        &mut self,
        source: &Source,
        function: &Function,
        arguments: &[Expression],
        span: &Range<usize>,
    ) -> Typed<'s> {
        let code = self.literal(source, function, arguments, 0);
        let text = self.literal(source, function, arguments, 1);
        if let (Some(code), Some(argument)) = (&code, arguments.first())
            && !good_code(code)
        {
            let message = format!("`{code}` has not the form of a reject code");
            let location = source.place(&argument.span);
            self.report(
                Diagnostic::error(&codes::REJECT_CODE, location, message)
                    .hint("3 to 40 characters of A-Z, 0-9, `-` and `_`, beginning with a letter"),
            );
        }
        let (code, text) = (code.unwrap_or_default(), text.unwrap_or_default());
        let op = Op::Reject { code, text, at: source.at(span) };
        Typed { op, view: View::unknown(), results: Vec::new(), flows: Vec::new() }
    }

    /// `filter`, `find`, `any`, `all`: the condition is about one element.
    fn select(
        &mut self,
        source: &Source,
        function: &'static Function,
        how: Select,
        arguments: &[Expression],
        span: &Range<usize>,
    ) -> Typed<'s> {
        let [argument, condition] = arguments else {
            return self.returned(Op::Literal(Value::Null), function, source, span);
        };
        let array = self.lower(source, argument);
        self.argument(function, 0, argument, &array);
        let class = strictest(&array.flows);
        let element = array.view.element().filter(|_| !array.view.is_unknown());
        let element = element.unwrap_or_else(|| View::unknown_of(class));
        let outside = std::mem::replace(&mut self.here, element.clone());
        let at = source.at(&condition.span);
        let condition = self.lower(source, condition);
        self.condition(&condition);
        self.here = outside;
        let (array_op, condition) = (Box::new(array.op), Box::new(condition.op));
        let op = Op::Select { how, array: array_op, condition, at };
        let mut typed = self.returned(op, function, source, span);
        typed.view = match how {
            Select::Any | Select::All => return typed,
            Select::Every => array.view,
            Select::First => element,
        };
        typed.flows = array.flows;
        if !typed.view.is_unknown() {
            let what = What::Place(typed.view.clone());
            typed.results = vec![Produced { what, location: source.place(span) }];
        }
        typed
    }

    fn code(
        &mut self,
        source: &Source,
        lookup: Lookup,
        arguments: &[Expression],
        span: &Range<usize>,
    ) -> Typed<'s> {
        let key = arguments.first().map(|argument| self.lower(source, argument));
        let table = arguments.get(1).and_then(|argument| self.table(source, argument));
        let (date, default) = match lookup {
            Lookup::At => (arguments.get(2), arguments.get(3)),
            Lookup::Forward | Lookup::Reverse => (None, arguments.get(2)),
        };
        let date = date.map(|argument| {
            let typed = self.lower(source, argument);
            if let Some(function) = functions::find("code-at") {
                self.argument(function, 2, argument, &typed);
            }
            Box::new(typed.op)
        });
        let default = default.map(|argument| self.lower(source, argument));
        let location = source.place(span);
        let table = table.and_then(|table| self.usable(source, lookup, table, arguments.get(1)));
        let (Some(key), Some(table)) = (key, table) else {
            let op = Op::Literal(Value::Null);
            return Typed { op, view: View::unknown(), results: Vec::new(), flows: Vec::new() };
        };
        let mut results = vec![Produced { what: What::Entry(Arc::clone(&table)), location }];
        let mut flows = key.flows;
        let default = default.map(|typed| {
            results.extend(typed.results);
            flows.extend(typed.flows);
            Box::new(typed.op)
        });
        let op = Op::Code { key: Box::new(key.op), table, date, default, at: source.at(span) };
        let view = View::unknown_of(strictest(&flows));
        Typed { op, view, results, flows }
    }

    /// The table as this lookup needs it: without validity dates unless a date is given, read
    /// backwards for `code-of`.
    fn usable(
        &mut self,
        source: &Source,
        lookup: Lookup,
        table: Arc<Table>,
        argument: Option<&Expression>,
    ) -> Option<Arc<Table>> {
        let location = argument.map(|argument| source.place(&argument.span))?;
        if lookup == Lookup::At {
            return Some(table);
        }
        if let Some(key) = table.periods.keys().next() {
            let message =
                format!("entries of code table `{}` are valid for a time only", table.name);
            self.report(
                Diagnostic::error(&codes::TABLE_DATED, location, message)
                    .hint(format!("`{key}` is one: ask with code-at(value, {}, date)", table.name)),
            );
            return None;
        }
        if lookup == Lookup::Forward {
            return Some(table);
        }
        match table.reversed() {
            Ok(reversed) => Some(Arc::new(reversed)),
            Err((first, second)) => {
                let message = format!(
                    "code table `{}` cannot be read backwards: `{first}` and `{second}` have the \
                     same entry, or one that is null",
                    table.name
                );
                self.report(
                    Diagnostic::error(&codes::TABLE_AMBIGUOUS, location, message)
                        .hint("write a table of the other direction"),
                );
                None
            }
        }
    }

    /// A table as the object that a function looks into.
    fn table_literal(&mut self, source: &Source, argument: &Expression) -> Op {
        let table = self.table(source, argument);
        let table =
            table.and_then(|table| self.usable(source, Lookup::Forward, table, Some(argument)));
        let entries = table.iter().flat_map(|table| &table.entries);
        let entries = entries.map(|(key, entry)| (key.clone(), entry.clone()));
        Op::Literal(Value::Object(entries.collect()))
    }

    /// The table an argument names.
    fn table(&mut self, source: &Source, argument: &Expression) -> Option<Arc<Table>> {
        let location = source.place(&argument.span);
        let name = match &argument.kind {
            Kind::Path(path) if path.root == Root::Here && path.steps.len() == 1 => path.text(),
            _ => {
                let message = "the name of a code table is expected, without quotes";
                self.report(Diagnostic::error(&codes::UNKNOWN_TABLE, location, message));
                return None;
            }
        };
        let shared = self.shared;
        let found = self.local.get(&name).or_else(|| shared.and_then(|tables| tables.get(&name)));
        if let Some(table) = found {
            return Some(Arc::clone(table));
        }
        let names: Vec<String> = self
            .local
            .keys()
            .cloned()
            .chain(shared.into_iter().flat_map(|tables| tables.names().map(str::to_owned)))
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let hint = nearest(&name, names.iter().copied())
            .map(|near| format!("did you mean `{near}`?"))
            .or_else(|| list_of("there are", &names));
        let message = format!("unknown code table `{name}`");
        let mut diagnostic = Diagnostic::error(&codes::UNKNOWN_TABLE, location, message);
        diagnostic.hint = hint;
        self.report(diagnostic);
        None
    }
}

/// The place a function's result is, for those that pick or reorder elements.
fn kept<'s>(function: &Function, view: View<'s>) -> View<'s> {
    match function.name {
        "sort" | "sort-by" | "reverse" | "distinct" | "distinct-by" | "take" | "drop" => view,
        "first" | "last" | "pick" => view.element().unwrap_or_default(),
        _ => View::unknown(),
    }
}

fn good_code(code: &str) -> bool {
    let good = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    (3..=40).contains(&code.len())
        && code.starts_with(|c: char| c.is_ascii_uppercase())
        && code.chars().all(good)
}
