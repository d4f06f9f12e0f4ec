//! What an adapter may say of scans: each mistake with its code, and files that nobody named.

use crate::adapter::Bundle;
use crate::adapter::bundle::Enabled;
use crate::diagnostic::{SourceFile, render};
use std::collections::BTreeMap;
use std::sync::Arc;

const LETTER: &str = r#"{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "letter",
  "type": "object", "additionalProperties": false,
  "properties": {
    "id": {"type": "string", "maxLength": 20}, "count": {"type": "integer"},
    "parts": {"type": "array", "items": {
      "type": "object", "additionalProperties": false,
      "properties": {"content": {"type": "string", "contentEncoding": "base64"}}}}}
}"#;
const ADAPTER: &str = "\
adapter: post
operations:
  send:
    interaction: submit-poll
    request: {path: /send, schema: post/letter@1}
    response: {schema: post/letter@1}
    outcomes: [{status: [202], when: present(id), then: accepted, ticket: id}]
    poll:
      request: {method: GET, path: '/send/{ticket}', format: none}
      response: {schema: post/letter@1}
      outcomes: [{status: [200], when: present(id), then: ready}]
  came:
    interaction: push-in
    callback: {path: came, schema: post/letter@1}
    scan: {files: [parts.content]}
    message: {type: post.came, id: id}
";

fn problems(changes: &[(&str, &str)]) -> String {
    let adapter = changes.iter().fold(ADAPTER.to_owned(), |adapter, (from, to)| {
        assert!(adapter.contains(from), "{from}");
        adapter.replacen(from, to, 1)
    });
    let files =
        [("schemas/post/letter/1.schema.json", LETTER), ("adapters/post/adapter.yaml", &adapter)];
    let files: Vec<Arc<SourceFile>> =
        files.iter().map(|(path, text)| SourceFile::new(*path, *text)).collect();
    let mut problems = Vec::new();
    Bundle::build(&files, &Enabled::All, &BTreeMap::new(), &mut problems);
    render::text(&problems)
}

#[test]
fn each_mistake_has_its_code() {
    assert_eq!(problems(&[]), "");
    let scan = "    scan: {files: [parts.content]}\n";
    for (changes, expected) in [
        (vec![("parts.content", "parts.contant")], "error[A210]"),
        (vec![("parts.content", "count")], "error[A210]"),
        (vec![("{files:", "{file:")], "error[M003]"),
        (
            vec![("message: {type: post.came, id: id}", "completes: send\n    ticket: id")],
            "`scan:` goes with `message:`",
        ),
        (vec![("    poll:\n", "    scan: {}\n    poll:\n")], "`scan:` is not used here"),
        // A file that nobody scans is told of, whether anything is scanned or nothing.
        (vec![(scan, "    scan: {}\n")], "warning[A423]: `parts.content` holds a file in base64"),
        (vec![(scan, "")], "warning[A423]: `parts.content` holds a file in base64"),
    ] {
        let told = problems(&changes);
        assert!(told.contains(expected), "{told}");
    }
}
