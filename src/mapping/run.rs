//! Runs a plan over a borrowed document. Values are copied only when they enter the output.

use crate::mapping::functions::{self, Arguments, Call, Fail, Function, is_nil, kind_of};
use crate::mapping::path::walk;
use crate::mapping::plan::{At, Leaf, MetaField, Op, Plan, Rule, Scoped};
use crate::mapping::syntax::Operator;
use crate::mapping::{Meta, Rejection, TraceLine, tables};
use crate::model::codes::mapping as codes;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cmp::Ordering;

/// What one run may cost: about one unit for each operation, 64 bytes of text and copied value.
const FUEL: u64 = 4_000_000;

/// A value of an expression, or none.
type Found<'v> = Option<Cow<'v, Value>>;

/// What an expression sees.
#[derive(Clone)]
struct Scope<'v> {
    document: &'v Value,
    here: &'v Value,
    meta: &'v Meta,
    variables: Vec<Found<'v>>,
}

/// What a run has left, and what it tells of itself.
struct Run {
    fuel: u64,
    trace: Option<Trace>,
}

struct Trace {
    lines: Vec<TraceLine>,
    values: bool,
}

/// Why evaluation stopped.
struct Stop {
    fail: Box<Fail>,
    author_code: Option<String>,
    at: At,
}

/// Maps a document.
pub(crate) fn run(plan: &Plan, document: &Value, meta: &Meta) -> Result<Value, Rejection> {
    run_with(plan, document, meta, None).0
}

/// Maps a document and tells what every rule did; `values` also shows the values.
pub(crate) fn explain(
    plan: &Plan,
    document: &Value,
    meta: &Meta,
    values: bool,
) -> (Vec<TraceLine>, Result<Value, Rejection>) {
    let trace = Trace { lines: Vec::new(), values };
    let (result, trace) = run_with(plan, document, meta, Some(trace));
    (trace.map(|trace| trace.lines).unwrap_or_default(), result)
}

fn run_with(
    plan: &Plan,
    document: &Value,
    meta: &Meta,
    trace: Option<Trace>,
) -> (Result<Value, Rejection>, Option<Trace>) {
    let mut run = Run { fuel: FUEL, trace };
    let variables = vec![None; plan.slots];
    let scope = Scope { document, here: document, meta, variables };
    let result = run.rule(&plan.root, &scope, true);
    (result.map(|value| value.unwrap_or(Value::Null)), run.trace)
}

/// Tests a condition on a document; whatever is not true is false.
pub(crate) fn test(op: &Op, document: &Value) -> bool {
    let mut run = Run { fuel: FUEL, trace: None };
    let meta = Meta::nothing();
    let scope = Scope { document, here: document, meta: &meta, variables: Vec::new() };
    matches!(run.eval(op, &scope), Ok(Some(value)) if *value == Value::Bool(true))
}

impl Run {
    /// Applies a rule. `keep` keeps an object none of whose members was set.
    fn rule(
        &mut self,
        rule: &Rule,
        scope: &Scope<'_>,
        keep: bool,
    ) -> Result<Option<Value>, Rejection> {
        match rule {
            Rule::Value(leaf) => self.value(leaf, scope),
            Rule::Object(fields) => {
                let mut object = Map::with_capacity(fields.len());
                for field in fields {
                    if let Some(value) = self.rule(&field.rule, scope, false)? {
                        object.insert(field.name.clone(), value);
                    }
                }
                let empty = object.is_empty() && !fields.is_empty() && !keep;
                Ok((!empty).then_some(Value::Object(object)))
            }
            Rule::Scoped(scoped) => match &scoped.each {
                Some(each) => self.each(each, scoped, scope).map(|array| array.map(Value::Array)),
                None => self.once(scoped, scope, keep),
            },
        }
    }

    fn once(
        &mut self,
        scoped: &Scoped,
        scope: &Scope<'_>,
        keep: bool,
    ) -> Result<Option<Value>, Rejection> {
        if scoped.lets.is_empty() {
            return if self.passes(scoped.when.as_ref(), scope)? {
                self.rule(&scoped.body, scope, keep)
            } else {
                Ok(None)
            };
        }
        let mut inner = scope.clone();
        self.lets(scoped, &mut inner)?;
        if self.passes(scoped.when.as_ref(), &inner)? {
            return self.rule(&scoped.body, &inner, keep);
        }
        Ok(None)
    }

