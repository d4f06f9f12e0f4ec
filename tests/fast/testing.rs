//! `watashi test` as an author meets it: cases, generated documents, coverage, mistakes, reports.

use crate::fixture::Folder;
use quick_xml::events::Event;
use serde_json::json;

const CASE: &str = "mappings/order-to-parcel/cases/plain.yaml";

#[test]
fn what_passes_is_told_in_one_table() {
    let ran = Folder::definitions().run(&["test"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.out,
        "\
mapping          cases passed  rules covered  branches covered  generated
order-to-parcel  1/1           2/2            1/2               100
"
    );
    assert_eq!(
        ran.err,
        "\
branches that no case reaches:
  mappings/order-to-parcel/mapping.yaml:6: sum: `if` is never true
1 case passed, 0 failed
"
    );
}

#[test]
fn a_case_that_fails_shows_what_differs_and_can_be_updated() {
    let folder = Folder::definitions();
    folder.change(CASE, "who: 山田, sum: 3", "who: 山⽥, sum: \"3\"");
    let ran = folder.run(&["test", "--mapping", "order-to-parcel", "--generate", "0"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.err,
        "\
FAILED mappings/order-to-parcel/cases/plain.yaml: a plain order
  /who: expected \"山⽥\", got \"山田\" (character 2: U+2F65, not U+7530)
  /sum: expected \"3\", got 3 (one is text)
branches that no case reaches:
  mappings/order-to-parcel/mapping.yaml:6: sum: `if` is never true
0 cases passed, 1 failed
"
    );
    let page = folder.run(&["test", "--json"]).json();
    assert_eq!((&page["passed"], &page["failed"]), (&json!(0), &json!(1)));
    assert_eq!(
        page["mappings"][0]["branches"],
        json!({"covered": 1, "all": 2, "untouched":
        [{"target": "sum", "line": 6, "way": "`if` is never true"}]})
    );
    assert_eq!(page["mappings"][0]["generated"]["mapped"], 100);

    folder.change(CASE, "expected: {", "expected: {  # as it was\n  ");
    assert_eq!(folder.run(&["test", "--update"]).code, 0);
    let updated = folder.read(CASE);
    assert!(updated.ends_with("expected: {  # as it was\n  who: \"山田\", sum: 3}\n"), "{updated}");
    assert_eq!(folder.run(&["test"]).code, 0);
}

#[test]
fn a_mapping_that_does_not_exist_is_a_usage_error() {
    let ran = Folder::definitions().run(&["test", "order-to-parcle"]);
    assert_eq!(ran.code, 2);
    let told =
        "error: there is no mapping `order-to-parcle`\nhint: did you mean `order-to-parcel`?\n";
    assert_eq!(ran.err, told);
}

/// The way there and back loses two fields of an order.
fn with_inverse(inverse: &str) -> Folder {
    let folder = Folder::definitions();
    let mapping = "mappings/order-to-parcel/mapping.yaml";
    folder.change(mapping, "rules:", &format!("inverse: {inverse}\nrules:"));
    folder.write(
        "mappings/parcel-to-order/mapping.yaml",
        "mapping: parcel-to-order\nfrom: post/parcel@1\nto: shop/order@1\nrules:\n  \
         town: '\"131237\"'\n  person: who\n  amount: sum\n",
    );
    folder
}

#[test]
fn an_inverse_that_leads_elsewhere_is_shown_small() {
    let ran = with_inverse("parcel-to-order").run(&["test", "order-to-parcel"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("failed at 0\n"), "{}", ran.out);
    assert_eq!(
        ran.err.lines().take(4).collect::<Vec<&str>>(),
        [
            "FAILED mappings/order-to-parcel/mapping.yaml: generated document 0 of seed 1",
            "  M406 /town: there and back by parcel-to-order, it differs at /town: \
             expected \"\", got \"131237\"",
            "  input, made as small as it fails: {\"town\":\"\",\"person\":\"\",\"amount\":0}",
            "  again: watashi test order-to-parcel --generate 1 --seed 1",
        ]
    );
    let lossy = "{mapping: parcel-to-order, except: [town, note]}";
    let ran = with_inverse(lossy).run(&["test", "--generate", "300", "--seed", "9"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = with_inverse("parcel-to-ordr").run(&["lint"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("error[M403]: there is no mapping `parcel-to-ordr`"), "{}", ran.err);
    assert!(ran.err.contains("hint: did you mean `parcel-to-order`?"), "{}", ran.err);
}

#[test]
fn too_little_coverage_is_a_finding() {
    let folder = Folder::definitions();
    assert_eq!(folder.run(&["test", "--min", "100"]).code, 0);
    let ran = folder.run(&["test", "--min", "100", "--min-branches", "80"]);
    assert_eq!(ran.code, 1);
    let line = "error: order-to-parcel: branches: 50 %, at least 80 % is asked for\n";
    assert!(ran.err.contains(line), "{}", ran.err);
    assert_eq!(folder.run(&["test", "--min", "101"]).code, 2);
}

#[test]
fn mistakes_that_no_case_sees_are_listed() {
    let folder = Folder::definitions();
    let ran = folder.run(&["test", "--mutate", "--generate", "0", "--min-score", "100"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let unseen = "\
mistakes that nothing sees:
  mappings/order-to-parcel/mapping.yaml:6:9: sum: `if(note == \"forbidden\", reject(\"NOT-ALLOWED\", \"by rule\"), amount)` -> `(amount)`
";
    assert!(ran.err.contains(unseen), "{}", ran.err);
    // One more case, and all are seen.
    folder.write(
        "mappings/order-to-parcel/cases/forbidden.yaml",
        "case: a forbidden order\ninput: {town: '131237', person: 山田, amount: 3, note: forbidden}\n\
         rejected: NOT-ALLOWED\n",
    );
    let ran = folder.run(&["test", "--mutate", "--min-score", "100", "--min-branches", "100"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.ends_with("0       100 %\n"), "{}", ran.out);
}

#[test]
fn the_report_for_build_servers_is_xml_whose_counts_agree() {
    let folder = Folder::definitions();
    folder.change(CASE, "a plain order", "'<plain> & \"order\"'");
    folder.change(CASE, "sum: 3", "sum: 4");
    assert_eq!(folder.run(&["test", "--junit", "report.xml"]).code, 1);
    let report = folder.read("report.xml");
    let mut reader = quick_xml::Reader::from_str(&report);
    let (mut tests, mut failures, mut names, mut told) = (0, 0, Vec::new(), Vec::new());
    loop {
        let event = reader.read_event().unwrap();
        if let Event::Start(element) | Event::Empty(element) = &event {
            let attribute = |name: &str| {
                let found = element.try_get_attribute(name).unwrap().unwrap();
                quick_xml::escape::unescape(&found.value).unwrap().into_owned()
            };
            match element.name().as_ref() {
                "testsuites" | "testsuite" => {
                    told.push((attribute("tests"), attribute("failures")));
                }
                "testcase" => {
                    tests += 1;
                    names.push(attribute("name"));
                }
                "failure" => failures += 1,
                other => panic!("{other:?}"),
            }
        }
        if matches!(event, Event::Eof) {
            break;
        }
    }
    assert_eq!(names, ["<plain> & \"order\"", "generated documents of seed 1"]);
    let counts = (tests.to_string(), failures.to_string());
    assert_eq!((counts.0.as_str(), counts.1.as_str()), ("2", "1"));
    assert_eq!(told, [counts.clone(), counts]);
    assert!(report.contains("/sum: expected 4, got 3"));
}
