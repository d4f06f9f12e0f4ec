//! Mutation: makes one mistake after another in a mapping and asks whether lint or a case sees it.

use super::mutator::{Places, mistakes};
use super::sites::{Role, Sites};
use super::{Case, Coverage};
use crate::diagnostic::yaml::{self, Node};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::mapping::{Mapping, Tables};
use crate::schema::{Schemas, Shape};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// How many mistakes are made in one mapping.
pub const MOST: usize = 400;

/// One mistake in a mapping file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// The target of the rule; `$name` of a `let`.
    pub target: String,
    /// Line of what is changed, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// What stood there.
    pub before: String,
    /// What stands there instead; nothing when the rule is left out.
    pub after: Option<String>,
    /// The whole file with the mistake.
    text: String,
}

/// How the mistakes of one mapping ended.
#[derive(Clone, Debug, Default)]
pub struct Mutation {
    /// How many were seen by lint.
    pub by_lint: usize,
    /// How many made a case fail.
    pub by_cases: usize,
    /// Those that nothing has seen.
    pub survivors: Vec<Mutant>,
    /// How many more there would have been beyond the bound.
    pub left_out: usize,
}

impl Mutation {
    /// Mistakes made.
    pub fn mutants(&self) -> usize {
        self.by_lint + self.by_cases + self.survivors.len()
    }

    /// Seen of a hundred, rounded down; a hundred when there was nothing to make a mistake in.
    pub fn score(&self) -> usize {
        let seen = (self.by_lint + self.by_cases) * 100;
        seen.checked_div(self.mutants()).unwrap_or(100)
    }
}

/// Makes every mistake in a mapping whose cases pass.
pub fn mutate(
    file: &Arc<SourceFile>,
    (schemas, tables): (&Schemas, &Tables),
    mapping: &Mapping,
    cases: &[&Case],
) -> Mutation {
    let mut before = Vec::new();
    Mapping::compile(file, schemas, tables, &mut before);
    let mut mutants = mutants(file, mapping.from.shape());
    let left_out = mutants.len().saturating_sub(MOST);
    mutants.truncate(MOST);
    let mut mutation = Mutation { left_out, ..Mutation::default() };
    for mutant in mutants {
        let mutated = SourceFile::new(file.path.clone(), mutant.text.clone());
        let mut diagnostics: Vec<Diagnostic> = Vec::new();
        let compiled = Mapping::compile(&mutated, schemas, tables, &mut diagnostics);
        match compiled.filter(|_| diagnostics.len() <= before.len()) {
            None => mutation.by_lint += 1,
            Some(compiled) => {
                let fails = |case: &&Case| !case.run(&compiled, &mut Coverage::default()).passed;
                if cases.iter().any(fails) {
                    mutation.by_cases += 1;
                } else {
                    mutation.survivors.push(mutant);
                }
            }
        }
    }
    mutation
}

/// Every mistake, in the order of the file.
fn mutants(file: &Arc<SourceFile>, document: &Shape) -> Vec<Mutant> {
    let Ok(root) = yaml::parse(file) else { return Vec::new() };
    let sites = Sites::of(&root, &file.text, document);
    let mut found = Vec::new();
    for rule in &sites.rules {
        let start = rule.entry.key_span.start;
        let shown = file.text.get(start..rule.entry.node.span.end).unwrap_or_default();
        let text = replaced(&file.text, &rule.cut, "");
        found.push(mutant(file, start, &rule.target, (shown, None), text));
    }
    for site in &sites.expressions {
        let places = Places { here: site.here, document };
        for (part, before, after) in changes(site.node, site.role, places) {
            let quoted = quoted(file, site.node, &after.whole);
            let text = replaced(&file.text, &site.node.span, &quoted);
            let start = verbatim(file, site.node).map_or(site.node.span.start, |at| at + part);
            found.push(mutant(file, start, &site.target, (&before, Some(after.part)), text));
        }
    }
    for (node, table) in tables(&root) {
        let others = table.iter().filter(|other| other.to_json() != node.to_json());
        let Some(other) = others.map(|other| other.to_json()).next() else { continue };
        let (shown, start) = (node.to_json().to_string(), node.span.start);
        let text = replaced(&file.text, &node.span, &other.to_string());
        found.push(mutant(file, start, "tables", (&shown, Some(other.to_string())), text));
    }
    found.sort_by_key(|mutant| (mutant.line, mutant.column));
    found
}

