//! Runs a plan over a borrowed document. The target borrows from it in turn: texts are copied only
//! by functions that change them.

use crate::mapping::functions::{self, Arguments, Call, Fail, Function, Select};
use crate::mapping::path::{Step, walk};
use crate::mapping::plan::{Arm, At, Leaf, Op, Plan, Rule, Scoped, Taken, address};
use crate::mapping::tables::{self, Table};
use crate::mapping::values::{compare, equal, is_nothing, kind_of, meta, outcome, weight};
use crate::mapping::{Meta, Rejection, TraceLine};
use crate::model::codes::mapping as codes;
use crate::model::json::{Elements, Members, Node, Tree};
use serde_json::Value;

/// What one run may cost: about one unit for each operation, 64 bytes of text and copied value.
const FUEL: u64 = 4_000_000;

/// A value of an expression, or none.
type Found<'v> = Option<Tree<'v>>;

/// What an expression sees.
#[derive(Clone)]
struct Scope<'v> {
    document: Node<'v>,
    here: Node<'v>,
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
    taken: Vec<Taken>,
    values: bool,
}

/// Why evaluation stopped.
struct Stop {
    fail: Box<Fail>,
    author_code: Option<String>,
    at: At,
}

/// What a rule gives, or why there is nothing.
type Ruled<T> = Result<T, Box<Rejection>>;

/// Maps a document.
pub(crate) fn run<'v>(
    plan: &'v Plan,
    document: Node<'v>,
    meta: &'v Meta,
) -> Result<Tree<'v>, Rejection> {
    run_with(plan, document, meta, None).0
}

/// Maps a document and tells what every rule did; `values` also shows the values.
pub(crate) fn explain(
    plan: &Plan,
    document: Node<'_>,
    meta: &Meta,
    values: bool,
) -> (Vec<TraceLine>, Result<Value, Rejection>) {
    let trace = Trace { lines: Vec::new(), taken: Vec::new(), values };
    let (result, trace) = run_with(plan, document, meta, Some(trace));
    (trace.map(|trace| trace.lines).unwrap_or_default(), result.map(Tree::into_value))
}

/// Maps a document and tells what every rule did and which ways were gone.
pub(crate) fn watch(
    plan: &Plan,
    document: Node<'_>,
    meta: &Meta,
) -> (Vec<TraceLine>, Vec<Taken>, Result<Value, Rejection>) {
    let trace = Trace { lines: Vec::new(), taken: Vec::new(), values: false };
    let (result, trace) = run_with(plan, document, meta, Some(trace));
    let (lines, taken) = trace.map(|trace| (trace.lines, trace.taken)).unwrap_or_default();
    (lines, taken, result.map(Tree::into_value))
}

fn run_with<'v>(
    plan: &'v Plan,
    document: Node<'v>,
    meta: &'v Meta,
    trace: Option<Trace>,
) -> (Result<Tree<'v>, Rejection>, Option<Trace>) {
    let mut run = Run { fuel: FUEL, trace };
    let mut variables = vec![None; plan.slots];
    if let (true, Some(slot), Some(sent)) = (plan.request, variables.first_mut(), &meta.request) {
        *slot = Some(Tree::Borrowed(sent.document().into()));
    }
    let scope = Scope { document, here: document, meta, variables };
    let result = run.rule(&plan.root, &scope, true);
    (result.map(Option::unwrap_or_default).map_err(|rejection| *rejection), run.trace)
}

/// Tests a condition on a document; whatever is not true is false.
pub(crate) fn test<'v>(op: &Op, document: Node<'v>, request: Option<Node<'v>>) -> bool {
    let mut run = Run { fuel: FUEL, trace: None };
    let meta = Meta::nothing();
    let variables = vec![request.map(Tree::Borrowed)];
    let scope = Scope { document, here: document, meta: &meta, variables };
    matches!(run.eval(op, &scope), Ok(Some(value)) if value.node().as_bool() == Some(true))
}

