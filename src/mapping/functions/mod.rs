//! The functions of the mapping language: one table, from which checking, running and the
//! reference page come.
//!
//! Every function is total over the kinds its parameters admit: it gives a value or fails with a
//! code. No value flows through: absent, null and nil (`{"$nil": …}`) arguments never reach one.

use crate::mapping::facts::Gives;
use crate::model::Code;
use crate::model::codes::mapping as codes;
use serde_json::Value;
use std::borrow::Cow;

pub(crate) use array::too_many;
pub(crate) use code::{matches, numbers};
pub(crate) use date::{day, japan};
pub(crate) use pattern::written_date;

mod array;
mod calendar;
mod code;
mod date;
mod decimal;
mod fit;
mod identifier;
mod instant;
mod json_text;
mod kana;
mod number;
mod order;
mod partial;
mod pattern;
mod text;
mod width;

/// Longest text a function may give, in bytes.
pub(crate) const MAX_TEXT: usize = 1 << 20;

/// Most elements of an array result.
pub(crate) const MAX_ELEMENTS: usize = 100_000;

/// Longest padding, in characters.
const MAX_PAD: u64 = 10_000;

/// One function.
#[derive(Debug)]
pub struct Function {
    /// The name in expressions.
    pub name: &'static str,
    /// What it takes; a pipe gives the first.
    pub parameters: &'static [Parameter],
    /// How many of the last parameters may be left out.
    pub optional: usize,
    /// Whether the last parameter may be repeated.
    pub variadic: bool,
    /// What it gives.
    pub returns: Returns,
    /// Whether the result tells what its first argument said, so that its data class flows on.
    pub carries: bool,
    /// One line for people.
    pub doc: &'static str,
    /// Expressions with their result as JSON, `absent`, or the code they fail with.
    pub examples: &'static [(&'static str, &'static str)],
    /// What it gives for what is known of its arguments, before any message came.
    pub(crate) gives: Gives,
    pub(crate) call: Call,
}

/// One parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Its name in the signature.
    pub name: &'static str,
    /// What it admits.
    pub kind: Accepts,
}

/// What a parameter admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// Any value.
    Any,
    /// A text.
    Text,
    /// A text with at least one character.
    NonEmpty,
    /// A text of one character.
    Character,
    /// A text or a number.
    TextOrNumber,
    /// A text, a number, true or false.
    Scalar,
    /// A whole number.
    Integer,
    /// A whole number from 0 to 10,000.
    Count,
    /// True or false.
    Condition,
    /// An array.
    Array,
    /// An array or a text.
    ArrayOrText,
    /// The name of a code table.
    Table,
    /// A literal text.
    Literal,
    /// One of these texts, as a literal.
    OneOf(&'static [&'static str]),
    /// The name of a member of each element, as a literal: `"lot"`, `"person.name"`.
    Field,
    /// A literal pattern of a date: `yyyy/MM/dd`, `GGGGE年M月d日`.
    DatePattern,
    /// A condition about one element: its paths start there, `_` is the element itself.
    PerElement,
}

/// What a function gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// An array.
    Array,
    /// Depends on the arguments.
    Any,
}

/// How a function runs.
#[derive(Clone, Copy)]
pub(crate) enum Call {
    /// Over evaluated arguments.
    Plain(for<'v> fn(Arguments<'v, '_>) -> Outcome<'v>),
    /// By the runner itself, which evaluates only what is needed.
    If,
    Present,
    Reject,
    Nil,
    Otherwise,
    Matching,
    Try,
    Code(Lookup),
    Select(Select),
}

/// How a code table is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// `code`: what stands for the value.
    Forward,
    /// `code-at`: what stands for the value on a day.
    At,
    /// `code-of`: the key whose entry the value is.
    Reverse,
}

/// What becomes of the elements that satisfy a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Select {
    /// `filter`: they are the result.
    Every,
    /// `find`: the first is the result.
    First,
    /// `any`: whether there is one.
    Any,
    /// `all`: whether each element is one.
    All,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Call")
    }
}

