//! Functions over arrays, and JSON in texts.

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{
    Accepts, Arguments, Call, Fail, Function, Growing, MAX_ELEMENTS, Outcome, Returns, Select,
    kind_of, not_convertible, parameter, plain, text, too_long, value, wrong_type,
};
use crate::model::codes::mapping as codes;
use crate::model::json::{self, Limits};
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "filter",
        returns: Returns::Array,
        doc: "The elements that satisfy a condition, whose paths start at the element.",
        examples: &[
            ("doses | filter(status == \"done\") | count", "1"),
            ("split(\"a,,b\", \",\") | filter(_ != \"\")", "[\"a\",\"b\"]"),
            ("filter(doses, date > $.person.birthDate) | count", "2"),
        ],
        ..select(Select::Every)
    },
    Function {
        name: "find",
        returns: Returns::Any,
        doc: "The first element that satisfies a condition; absent when none does.",
        examples: &[
            ("find(split(\"a,bc\", \",\"), length(_) > 1)", "\"bc\""),
            ("find(doses, status == \"none\")", "absent"),
        ],
        ..select(Select::First)
    },
    Function {
        name: "any",
        returns: Returns::Boolean,
        carries: false,
        doc: "Whether some element satisfies a condition.",
        examples: &[("any(doses, status == \"done\")", "true")],
        ..select(Select::Any)
    },
    Function {
        name: "all",
        returns: Returns::Boolean,
        carries: false,
        doc: "Whether every element satisfies a condition; true when there is none.",
        examples: &[
            ("all(doses, status == \"done\")", "false"),
            ("all(parse-json(\"[]\"), _ == 1)", "true"),
        ],
        ..select(Select::All)
    },
    Function {
        name: "first",
        gives: Gives::By(transfer::element),
        parameters: &[parameter("array", Accepts::Array)],
        returns: Returns::Any,
        doc: "The first element; absent when there is none.",
        examples: &[
            ("split(\"a,b\", \",\") | first", "\"a\""),
            ("parse-json(\"[]\") | first", "absent"),
        ],
        ..plain(|a| element(a, |elements| elements.first()))
    },
    Function {
        name: "last",
        gives: Gives::By(transfer::element),
        parameters: &[parameter("array", Accepts::Array)],
        returns: Returns::Any,
        doc: "The last element; absent when there is none.",
        examples: &[("split(\"a,b\", \",\") | last", "\"b\"")],
        ..plain(|a| element(a, |elements| elements.last()))
    },
    Function {
        name: "count",
        gives: Gives::By(transfer::items),
        parameters: &[parameter("array", Accepts::Array)],
        returns: Returns::Integer,
        carries: false,
        doc: "How many elements.",
        examples: &[("split(\"a,b\", \",\") | count", "2")],
        ..plain(|a| value(a.array(0).len()))
    },
    Function {
        name: "join",
        gives: Gives::By(transfer::join),
        parameters: &[parameter("array", Accepts::Array), parameter("separator", Accepts::Text)],
        doc: "The elements as one text; null elements are left out.",
        examples: &[
            ("parse-json('[\"a\",1,null]') | join(\"-\")", "\"a-1\""),
            ("parse-json(\"[[]]\") | join(\"-\")", "M303"),
        ],
        ..plain(join)
    },
    Function {
        name: "sort-by",
        gives: Gives::By(transfer::same_array),
        parameters: &[parameter("array", Accepts::Array), parameter("field", Accepts::Literal)],
        returns: Returns::Array,
        doc: "The elements by a field: numbers, then texts, then those without; equal ones stay.",
        examples: &[(
            "parse-json('[{\"n\":2},{},{\"n\":1}]') | sort-by(\"n\")",
            "[{\"n\":1},{\"n\":2},{}]",
        )],
        ..plain(sort_by)
    },
    Function {
        name: "flatten",
        gives: Gives::By(transfer::flatten),
        parameters: &[parameter("array", Accepts::Array)],
        returns: Returns::Array,
        doc: "The elements of the arrays inside an array, one level.",
        examples: &[("parse-json(\"[[1,2],[],3]\") | flatten", "[1,2,3]")],
        ..plain(flatten)
    },
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
        doc: "The value as JSON in a text, without white space.",
        examples: &[("parse-json('{ \"a\": [1, true] }') | to-json", "\"{\\\"a\\\":[1,true]}\"")],
        ..plain(|a| {
            let written = a.get(0).to_string();
            if written.len() > super::MAX_TEXT { Err(too_long()) } else { text(written) }
        })
    },
];

/// One of the functions that look at each element.
const fn select(how: Select) -> Function {
    const PARAMETERS: &[crate::mapping::functions::Parameter] =
        &[parameter("array", Accepts::Array), parameter("condition", Accepts::PerElement)];
    Function { parameters: PARAMETERS, call: Call::Select(how), ..plain(super::code::never) }
}

/// An array result within the limit.
pub(super) fn limited<'v>(elements: Vec<Value>) -> Outcome<'v> {
    if elements.len() > MAX_ELEMENTS {
        return Err(too_many());
    }
    value(elements)
}

/// The failure of an array that grows too long.
pub(crate) fn too_many() -> Box<Fail> {
    let detail = format!("an array would have more than {MAX_ELEMENTS} elements");
    Box::new(Fail { code: &codes::LIMIT, detail })
}

fn element<'v>(
    arguments: Arguments<'v, '_>,
    choose: for<'t> fn(&'t [Value]) -> Option<&'t Value>,
) -> Outcome<'v> {
    Ok(match arguments.first {
        Cow::Borrowed(array) => {
            choose(array.as_array().map_or(&[], Vec::as_slice)).map(Cow::Borrowed)
        }
        Cow::Owned(array) => {
            choose(array.as_array().map_or(&[], Vec::as_slice)).cloned().map(Cow::Owned)
        }
    })
}

fn join<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let mut out = Growing::default();
    let mut first = true;
    for element in arguments.array(0) {
        if element.is_null() {
            continue;
        }
        if !Accepts::Scalar.admits(element) {
            let kind = kind_of(element);
            return Err(wrong_type(&format!("join: an element is {kind}, not a scalar")));
        }
        if !first {
            out.push(arguments.text(1))?;
        }
        first = false;
        out.push(&super::text::scalar_text(element))?;
    }
    text(out.0)
}

fn sort_by<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let field = arguments.text(1);
    let mut order: Vec<&Value> = arguments.array(0).iter().collect();
    order.sort_by(|left, right| compare(left.get(field), right.get(field)));
    limited(order.into_iter().cloned().collect())
}

fn compare(left: Option<&Value>, right: Option<&Value>) -> Ordering {
    match (left, right) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => super::code::numbers(a, b),
        (Some(Value::String(a)), Some(Value::String(b))) => a.cmp(b),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn rank(value: Option<&Value>) -> u8 {
    match value {
        Some(Value::Number(_)) => 0,
        Some(Value::String(_)) => 1,
        _ => 2,
    }
}

fn flatten<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let mut out = Vec::new();
    for element in arguments.array(0) {
        match element {
            Value::Array(inner) => out.extend(inner.iter().take(MAX_ELEMENTS + 1).cloned()),
            other => out.push(other.clone()),
        }
        if out.len() > MAX_ELEMENTS {
            return Err(too_many());
        }
    }
    value(out)
}

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