    fn lets<'v>(&mut self, scoped: &'v Scoped, scope: &mut Scope<'v>) -> Result<(), Rejection> {
        for (slot, leaf) in &scoped.lets {
            let found = self.leaf(leaf, scope)?;
            self.note(leaf, || outcome(found.as_deref()), found.as_deref());
            if let Some(place) = scope.variables.get_mut(*slot) {
                *place = found;
            }
        }
        Ok(())
    }

    fn each(
        &mut self,
        each: &Leaf,
        scoped: &Scoped,
        scope: &Scope<'_>,
    ) -> Result<Option<Vec<Value>>, Rejection> {
        let found = self.leaf(each, scope)?;
        self.note(each, || outcome(found.as_deref()), None);
        let Some(array) = found.as_deref().filter(|value| !is_nothing(value)) else {
            return Ok(None);
        };
        let Some(elements) = array.as_array() else {
            let detail = format!("each: needs an array, found {}", kind_of(array));
            return Err(stop_at(functions::wrong_type(&detail), each.at).reject(each));
        };
        let mut out = Vec::new();
        let variables = scope
            .variables
            .iter()
            .map(|found| found.as_ref().map(|value| Cow::Borrowed(value.as_ref())));
        let mut inner = Scope {
            document: scope.document,
            here: scope.here,
            meta: scope.meta,
            variables: variables.collect(),
        };
        for element in elements {
            inner.here = element;
            self.spend(1, each.at).map_err(|stop| stop.reject(each))?;
            self.lets(scoped, &mut inner)?;
            if !self.passes(scoped.when.as_ref(), &inner)? {
                continue;
            }
            if let Some(value) = self.rule(&scoped.body, &inner, true)? {
                if out.len() >= functions::MAX_ELEMENTS {
                    return Err(stop_at(functions::too_many(), each.at).reject(each));
                }
                out.push(value);
            }
        }
        Ok(Some(out))
    }

    /// Whether a `when` lets its rule through; absent does not.
    fn passes(&mut self, when: Option<&Leaf>, scope: &Scope<'_>) -> Result<bool, Rejection> {
        let Some(when) = when else { return Ok(true) };
        let result = self.condition(&when.op, when.at, scope);
        let passes = result.map_err(|stop| self.refuse(stop, when))?.unwrap_or(false);
        self.note(when, || if passes { "applies" } else { "skipped" }.to_owned(), None);
        Ok(passes)
    }

    fn leaf<'v>(&mut self, leaf: &'v Leaf, scope: &Scope<'v>) -> Result<Found<'v>, Rejection> {
        self.eval(&leaf.op, scope).map_err(|stop| self.refuse(stop, leaf))
    }

    fn value(&mut self, leaf: &Leaf, scope: &Scope<'_>) -> Result<Option<Value>, Rejection> {
        let found = self.leaf(leaf, scope)?;
        self.note(leaf, || outcome(found.as_deref()), found.as_deref());
        let Some(found) = found else { return Ok(None) };
        if let Cow::Borrowed(borrowed) = found {
            self.spend(weight(borrowed), leaf.at).map_err(|stop| stop.reject(leaf))?;
        }
        Ok(Some(found.into_owned()))
    }

    fn refuse(&mut self, stop: Stop, leaf: &Leaf) -> Rejection {
        let code = stop.fail.code.code;
        self.note(leaf, || format!("rejected {code}"), None);
        stop.reject(leaf)
    }

    fn note(&mut self, leaf: &Leaf, outcome: impl FnOnce() -> String, value: Option<&Value>) {
        let Some(trace) = &mut self.trace else { return };
        let mut outcome = outcome();
        if let Some(value) = value.filter(|_| trace.values) {
            outcome = format!("{outcome} {value}");
        }
        trace.lines.push(TraceLine {
            target: leaf.target.clone(),
            line: leaf.at.line,
            column: leaf.at.column,
            expression: leaf.text.clone(),
            outcome,
        });
    }

    fn spend(&mut self, units: u64, at: At) -> Result<(), Stop> {
        match self.fuel.checked_sub(units) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => {
                let detail = "the mapping costs more than one message may".to_owned();
                Err(stop_at(Box::new(Fail { code: &codes::LIMIT, detail }), at))
            }
        }
    }

    fn eval<'v>(&mut self, op: &'v Op, scope: &Scope<'v>) -> Result<Found<'v>, Stop> {
        Ok(match op {
            Op::Literal(value) => Some(Cow::Borrowed(value)),
            Op::Here(steps) => walk(steps, scope.here).map(Cow::Borrowed),
            Op::Document(steps) => walk(steps, scope.document).map(Cow::Borrowed),
            Op::Variable(slot, steps) => variable(scope, *slot, steps),
            Op::Meta(field) => meta(*field, scope.meta).map(|text| Cow::Owned(text.into())),
            Op::Call { function, first, rest, at } => {
                return self.call(function, first, rest, *at, scope);
            }
            Op::Default(options) => {
                let mut found = None;
                for option in options {
                    found = self.eval(option, scope)?;
                    if found.as_deref().is_some_and(|value| !is_nothing(value)) {
                        break;
                    }
                }
                found
            }
            Op::And(parts) => self.all(parts, false, scope)?.map(owned),
            Op::Or(parts) => self.all(parts, true, scope)?.map(owned),
            Op::Not(part, at) => self.condition(part, *at, scope)?.map(|flag| owned(!flag)),
            Op::Compare { operator, left, right, at } => {
                let (left, right) = (self.eval(left, scope)?, self.eval(right, scope)?);
                match (left, right) {
                    (Some(left), Some(right)) => {
                        let holds = compare(*operator, &left, &right);
                        Some(owned(holds.map_err(|fail| stop_at(fail, *at))?))
                    }
                    _ => None,
                }
            }
            Op::In { item, list } => {
                self.eval(item, scope)?.map(|item| owned(list.iter().any(|one| equal(one, &item))))
            }
            Op::If { condition, then, otherwise, at } => {
                let holds = self.condition(condition, *at, scope)?.unwrap_or(false);
                return self.eval(if holds { then } else { otherwise }, scope);
            }
            Op::Present(part) => {
                let found = self.eval(part, scope)?;
                Some(owned(found.as_deref().is_some_and(|value| !is_nothing(value))))
            }
            Op::Otherwise(value, fallback) => match self.eval(value, scope) {
                Err(stop) if stop.may_be_caught() => return self.eval(fallback, scope),
                found => return found,
            },
            Op::Matching { value, pattern, at } => {
                let Some(found) = self.eval(value, scope)? else { return Ok(None) };
                if is_nothing(&found) {
                    return Ok(Some(found));
                }
                functions::matches(pattern, &found).map_err(|fail| stop_at(fail, *at))?;
                return Ok(Some(found));
            }
            Op::Reject { code, text, at } => {
                let detail = format!("{code}: {text}");
                let fail = Box::new(Fail { code: &codes::REJECTED, detail });
                return Err(Stop { fail, author_code: Some(code.clone()), at: *at });
            }
            Op::Code { key, table, default, at } => {
                let Some(value) = self.eval(key, scope)? else { return Ok(None) };
                if is_nothing(&value) {
                    return Ok(Some(value));
                }
                let found = tables::key(&value).and_then(|key| table.entries.get(key.as_ref()));
                match (found, default) {
                    (Some(entry), _) => Some(Cow::Borrowed(entry)),
                    (None, Some(default)) => return self.eval(default, scope),
                    (None, None) => {
                        let detail =
                            format!("no entry in table {} for {}", table.name, kind_of(&value));
                        let fail = Box::new(Fail { code: &codes::NO_ENTRY, detail });
                        return Err(stop_at(fail, *at));
                    }
                }
            }
        })
    }

    fn call<'v>(
        &mut self,
        function: &'static Function,
        first: &'v Op,
        rest: &'v [Op],
        at: At,
        scope: &Scope<'v>,
    ) -> Result<Found<'v>, Stop> {
        let Some(first) = self.eval(first, scope)? else { return Ok(None) };
        let mut others = Vec::with_capacity(rest.len());
        for op in rest {
            let Some(value) = self.eval(op, scope)? else { return Ok(None) };
            others.push(value);
        }
        if is_nothing(&first) {
            return Ok(Some(first));
        }
        if others.iter().any(|value| is_nothing(value)) {
            return Ok(Some(Cow::Owned(Value::Null)));
        }
        for (index, value) in std::iter::once(&first).chain(&others).enumerate() {
            let Some(parameter) = function.parameter(index) else { continue };
            if !parameter.kind.admits(value) {
                let (name, kind) = (function.name, kind_of(value));
                let wanted = parameter.kind.words();
                let detail = format!("{name}: {} must be {wanted}, found {kind}", parameter.name);
                return Err(stop_at(functions::wrong_type(&detail), at));
            }
        }
        let Call::Plain(apply) = function.call else { return Ok(None) };
        self.spend(1 + weight(&first), at)?;
        let found = apply(Arguments { first, rest: &others }).map_err(|fail| stop_at(fail, at))?;
        if let Some(Cow::Owned(Value::String(text))) = &found {
            if text.len() > functions::MAX_TEXT {
                return Err(stop_at(functions::too_long(), at));
            }
            self.spend(text.len() as u64 / 64, at)?;
        }
        Ok(found)
    }

    /// True, false, or nothing; anything else fails.
    fn condition(&mut self, op: &Op, at: At, scope: &Scope<'_>) -> Result<Option<bool>, Stop> {
        self.spend(1, at)?;
        match self.eval(op, scope)?.as_deref() {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(nothing) if is_nothing(nothing) => Ok(None),
            Some(other) => {
                let detail = format!("a condition must be true or false, found {}", kind_of(other));
                Err(stop_at(functions::wrong_type(&detail), at))
            }
        }
    }

    /// `and` ends at the first false, `or` at the first true; nothing stays nothing otherwise.
    fn all(
        &mut self,
        parts: &[(Op, At)],
        ends: bool,
        scope: &Scope<'_>,
    ) -> Result<Option<bool>, Stop> {
        let mut known = true;
        for (part, at) in parts {
            match self.condition(part, *at, scope)? {
                Some(flag) if flag == ends => return Ok(Some(ends)),
                Some(_) => {}
                None => known = false,
            }
        }
        Ok(known.then_some(!ends))
    }
}

