//! Compile: a mapping file to a plan, checked against both schemas; every problem at once.

use crate::diagnostic::nearest::nearest;
use crate::diagnostic::yaml::{self, Node, Reader};
use crate::diagnostic::{Diagnostic, Location, Severity, SourceFile};
use crate::mapping::cases::inverse::Inverse;
use crate::mapping::compile::expression::{Context, Variable};
use crate::mapping::compile::rules::{Rules, Target};
use crate::mapping::compile::source::Source;
use crate::mapping::compile::view::View;
use crate::mapping::keys;
use crate::mapping::plan::{Op, Plan, Rule, Scoped};
use crate::mapping::tables::{self, Table, Tables};
use crate::model::codes::mapping as codes;
use crate::schema::{Schema, Schemas, Shape};
use std::collections::BTreeMap;
use std::sync::Arc;

mod call;
mod expression;
mod prove;
mod rules;
mod source;
mod view;

pub(crate) use rules::KEYWORDS;

/// The variable that holds the request that was sent.
const REQUEST: &str = "request";

/// A compiled mapping, before it gets its public face.
pub(crate) struct Compiled {
    pub name: String,
    pub from: Arc<Schema>,
    pub to: Arc<Schema>,
    pub request: Option<Arc<Schema>>,
    pub plan: Plan,
    pub items: Vec<String>,
    /// The shared tables it uses, by name.
    pub tables: Vec<Arc<Table>>,
    pub inverse: Option<Inverse>,
}

/// Compiles a mapping file; without `proof` only its form is checked. `None` only if an error was
/// reported.
pub(crate) fn compile(
    file: &Arc<SourceFile>,
    schemas: &Schemas,
    shared: &Tables,
    diagnostics: &mut Vec<Diagnostic>,
    proof: bool,
) -> Option<Compiled> {
    let before = diagnostics.len();
    let root = match yaml::parse(file) {
        Ok(root) => root,
        Err(diagnostic) => {
            diagnostics.push(diagnostic);
            return None;
        }
    };
    let mut reader = Reader::new(file, diagnostics);
    reader.keys(&root, &keys::MAPPING)?;
    let name = name(&mut reader, &root);
    let from = schema(&mut reader, &root, "from", schemas);
    let to = schema(&mut reader, &root, "to", schemas);
    let request = root.get("request").map(|_| schema(&mut reader, &root, "request", schemas));
    let local = local_tables(&mut reader, &root, shared);
    let inverse = root.get("inverse").and_then(|node| Inverse::read(&mut reader, node));
    reader.required(&root, "a mapping", "rules");
    let views = (view_of(from.as_ref()), view_of(to.as_ref()));
    let seen = request.as_ref().map(|request| view_of(request.as_ref()));
    let (plan, mut items) = rules(&root, file, views, seen, (local.clone(), shared), diagnostics);
    let request = request.flatten();
    if let (Some(from), Some(to), true) = (&from, &to, proof) {
        let found = diagnostics.get(before..).unwrap_or_default();
        let proved =
            prove::prove(file, &root, (from, to, request.as_deref()), (&local, shared), found);
        diagnostics.extend(proved);
    }
    items.sort_unstable();
    items.dedup();
    let failed = diagnostics.iter().skip(before).any(|d| d.severity == Severity::Error);
    if failed {
        return None;
    }
    let mut tables = plan.tables();
    tables.retain(|table| !local.contains_key(&table.name));
    Some(Compiled { name: name?, from: from?, to: to?, request, plan, items, tables, inverse })
}

/// The variable `$request`.
fn request_of(view: View<'_>, location: Location) -> Variable<'_> {
    let (name, flows) = (REQUEST.to_owned(), Vec::new());
    Variable { name, slot: 0, view, flows, used: true, location }
}

fn view_of(schema: Option<&Arc<Schema>>) -> View<'_> {
    schema.map_or_else(View::unknown, |schema| View::of(schema.shape()))
}

fn rules<'s>(
    root: &Node,
    file: &Arc<SourceFile>,
    (source, target): (View<'s>, View<'s>),
    request: Option<View<'s>>,
    (local, shared): (BTreeMap<String, Arc<Table>>, &'s Tables),
    diagnostics: &mut Vec<Diagnostic>,
) -> (Plan, Vec<String>) {
    let sees_request = request.is_some();
    let seen = request.map(|view| request_of(view, root.location(file)));
    let context = Context {
        diagnostics,
        document: source.clone(),
        here: source,
        variables: seen.into_iter().collect(),
        slots: usize::from(sees_request),
        local,
        shared: Some(shared),
        meta: true,
        asked: Vec::new(),
    };
    let mut rules = Rules { context, file, items: Vec::new(), depth: 0, deciding: Vec::new() };
    let lets = root.get("let").map(|lets| rules.lets(lets)).unwrap_or_default();
    let target = Target { view: target, path: String::new() };
    let body = body(&mut rules, root, &target);
    rules.leave(0);
    let plan_root = if lets.is_empty() {
        body
    } else {
        Rule::Scoped(Box::new(Scoped { each: None, lets: lets.into(), when: None, body }))
    };
    (Plan { root: plan_root, slots: rules.context.slots, request: sees_request }, rules.items)
}

