//! Whether a schema admits everything that may come, and what it refuses of it.

use crate::mapping::facts::exclude::excludes;
use crate::mapping::facts::language;
use crate::mapping::facts::{Arrays, Facts, Numbers, Objects, Rest, Texts};
use crate::schema::{Choice, Condition, Shape, has_form};
use serde_json::Value;
use std::sync::Arc;

/// Into how many pieces one place is cut to decide a choice.
const MAX_PIECES: usize = 64;

/// One thing a schema may refuse.
#[derive(Clone, Debug)]
pub(crate) struct Refusal<'s> {
    /// The place: member names, `None` for an element of an array.
    pub path: Vec<Option<Arc<str>>>,
    /// What is refused.
    pub why: Why,
    /// The part of the schema that refuses it.
    pub shape: &'s Shape,
}

/// Why something is refused.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Why {
    /// A required member may be absent.
    Absent,
    /// It may be null.
    Null,
    /// It may be nil with a reason.
    Nil,
    /// It may be of a kind that is not admitted.
    Kind(&'static str),
    /// It may be a value that is not listed; which, when it is known.
    NotListed(Option<Value>),
    /// It may have more characters: how many (when known), and how many are admitted.
    TooLong(Option<usize>, usize),
    /// It may have fewer characters: how many, and how many are needed.
    TooShort(usize, usize),
    /// The pattern may not be found in it.
    Pattern(String),
    /// It may not have the format or the check digit.
    Form(String),
    /// The number may be too small: how small, and what is admitted.
    TooSmall(f64, f64),
    /// The number may be too large.
    TooLarge(f64, f64),
    /// The number may not be whole.
    NotWhole,
    /// The number may not be a multiple.
    Step(f64),
    /// The array may have fewer elements.
    TooFew(usize, usize),
    /// The array may have more elements.
    TooMany(Option<usize>, usize),
    /// The object may have a member that is not declared.
    Undeclared,
    /// None of the alternatives is certain to hold.
    NoOption,
    /// More than one alternative of `oneOf` may hold.
    TwoOptions,
    /// A keyword demands what is not followed here.
    Beyond(String),
    /// Nothing may stand here.
    Nothing,
}

/// What `shape` may refuse of `facts`; absence is the business of what is around them.
pub(crate) fn refusals<'s>(facts: &Facts, shape: &'s Shape) -> Vec<Refusal<'s>> {
    let mut found = Vec::new();
    admit(facts, shape, &[], &mut found);
    found
}

/// Whether everything is admitted.
pub(crate) fn admits(facts: &Facts, shape: &Shape) -> bool {
    refusals(facts, shape).is_empty()
}

type Path<'p> = &'p [Option<Arc<str>>];

fn refuse<'s>(why: Why, shape: &'s Shape, path: Path<'_>, found: &mut Vec<Refusal<'s>>) {
    let one = Refusal { path: path.to_vec(), why, shape };
    if !found.iter().any(|known| known.path == one.path && known.why == one.why) {
        found.push(one);
    }
}

