//! `Bundle`: all definitions together, checked and compiled, with one digest. Built from texts:
//! reading the files is `config`'s work.

use super::characters::Repertoires;
use super::load::{self, Definitions};
use super::{Adapter, Destination, Operation, Overrides, Route};
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::{Diagnostic, Location, Severity, SourceFile};
use crate::mapping::{Mapping, Tables};
use crate::model::codes::adapter as codes;
use crate::schema::{Schemas, examples};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Definitions in force.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// All schemas.
    pub schemas: Schemas,
    /// All mappings, by name.
    pub mappings: BTreeMap<String, Arc<Mapping>>,
    /// All adapters, by name.
    pub adapters: BTreeMap<String, Arc<Adapter>>,
    routes: BTreeMap<String, Arc<Route>>,
    by_type: HashMap<String, Vec<Arc<Route>>>,
    pulls: HashMap<String, Pulled>,
    enabled: Vec<String>,
    digest: Arc<str>,
}

/// An operation that fetches, and the adapter it belongs to.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The adapter.
    pub adapter: Arc<Adapter>,
    /// The pull.
    pub operation: Arc<Operation>,
}

/// Which routes are on, and where that is written.
#[derive(Clone, Debug)]
pub enum Enabled {
    /// All of them.
    All,
    /// These; the location points at the list for messages.
    These(Vec<(String, Option<Location>)>),
}

impl Bundle {
    /// Builds a bundle from the texts of all files below `adapters/`, `schemas/` and `mappings/`.
    /// Every problem is reported; `None` when there is an error among them.
    pub fn build(
        files: &[Arc<SourceFile>],
        enabled: &Enabled,
        overrides: &BTreeMap<String, Overrides>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Bundle> {
        let mut found = Vec::new();
        let of = |part: &str, end: &str| -> Vec<Arc<SourceFile>> {
            let wanted =
                |file: &&Arc<SourceFile>| belongs(&file.path, part) && file.path.ends_with(end);
            files.iter().filter(wanted).cloned().collect()
        };
        let schemas = Schemas::load(&of("schemas", ".schema.json"), &mut found);
        examples::check(&schemas, &of("schemas", ""), &mut found);
        let tables: Vec<Arc<SourceFile>> =
            of("mappings", "").into_iter().filter(|file| Tables::is_file(&file.path)).collect();
        let tables = Tables::load(&tables, &mut found);
        let mut mappings: HashMap<String, Arc<Mapping>> = HashMap::new();
        for file in of("mappings", "/mapping.yaml") {
            if let Some(mapping) = Mapping::compile(&file, &schemas, &tables, &mut found) {
                mappings.insert(mapping.name.clone(), Arc::new(mapping));
            }
        }
        check_inverses(&of("mappings", "/mapping.yaml"), &mappings, &mut found);
        let repertoires = Repertoires::load(&of("mappings", ".txt"), &mut found);
        let calendars = load::hours::calendars(&of("adapters", ".yaml"), &mut found);
        let definitions = Definitions {
            calendars: &calendars,
            schemas: &schemas,
            mappings: &mappings,
            tables: &tables,
            repertoires: &repertoires,
            lists: &HashMap::new(),
            overrides,
        };
        let (adapters, routes) = load_adapters(&of("adapters", ".yaml"), &definitions, &mut found);
        let pulls = pulls(&adapters, &of("adapters", ".yaml"), &mut found);
        routes
            .iter()
            .for_each(|(route, place)| check_types(route, place, &schemas, &pulls, &mut found));
        load::approval::check_answers(&routes, &mut found);
        let routes: Routes =
            routes.into_iter().map(|(route, _)| (route.name.clone(), route)).collect();
        let enabled = choose(enabled, &routes, &mut found);
        let failed = found.iter().any(|problem| problem.severity == Severity::Error);
        diagnostics.append(&mut found);
        if failed {
            return None;
        }
        let by_type = by_type(&routes, &enabled);
        let digest = digest(files).into();
        let mappings = mappings.into_iter().collect();
        Some(Bundle { schemas, mappings, adapters, routes, by_type, pulls, enabled, digest })
    }

    /// The same definitions with this route alone switched on.
    #[must_use]
    pub fn only(&self, route: &str) -> Bundle {
        let enabled = vec![route.to_owned()];
        Bundle { by_type: by_type(&self.routes, &enabled), enabled, ..self.clone() }
    }

    /// The route of that name, enabled or not: an exchange accepted before its route was
    /// switched off still ends.
    pub fn route(&self, name: &str) -> Option<Arc<Route>> {
        self.routes.get(name).cloned()
    }

    /// All routes, by name.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.routes.values()
    }

