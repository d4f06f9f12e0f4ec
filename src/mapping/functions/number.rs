//! Functions over numbers. Decimals are texts of digits from end to end; no float is involved.

use crate::diagnostic::yaml;
use crate::mapping::facts::{Gives, transfer};
use crate::mapping::functions::{
    Accepts, Arguments, Fail, Function, Outcome, Returns, kind_of, not_convertible, parameter,
    plain, text, value,
};
use serde_json::Value;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "decimal",
        gives: Gives::By(transfer::decimal),
        parameters: &[
            parameter("value", Accepts::TextOrNumber),
            parameter("places", Accepts::Count),
        ],
        doc: "A decimal text with exactly that many places; digits that would be lost are refused.",
        examples: &[
            ("decimal(\"0.5\", 2)", "\"0.50\""),
            ("decimal(12, 1)", "\"12.0\""),
            ("decimal(\"007.250\", 2)", "\"7.25\""),
            ("decimal(\"-1.20\", 1)", "\"-1.2\""),
            ("decimal(\"0.123456789012345678901\", 21)", "\"0.123456789012345678901\""),
            ("decimal(\"0.55\", 1)", "M304"),
            ("decimal(\"1e3\", 0)", "M304"),
        ],
        ..plain(decimal)
    },
    Function {
        name: "integer",
        gives: Gives::By(transfer::integer),
        parameters: &[parameter("value", Accepts::TextOrNumber)],
        returns: Returns::Integer,
        doc: "A whole number from digits with an optional minus sign.",
        examples: &[
            ("integer(\"007\")", "7"),
            ("integer(\"-3\")", "-3"),
            ("integer(2.0)", "2"),
            ("integer(\"1.5\")", "M304"),
            ("integer(\"99999999999999999999\")", "M304"),
        ],
        ..plain(integer)
    },
    Function {
        name: "number",
        gives: Gives::By(transfer::number),
        parameters: &[parameter("value", Accepts::TextOrNumber)],
        returns: Returns::Number,
        doc: "A JSON number from a text, refused when it would lose a digit.",
        examples: &[
            ("number(\"12.5\")", "12.5"),
            ("number(\"12\")", "12"),
            ("number(\"0.12345678901234567\")", "M304"),
            ("number(\"012\")", "M304"),
        ],
        ..plain(number)
    },
    Function {
        name: "add",
        gives: Gives::By(transfer::plus),
        parameters: &[parameter("a", Accepts::Integer), parameter("b", Accepts::Integer)],
        returns: Returns::Integer,
        doc: "The sum of two whole numbers.",
        examples: &[("add(1, 2)", "3"), ("add(9223372036854775807, 1)", "M304")],
        ..plain(|a| arithmetic(&a, i64::checked_add))
    },
    Function {
        name: "subtract",
        gives: Gives::By(transfer::minus),
        parameters: &[parameter("a", Accepts::Integer), parameter("b", Accepts::Integer)],
        returns: Returns::Integer,
        doc: "The first whole number less the second.",
        examples: &[("subtract(1, 2)", "-1")],
        ..plain(|a| arithmetic(&a, i64::checked_sub))
    },
    Function {
        name: "multiply",
        gives: Gives::By(transfer::decimals::times),
        parameters: &[parameter("a", Accepts::Integer), parameter("b", Accepts::Integer)],
        returns: Returns::Integer,
        doc: "The product of two whole numbers.",
        examples: &[("multiply(-3, 4)", "-12"), ("multiply(9223372036854775807, 2)", "M304")],
        ..plain(|a| arithmetic(&a, i64::checked_mul))
    },
    Function {
        name: "quotient",
        gives: Gives::By(transfer::decimals::quotient),
        parameters: &[parameter("a", Accepts::Integer), parameter("b", Accepts::Integer)],
        returns: Returns::Integer,
        doc: "How many whole times the second number goes into the first.",
        examples: &[("quotient(7, 2)", "3"), ("quotient(-7, 2)", "-4"), ("quotient(7, 0)", "M304")],
        ..plain(|a| arithmetic(&a, i64::checked_div_euclid))
    },
    Function {
        name: "remainder",
        gives: Gives::By(transfer::decimals::remainder),
        parameters: &[parameter("a", Accepts::Integer), parameter("b", Accepts::Integer)],
        returns: Returns::Integer,
        doc: "What is left of the first number after `quotient`; never negative.",
        examples: &[("remainder(7, 2)", "1"), ("remainder(-7, 2)", "1")],
        ..plain(|a| arithmetic(&a, i64::checked_rem_euclid))
    },
];

