//! `Node`: a resolved schema as what a generator has to heed, with alternatives still open.

use super::chance::Chance;
use super::pattern::Pattern;
use crate::schema::validator;
use crate::schema::validator::Validator;
use serde_json::{Map, Number, Value};
use std::sync::Arc;

/// JSON types as a set; `NUMBER` is a number that is not whole.
pub(super) mod types {
    pub const NULL: u8 = 1;
    pub const BOOLEAN: u8 = 2;
    pub const INTEGER: u8 = 4;
    pub const NUMBER: u8 = 8;
    pub const STRING: u8 = 16;
    pub const ARRAY: u8 = 32;
    pub const OBJECT: u8 = 64;
    pub const ANY: u8 = 127;

    /// The set of one name.
    pub fn of(name: &str) -> u8 {
        match name {
            "null" => NULL,
            "boolean" => BOOLEAN,
            "integer" => INTEGER,
            "number" => INTEGER | NUMBER,
            "string" => STRING,
            "array" => ARRAY,
            "object" => OBJECT,
            _ => 0,
        }
    }
}

/// One place of a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub own: Constraints,
    /// Each of them has to be decided.
    pub choices: Vec<Choice>,
}

/// Something that can be met in more than one way.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    /// `oneOf`, `anyOf`.
    Branch(Vec<Arc<Node>>),
    /// `if`: either it holds and so does `then`, or it does not and `else` holds.
    If { condition: Arc<Node>, then: Arc<Node>, otherwise: Arc<Node> },
    /// `dependentSchemas`: either the member is there and so is this, or it is not.
    With { member: String, schema: Arc<Node> },
}

/// What undeclared members may be.
#[derive(Clone, Debug, Default)]
pub(super) enum Additional {
    #[default]
    Open,
    Never,
    Of(Arc<Node>),
}

/// A bound of a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub value: f64,
    pub exclusive: bool,
    /// The nearest whole number inside.
    pub whole: i128,
}

/// Everything without alternatives.
#[derive(Clone, Debug)]
pub(super) struct Constraints {
    pub never: bool,
    pub types: u8,
    pub allowed: Option<Vec<Value>>,
    pub low: Option<Bound>,
    pub high: Option<Bound>,
    pub multiples: Vec<Number>,
    pub min_length: Option<usize>,
    pub max_length: Option<usize>,
    pub patterns: Vec<Arc<Pattern>>,
    pub formats: Vec<String>,
    pub checks: Vec<String>,
    pub private_use: bool,
    pub properties: Vec<(String, Arc<Node>)>,
    pub named: Vec<(Arc<Pattern>, Arc<Node>)>,
    pub additional: Additional,
    pub unevaluated: Additional,
    pub names: Option<Arc<Node>>,
    pub required: Vec<String>,
    /// Members that must not be there, by a choice made.
    pub forbidden: Vec<String>,
    pub dependent: Vec<(String, Vec<String>)>,
    pub min_properties: usize,
    pub max_properties: usize,
    pub prefix: Vec<Arc<Node>>,
    pub items: Option<Arc<Node>>,
    pub contains: Vec<(Arc<Node>, usize)>,
    pub min_items: usize,
    pub max_items: usize,
    pub unique: bool,
    /// Tests what cannot be made right by construction (`oneOf`, `not`, `if`…).
    pub guards: Vec<Arc<Validator>>,
}

impl Default for Constraints {
    fn default() -> Self {
        Constraints {
            never: false,
            types: types::ANY,
            allowed: None,
            low: None,
            high: None,
            multiples: Vec::new(),
            min_length: None,
            max_length: None,
            patterns: Vec::new(),
            formats: Vec::new(),
            checks: Vec::new(),
            private_use: false,
            properties: Vec::new(),
            named: Vec::new(),
            additional: Additional::Open,
            unevaluated: Additional::Open,
            names: None,
            required: Vec::new(),
            forbidden: Vec::new(),
            dependent: Vec::new(),
            min_properties: 0,
            max_properties: usize::MAX,
            prefix: Vec::new(),
            items: None,
            contains: Vec::new(),
            min_items: 0,
            max_items: usize::MAX,
            unique: false,
            guards: Vec::new(),
        }
    }
}

