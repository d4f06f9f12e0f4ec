//! Block style: entries with what stands above them, put into order and indented anew.

use super::flow;
use super::source::{Gap, Source};
use crate::diagnostic::keys::{Form, Structure};
use crate::diagnostic::yaml::{Kind, Node};

/// Longest line that a collection written on several lines is joined into, in characters.
const WIDTH: usize = 100;

/// A block at no indentation, and where the text behind it begins.
struct Block {
    /// What stands behind the key or dash, on its line.
    head: Option<String>,
    lines: Vec<String>,
    end: usize,
}

/// One entry of a collection.
struct Piece {
    rank: usize,
    lines: Vec<String>,
}

/// What stands behind a key or a dash.
#[derive(Default)]
struct Written {
    /// On the same line.
    inline: String,
    /// The comment of that line.
    comment: Option<String>,
    /// Comments that have no place but above.
    above: Vec<String>,
    /// The lines below, one level in.
    below: Vec<String>,
    end: usize,
}

/// A whole file.
pub(super) fn document(source: &Source<'_>, root: &Node, form: Option<&'static Form>) -> String {
    let start = match &root.value {
        Kind::Map(entries) if is_block(source, root) => {
            entries.first().map_or(0, |entry| entry.key_span.start)
        }
        _ => root.span.start,
    };
    // Comments at the top stay there, whatever comes first below them.
    let line_start = start - source.column(start).min(start);
    let mut lines = source.gap(&(0..line_start), true).lines;
    lines.extend(collection(source, root, line_start, form, true).map_or_else(
        || source.from(start).trim_end().lines().map(str::to_owned).collect(),
        |block| block.lines,
    ));
    let text = lines.join("\n");
    format!("{}\n", text.trim_matches('\n'))
}

fn is_block(source: &Source<'_>, node: &Node) -> bool {
    !source.from(node.span.start).starts_with(['{', '['])
}

/// A block collection; `None` when the node is something else. `whole`: `from` begins a line.
fn collection(
    source: &Source<'_>,
    node: &Node,
    from: usize,
    form: Option<&'static Form>,
    whole: bool,
) -> Option<Block> {
    if !is_block(source, node) {
        return None;
    }
    match &node.value {
        Kind::Map(entries) if !entries.is_empty() => {
            let structure = form.and_then(|form| form.structure(entries));
            Some(map(source, node, from, structure, whole))
        }
        Kind::Seq(nodes) if !nodes.is_empty() => {
            Some(list(source, nodes, from, form.and_then(Form::element), whole))
        }
        _ => None,
    }
}

fn map(
    source: &Source<'_>,
    node: &Node,
    from: usize,
    structure: Option<Structure>,
    whole: bool,
) -> Block {
    let entries = node.as_map().unwrap_or_default();
    let mut pieces = Vec::with_capacity(entries.len());
    let (mut head, mut at, mut column) = (None, from, 0);
    for (index, entry) in entries.iter().enumerate() {
        let mut gap = source.gap(&(at..entry.key_span.start), whole && index == 0);
        if index == 0 {
            head = gap.first.take();
            column = source.column(entry.key_span.start);
        }
        let colon = source.from(entry.key_span.end).find(':').unwrap_or(0);
        let behind = entry.key_span.end + colon + 1;
        let form = structure.and_then(|structure| structure.form(&entry.key));
        let written = value(source, &entry.node, behind, column, form);
        at = written.end;
        let opening = format!("{}:", source.slice(&entry.key_span));
        let lines = piece(gap, &opening, written);
        pieces.push(Piece { rank: flow::rank(structure, entry), lines });
    }
    let (foot, end) = source.foot(at, column);
    if let Some(last) = pieces.last_mut() {
        last.lines.extend(foot);
    }
    pieces.sort_by_key(|piece| piece.rank);
    Block { head, lines: joined(pieces), end }
}

