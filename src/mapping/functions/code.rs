//! Choice, code tables, refusal.

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{
    Accepts, Arguments, Call, Fail, Function, Lookup, Outcome, Returns, kind_of, not_convertible,
    parameter, plain, value,
};
use crate::model::json::Node;
use regex_automata::meta::Regex;
use serde_json::Number;
use std::cmp::Ordering;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "if",
        parameters: &[
            parameter("condition", Accepts::Condition),
            parameter("then", Accepts::Any),
            parameter("else", Accepts::Any),
        ],
        returns: Returns::Any,
        doc: "The second when the condition holds, else the third; an absent condition does not.",
        examples: &[("if(1 < 2, \"a\", \"b\")", "\"a\""), ("if(missing, \"a\", \"b\")", "\"b\"")],
        call: Call::If,
        ..plain(never)
    },
    Function {
        name: "present",
        parameters: &[parameter("value", Accepts::Any)],
        returns: Returns::Boolean,
        carries: false,
        doc: "Whether there is a value: not absent, not null, not nil.",
        examples: &[
            ("present(missing)", "false"),
            ("present(null)", "false"),
            ("present(\"\")", "true"),
        ],
        call: Call::Present,
        ..plain(never)
    },
    Function {
        name: "reject",
        parameters: &[parameter("code", Accepts::Literal), parameter("text", Accepts::Literal)],
        returns: Returns::Any,
        carries: false,
        doc: "Refuses the message with a code of one's own and a safe text.",
        examples: &[("reject(\"NO_DOSE\", \"the record has no dose\")", "M301")],
        call: Call::Reject,
        ..plain(never)
    },
    Function {
        name: "otherwise",
        parameters: &[parameter("value", Accepts::Any), parameter("fallback", Accepts::Any)],
        returns: Returns::Any,
        doc: "The value, or the fallback where the value's expression fails; `reject` is not caught.",
        examples: &[
            ("\"12\" | integer | otherwise(0)", "12"),
            ("\"x\" | integer | otherwise(0)", "0"),
            ("\"x\" | integer | otherwise(reject(\"BAD-AMOUNT\", \"no digits\"))", "M301"),
            ("reject(\"NO-DOSE\", \"no dose\") | otherwise(0)", "M301"),
            ("missing | integer | otherwise(0)", "absent"),
        ],
        call: Call::Otherwise,
        ..plain(never)
    },
    Function {
        name: "matching",
        parameters: &[parameter("text", Accepts::Text), parameter("pattern", Accepts::Literal)],
        doc: "The text as it is, refused unless the pattern (as in a schema) is found in it.",
        examples: &[
            ("\"AB-1\" | matching(\"^[A-Z0-9-]{1,8}$\")", "\"AB-1\""),
            ("\"AB 1\" | matching(\"^[A-Z0-9-]{1,8}$\")", "M304"),
        ],
        call: Call::Matching,
        ..plain(never)
    },
    Function {
        name: "nil",
        parameters: &[parameter("reason", Accepts::Literal)],
        returns: Returns::Any,
        carries: false,
        doc: "No value, for a reason (xsi:nil with its reason attribute in XML).",
        examples: &[("missing ?? nil(\"NotRecorded\")", "{\"$nil\":\"NotRecorded\"}")],
        call: Call::Nil,
        ..plain(never)
    },
    Function {
        name: "code",
        parameters: &[
            parameter("value", Accepts::Scalar),
            parameter("table", Accepts::Table),
            parameter("default", Accepts::Any),
        ],
        optional: 1,
        returns: Returns::Any,
        doc: "The table's entry for the value; without one the default, else a failure.",
        examples: &[
            ("code(\"male\", sex)", "\"1\""),
            ("code(\"x\", sex, \"9\")", "\"9\""),
            ("code(\"x\", sex)", "M302"),
        ],
        call: Call::Code(Lookup::Forward),
        ..plain(never)
    },
    Function {
        name: "code-at",
        parameters: &[
            parameter("value", Accepts::Scalar),
            parameter("table", Accepts::Table),
            parameter("date", Accepts::Text),
            parameter("default", Accepts::Any),
        ],
        optional: 1,
        returns: Returns::Any,
        doc: "The table's entry for the value that is valid on a date; without one the default, else a failure.",
        examples: &[
            ("code-at(\"a\", fee, \"2024-03-31\")", "\"500\""),
            ("code-at(\"a\", fee, \"2024-04-01\")", "\"600\""),
            ("code-at(\"b\", fee, \"2024-04-01\", \"0\")", "\"0\""),
            ("code-at(\"a\", fee, \"2024-02-30\")", "M304"),
        ],
        call: Call::Code(Lookup::At),
        ..plain(never)
    },
    Function {
        name: "code-of",
        parameters: &[
            parameter("entry", Accepts::Scalar),
            parameter("table", Accepts::Table),
            parameter("default", Accepts::Any),
        ],
        optional: 1,
        returns: Returns::Any,
        doc: "The value whose entry this is: the table read backwards, where no entry stands twice.",
        examples: &[
            ("code-of(\"1\", sex)", "\"male\""),
            ("code-of(\"9\", sex, \"unknown\")", "\"unknown\""),
            ("code-of(\"9\", sex)", "M302"),
        ],
        call: Call::Code(Lookup::Reverse),
        ..plain(never)
    },
    Function {
        name: "has-code",
        gives: Gives::By(transfer::boolean),
        parameters: &[parameter("value", Accepts::Scalar), parameter("table", Accepts::Table)],
        returns: Returns::Boolean,
        carries: false,
        doc: "Whether the table has an entry for the value.",
        examples: &[("has-code(\"male\", sex)", "true"), ("has-code(\"x\", sex)", "false")],
        ..plain(has_code)
    },
    Function {
        name: "try",
        parameters: &[parameter("value", Accepts::Any)],
        returns: Returns::Any,
        doc: "The value, or absent where a function in it fails; `reject` is not held up.",
        examples: &[
            ("try(date(\"2026-02-30\")) ?? \"none\"", "\"none\""),
            ("try(date(\"2026-02-28\"))", "\"2026-02-28\""),
            ("try(reject(\"NO_DATE\", \"the record has no date\"))", "M301"),
        ],
        call: Call::Try,
        ..plain(never)
    },
];

/// Stands where the runner evaluates by itself.
pub(super) fn never<'v>(_: Arguments<'v, '_>) -> Outcome<'v> {
    Ok(None)
}

/// Whether the pattern is found in a text; the failure when it is not, or this is no text.
pub(crate) fn matches(pattern: &Regex, found: Node<'_>) -> Result<(), Box<Fail>> {
    if found.as_str().is_some_and(|text| pattern.is_match(text)) {
        return Ok(());
    }
    let kind = kind_of(&found.to_cow());
    match found.as_str() {
        Some(_) => Err(not_convertible(format!("matching: the pattern is not found in {kind}"))),
        None => Err(super::wrong_type(&format!("matching: text must be a text, found {kind}"))),
    }
}

fn has_code<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let key = crate::mapping::tables::key(arguments.get(0));
    value(key.is_some_and(|key| arguments.get(1).get(key.as_ref()).is_some()))
}

/// Order of two numbers, exact for whole ones.
pub(crate) fn numbers(left: &Number, right: &Number) -> Ordering {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => {
            let float = |number: &Number| number.as_f64().unwrap_or(0.0);
            float(left).total_cmp(&float(right))
        }
    }
}
