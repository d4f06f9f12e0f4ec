//! The text being formatted: where its comments are, lines and columns.

use serde_saphyr::granit_parser::{Event, Options, Parser};
use std::ops::Range;

/// A text with the places of its comments.
pub(super) struct Source<'t> {
    pub text: &'t str,
    /// Bytes of every comment, from `#` to the end of its line, in order.
    comments: Vec<Range<usize>>,
}

/// What stands between two parts: nothing but blanks, line ends and comments.
#[derive(Debug, Default)]
pub(super) struct Gap {
    /// The comment on the line where the gap begins.
    pub first: Option<String>,
    /// The lines below: comments, and empty ones.
    pub lines: Vec<String>,
}

impl<'t> Source<'t> {
    pub fn new(text: &'t str) -> Source<'t> {
        let mut comments = Vec::new();
        let mut options = Options::default();
        options.set_emit_comments(true);
        let mut events = Parser::new_from_str_with_options(text, options);
        while let Some(Ok((event, span))) = events.next_event() {
            if let (Event::Comment(..), Some(range)) = (&event, span.byte_range()) {
                comments.push(range);
            }
            if matches!(event, Event::StreamEnd) {
                break;
            }
        }
        comments.sort_by_key(|range| range.start);
        comments.dedup();
        Source { text, comments }
    }

    /// The text of every comment, sorted: formatting may move them.
    pub fn comment_texts(&self) -> Vec<&'t str> {
        let mut texts: Vec<&str> =
            self.comments.iter().map(|range| self.slice(range).trim_end()).collect();
        texts.sort_unstable();
        texts
    }

    pub fn slice(&self, range: &Range<usize>) -> &'t str {
        self.text.get(range.clone()).unwrap_or("")
    }

    pub fn from(&self, start: usize) -> &'t str {
        self.text.get(start..).unwrap_or("")
    }

    /// Whether a comment stands within a range.
    pub fn has_comment(&self, range: &Range<usize>) -> bool {
        self.comments.iter().any(|comment| range.contains(&comment.start))
    }

    /// Where the line that holds an offset ends, without its line end.
    pub fn line_end(&self, offset: usize) -> usize {
        self.from(offset).find('\n').map_or(self.text.len(), |at| offset + at)
    }

    /// How many bytes stand before an offset on its line.
    pub fn column(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or(self.text);
        before.rfind('\n').map_or(offset, |at| offset - at - 1)
    }

    /// The comments and blank lines of a range. Anything else in it (a dash, an anchor) is passed
    /// over. `whole`: the range begins a line, so that nothing of it belongs to an earlier one.
    pub fn gap(&self, range: &Range<usize>, whole: bool) -> Gap {
        let mut gap = Gap::default();
        let mut start = range.start;
        let mut first = !whole;
        while start < range.end {
            let end = self.line_end(start).min(range.end);
            let line = start..end;
            let comment = self.comments.iter().find(|one| line.contains(&one.start));
            let comment = comment.map(|one| self.slice(one).trim_end().to_owned());
            let empty = self.slice(&line).trim().is_empty() && end < range.end;
            match comment {
                Some(comment) if first => gap.first = Some(comment),
                Some(comment) => gap.lines.push(comment),
                None if empty && !first && gap.lines.last().is_none_or(|last| !last.is_empty()) => {
                    gap.lines.push(String::new());
                }
                None => {}
            }
            first = false;
            start = end + 1;
        }
        gap
    }

    /// The comment behind a value on its line, and where reading goes on.
    pub fn trailing(&self, end: usize) -> (Option<String>, usize) {
        let line = end..self.line_end(end);
        match self.comments.iter().find(|one| line.contains(&one.start)) {
            Some(comment) if self.slice(&(end..comment.start)).trim().is_empty() => {
                (Some(self.slice(comment).trim_end().to_owned()), line.end)
            }
            _ => (None, end),
        }
    }

    /// Comment lines below `end` that stand at least at a column: they belong to what is above.
    pub fn foot(&self, end: usize, column: usize) -> (Vec<String>, usize) {
        let mut lines: Vec<String> = Vec::new();
        let (mut kept, mut reached) = (0, end);
        let mut start = self.line_end(end) + 1;
        while start < self.text.len() {
            let line = start..self.line_end(start);
            let text = self.slice(&line).trim();
            if text.is_empty() {
                if lines.last().is_none_or(|last| !last.is_empty()) {
                    lines.push(String::new());
                }
            } else if text.starts_with('#') && self.column_of_text(&line) >= column {
                lines.push(text.to_owned());
                kept = lines.len();
                reached = line.end;
            } else {
                break;
            }
            start = line.end + 1;
        }
        lines.truncate(kept);
        (lines, reached)
    }

    fn column_of_text(&self, line: &Range<usize>) -> usize {
        let text = self.slice(line);
        text.len() - text.trim_start().len()
    }
}
