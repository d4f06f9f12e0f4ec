//! Where two documents differ, for people: numbers by value, members in any order, lists aligned,
//! texts down to the character.

use crate::mapping::functions;
use crate::model::json::escape;
use serde_json::Value;

/// Most differences told of one document.
const MOST: usize = 40;

/// The differences as JSON pointers with both values; documents of cases are synthetic.
pub fn differences(expected: &Value, actual: &Value) -> Vec<String> {
    let mut all = Vec::new();
    compare("", expected, actual, &mut all);
    let more = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    if more > 0 {
        all.push(format!("and {more} more differences"));
    }
    all
}

fn compare(path: &str, expected: &Value, actual: &Value, into: &mut Vec<String>) {
    match (expected, actual) {
        (Value::Object(left), Value::Object(right)) => {
            for (name, value) in left {
                let inner = format!("{path}/{}", escape(name));
                match right.get(name) {
                    Some(other) => compare(&inner, value, other, into),
                    None => into.push(format!("{inner}: expected {value}, got nothing")),
                }
            }
            for (name, value) in right.iter().filter(|(name, _)| !left.contains_key(*name)) {
                into.push(format!("{path}/{}: expected nothing, got {value}", escape(name)));
            }
        }
        (Value::Array(left), Value::Array(right)) => lists(path, left, right, into),
        (Value::Number(left), Value::Number(right)) if functions::numbers(left, right).is_eq() => {}
        _ if expected == actual => {}
        _ => {
            let at = if path.is_empty() { "(root)" } else { path };
            let hint = hint(expected, actual);
            into.push(format!("{at}: expected {expected}, got {actual}{hint}"));
        }
    }
}

/// What begins and ends alike belongs together; in between element meets element.
fn lists(path: &str, left: &[Value], right: &[Value], into: &mut Vec<String>) {
    let same = |(a, b): &(&Value, &Value)| differences(a, b).is_empty();
    let shorter = left.len().min(right.len());
    let start = left.iter().zip(right).take_while(same).count();
    let end = left.iter().rev().zip(right.iter().rev()).take_while(same).count();
    let end = end.min(shorter - start);
    let (left_end, right_end) = (left.len() - end, right.len() - end);
    for index in start..left_end.max(right_end) {
        let inner = format!("{path}/{index}");
        let (a, b) = (left.get(index), right.get(index));
        match (a.filter(|_| index < left_end), b.filter(|_| index < right_end)) {
            (Some(a), Some(b)) => compare(&inner, a, b, into),
            (Some(a), None) => into.push(format!("{inner}: expected {a}, got nothing")),
            (None, Some(b)) => into.push(format!("{inner}: expected nothing, got {b}")),
            (None, None) => {}
        }
    }
}

/// What the eye does not see: two texts that look alike, a number and its text.
fn hint(expected: &Value, actual: &Value) -> String {
    match (expected, actual) {
        (Value::String(left), Value::String(right)) => {
            let differs = left.chars().zip(right.chars()).enumerate().find(|(_, (a, b))| a != b);
            match differs {
                Some((at, (a, b))) if !(a.is_ascii() && b.is_ascii()) => {
                    let (a, b) = (u32::from(a), u32::from(b));
                    format!(" (character {}: U+{a:04X}, not U+{b:04X})", at + 1)
                }
                _ => String::new(),
            }
        }
        (Value::String(text), other) | (other, Value::String(text)) if is_written(text, other) => {
            " (one is text)".to_owned()
        }
        _ => String::new(),
    }
}

fn is_written(text: &str, value: &Value) -> bool {
    let written = value.to_string();
    text == written
}

#[cfg(test)]
mod tests {
    use super::differences;
    use serde_json::json;

    #[test]
    fn only_what_differs_is_told() {
        let left = json!({"a": 1, "b": {"c": [1, 2, 3]}, "d/e": "x", "f": "山田"});
        assert!(
            differences(&left, &json!({"f": "山田", "b": {"c": [1.0, 2, 3]}, "d/e": "x", "a": 1}))
                .is_empty()
        );
        let right = json!({"a": "1", "b": {"c": [1, 3]}, "f": "山⽥", "g": null});
        assert_eq!(
            differences(&left, &right),
            [
                "/a: expected 1, got \"1\" (one is text)",
                "/b/c/1: expected 2, got nothing",
                "/d~1e: expected \"x\", got nothing",
                "/f: expected \"山田\", got \"山⽥\" (character 2: U+7530, not U+2F65)",
                "/g: expected nothing, got null",
            ]
        );
    }

    #[test]
    fn lists_are_aligned_at_both_ends() {
        let told = |left, right| differences(&left, &right);
        assert_eq!(told(json!([1, 2]), json!([0, 1, 2])), ["/0: expected nothing, got 0"]);
        assert_eq!(told(json!([1, 2]), json!([1, 2, 2])), ["/2: expected nothing, got 2"]);
        assert_eq!(told(json!([1, 2, 3]), json!([1, 5, 3])), ["/1: expected 2, got 5"]);
        assert_eq!(told(json!([]), json!({})), ["(root): expected [], got {}"]);
    }
}
