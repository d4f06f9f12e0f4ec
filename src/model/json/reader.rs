//! The reader: one pass over the bytes, straight to a value, no deeper than the limit.

use super::limits::{DecodeError, Limits, Segment, position, too_large, utf8};
use super::number::survives;
use super::spans::Spans;
use crate::model::Code;
use crate::model::codes::document;
use serde_json::{Map, Number, Value};
use std::ops::Range;

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
    too_large(bytes, limits)?;
    Reader::new(utf8(bytes)?, limits, None).document().map(|(value, _)| value)
}

/// Reads one document and notes where everything stands.
pub fn read_with_spans(bytes: &[u8], limits: &Limits) -> Outcome<(Value, Spans)> {
    too_large(bytes, limits)?;
    let (value, spans) = Reader::new(utf8(bytes)?, limits, Some(Spans::default())).document()?;
    Ok((value, spans.unwrap_or_default()))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
    limits: &'a Limits,
    spans: Option<Spans>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, limits: &'a Limits, spans: Option<Spans>) -> Self {
        Reader { text, at: 0, nodes: 0, limits, spans }
    }

    fn document(mut self) -> Outcome<(Value, Option<Spans>)> {
        self.space();
        let value = self.value(0, None)?;
        self.space();
        if self.at < self.text.len() {
            return Err(self.error(&document::TRAILING_DATA, "the document ends before this"));
        }
        Ok((value, self.spans))
    }

    fn value(&mut self, depth: usize, key: Option<Range<usize>>) -> Outcome<Value> {
        self.nodes += 1;
        if self.nodes > self.limits.max_nodes {
            let detail = format!("more than {} values", self.limits.max_nodes);
            return Err(self.error(&document::TOO_MANY_NODES, detail));
        }
        let start = self.at;
        let value = match self.peek() {
            Some(b'"') => Value::String(self.string()?),
            Some(b'{') => Value::Object(self.object(depth)?),
            Some(b'[') => Value::Array(self.array(depth)?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            Some(b't') => self.word("true", Value::Bool(true))?,
            Some(b'f') => self.word("false", Value::Bool(false))?,
            Some(b'n') => self.word("null", Value::Null)?,
            Some(_) => return Err(self.syntax("a value is expected here")),
            None => return Err(self.syntax("the input ends where a value is expected")),
        };
        if let Some(spans) = &mut self.spans {
            spans.note(key, start..self.at);
        }
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Outcome<Map<String, Value>> {
        self.open(depth)?;
        let mut members = Map::new();
        if self.take(b'}') {
            return Ok(members);
        }
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
                Err(error) => return Err(error.under(Segment::Key(name))),
            };
            if let (Some(spans), Some(before)) = (&mut self.spans, before) {
                spans.leave(before);
            }
            match members.entry(name) {
                serde_json::map::Entry::Vacant(vacant) => vacant.insert(value),
                serde_json::map::Entry::Occupied(occupied) => {
                    let segment = Segment::Key(occupied.key().clone());
                    let detail = "this name stands twice in one object";
                    let error = self.error_at(place, &document::DUPLICATE_KEY, detail);
                    return Err(error.under(segment));
                }
            };
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

    fn array(&mut self, depth: usize) -> Outcome<Vec<Value>> {
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

    fn string(&mut self) -> Outcome<String> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let stop = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F));
            let Some(run) = stop.and_then(|length| rest.get(..length)) else {
                return Err(self.error_at(start, &document::JSON_SYNTAX, "the string has no end"));
            };
            self.at += run.len();
            if text.len() + run.len() > self.limits.max_string {
                let detail = format!("more than {} bytes", self.limits.max_string);
                return Err(self.error_at(start, &document::STRING_TOO_LONG, detail));
            }
            text.push_str(run);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => {
                    let detail = "a control character inside a string must be written `\\u00XX`";
                    return Err(self.error(&document::FORBIDDEN_CHARACTER, detail));
                }
            }
        }
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

    fn word(&mut self, word: &str, value: Value) -> Outcome<Value> {
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
