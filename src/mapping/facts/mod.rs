//! `Facts`: what is known of a value before any message came. Checking a mapping evaluates every
//! rule over facts instead of values, so what holds of them holds of every message.
//!
//! Facts err on one side only: a value that can come is always among them. Each kind is a list of
//! variants, one of which applies, so that what belongs together stays together.

use crate::mapping::functions::Returns;
use serde_json::Value;
use std::sync::Arc;

pub(crate) mod admit;
pub(crate) mod language;
mod narrow;
mod number;
mod shape;
mod text;
pub(crate) mod transfer;

pub(crate) use narrow::Case;
pub(crate) use number::{EXACT, Numbers, is_whole};
pub(crate) use shape::{DATE, pattern_of};
pub(crate) use text::{MAX_LISTED, Texts};

/// Most variants of one kind; more are taken together.
const MAX_VARIANTS: usize = 48;

/// What is known of a value, or of its absence.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// It may not be there.
    pub absent: bool,
    /// It may be `null`.
    pub null: bool,
    /// It may be `true`.
    pub yes: bool,
    /// It may be `false`.
    pub no: bool,
    /// It may be one of these texts.
    pub texts: Vec<Texts>,
    /// It may be one of these numbers.
    pub numbers: Vec<Numbers>,
    /// It may be one of these arrays.
    pub arrays: Vec<Arc<Arrays>>,
    /// It may be nil with a reason: an object whose only member is `$nil`.
    pub nils: Vec<Arc<Objects>>,
    /// It may be one of these other objects.
    pub objects: Vec<Arc<Objects>>,
}

/// What is known of an array.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrays {
    /// Fewest elements.
    pub least: usize,
    /// Most elements.
    pub most: Option<usize>,
    /// What each element is; `None`: anything.
    pub element: Option<Facts>,
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Objects {
    /// Members by name; one that may be missing is so by its facts.
    pub members: Vec<(Arc<str>, Facts)>,
    /// Members of other names.
    pub rest: Rest,
}

/// What is known of members that are not named.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rest {
    /// There are none.
    None,
    /// There may be some, of any kind.
    Any,
    /// There may be some, each of this kind.
    Of(Box<Facts>),
}

/// What a function gives.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// What comes out where it does not fail.
    pub facts: Facts,
    /// Why it may fail, in words for the author; `None` when it cannot.
    pub fails: Option<String>,
}

/// What a function gives for facts of its arguments: none of them absent, null or nil, each of a
/// kind its parameter admits.
#[derive(Clone, Copy)]
pub(crate) enum Gives {
    /// What it `returns` says or nothing, and it may fail: the safe choice.
    Unknown,
    /// What the function tells.
    By(fn(&[Facts]) -> Given),
}

impl std::fmt::Debug for Gives {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Gives")
    }
}

impl Gives {
    /// What comes out for these arguments.
    pub(crate) fn given(self, returns: Returns, arguments: &[Facts]) -> Given {
        match self {
            Gives::By(tell) => tell(arguments),
            Gives::Unknown => {
                let fails = Some("it may not be convertible".to_owned());
                Given { facts: Facts::returned(returns).or(Facts::absent()), fails }
            }
        }
    }
}

impl Given {
    /// Always this.
    pub(crate) fn always(facts: impl Into<Facts>) -> Given {
        Given { facts: facts.into(), fails: None }
    }

    /// This, unless it fails.
    pub(crate) fn or_fails(facts: impl Into<Facts>, why: impl Into<String>) -> Given {
        Given { facts: facts.into(), fails: Some(why.into()) }
    }
}

impl From<Texts> for Facts {
    fn from(texts: Texts) -> Facts {
        Facts { texts: vec![texts], ..Facts::default() }
    }
}

impl From<Vec<Texts>> for Facts {
    fn from(texts: Vec<Texts>) -> Facts {
        Facts { texts, ..Facts::default() }.tidy()
    }
}

impl From<Numbers> for Facts {
    fn from(numbers: Numbers) -> Facts {
        Facts { numbers: vec![numbers], ..Facts::default() }
    }
}

impl From<Arrays> for Facts {
    fn from(arrays: Arrays) -> Facts {
        Facts { arrays: vec![Arc::new(arrays)], ..Facts::default() }
    }
}

impl Facts {
    /// No value comes, not even absence: what a rejection gives.
    pub(crate) fn never() -> Facts {
        Facts::default()
    }

    /// It is not there.
    pub(crate) fn absent() -> Facts {
        Facts { absent: true, ..Facts::default() }
    }

