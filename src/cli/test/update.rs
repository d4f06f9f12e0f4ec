//! `--update`: writes the present result into a case that fails, leaving the rest of its file as
//! it is: where only values differ, comments and layout of the expected document stay too.

use super::Tested;
use crate::cli::print;
use crate::cli::trouble::Trouble;
use crate::diagnostic::yaml::{self, Kind, Node};
use crate::mapping::cases::differences;
use crate::mapping::{Case, Mapping, Rejection};
use serde_json::Value;
use std::ops::Range;
use std::path::Path;

/// Updates every failing case; how many could not be.
pub(super) fn all(folder: &Path, tested: &[Tested]) -> Result<usize, Trouble> {
    let (mut updated, mut left) = (0, 0);
    for one in tested {
        for (case, _) in one.cases.iter().filter(|(_, end)| !end.passed) {
            match text(case, &one.mapping) {
                Ok(text) => {
                    super::write(&folder.join(&case.file.path), &text)?;
                    print::human(&format!("updated {}", case.file.path));
                    updated += 1;
                }
                Err(why) => {
                    print::human(&format!("error: {}: not updated: {why}", case.file.path));
                    left += 1;
                }
            }
        }
    }
    if updated > 0 {
        print::human("hint: look at every change before you keep it");
    } else if left == 0 {
        print::human("every case passes, nothing to update");
    }
    Ok(left)
}

/// The file's text with the present result.
fn text(case: &Case, mapping: &Mapping) -> Result<String, String> {
    let input = case.document(mapping)?;
    if !mapping.from.is_valid(input.as_ref()) {
        return Err("the input is not valid under the source schema".to_owned());
    }
    let result = match mapping.run(&input, &case.meta) {
        Ok(document) if mapping.to.is_valid(&document) => Ok(document),
        Ok(_) => return Err("the result is not valid under the target schema".to_owned()),
        Err(rejection) => Err(rejection),
    };
    let root = yaml::parse(&case.file).map_err(|problem| problem.message)?;
    let old = ["expected", "expected-text", "rejected"].iter().find_map(|key| root.entry(key));
    let old = old.ok_or("it has neither `expected` nor `rejected`")?;
    let source = &case.file.text;
    let mut edits = Vec::new();
    match &result {
        Ok(document) if old.key == "expected" && patch(source, &old.node, document, &mut edits) => {
        }
        _ => edits = vec![(old.key_span.start..old.node.span.end, whole(&result))],
    }
    let mut text = source.clone();
    for (span, new) in edits.into_iter().rev() {
        let line_end = text.get(span.clone()).is_some_and(|gone| gone.ends_with('\n'));
        text.replace_range(span, &if line_end { new + "\n" } else { new });
    }
    Ok(text)
}

/// The entry as a whole.
fn whole(result: &Result<Value, Rejection>) -> String {
    match result {
        Ok(document) => {
            let mut out = String::from("expected:");
            write(document, 1, &mut out);
            out
        }
        Err(rejection) => {
            let code = rejection.author_code.as_deref().unwrap_or(rejection.code.code);
            format!("rejected: {code}")
        }
    }
}

/// The scalars to replace where a document has the same members as what is written, so that
/// comments and layout stay; false when it has others.
fn patch(
    source: &str,
    node: &Node,
    value: &Value,
    edits: &mut Vec<(Range<usize>, String)>,
) -> bool {
    match (&node.value, value) {
        (Kind::Map(entries), Value::Object(members)) => {
            entries.len() == members.len()
                && entries.iter().all(|entry| {
                    let value = members.get(&entry.key);
                    value.is_some_and(|value| patch(source, &entry.node, value, edits))
                })
        }
        (Kind::Seq(nodes), Value::Array(elements)) => {
            nodes.len() == elements.len()
                && nodes.iter().zip(elements).all(|(node, value)| patch(source, node, value, edits))
        }
        (Kind::Scalar(old), Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
            if !differences(old, value).is_empty() {
                edits.push((node.span.clone(), value.to_string()));
            }
            // An alias stands where it is written, and a value of nothing has no place.
            !source.get(node.span.clone()).is_none_or(str::is_empty)
        }
        _ => false,
    }
}

/// A value behind its key or dash: scalars on the line, collections below it.
fn write(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                out.push_str(&format!("\n{indent}{}:", scalar(key)));
                write(value, depth + 1, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("\n{indent}-"));
                write(item, depth + 1, out);
            }
        }
        Value::String(text) => out.push_str(&format!(" {}", Value::String(text.clone()))),
        other => out.push_str(&format!(" {other}")),
    }
}

/// A key, quoted unless it is a plain word.
fn scalar(key: &str) -> String {
    let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        && key.starts_with(|c: char| c.is_ascii_alphabetic())
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&key);
    if plain { key.to_owned() } else { Value::String(key.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::{patch, write};
    use crate::diagnostic::{SourceFile, yaml};
    use serde_json::json;

    #[test]
    fn what_is_written_reads_back_the_same() {
        let document = json!({
            "plain": "text", "true": "no", "髙": "𠮷\n\"二重\"", "n": 1.5, "none": null, "yes": true,
            "empty": {}, "list": [], "nested": {"items": [{"a": "1", "b": [[1, 2], []]}, "x"]}
        });
        let mut text = String::from("expected:");
        write(&document, 1, &mut text);
        let file = SourceFile::new("case.yaml", text);
        assert_eq!(yaml::parse(&file).unwrap().to_json(), json!({"expected": document}));
    }

    #[test]
    fn where_only_values_differ_comments_stay() {
        let text = "expected:\n  a: 1   # one\n  b: [x, {c: y}]\n  d: z\n";
        let file = SourceFile::new("case.yaml", text);
        let root = yaml::parse(&file).unwrap();
        let node = root.get("expected").unwrap();
        let mut edits = Vec::new();
        let new = json!({"d": "z", "b": ["x", {"c": "髙"}], "a": 2});
        assert!(patch(text, node, &new, &mut edits));
        let edits: Vec<(&str, &str)> =
            edits.iter().map(|(span, new)| (&text[span.clone()], new.as_str())).collect();
        assert_eq!(edits, [("1", "2"), ("y", "\"髙\"")]);
        assert!(!patch(text, node, &json!({"a": 1}), &mut Vec::new()));
    }
}
