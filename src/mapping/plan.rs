//! Plan: a checked mapping, flat enough to run without looking anything up by name.

use crate::mapping::functions::{Function, Select};
use crate::mapping::path::Step;
use crate::mapping::syntax::Operator;
use crate::mapping::tables::Table;
use regex_automata::meta::Regex;
use serde_json::Value;
use std::sync::Arc;

/// A place in the mapping file: line and column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub line: usize,
    pub column: usize,
}

/// One operation of an expression.
#[derive(Debug)]
pub(crate) enum Op {
    Literal(Value),
    /// From the document, wherever it stands.
    Document(Box<[Step]>),
    /// From the element of the innermost `each` (the document outside of any).
    Here(Box<[Step]>),
    /// From a `let`.
    Variable(usize, Box<[Step]>),
    Meta(MetaField),
    Call {
        function: &'static Function,
        first: Box<Op>,
        rest: Box<[Op]>,
        at: At,
    },
    Default(Box<[Op]>),
    And(Box<[(Op, At)]>),
    Or(Box<[(Op, At)]>),
    Not(Box<Op>, At),
    Compare {
        operator: Operator,
        left: Box<Op>,
        right: Box<Op>,
        at: At,
    },
    In {
        item: Box<Op>,
        list: Box<[Value]>,
    },
    If {
        condition: Box<Op>,
        then: Box<Op>,
        otherwise: Box<Op>,
        at: At,
    },
    Present(Box<Op>),
    /// The first, or the second where the first fails (but for `reject` and limits).
    Otherwise(Box<Op>, Box<Op>),
    /// The text as it is, if the pattern is found in it.
    Matching {
        value: Box<Op>,
        pattern: Box<Regex>,
        at: At,
    },
    Reject {
        code: String,
        text: String,
        at: At,
    },
    Code {
        key: Box<Op>,
        table: Arc<Table>,
        /// The day whose entry is wanted, from `code-at`.
        date: Option<Box<Op>>,
        default: Option<Box<Op>>,
        at: At,
    },
    /// Absent instead of a failure.
    Try(Box<Op>),
    /// The elements of an array that satisfy a condition about one of them.
    Select {
        how: Select,
        array: Box<Op>,
        condition: Box<Op>,
        /// Where the condition begins.
        at: At,
    },
}

/// A field of `$meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MetaField {
    MessageId,
    MessageType,
    Source,
    Municipality,
    Operator,
    AcceptedAt,
    AcceptedDate,
    IdempotencyKey,
    CorrelationId,
    Ticket,
}

impl MetaField {
    /// All fields with their names in `$meta`.
    pub(crate) const ALL: [(&'static str, MetaField); 10] = [
        ("messageId", MetaField::MessageId),
        ("messageType", MetaField::MessageType),
        ("source", MetaField::Source),
        ("municipality", MetaField::Municipality),
        ("operator", MetaField::Operator),
        ("acceptedAt", MetaField::AcceptedAt),
        ("acceptedDate", MetaField::AcceptedDate),
        ("idempotencyKey", MetaField::IdempotencyKey),
        ("correlationId", MetaField::CorrelationId),
        ("ticket", MetaField::Ticket),
    ];
}

/// An expression with the target it is for.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub op: Op,
    /// The target as a person writes it: `records[].amount`, `$name` for a `let`.
    pub target: String,
    /// Where the expression begins.
    pub at: At,
    /// The expression as written.
    pub text: String,
}

/// How one target is set.
#[derive(Debug)]
pub(crate) enum Rule {
    Value(Leaf),
    Object(Box<[Field]>),
    Scoped(Box<Scoped>),
}

/// A rule with `each`, `let` or `when`.
#[derive(Debug)]
pub(crate) struct Scoped {
    pub each: Option<Leaf>,
    pub lets: Box<[(usize, Leaf)]>,
    pub when: Option<Leaf>,
    pub body: Rule,
}

/// One member of a target object.
#[derive(Debug)]
pub(crate) struct Field {
    pub name: String,
    pub rule: Rule,
}

/// Everything a run needs.
#[derive(Debug)]
pub(crate) struct Plan {
    pub root: Rule,
    /// How many `let` slots there are.
    pub slots: usize,
}

impl Rule {
    /// Every expression that gives a target its value, in the order of the plan.
    pub(crate) fn leaves<'p>(&'p self, into: &mut Vec<&'p Leaf>) {
        match self {
            Rule::Value(leaf) => into.push(leaf),
            Rule::Object(fields) => fields.iter().for_each(|field| field.rule.leaves(into)),
            Rule::Scoped(scoped) => scoped.body.leaves(into),
        }
    }
}

impl Plan {
    /// Every code table some operation looks up, each once, by name.
    pub(crate) fn tables(&self) -> Vec<Arc<Table>> {
        let mut tables = Vec::new();
        self.root.tables(&mut tables);
        tables.sort_by(|left, right| left.name.cmp(&right.name));
        tables.dedup_by(|left, right| Arc::ptr_eq(left, right));
        tables
    }
}

impl Rule {
    fn tables(&self, into: &mut Vec<Arc<Table>>) {
        match self {
            Rule::Value(leaf) => leaf.op.tables(into),
            Rule::Object(fields) => fields.iter().for_each(|field| field.rule.tables(into)),
            Rule::Scoped(scoped) => {
                let leaves = scoped.each.iter().chain(&scoped.when);
                let lets = scoped.lets.iter().map(|(_, leaf)| leaf);
                leaves.chain(lets).for_each(|leaf| leaf.op.tables(into));
                scoped.body.tables(into);
            }
        }
    }
}

impl Op {
    fn tables(&self, into: &mut Vec<Arc<Table>>) {
        match self {
            Op::Literal(_)
            | Op::Document(_)
            | Op::Here(_)
            | Op::Variable(..)
            | Op::Meta(_)
            | Op::Reject { .. } => {}
            Op::Call { first, rest, .. } => {
                first.tables(into);
                rest.iter().for_each(|op| op.tables(into));
            }
            Op::Default(parts) => parts.iter().for_each(|op| op.tables(into)),
            Op::And(parts) | Op::Or(parts) => parts.iter().for_each(|(op, _)| op.tables(into)),
            Op::Not(op, _) | Op::Present(op) | Op::Try(op) => op.tables(into),
            Op::Matching { value: op, .. } | Op::In { item: op, .. } => op.tables(into),
            Op::Otherwise(left, right) | Op::Compare { left, right, .. } => {
                left.tables(into);
                right.tables(into);
            }
            Op::If { condition, then, otherwise, .. } => {
                [condition, then, otherwise].into_iter().for_each(|op| op.tables(into));
            }
            Op::Select { array, condition, .. } => {
                array.tables(into);
                condition.tables(into);
            }
            Op::Code { key, table, date, default, .. } => {
                into.push(Arc::clone(table));
                key.tables(into);
                date.iter().chain(default).for_each(|op| op.tables(into));
            }
        }
    }
}