impl Node {
    /// A schema without references.
    pub fn of(schema: &Value) -> Node {
        let Value::Object(members) = schema else {
            let never = schema == &Value::Bool(false);
            return Node {
                own: Constraints { never, ..Constraints::default() },
                choices: Vec::new(),
            };
        };
        let mut node = Node { own: Constraints::of(members), choices: Vec::new() };
        let list = |key: &str| members.get(key).and_then(Value::as_array);
        for key in ["oneOf", "anyOf"] {
            if let Some(branches) = list(key) {
                let branches = branches.iter().map(|branch| Arc::new(Node::of(branch)));
                node.choices.push(Choice::Branch(branches.collect()));
            }
        }
        if let Some(condition) = members.get("if") {
            let part = |key: &str| Arc::new(members.get(key).map(Node::of).unwrap_or_default());
            let condition = Arc::new(Node::of(condition));
            node.choices.push(Choice::If {
                condition,
                then: part("then"),
                otherwise: part("else"),
            });
        }
        if let Some(Value::Object(schemas)) = members.get("dependentSchemas") {
            for (member, schema) in schemas {
                let schema = Arc::new(Node::of(schema));
                node.choices.push(Choice::With { member: member.clone(), schema });
            }
        }
        for part in list("allOf").into_iter().flatten() {
            node = node.and(&Node::of(part));
        }
        const GUARDED: [&str; 7] = [
            "oneOf",
            "anyOf",
            "not",
            "if",
            "dependentSchemas",
            "contains",
            "unevaluatedProperties",
        ];
        if GUARDED.iter().any(|key| members.contains_key(*key)) {
            node.own.guards.extend(validator::compile(schema).ok().map(Arc::new));
        }
        node
    }

    /// What both say.
    pub fn and(mut self, other: &Node) -> Node {
        self.own = self.own.and(&other.own);
        self.choices.extend(other.choices.iter().cloned());
        self
    }

    /// The same with every choice made.
    pub fn decided(&self, chance: &mut Chance) -> Constraints {
        let mut decided = self.own.clone();
        for choice in &self.choices {
            match choice {
                Choice::Branch(branches) => {
                    if let Some(branch) = chance.pick(branches) {
                        decided = decided.and(&branch.decided(chance));
                    }
                }
                Choice::If { condition, then, otherwise } => {
                    if chance.one_in(2) {
                        decided = decided.and(&condition.decided(chance));
                        decided = decided.and(&then.decided(chance));
                    } else {
                        decided = decided.and(&otherwise.decided(chance));
                    }
                }
                Choice::With { member, schema } => {
                    if chance.one_in(2) {
                        decided.required.push(member.clone());
                        decided = decided.and(&schema.decided(chance));
                    } else {
                        decided.forbidden.push(member.clone());
                    }
                }
            }
        }
        decided
    }
}

fn both(left: &Arc<Node>, right: &Arc<Node>) -> Arc<Node> {
    Arc::new(Node::clone(left).and(right))
}

