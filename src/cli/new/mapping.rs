//! `watashi new mapping`: a first mapping by names. What the checker refuses is not left in it as a
//! rule but as a remark that says why, so that only what is to be done stands open.

use super::super::trouble::{CONFIGURATION, Trouble};
use super::super::{Outcome, files, print};
use super::by_name::{Source, sources};
use super::{Plan, check_name, editor_schema};
use crate::config::definitions;
use crate::diagnostic::format::format;
use crate::diagnostic::nearest::nearest;
use crate::diagnostic::{Diagnostic, Severity, SourceFile};
use crate::mapping::keys::MAPPING_FILE;
use crate::mapping::{Mapping, Tables};
use crate::model::codes::mapping as codes;
use crate::schema::{Property, Schema, Schemas, Shape};
use clap::Args;
use std::path::Path;
use std::sync::Arc;

const EXAMPLES: &str = "\
Source and target items are brought together by path, name and title; what is only alike is marked
`# guess`. A required item without a source stands there as `# TODO`.

Examples:
  watashi new mapping order-to-parcel --from shop/order@1 --to post/parcel@1";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    /// Id of the schema it takes
    #[arg(long, value_name = "SCHEMA")]
    from: String,
    /// Id of the schema it gives
    #[arg(long, value_name = "SCHEMA")]
    to: String,
}

/// A rule to be.
struct Draft {
    name: String,
    body: Body,
    /// What stands behind it.
    remark: Option<&'static str>,
    /// Why it is a remark and no rule.
    refused: Option<String>,
}

enum Body {
    Value(String),
    Rules(Option<String>, Vec<Draft>),
    /// No source was found.
    Missing {
        required: bool,
    },
}

pub(super) fn run(folder: &Path, arguments: &Arguments) -> Result<Outcome, Trouble> {
    check_name(&arguments.name, "a mapping")?;
    let mut found = Vec::new();
    let all = definitions::read(folder, &mut found);
    let of = |start: &str, end: &str| -> Vec<Arc<SourceFile>> {
        let wanted =
            |file: &&Arc<SourceFile>| file.path.starts_with(start) && file.path.ends_with(end);
        all.iter().filter(wanted).cloned().collect()
    };
    let schemas = Schemas::load(&of("schemas/", ".schema.json"), &mut found);
    let tables = Tables::load(&of("mappings/tables/", ".yaml"), &mut found);
    let (from, to) = (schema(&schemas, &arguments.from)?, schema(&schemas, &arguments.to)?);
    let mut drafts = drafts(&from, &to);
    let path = format!("mappings/{}/mapping.yaml", arguments.name);
    // Each round turns what is refused into remarks; there are at most as many as rules.
    for _round in 0..200 {
        let text = text(arguments, &drafts, to.shape());
        let file = SourceFile::new(path.clone(), text);
        let mut problems = Vec::new();
        let _mapping = Mapping::compile(&file, &schemas, &tables, &mut problems);
        if !refuse(&file, &problems, &mut drafts) {
            break;
        }
    }
    let text = text(arguments, &drafts, to.shape());
    let todo = text.matches("# TODO").count();
    let guesses = text.matches("# guess").count();
    let mut plan = Plan::default();
    let text = format(&SourceFile::new(path.clone(), text.as_str()), Some(&MAPPING_FILE.root))
        .unwrap_or(text);
    plan.add(path, text);
    plan.add(format!("mappings/{}/README.md", arguments.name), readme(arguments, &from, &to));
    editor_schema(folder, &MAPPING_FILE, &mut plan)?;
    plan.write(folder)?;
    print::human(&format!(
        "guesses: {guesses}, to do: {todo}; next: `watashi lint`, cases in mappings/{}/cases/, \
         `watashi test`",
        arguments.name
    ));
    Ok(Outcome::Fine)
}

fn schema(schemas: &Schemas, id: &str) -> Result<Arc<Schema>, Trouble> {
    schemas.get(id).ok_or_else(|| {
        let trouble = Trouble::new(CONFIGURATION, format!("there is no sound schema `{id}`"));
        match nearest(id, schemas.ids()) {
            Some(near) if near != id => trouble.hint(format!("did you mean `{near}`?")),
            _ => trouble.hint("`watashi list schemas` shows them, `watashi lint` what is wrong"),
        }
    })
}