    /// Any value, but a value.
    pub(crate) fn any() -> Facts {
        let nil = Objects {
            members: vec![(Arc::from("$nil"), Facts::from(Texts::any()))],
            rest: Rest::None,
        };
        Facts {
            absent: false,
            null: true,
            yes: true,
            no: true,
            texts: vec![Texts::any()],
            numbers: vec![Numbers::any()],
            arrays: vec![Arc::new(Arrays { least: 0, most: None, element: None })],
            nils: vec![Arc::new(nil)],
            objects: vec![Arc::new(Objects { members: Vec::new(), rest: Rest::Any })],
        }
    }

    /// True or false.
    pub(crate) fn boolean() -> Facts {
        Facts { yes: true, no: true, ..Facts::default() }
    }

    /// What a declaration says.
    pub(crate) fn returned(returns: Returns) -> Facts {
        match returns {
            Returns::Text => Texts::any().into(),
            Returns::Integer => Numbers::whole(f64::NEG_INFINITY, f64::INFINITY).into(),
            Returns::Number => Numbers::any().into(),
            Returns::Boolean => Facts::boolean(),
            Returns::Array => Arrays { least: 0, most: None, element: None }.into(),
            Returns::Any => Facts { absent: true, ..Facts::any() },
        }
    }

    /// Exactly this value.
    pub(crate) fn of(value: &Value) -> Facts {
        match value {
            Value::Null => Facts { null: true, ..Facts::default() },
            Value::Bool(flag) => Facts { yes: *flag, no: !flag, ..Facts::default() },
            Value::String(text) => Texts::listed([text.clone()]).into(),
            Value::Number(number) => Numbers::listed(vec![number.clone()]).into(),
            Value::Array(elements) => Arrays {
                least: elements.len(),
                most: Some(elements.len()),
                element: Some(elements.iter().map(Facts::of).fold(Facts::never(), Facts::or)),
            }
            .into(),
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, value)| (Arc::from(name.as_str()), Facts::of(value)))
                    .collect();
                Facts::object(Objects { members, rest: Rest::None })
            }
        }
    }

    /// One object; nil when that is all it can be.
    pub(crate) fn object(object: Objects) -> Facts {
        let only_nil = object.members.iter().all(|(name, _)| name.as_ref() == "$nil");
        let nil = object.member("$nil");
        let certain = !nil.absent && only_nil && object.rest == Rest::None;
        let possible = !nil.is_never()
            && nil != Facts::absent()
            && object.members.iter().all(|(name, facts)| name.as_ref() == "$nil" || facts.absent);
        let nils = if possible {
            let members = vec![(Arc::from("$nil"), nil.present())];
            vec![Arc::new(Objects { members, rest: Rest::None })]
        } else {
            Vec::new()
        };
        let objects = if certain { Vec::new() } else { vec![Arc::new(object)] };
        Facts { nils, objects, ..Facts::default() }
    }

    /// Whether nothing can come.
    pub(crate) fn is_never(&self) -> bool {
        !self.absent && !self.may_be_present()
    }

    /// Whether a value, null or nil may come.
    pub(crate) fn may_be_present(&self) -> bool {
        self.null || !self.nils.is_empty() || self.may_be_value()
    }

    /// Whether a value may come that is neither null nor nil.
    pub(crate) fn may_be_value(&self) -> bool {
        self.yes
            || self.no
            || !(self.texts.is_empty()
                && self.numbers.is_empty()
                && self.arrays.is_empty()
                && self.objects.is_empty())
    }

    /// Whether it may be absent, null or nil.
    pub(crate) fn may_be_nothing(&self) -> bool {
        self.absent || self.null || !self.nils.is_empty()
    }

    /// The same, and it is there.
    pub(crate) fn present(mut self) -> Facts {
        self.absent = false;
        self
    }

    /// The same, and it is a value: neither absent nor null nor nil.
    pub(crate) fn value(mut self) -> Facts {
        self.absent = false;
        self.null = false;
        self.nils.clear();
        self
    }

    /// Only its absence, null and nil.
    pub(crate) fn nothing(&self) -> Facts {
        Facts { absent: self.absent, null: self.null, nils: self.nils.clone(), ..Facts::default() }
    }

    /// This or that.
    #[must_use]
    pub(crate) fn or(mut self, other: Facts) -> Facts {
        self.absent |= other.absent;
        self.null |= other.null;
        self.yes |= other.yes;
        self.no |= other.no;
        add(&mut self.texts, other.texts);
        add(&mut self.numbers, other.numbers);
        add(&mut self.arrays, other.arrays);
        add(&mut self.nils, other.nils);
        add(&mut self.objects, other.objects);
        self.tidy()
    }

    /// Takes together what became too much.
    fn tidy(mut self) -> Facts {
        let (listed, mut texts): (Vec<Texts>, Vec<Texts>) =
            self.texts.into_iter().partition(|one| one.only.is_some() && one.forms.is_empty());
        if let [_, _, ..] = listed.as_slice() {
            let all = listed.iter().flat_map(|one| one.only.iter().flat_map(|only| only.iter()));
            let all = Texts::listed(all.cloned());
            let few = all.only.as_ref().is_some_and(|only| only.len() <= MAX_LISTED);
            texts.insert(0, if few { all } else { Texts::of_length(all.least, all.most) });
        } else {
            texts.splice(0..0, listed);
        }
        if texts.len() > MAX_VARIANTS {
            let least = texts.iter().map(|one| one.least).min().unwrap_or(0);
            let most: Option<Vec<usize>> = texts.iter().map(|one| one.most).collect();
            texts = vec![Texts::of_length(least, most.and_then(|all| all.into_iter().max()))];
        }
        self.texts = texts;
        if self.numbers.len() > MAX_VARIANTS {
            self.numbers = vec![Numbers::any()];
        }
        if self.arrays.len() > MAX_VARIANTS {
            self.arrays = Facts::any().arrays;
        }
        if self.objects.len() > MAX_VARIANTS {
            self.objects = Facts::any().objects;
        }
        if self.nils.len() > MAX_VARIANTS {
            self.nils = Facts::any().nils;
        }
        self
    }

    /// What lies behind a name.
    pub(crate) fn member(&self, name: &str) -> Facts {
        let objects = self.nils.iter().chain(&self.objects);
        let found = objects.map(|object| object.member(name)).fold(Facts::never(), Facts::or);
        let other = self.absent
            || self.null
            || self.yes
            || self.no
            || !self.texts.is_empty()
            || !self.numbers.is_empty()
            || !self.arrays.is_empty();
        if other { found.or(Facts::absent()) } else { found }
    }

    /// What every element is, if it is an array.
    pub(crate) fn element(&self) -> Facts {
        let elements = self.arrays.iter().filter(|array| array.most != Some(0));
        elements
            .map(|array| array.element.clone().unwrap_or_else(Facts::any))
            .fold(Facts::never(), Facts::or)
    }

    /// What lies behind an index.
    pub(crate) fn index(&self, index: usize) -> Facts {
        let certain = self.arrays.iter().all(|array| array.least > index);
        let others = Facts { arrays: Vec::new(), ..self.clone() };
        let found = self.element();
        if certain && others.is_never() { found } else { found.or(Facts::absent()) }
    }

    /// All values it may have, when they are few; absence is not among them.
    pub(crate) fn values(&self) -> Option<Vec<Value>> {
        if !self.arrays.is_empty() || !self.objects.is_empty() || !self.nils.is_empty() {
            return None;
        }
        let mut values = Vec::new();
        for texts in &self.texts {
            values.extend(texts.only.as_ref()?.iter().cloned().map(Value::String));
        }
        for numbers in &self.numbers {
            values.extend(numbers.values()?);
        }
        values.extend(self.null.then_some(Value::Null));
        values.extend(self.yes.then_some(Value::Bool(true)));
        values.extend(self.no.then_some(Value::Bool(false)));
        Some(values)
    }

    /// The kinds it may have, in words: `text`, `a number`, …
    pub(crate) fn kinds(&self) -> Vec<&'static str> {
        [
            (self.null, "null"),
            (!self.nils.is_empty(), "nil"),
            (self.yes || self.no, "boolean"),
            (self.numbers.iter().any(|one| one.whole), "integer"),
            (self.numbers.iter().any(|one| !one.whole), "number"),
            (!self.texts.is_empty(), "string"),
            (!self.arrays.is_empty(), "array"),
            (!self.objects.is_empty(), "object"),
        ]
        .into_iter()
        .filter_map(|(may, name)| may.then_some(name))
        .collect()
    }
}

fn add<T: PartialEq>(into: &mut Vec<T>, other: Vec<T>) {
    for one in other {
        if !into.contains(&one) {
            into.push(one);
        }
    }
}

impl Objects {
    /// What lies behind a name.
    pub(crate) fn member(&self, name: &str) -> Facts {
        match self.members.iter().find(|(known, _)| known.as_ref() == name) {
            Some((_, facts)) => facts.clone(),
            None => match &self.rest {
                Rest::None => Facts::absent(),
                Rest::Any => Facts { absent: true, ..Facts::any() },
                Rest::Of(facts) => facts.as_ref().clone().or(Facts::absent()),
            },
        }
    }
}
