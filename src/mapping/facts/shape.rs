//! Facts of what a schema admits: every value that is valid is among them.

use crate::mapping::facts::{Arrays, Facts, Numbers, Objects, Rest, Texts, language};
use crate::schema::{Bounds, Condition, Shape, merge_shapes};
use serde_json::Value;
use std::sync::Arc;

/// Most forms that choices and conditions of one place are told apart in.
const MAX_FORMS: usize = 48;

/// A date as `format: date` admits it, but for the length of its month.
pub(crate) const DATE: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";

/// A time as `format: date-time` admits it.
const DATE_TIME: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[Tt][0-9]{2}:[0-9]{2}:\
                         [0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$";

/// What a format or check digit says of the text, as a pattern.
pub(crate) fn pattern_of(form: &str) -> Option<&'static str> {
    match form {
        "date" => Some(DATE),
        "date-time" => Some(DATE_TIME),
        "my-number" => Some("^[0-9]{12}$"),
        "corporate-number" => Some("^[0-9]{13}$"),
        "municipality-code" => Some("^[0-9]{6}$"),
        "atena-number" => Some("^[0-9]{15}$"),
        _ => None,
    }
}

impl Facts {
    /// What may stand where a schema says this.
    pub(crate) fn admitted_by(shape: &Shape) -> Facts {
        forms(shape).iter().map(flat).fold(Facts::never(), Facts::or)
    }
}

/// A shape as several without choices and conditions, one of which holds.
fn forms(shape: &Shape) -> Vec<Shape> {
    let mut done = Vec::new();
    let mut open = vec![shape.clone()];
    while let Some(mut one) = open.pop() {
        if done.len() + open.len() > MAX_FORMS {
            // Too many: what holds of all of them is still true.
            let (choices, conditions) = (Vec::new(), Vec::new());
            return vec![Shape { choices, conditions, ..shape.clone() }];
        }
        if let Some(choice) = one.choices.pop() {
            for option in choice.options.into_iter().rev() {
                let mut chosen = one.clone();
                merge_shapes(&mut chosen, option);
                open.push(chosen);
            }
        } else if let Some(Condition { test, then, otherwise }) = one.conditions.pop() {
            let mut no = one.clone();
            exclude(&mut no, &test);
            let mut yes = one;
            merge_shapes(&mut yes, test);
            if let Some(then) = then {
                merge_shapes(&mut yes, then);
            }
            if let Some(otherwise) = otherwise {
                merge_shapes(&mut no, otherwise);
            }
            open.extend([no, yes]);
        } else {
            done.push(one);
        }
    }
    done
}

/// Takes out of a shape what a simple test holds of; others change nothing.
fn exclude(shape: &mut Shape, test: &Shape) {
    let simple = test.choices.is_empty()
        && test.conditions.is_empty()
        && test.undeclared.is_empty()
        && test.named_like.is_empty()
        && test.allowed.is_none()
        && test.bounds == Bounds::default()
        && test.types.iter().all(|name| name == "object");
    if !simple || !shape.types.iter().any(|name| name == "object") {
        return;
    }
    match (test.properties.as_slice(), test.required.as_slice()) {
        ([], [name]) => {
            let refused = Shape { refused: true, ..Shape::default() };
            match shape.properties.iter_mut().find(|property| property.name == *name) {
                Some(property) => property.shape = refused,
                None => shape.properties.push(crate::schema::Property {
                    name: name.clone(),
                    required: false,
                    shape: refused,
                }),
            }
        }
        ([asked], required) if required.iter().all(|name| *name == asked.name) => {
            let only_values = asked.shape.choices.is_empty()
                && asked.shape.conditions.is_empty()
                && asked.shape.bounds == Bounds::default()
                && asked.shape.properties.is_empty();
            let Some(values) = asked.shape.allowed.as_ref().filter(|_| only_values) else { return };
            if required.is_empty() && !shape.required.contains(&asked.name) {
                shape.required.push(asked.name.clone()); // absent, the test would hold
            }
            let known = shape.properties.iter_mut().find(|one| one.name == asked.name);
            if let Some(known) = known {
                if known.shape.allowed.is_none() && known.shape.types == ["boolean"] {
                    known.shape.allowed = Some(vec![Value::Bool(false), Value::Bool(true)]);
                }
                if let Some(allowed) = &mut known.shape.allowed {
                    allowed.retain(|value| !values.contains(value));
                }
            }
        }
        _ => {}
    }
}

