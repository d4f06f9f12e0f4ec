//! Generated cases, inverses, coverage and mutation on small mappings.

use super::generated::{Generated, Trial};
use super::mutation::mutate;
use super::{Case, Coverage};
use crate::codec::Format;
use crate::diagnostic::{Diagnostic, SourceFile, render};
use crate::mapping::{Mapping, Tables};
use crate::schema::Schemas;
use serde_json::{Value, json};
use std::sync::Arc;

fn schema(name: &str, properties: &Value, required: &[&str]) -> Arc<SourceFile> {
    let schema = json!({"type": "object", "additionalProperties": false, "required": required,
        "x-xml": {"root": "Root"}, "properties": properties});
    SourceFile::new(format!("schemas/t/{name}/1.schema.json"), schema.to_string())
}

/// `a` has a long and a short text, `b` short ones, `c` is like `a`.
fn schemas() -> Schemas {
    let a = json!({"kind": {"enum": ["x", "y"]}, "name": {"type": "string", "maxLength": 20},
        "other": {"type": "string", "maxLength": 20}, "n": {"type": "integer", "minimum": 0}});
    let b = json!({"code": {"enum": ["1", "2"]}, "short": {"type": "string", "maxLength": 10},
        "n": {"type": "integer", "minimum": 0}});
    let long = json!({"code": {"enum": ["1", "2"]}, "name": {"type": "string", "maxLength": 20},
        "n": {"type": "integer", "minimum": 0}});
    let files =
        [schema("a", &a, &["kind"]), schema("b", &b, &["code"]), schema("c", &long, &["code"])];
    let mut diagnostics = Vec::new();
    let schemas = Schemas::load(&files, &mut diagnostics);
    assert!(diagnostics.is_empty(), "{}", render::text(&diagnostics));
    schemas
}

/// What lint says of these mappings is not the question here: errors would be.
fn compile(name: &str, body: &str) -> (Arc<SourceFile>, Mapping) {
    let text = format!("mapping: {name}\n{body}");
    let file = SourceFile::new(format!("mappings/{name}/mapping.yaml"), text);
    let mut diagnostics = Vec::new();
    let mapping = Mapping::compile(&file, &schemas(), &Tables::default(), &mut diagnostics);
    (file, mapping.unwrap_or_else(|| panic!("{}", render::text(&diagnostics))))
}

fn tried(mapping: &Mapping, formats: &[Format], back: Option<&Mapping>) -> Generated {
    Trial::new(mapping, formats, back).unwrap().run(1, 400).unwrap()
}

const CODES: &str = "tables: {codes: {x: \"1\", y: \"2\"}}\n";

#[test]
fn what_is_right_passes_in_every_format() {
    let body = format!(
        "from: t/a@1\nto: t/c@1\n{CODES}rules: {{code: 'code(kind, codes)', name: name, n: n}}\n"
    );
    let (_, mapping) = compile("right", &body);
    let found = tried(&mapping, &[Format::Json, Format::Xml], None);
    assert!(found.failure.is_none(), "{:?}", found.failure);
    assert_eq!((found.documents, found.mapped), (400, 400));
}

#[test]
fn a_text_that_does_not_fit_is_shown_small() {
    // `replace` may make a text longer by more than the target holds.
    let body = format!(
        "from: t/a@1\nto: t/c@1\n{CODES}rules:\n  code: code(kind, codes)\n  name: replace(name, \"髙\", \"ハシゴ髙\")\n"
    );
    let text = format!("mapping: long\n{body}");
    let file = SourceFile::new("mappings/long/mapping.yaml", text);
    let mut diagnostics: Vec<Diagnostic> = Vec::new();
    let mapping = Mapping::compile(&file, &schemas(), &Tables::default(), &mut diagnostics);
    let Some(mapping) = mapping else { return }; // lint has proved it already
    let failure = tried(&mapping, &[], None).failure.unwrap();
    assert_eq!((failure.fault.code, failure.fault.path.as_str()), ("M404", "/name"));
    assert_eq!(failure.fault.place, Some((7, 9)));
    let name = failure.input["name"].as_str().unwrap();
    assert!(name.chars().count() <= 20 && name.contains('髙'), "{name}");
    assert_eq!(failure.input.get("other"), None);
}

#[test]
fn the_authors_rejections_are_counted() {
    let body = format!(
        "from: t/a@1\nto: t/c@1\n{CODES}rules:\n  code: code(kind, codes)\n  n: n ?? reject(\"NO-N\", \"no n\")\n"
    );
    let found = tried(&compile("counted", &body).1, &[], None);
    assert!(found.failure.is_none(), "{:?}", found.failure);
    assert!(found.rejected["NO-N"] > 50 && found.mapped > 50, "{found:?}");
    assert_eq!(found.mapped + found.rejected["NO-N"], found.documents);
}

#[test]
fn an_inverse_leads_back_or_is_shown() {
    let there = |inverse: &str| {
        let rules = "rules: {code: 'code(kind, codes)', name: name, n: n}\n";
        compile("there", &format!("from: t/a@1\nto: t/c@1\n{inverse}{CODES}{rules}")).1
    };
    let kinds = "tables: {kinds: {\"1\": x, \"2\": y}}\n";
    let rules = "rules: {kind: 'code(code, kinds)', name: name, n: n}\n";
    let (_, back) = compile("back", &format!("from: t/c@1\nto: t/a@1\n{kinds}{rules}"));
    let declared = there("inverse: {mapping: back, except: [other]}\n");
    let mut diagnostics = Vec::new();
    let inverse = declared.inverse().unwrap();
    inverse.check(&declared, Some(&back), &["back"], &mut diagnostics);
    assert!(diagnostics.is_empty(), "{}", render::text(&diagnostics));
    let found = tried(&declared, &[], Some(&back));
    assert!(found.failure.is_none(), "{:?}", found.failure);

    let failure = tried(&there("inverse: back\n"), &[], Some(&back)).failure.unwrap();
    assert_eq!((failure.fault.code, failure.fault.path.as_str()), ("M406", "/other"));
    assert_eq!(failure.input, json!({"kind": "x", "other": ""}));
}

