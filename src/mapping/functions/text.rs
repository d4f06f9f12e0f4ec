//! Functions over texts.

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{
    Accepts, Arguments, Function, Growing, Outcome, Returns, kind_of, not_convertible, parameter,
    plain, text, value,
};
use crate::model::characters::{BUILT_IN, Repertoire};
use serde_json::Value;
use std::borrow::Cow;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "string",
        gives: Gives::By(transfer::string),
        parameters: &[parameter("value", Accepts::Scalar)],
        doc: "The value as text: a number with its digits, true or false as those words.",
        examples: &[("string(12)", "\"12\""), ("string(true)", "\"true\""), ("string($)", "M303")],
        ..plain(string)
    },
    Function {
        name: "trim",
        gives: Gives::By(transfer::trim),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Without white space (also full-width) at both ends.",
        examples: &[("trim(\"　a b \")", "\"a b\"")],
        ..plain(|a| a.map(|text| Ok(Cow::Borrowed(text.trim()))))
    },
    Function {
        name: "upper",
        gives: Gives::By(transfer::upper),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "In capital letters.",
        examples: &[("upper(\"abc-ｄ\")", "\"ABC-Ｄ\"")],
        ..plain(|a| a.map(|text| Ok(Cow::Owned(text.to_uppercase()))))
    },
    Function {
        name: "lower",
        gives: Gives::By(transfer::lower),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "In small letters.",
        examples: &[("lower(\"ABC\")", "\"abc\"")],
        ..plain(|a| a.map(|text| Ok(Cow::Owned(text.to_lowercase()))))
    },
    Function {
        name: "replace",
        gives: Gives::By(transfer::replace),
        parameters: &[
            parameter("text", Accepts::Text),
            parameter("from", Accepts::NonEmpty),
            parameter("to", Accepts::Text),
        ],
        doc: "Every occurrence of `from` as `to`.",
        examples: &[("replace(\"1-2-3\", \"-\", \"\")", "\"123\"")],
        ..plain(replace)
    },
    Function {
        name: "trim-start",
        gives: Gives::By(transfer::trim),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Without white space (also full-width) at its beginning.",
        examples: &[("trim-start(\" 　a \")", "\"a \"")],
        ..plain(|a| a.map(|text| Ok(Cow::Borrowed(text.trim_start()))))
    },
    Function {
        name: "trim-end",
        gives: Gives::By(transfer::trim),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Without white space (also full-width) at its end.",
        examples: &[("trim-end(\" a　 \")", "\" a\"")],
        ..plain(|a| a.map(|text| Ok(Cow::Borrowed(text.trim_end()))))
    },
    Function {
        name: "collapse-spaces",
        gives: Gives::By(transfer::texts::collapse_spaces),
        parameters: &[parameter("text", Accepts::Text), parameter("space", Accepts::Text)],
        doc: "Every run of white space (also full-width) inside as one `space`, none at the ends.",
        examples: &[("collapse-spaces(\" 試験 　 太郎 \", \"　\")", "\"試験　太郎\"")],
        ..plain(collapse_spaces)
    },
    Function {
        name: "non-blank",
        gives: Gives::By(transfer::texts::non_blank),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "The text; absent when it is empty or only white space.",
        examples: &[
            ("non-blank(\"　 \") ?? \"none\"", "\"none\""),
            ("non-blank(\" a\")", "\" a\""),
        ],
        ..plain(|a| if a.text(0).trim().is_empty() { Ok(None) } else { a.unchanged() })
    },
    Function {
        name: "absent-if",
        gives: Gives::By(transfer::texts::absent_if),
        parameters: &[parameter("value", Accepts::Scalar), parameter("other", Accepts::Scalar)],
        returns: Returns::Any,
        doc: "The value; absent when it is the other one.",
        examples: &[
            ("absent-if(\"9999-12-31\", \"9999-12-31\")", "absent"),
            ("absent-if(\"1\", \"0\")", "\"1\""),
        ],
        ..plain(|a| if a.get(0) == a.get(1) { Ok(None) } else { a.unchanged() })
    },
    Function {
        name: "replace-table",
        gives: Gives::By(transfer::texts::any),
        parameters: &[parameter("text", Accepts::Text), parameter("table", Accepts::Table)],
        doc: "Every part that a code table lists as its entry, the longest one first.",
        examples: &[
            ("replace-table(\"髙﨑㈱\", old-forms)", "\"高崎（株）\""),
            ("replace-table(\"渡邉\u{E0101}\", old-forms)", "\"渡邊\""),
            ("replace-table(\"渡\", old-forms)", "\"渡\""),
        ],
        ..plain(replace_table)
    },
    Function {
        name: "concat",
        gives: Gives::By(transfer::concat),
        parameters: &[parameter("value", Accepts::Scalar)],
        variadic: true,
        doc: "The values one after another; absent if one of them is.",
        examples: &[("concat(\"a\", 1, \"b\")", "\"a1b\""), ("concat(\"a\", missing)", "absent")],
        ..plain(concat)
    },
    Function {
        name: "split",
        gives: Gives::By(transfer::split),
        parameters: &[parameter("text", Accepts::Text), parameter("separator", Accepts::NonEmpty)],
        returns: Returns::Array,
        doc: "The parts between separators; an empty text has no parts.",
        examples: &[
            ("split(\"a,b,\", \",\")", "[\"a\", \"b\", \"\"]"),
            ("split(\"\", \",\")", "[]"),
        ],
        ..plain(split)
    },
    Function {
        name: "contains",
        gives: Gives::By(transfer::contains),
        parameters: &[parameter("value", Accepts::ArrayOrText), parameter("part", Accepts::Scalar)],
        returns: Returns::Boolean,
        carries: false,
        doc: "Whether a text has the part, or an array the element.",
        examples: &[
            ("contains(\"abc\", \"bc\")", "true"),
            ("split(\"a,b\", \",\") | contains(\"b\")", "true"),
        ],
        ..plain(contains)
    },
    Function {
        name: "starts-with",
        gives: Gives::By(transfer::boolean),
        parameters: &[parameter("text", Accepts::Text), parameter("start", Accepts::Text)],
        returns: Returns::Boolean,
        carries: false,
        doc: "Whether a text begins so.",
        examples: &[("starts-with(\"TM0084\", \"TM\")", "true")],
        ..plain(|a| value(a.text(0).starts_with(a.text(1))))
    },
    Function {
        name: "ends-with",
        gives: Gives::By(transfer::boolean),
        parameters: &[parameter("text", Accepts::Text), parameter("end", Accepts::Text)],
        returns: Returns::Boolean,
        carries: false,
        doc: "Whether a text ends so.",
        examples: &[("ends-with(\"TM0084\", \"84\")", "true")],
        ..plain(|a| value(a.text(0).ends_with(a.text(1))))
    },
    Function {
        name: "in-repertoire",
        gives: Gives::By(transfer::boolean),
        parameters: &[
            parameter("text", Accepts::Text),
            parameter("repertoire", Accepts::OneOf(BUILT_IN)),
        ],
        returns: Returns::Boolean,
        carries: false,
        doc: "Whether a system of that repertoire knows every character of a text.",
        examples: &[
            ("in-repertoire(\"渡邉\", \"jisx0208\")", "true"),
            ("in-repertoire(\"髙橋\", \"jisx0208\")", "false"),
            ("in-repertoire(\"髙橋\", \"cp932\")", "true"),
        ],
        ..plain(|a| {
            let repertoire = Repertoire::built_in(a.text(1));
            value(repertoire.is_some_and(|repertoire| repertoire.has_all(a.text(0))))
        })
    },
    Function {
        name: "keep-digits",
        gives: Gives::By(transfer::texts::keep_digits),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "Only the digits 0 to 9 of a text.",
        examples: &[("keep-digits(\"03-1234-5678\")", "\"0312345678\"")],
        ..plain(|a| {
            a.map(|text| {
                if text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Ok(Cow::Borrowed(text));
                }
                Ok(Cow::Owned(text.chars().filter(char::is_ascii_digit).collect()))
            })
        })
    },
    Function {
        name: "digits",
        gives: Gives::By(transfer::digits),
        parameters: &[parameter("text", Accepts::Text)],
        doc: "The text as it is, refused unless it has only the digits 0 to 9.",
        examples: &[
            ("digits(\"0123\")", "\"0123\""),
            ("digits(\"12-3\")", "M304"),
            ("digits(\"\")", "M304"),
        ],
        ..plain(digits)
    },
];

