//! Expressions over facts: what may come out, and what may go wrong on the way.

use crate::diagnostic::{Diagnostic, Location};
use crate::mapping::compile::prove::Prover;
use crate::mapping::compile::prove::scope::Scope;
use crate::mapping::compile::source::Source;
use crate::mapping::facts::{Arrays, Facts, Given, Texts, language};
use crate::mapping::functions::{self, Accepts, Call, Function, Lookup, Select};
use crate::mapping::syntax::{Expression, Kind, Operator, Root};
use crate::mapping::tables;
use crate::model::Code;
use crate::model::codes::mapping as codes;
use crate::schema::has_form;
use serde_json::{Value, json};
use std::ops::Range;
use std::sync::Arc;

/// Most combinations of arguments for which a function is simply run.
const MAX_RUN: usize = 300;

/// What may come out of an expression.
#[derive(Clone, Default)]
pub(super) struct Evaluated {
    /// By the part of the expression that gives it.
    pub parts: Vec<(Facts, Location)>,
    /// Whether it may fail, other than by `reject`.
    pub fails: bool,
}

impl Evaluated {
    fn one(facts: Facts, location: Location) -> Evaluated {
        Evaluated { parts: vec![(facts, location)], fails: false }
    }

    /// Everything that may come out.
    pub(super) fn facts(&self) -> Facts {
        self.parts.iter().map(|(facts, _)| facts.clone()).fold(Facts::never(), Facts::or)
    }
}

/// What a condition may be.
#[derive(Clone, Copy, Default)]
pub(super) struct Truth {
    pub yes: bool,
    pub no: bool,
    pub nothing: bool,
    pub fails: bool,
}

impl Truth {
    /// Whether it may not hold.
    pub(super) fn may_not_hold(self) -> bool {
        self.no || self.nothing
    }

    fn facts(self) -> Facts {
        Facts { absent: self.nothing, yes: self.yes, no: self.no, ..Facts::default() }
    }
}