#[test]
fn an_inverse_is_checked_where_it_is_declared() {
    let rules = "rules: {code: 'code(kind, codes)', name: name}\n";
    let inverse = "inverse: {mapping: bakc, except: [nowhere.at]}\n";
    let (_, mapping) =
        compile("there", &format!("from: t/a@1\nto: t/c@1\n{inverse}{CODES}{rules}"));
    let inverse = mapping.inverse().unwrap();
    let told = |found: Option<&Mapping>| {
        let mut diagnostics = Vec::new();
        inverse.check(&mapping, found, &["back"], &mut diagnostics);
        let text = |one: &Diagnostic| (one.message.clone(), one.hint.clone());
        diagnostics.iter().map(text).collect::<Vec<_>>()
    };
    let hint = Some("did you mean `back`?".to_owned());
    assert_eq!(told(None), [("there is no mapping `bakc`".to_owned(), hint)]);
    let messages: Vec<String> = told(Some(&mapping)).into_iter().map(|(text, _)| text).collect();
    let wrong = "`there` goes from t/a@1 to t/c@1, so that it cannot undo t/a@1 to t/c@1";
    assert_eq!(messages, [wrong, "t/a@1 has no field `nowhere.at`"]);
}

fn case(text: &str) -> Case {
    let mut diagnostics = Vec::new();
    let file = SourceFile::new("mappings/m/cases/a.yaml", text);
    let case = Case::load(&file, &mut diagnostics);
    case.unwrap_or_else(|| panic!("{}", render::text(&diagnostics)))
}

const BRANCHED: &str = "from: t/a@1\nto: t/c@1\nrules:
  code: if(kind == \"x\", \"1\", \"2\")
  name: name ?? other ?? \"none\"
  n:
    when: kind == \"y\"
    value: n
";

#[test]
fn branches_are_counted_beside_rules() {
    let (_, mapping) = compile("m", BRANCHED);
    let mut coverage = Coverage::of(&mapping);
    assert_eq!((coverage.covered(), coverage.branches()), ((0, 3), (0, 7)));
    let first = case("case: a\ninput: {kind: x, other: o}\nexpected: {code: '1', name: o}\n");
    assert!(first.run(&mapping, &mut coverage).passed);
    assert_eq!((coverage.covered(), coverage.branches()), ((2, 3), (3, 7)));
    assert_eq!(coverage.untouched(), [("n".to_owned(), 9)]);
    let told: Vec<String> =
        coverage.untaken().into_iter().map(|one| format!("{} {}", one.line, one.way)).collect();
    assert_eq!(
        told,
        [
            "5 `if` is never false",
            "6 what stands before `??` is never there",
            "6 part 3 of `??` is never used",
            "8 `when` is never true",
        ]
    );
}

#[test]
fn a_case_may_hold_the_text_that_crosses() {
    let (_, mapping) = compile("m", BRANCHED);
    let text = "case: as XML\ninput-text: {format: json, text: '{\"name\": \"n\", \"kind\": \"x\"}'}\n\
                expected-text:\n  format: xml\n  text: |\n    <Root>\n      <code>1</code>\n      <name>n</name>\n    </Root>\n";
    let ended = case(text).run(&mapping, &mut Coverage::of(&mapping));
    assert_eq!(ended.differences, Vec::<String>::new());
    let ended = case(&text.replace("<name>n", "<name>m")).run(&mapping, &mut Coverage::default());
    assert_eq!(ended.differences, ["/name: expected \"m\", got \"n\""]);
    let ended = case(&text.replace("</Root>", "")).run(&mapping, &mut Coverage::default());
    assert!(ended.differences[0].starts_with("expected-text: "), "{:?}", ended.differences);
}

#[test]
fn mistakes_are_seen_by_the_cases_that_look() {
    let (file, mapping) = compile("m", BRANCHED);
    let schemas = schemas();
    let weak = [case("case: a\ninput: {kind: x, other: o}\nexpected: {code: '1', name: o}\n")];
    let strong = [
        case("case: a\ninput: {kind: x, other: o}\nexpected: {code: '1', name: o}\n"),
        case(
            "case: b\ninput: {kind: y, name: n, other: o, n: 3}\nexpected: {code: '2', name: n, n: 3}\n",
        ),
        case("case: c\ninput: {kind: x, n: 3}\nexpected: {code: '1', name: none}\n"),
    ];
    let run = |cases: &[Case]| {
        let cases: Vec<&Case> = cases.iter().collect();
        mutate(&file, (&schemas, &Tables::default()), &mapping, &cases)
    };
    let (few, many) = (run(&weak), run(&strong));
    assert!(few.survivors.len() > many.survivors.len(), "{:?}", few.survivors);
    let shown: Vec<String> = many
        .survivors
        .iter()
        .map(|one| format!("{}:{} {} -> {:?}", one.line, one.column, one.before, one.after))
        .collect();
    assert!(shown.is_empty(), "{shown:#?}");
    assert_eq!((many.score(), many.mutants()), (100, few.mutants()));
    let cut = few.survivors.iter().find(|one| one.after.is_none()).unwrap();
    assert_eq!((cut.line, cut.before.as_str()), (7, "n: when: kind == \"y\" value: n"));
}
