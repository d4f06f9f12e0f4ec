//! `Schemas`: JSON Schema 2020-12 files with Watashi's keywords, chosen by id and by message type.
//!
//! A schema's id follows from its path: `schemas/pmh/subject/1.schema.json` is `pmh/subject@1`.
//! Extra keywords: `x-message-types` (root: the message types this schema is for), `x-class`
//! (data class of a field), `x-item` (legal item code), `x-check` (check digit: `my-number`,
//! `corporate-number`, `municipality-code`, `atena-number`), `x-open` (undeclared members are
//! meant), and the layouts of the codecs (`xml`, `x-json`, `x-xml`, `x-soap`, `x-csv`,
//! `x-csv-name`, `x-fixed`, `x-private-use`).

mod bounds;
mod check;
pub mod examples;
mod file;
pub mod generate;
mod keyword;
mod layout;
mod lint;
mod resolve;
pub mod shape;
mod validator;
mod violation;

pub use bounds::Bounds;
pub(crate) use shape::merge as merge_shapes;
pub use shape::{Choice, Class, Condition, Property, Shape, Undeclared};
pub(crate) use validator::has_form;
pub use violation::Violation;
pub(crate) use violation::kind_of;

use crate::diagnostic::{Diagnostic, Location, SourceFile};
use crate::model::codes::document;
use crate::model::json::Node;
use file::File;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// One schema, ready to check documents.
pub struct Schema {
    id: String,
    title: String,
    resolved: Value,
    shape: Shape,
    validator: validator::Validator,
    digest: String,
    file: File,
}

impl fmt::Debug for Schema {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Schema").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Schema {
    /// `<folder>/<name>@<version>`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Title for people; the id when the file has none.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What may stand where.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The schema with every `$ref` replaced by what it points to.
    pub fn document(&self) -> &Value {
        &self.resolved
    }

    /// Checks a document; every violation at once (at most 50), none of them with a value.
    ///
    /// # Errors
    /// The violations, when there are any.
    pub fn validate<'v>(&self, document: impl Into<Node<'v>>) -> Result<(), Vec<Violation>> {
        let node = document.into();
        if self.validator.is_valid(node) {
            return Ok(());
        }
        Err(violation::collect(self.validator.iter_errors(node), &self.shape))
    }

    /// Whether a document is valid, without telling why not.
    pub fn is_valid<'v>(&self, document: impl Into<Node<'v>>) -> bool {
        self.validator.is_valid(document.into())
    }

    /// SHA-256 over this file and every file it refers to, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The place of a JSON pointer in the file, or of the nearest thing around it.
    pub fn location(&self, pointer: &str) -> Location {
        self.file.at(pointer)
    }
}

/// All schemas of a bundle.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    by_id: BTreeMap<String, Arc<Schema>>,
    by_message_type: BTreeMap<String, Arc<Schema>>,
}

impl Schemas {
    /// Loads files named `schemas/<folder>/<name>/<version>.schema.json` (a prefix may stand in
    /// front; examples are passed over). All problems of all files become diagnostics; a schema
    /// that has one is not loaded.
    pub fn load(files: &[Arc<SourceFile>], diagnostics: &mut Vec<Diagnostic>) -> Schemas {
        let files = read(files, diagnostics);
        let mut sound = BTreeSet::new();
        for file in files.values() {
            let before = diagnostics.len();
            lint::lint(file, diagnostics);
            resolve::check_references(file, &files, diagnostics);
            if diagnostics.len() == before {
                sound.insert(file.id.clone());
            }
        }
        let mut schemas = Schemas::default();
        let mut compiled = Vec::new();
        for file in files.values().filter(|file| sound.contains(&file.id)) {
            let mut found = Vec::new();
            compiled.push((file.id.clone(), compile(file, &files, &sound, &mut found)));
            merge(diagnostics, found);
        }
        let mut files = files;
        for (id, parts) in compiled {
            let (Some(parts), Some(file)) = (parts, files.remove(&id)) else { continue };
            schemas.add(Arc::new(parts.with(file)), diagnostics);
        }
        schemas
    }

