//! `Shape`: a schema resolved (`$ref` followed, `allOf` merged) into what checkers need to know.

use super::bounds::Bounds;
use super::file::escape;
use crate::model::json::Segment;
use serde_json::{Map, Value};

/// Data class of a field (`x-class`), ordered from harmless to strictest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Nothing personal.
    #[default]
    Plain,
    /// 個人情報: personal, but neither of the following.
    Personal,
    /// 要配慮個人情報: sensitive (medical).
    Sensitive,
    /// 特定個人情報: tied to a 個人番号.
    SpecificPersonal,
    /// The 個人番号 itself.
    MyNumber,
}

/// The values of `x-class`, in the order of [`Class`].
pub const CLASSES: &[&str] = &["plain", "個人情報", "要配慮", "特定個人情報", "個人番号"];

impl Class {
    /// The class of that name in `x-class`.
    pub fn from_name(name: &str) -> Option<Class> {
        match name {
            "plain" => Some(Class::Plain),
            "個人情報" => Some(Class::Personal),
            "要配慮" => Some(Class::Sensitive),
            "特定個人情報" => Some(Class::SpecificPersonal),
            "個人番号" => Some(Class::MyNumber),
            _ => None,
        }
    }

    /// Its name in `x-class`.
    pub fn name(self) -> &'static str {
        match self {
            Class::Plain => "plain",
            Class::Personal => "個人情報",
            Class::Sensitive => "要配慮",
            Class::SpecificPersonal => "特定個人情報",
            Class::MyNumber => "個人番号",
        }
    }
}

/// Of two values of `x-class` the stricter one.
pub(super) fn stricter(left: &Value, right: &Value) -> Value {
    let rank = |value: &Value| value.as_str().and_then(Class::from_name);
    if rank(left) > rank(right) { left.clone() } else { right.clone() }
}

/// What a schema says of one place in a document.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// JSON types allowed (`string`, `number`, `integer`, `boolean`, `object`, `array`, `null`);
    /// empty: any.
    pub types: Vec<String>,
    /// Named members, in the order of the file.
    pub properties: Vec<Property>,
    /// Whether undeclared members are allowed.
    pub open: bool,
    /// Shape of the elements of an array.
    pub items: Option<Box<Shape>>,
    /// Allowed values (`enum`, `const`), when listed.
    pub allowed: Option<Vec<serde_json::Value>>,
    /// Alternatives (`oneOf`/`anyOf`); a path exists if it exists in one of them.
    pub alternatives: Vec<Shape>,
    /// Longest string, in characters.
    pub max_length: Option<usize>,
    /// Fewest elements of an array.
    pub min_items: Option<usize>,
    /// Everything demanded of a single value or the size of an array, the two above included.
    pub bounds: Bounds,
    /// Names of the members that must be there, also those that are declared elsewhere.
    pub required: Vec<String>,
    /// Members that must be there when the first one is (`dependentRequired`).
    pub dependent: Vec<(String, Vec<String>)>,
    /// What `additionalProperties` says of undeclared members; of several all must hold.
    pub undeclared: Vec<Undeclared>,
    /// Whether members that nothing here declares are refused (`unevaluatedProperties`).
    pub evaluated_only: bool,
    /// Members whose name has a pattern (`patternProperties`).
    pub named_like: Vec<(String, Shape)>,
    /// The first elements of an array, each with a shape of its own (`prefixItems`).
    pub prefix: Vec<Shape>,
    /// Each `oneOf` and `anyOf` by itself; `alternatives` are the options of all of them.
    pub choices: Vec<Choice>,
    /// Each `if` with its `then` and `else`.
    pub conditions: Vec<Condition>,
    /// Whether nothing at all may stand here (`false`).
    pub refused: bool,
    /// Data class.
    pub class: Class,
    /// Legal item code (`x-item`).
    pub item: Option<String>,
    /// Title for people.
    pub title: Option<String>,
    /// Layout keywords of the codecs by name (`xml`, `x-json`, `x-xml`, `x-soap`, `x-csv`,
    /// `x-csv-name`, `x-fixed`, `x-private-use`), `x-repertoire` and `contentEncoding`.
    pub layout: Map<String, Value>,
}

