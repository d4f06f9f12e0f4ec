//! What an expression sees while it is proved, and what conditions tell of it.

use crate::mapping::facts::{Case, Facts, Texts, pattern_of};
use crate::mapping::path::Step;
use crate::mapping::plan::MetaField;
use crate::mapping::syntax::{Expression, Kind, Operator, PathText, Root};
use serde_json::Value;
use std::sync::Arc;

/// What an expression sees.
#[derive(Clone)]
pub(super) struct Scope {
    pub document: Facts,
    /// The element of the innermost `each`; `None` outside of any.
    pub element: Option<Facts>,
    pub variables: Vec<(String, Facts)>,
    /// Whether the mapping makes the list request of a pull, which belongs to no message.
    pub pull: bool,
}

impl Scope {
    /// What a path leads to.
    pub(super) fn find(&self, path: &PathText) -> Facts {
        let steps = path.steps.iter().map(|(step, _)| step);
        let start = match &path.root {
            Root::Here | Root::Element => self.element.as_ref().unwrap_or(&self.document),
            Root::Document => &self.document,
            Root::Variable(name) if name == "meta" => return self.meta(&path.text()),
            Root::Variable(name) => {
                match self.variables.iter().rev().find(|(known, _)| known == name) {
                    Some((_, facts)) => facts,
                    None => return Facts { absent: true, ..Facts::any() },
                }
            }
        };
        steps.fold(start.clone(), |facts, step| match step {
            Step::Field(name) => facts.member(name),
            Step::Index(index) => facts.index(*index),
        })
    }

    fn meta(&self, name: &str) -> Facts {
        let id = || Facts::from(Texts::matching("^[A-Za-z0-9._-]{1,64}$"));
        let none = || Facts::of(&Value::from(""));
        let maybe = |facts: Facts| facts.or(Facts::absent());
        let any = || Facts::from(Texts::any());
        let field = MetaField::ALL.iter().find(|(known, _)| *known == name);
        match field.map(|(_, field)| field) {
            Some(MetaField::MessageId | MetaField::IdempotencyKey) if self.pull => none(),
            Some(MetaField::MessageId | MetaField::IdempotencyKey) => id(),
            Some(MetaField::CorrelationId) => maybe(id()),
            Some(MetaField::AcceptedAt) => {
                let pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\
                               (\\.[0-9]{3})?\\+09:00$";
                Texts::matching(pattern).with_form("date-time").with_form("instant").into()
            }
            Some(MetaField::AcceptedDate) => {
                Texts::matching(crate::mapping::facts::DATE).with_form("date").into()
            }
            Some(MetaField::MessageType | MetaField::Source) => any(),
            // What the gateway accepts; see `pipeline::accept`.
            Some(MetaField::Operator) => maybe(Texts::matching("^[ -~]{0,128}$").into()),
            Some(MetaField::Municipality | MetaField::Ticket) => maybe(any()),
            None => maybe(Facts::any()),
        }
    }

    /// The scope where a condition holds, or where it does not (is false, or nothing).
    pub(super) fn given(&self, condition: &Expression, holds: bool) -> Scope {
        let mut scope = self.clone();
        scope.narrow(condition, holds);
        scope
    }

    fn narrow(&mut self, condition: &Expression, holds: bool) {
        match &condition.kind {
            Kind::Path(path) => {
                let yes = Case::OneOf(vec![Value::Bool(true)]);
                self.assume(path, &if holds { yes } else { Case::NotTrue });
            }
            Kind::And(parts) if holds => parts.iter().for_each(|part| self.narrow(part, true)),
            Kind::Or(parts) if !holds => parts.iter().for_each(|part| self.narrow(part, false)),
            Kind::Not(part) => {
                // `not x` holds where x is false; where it does not, x may be nothing as well,
                // unless x always says yes or no.
                if holds || is_decided(part) {
                    self.narrow(part, !holds);
                }
            }
            Kind::Call { name, arguments, .. } => self.narrow_call(name, arguments, holds),
            Kind::Compare { operator: Operator::Equal, left, right } => {
                for (path, value) in [(left, right), (right, left)] {
                    if let (Kind::Path(path), Kind::Literal(value)) = (&path.kind, &value.kind) {
                        let values = vec![value.clone()];
                        if holds {
                            self.assume(path, &Case::OneOf(values));
                        }
                    }
                }
            }
            Kind::Compare { operator: Operator::NotEqual, left, right } if holds => {
                for (path, value) in [(left, right), (right, left)] {
                    if let (Kind::Path(path), Kind::Literal(value)) = (&path.kind, &value.kind)
                        && !value.is_null()
                    {
                        self.assume_not(path, value);
                    }
                }
            }
            Kind::Compare { operator, left, right } if holds => {
                self.narrow_length(*operator, left, right);
            }
            Kind::In { item, list } if holds => {
                if let Kind::Path(path) = &item.kind {
                    let values = list.iter().map(|(value, _)| value.clone()).collect();
                    self.assume(path, &Case::OneOf(values));
                }
            }
            _ => {}
        }
    }