fn admit<'s>(facts: &Facts, shape: &'s Shape, path: Path<'_>, found: &mut Vec<Refusal<'s>>) {
    if !facts.may_be_present() {
        return;
    }
    if shape.refused {
        refuse(Why::Nothing, shape, path, found);
        return;
    }
    let may = |name: &str| shape.types.is_empty() || shape.types.iter().any(|one| one == name);
    let mut no = |why: Why| refuse(why, shape, path, found);
    if facts.null && !(may("null") && listed(&Value::Null, shape)) {
        no(Why::Null);
    }
    for (comes, flag) in [(facts.yes, true), (facts.no, false)] {
        if comes && !may("boolean") {
            no(Why::Kind("boolean"));
        } else if comes && !listed(&Value::Bool(flag), shape) {
            no(Why::NotListed(Some(Value::Bool(flag))));
        }
    }
    for texts in &facts.texts {
        if may("string") { text(texts, shape, &mut no) } else { no(Why::Kind("string")) }
    }
    for numbers in &facts.numbers {
        match (may("number"), may("integer")) {
            (false, false) => no(Why::Kind(if numbers.whole { "integer" } else { "number" })),
            (any, _) => {
                if !any && !numbers.whole {
                    no(Why::NotWhole);
                }
                number(numbers, shape, &mut no);
            }
        }
    }
    if shape.bounds.beyond.iter().any(|keyword| keyword == "not") {
        no(Why::Beyond("not".to_owned()));
    }
    for arrays in &facts.arrays {
        if may("array") {
            array(arrays, shape, path, found);
        } else {
            refuse(Why::Kind("array"), shape, path, found);
        }
    }
    for nil in &facts.nils {
        let mut inside = Vec::new();
        if may("object") {
            object(nil, shape, path, &mut inside);
        }
        if !may("object") || !inside.is_empty() {
            refuse(Why::Nil, shape, path, found);
        }
    }
    for one in &facts.objects {
        if may("object") {
            object(one, shape, path, found);
        } else {
            refuse(Why::Kind("object"), shape, path, found);
        }
    }
    for choice in &shape.choices {
        facts.pieces().iter().for_each(|piece| choose(piece, choice, shape, path, found, true));
    }
    for condition in &shape.conditions {
        facts.pieces().iter().for_each(|piece| decide(piece, condition, path, found, true));
    }
}

fn listed(value: &Value, shape: &Shape) -> bool {
    shape.allowed.as_ref().is_none_or(|allowed| {
        allowed.iter().any(|one| match (one, value) {
            (Value::Number(one), Value::Number(value)) => {
                crate::mapping::functions::numbers(one, value).is_eq()
            }
            _ => one == value,
        })
    })
}

fn text(texts: &Texts, shape: &Shape, no: &mut impl FnMut(Why)) {
    let bounds = &shape.bounds;
    if shape.allowed.is_some() {
        match &texts.only {
            Some(only) => {
                let bad = only.iter().map(|text| Value::from(text.as_str()));
                bad.filter(|value| !listed(value, shape))
                    .for_each(|value| no(Why::NotListed(Some(value))));
            }
            None => no(Why::NotListed(None)),
        }
    }
    if bounds.max_length.is_some_and(|longest| texts.most.is_none_or(|most| most > longest)) {
        no(Why::TooLong(texts.most, bounds.max_length.unwrap_or(0)));
    }
    if texts.least < bounds.min_length && !texts.has(&format!("^(?s:.){{{},}}$", bounds.min_length))
    {
        no(Why::TooShort(texts.least, bounds.min_length));
    }
    for pattern in &bounds.patterns {
        if !language::translate(pattern).is_some_and(|wanted| texts.has(&wanted)) {
            no(Why::Pattern(pattern.clone()));
        }
    }
    for form in &bounds.forms {
        let known = texts.has_form(form)
            || (form == "atena-number" && texts.has("^[0-9]{15}$"))
            || texts.only.as_ref().is_some_and(|only| only.iter().all(|text| has_form(form, text)));
        if !known {
            no(Why::Form(form.clone()));
        }
    }
}

fn number(numbers: &Numbers, shape: &Shape, no: &mut impl FnMut(Why)) {
    let bounds = &shape.bounds;
    if shape.allowed.is_some() {
        match numbers.values() {
            Some(values) => {
                let bad = values.into_iter().filter(|value| !listed(value, shape));
                bad.for_each(|value| no(Why::NotListed(Some(value))));
            }
            None => no(Why::NotListed(None)),
        }
    }
    let least = [
        bounds.minimum.filter(|bound| numbers.least < *bound),
        bounds.above.filter(|bound| numbers.least <= *bound),
    ];
    for bound in least.into_iter().flatten() {
        no(Why::TooSmall(numbers.least, bound));
    }
    let most = [
        bounds.maximum.filter(|bound| numbers.most > *bound),
        bounds.below.filter(|bound| numbers.most >= *bound),
    ];
    for bound in most.into_iter().flatten() {
        no(Why::TooLarge(numbers.most, bound));
    }
    for step in &bounds.steps {
        let whole = numbers.whole && step.abs() == 1.0;
        let each = numbers.only.as_ref().is_some_and(|only| {
            step.fract() == 0.0
                && only.iter().all(|one| one.as_f64().is_some_and(|value| value % step == 0.0))
        });
        if !whole && !each && !numbers.steps.contains(step) {
            no(Why::Step(*step));
        }
    }
}