/// What stands for members that are not declared beside it.
#[derive(Clone, Debug)]
pub struct Undeclared {
    /// The names declared beside it.
    pub declared: Vec<String>,
    /// The patterns of names beside it.
    pub like: Vec<String>,
    /// What all other members are; `None` when there must be none.
    pub shape: Option<Box<Shape>>,
}

/// One `oneOf` or `anyOf`.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Whether no second option may hold (`oneOf`).
    pub exactly_one: bool,
    /// The options.
    pub options: Vec<Shape>,
}

/// One `if`.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What is asked.
    pub test: Shape,
    /// What must hold if so.
    pub then: Option<Shape>,
    /// What must hold if not.
    pub otherwise: Option<Shape>,
}

/// One named member of an object.
#[derive(Clone, Debug)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Whether it must be there.
    pub required: bool,
    /// What it is.
    pub shape: Shape,
}

impl Shape {
    /// The member of that name, here or in one of the alternatives.
    pub fn property(&self, name: &str) -> Option<&Property> {
        let own = self.properties.iter().find(|property| property.name == name);
        own.or_else(|| self.alternatives.iter().find_map(|shape| shape.property(name)))
    }

    /// The shape of array elements, here or in one of the alternatives.
    pub fn element(&self) -> Option<&Shape> {
        let own = self.items.as_deref();
        own.or_else(|| self.alternatives.iter().find_map(Shape::element))
    }

    /// What may hold at this very place as well: alternatives, `then` and `else`.
    pub fn beside(&self) -> impl Iterator<Item = &Shape> {
        let branches = self.conditions.iter().flat_map(|one| [&one.then, &one.otherwise]);
        self.alternatives.iter().chain(branches.flatten())
    }

    /// Every shape directly inside this place: members, elements, and what stands for names that
    /// are not declared.
    pub fn within(&self) -> impl Iterator<Item = &Shape> {
        let members = self.properties.iter().map(|property| &property.shape);
        let elements = self.items.as_deref().into_iter().chain(&self.prefix);
        members.chain(elements).chain(self.unnamed())
    }

    /// What stands for members that have no name in the schema.
    pub fn unnamed(&self) -> impl Iterator<Item = &Shape> {
        let undeclared = self.undeclared.iter().filter_map(|one| one.shape.as_deref());
        self.named_like.iter().map(|(_, shape)| shape).chain(undeclared)
    }

    /// Whether values of that JSON type may stand here (an `integer` is a `number`).
    pub fn allows(&self, json_type: &str) -> bool {
        let listed = |name: &str| name == json_type || (name == "number" && json_type == "integer");
        let own = self.types.is_empty() || self.types.iter().any(|name| listed(name));
        own && (self.alternatives.is_empty()
            || self.alternatives.iter().any(|shape| shape.allows(json_type)))
    }

    /// A JSON pointer in which every name that this shape does not declare is `?`: what it hides
    /// could be data.
    pub fn pointer(&self, segments: &[Segment]) -> String {
        let mut text = String::new();
        let mut here = Some(self);
        for segment in segments {
            text.push('/');
            match segment {
                Segment::Index(index) => {
                    text.push_str(&index.to_string());
                    here = here.and_then(Shape::element);
                }
                Segment::Key(name) => {
                    let known = here.and_then(|shape| shape.property(name));
                    text.push_str(&known.map_or_else(|| "?".to_owned(), |_| escape(name)));
                    here = known.map(|property| &property.shape);
                }
            }
        }
        text
    }

    /// The shape of a schema without references.
    pub(super) fn of(schema: &Value) -> Shape {
        let Value::Object(members) = schema else {
            // `true` allows anything, `false` nothing.
            let none = (schema == &Value::Bool(false)).then(Vec::new);
            let refused = none.is_some();
            return Shape { open: !refused, allowed: none, refused, ..Shape::default() };
        };
        let mut shape = own(members);
        let all = members.get("allOf").and_then(Value::as_array);
        for part in all.into_iter().flatten() {
            merge(&mut shape, Shape::of(part));
        }
        for keyword in ["oneOf", "anyOf"] {
            let Some(list) = members.get(keyword).and_then(Value::as_array) else { continue };
            let options: Vec<Shape> = list.iter().map(Shape::of).collect();
            let telling = options.iter().filter(|part| part.says_something()).cloned();
            shape.alternatives.extend(telling);
            shape.choices.push(Choice { exactly_one: keyword == "oneOf", options });
        }
        if let Some(test) = members.get("if") {
            let part = |keyword: &str| members.get(keyword).map(Shape::of);
            let (then, otherwise) = (part("then"), part("else"));
            shape.conditions.push(Condition { test: Shape::of(test), then, otherwise });
        }
        let closed = ["additionalProperties", "unevaluatedProperties"]
            .iter()
            .any(|keyword| members.get(*keyword) == Some(&Value::Bool(false)));
        shape.open = !closed && (members.get("x-open") == Some(&Value::Bool(true)) || shape.open);
        if shape.types.is_empty()
            && shape.properties.is_empty()
            && shape.allowed.is_none()
            && shape.alternatives.is_empty()
            && !closed
        {
            shape.open = true; // `{}` and the like say nothing at all
        }
        shape
    }

