//! Running: what single rules do, bounds, explanations, cases.

use super::{compile, document, file, mapping, meta, unproved};
use crate::diagnostic::SourceFile;
use crate::mapping::{Case, Coverage, Mapping};
use serde_json::{Value, json};

const HEAD: &str = "  kind: '\"1\"'\n  subject: person.atenaNumber\n";

fn run(mapping: &Mapping) -> Value {
    mapping.run(&document(), &meta()).unwrap()
}

#[test]
fn members_stand_in_the_order_of_the_target_schema() {
    let mapping =
        mapping("rules:\n  amount: amount\n  subject: person.atenaNumber\n  kind: '\"1\"'\n");
    let names: Vec<String> = run(&mapping).as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["kind", "subject", "amount"]);
}

#[test]
fn an_object_without_members_is_left_out_but_an_element_is_kept() {
    let body = format!(
        "rules:\n{HEAD}  detail: {{sex: 'if(withdrawn, \"1\", free.missing)', born: free.missing}}\n  \
         records: {{each: doses, rules: {{date: free.x}}}}\n"
    );
    let (mapping, diagnostics) = unproved(&file(&body.replace("free.x", "$.free.x")));
    assert!(diagnostics.is_empty(), "{}", crate::diagnostic::render::text(&diagnostics));
    let result = run(&mapping.unwrap());
    assert_eq!(result.get("detail"), None);
    assert_eq!(result["records"], json!([{}, {}]));
}

#[test]
fn absent_leaves_out_and_null_sets_null() {
    let mapping = mapping(&format!("rules:\n{HEAD}  note: null\n  any: free.missing\n"));
    assert_eq!(run(&mapping), json!({"kind": "1", "subject": "000000000000019", "note": null}));
}

#[test]
fn meta_is_told_in_japanese_time() {
    let mapping = mapping(
        "rules:\n  kind: '\"1\"'\n  subject: $meta.idempotencyKey\n  note: $meta.acceptedAt\n  \
         amount: $meta.acceptedDate\n  any: $meta.operator\n  \"=value\": $meta.ticket\n",
    );
    let result = run(&mapping);
    assert_eq!(result["note"], "2026-06-01T00:00:00+09:00");
    assert_eq!(result["amount"], "2026-06-01");
    assert_eq!(result["value"], "t-1");
    assert_eq!(result.get("any"), None);
}

#[test]
fn a_root_each_makes_an_array() {
    let text = "mapping: sample\nfrom: test/record@1\nto: test/rows@1\neach: doses\n\
                when: status == \"done\"\nrules: {lot: lot}\n";
    let (mapping, diagnostics) = unproved(&SourceFile::new("mappings/sample/mapping.yaml", text));
    assert!(diagnostics.is_empty());
    assert_eq!(run(&mapping.unwrap()), json!([{"lot": "ab１"}]));
}

#[test]
fn a_rejection_names_target_place_and_code() {
    let mapping = mapping(&format!(
        "rules:\n{HEAD}  records:\n    each: doses\n    rules:\n      date: date | from-compact-date\n"
    ));
    let rejection = mapping.run(&document(), &meta()).unwrap_err();
    assert_eq!(rejection.code.code, "M304");
    assert_eq!(rejection.target, "records[].date");
    assert_eq!((rejection.line, rejection.column), (10, 13));
    assert_eq!(
        rejection.detail,
        "from-compact-date: needs a date YYYYMMDD, found another form in string(10)"
    );
}

#[test]
fn an_authors_own_code_is_told_apart() {
    let mapping = mapping(
        "rules:\n  kind: 'if(event == \"withdrawn\", \"1\", reject(\"NOT_YET\", \"only withdrawals\"))'\n  subject: person.atenaNumber\n",
    );
    let rejection = mapping.run(&document(), &meta()).unwrap_err();
    assert_eq!(rejection.code.code, "M301");
    assert_eq!(rejection.author_code.as_deref(), Some("NOT_YET"));
    assert_eq!(rejection.detail, "NOT_YET: only withdrawals");
}

#[test]
fn cost_is_bounded() {
    let mapping = mapping(&format!("rules:\n{HEAD}  any:\n    each: $.doses\n    value: $\n"));
    let doses: Vec<Value> = (0..5_000).map(|_| json!({"date": "2026-05-01"})).collect();
    let document = json!({"event": "registered", "person": {"atenaNumber": "1"}, "doses": doses});
    let rejection = mapping.run(&document, &meta()).unwrap_err();
    assert_eq!(rejection.code.code, "M305");
}

