//! Functions that order, group and join the elements of arrays.

use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::array::member;
use crate::mapping::functions::{
    Accepts, Arguments, Fail, Function, Growing, Outcome, Returns, json_text, kind_of, parameter,
    plain, value, wrong_type,
};
use crate::mapping::tables;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

const ORDER: Accepts = Accepts::OneOf(&["ascending", "descending"]);

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "sort-by",
        gives: Gives::By(transfer::arrays::same_array),
        parameters: &[
            parameter("array", Accepts::Array),
            parameter("field", Accepts::Field),
            parameter("order", ORDER),
        ],
        optional: 1,
        returns: Returns::Array,
        doc: "The elements by a field: numbers, then texts, then those without; equal ones stay.",
        examples: &[(
            "parse-json('[{\"n\":2},{},{\"n\":1}]') | sort-by(\"n\")",
            "[{\"n\":1},{\"n\":2},{}]",
        )],
        ..plain(sort_by)
    },
    Function {
        name: "sort",
        gives: Gives::By(transfer::arrays::same_array),
        parameters: &[parameter("array", Accepts::Array), parameter("order", ORDER)],
        optional: 1,
        returns: Returns::Array,
        doc: "The elements in order: numbers, then texts, then the rest; equal ones stay.",
        examples: &[
            ("sort(split(\"b,c,a\", \",\"))", "[\"a\",\"b\",\"c\"]"),
            ("sort(parse-json(\"[10,9,true]\"), \"descending\")", "[true,10,9]"),
        ],
        ..plain(|a| sorted(&a, 1, |element| Some(element)))
    },
    Function {
        name: "reverse",
        gives: Gives::By(transfer::arrays::same_array),
        parameters: &[parameter("array", Accepts::Array)],
        returns: Returns::Array,
        doc: "The elements from the last to the first.",
        examples: &[("reverse(split(\"a,b\", \",\"))", "[\"b\",\"a\"]")],
        ..plain(|a| value(a.array(0).iter().rev().cloned().collect::<Vec<Value>>()))
    },
    Function {
        name: "distinct",
        gives: Gives::By(transfer::arrays::distinct),
        parameters: &[parameter("array", Accepts::Array)],
        returns: Returns::Array,
        doc: "The elements without those that were there before.",
        examples: &[("distinct(split(\"b,a,b\", \",\"))", "[\"b\",\"a\"]")],
        ..plain(|a| distinct(&a, |element| Some(element)))
    },
    Function {
        name: "distinct-by",
        gives: Gives::By(transfer::arrays::distinct),
        parameters: &[parameter("array", Accepts::Array), parameter("field", Accepts::Field)],
        returns: Returns::Array,
        doc: "The first element of each value of a field; those without the field stay.",
        examples: &[(
            "distinct-by(parse-json('[{\"n\":1,\"m\":1},{\"n\":1},{}]'), \"n\")",
            "[{\"n\":1,\"m\":1},{}]",
        )],
        ..plain(|a| distinct(&a, |element| member(element, a.text(1))))
    },
    Function {
        name: "group-by",
        gives: Gives::By(transfer::arrays::group_by),
        parameters: &[parameter("array", Accepts::Array), parameter("field", Accepts::Field)],
        returns: Returns::Array,
        doc: "One `{key, items}` for each value of a field, in the order they come; elements without it are left out.",
        examples: &[(
            "group-by(parse-json('[{\"n\":\"a\"},{\"n\":\"b\"},{\"n\":\"a\"},{}]'), \"n\")",
            "[{\"key\":\"a\",\"items\":[{\"n\":\"a\"},{\"n\":\"a\"}]},{\"key\":\"b\",\"items\":[{\"n\":\"b\"}]}]",
        )],
        ..plain(group_by)
    },
    Function {
        name: "zip-by",
        gives: Gives::By(transfer::arrays::zip_by),
        parameters: &[
            parameter("left", Accepts::Array),
            parameter("right", Accepts::Array),
            parameter("field", Accepts::Field),
        ],
        returns: Returns::Array,
        doc: "Each element of the left array as `{left, right}` with the first of the right that has the same value of a field, if there is one.",
        examples: &[(
            "zip-by(parse-json('[{\"n\":1},{\"n\":2}]'), parse-json('[{\"n\":2,\"m\":3}]'), \"n\")",
            "[{\"left\":{\"n\":1}},{\"left\":{\"n\":2},\"right\":{\"n\":2,\"m\":3}}]",
        )],
        ..plain(zip_by)
    },
    Function {
        name: "min",
        gives: Gives::By(transfer::arrays::extreme),
        parameters: &[parameter("array", Accepts::Array)],
        returns: Returns::Any,
        doc: "The least of numbers, or of texts (such as dates); absent when there is none.",
        examples: &[
            ("min(parse-json(\"[10,9]\"))", "9"),
            ("min(values-of(doses, \"date\"))", "\"2026-05-01\""),
            ("min(parse-json(\"[]\"))", "absent"),
            ("min(parse-json('[1,\"a\"]'))", "M303"),
        ],
        ..plain(|a| extreme(&a, Ordering::Less))
    },
    Function {
        name: "max",
        gives: Gives::By(transfer::arrays::extreme),
        parameters: &[parameter("array", Accepts::Array)],
        returns: Returns::Any,
        doc: "The greatest of numbers, or of texts (such as dates); absent when there is none.",
        examples: &[("max(values-of(doses, \"date\"))", "\"2026-06-01\"")],
        ..plain(|a| extreme(&a, Ordering::Greater))
    },
];

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