/// Why a function failed; the text names kinds, lengths and forms, never the value.
#[derive(Debug)]
pub(crate) struct Fail {
    pub code: &'static Code,
    pub detail: String,
}

/// A value of a function, or none.
pub(crate) type Outcome<'v> = Result<Option<Cow<'v, Value>>, Box<Fail>>;

/// Evaluated arguments of the kinds the parameters admit.
pub(crate) struct Arguments<'v, 'a> {
    pub first: Cow<'v, Value>,
    pub rest: &'a [Cow<'v, Value>],
}

impl<'v> Arguments<'v, '_> {
    fn get(&self, index: usize) -> &Value {
        match index.checked_sub(1) {
            None => &self.first,
            Some(index) => self.rest.get(index).map_or(&Value::Null, |value| value),
        }
    }

    fn text(&self, index: usize) -> &str {
        self.get(index).as_str().unwrap_or("")
    }

    fn integer(&self, index: usize) -> Result<i64, Box<Fail>> {
        let number = self.get(index).as_number().and_then(whole);
        number.ok_or_else(|| not_convertible("the number is too large"))
    }

    fn count(&self, index: usize) -> usize {
        self.get(index).as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    fn array(&self, index: usize) -> &[Value] {
        self.get(index).as_array().map_or(&[], Vec::as_slice)
    }

    /// The first argument as it came: nothing is copied.
    fn unchanged(self) -> Outcome<'v> {
        Ok(Some(self.first))
    }

    /// The first argument with its text changed; when the change borrows the whole text, nothing
    /// is copied.
    fn map(
        self,
        change: impl for<'t> FnOnce(&'t str) -> Result<Cow<'t, str>, Box<Fail>>,
    ) -> Outcome<'v> {
        let before = self.text(0);
        match change(before)? {
            Cow::Borrowed(after) if after.len() == before.len() => self.unchanged(),
            after => text(after.into_owned()),
        }
    }
}

fn text<'v>(text: impl Into<String>) -> Outcome<'v> {
    Ok(Some(Cow::Owned(Value::String(text.into()))))
}

fn value<'v>(value: impl Into<Value>) -> Outcome<'v> {
    Ok(Some(Cow::Owned(value.into())))
}

fn not_convertible(detail: impl Into<String>) -> Box<Fail> {
    Box::new(Fail { code: &codes::NOT_CONVERTIBLE, detail: detail.into() })
}

pub(crate) fn too_long() -> Box<Fail> {
    let detail = format!("a text would be longer than {MAX_TEXT} bytes");
    Box::new(Fail { code: &codes::LIMIT, detail })
}

/// A text that stops growing at the limit instead of filling the memory.
#[derive(Default)]
struct Growing(String);

impl Growing {
    fn push(&mut self, part: &str) -> Result<(), Box<Fail>> {
        if self.0.len() + part.len() > MAX_TEXT {
            return Err(too_long());
        }
        self.0.push_str(part);
        Ok(())
    }
}

/// The function of that name over these values; `None` when it is not one over values, or one of
/// them is not admitted.
pub(crate) fn apply(name: &str, values: &[Value]) -> Option<Result<Option<Value>, Box<Fail>>> {
    let function = find(name)?;
    let Call::Plain(call) = function.call else { return None };
    let admitted = |(index, value): (usize, &Value)| {
        function.parameter(index).is_some_and(|parameter| parameter.kind.admits(value))
    };
    if !values.iter().enumerate().all(admitted) {
        return None;
    }
    let (first, rest) = values.split_first()?;
    let rest: Vec<Cow<'_, Value>> = rest.iter().map(Cow::Borrowed).collect();
    let found = call(Arguments { first: Cow::Borrowed(first), rest: &rest });
    Some(found.map(|value| value.map(Cow::into_owned)))
}