#[test]
fn explanations_name_kinds_and_never_values() {
    let mapping = mapping(
        "let: {who: person}\nrules:\n  kind: '\"1\"'\n  subject: $who.atenaNumber\n  note: note\n  \
         any: free.missing\n  detail:\n    when: withdrawn\n    rules: {sex: 'code(person.sex, sex)'}\n",
    );
    let (lines, _) = mapping.explain(&document(), &meta());
    let shown: Vec<String> = lines
        .iter()
        .map(|line| {
            format!(
                "{}:{} {} = {} -> {}",
                line.line, line.column, line.target, line.expression, line.outcome
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "4:12 $who = person -> object(5)",
            "6:10 kind = \"1\" -> string(1)",
            "7:12 subject = $who.atenaNumber -> string(15)",
            "8:9 note = note -> null",
            "9:8 any = free.missing -> absent",
            "11:11 detail = withdrawn -> skipped",
        ]
    );
    let (lines, _) = mapping.explain_with_values(&document(), &meta());
    assert_eq!(lines[2].outcome, "string(15) \"000000000000019\"");
}

#[test]
fn items_are_those_of_the_targets_that_are_set() {
    let some = mapping(&format!("rules:\n{HEAD}"));
    assert_eq!(some.items(), ["TK00000000000001", "TK00000000000002"]);
    let more = mapping(&format!(
        "rules:\n{HEAD}  detail: {{sex: 'code(person.sex, sex)', born: person.birthDate}}\n"
    ));
    assert_eq!(more.items().len(), 3);
    assert_ne!(some.digest(), more.digest());
    assert_eq!(some.digest().len(), 64);
}

#[test]
fn alternatives_of_the_target_are_satisfied_by_one() {
    let text = |rules: &str| {
        let head = "mapping: sample\nfrom: test/record@1\nto: test/choice@1\n";
        SourceFile::new("mappings/sample/mapping.yaml", format!("{head}{rules}"))
    };
    let good = compile(&text("rules: {segment: '\"2\"', date: 'person.birthDate ?? \"\"'}\n"));
    assert!(good.1.is_empty(), "{}", crate::diagnostic::render::text(&good.1));
    let bad = compile(&text("rules: {segment: '\"3\"'}\n"));
    let codes: Vec<&str> = bad.1.iter().map(|d| d.code.code).collect();
    assert_eq!(codes, ["M210", "M203"]);
}

#[test]
fn cases_pass_or_show_the_difference() {
    let mapping =
        mapping(&format!("rules:\n{HEAD}  amount: amount | decimal(2)\n  count: revision\n"));
    let case = |text: &str| {
        let mut diagnostics = Vec::new();
        let file = SourceFile::new("mappings/sample/cases/a.yaml", text);
        let case = Case::load(&file, &mut diagnostics);
        assert!(diagnostics.is_empty(), "{}", crate::diagnostic::render::text(&diagnostics));
        case.unwrap()
    };
    let input = "input: {event: registered, amount: 'A', person: {atenaNumber: '000000000000019'}, doses: []}\n";
    let mut coverage = Coverage::of(&mapping);
    let good = input.replace("'A'", "'1.5'");
    let passing = format!(
        "case: amounts\n{good}expected: {{kind: '1', subject: '000000000000019', amount: '1.50'}}\n"
    );
    assert!(case(&passing).run(&mapping, &mut coverage).passed);
    assert_eq!(coverage.untouched(), [("count".to_owned(), 8)]);
    assert_eq!(coverage.covered(), (3, 4));
    let failing = case(&passing.replace("'1.50'", "'1.5', lots: [x]")).run(&mapping, &mut coverage);
    assert_eq!(
        failing.differences,
        ["/amount: expected \"1.5\", got \"1.50\"", "/lots: expected [\"x\"], got nothing"]
    );
    assert!(
        case(&format!("case: refused\n{input}rejected: M304\n"))
            .run(&mapping, &mut coverage)
            .passed
    );
    let wrong =
        case(&format!("case: refused\n{input}rejected: OTHER\n")).run(&mapping, &mut coverage);
    assert_eq!(wrong.differences.len(), 1);
    let invalid =
        case(&passing.replace("event: registered", "event: sold")).run(&mapping, &mut coverage);
    assert!(invalid.differences[0].starts_with("input "), "{:?}", invalid.differences);
}

#[test]
fn a_case_says_what_is_wrong_with_it() {
    for (text, code) in [
        ("case: a\ninput: {}\n", "M402"),
        ("case: a\ninput: {}\nexpected: {}\nrejected: X\n", "M402"),
        ("case: a\nexpected: {}\n", "M005"),
        ("case: a\ninput: {}\nexpect: {}\nrejected: X\n", "M003"),
        ("case: a\ninput: {}\nexpected: {}\nmeta: {acceptedAt: today}\n", "M004"),
    ] {
        let mut diagnostics = Vec::new();
        let case = Case::load(&SourceFile::new("c.yaml", text), &mut diagnostics);
        assert!(case.is_none(), "{text}");
        assert_eq!(diagnostics[0].code.code, code, "{text}");
    }
}