fn drafts(from: &Schema, to: &Schema) -> Vec<Draft> {
    let (source, target) = (from.shape(), to.shape());
    let all = sources(source);
    match (source.element(), target.element()) {
        (Some(row), Some(element)) => {
            let inner = object(element, &sources(row), "");
            vec![list(String::new(), "$", inner)]
        }
        (None, Some(element)) => {
            // One document in, a list out: the first list inside is as good as any.
            let found = all.iter().find(|one| one.shape.element().is_some());
            let each = found.map_or("TODO", |one| one.path.as_str()).to_owned();
            let row = found.and_then(|one| one.shape.element()).map(sources).unwrap_or_default();
            vec![list(String::new(), &each, object(element, &row, ""))]
        }
        (_, None) => object(target, &all, ""),
    }
}

fn list(name: String, each: &str, inner: Vec<Draft>) -> Draft {
    let body = Body::Rules(Some(each.to_owned()), inner);
    Draft { name, body, remark: None, refused: None }
}

/// The properties of a shape; of alternatives those of the first.
fn properties(shape: &Shape) -> Vec<&Property> {
    let mut found: Vec<&Property> = shape.properties.iter().collect();
    if let Some(first) = shape.alternatives.first() {
        found.extend(properties(first));
    }
    found.retain(|property| !property.name.starts_with('$'));
    found
}