/// A number with its digits; a whole one in one way only, so that 2.0 is `2`.
pub(crate) fn number_text(number: &serde_json::Number) -> Cow<'static, str> {
    match whole(number) {
        Some(whole) => whole.to_string().into(),
        None => number.to_string().into(),
    }
}

/// A whole number, however it is written, when binary floating point keeps it.
fn whole(number: &serde_json::Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_991.0;
    number.as_i64().or_else(|| {
        let value = number.as_f64().filter(|_| number.is_f64())?;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 53 bits")]
        (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i64)
    })
}

/// What a value is, in a word, with its length: safe to show.
pub(crate) fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "boolean".into(),
        Value::Number(_) => "number".into(),
        Value::String(text) => format!("string({})", text.chars().count()),
        Value::Array(elements) => format!("array({})", elements.len()),
        Value::Object(_) if is_nil(value) => "nil".into(),
        Value::Object(members) => format!("object({})", members.len()),
    }
}

/// Whether a value is a nil with a reason.
pub(crate) fn is_nil(value: &Value) -> bool {
    value.as_object().is_some_and(|members| members.len() == 1 && members.contains_key("$nil"))
}

impl Accepts {
    /// Whether a value may be given for such a parameter.
    pub(crate) fn admits(self, value: &Value) -> bool {
        match self {
            Accepts::Any | Accepts::Table => true,
            Accepts::Text | Accepts::Literal => value.is_string(),
            Accepts::OneOf(allowed) => value.as_str().is_some_and(|text| allowed.contains(&text)),
            Accepts::DatePattern => value.as_str().is_some_and(pattern::is_pattern),
            Accepts::Field => {
                value.as_str().is_some_and(|name| !name.split('.').any(str::is_empty))
            }
            Accepts::NonEmpty => value.as_str().is_some_and(|text| !text.is_empty()),
            Accepts::Character => value.as_str().is_some_and(|text| text.chars().count() == 1),
            Accepts::TextOrNumber => value.is_string() || value.is_number(),
            Accepts::Scalar => value.is_string() || value.is_number() || value.is_boolean(),
            Accepts::Integer => {
                let small =
                    |number: &serde_json::Number| number.is_u64() || whole(number).is_some();
                value.as_number().is_some_and(small)
            }
            Accepts::Count => value.as_u64().is_some_and(|n| n <= MAX_PAD),
            Accepts::Condition | Accepts::PerElement => value.is_boolean(),
            Accepts::Array => value.is_array(),
            Accepts::ArrayOrText => value.is_array() || value.is_string(),
        }
    }

    /// Whether a value of a JSON type may be admitted (`admits` then looks at the value).
    pub(crate) fn admits_type(self, name: &str) -> bool {
        match self {
            Accepts::Any | Accepts::Table => true,
            Accepts::Text
            | Accepts::Literal
            | Accepts::OneOf(_)
            | Accepts::Field
            | Accepts::DatePattern
            | Accepts::NonEmpty
            | Accepts::Character => name == "string",
            Accepts::TextOrNumber => matches!(name, "string" | "number" | "integer"),
            Accepts::Scalar => matches!(name, "string" | "number" | "integer" | "boolean"),
            Accepts::Integer | Accepts::Count => matches!(name, "number" | "integer"),
            Accepts::Condition | Accepts::PerElement => name == "boolean",
            Accepts::Array => name == "array",
            Accepts::ArrayOrText => matches!(name, "array" | "string"),
        }
    }

    /// Whether the argument has to be known when the mapping is loaded.
    pub(crate) fn is_literal(self) -> bool {
        matches!(self, Accepts::Literal | Accepts::OneOf(_) | Accepts::Field | Accepts::DatePattern)
    }