fn string<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    match arguments.get(0) {
        Value::String(_) => arguments.unchanged(),
        other => text(scalar_text(other)),
    }
}

/// The text of a scalar.
pub(super) fn scalar_text(scalar: &Value) -> Cow<'_, str> {
    match scalar {
        Value::String(text) => Cow::Borrowed(text),
        // A whole number is written in one way, so that 2.0 is `2`.
        Value::Number(number) => super::number_text(number),
        other => Cow::Owned(other.to_string()),
    }
}

fn replace<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let (from, to) = (arguments.text(1), arguments.text(2));
    let mut parts = arguments.text(0).split(from);
    let first = parts.next().unwrap_or("");
    if first.len() == arguments.text(0).len() {
        return arguments.unchanged();
    }
    let mut out = Growing(first.to_owned());
    for part in parts {
        out.push(to)?;
        out.push(part)?;
    }
    text(out.0)
}

fn collapse_spaces<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let mut out = Growing::default();
    for (index, word) in arguments.text(0).split_whitespace().enumerate() {
        if index > 0 {
            out.push(arguments.text(1))?;
        }
        out.push(word)?;
    }
    text(out.0)
}

fn replace_table<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let (source, table) = (arguments.text(0), arguments.get(1).as_object());
    let longest = table.into_iter().flatten().map(|(key, _)| key.len()).max().unwrap_or(0);
    let mut out = Growing::default();
    let (mut rest, mut changed) = (source, false);
    while !rest.is_empty() {
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8());
        let ends: Vec<usize> = ends.take_while(|end| *end <= longest).collect();
        let listed = ends.iter().rev().find_map(|end| {
            let (part, behind) = rest.split_at_checked(*end)?;
            Some((table?.get(part)?, behind))
        });
        if let Some((entry, behind)) = listed {
            let entry = if entry.is_null() { Cow::Borrowed("") } else { scalar_text(entry) };
            out.push(&entry)?;
            (rest, changed) = (behind, true);
        } else {
            let end = rest.chars().next().map_or(rest.len(), char::len_utf8);
            let (part, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
            out.push(part)?;
            rest = behind;
        }
    }
    if changed { text(out.0) } else { arguments.unchanged() }
}

fn concat<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let mut out = Growing::default();
    out.push(&scalar_text(arguments.get(0)))?;
    for part in arguments.rest {
        out.push(&scalar_text(part))?;
    }
    text(out.0)
}

fn split<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    if arguments.text(0).is_empty() {
        return value(Vec::<Value>::new());
    }
    let parts = arguments.text(0).split(arguments.text(1));
    let parts: Vec<Value> = parts.take(super::MAX_ELEMENTS + 1).map(Value::from).collect();
    super::array::limited(parts)
}

fn contains<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let part = arguments.get(1);
    match (arguments.get(0), part) {
        (Value::Array(elements), _) => value(elements.contains(part)),
        (Value::String(text), Value::String(part)) => value(text.contains(part.as_str())),
        _ => Err(super::wrong_type(&format!("contains: a text has no {}", kind_of(part)))),
    }
}

fn digits<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let text = arguments.text(0);
    let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if good {
        return arguments.unchanged();
    }
    let kind = kind_of(arguments.get(0));
    Err(not_convertible(format!("digits: needs only 0 to 9, found other characters in {kind}")))
}
