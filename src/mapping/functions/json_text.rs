//! JSON inside a text: read strictly, written in one way only.

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{
    Accepts, Arguments, Fail, Function, Growing, Outcome, Returns, not_convertible, parameter,
    plain, text, value,
};
use crate::model::json::{self, Limits};
use serde_json::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "parse-json",
        gives: Gives::By(transfer::json),
        parameters: &[parameter("text", Accepts::Text)],
        returns: Returns::Any,
        doc: "The value written as JSON in a text; numbers that would lose digits are refused.",
        examples: &[
            ("parse-json('{\"a\":[1,\"x\"]}')", "{\"a\":[1,\"x\"]}"),
            ("parse-json('{\"a\":1')", "M304"),
            ("parse-json('[12345678901234567890123]')", "M304"),
            ("parse-json('{\"a\":1,\"a\":2}')", "M304"),
        ],
        ..plain(parse)
    },
    Function {
        name: "to-json",
        gives: Gives::By(transfer::to_json),
        parameters: &[parameter("value", Accepts::Any)],
        doc: "The value as canonical JSON in a text: members by name, no white space.",
        examples: &[(
            "parse-json('{ \"b\": [1, true], \"a\": 2 }') | to-json",
            "\"{\\\"a\\\":2,\\\"b\\\":[1,true]}\"",
        )],
        ..plain(write)
    },
];

/// What JSON inside a text may be: the text is part of a document that is bounded itself.
const LIMITS: Limits =
    Limits { max_bytes: 1 << 20, max_depth: 64, max_nodes: 200_000, max_string: 1 << 20 };

fn parse<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let bytes = arguments.text(0).as_bytes();
    match json::read(bytes, &LIMITS) {
        Ok(parsed) => value(parsed),
        Err(error) => {
            let code = error.located(bytes, |_| String::new()).code;
            Err(not_convertible(format!("parse-json: the text is not strict JSON ({code})")))
        }
    }
}

fn write<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let mut out = Growing::default();
    canonical(arguments.get(0), &mut out)?;
    text(out.0)
}

/// Members in the order of their names' UTF-16 code units, as RFC 8785 sorts them.
pub(super) fn canonical(value: &Value, out: &mut Growing) -> Result<(), Box<Fail>> {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
            for (index, (name, member)) in members.into_iter().enumerate() {
                out.push(if index == 0 { "{" } else { "," })?;
                out.push(&Value::from(name.as_str()).to_string())?;
                out.push(":")?;
                canonical(member, out)?;
            }
            out.push(if value.as_object().is_some_and(serde_json::Map::is_empty) {
                "{}"
            } else {
                "}"
            })
        }
        Value::Array(elements) => {
            out.push("[")?;
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(",")?;
                }
                canonical(element, out)?;
            }
            out.push("]")
        }
        scalar => out.push(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::canonical;
    use crate::mapping::functions::Growing;
    use proptest::prelude::{any, proptest};
    use serde_json::{Value, json};

    fn written(value: &Value) -> String {
        let mut out = Growing::default();
        canonical(value, &mut out).unwrap();
        out.0
    }

    #[test]
    fn there_is_one_way_to_write_a_value() {
        let one = json!({"b": [], "a": {"\u{FF5E}": 1, "𠮷": {}}, "": null});
        assert_eq!(written(&one), "{\"\":null,\"a\":{\"𠮷\":{},\"～\":1},\"b\":[]}");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(text in any::<String>(), n in any::<i64>()) {
            let value = json!({text.clone(): [n, text, true, null]});
            assert_eq!(serde_json::from_str::<Value>(&written(&value)).unwrap(), value);
        }
    }
}