impl Prover<'_> {
    /// Something that may fail while a message is mapped.
    fn may_fail(&mut self, code: &'static Code, location: Location, message: String) {
        if self.quiet == 0 {
            let hint = "say what then: otherwise(…, fallback), or … | otherwise(reject(\"CODE\", \
                        \"text\"))";
            self.report(Diagnostic::error(code, location, message).hint(hint).warning());
        }
    }

    pub(super) fn eval(&mut self, source: &Source, node: &Expression, scope: &Scope) -> Evaluated {
        let location = source.place(&node.span);
        match &node.kind {
            Kind::Literal(value) => Evaluated::one(Facts::of(value), location),
            Kind::Path(path) => Evaluated::one(scope.find(path), location),
            Kind::Call { name, name_span, arguments } => {
                self.call(source, name, name_span, arguments, &node.span, scope)
            }
            Kind::Default(parts) => self.default(source, parts, scope),
            Kind::And(parts) => self.all(source, parts, scope, true, location),
            Kind::Or(parts) => self.all(source, parts, scope, false, location),
            Kind::Not(part) => {
                let truth = self.truth(source, part, scope);
                let turned = Truth { yes: truth.no, no: truth.yes, ..truth };
                Evaluated { parts: vec![(turned.facts(), location)], fails: truth.fails }
            }
            Kind::Compare { operator, left, right } => {
                let (left, right) =
                    (self.eval(source, left, scope), self.eval(source, right, scope));
                self.compare(*operator, &left, &right, location)
            }
            Kind::In { item, list } => {
                let item = self.eval(source, item, scope);
                let facts = item.facts();
                let values = facts.values();
                let among = |value: &Value| list.iter().any(|(one, _)| one == value);
                let certain = values.is_some_and(|values| values.iter().all(among));
                let found = Facts {
                    absent: facts.absent,
                    yes: list.iter().any(|(value, _)| facts.may_be(value)),
                    no: facts.may_be_present() && !certain,
                    ..Facts::default()
                };
                Evaluated { parts: vec![(found, location)], fails: item.fails }
            }
        }
    }

    /// A condition: what else than true, false or nothing it may be is reported.
    pub(super) fn truth(&mut self, source: &Source, node: &Expression, scope: &Scope) -> Truth {
        let evaluated = self.eval(source, node, scope);
        let facts = evaluated.facts();
        let others = Facts { yes: false, no: false, ..facts.clone().value() };
        let fails = others.may_be_value();
        if fails {
            let kinds = others.kinds().join(" or ");
            let message = format!("the condition may be {kinds} instead of true or false");
            self.may_fail(&codes::CONDITION_KIND, source.place(&node.span), message);
        }
        let unknown = facts.is_never() && self.broken;
        Truth {
            yes: facts.yes || unknown,
            no: facts.no || unknown,
            nothing: facts.may_be_nothing(),
            fails: fails || evaluated.fails,
        }
    }

    fn all(
        &mut self,
        source: &Source,
        parts: &[Expression],
        scope: &Scope,
        and: bool,
        location: Location,
    ) -> Evaluated {
        let mut scope = scope.clone();
        let (mut ends, mut passes, mut nothing, mut fails) = (false, true, false, false);
        for part in parts {
            let truth = self.truth(source, part, &scope);
            fails |= truth.fails;
            let (stop, go) = if and { (truth.no, truth.yes) } else { (truth.yes, truth.no) };
            ends |= stop;
            nothing |= truth.nothing;
            passes &= go || truth.nothing;
            if !passes {
                nothing = false;
                break; // always decided by now
            }
            // After something absent the next part is still evaluated, so nothing is assumed.
            if !truth.nothing {
                scope = scope.given(part, and);
            }
        }
        // What was nothing before may still be ended by a later part.
        let may_pass = passes;
        let truth = match and {
            true => Truth { yes: may_pass, no: ends, nothing, fails },
            false => Truth { yes: ends, no: may_pass, nothing, fails },
        };
        Evaluated { parts: vec![(truth.facts(), location)], fails }
    }

    fn compare(
        &mut self,
        operator: Operator,
        left: &Evaluated,
        right: &Evaluated,
        location: Location,
    ) -> Evaluated {
        let (a, b) = (left.facts(), right.facts());
        let mut fails = left.fails || right.fails;
        let absent = a.absent || b.absent;
        let both = a.may_be_present() && b.may_be_present();
        let equal = equality(&a, &b);
        let (yes, no) = match operator {
            Operator::Equal => equal,
            Operator::NotEqual => (equal.1, equal.0),
            _ => {
                let numbers = |facts: &Facts| {
                    Facts { numbers: Vec::new(), absent: false, ..facts.clone() }.is_never()
                };
                let texts = |facts: &Facts| {
                    Facts { texts: Vec::new(), absent: false, ..facts.clone() }.is_never()
                };
                if both && !(numbers(&a) && numbers(&b)) && !(texts(&a) && texts(&b)) {
                    fails = true;
                    let message = "the two sides may have no order: only two numbers or two \
                                   texts have one"
                        .to_owned();
                    self.may_fail(&codes::CONDITION_KIND, location.clone(), message);
                }
                ordered(operator, &a, &b)
            }
        };
        let truth = Truth { yes: yes && both, no: no && both, nothing: absent, fails };
        Evaluated { parts: vec![(truth.facts(), location)], fails }
    }

    fn default(&mut self, source: &Source, options: &[Expression], scope: &Scope) -> Evaluated {
        let mut found = Evaluated::default();
        let mut reached = true;
        for (index, option) in options.iter().enumerate() {
            if index > 0 {
                let place = source.place(&option.span);
                let (_, seen) =
                    self.defaults.entry(place.span.start).or_insert_with(|| (place, false));
                *seen |= reached;
            }
            if !reached {
                break;
            }
            let one = self.eval(source, option, scope);
            found.fails |= one.fails;
            let facts = one.facts();
            let last = index + 1 == options.len();
            found.parts.extend(one.parts.into_iter().filter_map(|(facts, location)| {
                let kept = if last { facts } else { facts.value() };
                (!kept.is_never()).then_some((kept, location))
            }));
            reached = facts.may_be_nothing() || (facts.is_never() && self.broken);
        }
        if found.parts.is_empty()
            && let Some(last) = options.last()
        {
            found.parts.push((Facts::never(), source.place(&last.span)));
        }
        found
    }

    fn call(
        &mut self,
        source: &Source,
        name: &str,
        name_span: &Range<usize>,
        arguments: &[Expression],
        span: &Range<usize>,
        scope: &Scope,
    ) -> Evaluated {
        let location = source.place(span);
        let never = || Evaluated::one(Facts::never(), location.clone());
        let Some(function) = functions::find(name) else { return never() };
        match (function.call, arguments) {
            (Call::If, [condition, then, otherwise]) => {
                let truth = self.truth(source, condition, scope);
                let place = source.place(&condition.span);
                self.note(place, truth, super::Asked::If);
                let mut found = Evaluated { parts: Vec::new(), fails: truth.fails };
                if truth.yes {
                    let one = self.eval(source, then, &scope.given(condition, true));
                    found.fails |= one.fails;
                    found.parts.extend(one.parts);
                }
                if truth.may_not_hold() {
                    let one = self.eval(source, otherwise, &scope.given(condition, false));
                    found.fails |= one.fails;
                    found.parts.extend(one.parts);
                }
                found
            }
            (Call::Present, [value]) => {
                let one = self.eval(source, value, scope);
                let facts = one.facts();
                let (yes, no) = (facts.may_be_value(), facts.may_be_nothing());
                let found = Facts { yes, no, ..Facts::default() };
                Evaluated { parts: vec![(found, location)], fails: one.fails }
            }
            (Call::Reject, _) => never(),
            (Call::Nil, [reason]) => match &reason.kind {
                Kind::Literal(reason) => {
                    Evaluated::one(Facts::of(&json!({ "$nil": reason })), location)
                }
                _ => never(),
            },
            (Call::Code(Lookup::At), [key, table, date, default @ ..]) => {
                let mut found =
                    self.code(source, (Lookup::At, key, table), default.first(), location, scope);
                let day = self.eval(source, date, scope);
                let facts = day.facts();
                found.fails |= day.fails;
                if facts.may_be_nothing() {
                    found.parts.push((facts.nothing().or(Facts::absent()), source.place(span)));
                }
                let sure = |texts: &Texts| texts.has_form("date") || is_listed_date(texts);
                let others = Facts { texts: Vec::new(), ..facts.clone().value() };
                if others.may_be_value() || !facts.texts.iter().all(sure) {
                    found.fails = true;
                    let message = "`code-at` may fail: the date may be none".to_owned();
                    self.may_fail(&codes::DATE_MAY_FAIL, source.place(&date.span), message);
                }
                found
            }
            (Call::Code(lookup), [key, table, default @ ..]) => {
                self.code(source, (lookup, key, table), default.first(), location, scope)
            }
            (Call::Try, [value]) => {
                self.quiet += 1;
                let mut one = self.eval(source, value, scope);
                self.quiet -= 1;
                if one.fails {
                    one.parts.push((Facts::absent(), location));
                }
                Evaluated { fails: false, ..one }
            }
            (Call::Select(how), [array, condition]) => {
                self.select(source, how, array, condition, location, scope)
            }
            (Call::Matching, [value, pattern]) => {
                let one = self.eval(source, value, scope);
                let wanted = match &pattern.kind {
                    Kind::Literal(Value::String(pattern)) => language::translate(pattern),
                    _ => None,
                };
                let Some(wanted) = wanted else { return one };
                self.matching(function, one, &wanted, location)
            }
            (Call::Otherwise, [value, fallback]) => {
                self.quiet += 1;
                let one = self.eval(source, value, scope);
                self.quiet -= 1;
                let place = source.place(&fallback.span);
                let (_, seen) =
                    self.fallbacks.entry(place.span.start).or_insert_with(|| (place, false));
                *seen |= one.fails || self.broken;
                let mut found = Evaluated { fails: false, ..one.clone() };
                if one.fails {
                    let other = self.eval(source, fallback, scope);
                    found.fails = other.fails;
                    found.parts.extend(other.parts);
                }
                found
            }
            _ => {
                let place = source.place(name_span);
                let each = arguments.iter().enumerate();
                let each = each.map(|(index, argument)| match function.parameter(index) {
                    // The name of a table is no expression.
                    Some(parameter) if parameter.kind == Accepts::Table => {
                        Evaluated::one(Facts::of(&json!({})), source.place(&argument.span))
                    }
                    _ => self.eval(source, argument, scope),
                });
                let all: Vec<Evaluated> = each.collect();
                self.plain(function, &all, place, location)
            }
        }
    }

    fn select(
        &mut self,
        source: &Source,
        how: Select,
        array: &Expression,
        condition: &Expression,
        location: Location,
        scope: &Scope,
    ) -> Evaluated {
        let one = self.eval(source, array, scope);
        let facts = one.facts();
        let mut fails = one.fails;
        let others = Facts { arrays: Vec::new(), ..facts.clone().value() };
        if others.may_be_value() {
            fails = true;
            let message = format!("an array is needed; it may be {}", others.kinds().join(" or "));
            self.may_fail(&codes::KIND_MAY_FAIL, source.place(&array.span), message);
        }
        let mut found = facts.nothing();
        for array in &facts.arrays {
            let element = array.element.clone().unwrap_or_else(Facts::any);
            let mut inner = scope.clone();
            inner.element = Some(element.clone());
            let truth = self.truth(source, condition, &inner);
            fails |= truth.fails;
            let chosen = inner.given(condition, true).element.unwrap_or(element);
            found = found.or(match how {
                Select::Every => Arrays {
                    least: if truth.may_not_hold() { 0 } else { array.least },
                    most: array.most,
                    element: Some(chosen),
                }
                .into(),
                Select::First => chosen.or(Facts::absent()),
                Select::Any | Select::All => Facts::boolean(),
            });
        }
        Evaluated { parts: vec![(found, location)], fails }
    }

    fn matching(
        &mut self,
        function: &'static Function,
        one: Evaluated,
        wanted: &language::Pattern,
        location: Location,
    ) -> Evaluated {
        let mut found = Evaluated { parts: Vec::new(), fails: one.fails };
        for (facts, place) in one.parts {
            let others = Facts { texts: Vec::new(), ..facts.clone().value() };
            if others.may_be_value() {
                let (name, kinds) = (function.name, others.kinds().join(" or "));
                let message = format!("`text` of `{name}` must be a text; it may be {kinds}");
                self.may_fail(&codes::KIND_MAY_FAIL, location.clone(), message);
                found.fails = true;
            }
            if facts.texts.iter().any(|texts| !texts.has(wanted)) {
                let message = "`matching` may fail: the text may have another form".to_owned();
                self.may_fail(&codes::MAY_FAIL, location.clone(), message);
                found.fails = true;
            }
            let narrow = Texts::any().with_pattern(Arc::clone(wanted));
            let texts = facts.texts.iter().filter_map(|texts| texts.and(&narrow)).collect();
            found.parts.push((Facts { texts, ..facts.nothing() }, place));
        }
        found
    }

    fn plain(
        &mut self,
        function: &'static Function,
        arguments: &[Evaluated],
        place: Location,
        location: Location,
    ) -> Evaluated {
        let all: Vec<Facts> = arguments.iter().map(Evaluated::facts).collect();
        let mut fails = arguments.iter().any(|argument| argument.fails);
        let mut nothing = all.first().map(Facts::nothing).unwrap_or_default();
        for other in all.iter().skip(1) {
            nothing.absent |= other.absent;
            nothing.null |= other.null || !other.nils.is_empty();
        }
        let mut values = Vec::new();
        for (index, facts) in all.iter().enumerate() {
            let value = facts.clone().value();
            let admitted = match function.parameter(index) {
                Some(parameter) => parameter.kind.part_of(&value),
                None => value.clone(),
            };
            if admitted != value {
                fails = true;
                let wanted =
                    function.parameter(index).map(|one| one.kind.words()).unwrap_or_default();
                let name = function.parameter(index).map_or("", |one| one.name);
                let kinds = value.kinds();
                let right = function
                    .parameter(index)
                    .is_some_and(|one| kinds.iter().all(|kind| one.kind.admits_type(kind)));
                let found = match (right, value.numbers.is_empty()) {
                    (false, _) => format!("be {}", kinds.join(" or ")),
                    (true, false) => "have more than 15 digits, or be out of range".to_owned(),
                    (true, true) => "have another length".to_owned(),
                };
                let message =
                    format!("`{name}` of `{}` must be {wanted}; it may {found}", function.name);
                self.may_fail(&codes::KIND_MAY_FAIL, place.clone(), message);
            }
            values.push(admitted);
        }
        if values.iter().any(|value| !value.may_be_value()) {
            return Evaluated { parts: vec![(nothing, location)], fails };
        }
        let given = run(function, &values)
            .unwrap_or_else(|| function.gives.given(function.returns, &values));
        if let Some(why) = &given.fails {
            fails = true;
            let code = match function.topic() {
                functions::Topic::Date => &codes::DATE_MAY_FAIL,
                functions::Topic::Number => &codes::NUMBER_MAY_FAIL,
                functions::Topic::Other => &codes::MAY_FAIL,
            };
            self.may_fail(code, place, format!("`{}` may fail: {why}", function.name));
        }
        Evaluated { parts: vec![(given.facts.or(nothing), location)], fails }
    }

    fn code(
        &mut self,
        source: &Source,
        (lookup, key, table): (Lookup, &Expression, &Expression),
        default: Option<&Expression>,
        location: Location,
        scope: &Scope,
    ) -> Evaluated {
        let place = source.place(&key.span);
        let one = self.eval(source, key, scope);
        let facts = one.facts();
        let name = match &table.kind {
            Kind::Path(path) if path.root == Root::Here => path.text(),
            _ => String::new(),
        };
        let table = self.table(&name).and_then(|table| match lookup {
            Lookup::Reverse => table.reversed().ok().map(Arc::new),
            Lookup::Forward | Lookup::At => Some(table),
        });
        let Some(table) = table else {
            return Evaluated::one(Facts::never(), location);
        };
        let value = facts.clone().value();
        let mut found =
            Evaluated { parts: vec![(facts.nothing(), location.clone())], fails: one.fails };
        let mut lacks = false;
        let entries = match value.values() {
            Some(keys) => {
                let keys: Vec<String> =
                    keys.iter().filter_map(tables::key).map(|key| key.into_owned()).collect();
                let missing = keys.iter().filter(|key| !table.always_has(key));
                let missing: Vec<String> = missing.cloned().collect();
                lacks = !missing.is_empty();
                if default.is_none() && self.quiet == 0 {
                    self.missing(&place, &name, missing);
                }
                // Read backwards, no key of its own is looked up.
                self.used(
                    &name,
                    Some(&keys).filter(|_| lookup != Lookup::Reverse).map(Vec::as_slice),
                );
                let entries = table.all().filter(|(key, _)| keys.iter().any(|one| one == key));
                entries.map(|(_, value)| Facts::of(value)).collect::<Vec<Facts>>()
            }
            None => {
                lacks |= value.may_be_value();
                self.used(&name, None);
                if default.is_none() && value.may_be_value() {
                    let message = format!(
                        "the source does not list its values, so table `{name}` may lack one"
                    );
                    self.may_fail(&codes::TABLE_MAY_LACK, place, message);
                }
                table.all().map(|(_, value)| Facts::of(value)).collect()
            }
        };
        let entries = entries.into_iter().fold(Facts::never(), Facts::or);
        found.parts.push((entries, location));
        match default {
            Some(default) if lacks || self.broken => {
                let other = self.eval(source, default, scope);
                found.fails |= other.fails;
                found.parts.extend(other.parts);
            }
            Some(_) => {}
            None => found.fails |= lacks,
        }
        found.parts.retain(|(facts, _)| !facts.is_never());
        found
    }
}