fn flat(shape: &Shape) -> Facts {
    if shape.refused {
        return Facts::never();
    }
    let may = |name: &str| shape.types.is_empty() || shape.types.iter().any(|one| one == name);
    let mut facts = Facts::default();
    if let Some(allowed) = &shape.allowed {
        let kind = |value: &Value| match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if super::is_whole(number) => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let fitting = allowed
            .iter()
            .filter(|value| may(kind(value)) || (kind(value) == "integer" && may("number")));
        return fitting.map(Facts::of).fold(Facts::never(), Facts::or);
    }
    facts.null = may("null");
    facts.yes = may("boolean");
    facts.no = facts.yes;
    if may("string") {
        facts.texts.push(texts(&shape.bounds));
    }
    if may("number") || may("integer") {
        let numbers = numbers(&shape.bounds, !may("number"));
        facts.numbers.extend((!numbers.is_never()).then_some(numbers));
    }
    if may("array") {
        facts.arrays.extend(arrays(shape));
    }
    if may("object")
        && let Some(object) = object(shape)
    {
        facts = facts.or(Facts::object(object));
    }
    facts
}

fn texts(bounds: &Bounds) -> Texts {
    let mut texts = Texts::of_length(bounds.min_length, bounds.max_length);
    for pattern in &bounds.patterns {
        if let Some(pattern) = language::translate(pattern) {
            texts = texts.with_pattern(pattern);
        }
    }
    for form in &bounds.forms {
        texts = texts.with_form(form);
        if let Some(pattern) = pattern_of(form) {
            texts = texts.with_pattern(Arc::from(pattern));
        }
    }
    texts
}

fn numbers(bounds: &Bounds, whole: bool) -> Numbers {
    let above = bounds.above.map(|above| if whole { above.floor() + 1.0 } else { above });
    let below = bounds.below.map(|below| if whole { below.ceil() - 1.0 } else { below });
    let least = bounds.minimum.into_iter().chain(above).reduce(f64::max);
    let most = bounds.maximum.into_iter().chain(below).reduce(f64::min);
    let steps = bounds.steps.clone();
    let whole = whole || steps.iter().any(|step| *step >= 1.0 && step.fract() == 0.0);
    Numbers {
        least: least.unwrap_or(f64::NEG_INFINITY),
        most: most.unwrap_or(f64::INFINITY),
        whole,
        steps,
        only: None,
    }
}

fn arrays(shape: &Shape) -> Option<Arc<Arrays>> {
    let first = shape.prefix.iter().map(Facts::admitted_by);
    let items = shape.items.as_deref();
    let element = items.map(|items| first.fold(Facts::admitted_by(items), Facts::or));
    let (least, mut most) = (shape.bounds.min_items, shape.bounds.max_items);
    if shape.items.as_deref().is_some_and(|items| items.refused) {
        most = Some(most.map_or(shape.prefix.len(), |most| most.min(shape.prefix.len())));
    }
    let possible = most.is_none_or(|most| least <= most);
    possible.then(|| Arc::new(Arrays { least, most, element }))
}

fn object(shape: &Shape) -> Option<Objects> {
    let mut members: Vec<(Arc<str>, Facts)> = Vec::new();
    let refused = |name: &str| {
        shape.undeclared.iter().any(|others| {
            others.shape.is_none()
                && others.like.is_empty()
                && !others.declared.iter().any(|known| known == name)
        })
    };
    for property in &shape.properties {
        let mut facts = match refused(&property.name) {
            true => Facts::never(),
            false => Facts::admitted_by(&property.shape),
        };
        facts.absent = !(property.required || shape.required.contains(&property.name));
        if facts.is_never() {
            return None;
        }
        members.push((Arc::from(property.name.as_str()), facts));
    }
    let rest = rest(shape);
    for name in &shape.required {
        if members.iter().any(|(known, _)| known.as_ref() == name) {
            continue;
        }
        let facts = match &rest {
            _ if refused(name) => return None,
            Rest::Of(facts) => facts.as_ref().clone(),
            Rest::None if shape.evaluated_only => Facts::any(), // declared in a choice, perhaps
            Rest::None => return None,
            Rest::Any => Facts::any(),
        };
        members.push((Arc::from(name.as_str()), facts));
    }
    Some(Objects { members, rest })
}

fn rest(shape: &Shape) -> Rest {
    let mut rest = Rest::Any;
    for others in shape.undeclared.iter().filter(|others| others.like.is_empty()) {
        match &others.shape {
            None => return Rest::None,
            Some(shape) => rest = Rest::Of(Box::new(Facts::admitted_by(shape))),
        }
    }
    if shape.evaluated_only && shape.named_like.is_empty() && shape.undeclared.is_empty() {
        return Rest::None;
    }
    rest
}
