//! `Diagnostic`: what is wrong in a file that a person wrote; all problems at once.

use crate::model::Code;
use std::ops::Range;
use std::sync::Arc;

pub mod format;
pub mod keys;
pub mod nearest;
pub mod render;
pub mod yaml;

/// A file a person wrote, kept whole so that a diagnostic can show its line.
#[derive(Debug)]
pub struct SourceFile {
    /// Path as the person would type it, relative to the definitions folder.
    pub path: String,
    /// The text.
    pub text: String,
}

impl SourceFile {
    /// A file from its path and text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Arc<SourceFile> {
        Arc::new(SourceFile { path: path.into(), text: text.into() })
    }

    /// Line and column of a byte offset, both from 1; columns count characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
        (line, column)
    }
}

/// A place in a file: bytes `span` of `file`.
#[derive(Clone, Debug)]
pub struct Location {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Byte range in its text.
    pub span: Range<usize>,
}

/// How bad it is. Warnings do not stop a bundle from being activated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Must be mended first.
    Error,
    /// Works, but probably not as meant.
    Warning,
}

/// One problem, for the person who wrote the file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// The registered code; `watashi explain CODE` has its page.
    pub code: &'static Code,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong with this very thing: names what was found and what is allowed.
    pub message: String,
    /// Where.
    pub location: Location,
    /// What to do, often with the nearest valid name; shown on a line of its own.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static Code, location: Location, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            location,
            hint: None,
        }
    }

    /// The same with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }
}
