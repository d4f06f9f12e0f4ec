//! YAML as a tree that remembers where everything stands, for the files people write.
//!
//! Only the plain part of YAML is read: one document, maps with text keys, lists, scalars, and
//! aliases (`*name`) of values written before (`&name`), which keep the place they were written
//! at. Tags and merge keys are refused. A digit string with a leading zero, or with more digits than a number keeps, is text.

use crate::diagnostic::keys::Keys;
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::model::codes::mapping as codes;
use serde_json::{Number, Value};
use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, Span};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Longest file read, in bytes.
const MAX_BYTES: usize = 4 << 20;
/// Most nodes in one file.
const MAX_NODES: usize = 200_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 64;

/// One value and the bytes it was written in (quotes included).
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub value: Kind,
    /// Its bytes in the file.
    pub span: Range<usize>,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A scalar: null, true, false, a number or a text; never an array or object.
    Scalar(Value),
    /// A list.
    Seq(Vec<Node>),
    /// A map, in the order of the file; keys are unique.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Bytes of the key.
    pub key_span: Range<usize>,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Kind::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The scalar, if it is one.
    pub fn as_scalar(&self) -> Option<&Value> {
        match &self.value {
            Kind::Scalar(value) => Some(value),
            _ => None,
        }
    }

    /// The entries, if it is a map.
    pub fn as_map(&self) -> Option<&[Entry]> {
        match &self.value {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The members, if it is a list.
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.value {
            Kind::Seq(nodes) => Some(nodes),
            _ => None,
        }
    }

    /// The value of a key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The entry of a key, if this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.as_map()?.iter().find(|entry| entry.key == key)
    }

    /// The same as a JSON value, without the places.
    pub fn to_json(&self) -> Value {
        match &self.value {
            Kind::Scalar(value) => value.clone(),
            Kind::Seq(nodes) => Value::Array(nodes.iter().map(Node::to_json).collect()),
            Kind::Map(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect(),
            ),
        }
    }

    /// How many nodes it has and how deep it is, itself included.
    fn size(&self) -> (usize, usize) {
        let children: Vec<(usize, usize)> = match &self.value {
            Kind::Scalar(_) => Vec::new(),
            Kind::Seq(nodes) => nodes.iter().map(Node::size).collect(),
            Kind::Map(entries) => entries.iter().map(|entry| entry.node.size()).collect(),
        };
        let nodes = children.iter().map(|(nodes, _)| nodes).sum::<usize>();
        let height = children.iter().map(|(_, height)| *height).max().unwrap_or(0);
        (nodes + 1, height + 1)
    }

    /// What it is, in a word for people.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Kind::Scalar(Value::Null) => "nothing",
            Kind::Scalar(Value::Bool(_)) => "true/false",
            Kind::Scalar(Value::Number(_)) => "a number",
            Kind::Scalar(_) => "text",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }

    /// The place of this node.
    pub fn location(&self, file: &Arc<SourceFile>) -> Location {
        Location { file: Arc::clone(file), span: self.span.clone() }
    }
}

impl Entry {
    /// The place of the key.
    pub fn key_location(&self, file: &Arc<SourceFile>) -> Location {
        Location { file: Arc::clone(file), span: self.key_span.clone() }
    }
}

/// Reads a file of one YAML document. The error is the first problem found: what follows a
/// broken place cannot be trusted.
pub fn parse(file: &Arc<SourceFile>) -> Result<Node, Diagnostic> {
    if file.text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES}", file.text.len());
        return Err(Diagnostic::error(&codes::FILE_TOO_LARGE, place(file, 0..0), message));
    }
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.disallow_directives = true;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut tree = Tree {
        file,
        events: Parser::new_from_str_with_options(&file.text, options),
        nodes: 0,
        anchors: HashMap::new(),
    };
    tree.document()
}

fn place(file: &Arc<SourceFile>, span: Range<usize>) -> Location {
    Location { file: Arc::clone(file), span }
}

type Events<'f> = Parser<'f, serde_saphyr::granit_parser::StrInput<'f>>;

struct Tree<'f> {
    file: &'f Arc<SourceFile>,
    events: Events<'f>,
    nodes: usize,
    anchors: HashMap<usize, Node>,
}