fn array<'s>(arrays: &Arrays, shape: &'s Shape, path: Path<'_>, found: &mut Vec<Refusal<'s>>) {
    let bounds = &shape.bounds;
    if shape.allowed.is_some() {
        refuse(Why::NotListed(None), shape, path, found);
    }
    if arrays.least < bounds.min_items {
        refuse(Why::TooFew(arrays.least, bounds.min_items), shape, path, found);
    }
    if let Some(max) = bounds.max_items.filter(|max| arrays.most.is_none_or(|most| most > *max)) {
        refuse(Why::TooMany(arrays.most, max), shape, path, found);
    }
    for keyword in &bounds.beyond {
        let few = arrays.most.is_some_and(|most| most <= 1) && keyword == "uniqueItems";
        if matches!(keyword.as_str(), "contains" | "uniqueItems" | "unevaluatedItems") && !few {
            refuse(Why::Beyond(keyword.clone()), shape, path, found);
        }
    }
    if arrays.most == Some(0) {
        return;
    }
    let anything = Facts::any();
    let element = arrays.element.as_ref().unwrap_or(&anything);
    let inside: Vec<_> = path.iter().cloned().chain([None]).collect();
    let rest = shape.items.as_deref().filter(|_| {
        shape.prefix.is_empty() || arrays.most.is_none_or(|most| most > shape.prefix.len())
    });
    for shape in shape.prefix.iter().chain(rest) {
        admit(element, shape, &inside, found);
    }
}

fn object<'s>(facts: &Objects, shape: &'s Shape, path: Path<'_>, found: &mut Vec<Refusal<'s>>) {
    if shape.allowed.is_some() {
        refuse(Why::NotListed(None), shape, path, found);
    }
    let below = |name: &Arc<str>| -> Vec<_> {
        path.iter().cloned().chain([Some(Arc::clone(name))]).collect()
    };
    let dependent = shape.dependent.iter().filter(|(name, _)| facts.member(name).may_be_present());
    let needed = shape.required.iter().chain(dependent.flat_map(|(_, names)| names));
    let declared = shape.properties.iter().filter(|property| property.required);
    for name in needed.chain(declared.map(|property| &property.name)) {
        if facts.member(name).absent {
            refuse(Why::Absent, shape, &below(&Arc::from(name.as_str())), found);
        }
    }
    for keyword in &shape.bounds.beyond {
        if matches!(
            keyword.as_str(),
            "propertyNames" | "dependentSchemas" | "minProperties" | "maxProperties"
        ) {
            refuse(Why::Beyond(keyword.clone()), shape, path, found);
        }
    }
    for property in &shape.properties {
        let name: Arc<str> = Arc::from(property.name.as_str());
        admit(&facts.member(&name).present(), &property.shape, &below(&name), found);
    }
    let piece = Facts { objects: vec![Arc::new(facts.clone())], ..Facts::default() };
    for (name, member) in facts.members.iter().filter(|(_, member)| member.may_be_present()) {
        for (pattern, like) in &shape.named_like {
            if is_like(pattern, name) {
                admit(member, like, &below(name), found);
            }
        }
        for others in &shape.undeclared {
            let known = others.declared.iter().any(|one| **one == **name)
                || others.like.iter().any(|pattern| is_like(pattern, name));
            match &others.shape {
                _ if known => {}
                Some(shape) => admit(member, shape, &below(name), found),
                None => refuse(Why::Undeclared, shape, &below(name), found),
            }
        }
        if shape.evaluated_only && !evaluated(&piece, shape, name) {
            refuse(Why::Undeclared, shape, &below(name), found);
        }
    }
    rest(facts, shape, path, found);
}

