//! Reads `scan` of an operation, and tells of files that it leaves out.

use super::Loader;
use crate::adapter::Scan;
use crate::adapter::keys::scan as keys;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::yaml::Node;
use crate::mapping::path::{Path, Step};
use crate::model::codes::adapter as codes;
use crate::schema::Shape;

/// How deep a layout is searched for files.
const DEEPEST: usize = 16;

impl Loader<'_, '_> {
    /// What is scanned of that which comes; `content` is how it is laid out.
    pub(super) fn scan(&mut self, operation: &Node, content: Option<&Shape>) -> Option<Scan> {
        let node = operation.get("scan");
        let scan = node.map(|node| {
            self.reader.keys(node, &keys::SCAN);
            let list = node.get("files").and_then(|list| self.reader.list(list, "`files`"));
            let files = list.unwrap_or_default().iter();
            Scan { files: files.filter_map(|file| self.file_path(file, content)).collect() }
        });
        let mut encoded = Vec::new();
        if let Some(content) = content {
            files_of(content, &mut Vec::new(), &mut encoded);
        }
        let named: Vec<Vec<&str>> =
            scan.iter().flat_map(|scan| &scan.files).map(|path| members(path)).collect();
        for file in encoded.into_iter().filter(|file| !named.contains(file)) {
            let location = node.unwrap_or(operation).location(self.reader.file);
            let message = format!("`{}` holds a file in base64", file.join("."));
            let problem = Diagnostic::error(&codes::FILE_NOT_SCANNED, location, message);
            self.reader.diagnostics.push(problem.warning());
        }
        scan
    }

    /// A path on which each list stands for its elements.
    fn file_path(&mut self, node: &Node, content: Option<&Shape>) -> Option<Path> {
        let path = self.field(node, None)?;
        if let Some(content) = content
            && !leads(path.steps(), content)
        {
            let message = format!("the schema has no `{path}`");
            let hint = super::field::nearest_to(content, &path);
            self.error_with_hint(&codes::FIELD_NOT_IN_SCHEMA, node, message, hint);
        }
        Some(path)
    }
}

/// Whether a path, on which a list stands for its elements, leads to a text.
fn leads(steps: &[Step], shape: &Shape) -> bool {
    let through_list = |steps| shape.element().is_some_and(|element| leads(steps, element));
    match steps.split_first() {
        None => shape.types.iter().any(|one| one == "string") || through_list(steps),
        Some((Step::Field(name), rest)) => match shape.property(name) {
            Some(member) => leads(rest, &member.shape),
            None => through_list(steps),
        },
        Some((Step::Index(_), rest)) => through_list(rest),
    }
}

/// Names on a path, without indexes.
fn members(path: &Path) -> Vec<&str> {
    let mut names = Vec::new();
    for step in path.steps() {
        if let Step::Field(name) = step {
            names.push(name.as_str());
        }
    }
    names
}

/// Members with `contentEncoding: base64`, by the names that lead to them.
fn files_of<'s>(shape: &'s Shape, names: &mut Vec<&'s str>, found: &mut Vec<Vec<&'s str>>) {
    if names.len() > DEEPEST {
        return;
    }
    if shape.layout.get("contentEncoding").and_then(|one| one.as_str()) == Some("base64")
        && !found.contains(names)
    {
        found.push(names.clone());
    }
    for property in &shape.properties {
        names.push(&property.name);
        files_of(&property.shape, names, found);
        names.pop();
    }
    let elements = shape.items.as_deref().into_iter().chain(&shape.prefix);
    elements.chain(shape.beside()).for_each(|inner| files_of(inner, names, found));
}