fn list(
    source: &Source<'_>,
    nodes: &[Node],
    from: usize,
    form: Option<&'static Form>,
    whole: bool,
) -> Block {
    let mut pieces = Vec::with_capacity(nodes.len());
    let (mut head, mut at, mut column) = (None, from, 0);
    for (index, node) in nodes.iter().enumerate() {
        let dash = dash(source, at, whole && index == 0);
        let mut gap = source.gap(&(at..dash), whole && index == 0);
        if index == 0 {
            head = gap.first.take();
            column = source.column(dash);
        }
        let written = match collection(source, node, dash + 1, form, false) {
            Some(inner) => {
                // Comments above its first line go above the dash.
                let opens = |line: &&String| !line.is_empty() && !line.starts_with('#');
                let first = inner.lines.iter().position(|line| opens(&line)).unwrap_or(0);
                let comments = inner.lines.iter().take(first).filter(|line| !line.is_empty());
                let above = inner.head.iter().chain(comments).cloned().collect();
                let mut lines = inner.lines.into_iter().skip(first);
                let inline = lines.next().unwrap_or_default();
                // One level below a dash is the column of what follows it.
                Written { inline, above, below: lines.collect(), end: inner.end, comment: None }
            }
            None => value(source, node, dash + 1, column, form),
        };
        at = written.end;
        pieces.push(Piece { rank: 0, lines: piece(gap, "-", written) });
    }
    let (foot, end) = source.foot(at, column);
    if let Some(last) = pieces.last_mut() {
        last.lines.extend(foot);
    }
    Block { head, lines: joined(pieces), end }
}

/// The next dash that begins an item.
fn dash(source: &Source<'_>, from: usize, whole: bool) -> usize {
    let mut start = from;
    if !whole && !source.slice(&(from..source.line_end(from))).trim_start().starts_with('-') {
        start = source.line_end(from) + 1;
    }
    while start < source.text.len() {
        let end = source.line_end(start);
        let line = source.slice(&(start..end));
        let trimmed = line.trim_start();
        if trimmed.starts_with('-') {
            return start + line.len() - trimmed.len();
        }
        start = end + 1;
    }
    from
}

/// Lines above, the opening with what stands behind it, lines below.
fn piece(gap: Gap, opening: &str, written: Written) -> Vec<String> {
    let mut lines = gap.lines;
    lines.extend(written.above);
    let mut line = opening.to_owned();
    if !written.inline.is_empty() {
        line.push(' ');
        line.push_str(&written.inline);
    }
    if let Some(comment) = written.comment {
        line.push_str("  ");
        line.push_str(&comment);
    }
    lines.push(line);
    lines.extend(
        written.below.into_iter().map(
            |line| {
                if line.is_empty() { line } else { format!("  {line}") }
            },
        ),
    );
    lines
}

fn joined(pieces: Vec<Piece>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        let leading = piece.lines.iter().take_while(|line| line.is_empty()).count();
        let skip = if lines.is_empty() { leading } else { leading.saturating_sub(1) };
        lines.extend(piece.lines.into_iter().skip(skip));
    }
    lines
}

/// What stands behind a key or a dash that ends at `from`; `column`: where the key or dash stands.
fn value(
    source: &Source<'_>,
    node: &Node,
    from: usize,
    column: usize,
    form: Option<&'static Form>,
) -> Written {
    let empty = node.span.is_empty() && matches!(node.value, Kind::Scalar(_));
    if !empty && node.span.start < from {
        return alias(source, from);
    }
    if let Some(text) = block_scalar(source, from, column) {
        return text;
    }
    if empty {
        let (comment, end) = source.trailing(from);
        return Written { comment, end, ..Written::default() };
    }
    let between = from..node.span.start;
    let property = property(source, &between);
    if let Some(block) = collection(source, node, from, form, false) {
        let Block { head, lines, end } = block;
        return Written { inline: property, comment: head, below: lines, end, above: Vec::new() };
    }
    let gap = source.gap(&between, false);
    let mut above: Vec<String> = gap.lines.into_iter().filter(|line| !line.is_empty()).collect();
    let (comment, end) = source.trailing(node.span.end);
    let comment = match (comment, gap.first) {
        (Some(comment), Some(first)) => {
            above.insert(0, first);
            Some(comment)
        }
        (comment, first) => comment.or(first),
    };
    let (inline, below) = text(source, node, form);
    let inline = format!("{property}{}{inline}", if property.is_empty() { "" } else { " " });
    Written { inline, comment, above, below, end }
}