    /// Branches such as `{"required": [..]}` restrict, but declare nothing.
    fn says_something(&self) -> bool {
        !self.types.is_empty()
            || !self.properties.is_empty()
            || !self.alternatives.is_empty()
            || self.items.is_some()
            || self.allowed.is_some()
            || !self.bounds.patterns.is_empty()
            || self.max_length.is_some()
            || self.class != Class::Plain
    }
}

fn holds(types: &[String], name: &str) -> bool {
    types.iter().any(|one| one == name)
}

/// What the keywords of one schema object say, its applicators for the same place left out.
fn own(members: &Map<String, Value>) -> Shape {
    let text = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
    let bounds = Bounds::of(members);
    let types = match members.get("type") {
        Some(Value::String(name)) => vec![name.clone()],
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    let required = members.get("required").and_then(Value::as_array);
    let required: Vec<&str> = required.into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = members.get("properties").and_then(Value::as_object);
    let mut properties: Vec<Property> = properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| Property {
            name: name.clone(),
            required: required.contains(&name.as_str()),
            shape: Shape::of(schema),
        })
        .collect();
    for name in required.iter().copied() {
        // Required here, declared in another part of an `allOf`: the merge joins the two.
        if members.get("type").is_some() && !properties.iter().any(|known| known.name == name) {
            let shape = Shape::default();
            properties.push(Property { name: name.to_owned(), required: true, shape });
        }
    }
    let listed = members.get("enum").and_then(Value::as_array).cloned();
    Shape {
        types,
        properties,
        open: members.get("x-open") == Some(&Value::Bool(true)),
        items: members.get("items").map(|schema| Box::new(Shape::of(schema))),
        allowed: members.get("const").map(|only| vec![only.clone()]).or(listed),
        alternatives: Vec::new(),
        max_length: bounds.max_length,
        min_items: Some(bounds.min_items).filter(|_| members.contains_key("minItems")),
        bounds,
        required: required.into_iter().map(str::to_owned).collect(),
        dependent: dependent(members),
        undeclared: undeclared(members),
        evaluated_only: members.get("unevaluatedProperties") == Some(&Value::Bool(false)),
        named_like: named_like(members),
        prefix: members
            .get("prefixItems")
            .and_then(Value::as_array)
            .map(|all| all.iter().map(Shape::of).collect())
            .unwrap_or_default(),
        choices: Vec::new(),
        conditions: Vec::new(),
        refused: false,
        class: text("x-class").and_then(|name| Class::from_name(&name)).unwrap_or_default(),
        item: text("x-item"),
        title: text("title"),
        layout: members
            .iter()
            .filter(|(name, _)| {
                matches!(
                    name.as_str(),
                    "xml"
                        | "x-json"
                        | "x-xml"
                        | "x-soap"
                        | "x-csv"
                        | "x-csv-name"
                        | "x-fixed"
                        | "x-private-use"
                        | "x-repertoire"
                        | "contentEncoding"
                )
            })
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    }
}

fn named_like(members: &Map<String, Value>) -> Vec<(String, Shape)> {
    let all = members.get("patternProperties").and_then(Value::as_object);
    all.into_iter().flatten().map(|(name, schema)| (name.clone(), Shape::of(schema))).collect()
}

