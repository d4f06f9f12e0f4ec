//! `Tree`: a document that borrows its texts. `Node`: one place of a document, whatever holds it.
//!
//! A message is read, checked, mapped and written without copying its texts: the reader gives a
//! tree that borrows from the bytes, a mapping gives one that borrows from its source. Everything
//! that only looks at a document takes a `Node`, so a `serde_json::Value` serves as well.

use serde_json::{Map, Number, Value};
use std::borrow::Cow;

/// A document, or a part of one.
#[derive(Clone, Debug, Default)]
pub enum Tree<'a> {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<Tree<'a>>),
    /// An object.
    Object(Members<'a>),
    /// What stands somewhere else.
    Borrowed(Node<'a>),
    /// An array or object that was made as a value.
    Owned(Box<Value>),
}

/// The members of an object, in order, each name once.
#[derive(Clone, Debug, Default)]
pub struct Members<'a> {
    all: Vec<Member<'a>>,
}

#[derive(Clone, Debug)]
struct Member<'a> {
    mark: u64,
    name: Cow<'a, str>,
    tree: Tree<'a>,
}

/// One place of a document.
#[derive(Clone, Copy, Debug)]
pub enum Node<'v> {
    /// In a value.
    Value(&'v Value),
    /// In a tree.
    Tree(&'v Tree<'v>),
}

/// What stands at a place.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'v> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(&'v Number),
    /// A text.
    Text(&'v str),
    /// An array.
    Array(Elements<'v>),
    /// An object.
    Object(Fields<'v>),
}

/// The elements of an array.
#[derive(Clone, Copy, Debug)]
pub enum Elements<'v> {
    /// Of a value.
    Values(&'v [Value]),
    /// Of a tree.
    Trees(&'v [Tree<'v>]),
}

/// The members of an object.
#[derive(Clone, Copy, Debug)]
pub enum Fields<'v> {
    /// Of a value.
    Map(&'v Map<String, Value>),
    /// Of a tree.
    Members(&'v Members<'v>),
}

impl<'a> Tree<'a> {
    /// The place that is the tree itself.
    pub fn node(&self) -> Node<'_> {
        Node::Tree(self)
    }

    /// A text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Tree<'a> {
        Tree::Text(text.into())
    }

    /// The document as a value; texts that are borrowed are copied.
    pub fn into_value(self) -> Value {
        match self {
            Tree::Null => Value::Null,
            Tree::Bool(flag) => Value::Bool(flag),
            Tree::Number(number) => Value::Number(number),
            Tree::Text(text) => Value::String(text.into_owned()),
            Tree::Array(elements) => elements.into_iter().map(Tree::into_value).collect(),
            Tree::Object(members) => {
                let named = |member: Member| (member.name.into_owned(), member.tree.into_value());
                Value::Object(members.all.into_iter().map(named).collect())
            }
            Tree::Borrowed(node) => node.to_value(),
            Tree::Owned(value) => *value,
        }
    }

    /// The document with copies of all it borrows.
    pub fn into_owned(self) -> Tree<'static> {
        match self {
            Tree::Text(text) => Tree::Text(Cow::Owned(text.into_owned())),
            other => Tree::from(other.into_value()),
        }
    }

    /// The document as a value, copied only if it is none yet.
    pub fn into_cow(self) -> Cow<'a, Value> {
        match self {
            Tree::Borrowed(Node::Value(value)) => Cow::Borrowed(value),
            other => Cow::Owned(other.into_value()),
        }
    }
}

impl From<Value> for Tree<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Tree::Null,
            Value::Bool(flag) => Tree::Bool(flag),
            Value::Number(number) => Tree::Number(number),
            Value::String(text) => Tree::Text(Cow::Owned(text)),
            other => Tree::Owned(Box::new(other)),
        }
    }
}

impl<'a> From<Cow<'a, Value>> for Tree<'a> {
    fn from(value: Cow<'a, Value>) -> Self {
        match value {
            Cow::Borrowed(value) => Tree::Borrowed(Node::Value(value)),
            Cow::Owned(value) => value.into(),
        }
    }
}

