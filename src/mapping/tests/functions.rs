//! Every example of the function table is true.

use super::{document, meta};
use crate::diagnostic::{Location, SourceFile};
use crate::mapping::functions::{all, find};
use crate::mapping::plan::{At, Leaf, Plan, Rule};
use crate::mapping::{Predicate, Tables, run};
use crate::model::json::Node;
use serde_json::Value;

/// The tables that examples use: `sex`, `era` with validity dates, `old-forms` of characters.
fn tables() -> Tables {
    let files = [
        ("sex", "entries: {male: \"1\", female: \"2\", unknown: \"0\"}"),
        (
            "fee",
            "entries:\n  a: [{to: \"500\", valid-to: 2024-03-31}, {to: \"600\", valid-from: 2024-04-01}]",
        ),
        ("old-forms", "entries: {髙: 高, 﨑: 崎, \"㈱\": （株）, \"邉\\U000E0101\": 邊}"),
    ];
    let files = files.map(|(name, entries)| {
        let path = format!("mappings/tables/{name}.yaml");
        SourceFile::new(path, format!("table: {name}\n{entries}\n"))
    });
    let mut diagnostics = Vec::new();
    let tables = Tables::load(&files, &mut diagnostics);
    assert!(diagnostics.is_empty(), "{}", crate::diagnostic::render::text(&diagnostics));
    tables
}

fn evaluate(expression: &str) -> Result<Option<Value>, &'static str> {
    let file = SourceFile::new("x.yaml", expression);
    let location = Location { file, span: 0..expression.len() };
    let mut diagnostics = Vec::new();
    let op = crate::mapping::compile::expression(expression, location, &tables(), &mut diagnostics);
    let errors: Vec<_> = diagnostics.iter().map(|d| (d.code.code, &d.message)).collect();
    assert!(errors.is_empty(), "{expression}: {errors:?}");
    let at = At { line: 1, column: 1 };
    let leaf = Leaf { op, target: "t".into(), at, text: expression.into() };
    let field = crate::mapping::plan::Field { name: "t".into(), rule: Rule::Value(leaf) };
    let plan = Plan { root: Rule::Object(Box::new([field])), slots: 0, request: false };
    let document = document();
    let meta = meta();
    match run::run(&plan, Node::from(&document), &meta) {
        Ok(found) => Ok(found.into_value().get("t").cloned()),
        Err(rejection) => Err(rejection.code.code),
    }
}

#[test]
fn every_example_is_true() {
    for function in all() {
        assert!(!function.doc.is_empty() && function.doc.ends_with('.'), "{}", function.name);
        assert!(!function.examples.is_empty(), "{}", function.name);
        for (expression, expected) in function.examples {
            let found = match evaluate(expression) {
                Ok(Some(value)) => value.to_string(),
                Ok(None) => "absent".to_owned(),
                Err(code) => code.to_owned(),
            };
            let wanted = serde_json::from_str::<Value>(expected).map(|v| v.to_string());
            assert_eq!(found, wanted.unwrap_or((*expected).to_owned()), "{expression}");
        }
    }
}

#[test]
fn names_are_unique_and_signatures_readable() {
    let mut names: Vec<&str> = all().map(|function| function.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    let signature = |name: &str| find(name).unwrap().signature();
    assert_eq!(signature("pad-left"), "pad-left(text, length, character)");
    assert_eq!(signature("code"), "code(value, table, default?)");
    assert_eq!(signature("concat"), "concat(value…)");
}

#[test]
fn no_value_passes_through_functions() {
    assert_eq!(evaluate("trim(missing)"), Ok(None));
    assert_eq!(evaluate("trim(null)"), Ok(Some(Value::Null)));
    assert_eq!(evaluate("note | upper | trim"), Ok(Some(Value::Null)));
    assert_eq!(evaluate("note ?? \"x\""), Ok(Some("x".into())));
    assert_eq!(evaluate("(nil(\"R\") | trim) ?? \"x\""), Ok(Some("x".into())));
    assert_eq!(evaluate("missing == \"a\""), Ok(None));
    assert_eq!(evaluate("missing == \"a\" or true"), Ok(Some(true.into())));
    assert_eq!(evaluate("missing == \"a\" and false"), Ok(Some(false.into())));
    assert_eq!(evaluate("missing == \"a\" or false"), Ok(None));
}

#[test]
fn results_are_bounded() {
    let long = "a".repeat(200);
    let mut text = format!("\"{long}\"");
    // 200 × 10,000 × … would be far beyond any memory.
    for _ in 0..4 {
        text = format!(
            "replace({text}, \"a\", \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\")"
        );
    }
    assert_eq!(evaluate(&text), Err("M305"));
}

#[test]
fn a_predicate_is_false_when_it_cannot_be_told() {
    let predicate = |text: &str| {
        let file = SourceFile::new("adapter.yaml", format!("when: '{text}'"));
        let location = Location { span: 6..file.text.len(), file };
        let mut diagnostics = Vec::new();
        let predicate = Predicate::compile(text, location, None, &mut diagnostics);
        assert!(diagnostics.is_empty(), "{text}");
        predicate.unwrap().test(&document())
    };
    assert!(predicate("event == \"registered\""));
    assert!(predicate("present(person.name) and not withdrawn"));
    assert!(predicate("event in [\"x\", \"registered\"]"));
    assert!(predicate("revision >= 2"));
    assert!(!predicate("missing == \"x\""));
    assert!(!predicate("not missing"));
    assert!(!predicate("event < 1"));
    assert!(!predicate("revision"));
    assert!(!predicate("reject(\"ABC\", \"x\")"));
}
