//! The reader: one pass over the bytes, straight to a tree that borrows from them, no deeper than
//! the limit.

use super::limits::{DecodeError, Limits, Segment, position, too_large, utf8};
use super::number::survives;
use super::scan::plain;
use super::spans::Spans;
use super::tree::{Members, Tree};
use crate::model::Code;
use crate::model::codes::document;
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

/// From how many members on an object's names are looked up in a set.
const MANY_MEMBERS: usize = 32;

/// What went wrong where; `segments` still hold the sender's keys, so it must be made a
/// `DecodeError` with [`ReadError::located`] before anyone sees it.
pub struct ReadError {
    code: &'static Code,
    offset: usize,
    detail: String,
    segments: Vec<Segment>,
    whole: Option<DecodeError>,
}

impl ReadError {
    /// The error with line and column; `path` renders the segments, hiding undeclared names.
    pub fn located(mut self, bytes: &[u8], path: impl Fn(&[Segment]) -> String) -> DecodeError {
        if let Some(whole) = self.whole {
            return whole;
        }
        self.segments.reverse();
        let (line, column) = position(bytes, self.offset);
        let path = path(&self.segments);
        DecodeError { code: self.code, line, column, path, detail: self.detail }
    }

    fn under(mut self: Box<Self>, segment: Segment) -> Box<Self> {
        self.segments.push(segment);
        self
    }
}

impl From<DecodeError> for Box<ReadError> {
    fn from(error: DecodeError) -> Self {
        let (code, detail) = (error.code, String::new());
        Box::new(ReadError { code, offset: 0, detail, segments: Vec::new(), whole: Some(error) })
    }
}

type Outcome<T> = Result<T, Box<ReadError>>;

/// Reads one document.
pub fn read(bytes: &[u8], limits: &Limits) -> Outcome<Value> {
    read_tree(bytes, limits).map(Tree::into_value)
}

/// Reads one document; its texts are borrowed unless they hold escapes.
pub fn read_tree<'a>(bytes: &'a [u8], limits: &Limits) -> Outcome<Tree<'a>> {
    too_large(bytes, limits)?;
    Reader::new(utf8(bytes)?, limits, None).document().map(|(tree, _)| tree)
}

/// Reads one document and notes where everything stands.
pub fn read_with_spans(bytes: &[u8], limits: &Limits) -> Outcome<(Value, Spans)> {
    too_large(bytes, limits)?;
    let (tree, spans) = Reader::new(utf8(bytes)?, limits, Some(Spans::default())).document()?;
    Ok((tree.into_value(), spans.unwrap_or_default()))
}

struct Reader<'a, 'l> {
    text: &'a str,
    at: usize,
    nodes: usize,
    limits: &'l Limits,
    spans: Option<Spans>,
}

impl<'a, 'l> Reader<'a, 'l> {
    fn new(text: &'a str, limits: &'l Limits, spans: Option<Spans>) -> Self {
        Reader { text, at: 0, nodes: 0, limits, spans }
    }

    fn document(mut self) -> Outcome<(Tree<'a>, Option<Spans>)> {
        self.space();
        let value = self.value(0, None)?;
        self.space();
        if self.at < self.text.len() {
            return Err(self.error(&document::TRAILING_DATA, "the document ends before this"));
        }
        Ok((value, self.spans))
    }