/// The root rule: an array when `each` stands beside `rules`.
fn body<'s>(rules: &mut Rules<'s, '_, '_>, root: &Node, target: &Target<'s>) -> Rule {
    let Some(inner) = root.get("rules") else { return Rule::Object(Box::new([])) };
    if root.get("each").is_some() {
        return rules.scoped(root, target, None);
    }
    if let Some(when) = root.entry("when") {
        let location = when.key_location(rules.file);
        let message = "`when` at the root filters the elements of `each`, which is not there";
        rules.context.report(
            Diagnostic::error(&codes::BAD_RULE, location, message)
                .hint("a condition for the whole message belongs to the route"),
        );
    }
    rules.rules(inner, target)
}

/// The name, which must be that of the folder.
fn name(reader: &mut Reader<'_>, root: &Node) -> Option<String> {
    let node = reader.required(root, "a mapping", "mapping")?;
    let name = reader.text(node, "`mapping`")?;
    let mut folders = reader.file.path.rsplit('/').skip(1);
    if let Some(folder) = folders.next().filter(|folder| *folder != name) {
        let message = format!("the mapping is called `{name}`, its folder `{folder}`");
        let location = node.location(reader.file);
        let diagnostic = Diagnostic::error(&codes::WRONG_NAME, location, message);
        reader.diagnostics.push(diagnostic.hint(format!("write `mapping: {folder}`")));
    }
    Some(name.to_owned())
}

fn schema(
    reader: &mut Reader<'_>,
    root: &Node,
    key: &str,
    schemas: &Schemas,
) -> Option<Arc<Schema>> {
    let node = reader.required(root, "a mapping", key)?;
    let id = reader.text(node, &format!("`{key}`"))?;
    let found = schemas.get(id);
    if found.is_none() {
        let message = format!("unknown schema `{id}`");
        let location = node.location(reader.file);
        let mut diagnostic = Diagnostic::error(&codes::UNKNOWN_SCHEMA, location, message);
        diagnostic.hint = nearest(id, schemas.ids()).map(|near| format!("did you mean `{near}`?"));
        reader.diagnostics.push(diagnostic);
    }
    found
}

fn local_tables(
    reader: &mut Reader<'_>,
    root: &Node,
    shared: &Tables,
) -> BTreeMap<String, Arc<Table>> {
    let mut local = BTreeMap::new();
    let Some(node) = root.get("tables") else { return local };
    let Some(entries) = node.as_map() else {
        reader.wrong_kind(node, "`tables`", "a map of code tables");
        return local;
    };
    for entry in entries {
        if shared.get(&entry.key).is_some() {
            let message = format!("`{}` is also a table of mappings/tables", entry.key);
            let location = entry.key_location(reader.file);
            let diagnostic = Diagnostic::error(&codes::BAD_TABLE, location, message);
            reader.diagnostics.push(diagnostic.hint("give one of them another name"));
        }
        if let Some(table) = tables::read(reader, &entry.key, &entry.node) {
            local.insert(entry.key.clone(), Arc::new(table));
        }
    }
    local
}

/// Compiles a condition outside of a mapping: no tables, no variables.
pub(crate) fn predicate(
    text: &str,
    location: Location,
    shape: Option<&Shape>,
    request: Option<&Shape>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Op> {
    let before = diagnostics.len();
    let mut context = bare(shape, diagnostics);
    context.variables.extend(request.map(|shape| request_of(View::of(shape), location.clone())));
    context.slots = context.variables.len();
    let typed = context.compile_condition(&Source::new(text, location));
    let failed = diagnostics.iter().skip(before).any(|d| d.severity == Severity::Error);
    (!failed).then_some(typed.op)
}

/// Compiles any expression outside of a mapping; it may name shared tables.
#[cfg(test)]
pub(crate) fn expression(
    text: &str,
    location: Location,
    tables: &Tables,
    diagnostics: &mut Vec<Diagnostic>,
) -> Op {
    let mut context = bare(None, diagnostics);
    context.shared = Some(tables);
    context.compile(&Source::new(text, location)).op
}

fn bare<'s, 'd>(shape: Option<&'s Shape>, diagnostics: &'d mut Vec<Diagnostic>) -> Context<'s, 'd> {
    let view = shape.map_or_else(View::unknown, View::of);
    Context {
        diagnostics,
        document: view.clone(),
        here: view,
        variables: Vec::new(),
        slots: 0,
        local: BTreeMap::new(),
        shared: None,
        meta: false,
        asked: Vec::new(),
    }
}