impl Run {
    /// Applies a rule. `keep` keeps an object none of whose members was set.
    fn rule<'v>(&mut self, rule: &'v Rule, scope: &Scope<'v>, keep: bool) -> Ruled<Found<'v>> {
        match rule {
            Rule::Value(leaf) => self.value(leaf, scope),
            Rule::Object(fields) => {
                let mut object = Members::with_capacity(fields.len());
                for field in fields {
                    if let Some(tree) = self.rule(&field.rule, scope, false)? {
                        object.push(field.name.as_str(), tree);
                    }
                }
                let empty = object.is_empty() && !fields.is_empty() && !keep;
                Ok((!empty).then_some(Tree::Object(object)))
            }
            Rule::Scoped(scoped) => match &scoped.each {
                Some(each) => self.each(each, scoped, scope).map(|array| array.map(Tree::Array)),
                None => self.once(scoped, scope, keep),
            },
        }
    }

    fn once<'v>(&mut self, scoped: &'v Scoped, scope: &Scope<'v>, keep: bool) -> Ruled<Found<'v>> {
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

    fn lets<'v>(&mut self, scoped: &'v Scoped, scope: &mut Scope<'v>) -> Ruled<()> {
        for (slot, leaf) in &scoped.lets {
            let found = self.leaf(leaf, scope)?;
            self.note(leaf, || outcome(found.as_ref()), found.as_ref());
            if let Some(place) = scope.variables.get_mut(*slot) {
                *place = found;
            }
        }
        Ok(())
    }