fn dependent(members: &Map<String, Value>) -> Vec<(String, Vec<String>)> {
    let all = members.get("dependentRequired").and_then(Value::as_object);
    let names = |list: &Value| {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    all.into_iter().flatten().map(|(name, list)| (name.clone(), names(list))).collect()
}

fn undeclared(members: &Map<String, Value>) -> Vec<Undeclared> {
    let names = |keyword: &str| -> Vec<String> {
        let all = members.get(keyword).and_then(Value::as_object);
        all.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let shape = match members.get("additionalProperties") {
        None | Some(Value::Bool(true)) => return Vec::new(),
        Some(Value::Bool(false)) => None,
        Some(schema) => Some(Box::new(Shape::of(schema))),
    };
    vec![Undeclared { declared: names("properties"), like: names("patternProperties"), shape }]
}

/// Both must hold: types and allowed values in common, members of either.
pub(crate) fn merge(into: &mut Shape, other: Shape) {
    if into.types.is_empty() {
        into.types = other.types;
    } else if !other.types.is_empty() {
        // `number` and `integer` have `integer` in common.
        let narrower = |name: &String| name == "number" && holds(&other.types, "integer");
        let mut common = Vec::new();
        for name in &into.types {
            if holds(&other.types, name) || (name == "integer" && holds(&other.types, "number")) {
                common.push(name.clone());
            } else if narrower(name) {
                common.push("integer".to_owned());
            }
        }
        // An empty list would say "any": nothing in common is said by `refused`.
        into.refused |= common.is_empty();
        into.types = common;
    }
    for property in other.properties {
        match into.properties.iter_mut().find(|known| known.name == property.name) {
            Some(known) => {
                known.required |= property.required;
                merge(&mut known.shape, property.shape);
            }
            None => into.properties.push(property),
        }
    }
    into.open |= other.open;
    match (&mut into.items, other.items) {
        (Some(known), Some(items)) => merge(known, *items),
        (known @ None, items) => *known = items,
        _ => {}
    }
    match (&mut into.allowed, other.allowed) {
        (Some(known), Some(allowed)) => known.retain(|value| allowed.contains(value)),
        (known @ None, allowed) => *known = allowed,
        _ => {}
    }
    into.alternatives.extend(other.alternatives);
    into.max_length = match (into.max_length, other.max_length) {
        (Some(left), Some(right)) => Some(left.min(right)),
        (left, right) => left.or(right),
    };
    into.min_items = into.min_items.max(other.min_items);
    into.bounds.merge(other.bounds);
    for name in other.required {
        if !into.required.contains(&name) {
            into.required.push(name);
        }
    }
    into.dependent.extend(other.dependent);
    into.undeclared.extend(other.undeclared);
    into.evaluated_only |= other.evaluated_only;
    into.named_like.extend(other.named_like);
    into.prefix.extend(other.prefix);
    into.choices.extend(other.choices);
    into.conditions.extend(other.conditions);
    into.refused |= other.refused;
    into.class = into.class.max(other.class);
    into.item = into.item.take().or(other.item);
    into.title = into.title.take().or(other.title);
    for (name, value) in other.layout {
        into.layout.entry(name).or_insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_of_is_merged_and_alternatives_are_collected() {
        let shape = Shape::of(&json!({
            "type": "object",
            "required": ["a"],
            "unevaluatedProperties": false,
            "properties": {"b": {"type": "string", "maxLength": 5, "x-class": "個人情報"}},
            "allOf": [
                {"properties": {"a": {"type": "integer"}, "b": {"maxLength": 3}}, "required": ["b"]},
                {"if": {"required": ["c"]}, "then": {"required": ["a"]}}
            ],
            "oneOf": [{"properties": {"c": {"const": 1}}}, {"required": ["d"]}]
        }));
        assert!(!shape.open);
        assert_eq!(shape.alternatives.len(), 1);
        let b = shape.property("b").unwrap();
        assert_eq!((b.shape.max_length, b.shape.class), (Some(3), Class::Personal));
        assert!(shape.property("a").unwrap().required);
        assert!(shape.property("c").is_some());
    }

    #[test]
    fn undeclared_names_are_hidden_in_pointers() {
        let shape = Shape::of(&json!({
            "type": "object", "additionalProperties": false,
            "properties": {"a/b": {"type": "array", "items": {"type": "object",
                "additionalProperties": false, "properties": {"c": {}}}}}
        }));
        let key = |name: &str| Segment::Key(name.to_owned());
        let path = [key("a/b"), Segment::Index(2), key("c")];
        assert_eq!(shape.pointer(&path), "/a~1b/2/c");
        assert_eq!(shape.pointer(&[key("123456789018"), key("c")]), "/?/?");
    }
}