/// Members without a name that is known.
fn rest<'s>(facts: &Objects, shape: &'s Shape, path: Path<'_>, found: &mut Vec<Refusal<'s>>) {
    let anything = Facts::any();
    let others = match &facts.rest {
        Rest::None => return,
        Rest::Any => &anything,
        Rest::Of(facts) => facts,
    };
    let name: Arc<str> = Arc::from("…");
    let below: Vec<_> = path.iter().cloned().chain([Some(name)]).collect();
    for (_, like) in &shape.named_like {
        admit(others, like, &below, found);
    }
    for undeclared in &shape.undeclared {
        match &undeclared.shape {
            Some(shape) => admit(others, shape, &below, found),
            None => refuse(Why::Undeclared, shape, &below, found),
        }
    }
    if shape.evaluated_only {
        refuse(Why::Undeclared, shape, &below, found);
    }
}

fn is_like(pattern: &str, name: &str) -> bool {
    // What cannot be told is taken as alike: then more is demanded, never less.
    let translated = language::translate(pattern);
    let matcher = translated.and_then(|text| regex_automata::meta::Regex::new(&text).ok());
    matcher.is_none_or(|matcher| matcher.is_match(name))
}

/// Whether `unevaluatedProperties` takes a name for known.
fn evaluated(piece: &Facts, shape: &Shape, name: &str) -> bool {
    let here = shape.properties.iter().any(|property| property.name == name)
        || shape.named_like.iter().any(|(pattern, _)| is_like(pattern, name))
        || shape.undeclared.iter().any(|others| others.shape.is_some());
    let chosen = || {
        shape
            .choices
            .iter()
            .flat_map(|choice| &choice.options)
            .any(|option| evaluated(piece, option, name) && admits(piece, option))
    };
    let decided = || {
        shape.conditions.iter().any(|condition| {
            let branch = |part: &Option<Shape>| {
                part.as_ref().is_some_and(|part| evaluated(piece, part, name))
            };
            (admits(piece, &condition.test)
                && (evaluated(piece, &condition.test, name) || branch(&condition.then)))
                || (excludes(piece, &condition.test) && branch(&condition.otherwise))
        })
    };
    here || chosen() || decided()
}

fn choose<'s>(
    piece: &Facts,
    choice: &'s Choice,
    around: &'s Shape,
    path: Path<'_>,
    found: &mut Vec<Refusal<'s>>,
    split: bool,
) {
    let mut holds = 0;
    let mut open: Vec<&Shape> = Vec::new();
    for option in &choice.options {
        if admits(piece, option) {
            holds += 1;
        } else if !excludes(piece, option) {
            open.push(option);
        }
    }
    if holds == 1 && (open.is_empty() || !choice.exactly_one) || holds > 1 && !choice.exactly_one {
        return;
    }
    let smaller = if split { piece.split() } else { Vec::new() };
    if smaller.len() > 1 {
        smaller.iter().for_each(|one| choose(one, choice, around, path, found, false));
        return;
    }
    if holds > 0 {
        refuse(Why::TwoOptions, around, path, found);
        return;
    }
    match open.as_slice() {
        [only] => admit(piece, only, path, found),
        [] => match choice.options.as_slice() {
            // Nothing fits: what the nearest one lacks is the most useful thing to say.
            [] => refuse(Why::Nothing, around, path, found),
            options => {
                let of = |option: &'s Shape| {
                    let mut inside = Vec::new();
                    admit(piece, option, path, &mut inside);
                    inside
                };
                let kinds = |all: &Vec<Refusal<'_>>| {
                    let kind = all
                        .iter()
                        .any(|one| one.path.len() == path.len() && matches!(one.why, Why::Kind(_)));
                    (kind, all.len())
                };
                let nearest = options.iter().map(of).min_by_key(kinds).unwrap_or_default();
                for one in nearest {
                    refuse(one.why, one.shape, &one.path, found);
                }
            }
        },
        several => {
            let same: Vec<Vec<Refusal<'s>>> =
                several.iter().map(|option| refusals_at(piece, option, path)).collect();
            match same.iter().min_by_key(|all| all.len()) {
                Some(fewest) if fewest.len() == 1 && several.len() == 1 => {
                    found.extend(fewest.iter().cloned());
                }
                _ => refuse(Why::NoOption, around, path, found),
            }
        }
    }
}