    fn each<'v>(
        &mut self,
        each: &'v Leaf,
        scoped: &'v Scoped,
        scope: &Scope<'v>,
    ) -> Ruled<Option<Vec<Tree<'v>>>> {
        let found = self.leaf(each, scope)?;
        self.note(each, || outcome(found.as_ref()), None);
        match found {
            None => Ok(None),
            Some(Tree::Borrowed(node)) => self.elements(node, each, scoped, scope),
            // What a function made lives no longer than this rule.
            Some(made) => {
                let targets = self.elements(made.node(), each, scoped, scope)?;
                Ok(targets.map(|targets| targets.into_iter().map(Tree::into_owned).collect()))
            }
        }
    }

    /// One target for each element that `when` lets through.
    fn elements<'v>(
        &mut self,
        array: Node<'v>,
        each: &'v Leaf,
        scoped: &'v Scoped,
        scope: &Scope<'v>,
    ) -> Ruled<Option<Vec<Tree<'v>>>> {
        if is_nothing(array) {
            return Ok(None);
        }
        let Some(elements) = array.as_array() else {
            let detail = format!("each: needs an array, found {}", kind_of(array));
            return Err(stop_at(functions::wrong_type(&detail), each.at).reject(each));
        };
        let mut out = Vec::new();
        let mut inner = scope.clone();
        for element in elements.iter() {
            inner.here = element;
            self.spend(1, each.at).map_err(|stop| stop.reject(each))?;
            self.lets(scoped, &mut inner)?;
            if !self.passes(scoped.when.as_ref(), &inner)? {
                continue;
            }
            if let Some(tree) = self.rule(&scoped.body, &inner, true)? {
                if out.len() >= functions::MAX_ELEMENTS {
                    return Err(stop_at(functions::too_many(), each.at).reject(each));
                }
                out.push(tree);
            }
        }
        Ok(Some(out))
    }

    /// Whether a `when` lets its rule through; absent does not.
    fn passes(&mut self, when: Option<&Leaf>, scope: &Scope<'_>) -> Ruled<bool> {
        let Some(when) = when else { return Ok(true) };
        let result = self.condition(&when.op, when.at, scope);
        let passes = result.map_err(|stop| self.refuse(*stop, when))?.unwrap_or(false);
        self.note(when, || if passes { "applies" } else { "skipped" }.to_owned(), None);
        self.took(&when.op, if passes { Arm::Applies } else { Arm::Skipped });
        Ok(passes)
    }

    fn leaf<'v>(&mut self, leaf: &'v Leaf, scope: &Scope<'v>) -> Ruled<Found<'v>> {
        self.eval(&leaf.op, scope).map_err(|stop| self.refuse(*stop, leaf))
    }

    fn value<'v>(&mut self, leaf: &'v Leaf, scope: &Scope<'v>) -> Ruled<Found<'v>> {
        let found = self.leaf(leaf, scope)?;
        self.note(leaf, || outcome(found.as_ref()), found.as_ref());
        if let Some(tree @ (Tree::Borrowed(_) | Tree::Array(_))) = &found {
            self.spend(weight(tree.node()), leaf.at).map_err(|stop| stop.reject(leaf))?;
        }
        Ok(found)
    }

    fn refuse(&mut self, stop: Stop, leaf: &Leaf) -> Box<Rejection> {
        let code = stop.fail.code.code;
        self.note(leaf, || format!("rejected {code}"), None);
        stop.reject(leaf)
    }

    fn note(&mut self, leaf: &Leaf, outcome: impl FnOnce() -> String, value: Option<&Tree<'_>>) {
        let Some(trace) = &mut self.trace else { return };
        let mut outcome = outcome();
        if let Some(value) = value.filter(|_| trace.values) {
            outcome = format!("{outcome} {}", value.node().to_cow());
        }
        trace.lines.push(TraceLine {
            target: leaf.target.clone(),
            line: leaf.at.line,
            column: leaf.at.column,
            expression: leaf.text.clone(),
            outcome,
        });
    }

    fn took(&mut self, op: &Op, arm: Arm) {
        if let Some(trace) = &mut self.trace {
            trace.taken.push((address(op), arm));
        }
    }

    fn spend(&mut self, units: u64, at: At) -> Result<(), Box<Stop>> {
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

    fn eval<'v>(&mut self, op: &'v Op, scope: &Scope<'v>) -> Result<Found<'v>, Box<Stop>> {
        Ok(match op {
            Op::Literal(value) => Some(Tree::Borrowed(Node::Value(value))),
            Op::Here(steps) => walk(steps, scope.here).map(Tree::Borrowed),
            Op::Document(steps) => walk(steps, scope.document).map(Tree::Borrowed),
            Op::Variable(slot, steps) => variable(scope, *slot, steps),
            Op::Meta(field) => meta(*field, scope.meta).map(Tree::Text),
            Op::Call { function, first, rest, at } => {
                return self.call(function, first, rest, *at, scope);
            }
            Op::Default(options) => return self.first_of(op, options, scope),
            Op::And(parts) => self.all(parts, false, scope)?.map(Tree::Bool),
            Op::Or(parts) => self.all(parts, true, scope)?.map(Tree::Bool),
            Op::Not(part, at) => self.condition(part, *at, scope)?.map(|flag| Tree::Bool(!flag)),
            Op::Compare { operator, left, right, at } => {
                let (left, right) = (self.eval(left, scope)?, self.eval(right, scope)?);
                match (left, right) {
                    (Some(left), Some(right)) => {
                        let holds = compare(*operator, left.node(), right.node());
                        Some(Tree::Bool(holds.map_err(|fail| stop_at(fail, *at))?))
                    }
                    _ => None,
                }
            }
            Op::In { item, list } => self.eval(item, scope)?.map(|item| {
                Tree::Bool(list.iter().any(|one| equal(Node::Value(one), item.node())))
            }),
            Op::If { condition, then, otherwise, at } => {
                let holds = self.condition(condition, *at, scope)?.unwrap_or(false);
                self.took(op, if holds { Arm::Then } else { Arm::Otherwise });
                return self.eval(if holds { then } else { otherwise }, scope);
            }
            Op::Present(part) => {
                let found = self.eval(part, scope)?;
                Some(Tree::Bool(found.is_some_and(|tree| !is_nothing(tree.node()))))
            }
            Op::Otherwise(value, fallback) => match self.eval(value, scope) {
                Err(stop) if stop.is_failure() => self.eval(fallback, scope)?,
                found => found?,
            },
            Op::Matching { value, pattern, at } => {
                let found = self.eval(value, scope)?;
                let checked = functions::matches(pattern, found.as_ref().map(Tree::node));
                checked.map_err(|fail| stop_at(fail, *at))?;
                found
            }
            Op::Reject { code, text, at } => {
                let detail = format!("{code}: {text}");
                let fail = Box::new(Fail { code: &codes::REJECTED, detail });
                return Err(Box::new(Stop { fail, author_code: Some(code.clone()), at: *at }));
            }
            Op::Code { key, table, date, default, at } => {
                let default = default.as_deref();
                return self.code(key, table, (date.as_deref(), *at), default, scope);
            }
            Op::Try(inner) => match self.eval(inner, scope) {
                Err(stop) if stop.is_failure() => None,
                found => found?,
            },
            Op::Select { how, array, condition, at } => {
                let Some(array) = self.eval(array, scope)? else { return Ok(None) };
                if is_nothing(array.node()) {
                    return Ok(Some(array));
                }
                return self.select(*how, array, condition, *at, scope);
            }
        })
    }

    /// The first option that is a value, or else the last one; `op` is the whole.
    fn first_of<'v>(
        &mut self,
        op: &'v Op,
        options: &'v [Op],
        scope: &Scope<'v>,
    ) -> Result<Found<'v>, Box<Stop>> {
        let mut found = None;
        for (index, option) in options.iter().enumerate() {
            let last = index + 1 == options.len();
            if last {
                self.took(op, Arm::Part(index)); // before it may reject
            }
            found = self.eval(option, scope)?;
            if found.as_ref().is_some_and(|tree| !is_nothing(tree.node())) && !last {
                self.took(op, Arm::Part(index));
                break;
            }
        }
        Ok(found)
    }

    /// What stands in a table for a key, on a day if one is given.
    fn code<'v>(
        &mut self,
        key_op: &'v Op,
        table: &'v Table,
        (date, at): (Option<&'v Op>, At),
        default: Option<&'v Op>,
        scope: &Scope<'v>,
    ) -> Result<Found<'v>, Box<Stop>> {
        let Some(key) = self.eval(key_op, scope)? else { return Ok(None) };
        if is_nothing(key.node()) {
            return Ok(Some(key));
        }
        let day = match date {
            None => None,
            Some(date) => match self.eval(date, scope)? {
                None => return Ok(None),
                Some(date) if is_nothing(date.node()) => return Ok(Some(date)),
                Some(date) => {
                    let day = functions::day(&date.node().to_cow());
                    Some(day.map_err(|fail| stop_at(fail, at))?)
                }
            },
        };
        let found = match key.node().as_str() {
            Some(text) => table.find(text, day),
            None => tables::key(&key.node().to_cow()).and_then(|key| table.find(&key, day)),
        };
        self.took(key_op, if found.is_some() { Arm::Entry } else { Arm::NoEntry });
        match (found, default) {
            (Some(entry), _) => Ok(Some(Tree::Borrowed(Node::Value(entry)))),
            (None, Some(default)) => self.eval(default, scope),
            (None, None) => {
                let detail =
                    format!("no entry in table {} for {}", table.name, kind_of(key.node()));
                Err(stop_at(Box::new(Fail { code: &codes::NO_ENTRY, detail }), at))
            }
        }
    }

    fn select<'v>(
        &mut self,
        how: Select,
        array: Tree<'v>,
        condition: &Op,
        at: At,
        scope: &Scope<'_>,
    ) -> Result<Found<'v>, Box<Stop>> {
        let Some(elements) = array.node().as_array() else {
            let detail = format!("needs an array, found {}", kind_of(array.node()));
            return Err(stop_at(functions::wrong_type(&detail), at));
        };
        let mut inner = scope.inside();
        let mut chosen = Vec::with_capacity(elements.len());
        for element in elements.iter() {
            inner.here = element;
            let holds = self.condition(condition, at, &inner)?.unwrap_or(false);
            let decided = match how {
                Select::Every => false,
                Select::First | Select::Any => holds,
                Select::All => !holds,
            };
            chosen.push(holds);
            if decided {
                break;
            }
        }
        let at_last = chosen.last().copied();
        match how {
            Select::Any => return Ok(Some(Tree::Bool(at_last == Some(true)))),
            Select::All => return Ok(Some(Tree::Bool(at_last != Some(false)))),
            Select::First if at_last != Some(true) => return Ok(None),
            Select::First | Select::Every => {}
        }
        let last = chosen.len().saturating_sub(1);
        Ok(match (how, array) {
            (Select::First, Tree::Borrowed(node)) => {
                node.as_array().and_then(|all| all.get(last)).map(Tree::Borrowed)
            }
            (Select::First, made) => {
                let first = made.node().as_array().and_then(|all| all.get(last));
                first.map(|node| Tree::from(node.to_value()))
            }
            (_, Tree::Borrowed(node)) => {
                let kept = node.as_array().into_iter().flat_map(Elements::iter).zip(chosen);
                let kept = kept.filter(|(_, holds)| *holds);
                Some(Tree::Array(kept.map(|(one, _)| Tree::Borrowed(one)).collect()))
            }
            (_, made) => {
                self.spend(weight(made.node()), at)?;
                let kept = made.node().as_array().into_iter().flat_map(Elements::iter).zip(chosen);
                let kept = kept.filter(|(_, holds)| *holds).map(|(one, _)| one.to_value());
                Some(Tree::from(kept.collect::<Value>()))
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
    ) -> Result<Found<'v>, Box<Stop>> {
        let Some(first) = self.eval(first, scope)? else { return Ok(None) };
        let mut others = Vec::with_capacity(rest.len());
        for op in rest {
            let Some(tree) = self.eval(op, scope)? else { return Ok(None) };
            others.push(tree.into_cow());
        }
        if is_nothing(first.node()) {
            return Ok(Some(first));
        }
        if others.iter().any(|value| is_nothing(Node::Value(value))) {
            return Ok(Some(Tree::Null));
        }
        let first = first.into_cow();
        for (index, value) in std::iter::once(&first).chain(&others).enumerate() {
            let Some(parameter) = function.parameter(index) else { continue };
            if !parameter.kind.admits(value) {
                let (name, kind) = (function.name, functions::kind_of(value));
                let wanted = parameter.kind.words();
                let detail = format!("{name}: {} must be {wanted}, found {kind}", parameter.name);
                return Err(stop_at(functions::wrong_type(&detail), at));
            }
        }
        let Call::Plain(apply) = function.call else { return Ok(None) };
        self.spend(1 + weight(Node::Value(&first)), at)?;
        let found = apply(Arguments { first, rest: &others }).map_err(|fail| stop_at(fail, at))?;
        let found = found.map(Tree::from);
        if let Some(Tree::Text(text)) = &found {
            if text.len() > functions::MAX_TEXT {
                return Err(stop_at(functions::too_long(), at));
            }
            self.spend(text.len() as u64 / 64, at)?;
        }
        Ok(found)
    }

    /// True, false, or nothing; anything else fails.
    fn condition(&mut self, op: &Op, at: At, scope: &Scope<'_>) -> Result<Option<bool>, Box<Stop>> {
        self.spend(1, at)?;
        let Some(found) = self.eval(op, scope)? else { return Ok(None) };
        match found.node() {
            node if is_nothing(node) => Ok(None),
            node => node.as_bool().map(Some).ok_or_else(|| {
                let detail = format!("a condition must be true or false, found {}", kind_of(node));
                stop_at(functions::wrong_type(&detail), at)
            }),
        }
    }

    /// `and` ends at the first false, `or` at the first true; nothing stays nothing otherwise.
    fn all(
        &mut self,
        parts: &[(Op, At)],
        ends: bool,
        scope: &Scope<'_>,
    ) -> Result<Option<bool>, Box<Stop>> {
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

impl Scope<'_> {
    /// The same scope without copying what its variables hold.
    fn inside(&self) -> Scope<'_> {
        Scope {
            document: self.document,
            here: self.here,
            meta: self.meta,
            variables: self
                .variables
                .iter()
                .map(|found| found.as_ref().map(|tree| Tree::Borrowed(tree.node())))
                .collect(),
        }
    }
}

impl Stop {
    /// A function that could not do its work: neither a refusal nor an exceeded limit.
    fn is_failure(&self) -> bool {
        let code = self.fail.code.code;
        self.author_code.is_none()
            && [&codes::NO_ENTRY, &codes::WRONG_TYPE, &codes::NOT_CONVERTIBLE]
                .iter()
                .any(|failure| failure.code == code)
    }

    fn reject(self, leaf: &Leaf) -> Box<Rejection> {
        Box::new(Rejection {
            code: self.fail.code,
            author_code: self.author_code,
            target: leaf.target.clone(),
            line: self.at.line,
            column: self.at.column,
            detail: self.fail.detail,
        })
    }
}

fn stop_at(fail: Box<Fail>, at: At) -> Box<Stop> {
    Box::new(Stop { fail, author_code: None, at })
}

fn variable<'v>(scope: &Scope<'v>, slot: usize, steps: &[Step]) -> Found<'v> {
    match scope.variables.get(slot)?.as_ref()? {
        Tree::Borrowed(node) => walk(steps, *node).map(Tree::Borrowed),
        made if steps.is_empty() => Some(made.clone()),
        made => walk(steps, made.node()).map(|node| Tree::from(node.to_value())),
    }
}
