//! What running a plan asks of values: is there one, how much is it, how do two compare.

use crate::mapping::Meta;
use crate::mapping::functions::{self, Fail};
use crate::mapping::plan::MetaField;
use crate::mapping::syntax::Operator;
use crate::model::json::{Kind, Node, Tree};
use std::borrow::Cow;
use std::cmp::Ordering;

/// What a value is, in a word, with its length: safe to show.
pub(super) fn kind_of(node: Node<'_>) -> String {
    functions::kind_of(&node.to_cow())
}

/// Null, or nil with a reason: a place without a value.
pub(super) fn is_nothing(node: Node<'_>) -> bool {
    match node.kind() {
        Kind::Null => true,
        Kind::Object(fields) => fields.len() == 1 && fields.get("$nil").is_some(),
        _ => false,
    }
}

/// The kind of a value for a trace.
pub(super) fn outcome(found: Option<&Tree<'_>>) -> String {
    found.map_or_else(|| "absent".to_owned(), |tree| kind_of(tree.node()))
}

/// About what copying or reading a value costs, in units of 64 bytes.
pub(super) fn weight(node: Node<'_>) -> u64 {
    let all = |nodes: &mut dyn Iterator<Item = Node<'_>>| nodes.map(|n| 1 + weight(n)).sum::<u64>();
    match node.kind() {
        Kind::Text(text) => text.len() as u64 / 64,
        Kind::Array(elements) => 1 + all(&mut elements.iter()),
        Kind::Object(fields) => 1 + all(&mut fields.iter().map(|(_, node)| node)),
        _ => 0,
    }
}

/// Whether two values are the same; numbers by what they are worth.
pub(super) fn equal(left: Node<'_>, right: Node<'_>) -> bool {
    match (left.kind(), right.kind()) {
        (Kind::Number(left), Kind::Number(right)) => functions::numbers(left, right).is_eq(),
        _ => left == right,
    }
}

/// Whether a comparison holds.
pub(super) fn compare(
    operator: Operator,
    left: Node<'_>,
    right: Node<'_>,
) -> Result<bool, Box<Fail>> {
    let order = match (operator, left.kind(), right.kind()) {
        (Operator::Equal, ..) => return Ok(equal(left, right)),
        (Operator::NotEqual, ..) => return Ok(!equal(left, right)),
        (_, Kind::Number(left), Kind::Number(right)) => functions::numbers(left, right),
        (_, Kind::Text(left), Kind::Text(right)) => left.cmp(right),
        _ => {
            let (left, right) = (kind_of(left), kind_of(right));
            let detail =
                format!("{left} and {right} have no order; compare two numbers or two texts");
            return Err(functions::wrong_type(&detail));
        }
    };
    Ok(match operator {
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

/// What a mapping knows of its message.
pub(super) fn meta(field: MetaField, meta: &Meta) -> Option<Cow<'_, str>> {
    let japan = || functions::japan(meta.accepted_at);
    match field {
        MetaField::MessageId => Some((&*meta.message_id).into()),
        MetaField::MessageType => Some((&*meta.message_type).into()),
        MetaField::Source => Some((&*meta.source).into()),
        MetaField::Municipality => meta.municipality.as_deref().map(Cow::from),
        MetaField::Operator => meta.operator.as_deref().map(Cow::from),
        MetaField::AcceptedAt => {
            let time = japan();
            let format = if time.subsec_nanosecond() == 0 { "%FT%T%:z" } else { "%FT%T%.3f%:z" };
            Some(time.strftime(format).to_string().into())
        }
        MetaField::AcceptedDate => Some(japan().date().to_string().into()),
        MetaField::IdempotencyKey => Some((&*meta.idempotency_key).into()),
        MetaField::CorrelationId => meta.correlation_id.as_deref().map(Cow::from),
        MetaField::Ticket => meta.ticket.as_deref().map(Cow::from),
    }
}