fn object(target: &Shape, all: &[Source<'_>], group: &str) -> Vec<Draft> {
    properties(target).into_iter().map(|property| member(property, all, group)).collect()
}

fn member(property: &Property, all: &[Source<'_>], group: &str) -> Draft {
    let shape = &property.shape;
    let name = property.name.clone();
    let required = property.required;
    if let Some(element) = shape.element() {
        let lists: Vec<Source<'_>> =
            all.iter().filter(|one| one.shape.element().is_some()).cloned().collect();
        let best = Source::best(&lists, property, group).or_else(|| {
            (lists.len() == 1).then(|| lists.first().cloned().map(|one| (one, true))).flatten()
        });
        let Some((found, guess)) = best else {
            return Draft { name, body: Body::Missing { required }, remark: None, refused: None };
        };
        let row = found.shape.element().map(sources).unwrap_or_default();
        let remark = guess.then_some("guess");
        if properties(element).is_empty() {
            return Draft { name, body: Body::Value(found.path), remark, refused: None };
        }
        let body = Body::Rules(Some(found.path), object(element, &row, &name));
        return Draft { name, body, remark, refused: None };
    }
    if !properties(shape).is_empty() {
        // What stands in a group of the same name comes first.
        let inside = all.iter().find(|one| one.leaf() == name && !one.shape.properties.is_empty());
        let mut near: Vec<Source<'_>> = Vec::new();
        if let Some(group) = inside {
            let start = format!("{}.", group.path);
            near.extend(all.iter().filter(|one| one.path.starts_with(&start)).cloned());
        }
        let others = all.iter().filter(|one| !near.iter().any(|known| known.path == one.path));
        let others: Vec<Source<'_>> = others.cloned().collect();
        near.extend(others);
        let body = Body::Rules(None, object(shape, &near, &name));
        return Draft { name, body, remark: None, refused: None };
    }
    leaf(property, all, group)
}

fn leaf(property: &Property, all: &[Source<'_>], group: &str) -> Draft {
    let (name, shape) = (property.name.clone(), &property.shape);
    if let Some([only]) = shape.allowed.as_deref() {
        let text = only.as_str().map_or_else(|| only.to_string(), |text| format!("\"{text}\""));
        return Draft { name, body: Body::Value(text), remark: None, refused: None };
    }
    let scalars: Vec<Source<'_>> = all
        .iter()
        .filter(|one| one.shape.properties.is_empty() && one.shape.element().is_none())
        .cloned()
        .collect();
    let Some((found, guess)) = Source::best(&scalars, property, group) else {
        let body = Body::Missing { required: property.required };
        return Draft { name, body, remark: None, refused: None };
    };
    if let (Some(wanted), found_values) = (&shape.allowed, &found.shape.allowed)
        && !found_values.as_ref().is_some_and(|all| all.iter().all(|one| wanted.contains(one)))
    {
        let body = Body::Value(format!("code({}, {name})", found.path));
        let values: Vec<String> = wanted.iter().map(|value| format!("`{value}`")).collect();
        let why = format!("a code table that gives {}", values.join(", "));
        return Draft { name, body, remark: None, refused: Some(why) };
    }
    let mut expression = found.path.clone();
    expression.push_str(conversion(found.shape, shape));
    if property.required && !found.always {
        let code: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .take(32)
            .collect();
        let letter = code.starts_with(|c: char| c.is_ascii_uppercase());
        let code = if letter { format!("{code}_MISSING") } else { "ITEM_MISSING".to_owned() };
        expression = format!("{expression} ?? reject(\"{code}\", \"{name} is missing\")");
    }
    let remark = guess.then_some("guess");
    Draft { name, body: Body::Value(expression), remark, refused: None }
}

/// The function that turns the type of a source into that of its target.
fn conversion(from: &Shape, to: &Shape) -> &'static str {
    let text = |shape: &Shape| shape.allows("string");
    let eight = |shape: &Shape| shape.bounds.patterns.iter().any(|one| one == "^[0-9]{8}$");
    let date = |shape: &Shape| shape.bounds.forms.iter().any(|form| form == "date");
    if eight(from) && date(to) {
        return " | from-compact-date";
    }
    if date(from) && eight(to) {
        return " | compact-date";
    }
    if text(from) && to.allows("string") {
        return "";
    }
    match () {
        () if to.allows("string") => " | string",
        () if text(from) && to.allows("number") => " | number",
        () if text(from) && to.allows("integer") => " | integer",
        () => "",
    }
}

/// Turns rules in which the checker found an error into remarks; whether there were any.
fn refuse(file: &SourceFile, problems: &[Diagnostic], drafts: &mut [Draft]) -> bool {
    let errors = problems.iter().filter(|problem| {
        problem.severity == Severity::Error && !std::ptr::eq(problem.code, &codes::TARGET_NOT_SET)
    });
    let mut any = false;
    for problem in errors {
        let (line, _) = file.position(problem.location.span.start);
        // Each rule is marked with its number at the end of its line.
        let text = file.text.lines().nth(line - 1).unwrap_or_default();
        let path = rule_path(&file.text, line, text);
        any |= mark(drafts, &path, &problem.message);
    }
    any
}

/// The names that lead to the rule on a line, by indentation.
fn rule_path(text: &str, line: usize, found: &str) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let name = |line: &str| {
        let key = line.trim_start().split(": ").next().unwrap_or_default().trim_end_matches(':');
        key.trim_matches('"').trim_start_matches('=').to_owned()
    };
    let mut path = vec![name(found)];
    let mut depth = indent(found);
    let above: Vec<&str> = text.lines().take(line - 1).collect();
    for line in above.iter().rev() {
        let rule = !line.trim_start().starts_with('#') && !line.trim().is_empty();
        if rule && indent(line) < depth {
            depth = indent(line);
            path.push(name(line));
        }
    }
    path.retain(|name| name != "rules");
    path.reverse();
    path
}

fn mark(drafts: &mut [Draft], path: &[String], why: &str) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    // The list at the root has no name.
    let root = drafts.len() == 1 && drafts.first().is_some_and(|draft| draft.name.is_empty());
    if root && let Some(Draft { body: Body::Rules(_, inner), .. }) = drafts.first_mut() {
        return mark(inner, path, why);
    }
    let Some(draft) = drafts.iter_mut().find(|draft| draft.name == *first) else { return false };
    if let Body::Rules(_, inner) = &mut draft.body
        && !rest.is_empty()
        && rest.first().is_some_and(|name| name != "each")
    {
        return mark(inner, rest, why);
    }
    let new = draft.refused.is_none();
    draft.refused.get_or_insert_with(|| why.to_owned());
    new
}