impl<'a> Members<'a> {
    /// No members yet, with room for some.
    pub fn with_capacity(count: usize) -> Self {
        Members { all: Vec::with_capacity(count) }
    }

    /// Adds a member; that its name is new is the caller's to know.
    pub fn push(&mut self, name: impl Into<Cow<'a, str>>, tree: Tree<'a>) {
        let name = name.into();
        self.all.push(Member { mark: mark(&name), name, tree });
    }

    /// The member of that name.
    pub fn get(&self, name: &str) -> Option<&Tree<'a>> {
        let mark = mark(name);
        let same = |member: &&Member| member.mark == mark && member.name == name;
        self.all.iter().find(same).map(|member| &member.tree)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &Cow<'a, str>> {
        self.all.iter().map(|member| &member.name)
    }
}

/// Eight bytes that differ for most names that differ: length, beginning and end.
fn mark(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let ends = match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => {
            u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(24)
        }
        _ => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    ends ^ (bytes.len() as u64) << 56
}

impl<'v> From<&'v Value> for Node<'v> {
    fn from(value: &'v Value) -> Self {
        Node::Value(value)
    }
}

impl<'v> From<&'v Tree<'_>> for Node<'v> {
    fn from(tree: &'v Tree<'_>) -> Self {
        Node::Tree(tree)
    }
}

impl<'v> Node<'v> {
    /// What stands here.
    pub fn kind(self) -> Kind<'v> {
        match self {
            Node::Value(value) => Kind::of(value),
            Node::Tree(tree) => match tree {
                Tree::Null => Kind::Null,
                Tree::Bool(flag) => Kind::Bool(*flag),
                Tree::Number(number) => Kind::Number(number),
                Tree::Text(text) => Kind::Text(text),
                Tree::Array(elements) => Kind::Array(Elements::Trees(elements)),
                Tree::Object(members) => Kind::Object(Fields::Members(members)),
                Tree::Borrowed(node) => node.kind(),
                Tree::Owned(value) => Kind::of(value),
            },
        }
    }

    /// The text, if it is one.
    pub fn as_str(self) -> Option<&'v str> {
        match self.kind() {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The flag, if it is one.
    pub fn as_bool(self) -> Option<bool> {
        match self.kind() {
            Kind::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(self) -> Option<Elements<'v>> {
        match self.kind() {
            Kind::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The members, if it is an object.
    pub fn as_object(self) -> Option<Fields<'v>> {
        match self.kind() {
            Kind::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// A copy as a value.
    pub fn to_value(self) -> Value {
        if let Node::Value(value) = self {
            return value.clone();
        }
        match self.kind() {
            Kind::Null => Value::Null,
            Kind::Bool(flag) => Value::Bool(flag),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.to_owned()),
            Kind::Array(elements) => elements.iter().map(Node::to_value).collect(),
            Kind::Object(fields) => {
                fields.iter().map(|(name, node)| (name.to_owned(), node.to_value())).collect()
            }
        }
    }

    /// As a value, copied only if it is none yet.
    pub fn to_cow(self) -> Cow<'v, Value> {
        match self {
            Node::Value(value) => Cow::Borrowed(value),
            Node::Tree(Tree::Borrowed(node)) => node.to_cow(),
            Node::Tree(Tree::Owned(value)) => Cow::Borrowed(value),
            Node::Tree(_) => Cow::Owned(self.to_value()),
        }
    }
}

/// As `Value` compares: members in any order, a number equal to one written alike.
impl PartialEq for Node<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.kind(), other.kind()) {
            (Kind::Null, Kind::Null) => true,
            (Kind::Bool(left), Kind::Bool(right)) => left == right,
            (Kind::Number(left), Kind::Number(right)) => left == right,
            (Kind::Text(left), Kind::Text(right)) => left == right,
            (Kind::Array(left), Kind::Array(right)) => {
                left.len() == right.len() && left.iter().eq(right.iter())
            }
            (Kind::Object(left), Kind::Object(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(name, node)| right.get(name) == Some(node))
            }
            _ => false,
        }
    }
}

