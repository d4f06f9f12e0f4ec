//! From `counts/<name>.yaml` to definitions: every path against the schema of what the route takes, every
//! dimension against its class.

use super::keys::{COUNTS, DIMENSION};
use super::{All, By, Definition, Dimension, MOST_CELLS, MOST_DIMENSIONS, OTHER, name_of};
use crate::adapter::load::field;
use crate::adapter::{Bundle, Route};
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::{self, Node, Reader};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::mapping::Predicate;
use crate::mapping::path::Path;
use crate::model::Code;
use crate::model::codes::adapter as codes;
use crate::schema::{Class, Shape};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads and checks all definitions of counts among files.
pub fn load(files: &[Arc<SourceFile>], bundle: &Bundle, diagnostics: &mut Vec<Diagnostic>) -> All {
    let mut all = All::new();
    for file in files.iter().filter(|file| file.path.ends_with(".yaml")) {
        let root = match yaml::parse(file) {
            Ok(root) => root,
            Err(problem) => {
                diagnostics.push(problem);
                continue;
            }
        };
        let mut loading = Loading { reader: Reader::new(file, diagnostics), bundle };
        if let Some(definition) = loading.definition(&root) {
            loading.counted_once(&root, &definition, &all);
            all.insert(definition.name.clone(), definition);
        }
    }
    all
}

struct Loading<'a> {
    reader: Reader<'a>,
    bundle: &'a Bundle,
}

