//! Functions that take arrays apart and put them together.

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{
    Accepts, Arguments, Call, Fail, Function, Growing, MAX_ELEMENTS, Outcome, Returns, Select,
    kind_of, not_convertible, parameter, plain, text, value, wrong_type,
};
use crate::model::codes::mapping as codes;
use serde_json::Value;
use std::borrow::Cow;

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
        gives: Gives::By(transfer::arrays::element),
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
        gives: Gives::By(transfer::arrays::element),
        parameters: &[parameter("array", Accepts::Array)],
        returns: Returns::Any,
        doc: "The last element; absent when there is none.",
        examples: &[("split(\"a,b\", \",\") | last", "\"b\"")],
        ..plain(|a| element(a, |elements| elements.last()))
    },
    Function {
        name: "count",
        gives: Gives::By(transfer::arrays::items),
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
        name: "pick",
        gives: Gives::By(transfer::arrays::pick),
        parameters: &[parameter("array", Accepts::Array), parameter("index", Accepts::Integer)],
        returns: Returns::Any,
        doc: "The element of an index, from 0, or from the end when negative; absent when there is none.",
        examples: &[
            ("split(\"a,b,c\", \",\") | pick(1)", "\"b\""),
            ("split(\"a,b,c\", \",\") | pick(-1)", "\"c\""),
            ("split(\"a\", \",\") | pick(1)", "absent"),
        ],
        ..plain(pick)
    },
    Function {
        name: "take",
        gives: Gives::By(transfer::arrays::take),
        parameters: &[parameter("array", Accepts::Array), parameter("count", Accepts::Count)],
        returns: Returns::Array,
        doc: "The first elements.",
        examples: &[("split(\"a,b,c\", \",\") | take(2)", "[\"a\",\"b\"]")],
        ..plain(|a| some(&a, |elements, count| elements.get(..count.min(elements.len()))))
    },
    Function {
        name: "drop",
        gives: Gives::By(transfer::arrays::drop),
        parameters: &[parameter("array", Accepts::Array), parameter("count", Accepts::Count)],
        returns: Returns::Array,
        doc: "The elements behind the first ones.",
        examples: &[
            ("split(\"a,b,c\", \",\") | drop(2)", "[\"c\"]"),
            ("split(\"a\", \",\") | drop(2)", "[]"),
        ],
        ..plain(|a| some(&a, |elements, count| elements.get(count..)))
    },
    Function {
        name: "values-of",
        gives: Gives::By(transfer::arrays::values_of),
        parameters: &[parameter("array", Accepts::Array), parameter("field", Accepts::Field)],
        returns: Returns::Array,
        doc: "The values of a field of each element; those without are left out.",
        examples: &[("values-of(doses, \"lot\")", "[\"ab１\"]")],
        ..plain(values_of)
    },
    Function {
        name: "append",
        gives: Gives::By(transfer::arrays::append),
        parameters: &[parameter("array", Accepts::Array)],
        variadic: true,
        returns: Returns::Array,
        doc: "The elements of several arrays one after another.",
        examples: &[("append(split(\"a\", \",\"), split(\"b,c\", \",\"))", "[\"a\",\"b\",\"c\"]")],
        ..plain(append)
    },
    Function {
        name: "list",
        gives: Gives::By(transfer::arrays::list),
        parameters: &[parameter("value", Accepts::Any)],
        variadic: true,
        returns: Returns::Array,
        doc: "An array of the values.",
        examples: &[("list(\"a\", 1)", "[\"a\",1]"), ("list(\"a\", missing)", "absent")],
        ..plain(|a| {
            let values = std::iter::once(a.get(0)).chain(a.rest.iter().map(AsRef::as_ref));
            value(values.cloned().collect::<Vec<Value>>())
        })
    },
    Function {
        name: "sum",
        gives: Gives::By(transfer::arrays::sum),
        parameters: &[parameter("array", Accepts::Array)],
        returns: Returns::Integer,
        doc: "The sum of whole numbers; 0 when there is none.",
        examples: &[
            ("sum(parse-json(\"[1,2,3]\"))", "6"),
            ("sum(parse-json(\"[0.5]\"))", "M303"),
            ("sum(parse-json(\"[9223372036854775807,1]\"))", "M304"),
        ],
        ..plain(sum)
    },
    Function {
        name: "flatten",
        gives: Gives::By(transfer::arrays::flatten),
        parameters: &[parameter("array", Accepts::Array)],
        returns: Returns::Array,
        doc: "The elements of the arrays inside an array, one level.",
        examples: &[("parse-json(\"[[1,2],[],3]\") | flatten", "[1,2,3]")],
        ..plain(flatten)
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

fn pick<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let (index, length) = (arguments.integer(1)?, arguments.array(0).len());
    let back = |index: i64| length.checked_sub(usize::try_from(index.unsigned_abs()).ok()?);
    let place = if index < 0 { back(index) } else { usize::try_from(index).ok() };
    let Some(place) = place else { return Ok(None) };
    Ok(match arguments.first {
        Cow::Borrowed(array) => array.get(place).map(Cow::Borrowed),
        Cow::Owned(array) => array.get(place).cloned().map(Cow::Owned),
    })
}

fn some<'v>(
    arguments: &Arguments<'v, '_>,
    choose: for<'t> fn(&'t [Value], usize) -> Option<&'t [Value]>,
) -> Outcome<'v> {
    value(choose(arguments.array(0), arguments.count(1)).unwrap_or_default().to_vec())
}

/// The member of an element that a name with dots leads to.
pub(super) fn member<'e>(element: &'e Value, field: &str) -> Option<&'e Value> {
    field.split('.').try_fold(element, |value, name| value.as_object()?.get(name))
}

fn values_of<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let field = arguments.text(1);
    let found = arguments.array(0).iter().filter_map(|element| member(element, field));
    value(found.cloned().collect::<Vec<Value>>())
}

fn append<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let mut out = arguments.array(0).to_vec();
    for array in arguments.rest {
        out.extend(array.as_array().into_iter().flatten().cloned());
        if out.len() > MAX_ELEMENTS {
            return Err(too_many());
        }
    }
    value(out)
}

fn sum<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let mut total = 0_i64;
    for element in arguments.array(0) {
        let Some(number) = element.as_number().and_then(super::whole) else {
            let kind = kind_of(element);
            return Err(wrong_type(&format!("sum: an element is {kind}, not a whole number")));
        };
        let next = total.checked_add(number);
        total = next.ok_or_else(|| not_convertible("sum: more than 64 bits"))?;
    }
    value(total)
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