fn text(arguments: &Arguments, drafts: &[Draft], target: &Shape) -> String {
    let mut text = files::modeline(&MAPPING_FILE, 2);
    text.push_str(&format!(
        "mapping: {}\nfrom: {}\nto: {}\n",
        arguments.name, arguments.from, arguments.to
    ));
    if target.alternatives.len() > 1 {
        text.push_str(&format!(
            "# TODO the target has {} forms; these rules follow the first\n",
            target.alternatives.len()
        ));
    }
    let mut lines = Vec::new();
    match drafts {
        [Draft { name, body: Body::Rules(Some(each), inner), .. }] if name.is_empty() => {
            text.push_str(&format!("each: {}\n", scalar(each)));
            inner.iter().for_each(|draft| write(draft, 1, &mut lines));
        }
        drafts => drafts.iter().for_each(|draft| write(draft, 1, &mut lines)),
    }
    let any = lines.iter().any(|line| !line.trim_start().starts_with('#'));
    text.push_str(if any { "rules:\n" } else { "rules: {}\n" });
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn write(draft: &Draft, depth: usize, lines: &mut Vec<String>) {
    let pad = "  ".repeat(depth);
    let name = &draft.name;
    if let Some(why) = &draft.refused {
        let rule = match &draft.body {
            Body::Value(expression) => format!("{}: {}", key(name), scalar(expression)),
            _ => key(name),
        };
        lines.push(format!("{pad}# TODO {rule}  ({})", why.replace('\n', " ")));
        return;
    }
    let remark = draft.remark.map(|remark| format!("  # {remark}")).unwrap_or_default();
    match &draft.body {
        Body::Missing { required: true } => {
            lines.push(format!("{pad}# TODO {}: required; no source is called like it", key(name)));
        }
        Body::Missing { required: false } => {}
        Body::Value(expression) => {
            lines.push(format!("{pad}{}: {}{remark}", key(name), scalar(expression)));
        }
        Body::Rules(each, inner) => {
            let mut below = Vec::new();
            let deeper = if each.is_some() { depth + 2 } else { depth + 1 };
            inner.iter().for_each(|draft| write(draft, deeper, &mut below));
            let any = below.iter().any(|line| !line.trim_start().starts_with('#'));
            if any {
                lines.push(format!("{pad}{}:{remark}", key(name)));
                if let Some(each) = each {
                    lines.push(format!("{pad}  each: {}", scalar(each)));
                    lines.push(format!("{pad}  rules:"));
                }
            } else if !below.is_empty() {
                lines.push(format!("{pad}# TODO {}:", key(name)));
            }
            lines.extend(below);
        }
    }
}

/// A target's name as a key: one that is called like a keyword is written with `=`.
fn key(name: &str) -> String {
    const KEYWORDS: [&str; 5] = ["each", "when", "let", "value", "rules"];
    if KEYWORDS.contains(&name) || name.starts_with('=') {
        return format!("\"={name}\"");
    }
    let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
        && !name.starts_with(['-'])
        && !matches!(name, "true" | "false" | "null");
    if plain { name.to_owned() } else { format!("'{}'", name.replace('\'', "''")) }
}

/// An expression as YAML: in quotes where a sign of YAML would be taken for one.
fn scalar(expression: &str) -> String {
    let quotes = expression
        .starts_with(['"', '\'', '`', '[', '{', '&', '*', '!', '|', '>', '%', '@'])
        || expression.contains(": ")
        || expression.contains(" #");
    if quotes { format!("'{}'", expression.replace('\'', "''")) } else { expression.to_owned() }
}

fn readme(arguments: &Arguments, from: &Schema, to: &Schema) -> String {
    format!(
        "# {}\n\nFrom {} (`{}`) to {} (`{}`).\n\nWhat a reader should know beyond the rules:\n\n\
         - Where the rules come from (document, version, page):\n- What is provisional:\n",
        arguments.name,
        from.title(),
        from.id(),
        to.title(),
        to.id()
    )
}
