//! `--update`: writes the present result into a case that fails, leaving the rest of its file as
//! it is.

use super::Tested;
use crate::cli::print;
use crate::cli::trouble::Trouble;
use crate::diagnostic::yaml;
use crate::mapping::{Case, Mapping};
use serde_json::Value;
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
    if mapping.from.validate(&case.input).is_err() {
        return Err("the input is not valid under the source schema".to_owned());
    }
    let result = match mapping.run(&case.input, &case.meta) {
        Ok(document) if mapping.to.validate(&document).is_ok() => {
            let mut out = String::from("expected:");
            write(&document, 1, &mut out);
            out
        }
        Ok(_) => return Err("the result is not valid under the target schema".to_owned()),
        Err(rejection) => {
            let code = rejection.author_code.as_deref().unwrap_or(rejection.code.code);
            format!("rejected: {code}")
        }
    };
    let root = yaml::parse(&case.file).map_err(|problem| problem.message)?;
    let old = root.entry("expected").or_else(|| root.entry("rejected"));
    let old = old.ok_or("it has neither `expected` nor `rejected`")?;
    let source = &case.file.text;
    let before = source.get(..old.key_span.start).unwrap_or_default();
    let after = source.get(old.node.span.end..).unwrap_or_default();
    Ok(format!("{before}{result}{after}"))
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
    use super::write;
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
}