fn count(members: &Map<String, Value>, key: &str) -> Option<usize> {
    // `2.0` is a count as well as `2`.
    members.get(key).and_then(Value::as_f64).map(|count| count as usize)
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

impl Constraints {
    fn of(members: &Map<String, Value>) -> Constraints {
        let text = |key: &str| members.get(key).and_then(Value::as_str).map(str::to_owned);
        let node = |key: &str| members.get(key).map(|schema| Arc::new(Node::of(schema)));
        let mut own = Constraints {
            types: match members.get("type") {
                Some(Value::String(name)) => types::of(name),
                Some(Value::Array(names)) => {
                    names.iter().filter_map(Value::as_str).map(types::of).fold(0, |a, b| a | b)
                }
                _ => types::ANY,
            },
            low: bound(members, "minimum", "exclusiveMinimum", true),
            high: bound(members, "maximum", "exclusiveMaximum", false),
            min_length: count(members, "minLength"),
            max_length: count(members, "maxLength"),
            formats: text("format").into_iter().collect(),
            checks: text("x-check").into_iter().collect(),
            private_use: text("x-private-use").as_deref() == Some("allow"),
            additional: additional(members.get("additionalProperties")),
            unevaluated: additional(members.get("unevaluatedProperties")),
            names: node("propertyNames"),
            required: texts(members.get("required")),
            min_properties: count(members, "minProperties").unwrap_or(0),
            max_properties: count(members, "maxProperties").unwrap_or(usize::MAX),
            items: node("items"),
            min_items: count(members, "minItems").unwrap_or(0),
            max_items: count(members, "maxItems").unwrap_or(usize::MAX),
            unique: members.get("uniqueItems") == Some(&Value::Bool(true)),
            ..Constraints::default()
        };
        if let Some(Value::Array(list)) = members.get("enum") {
            own.allowed = Some(list.clone());
        }
        if let Some(only) = members.get("const") {
            own.allowed = Some(vec![only.clone()]);
        }
        if let Some(Value::Number(number)) = members.get("multipleOf") {
            own.multiples.push(number.clone());
        }
        own.patterns.extend(text("pattern").as_deref().and_then(Pattern::new).map(Arc::new));
        let maps = |key: &str| members.get(key).and_then(Value::as_object).into_iter().flatten();
        for (name, schema) in maps("properties") {
            own.properties.push((name.clone(), Arc::new(Node::of(schema))));
        }
        for (name, schema) in maps("patternProperties") {
            let pattern = Pattern::new(name).map(Arc::new);
            own.named.extend(pattern.map(|pattern| (pattern, Arc::new(Node::of(schema)))));
        }
        for (name, needed) in maps("dependentRequired") {
            own.dependent.push((name.clone(), texts(Some(needed))));
        }
        let prefix = members.get("prefixItems").and_then(Value::as_array).into_iter().flatten();
        own.prefix = prefix.map(|schema| Arc::new(Node::of(schema))).collect();
        if let Some(inner) = node("contains") {
            own.contains.push((inner, count(members, "minContains").unwrap_or(1)));
        }
        own
    }

    /// What both say.
    pub fn and(&self, other: &Constraints) -> Constraints {
        let mut all = self.clone();
        all.never |= other.never;
        all.types &= other.types;
        all.allowed = match (&self.allowed, &other.allowed) {
            (Some(left), Some(right)) => {
                Some(left.iter().filter(|value| right.contains(value)).cloned().collect())
            }
            (left, right) => left.clone().or_else(|| right.clone()),
        };
        let tighter = |left: Option<Bound>, right: Option<Bound>, low: bool| match (left, right) {
            (Some(a), Some(b)) => {
                let less = (a.value, !a.exclusive) < (b.value, !b.exclusive);
                Some(if less == low { b } else { a })
            }
            (a, b) => a.or(b),
        };
        all.low = tighter(self.low, other.low, true);
        all.high = tighter(self.high, other.high, false);
        all.min_length = self.min_length.max(other.min_length);
        all.max_length = match (self.max_length, other.max_length) {
            (Some(left), Some(right)) => Some(left.min(right)),
            (left, right) => left.or(right),
        };
        all.multiples.extend(other.multiples.iter().cloned());
        all.patterns.extend(other.patterns.iter().cloned());
        all.formats.extend(other.formats.iter().cloned());
        all.checks.extend(other.checks.iter().cloned());
        all.private_use |= other.private_use;
        all.required.extend(other.required.iter().cloned());
        all.forbidden.extend(other.forbidden.iter().cloned());
        all.dependent.extend(other.dependent.iter().cloned());
        all.min_properties = self.min_properties.max(other.min_properties);
        all.max_properties = self.max_properties.min(other.max_properties);
        all.contains.extend(other.contains.iter().cloned());
        all.min_items = self.min_items.max(other.min_items);
        all.max_items = self.max_items.min(other.max_items);
        all.unique |= other.unique;
        all.guards.extend(other.guards.iter().cloned());
        all.names = join(&self.names, &other.names);
        all.items = join(&self.items, &other.items);
        all.prefix = prefix(self, other);
        all.properties = properties(self, other);
        all.named.extend(other.named.iter().cloned());
        all.additional = self.additional.and(&other.additional);
        all.unevaluated = self.unevaluated.and(&other.unevaluated);
        all
    }

    /// What is said of an undeclared member of that name.
    pub fn undeclared(&self, name: &str) -> Additional {
        let mut said = Additional::Open;
        let mut matched = false;
        for (_, node) in self.named.iter().filter(|(pattern, _)| pattern.matches(name)) {
            said = said.and(&Additional::Of(Arc::clone(node)));
            matched = true;
        }
        if matched { said } else { self.additional.clone() }
    }
}

impl Additional {
    fn and(&self, other: &Additional) -> Additional {
        match (self, other) {
            (Additional::Never, _) | (_, Additional::Never) => Additional::Never,
            (Additional::Open, said) | (said, Additional::Open) => said.clone(),
            (Additional::Of(left), Additional::Of(right)) => Additional::Of(both(left, right)),
        }
    }
}

fn additional(schema: Option<&Value>) -> Additional {
    match schema {
        None | Some(Value::Bool(true)) => Additional::Open,
        Some(Value::Bool(false)) => Additional::Never,
        Some(schema) => Additional::Of(Arc::new(Node::of(schema))),
    }
}

fn join(left: &Option<Arc<Node>>, right: &Option<Arc<Node>>) -> Option<Arc<Node>> {
    match (left, right) {
        (Some(left), Some(right)) => Some(both(left, right)),
        (left, right) => left.clone().or_else(|| right.clone()),
    }
}

/// The declared members of both; what only one declares is for the other an undeclared one.
fn properties(left: &Constraints, right: &Constraints) -> Vec<(String, Arc<Node>)> {
    let find = |side: &Constraints, name: &str| {
        side.properties.iter().find(|(known, _)| known == name).map(|(_, node)| Arc::clone(node))
    };
    let against = |node: &Arc<Node>, other: &Constraints, name: &str| match (
        find(other, name),
        other.undeclared(name),
    ) {
        (Some(declared), _) => both(node, &declared),
        (None, Additional::Open) => Arc::clone(node),
        (None, Additional::Of(schema)) => both(node, &schema),
        (None, Additional::Never) => Arc::new(Node::of(&Value::Bool(false))),
    };
    let mut all: Vec<(String, Arc<Node>)> = Vec::new();
    for (name, node) in &left.properties {
        all.push((name.clone(), against(node, right, name)));
    }
    for (name, node) in &right.properties {
        if find(left, name).is_none() {
            all.push((name.clone(), against(node, left, name)));
        }
    }
    all
}

fn prefix(left: &Constraints, right: &Constraints) -> Vec<Arc<Node>> {
    let at = |side: &Constraints, index: usize| {
        side.prefix.get(index).cloned().or_else(|| side.items.clone())
    };
    (0..left.prefix.len().max(right.prefix.len()))
        .filter_map(|index| join(&at(left, index), &at(right, index)))
        .collect()
}

fn bound(members: &Map<String, Value>, key: &str, exclusive: &str, low: bool) -> Option<Bound> {
    let read = |key: &str, exclusive: bool| {
        let number = members.get(key)?.as_number()?;
        let value = number.as_f64()?;
        let exact = number.as_i128();
        let inside = if low { value.ceil() } else { value.floor() };
        let step = if low { 1 } else { -1 };
        let touches = exact.is_some() || inside == value;
        let whole = exact.unwrap_or(inside as i128) + if exclusive && touches { step } else { 0 };
        Some(Bound { value, exclusive, whole })
    };
    match (read(key, false), read(exclusive, true)) {
        (Some(open), Some(closed)) => {
            let tighter = if low { closed.value >= open.value } else { closed.value <= open.value };
            Some(if tighter { closed } else { open })
        }
        (open, closed) => open.or(closed),
    }
}