    /// The kind in words.
    pub(crate) fn words(self) -> Cow<'static, str> {
        if let Accepts::OneOf(allowed) = self {
            return Cow::Owned(format!("one of \"{}\"", allowed.join("\", \"")));
        }
        Cow::Borrowed(match self {
            Accepts::OneOf(_) | Accepts::Literal => "a literal text",
            Accepts::Field => "the name of a member, such as \"lot\" or \"person.name\"",
            Accepts::DatePattern => {
                "a pattern of yyyy MM M dd d GGGG GG G N ee e E and other signs"
            }
            Accepts::PerElement => "a condition about one element",
            Accepts::Any => "any value",
            Accepts::Text => "a text",
            Accepts::NonEmpty => "a text that is not empty",
            Accepts::Character => "a text of one character",
            Accepts::TextOrNumber => "a text or a number",
            Accepts::Scalar => "a text, a number, true or false",
            Accepts::Integer => "a whole number",
            Accepts::Count => "a whole number from 0 to 10000",
            Accepts::Condition => "true or false",
            Accepts::Array => "an array",
            Accepts::ArrayOrText => "an array or a text",
            Accepts::Table => "the name of a code table",
        })
    }
}

/// What a function is about, for the problem that is told when it may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// Dates and times.
    Date,
    /// Numbers.
    Number,
    /// Anything else.
    Other,
}

impl Function {
    /// What it is about.
    pub(crate) fn topic(&self) -> Topic {
        let among = |all: &[Function]| all.iter().any(|function| function.name == self.name);
        match () {
            () if among(date::FUNCTIONS) => Topic::Date,
            () if among(number::FUNCTIONS) => Topic::Number,
            () => Topic::Other,
        }
    }

    /// `pad-left(text, length, character)`; optional parameters end with `?`, repeated with `…`.
    pub fn signature(&self) -> String {
        let required = self.parameters.len() - self.optional.min(self.parameters.len());
        let mark = |index: usize| {
            if self.variadic && index + 1 == self.parameters.len() {
                "…"
            } else if index >= required {
                "?"
            } else {
                ""
            }
        };
        let names: Vec<String> = self
            .parameters
            .iter()
            .enumerate()
            .map(|(i, p)| format!("{}{}", p.name, mark(i)))
            .collect();
        format!("{}({})", self.name, names.join(", "))
    }

    /// Whether that many arguments may be given.
    pub(crate) fn takes(&self, count: usize) -> bool {
        let most = if self.variadic { usize::MAX } else { self.parameters.len() };
        count + self.optional >= self.parameters.len() && count <= most
    }

    /// The parameter an argument is for.
    pub(crate) fn parameter(&self, index: usize) -> Option<&'static Parameter> {
        let last = self.parameters.len().checked_sub(1)?;
        self.parameters.get(if self.variadic { index.min(last) } else { index })
    }
}

/// Every function, by topic.
pub fn all() -> impl Iterator<Item = &'static Function> {
    [
        code::FUNCTIONS,
        text::FUNCTIONS,
        width::FUNCTIONS,
        fit::FUNCTIONS,
        number::FUNCTIONS,
        decimal::FUNCTIONS,
        identifier::FUNCTIONS,
        date::FUNCTIONS,
        calendar::FUNCTIONS,
        pattern::FUNCTIONS,
        partial::FUNCTIONS,
        instant::FUNCTIONS,
        array::FUNCTIONS,
        order::FUNCTIONS,
        json_text::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// The function of a name.
pub fn find(name: &str) -> Option<&'static Function> {
    all().find(|function| function.name == name)
}

const fn parameter(name: &'static str, kind: Accepts) -> Parameter {
    Parameter { name, kind }
}

/// A function with everything at its most common setting, to be completed by `..`.
const fn plain(call: for<'v> fn(Arguments<'v, '_>) -> Outcome<'v>) -> Function {
    Function {
        name: "",
        parameters: &[],
        optional: 0,
        variadic: false,
        returns: Returns::Text,
        carries: true,
        doc: "",
        examples: &[],
        gives: Gives::Unknown,
        call: Call::Plain(call),
    }
}

pub(crate) fn wrong_type(detail: &str) -> Box<Fail> {
    Box::new(Fail { code: &codes::WRONG_TYPE, detail: detail.to_owned() })
}
