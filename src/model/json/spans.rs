//! Where each value of a JSON file stands, for diagnostics on files that people write.

use std::collections::HashMap;
use std::ops::Range;

/// Byte ranges by JSON pointer.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    places: HashMap<String, (Range<usize>, Range<usize>)>,
    pointer: String,
}

impl Spans {
    /// The value at a pointer; the nearest enclosing one when there is none.
    pub fn value(&self, pointer: &str) -> Range<usize> {
        self.find(pointer).map_or(0..0, |(_, value)| value.clone())
    }

    /// The key in front of the value at a pointer; the value itself in an array.
    pub fn key(&self, pointer: &str) -> Range<usize> {
        self.find(pointer).map_or(0..0, |(key, _)| key.clone())
    }

    fn find(&self, pointer: &str) -> Option<&(Range<usize>, Range<usize>)> {
        let mut pointer = pointer;
        loop {
            if let Some(found) = self.places.get(pointer) {
                return Some(found);
            }
            pointer = pointer.rsplit_once('/')?.0;
        }
    }

    /// Steps into a member or element; the answer is what `leave` wants back.
    pub(super) fn enter(&mut self, segment: &str) -> usize {
        let before = self.pointer.len();
        self.pointer.push('/');
        self.pointer.push_str(&escape(segment));
        before
    }

    /// Notes the place of the current value.
    pub(super) fn note(&mut self, key: Option<Range<usize>>, value: Range<usize>) {
        let key = key.unwrap_or_else(|| value.clone());
        self.places.insert(self.pointer.clone(), (key, value));
    }

    pub(super) fn leave(&mut self, before: usize) {
        self.pointer.truncate(before);
    }
}

/// A name as a segment of a JSON pointer (RFC 6901).
pub fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