impl<'f> Tree<'f> {
    fn document(&mut self) -> Result<Node, Diagnostic> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (Event::StreamEnd | Event::DocumentEnd, span) => {
                    return Err(self.broken(&span, "the file is empty"));
                }
                (event, span) => {
                    let root = self.node(event, &span, 0)?;
                    return self.end().map(|()| root);
                }
            }
        }
    }

    fn end(&mut self) -> Result<(), Diagnostic> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentEnd, _) => {}
                (_, span) => return Err(self.broken(&span, "a second document begins here")),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'f>, Span), Diagnostic> {
        match self.events.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let at = error.marker().byte_offset().unwrap_or_else(|| {
                    offset_of(&self.file.text, error.marker().line(), error.marker().col())
                });
                let message = format!("not readable as YAML: {}", error.info());
                Err(Diagnostic::error(&codes::YAML, place(self.file, at..at), message))
            }
            None => Err(self.broken(&Span::default(), "the file ends too early")),
        }
    }

    fn bytes(&self, span: &Span) -> Range<usize> {
        let range = span.byte_range().unwrap_or(0..0);
        range.start..range.end.max(range.start)
    }

    fn broken(&self, span: &Span, message: &str) -> Diagnostic {
        Diagnostic::error(&codes::YAML, place(self.file, self.bytes(span)), message)
    }

    fn untagged(&self, span: &Span, tagged: bool) -> Result<(), Diagnostic> {
        if !tagged {
            return Ok(());
        }
        let location = place(self.file, self.bytes(&span.tag_span().unwrap_or(*span)));
        Err(Diagnostic::error(&codes::YAML_EXTRA, location, "tags (`!`) are not used here")
            .hint("write the value itself"))
    }

    /// Counts values, copies of aliases too, so that a small file cannot become a huge tree.
    fn spend(&mut self, nodes: usize, depth: usize, span: &Span) -> Result<(), Diagnostic> {
        self.nodes += nodes;
        if depth <= MAX_DEPTH && self.nodes <= MAX_NODES {
            return Ok(());
        }
        let message = format!("more than {MAX_DEPTH} levels or {MAX_NODES} values");
        let location = place(self.file, self.bytes(span));
        Err(Diagnostic::error(&codes::FILE_TOO_LARGE, location, message))
    }

    fn node(&mut self, event: Event<'f>, span: &Span, depth: usize) -> Result<Node, Diagnostic> {
        self.spend(1, depth, span)?;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.untagged(span, tag.is_some())?;
                let value = scalar(&text, style == ScalarStyle::Plain);
                (Node { value: Kind::Scalar(value), span: self.bytes(span) }, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.untagged(span, tag.is_some())?;
                (self.sequence(span, depth)?, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.untagged(span, tag.is_some())?;
                (self.mapping(span, depth)?, anchor)
            }
            Event::Alias(anchor) => {
                let Some((size, height)) = self.anchors.get(&anchor).map(Node::size) else {
                    return Err(self.broken(span, "an alias stands inside its own value"));
                };
                self.spend(size, depth + height, span)?;
                let copy = self.anchors.get(&anchor).cloned();
                return copy.ok_or_else(|| self.broken(span, "an alias of nothing"));
            }
            _ => return Err(self.broken(span, "a value is missing here")),
        };
        if anchor != 0 {
            let (size, _) = node.size();
            self.spend(size, depth, span)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn sequence(&mut self, start: &Span, depth: usize) -> Result<Node, Diagnostic> {
        let mut nodes = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let span = self.bytes(start).start..self.end_of(&span, nodes.last());
                return Ok(Node { value: Kind::Seq(nodes), span });
            }
            nodes.push(self.node(event, &span, depth + 1)?);
        }
    }

    fn mapping(&mut self, start: &Span, depth: usize) -> Result<Node, Diagnostic> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let last = entries.last().map(|entry| &entry.node);
                let span = self.bytes(start).start..self.end_of(&span, last);
                return Ok(Node { value: Kind::Map(entries), span });
            }
            let key_span = self.bytes(&span);
            let key = self.key(event, &span)?;
            if let Some(first) = seen.insert(key.clone(), key_span.start) {
                let (line, _) = self.file.position(first);
                let message = format!("`{key}` is here a second time; first on line {line}");
                let location = place(self.file, key_span);
                return Err(Diagnostic::error(&codes::DUPLICATE_KEY, location, message)
                    .hint("keep one of the two"));
            }
            let (event, span) = self.next()?;
            let node = self.node(event, &span, depth + 1)?;
            entries.push(Entry { key, key_span, node });
        }
    }

    fn key(&self, event: Event<'f>, span: &Span) -> Result<String, Diagnostic> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.untagged(span, tag.is_some())?;
                if anchor != 0 {
                    return Err(self.broken(span, "a key cannot have an anchor"));
                }
                if text == "<<" && style == ScalarStyle::Plain {
                    let location = place(self.file, self.bytes(span));
                    let message = "merge keys (`<<`) are not used here";
                    return Err(Diagnostic::error(&codes::YAML_EXTRA, location, message));
                }
                Ok(text.into_owned())
            }
            _ => Err(self.broken(span, "a key must be text")),
        }
    }

    /// Where a collection ends: behind its bracket, or behind its last member.
    fn end_of(&self, span: &Span, last: Option<&Node>) -> usize {
        let end = self.bytes(span);
        if end.is_empty() { last.map_or(end.end, |node| node.span.end) } else { end.end }
    }
}

fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or("");
    start + rest.chars().take(column).map(char::len_utf8).sum::<usize>()
}

/// The value of a scalar: quoted ones are text; plain ones follow JSON, plus `~` and empty.
fn scalar(text: &str, plain: bool) -> Value {
    if !plain {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

/// A number as JSON writes it, when it keeps all its digits; else it is text.
pub(crate) fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    match fraction {
        None => text
            .parse::<i64>()
            .map(Number::from)
            .or_else(|_| text.parse::<u64>().map(Number::from))
            .ok()
            .filter(|_| text != "-0"),
        Some(fraction) if all_digits(fraction) && whole.len() + fraction.len() <= 15 => {
            text.parse::<f64>().ok().and_then(Number::from_f64)
        }
        Some(_) => None,
    }
}

/// Reads maps of known keys and collects what is wrong with them.
pub struct Reader<'a> {
    /// The file being read.
    pub file: &'a Arc<SourceFile>,
    /// Where problems go.
    pub diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Reader<'a> {
    /// A reader of nodes of `file`.
    pub fn new(file: &'a Arc<SourceFile>, diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        Reader { file, diagnostics }
    }

    /// The entries of a map that may have only the `known` keys; reports every other key with the
    /// nearest known one. `None` (reported) when it is no map. `what` names it: "an operation".
    pub fn map<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<&'n [Entry]> {
        let Some(entries) = node.as_map() else {
            self.wrong_kind(node, what, "a map");
            return None;
        };
        for entry in entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            let message = format!("{what} has no key `{}`", entry.key);
            let location = entry.key_location(self.file);
            let hint = match nearest(&entry.key, known.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("allowed: {}", known.join(", ")),
            };
            self.diagnostics
                .push(Diagnostic::error(&codes::UNKNOWN_KEY, location, message).hint(hint));
        }
        Some(entries)
    }

    /// The entries of a map by its table of keys; what it has besides is reported.
    pub fn keys<'n>(&mut self, node: &'n Node, keys: &Keys) -> Option<&'n [Entry]> {
        self.map(node, keys.what, &keys.names())
    }

    /// The value of a key that must be there; reports its absence at the map.
    pub fn required<'n>(&mut self, node: &'n Node, what: &str, key: &str) -> Option<&'n Node> {
        let found = node.get(key);
        if found.is_none() {
            let start = node.span.start;
            let message = format!("{what} needs a key `{key}`");
            let location = place(self.file, start..start);
            self.diagnostics.push(Diagnostic::error(&codes::MISSING_KEY, location, message));
        }
        found
    }

    /// The text of a node; numbers, maps and the rest are reported.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = node.as_str();
        if text.is_none() {
            self.wrong_kind(node, what, "text");
        }
        text
    }

    /// The text of a key of a map, `None` without a report when the key is not there.
    pub fn text_at<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n str> {
        let found = node.get(key)?;
        self.text(found, &format!("`{key}`"))
    }

    /// The members of a list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        let nodes = node.as_seq();
        if nodes.is_none() {
            self.wrong_kind(node, what, "a list");
        }
        nodes
    }

    /// True or false.
    pub fn flag(&mut self, node: &Node, what: &str) -> Option<bool> {
        let flag = node.as_scalar().and_then(Value::as_bool);
        if flag.is_none() {
            self.wrong_kind(node, what, "true or false");
        }
        flag
    }

    /// A whole number from zero up.
    pub fn count(&mut self, node: &Node, what: &str) -> Option<u64> {
        let count = node.as_scalar().and_then(Value::as_u64);
        if count.is_none() {
            self.wrong_kind(node, what, "a whole number from 0");
        }
        count
    }

    /// Reports that `node` is not what it should be.
    pub fn wrong_kind(&mut self, node: &Node, what: &str, expected: &str) {
        let message = format!("{what} must be {expected}, found {}", node.kind());
        let mut diagnostic =
            Diagnostic::error(&codes::WRONG_KIND, node.location(self.file), message);
        if expected == "text" && matches!(node.kind(), "a number" | "true/false") {
            diagnostic = diagnostic.hint("put it in quotes");
        }
        self.diagnostics.push(diagnostic);
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Reader, parse};
    use crate::diagnostic::SourceFile;
    use serde_json::json;

    #[test]
    fn scalars_follow_json_and_keep_their_digits() {
        let file = SourceFile::new(
            "a.yaml",
            "a: 1\nb: '1'\nc: 011002\nd: yes\ne: ~\nf: 1.5\ng: 123456789012345678901\nh: [1, {i: x}]\n\
             j: 2026-06-01\nk: -0\n",
        );
        assert_eq!(
            parse(&file).unwrap().to_json(),
            json!({"a": 1, "b": "1", "c": "011002", "d": "yes", "e": null, "f": 1.5,
                   "g": "123456789012345678901", "h": [1, {"i": "x"}], "j": "2026-06-01", "k": "-0"})
        );
    }

    #[test]
    fn spans_are_the_written_bytes() {
        let file = SourceFile::new("a.yaml", "名前: [a, 'b c']\nlast: x\n");
        let root = parse(&file).unwrap();
        let entry = root.entry("名前").unwrap();
        assert_eq!(&file.text[entry.key_span.clone()], "名前");
        assert_eq!(&file.text[entry.node.span.clone()], "[a, 'b c']");
        let Kind::Seq(nodes) = &entry.node.value else { panic!() };
        assert_eq!(&file.text[nodes[1].span.clone()], "'b c'");
        assert_eq!(&file.text[root.span.clone()], "名前: [a, 'b c']\nlast: x");
    }

    #[test]
    fn what_is_refused_is_refused_at_its_place() {
        for (text, code, line) in [
            ("a: 1\nb: 2\na: 3\n", "M002", 3),
            ("a: &x [*x]\n", "M001", 1),
            ("a: *x\n", "M001", 1),
            ("&a a: 1\n", "M001", 1),
            ("a: !!str 1\n", "M006", 1),
            ("a: 1\n<<: {b: 1}\n", "M006", 2),
            ("a: [1, 2\nb: 3\n", "M001", 2),
            ("a: 'open\n", "M001", 1),
            ("", "M001", 1),
            ("a: 1\n---\nb: 2\n", "M001", 2),
            ("? [a]\n: 1\n", "M001", 1),
        ] {
            let error = parse(&SourceFile::new("a.yaml", text)).unwrap_err();
            let (found, _) = error.location.file.position(error.location.span.start);
            assert_eq!((error.code.code, found), (code, line), "{text:?} {}", error.message);
        }
    }

    #[test]
    fn deep_nesting_is_an_error_not_a_crash() {
        for text in ["[".repeat(30_000), format!("{}x", "- ".repeat(30_000)), "{a: ".repeat(9_000)]
        {
            assert!(parse(&SourceFile::new("a.yaml", text)).is_err());
        }
    }

    #[test]
    fn an_alias_is_the_value_at_its_first_place() {
        let file = SourceFile::new("a.yaml", "a: &x {b: 1}\nc: *x\n");
        let root = parse(&file).unwrap();
        assert_eq!(root.to_json(), json!({"a": {"b": 1}, "c": {"b": 1}}));
        assert_eq!(&file.text[root.get("c").unwrap().span.clone()], "{b: 1}");
    }

    #[test]
    fn aliases_of_aliases_stay_small() {
        let mut text = String::from("a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n");
        for level in 1..20 {
            let inner = format!("*a{}", level - 1);
            let inner = vec![inner; 9].join(", ");
            text.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
        }
        assert_eq!(parse(&SourceFile::new("a.yaml", text)).unwrap_err().code.code, "M007");
    }

    #[test]
    fn reader_names_the_nearest_key() {
        let file = SourceFile::new("a.yaml", "mapping: x\nrulse: {}\nto: 1\n");
        let root = parse(&file).unwrap();
        let mut diagnostics = Vec::new();
        let mut reader = Reader::new(&file, &mut diagnostics);
        reader.map(&root, "a mapping", &["mapping", "rules", "to"]);
        reader.required(&root, "a mapping", "rules");
        assert_eq!(reader.text_at(&root, "to"), None);
        let shown: Vec<String> =
            diagnostics.iter().map(|d| format!("{} {} {:?}", d.code, d.message, d.hint)).collect();
        assert_eq!(
            shown,
            [
                "M003 a mapping has no key `rulse` Some(\"did you mean `rules`?\")",
                "M005 a mapping needs a key `rules` None",
                "M004 `to` must be text, found a number Some(\"put it in quotes\")",
            ]
        );
    }
}