    /// Whether a route is switched on.
    pub fn is_enabled(&self, route: &str) -> bool {
        self.enabled.iter().any(|name| name == route)
    }

    /// Enabled routes of a message type.
    pub fn routes_for(&self, message_type: &str) -> &[Arc<Route>] {
        self.by_type.get(message_type).map(Vec::as_slice).unwrap_or_default()
    }

    /// The pull that gives messages of a type. Such a type is never posted.
    pub fn pull_of(&self, message_type: &str) -> Option<&Pulled> {
        self.pulls.get(message_type)
    }

    /// Whether an enabled route leads to the operation or takes what comes from it; of a file of
    /// results, whether one leads to the operation that it settles.
    pub fn is_used(&self, adapter: &Adapter, operation: &Operation) -> bool {
        let on = |route: &Arc<Route>| self.is_enabled(&route.name);
        let leads = |name: &str| {
            let to_it = |route: &&Arc<Route>| {
                route.adapter.name == adapter.name && route.operation_name() == name
            };
            self.routes().filter(to_it).any(on)
        };
        let settles = operation.file_in.as_ref().and_then(|rule| rule.settles.as_ref());
        operation.gives().is_some_and(|given| self.routes_for(given).iter().any(on))
            || leads(&operation.name)
            || settles.is_some_and(|settles| leads(&settles.operation))
    }

    /// Message types that enabled routes take.
    pub fn message_types(&self) -> impl Iterator<Item = &str> {
        self.by_type.keys().map(String::as_str)
    }

    /// SHA-256 over all files, hex: what the record names as the definitions in force.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The same, for entries that share it.
    pub fn shared_digest(&self) -> Arc<str> {
        Arc::clone(&self.digest)
    }
}

/// Enabled routes by the types they take.
fn by_type(routes: &Routes, enabled: &[String]) -> HashMap<String, Vec<Arc<Route>>> {
    let mut by_type: HashMap<String, Vec<Arc<Route>>> = HashMap::new();
    for route in routes.values().filter(|route| enabled.contains(&route.name)) {
        for message_type in &route.on {
            by_type.entry(message_type.clone()).or_default().push(Arc::clone(route));
        }
    }
    by_type
}

/// Each declared inverse must lead back.
fn check_inverses(
    files: &[Arc<SourceFile>],
    mappings: &HashMap<String, Arc<Mapping>>,
    found: &mut Vec<Diagnostic>,
) {
    let name = |file: &Arc<SourceFile>| file.path.rsplit('/').nth(1).map(str::to_owned);
    let names: Vec<String> = files.iter().filter_map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for mapping in names.iter().filter_map(|name| mappings.get(*name)) {
        if let Some(inverse) = mapping.inverse() {
            let back = mappings.get(&inverse.mapping).map(Arc::as_ref);
            inverse.check(mapping, back, &names, found);
        }
    }
}

/// Whether a path has `part` as one of its folders.
fn belongs(path: &str, part: &str) -> bool {
    path.split('/').rev().skip(1).any(|folder| folder == part)
}

type Adapters = BTreeMap<String, Arc<Adapter>>;
type Routes = BTreeMap<String, Arc<Route>>;

fn load_adapters(
    files: &[Arc<SourceFile>],
    definitions: &Definitions<'_>,
    found: &mut Vec<Diagnostic>,
) -> (Adapters, Vec<(Arc<Route>, Location)>) {
    let mut adapters = Adapters::new();
    let mut routes: Vec<(Arc<Route>, Location)> = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with("/adapter.yaml")) {
        let folder = file.path.trim_end_matches("adapter.yaml");
        let lists = files
            .iter()
            .filter(|other| other.path.starts_with(folder) && other.path != file.path)
            .filter_map(|other| {
                let name = other.path.strip_prefix(folder)?.strip_suffix(".yaml")?;
                Some((name.to_owned(), Arc::clone(other)))
            })
            .collect();
        let definitions = Definitions { lists: &lists, ..*definitions };
        let Some((adapter, its_routes)) = load::load(file, &definitions, found) else { continue };
        let whole = Location { file: Arc::clone(file), span: 0..0 };
        if adapters.insert(adapter.name.clone(), Arc::clone(&adapter)).is_some() {
            let message = format!("adapter `{}` is declared twice", adapter.name);
            found.push(Diagnostic::error(&codes::DUPLICATE_ADAPTER, whole, message));
        }
        for (route, place) in its_routes {
            if let Some((earlier, _)) = routes.iter().find(|(known, _)| known.name == route.name) {
                let message = format!(
                    "route `{}` is also declared by adapter `{}`",
                    route.name, earlier.adapter.name
                );
                found.push(Diagnostic::error(&codes::DUPLICATE_ROUTE, place, message));
                continue;
            }
            routes.push((Arc::new(route), place));
        }
    }
    (adapters, routes)
}

