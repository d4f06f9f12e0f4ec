//! The layout keywords (`x-json`, `x-xml`, `xml`, `x-soap`, `x-csv`, `x-fixed`): their keys and the kinds of values.

use crate::diagnostic::nearest::nearest;
use serde_json::Value;

/// What is wrong inside a layout keyword.
pub struct Problem {
    /// From the keyword's value down.
    pub pointer: String,
    /// What and what is allowed.
    pub message: String,
    /// The nearest allowed name.
    pub nearest: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Character,
    Flag,
    Count,
    Word(&'static [&'static str]),
}

const CHARSETS: Kind = Kind::Word(&["utf-8", "cp932", "utf-16le", "utf-16be"]);
const NEWLINES: Kind = Kind::Word(&["crlf", "lf"]);

const JSON: &[(&str, Kind)] = &[("order", Kind::Word(&["schema", "document"]))];
const SOAP: &[(&str, Kind)] =
    &[("version", Kind::Word(&["1.1", "1.2"])), ("action", Kind::Text), ("nil-reason", Kind::Text)];
const XML_ROOT: &[(&str, Kind)] = &[
    ("root", Kind::Text),
    ("namespace", Kind::Text),
    ("prefix", Kind::Text),
    ("declaration", Kind::Flag),
    ("nil-reason", Kind::Text),
];
const XML: &[(&str, Kind)] = &[
    ("name", Kind::Text),
    ("attribute", Kind::Flag),
    ("wrapped", Kind::Flag),
    ("prefix", Kind::Text),
    ("namespace", Kind::Text),
    ("text", Kind::Flag),
    ("cdata", Kind::Flag),
    ("must-understand", Kind::Flag),
];
const CSV: &[(&str, Kind)] = &[
    ("charset", CHARSETS),
    ("bom", Kind::Flag),
    ("newline", NEWLINES),
    ("header", Kind::Flag),
    ("quote", Kind::Word(&["always", "needed", "never"])),
    ("split", Kind::Count),
];
const FIXED: &[(&str, Kind)] = &[
    ("charset", CHARSETS),
    ("bom", Kind::Flag),
    ("newline", Kind::Word(&["crlf", "lf", "none"])),
    ("split", Kind::Count),
    ("separator", Kind::Character),
    ("record-width", Kind::Count),
    ("unit", Kind::Word(&["chars", "bytes"])),
    ("width", Kind::Count),
    ("align", Kind::Word(&["left", "right"])),
    ("pad", Kind::Word(&[" ", "0", "\u{3000}"])),
];

/// Everything wrong in the value of a layout keyword.
pub fn problems(keyword: &str, value: &Value) -> Vec<Problem> {
    let table = match keyword {
        "x-json" => JSON,
        "x-soap" => SOAP,
        "x-xml" => XML_ROOT,
        "xml" => XML,
        "x-csv" => CSV,
        _ => FIXED,
    };
    let Value::Object(members) = value else {
        let message = format!("`{keyword}` is an object");
        return vec![Problem { pointer: String::new(), message, nearest: None }];
    };
    let mut found = Vec::new();
    for (name, value) in members {
        let pointer = format!("/{}", super::file::escape(name));
        let Some((_, kind)) = table.iter().find(|(known, _)| known == name) else {
            let message = format!("`{name}` is not a key of `{keyword}`");
            let nearest = nearest(name, table.iter().map(|(known, _)| *known));
            found.push(Problem { pointer, message, nearest });
            continue;
        };
        let (fits, wanted) = kind.check(value);
        if !fits {
            let message = format!("`{name}` is {wanted}");
            found.push(Problem { pointer, message, nearest: None });
        }
    }
    found
}

impl Kind {
    fn check(self, value: &Value) -> (bool, String) {
        match self {
            Kind::Text => (value.as_str().is_some_and(|t| !t.is_empty()), "a text".to_owned()),
            Kind::Character => {
                let one = value.as_str().is_some_and(|text| text.chars().count() == 1);
                (one, "one character".to_owned())
            }
            Kind::Flag => (value.is_boolean(), "true or false".to_owned()),
            Kind::Count => {
                let count = value.as_u64().is_some_and(|count| (1..=100_000).contains(&count));
                (count, "a whole number from 1 to 100000".to_owned())
            }
            Kind::Word(words) => {
                let known = value.as_str().is_some_and(|word| words.contains(&word));
                let quoted: Vec<String> = words.iter().map(|w| format!("\"{w}\"")).collect();
                (known, format!("one of {}", quoted.join(", ")))
            }
        }
    }
}