    fn narrow_call(&mut self, name: &str, arguments: &[Expression], holds: bool) {
        let Some(Kind::Path(path)) = arguments.first().map(|first| &first.kind) else { return };
        match (name, holds) {
            ("present", true) => self.assume(path, &Case::Something),
            ("present", false) => self.assume(path, &Case::Nothing),
            (_, true) if name.starts_with("valid-") => {
                let form = name.trim_start_matches("valid-");
                if let Some(pattern) = pattern_of(form) {
                    let texts = Texts::matching(pattern).with_form(form);
                    self.assume(path, &Case::Also(texts));
                }
            }
            ("starts-with", true) => {
                if let Some(Kind::Literal(Value::String(start))) =
                    arguments.get(1).map(|second| &second.kind)
                {
                    let start = crate::mapping::facts::language::escape(start);
                    self.assume(path, &Case::Also(Texts::matching(&format!("^{start}"))));
                }
            }
            _ => {}
        }
    }

    /// `length(x) <= 10` and the like.
    fn narrow_length(&mut self, operator: Operator, left: &Expression, right: &Expression) {
        let (Kind::Call { name, arguments, .. }, Kind::Literal(bound)) = (&left.kind, &right.kind)
        else {
            return;
        };
        let Some(Kind::Path(path)) = arguments.first().map(|first| &first.kind) else { return };
        let bound = bound.as_u64().and_then(|bound| usize::try_from(bound).ok());
        let (Some(bound), "length") = (bound, name.as_str()) else { return };
        let texts = match operator {
            Operator::LessOrEqual => Texts::of_length(0, Some(bound)),
            Operator::Less => Texts::of_length(0, Some(bound.saturating_sub(1))),
            Operator::GreaterOrEqual => Texts::of_length(bound, None),
            Operator::Greater => Texts::of_length(bound + 1, None),
            _ => return,
        };
        self.assume(path, &Case::Also(texts));
    }

    fn assume_not(&mut self, path: &PathText, value: &Value) {
        // A null is not equal to a text, so only absence is ruled out for certain.
        let found = self.find(path);
        if !found.null && found.nils.is_empty() {
            self.assume(path, &Case::NoneOf(vec![value.clone()]));
        }
    }

    /// Takes what is said of a path for true.
    pub(super) fn assume(&mut self, path: &PathText, case: &Case) {
        let steps: Vec<Step> = path.steps.iter().map(|(step, _)| step.clone()).collect();
        let start = match &path.root {
            Root::Here | Root::Element => self.element.as_mut().unwrap_or(&mut self.document),
            Root::Document => &mut self.document,
            Root::Variable(name) => {
                match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
                    Some((_, facts)) => facts,
                    None => return,
                }
            }
        };
        *start = start.narrowed(&steps, case);
    }
}

/// Whether a condition is always true or false, never nothing.
fn is_decided(condition: &Expression) -> bool {
    matches!(&condition.kind, Kind::Call { name, .. } if name == "present")
}

/// What one place may be, case by case; `None` when there is but one case.
pub(super) fn cases(facts: &Facts, compared: &[Value]) -> Option<Vec<Case>> {
    const MOST: usize = 12;
    let mut cases = Vec::new();
    let value = facts.clone().value();
    match value.values() {
        Some(values) if values.len() <= MOST => {
            cases.extend(values.into_iter().map(|value| Case::OneOf(vec![value])));
        }
        _ => {
            let possible: Vec<Value> =
                compared.iter().filter(|one| value.may_be(one)).cloned().collect();
            if possible.is_empty() || possible.len() > MOST {
                cases.extend(value.may_be_value().then_some(Case::Something));
            } else {
                cases.extend(possible.iter().map(|one| Case::OneOf(vec![one.clone()])));
                cases.push(Case::NoneOf(possible));
            }
        }
    }
    cases.extend(facts.absent.then_some(Case::Absent));
    cases.extend((facts.null || !facts.nils.is_empty()).then_some(Case::Null));
    (cases.len() > 1).then_some(cases)
}

/// A place on which something depends, and the values it is compared with.
pub(super) struct Deciding {
    pub steps: Vec<Step>,
    pub compared: Vec<Value>,
    /// Whether only its absence matters, because it is refused then.
    pub refused: bool,
}

/// The places on which conditions and code tables depend: of the document, and of the element.
#[derive(Default)]
pub(super) struct Places {
    pub document: Vec<Deciding>,
    pub element: Vec<Deciding>,
}

/// Gathers them.
pub(super) struct Gather {
    pub places: Places,
    /// Whether a plain path starts at an element.
    pub inside: bool,
    /// The paths that variables stand for, with whether they start at the element.
    pub variables: Vec<(String, Option<(bool, Vec<Step>)>)>,
}

