//! Syntax: the text of an expression to a tree, every part with its bytes.
//!
//! ```text
//! expr    := or ( "??" or )*
//! or      := and ( "or" and )*      and := not ( "and" not )*      not := "not" not | cmp
//! cmp     := pipe ( ("==" | "!=" | "<" | "<=" | ">" | ">=") pipe | "in" "[" literals "]" )?
//! pipe    := primary ( "|" name [ "(" args ")" ] )*
//! primary := literal | path | name "(" args ")" | "(" expr ")"
//! path    := ( segment | "$" | "$name" | "_" ) ( "." segment | "[" int "]" )*
//! ```

use crate::mapping::path::Step;
use crate::model::Code;
use serde_json::Value;
use std::ops::Range;

mod lexer;
mod parser;

pub(crate) use parser::parse;

/// Longest expression, in bytes.
pub(crate) const MAX_BYTES: usize = 1024;

/// Deepest nesting of an expression.
pub(crate) const MAX_DEPTH: usize = 32;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub code: &'static Code,
    pub message: String,
    pub hint: Option<String>,
    pub span: Range<usize>,
}

/// A part of an expression and its bytes in the text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expression {
    pub kind: Kind,
    pub span: Range<usize>,
    /// Levels below, this one included: what running it recurses.
    pub height: usize,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// `"text"`, `12`, `true`, `null`.
    Literal(Value),
    /// `person.name`.
    Path(PathText),
    /// `name(…)` or `x | name(…)`.
    Call { name: String, name_span: Range<usize>, arguments: Vec<Expression> },
    /// `a ?? b ?? c`.
    Default(Vec<Expression>),
    /// `a or b`.
    Or(Vec<Expression>),
    /// `a and b`.
    And(Vec<Expression>),
    /// `not a`.
    Not(Box<Expression>),
    /// `a == b`.
    Compare { operator: Operator, left: Box<Expression>, right: Box<Expression> },
    /// `a in ["x", "y"]`.
    In { item: Box<Expression>, list: Vec<(Value, Range<usize>)> },
}

/// A path as written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PathText {
    pub root: Root,
    pub steps: Vec<(Step, Range<usize>)>,
}

/// Where a path begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Root {
    /// The document, or the element inside `each`.
    Here,
    /// `$`: the document, everywhere.
    Document,
    /// `$name`: a `let`, or `$meta`.
    Variable(String),
    /// `_`: the element itself.
    Element,
}

/// Comparison operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl PathText {
    /// The path as a person writes it, without its root.
    pub(crate) fn text(&self) -> String {
        steps_text(self.steps.iter().map(|(step, _)| step))
    }
}

/// Steps as a person writes them.
pub(crate) fn steps_text<'s>(steps: impl IntoIterator<Item = &'s Step>) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Field(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}