fn mutant(
    file: &SourceFile,
    at: usize,
    target: &str,
    (before, after): (&str, Option<String>),
    text: String,
) -> Mutant {
    let (line, column) = file.position(at);
    let before = before.split_whitespace().collect::<Vec<_>>().join(" ");
    Mutant { target: target.to_owned(), line, column, before, after, text }
}

/// The mutated part and the whole expression with it.
struct After {
    part: String,
    whole: String,
}

/// The changes of one expression: where in it, what stood there, what stands there now.
fn changes(node: &Node, role: Role, places: Places<'_>) -> Vec<(usize, String, After)> {
    let Some(text) = node.as_str() else {
        // A number or a flag stands for itself.
        let value = match node.as_scalar() {
            Some(Value::Number(number)) => number.as_i64().map(|number| (number + 1).to_string()),
            Some(Value::Bool(flag)) => Some((!flag).to_string()),
            _ => None,
        };
        let before = node.to_json().to_string();
        let whole = value.into_iter().map(|part| After { whole: part.clone(), part });
        return whole.map(|after| (0, before.clone(), after)).collect();
    };
    let mut all = Vec::new();
    if role == Role::When {
        let whole = format!("not ({text})");
        all.push((0, text.to_owned(), After { part: whole.clone(), whole }));
    }
    for mistake in mistakes(text, places) {
        let before = text.get(mistake.span.clone()).unwrap_or_default().to_owned();
        let start = mistake.span.start;
        let whole = replaced(text, &mistake.span, &mistake.text);
        all.push((start, before, After { part: mistake.text, whole }));
    }
    all
}

/// An expression as a YAML scalar; a block keeps the line end that was its own.
fn quoted(file: &SourceFile, node: &Node, expression: &str) -> String {
    if node.as_str().is_none() {
        return expression.to_owned();
    }
    let quoted = Value::String(expression.to_owned()).to_string();
    let block = file.text.get(node.span.clone()).is_some_and(|text| text.ends_with('\n'));
    if block { quoted + "\n" } else { quoted }
}

/// Where the text of a scalar begins, when it stands in the file letter for letter.
fn verbatim(file: &SourceFile, node: &Node) -> Option<usize> {
    let text = node.as_str()?;
    let begins = |start: usize| file.text.get(start..).is_some_and(|rest| rest.starts_with(text));
    [node.span.start, node.span.start + 1].into_iter().find(|start| begins(*start))
}

/// The values of the mapping's own code tables, each with all values of its table.
fn tables(root: &Node) -> Vec<(&Node, Vec<&Node>)> {
    let mut all = Vec::new();
    for table in root.get("tables").and_then(Node::as_map).unwrap_or(&[]) {
        let entries = table.node.as_map().unwrap_or(&[]);
        let values: Vec<&Node> = entries.iter().map(|entry| &entry.node).collect();
        all.extend(values.iter().map(|value| (*value, values.clone())));
    }
    all
}

fn replaced(text: &str, span: &Range<usize>, with: &str) -> String {
    let before = text.get(..span.start).unwrap_or_default();
    let after = text.get(span.end..).unwrap_or_default();
    format!("{before}{with}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_a_mistake_is_still_yaml_and_differs() {
        let text = "mapping: m\ntables: {t: {a: '1', b: '2'}}\nrules:\n  a: x   # first\n  b: >-\n    \
                    y ??\n    z\n  c: {d: 1, e: true}\n  f:\n    when: g == 1\n    value: >-\n      h\n      | i\n  j: {when: k, value: l}\n";
        let file = SourceFile::new("mappings/m/mapping.yaml", text);
        let shape = Shape::default();
        let mutants = mutants(&file, &shape);
        let before = yaml::parse(&file).unwrap().to_json();
        for mutant in &mutants {
            let mutated = SourceFile::new("m.yaml", mutant.text.clone());
            let tree = yaml::parse(&mutated).unwrap_or_else(|problem| {
                panic!("{}\n{}", problem.message, mutant.text);
            });
            assert_ne!(tree.to_json(), before, "{}", mutant.text);
        }
        let cut = mutants.iter().filter(|mutant| mutant.after.is_none());
        assert_eq!(cut.count(), 7);
        let when = mutants.iter().find(|mutant| mutant.before == "g == 1").unwrap();
        assert_eq!((when.line, when.column, when.target.as_str()), (10, 11, "f"));
    }
}