impl<'v> Kind<'v> {
    fn of(value: &'v Value) -> Kind<'v> {
        match value {
            Value::Null => Kind::Null,
            Value::Bool(flag) => Kind::Bool(*flag),
            Value::Number(number) => Kind::Number(number),
            Value::String(text) => Kind::Text(text),
            Value::Array(elements) => Kind::Array(Elements::Values(elements)),
            Value::Object(members) => Kind::Object(Fields::Map(members)),
        }
    }
}

impl<'v> Elements<'v> {
    /// How many there are.
    pub fn len(self) -> usize {
        match self {
            Elements::Values(values) => values.len(),
            Elements::Trees(trees) => trees.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The one at that index, from 0.
    pub fn get(self, index: usize) -> Option<Node<'v>> {
        match self {
            Elements::Values(values) => values.get(index).map(Node::Value),
            Elements::Trees(trees) => trees.get(index).map(Node::Tree),
        }
    }

    /// All of them, in order.
    pub fn iter(self) -> ElementsIter<'v> {
        ElementsIter(match self {
            Elements::Values(values) => AnyElements::Values(values.iter()),
            Elements::Trees(trees) => AnyElements::Trees(trees.iter()),
        })
    }
}

impl<'v> Fields<'v> {
    /// How many there are.
    pub fn len(self) -> usize {
        match self {
            Fields::Map(map) => map.len(),
            Fields::Members(members) => members.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The member of that name.
    pub fn get(self, name: &str) -> Option<Node<'v>> {
        match self {
            Fields::Map(map) => map.get(name).map(Node::Value),
            Fields::Members(members) => members.get(name).map(Node::Tree),
        }
    }

    /// For asking after members that mostly stand in the order in which they are asked for.
    pub fn in_turn(self) -> InTurn<'v> {
        InTurn { fields: self, next: self.iter() }
    }

    /// All of them, in order.
    pub fn iter(self) -> FieldsIter<'v> {
        FieldsIter(match self {
            Fields::Map(map) => AnyFields::Map(map.iter()),
            Fields::Members(members) => AnyFields::Members(members.all.iter()),
        })
    }
}

/// Elements, in order.
#[derive(Clone, Debug)]
pub struct ElementsIter<'v>(AnyElements<'v>);

#[derive(Clone, Debug)]
enum AnyElements<'v> {
    Values(std::slice::Iter<'v, Value>),
    Trees(std::slice::Iter<'v, Tree<'v>>),
}

impl<'v> Iterator for ElementsIter<'v> {
    type Item = Node<'v>;

    fn next(&mut self) -> Option<Node<'v>> {
        match &mut self.0 {
            AnyElements::Values(values) => values.next().map(Node::Value),
            AnyElements::Trees(trees) => trees.next().map(Node::Tree),
        }
    }
}

/// Members with their names, in order.
#[derive(Clone, Debug)]
pub struct FieldsIter<'v>(AnyFields<'v>);

#[derive(Clone, Debug)]
enum AnyFields<'v> {
    Map(serde_json::map::Iter<'v>),
    Members(std::slice::Iter<'v, Member<'v>>),
}

impl<'v> Iterator for FieldsIter<'v> {
    type Item = (&'v str, Node<'v>);

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            AnyFields::Map(map) => {
                map.next().map(|(name, value)| (name.as_str(), Node::Value(value)))
            }
            AnyFields::Members(members) => {
                members.next().map(|member| (member.name.as_ref(), Node::Tree(&member.tree)))
            }
        }
    }
}

/// Finds members by name, at once where they stand in the order of the questions.
#[derive(Clone, Debug)]
pub struct InTurn<'v> {
    fields: Fields<'v>,
    next: FieldsIter<'v>,
}

impl<'v> InTurn<'v> {
    /// The member of that name.
    pub fn get(&mut self, name: &str) -> Option<Node<'v>> {
        let mut next = self.next.clone();
        if let Some((found, node)) = next.next()
            && found == name
        {
            self.next = next;
            return Some(node);
        }
        self.fields.get(name)
    }
}