fn is_listed_date(texts: &Texts) -> bool {
    texts.only.as_ref().is_some_and(|only| only.iter().all(|text| has_form("date", text)))
}

/// Runs a function when its arguments are few known values.
fn run(function: &'static Function, arguments: &[Facts]) -> Option<Given> {
    let mut all: Vec<Vec<Value>> = vec![Vec::new()];
    for argument in arguments {
        let values = argument.values()?;
        if values.len() * all.len() > MAX_RUN {
            return None;
        }
        all = all
            .iter()
            .flat_map(|before| {
                values.iter().map(move |value| [before.as_slice(), &[value.clone()]].concat())
            })
            .collect();
    }
    let mut given = Given::always(Facts::never());
    for values in &all {
        match functions::apply(function.name, values)? {
            Ok(Some(value)) => given.facts = given.facts.or(Facts::of(&value)),
            Ok(None) => given.facts.absent = true,
            Err(fail) if fail.code == &codes::LIMIT => return None,
            // The detail names kinds only; the value itself stays out of it.
            Err(fail) => given.fails = Some(fail.detail),
        }
    }
    Some(given)
}

/// Whether the two may be equal, and whether they may differ.
fn equality(a: &Facts, b: &Facts) -> (bool, bool) {
    if let (Some(left), Some(right)) = (a.values(), b.values()) {
        let equal = left.iter().any(|value| b.may_be(value));
        let differ = !(left.len() == 1 && right.len() == 1 && equal);
        return (equal, differ);
    }
    let listed = |one: &Facts, other: &Facts| {
        one.values().map(|values| values.iter().any(|value| other.may_be(value)))
    };
    let equal = listed(a, b).or_else(|| listed(b, a)).unwrap_or_else(|| {
        let kinds = b.kinds();
        let number = |kind: &&str| matches!(*kind, "integer" | "number");
        a.kinds()
            .iter()
            .any(|kind| kinds.contains(kind) || (number(kind) && kinds.iter().any(|k| number(k))))
    });
    (equal, true)
}