impl Stop {
    /// What an author refused stays refused, and a limit stays a limit.
    fn may_be_caught(&self) -> bool {
        self.author_code.is_none() && self.fail.code != &codes::LIMIT
    }

    fn reject(self, leaf: &Leaf) -> Rejection {
        Rejection {
            code: self.fail.code,
            author_code: self.author_code,
            target: leaf.target.clone(),
            line: self.at.line,
            column: self.at.column,
            detail: self.fail.detail,
        }
    }
}

fn stop_at(fail: Box<Fail>, at: At) -> Stop {
    Stop { fail, author_code: None, at }
}

fn owned<'v>(flag: bool) -> Cow<'v, Value> {
    Cow::Owned(Value::Bool(flag))
}

/// Null, or nil with a reason: a place without a value.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || is_nil(value)
}

fn outcome(found: Option<&Value>) -> String {
    found.map_or_else(|| "absent".to_owned(), kind_of)
}

fn variable<'v>(scope: &Scope<'v>, slot: usize, steps: &[crate::mapping::path::Step]) -> Found<'v> {
    match scope.variables.get(slot)?.as_ref()? {
        Cow::Borrowed(value) => walk(steps, value).map(Cow::Borrowed),
        Cow::Owned(value) => walk(steps, value).cloned().map(Cow::Owned),
    }
}