fn refusals_at<'s>(piece: &Facts, shape: &'s Shape, path: Path<'_>) -> Vec<Refusal<'s>> {
    let mut found = Vec::new();
    admit(piece, shape, path, &mut found);
    found
}

fn decide<'s>(
    piece: &Facts,
    condition: &'s Condition,
    path: Path<'_>,
    found: &mut Vec<Refusal<'s>>,
    split: bool,
) {
    let (yes, no) = (admits(piece, &condition.test), excludes(piece, &condition.test));
    let smaller = if split && !yes && !no { piece.split() } else { Vec::new() };
    if smaller.len() > 1 {
        smaller.iter().for_each(|one| decide(one, condition, path, found, false));
        return;
    }
    if let Some(then) = condition.then.as_ref().filter(|_| !no) {
        admit(piece, then, path, found);
    }
    if let Some(otherwise) = condition.otherwise.as_ref().filter(|_| !yes) {
        admit(piece, otherwise, path, found);
    }
}

impl Facts {
    /// The same as several, each of one kind and variant.
    pub(super) fn pieces(&self) -> Vec<Facts> {
        let one = Facts::default;
        let mut pieces = Vec::new();
        pieces.extend(self.null.then(|| Facts { null: true, ..one() }));
        pieces.extend(self.yes.then(|| Facts { yes: true, ..one() }));
        pieces.extend(self.no.then(|| Facts { no: true, ..one() }));
        pieces.extend(self.texts.iter().cloned().map(Facts::from));
        pieces.extend(self.numbers.iter().cloned().map(Facts::from));
        pieces.extend(self.arrays.iter().map(|a| Facts { arrays: vec![Arc::clone(a)], ..one() }));
        pieces.extend(self.nils.iter().map(|n| Facts { nils: vec![Arc::clone(n)], ..one() }));
        pieces.extend(self.objects.iter().map(|o| Facts { objects: vec![Arc::clone(o)], ..one() }));
        pieces
    }

    /// One piece as several by what its listed values and members can be.
    fn split(&self) -> Vec<Facts> {
        if let [object] = self.objects.as_slice() {
            let mut all = vec![object.as_ref().clone()];
            for (name, member) in &object.members {
                let mut parts: Vec<Facts> = Vec::new();
                let present = member.clone().present();
                if let Some(values) = present.values().filter(|values| values.len() <= 12) {
                    parts.extend(values.iter().map(|value| {
                        let mut one = Facts::of(value);
                        if let ([texts], [known]) =
                            (one.texts.as_mut_slice(), present.texts.as_slice())
                        {
                            texts.forms.clone_from(&known.forms);
                        }
                        one
                    }));
                } else if member.may_be_present() {
                    parts.push(present);
                }
                parts.extend(member.absent.then(Facts::absent));
                if parts.len() < 2 || all.len() * parts.len() > MAX_PIECES {
                    continue;
                }
                all = all
                    .iter()
                    .flat_map(|object| parts.iter().map(|part| object.with(name, part.clone())))
                    .collect();
            }
            return all
                .into_iter()
                .map(|object| Facts { objects: vec![Arc::new(object)], ..Facts::default() })
                .collect();
        }
        match self.values() {
            Some(values) if values.len() <= MAX_PIECES => values.iter().map(Facts::of).collect(),
            _ => Vec::new(),
        }
    }
}
