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

impl Op {
    /// Whether it, or something inside of it, names a variable.
    pub(crate) fn names_variable(&self) -> bool {
        let mut found = matches!(self, Op::Variable(..));
        self.parts(&mut |part| found = found || part.names_variable());
        found
    }

    /// Calls `visit` with every operation directly inside.
    pub(crate) fn parts<'p>(&'p self, visit: &mut dyn FnMut(&'p Op)) {
        match self {
            Op::Literal(_)
            | Op::Document(_)
            | Op::Here(_)
            | Op::Variable(..)
            | Op::Meta(_)
            | Op::Reject { .. } => {}
            Op::Call { first, rest, .. } => {
                visit(first);
                rest.iter().for_each(visit);
            }
            Op::Default(parts) => parts.iter().for_each(visit),
            Op::And(parts) | Op::Or(parts) => parts.iter().for_each(|(part, _)| visit(part)),
            Op::Not(part, _) | Op::Present(part) | Op::In { item: part, .. } | Op::Try(part) => {
                visit(part);
            }
            Op::Select { array, condition, .. } => {
                visit(array);
                visit(condition);
            }
            Op::Matching { value, .. } => visit(value),
            Op::Otherwise(left, right) | Op::Compare { left, right, .. } => {
                visit(left);
                visit(right);
            }
            Op::If { condition, then, otherwise, .. } => {
                visit(condition);
                visit(then);
                visit(otherwise);
            }
            Op::Code { key, date, default, .. } => {
                visit(key);
                date.iter().for_each(|date| visit(date));
                default.iter().for_each(|default| visit(default));
            }
        }
    }
}

/// A way that an expression or a condition can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Arm {
    /// `when` let its rule through.
    Applies,
    /// `when` did not.
    Skipped,
    /// `if` took its second argument.
    Then,
    /// `if` took its third.
    Otherwise,
    /// `??` ended at this one of its parts.
    Part(usize),
    /// The code table had an entry.
    Entry,
    /// The code table had none, and the default stood in.
    NoEntry,
}

/// A way gone: which operation (or `when`), known by its address in the plan, and where to.
pub(crate) type Taken = (usize, Arm);

/// What an operation or a `when` is called in [`Taken`].
pub(crate) fn address<T>(part: &T) -> usize {
    std::ptr::from_ref(part).addr()
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
    /// How many slots of variables there are.
    pub slots: usize,
    /// Whether the first slot is `$request`.
    pub request: bool,
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
        if let Op::Code { table, .. } = self {
            into.push(Arc::clone(table));
        }
        self.parts(&mut |part| part.tables(into));
    }
}
