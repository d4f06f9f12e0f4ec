//! Answers that operators give: to the store of a stopped gateway and through one that runs.

use crate::fixture::Folder;
use crate::operating::{WHO, with_store};

const REPLY: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "reply",
  "type": "object", "additionalProperties": false, "required": ["outcome"],
  "properties": {"outcome": {"type": "string", "maxLength": 20}}
}"#;
const GIVEN: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "given",
  "type": "object", "additionalProperties": false, "required": ["number"],
  "properties": {"number": {"type": "string", "maxLength": 15}}
}"#;
const OTHER: [&str; 4] = ["--operator", "suzuki", "--reason", "read from the list"];

/// A store with one dead and one lost message, and a route that passes answers on.
fn with_answers(by_hand: &str) -> Folder {
    let folder = with_store();
    folder.write("schemas/shop/reply/1.schema.json", REPLY);
    folder.write("schemas/shop/given/1.schema.json", GIVEN);
    let mapping = |name: &str, from: &str, rule: &str| {
        let text = format!(
            "mapping: {name}\nfrom: {from}\nto: shop/reply@1\nrules: {{outcome: {rule}}}\n"
        );
        folder.write(&format!("mappings/{name}/mapping.yaml"), &text);
    };
    mapping("answer-to-reply", "post/answer@1", "result");
    mapping("given-to-reply", "shop/given@1", "number");
    let reply = format!(
        "    basis: {{law: 例規第1条}}\n    reply: {{type: order.answered, mapping: answer-to-reply{by_hand}}}\n"
    );
    folder.change("adapters/post/adapter.yaml", "    basis: {law: 例規第1条}\n", &reply);
    folder
}

fn waiting(folder: &Folder, state: &str) -> String {
    let found = folder.run(&["dlq", "list", "--json"]).json();
    let one = found.as_array().unwrap().iter().find(|one| one["state"] == state).unwrap();
    one["id"].as_i64().unwrap().to_string()
}

#[test]
fn a_lost_answer_is_given_from_a_file() {
    let folder = with_answers("");
    let (lost, dead) = (waiting(&folder, "unknown"), waiting(&folder, "dead"));
    let confirm = |id: &str, file: &str| {
        let file = ["--applied", "--answer", file];
        folder.run(&[&["dlq", "confirm", id][..], &file, &WHO].concat())
    };
    assert_eq!(confirm(&lost, "nowhere.json").code, 69);
    folder.write("answer.json", r#"{"result":"secret"}"#);
    let ran = confirm(&lost, "answer.json");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    let why = "G503 a person's answer cannot be taken: no line of the outcome table takes it for applied\n";
    assert_eq!(ran.err, format!("error: exchange {lost}: {why}"));
    folder.write("answer.json", r#"{"result":"ok"}"#);
    for _ in 0..2 {
        let ran = confirm(&lost, "answer.json");
        assert_eq!((ran.code, ran.out), (0, format!("{lost} is now delivered\n")), "{}", ran.err);
    }
    let ran = confirm(&dead, "answer.json");
    assert!(ran.err.contains("dead, and the route has no `by-hand`"), "{}", ran.err);
    let both = ["--not-applied", "--answer", "answer.json"];
    assert_eq!(folder.run(&[&["dlq", "confirm", &lost][..], &both, &WHO].concat()).code, 2);
    let acts = folder.run(&["log", "find", "--kind", "操作", "--json"]).json();
    let acts = acts.as_array().unwrap();
    assert_eq!((acts.len(), acts[0]["entry"]["outcome"].as_str()), (1, Some("answered")));
    assert_eq!(folder.run(&["log", "verify"]).code, 0);
}

#[test]
fn two_operators_give_what_nobody_found_through_the_gateway_that_runs() {
    let folder = with_answers(", by-hand: {mapping: given-to-reply}");
    let dead = waiting(&folder, "dead");
    folder.listen();
    let gateway = folder.start(&["run"], "\"started\"");
    let give = |text: &str, who: &[&str]| {
        folder.write("given.json", text);
        folder.run(&[&["dlq", "answer", &dead, "--answer", "given.json"][..], who].concat())
    };
    let ran = give(r#"{"number":"17"}"#, &WHO);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
    assert_eq!(ran.err, format!("{dead} waits: somebody else must give the same answer\n"));
    let shown = folder.run(&["dlq", "show", &dead]);
    assert!(shown.out.contains("answer given by sato: somebody else must"), "{}", shown.out);
    let ran = give(r#"{"number":"71"}"#, &OTHER);
    assert!(ran.err.contains("G504"), "{}", ran.err);
    let ran = give(r#"{"result":"ok"}"#, &OTHER);
    assert!(ran.err.contains("G503") && !ran.err.contains("ok"), "{}", ran.err);
    let ran = give(r#"{"number":"71"}"#, &WHO);
    assert_eq!((ran.code, ran.out), (0, format!("{dead} is now delivered\n")), "{}", ran.err);
    drop(gateway);
    let shown = folder.run(&["dlq", "show", &dead]);
    assert!(shown.out.contains("state           delivered\n"), "{}", shown.out);
}

#[test]
fn the_reasons_of_an_adapter_are_explained_and_listed_by() {
    let folder = with_store();
    let reasons = "reasons:\n  SOLD_OUT:\n    title: {ja: 売り切れ, en: sold out}\n    remedy: order another\noperations:\n";
    folder.change("adapters/post/adapter.yaml", "operations:\n", reasons);
    let ran = folder.run(&["explain", "SOLD_OUT"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for part in ["SOLD_OUT sold out", "売り切れ", "adapter:     post", "what to do:  order another"]
    {
        assert!(ran.out.contains(part), "{}", ran.out);
    }
    let ran = folder.run(&["explain", "SOLD_OTU"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("did you mean `SOLD_OUT`?"), "{}", ran.err);
    // The fixture's dead letter says `status 400`.
    let listed = |name: &str| {
        let found = folder.run(&["dlq", "list", "--reason", name, "--json"]).json();
        found.as_array().unwrap().len()
    };
    assert_eq!((listed("status"), listed("SOLD_OUT")), (2, 0));
}