fn meta(field: MetaField, meta: &Meta) -> Option<String> {
    let japan = || functions::japan(meta.accepted_at);
    match field {
        MetaField::MessageId => Some(meta.message_id.clone()),
        MetaField::MessageType => Some(meta.message_type.clone()),
        MetaField::Source => Some(meta.source.clone()),
        MetaField::Municipality => meta.municipality.clone(),
        MetaField::Operator => meta.operator.clone(),
        MetaField::AcceptedAt => {
            let time = japan();
            let format = if time.subsec_nanosecond() == 0 { "%FT%T%:z" } else { "%FT%T%.3f%:z" };
            Some(time.strftime(format).to_string())
        }
        MetaField::AcceptedDate => Some(japan().strftime("%F").to_string()),
        MetaField::IdempotencyKey => Some(meta.idempotency_key.clone()),
        MetaField::CorrelationId => meta.correlation_id.clone(),
        MetaField::Ticket => meta.ticket.clone(),
    }
}

/// About what copying or reading a value costs, in units of 64 bytes.
fn weight(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64 / 64,
        Value::Array(elements) => 1 + elements.iter().map(|e| 1 + weight(e)).sum::<u64>(),
        Value::Object(members) => 1 + members.values().map(|m| 1 + weight(m)).sum::<u64>(),
        _ => 0,
    }
}

fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => functions::numbers(a, b).is_eq(),
        _ => left == right,
    }
}

fn compare(operator: Operator, left: &Value, right: &Value) -> Result<bool, Box<Fail>> {
    let order = match (operator, left, right) {
        (Operator::Equal, ..) => return Ok(equal(left, right)),
        (Operator::NotEqual, ..) => return Ok(!equal(left, right)),
        (_, Value::Number(a), Value::Number(b)) => functions::numbers(a, b),
        (_, Value::String(a), Value::String(b)) => a.cmp(b),
        _ => {
            let (left, right) = (kind_of(left), kind_of(right));
            let detail =
                format!("{left} and {right} have no order; compare two numbers or two texts");
            return Err(functions::wrong_type(&detail));
        }
    };
    Ok(match operator {
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}
