//! The formatter of YAML files: usual order of keys, two spaces per level, one blank line at most,
//! comments, quotes and line breaks of texts as their author wrote them.
//!
//! It moves the author's own text about and never writes a value anew. What comes out is read
//! again and must say the same and hold the same comments; otherwise the file is left alone.

mod block;
mod flow;
mod source;
#[cfg(test)]
mod tests;

use crate::diagnostic::keys::Form;
use crate::diagnostic::{Diagnostic, Location, SourceFile, yaml};
use crate::model::codes::mapping as codes;
use source::Source;
use std::sync::Arc;

/// The text of a YAML file as it should stand. `form` says what the file is meant to be; without
/// one every key keeps its place.
///
/// # Errors
/// What makes the file unreadable as YAML; `M008` when it uses YAML in a way that cannot be
/// formatted without a change of meaning.
pub fn format(file: &Arc<SourceFile>, form: Option<&'static Form>) -> Result<String, Diagnostic> {
    let before = yaml::parse(file)?;
    let clean = file.text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let clean = SourceFile::new(file.path.clone(), clean);
    let root = yaml::parse(&clean)?;
    let source = Source::new(&clean.text);
    let formatted = block::document(&source, &root, form);
    let after_file = SourceFile::new(file.path.clone(), formatted.clone());
    let same = yaml::parse(&after_file).is_ok_and(|after| after.to_json() == before.to_json())
        && Source::new(&formatted).comment_texts() == source.comment_texts();
    if same {
        return Ok(formatted);
    }
    let location = Location { file: Arc::clone(file), span: 0..0 };
    let message = "the file cannot be formatted without a change of what it says";
    Err(Diagnostic::error(&codes::NOT_FORMATTABLE, location, message)
        .hint("write it in plain block style: no anchors, no comments inside brackets"))
}