impl Gather {
    /// The place a path stands for: whether it starts at the element, and its steps.
    pub(super) fn place(&self, path: &PathText) -> Option<(bool, Vec<Step>)> {
        let steps = path.steps.iter().map(|(step, _)| step.clone());
        match &path.root {
            Root::Here | Root::Element => Some((self.inside, steps.collect())),
            Root::Document => Some((false, steps.collect())),
            Root::Variable(name) => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name)?;
                let (element, mut all) = known.1.clone()?;
                all.extend(steps);
                Some((element, all))
            }
        }
    }

    fn add(&mut self, path: &PathText, compared: &[Value], refused: bool) {
        let Some((element, steps)) = self.place(path) else { return };
        if steps.iter().any(|step| matches!(step, Step::Index(_))) {
            return;
        }
        let list = if element { &mut self.places.element } else { &mut self.places.document };
        match list.iter_mut().find(|known| known.steps == steps) {
            Some(known) => {
                known.refused &= refused;
                for value in compared {
                    if !known.compared.contains(value) {
                        known.compared.push(value.clone());
                    }
                }
            }
            None => list.push(Deciding { steps, compared: compared.to_vec(), refused }),
        }
    }

    /// Looks through an expression; `deciding` when something depends on its value.
    pub(super) fn expression(&mut self, expression: &Expression, deciding: bool) {
        match &expression.kind {
            Kind::Literal(_) => {}
            Kind::Path(path) if deciding => self.add(path, &[], false),
            Kind::Path(_) => {}
            Kind::Call { name, arguments, .. } => {
                for (index, argument) in arguments.iter().enumerate() {
                    let decides = match name.as_str() {
                        "if" | "code" | "code-at" | "code-of" | "has-code" => index == 0,
                        "present" => true,
                        _ => false,
                    };
                    // The name of a table is no path, and a condition about the elements of an
                    // array starts at one of those.
                    let apart = matches!(
                        name.as_str(),
                        "code"
                            | "code-at"
                            | "code-of"
                            | "has-code"
                            | "filter"
                            | "find"
                            | "any"
                            | "all"
                    );
                    if !(apart && index == 1) {
                        self.expression(argument, decides);
                    }
                }
            }
            Kind::Default(parts) => {
                let refuses = |part: &Expression| matches!(&part.kind, Kind::Call { name, .. } if name == "reject");
                for part in parts {
                    match &part.kind {
                        Kind::Path(path) if !deciding && parts.iter().any(refuses) => {
                            self.add(path, &[], true);
                        }
                        _ => self.expression(part, deciding),
                    }
                }
            }
            Kind::Or(parts) | Kind::And(parts) => {
                parts.iter().for_each(|part| self.expression(part, true));
            }
            Kind::Not(part) => self.expression(part, true),
            Kind::Compare { left, right, .. } => {
                for (one, other) in [(left, right), (right, left)] {
                    match (&one.kind, &other.kind) {
                        (Kind::Path(path), Kind::Literal(value)) => {
                            self.add(path, std::slice::from_ref(value), false);
                        }
                        _ => self.expression(one, false),
                    }
                }
            }
            Kind::In { item, list } => match &item.kind {
                Kind::Path(path) => {
                    let values: Vec<Value> = list.iter().map(|(value, _)| value.clone()).collect();
                    self.add(path, &values, false);
                }
                _ => self.expression(item, false),
            },
        }
    }
}

/// Every combination of cases of some places, as far as there are not too many: then the places
/// with the most cases are left undecided.
pub(super) fn combinations(
    facts: &Facts,
    places: &[Deciding],
    limit: usize,
) -> Vec<Vec<(Arc<[Step]>, Case)>> {
    let mut split: Vec<(bool, Arc<[Step]>, Vec<Case>)> = places
        .iter()
        .filter_map(|place| {
            let found = place.steps.iter().fold(facts.clone(), |facts, step| match step {
                Step::Field(name) => facts.member(name),
                Step::Index(index) => facts.index(*index),
            });
            let steps = Arc::from(place.steps.as_slice());
            let cases = match place.refused {
                true if found.may_be_nothing() && found.may_be_value() => {
                    vec![Case::Something, Case::Nothing]
                }
                true => return None,
                false => cases(&found, &place.compared)?,
            };
            Some((place.refused, steps, cases))
        })
        .collect();
    split.sort_by_key(|(refused, _, cases)| (*refused, cases.len()));
    let mut count = 1;
    split.retain(|(_, _, cases)| {
        let fits = count * cases.len() <= limit;
        count *= if fits { cases.len() } else { 1 };
        fits
    });
    split.iter().fold(vec![Vec::new()], |all, (_, steps, cases)| {
        all.iter()
            .flat_map(|before| {
                cases.iter().map(move |case| {
                    let mut one: Vec<(Arc<[Step]>, Case)> = before.clone();
                    one.push((Arc::clone(steps), case.clone()));
                    one
                })
            })
            .collect()
    })
}