/// A decimal taken apart: sign, whole digits without leading zeros, places without trailing ones.
pub(super) struct Decimal<'t> {
    pub negative: bool,
    pub whole: &'t str,
    pub fraction: &'t str,
}

pub(super) fn parse(text: &str) -> Option<Decimal<'_>> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let good = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (good(whole) && good(fraction)).then(|| Decimal {
        negative,
        whole: whole.trim_start_matches('0'),
        fraction: fraction.trim_end_matches('0'),
    })
}

fn written(value: &Value) -> String {
    super::text::scalar_text(value).into_owned()
}

fn decimal<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let places = arguments.count(1);
    let source = written(arguments.get(0));
    let Some(Decimal { negative, whole, fraction }) = parse(&source) else {
        let kind = kind_of(arguments.get(0));
        return Err(not_convertible(format!(
            "decimal: needs digits and at most one `.`, found {kind}"
        )));
    };
    if fraction.len() > places {
        let digits = fraction.len();
        return Err(not_convertible(format!("decimal: {digits} places do not fit into {places}")));
    }
    let sign = if negative && !(whole.is_empty() && fraction.is_empty()) { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    if places == 0 {
        return text(format!("{sign}{whole}"));
    }
    text(format!("{sign}{whole}.{fraction:0<places$}"))
}

fn integer<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let found = arguments.get(0);
    if found.is_i64() || found.is_u64() {
        return arguments.unchanged();
    }
    let source = written(found);
    let kind = kind_of(found);
    let decimal = parse(&source).filter(|decimal| {
        decimal.fraction.is_empty() && (found.is_number() || !source.contains('.'))
    });
    let Some(decimal) = decimal else {
        return Err(not_convertible(format!("integer: needs digits, found other signs in {kind}")));
    };
    let sign = if decimal.negative { "-" } else { "" };
    let digits = if decimal.whole.is_empty() { "0" } else { decimal.whole };
    match format!("{sign}{digits}").parse::<i64>() {
        Ok(number) => value(number),
        Err(_) => Err(not_convertible("integer: more than 64 bits")),
    }
}

fn number<'v>(arguments: Arguments<'v, '_>) -> Outcome<'v> {
    let Some(source) = arguments.get(0).as_str() else { return arguments.unchanged() };
    match yaml::number(source) {
        Some(number) => value(Value::Number(number)),
        None => {
            let kind = kind_of(arguments.get(0));
            Err(not_convertible(format!("number: {kind} is no number that keeps its digits")))
        }
    }
}

fn arithmetic<'v>(
    arguments: &Arguments<'v, '_>,
    operation: fn(i64, i64) -> Option<i64>,
) -> Outcome<'v> {
    let overflow = || -> Box<Fail> { not_convertible("a division by zero, or more than 64 bits") };
    let result = operation(arguments.integer(0)?, arguments.integer(1)?).ok_or_else(overflow)?;
    value(result)
}

#[cfg(test)]
mod tests {
    use super::decimal;
    use crate::mapping::functions::Arguments;
    use proptest::prelude::proptest;
    use serde_json::json;
    use std::borrow::Cow;

    proptest! {
        #[test]
        fn a_decimal_keeps_every_digit(whole in "[1-9][0-9]{0,30}", fraction in "[0-9]{0,20}[1-9]") {
            let source = format!("{whole}.{fraction}");
            let rest = [Cow::Owned(json!(fraction.len()))];
            let arguments = Arguments { first: Cow::Owned(json!(source)), rest: &rest };
            assert_eq!(decimal(arguments).unwrap().unwrap().as_str(), Some(source.as_str()));
        }
    }
}
