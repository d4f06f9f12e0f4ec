//! What an adapter may say of callbacks: each mistake with its code.

use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::diagnostic::{SourceFile, render};
use std::collections::BTreeMap;
use std::sync::Arc;

const ANSWER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "answer",
  "type": "object", "additionalProperties": false,
  "properties": {
    "ticket": {"type": "string", "maxLength": 20}, "result": {"type": "string", "maxLength": 20},
    "person": {"type": "string", "maxLength": 20, "x-class": "個人情報"}}
}"#;
const NOTICE: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "notice",
  "type": "object", "additionalProperties": false,
  "properties": {"ticket": {"type": "string", "maxLength": 20}, "state": {"type": "string", "maxLength": 9}}
}"#;
const ADAPTER: &str = "\
adapter: post
operations:
  send:
    interaction: submit-poll
    request: {path: /send, schema: post/answer@1}
    response: {schema: post/answer@1}
    outcomes: [{status: [202], when: present(ticket), then: accepted, ticket: ticket}]
    poll:
      request: {method: GET, path: '/send/{ticket}', format: none}
      response: {schema: post/answer@1}
      outcomes: [{status: [200], when: present(result), then: ready}]
  told:
    interaction: push-in
    callback: {path: told, schema: post/answer@1}
    completes: send
    ticket: ticket
    outcomes: [{when: present(result), then: applied}]
";

fn problems(change: (&str, &str)) -> String {
    assert!(ADAPTER.contains(change.0), "{}", change.0);
    let adapter = ADAPTER.replacen(change.0, change.1, 1);
    let files = [
        ("schemas/post/answer/1.schema.json", ANSWER),
        ("schemas/post/notice/1.schema.json", NOTICE),
        ("adapters/post/adapter.yaml", &adapter),
    ];
    let files: Vec<Arc<SourceFile>> =
        files.iter().map(|(path, text)| SourceFile::new(*path, *text)).collect();
    let mut problems = Vec::new();
    Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems);
    render::text(&problems)
}

#[test]
fn each_mistake_has_its_code() {
    assert_eq!(problems(("", "")), "");
    let message = "    message: {type: post.told, id: ticket}\n";
    let told = "    completes: send\n    ticket: ticket\n    outcomes: [{when: present(result), then: applied}]\n";
    assert_eq!(problems((told, message)), "", "a message of its own");
    let other = "callback: {path: told, schema: post/answer@1}";
    let twice = format!(
        "{other}\n{told}  again:\n    interaction: push-in\n    {other}\n    completes: send"
    );
    for (from, to, code, says) in [
        ("completes: send", "completes: sent", "A701", "did you mean `send`?"),
        ("completes: send", "completes: told", "A701", "submit-poll"),
        ("path: told", "path: /told", "A703", "segment"),
        ("path: told", "path: ''", "A703", "segment"),
        (other, "callback: {path: told, schema: post/notice@1}", "A702", "then: ready"),
        ("    callback: {path: told, schema: post/answer@1}\n", "", "A2", "`callback:` is missing"),
        ("    completes: send\n", "", "A2", "`completes:` or `message:` is missing"),
        ("    completes: send\n", &format!("    completes: send\n{message}"), "A203", "either"),
        (
            "    ticket: ticket\n    outcomes",
            "    ticket: person\n    outcomes",
            "A409",
            "個人情報",
        ),
        ("    completes: send\n", "    completes: send\n    every: 1s\n", "A203", "`every:`"),
        (
            "interaction: submit-poll",
            "completes: told\n    interaction: submit-poll",
            "A203",
            "`completes:`",
        ),
        (&format!("{other}\n    completes: send"), &twice, "A703", "has the path `told` as well"),
    ] {
        let found = problems((from, to));
        assert!(found.contains(code) && found.contains(says), "{from} -> {to}\n{found}");
    }
    // The notice carries a document of another layout than the one that a result has.
    let notice = "{path: told, schema: post/notice@1}";
    let found = problems((
        "{path: told, schema: post/answer@1}\n    completes: send\n    ticket: ticket\n    outcomes: [{when: present(result), then: applied}]",
        &format!(
            "{notice}\n    completes: send\n    ticket: ticket\n    outcomes: [{{when: present(state), then: applied}}]"
        ),
    ));
    assert!(found.contains("A702") && found.contains("then: ready"), "{found}");
}