/// An anchor in front of a value.
fn property(source: &Source<'_>, between: &std::ops::Range<usize>) -> String {
    let text = source.slice(between);
    let word = text.split_whitespace().find(|word| word.starts_with('&'));
    word.unwrap_or_default().to_owned()
}

/// `*name`: its node has the place of the value it stands for.
fn alias(source: &Source<'_>, from: usize) -> Written {
    let line = from..source.line_end(from);
    let word = source.slice(&line).split_whitespace().next().unwrap_or_default();
    let start = source.slice(&line).find(word).unwrap_or(0);
    let (comment, end) = source.trailing(from + start + word.len());
    Written { inline: word.to_owned(), comment, end, ..Written::default() }
}

/// A scalar or flow collection: what goes on the line, and the lines below it.
fn text(source: &Source<'_>, node: &Node, form: Option<&'static Form>) -> (String, Vec<String>) {
    let raw = source.slice(&node.span);
    let collection = !matches!(node.value, Kind::Scalar(_));
    if collection
        && !source.has_comment(&node.span)
        && let Some(line) = flow::line(source, node, form)
        && (!raw.contains('\n') || line.chars().count() + source.column(node.span.start) <= WIDTH)
    {
        return (line, Vec::new());
    }
    let mut lines = raw.lines();
    let first = lines.next().unwrap_or_default().trim_end().to_owned();
    if !collection {
        // Breaks inside plain and quoted texts are folded: what stands before them is free.
        return (first, lines.map(|line| line.trim().to_owned()).collect());
    }
    let rest: Vec<&str> = lines.collect();
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let least = rest.iter().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    let cut = |line: &&str| line.get(least..).unwrap_or_default().trim_end().to_owned();
    (first, rest.iter().map(cut).collect())
}

/// `|` and `>` with the lines below them, which keep their indentation among each other.
fn block_scalar(source: &Source<'_>, from: usize, column: usize) -> Option<Written> {
    let header_end = source.line_end(from);
    let comment = header_comment(source, from, header_end);
    let header = source.slice(&(from..header_end));
    let header = header.split('#').next().unwrap_or_default().trim();
    let sign = header.split_whitespace().last()?;
    let flags = sign.strip_prefix(['|', '>'])?;
    if !flags.chars().all(|c| matches!(c, '+' | '-' | '1'..='9')) {
        return None;
    }
    let mut lines: Vec<&str> = Vec::new();
    let mut start = header_end + 1;
    let mut end = header_end;
    while start <= source.text.len() {
        let line_end = source.line_end(start);
        let line = source.slice(&(start..line_end));
        let blank = line.trim().is_empty();
        if !blank && line.len() - line.trim_start().len() <= column {
            break;
        }
        lines.push(line);
        if !blank || flags.contains('+') {
            end = line_end;
        }
        if line_end >= source.text.len() {
            break;
        }
        start = line_end + 1;
    }
    if !flags.contains('+') {
        while lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
    }
    let declared = flags.chars().find_map(|c| c.to_digit(10));
    let first = lines.iter().find(|line| !line.trim().is_empty());
    let own = first.map_or(0, |line| line.len() - line.trim_start().len());
    let cut = declared.map_or(own, |digits| column + digits as usize);
    let sign: String = sign.chars().map(|c| if c.is_ascii_digit() { '2' } else { c }).collect();
    let below = lines.iter().map(|line| line.get(cut..).unwrap_or_default().to_owned()).collect();
    let inline = match header.split_whitespace().next() {
        Some(property) if property.starts_with('&') => format!("{property} {sign}"),
        _ => sign,
    };
    Some(Written { inline, comment, above: Vec::new(), below, end })
}

/// The comment behind `|` or `>`.
fn header_comment(source: &Source<'_>, from: usize, end: usize) -> Option<String> {
    let line = source.slice(&(from..end));
    let at = line.find(" #").filter(|at| source.has_comment(&(from + at..end)))?;
    Some(line.get(at + 1..)?.trim_end().to_owned())
}