/// A type that no schema declares must be that of a pull whose answers the mapping starts from.
fn check_types(
    route: &Route,
    place: &Location,
    schemas: &Schemas,
    pulls: &HashMap<String, Pulled>,
    found: &mut Vec<Diagnostic>,
) {
    if matches!(route.destination, Destination::Publish(_)) {
        return;
    }
    for message_type in &route.on {
        let pulled = pulls.get(message_type).and_then(|pulled| pulled.operation.content());
        let fits = pulled.is_some_and(|plan| plan.schema.id() == route.mapping.from.id());
        if fits || schemas.for_message_type(message_type).is_some() {
            continue;
        }
        let message = match pulled {
            Some(plan) => format!(
                "`{message_type}` is fetched as `{}`, the mapping starts from `{}`",
                plan.schema.id(),
                route.mapping.from.id()
            ),
            None => format!(
                "`{message_type}` is not among the `x-message-types` of `{}`",
                route.mapping.from.id()
            ),
        };
        let known = schemas.message_types().chain(pulls.keys().map(String::as_str));
        let mut problem = Diagnostic::error(&codes::UNKNOWN_MESSAGE_TYPE, place.clone(), message);
        problem.hint = nearest(message_type, known)
            .filter(|name| name != message_type)
            .map(|name| format!("did you mean `{name}`?"));
        found.push(problem);
    }
}

/// The pulls by what they give: one for each type, so that a message tells where it comes from.
fn pulls(
    adapters: &Adapters,
    files: &[Arc<SourceFile>],
    found: &mut Vec<Diagnostic>,
) -> HashMap<String, Pulled> {
    let mut pulls: HashMap<String, Pulled> = HashMap::new();
    for adapter in adapters.values() {
        for operation in adapter.operations.values() {
            let Some(given) = operation.gives() else { continue };
            let one = Pulled { adapter: Arc::clone(adapter), operation: Arc::clone(operation) };
            let Some(earlier) = pulls.insert(given.to_owned(), one) else { continue };
            let end = format!("{}/adapter.yaml", adapter.name);
            let Some(file) = files.iter().find(|file| file.path.ends_with(&end)) else { continue };
            let message = format!(
                "`{}` is given by `{}` of `{}` and by `{}` of `{}`",
                given, earlier.operation.name, earlier.adapter.name, operation.name, adapter.name
            );
            let start = file.text.find(given).unwrap_or(0);
            let span = start..start + given.len().min(file.text.len() - start);
            let place = Location { file: Arc::clone(file), span };
            found.push(Diagnostic::error(&codes::PULL_TYPE_TWICE, place, message));
        }
    }
    pulls
}

fn choose(enabled: &Enabled, routes: &Routes, found: &mut Vec<Diagnostic>) -> Vec<String> {
    match enabled {
        Enabled::All => routes.keys().cloned().collect(),
        Enabled::These(names) => {
            for (name, location) in names.iter().filter(|(name, _)| !routes.contains_key(name)) {
                let Some(location) = location.clone() else { continue };
                let message = format!("no adapter has a route `{name}`");
                let mut problem = Diagnostic::error(&codes::UNKNOWN_ROUTE, location, message);
                problem.hint = nearest(name, routes.keys().map(String::as_str))
                    .map(|name| format!("did you mean `{name}`?"));
                found.push(problem);
            }
            names.iter().map(|(name, _)| name.clone()).collect()
        }
    }
}

fn digest(files: &[Arc<SourceFile>]) -> String {
    let mut sorted: Vec<&Arc<SourceFile>> = files.iter().collect();
    sorted.sort_by(|a, b| a.path.cmp(&b.path));
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for file in sorted {
        // Lengths keep one file's end from passing for another's beginning.
        context.update(&(file.path.len() as u64).to_be_bytes());
        context.update(file.path.as_bytes());
        context.update(&(file.text.len() as u64).to_be_bytes());
        context.update(file.text.as_bytes());
    }
    crate::record::hex(context.finish().as_ref())
}