fn sort_by<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    sorted(&arguments, 2, |element| member(element, arguments.text(1)))
}

fn sorted<'v>(
    arguments: &Arguments<'v, '_>,
    order: usize,
    by: impl Fn(&Value) -> Option<&Value>,
) -> Outcome<'v> {
    let descending = arguments.text(order) == "descending";
    let mut elements: Vec<&Value> = arguments.array(0).iter().collect();
    elements.sort_by(|left, right| {
        let order = compare(by(left), by(right));
        if descending { order.reverse() } else { order }
    });
    value(elements.into_iter().cloned().collect::<Vec<Value>>())
}

fn distinct<'v>(
    arguments: &Arguments<'v, '_>,
    by: impl Fn(&Value) -> Option<&Value>,
) -> Outcome<'v> {
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for element in arguments.array(0) {
        if let Some(key) = by(element) {
            let mut written = Growing::default();
            json_text::canonical(key, &mut written)?;
            if !seen.insert(written.0) {
                continue;
            }
        }
        out.push(element.clone());
    }
    value(out)
}

/// The text by which elements are known to belong together.
fn key_of<'e>(element: &'e Value, field: &str) -> Result<Option<(String, &'e Value)>, Box<Fail>> {
    let Some(found) = member(element, field).filter(|found| !found.is_null()) else {
        return Ok(None);
    };
    match tables::key(found) {
        Some(key) => Ok(Some((key.into_owned(), found))),
        None => Err(wrong_type(&format!("`{field}` is {}, not a scalar", kind_of(found)))),
    }
}

fn group_by<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let mut groups: Vec<(&Value, Vec<Value>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for element in arguments.array(0) {
        let Some((key, found)) = key_of(element, arguments.text(1))? else { continue };
        let place = *known.entry(key).or_insert(groups.len());
        match groups.get_mut(place) {
            Some((_, items)) => items.push(element.clone()),
            None => groups.push((found, vec![element.clone()])),
        }
    }
    let object = |(key, items): (&Value, Vec<Value>)| {
        let mut object = Map::new();
        object.insert("key".into(), key.clone());
        object.insert("items".into(), Value::Array(items));
        Value::Object(object)
    };
    value(groups.into_iter().map(object).collect::<Vec<Value>>())
}

fn zip_by<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let field = arguments.text(2);
    let mut right: HashMap<String, &Value> = HashMap::new();
    for element in arguments.array(1) {
        if let Some((key, _)) = key_of(element, field)? {
            right.entry(key).or_insert(element);
        }
    }
    let mut out = Vec::new();
    for element in arguments.array(0) {
        let mut pair = Map::new();
        pair.insert("left".into(), element.clone());
        if let Some((key, _)) = key_of(element, field)?
            && let Some(other) = right.get(&key)
        {
            pair.insert("right".into(), (*other).clone());
        }
        out.push(Value::Object(pair));
    }
    value(out)
}

fn extreme<'v>(arguments: &Arguments<'v, '_>, wanted: Ordering) -> Outcome<'v> {
    let elements = arguments.array(0);
    let alike = elements.iter().all(Value::is_number) || elements.iter().all(Value::is_string);
    if !alike {
        return Err(wrong_type("needs numbers only, or texts only"));
    }
    let best = elements
        .iter()
        .reduce(|best, one| if compare(Some(one), Some(best)) == wanted { one } else { best });
    Ok(best.cloned().map(std::borrow::Cow::Owned))
}