impl Loading<'_> {
    fn error(&mut self, code: &'static Code, node: &Node, message: impl Into<String>) {
        self.hinted(code, node, message, None);
    }

    fn hinted(
        &mut self,
        code: &'static Code,
        node: &Node,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        let location = node.location(self.reader.file);
        let problem = Diagnostic { hint, ..Diagnostic::error(code, location, message) };
        self.reader.diagnostics.push(problem);
    }

    /// Whether nothing was found to be wrong since there were so many problems.
    fn sound_since(&self, before: usize) -> bool {
        self.reader.diagnostics.len() == before
    }

    fn definition(&mut self, root: &Node) -> Option<Definition> {
        const WHAT: &str = "a definition of counts";
        let before = self.reader.diagnostics.len();
        self.reader.keys(root, &COUNTS)?;
        let name_node = self.reader.required(root, WHAT, "counts")?;
        let name = self.reader.text(name_node, "`counts`")?.to_owned();
        let file = Arc::clone(self.reader.file);
        if name_of(&file) != Some(name.as_str()) {
            self.error(&codes::BAD_COUNTS, name_node, "`counts` is not the name of the file");
        }
        let route_node = self.reader.required(root, WHAT, "route")?;
        let route = self.route(route_node)?;
        let shape = route.mapping.from.shape();
        let date_node = self.reader.required(root, WHAT, "date")?;
        let date = self.path(date_node, shape);
        let record = root.get("record").map(|node| self.path(node, shape));
        let revision = root.get("revision").map(|node| self.path(node, shape));
        if let (None, Some(other)) =
            (&record, root.get("revision").or_else(|| root.get("withdrawn")))
        {
            let message = "`record` says whose states `revision` and `withdrawn` are of";
            self.error(&codes::BAD_COUNTS, other, message);
        }
        let withdrawn = root.get("withdrawn").and_then(|node| {
            let text = self.reader.text(node, "`withdrawn`")?;
            let location = node.location(&file);
            Predicate::compile(text, location, Some(shape), self.reader.diagnostics)
        });
        let list = self.reader.required(root, WHAT, "dimensions")?;
        let identifiers: Vec<Option<&Path>> = vec![
            route.subject.as_ref(),
            route.ordering_key.as_ref(),
            record.as_ref().and_then(Option::as_ref),
            revision.as_ref().and_then(Option::as_ref),
        ];
        let dimensions = self.dimensions(list, shape, &identifiers);
        let threshold = root.get("threshold").map(|node| self.threshold(node)).unwrap_or(10);
        let title = self.reader.text_at(root, "title").unwrap_or(&name).to_owned();
        // A definition with a problem is no definition.
        self.sound_since(before).then_some(())?;
        Some(Definition {
            title,
            route: route.name.clone(),
            date: date?,
            record: record.flatten(),
            revision: revision.flatten(),
            withdrawn,
            dimensions,
            threshold,
            name,
        })
    }

    fn threshold(&mut self, node: &Node) -> u64 {
        match self.reader.count(node, "`threshold`") {
            Some(count) if (3..=1_000).contains(&count) => count,
            Some(_) => {
                self.error(&codes::BAD_COUNTS, node, "`threshold` must be 3 to 1000");
                10
            }
            None => 10,
        }
    }

    /// The route, which takes what upstream posts.
    fn route(&mut self, node: &Node) -> Option<Arc<Route>> {
        let name = self.reader.text(node, "`route`")?;
        let Some(route) = self.bundle.route(name) else {
            let near = nearest(name, self.bundle.routes().map(|route| route.name.as_str()));
            let hint = near.map(|near| format!("did you mean `{near}`?"));
            self.hinted(&codes::BAD_COUNTS, node, format!("no adapter has a route `{name}`"), hint);
            return None;
        };
        if route.on.iter().any(|message_type| self.bundle.pull_of(message_type).is_some()) {
            let message = "the route takes what is fetched; only what upstream posts is counted";
            self.error(&codes::BAD_COUNTS, node, message);
        }
        Some(route)
    }

    /// A path that is in the schema.
    fn path(&mut self, node: &Node, shape: &Shape) -> Option<Path> {
        let text = self.reader.text(node, "a path")?;
        let path = match Path::parse(text) {
            Ok(path) => path,
            Err(why) => {
                self.error(&codes::BAD_FIELD_PATH, node, why);
                return None;
            }
        };
        if field::shape_at(shape, &path).is_none() {
            let hint = field::nearest_to(shape, &path);
            let message = format!("the schema has no `{path}`");
            self.hinted(&codes::FIELD_NOT_IN_SCHEMA, node, message, hint);
        }
        Some(path)
    }

    fn dimensions(
        &mut self,
        list: &Node,
        shape: &Shape,
        identifiers: &[Option<&Path>],
    ) -> Vec<Dimension> {
        let entries = list.as_map().unwrap_or_default();
        if entries.is_empty() || entries.len() > MOST_DIMENSIONS {
            let message = format!("1 to {MOST_DIMENSIONS} dimensions, each with its name");
            self.error(&codes::BAD_COUNTS, list, message);
            return Vec::new();
        }
        let mut found = Vec::new();
        for entry in entries {
            found.extend(self.dimension(&entry.key, &entry.node, shape, identifiers));
        }
        let cells: usize =
            found.iter().map(|dimension: &Dimension| dimension.labels.len()).product();
        if cells > MOST_CELLS {
            let message = format!("the table has {cells} cells, at most {MOST_CELLS} are allowed");
            self.error(&codes::BAD_COUNTS, list, message);
        }
        found
    }

    fn dimension(
        &mut self,
        name: &str,
        node: &Node,
        shape: &Shape,
        identifiers: &[Option<&Path>],
    ) -> Option<Dimension> {
        self.reader.keys(node, &DIMENSION)?;
        let (item_node, is_age) = match (node.get("item"), node.get("birth-date")) {
            (Some(item), None) => (item, false),
            (None, Some(birth)) => (birth, true),
            _ => {
                let message = format!("dimension `{name}` has either `item` or `birth-date`");
                self.error(&codes::BAD_COUNTS, node, message);
                return None;
            }
        };
        let item = self.path(item_node, shape)?;
        let here = field::shape_at(shape, &item)?;
        let listed = here.allowed.as_ref().is_some_and(|allowed| !allowed.is_empty());
        self.class(item_node, &item, shape, is_age || listed, identifiers);
        let (by, labels) = if is_age { self.ages(node)? } else { self.values(node, here)? };
        Some(Dimension { name: name.to_owned(), item, by, labels })
    }

    /// What could show who somebody is, is no dimension.
    fn class(
        &mut self,
        node: &Node,
        item: &Path,
        shape: &Shape,
        is_coarse: bool,
        identifiers: &[Option<&Path>],
    ) {
        let class = field::class_at(shape, item);
        let own = field::shape_at(shape, item);
        let number = own.is_some_and(|shape| {
            let known = crate::model::check_digit::KINDS;
            shape.bounds.forms.iter().any(|form| known.contains(&form.as_str()))
        });
        let free = own.is_some_and(|shape| {
            !is_coarse && shape.allows("string") && shape.bounds.patterns.is_empty()
        });
        let message = if class >= Class::SpecificPersonal {
            format!("`{item}` is of class {}: it is never counted by", class.name())
        } else if number || identifiers.contains(&Some(item)) {
            format!("`{item}` tells one person or record from another: it is never counted by")
        } else if free {
            format!("`{item}` is free text: the schema has neither a list nor a pattern for it")
        } else if class == Class::Personal && !is_coarse {
            format!(
                "`{item}` is of class {}, and the schema does not list its values",
                class.name()
            )
        } else {
            return;
        };
        self.error(&codes::DIMENSION_PERSONAL, node, message);
    }

    fn ages(&mut self, node: &Node) -> Option<(By, Vec<String>)> {
        let list = self.reader.required(node, "a dimension of ages", "ages")?;
        let nodes = self.reader.list(list, "`ages`")?;
        let years: Vec<i16> = nodes
            .iter()
            .filter_map(|node| i16::try_from(self.reader.count(node, "an age")?).ok())
            .collect();
        let ascending = years.is_sorted_by(|one, next| one < next);
        if years.is_empty() || !ascending || years.iter().any(|year| *year > 120) {
            self.error(
                &codes::BAD_COUNTS,
                list,
                "ages are years from 0 to 120, each more than the one before",
            );
            return None;
        }
        let ends = years.iter().skip(1).map(|next| Some(next - 1)).chain([None]);
        let label = |(from, to): (&i16, Option<i16>)| match to {
            Some(to) if to == *from => format!("{from}歳"),
            Some(to) => format!("{from}–{to}歳"),
            None => format!("{from}歳以上"),
        };
        let labels = years.iter().zip(ends).map(label).chain([OTHER.to_owned()]).collect();
        Some((By::Age(years), labels))
    }

    /// The values that are listed here, else those that the schema lists.
    fn values(&mut self, node: &Node, shape: &Shape) -> Option<(By, Vec<String>)> {
        let mut found: Vec<(String, String)> = Vec::new();
        match node.get("values") {
            Some(values) => {
                if let Some(entries) = values.as_map() {
                    for entry in entries {
                        let label = self.reader.text(&entry.node, "a label")?;
                        found.push((entry.key.clone(), label.to_owned()));
                    }
                } else {
                    for value in self.reader.list(values, "`values`")? {
                        let text = value.as_scalar().and_then(plain);
                        let Some(text) = text else {
                            self.reader.wrong_kind(value, "a value", "a text or a number");
                            continue;
                        };
                        found.push((text.clone(), text));
                    }
                }
            }
            None => {
                let allowed = shape.allowed.iter().flatten().filter_map(plain);
                found.extend(allowed.map(|value| (value.clone(), value)));
            }
        }
        if found.is_empty() {
            let message = "neither the schema nor `values` lists the values";
            self.error(&codes::DIMENSION_OPEN, node, message);
            return None;
        }
        let mut known = BTreeMap::new();
        for (index, (value, _)) in found.iter().enumerate() {
            if known.insert(value.clone(), index).is_some() {
                self.error(&codes::BAD_COUNTS, node, format!("the value `{value}` stands twice"));
            }
        }
        let labels = found.into_iter().map(|(_, label)| label).chain([OTHER.to_owned()]);
        Some((By::Value(known), labels.collect()))
    }

    /// Two tables of the same records could be subtracted from each other.
    fn counted_once(&mut self, root: &Node, definition: &Definition, all: &All) {
        let Some(other) = all.values().find(|other| other.route == definition.route) else {
            return;
        };
        let node = root.get("route").unwrap_or(root);
        let location = node.location(self.reader.file);
        let message = format!("`{}` counts the messages of this route as well", other.name);
        let problem = Diagnostic::error(&codes::COUNTED_TWICE, location, message).warning();
        self.reader.diagnostics.push(problem.hint(codes::COUNTED_TWICE.remedy));
    }
}

/// A value as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
