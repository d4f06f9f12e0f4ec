//! Facts under an assumption: what is left of them when something is known of one place.

use crate::mapping::facts::{Facts, Objects, Texts};
use crate::mapping::path::Step;
use serde_json::Value;
use std::sync::Arc;

/// What is assumed of a place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Case {
    /// It is not there.
    Absent,
    /// It is null or nil.
    Null,
    /// It is absent, null or nil.
    Nothing,
    /// It is a value: none of those.
    Something,
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is a value, but none of these.
    NoneOf(Vec<Value>),
    /// It is not `true`: false or nothing.
    NotTrue,
    /// It is a text that is also among these.
    Also(Texts),
}

impl Case {
    fn apply(&self, facts: &Facts) -> Facts {
        match self {
            Case::Absent => Facts { absent: facts.absent, ..Facts::default() },
            Case::Null => Facts { absent: false, ..facts.nothing() },
            Case::Nothing => facts.nothing(),
            Case::Something => facts.clone().value(),
            Case::NotTrue => Facts { yes: false, ..facts.clone() },
            Case::OneOf(values) => values.iter().filter(|value| facts.may_be(value)).fold(
                Facts::never(),
                |all, value| {
                    // A text keeps the forms it was known to have.
                    let mut one = Facts::of(value);
                    for texts in &mut one.texts {
                        if let [known] = facts.texts.as_slice() {
                            texts.forms.clone_from(&known.forms);
                        }
                    }
                    all.or(one)
                },
            ),
            Case::NoneOf(values) => facts.clone().value().without(values),
            Case::Also(also) => {
                let texts = facts.texts.iter().filter_map(|one| one.and(also)).collect();
                Facts { texts, ..Facts::default() }
            }
        }
    }
}

impl Facts {
    /// What is left when `case` holds of the place that `steps` lead to.
    pub(crate) fn narrowed(&self, steps: &[Step], case: &Case) -> Facts {
        let Some((step, rest)) = steps.split_first() else { return case.apply(self) };
        let Step::Field(name) = step else { return self.clone() };
        let narrow = |objects: &[Arc<Objects>]| -> Vec<Arc<Objects>> {
            let one = |object: &Arc<Objects>| {
                let member = object.member(name).narrowed(rest, case);
                (!member.is_never()).then(|| Arc::new(object.with(name, member)))
            };
            objects.iter().filter_map(one).collect()
        };
        let (nils, objects) = (narrow(&self.nils), narrow(&self.objects));
        let absence = matches!(case, Case::Absent | Case::Nothing | Case::NotTrue);
        if absence {
            // A path through what is no object leads nowhere.
            return Facts { nils, objects, ..self.clone() };
        }
        Facts { nils, objects, ..Facts::default() }
    }

    /// Whether this very value may come.
    pub(crate) fn may_be(&self, value: &Value) -> bool {
        match value {
            Value::Null => self.null,
            Value::Bool(true) => self.yes,
            Value::Bool(false) => self.no,
            Value::String(text) => self.texts.iter().any(|texts| texts.may_be(text)),
            Value::Number(number) => {
                let value = number.as_f64().unwrap_or(0.0);
                self.numbers.iter().any(|numbers| {
                    let listed = numbers.only.as_ref();
                    let among = |only: &Vec<serde_json::Number>| {
                        only.iter()
                            .any(|one| crate::mapping::functions::numbers(one, number).is_eq())
                    };
                    numbers.least <= value
                        && value <= numbers.most
                        && (!numbers.whole || super::is_whole(number))
                        && listed.is_none_or(among)
                })
            }
            Value::Array(_) => !self.arrays.is_empty(),
            Value::Object(_) => !self.objects.is_empty() || !self.nils.is_empty(),
        }
    }

    /// The same without some values, where values are listed.
    fn without(mut self, values: &[Value]) -> Facts {
        let listed = |text: &str| values.iter().any(|value| value.as_str() == Some(text));
        self.texts = self.texts.iter().filter_map(|one| one.retain(|text| !listed(text))).collect();
        self.yes &= !values.contains(&Value::Bool(true));
        self.no &= !values.contains(&Value::Bool(false));
        self
    }
}

impl Texts {
    /// Whether this very text may come.
    pub(crate) fn may_be(&self, text: &str) -> bool {
        let length = text.chars().count();
        let found = |pattern: &str| {
            regex_automata::meta::Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
        };
        self.only.as_ref().is_none_or(|only| only.contains(text))
            && self.least <= length
            && self.most.is_none_or(|most| length <= most)
            && self.patterns.iter().all(|pattern| found(pattern))
    }

    /// What is among both; `None` when there is no such text.
    pub(crate) fn and(&self, other: &Texts) -> Option<Texts> {
        let mut both = self.clone().with_length(other.least, other.most);
        for pattern in &other.patterns {
            both = both.with_pattern(Arc::clone(pattern));
        }
        for form in &other.forms {
            both = both.with_form(form);
        }
        both.only = match (&self.only, &other.only) {
            (None, None) => None,
            (Some(only), None) => {
                let forms = both.forms.clone();
                let kept: Vec<String> =
                    only.iter().filter(|text| other.may_be(text)).cloned().collect();
                return (!kept.is_empty()).then(|| Texts { forms, ..Texts::listed(kept) });
            }
            (_, Some(_)) => return other.and_listed(self),
        };
        (!both.is_never()).then_some(both)
    }

    fn and_listed(&self, other: &Texts) -> Option<Texts> {
        let only = self.only.as_ref()?;
        let kept: Vec<String> = only.iter().filter(|text| other.may_be(text)).cloned().collect();
        let mut forms = self.forms.clone();
        forms.extend(other.forms.iter().cloned());
        (!kept.is_empty()).then(|| Texts { forms, ..Texts::listed(kept) })
    }
}

impl Objects {
    /// The same with another member.
    pub(crate) fn with(&self, name: &str, facts: Facts) -> Objects {
        let mut object = self.clone();
        match object.members.iter_mut().find(|(known, _)| known.as_ref() == name) {
            Some((_, member)) => *member = facts,
            None => object.members.push((Arc::from(name), facts)),
        }
        object
    }
}