/// Whether an order may hold, and whether it may not.
fn ordered(operator: Operator, a: &Facts, b: &Facts) -> (bool, bool) {
    let only_numbers = |facts: &Facts| {
        !facts.numbers.is_empty()
            && Facts { numbers: Vec::new(), absent: false, ..facts.clone() }.is_never()
    };
    if !only_numbers(a) || !only_numbers(b) {
        return (true, true);
    }
    let range = |facts: &Facts| {
        let least = facts.numbers.iter().map(|one| one.least).fold(f64::INFINITY, f64::min);
        let most = facts.numbers.iter().map(|one| one.most).fold(f64::NEG_INFINITY, f64::max);
        (least, most)
    };
    let ((al, am), (bl, bm)) = (range(a), range(b));
    match operator {
        Operator::Less => (al < bm, am >= bl),
        Operator::LessOrEqual => (al <= bm, am > bl),
        Operator::Greater => (am > bl, al <= bm),
        _ => (am >= bl, al < bm),
    }
}

impl Accepts {
    /// The part of what may come that a parameter admits.
    pub(crate) fn part_of(self, facts: &Facts) -> Facts {
        let mut part = facts.clone();
        let fits = |name: &str| self.admits_type(name);
        if !fits("string") {
            part.texts.clear();
        }
        if !fits("integer") && !fits("number") {
            part.numbers.clear();
        }
        if !fits("boolean") {
            (part.yes, part.no) = (false, false);
        }
        if !fits("array") {
            part.arrays.clear();
        }
        if !fits("object") {
            part.objects.clear();
        }
        match self {
            Accepts::NonEmpty => {
                part.texts = part.texts.iter().filter_map(|one| one.and(&at_least(1))).collect();
            }
            Accepts::Character => {
                let one = |texts: &crate::mapping::facts::Texts| {
                    texts.and(&at_least(1).with_length(1, Some(1)))
                };
                part.texts = part.texts.iter().filter_map(one).collect();
            }
            Accepts::Integer => part.numbers.retain(crate::mapping::facts::Numbers::is_exact),
            Accepts::Count => part
                .numbers
                .retain(|one| one.is_exact() && one.least >= 0.0 && one.most <= 10_000.0),
            _ => {}
        }
        part
    }
}

fn at_least(count: usize) -> crate::mapping::facts::Texts {
    crate::mapping::facts::Texts::of_length(count, None)
}