    /// The schema of that id.
    pub fn get(&self, id: &str) -> Option<Arc<Schema>> {
        self.by_id.get(id).cloned()
    }

    /// Every id, sorted.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.by_id.keys().map(String::as_str)
    }

    /// The schema that names the message type in `x-message-types`.
    pub fn for_message_type(&self, message_type: &str) -> Option<Arc<Schema>> {
        self.by_message_type.get(message_type).cloned()
    }

    /// Every message type, sorted.
    pub fn message_types(&self) -> impl Iterator<Item = &str> {
        self.by_message_type.keys().map(String::as_str)
    }

    fn add(&mut self, schema: Arc<Schema>, diagnostics: &mut Vec<Diagnostic>) {
        let types = schema.file.value.get("x-message-types").and_then(Value::as_array);
        for (index, name) in types.into_iter().flatten().enumerate() {
            let Some(name) = name.as_str() else { continue };
            if let Some(other) = self.by_message_type.get(name) {
                let message = format!("`{name}` is already claimed by {}", other.id);
                let place = schema.location(&format!("/x-message-types/{index}"));
                let code = &document::MESSAGE_TYPE_TWICE;
                diagnostics.push(Diagnostic::error(code, place, message));
                continue;
            }
            self.by_message_type.insert(name.to_owned(), Arc::clone(&schema));
        }
        self.by_id.insert(schema.id.clone(), schema);
    }
}

fn read(files: &[Arc<SourceFile>], found: &mut Vec<Diagnostic>) -> BTreeMap<String, File> {
    let mut read: BTreeMap<String, File> = BTreeMap::new();
    for source in files.iter().filter(|file| !examples::is_example(&file.path)) {
        let Some(file) = File::read(source, found) else { continue };
        match read.get(&file.id) {
            Some(other) => {
                let message = format!("`{}` is already {}", file.id, other.source.path);
                found.push(file.error(&document::SCHEMA_TWICE, "", message));
            }
            None => {
                read.insert(file.id.clone(), file);
            }
        }
    }
    read
}

/// What `compile` makes of a file, before the file itself can be moved in.
struct Parts {
    resolved: Value,
    validator: validator::Validator,
    digest: String,
}

impl Parts {
    fn with(self, file: File) -> Schema {
        let title = self.resolved.get("title").and_then(Value::as_str).unwrap_or(&file.id);
        Schema {
            id: file.id.clone(),
            title: title.to_owned(),
            shape: Shape::of(&self.resolved),
            resolved: self.resolved,
            validator: self.validator,
            digest: self.digest,
            file,
        }
    }
}

fn compile(
    file: &File,
    files: &BTreeMap<String, File>,
    sound: &BTreeSet<String>,
    found: &mut Vec<Diagnostic>,
) -> Option<Parts> {
    let (resolved, used) = resolve::resolve(file, files, found)?;
    if !used.iter().all(|id| sound.contains(id)) {
        return None; // said at the file that is not sound
    }
    match validator::compile(&resolved) {
        Ok(validator) => Some(Parts { validator, digest: digest(&used, files), resolved }),
        Err(message) => {
            found.push(file.error(&document::SCHEMA_INVALID, "", message));
            None
        }
    }
}

fn digest(used: &BTreeSet<String>, files: &BTreeMap<String, File>) -> String {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for id in used {
        let text = files.get(id).map_or("", |file| &file.source.text);
        context.update(format!("{id} {}\n", text.len()).as_bytes());
        context.update(text.as_bytes());
    }
    context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A cycle or an excess is met once by every schema that leads into it; it is told once.
fn merge(diagnostics: &mut Vec<Diagnostic>, found: Vec<Diagnostic>) {
    for new in found {
        let known = diagnostics.iter().any(|old| {
            old.code == new.code
                && old.location.span == new.location.span
                && old.location.file.path == new.location.file.path
        });
        if !known {
            diagnostics.push(new);
        }
    }
}

#[cfg(test)]
mod tests;