    fn value(&mut self, depth: usize, key: Option<Range<usize>>) -> Outcome<Tree<'a>> {
        self.nodes += 1;
        if self.nodes > self.limits.max_nodes {
            let detail = format!("more than {} values", self.limits.max_nodes);
            return Err(self.error(&document::TOO_MANY_NODES, detail));
        }
        let start = self.at;
        let value = match self.peek() {
            Some(b'"') => Tree::Text(self.string()?),
            Some(b'{') => Tree::Object(self.object(depth)?),
            Some(b'[') => Tree::Array(self.array(depth)?),
            Some(b'-' | b'0'..=b'9') => Tree::Number(self.number()?),
            Some(b't') => self.word("true", Tree::Bool(true))?,
            Some(b'f') => self.word("false", Tree::Bool(false))?,
            Some(b'n') => self.word("null", Tree::Null)?,
            Some(_) => return Err(self.syntax("a value is expected here")),
            None => return Err(self.syntax("the input ends where a value is expected")),
        };
        if let Some(spans) = &mut self.spans {
            spans.note(key, start..self.at);
        }
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Outcome<Members<'a>> {
        self.open(depth)?;
        if self.take(b'}') {
            return Ok(Members::default());
        }
        let mut members = Members::with_capacity(8);
        let mut names = Names::Few;
        loop {
            let place = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.syntax("a member name in double quotes is expected here"));
            }
            let name = self.string()?;
            let key = place..self.at;
            self.space();
            if !self.eat(b':') {
                return Err(self.syntax("`:` is expected here"));
            }
            self.space();
            let before = self.spans.as_mut().map(|spans| spans.enter(&name));
            let value = match self.value(depth + 1, Some(key)) {
                Ok(value) => value,
                Err(error) => return Err(error.under(Segment::Key(name.into_owned()))),
            };
            if let (Some(spans), Some(before)) = (&mut self.spans, before) {
                spans.leave(before);
            }
            if names.hold(&members, &name) {
                let detail = "this name stands twice in one object";
                let error = self.error_at(place, &document::DUPLICATE_KEY, detail);
                return Err(error.under(Segment::Key(name.into_owned())));
            }
            members.push(name, value);
            self.space();
            if self.take(b',') {
                continue;
            }
            if self.eat(b'}') {
                return Ok(members);
            }
            return Err(self.syntax("`,` or `}` is expected here"));
        }
    }

    fn array(&mut self, depth: usize) -> Outcome<Vec<Tree<'a>>> {
        self.open(depth)?;
        let mut elements = Vec::new();
        if self.take(b']') {
            return Ok(elements);
        }
        loop {
            let index = elements.len();
            let before = self.spans.as_mut().map(|spans| spans.enter(&index.to_string()));
            match self.value(depth + 1, None) {
                Ok(value) => elements.push(value),
                Err(error) => return Err(error.under(Segment::Index(index))),
            }
            if let (Some(spans), Some(before)) = (&mut self.spans, before) {
                spans.leave(before);
            }
            self.space();
            if self.take(b',') {
                continue;
            }
            if self.eat(b']') {
                return Ok(elements);
            }
            return Err(self.syntax("`,` or `]` is expected here"));
        }
    }

    fn open(&mut self, depth: usize) -> Outcome<()> {
        if depth >= self.limits.depth() {
            let detail = format!("more than {} levels", self.limits.depth());
            return Err(self.error(&document::TOO_DEEP, detail));
        }
        self.at += 1;
        self.space();
        Ok(())
    }

    fn string(&mut self) -> Outcome<Cow<'a, str>> {
        let start = self.at;
        self.at += 1;
        let first = self.run(start, 0)?;
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(first));
        }
        let mut text = first.to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => {
                    let detail = "a control character inside a string must be written `\\u00XX`";
                    return Err(self.error(&document::FORBIDDEN_CHARACTER, detail));
                }
            }
            text.push_str(self.run(start, text.len())?);
        }
    }

    /// What stands before the next quote, escape or control character of the string that begins
    /// at `start` and has `length` bytes so far.
    fn run(&mut self, start: usize, length: usize) -> Outcome<&'a str> {
        let text: &'a str = self.text;
        let end = self.at + plain(text.as_bytes().get(self.at..).unwrap_or_default());
        let Some(run) = text.get(self.at..end).filter(|_| end < text.len()) else {
            return Err(self.error_at(start, &document::JSON_SYNTAX, "the string has no end"));
        };
        if length + run.len() > self.limits.max_string {
            let detail = format!("more than {} bytes", self.limits.max_string);
            return Err(self.error_at(start, &document::STRING_TOO_LONG, detail));
        }
        self.at = end;
        Ok(run)
    }

    fn escape(&mut self) -> Outcome<char> {
        let start = self.at;
        self.at += 1;
        let byte = self.peek();
        self.at += 1;
        let character = match byte {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{C}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.code_point(start),
            _ => {
                let detail =
                    "no such escape; allowed are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX";
                return Err(self.error_at(start, &document::JSON_SYNTAX, detail));
            }
        };
        Ok(character)
    }

    fn code_point(&mut self, start: usize) -> Outcome<char> {
        let first = self.hex(start)?;
        let lone = |reader: &Self| {
            let detail = "half of a surrogate pair is not a character";
            reader.error_at(start, &document::LONE_SURROGATE, detail)
        };
        let code = match first {
            0 => {
                let detail = "NUL is in no text that any counterpart accepts";
                return Err(self.error_at(start, &document::FORBIDDEN_CHARACTER, detail));
            }
            0xD800..=0xDBFF => {
                if !(self.eat(b'\\') && self.eat(b'u')) {
                    return Err(lone(self));
                }
                let second = self.hex(start)?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(lone(self));
                }
                0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code).ok_or_else(|| lone(self))
    }

    fn hex(&mut self, start: usize) -> Outcome<u32> {
        let digits = self.text.get(self.at..self.at + 4).unwrap_or_default();
        if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let detail = "four hexadecimal digits are expected after \\u";
            return Err(self.error_at(start, &document::JSON_SYNTAX, detail));
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| self.syntax("not hexadecimal"))
    }

    fn number(&mut self) -> Outcome<Number> {
        let start = self.at;
        self.eat(b'-');
        if self.eat(b'0') {
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return Err(self.error_at(
                    start,
                    &document::JSON_SYNTAX,
                    "a number must not begin with 0; codes with leading zeros are strings",
                ));
            }
        } else {
            self.digits()?;
        }
        let mut integer = true;
        if self.eat(b'.') {
            integer = false;
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            integer = false;
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        let literal = self.text.get(start..self.at).unwrap_or_default();
        if integer && literal != "-0" {
            if let Ok(small) = literal.parse::<u64>() {
                return Ok(small.into());
            }
            if let Ok(small) = literal.parse::<i64>() {
                return Ok(small.into());
            }
            let detail = "an integer beyond 64 bits; write it as a string";
            return Err(self.error_at(start, &document::NUMBER_LOSES_DIGITS, detail));
        }
        let value: f64 = literal.parse().map_err(|_| self.syntax("not a number"))?;
        match Number::from_f64(value) {
            Some(number) if survives(literal, &number) => Ok(number),
            _ => {
                let detail = "a decimal that does not survive binary floating point; \
                              write it as a string";
                Err(self.error_at(start, &document::NUMBER_LOSES_DIGITS, detail))
            }
        }
    }

    fn digits(&mut self) -> Outcome<()> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return Err(self.syntax("a digit is expected here"));
        }
        self.at += count;
        Ok(())
    }

    fn word(&mut self, word: &str, value: Tree<'a>) -> Outcome<Tree<'a>> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.syntax("a value is expected here"))
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// `eat`, and the white space after it.
    fn take(&mut self, byte: u8) -> bool {
        let there = self.eat(byte);
        if there {
            self.space();
        }
        there
    }

    fn syntax(&self, detail: &str) -> Box<ReadError> {
        self.error(&document::JSON_SYNTAX, detail)
    }

    fn error(&self, code: &'static Code, detail: impl Into<String>) -> Box<ReadError> {
        self.error_at(self.at, code, detail)
    }

    fn error_at(
        &self,
        offset: usize,
        code: &'static Code,
        detail: impl Into<String>,
    ) -> Box<ReadError> {
        let detail = detail.into();
        Box::new(ReadError { code, offset, detail, segments: Vec::new(), whole: None })
    }
}

/// The names of the object being read: few are compared one by one.
enum Names<'a> {
    Few,
    Many(HashSet<Cow<'a, str>>),
}

impl<'a> Names<'a> {
    /// Whether the name is among the members; it is from now on.
    #[expect(clippy::ptr_arg, reason = "a borrowed name is cloned without a copy")]
    fn hold(&mut self, members: &Members<'a>, name: &Cow<'a, str>) -> bool {
        if let Names::Few = self {
            if members.len() < MANY_MEMBERS {
                return members.get(name).is_some();
            }
            *self = Names::Many(members.names().cloned().collect());
        }
        match self {
            Names::Few => false,
            Names::Many(all) => !all.insert(name.clone()),
        }
    }
}
