//! `Source`: the text of one expression and where it stands, so that a problem inside it can be
//! shown in place.

use crate::diagnostic::yaml::Node;
use crate::diagnostic::{Location, SourceFile};
use crate::mapping::plan::At;
use std::ops::Range;
use std::sync::Arc;

/// The text of an expression in its file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    file: Arc<SourceFile>,
    /// Where the text begins in the file, when it stands there letter for letter.
    start: Option<usize>,
    /// The scalar it was written as.
    whole: Range<usize>,
    pub text: String,
}

impl Source {
    /// The text of a scalar at `location` (quotes included).
    pub(crate) fn new(text: &str, location: Location) -> Source {
        let Location { file, span: whole } = location;
        let verbatim = |start: usize| {
            let end = start.checked_add(text.len())?;
            file.text.get(start..end).filter(|found| *found == text).map(|_| start)
        };
        let start = verbatim(whole.start).or_else(|| verbatim(whole.start + 1));
        Source { start, whole, text: text.to_owned(), file }
    }

    /// The text of a node.
    pub(crate) fn of(file: &Arc<SourceFile>, node: &Node) -> Option<Source> {
        node.as_str().map(|text| Source::new(text, node.location(file)))
    }

    /// The place of a part; the whole scalar when it is not written letter for letter.
    pub(crate) fn place(&self, span: &Range<usize>) -> Location {
        let span = match self.start {
            Some(start) => start + span.start..start + span.end,
            None => self.whole.clone(),
        };
        Location { file: Arc::clone(&self.file), span }
    }

    /// Line and column where a part begins.
    pub(crate) fn at(&self, span: &Range<usize>) -> At {
        let location = self.place(span);
        let (line, column) = self.file.position(location.span.start);
        At { line, column }
    }
}
