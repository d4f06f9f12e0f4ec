//! Flow collections (`{a: 1}`, `[a, b]`) on one line.

use super::source::Source;
use crate::diagnostic::keys::{Form, Structure};
use crate::diagnostic::yaml::{Entry, Kind, Node};
use std::ops::Range;

/// The collection on one line; `None` when something stands in it that has no place there: a line
/// break inside a text, an anchor, an alias, a comment, a key without a value.
pub(super) fn line(
    source: &Source<'_>,
    node: &Node,
    form: Option<&'static Form>,
) -> Option<String> {
    match &node.value {
        Kind::Scalar(_) => scalar(source, node),
        Kind::Seq(nodes) => {
            let element = form.and_then(Form::element);
            let mut parts = Vec::with_capacity(nodes.len());
            let mut at = node.span.start + 1;
            for one in nodes {
                plain_between(source, at..one.span.start, &[','])?;
                parts.push(line(source, one, element)?);
                at = one.span.end;
            }
            plain_between(source, at..node.span.end.checked_sub(1)?, &[','])?;
            Some(format!("[{}]", parts.join(", ")))
        }
        Kind::Map(entries) => {
            let structure = form.and_then(|form| form.structure(entries));
            let mut parts = Vec::with_capacity(entries.len());
            let mut at = node.span.start + 1;
            for entry in entries {
                plain_between(source, at..entry.key_span.start, &[','])?;
                plain_between(source, entry.key_span.end..entry.node.span.start, &[':'])?;
                let inner = structure.and_then(|structure| structure.form(&entry.key));
                let value = line(source, &entry.node, inner)?;
                let key = source.slice(&entry.key_span);
                parts.push((rank(structure, entry), format!("{key}: {value}")));
                at = entry.node.span.end;
            }
            plain_between(source, at..node.span.end.checked_sub(1)?, &[','])?;
            parts.sort_by_key(|(rank, _)| *rank);
            let parts: Vec<String> = parts.into_iter().map(|(_, part)| part).collect();
            Some(format!("{{{}}}", parts.join(", ")))
        }
    }
}

/// Where a key stands among its kind; all alike where the author's order counts.
pub(super) fn rank(structure: Option<Structure>, entry: &Entry) -> usize {
    structure.and_then(|structure| structure.rank(&entry.key)).unwrap_or(0)
}

fn scalar(source: &Source<'_>, node: &Node) -> Option<String> {
    let text = source.slice(&node.span);
    (!text.is_empty() && !text.contains('\n')).then(|| text.to_owned())
}

/// Whether nothing but blanks, line ends and the given signs stand in a range.
fn plain_between(source: &Source<'_>, range: Range<usize>, signs: &[char]) -> Option<()> {
    let text = source.text.get(range)?;
    text.chars().all(|c| c.is_whitespace() || signs.contains(&c)).then_some(())
}
