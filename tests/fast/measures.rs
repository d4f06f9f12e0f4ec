//! Measures of the requirements that hold for every definition that is delivered: R1, R2, R4.

use crate::pages::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use watashi::adapter::Bundle;
use watashi::adapter::bundle::Enabled;
use watashi::config::definitions;
use watashi::diagnostic::{Diagnostic, SourceFile};
use watashi::record::Kind;
use watashi::schema::Class;

fn files() -> Vec<Arc<SourceFile>> {
    let mut problems = Vec::new();
    let files = definitions::read(root(), &mut problems);
    assert!(problems.is_empty());
    files
}

fn build(files: &[Arc<SourceFile>]) -> (Option<Bundle>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let bundle = Bundle::build(files, &Enabled::All, &BTreeMap::new(), &mut problems);
    (bundle, problems)
}

/// The definitions with the text of every adapter changed.
fn changed(change: impl Fn(&str) -> String) -> Vec<Arc<SourceFile>> {
    let file = |file: Arc<SourceFile>| match file.path.ends_with("/adapter.yaml") {
        true => SourceFile::new(file.path.clone(), change(&file.text)),
        false => file,
    };
    files().into_iter().map(file).collect()
}

/// Objects of a schema that take items nobody declared, by where they are.
fn open_objects(place: &str, schema: &Value, found: &mut Vec<String>) {
    let closed = ["additionalProperties", "unevaluatedProperties"]
        .iter()
        .any(|word| schema.get(word) == Some(&Value::Bool(false)));
    // A branch of `if` or `allOf` narrows an object that is closed around it.
    let is_object = schema.get("type") == Some(&Value::from("object"));
    if is_object && !closed {
        found.push(place.to_owned());
    }
    for word in ["properties", "$defs"] {
        for (name, inner) in schema.get(word).and_then(Value::as_object).into_iter().flatten() {
            open_objects(&format!("{place}/{word}/{name}"), inner, found);
        }
    }
    if let Some(items) = schema.get("items") {
        open_objects(&format!("{place}/items"), items, found);
    }
}

/// R1 「定められたインターフェース仕様に沿って決められたデータ項目のみが連携される」: whatever leads anywhere
/// is checked against a schema that takes nothing but its items, before it goes and when it comes.
#[test]
fn r1_only_the_items_of_an_interface_go_through() {
    let bundle = build(&files()).0.unwrap();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for route in bundle.routes() {
        let reply = route.reply.as_ref().map(|reply| &reply.mapping);
        for schema in [Some(&route.mapping), reply].into_iter().flatten().map(|one| &one.to) {
            if seen.insert(schema.id().to_owned()) {
                open_objects(schema.id(), schema.document(), &mut found);
            }
        }
    }
    assert!(seen.len() > 40, "{} schemas", seen.len());
    assert_eq!(found, Vec::<String>::new());
}

/// R2: 個人番号 goes only where a route says so and names the law; without the word nothing starts.
#[test]
fn r2_my_number_goes_only_where_it_is_declared() {
    let bundle = build(&files()).0.unwrap();
    let declared: BTreeSet<&str> = bundle
        .routes()
        .filter(|route| route.admits.contains(&Class::MyNumber))
        .map(|route| {
            assert!(route.basis.is_some() && route.record.is_some(), "{}", route.name);
            route.name.as_str()
        })
        .collect();
    assert!(declared.contains("subject-to-pmh") && declared.len() > 5, "{declared:?}");
    let (bundle, problems) =
        build(&changed(|text| text.replace(", 個人番号]", "]").replace("[個人番号]", "[]")));
    assert!(bundle.is_none());
    let refused = problems.iter().filter(|problem| problem.code.code == "A405").count();
    assert!(refused >= declared.len(), "{refused} of {}", declared.len());
}

/// R4 照会許可用照合リスト: every 求め on the ground of 番号法19条8号 is checked against the list before it
/// is sent.
#[test]
fn r4_every_inquiry_is_checked_against_the_permit_list() {
    let bundle = build(&files()).0.unwrap();
    let asks = |kind: Option<Kind>| kind == Some(Kind::Request);
    let inquiries: Vec<_> = bundle
        .routes()
        .filter(|route| asks(route.record.as_ref().map(|record| record.kind)))
        .filter(|route| route.basis.as_ref().is_some_and(|basis| basis.law.contains("19条第8号")))
        .collect();
    assert!(inquiries.len() >= 10, "{} inquiries", inquiries.len());
    for route in inquiries {
        assert!(route.permit.is_some(), "{} asks without a permit", route.name);
    }
}
