//! Expressions over facts: what may come out, and what may go wrong on the way.

use crate::diagnostic::{Diagnostic, Location};
use crate::mapping::compile::prove::Prover;
use crate::mapping::compile::prove::scope::Scope;
use crate::mapping::compile::source::Source;
use crate::mapping::facts::Facts;
use crate::mapping::syntax::{Expression, Kind, Operator};
use crate::model::Code;
use crate::model::codes::mapping as codes;
use serde_json::Value;

/// What may come out of an expression.
#[derive(Clone, Default)]
pub(super) struct Evaluated {
    /// By the part of the expression that gives it.
    pub parts: Vec<(Facts, Location)>,
    /// Whether it may fail, other than by `reject`.
    pub fails: bool,
}

impl Evaluated {
    pub(super) fn one(facts: Facts, location: Location) -> Evaluated {
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
    pub(super) fn may_fail(&mut self, code: &'static Code, location: Location, message: String) {
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
            .any(|kind| kinds.contains(kind) || (number(kind) && kinds.iter().any(number)))
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
